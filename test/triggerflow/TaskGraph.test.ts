// Task graphs as they run: order, inputs, failures, approvals, stream.
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Option, Schedule, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Chain, Mermaid, TaskGraph, TriggerFlow } from "effigent/triggerflow"

class Boom extends Schema.TaggedError<Boom>()("Boom", { at: Schema.String }) {}

const echo = TaskGraph.handlers({
  give: (inputs) => Effect.succeed(inputs),
  name: (_, { task }) => Effect.succeed({ id: task.id, of: { list: [1, { deep: true }] } }),
  boom: (_, { task }) => Effect.fail(new Boom({ at: task.id })),
  defect: () => Effect.die("bug"),
  nothing: () => Effect.void
})

describe("inputs", () => {
  it.effect("DG-01 placeholders give values whole or as text, and the outcome names its tasks", () =>
    Effect.gen(function* () {
      const outcome = yield* TaskGraph.run(
        {
          graph_id: "dg-01",
          tasks: [
            { id: "a", kind: "name" },
            { id: "b", kind: "name" },
            {
              id: "c",
              kind: "give",
              depends_on: ["a", "b"],
              inputs: { whole: "${DEPS.a.id}", obj: "${DEPS.a}", emb: "x ${INIT.n}" }
            }
          ],
          semantic_outputs: { final: "c" }
        },
        echo,
        { n: 3 }
      )
      const a = { id: "a", of: { list: [1, { deep: true }] } }
      assert.deepStrictEqual(outcome, {
        graph_id: "dg-01",
        semantic_outputs: { final: { task_id: "c", result: { whole: "a", obj: a, emb: "x 3" } } },
        results: { a, b: { ...a, id: "b" }, c: { whole: "a", obj: a, emb: "x 3" } },
        skipped: {}
      })
    })
  )

  it.effect("DG-01 S52 roots run at once, and a task starts when the last of its dependencies is done", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const handlers = TaskGraph.handlers({
        wait: (_, { task }) =>
          Effect.gen(function* () {
            log.push(`${task.id} starts`)
            yield* Effect.sleep(task.id === "a" ? 100 : 200)
            log.push(`${task.id} ends`)
          })
      })
      const fiber = yield* Effect.forkChild(
        TaskGraph.run(
          {
            graph_id: "order",
            tasks: [
              { id: "c", kind: "wait", depends_on: ["a", "b"] },
              { id: "a", kind: "wait" },
              { id: "b", kind: "wait" },
              { id: "d", kind: "wait", depends_on: ["a"] }
            ]
          },
          handlers
        )
      )
      yield* TestClock.adjust(400)
      yield* Fiber.join(fiber)
      const at = ["a starts", "b starts", "a ends", "d starts", "b ends", "c starts", "d ends", "c ends"]
      assert.deepStrictEqual(log, at)
    })
  )

  it.effect("a dependency's id may hold dots, paths go into lists, and the state is read too", () =>
    Effect.gen(function* () {
      const { results } = yield* TaskGraph.run(
        {
          graph_id: "paths",
          tasks: [
            { id: "a", kind: "name" },
            { id: "a.of", kind: "give", inputs: { list: "mine" } },
            {
              id: "end",
              kind: "give",
              depends_on: ["a", "a.of"],
              inputs: {
                longest: "${DEPS.a.of.list}",
                nested: ["${DEPS.a}", { text: "${ deps.a.id }-${INIT.words[1]}-${init.words.0}" }],
                result: "${STATE.task_results.a.of.list}",
                tone: "${STATE.tone}",
                all: "${INIT}",
                graph: "${STATE.graph_id} ${STATE.graph_input.words}",
                plain: { x: [null, 1.5, "$ {no}"] }
              }
            }
          ]
        },
        echo,
        { words: ["one", "two"] },
        { state: { tone: "short" } }
      )
      assert.deepStrictEqual(results["end"], {
        longest: "mine",
        nested: [{ id: "a", of: { list: [1, { deep: true }] } }, { text: "a-two-one" }],
        result: "mine",
        tone: "short",
        all: { words: ["one", "two"] },
        graph: 'paths ["one","two"]',
        plain: { x: [null, 1.5, "$ {no}"] }
      })
    })
  )

  it.effect("a result of a task before the direct dependencies is reached as well", () =>
    Effect.gen(function* () {
      const { results } = yield* TaskGraph.run(
        {
          graph_id: "far",
          tasks: [
            { id: "a", kind: "name" },
            { id: "b", kind: "give", depends_on: ["a"], inputs: {} },
            { id: "c", kind: "give", depends_on: ["b"], inputs: { far: "${DEPS.a.id}" } }
          ]
        },
        echo
      )
      assert.deepStrictEqual(results["c"], { far: "a" })
    })
  )

  it.effect("DG-03 a path that leads nowhere fails the task and says which", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        TaskGraph.run(
          {
            graph_id: "dg-03",
            tasks: [
              { id: "a", kind: "name" },
              {
                id: "b",
                kind: "give",
                depends_on: ["a"],
                inputs: { ok: "${DEPS.a.id}", q: { no: "${DEPS.a.nope}" }, r: "see ${INIT.x}, ${STATE.y}" }
              }
            ]
          },
          echo,
          {}
        )
      )
      assert.deepStrictEqual(
        error,
        new TaskGraph.TaskError({
          graph: "dg-03",
          task: "b",
          reason: {
            _tag: "MissingValue",
            missing: [
              { input: "q.no", placeholder: "${DEPS.a.nope}" },
              { input: "r", placeholder: "${INIT.x}" },
              { input: "r", placeholder: "${STATE.y}" }
            ]
          }
        })
      )
      assert.strictEqual(
        error.message,
        'The task "b" of "dg-03" failed: nothing stands behind ${DEPS.a.nope} in the input "q.no", ${INIT.x} in the input "r", ${STATE.y} in the input "r". Mend the path, or what gives the value.'
      )
    })
  )

  it.effect("null, false and 0 are values", () =>
    Effect.gen(function* () {
      const { results } = yield* TaskGraph.run(
        {
          graph_id: "values",
          tasks: [{ id: "a", kind: "give", inputs: { n: "${INIT.n}", t: "${INIT.n}/${INIT.f}/${INIT.z}" } }]
        },
        echo,
        { n: null, f: false, z: 0 }
      )
      assert.deepStrictEqual(results["a"], { n: null, t: "null/false/0" })
    })
  )
})

