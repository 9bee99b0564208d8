/**
 * Reads a journal: the machines take in again what they took in then, and do nothing about it. What comes out is the
 * execution as it stood after the last record, as a snapshot: what was at work is in it as to be run again.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Json } from "effect/Schema"
import { type Engine } from "../engine/Engine.ts"
import type * as FlowError from "../FlowError.ts"
import { Decision, Frame, type Run } from "../engine/Frame.ts"
import type { ChunkStep, Plan } from "../engine/Plan.ts"
import * as Plans from "../engine/Plan.ts"
import type { Command, Record } from "../engine/Record.ts"
import * as SubFlows from "../engine/SubFlows.ts"
import { attempt } from "../engine/UserCode.ts"
import type { FlowData } from "../Node.ts"
import * as Forms from "../saving/Forms.ts"
import * as Loading from "../saving/Loading.ts"
import type { Migration } from "../saving/Migration.ts"
import { eventOf } from "../engine/Telling.ts"
import * as Saving from "../saving/Saving.ts"
import type { Image, Snapshot } from "../saving/Snapshot.ts"
import { Reader } from "../saving/Values.ts"
import { JournalRecord, Opened } from "./JournalRecord.ts"

/**
 * Something that is in the way of reading a journal. `record`: which record, from 0; absent: its snapshot, or all of it.
 *
 * @category models
 */
export interface Unreadable {
  readonly why: FlowError.NotLoadable["why"]
  readonly issue: string
}

/** What was read. @category models */
export interface Folded {
  /** The execution as it stood. */
  readonly snapshot: Snapshot
  /** The engine that was folded, for what snapshots do not say. It does nothing. */
  readonly engine: Engine
  /** The snapshot is not what the records alone would give: it was migrated. */
  readonly migrated: boolean
}

/** Carries out of a fold what is wrong. */
class Wrong {
  readonly why: FlowError.NotLoadable["why"]
  readonly issue: string
  constructor(why: FlowError.NotLoadable["why"], issue: string) {
    this.why = why
    this.issue = issue
  }
}

const fail = (why: FlowError.NotLoadable["why"], issue: string): never => {
  throw new Wrong(why, issue)
}

const decodeRecord = Schema.decodeUnknownResult(JournalRecord)
const decodeOpened = Schema.decodeUnknownResult(Opened)

/** One machine that takes in again what it took in then. */
class Fold {
  readonly engine: Engine
  readonly children = new Map<number, Fold>()
  private readonly reader: Reader
  private readonly runs = new Map<number, Run>()
  private readonly listeners = new Map<number, ChunkStep>()
  /** It was restored, and its record to go on has not come. */
  private dormant: boolean

  constructor(engine: Engine, dormant: boolean) {
    this.engine = engine
    this.dormant = dormant
    this.reader = new Reader(Forms.of(engine.plan).codec)
  }

  /** Takes in a record; what the machine throws it has thrown then, and what followed is in the next records. */
  step(record: Record | undefined): void {
    const { machine } = this.engine
    if (record?._tag === "Resume") this.dormant = false
    attempt(() => {
      if (record === undefined) machine.fork()
      else machine.step(record)
    })
    const { commands } = machine
    machine.commands = []
    for (const command of commands) this.perform(command)
  }

  private perform(command: Command): void {
    const { engine } = this
    const event = eventOf(engine, command)
    if (event !== undefined) return engine.tell(event)
    switch (command._tag) {
      case "Child":
        return this.begin(command.frame, engine.childEngine(command.frame))
      case "StopChild": {
        const child = engine.children?.get(command.frame)
        if (child !== undefined) child.stopping = true
        return
      }
      case "Closed": {
        const { failure } = engine.machine
        engine.exit = failure === undefined ? Exit.void : Exit.failCause(failure)
        return
      }
    }
  }

  private begin(frame: Frame, engine: Engine, dormant = false): void {
    if (this.children.has(frame.id)) return
    this.children.set(frame.id, new Fold(engine, dormant))
    ;(this.engine.children ??= new Map()).set(frame, { frame, engine, stopping: false })
  }

