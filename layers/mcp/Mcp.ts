/**
 * The client: a connection to one MCP server in a Scope, its tools as actions, its resources and prompts. A server that
 * is not there is an error, when it is asked for and later.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { Broken, ExecutorError, type ExecutorErrorReason, NotFound } from "../../services/ActionExecutor.ts"
import type { Prompt } from "../../services/Ai.ts"
import type { Json, JsonObject } from "../../services/Json.ts"
import type * as Action from "../../src/action/Action.ts"
import * as Connection from "./Connection.ts"
import * as Protocol from "./Protocol.ts"
import * as Results from "./Results.ts"
import * as ToolActions from "./ToolActions.ts"
import type { Transport } from "./Wire.ts"

export { http, type GivenHeaders, type HttpOptions } from "./Http.ts"
export { stdio, type StdioOptions } from "./Stdio.ts"
export type { Selection } from "./ToolActions.ts"
export type { Transport } from "./Wire.ts"
export type {
  Content,
  Progress,
  PromptInfo,
  ResourceContents,
  ResourceInfo,
  TemplateInfo,
  ToolInfo,
  ToolResult
} from "./Protocol.ts"

/**
 * How to connect to a server.
 *
 * @category models
 */
export interface Options<out R, out H = never> {
  /** The server's name, in the names of its actions and in errors. */
  readonly name: string
  /** `Mcp.stdio(...)` or `Mcp.http(...)`. */
  readonly transport: Transport<R, H>
  /** How long it may take to start and to greet. Default 10 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
  /** How long listing and reading may take. Default 30 seconds. */
  readonly timeout?: Duration.Input | undefined
  /**
   * When a connection that was lost is tried anew, and what could not be sent is sent again. Default: five times, after
   * 100 ms, 200 ms and so on.
   */
  readonly reconnect?: Schedule.Schedule<unknown, unknown> | undefined
}

/**
 * A server that is connected. Everything fails with an `ExecutorError`: `Unavailable` where the server cannot be reached
 * (`uncertain`: whether a call may have been done nevertheless), `Broken` where it says that it failed, `Refused` where it
 * does not let us in, `TimedOut`, `NotFound`. `R` is what the headers of a call need.
 *
 * @category models
 */
export interface Server<out R = never> {
  readonly name: string
  /** What it says of itself: name and version, capabilities, instructions. */
  readonly hello: Effect.Effect<Protocol.Hello, ExecutorError>
  /** Its tools as they are now: listed once, and again when it says that they have changed or the connection is new. */
  readonly tools: Effect.Effect<ReadonlyArray<Protocol.ToolInfo>, ExecutorError, R>
  /** Its tools as actions; fails where `include` or `exclude` name a tool that it does not have. */
  readonly actions: (
    selection?: ToolActions.Selection
  ) => Effect.Effect<ReadonlyArray<Action.Action<Json, Json, ExecutorError, R>>, ExecutorError, R>
  /** Calls a tool and gives its result as it comes. A result that says that it is an error is `Broken`. */
  readonly call: (
    tool: string,
    input: JsonObject,
    options?: {
      readonly timeout?: Duration.Input | undefined
      readonly onProgress?: ((progress: Protocol.Progress) => Effect.Effect<void>) | undefined
    }
  ) => Effect.Effect<Protocol.ToolResult, ExecutorError, R>
  readonly resources: Effect.Effect<ReadonlyArray<Protocol.ResourceInfo>, ExecutorError, R>
  readonly resourceTemplates: Effect.Effect<ReadonlyArray<Protocol.TemplateInfo>, ExecutorError, R>
  /** What a resource holds, in its parts. */
  readonly readResource: (uri: string) => Effect.Effect<ReadonlyArray<Protocol.ResourceContents>, ExecutorError, R>
  readonly prompts: Effect.Effect<ReadonlyArray<Protocol.PromptInfo>, ExecutorError, R>
  /** The messages of a prompt, for `Agent.history`. */
  readonly prompt: (
    name: string,
    args?: Readonly<Record<string, string>>
  ) => Effect.Effect<ReadonlyArray<Prompt.MessageEncoded>, ExecutorError, R>
}

const mostPages = 100

/**
 * Connects to a server; it is there, or this fails. It is let go of with the Scope: its process is ended, its session
 * closed, what was under way fails.
 *
 * @category constructors
 */
