// effect/ai on our providers: streams, tools through Chat, objects, reasoning, usage, interruption.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Ref, Schema, Stream, Tracer } from "effect"
import { Chat, LanguageModel, Prompt, type Response, Tool, Toolkit } from "effect/ai"
import { Output } from "effigent"
import { EffectAi } from "effigent/layers/effect-ai"
import { OfflineModel } from "effigent/layers/offline"
import type { ModelEvent, ModelRequest } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"

const on = (steps: ReadonlyArray<ScriptedModel.Step>, options?: ScriptedModel.LayerOptions) =>
  EffectAi.languageModel.pipe(Layer.provideMerge(ScriptedModel.layer(steps, options)))

const plain = (parts: Iterable<Response.AnyPart>) =>
  [...parts].map((part) => {
    const { metadata, type, ...rest } = part
    const seen: Record<string, unknown> = { type, ...(Object.keys(metadata).length > 0 ? { metadata } : {}) }
    for (const [key, value] of Object.entries(rest)) if (!key.startsWith("~") && value !== false) seen[key] = value
    if (part.type === "finish") seen["usage"] = JSON.parse(JSON.stringify(part.usage))
    return seen
  })

const Weather = Tool.make("weather", {
  description: "Weather of a city",
  parameters: Schema.Struct({ city: Schema.String }),
  success: Schema.Struct({ degrees: Schema.Int }),
  failure: Schema.String,
  failureMode: "return"
})
const Tools = Toolkit.make(Weather)
const ToolsLive = Tools.toLayer({
  weather: ({ city }) => (city === "Oslo" ? Effect.succeed({ degrees: -4 }) : Effect.fail(`${city} is unknown`))
})

