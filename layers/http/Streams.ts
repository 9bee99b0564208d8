/**
 * The streams that a server has open (server-sent events, and WebSockets: see `Sockets`), with their limits. Each has a
 * buffer of bounded size between its source and its socket, so that a slow reader holds back its own source alone. One
 * clock serves all of them: it sends a sign of life on streams that are quiet and drops readers that take nothing any
 * more. Closing tells every stream its last event.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Problem from "./Problem.ts"

/**
 * Limits of streams; times in milliseconds.
 *
 * @category models
 */
export interface Settings {
  /** How long a stream may be quiet before a comment is sent on it. */
  readonly heartbeat: number
  /** How long a reader may take nothing of what waits for it. */
  readonly stall: number
  /** How many streams there are at once: for one client and in all. */
  readonly perClient: number
  readonly total: number
}

/**
 * What a stream is made of.
 *
 * @category models
 */
export interface Source<A, E, R> {
  readonly events: Stream.Stream<A, E, R>
  /** An event as it stands on the wire: see `frame`. */
  readonly encode: (event: A) => string
  /** What follows the last event where the source has ended; empty: nothing. */
  readonly end?: Effect.Effect<string> | undefined
  /** What follows where it has failed. Default: an event `problem`. */
  readonly failed?: ((problem: Problem.Problem) => string) | undefined
  /** What follows where the server closes. Default: an event `closing`. */
  readonly closing?: string | undefined
  readonly headers?: { readonly [name: string]: string } | undefined
}

/**
 * One event on the wire. The data is JSON text, which has no line breaks.
 *
 * @category conversions
 */
export const frame = (data: string, about: { readonly id?: string | number; readonly event?: string } = {}): string =>
  (about.id === undefined ? "" : `id: ${about.id}\n`) +
  (about.event === undefined ? "" : `event: ${about.event}\n`) +
  `data: ${data}\n\n`

/** What readers are told where the server closes: by what becomes of that which they read. @category constants */
export const closing = {
  run: "the server is closing; runs are in memory and end with the program, so ask again when it is back",
  journal:
    "the server is closing; the execution is in a journal: resume behind the last id (Last-Event-ID, on a socket ?after=) when it is back",
  memory: "the server is closing; executions are in memory and end with the program, so start it again when it is back",
  other: "the server is closing; try again when it is back"
} as const // Each its own.

/** The last event of a stream where the server closes. @category conversions */
export const closingFrame = (reason: string): string => frame(JSON.stringify({ reason }), { event: "closing" })

/** Whom nobody knows: any number of clients, which are not counted as one. @category models */
export const unknownClient = "unknown"

/** How many characters may wait for a reader before its source is held back. */
const highWater = 65_536

type Taken = Effect.Effect<Arr.NonEmptyReadonlyArray<string>, Cause.Done>

const utf8 = new TextEncoder()

/**
 * What is particular to a kind of stream.
 *
 * @category models
 */
export interface Kind {
  /** The last piece where the server closes. */
  readonly closing: string
  /** Shows a reader for whom nothing has come for a while that the server is there. */
  readonly keep: (reader: Reader, now: number) => void
  /** Ends a reader that takes nothing any more. */
  readonly drop: (reader: Reader) => void
}

/**
 * What stands between a source and a socket. Synchronous.
 *
 * @category models
 */
export class Reader {
  readonly client: string
  readonly kind: Kind
  readonly room = Latch.makeUnsafe(true)
  pump: Fiber.Fiber<unknown, unknown> | undefined
  /** Who takes: it is interrupted where it takes nothing any more. */
  taker: Fiber.Fiber<unknown, unknown> | undefined
  /** When something was taken, or sent, last. */
  at: number
  private pieces: Array<string> = []
  private size = 0
  private ended = false
  private waiting: ((taken: Taken) => void) | undefined

  constructor(client: string, kind: Kind, now: number) {
    this.client = client
    this.kind = kind
    this.at = now
  }

  offer(text: string): void {
    if (this.ended || text === "") return
    this.pieces.push(text)
    this.size += text.length
    if (this.size > highWater) this.room.closeUnsafe()
    this.wake()
  }

  end(text: string): void {
    this.offer(text)
    this.ended = true
    this.wake()
  }

  /** Whether nothing waits for the reader, but the reader for something. */
  get isQuiet(): boolean {
    return this.waiting !== undefined
  }

  private wake(): void {
    const waiting = this.waiting
    if (waiting === undefined) return
    this.waiting = undefined
    waiting(this.take)
  }

  readonly take: Taken = Effect.withFiber((fiber) => {
    this.taker = fiber
    this.at = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
    const { pieces } = this
    if (Arr.isArrayNonEmpty(pieces)) {
      this.pieces = []
      this.size = 0
      this.room.openUnsafe()
      return Effect.succeed(pieces)
    }
    if (this.ended) return Cause.done()
    return Effect.callback((resume) => {
      if (this.pieces.length > 0 || this.ended) return resume(this.take)
      this.waiting = resume
      return Effect.sync(() => {
        this.waiting = undefined
      })
    })
  })
}

