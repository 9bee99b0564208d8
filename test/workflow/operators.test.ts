// The operators that workflows need beside branches and loops: a record of what each step has found, branches that keep
// their failures, and an end of the whole from any depth.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Result, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Blueprint, Chain, type FlowErrors, Interrupt, Mermaid, Shape, Signal, TriggerFlow } from "effigent/triggerflow"
import { beside, Boom, errorOf, pure, settle } from "../triggerflow/support.ts"

const Go = Signal.make("Go", Schema.Int)
const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.DateFromString })
const W = TriggerFlow.define("w", {
  input: Schema.Struct({ topic: Schema.String, at: Schema.Date }),
  signals: [Go],
  interrupts: [Ask],
  stream: Schema.String,
  result: Schema.Unknown
})
const input = { topic: "tea", at: new Date(5) }
const resultOf = <A>(closed: { readonly result: Option.Option<A> }) => Option.getOrUndefined(closed.result)
const problemsOf = ({ reason }: FlowErrors.FlowError) =>
  reason._tag === "InvalidDefinition" ? reason.findings : reason

describe("bind", () => {
  const bound = W.build(
    W.start.pipe(
      Chain.bind("facts", (c) => c.pipe(Chain.to("research", ({ topic }) => Effect.succeed([topic, "old"])))),
      Chain.bind("asked", (c) => c.pipe(Chain.to("ask", ({ facts }, run) => run.pause(Ask, facts.join(" "))))),
      Chain.bind("draft", (c) =>
        c.pipe(Chain.to("write", ({ at, facts }) => Effect.succeed(`${facts.length} ${at.getTime()}`)))
      ),
      Chain.to("all", ({ asked, at, draft, facts, topic }) =>
        Effect.succeed({ topic, at: at.getTime(), facts, asked: asked.getTime(), draft })
      ),
      Chain.result
    )
  )
  const wanted = { topic: "tea", at: 5, facts: ["tea", "old"], asked: 9, draft: "2 5" }

  it.effect("every later step sees what each earlier one has found, by its name", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(bound, input)
      yield* execution.answer(Ask, new Date(9), { id: "Ask#1" })
      assert.deepStrictEqual(resultOf(yield* execution.close()), wanted)
    })
  )

  it.effect("what it keeps is saved and loaded with its types, the input's fields too", () =>
    Effect.gen(function* () {
      const first = yield* TriggerFlow.open(bound, input)
      const text = JSON.stringify(yield* first.save())
      yield* first.cancel()
      const loaded = yield* TriggerFlow.load(bound, JSON.parse(text))
      yield* loaded.answer(Ask, new Date(9), { id: "Ask#1" })
      assert.deepStrictEqual(resultOf(yield* loaded.close()), wanted)
    })
  )

  it.effect("begins with any value by bindTo; a later name of the same may not be used", () =>
    Effect.gen(function* () {
      const N = TriggerFlow.define("n", { input: Schema.Int, result: Schema.Unknown })
      const flow = N.build(
        N.start.pipe(
          Chain.bindTo("n"),
          Chain.bind("double", (c) =>
            c.pipe(
              Chain.to(
                "double",
                pure(({ n }) => n * 2)
              )
            )
          ),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* TriggerFlow.runResult(flow, 4), { n: 4, double: 8 })
      const again = N.start.pipe(
        Chain.bindTo("n"),
        // @ts-expect-error the record has an n already
        Chain.bind("n", (c) => c)
      )
      assert.isObject(again)
    })
  )

  it.effect("a failure of its body is a failure of the step, with its type", () =>
    Effect.gen(function* () {
      const flow = W.build(
        W.start.pipe(Chain.bind("x", (c) => c.pipe(Chain.to("x", () => Effect.fail(new Boom({ at: "x" }))))))
      )
      const error = yield* Effect.flip(TriggerFlow.run(flow, input))
      assert.deepStrictEqual(error, new Boom({ at: "x" }))
    })
  )
})

