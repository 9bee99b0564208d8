// Saving executions and loading them again: in whatever state they are, they go on as if nothing had happened.
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Result, Schedule, Schema, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { FlowDataStores } from "effigent/layers/host"
import { Chain, Interrupt, Signal, type Snapshot, Trigger, TriggerFlow } from "effigent/triggerflow"
import type { Execution } from "../../src/triggerflow/Execution.ts"
import type { Flow } from "../../src/triggerflow/Flow.ts"
import type { FlowError } from "../../src/triggerflow/FlowError.ts"
import type { Spec } from "../../src/triggerflow/Spec.ts"

const E = Signal.make("E", Schema.Number)
const A = Signal.make("A", Schema.Number)
const B = Signal.make("B", Schema.Number)
const Ask = Signal.make("Ask", Schema.Number, { reply: Schema.String })
const Approval = Interrupt.make("Approval", { payload: Schema.String, resume: Schema.Struct({ ok: Schema.Boolean }) })
const F = TriggerFlow.define("f", {
  input: Schema.Unknown,
  result: Schema.Unknown,
  error: Schema.Unknown,
  signals: [E, A, B, Ask],
  interrupts: [Approval],
  stream: Schema.String,
  state: Schema.Struct({ n: Schema.Number, log: Schema.Array(Schema.String) }),
  initial: { n: 0, log: [] }
})
const succeed = Effect.succeed

/** Saves an execution, ends it, and loads it from text. */
const reload = <C extends Spec, E, R>(
  flow: Flow<C, E, R>,
  execution: Execution<C, E>,
  options?: TriggerFlow.LoadOptions
): Effect.Effect<Execution<C, E>, FlowError, R | Scope.Scope> =>
  Effect.gen(function* () {
    const text = JSON.stringify(yield* execution.save())
    yield* execution.cancel()
    return yield* TriggerFlow.load(flow, JSON.parse(text), options)
  })

const resultOf = <C extends Spec, E>(execution: Execution<C, E>) =>
  Effect.map(execution.close(), ({ result }) => Option.getOrUndefined(result))

const tell = (log: Array<string>) => (what: string) => Effect.sync(() => void log.push(what))

/** How an execution refused. */
const reason = (exit: Exit.Exit<unknown, FlowError | unknown>) => {
  if (Exit.isSuccess(exit)) return undefined
  const error: unknown = Option.getOrUndefined(Exit.findErrorOption(exit))
  return error instanceof Object && "reason" in error ? error.reason : error
}

