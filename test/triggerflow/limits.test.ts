import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { Chain, TriggerFlow } from "effigent/triggerflow"
import { A, Approval, Ask, B, beside, Boom, E, F, Meter, pure } from "./support.ts"

describe("Limits", () => {
  const work = (meter: Meter) => () => meter.during(Effect.sleep(10))

  it.effect("TF-12 two at once hold for forEach, batch and parallel emits", () =>
    Effect.gen(function* () {
      for (const concurrency of [1, 2, 3]) {
        const meter = new Meter()
        const flow = F.build(
          F.start.pipe(
            Chain.to("list", () => Effect.succeed([1, 2, 3, 4, 5, 6])),
            Chain.forEach((i) => i.pipe(Chain.to("item", work(meter)))),
            Chain.batch({
              a: (c) => c.pipe(Chain.to("a", work(meter))),
              b: (c) => c.pipe(Chain.to("b", work(meter))),
              c: (c) =>
                c.pipe(
                  Chain.to("c", work(meter)),
                  Chain.side((s) => s.pipe(Chain.to("side", work(meter))))
                )
            }),
            Chain.to("emits", (_, run) =>
              Effect.forEach([1, 2, 3, 4], (n) => run.emit(E, n), { concurrency: "unbounded", discard: true })
            )
          ),
          F.on(E).pipe(Chain.to("e1", work(meter)), Chain.to("e2", work(meter))),
          F.on(E).pipe(Chain.to("e3", work(meter)))
        )
        const fiber = yield* beside(TriggerFlow.run(flow, 0, { concurrency }))
        yield* TestClock.adjust(1_000)
        assert.strictEqual((yield* Fiber.join(fiber)).status, "completed")
        assert.deepStrictEqual([meter.max, meter.total], [concurrency, 22])
      }
    })
  )

  it.effect("TF-12 one at once does not deadlock on emits in emits, beside each other, or kept", () =>
    Effect.gen(function* () {
      const meter = new Meter()
      const seen: Array<number> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("s", (_, run) =>
            Effect.gen(function* () {
              yield* meter.during(Effect.yieldNow)
              yield* Effect.all([run.emit(A, 1), run.emit(A, 2), run.emitExit(A, 3)], { concurrency: "unbounded" })
              yield* meter.during(Effect.yieldNow)
            })
          )
        ),
        F.on(A).pipe(
          Chain.to("a", (n, run) =>
            Effect.gen(function* () {
              yield* meter.during(Effect.yieldNow)
              yield* Effect.all([run.emit(B, n), run.emit(B, n + 10)], { concurrency: 2 })
              yield* meter.during(Effect.yieldNow)
            })
          )
        ),
        F.on(B).pipe(
          Chain.to("b", (n) =>
            meter.during(
              Effect.andThen(
                Effect.yieldNow,
                Effect.sync(() => seen.push(n))
              )
            )
          )
        )
      )
      const closed = yield* TriggerFlow.run(flow, 0, { concurrency: 1 })
      assert.strictEqual(closed.status, "completed")
      assert.strictEqual(meter.max, 1)
      assert.sameMembers(seen, [1, 11, 2, 12, 3, 13])
    })
  )

  it.effect("a handler goes on ahead of new ones, and new ones begin in the order in which they became ready", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("s", (_, run) =>
            Effect.andThen(
              run.emit(E, 0),
              Effect.sync(() => log.push("s goes on"))
            )
          ),
          Chain.to(
            "next",
            pure(() => log.push("next"))
          )
        ),
        F.on(E).pipe(
          Chain.to("e", (_, run) =>
            Effect.andThen(
              Effect.forEach([1, 2, 3], (n) => run.emitFork(A, n)),
              Effect.sleep(10)
            )
          )
        ),
        F.on(A).pipe(
          Chain.to("a", (n) =>
            Effect.andThen(
              Effect.sync(() => log.push(`a${n}`)),
              Effect.sleep(10)
            )
          )
        )
      )
      const fiber = yield* beside(TriggerFlow.run(flow, 0, { concurrency: 1 }))
      yield* TestClock.adjust(100)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(log, ["a1", "s goes on", "a2", "a3", "next"])
    })
  )

  it.effect("a paused handler and one that sleeps before its next try hold no permit", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to(
            "flaky",
            (_, run) => (run.attempt === 1 ? Effect.fail("x") : Effect.sync(() => log.push("second try"))),
            {
              retry: Schedule.spaced(1_000)
            }
          )
        ),
        F.start.pipe(
          Chain.to("ask", (_, run) => run.pause(Approval, "?")),
          Chain.to(
            "answered",
            pure(() => log.push("answered"))
          )
        ),
        F.start.pipe(
          Chain.to(
            "third",
            pure(() => log.push("third"))
          )
        ),
        F.on(E).pipe(
          Chain.to("long", () =>
            Effect.andThen(
              Effect.sync(() => log.push("long")),
              Effect.sleep(2_000)
            )
          )
        )
      )
      const execution = yield* TriggerFlow.open(flow, 0, { concurrency: 1 })
      assert.deepStrictEqual(log, ["third"])
      yield* execution.emitFork(E, 0)
      yield* TestClock.adjust(1_500)
      // The next try waits for its permit.
      assert.deepStrictEqual(log, ["third", "long"])
      yield* TestClock.adjust(500)
      assert.deepStrictEqual(log, ["third", "long", "second try"])
      yield* execution.answer(Approval, { ok: true }, { id: "Approval#1" })
      yield* execution.close()
      assert.deepStrictEqual(log, ["third", "long", "second try", "answered"])
    })
  )

  it.effect("the catch of a chunk with retries holds a permit, and its emits lend it", () =>
    Effect.gen(function* () {
      const meter = new Meter()
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed([1, 2, 3, 4])),
          Chain.forEach((i) =>
            i.pipe(
              Chain.to("bad", (n) => meter.during(Effect.andThen(Effect.sleep(1), Effect.fail(new Boom({ at: n })))), {
                retry: Schedule.recurs(1),
                catch: (_, n, run) =>
                  Effect.andThen(
                    meter.during(Effect.sleep(10)),
                    Effect.andThen(run.emit(E, n), meter.during(Effect.sleep(10)))
                  )
              })
            )
          )
        ),
        F.on(E).pipe(Chain.to("e", () => meter.during(Effect.sleep(10))))
      )
      const fiber = yield* beside(TriggerFlow.run(flow, 0, { concurrency: 2 }))
      yield* TestClock.adjust(1_000)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual([meter.max, meter.total], [2, 20])
    })
  )

  it.effect("a chunk's own limit counts its runs in one execution, whoever starts them", () =>
    Effect.gen(function* () {
      const meter = new Meter()
      const others = new Meter()
      const flow = F.build(
        F.start.pipe(
          Chain.to("emits", (_, run) =>
            Effect.forEach([1, 2, 3, 4, 5], (n) => run.emit(E, n), { concurrency: "unbounded" })
          )
        ),
        F.on(E).pipe(Chain.to("limited", work(meter), { concurrency: 2 }), Chain.to("free", work(others)))
      )
      const fiber = yield* beside(TriggerFlow.run(flow, 0))
      yield* TestClock.adjust(1_000)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual([meter.max, meter.total, others.total], [2, 5, 5])
    })
  )

  it.effect("a chunk with a limit of one may emit to itself, and waits for nobody", () =>
    Effect.gen(function* () {
      const meter = new Meter()
      const flow = F.build(
        F.start.pipe(
          Chain.to("s", (_, run) => run.emit(Ask, 5)),
          Chain.result
        ),
        F.on(Ask).pipe(
          Chain.to(
            "self",
            (n, run) =>
              Effect.gen(function* () {
                yield* meter.during(Effect.yieldNow)
                if (n > 0) yield* run.emit(Ask, n - 1)
                yield* meter.during(Effect.yieldNow)
                return `${n}`
              }),
            { concurrency: 1 }
          )
        )
      )
      assert.deepStrictEqual(yield* TriggerFlow.runResult(flow, 0, { concurrency: 1 }), ["5"])
      assert.deepStrictEqual([meter.max, meter.total], [1, 12])
    })
  )

  it.effect("limits hold and no permit is lost, whatever handlers do while they wait", () =>
    Effect.gen(function* () {
      // Handlers emit again before they have their permit back, give up emits, and are tried again.
      for (let seed = 1; seed <= 40; seed++) {
        let state = seed
        const random = (below: number): number => {
          state = (state * 48_271) % 2_147_483_647
          return state % below
        }
        const all = new Meter()
        const limited = new Meter()
        const nap = Effect.suspend(() => Effect.sleep(random(5)))
        const flow = F.build(
          F.start.pipe(
            Chain.to("list", () => Effect.succeed([1, 2, 3, 4, 5, 6])),
            Chain.forEach((i) =>
              i.pipe(
                Chain.to(
                  "busy",
                  (n, run) =>
                    Effect.gen(function* () {
                      yield* Effect.all(
                        [
                          Effect.andThen(run.emit(E, n), Effect.andThen(nap, run.emit(A, n))),
                          Effect.andThen(nap, Effect.andThen(run.emit(A, n), run.emitExit(E, n))),
                          Effect.andThen(nap, Effect.timeoutOption(run.emit(E, n), random(4)))
                        ],
                        { concurrency: "unbounded", discard: true }
                      )
                      if (run.attempt < 2 && random(2) === 0) yield* Effect.fail("again")
                    }),
                  { concurrency: 2, retry: Schedule.spaced(1) }
                )
              )
            )
          ),
          F.on(E).pipe(Chain.to("e", () => limited.during(all.during(nap)), { concurrency: 1 })),
          F.on(A).pipe(Chain.to("a", (n, run) => Effect.andThen(all.during(nap), run.emit(B, n)))),
          F.on(B).pipe(Chain.to("b", () => all.during(nap)))
        )
        const execution = yield* TriggerFlow.open(flow, 0, { concurrency: 2 })
        const fiber = yield* beside(execution.close())
        for (let at = 0; at < 1_000 && fiber.pollUnsafe() === undefined; at++) yield* TestClock.adjust(1)
        assert.isDefined(fiber.pollUnsafe(), `seed ${seed} is stuck`)
        assert.strictEqual((yield* Fiber.join(fiber)).status, "completed")
        assert.isAtMost(all.max, 2)
        assert.strictEqual(limited.max, 1)
        const { permits } = execution.engine.machine
        assert.deepStrictEqual(
          [permits.all.active, [...(permits.chunks?.values() ?? [])].map(({ active }) => active)],
          [0, [0, 0]]
        )
      }
    })
  )

  it.effect("the permit of a handler that fails starts nothing of what its failure stops", () =>
    Effect.gen(function* () {
      for (const kept of [false, true])
        for (const chunk of [false, true]) {
          const seen: Array<number> = []
          const flow = F.build(
            F.start.pipe(
              Chain.to("s", (_, run) =>
                kept
                  ? Effect.andThen(
                      run.emitExit(A, 1),
                      Effect.sync(() => seen.push(0))
                    )
                  : run.emit(A, 1)
              )
            ),
            F.on(A).pipe(
              Chain.to("list", () => Effect.succeed([1, 2, 3])),
              Chain.forEach((i) =>
                i.pipe(
                  Chain.to(
                    "item",
                    (n) =>
                      Effect.sync(() => seen.push(n)).pipe(
                        Effect.andThen(Effect.yieldNow),
                        Effect.andThen(Effect.fail(new Boom({ at: n })))
                      ),
                    { concurrency: chunk ? 1 : undefined }
                  )
                )
              )
            )
          )
          const exit = yield* Effect.exit(TriggerFlow.run(flow, 1, chunk ? {} : { concurrency: 1 }))
          assert.strictEqual(exit._tag, kept ? "Success" : "Failure")
          assert.deepStrictEqual(seen, kept ? [1, 0] : [1])
        }
    })
  )

  it.effect("options that make no sense are refused before anything runs", () =>
    Effect.gen(function* () {
      const flow = F.build(F.start)
      const options = {
        concurrency: 0,
        maxEmitDepth: NaN,
        timeout: -5,
        stream: { _tag: "sliding", capacity: 0 }
      } as const
      const error = yield* Effect.flip(TriggerFlow.run(flow, 1, options))
      assert.strictEqual(error.reason._tag, "InvalidDefinition")
      assert.deepStrictEqual(error.message.split("\n").length, 4, error.message)
    })
  )

  it.effect("writes to the state that set each other off for ever are found out", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(Chain.to("first", (_, run) => run.state.set("n", 1))),
        F.on(F.state("n")).pipe(Chain.to("again", (n, run) => run.state.set("n", n + 1)))
      )
      const error = yield* Effect.flip(TriggerFlow.run(flow, 1, { maxEmitDepth: 50 }))
      assert.strictEqual(error.reason._tag, "EmitTooDeep")
      assert.include(error.message, "state.n")
    })
  )
})
