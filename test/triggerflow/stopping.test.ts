// What is stopped, and what it costs: everything inside of a place, and nothing beside it.
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Chain, Signal, TriggerFlow } from "effigent/triggerflow"
import { A, B, beside, F, settle } from "./support.ts"

/** Notes where it was interrupted. */
const forever = (log: Array<string>, name: string) => () =>
  Effect.onInterrupt(Effect.never, () => Effect.sync(() => void log.push(name)))

describe("stopping", () => {
  it.live("costs what is stopped, not what is at work beside it", () =>
    Effect.gen(function* () {
      const Work = Signal.make("Work", Schema.Int)
      const Many = TriggerFlow.define("many", { input: Schema.Int, signals: [Work] })
      const gate = { open: yield* Deferred.make<void>(), left: 0 }
      const many = Many.build(
        Many.start.pipe(
          Chain.to("emit", (n, run) =>
            Effect.forEach(
              Array.from({ length: n }, (_, at) => at),
              (at) => Effect.raceFirst(run.emit(Work, at, { key: `${at}` }), Deferred.await(gate.open)),
              { concurrency: "unbounded", discard: true }
            )
          )
        ),
        Many.on(Work).pipe(
          Chain.to("work", () =>
            Effect.suspend(() =>
              Effect.andThen(--gate.left === 0 ? Deferred.succeed(gate.open, undefined) : Effect.void, Effect.never)
            )
          )
        )
      )
      const took = (n: number) =>
        Effect.gen(function* () {
          let best = Infinity
          for (let round = 0; round < 2; round++) {
            gate.left = n
            gate.open = yield* Deferred.make<void>()
            const since = performance.now()
            yield* TriggerFlow.run(many, n)
            best = Math.min(best, performance.now() - since)
          }
          return best
        })
      yield* took(500)
      const [small, large] = [yield* took(500), yield* took(8_000)]
      // Looking at all runs for each of them would be about 150 times as long.
      assert.isBelow(large / small, 60)
    })
  )

  it.effect("a handler that ends takes with it what it has emitted and does not wait for", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed([1])),
          Chain.forEach(
            (item) =>
              item.pipe(
                Chain.side((s) =>
                  s.pipe(
                    Chain.to("emit", (n, run) =>
                      Effect.andThen(Effect.forkDetach(run.emit(A, n), { startImmediately: true }), Effect.sleep(1))
                    )
                  )
                ),
                Chain.to("fail", () => Effect.andThen(Effect.sleep(10), Effect.fail("no")))
              ),
            { onError: "skip" }
          ),
          Chain.to("after", () => Effect.sync(() => void log.push("after")))
        ),
        F.on(A).pipe(Chain.to("a", (n, run) => run.emit(B, n))),
        F.on(B).pipe(Chain.to("b", forever(log, "b")))
      )
      const run = yield* beside(TriggerFlow.run(flow, 1))
      yield* settle
      assert.deepStrictEqual(log, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(log, ["b"])
      yield* TestClock.adjust(9)
      assert.deepStrictEqual(log, ["b", "after"])
      assert.isDefined(run.pollUnsafe())
    })
  )

  it.effect("an item that fails stops what stands in it at any depth, and the item beside it goes on", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed([1, 2])),
          Chain.forEach(
            (item) =>
              item.pipe(
                Chain.side((s) =>
                  s.pipe(
                    Chain.to("inner", (n) => Effect.succeed([n])),
                    Chain.forEach(
                      (inner) =>
                        inner.pipe(
                          Chain.batch(
                            {
                              emits: (c) => c.pipe(Chain.to("emit", (n, run) => run.emit(A, n))),
                              waits: (c) =>
                                c.pipe(
                                  Chain.to("wait", (n) => forever(log, `wait ${n}`)().pipe(Effect.timeoutOption(30)))
                                )
                            },
                            { onError: "collect" }
                          )
                        ),
                      { onError: "skip" }
                    )
                  )
                ),
                Chain.to("maybe", (n) =>
                  Effect.andThen(Effect.sleep(10), n === 1 ? Effect.fail("no") : Effect.succeed(n))
                )
              ),
            { onError: "skip" }
          )
        ),
        F.on(A).pipe(Chain.to("a", (n) => forever(log, `a ${n}`)().pipe(Effect.timeoutOption(40))))
      )
      const run = yield* beside(TriggerFlow.run(flow, 1))
      yield* TestClock.adjust(10)
      yield* settle
      assert.deepStrictEqual(log.toSorted(), ["a 1", "wait 1"])
      yield* TestClock.adjust(40)
      assert.deepStrictEqual(log.slice(2), ["wait 2", "a 2"])
      assert.isDefined(run.pollUnsafe())
    })
  )
})
