// A typed answer to one question. Runs on the model that the environment names, offline without one.
//
//   npm run example examples/01-first-request.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"
import { Agent, Output } from "effigent"
import { ModelProviders } from "effigent/layers/apps"

const Contact = Schema.Struct({
  name: Output.ensure(Schema.String, "Name of the sender"),
  email: Output.ensure(Schema.String, "Email address of the sender"),
  subject: Output.ensure(Schema.String, "What it is about"),
  urgent: Output.ensure(Schema.Boolean, "Whether it has to be done today")
})

const reader = Agent.make({ instruct: "Read the message.", output: Contact })

// Effect<{ name: string; email: string; subject: string; urgent: boolean }, AgentError, ModelProvider>
const contact = reader.pipe(
  Agent.input(`From: Ada Lovelace <ada@engine.example>
Subject: The printer is on fire

Please come at once, it is urgent.`),
  Agent.run
)

const program = Effect.flatMap(contact, Console.log)

NodeRuntime.runMain(program.pipe(Effect.provide(ModelProviders.fromEnv)))
