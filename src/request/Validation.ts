/**
 * Validators: what an answer has to fulfil beyond its Schema. A validator is a function from the decoded value to an
 * Effect of a verdict, with requirements and errors of its own; both stand in the type of the agent that it is put on.
 *
 * Validators run in order, once per attempt, after the contract has accepted the value. The first that does not pass
 * ends the attempt: `fail` spends one unit of the same budget as a violation of the contract, and its reason goes back
 * to the model; `stop` ends the response with an `OutputError`; a typed failure ends it with that error. A defect counts
 * as `fail`: a broken validator never lets an answer through.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { ModelOptions } from "../../services/ModelProvider.ts"
import type { Finding } from "../output/Finding.ts"

/**
 * What the next attempt does differently.
 *
 * @category models
 */
export interface Change {
  /** Sampling options over those of the agent. */
  readonly options?: ModelOptions | undefined
  /** Another model of the pool. */
  readonly model?: string | undefined
}

/**
 * One thing that is wrong with an answer.
 *
 * @category models
 */
export interface Fault {
  readonly reason: string
  /** The place, in dot style; the whole value where absent. */
  readonly path?: string | undefined
}

/**
 * What a validator says.
 *
 * @category models
 */
export type Verdict =
  | { readonly _tag: "Pass" }
  | {
      readonly _tag: "Fail"
      readonly reason: string
      /** The place that is wrong, in dot style; the whole value where absent. */
      readonly path: string
      /** What later attempts of this response do differently. */
      readonly change: Change | undefined
      /** What else is wrong; each goes to the model as a finding of its own. */
      readonly more?: ReadonlyArray<Fault> | undefined
    }
  | { readonly _tag: "Stop"; readonly reason: string; readonly path: string }

/**
 * What a validator knows besides the value.
 *
 * @category models
 */
export interface Context {
  /** The number of this attempt, from 1. */
  readonly attempt: number
  /** How many corrections came before, from 0. */
  readonly retry: number
  /** How many corrections may come at most. */
  readonly maxRetries: number
  /** The answer as the model wrote it. */
  readonly text: string
}

/**
 * A check of a decoded value.
 *
 * @category models
 */
export type Validator<in A, out E = never, out R = never> = (value: A, context: Context) => Effect.Effect<Verdict, E, R>

/** The answer is good. @category constructors */
export const pass: Verdict = { _tag: "Pass" }

/**
 * The answer is not good: the reason goes to the model with the next attempt, as long as the budget lasts.
 *
 * @category constructors
 */
export const fail = (
  reason: string,
  options: { readonly path?: string | undefined; readonly change?: Change | undefined } = {}
): Verdict => ({ _tag: "Fail", reason, path: options.path ?? "", change: options.change })

/**
 * Passes where there is no fault; else all of them go to the model with the next attempt, each as a finding of its own.
 *
 * @category constructors
 */
export const faults = (
  [first, ...more]: ReadonlyArray<Fault>,
  options: { readonly change?: Change | undefined } = {}
): Verdict =>
  first === undefined
    ? pass
    : { _tag: "Fail", reason: first.reason, path: first.path ?? "", change: options.change, more }

/** The answer is not good, and asking again is of no use. @category constructors */
export const stop = (reason: string, options: { readonly path?: string | undefined } = {}): Verdict => ({
  _tag: "Stop",
  reason,
  path: options.path ?? ""
})

/**
 * Passes where the condition holds, fails with the reason where not.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Agent, Output, Validation } from "effigent"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const Plan = Schema.Struct({ days: Output.ensure(Schema.Int, "Days it takes") })
 * const planner = Agent.make({ output: Plan }).pipe(
 *   Agent.validate((plan) => Effect.succeed(Validation.when(plan.days <= 5, "It must take five days at most"))),
 *   Agent.input("Move the office.")
 * )
 * const model = ScriptedModel.layer([ScriptedModel.json({ days: 9 }), ScriptedModel.json({ days: 4 })])
 * console.log(await Effect.runPromise(Agent.run(planner).pipe(Effect.provide(model)))) // => { days: 4 }
 * ```
 *
 * @category constructors
 */
export const when = (
  condition: boolean,
  reason: string,
  options: { readonly path?: string | undefined; readonly change?: Change | undefined } = {}
): Verdict => (condition ? pass : fail(reason, options))

/** One change over another: options merge, key by key. @category combinators */
export const combine = (before: Change, next: Change): Change => ({
  ...before,
  ...next,
  ...(before.options === undefined && next.options === undefined
    ? {}
    : { options: { ...before.options, ...next.options } })
})

const toFinding = ({ path = "", reason }: Fault): Finding => ({
  path,
  kind: "validator",
  message: path === "" ? reason : `${path}: ${reason}`
})

/** The findings that a verdict is. @category conversions */
export const toFindings = (verdict: Exclude<Verdict, { readonly _tag: "Pass" }>): ReadonlyArray<Finding> => [
  toFinding(verdict),
  ...(verdict._tag === "Fail" ? (verdict.more ?? []) : []).map(toFinding)
]

// Programs without types may give anything: what is no Effect of a verdict must not pass for one.
const checked = <E, R>(effect: Effect.Effect<Verdict, E, R>): Effect.Effect<Verdict, E, R> =>
  Effect.isEffect(effect)
    ? Effect.flatMap(effect, (verdict) =>
        isVerdict(verdict)
          ? Effect.succeed(verdict)
          : Effect.die("it gave no verdict; see Validation.pass and Validation.fail")
      )
    : Effect.die("it returned no Effect; wrap its verdict in Effect.succeed")

const isVerdict = (verdict: Verdict | undefined): boolean =>
  verdict?._tag === "Pass" || verdict?._tag === "Fail" || verdict?._tag === "Stop"

/**
 * Runs validators in order, up to the first that does not pass.
 *
 * @category running
 */
export const runAll = Effect.fnUntraced(function* <A, E, R>(
  validators: ReadonlyArray<Validator<A, E, R>>,
  value: A,
  context: Context
): Effect.fn.Return<Verdict, E, R> {
  for (const validator of validators) {
    const verdict = yield* Effect.suspend(() => checked(validator(value, context))).pipe(
      Effect.catchCause((cause) =>
        Cause.hasDies(cause) && !Cause.hasFails(cause)
          ? Effect.succeed(fail(`a validator crashed: ${String(Cause.squash(cause))}`))
          : Effect.failCause(cause)
      )
    )
    if (verdict._tag !== "Pass") return verdict
  }
  return pass
})
