/**
 * This process as a runner. Which shard groups a runner joins is fixed when it joins, so it joins when no flow has been
 * registered for a moment; where flows are registered later it hands its executions over, leaves, and joins again.
 *
 * An execution belongs to whoever has the lock of its shard. The keeper of this runner asks `isOurs` all the time: it takes
 * what nobody has and is its own (its runner has died, or a timer is due), and lets go of what is not its own any more. So
 * nothing has to be sent to wake an execution, and a request finds whoever has it.
 */
import * as Clock from "effect/Clock"
import * as EntityId from "effect/cluster/EntityId"
import type { MessageStorage } from "effect/cluster/MessageStorage"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import { RunnerStorage } from "effect/cluster/RunnerStorage"
import type { ShardId } from "effect/cluster/ShardId"
import { Sharding } from "effect/cluster/Sharding"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Host from "../../services/ExecutionHost.ts"
import { Hosting } from "../../src/durable/Hosting.ts"
import type { Keeper } from "../../src/durable/Keeper.ts"
import type { IsOurs } from "../../src/durable/Roster.ts"
import { failed, fromSend } from "./Errors.ts"
import * as Options from "./Options.ts"
import * as Owner from "./Owner.ts"
import { type Place, placeOf } from "./Places.ts"
import { entityOf } from "./Protocol.ts"
import type { Transport } from "./Transports.ts"

type Storage = MessageStorage | RunnerStorage
type Version = Parameters<IsOurs>[1]

interface Live {
  readonly scope: Scope.Closeable
  readonly sharding: Sharding["Service"]
}

const keyOf = ({ flow, version }: Version): string => JSON.stringify([flow, version ?? null])

/** How long it waits, after a flow has gone, before it joins with those that are left: they may be going too. */
const departing = 1000

/** How often it looks whether it is in the list, in milliseconds. */
const again = 25

/**
 * This process as a runner.
 *
 * @category models
 */
export class Node {
  readonly options: Options.RunnerOptions
  readonly transport: Transport
  /** The executions that it has. */
  readonly keeper: Keeper
  readonly storage: Context.Context<Storage>
  readonly scope: Scope.Scope
  /** Open while it can tell what is its own. */
  private readonly ready = Latch.makeUnsafe(false)
  /** Open while it has joined, and others know of it. */
  readonly joined = Latch.makeUnsafe(false)
  /** In the order of their registration. */
  readonly flows = new Map<string, { readonly runner: Host.FlowRunner; readonly place: Place }>()
  private readonly lock = Semaphore.makeUnsafe(1)
  private readonly changed = Latch.makeUnsafe(false)
  private changes = 0
  private pause: number
  private live: Live | undefined
  /** What a change of the registrations here has to tell. */
  onChange: () => void = () => undefined
  closed = false

  constructor(
    options: Options.RunnerOptions,
    transport: Transport,
    keeper: Keeper,
    storage: Context.Context<Storage>,
    scope: Scope.Scope
  ) {
    this.options = options
    this.transport = transport
    this.keeper = keeper
    this.storage = storage
    this.scope = scope
    this.pause = this.settle
  }

  private get settle(): number {
    return Options.millis(this.options.settle ?? Options.defaults.settle)
  }

  /** Lets this runner run a flow until the Scope closes; then its executions have stopped here. */
  register(runner: Host.FlowRunner): Effect.Effect<void, Host.FlowRegistered | Host.ExecutionHostError, Scope.Scope> {
    const { flow, version } = runner
    const key = keyOf(runner)
    const enter = Effect.suspend((): Effect.Effect<void, Host.FlowRegistered | Host.ExecutionHostError> => {
      if (this.closed) return Effect.fail(failed("register a flow", "it has been closed.", false))
      if (this.flows.has(key))
        return Effect.fail(new Host.FlowRegistered({ flow, ...(version === undefined ? {} : { version }) }))
      this.flows.set(key, { runner, place: placeOf(flow, version) })
      return this.touch(this.settle)
    })
    const exit = Effect.suspend(() => {
      this.flows.delete(key)
      return Effect.andThen(this.lock.withPermit(this.leave), this.touch(Math.max(this.settle, departing)))
    })
    return Effect.andThen(
      Effect.acquireRelease(enter, () => exit),
      // It is gone from the keeper before it is gone from here: what is at work in it is let go of first.
      this.keeper.register(runner)
    )
  }

  private touch(pause: number): Effect.Effect<void> {
    return Effect.sync(() => {
      this.pause = pause
      this.changes++
      this.onChange()
      this.changed.openUnsafe()
    })
  }

