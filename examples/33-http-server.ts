// Agents and flows over HTTP: one definition gives the server, the OpenAPI document at /openapi.json with a page at /docs,
// and a typed client. An answer is waited for, or watched as it is written; an execution is started and answered.
//
//   npm run example examples/33-http-server.ts
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted, Schema, Stream } from "effect"
import { FetchHttpClient, HttpServer } from "effect/http"
import { Agent, Output } from "effigent"
import { ModelProviders } from "effigent/layers/apps"
import { ExecutionHosts } from "effigent/layers/host"
import { Auth, Http } from "effigent/layers/http"
import { Chain, TriggerFlow } from "effigent/triggerflow"
import { createServer } from "node:http"

const triage = Agent.make({
  name: "triage",
  instruct: "Triage the letter.",
  output: { subject: Output.ensure(Schema.String, "What it is about") }
})

const Count = TriggerFlow.define("count", { input: Schema.String, stream: Schema.String, result: Schema.Int })
const count = Count.build(
  Count.start.pipe(
    Chain.to("words", (text, run) =>
      Effect.gen(function* () {
        const words = text.split(" ")
        for (const word of words) yield* run.put(word)
        return words.length
      })
    ),
    Chain.result
  )
)

const definition = {
  title: "Letters",
  agents: { triage: Http.agent(triage, { input: Schema.String }) },
  flows: { count }
}

const token = Redacted.make("a-secret")
const server = Http.layer(definition, { auth: Auth.bearer({ ada: token }) }).pipe(
  Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })),
  Layer.provide(ModelProviders.fromEnv),
  Layer.provide(TriggerFlow.toLayer(count).pipe(Layer.provideMerge(ExecutionHosts.inProcess())))
)

const program = Effect.gen(function* () {
  const { address } = yield* HttpServer.HttpServer
  const baseUrl = HttpServer.formatAddress(address)
  const client = yield* Http.client(definition, { baseUrl, token })
  const letter = "Subject: Heating\n\nIt is cold in here."

  const { subject } = yield* client.agents.triage({ payload: letter, query: {}, headers: {} })
  yield* Console.log(`subject: ${subject}`)

  const events = Stream.unwrap(client.streams.triage({ payload: letter, query: { fields: "true" }, headers: {} }))
  const kinds = yield* Stream.runFold(
    events,
    () => new Set<string>(),
    (seen, one) => seen.add(one.event === "message" ? one.data.event._tag : one.event)
  )
  yield* Console.log(`told: ${[...kinds].join(", ")}`)

  const { execution } = yield* client.flows.count({ payload: { input: "one two three" } })
  yield* Console.log(`words: ${yield* client.results.count({ params: { id: execution } })}`)

  const problem = yield* Effect.flip(client.runs.get({ params: { id: "nobody" } }))
  yield* Console.log(String(problem))

  const stranger = yield* Http.client(definition, { baseUrl, token: Redacted.make("guessed") })
  const refused = yield* Effect.flip(stranger.runs.list({ query: {} }))
  yield* Console.log(String(refused))
})

NodeRuntime.runMain(program.pipe(Effect.provide(server), Effect.provide(FetchHttpClient.layer)))
