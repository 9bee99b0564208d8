// What other processes do in the tests of SQLite: `program.ts <what> <file> [name]`.
import { Effect } from "effect"
import * as Migrator from "effect/sql/Migrator"
import { SqlClient } from "effect/sql/SqlClient"
import { SqliteClient, SqliteLock } from "effigent/layers/sqlite"

const [what = "", filename = "", name = ""] = process.argv.slice(2)
const say = (line: string) => Effect.sync(() => process.stdout.write(`${line}\n`))
const stay = Effect.callback<never>(() => {
  const timer = setInterval(() => {}, 1_000_000)
  return Effect.sync(() => clearInterval(timer))
})

const programs: Record<string, Effect.Effect<unknown, unknown, SqlClient>> = {
  // Holds the write lock.
  write: Effect.gen(function* () {
    const sql = yield* SqlClient
    yield* sql.withTransaction(Effect.andThen(say("ready"), stay))
  }),
  // Has written a lot in a transaction that does not end, more than fits in the cache of SQLite.
  middle: Effect.gen(function* () {
    const sql = yield* SqlClient
    yield* sql`PRAGMA cache_size = 10`
    yield* sql.withTransaction(
      Effect.gen(function* () {
        yield* sql`DELETE FROM t WHERE id = 1`
        yield* sql`INSERT INTO t (x) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
          SELECT hex(zeroblob(500)) FROM n`
        yield* say("ready")
        yield* stay
      })
    )
  }),
  // Says each number once it is committed.
  numbers: Effect.gen(function* () {
    const sql = yield* SqlClient
    for (let number = 1; ; number++) {
      yield* sql.withTransaction(
        Effect.andThen(sql`INSERT INTO t (x) VALUES (${`${number}a`})`, sql`INSERT INTO t (x) VALUES (${`${number}b`})`)
      )
      yield* say(String(number))
    }
  }),
  lock: Effect.scoped(Effect.andThen(SqliteLock.hold(filename, name), Effect.andThen(say("ready"), stay))),
  migrate: Effect.gen(function* () {
    const done = yield* Migrator.make({})({
      loader: Migrator.fromRecord({
        "1_accounts": Effect.flatMap(SqlClient, (sql) => sql`CREATE TABLE accounts (name TEXT PRIMARY KEY)`),
        "2_first": Effect.flatMap(SqlClient, (sql) => sql`INSERT INTO accounts (name) VALUES ('Ada')`)
      })
    })
    yield* say(JSON.stringify(done.map(([id]) => id)))
  })
}
const program = programs[what] ?? Effect.die(`no ${what}`)
const layer = SqliteClient.layer({ filename: what === "lock" ? ":memory:" : filename })
await Effect.runPromise(Effect.provide(program, layer))
