/**
 * What every request passes, whatever it asks for: a request id, limits, the check of who asks, and on the way out one
 * form of all that went wrong. Around the whole router, so that nothing is reached without it.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as ByteSize from "effect/ByteSize"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { freshId } from "../../src/agent/Conversation.ts"
import type { Auth } from "./Auth.ts"
import * as Metrics from "./Metrics.ts"
import * as Problem from "./Problem.ts"
import { Client } from "./Serving.ts"
import * as Sockets from "./Sockets.ts"
import { unknownClient } from "./Streams.ts"

/**
 * What the edge is told.
 *
 * @category models
 */
export interface Settings<R> {
  readonly auth: Auth<R> | undefined
  /** Origins of pages that may use the server from a browser. */
  readonly origins: ReadonlyArray<string>
  /** Bytes of a body, of all headers together, and of a path with its query. */
  readonly body: number
  readonly headers: number
  readonly url: number
  /** How long a body may take to arrive, in milliseconds. */
  readonly bodyTime: number
  /** Paths that need nobody's leave. */
  readonly open: ReadonlySet<string>
  readonly state: State
}

/** What the edge knows of its requests. @category models */
export interface State {
  isClosing: boolean
  /** Requests that are being answered. */
  readonly active: Set<Fiber.Fiber<unknown, unknown>>
}

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

const loopback = /^(localhost|127(?:\.\d{1,3}){3}|\[::1\]|::1)$/i

const hostName = (host: string): string => host.replace(/:\d+$/, "")

const sizeOf = (headers: { readonly [name: string]: string }): number => {
  let size = 0
  for (const name in headers) size += name.length + (headers[name]?.length ?? 0) + 4
  return size
}

