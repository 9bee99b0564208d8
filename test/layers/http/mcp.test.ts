// MCP and the API on one server: the routes of `McpOffer` behind the edge of `Http.layer`, asked by the client of MCP's
// own SDK over a real socket.
import { Client as McpClient } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema } from "effect"
import { Agent } from "effigent"
import { Action } from "effigent/action"
import { Auth, Client, Http } from "effigent/layers/http"
import { McpOffer } from "effigent/layers/mcp"
import { ScriptedModel } from "effigent/testing"
import { start, until } from "./support.ts"

const greeter = Agent.make({ name: "greeter", instruct: "Greet." })
const whoami = Action.make("whoami", {
  description: "Who asks",
  input: Schema.Struct({ why: Schema.String }),
  output: Schema.String,
  run: () =>
    Effect.gen(function* () {
      return yield* Client
    })
})
const mcp = McpOffer.layerHttp({
  name: "desk",
  version: "1.0.0",
  path: "/mcp",
  tools: [McpOffer.agent("greet", greeter, { description: "Greets" }), whoami]
})
const auth = Auth.bearer({ ada: Redacted.make("a"), bob: Redacted.make("b") })
const serve = (steps: ReadonlyArray<ScriptedModel.Step>, options: { readonly limits?: Http.Limits } = {}) =>
  start(Http.layer({ agents: { greeter } }, { auth, routes: mcp, ...options }), ScriptedModel.layer(steps))

const connect = (base: string, token: string) =>
  Effect.acquireRelease(
    Effect.tryPromise(async () => {
      const client = new McpClient({ name: "test", version: "1" })
      const transport = new StreamableHTTPClientTransport(new URL(`${base}/mcp`), {
        requestInit: { headers: { authorization: `Bearer ${token}` } }
      })
      // Its types and ours differ in what may be undefined.
      await client.connect(transport as Transport)
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )

const textOf = (result: unknown) => JSON.stringify((result as { content: unknown }).content) // A CallToolResult.

describe("MCP on the same server", () => {
  it.live("the SDK's client lists and calls tools; the API is served beside them; each client is known", () =>
    Effect.gen(function* () {
      const server = yield* serve([ScriptedModel.text("Hello, Ada."), ScriptedModel.text("Hello, Bob.")])
      const ada = yield* connect(server.base, "a")
      const bob = yield* connect(server.base, "b")
      const { tools } = yield* Effect.promise(() => ada.listTools())
      assert.deepStrictEqual(tools.map(({ name }) => name).toSorted(), ["greet", "whoami"])
      const greeting = yield* Effect.promise(() => ada.callTool({ name: "greet", arguments: { input: "I am Ada." } }))
      assert.include(textOf(greeting), "Hello, Ada.")
      for (const [client, name] of [
        [ada, "ada"],
        [bob, "bob"]
      ] as const)
        assert.include(
          textOf(yield* Effect.promise(() => client.callTool({ name: "whoami", arguments: { why: "x" } }))),
          name
        )
      const answer = yield* server.post("/agents/greeter/run", "I am Bob.", { authorization: "Bearer b" })
      assert.strictEqual(answer.json, "Hello, Bob.")
      const wrong = yield* Effect.promise(() => ada.callTool({ name: "greet", arguments: { input: 7 } }))
      assert.isTrue(wrong.isError === true)
    })
  )

  it.live("who has no token is let to nothing of it, and its limits are the server's", () =>
    Effect.gen(function* () {
      const server = yield* serve([], { limits: { body: 2000 } })
      const refused = yield* Effect.flip(connect(server.base, "guessed"))
      assert.include(String(refused.cause), "401")
      for (const method of ["GET", "POST", "DELETE"])
        assert.strictEqual((yield* server.call("/mcp", { method })).status, 401)
      const large = yield* server.post("/mcp", { x: "x".repeat(3000) }, { authorization: "Bearer a" })
      assert.strictEqual(large.status, 413)
      const odd = yield* server.post(
        "/mcp",
        { nothing: 1 },
        { authorization: "Bearer a", accept: "application/json, text/event-stream" }
      )
      assert.match(odd.text, /"error":\{"code":-32\d+/)
    })
  )

  it.live("a call that is given up aborts its model call", () =>
    Effect.gen(function* () {
      const server = yield* serve([ScriptedModel.hangAfter(["so far"])])
      const ada = yield* connect(server.base, "a")
      const controller = new AbortController()
      const calls = Effect.provide(ScriptedModel.openStreams, server.context)
      const given = ada.callTool({ name: "greet", arguments: { input: "x" } }, undefined, { signal: controller.signal })
      given.catch(() => {})
      yield* until(() => Effect.map(calls, (count) => count === 1))
      controller.abort()
      yield* until(() => Effect.map(calls, (count) => count === 0))
    })
  )
})
