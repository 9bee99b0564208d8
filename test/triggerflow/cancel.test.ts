import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schedule, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Chain, TriggerFlow } from "effigent/triggerflow"
import { A, Approval, B, beside, Boom, E, F, pure, reasonOf, settle } from "./support.ts"

/** Does a bit of everything without end, and notes each effect that starts. */
const busy = (note: (what: string) => void) => {
  const effect = (name: string) =>
    Effect.andThen(
      Effect.sync(() => note(name)),
      Effect.sleep(3)
    )
  const Child = TriggerFlow.define("child", { input: Schema.Number })
  const child = Child.build(
    Child.start.pipe(
      Chain.loop((c) => c.pipe(Chain.to("child", (n) => Effect.as(effect("child"), n))), {
        while: () => true,
        max: Infinity
      })
    )
  )
  return F.build(
    F.start.pipe(
      Chain.side((s) =>
        s.pipe(
          Chain.loop(
            (c) => c.pipe(Chain.to("loop", (n, run) => Effect.as(Effect.andThen(effect("loop"), run.emit(A, n)), n))),
            {
              while: () => true,
              max: Infinity
            }
          )
        )
      ),
      Chain.side((s) =>
        s.pipe(
          Chain.to("flaky", () => Effect.andThen(effect("flaky"), Effect.fail("x")), { retry: Schedule.spaced(2) })
        )
      ),
      Chain.side((s) => s.pipe(Chain.to("ask", (_, run) => run.pause(Approval, "?")))),
      Chain.side((s) => s.pipe(Chain.subFlow(child))),
      Chain.to("list", () => Effect.succeed([1, 2, 3, 4, 5, 6, 7, 8])),
      Chain.forEach(
        (i) =>
          i.pipe(
            Chain.loop((c) => c.pipe(Chain.to("item", (n) => Effect.as(effect("item"), n))), {
              while: () => true,
              max: Infinity
            })
          ),
        { concurrency: 3 }
      )
    ),
    F.on(A).pipe(Chain.to("a", (n, run) => Effect.andThen(effect("a"), run.emitFork(B, n)))),
    F.on(B).pipe(
      Chain.to("b", (n, run) =>
        Effect.ensuring(
          effect("b"),
          Effect.andThen(Effect.ignoreCause(run.emit(E, n)), Effect.ignoreCause(run.emitFork(E, n)))
        )
      )
    ),
    F.on(E).pipe(Chain.to("e", () => effect("e")))
  )
}

