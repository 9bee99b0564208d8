import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Chain from "../../src/triggerflow/Chain.ts"
import { check } from "../../src/triggerflow/definition/Check.ts"
import * as TriggerFlow from "../../src/triggerflow/Flow.ts"
import { InvalidDefinition } from "../../src/triggerflow/FlowError.ts"
import * as Interrupt from "../../src/triggerflow/Interrupt.ts"
import type { ChainData, FlowData, Node, SingleTrigger } from "../../src/triggerflow/Node.ts"
import * as Signal from "../../src/triggerflow/Signal.ts"
import * as Trigger from "../../src/triggerflow/Trigger.ts"
import { Tape, tapes } from "../parse/support.ts"
import { make } from "./definitions.ts"

const Paid = Signal.make("Paid", Schema.Int)
const Other = Signal.make("Other", Schema.Int)
const Ask = Interrupt.make("Ask", { payload: Schema.Int, resume: Schema.Int })
const handler = () => Effect.succeed(1)

const Order = TriggerFlow.define("order", {
  input: Schema.Int,
  state: Schema.Struct({ words: Schema.String, n: Schema.Int }),
  initial: { words: "", n: 0 },
  signals: [Paid]
})

const chunk = (name: string, settings = {}): Node => ({ kind: "chunk", name, handler, settings })
const start = (...body: ReadonlyArray<Node>): ChainData => ({ trigger: { _tag: "start" }, body })
const on = (trigger: ChainData["trigger"], ...body: ReadonlyArray<Node>): ChainData => ({ trigger, body })
const onChunk = (name: string): SingleTrigger => ({ _tag: "chunk", chunk: name })
const onPaid: SingleTrigger = { _tag: "signal", signal: Paid }
const flow = (...chains: ReadonlyArray<ChainData>): FlowData => ({ contract: Order.data, chains })
const problems = (data: FlowData) => check(data).map(({ at, problem }) => `${at}: ${problem}`)

const finds = (data: FlowData, ...expected: ReadonlyArray<string>) => assert.deepStrictEqual(problems(data), expected)

describe("a definition that can be run", () => {
  it("has no findings", () => {
    const prep = Order.chunk("prep", (n: number) => Effect.succeed(n + 1))
    const parts = Trigger.collector("Parts", { a: Schema.Int, b: Schema.Int })
    const sub = TriggerFlow.define("sub", { input: Schema.Int })
    const child = sub.build(sub.start.pipe(Chain.to("x", handler)))
    const good = Order.build(
      Order.start.pipe(
        Chain.to(prep),
        Chain.batch(
          {
            a: (c) => c.pipe(Chain.collect(parts, "a")),
            b: (c) => c.pipe(Chain.collect(parts, "b"))
          },
          { concurrency: 1 }
        ),
        Chain.subFlow(child, { capture: () => 1 }),
        Chain.subFlow(child, { capture: () => 2 })
      ),
      Order.on(prep).pipe(Chain.to("after", handler)),
      Order.on(parts).pipe(Chain.to("both", handler)),
      Order.on(Order.state("words")).pipe(Chain.to("changed", handler)),
      Order.on(Trigger.oneOf([Paid, prep])).pipe(Chain.to("either", handler)),
      Order.on(Trigger.all({ paid: Paid, n: Order.state("n") }, { by: { paid: String, n: String } })).pipe(
        Chain.to("joined", handler)
      )
    )
    finds(good.data)
  })

  it.effect.prop(
    "passes, whatever operators it is made of",
    [tapes],
    ([numbers]) => Effect.sync(() => finds(make(new Tape(numbers)).flow)),
    { arbitrary: { runs: 300 } }
  )
})

