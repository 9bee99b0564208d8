/** A runner process of the tests: `node runner.main.ts <port>`, with the database in DATABASE_URL. */
import { NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import { Cluster, VolatileExecutions } from "effigent/layers/cluster"
import { TriggerFlow } from "effigent/triggerflow"
import * as SqlHeads from "./SqlHeads.ts"
import { work } from "./Work.ts"

const port = Number(process.argv[2])
const database = PgClient.layer({ url: Redacted.make(process.env["DATABASE_URL"] ?? ""), maxConnections: 8 })
const name = { runner: `127.0.0.1:${port}`, incarnation: String(process.pid) }

TriggerFlow.toLayer(work).pipe(
  Layer.provide(Cluster.runner({ host: "127.0.0.1", port })),
  Layer.provide([VolatileExecutions.layer(name), VolatileExecutions.layerEnded]),
  Layer.provide(SqlHeads.layer),
  Layer.provide(database),
  (layer) => Layer.launch(Layer.provide(Layer.effectDiscard(Effect.sync(() => console.log("up"))), layer)),
  NodeRuntime.runMain
)
