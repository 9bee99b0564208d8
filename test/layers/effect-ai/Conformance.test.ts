// Our provider, made a LanguageModel, made a provider again, keeps every promise of a provider.
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { EffectAi } from "effigent/layers/effect-ai"
import { ModelProvider } from "effigent/services/ModelProvider"
import { ModelProviderConformance, ScriptedModel } from "effigent/testing"
import { stepOf } from "../testing/harness.ts"

const harness: ModelProviderConformance.Harness = {
  name: "EffectAi, there and back",
  prepare: (scenario) =>
    Effect.gen(function* () {
      const script = yield* Layer.build(ScriptedModel.always(stepOf(scenario)))
      const back = EffectAi.modelProviderWith({ configure: () => Context.empty() }).pipe(
        Layer.provide(EffectAi.languageModel),
        Layer.provide(Layer.succeedContext(script))
      )
      const provider = Context.get(yield* Layer.build(back), ModelProvider)
      const { openStreams, requests } = Context.get(script, ScriptedModel.ScriptedModel)
      return { provider, open: openStreams, requests: Effect.map(requests, (requests) => requests.length) }
    })
}

describe("EffectAi, there and back", () => {
  for (const one of ModelProviderConformance.cases) {
    it.effect(one.name, () =>
      Effect.map(one.run(harness), (outcome) => assert.deepStrictEqual(outcome, { _tag: "Passed" }))
    )
  }
})
