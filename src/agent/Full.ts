/** An agent's whole answer in one Effect: the value as `Agent.run` gives it, with its text, attempts and usage. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { FullResponse } from "../request/ModelResponse.ts"
import { ResponseAborted } from "../request/ResponseError.ts"
import * as Agent from "./Agent.ts"

/** Asks the model and gives the typed answer with all that is known of it. @category running */
export const runFull = <A, E, R, I>(
  self: Agent.Agent<A, E, R, I>
): Effect.Effect<FullResponse<A>, E | Agent.AgentError, Exclude<R, Scope.Scope>> =>
  Effect.scoped(
    Effect.flatMap(Agent.respond(self), (response) =>
      // Nobody but this Effect reads the response or closes its Scope: what aborts it is an interruption from within.
      Effect.catch(response.full, (error) =>
        error instanceof ResponseAborted ? Effect.interrupt : Effect.fail<E | Agent.AgentError>(error)
      )
    )
  )
