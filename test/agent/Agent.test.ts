import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema, SchemaGetter, Stream } from "effect"
import { Agent, Output } from "effigent"
import { ModelProvider, type ModelRequest } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"
import { z } from "zod"

const userText = (request: ModelRequest | undefined): string => {
  const message = request?.prompt.content.at(-1)
  return message?.role === "user" ? message.content.map((part) => (part.type === "text" ? part.text : "")).join("") : ""
}

const Items = Schema.Struct({
  a: Output.ensure(Schema.String, "A", "notEmpty"),
  items: Schema.Array(Schema.Struct({ n: Output.ensure(Schema.Int, "N") }))
})
const items = Agent.make({ output: Items }).pipe(Agent.input("go"))

describe("attempts", () => {
  it.effect("RV-01 repeats until the contract is fulfilled, within one budget", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Agent.run(items), { a: "good", items: [{ n: 1 }, { n: 2 }] })
      assert.strictEqual((yield* ScriptedModel.requests).length, 3)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json({ a: "", items: [] }),
          ScriptedModel.json({ b: 1 }),
          ScriptedModel.json({ a: "good", items: [{ n: 1 }, { n: 2 }] })
        ])
      )
    )
  )

  it.effect("RV-02 tells the model what was wrong", () =>
    Effect.gen(function* () {
      yield* Agent.run(items)
      const [first, second] = yield* ScriptedModel.requests
      assert.notInclude(userText(first), "[OUTPUT CORRECTION]")
      assert.include(userText(second), "[OUTPUT CORRECTION]:")
      assert.include(userText(second), "Missing ensure key: a")
      assert.strictEqual(first?.attempt, 1)
      assert.strictEqual(second?.attempt, 2)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([ScriptedModel.json({ items: [] }), ScriptedModel.json({ a: "x", items: [] })])
      )
    )
  )

  it.effect("RV-03 fails when the budget is spent, with every attempt's findings", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Agent.run(Agent.settings(items, { maxRetries: 1 })))
      assert.strictEqual(error._tag, "OutputError")
      if (error._tag !== "OutputError") return
      assert.include(error.message, "within 1 retries")
      assert.deepStrictEqual(
        error.attempts.map(({ attempt, text }) => [attempt, text]),
        [
          [1, '{"b":1}'],
          [2, '{"b":1}']
        ]
      )
      assert.isTrue(error.attempts.every(({ findings }) => findings.some((finding) => finding.path === "a")))
      assert.strictEqual((yield* ScriptedModel.requests).length, 2)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ b: 1 }), ScriptedModel.json({ b: 1 })])))
  )

  it.effect("RV-03 gives the latest value instead where asked to", () =>
    Effect.gen(function* () {
      const value = yield* items.pipe(Agent.settings({ maxRetries: 1 }), Agent.returnPartial, Agent.run)
      assert.deepStrictEqual(value, { items: [{ n: 1 }] })
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([ScriptedModel.json({ items: [] }), ScriptedModel.json({ items: [{ n: 1 }] })])
      )
    )
  )

  it.effect("RV-04 an empty list satisfies a wildcard ensure key", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Agent.run(items), { a: "x", items: [] })
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ a: "x", items: [] })])))
  )

  it.effect("RV-12 never gives a value that the Schema rejects, not even when the budget is spent", () =>
    Effect.gen(function* () {
      const error = yield* items.pipe(Agent.settings({ maxRetries: 0 }), Agent.returnPartial, Agent.run, Effect.flip)
      assert.strictEqual(error._tag, "OutputError")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ a: "x", items: [{ n: "many" }] })])))
  )

  it.effect("SP-14 ensureAllKeys asks for the whole shape and nothing else", () =>
    Effect.gen(function* () {
      const agent = Agent.make({
        output: { a: Output.field(Schema.String, "A"), b: Output.field(Schema.String, "B") },
        ensureAllKeys: true
      })
      assert.deepStrictEqual(yield* agent.pipe(Agent.input("go"), Agent.run), { a: "1", b: "2" })
      assert.strictEqual((yield* ScriptedModel.requests).length, 3)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json({ a: "1" }),
          ScriptedModel.json({ a: "1", b: "2", c: "3" }),
          ScriptedModel.json({ a: "1", b: "2" })
        ])
      )
    )
  )

  it.effect("run-time ensure keys are kept, and an empty list takes the Schema's marks away (RV-11)", () =>
    Effect.gen(function* () {
      const agent = Agent.make({
        output: Schema.Struct({
          a: Output.ensure(Schema.optionalKey(Schema.String), "A"),
          b: Schema.optionalKey(Schema.String)
        })
      }).pipe(Agent.input("go"))
      assert.deepStrictEqual(yield* agent.pipe(Agent.ensureKeys(["b"]), Agent.run), { a: "1", b: "2" })
      assert.strictEqual((yield* ScriptedModel.requests).length, 3)
      assert.deepStrictEqual(yield* agent.pipe(Agent.ensureKeys([]), Agent.run), {})
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json({ a: "1" }),
          ScriptedModel.json({ b: "2" }),
          ScriptedModel.json({ a: "1", b: "2" }),
          ScriptedModel.json({})
        ])
      )
    )
  )

  it.effect("a path that the Schema lacks fails before anything is sent", () =>
    Effect.gen(function* () {
      const paths = ["nope"] as unknown as []
      const error = yield* Effect.flip(Agent.run(Agent.ensureKeys(items, paths)))
      assert.strictEqual(error._tag, "OutputPathError")
      const response = yield* Agent.respond(items)
      const streamed = yield* Effect.flip(Stream.runDrain(response.each("items[*].nope" as "items[*]")))
      assert.strictEqual(streamed._tag, "OutputPathError")
      assert.strictEqual((yield* ScriptedModel.requests).length, 0)
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )

  it.effect("an answer that the token limit cut is no answer, even where all its leaves are optional", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ output: Schema.Struct({ note: Schema.optionalKey(Schema.String) }) })
      assert.deepStrictEqual(yield* agent.pipe(Agent.input("go"), Agent.run), { note: "short" })
      const [, second] = yield* ScriptedModel.requests
      assert.include(userText(second), "cut off at the token limit")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.text('{"note":"a very long', { finish: "length" }),
          ScriptedModel.json({ note: "short" })
        ])
      )
    )
  )

  it.effect("a refusal is a typed error and is not asked again", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Agent.run(items))
      assert.strictEqual(error._tag === "ModelError" ? error.reason._tag : error._tag, "Refused")
      assert.include(error.message, "I cannot")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.events([[{ _tag: "Refusal", text: "I cannot" }], [{ _tag: "Finish", reason: "stop" }]])
        ])
      )
    )
  )

  it.effect("after a restart, each gives only items that are new or different", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(items)
      const seen = yield* Stream.runCollect(response.each("items[*]"))
      assert.deepStrictEqual(seen, [{ n: 1 }, { n: 2 }, { n: 3 }])
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json({ items: [{ n: 1 }, { n: 2 }] }),
          ScriptedModel.json({ a: "x", items: [{ n: 1 }, { n: 3 }] })
        ])
      )
    )
  )

  it.effect("each leaves out items that were cut off, unless asked for", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(
        Agent.settings(Agent.make({ output: Schema.Array(Schema.String) }), { maxRetries: 0 }).pipe(Agent.input("go"))
      )
      const collect = (includeRepaired: boolean) => {
        const seen: Array<string> = []
        return response.each("[*]", { includeRepaired }).pipe(
          Stream.runForEach((item) => Effect.sync(() => void seen.push(item))),
          Effect.ignore,
          Effect.as(seen)
        )
      }
      assert.deepStrictEqual(yield* collect(false), ["one", "two"])
      assert.deepStrictEqual(yield* collect(true), ["one", "two", "thr"])
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.text('["one","two","thr', { finish: "length" })])))
  )
})

