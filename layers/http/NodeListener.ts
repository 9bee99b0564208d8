/**
 * A web handler as a listener of Node's own `http`, and so of Express, Fastify and all others that give their requests
 * and responses of Node away. Backpressure goes all the way through; a client that leaves aborts the signal of the
 * request.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { Readable } from "node:stream"

/**
 * Makes a listener of a web handler. A body that something has read before (`express.json()`) is taken from the `body` of
 * the request, as JSON; where it is not there either, the answer is a 500 that says so. What the server cut off the path,
 * where it is mounted below one, stays off.
 *
 * @category constructors
 */
export const nodeListener =
  (handler: (request: Request) => Promise<Response>) =>
  (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const controller = new AbortController()
    outgoing.on("close", () => {
      if (!outgoing.writableFinished) controller.abort()
    })
    const answer = async (): Promise<void> => {
      if (isLost(incoming)) {
        outgoing.writeHead(500, { "content-type": "application/problem+json" }).end(lost)
        return
      }
      const response = await handler(requestOf(incoming, controller.signal))
      const cookies = response.headers.getSetCookie()
      outgoing.writeHead(response.status, {
        ...Object.fromEntries(response.headers),
        // The one header of which each has a line of its own.
        ...(cookies.length === 0 ? {} : { "set-cookie": cookies })
      })
      if (response.body === null) {
        outgoing.end()
        return
      }
      const reader = response.body.getReader()
      outgoing.on("close", () => void reader.cancel().catch(() => {}))
      for (;;) {
        const { done, value } = await reader.read()
        if (done || outgoing.destroyed) break
        if (!outgoing.write(value)) await drained(outgoing)
      }
      outgoing.end()
    }
    // Where the client has left there is nobody to tell; else the request was none that there can be.
    answer().catch(() => {
      if (outgoing.destroyed) return
      if (!outgoing.headersSent) outgoing.writeHead(400)
      outgoing.end()
    })
  }

const drained = (outgoing: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const go = () => {
      outgoing.off("drain", go)
      outgoing.off("close", go)
      resolve()
    }
    outgoing.on("drain", go)
    outgoing.on("close", go)
  })

// Whether a body was sent. Parsers make an empty object of none.
const wasSent = ({ headers }: IncomingMessage): boolean =>
  (headers["content-length"] ?? "0") !== "0" || headers["transfer-encoding"] !== undefined

// A body that was read by something else, which may have left it in the request.
const bodyRead = (incoming: IncomingMessage): unknown =>
  "body" in incoming && incoming.readableDidRead && wasSent(incoming) ? incoming.body : undefined

const isLost = (incoming: IncomingMessage): boolean =>
  wasSent(incoming) && incoming.readableDidRead && bodyRead(incoming) === undefined

const lost = JSON.stringify({
  type: "urn:effigent:error:BodyLost",
  status: 500,
  title: "Internal Server Error",
  tag: "BodyLost",
  retryable: false,
  detail:
    "Something before the listener has read the body and left it nowhere. Mount the listener before it, or leave the body in `request.body`."
})

// The name of a host with its port, and nothing that would be a path: the path is that of which the server around knows.
const isHost = (host: string): boolean => /^[^\s/?#@\\]+$/.test(host)

const requestOf = (incoming: IncomingMessage, signal: AbortSignal): Request => {
  const { headers, method = "GET", url = "/" } = incoming
  const host = headers.host ?? "localhost"
  if (!isHost(host) || !url.startsWith("/")) throw new TypeError("The host or the path is none.")
  const sent = new Headers()
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) for (const one of Array.isArray(value) ? value : [value]) sent.append(name, one)
  const hasBody = method !== "GET" && method !== "HEAD"
  const read = hasBody ? bodyRead(incoming) : undefined
  if (read !== undefined) {
    // Bytes are as they came; anything else is what they say.
    const body = read instanceof Uint8Array ? Buffer.from(read) : JSON.stringify(read)
    // It is written anew, and its length is another one.
    sent.delete("transfer-encoding")
    sent.set("content-length", String(Buffer.byteLength(body)))
    return new Request(`http://${host}${url}`, { method, headers: sent, signal, body })
  }
  return new Request(`http://${host}${url}`, {
    method,
    headers: sent,
    signal,
    // The types of Node's streams and of the platform's differ in name only.
    ...(hasBody ? { body: Readable.toWeb(incoming) as unknown as ReadableStream<Uint8Array>, duplex: "half" } : {})
  })
}
