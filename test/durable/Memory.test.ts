// What is in memory: executions that only wait leave it, come back when something comes, and nothing stays behind.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Option, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Once } from "effigent/durable"
import { EffectLedgers } from "effigent/layers/store"
import { EffectLedger, EffectLedgerError } from "effigent/services/EffectLedger"
import type { ExecutionHostError } from "effigent/services/ExecutionHost"
import { Chain, Interrupt, Signal, TriggerFlow } from "effigent/triggerflow"
import { Hosting } from "../../src/durable/Hosting.ts"
import { Keeper } from "../../src/durable/Keeper.ts"
import { Roster } from "../../src/durable/Roster.ts"
import * as Settings from "../../src/durable/Settings.ts"
import * as Runners from "../../src/triggerflow/hosting/Runner.ts"
import { journal, runner, settle, until } from "./support.ts"

const Add = Signal.make("Add", Schema.Number, { reply: Schema.Number })
const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.String })
const Wait = TriggerFlow.define("wait", {
  input: Schema.Number,
  result: Schema.Json,
  state: Schema.Struct({ sum: Schema.Number }),
  initial: { sum: 0 },
  stream: Schema.String,
  signals: [Add],
  interrupts: [Ask]
})
const Done = TriggerFlow.define("done", { input: Schema.Number, result: Schema.Number })

const waiting = Wait.build(
  Wait.start.pipe(
    Chain.to("ask", (_, run) =>
      Effect.andThen(run.put("asking"), run.pause(Ask, "go on?", { expires: "1 hour", otherwise: "nobody" }))
    ),
    Chain.result
  ),
  Wait.on(Add).pipe(
    Chain.to("add", (n: number, run) =>
      Effect.as(
        run.state.update("sum", (sum) => sum + n),
        n
      )
    )
  )
)
const owner = { runner: "test", incarnation: "1" }
const options = { lease: "10 seconds", refresh: "2 seconds", idleFor: "30 seconds" } as const

