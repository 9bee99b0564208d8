// A store that is damaged, full, read-only or of a later version: a typed failure that names the execution and says what
// to do; everything else goes on.
import { closeSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schedule, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { ExecutionHosts } from "effigent/layers/host"
import { JournalStores } from "effigent/layers/sql-store"
import { SqliteClient } from "effigent/layers/sqlite"
import { ExecutionHost } from "effigent/services/ExecutionHost"
import { ExecutionKeeper } from "effigent/services/ExecutionKeeper"
import { JournalStoreError } from "effigent/services/JournalStore"
import { Chain, Interrupt, TriggerFlow } from "effigent/triggerflow"

const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.String })
const Letter = TriggerFlow.define("letter", { input: Schema.String, result: Schema.String, interrupts: [Ask] })
const letter = Letter.build(
  Letter.start.pipe(
    Chain.to("ask", (text, run) => run.pause(Ask, text, { id: "ask" })),
    Chain.to("sign", (name) => Effect.succeed(`Yours, ${name}`)),
    Chain.result
  )
)

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "effigent-damage-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

const file = Effect.map(folder, (path) => join(path, "journal.db"))

/** One life of a process on a file. */
const life = (filename: string, options: Partial<SqliteClient.Options> = {}) =>
  TriggerFlow.toLayer(letter).pipe(
    Layer.provideMerge(ExecutionHosts.durable({ lease: 500, refresh: 50, drain: 0 })),
    Layer.provideMerge(JournalStores.layer({ retryFor: 200 })),
    Layer.provideMerge(SqliteClient.layer({ filename, thread: "main", ...options }))
  )

const begin = (ids: ReadonlyArray<string>) =>
  Effect.flatMap(ExecutionHost, (host) =>
    Effect.forEach(ids, (id) => host.start({ flow: "letter", input: `Dear ${id}`, id }), { discard: true })
  )

/** Answers what an execution asks; gives its result. */
const answer = Effect.fnUntraced(function* (id: string) {
  const host = yield* ExecutionHost
  yield* host.answer(id, "ask", "Ada", { interrupt: "Ask" })
  return (yield* host.await(id)).result
})

const failureOf = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.flip(effect)

describe("a store that is not as it should be", () => {
  it.live("a flipped byte in one execution: it is put aside by its name, and others go on", () =>
    Effect.gen(function* () {
      const path = yield* file
      yield* Effect.provide(begin(["a", "b"]), life(path))
      yield* Effect.provide(
        SqlClient.SqlClient.use(
          (sql) => sql`UPDATE effigent_snapshots SET json = replace(json, 'Dear a', 'Dear e') WHERE id = 'a'`
        ),
        SqliteClient.layer({ filename: path, thread: "main" })
      )
      yield* Effect.gen(function* () {
        const error = yield* failureOf(answer("a"))
        assert.strictEqual(error._tag, "ExecutionHostError")
        assert.match(error.message, /"a"/)
        assert.match(error.message, /damaged/)
        assert.match(error.message, /Restore the database from a backup, or fork/)
        assert.strictEqual(yield* answer("b"), "Yours, Ada")
        const dead = yield* ExecutionKeeper.use((keeper) => keeper.deadLetters())
        assert.deepStrictEqual(
          dead.executions.map(({ id }) => id),
          ["a"]
        )
        assert.match(dead.executions[0]?.dead.reason ?? "", /damaged/)
      }).pipe(Effect.provide(life(path)))
    }).pipe(Effect.scoped)
  )

  it.live("bytes flipped in the file itself: the database says that it is damaged", () =>
    Effect.gen(function* () {
      const path = yield* file
      yield* Effect.provide(begin(Array.from({ length: 40 }, (_, n) => `x${n}`)), life(path))
      const bytes = readFileSync(path)
      const descriptor = openSync(path, "r+")
      // All pages but the first.
      for (let at = 4096; at + 16 < bytes.length; at += 512) writeSync(descriptor, Buffer.alloc(16, 0xa5), 0, 16, at)
      closeSync(descriptor)
      const error = yield* failureOf(Effect.provide(answer("x1"), life(path)))
      const text = error instanceof Error ? error.message : String(error)
      assert.match(text, /damaged|malformed|corrupt|cannot be read/i)
    }).pipe(Effect.scoped)
  )

  it.live("a truncated file is refused at the start", () =>
    Effect.gen(function* () {
      const path = yield* file
      yield* Effect.provide(begin(["a", "b"]), life(path))
      truncateSync(path, 5000)
      const error = yield* failureOf(Effect.scoped(Layer.build(life(path))))
      const text = error instanceof Error ? error.message : String(error)
      assert.match(text, /damaged|malformed|corrupt/i)
    }).pipe(Effect.scoped)
  )

  it.live(
    "a full disk: what does not fit fails by its name, nothing is half done, and it goes on once there is room",
    () =>
      Effect.gen(function* () {
        const path = yield* file
        yield* Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const host = yield* ExecutionHost
          yield* begin(["a", "b"])
          const [pages] = yield* sql<{ readonly page_count: number }>`PRAGMA page_count`
          yield* sql.unsafe(`PRAGMA max_page_count = ${(pages?.page_count ?? 0) + 1}`)
          const error = yield* failureOf(host.start({ flow: "letter", input: "x".repeat(200_000), id: "large" }))
          assert.strictEqual(error._tag, "ExecutionHostError")
          assert.isTrue(error._tag === "ExecutionHostError" && error.retryable)
          assert.match(error.message, /room|full/i)
          yield* sql.unsafe("PRAGMA max_page_count = 1000000")
          assert.strictEqual(yield* answer("a"), "Yours, Ada")
          const large = Effect.retry(host.start({ flow: "letter", input: "x".repeat(200_000), id: "large" }), {
            schedule: Schedule.spaced(20),
            times: 100
          })
          assert.strictEqual(yield* large, "large")
          assert.strictEqual(yield* answer("large"), "Yours, Ada")
          assert.strictEqual(yield* answer("b"), "Yours, Ada")
        }).pipe(Effect.provide(life(path)))
      }).pipe(Effect.scoped)
  )

  it.live("a database that may only be read is refused at the start, and says so", () =>
    Effect.gen(function* () {
      const path = yield* file
      yield* Effect.provide(begin(["a"]), life(path))
      const error = yield* failureOf(Effect.scoped(Layer.build(life(path, { readOnly: true }))))
      const text = error instanceof Error ? error.message : String(error)
      assert.match(text, /read-?\s?only|may only be read|not allow/i)
    }).pipe(Effect.scoped)
  )

  it.live("tables of the future are refused at the start, with both versions", () =>
    Effect.gen(function* () {
      const path = yield* file
      yield* Effect.provide(begin(["a"]), life(path))
      yield* Effect.provide(
        SqlClient.SqlClient.use((sql) => sql`INSERT INTO effigent_schema (version, name) VALUES (9, 'later')`),
        SqliteClient.layer({ filename: path, thread: "main" })
      )
      const error = yield* failureOf(Effect.scoped(Layer.build(life(path))))
      assert.isTrue(error instanceof JournalStoreError && error.reason === "schema")
      assert.match(error.message, /of version 9, and this program knows/)
    }).pipe(Effect.scoped)
  )
})
