import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { once } from "node:events"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { promisify } from "node:util"

const root = new URL("../../", import.meta.url).pathname

const frame = (delta: object, finish: string | null = null) =>
  `data: ${JSON.stringify({ id: "c", model: "m", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`

const begin = (response: ServerResponse, id: string) => {
  response.writeHead(200, { "content-type": "text/event-stream" })
  response.write(frame({ content: `{"id":${id},"items":["one",` }))
}

// Each fault, and how it has to be told.
const faults: ReadonlyArray<readonly [reason: string, play: (response: ServerResponse, id: string) => void]> = [
  ["ProviderUnavailable", (response) => response.writeHead(503).end("busy")],
  [
    "ConnectionLost",
    (response, id) => {
      begin(response, id)
      setTimeout(() => response.destroy(), 5)
    }
  ],
  [
    "Incomplete",
    (response, id) => {
      begin(response, id)
      response.end()
    }
  ],
  ["TimedOut", begin],
  [
    "OutputError",
    (response, id) => {
      begin(response, id)
      response.end(`${frame({ content: "oops" }, "stop")}data: [DONE]\n\n`)
    }
  ]
]

describe("1,000 responses at once, 5 % of them broken by the server", () => {
  it("are all accounted for, and leave the memory flat", { timeout: 180_000 }, async () => {
    let count = 0
    const server = createServer((request, response) => {
      let body = ""
      request.on("data", (chunk: Buffer) => void (body += chunk.toString()))
      request.on("end", () => {
        const id = /id=(\d+);/.exec(body)?.[1] ?? "-1"
        const n = count++ % 1_000
        const fault = n % 20 === 7 ? faults[Math.floor(n / 20) % faults.length] : undefined
        if (fault !== undefined) return fault[1](response, id)
        begin(response, id)
        setTimeout(() => response.end(`${frame({ content: '"two"]}' }, "stop")}data: [DONE]\n\n`), 1)
      })
    })
    server.listen(0, "127.0.0.1", 2_048)
    await once(server, "listening")
    // The address of a server that listens on a port.
    const { port } = server.address() as AddressInfo
    const { PATH = "", HOME = "" } = process.env
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--expose-gc", "--conditions=effigent:source", "test/leaks/load.ts"],
      { cwd: root, env: { PATH, HOME, BASE_URL: `http://127.0.0.1:${port}/v1` } }
    )
    server.closeAllConnections()
    server.close()
    const rounds: ReadonlyArray<{ readonly tally: Record<string, number>; readonly heap: number }> = JSON.parse(stdout)
    const expected = { right: 950, ...Object.fromEntries(faults.map(([reason]) => [reason, 10])) }
    for (const { tally } of rounds) assert.deepStrictEqual(tally, expected)
    assert.strictEqual(count, rounds.length * 1_000, "one request for each response")
    const [, , third, , fifth] = rounds.map(({ heap }) => heap)
    assert.isAtMost((fifth ?? Infinity) / (third ?? 1), 1.05, stdout)
  })
})
