import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ModelError, RateLimited } from "effigent/services/ModelError"
import { type ModelEvent, ModelProvider, type ModelRequest } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"
import { request } from "./requests.ts"

const ask = (of: ModelRequest | string) =>
  ModelProvider.use((provider) =>
    Stream.runCollect(Stream.chunks(provider.stream(typeof of === "string" ? request(of) : of)))
  )
const texts = (chunks: ReadonlyArray<ReadonlyArray<ModelEvent>>) =>
  chunks.flat().flatMap((event) => (event._tag === "Text" ? [event.text] : []))
const defects = <A, E>(exit: Exit.Exit<A, E>) =>
  Exit.isFailure(exit) ? exit.cause.reasons.filter(Cause.isDieReason).map((reason) => String(reason.defect)) : []

describe("ScriptedModel", () => {
  it.effect("plays its steps in order, one per run, cut into chunks", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* ask("one"), [
        [{ _tag: "Text", text: "Hel" }],
        [{ _tag: "Text", text: "lo" }],
        [
          { _tag: "Usage", usage: { outputTokens: 2 } },
          { _tag: "Finish", reason: "length" }
        ]
      ])
      assert.deepStrictEqual(texts(yield* ask("two")), [`{"a":[1]}`])
      assert.deepStrictEqual(texts(yield* ask("three")), ["x", "y"])
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.text("Hello", { chunkSize: 3, usage: { outputTokens: 2 }, finish: "length" }),
          ScriptedModel.json({ a: [1] }),
          ScriptedModel.chunks(["x", "", "y"])
        ])
      )
    )
  )

  it.effect("does not cut a surrogate pair", () =>
    Effect.map(ask("smile"), (chunks) => assert.deepStrictEqual(texts(chunks), ["a😀", "b"])).pipe(
      Effect.provide(ScriptedModel.layer([ScriptedModel.text("a😀b", { chunkSize: 2 })]))
    )
  )

  it.effect("never sends an empty piece: an empty answer is a finish alone", () =>
    Effect.map(ask("nothing"), (chunks) => assert.deepStrictEqual(chunks, [[{ _tag: "Finish", reason: "stop" }]])).pipe(
      Effect.provide(ScriptedModel.layer([ScriptedModel.text("")]))
    )
  )

  it.effect("tells who answers and shows reasoning before the text", () =>
    Effect.map(ask("who"), (chunks) =>
      assert.deepStrictEqual(
        chunks.flat().map((event) => event._tag),
        ["Info", "Reasoning", "Text", "Finish"]
      )
    ).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.text("me", { info: { model: "m" }, reasoning: "hm" })])))
  )

  it.effect("calls tools in pieces, then whole", () =>
    Effect.gen(function* () {
      const events = (yield* ask("weather")).flat()
      assert.deepStrictEqual(
        events.map((event) => (event._tag === "ToolCallDelta" ? event.delta : event._tag)),
        [`{"city"`, `:"Oslo"`, `}`, "ToolCall", "{}", "ToolCall", "Finish"]
      )
      const call = events.find((event) => event._tag === "ToolCall")
      assert.deepStrictEqual(call, {
        _tag: "ToolCall",
        index: 0,
        id: "call_1",
        name: "weather",
        arguments: `{"city":"Oslo"}`,
        input: { city: "Oslo" }
      })
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.toolCalls(
            [
              { name: "weather", input: { city: "Oslo" } },
              { name: "time", input: {} }
            ],
            { chunkSize: 7 }
          )
        ])
      )
    )
  )

  it.effect("pauses by the clock of the test: latency first, then the delay, none before the end", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(ask("slow"), { startImmediately: true })
      yield* TestClock.adjust("299 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(texts(yield* Fiber.join(fiber)), ["a", "b"])
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([ScriptedModel.chunks(["a", "b"], { latency: "100 millis", delay: "100 millis" })])
      )
    )
  )

  it.effect("fails before or after text with the reason it was given", () =>
    Effect.gen(function* () {
      const before = yield* Effect.flip(ask("one"))
      assert.strictEqual(before.reason._tag, "RateLimited")
      assert.strictEqual(before.provider, "vendor")
      const seen: Array<ModelEvent> = []
      const provider = yield* ModelProvider
      const after = yield* Effect.flip(
        Stream.runForEach(provider.stream(request("two", { model: "m" })), (event) =>
          Effect.sync(() => seen.push(event))
        )
      )
      assert.deepStrictEqual(seen, [{ _tag: "Text", text: "half" }])
      assert.strictEqual(after.model, "m")
      assert.strictEqual(yield* ScriptedModel.aborted, 0)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer(
          [
            ScriptedModel.fail(new RateLimited({ detail: "slow down" })),
            ScriptedModel.failAfter(["half"], new RateLimited({ detail: "slow down" }))
          ],
          { name: "vendor" }
        )
      )
    )
  )

  it.effect("hangs until it is interrupted, and counts open and aborted streams", () =>
    Effect.gen(function* () {
      const hanging = yield* Effect.forkChild(ask("one"), { startImmediately: true })
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* ScriptedModel.openStreams, 1)
      yield* Fiber.interrupt(hanging)
      assert.strictEqual(yield* ScriptedModel.openStreams, 0)
      assert.strictEqual(yield* ScriptedModel.aborted, 1)
      const provider = yield* ModelProvider
      yield* Stream.runDrain(Stream.take(provider.stream(request("two")), 1))
      assert.strictEqual(yield* ScriptedModel.aborted, 2)
      yield* Stream.runDrain(provider.stream(request("three")))
      assert.strictEqual(yield* ScriptedModel.aborted, 2)
      assert.strictEqual((yield* ScriptedModel.requests).length, 3)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([ScriptedModel.hang, ScriptedModel.hangAfter(["a"]), ScriptedModel.text("done")])
      )
    )
  )

  it.effect("chooses a step by the request", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(texts(yield* ask(request("x", { attempt: 2 }))), ["attempt 2"])
      assert.deepStrictEqual(texts(yield* ask(request("x", { attempt: 3 }))), ["attempt 3"])
      assert.deepStrictEqual(
        (yield* ScriptedModel.requests).map((request) => request.attempt),
        [2, 3]
      )
    }).pipe(
      Effect.provide(
        ScriptedModel.always(ScriptedModel.respond((request) => ScriptedModel.text(`attempt ${request.attempt}`)))
      )
    )
  )

  it.effect("plays events as they stand, without a finish", () =>
    Effect.map(ask("odd"), (chunks) => assert.deepStrictEqual(chunks, [[{ _tag: "Text", text: "a" }]])).pipe(
      Effect.provide(ScriptedModel.layer([ScriptedModel.events([[{ _tag: "Text", text: "a" }], []])]))
    )
  )

  it.effect("sends nothing before the stream is run, and each run is a request", () =>
    Effect.gen(function* () {
      const provider = yield* ModelProvider
      const stream = provider.stream(request("one"))
      assert.deepStrictEqual(yield* ScriptedModel.requests, [])
      yield* Stream.runDrain(stream)
      yield* Stream.runDrain(stream)
      assert.strictEqual((yield* ScriptedModel.requests).length, 2)
    }).pipe(Effect.provide(ScriptedModel.always(ScriptedModel.text("a"))))
  )

  describe("keeps the script to the letter", () => {
    const lenient = { strict: false }

    it.effect("refuses a request that no step is there for, with its number and the prompt", () =>
      Effect.gen(function* () {
        yield* ask("one")
        const error = yield* Effect.flip(ask("tell me more"))
        assert.instanceOf(error, ModelError)
        assert.strictEqual(error.reason._tag, "InvalidRequest")
        assert.include(error.message, "request 2 is unexpected: the script has 1 step")
        assert.include(error.message, "tell me more")
      }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.text("a")], lenient)))
    )

    it.effect("refuses a request that its step does not expect, in the step's words", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(ask("bonjour"))
        assert.include(error.message, "step 1 expects another request: no greeting in English")
        assert.include((yield* Effect.flip(ask("x"))).message, "step 2 expects another request. The prompt")
        assert.deepStrictEqual(texts(yield* ask("x")), ["a"])
      }).pipe(
        Effect.provide(
          ScriptedModel.layer(
            [
              ScriptedModel.text("a", { expect: () => "no greeting in English" }),
              ScriptedModel.respond(() => ScriptedModel.text("a", { expect: () => false })),
              ScriptedModel.text("a", { expect: (request) => request.attempt === 1 })
            ],
            lenient
          )
        )
      )
    )

    it.effect("an unused step is a defect when the Scope closes", () =>
      Effect.gen(function* () {
        const script = ScriptedModel.layer([ScriptedModel.text("a"), ScriptedModel.text("b"), ScriptedModel.text("c")])
        const exit = yield* Effect.exit(ask("one").pipe(Effect.provide(script)))
        assert.deepStrictEqual(defects(exit), ["Error: ScriptedModel: 2 steps of 3 not used: from step 2 on"])
      })
    )

    it.effect("a surprise that the program swallowed is a defect when the Scope closes", () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(Effect.ignore(ask("one")).pipe(Effect.provide(ScriptedModel.layer([]))))
        assert.include(defects(exit)[0], "request 1 is unexpected")
      })
    )

    it.effect("leaves a failure of the program alone", () =>
      Effect.gen(function* () {
        const script = ScriptedModel.layer([ScriptedModel.text("a")])
        const exit = yield* Effect.exit(Effect.fail("mine").pipe(Effect.provide(script)))
        assert.deepStrictEqual(exit, Exit.fail("mine"))
      })
    )

    it.effect("holds as a layer of a larger program too", () =>
      Effect.gen(function* () {
        const program = ScriptedModel.requests.pipe(
          Effect.provide(Layer.provideMerge(Layer.empty, ScriptedModel.layer([ScriptedModel.text("a")])))
        )
        assert.lengthOf(defects(yield* Effect.exit(program)), 1)
      })
    )
  })
})
