/**
 * The files in which programs say which MCP servers they use: `{ "mcpServers": { name: { command, args, env } } }`, or
 * with `url` and `headers`. Everything that is wrong with one is told at once, by its place.
 */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type { HttpClient } from "effect/http/HttpClient"
import { http } from "./Http.ts"
import { isObject } from "./Protocol.ts"
import { stdio } from "./Stdio.ts"
import type { Transport } from "./Wire.ts"

/** What is wrong at one place of a configuration. @category models */
export const Finding = Schema.Struct({
  /** Where: `mcpServers.github.env.TOKEN`. */
  path: Schema.String,
  message: Schema.String
})

/** What is wrong at one place of a configuration, as a type. @category models */
export type Finding = typeof Finding.Type

/**
 * A configuration that cannot be used, with everything that is wrong with it.
 *
 * @category errors
 */
export class McpConfigError extends Schema.TaggedError<McpConfigError>()("McpConfigError", {
  findings: Schema.Array(Finding)
}) {
  override get message(): string {
    return `The MCP configuration cannot be used:\n${this.findings.map(({ message, path }) => `${path}: ${message}`).join("\n")}`
  }
}

/** A server of a configuration. @category models */
export interface Configured {
  readonly name: string
  readonly transport: Transport<ChildProcessSpawner | HttpClient>
}

/**
 * How a configuration is read.
 *
 * @category models
 */
export interface ConfigOptions {
  /**
   * What `${NAME}` in a value stands for; `${NAME:-default}` has a default. The program's environment is not looked at:
   * pass what a configuration may know. Default: nothing.
   */
  readonly variables?: Readonly<Record<string, string>> | undefined
}

const placeholder = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g
const serverName = /^[a-zA-Z0-9_-]+$/

class Reader {
  readonly findings: Array<Finding> = []
  readonly variables: Readonly<Record<string, string>>

  constructor(variables: Readonly<Record<string, string>>) {
    this.variables = variables
  }

  wrong(path: string, message: string): undefined {
    this.findings.push({ path, message })
    return undefined
  }

  text(value: unknown, path: string): string | undefined {
    if (typeof value !== "string") return this.wrong(path, "has to be a text")
    return value.replaceAll(placeholder, (_, name: string, otherwise: string | undefined) => {
      const known = Object.hasOwn(this.variables, name) ? this.variables[name] : otherwise
      if (known === undefined) this.wrong(path, `names the variable ${name}, which is not given`)
      return known ?? ""
    })
  }

  texts(value: unknown, path: string): ReadonlyArray<string> {
    if (value === undefined) return []
    if (!Array.isArray(value)) return this.wrong(path, "has to be a list of texts") ?? []
    return value.flatMap((item, index) => this.text(item, `${path}[${index}]`) ?? [])
  }

  record(value: unknown, path: string): Readonly<Record<string, Redacted.Redacted<string>>> {
    if (value === undefined) return {}
    if (!isObject(value)) return this.wrong(path, "has to be an object of texts") ?? {}
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, item]) => {
        const text = this.text(item, `${path}.${key}`)
        return text === undefined ? [] : [[key, Redacted.make(text)] as const]
      })
    )
  }

  keys(value: object, known: ReadonlyArray<string>, path: string): void {
    for (const key of Object.keys(value)) {
      if (!known.includes(key)) this.wrong(`${path}.${key}`, `is not known here; known: ${known.join(", ")}`)
    }
  }

  server(name: string, value: unknown): Configured | undefined {
    const path = `mcpServers.${name}`
    if (!serverName.test(name)) this.wrong(path, "has a name that is not made of letters, digits, _ and -")
    if (!isObject(value)) return this.wrong(path, "has to be an object")
    if (value["disabled"] === true) return undefined
    const { args, command, cwd, env, headers, type, url } = value
    if ((command === undefined) === (url === undefined))
      return this.wrong(path, "has to have either a command or a url")
    if (type === "sse")
      return this.wrong(`${path}.type`, "sse is the transport of 2024, which is not spoken here; use http")
    if (url !== undefined) {
      this.keys(value, ["type", "url", "headers", "disabled"], path)
      if (type !== undefined && type !== "http" && type !== "streamable-http" && type !== "streamableHttp")
        this.wrong(`${path}.type`, "does not fit a url: use http, or leave it out")
      const where = this.text(url, `${path}.url`)
      const given = this.record(headers, `${path}.headers`)
      const parsed = where === undefined ? null : URL.parse(where)
      if (parsed === null || (parsed.protocol !== "http:" && parsed.protocol !== "https:"))
        return where === undefined ? undefined : this.wrong(`${path}.url`, "has to be a URL with http or https")
      return { name, transport: http({ url: parsed, headers: given }) }
    }
    this.keys(value, ["type", "command", "args", "env", "cwd", "disabled"], path)
    if (type !== undefined && type !== "stdio")
      this.wrong(`${path}.type`, "does not fit a command: use stdio, or leave it out")
    const program = this.text(command, `${path}.command`)
    const words = this.texts(args, `${path}.args`)
    const own = this.record(env, `${path}.env`)
    const folder = cwd === undefined ? undefined : this.text(cwd, `${path}.cwd`)
    if (program === undefined) return undefined
    return { name, transport: stdio({ command: program, args: words, env: own, cwd: folder }) }
  }
}

/**
 * Reads a configuration: JSON, or its text. Servers that are `disabled` are left out.
 *
 * @example
 * ```ts
 * import { Result } from "effect"
 * import { McpConfig } from "effigent/layers/mcp"
 *
 * const read = McpConfig.parse({ mcpServers: { files: { command: "npx", env: { TOKEN: "${TOKEN}" } } } })
 * console.log(Result.isFailure(read) ? read.failure.findings[0]?.path : "")
 * // => mcpServers.files.env.TOKEN
 * console.log(Result.isFailure(read) ? read.failure.findings[0]?.message : "")
 * // => names the variable TOKEN, which is not given
 * ```
 *
 * @category reading
 */
export const parse = (
  config: unknown,
  { variables = {} }: ConfigOptions = {}
): Result.Result<ReadonlyArray<Configured>, McpConfigError> => {
  const reader = new Reader(variables)
  const fail = () => Result.fail(new McpConfigError({ findings: reader.findings }))
  let json = config
  if (typeof config === "string") {
    // What it is, is looked at below.
    const parsed = Result.try({ try: () => JSON.parse(config) as unknown, catch: String })
    if (Result.isFailure(parsed)) {
      reader.wrong("", `is not JSON: ${parsed.failure}`)
      return fail()
    }
    json = parsed.success
  }
  const servers = isObject(json) ? json["mcpServers"] : undefined
  if (!isObject(servers)) {
    reader.wrong("mcpServers", "has to be there, as an object with a server under each name")
    return fail()
  }
  const all = Object.entries(servers).flatMap(([name, value]) => reader.server(name, value) ?? [])
  return reader.findings.length > 0 ? fail() : Result.succeed(all)
}
