/**
 * What crosses the edges of a task graph while it runs: its result, the items of its stream, the question for an
 * approval, and how a task fails.
 */
import * as Schema from "effect/Schema"
import * as Interrupt from "../Interrupt.ts"

/** Why a task gave no result of its own. @category schemas */
export const Skipped = Schema.Union([
  /** It failed. */
  Schema.Struct({
    reason: Schema.Literal("failed"),
    error: Schema.Struct({ name: Schema.String, message: Schema.String })
  }),
  /** A task that it depends on gave no result. */
  Schema.Struct({ reason: Schema.Literal("dependency"), task_id: Schema.String }),
  /** It is optional, and nobody handles it. */
  Schema.Struct({ reason: Schema.Literal("no_handler") })
])

/** Why a task gave no result of its own. @category models */
export type Skipped = typeof Skipped.Type

/**
 * What a graph gives in the end: the results of its tasks, those that it is for under their names, and what was skipped.
 *
 * @category schemas
 */
export const Outcome = Schema.Struct({
  graph_id: Schema.String,
  /** By name; what was skipped is left out. */
  semantic_outputs: Schema.Record(Schema.String, Schema.Struct({ task_id: Schema.String, result: Schema.Json })),
  /** By task id. */
  results: Schema.Record(Schema.String, Schema.Json),
  /** By task id. */
  skipped: Schema.Record(Schema.String, Skipped)
})

/** What a graph gives in the end. @category models */
export type Outcome = typeof Outcome.Type

const taskItem = { type: Schema.Literal("task_dag.task"), graph_id: Schema.String, task_id: Schema.String }

/**
 * An item of the stream of a graph: a task starts (each try), asks for approval, completes, fails or is skipped; a field
 * of a model's answer grows or is done.
 *
 * @category schemas
 */
export const Item = Schema.Union([
  Schema.Struct({ ...taskItem, action: Schema.Literal("start"), attempt: Schema.Int }),
  Schema.Struct({ ...taskItem, action: Schema.Literal("approval_required"), interrupt_id: Schema.String }),
  Schema.Struct({ ...taskItem, action: Schema.Literal("complete"), result: Schema.Json }),
  Schema.Struct({
    ...taskItem,
    action: Schema.Literal("fail"),
    error: Schema.Struct({ name: Schema.String, message: Schema.String })
  }),
  Schema.Struct({ ...taskItem, action: Schema.Literal("skip"), skipped: Skipped }),
  Schema.Struct({
    type: Schema.Literal("task_dag.model_field"),
    graph_id: Schema.String,
    task_id: Schema.String,
    path: Schema.String,
    value: Schema.Json,
    delta: Schema.optionalKey(Schema.String),
    done: Schema.Boolean
  })
])

/** An item of the stream of a graph. @category models */
export type Item = typeof Item.Type

/**
 * The question whether a task may start, under the id `task:<task id>`.
 *
 * @category interrupts
 */
export const Approval = Interrupt.make("TaskApproval", {
  payload: Schema.Struct({
    task_id: Schema.String,
    kind: Schema.String,
    title: Schema.optionalKey(Schema.String),
    purpose: Schema.optionalKey(Schema.String),
    /** What the task is about to be given. */
    inputs: Schema.Record(Schema.String, Schema.Json),
    /** What the document says under `approval.payload`. */
    payload: Schema.optionalKey(Schema.Json)
  }),
  resume: Schema.Struct({
    approved: Schema.Boolean,
    note: Schema.optionalKey(Schema.String),
    /** The result of a task of the kind `approval` that no handler takes. Default: the answer itself. */
    value: Schema.optionalKey(Schema.Json)
  })
})

/** Why a task failed before, or in spite of, its handler. @category schemas */
export const Reason = Schema.Union([
  /** Placeholders of its inputs found nothing. */
  Schema.TaggedStruct("MissingValue", {
    missing: Schema.Array(Schema.Struct({ input: Schema.String, placeholder: Schema.String }))
  }),
  /** Its inputs are not what its handler takes. */
  Schema.TaggedStruct("InvalidInputs", { issue: Schema.String }),
  /** What its handler gave is not what it says, or no JSON. */
  Schema.TaggedStruct("InvalidResult", { issue: Schema.String }),
  /** A try took longer than it may, in milliseconds. */
  Schema.TaggedStruct("TimedOut", { limit: Schema.Number }),
  /** Whoever was asked did not approve it. */
  Schema.TaggedStruct("NotApproved", { note: Schema.optionalKey(Schema.String) })
])

/** Why a task failed before, or in spite of, its handler. @category models */
export type Reason = typeof Reason.Type

const says = (reason: Reason): string => {
  switch (reason._tag) {
    case "MissingValue": {
      const places = reason.missing.map(({ input, placeholder }) => `${placeholder} in the input "${input}"`).join(", ")
      return `nothing stands behind ${places}. Mend the path, or what gives the value`
    }
    case "InvalidInputs":
      return `its handler does not take its inputs: ${reason.issue}`
    case "InvalidResult":
      return `its handler gave something else than it says: ${reason.issue}`
    case "TimedOut":
      return `it took longer than ${reason.limit} ms. Raise its timeout, or do less in it`
    case "NotApproved":
      return `it was not approved${reason.note === undefined ? "" : `: ${reason.note}`}`
  }
}

/**
 * A task failed, not by an error of its handler. `reason` says how.
 *
 * @category errors
 */
export class TaskError extends Schema.TaggedError<TaskError>()("TaskError", {
  graph: Schema.String,
  task: Schema.String,
  reason: Reason
}) {
  override get message(): string {
    return `The task "${this.task}" of "${this.graph}" failed: ${says(this.reason)}.`
  }
}

/** What is kept of a task that has ended. @category schemas */
export const Ended = Schema.Struct({ result: Schema.optionalKey(Schema.Json), skipped: Schema.optionalKey(Skipped) })

/** What is kept of a task that has ended. @category models */
export type Ended = typeof Ended.Type

/**
 * The types of the flow of a graph.
 *
 * @category models
 */
export interface GraphSpec {
  /** Any JSON: what `${INIT}` stands for. */
  readonly input: unknown
  readonly state: {
    readonly input: Schema.Json
    /** What `${STATE}` stands for, besides the results. */
    readonly values: Readonly<Record<string, Schema.Json>>
    /** What has ended, by task. */
    readonly [task: `task:${string}`]: Ended
  }
  readonly shared: {}
  readonly item: Item
  readonly result: Outcome
  readonly failure: TaskError
  readonly signals: never
  readonly interrupts: typeof Approval
  readonly intervention: Schema.Json
}
