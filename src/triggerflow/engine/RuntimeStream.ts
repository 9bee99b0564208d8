/**
 * The runtime stream of an execution: what handlers put, and what the engine tells (questions, answers, interventions),
 * as one log with cursors. Any number of readers, early or late, each at its own pace.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Json } from "effect/Schema"
import * as Stream from "effect/Stream"

/**
 * What happens where readers are slower than handlers. `unbounded` (default) keeps everything. `sliding` keeps the last
 * `capacity` entries; a reader that is further behind goes on with the oldest that is left. `suspend` makes `put` wait
 * while the slowest reader, or the first one to come, is `capacity` entries behind; what the handler has written is made
 * visible before it waits.
 *
 * @category models
 */
export type Policy =
  | { readonly _tag: "unbounded" }
  | { readonly _tag: "sliding" | "suspend"; readonly capacity: number }

/**
 * One entry of the log.
 *
 * @category models
 */
export interface Entry {
  /**
   * Its place, from 0. A reader that starts behind it passes `cursor + 1`. In executions that are kept in a journal, what
   * is volatile has the place of the entry before it.
   */
  readonly cursor: number
  /** The sub-flows that it comes from, outermost first; empty for the execution itself. */
  readonly path: ReadonlyArray<string>
  readonly event: Event
}

/**
 * What an entry says. `item` is what a handler has put.
 *
 * @category models
 */
export type Event =
  | { readonly _tag: "item"; readonly json: Json; readonly volatile: boolean }
  | {
      readonly _tag: "interrupt"
      readonly id: string
      readonly interrupt: string
      readonly payload: unknown
      /** The payload as JSON. */
      readonly json: Json
    }
  | { readonly _tag: "answered"; readonly id: string; readonly interrupt: string }
  | {
      readonly _tag: "intervention"
      readonly id: string
      readonly action: "append" | "insert" | "expire" | "consume" | "reject"
    }

/**
 * The log and its readers.
 *
 * @category models
 */
export class RuntimeStream {
  readonly policy: Policy
  entries: Array<Entry> = []
  /** The cursor of the next entry. */
  head = 0
  /** What is volatile gets no place of its own, since another process would not know of it. */
  journaled = false
  /** How many entries are no longer kept. */
  private gone = 0
  exit: Exit.Exit<unknown, unknown> | undefined = undefined
  /** The positions of the readers. */
  private readers: Set<{ at: number }> | undefined = undefined
  /** Readers that wait for entries, and handlers that wait for room. */
  private waiting: Array<() => void> | undefined = undefined
  private blocked: Array<() => void> | undefined = undefined

  constructor(policy: Policy) {
    this.policy = policy
  }

  /** The cursor of the first entry that is kept. */
  private get base(): number {
    return this.entries[0]?.cursor ?? this.head
  }

  /** Begins with what was saved. */
  restore(entries: ReadonlyArray<Entry>, head: number): void {
    this.entries = [...entries]
    this.head = head
  }

  /** How many entries are kept at least, of those that are there. */
  get size(): number {
    const { entries, policy } = this
    return policy._tag === "sliding" ? Math.min(entries.length, policy.capacity) : entries.length
  }

  /** The entries that are kept and have a place of their own. */
  counted(): ReadonlyArray<Entry> {
    const kept = this.entries.slice(this.entries.length - this.size)
    return this.journaled ? kept.filter(({ event }) => event._tag !== "item" || !event.volatile) : kept
  }

  /** How many of the entries that are kept stand before a cursor. */
  private before(cursor: number): number {
    let from = 0
    let to = this.entries.length
    while (from < to) {
      const middle = (from + to) >> 1
      if ((this.entries[middle]?.cursor ?? cursor) < cursor) from = middle + 1
      else to = middle
    }
    return from
  }

  /** Adds an entry and wakes the readers that wait. */
  append(event: Event, path: ReadonlyArray<string>): void {
    if (this.exit !== undefined) return
    const counts = !this.journaled || event._tag !== "item" || !event.volatile
    this.entries.push({ cursor: counts ? this.head++ : this.head - 1, path, event })
    if (this.policy._tag === "sliding" && this.entries.length >= this.policy.capacity * 2)
      this.trim(this.policy.capacity)
    this.wake()
  }

  /** Ends the log: readers get what is left, then the end or the failure. */
  end(exit: Exit.Exit<unknown, unknown>): void {
    if (this.exit !== undefined) return
    this.exit = exit
    this.wake()
    this.unblock()
  }

  private trim(keep: number): void {
    const gone = this.entries.length - keep
    this.entries = this.entries.slice(gone)
    this.gone += gone
  }

  private wake(): void {
    const waiting = this.waiting
    this.waiting = undefined
    if (waiting !== undefined) for (const resume of waiting) resume()
  }

  private unblock(): void {
    const blocked = this.blocked
    this.blocked = undefined
    if (blocked !== undefined) for (const resume of blocked) resume()
  }

  /** Whether readers are so far behind that there is no room for one entry more than `more` others. */
  full(more = 0): boolean {
    if (this.policy._tag !== "suspend" || this.exit !== undefined) return false
    let slowest = this.readers === undefined || this.readers.size === 0 ? this.base : Infinity
    for (const { at } of this.readers ?? []) slowest = Math.min(slowest, at)
    return this.head + more - slowest >= this.policy.capacity
  }

  /** Waits until there is room for one more entry. */
  get room(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.full()) return Effect.void
      const room = Effect.callback<void>((resume) => {
        const done = () => resume(Effect.void)
        ;(this.blocked ??= []).push(done)
        return Effect.sync(() => {
          this.blocked = this.blocked?.filter((other) => other !== done)
        })
      })
      return Effect.flatMap(room, () => this.room)
    })
  }

  /** The entries from a cursor on, in the arrays in which they are there. */
  read(from: number): Stream.Stream<Entry, unknown> {
    return Stream.unwrap(
      Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => {
            const reader = { at: from }
            ;(this.readers ??= new Set()).add(reader)
            this.unblock()
            return reader
          }),
          (reader) =>
            Effect.sync(() => {
              this.readers?.delete(reader)
              this.unblock()
            })
        ),
        (reader) => Stream.paginate(-1, (place: number) => this.next(reader, from, place))
      )
    )
  }

  // `place` counts all entries that ever were; -1: where the cursor `from` is.
  private next(
    reader: { at: number },
    from: number,
    place: number
  ): Effect.Effect<readonly [ReadonlyArray<Entry>, Option.Option<number>], unknown> {
    return Effect.suspend(() => {
      if (place >= 0) reader.at = this.entries[place - this.gone]?.cursor ?? this.head
      this.unblock()
      if (this.policy._tag === "sliding" && this.entries.length > this.policy.capacity) this.trim(this.policy.capacity)
      const start = place < 0 ? this.before(from) : Math.max(place - this.gone, 0)
      if (start < this.entries.length)
        return Effect.succeed([this.entries.slice(start), Option.some(this.gone + this.entries.length)] as const)
      const exit = this.exit
      if (exit === undefined) return Effect.andThen(this.more, this.next(reader, from, place))
      return exit._tag === "Success" ? Effect.succeed([[], Option.none()] as const) : Effect.failCause(exit.cause)
    })
  }

  private get more(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const done = () => resume(Effect.void)
      ;(this.waiting ??= []).push(done)
      return Effect.sync(() => {
        this.waiting = this.waiting?.filter((other) => other !== done)
      })
    })
  }
}
