/** How an execution fails by itself: apart from how its handlers fail, which stands in the type of the flow. */
import * as Schema from "effect/Schema"

/** The definition cannot run; every finding at once. @category errors */
export class InvalidDefinition extends Schema.TaggedError<InvalidDefinition>()("InvalidDefinition", {
  findings: Schema.Array(Schema.Struct({ at: Schema.String, problem: Schema.String, fix: Schema.String }))
}) {
  override get message(): string {
    return this.findings.map(({ at, problem, fix }) => `${at}: ${problem}. ${fix}.`).join("\n")
  }
}

/** A value does not fit the Schema of the contract. @category errors */
export class ContractViolation extends Schema.TaggedError<ContractViolation>()("ContractViolation", {
  /** The part of the contract: `input`, `state.report`, `stream`, `result`, `signal Paid`, `interrupt Approval`. */
  part: Schema.String,
  /** What is wrong, with paths. */
  issue: Schema.String,
  /** The chunk whose handler gave the value, where one did. */
  chunk: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    const where = this.chunk === undefined ? "" : ` (in the chunk "${this.chunk}")`
    return `${this.part}${where} does not fit the contract: ${this.issue}. Send what the Schema of ${this.part} admits, or change it.`
  }
}

/** A handler took longer than its `timeout`, or showed no progress for its `idleTimeout`. @category errors */
export class ChunkTimeout extends Schema.TaggedError<ChunkTimeout>()("ChunkTimeout", {
  chunk: Schema.String,
  kind: Schema.Literals(["run", "idle"]),
  /** The limit in milliseconds. */
  limit: Schema.Number
}) {
  override get message(): string {
    return this.kind === "run"
      ? `The chunk "${this.chunk}" ran longer than ${this.limit} ms. Raise its timeout, or do less in it.`
      : `The chunk "${this.chunk}" showed no progress for ${this.limit} ms. Raise its idleTimeout, or call run.heartbeat in it.`
  }
}

/** The execution took longer than its `timeout`, or was idle longer than it may be. @category errors */
export class ExecutionTimeout extends Schema.TaggedError<ExecutionTimeout>()("ExecutionTimeout", {
  kind: Schema.Literals(["run", "idle"]),
  /** The limit in milliseconds. */
  limit: Schema.Number
}) {
  override get message(): string {
    return `The execution ${this.kind === "run" ? "took longer than" : "made no progress for"} ${this.limit} ms.`
  }
}

/** Awaited emits stand inside each other deeper than `maxEmitDepth`. @category errors */
export class EmitTooDeep extends Schema.TaggedError<EmitTooDeep>()("EmitTooDeep", {
  signal: Schema.String,
  limit: Schema.Number
}) {
  override get message(): string {
    return `The signal "${this.signal}" is emitted inside ${this.limit} awaited emits. Use emitFork where nobody needs to wait, or raise maxEmitDepth.`
  }
}

/** A loop went on longer than its `max`. @category errors */
export class LoopLimit extends Schema.TaggedError<LoopLimit>()("LoopLimit", {
  loop: Schema.String,
  limit: Schema.Number
}) {
  override get message(): string {
    return `The loop "${this.loop}" has run ${this.limit} rounds and its condition still holds. Mend the condition, or raise max.`
  }
}

/** A handler paused itself again and again where it should have used the answer. @category errors */
export class ResumeLimit extends Schema.TaggedError<ResumeLimit>()("ResumeLimit", {
  chunk: Schema.String,
  limit: Schema.Number
}) {
  override get message(): string {
    return `The chunk "${this.chunk}" paused again after ${this.limit} answers. Read run.resumed in it, or raise maxResumes.`
  }
}

/** A handler made a pause and ended without returning it, so that nothing would have stopped. @category errors */
export class PauseNotReturned extends Schema.TaggedError<PauseNotReturned>()("PauseNotReturned", {
  chunk: Schema.String,
  interrupt: Schema.String
}) {
  override get message(): string {
    return `The chunk "${this.chunk}" made a pause for "${this.interrupt}" and ended with something else. A pause stops nothing until it is returned: write "return yield* run.pause(...)"; the answer is the input of the next step.`
  }
}

/** A run that nobody can answer has paused. @category errors */
export class Paused extends Schema.TaggedError<Paused>()("Paused", {
  interrupt: Schema.String,
  id: Schema.String
}) {
  override get message(): string {
    return `The flow waits for an answer to "${this.interrupt}" (${this.id}), and TriggerFlow.run gives nobody a way to answer. Use TriggerFlow.open or TriggerFlow.start.`
  }
}

/** An execution cannot be closed while it waits for answers. @category errors */
export class PendingInterrupts extends Schema.TaggedError<PendingInterrupts>()("PendingInterrupts", {
  ids: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `The execution waits for answers to ${this.ids.join(", ")}. Answer them, or close with { pending: "cancel" }.`
  }
}

/** The execution no longer takes signals from outside. @category errors */
export class NotOpen extends Schema.TaggedError<NotOpen>()("NotOpen", {
  lifecycle: Schema.Literals(["sealed", "closed"]),
  what: Schema.String,
  /** How it ended, where it is closed. */
  status: Schema.optionalKey(Schema.Literals(["completed", "failed", "cancelled"]))
}) {
  override get message(): string {
    const ended = this.status === undefined ? "" : ` (${this.status})`
    return `${this.what} was refused: the execution is ${this.lifecycle}${ended}. Send it to an execution that is open.`
  }
}