describe("handlers", () => {
  it.effect("the handler is found by binding, then id, then kind", () =>
    Effect.gen(function* () {
      const handlers = TaskGraph.handlers({
        bound: () => Effect.succeed("by binding"),
        second: () => Effect.succeed("by id"),
        sort: () => Effect.succeed("by kind")
      })
      const { results } = yield* TaskGraph.run(
        {
          graph_id: "resolve",
          tasks: [
            { id: "second", kind: "sort", binding: "bound" },
            { id: "third", kind: "sort", binding: "elsewhere" },
            { id: "sort" },
            { id: "bound", kind: "sort", depends_on: ["second"] }
          ]
        },
        handlers
      )
      assert.deepStrictEqual(results, { second: "by binding", third: "by kind", sort: "by kind", bound: "by binding" })
      const again = yield* TaskGraph.run({ graph_id: "g", tasks: [{ id: "second", kind: "sort" }] }, handlers)
      assert.deepStrictEqual(again.results, { second: "by id" })
    })
  )

  it.effect("failures and services of handlers stand in the type of the run", () =>
    Effect.gen(function* () {
      class Clock extends Context.Service<Clock, { readonly hour: number }>()("Clock") {}
      const handlers = TaskGraph.handlers({
        hour: () => Effect.map(Clock, ({ hour }) => hour),
        boom: TaskGraph.handler({ inputs: Schema.Struct({ at: Schema.String }) }, ({ at }) =>
          Effect.fail(new Boom({ at }))
        )
      })
      const typed: TaskGraph.Handlers<Boom, Clock> = handlers
      const run = TaskGraph.run({ graph_id: "g", tasks: [{ id: "hour" }] }, typed).pipe(
        Effect.provide(Layer.succeed(Clock, { hour: 12 }))
      )
      assert.deepStrictEqual((yield* run).results, { hour: 12 })
      const failed = TaskGraph.run({ graph_id: "g", tasks: [{ id: "boom", inputs: { at: "once" } }] }, handlers).pipe(
        Effect.provide(Layer.succeed(Clock, { hour: 12 })),
        Effect.catchTag("Boom", ({ at }) => Effect.succeed(at))
      )
      assert.strictEqual(yield* failed, "once")
    })
  )

  it.effect("Schemas decode what a handler takes and encode what it gives", () =>
    Effect.gen(function* () {
      const handlers = TaskGraph.handlers({
        day: TaskGraph.handler(
          { inputs: Schema.Struct({ on: Schema.DateFromString }), output: Schema.DateFromString },
          ({ on }) => Effect.succeed(new Date(on.getTime() + 86_400_000))
        )
      })
      const graph = (on: string) => ({ graph_id: "g", tasks: [{ id: "a", kind: "day", inputs: { on } }] })
      const { results } = yield* TaskGraph.run(graph("2026-01-31T00:00:00.000Z"), handlers)
      assert.deepStrictEqual(results, { a: "2026-02-01T00:00:00.000Z" })
      const bad = yield* Effect.flip(
        TaskGraph.run({ graph_id: "g", tasks: [{ id: "a", kind: "day", inputs: { on: 5 } }] }, handlers)
      )
      assert.strictEqual(bad._tag === "TaskError" && bad.reason._tag, "InvalidInputs")
    })
  )

  it.effect("a result that is no JSON fails the task; none at all is null", () =>
    Effect.gen(function* () {
      const handlers = TaskGraph.handlers({ map: () => Effect.succeed(new Map([[1, 2]])), nothing: () => Effect.void })
      const bad = yield* Effect.flip(TaskGraph.run({ graph_id: "g", tasks: [{ id: "map" }] }, handlers))
      assert.strictEqual(bad._tag === "TaskError" && bad.reason._tag, "InvalidResult")
      const { results } = yield* TaskGraph.run({ graph_id: "g", tasks: [{ id: "nothing" }] }, handlers)
      assert.deepStrictEqual(results, { nothing: null })
    })
  )

  it.effect("a handler knows its task and what came before, and writes values that later placeholders read", () =>
    Effect.gen(function* () {
      const handlers = TaskGraph.handlers({
        first: (_, task) => task.set("seen", ["first"]),
        more: (_, task) =>
          Effect.gen(function* () {
            const seen = (yield* task.get("seen")) ?? []
            yield* task.set("seen", [seen, "more"])
            return { graph: task.graph, input: task.input, before: task.dependencies, title: task.task.title ?? "" }
          }),
        give: (inputs) => Effect.succeed(inputs)
      })
      const { results } = yield* TaskGraph.run(
        {
          graph_id: "g",
          tasks: [
            { id: "first" },
            { id: "more", title: "More", depends_on: ["first"] },
            { id: "give", depends_on: ["more"], inputs: { seen: "${STATE.seen}" } }
          ]
        },
        handlers,
        7
      )
      assert.deepStrictEqual(results, {
        first: null,
        more: { graph: "g", input: 7, before: { first: null }, title: "More" },
        give: { seen: [["first"], "more"] }
      })
    })
  )

  it.effect("a flow can be the work of a task", () =>
    Effect.gen(function* () {
      const inner = yield* TaskGraph.toFlow({ graph_id: "inner", tasks: [{ id: "a", kind: "name" }] }, echo)
      const handlers = TaskGraph.handlers({ inner: (inputs) => TriggerFlow.runResult(inner, inputs) })
      const { results } = yield* TaskGraph.run({ graph_id: "outer", tasks: [{ id: "inner" }] }, handlers)
      assert.strictEqual((yield* Schema.decodeUnknownEffect(TaskGraph.Outcome)(results["inner"])).graph_id, "inner")
    })
  )
})

