/**
 * Where executions of flows live, as a service: in this process, or on the runners of a cluster. Everything that crosses
 * it is encoded (names, JSON, cursors); the typed side is `TriggerFlow.toLayer`, `start` and `attach`. Only `register`,
 * which runs where the handlers are, takes something that is not data.
 *
 * What an implementation promises (`ExecutionHostConformance` in `effigent/testing` checks it):
 *
 * - a start under an id is one start: the same flow and input join the execution, anything else is `ExecutionConflict`;
 * - an input that the contract refuses starts nothing;
 * - watching gives every entry from a cursor on, once, in order, and ends as the execution ends;
 * - how an execution ended is kept for a while, and asking twice gives the same answer;
 * - when the Scope of a registration closes, its executions have stopped.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"

const positive = Schema.Int.check(Schema.isGreaterThan(0))
const millis = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/**
 * How an execution is run; times in milliseconds. All of it may be absent: see `TriggerFlow.Options` for the defaults.
 *
 * @category models
 */
export const ExecutionSettings = Schema.Struct({
  concurrency: Schema.optionalKey(positive),
  failures: Schema.optionalKey(Schema.Literals(["fail", "continue"])),
  maxEmitDepth: Schema.optionalKey(positive),
  /** `false`: it is never closed for being idle. */
  autoClose: Schema.optionalKey(Schema.Union([millis, Schema.Literal(false)])),
  timeout: Schema.optionalKey(millis),
  idleTimeout: Schema.optionalKey(millis),
  stream: Schema.optionalKey(
    Schema.Union([
      Schema.Struct({ _tag: Schema.Literal("unbounded") }),
      Schema.Struct({ _tag: Schema.Literals(["sliding", "suspend"]), capacity: positive })
    ])
  )
})

/** How an execution is run, as a type. @category models */
export type ExecutionSettings = typeof ExecutionSettings.Type

/**
 * What is started.
 *
 * @category models
 */
export const StartRequest = Schema.Struct({
  flow: Schema.String,
  /** Absent: the version that was registered last. */
  version: Schema.optionalKey(Schema.String),
  /** The input, encoded by the contract. */
  input: Schema.Json,
  /** Makes the start idempotent. Absent: the host makes one. */
  id: Schema.optionalKey(Schema.String),
  /** What it is found by in lists, where the host keeps them. */
  tags: Schema.optionalKey(Schema.Array(Schema.String)),
  settings: Schema.optionalKey(ExecutionSettings)
})

/** What is started, as a type. @category models */
export type StartRequest = typeof StartRequest.Type

/**
 * How an execution, or something that was asked of it, has failed. `message` is for people; none is without one.
 *
 * @category models
 */
export const Failure = Schema.Union([
  /** As the contract says: `error` is encoded by its `error` Schema. */
  Schema.Struct({ _tag: Schema.Literal("Error"), error: Schema.Json, message: Schema.String }),
  /** By itself: `error` is an encoded `FlowError`. */
  Schema.Struct({ _tag: Schema.Literal("FlowError"), error: Schema.Json, message: Schema.String }),
  /** Some other way, which has no encoding. */
  Schema.Struct({ _tag: Schema.Literal("Defect"), message: Schema.String })
])

/** How something has failed, as a type. @category models */
export type Failure = typeof Failure.Type

/** Where an execution stands. @category models */
export const ExecutionStatus = Schema.Literals(["created", "running", "waiting", "completed", "failed", "cancelled"])

/** Where an execution stands, as a type. @category models */
export type ExecutionStatus = typeof ExecutionStatus.Type

/**
 * An execution in a list.
 *
 * @category models
 */
