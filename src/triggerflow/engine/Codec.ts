/**
 * How values cross the edges of an execution: encoded as JSON by their Schema, frozen, and decoded at most once. Codecs
 * are made once for each Schema.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"

/**
 * A Schema ready for use. `encode` gives a frozen copy as JSON, or what is wrong with the value.
 *
 * @category models
 */
export interface Codec {
  readonly encode: (value: unknown) => Result.Result<Schema.Json, string>
  readonly decode: (json: unknown) => Result.Result<unknown, string>
  /** What is wrong with a decoded value, if anything. */
  readonly misfit: (value: unknown) => string | undefined
  /** What is decoded equals what is encoded. */
  readonly plain: boolean
}

/**
 * Copies plain data and freezes the copy, all the way down.
 *
 * @category conversions
 */
export const freeze = <A>(value: A): A => {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) {
    // An array of the same items.
    return Object.freeze(value.map(freeze)) as A
  }
  const proto: unknown = Object.getPrototypeOf(value)
  if (proto !== Object.prototype && proto !== null) return value
  const copy: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) {
    if (key === "__proto__") Object.defineProperty(copy, key, { value: freeze(item), enumerable: true })
    else copy[key] = freeze(item)
  }
  // A record of the same fields.
  return Object.freeze(copy) as A
}

/**
 * Freezes plain data where it is, all the way down; other objects are left as they are. False where there are dates,
 * maps, sets or bytes in it, which cannot be frozen.
 *
 * @category conversions
 */
export const freezeInPlace = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return true
  const proto: unknown = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && proto !== Object.prototype && proto !== null)
    return !(value instanceof Date || value instanceof Map || value instanceof Set || ArrayBuffer.isView(value))
  Object.freeze(value)
  let frozen = true
  for (const item of Object.values(value)) if (!freezeInPlace(item)) frozen = false
  return frozen
}

/** A value that a Schema throws at (a circular one, a getter that throws) does not fit it. */
const contained = <A>(f: () => Result.Result<A, string>): Result.Result<A, string> => {
  try {
    return f()
  } catch (error) {
    return Result.fail(error instanceof RangeError ? "it is circular or nested too deep" : String(error))
  }
}

const make = (schema: Schema.Codec<unknown, unknown>): Codec => {
  const json: Schema.Codec<unknown, unknown> = Schema.toCodecJson(schema)
  const encode = Schema.encodeUnknownResult(json, { errors: "all" })
  const decode = Schema.decodeUnknownResult(json, { errors: "all" })
  const plain = Schema.toEncoded(json).ast === Schema.toType(json).ast
  const is = Schema.is(schema)
  return {
    plain,
    misfit: (value) => {
      if (is(value)) return undefined
      const why = Schema.decodeUnknownResult(Schema.toType(schema), { errors: "all" })(value)
      return Result.isFailure(why) ? why.failure.message : "the value does not fit"
    },
    encode: (value) =>
      contained(() =>
        Result.mapBoth(encode(value), {
          // What `toCodecJson` encodes to is JSON.
          onSuccess: (json) => freeze(json as Schema.Json),
          onFailure: ({ message }) => message
        })
      ),
    decode: (value) => contained(() => Result.mapError(decode(value), ({ message }) => message))
  }
}

const codecs = new WeakMap<AST.AST, Codec>()

/** The codec of a Schema. @category constructors */
export const of = (schema: Schema.Codec<unknown, unknown>): Codec => {
  const known = codecs.get(schema.ast)
  if (known !== undefined) return known
  const codec = make(schema)
  codecs.set(schema.ast, codec)
  return codec
}
