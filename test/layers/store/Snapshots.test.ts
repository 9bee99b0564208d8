import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, FileSystem, Layer, Option, Result, Schema } from "effect"
import { SnapshotStores as SqlSnapshots } from "effigent/layers/sql-store"
import { SnapshotStores } from "effigent/layers/store"
import { SnapshotConflict, SnapshotStore, SnapshotStoreError } from "effigent/services/SnapshotStore"
import { Chain, Interrupt, Snapshot, TriggerFlow } from "effigent/triggerflow"
import { postgres, sqlite } from "../sql-store/databases.ts"

const files = Layer.unwrap(
  Effect.map(
    Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped()),
    (directory) => SnapshotStores.file({ directory: `${directory}/deep/er` })
  )
).pipe(Layer.provide(NodeFileSystem.layer))

const stores: Readonly<Record<string, Layer.Layer<SnapshotStore, unknown>>> = {
  memory: SnapshotStores.memory,
  file: files,
  "layer on sqlite": Layer.provide(SqlSnapshots.layer(), sqlite),
  "layer on postgres": Layer.provide(SqlSnapshots.layer(), postgres)
}

for (const [name, layer] of Object.entries(stores))
  describe(`SnapshotStores.${name}`, () => {
    it.live("TF-45 keeps the newest 3, or as many as it is told, and never uses a version twice", () =>
      Effect.gen(function* () {
        const store = yield* SnapshotStore
        const id = "Order/1 ü"
        assert.deepStrictEqual(yield* store.list(id), [])
        assert.deepStrictEqual(yield* store.get(id), Option.none())
        for (let n = 0; n < 5; n++) assert.strictEqual(yield* store.put(id, { n }, { expected: n }), n + 1)
        assert.deepStrictEqual(yield* store.list(id), [3, 4, 5])
        yield* store.put(id, { n: 5 }, { expected: 5, keep: 4 })
        assert.deepStrictEqual(yield* store.list(id), [3, 4, 5, 6])
        yield* store.prune(id, 0)
        assert.deepStrictEqual(yield* store.list(id), [6])
        assert.deepStrictEqual(
          Option.map(yield* store.get(id), ({ snapshot, version }) => [version, snapshot]),
          Option.some([6, { n: 5 }])
        )
        assert.deepStrictEqual(yield* store.get(id, 5), Option.none())
        assert.strictEqual(yield* store.put(id, null, { expected: 6 }), 7)
        assert.deepStrictEqual(yield* store.list("order/1 ü"), [])
        yield* store.remove(id)
        yield* store.remove(id)
        assert.deepStrictEqual(yield* store.get(id), Option.none())
      }).pipe(Effect.provide(layer))
    )

    it.live("of puts on one version one succeeds", () =>
      Effect.gen(function* () {
        const store = yield* SnapshotStore
        const puts = yield* Effect.forEach([1, 2, 3, 4], (n) => Effect.exit(store.put("x", n, { expected: 0 })), {
          concurrency: 4
        })
        assert.strictEqual(puts.filter(Exit.isSuccess).length, 1)
        for (const exit of puts)
          if (Exit.isFailure(exit))
            assert.instanceOf(Option.getOrUndefined(Exit.findErrorOption(exit)), SnapshotConflict)
        const late = yield* Effect.result(store.put("x", 9, { expected: 2 }))
        assert.isTrue(Result.isFailure(late))
      }).pipe(Effect.provide(layer))
    )

    it.live("an execution goes on from it", () =>
      Effect.gen(function* () {
        const Approval = Interrupt.make("Approval", { payload: Schema.String, resume: Schema.String })
        const F = TriggerFlow.define("f", { interrupts: [Approval], result: Schema.String })
        const flow = F.build(
          F.start.pipe(
            Chain.to("ask", (_, run) => run.pause(Approval, "?")),
            Chain.result
          )
        )
        const store = yield* SnapshotStore
        const id = yield* Effect.scoped(
          Effect.gen(function* () {
            const execution = yield* TriggerFlow.open(flow, undefined)
            const snapshot = yield* execution.save()
            yield* store.put(execution.id, Snapshot.toJson(snapshot), {
              expected: 0,
              keep: snapshot.settings.keepSnapshots
            })
            return execution.id
          })
        )
        const kept = Option.getOrThrow(yield* store.get(id))
        const execution = yield* TriggerFlow.load(flow, kept.snapshot)
        yield* execution.answer(Approval, "yes", { id: "Approval#1" })
        assert.deepStrictEqual((yield* execution.close()).result, Option.some("yes"))
      }).pipe(Effect.provide(layer))
    )
  })

describe("SnapshotStores.file", () => {
  it.live("says which file is damaged, and which id is too long", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const failure = yield* Effect.gen(function* () {
        const store = yield* SnapshotStore
        yield* store.put("x", 1, { expected: 0 })
        yield* fs.writeFileString(`${directory}/x/1.json`, "{")
        const long = yield* Effect.flip(store.list("y".repeat(300)))
        assert.include(long.message, "300 characters")
        return yield* Effect.flip(store.get("x"))
      }).pipe(Effect.provide(SnapshotStores.file({ directory })))
      assert.instanceOf(failure, SnapshotStoreError)
      assert.include(failure.message, "1.json is no snapshot")
      assert.deepStrictEqual(yield* fs.readDirectory(`${directory}/x`), ["1.json"])
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})
