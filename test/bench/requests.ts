/**
 * P9: what a whole request costs over a real socket, against the bare SDK in the same run: the processor time, and how
 * long after the first byte the first field is there. The server is a process of its own, so that it is not counted.
 */
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Stream from "effect/Stream"
import { spawn } from "node:child_process"
import { once } from "node:events"
import OpenAI from "openai"
import * as OpenAICompatible from "../../layers/openai/OpenAICompatible.ts"
import * as Agent from "../../src/agent/Agent.ts"
import { Answer } from "./items.ts"
import { type Figure, figure, median, root } from "./measure.ts"

const requests = 100
const rounds = 9

const startServer = async () => {
  const child = spawn(process.execPath, ["--conditions=effigent:source", "test/bench/server.ts"], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"]
  })
  const [port] = await once(child.stdout, "data")
  return { url: `http://127.0.0.1:${String(port).trim()}/v1`, stop: () => child.kill() }
}

// Milliseconds of processor time of a number of requests, one after the other.
const cpu = async (request: () => Promise<unknown>): Promise<number> => {
  const before = process.cpuUsage()
  for (let i = 0; i < requests; i++) await request()
  const { system, user } = process.cpuUsage(before)
  return (system + user) / 1_000 / requests
}

/** Measures. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const server = await startServer()
  const client = new OpenAI({ apiKey: "none", baseURL: server.url, maxRetries: 0 })
  const runtime = ManagedRuntime.make(OpenAICompatible.layer({ model: "m", baseUrl: server.url }))
  const agent = Agent.make({ input: "List the items.", output: Answer })

  const bare = async () => {
    let text = ""
    const stream = await client.chat.completions.create({
      model: "m",
      stream: true,
      messages: [{ role: "user", content: "List the items." }]
    })
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ""
    return JSON.parse(text)
  }
  const ours = () => runtime.runPromise(Agent.run(agent))
  const instant = () =>
    runtime.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const response = yield* Agent.respond(agent)
          yield* Stream.runDrain(response.instant)
          return yield* response.data
        })
      )
    )
  // Milliseconds from the first delta to the first finished field, both as a reader sees them.
  const firstField = () =>
    runtime.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const response = yield* Agent.respond(agent)
          const at = (stream: Stream.Stream<unknown, unknown>) =>
            Effect.map(Stream.runHead(stream), () => performance.now())
          const done = Stream.filter(response.instant, (event) => event._tag === "Field" && event.isComplete)
          const [first, field] = yield* Effect.all([at(response.deltas), at(done)], { concurrency: "unbounded" })
          return field - first
        })
      )
    )

  const samples = { bare: [] as Array<number>, ours: [] as Array<number>, instant: [] as Array<number> }
  for (let round = -3; round < rounds; round++) {
    const times = { bare: await cpu(bare), ours: await cpu(ours), instant: await cpu(instant) }
    if (round < 0) continue
    samples.bare.push(times.bare)
    samples.ours.push(times.ours)
    samples.instant.push(times.instant)
  }
  const lags: Array<number> = []
  for (let i = 0; i < 30; i++) lags.push(await firstField())
  await runtime.dispose()
  server.stop()
  const sdk = median(samples.bare)
  return [
    figure({
      id: "P9.cpu",
      value: median(samples.ours),
      unit: "ms",
      bound: 1.3 * sdk,
      anchor: "1.3x the bare openai SDK; Agent.run of 1.5 KB of JSON in 4-character deltas over a socket",
      peers: { "bare openai SDK": sdk, "with a reader of instant": median(samples.instant) }
    }),
    figure({
      id: "P9.firstField",
      value: median(lags),
      unit: "ms",
      anchor: "from the first delta to the first finished field, for orientation"
    })
  ]
}
