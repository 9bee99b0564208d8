/** Gives an agent actions: its runs then call them until they have an answer, within limits that hold. */
import { dual } from "effect/Function"
import type { Tool, Toolkit } from "../../services/AiTool.ts"
import * as Agent from "../agent/Agent.ts"
import * as Action from "./Action.ts"
import type * as Toolset from "./Toolset.ts"
import { type Options, Using } from "./Using.ts"

export type { Middleware } from "./Dispatch.ts"
export { type CallField, fields } from "./Fields.ts"
export type { Options } from "./Using.ts"
export { ActionNameError } from "./Toolset.ts"

/** What `use` takes: an action, or a toolkit of `effect/ai` as it is. @category models */
export type Usable = Action.Any | Toolkit.Any

/** How what is used fails a run. @category models */
export type ErrorOf<U> = U extends Action.Action<never, unknown, infer E, unknown> ? Action.AbortOf<E> : never

/** What it needs. @category models */
export type NeedsOf<U> =
  U extends Toolkit.Toolkit<infer Tools>
    ? Tool.HandlersFor<Tools> | Tool.HandlerServices<Tools[keyof Tools]>
    : U extends Action.Action<never, unknown, unknown, infer R>
      ? R
      : never

const actionsOf = (usable: Usable): ReadonlyArray<Action.Any> =>
  Action.isAction(usable)
    ? [usable]
    : // A toolkit: `Toolkit.Any` names what `fromToolkit` needs of it.
      Action.fromToolkit(usable as Toolkit.Toolkit<Record<string, Tool.Any>>)

const isUsable = (value: unknown): boolean => Array.isArray(value)

/**
 * Gives an agent actions: `Agent.run` then lets the model call them until it answers, and `response.meta` says what was
 * done and how it ended. Used again, it adds to what the agent has; options of the last one win.
 *
 * @category combinators
 */
export const use: {
  <const U extends ReadonlyArray<Usable>, E2 = never, R2 = never>(
    actions: U,
    options?: Options<E2, R2>
  ): <A, E, R, I>(
    self: Agent.Agent<A, E, R, I>
  ) => Agent.Agent<A, E | E2 | ErrorOf<U[number]> | Toolset.ActionNameError, R | R2 | NeedsOf<U[number]>, I>
  <A, E, R, I, const U extends ReadonlyArray<Usable>, E2 = never, R2 = never>(
    self: Agent.Agent<A, E, R, I>,
    actions: U,
    options?: Options<E2, R2>
  ): Agent.Agent<A, E | E2 | ErrorOf<U[number]> | Toolset.ActionNameError, R | R2 | NeedsOf<U[number]>, I>
} = dual(
  (args) => !isUsable(args[0]),
  <A, E, R, I, E2, R2>(
    self: Agent.Agent<A, E, R, I>,
    usable: ReadonlyArray<Usable>,
    options: Options<E2, R2> = {}
  ): Agent.Agent<A, E | E2, R | R2, I> =>
    Agent.acts(self, (before) => {
      const own = usable.flatMap(actionsOf)
      return before instanceof Using
        ? new Using<E | E2, R | R2>([...before.actions, ...own], { ...before.options, ...options })
        : new Using<E | E2, R | R2>(own, options)
    })
)
