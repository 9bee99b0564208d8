/**
 * Executions: one run of a flow, as those outside see it. They send signals, answer questions, read the runtime stream
 * and the state, and close it.
 */
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Json } from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { Closed } from "./Closed.ts"
import { Outside } from "./engine/Outside.ts"
import { Engine, type Settings } from "./engine/Engine.ts"
import type { Flow } from "./Flow.ts"
import * as FlowError from "./FlowError.ts"
import type * as Interrupt from "./Interrupt.ts"
import type { Machine } from "./engine/Machine.ts"
import type { Status } from "./definition/Mermaid.ts"
import * as Plan from "./engine/Plan.ts"
import type { Record } from "./engine/Record.ts"
import type { Intervention, State } from "./Run.ts"
import type { Entry, Policy } from "./engine/RuntimeStream.ts"
import type * as Saving from "./saving/Saving.ts"
import type * as Signal from "./Signal.ts"
import type { Snapshot } from "./saving/Snapshot.ts"
import type { Spec } from "./Spec.ts"

/**
 * How an execution is run. All of it may be absent.
 *
 * @category models
 */
export interface Options {
  /** Its id. Default: a random one. */
  readonly id?: string | undefined
  /** How many handlers may be at work at once; each sub-flow has as many of its own. Default: no limit. */
  readonly concurrency?: number | undefined
  /**
   * What a failure that nobody takes care of does: `fail` (default) fails the execution; `continue` ends its own chain
   * only, and is kept in `failures`.
   */
  readonly failures?: "fail" | "continue" | undefined
  /** How deep awaited emits may stand inside each other. Default 1,000. */
  readonly maxEmitDepth?: number | undefined
  /**
   * After how much idleness it is closed; never while it waits for an answer. Default 10 s where somebody outside could
   * start something (signals, chains on the state or on shared data), else at once; `false`: not at all.
   */
  readonly autoClose?: Duration.Input | false | undefined
  /** How long it may take as a whole. Default: no limit. */
  readonly timeout?: Duration.Input | undefined
  /** How long it may go without anything happening. Default: no limit. */
  readonly idleTimeout?: Duration.Input | undefined
  /** How many snapshots of it a store keeps. Default 3. */
  readonly keepSnapshots?: number | undefined
  /** What the runtime stream does where readers are slow. Default: it keeps everything. */
  readonly stream?: Policy | undefined
  /** Called after each step of the engine, for checks and displays. It may change nothing. */
  readonly onStep?: ((record: Record | undefined, machine: Machine) => void) | undefined
}

/**
 * A question that waits for its answer.
 *
 * @category models
 */
export interface Pending {
  /** The id to answer to. Questions of sub-flows have the id of the sub-flow before it. */
  readonly id: string
  readonly interrupt: string
  readonly payload: unknown
  /** The chunk that asked. */
  readonly chunk: string
  /** When it was asked and when it expires, in milliseconds since 1970. */
  readonly at: number
  readonly expires: number | undefined
}

/**
 * What the runtime stream says besides items.
 *
 * @category models
 */
export type StreamEntry<Item> = Omit<Entry, "event"> & {
  readonly event:
    | { readonly _tag: "item"; readonly item: Item; readonly volatile: boolean }
    /** An item of a sub-flow that the stream Schema of this contract does not admit. */
    | { readonly _tag: "foreign"; readonly json: Json; readonly volatile: boolean }
    | Exclude<Entry["event"], { readonly _tag: "item" }>
}

/**
 * A sub-flow at work.
 *
 * @category models
 */
export interface SubFlow {
  /** Its id: that of its parent, and its name and number. */
  readonly id: string
  readonly name: string
  readonly status: "running" | "waiting" | "cancelling"
}

/**
 * One run of a flow.
 *
 * @category models
 */
