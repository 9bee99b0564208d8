// A pool from a file on the disk, with the vendors of this library and a server that answers.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, FileSystem, Layer } from "effect"
import { Agent } from "effigent"
import { ModelProviders } from "effigent/layers/apps"
import { serve } from "../wire/Server.ts"

const answer = (text: string) =>
  `data: ${JSON.stringify({ id: "c1", model: "m-2026", choices: [{ index: 0, delta: { content: text }, finish_reason: "stop" }] })}\n\ndata: [DONE]\n\n`

const withFile = Effect.fnUntraced(function* (text: string) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped()
  yield* fs.writeFileString(`${folder}/models.yaml`, text)
  return `${folder}/models.yaml`
})

describe("ModelProviders.fromFile", () => {
  it.live("TR-02 asks the endpoint of the file with its keys, and another model when it fails", () =>
    Effect.gen(function* () {
      const server = yield* serve((response, request) => {
        const key = request.headers.authorization
        response.writeHead(key === "Bearer key-one" ? 429 : 200, { "content-type": "text/event-stream" })
        response.end(key === "Bearer key-one" ? "{}" : answer("from the endpoint"))
      })
      const path = yield* withFile(`
providers:
  local:
    vendor: openai
    baseUrl: \${ENV.LOCAL_URL}/v1
    keys:
      selection: fixed
      keys: [{ id: one, key: "\${ENV.KEY_ONE}" }, { id: two, key: "\${ENV.KEY_TWO}" }]
  gone: { vendor: anthropic, baseUrl: "http://127.0.0.1:1", apiKey: "\${ENV.KEY_ONE}" }
  offline: {}
models:
  main: { provider: local, model: small-1, options: { temperature: 0.5 } }
  far: { provider: gone, model: large-1 }
  spare: { provider: offline, model: offline-1 }
default: main
fallback: [spare]
`)
      const environment = { LOCAL_URL: server.url, KEY_ONE: "key-one", KEY_TWO: "key-two" }
      yield* Effect.gen(function* () {
        const agent = Agent.make({ input: "hello" })
        assert.strictEqual(yield* Agent.run(agent), "from the endpoint")
        assert.deepStrictEqual(
          server.received.map((one) => one.headers.authorization),
          ["Bearer key-one", "Bearer key-two"]
        )
        const body: unknown = JSON.parse(server.received[1]?.body ?? "{}")
        assert.deepInclude(body, { model: "small-1", temperature: 0.5 })
        // Nobody listens there: the offline model answers.
        const response = yield* Agent.respond(Agent.settings(agent, { model: "far" }))
        const meta = yield* response.meta
        assert.strictEqual(meta.attempts.length, 2)
        assert.strictEqual(meta.model, "offline-1")
      }).pipe(
        Effect.provide(ModelProviders.fromFile(path)),
        Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: environment })))
      )
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("says what is wrong with the file", () =>
    Effect.gen(function* () {
      const path = yield* withFile("providers: { opnai: {} }\nmodels: {}\ndefault: main\n")
      const error = yield* Effect.flip(Layer.build(ModelProviders.fromFile(path)))
      assert.strictEqual(
        error.message,
        `${path}: providers.opnai.vendor: this is no vendor; there are: openai, anthropic, offline\n  default: this is no model; there are: none`
      )
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
