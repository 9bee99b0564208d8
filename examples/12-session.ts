// A conversation over several runs, kept in files: what was said is sent again, within a window. Then one answer is
// asked for anew, and the conversation is forked.
//
//   npm run example examples/12-session.ts
import { NodeFileSystem, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, FileSystem, Layer } from "effect"
import { Agent, Conversation, Session, SessionWindow } from "effigent"
import { SessionStores } from "effigent/layers/store"
import { ScriptedModel } from "effigent/testing"

const chat = Session.make({ window: SessionWindow.turns(2) })
const waiter = Agent.make({ system: "You are a waiter." })
const atTable = waiter.pipe(Session.attach(chat, "table-4"))

// The model says how much of the conversation it was shown.
const model = ScriptedModel.always(
  ScriptedModel.respond((request) => ScriptedModel.text(`I see ${request.prompt.content.length - 1} messages.`))
)

const program = Effect.gen(function* () {
  for (const input of ["A coffee, please.", "And some water.", "The bill.", "Thank you!"]) {
    yield* Console.log(`${input} -> ${yield* atTable.pipe(Agent.input(input), Agent.run)}`)
  }
  yield* Console.log(`kept: ${(yield* Conversation.messages("table-4")).length} messages`)

  yield* Console.log(`anew: ${yield* waiter.pipe(Session.regenerate(chat, "table-4"), Agent.run)}`)
  yield* Console.log(`still shown: ${(yield* Conversation.messages("table-4")).length} messages`)

  yield* Conversation.fork("table-4", "table-5", 2)
  yield* Console.log(`forked: ${(yield* Conversation.turns("table-5")).length} turn`)
})

const files = Layer.unwrap(
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    return SessionStores.file({ directory: yield* fs.makeTempDirectoryScoped() })
  })
).pipe(Layer.provide(NodeFileSystem.layer))

NodeRuntime.runMain(program.pipe(Effect.provide([files, model])))
