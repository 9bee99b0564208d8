// The API mounted in Hono, which takes a function from a web Request to a web Response as it is.
//
//   npm run example examples/35-hono.ts
import { Schema } from "effect"
import { Agent, Output } from "effigent"
import { ModelProviders } from "effigent/layers/apps"
import { Auth, mount } from "effigent/layers/http"
import { Hono } from "hono"

const triage = Agent.make({
  instruct: "Triage the letter.",
  output: { subject: Output.ensure(Schema.String, "What it is about") }
})

const { close, handler } = await mount({ agents: { triage } }, { layer: ModelProviders.fromEnv, auth: Auth.elsewhere })

const app = new Hono()
app.get("/", (context) => context.text("Letters are triaged at /ai/agents/triage/run"))
app.mount("/ai", handler)

const ask = (path: string, body: string) =>
  app.request(path, { method: "POST", headers: { "content-type": "application/json" }, body })

console.log(await (await app.request("/")).text())
console.log(await (await ask("/ai/agents/triage/run", JSON.stringify("Subject: Heating"))).text())
const refused = await ask("/ai/agents/triage/run", "{")
console.log(refused.status, refused.headers.get("content-type"))
await close()
