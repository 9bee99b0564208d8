/** Operators at work: the bodies of batch, forEach, match and loop. A part of the machine. */
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as FlowError from "../FlowError.ts"
import { Decision, Frame } from "./Frame.ts"
import type { Machine } from "./Machine.ts"
import type * as Plans from "./Plan.ts"
import * as Signals from "./Signals.ts"
import * as Stopping from "./Stopping.ts"
import { Failed } from "./Stopping.ts"

/** What stands for an item that was left out. @category constants */
export const skipped = Symbol("skipped")

/** Starts the bodies of an operator, as many as may be at work at once. @category steps */
export const operator = (
  m: Machine,
  body: Frame,
  step: Plans.BatchStep | Plans.ForEachStep,
  value: unknown,
  items: ReadonlyArray<unknown>
): void => {
  const frame = new Frame("operator", m.ids++, body, 0)
  frame.step = step
  frame.value = value
  frame.items = items
  frame.results = Array.from(items, () => undefined)
  startBodies(m, frame, step.node.concurrency ?? Infinity)
  if (frame.live === 0) m.work.push({ _tag: "ended", frame })
}

/** Starts bodies up to the limit. @category steps */
export const startBodies = (m: Machine, frame: Frame, limit: number): void => {
  const { step, items } = frame
  if (step === undefined || items === undefined) return
  while (frame.next < items.length && frame.live < limit) {
    const slot = frame.next++
    const body = new Frame("body", m.ids++, frame, slot)
    body.live = 1
    frame.live++
    switch (step.node.kind) {
      case "forEach":
        m.go(body, (step as Plans.ForEachStep) /* by kind */.body, items[slot])
        break
      case "batch":
        m.go(body, (step as Plans.BatchStep) /* by kind */.bodies[slot], frame.value)
        break
      case "match":
        // Items of a match are the numbers of its bodies.
        m.go(body, (step as Plans.MatchStep) /* by kind */.bodies[Number(items[slot])], frame.value)
        break
    }
  }
}

/** A body of an operator has ended. @category steps */
export const bodyEnded = (m: Machine, body: Frame, frame: Frame): void => {
  const node = frame.step?.node
  if (node === undefined) return
  frame.live--
  if (body.home === body) frame.home.inner?.delete(body)
  const failed = body.value instanceof Failed
  if (body.dropped && !failed) frame.dropped = true
  if (node.kind === "loop") {
    if (frame.dropped) {
      m.work.push({ _tag: "ended", frame })
      return
    }
    frame.value = body.value
    return decide(m, frame)
  }
  if (frame.results !== undefined) {
    const collect = (node.kind === "forEach" || node.kind === "batch") && node.onError === "collect"
    frame.results[body.slot] =
      body.value instanceof Failed
        ? collect
          ? Result.fail(body.value.error)
          : skipped
        : collect
          ? Result.succeed(body.value)
          : body.value
  }
  startBodies(m, frame, (node.kind === "forEach" || node.kind === "batch" ? node.concurrency : undefined) ?? Infinity)
  if (frame.live === 0) m.work.push({ _tag: "ended", frame })
}

/** All bodies of an operator have ended: its chain goes on. @category steps */
export const operatorEnded = (m: Machine, frame: Frame, body: Frame): void => {
  if (frame.dropped) return m.drop(body)
  m.mark(frame.step, 1)
  m.go(body, frame.step?.next, outputOf(frame))
}

/** Asks the conditions of an operator. @category steps */
export const decide = (m: Machine, frame: Frame): void => {
  // Only a match and a loop ask.
  const step = frame.step as Plans.MatchStep | Plans.LoopStep
  const decision = new Decision(m.ids++, frame, step)
  ;(m.decisions ??= new Set()).add(decision)
  m.commands.push({ _tag: "Decide", decision })
}

/** The conditions of an operator have been asked. @category steps */
export const decided = (m: Machine, decision: Decision, exit: Exit.Exit<ReadonlyArray<number>, unknown>): void => {
  if (m.decisions?.delete(decision) !== true) return
  if (Stopping.stopped(m, decision, decision.frame, Exit.isFailure(exit) ? exit.cause : undefined)) return
  const { frame, step } = decision
  const body = frame.parent
  if (body === undefined) return
  if (Exit.isFailure(exit)) return Stopping.raise(m, body, exit.cause)
  const hits = exit.value
  if (step.node.kind === "loop") {
    if (hits.length === 0) {
      m.work.push({ _tag: "ended", frame })
      return
    }
    const round = frame.next
    if (round >= step.node.max) {
      const loop = step.node.name ?? "loop"
      return Stopping.raise(m, body, m.fail(new FlowError.LoopLimit({ loop, limit: step.node.max })).cause)
    }
    frame.next++
    return Signals.openBody(m, frame, 0, (step as Plans.LoopStep) /* by kind */.body, frame.value)
  }
  if (hits.length === 0 && step.node.otherwise === undefined) return m.go(body, step.next, frame.value)
  frame.items = hits.length === 0 ? [step.node.cases.length] : hits
  frame.results = []
  startBodies(m, frame, Infinity)
}

const outputOf = (frame: Frame): unknown => {
  const node = frame.step?.node
  const results = frame.results ?? []
  switch (node?.kind) {
    case "batch": {
      const outputs = Object.fromEntries(node.branches.map(([name], slot) => [name, results[slot]]))
      return node.keep === true && typeof frame.value === "object" ? { ...frame.value, ...outputs } : outputs
    }
    case "forEach":
      return node.onError === "skip" ? results.filter((one) => one !== skipped) : results
    case "match":
      return node.mode === "all" && frame.items?.[0] !== node.cases.length ? results : results[0]
    default:
      return frame.value
  }
}
