// Named models: which one answers, and what follows when it fails.
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Redacted, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent } from "effigent"
import { ModelPool } from "effigent/layers/pool"
import {
  ConnectionLost,
  ContextOverflow,
  InvalidRequest,
  ModelError,
  type ModelErrorReason,
  ProviderUnavailable,
  QuotaExhausted,
  RateLimited,
  Refused,
  Unauthorized,
  Unsupported
} from "effigent/services/ModelError"
import { ModelProvider, type ModelRequest } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"
import { request } from "../testing/requests.ts"

const busy = new ProviderUnavailable({ detail: "busy", status: 503 })
const overloaded = new ProviderUnavailable({ detail: "overloaded", status: 529 })
const slow = new RateLimited({ detail: "slow down", status: 429 })
const empty = new QuotaExhausted({ detail: "no credit" })
const lost = new ConnectionLost({ detail: "reset" })
const refused = new Unauthorized({ detail: "bad key", status: 401 })
const invalid = new InvalidRequest({ detail: "bad", status: 400 })
const overflow = new ContextOverflow({ detail: "too long" })

// Models that write down what they are asked.
const recorder = () => {
  const sent: Array<{ readonly name: string; readonly request: ModelRequest }> = []
  const model = (name: string, step: ModelErrorReason | ScriptedModel.Step = ScriptedModel.text(`from ${name}`)) =>
    Layer.effect(
      ModelProvider,
      Effect.map(
        Layer.build(
          ScriptedModel.always("ending" in step || "respond" in step ? step : ScriptedModel.fail(step), { name })
        ),
        (context) => {
          const inner = Context.get(context, ModelProvider)
          return {
            ...inner,
            stream: (one) =>
              Stream.suspend(() => {
                sent.push({ name, request: one })
                return inner.stream(one)
              })
          }
        }
      )
    )
  return { sent, model, names: () => sent.map((one) => one.name).join("") }
}

const ask = (over: Partial<ModelRequest> = {}) =>
  Effect.gen(function* () {
    const provider = yield* ModelProvider
    return yield* Stream.runCollect(provider.stream(request("hello", over)))
  })

