/** The wish to keep a prompt, as it arrives at each vendor. */
import { assert, describe, it } from "@effect/vitest"
import type { LanguageModelV4CallOptions, LanguageModelV4StreamPart } from "@ai-sdk/provider"
import { Effect, Result, Schema } from "effect"
import { Prompt, Tool } from "effect/ai"
import { Agent, PromptFile } from "effigent"
import { AiSdk } from "effigent/layers/ai-sdk"
import { AnthropicCompatible } from "effigent/layers/anthropic"
import { OpenAICompatible, OpenAIResponsesCompatible } from "effigent/layers/openai"
import { ModelPool } from "effigent/layers/pool"
import type { ModelProvider, ModelRequest } from "effigent/services/ModelProvider"
import * as CacheMarks from "../../src/wire/CacheMarks.ts"
import { plainRequest, run } from "../layers/wire/Cases.ts"
import { serve } from "../layers/wire/Server.ts"

type Make = (options: { readonly model: string; readonly baseUrl: string }) => ModelProvider["Service"]

// The body that arrives for a request.
const sent = Effect.fnUntraced(function* (make: Make, request: Partial<ModelRequest>) {
  const server = yield* serve((response) => void response.writeHead(400).end("{}"))
  yield* run(make({ model: "m", baseUrl: server.url }).stream(plainRequest(request)))
  return JSON.parse(server.received[0]?.body ?? "{}")
})

const text = (text: string) => ({ type: "text", text }) as const
const kept = { cache_control: { type: "ephemeral" } }
const talk = Prompt.make([
  { role: "system", content: "be brief" },
  { role: "user", content: "one" },
  {
    role: "assistant",
    content: [text("two"), { type: "reasoning", text: "hm", options: { effigent: { signature: "SIG" } } }]
  },
  { role: "user", content: [text("a letter"), text("three")] }
])
const step = Prompt.make([
  { role: "user", content: "weather?" },
  { role: "assistant", content: [{ type: "tool-call", id: "a", name: "weather", params: {} }] },
  { role: "tool", content: [{ type: "tool-result", id: "a", name: "weather", isFailure: false, result: "sun" }] }
])
const Weather = Tool.make("weather", { parameters: Schema.Struct({}) })

