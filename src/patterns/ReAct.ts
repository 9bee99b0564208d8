/**
 * ReAct: reason and act in turns, for models and endpoints that have no tool calls. In each round the model writes what it
 * thinks and which actions to call, reads what they gave beside its earlier thoughts, and answers when it knows enough.
 * It is the loop of actions over structured plans, with the same limits, approvals and records; models with tool calls
 * are better served by `Actions.use` alone.
 */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Scope from "effect/Scope"
import type { ActionRecord, LoopStatus } from "../../services/Action.ts"
import * as Actions from "../action/Actions.ts"
import type { ActionNameError } from "../action/Toolset.ts"
import * as Agent from "../agent/Agent.ts"
import type { FullResponse } from "../request/ModelResponse.ts"

/**
 * How far it goes and what is around each call: as for `Actions.use`.
 *
 * @category models
 */
export type Options<E = never, R = never> = Omit<Actions.Options<E, R>, "protocol" | "thoughts" | "toolChoice">

/**
 * One round: a thought, and the calls that it led to with what they gave.
 *
 * @category models
 */
export interface Step {
  readonly thought: string
  readonly calls: ReadonlyArray<ActionRecord>
}

/**
 * An answer and how it was come to.
 *
 * @category models
 */
export interface Reacted<out A> {
  readonly answer: A
  /** Every round in which actions were called, in order. */
  readonly steps: ReadonlyArray<Step>
  /** How the loop ended: `answered`, `returned`, `stopped`, or the limit that was reached. */
  readonly status: LoopStatus
}

type Acting<A, E, R, I, U extends ReadonlyArray<Actions.Usable>, E2, R2> = Agent.Agent<
  A,
  E | E2 | Actions.ErrorOf<U[number]> | ActionNameError,
  R | R2 | Actions.NeedsOf<U[number]>,
  I
>

/**
 * Gives an agent that thinks and acts in turns before it answers. Its answer, its output and its readers stay what they
 * are: only the answer streams.
 *
 * @category combinators
 */
export const attach: {
  <const U extends ReadonlyArray<Actions.Usable>, E2 = never, R2 = never>(
    actions: U,
    options?: Options<E2, R2>
  ): <A, E, R, I>(self: Agent.Agent<A, E, R, I>) => Acting<A, E, R, I, U, E2, R2>
  <A, E, R, I, const U extends ReadonlyArray<Actions.Usable>, E2 = never, R2 = never>(
    self: Agent.Agent<A, E, R, I>,
    actions: U,
    options?: Options<E2, R2>
  ): Acting<A, E, R, I, U, E2, R2>
} = dual(
  (args) => Agent.isAgent(args[0]),
  <A, E, R, I, const U extends ReadonlyArray<Actions.Usable>, E2, R2>(
    self: Agent.Agent<A, E, R, I>,
    actions: U,
    options: Options<E2, R2> = {}
  ) => Actions.use(self, actions, { ...options, protocol: "plan", thoughts: true })
)

/** The rounds of a response that acted. @category reading */
export const stepsOf = ({ meta }: FullResponse<unknown>): ReadonlyArray<Step> =>
  (meta.actions?.rounds ?? []).map(({ records, text }) => ({ thought: text, calls: records }))

/**
 * Thinks, acts and answers, and gives the answer with every step.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Agent } from "effigent"
 * import { Action } from "effigent/action"
 * import { ReAct } from "effigent/patterns"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const price = Action.make("price", {
 *   description: "The price of an article in euros.",
 *   input: Schema.Struct({ article: Schema.String }),
 *   sideEffect: "pure",
 *   run: () => Effect.succeed(40)
 * })
 * const agent = Agent.make({ output: Schema.Struct({ euros: Schema.Int }) }).pipe(Agent.input("What do three lamps cost?"))
 *
 * const model = ScriptedModel.layer([
 *   ScriptedModel.json({
 *     thought: "I need the price of one.",
 *     next: "call",
 *     calls: [{ purpose: "price", action: "price", input: { article: "lamp" } }]
 *   }),
 *   ScriptedModel.json({ thought: "Three times 40.", next: "answer", calls: [] }),
 *   ScriptedModel.json({ euros: 120 })
 * ])
 * const { answer, steps } = await Effect.runPromise(ReAct.run(agent, [price]).pipe(Effect.provide(model)))
 * console.log(answer.euros, steps.map(({ calls, thought }) => [thought, calls[0]?.result])) // => 120 [ [ 'I need the price of one.', 40 ] ]
 * ```
 *
 * @category running
 */
export const run = <A, E, R, I, const U extends ReadonlyArray<Actions.Usable>, E2 = never, R2 = never>(
  self: Agent.Agent<A, E, R, I>,
  actions: U,
  options?: Options<E2, R2>
): Effect.Effect<
  Reacted<A>,
  E | E2 | Actions.ErrorOf<U[number]> | ActionNameError | Agent.AgentError,
  Exclude<R | R2 | Actions.NeedsOf<U[number]>, Scope.Scope>
> =>
  Effect.map(Agent.whole(attach(self, actions, options)), (full) => ({
    answer: full.data,
    steps: stepsOf(full),
    status: full.meta.actions?.status ?? "answered"
  }))
