/**
 * HTTP under a policy. For each hop (the request and every redirection) the URL is checked, the host is looked up once,
 * every address that it has is checked, and the connection goes to one of these very addresses: a name that answers
 * otherwise the second time gains nothing. Nothing of the program's own is in a request: no cookies, no traces, no proxy.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { HttpMethod } from "effect/http/HttpMethod"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Dns from "node:dns/promises"
import { isIP, type LookupFunction } from "node:net"
import {
  Broken,
  ExecutorError,
  type ExecutorErrorReason,
  LimitExceeded,
  TimedOut,
  Unavailable
} from "../../services/ActionExecutor.ts"
import * as Http from "../../services/HttpAccess.ts"
import { isPublicAddress } from "./Addresses.ts"
import * as Bodies from "./Bodies.ts"
import * as HtmlText from "./HtmlText.ts"
import * as Policy from "./Policy.ts"
import { headersOf, type HostPattern, hostOf, patternOf, refused, type Targets, targetOf } from "./Targets.ts"

export {
  /** How much at once where nobody says. @category constants */
  limits,
  /** How much at once. @category models */
  type Limits,
  /** Whom a model may ask, and how. @category models */
  type Options,
  /** The headers that a request may set where nobody says. @category constants */
  requestHeaders,
  /** The headers that an answer shows where nobody says. @category constants */
  responseHeaders,
  /** The name of a rule. @category models */
  type Rule,
  /** The rules that refuse, by the names that stand in `Refused.rule`. @category constants */
  rules
} from "./Policy.ts"

const lookUp = (host: string): Effect.Effect<ReadonlyArray<string>, { readonly message: string }> =>
  Effect.tryPromise({
    try: () => Dns.lookup(host, { all: true, verbatim: true }),
    catch: (cause) => ({ message: cause instanceof Error ? cause.message : String(cause) })
  }).pipe(Effect.map((all) => all.map(({ address }) => address)))

/** A look-up that knows one answer. */
const pinned =
  (addresses: ReadonlyArray<string>): LookupFunction =>
  (_host, options, done) => {
    const all = addresses.map((address) => ({ address, family: isIP(address) }))
    const [first = { address: "", family: 0 }] = all
    if (options.all === true) done(null, all)
    else done(null, first.address, first.family)
  }

/** The codes of an error and of those behind it. */
const codesOf = (cause: unknown): ReadonlyArray<string> => {
  const codes: Array<string> = []
  for (let error = cause, depth = 0; error instanceof Error && depth < 5; error = error.cause, depth++) {
    if ("code" in error && typeof error.code === "string") codes.push(error.code)
    if ("reason" in error && error.reason instanceof Error) codes.push(...codesOf(error.reason.cause))
    else if (
      "reason" in error &&
      typeof error.reason === "object" &&
      error.reason !== null &&
      "cause" in error.reason
    ) {
      codes.push(...codesOf(error.reason.cause))
    }
  }
  return codes
}

const unreachable = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
  "EADDRNOTAVAIL"
])

/** What a failure of the transport means. A request that changes something may have done so. */
const reasonOf =
  (headerBytes: number, changes: boolean) =>
  (error: HttpClientError.HttpClientError): ExecutorErrorReason => {
    const codes = codesOf(error)
    if (codes.some((code) => /HEADERS?_OVERFLOW/.test(code))) {
      return new LimitExceeded({
        limit: "output",
        detail: `the headers of the answer have more than ${headerBytes} bytes`
      })
    }
    const words = codes.length === 0 ? "the connection failed" : `the connection failed: ${codes.join(", ")}`
    if (codes.some((code) => unreachable.has(code))) return new Unavailable({ detail: words, uncertain: false })
    return changes ? new Unavailable({ detail: words, uncertain: true }) : new Broken({ detail: words })
  }

/** A request on its way. */
interface Hop {
  readonly url: URL
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

const isRedirect = (status: number) => [301, 302, 303, 307, 308].includes(status)

const methodOf = (text: string): HttpMethod | undefined => {
  const method = text.toUpperCase()
  return ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].includes(method)
    ? // The list is one of methods.
      (method as HttpMethod)
    : undefined
}

/** A URL without what may be secret in it. */
const shown = (text: string): string => {
  if (!URL.canParse(text)) return "a URL"
  const { host, pathname, protocol, search } = new URL(text)
  const url = `${protocol}//${host}${pathname}${search === "" ? "" : "?…"}`
  return url.length <= 200 ? url : `${url.slice(0, 199)}…`
}

/**
 * Access as a value. Fails where a host of the policy is none.
 *
 * @category constructors
 */
