/**
 * Executions: one run of a flow, as those outside see it. They send signals, answer questions, read the runtime stream
 * and the state, and close it.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Closed } from "./Closed.ts"
import * as Check from "./definition/Check.ts"
import type { Finding } from "./definition/Check.ts"
import type * as Codec from "./engine/Codec.ts"
import * as Digest from "./saving/Digest.ts"
import { type Child, Engine, type Settings } from "./engine/Engine.ts"
import type { Flow } from "./Flow.ts"
import * as FlowError from "./FlowError.ts"
import { bind, interventionsOf } from "./engine/Handle.ts"
import type { FlowData } from "./Node.ts"
import type * as Interrupt from "./Interrupt.ts"
import type { Machine } from "./engine/Machine.ts"
import type { Status } from "./definition/Mermaid.ts"
import * as Plan from "./engine/Plan.ts"
import { statusOf } from "./engine/Progress.ts"
import type { Record, Written } from "./engine/Record.ts"
import type { Intervention, State, WriteOptions } from "./Run.ts"
import type { Entry, Policy } from "./engine/RuntimeStream.ts"
import * as Saving from "./saving/Saving.ts"
import type * as Signal from "./Signal.ts"
import type { Snapshot } from "./saving/Snapshot.ts"
import { attempt } from "./engine/UserCode.ts"
import type { Spec } from "./Spec.ts"

/**
 * How an execution is run. All of it may be absent.
 *
 * @category models
 */
export interface Options {
  /** Its id. Default: a random one. */
  readonly id?: string | undefined
  /** How many handlers may be at work at once. Default: no limit. */
  readonly concurrency?: number | undefined
  /**
   * What a failure that nobody takes care of does: `fail` (default) fails the execution; `continue` ends its own chain
   * only, and is kept in `failures`.
   */
  readonly failures?: "fail" | "continue" | undefined
  /** How deep awaited emits may stand inside each other. Default 1,000. */
  readonly maxEmitDepth?: number | undefined
  /** After how much idleness it is closed; never while it waits for an answer. Default 10 s; `false`: not at all. */
  readonly autoClose?: Duration.Input | false | undefined
  /** How long it may take as a whole. Default: no limit. */
  readonly timeout?: Duration.Input | undefined
  /** How long it may go without anything happening. Default: no limit. */
  readonly idleTimeout?: Duration.Input | undefined
  /** How many snapshots of it a store keeps. Default 3. */
  readonly keepSnapshots?: number | undefined
  /** What the runtime stream does where readers are slow. Default: it keeps everything. */
  readonly stream?: Policy | undefined
  /** Called after each step of the engine, for checks and displays. It may change nothing. */
  readonly onStep?: ((record: Record | undefined, machine: Machine) => void) | undefined
}

/**
 * A question that waits for its answer.
 *
 * @category models
 */
export interface Pending {
  /** The id to answer to. Questions of sub-flows have the id of the sub-flow before it. */
  readonly id: string
  readonly interrupt: string
  readonly payload: unknown
  /** The chunk that asked. */
  readonly chunk: string
  /** When it was asked and when it expires, in milliseconds since 1970. */
  readonly at: number
  readonly expires: number | undefined
}

/**
 * What the runtime stream says besides items.
 *
 * @category models
 */
export type StreamEntry<Item> = Omit<Entry, "event"> & {
  readonly event:
    | { readonly _tag: "item"; readonly item: Item; readonly volatile: boolean }
    | Exclude<Entry["event"], { readonly _tag: "item" }>
}

/**
 * A sub-flow at work.
 *
 * @category models
 */
export interface SubFlow {
  /** Its id: that of its parent, and its name and number. */
  readonly id: string
  readonly name: string
  readonly status: "running" | "waiting" | "cancelling"
}

/**
 * One run of a flow.
 *
 * @category models
 */
