// What tries to write, to see what it may not, or to use up the machine. Every statement is refused by the rule that it
// names, or bounded, and the file of the database is the same, byte for byte.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Result } from "effect"
import type { ExecutorError } from "effigent/services/ActionExecutor"
import { SqlAccess } from "effigent/services/SqlAccess"
import { readdirSync } from "node:fs"
import * as Statement from "../../../layers/sql-access/Statement.ts"
import { canary, shop, ways } from "./fixture.ts"

const reasonOf = (result: Result.Result<unknown, ExecutorError>) =>
  Result.isSuccess(result)
    ? `let through: ${JSON.stringify(result.success)}`
    : result.failure.reason._tag === "Refused"
      ? result.failure.reason.rule
      : result.failure.reason._tag

const statements: ReadonlyArray<readonly [sql: string, rule: string]> = [
  // Another statement.
  ["SELECT 1; DROP TABLE orders", "sql.statements"],
  ["SELECT 1;DELETE FROM orders;", "sql.statements"],
  ["SELECT 1;\n\n  UPDATE orders SET cents = 0", "sql.statements"],
  ["SELECT 1; -- nothing\n DROP TABLE orders", "sql.statements"],
  ["SELECT 1; /* nothing */ DROP TABLE orders", "sql.statements"],
  ["SELECT ';'; DROP TABLE orders", "sql.statements"],
  ["SELECT 1;; DROP TABLE orders", "sql.statements"],
  ["SELECT 1; SELECT 2", "sql.statements"],
  ["SELECT 'it''s'; DROP TABLE orders", "sql.statements"],
  ['SELECT "a;b"; DROP TABLE orders', "sql.statements"],
  ["SELECT [a;b] FROM orders; DROP TABLE orders", "sql.statements"],
  ["SELECT `a;b`; DROP TABLE orders", "sql.statements"],
  ["SELECT '\\'; DROP TABLE orders; --'", "sql.statements"],
  // What is not whole, or closes what stands around it.
  ["SELECT 1) AS x; DROP TABLE orders; --", "sql.malformed"],
  ["SELECT 1) UNION SELECT password FROM users --", "sql.malformed"],
  ["SELECT 1) AS x, users AS y, (SELECT 1", "sql.malformed"],
  ["SELECT (1", "sql.malformed"],
  ["SELECT 'open", "sql.malformed"],
  ['SELECT "open', "sql.malformed"],
  ["SELECT [open", "sql.malformed"],
  ["SELECT 1 /* open", "sql.malformed"],
  ["SELECT 1 /* a /* b */ ; DROP TABLE orders */", "sql.malformed"],
  ["SELECT 1\0; DROP TABLE orders", "sql.malformed"],
  ["SELECT '\ud800'", "sql.malformed"],
  ["", "sql.malformed"],
  [";", "sql.malformed"],
  ["-- nothing", "sql.malformed"],
  ["/* nothing */", "sql.malformed"],
  // What writes.
  ["INSERT INTO orders VALUES (9, 'x', 1, NULL)", "sql.readOnly"],
  ["insert or replace into orders values (1, 'x', 1, null)", "sql.readOnly"],
  ["REPLACE INTO orders VALUES (1, 'x', 1, NULL)", "sql.readOnly"],
  ["UPDATE orders SET cents = 0", "sql.readOnly"],
  ["UPDATE orders SET cents = 0 RETURNING *", "sql.readOnly"],
  ["DELETE FROM orders RETURNING *", "sql.readOnly"],
  ["/* SELECT */ DELETE FROM orders", "sql.readOnly"],
  ["-- SELECT\nDELETE FROM orders", "sql.readOnly"],
  ["DROP TABLE orders", "sql.readOnly"],
  ["CREATE TABLE evil(x)", "sql.readOnly"],
  ["CREATE TEMP TABLE evil(x)", "sql.readOnly"],
  ["CREATE TABLE evil AS SELECT 1", "sql.readOnly"],
  ["CREATE TRIGGER t AFTER INSERT ON orders BEGIN DELETE FROM users; END", "sql.statements"],
  ["CREATE VIRTUAL TABLE evil USING fts5(x)", "sql.readOnly"],
  ["ALTER TABLE orders RENAME TO x", "sql.readOnly"],
  ["WITH x AS (SELECT 1) INSERT INTO orders SELECT 9, 'x', 1, NULL", "sql.readOnly"],
  ["WITH x AS (SELECT 1) DELETE FROM orders", "sql.readOnly"],
  ["WITH x AS (SELECT 1) UPDATE orders SET cents = 0", "sql.readOnly"],
  ["WITH x AS (SELECT 1), y(z) AS (SELECT 2) DELETE FROM orders RETURNING *", "sql.readOnly"],
  ["WITH x AS (DELETE FROM orders RETURNING *) SELECT * FROM x", "sql.readOnly"],
  ["WITH x AS (INSERT INTO orders VALUES (9,'x',1,NULL) RETURNING *) SELECT * FROM x", "sql.readOnly"],
  ["WITH x AS (UPDATE orders SET cents = 0 RETURNING *) SELECT * FROM x", "sql.readOnly"],
  ["SELECT * INTO evil FROM orders", "sql.readOnly"],
  ["SELECT * FROM orders INTO OUTFILE '/tmp/x'", "sql.readOnly"],
  // What reaches out of the database, or changes how it works.
  ["ATTACH DATABASE '/tmp/evil.db' AS evil", "sql.readOnly"],
  ["ATTACH ':memory:' AS evil", "sql.readOnly"],
  ["DETACH main", "sql.readOnly"],
  ["PRAGMA writable_schema = ON", "sql.readOnly"],
  ["PRAGMA query_only = OFF", "sql.readOnly"],
  ["PRAGMA journal_mode = DELETE", "sql.readOnly"],
  ["PRAGMA table_info(orders)", "sql.readOnly"],
  ["VACUUM", "sql.readOnly"],
  ["VACUUM INTO '/tmp/evil.db'", "sql.readOnly"],
  ["REINDEX", "sql.readOnly"],
  ["ANALYZE", "sql.readOnly"],
  ["BEGIN", "sql.readOnly"],
  ["COMMIT", "sql.readOnly"],
  ["SAVEPOINT x", "sql.readOnly"],
  ["EXPLAIN DELETE FROM orders", "sql.readOnly"],
  ["COPY orders TO PROGRAM 'sh'", "sql.readOnly"],
  ["CALL x()", "sql.readOnly"],
  ["DO $$ BEGIN END $$", "sql.readOnly"],
  ["SET x = 1", "sql.readOnly"],
  [".shell ls", "sql.readOnly"],
  ["(SELECT 1)", "sql.readOnly"],
  ["SELECT load_extension('/tmp/evil.so')", "sql.function"],
  ["SELECT LOAD_EXTENSION ('/tmp/evil.so', 'x')", "sql.function"],
  ["SELECT \"load_extension\"('/tmp/evil.so')", "sql.function"],
  ["SELECT [load_extension]('/tmp/evil.so')", "sql.function"],
  ["SELECT load_extension/**/('/tmp/evil.so')", "sql.function"],
  ["SELECT writefile('/tmp/evil', 'x')", "sql.function"],
  ["SELECT readfile('/etc/passwd')", "sql.function"],
  ["SELECT edit('x', 'sh')", "sql.function"],
  ["SELECT fts3_tokenizer('simple', x'00')", "sql.function"],
  ["SELECT * FROM fsdir('/')", "sql.function"],
  ["SELECT sqlite_dbpage(1)", "sql.function"],
  ["SELECT * FROM nowhere", "NotFound"],
  ["SELECT nonsense nonsense nonsense", "Broken"]
]

