/** Actions over `SqlAccess`: what stands in a database, and what a model asks of it. They only read, and need no approval. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { SqlAccess, SqlParameter, SqlRows, SqlTable } from "../../../services/SqlAccess.ts"
import * as Action from "../Action.ts"

/** Tells tables and columns. @category actions */
export const describeDatabase = Action.make("describe_database", {
  description:
    "The tables and views of the database that can be read, with their columns. Ask for it before you query.",
  output: Schema.Struct({ dialect: Schema.String, tables: Schema.Array(SqlTable) }),
  sideEffect: "pure",
  run: () => SqlAccess.use(({ dialect, tables }) => Effect.map(tables, (tables) => ({ dialect, tables })))
})

/** Runs a statement that reads. @category actions */
export const queryDatabase = Action.make("query_database", {
  description:
    "Run one SQL statement that reads (SELECT, WITH ... SELECT, VALUES) and get its rows. " +
    "Pass values as parameters: ? in SQLite, $1 in PostgreSQL. Where it says truncated there are more rows: ask for fewer.",
  input: Schema.Struct({ sql: Schema.String, parameters: Schema.optionalKey(Schema.Array(SqlParameter)) }),
  output: SqlRows,
  sideEffect: "pure",
  run: ({ parameters, sql }) => SqlAccess.use((database) => database.query(sql, parameters))
})

/** Both actions. @category actions */
export const all = [describeDatabase, queryDatabase] as const