describe("executions that only wait", () => {
  it.effect("leave the memory after idleFor, can be looked at there, and come back by an answer", () =>
    Effect.gen(function* () {
      const first = yield* runner(journal(), TriggerFlow.toLayer(waiting), options)
      yield* first.in(TriggerFlow.start(Wait, 1, { id: "a", autoClose: 0 }))
      yield* TestClock.adjust("28 seconds")
      assert.strictEqual((yield* first.keeper.health).active, 1)
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual((yield* first.keeper.health).active, 0)
      const view = yield* first.host.get("a")
      assert.deepStrictEqual([view.status, view.questions.length], ["waiting", 1])
      assert.strictEqual((yield* first.keeper.health).active, 0)
      yield* first.host.answer("a", view.questions[0]?.id ?? "", "yes")
      assert.strictEqual((yield* first.host.await("a")).result, "yes")
    })
  )

  it.effect("come back by a signal, and by the time at which a question expires, which nobody polls for", () =>
    Effect.gen(function* () {
      const first = yield* runner(journal(), TriggerFlow.toLayer(waiting), {
        ...options,
        lease: "10 minutes",
        refresh: "5 minutes"
      })
      yield* first.in(TriggerFlow.start(Wait, 1, { id: "a", autoClose: 0 }))
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* first.keeper.health).active, 0)
      assert.deepStrictEqual(yield* first.host.signal("a", "Add", 5, { wait: true }), [5])
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* first.keeper.health).active, 0)
      const asked = first.wire.count("nextWake")
      yield* TestClock.adjust("39 minutes")
      assert.isAtMost(first.wire.count("nextWake") - asked, 9)
      assert.strictEqual((yield* first.host.get("a")).status, "waiting")
      yield* TestClock.adjust("1 minutes")
      const view = yield* first.host.get("a")
      assert.deepStrictEqual([view.status, view.result, view.state["sum"]], ["completed", "nobody", 5])
    })
  )

  it.effect("leave the memory where they only wait for signals, and come back by one, also after a restart", () =>
    Effect.gen(function* () {
      const store = journal()
      const Open = TriggerFlow.define("open", {
        state: Schema.Struct({ sum: Schema.Number }),
        initial: { sum: 0 },
        signals: [Add]
      })
      const open = Open.build(
        Open.on(Add).pipe(
          Chain.to("add", (n, run) =>
            Effect.as(
              run.state.update("sum", (sum) => sum + n),
              n
            )
          )
        )
      )
      const first = yield* runner(store, TriggerFlow.toLayer(open), options)
      yield* first.in(TriggerFlow.start(Open, undefined, { id: "a", autoClose: false }))
      assert.deepStrictEqual(yield* first.host.signal("a", "Add", 5, { wait: true }), [5])
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* first.keeper.health).active, 0)
      assert.strictEqual((yield* first.host.get("a")).status, "waiting")
      assert.deepStrictEqual(yield* first.host.signal("a", "Add", 7, { wait: true }), [7])
      const second = yield* runner(store, TriggerFlow.toLayer(open), options)
      yield* TestClock.adjust("4 seconds")
      // Nothing is to be done in it.
      assert.strictEqual((yield* second.keeper.health).active, 0)
      assert.deepStrictEqual(yield* second.host.signal("a", "Add", 1, { wait: true }), [1])
      const { state, status } = yield* second.host.close("a")
      assert.deepStrictEqual([state["sum"], status], [13, "completed"])
    })
  )

  it.effect("stay in memory as long as somebody watches or waits for their end", () =>
    Effect.gen(function* () {
      const first = yield* runner(journal(), TriggerFlow.toLayer(waiting), options)
      yield* first.in(TriggerFlow.start(Wait, 1, { id: "a", autoClose: 0 }))
      const seen: Array<string> = []
      const watching = yield* Effect.forkChild(
        Stream.runForEach(first.host.watch("a"), ({ event }) => Effect.sync(() => seen.push(event._tag))),
        { startImmediately: true }
      )
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual((yield* first.keeper.health).active, 1)
      assert.deepStrictEqual(seen, ["item", "interrupt"])
      yield* Fiber.interrupt(watching)
      yield* TestClock.adjust("1 minutes")
      assert.strictEqual((yield* first.keeper.health).active, 0)
    })
  )

  it.effect("are not put aside for being looked after often: leaving in good order is no failed try", () =>
    Effect.gen(function* () {
      const first = yield* runner(journal(), TriggerFlow.toLayer(waiting), { ...options, maxTries: 2 })
      yield* first.in(TriggerFlow.start(Wait, 1, { id: "a", autoClose: 0 }))
      for (let round = 0; round < 10; round++) {
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* first.keeper.health).active, 0, `round ${round}`)
        // Refused: nothing gets further.
        yield* Effect.flip(first.host.answer("a", "Ask#1", 5))
      }
      assert.deepStrictEqual((yield* first.keeper.deadLetters()).executions, [])
      assert.strictEqual((yield* first.host.get("a")).status, "waiting")
    })
  )

  it.effect("whoever comes while one leaves waits, and reaches it: 200 signals and answers at random moments", () =>
    Effect.gen(function* () {
      const first = yield* runner(journal(), TriggerFlow.toLayer(waiting), { ...options, idleFor: 0 })
      yield* first.in(TriggerFlow.start(Wait, 1, { id: "a", autoClose: 0 }))
      for (let n = 0; n < 200; n++) {
        const sent = yield* Effect.forkChild(
          Effect.andThen(
            Effect.forEach(Array.from({ length: n % 7 }), () => Effect.yieldNow),
            first.host.signal("a", "Add", 1, { wait: true })
          )
        )
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(yield* Fiber.join(sent), [1])
      }
      assert.strictEqual((yield* first.host.get("a")).state["sum"], 200)
      assert.isAbove(first.wire.count("release"), 50)
    })
  )

  it.effect("many who come for one at once begin it once", () =>
    Effect.gen(function* () {
      const first = yield* runner(journal(), TriggerFlow.toLayer(waiting), options)
      yield* first.in(TriggerFlow.start(Wait, 1, { id: "a", autoClose: 0 }))
      yield* TestClock.adjust("1 minute")
      const before = first.wire.count("claimOne")
      yield* Effect.forEach(Array.from({ length: 30 }), () => first.host.signal("a", "Add", 1, { wait: true }), {
        concurrency: "unbounded"
      })
      assert.strictEqual(first.wire.count("claimOne") - before, 1)
      assert.strictEqual((yield* first.host.get("a")).state["sum"], 30)
    })
  )
})

