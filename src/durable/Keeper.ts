/**
 * The executions of one runner: it owns them in the journal, has those in memory in which something is to be done, finds
 * those that nobody has any more, and puts aside what cannot go on. `ExecutionHost` and `ExecutionKeeper` stand on it, in
 * one process or behind a cluster.
 *
 * Everything is guarded by the fence of the journal: whatever this runner believes, an execution that another one has
 * claimed takes nothing from it any more.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Host from "../../services/ExecutionHost.ts"
import type { KeeperHealth } from "../../services/ExecutionKeeper.ts"
import { canonical } from "../../services/Json.ts"
import * as Journals from "../../services/JournalStore.ts"
import { freshId } from "../triggerflow/Opening.ts"
import { Kept, versionOf } from "./Kept.ts"
import * as Measures from "./Measures.ts"
import type { Settings } from "./Settings.ts"

const keyOf = (flow: string, version: string | undefined): string => JSON.stringify([flow, version ?? null])

/** Time that passes for the process, whatever clock its programs are given. */
const realTime = Context.get(Context.empty(), Clock.Clock)

type Trouble = Host.UnknownExecution | Host.ExecutionHostError

/** An execution that is not in memory and need not be: it has closed, or was put aside. */
interface Ended {
  readonly head: Journals.JournalHead
}

/**
 * The executions of one runner.
 *
 * @category models
 */
export class Keeper {
  readonly store: Journals.JournalStore["Service"]
  readonly settings: Settings
  readonly owner: Journals.Owner
  readonly host: string
  private readonly scope: Scope.Scope
  private readonly flows = new Map<string, Host.FlowRunner>()
  private readonly entries = new Map<string, Kept>()
  /** Executions that had to stop here since the store did not write; they are tried again. */
  private readonly stranded = new Set<string>()
  private status: KeeperHealth["status"] = "up"
  private renewedAt: number
  private trouble: string | undefined = undefined

  constructor(
    store: Journals.JournalStore["Service"],
    settings: Settings,
    owner: Journals.Owner,
    host: string,
    scope: Scope.Scope,
    now: number
  ) {
    this.store = store
    this.settings = settings
    this.owner = owner
    this.host = host
    this.scope = scope
    this.renewedAt = now
  }

  // ---------------------------------------------------------------------------------------------- failures

  failed(operation: string, detail: string, retryable = false): Host.ExecutionHostError {
    return new Host.ExecutionHostError({ host: this.host, operation, detail, retryable })
  }

  /** A failure of the store, told as one of the host. */
  readonly storeFailed =
    (operation: string) =>
    (error: Journals.JournalStoreError | Journals.JournalCorrupt | Journals.JournalConflict): Host.ExecutionHostError =>
      this.failed(
        operation,
        error.message,
        error._tag === "JournalConflict" || (error._tag === "JournalStoreError" && error.retryable)
      )

  private get refusal(): string | undefined {
    switch (this.status) {
      case "draining":
        return "it is about to end. Try again: another runner takes over."
      case "deposed":
        return "another life of this runner has begun. Give each process a runner name of its own."
      case "closed":
        return "it has been closed. Keep its Layer open for as long as it is used."
      default:
        return undefined
    }
  }

  private admit(operation: string): Effect.Effect<void, Host.ExecutionHostError> {
    return Effect.suspend(() => {
      const { refusal } = this
      return refusal === undefined
        ? Effect.void
        : Effect.fail(this.failed(operation, refusal, this.status === "draining"))
    })
  }

  // ---------------------------------------------------------------------------------------------- the life of a runner

  /** Renews the lease, looks for what nobody has, and forgets what is old, until it is interrupted. */
  get work(): Effect.Effect<void> {
    const { refresh } = this.settings
    const renewing = Effect.forever(Effect.andThen(Effect.sleep(refresh), this.renew))
    const looking = Effect.forever(
      Effect.flatMap(this.pause, (pause) => Effect.andThen(Effect.sleep(pause), Effect.ignore(this.look)))
    )
    return Effect.asVoid(Effect.all([renewing, looking], { concurrency: "unbounded" }))
  }

