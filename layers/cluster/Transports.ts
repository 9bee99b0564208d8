/**
 * How the processes of a cluster talk to each other: HTTP. The socket transport of effect 4.1 leaves Nagle's algorithm on
 * and takes about 65 ms for each chunk of a stream where HTTP takes about 4 ms, so it is not offered.
 */
import * as NodeClusterHttp from "@effect/platform-node/NodeClusterHttp"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as HttpRunner from "effect/cluster/HttpRunner"
import type { MessageStorage } from "effect/cluster/MessageStorage"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import * as Runners from "effect/cluster/Runners"
import type { RunnerStorage } from "effect/cluster/RunnerStorage"
import type { Sharding } from "effect/cluster/Sharding"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as RpcSerialization from "effect/rpc/RpcSerialization"

type Config = Partial<ShardingConfig.ShardingConfig["Service"]>

/**
 * A way for processes to take part: as a runner that serves others, and as one that only asks. The error is whatever
 * hinders it.
 *
 * @category models
 */
export interface Transport {
  readonly runner: (config: Config) => Layer.Layer<Sharding, unknown, MessageStorage | RunnerStorage>
  readonly client: (config: Config) => Layer.Layer<Sharding, unknown, MessageStorage | RunnerStorage>
}

const others = HttpRunner.layerClientProtocolHttpDefault.pipe(Layer.provide(NodeHttpClient.layerUndici))
const health = RunnerHealth.layerPing.pipe(Layer.provide(Runners.layerRpc), Layer.provide(others))

/** HTTP, with a server of its own for each runner. @category constructors */
export const http: Transport = {
  // A request a line would be a line for each step of an execution.
  runner: (config) =>
    HttpRouter.serve(HttpRunner.layerHttpOptions({ path: "/" }), { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provide([others, health, NodeClusterHttp.layerHttpServer]),
      Layer.provide([ShardingConfig.layer(config), RpcSerialization.layerSchemaBinary()])
    ),
  client: (config) =>
    HttpRunner.layerHttpClientOnly.pipe(
      Layer.provide(NodeHttpClient.layerUndici),
      Layer.provide([ShardingConfig.layer(config), RpcSerialization.layerSchemaBinary()])
    )
}
