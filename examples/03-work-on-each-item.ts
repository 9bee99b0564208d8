// Side work for each item of a list while the model still writes the next one. A failing dispatch fails the whole and
// aborts the request; nothing is lost and nothing runs on.
//
//   npm run example examples/03-work-on-each-item.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Ref, Schema, Stream } from "effect"
import { Agent, Output } from "effigent"
import { ModelProviders } from "effigent/layers/apps"

const Plan = Schema.Struct({
  goal: Output.ensure(Schema.String, "What is to be reached"),
  actions: Output.ensure(
    Schema.Array(
      Schema.Struct({
        team: Output.ensure(Schema.Literals(["support", "billing", "logistics"]), "Who has to act"),
        task: Output.ensure(Schema.String, "What has to be done")
      })
    ),
    "Everything that has to be done",
    "notEmpty"
  )
})

const planner = Agent.make({ instruct: "Plan what has to be done.", output: Plan })

const letter = `Please refund the second charge of EUR 1,846.40.
Please send twelve boxes of label rolls.
Please call me on Monday.`

const program = Effect.scoped(
  Effect.gen(function* () {
    const dispatched = yield* Ref.make(0)
    const response = yield* planner.pipe(Agent.input(letter), Agent.respond)
    const [, plan] = yield* Effect.all(
      [
        response.each("actions[*]").pipe(
          Stream.mapEffect((action) => Console.log(`-> ${action.team}: ${action.task}`), { concurrency: 4 }),
          Stream.runForEach(() => Ref.update(dispatched, (n) => n + 1))
        ),
        response.data
      ],
      { concurrency: "unbounded" }
    )
    yield* Console.log(`dispatched ${yield* Ref.get(dispatched)} of ${plan.actions.length} actions`)
  })
)

NodeRuntime.runMain(program.pipe(Effect.provide(ModelProviders.fromEnv)))