describe("names", () => {
  it("one chunk used twice, and names that two steps share, are reported once each", () => {
    const prep = Order.chunk("prep", handler)
    const twice = Order.build(
      Order.start.pipe(Chain.to(prep), Chain.to("x", handler), Chain.interventionPoint("x")),
      Order.on(Paid).pipe(Chain.to(prep))
    )
    finds(
      twice.data,
      'prep: The name "prep" stands for 2 steps: a chunk in start, a chunk in on:Paid',
      'x: The name "x" stands for 2 steps: a chunk in start, a point in start'
    )
  })

  it("a step value that stands in two chains is reported", () => {
    const base = Order.on(Paid).pipe(Chain.side((c) => c))
    finds(
      Order.build(base.pipe(Chain.to("a", handler)), base.pipe(Chain.to("b", handler))).data,
      "on:Paid/side: One side step stands in several places: on:Paid, on:Paid#2"
    )
  })

  it("signals, interrupts and collectors with one name are reported", () => {
    const a = Trigger.collector("Parts", { a: Schema.Int }).collector
    const b = Trigger.collector("Parts", { a: Schema.Int }).collector
    const data: FlowData = {
      contract: { ...Order.data, signals: [Paid, Signal.make("Paid", Schema.Int)], interrupts: [Ask, Ask] },
      chains: [start({ kind: "collect", collector: a, branch: "a" }, { kind: "collect", collector: b, branch: "a" })]
    }
    finds(
      data,
      'contract.signals: The signal "Paid" is listed more than once',
      'contract.interrupts: The interrupt "Ask" is listed more than once',
      'collector.Parts: Several collectors are called "Parts"'
    )
  })

  it("names of branches, cases and sources that records would move or lose are reported", () => {
    const match: Node = {
      kind: "match",
      name: "m",
      mode: "first",
      otherwise: undefined,
      cases: [
        { name: "10", test: { _tag: "is", value: 1 }, body: [] },
        { name: "", test: { _tag: "is", value: 2 }, body: [] },
        { name: "010", test: { _tag: "is", value: 3 }, body: [] }
      ]
    }
    const batch: Node = {
      kind: "batch",
      name: "b",
      concurrency: undefined,
      branches: [
        ["0", []],
        ["__proto__", []],
        ["same", []],
        ["same", []]
      ]
    }
    finds(
      flow(
        start(match, batch),
        on({ _tag: "all", of: [["7", onPaid]], by: undefined, scope: "root" }, chunk("a")),
        on({ _tag: "any", named: false, of: [["0", onPaid]] }, chunk("c"))
      ),
      'm: The case "10" is named by a number',
      "m: A case has an empty name",
      'b: There are several branches "same"',
      'b: The branch "0" is named by a number',
      'b: The branch "__proto__" has a name that records cannot hold',
      'on:all(Paid): The source "7" is named by a number'
    )
  })

  it("empty names are reported where they stand", () => {
    finds(
      { contract: { ...Order.data, name: "", signals: [Signal.make("", Schema.Int)] }, chains: [start(chunk(""))] },
      "contract.name: The flow has no name",
      "contract.signals: A signal has no name",
      "start: A chunk has an empty name"
    )
  })
})

describe("triggers", () => {
  it("what does not exist cannot be listened to", () => {
    finds(
      flow(
        start(chunk("a")),
        on({ _tag: "signal", signal: Other }, chunk("b")),
        on(onChunk("gone"), chunk("c")),
        on({ _tag: "state", key: "wrods" }, chunk("d"))
      ),
      'on:Other: The signal "Other" is not in the contract',
      'on:chunk.gone: No chunk of the flow is called "gone"',
      'on:state.wrods: The state has no field "wrods"'
    )
    assert.strictEqual(check(flow(start(), on({ _tag: "state", key: "x" })))[0]?.fix, 'Listen to one of "words", "n"')
  })

  it("another signal of the same name is not the one of the contract", () => {
    finds(
      flow(on({ _tag: "signal", signal: Signal.make("Paid", Schema.String) }, chunk("a"))),
      'on:Paid: The contract has another signal that is called "Paid"'
    )
  })

  it("a state whose fields are not listed can be listened to under any name", () => {
    const state = Schema.Record(Schema.String, Schema.Int)
    finds({
      contract: { ...Order.data, state, initial: {} },
      chains: [start(chunk("a")), on({ _tag: "state", key: "any" }, chunk("b"))]
    })
  })

  it("gates are made of single sources, each with its key", () => {
    // Such data cannot be built with types.
    const compound = { _tag: "any", named: true, of: [["x", onPaid]] } as unknown as SingleTrigger
    finds(
      flow(
        start(),
        on({ _tag: "any", named: true, of: [] }),
        on({
          _tag: "any",
          named: true,
          of: [
            ["nested", compound],
            ["lost", onChunk("z")]
          ]
        }),
        on({
          _tag: "all",
          of: [
            ["p", onPaid],
            ["q", onPaid]
          ],
          by: { p: () => "", r: () => "" },
          scope: "root"
        })
      ),
      'on:any(): The trigger "any" has no sources',
      'on:any(any(Paid),chunk.z): The source "nested" is the trigger "any"',
      'on:any(any(Paid),chunk.z): No chunk of the flow is called "z"',
      'on:all(Paid,Paid): "by" gives no key for "q"',
      'on:all(Paid,Paid): "by" gives keys for "r", which are no sources'
    )
  })
})