  /** A sub-flow has ended. */
  private end(frame: Frame): void {
    const child = this.engine.children?.get(frame)
    for (const cause of child?.engine.machine.failures ?? []) this.engine.machine.failures.push(cause)
    this.engine.children?.delete(frame)
    this.children.delete(frame.id)
  }

  // ---------------------------------------------------------------------------------------------- reading

  private value(json: Json, at: string): unknown {
    const value = this.reader.read(json, at)
    this.readable()
    return value
  }

  private exit(json: Json, at: string): Exit.Exit<unknown, unknown> {
    const exit = this.reader.readExit(json, at)
    this.readable()
    return exit
  }

  private cause(json: Json, at: string): Cause.Cause<unknown> {
    const exit = this.exit(json, at)
    return Exit.isFailure(exit) ? exit.cause : Cause.empty
  }

  private readable(): void {
    const problem = this.reader.problems[0]
    if (problem !== undefined) fail("value", `${problem.at}: ${problem.issue}`)
  }

  private runOf(id: number): Run {
    const known = this.runs.get(id)
    if (known !== undefined) return known
    // New runs stand at the end; those that ended stay known, since records may come late.
    for (let run = this.engine.machine.runs.last; run !== undefined && !this.runs.has(run.id); run = run.before)
      this.runs.set(run.id, run)
    const run = this.runs.get(id) ?? [...this.engine.machine.runs].find((run) => run.id === id)
    return run ?? fail("value", `a record is about the run ${id}, which is not there`)
  }

  private childFrame(id: number): Frame {
    for (const frame of this.engine.machine.children ?? []) if (frame.id === id) return frame
    return fail("value", `a record is about the sub-flow ${id}, which is not there`)
  }

  /** The record as the machine takes it. */
  read(record: Exclude<JournalRecord, { readonly _tag: "Opened" }>): Record | undefined {
    const { machine } = this.engine
    switch (record._tag) {
      case "Forked":
        return undefined
      case "Start":
        this.engine.deadline = record.deadline
        return { _tag: "Start", input: this.value(record.input, "the input") }
      case "Signal": {
        const { mode, request, signal } = record
        const payload = this.value(record.payload, `the payload of ${signal}`)
        return { _tag: "Signal", signal, payload, ticket: 0, mode, request }
      }
      case "Write":
        return { _tag: "Write", writes: record.writes ?? [] }
      case "Emit": {
        const { key, mode, op, run, signal, writes } = record
        const payload = this.value(record.payload, `the payload of ${signal}`)
        return { _tag: "Emit", run: this.runOf(run), op, key, signal, payload, mode, writes }
      }
      case "EmitStopped":
        return { _tag: "EmitStopped", run: this.runOf(record.run), op: record.op }
      case "Commit":
        return { _tag: "Commit", run: this.runOf(record.run), writes: record.writes }
      case "Done": {
        const run = this.runOf(record.run)
        const output = this.value(record.output, `the output of "${run.step.node.name}"`)
        return { _tag: "Done", run, output, writes: record.writes }
      }
      case "Failed":
        return { _tag: "Failed", run: this.runOf(record.run), cause: this.cause(record.cause, "a failure") }
      case "Paused": {
        const { at, request, run, writes } = record
        const { expiresIn, id, interrupt, otherwise, payload, target } = request
        return {
          _tag: "Paused",
          run: this.runOf(run),
          request: {
            interrupt,
            id,
            payload: this.value(payload, `the question ${interrupt}`),
            target,
            expiresIn,
            otherwise:
              otherwise === undefined ? undefined : { value: this.value(otherwise, `the answer to ${interrupt}`) }
          },
          writes,
          at
        }
      }
      case "Asleep":
        return { _tag: "Asleep", run: this.runOf(record.run) }
      case "Awake":
        return { _tag: "Awake", run: this.runOf(record.run), op: record.op }
      case "Decided":
        return {
          _tag: "Decided",
          decision: this.decisionOf(record.frame),
          // By the writer.
          hits: this.exit(record.hits, "a condition") as Exit.Exit<ReadonlyArray<number>, unknown>
        }
      case "ChildEnded": {
        const frame = this.childFrame(record.frame)
        const exit = this.exit(record.exit, "what a sub-flow gives")
        this.end(frame)
        return { _tag: "ChildEnded", frame, exit: Exit.map(exit, (value) => ({ value, writes: record.writes })) }
      }
      case "Answer": {
        const { digest, id, interrupt, request } = record
        const value = this.value(record.value, `the answer to ${id}`)
        return { _tag: "Answer", interrupt, id, value, request, digest, ticket: 0 }
      }
      case "Expired":
        return record
      case "Slept":
        return { _tag: "Slept", frame: this.sleeper(record.frame) }
      case "Sleeping":
        return {
          _tag: "Sleeping",
          frame: this.sleeper(record.frame),
          // By the writer.
          until: this.exit(record.until, "until when a step sleeps") as Exit.Exit<number, unknown>
        }
      case "Bind":
      case "Unbind": {
        const { signal } = record
        return { _tag: record._tag, signal, step: this.listener(record.step, signal) }
      }
      case "Intervene": {
        const { author, id, json, target } = record
        return { _tag: "Intervene", id, json, author, target }
      }
      case "StopChild":
        return { _tag: "StopChild", frame: this.childFrame(record.frame), ticket: 0 }
      case "Close":
        return { _tag: "Close", pending: record.pending, ticket: 0 }
      case "AutoClose":
        // It counts only where the machine is idle, which a snapshot does not say.
        machine.idle = true
        return { _tag: "AutoClose", generation: machine.generation }
      case "Fail":
        return { _tag: "Fail", cause: this.cause(record.cause, "a failure") }
      case "SettleIntervention":
      case "Seal":
      case "Cancel":
      case "Resume":
        return record
    }
  }

