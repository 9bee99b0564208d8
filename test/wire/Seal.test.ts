import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { Prompt } from "effect/ai"
import { Agent, Conversation, Session } from "effigent"
import { AnthropicCompatible } from "effigent/layers/anthropic"
import { OpenAICompatible, OpenAIResponsesCompatible } from "effigent/layers/openai"
import { SessionStores } from "effigent/layers/store"
import type { ModelProvider } from "effigent/services/ModelProvider"
import * as Seal from "../../src/wire/Seal.ts"
import { serve, sse } from "../layers/wire/Server.ts"

const event = (data: { readonly type: string }) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
const messages = [
  { type: "message_start", message: { id: "m", model: "c", usage: { input_tokens: 1, output_tokens: 1 } } },
  { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "hm", signature: "SIG" } },
  { type: "content_block_stop", index: 0 },
  { type: "content_block_start", index: 1, content_block: { type: "redacted_thinking", data: "ENC" } },
  { type: "content_block_stop", index: 1 },
  { type: "content_block_start", index: 2, content_block: { type: "text", text: "one" } },
  { type: "content_block_stop", index: 2 },
  { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 9 } },
  { type: "message_stop" }
].map(event)
const responses = [
  {
    type: "response.output_item.done",
    output_index: 0,
    item: { type: "reasoning", summary: [{ type: "summary_text", text: "so" }], encrypted_content: "CIPHER" }
  },
  { type: "response.output_text.delta", output_index: 1, content_index: 0, delta: "two" },
  { type: "response.completed", response: { status: "completed" } }
].map(event)
const chat = [
  `data: ${JSON.stringify({ choices: [{ delta: { content: "three" } }] })}\n\n`,
  `data: ${JSON.stringify({ choices: [{ delta: {}, finish_reason: "stop" }] })}\n\n`
]

const signed = [
  { type: "thinking", thinking: "hm", signature: "SIG" },
  { type: "redacted_thinking", data: "ENC" },
  { type: "text", text: "one" }
]

describe("sealed thoughts", () => {
  it("a vendor is a protocol at a host", () => {
    assert.strictEqual(Seal.vendor("anthropic", "https://api.anthropic.com/v1"), "anthropic@api.anthropic.com")
    assert.strictEqual(Seal.vendor("chat", "http://localhost:11434/v1"), "chat@localhost:11434")
    assert.strictEqual(Seal.vendor("chat", "nowhere"), "chat@nowhere")
  })

  it("a seal is for who has set it; one that does not say so is for all", () => {
    const part = (effigent: { readonly signature?: string; readonly redacted?: string; readonly vendor?: string }) =>
      Prompt.makePart("reasoning", { text: "hm", options: { effigent } })
    const own = { signature: "SIG", redacted: undefined }
    assert.deepStrictEqual(Seal.of(part({ signature: "SIG", vendor: "a@x" }), "a@x"), own)
    assert.deepStrictEqual(Seal.of(part({ signature: "SIG" }), "a@x"), own)
    assert.deepStrictEqual(Seal.of(part({ signature: "SIG", vendor: "a@y" }), "a@x"), {})
    assert.deepStrictEqual(Seal.of(part({ redacted: "ENC", vendor: "b@x" }), "a@x"), {})
  })

  it.live("a session that moves to another vendor takes no foreign seals there, and its own up again", () =>
    Effect.gen(function* () {
      const anthropic = yield* serve(sse(messages))
      const openai = yield* serve(sse(responses))
      const local = yield* serve(sse(chat))
      const ask = (text: string, model: Layer.Layer<ModelProvider>) =>
        Agent.make({}).pipe(
          Session.attach(Session.make(), "a"),
          Agent.provideModel(model),
          Agent.input(text),
          Agent.run
        )
      const claude = AnthropicCompatible.layer({ model: "c", baseUrl: anthropic.url })
      const gpt = OpenAIResponsesCompatible.layer({ model: "g", baseUrl: openai.url })
      const thinker = OpenAICompatible.layer({ model: "d", baseUrl: local.url, reasoningField: "reasoning_content" })
      yield* ask("q1", claude)
      yield* ask("q2", gpt)
      yield* ask("q3", claude)
      yield* ask("q4", gpt)
      yield* ask("q5", thinker)

      const bodies = (server: typeof anthropic) => server.received.map(({ body }) => JSON.parse(body))
      assert.deepStrictEqual(bodies(openai)[0].input, [
        { role: "user", content: "q1" },
        { role: "assistant", content: "one" },
        { role: "user", content: "q2" }
      ])
      assert.deepStrictEqual(
        bodies(anthropic)[1].messages.map((message: { readonly content: unknown }) => message.content),
        [[{ type: "text", text: "q1" }], signed, ...["q2", "two", "q3"].map((text) => [{ type: "text", text }])]
      )
      assert.deepStrictEqual(bodies(openai)[1].input.slice(2, 5), [
        { role: "user", content: "q2" },
        { type: "reasoning", summary: [], encrypted_content: "CIPHER" },
        { role: "assistant", content: "two" }
      ])
      // In words a thought can go anywhere.
      assert.deepStrictEqual(bodies(local)[0].messages[1], {
        role: "assistant",
        content: "one",
        reasoning_content: "hm"
      })
      const [first] = yield* Conversation.turns("a")
      assert.include(JSON.stringify(first), `"vendor":"${Seal.vendor("anthropic", anthropic.url)}"`)
    }).pipe(Effect.provide(SessionStores.memory))
  )
})
