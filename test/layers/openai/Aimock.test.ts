import { OpenAICompatible } from "effigent/layers/openai"
import { agrees } from "../wire/Aimock.ts"

agrees((url) => OpenAICompatible.make({ model: "gpt-4o", baseUrl: `${url}/v1` }))
