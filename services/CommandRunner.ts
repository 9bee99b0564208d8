/**
 * Running commands of this machine as a service: argument lists, never strings for a shell (unless the policy offers
 * one), within limits. What a policy allows, and how limits are enforced, is said by the layer: see
 * `effigent/layers/executors`.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { ExecutorError } from "./ActionExecutor.ts"

/**
 * The rules by which commands and code are refused, with what each is for: the `rule` of the reason `Refused`. The names
 * do not change.
 *
 * @category rules
 */
export const commandRules = {
  "command.notAllowed": "The policy has no command of this name.",
  "command.path": "Commands are named, not given by a path: the policy knows where they stand.",
  "command.shell": "The policy offers no shell.",
  "argument.null": "An argument, a name or a script holds a null character, where the system would cut it off.",
  "argument.size": "The arguments are too many or too long.",
  "argument.subcommand": "The first argument is none of the subcommands that are allowed.",
  "argument.option": "An option is not among those that are allowed, or its value is not.",
  "argument.operand": "An operand is not what is allowed.",
  "argument.path": "An operand names a path outside of the allowed roots, links followed.",
  "argument.check": "The check of the policy said no.",
  "cwd.outside": "The working directory is outside of the allowed roots, links followed.",
  "env.name": "The environment variable may not be set by a request.",
  "code.language": "The policy does not run this language.",
  "code.path": "The name of an input or output file is absolute, leaves the directory, or is that of the program."
} as const

/** A rule by which commands and code are refused. @category rules */
export type CommandRule = keyof typeof commandRules

/**
 * How a run is kept together. `namespaces`: it has process and user namespaces of its own, and the kernel ends all of it
 * with its first process. `group`: a process group and session of its own; what leaves both and forgets its environment
 * too is not found.
 *
 * @category models
 */
export type Isolation = "namespaces" | "group"

/** What a run may be given besides its command. @category models */
export interface RunOptions {
  /** What it reads. Default: nothing, at its end at once. */
  readonly stdin?: string | Uint8Array | undefined
  /** Where it runs: a directory within the allowed roots, relative to the first of them. Default: the first root. */
  readonly cwd?: string | undefined
  /** Variables of its environment; only those that the policy lets requests set. */
  readonly env?: Readonly<Record<string, string>> | undefined
  /** A shorter time than that of the policy. A longer one is cut to it. */
  readonly wallTime?: Duration.Input | undefined
}

/** A command to run. @category models */
export interface CommandRequest extends RunOptions {
  /** Its name in the policy. */
  readonly command: string
  /** Its arguments, each as the command gets it: nothing is split, expanded or quoted. */
  readonly args?: ReadonlyArray<string> | undefined
}

/**
 * How a command ended. An exit code that is not 0 is no error: what it means is up to the command.
 *
 * @category models
 */
export interface CommandResult {
  /** Its exit code; 128 + n where signal n ended it, as shells say. */
  readonly exitCode: number
  /** The signal that ended it: `SIGKILL`, ... */
  readonly signal?: string
  /** The first part of what it wrote, as UTF-8; what is none stands as U+FFFD. */
  readonly stdout: string
  /** As `stdout`. */
  readonly stderr: string
  /** Whether it wrote more than was kept. */
  readonly truncated: boolean
  /** How many bytes were not kept. */
  readonly omitted: { readonly stdout: number; readonly stderr: number }
  /** What was kept, byte for byte. */
  readonly bytes: { readonly stdout: Uint8Array; readonly stderr: Uint8Array }
  /** Milliseconds from its start to its end. */
  readonly duration: number
}

/**
 * Runs commands. When an effect of it ends, in whatever way, nothing that it started is left at work, as far as
 * `isolation` says. Interruption first asks (SIGTERM), then kills.
 *
 * Errors: `Refused` with a rule of `commandRules`; `TimedOut`; `LimitExceeded` for CPU time, memory, processes, input and
 * output; `NotFound` for a working directory that does not exist; `Unavailable` where it could not be started.
 *
 * @category services
 */
export class CommandRunner extends Context.Service<
  CommandRunner,
  {
    /** How runs are kept together here. */
    readonly isolation: Isolation
    /** The names of the commands that may be run. */
    readonly commands: ReadonlyArray<string>
    /** Runs one command. */
    readonly run: (request: CommandRequest) => Effect.Effect<CommandResult, ExecutorError>
    /** Runs a script in the shell of the policy; refused with `command.shell` where it offers none. */
    readonly shell: (script: string, options?: RunOptions) => Effect.Effect<CommandResult, ExecutorError>
  }
>()("effigent/CommandRunner") {}
