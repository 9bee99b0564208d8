/** What commands that listen have in common: an address to listen on, and what it means where that cannot be. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import type * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { createServer } from "node:http"

/** Nothing can be listened to at the address. @category errors */
export class CannotListen extends Schema.TaggedError<CannotListen>()("CannotListen", {
  host: Schema.String,
  port: Schema.Int,
  /** The code of the system: `EADDRINUSE`, `EACCES`, ... */
  code: Schema.String
}) {
  override get message(): string {
    const where = `${this.host}:${this.port}`
    if (this.code === "EADDRINUSE") return `Port ${this.port} of ${this.host} is taken. Give another one with --port.`
    if (this.code === "EACCES") return `This user may not listen at ${where}. Give a port above 1023 with --port.`
    if (this.code === "EADDRNOTAVAIL" || this.code === "ENOTFOUND")
      return `This machine has no address ${this.host}. Give one that it has with --host.`
    return `Nothing can be listened to at ${where}: ${this.code}`
  }
}

/** `--port`. @category flags */
export const port = Flag.Int("port").pipe(
  Flag.withAlias("p"),
  Flag.withDescription("The port; 0: any that is free"),
  Flag.filter(
    (port) => port >= 0 && port <= 65_535,
    (port) => `${port} is no port: give one from 0 to 65535`
  ),
  Flag.optional
)

/** `--host`. @category flags */
export const host = Flag.String("host").pipe(
  Flag.withDescription("The address to listen on; default 127.0.0.1: this machine alone"),
  Flag.withDefault("127.0.0.1")
)

// A frame, or a message in pieces, that is larger is not read to its end; messages above 1 MiB are refused by the API.
const maxPayload = 1_310_720

// Ends with its connections: one on which half a request has come would hold it for minutes.
const closing = (host: string, port: number) => {
  const server = createServer()
  const listening = NodeHttpServer.layerServer(() => server, {
    host,
    port,
    gracefulShutdownTimeout: "1 second",
    websocket: { maxPayload }
  })
  // Closed before the server is: it was opened after it. Answers have had their time by then.
  const closed = Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
  return Layer.effectDiscard(closed).pipe(Layer.provideMerge(listening))
}

/** A server at an address. Where nobody has named a port, another one is taken if the default one is not free. @category layers */
export const server = (
  host: string,
  given: Option.Option<number>,
  usual: number
): Layer.Layer<HttpServer.HttpServer, CannotListen> => {
  const at = (port: number) =>
    closing(host, port).pipe(
      Layer.catch(({ cause }) => {
        const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause)
        return Layer.effectDiscard(Effect.fail(new CannotListen({ host, port, code })))
      })
    )
  // A Layer that fails gives nothing; the types do not know.
  const typed = (port: number) => at(port) as Layer.Layer<HttpServer.HttpServer, CannotListen>
  if (Option.isSome(given)) return typed(given.value)
  return Layer.catch(typed(usual), (error) =>
    error.code === "EADDRINUSE" ? typed(0) : Layer.unwrap(Effect.fail(error))
  )
}
