/** The actions of an agent together: found by name, offered to the model, those that are on demand once it has found them. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Tool } from "../../services/Ai.ts"
import * as Action from "./Action.ts"

/**
 * Two actions of one agent have one name, or a name is none that providers take.
 *
 * @category errors
 */
export class ActionNameError extends Schema.TaggedError<ActionNameError>()("ActionNameError", {
  name: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `The action ${JSON.stringify(this.name)} ${this.detail}`
  }
}

/**
 * Actions that are offered together.
 *
 * @category models
 */
export interface Toolset {
  /** What is wrong with their names. */
  readonly wrong: ActionNameError | undefined
  readonly find: (name: string) => Action.Any | undefined
  /** What is offered when these on-demand actions have been found. */
  readonly tools: (found: ReadonlyArray<string>) => ReadonlyArray<Tool.Any>
}

const namePattern = /^[a-zA-Z0-9_-]{1,64}$/

const wrong = (actions: ReadonlyArray<Action.Any>): ActionNameError | undefined => {
  const seen = new Set<string>()
  for (const { name } of actions) {
    if (!namePattern.test(name)) {
      return new ActionNameError({
        name,
        detail: "has a name that models cannot call: use letters, digits, _ and -, at most 64"
      })
    }
    if (seen.has(name)) {
      return new ActionNameError({ name, detail: "is there twice: give one of them another name" })
    }
    seen.add(name)
  }
  return undefined
}

/** The name of the action that finds others. @category actions */
export const searching = "search_actions"

const words = (text: string): ReadonlyArray<string> => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []

/**
 * Takes the names of what a model has found in its run.
 *
 * @category services
 */
export class Findings extends Context.Service<Findings, { readonly add: (names: ReadonlyArray<string>) => void }>()(
  "effigent/action/Findings"
) {}

// The action by which a model finds those that are on demand, by words of their names and descriptions. What it finds is
// offered from the next request on.
const searcher = (actions: ReadonlyArray<Action.Any>) =>
  Action.make(searching, {
    description: "Finds further actions by words; what is found can be called afterwards.",
    input: Schema.Struct({ query: Schema.String.annotate({ description: "Words of what is to be done" }) }),
    output: Schema.Array(Schema.Struct({ name: Schema.String, description: Schema.String })),
    sideEffect: "pure",
    run: ({ query }) => {
      const wanted = words(query)
      const ranked = actions
        .map((action) => {
          const own = new Set(words(`${action.name.replaceAll(/[_-]/g, " ")} ${action.tool.description ?? ""}`))
          return { action, hits: wanted.filter((word) => own.has(word)).length }
        })
        .filter(({ hits }) => hits > 0)
        .toSorted((a, b) => b.hits - a.hits)
        .slice(0, 10)
      if (ranked.length === 0) return Action.retry("Nothing fits these words; try others.")
      return Effect.map(Findings, (findings) => {
        findings.add(ranked.map(({ action }) => action.name))
        return ranked.map(({ action }) => ({ name: action.name, description: action.tool.description ?? "" }))
      })
    }
  })

/** Puts actions together; where some are on demand, with the action that finds them. @category constructors */
export const make = (given: ReadonlyArray<Action.Any>): Toolset => {
  const onDemand = given.filter((action) => action.policy.onDemand)
  const actions = onDemand.length === 0 ? given : [...given, searcher(onDemand)]
  const byName = new Map(actions.map((action) => [action.name, action]))
  const always = actions.filter((action) => !action.policy.onDemand).map((action) => action.tool)
  return {
    wrong: wrong(actions),
    find: (name) => byName.get(name),
    tools: (found) =>
      found.length === 0
        ? always
        : [...always, ...onDemand.filter(({ name }) => found.includes(name)).map((action) => action.tool)]
  }
}
