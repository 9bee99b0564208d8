/** Tools of a server as actions: which of them, under which names, with which policy, and their input checked here. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { SideEffect } from "../../services/Action.ts"
import type { Json } from "../../services/Json.ts"
import * as Action from "../../src/action/Action.ts"
import * as JsonSchemaImport from "../../src/output/JsonSchemaImport.ts"
import type { Progress, ToolInfo, ToolResult } from "./Protocol.ts"
import * as Results from "./Results.ts"

/**
 * Which tools of a server become actions, and how.
 *
 * @category models
 */
export interface Selection {
  /** What stands before their names. Default: the server's name and `__`; `""`: nothing. */
  readonly prefix?: string | undefined
  /** Names of the tools to take; `*` stands for any characters. Default: all. */
  readonly include?: ReadonlyArray<string> | undefined
  /** Names of the tools to leave out; `*` stands for any characters. Default: none. */
  readonly exclude?: ReadonlyArray<string> | undefined
  /**
   * The policy of each tool, or of all. Default: a tool that says `readOnlyHint` is `pure`, one that says
   * `idempotentHint` is `idempotent`, any other `once`; one that says `destructiveHint` needs approval; a call may take
   * 60 seconds. What servers say of themselves may be wrong.
   */
  readonly policy?: Action.PolicyOptions<Json> | ((tool: ToolInfo) => Action.PolicyOptions<Json>) | undefined
  /** What the model is told of a result. Default: `Results.toJson`. */
  readonly result?: ((result: ToolResult, tool: ToolInfo) => Json) | undefined
}

const patternOf = (name: string): RegExp =>
  new RegExp(
    `^${name
      .split("*")
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"))
      .join(".*")}$`
  )

/** The tools that are to be taken, and the names of `include` and `exclude` that fit none. @category selecting */
export const select = (
  tools: ReadonlyArray<ToolInfo>,
  { exclude = [], include }: Selection
): { readonly taken: ReadonlyArray<ToolInfo>; readonly missing: ReadonlyArray<string> } => {
  const wanted = include?.map(patternOf)
  const unwanted = exclude.map(patternOf)
  const fits = (patterns: ReadonlyArray<RegExp>, { name }: ToolInfo) => patterns.some((pattern) => pattern.test(name))
  return {
    taken: tools.filter((tool) => (wanted === undefined || fits(wanted, tool)) && !fits(unwanted, tool)),
    missing: [...(include ?? []), ...exclude].filter(
      (name) => !name.includes("*") && !tools.some((tool) => tool.name === name)
    )
  }
}

const longest = 64

// FNV-1a, for names only.
const hash = (text: string): string => {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return (h >>> 0).toString(16).padStart(8, "0")
}

/** A name that models can call; the same for the same tool. @category naming */
export const nameOf = (prefix: string, tool: string): string => {
  const name = `${prefix}${tool}`
  const plain = name.replaceAll(/[^a-zA-Z0-9_-]/g, "_")
  return plain === name && name.length <= longest ? name : `${plain.slice(0, longest - 9)}_${hash(name)}`
}

/** What the annotations of a tool say of running it again. @category policies */
export const sideEffectOf = ({ annotations }: ToolInfo): SideEffect =>
  annotations?.readOnlyHint === true ? "pure" : annotations?.idempotentHint === true ? "idempotent" : "once"

const defaultPolicy = (tool: ToolInfo): Action.PolicyOptions<Json> => ({
  sideEffect: sideEffectOf(tool),
  approval: tool.annotations?.destructiveHint === true && tool.annotations.readOnlyHint !== true ? "always" : "never",
  timeout: "60 seconds"
})

/** Calls a tool. @category models */
export type Call<E, R> = (
  tool: ToolInfo,
  input: Json,
  onProgress: (progress: Progress) => Effect.Effect<void>
) => Effect.Effect<ToolResult, E, R>

type Check = (input: Json) => Effect.Effect<unknown, Schema.SchemaError>

// Made with the first call: most tools of a server are never called in a run.
const checkOf = (tool: ToolInfo): Check => {
  let check: Check | undefined
  return (input) => (check ??= compile(tool))(input)
}

const compile = (tool: ToolInfo): Check => {
  const schema = JsonSchemaImport.fromJsonSchema(tool.inputSchema)
  // What cannot be read here, the server checks for itself.
  if (Result.isFailure(schema)) return Effect.succeed
  // Schemas of JSON Schemas are made of plain ones, which need no services.
  const plain = schema.success as Schema.Codec<unknown, unknown>
  return Schema.decodeUnknownEffect(plain, { errors: "all" })
}

/** The action of a tool. @category conversions */
export const make = <E, R>(
  tool: ToolInfo,
  prefix: string,
  selection: Selection,
  call: Call<E, R>
): Action.Action<Json, Json, E, R> => {
  const { policy, result = Results.toJson } = selection
  const own = typeof policy === "function" ? policy(tool) : policy
  const check = checkOf(tool)
  return Action.fromJsonSchema(nameOf(prefix, tool.name), {
    ...defaultPolicy(tool),
    ...own,
    description: tool.description ?? tool.title ?? tool.annotations?.title ?? tool.name,
    input: tool.inputSchema,
    check: (input) => check(input ?? {}),
    run: (input, { progress }) => Effect.map(call(tool, input ?? {}, progress), (given) => result(given, tool))
  })
}
