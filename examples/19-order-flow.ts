// Orders of a shop as one flow: each is paid for and packed at the same time, and sent when both are done. Large ones
// wait for a person, a busy bank is asked again, and a card that is refused stops its own order only.
//
//   npm run example examples/19-order-flow.ts
import { NodeRuntime } from "@effect/platform-node"
import { Cause, Console, Context, Effect, Exit, Fiber, Layer, Schedule, Schema, Stream } from "effect"
import { Chain, Interrupt, Signal, Trigger, TriggerFlow } from "effigent/triggerflow"

const Order = Schema.Struct({ id: Schema.String, cents: Schema.Int, items: Schema.Array(Schema.String) })

class BankBusy extends Schema.TaggedError<BankBusy>()("BankBusy", {}) {}
class CardRefused extends Schema.TaggedError<CardRefused>()("CardRefused", { order: Schema.String }) {
  override get message(): string {
    return `the card for ${this.order} was refused`
  }
}
class Bank extends Context.Service<
  Bank,
  { readonly charge: (order: string) => Effect.Effect<string, BankBusy | CardRefused> }
>()("example/Bank") {}

// Paying is a flow of its own: a busy bank is asked up to three times more, a refused card stays refused.
const Payment = TriggerFlow.define("payment", { input: Order, stream: Schema.String, result: Schema.String })
const payment = Payment.build(
  Payment.start.pipe(
    Chain.to(
      "charge",
      ({ id }, run) =>
        run.put(`${id}: asks the bank, try ${run.attempt}`, { volatile: true }).pipe(
          Effect.andThen(Bank.use((bank) => bank.charge(id))),
          Effect.tap((receipt) => run.put(`${id}: paid, ${receipt}`))
        ),
      {
        retry: Schedule.recurs(3).pipe(
          Schedule.setInputType<{ readonly _tag: string }>(),
          Schedule.while(({ input }) => input._tag === "BankBusy")
        )
      }
    ),
    Chain.result
  )
)

const Ordered = Signal.make("Ordered", Order)
const Accepted = Signal.make("Accepted", Order)
const Paid = Signal.make("Paid", Schema.Struct({ order: Schema.String, receipt: Schema.String }))
const Packed = Signal.make("Packed", Schema.Struct({ order: Schema.String, boxes: Schema.Int }))
const Approval = Interrupt.make("Approval", {
  payload: Schema.Struct({ order: Schema.String, cents: Schema.Int }),
  resume: Schema.Struct({ approved: Schema.Boolean })
})

const Shop = TriggerFlow.define("shop", {
  signals: [Ordered, Accepted, Paid, Packed],
  interrupts: [Approval],
  state: Schema.Struct({ sent: Schema.Array(Schema.String), declined: Schema.Array(Schema.String) }),
  initial: { sent: [], declined: [] },
  stream: Schema.String
})

const shop = Shop.build(
  // Large orders wait for a person; the order goes on with the answer.
  Shop.on(Ordered).pipe(
    Chain.batch({
      order: (c) => c,
      approved: (c) =>
        c.pipe(
          Chain.if(({ cents }) => cents > 50_000, {
            then: (large) =>
              large.pipe(
                Chain.to("approve", ({ cents, id }, run) => run.pause(Approval, { order: id, cents }, { id })),
                Chain.to("answer", ({ approved }) => Effect.succeed(approved))
              ),
            else: (small) => small.pipe(Chain.to("small", () => Effect.succeed(true)))
          })
        )
    }),
    Chain.if(({ approved }) => approved, {
      then: (c) => c.pipe(Chain.to("accept", ({ order }, run) => run.emit(Accepted, order))),
      else: (c) => c.pipe(Chain.to("decline", ({ order }, run) => run.state.append("declined", order.id)))
    })
  ),
  Shop.on(Accepted).pipe(
    Chain.batch({
      order: (c) => c,
      receipt: (c) => c.pipe(Chain.subFlow(payment))
    }),
    Chain.to("paid", ({ order, receipt }, run) => run.emit(Paid, { order: order.id, receipt }))
  ),
  Shop.on(Accepted).pipe(
    Chain.to("pick", ({ id, items }) => Effect.succeed(items.map((item) => ({ id, item })))),
    Chain.forEach(
      (item) => item.pipe(Chain.to("pack", ({ id, item }, run) => Effect.as(run.put(`${id}: packs ${item}`), id))),
      { concurrency: 2 }
    ),
    Chain.to("packed", (ids, run) => run.emit(Packed, { order: ids[0] ?? "", boxes: ids.length }))
  ),
  // Only what belongs to one order meets.
  Shop.on(
    Trigger.all({ paid: Paid, packed: Packed }, { by: { paid: ({ order }) => order, packed: ({ order }) => order } })
  ).pipe(
    Chain.to("send", ({ packed, paid }, run) =>
      Effect.andThen(run.put(`${paid.order}: on its way, boxes: ${packed.boxes}`), run.state.append("sent", paid.order))
    )
  ),
  Shop.on(Shop.state("declined")).pipe(
    Chain.to("tell", (ids, run) => run.put(`${ids.at(-1)}: declined, nothing was charged`))
  )
)

// ------------------------------------------------------------------------------------------------------------ a day

const orders: ReadonlyArray<typeof Order.Type> = [
  { id: "A1", cents: 4_000, items: ["lamp", "bulb"] },
  { id: "B2", cents: 90_000, items: ["sofa"] },
  { id: "C3", cents: 70_000, items: ["piano"] },
  { id: "D4", cents: 1_000, items: ["mug"] }
]

const bank = Layer.sync(Bank)(() => {
  let calls = 0
  return {
    charge: (order) =>
      Effect.gen(function* () {
        if (order === "D4") return yield* new CardRefused({ order })
        if (++calls === 1) return yield* new BankBusy()
        return `receipt ${order}`
      })
  }
})

const program = Effect.gen(function* () {
  const execution = yield* TriggerFlow.open(shop, undefined)

  // The desk: shows what happens, and answers questions as they are asked.
  const desk = yield* Stream.runForEach(execution.entries(), ({ event }) => {
    if (event._tag === "item") return Console.log(event.item)
    if (event._tag !== "interrupt") return Effect.void
    const approved = event.id === "B2"
    return Console.log(`${event.id}: somebody says ${approved ? "yes" : "no"}`).pipe(
      Effect.andThen(execution.answer(Approval, { approved }, { id: event.id, requestId: `desk-${event.id}` }))
    )
  }).pipe(Effect.forkChild)

  // All orders at once. What goes wrong with one of them is told, and stops no other.
  const exits = yield* Effect.forEach(orders, (order) => execution.emitExit(Ordered, order), {
    concurrency: "unbounded"
  })
  const closed = yield* execution.close()
  yield* Fiber.join(desk)

  for (const [index, exit] of exits.entries())
    if (Exit.isFailure(exit)) yield* Console.log(`${orders[index]?.id} failed: ${Cause.squash(exit.cause)}`)
  yield* Console.log(
    `${closed.status}: sent ${closed.state.sent.toSorted().join(", ")}, declined ${closed.state.declined.join(", ")}`
  )
})

NodeRuntime.runMain(program.pipe(Effect.scoped, Effect.provide(bank)))
