import { Context, Effect, Schema } from "effect"
import { Tool, Toolkit } from "effect/ai"
import { describe, expectTypeOf, it } from "vitest"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import type { ActionExecutor } from "effigent/services/ActionExecutor"
import type { ModelProvider } from "effigent/services/ModelProvider"

class Db extends Context.Service<Db, { readonly find: (id: string) => Effect.Effect<number> }>()("Db") {}
class User extends Context.Service<User, { readonly id: string }>()("User") {}
class Outage extends Schema.TaggedError<Outage>()("Outage", {}) {}

const user = Effect.map(User, ({ id }) => id)

const find = Action.make("find", {
  description: "Finds.",
  input: Schema.Struct({ id: Schema.NumberFromString }),
  output: Schema.Struct({ found: Schema.Number }),
  host: { user },
  run: ({ id, user }) => {
    expectTypeOf(id).toEqualTypeOf<number>()
    expectTypeOf(user).toEqualTypeOf<string>()
    return Effect.map(
      Effect.flatMap(Db, (db) => db.find(user)),
      (found) => ({ found })
    )
  }
})

describe("an action", () => {
  it("infers what its handler takes, gives and needs, the host's inputs included", () => {
    expectTypeOf(Action.call(find, { id: 1, user: "u" })).toEqualTypeOf<
      Effect.Effect<{ readonly found: number }, never, Db | User>
    >()
  })

  it("refuses a handler that gives something else than its output Schema says", () => {
    Action.make("bad", {
      description: "Bad.",
      output: Schema.Number,
      // @ts-expect-error a text is no number
      run: () => Effect.succeed("text")
    })
  })
})

describe("an agent with actions", () => {
  const agent = Agent.make({ input: "?" })

  it("keeps its answer, needs what the actions need, and fails as they abort", () => {
    const abort = Action.make("abort", {
      description: "Aborts.",
      run: () => (Math.random() > 2 ? Effect.fail(new Error("told")) : Action.abort(new Outage()))
    })
    const acting = agent.pipe(Actions.use([find, abort]))
    expectTypeOf(acting).toEqualTypeOf<
      Agent.Agent<string, Outage | Actions.ActionNameError, ModelProvider | Db | User, string>
    >()
  })

  it("infers what an action needs that is made where it is used", () => {
    const acting = agent.pipe(
      Actions.use([
        Action.make("count", { description: "Counts.", run: () => Effect.flatMap(Db, (db) => db.find("1")) }),
        Action.make("ask", { description: "Asks.", host: { user }, approval: () => true, run: () => Effect.void }),
        Action.fromTool(Tool.make("sum", { parameters: Schema.Struct({ a: Schema.Number }) }), () => Effect.void)
      ])
    )
    expectTypeOf(acting).toEqualTypeOf<
      Agent.Agent<string, Actions.ActionNameError, ModelProvider | Db | User, string>
    >()
  })

  it("takes toolkits of effect/ai, with their handlers as requirements", () => {
    const Sum = Tool.make("sum", { parameters: Schema.Struct({ a: Schema.Number }), success: Schema.Number })
    const acting = Actions.use(agent, [Toolkit.make(Sum)])
    expectTypeOf(acting).toEqualTypeOf<
      Agent.Agent<
        string,
        Actions.ActionNameError,
        ModelProvider | Tool.HandlersFor<{ readonly sum: typeof Sum }>,
        string
      >
    >()
    const remote = Actions.use(agent, [Action.remote(Sum)])
    expectTypeOf(remote).toEqualTypeOf<
      Agent.Agent<string, Actions.ActionNameError, ModelProvider | ActionExecutor, string>
    >()
  })

  it("types the errors and needs of middleware", () => {
    const acting = Actions.use(agent, [], {
      middleware: [(call, next) => Effect.flatMap(User, () => next(call))]
    })
    expectTypeOf(acting).toExtend<Agent.Agent<string, Actions.ActionNameError, ModelProvider | User, string>>()
  })
})
