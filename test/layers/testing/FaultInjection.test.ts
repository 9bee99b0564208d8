import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Fiber, Layer, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ConnectionLost } from "effigent/services/ModelError"
import { type ModelEvent, ModelProvider } from "effigent/services/ModelProvider"
import { FaultInjection, ModelProviderConformance, ScriptedModel } from "effigent/testing"
import { scripted } from "./harness.ts"
import { request } from "./requests.ts"

const faulty = (
  faults: ReadonlyArray<FaultInjection.Fault>,
  step: ScriptedModel.Step = ScriptedModel.chunks(["ab", "cd", "ef"])
) => Layer.provideMerge(FaultInjection.layer(faults), ScriptedModel.always(step))

const ask = Effect.gen(function* () {
  const provider = yield* ModelProvider
  const events: Array<ModelEvent> = []
  const chunks: Array<number> = []
  const error = yield* Effect.flip(
    Effect.andThen(
      Stream.runForEachArray(provider.stream(request("x", { model: "m" })), (chunk) =>
        Effect.sync(() => {
          chunks.push(chunk.length)
          events.push(...chunk)
        })
      ),
      Effect.fail(undefined)
    )
  )
  const told = events.map((event) => (event._tag === "Text" ? event.text : event._tag))
  return { told, chunks, error }
})