export const connect = Effect.fnUntraced(function* <R, H = never>(
  options: Options<R, H>
): Effect.fn.Return<Server<H>, ExecutorError, R | H | Scope.Scope> {
  const { name } = options
  const timeout = options.timeout ?? "30 seconds"
  // How often the tools have changed, and when they were listed.
  let changes = 0
  let listed: { readonly at: number; readonly tools: ReadonlyArray<Protocol.ToolInfo> } | undefined
  const connection = yield* Connection.make({
    name,
    transport: options.transport,
    connectTimeout: options.connectTimeout ?? "10 seconds",
    reconnect: options.reconnect ?? Schedule.max([Schedule.exponential("100 millis"), Schedule.recurs(5)]),
    onNews: (method) => {
      if (method === "notifications/tools/list_changed" || method === "connected") changes++
    }
  })
  const failed = (subject: string, reason: ExecutorErrorReason) =>
    new ExecutorError({ executor: "mcp", subject: `${name}/${subject}`, reason })

  const ask = <S extends Schema.Codec<unknown, unknown>>(
    subject: string,
    method: string,
    params: JsonObject,
    schema: S
  ): Effect.Effect<S["Type"], ExecutorError, H> =>
    Connection.within(
      Effect.flatMap(connection.request(subject, method, params), (result) => understood(subject, schema, result)),
      timeout,
      `${name}/${subject}`
    )

  const understood = <S extends Schema.Codec<unknown, unknown>>(
    subject: string,
    schema: S,
    json: Json
  ): Effect.Effect<S["Type"], ExecutorError> =>
    Effect.mapError(Schema.decodeUnknownEffect(schema)(json), (error) =>
      failed(subject, new Broken({ detail: `its answer is not understood: ${error.message}` }))
    )

  const list = <S extends Schema.Codec<unknown, unknown>>(
    kind: "tools" | "resources" | "prompts",
    method: string,
    key: string,
    schema: S
  ): Effect.Effect<ReadonlyArray<S["Type"]>, ExecutorError, H> => {
    const page = Schema.Struct({
      [key]: Schema.Array(schema),
      nextCursor: Schema.optionalKey(Schema.NullOr(Schema.String))
    })
    return Effect.gen(function* () {
      const { hello } = yield* connection.session
      // A server that does not name them has none.
      if (hello.capabilities[kind] === undefined) return []
      const all: Array<S["Type"]> = []
      const seen = new Set<string>()
      let cursor: string | undefined
      for (let pages = 0; pages < mostPages; pages++) {
        const answer: { readonly [key: string]: unknown } = yield* ask(
          method,
          method,
          cursor === undefined ? {} : { cursor },
          // The keys are not known to the compiler.
          page as unknown as Schema.Codec<{ readonly [key: string]: unknown }, unknown>
        )
        // The page's Schema has decoded them.
        all.push(...(answer[key] as ReadonlyArray<S["Type"]>))
        const next = answer["nextCursor"]
        if (typeof next !== "string" || seen.has(next)) return all
        seen.add((cursor = next))
      }
      return yield* failed(method, new Broken({ detail: `it has more than ${mostPages} pages of them` }))
    })
  }

  const listing = yield* Semaphore.make(1)
  const fetched = list("tools", "tools/list", "tools", Protocol.ToolInfo)
  const isFresh = (seen: typeof listed): seen is NonNullable<typeof listed> => seen?.at === changes
  const tools = Effect.suspend(() =>
    isFresh(listed)
      ? Effect.succeed(listed.tools)
      : listing.withPermit(
          Effect.suspend(() => {
            if (isFresh(listed)) return Effect.succeed(listed.tools)
            // What changes while they are listed is listed again by who asks next.
            const at = changes
            return Effect.tap(fetched, (all) => Effect.sync(() => void (listed = { at, tools: all })))
          })
        )
  )

  const callTool = Effect.fnUntraced(function* (
    tool: string,
    input: Json,
    onProgress: (progress: Protocol.Progress) => Effect.Effect<void>
  ) {
    const json = yield* connection.request(tool, "tools/call", { name: tool, arguments: input }, onProgress)
    const result = yield* understood(tool, Protocol.ToolResult, json)
    if (result.isError === true)
      return yield* failed(
        tool,
        new Broken({ detail: Results.textOf(result.content) || "it failed and does not say why" })
      )
    return result
  })

  const ignore = () => Effect.void

  return {
    name,
    hello: Effect.map(connection.session, ({ hello }) => hello),
    tools,
    actions: (selection = {}) =>
      Effect.flatMap(tools, (all) => {
        const { missing, taken } = ToolActions.select(all, selection)
        if (missing.length > 0) {
          const names = all.map((tool) => tool.name).join(", ")
          const detail = `it has no tool ${missing.map((one) => JSON.stringify(one)).join(", ")}; it has: ${names || "none"}`
          return Effect.fail(failed("tools", new NotFound({ detail })))
        }
        const prefix = selection.prefix ?? `${name}__`
        return Effect.succeed(
          taken.map((tool) =>
            ToolActions.make(tool, prefix, selection, ({ name }, input, onProgress) =>
              callTool(name, input, onProgress)
            )
          )
        )
      }),
    call: (tool, input, { onProgress = ignore, timeout } = {}) =>
      Connection.within(callTool(tool, input, onProgress), timeout, `${name}/${tool}`),
    resources: list("resources", "resources/list", "resources", Protocol.ResourceInfo),
    resourceTemplates: list("resources", "resources/templates/list", "resourceTemplates", Protocol.TemplateInfo),
    readResource: (uri) =>
      Effect.map(ask(uri, "resources/read", { uri }, Protocol.ReadResult), ({ contents }) => contents),
    prompts: list("prompts", "prompts/list", "prompts", Protocol.PromptInfo),
    prompt: (prompt, args = {}) =>
      Effect.map(
        ask(prompt, "prompts/get", { name: prompt, arguments: args }, Protocol.PromptResult),
        Results.toHistory
      )
  }
})
