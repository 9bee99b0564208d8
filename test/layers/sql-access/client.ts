/** A `SqlClient` over node:sqlite, as small as tests need it. */
import { Effect, Layer, Semaphore, Stream } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import { SqlClient, type SqlConnection, SqlError, Statement } from "effect/sql"
import { DatabaseSync, type SQLInputValue } from "node:sqlite"

const run = (database: DatabaseSync, sql: string, params: ReadonlyArray<unknown>) =>
  Effect.try({
    // Tests give values that SQLite takes.
    try: () => database.prepare(sql).all(...(params as ReadonlyArray<SQLInputValue>)),
    catch: (cause) => new SqlError.SqlError({ reason: SqlError.classifySqliteError(cause, { message: "failed" }) })
  })

/** A client of a file that may write. */
export const client = (file: string) =>
  Layer.effect(
    SqlClient.SqlClient,
    Effect.gen(function* () {
      const database = yield* Effect.acquireRelease(
        Effect.sync(() => new DatabaseSync(file)),
        (database) => Effect.sync(() => database.close())
      )
      const connection: SqlConnection.Connection = {
        execute: (sql, params) => run(database, sql, params),
        executeRaw: (sql, params) => run(database, sql, params),
        executeStream: () => Stream.die("not here"),
        executeValues: (sql, params) =>
          Effect.map(run(database, sql, params), (rows) => rows.map((row) => Object.values(row))),
        executeValuesUnprepared: (sql, params) =>
          Effect.map(run(database, sql, params), (rows) => rows.map((row) => Object.values(row))),
        executeUnprepared: (sql, params) => run(database, sql, params)
      }
      const semaphore = yield* Semaphore.make(1)
      return yield* SqlClient.make({
        ...SqlClient.makeSqliteAcquirers({ connection: Effect.succeed(connection), semaphore }),
        compiler: Statement.makeCompilerSqlite(),
        driver: "test-sqlite",
        spanAttributes: []
      })
    })
  ).pipe(Layer.provide(Reactivity.layer))
