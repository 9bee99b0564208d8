import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { BeginTransaction, SqlClient } from "effect/sql/SqlClient"
import { SqliteClient } from "effigent/layers/sqlite"
import { count, fresh, told } from "./support.ts"

const values = Effect.flatMap(SqlClient, (sql) =>
  Effect.map(sql<{ x: number }>`SELECT x FROM t ORDER BY x`, (rows) => rows.map(({ x }) => x))
)
const insert = (x: number) => Effect.flatMap(SqlClient, (sql) => sql`INSERT INTO t VALUES (${x})`)

/** Takes SQLite a while: as many steps as are asked for. */
const long = (steps: number) =>
  Effect.flatMap(
    SqlClient,
    (sql) => sql<{ n: number }>`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${steps})
      SELECT count(*) AS n FROM n`
  )

const kinds: ReadonlyArray<Omit<SqliteClient.Options, "filename">> = [
  { thread: "worker" },
  { thread: "main" },
  { thread: "worker", readConnection: false },
  { thread: "worker", journal: "delete" }
]

for (const options of kinds) {
  /** With a table `t` of one unique column. */
  const within = <A, E>(effect: Effect.Effect<A, E, SqlClient | SqliteClient.SqliteClient>) =>
    Effect.gen(function* () {
      const filename = yield* fresh
      const made = Effect.flatMap(SqlClient, (sql) => sql`CREATE TABLE t (x INTEGER UNIQUE CHECK (x > 0))`)
      return yield* Effect.provide(Effect.andThen(made, effect), SqliteClient.layer({ filename, ...options }))
    })

  describe(`transactions, ${JSON.stringify(options)}`, () => {
    it.effect("commit, and roll back on failures and defects", () =>
      within(
        Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* sql.withTransaction(Effect.andThen(insert(1), insert(2)))
          const failed = yield* Effect.exit(sql.withTransaction(Effect.andThen(insert(3), Effect.fail("no"))))
          assert.deepStrictEqual(failed, Exit.fail("no"))
          yield* Effect.exit(sql.withTransaction(Effect.andThen(insert(4), Effect.die("broken"))))
          const unique = yield* Effect.flip(sql.withTransaction(Effect.andThen(insert(5), insert(1))))
          assert.strictEqual(unique._tag === "SqlError" && unique.reason._tag, "UniqueViolation")
          assert.deepStrictEqual(yield* values, [1, 2])
        })
      )
    )

    it.effect("in one go give the rows of each statement, and are done whole or not at all", () =>
      within(
        Effect.gen(function* () {
          const sql = yield* SqliteClient.SqliteClient
          const rows = yield* sql.together([
            sql`INSERT INTO t VALUES (${1}), (${2}) RETURNING x`,
            sql`INSERT INTO t SELECT x + ${2} FROM t`,
            sql`SELECT count(*) AS n FROM t`
          ])
          assert.deepStrictEqual(rows, [[{ x: 1 }, { x: 2 }], [], [{ n: 4 }]])
          const failed = yield* Effect.flip(
            sql.together([sql`INSERT INTO t VALUES (5)`, sql`INSERT INTO t VALUES (1)`])
          )
          assert.strictEqual(failed.reason._tag, "UniqueViolation")
          // SQLite itself rolls this one back.
          yield* Effect.flip(sql.together([sql`INSERT INTO t VALUES (6)`, sql`INSERT OR ROLLBACK INTO t VALUES (1)`]))
          yield* Effect.flip(sql.together([sql`INSERT INTO t VALUES (7)`, sql`INSERT INTO nowhere VALUES (1)`]))
          assert.deepStrictEqual(yield* sql.together([]), [])
          assert.deepStrictEqual(yield* values, [1, 2, 3, 4])
          yield* sql.withTransaction(insert(8))
          assert.deepStrictEqual(yield* values, [1, 2, 3, 4, 8])
        })
      )
    )

    it.effect("in one go wait for a transaction that is open, and end whole where they are interrupted", () =>
      within(
        Effect.gen(function* () {
          const sql = yield* SqliteClient.SqliteClient
          const begun = yield* Deferred.make<void>()
          const go = yield* Deferred.make<void>()
          const open = yield* Effect.forkChild(
            sql.withTransaction(
              Effect.andThen(
                insert(1),
                Effect.andThen(
                  Deferred.succeed(begun, undefined),
                  Effect.andThen(Deferred.await(go), Effect.fail("no"))
                )
              )
            )
          )
          yield* Deferred.await(begun)
          const waiting = yield* Effect.forkChild(sql.together([sql`INSERT INTO t VALUES (2)`]))
          yield* Deferred.succeed(go, undefined)
          yield* Fiber.await(open)
          yield* Fiber.join(waiting)
          assert.deepStrictEqual(yield* values, [2])
          for (let pair = 0; pair < 20; pair++) {
            const both = sql.together([
              sql`INSERT INTO t VALUES (${10 + 2 * pair})`,
              sql`INSERT INTO t VALUES (${11 + 2 * pair})`
            ])
            const fiber = yield* Effect.forkChild(both, { startImmediately: true })
            if (pair % 2 === 0) yield* Effect.yieldNow
            yield* Fiber.interrupt(fiber)
          }
          assert.strictEqual((yield* values).length % 2, 1)
        })
      )
    )

    it.effect("nest: what is inside rolls back alone, what is outside takes all with it", () =>
      within(
        Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* sql.withTransaction(
            Effect.gen(function* () {
              yield* insert(1)
              yield* Effect.exit(sql.withTransaction(Effect.andThen(insert(2), insert(-1))))
              yield* sql.withTransaction(
                Effect.andThen(
                  insert(3),
                  Effect.exit(sql.withTransaction(Effect.andThen(insert(4), Effect.fail("no"))))
                )
              )
            })
          )
          assert.deepStrictEqual(yield* values, [1, 3])
          yield* Effect.exit(sql.withTransaction(Effect.andThen(sql.withTransaction(insert(5)), Effect.fail("no"))))
          assert.deepStrictEqual(yield* values, [1, 3])
        })
      )
    )

    it.effect("follow each other: of 50 at once none sees or loses what another does", () =>
      within(
        Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* insert(1)
          const add = sql.withTransaction(
            Effect.gen(function* () {
              const [row] = yield* sql<{ x: number }>`SELECT max(x) AS x FROM t`
              yield* Effect.yieldNow
              yield* insert((row?.x ?? 0) + 1)
            })
          )
          yield* Effect.all(
            [...Array(50).keys()].map((n) => (n % 5 === 4 ? insert(1000 + n) : add)),
            {
              concurrency: "unbounded",
              discard: true
            }
          ).pipe(Effect.catch(() => Effect.die("two took the same number")))
          assert.lengthOf(yield* values, 51)
        })
      )
    )

    it.effect("that are interrupted in the middle, also of a statement, are rolled back and free the connection", () =>
      within(
        Effect.gen(function* () {
          const sql = yield* SqlClient
          const inside = yield* Deferred.make<void>()
          const fiber = yield* Effect.forkChild(
            sql.withTransaction(
              Effect.gen(function* () {
                yield* insert(1)
                yield* sql.withTransaction(insert(2))
                yield* Deferred.succeed(inside, undefined)
                yield* long(300_000)
                yield* Effect.never
              })
            )
          )
          yield* Deferred.await(inside)
          const waiting = yield* Effect.forkChild(insert(7), { startImmediately: true })
          const queued = yield* Effect.forkChild(sql.withTransaction(insert(8)), { startImmediately: true })
          yield* Fiber.interrupt(queued)
          yield* Fiber.interrupt(fiber)
          yield* Fiber.join(waiting)
          assert.deepStrictEqual(yield* values, [7])
        })
      )
    )

    it.effect("that SQLite ends by itself do nothing more, and say so", () =>
      within(
        Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* insert(1)
          const error = yield* Effect.flip(
            sql.withTransaction(
              Effect.gen(function* () {
                yield* insert(2)
                yield* Effect.ignore(sql`INSERT OR ROLLBACK INTO t VALUES (-1)`)
                // SQLite would commit this at once, on its own.
                yield* Effect.ignore(insert(3))
                yield* Effect.ignore(sql.withTransaction(insert(4)))
              })
            )
          )
          assert.deepStrictEqual(told(error), ["UnknownError", "ROLLED_BACK"])
          assert.deepStrictEqual(yield* values, [1])
        })
      )
    )

    it.effect("whose commit fails are rolled back, and the next one works", () =>
      within(
        Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* sql`CREATE TABLE child (x REFERENCES t (x) DEFERRABLE INITIALLY DEFERRED)`
          const error = yield* Effect.flip(sql.withTransaction(sql`INSERT INTO child VALUES (9)`))
          assert.deepStrictEqual(told(error), ["ConstraintError", "SQLITE_CONSTRAINT"])
          yield* sql.withTransaction(Effect.andThen(insert(9), sql`INSERT INTO child VALUES (9)`))
          assert.deepStrictEqual(yield* sql`SELECT x FROM child`, [{ x: 9 }])
        })
      )
    )

    it.effect("stream what they have written", () =>
      within(
        Effect.gen(function* () {
          const sql = yield* SqlClient
          const seen = yield* sql.withTransaction(
            Effect.gen(function* () {
              yield* insert(1)
              yield* insert(2)
              return yield* sql<{ x: number }>`SELECT x FROM t`.stream.pipe(
                Stream.mapEffect(({ x }) => insert(x + 10)),
                count
              )
            })
          )
          assert.strictEqual(seen, 2)
          assert.strictEqual(yield* count(sql`INSERT INTO t VALUES (5), (6) RETURNING x`.stream), 2)
          assert.deepStrictEqual(yield* values, [1, 2, 5, 6, 11, 12])
        })
      )
    )

    it.effect("see their script, and a script that fails takes them back", () =>
      within(
        Effect.gen(function* () {
          const sql = yield* SqliteClient.SqliteClient
          yield* sql.withTransaction(sql.script("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"))
          yield* Effect.flip(sql.withTransaction(sql.script("INSERT INTO t VALUES (3); INSERT INTO t VALUES (1)")))
          assert.deepStrictEqual(yield* values, [1, 2])
        })
      )
    )

    it.effect("can be made by hand on a reserved connection", () =>
      within(
        Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* Effect.scoped(
            Effect.gen(function* () {
              const connection = yield* sql.reserve
              const run = (text: string) => connection.executeUnprepared(text, [], undefined)
              yield* run("BEGIN")
              yield* run("INSERT INTO t VALUES (1)")
              yield* run("ROLLBACK")
              yield* run("BEGIN")
              yield* run("INSERT INTO t VALUES (2)")
              yield* run("COMMIT")
              yield* run("INSERT INTO t VALUES (3)")
            })
          )
          assert.deepStrictEqual(yield* values, [2, 3])
        })
      )
    )
  })
}

