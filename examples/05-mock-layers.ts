// Tests swap the model for a scripted one, and a broken network for a Layer. The program under test does not change.
//
//   npm run example examples/05-mock-layers.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"
import { Agent, Output } from "effigent"
import { RateLimited } from "effigent/services/ModelError"
import { ScriptedModel } from "effigent/testing"

const greet = (name: string) =>
  Agent.make({ output: { greeting: Output.ensure(Schema.String, "One line") } }).pipe(
    Agent.input(`Greet ${name}.`),
    Agent.run,
    Effect.map((answer) => answer.greeting),
    Effect.catchReason("ModelError", "RateLimited", (reason) => Effect.succeed(`(later: ${reason.detail})`))
  )

const happy = ScriptedModel.layer([ScriptedModel.json({ greeting: "Hello, Ada" })])
const busy = ScriptedModel.layer([ScriptedModel.fail(new RateLimited({ detail: "slow down" }))])

const program = Effect.gen(function* () {
  yield* Console.log(yield* greet("Ada").pipe(Effect.provide(happy)))
  yield* Console.log(yield* greet("Ada").pipe(Effect.provide(busy)))
})

NodeRuntime.runMain(program)
