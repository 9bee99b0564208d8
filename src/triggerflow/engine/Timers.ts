/**
 * The time of an execution: what expires, what sleeps and is to be woken, when it has taken too long, when it is closed for being idle; and the fibers of
 * the engine's own that end with the execution.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Engine } from "./Engine.ts"
import * as FlowError from "../FlowError.ts"
import type { Record } from "./Record.ts"

/** How long a timer runs before the clock is looked at again: what sleeps until a date follows a clock that is set. */
const nap = 600_000

/**
 * The timers of one engine.
 *
 * @category models
 */
export class Timers {
  private readonly engine: Engine
  private fibers: Set<Fiber.Fiber<unknown, unknown>> | undefined = undefined
  /** When questions expire. */
  private expiries: Map<string, Fiber.Fiber<unknown, unknown>> | undefined = undefined
  private idle: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** Rings when the first of those that sleep is due: one timer, however many sleep. */
  private bell: { readonly at: number; readonly fiber: Fiber.Fiber<unknown, unknown> } | undefined = undefined

  constructor(engine: Engine) {
    this.engine = engine
  }

  /** Forks work of the engine itself, which ends with the execution. */
  own(effect: Effect.Effect<unknown>): Fiber.Fiber<unknown, unknown> {
    const fiber = this.engine.fork(effect)
    if (fiber.pollUnsafe() === undefined) {
      const fibers = (this.fibers ??= new Set())
      fibers.add(fiber)
      fiber.addObserver(() => fibers.delete(fiber))
    }
    return fiber
  }

  /** Ends all of them; gives those that have not ended yet. */
  stop(): ReadonlyArray<Fiber.Fiber<unknown, unknown>> {
    const left = [...(this.fibers ?? [])]
    for (const fiber of left) fiber.interruptUnsafe()
    return left
  }

  /** Submits a record after some milliseconds. */
  after(millis: number, record: Record): Fiber.Fiber<unknown, unknown> {
    return this.own(Effect.flatMap(Effect.sleep(millis), () => Effect.sync(() => this.engine.submit(record))))
  }

  /** A question expires. */
  expire(id: string, expires: number | undefined): void {
    if (expires === undefined) return
    const timer = this.after(Math.max(0, expires - this.engine.now()), { _tag: "Expired", id })
    ;(this.expiries ??= new Map()).set(id, timer)
  }

  /** A question does not wait any more. */
  forget(id: string): void {
    this.expiries?.get(id)?.interruptUnsafe()
    this.expiries?.delete(id)
  }

  /** Sees to it that what sleeps is woken in time. */
  alarm(): void {
    const { engine } = this
    const first = engine.machine.sleepers?.first
    if (first === undefined) return
    const now = engine.now()
    if (first <= now) return this.ring()
    const at = Math.min(first, now + nap)
    if (this.bell !== undefined && this.bell.at <= at) return
    this.bell?.fiber.interruptUnsafe()
    const fiber = this.own(Effect.flatMap(Effect.sleep(at - now), () => Effect.sync(() => this.ring())))
    this.bell = { at, fiber }
  }

  private ring(): void {
    const { engine } = this
    this.bell = undefined
    for (const { frame } of engine.machine.sleepers?.due(engine.now()) ?? []) engine.submit({ _tag: "Slept", frame })
    this.alarm()
  }

  /** Fails the execution where nothing happens for too long. */
  watch(limit: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { engine } = this
      // Who waits for an answer or a time is not idle.
      if (engine.machine.status === "waiting" || engine.isAtRest()) engine.last = engine.now()
      const left = engine.last + limit - engine.now()
      if (left > 0) return Effect.flatMap(Effect.sleep(left), () => this.watch(limit))
      return Effect.sync(() =>
        engine.submit({ _tag: "Fail", cause: engine.error(new FlowError.ExecutionTimeout({ kind: "idle", limit })) })
      )
    })
  }

  /** Closes the execution after a while in which it has nothing to do. */
  close(generation: number): void {
    const { engine } = this
    this.idle?.interruptUnsafe()
    const { autoClose } = engine.settings
    if (autoClose === undefined) return
    const record: Record = { _tag: "AutoClose", generation }
    // Once it is sealed, nothing can come any more.
    if (autoClose === 0 || engine.machine.lifecycle === "sealed") return engine.submit(record)
    this.idle = this.own(
      Effect.flatMap(Effect.sleep(Duration.millis(autoClose)), () => Effect.sync(() => engine.submit(record)))
    )
  }
}
