/**
 * How actions are bound to an agent: what `Action.use` attaches, and what the agent's responses ask of it. The agent
 * itself knows nothing of actions, so that programs without them need not load any.
 */
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type { ActionEvent } from "../../services/Action.ts"
import type { ModelRequest } from "../../services/ModelProvider.ts"
import type * as Output from "../output/Output.ts"
import type { Acting, Left } from "../request/Acting.ts"
import type { FullResponse } from "../request/ModelResponse.ts"
import type { AgentError, Config } from "./Agent.ts"

/**
 * No failure of its own: the model has called, and the calls are run elsewhere; another response goes on.
 *
 * @category errors
 */
export class TurnLeft extends Data.TaggedError("TurnLeft")<{ readonly left: Left }> {}

/**
 * What a response gives to its actions when it begins.
 *
 * @category models
 */
export interface Opening<out E, out R> {
  /** What the agent is made of, with all that lies around it. */
  readonly config: Config
  /** Tells readers of the response what happens. */
  readonly tell: (event: ActionEvent) => void
  /** Asks the agent's own model, behind its guards and hooks, for something else than the agent's answer. */
  readonly ask: (config: Config, output: Output.Source) => Effect.Effect<FullResponse<unknown>, E | AgentError, R>
}

/**
 * What is to be done in a response.
 *
 * @category models
 */
export interface Begun<out E, out R> {
  /** What the agent is made of now. */
  readonly config: Config
  readonly acting: Acting<E, R>
}

/**
 * The actions of an agent.
 *
 * @category models
 */
export interface Acts<out E = never, out R = never> {
  /** What the first request offers. */
  readonly offer: () => Pick<ModelRequest, "tools" | "toolChoice">
  /** Begins with a response. */
  readonly begin: <E1, R1>(opening: Opening<E1, R1>) => Effect.Effect<Begun<E, R>, E | E1 | AgentError, R | R1>
}
