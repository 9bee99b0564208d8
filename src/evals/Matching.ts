/** How values are compared: normalised texts, structure, edit distance, overlap of lists. Pure and linear but where told. */
import * as Equal from "effect/Equal"
import { canonical } from "../../services/Json.ts"

/**
 * What is not told apart in texts: case, white space at both ends, white space of any length, punctuation, forms of Unicode
 * (NFKC), accents.
 *
 * @category models
 */
export type Normalisation = "case" | "trim" | "whitespace" | "punctuation" | "unicode" | "accents"

/** A text without what is not told apart. @category conversions */
export const normalText = (text: string, by: ReadonlyArray<Normalisation>): string => {
  let normal = text
  for (const one of by) {
    if (one === "unicode") normal = normal.normalize("NFKC")
    else if (one === "accents") normal = normal.normalize("NFD").replaceAll(/\p{M}/gu, "").normalize("NFC")
    else if (one === "case") normal = normal.toLowerCase()
    else if (one === "punctuation") normal = normal.replaceAll(/\p{P}/gu, "")
    else if (one === "whitespace") normal = normal.replaceAll(/\s+/g, " ").trim()
    else normal = normal.trim()
  }
  return normal
}

const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== "object" || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** A value with all texts in it normalised, and without keys that are `undefined`. @category conversions */
export const normal = (value: unknown, by: ReadonlyArray<Normalisation>): unknown => {
  if (typeof value === "string") return normalText(value, by)
  if (Array.isArray(value)) return value.map((item) => normal(item, by))
  if (!isPlain(value)) return value
  const fields = Object.entries(value).filter(([, item]) => item !== undefined)
  return Object.fromEntries(fields.map(([key, item]) => [key, normal(item, by)]))
}

/** Whether two values are equal in their structure. @category comparing */
export const equal = (a: unknown, b: unknown, by: ReadonlyArray<Normalisation> = []): boolean =>
  Equal.equals(normal(a, by), normal(b, by))

/**
 * Whether a value has all that a pattern says: objects may have more keys, lists are as long as the pattern, everything
 * else is equal.
 *
 * @category comparing
 */
export const covers = (value: unknown, pattern: unknown): boolean => {
  if (Array.isArray(pattern))
    return (
      Array.isArray(value) &&
      value.length === pattern.length &&
      pattern.every((item, index) => covers(value[index], item))
    )
  if (!isPlain(pattern)) return Equal.equals(value, pattern)
  if (typeof value !== "object" || value === null) return false
  // Any object may be asked for any key.
  const fields = value as Readonly<Record<string, unknown>>
  return Object.entries(pattern).every(
    ([key, item]) => item === undefined || (Object.hasOwn(fields, key) && covers(fields[key], item))
  )
}

/** A value as a text that is equal for equal values. @category conversions */
export const keyOf = (value: unknown, by: ReadonlyArray<Normalisation> = []): string => canonical(normal(value, by))

/**
 * The edit distance of Levenshtein: insertions, deletions and substitutions of code points. Myers' algorithm on words of 32
 * bits: time grows with the product of the lengths divided by 32, memory with their sum.
 *
 * @category comparing
 */
export const editDistance = (left: string, right: string): number => {
  let a = Array.from(left)
  let b = Array.from(right)
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  let [endA, endB] = [a.length, b.length]
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) [endA, endB] = [endA - 1, endB - 1]
  a = a.slice(start, endA)
  b = b.slice(start, endB)
  if (a.length === 0) return b.length
  if (b.length === 0) return a.length
  // Blocks of 32 code points of `a`; each goes over all of `b` and hands the carries of its last row to the next one.
  let carries = new Int8Array(b.length).fill(1)
  let score = 0
  for (let from = 0; from < a.length; from += 32) {
    const size = Math.min(32, a.length - from)
    const last = 1 << (size - 1)
    const places = new Map<string, number>()
    for (let at = 0; at < size; at++) {
      // Inside the list.
      const point = a[from + at] as string
      places.set(point, (places.get(point) ?? 0) | (1 << at))
    }
    let [plus, minus] = [-1, 0]
    score = from + size
    const out = new Int8Array(b.length)
    for (const [at, point] of b.entries()) {
      const carry = carries[at] ?? 0
      let equals = places.get(point) ?? 0
      const vertical = equals | minus
      if (carry < 0) equals |= 1
      const horizontal = ((((equals & plus) + plus) | 0) ^ plus) | equals
      let up = minus | ~(horizontal | plus)
      let down = plus & horizontal
      const step = (up & last) !== 0 ? 1 : (down & last) !== 0 ? -1 : 0
      score += step
      out[at] = step
      up = (up << 1) | (carry > 0 ? 1 : 0)
      down = (down << 1) | (carry < 0 ? 1 : 0)
      plus = down | ~(vertical | up)
      minus = up & vertical
    }
    carries = out
  }
  return score
}

