/** `ExecutionHost` over the executions of one runner: what is in memory is asked directly, the rest is read or taken in. */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Host from "../../services/ExecutionHost.ts"
import type { JournalHead, JournalQuery } from "../../services/JournalStore.ts"
import * as FlowError from "../triggerflow/FlowError.ts"
import { refusedBy } from "../triggerflow/hosting/Running.ts"
import { isKept, type Keeper } from "./Keeper.ts"
import { type Kept, writtenOf } from "./Kept.ts"

/** An execution in a list, by what the journal knows of it. @category conversions */
export const summaryOf = (head: JournalHead): Host.ExecutionSummary => ({
  id: head.id,
  flow: head.flow,
  ...(head.version === undefined ? {} : { version: head.version }),
  ...(head.fingerprint === undefined ? {} : { fingerprint: head.fingerprint }),
  status: head.status,
  lifecycle: head.lifecycle,
  startedAt: head.startedAt,
  ...(head.closedAt === undefined ? {} : { closedAt: head.closedAt })
})

/** Keeps an execution in memory; false where it is being let go of already. */
const hold = (kept: Kept): boolean => {
  if (kept.leaving) return false
  kept.users++
  return true
}

const letGo = (kept: Kept): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    kept.users--
    kept.last = now
  })

/** Whether an execution goes on elsewhere, or later, and not here. */
const isGone = ({ leaving, lost }: Kept): boolean => leaving || lost !== undefined

/**
 * The executions of one runner as an `ExecutionHost`.
 *
 * @category models
 */
export class Hosting {
  private readonly keeper: Keeper
  private readonly force: boolean

  /** `force`: an execution that is asked for here is taken from whoever has it; where something else decides who does. */
  constructor(keeper: Keeper, force = false) {
    this.keeper = keeper
    this.force = force
  }

  /** Reads an execution that is not in memory. */
  private read(
    head: JournalHead
  ): Effect.Effect<
    { readonly progress: Host.Progress; readonly entries: ReadonlyArray<Host.WatchEntry> },
    Host.ExecutionHostError | Host.UnknownExecution
  > {
    const { keeper } = this
    const operation = `read ${head.id}`
    const runner = keeper.runnerOf(head.flow, head.version)
    if (runner === undefined)
      return Effect.fail(keeper.failed(operation, `the flow ${head.flow} is not registered here`))
    return Effect.gen(function* () {
      const journal = yield* Effect.mapError(keeper.store.read(head.id), keeper.storeFailed(operation))
      if (Option.isNone(journal)) return yield* new Host.UnknownExecution({ id: head.id })
      return yield* Effect.mapError(runner.read(writtenOf(journal.value)), ({ failure }) =>
        keeper.failed(operation, failure.message)
      )
    })
  }

  /** Uses an execution; it stays in memory meanwhile. */
  private use<A, E>(
    id: string,
    here: (running: Host.RunningExecution, kept: Kept) => Effect.Effect<A, E>,
    ended: (head: JournalHead) => Effect.Effect<A, E | Host.ExecutionHostError | Host.UnknownExecution>
  ): Effect.Effect<A, E | Host.FlowFailed | Host.ExecutionHostError | Host.UnknownExecution> {
    type Failures = E | Host.FlowFailed | Host.ExecutionHostError | Host.UnknownExecution
    return Effect.flatMap(this.keeper.activate(id, { force: this.force }), (found): Effect.Effect<A, Failures> => {
      if (!isKept(found)) return ended(found.head)
      const used = Effect.flatMap(Deferred.await(found.opened), (running) => here(running, found))
      return Effect.acquireUseRelease(
        Effect.sync(() => hold(found)),
        // It began to leave before it was held: it is taken anew once it has left.
        (held): Effect.Effect<A, Failures> => (held ? this.elsewhere(found, used) : this.use(id, here, ended)),
        (held) => (held ? letGo(found) : Effect.void)
      )
    })
  }

  /** Where an execution had to be left meanwhile, that is told, and not how it was left. */
  private elsewhere<A, E>(kept: Kept, used: Effect.Effect<A, E>): Effect.Effect<A, E | Host.ExecutionHostError> {
    return Effect.catchCause(used, (cause): Effect.Effect<never, E | Host.ExecutionHostError> =>
      isGone(kept) ? Effect.fail(this.moved(kept)) : Effect.failCause(cause)
    )
  }

