/**
 * A connection that lasts longer than its wires: it greets the server, hands requests out and answers in, and opens a new
 * wire when one has ended, as a Schedule says. A request that has certainly not reached the server is sent again over
 * the next wire; one that may have, fails and says so.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import {
  Broken,
  ExecutorError,
  type ExecutorErrorReason,
  TimedOut,
  Unavailable
} from "../../services/ActionExecutor.ts"
import type { Json, JsonObject } from "../../services/Json.ts"
import * as Protocol from "./Protocol.ts"
import { type Lost, type Receive, type Transport, type Wire } from "./Wire.ts"

/**
 * How a connection is made and kept.
 *
 * @category models
 */
export interface ConnectionOptions<out R, out H> {
  readonly name: string
  readonly transport: Transport<R, H>
  /** How long the server may take to start and to greet, at first and again. */
  readonly connectTimeout: Duration.Input
  /** When a connection that was lost is tried anew. */
  readonly reconnect: Schedule.Schedule<unknown, unknown>
  /** Is told of the server's notifications, progress excepted, and of each new wire. */
  readonly onNews: (method: string) => void
}

/** What was learned of a server when it was greeted. @category models */
export interface Session {
  readonly wire: Wire
  readonly hello: Protocol.Hello
  /** Completed when the connection knows that the wire has ended. */
  readonly gone: Deferred.Deferred<void>
}

/**
 * A connection.
 *
 * @category models
 */
export interface Connection<out R> {
  /** The session, as soon as there is one. */
  readonly session: Effect.Effect<Session, ExecutorError>
  /** Sends a request and waits for its result. `subject`: what is to be done, for errors. */
  readonly request: (
    subject: string,
    method: string,
    params: JsonObject,
    onProgress?: (progress: Protocol.Progress) => Effect.Effect<void>
  ) => Effect.Effect<Json, ExecutorError, R>
}

const clientInfo = { name: "effigent", version: "0.1.0" }
const [newest] = Protocol.versions
const methodNotFound = -32601
const invalidParams = -32602

// A wire that has lasted so long is no failed attempt.
const settled = 10_000

const decodeHello = Schema.decodeUnknownEffect(Protocol.Hello)

const isProgress = (value: unknown): value is Protocol.Progress & { readonly progressToken: number } =>
  Protocol.isObject(value) && typeof value["progress"] === "number" && typeof value["progressToken"] === "number"

/** Says of an error of a server what it is in our words. @category conversions */
const reasonOf = (response: Extract<Protocol.Response, { readonly error: unknown }>): ExecutorErrorReason => {
  const { code, message } = response.error
  const kind =
    code === methodNotFound
      ? "the server does not know this method"
      : code === invalidParams
        ? "not accepted"
        : `error ${code}`
  return new Broken({ detail: `${kind}: ${message}` })
}

