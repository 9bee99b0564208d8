/**
 * What the parser knows of the value that it expects: enough to tell the answer from other JSON-looking text, and to
 * read a scalar the way the contract means it. It is data, compiled from a Schema by `src/output`; the parser itself
 * knows nothing of Schemas. Shapes of recursive Schemas are cyclic.
 */

/**
 * The expected form of one value. Enums and literals are their base type with `values`.
 *
 * @category models
 */
export type Shape =
  | { readonly kind: "any" }
  | { readonly kind: "string"; readonly values?: ReadonlyArray<string> | undefined }
  | { readonly kind: "number"; readonly values?: ReadonlyArray<number> | undefined }
  | { readonly kind: "boolean" }
  | { readonly kind: "null" }
  | {
      readonly kind: "object"
      /** The declared keys, in order. */
      readonly keys: ReadonlyMap<string, Shape>
      /** The keys that must be there. */
      readonly required: ReadonlySet<string>
      /** The shape of the values of undeclared keys, where the value is a record. */
      readonly rest?: Shape | undefined
    }
  | {
      readonly kind: "array"
      /** The shapes of the first items, where the value is a tuple. */
      readonly prefix: ReadonlyArray<Shape>
      /** The shape of all other items. */
      readonly item: Shape
    }
  | { readonly kind: "union"; readonly members: ReadonlyArray<Shape> }
