/** The scripted model as a subject of the conformance suite, and the script that plays a scenario. */
import { Effect, Layer } from "effect"
import {
  InvalidRequest,
  Incomplete,
  type ModelErrorReason,
  ProviderUnavailable,
  RateLimited,
  Unauthorized
} from "effigent/services/ModelError"
import { ModelProvider } from "effigent/services/ModelProvider"
import { type ModelProviderConformance, ScriptedModel } from "effigent/testing"

const rejection = (status: number, detail: string): ModelErrorReason => {
  switch (status) {
    case 401:
      return new Unauthorized({ detail, status })
    case 429:
      return new RateLimited({ detail, status })
    case 503:
      return new ProviderUnavailable({ detail, status })
    default:
      return new InvalidRequest({ detail, status })
  }
}

export const stepOf = (scenario: ModelProviderConformance.Scenario): ScriptedModel.Step => {
  const answer = scenario.answer
  switch (answer._tag) {
    case "Says":
      return ScriptedModel.chunks(answer.texts, { finish: answer.finish, usage: answer.usage })
    case "CallsTools":
      return ScriptedModel.toolCalls(answer.calls, { chunkSize: 5, usage: answer.usage })
    case "Rejects":
      return ScriptedModel.fail(rejection(answer.status, answer.detail))
    case "BreaksOff":
      return ScriptedModel.failAfter(answer.texts, new Incomplete({ detail: "no finish reason" }))
    case "Stalls":
      return ScriptedModel.hangAfter(answer.texts)
  }
}

export const scripted = (
  step: (scenario: ModelProviderConformance.Scenario) => ScriptedModel.Step = stepOf
): ModelProviderConformance.Harness => ({
  name: "ScriptedModel",
  prepare: (scenario) =>
    Effect.gen(function* () {
      const context = yield* Layer.build(ScriptedModel.always(step(scenario)))
      return yield* Effect.gen(function* () {
        const script = yield* ScriptedModel.ScriptedModel
        return {
          provider: yield* ModelProvider,
          requests: Effect.map(script.requests, (requests) => requests.length),
          open: script.openStreams
        }
      }).pipe(Effect.provide(context))
    })
})
