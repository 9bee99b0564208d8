/**
 * What is checked on the parsed value itself, beside the decoding by Schema: that the ensured places are there and, where
 * the whole shape is asked for, that all keys are there and no others. And what is put right without asking again: `null`
 * for what is absent, a number or a truth value in quotes.
 */
import * as Path from "../parse/Path.ts"
import type { EnsureLevel } from "./Ensure.ts"
import type { Finding } from "./Finding.ts"
import type { EnsureKey } from "./Keys.ts"
import * as Wire from "./Wire.ts"
import type { Node, Part } from "./Wire.ts"

type Segments = ReadonlyArray<Path.Segment>

/**
 * What is asked of a value beyond its Schema.
 *
 * @category models
 */
export interface Demands {
  /** Whether the marks of the Schema count. */
  readonly marks: boolean
  /** Further places that must be there. */
  readonly keys: ReadonlyArray<EnsureKey>
  /** Whether all keys must be there, and no others. */
  readonly all: boolean
}

type JsonRecord = { readonly [key: string]: unknown }

const isRecord = (value: unknown): value is JsonRecord =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Whether a value fails the level `notEmpty`. @category predicates */
export const isEmpty = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  (typeof value === "string" && value.trim() === "") ||
  (Array.isArray(value) && (value.length === 0 || value.some(isEmpty)))

const hasValue = (node: Node, value: unknown): boolean =>
  (node.kind !== "string" && node.kind !== "number" && node.kind !== "boolean") ||
  node.values === undefined ||
  node.values.some((each) => each === value)

// Whether a value can be this form at all: its kind fits, and so do the constants that tell forms apart.
const fits = (part: Part, value: unknown): boolean => {
  const { node } = part
  if (value === null) return part.nullable
  switch (node.kind) {
    case "any":
      return true
    case "null":
      return false
    case "union":
      return node.members.some((member) => fits(member, value))
    case "array":
      return Array.isArray(value)
    case "object":
      return (
        isRecord(value) &&
        node.fields.every(
          ({ key, part: field }) =>
            !Object.hasOwn(value, key) || Wire.constantOf(field.node) === undefined || hasValue(field.node, value[key])
        )
      )
    default:
      return typeof value === node.kind && hasValue(node, value)
  }
}

// How well an object fits a form: constants that agree count most, then keys that are there and required keys that lack.
const score = (part: Part, value: unknown): number => {
  if (part.node.kind !== "object" || !isRecord(value)) return 0
  let points = 0
  for (const { key, part: field } of part.node.fields) {
    if (Object.hasOwn(value, key)) points += Wire.constantOf(field.node) === undefined ? 1 : 100
    else if (!field.optional) points -= 10
  }
  return points
}

const forms = (members: ReadonlyArray<Part>, value: unknown): ReadonlyArray<Part> =>
  members
    .filter((member) => fits(member, value))
    .map((member) => ({ member, points: score(member, value) }))
    .sort((a, b) => b.points - a.points)
    .map(({ member }) => member)

// --- what is put right

const NUMBER = /^\s*-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\s*$/

const scalar = (node: Node, value: string): unknown => {
  if (node.kind === "number" && NUMBER.test(value) && Number.isFinite(Number(value))) return Number(value)
  if (node.kind === "boolean" && /^\s*(?:true|false)\s*$/i.test(value)) return value.trim().toLowerCase() === "true"
  return value
}

/**
 * The value with `null` for an absent key taken out, and with quoted numbers and truth values unquoted where the Schema
 * wants a number or a truth value. Nothing else is touched; a value that needs no change is returned as it is.
 *
 * @param drop whether a null at this key stands for an absent key
 * @category normalising
 */
export const normalise = (part: Part, value: unknown, drop: (part: Part) => boolean): unknown => {
  const { node } = part
  if (typeof value === "string") return scalar(node, value)
  if (node.kind === "union") {
    const form = forms(node.members, value)[0]
    return form === undefined ? value : normalise(form, value, drop)
  }
  if (node.kind === "array" && Array.isArray(value)) {
    let out: Array<unknown> | undefined
    for (let index = 0; index < value.length; index++) {
      const item = node.prefix[index] ?? node.item
      if (item === undefined) break
      const next = normalise(item, value[index], drop)
      if (next !== value[index]) (out ??= value.slice())[index] = next
    }
    return out ?? value
  }
  if (node.kind === "object" && isRecord(value)) {
    let out: Record<string, unknown> | undefined
    for (const key of Object.keys(value)) {
      const field = node.byKey.get(key) ?? node.rest
      if (field === undefined) continue
      const old = value[key]
      if (old === null && !field.nullable && node.byKey.has(key) && drop(field)) {
        delete (out ??= { ...value })[key]
        continue
      }
      const next = normalise(field, old, drop)
      if (next !== old) {
        Object.defineProperty((out ??= { ...value }), key, {
          value: next,
          enumerable: true,
          configurable: true,
          writable: true
        })
      }
    }
    return out ?? value
  }
  return value
}

