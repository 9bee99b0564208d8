/**
 * The core of an execution: a deterministic reducer. `step(record)` changes the state, which it owns, and adds what is to
 * be done to `commands`. It has no clock, no randomness, no input or output, and starts no fiber; the engine feeds it and
 * does what it says. The same records give the same commands.
 *
 * Threads move in a worklist, never by recursion, so that neither long chains nor deep trees grow the stack.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Json } from "effect/Schema"
import { Cells } from "./Cells.ts"
import * as FlowError from "../FlowError.ts"
import { type Decision, Frame, Run, Runs, type Waiting } from "./Frame.ts"
import type { Collectors, Gates } from "./Joins.ts"
import { Ledger } from "./Ledger.ts"
import * as Operators from "./Operators.ts"
import { Permits } from "./Permits.ts"
import type { ChunkStep, Plan, Step } from "./Plan.ts"
import * as Plans from "./Plan.ts"
import { Queue } from "./Queue.ts"
import * as Questions from "./Questions.ts"
import type { Command, Record, Writes } from "./Record.ts"
import * as Replay from "./Replay.ts"
import * as Signals from "./Signals.ts"
import * as Sleeping from "./Sleepers.ts"
import * as Stopping from "./Stopping.ts"

/**
 * How an execution behaves.
 *
 * @category models
 */
export interface Options {
  readonly executionId: string
  /** How many handlers may be at work at once. */
  readonly concurrency: number
  /** What a failure that nobody takes care of does: it fails the execution, or only ends its own chain. */
  readonly failures: "fail" | "continue"
  readonly maxEmitDepth: number
  /** Whether the outcomes of operations are kept while their handler runs, so that a saved run does not repeat them. */
  readonly recorded: boolean
}

/** A forked signal that has not started. @category models */
export interface Fork {
  readonly frame: Frame
  readonly signal: string
  readonly payload: unknown
}

type StopArgs = Parameters<typeof Stopping.stop> extends [Machine, ...infer Rest] ? Rest : never

type Work =
  | { readonly _tag: "go"; readonly body: Frame; readonly step: Step | undefined; readonly value: unknown }
  | { readonly _tag: "ended"; readonly frame: Frame }

/**
 * The state of one execution and how it changes.
 *
 * @category models
 */
export class Machine {
  readonly plan: Plan
  readonly options: Options
  readonly cells: Cells
  readonly permits: Permits
  lifecycle: "open" | "sealed" | "closed" = "open"
  /** How it ended, once it is closed. */
  ended: "completed" | "failed" | "cancelled" | undefined = undefined
  closing = false
  started = false
  result: Json | undefined = undefined
  /** A step has ended the execution, which stops what is left. */
  reached = false
  /** Why it failed, or was cancelled. */
  failure: Cause.Cause<unknown> | undefined = undefined
  /** Failures that ended their own chain only. */
  failures: Array<Cause.Cause<unknown>> = []
  /** What is to be done; the engine takes it away. */
  commands: Array<Command> = []

  readonly runs = new Runs()
  /** For each step whether it has ended (1), failed (2) or was stopped (4) at least once; only of executions that can be looked at. */
  passed: Uint8Array | undefined = undefined
  decisions: Set<Decision> | undefined = undefined
  children: Set<Frame> | undefined = undefined
  interrupts: Map<string, Waiting> | undefined = undefined
  /** Those of them that a signal answers, by its name. */
  answeredBy: Map<string, Set<Waiting>> | undefined = undefined
  /** How questions were answered, the newest last. */
  answered: Map<string, Questions.Answered> | undefined = undefined
  /** Answers that came before their question. */
  early: Map<string, Questions.Early> | undefined = undefined
  asked: Map<string, number> | undefined = undefined
  /** The requests that have brought signals from outside, the newest last: one that is sent again does nothing. */
  requests: Set<string> | undefined = undefined
  /** Absent until a step sleeps. */
  sleepers: Sleeping.Sleepers | undefined = undefined
  /** Absent until something is said from outside. */
  ledger: Ledger | undefined = undefined
  gates: Gates | undefined = undefined
  collectors: Collectors | undefined = undefined
  bindings: Map<string, Array<ChunkStep>> | undefined = undefined

