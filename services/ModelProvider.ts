/**
 * The model as a service: a request in encoded form goes in, a stream of small plain events comes out. Everything that
 * knows a vendor's wire format stands behind this tag, in `layers`; everything that knows Schemas, retries and field
 * events stands before it, in `src`.
 *
 * What an implementation promises (the conformance suite in `effigent/testing` checks it):
 *
 * - nothing is sent before the stream is run, and one run is one physical request: retrying is not its business;
 * - one network read is one chunk of the stream, so that an element of the stream carries many tokens;
 * - a stream that ends without failing has emitted exactly one `Finish`, as its last event but for `Usage` and `Raw`;
 *   an end without proof of success is a `ModelError` with the reason `Incomplete`;
 * - interrupting the stream closes the connection at once;
 * - `Usage` is a running total: the last one counts, and they are not to be added up.
 */
import * as Context from "effect/Context"
import type * as Stream from "effect/Stream"
import type { Prompt, Tool } from "./Ai.ts"
import type { Json, JsonObject } from "./Json.ts"
import type { ModelError } from "./ModelError.ts"

/**
 * The wish that the provider keeps a prompt for the next request that begins alike, which then costs less and is
 * answered sooner. A wish is no promise: a provider that has no such thing passes it over.
 *
 * @category models
 */
export interface PromptCache {
  /** For how long: some minutes, or an hour or more, which may cost more. Default `short`. */
  readonly retention?: "short" | "long" | undefined
  /** Requests with one key are sent where their common beginning is likely to be kept; for providers that ask for it. */
  readonly key?: string | undefined
}

/**
 * Sampling options of one request. What is absent is left to the provider.
 *
 * @category models
 */
export interface ModelOptions {
  /** Randomness, 0 to 2 for most providers. */
  readonly temperature?: number | undefined
  /** Nucleus sampling, 0 to 1. */
  readonly topP?: number | undefined
  /** The most tokens that the answer may have. */
  readonly maxTokens?: number | undefined
  /** Texts at which the model stops. */
  readonly stop?: ReadonlyArray<string> | undefined
  /** Seed for providers that can repeat an answer. */
  readonly seed?: number | undefined
  /** Keep the prompt for requests that begin alike. What it saved stands in `Usage.cachedInputTokens`. */
  readonly cache?: PromptCache | undefined
  /** Anything else that the provider's request body takes, by its own names; wins over what this library sets. */
  readonly provider?: JsonObject | undefined
}

/**
 * How a model can be told to write an answer: JSON, free text, or one of the field formats, which carry a flat record
 * whose long texts need no escaping.
 *
 * @category models
 */
export type OutputFormat = "json" | "text" | "flatMarkdown" | "hybrid" | "xmlField" | "yamlLiteral"

/**
 * What the answer has to look like, in encoded form: the rendering of an output contract for providers.
 *
 * @category models
 */
export interface OutputRequest {
  /** A name for the shape: letters, digits, `_` and `-`, at most 64. */
  readonly name: string
  /** How the model was told to write. */
  readonly format: OutputFormat
  /** JSON Schema 2020-12 of the encoded value, all objects closed. */
  readonly jsonSchema: JsonObject
  /** The same in the strict dialects of the vendors; absent where a dialect cannot express the shape. */
  readonly strict: { readonly openai?: JsonObject | undefined; readonly anthropic?: JsonObject | undefined }
  /** Whether the provider's own JSON-Schema mode is asked for as well. */
  readonly native: boolean
}

/**
 * One request to a model.
 *
 * @category models
 */
export interface ModelRequest {
  /** Name of a model in the provider's pool; absent: the provider's default. */
  readonly model?: string | undefined
  /** The rendered messages. */
  readonly prompt: Prompt.Prompt
  /** Tools that the model may call. */
  readonly tools: ReadonlyArray<Tool.Any>
  /** Whether it may, must or must not call one, or which one it must call. Default `auto`. */
  readonly toolChoice?: "auto" | "none" | "required" | { readonly tool: string } | undefined
  /** The shape of the answer. */
  readonly output: OutputRequest
  /** Sampling options. */
  readonly options: ModelOptions
  /** Ask for the provider's frames as `Raw` events. */
  readonly includeRaw: boolean
  /** The number of the attempt in its response, from 1; corrections and announced replays count. */
  readonly attempt: number
}

