// What was interrupted goes on: after a restart at once, on another runner after the lease, and never twice at once.
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Schedule, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Chain, Interrupt, Signal, Snapshot, Trigger, TriggerFlow } from "effigent/triggerflow"
import { journal, runner, settle, until } from "./support.ts"

const Add = Signal.make("Add", Schema.Number, { reply: Schema.Number })
const Other = Signal.make("Other", Schema.Number)
const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.String })

const Job = TriggerFlow.define("job", {
  input: Schema.Number,
  result: Schema.Json,
  state: Schema.Struct({ log: Schema.Array(Schema.String), n: Schema.Number }),
  initial: { log: [], n: 0 },
  stream: Schema.String,
  signals: [Add, Other],
  interrupts: [Ask],
  error: Schema.Literals(["odd", "flaky"])
})

/** Counts what handlers begin; the one called `stop` hangs in the lives that are named. */
class Diary {
  readonly began: Array<string> = []
  readonly ended: Array<string> = []
  readonly interrupted: Array<string> = []
  hanging = true

  step = (name: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      this.began.push(name)
      return Effect.sync(() => {
        this.ended.push(name)
      })
    })

  hang = (name: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      this.began.push(name)
      if (!this.hanging) return Effect.sync(() => void this.ended.push(name))
      return Effect.onInterrupt(Effect.never, () => Effect.sync(() => void this.interrupted.push(name)))
    })

  count(name: string): number {
    return this.began.filter((one) => one === name).length
  }
}

const threeSteps = (diary: Diary) =>
  Job.build(
    Job.start.pipe(
      Chain.to("one", (n: number) => Effect.as(diary.step("one"), n + 1)),
      Chain.to("two", (n: number) => Effect.as(diary.hang("two"), n * 10)),
      Chain.to("three", (n: number) => Effect.as(diary.step("three"), n + 3)),
      Chain.result
    )
  )

