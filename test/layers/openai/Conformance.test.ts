import { describe } from "@effect/vitest"
import { conforms } from "../wire/Conformance.ts"
import { wire } from "./wire.ts"

describe("OpenAICompatible keeps the promises of ModelProvider", () => {
  conforms(wire)
})
