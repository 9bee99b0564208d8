/**
 * Journals of executions in a SQL database: SQLite or PostgreSQL, by the `SqlClient` of effect/sql. Appends and creations
 * of all executions are written in groups (see `GroupCommit`): when an append succeeds it is committed. Claims, leases
 * and what is due go by the clock of the database where it is a server, else by effect's `Clock`.
 *
 * Creations and appends are never part of a transaction of the caller. On SQLite, which has one connection that writes,
 * one that is made inside of a transaction of the same client would wait for that transaction, and fail as unavailable.
 * One that is interrupted while it is being written goes on: whoever interrupts it reads the head to know.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import {
  JournalConflict,
  type JournalHead,
  JournalStore,
  JournalStoreError,
  LeaseLost,
  type Owner
} from "../../services/JournalStore.ts"
import type * as Database from "./Database.ts"
import { failure, StoreFailure } from "./Failures.ts"
import * as GroupCommit from "./GroupCommit.ts"
import { open } from "./Migrations.ts"
import { reading } from "./Reading.ts"
import { columns, type HeadRow, headOf, original, stored, token } from "./Rows.ts"
import * as Writes from "./Writes.ts"

/** How a store uses its database. @category options */
export type Options = Database.Options

const largest = 2 ** 31 - 1

/** The store over the client, for as long as the scope lasts. @category constructors */
export const make = Effect.fnUntraced(function* (
  options: Options = {}
): Effect.fn.Return<JournalStore["Service"], JournalStoreError, SqlClient.SqlClient | Scope.Scope> {
  const database = yield* Effect.mapError(
    open(options),
    ({ reason, detail }) => new JournalStoreError({ store: "sql", operation: "open", reason, detail })
  )
  const { sql, t, isPostgres } = database
  const head = sql.literal(columns)

  const explained =
    (operation: string, id?: string) =>
    <E>(error: E | StoreFailure): Exclude<E, StoreFailure> | JournalStoreError =>
      error instanceof StoreFailure
        ? new JournalStoreError({
            store: database.name,
            operation,
            ...(id !== undefined && { id }),
            reason: error.reason,
            detail: error.detail
          })
        : // All that is left after the line above.
          (error as Exclude<E, StoreFailure>)

  /** Runs a statement, and says what it was for where it fails. */
  const run = <A>(operation: string, effect: Effect.Effect<A, SqlError>, id?: string) =>
    Effect.mapError(database.run<A, never>(effect), explained(operation, id))

  const closed = () => failure("unavailable", "The store is closed")
  const isOfOne = (error: unknown) => error instanceof StoreFailure && error.reason === "other"
  const bounds = options.batches ?? {}
  const committers = isPostgres ? 2 : 1
  const create = yield* GroupCommit.make<Writes.CreationWrite, Writes.Created, StoreFailure>({
    name: "creations",
    committers,
    bounds,
    key: ({ id }) => id,
    size: Writes.sizeOf,
    commit: (batch) => Writes.createAll(database, batch),
    isOfOne,
    closed
  })
  const append = yield* GroupCommit.make<Writes.AppendWrite, number, StoreFailure | JournalConflict>({
    name: "appends",
    committers,
    bounds,
    key: ({ id }) => id,
    size: Writes.sizeOf,
    commit: (batch) => Writes.appendAll(database, batch),
    isOfOne,
    closed
  })

  /** Heads of rows; a damaged one is left out, because the others can be worked on all the same. */
  const headsOf = (rows: ReadonlyArray<HeadRow>): Effect.Effect<ReadonlyArray<JournalHead>> => {
    const heads: Array<JournalHead> = []
    const damaged: Array<string> = []
    for (const row of rows) {
      const found = headOf(row)
      if (Option.isSome(found)) heads.push(found.value)
      else damaged.push(original(row.id))
    }
    return damaged.length === 0
      ? Effect.succeed(heads)
      : Effect.as(Effect.logWarning("The heads of these executions are damaged and left out", damaged), heads)
  }

  const headIn = (rows: ReadonlyArray<HeadRow>, operation: string, id: string) => {
    const [row] = rows
    if (row === undefined) return Effect.succeedNone
    const found = headOf(row)
    return Option.isSome(found)
      ? Effect.succeed(found)
      : Effect.fail(explained(operation, id)<never>(failure("damaged", "Its head cannot be read")))
  }

  const lives = (now: Fragment) => sql`EXISTS (SELECT 1 FROM ${t.runners} r WHERE r.name = owner_runner
    AND r.incarnation = owner_incarnation AND r.until > ${now})`

  const canRun = (flows: ReadonlyArray<{ readonly flow: string; readonly version?: string }>): Fragment => {
    const json = JSON.stringify(
      flows.map(({ flow, version }) => ({
        flow: stored(flow),
        version: version === undefined ? null : stored(version)
      }))
    )
    return isPostgres
      ? sql`EXISTS (SELECT 1 FROM json_to_recordset(${json}::json) AS f(flow text, version text)
          WHERE f.flow = e.flow AND f.version IS NOT DISTINCT FROM e.version)`
      : sql`EXISTS (SELECT 1 FROM json_each(${json}) AS f
          WHERE json_extract(f.value, '$.flow') = e.flow AND json_extract(f.value, '$.version') IS e.version)`
  }

  const named = ({ runner, incarnation }: Owner) => [stored(runner), stored(incarnation)] as const

  return {
    join: (owner, leaseFor) =>
      Effect.flatMap(database.now, (now) => {
        const [runner, incarnation] = named(owner)
        return run(
          "join",
          sql`INSERT INTO ${t.runners} (name, incarnation, until) VALUES (${runner}, ${incarnation}, ${now} + ${leaseFor})
            ON CONFLICT (name) DO UPDATE SET incarnation = excluded.incarnation, until = excluded.until`
        )
      }).pipe(Effect.asVoid),
    renew: (owner, leaseFor) =>
      Effect.gen(function* () {
        const now = yield* database.now
        const [runner, incarnation] = named(owner)
        const rows = yield* run(
          "renew a lease",
          sql`UPDATE ${t.runners} SET until = ${now} + ${leaseFor}
            WHERE name = ${runner} AND incarnation = ${incarnation} AND until > ${now} RETURNING name`
        )
        if (rows.length > 0) return
        const lives = yield* run("renew a lease", sql`SELECT incarnation FROM ${t.runners} WHERE name = ${runner}`)
        const replaced = lives.some((life) => life["incarnation"] !== incarnation)
        return yield* Effect.fail(new LeaseLost({ ...owner, replaced }))
      }),
    leave: (owner) => {
      const [runner, incarnation] = named(owner)
      return Effect.asVoid(
        run("leave", sql`DELETE FROM ${t.runners} WHERE name = ${runner} AND incarnation = ${incarnation}`)
      )
    },
    create: (creation) =>
      Effect.mapError(
        Effect.suspend(() => create(Writes.ofCreation(creation))),
        explained("create", creation.id)
      ),
    append: (one) =>
      Effect.mapError(
        Effect.suspend(() => append(Writes.ofAppend(one))),
        (error) =>
          error instanceof JournalConflict
            ? new JournalConflict({ id: one.id, why: error.why })
            : explained("append to", one.id)<never>(error)
      ),
    claim: ({ owner, flows, limit }) =>
      Effect.gen(function* () {
        if (flows.length === 0 || limit <= 0) return []
        const now = yield* database.now
        const [runner, incarnation] = named(owner)
        // A claim whose outcome is unknown is found again by this number, else nobody would run what it has taken.
        const claim = token()
        let isFirst = true
        const found = Effect.suspend(() => {
          const again = isFirst
            ? Effect.succeed<ReadonlyArray<HeadRow>>([])
            : sql<HeadRow>`SELECT ${head} FROM ${t.executions} WHERE due_at IS NOT NULL AND claim = ${claim}
                AND owner_runner = ${runner} AND owner_incarnation = ${incarnation}`
          isFirst = false
          return Effect.flatMap(again, (rows) =>
            rows.length > 0
              ? Effect.succeed(rows)
              : // The fence is compared once more, because another may have claimed between the two parts.
                sql<HeadRow>`UPDATE ${t.executions} SET owner_runner = ${runner}, owner_incarnation = ${incarnation},
                    fence = fence + 1, tries = tries + 1, claim = ${claim}
                  FROM (
                    SELECT e.id AS due_id, e.fence AS due_fence FROM ${t.executions} e
                    WHERE e.due_at <= ${now} AND ${canRun(flows)} AND NOT ${lives(now)}
                    ORDER BY e.due_at, e.id LIMIT ${Math.min(limit, largest)}
                  ) AS due
                  WHERE id = due_id AND fence = due_fence AND due_at IS NOT NULL RETURNING ${head}`
          )
        })
        return yield* Effect.flatMap(run("claim executions", found), headsOf)
      }),
    claimable: ({ flows, limit }) =>
      Effect.gen(function* () {
        if (flows.length === 0 || limit <= 0) return []
        const now = yield* database.now
        const found = sql<HeadRow>`SELECT ${head} FROM ${t.executions} e
          WHERE e.due_at <= ${now} AND ${canRun(flows)} AND NOT ${lives(now)}
          ORDER BY e.due_at, e.id LIMIT ${Math.min(limit, largest)}`
        return yield* Effect.flatMap(run("look for executions", found), headsOf)
      }),
    claimOne: (id, owner, claimOptions) =>
      Effect.gen(function* () {
        const now = yield* database.now
        const [runner, incarnation] = named(owner)
        const free =
          claimOptions?.force === true
            ? sql.literal("1 = 1")
            : sql`(NOT ${lives(now)} OR (owner_runner = ${runner} AND owner_incarnation = ${incarnation}))`
        const rows = yield* run(
          "claim",
          sql<HeadRow>`UPDATE ${t.executions} SET owner_runner = ${runner}, owner_incarnation = ${incarnation},
              fence = fence + 1, tries = tries + 1
            WHERE id = ${stored(id)} AND lifecycle <> 'closed' AND dead IS NULL AND ${free} RETURNING ${head}`,
          id
        )
        return yield* headIn(rows, "claim", id)
      }),
    release: (owner, ids) => {
      const [runner, incarnation] = named(owner)
      return ids.length === 0
        ? Effect.void
        : Effect.asVoid(
            run(
              "release executions",
              sql`UPDATE ${t.executions} SET owner_runner = NULL, owner_incarnation = NULL
                WHERE id IN (${database.texts(ids.map(stored))}) AND owner_runner = ${runner}
                  AND owner_incarnation = ${incarnation}`
            )
          )
    },
    ...reading(database, { run, headsOf, headIn }),
    bury: (id, fence, reason) =>
      Effect.gen(function* () {
        const at = yield* database.now
        const bury = Effect.gen(function* () {
          const [row] = yield* sql<{
            readonly fence: number
            readonly tries: number
            readonly dead: string | null
            readonly at: number
          }>`
            SELECT fence, tries, dead, ${at} AS at FROM ${t.executions} WHERE id = ${stored(id)}`
          if (row === undefined) return "missing" as const
          if (row.fence !== fence) return "fenced" as const
          if (row.dead !== null) return undefined
          const dead = JSON.stringify({ at: row.at, tries: row.tries, reason })
          const changed = yield* sql`UPDATE ${t.executions} SET dead = ${dead}, owner_runner = NULL,
            owner_incarnation = NULL WHERE id = ${stored(id)} AND fence = ${fence} RETURNING id`
          return changed.length === 0 ? ("fenced" as const) : undefined
        })
        const why = yield* run("put aside", bury, id)
        if (why !== undefined) return yield* Effect.fail(new JournalConflict({ id, why }))
      }),
    revive: (id) =>
      Effect.map(
        run(
          "revive",
          sql`UPDATE ${t.executions} SET dead = NULL, tries = 0 WHERE id = ${stored(id)} AND dead IS NOT NULL RETURNING id`,
          id
        ),
        (rows) => rows.length > 0
      ),
    prune: ({ closedBefore, limit = 1_000 }) => {
      // A few at a time: nobody else writes to SQLite meanwhile.
      const some = (most: number): Effect.Effect<ReadonlyArray<string>, JournalStoreError> =>
        run(
          "forget closed executions",
          database.transaction(
            Effect.gen(function* () {
              const rows = yield* sql<{ readonly id: string }>`SELECT id FROM ${t.executions}
                WHERE closed_at < ${closedBefore} AND lifecycle = 'closed' ORDER BY closed_at LIMIT ${most}`
              const ids = rows.map(({ id }) => id)
              yield* forget(ids)
              return ids.map(original)
            })
          )
        )
      const all = (gone: ReadonlyArray<string>): ReturnType<typeof some> => {
        const most = Math.min(limit - gone.length, 100)
        if (most <= 0) return Effect.succeed(gone)
        return Effect.flatMap(some(most), (more): ReturnType<typeof some> =>
          more.length < most ? Effect.succeed([...gone, ...more]) : all([...gone, ...more])
        )
      }
      return all([])
    },
    remove: (id) => run("forget", database.transaction(forget([stored(id)])), id),
    nextWake: (flows) =>
      Effect.gen(function* () {
        if (flows.length === 0) return Option.none()
        const now = yield* database.now
        const [row] = yield* run(
          "look for what is due",
          sql<{ readonly due_at: number }>`SELECT e.due_at FROM ${t.executions} e
            WHERE e.due_at IS NOT NULL AND ${canRun(flows)} AND NOT ${lives(now)} ORDER BY e.due_at LIMIT 1`
        )
        return row === undefined ? Option.none() : Option.some(row.due_at)
      }),
    // A write that changes nothing: a database that may only be read fails it.
    ping: Effect.asVoid(run("answer", sql`DELETE FROM ${t.runners} WHERE name = ''`))
  }

  function forget(ids: ReadonlyArray<string>): Effect.Effect<void, SqlError> {
    if (ids.length === 0) return Effect.void
    const which = database.texts(ids)
    return Effect.forEach(
      [t.tags, t.snapshots, t.journal, t.executions],
      (table) => sql`DELETE FROM ${table} WHERE id IN (${which})`,
      { discard: true }
    )
  }
})

