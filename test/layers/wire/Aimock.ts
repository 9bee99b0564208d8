/** An independent second opinion: a mock server that was written by others, and what a provider makes of it. */
import { LLMock } from "@copilotkit/aimock"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Prompt, Tool } from "effect/ai"
import type { ModelProvider } from "effigent/services/ModelProvider"
import { assertToolEvents, plainRequest, run } from "./Cases.ts"

const mock = Effect.acquireRelease(
  Effect.promise(async () => {
    const server = new LLMock({ port: 0, host: "127.0.0.1", chunkSize: 5 })
    await server.start()
    return server
  }),
  (server) => Effect.promise(() => server.stop())
)

const Weather = Tool.make("weather", { parameters: Schema.Struct({ city: Schema.String }) })

export const agrees = (make: (url: string) => ModelProvider["Service"]): void => {
  const ask = (server: LLMock, text: string) =>
    run(make(server.url).stream(plainRequest({ prompt: Prompt.make(text), tools: [Weather] })))

  describe("against aimock", () => {
    it.live("text in pieces, with usage", () =>
      Effect.gen(function* () {
        const server = yield* mock
        server.onMessage("hello", {
          content: "Hello, wide world",
          usage: { input_tokens: 7, output_tokens: 5, prompt_tokens: 7, completion_tokens: 5 }
        })
        const outcome = yield* ask(server, "hello")
        assert.isUndefined(outcome.error)
        assert.strictEqual(outcome.text, "Hello, wide world")
        assert.isAbove(outcome.events.filter(({ _tag }) => _tag === "Text").length, 2)
        assert.strictEqual(outcome.finish?.reason, "stop")
        assert.strictEqual(outcome.usage?.inputTokens, 7)
        assert.strictEqual(outcome.usage?.outputTokens, 5)
      })
    )

    it.live("tool calls in pieces, and the answer after their results", () =>
      Effect.gen(function* () {
        const server = yield* mock
        server.onToolResult("call_a", { content: "4 degrees" })
        server.onMessage("weather", {
          toolCalls: [
            { id: "call_a", name: "weather", arguments: `{"city":"Oslo"}` },
            { id: "call_b", name: "weather", arguments: `{"city":"Rome"}` }
          ]
        })
        const first = yield* ask(server, "weather")
        assert.strictEqual(first.finish?.reason, "tool-calls")
        assert.deepStrictEqual(
          first.tools.map(({ id, input, name }) => [id, name, input]),
          [
            ["call_a", "weather", { city: "Oslo" }],
            ["call_b", "weather", { city: "Rome" }]
          ]
        )
        assertToolEvents(first)
        const calls = first.tools.map(({ id, input, name }) =>
          Prompt.toolCallPart({ id, name, params: input, providerExecuted: false })
        )
        const results = [...first.tools]
          .reverse()
          .map(({ id, name }) =>
            Prompt.toolResultPart({ id, name, isFailure: false, result: { t: 4 }, providerExecuted: false })
          )
        const prompt = Prompt.fromMessages([
          Prompt.userMessage({ content: [Prompt.textPart({ text: "weather" })] }),
          Prompt.assistantMessage({ content: calls }),
          Prompt.toolMessage({ content: results })
        ])
        const second = yield* run(make(server.url).stream(plainRequest({ prompt, tools: [Weather] })))
        assert.isUndefined(second.error)
        assert.strictEqual(second.text, "4 degrees")
      })
    )

    it.live("reasoning before the answer", () =>
      Effect.gen(function* () {
        const server = yield* mock
        server.onMessage("think", { content: "42", reasoning: "let me see, six times seven" })
        const outcome = yield* ask(server, "think")
        assert.strictEqual(outcome.reasoning, "let me see, six times seven")
        assert.strictEqual(outcome.text, "42")
      })
    )

    it.live("429 with Retry-After", () =>
      Effect.gen(function* () {
        const server = yield* mock
        server.onMessage("busy", {
          error: { message: "slow down", type: "rate_limit_error" },
          status: 429,
          retryAfter: 3
        })
        const { error } = yield* ask(server, "busy")
        assert.strictEqual(error?.reason._tag, "RateLimited")
        assert.strictEqual(error?.retryAfterMillis, 3000)
        assert.include(error?.message, "slow down")
      })
    )

    it.live("an answer that the limit of tokens has cut", () =>
      Effect.gen(function* () {
        const server = yield* mock
        server.onMessage("long", { content: "Once upon a", finishReason: "length" })
        const outcome = yield* ask(server, "long")
        assert.strictEqual(outcome.text, "Once upon a")
        assert.strictEqual(outcome.finish?.reason, "length")
      })
    )

    it.live("a stream that is cut is no success", () =>
      Effect.gen(function* () {
        const server = yield* mock
        server.onMessage("cut", { content: "Hello, wide world" }, { truncateAfterChunks: 3 })
        const outcome = yield* ask(server, "cut")
        assert.include(["Incomplete", "ConnectionLost"], outcome.error?.reason._tag)
        assert.isTrue(outcome.error?.isRetryable)
        assert.isTrue("Hello, wide world".startsWith(outcome.text))
      })
    )

    it.live("malformed bytes are no success", () =>
      Effect.gen(function* () {
        const server = yield* mock
        server.onMessage("garbage", { content: "Hello" }, { chaos: { malformedRate: 1 } })
        const outcome = yield* ask(server, "garbage")
        assert.isDefined(outcome.error)
        assert.strictEqual(outcome.text, "")
      })
    )

    it.live("what the mock has no answer for", () =>
      Effect.gen(function* () {
        const server = yield* mock
        const { error } = yield* ask(server, "nothing fits")
        assert.strictEqual(error?.reason._tag, "InvalidRequest")
        assert.strictEqual(error?.reason.status, 404)
      })
    )
  })
}
