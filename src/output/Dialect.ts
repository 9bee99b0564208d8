/**
 * The wire form as JSON Schema: the plain 2020-12 projection, and the strict subsets of the vendors. A dialect that cannot
 * express a shape without changing what goes over the wire is left out, with the reason why.
 *
 * - OpenAI (strict mode): the root is an object; every key is required, so that an optional one is nullable; no tuples, no
 *   records, no `unknown`; at most 10 levels and 5,000 keys.
 * - Anthropic (structured outputs): the root is an object; optional keys stay optional, at most 24; no tuples, no records,
 *   no recursion, no numeric or length bounds.
 *
 * Bounds that a dialect lacks are said in the description instead.
 */
import * as Result from "effect/Result"
import type { Json, JsonObject } from "../../services/Json.ts"
import * as Path from "../parse/Path.ts"
import type { Demands } from "./Check.ts"
import * as Facts from "./Facts.ts"
import * as Wire from "./Wire.ts"
import type { Node, Part } from "./Wire.ts"

type Segments = ReadonlyArray<Path.Segment>

type Draft = { [key: string]: Json }

type Name = "plain" | "openai" | "anthropic"

interface Rules {
  readonly name: Name
  readonly title: string
  readonly keywords: ReadonlySet<string>
  readonly formats: ReadonlySet<string> | undefined
}

const formats = ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"]

const rules: Readonly<Record<Name, Rules>> = {
  plain: {
    name: "plain",
    title: "JSON Schema",
    keywords: new Set(Facts.BOUNDS),
    formats: undefined
  },
  openai: {
    name: "openai",
    title: "OpenAI's strict mode",
    keywords: new Set([
      "minimum",
      "maximum",
      "exclusiveMinimum",
      "exclusiveMaximum",
      "multipleOf",
      "pattern",
      "format",
      "minItems",
      "maxItems"
    ]),
    formats: new Set(formats)
  },
  anthropic: {
    name: "anthropic",
    title: "Anthropic's structured outputs",
    keywords: new Set(["pattern", "format", "minItems"]),
    formats: new Set([...formats, "uri"])
  }
}

const MAX_LEVELS = 10
const MAX_KEYS = 5_000
const MAX_OPTIONAL = 24

/** Why a dialect cannot express a shape. Thrown inside this file only, where the walk is deep. */
class Refusal {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

// A loop is named at its object; at an array or a union only where no object is part of it.
const isLoop = (start: Node): boolean => {
  const seen = new Set<Node>()
  const go = (node: Node): boolean =>
    Wire.children(node).some((part) => {
      if (part.node === start) return true
      if (seen.has(part.node) || (part.node.kind === "object" && start.kind !== "object")) return false
      seen.add(part.node)
      return go(part.node)
    })
  return go(start)
}

class Projector {
  readonly definitions = new Map<string, Draft>()
  private readonly names = new Map<Node, string>()
  private readonly loops = new Map<Node, boolean>()
  private readonly rule: Rules
  private readonly demands: Demands
  private readonly root: Part
  private readonly asked: ReadonlySet<string>
  private keys = 0
  private optional = 0

  constructor(rule: Rules, root: Part, demands: Demands) {
    this.rule = rule
    this.root = root
    this.demands = demands
    // What must be there makes all above it required.
    this.asked = new Set(
      demands.keys.flatMap((key) => key.segments.map((_, i) => Path.print(key.segments.slice(0, i + 1))))
    )
  }

  private refuse(what: string, segments: Segments): never {
    const path = Path.print(segments)
    throw new Refusal(`${this.rule.title} cannot express ${what} (${path === "" ? "the whole value" : path})`)
  }

  private get isStrict(): boolean {
    return this.rule.name !== "plain"
  }

  private isLoop(node: Node): boolean {
    let known = this.loops.get(node)
    if (known === undefined) this.loops.set(node, (known = isLoop(node)))
    return known
  }

  part(part: Part, segments: Segments, absent: boolean): Draft {
    const { node } = part
    if (this.isStrict && segments.filter((segment) => typeof segment === "string").length > MAX_LEVELS) {
      this.refuse(`more than ${MAX_LEVELS} levels`, segments)
    }
    const isRoot = segments.length === 0
    const schema =
      !isRoot && !Wire.isLeaf(node) && this.isLoop(node) ? this.reference(part, segments) : this.node(part, segments)
    const spoken = this.bounds(part, schema)
    const said = [...(part.description === undefined ? [] : [part.description]), ...spoken].join("; ")
    const nullable = (part.nullable || absent) && node.kind !== "any" && node.kind !== "null"
    const isRef = typeof schema["$ref"] === "string"
    if (nullable && isRoot && this.isStrict) this.refuse("null at the root", segments)
    const out: Draft = nullable ? orNull(schema) : schema
    // The strict dialects take nothing beside a reference.
    if (said !== "" && !(isRef && this.isStrict && out === schema)) out["description"] = said
    return out
  }

  // A part that holds itself is written once, and named.
  private reference(part: Part, segments: Segments): Draft {
    const { node } = part
    if (this.rule.name === "anthropic") this.refuse("a recursive value", segments)
    if (node === this.root.node) return { $ref: "#" }
    const known = this.names.get(node)
    if (known !== undefined) return { $ref: `#/$defs/${known}` }
    const wanted = ("name" in node ? node.name : undefined) ?? "Node"
    const base = wanted.replace(/[^A-Za-z0-9_-]+/g, "_")
    let name = base
    for (let i = 2; [...this.names.values()].includes(name); i++) name = `${base}${i}`
    this.names.set(node, name)
    this.definitions.set(name, {})
    this.definitions.set(name, this.node({ ...part, description: undefined }, segments))
    return { $ref: `#/$defs/${name}` }
  }

