/**
 * Data that all executions of a flow share: what the contract says under `shared`, held by the service `FlowData`. It is
 * not part of any execution: a write is there at once, for everybody, whatever becomes of who has written it.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Json } from "effect/Schema"
import { FlowData, FlowDataError, type FlowDataField } from "../../../services/FlowData.ts"
import type * as Codec from "../engine/Codec.ts"
import type { Contract } from "../Flow.ts"
import * as Plan from "../engine/Plan.ts"
import type { ContractData } from "../Node.ts"
import type { Element, Key, ListKey, OptionalKey, Spec } from "../Spec.ts"

/**
 * The shared fields of a flow. A field that was never written has its initial value. Every write is one of its own: it
 * is seen at once, also where the handler fails later, and chains on `contract.shared(key)` of all open executions are
 * told of it, as of a signal from outside.
 *
 * @category models
 */
export interface Shared<S> {
  get<K extends Key<S>>(key: K): Effect.Effect<S[K], FlowDataError>
  set<K extends Key<S>>(key: K, value: Exclude<S[K], undefined>): Effect.Effect<void, FlowDataError>
  /** Puts an item at the end of a list. Costs the list. */
  append<K extends ListKey<S>>(key: K, item: Element<S[K]>): Effect.Effect<void, FlowDataError>
  /**
   * Changes a field on the ground of what it is now; gives what it is then. No other write comes between: where one
   * does, `f` is asked again.
   */
  update<K extends Key<S>>(key: K, f: (value: S[K]) => Exclude<S[K], undefined>): Effect.Effect<S[K], FlowDataError>
  /** Takes away a field that may be absent. */
  delete<K extends OptionalKey<S>>(key: K): Effect.Effect<void, FlowDataError>
}

/** `FlowData` where a contract has shared fields, nothing elsewhere. @category type-level */
export type Services<C extends Spec> = [keyof C["shared"]] extends [never] ? never : FlowData

const problem = (flow: string, key: string, operation: FlowDataError["operation"], detail: string) =>
  new FlowDataError({ flow, key, operation, detail })

/**
 * The value of a field; that of its initial value where it was never written.
 *
 * @category conversions
 */
export const valueOf = (
  flow: string,
  key: string,
  codec: Codec.Codec,
  initial: unknown,
  { value, version }: FlowDataField
): Result.Result<unknown, FlowDataError> =>
  version === 0
    ? Result.succeed(initial)
    : value === undefined
      ? Result.succeed(undefined)
      : Result.mapError(codec.decode(value), (issue) =>
          problem(flow, key, "read", `what is stored does not fit the contract: ${issue}. Write it anew, or mend it.`)
        )

// The shared fields of one flow, with the types erased.
class Impl {
  readonly flow: string
  readonly shared: Plan.SharedFields
  readonly store: Effect.Effect<FlowData["Service"], FlowDataError>

  constructor(contract: ContractData, store: Option.Option<FlowData["Service"]>) {
    this.flow = contract.name
    this.shared = Plan.sharedOf(contract)
    this.store = Option.isSome(store) ? Effect.succeed(store.value) : Effect.fail(missing(contract.name))
  }

  private field<A>(
    key: string,
    then: (codec: Codec.Codec) => Effect.Effect<A, FlowDataError>
  ): Effect.Effect<A, FlowDataError> {
    const field = this.shared.fields.get(key)
    return field === undefined
      ? Effect.fail(problem(this.flow, key, "read", "the contract has no such shared field. Add it under `shared`."))
      : then(field.codec)
  }

  private value(key: string, codec: Codec.Codec, field: FlowDataField): Effect.Effect<unknown, FlowDataError> {
    const value = valueOf(this.flow, key, codec, this.shared.initial.get(key), field)
    return Result.isFailure(value) ? Effect.fail(value.failure) : Effect.succeed(value.success)
  }

