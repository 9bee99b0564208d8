/**
 * A `ModelProvider` over OpenAI's chat-completions protocol, as OpenAI and most other servers speak it (Azure, Ollama,
 * vLLM, llama.cpp, OpenRouter, DeepSeek, Mistral, Groq, ...).
 *
 * The official SDK builds and sends the request; the answer is read by `src/wire`. Retrying is not done here: one run
 * of the stream is one physical request.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import OpenAI from "openai"
import type { ModelErrorReason } from "../../services/ModelError.ts"
import { ModelProvider } from "../../services/ModelProvider.ts"
import * as Endpoint from "../../src/wire/Endpoint.ts"
import { Failures } from "../../src/wire/Failure.ts"
import * as ServerEvents from "../../src/wire/ServerEvents.ts"
import * as Timeouts from "../../src/wire/Timeouts.ts"
import { ChunkDecoder } from "./Chunks.ts"
import * as Request from "./Request.ts"

/**
 * Where and how to ask.
 *
 * @category models
 */
export interface Options extends Endpoint.EndpointOptions {
  /** The base URL, up to and with the version. Default `https://api.openai.com/v1`. */
  readonly baseUrl?: string | undefined
  /** The organization that pays. */
  readonly organization?: string | undefined
  /** The project that pays. */
  readonly project?: string | undefined
  /**
   * The field of the request that limits the answer. Default `max_completion_tokens` at OpenAI and Azure, whose newer
   * models refuse the other, and `max_tokens` elsewhere.
   */
  readonly maxTokensField?: "max_tokens" | "max_completion_tokens" | undefined
  /** The role of developer messages. Default `developer` at OpenAI and Azure, `system` elsewhere. */
  readonly developerRole?: "developer" | "system" | undefined
  /**
   * The field that sends the model's own reasoning of earlier turns back. Default: it is not sent. DeepSeek's thinking
   * models want `reasoning_content` in tool loops, OpenRouter takes `reasoning`.
   */
  readonly reasoningField?: "reasoning" | "reasoning_content" | undefined
  /** The provider's name in errors, spans and `meta`. Default `openai`. */
  readonly name?: string | undefined
}

/**
 * What the environment does not say.
 *
 * @category models
 */
export type ConfigOptions = Partial<Omit<Options, "apiKey" | "baseUrl">>

// The SDK wants a number of milliseconds; this is the largest that a timer takes. Our own time-outs end the request.
const noTimeout = 0x7fffffff

const silent = { error() {}, warn() {}, info() {}, debug() {} }

const isVendor = (baseUrl: string | undefined): boolean =>
  baseUrl === undefined || /^https?:\/\/([^/]+\.)?(openai\.com|openai\.azure\.com)(:\d+)?(\/|$)/i.test(baseUrl)

/**
 * The provider as a value, for pools and adapters.
 *
 * @category constructors
 */
export const make = (options: Options): ModelProvider["Service"] => {
  const name = options.name ?? "openai"
  const { apiKey, headers, secrets } = Endpoint.open(options, options.baseUrl)
  const failures = new Failures(name, secrets)
  // What is not given is null, lest the SDK look into the environment.
  const client = new OpenAI({
    apiKey: apiKey ?? "none",
    adminAPIKey: null,
    baseURL: options.baseUrl ?? "https://api.openai.com/v1",
    organization: options.organization ?? null,
    project: options.project ?? null,
    webhookSecret: null,
    defaultHeaders: apiKey === undefined ? { authorization: null, ...headers } : headers,
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
    maxRetries: 0,
    timeout: noTimeout,
    logLevel: "off",
    logger: silent,
    // A redirected request would be a second one, and would take secret headers to another host.
    fetchOptions: { redirect: "manual" }
  })
  const vendor = isVendor(options.baseUrl)
  const dialect: Request.Dialect = {
    maxTokensField: options.maxTokensField ?? (vendor ? "max_completion_tokens" : "max_tokens"),
    developerRole: options.developerRole ?? (vendor ? "developer" : "system"),
    reasoningField: options.reasoningField
  }
  const limits = Timeouts.limits(options.timeouts)

  const onRejected = (cause: unknown, now: number): ModelErrorReason =>
    cause instanceof OpenAI.APIError && cause.status !== undefined
      ? failures.http({ status: cause.status, body: cause.error ?? cause.message, headers: cause.headers, now })
      : failures.network(cause)

  return {
    name,
    dialect: "openai",
    stream: (request) =>
      Stream.suspend(() => {
        const model = request.model ?? options.model
        const body = Request.body(request, model, dialect)
        if (Result.isFailure(body)) return Stream.fail(failures.error(model, failures.unsupported(body.failure)))
        return ServerEvents.stream(() => ({
          open: (signal) => client.chat.completions.create(body.success, { signal }).asResponse(),
          onRejected,
          decoder: new ChunkDecoder(failures, request.includeRaw),
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
    Effect.gen(function* () {
      const baseUrl = Option.filter(yield* Config.option(Config.String("OPENAI_BASE_URL")), (url) => url !== "")
      const key = Config.map(Config.NonEmptyString("OPENAI_API_KEY"), (key) => Redacted.make(key))
      // An empty variable is a missing one.
      const isKeyless = (yield* Config.withDefault(Config.String("OPENAI_API_KEY"), "")) === ""
      return make({
        ...options,
        model: options.model ?? (yield* Config.NonEmptyString("EFFIGENT_MODEL")),
        apiKey: isKeyless && Option.isSome(baseUrl) ? undefined : yield* key,
        baseUrl: Option.getOrUndefined(baseUrl)
      })
    })
  )
