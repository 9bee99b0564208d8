/**
 * The timeline of an execution: its journal, read once and then append by append, as rows of steps with their times, and
 * how every step stands. Pages are cut out of the rows, so that a long one costs no more than its page.
 */
import type { HistoryEntry } from "../../../services/ExecutionHost.ts"

/** How far a step has come. @category models */
export type StepStatus = "running" | "waiting" | "done" | "stopped" | "failed"

/**
 * How a step stands, all its runs together; times in milliseconds since 1970.
 *
 * @category models
 */
export interface StepState {
  /** The key of the step; one of a sub-flow has the key of the sub-flow, `/`, and its own. */
  readonly key: string
  readonly status: StepStatus
  /** How often it has begun, ended well and failed. */
  readonly runs: number
  readonly done: number
  readonly failed: number
  /** When it began first and ended last. */
  readonly startedAt?: number
  readonly endedAt?: number
}

/**
 * A run of a step, or something that happened; times in milliseconds since 1970.
 *
 * @category models
 */
export interface TimelineRow {
  /** Its place in the timeline, from 0. */
  readonly index: number
  readonly kind: "step" | "event"
  /** What happened; of a step what ended it, `running` until then. */
  readonly what: string
  /** The signal, question or reason. */
  readonly name?: string
  readonly key?: string
  /** Which run of the step it is, from 1. */
  readonly attempt?: number
  readonly status?: StepStatus
  /** The append in which it began, and the one in which it ended. */
  readonly seq: number
  readonly endSeq?: number
  readonly startedAt: number
  readonly endedAt?: number
  /** Milliseconds. */
  readonly duration?: number
}

/**
 * A part of a timeline.
 *
 * @category models
 */
export interface TimelinePage {
  /** How many rows there are, and how many of them are steps. */
  readonly total: number
  readonly steps: number
  /** The first row of this page. */
  readonly offset: number
  readonly rows: ReadonlyArray<TimelineRow>
  /** The append up to which it is told. */
  readonly seq: number
  /** False: the beginning is kept no more. */
  readonly complete: boolean
  readonly startedAt?: number
  readonly endedAt?: number
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

type Row = Mutable<TimelineRow>

type State = Mutable<StepState>

/** What ends a run of a step; what else is told of one goes on. */
const ended: { readonly [what: string]: TimelineRow["status"] } = {
  done: "done",
  ended: "done",
  failed: "failed"
}

/** What only the reader of a journal tells. */
const untold: ReadonlySet<string> = new Set(["began", "ended"])

const waits: ReadonlySet<string> = new Set(["asked", "sleeps", "retried"])

/** Which rows are shown. @category models */
export interface Query {
  readonly offset?: number | undefined
  readonly limit?: number | undefined
  readonly order?: "oldest" | "newest" | undefined
  readonly kind?: Row["kind"] | undefined
  readonly key?: string | undefined
  readonly status?: TimelineRow["status"] | undefined
}

/** The key of a step in a picture of its flow. @category conversions */
export const keyOf = ({ inside = [], step }: Pick<HistoryEntry, "inside" | "step">): string | undefined =>
  step === undefined ? undefined : [...inside, step].join("/")

/**
 * The timeline of one execution, as far as it was read.
 *
 * @category models
 */
export class Timeline {
  /** What has happened, entry by entry; beginnings of runs are left out. */
  readonly history: Array<HistoryEntry> = []
  readonly rows: Array<Row> = []
  readonly states = new Map<string, State>()
  /** Whether the beginning is in it. */
  readonly complete: boolean
  /** The append up to which it was read. */
  seq: number
  private readonly open = new Map<string, Row>()
  private readonly changes: Array<{ readonly seq: number; readonly key: string }> = []
  private steps = 0

  constructor(seq: number, complete: boolean) {
    this.seq = seq
    this.complete = complete
  }

  /** Takes in what has happened since. */
  take(entries: ReadonlyArray<HistoryEntry>): void {
    for (const entry of entries) {
      if (!untold.has(entry.what)) this.history.push(entry)
      const key = keyOf(entry)
      if (key !== undefined && entry.run !== undefined && entry.what !== "emitted") this.step(entry, key, entry.run)
      else this.event(entry, key)
    }
  }

