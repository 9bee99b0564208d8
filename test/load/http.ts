/**
 * `node --conditions=effigent:source --expose-gc test/load/http.ts [streams] [events per second] [seconds] [seconds of a
 * run] [shared | together | sockets]`: SSE streams from one process to another one. Where a run ends, its reader starts the next
 * one, until the time is over. `shared`: all read one and the same run; `together`: all begin at one instant; `sockets`: by WebSocket. Says how late events come (from when the run told them to when
 * the client has read them), what the server's memory is and how fast it grows, and how much the machine had to do besides.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { HttpServer } from "effect/http"
import { Agent } from "effigent"
import { Http } from "effigent/layers/http"
import { ScriptedModel } from "effigent/testing"
import { fork } from "node:child_process"
import { Agent as Connections, createServer, type IncomingMessage, request } from "node:http"
import { availableParallelism, loadavg } from "node:os"

const [streams = 500, rate = 20, seconds = 20, length = seconds] = process.argv.slice(2, 6).map(Number)
const isShared = process.argv[6] === "shared"
const isTogether = process.argv[6] === "together"
const isSockets = process.argv[6] === "sockets"

// Collected only where nothing is under way: it would hold everything up.
const megabytes = (collect: boolean) => {
  if (collect) globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  const { system, user } = process.cpuUsage()
  return { heap: Math.round(heapUsed / 1e6), rss: Math.round(rss / 1e6), cpu: Math.round((system + user) / 1e3) }
}

type Memory = ReturnType<typeof megabytes>

const serve = () => {
  const clock = Agent.make({ name: "clock", input: "x" })
  const texts = Array.from({ length: rate * length }, (_, index) => `tick ${index} `)
  const model = ScriptedModel.always(ScriptedModel.chunks(texts, { delay: 1000 / rate }))
  const layer = Http.layer({ agents: { clock } }, { limits: { streamsPerClient: 2 * streams } })
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
  process.on("SIGTERM", () => process.exit(0))
  // Whoever measures is gone.
  process.on("disconnect", () => process.exit(0))
}

/** Megabytes a minute, by the line that fits best. */
const slopeOf = (samples: ReadonlyArray<readonly [second: number, rss: number]>): number => {
  const mean = (index: 0 | 1) => samples.reduce((sum, sample) => sum + sample[index], 0) / samples.length
  const [x, y] = [mean(0), mean(1)]
  const over = samples.reduce((sum, [second, rss]) => sum + (second - x) * (rss - y), 0)
  const under = samples.reduce((sum, [second]) => sum + (second - x) ** 2, 0)
  return Math.round((60 * over) / under)
}

const read = async () => {
  const server = fork(new URL(import.meta.url).pathname, process.argv.slice(2), {
    env: { ...process.env, ROLE: "server" },
    execArgv: [...process.execArgv, ...(process.env["PROFILE"] === undefined ? [] : ["--cpu-prof"])]
  })
  const said = <A>() => new Promise<A>((resolve) => server.once("message", (message) => resolve(message as A))) // By `serve`.
  const { url } = await said<{ url: string }>()
  const memory = (collect: boolean) => {
    server.send(collect)
    return said<Memory>()
  }
  const before = await memory(true)
  const lateness: Array<number> = []
  const connections = new Connections({ maxSockets: Number.POSITIVE_INFINITY, keepAlive: true })
  let ended = 0
  const take = (response: IncomingMessage, done: () => void) => {
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
    response.on("end", done)
  }
  const call = (method: string, path: string, body?: string) =>
    new Promise<void>((resolve, reject) => {
      const headers = { "content-type": "application/json" }
      const sent = request(`${url}${path}`, { method, agent: connections, headers }, (response) =>
        take(response, resolve)
      )
      sent.on("error", reject)
      sent.end(body)
    })
  const talk = () =>
    new Promise<void>((resolve, reject) => {
      const socket = new WebSocket(`${url.replace("http", "ws")}/agents/clock/socket`)
      socket.addEventListener("open", () => socket.send(`{"type":"start","input":"x"}`))
      socket.addEventListener("error", () => reject(new Error("the socket has failed")))
      socket.addEventListener("message", ({ data }) => {
        const [, at] = /"at":(\d+)[^\n]*"_tag":"Text"/.exec(String(data)) ?? []
        if (at !== undefined) lateness.push(Date.now() - Number(at))
        if (!String(data).startsWith(`{"event":"end"`)) return
        ended++
        socket.close()
        resolve()
      })
    })
  const started = Date.now()
  const passed = () => (Date.now() - started) / 1000
  // Readers come one after the other, over the time of one run; what all of them at one instant cost is another matter.
  const one = async (index: number) => {
    if (!isTogether) await new Promise((resolve) => setTimeout(resolve, (1000 * length * index) / streams))
    do await (isSockets ? talk() : call("POST", "/agents/clock/stream", `"x"`))
    while (passed() + length <= seconds + 0.5)
  }
  if (isShared) await call("POST", "/agents/clock/runs?run=shared", `"x"`)
  const all = Promise.all(
    Array.from({ length: streams }, (_, index) => (isShared ? call("GET", "/runs/shared/events") : one(index)))
  )
  const samples: Array<readonly [number, number]> = []
  const during: Array<Memory> = []
  const sampling = setInterval(
    () =>
      void memory(false).then((sample) => {
        during.push(sample)
        samples.push([passed(), sample.rss])
      }),
    1000
  )
  await all
  clearInterval(sampling)
  const elapsed = passed()
  const after = await memory(true)
  connections.destroy()
  server.kill()
  lateness.sort((a, b) => a - b)
  const at = (share: number) => lateness[Math.min(lateness.length - 1, Math.floor(lateness.length * share))]
  // What it is made ready for (code, buffers, the first logs) is there after a third of the time.
  const settled = samples.slice(Math.floor(samples.length / 3))
  const figures = {
    streams,
    rate,
    seconds: Math.round(elapsed),
    ended,
    events: lateness.length,
    expected: isShared ? streams * rate * length : ended * rate * length,
    milliseconds: { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: lateness.at(-1) },
    memory: {
      before,
      after,
      rss: during.map(({ rss }) => rss).join(" "),
      heap: during.map(({ heap }) => heap).join(" "),
      rssPerMinute: slopeOf(settled)
    },
    cpuOfServer: Math.round((after.cpu - before.cpu) / elapsed) / 1000,
    machine: { cores: availableParallelism(), load: loadavg().map((one) => Math.round(one * 10) / 10) }
  }
  console.log(JSON.stringify(figures, null, 1))
}

if (process.env["ROLE"] === "server") serve()
else await read()
