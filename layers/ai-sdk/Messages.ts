/**
 * From the rendered prompt to the prompt of an AI SDK model. Options of messages and parts go along by the vendors' names,
 * and what a vendor had attached to its own answer goes back where it was.
 */
import type {
  JSONValue,
  LanguageModelV4FilePart,
  LanguageModelV4Message,
  LanguageModelV4Prompt,
  LanguageModelV4TextPart,
  LanguageModelV4ToolResultOutput,
  SharedV4ProviderOptions
} from "@ai-sdk/provider"
import type { Prompt } from "../../services/Ai.ts"
import * as Fields from "../../src/wire/Fields.ts"
import * as Opaque from "../../src/wire/Opaque.ts"

type Assistant = Extract<LanguageModelV4Message, { readonly role: "assistant" }>["content"][number]
type FromTool = Extract<LanguageModelV4Message, { readonly role: "tool" }>["content"][number]
type Options = { providerOptions?: SharedV4ProviderOptions }

/** The prompt. @category rendering */
export const fromPrompt = (prompt: Prompt.Prompt): LanguageModelV4Prompt =>
  Opaque.restore(prompt).content.map((message): LanguageModelV4Message => {
    switch (message.role) {
      case "system":
        return { role: "system", content: message.content, ...optionsOf(message.options) }
      case "user":
        return { role: "user", content: message.content.map(userPart), ...optionsOf(message.options) }
      case "assistant":
        return { role: "assistant", content: assistantParts(message.content), ...optionsOf(message.options) }
      case "tool":
        return { role: "tool", content: message.content.map(toolPart), ...optionsOf(message.options) }
    }
  })

// Ours are for our own providers; all others are the vendors'.
const optionsOf = (options: Prompt.ProviderOptions): Options => {
  const vendors = Object.entries(options).filter(
    ([vendor, value]) => vendor !== "effigent" && Fields.object(value) !== undefined
  )
  // Options of a prompt are JSON, and those that are no objects were left out.
  return vendors.length === 0 ? {} : { providerOptions: Object.fromEntries(vendors) as SharedV4ProviderOptions }
}

const userPart = (part: Prompt.TextPart | Prompt.FilePart): LanguageModelV4TextPart | LanguageModelV4FilePart =>
  part.type === "text" ? { type: "text", text: part.text, ...optionsOf(part.options) } : filePart(part)

const dataUrl = /^data:([^;,]*)(?:;[^,]*)?;base64,(.*)$/s

const filePart = (part: Prompt.FilePart): LanguageModelV4FilePart => {
  const { data, fileName, mediaType, options } = part
  const rest = { ...(fileName === undefined ? {} : { filename: fileName }), ...optionsOf(options) }
  if (data instanceof Uint8Array) return { type: "file", data: { type: "data", data }, mediaType, ...rest }
  const source = data instanceof URL ? data.href : data
  const inline = dataUrl.exec(source)
  if (inline !== null) {
    const [, type, base64 = ""] = inline
    return { type: "file", data: { type: "data", data: base64 }, mediaType: type || mediaType, ...rest }
  }
  return URL.canParse(source) && /^[a-z][a-z0-9+.-]+:\/\//i.test(source)
    ? { type: "file", data: { type: "url", url: new URL(source) }, mediaType, ...rest }
    : { type: "file", data: { type: "data", data: source }, mediaType, ...rest }
}

const assistantParts = (parts: ReadonlyArray<Prompt.AssistantMessagePart>): Array<Assistant> =>
  parts.flatMap((part): ReadonlyArray<Assistant> => {
    switch (part.type) {
      case "text":
        return [{ type: "text", text: part.text, ...optionsOf(part.options) }]
      case "reasoning":
        return [{ type: "reasoning", text: part.text, ...optionsOf(part.options) }]
      case "file":
        return [filePart(part)]
      case "tool-call": {
        const { id, name, options, params, providerExecuted } = part
        const executed = providerExecuted ? { providerExecuted } : {}
        return [
          { type: "tool-call", toolCallId: id, toolName: name, input: params ?? {}, ...executed, ...optionsOf(options) }
        ]
      }
      case "tool-result":
        return [toolResult(part)]
      case "tool-approval-request":
        return []
    }
  })

const toolPart = (part: Prompt.ToolMessagePart): FromTool =>
  part.type === "tool-result"
    ? toolResult(part)
    : {
        type: "tool-approval-response",
        approvalId: part.approvalId,
        approved: part.approved,
        ...(part.reason === undefined ? {} : { reason: part.reason })
      }

const toolResult = (part: Prompt.ToolResultPart) => ({
  type: "tool-result" as const,
  toolCallId: part.id,
  toolName: part.name,
  output: output(part),
  ...optionsOf(part.options)
})

const output = ({ isFailure, modelOutput, result }: Prompt.ToolResultPart): LanguageModelV4ToolResultOutput => {
  if (modelOutput !== undefined) return { type: "content", value: modelOutput.map(userPart) }
  if (typeof result === "string") return { type: isFailure ? "error-text" : "text", value: result }
  // Results of tools stand encoded in a prompt: JSON, or nothing at all.
  const value = (result ?? null) as JSONValue
  return { type: isFailure ? "error-json" : "json", value }
}
