/**
 * An execution on the runner that owns it: the handlers of its entity. The first request, or what a runner before has left
 * behind, takes the execution over; it stays as long as anything of it is at work, and is let go when the shard goes to
 * another runner, when it is fenced off, or when it only waits and nobody has asked for anything for a while.
 */
import * as Entity from "effect/cluster/Entity"
import type { Sharding } from "effect/cluster/Sharding"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as Host from "../../services/ExecutionHost.ts"
import { canonical } from "../../services/Json.ts"
import * as Executions from "./Executions.ts"
import { majorOf, type Place } from "./Places.ts"
import { Due, type ExecutionEntity, type Moved } from "./Protocol.ts"

/** What the entities of a runner share. @category models */
export interface Shared {
  readonly executions: Executions.Executions["Service"]
  readonly flowOf: Executions.FlowOf
  /** How many executions may be taken over at once. */
  readonly activating: Semaphore.Semaphore
  /** The newest registration of a place, where no exact version is asked for. */
  readonly newest: (place: Place) => Host.FlowRunner | undefined
  /** The versions that are registered here, for who asks for another. */
  readonly versions: (flow: string) => ReadonlyArray<string>
}

interface Held {
  readonly kept: Executions.KeptExecution
  readonly scope: Scope.Closeable
  /** What was asked of it here, by key; the oldest first. */
  readonly requests: Map<string, Effect.Effect<unknown, unknown>>
}

type Refused = Host.UnknownExecution | Host.ExecutionHostError | Moved
type Services = Sharding | Entity.CurrentAddress

/** How long a new entity waits for a request before it looks by itself what is left to do, in milliseconds. */
const unasked = 100

/** How many requests to an execution are known again. */
const rememberedRequests = 4096

class Slot {
  readonly id: string
  readonly shared: Shared
  readonly place: Place
  readonly scope: Scope.Scope
  readonly client: (due: Due) => Effect.Effect<void>
  readonly lock = Semaphore.makeUnsafe(1)
  held: Held | undefined

  constructor(id: string, shared: Shared, place: Place, scope: Scope.Scope, client: (due: Due) => Effect.Effect<void>) {
    this.id = id
    this.shared = shared
    this.place = place
    this.scope = scope
    this.client = client
  }

  /** The execution, taken over where it is not here yet. */
  get take(): Effect.Effect<Executions.KeptExecution, Refused, Services> {
    return Effect.suspend(() => {
      if (this.held !== undefined) return Effect.succeed(this.held.kept)
      return this.lock.withPermit(
        Effect.suspend((): Effect.Effect<Executions.KeptExecution, Refused, Services> => {
          if (this.held !== undefined) return Effect.succeed(this.held.kept)
          const { activating, executions, flowOf } = this.shared
          return this.hold(activating.withPermit(executions.activate(this.id, flowOf)))
        })
      )
    })
  }

  /**
   * Does what is asked under a key once in this life of the execution here: the cluster hands a request over again where
   * its reply could not be stored.
   */
  once<A, E>(key: string, ask: (kept: Executions.KeptExecution) => Effect.Effect<A, E>) {
    return Effect.flatMap(this.take, (kept): Effect.Effect<A, E> => {
      const { requests } =
        kept === this.held?.kept ? this.held : { requests: new Map<string, Effect.Effect<unknown, unknown>>() }
      const known = requests.get(key)
      // Under one key stands one kind of request.
      if (known !== undefined) return known as Effect.Effect<A, E>
      const outcome = Deferred.makeUnsafe<A, E>()
      requests.set(key, Deferred.await(outcome))
      for (const oldest of requests.keys()) {
        if (requests.size <= rememberedRequests) break
        requests.delete(oldest)
      }
      return Effect.onExit(ask(kept), (exit) =>
        Effect.sync(() => {
          Deferred.doneUnsafe(outcome, exit)
          // Who asks again wants it done.
          if (Exit.hasInterrupts(exit)) requests.delete(key)
        })
      )
    })
  }

  start(request: Host.StartRequest): Effect.Effect<string, Start, Services> {
    return this.lock.withPermit(
      Effect.suspend((): Effect.Effect<string, Start, Services> => {
        const { held } = this
        if (held !== undefined)
          return Effect.flatMap(held.kept.head, (head) => {
            const conflict = Executions.conflictOf(head, request, canonical(request.input), majorOf)
            return conflict === undefined ? Effect.succeed(this.id) : Effect.fail(conflict)
          })
        const { flow, version } = request
        const runner =
          (version === undefined ? undefined : this.shared.flowOf(flow, version)) ?? this.shared.newest(this.place)
        if (runner === undefined) {
          const known = this.shared.versions(flow)
          return Effect.fail(new Host.UnknownFlow({ flow, ...(version === undefined ? {} : { version }), known }))
        }
        return Effect.as(
          this.hold(this.shared.executions.start(runner, { ...request, id: this.id }, this.shared.flowOf)),
          this.id
        )
      })
    )
  }