describe("the wish to keep the prompt", () => {
  it.live("Anthropic: behind the system text, the conversation so far, and the question", () =>
    Effect.gen(function* () {
      const body = yield* sent(AnthropicCompatible.make, { prompt: talk, options: { cache: {} } })
      assert.deepStrictEqual(body.system, [{ ...text("be brief"), ...kept }])
      assert.deepStrictEqual(body.messages, [
        { role: "user", content: [text("one")] },
        {
          role: "assistant",
          content: [
            { ...text("two"), ...kept },
            { type: "thinking", thinking: "hm", signature: "SIG" }
          ]
        },
        { role: "user", content: [text("a letter"), { ...text("three"), ...kept }] }
      ])
    })
  )

  it.live("Anthropic: an hour on request; nothing where it is not asked for", () =>
    Effect.gen(function* () {
      const long = yield* sent(AnthropicCompatible.make, { prompt: talk, options: { cache: { retention: "long" } } })
      assert.deepStrictEqual(long.system[0].cache_control, { type: "ephemeral", ttl: "1h" })
      assert.notInclude(JSON.stringify(yield* sent(AnthropicCompatible.make, { prompt: talk })), "cache_control")
    })
  )

  it.live(
    "Anthropic: tools are kept with the system text, or by themselves where there is none; steps at their end",
    () =>
      Effect.gen(function* () {
        const alone = yield* sent(AnthropicCompatible.make, { prompt: step, tools: [Weather], options: { cache: {} } })
        assert.deepStrictEqual(alone.tools[0].cache_control, { type: "ephemeral" })
        const [question, , result] = alone.messages
        assert.deepStrictEqual(question.content, [text("weather?")])
        assert.deepStrictEqual(result.content[0].cache_control, { type: "ephemeral" })
        const both = yield* sent(AnthropicCompatible.make, { prompt: talk, tools: [Weather], options: { cache: {} } })
        assert.isUndefined(both.tools[0].cache_control)
      })
  )

  it.live("Anthropic: never more marks than the protocol takes, and those that are there stay", () =>
    Effect.gen(function* () {
      const own = (ttl: "5m" | "1h") => ({ options: { anthropic: { cacheControl: { type: "ephemeral", ttl } } } })
      const prompt = Prompt.make([
        { role: "system", content: "be brief" },
        { role: "user", content: [1, 2, 3].map((n) => ({ ...text(`part ${n}`), ...own("1h") })) },
        { role: "assistant", content: [text("well")] },
        { role: "user", content: "and?" }
      ])
      const body = JSON.stringify(yield* sent(AnthropicCompatible.make, { prompt, options: { cache: {} } }))
      assert.lengthOf(body.match(/"cache_control"/g) ?? [], 4)
      assert.lengthOf(body.match(/"ttl":"1h"/g) ?? [], 3)
      assert.include(body, '"system":[{"type":"text","text":"be brief","cache_control":{"type":"ephemeral"}}]')
    })
  )

  it("a prompt that can hold no mark is left as it is", () => {
    const thoughts = Prompt.make([{ role: "assistant", content: [{ type: "reasoning", text: "hm" }] }])
    assert.strictEqual(CacheMarks.count(CacheMarks.add(thoughts, {})), 0)
    assert.strictEqual(CacheMarks.count(CacheMarks.add(Prompt.make([{ role: "user", content: "" }]), {})), 0)
  })

  it.live("OpenAI: both protocols, by the vendor's names; other servers are not sent what they may refuse", () =>
    Effect.gen(function* () {
      const options = { cache: { key: "triage", retention: "long" } } as const
      for (const make of [OpenAICompatible.make, OpenAIResponsesCompatible.make]) {
        const known: Make = (at) => make({ ...at, promptCache: true })
        assert.deepInclude(yield* sent(known, { options }), {
          prompt_cache_key: "triage",
          prompt_cache_retention: "24h"
        })
        const short = yield* sent(known, { options: { cache: { key: "triage" } } })
        assert.strictEqual(short.prompt_cache_key, "triage")
        assert.isUndefined(short.prompt_cache_retention)
        assert.notInclude(JSON.stringify(yield* sent(make, { prompt: talk, options })), "cache")
        const own = { ...options, provider: { prompt_cache_key: "mine" } }
        assert.strictEqual((yield* sent(known, { options: own })).prompt_cache_key, "mine")
      }
    })
  )

  it.effect("AI SDK: marks in the prompt, and the names of OpenAI's models for those", () =>
    Effect.gen(function* () {
      const calls: Array<LanguageModelV4CallOptions> = []
      const model = (provider: string): Parameters<typeof AiSdk.make>[0] => ({
        specificationVersion: "v4",
        provider,
        modelId: "m",
        supportedUrls: {},
        doGenerate: () => Promise.reject(new Error("not used")),
        doStream: (call) => {
          calls.push(call)
          return Promise.resolve({ stream: new ReadableStream<LanguageModelV4StreamPart>({ start: (c) => c.close() }) })
        }
      })
      const request = plainRequest({ prompt: talk, options: { cache: { key: "triage", retention: "long" } } })
      yield* run(AiSdk.make(model("anthropic.messages")).stream(request))
      yield* run(AiSdk.make(model("openai.chat")).stream(request))
      const [anthropic, openai] = calls
      assert.deepStrictEqual(anthropic?.prompt[0], {
        role: "system",
        content: "be brief",
        providerOptions: { anthropic: { cacheControl: { type: "ephemeral", ttl: "1h" } } }
      })
      assert.isUndefined(anthropic?.providerOptions)
      assert.deepStrictEqual(openai?.providerOptions, {
        openai: { promptCacheKey: "triage", promptCacheRetention: "24h" }
      })
    })
  )

  it.live("from an agent, a pool's profile and a prompt file", () =>
    Effect.gen(function* () {
      const server = yield* serve((response) => void response.writeHead(400).end("{}"))
      const claude = AnthropicCompatible.layer({ model: "m", baseUrl: server.url })
      const profile = ModelPool.layer({
        models: { m: { provider: claude, options: { cache: { retention: "long" } } } },
        default: "m"
      })
      const file = yield* Effect.fromResult(PromptFile.parse("options: { cache: { retention: long } }"))
      const ask = Agent.make({ input: "hi" })
      yield* ask.pipe(Agent.options({ cache: { retention: "long" } }), Agent.run, Effect.provide(claude), Effect.exit)
      yield* ask.pipe(Agent.run, Effect.provide(profile), Effect.exit)
      yield* Agent.fromPromptFile(file).pipe(Agent.input("hi"), Agent.run, Effect.provide(claude), Effect.exit)
      assert.lengthOf(server.received, 3)
      const wrong = PromptFile.parse("options: { cache: { retention: week } }")
      assert.include(Result.isFailure(wrong) ? wrong.failure.message : "", "options > cache: is no { retention")
      for (const { body } of server.received) assert.include(body, '"cache_control":{"type":"ephemeral","ttl":"1h"}')
    })
  )
})
