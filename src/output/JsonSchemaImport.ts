/**
 * A JSON Schema as an Effect Schema, for its structure and its words. Libraries write JSON Schema in several dialects and
 * with keywords that have no counterpart; what cannot be read is left out, because the library's own validator has the
 * last word on a value.
 */
import type * as JsonSchema from "effect/JsonSchema"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as SchemaRepresentation from "effect/SchemaRepresentation"

type Node = { readonly [key: string]: unknown }

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && !Array.isArray(value)

// Keywords that say nothing that the structure could show.
const dropped = new Set([
  "$schema",
  "$id",
  "$anchor",
  "$comment",
  "$dynamicRef",
  "$dynamicAnchor",
  "$vocabulary",
  "$defs",
  "definitions",
  "not",
  "if",
  "then",
  "else",
  "contains",
  "minContains",
  "maxContains",
  "dependentRequired",
  "dependentSchemas",
  "dependencies",
  "unevaluatedItems",
  "unevaluatedProperties",
  "patternProperties",
  "~standard"
])

const ROOT = "Root"

const isScalar = (value: unknown): boolean => value === null || ["string", "number", "boolean"].includes(typeof value)

const reference = (ref: unknown): string | undefined => {
  if (ref === "#") return `#/$defs/${ROOT}`
  if (typeof ref !== "string") return undefined
  const name = /^#\/(?:\$defs|definitions)\/([^/]+)$/.exec(ref)?.[1]
  return name === undefined ? undefined : `#/$defs/${name}`
}

const mapValues = (node: Node, f: (value: unknown) => unknown): Node =>
  Object.fromEntries(Object.entries(node).map(([key, value]) => [key, f(value)]))

const clean = (schema: unknown): unknown => {
  if (!isNode(schema)) return schema
  const out: { [key: string]: unknown } = {}
  for (const [key, value] of Object.entries(schema)) {
    if (dropped.has(key)) continue
    if (key === "$ref") {
      const ref = reference(value)
      if (ref !== undefined) out["$ref"] = ref
    } else if (key === "properties") out[key] = isNode(value) ? mapValues(value, clean) : value
    else if (key === "items" && Array.isArray(value)) out["prefixItems"] = value.map(clean)
    else if (key === "additionalItems") out["items"] = clean(value)
    else if (["anyOf", "oneOf", "allOf", "prefixItems"].includes(key) && Array.isArray(value))
      out[key] = value.map(clean)
    else if (["items", "additionalProperties"].includes(key)) out[key] = clean(value)
    // Every key of a JSON object is a string.
    else if (key === "propertyNames" && isNode(value) && Object.keys(value).join() === "type") continue
    else if (key === "const" && !isScalar(value)) continue
    else if (key === "enum" && !(Array.isArray(value) && value.every(isScalar))) continue
    else if (key === "nullable") continue
    else out[key] = value
  }
  // OpenAPI 3.0 says null beside the type.
  if (schema["nullable"] === true) return { anyOf: [close(out), { type: "null" }] }
  return close(out)
}

// An object that declares its keys and does not say that it takes others takes no others.
const close = (schema: Node): Node =>
  isNode(schema["properties"]) && schema["additionalProperties"] === undefined
    ? { ...schema, additionalProperties: false }
    : schema

/**
 * The Schema of a JSON Schema (2020-12, draft-07, or OpenAPI 3.0), or what is wrong with it.
 *
 * @category constructors
 */
export const fromJsonSchema = (jsonSchema: Node): Result.Result<Schema.Top, string> => {
  const definitions = { ...readDefinitions(jsonSchema["definitions"]), ...readDefinitions(jsonSchema["$defs"]) }
  const root = clean(jsonSchema)
  const loops = JSON.stringify([root, definitions]).includes(`"#/$defs/${ROOT}"`)
  const document: JsonSchema.Document<"draft-2020-12"> = {
    dialect: "draft-2020-12",
    // `clean` gives the nodes of a JSON Schema; effect's reader checks what they hold.
    schema: loops ? { $ref: `#/$defs/${ROOT}` } : (root as JsonSchema.JsonSchema),
    // As above.
    definitions: (loops ? { ...definitions, [ROOT]: root } : definitions) as JsonSchema.Definitions
  }
  const read = (patterns: "apply" | "ignore") =>
    Result.try({
      try: () => SchemaRepresentation.fromJsonSchemaDocument(document, { patterns }),
      catch: (error) => (error instanceof Error ? error.message : String(error))
    })
  const applied = read("apply")
  return Result.isSuccess(applied) ? applied : read("ignore")
}

const readDefinitions = (definitions: unknown): Node => (isNode(definitions) ? mapValues(definitions, clean) : {})