export const ExecutionSummary = Schema.Struct({
  id: Schema.String,
  flow: Schema.String,
  /** The version of its definition; absent where the contract names none. */
  version: Schema.optionalKey(Schema.String),
  /** The fingerprint of its definition, where the registration has one. */
  fingerprint: Schema.optionalKey(Schema.String),
  status: ExecutionStatus,
  lifecycle: Schema.Literals(["open", "sealed", "closed"]),
  /** When it was started and when it closed, in milliseconds since 1970. */
  startedAt: Schema.Finite,
  closedAt: Schema.optionalKey(Schema.Finite)
})

/** An execution in a list, as a type. @category models */
export type ExecutionSummary = typeof ExecutionSummary.Type

/**
 * A question that waits for an answer.
 *
 * @category models
 */
export const Question = Schema.Struct({
  /** The id to answer to. */
  id: Schema.String,
  interrupt: Schema.String,
  payload: Schema.Json,
  /** The chunk that asked. */
  chunk: Schema.String,
  /** When it was asked and when it expires, in milliseconds since 1970. */
  at: Schema.Finite,
  expires: Schema.optionalKey(Schema.Finite)
})

/** A question, as a type. @category models */
export type Question = typeof Question.Type

const progress = {
  status: ExecutionStatus,
  lifecycle: Schema.Literals(["open", "sealed", "closed"]),
  /** Oldest first. */
  questions: Schema.Array(Question),
  /** The fields of the state. */
  state: Schema.Record(Schema.String, Schema.Json),
  /** What was set as the result, if anything. */
  result: Schema.optionalKey(Schema.Json),
  /** How it failed or why it was cancelled. */
  failure: Schema.optionalKey(Failure),
  /** Failures that ended their own chain only (`failures: "continue"`). */
  failures: Schema.Array(Failure)
}

/** What an execution knows of itself. @category models */
export const Progress = Schema.Struct(progress)

/** What an execution knows of itself, as a type. @category models */
export type Progress = typeof Progress.Type

/**
 * An execution with what is in it.
 *
 * @category models
 */
export const ExecutionView = Schema.Struct({ ...ExecutionSummary.fields, ...progress })

/** An execution with what is in it, as a type. @category models */
export type ExecutionView = typeof ExecutionView.Type

/**
 * One entry of the runtime stream.
 *
 * @category models
 */
export const WatchEntry = Schema.Struct({
  /** Its place, from 0. Who goes on behind it asks from `cursor + 1`. */
  cursor: Schema.Int,
  /** The sub-flows that it comes from, outermost first. */
  path: Schema.Array(Schema.String),
  event: Schema.Union([
    Schema.Struct({ _tag: Schema.Literal("item"), item: Schema.Json, volatile: Schema.Boolean }),
    Schema.Struct({
      _tag: Schema.Literal("interrupt"),
      id: Schema.String,
      interrupt: Schema.String,
      payload: Schema.Json
    }),
    Schema.Struct({ _tag: Schema.Literal("answered"), id: Schema.String, interrupt: Schema.String }),
    Schema.Struct({
      _tag: Schema.Literal("intervention"),
      id: Schema.String,
      action: Schema.Literals(["append", "insert", "expire", "consume", "reject"])
    })
  ])
})

/** One entry of the runtime stream, as a type. @category models */
export type WatchEntry = typeof WatchEntry.Type

/**
 * Which executions are listed, and how many at once.
 *
 * @category models
 */
export const ListQuery = Schema.Struct({
  flow: Schema.optionalKey(Schema.String),
  version: Schema.optionalKey(Schema.String),
  status: Schema.optionalKey(ExecutionStatus),
  /** All of these: see `StartRequest`. */
  tags: Schema.optionalKey(Schema.Array(Schema.String)),
  /** How many at most. Default 100. */
  limit: Schema.optionalKey(positive),
  /** `next` of the page before. */
  after: Schema.optionalKey(Schema.String)
})

/** Which executions are listed, as a type. @category models */
export type ListQuery = typeof ListQuery.Type

