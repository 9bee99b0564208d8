/** A PostgreSQL for tests: one server per test run (see `postgresServer.ts`), and in it a database for each test. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import { find } from "./postgresServer.ts"

/** The URL of the server, with the name of its first database. */
export const url: Effect.Effect<string> = Effect.map(Effect.promise(find), (server) => server.url)

/** A new database for as long as the scope lasts; gives its URL. */
export const database = Effect.gen(function* () {
  const server = yield* url
  const name = `test_${crypto.randomUUID().replaceAll("-", "")}`
  const run = (statement: string) =>
    Effect.scoped(
      Effect.flatMap(Layer.build(PgClient.layer({ url: Redacted.make(server), maxConnections: 1 })), (context) =>
        Effect.provide(
          PgClient.PgClient.use((sql) => sql.unsafe(statement)),
          context
        )
      )
    )
  yield* Effect.acquireRelease(run(`CREATE DATABASE ${name}`), () =>
    Effect.ignore(run(`DROP DATABASE ${name} WITH (FORCE)`))
  )
  const own = new URL(server)
  own.pathname = `/${name}`
  return own.toString()
})

/** A client of a new database. */
export const client = Layer.unwrap(
  Effect.map(database, (own) => PgClient.layer({ url: Redacted.make(own), maxConnections: 8 }))
)
