/**
 * From what an AI SDK model throws, or puts into its stream, to the reason of a `ModelError`. Errors are told apart by
 * their names, which the SDK keeps stable over the versions of its packages; nothing of it is imported at run time.
 */
import {
  ConnectionLost,
  Incomplete,
  InvalidRequest,
  Malformed,
  type ModelErrorReason,
  ProviderUnavailable,
  StreamFailed,
  Unauthorized,
  Unsupported
} from "../../services/ModelError.ts"
import type { Failures } from "../../src/wire/Failure.ts"
import * as Fields from "../../src/wire/Fields.ts"

/** When something was thrown: before the answer began, or inside it. @category models */
export type Phase = "request" | "answer"

/** The reason for what was thrown; `now` is the wall clock in milliseconds. @category failures */
export const thrown = (cause: unknown, phase: Phase, failures: Failures, now: number): ModelErrorReason => {
  const error = Fields.object(cause)
  const status = Fields.number(error?.["statusCode"])
  if (error !== undefined && status !== undefined && status >= 300) return rejected(error, status, failures, now)
  const name = Fields.text(error?.["name"]) ?? ""
  const message = failures.quote(Fields.text(error?.["message"]) ?? String(cause), 300)
  switch (name) {
    case "AI_UnsupportedFunctionalityError":
      return new Unsupported({ detail: message })
    case "AI_LoadAPIKeyError":
      return new Unauthorized({ detail: message })
    case "AI_LoadSettingError":
    case "AI_NoSuchModelError":
    case "AI_NoSuchProviderReferenceError":
    case "AI_InvalidArgumentError":
    case "AI_InvalidPromptError":
      return new InvalidRequest({ detail: message })
    case "AI_NoContentGeneratedError":
    case "AI_EmptyResponseBodyError":
      return new Incomplete({ detail: message })
    case "AI_InvalidResponseDataError":
      // How its providers say that the stream ended early.
      return /ended without|interrupted|truncated/i.test(message)
        ? new Incomplete({ detail: message })
        : new Malformed({ detail: message })
    case "AI_JSONParseError":
    case "AI_TypeValidationError":
      return new Malformed({ detail: message })
    case "AbortError":
    case "TimeoutError":
    case "ResponseAborted":
      return new ConnectionLost({ detail: message })
    case "AI_APICallError": {
      // A status of success: the answer broke off, or was none.
      const inner = Fields.object(error?.["cause"])
      const broken =
        status === undefined || (inner !== undefined && Fields.text(inner["name"])?.startsWith("AI_") !== true)
      if (!broken) return new Malformed({ detail: message })
      return phase === "answer" || status !== undefined ? failures.lost(cause) : failures.network(cause)
    }
    default:
      if (phase === "answer") return failures.lost(cause)
      // fetch says `TypeError: fetch failed` and hides the reason in its cause; all else is the model's own bug.
      return error?.["cause"] !== undefined || Fields.text(error?.["code"]) !== undefined
        ? failures.network(cause)
        : new StreamFailed({ detail: `${name === "" ? "" : `${name}: `}${message}`, transient: false })
  }
}

/** The reason for an error part of a stream. @category failures */
export const part = (error: unknown, failures: Failures, now: number): ModelErrorReason =>
  error instanceof Error ? thrown(error, "answer", failures, now) : failures.frame(error)

// One table for all vendors decides; the SDK's own word counts where the table knows only the kind of the status.
const rejected = (error: Fields.Fields, status: number, failures: Failures, now: number): ModelErrorReason => {
  const text = Fields.text(error["responseBody"])
  const body =
    text === undefined
      ? (Fields.object(error["data"]) ?? { error: { message: error["message"], type: error["type"] } })
      : (Fields.json(text) ?? text)
  const reason = failures.http({ status, body, headers: headersOf(error["responseHeaders"]), now })
  const { isRetryable } = error
  const { code, detail } = reason
  const facts = { detail, status, ...(code === undefined ? {} : { code }) }
  if (reason._tag === "InvalidRequest" && isRetryable === true) return new ProviderUnavailable(facts)
  if (reason._tag === "ProviderUnavailable" && isRetryable === false)
    return new StreamFailed({ ...facts, transient: false })
  return reason
}

// Those that say something to the table; others may be of any form.
const headersOf = (given: unknown): Headers => {
  const headers = new Headers()
  for (const [name, value] of Object.entries(Fields.object(given) ?? {})) {
    if (/^(retry-after(-ms)?|location)$/i.test(name) && typeof value === "string") headers.set(name, value)
  }
  return headers
}