  /** Signals that nothing inside waits for and that have not ended. */
  roots = 0
  /** How many of them belong to each signal from outside, where values may wait for each other. */
  scopes: Map<number, number> | undefined = undefined
  idle = false
  generation = 0
  ids = 0
  /** Threads that move; what is done is taken out of its place. */
  work: Array<Work | undefined> = []
  /** Forked signals stand in line behind everything else. */
  readonly forks = new Queue<Fork>()
  /** Awaited emits by their op, so that one can be stopped. */
  awaited: Map<number, Frame> | undefined = undefined
  stops: Stopping.Stops | undefined = undefined
  /** What goes on where the execution was loaded from a snapshot. */
  loaded: Replay.Loaded | undefined = undefined

  constructor(plan: Plan, options: Options) {
    this.plan = plan
    this.options = options
    this.cells = new Cells(plan.fields)
    this.permits = new Permits(options.concurrency, (run) => this.begin(run))
  }

  /** What people call the state that it is in. */
  get status(): "created" | "running" | "waiting" | "completed" | "failed" | "cancelled" {
    if (this.ended !== undefined) return this.ended
    if (!this.started) return "created"
    if (!this.waits) return "running"
    return this.atWork || (this.children !== undefined && this.children.size > 0) ? "running" : "waiting"
  }

  /** Whether something waits for an answer or for a time. */
  get waits(): boolean {
    return (
      (this.interrupts !== undefined && this.interrupts.size > 0) ||
      (this.sleepers !== undefined && this.sleepers.asleep.size > 0)
    )
  }

  /** Whether a handler or a condition is at work, apart from those that wait for what they have emitted. */
  get atWork(): boolean {
    for (const run of this.runs) if (run.state !== "paused" && run.state !== "lent") return true
    if (this.sleepers !== undefined && this.sleepers.drowsy.size > 0) return true
    return this.decisions !== undefined && this.decisions.size > 0
  }

  /** Whether it is closed, or everything in it is being stopped: nothing may start any more. */
  get ending(): boolean {
    return this.lifecycle === "closed" || this.stops?.places.get(undefined)?.told === true
  }

  /** Takes in what has happened. */
  step(record: Record): void {
    if (this.lifecycle === "closed") return this.late(record)
    this.apply(record)
    this.flow()
    this.settle()
  }

  /** Starts the forked signals that stand in line behind everything else; false where there are none. */
  fork(): boolean {
    const next = this.lifecycle === "closed" ? undefined : this.forks.shift()
    if (next === undefined) return false
    Signals.launchSignal(this, next.frame, next.signal, next.payload)
    this.flow()
    this.settle()
    return true
  }

  private late(record: Record): void {
    const status = this.ended ?? "cancelled"
    const refuse = (what: string) => this.fail(new FlowError.NotOpen({ lifecycle: "closed", what, status }))
    switch (record._tag) {
      case "Signal":
        return this.reply(record.ticket, refuse(`The signal "${record.signal}"`))
      case "Answer":
        // An answer that is sent again is told the same as before.
        if (this.answered?.has(record.id) === true) return Questions.answer(this, record)
        return this.reply(record.ticket, refuse(`The answer to "${record.id}"`))
      case "Close":
        return this.reply(record.ticket, Exit.void)
      case "StopChild":
        return this.reply(record.ticket, Exit.succeed(false))
    }
  }

