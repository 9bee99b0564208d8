/**
 * What can go wrong between a program and a model: one error class, `ModelError`, whose `reason` says which of the
 * known kinds it was. Catch all of it with `Effect.catchTag("ModelError", ...)`, one kind with
 * `Effect.catchReason("ModelError", "RateLimited", ...)`.
 *
 * A reason carries facts only (status, code, the provider's own words); keys and request bodies never enter it.
 */
import * as Schema from "effect/Schema"

const facts = {
  /** The provider's own words, or ours where it said nothing. At most a few hundred characters. */
  detail: Schema.String,
  /** HTTP status, where there was a response. */
  status: Schema.optionalKey(Schema.Finite),
  /** The provider's error code or type, as it sent it. */
  code: Schema.optionalKey(Schema.String)
}

/** The provider refused the credentials (401, 403). Never retried: a retry cannot help. @category reasons */
export class Unauthorized extends Schema.TaggedClass<Unauthorized>()("Unauthorized", facts) {}

/** Too many requests or tokens for now (429). @category reasons */
export class RateLimited extends Schema.TaggedClass<RateLimited>()("RateLimited", {
  ...facts,
  /** How long the provider asks to wait, in milliseconds. */
  retryAfterMillis: Schema.optionalKey(Schema.Finite)
}) {}

/** The account has no budget left: waiting does not help. @category reasons */
export class QuotaExhausted extends Schema.TaggedClass<QuotaExhausted>()("QuotaExhausted", facts) {}

/** The provider rejects this request as it stands (400, 404, 422): unknown model, bad parameter. @category reasons */
export class InvalidRequest extends Schema.TaggedClass<InvalidRequest>()("InvalidRequest", facts) {}

/** The prompt, or prompt and answer together, do not fit the model's context window. @category reasons */
export class ContextOverflow extends Schema.TaggedClass<ContextOverflow>()("ContextOverflow", facts) {}

/** The provider cannot serve now (5xx, 529 overloaded), before or in mid-stream. @category reasons */
export class ProviderUnavailable extends Schema.TaggedClass<ProviderUnavailable>()("ProviderUnavailable", {
  ...facts,
  /** How long the provider asks to wait, in milliseconds. */
  retryAfterMillis: Schema.optionalKey(Schema.Finite)
}) {}

/** The host could not be reached: name not found, connection refused, TLS failure. @category reasons */
export class Unreachable extends Schema.TaggedClass<Unreachable>()("Unreachable", facts) {}

/** The connection broke after it had been made. @category reasons */
export class ConnectionLost extends Schema.TaggedClass<ConnectionLost>()("ConnectionLost", facts) {}

/** A time-out of ours fired; `stage` says which. @category reasons */
export class TimedOut extends Schema.TaggedClass<TimedOut>()("TimedOut", {
  ...facts,
  /** `connect`: no response headers; `firstToken`: no content; `idle`: content stopped; `total`: the whole took too long. */
  stage: Schema.Literals(["connect", "firstToken", "idle", "total"]),
  /** The limit that was exceeded, in milliseconds. */
  millis: Schema.Finite
}) {}

/** The stream ended without proof of success: no finish reason, no closing event. @category reasons */
export class Incomplete extends Schema.TaggedClass<Incomplete>()("Incomplete", facts) {}

/** The provider reported an error inside a stream that had begun with success. @category reasons */
export class StreamFailed extends Schema.TaggedClass<StreamFailed>()("StreamFailed", {
  ...facts,
  /** True where the provider's code says that the same request may succeed later. */
  transient: Schema.Boolean
}) {}

/** The provider sent something that is not its protocol. `detail` quotes the first 120 characters. @category reasons */
export class Malformed extends Schema.TaggedClass<Malformed>()("Malformed", facts) {}

/** The request asks for something that this provider cannot do. Nothing was sent. @category reasons */
export class Unsupported extends Schema.TaggedClass<Unsupported>()("Unsupported", facts) {}

/**
 * The model declined to answer, or the provider's content filter stopped the answer. The text that had arrived stays
 * readable on the response. @category reasons
 */
export class Refused extends Schema.TaggedClass<Refused>()("Refused", facts) {}

/**
 * The kinds of `ModelError`.
 *
 * @category models
 */
