// Types of the model pool: names are checked, and what the layers of the models need and how they fail is kept.
import { Context, Effect, type FileSystem, Layer, Redacted } from "effect"
import { OpenAICompatible } from "effigent/layers/openai"
import { ModelPool } from "effigent/layers/pool"
import { ModelProvider } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equals<A, B>): void => {}

class Vault extends Context.Service<Vault, { readonly key: string }>()("Vault") {}
class Sealed {
  readonly _tag = "Sealed"
}

const sealed: Layer.Layer<ModelProvider, Sealed, Vault> = Layer.effect(
  ModelProvider,
  Effect.flatMap(Vault, () => Effect.fail(new Sealed()))
)
const plain = ScriptedModel.layer([])

const pool = ModelPool.layer({
  models: { fast: plain, large: { provider: sealed, model: "large-1", retry: { attempts: 2 } } },
  default: "fast",
  fallback: { error: ["large"], contextOverflow: ["large"] }
})
same<typeof pool, Layer.Layer<ModelProvider, Sealed, Vault>>(true)

const closed = ModelPool.layer({ models: { fast: plain }, default: "fast", fallback: ["fast"] })
same<typeof closed, Layer.Layer<ModelProvider>>(true)

ModelPool.layer({
  models: { fast: plain },
  // @ts-expect-error there is no such model
  default: "quick"
})
ModelPool.layer({
  models: { fast: plain },
  default: "fast",
  // @ts-expect-error there is no such model
  fallback: ["large"]
})

const keys = ModelPool.keys({
  keys: [{ id: "a", key: Redacted.make("k") }],
  provider: (apiKey) => OpenAICompatible.layer({ model: "m", apiKey })
})
same<typeof keys, Layer.Layer<ModelProvider>>(true)

ModelPool.keys({
  // @ts-expect-error a pool has at least one key
  keys: [],
  provider: () => plain
})
ModelPool.keys({
  // @ts-expect-error a key is Redacted
  keys: [{ id: "a", key: "sk-1" }],
  provider: () => plain
})

const file = ModelPool.fromFile("models.yaml", { openai: OpenAICompatible.layer, sealed: () => sealed })
same<typeof file, Layer.Layer<ModelProvider, ModelPool.PoolConfigError | Sealed, Vault | FileSystem.FileSystem>>(true)

const value = ModelPool.fromValue({}, { openai: OpenAICompatible.layer })
same<typeof value, Layer.Layer<ModelProvider, ModelPool.PoolConfigError>>(true)

const retried = ModelPool.retry().pipe(Layer.provide(plain))
same<typeof retried, Layer.Layer<ModelProvider>>(true)
