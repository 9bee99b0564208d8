/**
 * Where conversations are kept, as a service: turns that are only ever appended, and a small head beside them. What a
 * conversation is stands here; which part of it a model is shown is decided in `src/agent/SessionWindow.ts`.
 *
 * What an implementation promises (`SessionStoreConformance` in `effigent/testing` checks it):
 *
 * - a save is one whole: its turns and its head become visible together, or not at all;
 * - a save names the version it was made for, and fails with `SessionConflict` where another one came first;
 * - what a save and a read of the newest turns cost does not grow with the number of turns that are kept;
 * - an id that was never saved has the empty head;
 * - a list goes through all sessions that are there from its first page to its last, each of them once, in an order of
 *   their ids that does not change.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { Prompt } from "./Ai.ts"

const tokens = Schema.optionalKey(Schema.UndefinedOr(Schema.Finite))

/** Messages in encoded form, oldest first: texts, reasoning with its signatures, tool calls and their results. @category models */
export const SessionMessages = Schema.Array(Schema.toEncoded(Prompt.Message))

/** Messages in encoded form, as a type. @category models */
export type SessionMessages = ReadonlyArray<Prompt.MessageEncoded>

/**
 * One exchange: what the user said, what tools did, what the model answered.
 *
 * @category models
 */
export const SessionTurn = Schema.Struct({
  /** Tells the turns of a session apart. */
  id: Schema.String,
  /** When it was recorded, in milliseconds since 1970. */
  at: Schema.Finite,
  messages: SessionMessages,
  /** The id of an earlier turn that this one takes the place of: that one is kept, and no longer shown. */
  replaces: Schema.optionalKey(Schema.String),
  /** Why the answer is only what had come of it: the run was interrupted, or it failed. Absent: the answer is whole. */
  partial: Schema.optionalKey(Schema.Literals(["interrupted", "failed"])),
  /** Tokens that the turn has cost. */
  usage: Schema.optionalKey(
    Schema.Struct({
      inputTokens: tokens,
      cachedInputTokens: tokens,
      cacheWriteInputTokens: tokens,
      outputTokens: tokens,
      reasoningTokens: tokens
    })
  )
})

/** One exchange, as a type. @category models */
export type SessionTurn = typeof SessionTurn.Type

/**
 * What stands beside the turns: what is sent in place of the oldest ones.
 *
 * @category models
 */
export const SessionState = Schema.Struct({
  /** Turns before this index are not sent as they are: `memo` and `pinned` stand for them. */
  from: Schema.Int,
  /** What is remembered of them, in words. */
  memo: Schema.optionalKey(Schema.String),
  /** Messages that are sent in their place. */
  pinned: Schema.optionalKey(SessionMessages),
  /** The application's own facts about the session: a title, an owner. */
  meta: Schema.Record(Schema.String, Schema.Json)
})

/** What stands beside the turns, as a type. @category models */
export type SessionState = typeof SessionState.Type

/**
 * The head of a session.
 *
 * @category models
 */
export interface SessionHead extends SessionState {
  /** How many saves there were; 0: none. */
  readonly version: number
  /** How many turns are kept, those that were replaced included. */
  readonly turns: number
}

/** The head of a session that was never saved. @category models */
export const emptyHead: SessionHead = { version: 0, turns: 0, from: 0, meta: {} }

/**
 * Which sessions are listed, and how many at once.
 *
 * @category models
 */
export const SessionQuery = Schema.Struct({
  /** What their ids begin with. Default: all. */
  prefix: Schema.optionalKey(Schema.String),
  /** How many at most. Default 100. */
  limit: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThan(0))),
  /** `next` of the page before. */
  after: Schema.optionalKey(Schema.String)
})

/** Which sessions are listed, as a type. @category models */
export type SessionQuery = typeof SessionQuery.Type

/** A session in a list. @category models */
export const SessionSummary = Schema.Struct({
  id: Schema.String,
  /** How many saves there were. */
  version: Schema.Int,
  /** How many turns are kept. */
  turns: Schema.Int,
  meta: SessionState.fields.meta
})

/** A session in a list, as a type. @category models */
export type SessionSummary = typeof SessionSummary.Type