const stopFibers = (reader: Reader): void => {
  reader.pump?.interruptUnsafe()
  reader.taker?.interruptUnsafe()
}

const comment = (reader: Reader): void => reader.offer(": keep\n\n")

const bytesOf = (pieces: Arr.NonEmptyReadonlyArray<string>): Arr.NonEmptyReadonlyArray<Uint8Array> =>
  Arr.of(utf8.encode(pieces.length === 1 ? pieces[0] : pieces.join("")))

/**
 * The open streams of a server.
 *
 * @category models
 */
export class Streams {
  private readonly readers = new Set<Reader>()
  private readonly clients = new Map<string, number>()
  private readonly settings: Settings
  private isClosing = false
  /** How many readers were dropped since they took nothing any more. */
  dropped = 0

  constructor(settings: Settings) {
    this.settings = settings
  }

  /** How many are open. */
  get size(): number {
    return this.readers.size
  }

  /** Sends comments on quiet streams and drops stalled readers, for ever. */
  get keep(): Effect.Effect<never> {
    const { heartbeat, stall } = this.settings
    const look = Effect.map(Clock.currentTimeMillis, (now) => {
      for (const reader of this.readers) {
        const idle = now - reader.at
        if (reader.isQuiet) {
          if (idle >= heartbeat) reader.kind.keep(reader, now)
        } else if (idle >= stall) {
          this.dropped++
          reader.kind.drop(reader)
          this.remove(reader)
        }
      }
    })
    return Effect.forever(Effect.andThen(Effect.sleep(Math.max(10, Math.min(heartbeat, stall) / 4)), look))
  }

  private add(client: string, kind: Kind, now: number): Reader | Problem.Refused {
    const { perClient, total } = this.settings
    if (this.isClosing) return Problem.refuse(503, "ServerClosing", "The server is closing. Try again shortly.", 1)
    if (this.readers.size >= total)
      return Problem.refuse(
        503,
        "TooManyStreams",
        `The server has ${total} streams open, which is all it may. Try again later.`,
        5
      )
    const mine = this.clients.get(client) ?? 0
    if (mine >= perClient && client !== unknownClient)
      return Problem.refuse(
        429,
        "TooManyStreams",
        `You have ${mine} streams open, which is all that one client may. Close one first.`,
        5
      )
    const reader = new Reader(client, kind, now)
    this.readers.add(reader)
    this.clients.set(client, mine + 1)
    return reader
  }

  private remove(reader: Reader): void {
    if (!this.readers.delete(reader)) return
    const left = (this.clients.get(reader.client) ?? 1) - 1
    if (left === 0) this.clients.delete(reader.client)
    else this.clients.set(reader.client, left)
  }

  /** Admits a stream; it has its place until the Scope closes. */
  admit(client: string, kind: Kind): Effect.Effect<Reader, Problem.Refused, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const reader = this.add(client, kind, yield* Clock.currentTimeMillis)
      if (reader instanceof Problem.Refused) return yield* reader
      yield* Effect.addFinalizer(() => Effect.sync(() => this.remove(reader)))
      return reader
    })
  }

  /** Whether no stream is admitted any more. */
  get isOver(): boolean {
    return this.isClosing
  }

  /**
   * The response that streams a source to a client. Everything of it belongs to the Scope of the request, which ends with
   * the response, whichever way.
   */
  respond<A, E, R>(
    client: string,
    source: Source<A, E, R>
  ): Effect.Effect<HttpServerResponse.HttpServerResponse, Problem.Refused, R | Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const requestId = yield* Problem.RequestId
      const last = source.closing ?? closingFrame(closing.other)
      const reader = yield* this.admit(client, { closing: last, keep: comment, drop: stopFibers })
      const { encode } = source
      const fail = source.failed ?? ((problem) => frame(Problem.toJson(problem), { event: "problem" }))
      const pump = source.events.pipe(
        Stream.runForEachArray((events) => {
          let text = ""
          for (const event of events) text += encode(event)
          reader.offer(text)
          return reader.room.await
        }),
        Effect.andThen(source.end ?? Effect.succeed("")),
        Effect.onExit((exit) =>
          Effect.sync(() =>
            reader.end(Exit.isSuccess(exit) ? exit.value : fail(Problem.of(Problem.toldOfCause(exit.cause), requestId)))
          )
        )
      )
      reader.pump = yield* Effect.forkScoped(pump)
      // Sent at once, so that the client knows that it is connected.
      reader.offer(": open\n\n")
      return HttpServerResponse.stream(Stream.fromPull(Effect.succeed(Effect.map(reader.take, bytesOf))), {
        contentType: "text/event-stream",
        headers: { "cache-control": "no-cache, no-transform", "x-accel-buffering": "no", ...source.headers }
      })
    })
  }

  /** Admits no stream any more, gives every stream its last event, and waits until their readers have it. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isClosing = true
      for (const reader of this.readers) {
        reader.end(reader.kind.closing)
        reader.pump?.interruptUnsafe()
      }
      return this.gone
    })
  }

  private get gone(): Effect.Effect<void> {
    return Effect.suspend(() => (this.readers.size === 0 ? Effect.void : Effect.andThen(Effect.sleep(5), this.gone)))
  }
}
