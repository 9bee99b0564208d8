/**
 * The run handle at work: what a handler writes is kept here until its next visible point. One handle for one run of a
 * handler; it is closed when the run ends.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Json } from "effect/Schema"
import type * as Scope from "effect/Scope"
import { FlowData } from "../../../services/FlowData.ts"
import { Cells, type Write } from "./Cells.ts"
import type { Engine } from "./Engine.ts"
import * as FlowError from "../FlowError.ts"
import type { Run } from "./Frame.ts"
import * as Interrupt from "../Interrupt.ts"
import type { ChunkSettings, Handler } from "../Node.ts"
import type { Field } from "./Plan.ts"
import * as Shared from "../hosting/Shared.ts"
import * as Saving from "../saving/Saving.ts"
import type { Snapshot } from "../saving/Snapshot.ts"
import type { Writes, Written } from "./Record.ts"
import type { EmitOptions, Intervention, PauseOptions, PutOptions, WriteOptions } from "../Run.ts"
import type * as Signal from "../Signal.ts"

/** What conditions may see of their execution. @category models */
export interface Reading {
  readonly executionId: string
  readonly state: { readonly get: (key: string) => Effect.Effect<unknown>; readonly all: Effect.Effect<unknown> }
}

/** What conditions may see of an execution. @category constructors */
export const reader = (engine: Engine): Reading => ({
  executionId: engine.settings.executionId,
  state: {
    get: (key) => Effect.sync(() => engine.machine.cells.get(key)),
    all: Effect.sync(() => engine.machine.cells.all())
  }
})

/** The state as a handler sees it: what is visible, and over it what it has written itself that is not yet. */
class OwnState {
  readonly handle: Handle

  constructor(handle: Handle) {
    this.handle = handle
  }

  get all(): Effect.Effect<unknown> {
    return this.handle.sync(() => {
      const { cells } = this.handle.engine.machine
      const own = this.handle.own
      if (own.length === 0) return cells.all()
      const all: Record<string, unknown> = { ...cells.all() }
      for (const write of own) {
        if (write._tag === "item" || write._tag === "result") continue
        const value = this.read(write.key)
        if (value === undefined) delete all[write.key]
        else all[write.key] = value
      }
      return Object.freeze(all)
    })
  }

  private read(key: string): unknown {
    const { cells } = this.handle.engine.machine
    return overlaid(cells, this.handle.own, key)
  }

  get(key: string): Effect.Effect<unknown> {
    return this.handle.sync(() => this.read(key))
  }

  set(key: string, value: unknown, options?: WriteOptions): Effect.Effect<void> {
    return this.handle.guarded(() => {
      const json = this.handle.encode(`state.${key}`, this.handle.engine.plan.fields.get(key)?.codec, value)
      return Result.map(json, (json) => this.write({ _tag: "set", key, json, silent: options?.silent === true }))
    })
  }

  append(key: string, item: unknown, options?: WriteOptions): Effect.Effect<void> {
    const codec = this.handle.engine.plan.fields.get(key)?.item
    // Where the Schema asks something of the list as a whole, the list is what has to be looked at when it is changed.
    if (codec === undefined)
      return Effect.asVoid(this.update(key, (list) => (Array.isArray(list) ? [...list, item] : [item]), options))
    return this.handle.guarded(() =>
      Result.map(this.handle.encode(`state.${key}[]`, codec, item), (json) =>
        this.write({ _tag: "append", key, json, silent: options?.silent === true })
      )
    )
  }

  delete(key: string, options?: WriteOptions): Effect.Effect<void> {
    // Whether there is something to delete is found when it becomes visible.
    return this.handle.sync(() => this.write({ _tag: "delete", key, silent: options?.silent === true }))
  }

