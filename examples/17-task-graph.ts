// A goal is planned by a model as a graph of tasks, checked before anything runs, and run: what does not wait for
// something runs at once. The model here is scripted: its first plan has two faults, and it is told of both.
//
//   npm run example examples/17-task-graph.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema, Stream } from "effect"
import { Agent, Output } from "effigent"
import { TaskPlanner } from "effigent/planner"
import { ScriptedModel } from "effigent/testing"
import { TaskGraph, TriggerFlow } from "effigent/triggerflow"

const Brief = Schema.Struct({ brief: Output.ensure(Schema.String, "Two sentences for the customer") })
const writer = Agent.make({ name: "writer", instruct: "Write a brief about the incident.", output: Brief }).pipe(
  Agent.provideModel(
    ScriptedModel.layer([
      ScriptedModel.chunks(['{ "brief": "The shop was slow ', "for 12 minutes. ", 'Orders are complete." }'])
    ])
  )
)

// How handlers fail and what they need stands in the type of the run.
const handlers = TaskGraph.handlers({
  metrics: TaskGraph.handler(
    { description: "Measurements of a service", inputs: Schema.Struct({ service: Schema.String }) },
    ({ service }) => Effect.succeed({ service, minutes: 12 })
  ),
  orders: TaskGraph.handler({ description: "Counts lost orders" }, () => Effect.succeed({ lost: 0 })),
  brief: TaskPlanner.handler(writer, { description: "Writes a brief from facts" })
})

const task = (id: string, binding: string, depends_on: ReadonlyArray<string>, inputs: Record<string, Schema.Json>) => ({
  id,
  binding,
  purpose: `For the brief`,
  depends_on,
  inputs
})

const planner = ScriptedModel.layer([
  ScriptedModel.json({
    graph_id: "incident",
    tasks: [
      task("measure", "metric", [], { service: "${INIT.service}" }),
      task("text", "brief", [], { minutes: "${DEPS.measure.minutes}" })
    ],
    semantic_outputs: { brief: "text" }
  }),
  ScriptedModel.json({
    graph_id: "incident",
    tasks: [
      task("measure", "metrics", [], { service: "${INIT.service}" }),
      task("count", "orders", [], {}),
      task("text", "brief", ["measure", "count"], {
        facts: "${DEPS.measure.service} was slow for ${DEPS.measure.minutes} minutes",
        lost: "${DEPS.count.lost}"
      })
    ],
    semantic_outputs: { brief: "text" }
  })
])

const program = Effect.gen(function* () {
  const planning = TaskPlanner.agent({ handlers, init: { service: "name of the service" } })
  const response = yield* Agent.respond(Agent.input(planning, "Write a brief about the incident."))
  const { attempts, data } = yield* response.full
  for (const { attempt, findings } of attempts)
    for (const { message } of findings) yield* Console.log(`plan ${attempt}: ${message}`)

  const flow = yield* TaskGraph.toFlow(data, handlers)
  yield* TriggerFlow.runStream(flow, { service: "shop" }).pipe(
    Stream.runForEach((item) =>
      item.type === "task_dag.model_field"
        ? Console.log(`${item.task_id} writes: ${item.delta ?? "(done)"}`)
        : Console.log(`${item.task_id}: ${item.action}`)
    )
  )

  // The same plan as a run: its input has nothing behind ${INIT.service}, and the task says so.
  const error = yield* Effect.flip(TaskGraph.run(data, handlers, {}))
  yield* Console.log(error.message)
})

NodeRuntime.runMain(Effect.scoped(program).pipe(Effect.provide(planner)))
