/**
 * Limits of one provider: how many requests at a time, how many in a span of time, and when to leave it alone. What
 * exceeds a limit waits in line, first come first served; who is interrupted leaves the line. By effect's own
 * semaphore, rate limiter and circuit breaker.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as RateLimiter from "effect/persistence/RateLimiter"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { ModelError, ProviderUnavailable, RateLimited } from "../../services/ModelError.ts"
import { type ModelEvent, ModelProvider, type ModelRequest } from "../../services/ModelProvider.ts"

/**
 * When a provider that keeps failing is left alone.
 *
 * @category models
 */
export interface CircuitOptions {
  /** After so many failures in a row. Default 5. */
  readonly failures?: number | undefined
  /** For so long; then one request tries. Longer where the provider asks for it, up to 5 minutes. Default 30 s. */
  readonly openFor?: Duration.Input | undefined
}

/**
 * Limits of one provider. Those that are absent do not limit.
 *
 * @category models
 */
export interface LimitOptions {
  /** The most requests in flight; a request counts until its answer has ended. */
  readonly concurrency?: number | undefined
  /** The most requests that begin in a span of time. `token-bucket` spreads them; default `fixed-window`. */
  readonly rate?:
    | {
        readonly limit: number
        readonly window: Duration.Input
        readonly algorithm?: "fixed-window" | "token-bucket" | undefined
      }
    | undefined
  /** The most requests that may wait; a further one fails at once as `RateLimited` (`queue_full`). */
  readonly maxQueued?: number | undefined
  /** Fails at once as `ProviderUnavailable` (`circuit_open`), instead of sending, while the provider keeps failing. */
  readonly circuit?: CircuitOptions | undefined
}

// Breakers, and limiters that are not shared, are made per provider, so that one key serves.
const key = "requests"

/** Where processes count together, and under which name. */
interface Shared {
  readonly store: RateLimiter.RateLimiterStore["Service"]
  readonly name: string
}

type Refuse = (request: ModelRequest, reason: ModelError["reason"]) => ModelError

interface Gate {
  /** Waits in line. */
  readonly wait: Effect.Effect<void, never, Scope.Scope>
  /** Passes at once, or says that one would have to wait. */
  readonly pass: Effect.Effect<boolean, never, Scope.Scope>
}

const slotsGate = (concurrency: number): Gate => {
  const slots = Semaphore.makeUnsafe(concurrency)
  return {
    wait: slots.takeScoped(1),
    pass: Effect.acquireRelease(slots.takeIfAvailable(1), (taken) => (taken ? slots.release(1) : Effect.void))
  }
}

// The line is the semaphore's: only its head asks the limiter, so that a waiter who leaves has taken nothing.
const rateGate = Effect.fnUntraced(function* (
  rate: NonNullable<LimitOptions["rate"]>,
  shared: Shared | undefined
): Effect.fn.Return<Gate> {
  const store =
    shared === undefined
      ? RateLimiter.layerStoreMemory
      : Layer.succeed(RateLimiter.RateLimiterStore, RateLimiter.RateLimiterStore.of(shared.store))
  const limiter = yield* Effect.provide(RateLimiter.make, store)
  const line = Semaphore.makeUnsafe(1)
  // Undefined where one more may begin, else how long that takes.
  const consume = limiter
    .consume({
      key: shared?.name ?? key,
      limit: rate.limit,
      window: rate.window,
      algorithm: rate.algorithm ?? "fixed-window",
      onExceeded: "fail"
    })
    .pipe(
      Effect.as<Duration.Duration | undefined>(undefined),
      Effect.catchTag("RateLimiterError", ({ reason }) =>
        reason._tag === "RateLimitExceeded"
          ? Effect.succeed(reason.retryAfter)
          : // The provider has limits of its own; nothing would be sent at all where nobody can count.
            Effect.as(Effect.logWarning("Nobody counts a shared rate limit: its store has failed", reason), undefined)
      )
    )
  const untilAllowed: Effect.Effect<void> = Effect.flatMap(consume, (wait) =>
    wait === undefined
      ? Effect.void
      : Effect.andThen(Effect.sleep(Duration.max(wait, Duration.millis(1))), untilAllowed)
  )
  return {
    wait: line.withPermit(untilAllowed),
    pass: Effect.map(
      line.withPermitsIfAvailable(1)(consume),
      (tried) => tried._tag === "Some" && tried.value === undefined
    )
  }
})

