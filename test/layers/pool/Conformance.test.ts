// All layers of the pool around a provider that keeps its promises keep them too.
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { ModelPool } from "effigent/layers/pool"
import { ModelProvider } from "effigent/services/ModelProvider"
import { ModelProviderConformance } from "effigent/testing"
import { scripted } from "../testing/harness.ts"

const pooled = (inner: Layer.Layer<ModelProvider>): Layer.Layer<ModelProvider> =>
  ModelPool.retry({ attempts: 1 }).pipe(
    Layer.provide(
      ModelPool.layer({
        models: {
          one: {
            provider: ModelPool.keys({ keys: [{ id: "a", key: Redacted.make("k") }], provider: () => inner }),
            limits: { concurrency: 4, rate: { limit: 100, window: "1 second" }, circuit: {} },
            retry: { attempts: 1 }
          }
        },
        name: "scripted",
        default: "one",
        fallback: ["one"]
      })
    )
  )

const harness: ModelProviderConformance.Harness = {
  name: "pool",
  prepare: (scenario) =>
    Effect.gen(function* () {
      const subject = yield* scripted().prepare(scenario)
      const context = yield* Layer.build(pooled(Layer.succeed(ModelProvider, subject.provider)))
      return { ...subject, provider: Context.get(context, ModelProvider) }
    })
}

describe("a pool", () => {
  for (const one of ModelProviderConformance.cases) {
    it.effect(one.name, () =>
      Effect.map(one.run(harness), (outcome) => assert.deepStrictEqual(outcome, { _tag: "Passed" }))
    )
  }
})
