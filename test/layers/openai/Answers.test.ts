import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { OpenAICompatible } from "effigent/layers/openai"
import { assertToolEvents, plainRequest, run } from "../wire/Cases.ts"
import { serve, sse } from "../wire/Server.ts"

const frame = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`
const delta = (delta: unknown) => frame({ id: "c1", model: "m", choices: [{ index: 0, delta }] })
const tool = (...tool_calls: ReadonlyArray<unknown>) => delta({ tool_calls })
const finish = (reason = "stop") => frame({ choices: [{ index: 0, delta: {}, finish_reason: reason }] })
const done = "data: [DONE]\n\n"

const answer = Effect.fnUntraced(function* (...frames: ReadonlyArray<string>) {
  const server = yield* serve(sse(frames))
  const outcome = yield* run(OpenAICompatible.make({ model: "m", baseUrl: server.url }).stream(plainRequest()))
  return { ...outcome, vendor: `chat@${new URL(server.url).host}` }
})
const failure = Effect.fnUntraced(function* (error: unknown) {
  const outcome = yield* answer(delta({ content: "Hel" }), frame(error), finish(), done)
  assert.strictEqual(outcome.text, "Hel")
  assert.isDefined(outcome.error)
  return outcome.error
})

describe("chat-completions answers", () => {
  it.live("who answers is told once", () =>
    Effect.gen(function* () {
      const { events } = yield* answer(
        frame({ id: "", model: "", choices: [], prompt_filter_results: [] }),
        delta({ content: "a" }),
        frame({ id: "c2", model: "m2", choices: [{ delta: { content: "b" } }] }),
        finish()
      )
      assert.deepStrictEqual(
        events.filter(({ _tag }) => _tag === "Info"),
        [{ _tag: "Info", id: "c1", model: "m" }]
      )
    })
  )

  it.live("usage is a running total: the last that was said of each field", () =>
    Effect.gen(function* () {
      const { usage } = yield* answer(
        frame({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 1, prompt_cache_hit_tokens: 4 } }),
        delta({ content: "a" }),
        frame({ choices: [], usage: { completion_tokens: 5, completion_tokens_details: { reasoning_tokens: 3 } } }),
        frame({ choices: [], usage: { prompt_tokens: null, completion_tokens: "x" } }),
        finish(),
        done
      )
      assert.deepStrictEqual(usage, { inputTokens: 9, cachedInputTokens: 4, outputTokens: 5, reasoningTokens: 3 })
    })
  )

  it.live("EV-05 a last chunk with usage alone keeps the content", () =>
    Effect.gen(function* () {
      const outcome = yield* answer(
        delta({ content: "Hel" }),
        delta({ content: "lo" }),
        finish(),
        frame({ id: "c1", model: "m", choices: [], usage: { prompt_tokens: 9, completion_tokens: 2 } }),
        done
      )
      assert.isUndefined(outcome.error)
      assert.strictEqual(outcome.text, "Hello")
      assert.deepStrictEqual(outcome.usage, { inputTokens: 9, outputTokens: 2 })
    })
  )

  it.live("reasoning details give text where no other field does, and signatures and ciphers always", () =>
    Effect.gen(function* () {
      const { events, reasoning, vendor } = yield* answer(
        delta({ reasoning: "a", reasoning_details: [{ type: "reasoning.text", text: "a", signature: "SIG" }] }),
        delta({
          reasoning_details: [
            { type: "reasoning.summary", summary: "b" },
            { type: "reasoning.encrypted", data: "ENC" }
          ]
        }),
        finish(),
        done
      )
      assert.strictEqual(reasoning, "ab")
      assert.deepStrictEqual(
        events.filter(({ _tag }) => _tag === "Reasoning"),
        [
          { _tag: "Reasoning", text: "a" },
          { _tag: "Reasoning", text: "", signature: "SIG", vendor },
          { _tag: "Reasoning", text: "b" },
          { _tag: "Reasoning", text: "", redacted: "ENC", vendor }
        ]
      )
    })
  )

  describe("tool calls", () => {
    it.live("come as deltas and then whole, with `tool-calls` as the reason even where the server says stop", () =>
      Effect.gen(function* () {
        const outcome = yield* answer(
          tool({ index: 0, id: "a", type: "function", function: { name: "get", arguments: "" } }),
          tool({ index: 0, function: { arguments: `{"x":` } }),
          tool({ index: 0, function: { arguments: "1}" } }),
          finish("stop"),
          done
        )
        assert.deepStrictEqual(outcome.events, [
          { _tag: "Info", id: "c1", model: "m" },
          { _tag: "ToolCallDelta", index: 0, id: "a", name: "get", delta: "" },
          { _tag: "ToolCallDelta", index: 0, id: "a", name: "get", delta: `{"x":` },
          { _tag: "ToolCallDelta", index: 0, id: "a", name: "get", delta: "1}" },
          { _tag: "ToolCall", index: 0, id: "a", name: "get", arguments: `{"x":1}`, input: { x: 1 } },
          { _tag: "Finish", reason: "tool-calls", raw: "stop" }
        ])
      })
    )

    it.live("without ids and indexes a name after complete arguments begins the next call", () =>
      Effect.gen(function* () {
        const outcome = yield* answer(
          tool({ function: { name: "get", arguments: `{"x":1}` } }),
          tool({ function: { name: "get", arguments: `{"x":` } }),
          tool({ function: { arguments: "2}" } }),
          finish("tool_calls"),
          done
        )
        assert.deepStrictEqual(
          outcome.tools.map(({ input, name }) => [name, input]),
          [
            ["get", { x: 1 }],
            ["get", { x: 2 }]
          ]
        )
        assertToolEvents(outcome)
      })
    )

    it.live("an id that comes after the first piece belongs to the call at its index", () =>
      Effect.gen(function* () {
        const outcome = yield* answer(
          tool({ index: 0, function: { arguments: "{" } }),
          tool({ index: 0, id: "late", function: { name: "get", arguments: "}" } }),
          finish("tool_calls"),
          done
        )
        assert.deepStrictEqual(
          outcome.tools.map(({ arguments: args, id }) => [id, args]),
          [["late", "{}"]]
        )
        assertToolEvents(outcome)
      })
    )

    it.live("calls in the form that is older than tools", () =>
      Effect.gen(function* () {
        const outcome = yield* answer(
          delta({ function_call: { name: "get", arguments: "" } }),
          delta({ function_call: { arguments: `{"x":1}` } }),
          finish("function_call"),
          done
        )
        assert.deepStrictEqual(outcome.tools[0]?.input, { x: 1 })
        assert.strictEqual(outcome.tools.length, 1)
        assert.strictEqual(outcome.finish?.reason, "tool-calls")
      })
    )

    it.live("arguments that are cut have no input", () =>
      Effect.gen(function* () {
        const { finish: end, tools } = yield* answer(
          tool({ index: 0, id: "a", function: { name: "get", arguments: `{"city":"Pa` } }),
          finish("length"),
          done
        )
        assert.strictEqual(end?.reason, "length")
        assert.deepStrictEqual(tools, [{ _tag: "ToolCall", index: 0, id: "a", name: "get", arguments: `{"city":"Pa` }])
      })
    )

    it.live("a failed answer has none", () =>
      Effect.gen(function* () {
        const outcome = yield* answer(tool({ index: 0, id: "a", function: { name: "get", arguments: "{}" } }))
        assert.strictEqual(outcome.error?.reason._tag, "Incomplete")
        assert.deepStrictEqual(outcome.tools, [])
      })
    )
  })

  it.live("[DONE] without a finish reason is Incomplete, and its end is quoted", () =>
    Effect.gen(function* () {
      const { error } = yield* answer(delta({ content: "Hel" }), done)
      assert.strictEqual(error?.reason._tag, "Incomplete")
      assert.include(error?.reason.detail, "[DONE]")
    })
  )

  it.live.each([
    [{ error: { message: "slow", code: 429 } }, "RateLimited", true],
    [{ error: { message: "slow", code: "rate_limit_exceeded" } }, "RateLimited", true],
    [{ error: { message: "pay", code: "insufficient_quota" } }, "QuotaExhausted", false],
    [{ error: { message: "busy", code: 503 } }, "ProviderUnavailable", true],
    [{ error: { message: "broken", type: "server_error" } }, "StreamFailed", true],
    [{ error: { message: "bad gateway", code: 502 } }, "StreamFailed", true],
    [{ error: { message: "boom" } }, "StreamFailed", false],
    [{ error: "llama runner process has terminated" }, "StreamFailed", false],
    [{ object: "error", message: "maximum context length is 8", code: 400 }, "ContextOverflow", false],
    [{ choices: [{ delta: {}, finish_reason: "error" }] }, "StreamFailed", false]
  ] as const)("an error inside the stream: %j is %s", ([frame, tag, retryable]) =>
    Effect.gen(function* () {
      const error = yield* failure(frame)
      assert.strictEqual(error.reason._tag, tag)
      assert.strictEqual(error.isRetryable, retryable)
    })
  )
})
