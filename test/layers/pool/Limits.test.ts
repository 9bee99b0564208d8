// Limits of one provider: in flight, per span of time, and the circuit breaker.
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ModelPool } from "effigent/layers/pool"
import {
  InvalidRequest,
  type ModelError,
  type ModelErrorReason,
  ProviderUnavailable,
  RateLimited
} from "effigent/services/ModelError"
import { type ModelEvent, ModelProvider } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"
import { request } from "../testing/requests.ts"

const ask = Effect.gen(function* () {
  const provider = yield* ModelProvider
  return yield* Stream.runCollect(provider.stream(request("hello")))
})
const fork = Effect.forkChild(Effect.exit(ask), { startImmediately: true })
const sent = Effect.map(ScriptedModel.requests, (all) => all.length)

const settle = Effect.gen(function* () {
  for (let i = 0; i < 50; i++) yield* Effect.yieldNow
})

const limited = (options: ModelPool.LimitOptions, steps: ReadonlyArray<ScriptedModel.Step>) =>
  Layer.provideMerge(ModelPool.limits(options), ScriptedModel.layer(steps, { strict: false }))

const endless = (options: ModelPool.LimitOptions, step: ScriptedModel.Step) =>
  Layer.provideMerge(ModelPool.limits(options), ScriptedModel.always(step, { strict: false }))

// A provider whose answers end when they are told to.
const gated = Effect.gen(function* () {
  const doors: Array<Deferred.Deferred<void>> = []
  const started: Array<string> = []
  const seen = { inFlight: 0, most: 0 }
  const provider = Layer.succeed(ModelProvider, {
    name: "gated",
    stream: (one) =>
      Stream.unwrap(
        Effect.gen(function* () {
          const door = yield* Deferred.make<void>()
          doors.push(door)
          started.push(one.model ?? "")
          yield* Effect.acquireRelease(
            Effect.sync(() => {
              seen.inFlight++
              seen.most = Math.max(seen.most, seen.inFlight)
            }),
            () => Effect.sync(() => void seen.inFlight--)
          )
          const begin: ModelEvent = { _tag: "Text", text: "x" }
          const end: ModelEvent = { _tag: "Finish", reason: "stop" }
          return Stream.concat(Stream.succeed(begin), Stream.fromEffect(Effect.as(Deferred.await(door), end)))
        })
      )
  })
  const open = (index: number) =>
    Effect.suspend(() => {
      const door = doors[index]
      return door === undefined ? Effect.die(`no request ${index}`) : Effect.asVoid(Deferred.succeed(door, undefined))
    })
  return { provider, open, seen, started }
})

const named = (model: string) =>
  Effect.gen(function* () {
    const provider = yield* ModelProvider
    return yield* Stream.runDrain(provider.stream(request("hello", { model })))
  })

const codeOf = (exit: Exit.Exit<unknown, ModelError>): string | undefined => {
  const reason = reasonOf(exit)
  return reason?.code
}
const reasonOf = (exit: Exit.Exit<unknown, ModelError>): ModelErrorReason | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const failure = exit.cause.reasons.find((reason) => reason._tag === "Fail")
  return failure?._tag === "Fail" ? failure.error.reason : undefined
}

