/**
 * A program that appends to 20 executions as fast as it can, on a URL of PostgreSQL or a file of SQLite, and prints each
 * append once it is acknowledged, until it is killed.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import { JournalStores } from "effigent/layers/sql-store"
import { JournalStore } from "effigent/services/JournalStore"
import { writeSync } from "node:fs"
import { sqliteFile } from "./databases.ts"

const database = process.argv[2] ?? ""
const sql = database.startsWith("postgres") ? PgClient.layer({ url: Redacted.make(database) }) : sqliteFile(database)

const one = Effect.fnUntraced(function* (store: JournalStore["Service"], id: string) {
  yield* store.create({
    id,
    flow: "f",
    status: "running",
    lifecycle: "open",
    input: "",
    tags: [],
    owner: { runner: "r", incarnation: "1" },
    records: [0]
  })
  for (let expected = 1; ; expected++) {
    yield* store.append({
      id,
      fence: 1,
      expected,
      records: [expected],
      ...(expected % 10 === 9 && { snapshot: expected })
    })
    writeSync(1, `${id} ${expected + 1}\n`)
  }
})

const program = JournalStore.use((store) =>
  Effect.forEach(
    Array.from({ length: 20 }, (_, n) => `e${n}`),
    (id) => one(store, id),
    { concurrency: "unbounded" }
  )
)

await Effect.runPromise(Effect.provide(program, Layer.provide(JournalStores.layer(), sql)))
