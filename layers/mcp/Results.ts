/** What tools and prompts give, as what models read: data where there is data, else words. */
import type { Json } from "../../services/Json.ts"
import type { Prompt } from "../../services/Ai.ts"
import type { Content, PromptResult, ResourceContents, ToolResult } from "./Protocol.ts"

const bytes = (base64: string): number => Math.floor((base64.replace(/=+$/, "").length * 3) / 4)

/** What a resource holds, in words: its text, or that there are bytes. @category conversions */
export const resourceText = ({ blob, mimeType, text, uri }: ResourceContents): string => {
  if (typeof text === "string") return `${uri}:\n${text}`
  return `[${uri}: ${bytes(blob ?? "")} bytes of ${mimeType ?? "unknown type"}, not shown]`
}

/** A piece of content in words. @category conversions */
export const contentText = (content: Content): string => {
  switch (content.type) {
    case "text":
      return content.text
    case "image":
    case "audio":
      return `[${content.type}: ${bytes(content.data)} bytes of ${content.mimeType}, not shown]`
    case "resource":
      return resourceText(content.resource)
    case "resource_link":
      return `[resource ${content.uri}: ${content.name}${(content.description ?? "") === "" ? "" : `, ${content.description}`}]`
  }
}

/** All content in words. @category conversions */
export const textOf = (content: ReadonlyArray<Content>): string => content.map(contentText).join("\n")

const sameText = (content: Content, structured: string): boolean => {
  if (content.type !== "text") return false
  // Not an Effect: whether a text is JSON is no failure.
  try {
    return JSON.stringify(JSON.parse(content.text)) === structured
  } catch {
    return false
  }
}

/**
 * What the model is told of a result: its data, where the tool gives any, with what the content says besides; else the
 * content in words. Images and sounds are named, not shown.
 *
 * @category conversions
 */
export const toJson = ({ content, structuredContent }: ToolResult): Json => {
  if (structuredContent === undefined || structuredContent === null) return textOf(content)
  const data = JSON.stringify(structuredContent)
  // Tools with data send it as text too, for clients that know no data.
  const more = content.filter((piece) => !sameText(piece, data) && !(piece.type === "text" && content.length === 1))
  return more.length === 0 ? structuredContent : { data: structuredContent, content: more.map(contentText) }
}

/** The messages of a prompt as history for an agent. @category conversions */
export const toHistory = ({ messages }: PromptResult): ReadonlyArray<Prompt.MessageEncoded> =>
  messages.map(({ content, role }) => ({ role, content: [{ type: "text", text: contentText(content) }] }))