const guarded: ReadonlyArray<readonly [sql: string, rule: string]> = [
  ["SELECT * FROM users", "sql.table"],
  ["SELECT password FROM USERS", "sql.table"],
  ["SELECT * FROM main.users", "sql.table"],
  ['SELECT * FROM "users"', "sql.table"],
  ["SELECT * FROM [users]", "sql.table"],
  ["SELECT * FROM/**/users", "sql.table"],
  ["SELECT (SELECT password FROM users) AS x", "sql.table"],
  ["SELECT * FROM orders WHERE EXISTS (SELECT 1 FROM users WHERE password LIKE 'C%')", "sql.table"],
  ["SELECT name FROM orders UNION SELECT password FROM users", "sql.table"],
  ["WITH orders AS (SELECT password FROM users) SELECT * FROM orders", "sql.table"],
  ["WITH x AS (SELECT * FROM users) SELECT * FROM orders JOIN x ON 1", "sql.table"],
  ["SELECT * FROM leak", "sql.table"],
  ["SELECT count(*) FROM users", "sql.table"],
  ["SELECT 1 FROM orders ORDER BY (SELECT password FROM users)", "sql.table"],
  ["SELECT * FROM sqlite_schema", "sql.table"],
  ["SELECT sql FROM sqlite_master", "sql.table"],
  ["SELECT * FROM notes", "sql.table"],
  ["SELECT * FROM notes_content", "sql.table"],
  ["SELECT * FROM pragma_table_info('users')", "sql.table"],
  ["SELECT * FROM pragma_database_list", "sql.table"],
  ["SELECT * FROM dbstat", "sql.table"]
]

