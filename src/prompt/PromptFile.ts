/**
 * Prompts as files: YAML, JSON or TOML that says what an agent is (`.agent`, or keys with `$`) and what one request of it
 * asks (`.execution`, or keys without). Reading gives what `Agent.fromPromptFile` takes; `toYaml` and `toJson` write it
 * again.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Toml from "effect/encoding/Toml"
import * as Yaml from "effect/encoding/Yaml"
import type { Json, JsonObject } from "../../services/Json.ts"
import type { ModelOptions, PromptCache } from "../../services/ModelProvider.ts"
import type { FormatChoice } from "../output/Contract.ts"
import * as JsonScanner from "../parse/JsonScanner.ts"
import * as OutputSpec from "./OutputSpec.ts"
import * as Placeholders from "./Placeholders.ts"
import * as Slots from "./Slots.ts"
import * as Text from "./Text.ts"
import * as WriteYaml from "./Yaml.ts"

/**
 * A prompt file that says something that is no prompt.
 *
 * @category errors
 */
export class PromptFileError extends Schema.TaggedError<PromptFileError>()("PromptFileError", {
  /** The file's name, or `prompt` where none was given. */
  file: Schema.String,
  /** The line, from 1, where it is known. */
  line: Schema.UndefinedOr(Schema.Int),
  /** The key at fault, as a path; empty for the whole. */
  key: Schema.String,
  /** What is wrong and what to do. */
  detail: Schema.String
}) {
  override get message(): string {
    const place = this.line === undefined ? this.file : `${this.file}:${this.line}`
    return `${place}: ${this.key === "" ? "" : `${this.key}: `}${this.detail}`
  }
}

/**
 * What a prompt file says.
 *
 * @category models
 */
export interface PromptFile {
  /** The prompt's slots: those of the request laid over those of the agent. */
  readonly slots: Slots.Slots
  /** What the answer has to look like; absent: free text. */
  readonly output: Schema.Top | undefined
  readonly name: string | undefined
  readonly model: string | undefined
  readonly format: FormatChoice | undefined
  readonly options: ModelOptions | undefined
  readonly ensureAllKeys: boolean | undefined
  /** What was read, with its placeholders filled: `toYaml` and `toJson` write this. */
  readonly document: JsonObject
}

/**
 * How a prompt file is read.
 *
 * @category models
 */
export interface Options {
  /** The file's name: for errors, and to tell the syntax by its ending. */
  readonly file?: string | undefined
  /** Default: by the file's name; else JSON where the text begins with `{`, and YAML for all else. */
  readonly syntax?: "yaml" | "json" | "toml" | undefined
  /** What `${name}` stands for. */
  readonly mappings?: { readonly [name: string]: unknown } | undefined
  /** The keys, joined by dots, that lead to the prompt where the file holds several. */
  readonly key?: string | undefined
}

type Fault = OutputSpec.Fault & { readonly line?: number | undefined }
type Read<A> = Result.Result<A, Fault>

const fault = (path: ReadonlyArray<string>, detail: string, line?: number): Read<never> =>
  Result.fail({ path, detail, line })

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const syntaxOf = ({ file, syntax }: Options, text: string): "yaml" | "json" | "toml" => {
  const ending = /\.(ya?ml|json5?|jsonc|toml)$/i.exec(file ?? "")?.[1]?.toLowerCase()
  if (syntax !== undefined) return syntax
  if (ending !== undefined) return ending.startsWith("y") ? "yaml" : ending === "toml" ? "toml" : "json"
  return /^\s*\{/.test(text) ? "json" : "yaml"
}

const lineAt = (text: string, offset: number): number => text.slice(0, offset).split("\n").length

const document = (text: string, syntax: "yaml" | "json" | "toml"): Read<unknown> => {
  if (syntax === "json") {
    const { found, problem, repaired, value } = JsonScanner.parse(text)
    if (problem !== undefined) return fault([], problem.detail, lineAt(text, problem.offset))
    if (!found) return fault([], "holds no JSON object")
    return repaired.size === 0
      ? Result.succeed(value)
      : fault([], "the JSON ends within a value", lineAt(text, text.length))
  }
  const parsed: Result.Result<unknown, unknown> =
    syntax === "toml" ? Toml.parse(text) : Result.try(() => Yaml.parse(text))
  if (Result.isSuccess(parsed)) return Result.succeed(parsed.success)
  const cause = parsed.failure
  const what = cause instanceof Error ? cause.message : String(cause)
  const line = /\bline (\d+)/i.exec(what)?.[1]
  return fault([], `is no ${syntax.toUpperCase()}: ${what}`, line === undefined ? undefined : Number(line))
}

// The line of a key: each step is looked for after the one before it.
const lineOf = (text: string, path: ReadonlyArray<string>): number | undefined => {
  let at = 0
  let found = -1
  for (const step of path) {
    const name = step.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
    const pattern = new RegExp(`(?:^|[\\s{,\\[."'])(${name})["']?\\s*[:=\\].]`, "gm")
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match === null) return found < 0 ? undefined : lineAt(text, found)
    found = match.index + match[0].indexOf(step)
    at = found + step.length
  }
  return found < 0 ? undefined : lineAt(text, found)
}