/** A part of a list: oldest start first. @category models */
export const ListPage = Schema.Struct({
  executions: Schema.Array(ExecutionSummary),
  /** Where the list goes on; absent at its end. */
  next: Schema.optionalKey(Schema.String)
})

/** A part of a list, as a type. @category models */
export type ListPage = typeof ListPage.Type

const named = (flow: string, version: string | undefined): string =>
  version === undefined ? `"${flow}"` : `"${flow}", version "${version}"`

/** Nobody has registered the flow. @category errors */
export class UnknownFlow extends Schema.TaggedError<UnknownFlow>()("UnknownFlow", {
  flow: Schema.String,
  version: Schema.optionalKey(Schema.String),
  /** The versions of it that are registered; "" stands for none. */
  known: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const other = this.known.length === 0 ? "" : ` Registered are the versions ${JSON.stringify(this.known)}.`
    return `The flow ${named(this.flow, this.version)} is not registered. Provide TriggerFlow.toLayer of it.${other}`
  }
}

/** The flow is registered already. @category errors */
export class FlowRegistered extends Schema.TaggedError<FlowRegistered>()("FlowRegistered", {
  flow: Schema.String,
  version: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return `The flow ${named(this.flow, this.version)} is registered already. Register it once, or give the other definition a version of its own.`
  }
}

/** There is no such execution, or it ended so long ago that it is forgotten. @category errors */
export class UnknownExecution extends Schema.TaggedError<UnknownExecution>()("UnknownExecution", {
  id: Schema.String
}) {
  override get message(): string {
    return `There is no execution "${this.id}", or it has ended and is no longer kept. List the executions, or keep ended ones longer.`
  }
}

/** The id belongs to an execution that was started otherwise. @category errors */
export class ExecutionConflict extends Schema.TaggedError<ExecutionConflict>()("ExecutionConflict", {
  id: Schema.String,
  /** What is not the same. */
  differs: Schema.Literals(["flow", "version", "input"])
}) {
  override get message(): string {
    return this.differs === "input"
      ? `The execution "${this.id}" was started with another input. Start under another id, or attach to the execution that there is.`
      : `The execution "${this.id}" is one of another ${this.differs === "flow" ? "flow" : "version of the flow"}. Use another id, or the contract that it was started with.`
  }
}

/**
 * What was asked of a flow has failed: because its execution has failed, or because the flow refuses it.
 *
 * @category errors
 */
export class FlowFailed extends Schema.TaggedError<FlowFailed>()("FlowFailed", {
  flow: Schema.String,
  id: Schema.String,
  failure: Failure
}) {
  override get message(): string {
    return this.failure.message
  }
}

/** The host could not do what it was asked for. @category errors */
export class ExecutionHostError extends Schema.TaggedError<ExecutionHostError>()("ExecutionHostError", {
  /** Which host: `in process`, `cluster`, ... */
  host: Schema.String,
  /** What it was to do. */
  operation: Schema.String,
  /** What happened and what to do. */
  detail: Schema.String,
  /** Whether trying again can help. */
  retryable: Schema.Boolean
}) {
  override get message(): string {
    return `The host "${this.host}" cannot ${this.operation}: ${this.detail}`
  }
}

/** How a request to an execution fails. @category errors */
export type RequestError = UnknownExecution | FlowFailed | ExecutionHostError

/** What ends an execution in good order. @category models */
export const CloseOptions = Schema.Struct({
  /** After how many milliseconds everything is interrupted and the status is `cancelled`. Default: never. */
  deadline: Schema.optionalKey(millis),
  /** Questions that wait: `fail` (default) refuses to close, `cancel` drops them. */
  pending: Schema.optionalKey(Schema.Literals(["fail", "cancel"]))
})

/** What ends an execution in good order, as a type. @category models */
export type CloseOptions = typeof CloseOptions.Type

