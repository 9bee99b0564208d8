/**
 * The vocabulary of run events: what is told while an agent works, or a team, or a flow that asks agents. Encoded data
 * only, so that events go to logs, files, sockets and studios as they are. A run that is started inside another one tells
 * into the same log; `sequence` numbers all events of a log without a gap.
 */
import * as Schema from "effect/Schema"
import { ActionCall, ActionRecord, ActionStatus } from "./Action.ts"

const optional = Schema.optionalKey

/**
 * Tokens, as far as the provider says.
 *
 * @category models
 */
export const RunUsage = Schema.Struct({
  /** All prompt tokens, those from and into the cache included. */
  inputTokens: optional(Schema.Finite),
  cachedInputTokens: optional(Schema.Finite),
  cacheWriteInputTokens: optional(Schema.Finite),
  /** All tokens of the answer, reasoning included. */
  outputTokens: optional(Schema.Finite),
  reasoningTokens: optional(Schema.Finite)
})

/** Tokens, as a type. @category models */
export type RunUsage = typeof RunUsage.Type

/** One request to a model has ended, well or not. @category models */
export const ModelAnswered = Schema.TaggedStruct("ModelAnswered", {
  /** The number of the attempt in its run, from 1. */
  attempt: Schema.Int,
  /** The model that answered, in the provider's words. */
  model: optional(Schema.String),
  usage: RunUsage,
  /** Milliseconds from sending to the first piece of text or reasoning; absent where there was none. */
  timeToFirstToken: optional(Schema.Finite),
  /** Milliseconds from sending to the end. */
  duration: Schema.Finite,
  /** Why the model stopped; absent where the request broke off. */
  finishReason: optional(Schema.String)
})

/**
 * What is told of a run. One begins with `RunStarted`, unless it is cancelled before, and ends with `RunCompleted`,
 * `RunFailed` or `RunCancelled`, after which nothing follows.
 *
 * @category models
 */
export const RunEvent = Schema.Union([
  /** It begins. */
  Schema.TaggedStruct("RunStarted", {
    /** What it is about, where that has a JSON form. */
    input: optional(Schema.Json),
    /** What its model is used for: `main`, `parser`, `output`, `memory`, or a name of the program's own. */
    role: Schema.String
  }),
  /** A request goes out. */
  Schema.TaggedStruct("ModelRequested", {
    attempt: Schema.Int,
    /** The model that was asked for; absent: the provider's default. */
    model: optional(Schema.String)
  }),
  /** A piece of the answer: all that one read from the network brought. Texts of one attempt belong together. */
  Schema.TaggedStruct("Text", { attempt: Schema.Int, text: Schema.String }),
  /** A piece of the model's reasoning. */
  Schema.TaggedStruct("Reasoning", { attempt: Schema.Int, text: Schema.String }),
  /** What was written so far is void; this attempt follows. */
  Schema.TaggedStruct("Restarted", { attempt: Schema.Int, reason: Schema.String }),
  /** A call begins. */
  Schema.TaggedStruct("ActionStarted", { call: ActionCall }),
  /** News of a call that is at work. */
  Schema.TaggedStruct("ActionProgress", { call: ActionCall, value: Schema.Json }),
  /** A call has ended, whatever became of it. */
  Schema.TaggedStruct("ActionEnded", { record: ActionRecord }),
  ModelAnswered,
  /** It ended well. */
  Schema.TaggedStruct("RunCompleted", {
    /** What it gave, where that has a JSON form. */
    value: optional(Schema.Json),
    /** Tokens of its own requests, without those of runs inside it. */
    usage: RunUsage
  }),
  /** It failed. */
  Schema.TaggedStruct("RunFailed", {
    /** The error's tag; `Defect` for what is no typed failure. */
    tag: Schema.String,
    message: Schema.String
  }),
  /** It was stopped. */
  Schema.TaggedStruct("RunCancelled", {
    /** Why, where whoever cancelled it said so. */
    reason: optional(Schema.String),
    /** The answer as far as it came. */
    text: optional(Schema.String)
  }),
  /** It waits for somebody; any event that follows says that it goes on. */
  Schema.TaggedStruct("RunPaused", {
    /** What it waits for. */
    reason: optional(Schema.String)
  }),
  /** What a program tells of its own. */
  Schema.TaggedStruct("Custom", { name: Schema.String, value: Schema.Json })
])

/** What is told of a run, as a type. @category models */
export type RunEvent = typeof RunEvent.Type

/**
 * An event with the run that it belongs to.
 *
 * @category models
 */