  update(key: string, f: (value: unknown) => unknown, options?: WriteOptions): Effect.Effect<unknown> {
    const { handle } = this
    const { engine } = handle
    return Effect.callback<unknown>((resume) => {
      if (handle.closed) return resume(handle.dead)
      handle.alive()
      const writes = handle.take() ?? []
      let outcome: Effect.Effect<unknown> = Effect.void
      engine.submit({
        _tag: "Later",
        // What is visible when its turn comes, with what the handler has written: nothing comes between.
        make: () => {
          const cells = engine.machine.cells
          const before = overlaid(cells, writes, key)
          let next: unknown
          try {
            next = f(before)
          } catch (error) {
            outcome = Effect.die(error)
            return writes.length === 0 ? undefined : { _tag: "Commit", run: handle.run, writes }
          }
          const json = handle.encode(`state.${key}`, engine.plan.fields.get(key)?.codec, next)
          if (Result.isFailure(json)) {
            outcome = Effect.failCause(json.failure)
            return writes.length === 0 ? undefined : { _tag: "Commit", run: handle.run, writes }
          }
          const set: Written = { _tag: "set", key, json: json.success, silent: options?.silent === true }
          handle.sendToo(set)
          return { _tag: "Commit", run: handle.run, writes: [...writes, set] }
        },
        then: () => resume(Effect.flatMap(outcome, () => Effect.sync(() => engine.machine.cells.get(key))))
      })
    })
  }

  private write(write: Write): void {
    this.handle.write(write)
  }
}

/** A field as it is visible, and what was written over it. */
const overlaid = (cells: Cells, writes: ReadonlyArray<Written>, key: string): unknown => {
  const about = (write: Written): write is Write =>
    write._tag !== "item" && write._tag !== "result" && write.key === key
  if (!writes.some(about)) return cells.get(key)
  const own = new Cells(cells.fields)
  const json = cells.json(key)
  if (json !== undefined) own.apply({ _tag: "set", key, json, silent: true })
  for (const write of writes) if (about(write)) own.apply(write)
  return own.get(key)
}

/**
 * The run handle of one run of a handler. Its methods are those of `Run`, with the types erased.
 *
 * @category models
 */
export class Handle {
  readonly engine: Engine
  readonly run: Run
  closed = false
  attempt: number
  /** The interrupt that this try has made a pause for. */
  paused: string | undefined = undefined
  private asleep = false
  /** Emits that fibers of the handler wait for, and who waits for the last of them. */
  private waits = 0
  private left: (() => void) | undefined = undefined
  private caught = false
  /** When it was used last, where the chunk has an idle time-out. */
  last = 0
  /** What was written and is not visible yet: first what is on its way to the machine, then what waits here. */
  private log: Array<Written> | undefined = undefined
  private sent = 0
  private ownState: OwnState | undefined = undefined
  private counts: Map<string, number> | undefined = undefined

  constructor(engine: Engine, run: Run) {
    this.engine = engine
    this.run = run
    this.attempt = run.tries + 1
  }

  get executionId(): string {
    return this.engine.settings.executionId
  }

  get chunk(): string {
    return this.run.step.node.name
  }

  keyOf(name: string): string {
    return `${this.executionId}/${this.run.id}:${name}`
  }

  get shared(): Shared.Shared<never> {
    const { context, plan } = this.engine
    const shared = Shared.make<never>(plan.data.contract, Context.getOption(context, FlowData))
    return Shared.guarded(shared, (use) => Effect.andThen(this.heartbeat, use))
  }

  get state(): OwnState {
    return (this.ownState ??= new OwnState(this))
  }

  /** The defect of a handle that is used too late. */
  get dead(): Effect.Effect<never> {
    return Effect.die(new FlowError.RunHandleClosed({ chunk: this.chunk }))
  }

  /** Takes what was written since the last visible point. */
  take(): Writes {
    const log = this.trim()
    if (log === undefined || log.length === this.sent) return undefined
    const writes = log.slice(this.sent)
    this.sent = log.length
    return writes
  }

  /** Forgets what was written since the last visible point. */
  private drop(): void {
    this.paused = undefined
    if (this.log !== undefined) this.log.length = this.sent
  }

