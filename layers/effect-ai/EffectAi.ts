/**
 * The bridge between this library's `ModelProvider` and effect/ai's `LanguageModel`, both ways: `languageModel` lets
 * `Chat`, `Toolkit` and `generateObject` run on our providers, `modelProvider` lets agents run on any model of effect/ai.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Model from "effect/ai/Model"
import * as Response from "effect/ai/Response"
import * as Telemetry from "effect/ai/Telemetry"
import type * as Toolkit from "effect/ai/Toolkit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Tool } from "../../services/Ai.ts"
import { ModelError, Unsupported } from "../../services/ModelError.ts"
import { type ModelEvent, type ModelOptions, ModelProvider, type ModelRequest } from "../../services/ModelProvider.ts"
import * as JsonSchemaImport from "../../src/output/JsonSchemaImport.ts"
import { Failures } from "../../src/wire/Failure.ts"
import * as CacheMarks from "../../src/wire/CacheMarks.ts"
import * as Opaque from "../../src/wire/Opaque.ts"
import { through } from "../../src/wire/Through.ts"
import { EventWriter, type Part } from "./Events.ts"
import * as Objects from "./Objects.ts"
import { type Call, content, PartWriter } from "./Parts.ts"

/**
 * What effect/ai cannot say with a request.
 *
 * @category models
 */
export interface LanguageModelOptions {
  /** Name of a model in the provider's pool. Default: the provider's own. */
  readonly model?: string | undefined
  /** Sampling options of every request. */
  readonly options?: ModelOptions | undefined
}

const toolChoice = (choice: LanguageModel.ToolChoice<string>): ModelRequest["toolChoice"] =>
  // effect/ai has already left out the tools that `oneOf` does not name.
  typeof choice === "object" && "oneOf" in choice ? (choice.mode ?? "auto") : choice

const requestOf = (
  options: LanguageModel.ProviderOptions,
  provider: ModelProvider["Service"],
  more: LanguageModelOptions
): ModelRequest => ({
  ...(more.model === undefined ? {} : { model: more.model }),
  prompt: Objects.withRequirement(options.prompt, options.responseFormat),
  tools: options.tools,
  ...(options.tools.length === 0 ? {} : { toolChoice: toolChoice(options.toolChoice) }),
  output: Objects.outputRequest(options.responseFormat, provider),
  options: more.options ?? {},
  includeRaw: false,
  attempt: 1
})

const makeLanguageModel = (
  provider: ModelProvider["Service"],
  more: LanguageModelOptions
): Effect.Effect<LanguageModel.LanguageModel> => {
  const { model } = more
  const begin = (options: LanguageModel.ProviderOptions): void =>
    Telemetry.addGenAIAnnotations(options.span, {
      provider: { name: provider.name },
      operation: { name: "chat" },
      request: {
        model,
        temperature: more.options?.temperature,
        topP: more.options?.topP,
        maxTokens: more.options?.maxTokens,
        stopSequences: more.options?.stop
      }
    })
  const end = (options: LanguageModel.ProviderOptions, writer: PartWriter): void =>
    Telemetry.addGenAIAnnotations(options.span, {
      response: {
        id: writer.info.id,
        model: writer.info.model,
        finishReasons: writer.finishReason === undefined ? undefined : [writer.finishReason]
      },
      usage: { inputTokens: writer.usage.inputTokens, outputTokens: writer.usage.outputTokens }
    })
  const call = (options: LanguageModel.ProviderOptions, method: Call["method"]): Call => ({
    provider: provider.name,
    model,
    method,
    options
  })

  const generateText = Effect.fnUntraced(function* (options: LanguageModel.ProviderOptions) {
    begin(options)
    const writer = new PartWriter(call(options, "generateText"))
    const parts: Array<Response.StreamPartEncoded> = []
    let failure: AiError.AiError | undefined
    yield* provider.stream(requestOf(options, provider, more)).pipe(
      Stream.runForEachArray((events) =>
        Effect.suspend(() => {
          for (const event of events) {
            failure = writer.push(event, parts)
            if (failure !== undefined) return Effect.fail(failure)
          }
          return Effect.void
        })
      ),
      Effect.mapError((error) => (error instanceof ModelError ? writer.fail(error) : error))
    )
    failure = writer.end(parts)
    end(options, writer)
    if (failure !== undefined) return yield* failure
    return Objects.withJson(content(parts), options.responseFormat)
  })

  const streamText = (options: LanguageModel.ProviderOptions) =>
    Stream.suspend(() => {
      begin(options)
      const writer = new PartWriter(call(options, "streamText"))
      return through(provider.stream(requestOf(options, provider, more)), () => writer).pipe(
        Stream.ensuring(Effect.sync(() => end(options, writer)))
      )
    })

  return LanguageModel.make({ generateText, streamText, codecTransformer: Objects.codecTransformer })
}

