// `effigent serve` and `effigent studio`: processes that listen, asked over HTTP, and ended by signals.
import { assert, describe, it } from "@effect/vitest"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:http"
import { type AddressInfo, connect } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { effigent, ended, folder, json, type Options, project, start } from "./support.ts"

// The first line of standard output says where a command listens.
const listening = async (cwd: string, args: ReadonlyArray<string>, options: Options = {}) => {
  const child = start(cwd, args, options)
  const outcome = ended(child)
  let out = ""
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      out += chunk.toString()
      const end = out.indexOf("\n")
      if (end >= 0) resolve(out.slice(0, end))
    })
    void outcome.then(({ err }) => reject(new Error(err)))
  })
  return { child, outcome, line: json(line) }
}

const stop = async (child: ChildProcess, outcome: ReturnType<typeof ended>, signal: NodeJS.Signals = "SIGTERM") => {
  child.kill(signal)
  return outcome
}

const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body)
  })

const document = async (response: Promise<Response>): Promise<ReturnType<typeof JSON.parse>> =>
  JSON.parse(await (await response).text())

const sample = project()

describe("effigent serve", () => {
  it("serves agents, flows and health, logs requests as JSON lines, and ends on SIGTERM", async () => {
    const { child, line, outcome } = await listening(sample, ["serve", "--port", "0", "--json"])
    assert.strictEqual(line["auth"], false)
    const url = String(line["listening"])
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/)
    const answer = await post(`${url}/agents/triage/run`, "The printer is on fire!")
    assert.strictEqual(answer.status, 200)
    assert.deepStrictEqual(await answer.json(), { title: "The printer is on fire!", urgent: false })
    assert.strictEqual((await fetch(`${url}/health/ready`)).status, 200)
    assert.strictEqual((await fetch(`${url}/openapi.json`)).status, 200)
    const { code, err, out } = await stop(child, outcome)
    assert.strictEqual(code, 0)
    assert.strictEqual(out.trim().split("\n").length, 1)
    const logs = err
      .trim()
      .split("\n")
      .map((text) => JSON.parse(text))
    const run = logs.find(({ annotations }) => annotations.path === "/agents/triage/run")
    assert.deepStrictEqual(
      [run.message, run.annotations.method, run.annotations.status, run.annotations.requestId],
      ["request", "POST", 200, answer.headers.get("x-request-id")]
    )
  })

  it("gives open streams their last event when it is told to end", async () => {
    const { child, line, outcome } = await listening(sample, ["serve", "--port", "0", "--json"])
    const url = String(line["listening"])
    const started = await post(`${url}/flows/refund/executions`, {
      input: { cents: 900, letter: "My cup is broken." },
      id: "left-open"
    })
    assert.strictEqual(started.status, 201)
    const stream = await fetch(`${url}/executions/left-open/events`)
    const text = stream.text()
    const { code } = await stop(child, outcome)
    assert.include(await text, "event: closing")
    assert.strictEqual(code, 0)
    // Another life of the server goes on with it.
    const again = await listening(sample, ["serve", "--port", "0", "--json"])
    const next = String(again.line["listening"])
    const view = await document(fetch(`${next}/executions/left-open`))
    assert.strictEqual(view.status, "waiting")
    const [question] = view.questions
    const answered = await post(`${next}/executions/left-open/questions/${encodeURIComponent(question.id)}`, {
      value: true
    })
    assert.strictEqual(answered.status, 204)
    assert.strictEqual(await (await fetch(`${next}/flows/refund/executions/left-open/result`)).json(), "paid")
    await stop(again.child, again.outcome, "SIGINT")
  })

  it("asks for a token where it was given one, and tells it to nobody", async () => {
    const env = { EFFIGENT_TOKEN: "ada=a-secret-of-ada" }
    const args = ["serve", "--port", "0", "--host", "0.0.0.0", "--cors", "https://example.org", "--json"]
    const { child, line, outcome } = await listening(sample, args, { env })
    assert.strictEqual(line["auth"], true)
    const url = String(line["listening"]).replace("0.0.0.0", "127.0.0.1")
    assert.strictEqual((await fetch(`${url}/runs`)).status, 401)
    assert.strictEqual(
      (await fetch(`${url}/runs`, { headers: { authorization: "Bearer ada=a-secret-of-ada" } })).status,
      401
    )
    const mine = await fetch(`${url}/runs`, {
      headers: { authorization: "Bearer a-secret-of-ada", origin: "https://example.org" }
    })
    assert.strictEqual(mine.status, 200)
    assert.strictEqual(mine.headers.get("access-control-allow-origin"), "https://example.org")
    const { err, out } = await stop(child, outcome)
    assert.notInclude(err + out, "a-secret-of-ada")
  })

  // A project whose timers go on, and which needs longer to end than anybody waits.
  const lasting = (endsIn: number) =>
    folder({
      "effigent.config.ts": `
        import { Effect, Layer } from "effect"
        import { defineConfig } from "effigent/config"
        setInterval(() => {}, 1000)
        const slow = Effect.acquireRelease(Effect.void, () => Effect.sleep(${endsIn}))
        export default defineConfig({ layer: Layer.effectDiscard(slow) })`
    })

  it("ends when it is told to, though timers of the project go on and half a request has come", async () => {
    const { child, line, outcome } = await listening(lasting(0), ["serve", "--port", "0", "--json"])
    const half = connect(Number(new URL(String(line["listening"])).port), "127.0.0.1")
    half.on("error", () => {})
    await once(half, "connect")
    half.write("GET /health/live HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\nGET /he")
    await once(half, "data")
    const { code } = await stop(child, outcome)
    assert.strictEqual(code, 0)
  })

  it("ends at once when it is told a second time, and not where one signal comes twice", async () => {
    const { child, outcome } = await listening(lasting(60_000), ["serve", "--port", "0", "--json"])
    let isOver = false
    void outcome.then(() => (isOver = true))
    child.kill("SIGINT")
    child.kill("SIGTERM")
    await sleep(1_000)
    assert.isFalse(isOver)
    assert.strictEqual((await stop(child, outcome, "SIGINT")).code, 130)
  })

  it("opens a studio beside it, which sees what is asked of it", async () => {
    const args = ["serve", "--port", "0", "--studio", "--studio-port", "0", "--json"]
    const { child, line, outcome } = await listening(sample, args)
    const [api, studio] = [String(line["listening"]), new URL(String(line["studio"]))]
    const answer = await post(`${api}/agents/triage/run`, "The printer is on fire!")
    const run = answer.headers.get("x-run-id")
    const headers = { authorization: `Bearer ${studio.searchParams.get("token")}` }
    const [row] = await document(fetch(`${studio.origin}/studio/runs`, { headers }))
    assert.deepStrictEqual([row.run, row.agent, row.status], [run, "triage", "completed"])
    const { traces } = await document(fetch(`${studio.origin}/studio/traces?run=${run}`, { headers }))
    assert.strictEqual(traces.length, 1)
    await post(`${api}/flows/refund/executions`, { input: { cents: 900, letter: "My cup is broken." }, id: "seen" })
    const seen = await document(fetch(`${studio.origin}/studio/executions/seen`, { headers }))
    assert.strictEqual(seen.flow, "refund")
    // It is no way around the check of who asks.
    assert.strictEqual((await fetch(`${studio.origin}/api/runs`)).status, 401)
    const { code } = await stop(child, outcome)
    assert.strictEqual(code, 0)
  })

  it("refuses what would let others in, and what cannot be", async () => {
    const refused = async (args: ReadonlyArray<string>, says: string, code = 2, env: Record<string, string> = {}) => {
      const done = await effigent(sample, ["serve", ...args], { env })
      assert.strictEqual(done.code, code, done.err)
      assert.include(done.err, says)
    }
    await refused(["--port", "0", "--host", "0.0.0.0"], "--token")
    await refused(["--port", "0", "--host", "0.0.0.0", "--no-auth"], "--token", 2, { EFFIGENT_TOKEN: "x" })
    await refused(["--no-auth", "--token", "a=b"], "exclude each other")
    await refused(["--token", "ada="], "is empty")
    // What base64 ends with is not taken for a token behind a name.
    await refused([], "is empty", 2, { EFFIGENT_TOKEN: "c2VjcmV0LW9mLWFkYQ==" })
    await refused(["--token", "ada=one", "--token", "ada=two"], "Two tokens have one name")
    await refused(["--cors", "https://example.org/path"], "is no origin")
    await refused(["--port", "70000"], "is no port")
    const taken = createServer()
    taken.listen(0, "127.0.0.1")
    await once(taken, "listening")
    // The address of a server that listens on a port.
    const { port } = taken.address() as AddressInfo
    await refused(["--port", String(port)], `Port ${port} of 127.0.0.1 is taken`, 1)
    taken.close()
  }, 60_000)
})

