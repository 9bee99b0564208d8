// An agent that acts: it looks things up, several at once, is told when it calls wrongly, and stops at its limits. What
// it does is told as it happens; every call ends in the record of the run.
//
//   npm run example examples/20-actions.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema, Stream } from "effect"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import { ScriptedModel } from "effigent/testing"

const prices: { readonly [article: string]: number } = { lamp: 20, table: 120, chair: 45 }

const price = Action.make("get_price", {
  description: "The price of one piece of an article, in euros.",
  input: Schema.Struct({ article: Schema.String }),
  output: Schema.Struct({ euros: Schema.Number }),
  sideEffect: "pure",
  run: ({ article }) => {
    const euros = prices[article]
    const known = Object.keys(prices).join(", ")
    return euros === undefined
      ? Action.retry(`There is no ${article}; there are: ${known}.`)
      : Effect.succeed({ euros })
  }
})

const Offer = Schema.Struct({ total: Schema.Number, remark: Schema.String })

const seller = Agent.make({ name: "seller", instruct: "Make an offer. Look every price up.", output: Offer }).pipe(
  Actions.use([price], { calls: 10 })
)

const ask = (...articles: ReadonlyArray<string>) =>
  ScriptedModel.toolCalls(articles.map((article) => ({ name: "get_price", input: { article } })))

const model = ScriptedModel.layer([
  ask("lamp", "sofa"),
  ask("chair"),
  ScriptedModel.json({ total: 110, remark: "A lamp and two chairs; we have no sofas." })
])

const program = Effect.gen(function* () {
  const response = yield* Agent.respond(seller.pipe(Agent.input("A lamp, two chairs and a sofa, please.")))
  yield* response
    .events(["ActionStarted", "ActionEnded"])
    .pipe(
      Stream.runForEach((event) =>
        event._tag === "ActionStarted"
          ? Console.log(`-> ${event.call.action} ${JSON.stringify(event.call.input)}`)
          : Console.log(`<- ${event.record.status}: ${JSON.stringify(event.record.result)}`)
      )
    )
  const { data, meta } = yield* response.full
  yield* Console.log(`${data.total} euros: ${data.remark}`)
  yield* Console.log(`${meta.actions?.rounds.length} rounds, ${meta.actions?.status}`)
})

NodeRuntime.runMain(Effect.scoped(program).pipe(Effect.provide(model)))
