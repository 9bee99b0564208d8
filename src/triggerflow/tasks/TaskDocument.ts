/**
 * Task graphs as documents: tasks that name what they depend on, read from data, YAML or JSON. What a document says is
 * checked in `TaskCheck`, run in `TaskFlow`. Documents of Agently (`task_dag/v1`) are taken as they are.
 */
import * as Effect from "effect/Effect"
import * as Yaml from "effect/encoding/Yaml"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/** The version of documents that is understood. @category constants */
export const version = "task_dag/v1"

const orEmpty = <S extends Schema.Top>(schema: S, empty: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(empty)))

/**
 * One task of a graph.
 *
 * @category schemas
 */
export const Task = Schema.Struct({
  /** Names it in the graph: letters, digits, `_`, `.`, `-`, not beginning with a digit. */
  id: Schema.String,
  /** What sort of task it is; names a handler where neither `binding` nor `id` does. */
  kind: orEmpty(Schema.String, "task"),
  title: Schema.optionalKey(Schema.String),
  /** Why it is there, for people and models. */
  purpose: Schema.optionalKey(Schema.String),
  /** The tasks that have to be done before it. */
  depends_on: orEmpty(Schema.Array(Schema.String), []),
  /** What its handler is given; texts may hold placeholders. */
  inputs: orEmpty(Schema.Record(Schema.String, Schema.Json), {}),
  /** The handler that is looked for first. */
  binding: Schema.optionalKey(Schema.String),
  produces: Schema.optionalKey(Schema.Json),
  side_effect_policy: Schema.optionalKey(Schema.Json),
  /**
   * What is done where it fails. `"skip"` (or `{ "on_error": "skip" }`): those that depend on it are given
   * `{ status: "skipped", reason }`. `{ "value": ... }`: they are given that value.
   */
  fallback: Schema.optionalKey(Schema.Json),
  /** `true`, `{ "required": true }` or `{ "mode": "required" }`: a person has to approve it before it starts. */
  approval: Schema.optionalKey(Schema.Json),
  /** Without a handler, or where it fails, it is left out with everything that depends on it. Default false. */
  optional: Schema.optionalKey(Schema.Boolean),
  /** How long one try may take, in milliseconds. Default: as its handler says. */
  timeout_ms: Schema.optionalKey(Schema.Finite),
  /** How many tries may follow the first. Default: as its handler says. */
  retries: Schema.optionalKey(Schema.Int)
})

/** One task of a graph. @category models */
export type Task = typeof Task.Type

/**
 * A graph of tasks.
 *
 * @category schemas
 */
export const Graph = Schema.Struct({
  graph_id: Schema.String,
  task_schema_version: orEmpty(Schema.String, version),
  tasks: Schema.Array(Task),
  /** What the graph is for: names, and the tasks whose results they stand for. */
  semantic_outputs: orEmpty(Schema.Record(Schema.String, Schema.String), {}),
  policies: Schema.optionalKey(Schema.Json),
  diagnostics: Schema.optionalKey(Schema.Json)
})

/** A graph of tasks. @category models */
export type Graph = typeof Graph.Type

/** A graph as it is written down: everything with a default may be absent. @category models */
export type Source = typeof Graph.Encoded

/** One thing that is wrong with a graph: where, what, and what to do. @category schemas */
export const Finding = Schema.Struct({ at: Schema.String, problem: Schema.String, fix: Schema.String })

/** One thing that is wrong with a graph. @category models */
export type Finding = typeof Finding.Type

/**
 * A graph that cannot run, with every finding at once. Nothing of it was run.
 *
 * @category errors
 */
