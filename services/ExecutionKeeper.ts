/**
 * What people who operate durable executions need besides `ExecutionHost`, as a service: what was interrupted is found
 * again, what cannot go on is put aside and looked at, and a runner says how it is and ends in good order.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import {
  type ExecutionHostError,
  ExecutionSummary,
  type FlowFailed,
  type HistoryEntry,
  type UnknownExecution
} from "./ExecutionHost.ts"
import { DeadLetter, type JournalQuery } from "./JournalStore.ts"

/** An execution that was put aside. @category models */
export const DeadExecution = Schema.Struct({ ...ExecutionSummary.fields, dead: DeadLetter })

/** An execution that was put aside, as a type. @category models */
export type DeadExecution = typeof DeadExecution.Type

/**
 * How a runner is.
 *
 * @category models
 */
export const KeeperHealth = Schema.Struct({
  /**
   * `up`: it holds its lease; `late`: it could not renew it in time, and others may take its executions; `draining`: it
   * takes nothing new; `deposed`: another life of it has begun; `closed`.
   */
  status: Schema.Literals(["up", "late", "draining", "deposed", "closed"]),
  runner: Schema.String,
  incarnation: Schema.String,
  /** Milliseconds since the lease was renewed, and how long it is valid. */
  leaseAge: Schema.Finite,
  leaseFor: Schema.Finite,
  /** How many executions are in memory. */
  active: Schema.Int,
  /** Executions that had to stop here since the store refused to write, and are tried again. */
  stranded: Schema.Int,
  /** What went wrong last with the store, in words. */
  trouble: Schema.optionalKey(Schema.String)
})

/** How a runner is, as a type. @category models */
export type KeeperHealth = typeof KeeperHealth.Type

/** Where a fork begins. @category models */
export interface ForkOptions {
  /** The id of the new execution. Default: a new one. */
  readonly id?: string
  /** As it was after this append. Default: the last. */
  readonly seq?: number
  /** As it was before this step ended for the last time, by its key. */
  readonly step?: string
}

/** What is told of what has happened. @category models */
export interface HistoryOptions {
  /** Whether beginnings of runs of steps are told, and their ends by answers. Default false. */
  readonly runs?: boolean
}

/**
 * Keeps durable executions on this runner.
 *
 * @category services
 */
export class ExecutionKeeper extends Context.Service<
  ExecutionKeeper,
  {
    /**
     * Looks for executions of the registered flows that nobody has any more and lets them go on; gives their ids. It is
     * done all the time; this does it now.
     */
    readonly recover: Effect.Effect<ReadonlyArray<string>, ExecutionHostError>
    /** Executions that were put aside, oldest first. */
    readonly deadLetters: (
      query?: Omit<JournalQuery, "dead">
    ) => Effect.Effect<
      { readonly executions: ReadonlyArray<DeadExecution>; readonly next?: string },
      ExecutionHostError
    >
    /** Lets an execution that was put aside go on, with its tries counted anew. */
    readonly retry: (id: string) => Effect.Effect<void, UnknownExecution | ExecutionHostError>
    /** Ends an execution that was put aside as cancelled, without running any of it. */
    readonly discard: (id: string) => Effect.Effect<void, UnknownExecution | ExecutionHostError>
    /** Begins a new execution with what another one was at some step; gives its id. The other one stays as it is. */
    readonly fork: (
      id: string,
      options?: ForkOptions
    ) => Effect.Effect<string, UnknownExecution | FlowFailed | ExecutionHostError>
    /**
     * What has happened, as far as the journal is kept, oldest first. With `runs` it tells as well what a `JournalReader`
     * tells: where runs of steps have begun or gone on (`began`), and where an answer has ended one (`ended`).
     */
    readonly history: (
      id: string,
      options?: HistoryOptions
    ) => Effect.Effect<ReadonlyArray<HistoryEntry>, UnknownExecution | FlowFailed | ExecutionHostError>
    readonly health: Effect.Effect<KeeperHealth>
    /** Takes nothing new, lets handlers at work end, writes everything down and lets go of it. Nothing is cancelled. */
    readonly drain: Effect.Effect<void>
  }
>()("effigent/ExecutionKeeper") {}
