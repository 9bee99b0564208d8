import { NodeCrypto } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Option, Schema, type Scope, Stream } from "effect"
import * as ClusterWorkflowEngine from "effect/cluster/ClusterWorkflowEngine"
import * as SingleRunner from "effect/cluster/SingleRunner"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import { Model } from "effect/schema"
import { SqlClient } from "effect/sql/SqlClient"
import * as SqlModel from "effect/sql/SqlModel"
import * as SqlSchema from "effect/sql/SqlSchema"
import { Activity, DurableDeferred, Workflow } from "effect/workflow"
import { SqliteClient } from "effigent/layers/sqlite"
import { DatabaseSync } from "node:sqlite"
import { fresh } from "./support.ts"

class Note extends Model.Class<Note>("Note")({
  id: Model.Field({ select: Schema.Int, update: Schema.Int, json: Schema.Int }),
  text: Schema.String,
  done: Model.BooleanSqlite,
  createdAt: Model.DateTimeInsert
}) {}

const table = Effect.flatMap(
  SqlClient,
  (sql) =>
    sql`CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL, done INTEGER NOT NULL, createdAt TEXT NOT NULL)`
)

for (const thread of ["main", "worker"] as const) {
  describe(`over it, thread ${thread}`, () => {
    const inFile = <A, E>(effect: Effect.Effect<A, E, SqlClient | SqliteClient.SqliteClient | Scope.Scope>) =>
      Effect.flatMap(fresh, (filename) => Effect.provide(effect, SqliteClient.layer({ filename, thread })))

    it.effect("a repository of a model inserts, finds, updates and deletes", () =>
      inFile(
        Effect.gen(function* () {
          yield* table
          const notes = yield* SqlModel.makeRepository(Note, {
            tableName: "notes",
            spanPrefix: "notes",
            idColumn: "id"
          })
          const made = yield* notes.insert(Note.insert.make({ text: "one", done: true }))
          assert.deepStrictEqual([made.id, made.text, made.done], [1, "one", true])
          const found = yield* notes.findById(1)
          assert.deepStrictEqual(found.createdAt, made.createdAt)
          yield* notes.updateVoid(Note.update.make({ id: 1, text: "two", done: false }))
          assert.strictEqual((yield* notes.findById(1)).text, "two")
          yield* notes.delete(1)
          assert.strictEqual((yield* Effect.flip(notes.findById(1)))._tag, "NoSuchElementError")
        })
      )
    )

    it.effect("a schema decodes requests and rows", () =>
      inFile(
        Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* table
          yield* sql`INSERT INTO notes ${sql.insert([
            { text: "a", done: false, createdAt: new Date(0) },
            { text: "b", done: true, createdAt: new Date(1) }
          ])}`
          const find = SqlSchema.findOneOption({
            Request: Schema.Struct({ done: Schema.BooleanFromBit }),
            Result: Schema.Struct({ text: Schema.String, createdAt: Schema.DateTimeUtcFromString }),
            execute: ({ done }) => sql`SELECT text, createdAt FROM notes WHERE done = ${done}`
          })
          const found = yield* find({ done: true })
          assert.deepStrictEqual(
            Option.map(found, ({ text, createdAt }) => [text, createdAt.epochMilliseconds]),
            Option.some(["b", 1])
          )
        })
      )
    )

    it.effect("KeyValueStore keeps its keys", () =>
      inFile(
        Effect.gen(function* () {
          const context = yield* Layer.build(KeyValueStore.layerSql())
          const store = yield* Effect.provide(Effect.service(KeyValueStore.KeyValueStore), context)
          yield* store.set("a", "1")
          yield* store.set("a", "2")
          yield* store.set("b", new Uint8Array([1, 2]))
          assert.strictEqual(yield* store.get("a"), "2")
          assert.deepStrictEqual(yield* store.getUint8Array("b"), new Uint8Array([1, 2]))
          assert.strictEqual(yield* store.size, 2)
          yield* store.remove("a")
          assert.isFalse(yield* store.has("a"))
        })
      )
    )

    it.effect("what commits is told to whoever watches", () =>
      inFile(
        Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* table
          const told: Array<string> = []
          yield* sql.withTransaction(
            Effect.andThen(
              sql.afterCommit(Effect.sync(() => told.push("after"))),
              Effect.sync(() => told.push("before"))
            )
          )
          assert.deepStrictEqual(told, ["before", "after"])
          const counts = sql.reactive(["notes"], sql`SELECT count(*) AS n FROM notes`)
          assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(counts, 1)), [[{ n: 0 }]])
        })
      )
    )

    it.effect("a backup is a whole database, and is not written over another", () =>
      inFile(
        Effect.gen(function* () {
          const sql = yield* SqliteClient.SqliteClient
          yield* table
          yield* sql`INSERT INTO notes ${sql.insert({ text: "a", done: true, createdAt: new Date(0) })}`
          const copy = yield* fresh
          yield* sql.backup(copy)
          const other = new DatabaseSync(copy)
          assert.strictEqual(other.prepare("SELECT text FROM notes").get()?.["text"], "a")
          other.close()
          const error = yield* Effect.flip(sql.backup(copy))
          assert.include(error.message, "already exists")
        })
      )
    )
  })
}

describe("a cluster of one runner", () => {
  class Pay extends Workflow.make("Pay", {
    payload: { id: Schema.String },
    success: Schema.String,
    idempotencyKey: ({ id }) => id
  }) {}
  const Approved = DurableDeferred.make("Approved", { success: Schema.String })

  it.live("finishes over the same file what a runner before it has begun", () =>
    Effect.gen(function* () {
      const filename = yield* fresh
      const drafts: Array<string> = []
      const drafted = yield* Deferred.make<void>()
      const runner = () =>
        Pay.toLayer(
          Effect.fnUntraced(function* ({ id }) {
            const draft = yield* Activity.make({
              name: "draft",
              success: Schema.String,
              execute: Effect.suspend(() => {
                drafts.push(id)
                return Effect.as(Deferred.succeed(drafted, undefined), `draft of ${id}`)
              })
            })
            const by = yield* DurableDeferred.await(Approved)
            return `${draft}, by ${by}`
          })
        ).pipe(
          Layer.provideMerge(ClusterWorkflowEngine.layer),
          Layer.provide(
            SingleRunner.layer({
              shardingConfig: {
                entityMessagePollInterval: "50 millis",
                entityReplyPollInterval: "20 millis",
                shardsPerGroup: 5
              }
            })
          ),
          Layer.provide(SqliteClient.layer({ filename })),
          Layer.provideMerge(NodeCrypto.layerDigest)
        )
      const first = Effect.gen(function* () {
        const executionId = yield* Pay.execute({ id: "a" }, { discard: true })
        yield* Deferred.await(drafted)
        return executionId
      })
      const executionId = yield* Effect.provide(first, runner())
      const second = Effect.gen(function* () {
        const token = DurableDeferred.tokenFromExecutionId(Approved, { workflow: Pay, executionId })
        yield* DurableDeferred.succeed(Approved, { token, value: "Ada" })
        return yield* Pay.execute({ id: "a" })
      })
      assert.strictEqual(yield* Effect.provide(second, runner()), "draft of a, by Ada")
      assert.deepStrictEqual(drafts, ["a"])
    })
  )
})
