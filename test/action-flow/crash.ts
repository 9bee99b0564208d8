// Runs a durable flow of actions that all hang once they have done what they do, to be killed there.
import { NodeFileSystem, NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { ActionFlow } from "effigent/action-flow"
import { SnapshotStores } from "effigent/layers/store"
import { ScriptedModel } from "effigent/testing"
import { calls, office } from "./office.ts"

const [directory = ""] = process.argv.slice(2)
const store = SnapshotStores.file({ directory: `${directory}/runs` }).pipe(Layer.provide(NodeFileSystem.layer))
const flow = ActionFlow.make(office(directory, true), { durable: true })
const program = Effect.gen(function* () {
  const execution = yield* ActionFlow.open(flow, "Do it all.", { id: "job" })
  yield* execution.await
})
NodeRuntime.runMain(program.pipe(Effect.scoped, Effect.provide([store, ScriptedModel.layer([calls])])))