  private apply(record: Record): void {
    switch (record._tag) {
      case "Start":
        return Signals.start(this, record.input)
      case "Signal":
        return Signals.signal(this, record)
      case "Write":
        this.idle = false
        return this.write(record.writes, undefined)
      case "Emit":
        return Signals.emit(this, record)
      case "EmitStopped":
        return Signals.emitStopped(this, record.run, record.op)
      case "Commit":
        // What a run writes that was told to stop counts for nothing.
        if (!record.run.stopping) this.writeOf(record.run, record.writes)
        return
      case "Done":
        return this.done(record.run, record.output, record.writes)
      case "Failed":
        return this.failed(record.run, record.cause)
      case "Paused":
        return Questions.paused(this, record)
      case "Asleep":
        // Each try has operations of its own.
        record.run.tries++
        if (record.run.again) Replay.forget(this, record.run)
        record.run.state = "asleep"
        return this.permits.release(record.run)
      case "Awake":
        return Signals.hold(this, { _tag: "Wake", run: record.run, op: record.op, exit: Exit.void })
      case "Decided":
        return Operators.decided(this, record.decision, record.hits)
      case "ChildEnded":
        return this.childEnded(record.frame, record.exit)
      case "Answer":
        return Questions.answer(this, record)
      case "Expired":
        return Questions.expired(this, record.id)
      case "Sleeping":
        return Sleeping.settled(this, record.frame, record.until)
      case "Slept":
        return Sleeping.awoken(this, record.frame)
      case "Bind": {
        const list = (this.bindings ??= new Map()).get(record.signal) ?? []
        this.bindings.set(record.signal, [...list, record.step])
        return
      }
      case "Unbind":
        this.bindings?.set(
          record.signal,
          (this.bindings.get(record.signal) ?? []).filter((step) => step !== record.step)
        )
        return
      case "Intervene":
        this.idle = false
        this.commands.push({ _tag: "Intervention", id: record.id, action: (this.ledger ??= new Ledger()).add(record) })
        return
      case "SettleIntervention":
        if (this.ledger?.settle(record.id, record.status) === true)
          this.commands.push({ _tag: "Intervention", id: record.id, action: "consume" })
        return
      case "StopChild":
        return this.stopChild(record.frame, record.ticket)
      case "Seal":
        if (this.lifecycle === "open") this.lifecycle = "sealed"
        // Whoever was told that it is idle is told again that nothing can come any more.
        this.idle = false
        return
      case "Close":
        return this.close(record.pending, record.ticket)
      case "AutoClose":
        if (this.idle && record.generation === this.generation) {
          this.lifecycle = "sealed"
          this.closing = true
        }
        return
      case "Cancel":
        return this.end("cancelled", this.fail(new FlowError.Cancelled({ reason: record.reason })).cause)
      case "Fail":
        return this.end("failed", record.cause)
      case "Resume":
        return this.resume()
    }
  }

  // ---------------------------------------------------------------------------------------------- threads

  go(body: Frame, step: Step | undefined, value: unknown): void {
    this.work.push({ _tag: "go", body, step, value })
  }

  /** Moves threads until each waits for something. */
  private flow(): void {
    let cursor = 0
    // What is added meanwhile stands at the end.
    while (cursor < this.work.length) {
      const work = this.work
      for (; cursor < work.length && work === this.work; cursor++) {
        const item = work[cursor]
        if (item === undefined) continue
        work[cursor] = undefined
        if (item._tag === "ended") this.closeFrame(item.frame)
        else this.enter(item.body, item.step, item.value)
      }
      if (work !== this.work) cursor = 0
    }
    if (cursor > 0) this.work = []
  }

