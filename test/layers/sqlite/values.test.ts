import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { SafeIntegers, SqlClient } from "effect/sql/SqlClient"
import { SqliteClient } from "effigent/layers/sqlite"
import { bind } from "../../../layers/sqlite/Values.ts"
import { count, fresh, told } from "./support.ts"

const Value = Schema.Union([
  Schema.String.check(Schema.makeFilter((text) => text.isWellFormed())),
  Schema.Finite,
  Schema.Int,
  Schema.Uint8Array,
  Schema.Null,
  Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: -(2n ** 63n), maximum: 2n ** 63n - 1n }))
])

// What comes back where integers are bigint.
const wanted = (value: typeof Value.Type) =>
  typeof value === "number" && Number.isSafeInteger(value) && !Object.is(value, -0) ? BigInt(value) : value

for (const thread of ["main", "worker"] as const) {
  const memory = SqliteClient.layer({ filename: ":memory:", thread })

  describe(`values, thread ${thread}`, () => {
    it.effect.prop(
      "come back as they were stored",
      [Schema.Array(Value)],
      ([values]) =>
        Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* sql`CREATE TABLE v (i INTEGER PRIMARY KEY, value)`
          for (const value of values) yield* sql`INSERT INTO v (value) VALUES (${value})`
          const rows = yield* sql<{ value: unknown }>`SELECT value FROM v ORDER BY i`.pipe(
            Effect.provideService(SafeIntegers, true)
          )
          assert.deepStrictEqual(
            rows.map(({ value }) => value),
            values.map(wanted)
          )
        }).pipe(Effect.provide(memory)),
      { arbitrary: { runs: thread === "main" ? 100 : 20 } }
    )

    it.effect("are what SQLite makes of booleans, dates, undefined and views of bytes", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const bytes = new Uint8Array([1, 2, 3, 4]).subarray(1, 3)
        const date = new Date("2026-01-02T03:04:05.678Z")
        const [row] =
          yield* sql`SELECT ${true} AS yes, ${false} AS no, ${date} AS day, ${undefined} AS none, ${bytes} AS bytes,
            typeof(${1}) AS one, typeof(${1.5}) AS half, ${"é\u0000😀"} AS text, CAST(${1} AS TEXT) AS said`
        assert.deepStrictEqual(row, {
          yes: 1,
          no: 0,
          day: "2026-01-02T03:04:05.678Z",
          none: null,
          bytes: new Uint8Array([2, 3]),
          one: "integer",
          half: "real",
          text: "é\u0000😀",
          said: "1"
        })
      }).pipe(Effect.provide(memory))
    )

    it.effect("are refused, by type and place, where they would change", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        for (const value of [
          { a: 1 },
          "a\ud800",
          Symbol("x"),
          () => 1,
          NaN,
          new Date(NaN),
          2n ** 63n,
          -(2n ** 63n) - 1n
        ]) {
          const error = yield* Effect.flip(sql`SELECT ${1} AS one, ${value} AS two`)
          assert.deepStrictEqual(told(error), ["UnknownError", "PARAMETER"])
          assert.include(error.message, ":memory:: parameter 2: ")
          assert.include(error.message, "in: SELECT ? AS one")
        }
      }).pipe(Effect.provide(memory))
    )

    it.effect("that are integers too large for a number are an error, never rounded", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const large = 2n ** 53n + 1n
        const error = yield* Effect.flip(sql`SELECT ${large} AS n`)
        assert.deepStrictEqual(told(error), ["UnknownError", "ERR_OUT_OF_RANGE"])
        assert.include(error.message, 'integers: "bigint"')
        const streamed = yield* Effect.flip(count(sql`SELECT ${large} AS n`.stream))
        assert.deepStrictEqual(told(streamed), ["UnknownError", "ERR_OUT_OF_RANGE"])
        const safe = yield* Effect.provideService(sql`SELECT ${large} AS n`, SafeIntegers, true)
        assert.deepStrictEqual(safe, [{ n: large }])
        // The connection goes on, and its setting with it.
        assert.deepStrictEqual(yield* sql`SELECT ${5} AS n`, [{ n: 5 }])
        yield* sql`CREATE TABLE l (id INTEGER PRIMARY KEY)`
        assert.deepStrictEqual(yield* sql`INSERT INTO l VALUES (${large})`.raw, { changes: 1, lastInsertRowid: large })
      }).pipe(Effect.provide(memory))
    )

    it.effect("of a client that was asked for bigint are bigint", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        assert.deepStrictEqual(yield* sql`SELECT 1 AS n`, [{ n: 1n }])
        assert.deepStrictEqual(yield* Stream.runCollect(sql`SELECT 1 AS n`.stream), [{ n: 1n }])
      }).pipe(Effect.provide(SqliteClient.layer({ filename: ":memory:", thread, integers: "bigint" })))
    )

    it.effect("come as rows, as arrays, raw, and under other names", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* sql`CREATE TABLE names (first_name TEXT)`
        yield* sql`INSERT INTO names ${sql.insert({ firstName: "Ada" })}`
        // Raw leaves out the changes of names too.
        assert.deepStrictEqual(yield* sql`INSERT INTO names VALUES ('Bob')`.raw, { changes: 1, lastInsertRowid: 2 })
        yield* sql`DELETE FROM names WHERE rowid = 2`
        assert.deepStrictEqual(yield* sql`SELECT * FROM names`, [{ firstName: "Ada" }])
        assert.deepStrictEqual(yield* sql`SELECT * FROM names`.withoutTransform, [{ first_name: "Ada" }])
        assert.deepStrictEqual(yield* sql`SELECT * FROM names`.unprepared, [{ firstName: "Ada" }])
        assert.deepStrictEqual(yield* sql`SELECT 1 AS a, 2 AS a`.values, [[1, 2]])
        assert.deepStrictEqual(yield* sql`SELECT 1 AS a, 2 AS a`.valuesUnprepared, [[1, 2]])
        assert.deepStrictEqual(yield* sql`SELECT 1 AS a`.raw, [{ a: 1 }])
        assert.deepStrictEqual(Object.entries((yield* sql`SELECT 1 AS "__proto__"`.withoutTransform)[0] ?? {}), [
          ["__proto__", 1]
        ])
      }).pipe(
        Effect.provide(
          SqliteClient.layer({
            filename: ":memory:",
            thread,
            transformQueryNames: (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
            transformResultNames: (name) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
          })
        )
      )
    )
  })
}

