import { OpenAICompatible, OpenAIResponsesCompatible } from "effigent/layers/openai"
import { fuzzed } from "./Fuzz.ts"
import { chat, responses } from "./Recordings.ts"

fuzzed({
  name: "OpenAICompatible",
  protocol: "chat",
  recordings: chat,
  make: (baseUrl, timeouts) => OpenAICompatible.make({ baseUrl, model: "m", timeouts })
})

fuzzed({
  name: "OpenAIResponsesCompatible",
  protocol: "responses",
  recordings: responses,
  make: (baseUrl, timeouts) => OpenAIResponsesCompatible.make({ baseUrl, model: "m", timeouts })
})
