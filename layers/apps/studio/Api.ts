/**
 * What the studio's server says: the Schemas and paths of everything below `/studio`. Runs of agents, executions and
 * sessions are asked for and answered below `/api`, which is `effigent/layers/http` as it is (docs/http.md). Nothing here
 * needs Node, so that pages are written against the same Schemas.
 */
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as Schema from "effect/Schema"
import { ApprovalRequest, Decision } from "../../../services/Action.ts"
import {
  ExecutionStatus,
  ExecutionSummary,
  HistoryEntry,
  Progress,
  Question,
  WatchEntry
} from "../../../services/ExecutionHost.ts"
import { DeadLetter } from "../../../services/JournalStore.ts"
import { RunStatus, RunUsage } from "../../../services/Run.ts"
import {
  ActionInfo,
  JsonObject,
  SpanDetail,
  SpanKind,
  SpanPage,
  SpanStatus,
  TracePage,
  TraceRow
} from "./TraceSchemas.ts"

export * from "./TraceSchemas.ts"

const optional = Schema.optionalKey

/**
 * What went wrong, as it stands in the body of every answer that is no success (`application/problem+json`).
 *
 * @category errors
 */
export class Problem extends Schema.Error<Problem>("StudioProblem")(
  Schema.Struct({
    type: Schema.String,
    status: Schema.Int,
    title: Schema.String,
    /** What happened and what to do. */
    detail: Schema.String,
    /** The tag of the error: `UnknownExecution`, `NotWaiting`, ... */
    tag: Schema.String,
    retryable: Schema.Boolean,
    requestId: optional(Schema.String)
  }),
  { identifier: "StudioProblem" }
) {
  readonly _tag = "StudioProblem"
  override get message(): string {
    return `${this.status} ${this.tag}: ${this.detail}`
  }
}

const error = [400, 401, 403, 404, 409, 413, 429, 500, 501, 502, 503].map((status) =>
  Problem.annotate({
    httpApiStatus: status,
    "~httpApiEncoding": { _tag: "Json", contentType: "application/problem+json" }
  })
)

// ------------------------------------------------------------------------------------------------------- the project

/** An agent of the project. @category models */
export const AgentInfo = Schema.Struct({
  /** What it is called by in paths. */
  name: Schema.String,
  /** The beginning of its instructions, for lists. */
  description: optional(Schema.String),
  /** Its slots as the agent has them, where they have a JSON form: `system`, `instruct`, ... */
  prompt: JsonObject,
  /** The model that it asks for; absent: the provider's default. */
  model: optional(Schema.String),
  /** How the model is told to write: `json`, `auto`, ... */
  format: optional(Schema.String),
  /** The input that it has already, if any. It is asked with a text, or with any JSON: the input has no Schema. */
  input: optional(Schema.Json),
  /** JSON Schema of its answer; absent: free text. */
  output: optional(JsonObject),
  actions: Schema.Array(ActionInfo)
})

/** A flow of the project. @category models */
export const FlowInfo = Schema.Struct({
  name: Schema.String,
  /** What it is called by in paths: its name, or `name@version` where several versions have the name. */
  path: Schema.String,
  version: optional(Schema.String),
  fingerprint: Schema.String,
  /** JSON Schemas of the contract; `null`: it has none. */
  contract: Schema.Struct({
    input: JsonObject,
    state: JsonObject,
    stream: JsonObject,
    result: Schema.NullOr(JsonObject),
    error: Schema.NullOr(JsonObject),
    signals: Schema.Record(Schema.String, Schema.Struct({ payload: JsonObject, reply: Schema.NullOr(JsonObject) })),
    interrupts: Schema.Record(Schema.String, Schema.Struct({ payload: JsonObject, resume: JsonObject }))
  })
})

