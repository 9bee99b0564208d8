/**
 * A model pool as data: what a configuration file or the environment says about providers, models and fall-back. It is
 * decoded by one Schema; what is wrong with it is told by place, and no value ever stands in an error, for it might be
 * a secret.
 */
import * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"

const optional = Schema.optionalKey
const count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const Span = Schema.Union([Schema.DurationFromMillis, Schema.DurationFromString])
const Secret = Schema.RedactedFromValue(Schema.NonEmptyString)

const Timeouts = Schema.Struct({
  connect: optional(Span),
  firstToken: optional(Span),
  idle: optional(Span),
  total: optional(Span)
})

const Retry = Schema.Struct({
  attempts: optional(count),
  time: optional(Span),
  firstDelay: optional(Span),
  maxDelay: optional(Span),
  maxRetryAfter: optional(Span),
  replay: optional(Schema.Boolean)
})

const Limits = Schema.Struct({
  concurrency: optional(count),
  rate: optional(
    Schema.Struct({
      limit: count,
      window: Span,
      algorithm: optional(Schema.Literals(["fixed-window", "token-bucket"]))
    })
  ),
  maxQueued: optional(Schema.Natural),
  circuit: optional(Schema.Struct({ failures: optional(count), openFor: optional(Span) }))
})

const Reason = Schema.Literals([
  "Unauthorized",
  "RateLimited",
  "QuotaExhausted",
  "InvalidRequest",
  "ContextOverflow",
  "ProviderUnavailable",
  "Unreachable",
  "ConnectionLost",
  "TimedOut",
  "Incomplete",
  "StreamFailed",
  "Malformed",
  "Unsupported",
  "Refused"
])

const Keys = Schema.Struct({
  selection: optional(Schema.Literals(["fixed", "random", "round-robin", "least-used"])),
  failover: optional(
    Schema.Struct({
      on: optional(Schema.Array(Schema.Union([Schema.Int, Reason]))),
      then: optional(Schema.Literals(["next", "same", "raise"])),
      attempts: optional(count),
      replay: optional(Schema.Boolean)
    })
  ),
  keys: Schema.NonEmptyArray(
    Schema.Struct({
      id: Schema.NonEmptyString,
      key: Secret,
      weight: optional(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)))
    })
  )
})

const Provider = Schema.Struct({
  vendor: optional(Schema.NonEmptyString),
  baseUrl: optional(Schema.NonEmptyString),
  apiKey: optional(Secret),
  keys: optional(Keys),
  headers: optional(Schema.Record(Schema.String, Secret)),
  timeouts: optional(Timeouts),
  limits: optional(Limits)
})

const options = {
  temperature: optional(Schema.Finite),
  topP: optional(Schema.Finite),
  maxTokens: optional(count),
  stop: optional(Schema.Array(Schema.String)),
  seed: optional(Schema.Int),
  cache: optional(
    Schema.Struct({
      retention: optional(Schema.Literals(["short", "long"])),
      key: optional(Schema.NonEmptyString)
    })
  )
}
const Body = Schema.Record(Schema.String, Schema.Json)

const model = {
  provider: Schema.NonEmptyString,
  model: Schema.NonEmptyString,
  limits: optional(Limits),
  retry: optional(Retry)
}

const Model = Schema.Struct({
  ...model,
  options: optional(Schema.Struct({ ...options, provider: optional(Body) }))
})

// Configuration is made of texts: what has any shape is JSON there.
const ModelOfTexts = Schema.Struct({
  ...model,
  options: optional(Schema.Struct({ ...options, provider: optional(Schema.fromJsonString(Body)) }))
})

const Names = Schema.Array(Schema.NonEmptyString)

const pool = {
  /** Where models are, by name: the vendor (default: the name), the endpoint, its key or keys, its limits. */
  providers: Schema.Record(Schema.String, Provider),
  /** The model of requests that name none. */
  default: Schema.NonEmptyString,
  /** Which models are asked when one has failed. */
  fallback: optional(
    Schema.Union([
      Names,
      Schema.Struct({ error: optional(Names), rateLimit: optional(Names), contextOverflow: optional(Names) })
    ])
  ),
  /** Go on to another model also after a part of the answer has been shown. Default false. */
  replay: optional(Schema.Boolean)
}

