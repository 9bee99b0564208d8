// Appends turns to a session that other processes append to at the same time.
import { NodeFileSystem } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { Agent, Session } from "effigent"
import { SessionStores } from "effigent/layers/store"
import { ScriptedModel } from "effigent/testing"

const [directory = "", name = "", count = "0"] = process.argv.slice(2)
const store = SessionStores.file({ directory }).pipe(Layer.provide(NodeFileSystem.layer))
const agent = Agent.make({}).pipe(Session.attach(Session.make(), "shared"))
const model = ScriptedModel.always(ScriptedModel.text("ok"))
const program = Effect.forEach(Array.from({ length: Number(count) }), (_, i) =>
  agent.pipe(Agent.input(`${name}-${i}`), Agent.run)
)
await Effect.runPromise(program.pipe(Effect.provide([store, model])))
