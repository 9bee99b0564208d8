/** What the tests of executors see of this machine: what it offers, and what is at work on it. */
import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"

/** Whether this user may make namespaces here. */
export const hasNamespaces =
  spawnSync("unshare", ["--user", "--map-current-user", "--pid", "--fork", "--kill-child", "--mount-proc", "true"])
    .status === 0

/** The kinds of isolation that can be tested here. */
export const isolations = hasNamespaces ? (["required", "off"] as const) : (["off"] as const)

const read = (path: string): string => {
  try {
    return readFileSync(path, "latin1")
  } catch {
    return ""
  }
}

/** The processes whose command line or first environment holds a text; those that have ended are none. */
export const processesWith = (text: string): ReadonlyArray<string> =>
  readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .filter((pid) => !/\) [ZX] /.test(read(`/proc/${pid}/stat`)))
    .filter((pid) => `${read(`/proc/${pid}/cmdline`)}\0${read(`/proc/${pid}/environ`)}`.includes(text))

/** The children of this process, those too that have ended and were not collected. */
export const ownChildren = (): ReadonlyArray<string> =>
  readdirSync("/proc/self/task").flatMap((thread) =>
    read(`/proc/self/task/${thread}/children`).split(" ").filter(Boolean)
  )

/** The open files of this process. */
export const openFiles = (): number => readdirSync("/proc/self/fd").length

let marks = 0

/** A text that nothing else on this machine has. */
export const freshMark = (): string => `mark-${process.pid}-${process.hrtime.bigint()}-${++marks}`
