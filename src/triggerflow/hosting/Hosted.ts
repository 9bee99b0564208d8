/**
 * Executions that live in an `ExecutionHost`. Where the handlers are, `toLayer` registers a flow; everywhere else the
 * contract is enough to start an execution and to talk to it, typed as if it were here.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Json } from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Host from "../../../services/ExecutionHost.ts"
import { ExecutionKeeper } from "../../../services/ExecutionKeeper.ts"
import type { Closed } from "../Closed.ts"
import * as Codec from "../engine/Codec.ts"
import * as Opening from "../Opening.ts"
import type { Options, Pending, StreamEntry } from "../Execution.ts"
import type { Contract, Flow } from "../Flow.ts"
import * as FlowError from "../FlowError.ts"
import type * as Interrupt from "../Interrupt.ts"
import type { ContractData } from "../Node.ts"
import type { Migration } from "../saving/Migration.ts"
import * as Runner from "./Runner.ts"
import * as Shape from "../definition/Shape.ts"
import type * as Signal from "../Signal.ts"
import type { Spec } from "../Spec.ts"

/** How a hosted execution fails: as its contract says, by itself, or in some other way. @category errors */
export type HostedFailure<C extends Spec> = C["failure"] | FlowError.FlowError | FlowError.FlowDefect

/** How talking to a hosted execution fails. @category errors */
export type HostFailure = Host.UnknownExecution | Host.ExecutionHostError

/**
 * How a hosted execution is started. With an `id` the start is idempotent: another one with the same id and input joins.
 * `autoClose`: by default 10 s where somebody outside could start something (signals, chains on the state or on shared
 * data), else at once.
 *
 * @category models
 */
export type StartOptions = Omit<Options, "onStep"> & {
  /** What it is found by in lists, where the host keeps them. */
  readonly tags?: ReadonlyArray<string> | undefined
}

/**
 * One run of a flow that lives in a host. Any number of programs can hold it.
 *
 * @category models
 */
export interface HostedExecution<in out C extends Spec> {
  readonly id: string
  readonly flow: string
  /** Sends a signal and waits until everything that it starts has ended; gives the replies. */
  emit<S extends C["signals"]>(
    signal: S,
    payload: Signal.Payload<S>
  ): Effect.Effect<Signal.Replies<S>, HostedFailure<C> | HostFailure>
  /** Sends a signal; gives as soon as it is accepted. */
  emitFork<S extends C["signals"]>(
    signal: S,
    payload: Signal.Payload<S>
  ): Effect.Effect<void, HostedFailure<C> | HostFailure>
  /** The questions that wait for an answer, those of sub-flows included, oldest first. */
  readonly interrupts: Effect.Effect<ReadonlyArray<Pending>, HostFailure>
  /** Answers a question; may come before it. The same answer under the same `requestId` may be sent again. */
  answer<I extends C["interrupts"]>(
    interrupt: I,
    value: Interrupt.Resume<I>,
    options: { readonly id: string; readonly requestId?: string | undefined }
  ): Effect.Effect<void, HostedFailure<C> | HostFailure>
  /** Says something to the handlers; gives the id of what was said. */
  intervene(
    payload: C["intervention"],
    options?: Host.InterveneOptions
  ): Effect.Effect<string, HostedFailure<C> | HostFailure>
  /** Items from the start on, until the execution closes; fails as it fails. */
  readonly stream: Stream.Stream<C["item"], HostedFailure<C> | HostFailure>
  /** Everything that the runtime stream says, from a cursor on (default 0). Questions carry the id to answer to. */
  entries(from?: number): Stream.Stream<StreamEntry<C["item"]>, HostedFailure<C> | HostFailure>
  readonly status: Effect.Effect<Host.ExecutionStatus, HostFailure>
  readonly lifecycle: Effect.Effect<Host.ExecutionView["lifecycle"], HostFailure>
  /** Failures that ended their own chain only (`failures: "continue"`). */
  readonly failures: Effect.Effect<ReadonlyArray<HostedFailure<C>>, HostFailure>
  /** The state as it is now. */
  readonly state: Effect.Effect<C["state"], FlowError.FlowError | HostFailure>
  /** Waits until it is closed and gives its result; fails as it has failed, and with `NoResult` where there is none. */
  readonly result: Effect.Effect<C["result"], HostedFailure<C> | HostFailure>
  /** Refuses signals from now on; what is at work goes on. */
  readonly seal: Effect.Effect<void, HostFailure>
  /**
   * Seals, waits until everything has ended, and gives what is left; fails as the execution has failed. `deadline`:
   * after it everything is interrupted and the status is `cancelled`. `pending`: what is done about questions that wait:
   * `fail` (default) refuses to close, `cancel` drops them.
   */
  close(options?: {
    readonly deadline?: Duration.Input | undefined
    readonly pending?: "fail" | "cancel" | undefined
  }): Effect.Effect<Closed<C>, HostedFailure<C> | HostFailure>
  /** Interrupts everything and waits until nothing is left. */
  cancel(reason?: string): Effect.Effect<Closed<C>, FlowError.FlowError | HostFailure>
  /** Waits until it is closed; fails as it has failed or why it was cancelled. */
  readonly await: Effect.Effect<Closed<C>, HostedFailure<C> | HostFailure>
}