/** How a signal is sent. @category models */
export const SignalOptions = Schema.Struct({
  /** Until everything that it starts has ended; the replies are given then. */
  wait: Schema.Boolean,
  /**
   * Makes it idempotent: the same signal under the same id may be sent again, where nobody knows whether it came. It then
   * does nothing more, and gives at once, without replies. An execution knows its last 1,000.
   */
  requestId: Schema.optionalKey(Schema.String)
})

/** How a signal is sent, as a type. @category models */
export type SignalOptions = typeof SignalOptions.Type

/** How a question is answered. @category models */
export const AnswerOptions = Schema.Struct({
  /** Makes it idempotent: the same answer under the same id may be sent again. */
  requestId: Schema.optionalKey(Schema.String),
  /** The name of the interrupt: needed where the answer comes before its question. */
  interrupt: Schema.optionalKey(Schema.String)
})

/** How a question is answered, as a type. @category models */
export type AnswerOptions = typeof AnswerOptions.Type

/** What is said to the handlers of an execution. @category models */
export const InterveneOptions = Schema.Struct({
  id: Schema.optionalKey(Schema.String),
  author: Schema.optionalKey(Schema.String),
  /** The intervention point or chunk that it is meant for. */
  target: Schema.optionalKey(Schema.String)
})

/** What is said to the handlers of an execution, as a type. @category models */
export type InterveneOptions = typeof InterveneOptions.Type

/**
 * An execution at work, as the host that runs it sees it.
 *
 * @category models
 */
export interface RunningExecution {
  readonly progress: Effect.Effect<Progress>
  /** The part of its progress that lists need. */
  readonly standing: Effect.Effect<Pick<Progress, "status" | "lifecycle">>
  /**
   * Sends a signal. `wait`: until everything that it starts has ended; the replies are given then. `requestId`: the same
   * signal under the same id does nothing more, and gives at once, without replies.
   */
  readonly signal: (
    signal: string,
    payload: Schema.Json,
    wait: boolean,
    requestId?: string
  ) => Effect.Effect<ReadonlyArray<Schema.Json>, FlowFailed>
  readonly answer: (question: string, value: Schema.Json, options: AnswerOptions) => Effect.Effect<void, FlowFailed>
  readonly intervene: (payload: Schema.Json, options: InterveneOptions) => Effect.Effect<string, FlowFailed>
  readonly watch: (from: number) => Stream.Stream<WatchEntry, FlowFailed>
  /** It as one document, from which `TriggerFlow.load` makes it go on; it goes on here undisturbed. */
  readonly save: Effect.Effect<Schema.Json, FlowFailed>
  readonly seal: Effect.Effect<void>
  /** Gives when it is closed, also where it has failed; fails where it refuses to close. */
  readonly close: (options: CloseOptions) => Effect.Effect<void, FlowFailed>
  /** Gives when nothing of it is left. */
  readonly cancel: (reason: string) => Effect.Effect<void>
  /** Gives when it is closed, or left, whichever way. */
  readonly closed: Effect.Effect<void>
  /** Whether all that is left of it waits for answers or timers. */
  readonly resting: Effect.Effect<boolean>
  /**
   * Leaves it for another process: nothing new begins, handlers at work have `drain` milliseconds, everything is written
   * down. Without a journal it is cancelled.
   */
  readonly leave: (drain: number) => Effect.Effect<void>
  /** Leaves it as it was written down last, at once. Gives when nothing is at work any more. */
  readonly abandon: Effect.Effect<void>
}

/**
 * What a running execution writes down in one go: what has happened, and how it stands afterwards.
 *
 * @category models
 */
export interface JournalBatch {
  readonly records: ReadonlyArray<Schema.Json>
  readonly status: ExecutionStatus
  readonly lifecycle: "open" | "sealed" | "closed"
  /** When something is due next although nobody is at work, in milliseconds since 1970; `null`: never; absent: as before. */
  readonly wakeAt?: number | null
  /** A handler has ended: it got further. */
  readonly progressed?: boolean
  /** The execution as it is after these records. */
  readonly snapshot?: Schema.Json
}

