import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer } from "effect"
import { AnthropicCompatible } from "effigent/layers/anthropic"
import { ModelProvider } from "effigent/services/ModelProvider"
import { plainRequest, run } from "../wire/Cases.ts"
import { serve, sse } from "../wire/Server.ts"

const done =
  `data: {"type":"content_block_start","content_block":{"type":"text","text":"ok"}}\n\n` +
  `data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\ndata: {"type":"message_stop"}\n\n`

const withEnv = (env: Record<string, string>, options?: AnthropicCompatible.ConfigOptions) =>
  AnthropicCompatible.layerConfig(options).pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env }))))

const ask = Effect.fnUntraced(function* () {
  const provider = yield* ModelProvider
  return yield* run(provider.stream(plainRequest()))
})

describe("AnthropicCompatible.layerConfig", () => {
  it.live("reads key, base URL and model", () =>
    Effect.gen(function* () {
      const server = yield* serve(sse([done]))
      const env = { ANTHROPIC_API_KEY: "sk-env", ANTHROPIC_BASE_URL: `${server.url}`, EFFIGENT_MODEL: "m-env" }
      yield* Effect.provide(ask(), withEnv(env))
      assert.strictEqual(server.received[0]?.headers["x-api-key"], "sk-env")
      assert.strictEqual(JSON.parse(server.received[0]?.body ?? "{}").model, "m-env")
    })
  )

  it.live("needs no key where a base URL is given; what the program says wins", () =>
    Effect.gen(function* () {
      const server = yield* serve(sse([done]))
      const env = { ANTHROPIC_API_KEY: "", ANTHROPIC_BASE_URL: `${server.url}`, EFFIGENT_MODEL: "m-env" }
      const outcome = yield* Effect.provide(ask(), withEnv(env, { model: "m-code", name: "local" }))
      assert.strictEqual(outcome.text, "ok")
      assert.isUndefined(server.received[0]?.headers["x-api-key"])
      assert.strictEqual(JSON.parse(server.received[0]?.body ?? "{}").model, "m-code")
    })
  )

  it.effect("names what is missing", () =>
    Effect.gen(function* () {
      const missing = (env: Record<string, string>) =>
        Effect.provide(ModelProvider.use(Effect.succeed), withEnv(env)).pipe(Effect.flip, Effect.map(String))
      assert.include(yield* missing({ EFFIGENT_MODEL: "m" }), "ANTHROPIC_API_KEY")
      assert.include(yield* missing({ EFFIGENT_MODEL: "m", ANTHROPIC_API_KEY: "" }), "ANTHROPIC_API_KEY")
      const noModel = yield* missing({ ANTHROPIC_API_KEY: "sk-env-0123456789" })
      assert.include(noModel, "EFFIGENT_MODEL")
      assert.notInclude(noModel, "sk-env")
    })
  )

  it.live("takes nothing from the environment but through Config", () =>
    Effect.gen(function* () {
      const server = yield* serve(sse([done]))
      const before = { ...process.env }
      Object.assign(process.env, { ANTHROPIC_API_KEY: "sk-env", ANTHROPIC_AUTH_TOKEN: "token-env" })
      yield* run(AnthropicCompatible.make({ model: "m", baseUrl: server.url }).stream(plainRequest()))
      process.env = before
      const headers = server.received[0]?.headers ?? {}
      assert.isUndefined(headers["x-api-key"])
      assert.isUndefined(headers["authorization"])
    })
  )
})
