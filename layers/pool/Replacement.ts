/**
 * The one place where a failed request is replaced by another: retries, keys and fall-back models are decisions of this
 * kind. Each replacement is announced by `Restarted`, so that readers see every attempt and never glue two together.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { ModelError } from "../../services/ModelError.ts"
import type { ModelEvent } from "../../services/ModelProvider.ts"
import * as Allowance from "./Allowance.ts"

/**
 * What replaces a failed request.
 *
 * @category models
 */
export interface Replacement {
  /** Why, in words for people. */
  readonly reason: string
  /** How long to wait before it is sent, in milliseconds. */
  readonly delay: number
  /** The other request. */
  readonly stream: Stream.Stream<ModelEvent, ModelError>
  /** What is reported where the allowance does not cover it. */
  readonly otherwise: ModelError
}

/**
 * Decides what follows a failure: a replacement, or the error that is reported. It is asked again when the replacement
 * fails.
 *
 * @category models
 */
export type Decide = (error: ModelError) => Effect.Effect<Replacement | ModelError>

// The reader has seen, or may act on, something of this attempt.
const shows = (event: ModelEvent): boolean =>
  event._tag !== "Info" && event._tag !== "Usage" && event._tag !== "Raw" && event._tag !== "Restarted"

/**
 * A request with its replacements. Once output has been shown, a failure is final unless `replay` is set. The failed
 * request's connection is closed before its replacement is asked for.
 *
 * @category streams
 */
export const replacing = (
  stream: Stream.Stream<ModelEvent, ModelError>,
  replay: boolean,
  decide: Decide
): Stream.Stream<ModelEvent, ModelError> =>
  Stream.suspend(() => {
    let shown = false
    const watched = replay
      ? stream
      : Stream.mapArray(stream, (events) => {
          if (!shown) shown = events.some(shows)
          return events
        })
    return Stream.catchTag(watched, "ModelError", (error) => {
      if (shown) return Stream.fail(error)
      return Stream.unwrap(
        Effect.gen(function* () {
          const next = yield* decide(error)
          if (next instanceof ModelError) return Stream.fail(next)
          if (!(yield* Allowance.spend(next.delay))) return Stream.fail(next.otherwise)
          const restarted: ModelEvent = { _tag: "Restarted", reason: next.reason }
          const again = replacing(next.stream, replay, decide)
          return Stream.concat(
            Stream.succeed(restarted),
            next.delay === 0 ? again : Stream.unwrap(Effect.as(Effect.sleep(next.delay), again))
          )
        })
      )
    })
  })

/** The first error of several, with the others attached. @category errors */
export const firstOf = (errors: ReadonlyArray<ModelError>, last: ModelError): ModelError => {
  const [first, ...others] = errors
  if (first === undefined || first === last) return last
  const failures = [...others, last].flatMap(({ model, others = [], provider, reason }) => [
    { provider, reason, ...(model === undefined ? {} : { model }) },
    ...others
  ])
  return new ModelError({
    provider: first.provider,
    reason: first.reason,
    ...(first.model === undefined ? {} : { model: first.model }),
    others: [...(first.others ?? []), ...failures]
  })
}

/** The clock in milliseconds. @category clocks */
export const now: Effect.Effect<number> = Clock.currentTimeMillis

/** How long the provider asks to wait, at most `cap` milliseconds; 0 where it asks for nothing. @category delays */
export const asked = (error: ModelError, cap: number): number => Math.min(cap, Math.max(0, error.retryAfterMillis ?? 0))