describe("streamText on a provider", () => {
  it.effect("texts, reasoning, who answers, usage and the finish reason, in effect/ai's parts", () =>
    Effect.gen(function* () {
      const parts = yield* Stream.runCollect(LanguageModel.streamText({ prompt: "hi" }))
      assert.deepStrictEqual(plain(parts), [
        { type: "response-metadata", id: "r1", modelId: "m1" },
        { type: "reasoning-start", id: "0" },
        { type: "reasoning-delta", id: "0", delta: "hm" },
        { type: "reasoning-end", id: "0" },
        { type: "text-start", id: "1" },
        { type: "text-delta", id: "1", delta: "Hel" },
        { type: "text-delta", id: "1", delta: "lo" },
        { type: "text-end", id: "1" },
        {
          type: "finish",
          reason: "length",
          usage: {
            inputTokens: { total: 10, uncached: 5, cacheRead: 4, cacheWrite: 1 },
            outputTokens: { total: 7, text: 5, reasoning: 2 }
          }
        }
      ])
    }).pipe(
      Effect.provide(
        on([
          ScriptedModel.chunks(["Hel", "lo"], {
            info: { id: "r1", model: "m1" },
            reasoning: "hm",
            finish: "length",
            usage: {
              inputTokens: 10,
              cachedInputTokens: 4,
              cacheWriteInputTokens: 1,
              outputTokens: 7,
              reasoningTokens: 2
            }
          })
        ])
      )
    )
  )

  it.effect("a signature ends its block, and comes back to the provider with the next turn of a Chat", () =>
    Effect.gen(function* () {
      const chat = yield* Chat.empty
      yield* Stream.runDrain(chat.streamText({ prompt: "one" }))
      yield* chat.generateText({ prompt: "two" })
      const [, second] = yield* ScriptedModel.requests
      const thoughts = second?.prompt.content.flatMap((message) =>
        message.role === "assistant" ? message.content.filter((part) => part.type === "reasoning") : []
      )
      assert.deepStrictEqual(
        thoughts?.map(({ options, text }) => ({ options, text })),
        [
          { text: "think", options: { effigent: { signature: "s1" } } },
          { text: "", options: { effigent: { redacted: "xyz" } } },
          { text: "more", options: { effigent: { signature: "s2" } } }
        ]
      )
    }).pipe(
      Effect.provide(
        on([
          ScriptedModel.events([
            [
              { _tag: "Reasoning", text: "thi" },
              { _tag: "Reasoning", text: "nk" },
              { _tag: "Reasoning", text: "", signature: "s1" },
              { _tag: "Reasoning", text: "", redacted: "xyz" },
              { _tag: "Reasoning", text: "more", signature: "s2" },
              { _tag: "Text", text: "ok" },
              { _tag: "Finish", reason: "stop" }
            ]
          ]),
          ScriptedModel.text("fine")
        ])
      )
    )
  )

  it.effect("usage that follows the finish reason is the usage of the finish", () =>
    Effect.gen(function* () {
      const parts = yield* Stream.runCollect(LanguageModel.streamText({ prompt: "hi" }))
      const finish = parts.at(-1)
      assert.strictEqual(finish?.type === "finish" ? finish.usage.outputTokens.total : undefined, 3)
      assert.deepStrictEqual(finish?.metadata, { effigent: { finishReason: "end_turn" } })
      assert.lengthOf(
        parts.filter(({ type }) => type === "finish"),
        1
      )
    }).pipe(
      Effect.provide(
        on([
          ScriptedModel.events([
            [{ _tag: "Text", text: "a" }],
            [
              { _tag: "Finish", reason: "stop", raw: "end_turn" },
              { _tag: "Usage", usage: { outputTokens: 3 } }
            ]
          ])
        ])
      )
    )
  )

  const replays: ReadonlyArray<ReadonlyArray<ModelEvent>> = [
    [{ _tag: "Text", text: "Hel" }],
    [{ _tag: "Restarted", reason: "lost" }],
    [
      { _tag: "Text", text: "Hello" },
      { _tag: "Finish", reason: "stop" }
    ]
  ]

  it.effect("a replay after words that were streamed is a failure that may be retried, never a doubled text", () =>
    Effect.gen(function* () {
      let text = ""
      const error = yield* LanguageModel.streamText({ prompt: "hi" }).pipe(
        Stream.runForEach((part) => Effect.sync(() => void (text += part.type === "text-delta" ? part.delta : ""))),
        Effect.flip
      )
      assert.strictEqual(text, "Hel")
      assert.strictEqual(error.reason._tag, "InternalProviderError")
      assert.isTrue(error.isRetryable)
      assert.include(error.message, "lost")
    }).pipe(Effect.provide(on([ScriptedModel.events(replays)])))
  )

  it.effect("a replay inside generateText is the replacement alone", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* LanguageModel.generateText({ prompt: "hi" })).text, "Hello")
    }).pipe(Effect.provide(on([ScriptedModel.events(replays)])))
  )

  it.effect("a refusal is a ContentPolicyError in the model's words, however it was asked", () =>
    Effect.gen(function* () {
      const streamed = yield* Effect.flip(Stream.runDrain(LanguageModel.streamText({ prompt: "hi" })))
      const whole = yield* Effect.flip(LanguageModel.generateText({ prompt: "hi" }))
      for (const { reason } of [streamed, whole]) {
        assert.strictEqual(reason._tag, "ContentPolicyError")
        assert.include(reason.message, "I would rather not")
      }
    }).pipe(
      Effect.provide(
        EffectAi.languageModel.pipe(
          Layer.provide(
            ScriptedModel.always(
              ScriptedModel.events([
                [
                  { _tag: "Refusal", text: "I would " },
                  { _tag: "Refusal", text: "rather not" },
                  { _tag: "Finish", reason: "stop" }
                ]
              ])
            )
          )
        )
      )
    )
  )

  it.effect("interrupting the reader interrupts the provider", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Stream.runDrain(LanguageModel.streamText({ prompt: "hi" })), {
        startImmediately: true
      })
      const whole = yield* Effect.forkChild(LanguageModel.generateText({ prompt: "hi" }), { startImmediately: true })
      assert.strictEqual(yield* ScriptedModel.openStreams, 2)
      yield* Fiber.interrupt(fiber)
      yield* Fiber.interrupt(whole)
      assert.strictEqual(yield* ScriptedModel.openStreams, 0)
      assert.strictEqual(yield* ScriptedModel.aborted, 2)
    }).pipe(Effect.provide(on([ScriptedModel.hangAfter(["a"]), ScriptedModel.hangAfter(["a"])])))
  )

  it.effect("a reader that has had enough closes the provider's stream", () =>
    Effect.gen(function* () {
      yield* LanguageModel.streamText({ prompt: "hi" }).pipe(Stream.take(1), Stream.runDrain)
      assert.strictEqual(yield* ScriptedModel.openStreams, 0)
    }).pipe(Effect.provide(on([ScriptedModel.hangAfter(["a", "b"])])))
  )

  it.effect("the span says who was asked and what it cost", () =>
    Effect.gen(function* () {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      yield* LanguageModel.generateText({ prompt: "hi" }).pipe(Effect.withTracer(tracer))
      const span = spans.find(({ name }) => name === "LanguageModel.generateText")
      const attribute = (name: string) => span?.attributes.get(name)
      assert.strictEqual(attribute("gen_ai.provider.name"), "scripted")
      assert.strictEqual(attribute("gen_ai.request.model"), "m2")
      assert.strictEqual(attribute("gen_ai.request.temperature"), 0.5)
      assert.strictEqual(attribute("gen_ai.response.model"), "m2-large")
      assert.strictEqual(attribute("gen_ai.usage.output_tokens"), 5)
    }).pipe(
      Effect.provide(
        EffectAi.languageModelWith({ model: "m2", options: { temperature: 0.5 } }).pipe(
          Layer.provide(
            ScriptedModel.layer([ScriptedModel.text("hi", { info: { model: "m2-large" }, usage: { outputTokens: 5 } })])
          )
        )
      )
    )
  )
})