describe("concurrency", () => {
  it.effect("TR-09 of six requests never more than two are in flight, to the end of their answers", () =>
    Effect.gen(function* () {
      const { open, provider, seen, started } = yield* gated
      yield* Effect.gen(function* () {
        const fibers = yield* Effect.forEach(["a", "b", "c", "d", "e", "f"], (name) =>
          Effect.forkChild(named(name), { startImmediately: true })
        )
        for (let i = 0; i < 6; i++) {
          yield* settle
          assert.strictEqual(started.length, Math.min(6, i + 2))
          yield* open(i)
        }
        yield* Fiber.joinAll(fibers)
        assert.strictEqual(seen.most, 2)
        assert.strictEqual(seen.inFlight, 0)
        assert.deepStrictEqual(started, ["a", "b", "c", "d", "e", "f"])
      }).pipe(Effect.provide(ModelPool.limits({ concurrency: 2 }).pipe(Layer.provide(provider))))
    })
  )

  it.effect("a request that is interrupted in the line leaves it, and nobody waits for it", () =>
    Effect.gen(function* () {
      const { open, provider, started } = yield* gated
      yield* Effect.gen(function* () {
        const first = yield* Effect.forkChild(named("a"), { startImmediately: true })
        const second = yield* Effect.forkChild(named("b"), { startImmediately: true })
        const third = yield* Effect.forkChild(named("c"), { startImmediately: true })
        yield* settle
        yield* Fiber.interrupt(second)
        yield* open(0)
        yield* Fiber.join(first)
        yield* settle
        assert.deepStrictEqual(started, ["a", "c"])
        yield* open(1)
        yield* Fiber.join(third)
      }).pipe(Effect.provide(ModelPool.limits({ concurrency: 1 }).pipe(Layer.provide(provider))))
    })
  )

  it.effect("a request that is interrupted in mid-answer, or left by its reader, gives its place on", () =>
    Effect.gen(function* () {
      const { open, provider, seen, started } = yield* gated
      yield* Effect.gen(function* () {
        const first = yield* Effect.forkChild(named("a"), { startImmediately: true })
        yield* settle
        yield* Fiber.interrupt(first)
        const service = yield* ModelProvider
        const part = yield* Stream.runCollect(Stream.take(service.stream(request("x", { model: "b" })), 1))
        assert.strictEqual(part.length, 1)
        const third = yield* Effect.forkChild(named("c"), { startImmediately: true })
        yield* settle
        assert.deepStrictEqual(started, ["a", "b", "c"])
        yield* open(2)
        yield* Fiber.join(third)
        assert.strictEqual(seen.inFlight, 0)
      }).pipe(Effect.provide(ModelPool.limits({ concurrency: 1 }).pipe(Layer.provide(provider))))
    })
  )

  it.effect("a failed answer gives its place on", () =>
    Effect.gen(function* () {
      for (let i = 0; i < 3; i++) yield* Effect.flip(ask)
      assert.strictEqual(yield* sent, 3)
    }).pipe(Effect.provide(endless({ concurrency: 1 }, ScriptedModel.fail(new RateLimited({ detail: "no" })))))
  )

  it.effect(
    "of 300 requests of which every third is interrupted somewhere, no other is lost and no place stays taken",
    () =>
      Effect.gen(function* () {
        let most = 0
        const fibers = yield* Effect.forEach(Array.from({ length: 300 }), () => fork)
        for (let tick = 0; tick < 400; tick++) {
          yield* TestClock.adjust(1)
          most = Math.max(most, yield* ScriptedModel.openStreams)
          // Some wait, some are being answered, some have ended.
          const victim = tick % 3 === 0 ? fibers[(tick * 7) % 300] : undefined
          if (victim !== undefined && ((tick * 7) % 300) % 3 === 0) yield* Fiber.interrupt(victim)
        }
        yield* TestClock.adjust("10 seconds")
        const exits = yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber).pipe(Effect.exit))
        const lost = exits.filter(
          (exit, index) => index % 3 !== 0 && !(Exit.isSuccess(exit) && Exit.isSuccess(exit.value))
        )
        assert.strictEqual(lost.length, 0)
        assert.isAbove(exits.filter((exit) => Exit.isFailure(exit)).length, 20)
        assert.strictEqual(most, 5)
        assert.strictEqual(yield* ScriptedModel.openStreams, 0)
        // All five places are free again.
        const again = yield* Effect.forEach(Array.from({ length: 5 }), () => fork)
        for (let i = 0; i < 50; i++) yield* Effect.yieldNow
        assert.strictEqual(yield* ScriptedModel.openStreams, 5)
        yield* Fiber.interruptAll(again)
      }).pipe(
        Effect.provide(
          endless({ concurrency: 5, rate: { limit: 10, window: "7 millis" } }, ScriptedModel.text("ok", { latency: 3 }))
        )
      )
  )

  for (const maxQueued of [0, 2]) {
    it.effect(`with maxQueued ${maxQueued} one more waiter fails at once, typed`, () =>
      Effect.gen(function* () {
        const fibers = yield* Effect.forEach(Array.from({ length: 2 + maxQueued }), () => fork)
        const error = yield* Effect.flip(ask)
        assert.strictEqual(error.reason._tag, "RateLimited")
        assert.strictEqual(error.reason.code, "queue_full")
        assert.isTrue(error.isRetryable)
        assert.strictEqual(yield* sent, 2)
        // Who leaves the line makes room in it.
        const last = fibers.at(-1)
        if (last !== undefined) yield* Fiber.interrupt(last)
        const again = yield* fork
        yield* settle
        assert.strictEqual(again.pollUnsafe(), undefined)
        yield* Fiber.interruptAll([...fibers, again])
      }).pipe(Effect.provide(endless({ concurrency: 2, maxQueued }, ScriptedModel.hang)))
    )
  }
})

