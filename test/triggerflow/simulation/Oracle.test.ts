import { assert, describe, it } from "@effect/vitest"
import { constant, emit, fail, heard, list, on, pause, plus, program, put, sleep, start, to } from "./Build.ts"
import { compare, type Observed } from "./Compare.ts"
import { generate } from "./Generate.ts"
import { expected, type Expected, sample } from "./Oracle.ts"
import { type Chain, type Chunk, type Instruction, type Node, print, type Program } from "./Program.ts"
import { Random } from "./Random.ts"
import { shrink } from "./Shrink.ts"

const runsOf = (found: Expected, chunk: string): ReadonlyArray<string> =>
  found.runs
    .filter((run) => run.chunk === chunk)
    .map(({ input, start, end, outcome }) => `${JSON.stringify(input)} ${start}-${end} ${outcome}`)

const inputOf = (found: Expected, chunk: string): ReadonlyArray<unknown> =>
  found.runs.filter((run) => run.chunk === chunk).map(({ input }) => input)

describe("the oracle", () => {
  it("gives the output of a chunk to the next one", () => {
    const found = expected(program([start(to("a", [], plus(1)), to("b", [], plus(10)))]))
    assert.deepStrictEqual(runsOf(found, "b"), ["4 0-0 value 14"])
    assert.strictEqual(found.status, "completed")
  })

  it("gives a batch the same input and keeps the order of its branches", () => {
    const batch: Node = { kind: "batch", branches: [[to("one", [sleep(5)], plus(1))], [to("two", [], plus(10))]] }
    const found = expected(program([start(batch, to("end"))]))
    assert.deepStrictEqual(inputOf(found, "end"), [{ b0: 4, b1: 13 }])
    assert.deepStrictEqual(runsOf(found, "end").length, 1)
    assert.strictEqual(found.runs.at(-1)?.start, 5)
  })

  it("keeps the order of items, takes a single value for one item and gives [] for []", () => {
    const forEach: Node = { kind: "forEach", body: [to("item", [], plus(1))], onError: "fail" }
    const of = (length: number) =>
      inputOf(expected(program([start(to("l", [], list(length, plus(0))), forEach, to("end"))])), "end")
    assert.deepStrictEqual(of(3), [[4, 7, 10]])
    assert.deepStrictEqual(of(0), [[]])
    assert.deepStrictEqual(inputOf(expected(program([start(forEach, to("end"))])), "end"), [[4]])
  })

  it("runs an item's whole body, pauses included, before the next where one may be at work", () => {
    const body = [to("a", [], pause()), to("b", [sleep(5)])]
    const forEach: Node = { kind: "forEach", body, onError: "fail", concurrency: 1 }
    const found = expected(program([start(to("l", [], list(2, constant(0))), forEach)]))
    assert.deepStrictEqual(runsOf(found, "a"), ["0 0-0 pause 0", "3 15-15 pause 3"])
    assert.deepStrictEqual(runsOf(found, "b"), ["7 10-15 value 7", "7 25-30 value 7"])
  })

  it("lends the permit of a handler that waits for its emit", () => {
    const chains = [
      start(to("a", [sleep(2), emit("A"), sleep(2)])),
      start(to("b", [sleep(4)])),
      on("A", to("c", [sleep(8)]))
    ]
    const found = expected(program(chains, { concurrency: 1 }))
    assert.deepStrictEqual(runsOf(found, "b"), ["3 2-6 value 3"])
    assert.deepStrictEqual(runsOf(found, "c"), ["0 6-14 value 0"])
    assert.deepStrictEqual(runsOf(found, "a"), ["3 0-16 value 3"])
  })

  it("takes the first case or all, the raw output of otherwise, or passes the input on", () => {
    const cases = [
      { every: 3, effect: false, then: [to("x", [], constant(1))] },
      { is: 3, effect: true, then: [to("y", [], constant(2))] }
    ]
    const end = (node: Node, input = 3) => inputOf(expected(program([start(node, to("end"))], { input })), "end")
    assert.deepStrictEqual(end({ kind: "match", cases, mode: "first" }), [1])
    assert.deepStrictEqual(end({ kind: "match", cases, mode: "all" }), [[1, 2]])
    assert.deepStrictEqual(end({ kind: "match", cases, mode: "all" }, 4), [4])
    assert.deepStrictEqual(end({ kind: "match", cases, mode: "all", otherwise: [to("z", [], constant(9))] }, 4), [9])
  })

  it("repeats a loop while its condition holds", () => {
    const loop: Node = { kind: "loop", body: [to("round", [], plus(1))], rounds: 5, every: 7, effect: false }
    assert.deepStrictEqual(inputOf(expected(program([start(loop, to("end"))])), "end"), [7])
  })

  it("runs a side branch beside the chain; an emit waits for it", () => {
    const chains = [
      start(to("a", [emit("A", constant(1))]), to("b")),
      on("A", { kind: "side", body: [to("s", [sleep(9)])] }, to("m"))
    ]
    const found = expected(program(chains))
    assert.deepStrictEqual(runsOf(found, "m"), ["1 0-0 value 1"])
    assert.deepStrictEqual(runsOf(found, "b"), ["3 9-9 value 3"])
  })

  it("fires an all-gate with the last values and starts it anew", () => {
    const emits = [
      emit("A", constant(1)),
      emit("A", constant(11)),
      emit("B", constant(2)),
      emit("B", constant(22)),
      emit("A", constant(3))
    ]
    const gate: Chain = {
      trigger: {
        on: "all",
        of: [
          { on: "signal", signal: "A" },
          { on: "signal", signal: "B" }
        ],
        scope: "root"
      },
      nodes: [to("g")]
    }
    const found = expected(program([start(to("a", emits)), gate]))
    assert.deepStrictEqual(inputOf(found, "g"), [
      { s0: 11, s1: 2 },
      { s0: 3, s1: 22 }
    ])
  })

  it("keeps signals from outside apart from each other, and joins them with what the start caused", () => {
    const of = [
      { on: "signal", signal: "A" },
      { on: "signal", signal: "B" }
    ] as const
    const gate = (scope: "root" | "execution"): Program =>
      program(
        [
          start(to("a")),
          on("B", to("b")),
          on("X", to("x", [emit("A", plus(0))])),
          { trigger: { on: "all", of, scope }, nodes: [to("g")] }
        ],
        {
          signals: ["A", "B", "X"].map((name) => ({ name, reply: false })),
          outside: [
            { at: 1.1, act: "emit", signal: "X", value: 1 },
            { at: 2.1, act: "emit", signal: "B", value: 2 }
          ]
        }
      )
    assert.deepStrictEqual(inputOf(expected(gate("root")), "g"), [])
    assert.deepStrictEqual(inputOf(expected(gate("execution")), "g"), [{ s0: 1, s1: 2 }])
  })

  it("lets a collector give every later value, or start anew", () => {
    const bring = (branch: string, value: number): ReadonlyArray<Node> => [
      to(`${branch}${value}`, [], constant(value)),
      { kind: "collect", collector: "C", branch }
    ]
    const nodes = [...bring("x", 1), ...bring("y", 1), ...bring("x", 2), ...bring("y", 2)]
    const of = (mode: "reset" | "update") =>
      inputOf(
        expected(
          program([start(...nodes), { trigger: { on: "collector", collector: "C" }, nodes: [to("c")] }], {
            collectors: [{ name: "C", branches: ["x", "y"], mode }]
          })
        ),
        "c"
      )
    assert.deepStrictEqual(of("update"), [
      { x: 1, y: 1 },
      { x: 2, y: 1 },
      { x: 2, y: 2 }
    ])
    assert.deepStrictEqual(of("reset"), [
      { x: 1, y: 1 },
      { x: 2, y: 2 }
    ])
  })

  it("fails the execution with the error of a chunk and interrupts what is at work", () => {
    const found = expected(
      program([start(to("a", [sleep(5), fail])), start(to("b", [sleep(9)])), start(to("c", [sleep(2), put(1)]))])
    )
    assert.strictEqual(found.status, "failed")
    assert.deepStrictEqual(found.failures, ["a:3"])
    assert.deepStrictEqual(runsOf(found, "b"), ["3 0-5 interrupted"])
    assert.deepStrictEqual(
      found.items.map(({ time }) => time),
      [2]
    )
  })

  it("drops the failed thread alone under the policy continue", () => {
    const chains = [
      start({ kind: "batch", branches: [[to("a", [fail])], [to("b", [sleep(5)])]] }, to("end")),
      start(to("c", [sleep(7)]))
    ]
    const found = expected(program(chains, { failures: "continue" }))
    assert.strictEqual(found.status, "completed")
    assert.deepStrictEqual(runsOf(found, "b"), ["3 0-5 value 3"])
    assert.deepStrictEqual(runsOf(found, "end"), [])
  })

  it("leaves out or collects the items that fail, and interrupts what else is at work in them", () => {
    const of = (onError: "skip" | "collect") => {
      const body = [to("i", [{ op: "fail", every: 2, attempts: 99, defect: false }], plus(1))]
      return inputOf(
        expected(program([start(to("l", [], list(2, constant(2))), { kind: "forEach", body, onError }, to("end"))])),
        "end"
      )
    }
    assert.deepStrictEqual(of("skip"), [[6]])
    assert.deepStrictEqual(of("collect"), [
      [
        { _tag: "error", code: "i:2" },
        { _tag: "ok", value: 6 }
      ]
    ])
  })

  it("keeps a failure below emitExit, and waits for what has to stop; catch takes the failure of its handler alone", () => {
    const chains = (a: Chunk) => [
      start(a, to("end")),
      on("A", to("b", [sleep(5), fail])),
      on("A", to("c", [{ op: "linger", ms: 4 }, sleep(20)]))
    ]
    const exit = expected(program(chains(to("a", [emit("A", constant(0), "emitExit")]))))
    assert.strictEqual(exit.status, "completed")
    assert.deepStrictEqual(runsOf(exit, "c"), ["0 0-9 interrupted"])
    assert.deepStrictEqual(runsOf(exit, "end"), ["3 9-9 value 3"])
    const below = expected(program(chains(to("a", [emit("A")], plus(0), { catch: constant(42) }))))
    assert.strictEqual(below.status, "failed")
    const caught = expected(program([start(to("a", [fail], plus(0), { catch: constant(42) }), to("end"))]))
    assert.deepStrictEqual(runsOf(caught, "end"), ["42 0-0 value 42"])
  })

  it("tries again without what the failed try had written", () => {
    const once: Instruction = { op: "fail", every: 1, attempts: 1, defect: false }
    const found = expected(program([start(to("a", [put(1), once], plus(0), { retry: { times: 1, ms: 5 } }))]))
    assert.deepStrictEqual(runsOf(found, "a"), ["3 0-0 error a:3", "3 5-5 value 3"])
    assert.deepStrictEqual(
      found.items.map(({ time }) => time),
      [5]
    )
  })

  it("goes on with the answer, or runs the chunk again with it", () => {
    assert.deepStrictEqual(runsOf(expected(program([start(to("a", [], pause()), to("b"))])), "b"), ["7 10-10 value 7"])
    const self = expected(program([start(to("a", [], pause({ to: "self", payload: heard })), to("b"))]))
    assert.deepStrictEqual(runsOf(self, "a"), ["3 0-0 pause 0", "3 10-10 value 8"])
    assert.deepStrictEqual(inputOf(self, "b"), [8])
  })

  it("emits the signal of a pause with the answer; the chain ends there", () => {
    const found = expected(program([start(to("a", [], pause({ to: { signal: "A" } })), to("b")), on("A", to("c"))]))
    assert.deepStrictEqual(runsOf(found, "b"), [])
    assert.deepStrictEqual(runsOf(found, "c"), ["7 10-10 value 7"])
  })

  it("gives replies in the order of the chains", () => {
    const chains = [
      start(to("a", [emit("A", constant(1))], heard)),
      on("A", to("b", [sleep(5)], constant(2))),
      on("A", to("c", [], constant(3)))
    ]
    const signals = [{ name: "A", reply: true }]
    const swapped = chains.with(1, chains[2] ?? start()).with(2, chains[1] ?? start())
    const replied = (all: ReadonlyArray<Chain>) => runsOf(expected(program(all, { signals })), "a")
    assert.notDeepEqual(replied(chains), replied(swapped))
  })

  it("makes writes visible together, and tells listeners of each", () => {
    const writes: ReadonlyArray<Instruction> = [
      { op: "append", key: "l0", value: constant(1), silent: false },
      sleep(5),
      { op: "append", key: "l0", value: constant(2), silent: false },
      { op: "delete", key: "c0", silent: false },
      { op: "set", key: "c1", value: constant(4), silent: true }
    ]
    const found = expected(
      program([
        start(to("a", writes)),
        { trigger: { on: "state", key: "l0" }, nodes: [to("l")] },
        { trigger: { on: "state", key: "c0" }, nodes: [to("d")] },
        { trigger: { on: "state", key: "c1" }, nodes: [to("s")] }
      ])
    )
    assert.deepStrictEqual(
      found.runs.filter(({ chunk }) => chunk === "l").map(({ start }) => start),
      [5, 5]
    )
    assert.deepStrictEqual(inputOf(found, "l"), [[1], [1, 2]])
    assert.deepStrictEqual(inputOf(found, "d"), [])
    assert.deepStrictEqual(inputOf(found, "s"), [])
    assert.strictEqual(found.state["c1"], 4)
  })

  it("refuses signals after seal and lets inner work go on", () => {
    const found = expected(
      program([on("A", to("a", [sleep(9), emit("B")])), on("B", to("b"))], {
        outside: [
          { at: 1.1, act: "emit", signal: "A", value: 1 },
          { at: 2.1, act: "seal" },
          { at: 3.1, act: "emit", signal: "A", value: 2 }
        ]
      })
    )
    assert.deepStrictEqual(inputOf(found, "a"), [1])
    assert.strictEqual(inputOf(found, "b").length, 1)
  })

  it("says what two writers at one instant leave open", () => {
    const set = (value: number): Instruction => ({ op: "set", key: "c0", value: constant(value), silent: false })
    const add: Instruction = { op: "update", key: "n0", value: constant(1), silent: false }
    const found = expected(program([start(to("a", [set(1), add])), start(to("b", [set(2), add]))]))
    assert.isTrue(found.exact)
    assert.deepStrictEqual([...found.tainted], ["c0"])
    assert.strictEqual(found.state["n0"], 2)
    const read = expected(program([start(to("a", [set(1)])), start(to("b", [{ op: "read", key: "c0" }]))]))
    assert.isFalse(read.exact)
  })

  it("says what may have happened beside a failure", () => {
    const found = expected(
      program([
        start(to("a", [sleep(5), fail])),
        start(to("b", [sleep(5), put(1)])),
        start(to("c", [sleep(6), put(1)]))
      ])
    )
    assert.deepStrictEqual(
      found.items.map(({ chunk, maybe }) => `${chunk} ${maybe}`),
      ["b true"]
    )
    assert.deepStrictEqual(
      found.runs.map(({ chunk, endMaybe }) => `${chunk} ${endMaybe}`),
      ["a false", "b true", "c false"]
    )
  })
})

