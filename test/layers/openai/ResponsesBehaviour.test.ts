import { describe } from "@effect/vitest"
import { OpenAIResponsesCompatible } from "effigent/layers/openai"
import { behaves, type ProviderOptions } from "../wire/Behaviour.ts"

const event = (type: string, more: object = {}) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`
const options = (options: ProviderOptions): OpenAIResponsesCompatible.Options => ({
  ...options,
  baseUrl: `${options.baseUrl}/v1`,
  model: "m"
})

describe("OpenAIResponsesCompatible", () => {
  behaves({
    name: "openai",
    path: "/v1/responses",
    make: (given) => OpenAIResponsesCompatible.make(options(given)),
    layer: (given) => OpenAIResponsesCompatible.layer(options(given)),
    start: event("response.created", { response: { id: "resp_1", model: "m", status: "in_progress", output: [] } }),
    text: (delta) => event("response.output_text.delta", { output_index: 0, content_index: 0, delta }),
    ping: ": keep-alive\n\n",
    finish: event("response.completed", { response: { id: "resp_1", model: "m", status: "completed" } }),
    close: "data: [DONE]\n\n",
    errorFrame: event("error", { code: null, message: "boom", param: null }),
    keyHeader: (key) => ["authorization", `Bearer ${key}`]
  })
})