  private enter(body: Frame, step: Step | undefined, value: unknown): void {
    if (step === undefined) {
      body.value = value
      return this.leave(body)
    }
    switch (step.node.kind) {
      case "chunk": {
        // The kind of the node tells the kind of the step.
        const chunk = step as ChunkStep
        this.ledger?.reach(chunk.node.name, this.commands)
        return this.run(new Run(this.ids++, chunk, body, value))
      }
      case "batch":
        return Operators.operator(
          this,
          body,
          step as Plans.BatchStep /* by kind */,
          value,
          (step as Plans.BatchStep) /* by kind */.bodies
        )
      case "forEach": {
        const items = Array.isArray(value) ? value : [value]
        return Operators.operator(this, body, step as Plans.ForEachStep /* by kind */, value, items)
      }
      case "match":
      case "loop": {
        const frame = new Frame("operator", this.ids++, body, 0)
        frame.step = step as Plans.MatchStep | Plans.LoopStep // by kind
        frame.value = value
        return Operators.decide(this, frame)
      }
      case "side": {
        const beside = new Frame("body", this.ids++, body, 0)
        body.live++
        beside.live = 1
        this.mark(step, 1)
        this.go(beside, (step as Plans.SideStep) /* by kind */.body, value)
        return this.go(body, step.next, value)
      }
      case "collect":
        Signals.collect(this, body, step.node, value)
        this.mark(step, 1)
        return this.go(body, step.next, value)
      case "subFlow": {
        const frame = new Frame("operator", this.ids++, body, 0)
        frame.step = step as Plans.PlainStep // by kind
        frame.value = value
        ;(this.children ??= new Set()).add(frame)
        this.commands.push({ _tag: "Child", frame })
        return
      }
      case "point":
        this.ledger?.reach(step.node.name, this.commands)
        this.mark(step, 1)
        return this.go(body, step.next, value)
      case "sleep":
        return Sleeping.begin(this, body, step as Plans.PlainStep /* by kind */, value)
      case "result": {
        const json = this.plan.result?.encode(value) ?? Result.succeed(undefined)
        if (Result.isFailure(json)) return Stopping.raise(this, body, this.violation("result", json.failure))
        this.result = json.success
        this.mark(step, 1)
        if (step.node.stop === true) return this.end("completed", Cause.empty)
        return this.go(body, step.next, value)
      }
    }
  }

  /** One thread of a container has ended. */
  leave(frame: Frame): void {
    if (--frame.live === 0) this.work.push({ _tag: "ended", frame })
  }

  drop(body: Frame): void {
    body.dropped = true
    this.leave(body)
  }

  /** Everything in a container has ended. */
  private closeFrame(frame: Frame): void {
    if (frame.kind === "signal") return Signals.signalEnded(this, frame)
    const parent = frame.parent
    if (parent === undefined) return
    if (frame.kind === "operator") return Operators.operatorEnded(this, frame, parent)
    if (parent.kind === "body") return this.leave(parent)
    if (parent.kind === "signal") {
      if (parent.results !== undefined && frame.slot >= 0 && !frame.dropped) parent.results[frame.slot] = frame.value
      return this.leave(parent)
    }
    Operators.bodyEnded(this, frame, parent)
  }

  // ---------------------------------------------------------------------------------------------- handlers

  run(run: Run): void {
    this.runs.add(run)
    this.permits.want(run)
  }

  begin(run: Run): void {
    const held = run.held
    run.held = undefined
    run.state = "active"
    this.commands.push(held ?? { _tag: "Run", run })
  }

  /** A question begins to wait. */
  addWaiting(waiting: Waiting): void {
    ;(this.interrupts ??= new Map<string, Waiting>()).set(waiting.id, waiting)
    if (typeof waiting.target !== "object") return
    const { signal } = waiting.target
    const others = (this.answeredBy ??= new Map<string, Set<Waiting>>()).get(signal) ?? new Set()
    this.answeredBy.set(signal, others.add(waiting))
  }

  /** A question waits no longer. */
  forgetWaiting(
    waiting: Waiting,
    how: Questions.Answered["how"],
    answered: Questions.Answered = { interrupt: waiting.interrupt, request: undefined, digest: "", how }
  ): void {
    this.interrupts?.delete(waiting.id)
    if (typeof waiting.target === "object") this.answeredBy?.get(waiting.target.signal)?.delete(waiting)
    Questions.remember(this, waiting.id, answered)
    this.commands.push({ _tag: "Answered", waiting })
  }

