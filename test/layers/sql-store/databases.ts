/** The databases that the stores are tested on: a file of SQLite, a database of PostgreSQL. */
import { Effect, Layer } from "effect"
import { SqliteClient } from "effigent/layers/sqlite"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Postgres from "../../support/postgres.ts"

/** A folder for as long as the scope lasts. */
export const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "effigent-sql-store-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A client of a file of SQLite. */
export const sqliteFile = (filename: string) => SqliteClient.layer({ filename })

/** A new file of SQLite. */
export const sqlite = Layer.unwrap(Effect.map(folder, (path) => sqliteFile(join(path, "store.db"))))

/** A new database of PostgreSQL. */
export const postgres = Postgres.client

/** All of them by name. */
export const databases = { sqlite, postgres }
