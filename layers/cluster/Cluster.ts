/**
 * `ExecutionHost` on many processes that share a PostgreSQL database: each execution is run by one runner at a time, and
 * by another when that one is no more. A program runs in one process or in many by swapping this Layer.
 */
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import * as Cause from "effect/Cause"
import type { MessageStorage } from "effect/cluster/MessageStorage"
import { RunnerStorage } from "effect/cluster/RunnerStorage"
import { Sharding } from "effect/cluster/Sharding"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SqlMessageStorage from "effect/cluster/SqlMessageStorage"
import * as SqlRunnerStorage from "effect/cluster/SqlRunnerStorage"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as SqlClient from "effect/sql/SqlClient"
import * as Host from "../../services/ExecutionHost.ts"
import { ExecutionKeeper } from "../../services/ExecutionKeeper.ts"
import { JournalStore } from "../../services/JournalStore.ts"
import * as Keeper from "../../src/durable/Keeper.ts"
import type { IsOurs } from "../../src/durable/Roster.ts"
import * as Operations from "../../src/durable/Operations.ts"
import { ClusterHost } from "./ClusterHost.ts"
import { failed } from "./Errors.ts"
import * as Leases from "./Leases.ts"
import { Node } from "./Node.ts"
import * as Options from "./Options.ts"
import * as Purging from "./Purging.ts"
import * as Transports from "./Transports.ts"

type Storage = MessageStorage | RunnerStorage

/**
 * How this process takes part in its cluster: what a readiness check asks.
 *
 * @category services
 */
export class ClusterMember extends Context.Service<
  ClusterMember,
  {
    /** Gives once it has joined: from then on executions and requests come to it. */
    readonly joined: Effect.Effect<void>
    readonly isJoined: Effect.Effect<boolean>
  }
>()("effigent/cluster/ClusterMember") {}

const hostOf = (options: Options.ClusterOptions, node: Node | undefined) =>
  Effect.gen(function* () {
    const host = new ClusterHost({
      node,
      options,
      sharding: yield* Sharding,
      runners: yield* RunnerStorage,
      journal: yield* JournalStore
    })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        host.closed = true
      })
    )
    return host.service()
  })

/** With what is needed to ask other runners, and every failure told as one of the host. */
const over = <A, E>(
  options: Options.ClusterOptions,
  transport: Transports.Transport,
  layer: Layer.Layer<A, E, Sharding | JournalStore | Storage>
) =>
  layer.pipe(
    Layer.provide(Layer.fresh(transport.client(Options.common(options)))),
    Layer.catchCause((cause) => {
      const error = Cause.squash(cause)
      return Layer.effectContext(
        Effect.fail(
          error instanceof Host.ExecutionHostError
            ? error
            : failed("join its cluster", `${String(error)}. See to the database.`, true)
        )
      )
    })
  )

/**
 * A runner, over storages and a transport of one's own: for tests.
 *
 * @category layers
 */
export const runnerOver = (
  options: Options.RunnerOptions,
  transport: Transports.Transport = Transports.http
): Layer.Layer<Host.ExecutionHost | ExecutionKeeper | ClusterMember, Host.ExecutionHostError, JournalStore | Storage> =>
  over(
    options,
    transport,
    Layer.effectContext(
      Effect.gen(function* () {
        const storage = yield* Effect.context<Storage>()
        const scope = yield* Effect.scope
        let node: Node | undefined = undefined as Node | undefined // It gets one below.
        const isOurs: IsOurs = (id, version) => node?.isOurs(id, version) === true
        const keeper = yield* Keeper.make(Options.ofKeeper(options), "cluster", isOurs)
        const member = new Node(options, transport, keeper, storage, scope)
        node = member
        yield* Effect.addFinalizer(() => member.close)
        yield* Effect.forkScoped(member.run)
        return Context.make(Host.ExecutionHost, yield* hostOf(options, member)).pipe(
          Context.add(ExecutionKeeper, { ...Operations.of(keeper), drain: member.close }),
          Context.add(ClusterMember, {
            joined: member.joined.await,
            isJoined: Effect.sync(() => member.joined.isOpen())
          })
        )
      })
    )
  )

/**
 * A client, over storages and a transport of one's own: for tests.
 *
 * @category layers
 */
export const clientOver = (
  options: Options.ClusterOptions,
  transport: Transports.Transport = Transports.http
): Layer.Layer<Host.ExecutionHost, Host.ExecutionHostError, JournalStore | Storage> =>
  over(options, transport, Layer.effect(Host.ExecutionHost, hostOf(options, undefined)))

/** The storages of a cluster in a database, with their tables. */
const storages = (
  options: Options.ClusterOptions
): Layer.Layer<Storage, Host.ExecutionHostError, SqlClient.SqlClient> =>
  Layer.merge(
    SqlMessageStorage.layer.pipe(Layer.provide(NodeCrypto.layerDigest)),
    Layer.provide(Leases.layer(Options.trusted(options)), SqlRunnerStorage.layer)
  ).pipe(
    Layer.provide(ShardingConfig.layer(Options.common(options))),
    Layer.fresh,
    Layer.catchCause((cause) =>
      Layer.effectContext(
        Effect.fail(failed("make the tables of its cluster", `${String(cause)}. See to the database.`, true))
      )
    )
  )

/**
 * A process that runs executions of the flows that are registered in it (`TriggerFlow.toLayer`), and can ask for any.
 * Executions are in the `JournalStore`, so they go on in another process when this one is no more. Closing the Layer
 * cancels nothing: handlers have `drain` to end, and everything is handed over.
 *
 * @example
 * ```ts
 * import { PgClient } from "@effect/sql-pg"
 * import { Layer, Redacted, Schema } from "effect"
 * import { Cluster } from "effigent/layers/cluster"
 * import { JournalStores } from "effigent/layers/sql-store"
 * import { Chain, TriggerFlow } from "effigent/triggerflow"
 *
 * const Greet = TriggerFlow.define("greet", { version: "1.0", input: Schema.String, result: Schema.String })
 * const greet = Greet.build(Greet.start.pipe(Chain.result))
 *
 * // The program of a runner is `Layer.launch(runner)`; one that only asks has `Cluster.client()` instead.
 * export const runner = TriggerFlow.toLayer(greet).pipe(
 *   Layer.provideMerge(Cluster.runner({ host: "10.0.0.7", port: 34431 })),
 *   Layer.provide(JournalStores.layer()),
 *   Layer.provide(PgClient.layer({ url: Redacted.make("postgres://localhost/shop") }))
 * )
 * ```
 *
 * @category layers
 */
export const runner = (
  options: Options.RunnerOptions
): Layer.Layer<
  Host.ExecutionHost | ExecutionKeeper | ClusterMember,
  Host.ExecutionHostError,
  JournalStore | SqlClient.SqlClient
> =>
  Layer.provide(
    Layer.merge(
      runnerOver(options),
      Purging.layer(Options.millis(options.keepRequests ?? Options.defaults.keepRequests))
    ),
    storages(options)
  )

/**
 * A process that runs nothing, and can start, signal, answer, watch and list executions of any flow that a runner has.
 *
 * @category layers
 */
export const client = (
  options: Options.ClusterOptions = {}
): Layer.Layer<Host.ExecutionHost, Host.ExecutionHostError, JournalStore | SqlClient.SqlClient> =>
  Layer.provide(clientOver(options), storages(options))