const isFailure = (error: ModelError): boolean => error.isRetryable || error.reason._tag === "StreamFailed"

// What the end of an answer says of the provider's health. What the request or the key is to blame for says nothing.
const classify = (exit: Exit.Exit<void, ModelError>): CircuitBreaker.Outcome => {
  if (Exit.isSuccess(exit)) return CircuitBreaker.success
  const error = Cause.findErrorOption(exit.cause)
  if (error._tag === "None" || !isFailure(error.value)) return CircuitBreaker.ignored
  const retryAfter = error.value.retryAfterMillis
  return CircuitBreaker.failure(retryAfter === undefined ? {} : { retryAfter })
}

interface Circuit {
  /** Fails where the circuit is open, before anything waits in line. */
  readonly check: (request: ModelRequest) => Effect.Effect<void, ModelError>
  /** The stream, if it may be sent; how it ends is counted. */
  readonly guard: (
    request: ModelRequest,
    stream: Stream.Stream<ModelEvent, ModelError>
  ) => Effect.Effect<Stream.Stream<ModelEvent, ModelError>, ModelError, Scope.Scope>
}

const circuitBreaker = Effect.fnUntraced(function* (options: CircuitOptions, refuse: Refuse) {
  const store = yield* Layer.build(CircuitBreaker.layerStoreMemory())
  const breaker = yield* CircuitBreaker.make({
    tripPolicy: CircuitBreaker.consecutive(options.failures ?? 5),
    openDuration: options.openFor ?? "30 seconds",
    maxOpenDuration: "5 minutes"
  }).pipe(Effect.provideContext(store))

  const open = (request: ModelRequest, retryAfter: Duration.Duration | undefined): ModelError =>
    refuse(
      request,
      new ProviderUnavailable({
        detail: "the circuit is open after repeated failures; nothing was sent",
        code: "circuit_open",
        ...(retryAfter === undefined ? {} : { retryAfterMillis: Math.ceil(Duration.toMillis(retryAfter)) })
      })
    )
  const rejected = (request: ModelRequest, { reason }: CircuitBreaker.CircuitBreakerError): ModelError =>
    open(request, reason._tag === "CircuitOpen" ? reason.retryAfter : undefined)

  const circuit: Circuit = {
    check: (request) =>
      breaker.state(key).pipe(
        Effect.catchTag("CircuitBreakerError", (error) => Effect.fail(rejected(request, error))),
        Effect.flatMap((state) =>
          state._tag === "Open" && !Duration.isZero(state.retryAfter)
            ? Effect.fail(open(request, state.retryAfter))
            : Effect.void
        )
      ),
    // The breaker guards an Effect, an answer is a Stream: one fiber stands in for the answer until it ends.
    guard: Effect.fnUntraced(function* (request, stream) {
      const scope = yield* Effect.scope
      const admitted = yield* Deferred.make<void, ModelError>()
      const ended = yield* Deferred.make<void, ModelError>()
      const watch = Effect.andThen(Deferred.succeed(admitted, undefined), Deferred.await(ended)).pipe(
        breaker.execute({ key, classify }),
        Effect.catchTag("CircuitBreakerError", (error) => Deferred.fail(admitted, rejected(request, error))),
        Effect.ignore
      )
      const fiber = yield* Effect.forkIn(watch, scope, { startImmediately: true })
      // An answer that its reader leaves tells nothing: the fiber is interrupted.
      const settle = (exit: Exit.Exit<void, ModelError>) =>
        Effect.andThen(Deferred.done(ended, exit), Fiber.await(fiber))
      yield* Deferred.await(admitted)
      return stream.pipe(
        Stream.onEnd(settle(Exit.void)),
        Stream.tapError((error) => settle(Exit.fail(error)))
      )
    })
  }
  return circuit
})

