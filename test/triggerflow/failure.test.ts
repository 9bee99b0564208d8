import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Result, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { Chain, TriggerFlow } from "effigent/triggerflow"
import { A, Approval, Ask, B, beside, Boom, causeOf, E, errorOf, F, Meter, pure, reasonOf, settle } from "./support.ts"

describe("Failure", () => {
  it.effect("TF-19 S55 a failing step fails the run with its own error and stops its siblings", () =>
    Effect.gen(function* () {
      const meter = new Meter()
      const flow = F.build(
        F.start.pipe(
          Chain.batch({
            items: (c) =>
              c.pipe(
                Chain.to("list", () => Effect.succeed([1, 2])),
                Chain.forEach((i) => i.pipe(Chain.to("wait", () => meter.during(Effect.never))))
              ),
            other: (c) => c.pipe(Chain.to("other", () => meter.during(Effect.never))),
            bad: (c) => c.pipe(Chain.to("bad", (n) => Effect.fail(new Boom({ at: n }))))
          }),
          Chain.to("never", () => Effect.die("goes on"))
        )
      )
      const execution = yield* TriggerFlow.open(flow, 4)
      assert.deepStrictEqual(errorOf(yield* Effect.exit(execution.await)), new Boom({ at: 4 }))
      assert.strictEqual(yield* execution.status, "failed")
      assert.strictEqual(yield* execution.lifecycle, "closed")
      assert.deepStrictEqual([meter.total, meter.now], [3, 0])
      assert.deepStrictEqual(errorOf(yield* Effect.exit(TriggerFlow.run(flow, 5))), new Boom({ at: 5 }))
    })
  )

  it.effect("catch gives an output in place of the failure; what the failed try had written is gone", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("bad", (n, run) => Effect.andThen(run.state.set("n", n), Effect.fail(new Boom({ at: n }))), {
            catch: (error, input, run) => Effect.as(run.state.append("list", input), `caught ${error._tag}`)
          }),
          Chain.result
        )
      )
      const closed = yield* TriggerFlow.run(flow, 3)
      assert.deepStrictEqual(closed.state, { n: 0, list: [3] })
      assert.deepStrictEqual(closed.result._tag === "Some" && closed.result.value, "caught Boom")
    })
  )

  it.effect("catch may pause, and its own failure is a failure", () =>
    Effect.gen(function* () {
      const asks = F.build(
        F.start.pipe(
          Chain.to("bad", () => Effect.fail(new Boom({ at: 1 })), {
            catch: (_, __, run) => run.pause(Approval, "go on?")
          }),
          Chain.to("end", (a) => Effect.succeed(a.ok)),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.open(asks, 1)
      yield* execution.answer(Approval, { ok: true }, { id: "Approval#1" })
      const closed = yield* execution.close()
      assert.deepStrictEqual(closed.result._tag === "Some" && closed.result.value, true)
      const fails = F.build(
        F.start.pipe(
          Chain.to("bad", () => Effect.fail("first"), { catch: (error) => Effect.fail(`second after ${error}`) })
        )
      )
      assert.strictEqual(yield* Effect.flip(TriggerFlow.run(fails, 1)), "second after first")
    })
  )

  it.effect("a retry Schedule tries again; attempts are counted, and failed tries leave nothing behind", () =>
    Effect.gen(function* () {
      const attempts: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to(
            "flaky",
            (n, run) =>
              Effect.gen(function* () {
                yield* run.state.append("list", run.attempt)
                yield* run.put(run.attempt)
                attempts.push(`${run.attempt}`)
                if (run.attempt < 3) return yield* Effect.fail(new Boom({ at: run.attempt }))
                return n
              }),
            { retry: Schedule.spaced(1_000) }
          ),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.open(flow, 7)
      assert.deepStrictEqual(attempts, ["1"])
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(attempts, ["1"])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(attempts, ["1", "2"])
      yield* TestClock.adjust(1_000)
      const closed = yield* execution.close()
      assert.deepStrictEqual(attempts, ["1", "2", "3"])
      assert.deepStrictEqual(closed.state.list, [3])
      assert.strictEqual(execution.engine.stream.entries.length, 1)
    })
  )

  it.effect("tries that are used up fail with the last error, which catch is given with its attempt", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("bad", (_, run) => Effect.fail(new Boom({ at: run.attempt })), {
            retry: Schedule.recurs(2),
            catch: (error, _, run) => Effect.succeed([error._tag === "Boom" ? error.at : "other", run.attempt])
          }),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* TriggerFlow.runResult(flow, 1), [3, 3])
      const uncaught = F.build(
        F.start.pipe(
          Chain.to("bad", (_, run) => Effect.fail(new Boom({ at: run.attempt })), { retry: Schedule.recurs(2) })
        )
      )
      assert.deepStrictEqual(yield* Effect.flip(TriggerFlow.run(uncaught, 1)), new Boom({ at: 3 }))
    })
  )

  it.effect("what a try acquires and forks ends with the try", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const meter = new Meter()
      const flow = F.build(
        F.start.pipe(
          Chain.to(
            "flaky",
            (_, run) =>
              Effect.gen(function* () {
                log.push(`open ${run.attempt} beside ${meter.now}`)
                yield* Effect.addFinalizer(() => Effect.sync(() => log.push(`close ${run.attempt}`)))
                yield* Effect.forkScoped(meter.during(Effect.never), { startImmediately: true })
                if (run.attempt < 2) return yield* Effect.fail("again")
              }),
            { retry: Schedule.spaced(10) }
          )
        )
      )
      const fiber = yield* beside(TriggerFlow.run(flow, 1))
      yield* TestClock.adjust(10)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(log, ["open 1 beside 0", "close 1", "open 2 beside 0", "close 2"])
    })
  )

  it.effect("a try that takes too long, or shows no progress, times out", () =>
    Effect.gen(function* () {
      const slow = F.build(F.start.pipe(Chain.to("slow", () => Effect.never, { timeout: 100 })))
      const late = yield* beside(Effect.exit(TriggerFlow.run(slow, 1)))
      yield* TestClock.adjust(100)
      const exit = yield* Fiber.join(late)
      assert.strictEqual(reasonOf(exit), "ChunkTimeout")
      assert.include(String(errorOf(exit)), `"slow" ran longer than 100 ms`)
      const idle = F.build(
        F.start.pipe(
          Chain.to(
            "idle",
            (_, run) =>
              Effect.andThen(
                Effect.forEach(
                  [run.heartbeat, run.state.set("n", 1), run.emit(E, 1), run.state.update("n", (n) => n)],
                  (use) => Effect.andThen(Effect.sleep(90), use)
                ),
                Effect.never
              ),
            { idleTimeout: 100 }
          )
        )
      )
      const fiber = yield* beside(Effect.exit(TriggerFlow.run(idle, 1)))
      yield* TestClock.adjust(459)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual(reasonOf(yield* Fiber.join(fiber)), "ChunkTimeout")
    })
  )

  it.effect("a time-out is a failure that can be tried again and caught, and it stops what the try emitted", () =>
    Effect.gen(function* () {
      const meter = new Meter()
      const flow = F.build(
        F.start.pipe(
          Chain.to("slow", (n, run) => Effect.as(run.emit(E, n), null), {
            timeout: 100,
            retry: Schedule.recurs(1),
            catch: (error, _, run) => Effect.succeed([error._tag, run.attempt, meter.total, meter.now])
          }),
          Chain.result
        ),
        F.on(E).pipe(Chain.to("e", () => meter.during(Effect.never)))
      )
      const fiber = yield* beside(TriggerFlow.runResult(flow, 1))
      yield* TestClock.adjust(200)
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["ChunkTimeout", 2, 2, 0])
    })
  )

  it.effect("failures: continue drops the thread and what needs its value, and goes on with the rest", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const bad = (n: unknown) => (n === 2 ? Effect.fail(new Boom({ at: 2 })) : Effect.succeed(n))
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed([1, 2, 3])),
          Chain.side((s) =>
            s.pipe(
              Chain.forEach((i) =>
                i.pipe(
                  Chain.to("item", bad),
                  Chain.to(
                    "good",
                    pure((n) => seen.push(["item", n]))
                  )
                )
              ),
              Chain.to(
                "dropped1",
                pure(() => seen.push("forEach went on"))
              )
            )
          ),
          Chain.side((s) =>
            s.pipe(
              Chain.batch({
                a: (c) => c.pipe(Chain.to("a", () => bad(2))),
                b: (c) =>
                  c.pipe(
                    Chain.to(
                      "b",
                      pure(() => seen.push("b"))
                    )
                  )
              }),
              Chain.to(
                "dropped2",
                pure(() => seen.push("batch went on"))
              )
            )
          ),
          Chain.side((s) =>
            s.pipe(
              Chain.to("one", () => Effect.succeed(1)),
              Chain.loop((c) => c.pipe(Chain.to("inc", (n) => Effect.flatMap(bad(n), () => Effect.succeed(n + 1)))), {
                while: (n) => n < 5
              }),
              Chain.to(
                "dropped3",
                pure(() => seen.push("loop went on"))
              )
            )
          ),
          Chain.side((s) =>
            s.pipe(
              Chain.if(() => true, { then: (c) => c.pipe(Chain.to("then", () => bad(2))) }),
              Chain.to(
                "dropped4",
                pure(() => seen.push("match went on"))
              )
            )
          ),
          Chain.to("emit", (_, run) => run.emit(Ask, 2)),
          Chain.to(
            "replies",
            pure((replies) => seen.push(replies))
          )
        ),
        F.on(Ask).pipe(Chain.to("r1", () => Effect.succeed("r1"))),
        F.on(Ask).pipe(Chain.to("r2", (n) => Effect.as(bad(n), "r2"))),
        F.on(Ask).pipe(Chain.to("r3", () => Effect.succeed("r3")))
      )
      const execution = yield* TriggerFlow.open(flow, 0, { failures: "continue" })
      const closed = yield* execution.close()
      assert.strictEqual(closed.status, "completed")
      assert.sameDeepMembers(seen, [["item", 1], ["item", 3], "b", ["r1", "r3"]])
      assert.strictEqual((yield* execution.failures).length, 5)
    })
  )

  it.effect("failures: continue takes in those of sub-flows", () =>
    Effect.gen(function* () {
      const Child = TriggerFlow.define("child", {})
      const child = Child.build(Child.start.pipe(Chain.to("bad", () => Effect.fail(new Boom({ at: 1 })))))
      const flow = F.build(F.start.pipe(Chain.subFlow(child, { capture: () => undefined })))
      const execution = yield* TriggerFlow.open(flow, 0, { failures: "continue" })
      assert.strictEqual((yield* execution.close()).status, "completed")
      assert.strictEqual((yield* execution.failures).length, 1)
    })
  )

  it.effect("what goes wrong while others are stopped is not lost", () =>
    Effect.gen(function* () {
      const dying = Effect.onInterrupt(Effect.never, () => Effect.die("while stopping"))
      const flow = F.build(
        F.start.pipe(
          Chain.batch({
            a: (c) => c.pipe(Chain.to("a", () => dying)),
            b: (c) => c.pipe(Chain.to("b", () => Effect.fail(new Boom({ at: 1 }))))
          })
        )
      )
      const exit = yield* Effect.exit(TriggerFlow.run(flow, 1))
      assert.deepStrictEqual(errorOf(exit), new Boom({ at: 1 }))
      assert.include(String(exit), "while stopping")
      const execution = yield* TriggerFlow.open(F.build(F.start.pipe(Chain.to("a", () => dying))), 1)
      assert.strictEqual((yield* execution.cancel("enough")).status, "cancelled")
      const ended = String(yield* Effect.exit(execution.await))
      assert.include(ended, "enough")
      assert.include(ended, "while stopping")
    })
  )

  it.effect("what goes wrong while an item, a kept emit, an emit that timed out, or a sub-flow stops is not lost", () =>
    Effect.gen(function* () {
      const dying = Effect.onInterrupt(Effect.never, () => Effect.die("while stopping"))
      const item = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed([1])),
          Chain.forEach(
            (i) =>
              i.pipe(
                Chain.batch({
                  a: (c) => c.pipe(Chain.to("a", () => dying)),
                  b: (c) => c.pipe(Chain.to("b", () => Effect.fail("typed")))
                })
              ),
            { onError: "collect" }
          )
        )
      )
      assert.include(String(yield* Effect.exit(TriggerFlow.run(item, 1))), "while stopping")
      const exits: Array<Exit.Exit<void, unknown>> = []
      const kept = F.build(
        F.start.pipe(Chain.to("s", (n, run) => Effect.map(run.emitExit(E, n), (exit) => exits.push(exit)))),
        F.on(E).pipe(Chain.to("a", () => dying)),
        F.on(E).pipe(Chain.to("b", () => Effect.fail("typed")))
      )
      yield* TriggerFlow.run(kept, 1)
      assert.include(String(exits[0]), "while stopping")
      const timed = F.build(
        F.start.pipe(Chain.to("s", (n, run) => Effect.timeoutOption(run.emit(E, n), 10))),
        F.on(E).pipe(Chain.to("a", () => dying))
      )
      const fiber = yield* beside(Effect.exit(TriggerFlow.run(timed, 1)))
      yield* TestClock.adjust(10)
      assert.include(String(yield* Fiber.join(fiber)), "while stopping")
      const Child = TriggerFlow.define("child", {})
      const child = Child.build(Child.start.pipe(Chain.to("a", () => dying)))
      const parent = F.build(F.start.pipe(Chain.subFlow(child, { capture: () => undefined })))
      const execution = yield* TriggerFlow.open(parent, 1)
      const [frame] = yield* execution.subFlows
      yield* execution.cancelSubFlow(frame?.id ?? "")
      assert.include(String(yield* Effect.exit(execution.await)), "while stopping")
    })
  )

  it.effect("two failures at once are both told", () =>
    Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      const late = (name: string) => Effect.andThen(Effect.uninterruptible(Deferred.await(go)), Effect.fail(name))
      const flow = F.build(
        F.start.pipe(Chain.to("a", () => Effect.uninterruptible(late("first")))),
        F.start.pipe(Chain.to("b", () => Effect.uninterruptible(late("second"))))
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      yield* Deferred.succeed(go, undefined)
      yield* settle
      const cause = causeOf(yield* Effect.exit(execution.await)) ?? Cause.empty
      const errors = cause.reasons.filter(Cause.isFailReason).map(({ error }) => error)
      assert.sameDeepMembers([...errors], ["first", "second"])
    })
  )

  it.effect("a handler that interrupts itself ends the execution as interrupted, not as completed", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(F.build(F.start.pipe(Chain.to("x", () => Effect.interrupt))), 1)
      const exit = yield* Effect.exit(execution.await)
      assert.isTrue(Exit.hasInterrupts(exit))
      assert.strictEqual(yield* execution.status, "failed")
    })
  )

  it.effect("what cleans up may emit while it is stopped: it is told that it is stopped, and nothing starts", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("s", (n, run) =>
            Effect.ensuring(
              Effect.never,
              Effect.gen(function* () {
                yield* run.state.set("n", 5)
                yield* run.commit
                yield* run.emitFork(E, n)
                seen.push((yield* Effect.exit(run.emit(E, n)))._tag)
                seen.push((yield* Effect.exit(run.emitExit(E, n)))._tag)
                seen.push((yield* Effect.exit(run.state.update("n", () => 9)))._tag)
              })
            )
          )
        ),
        F.on(E).pipe(
          Chain.to(
            "e",
            pure(() => seen.push("started"))
          )
        )
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      const closed = yield* execution.cancel()
      assert.deepStrictEqual(closed.status, "cancelled")
      assert.deepStrictEqual(closed.state.n, 0)
      assert.deepStrictEqual(seen, ["Failure", "Failure", "Success"])
    })
  )

  it.effect("an isolator in an isolator, with siblings that pause, sleep and emit", () =>
    Effect.gen(function* () {
      const meter = new Meter()
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed([1, 2, 3])),
          Chain.forEach(
            (i) =>
              i.pipe(
                Chain.side((s) =>
                  s.pipe(Chain.to("emit", (n, run) => (n === 2 ? meter.during(run.emit(A, n)) : Effect.void)))
                ),
                Chain.side((s) =>
                  s.pipe(
                    Chain.if((n) => n === 2, {
                      then: (c) => c.pipe(Chain.to("ask", (_, run) => run.pause(Approval, "?")))
                    })
                  )
                ),
                Chain.side((s) =>
                  s.pipe(
                    Chain.to("retry", (n) => (n === 2 ? Effect.fail("again") : Effect.void), {
                      retry: Schedule.spaced(1_000)
                    })
                  )
                ),
                Chain.to("kept", (n, run) => Effect.map(run.emitExit(B, n), (exit) => exit._tag)),
                Chain.to("then", (tag, run) => Effect.as(run.emit(E, tag === "Failure" ? 2 : 0), tag))
              ),
            { onError: "collect" }
          ),
          Chain.to(
            "json",
            pure((all) => all.map((one) => (Result.isFailure(one) ? "failed" : one.success)))
          ),
          Chain.result
        ),
        F.on(A).pipe(Chain.to("a", () => meter.during(Effect.never))),
        F.on(B).pipe(Chain.to("b", (n) => (n > 1 ? Effect.fail(new Boom({ at: n })) : Effect.void))),
        F.on(E).pipe(Chain.to("e", (n) => (n === 2 ? Effect.fail("outer") : Effect.void)))
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      yield* settle
      const closed = yield* execution.close()
      assert.deepStrictEqual(closed.result._tag === "Some" && closed.result.value, ["Success", "failed", "failed"])
      assert.deepStrictEqual([meter.total, meter.now, yield* execution.interrupts], [2, 0, []])
    })
  )

  it.effect("catch emits what the failed try had emitted, and its emits are not taken for those of the try", () =>
    Effect.gen(function* () {
      for (const retries of [0, 1]) {
        const seen: Array<string> = []
        const flow = F.build(
          F.start.pipe(
            Chain.to(
              "s",
              (_, run) =>
                run
                  .emit(A, run.attempt)
                  .pipe(Effect.andThen(run.emit(A, 10, { key: "k" })), Effect.andThen(Effect.fail("no"))),
              {
                retry: Schedule.recurs(retries),
                catch: (_error, _input, run) => Effect.andThen(run.emit(A, 100), run.emit(A, 200, { key: "k" }))
              }
            )
          ),
          F.on(A).pipe(
            Chain.to(
              "a",
              pure((n) => seen.push(`${n}`))
            )
          )
        )
        yield* (yield* TriggerFlow.open(flow, 1)).close()
        assert.deepStrictEqual(seen.join(" "), retries === 0 ? "1 10 100 200" : "1 10 2 10 100 200")
      }
    })
  )

  it.effect("what goes wrong while an item stops that keeps its failure stops the other items too", () =>
    Effect.gen(function* () {
      for (const failures of ["fail", "continue"] as const)
        for (const kept of [false, true]) {
          const seen: Array<string> = []
          const say = (what: string) => Effect.sync(() => seen.push(what))
          const flow = F.build(
            F.start.pipe(
              Chain.to("s", (_, run) => Effect.andThen(kept ? run.emitExit(A, 1) : run.emit(A, 1), say("emitted")))
            ),
            F.on(A).pipe(
              Chain.to("list", () => Effect.succeed([1, 2])),
              Chain.forEach(
                (i) =>
                  i.pipe(
                    Chain.side((s) =>
                      s.pipe(
                        Chain.to("side", (n) =>
                          n === 1 ? Effect.ensuring(Effect.never, Effect.die("while it stopped")) : Effect.void
                        )
                      )
                    ),
                    Chain.to("item", (n) =>
                      n === 1
                        ? Effect.andThen(Effect.sleep(10), Effect.fail(new Boom({ at: n })))
                        : Effect.andThen(Effect.sleep(100), say("item 2"))
                    )
                  ),
                { onError: "collect" }
              ),
              Chain.to("behind", () => say("behind"))
            )
          )
          const execution = yield* TriggerFlow.open(flow, 1, { failures })
          yield* TestClock.adjust(20)
          const closing = yield* beside(Effect.exit(execution.close()))
          yield* TestClock.adjust(200)
          const failed = (yield* Fiber.join(closing))._tag === "Failure"
          assert.strictEqual(failed, failures === "fail" && !kept)
          // Where failures end their own chain only, the other item goes on, and the emit waits for it.
          assert.deepStrictEqual(seen, failed ? [] : kept ? ["emitted"] : ["item 2", "emitted"], `${failures} ${kept}`)
        }
    })
  )

  it.live("failures: continue costs each failure the same, however many there were", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", (n) => Effect.succeed(Array.from({ length: n }, (_, at) => at))),
          Chain.forEach((i) => i.pipe(Chain.to("item", () => Effect.fail(new Boom({ at: 0 })))))
        )
      )
      const took = (n: number) =>
        Effect.gen(function* () {
          const from = performance.now()
          const execution = yield* TriggerFlow.open(flow, n, { failures: "continue" })
          yield* execution.close()
          assert.strictEqual((yield* execution.failures).length, n)
          return performance.now() - from
        }).pipe(Effect.scoped)
      yield* took(4_000)
      const few = Math.min(yield* took(4_000), yield* took(4_000))
      assert.isBelow((yield* took(80_000)) / few, 100)
    })
  )
})
