/**
 * Renders slots as the messages of a request. The user message has its sections in one fixed order:
 *
 *     [INFO]  {custom slots}  [INSTRUCT]  [EXAMPLES]  [INPUT]  [OUTPUT REQUIREMENT]  [OUTPUT CORRECTION]  [OUTPUT]:
 *
 * An input that comes alone is the whole message, without titles. Attachments are parts of their own before the text. System and developer slots are messages of their own,
 * in front; the history stands between them and the user message.
 */
import * as Result from "effect/Result"
import { Prompt } from "../../services/Ai.ts"
import * as Attachment from "./Attachment.ts"
import { PromptError } from "./PromptError.ts"
import type { Slots } from "./Slots.ts"
import * as Text from "./Text.ts"
import * as Yaml from "./Yaml.ts"

/**
 * The titles of the sections, where they are to be others: in the language of the prompt, for one. Custom slots bear
 * their names.
 *
 * @category models
 */
export interface Titles {
  /** Default `INFO`. */
  readonly info?: string | undefined
  /** Default `INSTRUCT`. */
  readonly instruct?: string | undefined
  /** Default `EXAMPLES`. */
  readonly examples?: string | undefined
  /** Default `INPUT`. */
  readonly input?: string | undefined
  /** Default `OUTPUT REQUIREMENT`. */
  readonly requirement?: string | undefined
  /** Default `OUTPUT CORRECTION`. */
  readonly correction?: string | undefined
  /** What the message ends with. Default `OUTPUT`. */
  readonly output?: string | undefined
}

const ownTitles = {
  info: "INFO",
  instruct: "INSTRUCT",
  examples: "EXAMPLES",
  input: "INPUT",
  requirement: "OUTPUT REQUIREMENT",
  correction: "OUTPUT CORRECTION",
  output: "OUTPUT"
} as const

/**
 * What a rendering needs besides the slots.
 *
 * @category models
 */
export interface RenderOptions {
  /** Body of the OUTPUT REQUIREMENT section: the output contract in words. Absent: free text is wanted. */
  readonly requirement?: string | undefined
  /** Body of the OUTPUT CORRECTION section: what was wrong with the attempt before. */
  readonly correction?: string | undefined
  /**
   * Whether the history is brought into the strict order that every vendor takes: messages of one role that follow
   * each other become one message, a conversation begins with the user and its last message is not the user's.
   * Default true.
   */
  readonly strictRoles?: boolean | undefined
  /** Other titles of the sections. */
  readonly titles?: Titles | undefined
  /**
   * What was done since the user spoke: calls and their results, which stand behind the user message. A correction then
   * comes last, in a message of its own.
   */
  readonly rounds?: ReadonlyArray<Prompt.Message> | undefined
}

const titlesOf =
  ({ titles = {} }: RenderOptions) =>
  (name: keyof Titles) =>
    titles[name] ?? ownTitles[name]

type Section = readonly [title: string, body: string]

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !(Symbol.iterator in value) && !("toJSON" in value)

const isEmpty = (info: unknown) => isRecord(info) && Object.keys(info).length === 0

// An object in INFO is a list of facts, one line each: models read it better than a nested document.
const renderInfo = (value: unknown): Result.Result<string, PromptError> =>
  isRecord(value)
    ? Result.map(Text.toJson("info", value), (json) =>
        Object.entries(json ?? {})
          .map(([key, item]) => `- ${Yaml.stringify({ [key]: item }).replaceAll("\n", "\n  ")}`)
          .join("\n")
      )
    : Text.render("info", value)

const userText = (slots: Slots, options: RenderOptions): Result.Result<string | undefined, PromptError> =>
  Result.gen(function* () {
    const out: Array<Section> = []
    const title = titlesOf(options)
    const add = function* (title: string, slot: string, value: unknown) {
      if (value !== undefined) out.push([title, yield* Text.render(slot, value)])
    }
    if (slots.info !== undefined && !isEmpty(slots.info)) out.push([title("info"), yield* renderInfo(slots.info)])
    for (const [name, value] of Object.entries(slots.custom ?? {})) yield* add(name.toUpperCase(), name, value)
    yield* add(title("instruct"), "instruct", slots.instruct)
    yield* add(title("examples"), "examples", slots.examples)
    yield* add(title("input"), "input", slots.input)
    const only = out.length === 1 && slots.input !== undefined ? out[0] : undefined
    if (only !== undefined && options.requirement === undefined && options.correction === undefined) return only[1]
    if (out.length === 0 && options.correction === undefined) return undefined
    if (options.requirement !== undefined) out.push([title("requirement"), options.requirement])
    if (options.correction !== undefined) out.push([title("correction"), options.correction])
    return `${out.map(([title, body]) => `[${title}]:\n${body}`).join("\n\n")}\n\n[${title("output")}]:`
  })

