/** A model pool from its configuration: a plain value, a `Config`, or a JSON, YAML or TOML file. */
import * as Config from "effect/Config"
import type * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Toml from "effect/encoding/Toml"
import * as Yaml from "effect/encoding/Yaml"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { ModelProvider } from "../../services/ModelProvider.ts"
import * as Keys from "./Keys.ts"
import * as Limits from "./Limits.ts"
import * as Pool from "./Pool.ts"
import * as Retry from "./Retry.ts"
import * as Settings from "./Settings.ts"

/**
 * What a vendor's constructor is given: the options that all vendors' layers share.
 *
 * @category models
 */
export interface Endpoint {
  /** The model that is asked where the request names none. */
  readonly model: string
  /** The provider's name in the configuration. */
  readonly name: string
  /** The base URL, where the configuration has one. */
  readonly baseUrl?: string
  /** The key. */
  readonly apiKey?: Redacted.Redacted
  /** Further headers. */
  readonly headers?: { readonly [name: string]: Redacted.Redacted }
  /** Time-outs of one request. */
  readonly timeouts?: Settings.TimeoutSettings
}

/** Makes the layer of a vendor: `OpenAICompatible.layer`, for one. @category models */
export type Vendor<E = never, R = never> = (endpoint: Endpoint) => Layer.Layer<ModelProvider, E, R>

/** The vendors that a configuration may name. @category models */
export type Vendors<E = unknown, R = unknown> = { readonly [vendor: string]: Vendor<E, R> }

type ErrorOf<V extends Vendors> = Layer.Error<ReturnType<V[keyof V]>>
type ServicesOf<V extends Vendors> = Layer.Services<ReturnType<V[keyof V]>>

const providerLayer = <E, R>(
  name: string,
  model: string,
  settings: Settings.ProviderSettings,
  vendor: Vendor<E, R>
): Layer.Layer<ModelProvider, E, R> => {
  const { apiKey, baseUrl, headers, keys, limits, timeouts } = settings
  const endpoint = (key: Redacted.Redacted | undefined): Endpoint => ({
    model,
    name,
    ...(baseUrl === undefined ? {} : { baseUrl }),
    ...(key === undefined ? {} : { apiKey: key }),
    ...(headers === undefined ? {} : { headers }),
    ...(timeouts === undefined ? {} : { timeouts })
  })
  const provider =
    keys === undefined ? vendor(endpoint(apiKey)) : Keys.keys({ ...keys, provider: (key) => vendor(endpoint(key)) })
  return limits === undefined ? provider : Limits.limits(limits).pipe(Layer.provide(provider))
}

const profileOf = <E, R>(
  { provider: _, retry, ...profile }: Settings.ModelSettings,
  provider: Layer.Layer<ModelProvider, E, R>
): Pool.Profile<E, R> => {
  if (retry === undefined) return { ...profile, provider }
  const { firstDelay, maxDelay, ...rest } = retry
  return { ...profile, provider, retry: { ...rest, schedule: Retry.backOff(firstDelay, maxDelay) } }
}

const build = <E, R>(
  settings: Settings.Settings,
  vendors: Vendors<E, R>
): Effect.Effect<ModelProvider["Service"], E, R | Scope.Scope> => {
  const members: Record<string, Pool.Member<E, R>> = {}
  // One layer for all models of a provider, so that they share its limits and keys.
  const layers = new Map<string, Layer.Layer<ModelProvider, E, R>>()
  for (const [name, model] of Object.entries(settings.models)) {
    const from = model.provider
    const provider = settings.providers[from]
    const vendor = vendors[provider?.vendor ?? from]
    // Decoding has made sure of both.
    if (provider === undefined || vendor === undefined) continue
    const layer = layers.get(from) ?? providerLayer(from, model.model, provider, vendor)
    layers.set(from, layer)
    members[name] = profileOf(model, layer)
  }
  return Pool.make({
    models: members,
    default: settings.default,
    ...(settings.fallback === undefined ? {} : { fallback: settings.fallback }),
    replay: settings.replay
  })
}

const layerOf = <V extends Vendors, R>(
  vendors: V,
  settings: (names: ReadonlyArray<string>) => Effect.Effect<Settings.Settings, Settings.PoolConfigError, R>
): Layer.Layer<ModelProvider, Settings.PoolConfigError | ErrorOf<V>, R | ServicesOf<V>> => {
  // Each vendor fails and needs no more than the union of all does.
  const all = vendors as Vendors<ErrorOf<V>, ServicesOf<V>>
  return Layer.effect(
    ModelProvider,
    Effect.flatMap(settings(Object.keys(vendors)), (settings) => build(settings, all))
  )
}

/**
 * The settings of a pool as a `Config`, for `fromConfig`: read from the current `ConfigProvider`.
 *
 * All is text there, secrets included, and `options.provider` of a model is JSON text.
 *
 * @param path where they stand; default: at the root
 * @category configuration
 */
