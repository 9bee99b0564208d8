/** Errors of reading a response, besides those of the model and of the output contract. */
import * as Schema from "effect/Schema"

/**
 * The response was aborted before it was complete: its Scope was closed, or its last reader was interrupted. To try
 * again, run the agent again.
 *
 * @category errors
 */
export class ResponseAborted extends Schema.TaggedError<ResponseAborted>()("ResponseAborted", {
  /** The attempt that was under way; 0 where nothing had been sent. */
  attempt: Schema.Finite
}) {
  override get message(): string {
    const when = this.attempt === 0 ? "before anything was sent" : `during attempt ${this.attempt}`
    return `The response was aborted ${when}: its Scope was closed or its last reader was interrupted. Run the agent again.`
  }
}

/**
 * The provider's frames were asked for, but the agent does not keep them.
 *
 * @category errors
 */
export class OriginalNotKept extends Schema.TaggedError<OriginalNotKept>()("OriginalNotKept", {}) {
  override get message(): string {
    return "The provider's frames are not kept. Set `keepOriginal: true` on the agent to read `original`; an agent with output guards keeps none."
  }
}

/**
 * The answer is complete and holds no finished value at a path that was waited for.
 *
 * @category errors
 */
export class KeyMissing extends Schema.TaggedError<KeyMissing>()("KeyMissing", {
  /** The paths that were waited for in vain. */
  paths: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const paths = this.paths.map((path) => JSON.stringify(path)).join(", ")
    return `The answer is complete and holds no value at ${paths}. Mark it with \`Output.ensure\`, or wait for what is always there.`
  }
}