describe("R10 cancel", () => {
  const ways = {
    cancel: (execution: TheExecution) => Effect.asVoid(execution.cancel()),
    "close with a deadline": (execution: TheExecution) =>
      Effect.asVoid(execution.close({ deadline: 0, pending: "cancel" }))
  }
  type TheExecution = Effect.Success<ReturnType<typeof opened>>
  const opened = (note: (what: string) => void) => TriggerFlow.open(busy(note), 1, { concurrency: 6 })

  for (const [name, stop] of Object.entries(ways))
    it.effect(`after ${name} returns no further effect starts, at whatever moment it comes`, () =>
      Effect.gen(function* () {
        for (let at = 0; at < 40; at++) {
          const started: Array<string> = []
          const execution = yield* opened((what) => started.push(what))
          yield* TestClock.adjust(at)
          assert.isAbove(started.length, 2)
          const fiber = yield* beside(stop(execution))
          yield* TestClock.adjust(1)
          assert.isDefined(fiber.pollUnsafe(), `${at} ms`)
          yield* Fiber.join(fiber)
          const count = started.length
          assert.strictEqual(yield* execution.status, "cancelled")
          assert.deepStrictEqual(yield* execution.interrupts, [])
          assert.deepStrictEqual(yield* execution.subFlows, [])
          yield* TestClock.adjust(1_000)
          assert.strictEqual(started.length, count)
        }
      })
    )

  it.effect("after interrupting a run, and after leaving a Scope, no further effect starts", () =>
    Effect.gen(function* () {
      for (let at = 0; at < 20; at++) {
        const started: Array<string> = []
        const scope = yield* Scope.make()
        yield* Scope.provide(
          opened((what) => started.push(what)),
          scope
        )
        yield* TestClock.adjust(at)
        yield* Scope.close(scope, Exit.void)
        const count = started.length
        yield* TestClock.adjust(1_000)
        assert.strictEqual(started.length, count)
      }
      const started: Array<number> = []
      const flow = F.build(
        F.start.pipe(
          Chain.loop(
            (c) =>
              c.pipe(
                Chain.to("x", (n) =>
                  Effect.andThen(
                    Effect.sync(() => started.push(n)),
                    Effect.as(Effect.sleep(2), n)
                  )
                )
              ),
            {
              while: () => true,
              max: Infinity
            }
          )
        )
      )
      const fiber = yield* beside(TriggerFlow.run(flow, 1))
      yield* TestClock.adjust(11)
      yield* Fiber.interrupt(fiber)
      const count = started.length
      assert.strictEqual(count, 6)
      yield* TestClock.adjust(1_000)
      assert.strictEqual(started.length, count)
    })
  )

  it.effect("cancelling every second of 200 executions leaves the other 100 untouched", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", (n) => Effect.succeed([n, n + 1, n + 2])),
          Chain.forEach((i) =>
            i.pipe(Chain.to("work", (n, run) => Effect.andThen(Effect.sleep(50), Effect.as(run.emit(E, n), n))))
          ),
          Chain.result
        ),
        F.on(E).pipe(Chain.to("e", (n, run) => Effect.andThen(Effect.sleep(50), run.state.append("list", n))))
      )
      const executions = yield* Effect.forEach(
        Array.from({ length: 200 }, (_, at) => at),
        (at) => TriggerFlow.open(flow, at)
      )
      yield* TestClock.adjust(75)
      const cancelled = yield* Effect.forEach(
        executions.filter((_, at) => at % 2 === 0),
        (execution) => execution.cancel(),
        { concurrency: "unbounded" }
      )
      assert.isTrue(cancelled.every(({ status, state }) => status === "cancelled" && state.list.length === 0))
      yield* TestClock.adjust(25)
      const untouched = yield* Effect.forEach(
        executions.filter((_, at) => at % 2 === 1),
        (execution) => execution.close()
      )
      assert.strictEqual(untouched.length, 100)
      for (const [place, { status, state, result }] of untouched.entries()) {
        const at = place * 2 + 1
        assert.strictEqual(status, "completed")
        assert.sameMembers([...state.list], [at, at + 1, at + 2])
        assert.deepStrictEqual(result._tag === "Some" && result.value, [at, at + 1, at + 2])
      }
    })
  )

  it.effect("cancelling twice, at once or later, gives the same; the reason is told", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(F.build(F.start.pipe(Chain.to("x", () => Effect.never))), 1)
      const both = yield* Effect.all([execution.cancel("first"), execution.cancel("second")], { concurrency: 2 })
      assert.deepStrictEqual(both[0], both[1])
      assert.deepStrictEqual(yield* execution.cancel("third"), both[0])
      assert.include(String(yield* Effect.exit(execution.await)), "first")
    })
  )

  it.effect("a failing item starts nothing more in itself, and leaves the other items alone", () =>
    Effect.gen(function* () {
      for (let at = 0; at < 20; at++) {
        const late: Array<number> = []
        let failed = false
        const flow = F.build(
          F.start.pipe(
            Chain.to("list", () => Effect.succeed([1, 2])),
            Chain.forEach(
              (i) =>
                i.pipe(
                  Chain.side((s) =>
                    s.pipe(
                      Chain.loop(
                        (c) =>
                          c.pipe(
                            Chain.to("beside", (n, run) =>
                              Effect.gen(function* () {
                                if (failed && n === 1) late.push(n)
                                yield* Effect.sleep(3)
                                yield* run.emit(E, n)
                                return n
                              })
                            )
                          ),
                        { while: (_, round) => round < 20 }
                      )
                    )
                  ),
                  Chain.to("sleep", (n) => Effect.as(Effect.sleep(at), n)),
                  Chain.to("fail", (n) => (n === 1 ? Effect.fail(new Boom({ at: n })) : Effect.succeed(n)))
                ),
              { onError: "skip" }
            ),
            Chain.to(
              "note",
              pure((all) => all)
            ),
            Chain.result
          ),
          F.on(E).pipe(Chain.to("e", () => Effect.sleep(1)))
        )
        const execution = yield* TriggerFlow.open(flow, 1)
        yield* TestClock.adjust(at)
        yield* settle
        failed = true
        const fiber = yield* beside(execution.close())
        yield* TestClock.adjust(200)
        const closed = yield* Fiber.join(fiber)
        assert.deepStrictEqual(closed.result._tag === "Some" && closed.result.value, [2])
        assert.deepStrictEqual(late, [])
      }
    })
  )

  it.effect("what is written from outside while everything is being stopped is refused, and starts nothing", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const flow = F.build(
        F.start.pipe(Chain.to("slow", () => Effect.uninterruptible(Effect.sleep(100)))),
        F.on(F.state("n")).pipe(Chain.to("heard", () => Effect.sync(() => seen.push("heard"))))
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      const cancelling = yield* beside(execution.cancel())
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* execution.lifecycle, "sealed")
      const writes = [
        execution.state.set("n", 3),
        execution.state.update("n", (n) => n + 1),
        execution.state.append("list", 1),
        execution.state.delete("note"),
        execution.put("item")
      ]
      for (const write of writes) assert.strictEqual(reasonOf(yield* Effect.exit(write)), "NotOpen")
      yield* TestClock.adjust(100)
      assert.deepStrictEqual((yield* Fiber.join(cancelling)).state, { n: 0, list: [] })
      assert.deepStrictEqual(seen, [])
    })
  )
})
