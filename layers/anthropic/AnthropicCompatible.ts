/**
 * A `ModelProvider` over Anthropic's messages protocol, as Anthropic and compatible gateways speak it.
 *
 * The official SDK builds and sends the request; the answer is read by `src/wire`. Retrying is not done here: one run
 * of the stream is one physical request.
 */
import Anthropic from "@anthropic-ai/sdk"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { ModelErrorReason } from "../../services/ModelError.ts"
import { ModelProvider } from "../../services/ModelProvider.ts"
import * as Endpoint from "../../src/wire/Endpoint.ts"
import { Failures } from "../../src/wire/Failure.ts"
import * as Seal from "../../src/wire/Seal.ts"
import * as ServerEvents from "../../src/wire/ServerEvents.ts"
import * as Timeouts from "../../src/wire/Timeouts.ts"
import { EventDecoder } from "./Events.ts"
import * as Request from "./Request.ts"

/**
 * Where and how to ask.
 *
 * @category models
 */
export interface Options extends Endpoint.EndpointOptions {
  /** The base URL, up to and without the version. Default `https://api.anthropic.com`. */
  readonly baseUrl?: string | undefined
  /**
   * How the key is sent: as `Authorization: Bearer` or as `X-Api-Key`. Default `bearer` at Anthropic, as its own SDK
   * does since version 1, and `x-api-key` elsewhere, where many gateways know nothing else.
   */
  readonly auth?: "bearer" | "x-api-key" | undefined
  /** The limit of the answer where the request sets none: the protocol insists on one. Default 8192 tokens. */
  readonly maxTokens?: number | undefined
  /** The provider's name in errors, spans and `meta`. Default `anthropic`. */
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
  baseUrl === undefined || /^https?:\/\/([^/]+\.)?anthropic\.com(:\d+)?(\/|$)/i.test(baseUrl)

/**
 * The provider as a value, for pools and adapters.
 *
 * @category constructors
 */
export const make = (options: Options): ModelProvider["Service"] => {
  const name = options.name ?? "anthropic"
  const baseUrl = options.baseUrl ?? "https://api.anthropic.com"
  const { apiKey, headers, secrets } = Endpoint.open(options, options.baseUrl)
  const failures = new Failures(name, secrets)
  const auth = options.auth ?? (isVendor(options.baseUrl) ? "bearer" : "x-api-key")
  // The SDK sends a key as a bearer token, unless that header is taken away.
  const credentials: Record<string, string | null> =
    apiKey !== undefined && auth === "bearer" ? {} : { authorization: null, "x-api-key": apiKey ?? null }
  // Everything is given, lest the SDK look into the environment or into a profile on disk.
  const client = new Anthropic({
    apiKey: apiKey ?? "none",
    baseURL: baseUrl,
    webhookKey: null,
    defaultHeaders: { ...credentials, ...headers },
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
    maxRetries: 0,
    timeout: noTimeout,
    logLevel: "off",
    logger: silent,
    openTelemetry: false,
    // A redirected request would be a second one, and would take secret headers to another host.
    fetchOptions: { redirect: "manual" }
  })
  const limits = Timeouts.limits(options.timeouts)
  const dialect = { maxTokens: options.maxTokens ?? 8192, vendor: Seal.vendor("anthropic", baseUrl) }

  const onRejected = (cause: unknown, now: number): ModelErrorReason =>
    cause instanceof Anthropic.APIError && cause.status !== undefined
      ? failures.http({ status: cause.status, body: cause.error ?? cause.message, headers: cause.headers, now })
      : failures.network(cause)

  return {
    name,
    dialect: "anthropic",
    stream: (request) =>
      Stream.suspend(() => {
        const model = request.model ?? options.model
        const body = Request.body(request, model, dialect)
        if (Result.isFailure(body)) return Stream.fail(failures.error(model, failures.unsupported(body.failure)))
        return ServerEvents.stream(() => ({
          open: (signal) => client.messages.create(body.success, { signal }).asResponse(),
          onRejected,
          decoder: new EventDecoder(failures, request.includeRaw, dialect.vendor),
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
 * import { AnthropicCompatible } from "effigent/layers/anthropic"
 *
 * const claude = AnthropicCompatible.layer({
 *   apiKey: Redacted.make("sk-ant-..."),
 *   model: "claude-sonnet-5-5",
 *   maxTokens: 16_000
 * })
 * console.log(Layer.isLayer(claude)) // => true
 * ```
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<ModelProvider> => Layer.sync(ModelProvider, () => make(options))

/**
 * The provider as the configuration describes it: `ANTHROPIC_API_KEY`, `ANTHROPIC_BASE_URL` and `EFFIGENT_MODEL`. The
 * key may be absent where a base URL is given, and the model where `options` names one. Fails with a `ConfigError` that
 * names what is missing.
 *
 * @category layers
 */
export const layerConfig = (options: ConfigOptions = {}): Layer.Layer<ModelProvider, Config.ConfigError> =>
  Layer.effect(
    ModelProvider,
    Effect.gen(function* () {
      const baseUrl = Option.filter(yield* Config.option(Config.String("ANTHROPIC_BASE_URL")), (url) => url !== "")
      const key = Config.map(Config.NonEmptyString("ANTHROPIC_API_KEY"), (key) => Redacted.make(key))
      // An empty variable is a missing one.
      const isKeyless = (yield* Config.withDefault(Config.String("ANTHROPIC_API_KEY"), "")) === ""
      return make({
        ...options,
        model: options.model ?? (yield* Config.NonEmptyString("EFFIGENT_MODEL")),
        apiKey: isKeyless && Option.isSome(baseUrl) ? undefined : yield* key,
        baseUrl: Option.getOrUndefined(baseUrl)
      })
    })
  )
