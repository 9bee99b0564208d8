import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Schedule, Schema } from "effect"
import * as Blueprint from "../../src/triggerflow/definition/Blueprint.ts"
import * as Chain from "../../src/triggerflow/Chain.ts"
import * as TriggerFlow from "../../src/triggerflow/Flow.ts"
import * as Interrupt from "../../src/triggerflow/Interrupt.ts"
import type { FlowData, Node } from "../../src/triggerflow/Node.ts"
import * as Shape from "../../src/triggerflow/definition/Shape.ts"
import * as Signal from "../../src/triggerflow/Signal.ts"
import * as StepKey from "../../src/triggerflow/definition/StepKey.ts"
import * as Trigger from "../../src/triggerflow/Trigger.ts"
import { Tape, tapes } from "../parse/support.ts"
import { make } from "./definitions.ts"

const findingsOf = <A, R>(effect: Effect.Effect<A, Blueprint.BlueprintError, R>) =>
  Effect.map(Effect.flip(effect), ({ findings }) =>
    findings.map(({ at, line, problem }) => `${line === undefined ? "" : `${line}: `}${at}: ${problem}`)
  )

/** The handlers of a flow and of the flows in it, by the names of their chunks. */
const handlersOf = (flow: FlowData): Record<string, () => Effect.Effect<unknown>> => {
  const out: Record<string, () => Effect.Effect<unknown>> = {}
  for (const node of StepKey.stepKeys(flow).keys()) {
    // The handlers of these tests take nothing.
    if (node.kind === "chunk") out[node.name] = node.handler as () => Effect.Effect<unknown>
    if (node.kind === "subFlow") Object.assign(out, handlersOf(node.flow))
  }
  return out
}

const fingerprint = (flow: { readonly data: FlowData }) => Shape.fingerprint(Shape.of(flow.data))

class Boom extends Schema.TaggedError<Boom>()("Boom", {}) {}
class Db extends Context.Service<Db, number>()("test/Db") {}

const Prepared = Signal.make("Prepared", Schema.Struct({ flag: Schema.String }), { reply: Schema.Int })
const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.Boolean })
const Review = TriggerFlow.define("review", {
  version: "3",
  input: Schema.Array(Schema.Int),
  state: Schema.Struct({ words: Schema.String, at: Schema.DateFromString }),
  initial: { words: "none", at: new Date(0) },
  signals: [Prepared],
  interrupts: [Ask],
  result: Schema.Int
})
const Child = TriggerFlow.define("child", { input: Schema.Int, result: Schema.Int })

const registry = {
  handlers: {
    draft: (n: number) => Effect.succeed(n),
    rescue: (_error: unknown, n: number) => Effect.succeed(n)
  },
  conditions: { isBig: (n: number) => n > 3, notYet: (_: number, round: number) => round < 2 },
  functions: {
    flagOf: (p: { readonly flag: string }) => p.flag,
    wordsOf: (words: string) => words,
    next: (n: number) => n + 1
  },
  schedules: { twice: Schedule.recurs(2) },
  schemas: { When: Schema.DateFromString }
}

