/**
 * Who traces what agents and flows do. A layer that puts something into `Current` (`Otel` of `effigent/layers/otel` does)
 * is given the work of every response, request, action and step below it to put a span around, with what is known of it
 * before and after. Where nothing is there, each of them costs one look at a reference; a step of a flow costs less.
 *
 * It goes around the work, and is no listener, so that whatever the work begins (a request over HTTP, another agent in an
 * action) stands below its span, and so that it is all the same to those who watch runs (`effigent/run`).
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Stream from "effect/Stream"
import type { ActionCall, ActionRecord } from "./Action.ts"
import type { ModelEvent, ModelRequest, Usage } from "./ModelProvider.ts"

/**
 * An agent that is about to work.
 *
 * @category models
 */
export interface AgentStart {
  /** Its name, where it has one. */
  readonly name: string | undefined
  /** What it is asked, where it has an input. */
  readonly input: unknown
  /** The provider's name. */
  readonly provider: string
  /** The model that it asks for; absent: the provider's default. */
  readonly model: string | undefined
}

/**
 * What an agent has given.
 *
 * @category models
 */
export interface AgentEnd {
  /** The accepted answer as the model wrote it. */
  readonly text: string
  /** Tokens of all its attempts. */
  readonly usage: Usage
  /** How many attempts there were, corrections included. */
  readonly attempts: number
}

/**
 * A request that is about to be sent.
 *
 * @category models
 */
export interface ChatStart {
  /** The provider's name. */
  readonly provider: string
  /** The agent that asks, where it has a name. */
  readonly agent: string | undefined
  readonly request: ModelRequest
}

/**
 * An action that is about to be run.
 *
 * @category models
 */
export interface ToolStart {
  readonly call: ActionCall
  /** What the model was told of it. */
  readonly description: string | undefined
}

/**
 * An execution of a flow that begins, or goes on.
 *
 * @category models
 */
export interface ExecutionStart {
  /** The name of the flow. */
  readonly flow: string
  /** The id of the execution. */
  readonly execution: string
  /** Whether it was begun before, here or in another process, and goes on from what was written down. */
  readonly resumed: boolean
}

/**
 * A run of a step.
 *
 * @category models
 */
export interface StepStart {
  /** The name of the step. */
  readonly step: string
  /** The number of the run in its execution. */
  readonly run: number
  /** How often it was answered and run again. */
  readonly resumes: number
}

/**
 * How an execution ended: well, by a failure, by being cancelled, or by being left as it is, since another runner has it
 * now or it is to rest in its store.
 *
 * @category models
 */
export type ExecutionStatus = "completed" | "failed" | "cancelled" | "left"

/**
 * An execution that is traced.
 *
 * @category models
 */
export interface ExecutionTrace {
  /** A run of one of its steps. `isPause` says of what it gives whether it waits for an answer. */
  readonly step: <A, E>(
    about: StepStart,
    work: Effect.Effect<A, E>,
    isPause: (value: A) => boolean
  ) => Effect.Effect<A, E>
  /** A try of the step in the current fiber has failed, and another one follows or not. */
  readonly failedTry: (attempt: number, error: unknown) => Effect.Effect<void>
  /** A sub-flow of it. */
  readonly inside: (about: ExecutionStart) => ExecutionTrace
  /** It is over. Synchronous; does not throw. */
  readonly end: (exit: Exit.Exit<unknown, unknown>, status: ExecutionStatus) => void
}

/**
 * Puts spans around work.
 *
 * @category models
 */
export interface Telemetry {
  /** A response of an agent, with all its attempts and actions. */
  readonly agent: <A, E, R>(
    about: AgentStart,
    work: Effect.Effect<A, E, R>,
    endOf: (value: A) => AgentEnd
  ) => Effect.Effect<A, E, R>
  /** One request to a model. */
  readonly chat: <E, R>(about: ChatStart, stream: Stream.Stream<ModelEvent, E, R>) => Stream.Stream<ModelEvent, E, R>
  /** One run of an action. */
  readonly tool: <A, E, R>(
    about: ToolStart,
    work: Effect.Effect<A, E, R>,
    recordOf: (value: A) => ActionRecord
  ) => Effect.Effect<A, E, R>
  /** A call that was not run: unknown, invalid, denied, skipped. */
  readonly notRun: (record: ActionRecord) => Effect.Effect<void>
  /** Several agents that work together under one name. */
  readonly group: <A, E, R>(name: string | undefined, work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** An execution of a flow. Synchronous. `context` is what its handlers are run with. */
  readonly execution: (about: ExecutionStart, context: Context.Context<never>) => ExecutionTrace
}

/**
 * Who traces what the current fiber does; absent where nobody does. Forked fibers inherit it.
 *
 * @category references
 */
export const Current: Context.Reference<Telemetry | undefined> = Context.Reference("effigent/Telemetry/Current", {
  defaultValue: (): Telemetry | undefined => undefined
})
