/**
 * A database that a model may ask, as a service: one statement in, bounded rows out, both JSON. Which tables may be read
 * is the policy of the implementation; `effigent/layers/sql-access` has two, both of which read only.
 *
 * What an implementation promises:
 *
 * - a call is one statement, which changes nothing, as the database itself sees to;
 * - rows are bounded in number and size, and a query in time.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ExecutorError } from "./ActionExecutor.ts"

/**
 * A value that is given for a parameter of a statement.
 *
 * @category models
 */
export const SqlParameter = Schema.Union([Schema.String, Schema.Finite, Schema.Boolean, Schema.Null])

/** A value for a parameter, as a type. @category models */
export type SqlParameter = typeof SqlParameter.Type

/**
 * What a statement gave. Whole numbers too large for JSON are texts, dates are texts as ISO 8601 has them, binary data is
 * an object with the key `base64`.
 *
 * @category models
 */
export const SqlRows = Schema.Struct({
  /** The names of the columns; empty where there is no row. */
  columns: Schema.Array(Schema.String),
  rows: Schema.Array(Schema.Record(Schema.String, Schema.Json)),
  /** Whether there are more rows. */
  truncated: Schema.Boolean
})

/** What a statement gave, as a type. @category models */
export type SqlRows = typeof SqlRows.Type

/**
 * A table or a view that may be read.
 *
 * @category models
 */
export const SqlTable = Schema.Struct({
  name: Schema.String,
  kind: Schema.Literals(["table", "view"]),
  columns: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      /** The type, as the database names it. */
      type: Schema.String,
      nullable: Schema.Boolean
    })
  )
})

/** A table or a view that may be read, as a type. @category models */
export type SqlTable = typeof SqlTable.Type

/**
 * A database that a model may ask.
 *
 * @category services
 */
export class SqlAccess extends Context.Service<
  SqlAccess,
  {
    /** Which SQL it speaks: `sqlite`, with `?` for parameters, or `pg`, with `$1`. */
    readonly dialect: "sqlite" | "pg"
    /** Runs one statement that reads. */
    readonly query: (sql: string, parameters?: ReadonlyArray<SqlParameter>) => Effect.Effect<SqlRows, ExecutorError>
    /** The tables and views that may be read, in the order of their names. */
    readonly tables: Effect.Effect<ReadonlyArray<SqlTable>, ExecutorError>
  }
>()("effigent/SqlAccess") {}
