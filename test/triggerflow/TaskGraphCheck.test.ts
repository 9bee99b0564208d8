// What is found wrong with a task graph before anything runs, and how its documents are read.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TaskGraph } from "effigent/triggerflow"

const ran: Array<string> = []
const handlers = TaskGraph.handlers({
  search: (_, { task }) => Effect.sync(() => void ran.push(task.id)),
  write_handler: () => Effect.void
})

const findings = (graph: unknown) =>
  Effect.gen(function* () {
    ran.length = 0
    const decoded = yield* TaskGraph.decode(graph)
    const error = yield* Effect.flip(TaskGraph.run(decoded, handlers))
    assert.deepStrictEqual(ran, [])
    assert.strictEqual(error._tag, "InvalidGraph")
    const found = error._tag === "InvalidGraph" ? error.findings : []
    assert.deepStrictEqual(found, TaskGraph.check(decoded, handlers))
    for (const { fix } of found) assert.notStrictEqual(fix, "")
    return found.map(({ at, problem }) => `${at}: ${problem}`)
  })

describe("before it runs", () => {
  it.effect("DG-02 a cycle is told with its path", () =>
    Effect.gen(function* () {
      const graph = (...tasks: ReadonlyArray<[string, ...ReadonlyArray<string>]>) => ({
        graph_id: "g",
        tasks: tasks.map(([id, ...depends_on]) => ({ id, kind: "search", depends_on }))
      })
      assert.deepStrictEqual(yield* findings(graph(["r"], ["a", "r", "c"], ["b", "a"], ["c", "b"], ["x", "x"])), [
        "tasks.a.depends_on: The tasks wait for each other: a -> b -> c -> a",
        "tasks.x.depends_on: The tasks wait for each other: x -> x"
      ])
      assert.deepStrictEqual(yield* findings(graph(["a", "b"], ["b", "a"])), [
        "tasks.a.depends_on: The tasks wait for each other: a -> b -> a",
        "tasks: No task can start, since each depends on another one"
      ])
    })
  )

  it.effect("DG-02 duplicate ids, missing dependencies and unknown handlers are refused, all at once", () =>
    Effect.gen(function* () {
      const found = yield* findings({
        graph_id: "g",
        tasks: [
          { id: "a", kind: "search" },
          { id: "a", kind: "search" },
          { id: "b", kind: "search", depends_on: ["A", "gone", "gone"] },
          { id: "c", kind: "draw" },
          { id: "d", kind: "search", binding: "write" },
          { id: "e", kind: "none", binding: "write" }
        ],
        semantic_outputs: { final: "z" }
      })
      assert.deepStrictEqual(found, [
        'tasks.a: Several tasks have the id "a"',
        'tasks.b.depends_on: There is no task "A"',
        'tasks.b.depends_on: There is no task "gone"',
        'tasks.c.kind: No handler is called "c" or "draw"',
        'tasks.e.binding: No handler is called "write" or "e" or "none"',
        'semantic_outputs.final: There is no task "z"'
      ])
      const graph = yield* TaskGraph.decode({ graph_id: "g", tasks: [{ id: "e", kind: "none", binding: "write" }] })
      assert.deepStrictEqual(
        TaskGraph.check(graph, handlers)[0]?.fix,
        'Take one of "search", "write_handler" (perhaps "write_handler")'
      )
      // Without handlers nobody is asked for them.
      assert.deepStrictEqual(TaskGraph.check(graph), [])
    })
  )

  it.effect("placeholders that cannot be filled are found", () =>
    Effect.gen(function* () {
      const found = yield* findings({
        graph_id: "g",
        tasks: [
          { id: "a", kind: "search" },
          { id: "b", kind: "search" },
          { id: "c", kind: "search", depends_on: ["a"] },
          {
            id: "d",
            kind: "search",
            depends_on: ["c"],
            inputs: {
              fine: "${INIT} ${DEPS} ${DEPS.c} ${DEPS.a.x} ${STATE.task_results.a} ${STATE.x}",
              q: ["${DEPS.b.x}", { deep: "${DEPS.nobody}" }],
              self: "${DEPS.d}",
              state: "${STATE.task_results.b.y} ${STATE.task_results}",
              odd: "${HOME} ${} ${TRIGGER.x}"
            }
          }
        ]
      })
      assert.deepStrictEqual(found, [
        "tasks.d.inputs.odd: ${HOME} stands for nothing",
        "tasks.d.inputs.odd: ${} stands for nothing",
        "tasks.d.inputs.odd: ${TRIGGER.x} stands for nothing",
        'tasks.d.inputs.q[0]: ${DEPS.b.x} asks for "b", which is not done before "d"',
        "tasks.d.inputs.q[1].deep: ${DEPS.nobody} names no task",
        'tasks.d.inputs.self: ${DEPS.d} asks for "d", which is not done before "d"',
        'tasks.d.inputs.state: ${STATE.task_results.b.y} asks for "b", which is not done before "d"',
        "tasks.d.inputs.state: ${STATE.task_results} names no task"
      ])
    })
  )

  it.effect("what else tasks and graphs say is checked", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* findings({
          graph_id: "",
          task_schema_version: "task_dag/v9",
          tasks: [
            { id: "1x", kind: "search", timeout_ms: 0, retries: -1, fallback: "perhaps" },
            { id: "__proto__", kind: "search" },
            { id: "o", kind: "nobody", optional: true },
            { id: "p", kind: "search", depends_on: ["o"] },
            { id: "w", kind: "search", side_effect_policy: { network: true } },
            { id: "v", kind: "search", side_effect_policy: { network: true }, approval: true }
          ],
          semantic_outputs: { final: "p" },
          policies: { approval: "require" }
        }),
        [
          "graph_id: The graph has no id",
          'task_schema_version: "task_dag/v9" is not understood',
          'tasks.1x: The id "1x" is none',
          "tasks.__proto__: Records cannot hold this id",
          "tasks.1x.timeout_ms: A try may take 0 ms",
          "tasks.1x.retries: -1 tries may follow",
          "tasks.1x.fallback: It says nothing that is understood",
          'semantic_outputs.final: It needs the optional task "o", which nobody handles',
          "tasks.w.approval: The task changes something, and the policies of the graph want that approved"
        ]
      )
      assert.deepStrictEqual(yield* findings({ graph_id: "g", tasks: [] }), ["tasks: The graph has no tasks"])
    })
  )

  it("the error of a graph says every finding with its fix", () => {
    const error = new TaskGraph.InvalidGraph({
      graph: "g",
      findings: [{ at: "tasks", problem: "None", fix: "Add one" }]
    })
    assert.strictEqual(error.message, 'The task graph "g" cannot run:\ntasks: None. Add one.')
  })
})

