/**
 * A server behind streamable HTTP: each message is a POST, its answer a JSON body or a stream of server-sent events. A
 * stream that breaks off is taken up where it ended, where the server numbers its events; a session that the server has
 * forgotten ends the wire. News that belong to no request come over a stream of their own, where the server has one.
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import {
  Broken,
  type ExecutorError,
  type ExecutorErrorReason,
  LimitExceeded,
  Refused,
  Unavailable
} from "../../services/ActionExecutor.ts"
import { type Incoming, isResponse, isServerRequest, parse, type Response } from "./Protocol.ts"
import { cancelled, type Headers, largest, Lost, type Receive, type Transport, type Wire } from "./Wire.ts"

/** Headers as a program gives them. @category models */
export type GivenHeaders = Readonly<Record<string, string | Redacted.Redacted<string>>>

/**
 * A server behind streamable HTTP.
 *
 * @category models
 */
export interface HttpOptions<out R = never> {
  readonly url: string | URL
  /**
   * Headers of every message, or an Effect that gives them. The Effect runs anew for each message, with what the caller
   * has in its context: the token of the user for whom this run is, for one. Default: none.
   */
  readonly headers?: GivenHeaders | Effect.Effect<GivenHeaders, ExecutorError, R> | undefined
}

const plain = (given: GivenHeaders): Headers =>
  Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      name.toLowerCase(),
      Redacted.isRedacted(value) ? Redacted.value(value) : value
    ])
  )

/** A URL without what may be secret in it: user, password, query. @category reading */
export const shown = (url: string | URL): string => {
  const parsed = URL.parse(String(url))
  return parsed === null ? String(url) : `${parsed.protocol}//${parsed.host}${parsed.pathname}`
}

/**
 * A server behind streamable HTTP.
 *
 * @category constructors
 */
export const http = <R = never>(options: HttpOptions<R>): Transport<HttpClient.HttpClient, R> => {
  const { headers = {} } = options
  return {
    target: shown(options.url),
    headers: Effect.isEffect(headers) ? Effect.map(headers, plain) : Effect.succeed(plain(headers)),
    open: (receive) => open(options.url, receive)
  }
}

const lost = (reason: ExecutorErrorReason, sent: boolean, over = false): Lost => new Lost({ reason, sent, over })

const unavailable = (detail: string, sent: boolean, over = false): Lost =>
  lost(new Unavailable({ detail, uncertain: sent }), sent, over)

const neverConnected = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"])

// Whether an error, or what caused it, says that there was no connection at all.
const unconnected = (error: unknown, depth = 0): boolean => {
  if (typeof error !== "object" || error === null || depth > 6) return false
  if ("code" in error && typeof error.code === "string" && neverConnected.has(error.code)) return true
  if ("errors" in error && Array.isArray(error.errors) && error.errors.some((one) => unconnected(one, depth + 1)))
    return true
  return (
    ("cause" in error && unconnected(error.cause, depth + 1)) ||
    ("reason" in error && unconnected(error.reason, depth + 1))
  )
}

const codeOf = (error: unknown): string => {
  const text = error instanceof Error ? error.message : String(error)
  return text.length > 300 ? `${text.slice(0, 300)}...` : text
}

const tooLong = new LimitExceeded({ limit: "output", detail: `a message has more than ${largest} characters` })

const patience = "2 seconds"
const resumptions = 5
// How many milliseconds a server may have us wait before a stream is taken up again.
const shortestWait = 50
const longestWait = 30_000

