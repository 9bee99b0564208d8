/** Finds `effigent.config.ts`, imports it by Node's own stripping of types, and says what is wrong where it cannot. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { existsSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import * as Agent from "../../../src/agent/Agent.ts"
import * as Eval from "../../../src/evals/Eval.ts"
import { copy, type Project, TypeId } from "./Project.ts"

/** The names that are looked for, in this order. @category constants */
export const names = ["effigent.config.ts", "effigent.config.mts", "effigent.config.js", "effigent.config.mjs"] as const

/** There is no configuration. @category errors */
export class ConfigMissing extends Schema.TaggedError<ConfigMissing>()("ConfigMissing", {
  /** The file that was named, or the folder where the search began. */
  place: Schema.String,
  /** Whether a file was named. */
  named: Schema.Boolean
}) {
  override get message(): string {
    return this.named
      ? `There is no file ${this.place}. Give --config the path of an effigent.config.ts.`
      : `There is no effigent.config.ts in ${this.place} or above it. Run "effigent init" for a new project, or name the file with --config.`
  }
}

/** The configuration cannot be imported. @category errors */
export class ConfigThrows extends Schema.TaggedError<ConfigThrows>()("ConfigThrows", {
  file: Schema.String,
  /** What was thrown. */
  detail: Schema.String,
  /** What to do. */
  hint: Schema.String
}) {
  override get message(): string {
    return `${this.file} cannot be imported: ${this.detail}. ${this.hint}`
  }
}

/** What the configuration exports is no project. @category errors */
export class ConfigShape extends Schema.TaggedError<ConfigShape>()("ConfigShape", {
  file: Schema.String,
  /** What is wrong and what to do. */
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.file}: ${this.detail}`
  }
}

/** How a configuration fails to load. @category errors */
export type ConfigError = ConfigMissing | ConfigThrows | ConfigShape

/** A project with the file it comes from. @category models */
export interface Loaded {
  readonly file: string
  readonly project: Project
}

/** Finds the configuration: the file that is named, else the nearest one above a folder. @category loading */
export const find = (folder: string, named?: string): Effect.Effect<string, ConfigMissing> =>
  Effect.suspend(() => {
    if (named !== undefined) {
      const file = resolve(folder, named)
      return existsSync(file) ? Effect.succeed(file) : Effect.fail(new ConfigMissing({ place: file, named: true }))
    }
    for (let at = resolve(folder); ; at = dirname(at)) {
      const name = names.find((name) => existsSync(join(at, name)))
      if (name !== undefined) return Effect.succeed(join(at, name))
      if (dirname(at) === at) return Effect.fail(new ConfigMissing({ place: resolve(folder), named: false }))
    }
  })

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  // Any object may be asked for any key.
  typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {}

const hintOf = (code: unknown, detail: string): string => {
  if (code === "ERR_MODULE_NOT_FOUND") {
    const missing = /Cannot find package '([^']+)'/.exec(detail)?.[1]
    if (missing !== undefined) return `Run: npm install${missing === "effigent" ? "" : ` ${missing}`}`
    return "Imports of your own files need their ending: ./src/main.ts."
  }
  if (code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX")
    return "Node strips types and does no more: write no enum, namespace or parameter property."
  if (code === "ERR_UNKNOWN_FILE_EXTENSION") return "Use Node 22.19 or newer, which reads TypeScript."
  if (code === "ERR_INVALID_TYPESCRIPT_SYNTAX") return "Mend the syntax of the file."
  return "Run it by itself with node to see where."
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim().replace(/\.$/, "")

/** What is wrong with a default export; nothing where it is a project of this copy of the package. */
const problemOf = (value: unknown): string | undefined => {
  if (value === undefined) return "it has no default export. Write: export default defineConfig({ ... })."
  const { [TypeId]: made, agents, evals, flows } = record(value)
  if (made === undefined)
    return `its default export is no project but ${Array.isArray(value) ? "an array" : typeof value}. Write: export default defineConfig({ ... }), with defineConfig from effigent/config.`
  if (made !== copy)
    return "it was made by another copy of effigent than this command. Use the one of the project: npx effigent."
  for (const [name, agent] of Object.entries(record(agents)))
    if (!Agent.isAgent(agent))
      return `agents.${name} is no agent. Make it with Agent.make, and await it if it is a Promise.`
  if (!Array.isArray(flows)) return "flows is no list. Write: flows: [one, another]."
  const seen = new Set<unknown>()
  for (const [at, flow] of flows.entries()) {
    const { data, name } = record(flow)
    if (record(data)["chains"] === undefined)
      return `flows[${at}] is no flow. Make it with the build of its contract: Contract.build(...).`
    const version = record(record(data)["contract"])["version"]
    const key = JSON.stringify([name, version])
    if (seen.has(key)) return `flows has two of the name ${String(name)}. Rename one, or give it a version of its own.`
    seen.add(key)
  }
  if (!Array.isArray(evals)) return "evals is no list. Write: evals: [one, another]."
  const names = new Set<string>()
  for (const [at, one] of evals.entries()) {
    if (!Eval.isEval(one)) return `evals[${at}] is no eval. Make it with Evals.make of effigent/evals.`
    if (names.has(one.name)) return `evals has two of the name ${one.name}. Rename one.`
    names.add(one.name)
  }
  return undefined
}

/** Imports a configuration and checks its shape. @category loading */
export const load = (file: string): Effect.Effect<Loaded, ConfigThrows | ConfigShape> =>
  Effect.gen(function* () {
    const module = yield* Effect.tryPromise({
      try: (): Promise<unknown> => import(pathToFileURL(file).href),
      catch: (error) => {
        const detail = oneLine(error instanceof Error ? `${error.name}: ${error.message}` : String(error))
        return new ConfigThrows({ file, detail, hint: hintOf(record(error)["code"], detail) })
      }
    })
    const made = record(module)["default"]
    const detail = problemOf(made)
    if (detail !== undefined) return yield* new ConfigShape({ file, detail })
    // `problemOf` has found nothing: `defineConfig` of this copy has made it.
    return { file, project: made as Project }
  })