const parts = Trigger.collector("Parts", { a: Schema.Int, when: registry.schemas.When }, { mode: "update" })
const child = Child.build(
  Child.start.pipe(
    Chain.to("inner", (n) => Effect.succeed(n)),
    Chain.result
  )
)
const review = Review.build(
  Review.start.pipe(
    Chain.to("prepare", (list) => Effect.succeed(list), {
      timeout: "2 seconds",
      concurrency: 2,
      output: Schema.Array(Schema.Int)
    }),
    Chain.forEach(
      (c) =>
        c.pipe(
          Chain.to("each", registry.handlers.draft, {
            retry: registry.schedules.twice,
            catch: registry.handlers.rescue
          })
        ),
      { concurrency: 2, onError: "skip", name: "items" }
    ),
    Chain.to("sum", (list) => Effect.succeed(list.length)),
    Chain.batch({
      a: (c) => c.pipe(Chain.collect(parts, "a")),
      b: (c) =>
        c.pipe(
          Chain.to("now", () => Effect.succeed(new Date(0))),
          Chain.collect(parts, "when")
        )
    }),
    Chain.to("one", () => Effect.succeed(1)),
    Chain.match(
      { big: { if: registry.conditions.isBig, then: (c) => c }, two: { is: 2, then: (c) => c } },
      { otherwise: (c) => c }
    ),
    Chain.loop((c) => c.pipe(Chain.to("more", (n) => Effect.succeed(n))), {
      while: registry.conditions.notYet,
      max: 5
    }),
    Chain.side((c) => c.pipe(Chain.interventionPoint("look"))),
    Chain.subFlow(child, { capture: registry.functions.next }),
    Chain.result
  ),
  Review.on(Prepared).pipe(Chain.to("announce", () => Effect.succeed(1))),
  Review.on(
    Trigger.all(
      { p: Prepared, w: Review.state("words") },
      { by: { p: registry.functions.flagOf, w: registry.functions.wordsOf }, scope: "execution" }
    )
  ),
  Review.on(Trigger.any({ p: Prepared, n: parts })),
  Review.on(Trigger.oneOf([Prepared, Review.state("words")]))
)

const yaml = `format: effigent/flow@1
name: review
version: "3"
contract:
  fingerprint: FINGERPRINT
  input:
    type: array
    items:
      type: integer
      minimum: -9007199254740991
      maximum: 9007199254740991
`

describe("a blueprint", () => {
  it.effect("writes operators, triggers, limits and options as data, and code by name", () =>
    Effect.gen(function* () {
      const blueprint = yield* Blueprint.export(review, registry)
      const { chains, collectors, contract, flows, ...head } = blueprint
      assert.deepStrictEqual(head, { format: "effigent/flow@1", name: "review", version: "3" })
      assert.deepStrictEqual(chains[0]?.on, "start")
      assert.deepStrictEqual(chains[0]?.steps.slice(0, 2), [
        {
          step: "chunk",
          name: "prepare",
          timeout: 2000,
          concurrency: 2,
          output: { type: "array", items: { type: "integer", minimum: -9007199254740991, maximum: 9007199254740991 } }
        },
        {
          step: "forEach",
          name: "items",
          concurrency: 2,
          onError: "skip",
          steps: [{ step: "chunk", name: "each", handler: "draft", catch: "rescue", retry: "twice" }]
        }
      ])
      assert.deepStrictEqual(chains[0]?.steps.slice(5), [
        {
          step: "match",
          cases: [
            { name: "big", if: "isBig", steps: [] },
            { name: "two", is: 2, steps: [] }
          ],
          otherwise: []
        },
        { step: "loop", while: "notYet", max: 5, steps: [{ step: "chunk", name: "more" }] },
        { step: "side", steps: [{ step: "point", name: "look" }] },
        { step: "subFlow", flow: "child", capture: "next" },
        { step: "result" }
      ])
      assert.deepStrictEqual(
        chains.slice(1).map(({ on }) => on),
        [
          { signal: "Prepared" },
          {
            all: { p: { signal: "Prepared" }, w: { state: "words" } },
            by: { p: "flagOf", w: "wordsOf" },
            scope: "execution"
          },
          { any: { p: { signal: "Prepared" }, n: { collector: "Parts" } } },
          { any: [{ signal: "Prepared" }, { state: "words" }] }
        ]
      )
      assert.strictEqual(collectors?.["Parts"]?.mode, "update")
      assert.strictEqual(collectors?.["Parts"]?.branches["when"], "When")
      assert.deepStrictEqual(contract?.initial, { words: "none", at: "1970-01-01T00:00:00.000Z" })
      assert.isUndefined(contract?.stream)
      assert.deepStrictEqual(Object.keys(flows ?? {}), ["child"])
    })
  )

  it.effect("is the same as text in YAML and JSON", () =>
    Effect.gen(function* () {
      const blueprint = yield* Blueprint.export(review, registry)
      const head = yaml.replace("FINGERPRINT", JSON.stringify(blueprint.contract?.fingerprint))
      const written = Blueprint.toYaml(blueprint)
      assert.include(written.replace(/fingerprint: "?([0-9a-f]{16})"?/, 'fingerprint: "$1"'), head)
      assert.deepStrictEqual(yield* Blueprint.parse(written), blueprint)
      assert.deepStrictEqual(yield* Blueprint.parse(Blueprint.toJson(blueprint)), blueprint)
      assert.deepStrictEqual(yield* Blueprint.parse(Blueprint.toJson(blueprint), { file: "flow.yaml" }), blueprint)
    })
  )
})