/** A part of a list. @category models */
export const SessionPage = Schema.Struct({
  /** In the order of their ids; there may be fewer than the limit although the list goes on. */
  sessions: Schema.Array(SessionSummary),
  /** Where the list goes on; absent at its end. */
  next: Schema.optionalKey(Schema.String)
})

/** A part of a list, as a type. @category models */
export type SessionPage = typeof SessionPage.Type

/** How many sessions a page has where nobody says it. @category constants */
export const pageSize = 100

/**
 * The store could not do what it was asked for.
 *
 * @category errors
 */
export class SessionStoreError extends Schema.TaggedError<SessionStoreError>()("SessionStoreError", {
  /** Which store: `memory`, `file`, ... */
  store: Schema.String,
  /** The session. */
  id: Schema.String,
  /** What it was to do. */
  operation: Schema.Literals(["head", "read", "save", "remove", "list"]),
  /** What happened and what to do. */
  detail: Schema.String
}) {
  override get message(): string {
    return `The ${this.store} session store cannot ${this.operation} session ${JSON.stringify(this.id)}: ${this.detail}`
  }
}

/**
 * Another save came first. Read the head again and save on top of it.
 *
 * @category errors
 */
export class SessionConflict extends Schema.TaggedError<SessionConflict>()("SessionConflict", {
  /** The session. */
  id: Schema.String,
  /** The version that the save was made for. */
  expected: Schema.Int
}) {
  override get message(): string {
    return (
      `Session ${JSON.stringify(this.id)} has been saved by another program since version ${this.expected}; ` +
      `read its head again and save on top of it`
    )
  }
}

/**
 * What an implementation has to give; `make` adds the rest.
 *
 * @category models
 */
export interface SessionStoreEncoded {
  /** The head of a session. */
  readonly head: (id: string) => Effect.Effect<SessionHead, SessionStoreError>
  /** Turns from one index up to another one, which is not included; fewer where there are fewer. */
  readonly read: (id: string, from: number, to: number) => Effect.Effect<ReadonlyArray<SessionTurn>, SessionStoreError>
  /** Appends turns and replaces the state, on top of the version `expected`. Gives the new head. */
  readonly save: (
    id: string,
    expected: number,
    change: { readonly turns: ReadonlyArray<SessionTurn>; readonly state: SessionState }
  ) => Effect.Effect<SessionHead, SessionStoreError | SessionConflict>
  /** Forgets a session. One that is not there is no error. */
  readonly remove: (id: string) => Effect.Effect<void, SessionStoreError>
  /** The sessions that there are, a page at a time. */
  readonly list: (query?: SessionQuery) => Effect.Effect<SessionPage, SessionStoreError>
}

/**
 * Where conversations are kept.
 *
 * @category services
 */
export class SessionStore extends Context.Service<
  SessionStore,
  SessionStoreEncoded & {
    /**
     * Runs an Effect alone among those of this process on the session, in the order in which they came. Inside it, the
     * same session is free again, lest a run that starts another one of its own session waits for itself.
     */
    readonly exclusive: <A, E, R>(id: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  }
>()("effigent/SessionStore") {}

interface Lock {
  readonly semaphore: Semaphore.Semaphore
  users: number
}

const Held = Context.Reference<ReadonlyArray<Lock>>("effigent/SessionStore/Held", { defaultValue: () => [] })

/**
 * Makes the service of an implementation.
 *
 * @category constructors
 */
export const make = (store: SessionStoreEncoded): SessionStore["Service"] => {
  // Of the sessions that are at work now; the last user of a lock takes it away.
  const locks = new Map<string, Lock>()
  const enter = (id: string) =>
    Effect.sync(() => {
      const lock = locks.get(id) ?? { semaphore: Semaphore.makeUnsafe(1), users: 0 }
      locks.set(id, lock)
      lock.users++
      return lock
    })
  return {
    ...store,
    exclusive: (id, effect) =>
      Effect.acquireUseRelease(
        enter(id),
        (lock) =>
          Effect.flatMap(Held, (held) =>
            held.includes(lock)
              ? effect
              : lock.semaphore.withPermit(Effect.provideService(effect, Held, [...held, lock]))
          ),
        (lock) =>
          Effect.sync(() => {
            if (--lock.users === 0) locks.delete(id)
          })
      )
  }
}