export const make = Effect.fnUntraced(function* (
  options: Policy.Options
): Effect.fn.Return<Http.HttpAccess["Service"], ExecutorError> {
  const limits: Policy.Limits = { ...Policy.limits, ...options.limits }
  const hosts: Array<HostPattern> = []
  for (const text of options.hosts) {
    const pattern = patternOf(text)
    if (Result.isFailure(pattern)) {
      const reason = new Broken({ detail: pattern.failure })
      return yield* new ExecutorError({ executor: "http", subject: "the policy", reason })
    }
    hosts.push(pattern.success)
  }
  const bare = (host: string) => host.toLowerCase().replace(/^\[|\]$/g, "")
  const targets: Targets = {
    hosts,
    schemes: new Set(options.schemes ?? ["https"]),
    privateHosts: new Set((options.privateHosts ?? []).map(bare))
  }
  const methods = new Set((options.methods ?? ["GET", "HEAD"]).map((method) => method.toUpperCase()))
  const requestHeaders = new Set((options.requestHeaders ?? Policy.requestHeaders).map((name) => name.toLowerCase()))
  const responseHeaders = new Set((options.responseHeaders ?? Policy.responseHeaders).map((name) => name.toLowerCase()))
  const credentials = new Map(Object.entries(options.credentials ?? {}).map(([host, headers]) => [bare(host), headers]))
  const resolve = options.resolve ?? lookUp

  /** The addresses that a host has, each of which may be asked. */
  const addressesOf = Effect.fnUntraced(function* (
    host: string
  ): Effect.fn.Return<ReadonlyArray<string>, ExecutorErrorReason> {
    if (isIP(host) !== 0) return [host]
    const addresses = yield* Effect.mapError(
      resolve(host),
      ({ message }) => new Unavailable({ detail: `there is no address of ${host}: ${message}`, uncertain: false })
    )
    if (addresses.length === 0) {
      return yield* Effect.fail(new Unavailable({ detail: `there is no address of ${host}`, uncertain: false }))
    }
    const isWrong = addresses.some(
      (one) => isIP(one) === 0 || (!targets.privateHosts.has(host) && !isPublicAddress(one))
    )
    return isWrong
      ? yield* Effect.fail(refused("host.private", `${JSON.stringify(host)} has an address that is not public`))
      : addresses
  })

  /** One request to one host, answered in full. */
  const send = Effect.fnUntraced(
    function* ({ body, headers, method, url }: Hop) {
      const host = hostOf(url)
      const known = methodOf(method)
      if (known === undefined) return yield* Effect.fail(refused("method.notAllowed", `${method} is not known`))
      const addresses = yield* addressesOf(host)
      const own: Record<string, string> = { "user-agent": "effigent", "accept-encoding": Bodies.packings }
      if (url.protocol === "https:" || targets.privateHosts.has(host)) {
        for (const [name, value] of Object.entries(credentials.get(host) ?? {}))
          own[name.toLowerCase()] = Redacted.value(value)
      }
      const dispatcher = yield* NodeHttpClient.makeDispatcherOptions({
        connect: { lookup: pinned(addresses), timeout: limits.millis },
        maxHeaderSize: limits.headerBytes,
        allowH2: false,
        pipelining: 0
      })
      const client = yield* Effect.provideService(NodeHttpClient.makeUndici, NodeHttpClient.Dispatcher, dispatcher)
      const bare = HttpClientRequest.make(known)(url.href, { headers: { ...headers, ...own } })
      const request =
        body === undefined
          ? bare
          : HttpClientRequest.bodyText(bare, body, headers["content-type"] ?? "text/plain; charset=utf-8")
      const failed = reasonOf(limits.headerBytes, known !== "GET" && known !== "HEAD")
      const response = yield* Effect.mapError(client.execute(request), failed)
      const isMoved = isRedirect(response.status) && response.headers["location"] !== undefined
      // Nobody reads what stands behind a redirection.
      const bytes = isMoved || known === "HEAD" ? new Uint8Array() : yield* Bodies.read(response, limits.bytes, failed)
      return {
        status: response.status,
        headers: response.headers,
        bytes,
        location: isMoved ? response.headers["location"] : undefined
      }
    },
    Effect.scoped,
    // Traces would tell others who asks, and keep URLs with secrets.
    Effect.provideService(HttpClient.TracerDisabledWhen, () => true)
  )

  /** The next hop, where a redirection leads. */
  const follow = Effect.fnUntraced(function* (hop: Hop, status: number, location: string) {
    const url = yield* Effect.fromResult(targetOf(targets, location, hop.url))
    if (hop.url.protocol === "https:" && url.protocol !== "https:") {
      return yield* Effect.fail(refused("redirect.downgrade", `${hop.url.host} leads to ${url.host} over http`))
    }
    const becomesGet = status === 303 ? hop.method !== "HEAD" : status <= 302 && hop.method === "POST"
    const isSame = url.origin === hop.url.origin
    if (!becomesGet && hop.body !== undefined && !isSame) {
      return yield* Effect.fail(refused("redirect.body", `${hop.url.host} leads to ${url.host}`))
    }
    const goOn = isSame ? Object.keys(hop.headers) : ["accept", "accept-language"]
    const names = goOn.filter((name) => hop.headers[name] !== undefined && !(becomesGet && name.startsWith("content-")))
    return {
      url,
      method: becomesGet ? "GET" : hop.method,
      headers: Object.fromEntries(names.map((name) => [name, hop.headers[name] ?? ""])),
      body: becomesGet ? undefined : hop.body
    } satisfies Hop
  })

  const shape = Effect.fnUntraced(function* (
    ask: Http.HttpAsk,
    hop: Hop,
    {
      bytes,
      headers,
      status
    }: {
      readonly bytes: Uint8Array
      readonly headers: Readonly<Record<string, string | undefined>>
      readonly status: number
    },
    redirects: number
  ): Effect.fn.Return<Http.HttpAnswer, ExecutorErrorReason> {
    const type = headers["content-type"] ?? ""
    const { charset, isPage, isText } = Bodies.kindOf(type, bytes)
    const common = {
      url: hop.url.href,
      status,
      headers: Object.fromEntries(
        Object.entries(headers).flatMap(([name, value]) =>
          value !== undefined && responseHeaders.has(name) ? [[name, value] as const] : []
        )
      ),
      size: bytes.length,
      redirects
    }
    if (!isText && bytes.length > 0) {
      if (options.binary !== "base64") {
        return yield* Effect.fail(
          refused(
            "body.binary",
            `the answer is ${JSON.stringify(type.slice(0, 100))}, ${bytes.length} bytes of no text`
          )
        )
      }
      return { ...common, body: Buffer.from(bytes).toString("base64"), encoding: "base64", truncated: false }
    }
    const source = yield* Bodies.textOf(bytes, charset)
    const text = isPage && ask.page !== "source" ? HtmlText.textOf(source, hop.url.href) : source
    const truncated = text.length > limits.textLength
    return { ...common, body: truncated ? text.slice(0, limits.textLength) : text, encoding: "text", truncated }
  })

  const run = Effect.fnUntraced(function* (ask: Http.HttpAsk): Effect.fn.Return<Http.HttpAnswer, ExecutorErrorReason> {
    const method = (ask.method ?? "GET").toUpperCase()
    const url = yield* Effect.fromResult(targetOf(targets, ask.url))
    if (!methods.has(method)) {
      return yield* Effect.fail(
        refused("method.notAllowed", `${JSON.stringify(method.slice(0, 20))}; use ${[...methods].join(" or ")}`)
      )
    }
    const headers = yield* Effect.fromResult(headersOf(ask.headers ?? {}, requestHeaders))
    if (ask.body !== undefined) {
      if (method === "GET" || method === "HEAD") return yield* Effect.fail(refused("body.notAllowed", method))
      if (Buffer.byteLength(ask.body) > limits.requestBytes) {
        const detail = `the body of a request has at most ${limits.requestBytes} bytes`
        return yield* Effect.fail(new LimitExceeded({ limit: "input", detail }))
      }
    }
    let hop: Hop = { url, method, headers, body: ask.body }
    for (let redirects = 0; ; redirects++) {
      const answer = yield* send(hop)
      if (answer.location === undefined) return yield* shape(ask, hop, answer, redirects)
      if (redirects >= limits.redirects) {
        const detail = `more than ${limits.redirects} redirections`
        return yield* Effect.fail(new LimitExceeded({ limit: "redirects", detail }))
      }
      hop = yield* follow(hop, answer.status, answer.location)
    }
  })

  return {
    fetch: (ask) =>
      run(ask).pipe(
        Effect.timeoutOrElse({
          duration: limits.millis,
          orElse: () => Effect.fail<ExecutorErrorReason>(new TimedOut({ millis: limits.millis }))
        }),
        Effect.mapError((reason) => {
          const subject = `${(ask.method ?? "GET").toUpperCase().slice(0, 10)} ${shown(ask.url)}`
          return new ExecutorError({ executor: "http", subject, reason })
        })
      )
  }
})

/**
 * HTTP under a policy: `GET` and `HEAD` over https to the hosts that are named, and to nothing private, unless the policy
 * says otherwise.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { GuardedHttp } from "effigent/layers/http-access"
 * import { HttpAccess } from "effigent/services/HttpAccess"
 *
 * const refusal = (url: string) =>
 *   HttpAccess.use((http) => Effect.flip(http.fetch({ url }))).pipe(
 *     Effect.map(({ reason }) => (reason._tag === "Refused" ? reason.rule : reason._tag)),
 *     Effect.provide(GuardedHttp.layer({ hosts: ["*.wikipedia.org"] }))
 *   )
 * console.log(await Effect.runPromise(refusal("https://example.com/"))) // => host.notAllowed
 * console.log(await Effect.runPromise(refusal("https://0x7f.1/"))) // => host.private
 * console.log(await Effect.runPromise(refusal("http://en.wikipedia.org/"))) // => url.scheme
 * ```
 *
 * @category layers
 */
export const layer = (options: Policy.Options): Layer.Layer<Http.HttpAccess, ExecutorError> =>
  Layer.effect(Http.HttpAccess, make(options))
