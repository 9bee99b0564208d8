// What the tests of flows share: a contract with a bit of everything, and small handlers.
import { type Cause, Deferred, Effect, Exit, Fiber, Option, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { FlowErrors, Interrupt, Signal, TriggerFlow } from "effigent/triggerflow"

/** Signals that carry numbers. */
export const A = Signal.make("A", Schema.Number)
export const B = Signal.make("B", Schema.Number)
export const E = Signal.make("E", Schema.Number)
/** A signal whose chains reply. */
export const Ask = Signal.make("Ask", Schema.Number, { reply: Schema.String })
/** A signal that carries an answer. */
export const Got = Signal.make("Got", Schema.Struct({ ok: Schema.Boolean }))
export const Approval = Interrupt.make("Approval", {
  payload: Schema.String,
  resume: Schema.Struct({ ok: Schema.Boolean })
})
export const Choice = Interrupt.make("Choice", { payload: Schema.Number, resume: Schema.Number })

/** A contract with a bit of everything. */
export const F = TriggerFlow.define("f", {
  input: Schema.Number,
  state: Schema.Struct({
    n: Schema.Number,
    list: Schema.Array(Schema.Number),
    note: Schema.optionalKey(Schema.String)
  }),
  initial: { n: 0, list: [] },
  stream: Schema.Json,
  result: Schema.Json,
  signals: [A, B, E, Ask, Got],
  interrupts: [Approval, Choice]
})

export class Boom extends Schema.TaggedError<Boom>()("Boom", { at: Schema.Json }) {}

/** A handler that gives what a plain function gives. */
export const pure =
  <I, O>(f: (input: I) => O) =>
  (input: I): Effect.Effect<O> =>
    Effect.sync(() => f(input))

/** How an execution that failed by itself did so. */
export const reasonOf = <A, X>(exit: Exit.Exit<A, X>): string => {
  const error = Exit.findErrorOption(exit)
  return Option.isSome(error) && error.value instanceof FlowErrors.FlowError ? error.value.reason._tag : "none"
}

/** The failure of an Exit. */
export const errorOf = <A, X>(exit: Exit.Exit<A, X>): X | undefined => Option.getOrUndefined(Exit.findErrorOption(exit))

export const causeOf = <A, X>(exit: Exit.Exit<A, X>): Cause.Cause<X> | undefined =>
  Exit.isFailure(exit) ? exit.cause : undefined

/** Begins an Effect beside the test, at once. */
export const beside = <A, X, R>(effect: Effect.Effect<A, X, R>): Effect.Effect<Fiber.Fiber<A, X>, never, R> =>
  Effect.forkChild(effect, { startImmediately: true })

/** Runs an Effect while the test clock goes on. */
export const during = <A, X, R>(millis: number, effect: Effect.Effect<A, X, R>): Effect.Effect<A, X, R> =>
  Effect.gen(function* () {
    const fiber = yield* beside(effect)
    yield* TestClock.adjust(millis)
    return yield* Fiber.join(fiber)
  })

/** Lets everything run that can run without the clock. */
export const settle: Effect.Effect<void> = TestClock.adjust(0)

/** How many are at work at once. */
export class Meter {
  now = 0
  max = 0
  total = 0
  /** Counts as long as the Effect runs. */
  readonly during = <A, X, R>(effect: Effect.Effect<A, X, R>): Effect.Effect<A, X, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        this.max = Math.max(this.max, ++this.now)
        this.total++
      }),
      () => effect,
      () => Effect.sync(() => this.now--)
    )
}

/** A gate that a handler waits at. */
export const gate = Deferred.make<void>()

export type { Scope }
