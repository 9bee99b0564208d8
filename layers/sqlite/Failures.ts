/** What SQLite says went wrong, as `SqlError` of effect/sql with the reason that fits. */
import {
  AuthorizationError,
  ConnectionError,
  ConstraintError,
  classifySqliteError,
  SerializationError,
  SqlError,
  type SqlErrorReason,
  SqlSyntaxError,
  UniqueViolation
} from "effect/sql/SqlError"
import type { Failure } from "./Engine.ts"

const names = [
  "SQLITE_OK",
  "SQLITE_ERROR",
  "SQLITE_INTERNAL",
  "SQLITE_PERM",
  "SQLITE_ABORT",
  "SQLITE_BUSY",
  "SQLITE_LOCKED",
  "SQLITE_NOMEM",
  "SQLITE_READONLY",
  "SQLITE_INTERRUPT",
  "SQLITE_IOERR",
  "SQLITE_CORRUPT",
  "SQLITE_NOTFOUND",
  "SQLITE_FULL",
  "SQLITE_CANTOPEN",
  "SQLITE_PROTOCOL",
  "SQLITE_EMPTY",
  "SQLITE_SCHEMA",
  "SQLITE_TOOBIG",
  "SQLITE_CONSTRAINT",
  "SQLITE_MISMATCH",
  "SQLITE_MISUSE",
  "SQLITE_NOLFS",
  "SQLITE_AUTH",
  "SQLITE_FORMAT",
  "SQLITE_RANGE",
  "SQLITE_NOTADB"
]

// What to do, by primary code.
const hints: Readonly<Record<string, string>> = {
  SQLITE_BUSY: "another connection holds the lock; try again, or raise busyTimeout",
  SQLITE_READONLY: "open it without readOnly, and look at the permissions of the file and of its folder",
  SQLITE_FULL: "make room on the disk, or raise PRAGMA max_page_count",
  SQLITE_CORRUPT: "restore it from a backup, or save what can be read with `sqlite3 file .recover`",
  SQLITE_NOTADB: "the file belongs to something else, or its beginning is damaged",
  SQLITE_IOERR: "look at the disk",
  SQLITE_CANTOPEN: "its folder has to be there and accessible",
  ERR_OUT_OF_RANGE: 'read such integers with integers: "bigint", or under SqlClient.SafeIntegers',
  ROLLED_BACK: "an error before this one made it do so; let the transaction fail with that error",
  ENDED: "the client is lost; build its layer anew"
}

/**
 * The cause in the reason of an `SqlError`: what SQLite itself said.
 *
 * @category errors
 */
export class SqliteFailure extends Error {
  override readonly name = "SqliteFailure"
  /** The primary result code of SQLite by its name (`SQLITE_FULL`), or the code of Node where SQLite was not asked. */
  readonly code: string
  /** The extended result code of SQLite; 0 where SQLite was not asked. */
  readonly errno: number
  constructor(failure: Failure) {
    super(failure.message)
    this.errno = failure.errcode
    this.code = failure.errcode === 0 ? failure.code : (names[failure.errcode & 0xff] ?? "SQLITE_ERROR")
  }
}

/** Where something went wrong. @category models */
export interface At {
  readonly filename: string
  readonly operation: string
  readonly sql?: string
}

const reasonOf = (
  cause: SqliteFailure,
  props: { readonly cause: SqliteFailure; readonly message: string; readonly operation: string }
): SqlErrorReason => {
  switch (cause.errno) {
    // A primary key and a rowid are unique too; PostgreSQL says the same of them.
    case 1555:
    case 2579:
      return new UniqueViolation({ ...props, constraint: cause.message.split(": ")[1] ?? "unknown" })
    // What was read in the transaction is not what is there any more.
    case 517:
      return new SerializationError(props)
  }
  switch (cause.code) {
    case "SQLITE_ERROR":
    case "SQLITE_RANGE":
    case "SEVERAL":
      return new SqlSyntaxError(props)
    case "SQLITE_READONLY":
      return new AuthorizationError(props)
    case "SQLITE_MISMATCH":
      return new ConstraintError(props)
    case "ENDED":
      return new ConnectionError(props)
  }
  return classifySqliteError(cause, props)
}

/** The error, naming file and statement. @category constructors */
export const errorOf = (failure: Failure, at: At): SqlError => {
  const cause = new SqliteFailure(failure)
  const hint = hints[cause.code]
  const sql = at.sql === undefined ? "" : at.sql.length > 200 ? `${at.sql.slice(0, 200)}…` : at.sql
  const message =
    `${at.filename}: ${cause.message}` + (hint === undefined ? "" : ` (${hint})`) + (sql === "" ? "" : `, in: ${sql}`)
  return new SqlError({ reason: reasonOf(cause, { cause, message, operation: at.operation }) })
}

/**
 * What SQLite called the failure: `SQLITE_FULL`, `SQLITE_CORRUPT`. `undefined` for errors of other drivers. It tells apart
 * what effect/sql has no reason of its own for.
 *
 * @category errors
 */
export const codeOf = (error: SqlError): string | undefined =>
  error.reason.cause instanceof SqliteFailure ? error.reason.cause.code : undefined
