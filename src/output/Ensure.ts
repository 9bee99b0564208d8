/**
 * The ensure mark: a leaf of an output Schema that must be there. The mark and the description are annotations of the
 * key, so that they work in the shorthand of `Output.make` and in the fields of `Schema.Struct` and `Schema.Class` alike.
 */
import * as Schema from "effect/Schema"

/**
 * How much is asked of an ensured leaf. `present`: the key exists; null, blank and empty pass where the Schema admits
 * them. `notEmpty`: null, blank text, an empty array, and an array that holds one of these fail; `0`, `false` and `{}`
 * pass.
 *
 * @category models
 */
export type EnsureLevel = "present" | "notEmpty"

declare module "effect/Schema" {
  namespace Annotations {
    interface Annotations {
      /** That the key must be there, and how much is asked of its value: see `Output.ensure`. */
      readonly "effigent/ensure"?: EnsureLevel | undefined
    }
  }
}

/** The annotation of a key that carries the ensure level. @category constants */
export const ENSURE = "effigent/ensure"

/** The property by which the type system sees an ensured Schema. @category constants */
export const MARK = "~effigent/ensure"

/**
 * What an ensured Schema carries in its type.
 *
 * @category models
 */
export interface EnsureMark {
  readonly [MARK]: EnsureLevel
}

/**
 * A Schema whose key must be there.
 *
 * @category models
 */
export type Ensured<S extends Schema.Top> = S["Rebuild"] & EnsureMark

const keyed = <S extends Schema.Top>(
  schema: S,
  description: string | undefined,
  annotations: Schema.Annotations.Key<S["Type"]>
): S["Rebuild"] =>
  Schema.annotateKey<S>(description === undefined ? annotations : { ...annotations, description })(schema)

/**
 * Marks a leaf that must be there: the framework asks again until it is. In the shorthand of `Output.make` the property
 * becomes a required one.
 *
 * @param description what the leaf is for; it goes into the prompt
 * @param level `present` by default; see `EnsureLevel`
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Contract, Output } from "effigent"
 *
 * const Report = Schema.Struct({
 *   title: Output.ensure(Schema.String, "One line"),
 *   tags: Output.ensure(Schema.Array(Schema.String), "Keywords", "notEmpty")
 * })
 * console.log(Contract.compile(Report).ensureKeys.map((key) => `${key.path}: ${key.level}`)) // => [ 'title: present', 'tags: notEmpty' ]
 * ```
 *
 * @category constructors
 */
export const ensure = <S extends Schema.Top>(
  schema: S,
  description?: string | undefined,
  level: EnsureLevel = "present"
): Ensured<S> => Object.assign(keyed(schema, description, { [ENSURE]: level }), { [MARK]: level } satisfies EnsureMark)

/**
 * Says what a leaf is for. In the shorthand of `Output.make` the property is an optional one.
 *
 * @category constructors
 */
export const field = <S extends Schema.Top>(schema: S, description: string): S["Rebuild"] =>
  keyed(schema, description, {})

/** The ensure level of a key, from the annotations of its Schema. @category inspection */
export const levelOf = (annotations: Schema.Annotations.Annotations | undefined): EnsureLevel | undefined => {
  const level = annotations?.[ENSURE]
  return level === "present" || level === "notEmpty" ? level : undefined
}
