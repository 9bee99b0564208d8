/**
 * Writes an execution down while it runs: what goes into its machines is noted, and what comes out is held back until
 * the notes are safe. While one batch is being written the next one gathers, so that a row of records costs one write.
 *
 * Handlers are begun, told and answered only by what is safe. So nothing that was seen outside is ever lost, and what a
 * crash takes back nobody has seen.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Json } from "effect/Schema"
import type { ExecutionJournal, JournalBatch } from "../../../services/ExecutionHost.ts"
import * as FlowError from "../FlowError.ts"
import type { Engine } from "../engine/Engine.ts"
import type { Held, Journaling } from "../engine/Journaling.ts"
import { durablyStanding } from "../engine/Outside.ts"
import type { Command, Record } from "../engine/Record.ts"
import { eventOf } from "../engine/Telling.ts"
import { Waiters } from "../engine/Waiters.ts"
import * as Saving from "../saving/Saving.ts"
import * as Snapshots from "../saving/Snapshot.ts"
import { format, type JournalRecord } from "./JournalRecord.ts"
import { Notes } from "./Notes.ts"

/** After how many batches that were written at once other fibers run. */
const turn = 64

/**
 * The journal of one execution at work.
 *
 * @category models
 */
export class Writing implements Journaling {
  readonly engine: Engine
  private readonly journal: ExecutionJournal
  private readonly notes = new Map<Engine, Notes>()
  private records: Array<Json> = []
  private held: Array<Held> = []
  private flushing = false
  /** Nothing is written any more. */
  private over = false
  /** Nothing new is begun. */
  private frozen = false
  /** How many records were written since the last snapshot. */
  private since = 0
  private completed = false
  private wakeAt: number | null = null
  /** Who waits until no handler is at work and everything is safe. */
  private readonly calm = new Waiters(
    () => this.over || this.engine.exit !== undefined || (this.isIdle() && !atWork(this.engine))
  )

  constructor(engine: Engine, journal: ExecutionJournal) {
    this.engine = engine
    this.journal = journal
    engine.journal = this
    engine.stream.journaled = true
  }

  /** Notes how the execution is run; fails where that cannot be written down. */
  open(): Result.Result<void, FlowError.NotSaveable> {
    const opening = Saving.write(this.engine, undefined, undefined)
    if (Result.isFailure(opening)) return Result.fail(new FlowError.NotSaveable({ problems: opening.failure }))
    this.note({ _tag: "Opened", format, opening: Snapshots.toJson(opening.success) })
    return Result.void
  }

  /** Writes down how the execution is now. It is left in good order, which says nothing against it. */
  private get checkpoint(): Effect.Effect<void, unknown> {
    return Effect.suspend(() => {
      const snapshot = this.snapshot(this.held)
      const taken = snapshot === undefined ? {} : { snapshot }
      return this.journal.append({ ...this.batch([], this.held), ...taken, progressed: true })
    })
  }

  private note(record: JournalRecord): void {
    // A record is JSON by its Schema.
    this.records.push(record as unknown as Json)
  }

  private notesOf(engine: Engine): Notes {
    const known = this.notes.get(engine)
    if (known !== undefined) return known
    const notes = new Notes(engine)
    this.notes.set(engine, notes)
    return notes
  }

  // ---------------------------------------------------------------------------------------------- what is noted

  take(engine: Engine, record: Record | undefined, then: (() => void) | undefined): void {
    if (this.over) return
    const { machine } = engine
    let taken = record
    if (record !== undefined) {
      // What comes too late changes nothing.
      if (machine.lifecycle !== "closed") taken = this.written(engine, record)
      if (taken?._tag === "Done" || taken?._tag === "Paused" || taken?._tag === "Slept") this.completed = true
      if (taken !== undefined) machine.step(taken)
    }
    this.hold(engine, taken, then)
  }

  fork(engine: Engine): boolean {
    const { machine } = engine
    if (this.over || machine.lifecycle === "closed" || machine.forks.isEmpty) return false
    this.note({ _tag: "Forked", ...(engine.path.length === 0 ? {} : { path: engine.path }) })
    machine.fork()
    this.hold(engine, undefined, undefined)
    return true
  }

  private hold(engine: Engine, record: Record | undefined, then: (() => void) | undefined): void {
    const { commands } = engine.machine
    engine.machine.commands = []
    this.held.push({ engine, record, commands, then })
  }

  /** Notes a record; what cannot be written fails what it is about, and that is noted. */
  private written(engine: Engine, record: Record): Record {
    const notes = this.notesOf(engine)
    const note = notes.write(record)
    if (notes.problems.length === 0) {
      this.note(note)
      return record
    }
    const cause = engine.error(new FlowError.NotSaveable({ problems: [...notes.problems] }))
    const instead = failing(record, cause)
    this.note(notes.write(instead))
    return instead
  }

  // ---------------------------------------------------------------------------------------------- what is written

  isIdle(): boolean {
    return this.held.length === 0 && !this.flushing
  }

