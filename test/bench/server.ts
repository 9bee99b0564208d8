/** A chat-completions endpoint for the bench, in a process of its own. Prints its port. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { document, inChunks } from "./items.ts"

const frame = (delta: object, finish: string | null = null) =>
  `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`

const frames = inChunks(document(1_500)).map((content) => frame({ content }))
const writes: Array<string> = []
for (let at = 0; at < frames.length; at += 10) writes.push(frames.slice(at, at + 10).join(""))
writes.push(`${frame({}, "stop")}data: [DONE]\n\n`)

const server = createServer((request, response) => {
  request.resume()
  request.on("end", () => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    let at = 0
    const next = (): void => {
      const text = writes[at++]
      if (text === undefined) return void response.end()
      response.write(text)
      setImmediate(next)
    }
    next()
  })
})
server.listen(0, "127.0.0.1", () => {
  // The address of a server that listens on a port.
  console.log((server.address() as AddressInfo).port)
})