describe("outputs", () => {
  it.effect("the prompt's sections bear the titles that the agent gives them", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ instruct: "Antworte.", input: "Warum?" })
      const titles = { instruct: "AUFTRAG", input: "FRAGE", output: "ANTWORT" }
      const { prompt } = yield* Agent.preview(Agent.settings(agent, { titles }))
      const text = "[AUFTRAG]:\nAntworte.\n\n[FRAGE]:\nWarum?\n\n[ANTWORT]:"
      assert.include(JSON.stringify(prompt.content), JSON.stringify(text))
    })
  )

  it.effect("SP-15 a scalar at the root is a typed scalar", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Agent.make({ output: Schema.Int }).pipe(Agent.input("6 x 7"), Agent.run), 42)
      assert.strictEqual(yield* Agent.make({ output: Schema.Boolean }).pipe(Agent.input("?"), Agent.run), true)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.text("42"), ScriptedModel.text("true")])))
  )

  it.effect("SP-16 lists of different item types are decoded each by its own", () =>
    Effect.gen(function* () {
      const value = yield* Agent.make({
        output: Schema.Struct({ a: Schema.Array(Schema.FiniteFromString), b: Schema.Array(Schema.String) })
      }).pipe(Agent.input("go"), Agent.run)
      assert.deepStrictEqual(value, { a: [1, 2], b: ["x"] })
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ a: ["1", "2"], b: ["x"] })])))
  )

  it.effect("a class is decoded to its instance", () => {
    class Person extends Schema.Class<Person>("Person")({ name: Output.ensure(Schema.String, "Name") }) {
      get greeting() {
        return `Hello, ${this.name}`
      }
    }
    return Effect.gen(function* () {
      const person = yield* Agent.make({ output: Person }).pipe(Agent.input("go"), Agent.run)
      assert.strictEqual(person.greeting, "Hello, Ada")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ name: "Ada" })])))
  })

  it.effect("a Standard Schema validates, and its issues go back to the model", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ output: z.object({ n: z.number().max(5, "at most five") }) })
      assert.deepStrictEqual(yield* agent.pipe(Agent.input("go"), Agent.run), { n: 5 })
      const [, second] = yield* ScriptedModel.requests
      assert.include(userText(second), "at most five")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ n: 6 }), ScriptedModel.json({ n: 5 })])))
  )

  it.effect("services that the Schema needs are captured once, so that readers need nothing", () => {
    class Prefix extends Context.Service<Prefix, string>()("test/Prefix") {}
    const Prefixed = Schema.String.pipe(
      Schema.decodeTo(Schema.String, {
        decode: SchemaGetter.transformEffect((text: string) => Effect.map(Prefix, (prefix) => prefix + text)),
        encode: SchemaGetter.transform((text: string) => text)
      })
    )
    return Effect.gen(function* () {
      const response = yield* Agent.make({ output: Schema.Struct({ id: Prefixed, ids: Schema.Array(Prefixed) }) }).pipe(
        Agent.input("go"),
        Agent.respond,
        Effect.provideService(Prefix, "user-")
      )
      assert.deepStrictEqual(yield* response.data, { id: "user-7", ids: ["user-8"] })
      assert.deepStrictEqual(yield* Stream.runCollect(response.each("ids[*]")), ["user-8"])
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ id: "7", ids: ["8"] })])))
  })
})

