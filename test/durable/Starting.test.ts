// One start under one id, one signal under one request: from many callers at once, and over crashes.
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Chain, Interrupt, Signal, TriggerFlow } from "effigent/triggerflow"
import { journal, runner, settle, until } from "./support.ts"

const Add = Signal.make("Add", Schema.Number, { reply: Schema.Number })
const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.String })
const Count = TriggerFlow.define("count", {
  input: Schema.Struct({ n: Schema.Number, m: Schema.optionalKey(Schema.Number) }),
  result: Schema.Json,
  state: Schema.Struct({ sum: Schema.Number }),
  initial: { sum: 0 },
  signals: [Add],
  interrupts: [Ask]
})

const counting = (begin: () => void = () => undefined) =>
  Count.build(
    Count.start.pipe(
      Chain.to("begin", ({ n }, run) => Effect.andThen(Effect.sync(begin), run.state.set("sum", n))),
      Chain.to("ask", (_, run) => run.pause(Ask, "go on?"))
    ),
    Count.on(Add).pipe(
      Chain.to("add", (n: number, run) =>
        Effect.as(
          run.state.update("sum", (sum) => sum + n),
          n
        )
      )
    )
  )

describe("starts", () => {
  it.effect("20 callers at once start one execution, and so do 20 more after a crash in between", () =>
    Effect.gen(function* () {
      let begun = 0
      const flow = TriggerFlow.toLayer(counting(() => begun++))
      const store = journal()
      const first = yield* runner(store, flow)
      const start = (from: typeof first, m: number) =>
        Effect.exit(
          Effect.andThen(
            Effect.forEach(Array.from({ length: m % 3 }), () => Effect.yieldNow),
            from.host.start({ flow: "count", id: "a", input: m % 2 === 0 ? { n: 1, m: 2 } : { m: 2, n: 1 } })
          )
        )
      // The one that creates it is killed by its first write, which comes through.
      first.wire.left = 0
      first.wire.through = true
      const torn = yield* Effect.forEach(Array.from({ length: 20 }), (_, m) => start(first, m), {
        concurrency: "unbounded"
      })
      assert.isTrue(torn.every(Exit.isFailure))
      yield* first.kill
      const second = yield* runner(store, flow)
      const exits = yield* Effect.forEach(Array.from({ length: 20 }), (_, m) => start(second, m), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        exits,
        Array.from({ length: 20 }, () => Exit.succeed("a"))
      )
      yield* until(() => begun === 1)
      assert.strictEqual((yield* second.host.get("a")).state["sum"], 1)
      assert.strictEqual((yield* second.host.list()).executions.length, 1)
      const other = yield* Effect.flip(second.host.start({ flow: "count", id: "a", input: { n: 2 } }))
      assert.strictEqual(other._tag, "ExecutionConflict")
      assert.strictEqual(begun, 1)
    })
  )

  it.effect("20 callers at once on a fresh runner run its first handler once", () =>
    Effect.gen(function* () {
      let begun = 0
      const first = yield* runner(journal(), TriggerFlow.toLayer(counting(() => begun++)))
      const ids = yield* Effect.forEach(
        Array.from({ length: 20 }),
        () => first.host.start({ flow: "count", id: "a", input: { n: 1 } }),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(new Set(ids), new Set(["a"]))
      yield* until(() => begun === 1)
      assert.strictEqual(first.wire.count("create"), 1)
    })
  )

  it.effect("a start that failed because the store did not answer goes on where it was made all the same", () =>
    Effect.gen(function* () {
      let begun = 0
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(counting(() => begun++)), { lease: "10 seconds" })
      const { create } = store
      first.wire.instead.create = (creation) =>
        Effect.andThen(create(creation), Effect.die(new Error("the connection is gone")))
      const exit = yield* Effect.exit(first.host.start({ flow: "count", id: "a", input: { n: 1 } }))
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual((yield* first.keeper.health).stranded, 1)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(begun, 1)
      assert.strictEqual((yield* first.keeper.health).stranded, 0)
    })
  )

  it.effect("whoever starts may be interrupted; the execution is whole or not there", () =>
    Effect.gen(function* () {
      const first = yield* runner(journal(), TriggerFlow.toLayer(counting()))
      yield* Effect.forEach(
        Array.from({ length: 50 }),
        (_, n) =>
          Effect.gen(function* () {
            const fiber = yield* Effect.forkChild(first.host.start({ flow: "count", id: `a${n}`, input: { n } }))
            for (let turn = 0; turn < n % 10; turn++) yield* Effect.yieldNow
            fiber.interruptUnsafe()
          }),
        { discard: true }
      )
      yield* TestClock.adjust(0)
      const { executions } = yield* first.host.list({ limit: 100 })
      const health = yield* first.keeper.health
      assert.deepStrictEqual([health.active, health.stranded], [executions.length, 0])
      for (const { id } of executions) assert.strictEqual((yield* first.host.get(id)).status, "waiting")
    })
  )
})

