/** Requests for the tests of model providers. */
import { Prompt } from "effigent/services/Ai"
import type { ModelRequest } from "effigent/services/ModelProvider"

export const request = (input: string, over: Partial<ModelRequest> = {}): ModelRequest => ({
  prompt: Prompt.make(input),
  tools: [],
  output: { name: "answer", format: "text", jsonSchema: { type: "string" }, strict: {}, native: false },
  options: {},
  includeRaw: false,
  attempt: 1,
  ...over
})
