import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Prompt, Tool } from "effect/ai"
import { OpenAICompatible } from "effigent/layers/openai"
import type { ModelRequest } from "effigent/services/ModelProvider"
import { plainRequest, run } from "../wire/Cases.ts"
import { serve, sse } from "../wire/Server.ts"

const done = `data: {"choices":[{"delta":{"content":"ok"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`

// What arrives at the server for a request.
const sent = Effect.fnUntraced(function* (
  request: Partial<ModelRequest>,
  options: Partial<OpenAICompatible.Options> = {}
) {
  const server = yield* serve(sse([done]))
  const provider = OpenAICompatible.make({ model: "m1", baseUrl: `${server.url}/v1`, ...options })
  const outcome = yield* run(provider.stream(plainRequest(request)))
  const received = server.received[0]
  return {
    outcome,
    headers: received?.headers ?? {},
    body: received === undefined ? undefined : JSON.parse(received.body)
  }
})

const messages = Effect.fnUntraced(function* (
  prompt: Prompt.RawInput,
  options: Partial<OpenAICompatible.Options> = {}
) {
  return (yield* sent({ prompt: Prompt.make(prompt) }, options)).body.messages
})

const pixel = new Uint8Array([137, 80, 78, 71])

class Place extends Schema.Class<Place>("Place")({ city: Schema.String }) {}
const Weather = Tool.make("weather", {
  description: "Weather of a city",
  parameters: Schema.Struct({
    city: Schema.String.annotate({ description: "a city" }),
    days: Schema.optionalKey(Schema.Finite)
  })
})

