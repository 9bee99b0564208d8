// A pool of models: the first is over its rate limit and a retry does not help, so another one answers. The agent knows
// nothing of it; the status events tell who was asked and why.
//
//   npm run example examples/07-model-pool.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema, Stream } from "effect"
import { Agent, Output } from "effigent"
import { ModelPool } from "effigent/layers/pool"
import { RateLimited } from "effigent/services/ModelError"
import { ScriptedModel } from "effigent/testing"

// Scripted, so that the example runs without a key; a program writes `OpenAICompatible.layer({ ... })` here.
const busy = ScriptedModel.always(
  ScriptedModel.fail(new RateLimited({ detail: "60 requests per minute", status: 429, retryAfterMillis: 200 })),
  { name: "vendor-a" }
)
const free = ScriptedModel.always(ScriptedModel.json({ title: "Heating is down", urgent: true }), { name: "vendor-b" })

const models = ModelPool.layer({
  models: {
    fast: { provider: busy, retry: { attempts: 2 }, limits: { concurrency: 4 } },
    spare: { provider: free, options: { temperature: 0.2 } }
  },
  default: "fast",
  fallback: { rateLimit: ["spare"], error: ["spare"] }
})

const triage = Agent.make({
  instruct: "Triage the letter.",
  output: {
    title: Output.ensure(Schema.String, "One line"),
    urgent: Output.ensure(Schema.Boolean, "Whether it has to be done today")
  }
})

const program = Effect.gen(function* () {
  const response = yield* Agent.respond(Agent.input(triage, "The heating in room 12 has failed!"))
  yield* response
    .events(["Status"])
    .pipe(
      Stream.runForEach((status) =>
        Console.log(
          `attempt ${status.attempt} ${status.state}${status.reason === undefined ? "" : `: ${status.reason}`}`
        )
      )
    )
  const { attempts } = yield* response.meta
  yield* Console.log("asked:", attempts.map((attempt) => attempt.model).join(", "))
  yield* Console.log(yield* response.data)
})

NodeRuntime.runMain(program.pipe(Effect.scoped, Effect.provide(models)))
