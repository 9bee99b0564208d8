/**
 * Blueprints as documents: a flow as a JSON value, written as JSON or YAML. Operators, triggers, limits and options stand
 * in it as data; handlers, conditions and other functions by name.
 *
 * ```yaml
 * format: effigent/flow@1
 * name: review
 * contract:
 *   input: { type: string }
 *   result: { type: boolean }
 * chains:
 *   - on: start
 *     steps:
 *       - { step: chunk, name: split }
 *       - step: forEach
 *         concurrency: 2
 *         steps:
 *           - { step: chunk, name: judge, handler: judgeWithAgent, timeout: 30 seconds }
 *       - { step: chunk, name: decide }
 *       - { step: result }
 * ```
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as Yaml from "effect/encoding/Yaml"
import type { Json, JsonObject } from "../../../services/Json.ts"
import * as JsonScanner from "../../parse/JsonScanner.ts"
import * as Path from "../../parse/Path.ts"
import * as WriteYaml from "../../prompt/Yaml.ts"

/** What `format` says in the blueprints that this release reads and writes. @category models */
export const FORMAT = "effigent/flow@1"

/**
 * A Schema in a blueprint: a JSON Schema, or the name of a Schema that the loader is given.
 *
 * @category models
 */
export type SchemaRef = string | JsonObject

/** What a chain or a gate listens to. @category models */
export type Source =
  | { readonly signal: string }
  | { readonly state: string }
  | { readonly flowData: string }
  | { readonly chunk: string }
  | { readonly collector: string }

/** What a chain listens to. `by` names functions. @category models */
export type On =
  | "start"
  | Source
  | { readonly any: { readonly [name: string]: Source } | ReadonlyArray<Source> }
  | {
      readonly all: { readonly [name: string]: Source }
      readonly by?: { readonly [name: string]: string }
      readonly scope?: "root" | "execution"
    }

/** One case of a match: `is` a value, or `if` the name of a condition. @category models */
export type Case =
  | { readonly name: string; readonly is: Json; readonly steps: ReadonlyArray<Step> }
  | { readonly name: string; readonly if: string; readonly steps: ReadonlyArray<Step> }

/**
 * A step. The `handler` of a chunk is its name where it is absent; `catch` names a handler, `retry` a Schedule, `if` and
 * `while` conditions, `capture`, `result` and `writeBack` functions, `flow` a flow. Times are milliseconds or a text
 * such as `30 seconds`. A sleep has one of `for` (a time), `until` (a date such as `2030-01-01T08:00:00Z`) and `time` (the
 * name of a function that tells it by the value).
 *
 * @category models
 */
export type Step =
  | {
      readonly step: "chunk"
      readonly name: string
      readonly handler?: string
      readonly catch?: string
      readonly retry?: string
      readonly timeout?: number | string
      readonly idleTimeout?: number | string
      readonly concurrency?: number
      readonly maxResumes?: number
      readonly output?: SchemaRef
    }
  | {
      readonly step: "batch"
      readonly name?: string
      readonly concurrency?: number
      readonly onError?: "fail" | "collect"
      readonly keep?: true
      readonly branches: { readonly [name: string]: ReadonlyArray<Step> }
    }
  | {
      readonly step: "forEach"
      readonly name?: string
      readonly concurrency?: number
      readonly onError?: "fail" | "skip" | "collect"
      readonly steps: ReadonlyArray<Step>
    }
  | {
      readonly step: "match"
      readonly name?: string
      readonly mode?: "first" | "all"
      readonly cases: ReadonlyArray<Case>
      readonly otherwise?: ReadonlyArray<Step>
    }
  | {
      readonly step: "loop"
      readonly name?: string
      readonly while: string
      readonly max?: number
      readonly steps: ReadonlyArray<Step>
    }
  | { readonly step: "side"; readonly name?: string; readonly steps: ReadonlyArray<Step> }
  | { readonly step: "collect"; readonly collector: string; readonly branch: string }
  | {
      readonly step: "subFlow"
      readonly name?: string
      readonly flow: string
      readonly capture?: string
      readonly result?: string
      readonly writeBack?: string
    }
  | { readonly step: "point"; readonly name: string }
  | {
      readonly step: "sleep"
      readonly name: string
      readonly for?: number | string
      readonly until?: string
      readonly time?: string
    }
  | { readonly step: "result"; readonly stop?: true }