describe("room", () => {
  it.effect("at maxActive a start is refused, to be tried again, and those that only wait make room", () =>
    Effect.gen(function* () {
      const Busy = TriggerFlow.define("busy", { input: Schema.Number, signals: [Add] })
      const busy = Busy.build(Busy.start.pipe(Chain.to("work", () => Effect.never)))
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(busy), { ...options, maxActive: 5 })
      const exits = yield* Effect.forEach(
        Array.from({ length: 20 }),
        (_, n) => Effect.exit(first.host.start({ flow: "busy", id: `b${n}`, input: n })),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(exits.filter(Exit.isSuccess).length, 5)
      const refused = yield* Effect.flip(first.host.start({ flow: "busy", input: 1 }))
      assert.deepInclude(refused, { _tag: "ExecutionHostError", retryable: true } satisfies Partial<ExecutionHostError>)
      assert.include(String(refused), "5 executions at work")
      // What cannot be taken for want of room is not asked for all the time.
      const other = yield* runner(store, TriggerFlow.toLayer(busy), { ...options, runner: "other", maxActive: 2 })
      yield* first.kill
      yield* TestClock.adjust("20 seconds")
      const asked = other.wire.count("nextWake")
      assert.strictEqual((yield* other.keeper.health).active, 2)
      yield* TestClock.adjust("1 minute")
      assert.isAtMost(other.wire.count("nextWake") - asked, 32)
    })
  )

  it.effect("waiting executions make room for new ones", () =>
    Effect.gen(function* () {
      const first = yield* runner(journal(), TriggerFlow.toLayer(waiting), { ...options, maxActive: 3 })
      for (let n = 0; n < 10; n++) {
        yield* first.host.start({ flow: "wait", id: `w${n}`, input: n })
        yield* settle
      }
      assert.strictEqual((yield* first.keeper.health).active, 3)
      assert.deepStrictEqual(yield* first.host.signal("w0", "Add", 2, { wait: true }), [2])
      assert.strictEqual((yield* first.host.list({ status: "waiting" })).executions.length, 10)
    })
  )
})