const pathOf = (url: string): string => {
  const end = url.search(/[?#]/)
  return end < 0 ? url : url.slice(0, end)
}

// What stands behind the percent signs is UTF-8, and no byte is a NUL.
const isReadable = (path: string): boolean =>
  path.startsWith("/") && !/%00|\0/.test(path) && Result.isSuccess(Result.try(() => decodeURIComponent(path)))

// A page of another site must not use a server that asks nobody who they are, nor may a name that somebody else's DNS
// gives this address.
const checkHost = (request: Request, origins: ReadonlyArray<string>): Problem.Refused | undefined => {
  const { host } = request.headers
  if (host !== undefined && !loopback.test(hostName(host)))
    return Problem.refuse(
      403,
      "ForeignHost",
      `The server asks nobody who they are, and so it answers to loopback names alone, not to "${host}". Give it an auth.`
    )
  return checkOrigin(request, origins)
}

const checkOrigin = (
  { headers: { host, origin } }: Request,
  origins: ReadonlyArray<string>
): Problem.Refused | undefined =>
  origin === undefined || origins.includes(origin) || origin.replace(/^https?:\/\//, "") === host
    ? undefined
    : Problem.refuse(403, "ForeignOrigin", `Pages of ${origin} may not use this server. Name it in \`cors\`.`)

// The same goes for what has no body. The browser itself says whose page it is, whatever name stands before the server.
const checkSite = (
  { headers: { origin, "sec-fetch-site": site }, method }: Request,
  origins: ReadonlyArray<string>
): Problem.Refused | undefined =>
  method === "GET" ||
  method === "HEAD" ||
  method === "OPTIONS" ||
  (site !== "cross-site" && site !== "same-site") ||
  (origin !== undefined && origins.includes(origin))
    ? undefined
    : Problem.refuse(
        403,
        "ForeignOrigin",
        `Pages of ${origin ?? "other sites"} may not use this server. Name it in \`cors\`.`
      )

const check = (request: Request, settings: Settings<unknown>): Problem.Refused | undefined => {
  const { url } = request
  if (settings.state.isClosing && !settings.open.has(pathOf(url)))
    return Problem.refuse(503, "ServerClosing", "The server is closing. Try again shortly.", 1)
  if (url.length > settings.url)
    return Problem.refuse(400, "PathTooLong", `The path and its query are longer than ${settings.url} characters.`)
  if (!isReadable(pathOf(url)))
    return Problem.refuse(400, "UnreadablePath", "The path is not well-formed: encode it in UTF-8 with percent signs.")
  if (sizeOf(request.headers) > settings.headers)
    return Problem.refuse(431, "HeadersTooLarge", `The headers are larger than ${settings.headers} bytes.`)
  if (settings.auth === undefined) return checkHost(request, settings.origins)
  // A browser sends what it knows of a site (cookies) with a WebSocket of whatever page, and asks nobody first.
  return Sockets.isUpgrade(request) ? checkOrigin(request, settings.origins) : checkSite(request, settings.origins)
}

// Reads the body before anything else is done, within its limits; whoever reads it again is given the same.
const readBody = (request: Request, settings: Settings<unknown>): Effect.Effect<void, unknown, Scope.Scope> => {
  const { method } = request
  if (method === "GET" || method === "HEAD" || method === "OPTIONS" || method === "DELETE") return Effect.void
  const { "content-length": length, "content-type": type, "transfer-encoding": chunked } = request.headers
  if (Number(length) > settings.body)
    return Effect.fail(
      Problem.refuse(413, "BodyTooLarge", `The body is larger than ${settings.body} bytes. Send less at once.`)
    )
  const isEmpty = (length === undefined || length === "0") && chunked === undefined
  if (!isEmpty && !/^application\/json\s*(;|$)/i.test(type ?? ""))
    return Effect.fail(
      Problem.refuse(
        415,
        "UnsupportedMediaType",
        "Send the body as JSON, with the header `Content-Type: application/json`."
      )
    )
  // Who stops reading closes the socket. The read goes on beside, until the answer is out.
  return Effect.flatMap(Effect.forkScoped(request.text, { startImmediately: true }), (reading) =>
    Effect.asVoid(
      Effect.timeoutOrElse(Fiber.join(reading), {
        duration: settings.bodyTime,
        orElse: () =>
          Effect.fail(
            Problem.refuse(
              408,
              "BodyTooSlow",
              `The body did not arrive within ${settings.bodyTime} ms. Send it faster.`
            )
          )
      })
    )
  )
}

const byStatus: { readonly [status: number]: readonly [tag: string, detail: string] } = {
  400: ["InvalidRequest", "The request is not as the API wants it. See /openapi.json."],
  413: ["BodyTooLarge", "The body is larger than the server takes. Send less at once."],
  415: ["UnsupportedMediaType", "Send the body as JSON, with the header `Content-Type: application/json`."]
}

// What the router answers by itself becomes a problem as well; what says something in JSON has said what it is.
const asProblem = (response: Response): Effect.Effect<Response> => {
  const { headers, status } = response
  const said = byStatus[status]
  if (said === undefined || /^application\/([\w.-]+\+)?json/.test(headers["content-type"] ?? ""))
    return Effect.succeed(response)
  return Problem.response({ status, tag: said[0], detail: said[1] })
}

const corsOf = (request: Request, origins: ReadonlyArray<string>): { readonly [name: string]: string } => {
  const { origin } = request.headers
  if (origins.length === 0) return {}
  if (origin === undefined || !origins.includes(origin)) return { vary: "Origin" }
  return {
    vary: "Origin",
    "access-control-allow-origin": origin,
    "access-control-expose-headers": "x-request-id, x-run-id, retry-after"
  }
}

const preflight = HttpServerResponse.empty({
  status: 204,
  headers: {
    "access-control-allow-methods": "GET, POST, DELETE",
    "access-control-allow-headers": "authorization, content-type, idempotency-key, last-event-id, x-request-id",
    "access-control-max-age": "600"
  }
})

/** Puts the edge around an application. @category constructors */
export const around =
  <R2>(settings: Settings<R2>) =>
  <E, R>(app: Effect.Effect<Response, E, R>): Effect.Effect<Response, never, R | R2 | Request | Scope.Scope> =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      const given = request.headers["x-request-id"]
      const named = given !== undefined && /^[\w.:-]{1,128}$/.test(given) ? Effect.succeed(given) : freshId
      return Effect.flatMap(named, (id) => {
        const cors = corsOf(request, settings.origins)
        const finish = (response: Response): Response =>
          HttpServerResponse.setHeaders(response, {
            "x-request-id": id,
            "x-content-type-options": "nosniff",
            ...(response.headers["cache-control"] === undefined ? { "cache-control": "no-store" } : {}),
            ...cors
          })
        const admitted: Effect.Effect<string, Problem.Refused, R2> = Effect.suspend(() => {
          const refused = check(request, settings)
          if (refused !== undefined) return Effect.fail(refused)
          const { auth } = settings
          if (auth?._tag === "Checked" && !settings.open.has(pathOf(request.url)))
            return Effect.map(auth.check(Sockets.withToken(request)), (principal) => principal.id)
          return Effect.succeed(Option.getOrElse(request.remoteAddress, () => unknownClient))
        })
        // Servers run an application as one piece that nothing interrupts; until it answers, this one can be.
        const handled = Effect.interruptible(
          Effect.flatMap(admitted, (client) =>
            Effect.andThen(readBody(request, settings), Effect.flatMap(app, asProblem)).pipe(
              Effect.provideService(Client, client),
              Effect.annotateLogs({ client })
            )
          )
        )
        const isPreflight = request.method === "OPTIONS" && cors["access-control-allow-origin"] !== undefined
        return (isPreflight ? Effect.succeed(preflight) : handled).pipe(
          Effect.catchCause((cause): Effect.Effect<Response> => {
            if (Cause.hasInterruptsOnly(cause) && cause.reasons.length > 0)
              return Effect.failCause(cause as Cause.Cause<never>) // Interrupts only.
            const said = Problem.toldOfCause(cause)
            const answer = Problem.response(said)
            return said.status < 500
              ? answer
              : Effect.andThen(Effect.logError(`${request.method} ${pathOf(request.url)}: ${said.tag}`, cause), answer)
          }),
          Effect.map(finish),
          measured(request),
          Effect.provideService(Problem.RequestId, id),
          Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(settings.body)),
          Effect.annotateLogs({ requestId: id }),
          tracked(settings.state)
        )
      })
    })

const methods = new Set(["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"])

// What a request is counted by is a matter of few values, whatever is asked.
const measured =
  (request: Request) =>
  <E, R>(effect: Effect.Effect<Response, E, R>): Effect.Effect<Response, E, R> =>
    Effect.withFiber((fiber) => {
      const clock = fiber.getRef(Clock.Clock)
      const before = clock.currentTimeMillisUnsafe()
      return Effect.map(effect, (response) => {
        const { status } = response
        // A socket is no request once it is open.
        if (status === 101) return response
        const about = {
          "http.request.method": methods.has(request.method) ? request.method : "_OTHER",
          "http.route": Metrics.groupOf(pathOf(request.url)),
          "http.response.status_code": String(status)
        }
        const metric = Metric.withAttributes(Metrics.requestDuration, about)
        metric.updateUnsafe((clock.currentTimeMillisUnsafe() - before) / 1000, fiber.context)
        return response
      })
    })

// Known until it is answered, so that a closing server can wait for it. A stream is counted by `Streams`.
const tracked =
  (state: State) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) => {
      state.active.add(fiber)
      return Effect.ensuring(
        effect,
        Effect.sync(() => state.active.delete(fiber))
      )
    })
