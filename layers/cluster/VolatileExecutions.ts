/**
 * Executions that live in the memory of their runner: the journal knows that there are such, who has them and how they
 * ended, and nothing of what happens in them. When their runner dies or lets them go they have failed. For flows that are
 * cheap to begin again, and for tests.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Host from "../../services/ExecutionHost.ts"
import { canonical } from "../../services/Json.ts"
import * as Journal from "../../services/JournalStore.ts"
import { failed, fromJournal } from "./Errors.ts"
import { conflictOf, EndedExecutions, Executions, type FlowOf, type KeptExecution, summaryOf } from "./Executions.ts"
import { majorOf } from "./Places.ts"

const encodeView = Schema.encodeUnknownEffect(Schema.toCodecJson(Host.ExecutionView))
const decodeView = Schema.decodeUnknownEffect(Schema.toCodecJson(Host.ExecutionView))

type Store = Journal.JournalStore["Service"]

/** What is left of an execution that has closed; its snapshot is its view. */
const viewIn = (
  journal: Store,
  id: string
): Effect.Effect<Option.Option<Host.ExecutionView>, Host.ExecutionHostError> =>
  Effect.gen(function* () {
    const operation = `read ${id}`
    const read = yield* Effect.mapError(journal.read(id), (error) =>
      error._tag === "JournalCorrupt" ? failed(operation, error.message, false) : fromJournal(operation, error)
    )
    if (Option.isNone(read) || read.value.head.lifecycle !== "closed" || read.value.snapshot === undefined)
      return Option.none()
    const view = yield* Effect.mapError(decodeView(read.value.snapshot.json), ({ message }) =>
      failed(operation, `its journal holds no view: ${message}`, false)
    )
    return Option.some(view)
  })

class Volatile {
  readonly journal: Store
  readonly owner: Journal.Owner

  constructor(journal: Store, owner: Journal.Owner) {
    this.journal = journal
    this.owner = owner
  }

  start(
    runner: Host.FlowRunner,
    request: Host.StartRequest & { readonly id: string },
    flowOf: FlowOf
  ): Effect.Effect<KeptExecution, Host.ExecutionConflict | Host.FlowFailed | Host.ExecutionHostError, Scope.Scope> {
    const { flow, id } = request
    const operation = `start ${flow}`
    const input = canonical(request.input)
    return Effect.gen({ self: this }, function* () {
      const { created, head } = yield* Effect.mapError(
        this.journal.create({
          id,
          flow,
          ...(runner.version === undefined ? {} : { version: runner.version }),
          ...(runner.fingerprint === undefined ? {} : { fingerprint: runner.fingerprint }),
          status: "running",
          lifecycle: "open",
          input,
          tags: [],
          owner: this.owner,
          records: []
        }),
        (error) => fromJournal(operation, error)
      )
      if (!created) {
        const conflict = conflictOf(head, request, input, majorOf)
        if (conflict !== undefined) return yield* Effect.fail(conflict)
        return yield* Effect.mapError(this.activate(id, flowOf), (error) =>
          error._tag === "UnknownExecution" ? failed(operation, error.message, true) : error
        )
      }
      const running = yield* Effect.onError(
        runner.open({ id, input: request.input, settings: request.settings ?? {} }),
        () => Effect.ignore(this.journal.remove(id))
      )
      return yield* this.keep(head, running)
    })
  }