// ------------------------------------------------------------------------------------------------- what keys mean

/** What one part of the file, agent or execution, says. */
interface Part {
  slots: Slots.Slots
  custom: Record<string, unknown>
  output: Schema.Top | undefined
  format: FormatChoice | undefined
  options: ModelOptions | undefined
  ensureAllKeys: boolean | undefined
  name: string | undefined
  model: string | undefined
}

const emptyPart = (): Part => ({
  slots: {},
  custom: {},
  output: undefined,
  format: undefined,
  options: undefined,
  ensureAllKeys: undefined,
  name: undefined,
  model: undefined
})

const slotNames: { readonly [key: string]: "system" | "developer" | "info" | "instruct" | "examples" | "input" } = {
  system: "system",
  role: "system",
  rule: "developer",
  developer: "developer",
  info: "info",
  instruct: "instruct",
  examples: "examples",
  input: "input"
}

const formats: { readonly [name: string]: FormatChoice } = {
  json: "json",
  flatMarkdown: "flatMarkdown",
  flat_markdown: "flatMarkdown",
  hybrid: "hybrid",
  xmlField: "xmlField",
  xml_field: "xmlField",
  yamlLiteral: "yamlLiteral",
  yaml_literal: "yamlLiteral",
  auto: "auto"
}

const optionNames: { readonly [name: string]: "temperature" | "topP" | "maxTokens" | "seed" } = {
  temperature: "temperature",
  topP: "topP",
  top_p: "topP",
  maxTokens: "maxTokens",
  max_tokens: "maxTokens",
  seed: "seed"
}

const renamed: { readonly [key: string]: string } = { request: ".execution", turn: ".execution" }

const isCache = (value: unknown): value is PromptCache =>
  isRecord(value) &&
  Object.entries(value).every(([key, item]) =>
    key === "retention" ? item === "short" || item === "long" : key === "key" && typeof item === "string"
  )

const readOptions = (value: unknown, path: ReadonlyArray<string>): Read<ModelOptions> => {
  if (!isRecord(value)) return fault(path, "is no object of sampling options")
  const out: Record<string, unknown> = {}
  const provider: Record<string, Json> = {}
  for (const [key, item] of Object.entries(value)) {
    const known = Object.hasOwn(optionNames, key) ? optionNames[key] : undefined
    if (known !== undefined) {
      if (typeof item !== "number") return fault([...path, key], "is no number")
      out[known] = item
    } else if (key === "stop") {
      const stop = Array.isArray(item) ? item : [item]
      if (!stop.every((each) => typeof each === "string")) return fault([...path, key], "is no list of texts")
      out["stop"] = stop
    } else if (key === "cache") {
      if (!isCache(item)) return fault([...path, key], `is no { retention: "short" or "long", key: "..." }`)
      out["cache"] = item
    } else {
      const json = Text.toJson(key, item)
      if (Result.isFailure(json)) return fault([...path, key], json.failure.detail)
      provider[key] = json.success
    }
  }
  return Result.succeed(Object.keys(provider).length === 0 ? out : { ...out, provider })
}

