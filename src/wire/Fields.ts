/**
 * Reading fields of JSON that came over a wire and may be of any shape: what is not of the expected type is absent.
 * Chunk decoders read field by field with these, so that a new or a broken field never ends a stream.
 */
import type { Json } from "../../services/Json.ts"

/** An object whose fields nothing is known about. @category models */
export interface Fields {
  readonly [key: string]: unknown
}

/** The value as an object, unless it is none. @category reading */
export const object = (value: unknown): Fields | undefined =>
  // The cast is the boundary: from here on each field is read as unknown.
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined

/** The value as a list; an empty one unless it is a list. @category reading */
export const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

/** The value as a text that says something, or absent. @category reading */
export const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined

/** The value as a finite number, or absent. @category reading */
export const number = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined

/** The value as a text or a number written as a text: how providers send error codes. @category reading */
export const code = (value: unknown): string | undefined => (typeof value === "number" ? String(value) : text(value))

/** The JSON value of a text, or absent where the text is not JSON. @category reading */
export const json = (source: string): Json | undefined => {
  try {
    return JSON.parse(source)
  } catch {
    return undefined
  }
}
