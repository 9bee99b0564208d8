import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import { RunnerStorage } from "effect/cluster/RunnerStorage"
import * as ShardId from "effect/cluster/ShardId"
import { TestClock } from "effect/testing"
import * as Leases from "../../../layers/cluster/Leases.ts"

const address = RunnerAddress.make("here", 1)
const [one, two] = [ShardId.make("work", 1), ShardId.make("work", 2)]

/** A storage that says what it was asked, and whose locks can be taken away. */
const observed = () => {
  const asked: Array<string> = []
  const gone = new Set<ShardId.ShardId>()
  const held = (shards: Iterable<ShardId.ShardId>) => [...shards].filter((shard) => !gone.has(shard))
  const layer = Layer.succeed(RunnerStorage, {
    getRunners: Effect.succeed([]),
    register: () => Effect.die("unused"),
    unregister: () => Effect.void,
    setRunnerHealth: () => Effect.void,
    acquire: (_, shards) =>
      Effect.sync(() => {
        asked.push(`acquire ${[...shards].join()}`)
        return held(shards)
      }),
    refresh: (_, shards) =>
      Effect.sync(() => {
        asked.push(`refresh ${[...shards].join()}`)
        return held(shards)
      }),
    release: () => Effect.void,
    releaseAll: () => Effect.void
  })
  return { asked, gone, layer: Layer.provide(Leases.layer(500), layer) }
}

describe("the locks of shards", () => {
  it.effect("one that was renewed a moment ago is held without asking; later it is asked for", () => {
    const { asked, gone, layer } = observed()
    return Effect.gen(function* () {
      const storage = yield* RunnerStorage
      yield* storage.acquire(address, [one, two])
      yield* TestClock.adjust(499)
      assert.deepStrictEqual(yield* storage.refresh(address, [one]), [one])
      assert.deepStrictEqual(asked, ["acquire work:1,work:2"])
      yield* TestClock.adjust(1)
      gone.add(two)
      assert.deepStrictEqual(yield* storage.refresh(address, [one, two]), [one])
      assert.deepStrictEqual(asked, ["acquire work:1,work:2", "refresh work:1,work:2"])
      // What was not held is asked for each time, and so is whatever is asked together with it.
      assert.deepStrictEqual(yield* storage.refresh(address, [two]), [])
      assert.deepStrictEqual(yield* storage.refresh(address, [one]), [one])
      assert.deepStrictEqual(asked.slice(2), ["refresh work:2"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("what was let go is not held, and nobody is told so from memory", () => {
    const { asked, layer } = observed()
    return Effect.gen(function* () {
      const storage = yield* RunnerStorage
      yield* storage.acquire(address, [one, two])
      yield* storage.release(address, one)
      yield* storage.refresh(address, [one])
      yield* storage.releaseAll(address)
      yield* storage.refresh(address, [two])
      // The sign of life of a runner without shards is never left out.
      yield* storage.refresh(address, [])
      assert.deepStrictEqual(asked.slice(1), ["refresh work:1", "refresh work:2", "refresh "])
    }).pipe(Effect.provide(layer))
  })
})
