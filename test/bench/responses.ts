/** P5, the whole path: from a provider's events to one live reader of `instant`, and what a finished response keeps. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as LanguageModel from "effect/ai/LanguageModel"
import { type ModelEvent, ModelProvider } from "../../services/ModelProvider.ts"
import * as Agent from "../../src/agent/Agent.ts"
import * as Validation from "../../src/request/Validation.ts"
import { Answer, document, inChunks, scan, seen } from "./items.ts"
import { type Figure, figure, kept, megabytes, race } from "./measure.ts"
import * as Peers from "./peers.ts"

/** A provider whose reads carry `perRead` text deltas each. */
const provider = (chunks: ReadonlyArray<string>, perRead: number, reasons = false): ModelProvider["Service"] => {
  const reads: Array<readonly [ModelEvent, ...Array<ModelEvent>]> = []
  const event = (text: string): ModelEvent => ({ _tag: "Text", text })
  for (let at = 0; at < chunks.length; at += perRead) {
    const [first = "", ...rest] = chunks.slice(at, at + perRead)
    const thought: ReadonlyArray<ModelEvent> = reasons ? [{ _tag: "Reasoning", text: "hmm " }] : []
    reads.push([event(first), ...rest.map(event), ...thought])
  }
  reads.push([{ _tag: "Finish", reason: "stop" }])
  return { name: "bench", stream: () => Stream.fromIterable(reads).pipe(Stream.rechunk(1), Stream.flattenArray) }
}

const agent = Agent.make({ input: "List the items.", output: Answer })

const readInstant = Effect.fnUntraced(function* (source: ModelProvider["Service"], asked: typeof agent = agent) {
  const response = yield* Agent.respond(asked).pipe(Effect.provideService(ModelProvider, source))
  yield* Stream.runForEachArray(response.instant, (events) =>
    Effect.sync(() => {
      for (const event of events) seen.total += event.path.length
    })
  )
  return response
})
const wholePath = (source: ModelProvider["Service"]) => () => Effect.runPromise(Effect.scoped(readInstant(source)))

// The same with all that may be on: reasoning between the words, a validator, a tracer that keeps its spans.
const validated = Agent.validate(agent, () => Effect.succeed(Validation.pass))
const fullPath = (source: ModelProvider["Service"]) => () => {
  const spans: Array<Tracer.Span> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return Effect.runPromise(
    Effect.scoped(Effect.andThen(readInstant(source, validated), Effect.void)).pipe(
      Effect.withSpan("bench"),
      Effect.withTracer(tracer)
    )
  )
}

const keptFigure = async (): Promise<Figure> => {
  const source = document(1_000_000)
  const value = await kept(() => JSON.parse(source))
  // The provider's own texts and events are there before and after.
  const large = provider(inChunks(source), 16)
  await wholePath(large)()
  const scope = Scope.makeUnsafe()
  const bytes = await kept(() => Effect.runPromise(Scope.provide(readInstant(large), scope)))
  await Effect.runPromise(Scope.close(scope, Exit.void))
  return figure({
    id: "P5.kept",
    value: megabytes(bytes),
    unit: "MB",
    bound: megabytes(4 * source.length + value),
    anchor: `4x the text (${megabytes(source.length).toFixed(2)} MB) + its value (${megabytes(value).toFixed(2)} MB); a finished response, its one reader done`
  })
}

/** What `effect/ai` and the AI SDK take to hand one text delta from a provider to a reader. */
const deltaPeers = async (chunks: ReadonlyArray<string>): Promise<Readonly<Record<string, () => unknown>>> => {
  const { Output, jsonSchema, streamText } = await Peers.aiSdk()
  const { MockLanguageModelV4 } = await Peers.aiSdkTest()
  const model = await Effect.runPromise(
    LanguageModel.make({
      generateText: () => Effect.succeed([]),
      streamText: () =>
        Stream.fromIterable(chunks).pipe(
          Stream.rechunk(1),
          Stream.map((delta) => ({ type: "text-delta", id: "0", delta }) as const)
        )
    })
  )
  const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } }
  const parts = [
    { type: "stream-start", warnings: [] },
    { type: "text-start", id: "0" },
    ...chunks.map((delta) => ({ type: "text-delta", id: "0", delta })),
    { type: "text-end", id: "0" },
    { type: "finish", finishReason: { unified: "stop", raw: "stop" }, usage }
  ]
  const mock = () => new MockLanguageModelV4({ doStream: async () => ({ stream: ReadableStream.from(parts) }) })
  return {
    "effect/ai streamText (text only)": () => Effect.runPromise(Stream.runDrain(model.streamText({ prompt: "List." }))),
    "ai streamText (text only)": async () => {
      for await (const delta of streamText({ model: mock(), prompt: "List." }).textStream) seen.total += delta.length
    },
    "ai streamText + Output.object": async () => {
      const output = Output.object({ schema: jsonSchema({ type: "object" }) })
      const result = streamText({ model: mock(), prompt: "List.", output })
      for await (const value of result.partialOutputStream) if (value !== undefined) seen.total++
    }
  }
}

const pathFigures = async (): Promise<ReadonlyArray<Figure>> => {
  const large = inChunks(document(1_000_000))
  const whole = {
    path: wholePath(provider(large, 16)),
    full: fullPath(provider(large, 16, true)),
    parser: () => scan(large)
  }
  const { full, parser, path } = await race(whole, { rounds: 11, warmUp: 4 })

  const chunks = inChunks(document(100_000))
  const small = inChunks(document(10_000))
  const peers = await deltaPeers(chunks)
  const { "ai streamText + Output.object": partial } = await deltaPeers(small)
  const { "ai streamText + Output.object": _, ...linear } = peers
  const contenders: Record<string, () => unknown> = { effigent: wholePath(provider(chunks, 1)), ...linear }
  const { effigent = NaN, ...others } = await race(contenders, { rounds: 9, warmUp: 5 })
  const quadratic = await race({ partial: partial ?? (() => {}) }, { rounds: 5, warmUp: 1 })
  const perDelta = (time: number, count: number) => (time * 1000) / count
  return [
    figure({
      id: "P5.path",
      value: path,
      unit: "ms",
      bound: 3 * parser,
      anchor: "3x the parser alone; 1 MB, a source of 16 text deltas a read, one live reader of instant",
      peers: { "the parser alone": parser }
    }),
    figure({
      id: "P5.full",
      value: full,
      unit: "ms",
      bound: 3 * parser,
      anchor: "3x the parser alone; the same with reasoning, a validator and a tracer on",
      peers: { "the parser alone": parser }
    }),
    figure({
      id: "P5.delta",
      value: perDelta(effigent, chunks.length),
      unit: "us",
      bound: 3 * perDelta(others["effect/ai streamText (text only)"] ?? NaN, chunks.length),
      anchor:
        "3x effect/ai without a parser, about 10 us; 100 KB, a source of one text delta a read, one live reader of instant",
      peers: {
        ...Object.fromEntries(Object.entries(others).map(([name, time]) => [name, perDelta(time, chunks.length)])),
        "ai streamText + Output.object, 10 KB": perDelta(quadratic.partial, small.length)
      }
    })
  ]
}

/** Measures. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  // Memory first: what the peers leave behind would be counted.
  const memory = await keptFigure()
  return [...(await pathFigures()), memory]
}