describe("documents", () => {
  const agently = {
    graph_id: "review",
    task_schema_version: "task_dag/v1",
    tasks: [
      { id: "extract", kind: "local", title: null, binding: "search", depends_on: [], produces: { kind: "facts" } },
      {
        id: "final",
        kind: "local",
        purpose: "Sum up",
        depends_on: ["extract"],
        inputs: { facts: "${DEPS.extract}" },
        binding: "write_handler",
        side_effect_policy: {},
        fallback: null,
        approval: null
      }
    ],
    semantic_outputs: { final: { task_id: "final" } },
    policies: {},
    diagnostics: []
  }

  it.effect("documents of Agently are read as they are", () =>
    Effect.gen(function* () {
      const graph = yield* TaskGraph.decode(agently)
      assert.deepStrictEqual(graph.tasks[0], {
        id: "extract",
        kind: "local",
        depends_on: [],
        inputs: {},
        binding: "search",
        produces: { kind: "facts" }
      })
      assert.deepStrictEqual(graph.semantic_outputs, { final: "final" })
      const { results } = yield* TaskGraph.run(graph, handlers)
      assert.deepStrictEqual(results, { extract: null, final: null })
      // What was read is read again as itself.
      assert.deepStrictEqual(yield* TaskGraph.decode(graph), graph)
    })
  )

  it.effect("YAML, JSON and what JSON5 adds say the same; a key leads into a larger document", () =>
    Effect.gen(function* () {
      const yaml = yield* TaskGraph.parse(
        `
plans:
  review:
    graph_id: g
    tasks:
      - id: a
        kind: search
        inputs: { q: "\${INIT.q}", urls: ["http://x"] }
`,
        { key: "plans.review" }
      )
      const json = yield* TaskGraph.parse(JSON.stringify(yaml))
      const loose = yield* TaskGraph.parse(`
// A comment, and /* another */
{
  graph_id: 'g', /* here
  too */
  tasks: [
    { id: "a", kind: 'search', inputs: { q: "\${INIT.q}", urls: ["http://x",], }, }, // and here
  ],
}`)
      assert.deepStrictEqual(yaml.tasks[0]?.inputs, { q: "${INIT.q}", urls: ["http://x"] })
      assert.deepStrictEqual(json, yaml)
      assert.deepStrictEqual(loose, yaml)
    })
  )

  it.effect("a document that cannot be read says where", () =>
    Effect.gen(function* () {
      const at = (text: string, options?: TaskGraph.ParseOptions) =>
        Effect.map(Effect.flip(TaskGraph.parse(text, options)), (error) => {
          assert.lengthOf(error.findings, 1)
          const [found] = error.findings
          return `${error.graph} | ${found?.at}: ${found?.problem}`
        })
      assert.strictEqual(
        yield* at("graph_id: g\ntasks:\n  - id: a\n - id: b\n", { file: "plan.yaml" }),
        "plan.yaml | plan.yaml:4: is neither YAML nor JSON: Unexpected indentation of 1 spaces at line 4"
      )
      const json = (third: string) => `// The plan\n{\n  "graph_id": "g",\n  ${third}\n}`
      assert.strictEqual(
        yield* at(json('"tasks": [{ "id": "a", "retries": 1 "kind": "b" }]')),
        "graph | graph:4: is neither YAML nor JSON: a comma or a colon is missing"
      )
      assert.strictEqual(
        yield* at(json('"tasks": [{ "id": "a" "kind": "b" }]')),
        "graph | graph:4: is neither YAML nor JSON: a comma or a colon is missing"
      )
      assert.strictEqual(
        yield* at(json('"tasks": [{ "id": "a" ]')),
        'graph | graph:4: is neither YAML nor JSON: "]" closes what was not opened by it'
      )
      assert.strictEqual(
        yield* at('{\n"graph_id": "}",\n"tasks": [\n{ "id": "a" }'),
        'graph | graph:3: is neither YAML nor JSON: "[" is not closed'
      )
      assert.strictEqual(yield* at("plans: { a: 1 }", { key: "plans.b.c" }), "graph | plans.b: is not there")
      assert.strictEqual(
        yield* at('{"graph_id": "g", "tasks": [{ "id": "a", "dependson": [] }]}'),
        'g | document: is no task graph: Expected no excess property at ["tasks"][0]["dependson"]'
      )
      assert.include(yield* at("just text"), "graph | document: is no task graph: ")
      assert.include(yield* at(""), "graph | document: is no task graph: ")
    })
  )
})
