/**
 * How well a text or a value fits the Shape that is expected: which kinds of value the Shape admits, where a key leads,
 * and which of two values is the better answer. Shapes may be cyclic: every walk here ends. Not exported from the package.
 */
import type { Shape } from "./Shape.ts"

type ShapeOf<K extends Shape["kind"]> = Extract<Shape, { readonly kind: K }>

/** The Shape of what nothing is known of. @category internals */
export const ANY: Shape = { kind: "any" }

/** The members of a Shape with its unions taken apart, in order. @category internals */
export const members = (shape: Shape): ReadonlyArray<Exclude<Shape, ShapeOf<"union">>> => {
  if (shape.kind !== "union") return [shape]
  const seen = new Set<Shape>([shape])
  const queue: Array<Shape> = [shape]
  const found: Array<Exclude<Shape, ShapeOf<"union">>> = []
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    if (next.kind !== "union") found.push(next)
    else {
      for (const member of next.members) {
        if (seen.has(member)) continue
        seen.add(member)
        queue.push(member)
      }
    }
  }
  return found
}

/** Whether a Shape admits a value of this kind. @category internals */
export const admits = (shape: Shape, kind: Exclude<Shape["kind"], "any" | "union">): boolean =>
  members(shape).some((member) => member.kind === kind || member.kind === "any")

/** Whether a Shape admits no object and no array, so that braces in the text cannot be the answer. @category internals */
export const isScalar = (shape: Shape): boolean => !admits(shape, "object") && !admits(shape, "array")

/** Whether nothing is known of the value here. @category internals */
export const isAny = (shape: Shape): boolean => members(shape).some((member) => member.kind === "any")

/** Whether a Shape is an object, or a union with one, that declares this key; a record declares every key. @category internals */
export const declares = (shape: Shape, key: string): boolean =>
  members(shape).some((member) => member.kind === "object" && (member.keys.has(key) || member.rest !== undefined))

const union = (shapes: ReadonlyArray<Shape>): Shape | undefined =>
  shapes.length > 1 ? { kind: "union", members: shapes } : shapes[0]

/** The Shape one step below, `undefined` where nothing is declared there. @category internals */
export const below = (shape: Shape, segment: string | number): Shape | undefined => {
  const found: Array<Shape> = []
  for (const member of members(shape)) {
    if (member.kind === "any") found.push(ANY)
    else if (member.kind === "array" && typeof segment === "number") found.push(member.prefix[segment] ?? member.item)
    else if (member.kind === "object" && typeof segment === "string") {
      const declared = member.keys.get(segment) ?? member.rest
      if (declared !== undefined) found.push(declared)
    }
  }
  return union(found)
}

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const required = (member: ShapeOf<"object">, value: object): number => {
  let count = 0
  for (const key of member.required) if (Object.hasOwn(value, key)) count++
  for (const key of member.keys.keys()) if (Object.hasOwn(value, key)) count += 1 / 1024
  return count
}

/**
 * How well the root of a value fits: 0 for the wrong kind, else 1 and the number of required keys that are there, with
 * declared keys as a tie-breaker. An array counts by its first item.
 *
 * @category internals
 */
export const rank = (shape: Shape, value: unknown): number => {
  let best = 0
  for (const member of members(shape)) {
    let here = 0
    if (member.kind === "any") here = 1
    else if (member.kind === "object") here = isObject(value) ? 1 + required(member, value) : 0
    else if (member.kind === "array") {
      if (Array.isArray(value)) here = value.length === 0 ? 1 : 1 + firstItem(member.prefix[0] ?? member.item, value[0])
    } else here = (value === null ? "null" : typeof value) === member.kind ? 1 : 0
    if (here > best) best = here
  }
  return best
}

const firstItem = (shape: Shape, value: unknown): number => {
  let best = 0
  for (const member of members(shape)) {
    if (member.kind === "object" && isObject(value)) best = Math.max(best, 0.5 + required(member, value))
    else if (member.kind === "any" || (value === null ? "null" : typeof value) === member.kind)
      best = Math.max(best, 0.5)
    else if (member.kind === "array" && Array.isArray(value)) best = Math.max(best, 0.5)
  }
  return best
}
