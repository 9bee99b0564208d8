/** What has happened in an execution, in the words of its definition: read off its journal. */
import * as Result from "effect/Result"
import type { Json } from "effect/Schema"
import type { HistoryEntry } from "../../../services/ExecutionHost.ts"
import type { Engine } from "../engine/Engine.ts"
import type { Frame, Run } from "../engine/Frame.ts"
import type { Step } from "../engine/Plan.ts"
import type { Record } from "../engine/Record.ts"
import * as Forms from "../saving/Forms.ts"
import type { Happened, Reading, Unreadable } from "./Folding.ts"
import type { JournalRecord } from "./JournalRecord.ts"

type Entry = Pick<HistoryEntry, "step" | "what" | "name" | "run">

const keyOf = (engine: Engine, step: Step | undefined): { readonly step?: string } => {
  const key = step === undefined ? undefined : Forms.of(engine.plan).keys.get(step)
  return key === undefined ? {} : { step: key }
}

// Handlers and frames are numbered apart.
const ofRun = (engine: Engine, { id, step }: Run) => ({ ...keyOf(engine, step), run: `r${id}` })
const ofFrame = (engine: Engine, { id, step }: Frame) => ({ ...keyOf(engine, step), run: `f${id}` })

// What was stopped before is of no interest.
const of = (engine: Engine, what: string, frame: Frame): Entry | undefined =>
  frame.step === undefined ? undefined : { what, ...ofFrame(engine, frame) }

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
      return { what: "emitted", name: read.signal, ...ofRun(engine, read.run) }
    case "Done":
      return { what: "done", ...ofRun(engine, read.run) }
    case "Failed":
      return { what: "failed", ...ofRun(engine, read.run) }
    case "Paused":
      return { what: "asked", name: read.request.interrupt, ...ofRun(engine, read.run) }
    case "Asleep":
      return { what: "retried", ...ofRun(engine, read.run) }
    case "Decided":
      return { what: "decided", ...keyOf(engine, read.decision.step) }
    case "ChildEnded":
      return { what: read.exit._tag === "Success" ? "done" : "failed", ...ofFrame(engine, read.frame) }
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

type Place = Pick<HistoryEntry, "path" | "inside">

// The frame of the engine around that runs a sub-flow.
const frameOf = ({ outer, path }: Engine): Frame | undefined => {
  const number = path.at(-1)
  for (const frame of outer?.children?.keys() ?? []) if (frame.id === number) return frame
  return undefined
}

/** Where an engine stands: its sub-flows, outermost first, and the keys of the steps that run them. @category getters */
export const placeOf = (engine: Engine): Place => {
  const { outer } = engine
  if (outer === undefined) return { path: [] }
  const around = placeOf(outer)
  return {
    path: [...around.path, engine.settings.executionId],
    inside: [...(around.inside ?? []), keyOf(outer, frameOf(engine)?.step).step ?? ""]
  }
}

/**
 * Reads off a journal what has happened, append by append. The beginnings of runs (`began`), and their ends by
 * an answer (`ended`), are told where they are asked for.
 *
 * @category models
 */
export class Telling {
  private readonly reading: Reading
  private readonly begins: boolean
  /** The newest run that is known, by the machine. */
  private readonly newest = new WeakMap<Engine, number>()
  private readonly places = new WeakMap<Engine, Place>()
  /** The runs that wait for answers, by the ids of their questions. */
  private readonly asking = new WeakMap<Engine, Map<string, Run>>()

  constructor(reading: Reading, begins: boolean) {
    this.reading = reading
    this.begins = begins
  }

  /** Takes in the next appends; gives what has happened in them. */
  take(
    entries: ReadonlyArray<{ readonly seq: number; readonly at: number; readonly records: ReadonlyArray<Json> }>
  ): Result.Result<ReadonlyArray<HistoryEntry>, Unreadable> {
    const happened: Array<HistoryEntry> = []
    for (const { at, records, seq } of entries)
      for (const json of records) {
        const taken = this.reading.take(json)
        if (Result.isFailure(taken)) return Result.fail(taken.failure)
        if (taken.success?.engine !== undefined) this.tell({ seq, at }, taken.success.engine, taken.success, happened)
      }
    return Result.succeed(happened)
  }

  private tell(
    place: Pick<HistoryEntry, "seq" | "at">,
    engine: Engine,
    { read, record }: Happened,
    happened: Array<HistoryEntry>
  ): void {
    const entry = entryOf(engine, record, read)
    if (entry === undefined && !this.begins) return
    const where = this.placeOf(engine)
    if (entry !== undefined) happened.push({ ...place, ...where, ...entry })
    if (!this.begins) return
    const frame = read?._tag === "Start" ? frameOf(engine) : undefined
    if (engine.outer !== undefined && frame !== undefined)
      happened.push({ ...place, ...this.placeOf(engine.outer), what: "began", ...ofFrame(engine.outer, frame) })
    const answered = this.answered(engine, read)
    if (answered !== undefined) {
      // It goes on with the answer, or what follows it does.
      const what = answered.state === "ended" ? "ended" : "began"
      happened.push({ ...place, ...where, what, ...ofRun(engine, answered) })
    }
    const known = this.newest.get(engine) ?? -1
    const begun: Array<Run> = []
    // New runs stand at the end.
    for (let run = engine.machine.runs.last; run !== undefined && run.id > known; run = run.before) begun.push(run)
    const [newest] = begun
    if (newest === undefined) return
    this.newest.set(engine, newest.id)
    for (const run of begun.toReversed()) happened.push({ ...place, ...where, what: "began", ...ofRun(engine, run) })
  }

  private answered(engine: Engine, read: Record | undefined): Run | undefined {
    const asking = this.asking.get(engine) ?? new Map<string, Run>()
    this.asking.set(engine, asking)
    const run = read?._tag === "Answer" || read?._tag === "Expired" ? asking.get(read.id) : undefined
    const { interrupts } = engine.machine
    // What waits changes with few records.
    if (run !== undefined || interrupts?.size !== asking.size) {
      asking.clear()
      for (const [id, waiting] of interrupts ?? []) asking.set(id, waiting.run)
    }
    return run
  }

  private placeOf(engine: Engine): Place {
    const known = this.places.get(engine) ?? placeOf(engine)
    this.places.set(engine, known)
    return known
  }
}
