/** Evals as users see them: made, run, asserted. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Eval } from "./Eval.ts"
import type { DatasetError, EvalInvalid } from "./EvalError.ts"
import * as Gate from "./Gate.ts"
import type { Report } from "./Report.ts"
import * as Running from "./Running.ts"

export { isEval, make } from "./Eval.ts"
export type {
  AnyDataset,
  AnyEval,
  Definition,
  Eval,
  OutputOf,
  Prepared,
  ServicesOf,
  Settings,
  Subject,
  Task
} from "./Eval.ts"
export { run, start, stream } from "./Running.ts"
export type { EvalEvent, Outcome, Running, RunOptions } from "./Running.ts"
export { DatasetError, EvalInvalid, EvalTimeout, ReportInvalid, ScoreInvalid } from "./EvalError.ts"

/**
 * Runs an eval and fails with `GateFailed` where its report does not reach the gate: what a test is made of. The message has a
 * table with the cases at fault. Without `min` and `baseline` every sample has to pass.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Dataset, Evals, Scorer } from "effigent/evals"
 *
 * const shout = Evals.make("shout", {
 *   dataset: Dataset.make({
 *     name: "words", input: Schema.String, expected: Schema.String,
 *     cases: [{ id: "a", input: "hey", expected: "HEY" }, { id: "b", input: "straße", expected: "STRAẞE" }]
 *   }),
 *   subject: (word) => Effect.succeed(word.toUpperCase())
 * }, [Scorer.exact()])
 * const error = await Effect.runPromise(Effect.flip(Evals.assert(shout, { min: 0.9 })))
 * console.log(error._tag === "GateFailed" && error.misses.map(({ message }) => message)) // => [ 'passed is 0.5, below 0.9 (b)' ]
 * ```
 *
 * @category running
 */
export const assert = <A, E, R, L, E2 = never, R2 = never>(
  self: Eval<A, E, R, L>,
  options: Gate.Gate & Running.RunOptions<E2, R2> = {}
): Effect.Effect<Report, L | E2 | DatasetError | EvalInvalid | Gate.GateFailed, Exclude<R | R2, Scope.Scope>> =>
  Effect.flatMap(Running.run(self, options), ({ report }) =>
    Gate.check(report, options.min === undefined && options.baseline === undefined ? { ...options, min: 1 } : options)
  )
