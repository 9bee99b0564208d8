/**
 * How batches of creations and of appends are written. On PostgreSQL a batch is one statement, one round trip; on SQLite
 * one transaction of a few statements. A write that conflicts is left out by its condition and fails no other.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { SqlError } from "effect/sql/SqlError"
import type { Statement } from "effect/sql/Statement"
import { crc32 } from "node:zlib"
import {
  type Append,
  type Creation,
  defaultKeepSnapshots,
  JournalConflict,
  type JournalHead
} from "../../services/JournalStore.ts"
import type { Database } from "./Database.ts"
import { failure, type StoreFailure } from "./Failures.ts"
import { checksum, columns, type HeadRow, headOf, stored, token } from "./Rows.ts"

/** A creation as it is written. @category models */
export interface CreationWrite {
  readonly id: string
  readonly search: string
  readonly flow: string
  readonly version: string | null
  readonly fingerprint: string | null
  readonly status: string
  readonly lifecycle: string
  readonly input: string
  readonly tags: string
  readonly runner: string
  readonly incarnation: string
  readonly wake: number | null
  /** Tells this creation from any other, so that one that is tried again knows its own. */
  readonly mark: number
  readonly records: string
  readonly crc: number
  readonly snapshot: string | null
  readonly snapshot_crc: number | null
  readonly tag: ReadonlyArray<string>
}

/** An append as it is written. @category models */
export interface AppendWrite {
  readonly id: string
  readonly fence: number
  readonly expected: number
  /** A checksum over all of it, by which a repetition is known. */
  readonly mark: number
  readonly status: string | null
  readonly lifecycle: string | null
  readonly closed: boolean
  readonly wake: number | null
  readonly wakes: boolean
  readonly tags: string | null
  readonly tag: ReadonlyArray<string> | null
  readonly progressed: boolean
  readonly version: string | null
  readonly fingerprint: string | null
  readonly records: string
  readonly crc: number
  readonly snapshot: string | null
  readonly snapshot_crc: number | null
  readonly keep: number | null
}

const optional = (text: string | undefined): string | null => (text === undefined ? null : stored(text))

/** A creation as it is written. @category converting */
export const ofCreation = (creation: Creation): CreationWrite => {
  const records = JSON.stringify(creation.records)
  const snapshot = creation.snapshot === undefined ? null : JSON.stringify(creation.snapshot)
  return {
    id: stored(creation.id),
    search: stored(creation.id.toLowerCase()),
    flow: stored(creation.flow),
    version: optional(creation.version),
    fingerprint: optional(creation.fingerprint),
    status: creation.status,
    lifecycle: creation.lifecycle,
    input: stored(creation.input),
    tags: JSON.stringify(creation.tags),
    tag: creation.tags.map(stored),
    runner: stored(creation.owner.runner),
    incarnation: stored(creation.owner.incarnation),
    wake: creation.wakeAt ?? null,
    mark: token(),
    records,
    crc: checksum(creation.id, 1, records),
    snapshot,
    snapshot_crc: snapshot === null ? null : checksum(creation.id, 1, snapshot)
  }
}

/** An append as it is written. @category converting */
export const ofAppend = (append: Append): AppendWrite => {
  const seq = append.expected + 1
  const records = JSON.stringify(append.records)
  const snapshot = append.snapshot === undefined ? null : JSON.stringify(append.snapshot)
  const keep = append.keepSnapshots ?? defaultKeepSnapshots
  const crc = checksum(append.id, seq, records)
  const { records: _, snapshot: __, ...rest } = append
  return {
    id: stored(append.id),
    fence: append.fence,
    expected: append.expected,
    mark: crc32(snapshot ?? "", crc32(JSON.stringify(rest), crc)),
    status: append.status ?? null,
    lifecycle: append.closed === true ? "closed" : (append.lifecycle ?? null),
    closed: append.closed === true,
    wake: append.wakeAt ?? null,
    wakes: append.wakeAt !== undefined,
    tags: append.tags === undefined ? null : JSON.stringify(append.tags),
    tag: append.tags?.map(stored) ?? null,
    progressed: append.progressed === true,
    version: optional(append.version),
    fingerprint: optional(append.fingerprint),
    records,
    crc,
    snapshot,
    snapshot_crc: snapshot === null ? null : checksum(append.id, seq, snapshot),
    keep: snapshot === null || keep === Infinity ? null : Math.max(1, keep)
  }
}