export const config = (path?: string | ConfigProvider.Path): Config.Config<Settings.Settings> =>
  Config.schema(Settings.SettingsOfTexts, path)

/**
 * A pool as a `Config` describes it: `ModelPool.config("models")`, read from whatever the current `ConfigProvider` reads,
 * secrets included. Fails with `PoolConfigError`.
 *
 * @param vendors the constructors that the configuration may name, as `{ openai: OpenAICompatible.layer }`
 * @category layers
 */
export const fromConfig = <const V extends Vendors>(
  settings: Config.Config<Settings.Settings>,
  vendors: V
): Layer.Layer<ModelProvider, Settings.PoolConfigError | ErrorOf<V>, ServicesOf<V>> =>
  layerOf(vendors, (names) => Settings.read(settings, names))

/**
 * A pool as a plain value describes it. In any text `${ENV.NAME}` stands for an environment variable (of the current
 * `ConfigProvider`); secrets have to be such references.
 *
 * Fails with `PoolConfigError`, which names every key that is wrong and never a value.
 *
 * @param vendors the constructors that the configuration may name, as `{ openai: OpenAICompatible.layer }`
 *
 * @example
 * ```ts
 * import { ConfigProvider, Effect } from "effect"
 * import { Agent } from "effigent"
 * import { ModelPool } from "effigent/layers/pool"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const models = ModelPool.fromValue(
 *   {
 *     providers: { main: { vendor: "scripted", apiKey: "${ENV.MAIN_KEY}", limits: { concurrency: 4 } } },
 *     models: { fast: { provider: "main", model: "small-1", retry: { attempts: 3 } } },
 *     default: "fast"
 *   },
 *   { scripted: ({ model }) => ScriptedModel.always(ScriptedModel.text(`from ${model}`)) }
 * )
 * const answer = Agent.make({}).pipe(Agent.input("Hello!"), Agent.run, Effect.provide(models))
 * const environment = ConfigProvider.layer(ConfigProvider.fromEnv({ env: { MAIN_KEY: "secret" } }))
 * console.log(await Effect.runPromise(answer.pipe(Effect.provide(environment)))) // => from small-1
 * ```
 *
 * @category layers
 */
export const fromValue = <const V extends Vendors>(
  value: unknown,
  vendors: V
): Layer.Layer<ModelProvider, Settings.PoolConfigError | ErrorOf<V>, ServicesOf<V>> =>
  layerOf(vendors, (names) => Settings.decode(value, "the configuration", names))

// Parsers quote what they stumble over, which might be a secret; here they only say where.
const place = (cause: unknown, text: string): string => {
  const message = cause instanceof Error ? cause.message : ""
  const position = /position (\d+)/.exec(message)?.[1]
  const line =
    /line (\d+)/i.exec(message)?.[1] ??
    (position === undefined ? undefined : text.slice(0, Number(position)).split("\n").length)
  return line === undefined ? "" : ` (line ${line})`
}

const parsers: { readonly [extension: string]: readonly [string, (text: string) => Effect.Effect<unknown, unknown>] } =
  {
    json: ["JSON", (text) => Effect.try({ try: (): unknown => JSON.parse(text), catch: (cause) => cause })],
    yaml: ["YAML", (text) => Effect.try({ try: () => Yaml.parse(text), catch: (cause) => cause })],
    yml: ["YAML", (text) => Effect.try({ try: () => Yaml.parse(text), catch: (cause) => cause })],
    toml: ["TOML", (text) => Effect.fromResult(Toml.parse(text))]
  }

const readFile = Effect.fnUntraced(function* (path: string) {
  const fail = (detail: string) => new Settings.PoolConfigError({ source: path, problems: [{ path: "", detail }] })
  const extension = /\.([^./\\]+)$/.exec(path)?.[1]?.toLowerCase() ?? ""
  const parser = Object.hasOwn(parsers, extension) ? parsers[extension] : undefined
  if (parser === undefined) return yield* fail("it is none of .json, .yaml, .yml and .toml")
  const fs = yield* FileSystem.FileSystem
  const text = yield* Effect.mapError(fs.readFileString(path), (error) =>
    fail(error.reason._tag === "NotFound" ? "there is no such file" : `it cannot be read: ${error.reason._tag}`)
  )
  const [format, parse] = parser
  return yield* Effect.mapError(parse(text), (cause) => fail(`it is not ${format}${place(cause, text)}`))
})

/**
 * A pool as a JSON, YAML or TOML file describes it; which one its name says. Otherwise as `fromValue`; errors name the
 * file.
 *
 * @param vendors the constructors that the file may name, as `{ openai: OpenAICompatible.layer }`
 * @category layers
 */
export const fromFile = <const V extends Vendors>(
  path: string,
  vendors: V
): Layer.Layer<ModelProvider, Settings.PoolConfigError | ErrorOf<V>, ServicesOf<V> | FileSystem.FileSystem> =>
  layerOf(vendors, (names) => Effect.flatMap(readFile(path), (value) => Settings.decode(value, path, names)))
