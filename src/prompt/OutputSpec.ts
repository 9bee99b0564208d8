/**
 * Output contracts as data: the `output` of a prompt file becomes a Schema. Objects nest, a list of one is an array, a leaf
 * is `{ $type, $desc, $ensure }`, a type in words (`str`, `list[int]`, `"a" | "b"`, `str | null`), or a text that says what
 * the value is. `.type` and `$type` mean the same, the first wins.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { EnsureLevel } from "../output/Ensure.ts"
import * as Output from "../output/Output.ts"

/** What is wrong, and at which keys. @category errors */
export interface Fault {
  readonly path: ReadonlyArray<string>
  readonly detail: string
}

const scalars: { readonly [name: string]: Schema.Top } = {
  str: Schema.String,
  string: Schema.String,
  text: Schema.String,
  int: Schema.Int,
  integer: Schema.Int,
  float: Schema.Finite,
  number: Schema.Finite,
  bool: Schema.Boolean,
  boolean: Schema.Boolean,
  any: Schema.Json,
  null: Schema.Null,
  none: Schema.Null,
  list: Schema.Array(Schema.Json),
  array: Schema.Array(Schema.Json),
  dict: Schema.Record(Schema.String, Schema.Json),
  object: Schema.Record(Schema.String, Schema.Json)
}

// Splits at a sign that stands outside brackets and quotes.
const split = (text: string, sign: string): ReadonlyArray<string> => {
  const out: Array<string> = []
  let depth = 0
  let quote = ""
  let from = 0
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i)
    if (quote !== "") quote = c === quote ? "" : quote
    else if (c === '"' || c === "'") quote = c
    else if (c === "[") depth++
    else if (c === "]") depth--
    else if (c === sign && depth === 0) {
      out.push(text.slice(from, i))
      from = i + 1
    }
  }
  return [...out, text.slice(from)].map((part) => part.trim())
}