describe("rate", () => {
  const startsAt = (options: ModelPool.LimitOptions, requests: number, times: ReadonlyArray<number>) =>
    Effect.gen(function* () {
      const fibers = yield* Effect.forEach(Array.from({ length: requests }), () => fork)
      const counts: Array<number> = []
      let now = 0
      for (const time of times) {
        yield* TestClock.adjust(time - now)
        now = time
        counts.push(yield* sent)
      }
      yield* Fiber.interruptAll(fibers)
      return counts
    }).pipe(Effect.provide(endless(options, ScriptedModel.text("ok"))))

  it.effect("lets so many begin in a window; the others wait for the next", () =>
    Effect.gen(function* () {
      const counts = yield* startsAt({ rate: { limit: 2, window: "1 second" } }, 5, [0, 999, 1_000, 2_000])
      assert.deepStrictEqual(counts, [2, 2, 4, 5])
    })
  )

  it.effect("a token bucket spreads them", () =>
    Effect.gen(function* () {
      const rate = { limit: 2, window: "1 second", algorithm: "token-bucket" } as const
      const counts = yield* startsAt({ rate }, 5, [0, 499, 500, 1_000, 1_500])
      assert.deepStrictEqual(counts, [2, 2, 3, 4, 5])
    })
  )

  it.effect("who is interrupted in the line has used nothing up", () =>
    Effect.gen(function* () {
      yield* ask
      const waiting = yield* Effect.forEach(Array.from({ length: 5 }), () => fork)
      yield* settle
      yield* Fiber.interruptAll(waiting)
      const last = yield* fork
      yield* TestClock.adjust("1 second")
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(last)))
      assert.strictEqual(yield* sent, 2)
    }).pipe(Effect.provide(endless({ rate: { limit: 1, window: "1 second" } }, ScriptedModel.text("ok"))))
  )

  it.effect("with maxQueued 0 fails at once instead of waiting", () =>
    Effect.gen(function* () {
      yield* ask
      assert.strictEqual((yield* Effect.flip(ask)).reason.code, "queue_full")
      yield* TestClock.adjust("1 second")
      yield* ask
    }).pipe(Effect.provide(endless({ rate: { limit: 1, window: "1 second" }, maxQueued: 0 }, ScriptedModel.text("ok"))))
  )
})

