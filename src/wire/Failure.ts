/**
 * From what a provider's endpoint said, did or failed to do, to the reason of a `ModelError`. One table for all
 * vendors: their codes do not collide, and compatible servers mix them.
 *
 * Every text that enters a reason passes through `quote`, which cuts it and blots out the secrets of the layer, for
 * some servers repeat the key that they refuse.
 */
import {
  ConnectionLost,
  ContextOverflow,
  Incomplete,
  InvalidRequest,
  Malformed,
  ModelError,
  type ModelErrorReason,
  ProviderUnavailable,
  QuotaExhausted,
  RateLimited,
  Refused,
  StreamFailed,
  TimedOut,
  Unauthorized,
  Unreachable,
  Unsupported
} from "../../services/ModelError.ts"
import * as Fields from "./Fields.ts"

/** The stages that have a time-out. @category models */
export type Stage = TimedOut["stage"]

/** An answer with a status that is not success. @category models */
export interface HttpFailure {
  readonly status: number
  /** The body: parsed where it is JSON, else its text. */
  readonly body: unknown
  readonly headers: Headers | undefined
  /** The wall clock in milliseconds, for `Retry-After` as a date. */
  readonly now: number
}

const quotaCodes = /^(insufficient_quota|billing_\w+|insufficient_(balance|credits|funds)|payment_required)$/
const authCodes = /^(invalid_api_key|authentication_error|permission_error|permission_denied|unauthorized)$/
const rateCodes = /^(rate_limit\w*|too_many_requests|resource_exhausted)$/
const busyCodes = /^(overloaded\w*|service_unavailable\w*|unavailable)$/
const overflowCodes = /^(context_length_exceeded|model_context_window_exceeded|exceed_context_size_error)$/
const refusalCodes = /^(content_filter|\w*policy(_?violation)?)$/
const transientCodes = /^(server_error|api_error|internal\w*|timeout\w*|upstream\w*|bad_gateway|gateway_timeout)$/
const overflowWords =
  /maximum context|context (length|window|size)|prompt is too long|input is too long|too many (input )?tokens/i

// What was said, in one form for answers and for frames.
interface Said {
  readonly detail: string
  readonly code: string | undefined
  readonly words: ReadonlyArray<string>
}

const said = (body: unknown): Said => {
  const outer = Fields.object(body)
  const nested = outer === undefined ? undefined : (Fields.object(outer["error"]) ?? outer)
  if (nested === undefined) return { detail: Fields.text(body) ?? "", code: undefined, words: [] }
  const message =
    Fields.text(nested["message"]) ??
    Fields.text(nested["error"]) ??
    Fields.text(nested["detail"]) ??
    Fields.text(outer?.["message"]) ??
    JSON.stringify(nested)
  const code = Fields.code(nested["code"])
  const type = Fields.text(nested["type"]) ?? Fields.text(nested["status"])
  const words = [code, type].flatMap((word) => (word === undefined || word === "error" ? [] : [word.toLowerCase()]))
  return { detail: message, code: code ?? (type === "error" ? undefined : type), words }
}

const retryAfter = (headers: Headers | undefined, now: number): number | undefined => {
  const millis = Number.parseFloat(headers?.get("retry-after-ms") ?? "")
  if (Number.isFinite(millis)) return Math.max(0, millis)
  const header = headers?.get("retry-after")
  if (header === undefined || header === null) return undefined
  const seconds = Number(header)
  if (header.trim() !== "" && Number.isFinite(seconds)) return Math.max(0, seconds * 1000)
  const date = Date.parse(header)
  return Number.isFinite(date) ? Math.max(0, date - now) : undefined
}

// The deepest error of a chain of causes is the one that says what happened.
const root = (cause: unknown): { readonly code?: string; readonly name?: string; readonly message: string } => {
  let code: string | undefined
  let name: string | undefined
  let message = ""
  let current: unknown = cause
  for (let depth = 0; depth < 8; depth++) {
    const error = Fields.object(current)
    if (error === undefined) break
    code = Fields.text(error["code"]) ?? code
    name = Fields.text(error["name"]) ?? name
    message = Fields.text(error["message"]) ?? message
    current = error["cause"] ?? Fields.list(error["errors"])[0]
  }
  return {
    ...(code === undefined ? {} : { code }),
    ...(name === undefined ? {} : { name }),
    message: message === "" ? String(cause) : message
  }
}

const lostCodes = new Set(["ECONNRESET", "ECONNABORTED", "EPIPE", "UND_ERR_SOCKET", "UND_ERR_HEADERS_TIMEOUT"])

/**
 * Makes the reasons of one provider. Holds the secrets that must never stand in one.
 *
 * @category failures
 */
export class Failures {
  private readonly provider: string
  private readonly secrets: ReadonlyArray<string>

