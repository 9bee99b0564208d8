/** How Anthropic's endpoint writes an answer. */
import { AnthropicCompatible } from "effigent/layers/anthropic"
import type { Wire } from "../wire/Play.ts"

const event = (type: string, more: object = {}) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`

const finishWords = { stop: "end_turn", length: "max_tokens", "tool-calls": "tool_use" }

const errors: { readonly [status: number]: string } = {
  401: "authentication_error",
  429: "rate_limit_error",
  503: "api_error"
}

export const wire: Wire = {
  name: "AnthropicCompatible",
  path: "/v1/messages",
  layer: (baseUrl) => AnthropicCompatible.layer({ baseUrl, model: "m" }),
  begin: (inputTokens) =>
    event("message_start", {
      message: {
        id: "msg_1",
        type: "message",
        role: "assistant",
        model: "m",
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: inputTokens, output_tokens: 1 }
      }
    }) + event("ping"),
  text: (text, index) =>
    (index === 0 ? event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }) : "") +
    event("content_block_delta", { index: 0, delta: { type: "text_delta", text } }),
  call: ({ id, name, pieces }, index) => [
    event("content_block_start", { index, content_block: { type: "tool_use", id, name, input: {} } }),
    ...["", ...pieces].map((partial_json) =>
      event("content_block_delta", { index, delta: { type: "input_json_delta", partial_json } })
    ),
    event("content_block_stop", { index })
  ],
  // Tool calls end their own blocks. The tokens here are totals.
  end: (finish, { outputTokens }) =>
    (finish === "tool-calls" ? "" : event("content_block_stop", { index: 0 })) +
    event("message_delta", {
      delta: { stop_reason: finishWords[finish], stop_sequence: null },
      usage: { output_tokens: outputTokens }
    }) +
    event("message_stop"),
  rejection: (status, message) => ({
    type: "error",
    error: { type: errors[status] ?? "invalid_request_error", message },
    request_id: "req_1"
  })
}
