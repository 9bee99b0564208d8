// Rate limits that processes share: their counters in a database.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import { Agent } from "effigent"
import { ModelPool } from "effigent/layers/pool"
import { RateLimits } from "effigent/layers/sql-store"
import { SqliteClient } from "effigent/layers/sqlite"
import { ScriptedModel } from "effigent/testing"
import * as Postgres from "../../support/postgres.ts"

const sqlite = SqliteClient.layer({ filename: ":memory:", thread: "main" })

const limiter = Effect.provide(RateLimiter.make, RateLimits.layer())

const cases = [
  ["sqlite", sqlite],
  ["postgres", Postgres.client]
] as const

describe("rate limits in a database", () => {
  for (const [name, client] of cases) {
    it.live(`${name}: of 40 that two limiters are asked for at once, 10 pass in a window`, () =>
      Effect.gen(function* () {
        const one = yield* limiter
        const other = yield* limiter
        const asked = Array.from({ length: 40 }, (_, n) =>
          Effect.exit(
            (n % 2 === 0 ? one : other).consume({ key: "k", limit: 10, window: "1 hour", onExceeded: "fail" })
          )
        )
        const exits = yield* Effect.all(asked, { concurrency: "unbounded" })
        assert.strictEqual(exits.filter(({ _tag }) => _tag === "Success").length, 10)
      }).pipe(Effect.provide(client), Effect.scoped)
    )

    it.live(`${name}: a bucket gives its tokens, and then one with each refill`, () =>
      Effect.gen(function* () {
        const one = yield* limiter
        const ask = one.consume({
          key: "b",
          limit: 3,
          window: "300 millis",
          algorithm: "token-bucket",
          onExceeded: "fail"
        })
        for (let n = 0; n < 3; n++) yield* ask
        const error = yield* Effect.flip(ask)
        assert.strictEqual(error.reason._tag, "RateLimitExceeded")
        if (error.reason._tag !== "RateLimitExceeded") return
        yield* Effect.sleep(error.reason.retryAfter)
        yield* Effect.sleep("5 millis")
        yield* ask
      }).pipe(Effect.provide(client), Effect.scoped)
    )
  }

  it.live("two pools of one name send no more than the limit between them", () =>
    Effect.gen(function* () {
      const pool = () =>
        ModelPool.sharedLimits("vendor", { rate: { limit: 4, window: "1 hour" }, maxQueued: 0 }).pipe(
          Layer.provide(Layer.fresh(ScriptedModel.always(ScriptedModel.text("fine"))))
        )
      const first = yield* Layer.build(Layer.fresh(pool()))
      const second = yield* Layer.build(Layer.fresh(pool()))
      const ask = Agent.make({}).pipe(Agent.input("hello"), Agent.run)
      const exits = yield* Effect.all(
        Array.from({ length: 12 }, (_, n) => Effect.exit(Effect.provide(ask, n % 2 === 0 ? first : second)))
      )
      assert.strictEqual(exits.filter(({ _tag }) => _tag === "Success").length, 4)
    }).pipe(Effect.provide(RateLimits.layer()), Effect.provide(sqlite), Effect.scoped)
  )
})
