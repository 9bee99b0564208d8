// `npm start` as people use it: a process of its own, its output, its exit code, Ctrl-C.
import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, writeFileSync } from "node:fs"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

const root = new URL("../../../", import.meta.url).pathname

interface Options {
  readonly args?: ReadonlyArray<string>
  readonly env?: Record<string, string>
  readonly input?: string
}

const start = ({ args = [], env = {}, input }: Options = {}): ChildProcess => {
  const { PATH = "", HOME = "" } = process.env
  const child = spawn(process.execPath, ["--conditions=effigent:source", "layers/apps/start/main.ts", ...args], {
    cwd: root,
    env: { PATH, HOME, ...env },
    stdio: ["pipe", "pipe", "pipe"]
  })
  child.stdin?.end(input ?? "")
  return child
}

const run = async (options: Options = {}) => {
  const child = start(options)
  let out = ""
  let err = ""
  child.stdout?.on("data", (chunk: Buffer) => void (out += chunk.toString()))
  child.stderr?.on("data", (chunk: Buffer) => void (err += chunk.toString()))
  const [code] = await once(child, "close")
  return { code: Number(code), out, err }
}

const serve = async (handle: (request: IncomingMessage, response: ServerResponse) => void) => {
  const server = createServer((request, response) => {
    request.resume()
    request.on("end", () => handle(request, response))
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  // The address of a server that listens on a port.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    }
  }
}

const openai = (url: string) => ({
  OPENAI_BASE_URL: `${url}/v1`,
  OPENAI_API_KEY: "sk-secret-of-the-test",
  EFFIGENT_MODEL: "m1"
})

const chunk = (delta: object, finish: string | null = null) =>
  `data: ${JSON.stringify({ id: "c1", model: "m1", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`

const isOneSentence = (text: string) => assert.match(text, /^[^\n]+\n$/)

describe("npm start", () => {
  it("triages the sample letter without a key: fields, branches, value, tokens and times", async () => {
    const { code, err, out } = await run()
    assert.strictEqual(code, 0)
    assert.strictEqual(err, "")
    assert.match(out, /^Model: offline, built in/)
    assert.include(out, "\ncustomer.name: Marianne Okafor\n")
    assert.include(out, "\n✓ actions[0]\n")
    assert.include(out, "order: 'HH-20418'")
    assert.match(
      out,
      /\d+ tokens in, \d+ out · first token after [\d.]+ s · [\d.]+ s in all · 6 requests · offline-1\n$/
    )
    assert.include(out, "team: 'billing',\n      summary: 'Refund the second charge of EUR 1,846.40")
    const told = out.indexOf("\n→ actions[0] engineering: Replace the two faulty printers")
    assert.isAbove(told, out.indexOf("\n✓ actions[0]\n"), "its branch begins when the action is there")
    assert.isBelow(told, out.indexOf("\nreply: "), "and while the model still writes")
    assert.notInclude(out, String.fromCharCode(27), "no colours where nobody watches")
  })

  it("takes another file", async () => {
    const file = join(mkdtempSync(join(tmpdir(), "effigent-")), "letter.txt")
    writeFileSync(file, "Subject: Late train\n\nPlease refund my ticket.\n\nRegards,\nAda Lovelace\n")
    const { code, out } = await run({ args: [file] })
    assert.strictEqual(code, 0)
    assert.include(out, "subject: 'Late train'")
  })

  it("takes standard input", async () => {
    const { code, out } = await run({ args: ["-"], input: "Subject: Cold soup\n\nPlease warm it.\n" })
    assert.strictEqual(code, 0)
    assert.include(out, "Letter: standard input")
    assert.include(out, "subject: 'Cold soup'")
  })

  for (const [name, options, message] of [
    ["a missing file", { args: ["no-such-file.txt"] }, /no-such-file\.txt: there is no such file\./],
    ["an empty file", { args: ["/dev/null"] }, /\/dev\/null: it is empty\./],
    ["an empty standard input", { args: ["-"], input: " \n" }, /standard input: it is empty\./],
    ["a folder", { args: [root] }, /it is no readable file\./],
    ["an unreachable host", { env: openai("http://127.0.0.1:9") }, /could not be reached/]
  ] as const) {
    it(`ends in one sentence and exit code 1 on ${name}`, async () => {
      const { code, err, out } = await run(options)
      assert.strictEqual(code, 1)
      isOneSentence(err)
      assert.match(err, message)
      assert.notInclude(out + err, "    at ")
    })
  }

  it("ends in one sentence and exit code 1 on a wrong key, and does not show the key", async () => {
    const server = await serve((_, response) => {
      response.writeHead(401, { "content-type": "application/json" })
      response.end(JSON.stringify({ error: { message: "Incorrect API key provided: sk-secret-of-the-test" } }))
    })
    const { code, err, out } = await run({ env: openai(server.url) })
    server.close()
    assert.strictEqual(code, 1)
    isOneSentence(err)
    assert.include(err, "refused the credentials")
    assert.notInclude(err + out, "sk-secret-of-the-test")
  })

  const answer = {
    subject: "S",
    customer: { name: "N" },
    mood: "calm",
    urgency: 1,
    reply: "R",
    issues: [{ title: "T", detail: "D", severity: "low" }],
    actions: [{ team: "support", task: "X" }]
  }
  // Answers the first request with the ticket and the others with the note, unless notes are refused.
  const desk = async (asked: Array<string>, refusesNotes = false) =>
    serve((request, response) => {
      const isFirst = asked.push(`${request.method} ${request.url} ${request.headers.authorization}`) === 1
      if (!isFirst && refusesNotes) return void response.writeHead(400).end("{}")
      response.writeHead(200, { "content-type": "text/event-stream" })
      const content = JSON.stringify(isFirst ? answer : { summary: "Do X.", keywords: ["x"] })
      response.end(`${chunk({ content })}${chunk({}, "stop")}data: [DONE]\n\n`)
    })

  it("asks the endpoint that the environment names, and tells each team its task", async () => {
    const asked: Array<string> = []
    const server = await desk(asked)
    const { code, err, out } = await run({ env: openai(server.url) })
    server.close()
    assert.strictEqual(err, "")
    assert.strictEqual(code, 0)
    const request = "POST /v1/chat/completions Bearer sk-secret-of-the-test"
    assert.deepStrictEqual(asked, [request, request])
    assert.include(out, "\n→ actions[0] support: Do X. (within 1 working day)\n")
    assert.include(out, `Model: m1 at ${server.url}/v1`)
    assert.include(out, "subject: 'S'")
  })

  it("gives the ticket also where the note to a team fails", async () => {
    const server = await desk([], true)
    const { code, err, out } = await run({ env: openai(server.url) })
    server.close()
    assert.strictEqual(err, "")
    assert.strictEqual(code, 0)
    assert.match(out, /\n✗ actions\[0\]: [^\n]+\n/)
    assert.include(out, "subject: 'S'")
    assert.include(out, "assignments: []")
  })

  it("SIGINT in mid-stream closes the provider's connection within 100 ms, and ends with 130", async () => {
    let closed: ((at: number) => void) | undefined
    const closedAt = new Promise<number>((resolve) => (closed = resolve))
    let begun: (() => void) | undefined
    const streaming = new Promise<void>((resolve) => (begun = resolve))
    const server = await serve((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.write(chunk({ content: '{"subject":"Half a sen' }))
      response.on("close", () => closed?.(performance.now()))
      begun?.()
    })
    const child = start({ env: openai(server.url) })
    const ended = once(child, "close")
    await streaming
    // The program has the first piece once it has printed its header; until then there is nothing to interrupt.
    await once(child.stdout ?? child, "data")
    const killedAt = performance.now()
    child.kill("SIGINT")
    const millis = (await closedAt) - killedAt
    const [code] = await ended
    server.close()
    assert.isBelow(millis, 100)
    assert.strictEqual(code, 130)
  })

  it("ends quietly when the reader of its output leaves", async () => {
    const child = start()
    let err = ""
    child.stderr?.on("data", (data: Buffer) => void (err += data.toString()))
    child.stdout?.once("data", () => child.stdout?.destroy())
    const [code] = await once(child, "close")
    assert.strictEqual(err, "")
    assert.strictEqual(code, 0)
  })
})
