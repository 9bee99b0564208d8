/**
 * The engine of an execution: it feeds the machine with what happens and does what the machine says. Every handler is a
 * fiber that the engine owns; when the execution closes, none is left.
 *
 * Records are taken in one after another, never nested: what handlers do while a record is worked on stands in line.
 * So neither deep emits nor long chains grow the stack. After a number of records the engine lets others run.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import { ask } from "./Conditions.ts"
import * as FlowError from "../FlowError.ts"
import type { Decision, Frame, Run, Waiting } from "./Frame.ts"
import { Handle, reader } from "./Handle.ts"
import * as Interrupt from "../Interrupt.ts"
import type { Journaling } from "./Journaling.ts"
import { Machine } from "./Machine.ts"
import type { SubFlowNode } from "../Node.ts"
import * as Plans from "./Plan.ts"
import type { Plan } from "./Plan.ts"
import type { Command, Record } from "./Record.ts"
import * as Restoring from "../saving/Restoring.ts"
import { listen } from "./SharedListener.ts"
import * as SleepTime from "./SleepTime.ts"
import * as SubFlows from "./SubFlows.ts"
import type { ExecutionTrace } from "../../../services/Telemetry.ts"
import * as Tracing from "./Tracing.ts"
import { Queue } from "./Queue.ts"
import { type Policy, RuntimeStream } from "./RuntimeStream.ts"
import type { Image } from "../saving/Snapshot.ts"
import { Timers } from "./Timers.ts"
import { attempt, call } from "./UserCode.ts"
import { Waiters } from "./Waiters.ts"
import type { Reader } from "../saving/Values.ts"

/**
 * How an execution is run.
 *
 * @category models
 */
export interface Settings {
  readonly executionId: string
  readonly concurrency: number
  readonly failures: "fail" | "continue"
  readonly maxEmitDepth: number
  readonly recorded: boolean
  /** After how many milliseconds of idleness it is closed; never where absent. */
  readonly autoClose: number | undefined
  /** A question fails the execution, since nobody could answer. */
  readonly failOnPause: boolean
  readonly timeout: number | undefined
  readonly idleTimeout: number | undefined
  readonly stream: Policy
  /** How many snapshots of it are to be kept. */
  readonly keepSnapshots: number
}

/** A record, or how it is made when its turn comes. */
type Entry = Record | { readonly _tag: "Later"; readonly make: () => Record | undefined; readonly then: () => void }

/** After how many records the engine lets other fibers run. */
const turn = 1024

type Resume = (exit: Exit.Exit<unknown, unknown>) => void

/**
 * One execution at work.
 *
 * @category models
 */
export class Engine {
  readonly plan: Plan
  readonly machine: Machine
  readonly settings: Settings
  readonly context: Context.Context<never>
  readonly stream: RuntimeStream
  readonly clock: Clock.Clock
  /** How it ended. */
  exit: Exit.Exit<void, unknown> | undefined = undefined
  children: Map<Frame, SubFlows.Child> | undefined = undefined
  /** When it was made, and when its time is over, in milliseconds since 1970. */
  createdAt: number
  deadline: number | undefined = undefined
  /** When something happened last, in milliseconds since 1970; kept where somebody asks. */
  last = 0
  /** Called with what a sub-flow tells its parent. */
  onEvent: ((event: Parameters<RuntimeStream["append"]>[0], path: ReadonlyArray<string>) => void) | undefined =
    undefined
  /** The frames of sub-flows that it stands in, outermost first, and their names in the runtime stream. */
  path: ReadonlyArray<number> = []
  names: ReadonlyArray<string> = []
  /** The execution that it is a part of; itself where it is none. */
  root: Engine = this
  outer: Engine | undefined // The execution that it is a sub-flow of.
  trace: ExecutionTrace | undefined
  /** Writes down what happens, where it is to outlive this process; kept by the root. */
  journal: Journaling | undefined = undefined
  readonly timers = new Timers(this)
  /** Called after each record, for checks. */
  onStep: ((record: Record | undefined, machine: Machine) => void) | undefined = undefined

