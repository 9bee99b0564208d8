/** The promises of `KnowledgeStore` as cases for any implementation. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import {
  type Filter,
  type KnowledgeStore,
  type KnowledgeStoreError,
  type Passage,
  type Search
} from "../../services/KnowledgeStore.ts"
import type { JsonObject } from "../../services/Json.ts"
import type { ConformanceFailure } from "./ModelProviderConformance.ts"
import { expect, runAll, type StoreCase, storeCase } from "./StoreCase.ts"

type Store = KnowledgeStore["Service"]

const passage = (id: string, vector: ReadonlyArray<number>, meta: JsonObject = {}): Passage => ({
  id,
  text: `text of ${id} gr\u00fc\u00df \ud83d\ude00`,
  vector: Float32Array.from(vector),
  meta
})

const make = (
  name: string,
  check: (store: Store, collection: string) => Effect.Effect<void, string | KnowledgeStoreError>
) => storeCase<Store, KnowledgeStoreError>(name, (store) => check(store, `conformance/${name}`))

const near = (vector: ReadonlyArray<number>, more: Partial<Search> = {}): Search => ({
  vector: Float32Array.from(vector),
  limit: 10,
  ...more
})

const idsOf = (found: ReadonlyArray<{ readonly id: string }>) => found.map(({ id }) => id)

const facts: ReadonlyArray<Passage> = [
  passage("a", [1, 0], { kind: "manual", date: "2026-01-10", pages: 3, tags: ["x", "y"], by: { name: "Ada" } }),
  passage("b", [0.9, 0.1], { kind: "manual", date: "2026-05-01", pages: 10, tags: [], "by.name": "dotted" }),
  passage("c", [0.8, 0.2], { kind: "letter", date: "2025-12-31", pages: 3.5, draft: false }),
  passage("d", [0.7, 0.3], {})
]

const filters: ReadonlyArray<readonly [Filter, ReadonlyArray<string>]> = [
  [{ _tag: "Is", key: "kind", value: "manual" }, ["a", "b"]],
  [{ _tag: "Is", key: "draft", value: false }, ["c"]],
  [{ _tag: "Is", key: "tags", value: ["x", "y"] }, ["a"]],
  [{ _tag: "Is", key: "by.name", value: "Ada" }, ["a"]],
  [{ _tag: "Is", key: "by.name", value: "dotted" }, ["b"]],
  [{ _tag: "Is", key: "constructor", value: null }, []],
  [{ _tag: "In", key: "kind", values: ["letter", "fax"] }, ["c"]],
  [{ _tag: "In", key: "kind", values: [] }, []],
  [{ _tag: "Has", key: "tags", value: "y" }, ["a"]],
  [{ _tag: "Between", key: "pages", from: 3, to: 3.5 }, ["a", "c"]],
  [{ _tag: "Between", key: "date", from: "2026-01-01" }, ["a", "b"]],
  [{ _tag: "Between", key: "date", to: "2026-01-10" }, ["a", "c"]],
  [{ _tag: "Between", key: "date", from: 3 }, []],
  [{ _tag: "Not", filter: { _tag: "Is", key: "kind", value: "manual" } }, ["c", "d"]],
  [{ _tag: "All", filters: [] }, ["a", "b", "c", "d"]],
  [{ _tag: "Any", filters: [] }, []],
  [
    {
      _tag: "Any",
      filters: [
        { _tag: "Is", key: "kind", value: "letter" },
        {
          _tag: "All",
          filters: [
            { _tag: "Has", key: "tags", value: "x" },
            { _tag: "Is", key: "pages", value: 3 }
          ]
        }
      ]
    },
    ["a", "c"]
  ]
]

/** All promises. @category cases */
export const cases: ReadonlyArray<StoreCase<Store>> = [
  make("a collection that is not there is empty", (store, name) =>
    Effect.gen(function* () {
      yield* expect("found", yield* store.search(name, near([1, 0])), [])
      yield* expect("got", yield* store.get(name, ["a"]), [])
      yield* expect("count", yield* store.count(name), 0)
      yield* store.remove(name, { ids: ["a"] })
      yield* store.upsert(name, [])
      yield* expect("count", yield* store.count(name), 0)
    })
  ),
  make("scores are cosine similarities, best first, and equal ones in the order of the ids", (store, name) =>
    Effect.gen(function* () {
      yield* store.upsert(name, [
        passage("far", [-5, 0]),
        passage("same2", [3, 0]),
        passage("side", [0, 7]),
        passage("half", [1, 1]),
        passage("same1", [0.1, 0])
      ])
      const found = yield* store.search(name, near([2, 0]))
      yield* expect("order", idsOf(found), ["same1", "same2", "half", "side", "far"])
      for (const [index, score] of [1, 1, Math.SQRT1_2, 0, -1].entries()) {
        const found_ = found[index]?.score ?? Number.NaN
        if (!(Math.abs(found_ - score) < 1e-4)) return yield* Effect.fail(`score ${index} is ${found_}, not ${score}`)
      }
      const { score: _score, ...rest } = found[2] ?? { score: 0 }
      const { vector: _vector, ...half } = passage("half", [1, 1])
      yield* expect("what was found", rest, half)
    })
  ),
  make("no more than the limit, and none below the least score", (store, name) =>
    Effect.gen(function* () {
      yield* store.upsert(name, facts)
      yield* expect("limit", idsOf(yield* store.search(name, near([1, 0], { limit: 2 }))), ["a", "b"])
      yield* expect("minScore", idsOf(yield* store.search(name, near([1, 0], { minScore: 0.98 }))), ["a", "b"])
      const outcome = yield* Effect.result(store.search(name, near([1, 0], { limit: 0 })))
      if (Result.isSuccess(outcome)) return yield* Effect.fail("a limit of 0 is accepted")
    })
  ),
  make("a filter is applied before the best are counted", (store, name) =>
    Effect.gen(function* () {
      yield* store.upsert(name, facts)
      for (const [filter, ids] of filters) {
        const found = yield* store.search(name, near([1, 0], { filter }))
        yield* expect(JSON.stringify(filter), idsOf(found), ids)
      }
      const last = near([1, 0], { limit: 1, filter: { _tag: "Is", key: "kind", value: "letter" } })
      yield* expect("the only one of many", idsOf(yield* store.search(name, last)), ["c"])
    })
  ),
  make("a passage with an id that is there is replaced", (store, name) =>
    Effect.gen(function* () {
      yield* store.upsert(name, facts)
      yield* store.upsert(name, [passage("a", [0, 1], { kind: "new" })])
      yield* expect("count", yield* store.count(name), 4)
      yield* expect("found", idsOf(yield* store.search(name, near([0, 1], { limit: 1 }))), ["a"])
      yield* expect("meta", (yield* store.get(name, ["a"]))[0]?.meta, { kind: "new" })
    })
  ),
  make("passages are got in the order of the ids, with their vectors", (store, name) =>
    Effect.gen(function* () {
      yield* store.upsert(name, facts)
      const got = yield* store.get(name, ["c", "none", "a"])
      yield* expect("ids", idsOf(got), ["c", "a"])
      yield* expect("vector", Array.from(got[1]?.vector ?? []), [1, 0])
    })
  ),
  make("a list has every passage once, in the order of the ids, a page at a time", (store, name) =>
    Effect.gen(function* () {
      yield* expect("nothing", yield* store.list(name, { limit: 3 }), [])
      const ids = ["b", "a", "B", "\u00e4", "a/1", "10", "9"]
      yield* store.upsert(
        name,
        ids.map((id) => passage(id, [1, 0], { of: id }))
      )
      const sorted = ["10", "9", "B", "a", "a/1", "b", "\u00e4"]
      yield* expect("all", idsOf(yield* store.list(name, { limit: 100 })), sorted)
      const pages: Array<string> = []
      for (let after: string | undefined; ; after = pages.at(-1)) {
        const page = yield* store.list(name, { limit: 3, after })
        if (page.length === 0) break
        pages.push(...idsOf(page))
      }
      yield* expect("page by page", pages, sorted)
      const { vector: _vector, ...whole } = passage("B", [1, 0], { of: "B" })
      yield* expect("a passage", (yield* store.list(name, { limit: 1, after: "9" }))[0], whole)
      const outcome = yield* Effect.result(store.list(name, { limit: 0 }))
      if (Result.isSuccess(outcome)) return yield* Effect.fail("a limit of 0 is accepted")
    })
  ),
  make("what was removed is not found, and all else is", (store, name) =>
    Effect.gen(function* () {
      yield* store.upsert(name, facts)
      yield* store.remove(name, { ids: ["b", "none"] })
      yield* expect("without b", idsOf(yield* store.search(name, near([1, 0]))), ["a", "c", "d"])
      yield* store.remove(name, { filter: { _tag: "Is", key: "kind", value: "manual" } })
      yield* expect("without manuals", idsOf(yield* store.search(name, near([1, 0]))), ["c", "d"])
      yield* store.upsert(name, [passage("b", [1, 0])])
      yield* expect("b again", idsOf(yield* store.search(name, near([1, 0]))), ["b", "c", "d"])
    })
  ),
  make("a vector of another length, or without direction, is refused, and nothing is changed", (store, name) =>
    Effect.gen(function* () {
      yield* store.upsert(name, facts)
      for (const wrong of [[1, 0, 0], [], [0, 0], [Number.NaN, 1], [Number.POSITIVE_INFINITY, 1]]) {
        const outcome = yield* Effect.result(store.upsert(name, [passage("new", [1, 0]), passage("e", wrong)]))
        if (Result.isSuccess(outcome)) return yield* Effect.fail(`the vector [${wrong}] is accepted`)
      }
      const asked = yield* Effect.result(store.search(name, near([1, 0, 0])))
      if (Result.isSuccess(asked)) return yield* Effect.fail("a search with another length is accepted")
      yield* expect("count", yield* store.count(name), 4)
    })
  ),
  make("collections do not mix", (store, name) =>
    Effect.gen(function* () {
      yield* store.upsert(name, [passage("a", [1, 0])])
      yield* store.upsert(`${name}/2`, [passage("b", [1, 0, 0])])
      yield* expect("one", idsOf(yield* store.search(name, near([1, 0]))), ["a"])
      yield* expect("two", idsOf(yield* store.search(`${name}/2`, near([1, 0, 0]))), ["b"])
    })
  )
]

/** Runs all cases; fails with the first promise that is not kept. @category running */
export const run = (harness: string, store: Store): Effect.Effect<void, ConformanceFailure> =>
  runAll(cases, harness, store)