  /** `secrets` are blotted out wherever a provider repeats them. */
  constructor(provider: string, secrets: ReadonlyArray<string>) {
    this.provider = provider
    // A shorter one is a placeholder, and blotting it out would only spoil the text.
    this.secrets = secrets.filter((secret) => secret.length >= 8)
  }

  /** The error with this reason. */
  error(model: string, reason: ModelErrorReason): ModelError {
    return new ModelError({ provider: this.provider, model, reason })
  }

  /** A text of the provider's in one line, without secrets: its first `max` characters, or its last ones. */
  quote(source: string, max: number, side: "start" | "end" = "start"): string {
    let clean = source
    for (const secret of this.secrets) clean = clean.replaceAll(secret, "<redacted>")
    const line = clean.replace(/\s+/g, " ").trim()
    if (line.length <= max) return line
    return side === "start" ? `${line.slice(0, max)}...` : `...${line.slice(-max)}`
  }

  /** An answer whose status is not success. */
  http({ body, headers, now, status }: HttpFailure): ModelErrorReason {
    const { code, detail, words } = said(body)
    const location = status >= 300 && status < 400 ? headers?.get("location") : undefined
    const text = location ? `the endpoint redirects to ${location}; use that as the base URL` : detail
    return this.classify({ detail: text, code, words }, status, retryAfter(headers, now), () => {
      const facts = this.facts(text, code, status)
      return status >= 500 || status === 408 || status === 409
        ? new ProviderUnavailable({ ...facts, ...wait(retryAfter(headers, now)) })
        : new InvalidRequest(facts)
    })
  }

  /** An error that stands inside a stream which had begun with success. */
  frame(body: unknown): ModelErrorReason {
    const { code, detail, words } = said(body)
    const status = Number(words.find((word) => /^[45]\d\d$/.test(word)) ?? Number.NaN)
    return this.classify({ detail, code, words }, status, undefined, () => {
      const transient = status >= 500 || words.some((word) => transientCodes.test(word))
      return new StreamFailed({ ...this.facts(detail, code), transient })
    })
  }

  /** A request that got no answer. */
  network(cause: unknown): ModelErrorReason {
    const { code, message, name } = root(cause)
    if (name === "HTTPParserError") return this.malformed("the answer is not HTTP", message)
    const facts = this.facts(message, code)
    return code !== undefined && lostCodes.has(code) ? new ConnectionLost(facts) : new Unreachable(facts)
  }

  /** A connection that broke inside an answer. */
  lost(cause: unknown): ModelErrorReason {
    const { code, message } = root(cause)
    return new ConnectionLost(this.facts(message, code))
  }

  /** A time-out of ours. */
  timedOut(stage: Stage, millis: number): ModelErrorReason {
    const what = {
      connect: "no response headers",
      firstToken: "no content",
      idle: "no more content",
      total: "the answer was not complete"
    }[stage]
    return new TimedOut({ detail: `${stage} timeout: ${what} within ${millis} ms`, stage, millis })
  }

  /** A stream that ended without proof of success. */
  incomplete(lastWords: string): ModelErrorReason {
    const end = this.quote(lastWords, 120, "end")
    return new Incomplete({ detail: end === "" ? "nothing was sent" : `its end was: ${end}` })
  }

  /** Something that is not the protocol. */
  malformed(what: string, source: string): ModelErrorReason {
    return new Malformed({ detail: `${what}: ${this.quote(source, 120)}` })
  }

  /** Something that this provider cannot do. */
  unsupported(detail: string): ModelErrorReason {
    return new Unsupported({ detail })
  }

  private facts(detail: string, code: string | undefined, status?: number) {
    return {
      detail: this.quote(detail, 300),
      ...(code === undefined ? {} : { code: this.quote(code, 80) }),
      ...(status === undefined ? {} : { status })
    }
  }

  private classify(
    { code, detail, words }: Said,
    status: number,
    retryAfterMillis: number | undefined,
    otherwise: () => ModelErrorReason
  ): ModelErrorReason {
    const facts = this.facts(detail, code, Number.isNaN(status) ? undefined : status)
    const is = (codes: RegExp) => words.some((word) => codes.test(word))
    if (is(quotaCodes) || status === 402) return new QuotaExhausted(facts)
    if (is(authCodes) || status === 401 || status === 403) return new Unauthorized(facts)
    if (is(refusalCodes)) return new Refused(facts)
    if (is(rateCodes) || status === 429) return new RateLimited({ ...facts, ...wait(retryAfterMillis) })
    if (is(busyCodes) || status === 503 || status === 529) {
      return new ProviderUnavailable({ ...facts, ...wait(retryAfterMillis) })
    }
    // Some servers say it in words only, and with 500.
    if (is(overflowCodes) || (status !== 404 && overflowWords.test(detail))) return new ContextOverflow(facts)
    return otherwise()
  }
}

const wait = (retryAfterMillis: number | undefined) => (retryAfterMillis === undefined ? {} : { retryAfterMillis })
