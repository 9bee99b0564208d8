import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Config, Effect, Exit, Layer, Scope, Stream } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { SqliteClient } from "effigent/layers/sqlite"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { Worker } from "node:worker_threads"
import { count, fresh, start, told } from "./support.ts"

/** Uses the client of a file and closes it. */
const using = <A, E>(options: SqliteClient.Options, effect: Effect.Effect<A, E, SqlClient>) =>
  Effect.provide(effect, SqliteClient.layer(options))

const run = (text: string, params: ReadonlyArray<unknown> = []) =>
  Effect.flatMap(SqlClient, (sql) => sql.unsafe(text, params))

/** Many rows, so that the file has many pages. */
const fill = Effect.andThen(
  run("CREATE TABLE big (id INTEGER PRIMARY KEY, x TEXT)"),
  run(`INSERT INTO big (x) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
    SELECT hex(zeroblob(100)) FROM n`)
)

for (const thread of ["main", "worker"] as const) {
  describe(`errors, thread ${thread}`, () => {
    it.effect("of constraints say which", () =>
      using(
        { filename: ":memory:", thread },
        Effect.gen(function* () {
          yield* run(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT UNIQUE, age INTEGER CHECK (age > 0)) STRICT"
          )
          yield* run("CREATE TABLE child (parent INTEGER NOT NULL REFERENCES parent (id))")
          yield* run("INSERT INTO parent VALUES (1, 'Ada', 36)")
          const reasons = yield* Effect.forEach(
            [
              "INSERT INTO parent VALUES (1, 'Bob', 1)",
              "INSERT INTO parent VALUES (2, 'Ada', 1)",
              "INSERT INTO parent VALUES (3, 'Cid', 0)",
              "INSERT INTO parent VALUES (4, 'Dan', 'old')",
              "INSERT INTO child VALUES (NULL)",
              "INSERT INTO child VALUES (9)"
            ],
            (text) =>
              Effect.map(Effect.flip(run(text)), ({ reason }) =>
                reason._tag === "UniqueViolation" ? reason.constraint : reason._tag
              )
          )
          const other = "ConstraintError"
          assert.deepStrictEqual(reasons, ["parent.id", "parent.name", other, other, other, other])
        })
      )
    )

    it.effect("of the text of a statement name file and statement", () =>
      using(
        { filename: ":memory:", thread },
        Effect.gen(function* () {
          for (const text of ["SELEC 1", "SELECT * FROM nowhere"]) {
            const error = yield* Effect.flip(run(text))
            assert.deepStrictEqual(told(error), ["SqlSyntaxError", "SQLITE_ERROR"])
            assert.isTrue(
              error.message.startsWith(":memory:: ") && error.message.endsWith(`, in: ${text}`),
              error.message
            )
            assert.isFalse(error.isRetryable)
          }
          const long = yield* Effect.flip(run(`SELECT nowhere, '${"x".repeat(10_000)}'`))
          assert.isBelow(long.message.length, 300)
          assert.deepStrictEqual(told(yield* Effect.flip(run("SELECT 1", [1, 2]))), ["SqlSyntaxError", "SQLITE_RANGE"])
          assert.deepStrictEqual(told(yield* Effect.flip(count((yield* SqlClient).unsafe("SELEC 1").stream))), [
            "SqlSyntaxError",
            "SQLITE_ERROR"
          ])
          assert.deepStrictEqual(told(yield* Effect.flip(run(""))), ["UnknownError", "ERR_INVALID_ARG_VALUE"])
        })
      )
    )

    it.effect("of a file that may only be read; it can be read", () =>
      Effect.gen(function* () {
        const filename = yield* fresh
        yield* using({ filename, thread }, Effect.andThen(run("CREATE TABLE t (x)"), run("INSERT INTO t VALUES (1)")))
        yield* using(
          { filename, thread, readOnly: true },
          Effect.gen(function* () {
            const sql = yield* SqlClient
            assert.deepStrictEqual(yield* run("SELECT * FROM t"), [{ x: 1 }])
            const nested = sql`SELECT * FROM t`.stream.pipe(Stream.mapEffect(() => run("SELECT 2 AS x")))
            assert.deepStrictEqual(yield* Stream.runCollect(nested), [[{ x: 2 }]])
            assert.deepStrictEqual(yield* sql.withTransaction(run("SELECT * FROM t")), [{ x: 1 }])
            const error = yield* Effect.flip(sql.withTransaction(run("INSERT INTO t VALUES (2)")))
            assert.deepStrictEqual(told(error), ["AuthorizationError", "SQLITE_READONLY"])
          })
        )
      })
    )

    it.effect("of a full disk roll back, and there is room again after that", () =>
      Effect.gen(function* () {
        const filename = yield* fresh
        yield* using(
          { filename, thread },
          Effect.gen(function* () {
            const sql = yield* SqlClient
            yield* fill
            yield* run("PRAGMA max_page_count = 200")
            const error = yield* Effect.flip(
              sql.withTransaction(run("INSERT INTO big (x) VALUES (?)", ["x".repeat(2_000_000)]))
            )
            assert.deepStrictEqual(told(error), ["UnknownError", "SQLITE_FULL"])
            assert.include(error.message, filename)
            assert.deepStrictEqual(yield* run("SELECT count(*) AS n FROM big"), [{ n: 2000 }])
            yield* run("DELETE FROM big WHERE id > 100")
            yield* sql.withTransaction(run("INSERT INTO big (x) VALUES ('y')"))
          })
        )
      })
    )

    it.effect("of a file that is no database, that is damaged, and that cannot be opened", () =>
      Effect.gen(function* () {
        const filename = yield* fresh
        writeFileSync(filename, "This is a letter, not a database. ".repeat(100))
        const letter = yield* Effect.flip(using({ filename, thread }, run("SELECT 1")))
        assert.deepStrictEqual(told(letter), ["UnknownError", "SQLITE_NOTADB"])
        assert.include(letter.message, filename)

        const damaged = yield* fresh
        yield* using({ filename: damaged, thread }, fill)
        const bytes = readFileSync(damaged)
        // All but the first page, which has the schema.
        for (let at = 4096; at < bytes.length; at++) bytes[at] = (bytes[at] ?? 0) ^ 0x55
        writeFileSync(damaged, bytes)
        yield* using(
          { filename: damaged, thread },
          Effect.gen(function* () {
            const error = yield* Effect.flip(run("SELECT sum(length(x)) FROM big"))
            assert.deepStrictEqual(told(error), ["UnknownError", "SQLITE_CORRUPT"])
            const sql = yield* SqlClient
            assert.deepStrictEqual(told(yield* Effect.flip(count(sql`SELECT * FROM big`.stream))), [
              "UnknownError",
              "SQLITE_CORRUPT"
            ])
          })
        )

        const nowhere = yield* Effect.flip(using({ filename: `${filename}/no/where.db`, thread }, run("SELECT 1")))
        assert.deepStrictEqual(told(nowhere), ["ConnectionError", "SQLITE_CANTOPEN"])
        const missing = yield* fresh
        const readOnly = yield* Effect.flip(using({ filename: missing, thread, readOnly: true }, run("SELECT 1")))
        assert.deepStrictEqual(told(readOnly), ["ConnectionError", "SQLITE_CANTOPEN"])
        assert.isFalse(existsSync(missing))
      })
    )

    it.live("of a lock that another process holds; afterwards it goes on", () =>
      Effect.gen(function* () {
        const filename = yield* fresh
        yield* using({ filename, thread }, run("CREATE TABLE t (x)"))
        const other = yield* start("write", filename)
        yield* other.said(1)
        yield* using(
          { filename, thread, busyTimeout: 30 },
          Effect.gen(function* () {
            const sql = yield* SqlClient
            for (const write of [
              run("INSERT INTO t VALUES (1)"),
              sql.withTransaction(run("INSERT INTO t VALUES (1)"))
            ]) {
              const error = yield* Effect.flip(write)
              assert.deepStrictEqual(told(error), ["LockTimeoutError", "SQLITE_BUSY"])
              assert.isTrue(error.isRetryable)
            }
            assert.deepStrictEqual(yield* run("SELECT * FROM t"), [])
            yield* other.kill
            yield* sql.withTransaction(run("INSERT INTO t VALUES (2)"))
            assert.deepStrictEqual(yield* run("SELECT * FROM t"), [{ x: 2 }])
          })
        )
      })
    )

    it.effect("of a transaction that read what another connection has changed since", () =>
      Effect.gen(function* () {
        const filename = yield* fresh
        yield* using(
          { filename, thread, begin: "deferred" },
          Effect.gen(function* () {
            const sql = yield* SqlClient
            yield* run("CREATE TABLE t (x)")
            const error = yield* Effect.flip(
              sql.withTransaction(
                Effect.gen(function* () {
                  yield* run("SELECT * FROM t")
                  const other = new DatabaseSync(filename)
                  other.exec("INSERT INTO t VALUES (1)")
                  other.close()
                  yield* run("INSERT INTO t VALUES (2)")
                })
              )
            )
            assert.deepStrictEqual(told(error), ["SerializationError", "SQLITE_BUSY"])
            assert.deepStrictEqual(yield* run("SELECT * FROM t"), [{ x: 1 }])
          })
        )
      })
    )

    it.effect("say that the client is closed", () =>
      Effect.gen(function* () {
        const filename = yield* fresh
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(SqliteClient.layer({ filename, thread }), scope)
        yield* Effect.provide(Effect.andThen(run("CREATE TABLE t (x)"), run("INSERT INTO t VALUES (1)")), context)
        assert.isTrue(existsSync(`${filename}-wal`))
        yield* Scope.close(scope, Exit.void)
        // All is in the one file.
        assert.isFalse(existsSync(`${filename}-wal`))
        const error = yield* Effect.flip(Effect.provide(run("INSERT INTO t VALUES (2)"), context))
        assert.strictEqual(SqliteClient.codeOf(error), thread === "main" ? "CLOSED" : "ENDED")
        const other = new DatabaseSync(filename)
        assert.strictEqual(other.prepare("SELECT count(*) AS n FROM t").get()?.["n"], 1)
        other.close()
      })
    )
  })
}

