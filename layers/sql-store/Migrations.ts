/**
 * The tables of the stores, and how they came to be: one step after the other, never back. Several programs may start at
 * once: one makes the steps, the others wait and find them made.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type * as SqlClient from "effect/sql/SqlClient"
import * as Databases from "./Database.ts"
import type { Database, Options } from "./Database.ts"
import { StoreFailure } from "./Failures.ts"

interface Migration {
  readonly name: string
  readonly statements: (database: Database) => ReadonlyArray<string>
}

/** The first tables. */
const journals: Migration = {
  name: "executions, journal, snapshots, tags, runners, ledger",
  statements: ({ isPostgres, prefix: p }) => {
    // Ids are compared by their bytes: in lists, everywhere the same.
    const id = isPostgres ? `text COLLATE "C"` : "TEXT"
    const number = isPostgres ? "double precision" : "REAL"
    // Room in each page for the next version of a row keeps its indexes as they are.
    const filled = isPostgres ? " WITH (fillfactor = 70)" : ""
    return [
      `CREATE TABLE ${p}executions (
        id ${id} NOT NULL PRIMARY KEY,
        search text NOT NULL,
        flow ${id} NOT NULL,
        version text,
        fingerprint text,
        status text NOT NULL,
        lifecycle text NOT NULL,
        input text NOT NULL,
        tags text NOT NULL,
        started_at ${number} NOT NULL,
        closed_at ${number},
        updated_at ${number} NOT NULL,
        seq integer NOT NULL,
        snapshot integer NOT NULL,
        fence integer NOT NULL,
        owner_runner ${id},
        owner_incarnation text,
        wake_at ${number},
        tries integer NOT NULL,
        dead text,
        mark ${number} NOT NULL,
        claim ${number},
        due_at ${number} GENERATED ALWAYS AS (CASE
          WHEN lifecycle = 'closed' OR dead IS NOT NULL THEN NULL
          WHEN status = 'waiting' THEN wake_at
          ELSE started_at END) STORED
      )${filled}`,
      `CREATE INDEX ${p}executions_start ON ${p}executions (started_at, id)`,
      `CREATE INDEX ${p}executions_flow ON ${p}executions (flow, started_at, id)`,
      `CREATE INDEX ${p}executions_status ON ${p}executions (status, started_at, id)`,
      `CREATE INDEX ${p}executions_due ON ${p}executions (due_at) WHERE due_at IS NOT NULL`,
      `CREATE INDEX ${p}executions_closed ON ${p}executions (closed_at) WHERE closed_at IS NOT NULL`,
      `CREATE INDEX ${p}executions_dead ON ${p}executions (started_at, id) WHERE dead IS NOT NULL`,
      `CREATE TABLE ${p}journal (
        id ${id} NOT NULL,
        seq integer NOT NULL,
        at ${number} NOT NULL,
        records text NOT NULL,
        crc ${number} NOT NULL,
        PRIMARY KEY (id, seq)
      )`,
      `CREATE TABLE ${p}snapshots (
        id ${id} NOT NULL,
        seq integer NOT NULL,
        json text NOT NULL,
        crc ${number} NOT NULL,
        PRIMARY KEY (id, seq)
      )`,
      `CREATE TABLE ${p}tags (
        tag ${id} NOT NULL,
        id ${id} NOT NULL,
        PRIMARY KEY (tag, id)
      )`,
      `CREATE INDEX ${p}tags_id ON ${p}tags (id)`,
      `CREATE TABLE ${p}runners (
        name ${id} NOT NULL PRIMARY KEY,
        incarnation text NOT NULL,
        until ${number} NOT NULL
      )${filled}`,
      `CREATE TABLE ${p}ledger (
        n ${isPostgres ? "bigint GENERATED ALWAYS AS IDENTITY" : "INTEGER"} PRIMARY KEY${isPostgres ? "" : " AUTOINCREMENT"},
        id ${id} NOT NULL UNIQUE,
        name text NOT NULL,
        grp ${id} NOT NULL,
        level text NOT NULL,
        attempt integer NOT NULL,
        claimer text NOT NULL,
        claimed_at ${number} NOT NULL,
        outcome text,
        settled_at ${number}
      )${filled}`,
      `CREATE INDEX ${p}ledger_group ON ${p}ledger (grp, n)`,
      `CREATE INDEX ${p}ledger_open ON ${p}ledger (n) WHERE outcome IS NULL`
    ]
  }
}