const textAt = (value: unknown, path: ReadonlyArray<string>): Read<string> =>
  typeof value === "string" ? Result.succeed(value) : fault(path, "is no text")

// Reads one key into a part. Unknown keys are slots of their own name.
const readKey = (part: Part, key: string, value: unknown, path: ReadonlyArray<string>): Read<void> =>
  Result.gen(function* () {
    const slot = Object.hasOwn(slotNames, key) ? slotNames[key] : undefined
    if (slot !== undefined) {
      part.slots = Slots.merge(part.slots, { [slot]: value })
      return
    }
    switch (key) {
      case "output": {
        yield* readOutput(part, value, path)
        return
      }
      case "format":
      case "output_format":
        part.format = yield* formatAt(value, path)
        return
      case "ensure_all_keys":
      case "ensureAllKeys":
        part.ensureAllKeys = value === true
        return
      case "options":
        part.options = { ...part.options, ...(yield* readOptions(value, path)) }
        return
      case "name":
        part.name = yield* textAt(value, path)
        return
      case "model":
        part.model = yield* textAt(value, path)
        return
      default:
        part.custom[key] = value
    }
  })

const formatAt = (value: unknown, path: ReadonlyArray<string>): Read<FormatChoice> => {
  const format = typeof value === "string" && Object.hasOwn(formats, value) ? formats[value] : undefined
  return format === undefined
    ? fault(path, `${JSON.stringify(value)} is no format; there are ${[...new Set(Object.values(formats))].join(", ")}`)
    : Result.succeed(format)
}

const readOutput = (part: Part, value: unknown, path: ReadonlyArray<string>): Read<void> =>
  Result.gen(function* () {
    if (!isRecord(value)) {
      part.output = yield* OutputSpec.toSchema(value, path)
      return
    }
    const fields: Array<readonly [string, unknown]> = []
    for (const [key, item] of Object.entries(value)) {
      if (/^(?:[.$](?:output_)?format)$/.test(key)) part.format = yield* formatAt(item, [...path, key])
      else if (/^[.$]ensure_?(?:all_?keys|AllKeys)$/i.test(key)) part.ensureAllKeys = item === true
      else fields.push([key, item])
    }
    part.output = yield* OutputSpec.toSchema(Object.fromEntries(fields), path)
  })

// `.alias`: what an agent's methods would be called with.
const readAlias = (part: Part, value: unknown, path: ReadonlyArray<string>): Read<void> =>
  Result.gen(function* () {
    if (!isRecord(value)) return yield* fault(path, "is no object of method names")
    for (const [name, call] of Object.entries(value)) {
      const at = [...path, name]
      const known = [...Object.keys(slotNames), "output", "options", "name", "model", "format"]
      if (!known.includes(name)) return yield* fault(at, `is no method of an agent; there are ${known.join(", ")}`)
      yield* readKey(part, name, argumentOf(call), at)
    }
  })

// `.args` holds the value, or a key and its value; what stands beside it is merged into it.
const argumentOf = (call: unknown): unknown => {
  if (!isRecord(call) || !(".args" in call)) return call
  const { ".args": given, ...named } = call
  const [first, second] = Array.isArray(given) ? given : [given]
  const value: unknown = second !== undefined && typeof first === "string" ? { [first]: second } : first
  if (Object.keys(named).length === 0) return value
  return isRecord(value) ? { ...value, ...named } : named
}

const readPart = (part: Part, value: unknown, shorthand: string, path: ReadonlyArray<string>): Read<void> =>
  Result.gen(function* () {
    if (typeof value === "string") return yield* readKey(part, shorthand, value, path)
    if (!isRecord(value)) return yield* fault(path, `is neither an object nor a text, which would be the ${shorthand}`)
    for (const [key, item] of Object.entries(value)) {
      if (key === ".alias") yield* readAlias(part, item, [...path, key])
      else yield* readKey(part, key.replace(/^\$/, ""), item, [...path, key])
    }
  })

