// An order that waits for a person: the program that took it saves it and ends, another one goes on with it. What had
// been done is not done again.
//
//   npm run example examples/18-save-and-load.ts
import { NodeFileSystem, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, FileSystem, Layer, Option, Schema } from "effect"
import { SnapshotStores } from "effigent/layers/store"
import { SnapshotStore } from "effigent/services/SnapshotStore"
import { Chain, Interrupt, Snapshot, TriggerFlow } from "effigent/triggerflow"

const Approval = Interrupt.make("Approval", {
  payload: Schema.Struct({ cents: Schema.Int }),
  resume: Schema.Struct({ by: Schema.String, approved: Schema.Boolean })
})
const Order = TriggerFlow.define("order", {
  input: Schema.Struct({ articles: Schema.Array(Schema.String) }),
  state: Schema.Struct({ reserved: Schema.Array(Schema.String) }),
  initial: { reserved: [] },
  result: Schema.String,
  interrupts: [Approval]
})

const order = Order.build(
  Order.start.pipe(
    Chain.to("articles", ({ articles }) => Effect.succeed(articles)),
    Chain.forEach((article) =>
      article.pipe(
        Chain.to("reserve", (name, run) =>
          Effect.andThen(run.state.append("reserved", name), Effect.as(Console.log(`reserve ${name}`), 1200))
        )
      )
    ),
    Chain.to("approve", (prices, run) => run.pause(Approval, { cents: prices.reduce((sum, cents) => sum + cents, 0) })),
    Chain.to("ship", ({ approved, by }, run) =>
      Effect.map(run.state.get("reserved"), (articles) =>
        approved ? `${articles.join(" and ")} for ${by}` : `nothing, says ${by}`
      )
    ),
    Chain.result
  )
)

const take = Effect.scoped(
  Effect.gen(function* () {
    const execution = yield* TriggerFlow.open(order, { articles: ["a lamp", "a bulb"] }, { id: "order-17" })
    const snapshot = yield* execution.save()
    yield* Console.log(`saved: ${snapshot.status}, ${snapshot.execution.runs.length} handler`)
    const store = yield* SnapshotStore
    yield* store.put(execution.id, Snapshot.toJson(snapshot), { expected: 0, keep: snapshot.settings.keepSnapshots })
  })
)

const goOn = Effect.scoped(
  Effect.gen(function* () {
    const store = yield* SnapshotStore
    const { snapshot, version } = Option.getOrThrow(yield* store.get("order-17"))
    const execution = yield* TriggerFlow.load(order, snapshot)
    for (const { id, payload } of yield* execution.interrupts) {
      yield* Console.log(`version ${version} asks ${id}:`, payload)
      yield* execution.answer(Approval, { by: "Ada", approved: true }, { id })
    }
    const { result } = yield* execution.close()
    yield* Console.log(`ship ${Option.getOrThrow(result)}`)
  })
)

const files = Layer.unwrap(
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    return SnapshotStores.file({ directory: yield* fs.makeTempDirectoryScoped() })
  })
).pipe(Layer.provide(NodeFileSystem.layer))

NodeRuntime.runMain(Effect.provide(Effect.andThen(take, goOn), files))
