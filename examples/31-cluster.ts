// The order of example 32 in a cluster: the program is the same, only the Layer is another. Two runners share a database;
// whoever asks does not know which of them has the order. One is told to end in the middle, and the other goes on.
// Run it with `npm run example 31-cluster`.
//
// Here both are in one process, on a SQLite file, so that nothing has to be set up. For many machines give each of them
// PgClient.layer of @effect/sql-pg instead, and its own host and port.
import { mkdtempSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Layer, Schema, Scope, Stream } from "effect"
import { Once } from "effigent/durable"
import { Cluster } from "effigent/layers/cluster"
import { EffectLedgers, JournalStores } from "effigent/layers/sql-store"
import { SqliteClient } from "effigent/layers/sqlite"
import { Chain, Interrupt, TriggerFlow } from "effigent/triggerflow"

const Approval = Interrupt.make("Approval", { payload: Schema.String, resume: Schema.Boolean })

const Order = TriggerFlow.define("order", {
  version: "1.0",
  input: Schema.Struct({ item: Schema.String, cents: Schema.Int }),
  result: Schema.String,
  interrupts: [Approval]
})

const order = Order.build(
  Order.start.pipe(
    Chain.to("charge", ({ cents, item }, run) =>
      // Charged once, whatever becomes of the runner.
      Once.perform(run, "charge", { output: Schema.String }, () =>
        Effect.sync(() => {
          console.log(`charging ${cents} cents`)
          return `receipt for ${item}`
        })
      )
    ),
    Chain.to("ask", (receipt, run) => run.pause(Approval, `Ship it? ${receipt}`, { id: "ship" })),
    Chain.to("ship", (approved) => Effect.succeed(approved ? "shipped" : "kept")),
    Chain.result
  )
)

const filename = join(mkdtempSync(join(tmpdir(), "effigent-")), "cluster.db")
const stores = Layer.mergeAll(JournalStores.layer(), EffectLedgers.layer()).pipe(
  Layer.provideMerge(SqliteClient.layer({ filename }))
)

const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

// One runner: in a program of its own this is `Layer.launch(layer)`.
const runner = Effect.gen(function* () {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const port = yield* freePort
  const layer = TriggerFlow.toLayer(order).pipe(
    Layer.provideMerge(Cluster.runner({ host: "127.0.0.1", port, shards: 8 })),
    Layer.provide(stores)
  )
  const context = yield* Layer.buildWithMemoMap(layer, Layer.makeMemoMapUnsafe(), scope)
  // What a readiness check asks.
  yield* Effect.provide(
    Cluster.ClusterMember.use((member) => member.joined),
    context
  )
  return { end: Scope.close(scope, Exit.void) }
})

// A process that runs nothing and asks: it does not even know how the flow is made, only its contract.
const client = Layer.provide(Cluster.client({ shards: 8 }), stores)

const program = Effect.gen(function* () {
  const first = yield* runner
  const execution = yield* TriggerFlow.start(Order, { item: "a chair", cents: 4900 }, { id: "order-1" })
  yield* execution.entries().pipe(
    Stream.filter(({ event }) => event._tag === "interrupt"),
    Stream.runHead
  )
  yield* runner
  console.log("another runner has joined; the first one ends")
  yield* first.end
  const [question] = yield* execution.interrupts
  console.log(`still asked: ${String(question?.payload)}`)
  yield* execution.answer(Approval, true, { id: "ship", requestId: "click-1" })
  console.log(yield* execution.result)
})

await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(client)))
