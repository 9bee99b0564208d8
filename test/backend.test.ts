// The full backend of examples/39-backend as `npm run backend` starts it: HTTP, a database, and the studio, in one process.
import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"

const root = new URL("../", import.meta.url).pathname
// What stands in package.json is what is run.
const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly scripts: { backend: string }
} // Ours.

interface Backend {
  readonly child: ChildProcess
  /** What it has logged. */
  readonly logs: () => ReadonlyArray<{ readonly message: unknown }>
  readonly api: string
  readonly studio: string
}

const begin = async (file: string): Promise<Backend> => {
  const { PATH = "", HOME = "" } = process.env
  const [, server = ""] = scripts.backend.split(" && ")
  const [, ...args] = server.split(" ")
  const child = spawn(process.execPath, [...args, "--port", "0", "--studio-port", "0", "--json"], {
    cwd: root,
    env: { PATH, HOME, BACKEND_FILE: file, EFFIGENT_TOKEN: "ada=secret" },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let err = ""
  child.stderr.on("data", (chunk: Buffer) => void (err += chunk.toString()))
  const [line] = await Promise.race([
    once(createInterface(child.stdout), "line"),
    once(child, "close").then(() => Promise.reject(new Error(err)))
  ])
  const { listening, studio } = JSON.parse(String(line))
  const logs = () =>
    err
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line))
  return { child, logs, api: listening, studio }
}

const end = async ({ child }: Backend): Promise<number> => {
  const closed = once(child, "close")
  child.kill("SIGTERM")
  const [code] = await closed
  return Number(code)
}

const ask = async (url: string, body?: unknown, token = "secret") => {
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) })
  })
  const text = await response.text()
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) }
}

describe("examples/39-backend", () => {
  it("answers, asks a person, survives its process, and is seen in the studio", async () => {
    const folder = mkdtempSync(join(tmpdir(), "effigent-backend-"))
    const file = join(folder, "backend.db")
    try {
      const first = await begin(file)
      assert.strictEqual((await ask(`${first.api}/health/ready`)).status, 200)
      assert.strictEqual((await ask(`${first.api}/agents/triage/run`, "Help!", "guessed")).status, 401)
      const letter = "I was charged twice for my armchair."
      const ticket = await ask(`${first.api}/agents/triage/run`, letter)
      assert.deepInclude(ticket.body, { title: "I was charged twice for my armchair", kind: "billing" })
      const started = await ask(`${first.api}/flows/refund/executions`, {
        id: "case-1",
        input: { letter, cents: 45_000 }
      })
      assert.strictEqual(started.status, 201)
      // The runtime stream tells when it asks.
      const events = await fetch(`${first.api}/executions/case-1/events`, {
        headers: { authorization: "Bearer secret" }
      })
      for await (const chunk of events.body ?? []) if (Buffer.from(chunk).includes('"interrupt"')) break
      // What was asked of the server is in the studio beside it.
      const token = new URL(first.studio).searchParams.get("token") ?? ""
      const { origin } = new URL(first.studio)
      const traces = await ask(`${origin}/studio/traces`, undefined, token)
      assert.includeMembers(
        traces.body.traces.map(({ name }: { readonly name: string }) => name),
        ["triage", "refund"]
      )
      assert.strictEqual(await end(first), 0)

      const second = await begin(file)
      const [question] = (await ask(`${second.api}/executions/case-1`)).body.questions
      assert.deepInclude(question, { interrupt: "Agree", payload: { title: ticket.body.title, cents: 45_000 } })
      const answered = await ask(`${second.api}/executions/case-1/questions/${question.id}`, { value: true })
      assert.strictEqual(answered.status, 204)
      const result = await ask(`${second.api}/flows/refund/executions/case-1/result`)
      assert.deepStrictEqual(result, { status: 200, body: "paid" })
      assert.lengthOf(
        second.logs().filter(({ message }) => /the bank pays, under the key/.test(String(message))),
        1
      )
      assert.strictEqual(await end(second), 0)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }, 60_000)
})
