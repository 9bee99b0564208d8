/**
 * How the server says that something went wrong: problem details (RFC 9457) with the tag of the error, what happened, and
 * whether trying again can help. What nobody foresaw is told by its request id alone; no stack trace ever leaves.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ProblemDetails from "effect/http/ProblemDetails"
import * as HttpApiError from "effect/http-api/HttpApiError"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { ExecutionHostError, FlowFailed } from "../../services/ExecutionHost.ts"
import { ModelError } from "../../services/ModelError.ts"

const fields = {
  /** `urn:effigent:error:<tag>`. */
  type: Schema.String,
  /** The HTTP status. */
  status: Schema.Int,
  /** The kind of problem, in words. */
  title: Schema.String,
  /** What happened, where, and what to do. */
  detail: Schema.String,
  /** The tag of the error: `UnknownExecution`, `ModelError`, ... */
  tag: Schema.String,
  /** Whether the same request may succeed later. */
  retryable: Schema.Boolean,
  /** By which the logs know the request. */
  requestId: Schema.optionalKey(Schema.String)
}

/**
 * A problem, as it stands in the body of a response (`application/problem+json`).
 *
 * @category errors
 */
export class Problem extends Schema.Error<Problem>("Problem")(Schema.Struct(fields), {
  identifier: "Problem",
  description: "What went wrong (RFC 9457), with the tag of the error"
}) {
  readonly _tag = "Problem"
  override get message(): string {
    return `${this.status} ${this.tag}: ${this.detail}`
  }
}

/** The id of the request that is being answered; empty outside of one. @category references */
export const RequestId = Context.Reference<string>("effigent/http/RequestId", { defaultValue: () => "" })

const titles: { readonly [status: number]: string } = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  426: "Upgrade Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout"
}

/** The statuses that problems have. @category models */
export const statuses: ReadonlyArray<number> = Object.keys(titles).map(Number)

/**
 * What a problem says, before it is one.
 *
 * @category models
 */
export interface Told {
  readonly status: number
  readonly tag: string
  readonly detail: string
  readonly retryable?: boolean | undefined
  /** Seconds after which to try again. */
  readonly retryAfter?: number | undefined
}

/**
 * Something that the server itself refuses. Its tag is the tag of the problem.
 *
 * @category errors
 */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  tag: Schema.String,
  status: Schema.Int,
  detail: Schema.String,
  retryable: Schema.Boolean,
  retryAfter: Schema.optionalKey(Schema.Finite)
}) {
  override get message(): string {
    return this.detail
  }
}

/** Refuses a request. @category constructors */
export const refuse = (status: number, tag: string, detail: string, retryAfter?: number): Refused =>
  new Refused({
    tag,
    status,
    detail,
    retryable: retryAfter !== undefined,
    ...(retryAfter === undefined ? {} : { retryAfter })
  })

// Errors whose message is made to be read by whoever asked, with their status.
const known: { readonly [tag: string]: number } = {
  PromptError: 400,
  OutputPathError: 400,
  SessionTurnError: 400,
  UnknownFlow: 404,
  UnknownExecution: 404,
  RunNotFound: 404,
  ExecutionConflict: 409,
  RunConflict: 409,
  RunWasCancelled: 409,
  SessionConflict: 409,
  WatcherOverflow: 409,
  FlowFailed: 422,
  GuardBlocked: 422,
  BudgetExceeded: 429,
  OutputError: 502,
  ActionFlowError: 502,
  SessionStoreError: 503,
  JournalStoreError: 503
}

const statusOfModel = (error: ModelError): number => {
  switch (error.reason._tag) {
    case "RateLimited":
    case "ProviderUnavailable":
    case "Unreachable":
    case "QuotaExhausted":
      return 503
    case "TimedOut":
      return 504
    case "ContextOverflow":
    case "Refused":
      return 422
    default:
      return 502
  }
}

const hidden = "The server failed in a way that it does not tell. Its log has the cause under this request id."

