/** A loopback HTTP server for the tests of model providers: it keeps what it was sent and answers as it is told. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { Effect, type Scope } from "effect"

/** A request as it arrived. */
export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage["headers"]
  readonly body: string
  /** Monotonic milliseconds at which the connection of this request was closed, once it was. */
  closedAt: number | undefined
}

/** The running server. */
export interface Loopback {
  readonly url: string
  readonly received: ReadonlyArray<Received>
  /** How many connections were opened. */
  readonly connections: () => number
}

/** Answers one request; `ordinal` counts from 0. */
export type Answer = (response: ServerResponse, request: Received, ordinal: number) => void | Promise<void>

/** Runs a server for the life of the scope. */
export const serve = (answer: Answer): Effect.Effect<Loopback, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<{ loopback: Loopback; stop: Effect.Effect<void> }>((resume) => {
      const received: Array<Received> = []
      const sockets = new Set<Socket>()
      let connections = 0
      const server = createServer((request, response) => {
        const parts: Array<Buffer> = []
        request.on("data", (part: Buffer) => parts.push(part))
        request.on("end", () => {
          const entry: Received = {
            method: request.method ?? "",
            path: request.url ?? "",
            headers: request.headers,
            body: Buffer.concat(parts).toString(),
            closedAt: undefined
          }
          request.socket.once("close", () => void (entry.closedAt = performance.now()))
          received.push(entry)
          void answer(response, entry, received.length - 1)
        })
      })
      server.on("connection", (socket) => {
        connections++
        socket.setNoDelay(true)
        sockets.add(socket)
        socket.on("error", () => {})
        socket.once("close", () => sockets.delete(socket))
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        if (address === null || typeof address === "string") throw new Error("the server has no port")
        const stop = Effect.callback<void>((done) => {
          for (const socket of sockets) socket.destroy()
          server.close(() => done(Effect.void))
        })
        const loopback = { url: `http://127.0.0.1:${address.port}`, received, connections: () => connections }
        resume(Effect.succeed({ loopback, stop }))
      })
    }),
    ({ stop }) => stop
  ).pipe(Effect.map(({ loopback }) => loopback))

/** Writes the segments one by one, each as a packet of its own where the system allows. */
export const writeSegments = async (response: ServerResponse, segments: Iterable<Uint8Array | string>) => {
  response.flushHeaders()
  for (const segment of segments) {
    if (response.destroyed) return
    await new Promise<void>((done) => {
      if (segment.length === 0) done()
      else response.write(segment, () => setImmediate(done))
    })
  }
}

/** Answers 200 with these server-sent events; `hold` leaves the connection open after them. */
export const sse = (segments: Iterable<Uint8Array | string>, options: { readonly hold?: boolean } = {}): Answer => {
  const all = [...segments]
  return async (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    await writeSegments(response, all)
    if (options.hold !== true) response.end()
  }
}

/** Polls until the condition holds; dies with the message where it does not within two real seconds. */
export const eventually = (condition: () => boolean, message: string): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const until = performance.now() + 2000
    const look = () => {
      if (condition()) resume(Effect.void)
      else if (performance.now() > until) resume(Effect.die(new Error(message)))
      else setTimeout(look, 1)
    }
    look()
  })
