/**
 * Small words about encoded messages: which belong together, how large one is, how one is cut. A tool call and its
 * results belong together: vendors refuse the one without the other.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ActionCall, ActionRecord, ActionRound } from "../../services/Action.ts"
import { Prompt } from "../../services/Ai.ts"
import { SessionMessages } from "../../services/SessionStore.ts"
import type { Thought } from "../request/ModelResponse.ts"

type Message = Prompt.MessageEncoded

/** The parts of a message; a system message has one text. @category reading */
export const partsOf = (message: Message): ReadonlyArray<Prompt.PartEncoded> =>
  typeof message.content === "string" ? [{ type: "text", text: message.content }] : message.content

/** The texts of a message in one. Reasoning is not among them. @category reading */
export const textOf = (message: Message): string =>
  partsOf(message)
    .flatMap((part) => (part.type === "text" ? [part.text] : []))
    .join("\n")

// A picture or a document costs a model about as much as so many characters or tokens, whatever its bytes are.
const fileSize = 1_000

/**
 * How large a message is, by a measure of texts: texts and reasoning, tool calls and results as JSON, and 1,000 for a
 * file.
 *
 * @category measuring
 */
export const size = (message: Message, measure: (text: string) => number): number => {
  let total = 0
  for (const part of partsOf(message)) {
    switch (part.type) {
      case "text":
      case "reasoning":
        total += measure(part.text)
        break
      case "tool-call":
        total += measure(part.name) + measure(JSON.stringify(part.params) ?? "")
        break
      case "tool-result":
        total += measure(JSON.stringify(part.result) ?? "")
        break
      case "file":
        total += fileSize
        break
    }
  }
  return total
}

// The end of a text that fits. A measure may be of tokens, so that the cut is found by steps.
const tail = (text: string, max: number, measure: (text: string) => number): string => {
  let kept = text
  for (let now = measure(kept); now > max && kept !== ""; now = measure(kept)) {
    const length = Math.min(kept.length - 1, Math.floor((kept.length * max) / now))
    kept = kept.slice(kept.length - length)
    // Half a surrogate pair is no character.
    if (/^[\udc00-\udfff]/.test(kept)) kept = kept.slice(1)
  }
  return kept
}

/** The end of a message's text that fits: what is said last counts most. @category cutting */
export const cut = (message: Message, max: number, measure: (text: string) => number): Message => {
  const text = tail(textOf(message), max, measure)
  return message.role === "assistant"
    ? { role: "assistant", content: [{ type: "text", text }] }
    : { role: "user", content: [{ type: "text", text }] }
}

const callsOf = (message: Message): ReadonlyArray<string> =>
  message.role === "assistant" ? partsOf(message).flatMap((part) => (part.type === "tool-call" ? [part.id] : [])) : []

/**
 * The messages in groups that must not be split: tool messages stand with the message whose calls they answer, all
 * others alone.
 *
 * @category pairing
 */
export const groups = (messages: SessionMessages): ReadonlyArray<SessionMessages> => {
  const out: Array<Array<Message>> = []
  for (const message of messages) {
    const last = out.at(-1)
    if (message.role === "tool" && last !== undefined) last.push(message)
    else out.push([message])
  }
  return out
}

const isAnswered = (group: SessionMessages): boolean => {
  const [first, ...rest] = group
  if (first === undefined || first.role === "tool") return false
  const calls = new Set(callsOf(first))
  if (calls.size === 0) return rest.length === 0
  for (const part of rest.flatMap(partsOf)) if (part.type === "tool-result") calls.delete(part.id)
  // A tool that the provider runs answers within the message of its call.
  for (const part of partsOf(first)) if (part.type === "tool-result") calls.delete(part.id)
  return calls.size === 0
}

/** The messages without tool calls that have no result and results that have no call. @category pairing */
export const legal = (messages: SessionMessages): SessionMessages => groups(messages).filter(isAnswered).flat()

/** The largest index up to `index` at which the messages can be cut without splitting a group. @category pairing */
export const boundary = (messages: SessionMessages, index: number): number => {
  let at = 0
  for (const group of groups(messages)) {
    if (at + group.length > index) break
    at += group.length
  }
  return at
}

/** A user's message. @category constructors */
export const user = (text: string): Message => ({ role: "user", content: [{ type: "text", text }] })

/** An answer with the thoughts that belong to it. @category constructors */
export const assistant = (text: string, thoughts: ReadonlyArray<Thought>): Message => ({
  role: "assistant",
  content: [...thoughts.map(reasoning), { type: "text", text }]
})

/** A thought as a part of a message, with its seal for the vendor that alone can read it. @category constructors */
export const reasoning = ({ redacted, signature, text, vendor }: Thought): Prompt.ReasoningPartEncoded => {
  if (signature === undefined && redacted === undefined) return { type: "reasoning", text }
  const seal = redacted === undefined ? { signature: signature ?? null } : { redacted }
  return { type: "reasoning", text, options: { effigent: vendor === undefined ? seal : { ...seal, vendor } } }
}

/**
 * The name of a call as providers take it back. A model may have made up one that they do not take, and they would refuse
 * the whole request.
 *
 * @category conversions
 */
export const nameOf = ({ action }: Pick<ActionCall, "action">): string =>
  action.replaceAll(/[^a-zA-Z0-9_-]/g, "_").slice(0, 64) || "unnamed"

/** Whether the model is told that the call failed. @category reading */
export const isFailure = ({ status }: Pick<ActionRecord, "status">): boolean =>
  status !== "success" && status !== "retry"

/** A round of calls and what they gave, as messages. @category constructors */
export const round = ({ records, steering = [], text, thoughts }: ActionRound): SessionMessages => [
  {
    role: "assistant",
    content: [
      ...thoughts.map(reasoning),
      ...(text === "" ? [] : [{ type: "text", text } as const]),
      ...records.map(
        ({ call }) => ({ type: "tool-call", id: call.id, name: nameOf(call), params: call.input }) as const
      )
    ]
  },
  {
    role: "tool",
    content: records.map(
      (record) =>
        ({
          type: "tool-result",
          id: record.call.id,
          name: nameOf(record.call),
          isFailure: isFailure(record),
          result: record.result
        }) as const
    )
  },
  ...steering.map(user)
]

const decode = Schema.decodeUnknownEffect(Schema.Array(Prompt.Message))
const toJson = Schema.encodeEffect(Schema.toCodecJson(Schema.Array(Prompt.Message)))
const fromJson = Schema.decodeUnknownEffect(SessionMessages)

/**
 * Encoded messages in the form that has JSON throughout: bytes and URLs become tagged objects. Fails where they are no
 * messages.
 *
 * @category conversions
 */
export const normal = (messages: SessionMessages): Effect.Effect<SessionMessages, Schema.SchemaError> =>
  decode(messages).pipe(Effect.flatMap(toJson), Effect.flatMap(fromJson))

/** The conversation in words, for a model that is to summarise it. @category conversions */
export const transcript = (messages: SessionMessages): string =>
  messages
    .flatMap((message) =>
      partsOf(message).flatMap((part) => {
        switch (part.type) {
          case "text":
            return [`${message.role}: ${part.text}`]
          case "tool-call":
            return [`assistant calls ${part.name}: ${JSON.stringify(part.params)}`]
          case "tool-result":
            return [`${part.name} answers: ${JSON.stringify(part.result)}`]
          default:
            return []
        }
      })
    )
    .join("\n")
