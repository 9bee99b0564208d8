/** As much of a journal as executions in memory need, in PostgreSQL: heads, and the view that is left of a closed one. */
import { Clock, Effect, Layer, Option, Schema } from "effect"
import * as SqlClient from "effect/sql/SqlClient"
import { JournalConflict, JournalHead, JournalStore, JournalStoreError } from "effigent/services/JournalStore"

const failed = (operation: string) => (error: unknown) =>
  new JournalStoreError({ store: "test", operation, reason: "unavailable", detail: String(error) })

interface Row {
  readonly head: string
  readonly snapshot: string | null
}

export const layer = Layer.effect(
  JournalStore,
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    // Processes that begin at once make it one after the other.
    yield* sql.withTransaction(
      Effect.andThen(
        sql`SELECT pg_advisory_xact_lock(7)`,
        sql`CREATE TABLE IF NOT EXISTS test_heads (id TEXT PRIMARY KEY, head TEXT NOT NULL, snapshot TEXT)`
      )
    )
    const headOf = (row: Row) => Schema.decodeUnknownSync(JournalHead)(JSON.parse(row.head))
    const find = (id: string, lock: boolean) =>
      lock
        ? sql<Row>`SELECT head, snapshot FROM test_heads WHERE id = ${id} FOR UPDATE`
        : sql<Row>`SELECT head, snapshot FROM test_heads WHERE id = ${id}`
    const write = (head: JournalHead, snapshot: string | null) =>
      sql`UPDATE test_heads SET head = ${JSON.stringify(head)}, snapshot = COALESCE(${snapshot}, snapshot) WHERE id = ${head.id}`
    const unused = Effect.die("the test uses no such part of a journal")
    return {
      join: () => Effect.void,
      renew: () => Effect.void,
      leave: () => Effect.void,
      get: (id) =>
        Effect.map(Effect.mapError(find(id, false), failed("get")), ([row]) =>
          row === undefined ? Option.none() : Option.some(headOf(row))
        ),
      create: ({ records: _, ...creation }) =>
        Effect.gen(function* () {
          const at = yield* Clock.currentTimeMillis
          const head: JournalHead = {
            ...creation,
            startedAt: at,
            updatedAt: at,
            seq: 1,
            snapshot: 0,
            fence: 1,
            tries: 0
          }
          const made =
            yield* sql`INSERT INTO test_heads (id, head) VALUES (${head.id}, ${JSON.stringify(head)}) ON CONFLICT DO NOTHING RETURNING id`
          if (made.length > 0) return { created: true, head }
          const [row] = yield* find(head.id, false)
          return { created: false, head: row === undefined ? head : headOf(row) }
        }).pipe(Effect.mapError(failed("create"))),
      append: ({ expected, fence, id, snapshot, status, lifecycle, closed }) =>
        sql
          .withTransaction(
            Effect.gen(function* () {
              const at = yield* Clock.currentTimeMillis
              const [row] = yield* find(id, true)
              if (row === undefined) return yield* Effect.fail(new JournalConflict({ id, why: "missing" }))
              const head = headOf(row)
              if (head.fence !== fence) return yield* Effect.fail(new JournalConflict({ id, why: "fenced" }))
              if (head.seq !== expected) return yield* Effect.fail(new JournalConflict({ id, why: "sequence" }))
              const next: JournalHead = {
                ...head,
                seq: head.seq + 1,
                updatedAt: at,
                status: status ?? head.status,
                lifecycle: lifecycle ?? head.lifecycle,
                ...(closed === true ? { closedAt: at } : {})
              }
              yield* write(next, snapshot === undefined ? null : JSON.stringify(snapshot))
              return next.seq
            })
          )
          .pipe(Effect.mapError((error) => (error instanceof JournalConflict ? error : failed("append")(error)))),
      claimOne: (id, owner) =>
        sql
          .withTransaction(
            Effect.gen(function* () {
              const [row] = yield* find(id, true)
              if (row === undefined) return Option.none()
              const head = headOf(row)
              if (head.lifecycle === "closed") return Option.none()
              const next: JournalHead = { ...head, owner, fence: head.fence + 1 }
              yield* write(next, null)
              return Option.some(next)
            })
          )
          .pipe(Effect.mapError(failed("claim"))),
      read: (id) =>
        Effect.map(Effect.mapError(find(id, false), failed("read")), ([row]) =>
          row === undefined
            ? Option.none()
            : Option.some({
                head: headOf(row),
                entries: [],
                ...(row.snapshot === null ? {} : { snapshot: { seq: 1, json: JSON.parse(row.snapshot) } })
              })
        ),
      list: () =>
        Effect.map(
          Effect.mapError(sql<Row>`SELECT head, snapshot FROM test_heads ORDER BY id`, failed("list")),
          (rows) => ({
            heads: rows.map(headOf)
          })
        ),
      remove: (id) => Effect.asVoid(Effect.mapError(sql`DELETE FROM test_heads WHERE id = ${id}`, failed("remove"))),
      claim: () => unused,
      release: () => unused,
      history: () => unused,
      bury: () => unused,
      revive: () => unused,
      prune: () => unused,
      nextWake: () => unused,
      ping: Effect.void
    }
  })
)
