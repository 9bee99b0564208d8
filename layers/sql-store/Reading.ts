/** How journals and lists are read from a SQL database, with a check that what is read is what was written. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import {
  type Journal,
  JournalCorrupt,
  type JournalEntry,
  type JournalHead,
  type JournalStore,
  type JournalStoreError
} from "../../services/JournalStore.ts"
import type { Database } from "./Database.ts"
import { columns, damage, type EntryRow, type HeadRow, isJson, original, parse, stored } from "./Rows.ts"

type Service = JournalStore["Service"]

/** What the reading part shares with the rest of a store. @category models */
export interface Shared {
  readonly run: <A>(
    operation: string,
    effect: Effect.Effect<A, SqlError>,
    id?: string
  ) => Effect.Effect<A, JournalStoreError>
  readonly headsOf: (rows: ReadonlyArray<HeadRow>) => Effect.Effect<ReadonlyArray<JournalHead>>
  readonly headIn: (
    rows: ReadonlyArray<HeadRow>,
    operation: string,
    id: string
  ) => Effect.Effect<Option.Option<JournalHead>, JournalStoreError>
}

/** Entries of rows that begin with the number `from`; the first that is wrong is what they fail with. */
const entriesOf = (
  id: string,
  rows: ReadonlyArray<EntryRow>,
  from: number
): Effect.Effect<ReadonlyArray<JournalEntry>, JournalCorrupt> => {
  const entries: Array<JournalEntry> = []
  for (const [n, { seq, at, records, crc }] of rows.entries()) {
    if (seq !== from + n) return Effect.fail(new JournalCorrupt({ id, seq: from + n, detail: "it is missing" }))
    const wrong = damage(id, seq, records, crc)
    if (wrong !== undefined) return Effect.fail(new JournalCorrupt({ id, seq, detail: wrong }))
    const json = parse(records)
    if (!Array.isArray(json)) return Effect.fail(new JournalCorrupt({ id, seq, detail: "it is not a list of JSON" }))
    entries.push({ seq, at, records: json })
  }
  return Effect.succeed(entries)
}

/** How often a journal is read anew whose older part was forgotten meanwhile. */
const tries = 10

