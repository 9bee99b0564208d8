import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Schema } from "effect"
import { Prompt, Tool } from "effect/ai"
import { Agent } from "effigent"
import { OpenAIResponsesCompatible } from "effigent/layers/openai"
import { ModelProvider, type ModelRequest } from "effigent/services/ModelProvider"
import { plainRequest, run } from "../wire/Cases.ts"
import { serve, sse } from "../wire/Server.ts"

const frame = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`
const answer = (text: string) => [
  frame({ type: "response.output_text.delta", output_index: 0, content_index: 0, delta: text }),
  frame({ type: "response.completed", response: { status: "completed" } })
]

// What arrives at the server for a request.
const sent = Effect.fnUntraced(function* (
  request: Partial<ModelRequest>,
  options: Partial<OpenAIResponsesCompatible.Options> = {}
) {
  const server = yield* serve(sse(answer("ok")))
  const provider = OpenAIResponsesCompatible.make({ model: "m1", baseUrl: `${server.url}/v1`, ...options })
  const outcome = yield* run(provider.stream(plainRequest(request)))
  const received = server.received[0]
  return {
    outcome,
    headers: received?.headers ?? {},
    body: received === undefined ? undefined : JSON.parse(received.body)
  }
})

const input = Effect.fnUntraced(function* (
  prompt: Prompt.RawInput,
  options: Partial<OpenAIResponsesCompatible.Options> = {}
) {
  return (yield* sent({ prompt: Prompt.make(prompt) }, options)).body
})

const pixel = new Uint8Array([137, 80, 78, 71])
const Weather = Tool.make("weather", {
  description: "Weather of a city",
  parameters: Schema.Struct({ city: Schema.String })
})

describe("Responses requests", () => {
  it.live("a plain request asks for a stream that the server does not keep, and for nothing else", () =>
    Effect.gen(function* () {
      const { body } = yield* sent({})
      assert.deepStrictEqual(body, {
        model: "m1",
        input: [{ role: "user", content: "hi" }],
        stream: true,
        store: false
      })
      assert.strictEqual((yield* sent({ model: "m2" })).body.model, "m2")
    })
  )

  it.live("the system messages before all others are the instructions; later ones and developer's are items", () =>
    Effect.gen(function* () {
      const prompt: Prompt.RawInput = [
        { role: "system", content: "be brief" },
        { role: "system", content: "be kind" },
        { role: "system", content: "rules", options: { effigent: { role: "developer" } } },
        { role: "system", content: "after" },
        { role: "user", content: "hi" }
      ]
      const body = yield* input(prompt)
      assert.strictEqual(body.instructions, "be brief\n\nbe kind")
      const rest = [
        { role: "system", content: "after" },
        { role: "user", content: "hi" }
      ]
      assert.deepStrictEqual(body.input, [{ role: "system", content: "rules" }, ...rest])
      const vendor = yield* input(prompt, { developerRole: "developer" })
      assert.deepStrictEqual(vendor.input, [{ role: "developer", content: "rules" }, ...rest])
    })
  )

  it.live("images by bytes and by address; other files are Unsupported, and nothing is sent", () =>
    Effect.gen(function* () {
      const file = (mediaType: string, data: string | Uint8Array | URL) => ({ type: "file", mediaType, data }) as const
      const body = yield* input([
        {
          role: "user",
          content: [
            { type: "text", text: "look" },
            file("image/png", pixel),
            file("image/png", new URL("https://example.com/a.png"))
          ]
        }
      ])
      assert.deepStrictEqual(body.input[0].content, [
        { type: "input_text", text: "look" },
        { type: "input_image", image_url: "data:image/png;base64,iVBORw==", detail: "auto" },
        { type: "input_image", image_url: "https://example.com/a.png", detail: "auto" }
      ])
      const refused = yield* sent({
        prompt: Prompt.make([{ role: "user", content: [file("application/x-tar", pixel)] }])
      })
      assert.isUndefined(refused.body)
      assert.strictEqual(refused.outcome.error?.reason._tag, "Unsupported")
      assert.include(refused.outcome.error?.message, "application/x-tar")
    })
  )

  it.live("wire 85: PDF by data URL or address, text as text, from whichever form they came in", () =>
    Effect.gen(function* () {
      const file = (mediaType: string, data: string | Uint8Array) => ({ type: "file", mediaType, data }) as const
      const body = yield* input([
        {
          role: "user",
          content: [
            { ...file("application/pdf", "JVBERg=="), fileName: "a.pdf" },
            file("application/pdf", "https://example.com/b.pdf"),
            file("text/plain", "data:text/plain,gr%C3%BC%C3%9Fe"),
            { ...file("image/png", "data:image/png;base64,iVBORw=="), options: { openai: { imageDetail: "low" } } }
          ]
        }
      ])
      assert.deepStrictEqual(body.input[0].content, [
        { type: "input_file", filename: "a.pdf", file_data: "data:application/pdf;base64,JVBERg==" },
        { type: "input_file", file_url: "https://example.com/b.pdf" },
        { type: "input_text", text: "grüße" },
        { type: "input_image", image_url: "data:image/png;base64,iVBORw==", detail: "low" }
      ])
      for (const [type, data, said] of [
        ["audio/wav", pixel, "audio/wav"],
        ["text/plain", pixel, "no UTF-8 text"],
        ["text/plain", "https://example.com/a.txt", "attach its bytes"]
      ] as const) {
        const refused = yield* sent({ prompt: Prompt.make([{ role: "user", content: [file(type, data)] }]) })
        assert.isUndefined(refused.body)
        assert.include(refused.outcome.error?.message, said)
      }
    })
  )

  it.live("a turn with its thoughts, tool calls and their results, in their order", () =>
    Effect.gen(function* () {
      const body = yield* input([
        { role: "user", content: "weather?" },
        {
          role: "assistant",
          content: [
            { type: "reasoning", text: "told to nobody" },
            { type: "reasoning", text: "hm", options: { effigent: { redacted: "ENC" } } },
            { type: "reasoning", text: "", options: { effigent: { redacted: "ENC2" } } },
            { type: "text", text: "let me see" },
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
        }
      ])
      assert.deepStrictEqual(body.input, [
        { role: "user", content: "weather?" },
        { type: "reasoning", summary: [{ type: "summary_text", text: "hm" }], encrypted_content: "ENC" },
        { type: "reasoning", summary: [], encrypted_content: "ENC2" },
        { role: "assistant", content: "let me see" },
        { type: "function_call", call_id: "a", name: "weather", arguments: `{"city":"Oslo"}` },
        { type: "function_call", call_id: "b", name: "weather", arguments: `{"city` },
        { type: "function_call_output", call_id: "a", output: `{"t":4}` },
        { type: "function_call_output", call_id: "b", output: "no such city" }
      ])
    })
  )

  it.live("options by their names; those of the provider win", () =>
    Effect.gen(function* () {
      const { body, headers } = yield* sent(
        {
          options: {
            temperature: 0,
            topP: 0.5,
            maxTokens: 7,
            seed: 1,
            provider: { top_p: 0.9, include: ["reasoning.encrypted_content"] }
          }
        },
        { organization: "org-1", project: "proj-1", store: true, reasoning: { effort: "low", summary: "auto" } }
      )
      const { input: _, model: __, stream: ___, ...rest } = body
      assert.deepStrictEqual(rest, {
        store: true,
        reasoning: { effort: "low", summary: "auto" },
        temperature: 0,
        top_p: 0.9,
        max_output_tokens: 7,
        include: ["reasoning.encrypted_content"]
      })
      assert.strictEqual(headers["openai-organization"], "org-1")
      assert.strictEqual(headers["openai-project"], "proj-1")
    })
  )

  it.live("texts at which to stop are Unsupported, and nothing is sent", () =>
    Effect.gen(function* () {
      const { body, outcome } = yield* sent({ options: { stop: ["END"] } })
      assert.isUndefined(body)
      assert.strictEqual(outcome.error?.reason._tag, "Unsupported")
      assert.isDefined((yield* sent({ options: { stop: [] } })).body)
    })
  )

  it.live("tools with their JSON Schema, and a choice among them", () =>
    Effect.gen(function* () {
      const Strict = Tool.make("strict", { parameters: Schema.Struct({}) }).annotate(Tool.Strict, true)
      const { body } = yield* sent({ tools: [Weather, Strict] })
      assert.deepStrictEqual(body.tools[0], {
        type: "function",
        name: "weather",
        description: "Weather of a city",
        parameters: {
          type: "object",
          properties: { city: { type: "string" } },
          required: ["city"],
          additionalProperties: true
        },
        strict: false
      })
      assert.isTrue(body.tools[1].strict)
      assert.strictEqual(body.tool_choice, "auto")
      const named = yield* sent({ tools: [Weather], toolChoice: { tool: "weather" } })
      assert.deepStrictEqual(named.body.tool_choice, { type: "function", name: "weather" })
      assert.strictEqual((yield* sent({ tools: [Weather], toolChoice: "required" })).body.tool_choice, "required")
      assert.notProperty((yield* sent({ toolChoice: "required" })).body, "tool_choice")
    })
  )

  it.live("an agent's contract is the native format, and its answer the data", () =>
    Effect.gen(function* () {
      const server = yield* serve(sse(answer(`{"a":"b"}`)))
      const data = yield* Agent.make({ output: Schema.Struct({ a: Schema.String }), native: true }).pipe(
        Agent.input("hi"),
        Agent.run,
        Effect.provide(OpenAIResponsesCompatible.layer({ model: "m", baseUrl: server.url }))
      )
      assert.deepStrictEqual(data, { a: "b" })
      const { format } = JSON.parse(server.received[0]?.body ?? "{}").text
      assert.strictEqual(format.type, "json_schema")
      assert.isTrue(format.strict)
      assert.deepStrictEqual(format.schema.required, ["a"])
      assert.isFalse(format.schema.additionalProperties)
      const { body } = yield* sent({
        output: { name: "answer", format: "json", jsonSchema: {}, strict: {}, native: true }
      })
      assert.notProperty(body, "text")
    })
  )
})