/**
 * Where a running execution writes down what happens.
 *
 * @category models
 */
export interface ExecutionJournal {
  /** After how many records there is a snapshot, or as many as its runtime stream has entries where those are more. */
  readonly snapshotEvery: number
  /** Gives once the batch is safe. Where it fails, the execution stops and everything it does is left as it was written. */
  readonly append: (batch: JournalBatch) => Effect.Effect<void, unknown>
}

/**
 * What was written down of an execution: its newest snapshot, if there is one, and the records behind it.
 *
 * @category models
 */
export interface WrittenExecution {
  readonly id: string
  readonly snapshot: Schema.Json | undefined
  readonly records: ReadonlyArray<Schema.Json>
}

/**
 * Something that has happened to a step of an execution.
 *
 * @category models
 */
export const HistoryEntry = Schema.Struct({
  /** The append in which it stands: where a fork may begin. */
  seq: Schema.Int,
  /** When it was written down, in milliseconds since 1970. */
  at: Schema.Finite,
  /** The key of the step; absent: the execution itself. */
  step: Schema.optionalKey(Schema.String),
  /** The sub-flows that it belongs to, outermost first. */
  path: Schema.Array(Schema.String),
  /** The keys of the steps that run these sub-flows; absent where there are none. */
  inside: Schema.optionalKey(Schema.Array(Schema.String)),
  /** Which run of the step it is about: what begins and ends under one path and run belongs together. */
  run: Schema.optionalKey(Schema.String),
  /** `done`, `failed`, `asked`, `sleeps`, `started`, `signal`, `answer`, ... */
  what: Schema.String,
  /** The signal, question or reason, where there is one. */
  name: Schema.optionalKey(Schema.String)
})

/** Something that has happened to a step, as a type. @category models */
export type HistoryEntry = typeof HistoryEntry.Type

/**
 * Reads a journal append by append, for those who follow an execution: what was taken in is not read again.
 *
 * @category models
 */
export interface JournalReader {
  /**
   * Takes in the appends behind those before; gives what has happened in them. Besides what `history` tells, it tells
   * where runs of steps have begun, or gone on (`began`), and where an answer has ended one (`ended`). After a failure it is of no use any more.
   */
  readonly take: (
    entries: ReadonlyArray<{ readonly seq: number; readonly at: number; readonly records: ReadonlyArray<Schema.Json> }>
  ) => Effect.Effect<ReadonlyArray<HistoryEntry>, FlowFailed>
}

/**
 * A flow as a host runs it: made by `TriggerFlow.toLayer`.
 *
 * @category models
 */
export interface FlowRunner {
  readonly flow: string
  readonly version: string | undefined
  /** Made of the names and the shape of the definition; absent where nobody has made it. */
  readonly fingerprint: string | undefined
  /**
   * Which older definitions it can go on with, by migrations: their versions or fingerprints. Executions of these
   * versions, and of none, are its own where nobody else is registered for them.
   */
  readonly migrates?: ReadonlyArray<string>
  /** Starts an execution; fails where the contract refuses the input. Whoever opens it has to close or cancel it. */
  readonly open: (request: {
    readonly id: string
    readonly input: Schema.Json
    readonly settings: ExecutionSettings
    /** Where it is written down; absent: it ends with this process. */
    readonly journal?: ExecutionJournal
  }) => Effect.Effect<RunningExecution, FlowFailed>
  /**
   * Lets an execution go on that was written down. Handlers that were at work are run again. Fails where it does not fit
   * the flow, or cannot be read.
   */
  readonly recover: (
    written: WrittenExecution,
    journal: ExecutionJournal
  ) => Effect.Effect<RunningExecution, FlowFailed>
  /** Reads how an execution stands, or stood, without letting it go on; with the entries of its runtime stream that are kept. */
  readonly read: (
    written: WrittenExecution
  ) => Effect.Effect<{ readonly progress: Progress; readonly entries: ReadonlyArray<WatchEntry> }, FlowFailed>
  /**
   * Makes a new execution of one that was written down: as it stood, under another id, to be recovered. Gives the snapshot
   * that it begins with.
   */
  readonly fork: (written: WrittenExecution, id: string) => Effect.Effect<Schema.Json, FlowFailed>
  /** What has happened behind a snapshot, append by append. */
  readonly history: (
    snapshot: Schema.Json | undefined,
    entries: ReadonlyArray<{ readonly seq: number; readonly at: number; readonly records: ReadonlyArray<Schema.Json> }>
  ) => Effect.Effect<ReadonlyArray<HistoryEntry>, FlowFailed>
  /** The same for those who go on reading as the journal grows. Absent: this runner cannot. */
  readonly reader?: (snapshot: Schema.Json | undefined) => Effect.Effect<JournalReader, FlowFailed>
}

