// Fastify 5, in a team that does not use Effect: a route that runs an agent with `Effigent.runPromise`, and the whole API
// mounted below a path. Fastify reads the bodies; they are handed on with the request. A response that the API writes is
// none of Fastify's: `hijack` says so.
//
//   npm run example examples/36-fastify.ts
import { Schema } from "effect"
import { Agent, Effigent, Output } from "effigent"
import { ModelProviders } from "effigent/layers/apps"
import { Auth, mount, nodeListener } from "effigent/layers/http"
import fastify from "fastify"

const triage = Agent.make({
  instruct: "Triage the letter.",
  output: { subject: Output.ensure(Schema.String, "What it is about") }
})
const layer = ModelProviders.fromEnv

const { close, handler } = await mount({ agents: { triage } }, { layer, auth: Auth.elsewhere })
const listener = nodeListener(handler)

const app = fastify()
app.addHook("onRequest", async (request, reply) => {
  if (request.headers.authorization !== "Bearer a-secret") await reply.code(401).send()
})
app.post<{ Body: { letter: string } }>("/tickets", async ({ body }, reply) => {
  const controller = new AbortController()
  reply.raw.on("close", () => controller.abort(new Error("the client has left")))
  return reply.code(201).send(await Effigent.runPromise(triage, body.letter, { layer, signal: controller.signal }))
})
app.all("/ai/*", (request, reply) => {
  const raw = Object.assign(request.raw, { body: request.body, url: request.url.slice("/ai".length) })
  reply.hijack()
  listener(raw, reply.raw)
})
app.addHook("onClose", close)

const base = await app.listen({ port: 0, host: "127.0.0.1" })
const post = (path: string, body: unknown) =>
  fetch(base + path, {
    method: "POST",
    headers: { authorization: "Bearer a-secret", "content-type": "application/json" },
    body: JSON.stringify(body)
  })
const letter = "Subject: Heating\n\nIt is cold in here."

const ticket = await post("/tickets", { letter })
console.log("own route:", ticket.status, await ticket.text())
console.log("the API:", await (await post("/ai/agents/triage/run", letter)).text())
const streamed = await (await post("/ai/agents/triage/stream", letter)).text()
console.log("last event:", streamed.trim().split("\n\n").at(-1)?.replace("\n", " "))
console.log("a stranger:", (await fetch(`${base}/ai/runs`)).status)

await app.close()