/**
 * A contract: JSON Schemas of what crosses it, encoded. What is absent is what `TriggerFlow.define` takes where it is
 * absent. `fingerprint` is that of the contract's shape; it is compared with the contract that the loader is given.
 *
 * @category models
 */
export interface ContractDocument {
  readonly fingerprint?: string
  readonly input?: JsonObject
  readonly state?: JsonObject
  readonly initial?: JsonObject
  readonly stream?: JsonObject
  readonly result?: JsonObject
  readonly error?: JsonObject
  readonly intervention?: JsonObject
  readonly signals?: { readonly [name: string]: { readonly payload: JsonObject; readonly reply?: JsonObject } }
  readonly interrupts?: { readonly [name: string]: { readonly payload: JsonObject; readonly resume: JsonObject } }
}

/** A flow in a blueprint. @category models */
export interface FlowDocument {
  readonly version?: string
  readonly contract?: ContractDocument
  readonly collectors?: {
    readonly [name: string]: {
      readonly mode?: "update" | "reset"
      readonly branches: { readonly [name: string]: SchemaRef }
    }
  }
  readonly chains: ReadonlyArray<{ readonly on: On; readonly steps: ReadonlyArray<Step> }>
}

/** A flow and, by name, the flows inside it, as one JSON value. @category models */
export interface Blueprint extends FlowDocument {
  readonly format: typeof FORMAT
  readonly name: string
  readonly flows?: { readonly [name: string]: FlowDocument }
}

/**
 * A flow that cannot be written as a blueprint, or a blueprint that cannot be read; every finding at once. `at` is the
 * path in the document, or the key of the step where there is none.
 *
 * @category errors
 */
export class BlueprintError extends Schema.TaggedError<BlueprintError>()("BlueprintError", {
  /** The name of the flow, where it is known, or the name of the file. */
  flow: Schema.String,
  findings: Schema.Array(
    Schema.Struct({
      at: Schema.String,
      /** The line of the text, from 1, where a text was read. */
      line: Schema.UndefinedOr(Schema.Int),
      problem: Schema.String,
      fix: Schema.String
    })
  )
}) {
  override get message(): string {
    return this.findings
      .map(({ at, fix, line, problem }) => {
        const place = line === undefined ? this.flow : `${this.flow}:${line}`
        return `${place}: ${at === "" ? "" : `${at}: `}${problem}. ${fix}.`
      })
      .join("\n")
  }
}

/** One thing that is wrong, with its path in the document. @category models */
export interface Fault {
  /** What to call the place where it is not a path of the document. */
  readonly at?: string | undefined
  readonly path: ReadonlyArray<string | number>
  readonly problem: string
  readonly fix: string
  readonly line?: number | undefined
}

// ------------------------------------------------------------------------------------------------------------- schema

const key = Schema.optionalKey
const JsonRecord = Schema.Record(Schema.String, Schema.Json)
const Ref = Schema.Union([Schema.String, JsonRecord])
const Time = Schema.Union([Schema.Finite, Schema.String])

const Source = Schema.Union([
  Schema.Struct({ signal: Schema.String }),
  Schema.Struct({ state: Schema.String }),
  Schema.Struct({ flowData: Schema.String }),
  Schema.Struct({ chunk: Schema.String }),
  Schema.Struct({ collector: Schema.String })
])
const Sources = Schema.Record(Schema.String, Source)

const On = Schema.Union([
  Schema.Literal("start"),
  ...Source.members,
  Schema.Struct({ any: Schema.Union([Sources, Schema.Array(Source)]) }),
  Schema.Struct({
    all: Sources,
    by: key(Schema.Record(Schema.String, Schema.String)),
    scope: key(Schema.Literals(["root", "execution"]))
  })
])

const Steps: Schema.Codec<ReadonlyArray<Step>> = Schema.Array(Schema.suspend((): Schema.Codec<Step> => Step))