/**
 * A `LanguageModel` of effect/ai from any provider of this library, with what effect/ai cannot say with a request.
 *
 * @category layers
 */
export const languageModelWith = (
  options: LanguageModelOptions
): Layer.Layer<LanguageModel.LanguageModel, never, ModelProvider> =>
  Layer.effect(
    LanguageModel.LanguageModel,
    ModelProvider.use((provider) => makeLanguageModel(provider, options))
  )

/**
 * A `LanguageModel` of effect/ai from any provider of this library. Texts, reasoning with its signatures, tool calls,
 * usage and finish reasons arrive as effect/ai has them, and failures as `AiError`; interruption reaches the socket.
 * `generateObject` reads tolerantly, and asks for the ensured places of the Schema too.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Chat } from "effect/ai"
 * import { EffectAi } from "effigent/layers/effect-ai"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const program = Effect.gen(function* () {
 *   const chat = yield* Chat.empty
 *   const { text } = yield* chat.generateText({ prompt: "Where is my parcel?" })
 *   return text
 * })
 * const model = EffectAi.languageModel.pipe(Layer.provide(ScriptedModel.layer([ScriptedModel.text("On its way.")])))
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(model)))) // => On its way.
 * ```
 *
 * @category layers
 */
export const languageModel: Layer.Layer<LanguageModel.LanguageModel, never, ModelProvider> = languageModelWith({})

/**
 * What a `LanguageModel` does not tell of itself, and how to say what its interface cannot.
 *
 * @category models
 */
export interface ModelProviderOptions {
  /** The provider's name in errors and `meta`. Default: the `ProviderName` of effect/ai, else `effect-ai`. */
  readonly name?: string | undefined
  /**
   * The configuration services of the vendor's package for one request, which is how its models take sampling options.
   * With it, all options of a request are taken to be passed on. Without it, `model`, `maxTokens`, `stop`, `seed` and
   * `provider` are `Unsupported`, and `temperature` and `topP` are left to the vendor.
   */
  readonly configure?: ((request: ModelRequest) => Context.Context<never>) | undefined
  /**
   * Says that the vendor has a JSON-Schema mode. A request that asks for it (`native`) and has no tools then goes through
   * `generateObject`, and its answer comes in one piece. Default: `native` is not available.
   */
  readonly dialect?: "openai" | "anthropic" | undefined
}

// What a program that sets it relies on. Left out are the wishes without which the answer is as good.
const relied = ["maxTokens", "stop", "seed", "provider"] as const

const unsupported = (request: ModelRequest): string | undefined => {
  const named = relied.filter((key) => request.options[key] !== undefined)
  const lost = [...(request.model === undefined ? [] : ["model"]), ...named]
  return lost.length === 0
    ? undefined
    : `a LanguageModel takes no ${lost.join(", ")} with a request; give EffectAi.modelProviderWith a configure`
}

type Asked = Stream.Stream<Part, AiError.AiError>

// What vendors had attached stands where it was, and marks for the prompt cache where Anthropic's models look for them.
const promptOf = ({ options, prompt }: ModelRequest) =>
  Opaque.restore(options.cache === undefined ? prompt : CacheMarks.add(prompt, options.cache))

// The tools are told to the model; calls of them are the caller's to run.
const told = (tools: ReadonlyArray<Tool.Any>): Toolkit.WithHandler<Record<string, Tool.Any>> => ({
  tools: Object.fromEntries(tools.map((tool) => [tool.name, tool])),
  handle: (name) => Effect.die(new Error(`the tool ${name} is not run here`))
})

const streamed = (model: LanguageModel.LanguageModel, request: ModelRequest): Asked => {
  const prompt = promptOf(request)
  if (request.tools.length === 0) return model.streamText({ prompt })
  const parts = model.streamText({
    prompt,
    toolkit: told(request.tools),
    toolChoice: request.toolChoice ?? "auto",
    disableToolCallResolution: true,
    toolCallValidation: "deferred"
  })
  // With resolution off and validation deferred no handler and no codec of a tool is run, whatever services they name.
  return parts as Asked
}