describe("a thread that dies", () => {
  it.effect("fails what waits for it and what comes after, also in a transaction, and closes", () =>
    Effect.gen(function* () {
      const filename = yield* fresh
      yield* using({ filename }, run("CREATE TABLE t (x)"))
      // The thread, as whoever ends it from outside would find it.
      const threads = new Set<Worker>()
      const post = Worker.prototype.postMessage
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          Worker.prototype.postMessage = function (...args) {
            threads.add(this)
            return post.apply(this, args)
          }
        }),
        () => Effect.sync(() => (Worker.prototype.postMessage = post))
      )
      const errors: ReadonlyArray<SqlError> = yield* using(
        { filename, readConnection: false },
        Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* run("SELECT 1")
          const inside = sql.withTransaction(
            Effect.gen(function* () {
              yield* run("INSERT INTO t VALUES (1)")
              for (const thread of threads) void thread.terminate()
              yield* Effect.all([run("INSERT INTO t VALUES (2)"), run("INSERT INTO t VALUES (3)")], { concurrency: 2 })
            })
          )
          return [
            yield* Effect.flip(inside),
            yield* Effect.flip(run("SELECT 1")),
            yield* Effect.flip(sql.withTransaction(run("SELECT 1"))),
            yield* Effect.flip(count(sql`SELECT 1`.stream))
          ]
        })
      )
      assert.strictEqual(threads.size, 1)
      assert.deepStrictEqual(
        errors.map(told),
        Array.from({ length: 4 }, () => ["ConnectionError", "ENDED"])
      )
      assert.deepStrictEqual(yield* using({ filename }, run("SELECT * FROM t")), [])
    })
  )
})