// What comes from a host is JSON; these give it the types of the contract, or say what does not fit.
class Impl {
  readonly host: Host.ExecutionHost["Service"]
  readonly contract: ContractData
  readonly id: string

  constructor(host: Host.ExecutionHost["Service"], contract: ContractData, id: string) {
    this.host = host
    this.contract = contract
    this.id = id
  }

  get flow(): string {
    return this.contract.name
  }

  private read<A>(f: (view: Host.ExecutionView) => A): Effect.Effect<A, HostFailure> {
    return Effect.map(this.host.get(this.id), f)
  }

  private violation(part: string, issue: string): Effect.Effect<never, FlowError.FlowError> {
    return Effect.fail(flowError(this.contract, this.id, new FlowError.ContractViolation({ part, issue })))
  }

  private encode<A, E>(
    part: string,
    schema: ContractData["input"] | undefined,
    value: unknown,
    then: (json: Json) => Effect.Effect<A, E>
  ): Effect.Effect<A, unknown> {
    return Effect.suspend((): Effect.Effect<A, unknown> => {
      const json = schema === undefined ? Result.fail("the contract has no such part") : Codec.of(schema).encode(value)
      return Result.isFailure(json) ? this.violation(part, json.failure) : this.typed(then(json.success))
    })
  }

  private decode(part: string, schema: ContractData["input"], json: Json): Effect.Effect<unknown, FlowError.FlowError> {
    const value = Codec.of(schema).decode(json)
    return Result.isFailure(value) ? this.violation(part, value.failure) : Effect.succeed(value.success)
  }

  /** Gives failures the types of the contract. */
  private typed<A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, unknown> {
    return Effect.mapError(effect, (error) =>
      error instanceof Host.FlowFailed ? failureOf(this.contract, this.id, error.failure) : error
    )
  }

  private send(signal: Signal.Any, payload: unknown, wait: boolean): Effect.Effect<ReadonlyArray<Json>, unknown> {
    const known = this.contract.signals.find(({ name }) => name === signal.name)
    return this.encode(`signal ${signal.name}`, known?.payload, payload, (json) =>
      this.host.signal(this.id, signal.name, json, { wait })
    )
  }

  emit(signal: Signal.Any, payload: unknown): Effect.Effect<unknown, unknown> {
    const reply = this.contract.signals.find(({ name }) => name === signal.name)?.reply
    return Effect.flatMap(this.send(signal, payload, true), (replies) =>
      reply === undefined
        ? Effect.void
        : Effect.forEach(replies, (json) => this.decode(`the reply to ${signal.name}`, reply, json))
    )
  }

  emitFork(signal: Signal.Any, payload: unknown): Effect.Effect<void, unknown> {
    return Effect.asVoid(this.send(signal, payload, false))
  }

  get interrupts(): Effect.Effect<ReadonlyArray<Pending>, HostFailure> {
    return this.read(({ questions }) =>
      questions.map(({ expires, payload, ...question }) => ({
        ...question,
        payload: this.questionOf(question.interrupt, payload),
        expires
      }))
    )
  }

  /** What is asked; as JSON where it is asked by a sub-flow with another contract. */
  private questionOf(interrupt: string, json: Json): unknown {
    const schema = this.contract.interrupts.find(({ name }) => name === interrupt)?.payload
    return schema === undefined ? json : Result.getOrElse(Codec.of(schema).decode(json), () => json)
  }

