/** Rows as JSON, and how many of them there may be; and what failures of a database mean. */
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import { Broken, type ExecutorErrorReason, LimitExceeded, NotFound, TimedOut } from "../../services/ActionExecutor.ts"
import type { SqlParameter, SqlRows } from "../../services/SqlAccess.ts"
import { type Limits, refused } from "./Policy.ts"
import { rowTooLarge } from "./Statement.ts"

/** A value of a database as JSON. */
export const jsonOf = (value: unknown): Schema.Json => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value
    case "number":
      return Number.isFinite(value) ? value : String(value)
    case "bigint":
      return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
    case "object":
      if (value === null) return null
      if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString("base64") }
      if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
      if (Array.isArray(value)) return value.map(jsonOf)
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, jsonOf(one)]))
    default:
      return null
  }
}

/** Rows within the limits. Fails where not even the first one fits. */
export const bound = (
  rows: ReadonlyArray<Readonly<Record<string, unknown>>>,
  columns: ReadonlyArray<string>,
  limits: Limits,
  more = false
): Result.Result<SqlRows, ExecutorErrorReason> => {
  const kept: Array<Record<string, Schema.Json>> = []
  let bytes = 0
  for (const row of rows) {
    if (kept.length >= limits.rows) return Result.succeed({ columns, rows: kept, truncated: true })
    const json = Object.fromEntries(columns.map((name) => [name, jsonOf(row[name])]))
    bytes += Buffer.byteLength(JSON.stringify(json))
    if (bytes > limits.bytes) {
      return kept.length > 0 ? Result.succeed({ columns, rows: kept, truncated: true }) : Result.fail(tooLarge(limits))
    }
    kept.push(json)
  }
  return Result.succeed({ columns, rows: kept, truncated: more })
}

/** A row that is larger than all rows may be. */
export const tooLarge = ({ bytes }: Limits): LimitExceeded =>
  new LimitExceeded({ limit: "output", detail: `one row has more than ${bytes} bytes; select parts of its columns` })

/** Parameters, if all of them are plain values. */
export const parametersOf = (
  given: ReadonlyArray<unknown>
): Result.Result<ReadonlyArray<SqlParameter>, ExecutorErrorReason> => {
  const plain: Array<SqlParameter> = []
  for (const one of given) {
    const isPlain =
      one === null ||
      typeof one === "string" ||
      typeof one === "boolean" ||
      (typeof one === "number" && Number.isFinite(one))
    if (!isPlain) return Result.fail(refused("sql.parameters", `parameter ${plain.length + 1} is ${typeof one}`))
    plain.push(one)
  }
  return plain.length <= 1000
    ? Result.succeed(plain)
    : Result.fail(refused("sql.parameters", "there are more than 1000"))
}

/** What a database says, with all that stands behind it. */
export const sayings = (error: unknown): { readonly codes: ReadonlySet<string>; readonly text: string } => {
  const codes = new Set<string>()
  let text = ""
  for (let at = error, depth = 0; typeof at === "object" && at !== null && depth < 6; depth++) {
    if ("code" in at && typeof at.code === "string") codes.add(at.code)
    if ("_tag" in at && typeof at._tag === "string") codes.add(at._tag)
    // The innermost words are those of the database.
    if ("message" in at && typeof at.message === "string" && at.message !== "") text = at.message
    at = "reason" in at ? at.reason : "cause" in at ? at.cause : undefined
  }
  return { codes, text: text.slice(0, 500) }
}

/** What a failure of a database means. */
export const reasonOf = (error: unknown, limits: Limits): ExecutorErrorReason => {
  const { codes, text } = sayings(error)
  // 25006: PostgreSQL, in a transaction that only reads.
  if (codes.has("25006") || /readonly database|read-only transaction/i.test(text)) return refused("sql.readOnly", text)
  if (text.includes(rowTooLarge)) return tooLarge(limits)
  if (codes.has("57014") || codes.has("StatementTimeoutError")) return new TimedOut({ millis: limits.millis })
  if (codes.has("42P01") || /no such table|relation .* does not exist/i.test(text))
    return new NotFound({ detail: text })
  if (/out of memory|too big/i.test(text))
    return new LimitExceeded({ limit: "memory", detail: `${text}; ask for less` })
  return new Broken({ detail: text === "" ? "the database gives no reason" : text })
}
