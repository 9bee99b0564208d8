/**
 * Triggers: what a chain begins at. A signal, the completion of a chunk, a field of the state, a collector, or several
 * of them: `all` waits for each once, `any` takes whichever comes.
 */
import type * as Schema from "effect/Schema"
import type * as Types from "effect/Types"
import type { AnyChunk, Chunk } from "./Chunk.ts"
import type { CollectorData, SingleTrigger, TriggerData } from "./Node.ts"
import * as Signal from "./Signal.ts"

const TypeId = "~effigent/triggerflow/Trigger"

/**
 * What a chain begins at; `A` is what the chain is given.
 *
 * @category models
 */
export interface Trigger<out A> {
  readonly [TypeId]: { readonly _A: Types.Covariant<A> }
  readonly data: TriggerData
}

/**
 * A place where the outputs of several chains meet: `Chain.collect` brings them, `on(collector)` goes on with all.
 *
 * @category models
 */
export interface Collector<out Branches> extends Trigger<Branches> {
  readonly collector: CollectorData
}

/** Everything that a chain can listen to. @category models */
export type Source = Signal.Any | AnyChunk | Trigger<unknown>

/** What a source gives to the chains that listen to it. @category type-level */
export type Value<T> =
  T extends Trigger<infer A>
    ? A
    : T extends Signal.Signal<infer _N, infer P, infer _R>
      ? P
      : T extends Chunk<infer _C, infer _In, infer Out, infer _E, infer _R2>
        ? Out
        : never

const variance: Trigger<never>[typeof TypeId] = { _A: (_: never) => _ }

/** Makes a trigger of its data. For code that builds flows from data. @category constructors */
export const fromData = <A>(data: TriggerData): Trigger<A> => ({ [TypeId]: variance, data })

const isTrigger = (source: Source): source is Trigger<unknown> => TypeId in source

/** The data of a source. @category conversions */
export const dataOf = (source: Source): TriggerData =>
  isTrigger(source)
    ? source.data
    : Signal.isSignal(source)
      ? { _tag: "signal", signal: source }
      : { _tag: "chunk", chunk: source.name }

// `all` and `any` are made of single sources; one that is made of others is found by the check of the flow.
const singles = (sources: Readonly<Record<string, Source>>): ReadonlyArray<readonly [string, SingleTrigger]> =>
  Object.entries(sources).map(([name, source]) => {
    const data = dataOf(source)
    // The type of `Sources` admits no compound trigger.
    return [name, data as SingleTrigger] as const
  })

/** Sources that are not made of others, by name. @category models */
export type Sources = Readonly<Record<string, Source>>

/**
 * Which signals belong together.
 *
 * @category models
 */
export interface AllOptions<T extends Sources> {
  /**
   * For each source how its payload gives a key; only signals of the same key meet. Default: no key.
   */
  readonly by?: { readonly [K in keyof T]: (value: Value<T[K]>) => string } | undefined
  /**
   * Where no key is given: `root` (default) joins what was caused by the same signal from outside, so that two orders
   * in work do not mix, and what comes from outside with what the start caused; `execution` joins everything.
   */
  readonly scope?: "root" | "execution" | undefined
}

/**
 * Waits until each source has come once, and gives a record of their values. The last value of a source counts; then it
 * starts anew.
 *
 * @example
 * ```ts
 * import { Chain, Signal, Trigger, TriggerFlow } from "effigent/triggerflow"
 * import { Effect, Schema } from "effect"
 *
 * const Paid = Signal.make("Paid", Schema.Int)
 * const Packed = Signal.make("Packed", Schema.String)
 * const Order = TriggerFlow.define("order", { result: Schema.String, signals: [Paid, Packed] })
 * const order = Order.build(
 *   Order.start.pipe(
 *     Chain.to("work", (_, run) => Effect.all([run.emit(Paid, 20), run.emit(Packed, "a box")]))
 *   ),
 *   Order.on(Trigger.all({ paid: Paid, packed: Packed })).pipe(
 *     Chain.to("ship", ({ paid, packed }) => Effect.succeed(`${packed} for ${paid}`)),
 *     Chain.result
 *   )
 * )
 * console.log(await Effect.runPromise(TriggerFlow.runResult(order, undefined))) // => a box for 20
 * ```
 *
 * @category constructors
 */
export const all = <const T extends Sources>(
  sources: T,
  options?: AllOptions<T>
): Trigger<{ readonly [K in keyof T]: Value<T[K]> }> =>
  fromData({ _tag: "all", of: singles(sources), by: options?.by, scope: options?.scope ?? "root" })

/**
 * Takes whichever source comes, each time; says which by `_tag`.
 *
 * @category constructors
 */
export const any = <const T extends Sources>(
  sources: T
): Trigger<{ readonly [K in keyof T]: { readonly _tag: K; readonly value: Value<T[K]> } }[keyof T]> =>
  fromData({ _tag: "any", named: true, of: singles(sources) })

/**
 * Takes whichever source comes, each time, and gives its value alone.
 *
 * @category constructors
 */
export const oneOf = <const T extends ReadonlyArray<Source>>(sources: T): Trigger<Value<T[number]>> =>
  fromData({
    _tag: "any",
    named: false,
    of: singles(Object.fromEntries(sources.map((source, index) => [`${index}`, source])))
  })

/**
 * A place where the outputs of several chains meet. `mode`: `"reset"` (default) gives all of them once and starts anew;
 * `"update"` gives, once all are there, every later change too.
 *
 * @category constructors
 */
export const collector = <const B extends Readonly<Record<string, Schema.Codec<unknown, unknown>>>>(
  name: string,
  branches: B,
  options?: { readonly mode?: "update" | "reset" | undefined }
): Collector<{ readonly [K in keyof B]: B[K]["Type"] }> => {
  const data: CollectorData = { name, branches: Object.entries(branches), mode: options?.mode ?? "reset" }
  return { ...fromData({ _tag: "collect", collector: data }), collector: data }
}