const Step: Schema.Codec<Step> = Schema.Union([
  Schema.Struct({
    step: Schema.Literal("chunk"),
    name: Schema.String,
    handler: key(Schema.String),
    catch: key(Schema.String),
    retry: key(Schema.String),
    timeout: key(Time),
    idleTimeout: key(Time),
    concurrency: key(Schema.Finite),
    maxResumes: key(Schema.Finite),
    output: key(Ref)
  }),
  Schema.Struct({
    step: Schema.Literal("batch"),
    name: key(Schema.String),
    concurrency: key(Schema.Finite),
    onError: key(Schema.Literals(["fail", "collect"])),
    keep: key(Schema.Literal(true)),
    branches: Schema.Record(Schema.String, Steps)
  }),
  Schema.Struct({
    step: Schema.Literal("forEach"),
    name: key(Schema.String),
    concurrency: key(Schema.Finite),
    onError: key(Schema.Literals(["fail", "skip", "collect"])),
    steps: Steps
  }),
  Schema.Struct({
    step: Schema.Literal("match"),
    name: key(Schema.String),
    mode: key(Schema.Literals(["first", "all"])),
    cases: Schema.Array(
      Schema.Union([
        Schema.Struct({ name: Schema.String, is: Schema.Json, steps: Steps }),
        Schema.Struct({ name: Schema.String, if: Schema.String, steps: Steps })
      ])
    ),
    otherwise: key(Steps)
  }),
  Schema.Struct({
    step: Schema.Literal("loop"),
    name: key(Schema.String),
    while: Schema.String,
    max: key(Schema.Finite),
    steps: Steps
  }),
  Schema.Struct({ step: Schema.Literal("side"), name: key(Schema.String), steps: Steps }),
  Schema.Struct({ step: Schema.Literal("collect"), collector: Schema.String, branch: Schema.String }),
  Schema.Struct({
    step: Schema.Literal("subFlow"),
    name: key(Schema.String),
    flow: Schema.String,
    capture: key(Schema.String),
    result: key(Schema.String),
    writeBack: key(Schema.String)
  }),
  Schema.Struct({ step: Schema.Literal("point"), name: Schema.String }),
  Schema.Struct({
    step: Schema.Literal("sleep"),
    name: Schema.String,
    for: key(Time),
    until: key(Schema.String),
    time: key(Schema.String)
  }),
  Schema.Struct({ step: Schema.Literal("result"), stop: key(Schema.Literal(true)) })
])

const flowFields = {
  version: key(Schema.String),
  contract: key(
    Schema.Struct({
      fingerprint: key(Schema.String),
      input: key(JsonRecord),
      state: key(JsonRecord),
      initial: key(JsonRecord),
      stream: key(JsonRecord),
      result: key(JsonRecord),
      error: key(JsonRecord),
      intervention: key(JsonRecord),
      signals: key(Schema.Record(Schema.String, Schema.Struct({ payload: JsonRecord, reply: key(JsonRecord) }))),
      interrupts: key(Schema.Record(Schema.String, Schema.Struct({ payload: JsonRecord, resume: JsonRecord })))
    })
  ),
  collectors: key(
    Schema.Record(
      Schema.String,
      Schema.Struct({
        mode: key(Schema.Literals(["update", "reset"])),
        branches: Schema.Record(Schema.String, Ref)
      })
    )
  ),
  chains: Schema.Array(Schema.Struct({ on: On, steps: Steps }))
}

/** The Schema of blueprints. @category schemas */
export const Blueprint: Schema.Codec<Blueprint> = Schema.Struct({
  format: Schema.Literal(FORMAT),
  name: Schema.String,
  ...flowFields,
  flows: key(Schema.Record(Schema.String, Schema.Struct(flowFields)))
})

// ------------------------------------------------------------------------------------------------------------ reading

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const decode = Schema.decodeUnknownExit(Blueprint)
const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/** The blueprint that a value is, or what is wrong with it. @category parsing */
export const fromValue = (value: unknown): Result.Result<Blueprint, ReadonlyArray<Fault>> => {
  if (!isRecord(value))
    return Result.fail([{ path: [], problem: "This is no object", fix: "A blueprint is an object" }])
  if (value["format"] !== FORMAT) {
    const found =
      value["format"] === undefined
        ? "There is no format"
        : `The format ${JSON.stringify(value["format"])} is not known`
    return Result.fail([{ path: ["format"], problem: found, fix: `This release reads "${FORMAT}"` }])
  }
  const exit = decode(value, { onExcessProperty: "error", errors: "all" })
  if (exit._tag === "Success") return Result.succeed(exit.value)
  return Result.fail(
    exit.cause.reasons.flatMap((reason) =>
      reason._tag === "Fail"
        ? formatIssues(reason.error.issue).issues.map(({ message, path }) => ({
            path: (path ?? []).map((step) => {
              const segment = typeof step === "object" ? step.key : step
              return typeof segment === "number" ? segment : String(segment)
            }),
            problem: message.replace(/\s*\n\s*/g, " "),
            fix: "Write what the format has there"
          }))
        : []
    )
  )
}

