import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqliteFile, SqlReader } from "effigent/layers/sql-access"
import { SqliteClient } from "effigent/layers/sqlite"
import { SqlAccess } from "effigent/services/SqlAccess"
import { SqlClient } from "effect/sql"
import { writeFileSync } from "node:fs"
import { shop, ways } from "./fixture.ts"

for (const [way, layer] of Object.entries(ways)) {
  describe(way, () => {
    it.live("gives rows as JSON, with their columns", () =>
      Effect.gen(function* () {
        const { file } = yield* shop
        yield* Effect.gen(function* () {
          const sql = yield* SqlAccess
          assert.strictEqual(sql.dialect, "sqlite")
          const result = yield* sql.query(
            "SELECT id, name, data, 0.5 AS half FROM orders WHERE id IN (?, ?) ORDER BY id; -- done",
            [1, 3]
          )
          assert.deepStrictEqual(result, {
            columns: ["id", "name", "data", "half"],
            rows: [
              { id: 1, name: "lamp", data: { base64: "AP8=" }, half: 0.5 },
              { id: 3, name: "it's; -- ok", data: null, half: 0.5 }
            ],
            truncated: false
          })
          const joined = yield* sql.query(
            "SELECT a.id, b.id FROM orders a JOIN orders b ON b.id = a.id + 1 WHERE a.id = 1"
          )
          assert.deepStrictEqual(Object.values(joined.rows[0] ?? {}), [1, 2])
          assert.deepStrictEqual((yield* sql.query("SELECT ? AS a, ? AS b, ? AS c", [true, null, "x"])).rows, [
            { a: 1, b: null, c: "x" }
          ])
          assert.deepStrictEqual((yield* sql.query("VALUES (1)")).rows.length, 1)
          assert.deepStrictEqual((yield* sql.query("WITH x AS (SELECT 1 AS a) SELECT * FROM x")).rows, [{ a: 1 }])
          assert.deepStrictEqual((yield* sql.query("SELECT id FROM orders WHERE 0")).rows, [])
          assert.deepStrictEqual((yield* sql.query("SELECT name FROM cheap ORDER BY id")).rows, [
            { name: "lamp" },
            { name: "it's; -- ok" }
          ])
        }).pipe(Effect.provide(layer(file)))
      })
    )

    it.live("tells its tables and views", () =>
      Effect.gen(function* () {
        const { file } = yield* shop
        const tables = yield* SqlAccess.use(({ tables }) => tables).pipe(Effect.provide(layer(file)))
        assert.deepStrictEqual(
          tables.filter(({ name }) => name === "cheap" || name === "orders"),
          [
            {
              name: "cheap",
              kind: "view",
              columns: [
                { name: "id", type: "INTEGER", nullable: true },
                { name: "name", type: "TEXT", nullable: true }
              ]
            },
            {
              name: "orders",
              kind: "table",
              columns: [
                { name: "id", type: "INTEGER", nullable: false },
                { name: "name", type: "TEXT", nullable: false },
                { name: "cents", type: "INTEGER", nullable: true },
                { name: "data", type: "BLOB", nullable: true }
              ]
            }
          ]
        )
      })
    )

    it.live("answers many who ask at once", () =>
      Effect.gen(function* () {
        const { file } = yield* shop
        const answers = yield* SqlAccess.use((sql) =>
          Effect.forEach(
            Array.from({ length: 50 }, (_, n) => n),
            (n) => sql.query("SELECT ? AS n", [n]),
            { concurrency: "unbounded" }
          )
        ).pipe(Effect.provide(layer(file)))
        assert.deepStrictEqual(
          answers.map(({ rows }) => rows[0]?.["n"]),
          Array.from({ length: 50 }, (_, n) => n)
        )
      })
    )
  })
}

describe("SqlReader", () => {
  it.live("leaves the client as it was: the program may write before and after", () =>
    Effect.gen(function* () {
      const { file } = yield* shop
      const program = Effect.gen(function* () {
        const client = yield* SqlClient.SqlClient
        const sql = yield* SqlAccess
        yield* client`INSERT INTO users VALUES (2, 'x')`
        yield* sql.query("SELECT 1")
        yield* Effect.ignore(sql.query("SELECT nonsense"))
        yield* client`INSERT INTO users VALUES (3, 'y')`
        return (yield* sql.query("SELECT count(*) AS n FROM users")).rows
      })
      const rows = yield* Effect.provide(
        program,
        Layer.provideMerge(SqlReader.layer(), SqliteClient.layer({ filename: file, journal: "delete" }))
      )
      assert.deepStrictEqual(rows, [{ n: 3 }])
    })
  )
})

describe("SqliteFile", () => {
  it.live("keeps whole numbers of 64 bits", () =>
    Effect.gen(function* () {
      const { file } = yield* shop
      const { rows } = yield* SqlAccess.use((sql) => sql.query("SELECT cents FROM orders WHERE id = 2")).pipe(
        Effect.provide(SqliteFile.layer({ file }))
      )
      assert.deepStrictEqual(rows, [{ cents: "9007199254740993" }])
    })
  )

  it.live("fails where there is no database", () =>
    Effect.gen(function* () {
      const { file, folder } = yield* shop
      writeFileSync(`${folder}/text.db`, "no database at all, but a text that is long enough to be read as one")
      for (const path of [`${file}-not`, `${folder}/text.db`, folder]) {
        const error = yield* Effect.flip(
          Effect.provide(
            SqlAccess.use(() => Effect.void),
            SqliteFile.layer({ file: path })
          )
        )
        assert.strictEqual(error.reason._tag, "Unavailable", path)
      }
    })
  )
})
