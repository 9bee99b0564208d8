// The demo project of the studio: agents with an output contract, tools and approvals; flows with questions, branches and
// a flow inside. It runs without a network.
//
//   npm run effigent -- studio --config test/support/studio/effigent.config.ts
import { Duration, Effect, Layer, Schema } from "effect"
import { Agent, Output } from "effigent"
import { Action, Actions } from "effigent/action"
import { defineConfig } from "effigent/config"
import { Chain, Interrupt, Signal, TriggerFlow } from "effigent/triggerflow"
import { demo } from "./model.ts"

const delay = Number(process.env["EFFIGENT_DEMO_DELAY"] ?? 25)

const Ticket = Schema.Struct({
  subject: Output.ensure(Schema.String, "What it is about"),
  urgency: Output.ensure(Schema.Literals(["low", "normal", "high"])),
  summary: Output.ensure(Schema.String, "Two sentences"),
  tasks: Output.ensure(Schema.Array(Schema.Struct({ who: Schema.String, what: Schema.String })))
})

const triage = Agent.make({
  name: "triage",
  system: "You work at the desk of a house with many tenants.",
  instruct: "Read the letter and make a ticket of it.",
  output: Ticket
})

const balance = Action.make("balance", {
  description: "The balance of the account.",
  sideEffect: "pure",
  run: () => Effect.succeed({ euros: 1310 })
})
const pay = Action.make("pay", {
  description: "Pays a bill from the account.",
  input: Schema.Struct({ bill: Schema.String, euros: Schema.Number }),
  // Small ones need nobody.
  approval: ({ euros }) => euros > 50,
  run: ({ bill, euros }) => Effect.as(Effect.sleep(Duration.millis(delay * 4)), `paid ${euros} euros for ${bill}`)
})

const clerk = Agent.make({
  name: "clerk",
  instruct: "Pay the bills that are due. Ask before you pay a large one."
}).pipe(Actions.use([balance, pay], { rounds: 4 }))

const echo = Agent.make({ instruct: "Talk with the user.", options: { temperature: 0.2 } })

const pause = Effect.sleep(Duration.millis(delay * 8))

// A flow inside another one.
const Count = TriggerFlow.define("count", { input: Schema.String, stream: Schema.String, result: Schema.Int })
const count = Count.build(
  Count.start.pipe(
    Chain.to("split", (text, run) =>
      Effect.gen(function* () {
        yield* pause
        const words = text.split(/\s+/).filter((word) => word !== "")
        for (const word of words) yield* run.put(word)
        return words
      })
    ),
    Chain.to("count words", (words) => Effect.as(pause, words.length)),
    Chain.result
  )
)

const Approval = Interrupt.make("Approval", {
  payload: Schema.Struct({ text: Schema.String, words: Schema.Int }),
  resume: Schema.Struct({ approved: Schema.Boolean, note: Schema.optionalKey(Schema.String) })
})
const Hurry = Signal.make("Hurry", Schema.Struct({ why: Schema.String }))

const Publish = TriggerFlow.define("publish", {
  input: Schema.Struct({ text: Schema.String, large: Schema.Boolean }),
  state: Schema.Struct({ checked: Schema.Array(Schema.String), hurried: Schema.Int }),
  initial: { checked: [], hurried: 0 },
  signals: [Hurry],
  interrupts: [Approval],
  stream: Schema.String,
  result: Schema.String
})
const publish = Publish.build(
  Publish.start.pipe(
    Chain.to("read", (input, run) => Effect.as(Effect.andThen(pause, run.put("read")), input)),
    Chain.batch({
      input: (c) => c,
      words: (c) =>
        c.pipe(
          Chain.to("text", ({ text }) => Effect.succeed(text)),
          Chain.subFlow(count)
        ),
      spelling: (c) =>
        c.pipe(
          Chain.to("check spelling", ({ text }, run) =>
            Effect.gen(function* () {
              yield* pause
              yield* run.state.append("checked", "spelling")
              return !/teh/.test(text)
            })
          )
        )
    }),
    Chain.if(({ input }) => input.large, {
      then: (c) =>
        c.pipe(
          Chain.to("ask a person", ({ input, words }, run) => run.pause(Approval, { text: input.text, words })),
          Chain.to("answered", ({ approved }) => Effect.succeed(approved ? "published after a look" : "not published"))
        ),
      else: (c) => c.pipe(Chain.to("publish at once", () => Effect.as(pause, "published at once")))
    }),
    Chain.result
  ),
  Publish.on(Hurry).pipe(
    Chain.to("hurry", ({ why }, run) =>
      Effect.andThen(
        run.state.update("hurried", (n) => n + 1),
        run.put(`hurry: ${why}`)
      )
    )
  )
)

// A flow that asks an agent, in some cases in vain.
const Letter = TriggerFlow.define("letter", { input: Schema.String, result: Schema.String })
const letter = Letter.build(
  Letter.start.pipe(
    Chain.to("ask the desk", (text) =>
      /fail/.test(text) ? Effect.die(new Error("the desk is closed")) : triage.pipe(Agent.input(text), Agent.run)
    ),
    Chain.to("subject", ({ subject }) => Effect.succeed(subject)),
    Chain.result
  )
)

export default defineConfig({
  agents: { triage, clerk, echo },
  flows: [publish, count, letter],
  prices: { "demo-1": { input: 2, output: 10, cachedInput: 0.2 } },
  layer: Layer.mergeAll(demo(delay))
})
