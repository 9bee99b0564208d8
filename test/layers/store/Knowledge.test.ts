import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { KnowledgeStores } from "effigent/layers/store"
import { type Found, KnowledgeStore, type Passage } from "effigent/services/KnowledgeStore"
import { KnowledgeStoreConformance } from "effigent/testing"

describe("KnowledgeStores.memory", () => {
  for (const one of KnowledgeStoreConformance.cases) {
    it.effect(one.name, () =>
      KnowledgeStore.use((store) => one.run("memory", store)).pipe(Effect.provide(KnowledgeStores.memory))
    )
  }

  it.effect("finds what a plain sort of all similarities finds, after many changes", () =>
    Effect.gen(function* () {
      const store = yield* KnowledgeStore
      let seed = 7
      const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647
      const vector = () => Float32Array.from({ length: 24 }, () => random() - 0.5)
      const kept = new Map<string, Passage>()
      const cosine = (a: Float32Array, b: Float32Array) => {
        const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, one, i) => sum + one * (y[i] ?? 0), 0)
        return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
      }
      for (let round = 0; round < 30; round++) {
        const passages = Array.from({ length: 20 }, () => ({
          id: `p${Math.floor(random() * 300)}`,
          text: "",
          vector: vector(),
          meta: { odd: random() < 0.5 }
        }))
        yield* store.upsert("c", passages)
        for (const one of passages) kept.set(one.id, one)
        const gone = [...kept.keys()].filter(() => random() < 0.1)
        yield* store.remove("c", { ids: gone })
        for (const id of gone) kept.delete(id)
        assert.strictEqual(yield* store.count("c"), kept.size)

        const query = vector()
        const expected = [...kept.values()]
          .filter(({ meta }) => meta["odd"] === true)
          .map(({ id, vector }) => ({ id, score: cosine(vector, query) }))
          .toSorted((a, b) => b.score - a.score)
          .slice(0, 7)
        const found: ReadonlyArray<Found> = yield* store.search("c", {
          vector: query,
          limit: 7,
          filter: { _tag: "Is", key: "odd", value: true }
        })
        assert.deepStrictEqual(
          found.map(({ id }) => id),
          expected.map(({ id }) => id)
        )
        for (const [i, { score }] of found.entries()) assert.approximately(score, expected[i]?.score ?? 2, 1e-5)
      }
    }).pipe(Effect.provide(KnowledgeStores.memory))
  )
})

// A suite that finds nothing is worth nothing.
describe("KnowledgeStoreConformance", () => {
  type Store = KnowledgeStore["Service"]
  const broken: ReadonlyArray<readonly [string, (store: Store) => Store]> = [
    [
      "equal ones in the order",
      (store) => ({ ...store, search: (...args) => Effect.map(store.search(...args), (all) => all.toReversed()) })
    ],
    [
      "no more than the limit",
      (store) => ({ ...store, search: (name, search) => store.search(name, { ...search, limit: 9 }) })
    ],
    [
      "before the best are counted",
      (store) => ({
        ...store,
        search: (name, { filter: _filter, ...search }) => store.search(name, search)
      })
    ],
    [
      "collections do not mix",
      (store) => ({ ...store, search: (name, search) => store.search(name.replace("/2", ""), search) })
    ],
    ["what was removed", (store) => ({ ...store, remove: () => Effect.void })]
  ]
  for (const [promise, damage] of broken) {
    it.effect(`finds out who breaks: ${promise}`, () =>
      Effect.gen(function* () {
        const store = damage(yield* KnowledgeStore)
        const one = KnowledgeStoreConformance.cases.find(({ name }) => name.includes(promise))
        assert.isDefined(one)
        if (one !== undefined)
          assert.include((yield* Effect.flip(one.run("broken", store))).message, "broken does not conform")
      }).pipe(Effect.provide(KnowledgeStores.memory))
    )
  }
})
