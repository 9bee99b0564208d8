/**
 * What the annotations and checks of a Schema say about a value, apart from its structure: a description, the keywords of
 * JSON Schema, and words for what no keyword expresses. A check of Effect names itself by an id with a payload; a check
 * that has neither id nor prose says nothing, and only the decoder knows it.
 */
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"

/** A keyword's value. @category models */
export type Keyword = string | number | boolean

/**
 * The keywords of JSON Schema that bound a value.
 *
 * @category models
 */
export type Keywords = Readonly<Record<string, Keyword>>

/**
 * What is known of one AST node.
 *
 * @category models
 */
export interface Facts {
  readonly description: string | undefined
  readonly keywords: Keywords
  readonly notes: ReadonlyArray<string>
}

type JsonType = "string" | "number" | "boolean" | "array" | "object" | "null" | "integer"

type Check = AST.Check<unknown>

/** The keywords of JSON Schema that bound a value. @category constants */
export const BOUNDS: ReadonlyArray<string> = [
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
  "minLength",
  "maxLength",
  "pattern",
  "format",
  "minItems",
  "maxItems",
  "uniqueItems",
  "minProperties",
  "maxProperties"
]

const KEYWORDS = new Set(["type", ...BOUNDS])

// Length checks export approximations (UTF-16 units against code points): their payload says what was meant.
const lengths: Readonly<Record<string, readonly [min: string | undefined, max: string | undefined]>> = {
  isMinLength: ["minLength", undefined],
  isMaxLength: [undefined, "maxLength"],
  isBetweenLength: ["minimum", "maximum"],
  isMinCodePoints: ["minCodePoints", undefined],
  isMaxCodePoints: [undefined, "maxCodePoints"],
  isBetweenCodePoints: ["minimum", "maximum"],
  isMinProperties: ["minProperties", undefined],
  isMaxProperties: [undefined, "maxProperties"],
  isBetweenProperties: ["minimum", "maximum"]
}

// Checks whose keywords say all there is to say; of all others the prose is kept as well.
const spoken = new Set([
  ...Object.keys(lengths),
  "isFinite",
  "isInt",
  "isPattern",
  "isUUID",
  "isGreaterThan",
  "isGreaterThanOrEqualTo",
  "isLessThan",
  "isLessThanOrEqualTo",
  "isBetween",
  "isMultipleOf",
  "isUnique",
  "isPropertyNames"
])

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const ownId = (
  check: Check
): { readonly id: string | undefined; readonly payload: Readonly<Record<string, unknown>> } => {
  const representation = check.annotations?.["representation"]
  if (!isRecord(representation) || typeof representation["id"] !== "string") return { id: undefined, payload: {} }
  const payload = representation["payload"]
  return { id: representation["id"].replace("effect/schema/", ""), payload: isRecord(payload) ? payload : {} }
}

const sizes: Readonly<Record<string, readonly [min: string, max: string]>> = {
  string: ["minLength", "maxLength"],
  array: ["minItems", "maxItems"],
  object: ["minProperties", "maxProperties"]
}

const lengthKeywords = (
  id: string,
  payload: Readonly<Record<string, unknown>>,
  type: JsonType | undefined
): Keywords | undefined => {
  const names = lengths[id]
  const size = sizes[type ?? "string"]
  if (names === undefined || size === undefined) return undefined
  const out: Record<string, Keyword> = {}
  names.forEach((name, i) => {
    const value = name === undefined ? undefined : payload[name]
    const keyword = size[i]
    if (typeof value === "number" && keyword !== undefined) out[keyword] = value
  })
  return out
}

const pick = (fragment: unknown, out: Record<string, Keyword>): void => {
  if (!isRecord(fragment)) return
  for (const [key, value] of Object.entries(fragment)) {
    if (KEYWORDS.has(key) && (typeof value === "number" || typeof value === "string" || typeof value === "boolean")) {
      out[key] = value
    }
  }
  const all = fragment["allOf"]
  if (Array.isArray(all)) for (const member of all) pick(member, out)
}

// What a check exports for JSON Schema; an approximation is looser than the check, so that it is no wrong keyword.
const exported = (check: Check, type: JsonType | undefined): Keywords => {
  const out: Record<string, Keyword> = {}
  const toJsonSchema = check.annotations?.["toJsonSchema"]
  if (typeof toJsonSchema !== "function") return out
  const fragment: Result.Result<unknown, unknown> = Result.try(() => toJsonSchema({ type, schemas: [] }))
  if (Result.isSuccess(fragment)) pick(Array.isArray(fragment.success) ? fragment.success[0] : fragment.success, out)
  // The bounds of safe integers are Effect's business, not the model's.
  if (out["minimum"] === Number.MIN_SAFE_INTEGER) delete out["minimum"]
  if (out["maximum"] === Number.MAX_SAFE_INTEGER) delete out["maximum"]
  return out
}

const lower = new Set(["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"])
const upper = new Set(["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"])

/**
 * Both bounds in one: of two lower bounds the higher, of two upper ones the lower, of anything else the later.
 *
 * @category combining
 */
export const both = (left: Keywords, right: Keywords): Keywords => {
  const out: Record<string, Keyword> = { ...left }
  for (const [key, value] of Object.entries(right)) {
    const old = out[key]
    if (typeof old === "number" && typeof value === "number" && lower.has(key)) out[key] = Math.max(old, value)
    else if (typeof old === "number" && typeof value === "number" && upper.has(key)) out[key] = Math.min(old, value)
    else if (!(key === "type" && old === "integer")) out[key] = value
  }
  return out
}

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined)

