/**
 * Named models behind one `ModelProvider`: a request names the model, a failure of the right kind goes on to another
 * one. Programs do not change when models move.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { InvalidRequest, ModelError } from "../../services/ModelError.ts"
import { type ModelEvent, type ModelOptions, ModelProvider, type ModelRequest } from "../../services/ModelProvider.ts"
import * as Limits from "./Limits.ts"
import * as Replacement from "./Replacement.ts"
import * as Retry from "./Retry.ts"

/**
 * A model of a pool with what it is asked with.
 *
 * @category models
 */
export interface Profile<E = never, R = never> {
  /** Where the model is. */
  readonly provider: Layer.Layer<ModelProvider, E, R>
  /** The vendor's name of the model. Default: the provider's own. */
  readonly model?: string | undefined
  /** Sampling options; those of the request win, one by one. */
  readonly options?: ModelOptions | undefined
  /** Limits of this model. */
  readonly limits?: Limits.LimitOptions | undefined
  /** How its failures are retried before another model is asked. Default: not at all. */
  readonly retry?: Retry.RetryOptions | undefined
}

/** A model of a pool: a provider's layer, or a profile. @category models */
export type Member<E = never, R = never> = Layer.Layer<ModelProvider, E, R> | Profile<E, R>

/**
 * Which models are asked, in order, when one has failed, by the kind of failure. A list alone stands for `error`.
 *
 * Never masked, whatever is set here: refused credentials (401, 403), rejected requests, what a provider cannot do, and
 * refusals of the model.
 *
 * @category models
 */
export interface Fallback<Name extends string = string> {
  /** The provider cannot serve: 5xx, no connection, time-outs, broken or malformed answers. */
  readonly error?: ReadonlyArray<Name> | undefined
  /** Too many requests, overload, no quota left. Default: as `error`. */
  readonly rateLimit?: ReadonlyArray<Name> | undefined
  /** The prompt does not fit: models with a larger window. Default: none. */
  readonly contextOverflow?: ReadonlyArray<Name> | undefined
}

/**
 * A pool of models.
 *
 * @category models
 */
export interface PoolOptions<Models, Name extends string> {
  /** The models, by the names that `ModelRequest.model` and `Agent.settings({ model })` use. */
  readonly models: Models
  /** The model of requests that name none. */
  readonly default: NoInfer<Name>
  /** The models to go on to. Default: none. */
  readonly fallback?: ReadonlyArray<NoInfer<Name>> | Fallback<NoInfer<Name>> | undefined
  /** Go on to another model also after a part of the answer has been shown. Default false. */
  readonly replay?: boolean | undefined
  /** The pool's name in `meta` and in errors of its own. Default `pool`. */
  readonly name?: string | undefined
}

/** How the layers of a pool's models can fail. @category models */
export type ErrorOf<M> = M extends Member<infer E, infer _R> ? E : never

/** What the layers of a pool's models need. @category models */
export type ServicesOf<M> = M extends Member<infer _E, infer R> ? R : never

const classOf = ({ reason }: ModelError): keyof Fallback | undefined => {
  switch (reason._tag) {
    case "Unauthorized":
    case "InvalidRequest":
    case "Unsupported":
    case "Refused":
      return undefined
    case "ContextOverflow":
      return "contextOverflow"
    case "RateLimited":
    case "QuotaExhausted":
      return "rateLimit"
    case "ProviderUnavailable":
      return reason.status === 529 || reason.code?.startsWith("overloaded") === true ? "rateLimit" : "error"
    default:
      return "error"
  }
}

/** A model that is ready to be asked. */
interface Ready {
  readonly name: string
  readonly profile: Omit<Profile, "provider">
  readonly provider: ModelProvider["Service"]
}

const isLayer = <E, R>(member: Member<E, R>): member is Layer.Layer<ModelProvider, E, R> => Layer.isLayer(member)

const open = Effect.fnUntraced(function* <E, R>(
  name: string,
  member: Member<E, R>,
  memoMap: Layer.MemoMap
): Effect.fn.Return<Ready, E, R | Scope.Scope> {
  const profile = isLayer(member) ? { provider: member } : member
  const built = yield* Layer.buildWithMemoMap(profile.provider, memoMap, yield* Effect.scope)
  const bare = Context.get(built, ModelProvider)
  const limited = profile.limits === undefined ? bare : yield* Limits.wrap(bare, profile.limits)
  const provider = profile.retry === undefined ? limited : Retry.wrap(limited, profile.retry)
  const { provider: _, ...rest } = profile
  return { name, profile: rest, provider }
})

const merge = (own: ModelOptions | undefined, asked: ModelOptions): ModelOptions => {
  if (own === undefined) return asked
  const provider = own.provider === undefined ? asked.provider : { ...own.provider, ...asked.provider }
  return { ...own, ...asked, ...(provider === undefined ? {} : { provider }) }
}

// The request as the model's own provider understands it: the pool's name gives way to the vendor's.
const translate = ({ model: _, ...request }: ModelRequest, { model, options }: Ready["profile"]): ModelRequest => ({
  ...request,
  ...(model === undefined ? {} : { model }),
  options: merge(options, request.options)
})

