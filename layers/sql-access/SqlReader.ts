/**
 * A database behind effect/sql's `SqlClient`, to read. PostgreSQL runs each statement in a transaction that is READ ONLY
 * and has a time limit of its own; SQLite with `query_only`. Who may see what stands best in the rights of the database's
 * user: give the client one that may read what a model may see, and nothing else.
 *
 * A SQLite client runs in the program's own thread and cannot be stopped in the middle of a statement; for a model use
 * `SqliteFile`, which can.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection, Row } from "effect/sql/SqlConnection"
import { ExecutorError, type ExecutorErrorReason, TimedOut, Unavailable } from "../../services/ActionExecutor.ts"
import * as Sql from "../../services/SqlAccess.ts"
import * as Policy from "./Policy.ts"
import * as Statement from "./Statement.ts"
import { tablesOf } from "./Tables.ts"
import { bound, parametersOf, reasonOf } from "./Values.ts"

export {
  /** How much at once where nobody says. @category constants */
  limits,
  /** How much at once. @category models */
  type Limits,
  /** What may be asked. @category models */
  type Options,
  /** The name of a rule. @category models */
  type Rule,
  /** The rules that refuse, by the names that stand in `Refused.rule`. @category constants */
  rules
} from "./Policy.ts"

/** How a connection of a dialect is made to read only, for as long as the Scope; and how it tells what it would read. */
interface Reading {
  readonly begin: (connection: Connection) => Effect.Effect<void, ExecutorErrorReason, Scope.Scope>
  /** The tables that a statement reads. */
  readonly touched: (
    connection: Connection,
    sql: string,
    parameters: ReadonlyArray<Sql.SqlParameter>
  ) => Effect.Effect<ReadonlyArray<string>, ExecutorErrorReason>
  readonly catalogue: string
}

const text = (value: unknown): string => (typeof value === "string" ? value : "")

const readings = (limits: Policy.Limits): Readonly<Record<Statement.Dialect, Reading>> => {
  const failed = <A>(effect: Effect.Effect<A, unknown>) => Effect.mapError(effect, (error) => reasonOf(error, limits))
  const rows = (connection: Connection, sql: string): Effect.Effect<ReadonlyArray<Row>, ExecutorErrorReason> =>
    failed(connection.executeUnprepared(sql, [], undefined))
  return {
    sqlite: {
      begin: (connection) =>
        Effect.gen(function* () {
          const [before] = yield* rows(connection, "PRAGMA query_only")
          const was = before?.["query_only"] === 1 || before?.["query_only"] === 1n
          yield* Effect.acquireRelease(rows(connection, "PRAGMA query_only = ON"), () =>
            was ? Effect.void : Effect.ignore(rows(connection, "PRAGMA query_only = OFF"))
          )
          // What cannot be read only is not read at all.
          const [now] = yield* rows(connection, "PRAGMA query_only")
          if (Number(now?.["query_only"]) !== 1) {
            return yield* Effect.fail(new Unavailable({ detail: "the client knows no query_only", uncertain: false }))
          }
        }),
      // The program that SQLite makes of a statement opens tables by their root pages: no view and no alias hides them.
      touched: Effect.fnUntraced(function* (connection, sql, parameters) {
        const pages = new Map<number, string>()
        for (const one of yield* rows(connection, "SELECT rootpage, tbl_name FROM sqlite_schema")) {
          pages.set(Number(one["rootpage"]), text(one["tbl_name"]))
        }
        const program: ReadonlyArray<Row> = yield* failed(connection.execute(`EXPLAIN ${sql}`, parameters, undefined))
        const found = new Set<string>()
        for (const { opcode, p2, p3 } of program) {
          if (opcode === "VOpen") found.add("a virtual table")
          if (opcode !== "OpenRead" && opcode !== "ReopenIdx") continue
          const name = Number(p2) === 1 ? "sqlite_schema" : (pages.get(Number(p2)) ?? "")
          found.add(Number(p3) === 0 ? name : "a table of another database")
        }
        return [...found]
      }),
      catalogue: `SELECT m.name AS "table", m.type AS kind, c.name AS name, c.type AS type,
          c."notnull" = 0 AND c.pk = 0 AS nullable
        FROM sqlite_schema m JOIN pragma_table_info(m.name) c
        WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY m.name, c.cid`
    },
    pg: {
      begin: (connection) =>
        Effect.andThen(
          Effect.acquireRelease(rows(connection, "BEGIN TRANSACTION READ ONLY"), () =>
            Effect.ignore(rows(connection, "ROLLBACK"))
          ),
          rows(connection, `SET LOCAL statement_timeout = ${limits.millis}`)
        ),
      touched: Effect.fnUntraced(function* (connection, sql, parameters) {
        const [row]: ReadonlyArray<Row> = yield* failed(
          connection.execute(`EXPLAIN (VERBOSE, FORMAT JSON) ${sql}`, parameters, undefined)
        )
        const plan = row?.["QUERY PLAN"]
        return [...relationsOf(typeof plan === "string" ? JSON.parse(plan) : plan)]
      }),
      catalogue: `SELECT CASE table_schema WHEN 'public' THEN '' ELSE table_schema || '.' END || t.table_name AS "table",
          CASE t.table_type WHEN 'VIEW' THEN 'view' ELSE 'table' END AS kind, c.column_name AS name, c.data_type AS type,
          c.is_nullable = 'YES' AS nullable
        FROM information_schema.tables t JOIN information_schema.columns c USING (table_schema, table_name)
        WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
        ORDER BY table_schema, t.table_name, c.ordinal_position`
    }
  }
}