  private quiet: Set<() => void> | undefined = undefined // Who waits for a moment in which nothing is half done.
  private readonly resting = new Waiters(() => this.isAtRest())
  private busy = false
  private restored: Map<Frame, Engine> | undefined = undefined
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  private readonly queue = new Queue<Entry>()
  private draining = false
  private crashed = false
  private dispatcher: Scheduler.SchedulerDispatcher | undefined = undefined
  /** Absent until a handler does not end at once. */
  private fibers: Map<Run, Fiber.Fiber<unknown, unknown>> | undefined = undefined
  private asking: Map<Decision, Fiber.Fiber<unknown, unknown>> | undefined = undefined
  private waiters: Map<number, Resume> | undefined = undefined
  private tickets: Map<number, Resume> | undefined = undefined
  private ops = 0
  private closed: Array<(exit: Exit.Exit<void, unknown>) => void> | undefined = undefined
  /** Why it was left in the middle, where it was. */
  private gone: Cause.Cause<unknown> | undefined = undefined

  constructor(plan: Plan, settings: Settings, context: Context.Context<never>) {
    this.plan = plan
    this.settings = settings
    this.context = context
    this.fork = Effect.runForkWith(context)
    this.clock = Context.get(context, Clock.Clock)
    this.stream = new RuntimeStream(settings.stream)
    this.machine = new Machine(plan, settings)
    this.createdAt = this.now()
    for (const [key, json] of Plans.initialOf(plan)) this.machine.cells.apply({ _tag: "set", key, json, silent: true })
  }

  /** Begins the execution; does nothing the second time. An input that the contract does not admit fails it. */
  start(input: unknown): void {
    if (this.machine.started || this.exit !== undefined) return
    this.trace = Tracing.open(this, false)
    const issue = this.plan.input.misfit(input)
    if (issue !== undefined)
      return this.submit({
        _tag: "Fail",
        cause: this.error(new FlowError.ContractViolation({ part: "input", issue }))
      })
    const { timeout } = this.settings
    if (timeout !== undefined) this.deadline = this.now() + timeout
    this.begins()
    this.submit({ _tag: "Start", input })
  }

  /** Begins to count the time that it may take, and to listen to what executions share. */
  private begins(): void {
    const { timeout, idleTimeout } = this.settings
    if (this.deadline !== undefined) {
      const left = Math.max(0, this.deadline - this.now())
      // One that was loaded knows when its time is over, and when it was made.
      const limit = timeout ?? this.deadline - this.createdAt
      const cause = this.error(new FlowError.ExecutionTimeout({ kind: "run", limit }))
      this.timers.after(left, { _tag: "Fail", cause })
    }
    if (idleTimeout !== undefined) {
      this.last = this.now()
      this.timers.own(this.timers.watch(idleTimeout))
    }
    if (this.plan.shared.size > 0) this.timers.own(listen(this))
  }

  // ---------------------------------------------------------------------------------------------- snapshots

  /** Gives what `take` gives at a moment in which everything is between two records and nothing is being stopped. */
  whenQuiet<A>(take: () => A): Effect.Effect<A> {
    return Effect.callback<A>((resume) => {
      const settle = () => resume(attempt(take) as Exit.Exit<A>) // `take` throws only what is a defect.
      // What was handed in before is taken in first.
      this.submit({
        _tag: "Later",
        make: () => undefined,
        then: () => {
          ;(this.quiet ??= new Set()).add(settle)
          this.settleQuiet()
        }
      })
      return Effect.sync(() => this.quiet?.delete(settle))
    })
  }

  /** Waits until nothing is at work: all that is left waits for answers, or it has closed. */
  get rest(): Effect.Effect<void> {
    return this.resting.wait((settle) => this.onClosed(settle))
  }

  /** Whether nothing is at work: all that is left waits, or it has closed. */
  isAtRest(): boolean {
    const { children, machine } = this
    if (this.exit !== undefined) return true
    if (this.busy || !machine.started || machine.atWork || this.root.journal?.isIdle() === false) return false
    let waits = machine.waits
    for (const child of children?.values() ?? []) {
      if (!child.engine.isAtRest()) return false
      waits = true
    }
    return waits
  }

  private settleQuiet(): void {
    const { quiet } = this
    if (quiet === undefined || !this.isQuiet()) return
    this.quiet = undefined
    for (const settle of quiet) settle()
  }

  /** Whether nothing is half done: no command is being carried out and nothing is being stopped. */
  isQuiet(): boolean {
    const { machine } = this
    if (this.busy || machine.stops !== undefined) return false
    for (const frame of machine.children ?? []) {
      const child = this.children?.get(frame)
      // A sub-flow that has ended is about to say so.
      if (child === undefined || child.engine.exit !== undefined || !child.engine.isQuiet()) return false
    }
    return true
  }

