/**
 * What an action's handler says with its failure besides "I failed": ask the model to call again with a hint, end the
 * loop with an answer, or fail the whole run with an error of its own type.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { Json } from "../../services/Json.ts"

/**
 * The call is to be made again, and better: the model is told how. No failure: it does not count towards the limit of
 * failures.
 *
 * @category models
 */
export class Retry extends Data.TaggedError("ActionRetry")<{
  /** What the model is to do otherwise. */
  readonly hint: string
}> {
  override get message(): string {
    return this.hint
  }
}

/**
 * The loop ends here: this is the run's answer. Where the agent has an output Schema it is the encoded value.
 *
 * @category models
 */
export class Stop extends Data.TaggedError("ActionStop")<{ readonly answer: Json }> {
  override get message(): string {
    return "the action ended the run with an answer"
  }
}

/**
 * The run fails with this error: it goes into the agent's `E`.
 *
 * @category models
 */
export class Abort<E> extends Data.TaggedError("ActionAbort")<{ readonly error: E }> {
  override get message(): string {
    return this.error instanceof Error ? this.error.message : String(this.error)
  }
}

/** Asks the model to make the call again, as the hint says. @category constructors */
export const retry = (hint: string): Effect.Effect<never, Retry> => Effect.fail(new Retry({ hint }))

/** Ends the loop with an answer: a text, or the encoded value of the agent's output. @category constructors */
export const stop = (answer: Json): Effect.Effect<never, Stop> => Effect.fail(new Stop({ answer }))

/** Fails the whole run with an error, which goes into the agent's type. @category constructors */
export const abort = <E>(error: E): Effect.Effect<never, Abort<E>> => Effect.fail(new Abort({ error }))

/** The errors with which a handler that fails so fails the run. @category models */
export type AbortOf<E> = E extends Abort<infer X> ? X : never

/** What a handler that fails so fails with when it is called directly. @category models */
export type FailureOf<E> = Exclude<E, Abort<unknown> | Retry | Stop>
