// Random task graphs against what a plain sequential evaluation gives; and how the time grows with the graph.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { TaskGraph } from "effigent/triggerflow"

interface Node {
  /** Places, among the tasks before it, of what it depends on. */
  readonly on: ReadonlyArray<number>
  readonly fails: boolean
  readonly optional: boolean
  readonly waits: number
}

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const Drawn = Schema.Struct({
  on: Schema.Array(between(0, 1000)).check(Schema.isMaxLength(4)),
  fails: Schema.Boolean,
  optional: Schema.Boolean,
  waits: between(0, 3)
})
const Graphs = Schema.Array(Drawn).check(Schema.isMinLength(1), Schema.isMaxLength(30))

const graphOf = (drawn: typeof Graphs.Type): ReadonlyArray<Node> =>
  drawn.map((one, index) => ({ ...one, on: index === 0 ? [] : [...new Set(one.on.map((at) => at % index))] }))

const Seed = between(0, 100_000)
const runs = { arbitrary: { runs: 150 } }

const source = (nodes: ReadonlyArray<Node>, seed: number): TaskGraph.Source => {
  const tasks = nodes.map(({ on, optional }, index) => ({
    id: `t${index}`,
    kind: "sum",
    optional,
    depends_on: on.map((at) => `t${at}`),
    inputs: { of: on.map((at) => `\${DEPS.t${at}}`), start: "${INIT}" }
  }))
  // Not in an order in which they could run.
  const shift = seed % tasks.length
  return { graph_id: "random", tasks: [...tasks.slice(shift), ...tasks.slice(0, shift)].toReversed() }
}

const Sum = Schema.Struct({ of: Schema.Array(Schema.Number), start: Schema.Number })

// What the same graph gives one task after the other.
const expected = (nodes: ReadonlyArray<Node>, start: number, fails: boolean) => {
  const results: Record<string, number> = {}
  const skipped: Record<string, string> = {}
  nodes.forEach((one, index) => {
    const blocked = one.on.find((at) => skipped[`t${at}`] !== undefined)
    if (blocked !== undefined) skipped[`t${index}`] = `t${blocked}`
    else if (fails && one.fails) skipped[`t${index}`] = "failed"
    else results[`t${index}`] = one.on.reduce((sum, at) => sum + (results[`t${at}`] ?? NaN), start + index) % 9973
  })
  return { results, skipped }
}

const handlersOf = (nodes: ReadonlyArray<Node>, fails: boolean, log: Array<string>) =>
  TaskGraph.handlers({
    sum: TaskGraph.handler({ inputs: Sum }, ({ of, start }, { task }) =>
      Effect.gen(function* () {
        const index = Number(task.id.slice(1))
        const one = nodes[index]
        log.push(`start ${task.id}`)
        for (let wait = one?.waits ?? 0; wait > 0; wait--) yield* Effect.yieldNow
        log.push(`end ${task.id}`)
        if (fails && one?.fails === true) return yield* Effect.fail("boom" as const)
        return of.reduce((sum, part) => sum + part, start + index) % 9973
      })
    )
  })

