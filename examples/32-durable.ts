// An order that outlives its process: what has happened stands in a SQLite file, the card is charged at most once, and
// another process goes on where the first one ended. Run it with `npm run example 32-durable`.
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Layer, Schema, Stream } from "effect"
import { Once } from "effigent/durable"
import { ExecutionHosts } from "effigent/layers/host"
import { EffectLedgers, JournalStores } from "effigent/layers/sql-store"
import { SqliteClient } from "effigent/layers/sqlite"
import { ExecutionKeeper } from "effigent/services/ExecutionKeeper"
import { Chain, Interrupt, TriggerFlow } from "effigent/triggerflow"

const Approval = Interrupt.make("Approval", { payload: Schema.String, resume: Schema.Boolean })

const Order = TriggerFlow.define("order", {
  input: Schema.Struct({ item: Schema.String, cents: Schema.Int }),
  result: Schema.String,
  interrupts: [Approval]
})

const order = Order.build(
  Order.start.pipe(
    Chain.to("charge", ({ cents, item }, run) =>
      // Claimed before, settled after: a handler that is run again after a crash is given the receipt.
      Once.perform(run, "charge", { output: Schema.String }, (key) =>
        Effect.sync(() => {
          console.log(`charging ${cents} cents (${key})`)
          return `receipt for ${item}`
        })
      )
    ),
    Chain.to("ask", (receipt, run) => run.pause(Approval, `Ship it? ${receipt}`, { id: "ship" })),
    Chain.to("ship", (approved) => Effect.succeed(approved ? "shipped" : "kept")),
    Chain.result
  )
)

// Swap this Layer for PgClient.layer of @effect/sql-pg, and it is PostgreSQL.
const filename = join(mkdtempSync(join(tmpdir(), "effigent-")), "journal.db")
const process = TriggerFlow.toLayer(order).pipe(
  Layer.provideMerge(ExecutionHosts.durable({ runner: "shop" })),
  Layer.provideMerge(Layer.mergeAll(JournalStores.layer(), EffectLedgers.layer())),
  Layer.provide(SqliteClient.layer({ filename }))
)

const first = Effect.gen(function* () {
  const execution = yield* TriggerFlow.start(Order, { item: "a chair", cents: 4900 }, { id: "order-1" })
  // Until it asks.
  yield* execution.entries().pipe(
    Stream.filter(({ event }) => event._tag === "interrupt"),
    Stream.runHead
  )
  console.log("the first process ends")
})

const second = Effect.gen(function* () {
  const execution = yield* TriggerFlow.attach(Order, "order-1")
  const [question] = yield* execution.interrupts
  console.log(`still asked: ${String(question?.payload)}`)
  yield* execution.answer(Approval, true, { id: "ship", requestId: "click-1" })
  console.log(yield* execution.result)
  const history = yield* ExecutionKeeper.use((keeper) => keeper.history("order-1"))
  console.log(history.map(({ step, what }) => (step === undefined ? what : `${step} ${what}`)).join(", "))
})

await Effect.runPromise(first.pipe(Effect.provide(process)))
await Effect.runPromise(second.pipe(Effect.provide(process)))