export interface Execution<C extends Spec, out E> {
  readonly id: string
  readonly flow: string
  /** Starts it with the input that it was opened with. Does nothing the second time. */
  readonly start: Effect.Effect<void>
  readonly status: Effect.Effect<Machine["status"]>
  readonly lifecycle: Effect.Effect<Machine["lifecycle"]>
  /** Sends a signal and waits until everything that it starts has ended; gives the replies. */
  emit<S extends C["signals"]>(
    signal: S,
    payload: Signal.Payload<S>
  ): Effect.Effect<Signal.Replies<S>, E | FlowError.FlowError>
  /** Sends a signal and waits; its failure is given and fails nobody. */
  emitExit<S extends C["signals"]>(
    signal: S,
    payload: Signal.Payload<S>
  ): Effect.Effect<Exit.Exit<Signal.Replies<S>, E | FlowError.FlowError>, FlowError.FlowError>
  /** Sends a signal; gives as soon as it is accepted. */
  emitFork<S extends C["signals"]>(signal: S, payload: Signal.Payload<S>): Effect.Effect<void, FlowError.FlowError>
  /** Lets a handler listen to a signal for as long as the Scope is open. */
  on<S extends C["signals"], R>(
    signal: S,
    handler: (payload: Signal.Payload<S>) => Effect.Effect<unknown, never, R>
  ): Effect.Effect<void, never, R | Scope.Scope>
  /** The state. From outside, writes are refused once it is closed. */
  readonly state: State<C["state"], FlowError.FlowError>
  /** Puts an item into the runtime stream. Waits where its policy says so; refused once it is closed. */
  put(item: C["item"]): Effect.Effect<void, FlowError.FlowError>
  /** Items from the start on, those of sub-flows with the same Schema included, until the execution closes. */
  readonly stream: Stream.Stream<C["item"], E | FlowError.FlowError>
  /** Everything that the runtime stream says, from a cursor on (default 0). */
  entries(from?: number): Stream.Stream<StreamEntry<C["item"]>, E | FlowError.FlowError>
  /** The questions that wait for an answer, those of sub-flows included, oldest first. */
  readonly interrupts: Effect.Effect<ReadonlyArray<Pending>>
  /**
   * Answers a question. `requestId` makes it idempotent: the same answer under the same id may be sent again. An answer
   * may come before its question.
   */
  answer<I extends C["interrupts"]>(
    interrupt: I,
    value: Interrupt.Resume<I>,
    options: { readonly id: string; readonly requestId?: string | undefined }
  ): Effect.Effect<void, FlowError.FlowError>
  /** Answers a question by its id alone, a sub-flow's too, with the answer as JSON. */
  answerJson(
    id: string,
    json: unknown,
    options?: { readonly requestId?: string | undefined }
  ): Effect.Effect<void, FlowError.FlowError>
  /** Says something to the handlers of this execution; gives the id of what was said. */
  intervene(
    payload: C["intervention"],
    options?: {
      readonly id?: string | undefined
      readonly author?: string | undefined
      readonly target?: string | undefined
    }
  ): Effect.Effect<string, FlowError.FlowError>
  readonly interventions: Effect.Effect<ReadonlyArray<Intervention<C["intervention"]>>>
  /** The sub-flows at work. */
  readonly subFlows: Effect.Effect<ReadonlyArray<SubFlow>>
  /** Sends a signal, as JSON, to a sub-flow at work, and waits until everything that it starts has ended. */
  emitToSubFlow(id: string, signal: string, json: unknown): Effect.Effect<void, E | FlowError.FlowError>
  /** Stops a sub-flow: its chain goes no further, nothing is written back. True for the one call that did it. */
  cancelSubFlow(id: string): Effect.Effect<boolean>
  /**
   * How far each step has come, by its key; steps that were not reached are absent. For
   * `Mermaid.toMermaid(flow, { status })`.
   */
  readonly steps: Effect.Effect<ReadonlyMap<string, Status>>
  /** Refuses signals from outside from now on; what is at work goes on. */
  readonly seal: Effect.Effect<void>
  /**
   * Seals, waits until everything has ended, and gives what is left. `deadline`: after it everything is interrupted and
   * the status is `cancelled`. `pending`: what is done about questions that wait: `fail` (default) refuses to close,
   * `cancel` drops them. If the execution has failed, the first call to close it tells so; later ones give the snapshot.
   */
  close(options?: {
    readonly deadline?: Duration.Input | undefined
    readonly pending?: "fail" | "cancel" | undefined
  }): Effect.Effect<Closed<C>, E | FlowError.FlowError>
  /** Interrupts everything and waits until nothing is left; the status is `cancelled`. */
  cancel(reason?: string): Effect.Effect<Closed<C>>
  /** Waits until it is closed; fails as it has failed. */
  readonly await: Effect.Effect<Closed<C>, E | FlowError.FlowError>
  /**
   * The execution as one JSON document, from which `TriggerFlow.load` makes it go on: here, in another process, later.
   * It may be saved at any time, and goes on undisturbed. Handlers at work are in it as to be run again: without what they
   * have not made visible, and with what they have emitted, so that it is not emitted again. While something is being
   * stopped, it waits until that has stopped. Not in it: handlers that listen from outside (`on`), and who waits for an
   * answer to a signal. Fails with `NotSaveable`, which names every value that cannot be saved.
   */
  save(options?: Saving.Options): Effect.Effect<Snapshot, FlowError.FlowError>
  /** Failures that ended their own chain only (`failures: "continue"`). */
  readonly failures: Effect.Effect<ReadonlyArray<Cause.Cause<unknown>>>
  /** The engine, for what is built on executions. */
  readonly engine: Engine
}

