/**
 * A `ModelProvider` over OpenAI's Responses protocol: what OpenAI's reasoning models speak best (summaries of their
 * reasoning, ciphers that carry it from turn to turn), and a growing number of other servers.
 *
 * The official SDK builds and sends the request; the answer is read by `src/wire`. Retrying is not done here: one run
 * of the stream is one physical request. Conversations are sent whole; the server keeps nothing unless it is asked to.
 */
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { ModelProvider } from "../../services/ModelProvider.ts"
import * as Seal from "../../src/wire/Seal.ts"
import * as ServerEvents from "../../src/wire/ServerEvents.ts"
import * as Client from "./Client.ts"
import { ResponsesDecoder } from "./ResponsesEvents.ts"
import * as Request from "./ResponsesRequest.ts"

/**
 * Where and how to ask.
 *
 * @category models
 */
export interface Options extends Client.ClientOptions {
  /**
   * How the model reasons. `summary` is what makes OpenAI's models tell their reasoning at all. Default: it is not
   * sent, for models that do not reason refuse it.
   */
  readonly reasoning?:
    | {
        readonly effort?: "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | undefined
        readonly summary?: "auto" | "concise" | "detailed" | undefined
      }
    | undefined
  /** Whether the server keeps the response. Default false. */
  readonly store?: boolean | undefined
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
  const { effort, summary } = options.reasoning ?? {}
  const dialect: Request.Dialect = {
    developerRole,
    store: options.store === true,
    hasCacheFields: options.promptCache ?? isVendor,
    vendor: Seal.vendor("responses", baseUrl),
    reasoning:
      options.reasoning === undefined
        ? undefined
        : { ...(effort === undefined ? {} : { effort }), ...(summary === undefined ? {} : { summary }) }
  }
  return {
    name,
    dialect: "openai",
    stream: (request) =>
      Stream.suspend(() => {
        const model = request.model ?? options.model
        const body = Request.body(request, model, dialect)
        if (Result.isFailure(body)) return Stream.fail(failures.error(model, failures.unsupported(body.failure)))
        return ServerEvents.stream(() => ({
          open: (signal) => sdk.responses.create(body.success, { signal }).asResponse(),
          onRejected,
          decoder: decoder(new ResponsesDecoder(failures, request.includeRaw, dialect.vendor)),
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
 * import { Layer, Redacted } from "effect"
 * import { OpenAIResponsesCompatible } from "effigent/layers/openai"
 *
 * const thinker = OpenAIResponsesCompatible.layer({
 *   model: "gpt-5.1",
 *   apiKey: Redacted.make("sk-..."),
 *   reasoning: { effort: "low", summary: "auto" }
 * })
 * console.log(Layer.isLayer(thinker)) // => true
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
