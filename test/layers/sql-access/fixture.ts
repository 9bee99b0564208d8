/** A database with a shop and a secret, and both ways to read it. */
import { Effect, Layer } from "effect"
import { SqliteFile, SqlReader } from "effigent/layers/sql-access"
import { SqliteClient } from "effigent/layers/sqlite"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"

export const canary = "CANARY: nothing of this may get out"

/** A fresh database; its file and its bytes. */
export const shop = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "effigent-sql-"))
    const file = join(folder, "shop.db")
    const database = new DatabaseSync(file)
    database.exec(`
      CREATE TABLE orders(id INTEGER PRIMARY KEY, name TEXT NOT NULL, cents INTEGER, data BLOB);
      CREATE INDEX by_name ON orders(name);
      INSERT INTO orders VALUES (1, 'lamp', 500, x'00ff'), (2, 'desk', 9007199254740993, NULL), (3, 'it''s; -- ok', 1, NULL);
      CREATE TABLE users(id INTEGER PRIMARY KEY, password TEXT);
      INSERT INTO users VALUES (1, '${canary}');
      CREATE VIEW cheap AS SELECT id, name FROM orders WHERE cents < 1000;
      CREATE VIEW leak AS SELECT password FROM users;
      CREATE VIRTUAL TABLE notes USING fts5(body);
      INSERT INTO notes VALUES ('${canary}');`)
    database.close()
    return { folder, file, bytes: () => readFileSync(file, "base64") }
  }),
  ({ folder }) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** Both ways, by name. */
export const ways = {
  SqlReader: (file: string, options: SqlReader.Options = {}) =>
    SqlReader.layer(options).pipe(Layer.provide(SqliteClient.layer({ filename: file, journal: "delete" }))),
  SqliteFile: (file: string, options: SqlReader.Options = {}) => SqliteFile.layer({ ...options, file })
} as const