/** Milliseconds of a duration, where there is one. @category conversions */
export const millis = (input: Duration.Input | undefined): number | undefined =>
  input === undefined ? undefined : Duration.toMillis(Duration.fromInputUnsafe(input))

const checked = new WeakMap<FlowData, ReadonlyArray<Finding>>()

/**
 * Checks a flow, once; fails with all findings.
 *
 * @category constructors
 */
export const check = <C extends Spec, E, R>(flow: Flow<C, E, R>): Effect.Effect<Flow<C, E, R>, FlowError.FlowError> =>
  Effect.suspend(() => {
    const findings = checked.get(flow.data) ?? Check.check(flow.data)
    checked.set(flow.data, findings)
    return findings.length === 0
      ? Effect.succeed(flow)
      : Effect.fail(
          new FlowError.FlowError({
            flow: flow.name,
            execution: "",
            reason: new FlowError.InvalidDefinition({ findings })
          })
        )
  })

/** The settings of an engine. @category constructors */
export const settingsOf = (
  options: Options,
  id: string,
  kind: { readonly recorded: boolean; readonly failOnPause: boolean; readonly autoClose: Duration.Input | false }
): Settings => {
  const autoClose = options.autoClose ?? kind.autoClose
  return {
    executionId: id,
    concurrency: options.concurrency ?? Infinity,
    failures: options.failures ?? "fail",
    maxEmitDepth: options.maxEmitDepth ?? 1000,
    recorded: kind.recorded,
    failOnPause: kind.failOnPause,
    autoClose: autoClose === false ? undefined : millis(autoClose),
    timeout: millis(options.timeout),
    idleTimeout: millis(options.idleTimeout),
    stream: options.stream ?? { _tag: "unbounded" },
    keepSnapshots: options.keepSnapshots ?? 3
  }
}

/** Makes an id for an execution, with the random numbers of the program. @category constructors */
export const newId = (context: Context.Context<never>): string => {
  const random = Context.get(context, Random.Random)
  const part = () =>
    Math.floor(random.nextDoubleUnsafe() * 2 ** 32)
      .toString(16)
      .padStart(8, "0")
  return part() + part()
}

/** Makes an id for an execution. @category constructors */
export const freshId: Effect.Effect<string> = Effect.contextWith((context: Context.Context<never>) =>
  Effect.sync(() => newId(context))
)

class Impl {
  readonly engine: Engine
  readonly input: unknown
  private reported = false

  constructor(engine: Engine, input: unknown) {
    this.engine = engine
    this.input = input
  }

  get id(): string {
    return this.engine.settings.executionId
  }

  get flow(): string {
    return this.engine.plan.data.contract.name
  }

  get start() {
    return Effect.sync(() => this.engine.start(this.input))
  }

  get status() {
    return Effect.sync(() => standing(this.engine))
  }

