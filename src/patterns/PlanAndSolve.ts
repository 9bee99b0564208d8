/**
 * Plan and solve: the model plans the steps to an answer, does them one after the other, each knowing what came before,
 * and answers from what they gave. The plan, each result and the answer are typed.
 *
 * For steps that do not need each other, or that code does, see `TaskPlanner` in `effigent/planner`: it plans a graph.
 */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Agent from "../agent/Agent.ts"
import * as Output from "../output/Output.ts"
import * as Validation from "../request/Validation.ts"

/** One step of a plan. @category schemas */
export const Step = Schema.Struct({
  goal: Output.ensure(Schema.String, "What the step finds out or does, in one sentence", "notEmpty")
}).annotate({ identifier: "Step" })

/** One step of a plan, as a type. @category models */
export type Step = typeof Step.Type

/** What the planner writes. @category schemas */
export const Plan = Schema.Struct({
  steps: Output.ensure(Schema.Array(Step), "The steps, in the order in which they are done", "notEmpty")
}).annotate({ identifier: "Plan" })

/** A plan, as a type. @category models */
export type Plan = typeof Plan.Type

/**
 * A step and what it gave.
 *
 * @category models
 */
export interface Done<out S> {
  readonly step: Step
  readonly result: S
}

/**
 * What a step knows.
 *
 * @category models
 */
export interface Context {
  /** The place of the step in the plan, from 0. */
  readonly index: number
  readonly plan: Plan
  /** The steps before it. What `solve` gives is inferred from `solve`, so that its own parameter cannot have that type. */
  readonly done: ReadonlyArray<Done<unknown>>
}

/**
 * Who plans and who does the steps.
 *
 * @category models
 */
export interface Options<S, E2, R2, E3, R3> {
  /** The agent that plans; its own output is not used. Default: the agent that answers. */
  readonly planner?: Agent.Agent<unknown, E2, R2> | undefined
  /**
   * What does a step: an agent, which is told the step, the plan and the results so far, or a function of them. Default:
   * the agent that answers, with a text as the result.
   */
  readonly solve?: Agent.Agent<S, E3, R3> | ((step: Step, context: Context) => Effect.Effect<S, E3, R3>) | undefined
  /** How many steps a plan may have; a longer one goes back to the planner. Default 8. */
  readonly maxSteps?: number | undefined
}

/**
 * An answer and how it was come to.
 *
 * @category models
 */
export interface Solved<out A, out S> {
  readonly answer: A
  /** Every step of the plan with its result, in order. */
  readonly steps: ReadonlyArray<Done<S>>
}

const planning = (max: number) =>
  `Make a plan of at most ${max} steps that lead to what the input asks for. Do not answer yet, and do no step yet.`

const Text = Schema.Struct({ result: Output.ensure(Schema.String, "What the step gives", "notEmpty") })

// The agent's input stays what it is; what is asked of it comes beside.
const asking = <A, E, R, I>(agent: Agent.Agent<A, E, R, I>, custom: { readonly [name: string]: unknown }) =>
  Agent.slots(agent, { custom })

const told = (done: ReadonlyArray<Done<unknown>>) => done.map(({ result, step }) => ({ step: step.goal, result }))

const solve = Effect.fnUntraced(function* <A, E, R, I, S, E2, R2, E3, R3>(
  agent: Agent.Agent<A, E, R, I>,
  options: Options<S, E2, R2, E3, R3>
): Effect.fn.Return<Solved<A, S>, E | E2 | E3 | Agent.AgentError, Exclude<R | R2 | R3, Scope.Scope>> {
  const { maxSteps = 8, planner, solve } = options
  const input = agent.config.input === undefined ? {} : { input: agent.config.input }
  const asked: Agent.Agent<unknown, E | E2, R | R2> = planner === undefined ? agent : Agent.slots(planner, input)
  const plan = yield* asking(asked, { task: planning(maxSteps) }).pipe(
    Agent.output(Plan),
    Agent.validate(({ steps }) =>
      Effect.succeed(
        Validation.when(steps.length <= maxSteps, `${steps.length} steps are more than ${maxSteps}. Join some.`, {
          path: "steps"
        })
      )
    ),
    Agent.run
  )

  const own = (slots: { readonly [name: string]: unknown }) =>
    // Where nothing is given that solves, S is its default, a text.
    Effect.map(asking(agent, slots).pipe(Agent.output(Text), Agent.run), ({ result }) => result as S)

  const done: Array<Done<S>> = []
  for (const [index, step] of plan.steps.entries()) {
    const context: Context = { index, plan, done: [...done] }
    const slots = {
      plan: plan.steps.map(({ goal }) => goal),
      ...(done.length === 0 ? {} : { "results so far": told(done) }),
      task: `Do this step of the plan, and no other: ${step.goal}`
    }
    const result: S = yield* solve === undefined
      ? own(slots)
      : Agent.isAgent(solve)
        ? Agent.run(asking(Agent.slots(solve, input), slots))
        : // What a step opens is closed with it.
          Effect.scoped(solve(step, context))
    done.push({ step, result })
  }
  const answer = yield* Agent.run(
    asking(agent, { "results of all steps": told(done), task: "Answer the input from the results of the steps." })
  )
  return { answer, steps: done }
})

type Run<A, E, R, S, E2, R2, E3, R3> = Effect.Effect<
  Solved<A, S>,
  E | E2 | E3 | Agent.AgentError,
  Exclude<R | R2 | R3, Scope.Scope>
>

/**
 * Plans, does the steps, answers. Every request is one of the agent's own, with its guards and budgets; a session that is
 * attached to it records all of them, unless `planner` and `solve` are agents without one.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Agent } from "effigent"
 * import { PlanAndSolve } from "effigent/patterns"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const trip = Agent.make({ output: Schema.Struct({ euros: Schema.Int }) }).pipe(Agent.input("What does the trip cost?"))
 * const prices: ReadonlyArray<number> = [120, 80]
 * const program = PlanAndSolve.run(trip, { solve: (_step, { index }) => Effect.succeed(prices[index] ?? 0) })
 * // Effect<{ answer: { euros: number }, steps: ReadonlyArray<{ step, result: number }> }, AgentError, ModelProvider>
 *
 * const model = ScriptedModel.layer([
 *   ScriptedModel.json({ steps: [{ goal: "Price of the train" }, { goal: "Price of the room" }] }),
 *   ScriptedModel.json({ euros: 200 })
 * ])
 * const { answer, steps } = await Effect.runPromise(program.pipe(Effect.provide(model)))
 * console.log(answer, steps.map(({ result }) => result)) // => { euros: 200 } [ 120, 80 ]
 * ```
 *
 * @category running
 */
export const run: {
  <S = string, E2 = never, R2 = never, E3 = never, R3 = never>(
    options?: Options<S, E2, R2, E3, R3>
  ): <A, E, R, I>(self: Agent.Agent<A, E, R, I>) => Run<A, E, R, S, E2, R2, E3, R3>
  <A, E, R, I, S = string, E2 = never, R2 = never, E3 = never, R3 = never>(
    self: Agent.Agent<A, E, R, I>,
    options?: Options<S, E2, R2, E3, R3>
  ): Run<A, E, R, S, E2, R2, E3, R3>
} = dual(
  (args) => Agent.isAgent(args[0]),
  <A, E, R, I, S, E2, R2, E3, R3>(self: Agent.Agent<A, E, R, I>, options: Options<S, E2, R2, E3, R3> = {}) =>
    solve(self, options)
)
