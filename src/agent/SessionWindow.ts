/**
 * Which part of a conversation a model is shown. The whole of it stays in the store; a window says what is sent: the
 * newest turns by number, characters or tokens, a summary of the older ones, or what the program decides.
 *
 * No window splits a tool call from its result. One that keeps `"turns"` also never splits a user's message from its
 * answer; one that keeps `"messages"` may begin with an answer.
 */
import * as Effect from "effect/Effect"
import type { ModelProvider } from "../../services/ModelProvider.ts"
import type { SessionHead, SessionMessages, SessionStoreError, SessionTurn } from "../../services/SessionStore.ts"
import { Tokenizer } from "../../services/Tokenizer.ts"
import * as Agent from "./Agent.ts"
import * as Messages from "./Messages.ts"

/**
 * A turn that is shown, and where it stands among all that are kept.
 *
 * @category models
 */
export interface Shown {
  readonly index: number
  readonly turn: SessionTurn
}

/**
 * The conversation as a window reads it. What was replaced is not in it.
 *
 * @category models
 */
export interface History {
  readonly head: SessionHead
  /**
   * The newest turns, oldest first: reads backwards as long as `accept` takes a turn. `refused` is the one that it did
   * not take.
   */
  readonly newest: (
    accept: (turn: SessionTurn) => boolean
  ) => Effect.Effect<{ readonly shown: ReadonlyArray<Shown>; readonly refused?: SessionTurn }, SessionStoreError>
  /** The turns from an index on. */
  readonly since: (index: number) => Effect.Effect<ReadonlyArray<Shown>, SessionStoreError>
}

/**
 * What is sent. A window that gives `state` has it kept beside the turns, before anything is sent.
 *
 * @category models
 */
export interface Fitted {
  readonly messages: SessionMessages
  readonly memo?: string | undefined
  readonly state?: { readonly from: number; readonly memo?: string; readonly pinned?: SessionMessages } | undefined
}

/**
 * A window, as a value.
 *
 * @category models
 */
export interface SessionWindow<out E = never, out R = never> {
  readonly fit: (history: History) => Effect.Effect<Fitted, E | SessionStoreError, R>
}

const messagesOf = (shown: ReadonlyArray<Shown>): SessionMessages => shown.flatMap(({ turn }) => turn.messages)

/** Everything, however long it grows. @category windows */
export const all: SessionWindow = {
  fit: (history) =>
    Effect.map(
      history.newest(() => true),
      ({ shown }) => ({ messages: messagesOf(shown) })
    )
}

/** The newest turns, so many at most. @category windows */
export const turns = (max: number): SessionWindow => ({
  fit: (history) =>
    Effect.suspend(() => {
      let count = 0
      return Effect.map(
        history.newest(() => ++count <= max),
        ({ shown }) => ({ messages: messagesOf(shown) })
      )
    })
})

/**
 * What a window of a size keeps whole. Default `"turns"`.
 *
 * @category models
 */
export interface SizeOptions {
  readonly keep?: "turns" | "messages" | undefined
}

// The question and the answer of one turn in so much room; what tools said between them is left out.
const shrinkTurn = (messages: SessionMessages, max: number, measure: (text: string) => number): SessionMessages => {
  const question = messages.find((message) => message.role === "user")
  const answer = messages.findLast((message) => message.role === "assistant" && Messages.textOf(message) !== "")
  const sizes = [question, answer].map((one) => (one === undefined ? 0 : measure(Messages.textOf(one))))
  const [asked = 0, answered = 0] = sizes
  const forQuestion = Math.min(asked, Math.max(Math.floor(max / 2), max - answered))
  return [
    ...(question === undefined ? [] : [Messages.cut(question, forQuestion, measure)]),
    ...(answer === undefined ? [] : [Messages.cut(answer, max - forQuestion, measure)])
  ]
}

const newestMessages = (messages: SessionMessages, max: number, measure: (text: string) => number): SessionMessages => {
  const kept: Array<SessionMessages> = []
  let room = max
  for (const group of Messages.groups(messages).toReversed()) {
    room -= group.reduce((sum, message) => sum + Messages.size(message, measure), 0)
    if (room < 0) break
    kept.push(group)
  }
  if (kept.length > 0) return kept.toReversed().flat()
  const last = messages.findLast((message) => Messages.textOf(message) !== "")
  return last === undefined ? [] : [Messages.cut(last, max, measure)]
}

const sized = (history: History, max: number, measure: (text: string) => number, keep: "turns" | "messages") => {
  let room = max
  const fits = (turn: SessionTurn) => {
    room -= turn.messages.reduce((sum, message) => sum + Messages.size(message, measure), 0)
    return room >= 0
  }
  return Effect.map(history.newest(fits), ({ refused, shown }): Fitted => {
    const messages = messagesOf(shown)
    if (refused === undefined) return { messages }
    if (keep === "messages") return { messages: newestMessages([...refused.messages, ...messages], max, measure) }
    return { messages: shown.length > 0 ? messages : shrinkTurn(refused.messages, max, measure) }
  })
}

/**
 * The newest turns within so many characters. Where not even the newest one fits, the ends of its texts are kept.
 *
 * @category windows
 */
