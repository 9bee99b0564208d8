/**
 * The shorthand for output Schemas: objects nest, `[node]` is an array, a leaf is any Schema. What is ensured is a
 * required property, what is not is an optional one, and a container is required if and only if it holds an ensured leaf.
 */
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import { levelOf } from "./Ensure.ts"
import type { EnsureMark } from "./Ensure.ts"

/**
 * An object in shorthand.
 *
 * @category models
 */
export interface Fields {
  readonly [key: string]: Node
}

/**
 * What may stand in the shorthand: a Schema, an object of nodes, or an array with the node of its items.
 *
 * @category models
 */
export type Node = Schema.Top | Fields | readonly [Node]

/**
 * Whether a node is ensured or holds an ensured leaf.
 *
 * @category type-level
 */
export type Holds<N> = N extends EnsureMark
  ? true
  : N extends Schema.Top
    ? false
    : N extends readonly [infer I]
      ? Holds<I>
      : string extends keyof N
        ? false
        : true extends { readonly [K in keyof N]: Holds<N[K]> }[keyof N]
          ? true
          : false

type Flat<T> = { [K in keyof T]: T[K] }

type Side = "Type" | "Encoded"

/**
 * The type of a node, decoded (`Type`) or as the model writes it (`Encoded`). Of a shorthand whose keys are not known
 * to the type system nothing is known.
 *
 * @category type-level
 */
export type Of<N, S extends Side> = N extends Schema.Top
  ? N[S]
  : N extends readonly [infer I]
    ? ReadonlyArray<Of<I, S>>
    : string extends keyof N
      ? unknown
      : Flat<
          { readonly [K in keyof N as Holds<N[K]> extends true ? K : never]: Of<N[K], S> } & {
            readonly [K in keyof N as Holds<N[K]> extends true ? never : K]?: Of<N[K], S>
          }
        >

/**
 * The services that the leaves of a node need.
 *
 * @category type-level
 */
export type Services<N, S extends "DecodingServices" | "EncodingServices"> = N extends Schema.Top
  ? N[S]
  : N extends readonly [infer I]
    ? Services<I, S>
    : string extends keyof N
      ? unknown
      : { readonly [K in keyof N]: Services<N[K], S> }[keyof N]

const isArray = (node: Node): node is readonly [Node] => Array.isArray(node)

const holds = (node: Node): boolean => {
  if (Schema.isSchema(node)) return levelOf(node.ast.context?.annotations) !== undefined
  return isArray(node) ? holds(node[0]) : Object.values(node).some(holds)
}

// An ensured key is there: a Schema that says otherwise gives way. `optionalKey` keeps the Schema that it was made of.
const required = (schema: Schema.Top): Schema.Top => {
  const annotations = schema.ast.context?.annotations
  if (!AST.isOptional(schema.ast) || !("schema" in schema) || !Schema.isSchema(schema.schema)) return schema
  const inner = required(schema.schema)
  return annotations === undefined ? inner : inner.annotateKey(annotations)
}

const build = (node: Node): Schema.Top => {
  if (Schema.isSchema(node)) return node
  if (isArray(node)) return Schema.Array(build(node[0]))
  const fields: Record<string, Schema.Top> = {}
  for (const [key, child] of Object.entries(node)) {
    const schema = build(child)
    Object.defineProperty(fields, key, {
      value: holds(child) ? required(schema) : Schema.optionalKey(schema),
      enumerable: true,
      configurable: true,
      writable: true
    })
  }
  return Schema.Struct(fields)
}

/**
 * The Schema of a shorthand.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Output } from "effigent"
 *
 * const Answer = Output.make({
 *   title: Output.ensure(Schema.String, "Title"),
 *   items: [{ text: Output.ensure(Schema.String, "Bullet point"), score: Output.field(Schema.Number, "0 to 1") }],
 *   note: Output.field(Schema.String, "Anything else")
 * })
 * console.log(Schema.decodeUnknownSync(Answer)({ title: "a", items: [{ text: "b" }] })) // => { title: 'a', items: [ { text: 'b' } ] }
 * ```
 *
 * @category constructors
 */
export const make = <const N extends Fields>(
  shorthand: N
): Schema.Codec<Of<N, "Type">, Of<N, "Encoded">, Services<N, "DecodingServices">, Services<N, "EncodingServices">> =>
  // `build` follows `Of` node by node; the type system cannot follow a recursive function over a mapped type.
  build(shorthand) as unknown as Schema.Codec<
    Of<N, "Type">,
    Of<N, "Encoded">,
    Services<N, "DecodingServices">,
    Services<N, "EncodingServices">
  >
