/**
 * A model without a key and without a network: it answers from the output contract and from what stands in the prompt,
 * and always the same to the same request. It does not understand; it extracts, and fills every shape with a value that
 * satisfies its JSON Schema. It is what programs, examples and tests run with until they are given a real model.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type { Json, JsonObject } from "../../services/Json.ts"
import { ModelError, Unsupported } from "../../services/ModelError.ts"
import { type FinishReason, type ModelEvent, ModelProvider, type ModelRequest } from "../../services/ModelProvider.ts"
import * as FieldText from "../../src/parse/FieldText.ts"
import * as FromSchema from "./FromSchema.ts"
import * as Hints from "./Hints.ts"
import * as Reading from "./Reading.ts"
import * as Request from "./Request.ts"
import * as Text from "./Text.ts"

/** The name that the offline model gives itself. @category constants */
export const model = "offline-1"

/**
 * Options of the offline model.
 *
 * @category models
 */
export interface Options {
  /** How fast it writes. Default: as fast as it can, without any pause. */
  readonly tokensPerSecond?: number | undefined
  /** Tokens per chunk of the stream, at least 1. Default 3. */
  readonly chunkSize?: number | undefined
  /** Varies what it makes up: ids, and what nothing in the prompt decides. Default 0. */
  readonly seed?: number | undefined
}

// About what tokenizers make of text: pieces of words with the blank before them, signs one by one.
const piece = /\s*[\p{L}\p{N}]{1,6}|\s*[^\p{L}\p{N}\s]|\s+/gu

const tokensOf = (text: string): ReadonlyArray<string> => text.match(piece) ?? []

interface Answer {
  readonly chunks: ReadonlyArray<Arr.NonEmptyReadonlyArray<ModelEvent>>
}

const told = ({ name, result }: { readonly name: string; readonly result: Json }): string => {
  const plain = (value: Json) => (typeof value === "string" ? value : JSON.stringify(value))
  const text =
    typeof result === "object" && result !== null && !Array.isArray(result)
      ? Object.entries(result)
          .map(([key, value]) => `${Text.wordsOf(key).join(" ")} ${plain(value)}`)
          .join(", ")
      : plain(result)
  return `${Text.capital(Text.wordsOf(name).join(" "))}: ${text}.`
}

// An extract for a letter, an echo for a line; what tools have answered comes first, what was not read last.
const freeText = (question: Request.Question, reading: Reading.Reading): string => {
  if (question.results.length > 0) return question.results.map(told).join(" ")
  return [extract(reading), question.unread].filter((text) => text !== "").join(" ")
}

const extract = (reading: Reading.Reading): string => {
  if (reading.sentences.length < 2) return reading.flat === "" ? "You said nothing." : `You said: "${reading.flat}"`
  const best = Reading.informative(reading.sentences).slice(0, 2)
  return reading.sentences.filter((sentence) => best.includes(sentence)).join(" ")
}

// Where the answer ends before its own end: at a stop text, or when the tokens are spent.
const limited = (
  text: string,
  request: ModelRequest
): { readonly tokens: ReadonlyArray<string>; readonly finish: FinishReason } => {
  const stops = (request.options.stop ?? []).filter((stop) => stop !== "").map((stop) => text.indexOf(stop))
  const end = Math.min(text.length, ...stops.filter((at) => at >= 0))
  const tokens = tokensOf(text.slice(0, end))
  const most = request.options.maxTokens ?? Infinity
  return tokens.length > most
    ? { tokens: tokens.slice(0, Math.max(0, Math.floor(most))), finish: "length" }
    : { tokens, finish: "stop" }
}

const usage = (question: Request.Question, outputTokens: number): ModelEvent => ({
  _tag: "Usage",
  usage: { inputTokens: tokensOf(question.prompt).length, outputTokens }
})

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

// Whether a field of the answer may be any text, and so is no JSON in a field format.
const isFreeText = (schema: JsonObject, key: string): boolean => {
  const properties = schema["properties"]
  const field = isObject(properties) ? properties[key] : undefined
  return isObject(field) && field["type"] === "string" && field["enum"] === undefined && field["const"] === undefined
}

const unsupported = (request: ModelRequest, what: string) =>
  new ModelError({
    provider: "offline",
    ...(request.model === undefined ? {} : { model: request.model }),
    reason: new Unsupported({ detail: `the offline model finds no value for ${what}; use a real model or a script` })
  })

