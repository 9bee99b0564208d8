/**
 * A SQLite file, to read, in a process of its own. The file is opened read-only, an authorizer of SQLite decides on every
 * table and function as a statement is compiled, and the memory of SQLite is bounded. A statement that takes too long, or
 * whose caller is interrupted, dies with its process, which is the one way to stop SQLite in the middle; the next
 * statement gets a new one. The process has no environment and no files open but its own.
 *
 * It needs Node 24.10 or newer, for the authorizer.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { type ChildProcess, spawn } from "node:child_process"
import { ExecutorError, type ExecutorErrorReason, TimedOut, Unavailable } from "../../services/ActionExecutor.ts"
import * as Sql from "../../services/SqlAccess.ts"
import * as Policy from "./Policy.ts"
import * as Statement from "./Statement.ts"
import { tablesOf } from "./Tables.ts"
import { bound, parametersOf, reasonOf, tooLarge } from "./Values.ts"

/**
 * Which file, and what may be asked of it.
 *
 * @category models
 */
export interface Options extends Policy.Options {
  /** The file. It has to be there. */
  readonly file: string
  /** Bytes that SQLite may use for itself. Default: 64 MiB. */
  readonly memory?: number | undefined
}

/** What the process answers. */
type Answer =
  | { readonly _tag: "Ready" }
  | {
      readonly _tag: "Rows"
      readonly columns: ReadonlyArray<string>
      readonly rows: ReadonlyArray<Readonly<Record<string, unknown>>>
      readonly more: boolean
    }
  | { readonly _tag: "TooLarge" }
  | { readonly _tag: "Denied"; readonly rule: "sql.table" | "sql.function" | "sql.readOnly"; readonly what: string }
  | { readonly _tag: "Failed"; readonly message: string }

// Plain JavaScript: the process has to start from a build, from sources and from tests alike. Codes of the authorizer:
// 21 a SELECT, 20 a column that is read, 31 a function, 33 a recursion; all else acts.
const program = `
const { Worker } = require("node:worker_threads")
// While SQLite is at work nothing else is heard here: a thread watches whether the parent still lives.
new Worker("const parent = process.ppid; setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL') }, 1000)", { eval: true }).unref()
process.on("disconnect", () => process.exit())
let database, tables, denied
const deny = (rule, what) => { denied ??= { _tag: "Denied", rule, what }; return 1 }
const authorize = (code, first, second) => {
  if (code === 21 || code === 33) return 0
  if (code === 20) return tables === undefined || first === "" || tables.has(String(first).toLowerCase()) ? 0 : deny("sql.table", String(first))
  if (code === 31) return /^(load_extension|fts3_tokenizer|readfile|writefile|edit)$/i.test(second) ? deny("sql.function", String(second)) : 0
  if (code === 19) return deny("sql.function", "PRAGMA " + first)
  return deny("sql.readOnly", "operation " + code)
}
const open = ({ file, memory, allowed }) => {
  const { DatabaseSync } = require("node:sqlite")
  if (DatabaseSync.prototype.setAuthorizer === undefined) throw new Error("it needs Node 24.10 or newer")
  database = new DatabaseSync(file, { readOnly: true, allowExtension: false, timeout: 1000 })
  database.exec("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA hard_heap_limit = " + Number(memory))
  database.prepare("SELECT count(*) FROM sqlite_schema").get()
  tables = allowed === undefined ? undefined : new Set(allowed)
  return { _tag: "Ready" }
}
const query = ({ sql, parameters, rows: maxRows, bytes: maxBytes, own }) => {
  denied = undefined
  database.setAuthorizer(own ? null : authorize)
  const statement = database.prepare(sql)
  statement.setReturnArrays(true)
  statement.setReadBigInts(true)
  const columns = statement.columns().map(({ name }) => name)
  const rows = []
  let bytes = 0
  for (const row of statement.iterate(...parameters)) {
    if (rows.length >= maxRows) return { _tag: "Rows", columns, rows, more: true }
    for (const one of row) bytes += typeof one === "string" ? one.length : one instanceof Uint8Array ? one.length : 8
    if (bytes > maxBytes) return rows.length === 0 ? { _tag: "TooLarge" } : { _tag: "Rows", columns, rows, more: true }
    rows.push(Object.fromEntries(columns.map((name, index) => [name, row[index]])))
  }
  return { _tag: "Rows", columns, rows, more: false }
}
process.on("message", (message) => {
  let answer
  try {
    answer = database === undefined ? open(message) : query(message)
  } catch (error) {
    answer = denied ?? { _tag: "Failed", message: String(error?.message ?? error) }
  }
  process.send(answer)
})
`

const catalogue = `SELECT m.name AS "table", m.type AS kind, c.name AS name, c.type AS type,
    c."notnull" = 0 AND c.pk = 0 AS nullable
  FROM sqlite_schema m JOIN pragma_table_info(m.name) c
  WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY m.name, c.cid`