// Each attempt of a model begins with its name, those that its own retries and keys begin too. They announce an attempt
// in a chunk of its own, so that only the first event of a chunk is looked at.
const send = (ready: Ready, request: ModelRequest): Stream.Stream<ModelEvent, ModelError> => {
  const info: ModelEvent = { _tag: "Info", model: ready.name }
  const answer = Stream.mapArray(ready.provider.stream(translate(request, ready.profile)), (events) =>
    events[0]._tag === "Restarted" ? [events[0], info, ...events.slice(1)] : events
  )
  return Stream.concat(Stream.succeed(info), answer)
}

/**
 * Makes a pool of a record whose layers all fail and need alike; `layer` is the same with the types of each.
 *
 * @category constructors
 */
export const make = Effect.fnUntraced(function* <E, R>(
  options: PoolOptions<{ readonly [name: string]: Member<E, R> }, string>
): Effect.fn.Return<ModelProvider["Service"], E, R | Scope.Scope> {
  const pool = options.name ?? "pool"
  // One memo map for all, so that models that share a layer share what it holds: its limits, its keys.
  const memoMap = Layer.CurrentMemoMap.forkOrCreate(yield* Effect.context<never>())
  const models = new Map<string, Ready>()
  for (const [name, member] of Object.entries(options.models)) models.set(name, yield* open(name, member, memoMap))
  const fallback: Fallback = isList(options.fallback) ? { error: options.fallback } : (options.fallback ?? {})
  const lists = { ...fallback, rateLimit: fallback.rateLimit ?? fallback.error }

  const stream = (request: ModelRequest): Stream.Stream<ModelEvent, ModelError> => {
    const name = request.model ?? options.default
    const first = models.get(name)
    if (first === undefined) {
      const known = [...models.keys()].join(", ")
      return Stream.fail(
        new ModelError({
          provider: pool,
          model: name,
          reason: new InvalidRequest({
            detail: `there is no model ${JSON.stringify(name)}; there are: ${known}`,
            code: "unknown_model"
          })
        })
      )
    }
    return Stream.suspend(() => {
      let current = first
      const tried = new Set([name])
      const errors: Array<ModelError> = []
      const decide: Replacement.Decide = (error) =>
        Effect.sync(() => {
          const otherwise = Replacement.firstOf(errors, error)
          errors.push(error)
          const kind = classOf(error)
          const next = kind === undefined ? undefined : lists[kind]?.find((one) => !tried.has(one))
          const ready = next === undefined ? undefined : models.get(next)
          if (ready === undefined) return otherwise
          const reason = `${current.name}: ${error.message}; next: ${ready.name}`
          current = ready
          tried.add(ready.name)
          return { reason, delay: 0, stream: send(ready, request), otherwise }
        })
      return Replacement.replacing(send(first, request), options.replay === true, decide)
    })
  }

  const [one, ...others] = [...models.values()].map((ready) => ready.provider.dialect)
  // A request is rendered before its model is known, so that the pool has a dialect only where all models share it.
  const dialect = others.every((other) => other === one) ? one : undefined
  return { name: pool, dialect, stream }
})

const isList = <A>(value: unknown): value is ReadonlyArray<A> => Array.isArray(value)

/**
 * Named models as one provider.
 *
 * A request that names a model of the pool goes to it, one that names none to the default; another name is an
 * `InvalidRequest` (`unknown_model`) that lists the known ones, and nothing is sent. Which model answers is told by an
 * `Info` event before all else (what the vendor says of itself follows), and why one was left by the `$status` event of
 * the restart. Where all fail, the first error is reported, with the others in `ModelError.others`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Agent } from "effigent"
 * import { ModelPool } from "effigent/layers/pool"
 * import { ProviderUnavailable } from "effigent/services/ModelError"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const models = ModelPool.layer({
 *   models: {
 *     fast: ScriptedModel.always(ScriptedModel.fail(new ProviderUnavailable({ detail: "overloaded", status: 503 }))),
 *     large: { provider: ScriptedModel.always(ScriptedModel.text("from large")), options: { temperature: 0.2 } }
 *   },
 *   default: "fast",
 *   fallback: ["large"]
 * })
 * const answer = Agent.make({}).pipe(Agent.input("Hello!"), Agent.run)
 * console.log(await Effect.runPromise(answer.pipe(Effect.provide(models)))) // => from large
 * ```
 *
 * @category layers
 */
export const layer = <const Models extends { readonly [name: string]: Member<unknown, unknown> }>(
  options: PoolOptions<Models, keyof Models & string>
): Layer.Layer<ModelProvider, ErrorOf<Models[keyof Models]>, ServicesOf<Models[keyof Models]>> => {
  type E = ErrorOf<Models[keyof Models]>
  type R = ServicesOf<Models[keyof Models]>
  // Each member fails and needs no more than the union of all does.
  const models = options.models as { readonly [name: string]: Member<E, R> }
  return Layer.effect(ModelProvider, make<E, R>({ ...options, models }))
}