describe("collectors", () => {
  const { collector } = Trigger.collector("Parts", { a: Schema.Int, b: Schema.Int })

  it("a branch that nobody brings, or that there is not, is reported, and the chain behind it is not reported again", () => {
    finds(
      flow(
        start({ kind: "collect", collector, branch: "a" }, { kind: "collect", collector, branch: "c" }),
        on({ _tag: "collect", collector }, chunk("x"))
      ),
      'start/collect#2: The collector "Parts" has no branch "c"',
      'collector.Parts: Nobody brings "b", so the collector never gives anything'
    )
  })

  it("a collector without branches never gives anything", () => {
    const empty = Trigger.collector("None", {}).collector
    finds(
      flow(start(), on({ _tag: "collect", collector: empty })),
      "collector.None: The collector has no branches, so it never gives anything"
    )
  })
})

describe("limits and emptiness", () => {
  it("limits are whole numbers from 1, and times are above zero", () => {
    const forEach = (name: string, concurrency: number): Node => ({
      kind: "forEach",
      name,
      concurrency,
      onError: "fail",
      body: []
    })
    finds(
      flow(
        start(
          chunk("c", { concurrency: 0, maxResumes: -1, timeout: "soon", idleTimeout: 0 }),
          chunk("ok", { concurrency: 1, maxResumes: 0, timeout: "5 seconds", idleTimeout: 1 }),
          forEach("f", 1.5),
          forEach("g", Infinity),
          { kind: "loop", name: "l", max: 0, while: () => true, body: [] },
          { kind: "batch", name: "b", concurrency: NaN, branches: [] },
          { kind: "match", name: "m", cases: [], otherwise: undefined, mode: "all" }
        )
      ),
      "c: concurrency is 0",
      "c: maxResumes is -1",
      "c: timeout is soon",
      "c: idleTimeout is 0",
      "f: concurrency is 1.5",
      "l: max is 0",
      "b: concurrency is NaN",
      "b: The batch has no branches",
      "m: The match has no cases"
    )
  })
})

describe("the initial state", () => {
  const withState = (initial: object, state: Schema.Codec<unknown, unknown> = Order.data.state): FlowData => ({
    contract: { ...Order.data, state, initial },
    chains: [start()]
  })

  it("has to fit its Schema, without fields that this does not have", () => {
    const [wrong, ...rest] = check(withState({ words: 3, n: 0 }))
    assert.strictEqual(rest.length, 0)
    assert.strictEqual(wrong?.at, "contract.initial")
    assert.include(wrong?.problem, '["words"]')
    assert.lengthOf(check(withState({ words: "", n: 0, extra: 1 })), 1)
    assert.lengthOf(check(withState({ words: "" })), 1)
  })

  it("is given decoded", () => {
    const state = Schema.Struct({ at: Schema.DateFromString })
    finds(withState({ at: new Date(0) }, state))
    assert.lengthOf(check(withState({ at: "1970-01-01" }, state)), 1)
  })
})

describe("sub-flows", () => {
  const sub = TriggerFlow.define("sub", { input: Schema.Int })
  const node = (name: string, data: FlowData): Node => ({
    kind: "subFlow",
    name,
    flow: data,
    capture: undefined,
    result: undefined,
    writeBack: undefined
  })

  it("their findings are reported with the way to them, once for each flow", () => {
    const inner = { contract: sub.data, chains: [start(chunk("x", { concurrency: 0 }))] }
    const outer = { contract: sub.data, chains: [start(node("in", inner))] }
    finds(flow(start(node("a", outer), node("b", outer))), "a > in > x: concurrency is 0")
  })

  it("one that contains itself is reported, and the check ends", () => {
    const chains: Array<ChainData> = []
    const circular: FlowData = { contract: sub.data, chains }
    chains.push(start(chunk("x"), node("again", circular)))
    finds(flow(start(node("a", circular))), 'a > again: The flow "sub" contains itself')
  })

  it("the same name in a flow and in its sub-flow is fine", () => {
    finds(flow(start(chunk("x"), node("a", { contract: sub.data, chains: [start(chunk("x"))] }))))
  })
})

describe("what starts", () => {
  it("a chain on the start, on a signal or on the state can be started from outside", () => {
    finds(flow())
    finds(flow(on({ _tag: "state", key: "n" }, chunk("a"))))
    finds(flow(on(onPaid, chunk("a"))))
    finds(flow(on({ _tag: "any", named: true, of: [["p", onPaid]] }, chunk("a"))))
  })

  it("chains that wait for themselves or for each other never run", () => {
    const problem = "Nothing that runs can start this chain: what it listens to comes only from chains that wait for it"
    finds(
      flow(
        start(chunk("s")),
        on(onChunk("a"), chunk("a")),
        on(onChunk("b"), chunk("c")),
        on(onChunk("c"), chunk("b")),
        on(
          {
            _tag: "all",
            of: [
              ["p", onPaid],
              ["d", onChunk("d")]
            ],
            by: undefined,
            scope: "root"
          },
          chunk("d")
        )
      ),
      `on:chunk.a: ${problem}`,
      `on:chunk.b: ${problem}`,
      `on:chunk.c: ${problem}`,
      `on:all(Paid,chunk.d): ${problem}`
    )
  })
})

