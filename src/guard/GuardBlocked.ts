/** How a guard stops a request or an answer. */
import * as Schema from "effect/Schema"

/**
 * A guard did not let a request out or an answer in. It never holds the text itself.
 *
 * @category errors
 */
export class GuardBlocked extends Schema.TaggedError<GuardBlocked>()("GuardBlocked", {
  /** The guard's name. */
  guard: Schema.String,
  /** `input`: nothing was sent. `output`: nothing of the attempt's answer was given to any reader. */
  stage: Schema.Literals(["input", "output"]),
  /** The attempt that was stopped. */
  attempt: Schema.Int,
  /** Why, in words. */
  reason: Schema.String,
  /** What was found, in the guard's own words: `email`, `card`, ... */
  kinds: Schema.Array(Schema.String),
  /** Whether the guard itself broke down: what cannot be checked does not pass. */
  crashed: Schema.Boolean
}) {
  override get message(): string {
    const what = this.stage === "input" ? "the request; nothing was sent" : "the answer; nothing of it was given"
    const kinds = this.kinds.length === 0 ? "" : ` (${this.kinds.join(", ")})`
    return `The guard "${this.guard}" blocked ${what}: ${this.reason}${kinds}`
  }
}
