import { OpenAIResponsesCompatible } from "effigent/layers/openai"
import { agrees } from "../wire/Aimock.ts"

agrees((url) => OpenAIResponsesCompatible.make({ model: "gpt-4o", baseUrl: `${url}/v1` }))