  answer(
    interrupt: Interrupt.Any,
    value: unknown,
    { id, requestId }: { readonly id: string; readonly requestId?: string | undefined }
  ): Effect.Effect<void, unknown> {
    const known = this.contract.interrupts.find(({ name }) => name === interrupt.name)
    return this.encode(`the answer to ${interrupt.name}`, known?.resume, value, (json) =>
      this.host.answer(this.id, id, json, {
        interrupt: interrupt.name,
        ...(requestId === undefined ? {} : { requestId })
      })
    )
  }

  intervene(payload: unknown, options?: Host.InterveneOptions): Effect.Effect<string, unknown> {
    return this.encode("intervention", this.contract.intervention, payload, (json) =>
      this.host.intervene(this.id, json, options)
    )
  }

  entries(from = 0): Stream.Stream<StreamEntry<unknown>, unknown> {
    const codec = Codec.of(this.contract.stream)
    return this.host.watch(this.id, from).pipe(
      Stream.map(({ event, ...entry }): StreamEntry<unknown> => {
        switch (event._tag) {
          case "item": {
            // Items of sub-flows may have another Schema: they are given as they are.
            const item = codec.plain ? event.item : Result.getOrElse(codec.decode(event.item), () => event.item)
            return { ...entry, event: { _tag: "item", item, volatile: event.volatile } }
          }
          case "interrupt": {
            const { interrupt, payload } = event
            return { ...entry, event: { ...event, payload: this.questionOf(interrupt, payload), json: payload } }
          }
          default:
            return { ...entry, event }
        }
      }),
      Stream.mapError((error) =>
        error instanceof Host.FlowFailed ? failureOf(this.contract, this.id, error.failure) : error
      )
    )
  }

  get stream(): Stream.Stream<unknown, unknown> {
    return this.entries().pipe(
      Stream.filter((entry) => entry.event._tag === "item"),
      Stream.map((entry) => (entry.event._tag === "item" ? entry.event.item : undefined))
    )
  }

  get status(): Effect.Effect<Host.ExecutionStatus, HostFailure> {
    return this.read(({ status }) => status)
  }

  get lifecycle(): Effect.Effect<Host.ExecutionView["lifecycle"], HostFailure> {
    return this.read(({ lifecycle }) => lifecycle)
  }

  get failures(): Effect.Effect<ReadonlyArray<unknown>, HostFailure> {
    return this.read(({ failures }) => failures.map((failure) => failureOf(this.contract, this.id, failure)))
  }

  get state(): Effect.Effect<unknown, FlowError.FlowError | HostFailure> {
    return Effect.flatMap(this.host.get(this.id), ({ state }) => this.decode("state", this.contract.state, state))
  }

  /** What is left of a closed execution. */
  private closed(view: Host.ExecutionView): Effect.Effect<Closed<Spec>, FlowError.FlowError> {
    const { result: schema } = this.contract
    const { result: json, status } = view
    return Effect.flatMap(this.decode("state", this.contract.state, view.state), (state) =>
      Effect.map(
        json === undefined || schema === undefined
          ? Effect.succeed(Option.none<unknown>())
          : Effect.map(this.decode("result", schema, json), Option.some),
        (result): Closed<Spec> => ({
          executionId: this.id,
          status: status === "completed" || status === "failed" ? status : "cancelled",
          // The contract's state is a struct.
          state: state as object,
          result
        })
      )
    )
  }

  /** What is left, or the failure. */
  private ended(
    effect: Effect.Effect<Host.ExecutionView, Host.RequestError>,
    fails: (view: Host.ExecutionView) => boolean
  ): Effect.Effect<Closed<Spec>, unknown> {
    return Effect.flatMap(this.typed(effect), (view): Effect.Effect<Closed<Spec>, unknown> => {
      if (!fails(view)) return this.closed(view)
      return Effect.fail(failureOf(this.contract, this.id, view.failure ?? unexplained(view)))
    })
  }

  get await(): Effect.Effect<Closed<Spec>, unknown> {
    return this.ended(this.host.await(this.id), ({ status }) => status !== "completed")
  }

  get result(): Effect.Effect<unknown, unknown> {
    return Effect.flatMap(this.await, ({ result }) =>
      Option.isSome(result)
        ? Effect.succeed(result.value)
        : Effect.fail(flowError(this.contract, this.id, new FlowError.NoResult({})))
    )
  }

  get seal(): Effect.Effect<void, HostFailure> {
    return this.host.seal(this.id)
  }