  /** A run has ended: it gives back what it held. */
  quit(run: Run): void {
    this.giveBack(run, this.leaveRuns(run))
  }

  private leaveRuns(run: Run): Run["state"] {
    const { state } = run
    run.state = "ended"
    this.runs.delete(run)
    return state
  }

  private giveBack(run: Run, state: Run["state"]): void {
    if (state === "active") this.permits.release(run)
    else this.permits.forget(run)
  }

  done(run: Run, output: unknown, writes: Writes): void {
    this.quit(run)
    if (Stopping.stopped(this, run, run.body, undefined)) return
    const left = run.again ? Replay.left(this, run) : undefined
    if (left !== undefined) return Stopping.raise(this, run.body, left)
    this.write(writes, run.body)
    this.complete(run, output)
  }

  complete({ step, body }: Run, output: unknown): void {
    this.mark(step, 1)
    if (step.listeners.length > 0) Signals.nested(this, body, step.node.name, step.listeners, output)
    this.go(body, step.next, output)
  }

  failed(run: Run, cause: Cause.Cause<unknown>): void {
    const state = this.leaveRuns(run)
    if (!Stopping.stopped(this, run, run.body, cause)) {
      if (run.again) Replay.forget(this, run)
      this.mark(run.step, 2)
      Stopping.raise(this, run.body, cause)
    }
    // Only now, or its permit would go to a run that its failure stops.
    this.giveBack(run, state)
  }

  /** Remembers that a step has ended (1), failed (2) or was stopped (4). */
  mark(step: Step | undefined, how: 1 | 2 | 4): void {
    if (!this.options.recorded || step === undefined || step.id < 0) return
    const passed = (this.passed ??= new Uint8Array(this.plan.steps.length))
    passed[step.id] = (passed[step.id] ?? 0) | how
  }

  /** What a run has written becomes visible while it goes on. */
  writeOf(run: Run, writes: Writes): void {
    if (writes === undefined) return
    run.applied += writes.length
    this.write(writes, run.body)
  }

  write(writes: Writes, body: Frame | undefined): void {
    if (writes === undefined) return
    for (const write of writes) {
      if (write._tag === "item") this.commands.push({ _tag: "Item", json: write.json })
      else if (write._tag === "result") this.result = write.json
      else if (this.cells.apply(write) && !write.silent) {
        const listeners = Plans.listeners(this.plan.states, write.key)
        if (listeners.length > 0) Signals.written(this, body, write.key, listeners)
      }
    }
  }

  // ---------------------------------------------------------------------------------------------- sub-flows

  childEnded(frame: Frame, exit: Extract<Record, { readonly _tag: "ChildEnded" }>["exit"]): void {
    if (this.children?.delete(frame) !== true) return
    if (Stopping.stopped(this, frame, frame, Exit.isFailure(exit) ? exit.cause : undefined)) return
    const body = frame.parent
    if (body === undefined) return
    this.mark(frame.step, Exit.isFailure(exit) ? 2 : 1)
    if (Exit.isFailure(exit)) return Stopping.raise(this, body, exit.cause)
    this.write(exit.value.writes, body)
    this.go(body, frame.step?.next, exit.value.value)
  }

  stopChild(frame: Frame, ticket: number): void {
    const body = frame.parent
    if (body === undefined || this.children?.has(frame) !== true || Stopping.stopping(this, frame))
      return this.reply(ticket, Exit.succeed(false))
    this.reply(ticket, Exit.succeed(true))
    // The chain behind a cancelled sub-flow goes no further.
    Stopping.stop(this, frame, Cause.empty, (all) => {
      if (all.reasons.length > 0) this.raiseFrom(body, all, body)
      else this.drop(body)
    })
  }

