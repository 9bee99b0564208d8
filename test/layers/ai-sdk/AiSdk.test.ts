// Any AI SDK model as a provider: what it is asked, what becomes of its parts and errors, time-outs and interruption.
import type { LanguageModelV4CallOptions, LanguageModelV4StreamPart } from "@ai-sdk/provider"
import { assert, describe, it } from "@effect/vitest"
import {
  APICallError,
  InvalidPromptError,
  InvalidResponseDataError,
  JSONParseError,
  LoadAPIKeyError,
  NoSuchModelError,
  UnsupportedFunctionalityError
} from "ai"
import { MockLanguageModelV4 } from "ai/test"
import { Effect, Fiber, Layer, Logger, Redacted, Schema, Stream } from "effect"
import { Prompt, Tool } from "effect/ai"
import { TestClock } from "effect/testing"
import { Agent, Output } from "effigent"
import { AiSdk } from "effigent/layers/ai-sdk"
import type { ModelErrorReason } from "effigent/services/ModelError"
import type { ModelRequest } from "effigent/services/ModelProvider"
import { assertToolEvents, plainRequest, run } from "../wire/Cases.ts"
import { eventually, serve, sse } from "../wire/Server.ts"
import { modelOf, overHttp } from "./provider.ts"

type Part = LanguageModelV4StreamPart

const usage = {
  inputTokens: { total: 10, noCache: 5, cacheRead: 4, cacheWrite: 1 },
  outputTokens: { total: 7, text: 5, reasoning: 2 }
}
const finish = (
  unified: Extract<Part, { type: "finish" }>["finishReason"]["unified"] = "stop",
  raw?: string
): Part => ({
  type: "finish",
  finishReason: { unified, raw },
  usage
})
const text = (delta: string): Part => ({ type: "text-delta", id: "0", delta })

const streamOf = (parts: ReadonlyArray<Part>) =>
  new ReadableStream<Part>({
    start: (controller) => {
      for (const part of parts) controller.enqueue(part)
      controller.close()
    }
  })

const mock = (parts: ReadonlyArray<Part>, provider = "acme.chat") =>
  new MockLanguageModelV4({ provider, modelId: "m1", doStream: async () => ({ stream: streamOf(parts) }) })

const outcomeOf = (parts: ReadonlyArray<Part>, request: Partial<ModelRequest> = {}) =>
  run(AiSdk.make(mock(parts)).stream(plainRequest(request)))

const throwing = (error: unknown) =>
  new MockLanguageModelV4({
    provider: "acme.chat",
    modelId: "m1",
    doStream: async () => {
      throw error
    }
  })

// What the model is asked.
const asked = Effect.fnUntraced(function* (
  request: Partial<ModelRequest>,
  options: AiSdk.Options = {},
  provider = "acme-cloud.chat"
) {
  const model = mock([finish()], provider)
  const outcome = yield* run(AiSdk.make(model, options).stream(plainRequest(request)))
  assert.isUndefined(outcome.error)
  const call = model.doStreamCalls[0]
  assert.isDefined(call)
  const { abortSignal: _, ...rest } = call as LanguageModelV4CallOptions
  return rest
})

const messages = (prompt: Prompt.RawInput) => Effect.map(asked({ prompt: Prompt.make(prompt) }), ({ prompt }) => prompt)

const Weather = Tool.make("weather", {
  description: "Weather of a city",
  parameters: Schema.Struct({ city: Schema.String })
})

