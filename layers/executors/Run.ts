/** One run from its start to its result, for commands and for code. */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import {
  ExecutorError,
  type ExecutorErrorReason,
  LimitExceeded,
  Refused,
  TimedOut
} from "../../services/ActionExecutor.ts"
import type { CommandResult, CommandRule } from "../../services/CommandRunner.ts"
import * as Limits from "./Limits.ts"
import * as Running from "./Running.ts"

/** The environment of runs. @category models */
export interface EnvironmentOptions {
  /** Where programs are looked for, and the PATH of runs. Default /usr/local/bin, /usr/bin, /bin. */
  readonly path?: ReadonlyArray<string> | undefined
  /** Variables of every run. */
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Names of variables that are taken over from this process as they are when the layer is built. */
  readonly inherit?: ReadonlyArray<string> | undefined
}

/** The directories of programs. @category getters */
export const pathOf = (options: EnvironmentOptions): ReadonlyArray<string> =>
  options.path ?? ["/usr/local/bin", "/usr/bin", "/bin"]

/** The environment of runs: what is named, and nothing else of this process. @category getters */
export const environmentOf = (options: EnvironmentOptions): Readonly<Record<string, string>> => {
  const inherited = (options.inherit ?? []).flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return {
    PATH: pathOf(options).join(":"),
    HOME: "/nonexistent",
    LANG: "C.UTF-8",
    ...Object.fromEntries(inherited),
    ...options.env
  }
}

/** An error of a runner. @category errors */
export const failure = (executor: string, subject: string, reason: ExecutorErrorReason): ExecutorError =>
  new ExecutorError({ executor, subject, reason })

/** A refusal. @category errors */
export const refused = (executor: string, subject: string, rule: CommandRule, detail: string): ExecutorError =>
  failure(executor, subject, new Refused({ rule, detail }))

/** What standard input and other input may be together. @category checking */
export const checkInput = (executor: string, subject: string, size: number, limits: Limits.ResolvedLimits) =>
  size > limits.input
    ? Effect.fail(
        failure(
          executor,
          subject,
          new LimitExceeded({ limit: "input", detail: `${size} bytes were given, and ${limits.input} may be` })
        )
      )
    : Effect.void

/** What is wrong with arguments whatever the command. @category checking */
export const checkArguments = (
  executor: string,
  subject: string,
  args: ReadonlyArray<string>,
  limits: Limits.ResolvedLimits
) => {
  const size = args.reduce((sum, argument) => sum + Buffer.byteLength(argument) + 1, 0)
  if (size > limits.arguments || args.length > 4096)
    return Effect.fail(
      refused(
        executor,
        subject,
        "argument.size",
        `${args.length} arguments of ${size} bytes; there may be 4096 of ${limits.arguments}. Pass it as input`
      )
    )
  const index = args.findIndex((argument) => argument.includes("\0"))
  if (index >= 0)
    return Effect.fail(refused(executor, subject, "argument.null", `argument ${index + 1} holds a null character`))
  return Effect.void
}

/** The bytes of an input. @category getters */
export const bytesOf = (input: string | Uint8Array): Uint8Array =>
  typeof input === "string" ? new TextEncoder().encode(input) : input

/** Runs a process to its end, within its limits. @category running */
export const run = (
  what: Omit<Running.Start, "stdio">,
  options: { readonly stdin?: string | Uint8Array | undefined; readonly wallTime?: Duration.Input | undefined }
): Effect.Effect<CommandResult, ExecutorError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { executor, limits, subject } = what
      const millis = Limits.wallTimeOf(limits, options.wallTime)
      const since = yield* Clock.currentTimeMillis
      const running = yield* Running.start({
        ...what,
        stdio: [options.stdin === undefined ? "ignore" : "pipe", "pipe", "pipe"]
      })
      const output = Running.collect(running, limits)
      const { stdin } = running.child
      if (stdin !== null && options.stdin !== undefined) {
        // It need not read what it is given.
        stdin.on("error", () => {})
        stdin.end(bytesOf(options.stdin))
      }
      const ended = yield* Deferred.await(running.ended).pipe(
        Effect.timeoutOrElse({
          duration: millis,
          orElse: () => Effect.fail(failure(executor, subject, new TimedOut({ millis })))
        })
      )
      const stdout = output.stdout()
      const stderr = output.stderr()
      const result: CommandResult = {
        ...ended,
        stdout: stdout.text,
        stderr: stderr.text,
        truncated: stdout.omitted + stderr.omitted > 0,
        omitted: { stdout: stdout.omitted, stderr: stderr.omitted },
        bytes: { stdout: stdout.bytes, stderr: stderr.bytes },
        duration: (yield* Clock.currentTimeMillis) - since
      }
      return result
    })
  )
