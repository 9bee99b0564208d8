/**
 * What talks to SQLite: it takes requests one after the other and answers each. It runs in a worker thread, or on the
 * thread of its caller.
 *
 * The worker gets `serve` as text, so that the same code starts from sources, from a build and from tests. It therefore
 * uses nothing but its parameters and the globals of JavaScript: no import, no name of this module.
 */
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite"

/** What can be asked. @category models */
export type Request =
  | {
      readonly op: "open"
      readonly filename: string
      readonly readOnly: boolean
      /** In WAL, or the file is refused. */
      readonly wal: boolean
      readonly pragmas: ReadonlyArray<string>
      /** Milliseconds that a statement waits for the locks of others. */
      readonly timeout: number
      /** How many prepared statements are kept. */
      readonly statements: number
    }
  | { readonly op: "run"; readonly sql: string; readonly keep: boolean; readonly input: Input }
  | { readonly op: "exec"; readonly sql: string; readonly within: boolean }
  /** All of them in one transaction, or none. */
  | {
      readonly op: "together"
      readonly statements: ReadonlyArray<{ readonly sql: string; readonly input: Input }>
    }
  /** `own`: on a connection of its own, with a view of the data of its own. */
  | {
      readonly op: "cursor"
      readonly cursor: number
      readonly sql: string
      readonly own: boolean
      readonly input: Input
    }
  | { readonly op: "page"; readonly cursor: number; readonly rows: number; readonly bytes: number }
  | { readonly op: "end"; readonly cursor: number }
  | { readonly op: "close" }

/** The values of a statement. @category models */
export interface Input {
  readonly params: ReadonlyArray<SQLInputValue>
  /** Whether integers come back as bigint. */
  readonly bigint: boolean
  /** Only in a transaction: refused where SQLite has rolled it back, for else it would be done for good on its own. */
  readonly within: boolean
}

/** What SQLite, or Node for it, says has gone wrong. @category models */
export interface Failure {
  readonly message: string
  /** The extended result code of SQLite; 0: SQLite was not asked. */
  readonly errcode: number
  /** The code of Node. */
  readonly code: string
}

/** An answer. @category models */
export interface Reply {
  readonly failure: Failure | undefined
  readonly columns: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<SQLOutputValue>>
  /** Pages: there is no further one. */
  readonly done: boolean
  readonly changes: number | bigint
  readonly lastInsertRowid: number | bigint
  /** Whether a transaction is open now. */
  readonly transaction: boolean
  /** Several statements: the answer to each. */
  readonly parts?: ReadonlyArray<Reply>
}