  private get renew(): Effect.Effect<void> {
    const { lease, runner } = this.settings
    return Effect.gen({ self: this }, function* () {
      const exit = yield* Effect.exit(this.store.renew(this.owner, lease))
      const now = yield* Clock.currentTimeMillis
      if (Exit.isSuccess(exit)) {
        const late = now - this.renewedAt > lease
        this.renewedAt = now
        if (this.status === "late") this.status = "up"
        this.trouble = undefined
        // Others may have taken what is in memory here.
        if (late) yield* this.verify
        return
      }
      const error = Option.getOrUndefined(Exit.findErrorOption(exit))
      if (error?._tag === "LeaseLost") {
        this.status = "deposed"
        this.trouble = error.message
        yield* Effect.logError(error.message)
        return yield* this.abandonAll
      }
      this.trouble = error?.message ?? "the store cannot renew the lease"
      if (now - this.renewedAt > lease && this.status === "up") {
        this.status = "late"
        yield* Effect.logWarning(`The runner ${runner} could not renew its lease in time: ${this.trouble}`)
      }
    })
  }

  /** Lets go of what another runner has by now. */
  private get verify(): Effect.Effect<void> {
    return Effect.forEach(
      [...this.entries.values()],
      (kept) =>
        Effect.gen({ self: this }, function* () {
          const head = yield* Effect.option(this.store.get(kept.id))
          const fence = Option.isSome(head) && Option.isSome(head.value) ? head.value.value.fence : kept.fence
          if (fence !== kept.fence) yield* this.abandon(kept)
        }),
      { discard: true }
    )
  }

  private abandon(kept: Kept): Effect.Effect<void> {
    return Effect.suspend(() => {
      kept.lost ??= new Journals.JournalConflict({ id: kept.id, why: "fenced" })
      return Effect.ignore(Effect.flatMap(Deferred.await(kept.opened), (running) => running.abandon))
    })
  }

