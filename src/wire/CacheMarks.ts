/**
 * Where a prompt is to be kept for the next request that begins alike, for vendors that want to be told (Anthropic):
 * behind the system text, which all requests of an agent share; behind the conversation before the last question, which
 * the next turn shares; and at the end, which the next step of this turn shares.
 *
 * A mark stands in the options of a message or part as `{ anthropic: { cacheControl } }`, as effect/ai and the AI SDK
 * write it too; other vendors do not look there.
 */
import { Prompt } from "../../services/Ai.ts"
import type { PromptCache } from "../../services/ModelProvider.ts"
import * as Fields from "./Fields.ts"

/** How many marks a request may have at most, those of the tools included. @category constants */
export const most = 4

/** A mark, as Anthropic's protocol has it. @category models */
export type Mark = { readonly type: "ephemeral"; readonly ttl?: "5m" | "1h" }

/** What a wish is in a mark; `long` is an hour, and five minutes are what is meant where nothing is said. @category marks */
export const markOf = ({ retention }: PromptCache): Mark =>
  retention === "long" ? { type: "ephemeral", ttl: "1h" } : { type: "ephemeral" }

/** The mark in some options, if there is one. @category marks */
export const of = (options: Prompt.ProviderOptions): Mark | undefined => {
  const control = Fields.object(Fields.object(options["anthropic"])?.["cacheControl"])
  if (control?.["type"] !== "ephemeral") return undefined
  const ttl = control["ttl"]
  return ttl === "5m" || ttl === "1h" ? { type: "ephemeral", ttl } : { type: "ephemeral" }
}

type Part = Exclude<Prompt.Message, Prompt.SystemMessage>["content"][number]

// Thoughts cannot be marked, and texts that are empty are not sent.
const isMarkable = (part: Part): boolean =>
  part.type === "text"
    ? part.text !== ""
    : part.type === "file" || part.type === "tool-call" || part.type === "tool-result"

const optionsOf = (message: Prompt.Message): ReadonlyArray<Prompt.ProviderOptions> =>
  message.role === "system" ? [message.options] : message.content.map((part) => part.options)

const withMark = (options: Prompt.ProviderOptions, mark: Mark): Prompt.ProviderOptions => ({
  ...options,
  anthropic: { ...Fields.object(options["anthropic"]), cacheControl: mark }
})

const marked = (message: Prompt.Message, mark: Mark): Prompt.Message => {
  if (message.role === "system") return { ...message, options: withMark(message.options, mark) }
  const content: ReadonlyArray<Part> = message.content
  const at = content.findLastIndex(isMarkable)
  const parts = content.map((part, i) => (i === at ? { ...part, options: withMark(part.options, mark) } : part))
  // The parts are what they were, but for the options of one.
  return { ...message, content: parts } as Prompt.Message
}

const canMark = (message: Prompt.Message | undefined): boolean =>
  message !== undefined && (message.role === "system" ? message.content !== "" : message.content.some(isMarkable))

/** How many marks there are. @category reading */
export const count = (prompt: Prompt.Prompt): number =>
  prompt.content.flatMap(optionsOf).filter((options) => of(options) !== undefined).length

/** The prompt with marks where they serve most, beside those that it has. @category marks */
export const add = (prompt: Prompt.Prompt, cache: PromptCache): Prompt.Prompt => {
  const messages = prompt.content
  const system = messages.findLastIndex((message) => message.role === "system" && message.content !== "")
  const question = messages.findLastIndex((message) => message.role === "user")
  const past = messages.findLastIndex((message, i) => i < question && message.role !== "system")
  const places = [system, messages.length - 1, past].filter(
    (at, i, all) => canMark(messages[at]) && all.indexOf(at) === i
  )
  const free = places.filter((at) =>
    messages
      .slice(at, at + 1)
      .flatMap(optionsOf)
      .every((options) => !of(options))
  )
  const chosen = new Set(free.slice(0, Math.max(0, most - count(prompt))))
  const mark = markOf(cache)
  return Prompt.fromMessages(messages.map((message, at) => (chosen.has(at) ? marked(message, mark) : message)))
}
