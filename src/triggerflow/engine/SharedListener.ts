/** Tells an execution of the writes to shared fields, as signals from outside, for as long as it is open. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { FlowData } from "../../../services/FlowData.ts"
import type { Engine } from "./Engine.ts"
import * as Plan from "./Plan.ts"
import * as Shared from "../hosting/Shared.ts"

/** Listens until it is interrupted. What cannot be listened to, or read, fails the execution. @category constructors */
export const listen = (engine: Engine): Effect.Effect<void> => {
  const { contract } = engine.plan.data
  const { fields } = Plan.sharedOf(contract)
  const store = Context.getOption(engine.context, FlowData)
  const failed = (cause: Cause.Cause<unknown>) => Effect.sync(() => engine.submit({ _tag: "Fail", cause }))
  if (Option.isNone(store)) return failed(Cause.fail(Shared.missing(contract.name)))
  return Effect.scoped(
    Effect.andThen(
      store.value.listen(contract.name, ({ key, ...field }) => {
        const codec = fields.get(key)?.codec
        if (codec === undefined || !engine.plan.shared.has(key)) return
        const value = Shared.valueOf(contract.name, key, codec, undefined, field)
        if (Result.isFailure(value)) return engine.submit({ _tag: "Fail", cause: Cause.fail(value.failure) })
        // Nobody waits for it: no ticket.
        engine.submit({
          _tag: "Signal",
          signal: Plan.sharedSignal(key),
          payload: value.success,
          ticket: 0,
          mode: "none"
        })
      }),
      Effect.never
    )
  ).pipe(Effect.catchCause(failed))
}
