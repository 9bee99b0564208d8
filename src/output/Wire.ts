/**
 * The wire form of a Schema: the JSON value that a model has to write, as a tree. It is compiled once per Schema from the
 * AST of its JSON codec and is what all else is derived from: the prompt text, the JSON Schemas, the parser's shape, the
 * ensure keys, the checks. The structure is that of the encoded side; descriptions and marks are taken from the decoded
 * side first, because that is where people write them. Trees of recursive Schemas are cyclic.
 */
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import { levelOf } from "./Ensure.ts"
import type { EnsureLevel } from "./Ensure.ts"
import * as Facts from "./Facts.ts"

/** A declared key of an object. @category models */
export interface Field {
  readonly key: string
  readonly part: Part
}

/** An object: declared keys in order, and what undeclared keys hold. @category models */
export interface ObjectNode {
  readonly kind: "object"
  readonly fields: ReadonlyArray<Field>
  readonly byKey: ReadonlyMap<string, Part>
  /** The values of undeclared keys, where the value is a record. */
  readonly rest: Part | undefined
  /** What is known of the undeclared keys themselves. */
  readonly restKey: Part | undefined
  readonly name: string | undefined
}

/** An array or a tuple. @category models */
export interface ArrayNode {
  readonly kind: "array"
  /** The first items, where the value is a tuple. */
  readonly prefix: ReadonlyArray<Part>
  /** All other items; absent where there may be none. */
  readonly item: Part | undefined
  readonly name: string | undefined
}

/** One of several forms; `null` is not among them, see `Part.nullable`. @category models */
export interface UnionNode {
  readonly kind: "union"
  readonly members: ReadonlyArray<Part>
  readonly name: string | undefined
}

/** A text, a number or a truth value; `values` where only some are allowed. @category models */
export type ScalarNode =
  | { readonly kind: "string"; readonly values?: ReadonlyArray<string> | undefined }
  | { readonly kind: "number"; readonly values?: ReadonlyArray<number> | undefined }
  | { readonly kind: "boolean"; readonly values?: ReadonlyArray<boolean> | undefined }

/** The structure of a value. @category models */
export type Node =
  | { readonly kind: "any" }
  | { readonly kind: "null" }
  | ScalarNode
  | ObjectNode
  | ArrayNode
  | UnionNode

/**
 * A value in its place: structure, and what is asked of it there.
 *
 * @category models
 */
export interface Part {
  readonly node: Node
  /** The JSON codec of the value at this place. */
  readonly ast: AST.AST
  /** Whether the key may be left out. */
  readonly optional: boolean
  /** Whether `null` is a value of the Schema here. */
  readonly nullable: boolean
  readonly ensure: EnsureLevel | undefined
  readonly description: string | undefined
  /** Bounds of the encoded value. */
  readonly keywords: Facts.Keywords
  /** What else is asked, in words. */
  readonly notes: ReadonlyArray<string>
}

declare module "effect/Schema" {
  namespace Annotations {
    interface Annotations {
      /** The wire form of a Schema whose own AST does not show it: see `Output.fromStandard`. */
      readonly "effigent/wire"?: Top | undefined
    }
  }
}

/** The annotation that names the Schema of the wire form. @category constants */
export const WIRE = "effigent/wire"

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

// Numbers that JSON cannot write are encoded as texts. To a model a number is a number.
const isPlainNumber = (ast: AST.AST): boolean => {
  const to = ast.encoding?.[0].to
  return ast._tag === "Number" && to !== undefined && AST.isUnion(to) && to.types[0]?._tag === "Number"
}

// The AST and its encodings, from the decoded side to the encoded one.
const chainOf = (ast: AST.AST): ReadonlyArray<AST.AST> => {
  const out: Array<AST.AST> = [ast]
  let at = ast
  while (at.encoding !== undefined && !isPlainNumber(at)) {
    for (const link of at.encoding) out.push(link.to)
    at = at.encoding[at.encoding.length - 1]?.to ?? at
  }
  return out
}

const isSchema = (value: unknown): value is Schema.Top => Schema.isSchema(value)

// What the decoded side of a transformation wants to read, where its own prose would not help a model.
const hints: Readonly<Record<string, string>> = {
  "effect/schema/Date": "ISO 8601 date-time such as 2025-01-31T09:30:00.000Z",
  "effect/schema/DateTimeUtc": "ISO 8601 date-time such as 2025-01-31T09:30:00.000Z",
  "effect/schema/URL": "absolute URL"
}

