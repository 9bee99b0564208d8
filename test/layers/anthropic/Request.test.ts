import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema } from "effect"
import { Prompt, Tool } from "effect/ai"
import { AnthropicCompatible } from "effigent/layers/anthropic"
import type { ModelRequest } from "effigent/services/ModelProvider"
import { plainRequest, run } from "../wire/Cases.ts"
import { serve, sse } from "../wire/Server.ts"

const done =
  `data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n` + `data: {"type":"message_stop"}\n\n`

// What arrives at the server for a request.
const sent = Effect.fnUntraced(function* (
  request: Partial<ModelRequest>,
  options: Partial<AnthropicCompatible.Options> = {}
) {
  const server = yield* serve(sse([done]))
  const provider = AnthropicCompatible.make({ model: "m1", baseUrl: server.url, ...options })
  const outcome = yield* run(provider.stream(plainRequest(request)))
  const received = server.received[0]
  return {
    outcome,
    headers: received?.headers ?? {},
    body: received === undefined ? undefined : JSON.parse(received.body)
  }
})

const prompt = Effect.fnUntraced(function* (input: Prompt.RawInput) {
  return (yield* sent({ prompt: Prompt.make(input) })).body
})

const pixel = new Uint8Array([137, 80, 78, 71])
const text = (text: string) => ({ type: "text", text })

const Weather = Tool.make("weather", {
  description: "Weather of a city",
  parameters: Schema.Struct({ city: Schema.String.annotate({ description: "a city" }) })
})

