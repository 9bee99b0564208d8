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
