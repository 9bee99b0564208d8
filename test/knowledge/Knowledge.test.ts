import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Agent, Filter, Knowledge, Session } from "effigent"
import { OfflineEmbeddings } from "effigent/layers/offline"
import { KnowledgeStores, SessionStores } from "effigent/layers/store"
import { EmbeddingProvider } from "effigent/services/EmbeddingProvider"
import { KnowledgeStore } from "effigent/services/KnowledgeStore"
import { ModelError, RateLimited } from "effigent/services/ModelError"
import { ScriptedModel } from "effigent/testing"

const manual: ReadonlyArray<Knowledge.Document> = [
  { id: "reset", text: "To reset the lamp, hold the power button for ten seconds.", meta: { model: "L200" } },
  { id: "bulb", text: "The bulb cannot be replaced by the user.", meta: { model: "L200" } },
  { id: "pairing", text: "Pair the speaker with a phone over Bluetooth.", meta: { model: "S9" } },
  { id: "warranty", text: "The warranty covers two years from the date of purchase.", meta: { model: "any" } }
]

const layers = Layer.mergeAll(OfflineEmbeddings.layer, KnowledgeStores.memory)

const told = Effect.gen(function* () {
  const model = yield* ScriptedModel.ScriptedModel
  const message = (yield* model.requests).at(-1)?.prompt.content.at(-1)
  const part = message?.role === "user" ? message.content[0] : undefined
  return part?.type === "text" ? part.text : ""
})

const withModel = Effect.provide(
  Layer.mergeAll(layers, SessionStores.memory, ScriptedModel.always(ScriptedModel.text("ok")))
)

describe("Knowledge", () => {
  it.effect("finds what means the nearest, within a filter and a least score", () =>
    Effect.gen(function* () {
      yield* Knowledge.add("m", manual)
      const ids = (query: string, options?: Knowledge.SearchOptions) =>
        Effect.map(Knowledge.search("m", query, options), (found) => found.map(({ id }) => id))
      assert.strictEqual((yield* ids("How do I reset my lamp?"))[0], "reset")
      assert.strictEqual((yield* ids("replacing bulbs"))[0], "bulb")
      assert.strictEqual((yield* ids("pairing two speakers and phones"))[0], "pairing")
      assert.deepStrictEqual(yield* ids("lamp", { filter: Filter.is("model", "S9") }), ["pairing"])
      assert.deepStrictEqual(yield* ids("warranty purchase date", { limit: 1 }), ["warranty"])
      assert.deepStrictEqual(yield* ids("reset the lamp", { minScore: 0.3 }), ["reset"])
    }).pipe(Effect.provide(layers))
  )

  it.effect("embeds a text once: what is there with the same text keeps its vector and takes new facts", () =>
    Effect.gen(function* () {
      const provider = yield* EmbeddingProvider
      const embedded: Array<string> = []
      const counting = EmbeddingProvider.of({
        ...provider,
        embed: (request) => {
          embedded.push(...request.texts)
          return provider.embed(request)
        }
      })
      yield* Effect.gen(function* () {
        yield* Knowledge.add("m", manual)
        yield* Knowledge.add(
          "m",
          manual.map((one) => (one.id === "bulb" ? { ...one, text: "New bulbs." } : { ...one, meta: { seen: true } }))
        )
      }).pipe(Effect.provideService(EmbeddingProvider, counting))
      assert.deepStrictEqual(embedded, [...manual.map(({ text }) => text), "New bulbs."])
      const store = yield* KnowledgeStore
      const [reset, bulb] = yield* store.get("m", ["reset", "bulb"])
      assert.deepStrictEqual([reset?.meta, bulb?.text], [{ seen: true }, "New bulbs."])
    }).pipe(Effect.provide(layers))
  )

  it.effect("lays what it finds into INFO with the ids, beside what the agent knows", () =>
    Effect.gen(function* () {
      yield* Knowledge.add("m", manual)
      const run = (info: unknown) =>
        Agent.make({ info, instruct: "Answer." }).pipe(
          Knowledge.info({ collection: "m", limit: 1 }),
          Agent.input("How do I reset the lamp?"),
          Agent.run,
          Effect.andThen(told)
        )
      const passage = "id: reset"
      for (const [info, line] of [
        [undefined, ""],
        [{ shop: "Heron" }, "- shop: Heron"],
        ["Heron Ltd", "Heron Ltd"],
        [["one", "two"], "two"]
      ] as const) {
        const text = yield* run(info)
        assert.match(text, /^\[INFO\]:\n/)
        assert.include(text, line)
        assert.include(text, "knowledge:")
        assert.include(text, passage)
        assert.notInclude(text, "id: bulb")
        assert.include(text, "[INPUT]:\nHow do I reset the lamp?")
      }
    }).pipe(withModel)
  )

  it.effect("asks by a query of one's own, and adds nothing where nothing is asked or found", () =>
    Effect.gen(function* () {
      yield* Knowledge.add("m", manual)
      const run = (options: Partial<Knowledge.InfoOptions>, input: unknown = "hello") =>
        Agent.make({ input }).pipe(
          Knowledge.info({ collection: "m", limit: 1, ...options }),
          Agent.run,
          Effect.andThen(told)
        )
      assert.include(yield* run({ query: "bulb replaced" }), "id: bulb")
      assert.include(yield* run({ query: ({ input }) => `warranty ${String(input)}` }), "id: warranty")
      assert.include(yield* run({}, { topic: "bluetooth speaker" }), "id: pairing")
      assert.strictEqual(yield* run({ query: () => undefined }), "hello")
      assert.strictEqual(yield* run({ query: "  " }), "hello")
      assert.strictEqual(yield* run({ collection: "none" }), "hello")
      assert.strictEqual(yield* run({ minScore: 0.99 }), "hello")
    }).pipe(withModel)
  )

  it.effect("what was found is not recorded in a session", () =>
    Effect.gen(function* () {
      yield* Knowledge.add("m", manual)
      const agent = Agent.make({}).pipe(
        Session.attach(Session.make(), "s"),
        Knowledge.info({ collection: "m" }),
        Agent.input("reset lamp")
      )
      yield* Agent.run(agent)
      yield* Agent.run(agent)
      const model = yield* ScriptedModel.ScriptedModel
      const [, second] = yield* model.requests
      assert.deepStrictEqual(
        second?.prompt.content.map(({ role }) => role),
        ["user", "assistant", "user"]
      )
      assert.notInclude(JSON.stringify(second?.prompt.content[0]), "ten seconds")
      assert.include(JSON.stringify(second?.prompt.content[2]), "ten seconds")
    }).pipe(withModel)
  )

  it.effect("failures of embedding and of the store are typed, and nothing is sent", () =>
    Effect.gen(function* () {
      const busy = Layer.succeed(EmbeddingProvider, {
        name: "busy",
        embed: () => Effect.fail(new ModelError({ provider: "busy", reason: new RateLimited({ detail: "slow down" }) }))
      })
      const agent = Agent.make({ input: "q" }).pipe(Knowledge.info({ collection: "m" }))
      const error = yield* Effect.flip(Agent.run(agent)).pipe(Effect.provide(busy))
      assert.strictEqual(error._tag, "ModelError")
      yield* Knowledge.add("m", manual)
      const other = yield* Effect.flip(Agent.run(agent)).pipe(
        Effect.provide(OfflineEmbeddings.layerWith({ dimensions: 64 }))
      )
      assert.strictEqual(other._tag, "KnowledgeStoreError")
      assert.include(other.message, "a vector has 64 dimensions, the collection's have 512")
      const model = yield* ScriptedModel.ScriptedModel
      assert.lengthOf(yield* model.requests, 0)
    }).pipe(withModel)
  )

  it("splits at paragraphs, sentences, words, in this order; loses no word", () => {
    const text = `${"Alpha beta gamma. ".repeat(20).trim()}\n\n${"Delta epsilon zeta! ".repeat(20).trim()}\n\n${"x".repeat(300)}\ud83d\ude00`
    for (const max of [2, 7, 40, 100, 250, 400, 5_000]) {
      const parts = Knowledge.split(text, max)
      for (const part of parts) assert.isAtMost(part.length, max)
      assert.strictEqual(parts.join("").replaceAll(/\s/g, ""), text.replaceAll(/\s/g, ""))
      assert.isTrue(parts.every((part) => part === part.trim() && part !== "" && part.isWellFormed()))
    }
    assert.lengthOf(Knowledge.split(text, 400), 3)
    assert.deepStrictEqual(Knowledge.split("One two. Three four.", 12), ["One two.", "Three four."])
    assert.deepStrictEqual(Knowledge.split("   "), [])
  })
})

