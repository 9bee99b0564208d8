/**
 * The run handle: what a handler may do to the execution that it is a part of. It dies with its chunk; using it later
 * is the defect `RunHandleClosed`.
 *
 * What a handler writes (state, stream items, its result) is its own until its next visible point: an emit, a pause,
 * `commit`, or its end. Then everything is seen at once. A handler that fails or is tried again leaves nothing behind
 * of what it had not made visible.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { FlowError } from "./FlowError.ts"
import type * as Interrupt from "./Interrupt.ts"
import type * as Signal from "./Signal.ts"
import type { Shared } from "./hosting/Shared.ts"
import type * as Saving from "./saving/Saving.ts"
import type { Snapshot } from "./saving/Snapshot.ts"
import type { Element, Key, ListKey, OptionalKey, Spec } from "./Spec.ts"

/**
 * How a write is told to the chains that listen to the key.
 *
 * @category models
 */
export interface WriteOptions {
  /** Do not tell them. Default false. */
  readonly silent?: boolean | undefined
}

/**
 * The state of an execution: typed fields, isolated (what was written or read can be changed without changing it), told
 * to the chains that listen to a field. A value that its Schema does not admit is a `ContractViolation`: in a handler it
 * fails the execution, from outside it is the failure `E` of the call.
 *
 * @category models
 */
export interface State<S, E = never> {
  /** One field. */
  get<K extends Key<S>>(key: K): Effect.Effect<S[K]>
  /** All fields. */
  readonly all: Effect.Effect<S>
  /** Replaces a field. Setting the same value again tells its listeners again. */
  set<K extends Key<S>>(key: K, value: Exclude<S[K], undefined>, options?: WriteOptions): Effect.Effect<void, E>
  /**
   * Puts an item at the end of a list. Costs the item, not the list; where the Schema asks something of the list as a
   * whole (`isMaxLength`), it is an `update`.
   */
  append<K extends ListKey<S>>(key: K, item: Element<S[K]>, options?: WriteOptions): Effect.Effect<void, E>
  /** Changes a field on the ground of what it is now, in one go: no other change comes between. It is a visible point. */
  update<K extends Key<S>>(
    key: K,
    f: (value: S[K]) => Exclude<S[K], undefined>,
    options?: WriteOptions
  ): Effect.Effect<S[K], E>
  /** Takes away a field that may be absent. Its listeners are given `undefined`, if it was there. */
  delete<K extends OptionalKey<S>>(key: K, options?: WriteOptions): Effect.Effect<void, E>
}

/**
 * How a signal is emitted.
 *
 * @category models
 */
export interface EmitOptions {
  /**
   * Tells this emit from the others of the same signal in this run of the handler, so that it is not repeated where the
   * handler is run again after a crash. Default: their order. Parallel emits of one signal need it.
   */
  readonly key?: string | undefined
}

/**
 * How an item is put into the runtime stream.
 *
 * @category models
 */
export interface PutOptions {
  /** Visible at once, and never recorded: for what is only interesting live, such as tokens. Default false. */
  readonly volatile?: boolean | undefined
}

/**
 * How a handler stops for an answer.
 *
 * @category models
 */
export interface PauseOptions<To, A = unknown> {
  /**
   * What goes on when the answer is there: `"next"` (default) the next step with the answer as its input; `"self"` this
   * handler once more, with the answer in `run.resumed`; a signal, which is emitted with the answer as its payload.
   */
  readonly to?: To
  /** The id to answer to. Default: the interrupt's name and a number, `Approval#1`. */
  readonly id?: string | undefined
  /** After this time nobody may answer any more: the pause fails the chunk, or `otherwise` is taken. Default: never. */
  readonly expires?: Duration.Input | undefined
  /** The answer that is taken where nobody has answered in time. */
  readonly otherwise?: A | undefined
}

/**
 * What was said to an execution from outside while it ran: advice, not an order.
 *
 * @category models
 */
export interface Intervention<A> {
  readonly id: string
  readonly payload: A
  readonly author: string | undefined
  /** The intervention point or chunk that it is meant for; absent: the next one of either. */
  readonly target: string | undefined
  /** `pending` until its place is reached, `inserted` there, then `applied` or `ignored`; `expired` where none came. */
  readonly status: "pending" | "inserted" | "applied" | "ignored" | "expired"
}