export const RunEnvelope = Schema.Struct({
  /** Its number in the log of the root run, from 1, without a gap. */
  sequence: Schema.Int,
  /** When, in milliseconds since 1970. */
  at: Schema.Finite,
  /** The run. */
  run: Schema.String,
  /** The run that it was started in; absent for the root. */
  parent: optional(Schema.String),
  /** The outermost run. */
  root: Schema.String,
  /** The name of the agent, where it has one. */
  agent: optional(Schema.String),
  /** How many runs it is inside of: 0 for the root. */
  depth: Schema.Int,
  event: RunEvent
})

/** An event with its run, as a type. @category models */
export type RunEnvelope = typeof RunEnvelope.Type

/**
 * Where a run stands.
 *
 * @category models
 */
export const RunStatus = Schema.Literals(["pending", "running", "paused", "completed", "failed", "cancelled"])

/** Where a run stands, as a type. @category models */
export type RunStatus = typeof RunStatus.Type

/**
 * One run as its events have left it.
 *
 * @category models
 */
export const RunState = Schema.Struct({
  run: Schema.String,
  parent: optional(Schema.String),
  agent: optional(Schema.String),
  depth: Schema.Int,
  role: Schema.String,
  status: RunStatus,
  input: optional(Schema.Json),
  /** The attempt that `text` and `reasoning` belong to; 0 before the first. */
  attempt: Schema.Int,
  /** The text of the last attempt that wrote any. */
  text: Schema.String,
  reasoning: Schema.String,
  /** Every call in the order in which they began. */
  actions: Schema.Array(
    Schema.Struct({
      call: ActionCall,
      /** `running` until it has ended. */
      status: Schema.Union([ActionStatus, Schema.Literal("running")]),
      /** Milliseconds; absent until it has ended. */
      duration: optional(Schema.Finite)
    })
  ),
  /** Every request that was sent, in order. */
  requests: Schema.Array(
    Schema.Struct({
      /** When it was sent, in milliseconds since 1970. */
      at: Schema.Finite,
      attempt: Schema.Int,
      model: optional(Schema.String),
      /** How it ended; absent while it is under way. */
      answered: optional(ModelAnswered)
    })
  ),
  value: optional(Schema.Json),
  /** How it failed. */
  failure: optional(Schema.Struct({ tag: Schema.String, message: Schema.String })),
  /** Why it was cancelled, or what it waits for. */
  reason: optional(Schema.String),
  /** When it began and ended, in milliseconds since 1970. */
  startedAt: optional(Schema.Finite),
  endedAt: optional(Schema.Finite)
})

/** One run, as a type. @category models */
export type RunState = typeof RunState.Type

/**
 * A root run and all runs inside it, as the events up to `sequence` have left them. What comes behind it is whole: a
 * snapshot with the events after it tells all that the events from the beginning tell.
 *
 * @category models
 */
export const RunSnapshot = Schema.Struct({
  sequence: Schema.Int,
  root: Schema.String,
  /** The root first, then the others in the order in which they began. */
  runs: Schema.Array(RunState)
})

/** A root run and all runs inside it, as a type. @category models */
export type RunSnapshot = typeof RunSnapshot.Type

/**
 * Whoever reads the events of a run has fallen further behind than it may. The run and all others that read it go on.
 * Take a snapshot and read on from there, read faster, or allow more.
 *
 * @category errors
 */
export class WatcherOverflow extends Schema.TaggedError<WatcherOverflow>()("WatcherOverflow", {
  run: Schema.String,
  /** The last event that was read. */
  sequence: Schema.Int,
  /** How many events were waiting. */
  waiting: Schema.Int,
  /** How many may wait. */
  limit: Schema.Int
}) {
  override get message(): string {
    return `Run ${this.run}: a watcher is ${this.waiting} events behind, and may be ${this.limit}; it has read up to event ${this.sequence}. Take a snapshot and read on from there, or allow a larger buffer.`
  }
}

/**
 * The run whose result is asked for was cancelled.
 *
 * @category errors
 */
export class RunWasCancelled extends Schema.TaggedError<RunWasCancelled>()("RunWasCancelled", {
  run: Schema.String,
  reason: optional(Schema.String)
}) {
  override get message(): string {
    return `Run ${this.run} was cancelled${this.reason === undefined ? "" : `: ${this.reason}`}`
  }
}

/**
 * There is no such run: none was started under this id, or it has ended and was forgotten.
 *
 * @category errors
 */
export class RunNotFound extends Schema.TaggedError<RunNotFound>()("RunNotFound", { run: Schema.String }) {
  override get message(): string {
    return `There is no run ${JSON.stringify(this.run)}: none was started under this id here, or it ended long ago`
  }
}

/**
 * The id is taken by another piece of work: a request id that came before with another input, or the id of a run.
 *
 * @category errors
 */
export class RunConflict extends Schema.TaggedError<RunConflict>()("RunConflict", {
  /** The id that was given. */
  id: Schema.String,
  /** The run that has it. */
  run: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `The id ${JSON.stringify(this.id)} is that of run ${this.run}: ${this.detail}`
  }
}
