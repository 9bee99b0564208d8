/**
 * Rate limits that several processes share: the counters of effect's `RateLimiter` in a SQL database. The algorithms are
 * those of its store in memory; each step is one transaction, by the clock of the database where it is a server.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RateLimiterError, RateLimiterStore, RateLimitStoreError } from "effect/persistence/RateLimiter"
import type * as SqlClient from "effect/sql/SqlClient"
import type * as Database from "./Database.ts"
import type { StoreFailure } from "./Failures.ts"
import { open } from "./Migrations.ts"
import { stored } from "./Rows.ts"

interface Row {
  readonly amount: number
  readonly at: number
  readonly now: number
}

/** What a step makes of a counter, and what it answers. */
interface Step<A> {
  readonly amount: number
  readonly at: number
  readonly answer: A
}

/** The store over the client. @category constructors */
export const make = Effect.fnUntraced(function* (
  options: Database.Options = {}
): Effect.fn.Return<RateLimiterStore["Service"], RateLimiterError, SqlClient.SqlClient> {
  const failed = ({ detail }: StoreFailure) =>
    new RateLimiterError({ reason: new RateLimitStoreError({ message: detail, cause: undefined }) })
  const database = yield* Effect.mapError(open(options), failed)
  const { isPostgres, sql, t } = database

  /** Changes one counter; others wait for it. */
  const change = <A>(key: string, fresh: number, step: (row: Row) => Step<A>): Effect.Effect<A, RateLimiterError> =>
    Effect.flatMap(database.now, (now) => {
      const id = stored(key)
      const change = Effect.gen(function* () {
        yield* sql`INSERT INTO ${t.rates} (id, amount, at) VALUES (${id}, ${fresh}, ${now}) ON CONFLICT (id) DO NOTHING`
        const [row] = yield* sql<Row>`SELECT amount, at, ${now} AS now FROM ${t.rates} WHERE id = ${id}
          ${sql.literal(isPostgres ? "FOR UPDATE" : "")}`
        const { amount, answer, at } = step(row ?? { amount: fresh, at: 0, now: 0 })
        yield* sql`UPDATE ${t.rates} SET amount = ${amount}, at = ${at} WHERE id = ${id}`
        return answer
      })
      return Effect.mapError(database.run<A, never>(database.transaction(change)), failed)
    })

  return {
    // `at` is when the window ends.
    fixedWindow: ({ key, limit, refillRate, tokens }) =>
      change(`window ${key}`, 0, ({ amount, at, now }) => {
        const over = at <= now
        const count = over ? 0 : amount
        const ends = over ? now : at
        if (limit !== undefined && limit > 0 && count + tokens > limit)
          return { amount: count, at: ends, answer: [count + tokens, ends - now] as const }
        const next = ends + Duration.toMillis(refillRate) * tokens
        return { amount: count + tokens, at: next, answer: [count + tokens, next - now] as const }
      }),
    // `at` is when the last token came.
    tokenBucket: ({ allowOverflow, key, limit, refillRate, tokens }) =>
      change(`bucket ${key}`, limit, ({ amount, at, now }) => {
        const every = Duration.toMillis(refillRate)
        const more = Math.max(0, Math.floor((now - at) / every))
        const full = Math.min(limit, amount + more)
        const since = full >= limit ? now : at + more * every
        const left = full - tokens
        const answer = [left, Math.max(0, now - since)] as const
        return { amount: allowOverflow || left >= 0 ? left : full, at: since, answer }
      }),
    // Limits that learn from responses are kept by nobody here: as the service says, they are inactive then.
    adaptiveConsume: () => Effect.succeed({ delay: Duration.zero, epoch: 0, phase: "inactive" as const }),
    adaptiveFeedback: () => Effect.void
  }
})

/**
 * Counters of rate limits over the `SqlClient` of the context, for all processes on the same database. For
 * `ModelPool.sharedLimits` of `effigent/layers/pool`, or effect's own `RateLimiter`.
 *
 * @category layers
 */
export const layer = (
  options?: Database.Options
): Layer.Layer<RateLimiterStore, RateLimiterError, SqlClient.SqlClient> => Layer.effect(RateLimiterStore, make(options))