  /** A write that goes to the machine right behind what was taken. */
  sendToo(write: Written): void {
    ;(this.log ??= []).splice(this.sent++, 0, write)
  }

  /** What was written and is not visible yet. */
  get own(): ReadonlyArray<Written> {
    return this.trim() ?? none
  }

  /** Lets go of what has become visible. */
  private trim(): Array<Written> | undefined {
    const { log, run } = this
    if (log === undefined || run.applied === 0) return log
    log.splice(0, run.applied)
    this.sent -= run.applied
    run.applied = 0
    return log
  }

  /** How many items were put since the last visible point. */
  private get items(): number {
    let items = 0
    for (let at = this.sent; at < (this.log?.length ?? 0); at++) if (this.log?.[at]?._tag === "item") items++
    return items
  }

  write(write: Written): void {
    ;(this.log ??= []).push(write)
  }

  sync<A>(f: () => A): Effect.Effect<A> {
    return Effect.suspend(() => {
      if (this.closed) return this.dead
      this.alive()
      return Effect.succeed(f())
    })
  }

  /** Something that the contract may not admit: then the handler fails with what is wrong. */
  guarded<A>(f: () => Result.Result<A, Cause.Cause<never>>): Effect.Effect<A> {
    return Effect.suspend(() => {
      if (this.closed) return this.dead
      this.alive()
      const result = f()
      return Result.isFailure(result) ? Effect.failCause(result.failure) : Effect.succeed(result.success)
    })
  }

  encode(part: string, codec: Field["codec"] | undefined, value: unknown): Result.Result<Json, Cause.Cause<never>> {
    const json = codec === undefined ? Result.fail("the contract has no such part") : codec.encode(value)
    return Result.mapError(json, (issue) => {
      const cause = this.engine.error(new FlowError.ContractViolation({ part, issue, chunk: this.chunk }))
      // It fails the execution and is no failure of the handler's own type.
      return cause as Cause.Cause<never>
    })
  }

  /** It shows that it is at work. */
  alive(): void {
    if (this.run.step.node.settings.idleTimeout !== undefined) this.last = this.engine.now()
  }

  get heartbeat(): Effect.Effect<void> {
    return this.sync(() => undefined)
  }