describe("branches that keep their failures", () => {
  const seen: Array<unknown> = []
  const flow = W.build(
    W.start.pipe(
      Chain.batch(
        {
          ok: (c) => c.pipe(Chain.to("ok", () => Effect.as(Effect.sleep(20), 1))),
          bad: (c) =>
            c.pipe(
              Chain.side((beside) => beside.pipe(Chain.to("beside", () => Effect.never))),
              Chain.to("bad", () => Effect.andThen(Effect.sleep(10), Effect.fail(new Boom({ at: "bad" }))))
            ),
          worse: (c) => c.pipe(Chain.to("worse", () => Effect.fail("worse" as const)))
        },
        { onError: "collect" }
      ),
      Chain.to("seen", (results) => Effect.sync(() => void seen.push(results)))
    )
  )

  it.effect(
    "S69 give a Result each, in their order, when all have ended; what a failed one had started is stopped",
    () =>
      Effect.gen(function* () {
        seen.length = 0
        const fiber = yield* beside(TriggerFlow.run(flow, input))
        yield* TestClock.adjust(19)
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust(1)
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(seen, [
          { ok: Result.succeed(1), bad: Result.fail(new Boom({ at: "bad" })), worse: Result.fail("worse") }
        ])
      })
  )

  it.effect("S69 one step behind them names every failure in one error", () =>
    Effect.gen(function* () {
      class Stage extends Schema.TaggedError<Stage>()("Stage", { failed: Schema.Array(Schema.String) }) {}
      const stage = W.build(
        W.start.pipe(
          Chain.batch(
            {
              a: (c) => c.pipe(Chain.to("a", () => Effect.fail("no a" as const))),
              b: (c) => c.pipe(Chain.to("b", () => Effect.succeed(2))),
              c: (c) => c.pipe(Chain.to("c", () => Effect.fail("no c" as const)))
            },
            { onError: "collect" }
          ),
          Chain.to("all", (slots) => {
            const failed = Object.entries(slots).flatMap(([name, slot]) =>
              Result.isFailure(slot) ? [`${name}: ${slot.failure}`] : []
            )
            return failed.length > 0 ? Effect.fail(new Stage({ failed })) : Effect.succeed(slots.b)
          })
        )
      )
      assert.deepStrictEqual(
        errorOf(yield* Effect.exit(TriggerFlow.run(stage, input))),
        new Stage({ failed: ["a: no a", "c: no c"] })
      )
    })
  )

  it.effect("a defect of one of them is a mistake and goes upward", () =>
    Effect.gen(function* () {
      const dies = W.build(
        W.start.pipe(Chain.batch({ a: (c) => c.pipe(Chain.to("a", () => Effect.die("bug"))) }, { onError: "collect" }))
      )
      const exit = yield* Effect.exit(TriggerFlow.run(dies, input))
      assert.isTrue(Exit.isFailure(exit) && exit.cause.reasons.some((reason) => reason._tag === "Die"))
    })
  )

  it.effect("are saved and loaded with what has failed meanwhile", () =>
    Effect.gen(function* () {
      const waits = W.build(
        W.start.pipe(
          Chain.batch(
            {
              bad: (c) => c.pipe(Chain.to("bad", () => Effect.fail("no" as const))),
              at: (c) => c.pipe(Chain.to("ask", (_, run) => run.pause(Ask, "when")))
            },
            { onError: "collect" }
          ),
          Chain.to("seen", (results) => Effect.sync(() => void seen.push(results)))
        )
      )
      seen.length = 0
      const first = yield* TriggerFlow.open(waits, input)
      const text = JSON.stringify(yield* first.save())
      yield* first.cancel()
      const loaded = yield* TriggerFlow.load(waits, JSON.parse(text))
      yield* loaded.answer(Ask, new Date(1), { id: "Ask#1" })
      yield* loaded.close()
      assert.deepStrictEqual(seen, [{ bad: Result.fail("no"), at: Result.succeed(new Date(1)) }])
    })
  )
})

