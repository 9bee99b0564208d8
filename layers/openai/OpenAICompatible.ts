/**
 * A `ModelProvider` over OpenAI's chat-completions protocol, as OpenAI and most other servers speak it (Azure, Ollama,
 * vLLM, llama.cpp, OpenRouter, DeepSeek, Mistral, Groq, ...).
 *
 * The official SDK builds and sends the request; the answer is read by `src/wire`. Retrying is not done here: one run
 * of the stream is one physical request.
 */
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { ModelProvider } from "../../services/ModelProvider.ts"
import * as Seal from "../../src/wire/Seal.ts"
import * as ServerEvents from "../../src/wire/ServerEvents.ts"
import { ChunkDecoder } from "./Chunks.ts"
import * as Client from "./Client.ts"
import * as Request from "./Request.ts"

/**
 * Where and how to ask.
 *
 * @category models
 */
export interface Options extends Client.ClientOptions {
  /**
   * The field of the request that limits the answer. Default `max_completion_tokens` at OpenAI and Azure, whose newer
   * models refuse the other, and `max_tokens` elsewhere.
   */
  readonly maxTokensField?: "max_tokens" | "max_completion_tokens" | undefined
  /**
   * The field that sends the model's own reasoning of earlier turns back. Default: it is not sent. DeepSeek's thinking
   * models want `reasoning_content` in tool loops, OpenRouter takes `reasoning`.
   */
  readonly reasoningField?: "reasoning" | "reasoning_content" | undefined
}

/**
 * What the environment does not say.
 *
 * @category models
 */
export type ConfigOptions = Partial<Omit<Options, "apiKey" | "baseUrl">>

/**
 * The provider as a value, for pools and adapters.
 *
 * @category constructors
 */
export const make = (options: Options): ModelProvider["Service"] => {
  const { baseUrl, decoder, developerRole, failures, isVendor, limits, name, onRejected, sdk } = Client.open(options)
  const dialect: Request.Dialect = {
    maxTokensField: options.maxTokensField ?? (isVendor ? "max_completion_tokens" : "max_tokens"),
    developerRole,
    hasCacheFields: options.promptCache ?? isVendor,
    reasoningField: options.reasoningField
  }
  const vendor = Seal.vendor("chat", baseUrl)
  return {
    name,
    dialect: "openai",
    stream: (request) =>
      Stream.suspend(() => {
        const model = request.model ?? options.model
        const body = Request.body(request, model, dialect)
        if (Result.isFailure(body)) return Stream.fail(failures.error(model, failures.unsupported(body.failure)))
        return ServerEvents.stream(() => ({
          open: (signal) => sdk.chat.completions.create(body.success, { signal }).asResponse(),
          onRejected,
          decoder: decoder(new ChunkDecoder(failures, request.includeRaw, vendor)),
          limits,
          failures,
          model
        }))
      })
  }
}

/**
 * The provider as a layer.
 *
 * @example
 * ```ts
 * import { Layer } from "effect"
 * import { OpenAICompatible } from "effigent/layers/openai"
 *
 * const ollama = OpenAICompatible.layer({
 *   baseUrl: "http://localhost:11434/v1",
 *   model: "qwen3:8b",
 *   timeouts: { connect: "2 minutes" }
 * })
 * console.log(Layer.isLayer(ollama)) // => true
 * ```
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<ModelProvider> => Layer.sync(ModelProvider, () => make(options))

/**
 * The provider as the configuration describes it: `OPENAI_API_KEY`, `OPENAI_BASE_URL` and `EFFIGENT_MODEL`. The key may
 * be absent where a base URL is given, and the model where `options` names one. Fails with a `ConfigError` that names
 * what is missing.
 *
 * @category layers
 */
export const layerConfig = (options: ConfigOptions = {}): Layer.Layer<ModelProvider, Config.ConfigError> =>
  Layer.effect(
    ModelProvider,
    Effect.map(Client.fromConfig(options.model), (config) => make({ ...options, ...config }))
  )
