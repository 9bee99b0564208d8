// A flow that lives in a host: one Layer registers it with the handlers, and programs that know its contract alone start
// executions, watch them, answer their questions and read how they ended. All executions share a day's budget.
//
//   npm run example examples/16-hosted-flow.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Context, Effect, Layer, Schema, Stream } from "effect"
import { ExecutionHosts, FlowDataStores } from "effigent/layers/host"
import { ExecutionHost } from "effigent/services/ExecutionHost"
import { Chain, Interrupt, TriggerFlow } from "effigent/triggerflow"

// What both sides know.
const Approval = Interrupt.make("Approval", {
  payload: Schema.Struct({ order: Schema.String, euros: Schema.Number }),
  resume: Schema.Struct({ approved: Schema.Boolean, by: Schema.String })
})

class BudgetSpent extends Schema.TaggedError<BudgetSpent>()("BudgetSpent", { left: Schema.Number }) {}

const Refund = TriggerFlow.define("refund", {
  input: Schema.Struct({ order: Schema.String, euros: Schema.FiniteFromString }),
  stream: Schema.String,
  result: Schema.Struct({ order: Schema.String, paidOn: Schema.DateFromString }),
  error: BudgetSpent,
  interrupts: [Approval],
  shared: Schema.Struct({ budget: Schema.Number }),
  initialShared: { budget: 500 }
})

// What stands where the handlers run.
class Bank extends Context.Service<Bank, { readonly pay: (order: string, euros: number) => Effect.Effect<Date> }>()(
  "example/Bank"
) {}

const refund = Refund.build(
  Refund.start.pipe(
    Chain.to("reserve", ({ euros, order }, run) =>
      Effect.gen(function* () {
        const left = yield* run.shared.update("budget", (budget) => budget - euros)
        if (left < 0) {
          yield* run.shared.update("budget", (budget) => budget + euros)
          return yield* new BudgetSpent({ left: left + euros })
        }
        yield* run.put(`${order}: ${euros} reserved, ${left} left`)
        return { order, euros }
      })
    ),
    Chain.to("approve", (request, run) =>
      Effect.gen(function* () {
        const answer = run.resumed(Approval)
        if (answer._tag === "None" && request.euros > 100) return yield* run.pause(Approval, request, { to: "self" })
        if (answer._tag === "Some") yield* run.put(`${request.order}: approved by ${answer.value.by}`)
        return request
      })
    ),
    Chain.to("pay", ({ euros, order }) =>
      Effect.map(
        Bank.use((bank) => bank.pay(order, euros)),
        (paidOn) => ({ order, paidOn })
      )
    ),
    Chain.result
  )
)

const runner = TriggerFlow.toLayer(refund).pipe(
  Layer.provide(Layer.succeed(Bank, { pay: () => Effect.succeed(new Date("2026-01-02T09:00:00Z")) }))
)

// What other programs do: they need the contract and the host.
const program = Effect.gen(function* () {
  const small = yield* TriggerFlow.start(Refund, { order: "A-17", euros: 40 })
  yield* Console.log(`paid on ${(yield* small.result).paidOn.toDateString()}`)

  // The same id and input join: the refund is started once, however often the request is sent.
  yield* TriggerFlow.start(Refund, { order: "B-2", euros: 150 }, { id: "refund/B-2" })
  yield* TriggerFlow.start(Refund, { order: "B-2", euros: 150 }, { id: "refund/B-2" })

  // Another program answers, by the id alone.
  const large = yield* TriggerFlow.attach(Refund, "refund/B-2")
  for (const { id, payload } of yield* large.interrupts) {
    yield* Console.log(`${id} asks:`, payload)
    yield* large.answer(Approval, { approved: true, by: "Ada" }, { id, requestId: "click-1" })
  }
  yield* Stream.runForEach(large.stream, (line) => Console.log(line))

  // How it fails comes back with its type.
  const refused = yield* TriggerFlow.start(Refund, { order: "C-3", euros: 450 })
  yield* Effect.catchTag(refused.result, "BudgetSpent", ({ left }) => Console.log(`refused, ${left} left`))

  // The same in encoded form, as an HTTP edge sees it.
  const host = yield* ExecutionHost
  const id = yield* host.start({ flow: "refund", input: { order: "D-4", euros: "12.5" } })
  const { result, status } = yield* host.await(id)
  yield* Console.log(status, result)
  const { executions } = yield* host.list({ flow: "refund", status: "completed" })
  yield* Console.log(`${executions.length} refunds`)
})

const services = Layer.mergeAll(ExecutionHosts.inProcess(), FlowDataStores.memory)

NodeRuntime.runMain(program.pipe(Effect.provide(runner.pipe(Layer.provideMerge(services)))))
