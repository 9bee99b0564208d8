import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { EffectLedgers, JournalStores } from "effigent/layers/store"
import { EffectLedger } from "effigent/services/EffectLedger"
import { JournalStore } from "effigent/services/JournalStore"
import { EffectLedgerConformance, JournalStoreConformance } from "effigent/testing"

describe("JournalStores.memory", () => {
  for (const one of JournalStoreConformance.cases({ advance: TestClock.adjust })) {
    it.effect(one.name, () =>
      JournalStore.use((store) => one.run("memory", store)).pipe(Effect.provide(JournalStores.memory))
    )
  }
  it.effect("all cases can share one store", () =>
    JournalStore.use((store) => JournalStoreConformance.run("memory", store, { advance: TestClock.adjust })).pipe(
      Effect.provide(JournalStores.memory)
    )
  )
  it.live("an append takes a few microseconds", () =>
    Effect.gen(function* () {
      const store = yield* JournalStore
      const owner = { runner: "r", incarnation: "1" }
      yield* store.create({
        id: "x",
        flow: "f",
        status: "running",
        lifecycle: "open",
        input: "",
        tags: [],
        owner,
        records: []
      })
      const records = [{ a: 1 }]
      let fastest = Infinity
      for (let round = 0; round < 10; round++) {
        const before = yield* Clock.currentTimeMillis
        for (let n = 0; n < 2_000; n++)
          yield* store.append({ id: "x", fence: 1, expected: round * 2_000 + n + 1, records })
        fastest = Math.min(fastest, (yield* Clock.currentTimeMillis) - before)
      }
      // Under 20 microseconds each, on whatever runs the tests.
      assert.isBelow(fastest, 40)
    }).pipe(Effect.provide(JournalStores.memory))
  )
})

describe("EffectLedgers.memory", () => {
  for (const one of EffectLedgerConformance.cases) {
    it.effect(one.name, () =>
      EffectLedger.use((ledger) => one.run("memory", ledger)).pipe(Effect.provide(EffectLedgers.memory))
    )
  }
})