describe("recovery", () => {
  it.effect("a runner that begins again goes on at once: what had ended is not run again, what was at work is", () =>
    Effect.gen(function* () {
      const diary = new Diary()
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(threeSteps(diary)))
      yield* first.in(TriggerFlow.start(Job, 1, { id: "a", autoClose: 0 }))
      yield* until(() => diary.count("two") === 1)
      yield* first.kill
      diary.hanging = false
      const second = yield* runner(store, TriggerFlow.toLayer(threeSteps(diary)))
      const { result, status } = yield* second.host.await("a")
      assert.deepStrictEqual([status, result], ["completed", 23])
      assert.deepStrictEqual(diary.began, ["one", "two", "two", "three"])
      assert.deepStrictEqual(diary.interrupted, ["two"])
    })
  )

  it.effect("another runner takes over behind the lease, and not before", () =>
    Effect.gen(function* () {
      const diary = new Diary()
      const store = journal()
      const options = { lease: "10 seconds", refresh: "2 seconds" } as const
      const first = yield* runner(store, TriggerFlow.toLayer(threeSteps(diary)), { ...seldom, runner: "1" })
      const second = yield* runner(store, TriggerFlow.toLayer(threeSteps(diary)), { ...options, runner: "2" })
      yield* first.in(TriggerFlow.start(Job, 1, { id: "a", autoClose: 0 }))
      yield* until(() => diary.count("two") === 1)
      const refused = yield* Effect.flip(
        second.in(Effect.flatMap(TriggerFlow.attach(Job, "a"), (job) => job.emit(Add, 1)))
      )
      assert.include(String(refused), 'at work on the runner "1"')
      yield* first.kill
      diary.hanging = false
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual(diary.count("two"), 1)
      assert.strictEqual((yield* second.keeper.health).active, 0)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* second.host.await("a")).result, 23)
      assert.strictEqual(diary.count("one"), 1)
    })
  )

  it.effect("an owner that was frozen past its lease and wakes is refused, and its handlers are interrupted", () =>
    Effect.gen(function* () {
      const old = new Diary()
      const store = journal()
      const options = { lease: "10 seconds", refresh: "2 seconds" } as const
      const first = yield* runner(store, TriggerFlow.toLayer(threeSteps(old)), { ...seldom, runner: "1" })
      const started = yield* first.in(TriggerFlow.start(Job, 1, { id: "a", autoClose: 0 }))
      yield* until(() => old.count("two") === 1)
      // It hears nothing, and says nothing, for longer than its lease.
      first.wire.broken = "unavailable"
      const fresh = new Diary()
      const second = yield* runner(store, TriggerFlow.toLayer(threeSteps(fresh)), { ...options, runner: "2" })
      yield* TestClock.adjust("14 seconds")
      assert.strictEqual(fresh.count("two"), 1)
      assert.strictEqual((yield* first.keeper.health).status, "late")
      first.wire.broken = undefined
      // What it does counts no more: its next append is refused.
      const late = yield* Effect.flip(started.emit(Add, 1))
      assert.include(String(late), "taken over by another runner")
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(old.interrupted, ["two"])
      const health = yield* first.keeper.health
      assert.deepStrictEqual([health.status, health.active], ["up", 0])
      assert.deepStrictEqual(fresh.interrupted, [])
      assert.strictEqual((yield* second.keeper.health).active, 1)
      // It is of use again.
      yield* first.in(TriggerFlow.start(Job, 1, { id: "b" }))
      assert.strictEqual((yield* first.keeper.health).active, 1)
    })
  )

  it.effect("a frozen owner that does nothing finds out when it renews, and stops its handlers", () =>
    Effect.gen(function* () {
      const old = new Diary()
      const store = journal()
      const options = { lease: "10 seconds", refresh: "2 seconds" } as const
      const first = yield* runner(store, TriggerFlow.toLayer(threeSteps(old)), { ...seldom, runner: "1" })
      yield* first.in(TriggerFlow.start(Job, 1, { id: "a", autoClose: 0 }))
      yield* until(() => old.count("two") === 1)
      first.wire.broken = "unavailable"
      const fresh = new Diary()
      yield* runner(store, TriggerFlow.toLayer(threeSteps(fresh)), { ...options, runner: "2" })
      yield* TestClock.adjust("14 seconds")
      first.wire.broken = undefined
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(old.interrupted, ["two"])
      assert.strictEqual((yield* first.keeper.health).active, 0)
    })
  )

  it.effect("a runner whose name another life has taken stops for good, and says so", () =>
    Effect.gen(function* () {
      const old = new Diary()
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(threeSteps(old)))
      yield* first.in(TriggerFlow.start(Job, 1, { id: "a", autoClose: 0 }))
      yield* until(() => old.count("two") === 1)
      const fresh = new Diary()
      const second = yield* runner(store, TriggerFlow.toLayer(threeSteps(fresh)))
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual((yield* first.keeper.health).status, "deposed")
      assert.deepStrictEqual(old.interrupted, ["two"])
      assert.strictEqual(fresh.count("two"), 1)
      const refused = yield* Effect.flip(first.host.start({ flow: "job", input: 2 }))
      assert.include(String(refused), "another life of this runner")
      yield* first.close
      assert.strictEqual((yield* second.keeper.health).active, 1)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual((yield* second.keeper.health).status, "up")
    })
  )

  it.effect("TriggerFlow.recover takes what nobody has, and gives the ids", () =>
    Effect.gen(function* () {
      const diary = new Diary()
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(threeSteps(diary)), { runner: "1", lease: "1 hour" })
      yield* first.in(TriggerFlow.start(Job, 1, { id: "a", autoClose: 0 }))
      yield* first.in(TriggerFlow.start(Job, 2, { id: "b", autoClose: 0 }))
      yield* until(() => diary.count("two") === 2)
      const second = yield* runner(store, TriggerFlow.toLayer(threeSteps(diary)), { runner: "2", lease: "1 hour" })
      assert.deepStrictEqual(yield* second.in(TriggerFlow.recover), [])
      diary.hanging = false
      yield* first.close
      assert.sameMembers([...(yield* second.in(TriggerFlow.recover))], ["a", "b"])
      assert.strictEqual((yield* second.host.await("b")).result, 33)
    })
  )

  it.effect("questions, early answers and answers that are sent again survive a crash", () =>
    Effect.gen(function* () {
      const diary = new Diary()
      const flow = Job.build(
        Job.start.pipe(
          Chain.to("ask", (_: number, run) =>
            Effect.andThen(diary.step("ask"), run.pause(Ask, "which?", { id: "q1" }))
          ),
          Chain.to("again", (text: string, run) =>
            Effect.andThen(run.state.append("log", text), run.pause(Ask, "sure?", { id: "q2" }))
          ),
          Chain.to("done", (text: string) => Effect.as(diary.step("done"), text)),
          Chain.result
        )
      )
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(flow))
      const one = yield* first.in(TriggerFlow.start(Job, 1, { id: "a", autoClose: 0 }))
      assert.deepStrictEqual(
        (yield* one.interrupts).map(({ id }) => id),
        ["q1"]
      )
      // The answer to the second question comes before it.
      yield* one.answer(Ask, "very", { id: "q2", requestId: "r2" })
      yield* first.kill
      const second = yield* runner(store, TriggerFlow.toLayer(flow))
      const two = yield* second.in(TriggerFlow.attach(Job, "a"))
      const [question] = yield* two.interrupts
      assert.deepStrictEqual([question?.id, question?.payload, question?.chunk], ["q1", "which?", "ask"])
      yield* two.answer(Ask, "very", { id: "q2", requestId: "r2" })
      yield* two.answer(Ask, "this", { id: "q1", requestId: "r1" })
      const { result, state } = yield* two.await
      assert.deepStrictEqual([result._tag === "Some" && result.value, state.log], ["very", ["this"]])
      assert.deepStrictEqual(diary.began, ["ask", "done"])
      yield* second.kill
      const third = yield* runner(store, TriggerFlow.toLayer(flow))
      const again = yield* Effect.flip(
        Effect.flatMap(third.in(TriggerFlow.attach(Job, "a")), (job) => job.answer(Ask, "x", { id: "q1" }))
      )
      assert.include(String(again), "was refused: the execution is closed")
    })
  )

  it.effect("a question expires at its time, also where nobody was there at that time", () =>
    Effect.gen(function* () {
      const flow = Job.build(
        Job.start.pipe(
          Chain.to("ask", (_: number, run) => run.pause(Ask, "which?", { expires: "1 minute", otherwise: "nobody" })),
          Chain.result
        )
      )
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(flow))
      yield* first.in(TriggerFlow.start(Job, 1, { id: "a", autoClose: 0 }))
      yield* first.in(TriggerFlow.start(Job, 1, { id: "b", autoClose: 0 }))
      yield* TestClock.adjust("50 seconds")
      yield* first.kill
      yield* TestClock.adjust("5 seconds")
      const second = yield* runner(store, TriggerFlow.toLayer(flow), { refresh: "1 hour", lease: "5 hours" })
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual((yield* second.host.get("a")).status, "waiting")
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* second.host.await("a")).result, "nobody")
      yield* second.kill
    })
  )

  it.effect("the time that an execution may take goes on counting while nobody is there", () =>
    Effect.gen(function* () {
      const diary = new Diary()
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(threeSteps(diary)))
      yield* first.in(TriggerFlow.start(Job, 1, { id: "a", timeout: "1 minute" }))
      yield* until(() => diary.count("two") === 1)
      yield* TestClock.adjust("20 seconds")
      yield* first.kill
      yield* TestClock.adjust("30 seconds")
      const second = yield* runner(store, TriggerFlow.toLayer(threeSteps(diary)))
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual((yield* second.host.get("a")).status, "running")
      yield* TestClock.adjust("1 seconds")
      const view = yield* second.host.await("a")
      assert.strictEqual(view.status, "failed")
      assert.include(view.failure?.message ?? "", "60000")
    })
  )

  it.effect("forEach and batches keep what has ended, also with a limit on how many run at once", () =>
    Effect.gen(function* () {
      const diary = new Diary()
      let at = 0
      let most = 0
      const count = (name: string) => (n: number) =>
        Effect.acquireUseRelease(
          Effect.sync(() => {
            most = Math.max(most, ++at)
          }),
          () => (n === 3 ? Effect.as(diary.hang(`${name}${n}`), n) : Effect.as(diary.step(`${name}${n}`), n * 2)),
          () => Effect.sync(() => at--)
        )
      const flow = Job.build(
        Job.start.pipe(
          Chain.to("list", () => Effect.succeed([1, 2, 3, 4, 5])),
          Chain.forEach((item) => item.pipe(Chain.to("item", count("item"))), { concurrency: 2 }),
          Chain.result
        )
      )
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(flow))
      yield* first.in(TriggerFlow.start(Job, 1, { id: "a", autoClose: 0, concurrency: 2 }))
      yield* until(() => diary.count("item5") === 1)
      yield* first.kill
      diary.hanging = false
      const second = yield* runner(store, TriggerFlow.toLayer(flow))
      assert.deepStrictEqual((yield* second.host.await("a")).result, [2, 4, 3, 8, 10])
      for (const n of [1, 2, 4, 5]) assert.strictEqual(diary.count(`item${n}`), 1)
      assert.strictEqual(diary.count("item3"), 2)
      assert.strictEqual(most, 2)
    })
  )

  it.effect("sub-flows go on where they were, and their questions keep their ids", () =>
    Effect.gen(function* () {
      const diary = new Diary()
      const Inner = TriggerFlow.define("inner", {
        input: Schema.Number,
        result: Schema.String,
        interrupts: [Ask]
      })
      const inner = Inner.build(
        Inner.start.pipe(
          Chain.to("before", (n: number) => Effect.as(diary.step("before"), n)),
          Chain.to("ask", (n: number, run) => run.pause(Ask, `inner ${n}`)),
          Chain.result
        )
      )
      const flow = Job.build(
        Job.start.pipe(
          Chain.to("outer", (n: number) => Effect.as(diary.step("outer"), n + 1)),
          Chain.subFlow(inner, { capture: (n: number) => n, result: ({ result }) => result }),
          Chain.to("after", (result) => Effect.as(diary.step("after"), JSON.stringify(result))),
          Chain.result
        )
      )
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(flow))
      const one = yield* first.in(TriggerFlow.start(Job, 1, { id: "a", autoClose: 0 }))
      const [asked] = yield* one.interrupts
      yield* first.kill
      const second = yield* runner(store, TriggerFlow.toLayer(flow))
      const two = yield* second.in(TriggerFlow.attach(Job, "a"))
      const [again] = yield* two.interrupts
      assert.deepStrictEqual(again, asked)
      yield* second.host.answer("a", again?.id ?? "", "yes")
      assert.include(JSON.stringify((yield* second.host.await("a")).result), "yes")
      assert.deepStrictEqual(diary.began, ["outer", "before", "after"])
    })
  )

  it.effect("what was emitted is not emitted again: the handler that waits is given the replies that there were", () =>
    Effect.gen(function* () {
      const diary = new Diary()
      const flow = Job.build(
        Job.start.pipe(
          Chain.to("emit", (n: number, run) =>
            Effect.gen(function* () {
              diary.began.push("emit")
              const replies = yield* run.emit(Add, n)
              yield* diary.hang("after emit")
              return replies
            })
          ),
          Chain.result
        ),
        Job.on(Add).pipe(
          Chain.to("add", (n: number, run) =>
            Effect.andThen(
              diary.step("add"),
              Effect.as(
                run.state.update("n", (m) => m + n),
                n + 100
              )
            )
          )
        )
      )
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(flow))
      yield* first.in(TriggerFlow.start(Job, 1, { id: "a", autoClose: 0 }))
      yield* until(() => diary.count("after emit") === 1)
      yield* first.kill
      diary.hanging = false
      const second = yield* runner(store, TriggerFlow.toLayer(flow))
      const view = yield* second.host.await("a")
      assert.deepStrictEqual([view.result, view.state["n"]], [[101], 1])
      assert.deepStrictEqual(diary.began, ["emit", "add", "after emit", "emit", "after emit"])
    })
  )

  it.effect("collectors, gates and listeners on the state remember what they were told", () =>
    Effect.gen(function* () {
      const flow = Job.build(
        Job.on(Trigger.all({ one: Add, other: Other })).pipe(
          Chain.to("both", (both: unknown, run) => run.state.append("log", `both ${JSON.stringify(both)}`))
        ),
        Job.on(Job.state("n")).pipe(
          Chain.to("told", (n: unknown, run) => run.state.append("log", `n ${JSON.stringify(n)}`))
        ),
        Job.on(Add).pipe(Chain.to("add", (n: number, run) => Effect.as(run.state.set("n", n), n)))
      )
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(flow))
      const one = yield* first.in(TriggerFlow.start(Job, 1, { id: "a", autoClose: false }))
      yield* one.emit(Add, 7)
      yield* first.kill
      const second = yield* runner(store, TriggerFlow.toLayer(flow))
      const two = yield* second.in(TriggerFlow.attach(Job, "a"))
      yield* two.emit(Other, 9)
      const { state } = yield* two.close()
      assert.lengthOf(state.log, 2)
      assert.include(state.log[0] ?? "", "n 7")
      assert.include(state.log[1] ?? "", "both")
      assert.include(state.log[1] ?? "", "9")
    })
  )

  it.effect("interventions, failures that end their own chain, and retries survive", () =>
    Effect.gen(function* () {
      const diary = new Diary()
      let tries = 0
      const flow = Job.build(
        Job.on(Other).pipe(Chain.to("fail", () => Effect.fail("odd" as const))),
        Job.start.pipe(
          Chain.to("wait", (n: number) => Effect.as(diary.hang("wait"), n)),
          Chain.to(
            "flaky",
            (n: number): Effect.Effect<number, "flaky"> =>
              Effect.suspend(() => (++tries < 3 ? Effect.fail("flaky" as const) : Effect.succeed(n))),
            { retry: Schedule.recurs(5) }
          ),
          Chain.result
        )
      )
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(flow))
      const one = yield* first.in(TriggerFlow.start(Job, 5, { id: "a", failures: "continue" }))
      yield* Effect.ignore(one.emit(Other, 1))
      const said = yield* one.intervene("slower", { id: "i1" })
      assert.strictEqual(said, "i1")
      yield* first.kill
      diary.hanging = false
      const second = yield* runner(store, TriggerFlow.toLayer(flow))
      const two = yield* second.in(TriggerFlow.attach(Job, "a"))
      assert.deepStrictEqual(yield* two.failures, ["odd"])
      yield* until(() => tries === 3)
      const { result, status } = yield* two.close()
      assert.deepStrictEqual([result._tag === "Some" && result.value, status], [5, "completed"])
      const entries = yield* Stream.runCollect(second.host.watch("a"))
      assert.isTrue(entries.some(({ event }) => event._tag === "intervention" && event.id === "i1"))
    })
  )

  it.effect("an idle execution closes by itself on the runner that has it then", () =>
    Effect.gen(function* () {
      const flow = Job.build(Job.on(Add).pipe(Chain.to("add", (n: number) => Effect.succeed(n))))
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(flow))
      yield* first.in(TriggerFlow.start(Job, 5, { id: "a", autoClose: "10 seconds" }))
      yield* TestClock.adjust("8 seconds")
      yield* first.kill
      const second = yield* runner(store, TriggerFlow.toLayer(flow))
      const waiting = yield* Effect.forkChild(second.host.await("a"), { startImmediately: true })
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual(waiting.pollUnsafe(), undefined)
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual((yield* Fiber.join(waiting)).status, "completed")
    })
  )

  it.effect(
    "a closed execution can be read, awaited, watched, cancelled and closed after a restart, always the same",
    () =>
      Effect.gen(function* () {
        const flow = Job.build(
          Job.start.pipe(
            Chain.to("put", (n: number, run) => Effect.as(run.put(`item ${n}`), n * 2)),
            Chain.result
          )
        )
        const store = journal()
        const first = yield* runner(store, TriggerFlow.toLayer(flow))
        yield* first.in(TriggerFlow.start(Job, 5, { id: "a", autoClose: 0 }))
        const ended = yield* first.host.await("a")
        yield* TestClock.adjust("1 minute")
        const later = yield* first.host.get("a")
        assert.deepStrictEqual(later, ended)
        yield* first.kill
        const second = yield* runner(store, TriggerFlow.toLayer(flow))
        const { host } = second
        assert.deepStrictEqual(yield* host.get("a"), later)
        assert.deepStrictEqual(yield* host.await("a"), later)
        assert.deepStrictEqual(yield* host.close("a"), later)
        assert.deepStrictEqual(yield* host.cancel("a"), later)
        yield* host.seal("a")
        const items = yield* Stream.runCollect(host.watch("a"))
        assert.deepStrictEqual(
          items.map(({ event }) => (event._tag === "item" ? event.item : event)),
          ["item 5"]
        )
        const again = yield* second.in(TriggerFlow.start(Job, 5, { id: "a", autoClose: 0 }))
        assert.deepStrictEqual(
          (yield* again.await).result,
          later.result === undefined ? undefined : (yield* again.await).result
        )
        assert.strictEqual((yield* second.keeper.health).active, 0)
      })
  )

  it.effect("a reader goes on behind a crash from its cursor: it misses nothing and sees nothing twice", () =>
    Effect.gen(function* () {
      const diary = new Diary()
      const flow = Job.build(
        Job.start.pipe(
          Chain.to("one", (_: number, run) => Effect.forEach([1, 2, 3], (n) => run.put(`one ${n}`), { discard: true })),
          Chain.to("two", (_, run) =>
            Effect.gen(function* () {
              yield* run.put("two, volatile", { volatile: true })
              yield* run.put("two")
              yield* diary.hang("two")
            })
          ),
          Chain.to("three", (_, run) => run.put("three"))
        )
      )
      const store = journal()
      const first = yield* runner(store, TriggerFlow.toLayer(flow))
      yield* first.in(TriggerFlow.start(Job, 5, { id: "a", autoClose: 0 }))
      const seen: Array<{ readonly cursor: number; readonly item: unknown }> = []
      const read = (from: typeof first) =>
        Stream.runForEach(from.host.watch("a", (seen.at(-1)?.cursor ?? -1) + 1), ({ cursor, event }) =>
          Effect.sync(() => {
            if (event._tag === "item" && !event.volatile) seen.push({ cursor, item: event.item })
          })
        )
      const reading = yield* Effect.forkChild(Effect.exit(read(first)), { startImmediately: true })
      yield* until(() => diary.count("two") === 1)
      yield* settle
      yield* first.kill
      const cut = yield* Fiber.join(reading)
      assert.isTrue(Exit.isFailure(cut))
      assert.include(String(cut), "Ask again")
      diary.hanging = false
      const second = yield* runner(store, TriggerFlow.toLayer(flow))
      yield* read(second)
      assert.deepStrictEqual(
        seen.map(({ item }) => item),
        ["one 1", "one 2", "one 3", "two", "three"]
      )
      assert.deepStrictEqual(
        seen.map(({ cursor }) => cursor),
        seen.map(({ cursor }) => cursor).toSorted((a, b) => a - b)
      )
    })
  )
})

