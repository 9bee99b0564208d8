import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Option, Schema, Stream } from "effect"
import { Chain, Signal, TriggerFlow } from "effigent/triggerflow"
import { Approval, Boom, Choice, errorOf, F, Meter, pure, reasonOf, settle } from "./support.ts"

const resultOf = <A>(closed: { readonly result: Option.Option<A> }): A | undefined =>
  Option.getOrUndefined(closed.result)

describe("Sub-flows", () => {
  const Counting = TriggerFlow.define("counting", {
    input: Schema.Number,
    state: Schema.Struct({ seen: Schema.Number }),
    initial: { seen: 0 }
  })
  const counting = Counting.build(Counting.start.pipe(Chain.to("see", (n, run) => run.state.set("seen", n))))
  const Reporting = TriggerFlow.define("reporting", {
    input: Schema.Number,
    result: Schema.Struct({ report: Schema.String })
  })
  const reporting = Reporting.build(
    Reporting.start.pipe(
      Chain.to("report", (n) => Effect.succeed({ report: `r${n}` })),
      Chain.result
    )
  )

  it.effect("TF-46 by default the value goes in, and the result or the state comes out", () =>
    Effect.gen(function* () {
      const state = F.build(F.start.pipe(Chain.subFlow(counting), Chain.result))
      assert.deepStrictEqual(yield* TriggerFlow.runResult(state, 3), { seen: 3 })
      const result = F.build(F.start.pipe(Chain.subFlow(reporting), Chain.result))
      assert.deepStrictEqual(yield* TriggerFlow.runResult(result, 3), { report: "r3" })
    })
  )

  it.effect("TF-46 capture, result and writeBack say otherwise", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("wrap", (n, run) => Effect.as(run.state.set("n", 10), { x: n })),
          Chain.subFlow(reporting, {
            capture: ({ x }, state) => x + state.n,
            result: ({ result }, { x }) => ({ got: x, report: Option.getOrThrow(result).report }),
            writeBack: ({ result }) => ({ note: Option.getOrThrow(result).report, list: [1] })
          }),
          Chain.result
        ),
        F.on(F.state("note")).pipe(Chain.to("heard", (note, run) => run.put(note ?? null)))
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      const closed = yield* execution.close()
      assert.deepStrictEqual(resultOf(closed), { got: 1, report: "r11" })
      assert.deepStrictEqual(closed.state, { n: 10, list: [1], note: "r11" })
      assert.deepStrictEqual(yield* Stream.runCollect(execution.stream), ["r11"])
    })
  )

  it.effect("TF-46 a sub-flow has a state of its own, each time anew", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed([1, 2, 3])),
          Chain.forEach((i) => i.pipe(Chain.subFlow(counting))),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* TriggerFlow.runResult(flow, 0), [{ seen: 1 }, { seen: 2 }, { seen: 3 }])
    })
  )

  it.effect("what does not fit the contract of a sub-flow, or what it writes back to, fails the step", () =>
    Effect.gen(function* () {
      // What plain JavaScript could give.
      const wrong = "x" as never
      for (const options of [{ capture: () => wrong }, { writeBack: () => ({ n: wrong }) }]) {
        const exit = yield* Effect.exit(TriggerFlow.run(F.build(F.start.pipe(Chain.subFlow(reporting, options))), 1))
        assert.strictEqual(reasonOf(exit), "ContractViolation")
      }
      const throwing = (): never => {
        throw new Error("bad function")
      }
      for (const options of [{ capture: throwing }, { writeBack: throwing }, { result: throwing }]) {
        const exit = yield* Effect.exit(TriggerFlow.run(F.build(F.start.pipe(Chain.subFlow(reporting, options))), 1))
        assert.include(String(exit), "bad function")
      }
    })
  )

  it.effect("the failure of a sub-flow is the failure of its step", () =>
    Effect.gen(function* () {
      const bad = Reporting.build(Reporting.start.pipe(Chain.to("bad", (n) => Effect.fail(new Boom({ at: n })))))
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed([1, 2])),
          Chain.forEach((i) => i.pipe(Chain.subFlow(bad)), { onError: "collect" }),
          Chain.to(
            "json",
            pure((all) => all.map(({ _tag }) => _tag))
          ),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* TriggerFlow.runResult(flow, 1), ["Failure", "Failure"])
      const plain = F.build(F.start.pipe(Chain.subFlow(bad)))
      assert.deepStrictEqual(errorOf(yield* Effect.exit(TriggerFlow.run(plain, 4))), new Boom({ at: 4 }))
    })
  )

  const Talking = TriggerFlow.define("talking", {
    input: Schema.Number,
    stream: Schema.Json,
    signals: [Signal.make("Poke", Schema.Number)],
    interrupts: [Approval, Choice],
    result: Schema.Json
  })
  const Telling = TriggerFlow.define("talking", { input: Schema.Number, stream: Schema.Json })

  it.effect("TF-47 the items of a sub-flow are seen on its parent's stream, in order, with their path", () =>
    Effect.gen(function* () {
      const inner = Telling.build(Telling.start.pipe(Chain.to("inner", (n, run) => run.put(`inner${n}`))))
      const middle = Telling.build(
        Telling.start.pipe(
          Chain.to("m1", (n, run) => Effect.as(run.put(`before${n}`), n)),
          Chain.subFlow(inner),
          Chain.to("m2", (_, run) => run.put("after"))
        )
      )
      const flow = F.build(
        F.start.pipe(
          Chain.to("first", (n, run) => Effect.as(run.put("first"), n)),
          Chain.subFlow(middle),
          Chain.to("last", (_, run) => run.put("last"))
        )
      )
      const execution = yield* TriggerFlow.open(flow, 1, { id: "root" })
      yield* execution.close()
      assert.deepStrictEqual(yield* Stream.runCollect(execution.stream), [
        "first",
        "before1",
        "inner1",
        "after",
        "last"
      ])
      const entries = yield* Stream.runCollect(execution.entries())
      assert.deepStrictEqual(
        entries.map(({ path }) => path.length),
        [0, 1, 2, 1, 0]
      )
    })
  )

  it.effect(
    "TF-48 cancelling a sub-flow is true once; nothing is written back, its chain ends, its parent goes on",
    () =>
      Effect.gen(function* () {
        const meter = new Meter()
        const child = Talking.build(Talking.start.pipe(Chain.to("wait", () => meter.during(Effect.never))))
        const seen: Array<string> = []
        const flow = F.build(
          F.start.pipe(
            Chain.subFlow(child, { capture: (n) => n, writeBack: () => ({ n: 99 }) }),
            Chain.to(
              "never",
              pure(() => seen.push("went on"))
            )
          ),
          F.start.pipe(
            Chain.to(
              "other",
              pure(() => seen.push("other"))
            )
          )
        )
        const execution = yield* TriggerFlow.open(flow, 1)
        const [frame] = yield* execution.subFlows
        assert.deepStrictEqual(frame, { id: frame?.id ?? "", name: "talking", status: "running" })
        const exits = yield* Effect.all(
          [execution.cancelSubFlow(frame?.id ?? ""), execution.cancelSubFlow(frame?.id ?? "")],
          { concurrency: 2 }
        )
        assert.deepStrictEqual(exits, [true, false])
        assert.isFalse(yield* execution.cancelSubFlow(frame?.id ?? ""))
        assert.isFalse(yield* execution.cancelSubFlow("nobody"))
        assert.strictEqual(yield* execution.lifecycle, "open")
        assert.strictEqual(meter.now, 0)
        assert.deepStrictEqual(yield* execution.subFlows, [])
        const closed = yield* execution.close()
        assert.deepStrictEqual([closed.status, closed.state.n, seen], ["completed", 0, ["other"]])
      })
  )

  const asking = Talking.build(
    Talking.start.pipe(
      Chain.to("ask", (n, run) => run.pause(Choice, n)),
      Chain.to("after", (n) => Effect.succeed(n + 1)),
      Chain.result
    )
  )
  const parent = F.build(F.start.pipe(Chain.subFlow(asking), Chain.result))

  it.effect("TF-49 a question of a sub-flow is one of its parent, which answers it by its id", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(parent, 4, { id: "root" })
      const [pending] = yield* execution.interrupts
      assert.deepStrictEqual([pending?.interrupt, pending?.payload, pending?.chunk], ["Choice", 4, "ask"])
      assert.match(pending?.id ?? "", /^root\/talking#\d+:Choice#1$/)
      assert.strictEqual(yield* execution.status, "waiting")
      assert.deepStrictEqual(
        (yield* execution.subFlows).map(({ status }) => status),
        ["waiting"]
      )
      yield* execution.answer(Choice, 7, { id: pending?.id ?? "" })
      assert.strictEqual(resultOf(yield* execution.close()), 8)
      const byJson = yield* TriggerFlow.open(parent, 4)
      yield* byJson.answerJson((yield* byJson.interrupts)[0]?.id ?? "", 1)
      assert.strictEqual(resultOf(yield* byJson.close()), 2)
    })
  )

  it.effect("TF-38 TF-49 close sees the questions of sub-flows, in sub-flows too", () =>
    Effect.gen(function* () {
      const middle = Talking.build(Talking.start.pipe(Chain.subFlow(asking), Chain.result))
      const flow = F.build(
        F.start.pipe(
          Chain.subFlow(middle),
          Chain.to("never", () => Effect.die("went on"))
        )
      )
      const execution = yield* TriggerFlow.open(flow, 4)
      assert.strictEqual(reasonOf(yield* Effect.exit(execution.close())), "PendingInterrupts")
      assert.strictEqual(yield* execution.lifecycle, "open")
      const closed = yield* execution.close({ pending: "cancel" })
      assert.strictEqual(closed.status, "completed")
    })
  )

  it.effect("a run whose sub-flow asks fails at once", () =>
    Effect.gen(function* () {
      assert.strictEqual(reasonOf(yield* Effect.exit(TriggerFlow.run(parent, 1))), "Paused")
    })
  )

  it.effect("a signal can be sent to a sub-flow at work", () =>
    Effect.gen(function* () {
      const Poke = Signal.make("Poke", Schema.Number)
      const Poked = TriggerFlow.define("poked", { input: Schema.Number, signals: [Poke], stream: Schema.Json })
      const go = yield* Deferred.make<void>()
      const child = Poked.build(
        Poked.start.pipe(Chain.to("wait", () => Deferred.await(go))),
        Poked.on(Poke).pipe(
          Chain.to("poke", (n, run) => (n < 0 ? Effect.fail(new Boom({ at: n })) : run.put(`poked ${n}`)))
        )
      )
      const execution = yield* TriggerFlow.open(F.build(F.start.pipe(Chain.subFlow(child, { capture: (n) => n }))), 4)
      const id = (yield* execution.subFlows)[0]?.id ?? ""
      yield* execution.emitToSubFlow(id, "Poke", 5)
      assert.strictEqual(reasonOf(yield* Effect.exit(execution.emitToSubFlow(id, "Poke", "x"))), "ContractViolation")
      assert.strictEqual(reasonOf(yield* Effect.exit(execution.emitToSubFlow(id, "Nothing", 1))), "NotOpen")
      assert.strictEqual(reasonOf(yield* Effect.exit(execution.emitToSubFlow("nobody", "Poke", 1))), "NotOpen")
      const failed = yield* Effect.exit(execution.emitToSubFlow(id, "Poke", -1))
      assert.deepStrictEqual(errorOf<unknown, unknown>(failed), new Boom({ at: -1 }))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(execution.await)))
      const items = execution.engine.stream.entries.map(({ event }) => (event._tag === "item" ? event.json : undefined))
      assert.deepStrictEqual(items, ["poked 5"])
    })
  )

  it.effect("a sub-flow that ends without the result of its contract fails the step", () =>
    Effect.gen(function* () {
      const inner = Talking.build(Talking.start.pipe(Chain.to("none", () => Effect.void)))
      const error = yield* Effect.flip(TriggerFlow.run(F.build(F.start.pipe(Chain.subFlow(inner))), 1))
      assert.strictEqual(error._tag === "FlowError" && error.reason._tag, "NoResult")
    })
  )

  it.effect("items of a sub-flow that the parent's Schema does not admit are told apart", () =>
    Effect.gen(function* () {
      const Counting = TriggerFlow.define("counting", { input: Schema.Number, stream: Schema.Number })
      const inner = Counting.build(Counting.start.pipe(Chain.to("count", (n, run) => run.put(n))))
      const Words = TriggerFlow.define("words", { input: Schema.Number, stream: Schema.String })
      const flow = Words.build(
        Words.start.pipe(
          Chain.subFlow(inner),
          Chain.to("say", (_, run) => run.put("done"))
        )
      )
      const execution = yield* TriggerFlow.open(flow, 5)
      yield* execution.close()
      assert.deepStrictEqual(yield* Stream.runCollect(execution.stream), ["done"])
      const entries = yield* Stream.runCollect(execution.entries())
      assert.deepStrictEqual(
        entries.map(({ event }) => event._tag),
        ["foreign", "item"]
      )
    })
  )

  it.effect("handlers of a sub-flow wait for the readers of the parent's stream", () =>
    Effect.gen(function* () {
      let put = 0
      const child = Telling.build(
        Telling.start.pipe(
          Chain.to("puts", (_, run) =>
            Effect.forEach(
              [1, 2, 3, 4, 5],
              (n) =>
                Effect.andThen(
                  run.put(n),
                  Effect.sync(() => (put = n))
                ),
              { discard: true }
            )
          )
        )
      )
      const flow = F.build(F.start.pipe(Chain.subFlow(child)))
      const execution = yield* TriggerFlow.open(flow, 1, { stream: { _tag: "suspend", capacity: 2 }, autoClose: 0 })
      yield* settle
      assert.strictEqual(put, 2)
      assert.deepStrictEqual(yield* Stream.runCollect(execution.stream), [1, 2, 3, 4, 5])
    })
  )

  it.effect("a step that is no chunk is done too once it has been passed, and a sub-flow failed where it has", () =>
    Effect.gen(function* () {
      const inner = F.build(
        F.start.pipe(
          Chain.to("x", (n) => (n === 0 ? Effect.succeed(n) : Effect.fail(new Boom({ at: n })))),
          Chain.result
        )
      )
      const flow = F.build(
        F.start.pipe(
          Chain.side((s) => s.pipe(Chain.to("by", () => Effect.void)), { name: "beside" }),
          Chain.interventionPoint("point"),
          Chain.subFlow(inner, { name: "inner" }),
          Chain.to("last", () => Effect.succeed(1)),
          Chain.result
        )
      )
      for (const [input, rest] of [
        [0, { inner: "done", last: "done", "start/result": "done" }],
        [1, { inner: "failed" }]
      ] as const) {
        const execution = yield* TriggerFlow.open(flow, input)
        yield* Effect.exit(execution.close())
        assert.deepStrictEqual(Object.fromEntries(yield* execution.steps), {
          beside: "done",
          by: "done",
          point: "done",
          ...rest
        })
      }
    })
  )
})