  private decisionOf(frame: number): Decision {
    for (const decision of this.engine.machine.decisions ?? []) if (decision.frame.id === frame) return decision
    return fail("value", `a record is about the conditions of ${frame}, which is not there`)
  }

  /** A step that sleeps; one that was stopped before its record came is nowhere, and the record changes nothing. */
  private sleeper(id: number): Frame {
    const { sleepers } = this.engine.machine
    return sleepers?.drowsy.get(id) ?? sleepers?.asleep.get(id)?.frame ?? new Frame("operator", id, undefined, 0)
  }

  private listener(number: number, signal: string): ChunkStep {
    const known = this.listeners.get(number)
    if (known !== undefined) return known
    const step: ChunkStep = {
      id: -1,
      next: undefined,
      listeners: [],
      node: { kind: "chunk", name: `on ${signal}`, handler: () => Effect.void, settings: {} }
    }
    this.listeners.set(number, step)
    return step
  }

  // ---------------------------------------------------------------------------------------------- snapshots

  /** Goes on from a snapshot that was taken while handlers were at work: they are, as far as the records know. */
  revive(image: Image): void {
    const { machine } = this.engine
    const { permits } = machine
    const runs = new Map([...machine.runs].map((run) => [run.id, run]))
    const ops = new Map(image.frames.map(({ id, op }) => [id, op]))
    for (const { id, live } of image.runs) {
      const run = runs.get(id)
      if (run === undefined || live === undefined) continue
      run.state = live.state
      run.again = live.again === true
      if (live.state === "active") permits.has(run)
      for (let emit = run.emits; emit !== undefined; emit = emit.following) {
        const op = ops.get(emit.id)
        if (op === undefined) continue
        emit.op = op
        run.pending++
        ;(machine.awaited ??= new Map()).set(op, emit)
      }
    }
    // In the order in which they stand in line.
    for (const { id, live } of image.runs) {
      const run = runs.get(id)
      if (run !== undefined && (live?.state === "returning" || live?.state === "queued")) permits.want(run)
    }
    const { loaded } = machine
    for (const frame of loaded?.asking ?? [])
      if (frame.step?.node.kind === "match" || frame.step?.node.kind === "loop")
        // By its kind.
        (machine.decisions ??= new Set()).add(new Decision(-1, frame, frame.step as Decision["step"]))
    if (loaded !== undefined) machine.loaded = { ...loaded, runs: [], asking: [], children: [] }
    machine.commands = []
    for (const frame of loaded?.children ?? []) {
      ;(machine.children ??= new Set()).add(frame)
      const child = this.engine.children?.get(frame)
      const below = image.frames.find(({ id }) => id === frame.id)?.child
      const fold = this.children.get(frame.id)
      if (child !== undefined && below !== undefined && fold !== undefined) fold.revive(below)
    }
  }