describe("TF-52 a round trip", () => {
  it.effect("gives the same shape and the same functions", () =>
    Effect.gen(function* () {
      const blueprint = yield* Blueprint.export(review, registry)
      const all = { ...registry, handlers: { ...handlersOf(review.data), ...registry.handlers } }
      const loaded = yield* Blueprint.load(Blueprint.toYaml(blueprint), {
        ...all,
        contract: Review,
        collectors: [parts]
      })
      assert.strictEqual(fingerprint(loaded), fingerprint(review))
      assert.strictEqual(loaded.data.contract, Review.data)
      const chunk = (flow: { readonly data: FlowData }, name: string) =>
        [...StepKey.stepKeys(flow.data).keys()].find((node) => node.kind === "chunk" && node.name === name)
      for (const name of ["prepare", "each", "more"]) {
        const [a, b] = [chunk(review, name), chunk(loaded, name)]
        assert.isTrue(a?.kind === "chunk" && b?.kind === "chunk" && a.handler === b.handler)
        if (a?.kind !== "chunk" || b?.kind !== "chunk") continue
        assert.strictEqual(a.settings.catch, b.settings.catch)
        assert.strictEqual(a.settings.retry, b.settings.retry)
        if (a.settings.timeout !== undefined && b.settings.timeout !== undefined)
          assert.strictEqual(Duration.toMillis(a.settings.timeout), Duration.toMillis(b.settings.timeout))
      }
      assert.deepStrictEqual(yield* Blueprint.export(loaded, registry), blueprint)
    })
  )

  it.effect("without the contract makes it of JSON Schemas, of the same shape", () =>
    Effect.gen(function* () {
      const blueprint = yield* Blueprint.export(review, registry)
      const all = { ...registry, handlers: { ...handlersOf(review.data), ...registry.handlers } }
      const loaded = yield* Blueprint.load(blueprint, all)
      assert.strictEqual(fingerprint(loaded), fingerprint(review))
      const { contract } = loaded.data
      assert.deepStrictEqual(contract.initial, { words: "none", at: "1970-01-01T00:00:00.000Z" })
      assert.strictEqual(contract.version, "3")
      assert.isTrue(Schema.is(contract.input)([1, 2]))
      assert.isFalse(Schema.is(contract.input)(["1"]))
      assert.isFalse(Schema.is(contract.stream)("anything"))
      assert.deepStrictEqual(
        contract.signals.map(({ name }) => name),
        ["Prepared"]
      )
      assert.isTrue(contract.signals[0]?.reply !== undefined && Schema.is(contract.signals[0].reply)(3))
    })
  )

  it.effect.prop(
    "gives the same shape for every operator, through YAML and JSON, with and without the contract",
    [tapes],
    ([numbers]) =>
      Effect.gen(function* () {
        const { flow, registry } = make(new Tape(numbers))
        const blueprint = yield* Blueprint.export({ name: flow.contract.name, data: flow }, registry)
        const all = { ...registry, handlers: { ...handlersOf(flow), ...registry.handlers } }
        const wanted = Shape.fingerprint(Shape.of(flow))
        for (const source of [blueprint, Blueprint.toYaml(blueprint), Blueprint.toJson(blueprint)]) {
          const plain = yield* Blueprint.load(source, all)
          assert.strictEqual(fingerprint(plain), wanted)
          const contract = TriggerFlow.contractFromData(flow.contract)
          assert.strictEqual(fingerprint(yield* Blueprint.load(source, { ...all, contract })), wanted)
          assert.deepStrictEqual(yield* Blueprint.export(plain, registry), blueprint)
        }
      }),
    { arbitrary: { runs: 150 } }
  )
})

