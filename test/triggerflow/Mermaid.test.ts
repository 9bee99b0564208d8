import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Chain from "../../src/triggerflow/Chain.ts"
import * as TriggerFlow from "../../src/triggerflow/Flow.ts"
import { type Options, type Status, toMermaid } from "../../src/triggerflow/definition/Mermaid.ts"
import type { FlowData, Node } from "../../src/triggerflow/Node.ts"
import * as Signal from "../../src/triggerflow/Signal.ts"
import * as StepKey from "../../src/triggerflow/definition/StepKey.ts"
import * as Trigger from "../../src/triggerflow/Trigger.ts"
import { Tape, tapes } from "../parse/support.ts"
import { make, oddNames } from "./definitions.ts"

/**
 * What was drawn, read by a grammar that is stricter than Mermaid's own: each line is one statement of a known form,
 * boxes are closed, ids are declared once and before the edges, labels hold no character that Mermaid reads. (Mermaid's
 * parser needs a DOM.)
 */
const read = (text: string) => {
  const label = String.raw`"((?:[\p{L}\p{N}\u0080-\u{10ffff} _.,/()+*='?!@$^~-]|#\d+;)+)"`
  const shapes = [
    ["(((", ")))"],
    ["((", "))"],
    ["([", "])"],
    ["[(", ")]"],
    ["[[", "]]"],
    ["[/", "\\]"],
    ["{{", "}}"],
    ["[", "]"],
    ["(", ")"],
    ["{", "}"],
    [">", "]"]
  ].map(([open = "", close = ""]) => {
    const quoted = (part: string) => part.replace(/[[\](){}/\\]/g, "\\$&")
    return new RegExp(`^(n\\d+)${quoted(open)}${label}${quoted(close)}$`, "u")
  })
  const decode = (escaped: string) => escaped.replace(/#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
  const nodes = new Map<string, { readonly label: string; readonly box: string }>()
  const boxes = new Map<string, { readonly label: string; readonly box: string }>()
  const edges: Array<{ readonly from: string; readonly to: string; readonly label: string; readonly dotted: boolean }> =
    []
  const classes = new Map<string, string>()
  const defined = new Set<string>()
  const open = [""]
  const filled = new Set<string>()
  const [first, ...lines] = text.split("\n")
  assert.strictEqual(first, "flowchart TD")
  assert.strictEqual(lines.pop(), "")
  for (const raw of lines) {
    const line = raw.trim()
    const box = open.at(-1) ?? ""
    const node = shapes.map((shape) => shape.exec(line)).find((match) => match !== null)
    const sub = new RegExp(`^subgraph (g\\d+)\\[${label}\\]$`, "u").exec(line)
    const edge = new RegExp(`^(n\\d+) (-->|-\\.->)(?:\\|${label}\\|)? (n\\d+)$`, "u").exec(line)
    const css = /^classDef (pending|running|waiting|done|failed) [\w#:,. -]+$/.exec(line)
    const used = /^class ([ng\d,]+) (\w+)$/.exec(line)
    if (node?.[1] !== undefined) {
      assert.isFalse(nodes.has(node[1]))
      nodes.set(node[1], { label: decode(node[2] ?? ""), box })
      filled.add(box)
    } else if (sub?.[1] !== undefined) {
      filled.add(box)
      boxes.set(sub[1], { label: decode(sub[2] ?? ""), box })
      open.push(sub[1])
    } else if (line === "end") {
      assert.isTrue(filled.has(box), "a box has something in it")
      assert.notStrictEqual(open.pop(), "", "an end closes a box")
    } else if (edge?.[1] !== undefined && edge[4] !== undefined) {
      assert.strictEqual(open.length, 1, "edges stand outside of boxes")
      assert.isTrue(nodes.has(edge[1]) && nodes.has(edge[4]), raw)
      edges.push({ from: edge[1], to: edge[4], label: decode(edge[3] ?? ""), dotted: edge[2] === "-.->" })
    } else if (css?.[1] !== undefined) defined.add(css[1])
    else if (used?.[1] !== undefined && used[2] !== undefined) {
      assert.isTrue(defined.has(used[2]))
      for (const id of used[1].split(",")) {
        assert.isTrue(nodes.has(id) || boxes.has(id))
        classes.set(id, used[2])
      }
    } else assert.fail(`no statement: ${raw}`)
  }
  assert.deepStrictEqual(open, [""])
  const named = (id: string) => nodes.get(id)?.label.trim() ?? ""
  return {
    nodes: [...nodes.values()].map(({ label }) => label),
    boxes: [...boxes.values()].map((box) => box.label),
    edges: edges.map(
      ({ dotted, from, label, to }) =>
        `${named(from)} ${dotted ? "..>" : "->"} ${named(to)}${label === "" ? "" : ` : ${label}`}`
    ),
    classes: new Map([...classes].map(([id, name]) => [(nodes.get(id) ?? boxes.get(id))?.label, name])),
    inside: (label: string) => boxes.get([...nodes.values()].find((node) => node.label === label)?.box ?? "")?.label
  }
}

const handler = () => Effect.succeed(1)
const Prepared = Signal.make("Prepared", Schema.Number)
const Review = TriggerFlow.define("review", {
  input: Schema.Number,
  state: Schema.Struct({ words: Schema.Number }),
  initial: { words: 0 },
  signals: [Prepared],
  result: Schema.Number
})
const draw = (flow: { readonly data: FlowData }, options?: Options) => read(toMermaid(flow, options))
const simple = { mode: "simplified" } as const

describe("TF-53 the graph of a flow", () => {
  it("shows the start, the steps, and the result", () => {
    const flow = Review.build(
      Review.start.pipe(Chain.to("a", handler), Chain.interventionPoint("p"), Chain.to("b", handler), Chain.result)
    )
    assert.strictEqual(
      toMermaid(flow),
      `flowchart TD
  n1(["START"])
  n2((("RESULT")))
  n3["a"]
  n4("point p")
  n5["b"]
  n1 --> n3
  n3 --> n4
  n4 --> n5
  n5 --> n2
`
    )
    assert.deepStrictEqual(draw(flow).edges, ["START -> a", "a -> point p", "point p -> b", "b -> RESULT"])
  })

  it("has a box for each operator, with its name and limits", () => {
    const flow = Review.build(
      Review.start.pipe(
        Chain.batch(
          { x: (c) => c.pipe(Chain.to("a", handler)), y: (c) => c.pipe(Chain.to("b", handler)) },
          { concurrency: 1 }
        ),
        Chain.to("list", () => Effect.succeed([1])),
        Chain.forEach((c) => c.pipe(Chain.to("each", handler)), { name: "all", concurrency: 2, onError: "skip" }),
        Chain.to("one", handler),
        Chain.side((c) => c.pipe(Chain.to("log", handler))),
        Chain.loop((c) => c.pipe(Chain.to("again", handler)), { while: () => true, max: 3 }),
        Chain.match(
          { big: { if: () => true, then: (c) => c.pipe(Chain.to("bigger", handler)) }, two: { is: 2, then: (c) => c } },
          { name: "size" }
        ),
        Chain.to("last", handler, { timeout: "5 seconds", concurrency: 2 })
      )
    )
    const detailed = draw(flow)
    assert.deepStrictEqual(detailed.boxes, [
      "batch (at most 1 at once)",
      "forEach all (at most 2 at once, skip failures)",
      "side",
      "loop (at most 3 rounds)",
      "match size"
    ])
    assert.deepStrictEqual(detailed.edges, [
      "START -> ",
      " -> a : x",
      " -> b : y",
      "a -> ",
      "b -> ",
      " -> list",
      "list -> ",
      " -> each : each item",
      "each -> ",
      " -> one",
      "one ..> log",
      "one -> again?",
      "again? -> again : yes",
      "again -> again?",
      "again? -> which first? : no",
      "which first? -> bigger : big",
      "bigger -> last (at most 2 at once, timeout 5s)",
      "which first? -> last (at most 2 at once, timeout 5s) : two = 2",
      "which first? -> last (at most 2 at once, timeout 5s) : otherwise"
    ])
    assert.strictEqual(detailed.inside("each"), "forEach all (at most 2 at once, skip failures)")

    const simplified = draw(flow, simple)
    assert.deepStrictEqual(simplified.boxes, ["batch", "forEach all", "side", "loop", "match size"])
    assert.deepStrictEqual(simplified.edges, [
      "START -> a : x",
      "START -> b : y",
      "a -> list",
      "b -> list",
      "list -> each : each item",
      "each -> one",
      "one ..> log",
      "one -> again",
      "again -> bigger : big",
      "bigger -> last",
      "again -> last : two",
      "again -> last : otherwise"
    ])
  })

  it("shows what each chain listens to, in any order of the chains", () => {
    const a = Review.chunk("a", handler)
    const b = Review.chunk("b", handler)
    const parts = Trigger.collector("Parts", { x: Schema.Number })
    const flow = Review.build(
      Review.on(b).pipe(Chain.to("behind b", handler)),
      Review.on(a).pipe(Chain.to(b)),
      Review.start.pipe(
        Chain.to(a),
        Chain.side((c) => c.pipe(Chain.collect(parts, "x"), Chain.result))
      ),
      Review.on(Prepared).pipe(Chain.to("s1", handler)),
      Review.on(Prepared).pipe(Chain.to("s2", handler)),
      Review.on(Review.state("words")).pipe(Chain.to("s3", handler)),
      Review.on(parts).pipe(Chain.to("s4", handler)),
      Review.on(Trigger.all({ p: Prepared, w: Review.state("words") }, { by: { p: String, w: String } })).pipe(
        Chain.to("s5", handler)
      ),
      Review.on(Trigger.oneOf([Prepared, parts])).pipe(Chain.to("s6", handler))
    )
    const drawn = draw(flow)
    assert.sameMembers(drawn.edges, [
      "START -> a",
      "a ..> collect Parts (reset) : x",
      "a ..> RESULT",
      "a ..> b : completed",
      "b ..> behind b : completed",
      "Prepared -> s1",
      "Prepared -> s2",
      "state words -> s3",
      "collect Parts (reset) -> s4",
      "Prepared -> all (by key) : p",
      "state words -> all (by key) : w",
      "all (by key) -> s5",
      "Prepared -> any",
      "collect Parts (reset) -> any",
      "any -> s6"
    ])
    assert.deepStrictEqual(drawn.boxes, [], "what is shared stands outside of boxes, and empty boxes are left out")
  })

  it("shows the inside of sub-flows in detail, and one step for them else", () => {
    const Child = TriggerFlow.define("child", { input: Schema.Number, result: Schema.Number })
    const child = Child.build(Child.start.pipe(Chain.to("inner", handler), Chain.result))
    const flow = Review.build(Review.start.pipe(Chain.subFlow(child, { name: "sub" }), Chain.to("after", handler)))
    const detailed = draw(flow)
    assert.deepStrictEqual(detailed.boxes, ["flow child as sub"])
    assert.deepStrictEqual(detailed.edges, [
      "START -> inner",
      "inner -> RESULT",
      "START -> START",
      "RESULT -> ",
      " -> after"
    ])
    assert.strictEqual(detailed.inside("inner"), "flow child as sub")
    assert.deepStrictEqual(draw(flow, simple).edges, ["START -> flow child as sub", "flow child as sub -> after"])
  })

  it("ends where a flow contains itself, or chains wait for each other", () => {
    const chains: Array<FlowData["chains"][number]> = []
    const data: FlowData = { contract: Review.data, chains }
    const node: Node = {
      kind: "subFlow",
      name: undefined,
      flow: data,
      capture: undefined,
      result: undefined,
      writeBack: undefined
    }
    chains.push(
      { trigger: { _tag: "start" }, body: [node] },
      { trigger: { _tag: "chunk", chunk: "gone" }, body: [node] }
    )
    assert.include(draw({ data }).nodes, "flow review")
    assert.deepStrictEqual(draw({ data }, simple).edges, ["START -> flow review", "gone -> flow review"])
  })
})

describe("labels", () => {
  for (const name of [
    ...oddNames,
    "a\u0000b",
    "\ud800 half",
    'n1["x"]',
    "class n1 done",
    ";\n  end",
    "```",
    "&amp;",
    "%% no comment"
  ]) {
    it(`carry ${JSON.stringify(name)} as text`, () => {
      const shown = name.toWellFormed().replace(/[\s\u0000]+/g, " ")
      const flow = Review.build(
        Review.start.pipe(
          Chain.to(name, handler),
          Chain.batch({ [name]: (c) => c.pipe(Chain.to("x", handler)) }, { name })
        )
      )
      const drawn = draw(flow)
      assert.include(drawn.nodes, shown)
      assert.deepStrictEqual(drawn.boxes, [`batch ${shown}`])
      assert.include(drawn.edges, ` -> x : ${shown}`)
    })
  }

  it("that are empty are still labels", () => {
    assert.include(draw(Review.build(Review.start.pipe(Chain.to("", handler)))).nodes, " ")
  })
})

describe("the status of an execution", () => {
  const Child = TriggerFlow.define("child", { input: Schema.Number })
  const flow = Review.build(
    Review.start.pipe(
      Chain.to("a", handler),
      Chain.side((c) => c.pipe(Chain.to("b", handler))),
      Chain.subFlow(Child.build(Child.start.pipe(Chain.to("a", handler), Chain.to("c", handler))), { name: "sub" })
    )
  )
  const status = new Map<string, Status>([
    ["a", "done"],
    ["start/side", "running"],
    ["b", "waiting"],
    ["sub", "failed"],
    ["sub/c", "pending"],
    ["unknown", "done"]
  ])

  it("gives each step, also of a sub-flow, its class", () => {
    assert.deepStrictEqual([...draw(flow, { status }).classes].toSorted(), [
      ["a", "done"],
      ["b", "waiting"],
      ["c", "pending"],
      ["flow child as sub", "failed"],
      ["side", "running"]
    ])
    assert.strictEqual(draw(flow, { ...simple, status }).classes.get("flow child as sub"), "failed")
  })

  it("leaves the drawing itself as it is", () => {
    const plain = toMermaid(flow)
    assert.isTrue(toMermaid(flow, { status }).startsWith(plain))
    assert.strictEqual(toMermaid(flow, { status: new Map() }), plain)
  })
})

it.effect.prop(
  "TF-53 any flow can be drawn, with a node for each chunk and a colour for each step",
  [tapes],
  ([numbers]) =>
    Effect.sync(() => {
      const { flow } = make(new Tape(numbers))
      const keys = StepKey.stepKeys(flow)
      const status = new Map([...keys].map(([, key]) => [key, "done"] as const))
      const chunks = [...keys.keys()].filter(({ kind }) => kind === "chunk" || kind === "point").length
      for (const mode of ["detailed", "simplified"] as const) {
        const drawn = draw({ data: flow }, { mode, status })
        assert.isAtLeast(drawn.nodes.length, chunks + 1)
        assert.strictEqual(drawn.nodes.filter((label) => label === "START").length >= 1, true)
        if (mode === "simplified") assert.isAtLeast(drawn.classes.size, chunks === 0 ? 0 : 1)
      }
    }),
  { arbitrary: { runs: 300 } }
)
