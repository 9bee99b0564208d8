/** What comes back from a sub-flow: the value its chain goes on with, and the fields that are written back. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as FlowError from "../FlowError.ts"
import type { SubFlowNode } from "../Node.ts"
import type { Engine } from "./Engine.ts"
import type { Frame } from "./Frame.ts"
import type { Writes, Written } from "./Record.ts"
import { attempt, call, Violation } from "./UserCode.ts"

/** A sub-flow at work. @category models */
export interface Child {
  readonly frame: Frame
  readonly engine: Engine
  stopping: boolean
}

type End = Exit.Exit<{ readonly value: unknown; readonly writes: Writes }, unknown>

/** What a sub-flow that has ended gives its parent. @category getters */
export const endOf = (parent: Engine, { engine, frame, stopping }: Child, exit: Exit.Exit<void, unknown>): End => {
  if (stopping) return stoppedExit(exit)
  if (Exit.isFailure(exit)) return Exit.failCause(exit.cause)
  // Only a sub-flow has a child.
  const node = frame.step?.node as SubFlowNode
  return attempt(() => outputOf(parent, node, engine, frame.value))
}

/** The output of a sub-flow that has ended, and what is written back of it; throws what does not fit. */
const outputOf = (
  parent: Engine,
  node: SubFlowNode,
  engine: Engine,
  value: unknown
): { readonly value: unknown; readonly writes: Writes } => {
  const closed = engine.snapshot()
  const output =
    node.result !== undefined
      ? call(node.result, closed, value)
      : engine.plan.result === undefined
        ? closed.state
        : Option.getOrElse(closed.result, () => {
            throw new Violation(engine.error(new FlowError.NoResult({})))
          })
  const back = node.writeBack === undefined ? {} : call(node.writeBack, closed, value)
  return { value: output, writes: writesOf(parent, Object(back)) }
}

const writesOf = (engine: Engine, fields: object): Writes =>
  Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [writeOf(engine, key, value)]))

const writeOf = (engine: Engine, key: string, value: unknown): Written => {
  const field = engine.plan.fields.get(key)
  const json = field === undefined ? Result.fail("the contract has no such field") : field.codec.encode(value)
  if (Result.isFailure(json))
    throw new Violation(engine.error(new FlowError.ContractViolation({ part: `state.${key}`, issue: json.failure })))
  return { _tag: "set", key, json: json.success, silent: false }
}

/** How a sub-flow that was told to stop has ended: what went wrong meanwhile is told, that it was cancelled is not. */
const stoppedExit = (exit: Exit.Exit<void, unknown>): Exit.Exit<never, unknown> => {
  const reasons = Exit.isFailure(exit) ? exit.cause.reasons : []
  const left = reasons.filter(
    (reason) =>
      !Cause.isFailReason(reason) ||
      !(reason.error instanceof FlowError.FlowError) ||
      reason.error.reason._tag !== "Cancelled"
  )
  return left.length === 0 ? Exit.interrupt() : Exit.failCause(Cause.fromReasons(left))
}