/** The tables of a plan of PostgreSQL, wherever they stand in it. */
const relationsOf = (plan: unknown, found = new Set<string>()): ReadonlySet<string> => {
  if (Array.isArray(plan)) for (const one of plan) relationsOf(one, found)
  else if (typeof plan === "object" && plan !== null) {
    if ("Relation Name" in plan) {
      const schema = "Schema" in plan ? text(plan.Schema) : ""
      found.add(
        schema === "public" || schema === "" ? text(plan["Relation Name"]) : `${schema}.${text(plan["Relation Name"])}`
      )
    }
    for (const one of Object.values(plan)) if (typeof one === "object") relationsOf(one, found)
  }
  return found
}

/**
 * Access as a value. Fails for a database whose statements it cannot keep from writing.
 *
 * @category constructors
 */
export const make = Effect.fnUntraced(function* (
  options: Policy.Options = {}
): Effect.fn.Return<Sql.SqlAccess["Service"], ExecutorError, SqlClient.SqlClient> {
  const client = yield* SqlClient.SqlClient
  const limits: Policy.Limits = { ...Policy.limits, ...options.limits }
  const fail = (subject: string) => (reason: ExecutorErrorReason) =>
    new ExecutorError({ executor: "sql", subject: subject.slice(0, 200), reason })
  const dialect: Statement.Dialect | undefined = client.onDialectOrElse({
    sqlite: () => "sqlite" as const,
    pg: () => "pg" as const,
    orElse: () => undefined
  })
  if (dialect === undefined) {
    const detail = "only SQLite and PostgreSQL can be kept from writing here"
    return yield* fail(client.driver)(new Unavailable({ detail, uncertain: false }))
  }
  const reading = readings(limits)[dialect]
  const allowed = options.tables === undefined ? undefined : new Set(options.tables.map((name) => name.toLowerCase()))

  /** Lends a connection that only reads, for as long as there is time. */
  const lend = <A>(
    use: (connection: Connection) => Effect.Effect<A, ExecutorErrorReason>
  ): Effect.Effect<A, ExecutorErrorReason> =>
    Effect.scoped(
      Effect.gen(function* () {
        const connection = yield* Effect.mapError(
          client.reserve,
          (error) => new Unavailable({ detail: error.message, uncertain: false })
        )
        yield* reading.begin(connection)
        return yield* use(connection)
      })
    ).pipe(
      Effect.timeoutOrElse({
        duration: limits.millis,
        orElse: () => Effect.fail<ExecutorErrorReason>(new TimedOut({ millis: limits.millis }))
      })
    )

  const run = Effect.fnUntraced(function* (statement: string, given: ReadonlyArray<Sql.SqlParameter>) {
    const checked = yield* Effect.fromResult(Statement.check(statement, dialect, limits.statement))
    const parameters = yield* Effect.fromResult(parametersOf(given))
    const sql = Statement.bounded(checked, dialect, limits)
    return yield* lend(
      Effect.fnUntraced(function* (connection) {
        if (allowed !== undefined) {
          const touched = yield* reading.touched(connection, sql, parameters)
          const other = touched.find((name) => !allowed.has(name.toLowerCase()))
          if (other !== undefined)
            return yield* Effect.fail(Policy.refused("sql.table", `${other || "a table"} may not be read`))
        }
        const rows: ReadonlyArray<Row> = yield* Effect.mapError(
          connection.execute(sql, parameters, undefined),
          (error) => reasonOf(error, limits)
        )
        return yield* Effect.fromResult(bound(rows, Object.keys(rows[0] ?? {}), limits))
      })
    )
  })

  const catalogue = lend((connection) =>
    Effect.map(
      Effect.mapError(connection.executeUnprepared(reading.catalogue, [], undefined), (error) =>
        reasonOf(error, limits)
      ),
      (rows: ReadonlyArray<Row>) => tablesOf(rows, allowed)
    )
  )

  return {
    dialect,
    query: (sql, parameters = []) => Effect.mapError(run(sql, parameters), fail(sql)),
    tables: Effect.mapError(catalogue, fail("tables"))
  }
})

/**
 * A database behind `SqlClient`, to read. Where the driver gives integers of 64 bits as numbers, they lose digits; set
 * `SafeIntegers` there.
 *
 * @category layers
 */
export const layer = (options: Policy.Options = {}): Layer.Layer<Sql.SqlAccess, ExecutorError, SqlClient.SqlClient> =>
  Layer.effect(Sql.SqlAccess, make(options))
