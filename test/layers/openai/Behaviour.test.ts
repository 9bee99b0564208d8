import { describe } from "@effect/vitest"
import { OpenAICompatible } from "effigent/layers/openai"
import { behaves, type ProviderOptions } from "../wire/Behaviour.ts"

const chunk = (choice: unknown) => `data: ${JSON.stringify({ id: "c1", model: "m", choices: [choice] })}\n\n`
const options = (options: ProviderOptions): OpenAICompatible.Options => ({
  ...options,
  baseUrl: `${options.baseUrl}/v1`,
  model: "m"
})

describe("OpenAICompatible", () => {
  behaves({
    name: "openai",
    path: "/v1/chat/completions",
    make: (given) => OpenAICompatible.make(options(given)),
    layer: (given) => OpenAICompatible.layer(options(given)),
    start: chunk({ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }),
    text: (content) => chunk({ index: 0, delta: { content }, finish_reason: null }),
    ping: ": keep-alive\n\n",
    finish: chunk({ index: 0, delta: {}, finish_reason: "stop" }),
    close: "data: [DONE]\n\n",
    errorFrame: `data: {"error":{"message":"boom"}}\n\n`,
    keyHeader: (key) => ["authorization", `Bearer ${key}`]
  })
})