describe("FaultInjection", () => {
  it.effect("without faults passes everything on as it is, in the same chunks", () =>
    Effect.gen(function* () {
      const { chunks, error, told } = yield* ask
      assert.deepStrictEqual(told, ["ab", "cd", "ef", "Finish"])
      assert.deepStrictEqual(chunks, [1, 1, 1, 1])
      assert.isUndefined(error)
    }).pipe(Effect.provide(faulty([])))
  )

  it.effect("without faults keeps every promise of the provider it wraps, its dialect included", () =>
    Effect.gen(function* () {
      const plain = scripted()
      const report = yield* ModelProviderConformance.run({
        name: "faults",
        prepare: (scenario) =>
          Effect.gen(function* () {
            const subject = yield* plain.prepare(scenario)
            const inner = Layer.succeed(ModelProvider, { ...subject.provider, dialect: "openai" })
            const context = yield* Layer.build(Layer.provide(FaultInjection.layer([]), inner))
            const provider = yield* Effect.provide(ModelProvider, context)
            assert.strictEqual(provider.dialect, "openai")
            return { ...subject, provider }
          })
      })
      assert.isTrue(
        report.results.every(({ result }) => result._tag === "Passed"),
        ModelProviderConformance.render(report)
      )
    })
  )

  it.effect("fails the k-th request by status, before anything is sent", () =>
    Effect.gen(function* () {
      assert.isUndefined((yield* ask).error)
      const { error } = yield* ask
      assert.strictEqual(error?.reason._tag, "RateLimited")
      assert.strictEqual(error?.retryAfterMillis, 250)
      assert.strictEqual(error?.provider, "scripted")
      assert.strictEqual(error?.model, "m")
      assert.isUndefined((yield* ask).error)
      assert.strictEqual((yield* ScriptedModel.requests).length, 2)
    }).pipe(
      Effect.provide(
        faulty([FaultInjection.status(429, { retryAfterMillis: 250, on: FaultInjection.at({ request: 2, event: 0 }) })])
      )
    )
  )

  it.effect("names statuses as a provider does", () =>
    Effect.gen(function* () {
      const reasons = yield* Effect.forEach([401, 403, 404, 429, 500, 529], (code) =>
        Effect.map(ask.pipe(Effect.provide(faulty([FaultInjection.status(code)]))), ({ error }) => error?.reason)
      )
      assert.deepStrictEqual(
        reasons.map((reason) => [reason?.status, reason?._tag]),
        [
          [401, "Unauthorized"],
          [403, "Unauthorized"],
          [404, "InvalidRequest"],
          [429, "RateLimited"],
          [500, "ProviderUnavailable"],
          [529, "ProviderUnavailable"]
        ]
      )
    })
  )

  it.effect("fails in mid-answer with the reason it is given", () =>
    Effect.gen(function* () {
      const { error, told } = yield* ask
      assert.deepStrictEqual(told, ["ab", "cd"])
      assert.strictEqual(error?.reason._tag, "ConnectionLost")
      assert.strictEqual(yield* ScriptedModel.openStreams, 0)
      assert.strictEqual(yield* ScriptedModel.aborted, 1)
    }).pipe(
      Effect.provide(
        faulty([FaultInjection.fail(new ConnectionLost({ detail: "gone" }), FaultInjection.at({ event: 3 }))])
      )
    )
  )

  it.effect("cuts after n events: Incomplete, and no Finish", () =>
    Effect.gen(function* () {
      const { error, told } = yield* ask
      assert.deepStrictEqual(told, ["ab"])
      assert.strictEqual(error?.reason._tag, "Incomplete")
    }).pipe(Effect.provide(faulty([FaultInjection.cut(FaultInjection.at({ event: 2 }))])))
  )

  it.effect("cuts silently where it is told to: an end without Finish and without error", () =>
    Effect.gen(function* () {
      const { error, told } = yield* ask
      assert.deepStrictEqual(told, ["ab"])
      assert.isUndefined(error)
    }).pipe(Effect.provide(faulty([FaultInjection.cut(FaultInjection.at({ event: 2 }), { silent: true })])))
  )

  it.effect("cuts inside of a chunk: what came before it in the chunk is passed on", () =>
    Effect.gen(function* () {
      const { error, told } = yield* ask
      assert.deepStrictEqual(told, ["a", "b"])
      assert.strictEqual(error?.reason._tag, "Incomplete")
    }).pipe(
      Effect.provide(
        faulty(
          [FaultInjection.cut(FaultInjection.at({ event: 3 }))],
          ScriptedModel.events([["a", "b", "c"].map((text) => ({ _tag: "Text", text }))])
        )
      )
    )
  )

  it.effect("waits before the first event and between events, by the clock of the test", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(ask, { startImmediately: true })
      yield* TestClock.adjust("1399 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual((yield* Fiber.join(fiber)).told, ["ab", "cd", "ef", "Finish"])
    }).pipe(
      Effect.provide(
        faulty([FaultInjection.latency("1 second"), FaultInjection.latency("100 millis", FaultInjection.everywhere)])
      )
    )
  )

  it.effect("waits before anything is sent, and before a failure", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(ask, { startImmediately: true })
      yield* TestClock.adjust("999 millis")
      assert.lengthOf(yield* ScriptedModel.requests, 0)
      yield* TestClock.adjust("1 millis")
      assert.isUndefined((yield* Fiber.join(fiber)).error)
      const failing = yield* Effect.forkChild(ask, { startImmediately: true })
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(failing.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* Fiber.join(failing)).error?.reason._tag, "ProviderUnavailable")
    }).pipe(
      Effect.provide(
        faulty([
          FaultInjection.latency("1 second", FaultInjection.at({ event: 0 })),
          FaultInjection.status(503, { on: FaultInjection.at({ request: 2, event: 0 }) })
        ])
      )
    )
  )

  it.effect("stalls, and lets itself be interrupted", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(ask, { startImmediately: true })
      yield* TestClock.adjust("1 day")
      assert.isUndefined(fiber.pollUnsafe())
      assert.strictEqual(yield* ScriptedModel.openStreams, 1)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(yield* ScriptedModel.openStreams, 0)
    }).pipe(Effect.provide(faulty([FaultInjection.stall(FaultInjection.at({ event: 2 }))])))
  )

  it.effect("corrupts texts and nothing else", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* ask).told, ["ab", "\ufffd\ufffd", "ef", "Finish"])
      assert.deepStrictEqual((yield* ask).told, ["ab", "cd", "Finish"])
    }).pipe(
      Effect.provide(
        faulty([
          FaultInjection.corrupt(FaultInjection.at({ request: 1, event: 2 })),
          FaultInjection.corrupt(FaultInjection.at({ request: 2, event: 3 }), () => ""),
          FaultInjection.corrupt(FaultInjection.at({ event: 4 }))
        ])
      )
    )
  )

  it.effect("splits texts into tiny chunks, of the requests it is told", () =>
    Effect.gen(function* () {
      const first = yield* ask
      assert.deepStrictEqual(first.told, ["ab", "cd", "ef", "Finish"])
      const second = yield* ask
      assert.deepStrictEqual(second.told, ["a", "b", "c", "d", "e", "f", "Finish"])
      assert.deepStrictEqual(second.chunks, [1, 1, 1, 1, 1, 1, 1])
    }).pipe(Effect.provide(faulty([FaultInjection.split(1, FaultInjection.during([2], FaultInjection.everywhere))])))
  )

  it.effect("splits and corrupts in the order of the faults", () =>
    Effect.map(ask, ({ told }) => assert.deepStrictEqual(told, ["b", "a", "d", "c", "f", "e", "Finish"])).pipe(
      Effect.provide(
        faulty([
          FaultInjection.corrupt(FaultInjection.everywhere, (text) => [...text].toReversed().join("")),
          FaultInjection.split(1)
        ])
      )
    )
  )

  describe("random schedules", () => {
    const places = (schedule: FaultInjection.Schedule, n = 2_000) =>
      Array.from({ length: n }, (_, i) => i + 1).filter((event) => schedule(1, event))

    it.effect("repeat for the same seed, differ for others, and keep the probability", () =>
      Effect.gen(function* () {
        const seeds = yield* Arbitrary.sampleEffect(Arbitrary.schema(Schema.Int), { count: 50, seed: 7, size: 10 })
        for (const seed of seeds) {
          const struck = places(FaultInjection.random(seed, 0.1))
          assert.deepStrictEqual(places(FaultInjection.random(seed, 0.1)), struck)
          assert.notDeepEqual(places(FaultInjection.random(seed + 1, 0.1)), struck)
          assert.isAbove(struck.length, 120)
          assert.isBelow(struck.length, 290)
        }
        assert.lengthOf(places(FaultInjection.random(1, 0)), 0)
        assert.lengthOf(places(FaultInjection.random(1, 1)), 2_000)
        assert.isFalse(FaultInjection.random(1, 1)(1, 0))
      })
    )

    it.effect("never break the form of a stream: a failure without Finish, or the whole answer", () =>
      Effect.gen(function* () {
        for (let seed = 0; seed < 200; seed++) {
          const { error, told } = yield* ask.pipe(
            Effect.provide(
              faulty([
                FaultInjection.split(1, FaultInjection.random(seed, 0.5)),
                FaultInjection.cut(FaultInjection.random(seed + 1, 0.2))
              ])
            )
          )
          const text = told.filter((part) => part !== "Finish").join("")
          if (error === undefined) assert.strictEqual(text, "abcdef")
          else assert.strictEqual(error.reason._tag, "Incomplete")
          assert.strictEqual(told.includes("Finish"), error === undefined)
          assert.isTrue("abcdef".startsWith(text))
        }
      })
    )
  })
})