const literal = (text: string): string | number | boolean | undefined => {
  const quoted = /^(["'])(.*)\1$/s.exec(text)?.[2]
  if (quoted !== undefined) return quoted
  if (/^-?\d+(?:\.\d+)?$/.test(text)) return Number(text)
  return text === "true" ? true : text === "false" ? false : undefined
}

const all = (texts: ReadonlyArray<string>): ReadonlyArray<Schema.Top> | undefined => {
  const out: Array<Schema.Top> = []
  for (const text of texts) {
    const schema = ofWords(text)
    if (schema === undefined) return undefined
    out.push(schema)
  }
  return out
}

/**
 * The Schema of a type in words; absent where it is none.
 *
 * @category parsing
 */
export const ofWords = (words: string): Schema.Top | undefined => {
  const text = words.trim()
  const members = split(text, "|")
  if (members.length > 1) {
    const values = members.map(literal)
    if (values.every((value) => value !== undefined)) return Schema.Literals(values)
    const schemas = all(members)
    return schemas === undefined ? undefined : Schema.Union(schemas)
  }
  const name = text.toLowerCase()
  if (Object.hasOwn(scalars, name)) return scalars[name]
  const value = literal(text)
  if (value !== undefined) return Schema.Literal(value)
  if (text.endsWith("[]")) {
    const item = ofWords(text.slice(0, -2))
    return item === undefined ? undefined : Schema.Array(item)
  }
  const generic = /^([A-Za-z]+)\[(.*)\]$/s.exec(text)
  if (generic === null) return undefined
  const [head, inside] = [generic[1]?.toLowerCase(), split(generic[2] ?? "", ",")]
  if (head === "literal") {
    const values = inside.map(literal)
    return values.every((each) => each !== undefined) ? Schema.Literals(values) : undefined
  }
  const [first, second, ...others] = all(inside) ?? []
  if (head === undefined || first === undefined || others.length > 0) return undefined
  if ((head === "dict" || head === "record") && second !== undefined) return Schema.Record(Schema.String, second)
  if (head === "union" && second !== undefined) return Schema.Union([first, second])
  if (second !== undefined) return undefined
  return head === "list" || head === "array"
    ? Schema.Array(first)
    : head === "optional"
      ? Schema.NullOr(first)
      : undefined
}

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const own = (value: { readonly [key: string]: unknown }, name: string): unknown =>
  value[`.${name}`] ?? value[`$${name}`]

const levels = new Map<unknown, EnsureLevel>([
  [true, "present"],
  [1, "present"],
  ["present", "present"],
  ["notEmpty", "notEmpty"],
  ["not_empty", "notEmpty"],
  ["not_null", "notEmpty"]
])

type Read<A> = Result.Result<A, Fault>

const fail = (path: ReadonlyArray<string>, detail: string): Read<never> => Result.fail({ path, detail })

const isLeaf = (value: { readonly [key: string]: unknown }): boolean =>
  ["type", "desc", "ensure", "default"].some((name) => own(value, name) !== undefined)

const node = (value: unknown, path: ReadonlyArray<string>): Read<Output.Node> => {
  if (value === null) return Result.succeed(Schema.Json)
  if (typeof value === "string") {
    const schema = ofWords(value)
    return Result.succeed(schema ?? Output.field(Schema.Json, value))
  }
  if (Array.isArray(value)) {
    const items: ReadonlyArray<unknown> = value
    const [first, ...others] = items
    if (first === undefined || others.length > 0) {
      return fail(path, "a list holds one item, which says how every item looks")
    }
    return Result.map(node(first, path), (item): Output.Node => [item])
  }
  if (!isRecord(value))
    return fail(path, `is ${JSON.stringify(value)}, which says nothing of a value; write a type or a text`)
  if (isLeaf(value)) return leaf(value, path)
  const fields: Record<string, Output.Node> = {}
  for (const [key, item] of Object.entries(value)) {
    const field = node(item, [...path, key])
    if (Result.isFailure(field)) return Result.fail(field.failure)
    Object.defineProperty(fields, key, { value: field.success, enumerable: true, configurable: true, writable: true })
  }
  return Result.succeed(fields)
}

const leaf = (value: { readonly [key: string]: unknown }, path: ReadonlyArray<string>): Read<Output.Node> => {
  for (const key of Object.keys(value)) {
    if (/^[.$]default$/.test(key)) {
      return fail(
        [...path, key],
        "there are no defaults in an output; say in $desc what to write where nothing is known"
      )
    }
    if (!/^[.$](?:type|desc|ensure)$/.test(key)) {
      return fail([...path, key], "a leaf has $type, $desc and $ensure and nothing else")
    }
  }
  const [type, desc, ensure] = [own(value, "type") ?? "any", own(value, "desc"), own(value, "ensure") ?? false]
  const typeKey = ".type" in value ? ".type" : "$type"
  if (typeof type === "string" && ofWords(type) === undefined) {
    return fail(
      [...path, typeKey],
      `${JSON.stringify(type)} is no type; there are ${Object.keys(scalars).join(", ")}, list[...], dict[str, ...], a | b, "x" | "y"`
    )
  }
  if (desc !== undefined && typeof desc !== "string") return fail([...path, "$desc"], "is no text")
  const level = levels.get(ensure)
  if (level === undefined && ensure !== false && ensure !== 0) {
    return fail([...path, "$ensure"], `is ${JSON.stringify(ensure)}; there are true, false and "not_null"`)
  }
  return Result.map(node(type, [...path, typeKey]), (inner) => {
    const schema = schemaOf(inner)
    return level !== undefined
      ? Output.ensure(schema, desc, level)
      : desc === undefined
        ? inner
        : Output.field(schema, desc)
  })
}

const isList = (value: Output.Node): value is readonly [Output.Node] => Array.isArray(value)

const schemaOf = (value: Output.Node): Schema.Top =>
  Schema.isSchema(value) ? value : isList(value) ? Schema.Array(schemaOf(value[0])) : Output.make(value)

/**
 * The Schema of an output that stands in a prompt file.
 *
 * @category parsing
 */
export const toSchema = (value: unknown, path: ReadonlyArray<string>): Read<Schema.Top> =>
  Result.map(node(value, path), schemaOf)