// --- what is asked for

class Checker {
  readonly findings: Array<Finding> = []
  private readonly demands: Demands
  private readonly repaired: ReadonlySet<string>

  constructor(demands: Demands, repaired: ReadonlySet<string>) {
    this.demands = demands
    this.repaired = repaired
  }

  private add(kind: Finding["kind"], path: string, message: string, value?: unknown): void {
    this.findings.push({ path, kind, message, ...(value === undefined ? {} : { value }) })
  }

  private isCut(path: string): boolean {
    if (this.repaired.size === 0) return false
    if (this.repaired.has(path)) return true
    for (const each of this.repaired) {
      if (each.startsWith(path) && (path === "" || each[path.length] === "." || each[path.length] === "[")) return true
    }
    return false
  }

  missing(segments: Segments): void {
    const path = Path.print(segments)
    this.add("missing", path, `Missing ensure key: ${path}`)
  }

  /** What is asked of an ensured value that is there. Answers whether it passes. */
  ensured(part: Part, level: EnsureLevel, value: unknown, segments: Segments): boolean {
    const path = Path.print(segments)
    const what = path === "" ? "The answer" : `Ensure key ${path}`
    if (this.isCut(path)) {
      this.add("cut", path, `${what} is incomplete: the answer was cut off inside it`, value)
    } else if (level === "notEmpty" && isEmpty(value)) {
      this.add("empty", path, `${what} must not be null, blank, or empty`, value)
    } else if (value === null && !part.nullable) {
      this.add("empty", path, `${what} must not be null`, value)
    } else {
      return true
    }
    return false
  }

  /** What a missing value would have held: each ensured place below. */
  absent(part: Part, segments: Segments, above: ReadonlyArray<Node>): void {
    if (part.ensure !== undefined) return this.missing(segments)
    const { node } = part
    if (part.optional || above.includes(node)) return
    const next = [...above, node]
    if (node.kind === "object") {
      for (const field of node.fields) this.absent(field.part, [...segments, field.key], next)
      if (node.rest !== undefined) this.absent(node.rest, [...segments, Path.ANY_KEY], next)
    } else if (node.kind === "array") {
      node.prefix.forEach((item, index) => this.absent(item, [...segments, index], next))
      if (node.item !== undefined) this.absent(node.item, [...segments, Path.ANY_ITEM], next)
    }
  }

  /** The marks of the Schema, and the whole shape where it is asked for. */
  part(part: Part, value: unknown, segments: Segments): void {
    const { node } = part
    const { all, marks } = this.demands
    if (marks && part.ensure !== undefined) {
      if (!this.ensured(part, part.ensure, value, segments)) return
    } else if (all && value === null && !part.nullable) {
      const path = Path.print(segments)
      this.add("empty", path, `${path === "" ? "The answer" : `Key ${path}`} must not be null`, value)
      return
    }
    if (value === null) return
    if (node.kind === "union") return this.union(node.members, value, segments)
    if (node.kind === "array" && Array.isArray(value)) return this.array(node, value, segments)
    if (node.kind === "object" && isRecord(value)) this.object(node, value, segments)
  }

  /** Whether anything is asked of a part that is there. */
  private concerns(part: Part): boolean {
    return this.demands.all || (this.demands.marks && Wire.holdsAnywhere(part))
  }

  private array(node: Wire.ArrayNode, value: ReadonlyArray<unknown>, segments: Segments): void {
    for (let index = 0; index < Math.max(value.length, node.prefix.length); index++) {
      const item = node.prefix[index] ?? node.item
      if (item === undefined) break
      if (index < value.length) {
        if (this.concerns(item)) this.part(item, value[index], [...segments, index])
      } else if (this.demands.marks) this.absent(item, [...segments, index], [node])
    }
    if (this.demands.marks && value.length === 0 && node.item?.ensure === "notEmpty") {
      const path = Path.print([...segments, Path.ANY_ITEM])
      this.add("empty", path, `Ensure key ${path} must not be null, blank, or empty`, value)
    }
  }