  flush(): void {
    if (this.flushing || this.over) return
    this.flushing = true
    for (let round = 0; this.held.length > 0; round++) {
      const { held, records } = this
      this.held = []
      this.records = []
      if (records.length === 0) {
        this.release(held)
        continue
      }
      const fiber = this.engine.fork(this.journal.append(this.batch(records, held)))
      const exit = fiber.pollUnsafe()
      if (exit !== undefined && round < turn) {
        if (!this.appended(held, exit)) return
        continue
      }
      const go = (exit: Exit.Exit<void, unknown>) => {
        if (!this.appended(held, exit)) return
        this.flushing = false
        this.flush()
      }
      if (exit === undefined) fiber.addObserver(go)
      else this.engine.fork(Effect.yieldNow).addObserver(() => go(exit))
      return
    }
    this.flushing = false
    this.calm.settle()
  }

  private appended(held: ReadonlyArray<Held>, exit: Exit.Exit<void, unknown>): boolean {
    if (this.over) return false
    if (Exit.isSuccess(exit)) {
      this.release(held)
      return true
    }
    this.over = true
    this.engine.fork(this.engine.abandon(exit.cause))
    this.calm.settle()
    return false
  }

  /** Does what was held back. */
  private release(held: ReadonlyArray<Held>): void {
    for (const { commands, engine, record, then } of held) {
      engine.perform(record, this.frozen ? commands.filter(isTold) : commands)
      then?.()
    }
  }

  private batch(records: ReadonlyArray<Json>, held: ReadonlyArray<Held>): JournalBatch {
    const { engine } = this
    const { lifecycle } = engine.machine
    this.since += records.length
    const closed = lifecycle === "closed"
    const wakeAt = closed ? null : wakeOf(engine)
    const wakes = wakeAt === this.wakeAt ? {} : { wakeAt }
    this.wakeAt = wakeAt
    // Its stream is in a snapshot: so no entry is written more than twice for each record.
    const due = this.since >= Math.max(this.journal.snapshotEvery, engine.stream.size)
    const snapshot = closed || due ? this.snapshot(held) : undefined
    if (snapshot !== undefined) this.since = 0
    const progressed = this.completed
    this.completed = false
    return {
      records,
      status: durablyStanding(engine),
      lifecycle,
      ...wakes,
      ...(progressed ? { progressed } : {}),
      ...(snapshot === undefined ? {} : { snapshot })
    }
  }

  /** The execution as it is behind everything that was noted, at a moment in which nothing is half done. */
  private snapshot(held: ReadonlyArray<Held>): Json | undefined {
    if (!this.engine.isQuiet()) return undefined
    const snapshot = Saving.write(this.engine, undefined, { stream: true, soon: toldBy(held), live: true })
    return Result.isSuccess(snapshot) ? Snapshots.toJson(snapshot.success) : undefined
  }

  // ---------------------------------------------------------------------------------------------- handing over

  /**
   * Leaves the execution for another process to go on with: nothing new is begun, handlers at work have until `drain`
   * is over, everything is written down, and what is left is interrupted. Nobody outside sees an end.
   */
  leave(cause: Cause.Cause<unknown>, drain: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.frozen = true
      const calm = Effect.raceFirst(
        this.calm.wait((settle) => this.engine.onClosed(settle)),
        drain
      )
      const saved = Effect.suspend(() => (this.over || this.engine.exit !== undefined ? Effect.void : this.checkpoint))
      return Effect.andThen(
        Effect.andThen(calm, Effect.ignore(saved)),
        Effect.suspend(() => {
          this.over = true
          return this.engine.abandon(cause)
        })
      )
    })
  }

  /** Writes nothing any more, and leaves everything as it is. */
  abandon(cause: Cause.Cause<unknown>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.over = true
      return this.engine.abandon(cause)
    })
  }
}

/** What is told to people outside: it happens also where nothing new is begun. */
const isTold = ({ _tag }: Command): boolean =>
  _tag === "Reply" ||
  _tag === "Item" ||
  _tag === "Waiting" ||
  _tag === "Answered" ||
  _tag === "Intervention" ||
  _tag === "Closed"

/** What will be told in the runtime stream once what is held back is safe: behind it no record says it again. */
const toldBy = (held: ReadonlyArray<Held>) =>
  held.flatMap(({ commands, engine }) =>
    commands.flatMap((command) => {
      const event = eventOf(engine, command)
      return event === undefined ? [] : [{ event, path: engine.names }]
    })
  )

/** Whether a handler or a condition is at work, sub-flows included; those that wait for what they have emitted are not. */
const atWork = (engine: Engine): boolean => {
  if (engine.isBusy) return true
  for (const child of engine.children?.values() ?? []) if (atWork(child.engine)) return true
  return false
}

/** When something is due although nobody is at work. */
const wakeOf = (engine: Engine): number | null => {
  let first = Math.min(engine.deadline ?? Infinity, engine.machine.sleepers?.first ?? Infinity)
  for (const { expires } of engine.machine.interrupts?.values() ?? [])
    if (expires !== undefined) first = Math.min(first, expires)
  for (const child of engine.children?.values() ?? []) first = Math.min(first, wakeOf(child.engine) ?? Infinity)
  return first === Infinity ? null : first
}

/** What is taken in instead of a record that cannot be written down. */
const failing = (record: Record, cause: Cause.Cause<unknown>): Record => {
  switch (record._tag) {
    case "Done":
    case "Paused":
      return { _tag: "Failed", run: record.run, cause }
    case "ChildEnded":
      return { _tag: "ChildEnded", frame: record.frame, exit: Exit.failCause(cause) }
    case "Decided":
      return { _tag: "Decided", decision: record.decision, hits: Exit.failCause(cause) }
    default:
      return { _tag: "Fail", cause }
  }
}
