/**
 * Writes JSON values as block YAML, the form in which structured slots reach a model: fewer tokens than JSON, and
 * multi-line texts stay readable. `effect/encoding/Yaml` reads YAML but does not write it; what is written here is read
 * back by it unchanged (a property test holds the two together).
 */
import type { Json, JsonObject } from "../../services/Json.ts"

const isArray = (value: Json): value is ReadonlyArray<Json> => Array.isArray(value)

const isObject = (value: Json): value is JsonObject => typeof value === "object" && value !== null && !isArray(value)

// A text that YAML would read back as itself when it stands bare: no indicator in front, no `: ` or ` #` inside, and
// nothing that reads as a number, a boolean, null or a date.
const bare = /^[\p{L}(](?:[\p{L}\p{N} _./()'!?%+=;@$^<>~-]|,(?= )|:(?![\s]|$)|(?<!\s)#)*$/u
const reserved = /^(?:null|true|false|yes|no|on|off|y|n)$/i
const multiline = /^[^\s\p{C}][^\r\u0085\u2028\u2029]*$/u
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\ufeff\ufffe\uffff]|[\ud800-\udfff]/u

const canBeBlock = (text: string): boolean =>
  text.includes("\n") &&
  multiline.test(text.replaceAll("\n", "")) &&
  !control.test(text) &&
  !/\n\n$|^\n|[ \t]\n|\t/.test(text)

const scalar = (text: string): string =>
  bare.test(text) && !reserved.test(text) && !text.endsWith(" ") && text.length < 4096 ? text : JSON.stringify(text)

const inline = (value: Json): string | undefined => {
  if (typeof value === "string") return canBeBlock(value) ? undefined : scalar(value)
  if (isArray(value)) return value.length === 0 ? "[]" : undefined
  if (isObject(value)) return Object.keys(value).length === 0 ? "{}" : undefined
  return String(value)
}

const block = (value: Json, indent: string, out: Array<string>): void => {
  if (typeof value === "string") {
    for (const line of value.replace(/\n$/, "").split("\n")) out.push(line === "" ? "" : indent + line)
  } else if (isArray(value)) {
    for (const item of value) entry(`${indent}-`, item, `${indent}  `, out)
  } else if (isObject(value)) {
    for (const [key, item] of Object.entries(value)) entry(`${indent}${scalar(key)}:`, item, `${indent}  `, out)
  }
}

const entry = (head: string, value: Json, indent: string, out: Array<string>): void => {
  const text = inline(value)
  if (text !== undefined) {
    out.push(`${head} ${text}`)
  } else if (typeof value === "string") {
    out.push(`${head} |${value.endsWith("\n") ? "" : "-"}`)
    block(value, indent, out)
  } else {
    out.push(head)
    block(value, indent, out)
  }
}

/**
 * Renders a JSON value as block YAML without a final newline. A text at the root stands as it is.
 *
 * @category rendering
 */
export const stringify = (value: Json): string => {
  if (typeof value === "string") return value
  const text = inline(value)
  if (text !== undefined) return text
  const out: Array<string> = []
  block(value, "", out)
  return out.join("\n")
}
