/** Values of JavaScript as SQLite takes them, and rows as JavaScript has them. */
import * as Result from "effect/Result"
import type { SQLInputValue, SQLOutputValue } from "node:sqlite"
import type { Failure } from "./Engine.ts"

const least = -(2n ** 63n)
const most = 2n ** 63n - 1n

const refused = (index: number, what: string): Failure => ({
  message: `parameter ${index + 1}: ${what}`,
  errcode: 0,
  code: "PARAMETER"
})

const convert = (value: unknown): SQLInputValue | { readonly wrong: string } => {
  switch (typeof value) {
    case "string":
      // SQLite keeps UTF-8, where half of a pair of surrogates would silently become U+FFFD.
      return value.isWellFormed() ? value : { wrong: "the text has a lone surrogate; give text.toWellFormed()" }
    case "number":
      // node:sqlite would send each number as a REAL: 1 in a column of TEXT would become "1.0".
      return Number.isSafeInteger(value) && !Object.is(value, -0)
        ? BigInt(value)
        : Number.isNaN(value)
          ? { wrong: "NaN has no place in SQLite, which would make it NULL" }
          : value
    case "bigint":
      return value < least || value > most ? { wrong: `${value} has more than 64 bits; give it as text` } : value
    case "boolean":
      return value ? 1n : 0n
    case "undefined":
      return null
    case "object":
      if (value === null) return null
      // A view of a large buffer would else travel with all of it.
      if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice()
      if (value instanceof ArrayBuffer) return new Uint8Array(value)
      if (value instanceof Date) {
        return Number.isNaN(value.getTime()) ? { wrong: "the Date is invalid" } : value.toISOString()
      }
      return { wrong: "SQLite takes no objects; give JSON.stringify of it, or a Schema that encodes it" }
    default:
      return { wrong: `SQLite takes no ${typeof value}` }
  }
}

/**
 * The parameters of a statement: booleans as 1 and 0, a Date as its ISO text, `undefined` as NULL, integers as INTEGER.
 *
 * @category converting
 */
export const bind = (params: ReadonlyArray<unknown>): Result.Result<ReadonlyArray<SQLInputValue>, Failure> => {
  const bound: Array<SQLInputValue> = []
  for (const [index, param] of params.entries()) {
    const value = convert(param)
    if (typeof value === "object" && value !== null && "wrong" in value) return Result.fail(refused(index, value.wrong))
    bound.push(value)
  }
  return Result.succeed(bound)
}

/** Rows as objects. Of columns with the same name the last one counts. @category converting */
export const objects = (
  columns: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<SQLOutputValue>>
): ReadonlyArray<Record<string, SQLOutputValue>> => {
  // An assignment to this name would set a prototype.
  if (columns.includes("__proto__")) {
    return rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index] ?? null])))
  }
  const size = columns.length
  const result: Array<Record<string, SQLOutputValue>> = []
  for (const row of rows) {
    const object: Record<string, SQLOutputValue> = {}
    for (let index = 0; index < size; index++) object[columns[index] ?? ""] = row[index] ?? null
    result.push(object)
  }
  return result
}