/** The execution was cancelled, or a deadline cancelled it. @category errors */
export class Cancelled extends Schema.TaggedError<Cancelled>()("Cancelled", { reason: Schema.String }) {
  override get message(): string {
    return `The execution was cancelled: ${this.reason}.`
  }
}

/** An answer does not belong to what is waiting. @category errors */
export class AnswerRejected extends Schema.TaggedError<AnswerRejected>()("AnswerRejected", {
  id: Schema.String,
  why: Schema.Literals(["unknown", "notWaiting", "conflict", "expired"])
}) {
  override get message(): string {
    switch (this.why) {
      case "unknown":
        return `No interrupt of the contract can have the id "${this.id}". List execution.interrupts.`
      case "notWaiting":
        return `The interrupt "${this.id}" is not waiting: it was answered or cancelled before.`
      case "conflict":
        return `The interrupt "${this.id}" was answered under this request id with another value. Use a new request id for a new answer.`
      case "expired":
        return `The interrupt "${this.id}" has expired.`
    }
  }
}

/** A handler that is run again did something else than the first time. @category errors */
export class ReplayDivergence extends Schema.TaggedError<ReplayDivergence>()("ReplayDivergence", {
  chunk: Schema.String,
  operation: Schema.String
}) {
  override get message(): string {
    return `The chunk "${this.chunk}" was run again and its operation ${this.operation} carries something else than before. Make it depend on its input and recorded results alone, or give the operation a key.`
  }
}

/** A flow ended without the result that its contract promises. @category errors */
export class NoResult extends Schema.TaggedError<NoResult>()("NoResult", {}) {
  override get message(): string {
    return "The execution closed without a result. End a chain with Chain.result, or call run.setResult."
  }
}

/** This process has left the execution for another one to go on with. @category errors */
export class Left extends Schema.TaggedError<Left>()("Left", {}) {
  override get message(): string {
    return "It goes on elsewhere: this process has left it. Ask its host again."
  }
}

/** Values inside an execution cannot be saved; all of them at once. @category errors */
export class NotSaveable extends Schema.TaggedError<NotSaveable>()("NotSaveable", {
  /** Where each value stands (the chunk, and what it is there) and what is wrong with it. */
  problems: Schema.Array(Schema.Struct({ at: Schema.String, issue: Schema.String }))
}) {
  override get message(): string {
    const lines = this.problems.map(({ at, issue }) => `${at} cannot be saved: ${issue}.`)
    return `${lines.join("\n")}\nGive the chunk that made it an output Schema, or pass plain data.`
  }
}

/**
 * A snapshot cannot be loaded: it is something else (`kind`), of another format (`version`), of another flow (`flow`) or
 * of another definition of it (`definition`, with the differences), the flow needs `services` that are not provided, or
 * a `value` in it cannot be read.
 *
 * @category errors
 */
export class NotLoadable extends Schema.TaggedError<NotLoadable>()("NotLoadable", {
  why: Schema.Literals(["kind", "version", "flow", "definition", "services", "value"]),
  issue: Schema.String
}) {
  override get message(): string {
    return `The snapshot cannot be loaded (${this.why}): ${this.issue}`
  }
}

/** Every way in which an execution can fail by itself. @category schemas */
export const Reason = Schema.Union([
  InvalidDefinition,
  ContractViolation,
  ChunkTimeout,
  ExecutionTimeout,
  EmitTooDeep,
  LoopLimit,
  ResumeLimit,
  PauseNotReturned,
  Paused,
  PendingInterrupts,
  NotOpen,
  Cancelled,
  AnswerRejected,
  ReplayDivergence,
  NoResult,
  NotSaveable,
  Left,
  NotLoadable
])

/** Every way in which an execution can fail by itself, as a type. @category errors */
export type Reason = typeof Reason.Type

/**
 * An execution failed by itself; `reason` says how. `Effect.catchReason("FlowError", "Paused", ...)` handles one way.
 *
 * @category errors
 */
export class FlowError extends Schema.TaggedError<FlowError>()("FlowError", {
  /** The name of the flow. */
  flow: Schema.String,
  /** The id of the execution; empty before there is one. */
  execution: Schema.String,
  reason: Reason
}) {
  override get message(): string {
    return `${this.flow}${this.execution === "" ? "" : ` (${this.execution})`}: ${this.reason.message}`
  }
}

/**
 * A run handle was used after its chunk had ended. It is a defect: the handle was given away to work that outlives the
 * chunk.
 *
 * @category errors
 */
export class RunHandleClosed extends Schema.TaggedError<RunHandleClosed>()("RunHandleClosed", {
  chunk: Schema.String
}) {
  override get message(): string {
    return `The run handle of "${this.chunk}" was used after the chunk had ended. Fork in the handler what needs it, and await it there.`
  }
}

/**
 * An execution that lives elsewhere has failed in a way that its contract has no Schema for: a defect, or a failure of a
 * handler that `error` does not admit. What it was stays where the execution is; this says it in words.
 *
 * @category errors
 */
export class FlowDefect extends Schema.TaggedError<FlowDefect>()("FlowDefect", {
  flow: Schema.String,
  execution: Schema.String,
  /** What went wrong, in words. */
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.flow} (${this.execution}) has failed: ${this.detail}`
  }
}