  /** Puts the bounds into the schema, and answers those that have to be said in words. */
  private bounds(part: Part, schema: Draft): ReadonlyArray<string> {
    const words: Record<string, Facts.Keyword> = {}
    for (const [key, value] of Object.entries(part.keywords)) {
      if (key === "type") continue
      if (this.supports(key, value) && schema["$ref"] === undefined && schema["anyOf"] === undefined)
        schema[key] = value
      else words[key] = value
    }
    return [...Facts.words(words), ...part.notes]
  }

  private supports(key: string, value: Facts.Keyword): boolean {
    if (!this.rule.keywords.has(key)) return false
    if (key === "format") return this.rule.formats === undefined || this.rule.formats.has(String(value))
    // Their patterns know neither look-around nor back references.
    if (key === "pattern") return !this.isStrict || !/\(\?|\\[1-9]/.test(String(value))
    return !(key === "minItems" && this.rule.name === "anthropic") || value === 0 || value === 1
  }

  private node(part: Part, segments: Segments): Draft {
    const { node } = part
    switch (node.kind) {
      case "any":
        return this.isStrict ? this.refuse("a value of any type", segments) : {}
      case "null":
        return { type: "null" }
      case "string":
      case "number":
      case "boolean": {
        const type = part.keywords["type"] === "integer" || isIntegers(node) ? "integer" : node.kind
        return node.values === undefined ? { type } : { type, enum: node.values }
      }
      case "array":
        return this.array(node, segments)
      case "object":
        return this.object(node, segments)
      case "union": {
        if (segments.length === 0 && this.isStrict) this.refuse("several forms at the root", segments)
        return node.members.length === 0
          ? { not: {} }
          : { anyOf: node.members.map((member) => this.part(member, segments, false)) }
      }
    }
  }

  private array(node: Wire.ArrayNode, segments: Segments): Draft {
    if (segments.length === 0 && this.isStrict) this.refuse("an array at the root", segments)
    const item = node.item === undefined ? undefined : this.part(node.item, [...segments, Path.ANY_ITEM], false)
    if (node.prefix.length === 0)
      return item === undefined ? { type: "array", maxItems: 0 } : { type: "array", items: item }
    if (this.isStrict) this.refuse("a tuple", segments)
    const prefixItems = node.prefix.map((each, index) => this.part(each, [...segments, index], false))
    const least = node.prefix.filter((each) => !each.optional).length
    return {
      type: "array",
      prefixItems,
      items: item ?? false,
      ...(least > 0 ? { minItems: least } : {})
    }
  }

  private object(node: Wire.ObjectNode, segments: Segments): Draft {
    if (this.isStrict && node.rest !== undefined) this.refuse("a record", segments)
    const properties: Draft = {}
    const required: Array<string> = []
    for (const { key, part } of node.fields) {
      const at = [...segments, key]
      const needed =
        !part.optional || this.demands.all || (this.demands.marks && Wire.holds(part)) || this.asked.has(Path.print(at))
      const nullable = this.rule.name === "openai" && !needed
      Object.defineProperty(properties, key, {
        value: this.part(part, at, nullable),
        enumerable: true,
        configurable: true,
        writable: true
      })
      if (needed || nullable) required.push(key)
      else this.optional++
    }
    this.keys += node.fields.length
    if (this.rule.name === "openai" && this.keys > MAX_KEYS) this.refuse(`more than ${MAX_KEYS} keys`, segments)
    if (this.rule.name === "anthropic" && this.optional > MAX_OPTIONAL) {
      this.refuse(`more than ${MAX_OPTIONAL} optional keys`, segments)
    }
    const names = node.restKey === undefined ? {} : boundsOnly(node.restKey.keywords)
    return {
      type: "object",
      properties,
      ...(required.length > 0 ? { required } : {}),
      additionalProperties: node.rest === undefined ? false : this.part(node.rest, [...segments, Path.ANY_KEY], false),
      ...(Object.keys(names).length > 0 ? { propertyNames: names } : {})
    }
  }
}

const boundsOnly = ({ type: _, ...rest }: Facts.Keywords): JsonObject => rest

const isIntegers = (node: Node): boolean =>
  node.kind === "number" && node.values !== undefined && node.values.every((value) => Number.isSafeInteger(value))

const orNull = (schema: Draft): Draft => {
  if (Array.isArray(schema["anyOf"])) return { ...schema, anyOf: [...schema["anyOf"], { type: "null" }] }
  if (typeof schema["type"] === "string" && schema["enum"] === undefined && schema["type"] !== "object") {
    return { ...schema, type: [schema["type"], "null"] }
  }
  return { anyOf: [schema, { type: "null" }] }
}

const project = (name: Name, root: Part, demands: Demands): JsonObject => {
  const projector = new Projector(rules[name], root, demands)
  if (name !== "plain" && root.node.kind !== "object") {
    throw new Refusal(`${rules[name].title} cannot express a root that is no object`)
  }
  const schema = projector.part(root, [], false)
  return projector.definitions.size === 0 ? schema : { ...schema, $defs: Object.fromEntries(projector.definitions) }
}

/**
 * JSON Schema 2020-12 of the encoded value: objects closed, optional keys absent from `required`.
 *
 * @category projections
 */
export const plain = (root: Part, demands: Demands): JsonObject => project("plain", root, demands)

/**
 * The Schema in a vendor's strict dialect, or the reason why there is none.
 *
 * @category projections
 */
export const strict = (
  dialect: "openai" | "anthropic",
  root: Part,
  demands: Demands
): Result.Result<JsonObject, string> =>
  Result.try({
    try: () => project(dialect, root, demands),
    catch: (error) => (error instanceof Refusal ? error.reason : String(error))
  })
