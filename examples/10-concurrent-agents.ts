// Many agents at once: one over many letters, several over one letter, a race, and work on single keys of an answer
// while the model still writes. Results keep their order and their types; a slot that fails or is slow stays in its
// slot.
//
//   npm run example examples/10-concurrent-agents.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Result, Schema } from "effect"
import { Agent, AutoFunction, Concurrent, Output } from "effigent"
import { ModelProviders } from "effigent/layers/apps"

const letters = [
  "The heating has been cold since Monday. Please send somebody.",
  "Please refund the second charge of EUR 1,846.40.",
  "Please send twelve boxes of label rolls."
]

const triage = Agent.make({
  instruct: "Triage the letter.",
  output: {
    title: Output.ensure(Schema.String, "What it is about, in one line"),
    urgent: Output.ensure(Schema.Boolean, "Whether it has to be done today")
  }
})
const answer = Agent.make({ instruct: "Answer the letter in one friendly line." })

// A function whose body is the model.
const countRequests = AutoFunction.make({
  name: "countRequests",
  description: "Counts how many things the letter asks for.",
  input: Schema.Struct({ letter: Schema.String }),
  output: Schema.Int
})

const program = Effect.gen(function* () {
  const triaged = yield* Concurrent.map(letters, triage, {
    concurrency: 2,
    timeout: "30 seconds",
    collect: "results"
  })
  for (const [i, ticket] of triaged.entries()) {
    yield* Console.log(`letter ${i + 1}:`, Result.isSuccess(ticket) ? ticket.success : ticket.failure.message)
  }

  const [first = ""] = letters
  const { count, reply } = yield* Concurrent.broadcast(first, {
    reply: answer,
    count: (letter: string) => countRequests({ letter })
  })
  yield* Console.log(`asks for ${count}; answer has ${reply.length > 0 ? "text" : "no text"}`)

  const winner = yield* Concurrent.race([
    triage.pipe(Agent.input(first), Agent.run, Effect.as("the model")),
    Effect.as(Effect.sleep("1 minute"), "the clock")
  ])
  yield* Console.log(`${winner} was first`)

  yield* Effect.scoped(
    Effect.gen(function* () {
      const response = yield* triage.pipe(Agent.input(first), Agent.respond)
      const handled = yield* response.onKeys({
        title: (title) => Effect.as(Console.log(`title: ${title}`), title.length),
        urgent: (urgent) => Effect.succeed(urgent)
      })
      yield* Console.log(`keys in order: ${handled.map(({ path }) => path).join(", ")}`)
    })
  )
})

NodeRuntime.runMain(program.pipe(Effect.provide(ModelProviders.fromEnv)))