/** About how many characters a write has. @category sizes */
export const sizeOf = (write: CreationWrite | AppendWrite): number =>
  400 + write.records.length + (write.snapshot?.length ?? 0)

/** How SQLite reads a field of each object in an array of JSON. */
const fields = (names: ReadonlyArray<string>): string =>
  names.map((name) => `json_extract(value, '$.${name}') AS ${name}`).join(", ")

/** Tags by execution, as rows of JSON. */
const tagsOf = (writes: ReadonlyArray<{ readonly id: string; readonly tag: ReadonlyArray<string> | null }>): string =>
  JSON.stringify(writes.flatMap(({ id, tag }) => [...new Set(tag)].map((one) => ({ id, tag: one }))))

const entriesOf = (
  writes: ReadonlyArray<CreationWrite | AppendWrite>,
  seq: (write: CreationWrite | AppendWrite) => number
) => JSON.stringify(writes.map((write) => ({ id: write.id, seq: seq(write), records: write.records, crc: write.crc })))

const snapshotsOf = (
  writes: ReadonlyArray<CreationWrite | AppendWrite>,
  seq: (write: CreationWrite | AppendWrite) => number
) =>
  JSON.stringify(
    writes.flatMap((write) =>
      write.snapshot === null ? [] : [{ id: write.id, seq: seq(write), json: write.snapshot, crc: write.snapshot_crc }]
    )
  )

const numberOf = (write: CreationWrite | AppendWrite): number => ("expected" in write ? write.expected + 1 : 1)

const recordset = `id text, search text, flow text, version text, fingerprint text, status text, lifecycle text, input text,
  tags text, runner text, incarnation text, wake float8, mark float8, records text, crc float8, snapshot text, snapshot_crc float8`

/** What became of a creation. @category models */
export interface Created {
  readonly created: boolean
  readonly head: JournalHead
}

type Outcome<A, E> = Exit.Exit<A, E | StoreFailure>

/** Writes rows that belong to heads which were just written, on SQLite. */
const writeRows = Effect.fnUntraced(function* (
  { sql, t }: Database,
  now: number,
  writes: ReadonlyArray<CreationWrite | AppendWrite>
): Effect.fn.Return<void, SqlError> {
  yield* sql`INSERT INTO ${t.journal} (id, seq, at, records, crc)
    SELECT json_extract(value, '$.id'), json_extract(value, '$.seq'), ${now}, json_extract(value, '$.records'),
      json_extract(value, '$.crc') FROM json_each(${entriesOf(writes, numberOf)})`
  if (writes.some(({ snapshot }) => snapshot !== null))
    yield* sql`INSERT INTO ${t.snapshots} (id, seq, json, crc)
      SELECT json_extract(value, '$.id'), json_extract(value, '$.seq'), json_extract(value, '$.json'),
        json_extract(value, '$.crc') FROM json_each(${snapshotsOf(writes, numberOf)})`
  if (writes.some(({ tag }) => tag !== null && tag.length > 0))
    yield* sql`INSERT OR IGNORE INTO ${t.tags} (id, tag)
      SELECT json_extract(value, '$.id'), json_extract(value, '$.tag') FROM json_each(${tagsOf(writes)})`
})

