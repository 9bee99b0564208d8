// An agent that pays bills, but not on its own: the flow of its actions waits for a person, is saved, and another runtime
// goes on with it when the answer is there. What could be done without asking was done meanwhile.
//
//   npm run example examples/22-approvals.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Option, Schema } from "effect"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import { ActionFlow } from "effigent/action-flow"
import { SnapshotStores } from "effigent/layers/store"
import { ApprovalRequest } from "effigent/services/Action"
import { ScriptedModel } from "effigent/testing"

const balance = Action.make("balance", {
  description: "The balance of the account.",
  sideEffect: "pure",
  run: () => Effect.as(Console.log("reads the balance"), { euros: 310 })
})
const pay = Action.make("pay", {
  description: "Pays a bill from the account.",
  input: Schema.Struct({ bill: Schema.String, euros: Schema.Number }),
  // Small ones need nobody.
  approval: ({ euros }) => euros > 50,
  // What the bank has done under this key it does not do again, and can be asked for.
  run: ({ bill, euros }, { key }) => Effect.as(Console.log(`pays ${bill}, ${euros} euros, as ${key}`), "paid"),
  reconcile: (_, { key }) => Effect.as(Console.log(`asks the bank about ${key}`), Option.none())
})

const clerk = Agent.make({ name: "clerk", instruct: "Pay the bills that are due." }).pipe(
  Actions.use([balance, pay], { rounds: 5 })
)
const flow = ActionFlow.make(clerk, { durable: true })

// The first program: runs until it has to ask, and ends.
const monday = Effect.scoped(
  Effect.gen(function* () {
    const execution = yield* ActionFlow.open(flow, "Telephone 20 euros, rent 900 euros.", { id: "bills-11" })
    for (const { id } of yield* execution.rest) yield* Console.log(`waits: ${id.split(":")[0]}`)
  })
).pipe(
  Effect.provide(
    ScriptedModel.layer([
      ScriptedModel.toolCalls([
        { name: "balance", input: {} },
        { name: "pay", input: { bill: "telephone", euros: 20 } },
        { name: "pay", input: { bill: "rent", euros: 900 } }
      ])
    ])
  )
)

// The second one knows the id of the run, and nothing else.
const tuesday = Effect.scoped(
  Effect.gen(function* () {
    const execution = yield* ActionFlow.open(flow, "", { id: "bills-11" })
    for (const { id, payload } of yield* execution.rest) {
      const { call, description, sideEffect } = yield* Schema.decodeUnknownEffect(ApprovalRequest)(payload)
      yield* Console.log(`asks: ${description}`, call.input, sideEffect)
      yield* execution.answer(ActionFlow.Approval, { _tag: "Approved", by: "Ada" }, { id })
    }
    const { result, state } = yield* execution.close()
    for (const { call, decision, status } of state.loop.rounds.flatMap(({ records }) => records)) {
      yield* Console.log(
        `${call.action} ${call.id}: ${status}${decision?.by === undefined ? "" : ` by ${decision.by}`}`
      )
    }
    yield* Console.log(Option.getOrThrow(result))
  })
).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.text("Both bills are paid.")])))

NodeRuntime.runMain(Effect.andThen(monday, tuesday).pipe(Effect.provide(SnapshotStores.memory)))
