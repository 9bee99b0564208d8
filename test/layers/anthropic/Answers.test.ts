import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { AnthropicCompatible } from "effigent/layers/anthropic"
import { assertToolEvents, plainRequest, run } from "../wire/Cases.ts"
import { serve, sse } from "../wire/Server.ts"

const event = (type: string, more: object = {}) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`
const start = event("message_start", {
  message: { id: "m1", model: "claude", content: [], usage: { input_tokens: 9, output_tokens: 1 } }
})
const block = (index: number, content_block: object) => event("content_block_start", { index, content_block })
const delta = (index: number, delta: object) => event("content_block_delta", { index, delta })
const stop = (index: number) => event("content_block_stop", { index })
const end = (stop_reason: string, usage: object = {}) => event("message_delta", { delta: { stop_reason }, usage })
const done = event("message_stop")
const tool = (index: number, id: string) => block(index, { type: "tool_use", id, name: "get", input: {} })
const piece = (index: number, partial_json: string) => delta(index, { type: "input_json_delta", partial_json })

const answer = Effect.fnUntraced(function* (...frames: ReadonlyArray<string>) {
  const server = yield* serve(sse(frames))
  const outcome = yield* run(AnthropicCompatible.make({ model: "m", baseUrl: server.url }).stream(plainRequest()))
  return { ...outcome, vendor: `anthropic@${new URL(server.url).host}` }
})

describe("messages answers", () => {
  it.live("thoughts with their signature, ciphers as they came, and who has set them", () =>
    Effect.gen(function* () {
      const { events, vendor } = yield* answer(
        start,
        block(0, { type: "thinking", thinking: "", signature: "" }),
        delta(0, { type: "thinking_delta", thinking: "hm" }),
        delta(0, { type: "signature_delta", signature: "SIG==" }),
        stop(0),
        block(1, { type: "redacted_thinking", data: "ENC" }),
        stop(1),
        end("end_turn"),
        done
      )
      assert.deepStrictEqual(
        events.filter(({ _tag }) => _tag === "Reasoning"),
        [
          { _tag: "Reasoning", text: "hm" },
          { _tag: "Reasoning", text: "", signature: "SIG==", vendor },
          { _tag: "Reasoning", text: "", redacted: "ENC", vendor }
        ]
      )
    })
  )

  it.live("a tool call is whole at the end of its block, before the message ends", () =>
    Effect.gen(function* () {
      const { events } = yield* answer(
        start,
        tool(1, "a"),
        piece(1, `{"x":`),
        piece(1, "1}"),
        stop(1),
        end("tool_use"),
        done
      )
      assert.deepStrictEqual(
        events.filter(({ _tag }) => _tag !== "Usage"),
        [
          { _tag: "Info", id: "m1", model: "claude" },
          { _tag: "ToolCallDelta", index: 0, id: "a", name: "get", delta: "" },
          { _tag: "ToolCallDelta", index: 0, id: "a", name: "get", delta: `{"x":` },
          { _tag: "ToolCallDelta", index: 0, id: "a", name: "get", delta: "1}" },
          { _tag: "ToolCall", index: 0, id: "a", name: "get", arguments: `{"x":1}`, input: { x: 1 } },
          { _tag: "Finish", reason: "tool-calls", raw: "tool_use" }
        ]
      )
    })
  )

  it.live("interleaved blocks are told apart, and a block that nobody ended ends with the message", () =>
    Effect.gen(function* () {
      const outcome = yield* answer(
        start,
        tool(3, "a"),
        tool(5, "b"),
        piece(5, `{"x":2}`),
        piece(3, `{"x":1}`),
        stop(5),
        end("tool_use"),
        done
      )
      assert.deepStrictEqual(
        outcome.tools.map(({ id, index, input }) => [index, id, input]),
        [
          [1, "b", { x: 2 }],
          [0, "a", { x: 1 }]
        ]
      )
      assertToolEvents(outcome)
    })
  )

  it.live("calls of the server's own tools are no calls of ours", () =>
    Effect.gen(function* () {
      const outcome = yield* answer(
        start,
        block(0, { type: "server_tool_use", id: "s", name: "web_search", input: {} }),
        piece(0, `{"query":"x"}`),
        stop(0),
        end("pause_turn"),
        done
      )
      assert.deepStrictEqual(outcome.tools, [])
      assert.strictEqual(outcome.finish?.reason, "pause")
    })
  )

  it.live("usage is a running total over start and end, the cache's part included", () =>
    Effect.gen(function* () {
      const { usage } = yield* answer(
        event("message_start", {
          message: {
            usage: {
              input_tokens: 9,
              cache_creation_input_tokens: 100,
              cache_read_input_tokens: 1000,
              output_tokens: 1
            }
          }
        }),
        end("end_turn", {
          input_tokens: null,
          cache_read_input_tokens: null,
          output_tokens: 15,
          output_tokens_details: { thinking_tokens: 4 }
        }),
        done
      )
      assert.deepStrictEqual(usage, {
        inputTokens: 1109,
        cachedInputTokens: 1000,
        cacheWriteInputTokens: 100,
        outputTokens: 15,
        reasoningTokens: 4
      })
    })
  )

  it.live("a whole message instead of a stream", () =>
    Effect.gen(function* () {
      const server = yield* serve((response) => {
        response.writeHead(200, { "content-type": "application/json; charset=utf-8" })
        response.end(
          JSON.stringify({
            type: "message",
            id: "m1",
            model: "claude",
            content: [
              { type: "text", text: "Hello" },
              { type: "tool_use", id: "a", name: "get", input: { x: 1 } }
            ],
            stop_reason: "tool_use",
            usage: { input_tokens: 9, output_tokens: 2 }
          })
        )
      })
      const outcome = yield* run(AnthropicCompatible.make({ model: "m", baseUrl: server.url }).stream(plainRequest()))
      assert.strictEqual(outcome.text, "Hello")
      assert.deepStrictEqual(outcome.tools[0]?.input, { x: 1 })
      assert.strictEqual(outcome.finish?.reason, "tool-calls")
      assert.deepStrictEqual(outcome.usage, { inputTokens: 9, outputTokens: 2 })
    })
  )

  it.live("the closing event alone is proof", () =>
    Effect.gen(function* () {
      const outcome = yield* answer(start, block(0, { type: "text", text: "Hello" }), done)
      assert.deepStrictEqual(outcome.finish, { _tag: "Finish", reason: "stop" })
    })
  )

  it.live.each([
    ["overloaded_error", "ProviderUnavailable", true],
    ["rate_limit_error", "RateLimited", true],
    ["api_error", "StreamFailed", true],
    ["timeout_error", "StreamFailed", true],
    ["authentication_error", "Unauthorized", false],
    ["billing_error", "QuotaExhausted", false],
    ["invalid_request_error", "StreamFailed", false]
  ] as const)("an error inside the stream: %s is %s", ([type, tag, retryable]) =>
    Effect.gen(function* () {
      const { error, text } = yield* answer(
        start,
        block(0, { type: "text", text: "Hel" }),
        event("error", { error: { type, message: "words" } }),
        done
      )
      assert.strictEqual(text, "Hel")
      assert.strictEqual(error?.reason._tag, tag)
      assert.strictEqual(error?.isRetryable, retryable)
      assert.strictEqual(error?.reason.detail, "words")
      assert.strictEqual(error?.reason.code, type)
    })
  )
})