/** Makes a connection; it is there, or this fails. @category constructors */
export const make = Effect.fnUntraced(function* <R, H>(
  options: ConnectionOptions<R, H>
): Effect.fn.Return<Connection<H>, ExecutorError, R | H | Scope.Scope> {
  const { name, transport } = options
  const errorOf = (subject: string, reason: ExecutorErrorReason) =>
    new ExecutorError({ executor: "mcp", subject: subject === "" ? name : `${name}/${subject}`, reason })
  const unavailable = (detail: string) => errorOf("", new Unavailable({ detail, uncertain: false }))

  let nextId = 1
  let current = yield* Deferred.make<Session, ExecutorError>()
  let live: Session | undefined
  const listeners = new Map<number, (progress: Protocol.Progress) => Effect.Effect<void>>()

  const receive: Receive = (message) => {
    if (Protocol.isServerRequest(message)) {
      const { id, method } = message
      return Effect.succeed<Protocol.Response>(
        method === "ping"
          ? { jsonrpc: "2.0", id, result: {} }
          : { jsonrpc: "2.0", id, error: { code: methodNotFound, message: `this client does not know ${method}` } }
      )
    }
    if (message.method === "notifications/progress") {
      const { params } = message
      const listener = isProgress(params) ? listeners.get(params.progressToken) : undefined
      if (listener === undefined || !isProgress(params)) return Effect.undefined
      const { message: said, progress, total } = params
      return Effect.as(
        listener({
          progress,
          ...(typeof total === "number" ? { total } : {}),
          ...(typeof said === "string" ? { message: said } : {})
        }),
        undefined
      )
    }
    options.onNews(message.method)
    return Effect.undefined
  }

  const initialize = Effect.fnUntraced(function* (wire: Wire) {
    const headers = yield* transport.headers
    const params = { protocolVersion: newest, capabilities: {}, clientInfo }
    const answer = yield* wire.request({ jsonrpc: "2.0", id: nextId++, method: "initialize", params }, headers)
    if ("error" in answer) return yield* errorOf("initialize", reasonOf(answer))
    const hello = yield* Effect.mapError(decodeHello(answer.result), (error) =>
      errorOf("initialize", new Broken({ detail: `its greeting is not understood: ${error.message}` }))
    )
    if (!Protocol.versions.some((version) => version === hello.protocolVersion)) {
      const detail = `it speaks version ${hello.protocolVersion} of the protocol; spoken here: ${Protocol.versions.join(", ")}`
      return yield* errorOf("initialize", new Broken({ detail }))
    }
    yield* wire.notify({ jsonrpc: "2.0", method: "notifications/initialized" }, headers)
    yield* wire.greeted(hello.protocolVersion, headers)
    return hello
  })

  const heard = (wire: Wire, detail: string): string => {
    const hint = wire.hint()
    return hint === "" ? detail : `${detail}; ${hint}`
  }

  const greet = Effect.fnUntraced(function* () {
    const wire = yield* Effect.mapError(transport.open(receive), ({ reason }) => startError(reason))
    const hello = yield* initialize(wire).pipe(
      Effect.mapError((error) => (error._tag === "Lost" ? startError(error.reason, wire) : error)),
      Effect.timeoutOrElse({
        duration: options.connectTimeout,
        orElse: () => Effect.fail(unavailable(heard(wire, "it has not answered the greeting in time")))
      })
    )
    return { wire, hello, gone: yield* Deferred.make<void>() } satisfies Session
  })

  const startError = (reason: ExecutorErrorReason, wire?: Wire): ExecutorError =>
    reason._tag === "Unavailable"
      ? unavailable(`${transport.target}: ${wire === undefined ? reason.detail : heard(wire, reason.detail)}`)
      : errorOf("initialize", reason)

  // One wire from its greeting to its end. Nothing was promised to anybody before it is greeted.
  const life = Effect.scoped(
    Effect.gen(function* () {
      const session = yield* Effect.mapError(greet(), (error) => ({ error, lasted: 0 }))
      const since = yield* Clock.currentTimeMillis
      live = session
      yield* Deferred.succeed(current, session)
      options.onNews("connected")
      const lost = yield* session.wire.ended
      current = yield* Deferred.make<Session, ExecutorError>()
      yield* Deferred.succeed(session.gone, undefined)
      const lasted = (yield* Clock.currentTimeMillis) - since
      return yield* Effect.fail({ error: errorOf("", lost.reason), lasted })
    })
  )

  type Failed = { readonly error: ExecutorError; readonly lasted: number }
  const again: Effect.Effect<never, Failed, R | H> = Effect.suspend(() =>
    Effect.catch(
      Effect.retry(life, { schedule: options.reconnect, while: ({ lasted }) => lasted < settled }),
      (failed) => (failed.lasted >= settled ? again : Effect.fail(failed))
    )
  )
  const giveUp = ({ error }: Failed) => Deferred.fail(current, error)
  // The first greeting is not tried again: whoever asked for the server learns at once that it is not there.
  const first = current
  // Comes after the end of all lives: whoever waits for the next one, now or later, learns that there will be none.
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      const closed = Effect.fail(unavailable("its connection was closed"))
      const waitedFor = current
      current = Deferred.makeUnsafe()
      for (const deferred of [waitedFor, current]) Deferred.doneUnsafe(deferred, closed)
      if (live !== undefined) Deferred.doneUnsafe(live.gone, Effect.void)
    })
  )
  yield* life.pipe(
    Effect.catch((failed) => (Deferred.isDoneUnsafe(first) ? again : Effect.fail(failed))),
    Effect.catch(giveUp),
    Effect.forkScoped
  )
  yield* Deferred.await(first)

  const session = Effect.suspend(() => Deferred.await(current)).pipe(
    Effect.timeoutOrElse({
      duration: options.connectTimeout,
      orElse: () => Effect.fail(unavailable("its connection was lost and is not there again in time"))
    })
  )

  const lostError = (subject: string, { reason, sent }: Lost): ExecutorError =>
    errorOf(
      subject,
      reason._tag === "Unavailable"
        ? new Unavailable({
            detail: sent ? `${reason.detail}; it may have been done nevertheless` : reason.detail,
            uncertain: sent
          })
        : reason
    )

  const send = (
    subject: string,
    method: string,
    params: JsonObject,
    onProgress: ((progress: Protocol.Progress) => Effect.Effect<void>) | undefined
  ): Effect.Effect<Json, ExecutorError | Lost, H> =>
    Effect.gen(function* () {
      const headers = yield* transport.headers
      const { gone, wire } = yield* session
      const id = nextId++
      const request: Protocol.Request = {
        jsonrpc: "2.0",
        id,
        method,
        params: onProgress === undefined ? params : { ...params, _meta: { progressToken: id } }
      }
      if (onProgress !== undefined) listeners.set(id, onProgress)
      const exit = yield* wire
        .request(request, headers)
        .pipe(Effect.ensuring(Effect.sync(() => listeners.delete(id))), Effect.result)
      if (exit._tag === "Failure") {
        const lost = exit.failure
        if (lost.sent || !lost.over) return yield* lost
        yield* Deferred.await(gone)
        return yield* send(subject, method, params, onProgress)
      }
      const answer = exit.success
      return "error" in answer ? yield* errorOf(subject, reasonOf(answer)) : answer.result
    })

  return {
    session,
    request: (subject, method, params, onProgress) =>
      send(subject, method, params, onProgress).pipe(
        Effect.retry({
          schedule: options.reconnect,
          while: (error) => error._tag === "Lost" && !error.sent && error.reason._tag === "Unavailable"
        }),
        Effect.mapError((error) => (error._tag === "Lost" ? lostError(subject, error) : error))
      )
  }
})

/** Stops an Effect after some time with a typed error. @category limits */
export const within = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  limit: Duration.Input | undefined,
  subject: string
): Effect.Effect<A, E | ExecutorError, R> => {
  if (limit === undefined) return self
  const duration = Duration.fromInputUnsafe(limit)
  const reason = new TimedOut({ millis: Duration.toMillis(duration) })
  return Effect.timeoutOrElse(self, {
    duration,
    orElse: () => Effect.fail(new ExecutorError({ executor: "mcp", subject, reason }))
  })
}
