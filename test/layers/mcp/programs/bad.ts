// An MCP server over stdio that behaves as badly as its first argument says.
import { createInterface } from "node:readline"

const how = process.argv[2] ?? ""
const say = (message: object) => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)

if (how === "crash") {
  process.stderr.write("no licence found\n")
  process.exit(3)
}
if (how === "garbage") process.stdout.write("Welcome to the server!\n{not json\n[1,2]\n\n")
let listed = 0
let called = 0
createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line)
  if (how === "silent") return
  if (method === "notifications/cancelled") return process.stderr.write(`cancelled ${params.requestId}\n`)
  if (method === "initialize") {
    if (how === "garbage") process.stdout.write("still starting ...\n")
    return say({
      id,
      result: {
        protocolVersion: how === "future" ? "2099-01-01" : how === "old" ? "2024-11-05" : params.protocolVersion,
        capabilities: { tools: { listChanged: true } },
        serverInfo: { name: "bad", version: "1" }
      }
    })
  }
  if (method === "tools/list") {
    listed++
    if (how === "pages") {
      const page = Number(params.cursor ?? 0)
      return say({
        id,
        result: {
          tools: [{ name: `tool.${page}`, inputSchema: { type: "object" } }],
          ...(page < 2 ? { nextCursor: String(page + 1) } : {})
        }
      })
    }
    const names = listed === 1 ? ["first", "hang", "pid", "die", "huge", "long-answer"] : ["first", "second"]
    return say({
      id,
      result: {
        tools: names.map((name) => ({
          name,
          description: `${name}, listing ${listed}`,
          inputSchema: { type: "object" }
        }))
      }
    })
  }
  if (method === "tools/call") {
    called++
    const { name } = params
    if (name === "hang") return
    if (name === "die") return process.exit(9)
    if (name === "first") say({ method: "notifications/tools/list_changed" })
    if (name === "huge") return process.stdout.write("x".repeat(17 * 1024 * 1024))
    return say({
      id,
      result: { content: [{ type: "text", text: name === "pid" ? String(process.pid) : `call ${called}` }] }
    })
  }
})
setInterval(() => {}, 1000)