// In one piece: effect/ai streams no objects.
const whole = (model: LanguageModel.LanguageModel, request: ModelRequest): Asked => {
  const schema = JsonSchemaImport.fromJsonSchema(request.output.jsonSchema)
  if (Result.isFailure(schema)) return streamed(model, request)
  const answer = model.generateObject({
    prompt: promptOf(request),
    // Read from JSON Schema, it needs no services, and an answer to it is an object.
    schema: schema.success as Schema.Codec<unknown, Record<string, unknown>>,
    objectName: request.output.name
  })
  return Stream.fromIterableEffect(
    Effect.map(answer, ({ content, value }) => {
      const text: Part = Response.makePart("text", { text: JSON.stringify(value) })
      return [...content.filter(({ type }) => type === "reasoning"), text, ...content.filter(isEnd)]
    })
  ).pipe(
    // What the model wrote instead goes the way of every answer: it may be mended, or corrected.
    Stream.catchReason("AiError", "StructuredOutputError", (reason, error) =>
      reason.responseText === "" ? Stream.fail(error) : Stream.fromIterable(saidInstead(reason.responseText))
    )
  )
}

const saidInstead = (text: string): ReadonlyArray<Part> => [
  Response.makePart("text", { text }),
  Response.makePart("finish", { reason: "other", usage: noUsage, response: undefined })
]

// The error does not tell it.
const noUsage = new Response.Usage({ inputTokens: {}, outputTokens: {} })

const isEnd = ({ type }: Part): boolean => type === "response-metadata" || type === "finish"

const makeModelProvider = (
  model: LanguageModel.LanguageModel,
  name: string,
  { configure, dialect }: ModelProviderOptions
): ModelProvider["Service"] => {
  const failures = new Failures(name, [])
  const stream = (request: ModelRequest): Stream.Stream<ModelEvent, ModelError> =>
    Stream.suspend(() => {
      const lost = configure === undefined ? unsupported(request) : undefined
      if (lost !== undefined) {
        const asked = request.model === undefined ? {} : { model: request.model }
        return Stream.fail(new ModelError({ provider: name, ...asked, reason: new Unsupported({ detail: lost }) }))
      }
      const { format, native } = request.output
      const isWhole = native && format === "json" && request.tools.length === 0
      const parts = isWhole ? whole(model, request) : streamed(model, request)
      return through(
        configure === undefined ? parts : Stream.provideContext(parts, configure(request)),
        () => new EventWriter(failures, name)
      )
    })
  return { name, ...(dialect === undefined ? {} : { dialect }), stream }
}

/**
 * A provider of this library from any `LanguageModel` of effect/ai, with what the model does not tell of itself.
 *
 * @category layers
 */
export const modelProviderWith = (
  options: ModelProviderOptions
): Layer.Layer<ModelProvider, never, LanguageModel.LanguageModel> =>
  Layer.effect(
    ModelProvider,
    Effect.gen(function* () {
      const model = yield* LanguageModel.LanguageModel
      const told = Option.getOrElse(yield* Effect.serviceOption(Model.ProviderName), () => "effect-ai")
      return makeModelProvider(model, options.name ?? told, options)
    })
  )

/**
 * A provider of this library from any `LanguageModel` of effect/ai. Tool calls are not run there, but handed on. What its
 * interface cannot carry is said in `docs/providers.md`; options that a program relies on fail as `Unsupported`.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Stream } from "effect"
 * import { LanguageModel } from "effect/ai"
 * import { Agent } from "effigent"
 * import { EffectAi } from "effigent/layers/effect-ai"
 *
 * const usage = { inputTokens: { total: 3 }, outputTokens: { total: 1 } }
 * const theirs = LanguageModel.make({
 *   generateText: () => Effect.succeed([]),
 *   streamText: () =>
 *     Stream.make(
 *       { type: "text-start", id: "0" },
 *       { type: "text-delta", id: "0", delta: "On its way." },
 *       { type: "text-end", id: "0" },
 *       { type: "finish", reason: "stop", usage }
 *     )
 * })
 * const model = EffectAi.modelProvider.pipe(Layer.provide(Layer.effect(LanguageModel.LanguageModel, theirs)))
 * const answer = Agent.make({}).pipe(Agent.input("Where is my parcel?"), Agent.run, Effect.provide(model))
 * console.log(await Effect.runPromise(answer)) // => On its way.
 * ```
 *
 * @category layers
 */
export const modelProvider: Layer.Layer<ModelProvider, never, LanguageModel.LanguageModel> = modelProviderWith({})
