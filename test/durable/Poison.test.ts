// R5: what cannot go on is a typed failure of one execution, or is put aside; all others go on.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { JournalCorrupt } from "effigent/services/JournalStore"
import { Chain, Interrupt, Signal, TriggerFlow } from "effigent/triggerflow"
import { journal, type Runner, runner, settle, until } from "./support.ts"

const Go = Signal.make("Go", Schema.String)
const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.String })
const P = TriggerFlow.define("p", {
  input: Schema.String,
  result: Schema.Unknown,
  state: Schema.Struct({ log: Schema.Array(Schema.String) }),
  initial: { log: [] },
  stream: Schema.Unknown,
  signals: [Go],
  interrupts: [Ask]
})

const circle: { self?: unknown } = {}
circle.self = circle

const poison = P.build(
  P.start.pipe(
    Chain.to("work", (how, run): Effect.Effect<unknown> => {
      switch (how) {
        case "function":
          return Effect.succeed(() => 1)
        case "circle":
          return Effect.succeed(circle)
        case "getter":
          return Effect.succeed({
            get bad(): never {
              throw new Error("nobody may read this")
            }
          })
        case "bigint":
          return Effect.succeed({ n: 1n, s: Symbol("x") })
        case "stream":
          return run.put(circle)
        case "defect":
          return Effect.die("the roof is leaking")
        case "throws":
          return Effect.sync(() => {
            throw new TypeError("no more paper")
          })
        case "finalizer":
          return Effect.scoped(
            Effect.as(
              Effect.addFinalizer(() => Effect.die("a finalizer died")),
              1
            )
          )
        case "large":
          return Effect.succeed("x".repeat(10 * 1024 * 1024))
        default:
          return Effect.succeed(how)
      }
    }),
    Chain.to("next", (value) => Effect.succeed(typeof value === "string" ? value.length : value)),
    Chain.result
  )
)

describe("R5 a handler that gives what cannot be written down", () => {
  for (const how of ["function", "circle", "getter", "stream", "defect", "throws", "finalizer"])
    it.effect(`${how}: a failure of that execution, the same after a restart, and nothing is put aside`, () =>
      Effect.gen(function* () {
        const store = journal()
        const first = yield* runner(store, TriggerFlow.toLayer(poison))
        yield* first.in(TriggerFlow.start(P, how, { id: "bad", autoClose: 0 }))
        yield* first.in(TriggerFlow.start(P, "fine", { id: "good", autoClose: 0 }))
        const view = yield* first.host.await("bad")
        assert.strictEqual(view.status, "failed")
        assert.isAbove(view.failure?.message.length ?? 0, 5)
        assert.strictEqual((yield* first.host.await("good")).result, 4)
        yield* first.kill
        const second = yield* runner(store, TriggerFlow.toLayer(poison))
        assert.deepStrictEqual(yield* second.host.await("bad"), view)
        assert.deepStrictEqual((yield* second.keeper.deadLetters()).executions, [])
        assert.strictEqual((yield* second.keeper.health).stranded, 0)
      })
    )

  for (const how of ["bigint", "large"])
    it.effect(`${how}: what can be written down goes on, also after a crash`, () =>
      Effect.gen(function* () {
        const store = journal()
        const first = yield* runner(store, TriggerFlow.toLayer(poison))
        yield* first.in(TriggerFlow.start(P, how, { id: "a", autoClose: 0 }))
        const view = yield* first.host.await("a")
        yield* first.kill
        const second = yield* runner(store, TriggerFlow.toLayer(poison))
        assert.deepStrictEqual(yield* second.host.await("a"), view)
        if (how === "large") assert.strictEqual(view.result, 10 * 1024 * 1024)
      })
    )
})

/** Two steps; the second one hangs for as long as it is told to. */
const stuck = (control: { hanging: boolean; began: Array<string> }) =>
  P.build(
    P.start.pipe(
      Chain.to("one", (text) => Effect.sync(() => (control.began.push("one"), `${text}!`))),
      Chain.to("two", (text: string) =>
        Effect.suspend(() => {
          control.began.push("two")
          return control.hanging ? Effect.never : Effect.succeed(`${text}?`)
        })
      ),
      Chain.result
    )
  )

