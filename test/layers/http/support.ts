// A server on a real socket, and clients that talk to it: whole requests by fetch, and raw ones by a socket.
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { HttpServer } from "effect/http"
import { createServer } from "node:http"
import { connect, type Socket } from "node:net"

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: unknown
}

const answerOf = async (response: Response): Promise<Answer> => {
  const text = await response.text()
  const isJson = /json/.test(response.headers.get("content-type") ?? "")
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined }
}

/** An event of a stream, as it came. */
export interface Sse {
  readonly id: string | undefined
  readonly event: string | undefined
  readonly data: unknown
}

/** The whole events in a text; what is cut off at its end is none. Comments are left out. */
export const parse = (text: string): ReadonlyArray<Sse> =>
  text
    .split("\n\n")
    .slice(0, -1)
    .flatMap((block) => {
      const lines = block.split("\n").filter((line) => !line.startsWith(":"))
      const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
      const data = field("data")
      return data === undefined ? [] : [{ id: field("id"), event: field("event"), data: JSON.parse(data) }]
    })

/** Serves a Layer of `Http.layer` on a port of its own until the Scope closes, or until it is stopped. */
export const start = <E, R1, S, R>(
  layer: Layer.Layer<never, E, R1>,
  services: Layer.Layer<S, unknown, R>,
  address: { readonly host?: string } = {}
) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
    const context = yield* Layer.buildWithScope(
      layer.pipe(
        Layer.provideMerge(
          NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: 100, ...address })
        ),
        Layer.provideMerge(Layer.orDie(services))
      ),
      scope
    )
    const server = Context.get(context, HttpServer.HttpServer)
    const port = "port" in server.address ? server.address.port : 0
    const base = `http://127.0.0.1:${port}`
    const call = (path: string, init: RequestInit = {}) =>
      Effect.promise((signal) => fetch(base + path, { signal, ...init }).then(answerOf))
    return {
      context,
      port,
      base,
      call,
      get: (path: string, headers: Record<string, string> = {}) => call(path, { headers }),
      post: (path: string, body: unknown, headers: Record<string, string> = {}) =>
        call(path, {
          method: "POST",
          body: JSON.stringify(body),
          headers: { "content-type": "application/json", ...headers }
        }),
      stream: (path: string, body: unknown, headers: Record<string, string> = {}) =>
        Effect.map(
          call(path, {
            method: "POST",
            body: JSON.stringify(body),
            headers: { "content-type": "application/json", ...headers }
          }),
          ({ text }) => parse(text)
        ),
      stop: Scope.close(scope, Exit.void)
    }
  })

/** A socket that says what it is told, and all that it heard. */
export class Raw {
  text = ""
  isClosed = false
  readonly socket: Socket
  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1")
    this.socket.on("data", (chunk) => {
      this.text += chunk.toString("utf8")
    })
    this.socket.on("close", () => {
      this.isClosed = true
    })
    this.socket.on("error", () => {
      this.isClosed = true
    })
  }
  write(text: string): void {
    this.socket.write(text)
  }
  get status(): number {
    return Number(/^HTTP\/1\.1 (\d+)/.exec(this.text)?.[1] ?? 0)
  }
}

export const raw = (port: number) =>
  Effect.acquireRelease(
    Effect.sync(() => new Raw(port)),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

/** Waits until something holds. */
export const until = <R = never>(
  holds: () => boolean | Effect.Effect<boolean, never, R>
): Effect.Effect<void, never, R> =>
  Effect.suspend(() => {
    const now = holds()
    return Effect.flatMap(typeof now === "boolean" ? Effect.succeed(now) : now, (is) =>
      is ? Effect.void : Effect.andThen(Effect.sleep(5), until(holds))
    )
  }).pipe(Effect.timeoutOrElse({ duration: "10 seconds", orElse: () => Effect.die(new Error("it never holds")) }))
