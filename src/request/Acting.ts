/**
 * What a response does when the model calls instead of answering: the seam between requests and actions. A response that
 * has no actions knows nothing of them; one that has is given an `Acting`, which says what may be called, takes the calls
 * of each round, and says how to go on.
 */
import type * as Effect from "effect/Effect"
import type { ActionEvent, ActionSummary } from "../../services/Action.ts"
import type { Prompt } from "../../services/Ai.ts"
import type { Json } from "../../services/Json.ts"
import type { ModelRequest } from "../../services/ModelProvider.ts"
import type { Attempt, Thought } from "./ModelResponse.ts"
import type { Change } from "./Validation.ts"

/**
 * A call as the model made it.
 *
 * @category models
 */
export interface ToolCall {
  /** The provider's id; empty where it gave none. */
  readonly id: string
  readonly name: string
  /** The arguments as the model wrote them. */
  readonly arguments: string
  /** The same as JSON; absent where they are not JSON. */
  readonly input: Json | undefined
}

/**
 * What the model said in one round.
 *
 * @category models
 */
export interface Said {
  readonly text: string
  readonly thoughts: ReadonlyArray<Thought>
  readonly calls: ReadonlyArray<ToolCall>
}

/** How to go on after a round: ask the model again, or take this text as the answer. @category models */
export type Next = { readonly _tag: "Ask" } | { readonly _tag: "Answer"; readonly text: string }

/**
 * Where a response stood in its corrections.
 *
 * @category models
 */
export interface Correcting {
  /** How many corrections there were. */
  readonly retry: number
  /** What is wrong with the last answer. */
  readonly correction: string | undefined
  /** What validators changed. */
  readonly change: Change
}

/**
 * A response that is left, since its calls are run elsewhere.
 *
 * @category models
 */
export interface Left extends Correcting {
  readonly said: Said
  /** Every attempt of the response. */
  readonly attempts: ReadonlyArray<Attempt>
}

/**
 * What acts in one response.
 *
 * @category models
 */
export interface Acting<out E = never, out R = never> {
  /** What the next request may call. */
  readonly offer: () => Pick<ModelRequest, "tools" | "toolChoice">
  /** Messages behind the prompt: the rounds so far. */
  readonly messages: () => ReadonlyArray<Prompt.Message>
  /** Runs before each request: what is to be said to the model in the meantime. Absent: nothing. */
  readonly prepare?: Effect.Effect<void, E, R> | undefined
  /** Whether calls are taken; where they are not, what the model says is its answer. */
  readonly isOpen: () => boolean
  /** Runs the calls of a round. What happens is told as it happens. */
  readonly act: (said: Said, tell: (event: ActionEvent) => void) => Effect.Effect<Next, E, R>
  /** Takes the calls of a round elsewhere, in the place of `act`: it ends the response, which another one goes on with. */
  readonly leave?: ((left: Left) => Effect.Effect<never, E, R>) | undefined
  /** Where the response stood that this one goes on with. */
  readonly from?: Correcting | undefined
  /** The answer, where it is there already and no model is to be asked for it. */
  readonly answer?: string | undefined
  /** What was done so far. */
  readonly summary: () => ActionSummary
}
