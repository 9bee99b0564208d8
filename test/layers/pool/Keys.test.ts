// Key pools: which key a request uses, and what follows when it is refused.
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Random, Redacted, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ModelPool } from "effigent/layers/pool"
import {
  type ModelErrorReason,
  ProviderUnavailable,
  QuotaExhausted,
  RateLimited,
  Unauthorized
} from "effigent/services/ModelError"
import { ModelProvider } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"
import { request } from "../testing/requests.ts"

const slow = new RateLimited({ detail: "slow down", status: 429 })
const empty = new QuotaExhausted({ detail: "no credit", status: 402 })
const refused = new Unauthorized({ detail: "bad key", status: 401 })
const busy = new ProviderUnavailable({ detail: "busy", status: 503 })

const ids = ["a", "b", "c"] as const
type Id = (typeof ids)[number]

// A vendor whose answers depend on the key, and what was sent to it with which key.
const vendor = (steps: Partial<Record<Id, ModelErrorReason | ScriptedModel.Step>>) => {
  const sent: Array<string> = []
  let built = 0
  const layer = (key: Redacted.Redacted): Layer.Layer<ModelProvider> => {
    const id = Redacted.value(key).replace("sk-", "")
    const step = ids.map((one) => (one === id ? steps[one] : undefined)).find((one) => one !== undefined)
    const answer =
      step === undefined
        ? ScriptedModel.text(id)
        : "ending" in step || "respond" in step
          ? step
          : ScriptedModel.fail(step)
    return Layer.effect(
      ModelProvider,
      Effect.map(Layer.build(ScriptedModel.always(answer, { name: "vendor" })), (context) => {
        built++
        const inner = Context.get(context, ModelProvider)
        return {
          ...inner,
          stream: (one) =>
            Stream.suspend(() => {
              sent.push(id)
              return inner.stream(one)
            })
        }
      })
    )
  }
  return { layer, sent, built: () => built }
}

const [a, b, c] = ids.map((id) => ({ id, key: Redacted.make(`sk-${id}`) }))
assert.isDefined(a)
assert.isDefined(b)
assert.isDefined(c)
const keys = [a, b, c] as const

const pool = (
  source: ReturnType<typeof vendor>,
  options: Partial<Omit<ModelPool.KeysOptions<never, never>, "provider">> = {}
) => ModelPool.keys({ keys, ...options, provider: source.layer })

const ask = Effect.gen(function* () {
  const provider = yield* ModelProvider
  return yield* Stream.runCollect(provider.stream(request("hello", { model: "m" })))
})

const times = (n: number) => Effect.forEach(Array.from({ length: n }), () => ask)

describe("selection", () => {
  const choices = (selection: ModelPool.Selection | undefined, requests: number) => {
    const source = vendor({})
    return times(requests).pipe(
      Effect.andThen(Effect.sync(() => source.sent.join(""))),
      Effect.provide(pool(source, { selection }))
    )
  }

  it.effect("round-robin, the default, takes one after the other", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* choices(undefined, 7), "abcabca")
      assert.strictEqual(yield* choices("round-robin", 4), "abca")
    })
  )

  it.effect("fixed takes the first", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* choices("fixed", 4), "aaaa")
    })
  )

  it.effect("random takes any, by weight", () =>
    Effect.gen(function* () {
      const source = vendor({})
      const weighted = [{ ...a, weight: 8 }, { ...b, weight: 0 }, c] as const
      yield* times(900).pipe(
        Effect.provide(pool(source, { selection: "random", keys: weighted })),
        Random.withSeed("keys")
      )
      const count = (id: string) => source.sent.filter((one) => one === id).length
      assert.strictEqual(count("b"), 0)
      assert.isAbove(count("a"), 740)
      assert.isAbove(count("c"), 60)
    })
  )

  it.effect("least-used takes the one with the fewest requests in flight, then the fewest so far", () =>
    Effect.gen(function* () {
      const source = vendor({ a: ScriptedModel.hang })
      yield* Effect.gen(function* () {
        const hanging = yield* Effect.forkChild(ask, { startImmediately: true })
        yield* Effect.yieldNow
        yield* times(4)
        yield* Fiber.interrupt(hanging)
        yield* Effect.forkChild(ask, { startImmediately: true })
        yield* Effect.yieldNow
      }).pipe(Effect.provide(pool(source, { selection: "least-used" })))
      assert.strictEqual(source.sent.join(""), "abcbca")
    })
  )

  it.effect("a function chooses by what it sees, and may be an Effect", () =>
    Effect.gen(function* () {
      const plain = vendor({})
      yield* times(2).pipe(
        Effect.provide(pool(plain, { selection: (all) => all.toSorted((x, y) => y.uses - x.uses).at(-1)?.id ?? "" }))
      )
      const effectful = vendor({})
      yield* ask.pipe(
        Effect.provide(pool(effectful, { selection: (_, { model }) => Effect.succeed(model === "m" ? "c" : "a") }))
      )
      assert.deepStrictEqual([plain.sent, effectful.sent], [["c", "b"], ["c"]])
    })
  )

  it.effect("a function that names an unknown key is a typed error that lists the keys, and nothing is sent", () =>
    Effect.gen(function* () {
      const source = vendor({})
      const error = yield* ask.pipe(Effect.flip, Effect.provide(pool(source, { selection: () => "z" })))
      assert.strictEqual(error.reason.code, "unknown_key")
      assert.include(error.message, 'no key "z"; there are: a, b, c')
      assert.deepStrictEqual(source.sent, [])
    })
  )

  it.effect("builds one provider for each key", () =>
    Effect.gen(function* () {
      const source = vendor({})
      yield* times(9).pipe(Effect.provide(pool(source)))
      assert.strictEqual(source.built(), 3)
    })
  )
})