/** Everything that does not change while the studio is open. @category models */
export const Project = Schema.Struct({
  /** The name of the folder, or of the package, that the project stands in. */
  title: Schema.String,
  /** The version of effigent. */
  version: Schema.String,
  agents: Schema.Array(AgentInfo),
  flows: Schema.Array(FlowInfo),
  capabilities: Schema.Struct({
    /** Whether executions outlive the server: the project has a `JournalStore` or a host of its own. */
    durable: Schema.Boolean,
    /** Whether there is history, forks, and search in lists: not where the project brings a host without a journal. */
    history: Schema.Boolean,
    /** Whether conversations outlive the server: the project has a `SessionStore`. */
    sessions: Schema.Boolean,
    /**
     * Whether calls that need approval wait for `/studio/approvals`; false: the project has an `ApprovalGate` itself, and
     * only those of runs with `approvals=ask` do.
     */
    approvals: Schema.Boolean,
    /** Whether there is a folder with reports of evals. */
    evals: Schema.Boolean,
    /** Whether the project says what tokens cost. */
    prices: Schema.Boolean
  })
})

/** The studio itself. @category models */
export type Project = typeof Project.Type

/** A box, a step or a junction of a picture of a flow. @category models */
export const GraphNode = Schema.Struct({
  id: Schema.String,
  /** How it looks: a chunk is a `step`; a `group` is a box around the nodes that name it as their `parent`. */
  shape: Schema.Literals([
    "start",
    "step",
    "signal",
    "data",
    "gate",
    "collector",
    "junction",
    "choice",
    "point",
    "sleep",
    "sub",
    "result",
    "group"
  ]),
  label: Schema.String,
  /** The step that it stands for, as `StepState.key` says it. Absent: it is no step. */
  key: optional(Schema.String),
  /** The group that it stands in. */
  parent: optional(Schema.String)
})

/** A picture of a flow. Nodes come in the order of the definition, groups before what is in them. @category models */
export const Graph = Schema.Struct({
  nodes: Schema.Array(GraphNode),
  edges: Schema.Array(
    Schema.Struct({
      from: Schema.String,
      to: Schema.String,
      label: optional(Schema.String),
      /** Something that is listened to, and no way that values take. */
      dotted: optional(Schema.Boolean)
    })
  )
})

/** A picture of a flow, as a type. @category models */
export type Graph = typeof Graph.Type

// ------------------------------------------------------------------------------------------------------------ agents

/** A run of an agent, in a list. @category models */
export const RunRow = Schema.Struct({
  run: Schema.String,
  agent: optional(Schema.String),
  /** The session that it belongs to. */
  session: optional(Schema.String),
  status: RunStatus,
  startedAt: optional(Schema.Finite),
  endedAt: optional(Schema.Finite),
  /** How many requests were sent, those of runs inside it included. */
  requests: Schema.Int,
  usage: RunUsage,
  /** Money, where the prices of all models are known. */
  cost: optional(Schema.Finite),
  /** Milliseconds. */
  timeToFirstToken: optional(Schema.Finite),
  /** The trace of it, where it is still kept. */
  trace: optional(Schema.String)
})

/** A run of an agent, as a type. @category models */
export type RunRow = typeof RunRow.Type

/**
 * A call that waits for a decision. The run tells of it by an event `Custom` with the name `approval` and `Waiting` as
 * its value, and of the decision by one with the name `approval-decided` and `{ id, decision }`. It is answered at
 * `POST /studio/approvals/:id`; where the run ends before, it waits no more.
 *
 * @category models
 */
export const Waiting = Schema.Struct({
  id: Schema.String,
  /** When it began to wait, in milliseconds since 1970. */
  at: Schema.Finite,
  /** The run that waits: the outermost one, as `/api/runs/:id` knows it. Absent where nobody watches, as in flows. */
  run: optional(Schema.String),
  agent: optional(Schema.String),
  /** Who is asked: those who watch the run (`approvals=ask`), or the studio. It may decide on both. */
  asks: Schema.Literals(["watchers", "program"]),
  request: ApprovalRequest
})

/** A call that waits for a decision, as a type. @category models */
export type Waiting = typeof Waiting.Type

// -------------------------------------------------------------------------------------------------------- executions

/** An execution, in a list. @category models */
export const ExecutionRow = Schema.Struct({
  ...ExecutionSummary.fields,
  tags: Schema.Array(Schema.String),
  /** When something happened last, in milliseconds since 1970. */
  updatedAt: optional(Schema.Finite),
  /** How many appends its journal had. */
  seq: optional(Schema.Int),
  /** Why it was put aside. Such a one goes on by `/api/dead-letters/:id/retry`. */
  dead: optional(DeadLetter)
})

/** An execution in a list, as a type. @category models */
export type ExecutionRow = typeof ExecutionRow.Type