describe("random graphs", () => {
  it.effect.prop(
    "every task runs once, after its dependencies, and gives what it gives one after the other",
    [Graphs, Seed, between(1, 4)],
    ([drawn, seed, limit]) =>
      Effect.gen(function* () {
        const nodes = graphOf(drawn)
        const log: Array<string> = []
        const { results, skipped } = yield* TaskGraph.run(
          source(nodes, seed),
          handlersOf(nodes, false, log),
          seed % 100,
          limit === 4 ? {} : { concurrency: limit }
        )
        assert.deepStrictEqual({ ...results }, expected(nodes, seed % 100, false).results)
        assert.deepStrictEqual(skipped, {})
        assert.strictEqual(log.length, nodes.length * 2)
        assert.strictEqual(new Set(log).size, log.length)
        nodes.forEach(({ on }, index) => {
          for (const at of on) assert.isBelow(log.indexOf(`end t${at}`), log.indexOf(`start t${index}`))
        })
      }),
    runs
  )

  it.effect.prop(
    "where failures are skipped, exactly what depends on them is",
    [Graphs, Seed],
    ([drawn, seed]) =>
      Effect.gen(function* () {
        const nodes = graphOf(drawn)
        const outcome = yield* TaskGraph.run(source(nodes, seed), handlersOf(nodes, true, []), 0, { onFailure: "skip" })
        const wanted = expected(nodes, 0, true)
        assert.deepStrictEqual({ ...outcome.results }, wanted.results)
        const skipped = Object.entries(outcome.skipped).map(([id, why]) => [
          id,
          why.reason === "dependency" ? why.task_id : why.reason
        ])
        assert.deepStrictEqual(Object.fromEntries(skipped), wanted.skipped)
      }),
    runs
  )

  it.effect.prop(
    "a graph that depends on itself anywhere is never run, and a cycle is told",
    [Graphs, Seed, Seed],
    ([drawn, first, second]) =>
      Effect.gen(function* () {
        const nodes = graphOf(drawn)
        const from = first % nodes.length
        const to = from + (second % (nodes.length - from))
        // `to` waits for `from`, and `from` for `to`.
        const looped = nodes.map((one, index) => ({
          ...one,
          on: [...one.on, ...(index === to ? [from] : []), ...(index === from ? [to] : [])]
        }))
        const log: Array<string> = []
        const error = yield* Effect.flip(TaskGraph.run(source(looped, first), handlersOf(looped, false, log), 0))
        const findings = error !== "boom" && error._tag === "InvalidGraph" ? error.findings : []
        const cycle = findings.find(({ problem }) => problem.includes(" -> "))
        const path = cycle?.problem.split(": ")[1]?.split(" -> ") ?? []
        assert.isAtLeast(path.length, 2)
        assert.strictEqual(path[0], path.at(-1))
        // Each is a dependency of the next.
        path.slice(1).forEach((id, index) => {
          assert.isTrue(looped[Number(id.slice(1))]?.on.some((at) => `t${at}` === path[index]))
        })
        assert.deepStrictEqual(log, [])
      }),
    runs
  )
})

describe("size", () => {
  const layered = (count: number, each: number): TaskGraph.Source => ({
    graph_id: "large",
    tasks: Array.from({ length: count }, (_, index) => ({
      id: `t${index}`,
      kind: "sum",
      depends_on: Array.from({ length: Math.min(index, each) }, (_, back) => `t${index - 1 - back}`),
      inputs: { of: index === 0 ? [] : [`\${DEPS.t${index - 1}}`], start: "${INIT}" }
    }))
  })
  const nodes: ReadonlyArray<Node> = []

  it.live("1,000 tasks with 10 dependencies each run well under a second", () =>
    Effect.gen(function* () {
      let best = Infinity
      for (let round = 0; round < 3; round++) {
        const began = performance.now()
        const { results } = yield* TaskGraph.run(layered(1000, 10), handlersOf(nodes, false, []), 0)
        best = Math.min(best, performance.now() - began)
        assert.strictEqual(Object.keys(results).length, 1000)
      }
      assert.isBelow(best, 1000)
    })
  )

  it.live("a row of 2,000 tasks and a fan of 2,000 leaves keep the stack flat", () =>
    Effect.gen(function* () {
      const row = yield* TaskGraph.run(layered(2000, 1), handlersOf(nodes, false, []), 0)
      assert.strictEqual(Object.keys(row.results).length, 2000)
      const fan = yield* TaskGraph.run(
        {
          graph_id: "fan",
          tasks: [
            { id: "t0", kind: "sum", inputs: { of: [], start: 0 } },
            ...Array.from({ length: 2000 }, (_, index) => ({
              id: `t${index + 1}`,
              kind: "sum",
              depends_on: ["t0"],
              inputs: { of: [], start: 1 }
            }))
          ]
        },
        handlersOf(nodes, false, [])
      )
      assert.strictEqual(Object.keys(fan.results).length, 2001)
    })
  )
})
