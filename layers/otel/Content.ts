/**
 * What people and models say, as attributes: in the form of the GenAI conventions, redacted and cut. Only where it is asked
 * for. A redactor that throws lets nothing through.
 */
import type { Prompt } from "../../services/Ai.ts"

/** What a text is: of a prompt, of an answer, arguments or the result of an action, the message of an error. @category models */
export type Kind = "prompt" | "answer" | "arguments" | "result" | "error"

/**
 * What is captured. All of it is off by default.
 *
 * @category models
 */
export interface Capture {
  /** What agents are asked and models are sent, system instructions included. */
  readonly prompts?: boolean | undefined
  /** What models and agents answer, as it comes from the provider: output guards have not seen it yet. */
  readonly answers?: boolean | undefined
  /** What actions are passed. */
  readonly arguments?: boolean | undefined
  /** What actions give. */
  readonly results?: boolean | undefined
  /** The messages of errors, which may quote an answer or an input. Without it errors have their tag only. */
  readonly errors?: boolean | undefined
  /** Changes each text before it goes out. Synchronous. Where it throws, the text is left out. */
  readonly redact?: ((text: string, kind: Kind) => string) | undefined
  /** Characters that one attribute may have. Default 16,384. */
  readonly limit?: number | undefined
}

const defaultLimit = 16_384

/** Text that has been captured. @category models */
export interface Captured {
  readonly text: string
  readonly truncated: boolean
}

const redacted = ({ redact }: Capture, text: string, kind: Kind): string => {
  if (redact === undefined) return text
  try {
    return redact(text, kind)
  } catch {
    return "[left out: the redactor failed]"
  }
}

// What is left of the room that an attribute has.
class Room {
  left: number
  truncated = false
  private readonly capture: Capture

  constructor(capture: Capture) {
    this.capture = capture
    this.left = Math.max(0, capture.limit ?? defaultLimit)
  }

  readonly take = (text: string, kind: Kind): string => {
    const clean = redacted(this.capture, text, kind)
    if (clean.length <= this.left) {
      this.left -= clean.length
      return clean
    }
    const cut = clean.slice(0, this.left)
    this.left = 0
    this.truncated = true
    return `${cut}... [${clean.length - cut.length} more]`
  }
}

type Message = Prompt.Message
type Part = { readonly [key: string]: unknown }

const jsonOf = (value: unknown): string => {
  if (typeof value === "string") return value
  try {
    return JSON.stringify(value) ?? ""
  } catch {
    return String(value)
  }
}

const partsOf = (capture: Capture, room: Room, { content }: Message): ReadonlyArray<Part> => {
  if (typeof content === "string") return [{ type: "text", content: room.take(content, "prompt") }]
  return content.map((part): Part => {
    switch (part.type) {
      case "text":
      case "reasoning":
        return { type: part.type, content: room.take(part.text, "prompt") }
      case "tool-call":
        return {
          type: "tool_call",
          id: part.id,
          name: part.name,
          ...(capture.arguments === true ? { arguments: room.take(jsonOf(part.params), "arguments") } : {})
        }
      case "tool-result":
        return {
          type: "tool_call_response",
          id: part.id,
          ...(capture.results === true ? { response: room.take(jsonOf(part.result), "result") } : {})
        }
      case "file":
        // What is in it is not captured.
        return { type: "file", mime_type: part.mediaType }
      default:
        return { type: part.type }
    }
  })
}

/** A prompt: its system instructions, and all other messages, the newest of which have the room first. @category conversions */
export const promptOf = (
  capture: Capture,
  { content }: Prompt.Prompt
): { readonly system: Captured | undefined; readonly messages: Captured } => {
  const room = new Room(capture)
  const messages: Array<Part> = []
  const system: Array<Part> = []
  for (const message of content.toReversed()) {
    // Nothing of it would be left.
    if (room.left === 0) {
      room.truncated = true
      break
    }
    const parts = partsOf(capture, room, message)
    if (message.role === "system") system.unshift(...parts)
    else messages.unshift({ role: message.role, parts })
  }
  const { truncated } = room
  return {
    system: system.length === 0 ? undefined : { text: JSON.stringify(system), truncated },
    messages: { text: JSON.stringify(messages), truncated }
  }
}

/** What a user, or a program, asks of an agent. @category conversions */
export const inputOf = (capture: Capture, input: unknown): Captured => {
  const room = new Room(capture)
  const content = room.take(jsonOf(input), "prompt")
  return { text: JSON.stringify([{ role: "user", parts: [{ type: "text", content }] }]), truncated: room.truncated }
}

/**
 * What a model has answered.
 *
 * @category models
 */
export interface Said {
  readonly text: string
  readonly reasoning: string
  readonly calls: ReadonlyArray<{ readonly id: string; readonly name: string; readonly arguments: string }>
  readonly finishReason: string | undefined
}

/** An answer. Calls are named; what they pass stands in it where arguments are captured. @category conversions */
export const answerOf = (capture: Capture, said: Said): Captured => {
  const room = new Room(capture)
  const parts: Array<Part> = []
  if (said.reasoning !== "") parts.push({ type: "reasoning", content: room.take(said.reasoning, "answer") })
  if (said.text !== "") parts.push({ type: "text", content: room.take(said.text, "answer") })
  for (const call of said.calls) {
    const passed = capture.arguments === true ? { arguments: room.take(call.arguments, "arguments") } : {}
    parts.push({ type: "tool_call", id: call.id, name: call.name, ...passed })
  }
  const finish = said.finishReason === undefined ? {} : { finish_reason: said.finishReason }
  return { text: JSON.stringify([{ role: "assistant", parts, ...finish }]), truncated: room.truncated }
}

/** One value: arguments, a result, a message. @category conversions */
export const valueOf = (capture: Capture, value: unknown, kind: Kind): Captured => {
  const room = new Room(capture)
  return { text: room.take(jsonOf(value), kind), truncated: room.truncated }
}