  /** Becomes what a snapshot says, sub-flows included; nothing moves before `resume`. */
  restore(image: Image, reader: Reader): void {
    const { children } = Restoring.restore(this.machine, image, reader)
    for (const [frame, child] of children) {
      const engine = this.childEngine(frame)
      engine.restore(child, Restoring.readerOf(engine.plan, reader))
      ;(this.restored ??= new Map()).set(frame, engine)
    }
    const { ended, failure } = this.machine
    if (ended === undefined) return
    this.exit = failure === undefined ? Exit.void : Exit.failCause(failure)
    this.stream.end(this.exit)
  }

  /** The sub-flows that were restored and have not gone on. */
  restoredChildren(): ReadonlyArray<{ readonly frame: Frame; readonly engine: Engine }> {
    return [...(this.restored ?? [])].map(([frame, engine]) => ({ frame, engine }))
  }

  /** Lets go on what was restored. */
  resume(): void {
    if (!this.machine.started || this.exit !== undefined) return
    this.trace = Tracing.open(this, true)
    this.begins()
    for (const { expires, id } of this.machine.interrupts?.values() ?? []) this.timers.expire(id, expires)
    this.submit({ _tag: "Resume" })
  }

  now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  /** Whether handlers or conditions are at work, apart from those that wait for what they have emitted. */
  get isBusy(): boolean {
    if (this.asking !== undefined && this.asking.size > 0) return true
    for (const run of this.fibers?.keys() ?? []) if (run.state === "active") return true
    return false
  }

  /** A failure of the execution itself. */
  error(reason: FlowError.Reason): Cause.Cause<FlowError.FlowError> {
    return Cause.fail(
      new FlowError.FlowError({ flow: this.plan.data.contract.name, execution: this.settings.executionId, reason })
    )
  }

  // ---------------------------------------------------------------------------------------------- records

  /** Takes in a record, now or in its turn. */
  submit(entry: Entry): void {
    this.queue.push(entry)
    if (!this.draining) this.drain()
  }

  /** Takes in a record, but not before whoever calls has gone on. */
  submitLater(entry: Entry): void {
    this.queue.push(entry)
    if (!this.draining) this.yield()
  }

  private drain(): void {
    try {
      this.work()
    } catch (defect) {
      this.crash(defect)
    }
  }

  /** Something of the user's threw in the middle of a step (a Schema that cannot read what it wrote): everything ends. */
  private crash(defect: unknown): void {
    const again = this.crashed
    this.crashed = true
    this.draining = false
    if (!again) return this.submit({ _tag: "Fail", cause: Cause.die(defect) })
    for (const fiber of this.fibers?.values() ?? []) fiber.interruptUnsafe()
    this.machine.failure = Cause.die(defect)
    this.machine.ended = "failed"
    this.machine.lifecycle = "closed"
    if (this.exit === undefined) this.finish()
  }

  private work(): void {
    this.draining = true
    let left = turn
    while (true) {
      const entry = this.queue.shift()
      if (entry !== undefined) this.take(entry)
      else if (!this.forked()) break
      if (--left === 0) return this.yield()
    }
    this.draining = false
    this.root.journal?.flush()
  }

  private forked(): boolean {
    const { journal } = this.root
    if (journal !== undefined) return journal.fork(this)
    if (!this.machine.fork()) return false
    this.perform(undefined, this.machine.commands)
    return true
  }

  private yield(): void {
    this.draining = true
    this.dispatcher ??= Context.get(this.context, Scheduler.Scheduler).makeDispatcher()
    this.dispatcher.scheduleTask(() => this.drain(), 0)
  }

  private take(entry: Entry): void {
    const { root } = this
    if (root.settings.idleTimeout !== undefined) root.last = root.now()
    const later = entry._tag === "Later" ? entry : undefined
    const record = entry._tag === "Later" ? entry.make() : entry
    if (root.journal !== undefined) return root.journal.take(this, record, later?.then)
    if (record !== undefined) {
      this.machine.step(record)
      this.perform(record, this.machine.commands)
    }
    later?.then()
  }

  /** Does what the machine has said. */
  perform(record: Record | undefined, commands: ReadonlyArray<Command>): void {
    if (commands.length > 0) {
      if (commands === this.machine.commands) this.machine.commands = []
      this.busy = true
      for (const command of commands) this.execute(command)
      this.busy = false
    }
    this.onStep?.(record, this.machine)
    if (this.root.quiet !== undefined) this.root.settleQuiet()
    this.root.resting.settle()
  }

