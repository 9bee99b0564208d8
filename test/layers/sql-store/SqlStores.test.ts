import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Metric, Option, Redacted, Result } from "effect"
import { SqlClient } from "effect/sql"
import { EffectLedgers, JournalStores, SessionStores, SnapshotStores, StoreMetrics } from "effigent/layers/sql-store"
import {
  type Creation,
  JournalConflict,
  JournalCorrupt,
  JournalStore,
  JournalStoreError
} from "effigent/services/JournalStore"
import { EffectLedger } from "effigent/services/EffectLedger"
import { SessionStore, SessionStoreError } from "effigent/services/SessionStore"
import { SnapshotStore } from "effigent/services/SnapshotStore"
import { execFile, spawn } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import * as Postgres from "../../support/postgres.ts"
import { databases, folder, postgres, sqlite, sqliteFile } from "./databases.ts"

const owner = { runner: "r", incarnation: "1" }
const creation = (id: string): Creation => ({
  id,
  flow: "f",
  status: "running",
  lifecycle: "open",
  input: "",
  tags: [],
  owner,
  records: [0]
})

const withStore = <A, E, R>(
  client: Layer.Layer<SqlClient.SqlClient, unknown>,
  use: (store: JournalStore["Service"], sql: SqlClient.SqlClient) => Effect.Effect<A, E, R>,
  options?: JournalStores.Options
) =>
  Effect.gen(function* () {
    return yield* use(yield* JournalStore, yield* SqlClient.SqlClient)
  }).pipe(Effect.provide(Layer.provideMerge(JournalStores.layer(options), client)))

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)
const every = { concurrency: "unbounded" } as const

const failureOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Effect.result(effect), (result) =>
    Result.isFailure(result) ? Effect.succeed(result.failure) : Effect.die("it succeeds")
  )

const histogram = (queue: string) =>
  Metric.value(Metric.withAttributes(StoreMetrics.batch, { queue })).pipe(
    Effect.map(({ count, sum }) => ({ count, sum }))
  )

