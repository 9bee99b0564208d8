import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect, Exit, Fiber, Scope, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Chain, TriggerFlow } from "effigent/triggerflow"
import { A, Approval, B, beside, Boom, E, errorOf, F, Meter, pure, reasonOf, settle } from "./support.ts"

describe("Lifecycle", () => {
  it.effect("TF-62 created, running, waiting, running, completed; open, sealed, closed", () =>
    Effect.gen(function* () {
      const first = yield* Deferred.make<void>()
      const second = yield* Deferred.make<void>()
      const flow = F.build(
        F.start.pipe(
          Chain.to("work", () => Deferred.await(first)),
          Chain.to("ask", (_, run) => run.pause(Approval, "ok?")),
          Chain.to("more", () => Deferred.await(second))
        )
      )
      const execution = yield* TriggerFlow.create(flow, 0)
      const now = Effect.all([execution.status, execution.lifecycle])
      assert.deepStrictEqual(yield* now, ["created", "open"])
      yield* execution.start
      assert.deepStrictEqual(yield* now, ["running", "open"])
      yield* Deferred.succeed(first, undefined)
      yield* settle
      assert.deepStrictEqual(yield* now, ["waiting", "open"])
      yield* execution.answer(Approval, { ok: true }, { id: "Approval#1" })
      yield* settle
      assert.deepStrictEqual(yield* now, ["running", "open"])
      yield* execution.seal
      assert.deepStrictEqual(yield* now, ["running", "sealed"])
      yield* Deferred.succeed(second, undefined)
      yield* settle
      // Once it is sealed and nothing is at work, nothing can come any more.
      assert.deepStrictEqual(yield* now, ["completed", "closed"])
    })
  )

  it.effect("TF-20 a forked emit that fails shows at the first close, and at no later one", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(Chain.to("fork", (_, run) => Effect.andThen(run.state.set("n", 1), run.emitFork(E, 5)))),
        F.on(E).pipe(Chain.to("bad", (n) => Effect.fail(new Boom({ at: n }))))
      )
      const execution = yield* TriggerFlow.open(flow, 0)
      yield* settle
      assert.deepStrictEqual(errorOf(yield* Effect.exit(execution.close())), new Boom({ at: 5 }))
      const closed = yield* execution.close()
      assert.strictEqual(closed.status, "failed")
      assert.deepStrictEqual(closed.state, { n: 1, list: [] })
    })
  )

  it.effect("TF-21 failures: continue ends the failed chain only, and completes", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("bad", (n) => Effect.fail(new Boom({ at: n }))),
          Chain.to(
            "not",
            pure(() => seen.push("not"))
          )
        ),
        F.start.pipe(
          Chain.to(
            "good",
            pure(() => seen.push("good"))
          )
        )
      )
      const execution = yield* TriggerFlow.open(flow, 3, { failures: "continue" })
      const closed = yield* execution.close()
      assert.deepStrictEqual([closed.status, closed.state, seen], ["completed", { n: 0, list: [] }, ["good"]])
      const failures = yield* execution.failures
      assert.strictEqual(failures.length, 1)
      assert.include(String(failures[0]), "Boom")
    })
  )

  it.effect("TF-22 close gives the state, the same each time, and closes once for several callers", () =>
    Effect.gen(function* () {
      let drained = 0
      const flow = F.build(
        F.start.pipe(
          Chain.to("w", (n, run) => run.state.set("n", n)),
          Chain.to("slow", () =>
            Effect.andThen(
              Effect.sleep(50),
              Effect.sync(() => drained++)
            )
          )
        )
      )
      const execution = yield* TriggerFlow.open(flow, 3)
      const fibers = [
        yield* beside(execution.close()),
        yield* beside(execution.close()),
        yield* beside(execution.await)
      ]
      yield* TestClock.adjust(50)
      const all = [...(yield* Effect.forEach(fibers, Fiber.join)), yield* execution.close(), yield* execution.cancel()]
      for (const closed of all) assert.deepStrictEqual(closed, all[0])
      assert.deepStrictEqual(all[0]?.state, { n: 3, list: [] })
      assert.strictEqual(all[0]?.status, "completed")
      assert.strictEqual(drained, 1)
    })
  )

  it.effect("TF-23 close waits for forked emits, and for those that they fork", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const flow = F.build(
        F.start.pipe(Chain.to("s", (_, run) => run.emitFork(E, 3))),
        F.on(E).pipe(
          Chain.to("e", (n, run) =>
            Effect.andThen(
              Effect.sleep(10),
              Effect.andThen(
                Effect.sync(() => seen.push(n)),
                n > 0 ? run.emitFork(E, n - 1) : Effect.void
              )
            )
          )
        )
      )
      const execution = yield* TriggerFlow.open(flow, 0)
      const fiber = yield* beside(execution.close())
      yield* TestClock.adjust(39)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(seen, [3, 2, 1, 0])
    })
  )

  it.effect("TF-24 seal refuses signals from outside and finishes what was accepted", () =>
    Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      const flow = F.build(
        F.on(E).pipe(
          Chain.to("e", (n, run) => Effect.andThen(Deferred.await(go), run.emit(A, n))),
          Chain.to("fork", (_, run) => run.emitFork(B, 7))
        ),
        F.on(A).pipe(Chain.to("a", (n, run) => run.state.append("list", n))),
        F.on(B).pipe(Chain.to("b", (n, run) => run.state.append("list", n)))
      )
      const execution = yield* TriggerFlow.open(flow, 0)
      yield* execution.emitFork(E, 5)
      yield* execution.seal
      yield* execution.seal
      for (const emit of [execution.emit(A, 1), execution.emitExit(A, 1), execution.emitFork(A, 1)]) {
        const exit = yield* Effect.exit<unknown, unknown, never>(emit)
        assert.strictEqual(reasonOf(exit), "NotOpen")
        assert.include(String(errorOf(exit)), "sealed")
      }
      yield* Deferred.succeed(go, undefined)
      assert.deepStrictEqual((yield* execution.close()).state, { n: 0, list: [5, 7] })
    })
  )

  it.effect("TF-25 an emit after close is refused with a typed error", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(F.build(), 0)
      yield* execution.close()
      const exit = yield* Effect.exit(execution.emit(E, 1))
      assert.strictEqual(reasonOf(exit), "NotOpen")
      assert.include(String(errorOf(exit)), "closed")
      assert.strictEqual(
        reasonOf(yield* Effect.exit(execution.answer(Approval, { ok: true }, { id: "Approval#1" }))),
        "NotOpen"
      )
      assert.strictEqual(reasonOf(yield* Effect.exit(execution.intervene("x"))), "NotOpen")
    })
  )

  it.effect("TF-26 close with a deadline interrupts what is left and says cancelled", () =>
    Effect.gen(function* () {
      let interrupted = false
      const flow = F.build(
        F.start.pipe(
          Chain.to("slow", (_, run) =>
            Effect.andThen(
              run.state.set("n", 1),
              Effect.andThen(
                run.commit,
                Effect.onInterrupt(Effect.sleep(5_000), () => Effect.sync(() => void (interrupted = true)))
              )
            )
          )
        )
      )
      const execution = yield* TriggerFlow.open(flow, 0)
      const fiber = yield* beside(execution.close({ deadline: 100 }))
      yield* TestClock.adjust(100)
      const closed = yield* Fiber.join(fiber)
      assert.isTrue(interrupted)
      assert.deepStrictEqual([closed.status, closed.state.n], ["cancelled", 1])
    })
  )

  it.effect("TF-63 a close after one that ran out of time does not say completed", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(F.build(F.start.pipe(Chain.to("slow", () => Effect.never))), 0)
      const fiber = yield* beside(execution.close({ deadline: 100 }))
      yield* TestClock.adjust(100)
      const first = yield* Fiber.join(fiber)
      assert.deepStrictEqual(yield* execution.close(), first)
      assert.strictEqual(yield* execution.status, "cancelled")
      assert.strictEqual(reasonOf(yield* Effect.exit(execution.await)), "Cancelled")
    })
  )

  it.effect("a deadline that is not needed changes nothing", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(F.build(F.start.pipe(Chain.to("s", () => Effect.sleep(50)))), 0)
      const fiber = yield* beside(execution.close({ deadline: 100 }))
      yield* TestClock.adjust(50)
      assert.strictEqual((yield* Fiber.join(fiber)).status, "completed")
      yield* TestClock.adjust(100)
      assert.strictEqual((yield* execution.close()).status, "completed")
    })
  )

  it.effect("TF-27 closes after its time of idleness, which each signal begins anew", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(F.build(F.on(E).pipe(Chain.to("e", () => Effect.sleep(500)))), 0, {
        autoClose: 1_000
      })
      yield* TestClock.adjust(900)
      yield* execution.emitFork(E, 1)
      yield* TestClock.adjust(1_400)
      assert.strictEqual(yield* execution.lifecycle, "open")
      yield* execution.state.set("n", 2)
      yield* TestClock.adjust(999)
      assert.strictEqual(yield* execution.lifecycle, "open")
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* execution.lifecycle, "closed")
      assert.strictEqual((yield* execution.await).status, "completed")
    })
  )

  it.effect("TF-27 never closes while it waits for an answer, and after 10 s by default", () =>
    Effect.gen(function* () {
      const flow = F.build(F.start.pipe(Chain.to("ask", (_, run) => run.pause(Approval, "ok?"))))
      const execution = yield* TriggerFlow.open(flow, 0)
      yield* TestClock.adjust("1 day")
      assert.strictEqual(yield* execution.lifecycle, "open")
      yield* execution.answer(Approval, { ok: true }, { id: "Approval#1" })
      yield* TestClock.adjust(9_999)
      assert.strictEqual(yield* execution.lifecycle, "open")
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* execution.lifecycle, "closed")
    })
  )

  it.effect("TF-27 can be kept open for ever", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(F.build(), 0, { autoClose: false })
      yield* TestClock.adjust("30 days")
      assert.strictEqual(yield* execution.lifecycle, "open")
    })
  )

  it.live("TF-27 running a trivial flow takes far less than 5 ms", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("a", (n) => Effect.succeed(n)),
          Chain.result
        )
      )
      yield* TriggerFlow.runResult(flow, 1)
      const since = performance.now()
      for (let at = 0; at < 100; at++) assert.strictEqual(yield* TriggerFlow.runResult(flow, at), at)
      assert.isBelow((performance.now() - since) / 100, 5)
    })
  )

  it.effect("TF-38 close with a question that waits fails and stays open; with cancel it closes", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("ask", (_, run) => run.pause(Approval, "ok?")),
          Chain.to(
            "after",
            pure(() => seen.push("after"))
          )
        ),
        F.on(E).pipe(Chain.to("e", (n, run) => run.state.set("n", n)))
      )
      const execution = yield* TriggerFlow.open(flow, 0)
      const exit = yield* Effect.exit(execution.close())
      assert.strictEqual(reasonOf(exit), "PendingInterrupts")
      assert.include(String(errorOf(exit)), "Approval#1")
      assert.strictEqual(yield* execution.lifecycle, "open")
      yield* execution.emit(E, 4)
      const closed = yield* execution.close({ pending: "cancel" })
      assert.deepStrictEqual([closed.status, closed.state.n, seen], ["completed", 4, []])
      assert.deepStrictEqual(yield* execution.interrupts, [])
    })
  )

  it.effect("a question that is asked while it closes can still be answered", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("work", () => Effect.sleep(10)),
          Chain.to("ask", (_, run) => run.pause(Approval, "ok?")),
          Chain.to("after", (a, run) => run.setResult(a.ok))
        )
      )
      const execution = yield* TriggerFlow.open(flow, 0)
      const fiber = yield* beside(execution.close())
      yield* TestClock.adjust(10)
      assert.strictEqual((yield* execution.interrupts).length, 1)
      yield* execution.answer(Approval, { ok: true }, { id: "Approval#1" })
      const closed = yield* Fiber.join(fiber)
      assert.deepStrictEqual(closed.result._tag === "Some" && closed.result.value, true)
    })
  )

  it.effect("leaving its Scope cancels an execution, and waits until nothing is left", () =>
    Effect.gen(function* () {
      const meter = new Meter()
      // The test clock's first sleep does not hold in a fiber that is being interrupted.
      yield* TestClock.adjust(1)
      const scope = yield* Scope.make()
      const flow = F.build(
        F.start.pipe(Chain.to("work", () => meter.during(Effect.onInterrupt(Effect.never, () => Effect.sleep(100)))))
      )
      const execution = yield* Scope.provide(TriggerFlow.open(flow, 0), scope)
      assert.strictEqual(meter.now, 1)
      const fiber = yield* beside(Scope.close(scope, Exit.void))
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(100)
      yield* Fiber.join(fiber)
      assert.strictEqual(meter.now, 0)
      assert.strictEqual(yield* execution.status, "cancelled")
    })
  )

  it.effect("leaving its Scope changes nothing about an execution that is closed, or was never started", () =>
    Effect.gen(function* () {
      const done = yield* Effect.scoped(
        Effect.gen(function* () {
          const execution = yield* TriggerFlow.open(F.build(), 0)
          yield* execution.close()
          return execution
        })
      )
      assert.strictEqual(yield* done.status, "completed")
      const unstarted = yield* Effect.scoped(TriggerFlow.create(F.build(), 0))
      assert.strictEqual(yield* unstarted.status, "cancelled")
    })
  )

  it.effect("interrupting a run interrupts everything inside, and waits for it", () =>
    Effect.gen(function* () {
      const meter = new Meter()
      const flow = F.build(
        F.start.pipe(Chain.to("s", (n, run) => run.emit(E, n))),
        F.on(E).pipe(Chain.to("e", () => meter.during(Effect.never)))
      )
      const fiber = yield* beside(TriggerFlow.run(flow, 0))
      assert.strictEqual(meter.now, 1)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(meter.now, 0)
    })
  )

  it.effect("an execution may take only so long as a whole, and be idle only so long", () =>
    Effect.gen(function* () {
      const slow = F.build(F.start.pipe(Chain.to("s", () => Effect.never)))
      const run = yield* beside(Effect.exit(TriggerFlow.run(slow, 0, { timeout: "1 second" })))
      yield* TestClock.adjust(1_000)
      const late = yield* Fiber.join(run)
      assert.strictEqual(reasonOf(late), "ExecutionTimeout")
      assert.include(String(errorOf(late)), "1000 ms")
      const busy = F.build(
        F.start.pipe(
          Chain.to("s", (_, run) =>
            Effect.andThen(
              Effect.forEach([1, 2, 3], (n) => Effect.andThen(Effect.sleep(900), run.emit(E, n))),
              Effect.never
            )
          )
        )
      )
      const idle = yield* beside(Effect.exit(TriggerFlow.run(busy, 0, { idleTimeout: "1 second" })))
      yield* TestClock.adjust(3_699)
      assert.isUndefined(idle.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual(reasonOf(yield* Fiber.join(idle)), "ExecutionTimeout")
    })
  )

  it.effect("what happens in a sub-flow keeps its parent from being idle", () =>
    Effect.gen(function* () {
      const Child = TriggerFlow.define("child", { signals: [A] })
      const child = Child.build(
        Child.start.pipe(
          Chain.to("s", (_, run) =>
            Effect.forEach([1, 2, 3], (n) => Effect.andThen(Effect.sleep(900), run.emit(A, n)), { discard: true })
          )
        )
      )
      const flow = F.build(F.start.pipe(Chain.subFlow(child, { capture: () => undefined })))
      const fiber = yield* beside(TriggerFlow.run(flow, 0, { idleTimeout: "1 second" }))
      yield* TestClock.adjust(2_700)
      assert.strictEqual((yield* Fiber.join(fiber)).status, "completed")
    })
  )

  it.effect("closing an execution that was never started closes it", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.create(F.build(F.start.pipe(Chain.to("s", () => Effect.die("started")))), 0)
      assert.strictEqual((yield* execution.close()).status, "completed")
    })
  )

  it.effect("everybody who waits is told when it fails", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(
        F.build(...failingWith, F.on(A).pipe(Chain.to("never", () => Effect.never))),
        0
      )
      const waiting = [
        yield* beside(Effect.exit(execution.emit(A, 1))),
        yield* beside(Effect.exit(execution.emitExit(A, 1))),
        yield* beside(Effect.exit(execution.await))
      ]
      assert.deepStrictEqual(errorOf(yield* Effect.exit(execution.emit(E, 9))), new Boom({ at: 9 }))
      for (const fiber of waiting)
        assert.deepStrictEqual(
          errorOf<unknown, unknown>(yield* Fiber.join<Exit.Exit<unknown, unknown>, never>(fiber)),
          new Boom({ at: 9 })
        )
    })
  )

  it.effect("TF-64 fifty executions at once keep their inputs apart", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("w", (n, run) => run.state.set("n", n).pipe(Effect.andThen(Effect.sleep(50 - n)), Effect.as(n))),
          Chain.to("e", (n, run) => Effect.as(run.emit(E, n), n)),
          Chain.result
        ),
        F.on(E).pipe(Chain.to("e2", (n, run) => run.state.append("list", n)))
      )
      const inputs = Array.from({ length: 50 }, (_, at) => at)
      const fiber = yield* beside(Effect.forEach(inputs, (n) => TriggerFlow.run(flow, n), { concurrency: "unbounded" }))
      yield* TestClock.adjust(50)
      const all = yield* Fiber.join(fiber)
      assert.deepStrictEqual(
        all.map(({ state, result }) => [state.n, state.list, result._tag === "Some" ? result.value : undefined]),
        inputs.map((n) => [n, [n], n])
      )
    })
  )

  it.effect("starting an execution that was closed before it was started starts nothing, no timer either", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const slept: Array<number> = []
      const counted: Clock.Clock = Object.assign(Object.create(clock), {
        sleep: (duration: Duration.Duration) =>
          Effect.andThen(
            Effect.sync(() => slept.push(Duration.toMillis(duration))),
            clock.sleep(duration)
          )
      })
      const flow = F.build(F.start.pipe(Chain.to("s", (n) => Effect.succeed(n))))
      for (const closed of [false, true]) {
        const execution = yield* Effect.provideService(
          TriggerFlow.create(flow, 1, { timeout: 70_000, idleTimeout: 80_000, autoClose: false }),
          Clock.Clock,
          counted
        )
        if (closed) yield* execution.close()
        yield* execution.start
        if (closed) assert.deepStrictEqual(yield* Stream.runCollect(execution.stream), [])
        // Such as sleeps when it is open.
        assert.deepStrictEqual(slept.splice(0), closed ? [] : [70_000, 80_000])
      }
    })
  )

  it.effect("an execution that nobody can send a signal closes at once, and a sealed one when nothing is left", () =>
    Effect.gen(function* () {
      const Quiet = TriggerFlow.define("quiet", { input: Schema.Number })
      const quiet = yield* TriggerFlow.open(Quiet.build(Quiet.start.pipe(Chain.to("a", (n) => Effect.succeed(n)))), 1)
      assert.strictEqual((yield* quiet.await).status, "completed")
      const sealed = yield* TriggerFlow.open(F.build(F.start.pipe(Chain.to("a", (n) => Effect.succeed(n)))), 1)
      assert.strictEqual(yield* sealed.lifecycle, "open")
      yield* sealed.seal
      assert.strictEqual((yield* sealed.await).status, "completed")
    })
  )

  it.effect("the steps of a cancelled execution tell what was stopped", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("one", (n) => Effect.succeed(n)),
          Chain.to("two", () => Effect.never)
        )
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      yield* execution.cancel()
      assert.deepStrictEqual(
        [...(yield* execution.steps)],
        [
          ["one", "done"],
          ["two", "stopped"]
        ]
      )
    })
  )
})

const failingWith = [F.on(E).pipe(Chain.to("bad", (n) => Effect.fail(new Boom({ at: n }))))] as const