  private object(node: Wire.ObjectNode, value: JsonRecord, segments: Segments): void {
    const { all, marks } = this.demands
    for (const { key, part } of node.fields) {
      if (!this.concerns(part)) continue
      const at = [...segments, key]
      if (Object.hasOwn(value, key)) this.part(part, value[key], at)
      else if (marks && Wire.holds(part)) this.absent(part, at, [node])
      else if (all) this.add("missing", Path.print(at), `Missing key: ${Path.print(at)}`)
    }
    if (node.rest === undefined ? !all : !this.concerns(node.rest)) return
    for (const key of Object.keys(value)) {
      if (node.byKey.has(key)) continue
      const at = [...segments, key]
      if (node.rest !== undefined) this.part(node.rest, value[key], at)
      else this.add("extra", Path.print(at), `Extra key is not allowed: ${Path.print(at)}`)
    }
  }

  // The form that the value has decides. Where several fit, one that is content with the value is enough.
  private union(members: ReadonlyArray<Part>, value: unknown, segments: Segments): void {
    let first: ReadonlyArray<Finding> | undefined
    for (const member of forms(members, value)) {
      const checker = new Checker(this.demands, this.repaired)
      checker.part(member, value, segments)
      if (checker.findings.length === 0) return
      first ??= checker.findings
    }
    this.findings.push(...(first ?? []))
  }

  /** One further place: a form of a union that has no such place is not asked for it. */
  key(key: EnsureKey, part: Part, value: unknown, segments: Segments, depth: number): void {
    const segment = key.segments[depth]
    if (segment === undefined) {
      this.ensured(part, part.ensure ?? "present", value, segments)
      return
    }
    const { node } = part
    if (node.kind === "union") {
      const form = forms(node.members, value)[0]
      if (form === undefined) return this.missing([...segments, ...key.segments.slice(depth)])
      if (hasPlace(form, key.segments, depth)) this.key(key, form, value, segments, depth)
      return
    }
    const anyItem = typeof segment === "object" && segment._tag === "AnyItem"
    const anyKey = typeof segment === "object" && segment._tag === "AnyKey"
    if (anyItem && Array.isArray(value)) {
      value.forEach((item, index) => this.key(key, partAt(part, index), item, [...segments, index], depth + 1))
      if (value.length === 0 && key.level === "notEmpty" && depth === key.segments.length - 1) {
        const path = Path.print([...segments, segment])
        this.add("empty", path, `Ensure key ${path} must not be null, blank, or empty`, value)
      }
      return
    }
    if (anyKey && isRecord(value)) {
      for (const each of Object.keys(value)) {
        if (node.kind === "object" && node.byKey.has(each)) continue
        this.key(key, partAt(part, each), value[each], [...segments, each], depth + 1)
      }
      return
    }
    if (typeof segment === "string" && isRecord(value) && Object.hasOwn(value, segment)) {
      return this.key(key, partAt(part, segment), value[segment], [...segments, segment], depth + 1)
    }
    if (typeof segment === "number" && Array.isArray(value) && segment < value.length) {
      return this.key(key, partAt(part, segment), value[segment], [...segments, segment], depth + 1)
    }
    this.missing([...segments, ...key.segments.slice(depth)])
  }
}

const partAt = (part: Part, segment: string | number): Part => {
  const { node } = part
  if (node.kind === "object" && typeof segment === "string")
    return node.byKey.get(segment) ?? node.rest ?? Wire.inside(part)
  if (node.kind === "array" && typeof segment === "number")
    return node.prefix[segment] ?? node.item ?? Wire.inside(part)
  return Wire.inside(part)
}

const hasPlace = (part: Part, segments: Segments, depth: number): boolean => {
  const segment = segments[depth]
  const { node } = part
  if (segment === undefined || node.kind === "any") return true
  if (node.kind === "union") return node.members.some((member) => hasPlace(member, segments, depth))
  if (node.kind === "object") {
    const next = typeof segment === "string" ? (node.byKey.get(segment) ?? node.rest) : node.rest
    return typeof segment !== "number" && next !== undefined && hasPlace(next, segments, depth + 1)
  }
  if (node.kind !== "array" || typeof segment === "string") return false
  const items = typeof segment === "number" ? [node.prefix[segment] ?? node.item] : [...node.prefix, node.item]
  return items.some((item) => item !== undefined && hasPlace(item, segments, depth + 1))
}

/**
 * What lacks in a value: the first finding of each place.
 *
 * @param repaired paths, in dot style, of the values whose end was cut off
 * @category checking
 */
export const check = (
  root: Part,
  value: unknown,
  demands: Demands,
  repaired: ReadonlySet<string>
): ReadonlyArray<Finding> => {
  const checker = new Checker(demands, repaired)
  if (demands.marks || demands.all) checker.part(root, value, [])
  for (const key of demands.keys) checker.key(key, root, value, [], 0)
  const byPath = new Map<string, Finding>()
  for (const finding of checker.findings) if (!byPath.has(finding.path)) byPath.set(finding.path, finding)
  return [...byPath.values()]
}