  private moved({ id, lost }: Kept): Host.ExecutionHostError {
    const why =
      lost === undefined ? "this runner has let go of it." : lost instanceof Error ? lost.message : String(lost)
    return this.keeper.failed(`go on with ${id}`, `${why} Ask again; what was written down is not lost.`, true)
  }

  /** What became of an execution that was to end here; where it had to be left instead, that is told. */
  private end(kept: Kept, running: Host.RunningExecution): Effect.Effect<Host.ExecutionView, Host.ExecutionHostError> {
    return Effect.suspend(() =>
      !kept.closed && isGone(kept) ? Effect.fail(this.moved(kept)) : this.viewOf(kept, running)
    )
  }

  /** It has ended: a change is refused by the flow itself, which knows how it ended. */
  private closed(what: string) {
    return (head: JournalHead): Effect.Effect<never, Host.FlowFailed | Host.ExecutionHostError> => {
      const { dead, flow, id, status } = head
      if (dead === undefined) {
        const ended = status === "completed" || status === "failed" || status === "cancelled" ? { status } : {}
        return Effect.fail(refusedBy(flow, id, new FlowError.NotOpen({ lifecycle: "closed", what, ...ended })))
      }
      const message = `The execution "${id}" was put aside: ${dead.reason} Retry it, or fork it from an earlier step.`
      return Effect.fail(new Host.FlowFailed({ flow, id, failure: { _tag: "Defect", message } }))
    }
  }

  private viewOf(kept: Kept, running: Host.RunningExecution): Effect.Effect<Host.ExecutionView> {
    const { fingerprint, flow, version } = kept.runner
    return Effect.gen({ self: this }, function* () {
      const progress = yield* running.progress
      const view: Host.ExecutionView = {
        ...progress,
        id: kept.id,
        flow,
        ...(version === undefined ? {} : { version }),
        ...(fingerprint === undefined ? {} : { fingerprint }),
        startedAt: kept.startedAt
      }
      if (progress.lifecycle !== "closed") return view
      // When it closed is what the journal says: whoever asks later is told the same.
      const head = yield* Effect.option(this.keeper.store.get(kept.id))
      const written = Option.getOrUndefined(Option.flatten(head))
      if (written !== undefined) return { ...view, ...summaryOf(written) }
      return { ...view, closedAt: yield* Clock.currentTimeMillis }
    })
  }

  private readonly endedView = (
    head: JournalHead
  ): Effect.Effect<Host.ExecutionView, Host.ExecutionHostError | Host.UnknownExecution> =>
    Effect.map(this.read(head), ({ progress }) => ({ ...progress, ...summaryOf(head) }))

  private view(id: string): Effect.Effect<Host.ExecutionView, Host.ExecutionHostError | Host.UnknownExecution> {
    const { keeper } = this
    return Effect.gen({ self: this }, function* () {
      const kept = keeper.find(id)
      if (kept !== undefined) {
        const running = yield* Effect.option(Deferred.await(kept.opened))
        if (running._tag === "Some" && !isGone(kept)) return yield* this.viewOf(kept, running.value)
      }
      // Looking at one that waits does not take it into memory.
      const head = yield* Effect.mapError(keeper.store.get(id), keeper.storeFailed(`read ${id}`))
      return yield* Option.isNone(head) ? new Host.UnknownExecution({ id }) : this.endedView(head.value)
    })
  }

  private readonly awaited = (id: string): Effect.Effect<Host.ExecutionView, Host.RequestError> =>
    this.use(
      id,
      (running, kept) =>
        Effect.andThen(
          running.closed,
          Effect.flatMap(running.standing, ({ lifecycle }) =>
            lifecycle !== "closed" || isGone(kept) ? Effect.fail(this.moved(kept)) : this.viewOf(kept, running)
          )
        ),
      (head) => this.over(head, `wait for ${id}`)
    )

