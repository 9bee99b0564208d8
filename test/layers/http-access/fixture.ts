/** Servers of this machine: one that may be asked, and a canary that nobody may reach. */
import { Effect } from "effect"
import { createServer, type RequestListener, type Server } from "node:http"
import type { AddressInfo, Socket } from "node:net"

/** A server for as long as the Scope. Counts its connections. */
export const serve = (handler: RequestListener) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<{ server: Server; port: number; connections: () => number; open: Set<Socket> }>((resolve) => {
          let connections = 0
          const open = new Set<Socket>()
          const server = createServer({ maxHeaderSize: 1 << 20 }, handler)
          server.on("connection", (socket) => {
            connections++
            open.add(socket)
            socket.on("close", () => open.delete(socket))
          })
          server.listen(0, "127.0.0.1", () => {
            // It listens at a port, so its address is no text.
            const { port } = server.address() as AddressInfo
            resolve({ server, port, connections: () => connections, open })
          })
        })
    ),
    ({ server }) =>
      Effect.promise(
        () =>
          new Promise((resolve) => {
            server.closeAllConnections()
            server.close(resolve)
          })
      )
  )

/** A resolver that knows these names. */
export const names =
  (known: Readonly<Record<string, ReadonlyArray<string>>>, asked: Array<string> = []) =>
  (host: string): Effect.Effect<ReadonlyArray<string>, { readonly message: string }> => {
    asked.push(host)
    const found = known[host]
    return found === undefined ? Effect.fail({ message: "no such name" }) : Effect.succeed(found)
  }
