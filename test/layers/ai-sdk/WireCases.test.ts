// What the AI SDK's OpenAI-compatible model makes of bytes that real endpoints have sent.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { cases, runCase } from "../wire/Cases.ts"
import { overHttp } from "./provider.ts"

const provider = (url: string) => overHttp(url, { timeouts: { idle: "60 millis", firstToken: "2 seconds" } })

// Rows that the SDK itself reads otherwise: what it hides, we cannot see. A row that passes has to leave this list.
const readOtherwise: ReadonlyArray<number> = [
  // It counts 0 cached tokens where the server says nothing of a cache.
  4, 7, 8,
  // It refuses chunks without a list of choices, and arguments that are no text.
  5, 6, 29, 64,
  // It makes text of refusals, knows no reasoning_details, and takes <think> for text.
  14, 18, 19,
  // It does not look at the index of a choice, and reads on after [DONE].
  40, 54,
  // It loses a last event without its blank line, and an answer that came as a whole.
  53, 67
]

describe("wire cases of chat completions through the AI SDK", () => {
  for (const row of cases("openai-chat-completions")) {
    if (readOtherwise.includes(row.case)) {
      it.live(`${row.case} is read otherwise: ${row.name}`, () =>
        Effect.gen(function* () {
          const exit = yield* Effect.exit(runCase(row, provider))
          assert.isTrue(Exit.isFailure(exit), "it passes now: take it from the list")
        })
      )
    } else {
      it.live(`${row.case} ${row.name}`, () => runCase(row, provider))
    }
  }
})