for (const [way, layer] of Object.entries(ways)) {
  describe(`${way}: statements that do more than read`, () => {
    // One database for all: that it is the same at the end is the point.
    it.live("each is refused by its rule, and the file stays as it is", () =>
      Effect.gen(function* () {
        const { bytes, file, folder } = yield* shop
        const before = bytes()
        const wrong: Array<string> = []
        yield* Effect.gen(function* () {
          const sql = yield* SqlAccess
          for (const [statement, rule] of statements) {
            const result = reasonOf(yield* Effect.result(sql.query(statement)))
            if (result !== rule) wrong.push(`${statement}: ${result}, not ${rule}`)
          }
          assert.strictEqual((yield* sql.query("SELECT count(*) AS n FROM orders")).rows[0]?.["n"], 3)
        }).pipe(Effect.provide(layer(file)))
        assert.deepStrictEqual(wrong, [])
        assert.strictEqual(bytes(), before)
        assert.deepStrictEqual(readdirSync(folder), ["shop.db"])
      })
    )

    it.live("tables that are not named are not read, by whatever way", () =>
      Effect.gen(function* () {
        const { file } = yield* shop
        const wrong: Array<string> = []
        yield* Effect.gen(function* () {
          const sql = yield* SqlAccess
          for (const [statement, rule] of guarded) {
            const result = reasonOf(yield* Effect.result(sql.query(statement)))
            // The names of tables of SQLite itself may be read as functions; either rule keeps them.
            if (result !== rule && !(result === "sql.function" && /pragma_|dbstat/.test(statement))) {
              wrong.push(`${statement}: ${result}, not ${rule}`)
            }
            assert.notInclude(result, canary)
          }
          assert.strictEqual((yield* sql.query("SELECT id, name FROM orders")).rows.length, 3)
          assert.strictEqual((yield* sql.query("SELECT id FROM orders WHERE name = 'lamp'")).rows.length, 1)
          const tables = yield* sql.tables
          assert.deepStrictEqual(
            tables.map(({ name }) => name),
            ["orders"]
          )
        }).pipe(Effect.provide(layer(file, { tables: ["Orders"] })))
        assert.deepStrictEqual(wrong, [])
      })
    )

    it.live("texts that come as parameters stay texts", () =>
      Effect.gen(function* () {
        const { bytes, file } = yield* shop
        const before = bytes()
        const evil = [
          "'; DROP TABLE orders; --",
          "' OR 1=1 --",
          '" OR ""="',
          "1); DELETE FROM orders; --",
          "\\'; --",
          "\u0000'; DROP"
        ]
        yield* Effect.gen(function* () {
          const sql = yield* SqlAccess
          for (const one of evil) {
            assert.deepStrictEqual((yield* sql.query("SELECT id FROM orders WHERE name = ?", [one])).rows, [])
            assert.strictEqual((yield* sql.query("SELECT ? AS x", [one])).rows[0]?.["x"], one)
          }
          const odd: ReadonlyArray<unknown> = [{}, [], undefined, Number.NaN, Number.POSITIVE_INFINITY, 1n, () => 1]
          for (const one of odd) {
            // What the types do not let through may come from a model all the same.
            const result = yield* Effect.result(sql.query("SELECT ?", [one as never]))
            assert.strictEqual(reasonOf(result), "sql.parameters", String(one))
          }
          assert.strictEqual(reasonOf(yield* Effect.result(sql.query("SELECT ?", []))).startsWith("let through"), true)
          assert.strictEqual(reasonOf(yield* Effect.result(sql.query("SELECT 1", [1]))), "Broken")
        }).pipe(Effect.provide(layer(file)))
        assert.strictEqual(bytes(), before)
      })
    )

    it.live("rows are bounded in number and size, and say so", () =>
      Effect.gen(function* () {
        const { file } = yield* shop
        yield* Effect.gen(function* () {
          const sql = yield* SqlAccess
          const series = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000000) SELECT"
          const many = yield* sql.query(`${series} x FROM c`)
          assert.deepStrictEqual([many.rows.length, many.truncated, many.rows[9]?.["x"]], [10, true, 10])
          const exact = yield* sql.query(
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 10) SELECT x FROM c"
          )
          assert.deepStrictEqual([exact.rows.length, exact.truncated], [10, false])
          const wide = yield* sql.query(`${series} x, hex(zeroblob(200)) AS text FROM c`)
          assert.isTrue(wide.truncated)
          assert.isBelow(JSON.stringify(wide.rows).length, 2200)
          assert.strictEqual(
            reasonOf(yield* Effect.result(sql.query("SELECT hex(zeroblob(5000)) AS x"))),
            "LimitExceeded"
          )
          const long = `SELECT ${"1,".repeat(11_000)}1`
          assert.strictEqual(reasonOf(yield* Effect.result(sql.query(long))), "LimitExceeded")
        }).pipe(Effect.provide(layer(file, { limits: { rows: 10, bytes: 2000 } })))
      })
    )
  })
}

