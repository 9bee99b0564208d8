/**
 * Hooks: Effects that a response runs at the turns of its life. They see, and change nothing; a hook that fails fails the
 * response. For counting, logging, auditing, and for refusing to go on.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ModelRequest } from "../../services/ModelProvider.ts"
import type { Source } from "./Attempts.ts"
import type { Attempt, FullResponse } from "./ModelResponse.ts"
import type { Recorder } from "./Recorder.ts"

/**
 * Why an attempt did not stand, and which one follows.
 *
 * @category models
 */
export interface Restart {
  /** The attempt that is void. */
  readonly attempt: number
  /** The attempt that follows. */
  readonly nextAttempt: number
  readonly reason: string
}

/**
 * The turns at which hooks are run. What a hook gives is dropped; how it fails goes into the agent's type.
 *
 * @category models
 */
export interface Hooks<out E = never, out R = never> {
  /** Before an attempt is sent, with the request as it will be sent: behind all input guards. */
  readonly beforeRequest?: ((request: ModelRequest) => Effect.Effect<unknown, E, R>) | undefined
  /** When an attempt has ended, with what was wrong with it; in order, before the next one is sent. */
  readonly afterAttempt?: ((attempt: Attempt) => Effect.Effect<unknown, E, R>) | undefined
  /** When another attempt follows, behind `afterAttempt`. */
  readonly onRestart?: ((restart: Restart) => Effect.Effect<unknown, E, R>) | undefined
  /** When the response is complete, before any reader is told so. Not run where it fails. */
  readonly afterResponse?: ((response: FullResponse<unknown>) => Effect.Effect<unknown, E, R>) | undefined
}

/**
 * A source with hooks, and what has to be run around the work that uses it.
 *
 * @category models
 */
export interface Hooked<E, R, E2, R2> {
  readonly source: Source<E | E2, R | R2>
  /** Wraps the work of a response: hooks at its end, and the news of a good end. */
  readonly around: <A, E3, R3>(
    work: Effect.Effect<FullResponse<A>, E3, R3>
  ) => Effect.Effect<FullResponse<A>, E3 | E2, R3 | R2>
}

/**
 * Puts hooks around a source. Each kind of hook is run in the order in which the hooks were added.
 *
 * @category constructors
 */
export const make = <E, R, E2, R2, A>(
  source: Source<E, R>,
  hooks: ReadonlyArray<Hooks<E2, R2>>,
  recorder: Recorder<A>
): Hooked<E, R, E2, R2> => {
  const complete = <B>(full: B): Effect.Effect<B> =>
    Effect.sync(() => {
      recorder.complete()
      return full
    })
  if (hooks.length === 0) return { source, around: (work) => Effect.flatMap(work, complete) }

  const each = (run: (hooks: Hooks<E2, R2>) => Effect.Effect<unknown, E2, R2> | undefined) =>
    Effect.forEach(hooks, (one) => run(one) ?? Effect.void, { discard: true })

  // Attempts end in the recorder, also where a provider replays; here they are told one after the other.
  let told = 0
  const tell = Effect.whileLoop({
    while: () => told < recorder.ended.length,
    body: () => {
      const attempt = recorder.ended[told]
      const reason = recorder.restarts[told]
      told++
      if (attempt === undefined) return Effect.void
      const ended = each((one) => one.afterAttempt?.(attempt))
      if (reason === undefined) return ended
      const restart = { attempt: attempt.attempt, nextAttempt: attempt.attempt + 1, reason }
      return Effect.andThen(
        ended,
        each((one) => one.onRestart?.(restart))
      )
    },
    step: () => {}
  })

  return {
    source: {
      name: source.name,
      stream: (request, reading) => {
        const begin = Effect.andThen(
          tell,
          each((one) => one.beforeRequest?.(request))
        )
        const events = source
          .stream(request, reading)
          .pipe(
            Stream.mapArrayEffect((some) =>
              told < recorder.ended.length ? Effect.as(tell, some) : Effect.succeed(some)
            )
          )
        return Stream.unwrap(Effect.as(begin, events))
      }
    },
    around: (work) =>
      Effect.matchCauseEffect(work, {
        onFailure: (cause) =>
          Cause.hasInterruptsOnly(cause)
            ? Effect.failCause(cause)
            : // The response fails anyway, and by its own error: a hook that fails as well is only told of.
              tell.pipe(
                Effect.catchCause((second) => Effect.logError("A hook failed behind a failed attempt", second)),
                Effect.andThen(Effect.failCause(cause))
              ),
        onSuccess: (full) =>
          tell.pipe(Effect.andThen(each((one) => one.afterResponse?.(full))), Effect.andThen(complete(full)))
      })
  }
}
