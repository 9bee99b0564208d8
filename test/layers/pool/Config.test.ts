// Pools from plain values, configuration and files: what they mean, and what is said of what is wrong with them.
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Fiber, FileSystem, Layer, Redacted, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ModelPool } from "effigent/layers/pool"
import { AnthropicCompatible } from "effigent/layers/anthropic"
import { OpenAICompatible } from "effigent/layers/openai"
import { ProviderUnavailable, RateLimited } from "effigent/services/ModelError"
import { ModelProvider, type ModelRequest } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"
import { request } from "../testing/requests.ts"

const environment = (env: Record<string, string>) => ConfigProvider.layer(ConfigProvider.fromEnv({ env }))

const ask = (over: Partial<ModelRequest> = {}) =>
  Effect.gen(function* () {
    const provider = yield* ModelProvider
    return yield* Stream.runCollect(provider.stream(request("hello", over)))
  })

// A vendor that writes down what it was made with and what it is asked.
const vendor = (step: (endpoint: ModelPool.Endpoint) => ScriptedModel.Step = () => ScriptedModel.text("ok")) => {
  const made: Array<ModelPool.Endpoint> = []
  const asked: Array<{ readonly key: string | undefined; readonly request: ModelRequest }> = []
  const layer: ModelPool.Vendor = (endpoint) =>
    Layer.effect(
      ModelProvider,
      Effect.map(Layer.build(ScriptedModel.always(step(endpoint), { name: endpoint.name })), (context) => {
        made.push(endpoint)
        const inner = Context.get(context, ModelProvider)
        return {
          ...inner,
          stream: (one) =>
            Stream.suspend(() => {
              asked.push({ key: endpoint.apiKey && Redacted.value(endpoint.apiKey), request: one })
              return inner.stream(one)
            })
        }
      })
    )
  return { layer, made, asked }
}

const full = {
  providers: {
    openai: {
      apiKey: "${ENV.OPENAI_API_KEY}",
      timeouts: { connect: "10 seconds", idle: 5_000 },
      limits: {
        concurrency: 8,
        rate: { limit: 60, window: "1 minute" },
        circuit: { failures: 5, openFor: "30 seconds" }
      }
    },
    backup: {
      vendor: "openai",
      baseUrl: "https://${ENV.BACKUP_HOST}/v1",
      headers: { "x-team": "Bearer ${ENV.TEAM_TOKEN}" },
      keys: {
        selection: "round-robin",
        failover: { on: [429, "QuotaExhausted"], attempts: 2 },
        keys: [
          { id: "one", key: "${ENV.KEY_ONE}" },
          { id: "two", key: "${ENV.KEY_TWO}", weight: 2 }
        ]
      }
    }
  },
  models: {
    fast: { provider: "openai", model: "small-1", options: { temperature: 0.2, maxTokens: 500 } },
    large: { provider: "openai", model: "large-1", retry: { attempts: 2, time: "1 minute" } },
    spare: { provider: "backup", model: "small-1" }
  },
  default: "fast",
  fallback: { error: ["spare"], contextOverflow: ["large"] }
}

const yaml = `
# A pool of three models.
providers:
  openai:
    apiKey: \${ENV.OPENAI_API_KEY}
    timeouts: { connect: 10 seconds, idle: 5000 }
    limits:
      concurrency: 8
      rate: { limit: 60, window: 1 minute }
      circuit: { failures: 5, openFor: 30 seconds }
  backup:
    vendor: openai
    baseUrl: https://\${ENV.BACKUP_HOST}/v1
    headers:
      x-team: Bearer \${ENV.TEAM_TOKEN}
    keys:
      selection: round-robin
      failover: { on: [429, QuotaExhausted], attempts: 2 }
      keys:
        - { id: one, key: "\${ENV.KEY_ONE}" }
        - { id: two, key: "\${ENV.KEY_TWO}", weight: 2 }
models:
  fast: { provider: openai, model: small-1, options: { temperature: 0.2, maxTokens: 500 } }
  large: { provider: openai, model: large-1, retry: { attempts: 2, time: 1 minute } }
  spare: { provider: backup, model: small-1 }
default: fast
fallback:
  error: [spare]
  contextOverflow: [large]
`