  get lifecycle() {
    return Effect.sync(() => this.engine.machine.lifecycle)
  }

  get failures() {
    return Effect.sync(() => this.engine.machine.failures)
  }

  private violation(part: string, issue: string): Effect.Effect<never, FlowError.FlowError> {
    return Effect.failCause(this.engine.error(new FlowError.ContractViolation({ part, issue })))
  }

  private encode<A>(
    part: string,
    codec: Codec.Codec | undefined,
    value: unknown,
    then: (json: never) => Effect.Effect<A, unknown>
  ): Effect.Effect<A, unknown> {
    const json = codec === undefined ? Result.fail("the contract has no such part") : codec.encode(value)
    // JSON of that part.
    return Result.isFailure(json) ? this.violation(part, json.failure) : then(json.success as never)
  }

  private send(signal: Signal.Any, payload: unknown, mode: "await" | "exit" | "none"): Effect.Effect<unknown, unknown> {
    const codecs = this.engine.plan.codecs.signals.get(signal.name)
    const send = this.encode(`signal ${signal.name}`, codecs?.payload, payload, () =>
      this.engine.request((ticket) => ({ _tag: "Signal", signal: signal.name, payload, ticket, mode }))
    )
    const reply = codecs?.reply
    const replies = (value: unknown): Effect.Effect<unknown, unknown> => {
      if (reply === undefined || mode === "none") return Effect.void
      const list: ReadonlyArray<unknown> = Array.isArray(value) ? value : []
      for (const one of list) {
        const json = reply.encode(one)
        if (Result.isFailure(json)) return this.violation(`the reply to ${signal.name}`, json.failure)
      }
      return Effect.succeed(list)
    }
    if (mode !== "exit") return Effect.flatMap(send, replies)
    // With mode exit the value is the Exit of everything that the signal has started.
    return Effect.flatMap(send, (exit) => Effect.exit(Effect.flatMap(exit as Exit.Exit<unknown, unknown>, replies)))
  }

  emit(signal: Signal.Any, payload: unknown) {
    return this.send(signal, payload, "await")
  }

  emitExit(signal: Signal.Any, payload: unknown) {
    return this.send(signal, payload, "exit")
  }

  emitFork(signal: Signal.Any, payload: unknown) {
    return Effect.asVoid(this.send(signal, payload, "none"))
  }

  on(signal: Signal.Any, handler: (payload: never) => Effect.Effect<unknown, never, unknown>) {
    return bind(this.engine, signal, handler)
  }

  // ---------------------------------------------------------------------------------------------- state and stream

  private refused(what: string): Effect.Effect<never, FlowError.FlowError> {
    return Effect.failCause(this.engine.error(new FlowError.NotOpen({ lifecycle: "closed", what })))
  }

  /** Submits writes that are made when their turn comes, or refuses them. */
  private submit<A>(
    what: string,
    make: () => Result.Result<ReadonlyArray<Written>, Effect.Effect<never, unknown>>,
    then: () => A
  ): Effect.Effect<A, unknown> {
    const { engine } = this
    return Effect.callback<A, unknown>((resume) => {
      let outcome: Effect.Effect<A, unknown> = Effect.sync(then)
      engine.submit({
        _tag: "Later",
        make: () => {
          const writes = engine.machine.ending ? Result.fail(this.refused(what)) : make()
          if (Result.isSuccess(writes)) return { _tag: "Write", writes: writes.success }
          outcome = writes.failure
          return undefined
        },
        then: () => resume(outcome)
      })
    })
  }

  private write(what: string, writes: ReadonlyArray<Written>): Effect.Effect<void, unknown> {
    return this.submit(
      what,
      () => Result.succeed(writes),
      () => undefined
    )
  }

