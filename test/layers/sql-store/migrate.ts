/** A program that opens the stores on a database, a URL of PostgreSQL or a file, and prints the version of the tables. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { EffectLedgers, JournalStores } from "effigent/layers/sql-store"
import { sqliteFile } from "./databases.ts"

const database = process.argv[2] ?? ""
const sql = database.startsWith("postgres") ? PgClient.layer({ url: Redacted.make(database) }) : sqliteFile(database)

const program = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly version: number }>`SELECT version FROM effigent_schema ORDER BY version`
  console.log(rows.map(({ version }) => version).join(" "))
})

await Effect.runPromise(
  Effect.provide(program, Layer.provideMerge(Layer.mergeAll(JournalStores.layer(), EffectLedgers.layer()), sql))
)