/** Conversations, and executions that are saved on demand. */
const sessions: Migration = {
  name: "sessions, turns, saved executions",
  statements: ({ isPostgres, prefix: p }) => {
    const id = isPostgres ? `text COLLATE "C"` : "TEXT"
    const number = isPostgres ? "double precision" : "REAL"
    return [
      `CREATE TABLE ${p}sessions (
        id ${id} NOT NULL PRIMARY KEY,
        version integer NOT NULL,
        turns integer NOT NULL,
        state text NOT NULL,
        mark ${number} NOT NULL
      )`,
      `CREATE TABLE ${p}turns (
        id ${id} NOT NULL,
        n integer NOT NULL,
        turn text NOT NULL,
        PRIMARY KEY (id, n)
      )`,
      `CREATE TABLE ${p}saved (
        id ${id} NOT NULL,
        version integer NOT NULL,
        at ${number} NOT NULL,
        json text NOT NULL,
        crc ${number} NOT NULL,
        mark ${number} NOT NULL,
        PRIMARY KEY (id, version)
      )`
    ]
  }
}

/** Rate limits that processes share. */
const rates: Migration = {
  name: "rate limits",
  statements: ({ isPostgres, prefix: p }) => {
    const number = isPostgres ? "double precision" : "REAL"
    return [
      `CREATE TABLE ${p}rates (
        id ${isPostgres ? `text COLLATE "C"` : "TEXT"} NOT NULL PRIMARY KEY,
        amount ${number} NOT NULL,
        at ${number} NOT NULL
      )${isPostgres ? " WITH (fillfactor = 70)" : ""}`
    ]
  }
}

const migrations: ReadonlyArray<Migration> = [journals, sessions, rates]

/** Makes the steps that are missing; fails where the tables are of a later version than this program knows. @category running */
export const migrate = (database: Database): Effect.Effect<void, StoreFailure> => {
  const { sql, isPostgres, prefix, t } = database
  const steps = Effect.gen(function* () {
    // Held until the transaction ends. SQLite's transaction holds the only lock already.
    if (isPostgres) yield* sql`SELECT pg_advisory_xact_lock(hashtext(${`${prefix}schema`}))`
    yield* sql`CREATE TABLE IF NOT EXISTS ${t.schema} (version integer NOT NULL PRIMARY KEY, name text NOT NULL)`
    const [row] = yield* sql<{ readonly version: number | null }>`SELECT max(version) AS version FROM ${t.schema}`
    const version = row?.version ?? 0
    if (version > migrations.length)
      return yield* Effect.fail(
        new StoreFailure(
          "schema",
          `Its tables are of version ${version}, and this program knows versions up to ${migrations.length}. ` +
            `Update the program, or give it tables of its own by the option \`prefix\`.`
        )
      )
    for (const [n, { name, statements }] of migrations.entries()) {
      if (n < version) continue
      for (const statement of statements(database)) yield* sql.unsafe(statement)
      yield* sql`INSERT INTO ${t.schema} (version, name) VALUES (${n + 1}, ${name})`
    }
  })
  return database.run<void, StoreFailure>(database.transaction(steps))
}

/** Looks whether PostgreSQL acknowledges only what is durable. @category running */
export const checkDurability = Effect.fnUntraced(function* (
  database: Database,
  durability: Options["durability"]
): Effect.fn.Return<void, StoreFailure> {
  if (!database.isPostgres || durability === "ignore") return
  const { sql } = database
  const found: Effect.Effect<
    ReadonlyArray<{ readonly sync: string; readonly fsync: string }>,
    SqlError
  > = sql`SELECT current_setting('synchronous_commit') AS sync, current_setting('fsync') AS fsync`
  const [row] = yield* database.run<ReadonlyArray<{ readonly sync: string; readonly fsync: string }>, never>(found)
  if (row === undefined || (row.sync !== "off" && row.fsync !== "off")) return
  const text =
    `PostgreSQL acknowledges what a crash can lose: synchronous_commit is ${row.sync}, fsync is ${row.fsync}. ` +
    `Set both to on for the database of executions, or say \`durability: "ignore"\`.`
  if (durability === "fail") return yield* Effect.fail(new StoreFailure("other", text))
  yield* Effect.logWarning(text)
})

/** The database of the client, with its tables made and its durability looked at. @category constructors */
export const open = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Database, StoreFailure, SqlClient.SqlClient> {
  const database = yield* Databases.make(options)
  yield* migrate(database)
  yield* checkDurability(database, options.durability)
  return database
})
