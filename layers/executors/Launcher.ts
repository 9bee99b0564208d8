/**
 * How a process is started so that it stays within its limits: by tools of util-linux and coreutils that set them and
 * become the command (`prlimit`), or stand above it (`unshare`, which makes namespaces, and `timeout` without a time, which
 * is their first process and collects what has ended). No shell is involved.
 */
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { accessSync, constants, statSync } from "node:fs"
import { ExecutorError, Unavailable } from "../../services/ActionExecutor.ts"
import type { Isolation } from "../../services/CommandRunner.ts"
import type { ResolvedLimits } from "./Limits.ts"
import * as ProcFs from "./ProcFs.ts"

/**
 * How runs are kept apart from the machine.
 *
 * @category models
 */
export interface IsolationOptions {
  /**
   * `required`: in namespaces, and the layer fails where the system offers none. `preferred`: in namespaces where the
   * system offers them, else as a process group; the service says which. `off`: as a process group. Default `preferred`.
   */
  readonly isolation?: "required" | "preferred" | "off" | undefined
  /** `none`: without a network, which needs namespaces and fails the layer without. Default `host`. */
  readonly network?: "host" | "none" | undefined
  /**
   * What may be missing. `hardLimits`: there need be no `prlimit`. `watch`: there need be no `/proc`, so that CPU time,
   * memory and processes of a whole run are not limited. Without these words the layer fails where they are missing.
   */
  readonly accept?: ReadonlyArray<"hardLimits" | "watch"> | undefined
}

/** Starts processes within limits. @category models */
export interface Launcher {
  readonly isolation: Isolation
  /** Whether runs can be watched. */
  readonly watch: boolean
  /** Open files that this process was started with and that would be inherited: they are hidden from runs. */
  readonly hide: ReadonlyArray<number>
  /** How many processes of a run are ours. */
  readonly own: number
  /** What to start for a command. `reserve`: bytes that it allocates and does not use. */
  readonly wrap: (
    file: string,
    args: ReadonlyArray<string>,
    limits: ResolvedLimits,
    reserve: number
  ) => readonly [file: string, args: ReadonlyArray<string>]
}

const places = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/opt/homebrew/bin"]

/** Where an executable of this name stands: in the first of the directories that has one. @category reading */
export const find = (name: string, directories: ReadonlyArray<string> = places): string | undefined =>
  directories.map((directory) => `${directory}/${name}`).find(executable)

/** Whether a path is a file that may be executed. @category reading */
export const executable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

const hardLimits = (limits: ResolvedLimits, reserve: number, namespaces: boolean): ReadonlyArray<string> => {
  const seconds = Math.ceil(limits.cpuTime / 1000)
  return [
    `--cpu=${seconds}:${seconds + 1}`,
    `--data=${Math.ceil(limits.memory + reserve)}`,
    `--fsize=${Math.ceil(limits.fileSize)}`,
    `--nofile=${Math.ceil(limits.openFiles)}`,
    "--core=0",
    // The system counts threads, and outside of a namespace all those of the user: the watch counts what is meant.
    ...(namespaces ? [`--nproc=${Math.ceil(limits.processes) * 16 + 64}`] : [])
  ]
}

const namespaceOptions = (network: boolean): ReadonlyArray<string> => [
  "--user",
  "--map-current-user",
  "--pid",
  "--fork",
  "--kill-child=KILL",
  "--mount-proc",
  "--ipc",
  ...(network ? [] : ["--net"])
]

/** Whether a command ends well. */
const works = (file: string, args: ReadonlyArray<string>): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const child = execFile(file, [...args], { env: {}, timeout: 10_000 }, (error) =>
      resume(Effect.succeed(error === null))
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const missing = (executor: string, subject: string, detail: string): ExecutorError =>
  new ExecutorError({ executor, subject, reason: new Unavailable({ detail, uncertain: false }) })

/**
 * Finds out what this system offers. Fails with `Unavailable` where something that is asked for is missing.
 *
 * @category constructors
 */
export const make = Effect.fnUntraced(function* (executor: string, options: IsolationOptions) {
  const wanted = options.isolation ?? "preferred"
  const network = options.network !== "none"
  const accept = options.accept ?? []
  const watch = ProcFs.available()
  const prlimit = find("prlimit")
  if (process.platform === "win32")
    return yield* missing(
      executor,
      "isolation",
      "there are no process groups on Windows. Run it in WSL or a container."
    )
  if (!watch && !accept.includes("watch"))
    return yield* missing(
      executor,
      "limits",
      'there is no /proc, so CPU time, memory and processes of a run cannot be limited. Accept it: `accept: ["watch"]`.'
    )
  if (prlimit === undefined && !accept.includes("hardLimits"))
    return yield* missing(
      executor,
      "limits",
      'there is no prlimit. Install util-linux, or accept that nothing is held by the system: `accept: ["hardLimits"]`.'
    )
  const unshare = find("unshare")
  const timeout = find("timeout")
  const truth = find("true")
  const above = (file: string): ReadonlyArray<string> => [...namespaceOptions(network), "--", file]
  const offered =
    wanted !== "off" &&
    watch &&
    unshare !== undefined &&
    timeout !== undefined &&
    truth !== undefined &&
    (yield* works(unshare, [...above(timeout), "--foreground", "0", truth]))
  if (!offered && (wanted === "required" || !network))
    return yield* missing(
      executor,
      "isolation",
      "this system offers no namespaces to this user: it takes unshare (util-linux), timeout (coreutils) and the right " +
        'to make user namespaces. A process group does without: `isolation: "preferred"`, `network: "host"`.'
    )
  const limited = (file: string, args: ReadonlyArray<string>, limits: ResolvedLimits, reserve: number) =>
    prlimit === undefined ? [file, ...args] : [prlimit, ...hardLimits(limits, reserve, offered), "--", file, ...args]
  const launcher: Launcher = {
    isolation: offered ? "namespaces" : "group",
    watch,
    hide: ProcFs.inheritable(),
    own: offered ? 2 : 0,
    wrap: (file, args, limits, reserve) => {
      const inner =
        offered && timeout !== undefined
          ? limited(timeout, ["--foreground", "0", file, ...args], limits, reserve)
          : limited(file, args, limits, reserve)
      const [first = file, ...rest] = inner
      return offered && unshare !== undefined ? [unshare, [...above(first), ...rest]] : [first, rest]
    }
  }
  return launcher
})
