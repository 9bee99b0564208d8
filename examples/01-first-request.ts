// A typed answer to one question. Runs on the model that the environment names, offline without one.
//
//   npm run example examples/01-first-request.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"
import { Agent, Output } from "effigent"
import { ModelProviders } from "effigent/layers/apps"

const Meeting = Schema.Struct({
  title: Output.ensure(Schema.String, "What the meeting is about"),
  date: Output.ensure(Schema.String, "The day, as the text says it"),
  attendees: Output.ensure(Schema.Array(Schema.String), "Everybody who takes part", "notEmpty")
})

const secretary = Agent.make({ instruct: "Extract the meeting.", output: Meeting })

// Effect<{ title: string; date: string; attendees: ReadonlyArray<string> }, AgentError, ModelProvider>
const meeting = secretary.pipe(
  Agent.input("Budget review on Tuesday, 24 November, with Ada Lovelace, Grace Hopper and Alan Turing."),
  Agent.run
)

const program = Effect.flatMap(meeting, Console.log)

NodeRuntime.runMain(program.pipe(Effect.provide(ModelProviders.fromEnv)))
