/**
 * Flows: a contract (the Schemas of everything that crosses a boundary) and the chains that do the work. Both are
 * immutable values; the contract comes first, so that everything after it is inferred.
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Types from "effect/Types"
import * as Chain from "./Chain.ts"
import type { CatchOptions, Chunk, Options } from "./Chunk.ts"
import * as Chunks from "./Chunk.ts"
import type * as Interrupt from "./Interrupt.ts"
import type { ContractData, FlowData } from "./Node.ts"
import type { Resolved } from "./Interrupt.ts"
import type { Run } from "./Run.ts"
import type * as Signal from "./Signal.ts"
import type * as Shared from "./hosting/Shared.ts"
import type { Key, Spec } from "./Spec.ts"
import * as Trigger from "./Trigger.ts"

const FlowTypeId = "~effigent/triggerflow/Flow"
const ContractTypeId = "~effigent/triggerflow/Contract"

/**
 * A flow that can be run: `E` is how its handlers fail, `R` what they need.
 *
 * @category models
 */
export interface Flow<in out C extends Spec, out E, out R> {
  readonly [FlowTypeId]: {
    readonly _C: Types.Invariant<C>
    readonly _E: Types.Covariant<E>
    readonly _R: Types.Covariant<R>
  }
  readonly name: string
  readonly data: FlowData
}

/** The types of the contract of a flow or a contract. @category type-level */
export type SpecOf<T> = T extends { readonly [FlowTypeId]: { readonly _C: Types.Invariant<infer C> } }
  ? C
  : T extends { readonly [ContractTypeId]: { readonly _C: Types.Invariant<infer C> } }
    ? C
    : never

/**
 * What a flow promises to those who start it, and the way to its chains.
 *
 * @category models
 */
export interface Contract<in out C extends Spec> {
  readonly [ContractTypeId]: { readonly _C: Types.Invariant<C> }
  readonly name: string
  readonly data: ContractData
  /** A chain on the start of an execution; it is given the input. */
  readonly start: Chain.Chain<C, C["input"], never, never>
  /** A chain on a signal, the completion of a chunk, or another trigger. */
  on<T extends C["signals"] | Exclude<Trigger.Source, Signal.Any>>(
    source: T
  ): Chain.Chain<C, Trigger.Value<T>, never, never>
  /** A trigger for a field of the state: it is given the new value, `undefined` where it was deleted. */
  state<K extends Key<C["state"]>>(key: K): Trigger.Trigger<C["state"][K]>
  /** A trigger for a shared field: it is given the new value, `undefined` where it was deleted. */
  shared<K extends Key<C["shared"]>>(key: K): Trigger.Trigger<C["shared"][K]>
  /** A handler by itself: to be used with `Chain.to(chunk)` and listened to with `on(chunk)`. */
  chunk<In, Out, E2, R2, R3 = never>(
    name: string,
    handler: (input: In, run: Run<C>) => Effect.Effect<Out, E2, R2>,
    options?: Options<E2, R3>
  ): Chunk<C, In, Resolved<Out>, E2, Exclude<R2 | R3, Scope.Scope>>
  chunk<In, Out, E2, R2, Out3, E3, R3>(
    name: string,
    handler: (input: In, run: Run<C>) => Effect.Effect<Out, E2, R2>,
    options: Options<E2, R3> & CatchOptions<C, In, E2, Out3, E3, R3>
  ): Chunk<C, In, Resolved<Out> | Resolved<Out3>, E3, Exclude<R2 | R3, Scope.Scope>>
  /** Makes the flow of its chains. What is wrong with it is found when it is first used: `TriggerFlow.check`. */
  build<Ch extends ReadonlyArray<Chain.Chain<C, unknown, unknown, unknown>>>(
    ...chains: Ch
  ): Flow<C, Chain.Failure<Ch[number]>, Chain.Services<Ch[number]> | Shared.Services<C>>
}

/**
 * The parts of a contract.
 *
 * @category models
 */
export interface Config<
  I,
  S extends object,
  Item,
  Res,
  Err,
  Sig extends ReadonlyArray<Signal.Any>,
  Int extends ReadonlyArray<Interrupt.Any>,
  Iv,
  Sh extends object = {}
