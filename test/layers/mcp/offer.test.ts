// Our server against the official client, and against our own, over both transports.
import { assert, describe, it } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { type CallToolResult, CallToolResultSchema, type JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { Action } from "effigent/action"
import { Mcp, McpOffer } from "effigent/layers/mcp"
import * as Peers from "./peers.ts"

// The official client, which is closed with the Scope.
const official = (transport: () => StdioClientTransport | StreamableHTTPClientTransport) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client({ name: "official", version: "1.0.0" })
      const wire = transport()
      // The transport's optional members are declared without undefined.
      await client.connect(wire as Parameters<Client["connect"]>[0])
      // This client drops progress that comes together with the answer: what was sent is heard before it.
      const heard: Array<JSONRPCMessage> = []
      const { onmessage } = wire
      wire.onmessage = (message) => {
        heard.push(message)
        onmessage?.(message)
      }
      return { client, heard }
    }),
    ({ client }) => Effect.promise(() => client.close())
  )

const stdioClient = (hear: (text: string) => void = () => undefined) =>
  official(() => {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [...Peers.args.ours],
      stderr: "pipe"
    })
    transport.stderr?.on("data", (chunk) => hear(String(chunk)))
    return transport
  })

const httpClient = Effect.flatMap(Peers.oursHttp, ({ url }) =>
  official(() => new StreamableHTTPClientTransport(new URL(url)))
)

// A call of a tool. The client's answer may, by its type, be that of protocols long gone, which has no content.
const callOf = async (
  client: Client,
  name: string,
  input: Record<string, unknown>,
  options: Parameters<Client["callTool"]>[2] = {}
): Promise<CallToolResult> => {
  const result = await client.callTool({ name, arguments: input }, undefined, options)
  return CallToolResultSchema.parse(result)
}

const textOf = ({ content: [first] }: CallToolResult): string =>
  first?.type === "text" ? first.text : assert.fail(`no text: ${JSON.stringify(first)}`)

// What every client is given, whatever lies between.
const session = Effect.fnUntraced(function* ({ client, heard }: Effect.Success<ReturnType<typeof stdioClient>>) {
  const call = (name: string, input: Record<string, unknown>, options?: Parameters<Client["callTool"]>[2]) =>
    Effect.promise(() => callOf(client, name, input, options))
  assert.strictEqual(client.getServerVersion()?.name, "offers")
  assert.strictEqual(client.getInstructions(), "Try add first.")
  const { tools } = yield* Effect.promise(() => client.listTools())
  const tool = (name: string) => tools.find((one) => one.name === name) ?? assert.fail(name)
  assert.deepStrictEqual(
    tools.map(({ name }) => name),
    ["add", "shout", "order", "erase", "count", "long", "triage", "letters", "asking"]
  )
  assert.deepInclude(tool("add").annotations, { readOnlyHint: true, destructiveHint: false })
  assert.deepInclude(tool("shout").annotations, { readOnlyHint: false, idempotentHint: true })
  assert.deepInclude(tool("order").annotations, { readOnlyHint: false, idempotentHint: false, destructiveHint: true })
  assert.deepStrictEqual(tool("add").inputSchema.required, ["a", "b"])
  assert.strictEqual(tool("add").outputSchema?.type, "object")
  assert.isUndefined(tool("shout").outputSchema)
  assert.deepStrictEqual(tool("letters").inputSchema.required, ["input"])

  const sum = yield* call("add", { a: 1, b: 2 })
  assert.deepStrictEqual(sum.structuredContent, { sum: 3 })
  assert.strictEqual(textOf(sum), '{"sum":3}')
  assert.strictEqual(textOf(yield* call("shout", { text: "hi" })), "HI")
  const long = "hi".repeat(50_000)
  assert.strictEqual(textOf(yield* call("shout", { text: long })), long.toUpperCase())
  const wrong = yield* call("add", { a: "1", b: 2 })
  assert.isTrue(wrong.isError)
  assert.match(textOf(wrong), /the input does not fit/)
  const failed = yield* call("order", { article: "lamp" })
  assert.isTrue(failed.isError)
  assert.strictEqual(textOf(failed), "there is no lamp left")
  const broken = yield* call("order", { article: "bomb" })
  assert.isTrue(broken.isError)
  assert.notMatch(JSON.stringify(broken), /secret|1234/)
  assert.strictEqual(textOf(yield* call("order", { article: "again" })), "name an article")
  assert.strictEqual(textOf(yield* call("erase", { folder: "tmp" })), "erased tmp")
  const denied = yield* call("erase", { folder: "home" })
  assert.isTrue(denied.isError)
  assert.strictEqual(textOf(denied), "only tmp may be erased")
  assert.strictEqual(textOf(yield* call("long", { length: 50_000 })).length, 50_000)

  // What comes during a call, in its order: the parts of progress that matter, and the answer.
  const during = Effect.fnUntraced(function* (name: string, input: Record<string, unknown>) {
    heard.length = 0
    const result = yield* call(name, input, { onprogress: () => undefined })
    const order = heard.map((message) => {
      if (!("method" in message)) return "answer"
      const { message: said, progress, total } = message.params ?? {}
      return [progress, total ?? said]
    })
    return { result, order }
  })
  const counted = yield* during("count", { to: 3, millis: 1 })
  assert.deepStrictEqual(counted.order, [[1, 3], [2, 3], [3, 3], "answer"])
  const letters = yield* during("letters", { input: "a b c" })
  assert.deepStrictEqual(letters.result.structuredContent, { words: 3 })
  assert.deepStrictEqual(letters.order, [[1, "a"], [2, "b"], [3, "c"], "answer"])
  const triaged = yield* call("triage", { input: "The printer is on fire" })
  assert.hasAllKeys(triaged.structuredContent, ["title", "urgent"])
  const asked = yield* call("asking", { input: "?" })
  assert.isTrue(asked.isError)
  assert.match(textOf(asked), /waits for an answer/)
  const many = yield* Effect.forEach(Array.from({ length: 100 }).keys(), (n) => call("add", { a: n, b: 1 }), {
    concurrency: "unbounded"
  })
  assert.deepStrictEqual(
    many.map(({ structuredContent }) => structuredContent),
    Array.from({ length: 100 }, (_, n) => ({ sum: n + 1 }))
  )
})