describe("ending in good order", () => {
  it.effect("draining lets handlers end, starts nothing new, and another runner goes on at once", () =>
    Effect.gen(function* () {
      const began: Array<string> = []
      let open: () => void = () => undefined
      const gate = new Promise<void>((resolve) => {
        open = resolve
      })
      const flow = Wait.build(
        Wait.start.pipe(
          Chain.to("slow", () =>
            Effect.andThen(
              Effect.sync(() => began.push("slow")),
              Effect.promise(() => gate)
            )
          ),
          Chain.to("next", () => Effect.sync(() => began.push("next")))
        )
      )
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(flow), { ...options, runner: "1", drain: "10 seconds" })
      yield* first.in(TriggerFlow.start(Wait, 1, { id: "a", autoClose: 0 }))
      yield* until(() => began.length === 1)
      const awaiting = yield* Effect.forkChild(Effect.exit(first.host.await("a")), { startImmediately: true })
      const draining = yield* Effect.forkChild(first.keeper.drain, { startImmediately: true })
      yield* settle
      assert.strictEqual((yield* first.keeper.health).status, "draining")
      const refused = yield* Effect.flip(first.host.start({ flow: "wait", input: 1 }))
      assert.deepInclude(refused, { _tag: "ExecutionHostError", retryable: true })
      assert.strictEqual(draining.pollUnsafe(), undefined)
      open()
      yield* Fiber.join(draining)
      assert.deepStrictEqual(began, ["slow"])
      assert.strictEqual((yield* first.keeper.health).active, 0)
      const told = yield* Fiber.join(awaiting)
      assert.include(String(told), "let go of it")
      const second = yield* runner(store, TriggerFlow.toLayer(flow), { ...options, runner: "2" })
      yield* second.host.await("a")
      assert.deepStrictEqual(began, ["slow", "next"])
    })
  )

  it.effect("closing the scope of a registration hands its executions over; those of other flows stay", () =>
    Effect.gen(function* () {
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(waiting), { ...options, runner: "1" })
      yield* first.host.start({ flow: "wait", id: "a", input: 1 })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const Job = TriggerFlow.define("job", { input: Schema.Number })
          const job = Job.build(Job.start.pipe(Chain.to("work", () => Effect.never)))
          const second = yield* runner(store, TriggerFlow.toLayer(job), { ...options, runner: "2" })
          yield* second.host.start({ flow: "job", id: "b", input: 1 })
          yield* settle
          yield* second.close
          const third = yield* runner(store, TriggerFlow.toLayer(job), { ...options, runner: "3" })
          assert.strictEqual((yield* third.keeper.health).active, 1)
        })
      )
      assert.strictEqual((yield* first.keeper.health).active, 1)
    })
  )

  it.effect("closed executions are forgotten after keepClosed, and with them what the ledger has of them", () =>
    Effect.gen(function* () {
      const pay = Done.build(
        Done.start.pipe(
          Chain.to("pay", (n: number, run) =>
            Once.perform(run, "pay", { output: Schema.Number }, () => Effect.succeed(n * 2))
          ),
          Chain.result
        )
      )
      const ledger = yield* EffectLedger
      const groups = Effect.map(ledger.list(), (entries) => entries.map(({ group }) => group))
      const store = journal()
      const layer = TriggerFlow.toLayer(pay).pipe(Layer.provide(Layer.succeed(EffectLedger, ledger)))
      const first = yield* runner(store, layer, { ...options, keepClosed: "1 minute" })
      yield* first.in(TriggerFlow.start(Done, 1, { id: "old" }))
      yield* first.host.await("old")
      yield* TestClock.adjust("50 seconds")
      yield* first.in(TriggerFlow.start(Done, 2, { id: "young" }))
      yield* first.host.await("young")
      assert.deepStrictEqual(yield* groups, ["old", "young"])
      yield* TestClock.adjust("20 seconds")
      assert.isTrue(Option.isNone(yield* store.get("old")))
      assert.deepStrictEqual(yield* groups, ["young"])
      // The id is free again, and what it names is done anew.
      yield* first.in(TriggerFlow.start(Done, 21, { id: "old" }))
      assert.strictEqual((yield* first.host.await("old")).result, 42)
    }).pipe(Effect.provide(EffectLedgers.memory))
  )

  it.effect("where the ledger cannot forget one of the executions, it forgets the others all the same", () =>
    Effect.gen(function* () {
      const ledger = yield* EffectLedger
      const asked: Array<string> = []
      const failing = EffectLedger.of({
        ...ledger,
        forget: (group) =>
          Effect.suspend(() => {
            asked.push(group)
            return group === "b"
              ? Effect.fail(new EffectLedgerError({ ledger: "test", id: group, operation: "forget", detail: "no" }))
              : ledger.forget(group)
          })
      })
      const done = Done.build(
        Done.start.pipe(
          Chain.to("double", (n: number) => Effect.succeed(n * 2)),
          Chain.result
        )
      )
      const first = yield* runner(journal(), TriggerFlow.toLayer(done), { ...options, keepClosed: "1 minute" }).pipe(
        Effect.provideService(EffectLedger, failing)
      )
      for (const id of ["a", "b", "c", "d"]) {
        yield* first.in(TriggerFlow.start(Done, 1, { id }))
        yield* first.host.await(id)
      }
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(asked.toSorted(), ["a", "b", "c", "d"])
    }).pipe(Effect.provide(EffectLedgers.memory))
  )

  it.live("10,000 executions that were started and have ended leave nothing in the keeper", () =>
    Effect.gen(function* () {
      const done = Done.build(
        Done.start.pipe(
          Chain.to("double", (n: number) => Effect.succeed(n * 2)),
          Chain.result
        )
      )
      const scope = yield* Effect.scope
      const roster = new Roster(journal(), Settings.of({ drain: 0 }), owner, "test", scope, 0)
      const keeper = new Keeper(roster)
      yield* roster.store.join(owner, 60_000)
      yield* keeper.register(yield* Runners.make(done))
      const host = new Hosting(keeper).service()
      const finalizers = () => (scope.state._tag === "Open" ? scope.state.finalizers?.size : undefined) ?? 0
      const before = finalizers()
      const one = (n: number) =>
        Effect.gen(function* () {
          const id = yield* host.start({ flow: "done", input: n })
          assert.strictEqual((yield* host.await(id)).result, n * 2)
        })
      for (let from = 0; from < 10_000; from += 100)
        yield* Effect.forEach(
          Array.from({ length: 100 }, (_, n) => from + n),
          one,
          { concurrency: 100, discard: true }
        )
      yield* Effect.yieldNow
      const { entries, stranded, turns } = roster
      assert.deepStrictEqual([entries.size, stranded.size, turns.size], [0, 0, 0])
      assert.strictEqual(finalizers(), before)
    })
  )
})
