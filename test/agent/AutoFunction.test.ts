import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Agent, AutoFunction, Output } from "effigent"
import type { ModelRequest } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"

const userText = (request: ModelRequest | undefined): string => {
  const message = request?.prompt.content.at(-1)
  return message?.role === "user" ? message.content.map((part) => (part.type === "text" ? part.text : "")).join("") : ""
}

const calc = AutoFunction.make({
  name: "calc",
  description: "Compute",
  input: Schema.Struct({
    formula: Schema.String,
    k: Schema.Int.pipe(Schema.withConstructorDefault(Effect.succeed(3)))
  }),
  output: Schema.Int
})

describe("AutoFunction", () => {
  it.effect("AF-01 binds arguments and defaults as input, the description as instruct, and unwraps the value", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* calc({ formula: "1+1" }), 42)
      const [request] = yield* ScriptedModel.requests
      const text = userText(request)
      assert.include(text, `[INPUT]:\nformula: "1+1"\nk: 3`)
      assert.include(text, "`calc`")
      assert.include(text, "Compute")
      assert.include(text, '"return_value": <int>')
      assert.strictEqual(request?.output.name, "calc")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ return_value: 42 })])))
  )

  it.effect("asks again until the value is of its type", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* calc({ formula: "1+1", k: 0 }), 2)
      assert.strictEqual((yield* ScriptedModel.requests).length, 3)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json({ return_value: "two" }),
          ScriptedModel.json({}),
          ScriptedModel.json({ return_value: 2 })
        ])
      )
    )
  )

  it.effect("asks for an object as it is, and decodes it", () =>
    Effect.gen(function* () {
      const dates = AutoFunction.make({
        name: "dates",
        description: "Find the date.",
        input: Schema.String,
        output: { at: Output.ensure(Schema.DateFromString, "When"), note: Schema.String }
      })
      assert.deepStrictEqual(yield* dates("Meet on 1 May 2030."), { at: new Date("2030-05-01T00:00:00.000Z") })
      assert.notInclude(userText((yield* ScriptedModel.requests)[0]), "return_value")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ at: "2030-05-01T00:00:00.000Z" })])))
  )

  it.effect("encodes its input by the Schema", () =>
    Effect.gen(function* () {
      const since = AutoFunction.make({
        name: "since",
        description: "Days since then.",
        input: Schema.Struct({ at: Schema.DateFromString }),
        output: Schema.Int
      })
      yield* since({ at: new Date(0) })
      assert.include(userText((yield* ScriptedModel.requests)[0]), `at: "1970-01-01T00:00:00.000Z"`)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ return_value: 1 })])))
  )

  it.effect("refuses an input that its Schema rejects, and sends nothing", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(calc({ formula: "1", k: 1.5 }))
      assert.strictEqual(error._tag, "PromptError")
      assert.include(error.message, "is not what calc takes")
      assert.strictEqual((yield* ScriptedModel.requests).length, 0)
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )

  it.effect("runs on an agent of its own, whose failures stand in the type", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ system: "You are exact.", output: Schema.Struct({ other: Schema.Int }) })
      const list = AutoFunction.make({
        name: "list",
        description: "List them.",
        input: Schema.Unknown,
        output: Schema.Array(Schema.String),
        agent: agent.pipe(Agent.provideModel(ScriptedModel.layer([ScriptedModel.json({ return_value: ["a"] })])))
      })
      const program: Effect.Effect<ReadonlyArray<string>, unknown> = list(["a"])
      assert.deepStrictEqual(yield* program, ["a"])
    })
  )
})
