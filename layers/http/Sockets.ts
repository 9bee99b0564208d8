/**
 * WebSockets: one connection that tells the events of a run or of an execution, in the form that they have as server-sent
 * events, and takes commands for it. Whoever asks has passed the edge before the upgrade. Each socket has a buffer of
 * bounded size, as other streams have; where the peer does not read, its source waits, and after a while the socket is
 * dropped. Pings tell whether a peer that is quiet is still there.
 */
import { IncomingMessage } from "node:http"
import type { Socket as NetSocket } from "node:net"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import * as Problem from "./Problem.ts"
import { Client } from "./Serving.ts"
import type { Kind, Reader, Streams } from "./Streams.ts"

/**
 * Limits of sockets; times in milliseconds.
 *
 * @category models
 */
export interface Settings {
  /** Bytes of one message. */
  readonly message: number
  /** How long a socket may be open on which nothing is at work and nothing is said. */
  readonly idle: number
}

/**
 * Codes with which a socket is closed: the stream has ended; the server closes; a message was none of text; a message was
 * too large; nothing was said for too long. One that is dropped, for it reads nothing or answers no ping, has no code.
 *
 * @category constants
 */
export const codes = { ended: 1000, closing: 1001, binary: 1003, tooLarge: 1009, idle: 4408 } as const // Each its own.

/** The subprotocol of these sockets. @category constants */
export const subprotocol = "effigent"

/** What stands before a token among the subprotocols, where a browser has no header to give it in. @category constants */
const tokenPrefix = "bearer."

const offered = (headers: { readonly [name: string]: string | undefined }): ReadonlyArray<string> =>
  (headers["sec-websocket-protocol"] ?? "").split(",").map((one) => one.trim())

/** Whether a request asks to become a WebSocket. @category guards */
export const isUpgrade = ({ headers }: HttpServerRequest.HttpServerRequest): boolean =>
  headers.upgrade?.toLowerCase() === "websocket"

/**
 * A request for a WebSocket as the check of who asks is given it: with the token that stands among its subprotocols as
 * its `Authorization`, for pages cannot set headers there.
 *
 * @category conversions
 */
export const withToken = (request: HttpServerRequest.HttpServerRequest): HttpServerRequest.HttpServerRequest => {
  const { headers } = request
  if (!isUpgrade(request) || headers.authorization !== undefined) return request
  const given = offered(headers).find((one) => one.startsWith(tokenPrefix))
  if (given === undefined) return request
  const token = Result.getOrUndefined(Result.try(() => decodeURIComponent(given.slice(tokenPrefix.length))))
  return token === undefined
    ? request
    : request.modify({ headers: Object.assign(Object.create(null), headers, { authorization: `Bearer ${token}` }) })
}

/** A message on the wire: what an event has as server-sent event. @category conversions */
export const message = (
  data: string,
  about: { readonly id?: string | number; readonly event?: string; readonly ref?: string | undefined } = {}
): string =>
  "{" +
  (about.id === undefined ? "" : `"id":"${about.id}",`) +
  `"event":"${about.event ?? "message"}",` +
  (about.ref === undefined ? "" : `"ref":${JSON.stringify(about.ref)},`) +
  `"data":${data}}`

/**
 * What is followed on a socket.
 *
 * @category models
 */
export interface Followed<A> {
  readonly events: Stream.Stream<A, unknown>
  readonly encode: (event: A) => string
  /** What follows the last event. */
  readonly end: Effect.Effect<string>
  /** What is held while it is told, and no longer: a socket may tell of any number of sources, one after the other. */
  readonly attend?: Effect.Effect<void, never, Scope.Scope>
}

/**
 * A socket that is open, as an endpoint uses it.
 *
 * @category models
 */
export interface Connection {
  /** Says something; what it takes is bounded by `room`. */
  readonly say: (message: string) => void
  /** Whether a source is being told. */
  readonly isFollowing: () => boolean
  /** Tells a source, in a fiber of the Scope, until it ends; one at a time. `once`: the socket closes behind it. */
  readonly follow: <A>(source: Followed<A>, once: boolean) => Effect.Effect<void, Problem.Refused, Scope.Scope>
}

/**
 * What an endpoint makes of a socket.
 *
 * @category models
 */
export interface Endpoint<C, R> {
  readonly command: Schema.Codec<C, unknown>
  /** What its peer is told where the server closes. */
  readonly closing: string
  /** What is followed from the beginning. */
  readonly begin: (connection: Connection) => Effect.Effect<void, unknown, R | Scope.Scope>
  /** Does what was said. What it gives is the reply; `later`: it may take long, and others must not wait for it. */
  readonly run: (
    connection: Connection,
    command: C
  ) => { readonly later: boolean; readonly reply: Effect.Effect<unknown, unknown, R | Scope.Scope> }
}

