/** Executions from outside: every call becomes a record, and every refusal a typed error. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type * as Codec from "./Codec.ts"
import * as Digest from "../saving/Digest.ts"
import type { Engine } from "./Engine.ts"
import type { Child } from "./SubFlows.ts"
import * as FlowError from "../FlowError.ts"
import { bind, interventionsOf } from "./Handle.ts"
import type * as Interrupt from "../Interrupt.ts"
import type { Machine } from "./Machine.ts"
import { statusOf } from "./Progress.ts"
import type { Written } from "./Record.ts"
import type { WriteOptions } from "../Run.ts"
import * as Saving from "../saving/Saving.ts"
import type * as Signal from "../Signal.ts"
import { attempt } from "./UserCode.ts"

import type { Pending, StreamEntry, SubFlow } from "../Execution.ts"
import { freshId, millis } from "../Opening.ts"

/**
 * An execution as those outside see it. Its methods are those of `Execution`, with the types erased.
 *
 * @category models
 */
export class Outside {
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
    return Effect.sync(() => this.engine.machine.failures.slice())
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
          const { json, volatile } = event
          // What a handler of this flow has put was checked before; what a sub-flow has put may be something else.
          const own = codec.plain && entry.path.length === 0
          const item = own ? Result.succeed<unknown>(json) : codec.decode(json)
          return Result.isSuccess(item)
            ? { ...entry, event: { _tag: "item", item: item.success, volatile } }
            : { ...entry, event: { _tag: "foreign", json, volatile } }
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

  get rest() {
    return Effect.andThen(this.engine.rest, this.interrupts)
  }

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

/**
 * How an execution stands: it waits where nothing of it is at work and something of it, or of its sub-flows, waits for
 * an answer.
 *
 * @category getters
 */
export const standing = (engine: Engine): Machine["status"] => {
  const { machine, children } = engine
  const { status } = machine
  if ((status !== "running" && status !== "waiting") || children === undefined || children.size === 0) return status
  if (machine.atWork) return "running"
  for (const child of children.values()) if (standing(child.engine) !== "waiting") return "running"
  return "waiting"
}

/**
 * Whether an execution need not be in memory: all that is left of it waits for answers or timers, or, where it never
 * closes by itself, for signals from outside. One that listens to what executions share has to be there to hear it.
 *
 * @category guards
 */
export const isDormant = (engine: Engine): boolean => {
  const { exit, journal, plan } = engine
  if (exit !== undefined || plan.shared.size > 0 || journal?.isIdle() === false) return false
  return engine.isAtRest() || listens(engine)
}

/** Whether nothing is at work in an execution that never closes by itself: it waits for signals. */
const listens = ({ machine, settings }: Engine): boolean =>
  machine.idle && machine.lifecycle === "open" && settings.autoClose === undefined

/** How a durable execution stands: one that need not be in memory waits. @category getters */
export const durablyStanding = (engine: Engine): Machine["status"] => {
  const { machine, plan } = engine
  return listens(engine) && machine.started && plan.shared.size === 0 ? "waiting" : standing(engine)
}

/** The engine that a question belongs to, and its id there. @category getters */
export const locate = (engine: Engine, id: string): { readonly engine: Engine; readonly id: string } => {
  for (const { child } of childrenOf(engine)) {
    const prefix = `${child.engine.settings.executionId}:`
    if (id.startsWith(prefix)) return { engine: child.engine, id: id.slice(prefix.length) }
  }
  return { engine, id }
}