describe("SqliteFile", () => {
  const endless = [
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(a.x) FROM c a, c b, c d LIMIT 1",
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 100000) SELECT count(*) FROM c a, c b, c d"
  ]
  for (const statement of endless) {
    it.live(`what would never end is stopped in time, and the next statement runs: ${statement.slice(0, 100)}`, () =>
      Effect.gen(function* () {
        const { file } = yield* shop
        yield* Effect.gen(function* () {
          const sql = yield* SqlAccess
          assert.strictEqual(reasonOf(yield* Effect.result(sql.query(statement))), "TimedOut")
          assert.strictEqual((yield* sql.query("SELECT 1 AS x")).rows[0]?.["x"], 1)
        }).pipe(Effect.provide(ways.SqliteFile(file, { limits: { millis: 700 } })))
      })
    )
  }

  it.live("what would use up the memory fails, or dies with its process", () =>
    Effect.gen(function* () {
      const { file } = yield* shop
      yield* Effect.gen(function* () {
        const sql = yield* SqlAccess
        for (const statement of [
          "SELECT hex(zeroblob(400000000)) AS x",
          "SELECT replace(hex(zeroblob(10000000)), '0', hex(zeroblob(10000))) AS x",
          "WITH RECURSIVE c(x) AS (SELECT 'x' UNION ALL SELECT x || x FROM c LIMIT 40) SELECT max(length(x)) AS n FROM c",
          "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT group_concat(x) AS n FROM c"
        ]) {
          const reason = reasonOf(yield* Effect.result(sql.query(statement)))
          assert.include(["LimitExceeded", "Unavailable", "TimedOut"], reason, statement)
        }
        assert.strictEqual((yield* sql.query("SELECT 1 AS x")).rows[0]?.["x"], 1)
      }).pipe(Effect.provide(ways.SqliteFile(file, { limits: { millis: 2000 } })))
    })
  )

  it.live("an interruption ends the statement at once, and the next one runs", () =>
    Effect.gen(function* () {
      const { file } = yield* shop
      yield* Effect.gen(function* () {
        const sql = yield* SqlAccess
        const fiber = yield* Effect.forkChild(sql.query(endless[0] ?? ""), { startImmediately: true })
        yield* Effect.sleep(100)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual((yield* sql.query("SELECT 1 AS x")).rows[0]?.["x"], 1)
      }).pipe(Effect.provide(ways.SqliteFile(file)), Effect.timeout(5000))
    })
  )

  it.live("an authorizer refuses what no word gives away", () =>
    Effect.gen(function* () {
      const { file } = yield* shop
      yield* Effect.gen(function* () {
        const sql = yield* SqlAccess
        const { rows } = yield* sql.query("SELECT replace(name, 'l', 'L') AS \"insert\" FROM orders WHERE id = 1")
        assert.strictEqual(rows[0]?.["insert"], "Lamp")
        assert.strictEqual(
          reasonOf(yield* Effect.result(sql.query("SELECT * FROM pragma_table_info('orders')"))),
          "sql.function"
        )
      }).pipe(Effect.provide(ways.SqliteFile(file)))
    })
  )
})

