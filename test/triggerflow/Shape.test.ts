import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, Schema } from "effect"
import * as Chain from "../../src/triggerflow/Chain.ts"
import * as TriggerFlow from "../../src/triggerflow/Flow.ts"
import * as Interrupt from "../../src/triggerflow/Interrupt.ts"
import type { FlowData, Node } from "../../src/triggerflow/Node.ts"
import * as Shape from "../../src/triggerflow/definition/Shape.ts"
import { diff } from "../../src/triggerflow/definition/ShapeDiff.ts"
import * as Signal from "../../src/triggerflow/Signal.ts"
import type { Spec } from "../../src/triggerflow/Spec.ts"
import * as StepKey from "../../src/triggerflow/definition/StepKey.ts"
import * as Trigger from "../../src/triggerflow/Trigger.ts"
import { Tape, tapes } from "../parse/support.ts"
import { make } from "./definitions.ts"

const handler = () => Effect.succeed(1)
/** A chunk that gives on what it is given, in a chain of any contract. */
const keep =
  (name: string) =>
  <C extends Spec, A, E, R>(self: Chain.Chain<C, A, E, R>): Chain.Chain<C, A, E, R> =>
    Chain.fromData({ ...self.data, body: [...self.data.body, { kind: "chunk", name, handler, settings: {} }] })
const Prepared = Signal.make("Prepared", Schema.String)
const Done = Signal.make("Done", Schema.Int, { reply: Schema.Boolean })
const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.Boolean })
const Review = TriggerFlow.define("review", {
  input: Schema.Array(Schema.Int),
  state: Schema.Struct({ words: Schema.String, n: Schema.optionalKey(Schema.Int) }),
  initial: { words: "" },
  signals: [Prepared, Done],
  interrupts: [Ask],
  result: Schema.Int
})
const child = TriggerFlow.define("child", { input: Schema.Int }).build()
const print = (flow: { readonly data: FlowData }) => Shape.fingerprint(Shape.of(flow.data))
const keys = (flow: { readonly data: FlowData }) => [...StepKey.stepKeys(flow.data).values()]

describe("step keys", () => {
  it("are names where there are names, and places where there are none", () => {
    const parts = Trigger.collector("Parts", { a: Schema.Array(Schema.Int) })
    const flow = Review.build(
      Review.start.pipe(
        Chain.to("prepare", (list) => Effect.succeed(list)),
        Chain.forEach((c) => c.pipe(Chain.loop((d) => d.pipe(Chain.to("inner", handler)), { while: () => false }))),
        Chain.forEach((c) => c.pipe(Chain.side((d) => d.pipe(Chain.subFlow(child)))), { name: "each" }),
        Chain.forEach((c) => c),
        Chain.interventionPoint("here"),
        Chain.collect(parts, "a"),
        Chain.to("sum", handler),
        Chain.result
      ),
      Review.on(Prepared).pipe(
        Chain.batch({ words: (c) => c.pipe(Chain.side((d) => d)), tone: (c) => c.pipe(Chain.side((d) => d)) })
      ),
      Review.on(Prepared).pipe(
        Chain.match(
          { a: { is: "a", then: (c) => c.pipe(Chain.side((d) => d)) } },
          { otherwise: (c) => c.pipe(Chain.side((d) => d)) }
        )
      ),
      Review.on(Review.state("words")).pipe(Chain.side((c) => c)),
      Review.on(Trigger.all({ p: Prepared, d: Done, n: Review.state("n") })).pipe(Chain.side((c) => c)),
      Review.on(parts).pipe(Chain.side((c) => c)),
      Review.on(Review.chunk("sum", handler)).pipe(Chain.side((c) => c))
    )
    assert.deepStrictEqual(keys(flow), [
      "prepare",
      "start/forEach",
      "start/forEach/loop",
      "inner",
      "each",
      "each/side",
      "each/side/subFlow",
      "start/forEach#2",
      "here",
      "start/collect",
      "sum",
      "start/result",
      "on:Prepared/batch",
      "on:Prepared/batch.words/side",
      "on:Prepared/batch.tone/side",
      "on:Prepared#2/match",
      "on:Prepared#2/match.a/side",
      "on:Prepared#2/match.otherwise/side",
      "on:state.words/side",
      "on:all(Done,Prepared,state.n)/side",
      "on:collector.Parts/side",
      "on:chunk.sum/side"
    ])
  })

  it("stay where a step beside them comes or goes", () => {
    const build = (extra: boolean) => {
      const start = Review.start.pipe(Chain.to("first", (list) => Effect.succeed(list)))
      const more = extra
        ? start.pipe(
            Chain.to("more", (list) => Effect.succeed(list)),
            Chain.side((c) => c)
          )
        : start
      return Review.build(more.pipe(Chain.forEach((c) => c.pipe(Chain.loop((d) => d, { while: () => false })))))
    }
    assert.includeMembers(keys(build(true)), keys(build(false)))
  })

  it("are unique also where a name looks like a place", () => {
    const flow = Review.build(
      Review.start.pipe(
        Chain.side((c) => c),
        Chain.to("start/side", handler)
      )
    )
    assert.deepStrictEqual(keys(flow), ["start/side#2", "start/side"])
  })

  it.effect.prop(
    "are unique and complete in any flow",
    [tapes],
    ([numbers]) =>
      Effect.sync(() => {
        const { flow } = make(new Tape(numbers))
        const count = (body: ReadonlyArray<Node>): number =>
          body.reduce((sum, node) => sum + 1 + StepKey.bodies(node).reduce((n, [, inner]) => n + count(inner), 0), 0)
        const map = StepKey.stepKeys(flow)
        assert.strictEqual(
          map.size,
          flow.chains.reduce((sum, { body }) => sum + count(body), 0)
        )
        assert.strictEqual(new Set(map.values()).size, map.size)
        for (const [node, key] of map)
          if (node.kind === "chunk" || node.kind === "point") assert.strictEqual(key, node.name)
      }),
    { arbitrary: { runs: 300 } }
  )
})

