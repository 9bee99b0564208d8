/**
 * A `SqlClient` of effect/sql over `node:sqlite`, which comes with Node: nothing to install, nothing to compile.
 *
 * Statements run in a worker thread, so that a write that waits for the disk does not hold up anybody else. What is
 * committed is on the disk: WAL, `synchronous = FULL`. One connection writes, and has the transactions one after the
 * other; outside of transactions reads have a connection and a thread of their own and never wait for a writer.
 *
 * Values: text, INTEGER as number, REAL as number, BLOB as `Uint8Array`, NULL. A parameter may be a boolean (1 or 0), a
 * Date (its ISO text), `undefined` (NULL), any view of bytes. SQLite does not know these and they come back as what they
 * were stored as; a Schema (`Model.BooleanSqlite`) makes them what they were. An integer that a number cannot hold is an
 * error, and comes as a bigint with `integers: "bigint"`.
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Client from "effect/sql/SqlClient"
import type * as SqlConnection from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import type { Failure, Reply, Request } from "./Engine.ts"
import { errorOf } from "./Failures.ts"
import { isOfConnection, isRead } from "./Statements.ts"
import * as Threads from "./Threads.ts"
import { bind, objects } from "./Values.ts"

export { codeOf, SqliteFailure } from "./Failures.ts"

/**
 * Which file, and how it is kept.
 *
 * @category models
 */
export interface Options {
  /** The file, which is made where there is none, or `":memory:"`. Its folder has to be there. */
  readonly filename: string
  /**
   * Where statements run. Default: `"worker"`. `"main"` blocks the event loop for as long as a statement takes; it is for
   * scripts and for `":memory:"`.
   *
   * Measured one after the other, as medians: a `SELECT 1` in a worker takes about 4 times as long as on the main thread
   * (some 15 microseconds more), a durable insert 1.0 to 1.2 times, for it waits for the disk.
   */
  readonly thread?: "worker" | "main" | undefined
  /** Opens the file without ever writing; it has to be there. Default: false. */
  readonly readOnly?: boolean | undefined
  /** `"wal"` (default) lets others read while one writes. `"delete"` is for file systems without shared memory. */
  readonly journal?: "wal" | "delete" | undefined
  /**
   * When a commit counts as done. `"full"` (default): it is on the disk. `"normal"`: a loss of power may undo the last
   * commits, but nothing is torn.
   */
  readonly synchronous?: "off" | "normal" | "full" | "extra" | undefined
  /** How long a statement waits for the lock of another process before it fails as busy. Default: 5 seconds. */
  readonly busyTimeout?: Duration.Input | undefined
  /** Whether foreign keys are checked. Default: true. */
  readonly foreignKeys?: boolean | undefined
  /**
   * Whether statements outside of transactions that only read get a connection of their own. Default: true for files in
   * WAL and those that are only read; there is none in memory. Once temporary tables, attached files or settings have been
   * made on the connection that writes, it reads too, since no other one sees them.
   *
   * With one connection a stream outside of a transaction holds it: what consumes the stream must not ask the same client
   * for anything else.
   */
  readonly readConnection?: boolean | undefined
  /**
   * What begins a transaction. `"immediate"` (default) takes the write lock at once, so that a transaction does not find
   * out in its middle that another process has written. `"deferred"`: with its first write.
   */
  readonly begin?: "immediate" | "deferred" | undefined
  /** How many prepared statements each connection keeps. Default: 200. */
  readonly statements?: number | undefined
  /** What integers come back as. Default: `"number"`, where a larger one than 2^53 is an error. */
  readonly integers?: "number" | "bigint" | undefined
  /** Rows that a stream reads ahead; a page ends at a MiB too. Default: 256. */
  readonly page?: number | undefined
  /** Changes the names of columns on their way to the database. */
  readonly transformQueryNames?: ((name: string) => string) | undefined
  /** Changes the names of columns on their way back. */
  readonly transformResultNames?: ((name: string) => string) | undefined
  /** Attributes of the spans of statements. */
  readonly spanAttributes?: Readonly<Record<string, unknown>> | undefined
}

/**
 * A `SqlClient`, and what SQLite has besides.
 *
 * @category models
 */