/** An execution that has ended its runner so often that it was put aside. */
const aside = (control: { hanging: boolean; began: Array<string> }) =>
  Effect.gen(function* () {
    const store = journal()
    const layer = TriggerFlow.toLayer(stuck(control))
    let life: Runner = yield* runner(store, layer, { maxTries: 3 })
    yield* life.in(TriggerFlow.start(P, "a", { id: "a", autoClose: 0 }))
    for (let crash = 1; crash <= 4; crash++) {
      yield* until(() => control.began.filter((one) => one === "two").length === crash)
      yield* life.kill
      life = yield* runner(store, layer, { maxTries: 3 })
    }
    return { store, layer, life }
  })

describe("R5 an execution that ends its runner each time", () => {
  it.effect("is put aside behind maxTries, listed and refused with the reason; others go on; retry lets it go on", () =>
    Effect.gen(function* () {
      const control: { hanging: boolean; began: Array<string> } = { hanging: true, began: [] }
      const { life } = yield* aside(control)
      const { executions } = yield* life.keeper.deadLetters()
      assert.deepStrictEqual(
        executions.map(({ dead, id }) => [id, dead.tries]),
        [["a", 4]]
      )
      assert.include(executions[0]?.dead.reason ?? "", "ended its process")
      assert.strictEqual((yield* life.keeper.health).active, 0)
      assert.strictEqual(control.began.filter((one) => one === "two").length, 4)
      for (const refused of [
        yield* Effect.flip(life.host.signal("a", "Go", "x", { wait: true })),
        yield* Effect.flip(life.host.await("a")),
        yield* Effect.flip(life.host.close("a")),
        yield* Effect.flip(life.host.cancel("a"))
      ])
        assert.include(String(refused), "ended its process")
      assert.strictEqual((yield* life.host.get("a")).status, "running")
      const notDead = yield* Effect.flip(life.keeper.retry("nobody"))
      assert.strictEqual(notDead._tag, "UnknownExecution")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* life.keeper.health).active, 0)
      control.hanging = false
      yield* life.in(TriggerFlow.start(P, "b", { id: "b", autoClose: 0 }))
      assert.strictEqual((yield* life.host.await("b")).result, "b!?")
      yield* life.keeper.retry("a")
      assert.strictEqual((yield* life.host.await("a")).result, "a!?")
      assert.strictEqual(control.began.filter((one) => one === "one").length, 2)
      assert.deepStrictEqual((yield* life.keeper.deadLetters()).executions, [])
      assert.include(String(yield* Effect.flip(life.keeper.retry("a"))), "no dead letter")
    })
  )

  it.effect("discard ends it as cancelled without running any of it", () =>
    Effect.gen(function* () {
      const control: { hanging: boolean; began: Array<string> } = { hanging: true, began: [] }
      const { life } = yield* aside(control)
      const before = control.began.length
      yield* life.keeper.discard("a")
      assert.strictEqual((yield* life.host.await("a")).status, "cancelled")
      assert.strictEqual((yield* life.host.get("a")).lifecycle, "closed")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(control.began.length, before)
      assert.include(String(yield* Effect.flip(life.keeper.discard("a"))), "no dead letter")
    })
  )

  it.effect("it can be forked, from the last append, from an append and from a step; its history can be read", () =>
    Effect.gen(function* () {
      const control: { hanging: boolean; began: Array<string> } = { hanging: true, began: [] }
      const { life } = yield* aside(control)
      control.hanging = false
      const history = yield* life.keeper.history("a")
      const done = history.find(({ step, what }) => step === "one" && what === "done")
      assert.isDefined(done)
      control.began.length = 0
      const forked = yield* life.keeper.fork("a", { id: "fork" })
      assert.strictEqual(forked, "fork")
      assert.strictEqual((yield* life.host.await("fork")).result, "a!?")
      assert.deepStrictEqual(control.began, ["two"])
      const early = yield* life.keeper.fork("a", { step: "one" })
      assert.strictEqual((yield* life.host.await(early)).result, "a!?")
      assert.deepStrictEqual(control.began, ["two", "one", "two"])
      const bySeq = yield* life.keeper.fork("a", { seq: done?.seq ?? 0 })
      assert.strictEqual((yield* life.host.await(bySeq)).result, "a!?")
      assert.deepStrictEqual(control.began, ["two", "one", "two", "two"])
      assert.strictEqual((yield* life.keeper.deadLetters()).executions.length, 1)
      // A fork begins with a snapshot; what has happened since can be read too.
      const own = yield* life.keeper.history("fork")
      assert.isTrue(own.some(({ step, what }) => step === "two" && what === "done"))
      assert.include(String(yield* Effect.flip(life.keeper.fork("a", { step: "nobody" }))), '"nobody" has not ended')
      assert.include(String(yield* Effect.flip(life.keeper.fork("a", { id: "fork" }))), "already")
      assert.include(String(yield* Effect.flip(life.keeper.fork("fork"))), "closed")
    })
  )

  it.effect("the history of an execution whose beginning was forgotten is what is kept", () =>
    Effect.gen(function* () {
      const L = TriggerFlow.define("l", { input: Schema.Number, result: Schema.Number, interrupts: [Ask] })
      const flow = L.build(
        L.start.pipe(
          Chain.loop((body) => body.pipe(Chain.to("round", (n: number) => Effect.succeed(n + 1))), {
            while: (n: number) => n < 200,
            max: 300
          }),
          Chain.to("ask", (_, run) => run.pause(Ask, "on?")),
          Chain.to("last", () => Effect.succeed(1)),
          Chain.result
        )
      )
      const first = yield* runner(journal(), TriggerFlow.toLayer(flow), { snapshotEvery: 20, keepSnapshots: 2 })
      const job = yield* first.in(TriggerFlow.start(L, 0, { id: "a", autoClose: 0 }))
      while ((yield* job.status) === "running") yield* settle
      const history = yield* first.keeper.history("a")
      assert.isAbove(history.length, 2)
      assert.isBelow(history.length, 100)
      assert.isTrue(history.some(({ what }) => what === "asked"))
      const fork = yield* first.keeper.fork("a", { step: "round" })
      yield* settle
      assert.strictEqual((yield* first.host.get(fork)).status, "waiting")
    })
  )
})