/** What is said where a socket has a stream already. @category errors */
export const busy = Problem.refuse(
  409,
  "StreamOpen",
  "This socket tells a stream already. Wait for its end, or open another socket."
)

const ping = Buffer.from([0x89, 0x00])
/** How many bytes may wait in the socket of the system's before the next ones are held back. */
const highWater = 65_536
/** How many commands that take long there may be at once. */
const atOnce = 16

const drained = (net: NetSocket): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (net.destroyed || net.writableLength <= highWater) return resume(Effect.void)
    const go = () => {
      off()
      resume(Effect.void)
    }
    const off = () => {
      net.off("drain", go)
      net.off("close", go)
    }
    net.on("drain", go)
    net.on("close", go)
    return Effect.sync(off)
  })

// Frames of this form may stand between any two others: what writes here sends each of its own as one whole.
const kindOf = (net: NetSocket, closing: string): Kind => {
  let heard = -1
  return {
    closing: message(JSON.stringify({ reason: closing }), { event: "closing" }),
    keep: (reader, now) => {
      if (net.bytesRead === heard) {
        net.destroy()
        return
      }
      heard = net.bytesRead
      net.write(ping)
      reader.at = now
    },
    drop: () => net.destroy()
  }
}

const Envelope = Schema.Struct({ ref: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(128))) })
const readEnvelope = Schema.decodeUnknownOption(Envelope)

/**
 * Turns the current request into a socket and serves it to its end. Fails before the upgrade where it cannot be: then the
 * answer is a problem, as of any request.
 *
 * @category running
 */
export const serve = <C, R>(
  streams: Streams,
  settings: Settings,
  endpoint: Endpoint<C, R>
): Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  unknown,
  R | Scope.Scope | HttpServerRequest.HttpServerRequest
> =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    if (!isUpgrade(request))
      return yield* Problem.refuse(
        426,
        "UpgradeRequired",
        "This path is a WebSocket. Connect with `ws://` or `wss://`."
      )
    const { source } = request
    if (!(source instanceof IncomingMessage))
      return yield* Problem.refuse(
        501,
        "NotServed",
        "A handler that is mounted in another server cannot upgrade connections. Serve with `Http.layer` on a Node server, or read the events as SSE."
      )
    const first = offered(request.headers)[0]
    if (first !== undefined && first !== "" && first !== subprotocol)
      return yield* Problem.refuse(400, "InvalidRequest", `Offer the subprotocol \`${subprotocol}\` first, or none.`)
    const net = source.socket
    const requestId = yield* Problem.RequestId
    const reader = yield* streams.admit(yield* Client, kindOf(net, endpoint.closing))
    const upgraded = yield* request.upgrade
    const socket = yield* upgraded.reader
    const writer = yield* upgraded.writer
    yield* Effect.scoped(talk({ streams, settings, endpoint, net, requestId, reader, socket, writer })).pipe(
      // However it ended, the connection is over.
      Effect.ensuring(Effect.sync(() => net.destroySoon()))
    )
    return HttpServerResponse.empty({ status: 101 })
  })

interface Talk<C, R> {
  readonly streams: Streams
  readonly settings: Settings
  readonly endpoint: Endpoint<C, R>
  readonly net: NetSocket
  readonly requestId: string
  readonly reader: Reader
  readonly socket: Socket.Reader
  readonly writer: Socket.Writer
}