const hintOf = (ast: AST.AST): string | undefined => {
  const representation = ast.annotations?.["representation"]
  if (typeof representation !== "object" || representation === null || !("id" in representation)) return undefined
  return hints[String(representation.id)]
}

const isAbsence = (ast: AST.AST): boolean => ast._tag === "Undefined" || ast._tag === "Void"

const jsonTypes: Partial<Record<AST.AST["_tag"], "string" | "number" | "array" | "object">> = {
  String: "string",
  TemplateLiteral: "string",
  Number: "number",
  Arrays: "array",
  Objects: "object"
}

const scalarOf = (values: ReadonlyArray<unknown>): Node => {
  const strings = values.filter((value) => typeof value === "string")
  if (strings.length === values.length) return { kind: "string", values: strings }
  const numbers = values.filter((value) => typeof value === "number")
  return numbers.length === values.length
    ? { kind: "number", values: numbers }
    : { kind: "boolean", values: values.filter((value) => typeof value === "boolean") }
}

const nameOf = (chain: ReadonlyArray<AST.AST>): string | undefined => {
  for (const ast of chain) {
    const name = AST.resolveIdentifier(ast) ?? AST.resolveTitle(ast)
    if (name !== undefined) return name
  }
  return undefined
}

// Scalars of one kind in one node: a union of literals is an enumeration.
const joined = (members: ReadonlyArray<Part>): Node | undefined => {
  const kind = members[0]?.node.kind
  const values: Array<unknown> = []
  for (const { description, keywords, node, notes } of members) {
    if (node.kind !== "string" && node.kind !== "number" && node.kind !== "boolean") return undefined
    if (node.kind !== kind || node.values === undefined) return undefined
    if (description !== undefined || notes.length > 0 || Object.keys(keywords).length > 0) return undefined
    values.push(...node.values)
  }
  return members.length === 0 ? undefined : scalarOf([...new Set(values)])
}

const templatePattern = (ast: AST.AST): Facts.Keywords => {
  const { pattern } = Schema.toJsonSchemaDocument(Schema.make<Schema.Top>(ast)).schema
  return typeof pattern === "string" ? { pattern } : {}
}

class Compiler {
  private readonly parts = new Map<AST.AST, Mutable<Part>>()
  // Copies of an AST node that differ in annotations only share the lists of their parts, and have one structure.
  private readonly nodes = new Map<ReadonlyArray<unknown>, ObjectNode | ArrayNode>()
  private readonly unions = new Map<
    ReadonlyArray<unknown>,
    { readonly node: UnionNode; nullable: boolean; done: boolean }
  >()

  part(ast: AST.AST): Part {
    const known = this.parts.get(ast)
    if (known !== undefined) return known
    const chain = chainOf(ast)
    const wire = chain[chain.length - 1] ?? ast
    const own = chain.flatMap((each) => (each._tag === "Suspend" ? [] : [each]))
    const facts = chain.map((each) => Facts.of(each, jsonTypes[each._tag], each === wire))
    const encoded = facts[facts.length - 1]
    const notes = facts.flatMap((each) => each.notes)
    // What is asked of the decoded value is said in words: its keywords are not those of the encoded one.
    for (const decoded of facts.slice(0, -1)) {
      const { type: _, ...bounds } = decoded.keywords
      notes.unshift(...Facts.words(bounds))
    }
    if (chain.length > 1) notes.push(...this.transformed(chain, wire))
    const part: Mutable<Part> = {
      node: { kind: "any" },
      ast,
      optional: AST.isOptional(wire),
      nullable: wire._tag === "Null" || isAbsence(wire),
      ensure: chain.map((each) => levelOf(each.context?.annotations)).find((level) => level !== undefined),
      description: facts.find((each) => each.description !== undefined)?.description,
      keywords: encoded?.keywords ?? {},
      notes: [...new Set(notes)]
    }
    this.parts.set(ast, part)
    const declared = chain.map((each) => each.annotations?.[WIRE]).find(isSchema)
    if (declared !== undefined) {
      this.adopt(part, this.part(Schema.toCodecJson(declared).ast))
    } else if (wire._tag === "Suspend") {
      this.adopt(part, this.part(wire.thunk()))
    } else {
      this.structure(part, wire, nameOf(own))
    }
    return part
  }