/** A part of a list. @category models */
export const ExecutionPage = Schema.Struct({
  executions: Schema.Array(ExecutionRow),
  /** `after` of the next page; absent at the end of the list. */
  next: optional(Schema.String)
})

/** An execution with what is in it. @category models */
export const ExecutionDetail = Schema.Struct({
  ...ExecutionRow.fields,
  ...Progress.fields,
  /** What it was started with. */
  input: optional(Schema.Json),
  /** When it goes on by itself, in milliseconds since 1970. */
  wakeAt: optional(Schema.Finite),
  /** The newest trace of it that is kept. */
  trace: optional(Schema.String)
})

/** An execution with what is in it, as a type. @category models */
export type ExecutionDetail = typeof ExecutionDetail.Type

/** How far a step has come. @category models */
export const StepStatus = Schema.Literals(["running", "waiting", "done", "stopped", "failed"])

/** How a step of an execution stands, all its runs together. Steps that nothing happened to are not told. @category models */
export const StepState = Schema.Struct({
  /** The key of the node in the graph; a step of a sub-flow has the key of the sub-flow, `/`, and its own. */
  key: Schema.String,
  status: StepStatus,
  /** How often it has begun, ended well and failed. */
  runs: Schema.Int,
  done: Schema.Int,
  failed: Schema.Int,
  /** When it began first and ended last, in milliseconds since 1970. */
  startedAt: optional(Schema.Finite),
  endedAt: optional(Schema.Finite)
})

/** How a step stands, as a type. @category models */
export type StepState = typeof StepState.Type

/** All steps of an execution. @category models */
export const Steps = Schema.Struct({
  /** The append up to which they are told. */
  seq: Schema.Int,
  steps: Schema.Array(StepState)
})

/** One row of the timeline: a run of a step, or something that happened. @category models */
export const TimelineRow = Schema.Struct({
  /** Its place in the timeline, from 0. */
  index: Schema.Int,
  kind: Schema.Literals(["step", "event"]),
  /** What happened (`started`, `signal`, `answered`, `closed`, ...); of a step what ended it, `running` until then. */
  what: Schema.String,
  /** The signal, question or reason. */
  name: optional(Schema.String),
  /** The key of the step, as in the graph. */
  key: optional(Schema.String),
  /** Which run of the step it is, from 1. */
  attempt: optional(Schema.Int),
  status: optional(StepStatus),
  /** The append in which it began, and the one in which it ended. A fork begins at `seq`. */
  seq: Schema.Int,
  endSeq: optional(Schema.Int),
  /** Milliseconds since 1970. */
  startedAt: Schema.Finite,
  endedAt: optional(Schema.Finite),
  /** Milliseconds. */
  duration: optional(Schema.Finite)
})

/** A row of the timeline, as a type. @category models */
export type TimelineRow = typeof TimelineRow.Type

/** A part of a timeline. @category models */
export const TimelinePage = Schema.Struct({
  /** How many rows there are, and how many of them are steps. */
  total: Schema.Int,
  steps: Schema.Int,
  /** The first row of this page. */
  offset: Schema.Int,
  rows: Schema.Array(TimelineRow),
  /** The append up to which it is told. */
  seq: Schema.Int,
  /** False: the beginning is kept no more (see `keepSnapshots`). */
  complete: Schema.Boolean,
  /** When its first row began and its last one ended, in milliseconds since 1970. */
  startedAt: optional(Schema.Finite),
  endedAt: optional(Schema.Finite)
})

/** A part of a timeline, as a type. @category models */
export type TimelinePage = typeof TimelinePage.Type

/** A part of the history, record by record. @category models */
export const HistoryPage = Schema.Struct({
  total: Schema.Int,
  offset: Schema.Int,
  entries: Schema.Array(HistoryEntry),
  seq: Schema.Int,
  complete: Schema.Boolean
})

/** How an execution stands, as it is told live. @category models */
export const Standing = Schema.Struct({
  status: ExecutionStatus,
  lifecycle: Schema.Literals(["open", "sealed", "closed"]),
  questions: Schema.Array(Question),
  seq: optional(Schema.Int)
})

/** How an execution stands, as a type. @category models */
export type Standing = typeof Standing.Type

// ------------------------------------------------------------------------------------------------------------- evals

