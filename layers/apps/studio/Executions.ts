/**
 * Executions as the studio shows them: lists out of the journal, timelines that are read once and go on from there, and
 * what happens live.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import type { Json } from "../../../services/Json.ts"
import * as Host from "../../../services/ExecutionHost.ts"
import type { JournalCorrupt, JournalHead, JournalStoreError } from "../../../services/JournalStore.ts"
import { summaryOf } from "../../../src/durable/Hosting.ts"
import { Timeline } from "../../../src/triggerflow/journal/Timeline.ts"
import * as Problem from "../../http/Problem.ts"
import type { Hosting } from "../config/Open.ts"
import type * as Api from "./Api.ts"
import type { Traces } from "./Traces.ts"

/** Which executions are listed. @category models */
export interface Query {
  readonly flow?: string | undefined
  readonly version?: string | undefined
  readonly status?: Host.ExecutionStatus | undefined
  readonly tag?: ReadonlyArray<string> | undefined
  readonly from?: number | undefined
  readonly to?: number | undefined
  readonly text?: string | undefined
  readonly dead?: "true" | "false" | undefined
  readonly order?: "newest" | "oldest" | undefined
  readonly limit?: number | undefined
  readonly after?: string | undefined
}

/** What is told live of an execution. @category models */
export type Live =
  | { readonly _tag: "standing"; readonly standing: Api.Standing }
  | { readonly _tag: "steps"; readonly seq: number; readonly steps: ReadonlyArray<Api.StepState> }
  | { readonly _tag: "entry"; readonly entry: Host.WatchEntry }

/** How a request about an execution fails. @category errors */
export type Failure =
  | Host.UnknownExecution
  | Host.ExecutionHostError
  | Host.FlowFailed
  | JournalStoreError
  | JournalCorrupt
  | Problem.Refused

interface Reading {
  readonly timeline: Timeline
  readonly reader: Host.JournalReader
}

interface Slot {
  readonly door: Semaphore.Semaphore
  reading: Reading | undefined
}

// How many timelines stay read, and with how many rows together.
const mostTimelines = 16
const mostRows = 400_000

// How often a journal is looked at while somebody watches, in milliseconds.
const pace = 100

const unwritten = Problem.refuse(
  501,
  "NotServed",
  "The host of this project keeps no journal that the studio can read. Give the project a JournalStore."
)

const rowOf = (head: JournalHead): Api.ExecutionRow => ({
  ...summaryOf(head),
  tags: head.tags,
  updatedAt: head.updatedAt,
  seq: head.seq,
  ...(head.dead === undefined ? {} : { dead: head.dead })
})

const known = <T extends object>(query: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  // What is left has no undefined in it; all keys of queries may be absent.
  Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }

/**
 * The executions of a project.
 *
 * @category models
 */
export class Executions {
  private readonly hosting: Hosting
  private readonly traces: Traces
  /** Those that were used last stand at the end. */
  private readonly slots = new Map<string, Slot>()
  /** How many appends were read off journals. */
  taken = 0

  constructor(hosting: Hosting, traces: Traces) {
    this.hosting = hosting
    this.traces = traces
  }

  /** A page of the list. */
  list(query: Query): Effect.Effect<typeof Api.ExecutionPage.Type, Failure> {
    const { dead, order = "newest", tag, ...rest } = query
    const { host, store } = this.hosting
    if (store !== undefined)
      return Effect.map(
        store.list(known({ ...rest, order, tags: tag, dead: dead === undefined ? undefined : dead === "true" })),
        ({ heads, next }) => ({ executions: heads.map(rowOf), ...(next === undefined ? {} : { next }) })
      )
    const { after, flow, from, limit, status, text, to, version } = query
    if (text !== undefined || from !== undefined || to !== undefined || dead !== undefined)
      return Effect.fail(unwritten)
    return Effect.map(host.list(known({ after, flow, limit, status, version, tags: tag })), ({ executions, next }) => ({
      executions: executions.map((one) => ({ ...one, tags: [] })),
      ...(next === undefined ? {} : { next })
    }))
  }

  private head(id: string): Effect.Effect<JournalHead | undefined, Host.UnknownExecution | JournalStoreError> {
    const { store } = this.hosting
    if (store === undefined) return Effect.undefined
    return Effect.flatMap(store.get(id), (head) =>
      Option.isNone(head) ? Effect.fail(new Host.UnknownExecution({ id })) : Effect.succeed(head.value)
    )
  }

  /** An execution with what is in it. One whose flow is not here any more is told by what the journal says. */
  get(id: string): Effect.Effect<Api.ExecutionDetail, Failure> {
    return Effect.gen({ self: this }, function* () {
      const head = yield* this.head(id)
      const view = yield* this.hosting.host.get(id).pipe(
        Effect.catchTag("ExecutionHostError", (error): Effect.Effect<Host.ExecutionView, Host.ExecutionHostError> =>
          head === undefined
            ? Effect.fail(error)
            : Effect.succeed({
                ...summaryOf(head),
                questions: [],
                state: {},
                failure: { _tag: "Defect", message: error.message },
                failures: []
              })
        )
      )
      const trace = this.traces.ofExecution(id)?.id
      return {
        ...(head === undefined ? { tags: [] } : rowOf(head)),
        ...view,
        ...(head === undefined ? {} : { input: jsonOf(head.input) }),
        ...(head?.wakeAt === undefined ? {} : { wakeAt: head.wakeAt }),
        ...(trace === undefined ? {} : { trace })
      }
    })
  }

