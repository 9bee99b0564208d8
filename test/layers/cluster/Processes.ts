/** Clusters for tests: runners and clients in this process over storages that they share. */
import { Effect, Layer } from "effect"
import * as MessageStorage from "effect/cluster/MessageStorage"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import { createServer } from "node:net"
import { JournalStores } from "effigent/layers/store"
import { Cluster, type RunnerOptions } from "effigent/layers/cluster"

/** A port that nobody listens on. */
export const freePort: Effect.Effect<number> = Effect.callback((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** Storages in memory, for all processes of a cluster. */
export const storages = Layer.mergeAll(
  MessageStorage.layerMemory,
  RunnerStorage.layerMemory,
  JournalStores.memory
).pipe(Layer.provide(ShardingConfig.layer()))

/** A runner in this process. */
export const runner = (options: Partial<RunnerOptions> = {}) =>
  Layer.unwrap(
    Effect.map(freePort, (port) =>
      Cluster.runnerOver({
        host: "127.0.0.1",
        port,
        settle: 5,
        shards: 4,
        patience: "5 seconds",
        drain: 100,
        ...options
      })
    )
  )

/** A process that only asks, in this process. */
export const client = Layer.fresh(Cluster.clientOver({ shards: 4, patience: "5 seconds" }))
