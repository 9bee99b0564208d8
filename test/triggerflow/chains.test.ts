import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Schema } from "effect"
import { Chain, TriggerFlow } from "effigent/triggerflow"
import { A, E, F, pure, settle } from "./support.ts"

describe("Chains", () => {
  it.effect("TF-01 a step is given what the one before it gives, nothing too", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("a", (n) => Effect.succeed(`${n + 1}`)),
          Chain.to("b", (text) => Effect.sync(() => void seen.push(text))),
          Chain.to("c", (nothing) => Effect.sync(() => (seen.push(nothing), null))),
          Chain.to("d", (none) => Effect.sync(() => (seen.push(none), "end"))),
          Chain.result
        )
      )
      assert.strictEqual(yield* TriggerFlow.runResult(flow, 3), "end")
      assert.deepStrictEqual(seen, ["4", undefined, null])
    })
  )

  it.effect("TF-02 starting twice starts once", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to(
            "a",
            pure((n) => seen.push(n))
          )
        )
      )
      const execution = yield* TriggerFlow.create(flow, 7)
      assert.strictEqual(yield* execution.status, "created")
      assert.deepStrictEqual(seen, [])
      yield* execution.start
      yield* execution.start
      yield* settle
      yield* execution.start
      assert.deepStrictEqual(seen, [7])
    })
  )

  it.effect("a start after the end starts nothing", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to(
            "a",
            pure((n) => seen.push(n))
          )
        )
      )
      const execution = yield* TriggerFlow.create(flow, 7)
      const closed = yield* execution.close()
      assert.strictEqual(closed.status, "completed")
      yield* execution.start
      yield* settle
      assert.deepStrictEqual(seen, [])
    })
  )

  it.effect("several chains on the start begin with the same input, in their order", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to(
            "a",
            pure((n) => seen.push(`a${n}`))
          )
        ),
        F.start.pipe(
          Chain.to(
            "b",
            pure((n) => seen.push(`b${n}`))
          )
        )
      )
      yield* TriggerFlow.run(flow, 1)
      assert.deepStrictEqual(seen, ["a1", "b1"])
    })
  )

  it.effect("an empty chain, and a flow without chains, end at once", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* TriggerFlow.run(F.build(), 1)).status, "completed")
      assert.strictEqual((yield* TriggerFlow.run(F.build(F.start), 1)).status, "completed")
    })
  )

  it.effect("TF-54 the result stands beside the state, and the last one counts", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("a", (n, run) => run.state.set("n", n).pipe(Effect.as(n))),
          Chain.result,
          Chain.to("b", (n, run) => run.setResult({ n }))
        )
      )
      const closed = yield* TriggerFlow.run(flow, 5)
      assert.deepStrictEqual(closed.state, { n: 5, list: [] })
      assert.deepStrictEqual(closed.result, Option.some({ n: 5 }))
      const none = yield* TriggerFlow.run(F.build(F.start), 5)
      assert.deepStrictEqual(none.result, Option.none())
      const failed = yield* Effect.flip(TriggerFlow.runResult(F.build(F.start), 5))
      assert.strictEqual(failed.reason._tag, "NoResult")
    })
  )

  it.effect("TF-55 wiring is a value: built twice it does the same, and emits are never taken for repeats", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const wire = () =>
        F.build(
          F.start.pipe(
            Chain.to("a", (n, run) =>
              Effect.all([run.emit(E, n), run.emit(E, n), run.emitFork(E, n)], { discard: true })
            )
          ),
          F.on(E).pipe(
            Chain.to(
              "e",
              pure((n) => seen.push(n))
            )
          )
        )
      wire()
      yield* TriggerFlow.run(wire(), 1)
      assert.deepStrictEqual(seen, [1, 1, 1])
    })
  )

  it.effect("one chain value can stand in two flows", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const common = F.start.pipe(Chain.to("a", (n) => Effect.succeed(n + 1)))
      const one = F.build(
        common.pipe(
          Chain.to(
            "b",
            pure((n) => seen.push(`one${n}`))
          )
        )
      )
      const two = F.build(
        common.pipe(
          Chain.to(
            "b",
            pure((n) => seen.push(`two${n}`))
          )
        )
      )
      yield* TriggerFlow.run(one, 1)
      yield* TriggerFlow.run(two, 5)
      assert.deepStrictEqual(seen, ["one2", "two6"])
    })
  )

  it.effect("handlers take services from where the flow is run, and conditions do too", () =>
    Effect.gen(function* () {
      class Rate extends Context.Service<Rate, { readonly of: (n: number) => number }>()("test/Rate") {}
      const flow = F.build(
        F.start.pipe(
          Chain.to("a", (n) => Effect.map(Rate, (rate) => rate.of(n))),
          Chain.if((n) => Effect.map(Rate, (rate) => rate.of(n) > 10), {
            then: (c) => c.pipe(Chain.to("big", () => Effect.succeed("big")))
          }),
          Chain.result
        )
      )
      const rate = (factor: number) => Layer.succeed(Rate, { of: (n: number) => n * factor })
      assert.strictEqual(yield* Effect.provide(TriggerFlow.runResult(flow, 2), rate(3)), "big")
      assert.strictEqual(yield* Effect.provide(TriggerFlow.runResult(flow, 1), rate(3)), 3)
    })
  )

  it.effect("chains on a chunk run nested, beside the next step, and the body waits for them", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const work = F.chunk("work", (n: number) => Effect.succeed(n * 2))
      const flow = F.build(
        F.start.pipe(
          Chain.to("a", (n, run) =>
            Effect.andThen(
              run.emit(A, n),
              Effect.sync(() => seen.push("emitted"))
            )
          )
        ),
        F.on(A).pipe(
          Chain.to(work),
          Chain.to(
            "next",
            pure((n) => seen.push(`next${n}`))
          )
        ),
        F.on(work).pipe(
          Chain.to("slow", (n) => Effect.yieldNow.pipe(Effect.as(n))),
          Chain.to(
            "heard",
            pure((n) => seen.push(`heard${n}`))
          )
        )
      )
      yield* TriggerFlow.run(flow, 2)
      assert.deepStrictEqual(seen, ["next4", "heard4", "emitted"])
    })
  )

  it.effect("a long chain does not grow the stack", () =>
    Effect.gen(function* () {
      let chain = F.start.pipe(Chain.to("0", (n) => Effect.succeed(n)))
      for (let at = 1; at < 5_000; at++) chain = chain.pipe(Chain.to(`${at}`, (n) => Effect.succeed(n + 1)))
      assert.strictEqual(yield* TriggerFlow.runResult(F.build(chain.pipe(Chain.result)), 0), 4_999)
    })
  )

  it.effect("a contract without input, state, stream and result is enough", () =>
    Effect.gen(function* () {
      const Bare = TriggerFlow.define("bare", {})
      const closed = yield* TriggerFlow.run(Bare.build(Bare.start.pipe(Chain.to("a", () => Effect.void))), undefined)
      assert.deepStrictEqual(closed, {
        executionId: closed.executionId,
        status: "completed",
        state: {},
        result: Option.none()
      })
      assert.strictEqual(Schema.isSchema(Bare.data.input), true)
    })
  )
})
