import { AnthropicCompatible } from "effigent/layers/anthropic"
import { fuzzed } from "./Fuzz.ts"
import { messages } from "./Recordings.ts"

fuzzed({
  name: "AnthropicCompatible",
  protocol: "messages",
  recordings: messages,
  make: (baseUrl, timeouts) => AnthropicCompatible.make({ baseUrl, model: "m", timeouts })
})