describe("what an AI SDK model is asked", () => {
  it.live("a plain request, and nothing else", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* asked({}), {
        prompt: [{ role: "user", content: [{ type: "text", text: "hi" }] }],
        includeRawChunks: false
      })
    })
  )

  it.live("sampling options by the SDK's names, and the vendor's own under its name", () =>
    Effect.gen(function* () {
      const {
        includeRawChunks: _,
        prompt: __,
        ...rest
      } = yield* asked({
        options: {
          temperature: 0,
          topP: 0.5,
          maxTokens: 7,
          stop: ["END"],
          seed: 0,
          provider: { topK: 3, reasoning: "low", safe_prompt: true, providerOptions: { other: { a: 1 } } }
        }
      })
      assert.deepStrictEqual(rest, {
        temperature: 0,
        topP: 0.5,
        maxOutputTokens: 7,
        stopSequences: ["END"],
        seed: 0,
        topK: 3,
        reasoning: "low",
        providerOptions: { other: { a: 1 }, acmeCloud: { safe_prompt: true } }
      })
    })
  )

  it.live("tools with their JSON Schema, the vendor's own tools, and the choice", () =>
    Effect.gen(function* () {
      const Search = Tool.providerDefined({
        id: "acme.web_search",
        customName: "Search",
        providerName: "web_search",
        args: Schema.Struct({ max: Schema.Int })
      })
      const call = yield* asked({ tools: [Weather, Search({ max: 3 })], toolChoice: { tool: "weather" } })
      assert.deepStrictEqual(call.tools, [
        {
          type: "function",
          name: "weather",
          description: "Weather of a city",
          inputSchema: {
            type: "object",
            properties: { city: { type: "string" } },
            required: ["city"],
            additionalProperties: true
          }
        },
        { type: "provider", id: "acme.web_search", name: "Search", args: { max: 3 } }
      ])
      assert.deepStrictEqual(call.toolChoice, { type: "tool", toolName: "weather" })
      for (const choice of ["auto", "none", "required"] as const) {
        assert.deepStrictEqual((yield* asked({ tools: [Weather], toolChoice: choice })).toolChoice, { type: choice })
      }
    })
  )

  it.live("its own JSON mode where the request asks for it, in the dialect of its vendor", () =>
    Effect.gen(function* () {
      const output = {
        name: "ticket",
        format: "json",
        jsonSchema: { type: "object" },
        strict: { openai: { type: "object", title: "strict" } },
        native: true
      } as const
      const format = Effect.fnUntraced(function* (provider: string, options: AiSdk.Options = {}, native = true) {
        return (yield* asked({ output: { ...output, native } }, options, provider)).responseFormat
      })
      const strict = { type: "json", schema: { type: "object", title: "strict" }, name: "ticket" } as const
      assert.deepStrictEqual(yield* format("openai.responses"), strict)
      assert.deepStrictEqual(yield* format("acme.chat", { dialect: "openai" }), strict)
      assert.deepStrictEqual(yield* format("anthropic.messages"), { ...strict, schema: { type: "object" } })
      assert.isUndefined(yield* format("openai.responses", {}, false))
      assert.strictEqual(AiSdk.make(mock([], "azure.chat")).dialect, "openai")
      assert.strictEqual(AiSdk.make(mock([], "anthropic.messages")).dialect, "anthropic")
      assert.isUndefined(AiSdk.make(mock([])).dialect)
    })
  )

  it.live("files by bytes, base64, data URL and address", () =>
    Effect.gen(function* () {
      const bytes = new Uint8Array([1, 2])
      const file = (data: string | Uint8Array | URL) => ({ type: "file", mediaType: "image/png", data }) as const
      const [message] = yield* messages([
        {
          role: "user",
          content: [
            { ...file(bytes), fileName: "a.png", options: { acme: { detail: "low" } } },
            file("iVBORw=="),
            file("data:image/webp;base64,UklGRg=="),
            file("https://example.com/a.png"),
            file(new URL("https://example.com/b.png"))
          ]
        }
      ])
      assert.deepStrictEqual(message?.content, [
        {
          type: "file",
          mediaType: "image/png",
          data: { type: "data", data: bytes },
          filename: "a.png",
          providerOptions: { acme: { detail: "low" } }
        },
        { type: "file", mediaType: "image/png", data: { type: "data", data: "iVBORw==" } },
        { type: "file", mediaType: "image/webp", data: { type: "data", data: "UklGRg==" } },
        { type: "file", mediaType: "image/png", data: { type: "url", url: new URL("https://example.com/a.png") } },
        { type: "file", mediaType: "image/png", data: { type: "url", url: new URL("https://example.com/b.png") } }
      ])
    })
  )

  it.live("a turn with tool calls and their results, good and bad", () =>
    Effect.gen(function* () {
      const call = (id: string, params: unknown) =>
        ({ type: "tool-call", id, name: "weather", params, providerExecuted: false }) as const
      const result = (id: string, result: unknown, isFailure = false) =>
        ({ type: "tool-result", id, name: "weather", isFailure, result, providerExecuted: false }) as const
      const prompt = yield* messages([
        { role: "system", content: "rules", options: { effigent: { role: "developer" }, acme: { cache: true } } },
        { role: "user", content: "weather?" },
        {
          role: "assistant",
          content: [{ type: "text", text: "well" }, call("a", { city: "Oslo" }), call("b", '{"ci')]
        },
        {
          role: "tool",
          content: [
            result("a", { t: 4 }),
            result("b", "bad arguments", true),
            result("c", "fine"),
            result("d", { e: 1 }, true)
          ]
        }
      ])
      const toolCall = { type: "tool-call", toolName: "weather" }
      const toolResult = { type: "tool-result", toolName: "weather" }
      assert.deepStrictEqual(prompt, [
        { role: "system", content: "rules", providerOptions: { acme: { cache: true } } },
        { role: "user", content: [{ type: "text", text: "weather?" }] },
        {
          role: "assistant",
          content: [
            { type: "text", text: "well" },
            { ...toolCall, toolCallId: "a", input: { city: "Oslo" } },
            { ...toolCall, toolCallId: "b", input: '{"ci' }
          ]
        },
        {
          role: "tool",
          content: [
            { ...toolResult, toolCallId: "a", output: { type: "json", value: { t: 4 } } },
            { ...toolResult, toolCallId: "b", output: { type: "error-text", value: "bad arguments" } },
            { ...toolResult, toolCallId: "c", output: { type: "text", value: "fine" } },
            { ...toolResult, toolCallId: "d", output: { type: "error-json", value: { e: 1 } } }
          ]
        }
      ] as never)
    })
  )

  it.live("what the vendor had attached to thoughts and calls goes back where it was", () =>
    Effect.gen(function* () {
      const first = yield* outcomeOf([
        { type: "reasoning-start", id: "t", providerMetadata: { acme: { itemId: "i1" } } },
        { type: "reasoning-delta", id: "t", delta: "hm" },
        { type: "reasoning-end", id: "t", providerMetadata: { acme: { itemId: "i1", encrypted: "e1" } } },
        {
          type: "tool-call",
          toolCallId: "a",
          toolName: "weather",
          input: "{}",
          providerMetadata: { google: { thoughtSignature: "g1" } }
        },
        finish("tool-calls")
      ])
      assert.strictEqual(first.reasoning, "hm")
      const [thoughts = "", call = ""] = first.events.flatMap((event) =>
        event._tag === "Reasoning" ? (event.signature ?? []) : []
      )
      const prompt = yield* messages([
        {
          role: "assistant",
          content: [
            { type: "reasoning", text: "hm", options: { effigent: { signature: thoughts } } },
            { type: "reasoning", text: "", options: { effigent: { signature: call } } },
            { type: "tool-call", id: "a", name: "weather", params: {}, providerExecuted: false }
          ]
        }
      ])
      assert.deepStrictEqual(prompt[0]?.content, [
        { type: "reasoning", text: "hm", providerOptions: { acme: { itemId: "i1", encrypted: "e1" } } },
        {
          type: "tool-call",
          toolCallId: "a",
          toolName: "weather",
          input: {},
          providerOptions: { google: { thoughtSignature: "g1" } }
        }
      ])
    })
  )

  it.live("another model by its name, where the layer knows how to find it", () =>
    Effect.gen(function* () {
      const other = mock([text("other"), finish()])
      const provider = AiSdk.make(mock([text("m1"), finish()]), {
        byName: (name) => {
          if (name !== "m2") throw new NoSuchModelError({ modelId: name, modelType: "languageModel" })
          return other
        }
      })
      assert.strictEqual((yield* run(provider.stream(plainRequest({ model: "m2" })))).text, "other")
      assert.strictEqual((yield* run(provider.stream(plainRequest({ model: "m1" })))).text, "m1")
      const unknown = yield* run(provider.stream(plainRequest({ model: "m3" })))
      assert.strictEqual(unknown.error?.reason._tag, "InvalidRequest")
      assert.strictEqual(unknown.error?.model, "m3")
      const alone = yield* outcomeOf([finish()], { model: "m2" })
      assert.strictEqual(alone.error?.reason._tag, "Unsupported")
      assert.include(alone.error?.message, "byName")
    })
  )

  it.live("a model of another specification is Unsupported, and is not called", () =>
    Effect.gen(function* () {
      const model = mock([finish()])
      const old = Object.assign(Object.create(model), { specificationVersion: "v2" })
      const { error } = yield* run(AiSdk.make(old).stream(plainRequest()))
      assert.strictEqual(error?.reason._tag, "Unsupported")
      assert.include(error?.message, "v2")
      assert.lengthOf(model.doStreamCalls, 0)
    })
  )
})