const toml = `
default = "fast"

[providers.openai]
apiKey = "\${ENV.OPENAI_API_KEY}"
timeouts = { connect = "10 seconds", idle = 5000 }

[providers.openai.limits]
concurrency = 8
rate = { limit = 60, window = "1 minute" }
circuit = { failures = 5, openFor = "30 seconds" }

[providers.backup]
vendor = "openai"
baseUrl = "https://\${ENV.BACKUP_HOST}/v1"
headers = { x-team = "Bearer \${ENV.TEAM_TOKEN}" }

[providers.backup.keys]
selection = "round-robin"
failover = { on = [429, "QuotaExhausted"], attempts = 2 }

[[providers.backup.keys.keys]]
id = "one"
key = "\${ENV.KEY_ONE}"

[[providers.backup.keys.keys]]
id = "two"
key = "\${ENV.KEY_TWO}"
weight = 2

[models.fast]
provider = "openai"
model = "small-1"
options = { temperature = 0.2, maxTokens = 500 }

[models.large]
provider = "openai"
model = "large-1"
retry = { attempts = 2, time = "1 minute" }

[models.spare]
provider = "backup"
model = "small-1"

[fallback]
error = ["spare"]
contextOverflow = ["large"]
`

const env = {
  OPENAI_API_KEY: "sk-openai-123",
  BACKUP_HOST: "backup.example",
  TEAM_TOKEN: "team-token-123",
  KEY_ONE: "sk-one-123",
  KEY_TWO: "sk-two-123"
}

const disk = (files: Record<string, string>) =>
  FileSystem.layerNoop({
    readFileString: (path) =>
      path in files ? Effect.succeed(files[path] ?? "") : FileSystem.makeNoop({}).readFileString(path)
  })

// What the configuration `full` has to come to.
const checkFull = Effect.fnUntraced(function* (
  layer: (vendors: { readonly openai: ModelPool.Vendor }) => Layer.Layer<ModelProvider, ModelPool.PoolConfigError>
) {
  const down = new ProviderUnavailable({ detail: "down" })
  const {
    asked,
    layer: openai,
    made
  } = vendor(({ name }) => (name === "openai" ? ScriptedModel.fail(down) : ScriptedModel.text("from backup")))
  const events = yield* ask({ options: { maxTokens: 9 } }).pipe(Effect.provide(layer({ openai })))
  assert.isTrue(events.some((event) => event._tag === "Text" && event.text === "from backup"))
  const plain = made.map(({ apiKey, headers, timeouts, ...rest }) => ({
    ...rest,
    apiKey: apiKey && Redacted.value(apiKey),
    headers: headers?.["x-team"] && Redacted.value(headers["x-team"]),
    timeouts: timeouts && { connect: String(timeouts.connect), idle: String(timeouts.idle) }
  }))
  const backup = {
    model: "small-1",
    name: "backup",
    baseUrl: "https://backup.example/v1",
    headers: "Bearer team-token-123",
    timeouts: undefined
  }
  assert.deepStrictEqual(plain, [
    {
      model: "small-1",
      name: "openai",
      apiKey: "sk-openai-123",
      headers: undefined,
      timeouts: { connect: "10000 millis", idle: "5000 millis" }
    },
    { ...backup, apiKey: "sk-one-123" },
    { ...backup, apiKey: "sk-two-123" }
  ])
  assert.deepStrictEqual(
    asked.map(({ key, request: { model, options } }) => ({ key, model, options })),
    [
      { key: "sk-openai-123", model: "small-1", options: { temperature: 0.2, maxTokens: 9 } },
      { key: "sk-one-123", model: "small-1", options: { maxTokens: 9 } }
    ]
  )
})

describe("the same pool", () => {
  it.effect("from a plain value", () =>
    checkFull((vendors) => ModelPool.fromValue(full, vendors)).pipe(Effect.provide(environment(env)))
  )

  for (const [path, text] of [
    ["models.json", JSON.stringify(full, null, 2)],
    ["conf/models.yaml", yaml],
    ["models.YML", yaml],
    ["models.toml", toml]
  ] as const) {
    it.effect(`ST-01 from the file ${path}`, () =>
      Effect.gen(function* () {
        const context = yield* Effect.context<FileSystem.FileSystem>()
        yield* checkFull((vendors) =>
          ModelPool.fromFile(path, vendors).pipe(Layer.provide(Layer.succeedContext(context)))
        )
      }).pipe(Effect.provide(disk({ [path]: text })), Effect.provide(environment(env)))
    )
  }

  it.effect("from a ConfigProvider, secrets included", () => {
    const resolved: unknown = JSON.parse(
      JSON.stringify(full).replace(/\$\{ENV\.(\w+)\}/g, (_, name: keyof typeof env) => env[name])
    )
    return checkFull((vendors) => ModelPool.fromConfig(ModelPool.config("pool"), vendors)).pipe(
      Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ pool: resolved })))
    )
  })

  it.effect("from environment variables", () =>
    Effect.gen(function* () {
      const { asked, layer } = vendor()
      yield* ask().pipe(
        Effect.provide(ModelPool.fromConfig(ModelPool.config("MODELS"), { openai: layer })),
        Effect.provide(
          environment({
            MODELS_providers_openai_apiKey: "sk-1",
            MODELS_providers_openai_limits_concurrency: "2",
            MODELS_models_fast_provider: "openai",
            MODELS_models_fast_model: "small-1",
            MODELS_models_fast_options_temperature: "0.5",
            MODELS_models_fast_options_provider: '{"reasoning":{"effort":"low"}}',
            MODELS_default: "fast"
          })
        )
      )
      assert.deepStrictEqual(
        asked.map(({ key, request: { model, options } }) => ({ key, model, options })),
        [{ key: "sk-1", model: "small-1", options: { temperature: 0.5, provider: { reasoning: { effort: "low" } } } }]
      )
    })
  )

  it.effect("takes the layers of the vendors' rooms as they are", () =>
    Effect.gen(function* () {
      const layer = ModelPool.fromValue(
        {
          providers: { openai: { apiKey: "${ENV.A}" }, anthropic: { apiKey: "${ENV.B}" } },
          models: { a: { provider: "openai", model: "m" }, b: { provider: "anthropic", model: "n" } },
          default: "a"
        },
        { openai: OpenAICompatible.layer, anthropic: AnthropicCompatible.layer }
      )
      const provider = yield* Effect.provide(ModelProvider, layer)
      assert.strictEqual(provider.name, "pool")
    }).pipe(Effect.provide(environment({ A: "a", B: "b" })))
  )
})