/** How alike two texts are: 1 minus the edit distance divided by the length of the longer one. @category comparing */
export const similarity = (left: string, right: string): number => {
  if (left === right) return 1
  const longest = Math.max(Array.from(left).length, Array.from(right).length)
  return 1 - editDistance(left, right) / longest
}

/**
 * How much of one list is in another.
 *
 * @category models
 */
export interface Overlap {
  /** The part of what was given that was expected. */
  readonly precision: number
  /** The part of what was expected that was given. */
  readonly recall: number
  /** Their harmonic mean; 1 where both lists are empty. */
  readonly f1: number
  readonly missing: ReadonlyArray<unknown>
  readonly extra: ReadonlyArray<unknown>
}

const overlapOf = (
  hits: number,
  given: ReadonlyArray<unknown>,
  expected: ReadonlyArray<unknown>,
  missing: ReadonlyArray<unknown>,
  extra: ReadonlyArray<unknown>
): Overlap => ({
  precision: given.length === 0 ? (expected.length === 0 ? 1 : 0) : hits / given.length,
  recall: expected.length === 0 ? 1 : hits / expected.length,
  f1: given.length + expected.length === 0 ? 1 : (2 * hits) / (given.length + expected.length),
  missing,
  extra
})

/** The overlap of two lists in any order; what stands twice counts twice. @category comparing */
export const overlap = (
  given: ReadonlyArray<unknown>,
  expected: ReadonlyArray<unknown>,
  by: ReadonlyArray<Normalisation> = []
): Overlap => {
  const left = new Map<string, number>()
  for (const item of expected) left.set(keyOf(item, by), (left.get(keyOf(item, by)) ?? 0) + 1)
  const extra: Array<unknown> = []
  let hits = 0
  for (const item of given) {
    const key = keyOf(item, by)
    const count = left.get(key) ?? 0
    if (count === 0) extra.push(item)
    else {
      hits++
      left.set(key, count - 1)
    }
  }
  const missing = expected.toReversed().filter((item) => {
    const key = keyOf(item, by)
    const count = left.get(key) ?? 0
    left.set(key, count - 1)
    return count > 0
  })
  return overlapOf(hits, given, expected, missing.toReversed(), extra)
}

/**
 * The overlap of two lists in their order: of the longest common subsequence. Time grows with the product of the lengths.
 *
 * @category comparing
 */
export const orderedOverlap = (
  given: ReadonlyArray<unknown>,
  expected: ReadonlyArray<unknown>,
  by: ReadonlyArray<Normalisation> = []
): Overlap => {
  const [a, b] = [given.map((item) => keyOf(item, by)), expected.map((item) => keyOf(item, by))]
  const width = b.length + 1
  const lengths = new Uint32Array((a.length + 1) * width)
  const at = (row: number, column: number): number => lengths[row * width + column] ?? 0
  for (let row = a.length - 1; row >= 0; row--)
    for (let column = b.length - 1; column >= 0; column--)
      lengths[row * width + column] =
        a[row] === b[column] ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1))
  const [extra, missing]: [Array<unknown>, Array<unknown>] = [[], []]
  let [row, column] = [0, 0]
  while (row < a.length && column < b.length) {
    if (a[row] === b[column]) [row, column] = [row + 1, column + 1]
    else if (at(row + 1, column) >= at(row, column + 1)) extra.push(given[row++])
    else missing.push(expected[column++])
  }
  extra.push(...given.slice(row))
  missing.push(...expected.slice(column))
  return overlapOf(at(0, 0), given, expected, missing, extra)
}

/** The cosine of two vectors; 0 where one is null or they differ in length. @category comparing */
export const cosine = (a: Float32Array, b: Float32Array): number => {
  if (a.length !== b.length) return 0
  let [dot, left, right] = [0, 0, 0]
  for (const [at, x] of a.entries()) {
    const y = b[at] ?? 0
    dot += x * y
    left += x * x
    right += y * y
  }
  return left === 0 || right === 0 ? 0 : dot / Math.sqrt(left * right)
}
