/** How an OpenAI endpoint writes an answer. */
import { OpenAICompatible } from "effigent/layers/openai"
import type { Wire } from "../wire/Play.ts"

const frame = (data: object) => `data: ${JSON.stringify(data)}\n\n`
const head = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1_760_000_000, model: "m" }
const chunk = (delta: object, finish: string | null = null) =>
  frame({ ...head, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }], usage: null })

const finishWords = { stop: "stop", length: "length", "tool-calls": "tool_calls" }

const errors: { readonly [status: number]: { readonly type: string; readonly code: string | null } } = {
  401: { type: "invalid_request_error", code: "invalid_api_key" },
  429: { type: "requests", code: "rate_limit_exceeded" },
  503: { type: "service_unavailable_error", code: null }
}

export const wire: Wire = {
  name: "OpenAICompatible",
  path: "/v1/chat/completions",
  layer: (baseUrl) => OpenAICompatible.layer({ baseUrl: `${baseUrl}/v1`, model: "m" }),
  begin: () => chunk({ role: "assistant", content: "", refusal: null }),
  text: (content) => chunk({ content }),
  call: ({ id, name, pieces }, index) => [
    chunk({ tool_calls: [{ index, id, type: "function", function: { name, arguments: "" } }] }),
    ...pieces.map((piece) => chunk({ tool_calls: [{ index, function: { arguments: piece } }] }))
  ],
  end: (finish, { inputTokens, outputTokens }) =>
    chunk({}, finishWords[finish]) +
    frame({
      ...head,
      choices: [],
      usage: {
        prompt_tokens: inputTokens,
        completion_tokens: outputTokens,
        total_tokens: inputTokens + outputTokens
      }
    }) +
    "data: [DONE]\n\n",
  rejection: (status, message) => ({
    error: { message, param: null, ...(errors[status] ?? { type: "invalid_request_error", code: null }) }
  })
}