const answer = (request: ModelRequest, options: Options): Effect.Effect<Answer, ModelError> =>
  Effect.suspend(() => {
    const size = Math.max(1, Math.floor(options.chunkSize ?? 3))
    const question = Request.read(request)
    const content = Request.contentOf(question)
    const { format } = request.output
    // In a shape there is no other place to say that something was not read.
    const read = format === "text" || question.unread === "" ? content : `${content}\n\n${question.unread}`
    const reading = Reading.read(read)
    const seed = `${options.seed ?? 0}/${request.options.seed ?? 0}/${Text.hash(read)}`
    const hints = Hints.make({ reading, facts: Request.factsOf(question), seed })
    const id = Text.hash(`${seed}/${question.prompt}/${request.output.name}`).toString(16).padStart(8, "0")
    const info: ModelEvent = { _tag: "Info", id: `offline-${id}`, model }
    const inChunks = (tokens: ReadonlyArray<string>, event: (text: string) => ModelEvent) =>
      Arr.chunksOf(tokens, size).map((some): Arr.NonEmptyReadonlyArray<ModelEvent> => [event(some.join(""))])

    const tools = Request.toolsToCall(request, question)
    if (tools.length > 0) {
      const chunks: Array<Arr.NonEmptyReadonlyArray<ModelEvent>> = [[info]]
      let written = 0
      for (const [index, tool] of tools.entries()) {
        const input = FromSchema.make(Request.parametersOf(tool), tool.name, hints)
        if (input === undefined) return Effect.fail(unsupported(request, `the parameters of the tool ${tool.name}`))
        const call = { index, id: `call_${id}_${index + 1}`, name: tool.name }
        const json = JSON.stringify(input)
        const tokens = tokensOf(json)
        written += tokens.length
        chunks.push(...inChunks(tokens, (delta) => ({ _tag: "ToolCallDelta", ...call, delta })))
        chunks.push([{ _tag: "ToolCall", ...call, arguments: json, input }])
      }
      chunks.push([usage(question, written), { _tag: "Finish", reason: "tool-calls" }])
      return Effect.succeed({ chunks })
    }

    let text = freeText(question, reading)
    if (format !== "text") {
      const value = FromSchema.make(request.output.jsonSchema, request.output.name, hints)
      if (value === undefined) return Effect.fail(unsupported(request, `the output ${request.output.name}`))
      text =
        format === "json" || !isObject(value)
          ? JSON.stringify(value, null, 2)
          : FieldText.write(format, value, (key) => isFreeText(request.output.jsonSchema, key))
    }
    const { finish, tokens } = limited(text, request)
    return Effect.succeed({
      chunks: [
        [info],
        ...inChunks(tokens, (text) => ({ _tag: "Text", text })),
        [usage(question, tokens.length), { _tag: "Finish", reason: finish }]
      ]
    })
  })

/**
 * The offline model with options of its own.
 *
 * @category layers
 */
export const layerWith = (options: Options): Layer.Layer<ModelProvider> => {
  const perSecond = options.tokensPerSecond
  const size = Math.max(1, Math.floor(options.chunkSize ?? 3))
  const pause =
    perSecond === undefined || !(perSecond > 0) || perSecond === Infinity
      ? undefined
      : Effect.sleep(Duration.millis((1_000 * size) / perSecond))
  return Layer.succeed(ModelProvider, {
    name: "offline",
    stream: (request) =>
      Stream.fromPull(
        Effect.map(answer(request, options), ({ chunks }) => {
          let position = 0
          const next = Effect.suspend((): Effect.Effect<Arr.NonEmptyReadonlyArray<ModelEvent>, Cause.Done> => {
            const chunk = chunks[position++]
            return chunk === undefined ? Cause.done() : Effect.succeed(chunk)
          })
          if (pause === undefined) return next
          const paused = Effect.andThen(pause, next)
          // Who answers and how it ended cost no time.
          return Effect.suspend(() => (position === 0 || position >= chunks.length - 1 ? next : paused))
        })
      )
  })
}

/**
 * The offline model: no key, no network, no pauses, and always the same answer to the same request.
 *
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { OfflineModel } from "effigent/layers/offline"
 * import { Prompt } from "effigent/services/Ai"
 * import { ModelProvider } from "effigent/services/ModelProvider"
 *
 * const text = ModelProvider.use((provider) =>
 *   provider
 *     .stream({
 *       prompt: Prompt.make("Invoice 4711 over EUR 120.50 is overdue. Please pay it, Ada Lovelace"),
 *       tools: [],
 *       output: {
 *         name: "invoice",
 *         format: "json",
 *         jsonSchema: {
 *           type: "object",
 *           properties: { invoice: { type: "string" }, amount: { type: "number" } },
 *           required: ["invoice", "amount"],
 *           additionalProperties: false
 *         },
 *         strict: {},
 *         native: false
 *       },
 *       options: {},
 *       includeRaw: false,
 *       attempt: 1
 *     })
 *     .pipe(Stream.runFold(() => "", (text, event) => (event._tag === "Text" ? text + event.text : text)))
 * )
 * const answer: unknown = JSON.parse(Effect.runSync(text.pipe(Effect.provide(OfflineModel.layer))))
 * console.log(answer) // => { invoice: '4711', amount: 120.5 }
 * ```
 *
 * @category layers
 */
export const layer: Layer.Layer<ModelProvider> = layerWith({})
