// What users tell is remembered over conversations: a small model reads each message beside the answer and says what to
// add, update or forget; later runs are told what bears on their input. Each user has memories of their own, can see them
// and have them erased. Both models are scripted, the embeddings are the built-in offline ones.
//
//   npm run example examples/27-memory.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Agent } from "effigent"
import { OfflineEmbeddings } from "effigent/layers/offline"
import { KnowledgeStores } from "effigent/layers/store"
import { Memory } from "effigent/memory"
import type { ModelRequest } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"

const promptOf = ({ prompt }: ModelRequest) => JSON.stringify(prompt)

// The model that answers says what it was told.
const model = ScriptedModel.always(
  ScriptedModel.respond((request) => {
    const known = [...promptOf(request).matchAll(/- (The user [^\\]*)/g)].map(([, fact]) => fact)
    return ScriptedModel.text(known.length === 0 ? "I know nothing of you." : `I know: ${known.join(" ")}`)
  })
)

// The small model that remembers.
const small = ScriptedModel.always(
  ScriptedModel.respond((request) => {
    const prompt = promptOf(request)
    const meat = /(\d+)\\*": The user eats no meat/.exec(prompt)?.[1]
    if (prompt.includes("since May") && meat !== undefined) {
      const operation = { op: "update", memory: Number(meat), text: "The user eats meat since May." }
      return ScriptedModel.json({ operations: [operation] })
    }
    const texts = prompt.includes("I am Ada") ? ["The user is called Ada.", "The user eats no meat."] : []
    return ScriptedModel.json({ operations: texts.map((text) => ({ op: "add", text })) })
  })
)

const memory = Memory.make({
  extractor: Agent.make({ model: "small" }).pipe(Agent.provideModel(small)),
  recall: { limit: 1 },
  report: ({ added, updated }) =>
    Effect.forEach(
      Object.entries({ added, updated }).filter(([, facts]) => facts.length > 0),
      ([what, facts]) => Console.log(`  ${what}: ${facts.map(({ text }) => text).join("; ")}`),
      { discard: true }
    )
})

const cook = Agent.make({ system: "You are a cook." })
const ask = (user: string, words: string) => cook.pipe(Memory.attach(memory, user), Agent.input(words), Agent.run)

const program = Effect.gen(function* () {
  for (const words of [
    "I am Ada, and I eat no meat.",
    "What shall I cook tonight? Meat is not what I eat.",
    "I eat meat again, since May."
  ]) {
    const said = yield* ask("ada", words)
    yield* Console.log(`${words} -> ${said}`)
  }
  yield* Console.log(`bob: ${yield* ask("bob", "What do I eat?")}`)

  const kept = yield* Memory.list(memory, "ada")
  yield* Console.log(
    `kept of ada: ${kept
      .map(({ text }) => text)
      .toSorted()
      .join(", ")}`
  )
  yield* Memory.erase(memory, "ada")
  yield* Console.log(`after erasing: ${(yield* Memory.list(memory, "ada")).length}`)
})

NodeRuntime.runMain(program.pipe(Effect.provide([model, OfflineEmbeddings.layer, KnowledgeStores.memory])))
