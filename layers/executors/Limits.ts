/** How much a run may use. There is always a limit: what is left out has a default, and infinity is refused. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Broken, ExecutorError } from "../../services/ActionExecutor.ts"

/**
 * How much a run may use, all of its processes together unless it says otherwise.
 *
 * @category models
 */
export interface Limits {
  /** How long it may take. Default 30 seconds. */
  readonly wallTime?: Duration.Input | undefined
  /** How long it has to end by itself after SIGTERM, before SIGKILL. Default 2 seconds. */
  readonly grace?: Duration.Input | undefined
  /** CPU time. Each process is also held to it by the system. Default 10 seconds. */
  readonly cpuTime?: Duration.Input | undefined
  /**
   * Bytes of memory in use, shared pages counted for each process. No process may allocate more of private memory.
   * Default 512 MiB.
   */
  readonly memory?: number | undefined
  /** Processes at once. Default 32. */
  readonly processes?: number | undefined
  /** Bytes of one file that is written. How much all files hold is not limited. Default 64 MiB. */
  readonly fileSize?: number | undefined
  /** Open files of one process. Default 256. */
  readonly openFiles?: number | undefined
  /** Bytes of arguments, and of standard input with input files. Default 128 KiB of arguments, 8 MiB of input. */
  readonly arguments?: number | undefined
  readonly input?: number | undefined
  /** Bytes of stdout and stderr together, after which it is stopped. Default 16 MiB. */
  readonly output?: number | undefined
  /** Bytes of stdout and of stderr that are kept; the rest is counted. Default 256 KiB each. */
  readonly keep?: number | undefined
}

/** Limits with nothing left out: milliseconds and bytes. @category models */
export interface ResolvedLimits {
  readonly wallTime: number
  readonly grace: number
  readonly cpuTime: number
  readonly memory: number
  readonly processes: number
  readonly fileSize: number
  readonly openFiles: number
  readonly arguments: number
  readonly input: number
  readonly output: number
  readonly keep: number
}

const mebi = 1024 * 1024

// The longest that a timer takes; what asks for more is almost surely infinite.
const longest = 2 ** 31 - 1

const invalid = (executor: string, detail: string): ExecutorError =>
  new ExecutorError({ executor, subject: "limits", reason: new Broken({ detail }) })

const millis = (input: Duration.Input): number =>
  Option.match(Duration.fromInput(input), { onNone: () => Number.NaN, onSome: Duration.toMillis })

/**
 * Fills in the defaults. Fails with `Broken` for a limit that is none: infinite, negative, not a number.
 *
 * @category constructors
 */
export const resolve = (executor: string, limits: Limits = {}): Effect.Effect<ResolvedLimits, ExecutorError> => {
  const resolved: ResolvedLimits = {
    wallTime: millis(limits.wallTime ?? "30 seconds"),
    grace: millis(limits.grace ?? "2 seconds"),
    cpuTime: millis(limits.cpuTime ?? "10 seconds"),
    memory: limits.memory ?? 512 * mebi,
    processes: limits.processes ?? 32,
    fileSize: limits.fileSize ?? 64 * mebi,
    openFiles: limits.openFiles ?? 256,
    arguments: limits.arguments ?? mebi / 8,
    input: limits.input ?? 8 * mebi,
    output: limits.output ?? 16 * mebi,
    keep: limits.keep ?? mebi / 4
  }
  const mayBeZero = ["grace", "fileSize", "input", "output", "keep"]
  const times = ["wallTime", "grace", "cpuTime"]
  for (const [name, value] of Object.entries(resolved)) {
    const tooSmall = mayBeZero.includes(name) ? value < 0 : value <= 0
    if (!Number.isFinite(value) || tooSmall || (times.includes(name) && value > longest))
      return Effect.fail(
        invalid(
          executor,
          `the limit ${name} is ${value}. Every limit is a finite number above 0; times end at 24 days.`
        )
      )
  }
  return Effect.succeed(resolved)
}

/** The shorter of the time of the policy and that of a request, in milliseconds. @category getters */
export const wallTimeOf = (limits: ResolvedLimits, wanted: Duration.Input | undefined): number => {
  const asked = wanted === undefined ? limits.wallTime : millis(wanted)
  return Number.isNaN(asked) ? limits.wallTime : Math.min(limits.wallTime, Math.max(0, asked))
}
