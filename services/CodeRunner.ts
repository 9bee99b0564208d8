/**
 * Running pieces of code as a service: each in a fresh directory of its own, within limits, with files in and files out.
 * The layer says which languages there are: see `effigent/layers/executors`.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { ExecutorError } from "./ActionExecutor.ts"
import type { CommandResult, Isolation } from "./CommandRunner.ts"

/** What code may be written in. `node`: an ECMAScript module, types stripped. @category models */
export type Language = "node" | "python" | "shell"

/** Code to run. @category models */
export interface CodeRequest {
  readonly language: Language
  /** The program. */
  readonly code: string
  /** Its arguments. */
  readonly args?: ReadonlyArray<string> | undefined
  /** What it reads. Default: nothing, at its end at once. */
  readonly stdin?: string | Uint8Array | undefined
  /** Files that stand in its directory, by their path in it. */
  readonly files?: Readonly<Record<string, string | Uint8Array>> | undefined
  /** Paths of files in its directory that are wanted when it has ended. */
  readonly outputs?: ReadonlyArray<string> | undefined
  /** A shorter time than that of the layer. A longer one is cut to it. */
  readonly wallTime?: Duration.Input | undefined
}

/** A file that code has left. @category models */
export interface CodeFile {
  readonly path: string
  readonly bytes: Uint8Array
}

/**
 * An output that is not given. `absent`: it does not exist. `link`: it is, or is reached by, a symbolic link. `special`: it
 * is no regular file. `size`: with it the files would be larger than they may be.
 *
 * @category models
 */
export interface MissingFile {
  readonly path: string
  readonly why: "absent" | "link" | "special" | "size"
}

/** How code ended, with what it left. @category models */
export interface CodeResult extends CommandResult {
  /** The wanted files, in the order of the request. */
  readonly files: ReadonlyArray<CodeFile>
  /** The wanted files that are not given, with the reason. */
  readonly missing: ReadonlyArray<MissingFile>
}

/**
 * Runs code. The errors are those of `CommandRunner`; the rules `code.language` and `code.path` are its own.
 *
 * @category services
 */
export class CodeRunner extends Context.Service<
  CodeRunner,
  {
    /** How runs are kept together here. */
    readonly isolation: Isolation
    /** What it runs. */
    readonly languages: ReadonlyArray<Language>
    /** Runs one piece of code. */
    readonly run: (request: CodeRequest) => Effect.Effect<CodeResult, ExecutorError>
  }
>()("effigent/CodeRunner") {}