  /** Holds what is acquired until the entity goes or it is lost. */
  private hold<E>(
    acquire: Effect.Effect<Executions.KeptExecution, E, Scope.Scope>
  ): Effect.Effect<Executions.KeptExecution, E, Services> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function* () {
        const scope = yield* Scope.fork(this.scope)
        const exit = yield* Effect.exit(restore(Scope.provide(acquire, scope)))
        if (Exit.isFailure(exit)) {
          yield* Scope.close(scope, exit)
          return yield* exit
        }
        const held: Held = { kept: exit.value, scope, requests: new Map() }
        this.held = held
        // Whoever is told that it has started can rely on it: a runner that dies from now on is followed by another.
        yield* this.keep(yield* firstWork(held.kept))
        yield* Effect.forkIn(this.follow(held), scope, { startImmediately: true })
        return held.kept
      })
    )
  }

  /** Stays while it is at work; says when to come back while it is not. */
  private keep({ atWork, wakeAt }: Executions.Work): Effect.Effect<void, never, Services> {
    const wake = wakeAt === undefined ? Effect.void : this.client(new Due({ at: wakeAt }))
    return atWork ? Entity.keepAlive(true) : Effect.andThen(wake, Entity.keepAlive(false))
  }

  private follow(held: Held): Effect.Effect<void, never, Services> {
    const { kept } = held
    const lost = Effect.andThen(
      kept.lost,
      Effect.suspend(() => {
        if (this.held === held) this.held = undefined
        // It closes the Scope in which this runs.
        return Effect.asVoid(Effect.forkIn(Scope.close(held.scope, Exit.void), this.scope))
      })
    )
    const work = Stream.runForEach(Stream.drop(kept.work, 1), (work) => this.keep(work))
    return Effect.raceFirst(lost, Effect.andThen(work, Effect.never))
  }
}

type Start = Host.UnknownFlow | Host.ExecutionConflict | Host.FlowFailed | Host.ExecutionHostError

const firstWork = (kept: Executions.KeptExecution): Effect.Effect<Executions.Work> =>
  Effect.map(Stream.runHead(kept.work), (first) => (first._tag === "Some" ? first.value : { atWork: false }))

const viewOf = (kept: Executions.KeptExecution): Effect.Effect<Host.ExecutionView> =>
  Effect.map(Effect.all([kept.progress, kept.head]), ([progress, head]) => ({
    ...Executions.summaryOf(head),
    ...progress
  }))

/**
 * The handlers of the entities of a place.
 *
 * @category constructors
 */
export const handlersOf = (entity: ExecutionEntity, place: Place, shared: Shared) =>
  Effect.gen(function* () {
    const { entityId: id } = yield* Entity.CurrentAddress
    const scope = yield* Effect.scope
    const clientOf = yield* entity.client
    const services = yield* Effect.context<Services>()
    const slot = new Slot(id, shared, place, scope, (due) =>
      Effect.ignoreCause(clientOf(id).Wake(due, { discard: true }))
    )
    const take = Effect.provideContext(slot.take, services)
    const once = <A, E>(key: string, ask: (kept: Executions.KeptExecution) => Effect.Effect<A, E>) =>
      Effect.provideContext(slot.once(key, ask), services)
    // Without a request: a runner before has left it behind at work.
    yield* Effect.forkScoped(Effect.ignoreCause(Effect.delay(take, unasked)))
    return entity.of({
      Start: ({ payload }) => Effect.provideContext(slot.start(payload.request), services),
      Signal: ({ payload: { key, payload, signal, wait } }) =>
        once(key, (kept) => kept.signal(signal, payload, wait, key)),
      Answer: ({ payload: { key, options, question, value } }) =>
        once(key, (kept) => kept.answer(question, value, { requestId: key, ...options })),
      Intervene: ({ payload: { key, options, payload } }) =>
        once(key, (kept) => kept.intervene(payload, { id: key, ...options })),
      Seal: () => Effect.flatMap(take, (kept) => kept.seal),
      Close: ({ payload: { options } }) =>
        Effect.flatMap(take, (kept) => Effect.andThen(kept.close(options), viewOf(kept))),
      Cancel: ({ payload: { reason } }) =>
        Effect.flatMap(take, (kept) => Effect.andThen(kept.cancel(reason), viewOf(kept))),
      Wake: () => Effect.ignoreCause(take),
      Get: () => Effect.flatMap(take, viewOf),
      Await: () => Effect.flatMap(take, (kept) => Effect.andThen(kept.closed, viewOf(kept))),
      Watch: ({ payload: { from } }) => Stream.unwrap(Effect.map(take, (kept) => kept.watch(from)))
    })
  })
