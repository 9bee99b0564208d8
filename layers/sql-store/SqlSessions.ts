/** Conversations in a SQL database, so that programs on several machines can go on with them. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import * as Sessions from "../../services/SessionStore.ts"
import type * as Database from "./Database.ts"
import { failure, type StoreFailure } from "./Failures.ts"
import { open } from "./Migrations.ts"
import { behind, original, stored, token } from "./Rows.ts"

interface Row {
  readonly version: number
  readonly turns: number
  readonly state: string
  readonly mark: number
}

const State = Schema.fromJsonString(Schema.toCodecJson(Sessions.SessionState))
const Turn = Schema.fromJsonString(Schema.toCodecJson(Sessions.SessionTurn))
const encodeState = Schema.encodeUnknownEffect(State)
const encodeTurn = Schema.encodeUnknownEffect(Turn)
const decodeState = Schema.decodeUnknownOption(State)
const decodeTurn = Schema.decodeUnknownOption(Turn)

type Operation = Sessions.SessionStoreError["operation"]

/** The store over the client. @category constructors */
export const make = Effect.fnUntraced(function* (
  options: Database.Options = {}
): Effect.fn.Return<Sessions.SessionStore["Service"], Sessions.SessionStoreError, SqlClient.SqlClient> {
  const failed =
    (store: string, id: string, operation: Operation) =>
    <E>(error: E | StoreFailure | Schema.SchemaError): Sessions.SessionStoreError | E =>
      typeof error === "object" && error !== null && "_tag" in error && error._tag === "StoreFailure"
        ? new Sessions.SessionStoreError({ store, id, operation, detail: error.detail })
        : error instanceof Schema.SchemaError
          ? new Sessions.SessionStoreError({ store, id, operation, detail: `It is not JSON: ${error.message}` })
          : // All that is left after the lines above.
            (error as E)
  const database = yield* Effect.mapError(open(options), failed("sql", "", "head")<never>)
  const { sql, t, isPostgres, name } = database

  const rowOf = (id: string) => sql<Row>`SELECT version, turns, state, mark FROM ${t.sessions} WHERE id = ${stored(id)}`

  const damaged = (what: string) => Effect.fail(failure("damaged", `${what} cannot be read`))

  const save = Effect.fnUntraced(function* (
    id: string,
    expected: number,
    { turns, state }: Parameters<Sessions.SessionStoreEncoded["save"]>[2]
  ) {
    const text = yield* encodeState(state)
    const texts = yield* Effect.forEach(turns, (turn) => encodeTurn(turn))
    // A save whose outcome was unknown knows itself by this number when it is made once more.
    const mark = token()
    const key = stored(id)
    const conflict = new Sessions.SessionConflict({ id, expected })
    const saved = Effect.gen(function* () {
      const rows =
        expected === 0
          ? yield* sql<{ readonly turns: number }>`INSERT INTO ${t.sessions} (id, version, turns, state, mark)
              VALUES (${key}, 1, ${texts.length}, ${text}, ${mark}) ON CONFLICT (id) DO NOTHING RETURNING turns`
          : yield* sql<{ readonly turns: number }>`UPDATE ${t.sessions} SET version = version + 1,
              turns = turns + ${texts.length}, state = ${text}, mark = ${mark}
              WHERE id = ${key} AND version = ${expected} RETURNING turns`
      const [row] = rows
      if (row === undefined) {
        const [now] = yield* rowOf(id)
        return now !== undefined && now.mark === mark ? now.turns : yield* Effect.fail(conflict)
      }
      if (texts.length === 0) return row.turns
      const first = row.turns - texts.length
      const json = JSON.stringify(texts.map((turn, n) => ({ nth: first + n, turn })))
      yield* isPostgres
        ? sql`INSERT INTO ${t.turns} (id, n, turn)
            SELECT ${key}, x.nth, x.turn FROM json_to_recordset(${json}::json) AS x(nth int, turn text)`
        : sql`INSERT INTO ${t.turns} (id, n, turn)
            SELECT ${key}, json_extract(value, '$.nth'), json_extract(value, '$.turn') FROM json_each(${json})`
      return row.turns
    })
    const count = yield* database.run<number, Sessions.SessionConflict>(database.transaction(saved))
    return { ...state, version: expected + 1, turns: count }
  })

  const head = Effect.fnUntraced(function* (id: string) {
    const [row] = yield* database.run<ReadonlyArray<Row>, never>(rowOf(id))
    if (row === undefined) return Sessions.emptyHead
    const state = decodeState(row.state)
    if (Option.isNone(state)) return yield* damaged("Its head")
    return { ...state.value, version: row.version, turns: row.turns }
  })

  const read = Effect.fnUntraced(function* (id: string, from: number, to: number) {
    const rows = yield* database.run<ReadonlyArray<{ readonly n: number; readonly turn: string }>, never>(
      sql<{ readonly n: number; readonly turn: string }>`SELECT n, turn FROM ${t.turns}
        WHERE id = ${stored(id)} AND n >= ${Math.max(0, from)} AND n < ${Math.min(to, 2 ** 31 - 1)} ORDER BY n`
    )
    const turns: Array<Sessions.SessionTurn> = []
    for (const { n, turn } of rows) {
      const found = decodeTurn(turn)
      if (Option.isNone(found)) return yield* damaged(`Its turn ${n}`)
      turns.push(found.value)
    }
    return turns
  })

  const remove = (id: string) =>
    database.run<void, never>(
      database.transaction(
        Effect.andThen(
          sql`DELETE FROM ${t.turns} WHERE id = ${stored(id)}`,
          Effect.asVoid(sql`DELETE FROM ${t.sessions} WHERE id = ${stored(id)}`)
        )
      )
    )

  const list = Effect.fnUntraced(function* ({ after, limit = Sessions.pageSize, prefix = "" }: Sessions.SessionQuery) {
    // Ids that are stored as JSON stand beside the others, and are looked at one by one.
    const isPlain = stored(prefix) === prefix
    const [upper, marked] = [behind(prefix), behind("\u0001") ?? ""]
    const plain = upper === undefined ? sql`id >= ${prefix}` : sql`(id >= ${prefix} AND id < ${upper})`
    const wanted = sql`(id >= ${"\u0001"} AND id < ${marked})`
    type Listed = Omit<Row, "mark"> & { readonly id: string }
    const rows = yield* database.run<ReadonlyArray<Listed>, never>(
      sql<Listed>`SELECT id, version, turns, state FROM ${t.sessions}
        WHERE ${isPlain ? sql`(${plain} OR ${wanted})` : wanted}
        AND ${after === undefined ? sql`1 = 1` : sql`id > ${stored(after)}`}
        ORDER BY id LIMIT ${limit + 1}`
    )
    const sessions: Array<Sessions.SessionSummary> = []
    for (const { state, turns, version, ...row } of rows.slice(0, limit)) {
      const id = original(row.id)
      if (!id.startsWith(prefix)) continue
      const known = decodeState(state)
      if (Option.isNone(known)) return yield* damaged(`The head of ${JSON.stringify(id)}`)
      sessions.push({ id, version, turns, meta: known.value.meta })
    }
    const last = rows.length > limit ? rows[limit - 1] : undefined
    return { sessions, ...(last === undefined ? {} : { next: original(last.id) }) }
  })

  return Sessions.make({
    list: (query = {}) => Effect.mapError(list(query), failed(name, "", "list")<never>),
    head: (id) => Effect.mapError(head(id), failed(name, id, "head")<never>),
    read: (id, from, to) => Effect.mapError(read(id, from, to), failed(name, id, "read")<never>),
    save: (id, expected, change) =>
      Effect.mapError(save(id, expected, change), failed(name, id, "save")<Sessions.SessionConflict>),
    remove: (id) => Effect.mapError(remove(id), failed(name, id, "remove")<never>)
  })
})

/** Conversations over the `SqlClient` of the context. @category layers */
export const layer = (
  options?: Database.Options
): Layer.Layer<Sessions.SessionStore, Sessions.SessionStoreError, SqlClient.SqlClient> =>
  Layer.effect(Sessions.SessionStore, make(options))