/** How the text of a blueprint is read. @category options */
export interface ReadOptions {
  /** The file's name: for errors, and to tell the syntax by its ending. */
  readonly file?: string | undefined
  /** Default: by the file's name; else JSON where the text begins with `{`, and YAML for all else. */
  readonly syntax?: "yaml" | "json" | undefined
}

const syntaxOf = (text: string, { file, syntax }: ReadOptions): "yaml" | "json" => {
  const ending = /\.(ya?ml|json)$/i.exec(file ?? "")?.[1]?.toLowerCase()
  return (
    syntax ?? (ending === undefined ? (/^\s*\{/.test(text) ? "json" : "yaml") : ending === "json" ? "json" : "yaml")
  )
}

const lineAt = (text: string, offset: number): number => text.slice(0, offset).split("\n").length

/** The value that a text is, or why it is none. @category parsing */
export const readText = (text: string, options: ReadOptions): Result.Result<unknown, Fault> => {
  if (syntaxOf(text, options) === "json") {
    const { found, problem, repairs, value } = JsonScanner.parse(text, { strict: true })
    const fix = "Write a JSON object"
    if (problem !== undefined)
      return Result.fail({ path: [], problem: problem.detail, fix, line: lineAt(text, problem.offset) })
    return found && repairs.length === 0
      ? Result.succeed(value)
      : Result.fail({ path: [], problem: "This is no JSON", fix, line: undefined })
  }
  return Result.try({
    try: () => Yaml.parse(text),
    catch: (cause): Fault => {
      const what = cause instanceof Error ? cause.message : String(cause)
      const line = /\bline (\d+)/i.exec(what)?.[1]
      return {
        path: [],
        problem: `This is no YAML: ${what}`,
        fix: "Mend it",
        line: line === undefined ? undefined : Number(line)
      }
    }
  })
}

const has = (value: unknown, path: ReadonlyArray<string | number>): boolean => {
  let at = value
  for (const step of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, step)) return false
    // Any object may be asked for a key that it has.
    at = (at as { readonly [key: string | number]: unknown })[step]
  }
  return true
}

/**
 * The line on which a path of the document begins: the first one with which the text, cut behind it, holds the path.
 *
 * @category parsing
 */
export const lineOf = (
  text: string,
  path: ReadonlyArray<string | number>,
  options: ReadOptions
): number | undefined => {
  const lines = text.split("\n")
  const json = syntaxOf(text, options) === "json"
  // What stands in the first lines; undefined where they are cut in the middle of something.
  const head = (count: number): unknown => {
    const part = lines.slice(0, count).join("\n")
    if (json) return JsonScanner.parse(part, { cut: true }).value
    return Result.getOrUndefined(Result.try(() => Yaml.parse(part)))
  }
  let [low, high] = [1, lines.length]
  while (low < high) {
    const middle = (low + high) >> 1
    let count = middle
    let value = head(count)
    while (value === undefined && count < high) value = head(++count)
    if (has(value, path)) high = middle
    else low = middle + 1
  }
  return has(head(lines.length), path) ? low : path.length === 0 ? undefined : lineOf(text, path.slice(0, -1), options)
}

/** The error that says all faults. @category errors */
export const errorOf = (
  flow: string,
  faults: ReadonlyArray<Fault>,
  text?: { readonly text: string; readonly options: ReadOptions }
): BlueprintError =>
  new BlueprintError({
    flow,
    findings: faults.map(({ at, fix, line, path, problem }) => ({
      at: at ?? Path.print(path),
      line: line ?? (text === undefined || path.length === 0 ? undefined : lineOf(text.text, path, text.options)),
      problem,
      fix
    }))
  })

/** A blueprint as YAML. @category rendering */
export const toYaml = (blueprint: Blueprint): string => `${WriteYaml.stringify(toJsonValue(blueprint))}\n`

/** A blueprint as JSON text. @category rendering */
export const toJson = (blueprint: Blueprint): string => `${JSON.stringify(blueprint, null, 2)}\n`

// Every member of a blueprint is JSON; interfaces without an index signature are not assignable to JsonObject.
const toJsonValue = (blueprint: Blueprint): Json => blueprint as unknown as Json
