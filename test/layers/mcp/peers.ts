// The servers of these tests: those that others wrote, ours, and one that behaves as badly as it is told to.
import { assert } from "@effect/vitest"
import { NodeServices } from "@effect/platform-node"
import { Effect, Layer, Schedule } from "effect"
import { FetchHttpClient } from "effect/http"
import { Mcp } from "effigent/layers/mcp"
import { type ChildProcess, spawn } from "node:child_process"
import { createServer as createHttpServer, type RequestListener } from "node:http"
import { createServer } from "node:net"

const root = new URL("../../../", import.meta.url).pathname
const modules = `${root}node_modules/@modelcontextprotocol/`
const program = (name: string) => `${root}test/layers/mcp/programs/${name}.ts`

/** The arguments for Node of each server. */
export const args = {
  everything: [`${modules}server-everything/dist/index.js`, "stdio"],
  everythingHttp: [`${modules}server-everything/dist/index.js`, "streamableHttp"],
  filesystem: (folder: string) => [`${modules}server-filesystem/dist/index.js`, folder],
  memory: [`${modules}server-memory/dist/index.js`],
  ours: ["--conditions=effigent:source", program("offer")],
  oursHttp: ["--conditions=effigent:source", program("offer"), "http"],
  bad: (how: string) => ["--conditions=effigent:source", program("bad"), how]
} as const

export const platform = Layer.merge(NodeServices.layer, FetchHttpClient.layer)

/** A server as a child process. */
export const node = (words: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) =>
  Mcp.stdio({ command: process.execPath, args: words, env })

export const quick = Schedule.max([Schedule.spaced("20 millis"), Schedule.recurs(100)])

/** A port that is free now. */
export const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** Starts a program that serves, until it says on stdout or stderr that it does; gives what it said. It ends with the Scope. */
export const serve = (words: ReadonlyArray<string>, ready: RegExp, env: Readonly<Record<string, string>> = {}) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly child: ChildProcess; readonly said: string }>((resume) => {
      const child = spawn(process.execPath, words, {
        env: { ...process.env, ...env },
        stdio: ["ignore", "pipe", "pipe"]
      })
      let said = ""
      const hear = (chunk: Buffer) => {
        said += chunk.toString()
        if (ready.test(said)) resume(Effect.succeed({ child, said }))
      }
      child.stdout.on("data", hear)
      child.stderr.on("data", hear)
      child.on("exit", (code) => resume(Effect.die(new Error(`it ended with ${code}: ${said}`))))
    }),
    ({ child }) => Effect.promise(() => killed(child))
  )

/** Kills a child process and waits for its end. */
export const killed = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once("exit", () => resolve())
    child.kill("SIGKILL")
  })

/** The everything server behind HTTP, and its URL. */
export const everythingHttp = Effect.flatMap(freePort, (port) =>
  Effect.map(serve(args.everythingHttp, /listening on port/i, { PORT: String(port) }), ({ child }) => ({
    child,
    port,
    url: `http://127.0.0.1:${port}/mcp`
  }))
)

/** Our server behind HTTP, and its URL. */
export const oursHttp = Effect.map(serve(args.oursHttp, /listening on \d+\n/), ({ child, said }) => ({
  child,
  url: `http://127.0.0.1:${/listening on (\d+)/.exec(said)?.[1]}/mcp`
}))

/** A server of this process behind HTTP, as its listener says; its URL. It ends with the Scope. */
export const listening = (listener: RequestListener) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
        const http = createHttpServer(listener)
        const close = () => {
          http.closeAllConnections()
          http.close()
        }
        http.listen(0, "127.0.0.1", () => {
          const address = http.address()
          const port = typeof address === "object" && address !== null ? address.port : 0
          resume(Effect.succeed({ url: `http://127.0.0.1:${port}/`, close }))
        })
      }),
      ({ close }) => Effect.sync(close)
    ),
    ({ url }) => url
  )

/** What a request of a client says: the parts of its message, none where its body is empty. */
export const messageOf = async (request: AsyncIterable<Buffer>) => {
  let body = ""
  for await (const chunk of request) body += chunk.toString()
  const { id, method, params } = body === "" ? {} : JSON.parse(body)
  return { id, method, params }
}

/** How a server greets. */
export const greeting = {
  protocolVersion: "2025-11-25",
  capabilities: { tools: {} },
  serverInfo: { name: "h", version: "1" }
}

/** Whether a process is there. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The words of an `ExecutorError` of this reason. */
export const reasonOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => {
    if (!(error instanceof Error) || !("reason" in error)) return assert.fail(String(error))
    return { error, reason: error.reason, message: error.message }
  })