  private get abandonAll(): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach([...this.entries.values()], (kept) => this.abandon(kept), {
        concurrency: "unbounded",
        discard: true
      })
    )
  }

  /** Until when nothing has to be looked for. */
  private get pause(): Effect.Effect<number> {
    return Effect.gen({ self: this }, function* () {
      const now = yield* Clock.currentTimeMillis
      const wake = yield* Effect.option(this.store.nextWake(this.claimable))
      const at = Option.isSome(wake) ? Option.getOrElse(wake.value, () => Infinity) : Infinity
      return Math.max(1, Math.min(this.settings.refresh, at - now))
    })
  }

  private get claimable(): ReadonlyArray<{ readonly flow: string; readonly version?: string }> {
    return [...this.flows.values()].map(({ flow, version }) => ({
      flow,
      ...(version === undefined ? {} : { version })
    }))
  }

  private get look(): Effect.Effect<void, Host.ExecutionHostError> {
    return Effect.gen({ self: this }, function* () {
      if (this.refusal !== undefined) return
      yield* this.recover
      yield* this.passivate
      yield* this.prune
      yield* Measures.observe(this.entries.size, (yield* Clock.currentTimeMillis) - this.renewedAt)
    })
  }

  // ---------------------------------------------------------------------------------------------- flows

  register(runner: Host.FlowRunner): Effect.Effect<void, Host.FlowRegistered | Host.ExecutionHostError, Scope.Scope> {
    const { flow, version } = runner
    const key = keyOf(flow, version)
    const enter = Effect.gen({ self: this }, function* () {
      yield* this.admit(`register ${flow}`)
      if (this.flows.has(key))
        return yield* new Host.FlowRegistered({ flow, ...(version === undefined ? {} : { version }) })
      this.flows.set(key, runner)
    })
    const leave = Effect.suspend(() => {
      this.flows.delete(key)
      // What its handlers need is about to be closed.
      return this.leaveAll(this.settings.drain, (kept) => kept.runner === runner)
    })
    return Effect.andThen(
      Effect.acquireRelease(enter, () => leave),
      Effect.asVoid(this.recover)
    )
  }

  /** An execution, where it is in memory. */
  find(id: string): Kept | undefined {
    return this.entries.get(id)
  }

  runnerOf(flow: string, version: string | undefined): Host.FlowRunner | undefined {
    return this.flows.get(keyOf(flow, version))
  }

  /** The runner that a start is for: of its version, or of the one that was registered last. */
  private startable({ flow, version }: Host.StartRequest): Host.FlowRunner | undefined {
    if (version !== undefined) return this.runnerOf(flow, version)
    let last: Host.FlowRunner | undefined
    for (const runner of this.flows.values()) if (runner.flow === flow) last = runner
    return last
  }

  private unknown({ flow, version }: Host.StartRequest): Host.UnknownFlow {
    const known = [...this.flows.values()].flatMap((runner) => (runner.flow === flow ? [runner.version ?? ""] : []))
    return new Host.UnknownFlow({ flow, ...(version === undefined ? {} : { version }), known })
  }

  // ---------------------------------------------------------------------------------------------- starting

  start(
    request: Host.StartRequest
  ): Effect.Effect<string, Host.UnknownFlow | Host.ExecutionConflict | Host.FlowFailed | Host.ExecutionHostError> {
    const operation = `start ${request.flow}`
    return Effect.gen({ self: this }, function* () {
      yield* this.admit(operation)
      const runner = this.startable(request)
      if (runner === undefined) return yield* Effect.fail(this.unknown(request))
      const input = yield* Effect.try({
        try: () => canonical(request.input),
        catch: (error) => this.failed(operation, `the input is no JSON (${String(error)}). Encode it first.`)
      })
      const id = request.id ?? (yield* freshId)
      const before = this.entries.get(id)
      if (before !== undefined) return yield* this.join(id, request, input)
      yield* this.room(operation)
      // Whoever starts it may be interrupted; the execution belongs to the runner.
      return yield* Effect.uninterruptible(this.open(id, runner, request, input))
    })
  }

  private join(
    id: string,
    request: Host.StartRequest,
    input: string
  ): Effect.Effect<string, Host.ExecutionConflict | Host.ExecutionHostError> {
    return Effect.gen({ self: this }, function* () {
      const opening = this.entries.get(id)
      // It may be about to be written down for the first time.
      if (opening !== undefined) yield* Effect.ignore(Deferred.await(opening.opened))
      const found = yield* Effect.mapError(this.store.get(id), this.storeFailed(`start ${request.flow}`))
      if (Option.isNone(found))
        return yield* Effect.fail(this.failed(`start ${request.flow}`, "its first start has failed. Try again.", true))
      const conflict = conflictOf(found.value, request, input)
      return yield* conflict === undefined ? Effect.succeed(id) : Effect.fail(conflict)
    })
  }

  private open(
    id: string,
    runner: Host.FlowRunner,
    request: Host.StartRequest,
    input: string
  ): Effect.Effect<string, Host.ExecutionConflict | Host.FlowFailed | Host.ExecutionHostError> {
    const operation = `start ${request.flow}`
    return Effect.gen({ self: this }, function* () {
      const now = yield* Clock.currentTimeMillis
      const created = Deferred.makeUnsafe<Journals.JournalHead | undefined, Host.ExecutionHostError>()
      const kept: Kept = new Kept(
        id,
        runner,
        this.store,
        this.settings,
        { fence: 1, seq: 0, startedAt: now, now },
        (batch) =>
          this.create(kept, request, input, batch).pipe(
            Effect.onExit((exit) => {
              const error = Option.getOrUndefined(Exit.findErrorOption(exit))
              if (error instanceof Taken) return Deferred.succeed(created, error.head)
              if (Exit.isSuccess(exit)) return Deferred.succeed(created, undefined)
              return Deferred.fail(created, error ?? this.failed(operation, "its first append was interrupted"))
            })
          )
      )
      this.entries.set(id, kept)
      const settings = {
        ...request.settings,
        stream: request.settings?.stream ?? { _tag: "sliding" as const, capacity: this.settings.streamCapacity }
      }
      const opened = yield* Effect.exit(runner.open({ id, input: request.input, settings, journal: kept }))
      if (Exit.isFailure(opened)) {
        this.entries.delete(id)
        Deferred.doneUnsafe(kept.opened, opened)
        return yield* Effect.failCause(opened.cause)
      }
      const other = yield* Effect.exit(Deferred.await(created))
      if (Exit.isSuccess(other) && other.value === undefined) {
        yield* this.hold(kept, opened.value)
        yield* Measures.started
        return id
      }
      this.entries.delete(id)
      const error = this.failed(operation, "it was started by somebody else", true)
      Deferred.doneUnsafe(kept.opened, Exit.fail(error))
      if (Exit.isFailure(other)) return yield* Effect.failCause(other.cause)
      // Nobody knew whether it was made, and it was.
      if (other.value !== undefined && this.isOwn(other.value.owner)) this.stranded.add(id)
      const conflict = other.value === undefined ? undefined : conflictOf(other.value, request, input)
      return yield* conflict === undefined ? Effect.succeed(id) : Effect.fail(conflict)
    })
  }

  private create(
    kept: Kept,
    request: Host.StartRequest,
    input: string,
    { lifecycle, records, status, wakeAt }: Host.JournalBatch
  ): Effect.Effect<void, Taken | Host.ExecutionHostError> {
    const creation: Journals.Creation = {
      id: kept.id,
      flow: kept.runner.flow,
      ...versionOf(kept.runner),
      status,
      lifecycle,
      input,
      tags: request.tags ?? [],
      owner: this.owner,
      ...(wakeAt === undefined || wakeAt === null ? {} : { wakeAt }),
      records
    }
    return Effect.flatMap(
      Effect.mapError(this.store.create(creation), this.storeFailed(`start ${kept.runner.flow}`)),
      ({ created, head }) => {
        if (!created) return Effect.fail(new Taken(head))
        kept.seq = head.seq
        kept.fence = head.fence
        return Effect.void
      }
    )
  }

  private isOwn(owner: Journals.Owner | undefined): boolean {
    return owner?.runner === this.owner.runner && owner.incarnation === this.owner.incarnation
  }

  /** Whether there is room for one more; those that only wait make it. */
  private room(operation: string): Effect.Effect<void, Host.ExecutionHostError> {
    const { maxActive } = this.settings
    return Effect.suspend(() => {
      if (this.entries.size < maxActive) return Effect.void
      return Effect.flatMap(this.rest(0), () =>
        this.entries.size < maxActive
          ? Effect.void
          : Effect.fail(
              this.failed(operation, `it has ${maxActive} executions at work already. Try again later.`, true)
            )
      )
    })
  }

  /** An execution is at work here. */
  private hold(kept: Kept, running: Host.RunningExecution): Effect.Effect<void> {
    Deferred.doneUnsafe(kept.opened, Exit.succeed(running))
    return Effect.asVoid(Effect.forkIn(this.follow(kept, running), this.scope, { startImmediately: true }))
  }

  /** Waits until an execution has ended here, whichever way. */
  private follow(kept: Kept, running: Host.RunningExecution): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      yield* running.closed
      if (this.entries.get(kept.id) === kept) this.entries.delete(kept.id)
      const { lost } = kept
      if (lost === undefined || lost instanceof Journals.JournalConflict) return
      // The store did not write it; what was written goes on once it does.
      this.stranded.add(kept.id)
      yield* Effect.logWarning(`Execution ${kept.id} had to stop: ${messageOf(lost)}`)
    })
  }

  // ---------------------------------------------------------------------------------------------- recovery

  /** Takes executions that nobody has any more; gives their ids. */
  get recover(): Effect.Effect<ReadonlyArray<string>, Host.ExecutionHostError> {
    const operation = "look for interrupted executions"
    return Effect.gen({ self: this }, function* () {
      const recovered: Array<string> = []
      const begin = (head: Journals.JournalHead) =>
        Effect.map(Effect.exit(this.adopt(head)), (exit) => {
          if (Exit.isSuccess(exit)) recovered.push(head.id)
        })
      const again = [...this.stranded]
      this.stranded.clear()
      for (const id of again) {
        const head = yield* Effect.exit(this.store.claimOne(id, this.owner))
        if (Exit.isFailure(head)) this.stranded.add(id)
        else if (Option.isSome(head.value)) yield* begin(head.value.value)
      }
      for (;;) {
        const { maxActive, recoveries } = this.settings
        const limit = Math.min(100, maxActive - this.entries.size)
        if (limit <= 0 || this.flows.size === 0) return recovered
        const claimed = yield* Effect.mapError(
          this.store.claim({ owner: this.owner, flows: this.claimable, limit }),
          this.storeFailed(operation)
        )
        yield* Effect.forEach(claimed, begin, { concurrency: recoveries, discard: true })
        if (claimed.length < limit) return recovered
      }
    })
  }

  /** Lets an execution go on that was claimed. */
  private adopt(head: Journals.JournalHead): Effect.Effect<Kept, Host.FlowFailed | Host.ExecutionHostError> {
    const operation = `go on with ${head.id}`
    return Effect.suspend(() => {
      const known = this.entries.get(head.id)
      // It is at work here, and its lease had run out without anybody taking it.
      if (known !== undefined && known.fence === head.fence) return Effect.succeed(known)
      const runner = this.runnerOf(head.flow, head.version)
      if (runner === undefined) {
        const detail = `the flow ${head.flow}${head.version === undefined ? "" : `, version ${head.version},`} is not registered here`
        return Effect.andThen(
          Effect.ignore(this.store.release(this.owner, [head.id])),
          Effect.fail(this.failed(operation, detail))
        )
      }
      return Effect.uninterruptible(this.begin(head, runner))
    })
  }

  private begin(
    head: Journals.JournalHead,
    runner: Host.FlowRunner
  ): Effect.Effect<Kept, Host.FlowFailed | Host.ExecutionHostError> {
    const operation = `go on with ${head.id}`
    const { maxTries } = this.settings
    return Effect.gen({ self: this }, function* () {
      const now = yield* Clock.currentTimeMillis
      const { fence, id, seq, startedAt, tries } = head
      const kept = new Kept(id, runner, this.store, this.settings, { fence, seq, startedAt, now })
      const before = this.entries.get(id)
      this.entries.set(id, kept)
      if (before !== undefined) yield* this.abandon(before)
      const begun = Effect.gen({ self: this }, function* () {
        if (tries > maxTries) {
          const detail = `it was begun ${tries - 1} times and ended its process, or was lost, each time before a step was done`
          return yield* this.putAside(head, this.failed(operation, detail))
        }
        const journal = yield* Effect.catchTag(this.store.read(id), "JournalCorrupt", (error) =>
          this.putAside(head, this.storeFailed(operation)(error))
        )
        if (Option.isNone(journal)) return yield* Effect.fail(this.failed(operation, "it is not in the journal"))
        const { entries, snapshot } = journal.value
        const written = {
          id,
          snapshot: snapshot?.json,
          records: entries.flatMap(({ records }) => records)
        }
        return yield* Effect.catchTag(runner.recover(written, kept), "FlowFailed", (error) =>
          // That the store did not write says nothing against the execution.
          kept.lost === undefined ? this.putAside(head, error) : Effect.fail(error)
        )
      })
      const exit = yield* Effect.exit(
        Effect.mapError(begun, (error) =>
          error._tag === "JournalStoreError" ? this.storeFailed(operation)(error) : error
        )
      )
      if (Exit.isSuccess(exit)) {
        yield* this.hold(kept, exit.value)
        yield* Measures.recovered(now - head.updatedAt)
        return kept
      }
      if (this.entries.get(id) === kept) this.entries.delete(id)
      Deferred.doneUnsafe(kept.opened, exit)
      const { cause } = exit
      const error = Option.getOrUndefined(Exit.findErrorOption(exit))
      if (error?._tag === "ExecutionHostError" && error.retryable) this.stranded.add(id)
      return yield* Effect.failCause(cause)
    })
  }

  /** It cannot go on as it is: it waits for a person. */
  private putAside<E extends Host.FlowFailed | Host.ExecutionHostError>(
    { fence, id }: Journals.JournalHead,
    error: E
  ): Effect.Effect<never, E> {
    const reason = error._tag === "FlowFailed" ? error.failure.message : error.detail
    return Effect.andThen(
      Effect.andThen(
        Effect.logError(`Execution ${id} is put aside: ${reason}`),
        Effect.andThen(Effect.ignore(this.store.bury(id, fence, reason)), Measures.buried)
      ),
      Effect.fail(error)
    )
  }

  /** Takes one execution into memory, whether something is to be done in it or not. */
  activate(
    id: string,
    options: { readonly force?: boolean } = {}
  ): Effect.Effect<Kept | Ended, Trouble | Host.FlowFailed> {
    const operation = `reach ${id}`
    return Effect.gen({ self: this }, function* () {
      yield* this.admit(operation)
      const known = this.entries.get(id)
      if (known !== undefined) {
        yield* Deferred.await(known.opened)
        return known
      }
      const found = yield* Effect.mapError(this.store.get(id), this.storeFailed(operation))
      if (Option.isNone(found)) return yield* new Host.UnknownExecution({ id })
      if (found.value.lifecycle === "closed" || found.value.dead !== undefined) return { head: found.value }
      yield* this.room(operation)
      return yield* Effect.uninterruptible(
        Effect.gen({ self: this }, function* () {
          // Several may come for it at once: one claims it, the others wait.
          const meanwhile = this.entries.get(id)
          if (meanwhile !== undefined) {
            yield* Deferred.await(meanwhile.opened)
            return meanwhile
          }
          const claimed = yield* Effect.mapError(
            this.store.claimOne(id, this.owner, options),
            this.storeFailed(operation)
          )
          if (Option.isSome(claimed)) return yield* this.adopt(claimed.value)
          const now = yield* Effect.mapError(this.store.get(id), this.storeFailed(operation))
          if (Option.isNone(now)) return yield* new Host.UnknownExecution({ id })
          if (now.value.lifecycle === "closed" || now.value.dead !== undefined) return { head: now.value }
          const runner = now.value.owner?.runner ?? "another one"
          return yield* Effect.fail(
            this.failed(operation, `it is at work on the runner "${runner}". Ask there, or use the cluster.`, true)
          )
        })
      )
    })
  }

  /** Lets go of one execution that is in memory: others may have it at once. */
  deactivate(id: string, drain = this.settings.drain): Effect.Effect<void> {
    return this.leaveAll(drain, (kept) => kept.id === id)
  }

  // ---------------------------------------------------------------------------------------------- leaving

  private leave(kept: Kept, drain: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const running = yield* Effect.option(Deferred.await(kept.opened))
      if (running._tag === "Some") yield* Effect.provideService(running.value.leave(drain), Clock.Clock, realTime)
      if (this.entries.get(kept.id) === kept) this.entries.delete(kept.id)
      yield* Effect.ignore(this.store.release(this.owner, [kept.id]))
    })
  }

  private leaveAll(drain: number, which: (kept: Kept) => boolean): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach([...this.entries.values()].filter(which), (kept) => this.leave(kept, drain), {
        concurrency: "unbounded",
        discard: true
      })
    )
  }

  /** Those that have only waited for a while leave the memory. */
  private get passivate(): Effect.Effect<void> {
    return this.rest(this.settings.idleFor)
  }

  private rest(idleFor: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const now = yield* Clock.currentTimeMillis
      for (const kept of [...this.entries.values()]) {
        if (kept.users > 0 || now - kept.last < idleFor) continue
        if (!(yield* Deferred.isDone(kept.opened))) continue
        const running = yield* Effect.option(Deferred.await(kept.opened))
        if (running._tag === "Some" && (yield* running.value.resting)) yield* this.leave(kept, 0)
      }
    })
  }

  private get prune(): Effect.Effect<void> {
    const { keepClosed } = this.settings
    if (keepClosed === Infinity) return Effect.void
    return Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.ignore(this.store.prune({ closedBefore: now - keepClosed }))
    )
  }

  /** Takes nothing new, and lets go of everything in good order. */
  get drain(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.status === "closed" || this.status === "draining") return Effect.void
      if (this.status !== "deposed") this.status = "draining"
      return this.leaveAll(this.settings.drain, () => true)
    })
  }

  /** Ends this life of the runner. */
  get close(): Effect.Effect<void> {
    return Effect.andThen(
      this.drain,
      Effect.suspend(() => {
        const deposed = this.status === "deposed"
        this.status = "closed"
        this.flows.clear()
        return deposed ? Effect.void : Effect.ignore(this.store.leave(this.owner))
      })
    )
  }

  get health(): Effect.Effect<KeeperHealth> {
    return Effect.map(Clock.currentTimeMillis, (now) => ({
      status: this.status,
      ...this.owner,
      leaseAge: now - this.renewedAt,
      leaseFor: this.settings.lease,
      active: this.entries.size,
      stranded: this.stranded.size,
      ...(this.trouble === undefined ? {} : { trouble: this.trouble })
    }))
  }
}