  /** The timeline of an execution, read up to its last append. */
  timeline(id: string): Effect.Effect<Timeline, Failure> {
    return Effect.gen({ self: this }, function* () {
      const { keeper, runnerOf } = this.hosting
      const head = yield* this.head(id)
      const open = head === undefined ? undefined : runnerOf(head.flow, head.version)?.reader
      if (head !== undefined && open !== undefined) {
        const slot = this.slotOf(id)
        const timeline = yield* slot.door.withPermit(this.read(id, slot, open))
        if (head.lifecycle === "closed") timeline.stop(timeline.seq, head.closedAt ?? head.updatedAt)
        return timeline
      }
      if (keeper === undefined) return yield* unwritten
      const timeline = new Timeline(head?.seq ?? 0, true)
      timeline.take(yield* keeper.history(id))
      timeline.seq = Math.max(timeline.seq, timeline.history.at(-1)?.seq ?? 0)
      return timeline
    })
  }

  private slotOf(id: string): Slot {
    const slot = this.slots.get(id) ?? { door: Semaphore.makeUnsafe(1), reading: undefined }
    this.slots.delete(id)
    this.slots.set(id, slot)
    let rows = 0
    for (const [key, { reading }] of [...this.slots].toReversed()) {
      rows += reading?.timeline.rows.length ?? 0
      if (key !== id && (this.slots.size > mostTimelines || rows > mostRows)) this.slots.delete(key)
    }
    return slot
  }

  private read(id: string, slot: Slot, open: NonNullable<Host.FlowRunner["reader"]>): Effect.Effect<Timeline, Failure> {
    return Effect.gen({ self: this }, function* () {
      const { store } = this.hosting
      if (store === undefined) return yield* unwritten
      for (;;) {
        const { reader, timeline } = (slot.reading ??= yield* this.begin(id, open))
        const page = yield* store.history(id, { from: timeline.seq + 1, limit: 1000 })
        const [first] = page
        if (first === undefined) return timeline
        if (first.seq > timeline.seq + 1) {
          // What lies between is kept no more.
          slot.reading = undefined
          continue
        }
        const happened = yield* Effect.onError(reader.take(page), () =>
          Effect.sync(() => {
            slot.reading = undefined
          })
        )
        timeline.take(happened)
        timeline.seq = page.at(-1)?.seq ?? timeline.seq
        this.taken += page.length
        if (page.length < 1000) return timeline
        // Others may go on between pages of a long one.
        yield* Effect.yieldNow
      }
    })
  }

  private begin(id: string, open: NonNullable<Host.FlowRunner["reader"]>): Effect.Effect<Reading, Failure> {
    return Effect.gen({ self: this }, function* () {
      const { store } = this.hosting
      if (store === undefined) return yield* unwritten
      const [first] = yield* store.history(id, { from: 1, limit: 1 })
      // Where the beginning is gone, the first entry that is kept comes with a snapshot that has taken it in; a fork
      // begins with one.
      const read = first === undefined ? Option.none() : yield* store.read(id, { until: first.seq })
      const snapshot = Option.getOrUndefined(read)?.snapshot
      const seq = snapshot?.seq ?? (first === undefined ? 0 : first.seq - 1)
      return { timeline: new Timeline(seq, seq <= 1), reader: yield* open(snapshot?.json) }
    })
  }

  /** What happens in an execution from an entry of its runtime stream on, until it has closed. */
  live(id: string, from: number): Stream.Stream<Live, Failure> {
    const { host } = this.hosting
    // One that another process has tells its entries there; how it stands is read all the same.
    const entries = host.watch(id, from).pipe(
      Stream.map((entry): Live => ({ _tag: "entry", entry })),
      Stream.catchCause(() => Stream.empty)
    )
    return Stream.merge(entries, this.standings(id))
  }

  private standings(id: string): Stream.Stream<Live, Failure> {
    interface State {
      readonly seq: number
      readonly told: string
      readonly steps: number
      readonly isFirst: boolean
      readonly isOver: boolean
    }
    const first: State = { seq: -1, told: "", steps: -1, isFirst: true, isOver: false }
    const look = (state: State): Effect.Effect<readonly [ReadonlyArray<Live>, State] | undefined, Failure> =>
      Effect.gen({ self: this }, function* () {
        if (state.isOver) return undefined
        if (!state.isFirst) yield* Effect.sleep(pace)
        const head = yield* this.head(id)
        if (head !== undefined && head.seq === state.seq) return [[], state]
        const { lifecycle, questions, status } = yield* this.get(id)
        const news: Array<Live> = []
        const standing: Api.Standing = {
          status,
          lifecycle,
          questions,
          ...(head === undefined ? {} : { seq: head.seq })
        }
        const told = JSON.stringify([status, lifecycle, questions.map((question) => question.id)])
        if (told !== state.told) news.push({ _tag: "standing", standing })
        const timeline = yield* Effect.option(this.timeline(id))
        let steps = state.steps
        if (Option.isSome(timeline)) {
          const changed = timeline.value.changed(state.steps)
          if (changed.length > 0 || state.isFirst) news.push({ _tag: "steps", seq: timeline.value.seq, steps: changed })
          steps = timeline.value.seq
        }
        const isOver = lifecycle === "closed" || head?.dead !== undefined
        return [news, { seq: head?.seq ?? -1, told, steps, isFirst: false, isOver }]
      })
    return Stream.flattenIterable(Stream.unfold(first, look))
  }
}

// It was written as canonical JSON.
const jsonOf = (text: string): Json => {
  try {
    return JSON.parse(text) as Json // What JSON.parse gives is JSON.
  } catch {
    return text
  }
}
