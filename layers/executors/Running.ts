/**
 * One process with all that it starts: begun within limits, watched, and ended as a whole. Whoever starts it owns it by a
 * Scope; when that closes nothing of it is left.
 *
 * Real time and not the `Clock` rules here, since what is watched runs in real time.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import { constants } from "node:os"
import { randomUUID } from "node:crypto"
import { Broken, ExecutorError, LimitExceeded, Unavailable } from "../../services/ActionExecutor.ts"
import type { Launcher } from "./Launcher.ts"
import type { ResolvedLimits } from "./Limits.ts"
import * as ProcFs from "./ProcFs.ts"

/** What to start. @category models */
export interface Start {
  /** Who is named in errors. */
  readonly executor: string
  readonly subject: string
  readonly launcher: Launcher
  readonly limits: ResolvedLimits
  /** Absolute path. */
  readonly file: string
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>
  readonly stdio: ReadonlyArray<"ignore" | "pipe">
  /** Bytes that it allocates and does not use. */
  readonly reserve?: number | undefined
  /** Whether it may use CPU time without end, for a process that serves many calls, each with a time of its own. */
  readonly serves?: boolean | undefined
}

/** How a process ended. @category models */
export interface Ended {
  readonly exitCode: number
  readonly signal?: string
}

const watchEvery = 25
// How often all processes of the machine are read, for what has left its parents, in group isolation.
const lookAroundEvery = 4
const killWithin = 5000

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

const signals = new Map<number, string>(Object.entries(constants.signals).map(([name, number]) => [number, name]))

const mark = "EFFIGENT_RUN"

/** A process at work, with all that it started. @category models */
export class Running {
  readonly child: ChildProcess
  /** How it ended; all its output has come by then. Or what it had too much of. */
  readonly ended = Deferred.makeUnsafe<Ended, ExecutorError>()
  private readonly what: Start
  private readonly pid: number
  private readonly entry: string
  /** What was seen of it, by pid and start: found again when its parents are gone. */
  private readonly seen = new Map<number, number>()
  /** When it began, in ticks; and the threads of the machine when all of it was last read. */
  private readonly since: number
  private threads = 0
  private exited = false
  private closed = false
  /** How much of it was left when its first process had ended. */
  private left = 0
  private killing = false
  private looks = 0
  private watching: NodeJS.Timeout | undefined

  constructor(what: Start, child: ChildProcess, pid: number, entry: string) {
    this.what = what
    this.child = child
    this.pid = pid
    this.entry = entry
    this.since = what.launcher.watch ? (ProcFs.stat(pid)?.start ?? 0) : 0
    child.once("exit", () => this.onExit())
    child.once("close", (code, signal) => this.onClose(code, signal))
    if (what.launcher.watch) this.watching = setTimeout(() => this.look(), watchEvery)
  }

  /** Ends it for what it had too much of; at once where waiting would make it worse. */
  breach(limit: LimitExceeded["limit"], detail: string, now: boolean): void {
    const { executor, subject } = this.what
    const error = new ExecutorError({ executor, subject, reason: new LimitExceeded({ limit, detail }) })
    Deferred.doneUnsafe(this.ended, Effect.fail(error))
    if (now) this.kill()
  }

  private onExit(): void {
    this.exited = true
    // What it left in the background holds its pipes open, and would keep it from being closed.
    this.left = this.sweep()
    const rest = setTimeout(() => {
      this.child.stdout?.destroy()
      this.child.stderr?.destroy()
    }, 1000)
    this.child.once("close", () => clearTimeout(rest))
  }

  private onClose(code: number | null, signal: NodeJS.Signals | null): void {
    this.closed = true
    clearTimeout(this.watching)
    const { cpuTime } = this.what.limits
    // The process above the command, in namespaces, says it as shells do: 128 + n.
    const name = signal ?? (code !== null && code > 128 ? signals.get(code - 128) : undefined)
    if (name === "SIGXCPU") this.breach("cpu", `it used more than ${cpuTime} ms of CPU time`, false)
    const number = Object.entries(constants.signals).find(([known]) => known === signal)?.[1] ?? 0
    Deferred.doneUnsafe(
      this.ended,
      Effect.succeed({ exitCode: code ?? 128 + number, ...(name === undefined ? {} : { signal: name }) })
    )
  }

