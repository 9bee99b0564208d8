// A store that refuses for a while: executions stop with nothing half done, others go on, and all is taken up again.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import { TestClock } from "effect/testing"
import { JournalStoreError } from "effigent/services/JournalStore"
import { Chain, Interrupt, Signal, TriggerFlow } from "effigent/triggerflow"
import { journal, runner, settle } from "./support.ts"

const Add = Signal.make("Add", Schema.Number, { reply: Schema.Number })
const Sum = TriggerFlow.define("sum", {
  input: Schema.Number,
  state: Schema.Struct({ sum: Schema.Number }),
  initial: { sum: 0 },
  signals: [Add]
})
const sum = (ran: (n: number) => void = () => undefined) =>
  Sum.build(
    Sum.on(Add).pipe(
      Chain.to("add", (n: number, run) =>
        Effect.andThen(
          Effect.sync(() => ran(n)),
          Effect.as(
            run.state.update("sum", (sum) => sum + n),
            n
          )
        )
      )
    )
  )
const options = { lease: "10 seconds", refresh: "2 seconds" } as const

describe("settings", () => {
  for (const [wrong, name] of [
    [{ runner: "" }, "runner"],
    [{ lease: 0 }, "lease"],
    [{ refresh: 0 }, "refresh"],
    [{ lease: "4 seconds", refresh: "3 seconds" }, "refresh"],
    [{ maxActive: 0 }, "maxActive"],
    [{ maxTries: Number.NaN }, "maxTries"],
    [{ streamCapacity: 1.5 }, "streamCapacity"]
  ] as const)
    it.effect(`${JSON.stringify(wrong)} is refused by name`, () =>
      Effect.gen(function* () {
        const refused = yield* Effect.flip(runner(journal(), TriggerFlow.toLayer(sum()), wrong))
        assert.include(String(refused), `its ${name}`)
      })
    )
})

describe("a store that does not write", () => {
  for (const reason of ["unavailable", "full", "readOnly", "other"] as const)
    it.effect(`${reason}: what was refused has not happened, and the execution goes on by itself`, () =>
      Effect.gen(function* () {
        const ran: Array<number> = []
        const first = yield* runner(journal(), TriggerFlow.toLayer(sum((n) => ran.push(n))), options)
        const { host, keeper, wire } = first
        for (const id of ["a", "b"]) yield* host.start({ flow: "sum", id, input: 0, settings: { autoClose: false } })
        yield* host.signal("a", "Add", 1, { wait: true })
        wire.broken = reason
        wire.only = (id) => id === "a"
        const refused = yield* Effect.flip(host.signal("a", "Add", 10, { wait: true }))
        assert.deepInclude(refused, { _tag: "ExecutionHostError", retryable: true })
        assert.deepStrictEqual(yield* host.signal("b", "Add", 5, { wait: true }), [5])
        yield* settle
        assert.deepStrictEqual(ran, [1, 5])
        assert.strictEqual((yield* keeper.health).stranded, 1)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* keeper.health).stranded, 1)
        assert.strictEqual((yield* host.get("a")).state["sum"], 1)
        wire.broken = undefined
        yield* TestClock.adjust("2 seconds")
        const health = yield* keeper.health
        // The other one has left the memory meanwhile.
        assert.deepStrictEqual([health.stranded, health.active, health.status], [0, 1, "up"])
        assert.deepStrictEqual(yield* host.signal("a", "Add", 100, { wait: true }), [100])
        assert.strictEqual((yield* host.get("a")).state["sum"], 101)
        assert.deepStrictEqual((yield* keeper.deadLetters()).executions, [])
      })
    )

  it.effect("refusing again and again is no reason to put an execution aside", () =>
    Effect.gen(function* () {
      const first = yield* runner(journal(), TriggerFlow.toLayer(sum()), { ...options, maxTries: 2 })
      const { host, keeper, wire } = first
      yield* host.start({ flow: "sum", id: "a", input: 0, settings: { autoClose: false } })
      yield* settle
      for (let round = 0; round < 10; round++) {
        wire.left = 0
        wire.onDeath = () => {
          wire.dead = false
          wire.left = Infinity
        }
        yield* Effect.exit(host.signal("a", "Add", 1, { wait: true }))
        yield* TestClock.adjust("4 seconds")
      }
      assert.deepStrictEqual((yield* keeper.deadLetters()).executions, [])
      assert.deepStrictEqual(yield* host.signal("a", "Add", 3, { wait: true }), [3])
    })
  )

  it.effect("a store that is away for longer than the lease: late, then up again with what nobody has taken", () =>
    Effect.gen(function* () {
      const first = yield* runner(journal(), TriggerFlow.toLayer(sum()), options)
      const { host, keeper, wire } = first
      yield* host.start({ flow: "sum", id: "a", input: 0, settings: { autoClose: false } })
      yield* host.start({ flow: "sum", id: "b", input: 0, settings: { autoClose: false } })
      wire.broken = "unavailable"
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual((yield* keeper.health).status, "up")
      assert.include((yield* keeper.health).trouble ?? "", "broken on purpose")
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual((yield* keeper.health).status, "late")
      assert.isTrue(Exit.isFailure(yield* Effect.exit(host.signal("a", "Add", 1, { wait: true }))))
      yield* TestClock.adjust("1 minute")
      wire.broken = undefined
      yield* TestClock.adjust("4 seconds")
      const health = yield* keeper.health
      assert.deepStrictEqual([health.status, health.active, health.stranded], ["up", 1, 0])
      assert.isUndefined(health.trouble)
      assert.isAtMost(health.leaseAge, 2000)
      assert.deepStrictEqual(yield* host.signal("a", "Add", 1, { wait: true }), [1])
      assert.deepStrictEqual(yield* host.signal("b", "Add", 1, { wait: true }), [1])
    })
  )

  it.effect("a store that breaks in a way that nobody has foreseen stops one execution, which goes on by itself", () =>
    Effect.gen(function* () {
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(sum()), options)
      const { host, keeper, wire } = first
      yield* host.start({ flow: "sum", id: "a", input: 0, settings: { autoClose: false } })
      yield* settle
      wire.instead.append = () => Effect.die(new Error("a bug of the driver"))
      const refused = yield* Effect.flip(host.signal("a", "Add", 1, { wait: true }))
      assert.deepInclude(refused, { _tag: "ExecutionHostError", retryable: true })
      assert.include(String(refused), "a bug of the driver")
      assert.strictEqual((yield* keeper.health).stranded, 1)
      delete wire.instead.append
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* host.signal("a", "Add", 1, { wait: true }), [1])
    })
  )

  it.effect("a store that hangs does not stop the renewals for ever", () =>
    Effect.gen(function* () {
      const first = yield* runner(journal(), TriggerFlow.toLayer(sum()), options)
      first.wire.instead.renew = () => Effect.never
      yield* TestClock.adjust("14 seconds")
      const health = yield* first.keeper.health
      assert.strictEqual(health.status, "late")
      assert.include(health.trouble ?? "", "not answered")
      delete first.wire.instead.renew
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual((yield* first.keeper.health).status, "up")
    })
  )

  it.effect("one that refuses what lets go of an execution: it is not forgotten", () =>
    Effect.gen(function* () {
      const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.String })
      const W = TriggerFlow.define("w", { input: Schema.Number, result: Schema.String, interrupts: [Ask] })
      const flow = W.build(
        W.start.pipe(
          Chain.to("ask", (_, run) => run.pause(Ask, "?", { expires: "5 minutes", otherwise: "nobody" })),
          Chain.result
        )
      )
      const first = yield* runner(journal(), TriggerFlow.toLayer(flow), { ...options, idleFor: "30 seconds" })
      yield* first.in(TriggerFlow.start(W, 1, { id: "a" }))
      first.wire.broken = "full"
      first.wire.only = (id) => id === "a"
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([(yield* first.keeper.health).active, (yield* first.keeper.health).stranded], [0, 1])
      first.wire.broken = undefined
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* first.host.await("a")).result, "nobody")
    })
  )
})