const talk = Effect.fnUntraced(function* <C, R>(talk: Talk<C, R>): Effect.fn.Return<void, never, R | Scope.Scope> {
  const { endpoint, net, reader, requestId, settings, socket, streams, writer } = talk
  let code: number = codes.ended
  let reason = ""
  const end = (why: number, because: string): void => {
    code = why
    reason = because
    reader.end("")
  }
  let following: Fiber.Fiber<unknown, unknown> | undefined
  const problemOf = (cause: Cause.Cause<unknown>, ref?: string): string =>
    message(Problem.toJson(Problem.of(Problem.toldOfCause(cause), requestId)), { event: "problem", ref })
  const isFollowing = (): boolean => following !== undefined && following.pollUnsafe() === undefined
  const connection: Connection = {
    say: (text) => reader.offer(text),
    isFollowing,
    follow: (source, once) =>
      Effect.gen(function* () {
        if (isFollowing()) return yield* busy
        // Ends with the socket too, should nothing be told any more.
        const held = yield* Scope.fork(yield* Effect.scope)
        if (source.attend !== undefined) yield* Scope.provide(source.attend, held)
        const pump = source.events.pipe(
          Stream.runForEachArray((events) => {
            for (const event of events) reader.offer(source.encode(event))
            return reader.room.await
          }),
          Effect.andThen(source.end),
          Effect.onExit((exit) =>
            Effect.sync(() => {
              reader.offer(Exit.isSuccess(exit) ? exit.value : problemOf(exit.cause))
              if (once) end(codes.ended, "the stream has ended")
            })
          ),
          Effect.onExit((exit) => Scope.close(held, exit))
        )
        following = yield* Effect.forkScoped(pump)
        reader.pump = following
      })
  }

  const write = Stream.fromPull(Effect.succeed(reader.take)).pipe(
    Stream.runForEachArray((pieces) => Effect.andThen(writer.writeAll(pieces), drained(net))),
    Effect.andThen(
      Effect.suspend(() =>
        streams.isOver && code === codes.ended
          ? writer.write(new Socket.CloseEvent(codes.closing, "the server is closing"))
          : writer.write(new Socket.CloseEvent(code, reason))
      )
    )
  )

  let waiting = 0
  const answer = (said: C, ref: string | undefined): Effect.Effect<void, never, R | Scope.Scope> => {
    const { later, reply } = endpoint.run(connection, said)
    const replied = Effect.matchCause(reply, {
      onFailure: (cause) => (Cause.hasInterruptsOnly(cause) ? "" : problemOf(cause, ref)),
      onSuccess: (data) => message(JSON.stringify(data ?? null), { event: "reply", ref })
    }).pipe(Effect.map((text) => reader.offer(text)))
    if (!later) return replied
    if (waiting >= atOnce)
      return Effect.sync(() => {
        const many = `${atOnce} commands of this socket are waiting for their replies. Wait for one of them.`
        reader.offer(problemOf(Cause.fail(Problem.refuse(429, "TooManyCommands", many, 1)), ref))
      })
    waiting++
    return Effect.asVoid(
      Effect.forkScoped(
        Effect.ensuring(
          replied,
          Effect.sync(() => waiting--)
        )
      )
    )
  }
  const decode = Schema.decodeUnknownResult(endpoint.command)
  const hear = (text: string): Effect.Effect<void, never, R | Scope.Scope> => {
    const json = Result.try((): unknown => JSON.parse(text))
    const envelope = Result.isSuccess(json) ? readEnvelope(json.success) : undefined
    const ref = envelope?._tag === "Some" ? envelope.value.ref : undefined
    const said = Result.isSuccess(json) ? decode(json.success) : undefined
    if (said !== undefined && Result.isSuccess(said)) return answer(said.success, ref)
    const why = said === undefined ? "it is not JSON" : Result.isFailure(said) ? said.failure.message : ""
    return Effect.sync(() =>
      reader.offer(
        problemOf(Cause.fail(Problem.refuse(400, "InvalidRequest", `The message cannot be read: ${why}`)), ref)
      )
    )
  }

  // What has come of a message that is not whole yet is not seen here; the bytes of it are.
  let since = 0
  const tooLarge = (): void => end(codes.tooLarge, `a message has at most ${settings.message} bytes`)
  const count = (chunk: Buffer): void => {
    since += chunk.length
    if (since > settings.message + 4 * highWater) {
      net.off("data", count)
      tooLarge()
    }
  }
  net.on("data", count)
  yield* Effect.addFinalizer(() => Effect.sync(() => net.off("data", count)))

  const listen = Effect.gen(function* () {
    for (;;) {
      const frames = yield* Effect.timeoutOption(socket.pull, settings.idle)
      since = 0
      if (frames._tag === "None") {
        if (isFollowing() || waiting > 0) continue
        return end(codes.idle, "nothing was said for too long")
      }
      for (const frame of frames.value) {
        if (typeof frame !== "string") return end(codes.binary, "messages are texts")
        if (frame.length > settings.message || Buffer.byteLength(frame) > settings.message) return tooLarge()
        yield* hear(frame)
      }
      yield* reader.room.await
    }
  })
  const writing = yield* Effect.forkScoped(write, { startImmediately: true })
  yield* Effect.matchCauseEffect(endpoint.begin(connection), {
    onFailure: (cause) =>
      Effect.sync(() => {
        reader.offer(problemOf(cause))
        end(codes.ended, "there is nothing to tell")
      }),
    onSuccess: () => Effect.void
  })
  const listening = yield* Effect.forkScoped(listen, { startImmediately: true })
  // It is over when all is written, or when the peer is gone.
  const gone = Effect.andThen(Fiber.await(listening), (exit) =>
    Exit.isFailure(exit) ? Effect.void : Fiber.await(writing)
  )
  yield* Effect.raceFirst(Fiber.await(writing), gone)
  if (net.destroyed) return
  // The peer says goodbye as well; one that does not is left.
  yield* Fiber.interrupt(listening)
  yield* Effect.ignore(Effect.timeoutOption(Effect.forever(socket.pull), 1000))
})