const read = (root: { readonly [key: string]: unknown }): Read<Omit<PromptFile, "document">> =>
  Result.gen(function* () {
    const agent = emptyPart()
    const execution = emptyPart()
    for (const [key, value] of Object.entries(root)) {
      const special = /^\.(.*)$/.exec(key)?.[1]
      if (special === undefined) {
        yield* key.startsWith("$") ? readKey(agent, key.slice(1), value, [key]) : readKey(execution, key, value, [key])
      } else if (special === "agent") yield* readPart(agent, value, "system", [key])
      else if (special === "execution") yield* readPart(execution, value, "input", [key])
      else if (special === "alias") yield* readAlias(agent, value, [key])
      else if (special === "format" || special === "output_format") execution.format = yield* formatAt(value, [key])
      else {
        const now = Object.hasOwn(renamed, special) ? renamed[special] : undefined
        return yield* fault(
          [key],
          now === undefined
            ? "is no section; there are .agent, .execution and .alias"
            : `is called ${now} now; rename it`
        )
      }
    }
    const slotsOf = ({ custom, slots }: Part): Slots.Slots =>
      Object.keys(custom).length === 0 ? slots : { ...slots, custom }
    return {
      slots: Slots.merge(slotsOf(agent), slotsOf(execution)),
      output: execution.output ?? agent.output,
      name: execution.name ?? agent.name,
      model: execution.model ?? agent.model,
      format: execution.format ?? agent.format,
      options: agent.options === undefined ? execution.options : { ...agent.options, ...execution.options },
      ensureAllKeys: execution.ensureAllKeys ?? agent.ensureAllKeys
    }
  })

const select = (value: unknown, key: string | undefined): Read<{ readonly [key: string]: unknown }> => {
  let at = value
  const path: Array<string> = []
  for (const step of key === undefined ? [] : key.split(".")) {
    path.push(step)
    if (!isRecord(at) || !Object.hasOwn(at, step)) return fault(path, "is not there")
    at = at[step]
  }
  return isRecord(at) ? Result.succeed(at) : fault(path, "is no object; a prompt file is an object of slots")
}

/**
 * Reads a prompt file. Fails with the file, the line where it is known, and the key.
 *
 * @example
 * ```ts
 * import { Effect, Result } from "effect"
 * import { Agent, PromptFile } from "effigent"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const file = Result.getOrThrow(
 *   PromptFile.parse(`
 * .agent:
 *   system: You are terse.
 * input: \${letter}
 * output:
 *   title: { $type: str, $desc: One line, $ensure: true }
 * `, { mappings: { letter: "The printer is on fire!" } })
 * )
 * const model = ScriptedModel.layer([ScriptedModel.json({ title: "Printer on fire" })])
 * const answer = Agent.fromPromptFile(file).pipe(Agent.run, Effect.provide(model))
 * console.log(await Effect.runPromise(answer)) // => { title: 'Printer on fire' }
 * ```
 *
 * @category parsing
 */
export const parse = (text: string, options: Options = {}): Result.Result<PromptFile, PromptFileError> => {
  const result = Result.gen(function* () {
    const parsed = yield* document(text, syntaxOf(options, text))
    const filled = Placeholders.fill(yield* plain(parsed), options.mappings ?? {})
    const root = yield* select(filled, options.key)
    const json = Text.toJson("prompt", root)
    if (Result.isFailure(json)) return yield* fault([], json.failure.detail)
    return { ...(yield* read(root)), document: isJsonObject(json.success) ? json.success : {} }
  })
  return Result.mapError(result, ({ detail, line, path }) => {
    const whole = options.key === undefined || path.length === 0 ? path : [...options.key.split("."), ...path]
    return new PromptFileError({
      file: options.file ?? "prompt",
      line: line ?? lineOf(text, whole),
      key: path.join(" > "),
      detail
    })
  })
}

const isJsonObject = (value: Json): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

// Dates of TOML as the texts that they are.
const plain = (value: unknown): Read<unknown> => {
  const json = Text.toJson("prompt", value)
  return Result.isFailure(json) ? fault([], json.failure.detail) : Result.succeed(json.success)
}

/** A prompt file as YAML. @category rendering */
export const toYaml = (file: PromptFile): string => `${WriteYaml.stringify(file.document)}\n`

/** A prompt file as JSON. @category rendering */
export const toJson = (file: PromptFile): string => `${JSON.stringify(file.document, null, 2)}\n`