describe("reads", () => {
  const layerOf = (filename: string) => SqliteClient.layer({ filename })

  it.effect("outside do not wait for a transaction, and see nothing of it before it is committed", () =>
    Effect.gen(function* () {
      const filename = yield* fresh
      const program = Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* sql`CREATE TABLE t (x)`
        const inside = yield* Deferred.make<void>()
        const go = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(
          sql.withTransaction(
            Effect.gen(function* () {
              yield* insert(1)
              yield* Deferred.succeed(inside, undefined)
              yield* Deferred.await(go)
            })
          )
        )
        yield* Deferred.await(inside)
        assert.deepStrictEqual(yield* values, [])
        assert.strictEqual(yield* count(sql`SELECT * FROM t`.stream), 0)
        yield* Deferred.succeed(go, undefined)
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(yield* values, [1])
      })
      yield* Effect.provide(program, layerOf(filename))
    })
  )

  it.effect("find temporary tables, and what a statement says of the one before", () =>
    Effect.gen(function* () {
      const filename = yield* fresh
      const program = Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* sql`CREATE TABLE t (x)`
        yield* sql`INSERT INTO t VALUES (1), (2)`
        assert.deepStrictEqual(yield* sql`SELECT changes() AS n`, [{ n: 2 }])
        assert.deepStrictEqual(yield* sql`WITH n AS (SELECT 3 AS x) INSERT INTO t SELECT x FROM n RETURNING x`, [
          { x: 3 }
        ])
        yield* sql`CREATE TEMP TABLE own AS SELECT 5 AS x`
        assert.deepStrictEqual(yield* sql`SELECT x FROM own`, [{ x: 5 }])
        assert.strictEqual(yield* count(sql`SELECT x FROM own`.stream), 1)
      })
      yield* Effect.provide(program, layerOf(filename))
    })
  )

  it.effect("that nobody waits for any more give way at once, and the connection goes on", () =>
    Effect.gen(function* () {
      const filename = yield* fresh
      const program = Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(long(3_000_000), { startImmediately: true })
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(yield* long(3), [{ n: 3 }])
      })
      yield* Effect.provide(program, layerOf(filename))
    })
  )

  it.effect("and a statement of one's own may begin a transaction", () =>
    Effect.gen(function* () {
      const filename = yield* fresh
      const program = Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* sql`CREATE TABLE t (x)`
        yield* sql.withTransaction(insert(1)).pipe(Effect.provideService(BeginTransaction, "BEGIN EXCLUSIVE"))
        assert.deepStrictEqual(yield* values, [1])
      })
      yield* Effect.provide(program, layerOf(filename))
    })
  )
})

