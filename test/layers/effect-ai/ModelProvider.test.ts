// Agents on any LanguageModel of effect/ai: what arrives, what is lost and said, what is asked.
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Schema, Stream } from "effect"
import { LanguageModel, Model, Prompt, type Response, Tool } from "effect/ai"
import { toCodecOpenAI } from "effect/ai/OpenAiStructuredOutput"
import { Agent, Output } from "effigent"
import { EffectAi } from "effigent/layers/effect-ai"
import { ModelProvider, type ModelRequest } from "effigent/services/ModelProvider"
import { assertToolEvents, plainRequest, run } from "../wire/Cases.ts"

type Part = Response.StreamPartEncoded

const usage = {
  inputTokens: { total: 10, uncached: 5, cacheRead: 4, cacheWrite: 1 },
  outputTokens: { total: 7, text: 5, reasoning: 2 }
}
const finish = (reason: Response.FinishReason = "stop"): Part => ({ type: "finish", reason, usage })
const said = (text: string): ReadonlyArray<Part> => [
  { type: "text-start", id: "0" },
  { type: "text-delta", id: "0", delta: text },
  { type: "text-end", id: "0" }
]

// A model of effect/ai that answers with these parts, in chunks, and keeps what it was asked.
const theirs = (chunks: ReadonlyArray<ReadonlyArray<Part>>, objects: ReadonlyArray<string> = []) => {
  const asked: Array<LanguageModel.ProviderOptions> = []
  const left = [...objects]
  const layer = Layer.effect(
    LanguageModel.LanguageModel,
    LanguageModel.make({
      codecTransformer: toCodecOpenAI,
      generateText: (options) =>
        Effect.sync(() => {
          asked.push(options)
          return [
            { type: "text", text: left.shift() ?? "" },
            { type: "finish", reason: "stop", usage }
          ] as const
        }).pipe(Effect.map((content) => [...content])),
      streamText: (options) =>
        Stream.suspend(() => {
          asked.push(options)
          return Stream.flatMap(Stream.fromIterable(chunks), (chunk) => Stream.fromArray(chunk))
        })
    })
  )
  return { asked, layer }
}

const outcomeOf = (
  { layer }: { readonly layer: Layer.Layer<LanguageModel.LanguageModel> },
  request: Partial<ModelRequest> = {},
  options: EffectAi.ModelProviderOptions = {}
) =>
  ModelProvider.use((provider) => run(provider.stream(plainRequest(request)))).pipe(
    Effect.provide(EffectAi.modelProviderWith(options).pipe(Layer.provide(layer)))
  )

const Weather = Tool.make("weather", { parameters: Schema.Struct({ city: Schema.String }), success: Schema.String })

