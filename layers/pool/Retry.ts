/** Sends a failed request again: the retry policy of a model provider, as a layer around it. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { ModelError } from "../../services/ModelError.ts"
import { ModelProvider } from "../../services/ModelProvider.ts"
import * as Allowance from "./Allowance.ts"
import * as Replacement from "./Replacement.ts"

/**
 * When and how often a failed request is sent again.
 *
 * @category models
 */
export interface RetryOptions {
  /**
   * The most physical requests, the first one included. All that stands inside spends from it: retries of an inner
   * layer, further keys, fall-back models. Default 3.
   */
  readonly attempts?: number | undefined
  /** No request begins later than this after the first one. Default 2 minutes. */
  readonly time?: Duration.Input | undefined
  /**
   * The delays; when it ends, so do the retries. Default: `ModelPool.backOff()`.
   */
  readonly schedule?: Schedule.Schedule<unknown, ModelError> | undefined
  /** The longest that a provider may make us wait (`Retry-After`). Default 60 s. */
  readonly maxRetryAfter?: Duration.Input | undefined
  /** Which failures are worth another request. Default: those that are `isRetryable`. */
  readonly when?: ((error: ModelError) => boolean) | undefined
  /**
   * Also after a part of the answer has been shown: readers are told by `Restarted` that all before is void. Default
   * false: the failure is reported.
   */
  readonly replay?: boolean | undefined
}

/**
 * Delays that begin with `first` (default 500 ms), double each time, are at most `max` (default 30 s), and are each
 * changed at random by up to a fifth.
 *
 * @category schedules
 */
export const backOff = (
  first: Duration.Input = "500 millis",
  max: Duration.Input = "30 seconds"
): Schedule.Schedule<unknown> => Schedule.jittered(Schedule.min([Schedule.exponential(first), Schedule.spaced(max)]))

/** A provider that retries. @category constructors */
export const wrap = (inner: ModelProvider["Service"], options: RetryOptions = {}): ModelProvider["Service"] => {
  const attempts = options.attempts ?? 3
  const time = Duration.toMillis(options.time ?? "2 minutes")
  const cap = Duration.toMillis(options.maxRetryAfter ?? "60 seconds")
  const schedule: Schedule.Schedule<unknown, ModelError> = options.schedule ?? backOff()
  const steps = Schedule.toStep(schedule)
  const when = options.when ?? ((error) => error.isRetryable)
  return {
    ...inner,
    stream: (request) =>
      Stream.unwrap(
        Effect.gen(function* () {
          const end = (yield* Replacement.now) + time
          const allowance = new Allowance.Allowance(attempts - 1, end, yield* Allowance.Current)
          // Made with the first failure: most requests have none.
          let step: Effect.Success<typeof steps> | undefined
          const decide: Replacement.Decide = Effect.fnUntraced(function* (error) {
            if (!when(error)) return error
            step ??= yield* steps
            const next = yield* Effect.exit(step(yield* Replacement.now, error))
            if (Exit.isFailure(next)) return error
            const delay = Math.max(Duration.toMillis(next.value[1]), Replacement.asked(error, cap))
            return { reason: error.message, delay, stream: inner.stream(request), otherwise: error }
          })
          const stream = Replacement.replacing(inner.stream(request), options.replay === true, decide)
          return Stream.provideService(stream, Allowance.Current, allowance)
        })
      )
  }
}

/**
 * Retries the provider in the context. Without it, one run is exactly one physical request.
 *
 * A failure that a retry can help (`ModelError.isRetryable`) is waited out, at least as long as the provider asks, and
 * sent again, within one budget of requests and time. Each retry is visible: `$status` events number the attempts, and
 * `deltas` say `Restarted`. After a part of the answer has been shown nothing is sent again, unless `replay` is set.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schedule } from "effect"
 * import { Agent } from "effigent"
 * import { ModelPool } from "effigent/layers/pool"
 * import { RateLimited } from "effigent/services/ModelError"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const busy = ScriptedModel.layer([
 *   ScriptedModel.fail(new RateLimited({ detail: "slow down", retryAfterMillis: 20 })),
 *   ScriptedModel.text("Good morning.")
 * ])
 * const model = ModelPool.retry({ attempts: 2, schedule: Schedule.spaced("10 millis") }).pipe(Layer.provide(busy))
 * const answer = Agent.make({}).pipe(Agent.input("Hello!"), Agent.run)
 * console.log(await Effect.runPromise(answer.pipe(Effect.provide(model)))) // => Good morning.
 * ```
 *
 * @category layers
 */
export const retry = (options?: RetryOptions): Layer.Layer<ModelProvider, never, ModelProvider> =>
  Layer.effect(
    ModelProvider,
    Effect.map(ModelProvider, (inner) => wrap(inner, options))
  )