  private event({ at, name, seq, what, path }: HistoryEntry, key: string | undefined): void {
    const row: Row = { index: this.rows.length, kind: "event", what, seq, startedAt: at }
    if (name !== undefined) row.name = name
    if (key !== undefined) row.key = key
    this.rows.push(row)
    if (what === "decided" && key !== undefined) this.change(key, seq, at).status = "done"
    if (path.length === 0 && (what === "cancelled" || what === "failed")) this.stop(seq, at)
  }

  /** The execution is over: what was at work was stopped. */
  stop(seq: number, at: number): void {
    for (const row of this.open.values()) this.close(row, "stopped", "stopped", seq, at)
    this.open.clear()
  }

  private step(entry: HistoryEntry, key: string, run: string): void {
    const { at, name, path, seq, what } = entry
    const id = `${path.join("/")}|${run}`
    let row = this.open.get(id)
    if (row === undefined) {
      const state = this.change(key, seq, at)
      row = {
        index: this.rows.length,
        kind: "step",
        what: "running",
        key,
        attempt: ++state.runs,
        status: "running",
        seq,
        startedAt: at
      }
      state.startedAt ??= at
      state.status = "running"
      this.steps++
      this.rows.push(row)
      this.open.set(id, row)
    }
    if (what === "began") {
      if (row.status !== "waiting") return
      row.status = "running"
      this.change(key, seq, at).status = "running"
      return
    }
    const end = ended[what]
    if (end !== undefined) {
      this.open.delete(id)
      return this.close(row, end, what === "ended" ? "done" : what, seq, at)
    }
    row.what = what
    if (name !== undefined) row.name = name
    if (!waits.has(what)) return
    row.status = "waiting"
    this.change(key, seq, at).status = "waiting"
  }

  private close(row: Row, status: NonNullable<Row["status"]>, what: string, seq: number, at: number): void {
    delete row.name
    row.status = status
    row.what = what
    row.endSeq = seq
    row.endedAt = at
    row.duration = at - row.startedAt
    if (row.key === undefined) return
    const state = this.change(row.key, seq, at)
    if (status === "done") state.done++
    if (status === "failed") state.failed++
    state.endedAt = at
    state.status = status
  }

  private change(key: string, seq: number, at: number): State {
    const known = this.states.get(key)
    this.changes.push({ seq, key })
    if (known !== undefined) return known
    const state: State = { key, status: "running", runs: 0, done: 0, failed: 0, startedAt: at }
    this.states.set(key, state)
    return state
  }

  /** Steps that have changed behind an append. */
  changed(since: number): ReadonlyArray<StepState> {
    const keys = new Set<string>()
    for (let at = this.changes.length - 1; at >= 0; at--) {
      const change = this.changes[at]
      if (change === undefined || change.seq <= since) break
      keys.add(change.key)
    }
    return [...this.states.values()].filter(({ key }) => keys.has(key)).map((state) => ({ ...state }))
  }

  /** A page of the rows. */
  page(query: Query): TimelinePage {
    const { kind, key, limit = 200, offset = 0, order = "oldest", status } = query
    const isWhole = kind === undefined && key === undefined && status === undefined
    const rows = isWhole
      ? this.rows
      : this.rows.filter(
          (row) =>
            (kind === undefined || row.kind === kind) &&
            (key === undefined || row.key === key) &&
            (status === undefined || row.status === status)
        )
    const from = order === "oldest" ? offset : Math.max(0, rows.length - offset - limit)
    const to = order === "oldest" ? offset + limit : Math.max(0, rows.length - offset)
    const cut = rows.slice(from, to)
    const first = this.rows[0]
    const last = this.history.at(-1)
    return {
      total: rows.length,
      steps: this.steps,
      offset,
      rows: (order === "oldest" ? cut : cut.toReversed()).map((row) => ({ ...row })),
      seq: this.seq,
      complete: this.complete,
      ...(first === undefined ? {} : { startedAt: first.startedAt }),
      ...(last === undefined ? {} : { endedAt: last.at })
    }
  }
}