  // ---------------------------------------------------------------------------------------------- snapshots

  /** Lets everything go on that was loaded. */
  private resume(): void {
    const { loaded } = this
    if (loaded === undefined) return
    for (const run of loaded.runs) this.permits.want(run)
    for (const frame of loaded.asking) Operators.decide(this, frame)
    for (const frame of loaded.children) {
      ;(this.children ??= new Set()).add(frame)
      this.commands.push({ _tag: "Child", frame })
    }
    Sleeping.resume(this)
  }

  // ---------------------------------------------------------------------------------------------- failure

  // The parts of the machine reach each other through it, so that they need not import each other.

  stop(...args: StopArgs): void {
    Stopping.stop(this, ...args)
  }

  raiseFrom(from: Frame, cause: Cause.Cause<unknown>, thread: Frame | undefined): boolean {
    return Stopping.raiseFrom(this, from, cause, thread)
  }

  told(frame: Frame, run: Run, exit: Exit.Exit<unknown, unknown>): void {
    Signals.told(this, frame, run, exit)
  }

  rootEnded(frame: Frame): void {
    Signals.rootEnded(this, frame)
  }

  fail(reason: FlowError.Reason): Exit.Failure<never, FlowError.FlowError> {
    const error = new FlowError.FlowError({
      flow: this.plan.data.contract.name,
      execution: this.options.executionId,
      reason
    })
    // A failed Exit is a Failure.
    return Exit.fail(error) as Exit.Failure<never, FlowError.FlowError>
  }

  violation(part: string, issue: string): Cause.Cause<unknown> {
    return this.fail(new FlowError.ContractViolation({ part, issue })).cause
  }

  // ---------------------------------------------------------------------------------------------- lifecycle

  close(pending: "fail" | "cancel", ticket: number): void {
    if (pending === "fail" && this.interrupts !== undefined && this.interrupts.size > 0)
      return this.reply(ticket, this.fail(new FlowError.PendingInterrupts({ ids: [...this.interrupts.keys()] })))
    this.lifecycle = "sealed"
    this.closing = true
    this.reply(ticket, Exit.void)
    for (const one of this.interrupts?.values() ?? []) {
      this.forgetWaiting(one, "cancelled")
      this.mark(one.run.step, 4)
      this.quit(one.run)
      this.drop(one.run.body)
    }
    if (pending === "cancel") Sleeping.drop(this)
  }

  end(status: "completed" | "failed" | "cancelled", cause: Cause.Cause<unknown>): void {
    const ending = this.stops?.places.get(undefined)
    if (ending?.told === true) {
      // Who cancels what has reached its end only waits for it.
      if (status === "failed" || !this.reached) ending.cause = Cause.combine(ending.cause, cause)
      return
    }
    this.reached = status === "completed"
    this.closing = true
    this.lifecycle = "sealed"
    Stopping.stop(this, undefined, cause, (all) => {
      if (this.reached && all.reasons.length === 0) return this.finish("completed")
      this.failure = all
      // What goes wrong while the rest is stopped is a failure like any other.
      this.finish(status === "completed" ? "failed" : status)
    })
  }

  finish(status: "completed" | "failed" | "cancelled"): void {
    this.ended = status
    this.lifecycle = "closed"
    this.ledger?.expire(this.commands)
    this.commands.push({ _tag: "Closed" })
  }

  /** Whether nothing is left to do. */
  settle(): void {
    if (this.lifecycle === "closed" || this.roots > 0 || this.stops !== undefined) return
    if (this.interrupts !== undefined && this.interrupts.size > 0) return
    if (this.closing) return this.finish("completed")
    if (this.idle || !this.started) return
    this.idle = true
    this.commands.push({ _tag: "Idle", generation: ++this.generation })
  }

  reply(ticket: number, exit: Exit.Exit<unknown, unknown>): void {
    this.commands.push({ _tag: "Reply", ticket, exit })
  }
}