  private execute(command: Command): void {
    switch (command._tag) {
      case "Run":
        return this.begin(command.run)
      case "Stop":
        return this.interrupt(command.run)
      case "Wake":
        return this.wake(command.op, command.exit)
      case "Decide":
        return this.decide(command.decision)
      case "StopDecision":
        this.asking?.get(command.decision)?.interruptUnsafe()
        return
      case "Child":
        return this.child(command.frame)
      case "StopChild": {
        const child = this.children?.get(command.frame)
        if (child === undefined) return
        child.stopping = true
        return child.engine.submit({ _tag: "Cancel", reason: "the sub-flow was stopped" })
      }
      case "Reply": {
        const resume = this.tickets?.get(command.ticket)
        this.tickets?.delete(command.ticket)
        resume?.(command.exit)
        return
      }
      case "Sleep":
        return this.submit({ _tag: "Sleeping", frame: command.frame, until: SleepTime.ask(this, command.frame) })
      case "Alarm":
        return this.timers.alarm()
      case "Item":
        return this.tell({ _tag: "item", json: command.json, volatile: false })
      case "Waiting":
        return this.ask(command.waiting)
      case "Answered":
        this.timers.forget(command.waiting.id)
        return this.tell({ _tag: "answered", id: command.waiting.id, interrupt: command.waiting.interrupt })
      case "Intervention":
        return this.tell({ _tag: "intervention", id: command.id, action: command.action })
      case "Idle":
        return this.timers.close(command.generation)
      case "Closed":
        return this.finish()
    }
  }

  /** Puts an event into the runtime stream, and into that of the parent. */
  tell(event: Parameters<RuntimeStream["append"]>[0], path: ReadonlyArray<string> = []): void {
    this.stream.append(event, path)
    this.onEvent?.(event, path)
  }

  // ---------------------------------------------------------------------------------------------- handlers

  private begin(run: Run): void {
    const handle = new Handle(this, run)
    // A Scope of its own. It is closed here and not by `Effect.scoped`, which would cost each hop a third more.
    const scope = Scope.makeUnsafe()
    const effect = handle.effect(run.step.node.handler, run.step.node.settings)
    const fiber = Effect.runForkWith(Context.add(this.context, Scope.Scope, scope))(
      Tracing.step(this.trace, run, effect)
    )
    fiber.addObserver((exit) => {
      this.fibers?.delete(run)
      const closing = Scope.closeUnsafe(scope, exit)
      if (closing === undefined) return this.ended(run, handle, exit)
      this.timers.own(Effect.uninterruptible(closing)).addObserver((closed) => {
        if (Exit.isSuccess(closed)) return this.ended(run, handle, exit)
        const before = Exit.isFailure(exit) ? exit.cause : Cause.empty
        this.ended(run, handle, Exit.failCause(Cause.combine(before, closed.cause)))
      })
    })
    if (fiber.pollUnsafe() === undefined) (this.fibers ??= new Map()).set(run, fiber)
  }

  private ended(run: Run, handle: Handle, exit: Exit.Exit<unknown, unknown>): void {
    handle.closed = true
    if (!handle.outlived) return this.settle(run, handle, exit)
    this.fork(handle.stopOutlived).addObserver(() => this.settle(run, handle, exit))
  }

  private settle(run: Run, handle: Handle, exit: Exit.Exit<unknown, unknown>): void {
    if (Exit.isFailure(exit)) return this.submit({ _tag: "Failed", run, cause: exit.cause })
    const output = exit.value
    const { paused: interrupt } = handle
    if (!Interrupt.isPause(output) && interrupt !== undefined) {
      const cause = this.error(new FlowError.PauseNotReturned({ chunk: handle.chunk, interrupt }))
      return this.submit({ _tag: "Failed", run, cause })
    }
    const writes = handle.take()
    if (!Interrupt.isPause(output)) return this.submit({ _tag: "Done", run, output, writes })
    this.submit({ _tag: "Paused", run, request: output.request, writes, at: this.now() })
  }

  private interrupt(run: Run): void {
    const fiber = this.fibers?.get(run)
    if (fiber !== undefined) fiber.interruptUnsafe()
    // It was to begin in the step that broke.
    else if (this.crashed) this.submit({ _tag: "Failed", run, cause: Cause.interrupt() })
  }

  /** A number under which a handler waits. */
  op(resume: Resume): number {
    const op = ++this.ops
    ;(this.waiters ??= new Map()).set(op, resume)
    return op
  }