const observe = (found: Expected): Observed => ({
  status: found.status,
  failure: found.failures[0],
  runs: found.runs,
  items: found.items,
  state: found.state,
  result: found.result
})

describe("the oracle over random programs", () => {
  const seeds = Array.from({ length: 1000 }, (_, seed) => seed)

  it("foretells most of them, and most of these to the millisecond", () => {
    const found = seeds.map((seed) => expected(generate(seed)))
    assert.isAbove(found.filter(({ exact }) => exact).length, 0.8 * seeds.length)
    assert.isAbove(found.filter(({ exact, timed }) => exact && timed).length, 0.7 * seeds.length)
    for (const status of ["completed", "failed", "cancelled"] as const)
      assert.isAbove(found.filter((one) => one.status === status).length, 0.02 * seeds.length)
  })

  it("foretells what threads do that take turns at random", () => {
    for (const seed of seeds) {
      const program = generate(seed)
      const found = expected(program)
      for (let way = 0; way < 3; way++) {
        const problems = compare(found, observe(sample(program, new Random(seed * 31 + way))))
        assert.deepStrictEqual(problems, [], print(program))
      }
    }
  })

  it("notices a run, an item, a value or an end that is missing, changed or too many", () => {
    let noticed = 0
    for (const seed of seeds.slice(0, 300)) {
      const program = generate(seed)
      const found = expected(program)
      const [run] = found.runs
      if (!found.exact || run === undefined || run.startMaybe || run.endMaybe) continue
      const seen = observe(found)
      const wrong: ReadonlyArray<Observed> = [
        { ...seen, runs: seen.runs.slice(1) },
        { ...seen, runs: [...seen.runs, run] },
        { ...seen, runs: seen.runs.with(0, { ...run, outcome: "value 999" }) },
        { ...seen, runs: seen.runs.with(0, { ...run, input: "another" }) },
        { ...seen, status: found.status === "failed" ? "completed" : "failed" },
        { ...seen, items: [...seen.items, { chunk: "h0", value: 1000, time: 0 }] },
        ...(found.tainted.has("n0") ? [] : [{ ...seen, state: { ...seen.state, n0: -1 } }])
      ]
      for (const one of wrong) assert.isNotEmpty(compare(found, one))
      noticed++
    }
    assert.isAbove(noticed, 200)
  })

  it("makes a failing program small", () => {
    const hasFork = (program: Program) => JSON.stringify(program.chains).includes("emitFork")
    const large = seeds.map(generate).filter(hasFork)
    assert.isNotEmpty(large)
    for (const program of large.slice(0, 20)) {
      const small = shrink(program, hasFork)
      assert.isTrue(hasFork(small))
      assert.isAtMost(print(small).split("\n").length - small.signals.length, 3, print(small))
    }
  })
})
