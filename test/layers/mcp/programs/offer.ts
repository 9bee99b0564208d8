// A server of ours as a program: over stdio, or over HTTP on a port of its own, which it says on stderr.
import { NodeHttpServer, NodeRuntime, NodeStdio } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { McpOffer } from "effigent/layers/mcp"
import { createServer } from "node:http"
import * as Offers from "../offers.ts"

const Stdio = McpOffer.layerStdio(Offers.options).pipe(Layer.provide(NodeStdio.layer), Layer.provide(Offers.services))

const Http = Layer.effectDiscard(
  Effect.flatMap(HttpServer.HttpServer, ({ address }) =>
    Effect.sync(() => process.stderr.write(`listening on ${"port" in address ? address.port : 0}\n`))
  )
).pipe(
  Layer.provideMerge(
    HttpRouter.serve(McpOffer.layerHttp({ ...Offers.options, path: "/mcp" }), { disableLogger: true })
  ),
  Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
  Layer.provide(Offers.services)
)

NodeRuntime.runMain(Layer.launch(process.argv[2] === "http" ? Http : Stdio))