/**
 * A model pool as data. Durations are texts (`"30 seconds"`) or milliseconds.
 *
 * @category models
 */
export const Settings = Schema.Struct({
  ...pool,
  /** The models, by the names that requests use: which provider, the vendor's name of the model, sampling options. */
  models: Schema.Record(Schema.String, Model)
})

/**
 * The same in a `ConfigProvider`, where all is text; `options.provider` is JSON text there.
 *
 * @category models
 */
export const SettingsOfTexts = Schema.Struct({ ...pool, models: Schema.Record(Schema.String, ModelOfTexts) })

/** A model pool as data. @category models */
export type Settings = typeof Settings.Type

/** A provider of the settings. @category models */
export type ProviderSettings = typeof Provider.Type

/** A model of the settings. @category models */
export type ModelSettings = typeof Model.Type

/** Time-outs of the settings. @category models */
export type TimeoutSettings = { readonly [stage in keyof typeof Timeouts.Type]?: Duration.Duration }

const Problem = Schema.Struct({
  /** The key, as `models.fast.options.temperature`; empty for the whole. */
  path: Schema.String,
  /** What is wrong there. */
  detail: Schema.String
})

/** One thing that is wrong with a configuration. @category errors */
export type Problem = typeof Problem.Type

/**
 * A model pool's configuration that cannot be used: where it stands, and all that is wrong with it, by key.
 *
 * @category errors
 */
export class PoolConfigError extends Schema.TaggedError<PoolConfigError>()("PoolConfigError", {
  /** The file, or `the configuration`. */
  source: Schema.String,
  /** All that is wrong. */
  problems: Schema.Array(Problem)
}) {
  /** The source with one line for each problem. */
  override get message(): string {
    const lines = this.problems.map(({ detail, path }) => (path === "" ? detail : `${path}: ${detail}`))
    return `${this.source}: ${lines.join(lines.length === 1 ? "" : "\n  ")}`
  }
}

// Messages of Schema show the value that was found; here they end before it.
const withoutValue = (message: string): string =>
  message.startsWith("Invalid data")
    ? "Expected a valid value"
    : message.replace(/(,? got | with value | match the input ).*$/s, "")

const format = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) =>
    issue._tag === "MissingKey"
      ? "it is missing"
      : issue._tag === "UnexpectedKey"
        ? "there is no such setting"
        : withoutValue(SchemaIssue.defaultLeafHook(issue)),
  checkHook: (issue) => {
    const message = SchemaIssue.defaultCheckHook(issue)
    return message === undefined ? undefined : withoutValue(message)
  }
})

const print = (path: ReadonlyArray<PropertyKey>): string =>
  path.reduce<string>(
    (text, key) => (typeof key === "number" ? `${text}[${key}]` : text === "" ? String(key) : `${text}.${String(key)}`),
    ""
  )

const problemsOf = (issue: SchemaIssue.Issue): ReadonlyArray<Problem> =>
  format(issue).issues.map(({ message, path = [] }) => ({
    path: print(path.map((part) => (typeof part === "object" ? part.key : part))),
    detail: withoutValue(message)
  }))

const reference = /\$\{ENV\.([A-Za-z_][A-Za-z0-9_]*)\}/g

// The keys whose values are secrets, wherever they stand.
const isSecret = (path: ReadonlyArray<string | number>): boolean => {
  const last = path.at(-1)
  return path[0] === "providers" && (last === "apiKey" || (last === "key" && path[2] === "keys"))
}

// Puts the environment's values in the place of the references. Collects what is wrong.
const resolve = (
  value: unknown,
  path: ReadonlyArray<string | number>,
  problems: Array<Problem>
): Effect.Effect<unknown> => {
  const complain = (detail: string) => {
    problems.push({ path: print(path), detail })
    // Anything that passes the Schema: the problems are reported first.
    return Effect.succeed("?")
  }
  if (isSecret(path) && (typeof value !== "string" || value.replace(reference, "").length === value.length)) {
    return complain("a secret does not stand in a file; write a reference to the environment, as ${ENV.NAME}")
  }
  if (typeof value === "string") return interpolate(value, complain)
  if (Array.isArray(value)) return Effect.forEach(value, (item, index) => resolve(item, [...path, index], problems))
  if (typeof value !== "object" || value === null || value instanceof Date) return Effect.succeed(value)
  return Effect.map(
    Effect.forEach(Object.entries(value), ([key, item]) =>
      Effect.map(resolve(item, [...path, key], problems), (resolved) => [key, resolved] as const)
    ),
    Object.fromEntries
  )
}

