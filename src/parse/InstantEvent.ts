/**
 * What a reader of a streaming answer sees: fields as they grow and finish, restarts, and the state of the attempt.
 *
 * Since the last `Reset` of a path (or of the root): the deltas of a string concatenate to its final value; no delta
 * follows a path's `done`; a path is done exactly once, after all its children; array items are done one by one.
 */

/**
 * How a value came to its end. `observed`: its own closing token was read. `final`: the answer ended well and closed
 * it. `repaired`: the answer was cut and the value closed by us, so that it may be incomplete.
 *
 * @category models
 */
export type FieldSource = "observed" | "final" | "repaired"

/**
 * A field grew (`delta`) or finished (`done`).
 *
 * @category models
 */
export interface Field {
  readonly _tag: "Field"
  /** Where: `items[0].name`. The root prints as the empty string and has events only where it is a scalar. */
  readonly path: string
  /** The same with every index as a wildcard: `items[*].name`. */
  readonly wildcardPath: string
  /** The indexes that the wildcards stand for, outermost first. */
  readonly indexes: ReadonlyArray<number>
  /** The value so far; final where `isComplete`. Containers are the live value: read it, never change it. */
  readonly value: unknown
  /** What a string grew by. Only strings grow; absent on `done`. */
  readonly delta: string | undefined
  readonly isComplete: boolean
  readonly eventType: "delta" | "done"
  readonly source: FieldSource
  readonly attempt: number
}

/**
 * All that was said of `path` and below is void: a replacement follows. The empty path is the whole value.
 *
 * @category models
 */
export interface Reset {
  readonly _tag: "Reset"
  readonly path: string
  readonly attempt: number
  /** `duplicate-key`, `better-candidate`, or why the attempt was repeated. */
  readonly reason: string
}

/**
 * The state of an attempt. Path `$status`.
 *
 * @category models
 */
export interface Status {
  readonly _tag: "Status"
  readonly path: "$status"
  readonly attempt: number
  /** `acted`: the model called actions instead of answering; it is asked again with what they gave. */
  readonly state: "completed" | "failed" | "cancelled" | "acted"
  /** Whether another attempt follows. */
  readonly retry: boolean
  readonly nextAttempt: number | undefined
  readonly reason: string | undefined
}

/**
 * A piece of a tool call. Path `$tool_calls`.
 *
 * @category models
 */
export interface ToolCall {
  readonly _tag: "ToolCall"
  readonly path: "$tool_calls"
  readonly attempt: number
  readonly index: number
  readonly id: string
  readonly name: string
  readonly delta: string | undefined
  readonly isComplete: boolean
  /** The arguments as JSON text: so far, or whole where `isComplete`. */
  readonly arguments: string
}

/** One event of a streaming answer. @category models */
export type InstantEvent = Field | Reset | Status | ToolCall
