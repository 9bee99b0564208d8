/**
 * What Linux tells of processes in `/proc`. Reading it is synchronous and takes microseconds; a process that is gone reads
 * as `undefined`.
 */
import { closeSync, openSync, readdirSync, readSync } from "node:fs"

/** One process. @category models */
export interface Stat {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly session: number
  /** CPU time of it and of its children that have ended, in milliseconds. */
  readonly cpu: number
  /** When it began, in ticks since boot: with the pid it names a process for good. */
  readonly start: number
  /** Bytes of memory in use. */
  readonly memory: number
  /** Whether it has ended and only waits for its parent to notice. */
  readonly zombie: boolean
}

// What is longer is cut: none of the files that matter is, and an environment has our entry in front.
const scratch = Buffer.allocUnsafeSlow(64 * 1024)

/** The begin of a file; files of `/proc` tell no size, so that reading them whole costs ten times as much. */
const read = (path: string): string | undefined => {
  let fd: number | undefined
  try {
    fd = openSync(path, "r")
    return scratch.toString("latin1", 0, readSync(fd, scratch))
  } catch {
    return undefined
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

const entries = (path: string): ReadonlyArray<string> => {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

// O_CLOEXEC, as the kernel shows it: it differs on two architectures that Node does not run on.
const closeOnExec = 0o2000000

// What Linux counts CPU time in towards programs, on every architecture.
const ticksPerSecond = 100

const fieldsOf = (pid: number): ReadonlyArray<string> | undefined => {
  const text = read(`/proc/${pid}/stat`)
  // The name stands in parentheses and may hold anything, parentheses too.
  return text?.slice(text.lastIndexOf(")") + 2).split(" ")
}

/** Bytes of a page of memory: our own memory in bytes by that in pages, which are read a moment apart. */
const pageSize = 2 ** Math.round(Math.log2(process.memoryUsage.rss() / Number(fieldsOf(process.pid)?.[21] ?? "1")))

/** One process, by its id. @category reading */
export const stat = (pid: number): Stat | undefined => {
  const fields = fieldsOf(pid)
  if (fields === undefined) return undefined
  const at = (index: number) => Number(fields[index] ?? 0)
  return {
    pid,
    parent: at(1),
    group: at(2),
    session: at(3),
    cpu: ((at(11) + at(12) + at(13) + at(14)) * 1000) / ticksPerSecond,
    start: at(19),
    memory: at(21) * pageSize,
    zombie: fields[0] === "Z" || fields[0] === "X"
  }
}

/** The ids of the children of a process, of all its threads. @category reading */
export const children = (pid: number): ReadonlyArray<number> =>
  entries(`/proc/${pid}/task`).flatMap((thread) =>
    (read(`/proc/${pid}/task/${thread}/children`) ?? "").split(" ").filter(Boolean).map(Number)
  )

/** The ids of all processes that can be seen. @category reading */
export const all = (): ReadonlyArray<number> =>
  entries("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)

/** How many threads there are on the machine. @category reading */
export const threads = (): number => Number((read("/proc/loadavg") ?? "").split(" ")[3]?.split("/")[1] ?? 0)

/** The open files of this process, beyond the first three, that a child would inherit. @category reading */
export const inheritable = (): ReadonlyArray<number> =>
  entries("/proc/self/fdinfo")
    .map(Number)
    .filter((fd) => {
      const flags = /^flags:\s*(\d+)/m.exec(read(`/proc/self/fdinfo/${fd}`) ?? "")?.[1]
      return fd > 2 && flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0
    })

/** Whether the environment that a process was started with holds an entry, `NAME=value`. @category reading */
export const hasEntry = (pid: number, entry: string): boolean =>
  `\0${read(`/proc/${pid}/environ`) ?? ""}\0`.includes(`\0${entry}\0`)

/** Whether there is a `/proc` that tells of children. @category reading */
export const available = (): boolean =>
  stat(process.pid) !== undefined && read(`/proc/${process.pid}/task/${process.pid}/children`) !== undefined
