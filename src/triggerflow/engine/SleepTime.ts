/** Until when a step sleeps, as it is written in a chain and as a time that survives a restart. */
import type * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as FlowError from "../FlowError.ts"
import type { SleepNode } from "../Node.ts"
import type { Engine } from "./Engine.ts"
import type { Frame } from "./Frame.ts"
import { attempt, call } from "./UserCode.ts"

/**
 * How long a step sleeps: a duration (`"2 hours"`, `Duration.days(3)`, milliseconds), counted from the moment at which
 * the step is reached; or until when: a `DateTime` or a `Date`.
 *
 * @category models
 */
export type SleepTime = Duration.Input | DateTime.DateTime | Date

const isObject = (time: SleepTime): time is Extract<SleepTime, object> => typeof time === "object" && time !== null

/** The point in time where it is one, in milliseconds since 1970. @category conversions */
export const pointOf = (time: SleepTime): number | undefined => {
  if (!isObject(time)) return undefined
  if (time instanceof Date) return time.getTime()
  return "epochMilliseconds" in time ? time.epochMilliseconds : undefined
}

/** The end of a sleep that begins now, in milliseconds since 1970; what is wrong with it where it has none. @category conversions */
export const endOf = (time: SleepTime, now: number): number | string => {
  const point = pointOf(time)
  if (point !== undefined) return Number.isFinite(point) ? point : "it sleeps until a date that is none"
  // What a function gives was checked where the chain was built, but not in flows that are data.
  const duration = Option.getOrUndefined(Duration.fromInput(time as Duration.Input))
  if (duration === undefined) return `it sleeps for ${String(time)}, which is neither a duration nor a date`
  const millis = Duration.toMillis(duration)
  return Number.isFinite(millis) ? now + Math.max(0, millis) : "it sleeps for ever"
}

/** Until when a step sleeps that is reached now. @category conversions */
export const ask = (engine: Engine, frame: Frame): Exit.Exit<number, unknown> => {
  // Only a step that sleeps is asked.
  const node = frame.step?.node as SleepNode
  const { name, time } = node
  // What the function gives was checked where the chain was built.
  const told = typeof time === "function" ? attempt(() => call(time, frame.value) as SleepTime) : Exit.succeed(time)
  if (Exit.isFailure(told)) return Exit.failCause(told.cause)
  const end = endOf(told.value, engine.now())
  if (typeof end === "number") return Exit.succeed(end)
  return Exit.failCause(engine.error(new FlowError.ContractViolation({ part: `sleep ${name}`, issue: end })))
}
