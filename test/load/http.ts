/**
 * `node --conditions=effigent:source --expose-gc test/load/http.ts [streams] [events per second] [seconds]`: SSE streams
 * from one process to another one. Says how late events come (from when the run told them to when the client has read
 * them), what the server's memory is, and how much the machine had to do besides.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { HttpServer } from "effect/http"
import { Agent } from "effigent"
import { Http } from "effigent/layers/http"
import { ScriptedModel } from "effigent/testing"
import { fork } from "node:child_process"
import { Agent as Connections, createServer, request } from "node:http"
import { availableParallelism, loadavg } from "node:os"

const [streams = 500, rate = 20, seconds = 20] = process.argv.slice(2).map(Number)

// Collected only where nothing is under way: it would hold everything up.
const megabytes = (collect: boolean) => {
  if (collect) globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  return { heap: Math.round(heapUsed / 1e6), rss: Math.round(rss / 1e6) }
}

const serve = () => {
  const clock = Agent.make({ name: "clock", input: "x" })
  const texts = Array.from({ length: rate * seconds }, (_, index) => `tick ${index} `)
  const model = ScriptedModel.always(ScriptedModel.chunks(texts, { delay: 1000 / rate }))
  const layer = Http.layer({ agents: { clock } }, { limits: { streamsPerClient: streams } })
  const program = Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    process.on("message", (collect) => process.send?.(megabytes(collect === true)))
    process.send?.({ url: HttpServer.formatAddress(address) })
    return yield* Effect.never
  })
  Effect.runFork(
    program.pipe(
      Effect.provide(
        layer.pipe(
          Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })),
          Layer.provide(model)
        )
      )
    )
  )
}

const read = async () => {
  const server = fork(new URL(import.meta.url).pathname, process.argv.slice(2), {
    env: { ...process.env, ROLE: "server" },
    execArgv: process.execArgv
  })
  const said = <A>() => new Promise<A>((resolve) => server.once("message", (message) => resolve(message as A))) // By `serve`.
  const { url } = await said<{ url: string }>()
  const memory = (collect: boolean) => {
    server.send(collect)
    return said<{ heap: number; rss: number }>()
  }
  const before = await memory(true)
  const lateness: Array<number> = []
  const connections = new Connections({ maxSockets: Number.POSITIVE_INFINITY })
  let ended = 0
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const sent = request(
        `${url}/agents/clock/stream`,
        { method: "POST", agent: connections, headers: { "content-type": "application/json" } },
        (response) => {
          let rest = ""
          response.setEncoding("utf8")
          response.on("data", (text: string) => {
            const now = Date.now()
            rest += text
            const end = rest.lastIndexOf("\n\n")
            if (end < 0) return
            for (const [, at] of rest.slice(0, end).matchAll(/"at":(\d+)[^\n]*"_tag":"Text"/g))
              lateness.push(now - Number(at))
            if (rest.includes("event: end")) ended++
            rest = rest.slice(end + 2)
          })
          response.on("end", resolve)
          response.on("error", reject)
        }
      )
      sent.on("error", reject)
      sent.end(`"x"`)
    })
  const all = Promise.all(Array.from({ length: streams }, one))
  const during: Array<{ heap: number; rss: number }> = []
  const sampling = setInterval(() => void memory(false).then((sample) => during.push(sample)), (seconds * 1000) / 5)
  await all
  clearInterval(sampling)
  const after = await memory(true)
  server.kill()
  lateness.sort((a, b) => a - b)
  const at = (share: number) => lateness[Math.min(lateness.length - 1, Math.floor(lateness.length * share))]
  const figures = {
    streams,
    rate,
    seconds,
    ended,
    events: lateness.length,
    expected: streams * rate * seconds,
    milliseconds: { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: lateness.at(-1) },
    memory: { before, during, after },
    machine: { cores: availableParallelism(), load: loadavg().map((one) => Math.round(one * 10) / 10) }
  }
  console.log(JSON.stringify(figures, null, 1))
}

if (process.env["ROLE"] === "server") serve()
else await read()
