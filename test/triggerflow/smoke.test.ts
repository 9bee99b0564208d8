import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema, Stream } from "effect"
import { Chain, Interrupt, Signal, Trigger, TriggerFlow } from "effigent/triggerflow"

const E = Signal.make("E", Schema.Number)
const A = Signal.make("A", Schema.Number)
const B = Signal.make("B", Schema.Number)
const Approval = Interrupt.make("Approval", { payload: Schema.String, resume: Schema.Struct({ ok: Schema.Boolean }) })
const F = TriggerFlow.define("f", {
  input: Schema.Unknown,
  result: Schema.Unknown,
  signals: [E, A, B],
  interrupts: [Approval],
  stream: Schema.Unknown,
  state: Schema.Struct({ n: Schema.Number, l: Schema.Array(Schema.Number) }),
  initial: { n: 0, l: [] }
})
const id = <X>(x: X) => Effect.succeed(x)

describe("smoke", () => {
  it.effect("chain", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("a", (x) => id(Number(x) + 1)),
          Chain.to("b", (x) => id(x * 2)),
          Chain.result
        )
      )
      assert.strictEqual(yield* TriggerFlow.runResult(flow, 3), 8)
    })
  )
  it.effect("forEach, batch, match, loop", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("in", () => id([1, 2, 3])),
          Chain.forEach((c) => c.pipe(Chain.to("slow", (x) => Effect.as(Effect.sleep(1000 - x * 100), x * 2))), {
            concurrency: 2
          }),
          Chain.batch({
            one: (c) => c.pipe(Chain.to("o", (xs) => id(xs.length))),
            two: (c) =>
              c.pipe(
                Chain.to("t", (xs) => id(xs)),
                Chain.forEach((i) => i)
              )
          }),
          Chain.to("p", (r) => id(r.one)),
          Chain.loop((c) => c.pipe(Chain.to("inc", (x) => id(x + 1))), { while: (x) => x < 10 }),
          Chain.match({ big: { if: (x) => x >= 10, then: (c) => c.pipe(Chain.to("bg", (x) => id(`big ${x}`))) } }),
          Chain.result
        )
      )
      const fiber = yield* Effect.forkChild(TriggerFlow.runResult(flow, 3), { startImmediately: true })
      const { TestClock } = yield* Effect.promise(() => import("effect/testing"))
      yield* TestClock.adjust(5000)
      assert.strictEqual(yield* Fiber.join(fiber), "big 10")
    })
  )
  it.effect("emit", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("s", (_, run) =>
            Effect.gen(function* () {
              yield* run.emit(E, 1)
              log.push("after")
              yield* run.emitFork(E, 2)
              log.push("s-end")
              return 1
            })
          ),
          Chain.to("next", () => Effect.sync(() => log.push("next")))
        ),
        F.on(E).pipe(Chain.to("h1", (n) => Effect.sync(() => log.push(`h1-${n}`)))),
        F.on(E).pipe(Chain.to("h2", (n) => Effect.sync(() => log.push(`h2-${n}`))))
      )
      const closed = yield* TriggerFlow.run(flow, 3)
      assert.deepStrictEqual(log, ["h1-1", "h2-1", "after", "s-end", "next", "h1-2", "h2-2"])
      assert.strictEqual(closed.status, "completed")
    })
  )
  it.effect("failure", () =>
    Effect.gen(function* () {
      const flow = F.build(F.start.pipe(Chain.to("s", () => Effect.fail("boom"))))
      assert.deepStrictEqual(yield* Effect.exit(TriggerFlow.run(flow, 3)), Exit.fail("boom"))
    })
  )
  it.effect("pause, all, stream", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.batch({
            a: (c) => c.pipe(Chain.to("ask", (_, run) => run.pause(Approval, "ok?"))),
            b: (c) =>
              c.pipe(
                Chain.to("b", (_, run) =>
                  run
                    .put("b")
                    .pipe(Effect.andThen(run.emit(A, 1)), Effect.andThen(run.state.append("l", 4)), Effect.as(7))
                )
              )
          }),
          Chain.result
        ),
        F.on(Trigger.all({ a: A, b: B })).pipe(Chain.to("joined", (j, run) => run.put(j))),
        F.on(F.state("l")).pipe(Chain.to("listen", (l, run) => run.put(l)))
      )
      const execution = yield* TriggerFlow.open(flow, 3)
      const [pending] = yield* execution.interrupts
      assert.strictEqual(pending?.id, "Approval#1")
      assert.strictEqual(yield* execution.status, "waiting")
      yield* execution.emit(B, 5)
      yield* execution.answer(Approval, { ok: true }, { id: "Approval#1" })
      const closed = yield* execution.close()
      assert.deepStrictEqual(closed.state, { n: 0, l: [4] })
      const items = yield* Stream.runCollect(execution.stream)
      assert.deepStrictEqual(items, ["b", [4], { a: 1, b: 5 }])
    })
  )
})
