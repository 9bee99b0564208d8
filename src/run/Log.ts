/**
 * The log of a root run: every event of it and of the runs inside it, numbered, with the state that they add up to. Those
 * who read it hold nothing but their place in it, so that a slow one costs the others nothing; what the log drops,
 * because it keeps only so many events, is told to whoever comes too late for it. Synchronous.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type RunEnvelope, type RunEvent, WatcherOverflow } from "../../services/Run.ts"
import type { Opening, Watched } from "../request/Watching.ts"
import { isOver, View } from "./View.ts"

/**
 * Where and how to read.
 *
 * @category models
 */
export interface ReadOptions {
  /** The sequence number after which to begin. Default 0: everything. */
  readonly after?: number | undefined
  /**
   * How many events that came since may wait for the reader; one more, and it is told so by `WatcherOverflow`. Default:
   * as many as the log keeps.
   */
  readonly buffer?: number | undefined
}

// About how many bytes an event takes: the object around it, and what it says. Most events are pieces of text, of which
// the view keeps the whole as well.
const weigh = (event: RunEvent): number =>
  event._tag === "Text" || event._tag === "Reasoning"
    ? 250 + 2 * event.text.length
    : 250 + 2 * JSON.stringify(event).length

const isEnd = ({ _tag }: RunEvent): boolean =>
  _tag === "RunCompleted" || _tag === "RunFailed" || _tag === "RunCancelled"

/**
 * The log of one root run.
 *
 * @category models
 */
export class Log {
  readonly root: string
  /** What the events add up to. */
  readonly view: View
  /** Why the root is being cancelled. */
  reason: string | undefined
  /** About how many bytes its events take. */
  size = 0
  private events: Array<RunEnvelope> = []
  /** How many events were dropped. */
  private dropped = 0
  private inside = 0
  private isRootOpen = false
  private isClosed = false
  private readonly listeners = new Set<() => void>()
  private readonly clock: Clock.Clock
  private readonly keep: number

  constructor(root: string, clock: Clock.Clock, keep: number) {
    this.root = root
    this.clock = clock
    this.keep = keep
    this.view = new View(root)
  }

  /** What is to be run as the root: the first run that begins is the root itself, all others are inside it. */
  readonly entrance: Watched = {
    run: "",
    publish: () => {},
    reason: () => this.reason,
    open: (opening) => {
      if (this.isRootOpen) return this.node(opening, this.root, 1)
      this.isRootOpen = true
      return this.node(opening, undefined, 0)
    }
  }

  /** The root as a run of which something is to be told, whoever ran it. */
  rootNode(agent: string | undefined): Watched {
    this.isRootOpen = true
    return this.node({ agent }, undefined, 0)
  }

  private node({ agent }: Opening, parent: string | undefined, depth: number): Watched {
    const run = parent === undefined ? this.root : `${this.root}.${++this.inside}`
    return {
      run,
      reason: () => this.reason,
      publish: (event) => this.append(run, parent, agent, depth, event),
      open: (opening) => this.node(opening, run, depth + 1)
    }
  }

  private append(
    run: string,
    parent: string | undefined,
    agent: string | undefined,
    depth: number,
    event: RunEvent
  ): void {
    if (this.isClosed) return
    const state = this.view.get(run)
    if (state !== undefined && isOver(state)) return
    if (depth === 0 && isEnd(event)) this.endInside()
    const envelope: RunEnvelope = {
      sequence: this.last + 1,
      at: this.clock.currentTimeMillisUnsafe(),
      run,
      ...(parent === undefined ? {} : { parent }),
      root: this.root,
      ...(agent === undefined ? {} : { agent }),
      depth,
      event
    }
    this.events.push(envelope)
    this.view.apply(envelope)
    this.size += weigh(event)
    // A quarter at a time, so that an event costs the same however many are kept.
    if (this.events.length > this.keep) {
      const many = Math.max(1, this.keep >> 2)
      for (let index = 0; index < many; index++) {
        const dropped = this.events[index]
        if (dropped !== undefined) this.size -= weigh(dropped.event)
      }
      this.events = this.events.slice(many)
      this.dropped += many
    }
    this.wake()
    if (depth === 0 && isEnd(event)) this.close()
  }

  // Those that are still at work when the root ends, a fiber that it forked or something that outlives it, are heard of
  // no more: the log says so, the innermost first, so that nobody takes them for running.
  private endInside(): void {
    const reason = this.reason ?? "the run that it is in has ended"
    for (const { agent, depth, parent, run, status, text } of this.view.snapshot().runs.toReversed()) {
      if (depth === 0 || isOver({ status })) continue
      this.append(run, parent, agent, depth, { _tag: "RunCancelled", reason, ...(text === "" ? {} : { text }) })
    }
  }

  /** The number of the last event. */
  get last(): number {
    return this.dropped + this.events.length
  }

  /** Nothing follows. */
  close(): void {
    this.isClosed = true
    this.wake()
  }

  private wake(): void {
    if (this.listeners.size > 0) for (const listener of [...this.listeners]) listener()
  }

  /** The events from a place on, those to come included, until the root has ended. */
  readonly read = ({ after = 0, buffer = this.keep }: ReadOptions = {}): Stream.Stream<RunEnvelope, WatcherOverflow> =>
    Stream.suspend(() => {
      const attachedAt = this.last
      let place = Math.max(0, after)
      const more = Effect.callback<void>((resume) => {
        // A fiber may have had to wait for its turn since it looked.
        if (this.last > place || this.isClosed) return resume(Effect.void)
        const listener = () => {
          this.listeners.delete(listener)
          resume(Effect.void)
        }
        this.listeners.add(listener)
        return Effect.sync(() => this.listeners.delete(listener))
      })
      const pull: Effect.Effect<readonly [RunEnvelope, ...Array<RunEnvelope>], WatcherOverflow | Cause.Done> =
        Effect.suspend(() => {
          // What was there before it came does not count: it could not read that any sooner.
          const waiting = this.last - Math.max(place, attachedAt)
          if (place < this.dropped || waiting > buffer)
            return Effect.fail(
              new WatcherOverflow({
                run: this.root,
                sequence: place,
                waiting: this.last - place,
                limit: Math.min(buffer, this.keep)
              })
            )
          const [first, ...rest] = this.events.slice(place - this.dropped)
          if (first !== undefined) {
            place = this.last
            return Effect.succeed([first, ...rest])
          }
          return this.isClosed ? Cause.done() : Effect.andThen(more, pull)
        })
      return Stream.fromPull(Effect.succeed(pull))
    })
}