describe("chat-completions requests", () => {
  it.live("a plain request asks for a stream with usage, and for nothing else", () =>
    Effect.gen(function* () {
      const { body, headers } = yield* sent({})
      assert.deepStrictEqual(body, {
        model: "m1",
        messages: [{ role: "user", content: "hi" }],
        stream: true,
        stream_options: { include_usage: true }
      })
      assert.strictEqual(headers["content-type"], "application/json")
    })
  )

  it.live("the request names the model", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* sent({ model: "m2" })).body.model, "m2")
    })
  )

  describe("messages", () => {
    it.live("system and user texts", () =>
      Effect.gen(function* () {
        const sentMessages = yield* messages([
          { role: "system", content: "be brief" },
          { role: "user", content: "one" },
          {
            role: "user",
            content: [
              { type: "text", text: "two" },
              { type: "text", text: "three" }
            ]
          }
        ])
        assert.deepStrictEqual(sentMessages, [
          { role: "system", content: "be brief" },
          { role: "user", content: "one" },
          {
            role: "user",
            content: [
              { type: "text", text: "two" },
              { type: "text", text: "three" }
            ]
          }
        ])
      })
    )

    it.live("developer messages have that role where the server knows it", () =>
      Effect.gen(function* () {
        const prompt: Prompt.RawInput = [
          { role: "system", content: "rules", options: { effigent: { role: "developer" } } },
          { role: "user", content: "hi" }
        ]
        const roles = (list: ReadonlyArray<{ role: string }>) => list.map(({ role }) => role)
        assert.deepStrictEqual(roles(yield* messages(prompt)), ["system", "user"])
        assert.deepStrictEqual(roles(yield* messages(prompt, { developerRole: "developer" })), ["developer", "user"])
      })
    )

    it.live("images by bytes, base64, data URL and address", () =>
      Effect.gen(function* () {
        const file = (mediaType: string, data: string | Uint8Array | URL) =>
          ({ type: "file", mediaType, data }) as const
        const [message] = yield* messages([
          {
            role: "user",
            content: [
              { type: "text", text: "look" },
              file("image/png", pixel),
              file("image/*", "/9j/4AA="),
              file("image/png", "data:image/webp;base64,UklGRg=="),
              file("image/png", new URL("https://example.com/a.png")),
              file("image/png", "https://example.com/b.png")
            ]
          }
        ])
        const urls = message.content.slice(1).map((part: { image_url: { url: string } }) => part.image_url.url)
        assert.deepStrictEqual(message.content[0], { type: "text", text: "look" })
        assert.deepStrictEqual(urls, [
          "data:image/png;base64,iVBORw==",
          "data:image/jpeg;base64,/9j/4AA=",
          "data:image/webp;base64,UklGRg==",
          "https://example.com/a.png",
          "https://example.com/b.png"
        ])
      })
    )

    it.live("wire 85: audio as raw base64, PDF as a data URL, text as text, from whichever form they came in", () =>
      Effect.gen(function* () {
        const file = (mediaType: string, data: string | Uint8Array, fileName?: string) =>
          ({ type: "file", mediaType, data, ...(fileName === undefined ? {} : { fileName }) }) as const
        const [message] = yield* messages([
          {
            role: "user",
            content: [
              file("audio/x-wav", "data:audio/wav;base64,UklGRg=="),
              file("audio/mpeg", "SUQz"),
              file("application/pdf", "data:application/pdf;base64,JVBERg==", "a.pdf"),
              file("application/pdf", new TextEncoder().encode("%PDF")),
              file("text/plain", "data:text/plain,gr%C3%BC%C3%9Fe"),
              file("text/csv; charset=utf-8", new TextEncoder().encode("a,b\n1,2")),
              {
                type: "file",
                mediaType: "image/png",
                data: "https://example.com/a.png",
                options: { openai: { imageDetail: "low" } }
              }
            ]
          }
        ])
        assert.deepStrictEqual(message.content, [
          { type: "input_audio", input_audio: { data: "UklGRg==", format: "wav" } },
          { type: "input_audio", input_audio: { data: "SUQz", format: "mp3" } },
          { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,JVBERg==" } },
          { type: "file", file: { filename: "document.pdf", file_data: "data:application/pdf;base64,JVBERg==" } },
          { type: "text", text: "grüße" },
          { type: "text", text: "a,b\n1,2" },
          { type: "image_url", image_url: { url: "https://example.com/a.png", detail: "low" } }
        ])
      })
    )

    it.live("other files are Unsupported, and nothing is sent", () =>
      Effect.gen(function* () {
        const refused = Effect.fnUntraced(function* (mediaType: string, data: string | Uint8Array) {
          const prompt = Prompt.make([{ role: "user", content: [{ type: "file", mediaType, data }] }])
          const { body, outcome } = yield* sent({ prompt })
          assert.isUndefined(body)
          assert.strictEqual(outcome.error?.reason._tag, "Unsupported")
          assert.strictEqual(outcome.error?.model, "m1")
          return outcome.error?.message
        })
        assert.include(yield* refused("application/zip", pixel), "application/zip cannot be sent, only images")
        assert.include(yield* refused("audio/flac", pixel), "audio/flac")
        assert.include(yield* refused("application/pdf", "https://example.com/a.pdf"), "attach its bytes")
        assert.include(yield* refused("text/plain", pixel), "no UTF-8 text")
      })
    )

    it.live("a turn with reasoning, tool calls and their results", () =>
      Effect.gen(function* () {
        const prompt: Prompt.RawInput = [
          { role: "user", content: "weather?" },
          {
            role: "assistant",
            content: [
              { type: "reasoning", text: "hm" },
              { type: "tool-call", id: "a", name: "weather", params: { city: "Oslo" }, providerExecuted: false },
              { type: "tool-call", id: "b", name: "weather", params: '{"city', providerExecuted: false },
              { type: "tool-call", id: "x", name: "search", params: {}, providerExecuted: true }
            ]
          },
          {
            role: "tool",
            content: [
              { type: "tool-result", id: "a", name: "weather", isFailure: false, result: { t: 4 } },
              { type: "tool-result", id: "b", name: "weather", isFailure: true, result: "no such city" }
            ]
          },
          { role: "assistant", content: [{ type: "text", text: "cold" }] }
        ]
        const call = (id: string, args: string) => ({
          id,
          type: "function",
          function: { name: "weather", arguments: args }
        })
        const assistant = {
          role: "assistant",
          content: null,
          tool_calls: [call("a", `{"city":"Oslo"}`), call("b", `{"city`)]
        }
        const rest = [
          { role: "tool", tool_call_id: "a", content: `{"t":4}` },
          { role: "tool", tool_call_id: "b", content: "no such city" },
          { role: "assistant", content: "cold" }
        ]
        const user = { role: "user", content: "weather?" }
        assert.deepStrictEqual(yield* messages(prompt), [user, assistant, ...rest])
        assert.deepStrictEqual(yield* messages(prompt, { reasoningField: "reasoning_content" }), [
          user,
          { ...assistant, reasoning_content: "hm" },
          ...rest
        ])
      })
    )
  })

  describe("options", () => {
    it.live("sampling options by their names", () =>
      Effect.gen(function* () {
        const { body } = yield* sent({
          options: { temperature: 0, topP: 0.5, maxTokens: 7, stop: ["END"], seed: 0 }
        })
        const { messages: _, model: __, stream: ___, stream_options: ____, ...rest } = body
        assert.deepStrictEqual(rest, { temperature: 0, top_p: 0.5, max_tokens: 7, stop: ["END"], seed: 0 })
      })
    )

    it.live("the limit of the answer in the field that the server takes", () =>
      Effect.gen(function* () {
        const { body } = yield* sent({ options: { maxTokens: 7 } }, { maxTokensField: "max_completion_tokens" })
        assert.strictEqual(body.max_completion_tokens, 7)
        assert.notProperty(body, "max_tokens")
      })
    )

    it.live("options of the provider win", () =>
      Effect.gen(function* () {
        const { body } = yield* sent({
          options: { temperature: 1, provider: { temperature: 0.2, reasoning_effort: "low", stream_options: null } }
        })
        assert.strictEqual(body.temperature, 0.2)
        assert.strictEqual(body.reasoning_effort, "low")
        assert.isNull(body.stream_options)
      })
    )

    it.live("organization and project as headers", () =>
      Effect.gen(function* () {
        const { headers } = yield* sent({}, { organization: "org-1", project: "proj-1" })
        assert.strictEqual(headers["openai-organization"], "org-1")
        assert.strictEqual(headers["openai-project"], "proj-1")
      })
    )
  })

  describe("tools", () => {
    it.live("with their JSON Schema", () =>
      Effect.gen(function* () {
        const Strict = Tool.make("strict", { parameters: Schema.Struct({}) }).annotate(Tool.Strict, true)
        const { body } = yield* sent({
          tools: [Weather, Tool.make("now"), Tool.make("go", { parameters: Place }), Strict]
        })
        assert.deepStrictEqual(body.tools[0], {
          type: "function",
          function: {
            name: "weather",
            description: "Weather of a city",
            parameters: {
              type: "object",
              properties: { city: { type: "string", description: "a city" }, days: { type: "number" } },
              required: ["city"],
              additionalProperties: true
            }
          }
        })
        assert.deepStrictEqual(body.tools[1].function, {
          name: "now",
          parameters: { type: "object", properties: {}, additionalProperties: false }
        })
        // A named Schema is no $ref at the root.
        assert.strictEqual(body.tools[2].function.parameters.type, "object")
        assert.deepStrictEqual(body.tools[2].function.parameters.properties, { city: { type: "string" } })
        assert.notProperty(body.tools[2].function.parameters, "$ref")
        assert.isTrue(body.tools[3].function.strict)
        assert.strictEqual(body.tool_choice, "auto")
      })
    )

    it.live("a choice among them", () =>
      Effect.gen(function* () {
        const choice = Effect.fnUntraced(function* (toolChoice: ModelRequest["toolChoice"]) {
          return (yield* sent({ tools: [Weather], toolChoice })).body.tool_choice
        })
        assert.strictEqual(yield* choice("none"), "none")
        assert.strictEqual(yield* choice("required"), "required")
        assert.deepStrictEqual(yield* choice({ tool: "weather" }), {
          type: "function",
          function: { name: "weather" }
        })
        assert.notProperty((yield* sent({ toolChoice: "required" })).body, "tool_choice")
      })
    )
  })

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
        strict: { openai: schema },
        native: true
      } as const
      const { body } = yield* sent({ output })
      assert.deepStrictEqual(body.response_format, {
        type: "json_schema",
        json_schema: { name: "answer", strict: true, schema }
      })
      assert.notProperty((yield* sent({ output: { ...output, native: false } })).body, "response_format")
      assert.notProperty((yield* sent({ output: { ...output, strict: {} } })).body, "response_format")
    })
  )
})