  /** How an execution has ended; one that was put aside has not. */
  private over(
    head: JournalHead,
    operation: string
  ): Effect.Effect<Host.ExecutionView, Host.ExecutionHostError | Host.UnknownExecution> {
    if (head.dead === undefined) return this.endedView(head)
    const detail = `it was put aside: ${head.dead.reason} Retry or discard it, or fork it from an earlier step.`
    return Effect.fail(this.keeper.failed(operation, detail))
  }

  /** What a request that never fails by the flow gives where reaching the execution fails by it. */
  private plain<A>(
    effect: Effect.Effect<A, Host.RequestError>
  ): Effect.Effect<A, Host.UnknownExecution | Host.ExecutionHostError> {
    return Effect.mapError(effect, (error) =>
      error._tag === "FlowFailed" ? this.keeper.failed(`reach ${error.id}`, error.failure.message) : error
    )
  }

  private watch(id: string, from: number): Stream.Stream<Host.WatchEntry, Host.RequestError> {
    return Stream.unwrap(
      Effect.gen({ self: this }, function* () {
        const found = yield* this.keeper.activate(id, { force: this.force })
        if (!isKept(found)) {
          const { entries, progress } = yield* this.read(found.head)
          const { dead, flow } = found.head
          const before = Stream.fromIterable(entries.filter(({ cursor }) => cursor >= from))
          if (dead !== undefined)
            return Stream.concat(
              before,
              Stream.fail(this.keeper.failed(`watch ${id}`, `it was put aside: ${dead.reason}`))
            )
          if (progress.failure === undefined) return before
          return Stream.concat(before, Stream.fail(new Host.FlowFailed({ flow, id, failure: progress.failure })))
        }
        const running = yield* Deferred.await(found.opened)
        const held = yield* Effect.acquireRelease(
          Effect.sync(() => hold(found)),
          (held) => (held ? letGo(found) : Effect.void)
        )
        if (!held) return this.watch(id, from)
        return Stream.mapError(running.watch(from), (error) => (isGone(found) ? this.moved(found) : error))
      })
    )
  }

  private list(
    query: Host.ListQuery & Partial<JournalQuery> = {}
  ): Effect.Effect<Host.ListPage, Host.ExecutionHostError> {
    return Effect.map(
      Effect.mapError(this.keeper.store.list(query), this.keeper.storeFailed("list executions")),
      ({ heads, next }) => ({ executions: heads.map(summaryOf), ...(next === undefined ? {} : { next }) })
    )
  }

  /** The service. */
  readonly service = (): Host.ExecutionHost["Service"] => ({
    register: (runner) => this.keeper.register(runner),
    start: (request) => this.keeper.start(request),
    signal: (id, signal, payload, { requestId, wait }) =>
      this.use(
        id,
        (running) => running.signal(signal, payload, wait, requestId),
        this.closed(`The signal "${signal}"`)
      ),
    answer: (id, question, value, options = {}) =>
      this.use(id, (running) => running.answer(question, value, options), this.closed(`The answer to "${question}"`)),
    intervene: (id, payload, options = {}) =>
      this.use(id, (running) => running.intervene(payload, options), this.closed("The intervention")),
    watch: (id, from = 0) => this.watch(id, from),
    get: (id) => this.view(id),
    list: (query) => this.list(query),
    save: (id) => this.use(id, (running) => running.save, this.closed("The save")),
    seal: (id) =>
      this.plain(
        this.use(
          id,
          (running, kept) =>
            Effect.flatMap(running.seal, () =>
              !kept.closed && isGone(kept) ? Effect.fail(this.moved(kept)) : Effect.void
            ),
          () => Effect.void
        )
      ),
    close: (id, options = {}) =>
      this.use(
        id,
        (running, kept) => Effect.andThen(running.close(options), this.end(kept, running)),
        (head) => this.over(head, `close ${head.id}`)
      ),
    cancel: (id, reason = "somebody asked for it") =>
      this.plain(
        this.use(
          id,
          (running, kept) => Effect.andThen(running.cancel(reason), this.end(kept, running)),
          (head) => this.over(head, `cancel ${head.id}`)
        )
      ),
    await: (id) => this.plain(this.awaited(id))
  })
}
