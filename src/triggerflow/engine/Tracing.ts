/**
 * How an execution is traced (`Telemetry` of `effigent/services/Telemetry`). Where nobody traces, an execution costs one
 * look at its context, and a step one look at a field.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import { Current, type ExecutionTrace } from "../../../services/Telemetry.ts"
import * as Interrupt from "../Interrupt.ts"
import type { Engine } from "./Engine.ts"
import type { Run } from "./Frame.ts"

/** What traces an execution that begins, or goes on. @category constructors */
export const open = (engine: Engine, resumed: boolean): ExecutionTrace | undefined => {
  const { outer, plan, settings } = engine
  const about = { flow: plan.data.contract.name, execution: settings.executionId, resumed }
  return outer === undefined
    ? Context.get(engine.context, Current)?.execution(about, engine.context)
    : outer.trace?.inside(about)
}

/** The run of a handler, traced where somebody traces. @category tracing */
export const step = (
  trace: ExecutionTrace | undefined,
  { id, resumes, step }: Run,
  work: Effect.Effect<unknown, unknown>
): Effect.Effect<unknown, unknown> =>
  trace === undefined ? work : trace.step({ step: step.node.name, run: id, resumes }, work, Interrupt.isPause)

/** An execution has ended, or was left. @category tracing */
export const end = (trace: ExecutionTrace, engine: Engine, exit: Exit.Exit<unknown, unknown>): void =>
  trace.end(exit, engine.machine.ended ?? "left")

/** The context of an execution that another program starts: its span stands below that of whoever starts it. @category tracing */
export const below = <R>(context: Context.Context<R>, caller: Context.Context<never>): Context.Context<R> => {
  if (Context.get(context, Current) === undefined) return context
  const parent = Context.getOption(caller, Tracer.ParentSpan)
  return Option.isNone(parent) ? context : Context.add(context, Tracer.ParentSpan, parent.value)
}