describe("a LanguageModel as a provider", () => {
  it.effect("texts, reasoning, who answers, usage and the finish reason; a chunk stays a chunk", () =>
    Effect.gen(function* () {
      const model = theirs([
        [{ type: "response-metadata", id: "r1", modelId: "m1" }],
        [
          { type: "reasoning-start", id: "t" },
          { type: "reasoning-delta", id: "t", delta: "hm" },
          { type: "reasoning-end", id: "t" },
          { type: "text-start", id: "0" },
          { type: "text-delta", id: "0", delta: "Hel" },
          { type: "text-delta", id: "0", delta: "lo" },
          { type: "text-delta", id: "0", delta: "" }
        ],
        [{ type: "text-end", id: "0" }],
        [finish("length")]
      ])
      const { chunks } = yield* outcomeOf(model)
      assert.deepStrictEqual(chunks, [
        [{ _tag: "Info", id: "r1", model: "m1" }],
        [
          { _tag: "Reasoning", text: "hm" },
          { _tag: "Text", text: "Hel" },
          { _tag: "Text", text: "lo" }
        ],
        [
          {
            _tag: "Usage",
            usage: {
              inputTokens: 10,
              cachedInputTokens: 4,
              cacheWriteInputTokens: 1,
              outputTokens: 7,
              reasoningTokens: 2
            }
          },
          { _tag: "Finish", reason: "length" }
        ]
      ])
    })
  )

  it.effect("the wish to keep the prompt is marked in it, where Anthropic's models look, and fails no other", () =>
    Effect.gen(function* () {
      const model = theirs([[...said("ok"), finish()]])
      const prompt = Prompt.make([
        { role: "system", content: "be brief" },
        { role: "user", content: "hi" }
      ])
      const outcome = yield* outcomeOf(model, { prompt, options: { cache: { retention: "long", key: "k" } } })
      assert.isUndefined(outcome.error)
      const [system, user] = model.asked[0]?.prompt.content ?? []
      const mark = { anthropic: { cacheControl: { type: "ephemeral", ttl: "1h" } } }
      assert.deepStrictEqual<unknown>(system?.options, mark)
      assert.deepStrictEqual<unknown>(user?.role === "user" ? user.content[0]?.options : undefined, mark)
    })
  )

  it.effect("TR-07 an end without a finish part is Incomplete", () =>
    Effect.gen(function* () {
      const outcome = yield* outcomeOf(theirs([said("Hel")]))
      assert.strictEqual(outcome.text, "Hel")
      assert.strictEqual(outcome.error?.reason._tag, "Incomplete")
      assert.strictEqual((yield* outcomeOf(theirs([]))).error?.reason._tag, "Incomplete")
    })
  )

  for (const [reason, expected] of [
    ["stop", "stop"],
    ["tool-calls", "tool-calls"],
    ["content-filter", "content-filter"],
    ["pause", "pause"],
    ["other", "other"],
    ["unknown", "other"]
  ] as const) {
    it.effect(`the finish reason ${reason} is ${expected}`, () =>
      Effect.gen(function* () {
        const outcome = yield* outcomeOf(theirs([[finish(reason)]]))
        assert.strictEqual(outcome.finish?.reason, expected)
      })
    )
  }

  it.effect("an answer that ends with an error, or has an error part, is a failure after what was said", () =>
    Effect.gen(function* () {
      const ended = yield* outcomeOf(theirs([[...said("Hel"), finish("error")]]))
      const inside = yield* outcomeOf(
        theirs([[...said("Hel"), { type: "error", error: { type: "overloaded_error", message: "busy" } }, finish()]])
      )
      assert.deepStrictEqual([ended.text, ended.error?.reason._tag], ["Hel", "StreamFailed"])
      assert.deepStrictEqual([inside.text, inside.error?.reason._tag], ["Hel", "ProviderUnavailable"])
    })
  )

  it.effect("tool calls are handed on with their arguments as they were written; the vendor's own are not", () =>
    Effect.gen(function* () {
      const model = theirs([
        [
          { type: "tool-params-start", id: "a", name: "weather" },
          { type: "tool-params-delta", id: "a", delta: '{"city": ' },
          { type: "tool-params-delta", id: "a", delta: '"Oslo"}' },
          { type: "tool-params-end", id: "a" },
          { type: "tool-call", id: "a", name: "weather", params: { city: "Oslo" } },
          { type: "tool-call", id: "x", name: "weather", params: { city: "Rome" }, providerExecuted: true },
          { type: "tool-call", id: "b", name: "weather", params: { city: 7 } },
          { type: "tool-call", id: "c", name: "no such tool", params: "{cut" },
          finish("tool-calls")
        ]
      ])
      const outcome = yield* outcomeOf(model, { tools: [Weather], toolChoice: "required" })
      assert.deepStrictEqual(
        outcome.tools.map(({ arguments: text, id, index, input, name }) => ({ text, id, index, input, name })),
        [
          { text: '{"city": "Oslo"}', id: "a", index: 0, input: { city: "Oslo" }, name: "weather" },
          { text: '{"city":7}', id: "b", index: 1, input: { city: 7 }, name: "weather" },
          { text: "{cut", id: "c", index: 2, input: undefined, name: "no such tool" }
        ]
      )
      assertToolEvents(outcome)
      assert.strictEqual(outcome.finish?.reason, "tool-calls")
      assert.strictEqual(model.asked[0]?.toolChoice, "required")
      assert.strictEqual(model.asked[0]?.tools[0], Weather)
    })
  )

  it.effect("what a vendor attached to thoughts and calls goes back where it was, in the next turn", () =>
    Effect.gen(function* () {
      const first = yield* outcomeOf(
        theirs([
          [
            { type: "reasoning-start", id: "t" },
            { type: "reasoning-delta", id: "t", delta: "hm" },
            { type: "reasoning-end", id: "t", metadata: { acme: { signature: "s1" } } },
            { type: "tool-call", id: "a", name: "weather", params: {}, metadata: { acme: { thought: "s2" } } },
            finish("tool-calls")
          ]
        ]),
        { tools: [Weather] }
      )
      const signatures = first.events.flatMap((event) => (event._tag === "Reasoning" ? (event.signature ?? []) : []))
      assert.lengthOf(signatures, 2)
      const [thoughts, call] = signatures
      const model = theirs([[...said("ok"), finish()]])
      yield* outcomeOf(model, {
        prompt: Prompt.make([
          { role: "user", content: "hi" },
          {
            role: "assistant",
            content: [
              { type: "reasoning", text: "hm", options: { effigent: { signature: thoughts ?? "" } } },
              { type: "reasoning", text: "", options: { effigent: { signature: call ?? "" } } },
              { type: "reasoning", text: "own", options: { effigent: { signature: "vendor's own" } } },
              { type: "tool-call", id: "a", name: "weather", params: {}, providerExecuted: false }
            ]
          },
          { role: "user", content: "and?" }
        ])
      })
      const assistant = model.asked[0]?.prompt.content[1]
      assert.deepStrictEqual(
        assistant?.role === "assistant" ? assistant.content.map(({ options, type }) => ({ type, options })) : [],
        [
          { type: "reasoning", options: { acme: { signature: "s1" } } },
          { type: "reasoning", options: { effigent: { signature: "vendor's own" } } },
          { type: "tool-call", options: { acme: { thought: "s2" } } }
        ]
      )
    })
  )

  it.effect("interruption reaches the model", () =>
    Effect.gen(function* () {
      let closed = 0
      const layer = Layer.effect(
        LanguageModel.LanguageModel,
        LanguageModel.make({
          generateText: () => Effect.never,
          streamText: () => Stream.never.pipe(Stream.ensuring(Effect.sync(() => void closed++)))
        })
      )
      const fiber = yield* Effect.forkChild(outcomeOf({ layer }), { startImmediately: true })
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(closed, 1)
    })
  )

  it.effect("is named by effect/ai's ProviderName, or as it is told", () =>
    Effect.gen(function* () {
      const { layer } = theirs([])
      const nameOf = (provider: Layer.Layer<ModelProvider>) =>
        Effect.provide(
          ModelProvider.use(({ name }) => Effect.succeed(name)),
          provider
        )
      const named = Model.make("acme", "m1", layer)
      assert.strictEqual(yield* nameOf(EffectAi.modelProvider.pipe(Layer.provide(named))), "acme")
      assert.strictEqual(yield* nameOf(EffectAi.modelProvider.pipe(Layer.provide(layer))), "effect-ai")
      assert.strictEqual(yield* nameOf(EffectAi.modelProviderWith({ name: "mine" }).pipe(Layer.provide(named))), "mine")
    })
  )
})

