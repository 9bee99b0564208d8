import { describe, it } from "@effect/vitest"
import { OpenAICompatible } from "effigent/layers/openai"
import { cases, runCase } from "../wire/Cases.ts"

const provider = (url: string) =>
  OpenAICompatible.make({ baseUrl: `${url}/v1`, model: "m", timeouts: { idle: "60 millis", firstToken: "2 seconds" } })

describe("wire cases of chat completions", () => {
  for (const row of cases("openai-chat-completions")) it.live(`${row.case} ${row.name}`, () => runCase(row, provider))
})
