// Runs that are watched: an agent asks another one by a tool; both are shown while they work, without a line of code of
// theirs. Then what they used, and a run in the background that is cancelled.
//
//   npm run example examples/21-run-events.ts
import { NodeRuntime, NodeStdio } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import { Printer } from "effigent/layers/terminal"
import { Runs } from "effigent/run"
import { ScriptedModel } from "effigent/testing"

const { text, toolCalls } = ScriptedModel

// A specialist, behind a tool.
const botanist = Agent.make({ name: "botanist", system: "You know every plant." })
const askBotanist = Action.make("ask_botanist", {
  description: "Asks a botanist.",
  input: Schema.Struct({ question: Schema.String }),
  output: Schema.String,
  sideEffect: "pure",
  run: ({ question }) => Effect.orDie(botanist.pipe(Agent.input(question), Agent.run))
})
const gardener = Agent.make({ name: "gardener", input: "Why are my tomatoes yellow?" }).pipe(Actions.use([askBotanist]))

// The model is a script here; any other provider does as well.
const model = ScriptedModel.layer([
  toolCalls([{ name: "ask_botanist", input: { question: "What makes tomato leaves yellow?" } }], {
    usage: { inputTokens: 40, outputTokens: 12 }
  }),
  text("Too little **nitrogen**, mostly.\n", {
    reasoning: "Age, water, nitrogen?\n",
    usage: { inputTokens: 20, outputTokens: 8 }
  }),
  text("# What to do\n\n- Feed them.\n- Water them in the morning.\n", {
    chunkSize: 5,
    usage: { inputTokens: 70, outputTokens: 15 }
  })
])

const program = Effect.gen(function* () {
  const run = yield* Runs.start(gardener)
  yield* Printer.print(run.events())
  const { actions, roles, total } = yield* run.metrics((usage) => (usage.outputTokens ?? 0) * 0.001)
  yield* Console.log(`requests: ${total.requests}, tokens out: ${total.usage.outputTokens}, cost: ${total.cost}`)
  yield* Console.log(
    `roles: ${Object.keys(roles).join(", ")}; calls: ${actions.map(({ action }) => action).join(", ")}`
  )

  const endless = yield* Runs.background(Effect.never, { id: "job-1", name: "endless" })
  yield* Effect.yieldNow
  yield* Console.log(`job-1 is ${yield* endless.status}`)
  yield* Runs.cancel("job-1", "it takes too long")
  const error = yield* Effect.flip(endless.result)
  yield* Console.log(error.message)
})

NodeRuntime.runMain(program.pipe(Effect.scoped, Effect.provide([model, Runs.layer(), NodeStdio.layer])))
