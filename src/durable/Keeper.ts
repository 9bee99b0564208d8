/**
 * The executions of one runner: it owns them in the journal, has those in memory in which something is to be done, finds
 * those that nobody has any more, and puts aside what cannot go on. `ExecutionHost` and `ExecutionKeeper` stand on it, in
 * one process or behind a cluster.
 *
 * Everything is guarded by the fence of the journal: whatever this runner believes, an execution that another one has
 * claimed takes nothing from it any more.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { EffectLedger } from "../../services/EffectLedger.ts"
import * as Host from "../../services/ExecutionHost.ts"
import type { KeeperHealth } from "../../services/ExecutionKeeper.ts"
import * as Journals from "../../services/JournalStore.ts"
import { freshId } from "../triggerflow/Opening.ts"
import * as Holding from "./Holding.ts"
import type { Kept } from "./Kept.ts"
import * as Lease from "./Lease.ts"
import * as Recovering from "./Recovering.ts"
import { type IsOurs, Roster } from "./Roster.ts"
import { problemOf, type Settings } from "./Settings.ts"
import * as Starting from "./Starting.ts"

/** Whether an execution was found in memory. @category guards */
export const isKept = Recovering.isKept

/**
 * The executions of one runner.
 *
 * @category models
 */
export class Keeper {
  private readonly roster: Roster
  private readonly drained = Deferred.makeUnsafe<void>()
  private draining = false

  constructor(roster: Roster) {
    this.roster = roster
  }

  get store(): Journals.JournalStore["Service"] {
    return this.roster.store
  }

  get settings(): Settings {
    return this.roster.settings
  }

  get owner(): Journals.Owner {
    return this.roster.owner
  }

  get host(): string {
    return this.roster.host
  }

  /** A failure of this host. */
  failed(operation: string, detail: string, retryable = false): Host.ExecutionHostError {
    return this.roster.failed(operation, detail, retryable)
  }

  /** A failure of the store, told as one of the host. */
  get storeFailed(): Roster["storeFailed"] {
    return this.roster.storeFailed
  }

  /** Lets this runner run a flow until the Scope closes; what is interrupted goes on at once. */
  register(runner: Host.FlowRunner): Effect.Effect<void, Host.FlowRegistered | Host.ExecutionHostError, Scope.Scope> {
    const { roster } = this
    const { flow, version } = runner
    const enter = Effect.flatMap(roster.admit(`register ${flow}`), (): Effect.Effect<void, Host.FlowRegistered> =>
      roster.add(runner)
        ? Effect.void
        : Effect.fail(new Host.FlowRegistered({ flow, ...(version === undefined ? {} : { version }) }))
    )
    const leave = Effect.suspend(() => {
      roster.remove(runner)
      // What its handlers need is about to be closed.
      return Holding.leaveAll(roster, roster.settings.drain, (kept) => kept.runner === runner)
    })
    return Effect.andThen(
      Effect.acquireRelease(enter, () => leave),
      Effect.asVoid(this.recover)
    )
  }

  /** An execution, where it is in memory. */
  find(id: string): Kept | undefined {
    return this.roster.entries.get(id)
  }

  runnerOf(flow: string, version: string | undefined): Host.FlowRunner | undefined {
    return this.roster.runnerOf(flow, version)
  }

  /** Starts an execution, or joins the one that there is; gives its id. */
  start(
    request: Host.StartRequest
  ): Effect.Effect<string, Host.UnknownFlow | Host.ExecutionConflict | Host.FlowFailed | Host.ExecutionHostError> {
    return Starting.start(this.roster, request)
  }

  /** Takes executions that nobody has any more; gives their ids. */
  get recover(): Effect.Effect<ReadonlyArray<string>, Host.ExecutionHostError> {
    return Recovering.recover(this.roster)
  }

  /** Takes one execution into memory, whether something is to be done in it or not. */
  activate(
    id: string,
    options: { readonly force?: boolean } = {}
  ): Effect.Effect<Kept | Recovering.Ended, Host.UnknownExecution | Host.ExecutionHostError | Host.FlowFailed> {
    return Recovering.activate(this.roster, id, options)
  }

  /** Lets go of one execution that is in memory: others may have it at once. */
  deactivate(id: string, drain = this.settings.drain): Effect.Effect<void> {
    return Holding.leaveAll(this.roster, drain, (kept) => kept.id === id)
  }

  /** Takes nothing new, and lets go of everything in good order. Gives when that is done, whoever has begun it. */
  get drain(): Effect.Effect<void> {
    const { roster } = this
    return Effect.suspend(() => {
      if (this.draining) return Deferred.await(this.drained)
      this.draining = true
      if (roster.status !== "deposed" && roster.status !== "closed") roster.status = "draining"
      return Effect.ensuring(
        Holding.leaveAll(roster, roster.settings.drain, () => true),
        Deferred.succeed(this.drained, undefined)
      )
    })
  }

  /** Ends this life of the runner. */
  get close(): Effect.Effect<void> {
    const { roster } = this
    return Effect.andThen(
      this.drain,
      Effect.suspend(() => {
        const deposed = roster.status === "deposed"
        roster.status = "closed"
        roster.flows.clear()
        return deposed ? Effect.void : Effect.ignore(roster.store.leave(roster.owner))
      })
    )
  }

  /** How the runner is. */
  get health(): Effect.Effect<KeeperHealth> {
    const { entries, owner, settings, stranded } = this.roster
    return Effect.map(Clock.currentTimeMillis, (now) => {
      const { renewedAt, status, trouble } = this.roster
      return {
        status,
        ...owner,
        leaseAge: now - renewedAt,
        leaseFor: settings.lease,
        active: entries.size,
        stranded: stranded.size,
        ...(trouble === undefined ? {} : { trouble })
      }
    })
  }
}

/**
 * Begins the life of a runner; closing the Scope drains and ends it. `isOurs`: which executions it looks after, where
 * something else spreads them over the runners; without it, all that nobody has.
 *
 * @category constructors
 */
export const make = (
  settings: Settings,
  host: string,
  isOurs?: IsOurs
): Effect.Effect<Keeper, Host.ExecutionHostError, Journals.JournalStore | Scope.Scope> =>
  Effect.uninterruptible(
    Effect.gen(function* () {
      const store = yield* Journals.JournalStore
      const ledger = Option.getOrUndefined(yield* Effect.serviceOption(EffectLedger))
      const scope = yield* Effect.scope
      const owner = { runner: settings.runner, incarnation: yield* freshId }
      const roster = new Roster(store, settings, owner, host, scope, yield* Clock.currentTimeMillis, isOurs, ledger)
      const keeper = new Keeper(roster)
      const problem = problemOf(settings)
      if (problem !== undefined) return yield* Effect.fail(keeper.failed("begin", problem))
      yield* Effect.mapError(store.join(owner, settings.lease), keeper.storeFailed("begin"))
      // The lease is renewed until everything is let go of, so it is ended after that.
      yield* Effect.forkIn(Lease.work(roster), scope)
      yield* Scope.addFinalizer(scope, keeper.close)
      return keeper
    })
  )