describe("a history", () => {
  it.effect("says which sub-flows a step belongs to, outermost first", () =>
    Effect.gen(function* () {
      const define = (name: string) =>
        TriggerFlow.define(name, { input: Schema.Number, result: Schema.Number, interrupts: [Ask] })
      const [Deep, Mid, Top] = [define("deep"), define("mid"), define("top")]
      const deep = Deep.build(
        Deep.start.pipe(
          Chain.to("add", (n: number) => Effect.succeed(n + 1)),
          Chain.result
        )
      )
      const whole = { capture: (n: number) => n, result: () => 1 }
      const mid = Mid.build(Mid.start.pipe(Chain.subFlow(deep, whole), Chain.result))
      const top = Top.build(Top.start.pipe(Chain.subFlow(mid, whole), Chain.result))
      const first = yield* runner(journal(), TriggerFlow.toLayer(top))
      yield* first.in(TriggerFlow.start(Top, 1, { id: "t", autoClose: 0 }))
      assert.strictEqual((yield* first.host.await("t")).result, 1)
      const history = yield* first.keeper.history("t")
      const added = history.find(({ step, what }) => step === "add" && what === "done")
      assert.strictEqual(added?.path.length, 2)
      assert.match(added?.path[0] ?? "", /^t\/mid#\d+$/)
      assert.match(added?.path[1] ?? "", /^t\/mid#\d+\/deep#\d+$/)
      assert.deepStrictEqual(history[0]?.path, [])
    })
  )
})

describe("R5 journals that cannot be read", () => {
  it.effect("a damaged one is put aside with what is damaged, and others go on", () =>
    Effect.gen(function* () {
      const control: { hanging: boolean; began: Array<string> } = { hanging: true, began: [] }
      const store = journal()
      const layer = TriggerFlow.toLayer(stuck(control))
      const first = yield* runner(store, layer)
      yield* first.in(TriggerFlow.start(P, "a", { id: "a", autoClose: 0 }))
      yield* first.in(TriggerFlow.start(P, "b", { id: "b", autoClose: 0 }))
      yield* until(() => control.began.filter((one) => one === "two").length === 2)
      yield* first.kill
      control.hanging = false
      const damaged: typeof store = {
        ...store,
        read: (id, options) =>
          id === "a"
            ? Effect.fail(new JournalCorrupt({ id, seq: 2, detail: "a byte is wrong" }))
            : store.read(id, options)
      }
      const second = yield* runner(damaged, layer)
      assert.strictEqual((yield* second.host.await("b")).result, "b!?")
      const [dead] = (yield* second.keeper.deadLetters()).executions
      assert.include(dead?.dead.reason ?? "", "a byte is wrong")
      assert.include(String(yield* Effect.flip(second.host.get("a"))), "a byte is wrong")
      yield* second.kill
      // Restored from a backup.
      const third = yield* runner(store, layer)
      yield* third.keeper.retry("a")
      assert.strictEqual((yield* third.host.await("a")).result, "a!?")
    })
  )

  it.effect("one of another definition is put aside with the difference, and goes on with a migration", () =>
    Effect.gen(function* () {
      const old = P.build(
        P.start.pipe(
          Chain.to("ask", (_, run) => run.pause(Ask, "on?")),
          Chain.to("before", (text: string) => Effect.succeed(text)),
          Chain.result
        )
      )
      const changed = P.build(
        P.start.pipe(
          Chain.to("ask", (_, run) => run.pause(Ask, "on?")),
          Chain.to("after", (text: string) => Effect.succeed(`${text}, after`)),
          Chain.result
        )
      )
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(old))
      yield* first.in(TriggerFlow.start(P, "a", { id: "a" }))
      yield* first.kill
      const second = yield* runner(store, TriggerFlow.toLayer(changed))
      const refused = yield* Effect.exit(second.host.answer("a", "Ask#1", "yes"))
      assert.isTrue(Exit.isFailure(refused))
      const [dead] = (yield* second.keeper.deadLetters()).executions
      assert.include(dead?.dead.reason ?? "", "before")
      assert.include(dead?.dead.reason ?? "", "after")
      yield* second.in(TriggerFlow.start(P, "b", { id: "b" }))
      yield* second.host.answer("b", "Ask#1", "yes")
      assert.strictEqual((yield* second.host.close("b")).result, "yes, after")
      yield* second.kill
      const third = yield* runner(store, TriggerFlow.toLayer(old))
      yield* third.keeper.retry("a")
      yield* third.host.answer("a", "Ask#1", "yes")
      assert.strictEqual((yield* third.host.close("a")).result, "yes")
    })
  )

  it.effect("a journal whose beginning is gone is put aside, and not tried for ever", () =>
    Effect.gen(function* () {
      const control: { hanging: boolean; began: Array<string> } = { hanging: true, began: [] }
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(stuck(control)))
      yield* first.in(TriggerFlow.start(P, "a", { id: "a", autoClose: 0 }))
      yield* until(() => control.began.length === 2)
      yield* first.kill
      const second = yield* runner(
        { ...store, read: () => Effect.succeed(Option.none()) },
        TriggerFlow.toLayer(stuck(control))
      )
      const [dead] = (yield* second.keeper.deadLetters()).executions
      assert.include(dead?.dead.reason ?? "", "not there")
      assert.strictEqual((yield* second.keeper.health).stranded, 0)
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

describe("what is done with a dead letter", () => {
  it.effect("a dead letter is never among the living while it is discarded", () =>
    Effect.gen(function* () {
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(asks), options)
      yield* first.in(TriggerFlow.start(Q, 1, { id: "a" }))
      yield* settle
      yield* store.claimOne("a", { runner: "x", incarnation: "x" }, { force: true })
      yield* store.bury("a", 2, "no more")
      yield* settle
      first.wire.left = 1
      yield* Effect.exit(first.keeper.discard("a"))
      const head = Option.getOrThrow(yield* store.get("a"))
      assert.isTrue(head.dead !== undefined || head.lifecycle === "closed")
    })
  )

  it.effect("a fork for which there is no room goes on later", () =>
    Effect.gen(function* () {
      const store = journal()
      const control = { hanging: true }
      const H = TriggerFlow.define("h", { input: Schema.Number, result: Schema.Number })
      const flow = H.build(
        H.start.pipe(
          Chain.to("work", (n) => (control.hanging ? Effect.never : Effect.succeed(n))),
          Chain.result
        )
      )
      const first = yield* runner(store, TriggerFlow.toLayer(flow), { ...options, maxActive: 1 })
      yield* first.in(TriggerFlow.start(H, 1, { id: "a" }))
      yield* settle
      yield* Effect.exit(first.keeper.fork("a", { id: "f" }))
      control.hanging = false
      yield* first.host.cancel("a")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* first.host.get("f")).status, "completed")
    })
  )
})