/** A report in a list: the fields of its head, whatever else stands in the file. @category models */
export const EvalRow = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  startedAt: optional(Schema.Union([Schema.Finite, Schema.String])),
  /** Bytes of the file. */
  size: Schema.Int,
  /** All fields of the file that are no lists and no objects, and `summary` where there is one. */
  head: JsonObject
})

/** All reports, newest first, and the files that are none. @category models */
export const EvalList = Schema.Struct({
  reports: Schema.Array(EvalRow),
  broken: Schema.Array(Schema.Struct({ file: Schema.String, detail: Schema.String }))
})

// ------------------------------------------------------------------------------------------------------------ streams

const end = Schema.Struct({
  id: optional(Schema.String),
  event: Schema.Literals(["end", "closing"]),
  data: Schema.fromJsonString(JsonObject)
})

const problem = Schema.Struct({
  id: optional(Schema.String),
  event: Schema.Literal("problem"),
  data: Schema.fromJsonString(Schema.Struct(Problem.fields))
})

const event = <const Name extends string, S extends Schema.Top>(name: Name, schema: S) =>
  Schema.Struct({ id: optional(Schema.String), event: Schema.Literal(name), data: Schema.fromJsonString(schema) })

/**
 * What is told live of an execution. `standing` and `steps` come first, and again where they change; `steps` brings those
 * that changed since the last one. `entry` is an entry of the runtime stream; its id is what Last-Event-ID takes. `end`
 * (`{ status }`) is the last event where it has closed; `closing`: the server closes, come back later.
 *
 * @category schemas
 */
export const ExecutionEvents = HttpApiSchema.StreamSse({
  events: Schema.Union([
    event("standing", Standing),
    event("steps", Steps),
    event("entry", WatchEntry),
    end,
    problem
  ]).annotate({ identifier: "ExecutionEvent" })
})

/**
 * What happens in the studio, for lists that keep themselves up to date. Nothing is replayed: after a reconnect read the
 * lists again. `trace` comes as one begins, changes (at most four times a second) and ends; `waiting` is the whole list of
 * calls that wait for approval, at first and as it changes; `execution` names one that began, moved or ended.
 *
 * @category schemas
 */
export const News = HttpApiSchema.StreamSse({
  events: Schema.Union([
    event("trace", TraceRow),
    event("waiting", Schema.Array(Waiting)),
    event("execution", Schema.Struct({ id: Schema.String, flow: Schema.String })),
    end,
    problem
  ]).annotate({ identifier: "News" })
})

// ------------------------------------------------------------------------------------------------------------- paths

const whole = Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0))
const limit = optional(whole.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(1000)))
const id = { params: { id: Schema.String }, error }
const window = {
  /** The first row. Default 0. */
  offset: optional(whole),
  /** How many at most. Default 200, at most 1,000. */
  limit
}

const project = HttpApiGroup.make("project").add(
  // Read once.
  HttpApiEndpoint.get("get", "/studio/project", { success: Project, error }),
  // The picture of a flow, without statuses: those are in `steps` of an execution, by `key`.
  HttpApiEndpoint.get("graph", "/studio/flows/:id/graph", {
    ...id,
    query: { version: optional(Schema.String) },
    success: Graph
  }),
  // SSE: see `News`.
  HttpApiEndpoint.get("news", "/studio/news", { success: News, error })
)

const runs = HttpApiGroup.make("runs").add(
  // Runs of agents, newest first. Begin one: POST /api/agents/:name/runs?session=s&fields=true with the input as JSON,
  // which answers { run }; watch it: GET /api/runs/:id/events; stop it: POST /api/runs/:id/cancel.
  HttpApiEndpoint.get("list", "/studio/runs", {
    query: { agent: optional(Schema.String), session: optional(Schema.String), limit },
    success: Schema.Array(RunRow),
    error
  }),
  // Tokens, cost and time of one run so far.
  HttpApiEndpoint.get("get", "/studio/runs/:id", { ...id, success: RunRow }),
  // Calls that wait for a decision, oldest first.
  HttpApiEndpoint.get("waiting", "/studio/approvals", { success: Schema.Array(Waiting), error }),
  // Decides on one: { "_tag": "Approved" } or { "_tag": "Denied", "note": "..." }. 404 `NotWaiting` where it is too late.
  HttpApiEndpoint.post("decide", "/studio/approvals/:id", {
    ...id,
    payload: Decision,
    success: HttpApiSchema.NoContent
  })
)

