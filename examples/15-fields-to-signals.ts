// Every action that the model names starts a branch of a flow while the model still writes. What happens is told in the
// runtime stream; the flow ends with a typed result when the model and all branches have ended.
//
//   npm run example examples/15-fields-to-signals.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema, Stream } from "effect"
import { Agent, Output } from "effigent"
import { ModelProviders } from "effigent/layers/apps"
import { Chain, Fields, Signal, TriggerFlow } from "effigent/triggerflow"

const Action = Schema.Struct({
  team: Output.ensure(Schema.Literals(["support", "billing", "logistics"]), "Who has to act"),
  task: Output.ensure(Schema.String, "What has to be done")
})
const planner = Agent.make({
  instruct: "Plan what has to be done.",
  output: Schema.Struct({
    goal: Output.ensure(Schema.String, "What is to be reached"),
    actions: Output.ensure(Schema.Array(Action), "Everything that has to be done", "notEmpty")
  })
})
const title = Agent.make({
  instruct: "Give the task a title.",
  output: Schema.Struct({ title: Output.ensure(Schema.String, "The task in a few words") })
})

const GoalReady = Signal.make("GoalReady", Schema.String)
const ActionFound = Signal.make("ActionFound", Action)
const Plan = TriggerFlow.define("plan", {
  input: Schema.String,
  state: Schema.Struct({ titles: Schema.Array(Schema.String) }),
  initial: { titles: [] },
  stream: Schema.String,
  result: Schema.Struct({ actions: Schema.Int, titles: Schema.Array(Schema.String) }),
  signals: [GoalReady, ActionFound]
})

const plan = Plan.build(
  Plan.start.pipe(
    Fields.toSignals("plan", (letter) => planner.pipe(Agent.input(letter), Agent.respond), {
      // A path that the output lacks, or a signal that carries something else, does not compile.
      on: { goal: GoalReady, "actions[*]": ActionFound },
      concurrency: 2,
      forward: (event) => (event._tag === "Field" ? `finished: ${event.path}` : undefined)
    }),
    Chain.to("report", ({ actions }, run) =>
      Effect.map(run.state.get("titles"), (titles) => ({ actions: actions.length, titles }))
    ),
    Chain.result
  ),
  Plan.on(GoalReady).pipe(Chain.to("tell the goal", (goal, run) => run.put(`goal: ${goal}`))),
  Plan.on(ActionFound).pipe(
    Chain.to("title", ({ task, team }) =>
      // A handler that needs no fields needs no helper: it runs the agent.
      Effect.map(title.pipe(Agent.input(task), Agent.run), ({ title }) => `${team}: ${title}`)
    ),
    Chain.to("keep", (title, run) => Effect.andThen(run.state.append("titles", title), run.put(`-> ${title}`)))
  )
)

const letter = `Please refund the second charge.
Please send twelve boxes of label rolls.
Please call me on Monday.`

const program = Effect.scoped(
  Effect.gen(function* () {
    const execution = yield* TriggerFlow.open(plan, letter, { autoClose: 0 })
    yield* Stream.runForEach(execution.stream, (line) => Console.log(line))
    const { result } = yield* execution.await
    const { actions, titles } = yield* Effect.fromOption(result)
    yield* Console.log(`${titles.length} of ${actions} actions have a title`)
  })
)

// Offline, slow enough to see that branches run while the model still writes.
NodeRuntime.runMain(
  Effect.flatMap(ModelProviders.choose({ tokensPerSecond: 300 }), ({ layer }) => Effect.provide(program, layer))
)