describe("the fingerprint", () => {
  const base = () =>
    Review.build(
      Review.start.pipe(
        Chain.forEach((c) => c.pipe(Chain.to("double", (n) => Effect.succeed(n * 2))), {
          concurrency: 2,
          name: "each"
        }),
        Chain.to("sum", (list) => Effect.succeed(list.length)),
        Chain.result
      ),
      Review.on(Prepared).pipe(Chain.match({ a: { if: () => true, then: (c) => c } }))
    )

  it("is the same text in every process", () => {
    assert.strictEqual(Shape.hash(""), "488bdcb81aee8d83")
    assert.match(print(base()), /^[0-9a-f]{16}$/)
    assert.strictEqual(print(base()), print(base()))
    assert.notStrictEqual(Shape.hash("ab"), Shape.hash("ba"))
  })

  it("does not see code, retries, timeouts, the order of options, versions and the initial state", () => {
    const contract = TriggerFlow.contractFromData<TriggerFlow.SpecOf<typeof Review>>({
      ...Review.data,
      version: "7",
      initial: { words: "other" },
      signals: [Done, Prepared]
    })
    const same = contract.build(
      contract.start.pipe(
        Chain.forEach(
          (c) =>
            c.pipe(
              Chain.to("double", (n) => Effect.succeed(n + n), {
                retry: Schedule.recurs(3),
                timeout: 5,
                catch: () => Effect.succeed(0)
              })
            ),
          { name: "each", concurrency: 2 }
        ),
        Chain.to("sum", handler),
        Chain.result
      ),
      contract.on(Prepared).pipe(Chain.match({ a: { if: () => Effect.succeed(false), then: (c) => c } }))
    )
    assert.strictEqual(print(same), print(base()))
  })

  it("does not see descriptions and the names of shared definitions in Schemas", () => {
    const of = (input: Schema.Codec<unknown, unknown>) => print(TriggerFlow.define("x", { input }).build())
    const tree = (identifier: string): Schema.Codec<unknown, unknown> => {
      interface Tree {
        readonly b: ReadonlyArray<Tree>
        readonly a: string
      }
      const schema: Schema.Codec<Tree> = Schema.Struct({
        a: Schema.String,
        b: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => schema))
      }).annotate({ identifier })
      return schema
    }
    const item = Schema.Struct({ title: Schema.String, description: Schema.String })
    assert.strictEqual(of(item), of(item.annotate({ description: "An item", title: "Item", examples: [] })))
    assert.strictEqual(of(item), of(Schema.Struct({ description: Schema.String, title: Schema.String })))
    assert.strictEqual(of(tree("A")), of(tree("B/~")))
    assert.notStrictEqual(of(item), of(Schema.Struct({ title: Schema.String })))
  })

  it("sees names, limits, modes, cases, order and the contract", () => {
    const start = Review.start
    const a = keep("a")
    const flows = [
      base(),
      Review.build(),
      Review.build(start),
      Review.build(start, start),
      Review.build(start.pipe(Chain.to("a", handler))),
      Review.build(start.pipe(Chain.to("b", handler))),
      Review.build(start.pipe(Chain.to("b", handler, { concurrency: 1 }))),
      Review.build(start.pipe(Chain.to("b", handler, { output: Schema.Int }))),
      Review.build(
        start.pipe(
          a,
          Chain.side((c) => c)
        )
      ),
      Review.build(start.pipe(Chain.side((c) => c.pipe(a)))),
      Review.build(start.pipe(Chain.forEach((c) => c))),
      Review.build(start.pipe(Chain.forEach((c) => c, { onError: "skip" }))),
      Review.build(start.pipe(Chain.forEach((c) => c, { concurrency: 1 }))),
      Review.build(start.pipe(Chain.match({ x: { is: [1], then: (c) => c } }))),
      Review.build(start.pipe(Chain.match({ x: { is: [2], then: (c) => c } }))),
      Review.build(start.pipe(Chain.match({ x: { if: () => true, then: (c) => c } }))),
      Review.build(start.pipe(Chain.match({ x: { if: () => true, then: (c) => c } }, { mode: "all" }))),
      Review.build(start.pipe(Chain.loop((c) => c, { while: () => true }))),
      Review.build(start.pipe(Chain.loop((c) => c, { while: () => true, max: 2 }))),
      Review.build(start.pipe(Chain.batch({ x: (c) => c, y: (c) => c }))),
      Review.build(start.pipe(Chain.batch({ y: (c) => c, x: (c) => c }))),
      Review.build(Review.on(Prepared)),
      Review.build(Review.on(Review.state("words"))),
      Review.build(Review.on(Trigger.any({ p: Prepared, d: Done }))),
      Review.build(Review.on(Trigger.oneOf([Prepared, Done]))),
      Review.build(Review.on(Trigger.all({ p: Prepared, d: Done }))),
      Review.build(Review.on(Trigger.all({ p: Prepared, d: Done }, { scope: "execution" }))),
      Review.build(Review.on(Trigger.all({ p: Prepared, d: Done }, { by: { p: String, d: String } }))),
      child,
      TriggerFlow.define("child", { input: Schema.Int, signals: [Done] }).build(),
      TriggerFlow.define("child", { input: Schema.Int, interrupts: [Ask] }).build(),
      TriggerFlow.define("child", { input: Schema.Int, result: Schema.Int }).build(),
      TriggerFlow.define("child", { input: Schema.Int, stream: Schema.Int }).build()
    ]
    assert.strictEqual(new Set(flows.map(print)).size, flows.length)
  })

  it("does not see the order of what is told apart by name alone", () => {
    const gate = (of: Record<string, Signal.Any>) => print(Review.build(Review.on(Trigger.all(of))))
    assert.strictEqual(gate({ p: Prepared, d: Done }), gate({ d: Done, p: Prepared }))
    const one = (of: ReadonlyArray<Signal.Any>) => print(Review.build(Review.on(Trigger.oneOf(of))))
    assert.strictEqual(one([Prepared, Done]), one([Done, Prepared]))
  })

  it("ends where a flow contains itself", () => {
    const chains: Array<FlowData["chains"][number]> = []
    const data: FlowData = { contract: child.data.contract, chains }
    const node: Node = {
      kind: "subFlow",
      name: "x",
      flow: data,
      capture: undefined,
      result: undefined,
      writeBack: undefined
    }
    chains.push({ trigger: { _tag: "start" }, body: [node] })
    assert.match(print({ data }), /^[0-9a-f]{16}$/)
  })

  it.effect.prop(
    "of a shape that was stored and read is the same",
    [tapes],
    ([numbers]) =>
      Effect.sync(() => {
        const shape = Shape.of(make(new Tape(numbers)).flow)
        const read = Schema.decodeUnknownSync(Shape.FlowShape)(JSON.parse(JSON.stringify(shape)))
        assert.strictEqual(Shape.fingerprint(read), Shape.fingerprint(shape))
        assert.deepStrictEqual(diff(shape, read), [])
      }),
    { arbitrary: { runs: 100 } }
  )

  it("of 2,000 steps takes time in proportion to them", () => {
    const body = Array.from({ length: 2000 }, (_, index): Node => ({
      kind: "chunk",
      name: `c${index}`,
      handler,
      settings: {}
    }))
    const shape = Shape.of({ contract: child.data.contract, chains: [{ trigger: { _tag: "start" }, body }] })
    assert.strictEqual(shape.chains[0]?.steps.length, 2000)
  })
})

