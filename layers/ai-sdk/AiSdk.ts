/**
 * A `ModelProvider` over any language model of the AI SDK (the `LanguageModelV4` of `@ai-sdk/provider`), of which there
 * are some sixty packages. The SDK's own loop, retries and downloads are not used: one run of the stream is one call of
 * the model's `doStream`. Nothing of the SDK is imported at run time.
 */
import type { LanguageModelV4 } from "@ai-sdk/provider"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { InvalidRequest, type ModelError, type ModelErrorReason, Unsupported } from "../../services/ModelError.ts"
import { ModelProvider, type ModelRequest } from "../../services/ModelProvider.ts"
import { Failures } from "../../src/wire/Failure.ts"
import { through } from "../../src/wire/Through.ts"
import * as Timeouts from "../../src/wire/Timeouts.ts"
import { PartReader } from "./Parts.ts"
import * as Request from "./Request.ts"
import * as Session from "./Session.ts"

/**
 * What a model does not tell of itself.
 *
 * @category models
 */
export interface Options {
  /** The provider's name in errors, spans and `meta`. Default: the model's `provider`, up to its first point. */
  readonly name?: string | undefined
  /** Finds the model that a request names: the SDK's provider function. Default: only the model itself can be named. */
  readonly byName?: ((name: string) => LanguageModelV4) | undefined
  /**
   * The strict dialect of JSON Schema that the model's own JSON mode takes, for requests with `native`. Default: `openai`
   * for models of `openai` and `azure`, `anthropic` for those of `anthropic`, else none, and `native` is not available.
   */
  readonly dialect?: "openai" | "anthropic" | undefined
  /** The key of `providerOptions` for the model's own options. Default: its provider's name in camel case. */
  readonly namespace?: string | undefined
  /**
   * Time-outs of one request. The SDK shows no keep-alive comments, so that `idle` counts from part to part.
   */
  readonly timeouts?: Timeouts.Timeouts | undefined
  /** What must not stand in any error: the key that the model was made with, where its server may repeat it. */
  readonly secrets?: ReadonlyArray<Redacted.Redacted> | undefined
}

const dialectOf = (vendor: string): Options["dialect"] =>
  vendor === "openai" || vendor === "azure" ? "openai" : vendor === "anthropic" ? "anthropic" : undefined

const camelCase = (name: string): string => name.replace(/[-_]([a-z])/g, (_, letter: string) => letter.toUpperCase())

/**
 * The provider as a value, for pools and adapters.
 *
 * @category constructors
 */
export const make = (model: LanguageModelV4, options: Options = {}): ModelProvider["Service"] => {
  const vendor = model.provider.split(".")[0]?.trim() ?? model.provider
  const name = options.name ?? vendor
  const dialect = options.dialect ?? dialectOf(vendor)
  const namespace = options.namespace ?? camelCase(vendor)
  const limits = Timeouts.limits(options.timeouts)
  const failures = new Failures(
    name,
    (options.secrets ?? []).map((secret) => Redacted.value(secret))
  )

  const chosen = (request: ModelRequest): LanguageModelV4 | ModelErrorReason => {
    const wanted = request.model
    if (wanted === undefined || wanted === model.modelId) return model
    if (options.byName === undefined) {
      return new Unsupported({ detail: `the only model here is ${model.modelId}; give AiSdk.layer a byName` })
    }
    try {
      return options.byName(wanted)
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause)
      return new InvalidRequest({ detail: failures.quote(`there is no model ${wanted}: ${detail}`, 300) })
    }
  }

  const stream: ModelProvider["Service"]["stream"] = (request) =>
    Stream.unwrap(
      Effect.map(Clock.Clock, (clock) => {
        const asked = chosen(request)
        const fails = (reason: ModelErrorReason): ModelError =>
          failures.error("_tag" in asked ? (request.model ?? model.modelId) : asked.modelId, reason)
        if ("_tag" in asked) return Stream.fail(fails(asked))
        if (asked.specificationVersion !== "v4") {
          const spoken = String(asked.specificationVersion)
          const detail = `the model speaks specification ${spoken}, not v4; use a newer version of its package`
          return Stream.fail(fails(new Unsupported({ detail })))
        }
        const parts = Session.stream(() => ({
          open: (signal) => asked.doStream(Request.callOptions(request, { dialect, namespace }, signal)),
          limits,
          failures,
          who: `${name} (${asked.modelId})`
        }))
        return through(parts, () => new PartReader(failures, () => clock.currentTimeMillisUnsafe())).pipe(
          Stream.mapError(fails)
        )
      })
    )

  return { name, ...(dialect === undefined ? {} : { dialect }), stream }
}

/**
 * The provider as a layer, from a model that any provider package of the AI SDK has made.
 *
 * @example
 * ```ts
 * import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
 * import { Layer } from "effect"
 * import { AiSdk } from "effigent/layers/ai-sdk"
 *
 * const ollama = createOpenAICompatible({ name: "ollama", baseURL: "http://localhost:11434/v1", includeUsage: true })
 * const model = AiSdk.layer(ollama("qwen3:8b"), { byName: ollama })
 * console.log(Layer.isLayer(model)) // => true
 * ```
 *
 * @category layers
 */
export const layer = (model: LanguageModelV4, options?: Options): Layer.Layer<ModelProvider> =>
  Layer.sync(ModelProvider, () => make(model, options))
