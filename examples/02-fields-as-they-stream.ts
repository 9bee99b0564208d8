// Fields while the model still writes: the text of one field as it grows, and every field once it is finished.
//
//   npm run example examples/02-fields-as-they-stream.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema, Stream } from "effect"
import { Agent, Output } from "effigent"
import { ModelProviders } from "effigent/layers/apps"

const Review = Schema.Struct({
  headline: Output.ensure(Schema.String, "One line"),
  summary: Output.ensure(Schema.String, "Two sentences"),
  requests: Output.ensure(Schema.Array(Schema.String), "Everything that is asked for", "notEmpty")
})

const reviewer = Agent.make({ instruct: "Review the text.", output: Review })

const text = `The new timetable works. Trains leave every ten minutes and connections are kept.
Please add a later train on Fridays. Please repair the display on platform 2.`

const program = Effect.scoped(
  Effect.gen(function* () {
    const response = yield* reviewer.pipe(Agent.input(text), Agent.respond)

    // Three readers of one response: one request is sent, and each sees all of it.
    const growing = response.field("headline").pipe(
      Stream.runFold(
        () => "",
        (all, delta) => (delta._tag === "TextDelta" ? `${all}|${delta.text}` : "")
      )
    )
    const finished = response.instant.pipe(
      Stream.filter((event) => event._tag === "Field" && event.isComplete),
      Stream.runForEach((event) => Console.log("finished:", event.path))
    )
    const [pieces, , review] = yield* Effect.all([growing, finished, response.data], { concurrency: "unbounded" })

    yield* Console.log(`headline came in ${pieces.split("|").length - 1} pieces`)
    yield* Console.log(review)
  })
)

NodeRuntime.runMain(program.pipe(Effect.provide(ModelProviders.fromEnv)))