describe("requests from effect/ai", () => {
  const requestOf = Effect.fnUntraced(function* (
    ask: Effect.Effect<unknown, unknown, LanguageModel.LanguageModel>,
    options: EffectAi.LanguageModelOptions = {},
    script: ScriptedModel.LayerOptions = {}
  ) {
    const layer = EffectAi.languageModelWith(options).pipe(
      Layer.provideMerge(ScriptedModel.layer([ScriptedModel.text('{"a":1}')], script))
    )
    const [request] = yield* Effect.provide(Effect.andThen(Effect.orDie(ask), ScriptedModel.requests), layer)
    assert.isDefined(request)
    return request as ModelRequest
  })

  it.effect("carry the prompt, the tools and the choice; model and options as the layer was given them", () =>
    Effect.gen(function* () {
      const request = yield* requestOf(
        Effect.provide(
          LanguageModel.generateText({
            prompt: [
              { role: "system", content: "be brief" },
              { role: "user", content: "hi" }
            ],
            toolkit: Tools,
            toolChoice: { tool: "weather" }
          }),
          ToolsLive
        ),
        { model: "m2", options: { temperature: 0.1, maxTokens: 9 } }
      )
      assert.deepStrictEqual(
        request.prompt.content.map(({ role }) => role),
        ["system", "user"]
      )
      assert.deepStrictEqual(
        request.tools.map(({ name }) => name),
        ["weather"]
      )
      assert.deepStrictEqual(request.toolChoice, { tool: "weather" })
      assert.strictEqual(request.model, "m2")
      assert.deepStrictEqual(request.options, { temperature: 0.1, maxTokens: 9 })
      assert.strictEqual(request.output.format, "text")
    })
  )

  it.effect("a choice of some tools sends those alone", () =>
    Effect.gen(function* () {
      const Other = Tool.make("other")
      const Both = Toolkit.make(Weather, Other)
      const live = Both.toLayer({ weather: () => Effect.succeed({ degrees: 0 }), other: () => Effect.void })
      const request = yield* requestOf(
        Effect.provide(
          LanguageModel.generateText({
            prompt: "hi",
            toolkit: Both,
            toolChoice: { mode: "required", oneOf: ["other"] }
          }),
          live
        )
      )
      assert.deepStrictEqual(
        request.tools.map(({ name }) => name),
        ["other"]
      )
      assert.strictEqual(request.toolChoice, "required")
    })
  )

  it.effect("generateObject tells the contract in the one system message, and in the provider's own mode", () =>
    Effect.gen(function* () {
      const ask = LanguageModel.generateObject({
        prompt: [
          { role: "system", content: "be brief" },
          { role: "user", content: "hi" }
        ],
        schema: Schema.Struct({ a: Schema.Finite.annotate({ description: "A number" }) }),
        objectName: "my thing"
      })
      const request = yield* requestOf(ask, {}, { dialect: "openai" })
      const [system, user] = request.prompt.content
      assert.lengthOf(request.prompt.content, 2)
      assert.strictEqual(system?.role, "system")
      assert.match(String(system?.content), /^be brief\n\n\[OUTPUT REQUIREMENT\]:\n.*A number/s)
      assert.strictEqual(user?.role, "user")
      assert.isTrue(request.output.native)
      assert.strictEqual(request.output.name, "my_thing")
      assert.isDefined(request.output.strict.openai)
      assert.isFalse((yield* requestOf(ask)).output.native)
    })
  )
})

