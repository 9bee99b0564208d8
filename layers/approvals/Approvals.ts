/**
 * Who decides on calls that need approval, in programs whose agents run in one go (`Agent.run`): layers that give the
 * `ApprovalGate`. In a flow of actions (`effigent/action-flow`) an approval is a question of the flow, and no gate is
 * asked.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ApprovalGate, type ApprovalRequest, type Decision } from "../../services/Action.ts"

export { ApprovalQueue, NotWaiting, queue, type Waiting } from "./Queue.ts"
export { terminal, type TerminalOptions } from "./Terminal.ts"

/**
 * Approves every call. `by`: who is named in the records. For tests, and for programs that are closed off otherwise.
 *
 * @category layers
 */
export const allow = (by = "policy: allow"): Layer.Layer<never> =>
  Layer.succeed(ApprovalGate, () => Effect.succeed({ _tag: "Approved", by }))

/**
 * Denies every call with a note, which the model is told.
 *
 * @category layers
 */
export const deny = (note: string): Layer.Layer<never> =>
  Layer.succeed(ApprovalGate, () => Effect.succeed({ _tag: "Denied", note, by: "policy: deny" }))

/**
 * Decides by a function of the request: by the action, its input, its side effect. What it needs is taken from where the
 * layer is built.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Agent } from "effigent"
 * import { Action, Actions } from "effigent/action"
 * import { Approvals } from "effigent/layers/approvals"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const pay = Action.make("pay", {
 *   description: "Pays a bill.",
 *   input: Schema.Struct({ euros: Schema.Number }),
 *   approval: "always",
 *   run: ({ euros }) => Effect.succeed(`paid ${euros}`)
 * })
 * const policy = Approvals.byPolicy(({ sideEffect }) =>
 *   sideEffect === "once" ? { _tag: "Denied", note: "only reading is allowed" } : { _tag: "Approved" }
 * )
 * const full = Agent.make({ input: "Pay the 20 euros." }).pipe(Actions.use([pay]), Agent.whole)
 * const model = ScriptedModel.layer([
 *   ScriptedModel.toolCalls([{ name: "pay", input: { euros: 20 } }]),
 *   ScriptedModel.text("I may not.")
 * ])
 * const { meta } = await Effect.runPromise(full.pipe(Effect.provide([policy, model])))
 * console.log(meta.actions?.rounds[0]?.records[0]?.result) // => { error: 'only reading is allowed' }
 * ```
 *
 * @category layers
 */
export const byPolicy = <R = never>(
  decide: (request: ApprovalRequest) => Decision | Effect.Effect<Decision, never, R>
): Layer.Layer<never, never, R> =>
  Layer.effect(
    ApprovalGate,
    Effect.contextWith((context: Context.Context<R>) =>
      Effect.succeed((request: ApprovalRequest) => {
        const decision = decide(request)
        return Effect.isEffect(decision) ? Effect.provideContext(decision, context) : Effect.succeed(decision)
      })
    )
  )