export interface Sqlite extends Client.SqlClient {
  /** The options that it was made with. */
  readonly options: Options
  /**
   * Runs a text of several statements without parameters, on the connection that writes; inside of a transaction as part
   * of it. Outside of one the statements before the one that fails stay done.
   */
  readonly script: (sql: string) => Effect.Effect<void, SqlError>
  /**
   * Runs statements as one transaction in one go: the thread is asked once, where a transaction asks it for each statement
   * and for its beginning and end. Gives the rows of each statement, with the names that its columns have in the database.
   * None may need what an earlier one has given, and it is no part of a transaction of the caller: inside of one it waits
   * for that one's end, for ever.
   */
  readonly together: (
    statements: ReadonlyArray<Statement.Statement<unknown>>
  ) => Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>, SqlError>
  /** Writes a whole copy, as of now, into a file that is not there yet. Others read and write meanwhile. */
  readonly backup: (filename: string) => Effect.Effect<void, SqlError>
}

/**
 * The client, where what is special about SQLite is needed. Others ask for `SqlClient`.
 *
 * @category services
 */
export class SqliteClient extends Context.Service<SqliteClient, Sqlite>()("effigent/layers/sqlite/SqliteClient") {}

/** A connection of effect/sql, and what the client needs of it besides. */
interface Connection extends SqlConnection.Connection {
  readonly script: (sql: string) => Effect.Effect<void, SqlError>
  readonly together: Sqlite["together"]
  readonly inTransaction: () => boolean
}

const pageBytes = 1024 * 1024

/** A connection of a thread whose database is open. */
const connectionOf = (
  thread: Threads.Thread,
  options: Options,
  kind: {
    readonly reads: boolean
    /** Is told each statement; says whether it may only run in a transaction. */
    readonly within: (sql: string) => boolean
  }
): Connection => {
  const { filename, integers, page = 256 } = options
  // Whoever is interrupted in a write goes on once it has ended, so that what they find next is settled.
  const settled: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E> = kind.reads
    ? identity
    : Effect.uninterruptible
  const failed = (operation: string, sql: string) => (failure: Failure) =>
    errorOf(failure, { filename, operation, sql })
  const ask = (operation: string, sql: string, request: Request): Effect.Effect<Reply, SqlError> =>
    settled(
      Effect.flatMap(thread.ask(request), (reply) =>
        reply.failure === undefined ? Effect.succeed(reply) : Effect.fail(failed(operation, sql)(reply.failure))
      )
    )
  const withInput = (
    operation: string,
    sql: string,
    params: ReadonlyArray<unknown>,
    request: (input: Extract<Request, { op: "run" }>["input"]) => Request
  ): Effect.Effect<Reply, SqlError> =>
    Effect.withFiber((fiber) => {
      const bound = bind(params)
      if (Result.isFailure(bound)) return Effect.fail(failed(operation, sql)(bound.failure))
      const within = kind.within(sql)
      const bigint = integers === "bigint" || fiber.getRef(Client.SafeIntegers)
      return ask(operation, sql, request({ params: bound.success, bigint, within }))
    })
  const run = (operation: string, sql: string, params: ReadonlyArray<unknown>, keep = true) =>
    withInput(operation, sql, params, (input) => ({ op: "run", sql, keep, input }))
  const rowsOf =
    (transform: (<A extends object>(rows: ReadonlyArray<A>) => ReadonlyArray<A>) | undefined) =>
    ({ columns, rows }: Reply) => {
      const made = objects(columns, rows)
      return transform === undefined ? made : transform(made)
    }
  const raw = (reply: Reply) =>
    reply.columns.length > 0
      ? objects(reply.columns, reply.rows)
      : { changes: reply.changes, lastInsertRowid: reply.lastInsertRowid }
  return {
    inTransaction: thread.inTransaction,
    script: (sql) =>
      Effect.suspend(() => Effect.asVoid(ask("script", sql, { op: "exec", sql, within: kind.within(sql) }))),
    together: (statements) =>
      Effect.withFiber((fiber) => {
        const bigint = integers === "bigint" || fiber.getRef(Client.SafeIntegers)
        const compiled: Array<Extract<Request, { op: "together" }>["statements"][number]> = []
        for (const statement of statements) {
          const [sql, params] = statement.compile()
          const bound = bind(params)
          if (Result.isFailure(bound)) return Effect.fail(failed("together", sql)(bound.failure))
          compiled.push({ sql, input: { params: bound.success, bigint, within: kind.within(sql) } })
        }
        const sql = compiled.map((one) => one.sql).join(";\n")
        return Effect.map(ask("together", sql, { op: "together", statements: compiled }), ({ parts = [] }) =>
          parts.map(({ columns, rows }) => objects(columns, rows))
        )
      }),
    execute: (sql, params, transform) => Effect.map(run("execute", sql, params), rowsOf(transform)),
    executeRaw: (sql, params) => Effect.map(run("executeRaw", sql, params), raw),
    executeValues: (sql, params) => Effect.map(run("executeValues", sql, params), ({ rows }) => rows),
    executeValuesUnprepared: (sql, params) =>
      Effect.map(run("executeValuesUnprepared", sql, params, false), ({ rows }) => rows),
    executeUnprepared: (sql, params, transform) =>
      Effect.map(run("executeUnprepared", sql, params, false), rowsOf(transform)),
    executeStream: (sql, params, transform) =>
      Stream.unwrap(
        Effect.gen(function* () {
          const cursor = thread.cursor()
          yield* Effect.acquireRelease(
            withInput("executeStream", sql, params, (input) => ({ op: "cursor", cursor, sql, own: kind.reads, input })),
            () => thread.ask({ op: "end", cursor })
          )
          const next = { op: "page", cursor, rows: page, bytes: pageBytes } as const
          return Stream.paginate(undefined, () =>
            Effect.map(
              ask("executeStream", sql, next),
              (reply) => [rowsOf(transform)(reply), reply.done ? Option.none() : Option.some(undefined)] as const
            )
          )
        })
      )
  }
}

