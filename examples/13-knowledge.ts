// Passages are found by meaning and laid into the prompt with their ids, so that the answer can name its sources. The
// embeddings are the built-in offline ones; the model is scripted to name the ids that it was shown.
//
//   npm run example examples/13-knowledge.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Agent, Filter, Knowledge } from "effigent"
import { OfflineEmbeddings } from "effigent/layers/offline"
import { KnowledgeStores } from "effigent/layers/store"
import { ScriptedModel } from "effigent/testing"

const manual: ReadonlyArray<Knowledge.Document> = [
  { id: "reset", text: "To reset the lamp, hold its power button for ten seconds.", meta: { product: "lamp" } },
  { id: "bulb", text: "The bulb of the lamp cannot be replaced by the user.", meta: { product: "lamp" } },
  { id: "pair", text: "To pair the speaker, hold its power button for three seconds.", meta: { product: "speaker" } },
  { id: "warranty", text: "The warranty covers two years from the date of purchase.", meta: { product: "all" } }
]

const helper = Agent.make({ instruct: "Answer from what you know, and name the ids of your sources." }).pipe(
  Knowledge.info({ collection: "manual", limit: 2, minScore: 0.1, filter: Filter.isIn("product", ["lamp", "all"]) })
)

const model = ScriptedModel.always(
  ScriptedModel.respond((request) => {
    const ids = [...JSON.stringify(request.prompt).matchAll(/id: (\w+)/g)].map(([, id]) => id)
    return ScriptedModel.text(`For ten seconds. [${ids.join(", ")}]`)
  })
)

const program = Effect.gen(function* () {
  yield* Knowledge.add("manual", manual)
  const question = "How long do I hold the power button to reset my lamp?"
  for (const { id, score } of yield* Knowledge.search("manual", question, { limit: 3 })) {
    yield* Console.log(`${score.toFixed(2)} ${id}`)
  }
  yield* Console.log(yield* helper.pipe(Agent.input(question), Agent.run))
})

NodeRuntime.runMain(program.pipe(Effect.provide([model, OfflineEmbeddings.layer, KnowledgeStores.memory])))