export const characters = (max: number, options: SizeOptions = {}): SessionWindow => ({
  fit: (history) => Effect.suspend(() => sized(history, max, (text) => text.length, options.keep ?? "turns"))
})

/**
 * The newest turns within so many tokens, as the `Tokenizer` counts them, without the few that a vendor adds to each
 * message. Where not even the newest turn fits, the ends of its texts are kept.
 *
 * @category windows
 */
export const tokens = (max: number, options: SizeOptions = {}): SessionWindow<never, Tokenizer> => ({
  fit: (history) => Tokenizer.use((tokenizer) => sized(history, max, tokenizer.count, options.keep ?? "turns"))
})

/**
 * How a window summarises.
 *
 * @category models
 */
export interface SummaryOptions<E, R> {
  /** The largest size of memo and turns together, in characters. */
  readonly max: number
  /** How many of the newest turns stay as they are. Default 2. */
  readonly keep?: number | undefined
  /** Who writes the memo: its input is the old memo and the turns that leave. Default: the agent's own model. */
  readonly writer?: Agent.Agent<string, E, R> | undefined
}

const writer = Agent.make({
  name: "session-memo",
  instruct:
    "Write the memo of a conversation anew, so that it stands for what was said: facts, names, numbers, decisions, " +
    "open questions. Keep what the old memo says unless it was corrected. No introduction, at most 200 words."
})

/**
 * A memo of the older turns, written by a model, and the newest turns as they are. The memo is written when the size is
 * exceeded, kept beside the turns, and carried on from one writing to the next. It is sent as the prompt section
 * `[CHAT SESSION MEMO]`.
 *
 * @category windows
 */
export const summary: {
  <E, R>(
    options: SummaryOptions<E, R> & { readonly writer: Agent.Agent<string, E, R> }
  ): SessionWindow<E | Agent.AgentError, R>
  (options: SummaryOptions<never, never>): SessionWindow<Agent.AgentError, ModelProvider>
} = ({ keep = 2, max, writer: given }: SummaryOptions<unknown, unknown>): SessionWindow<never, never> =>
  // By the overloads, E and R are those of the writer.
  summaryBy({ keep, max, writer: given ?? writer }) as SessionWindow<never, never>

const summaryBy = <E, R>(options: {
  readonly max: number
  readonly keep: number
  readonly writer: Agent.Agent<string, E, R>
}): SessionWindow<E | Agent.AgentError, R> => ({
  fit: Effect.fnUntraced(function* (history) {
    const { from, memo, pinned = [] } = history.head
    const shown = yield* history.since(from)
    const messages = [...pinned, ...messagesOf(shown)]
    const length = (memo?.length ?? 0) + messages.reduce((sum, one) => sum + Messages.size(one, lengthOf), 0)
    const kept = shown.slice(Math.max(0, shown.length - options.keep))
    const leaving = [...pinned, ...messagesOf(shown.slice(0, shown.length - kept.length))]
    if (length <= options.max || leaving.length === 0) return { messages, memo }
    const written = yield* options.writer.pipe(
      Agent.settings({ role: options.writer.config.role ?? "memory" }),
      Agent.input({ memo: memo ?? null, conversation: Messages.transcript(leaving) }),
      Agent.run
    )
    const next = kept[0]?.index ?? history.head.turns
    return { messages: messagesOf(kept), memo: written, state: { from: next, memo: written } }
  })
})

const lengthOf = (text: string) => text.length

/**
 * What a window of one's own looks at.
 *
 * @category models
 */
export interface Content {
  /** What would be sent now. */
  readonly messages: SessionMessages
  readonly memo: string | undefined
  /** Everything that is kept, those turns that are no longer sent included. */
  readonly full: Effect.Effect<ReadonlyArray<SessionTurn>, SessionStoreError>
}

/**
 * What becomes of it. What is absent stays as it is.
 *
 * @category models
 */
export interface Resized {
  readonly messages?: SessionMessages | undefined
  readonly memo?: string | undefined
}

/**
 * A window of one's own: `judge` looks at what would be sent and names the way to change it, or none; the handler of
 * that name changes it. What it gives is kept beside the turns, and the turns after it are sent as they are until the
 * next change. Tool calls without results and results without calls are taken out of what it gives.
 *
 * @category windows
 */
export const custom = <K extends string, E1 = never, R1 = never, E2 = never, R2 = never>(options: {
  readonly judge: (content: Content) => Effect.Effect<K | undefined, E1, R1>
  readonly resize: { readonly [P in K]: (content: Content) => Effect.Effect<Resized, E2, R2> }
}): SessionWindow<E1 | E2, R1 | R2> => ({
  fit: Effect.fnUntraced(function* (history) {
    const { from, memo, pinned = [], turns: count } = history.head
    const shown = yield* history.since(from)
    const content: Content = {
      messages: [...pinned, ...messagesOf(shown)],
      memo,
      full: Effect.map(history.since(0), (all) => all.map(({ turn }) => turn))
    }
    const way = yield* options.judge(content)
    if (way === undefined) return { messages: content.messages, memo }
    const resized = yield* options.resize[way](content)
    const messages = Messages.legal(resized.messages ?? content.messages)
    const next = resized.memo ?? memo
    return {
      messages,
      memo: next,
      state: { from: count, pinned: messages, ...(next === undefined ? {} : { memo: next }) }
    }
  })
})