describe("statements", () => {
  it.effect("that are kept see a schema that has changed, and the oldest make room", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`CREATE TABLE t (a)`
      yield* sql`INSERT INTO t VALUES (1)`
      assert.deepStrictEqual(yield* sql`SELECT * FROM t`, [{ a: 1 }])
      yield* sql`ALTER TABLE t ADD COLUMN b DEFAULT 2`
      assert.deepStrictEqual(yield* sql`SELECT * FROM t`, [{ a: 1, b: 2 }])
      for (let n = 0; n < 10; n++) assert.deepStrictEqual(yield* sql.unsafe(`SELECT ${n} AS n`), [{ n }])
      assert.deepStrictEqual(yield* sql`SELECT * FROM t`, [{ a: 1, b: 2 }])
    }).pipe(Effect.provide(SqliteClient.layer({ filename: ":memory:", statements: 2 })))
  )

  it.effect("that are several are refused, not cut off after the first", () =>
    Effect.gen(function* () {
      const sql = yield* SqliteClient.SqliteClient
      const error = yield* Effect.flip(sql.unsafe("CREATE TABLE a (x); CREATE TABLE b (x)"))
      assert.deepStrictEqual(told(error), ["SqlSyntaxError", "SEVERAL"])
      assert.deepStrictEqual(yield* sql.unsafe("SELECT ';--' AS x; -- the end\n /* ; */ ;"), [{ x: ";--" }])
      yield* sql.script("CREATE TABLE a (x); CREATE TABLE b (x); INSERT INTO b VALUES (1)")
      assert.deepStrictEqual(yield* sql`SELECT * FROM b`, [{ x: 1 }])
    }).pipe(Effect.provide(SqliteClient.layer({ filename: ":memory:" })))
  )

  it("take parameters of all kinds of bytes without what lies around them", () => {
    const buffer = Buffer.from("0123456789")
    const bound = bind([
      buffer.subarray(2, 4),
      new DataView(buffer.buffer, buffer.byteOffset + 1, 1),
      new ArrayBuffer(1)
    ])
    assert.deepStrictEqual(bound._tag === "Success" ? bound.success : [], [
      new Uint8Array([50, 51]),
      new Uint8Array([49]),
      new Uint8Array([0])
    ])
  })
})