const interpolate = Effect.fnUntraced(function* (text: string, complain: (detail: string) => Effect.Effect<unknown>) {
  const values = new Map<string, string>()
  for (const [, name = ""] of text.matchAll(reference)) {
    const found = yield* Effect.option(Config.NonEmptyString(name))
    if (Option.isNone(found)) return yield* complain(`the environment variable ${name} is not set`)
    values.set(name, found.value)
  }
  return text.replace(reference, (_, name: string) => values.get(name) ?? "")
})

// What the Schema cannot see: names that name nothing.
const unknownNames = (settings: Settings, vendors: ReadonlyArray<string>): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = []
  const check = (path: ReadonlyArray<string | number>, name: string, what: string, known: ReadonlyArray<string>) => {
    if (known.includes(name)) return
    problems.push({ path: print(path), detail: `this is no ${what}; there are: ${known.join(", ") || "none"}` })
  }
  const models = Object.keys(settings.models)
  for (const [name, provider] of Object.entries(settings.providers)) {
    check(["providers", name, "vendor"], provider.vendor ?? name, "vendor", vendors)
    if (provider.apiKey !== undefined && provider.keys !== undefined) {
      problems.push({ path: print(["providers", name]), detail: "it has `apiKey` or `keys`, not both" })
    }
    const ids = provider.keys?.keys.map((key) => key.id) ?? []
    if (new Set(ids).size < ids.length) {
      problems.push({ path: print(["providers", name, "keys"]), detail: "two keys have the same id" })
    }
  }
  for (const [name, model] of Object.entries(settings.models)) {
    check(["models", name, "provider"], model.provider, "provider", Object.keys(settings.providers))
  }
  check(["default"], settings.default, "model", models)
  const { fallback = [] } = settings
  const lists = "length" in fallback ? [["fallback", fallback] as const] : Object.entries(fallback)
  for (const [key, names] of lists) {
    const path = key === "fallback" ? ["fallback"] : ["fallback", key]
    for (const [index, name] of names.entries()) check([...path, index], name, "model", models)
  }
  return problems
}

const orFail = (source: string, problems: ReadonlyArray<Problem>) =>
  problems.length === 0 ? Effect.void : Effect.fail(new PoolConfigError({ source, problems }))

/**
 * Decodes a plain value, as a JSON, YAML or TOML file gives it: references `${ENV.NAME}` are resolved from the current
 * `ConfigProvider`, and secrets have to be such references. Fails with all that is wrong at once.
 *
 * @param source where the value stands, for errors
 * @param vendors the known vendors
 * @category decoding
 */
export const decode = Effect.fnUntraced(function* (
  value: unknown,
  source: string,
  vendors: ReadonlyArray<string>
): Effect.fn.Return<Settings, PoolConfigError> {
  const problems: Array<Problem> = []
  const resolved = yield* resolve(value, [], problems)
  const settings = yield* Schema.decodeUnknownEffect(Settings)(resolved, {
    errors: "all",
    onExcessProperty: "error"
  }).pipe(
    Effect.mapError(({ issue }) => new PoolConfigError({ source, problems: [...problems, ...problemsOf(issue)] }))
  )
  yield* orFail(source, [...problems, ...unknownNames(settings, vendors)])
  return settings
})

/**
 * Reads settings from a `Config`; secrets are plain values of the `ConfigProvider` there.
 *
 * @category decoding
 */
export const read = Effect.fnUntraced(function* (
  config: Config.Config<Settings>,
  vendors: ReadonlyArray<string>
): Effect.fn.Return<Settings, PoolConfigError> {
  const source = "the configuration"
  const settings = yield* Effect.mapError(config, ({ cause }) => {
    const problems =
      cause._tag === "SchemaError" ? problemsOf(cause.issue) : [{ path: "", detail: "it cannot be read" }]
    return new PoolConfigError({ source, problems })
  })
  yield* orFail(source, unknownNames(settings, vendors))
  return settings
})
