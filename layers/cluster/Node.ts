/**
 * This process as a runner. Which shard groups a runner joins is fixed when it joins, so it joins when no flow has been
 * registered for a moment; where flows are registered later it hands its executions over, leaves, and joins again.
 */
import * as Clock from "effect/Clock"
import type { MessageStorage } from "effect/cluster/MessageStorage"
import type { RunnerStorage } from "effect/cluster/RunnerStorage"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Host from "../../services/ExecutionHost.ts"
import type { Executions } from "./Executions.ts"
import { failed } from "./Errors.ts"
import * as Options from "./Options.ts"
import * as Owner from "./Owner.ts"
import { majorOf, type Place, placeOf } from "./Places.ts"
import { entityOf } from "./Protocol.ts"
import type { Transport } from "./Transports.ts"

type Storage = MessageStorage | RunnerStorage

/**
 * This process as a runner.
 *
 * @category models
 */
export class Node {
  readonly options: Options.RunnerOptions
  readonly transport: Transport
  readonly executions: Executions["Service"]
  readonly storage: Context.Context<Storage>
  readonly scope: Scope.Scope
  /** In the order of their registration. */
  readonly flows = new Map<string, Host.FlowRunner>()
  private readonly lock = Semaphore.makeUnsafe(1)
  private readonly changed = Latch.makeUnsafe(false)
  private changes = 0
  private live: Scope.Closeable | undefined
  /** What a change of the registrations here has to tell. */
  onChange: () => void = () => undefined
  closed = false

  constructor(
    options: Options.RunnerOptions,
    transport: Transport,
    executions: Executions["Service"],
    storage: Context.Context<Storage>,
    scope: Scope.Scope
  ) {
    this.options = options
    this.transport = transport
    this.executions = executions
    this.storage = storage
    this.scope = scope
  }

  /** Lets this runner run a flow until the Scope closes; then its executions have stopped here. */
  register(runner: Host.FlowRunner): Effect.Effect<void, Host.FlowRegistered | Host.ExecutionHostError, Scope.Scope> {
    const { flow, version } = runner
    const key = JSON.stringify([flow, version ?? null])
    return Effect.asVoid(
      Effect.acquireRelease(
        Effect.suspend((): Effect.Effect<void, Host.FlowRegistered | Host.ExecutionHostError> => {
          if (this.closed) return Effect.fail(failed("register a flow", "it has been closed.", false))
          if (this.flows.has(key))
            return Effect.fail(new Host.FlowRegistered({ flow, ...(version === undefined ? {} : { version }) }))
          this.flows.set(key, runner)
          return this.touch
        }),
        () =>
          Effect.andThen(
            Effect.suspend(() => {
              this.flows.delete(key)
              return this.lock.withPermit(this.leave)
            }),
            this.touch
          )
      )
    )
  }

  private get touch(): Effect.Effect<void> {
    return Effect.sync(() => {
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
      return live === undefined ? Effect.void : Scope.close(live, Exit.void)
    })
  }

  /** Stops for good. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.closed = true
      return this.lock.withPermit(this.leave)
    })
  }

  /** Joins with the flows that there are, whenever these have changed and no further one has come for a moment. */
  get run(): Effect.Effect<never> {
    const settle = this.options.settle ?? Options.defaults.settle
    return Effect.gen({ self: this }, function* () {
      while (true) {
        yield* this.changed.await
        this.changed.closeUnsafe()
        for (let seen = -1; seen !== this.changes;) {
          seen = this.changes
          yield* Effect.sleep(settle)
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
      const places = new Map<string, Place>()
      for (const { flow, version } of this.flows.values()) {
        const place = placeOf(flow, version)
        places.set(place.group, place)
      }
      const scope = yield* Scope.fork(this.scope)
      const began = yield* Clock.currentTimeMillis
      const entities = Layer.mergeAll(
        Layer.empty,
        ...[...places.values()].map((place) => {
          const entity = entityOf(place)
          return entity.toLayer(Owner.handlersOf(entity, place, this.shared), { concurrency: "unbounded" })
        })
      )
      const config = Options.ofRunner(this.options, [...places.keys()])
      const layer = Layer.provide(entities, this.transport.runner(config)).pipe(
        Layer.provide(Layer.succeedContext(this.storage))
      )
      // Nothing of it is shared with the client of this process, nor with the time before.
      const built = yield* Effect.exit(Layer.buildWithMemoMap(layer, Layer.makeMemoMapUnsafe(), scope))
      if (Exit.isFailure(built)) {
        yield* Scope.close(scope, built)
        return yield* built
      }
      this.live = scope
      const took = (yield* Clock.currentTimeMillis) - began
      yield* Effect.logDebug(`This runner has joined its cluster with ${places.size} flows after ${took} ms`)
    })
  }

  private get shared(): Owner.Shared {
    return {
      executions: this.executions,
      flowOf: (flow, version) => this.flowOf(flow, version),
      newest: (place) => this.newest(place),
      versions: (flow) =>
        [...this.flows.values()].flatMap((known) => (known.flow === flow ? [known.version ?? ""] : [])),
      activating: Semaphore.makeUnsafe(this.options.activations ?? Options.defaults.activations)
    }
  }

  /** The version itself, or else the last registration of its major version. */
  private flowOf(flow: string, version: string | undefined): Host.FlowRunner | undefined {
    return this.flows.get(JSON.stringify([flow, version ?? null])) ?? this.newest(placeOf(flow, version))
  }

  private newest({ flow, major }: Place): Host.FlowRunner | undefined {
    let last: Host.FlowRunner | undefined
    for (const runner of this.flows.values())
      if (runner.flow === flow && majorOf(runner.version) === major) last = runner
    return last
  }
}