/**
 * Journals over the `SqlClient` of the context: PostgreSQL, or SQLite. Its tables are made at the start.
 *
 * Fails with `JournalStoreError`: `schema` where the tables are of a later version, `unavailable` where the database does
 * not answer for as long as `retryFor` says.
 *
 * @category layers
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { JournalStores } from "effigent/layers/sql-store"
 * import { SqliteClient } from "effigent/layers/sqlite"
 * import { JournalStore } from "effigent/services/JournalStore"
 *
 * const program = Effect.gen(function* () {
 *   const store = yield* JournalStore
 *   const owner = { runner: "runner-1", incarnation: "a" }
 *   yield* store.join(owner, 30_000)
 *   yield* store.create({
 *     id: "order-17",
 *     flow: "Order",
 *     status: "running",
 *     lifecycle: "open",
 *     input: "{}",
 *     tags: ["eu"],
 *     owner,
 *     records: [{ type: "started" }]
 *   })
 *   return yield* store.append({ id: "order-17", fence: 1, expected: 1, records: [{ type: "paid" }] })
 * })
 * const client = SqliteClient.layer({ filename: ":memory:", thread: "main" })
 * const layer = Layer.provide(JournalStores.layer(), client)
 * console.log(await Effect.runPromise(Effect.provide(program, layer))) // => 2
 * ```
 */
export const layer = (options?: Options): Layer.Layer<JournalStore, JournalStoreError, SqlClient.SqlClient> =>
  Layer.effect(JournalStore, make(options))
