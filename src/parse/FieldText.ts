/**
 * Writes a flat record in a field format: what a model is asked to write, and what `FieldScanner` reads back unchanged. A
 * text that would not come back as it is (it holds a heading, has blanks at its ends, ...) is written as a JSON string.
 */
import type { Json, JsonObject } from "../../services/Json.ts"
import * as FieldScanner from "./FieldScanner.ts"
import type { Shape } from "./Shape.ts"

// Whether the format gives this text back when it is written raw: found out by asking it.
const isPlain = (
  format: FieldScanner.FieldFormat,
  keys: ReadonlyArray<string>,
  key: string,
  value: string
): boolean => {
  if (/[\ud800-\udfff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(value)) return false
  if (value === "" || value.startsWith("`") || /^\s|\s$/.test(value)) return false
  if (
    format === "yamlLiteral" &&
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/.test(value)
  ) {
    return false
  }
  const after = keys.find((other) => other !== key) ?? `${key}_`
  const shapes = new Map<string, Shape>(keys.map((name) => [name, { kind: "string" }]))
  shapes.set(after, { kind: "string" })
  const shape: Shape = { kind: "object", keys: shapes, required: new Set() }
  const [start, end] = frame(format)
  const text = start + field(format, key, value) + field(format, after, "x") + end
  const { value: read } = FieldScanner.parse(format, text, { shape })
  if (typeof read !== "object" || read === null) return false
  const entries = Object.entries(read)
  return entries.length === 2 && entries.every(([name, each]) => each === (name === key ? value : "x"))
}

const frame = (format: FieldScanner.FieldFormat): readonly [start: string, end: string] =>
  format === "xmlField"
    ? ["<answer>\n", "</answer>"]
    : format === "yamlLiteral"
      ? ["<<<BEGIN YAML>>>\n", "<<<END YAML>>>"]
      : ["", ""]

const field = (format: FieldScanner.FieldFormat, key: string, value: string): string => {
  switch (format) {
    case "flatMarkdown":
    case "hybrid":
      return `### ${key}\n${value}\n\n`
    case "xmlField":
      return `<field name="${key}" type="text">\n${value}\n</field>\n`
    case "yamlLiteral":
      return `${key}: |-\n${value.replace(/^(?=.)/gm, "  ")}\n`
  }
}

const jsonField = (format: FieldScanner.FieldFormat, key: string, value: Json): string => {
  const compact = JSON.stringify(value)
  const json = format === "yamlLiteral" ? compact : JSON.stringify(value, null, 2)
  switch (format) {
    case "flatMarkdown":
      return typeof value === "string" ? `### ${key} JSON\n${json}\n\n` : `### ${key}\n${json}\n\n`
    case "hybrid":
      return `### ${key} JSON\n\`\`\`json\n${json}\n\`\`\`\n\n`
    case "xmlField":
      // Within JSON only strings hold `<`; escaped, it begins no tag.
      return `<field name="${key}" type="json">\n${json.replaceAll("<", "\\u003c")}\n</field>\n`
    case "yamlLiteral":
      return `${key}: ${json}\n`
  }
}

/**
 * Writes a record.
 *
 * @param isText which fields may be any text; all others are written as JSON
 * @category writing
 */
export const write = (
  format: FieldScanner.FieldFormat,
  record: JsonObject,
  isText: (key: string) => boolean
): string => {
  const keys = Object.keys(record)
  const [start, end] = frame(format)
  const fields = Object.entries(record).map(([key, value]) =>
    typeof value === "string" && isText(key) && isPlain(format, keys, key, value)
      ? field(format, key, value)
      : jsonField(format, key, value)
  )
  return start + fields.join("").replace(/\n\n$/, "\n") + end
}
