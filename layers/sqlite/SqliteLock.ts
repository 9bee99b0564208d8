/**
 * Proof that a process lives: a lock under a name that ends with its process, however it ends, also by `kill -9`.
 *
 * It is an exclusive transaction of SQLite on a file beside the database, `<filename>.<name>.lock`, whose lock the
 * operating system holds for the process. The empty file stays behind; it says nothing by being there. Nothing else may
 * open it: on POSIX systems a process loses its locks on a file when it closes any handle of it. It has to lie on a disk
 * of this machine, and to hold it among machines needs another way.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import { DatabaseSync } from "node:sqlite"
import { errorOf } from "./Failures.ts"

/**
 * Somebody alive holds the lock: another process, or somebody else in this one.
 *
 * @category errors
 */
export class SqliteLockHeld extends Schema.TaggedError<SqliteLockHeld>("effigent/layers/sqlite/SqliteLockHeld")(
  "SqliteLockHeld",
  {
    /** The database that was named. */
    filename: Schema.String,
    /** The name of the lock. */
    name: Schema.String,
    /** The file that is locked. */
    file: Schema.String
  }
) {
  override get message(): string {
    return `"${this.name}" of ${this.filename} is held by another that lives; end it, or take another name (${this.file})`
  }
}

/**
 * The file of a lock.
 *
 * @param filename the database that it belongs to.
 * @param name the name of the lock; what is special in file names is escaped.
 * @category constructors
 */
export const fileOf = (filename: string, name: string): string =>
  `${filename}.${encodeURIComponent(name).replaceAll("*", "%2A")}.lock`

/**
 * Takes the lock, and holds it until the Scope or the process ends. Never waits.
 *
 * @param filename the database that it belongs to; it need not be there, its folder has to.
 * @param name who is alive: the name of a runner.
 *
 * Fails with `SqliteLockHeld` where another holds it, with `SqlError` where its file cannot be made.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { SqliteLock } from "effigent/layers/sqlite"
 * import { mkdtempSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 *
 * const filename = join(mkdtempSync(join(tmpdir(), "lock-")), "data.db")
 * const program = Effect.gen(function* () {
 *   yield* SqliteLock.hold(filename, "runner-1")
 *   return yield* Effect.flip(SqliteLock.hold(filename, "runner-1"))
 * })
 * console.log((await Effect.runPromise(Effect.scoped(program)))._tag) // => SqliteLockHeld
 * ```
 *
 * @category constructors
 */
export const hold = (filename: string, name: string): Effect.Effect<void, SqliteLockHeld | SqlError, Scope.Scope> => {
  const file = fileOf(filename, name)
  // On this thread: it is one system call, and no data are written.
  const take = Effect.try({
    try: () => {
      const database = new DatabaseSync(file, { timeout: 0 })
      try {
        database.exec("BEGIN EXCLUSIVE")
        return database
      } catch (cause) {
        database.close()
        throw cause
      }
    },
    catch: (cause) => {
      const errcode = cause instanceof Error && "errcode" in cause ? Number(cause.errcode) : 0
      if (errcode % 256 === 5) return new SqliteLockHeld({ filename, name, file })
      const message = cause instanceof Error ? cause.message : String(cause)
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
      return errorOf({ message, errcode, code }, { filename: file, operation: "lock" })
    }
  })
  return Effect.asVoid(Effect.acquireRelease(take, (database) => Effect.sync(() => database.close())))
}