describe("our server", () => {
  it.live(
    "over stdio it gives the official client actions, an agent and flows: checked, approved, failures in words (S11, S12)",
    () => Effect.scoped(Effect.flatMap(stdioClient(), session))
  )

  it.live("over streamable HTTP it gives the same", () => Effect.scoped(Effect.flatMap(httpClient, session)))

  it.live("a call that its client cancels is interrupted, and the next one is answered", () =>
    Effect.gen(function* () {
      let interrupted: () => void = () => undefined
      const told = new Promise<void>((resolve) => (interrupted = resolve))
      const { client } = yield* stdioClient((text) => text.includes("count was interrupted") && interrupted())
      const controller = new AbortController()
      const cancelled = callOf(
        client,
        "count",
        { to: 2, millis: 60_000 },
        { signal: controller.signal, onprogress: () => controller.abort() }
      )
      assert.isTrue(
        yield* Effect.promise(() =>
          cancelled.then(
            () => false,
            () => true
          )
        )
      )
      yield* Effect.promise(() => told)
      const sum = yield* Effect.promise(() => callOf(client, "add", { a: 1, b: 1 }))
      assert.deepStrictEqual(sum.structuredContent, { sum: 2 })
    }).pipe(Effect.scoped)
  )

  it.live("serves our own client over both transports, and is interrupted by it", () =>
    Effect.gen(function* () {
      const { url } = yield* Peers.oursHttp
      const connectTimeout = "25 seconds"
      for (const server of [
        yield* Mcp.connect({ name: "ours", transport: Peers.node(Peers.args.ours), connectTimeout }),
        yield* Mcp.connect({ name: "ours", transport: Mcp.http({ url }), connectTimeout })
      ]) {
        const actions = yield* server.actions({ prefix: "" })
        const find = (name: string) => actions.find((action) => action.name === name) ?? assert.fail(name)
        assert.deepStrictEqual(yield* Action.call(find("add"), { a: 1, b: 2 }), { sum: 3 })
        assert.strictEqual(find("add").policy.sideEffect, "pure")
        assert.strictEqual(find("shout").policy.sideEffect, "idempotent")
        const seen: Array<unknown> = []
        const onProgress = (progress: Mcp.Progress) => Effect.sync(() => void seen.push(progress))
        yield* server.call("count", { to: 2, millis: 1 }, { onProgress })
        assert.deepStrictEqual(seen, [
          { progress: 1, total: 2 },
          { progress: 2, total: 2 }
        ])
        const { message } = yield* Peers.reasonOf(Action.call(find("order"), { article: "lamp" }))
        assert.strictEqual(message, "mcp: ours/order: there is no lamp left")
        const stopped = yield* Peers.reasonOf(
          server.call("count", { to: 1, millis: 60_000 }, { timeout: "100 millis" })
        )
        assert.deepInclude(stopped.reason, { _tag: "TimedOut" })
        assert.deepStrictEqual(yield* Action.call(find("add"), { a: 2, b: 2 }), { sum: 4 })
      }
    }).pipe(Effect.scoped, Effect.provide(Peers.platform))
  )

  it.effect("two tools of one name fail its Layer", () =>
    Effect.gen(function* () {
      const one = Action.make("one", { description: "One.", run: () => Effect.succeed(1) })
      const layer = McpOffer.layerHttp({ name: "x", version: "1", path: "/mcp", tools: [one, one] })
      const error = yield* Effect.flip(Effect.scoped(Layer.build(Layer.provide(layer, HttpRouter.layer))))
      assert.strictEqual(error.message, 'The action "one" is there twice: give one of them another name')
    })
  )
})