// Functions of PostgreSQL that act, read files, wait, or run texts as SQL; without a server, by what the check says.
describe("statements of PostgreSQL", () => {
  const refusals: ReadonlyArray<readonly [sql: string, rule: string]> = [
    ["SELECT pg_read_file('/etc/passwd')", "sql.function"],
    ["SELECT \"pg_read_file\"('/etc/passwd')", "sql.function"],
    ["SELECT pg_catalog.pg_ls_dir('/')", "sql.function"],
    ["SELECT pg_sleep(100)", "sql.function"],
    ["SELECT pg_terminate_backend(1)", "sql.function"],
    ["SELECT pg_advisory_lock(1)", "sql.function"],
    ["SELECT lo_import('/etc/passwd')", "sql.function"],
    ["SELECT lo_export(1, '/tmp/x')", "sql.function"],
    ["SELECT * FROM dblink('host=evil', 'select 1') AS t(x int)", "sql.function"],
    ["SELECT query_to_xml('select * from secret', true, true, '')", "sql.function"],
    ["SELECT database_to_xml(true, true, '')", "sql.function"],
    ["SELECT set_config('transaction_read_only', 'off', false)", "sql.function"],
    ["SELECT nextval('s')", "sql.function"],
    ['SELECT U&"p\\0067_sleep"(1)', "sql.malformed"],
    ["SELECT $$a;b$$", "sql.malformed"],
    ["SELECT $x$; DROP TABLE t; $x$", "sql.malformed"],
    ["SELECT E'\\'; DROP TABLE t; --'; DROP TABLE t", "sql.statements"],
    ["SELECT 'a\\'; DROP TABLE t; --'", "sql.statements"],
    ["SELECT 1 /* /* */ ; DROP TABLE t -- */ */", "sql.malformed"],
    ["COPY t TO PROGRAM 'sh'", "sql.readOnly"],
    ["SELECT * INTO t2 FROM t", "sql.readOnly"],
    ["WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "sql.readOnly"],
    ["WITH x AS MATERIALIZED (UPDATE t SET a = 1 RETURNING *) SELECT * FROM x", "sql.readOnly"],
    ["WITH x AS (SELECT 1) MERGE INTO t USING x ON true WHEN MATCHED THEN DELETE", "sql.readOnly"],
    ["LOCK TABLE t", "sql.readOnly"],
    ["NOTIFY x", "sql.readOnly"],
    ["EXPLAIN ANALYZE DELETE FROM t", "sql.readOnly"],
    ["TABLE t", "sql.readOnly"]
  ]
  for (const [sql, rule] of refusals) {
    it(`${rule}: ${sql}`, () => {
      const result = Statement.check(sql, "pg", 20_000)
      assert.strictEqual(
        Result.isFailure(result) && result.failure._tag === "Refused" ? result.failure.rule : "let through",
        rule
      )
    })
  }
  for (const sql of [
    "SELECT a[1], b->>'x;' FROM t WHERE c = $1;",
    "SELECT E'it\\'s; ok' -- ; \n",
    "VALUES (1), (2)",
    "SELECT pg_typeof(1)"
  ]) {
    it(`lets through: ${sql}`, () => assert.isTrue(Result.isSuccess(Statement.check(sql, "pg", 20_000))))
  }
})
