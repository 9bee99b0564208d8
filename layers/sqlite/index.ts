/** SQLite of Node as a `SqlClient`, and a lock that proves that a process lives. */

/** The client, its layers and its options. */
export * as SqliteClient from "./SqliteClient.ts"
/** A lock that ends with its process. */
export * as SqliteLock from "./SqliteLock.ts"
