/**
 * P10: what acting costs. A run of two turns with one action, with a model that answers at once, beside others who do the
 * same; and a streamed argument of a call beside a text as long.
 */
import * as Chat from "effect/ai/Chat"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { type ModelEvent, ModelProvider } from "../../services/ModelProvider.ts"
import * as Action from "../../src/action/Action.ts"
import * as Actions from "../../src/action/Actions.ts"
import * as Agent from "../../src/agent/Agent.ts"
import { type Figure, figure, race } from "./measure.ts"
import * as Peers from "./peers.ts"

const runs = 3_000

const City = Schema.Struct({ city: Schema.String })
const Weather = Schema.Struct({ celsius: Schema.Number })

const calling: ReadonlyArray<ModelEvent> = [
  { _tag: "ToolCall", index: 0, id: "1", name: "weather", arguments: '{"city":"Oslo"}', input: { city: "Oslo" } },
  { _tag: "Finish", reason: "tool-calls" }
]
const answering: ReadonlyArray<ModelEvent> = [
  { _tag: "Text", text: "It is 4 degrees." },
  { _tag: "Finish", reason: "stop" }
]
const model: ModelProvider["Service"] = {
  name: "bench",
  stream: ({ prompt }) => Stream.fromIterable(prompt.content.some(({ role }) => role === "tool") ? answering : calling)
}

const weather = Action.make("weather", {
  description: "The weather in a city.",
  input: City,
  output: Weather,
  run: ({ city }) => Effect.succeed({ celsius: city.length })
})
const plain = Agent.make({ system: "You know the weather.", input: "Is it cold in Oslo?" })
const acting = Actions.use(plain, [weather])

const many = <E, R>(one: Effect.Effect<unknown, E, R>) =>
  Effect.forEach(Array.from({ length: runs }), () => one, { discard: true })
const run = <E>(effect: Effect.Effect<unknown, E, ModelProvider>) =>
  Effect.runPromise(Effect.provideService(many(effect), ModelProvider, model))

// The chat of effect/ai runs the tools of one turn; a program asks on, as its guide says.
const effectAi = async (): Promise<() => Promise<unknown>> => {
  const kit = Toolkit.make(Tool.make("weather", { description: "The weather.", parameters: City, success: Weather }))
  const handlers = kit.toLayer({ weather: ({ city }) => Effect.succeed({ celsius: city.length }) })
  const usage = {
    inputTokens: { uncached: undefined, total: 1, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: 1, text: undefined, reasoning: undefined }
  }
  const language = await Effect.runPromise(
    LanguageModel.make({
      streamText: () => Stream.empty,
      generateText: ({ prompt }) =>
        Effect.succeed(
          prompt.content.some(({ role }) => role === "tool")
            ? [
                { type: "text", text: "It is 4 degrees." },
                { type: "finish", reason: "stop", usage, response: undefined }
              ]
            : [
                { type: "tool-call", id: "1", name: "weather", params: { city: "Oslo" } },
                { type: "finish", reason: "tool-calls", usage, response: undefined }
              ]
        )
    })
  )
  const one = Effect.gen(function* () {
    const chat = yield* Chat.fromPrompt([{ role: "system", content: "You know the weather." }])
    let response = yield* chat.generateText({ prompt: "Is it cold in Oslo?", toolkit: kit })
    while (response.toolCalls.length > 0) response = yield* chat.generateText({ prompt: [], toolkit: kit })
    return response.text
  }).pipe(Effect.provideService(LanguageModel.LanguageModel, language), Effect.provide(handlers))
  return () => Effect.runPromise(many(one))
}

const aiSdk = async (): Promise<() => Promise<unknown>> => {
  const { generateText, jsonSchema, stepCountIs, tool } = await Peers.aiSdk()
  const { MockLanguageModelV4 } = await Peers.aiSdkTest()
  const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } }
  const model = new MockLanguageModelV4({
    doGenerate: async ({ prompt }: { readonly prompt: ReadonlyArray<{ readonly role: string }> }) =>
      prompt.some(({ role }) => role === "tool")
        ? {
            content: [{ type: "text", text: "It is 4 degrees." }],
            finishReason: { unified: "stop" },
            usage,
            warnings: []
          }
        : {
            content: [{ type: "tool-call", toolCallId: "1", toolName: "weather", input: '{"city":"Oslo"}' }],
            finishReason: { unified: "tool-calls" },
            usage,
            warnings: []
          }
  })
  const tools = {
    weather: tool({
      description: "The weather in a city.",
      inputSchema: jsonSchema({
        type: "object",
        properties: { city: { type: "string" } },
        required: ["city"]
      }),
      execute: async ({ city }: { readonly city: string }) => ({ celsius: city.length })
    })
  }
  return async () => {
    for (let n = 0; n < runs; n++) {
      const { text } = await generateText({
        model,
        system: "You know the weather.",
        prompt: "Is it cold in Oslo?",
        tools,
        stopWhen: stepCountIs(5)
      })
      if (text !== "It is 4 degrees.") throw new Error(`the AI SDK answered ${text}`)
    }
  }
}