  /** Stops what an emit has started, and waits until it has. */
  stopEmit(handle: Handle, op: number): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      // It was left: nobody stops anything any more.
      if (this.exit !== undefined) return resume(Effect.void)
      this.waiters?.delete(op)
      ;(this.waiters ??= new Map()).set(-op, () => {
        handle.waited()
        resume(Effect.void)
      })
      this.submit({ _tag: "EmitStopped", run: handle.run, op })
    })
  }

  /** Stops all that a handler has emitted and waits for; whoever waits is then told. */
  stopEmits(run: Run, told: Exit.Exit<unknown, unknown>): void {
    const stop = () => {
      const ops: Array<number> = []
      for (let emit = run.emits; emit !== undefined; emit = emit.following) ops.push(emit.op)
      for (const op of ops.sort((a, b) => a - b)) {
        const resume = this.waiters?.get(op)
        if (resume === undefined) continue
        this.waiters?.delete(op)
        this.waiters?.set(-op, () => resume(told))
        this.submit({ _tag: "EmitStopped", run, op })
      }
    }
    // Behind the emits that stand in line.
    this.submit({ _tag: "Later", make: () => undefined, then: stop })
  }

  private wake(op: number, exit: Exit.Exit<unknown, unknown>): void {
    const resume = this.waiters?.get(op)
    this.waiters?.delete(op)
    resume?.(exit)
  }

  // ---------------------------------------------------------------------------------------------- conditions

  private decide(decision: Decision): void {
    const done = (hits: Exit.Exit<ReadonlyArray<number>, unknown>) => this.submit({ _tag: "Decided", decision, hits })
    const asked = ask(decision, reader(this))
    if (!Effect.isEffect(asked)) return done(asked)
    // What handlers need is in the context that the execution was opened with.
    const fiber = this.fork(asked as Effect.Effect<ReadonlyArray<number>, unknown>)
    fiber.addObserver((exit) => {
      this.asking?.delete(decision)
      done(exit)
    })
    if (fiber.pollUnsafe() === undefined) (this.asking ??= new Map()).set(decision, fiber)
  }

  // ---------------------------------------------------------------------------------------------- sub-flows

  private child(frame: Frame): void {
    const node = frame.step?.node as SubFlowNode // Only a sub-flow asks for a child.
    const before = this.restored?.get(frame)
    this.restored?.delete(frame)
    // One that was written down before its start begins anew.
    const restored = before?.machine.started === true ? before : undefined
    const ended = (exit: Extract<Record, { readonly _tag: "ChildEnded" }>["exit"]) => {
      this.children?.delete(frame)
      this.submit({ _tag: "ChildEnded", frame, exit })
    }
    const input =
      restored !== undefined
        ? Exit.void
        : attempt(() =>
            node.capture === undefined ? frame.value : call(node.capture, frame.value, this.machine.cells.all())
          )
    if (Exit.isFailure(input)) return ended(Exit.failCause(input.cause))
    const engine = restored ?? this.childEngine(frame)
    engine.onStep = this.onStep
    const child: SubFlows.Child = { frame, engine, stopping: false }
    ;(this.children ??= new Map()).set(frame, child)
    engine.onClosed((exit: Exit.Exit<void, unknown>) => {
      for (const cause of engine.machine.failures) this.machine.failures.push(cause)
      ended(SubFlows.endOf(this, child, exit))
    })
    if (restored === undefined) engine.start(input.value)
    else engine.resume()
  }

  /** The engine of a sub-flow that has not begun. */
  childEngine(frame: Frame): Engine {
    const node = frame.step?.node as SubFlowNode // Only a sub-flow has a child.
    const plan = Plans.of(node.flow)
    const id = `${this.settings.executionId}/${node.name ?? plan.data.contract.name}#${frame.id}`
    const settings: Settings = {
      ...this.settings,
      executionId: id,
      autoClose: 0,
      timeout: undefined,
      idleTimeout: undefined,
      stream: { _tag: "sliding", capacity: 1 }
    }
    const engine = new Engine(plan, settings, this.context)
    engine.root = this.root
    engine.outer = this
    engine.path = [...this.path, frame.id]
    engine.names = [...this.names, id]
    engine.onEvent = (event, path) => this.tell(event, [id, ...path])
    return engine
  }

  // ---------------------------------------------------------------------------------------------- outside

  /** Waits for the answer to a record that carries a ticket. */
  request<A>(make: (ticket: number) => Record): Effect.Effect<A, unknown> {
    return Effect.callback<A, unknown>((resume) => {
      // Its machine is not closed and would take it, but nobody would ever be told.
      if (this.gone !== undefined) return resume(Exit.failCause(this.gone))
      const ticket = ++this.ops
      const told = (exit: Exit.Exit<unknown, unknown>): void => {
        // What comes back under a ticket has the type that the record asks for.
        resume(exit as Exit.Exit<A, unknown>)
      }
      ;(this.tickets ??= new Map()).set(ticket, told)
      this.submit(make(ticket))
      return Effect.sync(() => this.tickets?.delete(ticket))
    })
  }

  /** Calls back when the execution is closed. */
  onClosed(then: (exit: Exit.Exit<void, unknown>) => void): void {
    if (this.exit !== undefined) then(this.exit)
    else (this.closed ??= []).push(then)
  }

  /** Waits until the execution is closed; gives how. */
  get awaitClosed(): Effect.Effect<void, unknown> {
    return Effect.callback<void, unknown>((resume) => {
      this.onClosed(resume)
      return Effect.sync(() => {
        this.closed = this.closed?.filter((then) => then !== resume)
      })
    })
  }

  /** Cancels the execution and waits until nothing of it is left. */
  shutdown(reason: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.exit === undefined) this.submit({ _tag: "Cancel", reason })
      return Effect.ignoreCause(this.awaitClosed)
    })
  }

  /**
   * Leaves everything as it is: nothing is told to the machine any more, handlers are interrupted, and whoever waits is
   * told why. Gives when nothing is at work.
   */
  abandon(cause: Cause.Cause<unknown>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const children = [...(this.children?.values() ?? [])]
      const fibers = [...(this.fibers?.values() ?? []), ...(this.asking?.values() ?? [])]
      if (this.exit === undefined) {
        this.gone = cause
        this.leave(Exit.failCause(cause), cause)
      }
      for (const [op, resume] of this.waiters ?? []) if (op < 0) resume(Exit.void)
      for (const fiber of fibers) fiber.interruptUnsafe()
      const below = Effect.forEach(children, ({ engine }) => engine.abandon(cause), { discard: true })
      // What closes the Scopes of handlers is a fiber of the engine's own.
      const left = Effect.suspend(() => Fiber.awaitAll(this.timers.stop()))
      return Effect.andThen(Effect.andThen(below, Fiber.awaitAll(fibers)), Effect.asVoid(left))
    })
  }

  snapshot(): {
    readonly executionId: string
    readonly status: "completed" | "failed" | "cancelled"
    readonly state: Readonly<Record_>
    readonly result: Option.Option<unknown>
  } {
    const { ended, result, cells } = this.machine
    return {
      executionId: this.settings.executionId,
      status: ended ?? "cancelled",
      state: cells.all(),
      result:
        result === undefined || this.plan.result === undefined
          ? Option.none()
          : Option.some(Result.getOrThrow(this.plan.result.decode(result)))
    }
  }

  // ---------------------------------------------------------------------------------------------- questions, time, end

  private ask(waiting: Waiting): void {
    const { id, interrupt, payload, expires } = waiting
    const json = this.plan.codecs.interrupts.get(interrupt)?.payload.encode(payload)
    // `run.pause` has refused what has no encoding.
    this.tell({ _tag: "interrupt", id, interrupt, payload, json: json?._tag === "Success" ? json.success : null })
    if (this.settings.failOnPause)
      return this.submit({ _tag: "Fail", cause: this.error(new FlowError.Paused({ interrupt, id })) })
    this.timers.expire(id, expires)
  }

  private finish(): void {
    const { failure } = this.machine
    const exit = failure === undefined ? Exit.void : Exit.failCause(failure)
    const refused =
      failure ??
      this.error(
        new FlowError.NotOpen({
          lifecycle: "closed",
          what: "The request",
          ...(this.machine.ended === undefined ? {} : { status: this.machine.ended })
        })
      )
    this.leave(exit, refused)
  }

  /** Tells everybody that it is over. */
  private leave(exit: Exit.Exit<void, unknown>, refused: Cause.Cause<unknown>): void {
    this.exit = exit
    if (this.trace !== undefined) Tracing.end(this.trace, this, exit)
    this.stream.end(exit)
    const tickets = this.tickets
    this.tickets = undefined
    if (tickets !== undefined) for (const resume of tickets.values()) resume(Exit.failCause(refused))
    const closed = this.closed
    this.closed = undefined
    for (const then of closed ?? []) then(exit)
    this.timers.stop()
  }
}

type Record_ = { readonly [key: string]: unknown }