for (const [name, client] of Object.entries(databases))
  describe(`JournalStores.layer on ${name}`, () => {
    it.live("200 appends at once take far fewer commits", () =>
      withStore(client, (store) =>
        Effect.gen(function* () {
          const ids = numbers(200).map(String)
          yield* Effect.forEach(ids, (id) => store.create(creation(id)), every)
          const before = yield* histogram("appends")
          yield* Effect.forEach(
            ids,
            (id) =>
              Effect.forEach([1, 2, 3, 4, 5], (expected) => store.append({ id, fence: 1, expected, records: [] })),
            every
          )
          const after = yield* histogram("appends")
          assert.strictEqual(after.sum - before.sum, 1_000)
          assert.isAtMost(after.count - before.count, 60)
          for (const id of ids) assert.strictEqual((yield* store.history(id)).length, 6)
        })
      )
    )

    it.live("appends of one execution that are made at once are written in their order", () =>
      withStore(client, (store) =>
        Effect.gen(function* () {
          yield* store.create(creation("x"))
          const fibers = yield* Effect.forEach(numbers(20), (n) =>
            Effect.forkChild(store.append({ id: "x", fence: 1, expected: n + 1, records: [n + 1] }), {
              startImmediately: true
            })
          )
          assert.deepStrictEqual(
            yield* Effect.forEach(fibers, Fiber.join),
            numbers(20).map((n) => n + 2)
          )
          assert.deepStrictEqual(
            (yield* store.history("x")).flatMap(({ records }) => records),
            numbers(21)
          )
        })
      )
    )

    it.live("of two owners that go on at the same time only the newer one appends", () =>
      withStore(client, (store) =>
        Effect.gen(function* () {
          yield* store.create(creation("x"))
          const work = (runner: string) =>
            Effect.gen(function* () {
              const { fence, seq } = Option.getOrThrow(
                yield* store.claimOne("x", { runner, incarnation: "1" }, { force: true })
              )
              let expected = seq
              // Until another has taken it, or 30 are made.
              for (let n = 0; n < 30; n++) {
                const made = yield* Effect.result(store.append({ id: "x", fence, expected, records: [[fence, n]] }))
                if (Result.isFailure(made)) return made.failure
                expected = made.success
              }
              return undefined
            })
          const ends = yield* Effect.forEach(
            numbers(8),
            (n) => Effect.andThen(Effect.sleep(n * 3), work(`runner ${n}`)),
            every
          )
          for (const end of ends) if (end !== undefined) assert.instanceOf(end, JournalConflict)
          const entries = yield* store.history("x")
          assert.deepStrictEqual(
            entries.map(({ seq }) => seq),
            numbers(entries.length).map((n) => n + 1)
          )
          const fences = entries.slice(1).map(({ records: [first] }) => (Array.isArray(first) ? Number(first[0]) : 0))
          assert.deepStrictEqual(
            fences,
            fences.toSorted((a, b) => a - b)
          )
          assert.strictEqual(fences.filter((fence) => fence === 9).length, 30)
        })
      )
    )

    it.live("a flipped byte, a missing entry and text that is no JSON are found, and others can be read", () =>
      withStore(client, (store, sql) =>
        Effect.gen(function* () {
          for (const id of ["flipped", "missing", "shot", "lost", "head", "well"]) {
            yield* store.create(creation(id))
            for (const expected of [1, 2, 3])
              yield* store.append({
                id,
                fence: 1,
                expected,
                records: ["text"],
                ...((id === "shot" || id === "lost") && expected === 2 && { snapshot: { a: "b" } })
              })
          }
          yield* sql`UPDATE effigent_journal SET records = '["tExt"]' WHERE id = 'flipped' AND seq = 3`
          yield* sql`DELETE FROM effigent_journal WHERE id = 'missing' AND seq = 2`
          yield* sql`UPDATE effigent_snapshots SET json = '{"a":' WHERE id = 'shot'`
          yield* sql`DELETE FROM effigent_snapshots WHERE id = 'lost'`
          yield* sql`UPDATE effigent_executions SET tags = '[' WHERE id = 'head'`
          const found = (id: string) =>
            Effect.map(failureOf(store.read(id)), (error) =>
              error instanceof JournalCorrupt ? [error.id, error.seq] : error
            )
          assert.deepStrictEqual(yield* found("flipped"), ["flipped", 3])
          assert.deepStrictEqual(yield* found("missing"), ["missing", 2])
          assert.deepStrictEqual(yield* found("shot"), ["shot", 3])
          assert.deepStrictEqual(yield* found("lost"), ["lost", 3])
          assert.deepStrictEqual(yield* found("head"), ["head", 0])
          const history = yield* failureOf(store.history("flipped"))
          assert.isTrue(history instanceof JournalCorrupt && history.seq === 3)
          assert.match(history.message, /"flipped" is damaged at 3: its checksum/)
          assert.strictEqual(Option.getOrThrow(yield* store.read("well")).entries.length, 4)
          assert.strictEqual((yield* store.list()).heads.length, 5)
        })
      )
    )

    it.live("tables of a later version are refused, with both versions", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const opened = Effect.scoped(Layer.build(JournalStores.layer()))
        yield* opened
        yield* opened
        yield* sql`INSERT INTO effigent_schema (version, name) VALUES (7, 'later')`
        const error = yield* failureOf(opened)
        assert.isTrue(error instanceof JournalStoreError && error.reason === "schema")
        assert.match(error.message, /of version 7, and this program knows versions up to 3\. Update/)
        // Tables of another name are others.
        yield* Effect.scoped(Layer.build(JournalStores.layer({ prefix: "other_" })))
      }).pipe(Effect.provide(client))
    )

    it.live("a journal whose old part is forgotten while it is read is read whole", () =>
      withStore(client, (store) =>
        Effect.gen(function* () {
          yield* store.create(creation("x"))
          let isDone = false
          const appending = Effect.gen(function* () {
            for (let expected = 1; expected <= 150; expected++)
              yield* store.append({
                id: "x",
                fence: 1,
                expected,
                records: [expected],
                keepSnapshots: 1,
                ...(expected % 3 === 0 && { snapshot: expected })
              })
            isDone = true
          })
          let reads = 0
          const reading = Effect.gen(function* () {
            while (!isDone) {
              const { snapshot, entries } = Option.getOrThrow(yield* store.read("x"))
              const from = snapshot?.seq ?? 0
              assert.deepStrictEqual(
                entries.map(({ records }) => records),
                numbers(entries.length).map((n) => [from + n])
              )
              reads++
            }
          })
          yield* Effect.all([appending, reading, reading], every)
          assert.isAbove(reads, 10)
        })
      )
    )

    it.live("a session that is no JSON, and one that is damaged, fail with what is wrong", () =>
      Effect.gen(function* () {
        const store = yield* SessionStore
        const sql = yield* SqlClient.SqlClient
        const state = { from: 0, meta: {} }
        // What a program without types may hand over.
        const broken = { from: 0, meta: { f: () => 1 } } as unknown as typeof state
        const error = yield* failureOf(store.save("s", 0, { turns: [], state: broken }))
        assert.isTrue(error instanceof SessionStoreError && error.operation === "save")
        assert.match(error.message, /cannot save session "s": It is not JSON/)
        yield* store.save("s", 0, { turns: [{ id: "t", at: 0, messages: [] }], state })
        yield* sql`UPDATE effigent_turns SET turn = '{'`
        assert.match(
          (yield* failureOf(store.read("s", 0, 9))).message,
          /cannot read session "s": Its turn 0 cannot be read/
        )
        yield* sql`UPDATE effigent_sessions SET state = '{'`
        assert.match((yield* failureOf(store.head("s"))).message, /cannot head session "s": Its head cannot be read/)
      }).pipe(Effect.provide(Layer.provideMerge(SessionStores.layer(), client)))
    )

    it.live("a saved execution that is damaged is found, and the one before can be read", () =>
      Effect.gen(function* () {
        const store = yield* SnapshotStore
        const sql = yield* SqlClient.SqlClient
        yield* store.put("x", { n: 1 }, { expected: 0 })
        yield* store.put("x", { n: 2 }, { expected: 1 })
        yield* sql`UPDATE effigent_saved SET json = '{"n":3}' WHERE version = 2`
        assert.match((yield* failureOf(store.get("x"))).message, /its version 2 is damaged/)
        assert.deepStrictEqual(Option.getOrThrow(yield* store.get("x", 1)).snapshot, { n: 1 })
      }).pipe(Effect.provide(Layer.provideMerge(SnapshotStores.layer(), client)))
    )

    it.live("a ledger whose entry is damaged says which", () =>
      Effect.gen(function* () {
        const ledger = yield* EffectLedger
        const sql = yield* SqlClient.SqlClient
        yield* ledger.claim({ id: "e", name: "n", group: "g", level: "once", claimer: "a", attempt: 1 })
        yield* sql`UPDATE effigent_ledger SET level = 'never'`
        assert.match((yield* failureOf(ledger.get("e"))).message, /cannot read "e": The entry "e" cannot be read/)
      }).pipe(Effect.provide(Layer.provideMerge(EffectLedgers.layer(), client)))
    )

    it.live("a prefix that is no name is refused", () =>
      Effect.gen(function* () {
        const error = yield* failureOf(Effect.scoped(Layer.build(JournalStores.layer({ prefix: "a; b" }))))
        assert.match(error.message, /The prefix "a; b"/)
      }).pipe(Effect.provide(client))
    )
  })