describe("agents", () => {
  it.effect("are values: combinators leave the agent as it was", () =>
    Effect.gen(function* () {
      const base = Agent.make({ info: { a: 1 }, instruct: "old" })
      const next = base.pipe(Agent.info({ b: 2 }), Agent.instruct("new"), Agent.input("Q"))
      assert.deepStrictEqual(base.config, { info: { a: 1 }, instruct: "old" })
      const request = yield* Agent.preview(next)
      assert.include(userText(request), "[INFO]:\n- a: 1\n- b: 2")
      assert.include(userText(request), "[INSTRUCT]:\nnew")
    })
  )

  it.effect("TR-08 options set later win, key by key", () =>
    Effect.gen(function* () {
      const request = yield* Agent.make({ options: { temperature: 0.9, topP: 0.5, provider: { a: 1 } } }).pipe(
        Agent.options({ temperature: 0.33, provider: { b: 2 } }),
        Agent.input("Q"),
        Agent.preview
      )
      assert.deepStrictEqual(request.options, { temperature: 0.33, topP: 0.5, provider: { a: 1, b: 2 } })
    })
  )

  it.effect("ST-02 a list of a later layer replaces the earlier one", () =>
    Effect.gen(function* () {
      const request = yield* Agent.make({ options: { stop: ["a", "b"] } }).pipe(
        Agent.options({ stop: ["c"] }),
        Agent.input("Q"),
        Agent.preview
      )
      assert.deepStrictEqual(request.options.stop, ["c"])
    })
  )

  it.effect("a prompt that cannot be rendered fails before anything is sent", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Agent.run(Agent.make({ info: { f: () => 1 } }).pipe(Agent.input("Q"))))
      assert.strictEqual(error._tag, "PromptError")
      assert.strictEqual((yield* Effect.flip(Agent.run(Agent.make({}))))._tag, "PromptError")
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )

  it.effect("an agent with a model of its own needs none from outside, and one program can use several", () =>
    Effect.gen(function* () {
      const one = Agent.make({}).pipe(
        Agent.provideModel(ScriptedModel.layer([ScriptedModel.text("one")])),
        Agent.input("Q")
      )
      const two = Agent.make({}).pipe(
        Agent.provideModel(ScriptedModel.layer([ScriptedModel.text("two")])),
        Agent.input("Q")
      )
      assert.deepStrictEqual(yield* Effect.all([Agent.run(one), Agent.run(two)]), ["one", "two"])
    })
  )

  it.effect("a failing layer of an agent's own model fails the run with its error", () =>
    Effect.gen(function* () {
      const agent = Agent.make({}).pipe(
        Agent.provideModel(Layer.effect(ModelProvider, Effect.fail("no key" as const))),
        Agent.input("Q")
      )
      assert.strictEqual(yield* Effect.flip(Agent.run(agent)), "no key")
    })
  )

  it.effect("asks for the provider's JSON mode only where the provider has one that can express the Schema", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(Agent.settings(items, { native: true }))
      const meta = yield* response.meta
      assert.match(String(meta.native), /no JSON-Schema mode/)
      const [request] = yield* ScriptedModel.requests
      assert.isFalse(request?.output.native)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ a: "x", items: [] })])))
  )

  it.effect("prints paths in slash style where asked to (IS-18)", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(Agent.settings(items, { pathStyle: "slash" }))
      const paths = (yield* Stream.runCollect(response.instant)).flatMap((event) =>
        event._tag === "Field" && event.isComplete ? [event.path] : []
      )
      assert.deepStrictEqual(paths, ["/a", "/items/[0]/n", "/items/[0]", "/items"])
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ a: "x", items: [{ n: 1 }] })])))
  )
})
