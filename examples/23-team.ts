// Teams in small: a leader routes, a leader coordinates, members work on the same thing at once, a conversation is handed
// on. (Tasks that depend on each other: 24-research-team.ts.) The models here are scripted.
//
//   npm run example examples/23-team.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Result, Schema } from "effect"
import { Agent } from "effigent"
import { Team } from "effigent/team"
import { ScriptedModel } from "effigent/testing"

const { json, text, toolCalls } = ScriptedModel
const says = (...steps: ReadonlyArray<ScriptedModel.Step>) =>
  Agent.make({ system: "You work in a team." }).pipe(Agent.provideModel(ScriptedModel.layer(steps)))

const Quote = Schema.Struct({ cents: Schema.Int })
const sales = (...steps: ReadonlyArray<ScriptedModel.Step>) =>
  Team.member("sales", says(...steps).pipe(Agent.output(Quote)), { description: "Knows prices." })
const support = (...steps: ReadonlyArray<ScriptedModel.Step>) =>
  Team.member("support", says(...steps), { description: "Helps with what is broken." })

const route = Team.make({
  name: "front-desk",
  mode: "route",
  leader: says(json({ member: "sales" })),
  members: [sales(json({ cents: 1900 })), support()]
})

const coordinate = Team.make({
  name: "back-office",
  mode: "coordinate",
  leader: says(
    toolCalls([
      { name: "ask_sales", input: { task: "What does a lamp cost?" } },
      { name: "ask_support", input: { task: "Why does a lamp flicker?" } }
    ]),
    text("A new lamp costs 19.00; try another bulb first.")
  ),
  members: [sales(json({ cents: 1900 })), support(text("A loose bulb."))]
})

const broadcast = Team.make({
  name: "jury",
  mode: "broadcast",
  members: [sales(json({ cents: 1900 })), support(text("It is broken."))]
})

const handoff = Team.make({
  name: "hotline",
  mode: "handoff",
  first: "support",
  members: [
    sales(json({ cents: 900 })),
    support(toolCalls([{ name: "transfer_to_sales", input: { reason: "They want a price." } }]))
  ]
})

const program = Effect.gen(function* () {
  const routed = yield* Team.run(route, "What does a lamp cost?")
  yield* Console.log("routed:", routed)
  yield* Console.log("coordinated:", yield* Team.run(coordinate, "My lamp flickers."))
  const jury = yield* Team.run(broadcast, "Is it worth mending?")
  yield* Console.log("jury:", Result.getOrThrow(jury.sales), Result.getOrThrow(jury.support))
  const { data, reports } = yield* Team.whole(handoff, "How much is a bulb?")
  yield* Console.log("handed on:", reports.map(({ name, status }) => `${name} ${status}`).join(", "), data)
})

NodeRuntime.runMain(program)