describe("fail-over", () => {
  const failing = (
    steps: Parameters<typeof vendor>[0],
    failover?: ModelPool.Failover,
    selection: ModelPool.Selection = "fixed"
  ) =>
    Effect.gen(function* () {
      const source = vendor(steps)
      const result = yield* Effect.result(ask).pipe(Effect.provide(pool(source, { selection, failover })))
      return { sent: source.sent.join(""), result }
    })

  it.effect("TR-02 a 429 goes on to the next key", () =>
    Effect.gen(function* () {
      const { result, sent } = yield* failing({ a: slow }, { on: [429], attempts: 2 })
      assert.strictEqual(sent, "ab")
      assert.strictEqual(result._tag, "Success")
      const restarted = result._tag === "Success" && result.success.find((event) => event._tag === "Restarted")
      assert.match(restarted ? restarted.reason : "", /^key a: vendor.*slow down; next: key b$/)
    })
  )

  it.effect("by default covers rate limits and spent quotas, and tries every key once", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* failing({ a: slow, b: empty })).sent, "abc")
      assert.strictEqual((yield* failing({ a: busy })).sent, "a")
      const { result, sent } = yield* failing({ a: slow, b: empty, c: slow }, undefined, () => "b")
      assert.strictEqual(sent, "bca")
      const error = result._tag === "Failure" ? result.failure : undefined
      assert.strictEqual(error?.reason, empty)
      assert.deepStrictEqual(
        error?.others?.map((other) => other.reason),
        [slow, slow]
      )
    })
  )

  it.effect("a refused key is reported unless the rules name it", () =>
    Effect.gen(function* () {
      const reported = yield* failing({ a: refused })
      assert.strictEqual(reported.sent, "a")
      assert.strictEqual(reported.result._tag === "Failure" && reported.result.failure.reason._tag, "Unauthorized")
      assert.strictEqual((yield* failing({ a: refused }, { on: [401] })).sent, "ab")
      assert.strictEqual((yield* failing({ a: refused }, { on: ["Unauthorized"] })).sent, "ab")
    })
  )

  it.effect("attempts bounds the physical requests", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* failing({ a: slow, b: slow }, { attempts: 2 })).sent, "ab")
      assert.strictEqual((yield* failing({ a: slow }, { attempts: 1 })).sent, "a")
    })
  )

  it.effect("`same` uses the key again after the time that the provider asks for", () =>
    Effect.gen(function* () {
      const waits = new RateLimited({ detail: "later", retryAfterMillis: 5_000 })
      const source = vendor({ a: waits })
      const failover = { then: "same", attempts: 3 } as const
      const fiber = yield* Effect.forkChild(
        Effect.flip(ask).pipe(Effect.provide(pool(source, { selection: "fixed", failover }))),
        { startImmediately: true }
      )
      yield* TestClock.adjust(9_999)
      assert.strictEqual(source.sent.join(""), "aa")
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(fiber)).reason, waits)
      assert.strictEqual(source.sent.join(""), "aaa")
    })
  )

  it.effect("a function decides by error and key: another key, or to report", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const decide: ModelPool.Failover["then"] = (error, key) => {
        seen.push(`${error.reason._tag} ${key.id} ${key.uses} ${key.inFlight}`)
        return key.id === "a" ? { key: "c" } : Effect.succeed("raise")
      }
      const { result, sent } = yield* failing({ a: slow, c: slow }, { then: decide })
      assert.strictEqual(sent, "ac")
      assert.strictEqual(result._tag, "Failure")
      assert.deepStrictEqual(seen, ["RateLimited a 1 0", "RateLimited c 1 0"])
    })
  )

  it.effect("never after a part of the answer was shown, unless `replay` says so", () =>
    Effect.gen(function* () {
      const half = ScriptedModel.failAfter(["half"], slow)
      assert.strictEqual((yield* failing({ a: half })).sent, "a")
      assert.strictEqual((yield* failing({ a: half }, { replay: true })).sent, "ab")
    })
  )

  it.effect("spends the budget of a retry around it", () =>
    Effect.gen(function* () {
      const source = vendor({ a: slow, b: slow, c: slow })
      const fiber = yield* Effect.forkChild(
        Effect.flip(ask).pipe(
          Effect.provide(ModelPool.retry({ attempts: 2 }).pipe(Layer.provide(pool(source, { selection: "fixed" }))))
        ),
        { startImmediately: true }
      )
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.strictEqual(source.sent.join(""), "ab")
    })
  )
})