/** The reading part of a store. @category constructors */
export const reading = (
  database: Database,
  { run, headsOf, headIn }: Shared
): Pick<Service, "read" | "history" | "get" | "list"> => {
  const { sql, t } = database
  const head = sql.literal(columns)

  const headRow = (id: string) => sql<HeadRow>`SELECT ${head} FROM ${t.executions} WHERE id = ${stored(id)}`

  const entriesFrom = (id: string, from: number, until: number, limit: number) =>
    sql<EntryRow>`SELECT seq, at, records, crc FROM ${t.journal}
      WHERE id = ${stored(id)} AND seq >= ${from} AND seq <= ${until} ORDER BY seq LIMIT ${limit}`

  const once = Effect.fnUntraced(function* (
    id: string,
    wanted: number | undefined
  ): Effect.fn.Return<Option.Option<Journal>, JournalCorrupt | JournalStoreError> {
    const [row] = yield* run("read", headRow(id), id)
    if (row === undefined) return Option.none()
    const found = yield* Effect.mapError(headIn([row], "read", id), (error) =>
      error.reason === "damaged" ? new JournalCorrupt({ id, seq: 0, detail: "its head cannot be read" }) : error
    )
    if (Option.isNone(found)) return Option.none()
    const until = Math.min(wanted ?? row.seq, row.seq)
    const [shot] = yield* run(
      "read",
      sql<{ readonly seq: number; readonly json: string; readonly crc: number }>`SELECT seq, json, crc
        FROM ${t.snapshots} WHERE id = ${stored(id)} AND seq <= ${until} ORDER BY seq DESC LIMIT 1`,
      id
    )
    if (wanted === undefined && (shot?.seq ?? 0) !== row.snapshot)
      return yield* new JournalCorrupt({ id, seq: row.snapshot, detail: "its newest snapshot is missing" })
    const from = shot?.seq ?? 0
    const rows = yield* run("read", entriesFrom(id, from + 1, until, until - from), id)
    // What came before the oldest snapshot is not kept.
    if (shot === undefined && row.snapshot > 0 && rows[0]?.seq !== 1) return Option.none()
    const entries = yield* entriesOf(id, rows, from + 1)
    if (entries.length < until - from)
      return yield* new JournalCorrupt({ id, seq: from + entries.length + 1, detail: "it is missing" })
    if (shot === undefined) return Option.some({ head: found.value, entries })
    const json = parse(shot.json)
    const wrong = damage(id, shot.seq, shot.json, shot.crc)
    if (wrong !== undefined || !isJson(json))
      return yield* new JournalCorrupt({ id, seq: shot.seq, detail: `the snapshot: ${wrong ?? "it is not JSON"}` })
    return Option.some({ head: found.value, snapshot: { seq: shot.seq, json }, entries })
  })

  /** Something that is missing may have been forgotten while it was read: then there is a newer snapshot. */
  const read = (id: string, wanted: number | undefined, left: number): ReturnType<Service["read"]> =>
    Effect.catchTag(once(id, wanted), "JournalCorrupt", (corrupt) =>
      left === 0
        ? Effect.fail(corrupt)
        : Effect.flatMap(run("read", headRow(id), id), ([row]) =>
            row === undefined || row.snapshot > corrupt.seq ? read(id, wanted, left - 1) : Effect.fail(corrupt)
          )
    )

  return {
    read: (id, options) => read(id, options?.until, tries),
    history: (id, options) =>
      Effect.flatMap(
        run("read the history of", entriesFrom(id, options?.from ?? 1, 2 ** 31 - 1, options?.limit ?? 1_000), id),
        (rows) => entriesOf(id, rows, rows[0]?.seq ?? 1)
      ),
    get: (id) => Effect.flatMap(run("read", headRow(id), id), (rows) => headIn(rows, "read", id)),
    list: (query = {}) => {
      const isNewest = query.order === "newest"
      const limit = query.limit ?? 100
      const conditions: Array<Fragment> = []
      if (query.flow !== undefined) conditions.push(sql`flow = ${stored(query.flow)}`)
      if (query.version !== undefined) conditions.push(sql`version = ${stored(query.version)}`)
      if (query.status !== undefined) conditions.push(sql`status = ${query.status}`)
      if (query.from !== undefined) conditions.push(sql`started_at >= ${query.from}`)
      if (query.to !== undefined) conditions.push(sql`started_at < ${query.to}`)
      if (query.dead !== undefined)
        conditions.push(query.dead ? sql.literal("dead IS NOT NULL") : sql.literal("dead IS NULL"))
      for (const tag of query.tags ?? [])
        conditions.push(sql`id IN (SELECT g.id FROM ${t.tags} g WHERE g.tag = ${stored(tag)})`)
      if (query.text !== undefined && query.text !== "") {
        const text = stored(query.text.toLowerCase())
        conditions.push(database.isPostgres ? sql`strpos(search, ${text}) > 0` : sql`instr(search, ${text}) > 0`)
      }
      if (query.after !== undefined) {
        const at = query.after.indexOf("/")
        const [start, id] = [Number(query.after.slice(0, at)), stored(query.after.slice(at + 1))]
        conditions.push(
          isNewest ? sql`(started_at, id) < (${start}, ${id})` : sql`(started_at, id) > (${start}, ${id})`
        )
      }
      const where = conditions.length === 0 ? sql.literal("1 = 1") : sql.and(conditions)
      const order = sql.literal(isNewest ? "started_at DESC, id DESC" : "started_at, id")
      return Effect.gen(function* () {
        const rows = yield* run(
          "list executions",
          sql<HeadRow>`SELECT ${head} FROM ${t.executions} WHERE ${where} ORDER BY ${order}
            LIMIT ${Math.min(limit, 2 ** 31 - 2) + 1}`
        )
        const heads = yield* headsOf(rows.slice(0, limit))
        const last = rows[limit - 1]
        return rows.length > limit && last !== undefined
          ? { heads, next: `${last.started_at}/${original(last.id)}` }
          : { heads }
      })
    }
  }
}
