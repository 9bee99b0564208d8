/**
 * A value for a JSON Schema (2020-12, the keywords that output contracts use), each leaf chosen by hints. Required and
 * optional keys are both filled, but no text is made up for an optional one; recursion ends after two levels; where a
 * part cannot be filled, another branch is taken, or an optional key is left out.
 */
import type { Json, JsonObject } from "../../services/Json.ts"
import type { Hints, Place } from "./Hints.ts"
import { fitNumber, fitString } from "./Leaves.ts"

type Schema = JsonObject

interface At {
  readonly place: Place
  /** How often each definition has been entered on the way here. */
  readonly refs: { readonly [ref: string]: number }
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)
const list = (value: Json | undefined): ReadonlyArray<Json> => (Array.isArray(value) ? value : [])
const schemas = (value: Json | undefined): ReadonlyArray<Schema> => list(value).filter(isObject)
const number = (value: Json | undefined, fallback: number) => (typeof value === "number" ? value : fallback)

// A definition is filled in full once, sparsely a second time, and not a fifth.
const sparseFrom = 2
const tooDeep = 5

const mentionsRef = (schema: Json): boolean =>
  Array.isArray(schema)
    ? schema.some(mentionsRef)
    : isObject(schema) && ("$ref" in schema || Object.values(schema).some(mentionsRef))

// Two schemas that both hold, as one: the narrower bound, all patterns, all properties.
const merge = (a: Schema, b: Schema): Schema => {
  const out: { [key: string]: Json } = { ...a }
  for (const [key, value] of Object.entries(b)) {
    const old = out[key]
    if (old === undefined) out[key] = value
    else if (/^(?:minimum|exclusiveMinimum|minLength|minItems|minProperties)$/.test(key)) {
      out[key] = Math.max(number(old, -Infinity), number(value, -Infinity))
    } else if (/^(?:maximum|exclusiveMaximum|maxLength|maxItems|maxProperties)$/.test(key)) {
      out[key] = Math.min(number(old, Infinity), number(value, Infinity))
    } else if (key === "pattern") out["patterns"] = [...list(out["patterns"]), value]
    else if (key === "required") out[key] = [...new Set([...list(old), ...list(value)])]
    else if (key === "description") out[key] = value
    else if (isObject(old) && isObject(value)) out[key] = { ...old, ...value }
  }
  return out
}

/**
 * Makes a value for a schema. `undefined` where none can be found: a schema that nothing satisfies, or a pattern out of
 * reach.
 *
 * @category constructors
 */
