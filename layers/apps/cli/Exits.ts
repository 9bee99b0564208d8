/** How commands end: exit codes, and the failures that carry them. */
import * as Cause from "effect/Cause"
import * as Schema from "effect/Schema"
import { wordsOf } from "../config/Open.ts"

/**
 * The exit codes.
 *
 * | code | says |
 * |---|---|
 * | 0 | it went well |
 * | 1 | the agent, the flow or a check has failed, or a server cannot listen; an eval does not reach its gate |
 * | 2 | wrong usage: no such command, flag, agent, flow or eval, or an input that is none |
 * | 3 | the execution waits: for an answer, a signal or a timer |
 * | 4 | the configuration is missing or broken, or its Layer cannot be made |
 * | 5 | no such execution, journal, report or dataset |
 * | 130 | interrupted |
 *
 * @category constants
 */
export const codes = { ok: 0, failed: 1, usage: 2, waiting: 3, config: 4, unknown: 5, interrupted: 130 } as const

/** A command was given what it cannot use. @category errors */
export class Usage extends Schema.TaggedError<Usage>()("Usage", { detail: Schema.String }) {
  override get message(): string {
    return this.detail
  }
}

/** A file or an execution that is asked for is not there. @category errors */
export class NotThere extends Schema.TaggedError<NotThere>()("NotThere", { detail: Schema.String }) {
  override get message(): string {
    return this.detail
  }
}

/** The end of a command that has said all there is to say. @category errors */
export class Ended extends Schema.TaggedError<Ended>()("Ended", { code: Schema.Int }) {
  override get message(): string {
    return `It ended with code ${this.code}`
  }
}

const byTag: { readonly [tag: string]: number } = {
  Usage: codes.usage,
  UnknownFlow: codes.usage,
  DatasetError: codes.usage,
  EvalInvalid: codes.usage,
  ReportInvalid: codes.usage,
  NotThere: codes.unknown,
  UnknownExecution: codes.unknown,
  ConfigMissing: codes.config,
  ConfigThrows: codes.config,
  ConfigShape: codes.config,
  ProjectFailed: codes.config
}

/**
 * The end of a command: its code, and what is to be said, where it has not been said.
 *
 * @category models
 */
export interface End {
  readonly code: number
  readonly error?: { readonly tag: string; readonly message: string }
  /** People have been told already. */
  readonly isTold?: boolean
}

/** How a command that has failed ends. @category conversions */
export const endOf = (cause: Cause.Cause<unknown>): End => {
  if (Cause.hasInterruptsOnly(cause)) return { code: codes.interrupted }
  const error = Cause.squash(cause)
  if (error instanceof Ended) return { code: error.code }
  const { detail, tag } = wordsOf(cause)
  if (tag === "ShowHelp") {
    const wrong = errorsOf(error)
    if (wrong.length === 0) return { code: codes.ok }
    return { code: codes.usage, error: { tag: "Usage", message: wrong.join("; ") }, isTold: true }
  }
  if (tag === "PlatformError" && /EPIPE/.test(detail)) return { code: codes.ok }
  const message = tag === "Defect" ? `Unexpected failure, please report it: ${Cause.pretty(cause)}` : detail
  return { code: byTag[tag] ?? codes.failed, error: { tag, message } }
}

// What the parser has found; nothing where help was asked for.
const errorsOf = (error: unknown): ReadonlyArray<string> =>
  typeof error === "object" && error !== null && "errors" in error && Array.isArray(error.errors)
    ? error.errors.map((one: unknown) => (one instanceof Error ? one.message : String(one)))
    : []