describe("options that a LanguageModel does not take", () => {
  const fine = () => theirs([[...said("ok"), finish()]])

  for (const [what, request] of [
    ["model", { model: "m2" }],
    ["maxTokens", { options: { maxTokens: 5 } }],
    ["stop", { options: { stop: ["END"] } }],
    ["seed", { options: { seed: 0 } }],
    ["provider", { options: { provider: { top_k: 3 } } }]
  ] as const) {
    it.effect(`${what} is Unsupported, and nothing is sent`, () =>
      Effect.gen(function* () {
        const model = fine()
        const outcome = yield* outcomeOf(model, request)
        assert.strictEqual(outcome.error?.reason._tag, "Unsupported")
        assert.include(outcome.error?.message, `takes no ${what} `)
        assert.lengthOf(model.asked, 0)
      })
    )
  }

  it.effect("temperature and topP are left to the vendor", () =>
    Effect.gen(function* () {
      const outcome = yield* outcomeOf(fine(), { options: { temperature: 0, topP: 0.5 } })
      assert.isUndefined(outcome.error)
    })
  )

  it.effect("all of them reach the vendor through its own configuration service", () =>
    Effect.gen(function* () {
      class Config extends Context.Service<Config, ModelRequest["options"] & Pick<ModelRequest, "model">>()(
        "test/Config"
      ) {}
      const seen: Array<unknown> = []
      const layer = Layer.effect(
        LanguageModel.LanguageModel,
        LanguageModel.make({
          generateText: () => Effect.succeed([]),
          streamText: () =>
            Stream.unwrap(
              Effect.map(Effect.serviceOption(Config), (config) => {
                seen.push(config)
                return Stream.fromIterable([...said("ok"), finish()])
              })
            )
        })
      )
      const outcome = yield* outcomeOf(
        { layer },
        { model: "m2", options: { temperature: 0.2, maxTokens: 4 } },
        { configure: ({ model, options }) => Context.make(Config, { ...options, model }) }
      )
      assert.isUndefined(outcome.error)
      assert.deepStrictEqual(JSON.parse(JSON.stringify(seen)), [
        { _id: "Option", _tag: "Some", value: { temperature: 0.2, maxTokens: 4, model: "m2" } }
      ])
    })
  )
})