> {
  /** Tells versions of the flow apart, for those who keep saved executions. */
  readonly version?: string | undefined
  /** What an execution is started with. Default: nothing. */
  readonly input?: Schema.Codec<I, unknown> | undefined
  /** The fields of the state: a `Schema.Struct`. Default: none. */
  readonly state?: Schema.Codec<S, unknown> | undefined
  /** What the state is at the start; required where there is a state. */
  readonly initial?: NoInfer<S> | undefined
  /**
   * Fields that all executions of the flow share: a `Schema.Struct`. To share is to be asked for: a flow with such fields
   * needs the service `FlowData`. Default: none.
   */
  readonly shared?: Schema.Codec<Sh, unknown> | undefined
  /** What the shared fields are before anybody writes them; required where there are any. */
  readonly initialShared?: NoInfer<Sh> | undefined
  /** The items of the runtime stream. Default: none may be put. */
  readonly stream?: Schema.Codec<Item, unknown> | undefined
  /** What the execution gives in the end. Default: nothing but its state. */
  readonly result?: Schema.Codec<Res, unknown> | undefined
  /** How handlers fail, for those outside: other failures cross as `FlowDefect`. */
  readonly error?: Schema.Codec<Err, unknown> | undefined
  /** The signals that the flow knows. */
  readonly signals?: Sig | undefined
  /** The questions that it may ask. */
  readonly interrupts?: Int | undefined
  /** What may be said to it while it runs. Default: any JSON. */
  readonly intervention?: Schema.Codec<Iv, unknown> | undefined
}

// Variance marks are functions that nobody calls.
const variance = { _C: (c: never) => c, _E: (_: never) => _, _R: (_: never) => _ } as never

/** Makes a flow of its data. For code that builds flows from data. @category constructors */
export const fromData = <C extends Spec, E, R>(data: FlowData): Flow<C, E, R> => ({
  [FlowTypeId]: variance,
  name: data.contract.name,
  data
})

/** Makes a contract of its data. For code that builds flows from data. @category constructors */
export const contractFromData = <C extends Spec>(data: ContractData): Contract<C> => ({
  [ContractTypeId]: variance,
  name: data.name,
  data,
  start: Chain.fromTrigger({ _tag: "start" }),
  on: (source) => Chain.fromTrigger(Trigger.dataOf(source)),
  state: (key) => Trigger.fromData({ _tag: "state", key }),
  shared: (key) => Trigger.fromData({ _tag: "flowData", key }),
  // The overloads of the interface type what is erased here.
  chunk: ((...args: Parameters<typeof Chunks.toNode>) => Chunks.fromNode(Chunks.toNode(...args))) as never,
  build: (...chains) => fromData({ contract: data, chains: chains.map((chain) => chain.data) })
})

/**
 * Makes a contract: the name of the flow and the Schemas of what goes in and out of it.
 *
 * @example
 * ```ts
 * import { TriggerFlow } from "effigent/triggerflow"
 * import { Schema } from "effect"
 *
 * const Review = TriggerFlow.define("review", {
 *   input: Schema.String,
 *   state: Schema.Struct({ round: Schema.Int }),
 *   initial: { round: 0 },
 *   result: Schema.Boolean
 * })
 * console.log(Review.name) // => review
 * ```
 *
 * @category constructors
 */
export const define = <
  I = void,
  S extends object = {},
  Item = never,
  Res = void,
  Err = never,
  const Sig extends ReadonlyArray<Signal.Any> = readonly [],
  const Int extends ReadonlyArray<Interrupt.Any> = readonly [],
  Iv = Schema.Json,
  Sh extends object = {}
>(
  name: string,
  config: Config<I, S, Item, Res, Err, Sig, Int, Iv, Sh>
): Contract<{
  readonly input: I
  readonly state: S
  readonly shared: Sh
  readonly item: Item
  readonly result: Res
  readonly failure: Err
  readonly signals: Sig[number]
  readonly interrupts: Int[number]
  readonly intervention: Iv
}> =>
  contractFromData({
    name,
    version: config.version,
    input: config.input ?? Schema.Void,
    state: config.state ?? Schema.Struct({}),
    initial: config.initial ?? {},
    shared: config.shared,
    initialShared: config.initialShared,
    stream: config.stream ?? Schema.Never,
    result: config.result,
    error: config.error,
    signals: config.signals ?? [],
    interrupts: config.interrupts ?? [],
    intervention: config.intervention ?? Schema.Json
  })