/** Opens a database in a thread; closes it, when the statement at work has ended, with the Scope. */
const connect = Effect.fnUntraced(function* (
  options: Options,
  reads: boolean
): Effect.fn.Return<Threads.Thread, SqlError, Scope.Scope> {
  const { filename, foreignKeys = true, journal = "wal", statements = 200, synchronous = "full" } = options
  const at = { filename, operation: "open" }
  const wait = Duration.fromInput(options.busyTimeout ?? "5 seconds")
  if (Option.isNone(wait)) {
    return yield* errorOf(
      { message: `busyTimeout: "${options.busyTimeout}" is no duration`, errcode: 0, code: "OPTION" },
      at
    )
  }
  const thread = yield* options.thread === "main" ? Threads.main : Threads.worker
  const request: Request = {
    op: "open",
    filename,
    readOnly: reads || options.readOnly === true,
    wal: journal === "wal",
    timeout: Math.min(Duration.toMillis(wait.value), 2 ** 31 - 1),
    statements,
    pragmas: [
      `synchronous = ${synchronous}`,
      `foreign_keys = ${foreignKeys ? "ON" : "OFF"}`,
      ...(journal === "wal" || options.readOnly === true || reads ? [] : ["journal_mode = DELETE"])
    ]
  }
  yield* Effect.acquireRelease(
    Effect.flatMap(thread.ask(request), ({ failure }) =>
      failure === undefined ? Effect.void : Effect.fail(errorOf(failure, at))
    ),
    () => thread.ask({ op: "close" })
  )
  return thread
})

const begins = /^\s*begin\b/i
const ends = /^\s*(?:commit|end|rollback(?!.*\bto\b))\b/i
const commits = /^\s*(?:commit|end)\b/i

/** Follows one lease of the connection: what runs between BEGIN and the end runs in that transaction or not at all. */
const following = () => {
  let begun = false
  return (sql: string): boolean => {
    const was = begun
    if (begins.test(sql)) {
      begun = true
      return false
    }
    if (!ends.test(sql)) return was
    begun = false
    return was && commits.test(sql)
  }
}

const isMemory = (filename: string) =>
  filename === "" || filename.startsWith(":memory:") || filename.startsWith("file:")