export const make = (root: Schema, name: string, hints: Hints): Json | undefined => {
  const resolve = (ref: string): Schema | undefined => {
    let found: Json | undefined = root
    for (const step of ref.replace(/^#\/?/, "").split("/")) {
      if (step === "") continue
      const key = decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~")
      found = isObject(found) ? found[key] : undefined
    }
    return isObject(found) ? found : undefined
  }

  const sparse = (at: At) => Object.values(at.refs).some((times) => times >= sparseFrom)

  const value = (written: Schema, at: At): Json | undefined => {
    const { allOf, ...own } = written
    const schema = schemas(allOf).reduce(merge, own)
    const ref = schema["$ref"]
    if (typeof ref === "string") {
      const times = (at.refs[ref] ?? 0) + 1
      const target = resolve(ref)
      const { $ref: _, ...rest } = schema
      if (target === undefined || times >= tooDeep) return undefined
      return value(merge(target, rest), { ...at, refs: { ...at.refs, [ref]: times } })
    }
    const description = schema["description"]
    const here: At =
      typeof description === "string" && description !== ""
        ? {
            ...at,
            place: {
              ...at.place,
              description: at.place.description === "" ? description : `${description} ${at.place.description}`
            }
          }
        : at
    if ("const" in schema) return schema["const"]
    if (Array.isArray(schema["enum"])) return chosen(list(schema["enum"]), here)
    const branches = [...schemas(schema["anyOf"]), ...schemas(schema["oneOf"])]
    if (branches.length > 0) {
      const { anyOf: _, oneOf: __, ...rest } = schema
      return branch(branches, rest, here)
    }
    if (isObject(schema["not"]) && Object.keys(schema["not"]).length === 0) return undefined
    return typed(typeOf(schema), schema, here)
  }

  const typeOf = (schema: Schema): Json | undefined => {
    const type = schema["type"]
    if (Array.isArray(type)) return type.find((one) => one !== "null") ?? "null"
    if (type !== undefined) return type
    if ("properties" in schema || "additionalProperties" in schema || "patternProperties" in schema) return "object"
    return "items" in schema || "prefixItems" in schema ? "array" : "string"
  }

  const typed = (type: Json | undefined, schema: Schema, at: At): Json | undefined => {
    switch (type) {
      case "object":
        return object(schema, at)
      case "array":
        return array(schema, at)
      case "string":
        return at.place.optional && hints.lacks(at.place) ? undefined : fitString(schema, at.place, hints)
      case "integer":
      case "number":
        return fitNumber(schema, type === "integer", at.place, hints)
      case "boolean":
        return hints.boolean(at.place)
      case "null":
        return null
      default:
        return undefined
    }
  }

  const chosen = (options: ReadonlyArray<Json>, at: At): Json | undefined =>
    options.length < 2
      ? options[0]
      : options[
          hints.choose(
            at.place,
            options.map((option) => (typeof option === "string" ? option : JSON.stringify(option)))
          )
        ]

  const onlyValue = (schema: Json): Json | undefined => {
    if (!isObject(schema)) return undefined
    const options = list(schema["enum"])
    return "const" in schema ? schema["const"] : options.length === 1 ? options[0] : undefined
  }

  // The name of a branch of a union: the one value that it admits, or the tag of its objects.
  const nameOf = (branch: Schema): Json | undefined => {
    const ref = branch["$ref"]
    const schema = (typeof ref === "string" ? resolve(ref) : undefined) ?? branch
    const properties = Object.values(isObject(schema["properties"]) ? schema["properties"] : {})
    return onlyValue(schema) ?? properties.map(onlyValue).find((tag) => typeof tag === "string")
  }

  const branch = (branches: ReadonlyArray<Schema>, rest: Schema, at: At): Json | undefined => {
    const open = branches.filter((one) => one["type"] !== "null" && one["const"] !== null)
    const names = open.map(nameOf)
    const best = names.every((one) => one !== undefined && one !== null)
      ? hints.choose(
          at.place,
          names.map((one) => (typeof one === "string" ? one : JSON.stringify(one)))
        )
      : 0
    const ordered = [...open.slice(best, best + 1), ...open.filter((_, i) => i !== best)]
    if (sparse(at)) ordered.sort((a, b) => Number(mentionsRef(a)) - Number(mentionsRef(b)))
    const nullable = branches.length > open.length
    for (const one of ordered) {
      if (nullable && sparse(at) && mentionsRef(one)) continue
      const made = value(merge(one, rest), at)
      if (made !== undefined) return made
    }
    return nullable ? null : undefined
  }

  const property = (key: string, schema: Json, at: At, optional = false): Json | undefined => {
    if (!isObject(schema)) return undefined
    // The name of the whole answer says nothing about its parts.
    const whole = at.place.parents.length === 0 && at.place.key === name
    const parents = whole || at.place.key === "" ? at.place.parents : [...at.place.parents, at.place.key]
    return value(schema, { ...at, place: { ...at.place, key, parents, description: "", optional } })
  }

  const object = (schema: Schema, at: At): Json | undefined => {
    const out: { [key: string]: Json } = {}
    const required = new Set(list(schema["required"]))
    for (const [key, of] of Object.entries(isObject(schema["properties"]) ? schema["properties"] : {})) {
      if (!required.has(key) && sparse(at) && mentionsRef(of)) continue
      const made = property(key, of, at, !required.has(key))
      // `__proto__` as a key is a key like any other.
      if (made !== undefined)
        Object.defineProperty(out, key, { value: made, enumerable: true, configurable: true, writable: true })
      else if (required.has(key)) return undefined
    }
    return entries(schema, out, at)
  }

  // A record: entries with names of its own. Beside named properties only as many as have to be.
  const entries = (schema: Schema, out: { [key: string]: Json }, at: At): Json | undefined => {
    const least = number(schema["minProperties"], 0)
    const named = Object.keys(out).length
    const [pattern, ofPattern] =
      Object.entries(isObject(schema["patternProperties"]) ? schema["patternProperties"] : {})[0] ?? []
    const of = ofPattern ?? schema["additionalProperties"]
    if (!isObject(of)) return named >= least ? out : undefined
    const wanted = Math.max(least, named > 0 ? named : Math.min(2, number(schema["maxProperties"], 2)))
    const names = isObject(schema["propertyNames"]) ? schema["propertyNames"] : {}
    const keySchema = pattern === undefined ? names : merge({ pattern }, names)
    const words = hints.keys(at.place)
    for (let i = 0; i < wanted * 4 && Object.keys(out).length < wanted; i++) {
      const word = words[i] ?? `key${i + 1}`
      const key = keySchemaIsOpen(keySchema)
        ? word
        : value({ type: "string", ...keySchema }, { ...at, place: { ...at.place, key: word, index: i, subject: word } })
      if (typeof key !== "string" || Object.hasOwn(out, key)) continue
      const made = property(key, of, at)
      if (made !== undefined) out[key] = made
    }
    return Object.keys(out).length >= least ? out : undefined
  }

  const keySchemaIsOpen = (schema: Schema) =>
    !["pattern", "patterns", "minLength", "maxLength", "enum", "anyOf", "$ref"].some((key) => key in schema)

  const array = (schema: Schema, at: At): Json | undefined => {
    const out: Array<Json> = []
    const least = number(schema["minItems"], 0)
    const most = number(schema["maxItems"], Infinity)
    const prefix = schemas(schema["prefixItems"])
    for (const [index, of] of prefix.entries()) {
      const made = value(of, { ...at, place: { ...at.place, index } })
      if (made === undefined) return out.length >= least ? out : undefined
      out.push(made)
    }
    const of = schema["items"]
    if (!isObject(of)) return out.length >= least ? out : undefined
    const about = hints.items(at.place)
    const natural =
      prefix.length > 0
        ? least
        : sparse(at)
          ? 0
          : Object.keys(at.refs).length > 0
            ? Math.min(2, about.length)
            : about.length
    const wanted = Math.min(most, Math.max(least, natural))
    const seen = new Set(out.map((item) => JSON.stringify(item)))
    for (let i = 0; i < wanted * 4 + 4 && out.length < wanted; i++) {
      const spare = i >= about.length
      if (spare && out.length >= least) break
      const subject = about[i] ?? at.place.subject
      const made = value(of, { ...at, place: { ...at.place, index: i, subject, spare, optional: false } })
      if (made === undefined) break
      // Items that repeat say nothing new: they stand only where the list would be too short without them.
      const printed = JSON.stringify(made)
      const again = seen.has(printed)
      if (again && (schema["uniqueItems"] === true || out.length >= least)) continue
      seen.add(printed)
      out.push(made)
    }
    return out.length >= least ? out : undefined
  }

  return value(root, {
    place: { key: name, parents: [], description: "", index: 0, subject: undefined, spare: false, optional: false },
    refs: {}
  })
}
