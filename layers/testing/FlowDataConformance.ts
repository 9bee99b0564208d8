/** The promises of `FlowData` as cases for any implementation. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Json } from "effect/Schema"
import { type FlowData, type FlowDataChange, FlowDataConflict } from "../../services/FlowData.ts"
import type { ConformanceFailure } from "./ModelProviderConformance.ts"
import { expect, runAll, type StoreCase, storeCase } from "./StoreCase.ts"

type Service = FlowData["Service"]
type Problem = { readonly message: string }

const make = (name: string, check: (store: Service, flow: string) => Effect.Effect<void, string | Problem>) =>
  storeCase<Service, Problem>(name, (store) => Effect.suspend(() => check(store, `Conformance/${name}`)))

/** All promises. @category cases */
export const cases: ReadonlyArray<StoreCase<Service>> = [
  make("a field that was never written has version 0 and no value", (store, flow) =>
    Effect.flatMap(store.get(flow, "n"), (field) => expect("field", field, { version: 0 }))
  ),
  make("what was written is read as it was, with the next version", (store, flow) =>
    Effect.gen(function* () {
      const values: ReadonlyArray<Json> = [0, "", null, false, { a: [1, null, { b: "gr\u00fc\u00df" }] }]
      for (const [version, value] of values.entries()) {
        yield* expect("written", yield* store.set(flow, "v", value, version), { version: version + 1, value })
        yield* expect("read", yield* store.get(flow, "v"), { version: version + 1, value })
      }
      yield* store.set(flow, "v", undefined, values.length)
      yield* expect("taken away", yield* store.get(flow, "v"), { version: values.length + 1 })
    })
  ),
  make("fields and flows do not mix", (store, flow) =>
    Effect.gen(function* () {
      yield* store.set(flow, "a", 1, 0)
      yield* store.set(flow, "b", 2, 0)
      yield* store.set(`${flow}/2`, "a", 3, 0)
      yield* expect("a", yield* store.get(flow, "a"), { version: 1, value: 1 })
      yield* expect("b", yield* store.get(flow, "b"), { version: 1, value: 2 })
      yield* expect("another flow's", yield* store.get(`${flow}/2`, "a"), { version: 1, value: 3 })
    })
  ),
  make("a write for another version is a conflict and changes nothing", (store, flow) =>
    Effect.gen(function* () {
      yield* store.set(flow, "n", 1, 0)
      for (const version of [0, 2]) {
        const outcome = yield* Effect.result(store.set(flow, "n", 9, version))
        if (Result.isSuccess(outcome)) return yield* Effect.fail(`a write for version ${version} of 1 succeeds`)
        if (!(outcome.failure instanceof FlowDataConflict)) return yield* Effect.fail(outcome.failure)
      }
      yield* expect("field", yield* store.get(flow, "n"), { version: 1, value: 1 })
    })
  ),
  make("of writes for one version at the same time exactly one succeeds", (store, flow) =>
    Effect.gen(function* () {
      const outcomes = yield* Effect.forEach([1, 2, 3, 4, 5], (n) => Effect.result(store.set(flow, "n", n, 0)), {
        concurrency: "unbounded"
      })
      yield* expect("writes that succeeded", outcomes.filter(Result.isSuccess).length, 1)
      yield* expect("version", (yield* store.get(flow, "n")).version, 1)
    })
  ),
  make("a listener is told every write of its flow while its Scope is open", (store, flow) =>
    Effect.gen(function* () {
      const told: Array<FlowDataChange> = []
      yield* store.set(flow, "n", 1, 0)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* store.listen(flow, (change) => told.push(change))
          yield* store.set(flow, "n", 2, 1)
          yield* store.set(`${flow}/2`, "n", 9, 0)
          yield* store.set(flow, "m", "x", 0)
          yield* store.set(flow, "n", undefined, 2)
          // Stores that are elsewhere take a while.
          while (told.length < 3) yield* Effect.yieldNow
        })
      )
      yield* store.set(flow, "n", 4, 3)
      const of = (key: string) => told.filter((change) => change.key === key)
      yield* expect("n", of("n"), [
        { key: "n", version: 2, value: 2 },
        { key: "n", version: 3 }
      ])
      yield* expect("m", of("m"), [{ key: "m", version: 1, value: "x" }])
    })
  )
]

/** Runs all cases; fails with the first promise that is not kept. @category running */
export const run = (harness: string, store: Service): Effect.Effect<void, ConformanceFailure> =>
  runAll(cases, harness, store)
