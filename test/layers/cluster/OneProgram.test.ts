// One program, in one process that forgets, in one that does not, and as one of many: only the Layer is another.
import { assert, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted, Schema, Stream } from "effect"
import { Cluster } from "effigent/layers/cluster"
import { ExecutionHosts } from "effigent/layers/host"
import { JournalStores as SqlJournals } from "effigent/layers/sql-store"
import { JournalStores } from "effigent/layers/store"
import { type ExecutionHost } from "effigent/services/ExecutionHost"
import { Chain, Interrupt, Signal, TriggerFlow } from "effigent/triggerflow"
import * as Postgres from "../../support/postgres.ts"
import * as Processes from "./Processes.ts"

const Add = Signal.make("Add", Schema.Int, { reply: Schema.Int })
const Sure = Interrupt.make("Sure", { payload: Schema.Int, resume: Schema.Boolean })
const Sum = TriggerFlow.define("sum", {
  version: "1.0",
  input: Schema.Int,
  state: Schema.Struct({ sum: Schema.Int }),
  initial: { sum: 0 },
  stream: Schema.String,
  result: Schema.Int,
  signals: [Add],
  interrupts: [Sure]
})
const sum = Sum.build(
  Sum.start.pipe(
    Chain.to("begin", (n, run) => Effect.as(run.state.set("sum", n), n)),
    Chain.to("ask", (n, run) => run.pause(Sure, n, { id: "sure" })),
    Chain.to("end", (sure, run) => (sure ? run.state.get("sum") : Effect.succeed(-1))),
    Chain.result
  ),
  Sum.on(Add).pipe(
    Chain.to("add", (n, run) =>
      Effect.gen(function* () {
        yield* run.put(`plus ${n}`)
        return yield* run.state.update("sum", (sum) => sum + n)
      })
    )
  )
)

const program = Effect.gen(function* () {
  const execution = yield* TriggerFlow.start(Sum, 1, { id: "the sum", autoClose: false })
  const same = yield* TriggerFlow.start(Sum, 1, { id: "the sum", autoClose: false })
  const replies = yield* Effect.forEach([2, 3], (n) => same.emit(Add, n))
  yield* execution.answer(Sure, true, { id: "sure" })
  yield* execution.close()
  const result = yield* execution.result
  const told = yield* Stream.runCollect(execution.entries())
  return { id: execution.id, replies, result, told: told.length }
})

const hosts: ReadonlyArray<readonly [string, Layer.Layer<ExecutionHost, unknown>]> = [
  ["ExecutionHosts.inProcess", ExecutionHosts.inProcess()],
  ["ExecutionHosts.durable", Layer.provide(ExecutionHosts.durable(), JournalStores.memory)],
  [
    "Cluster.runner",
    Layer.unwrap(
      Effect.gen(function* () {
        const url = yield* Postgres.database
        const port = yield* Processes.freePort
        const database = PgClient.layer({ url: Redacted.make(url), maxConnections: 4 })
        return Cluster.runner({ host: "127.0.0.1", port }).pipe(
          Layer.provide(SqlJournals.layer()),
          Layer.provide(database)
        )
      })
    )
  ]
]

describe("one program over", () => {
  for (const [name, host] of hosts)
    it.live(name, () =>
      program.pipe(
        Effect.provide(Layer.provideMerge(TriggerFlow.toLayer(sum), host)),
        Effect.map((outcome) =>
          assert.deepStrictEqual(outcome, { id: "the sum", replies: [[3], [6]], result: 6, told: 4 })
        )
      )
    )
})
