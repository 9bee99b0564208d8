/**
 * How failures go: up to the nearest place that keeps them to itself, and everything inside of that place is stopped
 * first. A part of the machine.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { type Frame, type Member, within } from "./Frame.ts"
import type { Machine } from "./Machine.ts"

/** Work that was told to stop, and what is done when all of it has. @category models */
export interface Stop {
  readonly frame: Frame | undefined
  readonly members: Set<Member>
  cause: Cause.Cause<unknown>
  /** Absent where something around it stops too. */
  then: ((cause: Cause.Cause<unknown>) => void) | undefined
  /** What is done in any case. */
  readonly always: (() => void) | undefined
}

/** What a body ends with whose failure is kept. @category models */
export class Failed {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

/** A thread of a body has failed. @category steps */
export const raise = (m: Machine, body: Frame, cause: Cause.Cause<unknown>): void => {
  raiseFrom(m, body, cause, body)
}

/** A failure goes up to the nearest place that keeps it to itself; everything inside of that place is stopped. @category steps */
export const raiseFrom = (m: Machine, from: Frame, cause: Cause.Cause<unknown>, thread: Frame | undefined): void => {
  const typed = Cause.findErrorOption(cause)
  let at: Frame | undefined = from
  while (at !== undefined) {
    const parent: Frame | undefined = at.parent
    const node = parent?.step?.node
    if (at.kind === "body" && node?.kind === "forEach" && node.onError !== "fail" && Option.isSome(typed)) {
      const item = at
      const error = typed.value
      return stop(m, item, cause, () => {
        item.value = new Failed(error)
        item.live = 1
        m.leave(item)
      })
    }
    if (at.kind === "signal" && at.mode === "exit") {
      const frame = at
      return stop(m, frame, cause, (all) => {
        const exit = Exit.succeed(Exit.failCause(all))
        if (frame.run === undefined) {
          m.roots--
          return m.reply(frame.op, exit)
        }
        m.awaited?.delete(frame.op)
        m.told(frame, frame.run, exit)
      })
    }
    at = parent ?? at.run?.body
  }
  if (m.options.failures === "fail") return m.end("failed", cause)
  m.failures = [...m.failures, cause]
  if (thread !== undefined) m.drop(thread)
}

/** Whether something is inside of what was told to stop. @category steps */
export const stopping = (m: Machine, frame: Frame): boolean => {
  return m.stops?.some((stop) => stop.frame === undefined || within(frame, stop.frame)) === true
}

/** Takes a member that has ended out of what was told to stop; false where it was not told to. @category steps */
export const stopped = (m: Machine, member: Member, cause: Cause.Cause<unknown> | undefined): boolean => {
  const stops = m.stops
  if (stops === undefined) return false
  let found = false
  for (const stop of [...stops]) {
    if (!stop.members.delete(member)) continue
    found = true
    // What goes wrong while stopping is told too; being interrupted is not.
    if (cause !== undefined && !Cause.hasInterruptsOnly(cause)) stop.cause = Cause.combine(stop.cause, cause)
    if (stop.members.size === 0) allStopped(m, stop)
  }
  return found
}

/** Everything that was told to stop has stopped. @category steps */
export const allStopped = (m: Machine, stop: Stop): void => {
  m.stops = m.stops?.filter((other) => other !== stop)
  if (m.stops?.length === 0) m.stops = undefined
  stop.always?.()
  stop.then?.(stop.cause)
}

/** Tells everything inside of a frame (or everything at all) to stop; goes on when it has. @category steps */
export const stop = (
  m: Machine,
  frame: Frame | undefined,
  cause: Cause.Cause<unknown>,
  then: ((cause: Cause.Cause<unknown>) => void) | undefined,
  always?: () => void
): void => {
  const inside = (other: Frame) => frame === undefined || within(other, frame)
  // What had been stopped inside of it has nothing to go on with any more.
  for (const stop of m.stops ?? []) if (stop.frame !== undefined && inside(stop.frame)) stop.then = undefined
  const stop: Stop = { frame, members: new Set(), cause, then, always }
  m.work = m.work.filter((item) => item !== undefined && !inside(item._tag === "go" ? item.body : item.frame))
  if (frame === undefined) {
    m.forks = []
    m.forked = 0
  }
  for (const one of m.interrupts?.values() ?? [])
    if (inside(one.run.body)) m.forgetWaiting(one, { request: undefined, digest: "", how: "cancelled" })
  for (const run of m.runs) {
    if (!inside(run.body)) continue
    if (run.state === "queued" || run.state === "paused") {
      m.quit(run)
      continue
    }
    stop.members.add(run)
    if (run.stopping) continue
    run.stopping = true
    if (run.held !== undefined) {
      // It stops without its permit.
      m.permits.forget(run)
      m.commands.push(run.held)
      run.held = undefined
      run.state = "lent"
    }
    m.commands.push({ _tag: "Stop", run })
  }
  for (const decision of m.decisions ?? []) {
    if (!inside(decision.frame)) continue
    stop.members.add(decision)
    m.commands.push({ _tag: "StopDecision", decision })
  }
  for (const child of m.children ?? []) {
    if (!inside(child)) continue
    stop.members.add(child)
    m.commands.push({ _tag: "StopChild", frame: child })
  }
  if (stop.members.size === 0) return allStopped(m, stop)
  ;(m.stops ??= []).push(stop)
}
