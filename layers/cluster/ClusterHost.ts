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
import * as Stream from "effect/Stream"
import * as Host from "../../services/ExecutionHost.ts"
import { canonical } from "../../services/Json.ts"
import type { JournalHead, JournalStore } from "../../services/JournalStore.ts"
import { summaryOf } from "../../src/durable/Hosting.ts"
import { conflictOf } from "../../src/durable/Starting.ts"
import * as Errors from "./Errors.ts"
import type { Node } from "./Node.ts"
import * as Options from "./Options.ts"
import { type Place, placeOf, placesOf } from "./Places.ts"
import { entityOf, type ExecutionEntity } from "./Protocol.ts"

type Service = Host.ExecutionHost["Service"]
type Client = ReturnType<Effect.Success<ReturnType<typeof clientsOf>>>
type Reachable = Host.UnknownExecution | Host.ExecutionHostError

const clientsOf = (sharding: Sharding["Service"], entity: ExecutionEntity) => sharding.makeClient(entity)

const sendErrors = new Set(["MailboxFull", "AlreadyProcessingMessage", "PersistenceError", "EntityNotAssignedToRunner"])
const isSendError = (error: { readonly _tag: string }): error is Errors.SendError => sendErrors.has(error._tag)

/** The runner that had been asked is gone, or stops: the same request goes to the next one. */
class Moved {
  readonly _tag = "Moved"
}

/** There is nothing to wait for any more. */
class Final {
  readonly _tag = "Final"
  readonly error: Host.ExecutionHostError
  constructor(error: Host.ExecutionHostError) {
    this.error = error
  }
}

/** The errors of a request as who has asked sees them. */
type Told<E> = Exclude<E, Errors.SendError | Moved | Final> | Host.ExecutionHostError

/** What comes after a failure: an end, or the request again; as a new one where the runner has replied to this one. */
type Next<E> =
  | { readonly _tag: "fail"; readonly error: E }
  | { readonly _tag: "again"; readonly replied: boolean; readonly error: E | undefined }

/** How long it waits before it asks again, at first and at most, in milliseconds. */
const again = 50
const longest = 1000
/** A request that took so long, in milliseconds, was at work, and counts not as one that was refused. */
const working = 5000
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
  readonly options: Options.ClusterOptions
  /** This process as a runner, where it is one. */
  readonly node: Node | undefined
}

const moving = "it moves from one runner to another, and nobody has answered for a while. Ask again."

