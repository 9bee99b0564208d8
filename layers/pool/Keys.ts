/**
 * Several keys for one provider: which key a request uses, and what follows when the provider refuses that key. One
 * provider layer is built for each key, so that everything that a layer holds (limits, retries) can be per key.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { InvalidRequest, ModelError } from "../../services/ModelError.ts"
import { type ModelEvent, ModelProvider, type ModelRequest } from "../../services/ModelProvider.ts"
import * as Replacement from "./Replacement.ts"

/**
 * A key of a pool.
 *
 * @category models
 */
export interface Key {
  /** Its name in `$status` events; never the key itself. */
  readonly id: string
  /** The key. */
  readonly key: Redacted.Redacted
  /** How often `random` takes it, compared with the others. Default 1. */
  readonly weight?: number | undefined
}

/**
 * A key as a selection sees it.
 *
 * @category models
 */
export interface KeyState {
  /** The key's name. */
  readonly id: string
  /** Its weight. */
  readonly weight: number
  /** How many requests have used it. */
  readonly uses: number
  /** How many use it now. */
  readonly inFlight: number
}

/**
 * Which key a request begins with: the first (`fixed`), any (`random`, by weight), one after the other
 * (`round-robin`), the one with the fewest requests in flight and then the fewest so far (`least-used`), or the one
 * whose id a function gives.
 *
 * @category models
 */
export type Selection =
  | "fixed"
  | "random"
  | "round-robin"
  | "least-used"
  | ((keys: ReadonlyArray<KeyState>, request: ModelRequest) => string | Effect.Effect<string>)

/**
 * What follows a failure: the next key that this request has not used, the same key once more (after the time that the
 * provider asks for, at most a minute), a key by its id, or the error.
 *
 * @category models
 */
export type KeyDecision = "next" | "same" | "raise" | { readonly key: string }

/**
 * What follows when a request fails with one key.
 *
 * @category models
 */
export interface Failover {
  /**
   * The failures that this is about, by HTTP status or by reason. Default `["RateLimited", "QuotaExhausted"]`. A
   * refused key (`Unauthorized`, 401) is reported unless it is named here.
   */
  readonly on?: ReadonlyArray<number | ModelError["reason"]["_tag"]> | undefined
  /** What to do then. Default `next`. */
  readonly then?: KeyDecision | ((error: ModelError, key: KeyState) => KeyDecision | Effect.Effect<KeyDecision>)
  /** The most physical requests, the first one included. Default: as many as there are keys. */
  readonly attempts?: number | undefined
  /** Also after a part of the answer has been shown; readers are told by `Restarted`. Default false. */
  readonly replay?: boolean | undefined
}

/**
 * A pool of keys.
 *
 * @category models
 */
export interface KeysOptions<E, R> {
  /** The keys, in their order. */
  readonly keys: readonly [Key, ...ReadonlyArray<Key>]
  /** The provider with one key. Built once for each. */
  readonly provider: (key: Redacted.Redacted, id: string) => Layer.Layer<ModelProvider, E, R>
  /** Which key a request begins with. Default `round-robin`. */
  readonly selection?: Selection | undefined
  /** What follows when the provider refuses it. */
  readonly failover?: Failover | undefined
}

// A key with its provider and its counters, which belong to the layer.
interface Slot {
  readonly id: string
  readonly weight: number
  readonly provider: ModelProvider["Service"]
  uses: number
  inFlight: number
}

// A copy, so that a selection that keeps it sees no later changes.
const stateOf = ({ id, inFlight, uses, weight }: Slot): KeyState => ({ id, weight, uses, inFlight })

const byWeight = (slots: ReadonlyArray<Slot>, at: number): Slot | undefined => {
  let left = at * slots.reduce((sum, slot) => sum + slot.weight, 0)
  return slots.find((slot) => (left -= slot.weight) < 0) ?? slots.at(-1)
}

const leastUsed = (slots: ReadonlyArray<Slot>): Slot | undefined =>
  slots.reduce<Slot | undefined>(
    (best, slot) =>
      best === undefined || slot.inFlight < best.inFlight || (slot.inFlight === best.inFlight && slot.uses < best.uses)
        ? slot
        : best,
    undefined
  )

const lift = <A>(value: A | Effect.Effect<A>): Effect.Effect<A> =>
  Effect.isEffect(value) ? value : Effect.succeed(value)

// What a key pool does before it gives up waiting for a provider that asks for time.
const longestWait = 60_000