describe("OfflineEmbeddings", () => {
  const similarity = (a: string, b: string) =>
    Effect.gen(function* () {
      const provider = yield* EmbeddingProvider
      const { vectors } = yield* provider.embed({ texts: [a, b] })
      return (vectors[0] ?? new Float32Array()).reduce((sum, x, i) => sum + x * (vectors[1]?.[i] ?? 0), 0)
    }).pipe(Effect.provide(OfflineEmbeddings.layer))

  it.effect("similar texts are near, others are far, the same is the same", () =>
    Effect.gen(function* () {
      assert.approximately(yield* similarity("The train was late.", "The train was late."), 1, 1e-6)
      const near = yield* similarity("The train was late.", "My trains are often late!")
      const far = yield* similarity("The train was late.", "Bake the bread for an hour.")
      assert.isAbove(near, 0.5)
      assert.isBelow(far, 0.2)
      assert.approximately(yield* similarity("Caf\u00e9", "CAFE\u0301"), 1, 1e-6)
    })
  )

  it.effect("every text has a vector of length 1, whatever it is made of", () =>
    Effect.gen(function* () {
      const provider = yield* EmbeddingProvider
      const { model, vectors } = yield* provider.embed({
        texts: ["", "?!", "the", "\u4f60\u597d", "a b"],
        dimensions: 32
      })
      assert.strictEqual(model, OfflineEmbeddings.model)
      for (const vector of vectors) {
        assert.lengthOf(vector, 32)
        assert.approximately(
          vector.reduce((sum, x) => sum + x * x, 0),
          1,
          1e-5
        )
      }
    }).pipe(Effect.provide(OfflineEmbeddings.layer))
  )
})
