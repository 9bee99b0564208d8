/**
 * The executions of one runner of a cluster: what an entity needs to begin an execution, to take it over from a runner
 * that is no more, and to let it go. Who implements it decides what survives: `VolatileExecutions` keeps them in memory,
 * a durable one in the journal.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Option from "effect/Option"
import type { Json } from "effect/Schema"
import type * as Stream from "effect/Stream"
import * as Host from "../../services/ExecutionHost.ts"
import type { JournalHead } from "../../services/JournalStore.ts"

/**
 * What has to be done about an execution while nobody asks for anything.
 *
 * @category models
 */
export interface Work {
  /** `true`: something of it runs, so it stays in memory, and another runner begins it again when this one dies. */
  readonly atWork: boolean
  /** When something in it is due although nothing of it runs, in milliseconds since 1970. */
  readonly wakeAt?: number | undefined
}

/**
 * An execution that this runner owns, or that has closed.
 *
 * @category models
 */
export interface KeptExecution extends Omit<Host.RunningExecution, "signal"> {
  readonly head: Effect.Effect<JournalHead>
  /**
   * Sends a signal. `request`: the same request under the same name is the same request, whichever runner it reaches: it
   * is written down with what it does, and asked again it gives what it gave, or joins what is at work.
   */
  readonly signal: (
    signal: string,
    payload: Json,
    wait: boolean,
    request: string
  ) => Effect.Effect<ReadonlyArray<Json>, Host.FlowFailed>
  /** How it stands now, then each change; ends when it has closed. */
  readonly work: Stream.Stream<Work>
  /** Gives when another runner has it: an append was refused because of its fence. Nothing that is done here counts. */
  readonly lost: Effect.Effect<void>
}

/** The flow that this runner runs a version of an execution with, if any. @category models */
export type FlowOf = (flow: string, version: string | undefined) => Host.FlowRunner | undefined

/**
 * The executions of one runner. Whatever it gives belongs to the Scope: when that closes, the execution has stopped here
 * (at its next boundary, written down) and another runner may take it.
 *
 * @category services
 */
export class Executions extends Context.Service<
  Executions,
  {
    /**
     * Begins an execution, and gives it when its start is written down. Where there is one under the id, that one is taken
     * over and given, or it is a conflict.
     */
    readonly start: (
      runner: Host.FlowRunner,
      request: Host.StartRequest & { readonly id: string },
      flowOf: FlowOf
    ) => Effect.Effect<KeptExecution, Host.ExecutionConflict | Host.FlowFailed | Host.ExecutionHostError, Scope.Scope>
    /** Takes an execution over, whoever has it, and goes on with it. One that has closed is given as it was left. */
    readonly activate: (
      id: string,
      flowOf: FlowOf
    ) => Effect.Effect<KeptExecution, Host.UnknownExecution | Host.ExecutionHostError, Scope.Scope>
  }
>()("effigent/cluster/Executions") {}

/**
 * What is left of executions that have closed, read without their flow: also where no runner has registered it.
 *
 * @category services
 */
export class EndedExecutions extends Context.Service<
  EndedExecutions,
  {
    /** None where there is no such execution, or it has not closed. */
    readonly view: (id: string) => Effect.Effect<Option.Option<Host.ExecutionView>, Host.ExecutionHostError>
  }
>()("effigent/cluster/EndedExecutions") {}

/** An execution as lists show it. @category conversions */
export const summaryOf = (head: JournalHead): Host.ExecutionSummary => ({
  id: head.id,
  flow: head.flow,
  ...(head.version === undefined ? {} : { version: head.version }),
  ...(head.fingerprint === undefined ? {} : { fingerprint: head.fingerprint }),
  status: head.status,
  lifecycle: head.lifecycle,
  startedAt: head.startedAt,
  ...(head.closedAt === undefined ? {} : { closedAt: head.closedAt })
})

/**
 * Why a start cannot join an execution, if it cannot. Within a major version another version is none.
 *
 * @category conversions
 */
export const conflictOf = (
  head: JournalHead,
  request: Host.StartRequest,
  input: string,
  majorOf: (version: string | undefined) => string
): Host.ExecutionConflict | undefined => {
  const differs =
    head.flow !== request.flow
      ? "flow"
      : request.version !== undefined && majorOf(head.version) !== majorOf(request.version)
        ? "version"
        : head.input !== input
          ? "input"
          : undefined
  return differs === undefined ? undefined : new Host.ExecutionConflict({ id: head.id, differs })
}
