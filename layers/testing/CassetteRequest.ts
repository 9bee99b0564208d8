/**
 * A request in the form in which a cassette keeps and compares it: JSON with sorted keys, texts of several lines as
 * lists of lines, and without what is secret. What does not change the answer (attempt number, frames asked for, what is
 * to be cached, the vendors' dialects of the output's shape) is not part of it.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as TextDiff from "effect/TextDiff"
import { Prompt } from "../../services/Ai.ts"
import { Tool } from "../../services/AiTool.ts"
import type { Json, JsonObject } from "../../services/Json.ts"
import type { ModelRequest } from "../../services/ModelProvider.ts"
import { clip } from "./Pieces.ts"

const encodePrompt = Schema.encodeUnknownResult(Schema.toCodecJson(Prompt.Prompt))

const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

// Sorted keys, and no `undefined`: the same request always prints alike.
const canonical = (value: unknown): Json => {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value)
  if (Array.isArray(value)) return value.map(canonical)
  if (!isObject(value)) return String(value)
  const keys = Object.keys(value).filter((key) => value[key] !== undefined)
  return Object.fromEntries(keys.sort().map((key) => [key, canonical(value[key])]))
}

const secret = /key|token|secret|authorization|password|cookie/i

// Numbers and flags are no secrets: `max_tokens` has to stay.
const redact = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(redact)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      secret.test(key) && (typeof item === "string" || typeof item === "object") && item !== null
        ? "<redacted>"
        : redact(item)
    ])
  )
}

const lines = (text: unknown): unknown => (typeof text === "string" && text.includes("\n") ? text.split("\n") : text)

const withoutEmpty = ({ options, ...rest }: { readonly [key: string]: unknown }) =>
  isObject(options) && Object.keys(options).length > 0 ? { ...rest, options: redact(options) } : rest

const part = (value: unknown): unknown => {
  if (!isObject(value)) return value
  const kept = withoutEmpty(value)
  return value["type"] === "text" ? { ...kept, text: lines(value["text"]) } : kept
}

const message = (value: unknown): unknown => {
  if (!isObject(value)) return value
  const content = value["content"]
  return { ...withoutEmpty(value), content: Array.isArray(content) ? content.map(part) : lines(content) }
}

const tool = (tool: Tool.Any) => ({
  name: tool.name,
  description: Tool.getDescription(tool),
  parameters: Tool.isProviderDefined(tool) ? { providerDefined: tool.id } : Tool.getJsonSchema(tool)
})

/**
 * Renders a request. Fails with a sentence where a part of the prompt has no JSON form.
 *
 * @category rendering
 */
export const render = (request: ModelRequest): Result.Result<JsonObject, string> => {
  const { model, options, output, prompt, toolChoice, tools } = request
  const { cache: _, provider, ...sampling } = options
  return Result.map(
    Result.mapError(encodePrompt(prompt), (error) => `the prompt has no JSON form: ${clip(error.message, 300)}`),
    (encoded) => {
      const rendered = canonical({
        model,
        messages: isObject(encoded) && Array.isArray(encoded["content"]) ? encoded["content"].map(message) : [],
        tools: tools.map(tool),
        toolChoice: tools.length === 0 ? undefined : toolChoice,
        output: { name: output.name, format: output.format, native: output.native, jsonSchema: output.jsonSchema },
        options: { ...sampling, provider: redact(provider) }
      })
      return isJsonObject(rendered) ? rendered : {}
    }
  )
}

const isJsonObject = (value: Json): value is JsonObject => isObject(value)

/** What tells requests apart. @category rendering */
export const keyOf = (request: JsonObject): string => JSON.stringify(request)

const pretty = (request: JsonObject) => `${JSON.stringify(request, null, 2)}\n`

// Beyond so many changed lines a diff says no more than that the two are not alike.
const maxEdits = 400
const maxDiff = 3_000

/**
 * The recorded request that is most like the one that was made, as a diff that people can read: `-` was recorded, `+`
 * was asked.
 *
 * @category rendering
 */
export const nearest = (
  asked: JsonObject,
  recorded: ReadonlyArray<JsonObject>
): { readonly number: number; readonly diff: string } | undefined => {
  const to = pretty(asked)
  let best:
    | { readonly number: number; readonly size: number; readonly edits: ReadonlyArray<TextDiff.Edit<string>> }
    | undefined
  for (const [index, request] of recorded.entries()) {
    const edits = TextDiff.lines(pretty(request), to, { maxEdits })
    const size = edits.reduce((sum, edit) => (edit._tag === "Equal" ? sum : sum + edit.items.length), 0)
    if (best === undefined || size < best.size) best = { number: index + 1, size, edits }
  }
  if (best === undefined) return undefined
  return { number: best.number, diff: clip(TextDiff.unified(best.edits, { context: 2 }), maxDiff) }
}
