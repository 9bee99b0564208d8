// What agents do, as a trace: read on the console, and sent over OTLP to a collector, which here is a small server of our
// own. Nothing that was said leaves the program.
//
//   npm run example examples/37-observability.ts
import { createServer } from "node:http"
import { NodeHttpClient, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Queue, Schema } from "effect"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import { ConsoleTraces, Otel } from "effigent/layers/otel"
import { ScriptedModel } from "effigent/testing"

const weather = Action.make("weather", {
  description: "The weather of a city.",
  input: Schema.Struct({ city: Schema.String }),
  output: Schema.String,
  run: ({ city }) => Effect.delay(Effect.succeed(`rain in ${city}`), "20 millis")
})
const guide = Agent.make({ name: "guide", model: "small", input: "Do I need an umbrella in Bergen?" }).pipe(
  Actions.use([weather])
)
const model = () =>
  ScriptedModel.layer([
    ScriptedModel.toolCalls([{ name: "weather", input: { city: "Bergen" } }], {
      latency: "30 millis",
      usage: { inputTokens: 52, outputTokens: 11 }
    }),
    ScriptedModel.text("Take one.", { latency: "15 millis", usage: { inputTokens: 71, outputTokens: 4 } })
  ])

const onConsole = Agent.run(guide).pipe(
  Effect.provide(Layer.mergeAll(model(), Otel.layer(), ConsoleTraces.layer({ color: process.stdout.isTTY })))
)

// In the place of an OpenTelemetry collector, a vendor, or a local viewer.
const collector = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly bodies: Queue.Queue<string>; readonly close: () => void }>(
    (resume) => {
      const bodies = Effect.runSync(Queue.unbounded<string>())
      const server = createServer((request, response) => {
        const chunks: Array<Buffer> = []
        request.on("data", (chunk: Buffer) => chunks.push(chunk))
        request.on("end", () => {
          Queue.offerUnsafe(bodies, `${request.url} ${Buffer.concat(chunks).toString()}`)
          response.end("{}")
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        const close = () => {
          server.closeAllConnections()
          server.close()
        }
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, bodies, close }))
      })
    }
  ),
  ({ close }) => Effect.sync(close)
)

const overOtlp = Effect.gen(function* () {
  const { bodies, url } = yield* collector
  const telemetry = Otel.otlp({ url, serviceName: "umbrellas", format: "json" }).pipe(
    Layer.provide(NodeHttpClient.layerUndici)
  )
  yield* Agent.run(guide).pipe(Effect.provide(Layer.merge(model(), telemetry)))
  const all = yield* Queue.clear(bodies)
  for (const path of ["/v1/traces", "/v1/metrics"]) {
    const sent = all.filter((body) => body.startsWith(path)).join("")
    yield* Console.log(
      `${path}: ${sent.includes("gen_ai.") ? "arrived" : "nothing"}, Bergen: ${sent.includes("Bergen")}`
    )
  }
})

NodeRuntime.runMain(Effect.scoped(Effect.andThen(onConsole, overOtlp)))