describe("the differences", () => {
  const a = keep("a")
  const b = keep("b")
  const c = keep("c")
  const X = TriggerFlow.define("x", { input: Schema.Int, signals: [Prepared] })
  const between = (before: { readonly data: FlowData }, after: { readonly data: FlowData }) =>
    diff(Shape.of(before.data), Shape.of(after.data)).map(({ at, change, what }) => `${change} ${at}: ${what}`)

  it("say which steps came, went and changed places", () => {
    assert.deepStrictEqual(between(X.build(X.start.pipe(a, b)), X.build(X.start.pipe(a, c, b))), [
      'added c: chunk "c" was added behind "a" in start'
    ])
    assert.deepStrictEqual(between(X.build(X.start.pipe(a, b)), X.build(X.start.pipe(b))), [
      'removed a: chunk "a" was removed, in start'
    ])
    assert.deepStrictEqual(between(X.build(X.start.pipe(a, b, c)), X.build(X.start.pipe(c, a, b))), [
      "changed start: the order of the steps in start was changed from a, b, c to c, a, b"
    ])
    const each = Chain.side((inner: Chain.Chain<TriggerFlow.SpecOf<typeof X>, number, never, never>) => inner.pipe(b), {
      name: "s"
    })
    assert.deepStrictEqual(between(X.build(X.start.pipe(a, b)), X.build(X.start.pipe(a, each))), [
      'added s: side "s" was added behind "a" in start',
      'changed b: chunk "b" was moved from start to s'
    ])
  })

  it("say which chains came and went", () => {
    assert.deepStrictEqual(
      between(X.build(X.start.pipe(a)), X.build(X.start.pipe(a), X.on(Prepared).pipe(Chain.to("p", handler)))),
      ["added on:Prepared: the chain on:Prepared was added", 'added p: chunk "p" was added in on:Prepared']
    )
  })

  it("say how settings, kinds and branches changed", () => {
    const loop = (max: number) =>
      X.build(X.start.pipe(Chain.loop((inner) => inner, { name: "l", max, while: () => true })))
    assert.deepStrictEqual(between(loop(3), loop(4)), ['changed l: max of loop "l" was changed from 3 to 4'])
    const batch = X.build(X.start.pipe(Chain.batch({ x: (inner) => inner }, { name: "l" })))
    assert.deepStrictEqual(between(loop(3), batch), ['changed l: "l" was a loop and is a batch'])
    const more = X.build(X.start.pipe(Chain.batch({ x: (inner) => inner, y: (inner) => inner }, { name: "l" })))
    assert.deepStrictEqual(between(batch, more), ['changed l: the branches of batch "l" were x and are x, y'])
  })

  it("say what changed in the contract", () => {
    const before = TriggerFlow.define("x", {
      state: Schema.Struct({ a: Schema.String, b: Schema.Int, d: Schema.Int }),
      initial: { a: "", b: 0, d: 0 },
      signals: [Prepared, Done]
    })
    const after = TriggerFlow.define("y", {
      state: Schema.Struct({ a: Schema.Boolean, c: Schema.Int, d: Schema.optionalKey(Schema.Int) }),
      initial: { a: true, c: 0 },
      result: Schema.String,
      signals: [Signal.make("Prepared", Schema.Int)],
      interrupts: [Ask]
    })
    const lines = between(before.build(before.start), after.build(after.start))
    assert.deepStrictEqual(
      lines.map((line) => line.replace(/ was changed from .*/, " was changed")),
      [
        'changed name: the flow "x" is called "y"',
        "added contract.result: the result was added",
        'changed contract.state.a: the field "a" of the state was changed',
        'removed contract.state.b: the field "b" of the state was removed',
        'added contract.state.c: the field "c" of the state was added',
        'changed contract.state.d: the field "d" of the state may be absent now',
        'removed contract.signals.Done: the signal "Done" was removed',
        'changed contract.signals.Prepared: the payload of the signal "Prepared" was changed',
        'added contract.interrupts.Ask: the interrupt "Ask" was added'
      ]
    )
  })

  it("of sub-flows carry the way to them", () => {
    const Sub = TriggerFlow.define("sub", { input: Schema.Int })
    const outer = (max: boolean) =>
      X.build(X.start.pipe(Chain.subFlow(Sub.build(max ? Sub.start.pipe(a) : Sub.start), { name: "in" })))
    assert.deepStrictEqual(between(outer(false), outer(true)), [
      'added in > a: in subFlow "in": chunk "a" was added in start'
    ])
  })

  it.effect.prop(
    "are none exactly where the fingerprints are equal",
    [tapes, tapes],
    ([left, right]) =>
      Effect.sync(() => {
        const [a, b] = [Shape.of(make(new Tape(left)).flow), Shape.of(make(new Tape(right)).flow)]
        assert.deepStrictEqual(diff(a, a), [])
        assert.strictEqual(diff(a, b).length === 0, Shape.fingerprint(a) === Shape.fingerprint(b))
      }),
    { arbitrary: { runs: 200 } }
  )
})
