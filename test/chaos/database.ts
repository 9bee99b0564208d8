// A PostgreSQL that can be ended in the middle and begun again, behind a proxy that drops and hangs connections.
import { createServer, connect, type Socket } from "node:net"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { freePort, initialise, serve, type Server } from "../support/postgresServer.ts"

/** A server under fire. */
export interface Database {
  /** Through the proxy. */
  readonly url: string
  /** Ends the server as a crash does, and begins it again. */
  readonly restart: () => Promise<void>
  /** Ends all connections. */
  readonly drop: () => void
  /** Lets nothing through for some milliseconds. */
  readonly hang: (millis: number) => Promise<void>
  readonly stop: () => Promise<void>
}

/** Starts it in a folder of its own. */
export const start = async (): Promise<Database> => {
  const folder = mkdtempSync(join(tmpdir(), "effigent-chaos-pg-"))
  await initialise(folder)
  const port = await freePort()
  let server: Server = await serve(folder, port)
  const sockets = new Set<Socket>()
  let hanging = false
  const proxy = createServer((inner) => {
    const outer = connect(port, "127.0.0.1")
    for (const [from, to] of [
      [inner, outer],
      [outer, inner]
    ] as const) {
      sockets.add(from)
      from.setNoDelay(true)
      from.on("data", (bytes) => to.write(bytes))
      from.on("error", () => to.destroy())
      from.on("close", () => {
        sockets.delete(from)
        to.destroy()
      })
      if (hanging) from.pause()
    }
  })
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve))
  const address = proxy.address()
  const proxied = typeof address === "object" && address !== null ? address.port : 0
  const end = async () => {
    const { pid } = server
    if (pid === undefined) return
    process.kill(pid, "SIGQUIT")
    for (let tries = 0; tries < 500; tries++) {
      try {
        process.kill(pid, 0)
      } catch {
        return
      }
      await pause(10)
    }
  }
  const drop = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `postgres://postgres@127.0.0.1:${proxied}/postgres`,
    restart: async () => {
      await end()
      server = await serve(folder, port)
    },
    drop,
    hang: async (millis) => {
      hanging = true
      for (const socket of sockets) socket.pause()
      await pause(millis)
      hanging = false
      for (const socket of sockets) socket.resume()
    },
    stop: async () => {
      drop()
      proxy.close()
      await end()
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
