// effect/ai on our providers: a Chat with tools and an object. And the other way round: an agent on any LanguageModel of
// effect/ai. A scripted model stands for the real one; any other Layer of ModelProvider fits in its place.
//
//   npm run example examples/14-effect-ai.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Schema } from "effect"
import { Chat, Prompt, Tool, Toolkit } from "effect/ai"
import { Agent, Output } from "effigent"
import { EffectAi } from "effigent/layers/effect-ai"
import { ScriptedModel } from "effigent/testing"

const Stock = Tool.make("stock", {
  description: "How many pieces of an article are in stock",
  parameters: Schema.Struct({ article: Schema.String.annotate({ description: "Name of the article" }) }),
  success: Schema.Struct({ article: Schema.String, pieces: Schema.Int })
})
const Tools = Toolkit.make(Stock)
const ToolsLive = Tools.toLayer({ stock: ({ article }) => Effect.succeed({ article, pieces: 17 }) })

const Order = Schema.Struct({
  article: Output.ensure(Schema.String, "What is ordered"),
  pieces: Output.ensure(Schema.Int, "How many")
})

// effect/ai runs the tools of a turn and leaves the next turn to the program.
const answer = Effect.fn("answer")(function* (chat: Chat.Chat, question: string) {
  let prompt: Prompt.RawInput = question
  for (let turn = 1; turn <= 4; turn++) {
    const response = yield* chat.generateText({ prompt, toolkit: Tools })
    for (const result of response.toolResults) yield* Console.log(`tool ${result.name}:`, result.result)
    if (response.finishReason !== "tool-calls") return response.text
    prompt = Prompt.empty
  }
  return "(too many turns)"
})

const program = Effect.gen(function* () {
  const chat = yield* Chat.fromPrompt([{ role: "system", content: "You answer for a shop." }])
  yield* Console.log(`answer: ${yield* answer(chat, "How many desk lamps are there?")}`)
  const order = yield* chat.generateObject({ prompt: "Three of them, please.", schema: Order })
  yield* Console.log("order:", order.value)

  // The LanguageModel of this program, or of any package for effect/ai, as the model of an agent.
  const clerk = Agent.make({ instruct: "Take the order.", output: Order }).pipe(
    Agent.provideModel(EffectAi.modelProvider)
  )
  yield* Console.log("again:", yield* clerk.pipe(Agent.input("A dozen chairs, please."), Agent.run))
})

const provider = ScriptedModel.layer([
  ScriptedModel.toolCalls([{ name: "stock", input: { article: "desk lamp" } }]),
  ScriptedModel.text("There are 17 desk lamps."),
  ScriptedModel.text('Gladly: ```json\n{"article": "desk lamp", "pieces": 3}\n```'),
  ScriptedModel.json({ article: "chair", pieces: 12 })
])
const model = EffectAi.languageModel.pipe(Layer.provide(provider))

NodeRuntime.runMain(program.pipe(Effect.provide([model, ToolsLive])))
