/** The JSON Schema of a tool's parameters in the form that every vendor takes: an object at the root, no `$ref` there. */
import { Tool } from "../../services/AiTool.ts"
import * as Fields from "./Fields.ts"

const prefix = "#/$defs/"

/**
 * The JSON Schema of a tool's parameters. A root that refers to a definition (as a named Schema gives) is replaced by
 * that definition; an object without `properties` gets an empty record of them, for some vendors insist.
 *
 * @category rendering
 */
export const parameters = (tool: Tool.Any): Record<string, unknown> => {
  const root = inlined(Tool.getJsonSchema(tool))
  return root["type"] === "object" && root["properties"] === undefined ? { ...root, properties: {} } : { ...root }
}

/** A JSON Schema with the definition at its root that its root refers to. @category rendering */
export const inlined = (jsonSchema: unknown): Record<string, unknown> => {
  const schema = Fields.object(jsonSchema) ?? {}
  const definitions = Fields.object(schema["$defs"])
  const ref = Fields.text(schema["$ref"])
  const target = ref?.startsWith(prefix) ? Fields.object(definitions?.[ref.slice(prefix.length)]) : undefined
  const { $ref: _, ...rest } = schema
  return target === undefined ? schema : { ...rest, ...target }
}
