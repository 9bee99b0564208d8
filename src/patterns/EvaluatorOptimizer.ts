/**
 * Evaluator and optimizer: one writes, one judges, and what the judge says goes back to the writer, for a bounded number
 * of rounds. The best answer so far is never lost: it is what is given where no answer is accepted.
 */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Agent from "../agent/Agent.ts"
import * as Output from "../output/Output.ts"

/** What a judge says of an answer. @category schemas */
export const Verdict = Schema.Struct({
  feedback: Output.ensure(
    Schema.String,
    "What has to change, exactly and in order of weight; empty where nothing has to"
  ),
  score: Output.ensure(
    Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 10 })),
    "How good the answer is, from 0 to 10"
  ),
  accepted: Output.ensure(Schema.Boolean, "Whether the answer can go out as it is")
}).annotate({ identifier: "Verdict" })

/** What a judge says of an answer, as a type. @category models */
export type Verdict = typeof Verdict.Type

/**
 * One round: an answer and what the judge said of it.
 *
 * @category models
 */
export interface Round<out A> {
  readonly answer: A
  /** The answer as the writer wrote it. */
  readonly text: string
  readonly verdict: Verdict
}

/**
 * Who judges, and for how long.
 *
 * @category models
 */
export interface Options<in A, out E2, out R2> {
  /**
   * The judge: an agent, whose own output is not used and which is given the writer's input and the answer, or a function
   * of the answer: a test, a compiler, a rule.
   */
  readonly judge:
    | Agent.Agent<unknown, E2, R2>
    | ((answer: A, context: { readonly round: number; readonly text: string }) => Effect.Effect<Verdict, E2, R2>)
  /** How many answers are written at most; a whole number, at least 1. Default 3. */
  readonly rounds?: number | undefined
  /**
   * What a failure after the first round does: it fails the whole, or the best answer so far is given, with the status
   * `broken`. Default `fail`.
   */
  readonly onFailure?: "fail" | "best" | undefined
}

/**
 * How it ended. `accepted`: the judge has accepted the answer. `exhausted`: no answer of all rounds was accepted; the one
 * with the highest score is given, of equal ones the latest. `broken`: a later round failed; the best so far is given.
 *
 * @category models
 */
export type Status = "accepted" | "exhausted" | "broken"

/**
 * The best answer and the way to it.
 *
 * @category models
 */
export interface Outcome<out A, out E> extends Round<A> {
  readonly status: Status
  /** Every round that was judged, in order. */
  readonly rounds: ReadonlyArray<Round<A>>
  /** Why it is `broken`; else absent. */
  readonly failure: E | undefined
}

const judging =
  "Judge the answer to the input. Be strict: accept it only where nothing of weight has to change. Say exactly what has to change."

const judged = <A, E2, R2>(
  { judge }: Options<A, E2, R2>,
  writer: Agent.Agent<A, unknown, unknown>,
  full: { readonly data: A; readonly text: string },
  round: number
): Effect.Effect<Verdict, E2 | Agent.AgentError, Exclude<R2, Scope.Scope>> => {
  // What a judge opens is closed with its verdict.
  if (!Agent.isAgent(judge)) return Effect.scoped(judge(full.data, { round, text: full.text }))
  const { input = writer.config.input, instruct = judging } = judge.config
  return judge.pipe(
    Agent.slots({ instruct, custom: { "answer to judge": full.text }, ...(input === undefined ? {} : { input }) }),
    Agent.output(Verdict),
    Agent.run
  )
}

const better = <A>(best: Round<A> | undefined, next: Round<A>): Round<A> =>
  best !== undefined && best.verdict.score > next.verdict.score ? best : next

const improve = Effect.fnUntraced(function* <A, E, R, I, E2, R2>(
  writer: Agent.Agent<A, E, R, I>,
  options: Options<A, E2, R2>
): Effect.fn.Return<Outcome<A, E | E2 | Agent.AgentError>, E | E2 | Agent.AgentError, Exclude<R | R2, Scope.Scope>> {
  // What is no number, from a file perhaps, bounds nothing: one round then.
  const most = Math.max(1, Math.floor(options.rounds ?? 3) || 1)
  const rounds: Array<Round<A>> = []
  let best: Round<A> | undefined
  for (let number = 1; ; number++) {
    const last = rounds.at(-1)
    const asked =
      last === undefined
        ? writer
        : Agent.slots(writer, {
            custom: {
              "your last answer": last.text,
              "what to change in it": last.verdict.feedback,
              task: "Write the whole answer anew, with these changes."
            }
          })
    const round = Effect.flatMap(Agent.whole(asked), (full) =>
      Effect.map(judged(options, writer, full, number), (verdict): Round<A> => ({
        answer: full.data,
        text: full.text,
        verdict
      }))
    )
    const result = yield* Effect.result(round)
    if (Result.isFailure(result)) {
      if (best === undefined || options.onFailure !== "best") return yield* Effect.fail(result.failure)
      return { ...best, status: "broken", rounds, failure: result.failure }
    }
    rounds.push(result.success)
    if (result.success.verdict.accepted) return { ...result.success, status: "accepted", rounds, failure: undefined }
    best = better(best, result.success)
    if (number >= most) return { ...best, status: "exhausted", rounds, failure: undefined }
  }
})

type Run<A, E, R, E2, R2> = Effect.Effect<
  Outcome<A, E | E2 | Agent.AgentError>,
  E | E2 | Agent.AgentError,
  Exclude<R | R2, Scope.Scope>
>

/**
 * Writes and judges until an answer is accepted or the rounds are over.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Agent } from "effigent"
 * import { EvaluatorOptimizer } from "effigent/patterns"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const poet = Agent.make({ instruct: "Write one line." }).pipe(Agent.input("the sea"))
 * const short = (line: string) =>
 *   Effect.succeed({ feedback: "At most five words.", score: 10 - line.split(" ").length, accepted: line.split(" ").length <= 5 })
 * const program = poet.pipe(EvaluatorOptimizer.run({ judge: short }))
 *
 * const model = ScriptedModel.layer([ScriptedModel.text("It keeps no date but the moon's."), ScriptedModel.text("It waits for the moon.")])
 * const { answer, rounds, status } = await Effect.runPromise(program.pipe(Effect.provide(model)))
 * console.log(`${status} in round ${rounds.length}: ${answer}`) // => accepted in round 2: It waits for the moon.
 * ```
 *
 * @category running
 */
export const run: {
  <A, E2, R2>(options: Options<NoInfer<A>, E2, R2>): <E, R, I>(writer: Agent.Agent<A, E, R, I>) => Run<A, E, R, E2, R2>
  <A, E, R, I, E2, R2>(writer: Agent.Agent<A, E, R, I>, options: Options<NoInfer<A>, E2, R2>): Run<A, E, R, E2, R2>
} = dual(2, <A, E, R, I, E2, R2>(writer: Agent.Agent<A, E, R, I>, options: Options<A, E2, R2>) =>
  improve(writer, options)
)