describe("failures", () => {
  const graph = {
    graph_id: "f",
    tasks: [
      { id: "bad", kind: "boom" },
      { id: "good", kind: "name" },
      { id: "behind", kind: "give", depends_on: ["good", "bad"] },
      { id: "further", kind: "give", depends_on: ["behind"] },
      { id: "fine", kind: "give", depends_on: ["good"] }
    ],
    semantic_outputs: { one: "fine", other: "further" }
  }

  it.effect("a task that fails fails the run with its own error and interrupts the others", () =>
    Effect.gen(function* () {
      let interrupted = false
      const handlers = TaskGraph.merge(
        echo,
        TaskGraph.handlers({
          name: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (interrupted = true)))
        })
      )
      assert.deepStrictEqual(yield* Effect.flip(TaskGraph.run(graph, handlers)), new Boom({ at: "bad" }))
      assert.isTrue(interrupted)
    })
  )

  it.effect("where failures are skipped, what depends on them is too, and the rest goes on", () =>
    Effect.gen(function* () {
      const run = TaskGraph.run(graph, echo, null, { onFailure: "skip" })
      // No Boom in its type.
      const typed: Effect.Effect<
        TaskGraph.Outcome,
        TaskGraph.InvalidGraph | import("effigent/triggerflow").FlowErrors.FlowError
      > = run
      const { results, semantic_outputs: outputs, skipped } = yield* typed
      assert.deepStrictEqual(Object.keys(results), ["good", "fine"])
      assert.deepStrictEqual(outputs, { one: { task_id: "fine", result: {} } })
      assert.deepStrictEqual(skipped, {
        bad: { reason: "failed", error: { name: "Boom", message: '{"_tag":"Boom","at":"bad"}' } },
        behind: { reason: "dependency", task_id: "bad" },
        further: { reason: "dependency", task_id: "behind" }
      })
    })
  )

  it.effect("an optional task may fail or have no handler, and takes with it what depends on it alone", () =>
    Effect.gen(function* () {
      const { results, skipped } = yield* TaskGraph.run(
        {
          graph_id: "o",
          tasks: [
            { id: "bad", kind: "boom", optional: true },
            { id: "lost", kind: "nobody", optional: true },
            { id: "good", kind: "name" },
            { id: "a", kind: "give", depends_on: ["lost", "good"] },
            { id: "b", kind: "give", depends_on: ["good"] }
          ],
          semantic_outputs: { b: "b" }
        },
        echo
      )
      assert.deepStrictEqual(Object.keys(results), ["good", "b"])
      assert.deepStrictEqual(skipped["lost"], { reason: "no_handler" })
      assert.deepStrictEqual(skipped["a"], { reason: "dependency", task_id: "lost" })
      assert.strictEqual(skipped["bad"]?.reason, "failed")
    })
  )

  it.effect("ids that objects know by themselves are ids like others", () =>
    Effect.gen(function* () {
      const outcome = yield* TaskGraph.run(
        {
          graph_id: "ids",
          tasks: [
            { id: "constructor", kind: "boom" },
            { id: "toString", kind: "name" },
            { id: "valueOf", kind: "give", depends_on: ["toString"], inputs: { id: "${DEPS.toString.id}" } }
          ],
          semantic_outputs: { constructor: "constructor", valueOf: "valueOf" }
        },
        echo,
        null,
        { onFailure: "skip" }
      )
      assert.deepStrictEqual(Object.keys(outcome.semantic_outputs), ["valueOf"])
      assert.deepStrictEqual(outcome.results["valueOf"], { id: "toString" })
      assert.deepStrictEqual(Object.keys(outcome.skipped), ["constructor"])
    })
  )

  it.effect("a fallback stands in for the result", () =>
    Effect.gen(function* () {
      const { results, skipped } = yield* TaskGraph.run(
        {
          graph_id: "fallback",
          tasks: [
            { id: "a", kind: "boom", fallback: { value: [1, 2] } },
            { id: "b", kind: "boom", fallback: { on_error: "skip" } },
            { id: "c", kind: "give", depends_on: ["a", "b"], inputs: { a: "${DEPS.a}", b: "${DEPS.b.status}" } }
          ]
        },
        echo
      )
      assert.deepStrictEqual(results["c"], { a: [1, 2], b: "skipped" })
      assert.deepStrictEqual(Object.keys(skipped), ["a", "b"])
      const again = yield* Effect.flip(
        TaskGraph.run({ graph_id: "g", tasks: [{ id: "a", kind: "boom", fallback: "fail" }] }, echo)
      )
      assert.strictEqual(again._tag, "Boom")
    })
  )

  it.effect("a defect is not skipped", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(
        TaskGraph.run({ graph_id: "g", tasks: [{ id: "defect", optional: true }] }, echo, null, { onFailure: "skip" })
      )
      assert.isTrue(exit._tag === "Failure" && exit.cause.reasons.some((reason) => reason._tag === "Die"))
    })
  )

  it.effect("a task is tried again as it says, or as its handler says; a missing value is not", () =>
    Effect.gen(function* () {
      let tries = 0
      const flaky = (_: unknown, { run }: TaskGraph.TaskRun) =>
        Effect.suspend(() => (++tries, run.attempt < 3 ? Effect.fail("again") : Effect.succeed(run.attempt)))
      const handlers = TaskGraph.handlers({
        flaky,
        twice: TaskGraph.handler({ retry: Schedule.spaced(1000).pipe(Schedule.upTo({ times: 2 })) }, flaky)
      })
      const graph = (task: object) => ({ graph_id: "g", tasks: [{ id: "a", kind: "flaky", ...task }] })
      assert.deepStrictEqual((yield* TaskGraph.run(graph({ retries: 2 }), handlers)).results, { a: 3 })
      assert.strictEqual(yield* Effect.flip(TaskGraph.run(graph({ retries: 1 }), handlers)), "again")
      tries = 0
      const spaced = yield* Effect.forkChild(TaskGraph.run(graph({ kind: "twice" }), handlers))
      yield* TestClock.adjust(1999)
      assert.strictEqual(tries, 2)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual((yield* Fiber.join(spaced)).results, { a: 3 })
      tries = 0
      yield* Effect.flip(TaskGraph.run(graph({ retries: 5, inputs: { x: "${INIT.x}" } }), handlers))
      assert.strictEqual(tries, 0)
      assert.strictEqual(yield* Effect.flip(TaskGraph.run(graph({ kind: "twice", retries: 0 }), handlers)), "again")
      assert.strictEqual(tries, 1)
    })
  )

  it.effect("a try that takes too long fails with TimedOut", () =>
    Effect.gen(function* () {
      const handlers = TaskGraph.handlers({
        never: () => Effect.never,
        slow: TaskGraph.handler({ timeout: "5 seconds" }, () => Effect.never)
      })
      for (const [task, limit] of [
        [{ id: "never", timeout_ms: 50 }, 50],
        [{ id: "slow" }, 5000],
        [{ id: "slow", timeout_ms: 10 }, 10]
      ] as const) {
        const fiber = yield* Effect.forkChild(Effect.flip(TaskGraph.run({ graph_id: "g", tasks: [task] }, handlers)))
        yield* TestClock.adjust(limit)
        assert.deepStrictEqual(
          yield* Fiber.join(fiber),
          new TaskGraph.TaskError({ graph: "g", task: task.id, reason: { _tag: "TimedOut", limit } })
        )
      }
    })
  )
})