/** Makes an engine out of the class of node:sqlite. @category constructors */
export const serve = (Database: typeof DatabaseSync): ((request: Request) => Reply) => {
  let database: DatabaseSync | undefined
  let settings: Extract<Request, { op: "open" }> | undefined
  const kept = new Map<string, StatementSync>()
  const cursors = new Map<
    number,
    {
      readonly statement: StatementSync
      readonly rows: Iterator<unknown, unknown>
      readonly own: DatabaseSync | undefined
    }
  >()
  const nothing: Reply = {
    failure: undefined,
    columns: [],
    rows: [],
    done: true,
    changes: 0,
    lastInsertRowid: 0,
    transaction: false
  }
  const refuse = (message: string, code: string) => Object.assign(new Error(message), { code })

  const connect = (request: Extract<Request, { op: "open" }>) => {
    const { filename, readOnly, timeout, wal, pragmas } = request
    const connection = new Database(filename, { readOnly, timeout, allowExtension: false })
    try {
      // Changing into WAL does not wait for the locks of others by itself.
      const until = Date.now() + timeout
      for (;;) {
        try {
          if (wal && !readOnly) {
            const mode = String(Object.values(connection.prepare("PRAGMA journal_mode = WAL").get() ?? {})[0])
            if (mode !== "wal" && mode !== "memory") {
              throw refuse(`its file system offers no WAL, but "${mode}"; set journal: "delete"`, "NO_WAL")
            }
          }
          // Reads the head of the file, which shows whether it is one of SQLite at all.
          connection.prepare("SELECT count(*) FROM sqlite_schema").get()
          break
        } catch (error) {
          const busy = error instanceof Error && "errcode" in error && Number(error.errcode) % 256 === 5
          if (!busy || Date.now() >= until) throw error
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
        }
      }
      for (const pragma of pragmas) connection.exec(`PRAGMA ${pragma}`)
      return connection
    } catch (error) {
      connection.close()
      throw error
    }
  }

  const opened = (within = false) => {
    if (database === undefined) throw refuse("the database is closed", "CLOSED")
    if (within && !database.isTransaction) throw refuse("SQLite has rolled back the transaction", "ROLLED_BACK")
    return database
  }

  const prepare = (connection: DatabaseSync, sql: string, bigint: boolean) => {
    const statement = connection.prepare(sql)
    // Node compiles the first statement and forgets the others.
    const rest = sql.slice(statement.sourceSQL.length)
    if (/\S/.test(rest) && /[^\s;]/.test(rest.replace(/--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/g, ""))) {
      throw refuse("this is more than one statement; give each alone, or use `script` of SqliteClient", "SEVERAL")
    }
    statement.setReturnArrays(true)
    statement.setReadBigInts(bigint)
    return statement
  }

  const statementOf = (sql: string, keep: boolean, bigint: boolean) => {
    const known = kept.get(sql)
    if (known !== undefined) {
      // The youngest goes to the end.
      kept.delete(sql)
      kept.set(sql, known)
      known.setReadBigInts(bigint)
      return known
    }
    const statement = prepare(opened(), sql, bigint)
    if (keep && settings !== undefined && settings.statements > 0) {
      kept.set(sql, statement)
      if (kept.size > settings.statements) {
        for (const oldest of kept.keys()) {
          kept.delete(oldest)
          break
        }
      }
    }
    return statement
  }

  const small = (value: number | bigint, bigint: boolean) =>
    bigint || BigInt.asIntN(54, BigInt(value)) !== BigInt(value) ? BigInt(value) : Number(value)

  const run = (request: Extract<Request, { op: "run" }>): Reply => {
    const { params, bigint } = request.input
    const connection = opened(request.input.within)
    // What node:sqlite gives for no transaction is an error, yet nothing is left to be done.
    if (request.sql === "ROLLBACK" && !connection.isTransaction) return nothing
    const statement = statementOf(request.sql, request.keep, bigint)
    if (statement.columns().length === 0) {
      statement.setReadBigInts(true)
      const { changes, lastInsertRowid } = statement.run(...params)
      const transaction = connection.isTransaction
      const counts = { changes: small(changes, bigint), lastInsertRowid: small(lastInsertRowid, bigint) }
      return { ...nothing, ...counts, transaction }
    }
    // `setReturnArrays` above: each row is an array.
    const rows = statement.all(...params) as unknown as ReadonlyArray<ReadonlyArray<SQLOutputValue>>
    // After the rows: the schema may have changed since the statement was prepared.
    const columns = statement.columns().map(({ name }) => name)
    return { ...nothing, columns, rows, transaction: connection.isTransaction }
  }

  const together = (request: Extract<Request, { op: "together" }>): Reply => {
    const connection = opened()
    connection.exec("BEGIN IMMEDIATE")
    try {
      const parts = request.statements.map(({ sql, input }) => run({ op: "run", sql, keep: true, input }))
      connection.exec("COMMIT")
      return { ...nothing, parts }
    } catch (error) {
      // SQLite may have done so itself.
      if (connection.isTransaction) connection.exec("ROLLBACK")
      throw error
    }
  }

  const end = (id: number) => {
    const cursor = cursors.get(id)
    if (cursor === undefined) return
    cursors.delete(id)
    try {
      cursor.rows.return?.()
    } finally {
      cursor.own?.close()
    }
  }

  const page = (request: Extract<Request, { op: "page" }>): Reply => {
    const connection = opened()
    const cursor = cursors.get(request.cursor)
    if (cursor === undefined) return { ...nothing, transaction: connection.isTransaction }
    const rows: Array<ReadonlyArray<SQLOutputValue>> = []
    let bytes = 0
    let done = false
    while (rows.length < request.rows && bytes < request.bytes) {
      const next = cursor.rows.next()
      if (next.done === true) {
        done = true
        break
      }
      // `setReturnArrays`: each row is an array.
      const row = next.value as ReadonlyArray<SQLOutputValue>
      rows.push(row)
      for (const value of row) {
        bytes += typeof value === "string" ? value.length * 2 : value instanceof Uint8Array ? value.length : 8
      }
    }
    const columns = cursor.statement.columns().map(({ name }) => name)
    if (done) end(request.cursor)
    return { ...nothing, columns, rows, done, transaction: connection.isTransaction }
  }

  const answer = (request: Request): Reply => {
    switch (request.op) {
      case "open":
        database = connect(request)
        settings = request
        return nothing
      case "run":
        return run(request)
      case "exec":
        opened(request.within).exec(request.sql)
        return { ...nothing, transaction: opened().isTransaction }
      case "together":
        return together(request)
      case "cursor": {
        if (settings === undefined) throw refuse("the database is closed", "CLOSED")
        const own = request.own ? connect(settings) : undefined
        try {
          const statement = prepare(own ?? opened(request.input.within), request.sql, request.input.bigint)
          const rows = statement.iterate(...request.input.params)
          cursors.set(request.cursor, { statement, rows, own })
        } catch (error) {
          own?.close()
          throw error
        }
        return { ...nothing, transaction: opened().isTransaction }
      }
      case "page":
        return page(request)
      case "end":
        end(request.cursor)
        return { ...nothing, transaction: opened().isTransaction }
      case "close": {
        if (database === undefined) return nothing
        const connection = database
        database = undefined
        for (const id of cursors.keys()) end(id)
        kept.clear()
        try {
          if (connection.isTransaction) connection.exec("ROLLBACK")
          // As much as goes without waiting for others.
          if (settings?.readOnly === false) connection.exec("PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE)")
        } finally {
          connection.close()
        }
        return nothing
      }
    }
  }

  return (request) => {
    try {
      return answer(request)
    } catch (error) {
      const failure = {
        message: error instanceof Error ? error.message : String(error),
        errcode: error instanceof Error && "errcode" in error ? Number(error.errcode) : 0,
        code: error instanceof Error && "code" in error ? String(error.code) : ""
      }
      return { ...nothing, failure, transaction: database?.isTransaction ?? false }
    }
  }
}