describe("an agent on a LanguageModel", () => {
  const Ticket = Output.make({
    title: Output.ensure(Schema.String, "Title"),
    note: Output.field(Schema.String, "Note")
  })
  const ask = (native: boolean) => Agent.make({ output: Ticket, native }).pipe(Agent.input("fire"), Agent.run)

  it.effect("gets its object field by field, from text", () =>
    Effect.gen(function* () {
      const { asked, layer } = theirs([said('{"title":"Fi'), said('re"}'), [finish()]])
      const model = EffectAi.modelProvider.pipe(Layer.provide(layer))
      assert.deepStrictEqual(yield* Effect.provide(ask(true), model), { title: "Fire" })
      assert.strictEqual(asked[0]?.responseFormat.type, "text")
    })
  )

  it.effect("gets it through generateObject where the vendor has a mode for it", () =>
    Effect.gen(function* () {
      const { asked, layer } = theirs([], ['{"title":"Fire","note":null}'])
      const model = EffectAi.modelProviderWith({ dialect: "openai" }).pipe(Layer.provide(layer))
      assert.deepStrictEqual(yield* Effect.provide(ask(true), model), { title: "Fire" })
      assert.strictEqual(asked[0]?.responseFormat.type, "json")
    })
  )

  it.effect("S18 what generateObject refuses is corrected like any other answer", () =>
    Effect.gen(function* () {
      const { asked, layer } = theirs([], ['{"note":"?"}', '{"title":"Fire","note":null}'])
      const model = EffectAi.modelProviderWith({ dialect: "openai" }).pipe(Layer.provide(layer))
      assert.deepStrictEqual(yield* Effect.provide(ask(true), model), { title: "Fire" })
      assert.lengthOf(asked, 2)
      assert.include(JSON.stringify(asked[1]?.prompt), "Missing ensure key: title")
    })
  )
})
