/**
 * `node --conditions=effigent:source test/load/endpoints.ts [seconds for each] [at once]`: every endpoint under load from a
 * second process, on connections that stay: requests in a second, and how long they took. Every answer is checked by its
 * status; one that is not the one expected ends it.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Schema } from "effect"
import { HttpServer } from "effect/http"
import { Agent, Session } from "effigent"
import { ExecutionHosts } from "effigent/layers/host"
import { Http } from "effigent/layers/http"
import { JournalStores, SessionStores } from "effigent/layers/store"
import { ScriptedModel } from "effigent/testing"
import { Chain, Interrupt, Signal, TriggerFlow } from "effigent/triggerflow"
import { fork } from "node:child_process"
import { Agent as Connections, createServer, request } from "node:http"
import { loadavg } from "node:os"

const [seconds = 1, atOnce = 20] = process.argv.slice(2).map(Number)

const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.Int })
const Ping = Signal.make("Ping", Schema.Int, { reply: Schema.Int })
const Count = TriggerFlow.define("count", {
  input: Schema.String,
  stream: Schema.String,
  result: Schema.Int,
  interrupts: [Ask],
  signals: [Ping],
  intervention: Schema.String
})
const count = Count.build(
  Count.start.pipe(
    Chain.to("words", (text, run) =>
      Effect.gen(function* () {
        if (text === "wait") return yield* run.pause(Ask, text)
        for (const word of text.split(" ")) yield* run.put(word)
        return text.length
      })
    ),
    Chain.result
  ),
  Count.on(Ping).pipe(Chain.to("pong", (n) => Effect.succeed(n + 1)))
)
const echo = Agent.make({ name: "echo", instruct: "Answer." })
const definition = {
  agents: {
    echo,
    talker: Http.agent(echo, {
      input: Schema.String,
      prepare: (agent, { session }) => Session.attach(agent, Session.make({}), session ?? "none")
    })
  },
  flows: { count }
}

const serve = () => {
  // Whoever measures is gone.
  process.on("disconnect", () => process.exit(0))
  const layer = Http.layer(definition, { limits: { streamsPerClient: 10_000 } })
  const program = Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    process.send?.(HttpServer.formatAddress(address))
    return yield* Effect.never
  })
  Effect.runFork(
    program.pipe(
      Effect.provide(
        layer.pipe(
          Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })),
          Layer.provide([
            ScriptedModel.always(ScriptedModel.text("It is four degrees in Oslo today.", { chunkSize: 6 })),
            TriggerFlow.toLayer(count).pipe(
              Layer.provideMerge(ExecutionHosts.durable()),
              Layer.provide(JournalStores.memory)
            ),
            SessionStores.memory
          ])
        )
      )
    )
  )
}

interface Case {
  readonly name: string
  readonly method?: "GET" | "POST" | "DELETE"
  readonly path: string | ((n: number) => string)
  readonly body?: unknown
  readonly headers?: { readonly [name: string]: string }
  readonly status?: number
}

const ui = { messages: [{ role: "user", parts: [{ type: "text", text: "x" }] }] }
const agUi = { threadId: "t", runId: "r", messages: [{ id: "1", role: "user", content: "x" }] }
const post = { method: "POST" } as const // The literal.
const settings = { autoClose: 0 }

const cases: ReadonlyArray<Case> = [
  { name: "GET /health/live", path: "/health/live" },
  { name: "GET /health/ready", path: "/health/ready" },
  { name: "GET /metrics", path: "/metrics" },
  { name: "GET /openapi.json", path: "/openapi.json" },
  { name: "GET /docs", path: "/docs" },
  { name: "POST /agents/echo/run", ...post, path: "/agents/echo/run", body: "x" },
  {
    name: "POST /agents/echo/run, with a key",
    ...post,
    path: "/agents/echo/run",
    body: "x",
    headers: { "idempotency-key": "k" }
  },
  {
    name: "POST /agents/talker/run, with a session",
    ...post,
    path: (n) => `/agents/talker/run?session=s${n}`,
    body: "x"
  },
  { name: "POST /agents/echo/stream", ...post, path: "/agents/echo/stream", body: "x" },
  { name: "POST /agents/echo/runs", ...post, path: "/agents/echo/runs", body: "x", status: 202 },
  { name: "POST /agents/echo/chat", ...post, path: "/agents/echo/chat", body: ui },
  { name: "POST /agents/echo/ag-ui", ...post, path: "/agents/echo/ag-ui", body: agUi },
  { name: "GET /runs (a page of 100)", path: "/runs" },
  { name: "GET /runs/{id}", path: "/runs/known" },
  { name: "GET /runs/{id}/events", path: "/runs/known/events" },
  { name: "POST /runs/{id}/cancel", ...post, path: "/runs/known/cancel", body: {} },
  { name: "GET /flows", path: "/flows" },
  { name: "GET /flows/count/graph", path: "/flows/count/graph" },
  {
    name: "POST /flows/count/executions",
    ...post,
    path: "/flows/count/executions",
    body: { input: "one two", settings },
    status: 201
  },
  { name: "GET /flows/count/executions/{id}/result", path: "/flows/count/executions/done/result" },
  { name: "GET /executions (a page of 100)", path: "/executions" },
  { name: "GET /executions/{id}", path: "/executions/open" },
  { name: "GET /executions/{id}/events", path: "/executions/done/events" },
  { name: "GET /executions/{id}/graph", path: "/executions/done/graph" },
  { name: "GET /executions/{id}/history", path: "/executions/done/history" },
  { name: "GET /executions/{id}/snapshot", path: "/executions/open/snapshot" },
  {
    name: "POST /executions/{id}/signals/Ping",
    ...post,
    path: "/executions/open/signals/Ping",
    body: { payload: 1, wait: true }
  },
  {
    name: "POST /executions/{id}/interventions",
    ...post,
    path: "/executions/open/interventions",
    body: { payload: "x" }
  },
  {
    name: "POST /executions/{id}/questions/{id}, unknown",
    ...post,
    path: "/executions/open/questions/none",
    body: { value: "x" },
    status: 422
  },
  { name: "GET /dead-letters", path: "/dead-letters" },
  { name: "GET /sessions", path: "/sessions" },
  { name: "GET /sessions/{id}", path: "/sessions/s1" },
  { name: "404, no such path", path: "/none", status: 404 },
  { name: "400, an input that does not fit", ...post, path: "/agents/talker/run", body: 7, status: 400 }
]

const drive = async () => {
  const server = fork(new URL(import.meta.url).pathname, process.argv.slice(2), {
    env: { ...process.env, ROLE: "server" },
    execArgv: process.execArgv
  })
  const url = await new Promise<string>((resolve) => server.once("message", (message) => resolve(String(message))))
  const connections = new Connections({ keepAlive: true, maxSockets: atOnce })
  const call = ({ body, headers, method = "GET", path, status = 200 }: Omit<Case, "name">, n: number) =>
    new Promise<void>((resolve, reject) => {
      const where = `${url}${typeof path === "string" ? path : path(n)}`
      const options = { method, agent: connections, headers: { "content-type": "application/json", ...headers } }
      const sent = request(where, options, (response) => {
        response.resume()
        response.on("end", () =>
          response.statusCode === status ? resolve() : reject(new Error(`${method} ${where}: ${response.statusCode}`))
        )
        response.on("error", reject)
      })
      sent.on("error", reject)
      sent.end(body === undefined ? undefined : JSON.stringify(body))
    })
  await call({ ...post, path: "/agents/echo/run?run=known", body: "x" }, 0)
  const begin = { ...post, path: "/flows/count/executions", status: 201 }
  await call({ ...begin, body: { input: "one two", id: "done", settings } }, 0)
  await call({ ...begin, body: { input: "wait", id: "open", settings: { autoClose: false } } }, 0)
  const rows: Array<object> = []
  for (const one of cases) {
    const took: Array<number> = []
    let n = 0
    const until = performance.now() + seconds * 1000
    const loop = async () => {
      while (performance.now() < until) {
        const before = performance.now()
        // The run that is asked for by its id is not to be forgotten.
        await call(one, ++n)
        took.push(performance.now() - before)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, loop))
    took.sort((a, b) => a - b)
    const at = (share: number) => Math.round((took[Math.floor(took.length * share)] ?? 0) * 10) / 10
    rows.push({ endpoint: one.name, "per second": Math.round(took.length / seconds), p50: at(0.5), p99: at(0.99) })
    await call({ ...post, path: `/agents/echo/run?run=known`, body: "x" }, 0).catch(() => {})
  }
  console.table(rows)
  console.log({ load: loadavg().map((one) => Math.round(one * 10) / 10) })
  connections.destroy()
  server.kill()
}

if (process.env["ROLE"] === "server") serve()
else await drive()