describe("a tool loop through Chat", () => {
  const loop = Effect.fnUntraced(function* (question: string) {
    const chat = yield* Chat.fromPrompt([{ role: "system", content: "You tell the weather." }])
    let prompt: Prompt.RawInput = question
    for (let turn = 0; turn < 4; turn++) {
      const response = yield* chat.generateText({ prompt, toolkit: Tools })
      if (response.finishReason !== "tool-calls") return { text: response.text, history: yield* Ref.get(chat.history) }
      prompt = Prompt.empty
    }
    return yield* Effect.die("too many turns")
  })

  it.effect("AC-06 tools are sent natively, run by their handlers, and their results are tool messages", () =>
    Effect.gen(function* () {
      const { history, text } = yield* loop("Oslo and Atlantis?")
      assert.strictEqual(text, "Cold.")
      assert.deepStrictEqual(
        history.content.map(({ role }) => role),
        ["system", "user", "assistant", "tool", "assistant"]
      )
      const [, second] = yield* ScriptedModel.requests
      const results = second?.prompt.content.flatMap((message) =>
        message.role === "tool" ? message.content.filter((part) => part.type === "tool-result") : []
      )
      assert.deepStrictEqual(
        // effect/ai has them in the order in which they came.
        results
          ?.map(({ id, isFailure, result }) => ({ id, isFailure, result }))
          .toSorted((a, b) => a.id.localeCompare(b.id)),
        [
          { id: "call_1", isFailure: false, result: { degrees: -4 } },
          { id: "call_2", isFailure: true, result: "Atlantis is unknown" }
        ]
      )
    }).pipe(
      Effect.provide(ToolsLive),
      Effect.provide(
        on([
          ScriptedModel.toolCalls(
            [
              { name: "weather", input: { city: "Oslo" } },
              { name: "weather", input: { city: "Atlantis" } }
            ],
            { chunkSize: 4, expect: (request) => request.tools.length === 1 }
          ),
          ScriptedModel.text("Cold.")
        ])
      )
    )
  )

  it.effect("S11 arguments that are no JSON, or not the tool's, go back to the model as a failed result", () =>
    Effect.gen(function* () {
      const { text } = yield* loop("Oslo?")
      assert.strictEqual(text, "sorry")
      const requests = yield* ScriptedModel.requests
      for (const request of requests.slice(1)) {
        const last = request.prompt.content.findLast(({ role }) => role === "tool")
        const [result] = last?.role === "tool" ? last.content : []
        assert.isTrue(result?.type === "tool-result" && result.isFailure)
      }
      assert.lengthOf(requests, 3)
    }).pipe(
      Effect.provide(ToolsLive),
      Effect.provide(
        on([
          ScriptedModel.events([
            [
              { _tag: "ToolCallDelta", index: 0, id: "a", name: "weather", delta: '{"city' },
              { _tag: "ToolCall", index: 0, id: "a", name: "weather", arguments: '{"city' },
              { _tag: "Finish", reason: "tool-calls" }
            ]
          ]),
          ScriptedModel.toolCalls([{ name: "weather", input: { town: "Oslo" }, id: "b" }]),
          ScriptedModel.text("sorry")
        ])
      )
    )
  )

  it.effect("streams the pieces of the arguments, the call and its result", () =>
    Effect.gen(function* () {
      const parts = yield* Stream.runCollect(LanguageModel.streamText({ prompt: "Oslo?", toolkit: Tools }))
      assert.deepStrictEqual(
        parts.map(({ type }) => type),
        [
          "tool-params-start",
          "tool-params-delta",
          "tool-params-delta",
          "tool-params-end",
          "tool-call",
          "tool-result",
          "finish"
        ]
      )
    }).pipe(
      Effect.provide(ToolsLive),
      Effect.provide(on([ScriptedModel.toolCalls([{ name: "weather", input: { city: "Oslo" } }], { chunkSize: 10 })]))
    )
  )

  it.effect("a tool that does not exist is a ToolNotFoundError, and is handed on where validation is deferred", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(LanguageModel.generateText({ prompt: "hi", toolkit: Tools }))
      const { reason } = error
      assert.deepStrictEqual(reason._tag === "ToolNotFoundError" && [reason.toolName, ...reason.availableTools], [
        "time",
        "weather"
      ])
      const { toolCalls } = yield* LanguageModel.generateText({
        prompt: "hi",
        toolkit: Tools,
        disableToolCallResolution: true,
        toolCallValidation: "deferred"
      })
      assert.deepStrictEqual(
        toolCalls.map(({ name, params }) => ({ name, params })),
        [{ name: "time", params: { zone: 1 } }]
      )
    }).pipe(
      Effect.provide(ToolsLive),
      Effect.provide(
        on([
          ScriptedModel.toolCalls([{ name: "time", input: { zone: 1 } }]),
          ScriptedModel.toolCalls([{ name: "time", input: { zone: 1 } }])
        ])
      )
    )
  )
})

