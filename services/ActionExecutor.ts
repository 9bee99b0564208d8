/**
 * Where actions are run that do not run in the program's own fibers: in a worker, a child process, behind a protocol. A
 * call goes out in encoded form, and its outcome comes back so; typed actions over it stand in `src/action`.
 *
 * `ExecutorError` is the one error of everything that acts on the world for a model (executors, commands, files, HTTP,
 * SQL): its `reason` says which of the known kinds it was, and names the rule that refused.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** A rule of the policy does not allow it; nothing was done. @category reasons */
export class Refused extends Schema.TaggedClass<Refused>()("Refused", {
  /** The rule, by a name that does not change: `path.outside`, `host.private`, `sql.readOnly`, ... */
  rule: Schema.String,
  /** What was asked for, and what would be allowed. */
  detail: Schema.String
}) {}

/** It took longer than it may, and was stopped. @category reasons */
export class TimedOut extends Schema.TaggedClass<TimedOut>()("TimedOut", {
  /** The limit, in milliseconds. */
  millis: Schema.Finite
}) {}

/** It used more than it may, and was stopped. @category reasons */
export class LimitExceeded extends Schema.TaggedClass<LimitExceeded>()("LimitExceeded", {
  /** What ran out. */
  limit: Schema.Literals(["cpu", "memory", "output", "input", "processes", "redirects", "rows"]),
  /** The limit with its unit, and what to do. */
  detail: Schema.String
}) {}

/** Others changed what is to be changed since it was last read; nothing was done. @category reasons */
export class Stale extends Schema.TaggedClass<Stale>()("Stale", {
  /** What was expected and what stands there now. */
  detail: Schema.String
}) {}

/** There is no such thing: no file, no action, no table. @category reasons */
export class NotFound extends Schema.TaggedClass<NotFound>()("NotFound", { detail: Schema.String }) {}

/** It was tried and did not succeed. @category reasons */
export class Broken extends Schema.TaggedClass<Broken>()("Broken", { detail: Schema.String }) {}

/** What does it cannot be reached: not started, crashed, disconnected. @category reasons */
export class Unavailable extends Schema.TaggedClass<Unavailable>()("Unavailable", {
  detail: Schema.String,
  /** Whether it may have been done nevertheless. */
  uncertain: Schema.Boolean
}) {}

/** Why it could not be done. @category errors */
export const ExecutorErrorReason = Schema.Union([
  Refused,
  TimedOut,
  LimitExceeded,
  Stale,
  NotFound,
  Broken,
  Unavailable
])

/** Why it could not be done, as a type. @category errors */
export type ExecutorErrorReason = typeof ExecutorErrorReason.Type

const say = (reason: ExecutorErrorReason): string => {
  switch (reason._tag) {
    case "Refused":
      return `refused by the rule ${reason.rule}: ${reason.detail}`
    case "TimedOut":
      return `stopped after ${reason.millis} ms`
    case "LimitExceeded":
      return `too much ${reason.limit}: ${reason.detail}`
    default:
      return reason.detail
  }
}

/**
 * Something that acts on the world for a model could not do what it was asked for.
 *
 * @category errors
 */
export class ExecutorError extends Schema.TaggedError<ExecutorError>()("ExecutorError", {
  /** Who: `worker`, `command`, `workspace`, `http`, `sql`, `mcp`, ... */
  executor: Schema.String,
  /** What it was to do: the action, the command, the path, the URL without its secrets. */
  subject: Schema.String,
  reason: ExecutorErrorReason
}) {
  override get message(): string {
    return `${this.executor}: ${this.subject}: ${say(this.reason)}`
  }
}

/**
 * One call of an action, in encoded form.
 *
 * @category models
 */
export interface ExecutorCall {
  /** Tells calls apart, in one run. */
  readonly id: string
  /** The same for every try of one call and after a restart, and for no other call: what makes a repetition harmless. */
  readonly key: string
  /** The action's name. */
  readonly action: string
  /** Its input, as its Schema encodes it. */
  readonly input: Schema.Json
}

/**
 * How a call ended: with its success or with its own typed failure, encoded.
 *
 * @category models
 */
export interface ExecutorOutcome {
  readonly _tag: "Success" | "Failure"
  readonly value: Schema.Json
}

/**
 * Where actions are run that do not run in the program's own fibers. Interrupting `execute` stops what it has started.
 *
 * @category services
 */
export class ActionExecutor extends Context.Service<
  ActionExecutor,
  {
    /** Its name, as it stands in errors and records. */
    readonly name: string
    /** Runs one call. */
    readonly execute: (call: ExecutorCall) => Effect.Effect<ExecutorOutcome, ExecutorError>
  }
>()("effigent/ActionExecutor") {}
