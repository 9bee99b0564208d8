/** Databases that a model may ask. */

/** A database behind effect/sql's `SqlClient`. */
export * as SqlReader from "./SqlReader.ts"
/** A SQLite file, in a process of its own. */
export * as SqliteFile from "./SqliteFile.ts"
