// Plans by models: what the model is told, what comes back, and how a plan that cannot run is corrected.
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema, Stream } from "effect"
import { Agent, Output } from "effigent"
import { TaskPlanner } from "effigent/planner"
import type { ModelProvider, ModelRequest } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"
import { TaskGraph, TriggerFlow } from "effigent/triggerflow"

const handlers = TaskGraph.handlers({
  search: TaskGraph.handler(
    { description: "Looks a topic up", inputs: Schema.Struct({ topic: Schema.String }) },
    ({ topic }) => Effect.succeed({ facts: [topic, `${topic}!`] })
  ),
  write: TaskGraph.handler({ description: "Writes a text" }, ({ facts }) => Effect.succeed({ text: facts })),
  bare: () => Effect.void
})

const task = (id: string, binding: string, depends_on: ReadonlyArray<string>, inputs: Record<string, Schema.Json>) => ({
  id,
  binding,
  purpose: `Does ${id}`,
  depends_on,
  inputs
})

const good = {
  graph_id: "tea",
  tasks: [
    task("look", "search", [], { topic: "${INIT.topic}" }),
    task("text", "write", ["look"], { facts: "${DEPS.look.facts}" })
  ],
  semantic_outputs: { final: "text" }
}

const textOf = (request: ModelRequest | undefined): string => JSON.stringify(request?.prompt.content)

describe("plan", () => {
  it.effect("the model is told the goal, the handlers and the rules, and its plan runs", () =>
    Effect.gen(function* () {
      const graph = yield* TaskPlanner.plan("Write about a topic.", {
        handlers,
        init: { topic: "what to write about" }
      })
      assert.deepStrictEqual(graph.tasks[0], {
        ...task("look", "search", [], { topic: "${INIT.topic}" }),
        kind: "task"
      })
      const outcome = yield* TaskGraph.run(graph, handlers, { topic: "tea" })
      assert.deepStrictEqual(outcome.semantic_outputs, {
        final: { task_id: "text", result: { text: ["tea", "tea!"] } }
      })
      const [request] = yield* ScriptedModel.requests
      const text = textOf(request)
      for (const part of [
        "Write about a topic.",
        "Looks a topic up",
        "Writes a text",
        "bare",
        "topic",
        "what to write about",
        "${DEPS.",
        "semantic_outputs"
      ])
        assert.include(text, part)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json(good)])))
  )

  it.effect("a plan that cannot run goes back with everything that is wrong, and where", () =>
    Effect.gen(function* () {
      const graph = yield* TaskPlanner.plan("Write.", { handlers })
      assert.deepStrictEqual(graph.semantic_outputs, { final: "text" })
      const requests = yield* ScriptedModel.requests
      assert.lengthOf(requests, 2)
      const text = textOf(requests[1])
      for (const part of [
        'tasks[0].binding: No handler is called \\"serch\\" or \\"a\\" or \\"task\\". Take one of \\"search\\", \\"write\\", \\"bare\\"',
        "tasks[1].depends_on: The tasks wait for each other: b -> c -> b",
        'tasks[2].inputs.x: ${DEPS.a} asks for \\"a\\", which is not done before \\"c\\". Add \\"a\\" to its depends_on',
        'semantic_outputs.final: There is no task \\"z\\"'
      ])
        assert.include(text, part)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json({
            graph_id: "bad",
            tasks: [
              task("a", "serch", [], {}),
              task("b", "write", ["c"], {}),
              task("c", "write", ["b"], { x: "${DEPS.a}" })
            ],
            semantic_outputs: { final: "z" }
          }),
          ScriptedModel.json(good)
        ])
      )
    )
  )

  it.effect("the corrections end with the agent's budget", () =>
    Effect.gen(function* () {
      const stubborn = Agent.make({ maxRetries: 1, name: "stubborn" })
      const error = yield* Effect.flip(TaskPlanner.plan("Write.", { handlers, agent: stubborn, maxTasks: 1 }))
      assert.strictEqual(error._tag, "OutputError")
      if (error._tag === "OutputError")
        assert.deepStrictEqual(
          error.attempts.map(({ findings }) => findings.map(({ message }) => message)),
          [["tasks: 2 tasks are more than 1. Join some."], ["tasks: 2 tasks are more than 1. Join some."]]
        )
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json(good), ScriptedModel.json(good)])))
  )

  it.effect("an agent of one's own brings its model, its system prompt and its failures", () =>
    Effect.gen(function* () {
      class Taste extends Context.Service<Taste, { readonly likes: string }>()("Taste") {}
      const own = Agent.make({ system: "You plan for cats." }).pipe(
        Agent.validate(() => Effect.as(Taste, { _tag: "Pass" as const })),
        Agent.provideModel(ScriptedModel.layer([ScriptedModel.json(good)]))
      )
      const planned: Effect.Effect<TaskGraph.Graph, Agent.AgentError | TaskGraph.InvalidGraph, Taste> =
        TaskPlanner.plan("Write.", { handlers, agent: own })
      const graph = yield* Effect.provide(planned, Layer.succeed(Taste, { likes: "fish" }))
      assert.strictEqual(graph.graph_id, "tea")
    })
  )
})

describe("handler", () => {
  it.effect("a task is done by an agent, and its fields are seen in the stream of the graph", () =>
    Effect.gen(function* () {
      const writer = Agent.make({
        instruct: "Write.",
        output: Schema.Struct({ title: Output.ensure(Schema.String, "T") })
      })
      const typed: TaskGraph.Handlers<unknown, ModelProvider> = TaskGraph.handlers({
        write: TaskPlanner.handler(writer, { description: "Writes" })
      })
      const flow = yield* TaskGraph.toFlow(
        { graph_id: "g", tasks: [{ id: "write", purpose: "For fun", inputs: { about: "${INIT}" } }] },
        typed
      )
      const items = yield* Stream.runCollect(TriggerFlow.runStream(flow, "tea"))
      const fields = items.flatMap((item) => (item.type === "task_dag.model_field" ? [item] : []))
      assert.strictEqual(fields.map(({ delta }) => delta ?? "").join(""), "All about tea")
      const done = fields.filter(({ done }) => done).map(({ path, value }) => [path, value])
      assert.deepInclude(done, ["title", "All about tea"])
      const last = items.at(-1)
      assert.deepStrictEqual(last?.type === "task_dag.task" && last.action === "complete" && last.result, {
        title: "All about tea"
      })
      const [request] = yield* ScriptedModel.requests
      assert.include(textOf(request), "purpose: For fun")
      assert.include(textOf(request), "about: tea")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.chunks(['{"title": "All', " about", ' tea"}'])])))
  )
})