describe("settings", () => {
  const two = (over: object) => ({
    providers: { p: { vendor: "v", ...over } },
    models: { a: { provider: "p", model: "m1" }, b: { provider: "p", model: "m2" } },
    default: "a"
  })

  it.effect("limits of a provider hold for all its models together", () =>
    Effect.gen(function* () {
      const { asked, layer, made } = vendor(() => ScriptedModel.hang)
      yield* Effect.gen(function* () {
        yield* Effect.forkChild(ask({ model: "a" }), { startImmediately: true })
        yield* Effect.forkChild(ask({ model: "b" }), { startImmediately: true })
        for (let i = 0; i < 50; i++) yield* Effect.yieldNow
        assert.deepStrictEqual(
          asked.map((one) => one.request.model),
          ["m1"]
        )
        assert.strictEqual(made.length, 1)
      }).pipe(Effect.provide(ModelPool.fromValue(two({ limits: { concurrency: 1 } }), { v: layer })))
    })
  )

  it.effect("retries of a model are retries", () =>
    Effect.gen(function* () {
      const { asked, layer } = vendor(() => ScriptedModel.fail(new RateLimited({ detail: "later" })))
      const settings = {
        providers: { p: {} },
        models: { a: { provider: "p", model: "m", retry: { attempts: 3, firstDelay: 1_000, maxDelay: 1_000 } } },
        default: "a"
      }
      const fiber = yield* Effect.forkChild(
        Effect.flip(ask()).pipe(Effect.provide(ModelPool.fromValue(settings, { p: layer }))),
        { startImmediately: true }
      )
      yield* TestClock.adjust(799)
      assert.strictEqual(asked.length, 1)
      yield* TestClock.adjust(401)
      assert.strictEqual(asked.length, 2)
      yield* TestClock.adjust(1_200)
      yield* Fiber.join(fiber)
      assert.strictEqual(asked.length, 3)
    })
  )
})

