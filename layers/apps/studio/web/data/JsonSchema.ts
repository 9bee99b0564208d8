/**
 * JSON Schema as far as forms and field trees need it: what kind of value a place takes, what it is named, and how what
 * somebody typed becomes JSON. What a form cannot say is typed as JSON; the server has the last word on all of it.
 */

export type Json = string | number | boolean | null | ReadonlyArray<Json> | { readonly [key: string]: Json }

export interface JsonSchema {
  readonly [key: string]: unknown
}

const isRecord = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What a place takes. */
export type Kind =
  | { readonly _tag: "text"; readonly isLong: boolean }
  | { readonly _tag: "number"; readonly isWhole: boolean }
  | { readonly _tag: "flag" }
  | { readonly _tag: "choice"; readonly values: ReadonlyArray<Json> }
  | { readonly _tag: "object"; readonly fields: ReadonlyArray<Field> }
  | { readonly _tag: "list"; readonly item: JsonSchema }
  | { readonly _tag: "json" }

export interface Field {
  readonly name: string
  readonly schema: JsonSchema
  readonly isRequired: boolean
}

/** A schema with the definitions that its references point to. */
export class SchemaDocument {
  readonly root: JsonSchema

  constructor(root: JsonSchema) {
    this.root = root
  }

  /** Follows references, and passes over `null` in a union of two. */
  resolve(schema: JsonSchema): JsonSchema {
    let at = schema
    for (let steps = 0; steps < 16; steps++) {
      const ref = at["$ref"]
      if (typeof ref === "string" && ref.startsWith("#/")) {
        let target: unknown = this.root
        for (const part of ref.slice(2).split("/"))
          target = isRecord(target)
            ? target[decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~")]
            : undefined
        if (!isRecord(target)) return at
        at = target
        continue
      }
      const union = at["anyOf"] ?? at["oneOf"]
      if (Array.isArray(union)) {
        const others = union.filter((one): one is JsonSchema => isRecord(one) && one["type"] !== "null")
        const only = others[0]
        if (others.length === 1 && only !== undefined) {
          at = { ...only, description: only["description"] ?? at["description"], title: only["title"] ?? at["title"] }
          continue
        }
      }
      const all = at["allOf"]
      if (Array.isArray(all)) {
        const { allOf: _, ...own } = at
        at = Object.assign({}, own, ...all.filter(isRecord))
        continue
      }
      return at
    }
    return at
  }

  kindOf(schema: JsonSchema): Kind {
    const at = this.resolve(schema)
    const values = choicesOf(at)
    if (values !== undefined) return { _tag: "choice", values }
    switch (at["type"]) {
      case "string":
        return { _tag: "text", isLong: at["format"] === "textarea" || Number(at["maxLength"] ?? 0) > 200 }
      case "number":
      case "integer":
        return { _tag: "number", isWhole: at["type"] === "integer" }
      case "boolean":
        return { _tag: "flag" }
      case "array":
        return isRecord(at["items"]) ? { _tag: "list", item: at["items"] } : { _tag: "json" }
      case "object": {
        const properties = at["properties"]
        if (!isRecord(properties)) return { _tag: "json" }
        const required = Array.isArray(at["required"]) ? at["required"] : []
        const fields = Object.entries(properties).flatMap(([name, schema]) =>
          isRecord(schema) ? [{ name, schema, isRequired: required.includes(name) }] : []
        )
        return { _tag: "object", fields }
      }
      default:
        return { _tag: "json" }
    }
  }

  describe(schema: JsonSchema): string | undefined {
    const text = schema["description"] ?? this.resolve(schema)["description"]
    return typeof text === "string" && text !== "" ? text : undefined
  }
}

const isEmpty = (value: unknown): boolean => isRecord(value) && Object.keys(value).length === 0

/**
 * A schema as it is shown: `none` where nothing can stand, `any value` where anything can. A struct without fields, as of
 * a flow without state, comes as "all but null".
 */
export const shownSchema = (schema: JsonSchema | null): unknown => {
  if (schema === null || schema["type"] === "null") return "none"
  if (isEmpty(schema)) return "any value"
  const { not, ...rest } = schema
  return isEmpty(rest) && isRecord(not) && (isEmpty(not) || not["type"] === "null") ? "none" : schema
}

/** Signals and questions as they are shown: each with the schemas of what comes with it. */
export const shownParts = (parts: {
  readonly [name: string]: { readonly [field: string]: JsonSchema | null }
}): unknown =>
  Object.fromEntries(
    Object.entries(parts).map(([name, fields]) => [
      name,
      Object.fromEntries(Object.entries(fields).map(([field, schema]) => [field, shownSchema(schema)]))
    ])
  )

const choicesOf = (schema: JsonSchema): ReadonlyArray<Json> | undefined => {
  // What stands in an enumeration is JSON, as all of a schema is.
  if (Array.isArray(schema["enum"])) return schema["enum"] as ReadonlyArray<Json>
  const union = schema["anyOf"] ?? schema["oneOf"]
  if (!Array.isArray(union) || union.length === 0) return undefined
  const values: Array<Json> = []
  for (const one of union) {
    if (!isRecord(one)) return undefined
    // As above: what stands in a schema is JSON.
    if (Object.hasOwn(one, "const")) values.push(one["const"] as Json)
    else if (Array.isArray(one["enum"])) values.push(...one["enum"])
    else return undefined
  }
  return values
}

/** What has been typed so far; a text for numbers and JSON, `undefined` for nothing. */
export type Draft = string | boolean | undefined | ReadonlyArray<Draft> | { readonly [key: string]: Draft }

const nothing: { readonly [key: string]: Draft } = {}

export const draftFields = (draft: Draft): { readonly [key: string]: Draft } =>
  // Neither a list nor a scalar: a record.
  typeof draft === "object" && !Array.isArray(draft) ? (draft as { readonly [key: string]: Draft }) : nothing

export const draftItems = (draft: Draft): ReadonlyArray<Draft> =>
  // `Array.isArray` does not narrow a readonly list.
  Array.isArray(draft) ? (draft as ReadonlyArray<Draft>) : []

/** What is wrong, by the path of the place. */
export type Problems = Map<string, string>

/** The JSON that a draft stands for; `undefined` where it stands for nothing. What is wrong goes to `problems`. */
export const build = (
  document: SchemaDocument,
  schema: JsonSchema,
  draft: Draft,
  isRequired: boolean,
  path: string,
  problems: Problems
): Json | undefined => {
  const kind = document.kindOf(schema)
  switch (kind._tag) {
    case "object": {
      const fields = draftFields(draft)
      const built: Record<string, Json> = {}
      const before = problems.size
      for (const field of kind.fields) {
        const value = build(
          document,
          field.schema,
          fields[field.name],
          isRequired && field.isRequired,
          `${path}/${field.name}`,
          problems
        )
        if (value !== undefined) built[field.name] = value
      }
      return !isRequired && Object.keys(built).length === 0 && problems.size === before ? undefined : built
    }
    case "list": {
      const items = draftItems(draft)
      if (items.length === 0 && !isRequired) return undefined
      return items.flatMap((item, index) => {
        const value = build(document, kind.item, item, true, `${path}/${index}`, problems)
        return value === undefined ? [] : [value]
      })
    }
    case "flag":
      if (typeof draft === "boolean") return draft
      if (isRequired) problems.set(path, "Choose one.")
      return undefined
    case "choice": {
      const value = kind.values.find((value) => JSON.stringify(value) === draft)
      if (value === undefined && isRequired) problems.set(path, "Choose one.")
      return value
    }
    case "number": {
      const text = typeof draft === "string" ? draft.trim() : ""
      if (text === "") {
        if (isRequired) problems.set(path, "A number is needed.")
        return undefined
      }
      const value = Number(text)
      if (!Number.isFinite(value)) problems.set(path, `${text} is no number.`)
      else if (kind.isWhole && !Number.isInteger(value)) problems.set(path, "A whole number is needed.")
      return value
    }
    case "text":
      if (typeof draft === "string" && (draft !== "" || isRequired)) return draft
      if (!isRequired) return undefined
      problems.set(path, "This is needed.")
      return undefined
    case "json": {
      const text = typeof draft === "string" ? draft.trim() : ""
      if (text === "") return isRequired ? null : undefined
      try {
        return JSON.parse(text)
      } catch (error) {
        problems.set(path, error instanceof Error ? error.message : "This is no JSON.")
        return undefined
      }
    }
  }
}
