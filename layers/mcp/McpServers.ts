/** Several MCP servers as one service of a program: all of them are there, or the Layer fails and says which is not. */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { HttpClient } from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type * as Schedule from "effect/Schedule"
import { ExecutorError, NotFound } from "../../services/ActionExecutor.ts"
import type { Json } from "../../services/Json.ts"
import type { Action } from "../../src/action/Action.ts"
import * as Mcp from "./Mcp.ts"
import * as McpConfig from "./McpConfig.ts"

/**
 * The servers of a program.
 *
 * @category services
 */
export class McpServers extends Context.Service<
  McpServers,
  {
    readonly names: ReadonlyArray<string>
    /** One of them; fails with `NotFound` where there is none of that name. */
    readonly server: (name: string) => Effect.Effect<Mcp.Server, ExecutorError>
    /** The tools of all of them as they are now, as actions: `server__tool`. */
    readonly actions: Effect.Effect<ReadonlyArray<Action<Json, Json, ExecutorError>>, ExecutorError>
  }
>()("effigent/layers/mcp/McpServers") {}

/**
 * How the servers of a configuration are used.
 *
 * @category models
 */
export interface ServersOptions extends McpConfig.ConfigOptions {
  /** Which tools of each server become actions, by its name, and how. Default: all. */
  readonly select?: Readonly<Record<string, Mcp.Selection>> | undefined
  readonly connectTimeout?: Duration.Input | undefined
  readonly timeout?: Duration.Input | undefined
  readonly reconnect?: Schedule.Schedule<unknown, unknown> | undefined
}

/**
 * Servers that are connected, as the service. For servers that need more than a configuration says, such as headers of
 * the current user, connect by `Mcp.connect`.
 *
 * @category constructors
 */
export const make = (
  servers: ReadonlyArray<Mcp.Server>,
  select: Readonly<Record<string, Mcp.Selection>> = {}
): McpServers["Service"] => {
  const byName = new Map(servers.map((server) => [server.name, server]))
  const names = [...byName.keys()]
  return {
    names,
    server: (name) => {
      const found = byName.get(name)
      const detail = `there is no such server; there are: ${names.join(", ") || "none"}`
      return found === undefined
        ? Effect.fail(new ExecutorError({ executor: "mcp", subject: name, reason: new NotFound({ detail }) }))
        : Effect.succeed(found)
    },
    actions: Effect.map(
      Effect.forEach(servers, (server) => server.actions(select[server.name]), { concurrency: "unbounded" }),
      (lists) => lists.flat()
    )
  }
}

/**
 * The servers of a configuration (`mcpServers`, JSON or its text), connected side by side. Fails with `McpConfigError`
 * where the configuration cannot be used, with `ExecutorError` where a server cannot be reached or lacks a tool that
 * `select` names.
 *
 * @category layers
 */
export const layer = (
  config: unknown,
  options: ServersOptions = {}
): Layer.Layer<McpServers, ExecutorError | McpConfig.McpConfigError, ChildProcessSpawner | HttpClient> => {
  const { connectTimeout, reconnect, select = {}, timeout } = options
  return Layer.effect(
    McpServers,
    Effect.gen(function* () {
      const configured = yield* Effect.fromResult(McpConfig.parse(config, options))
      const servers = yield* Effect.forEach(
        configured,
        (one) => Mcp.connect({ ...one, connectTimeout, reconnect, timeout }),
        { concurrency: "unbounded" }
      )
      const all = make(servers, select)
      // What is missing is told now, not in the first run.
      yield* all.actions
      return all
    })
  )
}
