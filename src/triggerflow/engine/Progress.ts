/** How far each step of an execution has come: what a diagram with live status is coloured by. */
import type { Engine } from "./Engine.ts"
import type { Frame } from "./Frame.ts"
import type { Status } from "../definition/Mermaid.ts"
import * as StepKey from "../definition/StepKey.ts"

const rank: Readonly<Record<Status, number>> = { pending: 0, done: 1, stopped: 2, failed: 3, waiting: 4, running: 5 }

/**
 * The status of every step that has been reached, by its key; those inside of a sub-flow behind the key of the step that
 * runs it. What is at work now counts before what has been.
 *
 * @category getters
 */
export const statusOf = (engine: Engine, prefix = ""): ReadonlyMap<string, Status> => {
  const { machine, plan } = engine
  const keys = StepKey.stepKeys(plan.data)
  const all = new Map<string, Status>()
  const tell = (key: string | undefined, status: Status): void => {
    if (key === undefined) return
    const known = all.get(prefix + key)
    if (known === undefined || rank[known] < rank[status]) all.set(prefix + key, status)
  }
  for (const step of plan.steps) {
    const passed = machine.passed?.[step.id] ?? 0
    if (passed !== 0) tell(keys.get(step.node), passed & 2 ? "failed" : passed & 4 ? "stopped" : "done")
  }
  // The operators that something stands in are at work, or wait with it.
  const around = (frame: Frame | undefined, status: Status): void => {
    for (let at = frame; at !== undefined; at = at.parent)
      if (at.step !== undefined) tell(keys.get(at.step.node), status)
  }
  for (const run of machine.runs) {
    const status = run.state === "paused" ? "waiting" : "running"
    tell(keys.get(run.step.node), status)
    around(run.body, status)
  }
  for (const frame of machine.sleepers ?? []) around(frame, "waiting")
  for (const { frame, engine: child } of engine.children?.values() ?? []) {
    const status = child.machine.status === "waiting" ? "waiting" : "running"
    around(frame, status)
    const key = frame.step === undefined ? undefined : keys.get(frame.step.node)
    for (const [inner, how] of statusOf(child, `${prefix}${key ?? ""}/`)) all.set(inner, how)
  }
  // In the order of the definition.
  const ordered = new Map<string, Status>()
  for (const key of keys.values()) {
    const status = all.get(prefix + key)
    if (status !== undefined) ordered.set(prefix + key, status)
  }
  for (const [key, status] of all) ordered.set(key, status)
  return ordered
}