  private transformed(chain: ReadonlyArray<AST.AST>, wire: AST.AST): ReadonlyArray<string> {
    if (wire._tag !== "String") return []
    const hint = chain.map(hintOf).find((each) => each !== undefined)
    const expected = wire.annotations?.["expected"]
    return hint !== undefined ? [hint] : typeof expected === "string" ? [expected] : []
  }

  // One value in two nodes of the AST: the outer one has the say, the inner one the structure.
  private adopt(part: Mutable<Part>, inner: Part): void {
    part.node = inner.node
    part.nullable ||= inner.nullable
    part.description ??= inner.description
    part.keywords = Facts.both(inner.keywords, part.keywords)
    part.notes = [...new Set([...part.notes, ...inner.notes])]
  }

  private structure(part: Mutable<Part>, wire: AST.AST, name: string | undefined): void {
    switch (wire._tag) {
      case "Null":
      case "Undefined":
      case "Void":
        part.node = { kind: "null" }
        return
      case "String":
        part.node = { kind: "string" }
        return
      case "TemplateLiteral":
        part.node = { kind: "string" }
        part.keywords = Facts.both(templatePattern(wire), part.keywords)
        return
      case "Number":
        part.node = { kind: "number" }
        return
      case "Boolean":
        part.node = { kind: "boolean" }
        return
      case "Literal":
        part.node = scalarOf([wire.literal])
        return
      case "Enum": {
        const values = wire.enums.map(([, value]) => value)
        const kinds = [values.filter((v) => typeof v === "string"), values.filter((v) => typeof v === "number")]
        const nodes = kinds.filter((kind) => kind.length > 0).map(scalarOf)
        const only = nodes.length === 1 ? nodes[0] : undefined
        part.node = only ?? { kind: "union", members: nodes.map((node) => ({ ...part, node })), name }
        return
      }
      case "Objects":
        this.object(part, wire, name)
        return
      case "Arrays":
        this.array(part, wire, name)
        return
      case "Union":
        this.union(part, wire, name)
        return
      case "Never":
        part.node = { kind: "union", members: [], name }
        return
      default:
        // Declarations without a JSON form of their own, `Unknown` and `Any` take any JSON.
        part.nullable = true
    }
  }

  private object(part: Mutable<Part>, wire: AST.Objects, name: string | undefined): void {
    const shared = this.nodes.get(wire.propertySignatures)
    if (shared !== undefined && wire.propertySignatures.length > 0) {
      part.node = shared
      return
    }
    const fields: Array<Field> = []
    const byKey = new Map<string, Part>()
    const node: Mutable<ObjectNode> = { kind: "object", fields, byKey, rest: undefined, restKey: undefined, name }
    part.node = node
    this.nodes.set(wire.propertySignatures, node)
    for (const { name: key, type } of wire.propertySignatures) {
      if (typeof key !== "string" || type._tag === "Never") continue
      const field = { key, part: this.part(type) }
      fields.push(field)
      byKey.set(key, field.part)
    }
    const [index, ...others] = wire.indexSignatures
    if (index === undefined) return
    node.restKey = this.part(index.parameter)
    node.rest =
      others.length === 0
        ? this.part(index.type)
        : this.part(new AST.Union([index, ...others].map((signature) => signature.type)))
  }

  private array(part: Mutable<Part>, wire: AST.Arrays, name: string | undefined): void {
    const rest = wire.rest[0]
    // `NonEmptyArray` is a tuple of one and any number more of the same: a list with a least length.
    const isList = rest !== undefined && wire.elements.every((element) => element === rest)
    if (isList && wire.elements.length > 0) {
      part.keywords = Facts.both({ minItems: wire.elements.length }, part.keywords)
    }
    const list = wire.rest.length > 0 ? wire.rest : wire.elements
    const shared = this.nodes.get(list)
    if (shared !== undefined && list.length > 0) {
      part.node = shared
      return
    }
    const prefix: Array<Part> = []
    const node: Mutable<ArrayNode> = { kind: "array", prefix, item: undefined, name }
    part.node = node
    this.nodes.set(list, node)
    if (rest !== undefined) node.item = this.part(rest)
    if (isList) return
    for (const element of wire.elements) prefix.push(this.part(element))
  }