const executions = HttpApiGroup.make("executions").add(
  // A page of a list, newest first. Start one: POST /api/flows/:name/executions { input, id?, tags? }, by the name of the
  // flow; where two versions have the name, the path has `name@version`.
  HttpApiEndpoint.get("list", "/studio/executions", {
    query: {
      flow: optional(Schema.String),
      version: optional(Schema.String),
      status: optional(ExecutionStatus),
      /** All of these: `tag=a&tag=b`. */
      tag: optional(Schema.Array(Schema.String)),
      /** Started at or after, and before; milliseconds since 1970. */
      from: optional(whole),
      to: optional(whole),
      /** Text that stands in the id. */
      text: optional(Schema.String),
      /** Only those that were put aside, or only others. */
      dead: optional(Schema.Literals(["true", "false"])),
      /** Default `newest`. */
      order: optional(Schema.Literals(["newest", "oldest"])),
      /** Default 100. */
      limit,
      after: optional(Schema.String)
    },
    success: ExecutionPage,
    error
  }),
  // Signal, answer, close, seal, cancel, fork, retry: below /api/executions/:id and /api/dead-letters/:id.
  HttpApiEndpoint.get("get", "/studio/executions/:id", { ...id, success: ExecutionDetail }),
  HttpApiEndpoint.get("steps", "/studio/executions/:id/steps", { ...id, success: Steps }),
  // Steps with their times, oldest first; `order=newest` turns the list around. Rows are found by `offset`.
  HttpApiEndpoint.get("timeline", "/studio/executions/:id/timeline", {
    ...id,
    query: {
      ...window,
      order: optional(Schema.Literals(["oldest", "newest"])),
      kind: optional(Schema.Literals(["step", "event"])),
      /** Only this step. */
      key: optional(Schema.String),
      status: optional(StepStatus)
    },
    success: TimelinePage
  }),
  HttpApiEndpoint.get("history", "/studio/executions/:id/history", { ...id, query: window, success: HistoryPage }),
  // SSE: see `ExecutionEvents`.
  HttpApiEndpoint.get("events", "/studio/executions/:id/events", {
    ...id,
    headers: { "last-event-id": optional(Schema.String) },
    success: ExecutionEvents
  })
)

const traces = HttpApiGroup.make("traces").add(
  // A page of a list, newest first.
  HttpApiEndpoint.get("list", "/studio/traces", {
    query: {
      kind: optional(SpanKind),
      status: optional(SpanStatus),
      /** Text that stands in the name or the id, whatever the case of its letters. */
      text: optional(Schema.String),
      run: optional(Schema.String),
      execution: optional(Schema.String),
      from: optional(whole),
      to: optional(whole),
      /** Default 100. */
      limit,
      after: optional(Schema.String)
    },
    success: TracePage,
    error
  }),
  // The tree from its root (or from `under`, that span included) down to `depth` levels below it, as a window of rows.
  // A row with `children` that are not shown is opened by asking with `under`.
  HttpApiEndpoint.get("spans", "/studio/traces/:id", {
    ...id,
    query: {
      under: optional(Schema.String),
      /** Default: all levels. 0: the one span alone. */
      depth: optional(whole),
      ...window
    },
    success: SpanPage
  }),
  // Everything of one span: attributes, events, the rendered prompt and the answer of a chat.
  HttpApiEndpoint.get("span", "/studio/traces/:id/spans/:span", {
    params: { id: Schema.String, span: Schema.String },
    success: SpanDetail,
    error
  }),
  // Forgets all traces that have ended.
  HttpApiEndpoint.delete("clear", "/studio/traces", { success: HttpApiSchema.NoContent, error })
)

const evals = HttpApiGroup.make("evals").add(
  HttpApiEndpoint.get("list", "/studio/evals", { success: EvalList, error }),
  // The file as it is.
  HttpApiEndpoint.get("get", "/studio/evals/:id", { ...id, success: Schema.Json })
)

/** The studio's own API, besides what `effigent/layers/http` serves below `/api`. @category models */
export const StudioApi = HttpApi.make("studio").add(project, runs, executions, traces, evals)
