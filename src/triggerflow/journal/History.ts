/** What has happened in an execution, in the words of its definition: read off its journal. */
import type { HistoryEntry } from "../../../services/ExecutionHost.ts"
import type { Engine } from "../engine/Engine.ts"
import type { Frame } from "../engine/Frame.ts"
import type { Step } from "../engine/Plan.ts"
import type { Record } from "../engine/Record.ts"
import * as Forms from "../saving/Forms.ts"
import type { JournalRecord } from "./JournalRecord.ts"

type Entry = Pick<HistoryEntry, "step" | "what" | "name">

const keyOf = (engine: Engine, step: Step | undefined): { readonly step?: string } => {
  const key = step === undefined ? undefined : Forms.of(engine.plan).keys.get(step)
  return key === undefined ? {} : { step: key }
}

// What was stopped before is of no interest.
const of = (engine: Engine, what: string, { step }: Frame): Entry | undefined =>
  step === undefined ? undefined : { what, ...keyOf(engine, step) }

/**
 * What a record was about; nothing where it is of no interest to people.
 *
 * @category getters
 */
export const entryOf = (engine: Engine, record: JournalRecord, read: Record | undefined): Entry | undefined => {
  switch (read?._tag) {
    case "Start":
      return { what: "started" }
    case "Signal":
      return { what: "signal", name: read.signal }
    case "Emit":
      return { what: "emitted", name: read.signal, ...keyOf(engine, read.run.step) }
    case "Done":
      return { what: "done", ...keyOf(engine, read.run.step) }
    case "Failed":
      return { what: "failed", ...keyOf(engine, read.run.step) }
    case "Paused":
      return { what: "asked", name: read.request.interrupt, ...keyOf(engine, read.run.step) }
    case "Asleep":
      return { what: "retried", ...keyOf(engine, read.run.step) }
    case "Decided":
      return { what: "decided", ...keyOf(engine, read.decision.step) }
    case "ChildEnded":
      return { what: read.exit._tag === "Success" ? "done" : "failed", ...keyOf(engine, read.frame.step) }
    case "Sleeping":
      return read.until._tag === "Success" ? of(engine, "sleeps", read.frame) : of(engine, "failed", read.frame)
    case "Slept":
      return of(engine, "done", read.frame)
    case "Answer":
      return { what: "answered", name: read.id }
    case "Expired":
      return { what: "expired", name: read.id }
    case "Seal":
      return { what: "sealed" }
    case "Close":
    case "AutoClose":
      return { what: "closed" }
    case "Cancel":
      return { what: "cancelled", name: read.reason }
    case "Fail":
      return { what: "failed" }
    case "Resume":
      return record._tag === "Resume" && record.path === undefined ? { what: "resumed" } : undefined
    default:
      return undefined
  }
}

/** The sub-flows that an engine stands in, outermost first. @category getters */
export const pathOf = (engine: Engine): ReadonlyArray<string> => {
  const ids: Array<string> = []
  let at: Engine | undefined = engine.root
  for (const number of engine.path) {
    const frame: Frame | undefined = [...(at?.children?.keys() ?? [])].find(({ id }) => id === number)
    at = frame === undefined ? undefined : at?.children?.get(frame)?.engine
    if (at !== undefined) ids.push(at.settings.executionId)
  }
  return ids
}