describe("stop", () => {
  const log: Array<string> = []
  const forever = (name: string) => () =>
    Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push(`${name} stopped`)))
  const say = (name: string) => () => Effect.sync(() => log.push(name))

  it.effect("S54 ends the whole from any depth, completed, with its result; what is at work is interrupted first", () =>
    Effect.gen(function* () {
      log.length = 0
      const flow = W.build(
        W.start.pipe(
          Chain.batch({
            left: (c) => c.pipe(Chain.to("left", forever("left"))),
            right: (c) =>
              c.pipe(
                Chain.to("list", () => Effect.succeed([1, 2, 3])),
                Chain.forEach(
                  (item) =>
                    item.pipe(
                      Chain.if((n) => n === 2, {
                        then: (two) =>
                          two.pipe(
                            Chain.to("found", (n) => Effect.succeed(`found ${n}`)),
                            Chain.stop
                          ),
                        else: (other) => other.pipe(Chain.to("wait", () => Effect.never))
                      })
                    ),
                  { onError: "collect" }
                )
              )
          }),
          Chain.to("never", say("never"))
        ),
        W.on(Go).pipe(Chain.to("never either", say("never either")))
      )
      const closed = yield* TriggerFlow.run(flow, input)
      assert.deepStrictEqual([closed.status, resultOf(closed)], ["completed", "found 2"])
      assert.deepStrictEqual(log, ["left stopped"])
    })
  )

  it.effect("S54 a step that stops in a loop: neither its later rounds nor later steps run", () =>
    Effect.gen(function* () {
      log.length = 0
      const flow = W.build(
        W.start.pipe(
          Chain.to("zero", () => Effect.succeed(0)),
          Chain.loop(
            (c) =>
              c.pipe(
                Chain.to("round", (n) =>
                  Effect.as(
                    Effect.sync(() => log.push(`round ${n}`)),
                    n + 1
                  )
                ),
                Chain.if((n) => n === 2, {
                  then: (two) =>
                    two.pipe(
                      Chain.to("enough", () => Effect.succeed("two")),
                      Chain.stop
                    )
                })
              ),
            { while: () => true }
          ),
          Chain.to("never", say("never"))
        )
      )
      assert.strictEqual(yield* TriggerFlow.runResult(flow, input), "two")
      assert.deepStrictEqual(log, ["round 0", "round 1"])
    })
  )

  it.effect("S54 in a sub-flow it ends the sub-flow, whose result goes on", () =>
    Effect.gen(function* () {
      const inner = W.build(
        W.start.pipe(
          Chain.to("inner", () => Effect.succeed("early")),
          Chain.stop
        ),
        W.start.pipe(Chain.to("inner beside", forever("inner beside")))
      )
      const outer = W.build(
        W.start.pipe(
          Chain.subFlow(inner),
          Chain.to("outer", (text) => Effect.succeed(`after ${String(text)}`)),
          Chain.result
        )
      )
      assert.strictEqual(yield* TriggerFlow.runResult(outer, input), "after early")
    })
  )

  it.effect("S54 ends questions that wait, refuses what comes later, and says how to those who wait outside", () =>
    Effect.gen(function* () {
      const flow = W.build(
        W.start.pipe(Chain.to("ask", (_, run) => run.pause(Ask, "when"))),
        W.on(Go).pipe(
          Chain.to("put", (n, run) => Effect.as(run.put(`went ${n}`), n)),
          Chain.stop
        )
      )
      const execution = yield* TriggerFlow.open(flow, input)
      const error = yield* Effect.flip(execution.emit(Go, 3))
      assert.deepInclude(error.reason, { _tag: "NotOpen", status: "completed" })
      const closed = yield* execution.await
      assert.deepStrictEqual([closed.status, resultOf(closed)], ["completed", 3])
      assert.deepStrictEqual(yield* execution.interrupts, [])
      assert.deepStrictEqual(yield* Stream.runCollect(execution.stream), ["went 3"])
      assert.strictEqual((yield* Effect.flip(execution.emit(Go, 4))).reason._tag, "NotOpen")
    })
  )

  it.effect("S54 what fails while it is stopped is a failure; who cancels meanwhile only waits", () =>
    Effect.gen(function* () {
      const stopping = (finalizer: Effect.Effect<void>) =>
        W.build(
          W.start.pipe(
            Chain.to("in time", () => Effect.succeed("done")),
            Chain.stop
          ),
          W.start.pipe(Chain.to("slow", () => Effect.onInterrupt(Effect.never, () => finalizer)))
        )
      const fails = yield* Effect.exit(TriggerFlow.run(stopping(Effect.die("finalizer")), input))
      assert.isTrue(Exit.isFailure(fails) && fails.cause.reasons.some((reason) => reason._tag === "Die"))
      const execution = yield* TriggerFlow.open(stopping(Effect.sleep(50)), input)
      yield* settle
      const cancelled = yield* beside(execution.cancel("enough"))
      yield* TestClock.adjust(50)
      const closed = yield* Fiber.join(cancelled)
      assert.deepStrictEqual([closed.status, resultOf(closed)], ["completed", "done"])
    })
  )

  it.effect("needs the result of the contract, or any value where there is none; nothing stands behind it", () =>
    Effect.gen(function* () {
      const Typed = TriggerFlow.define("typed", { input: Schema.Int, result: Schema.String })
      // @ts-expect-error the result is a text
      const wrong = Typed.start.pipe(Chain.stop)
      assert.isObject(wrong)
      const None = TriggerFlow.define("none", { input: Schema.Int })
      const closed = yield* TriggerFlow.run(None.build(None.start.pipe(Chain.stop)), 1)
      assert.deepStrictEqual([closed.status, closed.result], ["completed", Option.none()])
      const dead = None.build(
        None.start.pipe(
          Chain.stop,
          Chain.to("x", () => Effect.void),
          Chain.to("y", () => Effect.void)
        )
      )
      assert.deepStrictEqual(problemsOf(yield* Effect.flip(TriggerFlow.check(dead))), [
        {
          at: "x",
          problem: "It stands behind a stop in start, so it can never run",
          fix: "Take it out, or end with Chain.result instead"
        }
      ])
    })
  )
})