describe("streams", () => {
  for (const thread of ["main", "worker"] as const) {
    it.effect(`give 100,000 rows in pages, thread ${thread}`, () =>
      Effect.gen(function* () {
        const filename = yield* fresh
        const sizes: Array<number> = []
        const program = Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* sql`CREATE TABLE big (id INTEGER PRIMARY KEY, text TEXT)`
          yield* sql`INSERT INTO big (text) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
            SELECT hex(zeroblob(50)) FROM n`
          const before = process.memoryUsage().heapUsed
          let most = 0
          const rows = yield* sql<{ id: number }>`SELECT * FROM big ORDER BY id`.stream.pipe(
            Stream.chunks,
            Stream.tap((page) =>
              Effect.sync(() => {
                sizes.push(page.length)
                most = Math.max(most, process.memoryUsage().heapUsed - before)
              })
            ),
            Stream.flattenIterable,
            Stream.runFold(
              () => 0,
              (last, row) => {
                assert.strictEqual(row.id, last + 1)
                return row.id
              }
            )
          )
          assert.strictEqual(rows, 100_000)
          assert.strictEqual(Math.max(...sizes), 256)
          // All rows at once would be more than 30 MB.
          assert.isBelow(most, 64 * 1024 * 1024)
          // What is left off in the middle is given back.
          for (let n = 0; n < 50; n++)
            assert.strictEqual(yield* count(Stream.take(sql`SELECT * FROM big`.stream, 3)), 3)
          yield* sql`DROP TABLE big`
        })
        yield* Effect.provide(program, SqliteClient.layer({ filename, thread }))
      })
    )

    it.effect(`end a page at a MiB of large values, thread ${thread}`, () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const sizes = yield* sql`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)
          SELECT zeroblob(600000) AS x FROM n`.stream.pipe(
          Stream.chunks,
          Stream.map((page) => page.length),
          Stream.runCollect
        )
        assert.deepStrictEqual(sizes, [2, 2, 2, 2, 2])
      }).pipe(Effect.provide(SqliteClient.layer({ filename: ":memory:", thread })))
    )

    it.effect(`lets whoever reads a row read and write, and see one state of the data, thread ${thread}`, () =>
      Effect.gen(function* () {
        const filename = yield* fresh
        const program = Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* sql`CREATE TABLE t (id INTEGER PRIMARY KEY)`
          yield* sql`INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) SELECT i FROM n`
          let seen = 0
          yield* sql<{ id: number }>`SELECT id FROM t`.stream.pipe(
            Stream.runForEach(({ id }) =>
              Effect.gen(function* () {
                seen++
                yield* sql`INSERT INTO t VALUES (${id + 100})`
                assert.deepStrictEqual(yield* sql`SELECT count(*) AS n FROM t`, [{ n: 20 + seen }])
              })
            )
          )
          assert.strictEqual(seen, 20)
        })
        yield* Effect.provide(program, SqliteClient.layer({ filename, thread, page: 3 }))
      })
    )
  }
})