/**
 * Where executions of flows live.
 *
 * @category services
 */
export class ExecutionHost extends Context.Service<
  ExecutionHost,
  {
    /** Lets this host run a flow until the Scope closes; then its executions here are cancelled. */
    readonly register: (runner: FlowRunner) => Effect.Effect<void, FlowRegistered | ExecutionHostError, Scope.Scope>
    /** Starts an execution, or joins the one that was started under the same id with the same input. Gives its id. */
    readonly start: (
      request: StartRequest
    ) => Effect.Effect<string, UnknownFlow | ExecutionConflict | FlowFailed | ExecutionHostError>
    /** Sends a signal. With `wait` it gives the replies when everything that the signal starts has ended. */
    readonly signal: (
      id: string,
      signal: string,
      payload: Schema.Json,
      options: SignalOptions
    ) => Effect.Effect<ReadonlyArray<Schema.Json>, RequestError>
    /** Answers a question by its id. The answer may come before the question. */
    readonly answer: (
      id: string,
      question: string,
      value: Schema.Json,
      options?: AnswerOptions
    ) => Effect.Effect<void, RequestError>
    /** Says something to the handlers of an execution; gives the id of what was said. */
    readonly intervene: (
      id: string,
      payload: Schema.Json,
      options?: InterveneOptions
    ) => Effect.Effect<string, RequestError>
    /** The runtime stream from a cursor on (default 0), until the execution closes; fails as it has failed. */
    readonly watch: (id: string, from?: number) => Stream.Stream<WatchEntry, RequestError>
    readonly get: (id: string) => Effect.Effect<ExecutionView, UnknownExecution | ExecutionHostError>
    readonly list: (query?: ListQuery) => Effect.Effect<ListPage, ExecutionHostError>
    /**
     * An execution as one document, from which `TriggerFlow.load` makes another one go on; this one goes on undisturbed.
     * Fails with the `FlowError` `NotSaveable` where a value in it has no encoding, and where it is closed.
     */
    readonly save: (id: string) => Effect.Effect<Schema.Json, RequestError>
    /** Refuses signals from now on; what is at work goes on. */
    readonly seal: (id: string) => Effect.Effect<void, UnknownExecution | ExecutionHostError>
    /** Seals, waits until everything has ended, and gives what is left, also where the execution has failed. */
    readonly close: (id: string, options?: CloseOptions) => Effect.Effect<ExecutionView, RequestError>
    /** Interrupts everything; gives what is left when nothing is at work any more. */
    readonly cancel: (
      id: string,
      reason?: string
    ) => Effect.Effect<ExecutionView, UnknownExecution | ExecutionHostError>
    /** Waits until it is closed, and gives what is left, also where it has failed. */
    readonly await: (id: string) => Effect.Effect<ExecutionView, UnknownExecution | ExecutionHostError>
  }
>()("effigent/ExecutionHost") {}