  /** Adopts the sub-flows that the engine has restored. */
  adopt(): void {
    for (const { engine, frame } of this.engine.restoredChildren()) {
      this.begin(frame, engine, this.dormant)
      this.children.get(frame.id)?.adopt()
    }
  }

  /** Lets go on what was restored and would have gone on next. */
  wake(): void {
    if (this.dormant) this.step({ _tag: "Resume" })
    for (const child of this.children.values()) child.wake()
  }

  /**
   * Nothing is at work any more: what was being stopped has stopped, and sub-flows that have ended say so. True where
   * that has changed anything.
   */
  calm(): void {
    for (const child of this.children.values()) child.calm()
    for (;;) {
      const { engine } = this
      const { machine } = engine
      const ended = [...(engine.children?.values() ?? [])].find((child) => child.engine.exit !== undefined)
      if (ended !== undefined) {
        const exit = SubFlows.endOf(engine, ended, ended.engine.exit ?? Exit.void)
        this.end(ended.frame)
        this.step({ _tag: "ChildEnded", frame: ended.frame, exit })
        continue
      }
      const member = machine.stops === undefined ? undefined : [...machine.stops.members][0]
      if (member === undefined) return
      if ("input" in member) this.step({ _tag: "Failed", run: member, cause: Cause.interrupt() })
      else if (member instanceof Decision)
        this.step({ _tag: "Decided", decision: member, hits: Exit.failCause(Cause.interrupt()) })
      else {
        const child = this.children.get(member.id)
        if (child === undefined) return
        child.step({ _tag: "Cancel", reason: "the sub-flow was stopped" })
        child.calm()
        if (child.engine.exit === undefined) return
      }
    }
  }
}

/**
 * What a record was about: the machine that took it in, and the record as it was written and as it was taken.
 *
 * @category models
 */
export interface Happened {
  readonly engine: Engine | undefined
  readonly record: JournalRecord
  readonly read: Record | undefined
}

/** Follows a row of records, as far as an execution has come. */
class Follower {
  readonly flow: FlowData
  readonly context: Context.Context<never>
  readonly plan: Plan
  root: Fold | undefined = undefined
  /** Nothing was taken in since it was loaded from a snapshot. */
  fresh = false

  constructor(flow: FlowData, context: Context.Context<never>) {
    this.flow = flow
    this.context = context
    this.plan = Plans.of(flow)
  }

  load(snapshot: Snapshot): void {
    const loaded = Loading.engineOf(this.flow, snapshot, Loading.settingsOf(snapshot), this.context)
    if (Result.isFailure(loaded)) return fail(loaded.failure.why, loaded.failure.issue)
    const { engine } = loaded.success
    engine.stream.journaled = true
    this.root = new Fold(engine, snapshot.live !== true)
    this.root.adopt()
    this.fresh = snapshot.live !== true
    if (snapshot.live === true) this.root.revive(snapshot.execution)
  }

  /** As it stands, with nothing at work. */
  snapshot(): Snapshot {
    if (this.root === undefined) return fail("value", "it has neither a snapshot nor a first record")
    this.root.wake()
    this.root.calm()
    const written = Saving.write(this.root.engine, undefined, { stream: true })
    if (Result.isSuccess(written)) return written.success
    return fail("value", written.failure.map(({ at, issue }) => `${at}: ${issue}`).join("; "))
  }

