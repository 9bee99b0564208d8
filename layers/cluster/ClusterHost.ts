/**
 * `ExecutionHost` over a cluster: finds out from the journal which flow an execution is one of, sends what is asked to
 * whichever runner has it, and asks again where it has moved meanwhile. It needs no registration itself.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type { RunnerStorage } from "effect/cluster/RunnerStorage"
import type { Sharding } from "effect/cluster/Sharding"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type { Json } from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Host from "../../services/ExecutionHost.ts"
import { canonical } from "../../services/Json.ts"
import type { JournalHead, JournalStore } from "../../services/JournalStore.ts"
import * as Errors from "./Errors.ts"
import * as Executions from "./Executions.ts"
import type { Node } from "./Node.ts"
import * as Options from "./Options.ts"
import { majorOf, type Place, placeOf, placesOf } from "./Places.ts"
import { entityOf, type ExecutionEntity, Moved } from "./Protocol.ts"

type Service = Host.ExecutionHost["Service"]
type Client = ReturnType<Effect.Success<ReturnType<typeof clientsOf>>>
type Reachable = Host.UnknownExecution | Host.ExecutionHostError

const clientsOf = (sharding: Sharding["Service"], entity: ExecutionEntity) => sharding.makeClient(entity)

const sendErrors = new Set(["MailboxFull", "AlreadyProcessingMessage", "PersistenceError", "EntityNotAssignedToRunner"])
const isSendError = (error: { readonly _tag: string }): error is Errors.SendError => sendErrors.has(error._tag)

/** How long it waits before it asks again where something has moved, in milliseconds. */
const again = 50
/** For how long it believes what it has read about the runners, in milliseconds. */
const freshness = 500
/** For how long the cluster may still send to a runner that is gone from the list, in milliseconds. */
const departing = 3000
/** How many executions it remembers the places of. */
const remembered = 10_000
/** What the column of the database holds. */
const longestId = 255

const fresh: Effect.Effect<string> = Effect.map(
  Effect.all([Random.nextIntBetween(0, 2 ** 32), Random.nextIntBetween(0, 2 ** 32)]),
  (parts) => parts.map((part) => part.toString(16).padStart(8, "0")).join("")
)

/** Which runners have joined a shard group, by the name of the group. */
type Groups = ReadonlyMap<string, ReadonlySet<string>>

/** What a client of the cluster needs. @category models */
export interface Parts {
  readonly sharding: Sharding["Service"]
  readonly runners: RunnerStorage["Service"]
  readonly journal: JournalStore["Service"]
  readonly ended: Executions.EndedExecutions["Service"]
  readonly options: Options.ClusterOptions
  /** This process as a runner, where it is one. */
  readonly node: Node | undefined
}

/** The service. @category constructors */
export class ClusterHost {
  readonly parts: Parts
  private readonly patience: number
  private readonly places = new Map<string, Place>()
  private readonly clients = new Map<string, (id: string) => Client>()
  private groups: Groups = new Map()
  /** When runners were seen in a group last. */
  private readonly lastSeen = new Map<string, Map<string, number>>()
  private readAt = 0
  closed = false

  constructor(parts: Parts) {
    this.parts = parts
    this.patience = Options.millis(parts.options.patience ?? Options.defaults.patience)
    if (parts.node !== undefined)
      parts.node.onChange = () => {
        this.readAt = 0
      }
  }

  // --- where executions are ---

