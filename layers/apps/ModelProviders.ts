/**
 * Picks a model from the environment, as `npm start` does. The SDK of the chosen provider is loaded only when it is
 * chosen, so that a program needs none that it does not use.
 *
 * | set | model |
 * |---|---|
 * | `OPENAI_API_KEY` or `OPENAI_BASE_URL` | OpenAI, or any endpoint that speaks its chat completions (Ollama, vLLM, ...) |
 * | `ANTHROPIC_API_KEY` | Anthropic |
 * | neither | the offline model |
 *
 * `EFFIGENT_MODEL` names the model. `fromFile` makes a whole pool of models of a configuration file.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { ModelProvider } from "../../services/ModelProvider.ts"
import * as ModelPool from "../pool/ModelPool.ts"

/**
 * The SDK of the chosen provider is not installed: it is an optional peer dependency.
 *
 * @category errors
 */
export class SdkMissing extends Schema.TaggedError<SdkMissing>()("SdkMissing", {
  /** The npm package. */
  package: Schema.String
}) {
  override get message(): string {
    return `The package ${this.package} is needed for this provider and not installed. Run: npm install ${this.package}`
  }
}

const load = <Module>(name: string, module: () => Promise<Module>) =>
  Effect.tryPromise({ try: module, catch: () => new SdkMissing({ package: name }) })

/**
 * A model that was picked.
 *
 * @category models
 */
export interface Choice {
  /** One line for people: which model, and why. */
  readonly description: string
  /** The model. */
  readonly layer: Layer.Layer<ModelProvider, SdkMissing>
}

/** The table above, for people at a terminal. @category constants */
export const help = `OPENAI_API_KEY           asks the OpenAI API
OPENAI_BASE_URL          asks an endpoint that speaks its chat completions (Ollama, vLLM, ...)
ANTHROPIC_API_KEY        asks the Anthropic API, unless one of the above is set
EFFIGENT_MODEL           names the model of it`

// An empty variable counts as unset: shells and CI systems leave such behind.
const variable = (name: string) =>
  Config.String(name).pipe(Config.option, Config.map(Option.filter((value) => value.trim() !== "")))

const variables = Config.all({
  openaiKey: variable("OPENAI_API_KEY"),
  openaiUrl: variable("OPENAI_BASE_URL"),
  anthropicKey: variable("ANTHROPIC_API_KEY"),
  anthropicUrl: variable("ANTHROPIC_BASE_URL"),
  model: variable("EFFIGENT_MODEL")
})

/** The models that are asked where `EFFIGENT_MODEL` names none. @category constants */
export const defaultModels = { openai: "gpt-4.1-mini", anthropic: "claude-sonnet-5-5" } as const

const redacted = Option.match({
  onNone: () => ({}),
  onSome: (key: string) => ({ apiKey: Redacted.make(key) })
})

const url = Option.match({ onNone: () => ({}), onSome: (baseUrl: string) => ({ baseUrl }) })

const withoutCredentials = (url: string) => url.replace(/\/\/[^/@]*@/, "//")

/**
 * Picks a model by the table above. `tokensPerSecond` is the pace of the offline model; default: as fast as it can.
 *
 * @category constructors
 */
export const choose = (options: { readonly tokensPerSecond?: number | undefined } = {}) =>
  Effect.map(variables, (env): Choice => {
    if (Option.isSome(env.openaiKey) || Option.isSome(env.openaiUrl)) {
      const model = Option.getOrElse(env.model, () => defaultModels.openai)
      const where = Option.match(env.openaiUrl, { onNone: () => "the OpenAI API", onSome: withoutCredentials })
      return {
        description: `Model: ${model} at ${where}`,
        layer: Layer.unwrap(
          Effect.map(
            load("openai", () => import("../openai/OpenAICompatible.ts")),
            (OpenAICompatible) => OpenAICompatible.layer({ model, ...redacted(env.openaiKey), ...url(env.openaiUrl) })
          )
        )
      }
    }
    if (Option.isSome(env.anthropicKey)) {
      const model = Option.getOrElse(env.model, () => defaultModels.anthropic)
      return {
        description: `Model: ${model} at ${Option.match(env.anthropicUrl, { onNone: () => "the Anthropic API", onSome: withoutCredentials })}`,
        layer: Layer.unwrap(
          Effect.map(
            load("@anthropic-ai/sdk", () => import("../anthropic/AnthropicCompatible.ts")),
            (AnthropicCompatible) =>
              AnthropicCompatible.layer({ model, ...redacted(env.anthropicKey), ...url(env.anthropicUrl) })
          )
        )
      }
    }
    const ignored = Option.match(env.model, {
      onNone: () => "",
      onSome: (model) => `; EFFIGENT_MODEL=${model} is ignored`
    })
    return {
      description: `Model: offline, built in (no key is set; set OPENAI_API_KEY, OPENAI_BASE_URL or ANTHROPIC_API_KEY to ask a real one${ignored})`,
      layer: Layer.unwrap(
        Effect.map(
          Effect.promise(() => import("../offline/OfflineModel.ts")),
          (OfflineModel) => OfflineModel.layerWith({ tokensPerSecond: options.tokensPerSecond })
        )
      )
    }
  })

/**
 * The model that the environment names, by the table above.
 *
 * @category layers
 */
export const fromEnv: Layer.Layer<ModelProvider, Config.ConfigError | SdkMissing> = Layer.unwrap(
  Effect.map(choose(), (choice) => choice.layer)
)

/**
 * The vendors that `fromFile` knows: `openai`, `anthropic` and `offline`. The SDK of one is loaded when it is used. Add
 * your own: `ModelPool.fromFile(path, { ...ModelProviders.vendors, mine })`.
 *
 * @category constants
 */
export const vendors = {
  openai: (endpoint) =>
    Layer.unwrap(
      Effect.map(
        load("openai", () => import("../openai/OpenAICompatible.ts")),
        (OpenAICompatible) => OpenAICompatible.layer(endpoint)
      )
    ),
  anthropic: (endpoint) =>
    Layer.unwrap(
      Effect.map(
        load("@anthropic-ai/sdk", () => import("../anthropic/AnthropicCompatible.ts")),
        (AnthropicCompatible) => AnthropicCompatible.layer(endpoint)
      )
    ),
  offline: () =>
    Layer.unwrap(
      Effect.map(
        Effect.promise(() => import("../offline/OfflineModel.ts")),
        (OfflineModel) => OfflineModel.layer
      )
    )
} satisfies ModelPool.Vendors<SdkMissing, never>

/**
 * A pool of models as a JSON, YAML or TOML file describes it, with the vendors `openai`, `anthropic` and `offline`. In
 * the file `${ENV.NAME}` stands for an environment variable; secrets have to be such references.
 *
 * @example
 * ```ts
 * import { NodeServices } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { Agent } from "effigent"
 * import { ModelProviders } from "effigent/layers/apps"
 *
 * const models = ModelProviders.fromFile("models.yaml").pipe(Layer.provide(NodeServices.layer))
 * const program = Agent.make({ model: "large" }).pipe(Agent.input("Hello!"), Agent.run, Effect.provide(models))
 * // NodeRuntime.runMain(program)
 * console.log(Effect.isEffect(program)) // => true
 * ```
 *
 * @category layers
 */
export const fromFile = (
  path: string
): Layer.Layer<ModelProvider, ModelPool.PoolConfigError | SdkMissing, FileSystem.FileSystem> =>
  ModelPool.fromFile(path, vendors)
