// What the servers of these tests offer: actions of every kind, an agent, a flow.
import { Effect, Layer, Schema, Stream } from "effect"
import { Agent } from "effigent"
import { Action } from "effigent/action"
import { McpOffer } from "effigent/layers/mcp"
import { OfflineModel } from "effigent/layers/offline"
import { ApprovalGate } from "effigent/services/Action"
import { Chain, Interrupt, TriggerFlow } from "effigent/triggerflow"

const add = Action.make("add", {
  description: "Adds two numbers.",
  input: Schema.Struct({ a: Schema.Finite, b: Schema.Finite }),
  output: Schema.Struct({ sum: Schema.Finite }),
  sideEffect: "pure",
  run: ({ a, b }) => Effect.succeed({ sum: a + b })
})

const shout = Action.make("shout", {
  description: "Says it louder.",
  input: Schema.Struct({ text: Schema.String }),
  output: Schema.String,
  sideEffect: "idempotent",
  run: ({ text }) => Effect.succeed(text.toUpperCase())
})

class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { article: Schema.String }) {
  override get message() {
    return `there is no ${this.article} left`
  }
}

const order = Action.make("order", {
  description: "Orders an article.",
  input: Schema.Struct({ article: Schema.String }),
  output: Schema.String,
  run: ({ article }): Effect.Effect<string, OutOfStock | Action.Retry> =>
    article === "lamp"
      ? Effect.fail(new OutOfStock({ article }))
      : article === "bomb"
        ? Effect.die(new Error("secret: password 1234"))
        : article === "again"
          ? Action.retry("name an article")
          : Effect.succeed(`ordered: ${article}`)
})

const erase = Action.make("erase", {
  description: "Erases a folder.",
  input: Schema.Struct({ folder: Schema.String }),
  approval: "always",
  output: Schema.String,
  run: ({ folder }) => Effect.succeed(`erased ${folder}`)
})

const count = Action.make("count", {
  description: "Counts up, and says how far it is.",
  input: Schema.Struct({ to: Schema.Int, millis: Schema.Int }),
  output: Schema.Int,
  run: ({ millis, to }, { progress }): Effect.Effect<number> =>
    Stream.range(1, to).pipe(
      Stream.tap((n) => Effect.andThen(progress({ progress: n, total: to }), Effect.sleep(millis))),
      Stream.runDrain,
      Effect.as(to),
      Effect.onInterrupt(() => Effect.sync(() => process.stderr.write("count was interrupted\n")))
    )
})

const long = Action.make("long", {
  description: "Gives a long text.",
  input: Schema.Struct({ length: Schema.Int }),
  output: Schema.String,
  run: ({ length }) => Effect.succeed("x".repeat(length))
})

const triage = McpOffer.agent(
  "triage",
  Agent.make({
    instruct: "Triage the letter.",
    output: Schema.Struct({ title: Schema.String, urgent: Schema.Boolean })
  }),
  { description: "Triages a letter.", sideEffect: "pure" }
)

const Letters = TriggerFlow.define("letters", {
  input: Schema.String,
  stream: Schema.String,
  result: Schema.Struct({ words: Schema.Int })
})
const letters = McpOffer.flow(
  Letters.build(
    Letters.start.pipe(
      Chain.to("split", (text, run) => {
        const words = text.split(" ")
        return Effect.as(
          Effect.forEach(words, (word) => run.put(word), { discard: true }),
          { words: words.length }
        )
      }),
      Chain.result
    )
  ),
  { description: "Counts the words of a letter." }
)

const Sure = Interrupt.make("Sure", { payload: Schema.String, resume: Schema.Boolean })
const Asking = TriggerFlow.define("asking", { input: Schema.String, result: Schema.Boolean, interrupts: [Sure] })
const asking = McpOffer.flow(
  Asking.build(
    Asking.start.pipe(
      Chain.to("ask", (text, run) => run.pause(Sure, text)),
      Chain.result
    )
  ),
  { description: "Asks somebody." }
)

export const options = {
  name: "offers",
  version: "1.2.3",
  instructions: "Try add first.",
  tools: [add, shout, order, erase, count, long, triage, letters, asking]
} as const

/** A gate that lets nothing but the folder `tmp` be erased. */
const gate = Layer.succeed(ApprovalGate, ({ call }) =>
  Effect.succeed(
    JSON.stringify(call.input) === '{"folder":"tmp"}'
      ? ({ _tag: "Approved" } as const)
      : ({ _tag: "Denied", note: "only tmp may be erased" } as const)
  )
)

export const services = Layer.mergeAll(OfflineModel.layer, gate)