/**
 * A client as a value, for as long as the Scope. With the Scope it waits for the statement at work, writes the WAL back
 * into the file and closes it.
 *
 * Fails with the `SqlError` of opening: `ConnectionError` where the file cannot be opened, `LockTimeoutError` where
 * another process has locked it for longer than `busyTimeout`, `UnknownError` where it is no database (`codeOf` tells).
 *
 * @category constructors
 */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Sqlite, SqlError, Scope.Scope | Reactivity.Reactivity> {
  const { filename, journal = "wal", readOnly = false, transformResultNames } = options
  // Whether the connection that writes sees what no other one does.
  let special = false
  const wrote = (sql: string) => {
    if (!special && isOfConnection(sql)) special = true
  }
  const thread = yield* connect(options, false)
  const leased = (within: (sql: string) => boolean) =>
    connectionOf(thread, options, {
      reads: false,
      within: (sql) => {
        wrote(sql)
        return within(sql)
      }
    })
  const writer = leased(() => false)
  const separate = options.readConnection ?? true
  const reader =
    separate && (journal === "wal" || readOnly) && !isMemory(filename)
      ? connectionOf(yield* connect(options, true), options, { reads: true, within: () => false })
      : undefined
  const acquirers = Client.makeSqliteAcquirers({
    connection: Effect.succeed(writer),
    semaphore: yield* Semaphore.make(1),
    isTransaction: (connection: Connection) => connection.inTransaction()
  })
  // More than a few that wait in the thread could not be taken back when nobody waits for them any more.
  const reading = yield* Semaphore.make(8)

  /** Sends a statement to the connection that it belongs to. */
  const route = <A>(sql: string, use: (connection: SqlConnection.Connection) => Effect.Effect<A, SqlError>) =>
    reader !== undefined && !special && isRead(sql) ? reading.withPermit(use(reader)) : acquirers.borrower(use)
  const routed: SqlConnection.Connection = {
    execute: (sql, params, transform) => route(sql, (to) => to.execute(sql, params, transform)),
    executeRaw: (sql, params) => route(sql, (to) => to.executeRaw(sql, params)),
    executeValues: (sql, params) => route(sql, (to) => to.executeValues(sql, params)),
    executeValuesUnprepared: (sql, params) => route(sql, (to) => to.executeValuesUnprepared(sql, params)),
    executeUnprepared: (sql, params, transform) => route(sql, (to) => to.executeUnprepared(sql, params, transform)),
    executeStream: (sql, params, transform) =>
      Stream.suspend(() =>
        reader !== undefined && !special && isRead(sql)
          ? reader.executeStream(sql, params, transform)
          : Stream.unwrap(Effect.map(acquirers.acquirer, (to) => to.executeStream(sql, params, transform)))
      )
  }
  const client = yield* Client.make({
    acquirer: Effect.succeed(routed),
    borrower: (use) => use(routed),
    transactionAcquirer: Effect.map(acquirers.transactionAcquirer, () => leased(following())),
    onCommitFailure: acquirers.onCommitFailure,
    isTransaction: acquirers.isTransaction,
    compiler: Statement.makeCompilerSqlite(options.transformQueryNames),
    driver: "node-sqlite",
    spanAttributes: [
      ...Object.entries(options.spanAttributes ?? {}),
      ["db.system.name", "sqlite"],
      ["db.namespace", filename]
    ],
    beginTransaction: readOnly || options.begin === "deferred" ? "BEGIN" : "BEGIN IMMEDIATE",
    releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
    prepareTransactionControls: true,
    transformRows:
      transformResultNames === undefined ? undefined : Statement.defaultTransforms(transformResultNames).array
  })
  const onWriter = <A>(use: (connection: Connection) => Effect.Effect<A, SqlError>) =>
    Effect.flatMap(Effect.serviceOption(client.transactionService), (open) =>
      // `transactionAcquirer` above leases nothing else.
      Option.isSome(open) ? use(open.value[0] as Connection) : acquirers.borrower(() => use(writer))
    )
  return Object.assign(client, {
    options,
    script: (sql: string) => onWriter((connection) => connection.script(sql)),
    together: (statements: ReadonlyArray<Statement.Statement<unknown>>) =>
      acquirers.borrower(() => writer.together(statements)),
    backup: (to: string) =>
      reader === undefined || special
        ? Effect.asVoid(onWriter((connection) => connection.executeUnprepared("VACUUM INTO ?", [to], undefined)))
        : Effect.asVoid(reader.executeUnprepared("VACUUM INTO ?", [to], undefined))
  })
})

/**
 * `SqlClient` and `SqliteClient` of a file.
 *
 * @param options the file, and how it is kept.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { SqlClient } from "effect/sql/SqlClient"
 * import { SqliteClient } from "effigent/layers/sqlite"
 *
 * const program = Effect.gen(function* () {
 *   const sql = yield* SqlClient
 *   yield* sql`CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)`
 *   yield* sql`INSERT INTO notes ${sql.insert([{ text: "one" }, { text: "two" }])}`
 *   return yield* sql`SELECT * FROM notes WHERE id > ${1}`
 * })
 * const layer = SqliteClient.layer({ filename: ":memory:", thread: "main" })
 * console.log(await Effect.runPromise(Effect.provide(program, layer))) // => [ { id: 2, text: 'two' } ]
 * ```
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<SqliteClient | Client.SqlClient, SqlError> =>
  layerFrom(Effect.succeed(options))

/**
 * The same, of options that come from the configuration.
 *
 * @param options each option, or all of them, as a `Config`.
 * @category layers
 */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<SqliteClient | Client.SqlClient, Config.ConfigError | SqlError> => layerFrom(Config.unwrap(options))

const layerFrom = <E>(options: Effect.Effect<Options, E>) =>
  Layer.effectContext(
    Effect.map(Effect.flatMap(options, make), (client) =>
      Context.make(SqliteClient, client).pipe(Context.add(Client.SqlClient, client))
    )
  ).pipe(Layer.provide(Reactivity.layer))