  /** Keeps it until the Scope closes; then it is cancelled. */
  private keep(
    created: Journal.JournalHead,
    running: Host.RunningExecution
  ): Effect.Effect<KeptExecution, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const settled = yield* Deferred.make<void>()
      const lost = yield* Deferred.make<void>()
      let head = created
      const finish = Effect.gen({ self: this }, function* () {
        yield* running.closed
        const { progress, closedAt } = yield* Effect.all({ progress: running.progress, closedAt: now })
        head = { ...head, status: progress.status, lifecycle: "closed", closedAt }
        const snapshot = yield* Effect.orDie(encodeView({ ...summaryOf(head), ...progress }))
        yield* this.journal.append({
          id: head.id,
          fence: head.fence,
          expected: head.seq,
          records: [],
          status: progress.status,
          lifecycle: "closed",
          closed: true,
          wakeAt: null,
          snapshot
        })
      }).pipe(
        Effect.catchTag("JournalConflict", () => Deferred.succeed(lost, undefined)),
        Effect.catchCause((cause) => Effect.logError(`The end of execution ${head.id} cannot be written down`, cause)),
        Effect.ensuring(Deferred.succeed(settled, undefined))
      )
      yield* Effect.forkDetach(finish, { startImmediately: true })
      yield* Effect.addFinalizer(() =>
        Effect.andThen(running.cancel("its runner has let it go"), Deferred.await(settled))
      )
      const after = <A, E>(effect: Effect.Effect<A, E>) => Effect.tap(effect, () => Deferred.await(settled))
      return {
        ...running,
        head: Effect.map(running.standing, (standing) =>
          head.lifecycle === "closed" ? head : { ...head, ...standing }
        ),
        // Nothing of it survives its runner, so nothing has to be known about requests that were made before.
        signal: (signal, payload, wait) => running.signal(signal, payload, wait),
        close: (options) => after(running.close(options)),
        cancel: (reason) => after(running.cancel(reason)),
        closed: Deferred.await(settled),
        work: Stream.concat(
          Stream.make({ atWork: true }),
          Stream.fromEffect(Effect.as(Deferred.await(settled), { atWork: false }))
        ),
        lost: Deferred.await(lost)
      }
    })
  }

  activate(
    id: string,
    _flowOf: FlowOf
  ): Effect.Effect<KeptExecution, Host.UnknownExecution | Host.ExecutionHostError, Scope.Scope> {
    const operation = `take over ${id}`
    return Effect.gen({ self: this }, function* () {
      const known = yield* Effect.mapError(this.journal.get(id), (error) => fromJournal(operation, error))
      if (Option.isNone(known)) return yield* Effect.fail(new Host.UnknownExecution({ id }))
      if (known.value.lifecycle !== "closed") {
        const claimed = yield* Effect.mapError(this.journal.claimOne(id, this.owner, { force: true }), (error) =>
          fromJournal(operation, error)
        )
        if (Option.isSome(claimed)) yield* this.declareDead(claimed.value)
      }
      const view = yield* viewIn(this.journal, id)
      if (Option.isNone(view)) return yield* Effect.fail(failed(operation, "somebody else has it. Ask again.", true))
      const after = yield* Effect.mapError(this.journal.get(id), (error) => fromJournal(operation, error))
      return ended(
        view.value,
        Option.getOrElse(after, () => known.value)
      )
    })
  }

  /** It was in the memory of a runner that is no more. */
  private declareDead(head: Journal.JournalHead): Effect.Effect<void, Host.ExecutionHostError> {
    return Effect.gen({ self: this }, function* () {
      const view: Host.ExecutionView = {
        ...summaryOf(head),
        status: "failed",
        lifecycle: "closed",
        closedAt: yield* now,
        questions: [],
        state: {},
        failures: [],
        failure: { _tag: "Defect", message: "The runner that had it in its memory is no more. Start it again." }
      }
      yield* this.journal
        .append({
          id: head.id,
          fence: head.fence,
          expected: head.seq,
          records: [],
          status: "failed",
          lifecycle: "closed",
          closed: true,
          wakeAt: null,
          snapshot: yield* Effect.orDie(encodeView(view))
        })
        .pipe(Effect.mapError((error) => failed(`take over ${head.id}`, error.message, true)))
    })
  }
}

const now = Effect.clockWith((clock) => clock.currentTimeMillis)

/** An execution of which only its end is left. */
const ended = (view: Host.ExecutionView, head: Journal.JournalHead): KeptExecution => {
  const { flow, id } = view
  const gone = (message: string) => Effect.fail(new Host.FlowFailed({ flow, id, failure: { _tag: "Defect", message } }))
  const closed = gone(`The execution ${id} has closed. Start another.`)
  return {
    head: Effect.succeed(head),
    progress: Effect.succeed(view),
    standing: Effect.succeed(view),
    signal: () => closed,
    answer: () => closed,
    intervene: () => closed,
    watch: () =>
      Stream.fromEffect(gone(`The stream of the execution ${id} was in the memory of its runner, and is gone.`)),
    seal: Effect.void,
    close: () => Effect.void,
    cancel: () => Effect.void,
    closed: Effect.void,
    resting: Effect.succeed(false),
    leave: () => Effect.void,
    abandon: Effect.void,
    work: Stream.make({ atWork: false }),
    lost: Effect.never
  }
}

/**
 * Executions in the memory of this runner.
 *
 * @param owner - the name of this runner, and which life of it this is.
 * @category layers
 */
export const layer = (owner: Journal.Owner): Layer.Layer<Executions, never, Journal.JournalStore> =>
  Layer.effect(
    Executions,
    Effect.map(Journal.JournalStore, (journal) => {
      const executions = new Volatile(journal, owner)
      return {
        start: (runner, request, flowOf) => executions.start(runner, request, flowOf),
        activate: (id, flowOf) => executions.activate(id, flowOf)
      }
    })
  )

/** What is left of them, from the journal. @category layers */
export const layerEnded: Layer.Layer<EndedExecutions, never, Journal.JournalStore> = Layer.effect(
  EndedExecutions,
  Effect.map(Journal.JournalStore, (journal) => ({ view: (id) => viewIn(journal, id) }))
)