describe("OpenAIResponsesCompatible.layerConfig", () => {
  const withEnv = (env: Record<string, string>) =>
    OpenAIResponsesCompatible.layerConfig({ store: true }).pipe(
      Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
    )

  it.live("reads key, base URL and model, and adds what the program says", () =>
    Effect.gen(function* () {
      const server = yield* serve(sse(answer("ok")))
      const env = { OPENAI_API_KEY: "sk-env", OPENAI_BASE_URL: `${server.url}/v1`, EFFIGENT_MODEL: "m-env" }
      const outcome = yield* ModelProvider.use((provider) => run(provider.stream(plainRequest()))).pipe(
        Effect.provide(withEnv(env))
      )
      assert.strictEqual(outcome.text, "ok")
      assert.strictEqual(server.received[0]?.headers["authorization"], "Bearer sk-env")
      const body = JSON.parse(server.received[0]?.body ?? "{}")
      assert.deepStrictEqual([body.model, body.store], ["m-env", true])
    })
  )

  it.effect("names what is missing", () =>
    Effect.gen(function* () {
      const missing = yield* Effect.provide(ModelProvider.use(Effect.succeed), withEnv({ EFFIGENT_MODEL: "m" })).pipe(
        Effect.flip
      )
      assert.include(String(missing), "OPENAI_API_KEY")
    })
  )
})
