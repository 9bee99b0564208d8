/**
 * The file of a cassette: JSON that people can read and that a version control system can compare, one chunk of an
 * answer per line, without times.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { ModelError } from "../../services/ModelError.ts"
import type { Json, JsonObject } from "../../services/Json.ts"
import type { ModelEvent } from "../../services/ModelProvider.ts"
import { clip } from "./Pieces.ts"

const text = Schema.optionalKey(Schema.String)
const tokens = Schema.optionalKey(Schema.Finite)
const call = { index: Schema.Int, id: Schema.String, name: Schema.String }

const Event = Schema.Union([
  Schema.TaggedStruct("Text", { text: Schema.String }),
  Schema.TaggedStruct("Reasoning", { text: Schema.String, signature: text, redacted: text, vendor: text }),
  Schema.TaggedStruct("ToolCallDelta", { ...call, delta: Schema.String }),
  Schema.TaggedStruct("ToolCall", { ...call, arguments: Schema.String, input: Schema.optionalKey(Schema.Json) }),
  Schema.TaggedStruct("Refusal", { text: Schema.String }),
  Schema.TaggedStruct("Info", { id: text, model: text }),
  Schema.TaggedStruct("Usage", {
    usage: Schema.Struct({
      inputTokens: tokens,
      cachedInputTokens: tokens,
      cacheWriteInputTokens: tokens,
      outputTokens: tokens,
      reasoningTokens: tokens
    })
  }),
  Schema.TaggedStruct("Finish", {
    reason: Schema.Literals(["stop", "length", "content-filter", "tool-calls", "pause", "other"]),
    raw: text
  }),
  Schema.TaggedStruct("Restarted", { reason: Schema.String }),
  Schema.TaggedStruct("Raw", { frame: Schema.Json })
])

const End = Schema.Union([
  Schema.TaggedStruct("Done", {}),
  Schema.TaggedStruct("Failed", { error: ModelError }),
  Schema.TaggedStruct("Left", {})
])

const Form = Schema.Struct({
  /** Version of this form. */
  cassette: Schema.Literal(1),
  provider: Schema.String,
  dialect: Schema.optionalKey(Schema.Literals(["openai", "anthropic"])),
  recordings: Schema.Array(
    Schema.Struct({
      request: Schema.Record(Schema.String, Schema.Json),
      chunks: Schema.Array(Schema.Array(Event)),
      end: End
    })
  )
})

/** How an answer ended: by itself, with an error, or its reader left. @category models */
export type Ending = typeof End.Type

/** One request and its answer. @category models */
export interface Recording {
  /** The request, as `CassetteRequest.render` gives it. */
  readonly request: JsonObject
  /** The answer, in the chunks in which it came. */
  readonly chunks: ReadonlyArray<ReadonlyArray<ModelEvent>>
  readonly end: Ending
}

/** What is on a cassette. @category models */
export interface File {
  /** The provider that was recorded. */
  readonly provider: string
  /** The dialect of its native mode. */
  readonly dialect?: "openai" | "anthropic"
  readonly recordings: ReadonlyArray<Recording>
}

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.toCodecJson(Form)))
const encodeEnd = Schema.encodeUnknownResult(Schema.toCodecJson(End))

/** Reads a cassette's text. Fails with a sentence that says what is wrong with it. @category reading */
export const parse = (text: string): Result.Result<File, string> =>
  Result.mapError(decode(text), (error) => `it is no cassette of this version: ${clip(error.message, 500)}`)

const indented = (value: Json, by: number) => JSON.stringify(value, null, 2).replaceAll("\n", `\n${" ".repeat(by)}`)

const printOne = ({ chunks, end, request }: Recording): Result.Result<string, string> =>
  Result.mapBoth(encodeEnd(end), {
    onFailure: (error) => `an error has no JSON form: ${clip(error.message, 500)}`,
    onSuccess: (end) => {
      const lines = chunks.map((chunk) => `        ${JSON.stringify(chunk)}`)
      return [
        "    {",
        `      "request": ${indented(request, 6)},`,
        lines.length === 0 ? `      "chunks": [],` : `      "chunks": [\n${lines.join(",\n")}\n      ],`,
        `      "end": ${JSON.stringify(end)}`,
        "    }"
      ].join("\n")
    }
  })

/** Writes a cassette's text. Fails with a sentence where an error has no JSON form. @category writing */
export const print = (file: File): Result.Result<string, string> =>
  Result.map(Result.all(file.recordings.map(printOne)), (recordings) => {
    const dialect = file.dialect === undefined ? "" : `  "dialect": ${JSON.stringify(file.dialect)},\n`
    const body = recordings.length === 0 ? "[]" : `[\n${recordings.join(",\n")}\n  ]`
    return `{\n  "cassette": 1,\n  "provider": ${JSON.stringify(file.provider)},\n${dialect}  "recordings": ${body}\n}\n`
  })
