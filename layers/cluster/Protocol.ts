/**
 * What is said between the processes of a cluster about one execution. What changes it is persisted: it is written down
 * before its runner hears of it, survives that runner, and under one key it is one request. What only reads is not.
 */
import * as ClusterSchema from "effect/cluster/ClusterSchema"
import * as Entity from "effect/cluster/Entity"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import * as Host from "../../services/ExecutionHost.ts"
import type { Place } from "./Places.ts"

/** One sending of a request. What makes the request itself idempotent stands in its payload. */
const key = { key: Schema.String }
const asked = Schema.Union([Host.UnknownExecution, Host.FlowFailed, Host.ExecutionHostError])

const Start = Rpc.make("Start", {
  payload: { ...key, request: Host.StartRequest },
  success: Schema.String,
  error: Schema.Union([Host.UnknownFlow, Host.ExecutionConflict, Host.FlowFailed, Host.ExecutionHostError]),
  primaryKey: ({ key }) => key
})
const Signal = Rpc.make("Signal", {
  payload: { ...key, signal: Schema.String, payload: Schema.Json, options: Host.SignalOptions },
  success: Schema.Array(Schema.Json),
  error: asked,
  primaryKey: ({ key }) => key
})
const Answer = Rpc.make("Answer", {
  payload: { ...key, question: Schema.String, value: Schema.Json, options: Host.AnswerOptions },
  error: asked,
  primaryKey: ({ key }) => key
})
const Intervene = Rpc.make("Intervene", {
  payload: { ...key, payload: Schema.Json, options: Host.InterveneOptions },
  success: Schema.String,
  error: asked,
  primaryKey: ({ key }) => key
})
const Seal = Rpc.make("Seal", { payload: key, error: asked, primaryKey: ({ key }) => key })
const Close = Rpc.make("Close", {
  payload: { ...key, options: Host.CloseOptions },
  success: Host.ExecutionView,
  error: asked,
  primaryKey: ({ key }) => key
})
const Cancel = Rpc.make("Cancel", {
  payload: { ...key, reason: Schema.String },
  success: Host.ExecutionView,
  error: asked,
  primaryKey: ({ key }) => key
})

const Get = Rpc.make("Get", { success: Host.ExecutionView, error: asked })
const Save = Rpc.make("Save", { success: Schema.Json, error: asked })
const Await = Rpc.make("Await", { success: Host.ExecutionView, error: asked })
const Watch = Rpc.make("Watch", {
  payload: { from: Schema.Int },
  success: Host.WatchEntry,
  error: asked,
  stream: true
})

// Who asked may go; what was asked for goes on. Where the runner goes, the next one does it: it is not waited for.
const changes = RpcGroup.make(Start, Signal, Answer, Intervene, Seal, Close, Cancel)
  .annotateRpcs(ClusterSchema.Persisted, true)
  .annotateRpcs(ClusterSchema.Uninterruptible, "client")

const reads = RpcGroup.make(Get, Save, Await, Watch)

const protocol = changes.merge(reads).annotateRpcs(ClusterSchema.InterruptOnTermination, true)

/**
 * The entity type of a place.
 *
 * @category constructors
 */
export const entityOf = (place: Place) =>
  Entity.fromRpcGroup(
    place.group,
    protocol.annotate(ClusterSchema.ShardGroup, () => place.group)
  )

/** The entity type of a place, as a type. @category models */
export type ExecutionEntity = ReturnType<typeof entityOf>