describe("chains without an end", () => {
  const either = (name: string): ChainData["trigger"] => ({
    _tag: "any",
    named: false,
    of: [
      ["0", onPaid],
      ["1", onChunk(name)]
    ]
  })
  const problem = "Once started, these chains start each other without end:"

  it("a chain that is started by a signal or by its own chunk goes on for ever", () => {
    finds(
      flow(on(either("a"), chunk("a"))),
      `on:any(Paid,chunk.a): ${problem} on:any(Paid,chunk.a) -> on:any(Paid,chunk.a)`
    )
    const side: Node = { kind: "side", name: undefined, body: [chunk("a")] }
    const batch: Node = { kind: "batch", name: undefined, concurrency: undefined, branches: [["x", [side]]] }
    assert.lengthOf(check(flow(on(either("a"), batch))), 1)
  })

  it("so do several in a circle, which is reported once", () => {
    finds(
      flow(on(either("c"), chunk("a")), on(onChunk("a"), chunk("b")), on(onChunk("b"), chunk("c"))),
      `on:any(Paid,chunk.c): ${problem} on:any(Paid,chunk.c) -> on:chunk.a -> on:chunk.b -> on:any(Paid,chunk.c)`
    )
  })

  it("what may end is not reported", () => {
    const inside = (node: Node) => finds(flow(on(either("a"), node)))
    inside({ kind: "forEach", name: undefined, concurrency: undefined, onError: "fail", body: [chunk("a")] })
    inside({ kind: "loop", name: undefined, max: 3, while: () => false, body: [chunk("a")] })
    inside({
      kind: "match",
      name: undefined,
      mode: "first",
      cases: [{ name: "x", test: { _tag: "is", value: 1 }, body: [chunk("a")] }],
      otherwise: undefined
    })
    // A gate waits for the signal each time; a flow with interrupts may pause instead of completing.
    finds(
      flow(
        start(chunk("a")),
        on(
          {
            _tag: "all",
            of: [
              ["p", onPaid],
              ["a", onChunk("a")]
            ],
            by: undefined,
            scope: "root"
          },
          chunk("b")
        )
      )
    )
    finds({ contract: { ...Order.data, interrupts: [Ask] }, chains: [on(either("a"), chunk("a"))] })
  })

  it("a chain that brings to the collector that starts it goes on for ever where the collector always gives", () => {
    const run = (mode: "update" | "reset", ...branches: ReadonlyArray<string>) => {
      const { collector } = Trigger.collector("Parts", { a: Schema.Int, b: Schema.Int }, { mode })
      const bring = (branch: string): Node => ({ kind: "collect", collector, branch })
      return check(flow(start(bring("a"), bring("b")), on({ _tag: "collect", collector }, ...branches.map(bring))))
        .length
    }
    assert.strictEqual(run("update", "a"), 1)
    assert.strictEqual(run("reset", "a", "b"), 1)
    assert.strictEqual(run("reset", "a"), 0)
  })
})

it("2,000 chains that start each other are checked in time that grows with them", { timeout: 2000 }, () => {
  const chains = Array.from({ length: 2000 }, (_, index) =>
    index === 0 ? start(chunk("c0")) : on(onChunk(`c${index - 1}`), chunk(`c${index}`))
  )
  finds(flow(...chains))
  const circle = [
    on(
      {
        _tag: "any",
        named: false,
        of: [
          ["0", onPaid],
          ["1", onChunk("c1999")]
        ]
      },
      chunk("c0")
    ),
    ...chains.slice(1)
  ]
  assert.lengthOf(check(flow(...circle)), 1)
})

it("20,000 chains on one chunk are checked in time that grows with them", { timeout: 4000 }, () => {
  const chains = Array.from({ length: 20_000 }, (_, index) => on(onChunk("c"), chunk(`c${index}`)))
  finds(flow(start(chunk("c")), ...chains))
})

it("all findings come at once, and read as one message", () => {
  const findings = check(flow(start(chunk("a", { concurrency: 0 }), chunk("a")), on(onChunk("gone"))))
  assert.lengthOf(findings, 3)
  assert.include(
    new InvalidDefinition({ findings }).message,
    "a: concurrency is 0. Give a whole number from 1, or leave it out."
  )
})
