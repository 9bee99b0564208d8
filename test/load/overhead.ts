/**
 * `node --conditions=effigent:source test/load/overhead.ts`: what it costs to ask an agent over HTTP, against asking it in
 * the process: one after the other, on connections that stay, server and client in one process.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { HttpServer } from "effect/http"
import { Agent } from "effigent"
import { Http } from "effigent/layers/http"
import { ScriptedModel } from "effigent/testing"
import { Agent as Connections, createServer, request } from "node:http"
import { loadavg } from "node:os"

const agent = Agent.make({ name: "echo", input: "x" })
const model = ScriptedModel.always(ScriptedModel.text("Hello."))
const many = 2000

const median = (values: Array<number>) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

const timed = <E, R>(effect: Effect.Effect<unknown, E, R>) =>
  Effect.gen(function* () {
    const took: Array<number> = []
    for (let index = 0; index < many; index++) {
      const before = performance.now()
      yield* effect
      took.push(performance.now() - before)
    }
    // The first ones compile.
    return Math.round(median(took.slice(many / 2)) * 1000)
  })

const connections = new Connections({ keepAlive: true, maxSockets: 1 })
const ask = (url: string) =>
  Effect.callback<string>((resume) => {
    const options = { method: "POST", agent: connections, headers: { "content-type": "application/json" } }
    const sent = request(`${url}/agents/echo/run`, options, (response) => {
      let text = ""
      response.on("data", (chunk) => (text += String(chunk)))
      response.on("end", () => resume(Effect.succeed(text)))
    })
    sent.end(`"x"`)
  })

const program = Effect.gen(function* () {
  const { address } = yield* HttpServer.HttpServer
  const url = HttpServer.formatAddress(address)
  const inProcess = yield* timed(Agent.run(agent))
  const served = yield* timed(ask(url))
  const bare = yield* timed(
    Effect.callback<void>((resume) => {
      request(`${url}/health/live`, { agent: connections }, (response) => {
        response.resume()
        response.on("end", () => resume(Effect.void))
      }).end()
    })
  )
  connections.destroy()
  console.log({ microseconds: { inProcess, served, bare }, load: loadavg()[0] })
})

await Effect.runPromise(
  program.pipe(
    Effect.provide(
      Http.layer({ agents: { echo: agent } }).pipe(
        Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })),
        Layer.provideMerge(model)
      )
    )
  )
)