describe("versions", () => {
  const define = (version: string) =>
    TriggerFlow.define("pinned", { version, input: Schema.Number, result: Schema.Json, interrupts: [Ask] })
  const V1 = define("1")
  const V2 = define("2")
  const one = V1.build(
    V1.start.pipe(
      Chain.to("ask", (_: number, run) => run.pause(Ask, "v1")),
      Chain.to("old", (text: string) => Effect.succeed(`old ${text}`)),
      Chain.result
    )
  )
  const two = V2.build(
    V2.start.pipe(
      Chain.to("ask", (_: number, run) => run.pause(Ask, "v2")),
      Chain.to("new", (text: string) => Effect.succeed(`new ${text}`)),
      Chain.result
    )
  )

  it.effect("two versions that are registered at once each go on with their own executions", () =>
    Effect.gen(function* () {
      const store = journal()
      const both = Layer.mergeAll(TriggerFlow.toLayer(one), TriggerFlow.toLayer(two))
      const first = yield* runner(store, both)
      yield* first.in(TriggerFlow.start(V1, 1, { id: "a" }))
      yield* first.in(TriggerFlow.start(V2, 1, { id: "b" }))
      yield* first.kill
      const second = yield* runner(store, both)
      yield* second.host.answer("a", "Ask#1", "x")
      yield* second.host.answer("b", "Ask#1", "x")
      yield* second.host.close("a")
      yield* second.host.close("b")
      assert.deepStrictEqual(
        [(yield* second.host.get("a")).result, (yield* second.host.get("b")).result],
        ["old x", "new x"]
      )
    })
  )

  it.effect(
    "an execution of a version that is gone waits for whoever has it, or goes on where there is a migration",
    () =>
      Effect.gen(function* () {
        const store = journal()
        const first = yield* runner(store, TriggerFlow.toLayer(one))
        yield* first.in(TriggerFlow.start(V1, 1, { id: "a" }))
        yield* first.kill
        const second = yield* runner(store, TriggerFlow.toLayer(two))
        const refused = yield* Effect.flip(second.host.answer("a", "Ask#1", "x"))
        assert.include(String(refused), "not registered")
        for (let again = 0; again < 10; again++) yield* Effect.ignore(second.host.answer("a", "Ask#1", "x"))
        assert.deepStrictEqual((yield* second.keeper.deadLetters()).executions, [])
        yield* second.close
        const migrate = [
          { from: "1", to: "2", migrate: (snapshot: Snapshot.Snapshot) => Snapshot.renameStep(snapshot, "old", "new") }
        ]
        const third = yield* runner(store, TriggerFlow.toLayer(two, { migrate }))
        yield* third.host.answer("a", "Ask#1", "x")
        yield* third.host.close("a")
        const view = yield* third.host.get("a")
        assert.deepStrictEqual([view.result, view.version], ["new x", "2"])
      })
  )
})

