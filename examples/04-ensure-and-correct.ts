// An answer that does not fulfil its contract is sent back with what was wrong, within one budget. The model here is
// scripted, so that it errs on purpose.
//
//   npm run example examples/04-ensure-and-correct.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema, Stream } from "effect"
import { Agent, Output } from "effigent"
import { ScriptedModel } from "effigent/testing"

const Links = Schema.Struct({
  topic: Output.ensure(Schema.String, "What the links are about", "notEmpty"),
  resources: Schema.Array(Schema.Struct({ name: Schema.String, url: Schema.optionalKey(Schema.String) }))
})

const librarian = Agent.make({
  instruct: "Collect links.",
  output: Links,
  ensureKeys: ["resources[*].url"], // at run time, checked by the compiler against the Schema
  maxRetries: 2
})

const model = ScriptedModel.layer([
  ScriptedModel.json({ topic: "", resources: [{ name: "Effect" }] }),
  ScriptedModel.json({ topic: "Effect", resources: [{ name: "Effect", url: "https://effect.website" }] })
])

const program = Effect.scoped(
  Effect.gen(function* () {
    const response = yield* librarian.pipe(Agent.input("Effect"), Agent.respond)
    const { attempts, data } = yield* response.full
    for (const { attempt, findings } of attempts) {
      yield* Console.log(`attempt ${attempt}:`, findings.map((finding) => finding.message).join("; ") || "accepted")
    }
    yield* Console.log(data)

    // The restart is visible in every stream: two attempts are never glued together.
    const restarts = yield* response.deltas.pipe(
      Stream.filter((delta) => delta._tag === "Restarted"),
      Stream.runCount
    )
    yield* Console.log(`restarts seen by a late reader: ${restarts}`)
  })
)

NodeRuntime.runMain(program.pipe(Effect.provide(model)))