export interface Execution<C extends Spec, out E> {
  readonly id: string
  readonly flow: string
  /** Starts it with the input that it was opened with. Does nothing the second time. */
  readonly start: Effect.Effect<void>
  readonly status: Effect.Effect<Machine["status"]>
  readonly lifecycle: Effect.Effect<Machine["lifecycle"]>
  /** Sends a signal and waits until everything that it starts has ended; gives the replies. */
  emit<S extends C["signals"]>(
    signal: S,
    payload: Signal.Payload<S>
  ): Effect.Effect<Signal.Replies<S>, E | FlowError.FlowError>
  /** Sends a signal and waits; its failure is given and fails nobody. */
  emitExit<S extends C["signals"]>(
    signal: S,
    payload: Signal.Payload<S>
  ): Effect.Effect<Exit.Exit<Signal.Replies<S>, E | FlowError.FlowError>, FlowError.FlowError>
  /** Sends a signal; gives as soon as it is accepted. */
  emitFork<S extends C["signals"]>(signal: S, payload: Signal.Payload<S>): Effect.Effect<void, FlowError.FlowError>
  /** Lets a handler listen to a signal for as long as the Scope is open. */
  on<S extends C["signals"], R>(
    signal: S,
    handler: (payload: Signal.Payload<S>) => Effect.Effect<unknown, never, R>
  ): Effect.Effect<void, never, R | Scope.Scope>
  /** The state. From outside, writes are refused once it is closed. */
  readonly state: State<C["state"], FlowError.FlowError>
  /** Puts an item into the runtime stream. Waits where its policy says so; refused once it is closed. */
  put(item: C["item"]): Effect.Effect<void, FlowError.FlowError>
  /** Items from the start on, those of sub-flows with the same Schema included, until the execution closes. */
  readonly stream: Stream.Stream<C["item"], E | FlowError.FlowError>
  /** Everything that the runtime stream says, from a cursor on (default 0). */
  entries(from?: number): Stream.Stream<StreamEntry<C["item"]>, E | FlowError.FlowError>
  /** The questions that wait for an answer, those of sub-flows included, oldest first. */
  readonly interrupts: Effect.Effect<ReadonlyArray<Pending>>
  /**
   * Waits until nothing is at work any more, and gives the questions that wait then: none where it has closed. For
   * programs that answer what was asked, or save the execution and end.
   */
  readonly rest: Effect.Effect<ReadonlyArray<Pending>>
  /**
   * Answers a question. `requestId` makes it idempotent: the same answer under the same id may be sent again. An answer
   * may come before its question.
   */
  answer<I extends C["interrupts"]>(
    interrupt: I,
    value: Interrupt.Resume<I>,
    options: { readonly id: string; readonly requestId?: string | undefined }
  ): Effect.Effect<void, FlowError.FlowError>
  /** Answers a question by its id alone, a sub-flow's too, with the answer as JSON. */
  answerJson(
    id: string,
    json: unknown,
    options?: { readonly requestId?: string | undefined }
  ): Effect.Effect<void, FlowError.FlowError>
  /** Says something to the handlers of this execution; gives the id of what was said. */
  intervene(
    payload: C["intervention"],
    options?: {
      readonly id?: string | undefined
      readonly author?: string | undefined
      readonly target?: string | undefined
    }
  ): Effect.Effect<string, FlowError.FlowError>
  readonly interventions: Effect.Effect<ReadonlyArray<Intervention<C["intervention"]>>>
  /** The sub-flows at work. */
  readonly subFlows: Effect.Effect<ReadonlyArray<SubFlow>>
  /** Sends a signal, as JSON, to a sub-flow at work, and waits until everything that it starts has ended. */
  emitToSubFlow(id: string, signal: string, json: unknown): Effect.Effect<void, E | FlowError.FlowError>
  /** Stops a sub-flow: its chain goes no further, nothing is written back. True for the one call that did it. */
  cancelSubFlow(id: string): Effect.Effect<boolean>
  /**
   * How far each step has come, by its key; steps that were not reached are absent. For
   * `Mermaid.toMermaid(flow, { status })`.
   */
  readonly steps: Effect.Effect<ReadonlyMap<string, Status>>
  /** Refuses signals from outside from now on; what is at work goes on. */
  readonly seal: Effect.Effect<void>
  /**
   * Seals, waits until everything has ended, and gives what is left. `deadline`: after it everything is interrupted and
   * the status is `cancelled`. `pending`: what is done about what waits: `fail` (default) refuses to close where questions
   * wait, and waits for steps that sleep; `cancel` drops both. If the execution has failed, the first call to close it tells so; later ones give the snapshot.
   */
  close(options?: {
    readonly deadline?: Duration.Input | undefined
    readonly pending?: "fail" | "cancel" | undefined
  }): Effect.Effect<Closed<C>, E | FlowError.FlowError>
  /** Interrupts everything and waits until nothing is left; the status is `cancelled`. */
  cancel(reason?: string): Effect.Effect<Closed<C>>
  /** Waits until it is closed; fails as it has failed. */
  readonly await: Effect.Effect<Closed<C>, E | FlowError.FlowError>
  /**
   * The execution as one JSON document, from which `TriggerFlow.load` makes it go on: here, in another process, later.
   * It may be saved at any time, and goes on undisturbed. Handlers at work are in it as to be run again: without what they
   * have not made visible, and with what they have emitted, so that it is not emitted again. While something is being
   * stopped, it waits until that has stopped. Not in it: handlers that listen from outside (`on`), and who waits for an
   * answer to a signal. Fails with `NotSaveable`, which names every value that cannot be saved.
   */
  save(options?: Saving.Options): Effect.Effect<Snapshot, FlowError.FlowError>
  /** Failures that ended their own chain only (`failures: "continue"`). */
  readonly failures: Effect.Effect<ReadonlyArray<Cause.Cause<unknown>>>
  /** The engine, for what is built on executions. */
  readonly engine: Engine
}

/** Makes an execution of an engine. @category constructors */
export const fromEngine = <C extends Spec, E>(engine: Engine, input: unknown): Execution<C, E> =>
  // The methods of the implementation are those of the interface, with the types erased.
  new Outside(engine, input) as unknown as Execution<C, E>

/** Makes the engine of a flow with what the handlers need. @category constructors */
export const engineOf = <C extends Spec, E, R>(
  flow: Flow<C, E, R>,
  settings: Settings,
  context: Context.Context<R>,
  options: Options
): Engine => {
  // What handlers need is in the context; the engine does not look at it.
  const engine = new Engine(Plan.of(flow.data), settings, context as Context.Context<never>)
  engine.onStep = options.onStep
  return engine
}

/** The snapshot that an execution ended with. @category getters */
export const closedOf = <C extends Spec>(engine: Engine): Closed<C> =>
  // State and result were decoded by the contract.
  engine.snapshot() as unknown as Closed<C>

/** The result of an execution, or the failure that there is none. @category getters */
export const resultOf = (engine: Engine): Effect.Effect<unknown, FlowError.FlowError> => {
  const { result } = engine.snapshot()
  return Option.isSome(result)
    ? Effect.succeed(result.value)
    : Effect.failCause(engine.error(new FlowError.NoResult({})))
}
