// The runtime stream of an execution that goes on from any place of its journal has no gap and says nothing twice.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Schema, Stream } from "effect"
import { ExecutionHosts } from "effigent/layers/host"
import { JournalStores } from "effigent/layers/store"
import { ExecutionHost } from "effigent/services/ExecutionHost"
import { ExecutionKeeper } from "effigent/services/ExecutionKeeper"
import { JournalStore } from "effigent/services/JournalStore"
import { Chain, TriggerFlow } from "effigent/triggerflow"

const Inner = TriggerFlow.define("inner", { input: Schema.Int, stream: Schema.String, result: Schema.Int })
const inner = Inner.build(
  Inner.start.pipe(
    Chain.to("inside", (n, run) => Effect.as(run.put(`inside ${n}`), n)),
    Chain.result
  )
)
const Outer = TriggerFlow.define("outer", { input: Schema.Int, stream: Schema.String, result: Schema.Int })
const outer = Outer.build(
  Outer.start.pipe(
    Chain.to("all", (n) => Effect.succeed(Array.from({ length: n }, (_, index) => index))),
    Chain.forEach(
      (each) =>
        each.pipe(
          Chain.to("before", (n, run) => Effect.as(run.put(`before ${n}`), n)),
          Chain.subFlow(inner),
          Chain.to("after", (n, run) => Effect.as(run.put(`after ${n}`), n))
        ),
      { concurrency: 1 }
    ),
    Chain.to("count", (all) => Effect.succeed(all.length)),
    Chain.result
  )
)

describe("the runtime stream of what was interrupted", () => {
  for (const snapshotEvery of [1, 2, 3, 7, 1000])
    it.live(`is whole from every append on, with a snapshot after ${snapshotEvery} records`, () =>
      Effect.gen(function* () {
        const host = yield* ExecutionHost
        const keeper = yield* ExecutionKeeper
        yield* host.start({ flow: "outer", id: "one", input: 4 })
        yield* host.await("one")
        const watched = (id: string) =>
          Effect.map(Stream.runCollect(host.watch(id)), (entries) =>
            entries.map(({ cursor, event }) => `${cursor} ${event._tag === "item" ? String(event.item) : event._tag}`)
          )
        const all = yield* watched("one")
        assert.deepStrictEqual(
          all,
          [0, 1, 2, 3]
            .flatMap((n) => [`before ${n}`, `inside ${n}`, `after ${n}`])
            .map((text, cursor) => `${cursor} ${text}`)
        )
        const head = yield* Effect.flatMap(JournalStore, (store) => store.get("one"))
        const last = Option.getOrThrow(head).seq
        assert.isAbove(last, 10)
        for (let seq = 1; seq < last; seq++) {
          yield* keeper.fork("one", { id: `fork-${seq}`, seq })
          yield* host.await(`fork-${seq}`)
          assert.deepStrictEqual(yield* watched(`fork-${seq}`), all, `from the append ${seq}`)
        }
      }).pipe(
        Effect.provide(
          TriggerFlow.toLayer(outer).pipe(
            Layer.provideMerge(ExecutionHosts.durable({ snapshotEvery, keepSnapshots: Infinity })),
            Layer.provideMerge(JournalStores.memory)
          )
        )
      )
    )
})
