// A process that keeps executions, to be killed: it takes commands as lines of JSON and answers each with one.
//
// argv: the store (a file of SQLite, or the URL of a PostgreSQL), the ledger file, the name of the runner, the lease in
// milliseconds.
import { createInterface } from "node:readline"
import { NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Logger, Redacted, References } from "effect"
import { ExecutionHosts } from "effigent/layers/host"
import { OfflineModel } from "effigent/layers/offline"
import { EffectLedgers, JournalStores } from "effigent/layers/sql-store"
import { SqliteClient } from "effigent/layers/sqlite"
import { ExecutionHost } from "effigent/services/ExecutionHost"
import { ExecutionKeeper } from "effigent/services/ExecutionKeeper"
import { TriggerFlow } from "effigent/triggerflow"
import { clerk, orders } from "./flows.ts"

const [store = "", ledger = "", runner = "worker", lease = "1000"] = process.argv.slice(2)

const client = store.startsWith("postgres")
  ? Layer.orDie(PgClient.layer({ url: Redacted.make(store), maxConnections: 6 }))
  : Layer.orDie(SqliteClient.layer({ filename: store }))

const host = Layer.mergeAll(TriggerFlow.toLayer(orders(ledger)), TriggerFlow.toLayer(clerk(ledger))).pipe(
  Layer.provideMerge(
    ExecutionHosts.durable({ runner, lease: Number(lease), snapshotEvery: 10, maxTries: 1000, drain: 2000 })
  ),
  Layer.provideMerge(Layer.mergeAll(JournalStores.layer(), EffectLedgers.layer(), OfflineModel.layer)),
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
        return yield* ExecutionKeeper.use((keeper) => keeper.health)
      case "drain":
        return yield* ExecutionKeeper.use((keeper) => keeper.drain)
    }
  })

const program = Effect.gen(function* () {
  const context = yield* Effect.context<ExecutionHost | ExecutionKeeper>()
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