  private union(part: Mutable<Part>, wire: AST.Union, name: string | undefined): void {
    const types = wire.types.filter((type) => type._tag !== "Never")
    // `undefined` at an optional key is the absent key; where the key must be there JSON writes it as null.
    part.nullable ||= types.some((type) => type._tag === "Null" || (isAbsence(type) && !part.optional))
    let union = this.unions.get(wire.types)
    if (union === undefined) {
      const members: Array<Part> = []
      union = { node: { kind: "union", members, name }, nullable: false, done: false }
      this.unions.set(wire.types, union)
      part.node = union.node
      for (const type of types) {
        if (type._tag === "Null" || isAbsence(type)) continue
        const member = this.part(type)
        union.nullable ||= member.nullable
        if (member.node.kind === "union" && member.description === undefined) members.push(...member.node.members)
        else members.push(member)
      }
      union.done = true
    }
    const { members } = union.node
    part.node = union.node
    // Asked for from within itself: its forms are not known yet.
    if (!union.done) return
    part.nullable ||= union.nullable
    const [only, ...others] = members
    if (only !== undefined && others.length === 0) {
      part.ensure ??= only.ensure
      this.adopt(part, only)
      return
    }
    part.node = joined(members) ?? (only === undefined ? { kind: "null" } : union.node)
  }
}

/**
 * A compiled wire form.
 *
 * @category models
 */
export interface Form {
  readonly root: Part
  /** The Schema's identifier or title. */
  readonly name: string | undefined
  /** The part of any AST node of the same Schema. */
  readonly part: (ast: AST.AST) => Part
}

/**
 * The wire form of a Schema.
 *
 * @category compiling
 */
export const compile = (schema: Schema.Constraint): Form => {
  const compiler = new Compiler()
  const root = compiler.part(Schema.toCodecJson(schema).ast)
  return { root, name: nameOf(chainOf(root.ast)), part: (ast) => compiler.part(ast) }
}

/** The Schema of the value at one place: what decodes it from JSON. @category inspection */
export const schemaOf = (part: Part): Schema.Top => Schema.make<Schema.Top>(part.ast)

const held = new WeakMap<Part, boolean>()

/**
 * Whether a part has to be there for the sake of an ensured leaf: it is ensured, or it holds an ensured leaf whatever form
 * it takes. Marks inside a container that may be left out, and inside the forms of a union, count only once it is there.
 *
 * @category inspection
 */
export const holds = (part: Part): boolean => {
  const known = held.get(part)
  if (known !== undefined) return known
  const seen = new Set<Node>()
  const go = (at: Part): boolean => {
    if (at.ensure !== undefined) return true
    if (at.optional || seen.has(at.node)) return false
    seen.add(at.node)
    const { node } = at
    if (node.kind === "object")
      return node.fields.some((field) => go(field.part)) || (node.rest !== undefined && go(node.rest))
    if (node.kind === "array") return node.prefix.some(go) || (node.item !== undefined && go(node.item))
    return false
  }
  const answer = go(part)
  held.set(part, answer)
  return answer
}

/** Whether a part is a scalar, or takes any value: what has no parts of its own. @category inspection */
export const isLeaf = (node: Node): boolean => node.kind !== "object" && node.kind !== "array" && node.kind !== "union"

/** The one value that a scalar may have, if there is but one. @category inspection */
export const constantOf = (node: Node): string | number | boolean | undefined =>
  (node.kind === "string" || node.kind === "number" || node.kind === "boolean") && node.values?.length === 1
    ? node.values[0]
    : undefined

/** The parts directly below a node; of a union, its forms. @category inspection */
export const children = (node: Node): ReadonlyArray<Part> => {
  switch (node.kind) {
    case "object":
      return [...node.fields.map((field) => field.part), ...(node.rest === undefined ? [] : [node.rest])]
    case "array":
      return node.item === undefined ? node.prefix : [...node.prefix, node.item]
    case "union":
      return node.members
    default:
      return []
  }
}

const anywhere = new WeakMap<Part, boolean>()

/** Whether a part is ensured or holds an ensured leaf in any of its forms. @category inspection */
export const holdsAnywhere = (part: Part): boolean => {
  const known = anywhere.get(part)
  if (known !== undefined) return known
  const seen = new Set<Node>()
  const go = (at: Part): boolean => {
    if (at.ensure !== undefined) return true
    if (seen.has(at.node)) return false
    seen.add(at.node)
    return children(at.node).some(go)
  }
  const answer = go(part)
  anywhere.set(part, answer)
  return answer
}

/** A place inside a part that takes any value: nothing is asked of it. @category inspection */
export const inside = (part: Part): Part => ({ ...part, ensure: undefined, description: undefined, optional: false })