describe("what becomes of an AI SDK model's parts", () => {
  it.live("texts, reasoning, who answers, usage and the finish reason", () =>
    Effect.gen(function* () {
      const { events } = yield* outcomeOf([
        { type: "stream-start", warnings: [] },
        { type: "response-metadata", id: "r1", modelId: "m1-large", timestamp: new Date(0) },
        { type: "reasoning-start", id: "t" },
        { type: "reasoning-delta", id: "t", delta: "hm" },
        { type: "reasoning-end", id: "t" },
        { type: "ping" },
        { type: "text-start", id: "0" },
        text("Hel"),
        text(""),
        text("lo"),
        { type: "text-end", id: "0" },
        finish("length", "max_tokens")
      ])
      assert.deepStrictEqual(events, [
        { _tag: "Info", id: "r1", model: "m1-large" },
        { _tag: "Reasoning", text: "hm" },
        { _tag: "Text", text: "Hel" },
        { _tag: "Text", text: "lo" },
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
        { _tag: "Finish", reason: "length", raw: "max_tokens" }
      ])
    })
  )

  for (const [unified, reason] of [
    ["stop", "stop"],
    ["length", "length"],
    ["content-filter", "content-filter"],
    ["tool-calls", "tool-calls"],
    ["other", "other"]
  ] as const) {
    it.live(`the finish reason ${unified}`, () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* outcomeOf([finish(unified)])).finish?.reason, reason)
      })
    )
  }

  it.live("TR-07 no finish part, or one that says interrupted, is Incomplete; one that says error is a failure", () =>
    Effect.gen(function* () {
      const tags: Array<string | undefined> = []
      for (const end of [[], [finish("interrupted")], [finish("error")]]) {
        const outcome = yield* outcomeOf([text("Hel"), ...end])
        assert.strictEqual(outcome.text, "Hel")
        tags.push(outcome.error?.reason._tag)
      }
      assert.deepStrictEqual(tags, ["Incomplete", "Incomplete", "StreamFailed"])
    })
  )

  it.live("tool calls in pieces and whole; text-encoded pieces and the vendor's own calls are left out", () =>
    Effect.gen(function* () {
      const outcome = yield* outcomeOf([
        { type: "tool-input-start", id: "a", toolName: "weather" },
        { type: "tool-input-delta", id: "a", delta: '{"city": ' },
        { type: "tool-input-delta", id: "a", delta: '"Oslo"}' },
        { type: "tool-input-end", id: "a" },
        { type: "tool-call", toolCallId: "a", toolName: "weather", input: '{"city":"Oslo"}' },
        { type: "tool-input-start", id: "b", toolName: "shell", inputEncoding: "text" },
        { type: "tool-input-delta", id: "b", delta: "ls" },
        { type: "tool-call", toolCallId: "b", toolName: "shell", input: '"ls"' },
        { type: "tool-call", toolCallId: "c", toolName: "now", input: "" },
        { type: "tool-input-start", id: "x", toolName: "search", providerExecuted: true },
        { type: "tool-input-delta", id: "x", delta: "{}" },
        { type: "tool-call", toolCallId: "x", toolName: "search", input: "{}", providerExecuted: true },
        { type: "tool-result", toolCallId: "x", toolName: "search", result: "found" },
        { type: "tool-call", toolCallId: "d", toolName: "weather", input: '{"ci' },
        finish("tool-calls")
      ])
      assert.deepStrictEqual(
        outcome.tools.map(({ arguments: text, id, index, input }) => ({ text, id, index, input })),
        [
          { text: '{"city": "Oslo"}', id: "a", index: 0, input: { city: "Oslo" } },
          { text: '"ls"', id: "b", index: 1, input: "ls" },
          { text: "{}", id: "c", index: 2, input: {} },
          { text: '{"ci', id: "d", index: 3, input: undefined }
        ]
      )
      assertToolEvents(outcome)
      assert.isFalse("input" in (outcome.tools[3] ?? {}))
    })
  )

  it.live("frames come as Raw where they are asked for", () =>
    Effect.gen(function* () {
      const model = mock([{ type: "raw", rawValue: { a: 1 } }, text("a"), finish()])
      const { events } = yield* run(AiSdk.make(model).stream(plainRequest({ includeRaw: true })))
      assert.deepStrictEqual(events[0], { _tag: "Raw", frame: { a: 1 } })
      assert.isTrue(model.doStreamCalls[0]?.includeRawChunks)
    })
  )

  it.live("what the model leaves out is logged as a warning that names it", () =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void logged.push(`${logLevel} ${String(message)}`))
      const warned: Part = {
        type: "stream-start",
        warnings: [
          { type: "unsupported", feature: "topK", details: "not here" },
          { type: "other", message: "be careful" }
        ]
      }
      const { error } = yield* outcomeOf([warned, text("a"), finish()]).pipe(Effect.provide(Logger.layer([logger])))
      assert.isUndefined(error)
      assert.deepStrictEqual(logged, ["Warn acme (m1): unsupported topK: not here; be careful"])
    })
  )

  it.live("parts that are there together are one chunk", () =>
    Effect.gen(function* () {
      const { chunks } = yield* outcomeOf([text("a"), text("b"), text("c"), finish()])
      assert.deepStrictEqual(
        chunks.map((chunk) => chunk.length),
        [5]
      )
    })
  )

  it.live("one network read is one chunk, as far as the SDK shows it", () =>
    Effect.gen(function* () {
      const chunk = (content: string) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`
      const many = Array.from({ length: 50 }, (_, n) => chunk(`${n} `)).join("")
      const end = `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`
      const server = yield* serve(sse([many, end]))
      const { chunks } = yield* run(overHttp(server.url).stream(plainRequest()))
      const texts = chunks.map((chunk) => chunk.filter(({ _tag }) => _tag === "Text").length).filter((n) => n > 0)
      assert.deepStrictEqual(texts, [50])
    })
  )

  it.live("a model goes no faster than its reader", () =>
    Effect.gen(function* () {
      let made = 0
      const model = new MockLanguageModelV4({
        doStream: async () => ({
          stream: new ReadableStream<Part>({
            pull: async (controller) => {
              await new Promise((done) => setImmediate(done))
              made++
              controller.enqueue(text("x"))
            }
          })
        })
      })
      yield* AiSdk.make(model)
        .stream(plainRequest())
        .pipe(
          Stream.tap(() => Effect.sleep("5 millis")),
          Stream.take(3),
          Stream.runDrain
        )
      assert.isBelow(made, 12)
    })
  )
})

describe("what an AI SDK model's errors become", () => {
  const call = (statusCode: number | undefined, more: Partial<ConstructorParameters<typeof APICallError>[0]> = {}) =>
    new APICallError({
      message: "went wrong",
      url: "https://example.com",
      requestBodyValues: {},
      ...(statusCode === undefined ? {} : { statusCode }),
      ...more
    })
  const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" })
  const reset = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" })
  const body = (error: object) => ({ responseBody: JSON.stringify({ error }) })

  const table: ReadonlyArray<readonly [string, unknown, ModelErrorReason["_tag"], boolean]> = [
    ["401", call(401), "Unauthorized", false],
    ["403", call(403), "Unauthorized", false],
    ["429", call(429), "RateLimited", true],
    ["429 without budget", call(429, body({ code: "insufficient_quota" })), "QuotaExhausted", false],
    ["400", call(400), "InvalidRequest", false],
    ["400 that may be tried again", call(400, { isRetryable: true }), "ProviderUnavailable", true],
    ["400 too long", call(400, body({ message: "maximum context length is 8" })), "ContextOverflow", false],
    ["400 filtered", call(400, body({ code: "content_filter" })), "Refused", false],
    ["500", call(500), "ProviderUnavailable", true],
    ["500 that is not to be tried again", call(500, { isRetryable: false }), "StreamFailed", false],
    ["503", call(503), "ProviderUnavailable", true],
    ["a closed port", call(undefined, { cause: refused, isRetryable: true }), "Unreachable", true],
    ["a reset", call(undefined, { cause: reset, isRetryable: true }), "ConnectionLost", true],
    ["a success that is none", call(200, { message: "Invalid JSON response" }), "Malformed", false],
    ["a success that broke off", call(200, { cause: reset }), "ConnectionLost", true],
    ["a missing key", new LoadAPIKeyError({ message: "no key" }), "Unauthorized", false],
    ["an unknown model", new NoSuchModelError({ modelId: "x", modelType: "languageModel" }), "InvalidRequest", false],
    ["a bad prompt", new InvalidPromptError({ prompt: 1, message: "bad" }), "InvalidRequest", false],
    ["what it cannot do", new UnsupportedFunctionalityError({ functionality: "audio" }), "Unsupported", false],
    ["a gateway's error", Object.assign(new Error("busy"), { statusCode: 503 }), "ProviderUnavailable", true],
    ["a bug of the model", new TypeError("x is not a function"), "StreamFailed", false]
  ]

  for (const [what, error, tag, retryable] of table) {
    it.live(`${what} is ${tag}`, () =>
      Effect.gen(function* () {
        const model = throwing(error)
        const outcome = yield* run(AiSdk.make(model).stream(plainRequest()))
        assert.strictEqual(outcome.error?.reason._tag, tag)
        assert.strictEqual(outcome.error?.isRetryable, retryable)
        assert.strictEqual(outcome.error?.provider, "acme")
        assert.strictEqual(outcome.error?.model, "m1")
        assert.lengthOf(model.doStreamCalls, 1)
        if (error instanceof APICallError && error.statusCode !== undefined && error.statusCode >= 400) {
          assert.strictEqual(outcome.error?.reason.status, error.statusCode)
        }
      })
    )
  }

  it.live("Retry-After is kept", () =>
    Effect.gen(function* () {
      const after = Effect.fnUntraced(function* (responseHeaders: Record<string, string>) {
        const outcome = yield* run(AiSdk.make(throwing(call(429, { responseHeaders }))).stream(plainRequest()))
        return outcome.error?.retryAfterMillis
      })
      assert.strictEqual(yield* after({ "retry-after": "2" }), 2000)
      assert.strictEqual(yield* after({ "retry-after": "2", "retry-after-ms": "30" }), 30)
      assert.isUndefined(yield* after({}))
    })
  )

  const inside: ReadonlyArray<readonly [string, unknown, ModelErrorReason["_tag"]]> = [
    ["an error object", { type: "overloaded_error", message: "busy" }, "ProviderUnavailable"],
    ["a text", "boom", "StreamFailed"],
    ["garbage", new JSONParseError({ text: "<oops>", cause: new Error("no JSON") }), "Malformed"],
    [
      "an end without a finish reason",
      new InvalidResponseDataError({ data: 1, message: "Response stream ended without a finish reason." }),
      "Incomplete"
    ],
    ["a broken connection", call(200, { cause: reset }), "ConnectionLost"],
    ["a status", call(529), "ProviderUnavailable"]
  ]
  for (const [what, error, tag] of inside) {
    it.live(`S71 ${what} inside the answer is ${tag}, after what was said`, () =>
      Effect.gen(function* () {
        const outcome = yield* outcomeOf([text("Hel"), { type: "error", error }, text("XXX"), finish("error")])
        assert.strictEqual(outcome.text, "Hel")
        assert.strictEqual(outcome.error?.reason._tag, tag)
      })
    )
  }

  it.live("a stream that breaks is ConnectionLost", () =>
    Effect.gen(function* () {
      const model = new MockLanguageModelV4({
        doStream: async () => ({
          stream: new ReadableStream<Part>({
            start: (controller) => controller.enqueue(text("Hel")),
            pull: (controller) => controller.error(reset)
          })
        })
      })
      const outcome = yield* run(AiSdk.make(model).stream(plainRequest()))
      assert.strictEqual(outcome.error?.reason._tag, "ConnectionLost")
    })
  )

  it.live("an answer with its finish part is whole even where the stream then breaks", () =>
    Effect.gen(function* () {
      const parts = [text("Hello"), finish()]
      const model = new MockLanguageModelV4({
        doStream: async () => ({
          stream: new ReadableStream<Part>({
            pull: (controller) => {
              const part = parts.shift()
              if (part === undefined) controller.error(reset)
              else controller.enqueue(part)
            }
          })
        })
      })
      const outcome = yield* run(AiSdk.make(model).stream(plainRequest()))
      assert.isUndefined(outcome.error)
      assert.strictEqual(outcome.text, "Hello")
    })
  )

  it.live("the secrets of the layer stay out", () =>
    Effect.gen(function* () {
      const secret = "sk-secret-0123456789"
      const error = call(401, body({ message: `bad key ${secret}` }))
      const provider = AiSdk.make(throwing(error), { secrets: [Redacted.make(secret)] })
      const outcome = yield* run(provider.stream(plainRequest()))
      assert.notInclude(outcome.error?.message, secret)
      assert.include(outcome.error?.message, "<redacted>")
    })
  )
})

describe("time-outs and interruption of an AI SDK model", () => {
  const hanging = (parts: ReadonlyArray<Part>) => {
    const left = [...parts]
    const seen = { signal: undefined as AbortSignal | undefined, cancelled: false }
    const model = new MockLanguageModelV4({
      doStream: async ({ abortSignal }) => {
        seen.signal = abortSignal
        return {
          stream: new ReadableStream<Part>({
            pull: (controller) => {
              const part = left.shift()
              return part === undefined ? new Promise(() => {}) : controller.enqueue(part)
            },
            cancel: () => void (seen.cancelled = true)
          })
        }
      }
    })
    return { model, seen }
  }

  const stages: ReadonlyArray<readonly [stage: string, part: Part, millis: number]> = [
    ["firstToken", { type: "raw", rawValue: "no content" }, 300_000],
    ["idle", text("Hel"), 60_000]
  ]
  for (const [stage, part, millis] of stages) {
    it.effect(`TR-06 ${stage} after ${millis} ms without content, and the request is aborted`, () =>
      Effect.gen(function* () {
        const { model, seen } = hanging([part])
        let came = 0
        const fiber = yield* AiSdk.make(model)
          .stream(plainRequest({ includeRaw: true }))
          .pipe(
            Stream.runForEach(() => Effect.sync(() => void came++)),
            Effect.flip,
            Effect.forkChild({ startImmediately: true })
          )
        yield* eventually(() => came === 1, "nothing came")
        yield* TestClock.adjust(millis - 1)
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust(1)
        const { reason } = yield* Fiber.join(fiber)
        assert.strictEqual(reason._tag === "TimedOut" ? reason.stage : reason._tag, stage)
        assert.isTrue(seen.signal?.aborted)
      })
    )
  }

  it.effect("connect after 30 seconds without an answer", () =>
    Effect.gen(function* () {
      let signal: AbortSignal | undefined
      const model = new MockLanguageModelV4({
        doStream: ({ abortSignal }) => {
          signal = abortSignal
          return new Promise(() => {})
        }
      })
      const fiber = yield* Effect.forkChild(run(AiSdk.make(model).stream(plainRequest())), { startImmediately: true })
      yield* eventually(() => signal !== undefined, "the model was not called")
      yield* TestClock.adjust("30 seconds")
      const { error } = yield* Fiber.join(fiber)
      assert.strictEqual(error?.reason._tag === "TimedOut" ? error.reason.stage : "", "connect")
      assert.isTrue(signal?.aborted)
    })
  )

  it.live("an interrupted reader aborts the request, and cancels the stream of a model that does not listen", () =>
    Effect.gen(function* () {
      const { model, seen } = hanging([text("Hel")])
      let said = ""
      const fiber = yield* AiSdk.make(model)
        .stream(plainRequest())
        .pipe(
          Stream.runForEach((event) => Effect.sync(() => void (said += event._tag))),
          Effect.forkChild({ startImmediately: true })
        )
      yield* eventually(() => said === "Text", "no text came")
      yield* Fiber.interrupt(fiber)
      assert.isTrue(seen.signal?.aborted)
      assert.isTrue(seen.cancelled)
    })
  )

  it.live("an answer that comes after the interruption is cancelled", () =>
    Effect.gen(function* () {
      let answer: (() => void) | undefined
      let cancelled = false
      const model = new MockLanguageModelV4({
        doStream: () =>
          new Promise((resolve) => {
            answer = () => resolve({ stream: new ReadableStream<Part>({ cancel: () => void (cancelled = true) }) })
          })
      })
      const fiber = yield* Effect.forkChild(Stream.runDrain(AiSdk.make(model).stream(plainRequest())), {
        startImmediately: true
      })
      yield* eventually(() => answer !== undefined, "the model was not called")
      yield* Fiber.interrupt(fiber)
      answer?.()
      yield* eventually(() => cancelled, "the late answer stays open")
    })
  )

  it.live("interruption over a socket closes the connection", () =>
    Effect.gen(function* () {
      const server = yield* serve(
        sse([`data: {"choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n`], { hold: true })
      )
      let said = ""
      const fiber = yield* overHttp(server.url)
        .stream(plainRequest())
        .pipe(
          Stream.runForEach((event) => Effect.sync(() => void (said += event._tag))),
          Effect.forkChild({ startImmediately: true })
        )
      yield* eventually(() => said.includes("Text"), "no text came")
      yield* Fiber.interrupt(fiber)
      yield* eventually(() => server.received[0]?.closedAt !== undefined, "the connection stayed open")
    })
  )
})

describe("an agent on an AI SDK model", () => {
  it.live("gets its object, in the model's own JSON mode, over a socket", () =>
    Effect.gen(function* () {
      const content = '{"title":"Fire","note":null}'
      const chunk = { model: "m1", choices: [{ index: 0, delta: { content }, finish_reason: "stop" }] }
      const server = yield* serve(sse([`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`]))
      const model = modelOf(server.url, { supportsStructuredOutputs: true })("m1")
      const ticket = yield* Agent.make({
        output: { title: Output.ensure(Schema.String, "Title"), note: Output.field(Schema.String, "Note") },
        native: true
      }).pipe(
        Agent.input("fire"),
        Agent.run,
        Effect.provide(AiSdk.layer(model, { dialect: "openai" }).pipe(Layer.orDie))
      )
      assert.deepStrictEqual(ticket, { title: "Fire" })
      const sent = JSON.parse(server.received[0]?.body ?? "{}")
      assert.strictEqual(sent.response_format.type, "json_schema")
      assert.strictEqual(sent.response_format.json_schema.strict, true)
    })
  )
})
