/** JSON values as a type, for everything that crosses a service boundary in encoded form. */

/**
 * A JSON value: what `JSON.parse` can return, read-only.
 *
 * @category models
 */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | JsonObject

/**
 * A JSON object.
 *
 * @category models
 */
export interface JsonObject {
  readonly [key: string]: Json
}

const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : a > b ? 1 : 0)

/**
 * A value as JSON text in which the order of keys does not count: what digests are made of, and what two values are
 * compared by. Empty where it has no JSON form.
 *
 * @category conversions
 */
export const canonical = (json: unknown): string =>
  JSON.stringify(json, (_, item: unknown) =>
    isObject(item) ? Object.fromEntries(Object.entries(item).toSorted(byKey)) : item
  ) ?? ""

/**
 * A value as JSON, as `JSON.stringify` tells it; `null` where it tells nothing. Throws where it throws: at circles and
 * BigInts.
 *
 * @category conversions
 */
export const fromValue = (value: unknown): Json => {
  const text = JSON.stringify(value)
  // What JSON.parse gives is JSON.
  return text === undefined ? null : (JSON.parse(text) as Json)
}
