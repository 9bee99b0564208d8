/**
 * The web handler for programs that do not use Effect: a Promise of it, and a function that closes it. Programs that use
 * Effect take `Http.webHandler` or `Http.layer`.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type * as Api from "./Api.ts"
import * as Http from "./Http.ts"

/**
 * A web handler that is open.
 *
 * @category models
 */
export interface Mounted {
  readonly handler: (request: Request) => Promise<Response>
  /** Ends streams with a last event, lets requests end until the deadline, cancels runs, and lets go of the layer. */
  readonly close: () => Promise<void>
}

/**
 * Opens agents and flows as a function from a web `Request` to a web `Response`: for Hono, Bun, Deno, Next and, by
 * `nodeListener`, for Node's own `http`, Express and Fastify. Rejects with `UnsafeBinding` where it is not told who
 * checks its callers, or with the failure of the layer.
 *
 * @example
 * ```ts
 * import { Agent } from "effigent"
 * import { Auth, mount } from "effigent/layers/http"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const greeter = Agent.make({ instruct: "Greet." })
 * const layer = ScriptedModel.layer([ScriptedModel.text("Hello, Ada.")])
 * const { close, handler } = await mount({ agents: { greeter } }, { layer, auth: Auth.elsewhere })
 *
 * const response = await handler(
 *   new Request("http://localhost/agents/greeter/run", {
 *     method: "POST",
 *     headers: { "content-type": "application/json" },
 *     body: JSON.stringify("I am Ada.")
 *   })
 * )
 * console.log(await response.json()) // => Hello, Ada.
 * await close()
 * ```
 *
 * @category running
 */
export const mount = async <const A extends Api.Agents = {}, const F extends Api.Flows = {}, R = never, E = never>(
  definition: Api.Definition<A, F>,
  options: Http.Options<R, E> & {
    /** Everything that the agents and flows need. */
    readonly layer: Layer.Layer<Http.Services<A, F> | R, unknown>
  }
): Promise<Mounted> => {
  const scope = Scope.makeUnsafe()
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void))
  const opened = Effect.flatMap(Layer.buildWithScope(options.layer, scope), (context) =>
    Effect.provideContext(Http.webHandler<A, F, R, E>(definition, options), context)
  )
  const exit = await Effect.runPromiseExit(Effect.provideService(opened, Scope.Scope, scope))
  if (Exit.isSuccess(exit)) return { handler: exit.value, close }
  await close()
  throw Cause.squash(exit.cause)
}
