/**
 * What is shown of requests and answers: as they are, within bounds. Headers and keys are no part of a request here; what
 * looks like one in the provider's own options is left out.
 */
import type { Prompt } from "../../../services/Ai.ts"
import { Tool } from "../../../services/AiTool.ts"
import type { Json, JsonObject } from "../../../services/Json.ts"
import type { ModelRequest } from "../../../services/ModelProvider.ts"
import type * as Api from "./Api.ts"

/** How many characters of one span are kept. @category constants */
export const defaultRoom = 262_144

/** How much may still be kept. What is cut says how much is missing. @category models */
export class Room {
  private left: number
  private readonly whole: number
  /** Bytes of objects and lists, besides those of their text. */
  private parts = 0
  truncated = false

  constructor(characters: number) {
    this.left = this.whole = Math.max(0, characters)
  }

  /** About how many bytes were kept. */
  get used(): number {
    return 2 * (this.whole - this.left) + this.parts
  }

  /** A text, or its beginning. `more`: characters that it had besides, and that nobody has kept. */
  text(text: string, more = 0): string {
    if (text.length <= this.left && more === 0) {
      this.left -= text.length
      return text
    }
    const cut = text.slice(0, this.left).toWellFormed()
    this.left -= cut.length
    this.truncated = true
    return `${cut}... [${text.length - cut.length + more} more]`
  }

  /** A value as JSON; one that is too large is the beginning of its text. Absent where it has no JSON form. */
  value(value: unknown): Json | undefined {
    const text = jsonTextOf(value)
    if (text === undefined) return undefined
    if (text.length <= this.left) {
      this.left -= text.length
      this.parts += partsOf(text)
      // It was JSON text.
      return JSON.parse(text) as Json
    }
    return this.text(text)
  }
}

// What the objects and lists of a JSON text take of the memory, about: `{}` is two characters, and 56 bytes. Some more
// where such signs stand in its strings.
const partsOf = (text: string): number => {
  let parts = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x7b || code === 0x5b) parts += 56
    else if (code === 0x2c) parts += 8
  }
  return parts
}

// What has a message of its own, or no JSON form, is told in words.
const jsonTextOf = (value: unknown): string | undefined => {
  if (value === undefined) return undefined
  try {
    return JSON.stringify(value, (_, item: unknown) => {
      if (typeof item === "bigint") return String(item)
      if (item instanceof Uint8Array) return `[${item.length} bytes]`
      return item
    })
  } catch {
    return JSON.stringify(String(value))
  }
}

const secret =
  /^(.*authorization|.*token|auth|.*passw(or)?d|passphrase|.*credentials?|cookie|set-cookie|.*(api[-_]?key|access[-_]?key|private[-_]?key|secret|bearer|signature).*)$/i

// Options as they are, without what looks like a secret, however deep.
const open = (value: Json): Json => {
  if (typeof value !== "object" || value === null) return value
  if (isList(value)) return value.map(open)
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, secret.test(key) ? "[left out]" : open(item)])
  )
}

const isList = (value: Json): value is ReadonlyArray<Json> => Array.isArray(value)

const objectOf = (value: Json | undefined): JsonObject =>
  typeof value === "object" && value !== null && !isList(value) ? value : {}

const partOf = (room: Room, part: Exclude<Prompt.Message["content"], string>[number]): Api.MessagePart => {
  switch (part.type) {
    case "text":
    case "reasoning":
      return { type: part.type, text: room.text(part.text) }
    case "tool-call":
      return { type: part.type, id: part.id, name: part.name, ...valued(room.value(part.params)) }
    case "tool-result":
      return { type: part.type, id: part.id, name: part.name, ...valued(room.value(part.result)) }
    case "file":
      return { type: part.type, mediaType: part.mediaType }
    default:
      return { type: "other" }
  }
}

const valued = (value: Json | undefined) => (value === undefined ? {} : { value })

/** A tool as the model is told of it. @category conversions */
export const toolOf = (room: Room, tool: Tool.Any): Api.ActionInfo => {
  const description = Tool.getDescription(tool)
  const input = room.value(Tool.getJsonSchema(tool))
  return {
    name: tool.name,
    ...(description === undefined ? {} : { description: room.text(description) }),
    ...(typeof input === "object" && input !== null && !isList(input) ? { input } : {})
  }
}

/** The messages of a prompt; the newest have the room first. @category conversions */
export const messagesOf = (room: Room, { content }: Prompt.Prompt): Api.RenderedRequest["messages"] =>
  content
    .toReversed()
    .map(({ content, role }) => ({
      role,
      parts:
        typeof content === "string"
          ? [{ type: "text" as const, text: room.text(content) }] // The literal that it is.
          : content.map((part) => partOf(room, part))
    }))
    .toReversed()

/** A request as the provider was given it. @category conversions */
export const requestOf = (room: Room, provider: string, request: ModelRequest): Api.RenderedRequest => {
  const { attempt, model, options, output, prompt, toolChoice, tools } = request
  const jsonSchema = output.format === "text" ? undefined : room.value(output.jsonSchema)
  return {
    provider,
    attempt,
    ...(model === undefined ? {} : { model }),
    messages: messagesOf(room, prompt),
    tools: tools.map((tool) => toolOf(room, tool)),
    ...(toolChoice === undefined ? {} : { toolChoice }),
    output: {
      name: output.name,
      format: output.format,
      native: output.native,
      ...(typeof jsonSchema === "object" && jsonSchema !== null && !isList(jsonSchema) ? { jsonSchema } : {})
    },
    options: objectOf(open(room.value(options) ?? {}))
  }
}