  get commit(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.closed) return resume(this.dead)
      this.alive()
      const writes = this.take()
      if (writes === undefined) return resume(Effect.void)
      this.engine.submit({
        _tag: "Later",
        make: () => ({ _tag: "Commit", run: this.run, writes }),
        then: () => resume(Effect.void)
      })
    })
  }

  save(options?: Saving.Options): Effect.Effect<Snapshot, FlowError.FlowError> {
    // What an execution was started with is in a snapshot only where it has not been started.
    return Effect.andThen(this.commit, Saving.save(this.engine.root, undefined, options))
  }

  // ---------------------------------------------------------------------------------------------- signals

  private key(signal: string, options: EmitOptions | undefined): string | undefined {
    if (!this.engine.settings.recorded) return undefined
    // Each try has operations of its own, and so has the handler of `catch`.
    const again = this.caught ? "@catch" : this.attempt === 1 ? "" : `@${this.attempt}`
    if (options?.key !== undefined) return `${signal}:${options.key}${again}`
    const counts = (this.counts ??= new Map())
    const count = (counts.get(signal) ?? 0) + 1
    counts.set(signal, count)
    return `${signal}#${count}${again}`
  }

  private emitted(
    mode: "await" | "exit",
    signal: Signal.Any,
    payload: unknown,
    options: EmitOptions | undefined
  ): Effect.Effect<unknown> {
    return Effect.callback<unknown>((resume) => {
      if (this.closed) return resume(this.dead)
      this.alive()
      const { engine, run } = this
      this.waits++
      const op = engine.op((exit) => {
        this.alive()
        this.waited()
        resume(this.replies(mode, signal, exit))
      })
      const key = this.key(signal.name, options)
      engine.submit({ _tag: "Emit", run, op, key, signal: signal.name, payload, mode, writes: this.take() })
      return engine.stopEmit(this, op)
    })
  }

  /** A fiber no longer waits for what it has emitted. */
  waited(): void {
    if (--this.waits === 0) this.left?.()
  }

  /** Whether a fiber that has outlived the handler, or its try, still waits for what it has emitted. */
  get outlived(): boolean {
    return this.waits > 0
  }

  /** Stops what such fibers wait for, and waits until it has stopped; they are told that they are too late. */
  get stopOutlived(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.outlived) return Effect.void
      const { engine, run } = this
      return Effect.uninterruptible(
        Effect.callback<void>((resume) => {
          this.left = () => resume(Effect.void)
          engine.stopEmits(run, Exit.die(new FlowError.RunHandleClosed({ chunk: this.chunk })))
        })
      )
    })
  }

  private replies(mode: "await" | "exit", signal: Signal.Any, exit: Exit.Exit<unknown, unknown>): Exit.Exit<unknown> {
    const codec = this.engine.plan.codecs.signals.get(signal.name)?.reply
    // A subtree that fails never tells its emitter; what does fail here is a failure of the execution.
    if (Exit.isFailure(exit)) return exit as Exit.Exit<never>
    const read = (replies: unknown): Exit.Exit<unknown> => {
      if (codec === undefined) return Exit.void
      const list = Array.isArray(replies) ? replies : []
      for (const reply of list) {
        const json = this.encode(`the reply to ${signal.name}`, codec, reply)
        if (Result.isFailure(json)) return Exit.failCause(json.failure)
      }
      return Exit.succeed(list)
    }
    if (mode === "await") return read(exit.value)
    // With mode exit the value is the Exit of the subtree.
    const inner = exit.value as Exit.Exit<unknown, unknown>
    if (Exit.isFailure(inner)) return Exit.succeed(inner)
    const replies = read(inner.value)
    return Exit.isFailure(replies) ? replies : Exit.succeed(replies)
  }

  emit(signal: Signal.Any, payload: unknown, options?: EmitOptions): Effect.Effect<unknown> {
    return this.emitted("await", signal, payload, options)
  }

  emitExit(signal: Signal.Any, payload: unknown, options?: EmitOptions): Effect.Effect<unknown> {
    return this.emitted("exit", signal, payload, options)
  }

  emitFork(signal: Signal.Any, payload: unknown, options?: EmitOptions): Effect.Effect<void> {
    return this.sync(() => {
      const key = this.key(signal.name, options)
      const writes = this.take()
      this.engine.submitLater({
        _tag: "Emit",
        run: this.run,
        op: 0,
        key,
        signal: signal.name,
        payload,
        mode: "fork",
        writes
      })
    })
  }

  // ---------------------------------------------------------------------------------------------- stream, result

  put(item: unknown, options?: PutOptions): Effect.Effect<void> {
    const { engine } = this
    const put = this.guarded(() =>
      Result.map(this.encode("stream", this.engine.plan.stream, item), (json) => {
        if (options?.volatile === true) this.engine.tell({ _tag: "item", json, volatile: true })
        else this.write({ _tag: "item", json })
      })
    )
    if (engine.root.settings.stream._tag !== "suspend") return put
    // What waits for room has to be seen, or no reader could make room.
    return Effect.suspend(() =>
      Effect.andThen(
        engine.root.stream.full(this.items) ? Effect.andThen(this.commit, engine.root.stream.room) : Effect.void,
        put
      )
    )
  }

  setResult(result: unknown): Effect.Effect<void> {
    return this.guarded(() =>
      this.engine.plan.result === undefined
        ? Result.void
        : Result.map(this.encode("result", this.engine.plan.result, result), (json) =>
            this.write({ _tag: "result", json })
          )
    )
  }

  // ---------------------------------------------------------------------------------------------- questions

  pause(
    interrupt: Interrupt.Any,
    payload: unknown,
    options?: PauseOptions<"next" | "self" | Signal.Any>
  ): Effect.Effect<Interrupt.Pause<never>> {
    return this.guarded(() => {
      const to = options?.to ?? "next"
      const expires = options?.expires
      const codecs = this.engine.plan.codecs.interrupts.get(interrupt.name)
      const otherwise = options?.otherwise === undefined ? undefined : { value: options.otherwise }
      const fits = Result.flatMap(this.encode(`interrupt ${interrupt.name}`, codecs?.payload, payload), () =>
        otherwise === undefined
          ? Result.succeed(null)
          : this.encode(`the answer to ${interrupt.name}`, codecs?.resume, otherwise.value)
      )
      return Result.map(fits, () => {
        // A handler that is run again by its answer may make one that it does not need any more.
        if (to !== "self") this.paused = interrupt.name
        return Interrupt.pause<never>({
          interrupt: interrupt.name,
          id: options?.id,
          payload,
          target: typeof to === "string" ? to : { signal: to.name },
          expiresIn: expires === undefined ? undefined : Duration.toMillis(Duration.fromInputUnsafe(expires)),
          otherwise
        })
      })
    })
  }

  resumed(interrupt: Interrupt.Any): Option.Option<unknown> {
    const { answer } = this.run
    return answer?.interrupt === interrupt.name ? Option.some(answer.value) : Option.none()
  }

  asked(interrupt: Interrupt.Any): Option.Option<unknown> {
    const { answer } = this.run
    return answer?.interrupt === interrupt.name ? Option.fromUndefinedOr(answer.asked) : Option.none()
  }

  get interventions(): Effect.Effect<ReadonlyArray<Intervention<unknown>>> {
    return this.sync(() =>
      interventionsOf(this.engine).filter(({ status }) => status !== "pending" && status !== "expired")
    )
  }

  settleIntervention(id: string, status: "applied" | "ignored"): Effect.Effect<void> {
    return this.sync(() => this.engine.submitLater({ _tag: "SettleIntervention", id, status }))
  }

  on(
    signal: Signal.Any,
    handler: (payload: never) => Effect.Effect<unknown, never, unknown>
  ): Effect.Effect<void, never, Scope.Scope> {
    return Effect.andThen(
      this.sync(() => undefined),
      bind(this.engine, signal, handler)
    )
  }

  // ---------------------------------------------------------------------------------------------- the run itself

  /** The handler as an Effect: with its Scope, its tries and its time-outs. */
  effect(handler: Handler, settings: ChunkSettings): Effect.Effect<unknown, unknown> {
    const { run } = this
    // Input and handle have the types that the chain was built with; what the handler needs is in the context.
    const call = handler as unknown as (input: unknown, run: Handle) => Effect.Effect<unknown, unknown>
    const once = Effect.suspend(() => call(run.input, this))
    // What it acquires belongs to its try; without tries, to the Scope of the run.
    return isBare(settings) ? once : Effect.scoped(this.settled(Effect.scoped(once), settings))
  }

  private settled(once: Effect.Effect<unknown, unknown>, settings: ChunkSettings): Effect.Effect<unknown, unknown> {
    const { timeout, idleTimeout, retry } = settings
    let effect = once
    if (timeout !== undefined) {
      const limit = Duration.toMillis(Duration.fromInputUnsafe(timeout))
      effect = Effect.timeoutOrElse(effect, { duration: limit, orElse: () => this.late("run", limit) })
    }
    if (idleTimeout !== undefined) {
      const limit = Duration.toMillis(Duration.fromInputUnsafe(idleTimeout))
      effect = Effect.raceFirst(effect, this.idle(limit))
    }
    if (retry !== undefined) effect = this.retried(effect, retry)
    // The handler of `catch` has the types that the chain was built with.
    const handler = settings.catch as unknown as
      | ((error: unknown, input: unknown, run: Handle) => Effect.Effect<unknown, unknown>)
      | undefined
    if (handler !== undefined)
      effect = Effect.catch(effect, (error) => {
        this.drop()
        this.caught = true
        this.counts = undefined
        return Effect.andThen(
          Effect.andThen(this.stopOutlived, this.awake),
          Effect.scoped(handler(error, this.run.input, this))
        )
      })
    return Effect.mapError(effect, (error) =>
      error instanceof FlowError.ChunkTimeout
        ? new FlowError.FlowError({
            flow: this.engine.plan.data.contract.name,
            execution: this.executionId,
            reason: error
          })
        : error
    )
  }

  private retried(
    effect: Effect.Effect<unknown, unknown>,
    retry: NonNullable<ChunkSettings["retry"]>
  ): Effect.Effect<unknown, unknown> {
    const attempt = Effect.suspend(() => {
      if (!this.asleep) return effect
      this.attempt++
      return Effect.andThen(this.awake, effect)
    })
    const tried = Effect.tapError(attempt, (error) =>
      Effect.map(this.failedTry(error), () => {
        // What this try had written is gone; it sleeps without a permit.
        this.drop()
        this.counts = undefined
        this.asleep = true
        this.engine.submit({ _tag: "Asleep", run: this.run })
      })
    )
    // The Schedule takes the failures of the handler that it was written for.
    return Effect.retry(tried, retry as never)
  }

  private failedTry(error: unknown): Effect.Effect<void> {
    const { trace } = this.engine
    return trace === undefined
      ? this.stopOutlived
      : Effect.andThen(trace.failedTry(this.attempt, error), this.stopOutlived)
  }

  /** A run that sleeps goes on when it has its permit again. */
  private readonly awake: Effect.Effect<void> = Effect.suspend(() => {
    if (!this.asleep) return Effect.void
    this.asleep = false
    return Effect.callback<void>((resume) => {
      const op = this.engine.op(() => resume(Effect.void))
      this.engine.submit({ _tag: "Awake", run: this.run, op })
    })
  })

  private late(kind: "run" | "idle", limit: number): Effect.Effect<never, FlowError.ChunkTimeout> {
    return Effect.fail(new FlowError.ChunkTimeout({ chunk: this.chunk, kind, limit }))
  }

  private idle(limit: number): Effect.Effect<never, FlowError.ChunkTimeout> {
    const wait: Effect.Effect<never, FlowError.ChunkTimeout> = Effect.suspend(() => {
      const left = this.last + limit - this.engine.now()
      return left > 0 ? Effect.flatMap(Effect.sleep(left), () => wait) : this.late("idle", limit)
    })
    return Effect.suspend(() => {
      this.last = this.engine.now()
      return wait
    })
  }
}