// An argument of 100,000 characters in deltas of four, and a field of an answer as long.
const pieces = Array.from({ length: 25_000 }, () => "word")
const asText: ModelProvider["Service"] = {
  name: "bench",
  stream: () =>
    Stream.fromIterable<ModelEvent>([
      { _tag: "Text", text: '{"text":"' },
      ...pieces.map((text): ModelEvent => ({ _tag: "Text", text })),
      { _tag: "Text", text: '"}' },
      { _tag: "Finish", reason: "stop" }
    ]).pipe(Stream.rechunk(16))
}
const argument = JSON.stringify({ text: pieces.join("") })
const asArgument: ModelProvider["Service"] = {
  name: "bench",
  stream: ({ prompt }) =>
    prompt.content.some(({ role }) => role === "tool")
      ? Stream.fromIterable(answering)
      : Stream.fromIterable<ModelEvent>([
          { _tag: "ToolCallDelta", index: 0, id: "1", name: "write", delta: '{"text":"' },
          ...pieces.map((delta): ModelEvent => ({ _tag: "ToolCallDelta", index: 0, id: "1", name: "write", delta })),
          { _tag: "ToolCallDelta", index: 0, id: "1", name: "write", delta: '"}' },
          {
            _tag: "ToolCall",
            index: 0,
            id: "1",
            name: "write",
            arguments: argument,
            // What the provider has parsed is JSON.
            input: JSON.parse(argument) as { readonly text: string }
          },
          { _tag: "Finish", reason: "tool-calls" }
        ]).pipe(Stream.rechunk(16))
}
const write = Action.make("write", {
  description: "Writes.",
  input: Schema.Struct({ text: Schema.String }),
  run: ({ text }) => Effect.succeed(text.length)
})
const writing = Actions.use(plain, [write])

const answeringLong = Agent.output(plain, Schema.Struct({ text: Schema.String }))

const watch =
  <A, E>(agent: Agent.Agent<A, E, ModelProvider, unknown>, source: ModelProvider["Service"]) =>
  () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const response = yield* Agent.respond(agent)
          yield* Stream.runDrain(response.instant)
        })
      ).pipe(Effect.provideService(ModelProvider, source))
    )

/** Measures. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const times = await race(
    {
      effigent: () => run(Agent.run(acting)),
      "the same agent without actions, one turn": () => run(Agent.run(plain.pipe(Agent.history([])))),
      "ai generateText": await aiSdk()
    },
    { rounds: 7, warmUp: 3 }
  )
  // Apart from the others: it runs on the same Effect as ours, whose compiled code would serve two masters.
  const { chat } = await race({ chat: await effectAi() }, { rounds: 3, warmUp: 1 })
  const each = (time: number) => (time * 1000) / runs
  const streamed = await race(
    { argument: watch(writing, asArgument), text: watch(answeringLong, asText) },
    { rounds: 9, warmUp: 4 }
  )
  return [
    figure({
      id: "P10",
      value: each(times.effigent),
      unit: "us",
      bound: 1.04 * each(times["ai generateText"]),
      anchor: "1.04x the AI SDK (200 us where it takes 193); two turns, one action, no model time",
      peers: {
        "the same agent without actions, one turn": each(times["the same agent without actions, one turn"]),
        "ai generateText": each(times["ai generateText"]),
        "effect/ai Chat": each(chat)
      }
    }),
    figure({
      id: "P10.argument",
      value: (streamed.argument * 1000) / pieces.length,
      unit: "us",
      bound: (1.5 * streamed.text * 1000) / pieces.length,
      anchor: "1.5x a delta of a field as long in an answer; 100,000 characters, watched by instant, 16 deltas a read",
      peers: { "a delta of a field": (streamed.text * 1000) / pieces.length }
    })
  ]
}