describe("what cannot be written", () => {
  it.effect("is named all at once: functions without a name, and values that are no JSON", () =>
    Effect.gen(function* () {
      const lambda = Review.build(
        Review.start.pipe(
          Chain.to("a", () => Effect.succeed(1), { retry: Schedule.forever, catch: () => Effect.succeed(2) }),
          Chain.match({ x: { if: () => true, then: (c) => c }, y: { is: NaN, then: (c) => c } }),
          Chain.loop((c) => c, { while: () => true, name: "again" }),
          Chain.subFlow(child, { capture: () => 1, result: () => 1, writeBack: () => ({}) })
        ),
        Review.on(Trigger.all({ p: Prepared }, { by: { p: (p) => p.flag } }))
      )
      assert.deepStrictEqual(yield* findingsOf(Blueprint.export(lambda)), [
        "a: Its catch has no name",
        "a: Its retry Schedule has no name",
        'start/match: The condition of the case "x" has no name',
        'start/match: The case "y" compares with a value that is no JSON',
        "again: Its while has no name",
        "start/subFlow: Its capture has no name",
        "start/subFlow: Its result has no name",
        "start/subFlow: Its writeBack has no name",
        'on:all(Prepared): The key of "p" has no name'
      ])
      const error = yield* Effect.flip(Blueprint.export(lambda))
      assert.include(
        error.message,
        "review: a: Its catch has no name. Give it one in `handlers`: functions cannot be written as data."
      )
    })
  )

  it.effect("a definition that cannot run is not written", () =>
    Effect.gen(function* () {
      const a = Review.chunk("a", () => Effect.succeed([1]))
      assert.deepStrictEqual(
        yield* findingsOf(Blueprint.export(Review.build(Review.start.pipe(Chain.to(a), Chain.to(a))))),
        ['a: The name "a" stands for 2 steps: a chunk in start, a chunk in start']
      )
    })
  )

  it.effect("two sub-flows of one name are refused; one that is used twice is written once", () =>
    Effect.gen(function* () {
      const other = Child.build(Child.start)
      const both = Child.build(Child.start.pipe(Chain.subFlow(child), Chain.subFlow(child)))
      assert.deepStrictEqual(Object.keys((yield* Blueprint.export(both)).flows ?? {}), ["child"])
      const two = Review.build(
        Review.start.pipe(
          Chain.to("n", () => Effect.succeed(1)),
          Chain.subFlow(child),
          Chain.subFlow(other)
        )
      )
      assert.deepStrictEqual(yield* findingsOf(Blueprint.export(two)), [
        'start/subFlow#2: Two flows of this blueprint are called "child"'
      ])
    })
  )

  it.effect("chunks of one name in a flow and its sub-flow keep their own handlers", () =>
    Effect.gen(function* () {
      const [mine, its] = [() => Effect.succeed(1), () => Effect.succeed(2)]
      const inner = Child.build(Child.start.pipe(Chain.to("same", its)))
      const flow = Review.build(Review.start.pipe(Chain.to("same", mine), Chain.subFlow(inner)))
      const blueprint = yield* Blueprint.export(flow)
      const loaded = yield* Blueprint.load(blueprint, { handlers: { same: mine, "child/same": its } })
      const [outer, sub] = loaded.data.chains[0]?.body ?? []
      const of = (node: Node | undefined) => (node?.kind === "chunk" ? node.handler : undefined)
      assert.strictEqual(of(outer), mine)
      assert.strictEqual(sub?.kind === "subFlow" ? of(sub.flow.chains[0]?.body[0]) : undefined, its)
    })
  )
})

