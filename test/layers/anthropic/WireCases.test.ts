import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { AnthropicCompatible } from "effigent/layers/anthropic"
import { cases, core, runCase } from "../wire/Cases.ts"

const provider = (url: string) =>
  AnthropicCompatible.make({ baseUrl: url, model: "m", timeouts: { idle: "60 millis", firstToken: "2 seconds" } })

// Rows that belong to a later part. A row that passes has to leave this list.
const laterPart: ReadonlyArray<number> = []

describe("wire cases of Anthropic messages", () => {
  for (const row of cases("anthropic-messages")) {
    if (laterPart.includes(row.case)) {
      it.live(`${row.case} is still to come: ${row.name}`, () =>
        Effect.gen(function* () {
          assert.isFalse(core.has(row.case), "a core row cannot wait")
          const exit = yield* Effect.exit(runCase(row, provider))
          assert.isTrue(Exit.isFailure(exit), "it passes now: take it from the list")
        })
      )
    } else {
      it.live(`${row.case} ${row.name}`, () => runCase(row, provider))
    }
  }
})
