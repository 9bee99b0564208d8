/** Turns slot values into text: what has a JSON form is rendered as YAML, what has none is a typed error. */
import * as Result from "effect/Result"
import type { Json } from "../../services/Json.ts"
import { PromptError } from "./PromptError.ts"
import * as Yaml from "./Yaml.ts"

const maxDepth = 100

/**
 * The JSON form of a value: `toJSON` is honoured (dates become ISO texts), keys that are `undefined` are left out.
 * Fails on functions, symbols, numbers that JSON lacks, cycles, and nesting deeper than 100.
 *
 * @category conversions
 */
export const toJson = (slot: string, value: unknown): Result.Result<Json, PromptError> => {
  const fail = (detail: string) => Result.fail(new PromptError({ slot, detail }))
  const walk = (u: unknown, parents: ReadonlyArray<unknown>): Result.Result<Json, PromptError> => {
    switch (typeof u) {
      case "string":
      case "boolean":
        return Result.succeed(u)
      case "number":
        return Number.isFinite(u) ? Result.succeed(u) : fail(`holds the number ${u}, which has no JSON form`)
      case "bigint":
        return Result.succeed(u.toString())
      case "object":
        break
      default:
        return fail(`holds a ${typeof u}, which has no text form; pass texts, numbers, booleans, lists and objects`)
    }
    if (u === null) return Result.succeed(null)
    if (parents.includes(u)) return fail("holds a value that contains itself")
    if (parents.length >= maxDepth) return fail(`is nested deeper than ${maxDepth} levels`)
    const inside = [...parents, u]
    if ("toJSON" in u && typeof u.toJSON === "function") {
      const json: unknown = u.toJSON()
      return json === u ? fail("holds an object whose toJSON returns itself") : walk(json, inside)
    }
    if (Array.isArray(u) || Symbol.iterator in u) {
      const items: Array<Json> = []
      // An object with Symbol.iterator is an iterable.
      for (const item of Array.isArray(u) ? u : Array.from(u as Iterable<unknown>)) {
        const json = walk(item, inside)
        if (Result.isFailure(json)) return json
        items.push(json.success)
      }
      return Result.succeed(items)
    }
    const fields: Array<readonly [string, Json]> = []
    for (const [key, item] of Object.entries(u)) {
      if (item === undefined) continue
      const json = walk(item, inside)
      if (Result.isFailure(json)) return json
      fields.push([key, json.success])
    }
    return Result.succeed(Object.fromEntries(fields))
  }
  // A getter or a toJSON of the caller's may throw.
  const read = Result.try({
    try: () => walk(value, []),
    catch: (error) => new PromptError({ slot, detail: `holds a value that cannot be read: ${String(error)}` })
  })
  return Result.isSuccess(read) ? read.success : Result.fail(read.failure)
}

/**
 * Takes the indentation that all lines share, and blank lines at both ends, out of a text: what a template literal in
 * indented source code needs.
 *
 * @category conversions
 */
export const dedent = (text: string): string => {
  const lines = text
    .replace(/^(?:[ \t]*\r?\n)+/, "")
    .trimEnd()
    .split("\n")
  let shared = Number.POSITIVE_INFINITY
  for (const line of lines) {
    const indent = line.search(/\S/)
    if (indent >= 0 && indent < shared) shared = indent
  }
  return shared === 0 || shared === Number.POSITIVE_INFINITY
    ? lines.join("\n")
    : lines.map((line) => line.slice(shared)).join("\n")
}

/**
 * The text of a slot: texts are dedented, except the input, which is data and stays as it is; all else is YAML.
 *
 * @category conversions
 */
export const render = (slot: string, value: unknown): Result.Result<string, PromptError> =>
  typeof value === "string"
    ? Result.succeed(slot === "input" ? value : dedent(value))
    : Result.map(toJson(slot, value), Yaml.stringify)
