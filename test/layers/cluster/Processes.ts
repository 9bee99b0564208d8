/** Clusters for tests: runners and clients in this process over storages that they share. */
import { Effect, Layer } from "effect"
import * as MessageStorage from "effect/cluster/MessageStorage"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import { createServer } from "node:net"
import { JournalStores } from "effigent/layers/store"
import { Cluster, type RunnerOptions, VolatileExecutions } from "effigent/layers/cluster"

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

export const ended = VolatileExecutions.layerEnded

/** A runner with executions in its memory. */
export const runner = (options: Partial<RunnerOptions> = {}) =>
  Layer.unwrap(
    Effect.map(freePort, (port) =>
      Cluster.runnerOver({ host: "127.0.0.1", port, settle: 5, shards: 4, patience: "5 seconds", ...options }).pipe(
        Layer.provide(VolatileExecutions.layer({ runner: `127.0.0.1:${port}`, incarnation: "1" })),
        Layer.provide(ended)
      )
    )
  )