describe("in definitions", () => {
  const all = () =>
    W.build(
      W.start.pipe(
        Chain.bind("a", (c) => c),
        Chain.batch(
          { b: (c) => c.pipe(Chain.if(() => true, { then: (t) => t.pipe(Chain.stop) })) },
          { onError: "collect" }
        ),
        Chain.result
      )
    )

  it.effect("bind, collect and stop are kept through blueprints, and tell definitions apart", () =>
    Effect.gen(function* () {
      const registry = { conditions: { always: () => true } }
      const flow = W.build(
        W.start.pipe(
          Chain.bind("a", (c) => c),
          Chain.batch(
            { b: (c) => c.pipe(Chain.if(registry.conditions.always, { then: (t) => t.pipe(Chain.stop) })) },
            { onError: "collect" }
          ),
          Chain.result
        )
      )
      const blueprint = yield* Blueprint.export(flow, registry)
      const loaded = yield* Blueprint.load(Blueprint.toYaml(blueprint), { ...registry, contract: W })
      assert.strictEqual(Shape.fingerprint(Shape.of(loaded.data)), Shape.fingerprint(Shape.of(flow.data)))
      const plain = W.build(
        W.start.pipe(
          Chain.batch({ a: (c) => c }),
          Chain.batch({ b: (c) => c.pipe(Chain.if(() => true, { then: (t) => t.pipe(Chain.result) })) }),
          Chain.result
        )
      )
      assert.notStrictEqual(Shape.fingerprint(Shape.of(plain.data)), Shape.fingerprint(Shape.of(flow.data)))
    })
  )

  it("are seen in diagrams", () => {
    const drawn = Mermaid.toMermaid(all())
    assert.include(drawn, "batch (beside its input)")
    assert.include(drawn, "batch (collect failures)")
    assert.match(drawn, /-->\|"then \/ stop"\| n2/)
  })
})
