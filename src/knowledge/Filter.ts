/** Filters of knowledge: how they are made, and what they let pass. */
import * as Equal from "effect/Equal"
import type { Json, JsonObject } from "../../services/Json.ts"
import type { Filter } from "../../services/KnowledgeStore.ts"

export type { Filter } from "../../services/KnowledgeStore.ts"

/** The value of a key is this one. @category filters */
export const is = (key: string, value: Json): Filter => ({ _tag: "Is", key, value })

/** The value of a key is one of these. @category filters */
export const isIn = (key: string, values: ReadonlyArray<Json>): Filter => ({ _tag: "In", key, values })

/** The value of a key is a list with this item. @category filters */
export const has = (key: string, value: Json): Filter => ({ _tag: "Has", key, value })

/** The value of a key lies between two numbers or two texts, ends included; either may be left out. @category filters */
export const between = (
  key: string,
  range: { readonly from?: number | string | undefined; readonly to?: number | string | undefined }
): Filter => ({ _tag: "Between", key, ...range })

/** All of these let it pass. @category filters */
export const all = (...filters: ReadonlyArray<Filter>): Filter => ({ _tag: "All", filters })

/** One of these lets it pass. @category filters */
export const any = (...filters: ReadonlyArray<Filter>): Filter => ({ _tag: "Any", filters })

/** This does not let it pass. @category filters */
export const not = (filter: Filter): Filter => ({ _tag: "Not", filter })

const own = (value: Json | undefined, key: string): Json | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Object.hasOwn(value, key)
    ? // By the test before, it is an object.
      (value as JsonObject)[key]
    : undefined

const read = (meta: JsonObject, key: string): Json | undefined =>
  own(meta, key) ?? key.split(".").reduce<Json | undefined>(own, meta)

/**
 * Whether a filter lets these facts pass.
 *
 * @example
 * ```ts
 * import { Filter } from "effigent"
 *
 * const recent = Filter.all(Filter.is("kind", "manual"), Filter.between("date", { from: "2026-01-01" }))
 * console.log(Filter.passes(recent, { kind: "manual", date: "2026-11-21" })) // => true
 * ```
 *
 * @category filters
 */
export const passes = (filter: Filter, meta: JsonObject): boolean => {
  switch (filter._tag) {
    case "Is":
      return Equal.equals(read(meta, filter.key), filter.value)
    case "In": {
      const value = read(meta, filter.key)
      return filter.values.some((one) => Equal.equals(value, one))
    }
    case "Has": {
      const value = read(meta, filter.key)
      return Array.isArray(value) && value.some((one) => Equal.equals(one, filter.value))
    }
    case "Between": {
      const value = read(meta, filter.key)
      if (typeof value !== "number" && typeof value !== "string") return false
      return within(value, filter.from, 1) && within(value, filter.to, -1)
    }
    case "All":
      return filter.filters.every((one) => passes(one, meta))
    case "Any":
      return filter.filters.some((one) => passes(one, meta))
    case "Not":
      return !passes(filter.filter, meta)
  }
}

const within = (value: number | string, end: number | string | undefined, sign: 1 | -1): boolean => {
  if (end === undefined) return true
  if (typeof value === "number") return typeof end === "number" && (value - end) * sign >= 0
  return typeof end === "string" && (sign === 1 ? value >= end : value <= end)
}
