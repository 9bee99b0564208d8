/** The AI SDK's OpenAI-compatible model on a loopback server, as a provider of ours. */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
import { AiSdk } from "effigent/layers/ai-sdk"

export const modelOf = (url: string, more: Partial<Parameters<typeof createOpenAICompatible>[0]> = {}) =>
  createOpenAICompatible({
    name: "acme",
    baseURL: `${url}/v1`,
    includeUsage: true,
    apiKey: "sk-test-12345678",
    ...more
  })

export const overHttp = (url: string, options: AiSdk.Options = {}) => AiSdk.make(modelOf(url)("m1"), options)