describe("save and load", () => {
  it.effect("TF-39 an execution that waits goes on under the same ids, with its state", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("count", (_, run) => Effect.andThen(run.state.set("n", 7), tell(log)("count"))),
          Chain.to("ask", (_, run) => run.pause(Approval, "May I?")),
          Chain.to("use", ({ ok }, run) => Effect.map(run.state.get("n"), (n) => `${ok} ${n}`)),
          Chain.result
        )
      )
      const before = yield* TriggerFlow.open(flow, null, { id: "one" })
      const waiting = yield* before.interrupts
      const after = yield* reload(flow, before)
      assert.strictEqual(yield* after.status, "waiting")
      assert.strictEqual(after.id, "one")
      assert.deepStrictEqual(yield* after.interrupts, waiting)
      assert.strictEqual(yield* after.state.get("n"), 7)
      yield* after.answer(Approval, { ok: true }, { id: "Approval#1" })
      assert.strictEqual(yield* resultOf(after), "true 7")
      assert.deepStrictEqual(log, ["count"])
    })
  )

  it.effect("TF-02 start after load is a no-op; an execution that was not started is started with its input", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("once", (input) => Effect.andThen(tell(log)(`start ${String(input)}`), succeed(input))),
          Chain.to("ask", (_, run) => run.pause(Approval, "?"))
        )
      )
      const created = yield* TriggerFlow.create(flow, "hello")
      const loaded = yield* reload(flow, created)
      assert.strictEqual(yield* loaded.status, "created")
      yield* loaded.start
      yield* loaded.start
      assert.deepStrictEqual(log, ["start hello"])
      const again = yield* reload(flow, loaded)
      yield* again.start
      assert.deepStrictEqual(log, ["start hello"])
      assert.strictEqual(yield* again.status, "waiting")
    })
  )

  it.effect("TF-42 a gate that was half full before the save fires after the load", () =>
    Effect.gen(function* () {
      const flow = F.build(F.on(Trigger.all({ a: A, b: B })).pipe(Chain.result))
      const before = yield* TriggerFlow.open(flow, null)
      yield* before.emit(A, 1)
      const after = yield* reload(flow, before)
      yield* after.emit(B, 2)
      assert.deepStrictEqual(yield* resultOf(after), { a: 1, b: 2 })
    })
  )

  it.effect("TF-43 a handler at work is marked to be run again, and its emits are not repeated", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const gate = yield* Deferred.make<void>()
      const flow = F.build(
        F.start.pipe(
          Chain.to("work", (_, run) =>
            Effect.gen(function* () {
              yield* tell(log)("begin")
              const first = yield* run.emit(Ask, 1)
              yield* run.state.set("n", 5)
              yield* Deferred.await(gate)
              const second = yield* run.emit(Ask, 2)
              return [first, second, yield* run.state.get("n")]
            })
          ),
          Chain.result
        ),
        F.on(Ask).pipe(Chain.to("reply", (n) => Effect.andThen(tell(log)(`reply ${n}`), succeed(`r${n}`))))
      )
      const before = yield* TriggerFlow.open(flow, null)
      const saved = yield* before.save()
      assert.deepStrictEqual(
        saved.execution.runs.map(({ state, step }) => [step, state]),
        [["work", "again"]]
      )
      assert.strictEqual(saved.status, "running")
      // What had not been made visible is not in it.
      assert.strictEqual(saved.execution.state["n"], 0)
      const after = yield* reload(flow, before)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* resultOf(after), [["r1"], ["r2"], 5])
      assert.deepStrictEqual(log, ["begin", "reply 1", "begin", "reply 2"])
    })
  )

  it.effect("an emit that nobody has heard is not repeated either, and is checked as others are", () =>
    Effect.gen(function* () {
      for (const payload of [1, 2]) {
        let tries = 0
        const gate = yield* Deferred.make<void>()
        const flow = F.build(
          F.start.pipe(
            Chain.to("work", (_, run) =>
              Effect.gen(function* () {
                const exit = yield* run.emitExit(Ask, tries++ === 0 ? 1 : payload)
                yield* Deferred.await(gate)
                return Exit.isSuccess(exit) ? [exit.value ?? "nothing"] : "failed"
              })
            ),
            Chain.result
          )
        )
        const after = yield* reload(flow, yield* TriggerFlow.open(flow, null))
        yield* Deferred.succeed(gate, undefined)
        const ended = yield* Effect.exit(resultOf(after))
        if (payload === 1) assert.isTrue(Exit.isSuccess(ended))
        else assert.propertyVal(reason(ended), "_tag", "ReplayDivergence")
      }
    })
  )

  it.effect("an emit that was at work goes on, and its emitter, run again, waits for it", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("work", (_, run) => Effect.andThen(tell(log)("work"), run.emit(Ask, 1))),
          Chain.result
        ),
        F.on(Ask).pipe(
          Chain.to("first", (n) => Effect.andThen(tell(log)("first"), succeed(n))),
          Chain.to("ask", (_, run) => run.pause(Approval, "?")),
          Chain.to("last", ({ ok }) => succeed(`${ok}`))
        )
      )
      const before = yield* TriggerFlow.open(flow, null, { concurrency: 1 })
      const after = yield* reload(flow, yield* reload(flow, before))
      assert.strictEqual(yield* after.status, "waiting")
      yield* after.answer(Approval, { ok: true }, { id: "Approval#1" })
      assert.deepStrictEqual(yield* resultOf(after), ["true"])
      assert.deepStrictEqual(log, ["work", "first", "work", "work"])
    })
  )

  it.effect("pauses in batch, forEach, loop and match are answered after the load, in any order", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.andThen(tell(log)("list"), succeed([1, 2, 3]))),
          Chain.batch({
            each: (c) =>
              c.pipe(
                Chain.forEach(
                  (item) =>
                    item.pipe(
                      Chain.to("item", (n) => Effect.andThen(tell(log)(`item ${n}`), succeed(n))),
                      Chain.to("askItem", (n, run) => run.pause(Approval, `item ${n}`, { id: `item${n}` })),
                      Chain.to("itemDone", ({ ok }) => succeed(ok ? "yes" : "no"))
                    ),
                  { concurrency: 2 }
                )
              ),
            loop: (c) =>
              c.pipe(
                Chain.to("zero", () => succeed(0)),
                Chain.loop(
                  (round) =>
                    round.pipe(
                      Chain.to("askRound", (n, run) =>
                        run.pause(Approval, `round ${n}`, { id: `round${n}`, to: "next" })
                      ),
                      Chain.to("count", (_, run) => run.state.update("n", (n) => n + 1))
                    ),
                  { while: (n) => n < 2 }
                )
              ),
            match: (c) =>
              c.pipe(
                Chain.match({
                  long: {
                    if: (list) => list.length > 2,
                    then: (inner) =>
                      inner.pipe(
                        Chain.to("askMatch", (_, run) => run.pause(Approval, "match", { id: "match" })),
                        Chain.to("matched", ({ ok }) => succeed(ok))
                      )
                  }
                })
              ),
            done: (c) => c.pipe(Chain.to("quick", () => Effect.andThen(tell(log)("quick"), succeed("quick"))))
          }),
          Chain.result
        )
      )
      let execution = yield* TriggerFlow.open(flow, null)
      for (const id of ["match", "item2", "round0", "item3", "round1", "item1"]) {
        execution = yield* reload(flow, execution)
        yield* execution.answer(Approval, { ok: id !== "item2" }, { id })
      }
      assert.deepStrictEqual(yield* resultOf(execution), {
        each: ["yes", "no", "yes"],
        loop: 2,
        match: true,
        done: "quick"
      })
      assert.deepStrictEqual(log.toSorted(), ["item 1", "item 2", "item 3", "list", "quick"])
    })
  )

  it.effect("TF-49 a sub-flow that waits is in it, and writes back when it is answered after the load", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const Child = TriggerFlow.define("child", {
        input: Schema.String,
        result: Schema.String,
        interrupts: [Approval],
        state: Schema.Struct({ seen: Schema.String }),
        initial: { seen: "" }
      })
      const child = Child.build(
        Child.start.pipe(
          Chain.to("see", (text, run) => Effect.andThen(tell(log)(`see ${text}`), run.state.set("seen", text))),
          Chain.to("childAsk", (_, run) => run.pause(Approval, "child?")),
          Chain.to("childEnd", ({ ok }, run) => Effect.map(run.state.get("seen"), (seen) => `${seen} ${ok}`)),
          Chain.result
        )
      )
      const flow = F.build(
        F.start.pipe(
          Chain.to("before", () => Effect.andThen(tell(log)("before"), succeed("text"))),
          Chain.subFlow(child, { writeBack: (closed) => ({ n: closed.state.seen.length }) }),
          Chain.to("after", (text, run) => Effect.map(run.state.get("n"), (n) => `${text} ${n}`)),
          Chain.result
        )
      )
      const before = yield* TriggerFlow.open(flow, null)
      const [waiting] = yield* before.interrupts
      const after = yield* reload(flow, yield* reload(flow, before))
      assert.deepStrictEqual(yield* after.interrupts, waiting === undefined ? [] : [waiting])
      assert.strictEqual((yield* after.subFlows)[0]?.status, "waiting")
      yield* after.answerJson(waiting?.id ?? "", { ok: true })
      assert.strictEqual(yield* resultOf(after), "text true 4")
      assert.deepStrictEqual(log, ["before", "see text"])
    })
  )

  it.effect("a sub-flow can be cancelled after the load", () =>
    Effect.gen(function* () {
      const Child = TriggerFlow.define("child", { interrupts: [Approval] })
      const child = Child.build(Child.start.pipe(Chain.to("childAsk", (_, run) => run.pause(Approval, "?"))))
      const flow = F.build(
        F.start.pipe(
          Chain.to("nothing", () => Effect.void),
          Chain.subFlow(child),
          Chain.to("after", () => succeed("after")),
          Chain.result
        )
      )
      const after = yield* reload(flow, yield* TriggerFlow.open(flow, null))
      const [sub] = yield* after.subFlows
      assert.isTrue(yield* after.cancelSubFlow(sub?.id ?? ""))
      assert.isFalse(yield* after.cancelSubFlow(sub?.id ?? ""))
      assert.isUndefined(yield* resultOf(after))
    })
  )

  it.effect("collectors and their scopes go on where they were", () =>
    Effect.gen(function* () {
      const Both = Trigger.collector("Both", { a: Schema.Number, b: Schema.Number }, { mode: "update" })
      const flow = F.build(
        F.on(A).pipe(Chain.collect(Both, "a")),
        F.start.pipe(
          Chain.to("one", () => succeed(1)),
          Chain.collect(Both, "a"),
          Chain.to("ask", (_, run) => run.pause(Approval, "?")),
          Chain.to("two", () => succeed(2)),
          Chain.collect(Both, "b")
        ),
        F.on(Both).pipe(Chain.result)
      )
      const before = yield* TriggerFlow.open(flow, null)
      yield* before.emit(A, 9)
      const saved = yield* before.save()
      // The signal has ended: nothing can reach its progress any more.
      assert.deepStrictEqual(saved.execution.collectors, [{ name: "Both", scope: 0, branches: { a: 1 } }])
      const after = yield* reload(flow, before)
      yield* after.answer(Approval, { ok: true }, { id: "Approval#1" })
      assert.deepStrictEqual(yield* resultOf(after), { a: 1, b: 2 })
    })
  )

  it.effect("TF-33 a pause that emits a signal does so after the load, and that signal answers it", () =>
    Effect.gen(function* () {
      const Answered = Signal.make("Answered", Schema.Struct({ ok: Schema.Boolean }))
      const G = TriggerFlow.define("g", { signals: [Answered], interrupts: [Approval], result: Schema.Unknown })
      const flow = G.build(
        G.start.pipe(
          Chain.to("ask", (_, run) => run.pause(Approval, "?", { to: Answered })),
          Chain.to("never", () => Effect.die("it goes no further"))
        ),
        G.on(Answered).pipe(Chain.result)
      )
      const answered = yield* reload(flow, yield* TriggerFlow.open(flow, undefined))
      yield* answered.answer(Approval, { ok: true }, { id: "Approval#1" })
      assert.deepStrictEqual(yield* resultOf(answered), { ok: true })
      const emitted = yield* reload(flow, yield* TriggerFlow.open(flow, undefined))
      yield* emitted.emit(Answered, { ok: false })
      assert.deepStrictEqual(yield* emitted.interrupts, [])
      assert.deepStrictEqual(yield* resultOf(emitted), { ok: false })
    })
  )

  it.effect("TF-31 a handler that pauses itself has its answer after the load, and its limit", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("self", (input, run) =>
            Option.match(run.resumed(Approval), {
              onNone: () => run.pause(Approval, String(input), { to: "self" }),
              onSome: ({ ok }) =>
                Effect.map(run.pause(Approval, "again", { to: "self" }), (again) => (ok ? "ok" : again))
            })
          ),
          Chain.result
        )
      )
      const fine = yield* reload(flow, yield* TriggerFlow.open(flow, "in"))
      yield* fine.answer(Approval, { ok: true }, { id: "Approval#1" })
      assert.strictEqual(yield* resultOf(fine), "ok")
      const limited = yield* reload(flow, yield* TriggerFlow.open(flow, "in"))
      yield* limited.answer(Approval, { ok: false }, { id: "Approval#1" })
      const twice = yield* reload(flow, limited)
      yield* twice.answer(Approval, { ok: false }, { id: "Approval#2" })
      assert.propertyVal(reason(yield* Effect.exit(twice.await)), "_tag", "ResumeLimit")
    })
  )

  it.effect("questions expire by the time of the clock, not by that of the process", () =>
    Effect.gen(function* () {
      const flow = F.build(F.start.pipe(Chain.to("ask", (_, run) => run.pause(Approval, "?", { expires: "1 hour" }))))
      const before = yield* TriggerFlow.open(flow, null)
      yield* TestClock.adjust("20 minutes")
      const after = yield* reload(flow, before)
      yield* TestClock.adjust("39 minutes")
      assert.strictEqual(yield* after.status, "waiting")
      const text = yield* after.save()
      yield* TestClock.adjust("2 minutes")
      assert.propertyVal(reason(yield* Effect.exit(after.await)), "why", "expired")
      // Loaded when its time is over, it expires at once.
      const late = yield* TriggerFlow.load(flow, text)
      yield* TestClock.adjust(0)
      assert.propertyVal(reason(yield* Effect.exit(late.await)), "why", "expired")
    })
  )

  it.effect("what stood in line starts in its order, within the limits that it was saved with", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const gate = yield* Deferred.make<void>()
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => succeed([1, 2, 3])),
          Chain.forEach((item) =>
            item.pipe(Chain.to("item", (n) => Effect.andThen(tell(log)(`item ${n}`), Deferred.await(gate))))
          )
        )
      )
      const before = yield* TriggerFlow.open(flow, null, { concurrency: 1 })
      const saved = yield* before.save()
      assert.deepStrictEqual(
        saved.execution.runs.map(({ input, state }) => [input, state]),
        [
          [1, "again"],
          [2, "queued"],
          [3, "queued"]
        ]
      )
      const after = yield* reload(flow, before)
      assert.deepStrictEqual(log, ["item 1", "item 1"])
      yield* Deferred.succeed(gate, undefined)
      yield* after.close()
      assert.deepStrictEqual(log, ["item 1", "item 1", "item 2", "item 3"])
    })
  )

  it.effect("what was left out or collected by a forEach stays so", () =>
    Effect.gen(function* () {
      class Bad extends Schema.TaggedError<Bad>()("Bad", { n: Schema.Number }) {}
      const G = TriggerFlow.define("g", { error: Bad, interrupts: [Approval], result: Schema.Unknown })
      const item = (n: number): Effect.Effect<number, Bad> => (n === 1 ? Effect.fail(new Bad({ n })) : succeed(n))
      const skip = G.build(
        G.start.pipe(
          Chain.to("list", () => succeed([1, 2, 3])),
          Chain.forEach(
            (c) =>
              c.pipe(
                Chain.to("item", item),
                Chain.to("ask", (n, run) => run.pause(Approval, `${n}`)),
                Chain.to("done", ({ ok }) => succeed(ok))
              ),
            { onError: "skip" }
          ),
          Chain.result
        )
      )
      const skipped = yield* reload(skip, yield* TriggerFlow.open(skip, undefined))
      yield* skipped.answer(Approval, { ok: true }, { id: "Approval#1" })
      const again = yield* reload(skip, skipped)
      yield* again.answer(Approval, { ok: false }, { id: "Approval#2" })
      assert.deepStrictEqual(yield* resultOf(again), [true, false])

      const collect = G.build(
        G.start.pipe(
          Chain.to("list", () => succeed([1, 2])),
          Chain.forEach((c) => c.pipe(Chain.to("item", item)), { onError: "collect" }),
          Chain.to("keep", (list, run) =>
            Effect.map(run.pause(Approval, "?", { to: "self" }), (pause) =>
              Option.isSome(run.resumed(Approval)) ? list : pause
            )
          ),
          Chain.to("show", (list) =>
            succeed(
              list.map((one) =>
                Result.match(one, { onFailure: (e) => `${e instanceof Bad} ${e.n}`, onSuccess: (n) => `${n}` })
              )
            )
          ),
          Chain.result
        )
      )
      const collected = yield* reload(collect, yield* TriggerFlow.open(collect, undefined))
      yield* collected.answer(Approval, { ok: true }, { id: "Approval#1" })
      assert.deepStrictEqual(yield* resultOf(collected), ["true 1", "2"])
    })
  )

  it.effect("an emitExit that has failed gives its Exit again, with the typed error", () =>
    Effect.gen(function* () {
      class Bad extends Schema.TaggedError<Bad>()("Bad", { n: Schema.Number }) {}
      const G = TriggerFlow.define("g", { error: Bad, signals: [E], result: Schema.Unknown })
      const gate = yield* Deferred.make<void>()
      let emits = 0
      const flow = G.build(
        G.start.pipe(
          Chain.to("try", (_, run) =>
            Effect.gen(function* () {
              const exit = yield* run.emitExit(E, 1)
              yield* Deferred.await(gate)
              const error = Option.getOrUndefined(Exit.findErrorOption(exit))
              return error instanceof Bad ? error.n : "something else"
            })
          ),
          Chain.result
        ),
        G.on(E).pipe(
          Chain.to("fail", (n) => {
            emits++
            return Effect.fail(new Bad({ n }))
          })
        )
      )
      const after = yield* reload(flow, yield* TriggerFlow.open(flow, undefined))
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* resultOf(after), 1)
      assert.strictEqual(emits, 1)
    })
  )

  it.effect("forked signals that have not started are in it; those that were forked are not forked again", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const gate = yield* Deferred.make<void>()
      let saved: Snapshot.Snapshot | undefined
      const own: { save?: Effect.Effect<Snapshot.Snapshot, FlowError> } = {}
      const flow = F.build(
        F.start.pipe(
          Chain.to("fork", (_, run) =>
            Effect.gen(function* () {
              yield* run.emitFork(E, 1)
              yield* run.emitFork(E, 2)
              // Saved by a handler, while both stand in line.
              if (saved === undefined && own.save !== undefined) saved = yield* Effect.orDie(own.save)
              yield* Deferred.await(gate)
            })
          )
        ),
        F.on(E).pipe(Chain.to("on", (n) => tell(log)(`on ${n}`)))
      )
      const before = yield* TriggerFlow.create(flow, null)
      own.save = before.save()
      yield* before.start
      yield* Effect.yieldNow
      assert.deepStrictEqual(
        saved?.execution.forks.map(({ payload }) => payload),
        [1, 2]
      )
      yield* before.cancel()
      log.length = 0
      const after = yield* TriggerFlow.load(flow, JSON.parse(JSON.stringify(saved)))
      yield* Deferred.succeed(gate, undefined)
      yield* after.close()
      assert.deepStrictEqual(log, ["on 1", "on 2"])
    })
  )

  it.effect("who listens from outside is not in it, and nobody waits for them after the load", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("emit", (_, run) => Effect.as(run.emit(E, 1), "went on")),
          Chain.result
        )
      )
      const before = yield* TriggerFlow.create(flow, null)
      yield* before.on(E, () => Effect.never)
      yield* before.start
      assert.strictEqual(yield* before.status, "running")
      const saved = yield* before.save()
      assert.deepStrictEqual(
        saved.execution.runs.map(({ step }) => step),
        ["emit"]
      )
      assert.strictEqual(yield* resultOf(yield* TriggerFlow.load(flow, saved)), "went on")
    })
  )

  it.effect("failures that ended their own chain, and chains that were dropped, stay so", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => succeed([1, 2])),
          Chain.forEach((item) =>
            item.pipe(
              Chain.to("ask", (n, run) => run.pause(Approval, `${n}`)),
              Chain.to("check", ({ ok }) => (ok ? succeed("fine") : Effect.fail("bad")))
            )
          ),
          Chain.result
        )
      )
      const before = yield* TriggerFlow.open(flow, null, { failures: "continue" })
      yield* before.answer(Approval, { ok: false }, { id: "Approval#1" })
      const after = yield* reload(flow, before)
      assert.strictEqual((yield* after.failures).length, 1)
      yield* after.answer(Approval, { ok: true }, { id: "Approval#2" })
      // The list lacks an item: its chain goes no further.
      assert.isUndefined(yield* resultOf(after))
      assert.strictEqual(yield* after.status, "completed")
    })
  )

  it.effect("a try that fails before it comes to an emit that is at work stops it; the next try emits its own", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const gate = yield* Deferred.make<void>()
      let fail = false
      const flow = F.build(
        F.start.pipe(
          Chain.to(
            "work",
            (_, run) =>
              Effect.gen(function* () {
                yield* tell(log)(fail ? "fail" : "emit")
                if (!fail) return yield* run.emit(Ask, 1)
                fail = false
                return yield* Effect.fail("before the emit")
              }),
            { retry: Schedule.recurs(1) }
          ),
          Chain.result
        ),
        F.on(Ask).pipe(
          Chain.to("first", (n) => Effect.andThen(tell(log)("first"), succeed(n))),
          Chain.to("second", (n) => Effect.as(Deferred.await(gate), `${n}`))
        )
      )
      const before = yield* TriggerFlow.open(flow, null)
      const text = JSON.stringify(yield* before.save())
      fail = true
      const after = yield* TriggerFlow.load(flow, JSON.parse(text))
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* resultOf(after), ["1"])
      assert.deepStrictEqual(log, ["emit", "first", "fail", "emit", "first"])
    })
  )

  it.effect("a handler that fails without coming to an emit that is at work stops it", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      let fail = false
      const flow = F.build(
        F.start.pipe(
          Chain.to("work", (_, run) =>
            fail ? Effect.fail("no") : Effect.andThen(run.emit(Ask, 1), succeed("unreachable"))
          )
        ),
        F.on(Ask).pipe(Chain.to("held", () => Effect.onInterrupt(Effect.never, () => tell(log)("stopped"))))
      )
      const before = yield* TriggerFlow.open(flow, null, { failures: "continue" })
      const text = JSON.stringify(yield* before.save())
      fail = true
      const after = yield* TriggerFlow.load(flow, JSON.parse(text))
      assert.strictEqual((yield* after.close()).status, "completed")
      assert.deepStrictEqual(log, ["stopped"])
      assert.strictEqual((yield* after.failures).length, 1)
    })
  )

  it.effect(
    "a handler that an answer runs again after the load does not repeat what it had emitted, as without one",
    () =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const flow = F.build(
          F.start.pipe(
            Chain.to("self", (_, run) =>
              Effect.gen(function* () {
                const replies = yield* run.emit(Ask, 1)
                if (Option.isNone(run.resumed(Approval))) return yield* run.pause(Approval, "?", { to: "self" })
                return [...replies, ...(yield* run.emit(Ask, 2))]
              })
            ),
            Chain.result
          ),
          F.on(Ask).pipe(Chain.to("reply", (n) => Effect.andThen(tell(log)(`reply ${n}`), succeed(`r${n}`))))
        )
        for (const loads of [0, 1, 2]) {
          log.length = 0
          let execution = yield* TriggerFlow.open(flow, null)
          for (let i = 0; i < loads; i++) execution = yield* reload(flow, execution)
          yield* execution.answer(Approval, { ok: true }, { id: "Approval#1" })
          assert.deepStrictEqual(yield* resultOf(execution), ["r1", "r2"])
          assert.deepStrictEqual(log, ["reply 1", "reply 2"])
        }
      })
  )

  it.effect("an execution that was told to close drains and closes after the load", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const flow = F.build(
        F.start.pipe(
          Chain.to("wait", () => Effect.as(Deferred.await(gate), "drained")),
          Chain.result
        )
      )
      const before = yield* TriggerFlow.open(flow, null)
      const closing = yield* Effect.forkChild(before.close(), { startImmediately: true })
      const saved = yield* before.save()
      assert.strictEqual(saved.execution.lifecycle, "sealed")
      const after = yield* TriggerFlow.load(flow, JSON.parse(JSON.stringify(saved)))
      assert.propertyVal(reason(yield* Effect.exit(after.emit(E, 1))), "_tag", "NotOpen")
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual((yield* after.await).result, Option.some("drained"))
      assert.deepStrictEqual((yield* Fiber.join(closing)).result, Option.some("drained"))
    })
  )

  it.effect("an execution that is idle closes by itself after the load", () =>
    Effect.gen(function* () {
      const flow = F.build(F.start.pipe(Chain.to("done", () => Effect.void)))
      const before = yield* TriggerFlow.open(flow, null, { autoClose: "1 minute" })
      const after = yield* reload(flow, before)
      assert.strictEqual(yield* after.lifecycle, "open")
      yield* TestClock.adjust("61 seconds")
      assert.strictEqual(yield* after.lifecycle, "closed")
      const never = yield* TriggerFlow.open(flow, null, { autoClose: false })
      const open = yield* reload(flow, never)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* open.lifecycle, "open")
    })
  )

  it.effect("interventions, their marks and the ids of questions go on", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("ask", (_, run) => run.pause(Approval, "?")),
          Chain.to("ask2", (_, run) => run.pause(Approval, "?")),
          Chain.to("read", (_, run) => Effect.map(run.interventions, (list) => list.map(({ payload }) => payload))),
          Chain.result
        )
      )
      const before = yield* TriggerFlow.open(flow, null)
      yield* before.intervene("slower", { id: "i1", author: "me", target: "read" })
      const after = yield* reload(flow, before)
      assert.deepStrictEqual(yield* after.interventions, [
        { id: "i1", payload: "slower", author: "me", target: "read", status: "pending" }
      ])
      yield* after.answer(Approval, { ok: true }, { id: "Approval#1" })
      assert.deepStrictEqual(
        (yield* after.interrupts).map(({ id }) => id),
        ["Approval#2"]
      )
      yield* after.answer(Approval, { ok: true }, { id: "Approval#2" })
      assert.deepStrictEqual(yield* resultOf(after), ["slower"])
    })
  )

  it.effect("cursors of the runtime stream go on, and its entries are there where they were asked for", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("put", (_, run) => Effect.andThen(run.put("a"), run.put("b"))),
          Chain.to("ask", (_, run) => run.pause(Approval, "?")),
          Chain.to("more", (_, run) => run.put("c"))
        )
      )
      const before = yield* TriggerFlow.open(flow, null)
      const read = (snapshot: Snapshot.Snapshot) =>
        Effect.gen(function* () {
          const after = yield* TriggerFlow.load(flow, JSON.parse(JSON.stringify(snapshot)))
          yield* after.answer(Approval, { ok: true }, { id: "Approval#1" })
          yield* after.close()
          const entries = yield* Stream.runCollect(after.entries())
          return entries.map(({ cursor, event }) => [cursor, event._tag === "item" ? event.item : event._tag])
        })
      const rest = [
        [3, "answered"],
        [4, "c"]
      ]
      assert.deepStrictEqual(yield* read(yield* before.save()), rest)
      assert.deepStrictEqual(yield* read(yield* before.save({ stream: true })), [
        [0, "a"],
        [1, "b"],
        [2, "interrupt"],
        ...rest
      ])
    })
  )

  it.effect("while something is being stopped, a save waits until it has stopped", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => succeed([0])),
          Chain.forEach(
            (item) =>
              item.pipe(
                Chain.side((c) =>
                  c.pipe(Chain.to("slow", () => Effect.onInterrupt(Effect.never, () => Deferred.await(gate))))
                ),
                Chain.to("fail", () => Effect.fail("no"))
              ),
            { onError: "skip" }
          ),
          Chain.to("ask", (_, run) => run.pause(Approval, "?"))
        )
      )
      const before = yield* TriggerFlow.open(flow, null)
      const saving = yield* Effect.forkChild(before.save(), { startImmediately: true })
      yield* Effect.yieldNow
      assert.isUndefined(saving.pollUnsafe())
      yield* Deferred.succeed(gate, undefined)
      const saved = yield* Fiber.join(saving)
      // What the stopped work was waited for by has begun.
      assert.deepStrictEqual(
        saved.execution.runs.map(({ state, step }) => [step, state]),
        [["ask", "again"]]
      )
      assert.deepStrictEqual(saved.execution.frames.length, 2)
    })
  )

  it.effect("a closed execution is loaded as closed, with its state, its result or its failure", () =>
    Effect.gen(function* () {
      const fine = F.build(
        F.start.pipe(
          Chain.to("set", (_, run) => run.state.set("n", 3)),
          Chain.to("r", () => succeed("r")),
          Chain.result
        )
      )
      const before = yield* TriggerFlow.open(fine, null)
      const closed = yield* before.close()
      const after = yield* TriggerFlow.load(fine, yield* before.save())
      assert.deepStrictEqual(yield* after.await, closed)
      assert.propertyVal(reason(yield* Effect.exit(after.emit(E, 1))), "_tag", "NotOpen")

      const bad = F.build(F.start.pipe(Chain.to("fail", () => Effect.fail("no"))))
      const failing = yield* TriggerFlow.open(bad, null)
      yield* Effect.exit(failing.await)
      const failed = yield* TriggerFlow.load(bad, yield* failing.save())
      assert.strictEqual(yield* failed.status, "failed")
      assert.strictEqual(reason(yield* Effect.exit(failed.await)), "no")
    })
  )

  it.effect("the time that an execution may take is counted from its start", () =>
    Effect.gen(function* () {
      const flow = F.build(F.start.pipe(Chain.to("ask", (_, run) => run.pause(Approval, "?"))))
      const before = yield* TriggerFlow.open(flow, null, { timeout: "1 hour" })
      yield* TestClock.adjust("50 minutes")
      const after = yield* reload(flow, before)
      yield* TestClock.adjust("11 minutes")
      assert.propertyVal(reason(yield* Effect.exit(after.await)), "_tag", "ExecutionTimeout")
    })
  )

  it.effect("chains on what executions share hear of it after the load, and a load without the store is refused", () =>
    Effect.gen(function* () {
      const Go = Signal.make("Go", Schema.Void)
      const Tally = TriggerFlow.define("tally", {
        state: Schema.Struct({ seen: Schema.Array(Schema.String) }),
        initial: { seen: [] },
        shared: Schema.Struct({ total: Schema.Int, day: Schema.Date }),
        initialShared: { total: 0, day: new Date(0) },
        signals: [Go]
      })
      const flow = Tally.build(
        Tally.on(Tally.shared("total")).pipe(Chain.to("seen", (total, run) => run.state.append("seen", `${total}`))),
        Tally.on(Trigger.all({ go: Go, day: Tally.shared("day") })).pipe(
          Chain.to("joined", ({ day }, run) => run.state.append("seen", day.toISOString()))
        )
      )
      const saved = yield* Effect.gen(function* () {
        const shared = yield* TriggerFlow.shared(Tally)
        const before = yield* TriggerFlow.open(flow, undefined)
        yield* shared.set("total", 1)
        yield* shared.set("day", new Date(1000))
        const saved = JSON.parse(JSON.stringify(yield* before.save()))
        yield* before.cancel()
        const after = yield* TriggerFlow.load(flow, saved)
        yield* shared.set("total", 2)
        yield* after.emit(Go, undefined)
        assert.deepStrictEqual((yield* after.close()).state.seen, ["1", "2", "1970-01-01T00:00:01.000Z"])
        return saved
      }).pipe(Effect.provide(FlowDataStores.memory))
      // As of a flow whose types do not say what it needs.
      const load = TriggerFlow.load(flow, saved) as unknown as Effect.Effect<unknown, FlowError, Scope.Scope>
      assert.deepInclude(reason(yield* Effect.exit(load)), { why: "services" })
    })
  )

  it.effect("how far each step has come is known after the load", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("first", () => Effect.void),
          Chain.to("ask", (_, run) => run.pause(Approval, "?")),
          Chain.to("last", () => Effect.void)
        )
      )
      const before = yield* TriggerFlow.open(flow, null)
      const after = yield* reload(flow, before)
      assert.deepStrictEqual(
        [...(yield* after.steps)],
        [
          ["first", "done"],
          ["ask", "waiting"]
        ]
      )
    })
  )

  it.effect("what it costs to save and to load does not grow with what has happened", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(Chain.to("ask", (_, run) => run.pause(Approval, "?"))),
        F.on(E).pipe(Chain.to("set", (n, run) => run.state.set("n", n))),
        F.on(Trigger.all({ a: A, b: B })).pipe(Chain.to("both", () => Effect.void))
      )
      const after = (count: number) =>
        Effect.gen(function* () {
          const execution = yield* TriggerFlow.open(flow, null, { id: "same" })
          for (let i = 0; i < count; i++) {
            yield* execution.emit(E, 1)
            yield* execution.emit(A, 1)
          }
          const { ids, ...image } = (yield* execution.save()).execution
          assert.isAbove(ids, count)
          return JSON.stringify(image)
        })
      assert.strictEqual(yield* after(1000), yield* after(10))
    })
  )

  it.effect(
    "a handler that an answer runs again after the load loses nothing that it emits in place of something else",
    () =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const flow = F.build(
          F.start.pipe(
            Chain.to("self", (_, run) =>
              Effect.gen(function* () {
                const answer = run.resumed(Approval)
                const replies = yield* run.emit(Ask, Option.isNone(answer) ? 1 : 2)
                if (Option.isNone(answer)) return yield* run.pause(Approval, "?", { to: "self" })
                return replies
              })
            ),
            Chain.result
          ),
          F.on(Ask).pipe(Chain.to("reply", (n) => Effect.andThen(tell(log)(`reply ${n}`), succeed(`r${n}`))))
        )
        for (const loads of [0, 1, 2]) {
          log.length = 0
          let execution = yield* TriggerFlow.open(flow, null)
          for (let i = 0; i < loads; i++) execution = yield* reload(flow, execution)
          yield* execution.answer(Approval, { ok: true }, { id: "Approval#1" })
          assert.deepStrictEqual(yield* resultOf(execution), ["r2"])
          assert.deepStrictEqual(log, ["reply 1", "reply 2"])
        }
      })
  )
})