  private change(key: string, make: (before: unknown) => unknown, silent: boolean): Effect.Effect<unknown, unknown> {
    const { cells } = this.engine.machine
    const changed = () => {
      const next = attempt(() => make(cells.get(key)))
      if (Exit.isFailure(next)) return Result.fail(Effect.failCause(next.cause))
      const json = this.engine.plan.fields.get(key)?.codec.encode(next.value)
      if (json !== undefined && Result.isSuccess(json))
        return Result.succeed([{ _tag: "set", key, json: json.success, silent } as const])
      return Result.fail(this.violation(`state.${key}`, json?.failure ?? "the contract has no such field"))
    }
    return this.submit(`The write to state.${key}`, changed, () => cells.get(key))
  }

  get state() {
    return {
      get: (key: string) => Effect.sync(() => this.engine.machine.cells.get(key)),
      all: Effect.sync(() => this.engine.machine.cells.all()),
      set: (key: string, value: unknown, options?: WriteOptions) =>
        Effect.asVoid(this.change(key, () => value, options?.silent === true)),
      update: (key: string, f: (value: unknown) => unknown, options?: WriteOptions) =>
        this.change(key, f, options?.silent === true),
      append: (key: string, item: unknown, options?: WriteOptions) => {
        const codec = this.engine.plan.fields.get(key)?.item
        const silent = options?.silent === true
        if (codec === undefined)
          return Effect.asVoid(this.change(key, (list) => (Array.isArray(list) ? [...list, item] : [item]), silent))
        return this.encode(`state.${key}[]`, codec, item, (json) =>
          this.write(`The write to state.${key}`, [{ _tag: "append", key, json, silent }])
        )
      },
      delete: (key: string, options?: WriteOptions) =>
        this.write(`The write to state.${key}`, [{ _tag: "delete", key, silent: options?.silent === true }])
    }
  }

  put(item: unknown) {
    return this.encode("stream", this.engine.plan.stream, item, (json) =>
      Effect.andThen(this.engine.stream.room, this.write("The item", [{ _tag: "item", json }]))
    )
  }

  entries(from = 0): Stream.Stream<StreamEntry<unknown>, unknown> {
    const codec = this.engine.plan.stream
    return Stream.unwrap(
      Effect.as(
        // The first reader starts it.
        this.start,
        Stream.map(this.engine.stream.read(from), (entry): StreamEntry<unknown> => {
          const { event } = entry
          if (event._tag !== "item") return { ...entry, event }
          const item = codec.plain ? Result.succeed(event.json) : codec.decode(event.json)
          return {
            ...entry,
            // Items of sub-flows may have another Schema: they are given as they are.
            event: { _tag: "item", item: Result.isSuccess(item) ? item.success : event.json, volatile: event.volatile }
          }
        })
      )
    )
  }

  get stream() {
    return this.entries().pipe(
      Stream.filter((entry) => entry.event._tag === "item"),
      Stream.map((entry) => (entry.event._tag === "item" ? entry.event.item : undefined))
    )
  }

  // ---------------------------------------------------------------------------------------------- questions

  get interrupts() {
    return Effect.sync(() => pendingOf(this.engine, ""))
  }

  answer(interrupt: Interrupt.Any, value: unknown, options: { readonly id: string; readonly requestId?: string }) {
    return Effect.suspend(() => {
      const { engine, id } = locate(this.engine, options.id)
      const codec = engine.plan.codecs.interrupts.get(interrupt.name)?.resume
      return this.encode(`the answer to ${interrupt.name}`, codec, value, (json) =>
        engine.request((ticket) => ({
          _tag: "Answer",
          interrupt: interrupt.name,
          id,
          value,
          request: options.requestId,
          digest: Digest.of(json),
          ticket
        }))
      )
    })
  }

  answerJson(id: string, json: unknown, options?: { readonly requestId?: string }): Effect.Effect<void, unknown> {
    return Effect.suspend(() => {
      const place = locate(this.engine, id)
      const { machine, plan } = place.engine
      const name = machine.interrupts?.get(place.id)?.interrupt ?? machine.answered?.get(place.id)?.interrupt
      const codec = name === undefined ? undefined : plan.codecs.interrupts.get(name)?.resume
      if (name === undefined || codec === undefined)
        return Effect.failCause(this.engine.error(new FlowError.AnswerRejected({ id, why: "unknown" })))
      const value = codec.decode(json)
      if (Result.isFailure(value)) return this.violation(`the answer to ${name}`, value.failure)
      return place.engine.request<void>((ticket) => ({
        _tag: "Answer",
        interrupt: name,
        id: place.id,
        value: value.success,
        request: options?.requestId,
        digest: Digest.of(json),
        ticket
      }))
    })
  }