const ofCheck = (check: Check, type: JsonType | undefined): Facts => {
  const { id, payload } = ownId(check)
  if (check._tag === "FilterGroup" && id === undefined) {
    const inner = check.checks.map((each) => ofCheck(each, type))
    return {
      description: text(check.annotations?.description),
      keywords: inner.reduce<Keywords>((all, each) => both(all, each.keywords), {}),
      notes: inner.flatMap((each) => each.notes)
    }
  }
  let keywords = id === undefined ? undefined : lengthKeywords(id, payload, type)
  if (id === "isPattern" && (payload["flags"] === "" || payload["flags"] === "u") && text(payload["source"])) {
    keywords = { pattern: String(payload["source"]) }
  }
  keywords ??= exported(check, type)
  const expected = text(check.annotations?.expected)
  const silent = id !== undefined && spoken.has(id) && !(id === "isPattern" && keywords["pattern"] === undefined)
  // Prose says it better than a pattern that was made from it.
  if (!silent && expected !== undefined) {
    const { pattern: _, ...others } = keywords
    keywords = others
  }
  return {
    description: text(check.annotations?.description),
    keywords,
    notes: silent || expected === undefined ? [] : [expected]
  }
}

const isJson = (value: unknown): boolean =>
  value === null ||
  typeof value === "string" ||
  typeof value === "boolean" ||
  (typeof value === "number" && Number.isFinite(value)) ||
  (Array.isArray(value)
    ? value.every(isJson)
    : isRecord(value) && Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every(isJson))

const jsonNotes = (annotations: Schema.Annotations.Annotations | undefined): ReadonlyArray<string> => {
  const out: Array<string> = []
  const standard = annotations?.["default"]
  if (standard !== undefined && isJson(standard)) out.push(`default: ${JSON.stringify(standard)}`)
  const examples = annotations?.["examples"]
  if (Array.isArray(examples) && examples.length > 0 && isJson(examples)) {
    out.push(`for example: ${examples.map((example) => JSON.stringify(example)).join(", ")}`)
  }
  return out
}

/**
 * The facts of one AST node, without those of its encodings and of its parts.
 *
 * @param type the JSON type of the value, which decides what a length is
 * @param isWire whether the value is written as it is, so that its examples are what a model may write
 * @category constructors
 */
export const of = (ast: AST.AST, type: JsonType | undefined, isWire: boolean): Facts => {
  const key = ast.context?.annotations
  let description = text(key?.description) ?? text(ast.annotations?.["description"])
  let keywords: Keywords = {}
  const format = text(key?.["format"]) ?? text(ast.annotations?.["format"])
  if (format !== undefined) keywords = { format }
  const notes: Array<string> = []
  let last = ast.annotations
  for (const check of ast.checks ?? []) {
    const facts = ofCheck(check, type)
    keywords = both(keywords, facts.keywords)
    notes.push(...facts.notes)
    // Annotating a Schema that has checks annotates its last check.
    description = text(key?.description) ?? facts.description ?? description
    last = check.annotations ?? last
  }
  if (isWire) notes.push(...jsonNotes({ ...ast.annotations, ...last, ...key }))
  return { description, keywords, notes }
}

const range = (keywords: Keywords, minimum: string, maximum: string): string | undefined => {
  const min = keywords[minimum]
  const max = keywords[maximum]
  if (min === undefined && max === undefined) return undefined
  if (min !== undefined && max !== undefined) return min === max ? `${min}` : `${min}..${max}`
  return min === undefined ? `<= ${max}` : `>= ${min}`
}

/**
 * The keywords in words, in a fixed order: `length: 3..80 characters`, `value: >= 1 and <= 3`.
 *
 * @category rendering
 */
export const words = (keywords: Keywords): ReadonlyArray<string> => {
  const out: Array<string> = []
  const add = (name: string, value: string | undefined, unit = "") => {
    if (value !== undefined) out.push(`${name}: ${value}${unit}`)
  }
  add("length", range(keywords, "minLength", "maxLength"), " characters")
  add("item count", range(keywords, "minItems", "maxItems"))
  if (keywords["uniqueItems"] === true) out.push("no duplicate items")
  add("property count", range(keywords, "minProperties", "maxProperties"))
  const { exclusiveMaximum, exclusiveMinimum, maximum, minimum, multipleOf, pattern, format } = keywords
  const bounds = [
    ...(minimum === undefined ? [] : [`>= ${minimum}`]),
    ...(exclusiveMinimum === undefined ? [] : [`> ${exclusiveMinimum}`]),
    ...(maximum === undefined ? [] : [`<= ${maximum}`]),
    ...(exclusiveMaximum === undefined ? [] : [`< ${exclusiveMaximum}`])
  ]
  if (bounds.length > 0) out.push(`value: ${bounds.join(" and ")}`)
  if (multipleOf !== undefined) out.push(`multiple of ${multipleOf}`)
  if (format !== undefined) out.push(`format: ${format}`)
  // A format says it better than the pattern behind it.
  else if (pattern !== undefined) out.push(`pattern: ${pattern}`)
  return out
}
