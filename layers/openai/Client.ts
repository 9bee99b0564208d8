/** What the protocols of OpenAI have in common: the options, the SDK's client, and how a rejected request fails. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import OpenAI from "openai"
import type { ModelErrorReason } from "../../services/ModelError.ts"
import type { PromptCache } from "../../services/ModelProvider.ts"
import * as Endpoint from "../../src/wire/Endpoint.ts"
import { Failures } from "../../src/wire/Failure.ts"
import type { Decoder } from "../../src/wire/ServerEvents.ts"
import { ThinkTags } from "../../src/wire/ThinkTags.ts"
import * as Timeouts from "../../src/wire/Timeouts.ts"

/**
 * Where and how to ask, in either protocol.
 *
 * @category models
 */
export interface ClientOptions extends Endpoint.EndpointOptions {
  /** The base URL, up to and with the version. Default `https://api.openai.com/v1`. */
  readonly baseUrl?: string | undefined
  /** The organization that pays. */
  readonly organization?: string | undefined
  /** The project that pays. */
  readonly project?: string | undefined
  /** The role of developer messages. Default `developer` at OpenAI and Azure, `system` elsewhere. */
  readonly developerRole?: "developer" | "system" | undefined
  /**
   * Whether a `<think>` block at the very start of the answer is taken for the model's reasoning, as open models behind
   * plain servers write it. Default true.
   */
  readonly thinkTags?: boolean | undefined
  /**
   * Whether the server knows OpenAI's fields for the prompt cache, into which `options.cache` goes. Default: true at
   * OpenAI and Azure, false elsewhere, where `options.cache` is passed over.
   */
  readonly promptCache?: boolean | undefined
  /** The provider's name in errors, spans and `meta`. Default `openai`. */
  readonly name?: string | undefined
}

/** Options and what follows from them. @category models */
export interface Client {
  readonly name: string
  readonly sdk: OpenAI
  /** Whether the endpoint is one of OpenAI's own or Azure's. */
  readonly isVendor: boolean
  /** The base URL that is asked. */
  readonly baseUrl: string
  readonly developerRole: "developer" | "system"
  readonly limits: Timeouts.Limits
  readonly failures: Failures
  readonly onRejected: (cause: unknown, now: number) => ModelErrorReason
  /** The decoder with what the options add to it. */
  readonly decoder: (inner: Decoder) => Decoder
}

// The SDK wants a number of milliseconds; this is the largest that a timer takes. Our own time-outs end the request.
const noTimeout = 0x7fffffff

const silent = { error() {}, warn() {}, info() {}, debug() {} }

const vendorUrl = /^https?:\/\/([^/]+\.)?(openai\.com|openai\.azure\.com)(:\d+)?(\/|$)/i

/**
 * The wish to keep the prompt, in the words of both protocols. They keep what is long enough without being asked; the
 * wish says for how long, and which requests belong together.
 *
 * @category rendering
 */
export const cacheFields = ({
  key,
  retention
}: PromptCache): { prompt_cache_key?: string; prompt_cache_retention?: "24h" } => ({
  ...(key === undefined ? {} : { prompt_cache_key: key }),
  ...(retention === "long" ? { prompt_cache_retention: "24h" } : {})
})

/** Opens a client. @category constructors */
export const open = (options: Omit<ClientOptions, "model">): Client => {
  const name = options.name ?? "openai"
  const baseUrl = options.baseUrl ?? "https://api.openai.com/v1"
  const { apiKey, headers, secrets } = Endpoint.open(options, options.baseUrl)
  const failures = new Failures(name, secrets)
  // What is not given is null, lest the SDK look into the environment.
  const sdk = new OpenAI({
    apiKey: apiKey ?? "none",
    adminAPIKey: null,
    baseURL: baseUrl,
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
  const isVendor = options.baseUrl === undefined || vendorUrl.test(options.baseUrl)
  return {
    name,
    sdk,
    isVendor,
    baseUrl,
    developerRole: options.developerRole ?? (isVendor ? "developer" : "system"),
    limits: Timeouts.limits(options.timeouts),
    failures,
    onRejected: (cause, now) =>
      cause instanceof OpenAI.APIError && cause.status !== undefined
        ? failures.http({ status: cause.status, body: cause.error ?? cause.message, headers: cause.headers, now })
        : failures.network(cause),
    decoder: (inner) => (options.thinkTags === false ? inner : new ThinkTags(inner))
  }
}

/**
 * What the configuration says: `OPENAI_API_KEY`, `OPENAI_BASE_URL` and `EFFIGENT_MODEL`. The key may be absent where a
 * base URL is given; the model is read where the program names none.
 *
 * @category constructors
 */
export const fromConfig = Effect.fnUntraced(function* (
  model: string | undefined
): Effect.fn.Return<Pick<ClientOptions, "model" | "apiKey" | "baseUrl">, Config.ConfigError> {
  const baseUrl = Option.filter(yield* Config.option(Config.String("OPENAI_BASE_URL")), (url) => url !== "")
  const key = Config.map(Config.NonEmptyString("OPENAI_API_KEY"), (key) => Redacted.make(key))
  // An empty variable is a missing one.
  const isKeyless = (yield* Config.withDefault(Config.String("OPENAI_API_KEY"), "")) === ""
  return {
    model: model ?? (yield* Config.NonEmptyString("EFFIGENT_MODEL")),
    apiKey: isKeyless && Option.isSome(baseUrl) ? undefined : yield* key,
    baseUrl: Option.getOrUndefined(baseUrl)
  }
})