const seldom = { lease: "10 seconds", refresh: "2 seconds" } as const

describe("a search that is interrupted", () => {
  it.effect("recover that is interrupted leaves nothing behind that nobody looks after", () =>
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
      const one = yield* runner(store, TriggerFlow.toLayer(flow), { ...seldom, runner: "1" })
      for (const id of ["a", "b", "c"]) yield* one.in(TriggerFlow.start(H, 1, { id }))
      yield* settle
      const two = yield* runner(store, TriggerFlow.toLayer(flow), {
        ...seldom,
        runner: "2",
        recoveries: 1,
        lease: "10 hours",
        refresh: "5 hours"
      })
      yield* one.close
      const reading = yield* Deferred.make<void>()
      two.wire.instead.read = (id, which) =>
        Effect.andThen(
          Deferred.succeed(reading, undefined),
          Effect.andThen(Effect.sleep("1 second"), store.read(id, which))
        )
      control.hanging = false
      const fiber = yield* Effect.forkChild(two.keeper.recover)
      yield* Deferred.await(reading)
      const over = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(over)
      delete two.wire.instead.read
      yield* two.keeper.recover
      yield* TestClock.adjust("1 minute")
      for (const id of ["b", "c"]) assert.strictEqual((yield* two.host.get(id)).status, "completed")
    })
  )
})