  close(options?: {
    readonly deadline?: Duration.Input | undefined
    readonly pending?: "fail" | "cancel" | undefined
  }): Effect.Effect<Closed<Spec>, unknown> {
    const deadline = millis(options?.deadline)
    const { pending } = options ?? {}
    return this.ended(
      this.host.close(this.id, {
        ...(deadline === undefined ? {} : { deadline }),
        ...(pending === undefined ? {} : { pending })
      }),
      ({ status }) => status === "failed"
    )
  }

  cancel(reason?: string): Effect.Effect<Closed<Spec>, unknown> {
    return this.ended(this.host.cancel(this.id, reason), () => false)
  }
}

const unexplained = ({ status }: Host.ExecutionView): Host.Failure => ({
  _tag: "Defect",
  message: `it is ${status} and the host does not say why`
})

const flowError = (contract: ContractData, execution: string, reason: FlowError.Reason): FlowError.FlowError =>
  new FlowError.FlowError({ flow: contract.name, execution, reason })

/** A failure that has crossed, with its type where the contract has one. */
const failureOf = (contract: ContractData, execution: string, failure: Host.Failure): unknown => {
  const schema =
    failure._tag === "Error" ? contract.error : failure._tag === "FlowError" ? FlowError.FlowError : undefined
  if (schema !== undefined && failure._tag !== "Defect") {
    const error = Codec.of(schema).decode(failure.error)
    if (Result.isSuccess(error)) return error.success
  }
  return new FlowError.FlowDefect({ flow: contract.name, execution, detail: failure.message })
}

const millis = (input: Duration.Input | undefined): number | undefined =>
  input === undefined ? undefined : Duration.toMillis(Duration.fromInputUnsafe(input))

const settingsOf = (options: StartOptions): Host.ExecutionSettings => {
  const { autoClose, concurrency, failures, maxEmitDepth, stream } = options
  const timeout = millis(options.timeout)
  const idleTimeout = millis(options.idleTimeout)
  const idle = autoClose === false ? false : millis(autoClose)
  return {
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(failures === undefined ? {} : { failures }),
    ...(maxEmitDepth === undefined ? {} : { maxEmitDepth }),
    ...(idle === undefined ? {} : { autoClose: idle }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(idleTimeout === undefined ? {} : { idleTimeout }),
    ...(stream === undefined ? {} : { stream })
  }
}

const hosted = <C extends Spec>(
  host: Host.ExecutionHost["Service"],
  contract: Contract<C>,
  id: string
): HostedExecution<C> =>
  // The methods of the implementation are those of the interface, with the types erased.
  new Impl(host, contract.data, id) as unknown as HostedExecution<C>

type Refused = FlowError.FlowError | Host.ExecutionHostError

/**
 * How a flow is registered.
 *
 * @category models
 */
export interface HostingOptions {
  /**
   * For executions that older definitions have begun, where the host keeps them: what makes their snapshots such of this
   * definition. Without it they are put aside, with what differs. What was written down behind the last snapshot is read
   * by this definition too: end the older runner in good order, which takes a snapshot, where steps were added or removed.
   */
  readonly migrate?: ReadonlyArray<Migration> | undefined
}

/**
 * Registers a flow with the host, for as long as the Layer lives: its handlers run where this Layer is built, with the
 * services that they need from there. Then the contract is enough to start it. The flow is checked first.
 *
 * Versions of a flow that are registered at once each go on with their own executions.
 *
 * @category layers
 */
export const toLayer = <C extends Spec, E, R>(
  flow: Flow<C, E, R>,
  options: HostingOptions = {}
): Layer.Layer<
  never,
  FlowError.FlowError | Host.FlowRegistered | Host.ExecutionHostError,
  Host.ExecutionHost | Exclude<R, Scope.Scope>
> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      yield* Opening.check(flow)
      const host = yield* Host.ExecutionHost
      yield* host.register(yield* Runner.make(flow, Shape.fingerprint(Shape.of(flow.data)), options.migrate))
    })
  )

