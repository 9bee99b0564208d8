// Express 5, in a team that does not use Effect: a route that runs an agent with `Effigent.runPromise`, one that streams
// its words with `Effigent.deltas`, and the whole API mounted below a path, behind the middleware of the server: its own
// check of who asks, and `express.json()`, which has read the bodies by then.
//
//   npm run example examples/36-express.ts
import { Schema } from "effect"
import { Agent, Effigent, Output } from "effigent"
import { ModelProviders } from "effigent/layers/apps"
import { Auth, mount, nodeListener } from "effigent/layers/http"
import express, { type Request, type Response } from "express"
import type { AddressInfo } from "node:net"

const triage = Agent.make({
  instruct: "Triage the letter.",
  output: { subject: Output.ensure(Schema.String, "What it is about") }
})
const clerk = Agent.make({ instruct: "Answer the letter." })
const layer = ModelProviders.fromEnv

const { close, handler } = await mount({ agents: { triage } }, { layer, auth: Auth.elsewhere })

// The model call ends where the client leaves.
const signalOf = (response: Response): AbortSignal => {
  const controller = new AbortController()
  response.on("close", () => controller.abort(new Error("the client has left")))
  return controller.signal
}
const letterOf = (request: Request): string => String(request.body.letter)

const app = express()
app.use((request, response, next) => {
  if (request.headers.authorization === "Bearer a-secret") next()
  else response.sendStatus(401)
})
app.use(express.json({ strict: false }))
app.use("/ai", nodeListener(handler))
app.post("/tickets", async (request, response) => {
  const ticket = await Effigent.runPromise(triage, letterOf(request), { layer, signal: signalOf(response) })
  response.status(201).json(ticket)
})
app.post("/answers", async (request, response) => {
  response.type("text/plain")
  for await (const delta of Effigent.deltas(clerk, letterOf(request), { layer, signal: signalOf(response) }))
    if (delta._tag === "TextDelta") response.write(delta.text)
  response.end()
})

const server = app.listen(0, "127.0.0.1")
await new Promise((resolve) => server.on("listening", resolve))
// A server that listens on a port has an address with one.
const { port } = server.address() as AddressInfo

const post = (path: string, body: unknown) =>
  fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers: { authorization: "Bearer a-secret", "content-type": "application/json" },
    body: JSON.stringify(body)
  })
const letter = "Subject: Heating\n\nIt is cold in here."

const ticket = await post("/tickets", { letter })
console.log("own route:", ticket.status, await ticket.text())
console.log("words:", (await (await post("/answers", { letter })).text()).length > 0)
console.log("the API:", await (await post("/ai/agents/triage/run", letter)).text())
const streamed = await (await post("/ai/agents/triage/stream", letter)).text()
console.log("last event:", streamed.trim().split("\n\n").at(-1)?.replace("\n", " "))
console.log("a stranger:", (await fetch(`http://127.0.0.1:${port}/ai/runs`)).status)

await close()
server.close()
