/**
 * What was done in the world, in a SQL database. Claims and outcomes are written in groups, as appends are: when a claim
 * succeeds it is committed.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import { type Claim, EffectLedger, EffectLedgerError, LedgerEntry } from "../../services/EffectLedger.ts"
import type * as Database from "./Database.ts"
import { failure, type StoreFailure } from "./Failures.ts"
import * as GroupCommit from "./GroupCommit.ts"
import { open } from "./Migrations.ts"
import { original, parse, stored } from "./Rows.ts"

interface Row {
  readonly id: string
  readonly name: string
  readonly grp: string
  readonly level: string
  readonly attempt: number
  readonly claimer: string
  readonly claimed_at: number
  readonly outcome: string | null
  readonly settled_at: number | null
}

interface Outcome {
  readonly id: string
  readonly attempt: number
  readonly outcome: string
}

interface Claimed {
  readonly claimed: boolean
  readonly entry: LedgerEntry
}

const columns = "id, name, grp, level, attempt, claimer, claimed_at, outcome, settled_at"

const decode = Schema.decodeUnknownOption(LedgerEntry)

const entryOf = (row: Row): Option.Option<LedgerEntry> =>
  decode({
    id: original(row.id),
    name: original(row.name),
    group: original(row.grp),
    level: row.level,
    attempt: row.attempt,
    claimer: original(row.claimer),
    claimedAt: row.claimed_at,
    ...(row.outcome !== null && { outcome: parse(row.outcome) }),
    ...(row.settled_at !== null && { settledAt: row.settled_at })
  })

const damaged = (id: string): StoreFailure => failure("damaged", `The entry ${JSON.stringify(id)} cannot be read`)

/** The ledger over the client, for as long as the scope lasts. @category constructors */
export const make = Effect.fnUntraced(function* (
  options: Database.Options = {}
): Effect.fn.Return<EffectLedger["Service"], EffectLedgerError, SqlClient.SqlClient | Scope.Scope> {
  const database = yield* Effect.mapError(
    open(options),
    ({ detail }) => new EffectLedgerError({ ledger: "sql", operation: "open", id: "", detail })
  )
  const { sql, t, isPostgres } = database
  const all = sql.literal(columns)

  const explained = (operation: string, id: string) => (error: StoreFailure) =>
    new EffectLedgerError({ ledger: database.name, operation, id, detail: error.detail })

  const run = <A>(operation: string, id: string, effect: Effect.Effect<A, SqlError>) =>
    Effect.mapError(database.run<A, never>(effect), explained(operation, id))

  const rowsOf = (ids: ReadonlyArray<string>) =>
    database.run<ReadonlyArray<Row>, never>(
      sql<Row>`SELECT ${all} FROM ${t.ledger} WHERE id IN (${database.texts(ids)})`
    )

  /** The fields of each object in an array of JSON, as a table `c`. */
  const table = (json: string, fields: ReadonlyArray<readonly [name: string, type: string]>): Fragment =>
    isPostgres
      ? sql`json_to_recordset(${json}::json) AS c(${sql.literal(fields.map((field) => field.join(" ")).join(", "))})`
      : sql`(SELECT ${sql.literal(fields.map(([name]) => `json_extract(value, '$.${name}') AS ${name}`).join(", "))}
          FROM json_each(${json})) AS c`

  const claimAll = Effect.fnUntraced(function* (
    batch: ReadonlyArray<Claim>
  ): Effect.fn.Return<ReadonlyArray<Exit.Exit<Claimed, StoreFailure>>, StoreFailure> {
    const now = yield* database.now
    const json = JSON.stringify(
      batch.map(({ id, name, group, level, attempt, claimer }) => ({
        id: stored(id),
        name: stored(name),
        grp: stored(group),
        level,
        attempt,
        claimer: stored(claimer)
      }))
    )
    const claims = table(json, [
      ["id", "text"],
      ["name", "text"],
      ["grp", "text"],
      ["level", "text"],
      ["attempt", "int"],
      ["claimer", "text"]
    ])
    const made = yield* database.run<ReadonlyArray<Row>, never>(
      sql<Row>`INSERT INTO ${t.ledger} AS l (id, name, grp, level, attempt, claimer, claimed_at)
        SELECT c.id, c.name, c.grp, c.level, c.attempt, c.claimer, ${now} FROM ${claims} WHERE true
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, grp = excluded.grp, level = excluded.level,
          attempt = excluded.attempt, claimer = excluded.claimer, claimed_at = excluded.claimed_at
        WHERE l.outcome IS NULL AND l.attempt + 1 = excluded.attempt RETURNING ${all}`
    )
    const rows = new Map(made.map((row) => [row.id, row]))
    const left = batch.filter(({ id }) => !rows.has(stored(id)))
    const others = left.length === 0 ? [] : yield* rowsOf(left.map(({ id }) => stored(id)))
    const known = new Map(others.map((row) => [row.id, row]))
    return batch.map((claim) => {
      const mine = rows.get(stored(claim.id))
      const row = mine ?? known.get(stored(claim.id))
      const entry = row === undefined ? Option.none() : entryOf(row)
      if (row === undefined || Option.isNone(entry)) return Exit.fail(damaged(claim.id))
      // One that is repeated, or was made by a try whose outcome nobody knew.
      const isRepeated = row.outcome === null && row.attempt === claim.attempt && entry.value.claimer === claim.claimer
      return Exit.succeed({ claimed: mine !== undefined || isRepeated, entry: entry.value })
    })
  })

  const settleAll = Effect.fnUntraced(function* (
    batch: ReadonlyArray<Outcome>
  ): Effect.fn.Return<ReadonlyArray<Exit.Exit<boolean, StoreFailure>>, StoreFailure> {
    const now = yield* database.now
    // Names of their own: what is returned can only be named without its table.
    const json = JSON.stringify(batch.map(({ id, attempt, outcome }) => ({ key: id, nth: attempt, became: outcome })))
    const outcomes = table(json, [
      ["key", "text"],
      ["nth", "int"],
      ["became", "text"]
    ])
    const made = yield* database.run<ReadonlyArray<{ readonly id: string }>, never>(
      sql<{ readonly id: string }>`UPDATE ${t.ledger} SET outcome = c.became, settled_at = ${now} FROM ${outcomes}
        WHERE id = c.key AND attempt = c.nth AND outcome IS NULL RETURNING id`
    )
    const settled = new Set(made.map(({ id }) => id))
    const left = batch.filter(({ id }) => !settled.has(id))
    const others = left.length === 0 ? [] : yield* rowsOf(left.map(({ id }) => id))
    const known = new Map(others.map((row) => [row.id, row]))
    return batch.map(({ id, attempt, outcome }) => {
      const row = known.get(id)
      return Exit.succeed(settled.has(id) || (row?.attempt === attempt && row.outcome === outcome))
    })
  })

  const shared = {
    committers: isPostgres ? 2 : 1,
    bounds: options.batches ?? {},
    isOfOne: ({ reason }: StoreFailure) => reason === "other",
    closed: () => failure("unavailable", "The ledger is closed")
  }
  const claim = yield* GroupCommit.make<Claim, Claimed, StoreFailure>({
    ...shared,
    name: "claims",
    key: ({ id }) => id,
    size: () => 400,
    commit: claimAll
  })
  const settle = yield* GroupCommit.make<Outcome, boolean, StoreFailure>({
    ...shared,
    name: "outcomes",
    key: ({ id }) => id,
    size: ({ outcome }) => 100 + outcome.length,
    commit: settleAll
  })

  return {
    claim: (one) => Effect.mapError(claim(one), explained("claim", one.id)),
    settle: (id, attempt, outcome) =>
      Effect.mapError(settle({ id: stored(id), attempt, outcome: JSON.stringify(outcome) }), explained("settle", id)),
    get: (id) =>
      Effect.flatMap(Effect.mapError(rowsOf([stored(id)]), explained("read", id)), ([row]) => {
        const entry = row === undefined ? Option.none() : entryOf(row)
        return row !== undefined && Option.isNone(entry)
          ? Effect.fail(explained("read", id)(damaged(id)))
          : Effect.succeed(entry)
      }),
    list: (query = {}) => {
      const conditions: Array<Fragment> = [sql.literal("1 = 1")]
      if (query.group !== undefined) conditions.push(sql`grp = ${stored(query.group)}`)
      if (query.state !== undefined)
        conditions.push(sql.literal(query.state === "open" ? "outcome IS NULL" : "outcome IS NOT NULL"))
      return Effect.flatMap(
        run(
          "list",
          query.group ?? "all",
          sql<Row>`SELECT ${all} FROM ${t.ledger} WHERE ${sql.and(conditions)} ORDER BY n
            LIMIT ${Math.min(query.limit ?? 100, 2 ** 31 - 1)}`
        ),
        (rows) =>
          Effect.forEach(rows, (row) =>
            Option.match(entryOf(row), {
              onNone: () => Effect.fail(explained("list", original(row.id))(damaged(original(row.id)))),
              onSome: Effect.succeed
            })
          )
      )
    },
    forget: (group) =>
      Effect.map(
        run("forget", group, sql`DELETE FROM ${t.ledger} WHERE grp = ${stored(group)} RETURNING id`),
        (rows) => rows.length
      )
  }
})

