/**
 * Chain of thought: the model writes its reasoning before its answer, as a field that comes first. For models that do
 * not reason by themselves; those that do show it as `response.reasoning`, and need no field.
 *
 * What is asked of the answer (ensured leaves and paths, validators) is asked of it below `answer`.
 */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Schema from "effect/Schema"
import * as Agent from "../agent/Agent.ts"
import * as Output from "../output/Output.ts"
import type * as Validation from "../request/Validation.ts"

/**
 * An answer and the reasoning that led to it.
 *
 * @category models
 */
export interface Reasoned<out A> {
  readonly reasoning: string
  readonly answer: A
}

/**
 * How the model is asked to reason.
 *
 * @category models
 */
export interface Options {
  /** What the reasoning is for, as the model is told. Default: step by step, before the answer. */
  readonly reasoning?: string | undefined
}

const stepByStep = "Think step by step: what is given, what follows from it, and how it leads to the answer"

const below = (path: string): string =>
  path === "" || path === "*" ? "answer" : path.startsWith("[") ? `answer${path}` : `answer.${path}`

const verdictBelow = (verdict: Validation.Verdict): Validation.Verdict => {
  switch (verdict._tag) {
    case "Pass":
      return verdict
    case "Stop":
      return { ...verdict, path: below(verdict.path) }
    case "Fail":
      return {
        ...verdict,
        path: below(verdict.path),
        more: verdict.more?.map((fault) => ({ ...fault, path: below(fault.path ?? "") }))
      }
  }
}

const reasoned = <A, E, R, I>(
  self: Agent.Agent<A, E, R, I>,
  { reasoning = stepByStep }: Options
): Agent.Agent<Reasoned<A>, E, R, Reasoned<I>> => {
  const { ensureKeys, output, validators = [] } = self.config
  const inner: Schema.Top = output === undefined ? Schema.String : Output.toSchema(output)
  const outer = Schema.Struct({
    reasoning: Output.ensure(Schema.String, reasoning, "notEmpty"),
    answer: Output.ensure(inner, "The answer, as the reasoning has it")
  })
  // The Schema is that of the agent's own A and I below `answer`, and its services are in the agent's R.
  const asked = Agent.output(self, outer) as unknown as Agent.Agent<Reasoned<A>, E, R, unknown>
  const checked = validators.reduce<Agent.Agent<Reasoned<A>, E, R, unknown>>((agent, validator) => {
    // It was put on an agent of this A, which made its E and R part of the agent's.
    const judge = validator as unknown as Validation.Validator<A, E, R>
    return Agent.validate(agent, (value, context) => Effect.map(judge(value.answer, context), verdictBelow))
  }, asked)
  const keyed = ensureKeys === undefined ? checked : Agent.ensureKeys(checked, ensureKeys.map(below))
  return keyed as Agent.Agent<Reasoned<A>, E, R, Reasoned<I>> // its Schema is `outer`
}

/**
 * Gives an agent that writes its reasoning first: `{ reasoning, answer }`, where the answer is what the agent gave
 * before. Its fields stream as ever, below `answer`.
 *
 * Lay it on before `Agent.validate` and sessions that look into the value; validators that the agent has already are
 * given the answer. An agent that returns partial values (`Agent.returnPartial`) fails here instead.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Agent } from "effigent"
 * import { ChainOfThought } from "effigent/patterns"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const sum = Agent.make({ output: Schema.Struct({ apples: Schema.Int }) }).pipe(ChainOfThought.attach())
 * const program = sum.pipe(Agent.input("Three boxes of four apples, two are rotten."), Agent.run)
 *
 * const model = ScriptedModel.layer([
 *   ScriptedModel.json({ reasoning: "3 times 4 is 12, without 2 it is 10.", answer: { apples: 10 } })
 * ])
 * const { answer } = await Effect.runPromise(program.pipe(Effect.provide(model)))
 * console.log(answer.apples) // => 10
 * ```
 *
 * @category combinators
 */
export const attach: {
  (options?: Options): <A, E, R, I>(self: Agent.Agent<A, E, R, I>) => Agent.Agent<Reasoned<A>, E, R, Reasoned<I>>
  <A, E, R, I>(self: Agent.Agent<A, E, R, I>, options?: Options): Agent.Agent<Reasoned<A>, E, R, Reasoned<I>>
} = dual(
  (args) => Agent.isAgent(args[0]),
  <A, E, R, I>(self: Agent.Agent<A, E, R, I>, options: Options = {}) => reasoned(self, options)
)
