import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { promisify } from "node:util"

const root = new URL("../../", import.meta.url).pathname

const frame = (delta: object, finish: string | null = null) =>
  `data: ${JSON.stringify({ id: "c", model: "m", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`

describe("10,000 responses opened, read and closed", () => {
  it("S33 leave no stream, socket or heap behind, however their readers went away", { timeout: 120_000 }, async () => {
    const server = createServer((request, response) => {
      request.resume()
      request.on("end", () => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write(frame({ content: '{"items":["one",' }))
        setImmediate(() => response.end(`${frame({ content: '"two"]}' }, "stop")}data: [DONE]\n\n`))
      })
    })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    // The address of a server that listens on a port.
    const { port } = server.address() as AddressInfo
    const { PATH = "", HOME = "" } = process.env
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--expose-gc", "--conditions=effigent:source", "test/leaks/client.ts"],
      { cwd: root, env: { PATH, HOME, BASE_URL: `http://127.0.0.1:${port}/v1` } }
    )
    server.closeAllConnections()
    server.close()
    const { after, before } = JSON.parse(stdout)
    assert.strictEqual(after.streams, 0)
    assert.isAtMost(after.sockets, 4, "the pool's idle connections, one for each request at once")
    assert.isAtMost(after.heap / before.heap, 1.02, stdout)
  })
})
