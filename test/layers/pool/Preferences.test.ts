// Preferences as they arrive at the endpoint.
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Stream } from "effect"
import { OpenAICompatible } from "effigent/layers/openai"
import { ModelPool } from "effigent/layers/pool"
import type { JsonObject } from "effigent/services/Json"
import { ModelProvider } from "effigent/services/ModelProvider"
import { request } from "../testing/requests.ts"
import { serve } from "../wire/Server.ts"

const sent = Effect.fnUntraced(function* (
  vendor: (options: { readonly model: string; readonly baseUrl: string }) => Layer.Layer<ModelProvider>,
  provider: JsonObject
) {
  const server = yield* serve((response) => {
    response.writeHead(400)
    response.end("{}")
  })
  const models = ModelPool.layer({
    models: { m: { provider: vendor({ model: "m", baseUrl: server.url }), options: { provider } } },
    default: "m"
  })
  yield* Effect.gen(function* () {
    const pool = yield* ModelProvider
    yield* Effect.exit(Stream.runDrain(pool.stream(request("hello"))))
  }).pipe(Effect.provide(models))
  const body: unknown = JSON.parse(server.received[0]?.body ?? "{}")
  return body
})

describe("preferences arrive in the vendor's words", () => {
  it.live("OpenRouter", () =>
    Effect.gen(function* () {
      const routing = ModelPool.openRouter({
        order: ["a"],
        only: ["a", "b"],
        ignore: ["c"],
        allowFallbacks: false,
        requireParameters: true,
        dataCollection: "deny",
        zeroDataRetention: true,
        sort: "latency",
        quantizations: ["fp8"],
        models: ["x/y"]
      })
      assert.deepInclude(yield* sent(OpenAICompatible.layer, routing), {
        model: "m",
        models: ["x/y"],
        provider: {
          order: ["a"],
          only: ["a", "b"],
          ignore: ["c"],
          allow_fallbacks: false,
          require_parameters: true,
          data_collection: "deny",
          zdr: true,
          sort: "latency",
          quantizations: ["fp8"]
        }
      })
    })
  )

  it.live("Vercel's AI Gateway", () =>
    Effect.gen(function* () {
      const routing = ModelPool.vercelGateway({ order: ["bedrock"], models: ["a/b"] })
      assert.deepInclude(yield* sent(OpenAICompatible.layer, routing), {
        providerOptions: { gateway: { order: ["bedrock"], models: ["a/b"] } }
      })
    })
  )

  it("what is not wished for is not written", () => {
    assert.deepStrictEqual([ModelPool.openRouter({}), ModelPool.vercelGateway({})], [{}, {}])
  })
})