describe("under interruptions at random", () => {
  for (const options of kinds) {
    it.live(`no money is lost or made, ${JSON.stringify(options)}`, () =>
      Effect.gen(function* () {
        const filename = yield* fresh
        const program = Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* sql`CREATE TABLE a (id INTEGER PRIMARY KEY, cents INTEGER CHECK (cents >= 0))`
          yield* sql`INSERT INTO a VALUES (0, 100), (1, 100), (2, 100)`
          const sum = Effect.map(sql`SELECT sum(cents) AS n FROM a`, ([row]) => row)
          const pay = (from: number, to: number, cents: number) =>
            sql.withTransaction(
              Effect.gen(function* () {
                yield* sql`UPDATE a SET cents = cents + ${cents} WHERE id = ${to}`
                yield* Effect.yieldNow
                yield* Effect.ignore(
                  sql.withTransaction(Effect.andThen(sql`UPDATE a SET cents = 1000000`, Effect.fail("not so")))
                )
                yield* sql`UPDATE a SET cents = cents - ${cents} WHERE id = ${from}`
              })
            )
          for (let round = 0; round < 40; round++) {
            const fibers = yield* Effect.forEach([0, 1, 2, 3, 4, 5], (n) =>
              Effect.forkChild(n === 5 ? sum : Effect.ignore(pay(n % 3, (n + 1) % 3, 30 * n)), {
                startImmediately: true
              })
            )
            for (let turns = 0; turns < round * 3; turns++) yield* Effect.yieldNow
            for (const fiber of fibers) if ((fiber.id + round) % 2 === 0) yield* Fiber.interrupt(fiber)
            yield* Effect.forEach(fibers, Fiber.await)
            assert.deepStrictEqual(yield* sum, { n: 300 })
          }
          const moved = yield* sql`SELECT * FROM a WHERE cents <> 100`
          assert.isAbove(moved.length, 0)
        })
        yield* Effect.provide(program, SqliteClient.layer({ filename, ...options }))
      })
    )
  }
})

describe("closing", () => {
  it.live("waits for the statement at work", () =>
    Effect.gen(function* () {
      const filename = yield* fresh
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(SqliteClient.layer({ filename }), scope)
      const sql = Context.get(context, SqlClient)
      yield* sql`CREATE TABLE t (x)`
      const fiber = yield* Effect.forkChild(
        sql`INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500000) SELECT i FROM n`,
        { startImmediately: true }
      )
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(fiber)
      const rows = yield* Effect.provide(
        Effect.flatMap(SqlClient, (again) => again`SELECT count(*) AS n FROM t`),
        SqliteClient.layer({ filename, readOnly: true })
      )
      assert.deepStrictEqual(rows, [{ n: 500_000 }])
    })
  )
})

describe("the event loop", () => {
  it.live("runs while a worker thread is at a statement", () =>
    Effect.gen(function* () {
      let turns = 0
      const timer = setInterval(() => turns++, 1)
      yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(timer)))
      yield* long(2_000_000)
      assert.isAbove(turns, 10)
    }).pipe(Effect.provide(SqliteClient.layer({ filename: ":memory:" })))
  )
})
