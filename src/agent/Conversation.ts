/**
 * A stored session as a whole: reading it, writing to it by hand, forking it, taking it out and putting it in. What runs
 * of agents do with it stands in `Session.ts`.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import {
  emptyHead,
  type SessionConflict,
  type SessionHead,
  type SessionMessages,
  SessionState,
  SessionStore,
  type SessionStoreError,
  SessionTurn
} from "../../services/SessionStore.ts"
import * as Messages from "./Messages.ts"
import { freshId, open, save, SessionTurnError, stateOf } from "./SessionHistory.ts"

export { freshId } from "./SessionHistory.ts"

/** The turns of a session that are shown, oldest first. @category reading */
export const turns = Effect.fnUntraced(function* (
  id: string
): Effect.fn.Return<ReadonlyArray<SessionTurn>, SessionStoreError, SessionStore> {
  const store = yield* SessionStore
  const shown = yield* open(store, id, yield* store.head(id)).since(0)
  return shown.map(({ turn }) => turn)
})

/** The messages of a session, oldest first. @category reading */
export const messages = (id: string): Effect.Effect<SessionMessages, SessionStoreError, SessionStore> =>
  Effect.map(turns(id), (turns) => turns.flatMap((turn) => turn.messages))

/**
 * Appends messages by hand: a conversation from elsewhere, a greeting, what tools said. Each user's message begins a
 * turn.
 *
 * @category writing
 */
export const append = Effect.fnUntraced(function* (
  id: string,
  messages: SessionMessages
): Effect.fn.Return<void, SessionStoreError | SessionConflict | Schema.SchemaError, SessionStore> {
  const store = yield* SessionStore
  const encoded = yield* Messages.normal(messages)
  const at = yield* Clock.currentTimeMillis
  const parts: Array<Array<SessionMessages[number]>> = []
  for (const message of encoded) {
    const last = parts.at(-1)
    if (last === undefined || message.role === "user") parts.push([message])
    else last.push(message)
  }
  const made = yield* Effect.forEach(parts, (messages) => Effect.map(freshId, (id) => ({ id, at, messages })))
  yield* store.exclusive(
    id,
    Effect.flatMap(store.head(id), (head) => save(store, id, head, made, stateOf))
  )
})

/**
 * Sets facts of the application's own about a session: a title, an owner, the state of the talk. Those that it has stay.
 * A function makes the new ones of those that there are; it is run again where another program's save came first, so
 * that no change is lost. `Session.make({ facts })` lays them into prompts.
 *
 * @category writing
 */
export const annotate = Effect.fnUntraced(function* (
  id: string,
  facts: SessionState["meta"] | ((facts: SessionState["meta"]) => SessionState["meta"])
): Effect.fn.Return<void, SessionStoreError | SessionConflict, SessionStore> {
  const store = yield* SessionStore
  const change = (head: SessionHead) => ({
    ...stateOf(head),
    meta: { ...head.meta, ...(typeof facts === "function" ? facts(head.meta) : facts) }
  })
  yield* store.exclusive(
    id,
    Effect.flatMap(store.head(id), (head) => save(store, id, head, [], change))
  )
})

/**
 * Makes a new session of the beginning of another one, which stays as it is. `at` is the number of messages that are
 * taken over (default: all); one that would split a tool call from its results is rounded down. Tokens that were spent
 * are not taken over. Fails with `SessionConflict` where the new id is taken.
 *
 * @category writing
 */
export const fork = Effect.fnUntraced(function* (
  from: string,
  to: string,
  at: number = Number.POSITIVE_INFINITY
): Effect.fn.Return<void, SessionStoreError | SessionConflict | SessionTurnError, SessionStore> {
  const store = yield* SessionStore
  const head = yield* store.head(from)
  if (head.version === 0) return yield* new SessionTurnError({ id: from, detail: "it does not exist; nothing to fork" })
  const shown = yield* open(store, from, head).since(0)
  const taken: Array<SessionTurn> = []
  let room = at
  for (const { turn } of shown) {
    const { partial, replaces: _replaces, usage: _usage, ...rest } = turn
    const length = Messages.boundary(turn.messages, room)
    const marks = partial === undefined || length < turn.messages.length ? {} : { partial }
    if (length > 0) taken.push({ ...rest, ...marks, messages: turn.messages.slice(0, length) })
    room -= length
    if (length < turn.messages.length) break
  }
  const past = shown.filter(({ index }) => index < head.from).length
  // A memo that speaks of what comes after the cut is of no use before it.
  const state = taken.length < past ? { from: 0, meta: head.meta } : { ...stateOf(head), from: past }
  yield* store.save(to, emptyHead.version, { turns: taken, state })
})

/**
 * A session as one JSON value: every turn, those that were replaced included, the memo and what stands in for older
 * turns.
 *
 * @category models
 */
export const Snapshot = Schema.Struct({
  session: Schema.Literal(1),
  turns: Schema.Array(SessionTurn),
  state: SessionState
})

/** A session as one value. @category models */
export type Snapshot = typeof Snapshot.Type

/** Takes a session out as one value; `Conversation.Snapshot` is its Schema. @category writing */
export const snapshot = Effect.fnUntraced(function* (
  id: string
): Effect.fn.Return<Snapshot, SessionStoreError, SessionStore> {
  const store = yield* SessionStore
  const head = yield* store.head(id)
  return { session: 1, turns: yield* store.read(id, 0, head.turns), state: stateOf(head) }
})

/** Puts a session in under a new id. Fails with `SessionConflict` where the id is taken. @category writing */
export const restore = Effect.fnUntraced(function* (
  id: string,
  { state, turns }: Snapshot
): Effect.fn.Return<void, SessionStoreError | SessionConflict, SessionStore> {
  const store = yield* SessionStore
  yield* store.save(id, emptyHead.version, { turns, state })
})