export const ModelErrorReason = Schema.Union([
  Unauthorized,
  RateLimited,
  QuotaExhausted,
  InvalidRequest,
  ContextOverflow,
  ProviderUnavailable,
  Unreachable,
  ConnectionLost,
  TimedOut,
  Incomplete,
  StreamFailed,
  Malformed,
  Unsupported,
  Refused
])

/** The kinds of `ModelError`, as a type. @category models */
export type ModelErrorReason = typeof ModelErrorReason.Type

const hints: Record<ModelErrorReason["_tag"], string> = {
  Unauthorized: "the provider refused the credentials; check the API key",
  RateLimited: "the provider's rate limit was reached; wait and try again",
  QuotaExhausted: "the account has no quota left; check plan and billing",
  InvalidRequest: "the provider rejected the request; check the model name and the options",
  ContextOverflow: "the prompt does not fit the model's context window; shorten it or choose a larger model",
  ProviderUnavailable: "the provider cannot serve at the moment; try again later",
  Unreachable: "the provider's host could not be reached; check the base URL and the network",
  ConnectionLost: "the connection broke in mid-answer; try again",
  TimedOut: "the provider was too slow; raise the time-out or try again",
  Incomplete: "the answer ended without a finish reason; try again",
  StreamFailed: "the provider reported an error in mid-answer",
  Malformed: "the endpoint does not speak the expected protocol; check the base URL",
  Unsupported: "this provider cannot do what the request asks for",
  Refused: "the model or its content filter declined to answer"
}

// Who failed and why. Two places hold it: the error itself, and what it tells of the others that failed after it.
const failure = {
  /** The provider's name as its layer gives it: `openai`, `anthropic`, `offline`, ... */
  provider: Schema.String,
  /** The model that was asked, as it was named in the request. */
  model: Schema.optionalKey(Schema.String),
  /** What happened. */
  reason: ModelErrorReason
}

const Failure = Schema.Struct(failure)

const who = ({ model, provider }: typeof Failure.Type) => (model === undefined ? provider : `${provider} (${model})`)

const kind = ({ _tag, status }: ModelErrorReason) => `[${_tag}${status === undefined ? "" : `, HTTP ${status}`}]`

const words = ({ detail }: ModelErrorReason) => (detail === "" ? "" : `: ${detail}`)

/**
 * A failed model call: which provider and model, and why.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { ModelError, RateLimited } from "effigent/services/ModelError"
 *
 * const failed = Effect.fail(
 *   new ModelError({ provider: "openai", model: "gpt-4.1-mini", reason: new RateLimited({ detail: "slow down", retryAfterMillis: 1000 }) })
 * )
 * const waits = failed.pipe(Effect.catchReason("ModelError", "RateLimited", (reason) => Effect.succeed(reason.retryAfterMillis)))
 * console.log(Effect.runSync(waits)) // => 1000
 * ```
 *
 * @category errors
 */
export class ModelError extends Schema.TaggedError<ModelError>()("ModelError", {
  ...failure,
  /** Where a pool went on to other models or keys: how each of those failed, in order. */
  others: Schema.optionalKey(Schema.Array(Failure))
}) {
  /** One sentence: who, what, the provider's words, what to do; then who else failed. */
  override get message(): string {
    const { others = [], reason } = this
    const rest = others.map((other) => `; then ${who(other)} ${kind(other.reason)}${words(other.reason)}`)
    return `${who(this)}: ${hints[reason._tag]} ${kind(reason)}${words(reason)}${rest.join("")}`
  }

  /** Whether the same request, sent again unchanged, may succeed. */
  get isRetryable(): boolean {
    const reason = this.reason
    switch (reason._tag) {
      case "RateLimited":
      case "ProviderUnavailable":
      case "Unreachable":
      case "ConnectionLost":
      case "TimedOut":
      case "Incomplete":
        return true
      case "StreamFailed":
        return reason.transient
      default:
        return false
    }
  }

  /** How long the provider asks to wait before the next try, in milliseconds. */
  get retryAfterMillis(): number | undefined {
    const reason = this.reason
    return reason._tag === "RateLimited" || reason._tag === "ProviderUnavailable" ? reason.retryAfterMillis : undefined
  }
}