describe("what is wrong with it", () => {
  const problems = (value: unknown, variables: Record<string, string> = {}) =>
    Layer.build(ModelPool.fromValue(value, { openai: vendor().layer, other: vendor().layer })).pipe(
      Effect.flip,
      Effect.provide(environment(variables)),
      Effect.map((error) => Object.fromEntries(error.problems.map(({ detail, path }) => [path, detail])))
    )
  const minimal = {
    providers: { openai: {} },
    models: { fast: { provider: "openai", model: "m" } },
    default: "fast"
  }

  it.effect("is told all at once, by key", () =>
    Effect.gen(function* () {
      const found = yield* problems({
        providers: { openai: { limits: { concurrency: 0 }, timeouts: { idle: "soon" }, colour: "red" } },
        models: { fast: { provider: "openai", options: { temperature: "warm" } } },
        fallback: 3
      })
      assert.sameMembers(Object.keys(found), [
        "providers.openai.limits.concurrency",
        "providers.openai.timeouts.idle",
        "providers.openai.colour",
        "models.fast.model",
        "models.fast.options.temperature",
        "default",
        "fallback"
      ])
      assert.strictEqual(found["providers.openai.colour"], "there is no such setting")
      assert.strictEqual(found["models.fast.model"], "it is missing")
      assert.strictEqual(found["providers.openai.limits.concurrency"], "Expected a value greater than or equal to 1")
    })
  )

  it.effect("names that name nothing are told with those that there are", () =>
    Effect.gen(function* () {
      const found = yield* problems({
        providers: { openai: { vendor: "opnai" }, other: {} },
        models: { fast: { provider: "opnai", model: "m" }, large: { provider: "other", model: "m" } },
        default: "quick",
        fallback: { error: ["large", "huge"] }
      })
      assert.deepStrictEqual(found, {
        "providers.openai.vendor": "this is no vendor; there are: openai, other",
        "models.fast.provider": "this is no provider; there are: openai, other",
        default: "this is no model; there are: fast, large",
        "fallback.error[1]": "this is no model; there are: fast, large"
      })
      assert.deepStrictEqual(yield* problems({ ...minimal, fallback: ["fast", "slow"] }), {
        "fallback[1]": "this is no model; there are: fast"
      })
      assert.deepStrictEqual(yield* problems({ ...minimal, default: "constructor" }), {
        default: "this is no model; there are: fast"
      })
    })
  )

  it.effect("a variable that is not set, or empty, is told by its name and the key", () =>
    Effect.gen(function* () {
      const value = {
        ...minimal,
        providers: { openai: { apiKey: "${ENV.OPENAI_API_KEY}", baseUrl: "https://${ENV.HOST}/" } }
      }
      assert.deepStrictEqual(yield* problems(value, { HOST: "" }), {
        "providers.openai.apiKey": "the environment variable OPENAI_API_KEY is not set",
        "providers.openai.baseUrl": "the environment variable HOST is not set"
      })
    })
  )

  it.effect("a secret that stands in the file is refused and not repeated", () =>
    Effect.gen(function* () {
      const keys = { keys: [{ id: "a", key: "sk-secret-2" }] }
      for (const provider of [{ apiKey: "sk-secret-1" }, { apiKey: 4242 }, { keys }]) {
        const error = yield* Layer.build(
          ModelPool.fromValue({ ...minimal, providers: { openai: provider } }, { openai: vendor().layer })
        ).pipe(Effect.flip)
        assert.include(error.message, "a secret does not stand in a file")
        assert.notMatch(error.message, /sk-secret|4242/)
      }
    })
  )

  it.effect("a provider with a key and a pool of keys, or with two keys of one id, is refused", () =>
    Effect.gen(function* () {
      const key = { id: "a", key: "${ENV.K}" }
      const both = { openai: { apiKey: "${ENV.K}", keys: { keys: [key] } } }
      assert.deepStrictEqual(yield* problems({ ...minimal, providers: both }, { K: "k" }), {
        "providers.openai": "it has `apiKey` or `keys`, not both"
      })
      const twice = { openai: { keys: { keys: [key, key] } } }
      assert.deepStrictEqual(yield* problems({ ...minimal, providers: twice }, { K: "k" }), {
        "providers.openai.keys": "two keys have the same id"
      })
    })
  )

  for (const [path, text, expected] of [
    ["a.json", '{\n  "default": "x",\n  "apiKey": sk-secret }', /^a\.json: it is not JSON( \(line 3\))?$/],
    ["a.yaml", "default: x\n\tkey: sk-secret\n", /^a\.yaml: it is not YAML( \(line 2\))?$/],
    ["a.toml", 'default = "x"\nkey = sk-secret\n', /^a\.toml: it is not TOML( \(line 2\))?$/],
    ["a.ini", "", "a.ini: it is none of .json, .yaml, .yml and .toml"],
    ["constructor", "", "constructor: it is none of .json, .yaml, .yml and .toml"],
    ["b.json", JSON.stringify({ ...minimal, default: 5 }), "b.json: default: Expected string"],
    ["gone.json", undefined, "gone.json: there is no such file"]
  ] as const) {
    it.effect(`the file ${path}: ${expected}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Layer.build(ModelPool.fromFile(path, { openai: vendor().layer })))
        if (typeof expected === "string") assert.strictEqual(error.message, expected)
        else assert.match(error.message, expected)
      }).pipe(Effect.provide(disk(text === undefined ? {} : { [path]: text })))
    )
  }

  it.effect("configuration that does not decode never shows its values", () =>
    Effect.gen(function* () {
      const provider = ConfigProvider.fromUnknown({
        providers: { openai: { apiKey: "sk-secret-1", limits: { concurrency: "sk-secret-2" } } },
        models: { fast: { provider: "openai", model: "m" } },
        default: "fast"
      })
      const error = yield* Effect.flip(
        Layer.build(ModelPool.fromConfig(ModelPool.config(), { openai: vendor().layer })).pipe(
          Effect.provide(ConfigProvider.layer(provider))
        )
      )
      assert.include(error.message, "the configuration: providers.openai.limits.concurrency: ")
      assert.notInclude(JSON.stringify(error) + error.message + String(error.stack), "sk-secret")
    })
  )
})
