// A process that keeps executions, to be killed: it takes commands as lines of JSON and answers each with one.
//
// argv: the store (a file of SQLite, or the URL of a PostgreSQL; after `cluster:`, as a runner of a cluster), the ledger
// file, the name of the runner, the lease in milliseconds, and the versions of the flow that ticks, if any.
import { createServer } from "node:net"
import { createInterface } from "node:readline"
// Not the whole package: what a process imports stands between its start and its first step.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Layer, Logger, Redacted, References } from "effect"
import { Cluster } from "effigent/layers/cluster"
import { ExecutionHosts } from "effigent/layers/host"
import { OfflineModel } from "effigent/layers/offline"
import { EffectLedgers, JournalStores } from "effigent/layers/sql-store"
import { SqliteClient } from "effigent/layers/sqlite"
import { ExecutionHost } from "effigent/services/ExecutionHost"
import { ExecutionKeeper } from "effigent/services/ExecutionKeeper"
import { type Append, JournalStore } from "effigent/services/JournalStore"
import { TriggerFlow } from "effigent/triggerflow"
import { clerk, orders, ticks } from "./flows.ts"

const [where = "", ledger = "", runner = "worker", lease = "1000", versions = ""] = process.argv.slice(2)
const isCluster = where.startsWith("cluster:")
const store = where.replace(/^cluster:/, "")

const client = store.startsWith("postgres")
  ? Layer.orDie(PgClient.layer({ url: Redacted.make(store), maxConnections: isCluster ? 8 : 6 }))
  : Layer.orDie(SqliteClient.layer({ filename: store }))

// Appends that were refused because somebody else has the execution by now.
let refused = 0
const journal = Layer.effect(
  JournalStore,
  Effect.map(JournalStore, (store) => ({
    ...store,
    append: (entry: Append) =>
      Effect.tapError(store.append(entry), (error) =>
        Effect.sync(() => {
          if (error._tag === "JournalConflict" && error.why === "fenced") refused++
        })
      )
  }))
).pipe(Layer.provide(JournalStores.layer()))

const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

const common = { snapshotEvery: 10, maxTries: 1000, drain: 2000 }
const executions = isCluster
  ? Layer.unwrap(
      Effect.map(freePort, (port) =>
        Cluster.runner({ host: "127.0.0.1", port, lockExpiry: Number(lease), shards: 16, ...common })
      )
    )
  : Layer.merge(
      ExecutionHosts.durable({ runner, lease: Number(lease), ...common }),
      Layer.succeed(Cluster.ClusterMember, { joined: Effect.void, isJoined: Effect.succeed(true) })
    )

const host = Layer.mergeAll(
  TriggerFlow.toLayer(clerk(ledger)),
  TriggerFlow.toLayer(orders(ledger)),
  ...versions.split(",").flatMap((version) => (version === "" ? [] : [TriggerFlow.toLayer(ticks(ledger, version))]))
).pipe(
  Layer.provideMerge(executions),
  Layer.provideMerge(Layer.mergeAll(journal, EffectLedgers.layer(), OfflineModel.layer)),
  Layer.provide(client)
)

interface Command {
  readonly id: number
  readonly op: "start" | "note" | "answer" | "tell" | "close" | "get" | "health" | "drain"
  readonly flow: string
  readonly execution: string
  readonly input: never
  readonly request: string
  readonly question: string
}

const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`)

const perform = (command: Command) =>
  Effect.gen(function* () {
    const host = yield* ExecutionHost
    const { execution, flow, input, op, request } = command
    switch (op) {
      case "start":
        return yield* host.start({ flow, input, id: execution, settings: { autoClose: false } })
      case "note":
        return yield* host.signal(execution, "Note", request, { wait: false, requestId: request })
      case "answer":
        return yield* host.answer(execution, "approval", true, { requestId: request, interrupt: "Approval" })
      case "tell":
        return yield* host.answer(execution, command.question, input, { requestId: request })
      case "close":
        return yield* host.close(execution)
      case "get":
        return yield* host.get(execution)
      case "health":
        return { ...(yield* ExecutionKeeper.use((keeper) => keeper.health)), refused }
      case "drain":
        return yield* ExecutionKeeper.use((keeper) => keeper.drain)
    }
  })

const program = Effect.gen(function* () {
  const context = yield* Effect.context<ExecutionHost | ExecutionKeeper>()
  yield* Cluster.ClusterMember.use((member) => member.joined)
  say({ ready: true })
  yield* Effect.callback<void>((resume) => {
    const lines = createInterface({ input: process.stdin })
    lines.on("line", (text) => {
      // Written by the driver.
      const command: Command = JSON.parse(text)
      Effect.runForkWith(context)(Effect.exit(perform(command))).addObserver((exit) => {
        const done = exit._tag === "Success" ? exit.value : exit
        if (done._tag === "Success") return say({ id: command.id, ok: true, value: done.value ?? null })
        const reason = done.cause.reasons[0]
        const error: unknown = reason?._tag === "Fail" ? reason.error : reason
        say({
          id: command.id,
          ok: false,
          error: error instanceof Error ? `${error.name}: ${error.message}` : String(error)
        })
      })
    })
    lines.on("close", () => resume(Effect.void))
  })
})

NodeRuntime.runMain(
  program.pipe(
    Effect.provide(host),
    Effect.provideService(References.MinimumLogLevel, "Error"),
    Effect.provide(Logger.layer([Logger.consoleLogFmt]))
  )
)