describe("approvals", () => {
  const graph = {
    graph_id: "pay",
    tasks: [
      { id: "sum", kind: "give", inputs: { eur: 20 } },
      {
        id: "pay",
        kind: "give",
        title: "Pay it",
        depends_on: ["sum"],
        inputs: { eur: "${DEPS.sum.eur}" },
        approval: { required: true, payload: { who: "boss" } }
      },
      { id: "comment", kind: "approval", depends_on: ["pay"] }
    ]
  }

  it.effect("a task waits for its approval, with its inputs shown", () =>
    Effect.gen(function* () {
      const flow = yield* TaskGraph.toFlow(graph, echo)
      const execution = yield* TriggerFlow.open(flow, null)
      const [question] = yield* execution.interrupts
      assert.strictEqual(question?.id, "task:pay")
      assert.deepStrictEqual(question?.payload, {
        task_id: "pay",
        kind: "give",
        title: "Pay it",
        inputs: { eur: 20 },
        payload: { who: "boss" }
      })
      yield* execution.answer(TaskGraph.Approval, { approved: true }, { id: "task:pay" })
      yield* execution.answer(TaskGraph.Approval, { approved: true, value: "well done" }, { id: "task:comment" })
      const { result } = yield* execution.close()
      const results = Option.map(result, (outcome) => outcome.results)
      assert.deepStrictEqual(results, Option.some({ sum: { eur: 20 }, pay: { eur: 20 }, comment: "well done" }))
    })
  )

  it.effect("a task that is not approved fails", () =>
    Effect.gen(function* () {
      const flow = yield* TaskGraph.toFlow(graph, echo)
      const execution = yield* TriggerFlow.open(flow, null)
      yield* execution.answer(TaskGraph.Approval, { approved: false, note: "too much" }, { id: "task:pay" })
      const error = yield* Effect.flip(execution.await)
      assert.deepStrictEqual(
        error,
        new TaskGraph.TaskError({ graph: "pay", task: "pay", reason: { _tag: "NotApproved", note: "too much" } })
      )
    })
  )

  it.effect("a run that nobody can answer says so", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(TaskGraph.run(graph, echo))
      assert.strictEqual(error._tag === "FlowError" && error.reason._tag, "Paused")
    })
  )
})

