/** Gives an agent actions: its runs then call them until they have an answer, within limits that hold. */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type { Tool, Toolkit } from "../../services/AiTool.ts"
import type { ModelRequest } from "../../services/ModelProvider.ts"
import type { Acts, Begun, Opening } from "../agent/Acts.ts"
import * as Agent from "../agent/Agent.ts"
import * as Action from "./Action.ts"
import * as Planning from "./Planning.ts"
import * as Rounds from "./Rounds.ts"
import * as Toolset from "./Toolset.ts"

export type { Middleware } from "./Dispatch.ts"
export { type CallField, fields } from "./Fields.ts"
export { ActionNameError } from "./Toolset.ts"

/**
 * How an agent acts.
 *
 * @category models
 */
export interface Options<E = never, R = never> extends Rounds.Options<E, R> {
  /**
   * How the model says what to call: by its own tool calls (`native`), or by a plan in structured output (`plan`), for
   * models and endpoints that have no tool calls. Default `native`.
   */
  readonly protocol?: "native" | "plan" | undefined
  /**
   * Whether a plan begins with what the model thinks. A thought stands in the text of its round, and in the prompts of
   * the next ones. Of no effect on native calls. Default false; `ReAct` in `effigent/patterns` sets it.
   */
  readonly thoughts?: boolean | undefined
}

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

// What `use` attaches to an agent, in the form in which a further `use` finds it.
class Using<E, R> implements Acts<E, R> {
  readonly actions: ReadonlyArray<Action.Any>
  readonly options: Options<E, R>
  readonly toolset: Toolset.Toolset

  constructor(actions: ReadonlyArray<Action.Any>, options: Options<E, R>) {
    this.actions = actions
    this.toolset = Toolset.make(actions)
    this.options = options
  }

  readonly offer = (): Pick<ModelRequest, "tools" | "toolChoice"> =>
    this.options.protocol === "plan"
      ? { tools: [] }
      : { tools: this.toolset.tools([]), toolChoice: this.options.toolChoice ?? "auto" }

  readonly begin = <E1, R1>(
    opening: Opening<E1, R1>
  ): Effect.Effect<Begun<E, R>, E | E1 | Agent.AgentError, R | R1> => {
    const { options, toolset } = this
    const { wrong } = toolset
    // `use` says that it fails so.
    if (wrong !== undefined) return Effect.fail(wrong as E)
    return Effect.flatMap(
      Rounds.begin(toolset, options, opening.tell),
      (work): Effect.Effect<Begun<E, R>, E | E1 | Agent.AgentError, R | R1> =>
        options.protocol === "plan"
          ? Planning.run(work, options, opening)
          : Effect.succeed({ config: opening.config, acting: Rounds.native(work, options) })
    )
  }
}

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