const migrating = (database: string) =>
  promisify(execFile)(
    process.execPath,
    ["--conditions=effigent:source", join(import.meta.dirname, "migrate.ts"), database],
    { encoding: "utf8" }
  )

describe("several programs", () => {
  it.live("4 that start at once on a new database make its tables once: sqlite", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "new.db")
      const outputs = yield* Effect.promise(() => Promise.all(numbers(4).map(() => migrating(file))))
      assert.deepStrictEqual(
        outputs.map(({ stdout }) => stdout),
        numbers(4).map(() => "1 2 3\n")
      )
    })
  )
  it.live("4 that start at once on a new database make its tables once: postgres", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      const outputs = yield* Effect.promise(() => Promise.all(numbers(4).map(() => migrating(url))))
      assert.deepStrictEqual(
        outputs.map(({ stdout }) => stdout),
        numbers(4).map(() => "1 2 3\n")
      )
    })
  )
})

/** Runs the program that appends, kills it after so many of its appends; gives the last one that each execution has acknowledged. */
const killed = (database: string, appends: number) =>
  new Promise<ReadonlyMap<string, number>>((resolve, reject) => {
    const child = spawn(
      process.execPath,
      ["--conditions=effigent:source", join(import.meta.dirname, "appending.ts"), database],
      { stdio: ["ignore", "pipe", "inherit"] }
    )
    let text = ""
    child.stdout.setEncoding("utf8")
    child.stdout.on("data", (part: string) => {
      text += part
      if (text.length > appends * 6) child.kill("SIGKILL")
    })
    child.on("error", reject)
    child.on("close", () => {
      const last = new Map<string, number>()
      // What stands behind the last line break may be torn.
      for (const line of text.split("\n").slice(0, -1)) {
        const [id = "", seq] = line.split(" ")
        last.set(id, Number(seq))
      }
      resolve(last)
    })
  })

