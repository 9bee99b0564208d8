// The AI SDK's OpenAI-compatible model over a real socket, and its mock model, keep every promise of a provider.
import type { LanguageModelV4StreamPart } from "@ai-sdk/provider"
import { assert, describe, it } from "@effect/vitest"
import { APICallError } from "ai"
import { MockLanguageModelV4 } from "ai/test"
import { Effect } from "effect"
import { AiSdk } from "effigent/layers/ai-sdk"
import { ModelProviderConformance } from "effigent/testing"
import { type Answer, serve, sse } from "../wire/Server.ts"
import { overHttp } from "./provider.ts"

type Scenario = ModelProviderConformance.Scenario

const event = (body: object) =>
  `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "m1", ...body })}\n\n`
const delta = (delta: object, finish_reason: string | null = null) =>
  event({ choices: [{ index: 0, delta, finish_reason }] })

const play = ({ answer }: Scenario): Answer => {
  switch (answer._tag) {
    case "Says":
    case "CallsTools": {
      const { inputTokens, outputTokens } = answer.usage
      const pieces =
        answer._tag === "Says"
          ? answer.texts.map((content) => delta({ content }))
          : answer.calls.flatMap(({ id, name, pieces }, index) => [
              delta({ tool_calls: [{ index, id, type: "function", function: { name, arguments: "" } }] }),
              ...pieces.map((args) => delta({ tool_calls: [{ index, function: { arguments: args } }] }))
            ])
      return sse([
        delta({ role: "assistant", content: "" }),
        ...pieces,
        delta({}, answer._tag === "Says" ? answer.finish : "tool_calls"),
        event({
          choices: [],
          usage: {
            prompt_tokens: inputTokens,
            completion_tokens: outputTokens,
            total_tokens: inputTokens + outputTokens
          }
        }),
        "data: [DONE]\n\n"
      ])
    }
    case "Rejects":
      return (response) => {
        response.writeHead(answer.status, { "content-type": "application/json" })
        response.end(JSON.stringify({ error: { message: answer.detail, type: "error" } }))
      }
    case "BreaksOff":
      return sse(answer.texts.map((content) => delta({ content })))
    case "Stalls":
      return answer.texts.length === 0
        ? () => {}
        : sse(
            answer.texts.map((content) => delta({ content })),
            { hold: true }
          )
  }
}

const http: ModelProviderConformance.Harness = {
  name: "AiSdk over HTTP",
  prepare: (scenario) =>
    Effect.map(serve(play(scenario)), (server) => ({
      provider: overHttp(server.url),
      requests: Effect.sync(() => server.received.length),
      open: Effect.sync(() => server.received.filter(({ closedAt }) => closedAt === undefined).length)
    }))
}

const usage = (tokens: { readonly inputTokens: number; readonly outputTokens: number }) => ({
  inputTokens: { total: tokens.inputTokens, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: tokens.outputTokens, text: undefined, reasoning: undefined }
})

const partsOf = ({ answer }: Scenario): ReadonlyArray<LanguageModelV4StreamPart> => {
  switch (answer._tag) {
    case "Says":
    case "BreaksOff":
    case "Stalls": {
      const texts = answer.texts.map((delta): LanguageModelV4StreamPart => ({ type: "text-delta", id: "0", delta }))
      const said: ReadonlyArray<LanguageModelV4StreamPart> = [
        { type: "stream-start", warnings: [] },
        ...(texts.length === 0 ? [] : [{ type: "text-start", id: "0" } as const, ...texts])
      ]
      if (answer._tag !== "Says") return said
      const finishReason = { unified: answer.finish, raw: answer.finish }
      return [...said, { type: "text-end", id: "0" }, { type: "finish", finishReason, usage: usage(answer.usage) }]
    }
    case "CallsTools":
      return [
        ...answer.calls.flatMap(({ id, name, pieces }): ReadonlyArray<LanguageModelV4StreamPart> => [
          { type: "tool-input-start", id, toolName: name },
          ...pieces.map((delta) => ({ type: "tool-input-delta", id, delta }) as const),
          { type: "tool-input-end", id },
          { type: "tool-call", toolCallId: id, toolName: name, input: pieces.join("") }
        ]),
        { type: "finish", finishReason: { unified: "tool-calls", raw: undefined }, usage: usage(answer.usage) }
      ]
    case "Rejects":
      return []
  }
}

const mock: ModelProviderConformance.Harness = {
  name: "AiSdk over the mock model",
  prepare: (scenario) =>
    Effect.sync(() => {
      let open = 0
      const { answer } = scenario
      const model = new MockLanguageModelV4({
        provider: "acme.chat",
        doStream: async ({ includeRawChunks }) => {
          if (answer._tag === "Rejects") {
            throw new APICallError({
              message: answer.detail,
              url: "https://example.com",
              requestBodyValues: {},
              statusCode: answer.status
            })
          }
          const raw = includeRawChunks === true ? [{ type: "raw", rawValue: 1 } as const] : []
          const left = [...raw, ...partsOf(scenario)]
          open++
          const stream = new ReadableStream<LanguageModelV4StreamPart>({
            pull: (controller) => {
              const part = left.shift()
              if (part !== undefined) return controller.enqueue(part)
              if (answer._tag === "Stalls") return new Promise(() => {})
              open--
              return controller.close()
            },
            cancel: () => {
              open--
            }
          })
          return { stream }
        }
      })
      return {
        provider: AiSdk.make(model),
        requests: Effect.sync(() => model.doStreamCalls.length),
        open: Effect.sync(() => open)
      }
    })
}

for (const harness of [http, mock]) {
  describe(harness.name, () => {
    for (const one of ModelProviderConformance.cases) {
      it.live(one.name, () =>
        Effect.map(one.run(harness), (outcome) => assert.deepStrictEqual(outcome, { _tag: "Passed" }))
      )
    }
  })
}