describe("named models", () => {
  it.effect("a request that names none goes to the default, one that names one to that", () =>
    Effect.gen(function* () {
      const { model, names } = recorder()
      const layer = ModelPool.layer({ models: { a: model("a"), b: model("b") }, default: "b" })
      yield* Effect.gen(function* () {
        yield* ask()
        yield* ask({ model: "a" })
        const agent = Agent.make({ input: "go" })
        assert.strictEqual(yield* Agent.run(agent), "from b")
        assert.strictEqual(yield* Agent.run(Agent.settings(agent, { model: "a" })), "from a")
      }).pipe(Effect.provide(layer))
      assert.strictEqual(names(), "baba")
    })
  )

  it.effect("an unknown name is a typed error that lists the known ones, and nothing is sent", () =>
    Effect.gen(function* () {
      const { model, names } = recorder()
      const layer = ModelPool.layer({ models: { a: model("a"), b: model("b") }, default: "a", fallback: ["b"] })
      const error = yield* Effect.flip(ask({ model: "gpt-9" })).pipe(Effect.provide(layer))
      assert.strictEqual(error.reason._tag, "InvalidRequest")
      assert.strictEqual(error.reason.code, "unknown_model")
      assert.include(error.message, "pool (gpt-9)")
      assert.include(error.message, 'there is no model "gpt-9"; there are: a, b')
      assert.strictEqual(names(), "")
    })
  )

  it.effect("names like `constructor` are unknown too", () =>
    Effect.gen(function* () {
      const { model } = recorder()
      const layer = ModelPool.layer({ models: { a: model("a") }, default: "a" })
      const error = yield* Effect.flip(ask({ model: "constructor" })).pipe(Effect.provide(layer))
      assert.strictEqual(error.reason.code, "unknown_model")
    })
  )

  it.effect("TR-08 a profile gives the vendor's model name and options; those of the request win one by one", () =>
    Effect.gen(function* () {
      const { model, sent } = recorder()
      const layer = ModelPool.layer({
        models: {
          a: {
            provider: model("a"),
            model: "vendor-1",
            options: { temperature: 0.1, topP: 0.5, provider: { seed: 1, user: "pool" } }
          },
          b: model("b")
        },
        default: "a"
      })
      yield* Effect.gen(function* () {
        yield* ask({ options: { temperature: 0.33, provider: { user: "me" } } })
        yield* ask({ model: "a" })
        yield* ask({ model: "b" })
      }).pipe(Effect.provide(layer))
      const [first, second, third] = sent.map((one) => one.request)
      assert.strictEqual(first?.model, "vendor-1")
      assert.deepStrictEqual(first?.options, { temperature: 0.33, topP: 0.5, provider: { seed: 1, user: "me" } })
      assert.strictEqual(second?.options.temperature, 0.1)
      // The pool's name is no model of the vendor.
      assert.strictEqual(third?.model, undefined)
    })
  )

  it.effect("which model answers is told before all else, and the vendor's own word follows", () =>
    Effect.gen(function* () {
      const { model } = recorder()
      const layer = ModelPool.layer({
        models: {
          a: model("a", busy),
          b: model("b", ScriptedModel.text("ok", { info: { id: "r1", model: "vendor-2-2026" } }))
        },
        default: "a",
        fallback: ["b"]
      })
      yield* Effect.gen(function* () {
        const events = yield* ask()
        const told = events.map((event) =>
          event._tag === "Info" ? `Info ${event.model}` : event._tag === "Text" ? event.text : event._tag
        )
        assert.deepStrictEqual(told, ["Info a", "Restarted", "Info b", "Info vendor-2-2026", "ok", "Finish"])
        const response = yield* Agent.respond(Agent.make({ input: "go" }))
        const meta = yield* response.meta
        assert.strictEqual(meta.provider, "pool")
        assert.strictEqual(meta.model, "vendor-2-2026")
        assert.deepStrictEqual(
          meta.attempts.map((one) => one.model),
          ["a", "vendor-2-2026"]
        )
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("tells it anew with each retry and each key of the model", () =>
    Effect.gen(function* () {
      const { model } = recorder()
      const layer = ModelPool.layer({
        models: {
          a: {
            provider: ModelPool.keys({
              keys: [
                { id: "one", key: Redacted.make("k1") },
                { id: "two", key: Redacted.make("k2") }
              ],
              provider: () => model("a", slow)
            }),
            retry: { attempts: 3 }
          },
          b: model("b")
        },
        default: "a",
        fallback: ["b"]
      })
      const reading = yield* Effect.forkChild(
        Effect.gen(function* () {
          const response = yield* Agent.respond(Agent.make({ input: "go" }))
          return yield* response.meta
        }).pipe(Effect.scoped, Effect.provide(layer)),
        { startImmediately: true }
      )
      yield* TestClock.adjust("1 minute")
      const meta = yield* Fiber.join(reading)
      assert.deepStrictEqual(
        meta.attempts.map((one) => one.model),
        ["a", "a", "a", "b"]
      )
    })
  )

  it.effect("has a dialect where all its models share one", () =>
    Effect.gen(function* () {
      const script = (dialect: "openai" | "anthropic" | undefined) =>
        ScriptedModel.layer([], { ...(dialect === undefined ? {} : { dialect }) })
      const dialectOf = (a: "openai" | undefined, b: "openai" | "anthropic" | undefined) =>
        ModelProvider.use((provider) => Effect.succeed(provider.dialect)).pipe(
          Effect.provide(ModelPool.layer({ models: { a: script(a), b: script(b) }, default: "a" }))
        )
      assert.strictEqual(yield* dialectOf("openai", "openai"), "openai")
      assert.strictEqual(yield* dialectOf("openai", "anthropic"), undefined)
      assert.strictEqual(yield* dialectOf("openai", undefined), undefined)
    })
  )

  it.effect("a profile's limits and retries hold for that model alone", () =>
    Effect.gen(function* () {
      const { model, names } = recorder()
      const layer = ModelPool.layer({
        models: {
          a: { provider: model("a", busy), retry: { attempts: 3 }, limits: { concurrency: 1 } },
          b: model("b", lost)
        },
        default: "a",
        fallback: ["b"]
      })
      const fiber = yield* Effect.forkChild(Effect.flip(ask()).pipe(Effect.provide(layer)), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error.reason, busy)
      assert.strictEqual(names(), "aaab")
    })
  )

  it.effect("a retry around the pool bounds all of it", () =>
    Effect.gen(function* () {
      const { model, names } = recorder()
      const layer = ModelPool.retry({ attempts: 3 }).pipe(
        Layer.provide(
          ModelPool.layer({ models: { a: model("a", busy), b: model("b", lost) }, default: "a", fallback: ["b"] })
        )
      )
      const fiber = yield* Effect.forkChild(Effect.flip(ask()).pipe(Effect.provide(layer)), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.strictEqual(names(), "aba")
    })
  )
})

describe("fall-back", () => {
  const models = ["a", "b", "c", "d"] as const
  type Name = (typeof models)[number]

  const run = (
    steps: Partial<Record<Name, ModelErrorReason | ScriptedModel.Step>>,
    fallback: ReadonlyArray<Name> | ModelPool.Fallback<Name>,
    replay = false
  ) =>
    Effect.gen(function* () {
      const { model, names } = recorder()
      const layer = ModelPool.layer({
        models: {
          a: model("a", steps.a),
          b: model("b", steps.b),
          c: model("c", steps.c),
          d: model("d", steps.d)
        },
        default: "a",
        fallback,
        replay
      })
      const result = yield* Effect.result(ask()).pipe(Effect.provide(layer))
      return { sent: names(), error: result._tag === "Failure" ? result.failure : undefined }
    })

  const byClass = { error: ["c"], rateLimit: ["b"], contextOverflow: ["d"] } as const

  for (const [reason, expected] of [
    [slow, "ab"],
    [overloaded, "ab"],
    [new ProviderUnavailable({ detail: "in mid-stream", code: "overloaded_error" }), "ab"],
    [empty, "ab"],
    [busy, "ac"],
    [lost, "ac"],
    [overflow, "ad"]
  ] as const) {
    it.effect(`S07 the kind of failure says which model is next: ${reason._tag} (${reason.detail})`, () =>
      Effect.gen(function* () {
        const { error, sent } = yield* run({ a: reason }, byClass)
        assert.strictEqual(error, undefined)
        assert.strictEqual(sent, expected)
      })
    )
  }

  for (const reason of [
    refused,
    invalid,
    new Unsupported({ detail: "no audio" }),
    new Refused({ detail: "I will not" })
  ]) {
    it.effect(`S08 never masks ${reason._tag}`, () =>
      Effect.gen(function* () {
        const all = { error: ["b"], rateLimit: ["b"], contextOverflow: ["b"] } as const
        const { error, sent } = yield* run({ a: reason }, all)
        assert.strictEqual(error?.reason, reason)
        assert.strictEqual(sent, "a")
      })
    )
  }

  it.effect("a list alone serves errors and rate limits, not prompts that are too long", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* run({ a: slow }, ["b"])).sent, "ab")
      assert.strictEqual((yield* run({ a: busy }, ["b"])).sent, "ab")
      assert.strictEqual((yield* run({ a: overflow }, ["b"])).sent, "a")
    })
  )

  it.effect("goes down the list, each model once", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* run({ a: busy, b: slow, c: lost }, ["a", "b", "c", "d"])).sent, "abcd")
    })
  )

  it.effect("the failure of each model says what is next", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* run({ a: slow, b: overflow }, byClass)).sent, "abd")
    })
  )

  it.effect("S09 where all fail the first error is reported, with the others attached in order", () =>
    Effect.gen(function* () {
      const { error, sent } = yield* run({ a: slow, b: busy, c: lost }, { error: ["b", "c"] })
      assert.strictEqual(sent, "abc")
      assert.instanceOf(error, ModelError)
      assert.strictEqual(error.provider, "a")
      assert.strictEqual(error.reason, slow)
      assert.deepStrictEqual(
        error.others?.map(({ provider, reason }) => [provider, reason._tag]),
        [
          ["b", "ProviderUnavailable"],
          ["c", "ConnectionLost"]
        ]
      )
      assert.include(error.message, "; then b [ProviderUnavailable, HTTP 503]: busy; then c [ConnectionLost]: reset")
      assert.isTrue(error.isRetryable)
    })
  )

  it.effect("refused credentials of a fall-back model are not passed over either", () =>
    Effect.gen(function* () {
      const { error, sent } = yield* run({ a: busy, b: refused }, ["b", "c"])
      assert.strictEqual(sent, "ab")
      assert.strictEqual(error?.reason, busy)
      assert.strictEqual(error?.others?.[0]?.reason, refused)
    })
  )

  it.effect("never after a part was shown, unless `replay` says so", () =>
    Effect.gen(function* () {
      const half = ScriptedModel.failAfter(["half"], busy)
      const kept = yield* run({ a: half }, ["b"])
      assert.strictEqual(kept.sent, "a")
      assert.strictEqual(kept.error?.reason, busy)
      assert.strictEqual((yield* run({ a: half }, ["b"], true)).sent, "ab")
    })
  )

  it.effect("an error with others goes through JSON and back", () =>
    Effect.gen(function* () {
      const { error } = yield* run({ a: slow, b: busy }, ["b"])
      assert.isDefined(error)
      const json = yield* Schema.encodeEffect(Schema.fromJsonString(ModelError))(error)
      const back = yield* Schema.decodeEffect(Schema.fromJsonString(ModelError))(json)
      assert.strictEqual(back.message, error.message)
      assert.deepStrictEqual(back.others, error.others)
    })
  )
})