describe("as a flow", () => {
  it.effect("the stream tells what starts, completes, fails and is skipped, and fields of models", () =>
    Effect.gen(function* () {
      const handlers = TaskGraph.merge(
        echo,
        TaskGraph.handlers({
          model: (_, task) =>
            Effect.gen(function* () {
              yield* task.field({ path: "title", value: "He", delta: "He", isComplete: false })
              yield* task.field({ path: "title", value: "Hello", isComplete: true })
              return { title: "Hello" }
            })
        })
      )
      const flow = yield* TaskGraph.toFlow(
        {
          graph_id: "s",
          tasks: [
            { id: "m", kind: "model" },
            { id: "x", kind: "boom", depends_on: ["m"] },
            { id: "y", kind: "give", depends_on: ["x"] }
          ]
        },
        handlers,
        { onFailure: "skip" }
      )
      const items = yield* Stream.runCollect(TriggerFlow.runStream(flow, null))
      const error = { name: "Boom", message: '{"_tag":"Boom","at":"x"}' }
      const m = { type: "task_dag.task", graph_id: "s", task_id: "m" }
      const field = { type: "task_dag.model_field", graph_id: "s", task_id: "m", path: "title" }
      const x = { ...m, task_id: "x" }
      assert.deepStrictEqual<ReadonlyArray<unknown>>(items, [
        { ...m, action: "start", attempt: 1 },
        { ...field, value: "He", delta: "He", done: false },
        { ...field, value: "Hello", done: true },
        { ...m, action: "complete", result: { title: "Hello" } },
        { ...x, action: "start", attempt: 1 },
        { ...x, action: "fail", error },
        { ...x, action: "skip", skipped: { reason: "failed", error } },
        { ...m, task_id: "y", action: "skip", skipped: { reason: "dependency", task_id: "x" } }
      ])
    })
  )

  it.effect("no more tasks are at work at once than the run allows", () =>
    Effect.gen(function* () {
      let active = 0
      let most = 0
      const handlers = TaskGraph.handlers({
        work: () =>
          Effect.gen(function* () {
            most = Math.max(most, ++active)
            yield* Effect.sleep(10)
            active--
          })
      })
      const tasks = Array.from({ length: 20 }, (_, index) => ({ id: `t${index}`, kind: "work" }))
      const fiber = yield* Effect.forkChild(TaskGraph.run({ graph_id: "g", tasks }, handlers, null, { concurrency: 3 }))
      yield* TestClock.adjust(1000)
      assert.strictEqual(Object.keys((yield* Fiber.join(fiber)).results).length, 20)
      assert.strictEqual(most, 3)
    })
  )

  it.effect("interrupting the run interrupts its tasks; cancelling the execution too", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const handlers = TaskGraph.handlers({
        never: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted++))
      })
      const graph = { graph_id: "g", tasks: [{ id: "never" }, { id: "other", kind: "never" }] }
      const fiber = yield* Effect.forkChild(TaskGraph.run(graph, handlers), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(interrupted, 2)
      const execution = yield* TriggerFlow.open(yield* TaskGraph.toFlow(graph, handlers), null)
      yield* Effect.yieldNow
      assert.strictEqual((yield* execution.cancel()).status, "cancelled")
      assert.strictEqual(interrupted, 4)
    })
  )

  it.effect("one flow can run many times at once, each with its own input", () =>
    Effect.gen(function* () {
      const flow = yield* TaskGraph.toFlow(
        { graph_id: "g", tasks: [{ id: "a", kind: "give", inputs: { n: "${INIT}" } }], semantic_outputs: { n: "a" } },
        echo
      )
      const outcomes = yield* Effect.forEach([1, 2, 3], (n) => TriggerFlow.runResult(flow, n), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        outcomes.map(({ results }) => results["a"]),
        [{ n: 1 }, { n: 2 }, { n: 3 }]
      )
    })
  )

  it.effect("a graph can be a part of another flow, which hears its questions", () =>
    Effect.gen(function* () {
      const graph = yield* TaskGraph.toFlow(
        {
          graph_id: "inner",
          tasks: [
            { id: "pay", kind: "give", approval: true, inputs: { eur: "${INIT}" } },
            { id: "note", kind: "name", depends_on: ["pay"] }
          ],
          semantic_outputs: { paid: "pay" }
        },
        echo
      )
      const Bill = TriggerFlow.define("bill", { input: Schema.Number, result: Schema.Unknown })
      const bill = Bill.build(
        Bill.start.pipe(
          Chain.to("double", (eur) => Effect.succeed(eur * 2)),
          Chain.subFlow(graph),
          Chain.to("take", ({ semantic_outputs: outputs }) => Effect.succeed(outputs["paid"]?.result)),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.open(bill, 10)
      const [question] = yield* execution.interrupts
      assert.strictEqual(question?.interrupt, "TaskApproval")
      yield* execution.answerJson(question?.id ?? "", { approved: true })
      assert.deepStrictEqual((yield* execution.close()).result, Option.some({ eur: 20 }))
    })
  )

  it.effect("the flow of a graph is found in order, and is drawn with its dependencies", () =>
    Effect.gen(function* () {
      const flow = yield* TaskGraph.toFlow(
        {
          graph_id: "g",
          tasks: [
            { id: "a", kind: "name" },
            { id: "b", kind: "name" },
            { id: "c", kind: "give", depends_on: ["a", "b"] }
          ]
        },
        echo
      )
      assert.strictEqual(yield* TriggerFlow.check(flow), flow)
      const drawn = Mermaid.toMermaid(flow)
      for (const edge of ['-.->|"a"|', '-.->|"b"|']) assert.include(drawn, edge)
    })
  )

  it.effect("an input that is no JSON is refused", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        TaskGraph.run({ graph_id: "g", tasks: [{ id: "nothing" }] }, echo, { at: new Date(0) })
      )
      assert.strictEqual(error._tag === "FlowError" && error.reason._tag, "ContractViolation")
    })
  )
})