  intervene(
    payload: unknown,
    options?: { readonly id?: string; readonly author?: string; readonly target?: string }
  ): Effect.Effect<string, unknown> {
    return Effect.flatMap(options?.id === undefined ? freshId : Effect.succeed(options.id), (id) =>
      this.encode("intervention", this.engine.plan.codecs.intervention, payload, (json) =>
        Effect.suspend(() => {
          const { lifecycle } = this.engine.machine
          if (lifecycle === "closed")
            return Effect.failCause(this.engine.error(new FlowError.NotOpen({ lifecycle, what: "The intervention" })))
          this.engine.submit({ _tag: "Intervene", id, json, author: options?.author, target: options?.target })
          return Effect.succeed(id)
        })
      )
    )
  }

  get interventions() {
    return Effect.sync(() => interventionsOf(this.engine))
  }

  // ---------------------------------------------------------------------------------------------- sub-flows

  get subFlows() {
    return Effect.sync(() => [...childrenOf(this.engine)].map(({ child }) => subFlowOf(child)))
  }

  emitToSubFlow(id: string, signal: string, json: unknown): Effect.Effect<void, unknown> {
    return Effect.suspend(() => {
      const found = [...childrenOf(this.engine)].find(({ child }) => child.engine.settings.executionId === id)
      const engine = found?.child.engine
      const codec = engine?.plan.codecs.signals.get(signal)?.payload
      if (engine === undefined || codec === undefined)
        return Effect.failCause(
          this.engine.error(new FlowError.NotOpen({ lifecycle: "closed", what: `The signal "${signal}" to "${id}"` }))
        )
      const payload = codec.decode(json)
      if (Result.isFailure(payload)) return this.violation(`signal ${signal}`, payload.failure)
      return Effect.asVoid(
        engine.request((ticket) => ({ _tag: "Signal", signal, payload: payload.success, ticket, mode: "await" }))
      )
    })
  }

  cancelSubFlow(id: string): Effect.Effect<boolean, unknown> {
    return Effect.suspend(() => {
      const found = [...childrenOf(this.engine)].find(({ child }) => child.engine.settings.executionId === id)
      if (found === undefined) return Effect.succeed(false)
      return found.parent.request<boolean>((ticket) => ({ _tag: "StopChild", frame: found.child.frame, ticket }))
    })
  }

  // ---------------------------------------------------------------------------------------------- lifecycle

  get steps() {
    return Effect.sync(() => statusOf(this.engine))
  }

  save(options?: Saving.Options) {
    return Saving.save(this.engine, this.input, options)
  }

  get seal() {
    return Effect.sync(() => this.engine.submit({ _tag: "Seal" }))
  }

  get await() {
    return Effect.map(this.engine.awaitClosed, () => this.engine.snapshot())
  }

  close(options?: { readonly deadline?: Duration.Input; readonly pending?: "fail" | "cancel" }) {
    const { engine } = this
    return Effect.suspend(() => {
      if (engine.exit !== undefined) return this.told
      const pending = options?.pending ?? "fail"
      const below = [...(engine.children?.values() ?? [])].filter((child) => pendingOf(child.engine, "").length > 0)
      if (pending === "fail" && below.length > 0)
        return Effect.failCause(
          engine.error(new FlowError.PendingInterrupts({ ids: pendingOf(engine, "").map(({ id }) => id) }))
        )
      const cancelled = Effect.forEach(
        below,
        ({ frame }) => engine.request((ticket) => ({ _tag: "StopChild", frame, ticket })),
        { discard: true }
      )
      const request = Effect.andThen(
        cancelled,
        engine.request((ticket) => ({ _tag: "Close", pending, ticket }))
      )
      const deadline = millis(options?.deadline)
      const closed = Effect.ignoreCause(engine.awaitClosed)
      const drained =
        deadline === undefined
          ? closed
          : Effect.timeoutOrElse(closed, {
              duration: deadline,
              orElse: () => engine.shutdown(`it was not done ${deadline} ms after it was told to close`)
            })
      return Effect.andThen(Effect.andThen(request, drained), this.told)
    })
  }

