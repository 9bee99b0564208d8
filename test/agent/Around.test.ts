import { assert, describe, it } from "@effect/vitest"
import { Data, Effect, Schema } from "effect"
import { Agent, Output, Validation } from "effigent"
import { ModelProvider } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"

class Refusal extends Data.TaggedError("Refusal")<{ readonly why: string }> {}

const noted =
  (log: Array<string>, name: string): Agent.Around =>
  (config, work) =>
    Effect.gen(function* () {
      log.push(`${name} in`)
      const full = yield* work({ ...config, input: `${String(config.input)} ${name}` })
      log.push(`${name} out ${full.text}`)
      return full
    })

describe("Agent.around", () => {
  it.effect("what is laid later lies further out; each sees and changes what goes in", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const agent = Agent.make({}).pipe(
        Agent.around(noted(log, "inner")),
        Agent.around(noted(log, "outer")),
        Agent.input("q")
      )
      assert.strictEqual(yield* Agent.run(agent), "a")
      assert.deepStrictEqual(log, ["outer in", "inner in", "inner out a", "outer out a"])
      const [request] = yield* ScriptedModel.requests
      assert.include(JSON.stringify(request?.prompt), '"q outer inner"')
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.text("a")])))
  )

  it.effect("it runs with the first read, once, however many readers there are", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const log: Array<string> = []
        const response = yield* Agent.make({ input: "q" }).pipe(Agent.around(noted(log, "x")), Agent.respond)
        assert.deepStrictEqual(log, [])
        yield* Effect.all([response.text, response.data, response.meta], { concurrency: "unbounded" })
        assert.deepStrictEqual(log, ["x in", "x out a"])
      })
    ).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.text("a")])))
  )

  it.effect("its failure is the readers' failure, and nothing is sent", () =>
    Effect.gen(function* () {
      const refuse: Agent.Around<Refusal> = () => new Refusal({ why: "no" })
      const agent = Agent.make({ input: "q" }).pipe(Agent.around(refuse))
      assert.deepStrictEqual(yield* Effect.flip(Agent.run(agent)), new Refusal({ why: "no" }))
      const late = yield* Effect.scoped(Effect.flatMap(Agent.respond(agent), (response) => Effect.flip(response.meta)))
      assert.strictEqual(late._tag, "Refusal")
      assert.lengthOf(yield* ScriptedModel.requests, 0)
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )

  it.effect("every later combinator keeps it, and the model inside is the agent's own", () =>
    Effect.gen(function* () {
      const names: Array<string> = []
      const named: Agent.Around<never, ModelProvider> = (config, work) =>
        Effect.andThen(
          ModelProvider.use(({ name }) => Effect.sync(() => names.push(name))),
          work(config)
        )
      const Shape = Schema.Struct({ n: Output.ensure(Schema.Int, "n") })
      const agent = Agent.make({}).pipe(
        Agent.around(named),
        Agent.output(Shape),
        Agent.validate(() => Effect.succeed(Validation.pass)),
        Agent.returnPartial,
        Agent.settings({ maxRetries: 0 }),
        Agent.input("q"),
        Agent.provideModel(ScriptedModel.layer([ScriptedModel.json({ n: 1 })]))
      )
      assert.deepStrictEqual(yield* Agent.run(agent), { n: 1 })
      assert.deepStrictEqual(names, ["scripted"])
    })
  )
})