/**
 * Starts an execution of a flow that somebody has registered, and gives the way to talk to it. An input that the contract
 * refuses starts nothing. It lives in the host: leaving the Scope of who started it does not end it.
 *
 * @example
 * ```ts
 * import { ExecutionHosts } from "effigent/layers/host"
 * import { Chain, TriggerFlow } from "effigent/triggerflow"
 * import { Effect, Layer, Schema } from "effect"
 *
 * const Double = TriggerFlow.define("double", { input: Schema.Int, result: Schema.Int })
 * const double = Double.build(
 *   Double.start.pipe(
 *     Chain.to("double", (n) => Effect.succeed(n * 2)),
 *     Chain.result
 *   )
 * )
 * const program = Effect.gen(function* () {
 *   const execution = yield* TriggerFlow.start(Double, 21, { id: "first" })
 *   return yield* execution.result
 * })
 * const host = TriggerFlow.toLayer(double).pipe(Layer.provideMerge(ExecutionHosts.inProcess()))
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(host)))) // => 42
 * ```
 *
 * @category running
 */
export const start = <C extends Spec>(
  contract: Contract<C>,
  input: C["input"],
  options: StartOptions = {}
): Effect.Effect<
  HostedExecution<C>,
  FlowError.FlowError | Host.UnknownFlow | Host.ExecutionConflict | Host.ExecutionHostError,
  Host.ExecutionHost
> =>
  Effect.gen(function* () {
    const { data } = contract
    const id = options.id ?? ""
    const json = Codec.of(data.input).encode(input)
    if (Result.isFailure(json)) {
      const reason = new FlowError.ContractViolation({ part: "input", issue: json.failure })
      return yield* Effect.fail(flowError(data, id, reason))
    }
    const host = yield* Host.ExecutionHost
    const started = yield* host
      .start({
        flow: data.name,
        ...(data.version === undefined ? {} : { version: data.version }),
        input: json.success,
        ...(options.id === undefined ? {} : { id: options.id }),
        ...(options.tags === undefined ? {} : { tags: options.tags }),
        settings: settingsOf(options)
      })
      .pipe(
        Effect.catchTag("FlowFailed", ({ failure, id }): Effect.Effect<never, Refused> => {
          const error = failureOf(data, id, failure)
          // A start is refused by a FlowError; a host that says something else is quoted.
          if (error instanceof FlowError.FlowError) return Effect.fail(error)
          const operation = `start ${data.name}`
          return Effect.fail(
            new Host.ExecutionHostError({ host: "unknown", operation, detail: failure.message, retryable: false })
          )
        })
      )
    return hosted(host, contract, started)
  })

/**
 * Gives the way to talk to an execution that was started before, perhaps by another program.
 *
 * @category running
 */
export const attach = <C extends Spec>(
  contract: Contract<C>,
  id: string
): Effect.Effect<HostedExecution<C>, HostFailure | Host.ExecutionConflict, Host.ExecutionHost> =>
  Effect.gen(function* () {
    const host = yield* Host.ExecutionHost
    const { flow, version } = yield* host.get(id)
    const { data } = contract
    if (flow !== data.name) return yield* Effect.fail(new Host.ExecutionConflict({ id, differs: "flow" }))
    if (data.version !== undefined && version !== data.version)
      return yield* Effect.fail(new Host.ExecutionConflict({ id, differs: "version" }))
    return hosted(host, contract, id)
  })

/**
 * Looks for executions that were interrupted, here or on a runner that has ended, and lets them go on; gives their ids.
 * Handlers that had ended are not run again, those that were at work are. A durable host does it when a flow is
 * registered and all the time afterwards; this does it now.
 *
 * @example
 * ```ts
 * import { ExecutionHosts } from "effigent/layers/host"
 * import { JournalStores } from "effigent/layers/store"
 * import { Chain, TriggerFlow } from "effigent/triggerflow"
 * import { Effect, Layer, Schema } from "effect"
 *
 * const Double = TriggerFlow.define("double", { input: Schema.Int, result: Schema.Int })
 * const double = Double.build(
 *   Double.start.pipe(
 *     Chain.to("double", (n) => Effect.succeed(n * 2)),
 *     Chain.result
 *   )
 * )
 * const host = TriggerFlow.toLayer(double).pipe(
 *   Layer.provideMerge(ExecutionHosts.durable()),
 *   Layer.provide(JournalStores.memory)
 * )
 * console.log(await Effect.runPromise(TriggerFlow.recover.pipe(Effect.provide(host)))) // => []
 * ```
 *
 * @category running
 */
export const recover: Effect.Effect<
  ReadonlyArray<string>,
  Host.ExecutionHostError,
  ExecutionKeeper
> = ExecutionKeeper.use((keeper) => keeper.recover)