export class InvalidGraph extends Schema.TaggedError<InvalidGraph>()("InvalidGraph", {
  /** The id of the graph, or where it was read from. */
  graph: Schema.String,
  findings: Schema.Array(Finding)
}) {
  override get message(): string {
    const lines = this.findings.map(({ at, problem, fix }) => `${at}: ${problem}. ${fix}.`)
    return `The task graph "${this.graph}" cannot run:\n${lines.join("\n")}`
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const withoutNulls = (value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null && item !== undefined))

// Exports of other runtimes write null where nothing is, and `{ task_id }` where a task id would do.
const tidy = (value: unknown): unknown => {
  if (!isRecord(value)) return value
  const graph = withoutNulls(value)
  const { semantic_outputs: outputs, tasks } = graph
  return {
    ...graph,
    ...(Array.isArray(tasks) ? { tasks: tasks.map((task) => (isRecord(task) ? withoutNulls(task) : task)) } : {}),
    ...(isRecord(outputs)
      ? {
          semantic_outputs: Object.fromEntries(
            Object.entries(outputs).map(([name, of]) => [name, isRecord(of) ? of["task_id"] : of])
          )
        }
      : {})
  }
}

const decodeGraph = Schema.decodeUnknownResult(Graph, { errors: "all", onExcessProperty: "error" })

const fault = (graph: string, at: string, problem: string, fix: string): InvalidGraph =>
  new InvalidGraph({ graph, findings: [{ at, problem, fix }] })

/** Reads a graph, `named` for its errors. @category decoding */
export const read = (value: unknown, named?: string): Result.Result<Graph, InvalidGraph> => {
  const tidied = tidy(value)
  const id = isRecord(tidied) ? tidied["graph_id"] : undefined
  return Result.mapError(decodeGraph(tidied), ({ message }) =>
    fault(
      named ?? (typeof id === "string" ? id : "graph"),
      "document",
      `is no task graph: ${message.replace(/\s*\n\s*/g, " ").trim()}`,
      "Write graph_id, and tasks with an id each"
    )
  )
}

/**
 * Reads a graph from data. Keys that tasks do not have, and values of another kind, are an `InvalidGraph`.
 *
 * @category decoding
 */
export const decode = (value: unknown): Effect.Effect<Graph, InvalidGraph> => Effect.fromResult(read(value))

interface Broken {
  readonly what: string
  readonly line: number | undefined
}

const lineAt = (text: string, offset: number): number => text.slice(0, offset).split("\n").length

const yaml = (text: string): Result.Result<unknown, Broken> =>
  Result.mapError(
    Result.try(() => Yaml.parse(text)),
    (cause) => {
      const what = cause instanceof Error ? cause.message : String(cause)
      const line = /\bline (\d+)/i.exec(what)?.[1]
      return { what, line: line === undefined ? undefined : Number(line) }
    }
  )

// Texts and comments of JSON5.
const pieces = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\/\/[^\n]*|\/\*[\s\S]*?\*\//g
const blank = (piece: string): string => piece.replace(/[^\n]/g, " ")

// The first bracket that does not close what was opened, or that nothing closes.
const brackets = (words: string): Broken | undefined => {
  const open: Array<{ readonly bracket: string; readonly at: number }> = []
  for (let at = 0; at < words.length; at++) {
    const bracket = words.charAt(at)
    if (bracket === "{" || bracket === "[") open.push({ bracket, at })
    if (bracket !== "}" && bracket !== "]") continue
    const last = open.pop()
    if (last?.bracket !== (bracket === "}" ? "{" : "["))
      return { what: `"${bracket}" closes what was not opened by it`, line: lineAt(words, at) }
  }
  const last = open.at(-1)
  return last && { what: `"${last.bracket}" is not closed`, line: lineAt(words, last.at) }
}

// YAML reads what JSON5 adds to JSON, but for its comments; and it takes words with spaces for one text, where JSON5
// lacks a comma.
const loose = (text: string): Result.Result<unknown, Broken> => {
  const words = text.replace(pieces, (piece) => (piece.startsWith("/") ? blank(piece) : "x".repeat(piece.length)))
  const gap = /[^\s,:[\]{}]\s+(?=[^\s,:[\]{}])/.exec(words)
  if (gap !== null)
    return Result.fail({ what: "a comma or a colon is missing", line: lineAt(text, gap.index + gap[0].length) })
  const unbalanced = brackets(words)
  if (unbalanced !== undefined) return Result.fail(unbalanced)
  return yaml(text.replace(pieces, (piece) => (piece.startsWith("/") ? blank(piece) : piece)))
}

const parsed = (text: string): Result.Result<unknown, Broken> =>
  /^\s*(?:[{[]|\/[/*])/.test(text)
    ? Result.orElse(
        Result.try((): unknown => JSON.parse(text)),
        () => loose(text)
      )
    : yaml(text)

/**
 * How a text is read.
 *
 * @category models
 */
export interface ParseOptions {
  /** The name of its file, for errors. */
  readonly file?: string | undefined
  /** The keys, joined by dots, that lead to the graph where the text holds more than it. */
  readonly key?: string | undefined
}

/**
 * Reads a graph from YAML or JSON; in JSON, keys and texts may be written as in JSON5, with comments and trailing
 * commas. What cannot be read is an `InvalidGraph` that says where.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { TaskGraph } from "effigent/triggerflow"
 *
 * const graph = TaskGraph.parse(`
 * graph_id: greet
 * tasks:
 *   - { id: hello, kind: say, inputs: { to: "\${INIT.name}" } }
 * `)
 * console.log((await Effect.runPromise(graph)).tasks.map(({ id }) => id)) // => [ 'hello' ]
 * ```
 *
 * @category decoding
 */
export const parse = (text: string, options: ParseOptions = {}): Effect.Effect<Graph, InvalidGraph> => {
  const name = options.file ?? "graph"
  const value = parsed(text)
  if (Result.isFailure(value)) {
    const { line, what } = value.failure
    const at = line === undefined ? name : `${name}:${line}`
    return Effect.fail(fault(name, at, `is neither YAML nor JSON: ${what}`, "Mend the text there"))
  }
  let found = value.success
  const path: Array<string> = []
  for (const key of options.key === undefined ? [] : options.key.split(".")) {
    path.push(key)
    if (!isRecord(found) || !Object.hasOwn(found, key))
      return Effect.fail(
        fault(name, path.join("."), "is not there", `Name a key that leads to the graph in place of "${options.key}"`)
      )
    found = found[key]
  }
  return Effect.fromResult(read(found, options.file))
}
