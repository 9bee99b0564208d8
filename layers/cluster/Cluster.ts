/**
 * `ExecutionHost` on many processes that share a PostgreSQL database: each execution is run by one runner at a time, and
 * by another when that one is no more. A program runs in one process or in many by swapping this Layer.
 */
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import type { MessageStorage } from "effect/cluster/MessageStorage"
import { RunnerStorage } from "effect/cluster/RunnerStorage"
import { Sharding } from "effect/cluster/Sharding"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SqlMessageStorage from "effect/cluster/SqlMessageStorage"
import * as SqlRunnerStorage from "effect/cluster/SqlRunnerStorage"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as SqlClient from "effect/sql/SqlClient"
import * as Host from "../../services/ExecutionHost.ts"
import { JournalStore } from "../../services/JournalStore.ts"
import { ClusterHost } from "./ClusterHost.ts"
import { failed } from "./Errors.ts"
import { EndedExecutions, Executions } from "./Executions.ts"
import * as Leases from "./Leases.ts"
import { Node } from "./Node.ts"
import * as Options from "./Options.ts"
import * as Transports from "./Transports.ts"

type Storage = MessageStorage | RunnerStorage

const make = <R>(
  options: Options.ClusterOptions,
  transport: Transports.Transport,
  makeNode: Effect.Effect<Node | undefined, never, R>
) =>
  Effect.gen(function* () {
    const node = yield* makeNode
    const host = new ClusterHost({
      node,
      options,
      sharding: yield* Sharding,
      runners: yield* RunnerStorage,
      journal: yield* JournalStore,
      ended: yield* EndedExecutions
    })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        host.closed = true
      })
    )
    return host.service()
  }).pipe(
    Layer.effect(Host.ExecutionHost),
    Layer.provide(Layer.fresh(transport.client(Options.common(options)))),
    Layer.catchCause((cause) =>
      Layer.effectContext(Effect.fail(failed("join its cluster", `${String(cause)}. See to the database.`, true)))
    )
  )

/**
 * A runner, over storages and a transport of one's own: for tests.
 *
 * @category layers
 */
export const runnerOver = (
  options: Options.RunnerOptions,
  transport: Transports.Transport = Transports.http
): Layer.Layer<Host.ExecutionHost, Host.ExecutionHostError, Executions | EndedExecutions | JournalStore | Storage> =>
  make(
    options,
    transport,
    Effect.gen(function* () {
      const context = yield* Effect.context<Storage>()
      const scope = yield* Effect.scope
      const node = new Node(options, transport, yield* Executions, context, scope)
      yield* Effect.addFinalizer(() => node.close)
      yield* Effect.forkScoped(node.run)
      return node
    })
  )

/**
 * A client, over storages and a transport of one's own: for tests.
 *
 * @category layers
 */
export const clientOver = (
  options: Options.ClusterOptions,
  transport: Transports.Transport = Transports.http
): Layer.Layer<Host.ExecutionHost, Host.ExecutionHostError, EndedExecutions | JournalStore | Storage> =>
  make(
    options,
    transport,
    Effect.sync((): Node | undefined => undefined)
  )

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
 *
 * @category layers
 */
export const runner = (
  options: Options.RunnerOptions
): Layer.Layer<
  Host.ExecutionHost,
  Host.ExecutionHostError,
  Executions | EndedExecutions | JournalStore | SqlClient.SqlClient
> => Layer.provide(runnerOver(options), storages(options))

/**
 * A process that runs nothing, and can start, signal, answer, watch and list executions of any flow that a runner has.
 *
 * @category layers
 */
export const client = (
  options: Options.ClusterOptions = {}
): Layer.Layer<Host.ExecutionHost, Host.ExecutionHostError, EndedExecutions | JournalStore | SqlClient.SqlClient> =>
  Layer.provide(clientOver(options), storages(options))
