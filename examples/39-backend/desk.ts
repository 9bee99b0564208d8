// What the backend does: two agents and a flow of a support desk. Nothing here knows of HTTP, of a database or of a model.
import { Effect, Schema } from "effect"
import { Agent, Output } from "effigent"
import { Action, Actions } from "effigent/action"
import { Once } from "effigent/durable"
import { Chain, Interrupt, TriggerFlow } from "effigent/triggerflow"

export const Ticket = Schema.Struct({
  title: Output.ensure(Schema.String, "What the letter is about, in one line"),
  kind: Output.ensure(Schema.Literals(["billing", "technical", "other"]), "Who has to work on it"),
  urgent: Output.ensure(Schema.Boolean, "Whether it has to be done today"),
  requests: Schema.Array(Schema.String)
})

export const triage = Agent.make({
  name: "triage",
  system: "You triage the letters of a support desk.",
  instruct: "Read the letter.",
  output: Ticket
})

const orders: { readonly [id: string]: { readonly article: string; readonly cents: number; readonly state: string } } =
  {
    A17: { article: "desk lamp", cents: 2900, state: "on its way" },
    B42: { article: "armchair", cents: 45_000, state: "delivered" }
  }

const Order = Schema.Struct({ order: Schema.String })

const lookUp = Action.make("look_up_order", {
  description: "An order: what was bought, for how many cents, and where it is.",
  input: Order,
  sideEffect: "pure",
  run: ({ order }) => {
    const found = orders[order]
    const known = Object.keys(orders).join(", ")
    return found === undefined ? Action.retry(`There is no order ${order}; there are ${known}.`) : Effect.succeed(found)
  }
})

const cancel = Action.make("cancel_order", {
  description: "Cancels an order.",
  input: Order,
  output: Schema.String,
  sideEffect: "once",
  // A person has to agree: in the studio, at the terminal of `effigent chat`, or over HTTP.
  approval: "always",
  run: ({ order }) => Effect.succeed(`order ${order} is cancelled`)
})

export const clerk = Agent.make({
  name: "clerk",
  system: "You are a clerk of a support desk. Look orders up before you speak of them."
}).pipe(Actions.use([lookUp, cancel], { rounds: 6 }))

const Agree = Interrupt.make("Agree", {
  payload: Schema.Struct({ title: Schema.String, cents: Schema.Int }),
  resume: Schema.Boolean
})

export const Refund = TriggerFlow.define("refund", {
  version: "1.0",
  input: Schema.Struct({ letter: Schema.String, cents: Schema.Int }),
  stream: Schema.String,
  result: Schema.Literals(["paid", "refused"]),
  interrupts: [Agree]
})

export const refund = Refund.build(
  Refund.start.pipe(
    Chain.to("triage", ({ cents, letter }, run) =>
      Effect.gen(function* () {
        const { kind, title } = yield* triage.pipe(Agent.input(letter), Agent.run)
        yield* run.put(`${kind}: ${title}`)
        return { cents, title }
      })
    ),
    Chain.if(({ cents }) => cents > 5000, {
      then: (large) => large.pipe(Chain.to("ask", (about, run) => run.pause(Agree, about, { id: "agree" }))),
      else: (small) => small.pipe(Chain.to("agree", () => Effect.succeed(true)))
    }),
    Chain.to("pay", (agreed, run) =>
      agreed
        ? // At most once, whatever dies meanwhile.
          Once.perform(run, "pay", { output: Schema.Literal("paid") }, (key) =>
            Effect.as(Effect.logInfo(`the bank pays, under the key ${key}`), "paid" as const)
          )
        : Effect.succeed("refused" as const)
    ),
    Chain.result
  )
)