const text = (value: string) => Prompt.makePart("text", { text: value })
const user = (value: string): Prompt.Message => Prompt.makeMessage("user", { content: [text(value)] })
const userWith = (files: ReadonlyArray<Prompt.TextPart | Prompt.FilePart>, value: string | undefined): Prompt.Message =>
  Prompt.makeMessage("user", { content: value === undefined ? files : [...files, text(value)] })
const assistant = (value: string): Prompt.Message => Prompt.makeMessage("assistant", { content: [text(value)] })

const joined = (last: Prompt.Message, next: Prompt.Message): Prompt.Message | undefined => {
  if (last.role === "user" && next.role === "user") {
    return Prompt.makeMessage("user", { content: [...last.content, ...next.content], options: last.options })
  }
  if (last.role === "assistant" && next.role === "assistant") {
    return Prompt.makeMessage("assistant", { content: [...last.content, ...next.content], options: last.options })
  }
  return undefined
}

// Messages of one role that follow each other become one, and the user speaks first.
const inOrder = (messages: ReadonlyArray<Prompt.Message>): Array<Prompt.Message> => {
  const out: Array<Prompt.Message> = []
  for (const message of messages) {
    const last = out.at(-1)
    const merged = last === undefined ? undefined : joined(last, message)
    if (merged === undefined) out.push(message)
    else out[out.length - 1] = merged
  }
  const first = out.find((message) => message.role !== "system")
  if (first !== undefined && first.role !== "user") out.splice(out.indexOf(first), 0, user("[CHAT HISTORY]"))
  return out
}

// A history that the user's next message follows: the assistant spoke last.
const closed = (history: Array<Prompt.Message>): ReadonlyArray<Prompt.Message> =>
  history.at(-1)?.role === "user" ? [...history, assistant("[User continue input]")] : history

const decodeHistory = (slots: Slots): Result.Result<ReadonlyArray<Prompt.Message>, PromptError> =>
  slots.history === undefined || slots.history.length === 0
    ? Result.succeed([])
    : Result.try({
        // Prompt.make is effect's own decoder of messages; it throws on messages that are none.
        try: () => Prompt.make(slots.history ?? []).content,
        catch: (error) => new PromptError({ slot: "history", detail: `is not a list of messages: ${String(error)}` })
      })

/**
 * Renders slots to messages. Fails with a `PromptError` where there is nothing to say or a slot has no text form.
 *
 * @category rendering
 */
export const render = (slots: Slots, options: RenderOptions = {}): Result.Result<Prompt.Prompt, PromptError> =>
  Result.gen(function* () {
    const messages: Array<Prompt.Message> = []
    if (slots.system !== undefined) {
      messages.push(Prompt.makeMessage("system", { content: yield* Text.render("system", slots.system) }))
    }
    if (slots.developer !== undefined) {
      const content = yield* Text.render("developer", slots.developer)
      messages.push(Prompt.makeMessage("system", { content, options: { effigent: { role: "developer" } } }))
    }
    const history = yield* decodeHistory(slots)
    const { correction, rounds = [] } = options
    const content = yield* userText(slots, rounds.length === 0 ? options : { ...options, correction: undefined })
    const files = (slots.attachments ?? []).map(Attachment.toPart)
    if (content === undefined && history.length === 0 && files.length === 0) {
      return yield* Result.fail(
        new PromptError({ slot: "prompt", detail: "says nothing; set an input, an instruct or another slot" })
      )
    }
    const asGiven = options.strictRoles === false
    const title = titlesOf(options)
    const wanted =
      options.requirement === undefined
        ? undefined
        : `[${title("requirement")}]:\n${options.requirement}\n\n[${title("output")}]:`
    if (content === undefined && files.length > 0) {
      messages.push(...(asGiven ? history : closed(inOrder(history))), userWith(files, wanted))
    } else if (content === undefined) {
      const asked = wanted === undefined ? [] : [user(wanted)]
      messages.push(...(asGiven ? [...history, ...asked] : inOrder([...history, ...asked])))
    } else {
      messages.push(...(asGiven ? history : closed(inOrder(history))), userWith(files, content))
    }
    messages.push(...rounds)
    if (rounds.length > 0 && correction !== undefined) {
      messages.push(user(`[${title("correction")}]:\n${correction}\n\n[${title("output")}]:`))
    }
    return Prompt.fromMessages(messages)
  })
