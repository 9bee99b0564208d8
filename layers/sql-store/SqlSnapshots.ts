/** Snapshots of executions in a SQL database, so that programs on several machines can go on with them. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Snapshots from "../../services/SnapshotStore.ts"
import type * as Database from "./Database.ts"
import type { StoreFailure } from "./Failures.ts"
import { open } from "./Migrations.ts"
import { checksum, isJson, parse, stored, token } from "./Rows.ts"

interface Row {
  readonly version: number
  readonly at: number
  readonly json: string
  readonly crc: number
}

type Operation = Snapshots.SnapshotStoreError["operation"]

/** The store over the client. @category constructors */
export const make = Effect.fnUntraced(function* (
  options: Database.Options = {}
): Effect.fn.Return<Snapshots.SnapshotStore["Service"], Snapshots.SnapshotStoreError, SqlClient.SqlClient> {
  const failed = (store: string, id: string, operation: Operation, detail: string) =>
    new Snapshots.SnapshotStoreError({ store, id, operation, detail })
  const database = yield* Effect.mapError(open(options), ({ detail }) => failed("sql", "", "get", detail))
  const { sql, t, name } = database

  const run = <A>(id: string, operation: Operation, effect: Effect.Effect<A, SqlError>) =>
    Effect.mapError(database.run<A, never>(effect), ({ detail }: StoreFailure) => failed(name, id, operation, detail))

  const prune = (id: string, keep: number) =>
    sql`DELETE FROM ${t.saved} WHERE id = ${stored(id)} AND version < (
      SELECT min(version) FROM (
        SELECT version FROM ${t.saved} WHERE id = ${stored(id)} ORDER BY version DESC
        LIMIT ${Math.min(Math.max(1, keep), 2 ** 31 - 1)}
      ) AS kept)`

  return {
    put: (id, snapshot, { expected, keep }) =>
      Effect.gen(function* () {
        const now = yield* database.now
        const json = JSON.stringify(snapshot)
        const key = stored(id)
        const version = expected + 1
        // A put whose outcome was unknown knows itself by this number when it is made once more.
        const mark = token()
        const put = Effect.gen(function* () {
          const made = yield* sql`INSERT INTO ${t.saved} (id, version, at, json, crc, mark)
            SELECT ${key}, ${version}, ${now}, ${json}, ${checksum(id, version, json)}, ${mark}
            WHERE (SELECT COALESCE(max(version), 0) FROM ${t.saved} WHERE id = ${key}) = ${expected}
            ON CONFLICT (id, version) DO NOTHING RETURNING version`
          if (made.length === 0) {
            const mine =
              yield* sql`SELECT version FROM ${t.saved} WHERE id = ${key} AND version = ${version} AND mark = ${mark}`
            if (mine.length === 0) return false
          }
          yield* prune(id, keep ?? Snapshots.defaultKeep)
          return true
        })
        const isPut = yield* run(id, "put", database.transaction(put))
        return isPut ? version : yield* Effect.fail(new Snapshots.SnapshotConflict({ id, expected }))
      }),
    get: (id, version) =>
      Effect.gen(function* () {
        const which = version === undefined ? sql.literal("1 = 1") : sql`version = ${version}`
        const [row] = yield* run(
          id,
          "get",
          sql<Row>`SELECT version, at, json, crc FROM ${t.saved} WHERE id = ${stored(id)} AND ${which}
            ORDER BY version DESC LIMIT 1`
        )
        if (row === undefined) return Option.none()
        const json = parse(row.json)
        if (!isJson(json) || checksum(id, row.version, row.json) !== row.crc)
          return yield* Effect.fail(
            failed(name, id, "get", `its version ${row.version} is damaged; get an earlier one, or restore a backup`)
          )
        return Option.some({ version: row.version, at: row.at, snapshot: json })
      }),
    list: (id) =>
      Effect.map(
        run(
          id,
          "list",
          sql<{ readonly version: number }>`SELECT version FROM ${t.saved} WHERE id = ${stored(id)} ORDER BY version`
        ),
        (rows) => rows.map(({ version }) => version)
      ),
    prune: (id, keep) => Effect.asVoid(run(id, "prune", prune(id, keep))),
    remove: (id) => Effect.asVoid(run(id, "remove", sql`DELETE FROM ${t.saved} WHERE id = ${stored(id)}`))
  }
})

/** Snapshots over the `SqlClient` of the context. @category layers */
export const layer = (
  options?: Database.Options
): Layer.Layer<Snapshots.SnapshotStore, Snapshots.SnapshotStoreError, SqlClient.SqlClient> =>
  Layer.effect(Snapshots.SnapshotStore, make(options))
