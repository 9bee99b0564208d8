// What msgflux writes as a text, `a -> [b, c] -> {x > 1 ? d, e} -> @{n < 3}: f`, as chains: the compiler is the parser,
// and what no compiler sees (pipelines that come as files) is checked when they are loaded.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Blueprint, Chain, TriggerFlow } from "effigent/triggerflow"

const Message = Schema.Struct({ x: Schema.Int, n: Schema.Int, kind: Schema.String, log: Schema.Array(Schema.String) })
type Message = typeof Message.Type

const P = TriggerFlow.define("p", { input: Message, result: Message })
const say = (name: string) => P.chunk(name, (m: Message) => Effect.succeed({ ...m, n: m.n + 1, log: [...m.log, name] }))
const logOf = <E>(ran: Effect.Effect<Message, E>) => Effect.map(ran, ({ log }) => log.join(" "))
const of = (some: Partial<Message>): Message => ({ x: 0, n: 0, kind: "", log: [], ...some })

describe("S68 pipelines", () => {
  it.effect("S68 sequence, parallel, branch and loop, as in `a -> [b, c] -> {x > 1 ? d, e} -> @{n < 4}: f`", () =>
    Effect.gen(function* () {
      const pipeline = P.build(
        P.start.pipe(
          Chain.to(say("a")),
          Chain.batch({ b: (m) => m.pipe(Chain.to(say("b"))), c: (m) => m.pipe(Chain.to(say("c"))) }),
          // Branches share nothing that they could overwrite: what they made is brought together where it is read.
          Chain.to("join", ({ b, c }) => Effect.succeed({ ...b, log: [...b.log, ...c.log.slice(1)] })),
          Chain.if(({ x }) => x > 1, {
            then: (m) => m.pipe(Chain.to(say("d"))),
            else: (m) => m.pipe(Chain.to(say("e")))
          }),
          Chain.loop((m) => m.pipe(Chain.to(say("f"))), { while: ({ n }) => n < 5 }),
          Chain.result
        )
      )
      assert.strictEqual(yield* logOf(TriggerFlow.runResult(pipeline, of({ x: 2 }))), "a b c d f f")
      assert.strictEqual(yield* logOf(TriggerFlow.runResult(pipeline, of({ x: 1, n: 1 }))), "a b c e f")
    })
  )

  it.effect("S68 conditions are the language's own: `!=`, texts with operators in them, and, or, not", () =>
    Effect.gen(function* () {
      const pipeline = P.build(
        P.start.pipe(
          Chain.if(({ kind, x }) => kind !== "a -> [b & c] | !(d)" && !(x === 1 || x === 2), {
            then: (m) => m.pipe(Chain.to(say("other"))),
            else: (m) => m.pipe(Chain.to(say("same")))
          }),
          Chain.result
        )
      )
      const run = (some: Partial<Message>) => logOf(TriggerFlow.runResult(pipeline, of(some)))
      assert.strictEqual(yield* run({ kind: "a -> [b & c] | !(d)", x: 3 }), "same")
      assert.strictEqual(yield* run({ kind: "a", x: 3 }), "other")
      assert.strictEqual(yield* run({ kind: "a", x: 2 }), "same")
    })
  )

  it.effect("S68 if, elif, else: the first case that holds, or what is done otherwise", () =>
    Effect.gen(function* () {
      const pipeline = P.build(
        P.start.pipe(
          Chain.match(
            {
              large: { if: ({ x }) => x > 10, then: (m) => m.pipe(Chain.to(say("large"))) },
              middle: { if: ({ x }) => x > 5, then: (m) => m.pipe(Chain.to(say("middle"))) }
            },
            { otherwise: (m) => m.pipe(Chain.to(say("small"))) }
          ),
          Chain.result
        )
      )
      const runs = yield* Effect.forEach([11, 6, 5], (x) => logOf(TriggerFlow.runResult(pipeline, of({ x }))))
      assert.deepStrictEqual(runs, ["large", "middle", "small"])
    })
  )

  it.effect("S68 loops in loops", () =>
    Effect.gen(function* () {
      const pipeline = P.build(
        P.start.pipe(
          Chain.loop(
            (m) =>
              m.pipe(
                Chain.to("outer", (m) => Effect.succeed({ ...m, n: 0, log: [...m.log, `outer${m.x}`] })),
                Chain.loop((inner) => inner.pipe(Chain.to(say("in"))), { while: ({ n }) => n < 2, name: "inner" }),
                Chain.to("count", (m) => Effect.succeed({ ...m, x: m.x + 1 }))
              ),
            { while: ({ x }) => x < 2 }
          ),
          Chain.result
        )
      )
      assert.strictEqual(yield* logOf(TriggerFlow.runResult(pipeline, of({}))), "outer0 in in outer1 in in")
    })
  )

  it.effect("S68 a loop over its budget is a typed error that names the loop and the limit", () =>
    Effect.gen(function* () {
      const pipeline = P.build(
        P.start.pipe(
          Chain.loop((m) => m.pipe(Chain.to(say("f"))), { while: () => true, max: 3, name: "polish" }),
          Chain.result
        )
      )
      const limit = yield* TriggerFlow.runResult(pipeline, of({})).pipe(
        Effect.as("none"),
        Effect.catchReason("FlowError", "LoopLimit", ({ limit, loop }) => Effect.succeed(`${loop} ${limit}`))
      )
      assert.strictEqual(limit, "polish 3")
    })
  )

  it("S68 what would be an error of syntax does not compile", () => {
    // Nothing of it runs; it is there for the compiler.
    const wrong = () => [
      P.start.pipe(
        // @ts-expect-error a loop without its condition
        Chain.loop((m) => m.pipe(Chain.to(say("a"))))
      ),
      P.start.pipe(
        // @ts-expect-error a branch without what is done then
        Chain.if((m: Message) => m.x > 1, {})
      ),
      P.start.pipe(
        // @ts-expect-error a field that messages do not have
        Chain.if((m) => m.size > 1, { then: (m) => m })
      ),
      P.start.pipe(
        // @ts-expect-error a body that gives another kind of message than the next round takes
        Chain.loop((m) => m.pipe(Chain.to("b", () => Effect.succeed("text"))), { while: () => false })
      ),
      P.start.pipe(
        Chain.to("c", () => Effect.succeed("text")),
        // @ts-expect-error a step that is given something else than the one before makes
        Chain.to(say("d"))
      )
    ]
    assert.isFunction(wrong)
  })

  it.effect(
    "S68 a pipeline that comes as a file is refused when it is loaded, with the place of everything wrong",
    () =>
      Effect.gen(function* () {
        const file = `
format: effigent/flow@1
name: p
chains:
  - on: start
    steps:
      - { step: chunk, name: a }
      - { step: chunk, name: b }
      - step: loop
        while: again
        max: 0
        steps: []
`
        const error = yield* Effect.flip(Blueprint.load(file, { contract: P, handlers: { a: () => Effect.void } }))
        assert.deepStrictEqual(
          error.findings.map(({ line, problem }) => `${line}: ${problem}`),
          [
            '8: Nothing called "b" was given in `handlers`',
            '10: Nothing called "again" was given in `conditions`',
            "9: max is 0"
          ]
        )
      })
  )
})