describe("messages requests", () => {
  it.live("a plain request asks for a stream and sets the limit that the protocol insists on", () =>
    Effect.gen(function* () {
      const { body, headers } = yield* sent({})
      assert.deepStrictEqual(body, {
        model: "m1",
        max_tokens: 8192,
        messages: [{ role: "user", content: [text("hi")] }],
        stream: true
      })
      assert.strictEqual(headers["content-type"], "application/json")
      assert.match(headers["anthropic-version"]?.toString() ?? "", /^\d{4}-\d\d-\d\d$/)
    })
  )

  it.live("the request names the model; the limit comes from the request, then from the layer", () =>
    Effect.gen(function* () {
      const own = yield* sent({ model: "m2", options: { maxTokens: 5 } }, { maxTokens: 9 })
      assert.strictEqual(own.body.model, "m2")
      assert.strictEqual(own.body.max_tokens, 5)
      assert.strictEqual((yield* sent({}, { maxTokens: 9 })).body.max_tokens, 9)
    })
  )

  it.live("the key as X-Api-Key or as a bearer token, never as both", () =>
    Effect.gen(function* () {
      const apiKey = Redacted.make("sk-ant-0123456789")
      const plain = (yield* sent({}, { apiKey })).headers
      assert.strictEqual(plain["x-api-key"], "sk-ant-0123456789")
      assert.isUndefined(plain["authorization"])
      const bearer = (yield* sent({}, { apiKey, auth: "bearer" })).headers
      assert.strictEqual(bearer["authorization"], "Bearer sk-ant-0123456789")
      assert.isUndefined(bearer["x-api-key"])
      const own = (yield* sent({}, { headers: { Authorization: "Basic abc" } })).headers
      assert.strictEqual(own["authorization"], "Basic abc")
      assert.isUndefined(own["x-api-key"])
    })
  )

  describe("messages", () => {
    it.live("system and developer messages go to the system text, wherever they stand", () =>
      Effect.gen(function* () {
        const body = yield* prompt([
          { role: "system", content: "be brief" },
          { role: "user", content: "one" },
          { role: "system", content: "rules", options: { effigent: { role: "developer" } } },
          { role: "system", content: "" }
        ])
        assert.deepStrictEqual(body.system, [text("be brief"), text("rules")])
        assert.deepStrictEqual(body.messages, [{ role: "user", content: [text("one")] }])
      })
    )

    it.live("neighbours of one role become one message", () =>
      Effect.gen(function* () {
        const body = yield* prompt([
          { role: "user", content: "one" },
          {
            role: "user",
            content: [
              { type: "text", text: "two" },
              { type: "text", text: "" }
            ]
          },
          { role: "assistant", content: "three" },
          { role: "assistant", content: "four" },
          { role: "user", content: "five" }
        ])
        assert.deepStrictEqual(body.messages, [
          { role: "user", content: [text("one"), text("two")] },
          { role: "assistant", content: [text("three"), text("four")] },
          { role: "user", content: [text("five")] }
        ])
      })
    )

    it.live("an answer to continue has no white space at its end", () =>
      Effect.gen(function* () {
        const body = yield* prompt([
          { role: "user", content: "go" },
          { role: "assistant", content: "{ \n" }
        ])
        assert.deepStrictEqual(body.messages[1].content, [text("{")])
      })
    )

    it.live("cache breakpoints stand where the options put them", () =>
      Effect.gen(function* () {
        const options = { anthropic: { cacheControl: { type: "ephemeral", ttl: "1h" } } }
        const body = yield* prompt([
          { role: "system", content: "long", options },
          {
            role: "user",
            content: [{ type: "text", text: "hi", options: { anthropic: { cacheControl: { type: "ephemeral" } } } }]
          }
        ])
        assert.deepStrictEqual(body.system, [{ ...text("long"), cache_control: { type: "ephemeral", ttl: "1h" } }])
        assert.deepStrictEqual(body.messages[0].content, [{ ...text("hi"), cache_control: { type: "ephemeral" } }])
      })
    )

    it.live("images by bytes, base64, data URL and address", () =>
      Effect.gen(function* () {
        const file = (mediaType: string, data: string | Uint8Array | URL) =>
          ({ type: "file", mediaType, data }) as const
        const body = yield* prompt([
          {
            role: "user",
            content: [
              { type: "text", text: "look" },
              file("image/png", pixel),
              file("image/*", "/9j/4AA="),
              file("image/png", "data:image/webp;base64,UklGRg=="),
              file("image/png", new URL("https://example.com/a.png"))
            ]
          }
        ])
        const base64 = (media_type: string, data: string) => ({
          type: "image",
          source: { type: "base64", media_type, data }
        })
        assert.deepStrictEqual(body.messages[0].content, [
          text("look"),
          base64("image/png", "iVBORw=="),
          base64("image/jpeg", "/9j/4AA="),
          base64("image/webp", "UklGRg=="),
          { type: "image", source: { type: "url", url: "https://example.com/a.png" } }
        ])
      })
    )

    it.live("wire 85: PDF and text are documents in raw base64 or by address, never a data URL", () =>
      Effect.gen(function* () {
        const file = (mediaType: string, data: string | Uint8Array, fileName?: string) =>
          ({ type: "file", mediaType, data, ...(fileName === undefined ? {} : { fileName }) }) as const
        const body = yield* prompt([
          {
            role: "user",
            content: [
              file("application/pdf", "data:application/pdf;base64,JVBERg==", "a.pdf"),
              file("application/pdf", "https://example.com/b.pdf"),
              file("text/markdown", "data:text/markdown;base64,IyBIaQ=="),
              {
                ...file("text/plain", new TextEncoder().encode("hi")),
                options: { anthropic: { cacheControl: { type: "ephemeral" } } }
              }
            ]
          }
        ])
        assert.deepStrictEqual(body.messages[0].content, [
          {
            type: "document",
            source: { type: "base64", media_type: "application/pdf", data: "JVBERg==" },
            title: "a.pdf"
          },
          { type: "document", source: { type: "url", url: "https://example.com/b.pdf" } },
          { type: "document", source: { type: "text", media_type: "text/plain", data: "# Hi" } },
          {
            type: "document",
            source: { type: "text", media_type: "text/plain", data: "hi" },
            cache_control: { type: "ephemeral" }
          }
        ])
      })
    )

    it.live("what has no form is Unsupported, and nothing is sent", () =>
      Effect.gen(function* () {
        const refused = Effect.fnUntraced(function* (input: Prompt.RawInput) {
          const { body, outcome } = yield* sent({ prompt: Prompt.make(input) })
          assert.isUndefined(body)
          assert.strictEqual(outcome.error?.reason._tag, "Unsupported")
          return outcome.error?.message
        })
        const file = (mediaType: string) => ({ type: "file", mediaType, data: pixel }) as const
        assert.include(yield* refused([{ role: "user", content: [file("audio/wav")] }]), "audio/wav")
        assert.include(yield* refused([{ role: "user", content: [file("image/tiff")] }]), "image/tiff")
        assert.include(yield* refused([{ role: "user", content: [file("text/plain")] }]), "no UTF-8 text")
        assert.include(yield* refused([{ role: "system", content: "alone" }]), "user message")
      })
    )

    it.live("a turn with thoughts, tool calls and their results", () =>
      Effect.gen(function* () {
        const body = yield* prompt([
          { role: "user", content: "weather?" },
          {
            role: "assistant",
            content: [
              { type: "reasoning", text: "hm", options: { effigent: { signature: "SIG==" } } },
              { type: "reasoning", text: "", options: { effigent: { redacted: "ENC" } } },
              { type: "reasoning", text: "by another vendor" },
              { type: "text", text: "let me look" },
              { type: "tool-call", id: "a", name: "weather", params: { city: "Oslo" }, providerExecuted: false },
              { type: "tool-call", id: "b", name: "weather", params: '{"city', providerExecuted: false }
            ]
          },
          {
            role: "tool",
            content: [
              { type: "tool-result", id: "a", name: "weather", isFailure: false, result: { t: 4 } },
              { type: "tool-result", id: "b", name: "weather", isFailure: true, result: "no such city" }
            ]
          },
          { role: "user", content: "and?" }
        ])
        assert.deepStrictEqual(body.messages, [
          { role: "user", content: [text("weather?")] },
          {
            role: "assistant",
            content: [
              { type: "thinking", thinking: "hm", signature: "SIG==" },
              { type: "redacted_thinking", data: "ENC" },
              text("let me look"),
              { type: "tool_use", id: "a", name: "weather", input: { city: "Oslo" } },
              { type: "tool_use", id: "b", name: "weather", input: { arguments: `{"city` } }
            ]
          },
          {
            role: "user",
            content: [
              { type: "tool_result", tool_use_id: "a", content: `{"t":4}` },
              { type: "tool_result", tool_use_id: "b", content: "no such city", is_error: true },
              text("and?")
            ]
          }
        ])
      })
    )
  })

  it.live("sampling options by their names; there is no seed; options of the provider win", () =>
    Effect.gen(function* () {
      const { body } = yield* sent({
        options: {
          temperature: 1,
          topP: 0.5,
          stop: ["END"],
          seed: 7,
          provider: { temperature: 0, thinking: { type: "enabled", budget_tokens: 1024 } }
        }
      })
      const { max_tokens: _, messages: __, model: ___, stream: ____, ...rest } = body
      assert.deepStrictEqual(rest, {
        temperature: 0,
        top_p: 0.5,
        stop_sequences: ["END"],
        thinking: { type: "enabled", budget_tokens: 1024 }
      })
    })
  )

  it.live("tools with their JSON Schema, and a choice among them", () =>
    Effect.gen(function* () {
      const Strict = Tool.make("now").annotate(Tool.Strict, true)
      const { body } = yield* sent({ tools: [Weather, Strict] })
      assert.deepStrictEqual(body.tools, [
        {
          name: "weather",
          description: "Weather of a city",
          input_schema: {
            type: "object",
            properties: { city: { type: "string", description: "a city" } },
            required: ["city"],
            additionalProperties: true
          }
        },
        { name: "now", input_schema: { type: "object", properties: {}, additionalProperties: false }, strict: true }
      ])
      const choice = Effect.fnUntraced(function* (toolChoice: ModelRequest["toolChoice"]) {
        return (yield* sent({ tools: [Weather], toolChoice })).body.tool_choice
      })
      assert.deepStrictEqual(body.tool_choice, { type: "auto" })
      assert.deepStrictEqual(yield* choice("none"), { type: "none" })
      assert.deepStrictEqual(yield* choice("required"), { type: "any" })
      assert.deepStrictEqual(yield* choice({ tool: "weather" }), { type: "tool", name: "weather" })
      assert.notProperty((yield* sent({ toolChoice: "required" })).body, "tool_choice")
    })
  )

  it.live("native output in the strict dialect, where it is asked for and exists", () =>
    Effect.gen(function* () {
      const schema = {
        type: "object",
        properties: { a: { type: "string" } },
        required: ["a"],
        additionalProperties: false
      }
      const output = {
        name: "answer",
        format: "json",
        jsonSchema: {},
        strict: { anthropic: schema },
        native: true
      } as const
      const { body } = yield* sent({ output })
      assert.deepStrictEqual(body.output_config, { format: { type: "json_schema", schema } })
      assert.notProperty((yield* sent({ output: { ...output, native: false } })).body, "output_config")
      assert.notProperty((yield* sent({ output: { ...output, strict: {} } })).body, "output_config")
    })
  )
})