/**
 * What is said of an error. One that is not known is told by its tag alone, since its message was not written for those
 * outside.
 *
 * @category conversions
 */
export const told = (error: unknown): Told => {
  if (error instanceof Refused) return error
  if (error instanceof ModelError) {
    const wait = error.retryAfterMillis
    return {
      status: statusOfModel(error),
      tag: error._tag,
      detail: error.message,
      retryable: error.isRetryable,
      ...(wait === undefined ? {} : { retryAfter: Math.ceil(wait / 1000) })
    }
  }
  // What its contract does not foresee was not written to be read by those outside.
  if (error instanceof FlowFailed && error.failure._tag === "Defect") {
    const detail = `The execution "${error.id}" of "${error.flow}" has failed in a way that its contract does not tell. Its view says more.`
    return { status: 500, tag: error._tag, detail }
  }
  if (error instanceof ExecutionHostError)
    return { status: error.retryable ? 503 : 500, tag: error._tag, detail: error.message, retryable: error.retryable }
  if (HttpApiError.HttpApiSchemaError.is(error))
    return error.kind === "Body" || error.kind === "ResponseHeaders"
      ? { status: 500, tag: "ResponseDoesNotFit", detail: hidden }
      : {
          status: 400,
          tag: "InvalidRequest",
          detail: `The ${error.kind.toLowerCase()} does not fit: ${error.cause.message}`
        }
  if (error instanceof HttpServerError.HttpServerError) return toldOfServer(error)
  if (Predicate.hasProperty(error, "_tag") && typeof error._tag === "string") {
    const status = known[error._tag]
    if (status !== undefined && Predicate.hasProperty(error, "message") && typeof error.message === "string")
      return { status, tag: error._tag, detail: error.message, retryable: status === 503 }
    return { status: 500, tag: error._tag, detail: hidden }
  }
  return { status: 500, tag: "Defect", detail: hidden }
}

const toldOfServer = ({ reason }: HttpServerError.HttpServerError): Told => {
  switch (reason._tag) {
    case "RouteNotFound":
      return {
        status: 404,
        tag: "UnknownPath",
        detail: "There is nothing at this path for this method. The paths are listed at /openapi.json."
      }
    case "RequestParseError":
      return reason.reason === "BodyTooLarge"
        ? { status: 413, tag: "BodyTooLarge", detail: "The body is larger than the server takes. Send less at once." }
        : { status: 400, tag: "UnreadableBody", detail: "The body could not be read. Send it whole, as JSON in UTF-8." }
    default:
      return { status: 500, tag: reason._tag, detail: hidden }
  }
}

/** What is said of a cause: of its first failure, else of its first defect. @category conversions */
export const toldOfCause = (cause: Cause.Cause<unknown>): Told => {
  const failure = Cause.findErrorOption(cause)
  if (Option.isSome(failure)) return told(failure.value)
  for (const reason of cause.reasons) if (reason._tag === "Die") return told(reason.defect)
  return { status: 500, tag: "Interrupted", detail: hidden }
}

/** The problem that something told is. @category conversions */
export const of = ({ detail, retryable, status, tag }: Told, requestId: string): Problem =>
  new Problem({
    type: `urn:effigent:error:${tag}`,
    status,
    title: titles[status] ?? "Error",
    detail,
    tag,
    retryable: retryable === true,
    ...(requestId === "" ? {} : { requestId })
  })

const encode = Schema.encodeSync(Problem)

/** A problem as a line of JSON. @category conversions */
export const toJson = (problem: Problem): string => JSON.stringify(encode(problem))

/** The response that tells something. @category conversions */
export const response = (said: Told): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.map(RequestId, (id) => {
    const answer = ProblemDetails.toResponse({ ...encode(of(said, id)) })
    return said.retryAfter === undefined
      ? answer
      : HttpServerResponse.setHeader(answer, "retry-after", String(said.retryAfter))
  })