/**
 * A ledger over the `SqlClient` of the context: PostgreSQL, or SQLite. Its tables are made at the start.
 *
 * Fails with `EffectLedgerError` where the tables are of a later version, or the database does not answer.
 *
 * @category layers
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { EffectLedgers } from "effigent/layers/sql-store"
 * import { SqliteClient } from "effigent/layers/sqlite"
 * import { EffectLedger } from "effigent/services/EffectLedger"
 *
 * const program = Effect.gen(function* () {
 *   const ledger = yield* EffectLedger
 *   const claim = { id: "order-17/pay", name: "pay", group: "order-17", level: "once", claimer: "a", attempt: 1 } as const
 *   const mine = yield* ledger.claim(claim)
 *   const theirs = yield* ledger.claim({ ...claim, claimer: "b" })
 *   return [mine.claimed, theirs.claimed]
 * })
 * const client = SqliteClient.layer({ filename: ":memory:", thread: "main" })
 * const layer = Layer.provide(EffectLedgers.layer(), client)
 * console.log(await Effect.runPromise(Effect.provide(program, layer))) // => [ true, false ]
 * ```
 */
export const layer = (options?: Database.Options): Layer.Layer<EffectLedger, EffectLedgerError, SqlClient.SqlClient> =>
  Layer.effect(EffectLedger, make(options))
