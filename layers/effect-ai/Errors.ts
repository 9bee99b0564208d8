/**
 * `ModelError` and `AiError` as each other. What goes out and comes back is the same; retryable stays retryable in both
 * directions. The table of reasons stands in `docs/providers.md`.
 */
import * as Duration from "effect/Duration"
import * as AiError from "effect/ai/AiError"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
  ConnectionLost,
  InvalidRequest,
  Malformed,
  ModelError,
  ModelErrorReason,
  ProviderUnavailable,
  QuotaExhausted,
  RateLimited,
  Refused,
  StreamFailed,
  Unauthorized,
  Unreachable,
  Unsupported
} from "../../services/ModelError.ts"
import type { Failures } from "../../src/wire/Failure.ts"
import * as Fields from "../../src/wire/Fields.ts"

const encodeReason = Schema.encodeSync(ModelErrorReason)
const decodeReason = Schema.decodeUnknownOption(ModelErrorReason)

/** A `ModelError` as effect/ai has it; `method` is the operation that failed. @category conversions */
export const toAiError = (error: ModelError, method: string): AiError.AiError =>
  AiError.make({ module: error.provider, method, reason: toReason(error) })

const toReason = (error: ModelError): AiError.AiErrorReason => {
  const { reason } = error
  const description = reason.detail === "" ? error.message : reason.detail
  // Other programs read the facts here, and we read our own error back.
  const metadata = {
    effigent: {
      provider: error.provider,
      ...(error.model === undefined ? {} : { model: error.model }),
      reason: { ...encodeReason(reason) }
    }
  }
  switch (reason._tag) {
    case "Unauthorized": {
      const kind = reason.status === 401 ? "InvalidKey" : reason.status === 403 ? "InsufficientPermissions" : "Unknown"
      return new AiError.AuthenticationError({ kind, description, metadata })
    }
    case "RateLimited": {
      const wait = reason.retryAfterMillis
      const retryAfter = wait === undefined ? {} : { retryAfter: Duration.millis(wait) }
      return new AiError.RateLimitError({ ...retryAfter, metadata })
    }
    case "QuotaExhausted":
      return new AiError.QuotaExhaustedError({ metadata })
    case "InvalidRequest":
    case "Unsupported":
      return new AiError.InvalidRequestError({ description, metadata })
    case "ContextOverflow":
      return new AiError.InvalidRequestError({ description, constraint: "does not fit the context window", metadata })
    case "ProviderUnavailable":
      return new AiError.InternalProviderError({ description, metadata })
    case "StreamFailed":
      return reason.transient
        ? new AiError.InternalProviderError({ description, metadata })
        : new AiError.UnknownError({ description, metadata })
    case "Malformed":
      return new AiError.InvalidResponseError({ description, metadata })
    case "Refused":
      return new AiError.ContentPolicyError({ description, metadata })
    case "Unreachable":
    case "ConnectionLost":
    case "TimedOut":
    case "Incomplete":
      // The one reason without metadata: the error itself goes along.
      return new AiError.NetworkError({
        reason: "TransportError",
        method: "stream",
        url: error.provider,
        description: `${reason._tag}: ${description}`,
        cause: error
      })
  }
}

/** What an `AiError` says, in our words. @category models */
export interface Told {
  readonly reason: ModelErrorReason
  readonly model?: string | undefined
}

/**
 * An `AiError` as a reason of ours. `begun`: something of the answer had come before it. `failures` classifies what
 * effect/ai has only in words.
 *
 * @category conversions
 */
export const fromAiError = ({ reason }: AiError.AiError, failures: Failures, begun: boolean): Told => {
  const ours = own(reason)
  if (ours !== undefined) return ours
  const status = "http" in reason ? reason.http?.response?.status : undefined
  const detail = failures.quote(reason.message, 300)
  const facts = { detail, ...(status === undefined ? {} : { status }) }
  switch (reason._tag) {
    case "RateLimitError": {
      const wait = reason.retryAfter
      return {
        reason: new RateLimited({
          ...facts,
          ...(wait === undefined ? {} : { retryAfterMillis: Duration.toMillis(wait) })
        })
      }
    }
    case "QuotaExhaustedError":
      return { reason: new QuotaExhausted(facts) }
    case "AuthenticationError":
      return { reason: new Unauthorized(facts) }
    case "ContentPolicyError":
      return { reason: new Refused(facts) }
    case "InvalidRequestError": {
      // A prompt that is too long is an invalid request to effect/ai; only its words tell.
      const said = failures.http({ status: status ?? 400, body: reason.message, headers: undefined, now: 0 })
      return { reason: said._tag === "ContextOverflow" ? said : new InvalidRequest(facts) }
    }
    case "InternalProviderError":
      return { reason: new ProviderUnavailable(facts) }
    case "InvalidResponseError":
      return { reason: new Malformed(facts) }
    case "NetworkError":
      if (reason.reason !== "TransportError") return { reason: new InvalidRequest(facts) }
      return { reason: begun ? new ConnectionLost(facts) : new Unreachable(facts) }
    // What the model wrote was not what effect/ai wants; another try may be.
    case "InvalidOutputError":
    case "StructuredOutputError":
    case "ToolNotFoundError":
    case "ToolParameterValidationError":
      return { reason: new StreamFailed({ ...facts, transient: true }) }
    case "UnsupportedSchemaError":
      return { reason: new Unsupported(facts) }
    case "UnknownError":
      return { reason: new StreamFailed({ ...facts, transient: false }) }
    case "InvalidToolResultError":
    case "ToolResultEncodingError":
    case "ToolConfigurationError":
    case "ToolkitRequiredError":
    case "InvalidUserInputError":
      return { reason: new InvalidRequest(facts) }
  }
}

// An error that left through `toAiError`.
const own = (reason: AiError.AiErrorReason): Told | undefined => {
  if (reason._tag === "NetworkError") {
    return reason.cause instanceof ModelError ? { reason: reason.cause.reason, model: reason.cause.model } : undefined
  }
  const facts = "metadata" in reason ? Fields.object(reason.metadata["effigent"]) : undefined
  if (facts === undefined) return undefined
  return Option.getOrUndefined(
    Option.map(decodeReason(facts["reason"]), (reason) => ({ reason, model: Fields.text(facts["model"]) }))
  )
}
