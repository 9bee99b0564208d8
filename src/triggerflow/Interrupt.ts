/**
 * Interrupts: the named places where a flow stops for an answer from outside, with the Schema of what is asked and of
 * what is answered. `Pause` is what a handler returns to stop; nothing runs after it, since it is a value and no error.
 */
import type * as Schema from "effect/Schema"
import type * as Types from "effect/Types"

const TypeId = "~effigent/triggerflow/Interrupt"
const PauseTypeId = "~effigent/triggerflow/Pause"

/**
 * A question to the world outside of a flow.
 *
 * @category models
 */
export interface Interrupt<out Name extends string, out Payload, out Resume> {
  readonly [TypeId]: { readonly _Payload: Types.Covariant<Payload>; readonly _Resume: Types.Covariant<Resume> }
  readonly name: Name
  /** What is asked. */
  readonly payload: Schema.Codec<unknown, unknown>
  /** What is answered. */
  readonly resume: Schema.Codec<unknown, unknown>
}

/** Any interrupt. @category models */
export type Any = Interrupt<string, unknown, unknown>

/** What an interrupt asks. @category type-level */
export type Payload<I> = I extends Interrupt<infer _N, infer P, infer _R> ? P : never

/** What an interrupt is answered with. @category type-level */
export type Resume<I> = I extends Interrupt<infer _N, infer _P, infer R> ? R : never

const variance: Interrupt<string, never, never>[typeof TypeId] = { _Payload: (_: never) => _, _Resume: (_: never) => _ }

/**
 * Makes an interrupt: `payload` is what is asked, `resume` is what is answered.
 *
 * @example
 * ```ts
 * import { Interrupt } from "effigent/triggerflow"
 * import { Schema } from "effect"
 *
 * const Approval = Interrupt.make("Approval", {
 *   payload: Schema.Struct({ cents: Schema.Int }),
 *   resume: Schema.Struct({ approved: Schema.Boolean })
 * })
 * console.log(Approval.name) // => Approval
 * ```
 *
 * @category constructors
 */
export const make = <const Name extends string, P, R>(
  name: Name,
  options: { readonly payload: Schema.Codec<P, unknown>; readonly resume: Schema.Codec<R, unknown> }
): Interrupt<Name, P, R> => ({ [TypeId]: variance, name, payload: options.payload, resume: options.resume })

/**
 * What a handler returns to stop its chain until an answer comes. `A` is what the chain goes on with; `never` where the
 * handler itself is run again or a signal is emitted instead.
 *
 * @category models
 */
export interface Pause<out A> {
  readonly [PauseTypeId]: Types.Covariant<A>
  readonly request: PauseRequest
}

/**
 * What goes on when the answer is there: the next step with the answer as its input, the same handler once more, or a
 * signal that carries the answer.
 *
 * @category models
 */
export type Target = "next" | "self" | { readonly signal: string }

/** A pause as data. @category models */
export interface PauseRequest {
  /** Names the interrupt of the contract. */
  readonly interrupt: string
  /** The id to answer to; the engine makes one where it is absent. */
  readonly id: string | undefined
  readonly payload: unknown
  readonly target: Target
  /** After how many milliseconds it expires. */
  readonly expiresIn: number | undefined
  /** The answer that is taken when it expires; absent: it fails then. */
  readonly otherwise?: { readonly value: unknown } | undefined
}

/** The output of a step behind its pauses: what the next step is given. @category type-level */
export type Resolved<Out> = Out extends Pause<infer A> ? A : Out

/** Makes a pause. @category constructors */
export const pause = <A>(request: PauseRequest): Pause<A> => ({ [PauseTypeId]: (_: never) => _, request })

/** Whether a handler's output is a pause. @category guards */
export const isPause = (value: unknown): value is Pause<unknown> =>
  typeof value === "object" && value !== null && PauseTypeId in value