  /** Hands over what is here and stops. Called with the lock held. */
  private get leave(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { live } = this
      this.live = undefined
      this.ready.closeUnsafe()
      this.joined.closeUnsafe()
      return live === undefined ? Effect.void : Scope.close(live.scope, Exit.void)
    })
  }

  /** Lets everything go in good order, and then leaves for good. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.closed = true
      // As long as it has the locks nobody takes an execution away from a handler that is about to end.
      return Effect.andThen(this.keeper.drain, this.lock.withPermit(this.leave))
    })
  }

  /** Joins with the flows that there are, whenever these have changed and no further one has come for a moment. */
  get run(): Effect.Effect<never> {
    return Effect.gen({ self: this }, function* () {
      while (true) {
        yield* this.changed.await
        this.changed.closeUnsafe()
        for (let seen = -1; seen !== this.changes;) {
          seen = this.changes
          yield* Effect.sleep(this.pause)
        }
        const joined = yield* Effect.exit(this.lock.withPermit(this.join))
        if (Exit.isFailure(joined)) {
          yield* Effect.logError("This runner cannot join its cluster; it tries again in a second", joined.cause)
          yield* Effect.sleep(1000)
          this.changed.openUnsafe()
        }
      }
    })
  }

  private get join(): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      yield* this.leave
      if (this.flows.size === 0 || this.closed) return
      const places = [...this.flows.values()].map(({ place }) => place)
      const scope = yield* Scope.fork(this.scope)
      const began = yield* Clock.currentTimeMillis
      const entities = Layer.mergeAll(
        Layer.empty,
        ...places.map((place) => {
          const entity = entityOf(place)
          return entity.toLayer(Owner.handlersOf(entity, place, this.shared), { concurrency: "unbounded" })
        })
      )
      const config = Options.ofRunner(
        this.options,
        places.map(({ group }) => group)
      )
      const layer = Layer.provideMerge(entities, this.transport.runner(config)).pipe(
        Layer.provide(Layer.succeedContext(this.storage))
      )
      // Nothing of it is shared with the client of this process, nor with the time before.
      const built = yield* Effect.exit(Layer.buildWithMemoMap(layer, Layer.makeMemoMapUnsafe(), scope))
      if (Exit.isFailure(built)) {
        yield* Scope.close(scope, built)
        return yield* built
      }
      this.live = { scope, sharding: Context.get(built.value, Sharding) }
      this.ready.openUnsafe()
      const told = Effect.andThen(
        this.listed,
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          this.joined.openUnsafe()
          return Effect.logDebug(`This runner has joined its cluster after ${now - began} ms`)
        })
      )
      yield* Effect.forkIn(told, scope)
    })
  }

  /** Gives when this runner is in the list that others go by. */
  private get listed(): Effect.Effect<void> {
    const storage = Context.get(this.storage, RunnerStorage)
    const { address } = this
    return Effect.gen(function* () {
      while (true) {
        const runners = yield* Effect.option(storage.getRunners)
        if (runners._tag === "Some" && runners.value.some(([{ address: one }]) => Equal.equals(one, address))) return
        yield* Effect.sleep(again)
      }
    })
  }

  private get address(): RunnerAddress.RunnerAddress {
    return RunnerAddress.make(this.options.host, this.options.port)
  }

  // --- whose an execution is ---

  private shardOf({ sharding }: Live, id: string, { group }: Place): ShardId {
    return sharding.getShardId(EntityId.make(id), group)
  }

  /** Whether an execution is in a shard that this runner has, as it believes. */
  readonly isOurs: IsOurs = (id, version) => {
    const { live } = this
    const place = this.flows.get(keyOf(version))?.place
    return live !== undefined && place !== undefined && live.sharding.hasShardId(this.shardOf(live, id, place))
  }

  /**
   * Whether it has the shard for certain: it asks the database where it has not heard of it for a moment. One that was
   * frozen does not know yet what it has lost, and must not take it back from whoever has it now.
   */
  private holds(operation: string, id: string, place: Place): Effect.Effect<boolean, Host.ExecutionHostError> {
    return Effect.suspend(() => {
      const { live } = this
      if (live === undefined || !this.isOurs(id, place)) return Effect.succeed(false)
      const { address } = this
      const shard = this.shardOf(live, id, place)
      return Effect.mapBoth(Context.get(this.storage, RunnerStorage).refresh(address, [shard]), {
        onFailure: (error) => fromSend(operation, error),
        onSuccess: (held) => held.length > 0
      })
    })
  }

  private admit(id: string, place: Place): Effect.Effect<void, Host.ExecutionHostError> {
    const operation = `reach ${id}`
    return Effect.andThen(
      this.ready.await,
      Effect.suspend(() => {
        if (this.keeper.runnerOf(place.flow, place.version) === undefined)
          return Effect.fail(failed(operation, "this runner is about to leave. Ask again.", true))
        const kept = this.keeper.find(id)
        // One that is being let go of may have to be taken anew, and is perhaps another runner's by then.
        if (kept !== undefined && !kept.leaving) return Effect.void
        return Effect.flatMap(this.holds(operation, id, place), (held) =>
          held ? Effect.void : Effect.fail(failed(operation, "another runner has it by now. Ask again.", true))
        )
      })
    )
  }

  private get shared(): Owner.Shared {
    const { keeper } = this
    return {
      host: new Hosting(keeper, true).service(),
      admit: (id, place) => this.admit(id, place),
      handOver: (id, place) => Effect.suspend(() => (this.isOurs(id, place) ? Effect.void : keeper.deactivate(id)))
    }
  }
}