describe("options", () => {
  it.effect("that make no sense are refused by name", () =>
    Effect.gen(function* () {
      // From a configuration that nobody has checked.
      const busyTimeout = "5 parsecs" as "5 seconds"
      const error = yield* Effect.flip(using({ filename: ":memory:", busyTimeout }, run("SELECT 1")))
      assert.deepStrictEqual(told(error), ["UnknownError", "OPTION"])
      assert.include(error.message, 'busyTimeout: "5 parsecs"')
    })
  )

  it.effect("come from the configuration", () =>
    Effect.gen(function* () {
      const filename = yield* fresh
      const layer = SqliteClient.layerConfig({
        filename: Config.String("DB_FILE"),
        foreignKeys: Config.Boolean("DB_KEYS")
      })
      const pragma = (name: string) => Effect.map(run(`PRAGMA ${name}`), ([row]) => Object.values(row ?? {})[0])
      const provided = Layer.provide(
        layer,
        ConfigProvider.layer(ConfigProvider.fromUnknown({ DB_FILE: filename, DB_KEYS: "false" }))
      )
      const settings = Effect.all([pragma("journal_mode"), pragma("synchronous"), pragma("foreign_keys")])
      assert.deepStrictEqual(yield* Effect.provide(settings, provided), ["wal", 2, 0])
      const other = using({ filename, journal: "delete", synchronous: "normal", busyTimeout: "1 second" }, settings)
      assert.deepStrictEqual(yield* other, ["delete", 1, 1])
      const error = yield* Effect.flip(
        Effect.provide(settings, Layer.provide(layer, ConfigProvider.layer(ConfigProvider.fromUnknown({}))))
      )
      assert.strictEqual(error._tag, "ConfigError")
    })
  )
})
