/** The one way in which a prompt cannot be rendered. */
import * as Schema from "effect/Schema"

/**
 * A prompt that cannot be rendered: it says nothing, or a slot holds a value that has no text form (a function, a
 * symbol, a cycle). Nothing was sent.
 *
 * @category errors
 */
export class PromptError extends Schema.TaggedError<PromptError>()("PromptError", {
  /** The slot at fault (`input`, `info`, ...), or `prompt` for the whole. */
  slot: Schema.String,
  /** What is wrong with it and what to do. */
  detail: Schema.String
}) {
  override get message(): string {
    return `The prompt cannot be rendered: ${this.slot}: ${this.detail}`
  }
}