/** There is an execution under the id already. */
class Taken {
  readonly head: Journals.JournalHead
  constructor(head: Journals.JournalHead) {
    this.head = head
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** What is not the same about two starts under one id. */
const conflictOf = (
  head: Journals.JournalHead,
  { flow, version }: Host.StartRequest,
  input: string
): Host.ExecutionConflict | undefined => {
  const differs =
    head.flow !== flow
      ? "flow"
      : version !== undefined && head.version !== version
        ? "version"
        : head.input !== input
          ? "input"
          : undefined
  return differs === undefined ? undefined : new Host.ExecutionConflict({ id: head.id, differs })
}

/** Whether an execution was found in memory. @category guards */
export const isKept = (found: Kept | Ended): found is Kept => found instanceof Kept

/** Begins the life of a runner; closing the Scope drains and ends it. @category constructors */
export const make = (
  settings: Settings,
  host: string
): Effect.Effect<Keeper, Host.ExecutionHostError, Journals.JournalStore | Scope.Scope> =>
  Effect.gen(function* () {
    const store = yield* Journals.JournalStore
    const scope = yield* Effect.scope
    const owner = { runner: settings.runner, incarnation: yield* freshId }
    const now = yield* Clock.currentTimeMillis
    const keeper = new Keeper(store, settings, owner, host, scope, now)
    yield* Effect.acquireRelease(
      Effect.mapError(store.join(owner, settings.lease), keeper.storeFailed("begin")),
      () => keeper.close
    )
    yield* Effect.forkIn(keeper.work, scope)
    return keeper
  })