describe("what cannot be loaded", () => {
  const minimal = (steps: string) => `format: effigent/flow@1
name: x
contract:
  input: { type: string }
chains:
  - on: start
    steps:
${steps}`

  it.effect("everything that was not given is named at once, with paths and lines", () =>
    Effect.gen(function* () {
      const text = minimal(`      - { step: chunk, name: known }
      - step: chunk
        name: a
        catch: lost
        retry: often
        output: Shape
      - step: match
        cases:
          - name: one
            if: isOne
            steps:
              - { step: chunk, name: b, handler: other }
      - step: loop
        while: more
        steps: []
      - { step: subFlow, flow: gone, capture: f }
      - { step: collect, collector: None, branch: x }
  - on: { all: { p: { signal: Paid } }, by: { p: key } }
    steps: []
`)
      assert.deepStrictEqual(yield* findingsOf(Blueprint.load(text, { handlers: { known: () => Effect.void } })), [
        '10: chains[0].steps[1].name: Nothing called "a" was given in `handlers`',
        '12: chains[0].steps[1].retry: Nothing called "often" was given in `schedules`',
        '11: chains[0].steps[1].catch: Nothing called "lost" was given in `handlers`',
        '13: chains[0].steps[1].output: Nothing called "Shape" was given in `schemas`',
        '17: chains[0].steps[2].cases[0].if: Nothing called "isOne" was given in `conditions`',
        '19: chains[0].steps[2].cases[0].steps[0].handler: Nothing called "other" was given in `handlers`',
        '21: chains[0].steps[3].while: Nothing called "more" was given in `conditions`',
        '23: chains[0].steps[4].flow: There is no flow "gone"',
        '23: chains[0].steps[4].capture: Nothing called "f" was given in `functions`',
        '24: chains[0].steps[5].collector: There is no collector "None"',
        '25: chains[1].on.by.p: Nothing called "key" was given in `functions`',
        '25: chains[1]: The signal "Paid" is not in the contract'
      ])
    })
  )

  it.effect("what the check of the flow finds is said with its path and line, in sub-flows too", () =>
    Effect.gen(function* () {
      const text = `${minimal(`      - { step: chunk, name: a }
      - { step: forEach, concurrency: 0, steps: [] }
      - { step: subFlow, flow: y, name: sub }
`)}flows:
  y:
    chains:
      - on: start
        steps:
          - step: side
            steps:
              - step: loop
                while: c
                max: 0
                steps: []
`
      const load = Blueprint.load(text, {
        handlers: { a: () => Effect.void },
        conditions: { c: () => true },
        file: "flow.yaml"
      })
      assert.deepStrictEqual(yield* findingsOf(load), [
        "9: chains[0].steps[1]: concurrency is 0",
        "18: flows.y.chains[0].steps[0].steps[0]: max is 0"
      ])
      assert.include(
        (yield* Effect.flip(load)).message,
        "flow.yaml:9: chains[0].steps[1]: concurrency is 0. Give a whole number"
      )
    })
  )

  it.effect("another version, no format and no text of its kind are refused", () =>
    Effect.gen(function* () {
      const old = minimal("").replace("flow@1", "flow@9")
      assert.deepStrictEqual(yield* findingsOf(Blueprint.load(old, {})), [
        '1: format: The format "effigent/flow@9" is not known'
      ])
      assert.deepStrictEqual(yield* findingsOf(Blueprint.load({ name: "x" }, {})), ["format: There is no format"])
      assert.deepStrictEqual(yield* findingsOf(Blueprint.load([], {})), [": This is no object"])
      assert.lengthOf(yield* findingsOf(Blueprint.load("a: [1", {})), 1)
      assert.lengthOf(yield* findingsOf(Blueprint.load('{"format": "effigent/flow@1", ', {})), 1)
      assert.match((yield* findingsOf(Blueprint.parse('{\n "format": ?}')))[0] ?? "", /^2: /)
    })
  )

  it.effect("what the format does not have is said all at once, with paths and lines", () =>
    Effect.gen(function* () {
      const text = minimal(`      - { step: chunk }
      - { step: chnk, name: a }
      - step: forEach
        onError: retry
        steps:
          - { step: point, name: p, extra: 1 }
`)
      const findings = yield* findingsOf(Blueprint.parse(text))
      assert.deepStrictEqual(
        findings.map((finding) => finding.slice(0, finding.indexOf(": ", 4))),
        [
          "8: chains[0].steps[0].name",
          "9: chains[0].steps[1]",
          "11: chains[0].steps[2].onError",
          "13: chains[0].steps[2].steps[0].extra"
        ],
        findings.join("\n")
      )
      assert.include(findings[1], '"step": "chunk"')
    })
  )

  it.effect("a contract of another name or shape is refused with what differs", () =>
    Effect.gen(function* () {
      const blueprint = yield* Blueprint.export(child)
      const handlers = handlersOf(child.data)
      const other = TriggerFlow.define("other", { input: Schema.Int, result: Schema.Int })
      assert.deepStrictEqual(yield* findingsOf(Blueprint.load(blueprint, { handlers, contract: other })), [
        'name: The blueprint is of "child" and the contract of "other"'
      ])
      const changed = TriggerFlow.define("child", { input: Schema.Int, result: Schema.Int, signals: [Prepared] })
      assert.deepStrictEqual(yield* findingsOf(Blueprint.load(blueprint, { handlers, contract: changed })), [
        'contract.fingerprint: The contract is not the one that the blueprint was made with: the signal "Prepared" was added'
      ])
      const described = TriggerFlow.define("child", {
        input: Schema.Int.annotate({ description: "A number" }),
        result: Schema.Int
      })
      yield* Blueprint.load(blueprint, { handlers, contract: described })
    })
  )

  it.effect("flows and collectors that are given have to fit, and are used", () =>
    Effect.gen(function* () {
      const outer = Child.build(
        Child.start.pipe(Chain.subFlow(review, { capture: registry.functions.next as never, name: "s" }))
      )
      const blueprint = yield* Blueprint.export(outer, registry)
      const loaded = yield* Blueprint.load(blueprint, { ...registry, flows: [review] })
      const [node] = loaded.data.chains[0]?.body ?? []
      assert.strictEqual(node?.kind === "subFlow" ? node.flow : undefined, review.data)
      const small = TriggerFlow.define("review", {}).build()
      assert.deepStrictEqual(yield* findingsOf(Blueprint.load(blueprint, { ...registry, flows: [small] })), [
        'chains[0].steps[0].flow: The flow "review" that was given has another contract'
      ])

      const whole = yield* Blueprint.export(review, registry)
      const all = { ...registry, handlers: { ...handlersOf(review.data), ...registry.handlers } }
      const wrong = Trigger.collector("Parts", { a: Schema.String, when: Schema.String }, { mode: "update" })
      assert.deepStrictEqual(yield* findingsOf(Blueprint.load(whole, { ...all, collectors: [wrong] })), [
        'collectors.Parts: The collector "Parts" that was given has another shape'
      ])
    })
  )

  it.effect("flows that contain each other, and Schemas that are none, are refused", () =>
    Effect.gen(function* () {
      const text = `${minimal("      - { step: subFlow, flow: y }\n").replace("string", "strnig")}flows:
  y:
    chains:
      - on: start
        steps:
          - { step: subFlow, flow: x }
`
      const findings = yield* findingsOf(Blueprint.load(text, {}))
      assert.deepStrictEqual(findings, [
        "4: contract.input.type: There is no such type in JSON Schema",
        '14: flows.y.chains[0].steps[0].flow: The flow "x" contains itself'
      ])
      const lost = minimal("      - { step: result }\n").replace("type: string", '$ref: "#/$defs/gone"')
      assert.match(
        (yield* findingsOf(Blueprint.load(lost, {})))[0] ?? "",
        /^4: contract\.input: This is no JSON Schema/
      )
    })
  )
})

describe("types", () => {
  it.effect("say what a loaded flow needs and how it fails", () =>
    Effect.gen(function* () {
      const blueprint = yield* Blueprint.export(child)
      const loaded = yield* Blueprint.load(blueprint, {
        contract: Child,
        handlers: {
          inner: (n: number) => Effect.flatMap(Db, (m) => (m > n ? Effect.succeed(m) : Effect.fail(new Boom())))
        }
      })
      type Is<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
      const exact: Is<typeof loaded, TriggerFlow.Flow<TriggerFlow.SpecOf<typeof Child>, Boom, Db>> = true
      assert.isTrue(exact)
    })
  )
})