/** A provider with limits, which live in the current Scope. @category constructors */
export const wrap = Effect.fnUntraced(function* (
  inner: ModelProvider["Service"],
  options: LimitOptions,
  shared?: Shared
): Effect.fn.Return<ModelProvider["Service"], never, Scope.Scope> {
  const refuse: Refuse = (request, reason) =>
    new ModelError({ provider: inner.name, ...(request.model === undefined ? {} : { model: request.model }), reason })
  const gates = [
    ...(options.concurrency === undefined ? [] : [slotsGate(options.concurrency)]),
    ...(options.rate === undefined ? [] : [yield* rateGate(options.rate, shared)])
  ]
  const circuit = options.circuit === undefined ? undefined : yield* circuitBreaker(options.circuit, refuse)
  const maxQueued = options.maxQueued ?? Number.POSITIVE_INFINITY
  let queued = 0

  const wait = Effect.suspend(() => {
    queued++
    return Effect.ensuring(
      Effect.forEach(gates, (gate) => gate.wait, { discard: true }),
      Effect.sync(() => void queued--)
    )
  })
  const pass = Effect.fnUntraced(function* (request: ModelRequest) {
    for (const gate of gates) {
      if (yield* gate.pass) continue
      const detail = `${maxQueued} requests may wait, and as many do; nothing was sent`
      return yield* refuse(request, new RateLimited({ detail, code: "queue_full" }))
    }
  })
  const enter = (request: ModelRequest) => Effect.suspend(() => (queued < maxQueued ? wait : pass(request)))

  return {
    ...inner,
    stream: (request) =>
      Stream.unwrap(
        Effect.gen(function* () {
          if (circuit !== undefined) yield* circuit.check(request)
          yield* enter(request)
          const stream = inner.stream(request)
          return circuit === undefined ? stream : yield* circuit.guard(request, stream)
        })
      )
  }
})

/**
 * Limits the provider in the context: requests in flight, requests in a span of time, and a circuit breaker. The limits
 * hold for all who share the layer.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Agent } from "effigent"
 * import { ModelPool } from "effigent/layers/pool"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const model = ModelPool.limits({ concurrency: 2, rate: { limit: 60, window: "1 minute" } }).pipe(
 *   Layer.provide(ScriptedModel.always(ScriptedModel.text("fine")))
 * )
 * const ask = (input: string) => Agent.make({}).pipe(Agent.input(input), Agent.run)
 * const all = Effect.forEach(["a", "b", "c"], ask, { concurrency: "unbounded" })
 * console.log(await Effect.runPromise(all.pipe(Effect.provide(model)))) // => [ 'fine', 'fine', 'fine' ]
 * ```
 *
 * @category layers
 */
export const limits = (options: LimitOptions): Layer.Layer<ModelProvider, never, ModelProvider> =>
  Layer.effect(
    ModelProvider,
    Effect.flatMap(ModelProvider, (inner) => wrap(inner, options))
  )

/**
 * The same, where several processes share the `rate`: they count in the `RateLimiterStore` of the context, such as
 * `RateLimits.layer` of `effigent/layers/sql-store`, under a name. The other limits are those of this process. Where the
 * store fails, requests go out uncounted, with a warning.
 *
 * @category layers
 */
export const sharedLimits = (
  name: string,
  options: LimitOptions
): Layer.Layer<ModelProvider, never, ModelProvider | RateLimiter.RateLimiterStore> =>
  Layer.effect(
    ModelProvider,
    Effect.gen(function* () {
      const store = yield* RateLimiter.RateLimiterStore
      return yield* wrap(yield* ModelProvider, options, { store, name })
    })
  )