describe("effigent studio", () => {
  it("prints an address with a token, and opens the project there", async () => {
    const { child, line, outcome } = await listening(sample, ["studio", "--port", "0", "--no-open", "--json"])
    const url = new URL(String(line["studio"]))
    assert.match(url.searchParams.get("token") ?? "", /^[\w-]{32}$/)
    const headers = { authorization: `Bearer ${url.searchParams.get("token")}` }
    const about = await document(fetch(`${url.origin}/studio/project`, { headers }))
    assert.deepStrictEqual(
      about.agents.map(({ name }: { name: string }) => name),
      ["triage"]
    )
    assert.isTrue(about.capabilities.durable)
    const page = await fetch(url)
    assert.strictEqual(new URL(page.url).search, "")
    assert.strictEqual((await fetch(`${url.origin}/studio/project`)).status, 401)
    const { code } = await stop(child, outcome, "SIGINT")
    assert.strictEqual(code, 0)
  })

  it("takes a token and a port, and says what is wrong with them", async () => {
    const { child, line, outcome } = await listening(sample, ["studio", "--no-open", "--token", "mine", "--json"])
    assert.match(String(line["studio"]), /^http:\/\/127\.0\.0\.1:\d+\/\?token=mine$/)
    // Its usual port is taken now, or was before: another one is found.
    const other = await listening(sample, ["studio", "--no-open", "--token", "mine", "--json"])
    assert.notStrictEqual(other.line["studio"], line["studio"])
    await stop(other.child, other.outcome)
    await stop(child, outcome)
    const wrong = await effigent(sample, ["studio", "--no-open", "--token", "two words"])
    assert.strictEqual(wrong.code, 2)
    assert.include(wrong.err, "a token has letters")
    const nowhere = await effigent(folder({}), ["studio", "--no-open"])
    assert.strictEqual(nowhere.code, 4)
    assert.include(nowhere.err, "effigent init")
  }, 60_000)
})
