import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { FlowDataStores } from "effigent/layers/host"
import { FlowData } from "effigent/services/FlowData"
import { FlowDataConformance } from "effigent/testing"

describe("FlowDataStores.memory", () => {
  for (const one of FlowDataConformance.cases) {
    it.effect(one.name, () =>
      FlowData.use((store) => one.run("memory", store)).pipe(Effect.provide(FlowDataStores.memory))
    )
  }

  it.effect("one function that listens twice is told twice, and once when one of them has left", () =>
    Effect.gen(function* () {
      const store = yield* FlowData
      let told = 0
      const listener = () => void told++
      yield* store.listen("f", listener)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* store.listen("f", listener)
          yield* store.set("f", "n", 1, 0)
          assert.strictEqual(told, 2)
        })
      )
      yield* store.set("f", "n", 2, 1)
      assert.strictEqual(told, 3)
    }).pipe(Effect.provide(FlowDataStores.memory))
  )
})
