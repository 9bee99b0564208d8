/** One execution that this runner has: its place in the journal, and what runs it. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type {
  ExecutionHostError,
  ExecutionJournal,
  FlowFailed,
  FlowRunner,
  JournalBatch,
  RunningExecution,
  WrittenExecution
} from "../../services/ExecutionHost.ts"
import type {
  Append,
  Journal,
  JournalCorrupt,
  JournalEntry,
  JournalHead,
  JournalStore,
  JournalStoreError
} from "../../services/JournalStore.ts"
import type { Settings } from "./Settings.ts"

/**
 * One execution that this runner has.
 *
 * @category models
 */
export class Kept implements ExecutionJournal {
  readonly id: string
  readonly runner: FlowRunner
  readonly snapshotEvery: number
  readonly opened = Deferred.makeUnsafe<RunningExecution, FlowFailed | ExecutionHostError>()
  /** The fence of the claim, and the number of the last append. */
  fence: number
  seq: number
  /** How it was started; known from the start where it was started here, else from its head. */
  startedAt: number
  /** Why it had to be left in the middle: another runner has it, or the store refuses to write. */
  lost: unknown = undefined
  /** That it has closed is written down. */
  closed = false
  /** How many calls are using it; it stays in memory as long as there is one. */
  users = 0
  /** When it was used last. */
  last: number
  /** It is being let go of: whoever wants it waits, and takes it anew. */
  leaving = false
  /** How many of its tries have ended because the store did not write: they say nothing against it. */
  spared = 0
  private readonly store: JournalStore["Service"]
  private readonly keepSnapshots: number
  /** Takes the first append; where there is none, it is appended to what is there. */
  private readonly create: ((batch: JournalBatch) => Effect.Effect<void, unknown>) | undefined

  constructor(
    id: string,
    runner: FlowRunner,
    store: JournalStore["Service"],
    settings: Settings,
    place: { readonly fence: number; readonly seq: number; readonly startedAt: number; readonly now: number },
    create?: (batch: JournalBatch) => Effect.Effect<void, unknown>
  ) {
    this.id = id
    this.runner = runner
    this.store = store
    this.snapshotEvery = settings.snapshotEvery
    this.keepSnapshots = settings.keepSnapshots
    this.fence = place.fence
    this.seq = place.seq
    this.startedAt = place.startedAt
    this.last = place.now
    this.create = create
  }

  readonly append = (batch: JournalBatch): Effect.Effect<void, unknown> =>
    Effect.suspend(() => {
      const { create } = this
      const written =
        create !== undefined && this.seq === 0
          ? create(batch)
          : Effect.map(this.store.append(this.entry(batch)), (seq) => {
              this.seq = seq
            })
      return Effect.onExit(written, (exit) =>
        Effect.sync(() => {
          if (Exit.isFailure(exit)) this.lost = Cause.squash(exit.cause)
          else if (batch.lifecycle === "closed") this.closed = true
        })
      )
    })

  /** Of a short journal nothing is forgotten, however often it was handed over: so that its history is whole. */
  private get kept(): number {
    return this.seq < this.snapshotEvery / 4 ? Infinity : this.keepSnapshots
  }

  private entry({ lifecycle, progressed, records, snapshot, status, wakeAt }: JournalBatch): Append {
    return {
      id: this.id,
      fence: this.fence,
      expected: this.seq,
      records,
      status,
      lifecycle,
      ...(lifecycle === "closed" ? { closed: true } : {}),
      ...(wakeAt === undefined ? {} : { wakeAt }),
      ...(progressed === true ? { progressed } : {}),
      ...(snapshot === undefined ? {} : { snapshot, keepSnapshots: this.kept, ...versionOf(this.runner) })
    }
  }
}

/** What an append says of the definition that it was made with. @category getters */
export const versionOf = ({ fingerprint, version }: FlowRunner): Pick<JournalHead, "version" | "fingerprint"> => ({
  ...(version === undefined ? {} : { version }),
  ...(fingerprint === undefined ? {} : { fingerprint })
})

/** What was written down of an execution, as those who run its flow read it. @category conversions */
export const writtenOf = ({ entries, head, snapshot }: Journal): WrittenExecution => ({
  id: head.id,
  snapshot: snapshot?.json,
  records: entries.flatMap(({ records }) => records)
})

/**
 * All that is kept of a journal: the oldest snapshot, where the beginning is gone or there was none since it is a fork,
 * and what follows.
 *
 * @category reading
 */
export const keptOf = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  id: string
): Effect.fn.Return<Pick<Journal, "snapshot" | "entries">, JournalCorrupt | JournalStoreError> {
  const entries = yield* entriesOf(store, id, 1)
  const [first] = entries
  if (first === undefined) return { entries }
  // The first entry that is kept comes with a snapshot that has taken it in.
  const begun = Option.getOrUndefined(yield* store.read(id, { until: first.seq }))?.snapshot
  if (begun === undefined) return { entries }
  return { snapshot: begun, entries: entries.filter(({ seq }) => seq > begun.seq) }
})

/** The entries of a journal from one on. @category reading */
export const entriesOf = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  id: string,
  from: number
): Effect.fn.Return<ReadonlyArray<JournalEntry>, JournalCorrupt | JournalStoreError> {
  const entries: Array<JournalEntry> = []
  for (let next = from; ;) {
    const page = yield* store.history(id, { from: next, limit: 1000 })
    for (const entry of page) entries.push(entry)
    const last = page.at(-1)
    if (last === undefined || page.length < 1000) return entries
    next = last.seq + 1
  }
})