const none: ReadonlyArray<Written> = []

const isBare = ({ retry, timeout, idleTimeout, catch: handler }: ChunkSettings): boolean =>
  retry === undefined && timeout === undefined && idleTimeout === undefined && handler === undefined

/** The interventions of an execution, decoded. @category getters */
export const interventionsOf = (engine: Engine): ReadonlyArray<Intervention<unknown>> =>
  (engine.machine.ledger?.entries ?? []).map(({ id, json, author, target, status }) => ({
    id,
    payload: Result.getOrThrow(engine.plan.codecs.intervention.decode(json)),
    author,
    target,
    status
  }))

/** Lets a handler listen to a signal for as long as the Scope is open. @category constructors */
export const bind = (
  engine: Engine,
  signal: Signal.Any,
  handler: (payload: never) => Effect.Effect<unknown, never, unknown>
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.contextWith((context: Context.Context<Scope.Scope>) => {
    const step = {
      id: -1,
      next: undefined,
      listeners: [],
      node: {
        kind: "chunk",
        name: `on ${signal.name}`,
        handler: (payload: never) => Effect.provideContext(handler(payload), context),
        settings: {}
      }
    } as const
    return Effect.asVoid(
      Effect.acquireRelease(
        Effect.sync(() => engine.submit({ _tag: "Bind", signal: signal.name, step })),
        () => Effect.sync(() => engine.submit({ _tag: "Unbind", signal: signal.name, step }))
      )
    )
  })
