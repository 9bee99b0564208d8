/** What a contract says, as one type: what chains, run handles and executions are typed by. */
import type * as Interrupt from "./Interrupt.ts"
import type * as Signal from "./Signal.ts"

/**
 * The types of a contract. It exists in the type system alone.
 *
 * @category models
 */
export interface Spec {
  readonly input: unknown
  readonly state: object
  readonly shared: object
  readonly item: unknown
  readonly result: unknown
  readonly failure: unknown
  readonly signals: Signal.Any
  readonly interrupts: Interrupt.Any
  readonly intervention: unknown
}

/** Names of the fields of a state. @category type-level */
export type Key<S> = keyof S & string

/** Names of the fields that may be absent, and so may be deleted. @category type-level */
export type OptionalKey<S> = { [K in Key<S>]: {} extends Pick<S, K> ? K : never }[Key<S>]

/** Names of the fields that are lists. @category type-level */
export type ListKey<S> = { [K in Key<S>]: NonNullable<S[K]> extends ReadonlyArray<unknown> ? K : never }[Key<S>]

/** What a list field is made of. @category type-level */
export type Element<L> = NonNullable<L> extends ReadonlyArray<infer A> ? A : never