describe("generateObject on a provider", () => {
  const Ticket = Schema.Struct({
    title: Output.ensure(Schema.String, "Title", "notEmpty"),
    due: Schema.optionalKey(Schema.Date),
    tags: Schema.Array(Schema.String)
  })
  const ask = LanguageModel.generateObject({ prompt: "The printer is on fire", schema: Ticket })

  it.effect("S19 reads an answer in prose and fences, and null as absent", () =>
    Effect.gen(function* () {
      const { text, value } = yield* ask
      assert.deepStrictEqual(value, { title: "Fire", tags: ["a"] })
      assert.strictEqual(text, '{"title":"Fire","due":null,"tags":["a"]}')
    }).pipe(
      Effect.provide(
        on([ScriptedModel.text('Sure!\n```json\n{"title": "Fire", "due": null, "tags": ["a",]}\n```\nDone.')])
      )
    )
  )

  it.effect("decodes what stands encoded in JSON", () =>
    Effect.gen(function* () {
      const { value } = yield* ask
      assert.strictEqual(value.due?.getTime(), Date.UTC(2026, 0, 2))
    }).pipe(Effect.provide(on([ScriptedModel.json({ title: "Fire", due: "2026-01-02T00:00:00.000Z", tags: [] })])))
  )

  for (const [what, answer] of [
    ["lacks an ensured place", '{"title":"  ","tags":[]}'],
    ["does not fit the Schema", '{"title":"Fire","tags":1}'],
    ["is no JSON", "I do not know."],
    ["was cut", '{"title":"Fire","tags":["a","b']
  ] as const) {
    it.effect(`S18 an answer that ${what} is a StructuredOutputError with its text`, () =>
      Effect.gen(function* () {
        const { reason } = yield* Effect.flip(ask)
        assert.strictEqual(reason._tag, "StructuredOutputError")
        assert.strictEqual(reason._tag === "StructuredOutputError" ? reason.responseText : "", answer)
      }).pipe(Effect.provide(on([ScriptedModel.text(answer)])))
    )
  }

  it.effect("runs on the offline model", () =>
    Effect.gen(function* () {
      const { value } = yield* ask
      assert.isString(value.title)
      assert.isAbove(value.title.length, 0)
    }).pipe(Effect.provide(EffectAi.languageModel.pipe(Layer.provide(OfflineModel.layer))))
  )

  it.effect("the words of the contract do not enter the history of a Chat", () =>
    Effect.gen(function* () {
      const chat = yield* Chat.empty
      yield* chat.generateObject({ prompt: "hi", schema: Ticket })
      const history = yield* Ref.get(chat.history)
      assert.deepStrictEqual(
        history.content.map(({ role }) => role),
        ["user", "assistant"]
      )
    }).pipe(Effect.provide(on([ScriptedModel.json({ title: "Fire", tags: [] })])))
  )
})
