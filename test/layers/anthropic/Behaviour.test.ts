import { describe } from "@effect/vitest"
import { AnthropicCompatible } from "effigent/layers/anthropic"
import { behaves, type ProviderOptions } from "../wire/Behaviour.ts"

const event = (type: string, more: object = {}) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`
const options = (options: ProviderOptions): AnthropicCompatible.Options => ({ ...options, model: "m" })

describe("AnthropicCompatible", () => {
  behaves({
    name: "anthropic",
    path: "/v1/messages",
    make: (given) => AnthropicCompatible.make(options(given)),
    layer: (given) => AnthropicCompatible.layer(options(given)),
    start:
      event("message_start", { message: { id: "m1", model: "m", content: [], usage: { input_tokens: 1 } } }) +
      event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
    text: (text) => event("content_block_delta", { index: 0, delta: { type: "text_delta", text } }),
    ping: event("ping"),
    finish:
      event("content_block_stop", { index: 0 }) +
      event("message_delta", { delta: { stop_reason: "end_turn" }, usage: {} }),
    close: event("message_stop"),
    errorFrame: event("error", { error: { type: "api_error", message: "boom" } }),
    keyHeader: (key) => ["x-api-key", key]
  })
})