  /** What is left; the failure, if nobody was told of it yet. */
  private get told() {
    return Effect.suspend((): Effect.Effect<unknown, unknown> => {
      const { exit, machine } = this.engine
      const failed = exit !== undefined && Exit.isFailure(exit) && machine.ended === "failed"
      if (!failed || this.reported) return Effect.succeed(this.engine.snapshot())
      this.reported = true
      return Effect.failCause(exit.cause)
    })
  }

  cancel(reason = "somebody asked for it") {
    return Effect.andThen(
      this.engine.shutdown(reason),
      Effect.sync(() => this.engine.snapshot())
    )
  }
}

const pendingOf = (engine: Engine, prefix: string): ReadonlyArray<Pending> => {
  const own = [...(engine.machine.interrupts?.values() ?? [])].map(({ id, interrupt, payload, run, at, expires }) => ({
    id: prefix + id,
    interrupt,
    payload,
    chunk: run.step.node.name,
    at,
    expires
  }))
  const below = [...(engine.children?.values() ?? [])].flatMap(({ engine: child }) =>
    pendingOf(child, `${child.settings.executionId}:`)
  )
  return [...own, ...below]
}

interface Found {
  readonly child: Child
  readonly parent: Engine
}

function* childrenOf(engine: Engine): Generator<Found> {
  for (const child of engine.children?.values() ?? []) {
    yield { child, parent: engine }
    yield* childrenOf(child.engine)
  }
}

const subFlowOf = ({ engine, stopping }: Child): SubFlow => ({
  id: engine.settings.executionId,
  name: engine.plan.data.contract.name,
  status: stopping ? "cancelling" : standing(engine) === "waiting" ? "waiting" : "running"
})

/** An execution waits where nothing of it is at work and something of it, or of its sub-flows, waits for an answer. */
const standing = (engine: Engine): Machine["status"] => {
  const { machine, children } = engine
  const { status } = machine
  if ((status !== "running" && status !== "waiting") || children === undefined || children.size === 0) return status
  if (machine.atWork) return "running"
  for (const child of children.values()) if (standing(child.engine) !== "waiting") return "running"
  return "waiting"
}

/** The engine that a question belongs to, and its id there. @category getters */
export const locate = (engine: Engine, id: string): { readonly engine: Engine; readonly id: string } => {
  for (const { child } of childrenOf(engine)) {
    const prefix = `${child.engine.settings.executionId}:`
    if (id.startsWith(prefix)) return { engine: child.engine, id: id.slice(prefix.length) }
  }
  return { engine, id }
}

/** Makes an execution of an engine. @category constructors */
export const fromEngine = <C extends Spec, E>(engine: Engine, input: unknown): Execution<C, E> =>
  // The methods of the implementation are those of the interface, with the types erased.
  new Impl(engine, input) as unknown as Execution<C, E>

/** Makes the engine of a flow with what the handlers need. @category constructors */
export const engineOf = <C extends Spec, E, R>(
  flow: Flow<C, E, R>,
  settings: Settings,
  context: Context.Context<R>,
  options: Options
): Engine => {
  // What handlers need is in the context; the engine does not look at it.
  const engine = new Engine(Plan.of(flow.data), settings, context as Context.Context<never>)
  engine.onStep = options.onStep
  return engine
}

/** The snapshot that an execution ended with. @category getters */
export const closedOf = <C extends Spec>(engine: Engine): Closed<C> =>
  // State and result were decoded by the contract.
  engine.snapshot() as unknown as Closed<C>

/** The result of an execution, or the failure that there is none. @category getters */
export const resultOf = (engine: Engine): Effect.Effect<unknown, FlowError.FlowError> => {
  const { result } = engine.snapshot()
  return Option.isSome(result)
    ? Effect.succeed(result.value)
    : Effect.failCause(engine.error(new FlowError.NoResult({})))
}
