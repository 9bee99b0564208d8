// Worker processes, seen from outside: started, killed, frozen, and talked to. A command is sent until it is acknowledged.
import { type ChildProcess, spawn } from "node:child_process"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

/** A command and what it is about. */
export interface Command {
  readonly op: "start" | "note" | "answer" | "tell" | "close" | "get" | "health" | "drain"
  readonly flow?: string
  readonly execution?: string
  readonly input?: unknown
  readonly request?: string
  readonly question?: string
}

/** What a worker has answered. */
export interface Reply {
  readonly ok: boolean
  readonly value?: unknown
  readonly error?: string
}

const script = fileURLToPath(new URL("worker.ts", import.meta.url))

// What the first worker has compiled the next ones find: as on a machine where a program begins again.
const compiled = join(tmpdir(), "effigent-chaos-compiled")

/** One life of a worker. */
export class Worker {
  readonly runner: string
  readonly ready: Promise<boolean>
  readonly begunAt = Date.now()
  alive = true
  frozen = false
  private readonly process: ChildProcess
  private readonly waiting = new Map<number, (reply: Reply | undefined) => void>()
  private commands = 0

  constructor(runner: string, store: string, ledger: string, lease: number, versions = "") {
    this.runner = runner
    this.process = spawn(
      process.execPath,
      ["--conditions=effigent:source", "--no-warnings", script, store, ledger, runner, `${lease}`, versions],
      { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, NO_COLOR: "1", NODE_COMPILE_CACHE: compiled } }
    )
    this.ready = new Promise((resolve) => {
      this.process.on("exit", () => {
        this.alive = false
        resolve(false)
        for (const told of this.waiting.values()) told(undefined)
        this.waiting.clear()
      })
      const { stdout } = this.process
      if (stdout === null) return
      createInterface({ input: stdout }).on("line", (text) => {
        if (!text.startsWith("{")) return
        const line: Reply & { readonly id?: number; readonly ready?: boolean } = JSON.parse(text)
        if (line.ready === true) return resolve(true)
        const told = this.waiting.get(line.id ?? -1)
        this.waiting.delete(line.id ?? -1)
        told?.(line)
      })
    })
    this.process.stdin?.on("error", () => undefined)
  }

  get pid(): number {
    return this.process.pid ?? 0
  }

  /** Sends a command; nothing where the worker has ended before it answered. */
  send(command: Command, patience: number): Promise<Reply | undefined> {
    if (!this.alive) return Promise.resolve(undefined)
    const id = this.commands++
    return new Promise((resolve) => {
      const timer = setTimeout(() => told(undefined), patience)
      const told = (reply: Reply | undefined) => {
        clearTimeout(timer)
        this.waiting.delete(id)
        resolve(reply)
      }
      this.waiting.set(id, told)
      this.process.stdin?.write(`${JSON.stringify({ id, ...command })}\n`)
    })
  }

  signal(name: "SIGKILL" | "SIGSTOP" | "SIGCONT" | "SIGTERM"): void {
    if (name === "SIGSTOP") this.frozen = true
    if (name === "SIGCONT") this.frozen = false
    this.process.kill(name)
  }

  /** Ends it in good order. */
  async end(): Promise<void> {
    if (!this.alive) return
    const ended = new Promise((resolve) => this.process.on("exit", resolve))
    if (this.frozen) this.signal("SIGCONT")
    this.process.stdin?.end()
    const timer = setTimeout(() => this.process.kill("SIGKILL"), 15_000)
    await ended
    clearTimeout(timer)
  }
}