/** Writes a batch of creations. @category commits */
export const createAll = Effect.fnUntraced(function* (
  database: Database,
  batch: ReadonlyArray<CreationWrite>
): Effect.fn.Return<ReadonlyArray<Outcome<Created, never>>, StoreFailure> {
  const { sql, t, isPostgres } = database
  const now = yield* database.now
  const heads = isPostgres
    ? sql`WITH a AS MATERIALIZED (
        SELECT * FROM json_to_recordset(${JSON.stringify(batch)}::json) AS a(${sql.literal(recordset)})
      ), made AS (
        INSERT INTO ${t.executions} (id, search, flow, version, fingerprint, status, lifecycle, input, tags, started_at,
          closed_at, updated_at, seq, snapshot, fence, owner_runner, owner_incarnation, wake_at, tries, mark)
        SELECT id, search, flow, version, fingerprint, status, lifecycle, input, tags, ${now},
          CASE WHEN lifecycle = 'closed' THEN ${now} END, ${now}, 1, CASE WHEN snapshot IS NULL THEN 0 ELSE 1 END, 1,
          runner, incarnation, wake, 0, mark FROM a ORDER BY id
        ON CONFLICT (id) DO NOTHING RETURNING id
      ), entries AS (
        INSERT INTO ${t.journal} (id, seq, at, records, crc)
        SELECT a.id, 1, ${now}, a.records, a.crc FROM a JOIN made ON made.id = a.id
      ), shots AS (
        INSERT INTO ${t.snapshots} (id, seq, json, crc)
        SELECT a.id, 1, a.snapshot, a.snapshot_crc FROM a JOIN made ON made.id = a.id WHERE a.snapshot IS NOT NULL
      )
      INSERT INTO ${t.tags} (id, tag)
      SELECT x.id, x.tag FROM json_to_recordset(${tagsOf(batch)}::json) AS x(id text, tag text) JOIN made ON made.id = x.id`
    : database.transaction(
        Effect.gen(function* () {
          // What is large comes with its own rows.
          const slim = batch.map(({ records: _, snapshot, tag: __, ...rest }) => ({
            ...rest,
            snapshot: snapshot === null ? 0 : 1
          }))
          const names = ["id", "search", "flow", "version", "fingerprint", "status", "lifecycle", "input", "tags"]
          const made = yield* sql<{ readonly id: string }>`INSERT INTO ${t.executions} (id, search, flow, version,
              fingerprint, status, lifecycle, input, tags, snapshot, owner_runner, owner_incarnation, wake_at, mark,
              started_at, closed_at, updated_at, seq, fence, tries)
            SELECT ${sql.literal([...names, "snapshot", "runner", "incarnation", "wake", "mark"].map((name) => `json_extract(value, '$.${name}')`).join(", "))},
              ${now}, CASE WHEN json_extract(value, '$.lifecycle') = 'closed' THEN ${now} END, ${now}, 1, 1, 0
            FROM json_each(${JSON.stringify(slim)}) WHERE true ON CONFLICT (id) DO NOTHING RETURNING id`
          const ids = new Set(made.map(({ id }) => id))
          const [at] = yield* sql<{ readonly at: number }>`SELECT CAST(${now} AS REAL) AS at`
          if (ids.size > 0)
            yield* writeRows(
              database,
              at?.at ?? 0,
              batch.filter(({ id }) => ids.has(id))
            )
        })
      )
  yield* database.run<unknown, never>(heads)
  const rows = yield* database.run<ReadonlyArray<HeadRow & { readonly mark: number }>, never>(
    sql<HeadRow & { readonly mark: number }>`SELECT ${sql.literal(columns)}, mark FROM ${t.executions}
      WHERE id IN (${database.texts(batch.map(({ id }) => id))})`
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return batch.map((write) => {
    const row = byId.get(write.id)
    // Only this creation has its mark, and what was appended since has another.
    const created = row?.mark === write.mark
    return Option.match(row === undefined ? Option.none() : headOf(row), {
      onNone: () =>
        Exit.fail(failure("damaged", `The execution ${JSON.stringify(write.id)} cannot be read after it was created`)),
      onSome: (head) => Exit.succeed({ created, head })
    })
  })
})

const appendRecordset = `id text, fence int, expected int, mark float8, status text, lifecycle text, closed boolean,
  wake float8, wakes boolean, tags text, progressed boolean, version text, fingerprint text, records text, crc float8,
  snapshot text, snapshot_crc float8, keep int`

const appendFields = [
  "id",
  "fence",
  "expected",
  "mark",
  "status",
  "lifecycle",
  "closed",
  "wake",
  "wakes",
  "tags"
].concat(["progressed", "version", "fingerprint", "snapshot"])

/** Which appends were made. */
const applied = Effect.fnUntraced(function* (
  database: Database,
  batch: ReadonlyArray<AppendWrite>
): Effect.fn.Return<ReadonlyArray<{ readonly id: string }>, StoreFailure> {
  const { sql, t, isPostgres } = database
  const now = yield* database.now
  const changed = sql`seq = a.expected + 1, mark = a.mark, updated_at = ${now}, status = COALESCE(a.status, e.status),
    lifecycle = COALESCE(a.lifecycle, e.lifecycle), closed_at = CASE WHEN a.closed THEN ${now} ELSE e.closed_at END,
    wake_at = CASE WHEN a.wakes THEN a.wake ELSE e.wake_at END, tags = COALESCE(a.tags, e.tags),
    tries = CASE WHEN a.progressed THEN 0 ELSE e.tries END, version = COALESCE(a.version, e.version),
    fingerprint = COALESCE(a.fingerprint, e.fingerprint),
    snapshot = CASE WHEN a.snapshot IS NULL THEN e.snapshot ELSE a.expected + 1 END`
  const withTags = batch.filter(({ tag }) => tag !== null)
  const pruned = batch.filter(({ keep }) => keep !== null)
  if (isPostgres) {
    const shots = batch.some(({ snapshot }) => snapshot !== null)
      ? sql`, shots AS (
          INSERT INTO ${t.snapshots} (id, seq, json, crc)
          SELECT id, seq, snapshot_json, snapshot_crc FROM u WHERE snapshot_json IS NOT NULL
        )`
      : sql.literal("")
    // The rows that this statement adds are not seen by it: the new snapshot is counted, not read.
    const cuts =
      pruned.length > 0
        ? sql`, cuts AS (
            SELECT u.id, CASE WHEN u.keep = 1 THEN u.seq ELSE (
              SELECT s.seq FROM ${t.snapshots} s WHERE s.id = u.id ORDER BY s.seq DESC OFFSET greatest(u.keep - 2, 0) LIMIT 1
            ) END AS cut FROM u WHERE u.keep IS NOT NULL
          ), old_shots AS (
            DELETE FROM ${t.snapshots} s USING cuts WHERE s.id = cuts.id AND s.seq < cuts.cut
          ), old_entries AS (
            DELETE FROM ${t.journal} j USING cuts WHERE j.id = cuts.id AND j.seq < cuts.cut
          )`
        : sql.literal("")
    const tags =
      withTags.length > 0
        ? sql`, wanted AS (
            SELECT x.id, x.tag FROM json_to_recordset(${tagsOf(withTags)}::json) AS x(id text, tag text)
            JOIN u ON u.id = x.id
          ), old_tags AS (
            DELETE FROM ${t.tags} g USING u WHERE g.id = u.id AND u.new_tags IS NOT NULL
              AND NOT EXISTS (SELECT 1 FROM wanted w WHERE w.id = g.id AND w.tag = g.tag)
          ), new_tags AS (
            INSERT INTO ${t.tags} (id, tag) SELECT id, tag FROM wanted ON CONFLICT DO NOTHING
          )`
        : sql.literal("")
    return yield* database.run<ReadonlyArray<{ readonly id: string }>, never>(
      sql<{ readonly id: string }>`WITH a AS MATERIALIZED (
          SELECT * FROM json_to_recordset(${JSON.stringify(batch)}::json) AS a(${sql.literal(appendRecordset)})
        ), u AS (
          UPDATE ${t.executions} e SET ${changed} FROM a
          WHERE e.id = a.id AND e.fence = a.fence AND e.seq = a.expected
          RETURNING e.id, e.seq, e.updated_at AS at, a.records, a.crc, a.snapshot AS snapshot_json, a.snapshot_crc, a.keep,
            a.tags AS new_tags
        ), entries AS (
          INSERT INTO ${t.journal} (id, seq, at, records, crc) SELECT id, seq, at, records, crc FROM u
        )${shots}${cuts}${tags}
        SELECT id FROM u`
    )
  }
  const slim = batch.map(({ records: _, tag: __, snapshot, ...rest }) => ({
    ...rest,
    snapshot: snapshot === null ? null : 1
  }))
  const heads = sql<{ readonly id: string }>`UPDATE ${t.executions} AS e
    SET ${changed} FROM (SELECT ${sql.literal(fields(appendFields))} FROM json_each(${JSON.stringify(slim)})) AS a
    WHERE e.id = a.id AND e.fence = a.fence AND e.seq = a.expected RETURNING id`
  // Statements that go together cannot see what the first has given: a head that has the mark of an append has taken it,
  // now or when it was made before. In that case its rows are there, and stay.
  const taken = (writes: ReadonlyArray<AppendWrite>) => {
    const marks = writes.map(({ id, fence, expected, mark }) => ({ id, fence, seq: expected + 1, mark }))
    return sql`SELECT e.id FROM json_each(${JSON.stringify(marks)}) AS m JOIN ${t.executions} e
      ON e.id = json_extract(m.value, '$.id') AND e.fence = json_extract(m.value, '$.fence')
        AND e.seq = json_extract(m.value, '$.seq') AND e.mark = json_extract(m.value, '$.mark')`
  }
  const shots = batch.filter(({ snapshot }) => snapshot !== null)
  const others: Array<Statement<unknown>> = [
    sql`INSERT OR IGNORE INTO ${t.journal} (id, seq, at, records, crc)
      SELECT json_extract(value, '$.id'), json_extract(value, '$.seq'), ${now}, json_extract(value, '$.records'),
        json_extract(value, '$.crc') FROM json_each(${entriesOf(batch, numberOf)})
      WHERE json_extract(value, '$.id') IN (${taken(batch)})`
  ]
  if (shots.length > 0)
    others.push(sql`INSERT OR IGNORE INTO ${t.snapshots} (id, seq, json, crc)
      SELECT json_extract(value, '$.id'), json_extract(value, '$.seq'), json_extract(value, '$.json'),
        json_extract(value, '$.crc') FROM json_each(${snapshotsOf(shots, numberOf)})
      WHERE json_extract(value, '$.id') IN (${taken(shots)})`)
  if (withTags.length > 0) {
    others.push(sql`DELETE FROM ${t.tags} WHERE id IN (${taken(withTags)})`)
    others.push(sql`INSERT OR IGNORE INTO ${t.tags} (id, tag)
      SELECT json_extract(value, '$.id'), json_extract(value, '$.tag') FROM json_each(${tagsOf(withTags)})
      WHERE json_extract(value, '$.id') IN (${taken(withTags)})`)
  }
  for (const [keep, writes] of Map.groupBy(pruned, (write) => write.keep ?? 1))
    for (const table of [t.journal, t.snapshots])
      others.push(sql`DELETE FROM ${table} WHERE id IN (${taken(writes)}) AND seq < (
        SELECT s.seq FROM ${t.snapshots} s WHERE s.id = ${table}.id ORDER BY s.seq DESC LIMIT 1 OFFSET ${keep - 1})`)
  return yield* database.run<ReadonlyArray<{ readonly id: string }>, never>(database.together(heads, ...others))
})

/** Writes a batch of appends; the ids in it are all different. @category commits */
export const appendAll = Effect.fnUntraced(function* (
  database: Database,
  batch: ReadonlyArray<AppendWrite>
): Effect.fn.Return<ReadonlyArray<Outcome<number, JournalConflict>>, StoreFailure> {
  const { sql, t } = database
  const made = new Set((yield* applied(database, batch)).map(({ id }) => id))
  const left = batch.filter(({ id }) => !made.has(id))
  // They conflict, or were made by a try whose outcome nobody knew.
  const found =
    left.length === 0
      ? []
      : yield* database.run<
          ReadonlyArray<{ readonly id: string; readonly seq: number; readonly fence: number; readonly mark: number }>,
          never
        >(
          sql<{
            readonly id: string
            readonly seq: number
            readonly fence: number
            readonly mark: number
          }>`SELECT id, seq,
            fence, mark FROM ${t.executions} WHERE id IN (${database.texts(left.map(({ id }) => id))})`
        )
  const heads = new Map(found.map((head) => [head.id, head]))
  return batch.map((write) => {
    if (made.has(write.id)) return Exit.succeed(write.expected + 1)
    const head = heads.get(write.id)
    if (head !== undefined && head.fence === write.fence && head.seq === write.expected + 1 && head.mark === write.mark)
      return Exit.succeed(head.seq)
    const why = head === undefined ? "missing" : head.fence !== write.fence ? "fenced" : "sequence"
    return Exit.fail(new JournalConflict({ id: write.id, why }))
  })
})