/**
 * Access as a value, for as long as the Scope. Fails where the file cannot be opened.
 *
 * @category constructors
 */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Sql.SqlAccess["Service"], ExecutorError, Scope.Scope> {
  const limits: Policy.Limits = { ...Policy.limits, ...options.limits }
  const fail = (subject: string) => (reason: ExecutorErrorReason) =>
    new ExecutorError({ executor: "sql", subject: subject.slice(0, 200), reason })
  const allowed = options.tables?.map((name) => name.toLowerCase())
  const turns = yield* Semaphore.make(1)
  let child: ChildProcess | undefined
  const kill = Effect.sync(() => {
    child?.kill("SIGKILL")
    child = undefined
  })
  yield* Effect.addFinalizer(() => kill)

  /** Gives the process a message and waits for its answer. Where nobody waits any longer, the process dies. */
  const ask = (process: ChildProcess, message: object): Effect.Effect<Answer, ExecutorErrorReason> =>
    Effect.callback<Answer, ExecutorErrorReason>((resume) => {
      const done = () => {
        process.off("message", onMessage)
        process.off("exit", onExit)
        process.off("error", onExit)
      }
      const onMessage = (answer: unknown) => {
        done()
        // The program above is the only one that speaks here.
        resume(Effect.succeed(answer as Answer))
      }
      const onExit = () => {
        done()
        child = undefined
        resume(
          Effect.fail(new Unavailable({ detail: "the process of the database ended; ask for less", uncertain: false }))
        )
      }
      process.on("message", onMessage)
      process.on("exit", onExit)
      process.on("error", onExit)
      process.send(message, (error) => {
        if (error !== null) onExit()
      })
      return Effect.andThen(Effect.sync(done), kill)
    })

  const start = Effect.gen(function* () {
    if (child !== undefined) return child
    const started = yield* Effect.sync(() =>
      spawn(process.execPath, ["--max-old-space-size=256", "--no-warnings", "-e", program], {
        env: {},
        serialization: "advanced",
        stdio: ["ignore", "ignore", "ignore", "ipc"],
        windowsHide: true
      })
    )
    child = started
    // It may end while nobody asks it anything.
    started.on("error", () => undefined)
    started.on("exit", () => {
      if (child === started) child = undefined
    })
    const answer = yield* ask(started, { file: options.file, memory: options.memory ?? 64 * 1024 * 1024, allowed })
    if (answer._tag === "Ready") return started
    yield* kill
    const detail = answer._tag === "Failed" ? answer.message : answer._tag
    return yield* Effect.fail(new Unavailable({ detail: `the database cannot be opened: ${detail}`, uncertain: false }))
  })

  const run = Effect.fnUntraced(function* (
    sql: string,
    parameters: ReadonlyArray<Sql.SqlParameter>,
    own: boolean
  ): Effect.fn.Return<Extract<Answer, { readonly _tag: "Rows" }>, ExecutorErrorReason> {
    const process = yield* start
    const { bytes, rows } = own ? { bytes: 16 * 1024 * 1024, rows: 100_000 } : limits
    // SQLite has no booleans.
    const plain = parameters.map((one) => (typeof one === "boolean" ? Number(one) : one))
    const answer = yield* ask(process, { sql, parameters: plain, rows, bytes, own })
    switch (answer._tag) {
      case "Rows":
        return answer
      case "Denied":
        return yield* Effect.fail(Policy.refused(answer.rule, `${answer.what} is not allowed`))
      case "TooLarge":
        return yield* Effect.fail(tooLarge(limits))
      default:
        return yield* Effect.fail(reasonOf(answer._tag === "Failed" ? { message: answer.message } : {}, limits))
    }
  })

  const inTime = <A>(effect: Effect.Effect<A, ExecutorErrorReason>) =>
    turns.withPermit(
      Effect.timeoutOrElse(effect, {
        duration: limits.millis,
        orElse: () => Effect.fail<ExecutorErrorReason>(new TimedOut({ millis: limits.millis }))
      })
    )

  const query = Effect.fnUntraced(function* (statement: string, given: ReadonlyArray<Sql.SqlParameter>) {
    const checked = yield* Effect.fromResult(Statement.check(statement, "sqlite", limits.statement))
    const parameters = yield* Effect.fromResult(parametersOf(given))
    const { columns, more, rows } = yield* inTime(run(Statement.bounded(checked, "sqlite", limits), parameters, false))
    return yield* Effect.fromResult(bound(rows, columns, limits, more))
  })

  yield* Effect.mapError(inTime(start), fail("open"))
  return {
    dialect: "sqlite",
    query: (sql, parameters = []) => Effect.mapError(query(sql, parameters), fail(sql)),
    tables: Effect.mapBoth(inTime(run(catalogue, [], true)), {
      onSuccess: ({ rows }) => tablesOf(rows, allowed === undefined ? undefined : new Set(allowed)),
      onFailure: fail("tables")
    })
  }
})

/**
 * A SQLite file, to read, in a process of its own.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { SqliteFile } from "effigent/layers/sql-access"
 * import { SqlAccess } from "effigent/services/SqlAccess"
 * import { mkdtempSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { DatabaseSync } from "node:sqlite"
 *
 * const file = `${mkdtempSync(`${tmpdir()}/shop-`)}/shop.db`
 * const setUp = new DatabaseSync(file)
 * setUp.exec("CREATE TABLE orders(id INTEGER, cents INTEGER); INSERT INTO orders VALUES (1, 500), (2, 900)")
 * setUp.close()
 *
 * const program = Effect.gen(function* () {
 *   const sql = yield* SqlAccess
 *   const { rows } = yield* sql.query("SELECT id FROM orders WHERE cents > ?", [600])
 *   const error = yield* Effect.flip(sql.query("SELECT 1; DROP TABLE orders"))
 *   return [rows, error.reason] as const
 * })
 * const layer = SqliteFile.layer({ file, tables: ["orders"] })
 * const [rows, reason] = await Effect.runPromise(program.pipe(Effect.provide(layer)))
 * console.log(rows) // => [ { id: 2 } ]
 * console.log(reason._tag === "Refused" && reason.rule) // => sql.statements
 * ```
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Sql.SqlAccess, ExecutorError> =>
  Layer.effect(Sql.SqlAccess, make(options))
