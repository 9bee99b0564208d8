/** How an endpoint of the Responses protocol writes an answer. */
import { OpenAIResponsesCompatible } from "effigent/layers/openai"
import type { Wire } from "../wire/Play.ts"

const event = (type: string, more: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`
const response = (status: string, more: object = {}) => ({
  response: { id: "resp_1", object: "response", created_at: 1_760_000_000, model: "m", status, output: [], ...more }
})

const errors: { readonly [status: number]: { readonly type: string; readonly code: string | null } } = {
  401: { type: "invalid_request_error", code: "invalid_api_key" },
  429: { type: "requests", code: "rate_limit_exceeded" },
  503: { type: "service_unavailable_error", code: null }
}

export const responsesWire: Wire = {
  name: "OpenAIResponsesCompatible",
  path: "/v1/responses",
  layer: (baseUrl) => OpenAIResponsesCompatible.layer({ baseUrl: `${baseUrl}/v1`, model: "m" }),
  begin: () => event("response.created", response("in_progress")),
  text: (delta) => event("response.output_text.delta", { item_id: "msg_1", output_index: 0, content_index: 0, delta }),
  call: ({ id, name, pieces }, output_index) => {
    const item = { type: "function_call", id: `fc_${id}`, call_id: id, name }
    const place = { item_id: item.id, output_index }
    return [
      event("response.output_item.added", { output_index, item: { ...item, arguments: "" } }),
      ...pieces.map((delta) => event("response.function_call_arguments.delta", { ...place, delta })),
      event("response.function_call_arguments.done", { ...place, arguments: pieces.join("") }),
      event("response.output_item.done", { output_index, item: { ...item, arguments: pieces.join("") } })
    ]
  },
  end: (finish, { inputTokens, outputTokens }) => {
    const usage = { input_tokens: inputTokens, output_tokens: outputTokens, total_tokens: inputTokens + outputTokens }
    return finish === "length"
      ? event(
          "response.incomplete",
          response("incomplete", { incomplete_details: { reason: "max_output_tokens" }, usage })
        )
      : event("response.completed", response("completed", { usage }))
  },
  rejection: (status, message) => ({
    error: { message, param: null, ...(errors[status] ?? { type: "invalid_request_error", code: null }) }
  })
}
