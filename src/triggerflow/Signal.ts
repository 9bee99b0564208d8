/**
 * Signals: the named, typed events of a flow. A signal is a value; a contract lists the signals that a flow knows, so
 * that nobody emits or listens to one that does not exist.
 */
import type * as Schema from "effect/Schema"
import type * as Types from "effect/Types"

const TypeId = "~effigent/triggerflow/Signal"

/**
 * A named event with a payload, and perhaps a reply.
 *
 * @category models
 */
export interface Signal<out Name extends string, out Payload, out Reply = never> {
  readonly [TypeId]: { readonly _Payload: Types.Covariant<Payload>; readonly _Reply: Types.Covariant<Reply> }
  readonly name: Name
  /** What it carries, and how that crosses a boundary. */
  readonly payload: Schema.Codec<unknown, unknown>
  /** What each of its chains gives back to who emits it and waits. */
  readonly reply: Schema.Codec<unknown, unknown> | undefined
}

/** Any signal. @category models */
export type Any = Signal<string, unknown, unknown>

/** What a signal carries. @category type-level */
export type Payload<S> = S extends Signal<infer _N, infer P, infer _R> ? P : never

/** What an awaited emit of a signal gives: the replies in the order of its chains, or nothing. @category type-level */
export type Replies<S> =
  S extends Signal<infer _N, infer _P, infer R> ? ([R] extends [never] ? void : ReadonlyArray<R>) : never

const variance: Signal<string, never, never>[typeof TypeId] = { _Payload: (_: never) => _, _Reply: (_: never) => _ }

/**
 * Makes a signal.
 *
 * `reply`: the Schema of what each chain on this signal ends with. An emit that waits then gives the replies, in the
 * order in which the chains stand in the flow.
 *
 * @example
 * ```ts
 * import { Signal } from "effigent/triggerflow"
 * import { Schema } from "effect"
 *
 * const Paid = Signal.make("Paid", Schema.Struct({ order: Schema.String, cents: Schema.Int }))
 * console.log(Paid.name) // => Paid
 * ```
 *
 * @category constructors
 */
export const make = <const Name extends string, P, R = never>(
  name: Name,
  payload: Schema.Codec<P, unknown>,
  options?: { readonly reply: Schema.Codec<R, unknown> }
): Signal<Name, P, R> => ({ [TypeId]: variance, name, payload, reply: options?.reply })

/** Whether a value is a signal. @category guards */
export const isSignal = (value: unknown): value is Any => typeof value === "object" && value !== null && TypeId in value