  /** Takes in a record; gives what it was about. */
  follow(json: Json, opening: (opened: Json) => Snapshot): Happened | undefined {
    const opened = decodeOpened(json)
    if (Result.isSuccess(opened)) {
      this.load(opening(opened.success.opening))
      return { engine: undefined, record: opened.success, read: undefined }
    }
    const decoded = decodeRecord(json)
    if (Result.isFailure(decoded)) return fail("value", decoded.failure.message)
    const record = decoded.success
    if (record._tag === "Opened") return undefined
    // Another process has gone on from here.
    if (record._tag === "Resume" && record.path === undefined && !this.fresh) this.load(this.snapshot())
    let at = this.root ?? fail("value", "its first record is missing")
    for (const frame of "path" in record ? (record.path ?? []) : [])
      at = at.children.get(frame) ?? fail("value", `the sub-flow ${frame} is not there`)
    this.fresh = false
    const read = at.read(record)
    at.step(read)
    return { engine: at.engine, record, read }
  }
}

/**
 * Reads a journal for a flow, record by record. Its methods give what is wrong as a `Result`.
 *
 * @category models
 */
export class Reading {
  migrated = false
  private readonly follower: Follower
  private readonly examined: (json: Json) => Snapshot
  private place = -1

  constructor(flow: FlowData, context: Context.Context<never>, migrations: ReadonlyArray<Migration> = []) {
    this.follower = new Follower(flow, context)
    this.examined = (json) => {
      const { findings, snapshot } = Loading.examine(flow, json, context, migrations)
      const [first] = findings
      if (first !== undefined || snapshot === undefined) return fail(first?.why ?? "value", issuesOf(findings))
      if (fingerprintOf(json) !== snapshot.definition.fingerprint) this.migrated = true
      return snapshot
    }
  }

  private tried<A>(f: () => A): Result.Result<A, Unreadable> {
    try {
      return Result.succeed(f())
    } catch (wrong) {
      const at = this.place < 0 ? "" : `record ${this.place}: `
      if (wrong instanceof Wrong) return Result.fail({ why: wrong.why, issue: `${at}${wrong.issue}` })
      return Result.fail({ why: "value", issue: `${at}${String(wrong)}` })
    }
  }

  /** Begins at a snapshot. */
  load(snapshot: Json): Result.Result<void, Unreadable> {
    return this.tried(() => this.follower.load(this.examined(snapshot)))
  }

  /** Takes in the next record; gives what it was about. */
  take(record: Json): Result.Result<Happened | undefined, Unreadable> {
    this.place++
    return this.tried(() => this.follower.follow(record, this.examined))
  }

  /** The execution as it stands after the last record. Nothing is to be taken in after it. */
  end(): Result.Result<Folded, Unreadable> {
    return this.tried(() => {
      const snapshot = this.follower.snapshot()
      const engine = this.follower.root?.engine ?? fail("value", "it is empty")
      return { snapshot, engine, migrated: this.migrated }
    })
  }
}

/**
 * Reads a journal for a flow. `written.snapshot` is the newest snapshot, `written.records` are those behind it.
 *
 * @category conversions
 */
export const fold = (
  flow: FlowData,
  written: { readonly snapshot: Json | undefined; readonly records: ReadonlyArray<Json> },
  context: Context.Context<never>,
  migrations: ReadonlyArray<Migration> = []
): Result.Result<Folded, Unreadable> => {
  const reading = new Reading(flow, context, migrations)
  if (written.snapshot !== undefined) {
    const loaded = reading.load(written.snapshot)
    if (Result.isFailure(loaded)) return Result.fail(loaded.failure)
  }
  for (const json of written.records) {
    const taken = reading.take(json)
    if (Result.isFailure(taken)) return Result.fail(taken.failure)
  }
  return reading.end()
}

const issuesOf = (findings: ReadonlyArray<Loading.Finding>): string =>
  findings.length === 0 ? "it cannot be read" : findings.map(({ issue }) => issue).join("\n")

const decodeDefinition = Schema.decodeUnknownResult(
  Schema.Struct({ definition: Schema.Struct({ fingerprint: Schema.String }) })
)

const fingerprintOf = (json: Json): string | undefined => {
  const decoded = decodeDefinition(json)
  return Result.isSuccess(decoded) ? decoded.success.definition.fingerprint : undefined
}
