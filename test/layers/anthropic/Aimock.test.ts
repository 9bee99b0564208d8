import { AnthropicCompatible } from "effigent/layers/anthropic"
import { agrees } from "../wire/Aimock.ts"

agrees((url) => AnthropicCompatible.make({ model: "claude-sonnet-5-5", baseUrl: url }))
