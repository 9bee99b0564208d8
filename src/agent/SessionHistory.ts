/**
 * How the turns of a session are read and written: page by page from the end, without those that were replaced; and on
 * top of what has come before, whoever came first.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import {
  SessionConflict,
  type SessionHead,
  type SessionState,
  type SessionStore,
  type SessionStoreError,
  type SessionTurn
} from "../../services/SessionStore.ts"
import type { History, Shown } from "./SessionWindow.ts"

/**
 * A history out of a store.
 *
 * @category models
 */
export interface OpenHistory extends History {
  /** The same without one turn. */
  readonly without: (turn: string) => OpenHistory
}

const firstPage = 16
const largestPage = 256

/**
 * The history of a session as its head says. Turns that are appended later are not in it.
 *
 * @category constructors
 */
export const open = (
  store: SessionStore["Service"],
  id: string,
  head: SessionHead,
  hidden: ReadonlySet<string> = new Set()
): OpenHistory => {
  // Shows one page, newest first. A turn stands behind those that it replaces, so that it is met before them.
  const reveal = (page: ReadonlyArray<SessionTurn>, from: number, replaced: Set<string>): ReadonlyArray<Shown> => {
    const shown: Array<Shown> = []
    for (let i = page.length - 1; i >= 0; i--) {
      const turn = page[i]
      if (turn === undefined) continue
      if (turn.replaces !== undefined) replaced.add(turn.replaces)
      if (!replaced.has(turn.id)) shown.push({ index: from + i, turn })
    }
    return shown
  }
  return {
    head,
    newest: Effect.fnUntraced(function* (accept) {
      const replaced = new Set(hidden)
      const shown: Array<Shown> = []
      let to = head.turns
      for (let size = firstPage; to > 0; size = Math.min(size * 2, largestPage)) {
        const from = Math.max(0, to - size)
        for (const one of reveal(yield* store.read(id, from, to), from, replaced)) {
          if (!accept(one.turn)) return { shown: shown.toReversed(), refused: one.turn }
          shown.push(one)
        }
        to = from
      }
      return { shown: shown.toReversed() }
    }),
    since: (index) =>
      Effect.map(store.read(id, index, head.turns), (turns) => reveal(turns, index, new Set(hidden)).toReversed()),
    without: (turn) => open(store, id, head, new Set([...hidden, turn]))
  }
}

/** An id that no other session has: 32 hexadecimal digits. @category constructors */
export const freshId: Effect.Effect<string> = Effect.map(
  Effect.all(Array.from({ length: 4 }, () => Random.nextIntBetween(0, 0xffffffff))),
  (words) => words.map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("")
)

/**
 * There is no such turn or message to go on from.
 *
 * @category errors
 */
export class SessionTurnError extends Schema.TaggedError<SessionTurnError>()("SessionTurnError", {
  /** The session. */
  id: Schema.String,
  /** What is missing. */
  detail: Schema.String
}) {
  override get message(): string {
    return `Session ${JSON.stringify(this.id)}: ${this.detail}`
  }
}

// A program that lost the race for a version this often has something else wrong.
const conflicts = { times: 20, schedule: Schedule.jittered(Schedule.exponential("2 millis", 1.5)) }

/** The state that stands in a head. @category conversions */
export const stateOf = ({ from, memo, meta, pinned }: SessionHead): SessionState => ({
  from,
  meta,
  ...(memo === undefined ? {} : { memo }),
  ...(pinned === undefined ? {} : { pinned })
})

/** Saves on top of `head`, or of what has come since. @category writing */
export const save = Effect.fnUntraced(function* (
  store: SessionStore["Service"],
  id: string,
  head: SessionHead,
  turns: ReadonlyArray<SessionTurn>,
  change: (head: SessionHead) => SessionState
): Effect.fn.Return<SessionHead, SessionStoreError | SessionConflict> {
  let known: SessionHead | undefined = head
  return yield* Effect.suspend(() => (known === undefined ? store.head(id) : Effect.succeed(known))).pipe(
    Effect.flatMap((current) => {
      known = undefined
      return store.save(id, current.version, { turns, state: change(current) })
    }),
    Effect.retry({ ...conflicts, while: (error) => error instanceof SessionConflict })
  )
})
