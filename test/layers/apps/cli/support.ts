// The command line as people use it: a process of its own in a project in a temporary folder, against a model server on
// the loopback interface or the offline model.
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, realpathSync, symlinkSync, writeFileSync } from "node:fs"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { stripVTControlCharacters } from "node:util"
import { files } from "../../../../layers/apps/cli/Template.ts"

const root = new URL("../../../../", import.meta.url).pathname.replace(/\/$/, "")
const main = join(root, "layers/apps/cli/main.ts")

/** How a command is run. */
export interface Options {
  readonly env?: Record<string, string>
  readonly input?: string
}

/** How a command has ended. */
export interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** The arguments of Node for the command line. */
export const nodeArgs = (args: ReadonlyArray<string>): ReadonlyArray<string> => [
  "--conditions=effigent:source",
  main,
  ...args
]

const environment = (env: Record<string, string> = {}) => {
  const { PATH = "", HOME = "" } = process.env
  return { PATH, HOME, ...env }
}

/** Starts a command and leaves it at work. */
export const start = (cwd: string, args: ReadonlyArray<string>, options: Options = {}): ChildProcess => {
  const child = spawn(process.execPath, nodeArgs(args), { cwd, env: environment(options.env), stdio: "pipe" })
  child.stdin?.end(options.input ?? "")
  return child
}

/** Waits for the end of a process. */
export const ended = async (child: ChildProcess): Promise<Outcome> => {
  let out = ""
  let err = ""
  child.stdout?.on("data", (chunk: Buffer) => void (out += chunk.toString()))
  child.stderr?.on("data", (chunk: Buffer) => void (err += chunk.toString()))
  const [code] = await once(child, "close")
  return { code: Number(code), out, err }
}

/** Runs a command to its end. */
export const effigent = (cwd: string, args: ReadonlyArray<string>, options: Options = {}): Promise<Outcome> =>
  ended(start(cwd, args, options))

/** Runs a command on a terminal, with what is typed there, each text behind what has to be shown before. */
export const atTerminal = async (
  cwd: string,
  args: ReadonlyArray<string>,
  typed: ReadonlyArray<readonly [shown: string, text: string]>,
  env: Record<string, string> = {}
): Promise<Outcome> => {
  const command = [process.execPath, ...nodeArgs(args)].map((arg) => `'${arg.replaceAll("'", "'\\''")}'`).join(" ")
  const child = spawn("script", ["-qefc", command, "/dev/null"], {
    cwd,
    env: environment({ TERM: "xterm", ...env }),
    stdio: "pipe"
  })
  const left = [...typed]
  let out = ""
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString()
    const [next] = left
    if (next === undefined || !stripVTControlCharacters(out).includes(next[0])) return
    left.shift()
    child.stdin.write(next[1])
  })
  const [code] = await once(child, "close")
  return { code: Number(code), out, err: "" }
}

/** A folder with files and linked packages. */
export const folder = (
  content: Readonly<Record<string, string>>,
  packages: ReadonlyArray<string> = ["effigent", "effect", "openai", "@effect/platform-node", "@types/node"]
): string => {
  const at = realpathSync(mkdtempSync(join(tmpdir(), "effigent-cli-")))
  for (const [path, text] of Object.entries(content)) {
    mkdirSync(dirname(join(at, path)), { recursive: true })
    writeFileSync(join(at, path), text)
  }
  for (const name of packages) {
    mkdirSync(dirname(join(at, "node_modules", name)), { recursive: true })
    symlinkSync(
      name === "effigent" ? root : realpathSync(join(root, "node_modules", name)),
      join(at, "node_modules", name)
    )
  }
  return at
}

/** The project that `init` makes, with other files laid over it. */
export const project = (content: Readonly<Record<string, string>> = {}, packages?: ReadonlyArray<string>): string =>
  folder({ ...files({ name: "sample", effigent: "^0.1.0", peers: {} }), ...content }, packages)

/** A server on the loopback interface. */
export const serve = async (handle: (request: IncomingMessage, response: ServerResponse, body: string) => void) => {
  const server = createServer((request, response) => {
    let body = ""
    request.on("data", (chunk: Buffer) => void (body += chunk.toString()))
    request.on("end", () => handle(request, response, body))
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  // The address of a server that listens on a port.
  const { port } = server.address() as AddressInfo
  return {
    env: {
      OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1`,
      OPENAI_API_KEY: "sk-secret-of-the-test",
      EFFIGENT_MODEL: "m1"
    },
    close: () => {
      server.closeAllConnections()
      server.close()
    }
  }
}

/** A chunk of an answer, as OpenAI's API writes it. */
export const chunk = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: "c1", model: "m1", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`

/** Answers with a text. */
export const answer = (response: ServerResponse, text: string): void => {
  response.writeHead(200, { "content-type": "text/event-stream" })
  response.end(`${chunk({ content: text })}${chunk({}, "stop")}data: [DONE]\n\n`)
}

/** An output as the JSON that it is. */
export const json = (text: string): Record<string, unknown> => {
  const value: unknown = JSON.parse(text)
  // A document of the command line is an object.
  return value as Record<string, unknown>
}