const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.String })
const Q = TriggerFlow.define("q", { input: Schema.Number, result: Schema.String, interrupts: [Ask] })
const asks = Q.build(
  Q.start.pipe(
    Chain.to("ask", (_, run) => run.pause(Ask, "?", { id: "q" })),
    Chain.result
  )
)
const gone = new JournalStoreError({ store: "test", operation: "claim", reason: "unavailable", detail: "gone." })

describe("of which nobody knows whether it was written", () => {
  it.effect("a claim by name of which nobody knows whether it was made: its timer is not lost", () =>
    Effect.gen(function* () {
      const store = journal()
      const flow = Q.build(
        Q.start.pipe(
          Chain.to("ask", (_, run) => run.pause(Ask, "?", { expires: "10 minutes", otherwise: "nobody" })),
          Chain.result
        )
      )
      const first = yield* runner(store, TriggerFlow.toLayer(flow), { ...options, idleFor: "30 seconds" })
      yield* first.in(TriggerFlow.start(Q, 1, { id: "a" }))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* first.keeper.health).active, 0)
      first.wire.instead.claimOne = (id, owner, how) =>
        Effect.andThen(store.claimOne(id, owner, how), Effect.fail(gone))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(first.host.answer("a", "nothing", "x"))))
      delete first.wire.instead.claimOne
      yield* TestClock.adjust("20 minutes")
      assert.strictEqual((yield* first.host.get("a")).result, "nobody")
    })
  )

  it.effect("a claim of many of which nobody knows whether it was made: they go on all the same", () =>
    Effect.gen(function* () {
      const store = journal()
      const flow = Q.build(
        Q.start.pipe(
          Chain.to("ask", (_, run) => run.pause(Ask, "?", { expires: "10 minutes", otherwise: "nobody" })),
          Chain.result
        )
      )
      const first = yield* runner(store, TriggerFlow.toLayer(flow), { ...options, idleFor: "30 seconds" })
      for (const id of ["a", "b"]) yield* first.in(TriggerFlow.start(Q, 1, { id }))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* first.keeper.health).active, 0)
      first.wire.instead.claim = (request) => Effect.andThen(store.claim(request), Effect.fail(gone))
      yield* TestClock.adjust("9 minutes")
      delete first.wire.instead.claim
      yield* TestClock.adjust("1 minute")
      for (const id of ["a", "b"]) assert.strictEqual((yield* first.host.get(id)).result, "nobody")
    })
  )

  it.effect("a cancel, a close or a seal that could not be written down is no success", () =>
    Effect.gen(function* () {
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(asks), { ...options, idleFor: "30 seconds" })
      for (const id of ["a", "b", "c"]) yield* first.in(TriggerFlow.start(Q, 1, { id }))
      yield* settle
      first.wire.broken = "full"
      assert.isTrue(Exit.isFailure(yield* Effect.exit(first.host.cancel("a"))), "cancel")
      assert.isTrue(Exit.isFailure(yield* Effect.exit(first.host.close("b", { pending: "cancel" }))), "close")
      assert.isTrue(Exit.isFailure(yield* Effect.exit(first.host.seal("c"))), "seal")
      first.wire.broken = undefined
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* first.host.get("a")).status, "waiting")
    })
  )
})