describe("a program that is killed", () => {
  const check = (database: string, client: Layer.Layer<SqlClient.SqlClient, unknown>) =>
    Effect.gen(function* () {
      const last = yield* Effect.promise(() => killed(database, 500))
      assert.strictEqual(last.size, 20)
      yield* withStore(client, (store) =>
        Effect.forEach([...last], ([id, seq]) =>
          Effect.gen(function* () {
            const journal = Option.getOrThrow(yield* store.read(id))
            assert.isAtLeast(journal.head.seq, seq)
            // At most the one that was not acknowledged yet.
            assert.isAtMost(journal.head.seq, seq + 1)
            const from = journal.snapshot?.seq ?? 0
            assert.deepStrictEqual(
              journal.entries.map(({ records }) => records),
              numbers(journal.head.seq - from).map((n) => [from + n])
            )
          })
        )
      )
    })
  it.live("has lost nothing that was acknowledged: sqlite", () =>
    Effect.flatMap(folder, (path) => {
      const file = join(path, "killed.db")
      return check(file, sqliteFile(file))
    })
  )
  it.live("has lost nothing that was acknowledged: postgres", () =>
    Effect.flatMap(Postgres.database, (url) => check(url, PgClient.layer({ url: Redacted.make(url) })))
  )
})

describe("JournalStores.layer when the database fails", () => {
  /** Runs an effect while another client ends all connections of its database, again and again. */
  const whileDropping = <A, E, R>(url: Redacted.Redacted, effect: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      let ended = 0
      const end = Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const rows = yield* sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`
        ended += rows.length
        // Less and less often: on a machine with other things to do no connection would live long enough for anything.
        yield* Effect.sleep(15 + ended)
      }).pipe(Effect.forever, Effect.provide(PgClient.layer({ url, maxConnections: 1 })))
      const ending = yield* Effect.forkChild(end)
      const result = yield* effect
      yield* Fiber.interrupt(ending)
      assert.isAbove(ended, 3)
      return result
    })

  it.live("connections that drop lose no append and double none", () =>
    Effect.gen(function* () {
      const url = Redacted.make(yield* Postgres.database)
      yield* withStore(PgClient.layer({ url, maxConnections: 4 }), (store) =>
        Effect.gen(function* () {
          const ids = numbers(20).map(String)
          yield* Effect.forEach(ids, (id) => store.create(creation(id)), every)
          const appending = Effect.forEach(
            ids,
            (id) =>
              Effect.gen(function* () {
                for (let expected = 1; expected <= 40; expected++) {
                  const seq = yield* store.append({ id, fence: 1, expected, records: [expected] })
                  assert.strictEqual(seq, expected + 1)
                }
              }),
            every
          )
          yield* whileDropping(url, appending)
          for (const id of ids) {
            const records = (yield* store.history(id)).flatMap((entry) => entry.records)
            assert.deepStrictEqual(records, numbers(41))
          }
        })
      )
    })
  )

  it.live(
    "connections that drop lose no creation, no claim of an execution and no claim of an effect",
    () =>
      Effect.gen(function* () {
        const url = Redacted.make(yield* Postgres.database)
        const client = PgClient.layer({ url, maxConnections: 4 })
        yield* Effect.gen(function* () {
          const store = yield* JournalStore
          const ledger = yield* EffectLedger
          const ids = numbers(60).map((n) => `x${n}`)
          const me = { runner: "me", incarnation: "1" }
          yield* store.join(me, 60_000)
          const work = Effect.gen(function* () {
            // Nobody has joined as their owner: all are free.
            const made = yield* Effect.forEach(ids, (id) => store.create(creation(id)), { concurrency: 5 })
            assert.isTrue(made.every(({ created }) => created))
            const claimed: Array<string> = []
            for (;;) {
              const heads = yield* store.claim({ owner: me, flows: [{ flow: "f" }], limit: 2 })
              if (heads.length === 0) break
              for (const { id } of heads) claimed.push(id)
            }
            assert.deepStrictEqual(claimed.toSorted(), ids.toSorted())
            yield* Effect.forEach(
              ids,
              (id) =>
                Effect.gen(function* () {
                  const claim = { id, name: "n", group: "g", level: "once", attempt: 1 } as const
                  const both = yield* Effect.forEach(
                    ["a", "b"],
                    (claimer) => ledger.claim({ ...claim, claimer }),
                    every
                  )
                  assert.strictEqual(both.filter((one) => one.claimed).length, 1)
                  assert.isTrue(yield* ledger.settle(id, 1, "done"))
                }),
              { concurrency: 5 }
            )
          })
          yield* whileDropping(url, work)
        }).pipe(
          Effect.provide(Layer.provideMerge(Layer.mergeAll(JournalStores.layer(), EffectLedgers.layer()), client))
        )
      }),
    120_000
  )

  it.live("a database that does not answer is unavailable, once it was tried for long enough", () =>
    Effect.gen(function* () {
      const url = Redacted.make(yield* Postgres.database)
      const error = yield* failureOf(
        withStore(
          PgClient.layer({ url, maxConnections: 2 }),
          (store, sql) =>
            Effect.gen(function* () {
              yield* store.create(creation("x"))
              // Nobody else may read or write it: each try waits for the lock, and runs into its time-out.
              yield* sql.withTransaction(
                Effect.andThen(
                  sql`LOCK TABLE effigent_executions`,
                  store.append({ id: "x", fence: 1, expected: 1, records: [] })
                )
              )
            }),
          { timeout: "1 second", retryFor: "2 seconds" }
        )
      )
      assert.isTrue(error instanceof JournalStoreError && error.reason === "unavailable" && error.retryable)
      assert.match(String(error), /cannot append to execution "x": The database has not answered in time/)
    })
  )

  it.live("a disk that is full is said to be, and what was appended before stays", () =>
    withStore(sqlite, (store, sql) =>
      Effect.gen(function* () {
        yield* store.create(creation("x"))
        const [pages] = yield* sql<{ readonly page_count: number }>`PRAGMA page_count`
        yield* sql.unsafe(`PRAGMA max_page_count = ${(pages?.page_count ?? 0) + 2}`)
        const append = (text: string) => store.append({ id: "x", fence: 1, expected: 1, records: [text] })
        const error = yield* failureOf(append("x".repeat(100_000)))
        assert.isTrue(error instanceof JournalStoreError && error.reason === "full" && error.retryable)
        assert.match(error.message, /cannot append to execution "x".*Make room/)
        assert.strictEqual((yield* store.history("x")).length, 1)
        assert.strictEqual(yield* append("small"), 2)
      })
    )
  )

  it.live("a database that may only be read says so", () =>
    Effect.gen(function* () {
      const error = yield* failureOf(
        withStore(sqlite, (store, sql) =>
          Effect.andThen(
            sql.unsafe("PRAGMA query_only = 1"),
            Effect.flatMap(store.ping, () => store.create(creation("x")))
          )
        )
      )
      assert.isTrue(error instanceof JournalStoreError && error.reason === "readOnly")
      const pg = yield* failureOf(
        Effect.flatMap(Postgres.database, (url) =>
          Effect.scoped(
            Layer.build(
              JournalStores.layer().pipe(
                Layer.provide(
                  PgClient.layer({
                    url: Redacted.make(url),
                    startupParameters: { default_transaction_read_only: "on" }
                  })
                )
              )
            )
          )
        )
      )
      assert.isTrue(pg instanceof JournalStoreError && pg.reason === "readOnly")
    })
  )

  it.live("a PostgreSQL that does not wait for its disk is refused where that is asked for", () =>
    Effect.gen(function* () {
      const url = Redacted.make(yield* Postgres.database)
      const client = PgClient.layer({ url, startupParameters: { synchronous_commit: "off" } })
      const open = (durability: "fail" | "warn") =>
        Effect.scoped(Layer.build(Layer.provide(JournalStores.layer({ durability }), client)))
      const error = yield* failureOf(open("fail"))
      assert.match(error.message, /synchronous_commit is off/)
      yield* open("warn")
    })
  )

  it.live("what waits when the store closes is told so", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "closing.db")
      const store = yield* withStore(sqliteFile(path), Effect.succeed)
      const error = yield* failureOf(store.create(creation("x")))
      assert.match(error.message, /The store is closed/)
    })
  )

  it.live("a lease is renewed while appends stand in a queue", () =>
    withStore(
      postgres,
      (store) =>
        Effect.gen(function* () {
          yield* store.join(owner, 60_000)
          const ids = numbers(50).map(String)
          yield* Effect.forEach(ids, (id) => store.create(creation(id)), every)
          let made = 0
          const appending = yield* Effect.forkChild(
            Effect.forEach(
              ids,
              (id) =>
                Effect.tap(store.append({ id, fence: 1, expected: 1, records: [] }), () => Effect.sync(() => made++)),
              every
            ),
            { startImmediately: true }
          )
          yield* store.renew(owner, 60_000)
          // One commit has one append here.
          assert.isBelow(made, 50)
          yield* Fiber.join(appending)
        }),
      { batches: { count: 1 } }
    )
  )
})
