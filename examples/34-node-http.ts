// A server of Node's own, in a team that does not use Effect: a route that runs an agent with `Effigent.runPromise`, whose
// model call is aborted when the client leaves, and the whole API mounted below a path. Express takes the same listener
// (`app.use("/ai", listener)`), and so does Fastify: see docs/http.md.
//
//   npm run example examples/34-node-http.ts
import { Schema } from "effect"
import { Agent, Effigent, Output } from "effigent"
import { ModelProviders } from "effigent/layers/apps"
import { Auth, mount, nodeListener } from "effigent/layers/http"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

const triage = Agent.make({
  instruct: "Triage the letter.",
  output: { subject: Output.ensure(Schema.String, "What it is about") }
})
const layer = ModelProviders.fromEnv
const letter = "Subject: Heating\n\nIt is cold in here."

// This server asks its callers who they are before it gives them to the API, so that the API need not.
const { close, handler } = await mount({ agents: { triage } }, { layer, auth: Auth.elsewhere })
const api = nodeListener(handler)

const server = createServer((request, response) => {
  if (request.headers.authorization !== "Bearer a-secret") {
    response.writeHead(401).end()
    return
  }
  if (request.url?.startsWith("/ai/")) {
    request.url = request.url.slice("/ai".length)
    api(request, response)
    return
  }
  const controller = new AbortController()
  response.on("close", () => controller.abort(new Error("the client has left")))
  Effigent.runPromise(triage, letter, { layer, signal: controller.signal }).then(
    (ticket) => response.end(JSON.stringify(ticket)),
    (error: unknown) => response.writeHead(500).end(String(error))
  )
})
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
// A server that listens on a port has an address with one.
const { port } = server.address() as AddressInfo

const call = (path: string, init: RequestInit = {}) =>
  fetch(`http://127.0.0.1:${port}${path}`, {
    ...init,
    headers: { authorization: "Bearer a-secret", "content-type": "application/json" }
  })
const post = (path: string) => call(path, { method: "POST", body: JSON.stringify(letter) })

console.log("own route:", await (await call("/ticket")).text())
console.log("the API:", await (await post("/ai/agents/triage/run")).text())

const streamed = await (await post("/ai/agents/triage/stream?run=letter-1")).text()
console.log("last event:", streamed.trim().split("\n\n").at(-1)?.replace("\n", " "))
const resumed = await fetch(`http://127.0.0.1:${port}/ai/runs/letter-1/events`, {
  headers: { authorization: "Bearer a-secret", "last-event-id": "2" }
})
console.log("resumed with:", (await resumed.text()).match(/^id: .*/m)?.[0])

await close()
server.close()