describe("circuit", () => {
  const down = ScriptedModel.fail(new ProviderUnavailable({ detail: "down", status: 503 }))
  const circuit = { failures: 2, openFor: "10 seconds" } as const

  it.effect("after failures in a row sends nothing, says for how long, and tries again with one request", () =>
    Effect.gen(function* () {
      yield* Effect.flip(ask)
      yield* Effect.flip(ask)
      yield* TestClock.adjust("4 seconds")
      const error = yield* Effect.flip(ask)
      assert.strictEqual(error.reason._tag, "ProviderUnavailable")
      assert.strictEqual(error.reason.code, "circuit_open")
      assert.strictEqual(error.retryAfterMillis, 6_000)
      assert.isTrue(error.isRetryable)
      assert.strictEqual(yield* sent, 2)
      yield* TestClock.adjust("6 seconds")
      // The probe is under way; others are refused.
      const probe = yield* fork
      yield* settle
      assert.strictEqual(codeOf(yield* Effect.exit(ask)), "circuit_open")
      yield* TestClock.adjust("1 second")
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(probe)))
      yield* ask
      assert.strictEqual(yield* sent, 4)
    }).pipe(
      Effect.provide(
        limited({ circuit }, [down, down, ScriptedModel.text("ok", { latency: "1 second" }), ScriptedModel.text("ok")])
      )
    )
  )

  it.effect("a failure in mid-answer counts, and a success begins the count anew", () =>
    Effect.gen(function* () {
      yield* Effect.flip(ask)
      yield* ask
      yield* Effect.flip(ask)
      yield* Effect.flip(ask)
      assert.strictEqual(codeOf(yield* Effect.exit(ask)), "circuit_open")
      assert.strictEqual(yield* sent, 4)
    }).pipe(
      Effect.provide(
        limited({ circuit }, [
          down,
          ScriptedModel.text("ok"),
          ScriptedModel.failAfter(["half"], new ProviderUnavailable({ detail: "down" })),
          down
        ])
      )
    )
  )

  it.effect("stays open as long as the provider asks", () =>
    Effect.gen(function* () {
      yield* Effect.flip(ask)
      yield* Effect.flip(ask)
      assert.strictEqual((yield* Effect.flip(ask)).retryAfterMillis, 45_000)
    }).pipe(
      Effect.provide(
        endless({ circuit }, ScriptedModel.fail(new RateLimited({ detail: "later", retryAfterMillis: 45_000 })))
      )
    )
  )

  it.effect("what the request is to blame for, and what its reader leaves, does not count", () =>
    Effect.gen(function* () {
      for (let i = 0; i < 3; i++) yield* Effect.flip(ask)
      const left = yield* Effect.forEach(Array.from({ length: 3 }), () => fork)
      yield* settle
      yield* Fiber.interruptAll(left)
      yield* ask
      assert.strictEqual(yield* sent, 7)
    }).pipe(
      Effect.provide(
        limited({ circuit }, [
          ...Array.from({ length: 3 }, () => ScriptedModel.fail(new InvalidRequest({ detail: "bad", status: 400 }))),
          ...Array.from({ length: 3 }, () => ScriptedModel.hang),
          ScriptedModel.text("ok")
        ])
      )
    )
  )

  it.effect("a probe that is interrupted lets the next one try", () =>
    Effect.gen(function* () {
      yield* Effect.flip(ask)
      yield* Effect.flip(ask)
      yield* TestClock.adjust("10 seconds")
      const probe = yield* fork
      yield* settle
      yield* Fiber.interrupt(probe)
      yield* ask
      assert.strictEqual(yield* sent, 4)
    }).pipe(Effect.provide(limited({ circuit }, [down, down, ScriptedModel.hang, ScriptedModel.text("ok")])))
  )

  it.effect("a request that must be refused does not wait in line for that", () =>
    Effect.gen(function* () {
      yield* Effect.flip(ask)
      yield* Effect.flip(ask)
      assert.strictEqual(codeOf(yield* Effect.exit(ask)), "circuit_open")
    }).pipe(Effect.provide(limited({ circuit, rate: { limit: 2, window: "1 hour" } }, [down, down])))
  )

  it.effect("a retry around it waits until it is worth trying", () =>
    Effect.gen(function* () {
      const fiber = yield* fork
      yield* TestClock.adjust("1 minute")
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(fiber)))
      assert.strictEqual(yield* sent, 3)
    }).pipe(
      Effect.provide(
        Layer.provideMerge(
          ModelPool.retry({ attempts: 4 }),
          limited({ circuit: { failures: 2, openFor: "10 seconds" } }, [down, down, ScriptedModel.text("ok")])
        )
      )
    )
  )
})
