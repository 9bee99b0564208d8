import { describe } from "@effect/vitest"
import { conforms } from "../wire/Conformance.ts"
import { responsesWire } from "./responsesWire.ts"

describe("OpenAIResponsesCompatible keeps the promises of ModelProvider", () => {
  conforms(responsesWire)
})