const open = Effect.fnUntraced(function* (url: string | URL, receive: Receive) {
  const client = HttpClient.withScope(yield* HttpClient.HttpClient)
  const over = yield* Deferred.make<Lost>()
  let ending: Lost | undefined
  let closed = false
  let session: string | undefined
  let version: string | undefined
  let last: Headers = {}

  const end = (why: Lost): Lost => {
    ending ??= why
    Deferred.doneUnsafe(over, Effect.succeed(why))
    return why
  }

  const all = (own: Headers, more: Headers = {}): Headers => ({
    ...own,
    accept: "application/json, text/event-stream",
    ...(version === undefined ? {} : { "mcp-protocol-version": version }),
    ...(session === undefined ? {} : { "mcp-session-id": session }),
    ...more
  })

  const failed = (error: HttpClientError.HttpClientError): Lost => {
    const sent = !unconnected(error)
    return unavailable(`it cannot be reached: ${codeOf(error)}`, sent)
  }

  // What a status that is no success says, and whether the session is gone.
  const refused = Effect.fnUntraced(function* (response: HttpClientResponse.HttpClientResponse) {
    const { status } = response
    const body = (yield* Effect.orElseSucceed(response.text, () => "")).slice(0, 500)
    if (session !== undefined && (status === 404 || (status === 400 && /session/i.test(body))))
      return end(unavailable("it has forgotten the session", false, true))
    const detail = `it answered with status ${status}${body.trim() === "" ? "" : `: ${body.trim()}`}`
    if (status === 401 || status === 403) return lost(new Refused({ rule: `http.${status}`, detail }), false)
    return status >= 500 ? unavailable(detail, true) : lost(new Broken({ detail }), false)
  })

  const send = Effect.fnUntraced(function* (request: HttpClientRequest.HttpClientRequest) {
    if (ending !== undefined) return yield* ending
    const response = yield* Effect.mapError(client.execute(request), failed)
    if (response.status < 200 || response.status >= 300) return yield* yield* refused(response)
    session = response.headers["mcp-session-id"] ?? session
    return response
  })

  const post = (message: object, headers: Headers) =>
    send(
      HttpClientRequest.post(url).pipe(
        HttpClientRequest.setHeaders(all(headers)),
        HttpClientRequest.bodyText(JSON.stringify(message), "application/json")
      )
    )

  const notify = (message: object, headers: Headers): Effect.Effect<void, Lost> =>
    Effect.scoped(Effect.asVoid(post(message, headers)))

  // Takes what is not the answer; gives the answer where it is one.
  const take = (message: Incoming, headers: Headers): Effect.Effect<Response | undefined> => {
    if (isResponse(message)) return Effect.succeed(message)
    return Effect.flatMap(receive(message), (answer) =>
      answer === undefined || !isServerRequest(message)
        ? Effect.undefined
        : Effect.as(Effect.ignore(notify(answer, headers)), undefined)
    )
  }

  interface Place {
    id: string | undefined
    wait: number
  }

  const events = (response: HttpClientResponse.HttpClientResponse, place: Place) => {
    const found: Array<string> = []
    const parser = Sse.makeParser(
      (event) => {
        if (event._tag === "Retry")
          place.wait = Math.min(longestWait, Math.max(shortestWait, Duration.toMillis(event.duration)))
        else {
          if (event.id !== undefined) place.id = event.id
          if (event.data !== "") found.push(event.data)
        }
      },
      { maxEventSize: largest }
    )
    return response.stream.pipe(
      Stream.mapError((error) => unavailable(`its answer broke off: ${codeOf(error)}`, true)),
      Stream.decodeText(),
      Stream.mapEffect((chunk) => {
        const error = parser.feed(chunk)
        if (error !== undefined) return Effect.fail(lost(tooLong, true))
        return Effect.succeed(found.splice(0).flatMap((data) => parse(data) ?? []))
      }),
      Stream.flatMap(Stream.fromIterable)
    )
  }

  const first = (
    response: HttpClientResponse.HttpClientResponse,
    headers: Headers,
    place: Place,
    id: number
  ): Effect.Effect<Option.Option<Response>, Lost> =>
    events(response, place).pipe(
      Stream.mapEffect((message) => take(message, headers)),
      Stream.filter(
        (answer): answer is Response => answer !== undefined && (answer.id === id || (answer.id ?? null) === null)
      ),
      Stream.runHead
    )

  const answerOf = Effect.fnUntraced(function* (
    response: HttpClientResponse.HttpClientResponse,
    headers: Headers,
    id: number
  ) {
    const type = response.headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase()
    if (type === "application/json") {
      const text = yield* Effect.mapError(response.text, (error) =>
        unavailable(`its answer broke off: ${codeOf(error)}`, true)
      )
      if (text.length > largest) return yield* lost(tooLong, true)
      for (const message of parse(text) ?? []) {
        const answer = yield* take(message, headers)
        if (answer !== undefined) return answer
      }
      return yield* lost(new Broken({ detail: "its answer is no message of the protocol" }), true)
    }
    if (type !== "text/event-stream")
      return yield* lost(new Broken({ detail: `it answered with ${type ?? "nothing"}, not with JSON or events` }), true)
    const place: Place = { id: undefined, wait: 500 }
    let from = response
    for (let resumed = 0; ; resumed++) {
      const answer = yield* Effect.catch(first(from, headers, place, id), (error) =>
        // Only what broke off can be taken up again.
        error.reason._tag === "Unavailable" && place.id !== undefined ? Effect.succeedNone : Effect.fail(error)
      )
      if (Option.isSome(answer)) return answer.value
      if (place.id === undefined || resumed >= resumptions)
        return yield* unavailable("its answer ended before it was complete", true)
      yield* Effect.sleep(place.wait)
      from = yield* Effect.mapError(listening(headers, place), (error) =>
        error.sent ? error : unavailable("its answer broke off and cannot be taken up", true, error.over)
      )
    }
  })

  const listening = (headers: Headers, place: Place) =>
    send(
      HttpClientRequest.get(url).pipe(
        HttpClientRequest.setHeaders(
          all(headers, {
            accept: "text/event-stream",
            ...(place.id === undefined ? {} : { "last-event-id": place.id })
          })
        )
      )
    )

  // The stream of news that belong to no request. Servers without one answer with a status.
  const listen = Effect.fnUntraced(function* (headers: Headers) {
    const place: Place = { id: undefined, wait: 1000 }
    while (ending === undefined) {
      const exit = yield* listening(headers, place).pipe(
        Effect.flatMap((response) =>
          Stream.runForEach(events(response, place), (message) => Effect.asVoid(take(message, headers)))
        ),
        Effect.scoped,
        Effect.result
      )
      if (exit._tag === "Failure" && (exit.failure.over || exit.failure.reason._tag !== "Unavailable")) return
      yield* Effect.sleep(place.wait)
    }
  })

  yield* Effect.addFinalizer(() => {
    const gone = session === undefined || ending !== undefined
    const farewell = gone
      ? Effect.void
      : client
          .execute(HttpClientRequest.delete(url).pipe(HttpClientRequest.setHeaders(all(last))))
          .pipe(Effect.scoped, Effect.timeoutOption(patience), Effect.ignore)
    return Effect.andThen(
      farewell,
      Effect.sync(() => {
        closed = ending === undefined
        end(unavailable("its connection was closed", false, true))
      })
    )
  })

  // What is under way when the wire ends may have been done. The end of a session does not end it: a server may still
  // answer what it took, and what it did not take is refused by its own answer, and so certainly not done.
  const orphaned = Effect.gen(function* () {
    const { reason } = yield* Deferred.await(over)
    const detail = reason._tag === "Unavailable" ? reason.detail : "it has ended the connection"
    if (!closed) yield* Effect.sleep(patience)
    return yield* unavailable(detail, true, true)
  })

  const scope = yield* Effect.scope
  const wire: Wire = {
    request: (message, headers) =>
      Effect.scoped(Effect.flatMap(post(message, headers), (response) => answerOf(response, headers, message.id))).pipe(
        Effect.raceFirst(orphaned),
        Effect.onInterrupt(() => Effect.ignore(Effect.timeoutOption(notify(cancelled(message.id), headers), patience)))
      ),
    notify,
    ended: Deferred.await(over),
    greeted: (spoken, headers) =>
      Effect.suspend(() => {
        version = spoken
        last = headers
        return Effect.asVoid(Effect.forkIn(listen(headers), scope))
      }),
    hint: () => ""
  }
  return wire
})
