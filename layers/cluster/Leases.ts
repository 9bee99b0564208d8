/**
 * The locks of a runner's shards, without a statement for each reply. The cluster asks before it stores a reply whether
 * the runner still has the shard, and each time it renews the lock: two commits, one after the other on the one connection
 * that the renewal of all locks has to wait for. Under load the renewal then comes too late, and the runner loses
 * everything. But a lock is a lease: whoever has renewed it a moment ago has it for certain, since nobody else may take it
 * before it has expired. So such a question is answered from memory, and real renewals stay as rare as the cluster's own.
 */
import { RunnerStorage } from "effect/cluster/RunnerStorage"
import type { ShardId } from "effect/cluster/ShardId"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * Answers from memory whether a lock is held that was renewed less than `trusted` milliseconds ago; that has to be less
 * than the interval of the renewals, and much less than the expiry of the locks.
 *
 * @category layers
 */
export const layer = (trusted: number): Layer.Layer<RunnerStorage, never, RunnerStorage> =>
  Layer.effect(
    RunnerStorage,
    Effect.map(RunnerStorage, (storage): RunnerStorage["Service"] => {
      // When the renewal began, by a clock that goes on while the process is frozen. By runner and shard.
      const renewed = new Map<string, number>()
      const keyOf = (address: unknown, shard: ShardId) => `${String(address)} ${shard.toString()}`
      const now = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos / 1_000_000n))
      const note = (address: unknown, asked: Iterable<ShardId>, held: ReadonlyArray<ShardId>, at: number) => {
        for (const shard of asked) renewed.delete(keyOf(address, shard))
        for (const shard of held) renewed.set(keyOf(address, shard), at)
      }
      return {
        ...storage,
        acquire: (address, shards) =>
          Effect.flatMap(now, (at) =>
            Effect.tap(storage.acquire(address, shards), (held) => Effect.sync(() => note(address, shards, held, at)))
          ),
        refresh: (address, shards) =>
          Effect.flatMap(now, (at) => {
            const asked = [...shards]
            const certain =
              asked.length > 0 &&
              asked.every((shard) => at - (renewed.get(keyOf(address, shard)) ?? -Infinity) < trusted)
            if (certain) return Effect.succeed(asked)
            return Effect.tap(storage.refresh(address, asked), (held) =>
              Effect.sync(() => note(address, asked, held, at))
            )
          }),
        release: (address, shard) =>
          Effect.suspend(() => {
            renewed.delete(keyOf(address, shard))
            return storage.release(address, shard)
          }),
        releaseAll: (address) =>
          Effect.suspend(() => {
            renewed.clear()
            return storage.releaseAll(address)
          })
      }
    })
  )
