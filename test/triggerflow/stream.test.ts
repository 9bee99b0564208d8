import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Chain, TriggerFlow } from "effigent/triggerflow"
import { Approval, beside, Boom, E, errorOf, F, pure, settle } from "./support.ts"

const puts = F.build(
  F.start.pipe(
    Chain.to("one", (_, run) => run.put(1)),
    Chain.to("wait", () => Effect.sleep(200)),
    Chain.to("two", (_, run) => run.put(2))
  )
)

describe("Runtime stream", () => {
  it.effect("TF-28 a reader with a time-out ends alone; late and parallel readers are given everything", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(puts, 0)
      const impatient = yield* beside(Stream.runCollect(Stream.timeout(execution.stream, 50)))
      const patient = [
        yield* beside(Stream.runCollect(execution.stream)),
        yield* beside(Stream.runCollect(execution.stream))
      ]
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(yield* Fiber.join(impatient), [1])
      assert.strictEqual(yield* execution.status, "running")
      const closing = yield* beside(execution.close())
      yield* TestClock.adjust(150)
      yield* Fiber.join(closing)
      for (const fiber of patient) assert.deepStrictEqual(yield* Fiber.join(fiber), [1, 2])
      assert.deepStrictEqual(yield* Stream.runCollect(execution.stream), [1, 2])
    })
  )

  it.effect("TF-29 a reader starts an execution that was not started", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.create(puts, 0, { autoClose: 0 })
      const fiber = yield* beside(Stream.runCollect(execution.stream))
      yield* TestClock.adjust(200)
      assert.deepStrictEqual(yield* Fiber.join(fiber), [1, 2])
      assert.strictEqual(yield* execution.status, "completed")
    })
  )

  it.effect("a reader is given the failure behind the items", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("one", (_, run) => run.put(1)),
          Chain.to("bad", () => Effect.fail(new Boom({ at: 1 })))
        )
      )
      const execution = yield* TriggerFlow.open(flow, 0)
      const seen: Array<unknown> = []
      const exit = yield* Effect.exit(Stream.runForEach(execution.stream, (item) => Effect.sync(() => seen.push(item))))
      assert.deepStrictEqual(errorOf(exit), new Boom({ at: 1 }))
      assert.deepStrictEqual(seen, [1])
    })
  )

  it.effect("runStream gives the items, fails as the flow fails, and stops the flow when its reader ends", () =>
    Effect.gen(function* () {
      let stopped = false
      const flow = F.build(
        F.start.pipe(
          Chain.to("one", (_, run) => run.put(1)),
          Chain.to("wait", () => Effect.onInterrupt(Effect.sleep(100), () => Effect.sync(() => void (stopped = true)))),
          Chain.to("bad", (n) => Effect.fail(new Boom({ at: n ?? 0 })))
        )
      )
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(TriggerFlow.runStream(flow, 1), 1)), [1])
      assert.isTrue(stopped)
      const fiber = yield* beside(Effect.exit(Stream.runCollect(TriggerFlow.runStream(flow, 1))))
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(errorOf(yield* Fiber.join(fiber)), new Boom({ at: 0 }))
    })
  )

  it.effect("entries say everything, with cursors to go on from", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("ask", (_, run) => Effect.andThen(run.put("before"), run.pause(Approval, "ok?"))),
          Chain.to("after", (a, run) => Effect.andThen(run.put("live", { volatile: true }), run.put(a.ok)))
        )
      )
      const execution = yield* TriggerFlow.open(flow, 0)
      yield* execution.put("outside")
      yield* execution.answer(Approval, { ok: true }, { id: "Approval#1" })
      yield* execution.close()
      const all = yield* Stream.runCollect(execution.entries())
      assert.deepStrictEqual(
        all.map(({ cursor, path, event }) => [cursor, path, event]),
        [
          [0, [], { _tag: "item", item: "before", volatile: false }],
          [1, [], { _tag: "interrupt", id: "Approval#1", interrupt: "Approval", payload: "ok?", json: "ok?" }],
          [2, [], { _tag: "item", item: "outside", volatile: false }],
          [3, [], { _tag: "answered", id: "Approval#1", interrupt: "Approval" }],
          [4, [], { _tag: "item", item: "live", volatile: true }],
          [5, [], { _tag: "item", item: true, volatile: false }]
        ]
      )
      assert.deepStrictEqual(yield* Stream.runCollect(execution.entries(3)), all.slice(3))
      assert.deepStrictEqual(yield* Stream.runCollect(execution.entries(99)), [])
    })
  )

  it.effect("a cursor ahead of the log waits for its place", () =>
    Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      const flow = F.build(
        F.start.pipe(
          Chain.to("one", (_, run) => run.put(1)),
          Chain.to("wait", () => Deferred.await(go)),
          Chain.to("two", (_, run) => Effect.andThen(run.put(2), run.put(3)))
        )
      )
      const execution = yield* TriggerFlow.open(flow, 0)
      const fiber = yield* beside(Stream.runCollect(execution.entries(2)))
      yield* Deferred.succeed(go, undefined)
      yield* execution.close()
      assert.deepStrictEqual(
        (yield* Fiber.join(fiber)).map(({ cursor }) => cursor),
        [2]
      )
    })
  )

  it.effect("sliding keeps the last entries; a reader that is further behind goes on with the oldest left", () =>
    Effect.gen(function* () {
      const flow = F.build(F.on(E).pipe(Chain.to("put", (n, run) => run.put(n))))
      const execution = yield* TriggerFlow.open(flow, 0, { stream: { _tag: "sliding", capacity: 3 } })
      for (let n = 0; n < 100; n++) {
        yield* execution.emit(E, n)
        assert.isBelow(execution.engine.stream.entries.length, 6)
      }
      yield* execution.close()
      const left = yield* Stream.runCollect(execution.entries())
      assert.deepStrictEqual(
        left.map(({ cursor, event }) => [cursor, event._tag === "item" ? event.item : undefined]),
        [
          [97, 97],
          [98, 98],
          [99, 99]
        ]
      )
    })
  )

  it.effect("suspend makes handlers wait for the slowest reader, also one that only puts", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("puts", (_, run) =>
            Effect.forEach(
              [1, 2, 3, 4, 5, 6],
              (n) =>
                Effect.andThen(
                  run.put(n),
                  Effect.sync(() => log.push(`put ${n}`))
                ),
              {
                discard: true
              }
            )
          )
        )
      )
      const execution = yield* TriggerFlow.open(flow, 0, { stream: { _tag: "suspend", capacity: 2 }, autoClose: 0 })
      yield* settle
      // Nobody reads yet: there is room for two.
      assert.deepStrictEqual(log, ["put 1", "put 2"])
      const next = yield* Deferred.make<void>()
      const read: Array<unknown> = []
      const fiber = yield* beside(
        Stream.runForEach(execution.stream, (item) =>
          Effect.andThen(
            Effect.sync(() => read.push(item)),
            item === 2 ? Deferred.await(next) : Effect.void
          )
        )
      )
      yield* settle
      assert.deepStrictEqual(read, [1, 2])
      assert.isBelow(log.length, 6)
      yield* Deferred.succeed(next, undefined)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(read, [1, 2, 3, 4, 5, 6])
      assert.strictEqual((yield* execution.await).status, "completed")
    })
  )

  it.effect("suspend does not hold a handler whose execution is cancelled, or whose reader leaves", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(Chain.to("puts", (_, run) => Effect.forEach([1, 2, 3, 4], (n) => run.put(n), { discard: true })))
      )
      const options = { stream: { _tag: "suspend", capacity: 1 } } as const
      const cancelled = yield* TriggerFlow.open(flow, 0, options)
      yield* settle
      assert.strictEqual((yield* cancelled.cancel()).status, "cancelled")
      const left = yield* TriggerFlow.open(flow, 0, options)
      yield* Stream.runDrain(Stream.take(left.stream, 1))
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(left.stream, 4)), [1, 2, 3, 4])
      assert.strictEqual((yield* left.close()).status, "completed")
    })
  )

  it.effect("a put from outside waits for room too", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(F.build(), 0, { stream: { _tag: "suspend", capacity: 1 } })
      yield* execution.put(1)
      const second = yield* beside(execution.put(2))
      yield* settle
      assert.isUndefined(second.pollUnsafe())
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(execution.stream, 2)), [1, 2])
      yield* Fiber.join(second)
    })
  )

  it.effect("ten readers at their own pace are each given all of a thousand items", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed(Array.from({ length: 1_000 }, (_, at) => at))),
          Chain.forEach((i) => i.pipe(Chain.to("put", (n, run) => Effect.andThen(Effect.yieldNow, run.put(n)))), {
            concurrency: 10
          })
        )
      )
      const execution = yield* TriggerFlow.create(flow, 0, { autoClose: 0 })
      const readers = yield* Effect.forEach(
        Array.from({ length: 10 }, (_, at) => at),
        (at) =>
          beside(
            Stream.runFold(
              at % 2 === 0 ? execution.stream : Stream.rechunk(execution.stream, 1),
              () => 0,
              (sum, item) => sum + Number(item)
            )
          )
      )
      for (const fiber of readers) assert.strictEqual(yield* Fiber.join(fiber), 499_500)
    })
  )

  it.effect("a stream that nobody reads does not hold the flow", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("puts", (_, run) => Effect.forEach([1, 2], (n) => run.put(n))),
          Chain.to(
            "end",
            pure(() => "end")
          ),
          Chain.result
        )
      )
      assert.strictEqual(yield* TriggerFlow.runResult(flow, 0), "end")
    })
  )
})