/**
 * What a handler may do to its execution.
 *
 * @category models
 */
export interface Run<C extends Spec> {
  /** The id of the execution. */
  readonly executionId: string
  /** The name of the chunk. */
  readonly chunk: string
  /**
   * A text for something that this handler does: the same each time this run of it is begun again, in any process, and
   * never that of another run. For whoever can tell repetitions apart by a key, and for `Once` of `effigent/durable`.
   */
  keyOf(name: string): string
  /** Which try this is, from 1, where the chunk has a retry Schedule. */
  readonly attempt: number
  /** The fields of the state. */
  readonly state: State<C["state"]>
  /** The fields that all executions of the flow share, where the contract has any. */
  readonly shared: Shared<C["shared"]>
  /**
   * Emits a signal and waits until everything that it starts has ended. Gives the replies, where the signal has a reply
   * Schema. If anything of it fails, the execution fails and this handler is interrupted.
   */
  emit<S extends C["signals"]>(
    signal: S,
    payload: Signal.Payload<S>,
    options?: EmitOptions
  ): Effect.Effect<Signal.Replies<S>>
  /** Emits a signal and waits; how it ends is given as an Exit, and fails nobody. */
  emitExit<S extends C["signals"]>(
    signal: S,
    payload: Signal.Payload<S>,
    options?: EmitOptions
  ): Effect.Effect<Exit.Exit<Signal.Replies<S>, unknown>>
  /** Emits a signal and goes on at once. The execution closes after it; its failure fails the execution. */
  emitFork<S extends C["signals"]>(signal: S, payload: Signal.Payload<S>, options?: EmitOptions): Effect.Effect<void>
  /** Puts an item into the runtime stream. */
  put(item: C["item"], options?: PutOptions): Effect.Effect<void>
  /** Sets the result of the execution. The last one counts. */
  setResult(result: C["result"]): Effect.Effect<void>
  /** Makes visible what was written so far. */
  readonly commit: Effect.Effect<void>
  /**
   * Makes visible what was written so far, and gives the execution that this handler is a part of as one JSON document,
   * as `execution.save` does: to be kept before the handler does what must not be done twice. This handler is in it as to
   * be run again. Within a sub-flow it is the execution outside that is given.
   */
  save(options?: Saving.Options): Effect.Effect<Snapshot, FlowError>
  /** Says that the handler is alive, to its `idleTimeout`. Every other use of the handle says so too. */
  readonly heartbeat: Effect.Effect<void>
  /** Makes the value to return in order to stop for an answer. Nothing stops before it is returned. */
  pause<I extends C["interrupts"]>(
    interrupt: I,
    payload: Interrupt.Payload<I>,
    options?: PauseOptions<"next", Interrupt.Resume<I>>
  ): Effect.Effect<Interrupt.Pause<Interrupt.Resume<I>>>
  pause<I extends C["interrupts"]>(
    interrupt: I,
    payload: Interrupt.Payload<I>,
    options: PauseOptions<
      "self" | Signal.Signal<C["signals"]["name"], Interrupt.Resume<I>, unknown>,
      Interrupt.Resume<I>
    >
  ): Effect.Effect<Interrupt.Pause<never>>
  /** The answer, where this handler was run again after a pause with `to: "self"`. */
  resumed<I extends C["interrupts"]>(interrupt: I): Option.Option<Interrupt.Resume<I>>
  /** What this handler had asked, where it was run again with the answer. */
  asked<I extends C["interrupts"]>(interrupt: I): Option.Option<Interrupt.Payload<I>>
  /** What was said to the execution and has reached a place on the way to this handler, oldest first. */
  readonly interventions: Effect.Effect<ReadonlyArray<Intervention<C["intervention"]>>>
  /** Marks an intervention as used or as not used. */
  settleIntervention(id: string, status: "applied" | "ignored"): Effect.Effect<void>
  /** Lets a handler listen to a signal of this execution for as long as the Scope is open. */
  on<S extends C["signals"], R>(
    signal: S,
    handler: (payload: Signal.Payload<S>) => Effect.Effect<unknown, never, R>
  ): Effect.Effect<void, FlowError, R | Scope.Scope>
}

/** A Schema as engines use it: types erased. @category models */
export type AnyCodec = Schema.Codec<unknown, unknown>