  get(key: string): Effect.Effect<unknown, FlowDataError> {
    return this.field(key, (codec) =>
      Effect.flatMap(this.store, (store) =>
        Effect.flatMap(store.get(this.flow, key), (field) => this.value(key, codec, field))
      )
    )
  }

  /** Writes on top of whatever is there when its turn comes. */
  private write(
    key: string,
    next: (codec: Codec.Codec, field: FlowDataField) => Effect.Effect<Json | undefined, FlowDataError>
  ): Effect.Effect<unknown, FlowDataError> {
    const attempt = (store: FlowData["Service"], codec: Codec.Codec): Effect.Effect<unknown, FlowDataError> =>
      Effect.gen({ self: this }, function* () {
        const field = yield* store.get(this.flow, key)
        const json = yield* next(codec, field)
        const written = yield* store.set(this.flow, key, json, field.version)
        return yield* this.value(key, codec, written)
      }).pipe(Effect.catchTag("FlowDataConflict", () => attempt(store, codec)))
    return this.field(key, (codec) => Effect.flatMap(this.store, (store) => attempt(store, codec)))
  }

  private encode(key: string, codec: Codec.Codec, value: unknown): Effect.Effect<Json, FlowDataError> {
    const json = codec.encode(value)
    return Result.isFailure(json)
      ? Effect.fail(problem(this.flow, key, "write", `the value does not fit the contract: ${json.failure}`))
      : Effect.succeed(json.success)
  }

  set(key: string, value: unknown): Effect.Effect<void, FlowDataError> {
    return Effect.asVoid(this.write(key, (codec) => this.encode(key, codec, value)))
  }

  update(key: string, f: (value: unknown) => unknown): Effect.Effect<unknown, FlowDataError> {
    return this.write(key, (codec, field) =>
      Effect.flatMap(this.value(key, codec, field), (value) => this.encode(key, codec, f(value)))
    )
  }

  append(key: string, item: unknown): Effect.Effect<void, FlowDataError> {
    return Effect.asVoid(this.update(key, (list) => (Array.isArray(list) ? [...list, item] : [item])))
  }

  delete(key: string): Effect.Effect<void, FlowDataError> {
    return Effect.asVoid(this.write(key, () => Effect.succeed(undefined)))
  }
}

/** The type of a flow asks for the service; flows whose types were erased may come without. @category errors */
export const missing = (flow: string): FlowDataError =>
  problem(flow, "", "read", "there is no such service. Provide a Layer of FlowData.")

/** The shared fields of a contract in a store. @category constructors */
export const make = <S>(contract: ContractData, store: Option.Option<FlowData["Service"]>): Shared<S> =>
  // The methods of the implementation are those of the interface, with the types erased.
  new Impl(contract, store) as unknown as Shared<S>

/** The same fields, each use of them let through by a guard. @category combinators */
export const guarded = <S>(shared: Shared<S>, guard: <A, E>(use: Effect.Effect<A, E>) => Effect.Effect<A, E>) => ({
  get: <K extends Key<S>>(key: K) => guard(shared.get(key)),
  set: <K extends Key<S>>(key: K, value: Exclude<S[K], undefined>) => guard(shared.set(key, value)),
  append: <K extends ListKey<S>>(key: K, item: Element<S[K]>) => guard(shared.append(key, item)),
  update: <K extends Key<S>>(key: K, f: (value: S[K]) => Exclude<S[K], undefined>) => guard(shared.update(key, f)),
  delete: <K extends OptionalKey<S>>(key: K) => guard(shared.delete(key))
})

/**
 * The shared fields of a flow, for those outside of its handlers: to fill them, or to read them.
 *
 * @category constructors
 */
export const shared = <C extends Spec>(contract: Contract<C>): Effect.Effect<Shared<C["shared"]>, never, FlowData> =>
  Effect.map(FlowData, (store) => make<C["shared"]>(contract.data, Option.some(store)))
