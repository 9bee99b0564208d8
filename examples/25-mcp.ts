// Both sides of the Model Context Protocol: a shop offers its actions as an MCP server over HTTP, on this machine alone,
// and an agent of another program calls them. An order needs approval; a failure is told to the model in words.
//
//   npm run example examples/25-mcp.ts
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Schema } from "effect"
import { FetchHttpClient, HttpRouter, HttpServer } from "effect/http"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import { Mcp, McpOffer } from "effigent/layers/mcp"
import { ApprovalGate } from "effigent/services/Action"
import { ScriptedModel } from "effigent/testing"
import { createServer } from "node:http"

// The shop.
const stock = Action.make("stock", {
  description: "How many of an article there are.",
  input: Schema.Struct({ article: Schema.String }),
  output: Schema.Struct({ pieces: Schema.Int }),
  sideEffect: "pure",
  run: ({ article }) => Effect.succeed({ pieces: article === "lamp" ? 17 : 0 })
})

const order = Action.make("order", {
  description: "Orders articles.",
  input: Schema.Struct({ article: Schema.String, pieces: Schema.Int }),
  output: Schema.String,
  run: ({ article, pieces }): Effect.Effect<string, Error> =>
    pieces > 17 ? Effect.fail(new Error("there are 17 only")) : Effect.succeed(`${pieces} x ${article}, order 1`)
})

const shop = HttpRouter.serve(
  McpOffer.layerHttp({ name: "shop", version: "1.0.0", path: "/mcp", tools: [stock, order] }),
  { disableLogger: true }
).pipe(Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })))

// The other program.
const buyer = Effect.gen(function* () {
  const { address } = yield* HttpServer.HttpServer
  const port = "port" in address ? address.port : 0
  const server = yield* Mcp.connect({ name: "shop", transport: Mcp.http({ url: `http://127.0.0.1:${port}/mcp` }) })
  const actions = yield* server.actions({
    policy: (tool) => (tool.name === "order" ? { approval: "always", sideEffect: "once" } : { sideEffect: "pure" })
  })
  const agent = Agent.make({ input: "Buy lamps, as many as there are." }).pipe(Actions.use(actions))
  const full = yield* Agent.whole(agent)
  for (const { records } of full.meta.actions?.rounds ?? []) {
    for (const { call, result, status } of records) {
      yield* Console.log(`${call.action} ${JSON.stringify(call.input)} -> ${status}: ${JSON.stringify(result)}`)
    }
  }
  yield* Console.log(full.data)
})

const model = ScriptedModel.layer([
  ScriptedModel.toolCalls([{ name: "shop__stock", input: { article: "lamp" } }]),
  ScriptedModel.toolCalls([{ name: "shop__order", input: { article: "lamp", pieces: 18 } }]),
  ScriptedModel.toolCalls([{ name: "shop__order", input: { article: "lamp", pieces: 17 } }]),
  ScriptedModel.text("Seventeen lamps are ordered.")
])

const gate = Layer.succeed(ApprovalGate, ({ call }) =>
  Effect.as(Console.log(`approved: ${JSON.stringify(call.input)}`), { _tag: "Approved", by: "Ada" } as const)
)

NodeRuntime.runMain(Effect.scoped(buyer).pipe(Effect.provide(Layer.mergeAll(shop, model, gate, FetchHttpClient.layer))))