/**
 * Tokens of one attempt. What the provider does not say is absent.
 *
 * @category models
 */
export interface Usage {
  /** All prompt tokens, those from and into the cache included. */
  readonly inputTokens?: number | undefined
  /** The part of `inputTokens` that was read from the provider's cache. */
  readonly cachedInputTokens?: number | undefined
  /** The part of `inputTokens` that was written to the provider's cache. */
  readonly cacheWriteInputTokens?: number | undefined
  /** All tokens of the answer, reasoning included. */
  readonly outputTokens?: number | undefined
  /** The part of `outputTokens` that was reasoning. */
  readonly reasoningTokens?: number | undefined
}

/**
 * Why the model stopped, in the vocabulary of `effect/ai`.
 *
 * @category models
 */
export type FinishReason = "stop" | "length" | "content-filter" | "tool-calls" | "pause" | "other"

/**
 * What a provider tells while it answers. Plain objects: they are made per token and not decoded by Schema.
 *
 * @category models
 */
export type ModelEvent =
  /** A piece of the answer. Never empty. */
  | { readonly _tag: "Text"; readonly text: string }
  /**
   * A piece of the model's reasoning; `signature` and `redacted` are to be sent back unchanged in the next turn. `vendor`
   * says to whom: no one else can read them.
   */
  | {
      readonly _tag: "Reasoning"
      readonly text: string
      readonly signature?: string | undefined
      readonly redacted?: string | undefined
      readonly vendor?: string | undefined
    }
  /** A piece of a tool call's arguments, as JSON text. `index` tells parallel calls apart. */
  | {
      readonly _tag: "ToolCallDelta"
      readonly index: number
      readonly id: string
      readonly name: string
      readonly delta: string
    }
  /** A whole tool call. `input` is absent where `arguments` is not JSON. */
  | {
      readonly _tag: "ToolCall"
      readonly index: number
      readonly id: string
      readonly name: string
      readonly arguments: string
      readonly input?: Json | undefined
    }
  /** The model declines, in its own words. */
  | { readonly _tag: "Refusal"; readonly text: string }
  /** Who answers. */
  | { readonly _tag: "Info"; readonly id?: string | undefined; readonly model?: string | undefined }
  /** Tokens so far: the last one counts. */
  | { readonly _tag: "Usage"; readonly usage: Usage }
  /** The proof of success. `raw` is the provider's own word. */
  | { readonly _tag: "Finish"; readonly reason: FinishReason; readonly raw?: string | undefined }
  /** A replaying provider starts again: all that came before is void, a replacement follows. */
  | { readonly _tag: "Restarted"; readonly reason: string }
  /** A frame as the provider sent it, where the request asks for it. */
  | { readonly _tag: "Raw"; readonly frame: unknown }

/**
 * The model as a service.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Stream } from "effect"
 * import { ModelProvider } from "effigent/services/ModelProvider"
 *
 * const echo = Layer.succeed(ModelProvider, {
 *   name: "echo",
 *   stream: () => Stream.make({ _tag: "Text", text: "hello" } as const, { _tag: "Finish", reason: "stop" } as const)
 * })
 * const name = ModelProvider.use((provider) => Effect.succeed(provider.name))
 * console.log(Effect.runSync(name.pipe(Effect.provide(echo)))) // => "echo"
 * ```
 *
 * @category services
 */
export class ModelProvider extends Context.Service<
  ModelProvider,
  {
    /** The provider's name, as it stands in errors, spans and `meta`. */
    readonly name: string
    /** The JSON-Schema dialect of its native mode, where it has one. */
    readonly dialect?: "openai" | "anthropic" | undefined
    /** Runs one request. Cold: each run of the stream is one physical request. */
    readonly stream: (request: ModelRequest) => Stream.Stream<ModelEvent, ModelError>
  }
>()("effigent/ModelProvider") {}