describe("signals", () => {
  it.effect("a signal that is sent again with its request id counts once, also over a crash, and others count", () =>
    Effect.gen(function* () {
      const flow = TriggerFlow.toLayer(counting())
      const store = journal()
      const first = yield* runner(store, flow)
      yield* first.host.start({ flow: "count", id: "a", input: { n: 0 } })
      const send = (from: typeof first, n: number, requestId: string) =>
        from.host.signal("a", "Add", n, { wait: true, requestId })
      assert.deepStrictEqual(yield* send(first, 1, "r1"), [1])
      assert.deepStrictEqual(yield* send(first, 1, "r1"), [])
      // Written down, and the answer never came.
      first.wire.left = 0
      first.wire.through = true
      assert.isTrue(Exit.isFailure(yield* Effect.exit(send(first, 10, "r2"))))
      yield* first.kill
      const second = yield* runner(store, flow)
      yield* send(second, 10, "r2")
      yield* send(second, 1, "r1")
      yield* send(second, 100, "r3")
      const view = yield* second.host.close("a", { pending: "cancel" })
      assert.strictEqual(view.state["sum"], 111)
    })
  )

  it.effect("a signal whose record did not come through does nothing, and is not acknowledged", () =>
    Effect.gen(function* () {
      const flow = TriggerFlow.toLayer(counting())
      const store = journal()
      const first = yield* runner(store, flow)
      yield* first.host.start({ flow: "count", id: "a", input: { n: 0 } })
      yield* TestClock.adjust(0)
      first.wire.left = 0
      const exit = yield* Effect.exit(first.host.signal("a", "Add", 5, { wait: false }))
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(exit), "Ask again")
      yield* first.kill
      const second = yield* runner(store, flow)
      assert.strictEqual((yield* second.host.get("a")).state["sum"], 0)
    })
  )
})

const Q = TriggerFlow.define("q", { input: Schema.Number, result: Schema.String, interrupts: [Ask] })
const asks = Q.build(
  Q.start.pipe(
    Chain.to("ask", (_, run) => run.pause(Ask, "?", { id: "q" })),
    Chain.result
  )
)
const options = { lease: "10 seconds", refresh: "2 seconds", idleFor: "30 seconds" } as const

describe("an intervention", () => {
  it.effect("an intervention is acknowledged once it is written down", () =>
    Effect.gen(function* () {
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(asks), options)
      yield* first.in(TriggerFlow.start(Q, 1, { id: "a" }))
      yield* settle
      const begun = yield* Deferred.make<void>()
      first.wire.instead.append = (append) =>
        Effect.andThen(Deferred.succeed(begun, undefined), Effect.andThen(Effect.sleep(1000), store.append(append)))
      const fiber = yield* Effect.forkChild(first.host.intervene("a", "slower", { id: "1" }))
      yield* Deferred.await(begun)
      yield* settle
      const early = fiber.pollUnsafe()
      yield* TestClock.adjust(1000)
      assert.isUndefined(early)
      assert.strictEqual(yield* Fiber.join(fiber), "1")
      first.wire.left = 0
      delete first.wire.instead.append
      assert.isTrue(Exit.isFailure(yield* Effect.exit(first.host.intervene("a", "slower", { id: "2" }))))
    })
  )
})