const make = Effect.fnUntraced(function* <E, R>(
  options: KeysOptions<E, R>
): Effect.fn.Return<ModelProvider["Service"], E, R | Scope.Scope> {
  const open = Effect.fnUntraced(function* ({ id, key, weight = 1 }: Key) {
    const built = yield* Layer.build(options.provider(key, id))
    const slot: Slot = { id, weight, provider: Context.get(built, ModelProvider), uses: 0, inFlight: 0 }
    return slot
  })
  const [firstKey, ...otherKeys] = options.keys
  const first = yield* open(firstKey)
  const slots = [first, ...(yield* Effect.forEach(otherKeys, open))]
  const {
    attempts = slots.length,
    on = ["RateLimited", "QuotaExhausted"],
    replay = false,
    then = "next"
  } = options.failover ?? {}
  const selection = options.selection ?? "round-robin"
  let turn = 0

  const unknown = (id: string, request: ModelRequest): ModelError =>
    new ModelError({
      provider: first.provider.name,
      ...(request.model === undefined ? {} : { model: request.model }),
      reason: new InvalidRequest({
        detail: `there is no key ${JSON.stringify(id)}; there are: ${slots.map((slot) => slot.id).join(", ")}`,
        code: "unknown_key"
      })
    })
  const byId = (id: string, request: ModelRequest): Slot | ModelError =>
    slots.find((slot) => slot.id === id) ?? unknown(id, request)

  const select = Effect.fnUntraced(function* (request: ModelRequest) {
    if (typeof selection === "function") return byId(yield* lift(selection(slots.map(stateOf), request)), request)
    switch (selection) {
      case "fixed":
        return first
      case "random":
        return byWeight(slots, yield* Random.next) ?? first
      case "round-robin":
        return slots[turn++ % slots.length] ?? first
      case "least-used":
        return leastUsed(slots) ?? first
    }
  })

  const isFor = ({ reason }: ModelError): boolean =>
    on.some((one) => (typeof one === "number" ? one === reason.status : one === reason._tag))

  const send = (slot: Slot, request: ModelRequest): Stream.Stream<ModelEvent, ModelError> =>
    Stream.unwrap(
      Effect.acquireRelease(
        Effect.sync(() => {
          slot.uses++
          slot.inFlight++
          return slot.provider.stream(request)
        }),
        () => Effect.sync(() => void slot.inFlight--)
      )
    )

  const stream = (request: ModelRequest) =>
    Effect.gen(function* () {
      const selected = yield* select(request)
      if (selected instanceof ModelError) return Stream.fail(selected)
      let slot: Slot = selected
      const used = new Set([slot])
      const errors: Array<ModelError> = []
      // The next in line that this request has not used.
      const following = () => {
        const at = slots.indexOf(slot)
        return [...slots.slice(at + 1), ...slots.slice(0, at)].find((one) => !used.has(one))
      }
      const decide: Replacement.Decide = Effect.fnUntraced(function* (error) {
        const otherwise = Replacement.firstOf(errors, error)
        errors.push(error)
        if (!isFor(error) || errors.length >= attempts) return otherwise
        const decision = yield* lift(typeof then === "function" ? then(error, stateOf(slot)) : then)
        if (decision === "raise") return otherwise
        const next = decision === "same" ? slot : decision === "next" ? following() : byId(decision.key, request)
        if (next === undefined) return otherwise
        if (next instanceof ModelError) return next
        const reason = `key ${slot.id}: ${error.message}; next: key ${next.id}`
        const delay = next === slot ? Replacement.asked(error, longestWait) : 0
        slot = next
        used.add(next)
        return { reason, delay, stream: send(next, request), otherwise }
      })
      return Replacement.replacing(send(slot, request), replay, decide)
    })

  return { ...first.provider, stream: (request) => Stream.unwrap(stream(request)) }
})

/**
 * A provider with several keys.
 *
 * @example
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { Agent } from "effigent"
 * import { ModelPool } from "effigent/layers/pool"
 * import { RateLimited } from "effigent/services/ModelError"
 * import { ScriptedModel } from "effigent/testing"
 *
 * // As a program would write `OpenAICompatible.layer({ model: "gpt-4.1-mini", apiKey })`.
 * const vendor = (id: string) =>
 *   ScriptedModel.always(
 *     id === "team-a" ? ScriptedModel.fail(new RateLimited({ detail: "slow down" })) : ScriptedModel.text("from team-b")
 *   )
 * const model = ModelPool.keys({
 *   keys: [
 *     { id: "team-a", key: Redacted.make("sk-a") },
 *     { id: "team-b", key: Redacted.make("sk-b") }
 *   ],
 *   provider: (_apiKey, id) => vendor(id),
 *   selection: "fixed"
 * })
 * const answer = Agent.make({}).pipe(Agent.input("Hello!"), Agent.run)
 * console.log(await Effect.runPromise(answer.pipe(Effect.provide(model)))) // => from team-b
 * ```
 *
 * @category layers
 */
export const keys = <E = never, R = never>(options: KeysOptions<E, R>): Layer.Layer<ModelProvider, E, R> =>
  Layer.effect(ModelProvider, make(options))
