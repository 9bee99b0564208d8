import { describe, it } from "@effect/vitest"
import { AnthropicCompatible } from "effigent/layers/anthropic"
import { cases, runCase } from "../wire/Cases.ts"

const provider = (url: string) =>
  AnthropicCompatible.make({ baseUrl: url, model: "m", timeouts: { idle: "60 millis", firstToken: "2 seconds" } })

describe("wire cases of Anthropic messages", () => {
  for (const row of cases("anthropic-messages")) it.live(`${row.case} ${row.name}`, () => runCase(row, provider))
})