  /** All of it that can be found. With `around`, by reading all processes of the machine. */
  private members(around: boolean): ReadonlyArray<ProcFs.Stat> {
    const found = new Map<number, ProcFs.Stat>()
    const add = (pid: number, belongs: (stat: ProcFs.Stat) => boolean): void => {
      if (found.has(pid)) return
      const stat = ProcFs.stat(pid)
      if (stat === undefined || stat.zombie || !belongs(stat)) return
      found.set(pid, stat)
      this.seen.set(pid, stat.start)
      for (const child of ProcFs.children(pid)) add(child, () => true)
    }
    if (!this.exited) add(this.pid, () => true)
    for (const [pid, start] of this.seen) add(pid, (stat) => stat.start === start)
    for (const pid of this.seen.keys()) if (!found.has(pid)) this.seen.delete(pid)
    if (around) {
      const own = ({ group, pid, session, start }: ProcFs.Stat) =>
        start >= this.since && (group === this.pid || session === this.pid || ProcFs.hasEntry(pid, this.entry))
      for (const pid of ProcFs.all()) if (pid !== process.pid) add(pid, own)
    }
    return [...found.values()]
  }

  private look(): void {
    if (this.closed) return
    const { launcher, limits, serves } = this.what
    const group = launcher.isolation === "group"
    // Whose parents have ended is found only among all processes: now and then, and when there are many new ones.
    const around = group && (++this.looks % lookAroundEvery === 0 || ProcFs.threads() > this.threads + limits.processes)
    const members = this.members(around)
    if (around) this.threads = ProcFs.threads() - members.length
    const processes = members.length - launcher.own
    const memory = members.reduce((sum, stat) => sum + stat.memory, 0)
    const cpu = members.reduce((sum, stat) => sum + stat.cpu, 0)
    if (processes > limits.processes)
      this.breach("processes", `it had ${processes} processes at once, and may have ${limits.processes}`, true)
    else if (memory > limits.memory)
      this.breach("memory", `it used ${memory} bytes of memory, and may use ${limits.memory}`, true)
    else if (cpu > limits.cpuTime && serves !== true)
      this.breach("cpu", `it used more than ${limits.cpuTime} ms of CPU time`, true)
    this.watching = setTimeout(() => this.look(), watchEvery)
  }

  private signal(pid: number, signal: NodeJS.Signals): void {
    try {
      process.kill(pid, signal)
    } catch {
      // It is gone, which is what is wanted.
    }
  }

  /** Kills it all, now. */
  private kill(): void {
    if (this.exited) return
    if (this.what.launcher.isolation === "namespaces") {
      // The first process of the namespace: the kernel kills the rest before its parent hears of it.
      const first = ProcFs.children(this.pid)
      for (const pid of first) this.signal(pid, "SIGKILL")
      if (first.length === 0 || this.killing) this.signal(-this.pid, "SIGKILL")
      this.killing = true
    } else {
      this.signal(-this.pid, "SIGKILL")
      if (this.what.launcher.watch) this.members(true)
    }
  }

  /** Kills what is left of it after its first process has ended; how much there was. */
  private sweep(): number {
    const { isolation, watch } = this.what.launcher
    if (!watch) {
      this.signal(-this.pid, "SIGKILL")
      return 0
    }
    const left = this.members(isolation === "group")
    for (const { group, pid } of left) this.signal(group === this.pid ? -group : pid, "SIGKILL")
    return left.length
  }

  /** Ends it: asks, waits, kills, and returns when nothing is left that can be found. */
  async stop(grace: number): Promise<void> {
    const until = (deadline: number) => performance.now() < deadline
    if (!this.exited) {
      const wait = new Promise<void>((resolve) => this.child.once("exit", () => resolve()))
      if (grace > 0 && !this.killing) {
        this.signal(-this.pid, "SIGTERM")
        let timer: NodeJS.Timeout | undefined
        await Promise.race([wait, new Promise<void>((resolve) => (timer = setTimeout(resolve, grace)))])
        clearTimeout(timer)
      }
      const end = performance.now() + killWithin
      while (!this.exited && until(end)) {
        this.kill()
        let timer: NodeJS.Timeout | undefined
        await Promise.race([wait, new Promise<void>((resolve) => (timer = setTimeout(resolve, 200)))])
        clearTimeout(timer)
      }
    }
    const end = performance.now() + killWithin
    while (this.left > 0 && until(end)) {
      await pause(2)
      this.left = this.sweep()
    }
    clearTimeout(this.watching)
    this.child.stdin?.destroy()
    this.child.stdout?.destroy()
    this.child.stderr?.destroy()
    if (this.child.connected) this.child.disconnect()
  }
}