const unregistered = ({ flow, version }: Place): string => {
  const what = JSON.stringify(flow) + (version === undefined ? "" : `, version ${JSON.stringify(version)}`)
  return `no runner has registered the flow ${what}. Start one, and ask again under the same id.`
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
  private lookAfter(operation: string, place: Place): Effect.Effect<never, Final | Moved> {
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
        if (this.closed) return yield* Effect.fail(new Final(Errors.failed(operation, "it has been closed.", false)))
        const groups = yield* Effect.option(this.known(operation))
        if (Option.isNone(groups)) continue
        const there = groups.value.get(place.group)
        const now = yield* Clock.currentTimeMillis
        if (there === undefined) {
          since ??= now
          if (now - since >= this.patience)
            return yield* Effect.fail(new Final(Errors.failed(operation, unregistered(place), true)))
          continue
        }
        since = undefined
        for (const address of seen) if (!there.has(address)) return yield* Effect.fail(new Moved())
        for (const address of there) seen.add(address)
      }
    })
  }

  /** What comes after a failure. */
  private next<E extends { readonly _tag: string }>(operation: string, cause: Cause.Cause<E>): Next<Told<E>> {
    const found = Cause.findErrorOption(cause)
    if (Option.isNone(found)) {
      // A runner that stops interrupts what it reads; the next one can be asked.
      if (Cause.hasInterruptsOnly(cause)) return { _tag: "again", replied: false, error: undefined }
      return { _tag: "fail", error: Errors.fromDefect(operation, cause) }
    }
    const error: E | Errors.SendError | Moved | Final = found.value
    if (error instanceof Moved) return { _tag: "again", replied: false, error: undefined }
    if (error instanceof Final) return { _tag: "fail", error: error.error }
    if (isSendError(error)) return { _tag: "again", replied: false, error: Errors.fromSend(operation, error) }
    // What is left of E.
    const told = error as Exclude<E, Errors.SendError | Moved | Final>
    if (!(told instanceof Host.ExecutionHostError && told.retryable)) return { _tag: "fail", error: told }
    return { _tag: "again", replied: true, error: told }
  }

  /**
   * Asks until there is an answer, or until nobody has given one for as long as one waits. Every request may be made more
   * than once: what it does is known by its id.
   */
  private ask<A, E extends { readonly _tag: string }>(
    operation: string,
    id: string,
    send: (client: Client, attempt: number) => Effect.Effect<A, E>,
    at?: Place
  ): Effect.Effect<A, Told<E> | Reachable> {
    return Effect.gen({ self: this }, function* () {
      let attempt = 0
      let spent = 0
      for (let pause = again; ; pause = Math.min(pause * 2, longest)) {
        const began = yield* Clock.currentTimeMillis
        const place = at === undefined ? this.place(operation, id) : Effect.succeed(at)
        let found: number | undefined
        const exit = yield* Effect.exit(
          Effect.flatMap(
            Effect.tap(place, () => Effect.map(Clock.currentTimeMillis, (now) => (found = now))),
            (place) =>
              Effect.raceFirst(
                Effect.flatMap(this.client(place, id), (client) => send(client, attempt)),
                this.lookAfter(operation, place)
              )
          )
        )
        if (exit._tag === "Success") return exit.value
        const next = this.next<E | Reachable | Moved | Final>(operation, exit.cause)
        // `Reachable` is none of the errors that are taken out.
        if (next._tag === "fail") return yield* Effect.fail(next.error as Told<E> | Reachable)
        const now = yield* Clock.currentTimeMillis
        // Looking for the place is waiting, however long the database takes; what a request is at work for is not.
        const looked = (found ?? now) - began
        const took = now - began - looked
        spent += looked + (took < working ? took : 0)
        if (this.closed || spent >= this.patience)
          // As above.
          return yield* Effect.fail((next.error ?? Errors.failed(operation, moving, true)) as Told<E> | Reachable)
        // The cluster would give the same reply to the same request again.
        if (next.replied) attempt++
        this.places.delete(id)
        yield* Effect.sleep(pause)
        spent += pause
      }
    })
  }

  /** A change: under one name it is one change, however often it is sent. */
  private change<A, E extends { readonly _tag: string }>(
    operation: string,
    id: string,
    send: (client: Client, key: string, name: string) => Effect.Effect<A, E>
  ) {
    return Effect.flatMap(fresh, (name) =>
      this.ask(operation, id, (client, attempt) => send(client, `${name}/${attempt}`, name))
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
          const conflict = conflictOf(head.value, request, input.success)
          return conflict === undefined ? request.id : yield* Effect.fail(conflict)
        }
      }
      const place = yield* this.destination(operation, request)
      const id = request.id ?? (yield* fresh)
      const key = yield* fresh
      const started = yield* this.ask(
        operation,
        id,
        (client, attempt) => client.Start({ key: `${key}/${attempt}`, request: { ...request, id } }),
        place
      )
      if (place.version !== undefined && place.version === request.version) this.remember(id, place)
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
        for (const { place } of this.parts.node?.flows.values() ?? []) groups.add(place.group)
        const places = placesOf(flow, groups)
        const wanted = version === undefined ? undefined : placeOf(flow, version).group
        const place = wanted === undefined ? places[0] : places.find(({ group }) => group === wanted)
        if (place !== undefined) return place
        if (attempt > 0) {
          const known = places.map(({ version }) => version ?? "")
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
    return Stream.suspend(() => {
      let next = from
      let spent = 0
      let pause = again
      const entries = (): Stream.Stream<Host.WatchEntry, Host.RequestError> => {
        const reading = Effect.gen({ self: this }, function* () {
          const place = yield* this.place(operation, id)
          const client = yield* this.client(place, id)
          return client.Watch({ from: next }).pipe(
            // The cluster sends a request once more where its runner has died: what was seen is not seen again.
            Stream.filter(({ cursor }) => {
              if (cursor < next) return false
              next = cursor + 1
              spent = 0
              pause = again
              return true
            }),
            Stream.interruptWhen(this.lookAfter(operation, place))
          )
        })
        return Stream.catchCause(Stream.unwrap(reading), (cause) => {
          const after = this.next(operation, cause)
          if (after._tag === "fail") return Stream.fail(after.error)
          if (this.closed || spent >= this.patience)
            return Stream.fail(after.error ?? Errors.failed(operation, moving, true))
          this.places.delete(id)
          const waited = pause
          spent += waited
          pause = Math.min(pause * 2, longest)
          return Stream.unwrap(Effect.as(Effect.sleep(waited), Stream.suspend(entries)))
        })
      }
      return entries()
    })
  }

  list(query: Host.ListQuery = {}): Effect.Effect<Host.ListPage, Host.ExecutionHostError> {
    return Effect.suspend((): Effect.Effect<Host.ListPage, Host.ExecutionHostError> => {
      if (this.closed) return Effect.fail(Errors.failed("list executions", "it has been closed.", false))
      return this.parts.journal.list(query).pipe(
        Effect.mapError((error) => Errors.fromJournal("list executions", error)),
        Effect.map(({ heads, next }) => ({
          executions: heads.map(summaryOf),
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
    signal: (id, signal, payload, options) =>
      this.change(`signal ${id}`, id, (client, key, name) =>
        client.Signal({ key, signal, payload, options: { requestId: name, ...options } })
      ),
    answer: (id, question, value, options = {}) =>
      this.change(`answer ${id}`, id, (client, key, name) =>
        client.Answer({ key, question, value, options: { requestId: name, ...options } })
      ),
    intervene: (id, payload, options = {}) =>
      this.change(`intervene in ${id}`, id, (client, key, name) =>
        client.Intervene({ key, payload, options: { id: name, ...options } })
      ),
    watch: (id, from = 0) => this.watch(id, from),
    get: (id) => this.plain(`get ${id}`, id, (client) => client.Get()),
    list: (query) => this.list(query),
    save: (id) => this.change(`save ${id}`, id, (client) => client.Save()),
    seal: (id) => this.plain(`seal ${id}`, id, (client, key) => client.Seal({ key })),
    close: (id, options = {}) => this.change(`close ${id}`, id, (client, key) => client.Close({ key, options })),
    cancel: (id, reason = "somebody asked for it") =>
      this.plain(`cancel ${id}`, id, (client, key) => client.Cancel({ key, reason })),
    await: (id) => this.plain(`await ${id}`, id, (client) => client.Await())
  })

  /** For what no flow refuses. */
  private plain<A>(
    operation: string,
    id: string,
    send: (client: Client, key: string) => Effect.Effect<A, Host.RequestError | Errors.SendError>
  ): Effect.Effect<A, Reachable> {
    return Effect.mapError(this.change(operation, id, send), (error) =>
      error instanceof Host.FlowFailed ? Errors.failed(operation, error.message, false) : error
    )
  }
}