  /** The shard groups that runners have joined: as it was a moment ago, or as it is now. */
  private known(operation: string): Effect.Effect<Groups, Host.ExecutionHostError> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (now - this.readAt < freshness) return Effect.succeed(this.groups)
      return this.parts.runners.getRunners.pipe(
        Effect.mapError((error) => Errors.fromSend(operation, error)),
        Effect.map((runners) => {
          this.readAt = now
          const groups = new Map<string, Set<string>>()
          for (const [{ address, groups: joined }] of runners)
            for (const group of joined) {
              const there = groups.get(group)
              if (there === undefined) groups.set(group, new Set([address.toString()]))
              else there.add(address.toString())
            }
          for (const [group, there] of groups) for (const address of there) this.present(group).set(address, now)
          this.groups = groups
          return groups
        })
      )
    })
  }

  private present(group: string): Map<string, number> {
    let there = this.lastSeen.get(group)
    if (there === undefined) this.lastSeen.set(group, (there = new Map()))
    return there
  }

  private head(operation: string, id: string): Effect.Effect<JournalHead, Reachable> {
    return Effect.suspend((): Effect.Effect<JournalHead, Reachable> => {
      if (this.closed) return Effect.fail(Errors.failed(operation, "it has been closed.", false))
      return Effect.flatMap(
        Effect.mapError(this.parts.journal.get(id), (error) => Errors.fromJournal(operation, error)),
        (head): Effect.Effect<JournalHead, Host.UnknownExecution> =>
          Option.isSome(head) ? Effect.succeed(head.value) : Effect.fail(new Host.UnknownExecution({ id }))
      )
    })
  }

  private remember(id: string, place: Place): Place {
    this.places.set(id, place)
    if (this.places.size > remembered)
      for (const oldest of this.places.keys()) {
        this.places.delete(oldest)
        break
      }
    return place
  }

  private place(operation: string, id: string): Effect.Effect<Place, Reachable> {
    return Effect.suspend((): Effect.Effect<Place, Reachable> => {
      const known = this.places.get(id)
      if (known !== undefined && !this.closed) return Effect.succeed(known)
      return Effect.map(this.head(operation, id), ({ flow, version }) => this.remember(id, placeOf(flow, version)))
    })
  }

  private client(place: Place, id: string): Effect.Effect<Client> {
    return Effect.suspend(() => {
      const known = this.clients.get(place.group)
      if (known !== undefined) return Effect.succeed(known(id))
      return Effect.map(clientsOf(this.parts.sharding, entityOf(place)), (make) => {
        this.clients.set(place.group, make)
        return make(id)
      })
    })
  }

  // --- asking ---

  /**
   * Looks after a request that is on its way. A runner that has died closes its connections, and the cluster sends the
   * request to the next one. A runner that is frozen, or cannot be reached any more, does not: then it is told from the
   * list of runners that one of them is gone, and the request is sent once more. Fails when no runner has had the flow for
   * as long as one waits.
   */
  private lookAfter(
    operation: string,
    id: string,
    place: Place
  ): Effect.Effect<never, Host.ExecutionHostError | Moved> {
    return Effect.gen({ self: this }, function* () {
      let since: number | undefined
      // The cluster sends by a list that is somewhat older: perhaps to one that has gone already.
      const seen = new Set(this.groups.get(place.group))
      const began = yield* Clock.currentTimeMillis
      for (const [address, at] of this.present(place.group))
        if (began - at < departing) seen.add(address)
        else this.present(place.group).delete(address)
      while (true) {
        yield* Effect.sleep(Math.min(1000, this.patience))
        if (this.closed) return yield* Effect.fail(Errors.failed(operation, "it has been closed.", false))
        const groups = yield* Effect.option(this.known(operation))
        if (Option.isNone(groups)) continue
        const there = groups.value.get(place.group)
        const now = yield* Clock.currentTimeMillis
        if (there === undefined) {
          since ??= now
          if (now - since >= this.patience)
            return yield* Effect.fail(
              Errors.failed(
                operation,
                `no runner has registered the flow ${JSON.stringify(place.flow)}. Start one, and ask again under the same id.`,
                true
              )
            )
          continue
        }
        since = undefined
        for (const address of seen) if (!there.has(address)) return yield* Effect.fail(new Moved({ id }))
        for (const address of there) seen.add(address)
      }
    })
  }

  /** What a request has failed with: as errors of the service, or that it is to be asked again. */
  private answer<E extends { readonly _tag: string }>(
    operation: string,
    cause: Cause.Cause<E>
  ): Result.Result<"moved", Exclude<E, Errors.SendError | Moved> | Host.ExecutionHostError> {
    const error = Cause.findErrorOption(cause)
    if (Option.isSome(error)) {
      if (error.value._tag === "Moved") return Result.succeed("moved")
      if (isSendError(error.value)) return Result.fail(Errors.fromSend(operation, error.value))
      // What is left of E without the two that were looked for.
      return Result.fail(error.value as Exclude<E, Errors.SendError | Moved>)
    }
    // A runner that stops interrupts what it reads; the next one can be asked.
    if (Cause.hasInterruptsOnly(cause)) return Result.succeed("moved")
    return Result.fail(Errors.fromDefect(operation, cause))
  }

  private ask<A, E extends { readonly _tag: string }>(
    operation: string,
    id: string,
    send: (client: Client) => Effect.Effect<A, E>,
    at?: Place
  ): Effect.Effect<A, Exclude<E, Errors.SendError | Moved> | Reachable> {
    const once = Effect.flatMap(at === undefined ? this.place(operation, id) : Effect.succeed(at), (place) =>
      Effect.raceFirst(Effect.flatMap(this.client(place, id), send), this.lookAfter(operation, id, place))
    )
    return Effect.catchCause(once, (cause): Effect.Effect<A, Exclude<E, Errors.SendError | Moved> | Reachable> => {
      const answer = this.answer<E | Reachable | Moved>(operation, cause)
      // `Reachable` is none of the errors that are taken out.
      if (Result.isFailure(answer)) {
        const { failure } = answer
        // See above.
        return Effect.fail(failure as Exclude<E, Errors.SendError | Moved> | Reachable)
      }
      this.places.delete(id)
      return Effect.delay(
        Effect.suspend(() => this.ask(operation, id, send, at)),
        again
      )
    })
  }

  /** A change: one request under one key, however often it is sent. */
  private change<A, E extends { readonly _tag: string }>(
    operation: string,
    id: string,
    send: (client: Client, key: string) => Effect.Effect<A, E>
  ) {
    return Effect.flatMap(fresh, (key) => this.ask(operation, id, (client) => send(client, key)))
  }

  /** What is left of an execution that has closed. */
  private left(operation: string, id: string): Effect.Effect<Option.Option<Host.ExecutionView>, Reachable> {
    return Effect.flatMap(this.head(operation, id), (head) =>
      head.lifecycle === "closed" ? this.parts.ended.view(id) : Effect.succeedNone
    )
  }

  private unlessClosed<E>(
    operation: string,
    id: string,
    ask: Effect.Effect<Host.ExecutionView, E>
  ): Effect.Effect<Host.ExecutionView, E | Reachable> {
    return Effect.flatMap(this.left(operation, id), (view): Effect.Effect<Host.ExecutionView, E> =>
      Option.isSome(view) ? Effect.succeed(view.value) : ask
    )
  }

  // --- the service ---

  start(
    request: Host.StartRequest
  ): Effect.Effect<string, Host.UnknownFlow | Host.ExecutionConflict | Host.FlowFailed | Host.ExecutionHostError> {
    const operation = `start ${request.flow}`
    return Effect.gen({ self: this }, function* () {
      if (this.closed) return yield* Effect.fail(Errors.failed(operation, "it has been closed.", false))
      const input = Result.try({ try: () => canonical(request.input), catch: String })
      if (Result.isFailure(input) || input.success === "") {
        const why = Result.isFailure(input) ? input.failure : "it is undefined"
        return yield* Effect.fail(Errors.failed(operation, `the input is no JSON (${why}). Encode it first.`, false))
      }
      if (request.id !== undefined) {
        if (request.id.length > longestId || request.id === "")
          return yield* Effect.fail(Errors.failed(operation, `an id has 1 to ${longestId} characters.`, false))
        const head = yield* Effect.option(this.head(operation, request.id))
        if (Option.isSome(head)) {
          const conflict = Executions.conflictOf(head.value, request, input.success, majorOf)
          return conflict === undefined ? request.id : yield* Effect.fail(conflict)
        }
      }
      const place = yield* this.destination(operation, request)
      const id = request.id ?? (yield* fresh)
      const key = yield* fresh
      const started = yield* this.ask(
        operation,
        id,
        (client) => client.Start({ key, request: { ...request, id } }),
        place
      )
      this.remember(id, place)
      return started
    }).pipe(
      // A start looks for no execution.
      Effect.catchTag("UnknownExecution", ({ message }) => Effect.fail(Errors.failed(operation, message, false)))
    )
  }

  /** Where something new is started; a runner of the place has to be there. */
  private destination(
    operation: string,
    { flow, version }: Host.StartRequest
  ): Effect.Effect<Place, Host.UnknownFlow | Host.ExecutionHostError> {
    return Effect.gen({ self: this }, function* () {
      for (let attempt = 0; ; attempt++) {
        const groups = new Set((yield* this.known(operation)).keys())
        for (const runner of this.parts.node?.flows.values() ?? [])
          groups.add(placeOf(runner.flow, runner.version).group)
        const places = placesOf(flow, groups)
        const wanted = version === undefined ? undefined : placeOf(flow, version).group
        const place = wanted === undefined ? places[0] : places.find(({ group }) => group === wanted)
        if (place !== undefined) return place
        if (attempt > 0) {
          const known = places.map(({ major }) => major)
          return yield* Effect.fail(
            new Host.UnknownFlow({ flow, ...(version === undefined ? {} : { version }), known })
          )
        }
        this.readAt = 0
      }
    })
  }

  watch(id: string, from: number): Stream.Stream<Host.WatchEntry, Host.RequestError> {
    const operation = `watch ${id}`
    let next = from
    const entries = (): Stream.Stream<Host.WatchEntry, Host.RequestError> =>
      Stream.unwrap(
        Effect.flatMap(this.place(operation, id), (place) =>
          Effect.map(this.client(place, id), (client) =>
            client.Watch({ from: next }).pipe(
              // The cluster sends a request once more where its runner has died: what was seen is not seen again.
              Stream.filter(({ cursor }) => {
                if (cursor < next) return false
                next = cursor + 1
                return true
              }),
              Stream.interruptWhen(this.lookAfter(operation, id, place))
            )
          )
        )
      ).pipe(
        Stream.catchCause((cause): Stream.Stream<Host.WatchEntry, Host.RequestError> => {
          const answer = this.answer(operation, cause)
          if (Result.isFailure(answer)) return Stream.fail(answer.failure)
          this.places.delete(id)
          return Stream.unwrap(Effect.as(Effect.sleep(again), Stream.suspend(entries)))
        })
      )
    return Stream.suspend(() => {
      next = from
      return entries()
    })
  }

  list(query: Host.ListQuery = {}): Effect.Effect<Host.ListPage, Host.ExecutionHostError> {
    return Effect.suspend((): Effect.Effect<Host.ListPage, Host.ExecutionHostError> => {
      if (this.closed) return Effect.fail(Errors.failed("list executions", "it has been closed.", false))
      return this.parts.journal.list(query).pipe(
        Effect.mapError((error) => Errors.fromJournal("list executions", error)),
        Effect.map(({ heads, next }) => ({
          executions: heads.map(Executions.summaryOf),
          ...(next === undefined ? {} : { next })
        }))
      )
    })
  }

  /** The service. */
  readonly service = (): Service => ({
    register: (runner) =>
      this.parts.node === undefined
        ? Effect.fail(
            Errors.failed(
              "register a flow",
              "this process only asks. Use Cluster.runner where flows are to run.",
              false
            )
          )
        : this.parts.node.register(runner),
    start: (request) => this.start(request),
    signal: (id: string, signal: string, payload: Json, { wait }: { readonly wait: boolean }) =>
      this.change(`signal ${id}`, id, (client, key) => client.Signal({ key, signal, payload, wait })),
    answer: (id, question, value, options = {}) =>
      this.change(`answer ${id}`, id, (client, key) => client.Answer({ key, question, value, options })),
    intervene: (id, payload, options = {}) =>
      this.change(`intervene in ${id}`, id, (client, key) => client.Intervene({ key, payload, options })),
    watch: (id, from = 0) => this.watch(id, from),
    get: (id) =>
      this.unlessClosed(
        `get ${id}`,
        id,
        this.neverFlowFailed(
          `get ${id}`,
          this.ask(`get ${id}`, id, (client) => client.Get())
        )
      ),
    list: (query) => this.list(query),
    seal: (id) =>
      Effect.flatMap(this.left(`seal ${id}`, id), (left) =>
        Option.isSome(left)
          ? Effect.void
          : this.neverFlowFailed(
              `seal ${id}`,
              this.change(`seal ${id}`, id, (client, key) => client.Seal({ key }))
            )
      ),
    close: (id, options = {}) =>
      this.unlessClosed(
        `close ${id}`,
        id,
        this.change(`close ${id}`, id, (client, key) => client.Close({ key, options }))
      ),
    cancel: (id, reason = "somebody asked for it") =>
      this.unlessClosed(
        `cancel ${id}`,
        id,
        this.neverFlowFailed(
          `cancel ${id}`,
          this.change(`cancel ${id}`, id, (client, key) => client.Cancel({ key, reason }))
        )
      ),
    await: (id) =>
      this.unlessClosed(
        `await ${id}`,
        id,
        this.neverFlowFailed(
          `await ${id}`,
          this.ask(`await ${id}`, id, (client) => client.Await())
        )
      )
  })

  /** For what no flow refuses. */
  private neverFlowFailed<A, E>(
    operation: string,
    effect: Effect.Effect<A, E | Host.FlowFailed>
  ): Effect.Effect<A, Exclude<E, Host.FlowFailed> | Host.ExecutionHostError> {
    return Effect.mapError(effect, (error) =>
      error instanceof Host.FlowFailed
        ? Errors.failed(operation, error.message, false)
        : // What is left of E.
          (error as Exclude<E, Host.FlowFailed>)
    )
  }
}