const begin = (what: Start): Effect.Effect<Running, ExecutorError> =>
  Effect.callback((resume) => {
    const { executor, subject } = what
    const failed = (error: unknown) => {
      const code = error instanceof Error && "code" in error ? String(error.code) : ""
      const detail = `it could not be started: ${error instanceof Error ? error.message : String(error)}`
      const reason =
        code === "ENOENT" || code === "EACCES" || code === "EAGAIN" || code === "EMFILE" || code === "ENOMEM"
          ? new Unavailable({ detail, uncertain: false })
          : new Broken({ detail })
      resume(Effect.fail(new ExecutorError({ executor, subject, reason })))
    }
    const id = randomUUID()
    const { hide } = what.launcher
    const nothing = hide.length > 0 ? openSync("/dev/null", "r") : undefined
    const stdio: Array<"ignore" | "pipe" | number | undefined> = [...what.stdio]
    for (const fd of hide) {
      // Node fills the places between with nothing at all.
      for (let index = stdio.length; index < fd; index++) stdio.push("ignore")
      if (fd >= what.stdio.length) stdio[fd] = nothing
    }
    const [file, args] = what.launcher.wrap(what.file, what.args, what.limits, what.reserve ?? 0)
    try {
      const child = spawn(file, [...args], {
        cwd: what.cwd,
        env: what.launcher.isolation === "group" ? { [mark]: id, ...what.env } : { ...what.env },
        stdio,
        // A session and a process group of its own.
        detached: true,
        windowsHide: true
      })
      child.on("error", failed)
      if (child.pid !== undefined) resume(Effect.succeed(new Running(what, child, child.pid, `${mark}=${id}`)))
    } catch (error) {
      failed(error)
    } finally {
      if (nothing !== undefined) closeSync(nothing)
    }
  })

/**
 * Starts a process. When the Scope closes it is asked to end, killed where it does not, and nothing of it is left.
 *
 * @category constructors
 */
export const start = (what: Start): Effect.Effect<Running, ExecutorError, Scope.Scope> =>
  Effect.acquireRelease(begin(what), (running) => Effect.promise(() => running.stop(what.limits.grace)))

/** What a stream of a process wrote: the first part, and how much more. @category models */
export interface Collected {
  readonly bytes: Uint8Array
  readonly text: string
  readonly omitted: number
}

/**
 * Collects what a process writes: `keep` bytes of each stream; beyond `output` bytes in all it is ended.
 *
 * @category reading
 */
export const collect = (
  running: Running,
  limits: ResolvedLimits
): Readonly<Record<"stdout" | "stderr", () => Collected>> => {
  let total = 0
  const of = (name: "stdout" | "stderr") => {
    const parts: Array<Uint8Array> = []
    let kept = 0
    let omitted = 0
    const stream = running.child[name]
    stream?.on("error", () => {})
    stream?.on("data", (chunk: Uint8Array) => {
      const part = chunk.subarray(0, Math.max(0, limits.keep - kept))
      if (part.length > 0) parts.push(part.length === chunk.length ? part : Uint8Array.from(part))
      kept += part.length
      omitted += chunk.length - part.length
      total += chunk.length
      if (total > limits.output) {
        running.breach("output", `it wrote more than ${limits.output} bytes`, false)
        // It is blocked now, and ended by its owner.
        stream.pause()
      }
    })
    return (): Collected => {
      const bytes = new Uint8Array(kept)
      let at = 0
      for (const part of parts) {
        bytes.set(part, at)
        at += part.length
      }
      // A character that was cut in two is left out.
      return { bytes, omitted, text: new TextDecoder().decode(bytes, { stream: omitted > 0 }) }
    }
  }
  return { stdout: of("stdout"), stderr: of("stderr") }
}
