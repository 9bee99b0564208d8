/**
 * Where what has happened in executions is written down, as a service: for each execution a head (where it stands, who
 * owns it), a row of records, and now and then a snapshot. What records and snapshots are stands in `src/triggerflow`;
 * here they are JSON.
 *
 * What an implementation promises (`JournalStoreConformance` in `effigent/testing` checks it):
 *
 * - an append is whole or not there, and what was acknowledged is there after any crash;
 * - an append names the fence of its owner and the sequence number that it stands on; it fails with `JournalConflict`
 *   where somebody else owns the execution by now or has appended first. So two owners can never both append;
 * - an append that is repeated, because nobody knows whether it was made, succeeds once more and changes nothing, as
 *   long as nothing was appended after it;
 * - a fence goes up each time an execution is claimed, and never down;
 * - what was damaged is found when it is read (`JournalCorrupt`), and others can be read all the same.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ExecutionStatus, ExecutionSummary } from "./ExecutionHost.ts"

/**
 * Who owns executions: a runner by its name, and which life of it this is. A runner that begins again under its name
 * takes over at once what its life before has left.
 *
 * @category models
 */
export const Owner = Schema.Struct({
  runner: Schema.String,
  /** Tells the lives of a runner apart. */
  incarnation: Schema.String
})

/** Who owns executions, as a type. @category models */
export type Owner = typeof Owner.Type

/** Why an execution was put aside. @category models */
export const DeadLetter = Schema.Struct({
  /** When, in milliseconds since 1970. */
  at: Schema.Finite,
  /** How often it was begun again without getting any further. */
  tries: Schema.Int,
  /** What happened, in words. */
  reason: Schema.String
})

/** Why an execution was put aside, as a type. @category models */
export type DeadLetter = typeof DeadLetter.Type

/**
 * What is known of an execution without reading its journal. Times in milliseconds since 1970.
 *
 * @category models
 */
export const JournalHead = Schema.Struct({
  ...ExecutionSummary.fields,
  /** What it was started with, as canonical JSON: what another start under the same id has to bring. */
  input: Schema.String,
  tags: Schema.Array(Schema.String),
  /** When it was appended to last. */
  updatedAt: Schema.Finite,
  /** How many appends there were: the number of the last. */
  seq: Schema.Int,
  /** The number of the append that the newest snapshot was taken after; 0: there is none. */
  snapshot: Schema.Int,
  /** Goes up with each claim. */
  fence: Schema.Int,
  /** Whoever has claimed it last and has not released it. */
  owner: Schema.optionalKey(Owner),
  /** When something in it is due although nobody is at work: a timer, an expiry. */
  wakeAt: Schema.optionalKey(Schema.Finite),
  /** How often it was claimed since it got any further. */
  tries: Schema.Int,
  dead: Schema.optionalKey(DeadLetter)
})

/** What is known of an execution, as a type. @category models */
export type JournalHead = typeof JournalHead.Type

/**
 * One append: what has happened since the one before.
 *
 * @category models
 */
export const JournalEntry = Schema.Struct({
  seq: Schema.Int,
  /** When it was appended, in milliseconds since 1970. */
  at: Schema.Finite,
  records: Schema.Array(Schema.Json)
})

/** One append, as a type. @category models */
export type JournalEntry = typeof JournalEntry.Type

/**
 * A journal as it is read: the newest snapshot, and what has happened since.
 *
 * @category models
 */
export const Journal = Schema.Struct({
  head: JournalHead,
  snapshot: Schema.optionalKey(Schema.Struct({ seq: Schema.Int, json: Schema.Json })),
  /** Without a gap, from the one behind the snapshot. */
  entries: Schema.Array(JournalEntry)
})

/** A journal as it is read, as a type. @category models */
export type Journal = typeof Journal.Type

/**
 * A new execution and the first thing that has happened in it.
 *
 * @category models
 */
export interface Creation {
  readonly id: string
  readonly flow: string
  readonly version?: string
  readonly fingerprint?: string
  readonly status: ExecutionStatus
  readonly lifecycle: JournalHead["lifecycle"]
  readonly input: string
  readonly tags: ReadonlyArray<string>
  readonly owner: Owner
  readonly wakeAt?: number
  /** May be empty. They become the append 1. */
  readonly records: ReadonlyArray<Schema.Json>
  readonly snapshot?: Schema.Json
}

/**
 * What is appended, and how the head changes by it; what is absent stays as it was.
 *
 * @category models
 */
export interface Append {
  readonly id: string
  /** The fence of the claim under which it is made. */
  readonly fence: number
  /** The number of the append before; this one gets the next. */
  readonly expected: number
  /** May be empty, where only a snapshot or the head is written. */
  readonly records: ReadonlyArray<Schema.Json>
  readonly status?: ExecutionStatus
  readonly lifecycle?: JournalHead["lifecycle"]
  /** `true`: it has closed with this append. */
  readonly closed?: boolean
  /** `null`: nothing is due. */
  readonly wakeAt?: number | null
  readonly tags?: ReadonlyArray<string>
  /** It got further: count tries anew. */
  readonly progressed?: boolean
  readonly version?: string
  readonly fingerprint?: string
  /** The execution as it is after these records. */
  readonly snapshot?: Schema.Json
  /**
   * With a snapshot: how many snapshots stay. Once there are that many, entries older than the oldest of them are
   * forgotten. Default 3; `Infinity`: all.
   */
  readonly keepSnapshots?: number
}

/** What may be claimed. @category models */
export interface ClaimRequest {
  readonly owner: Owner
  /** Which flows the claimer can run; `version` absent: one without a version. */
  readonly flows: ReadonlyArray<{ readonly flow: string; readonly version?: string }>
  /** How many at most. */
  readonly limit: number
}

/**
 * Which executions are listed. All conditions have to hold.
 *
 * @category models
 */
export const JournalQuery = Schema.Struct({
  flow: Schema.optionalKey(Schema.String),
  version: Schema.optionalKey(Schema.String),
  status: Schema.optionalKey(ExecutionStatus),
  /** All of these. */
  tags: Schema.optionalKey(Schema.Array(Schema.String)),
  /** Started at or after, and before; milliseconds since 1970. */
  from: Schema.optionalKey(Schema.Finite),
  to: Schema.optionalKey(Schema.Finite),
  /** `true`: only dead letters; `false`: only others. */
  dead: Schema.optionalKey(Schema.Boolean),
  /** Text that stands in the id, whatever the case of its letters. */
  text: Schema.optionalKey(Schema.String),
  /** Default `oldest`, by their start. */
  order: Schema.optionalKey(Schema.Literals(["oldest", "newest"])),
  /** Default 100. */
  limit: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThan(0))),
  /** `next` of the page before, in the same order. */
  after: Schema.optionalKey(Schema.String)
})

/** Which executions are listed, as a type. @category models */
export type JournalQuery = typeof JournalQuery.Type

/** A part of a list. @category models */
export interface JournalPage {
  readonly heads: ReadonlyArray<JournalHead>
  /** Where the list goes on; absent at its end. */
  readonly next?: string
}

/** Which closed executions are forgotten. @category models */
export interface Retention {
  /** Those that have closed before, in milliseconds since 1970. */
  readonly closedBefore: number
  /** How many at most in one go. Default 1,000. */
  readonly limit?: number
}

/**
 * Another owner has the execution, or somebody has appended first. Whoever is told so stops: nothing that it does from
 * now on counts.
 *
 * @category errors
 */
export class JournalConflict extends Schema.TaggedError<JournalConflict>()("JournalConflict", {
  /** The execution. */
  id: Schema.String,
  /** `fenced`: it was claimed by another since; `sequence`: the number is taken; `missing`: there is no such execution. */
  why: Schema.Literals(["fenced", "sequence", "missing"])
}) {
  override get message(): string {
    const what =
      this.why === "fenced"
        ? "was taken over by another runner"
        : this.why === "missing"
          ? "is not in the journal"
          : "was appended to by somebody else"
    return `Execution ${JSON.stringify(this.id)} ${what}. Leave it to them; it goes on there.`
  }
}

/**
 * The runner has lost its lease: another life of it has begun, or others may have taken its executions.
 *
 * @category errors
 */
export class LeaseLost extends Schema.TaggedError<LeaseLost>()("LeaseLost", {
  runner: Schema.String,
  incarnation: Schema.String,
  /** Whether another life of the runner has begun, where the store knows. */
  replaced: Schema.optionalKey(Schema.Boolean)
}) {
  override get message(): string {
    return `The runner ${JSON.stringify(this.runner)} has lost its lease: it was not renewed in time, or another life of it has begun. Stop what it runs and join anew, and give each process a name of its own.`
  }
}

/**
 * What was read is not what was written.
 *
 * @category errors
 */
export class JournalCorrupt extends Schema.TaggedError<JournalCorrupt>()("JournalCorrupt", {
  /** The execution. */
  id: Schema.String,
  /** The append or snapshot; 0: the head. */
  seq: Schema.Int,
  /** What is wrong. */
  detail: Schema.String
}) {
  override get message(): string {
    return (
      `The journal of execution ${JSON.stringify(this.id)} is damaged at ${this.seq}: ${this.detail}. ` +
      `Restore the database from a backup, or fork the execution from an earlier step; others are not affected.`
    )
  }
}

/**
 * The store could not do what it was asked for.
 *
 * @category errors
 */
export class JournalStoreError extends Schema.TaggedError<JournalStoreError>()("JournalStoreError", {
  /** Which store: `memory`, `sqlite`, `postgres`, ... */
  store: Schema.String,
  /** What it was to do. */
  operation: Schema.String,
  /** The execution, where it is about one. */
  id: Schema.optionalKey(Schema.String),
  /**
   * `unavailable`: it cannot be reached, or has not answered in time; `full`: no room is left; `readOnly`: it may not be
   * written; `schema`: its tables are of another version; `damaged`: the database itself is broken.
   */
  reason: Schema.Literals(["unavailable", "full", "readOnly", "schema", "damaged", "other"]),
  /** What happened and what to do. */
  detail: Schema.String
}) {
  /** Whether trying again, later, can help. */
  get retryable(): boolean {
    return this.reason === "unavailable" || this.reason === "full"
  }
  override get message(): string {
    const about = this.id === undefined ? "" : ` execution ${JSON.stringify(this.id)}`
    return `The ${this.store} journal cannot ${this.operation}${about}: ${this.detail}`
  }
}

/**
 * Where what has happened in executions is written down.
 *
 * @category services
 */
export class JournalStore extends Context.Service<
  JournalStore,
  {
    /**
     * Begins or takes over the life of a runner: it owns executions until `leaseFor` milliseconds after its last renewal.
     * An earlier life under the same name ends with it.
     */
    readonly join: (owner: Owner, leaseFor: number) => Effect.Effect<void, JournalStoreError>
    /** Goes on owning. It never waits behind appends. A lease that has run out is lost, whoever has taken what by then. */
    readonly renew: (owner: Owner, leaseFor: number) => Effect.Effect<void, LeaseLost | JournalStoreError>
    /** Ends this life: everything that it owns is free at once. */
    readonly leave: (owner: Owner) => Effect.Effect<void, JournalStoreError>
    /**
     * Adds an execution, owned from the start, with the fence 1. Where there is one under the id, it is left as it is and
     * its head is given.
     */
    readonly create: (
      creation: Creation
    ) => Effect.Effect<{ readonly created: boolean; readonly head: JournalHead }, JournalStoreError>
    /** Appends, and gives the number of the append once it is durable. */
    readonly append: (append: Append) => Effect.Effect<number, JournalConflict | JournalStoreError>
    /**
     * Takes executions that nobody owns any more and in which something is to be done: those that are not closed and no
     * dead letters, whose owner has lost its lease, and that do not wait, or wait for something that is due.
     */
    readonly claim: (request: ClaimRequest) => Effect.Effect<ReadonlyArray<JournalHead>, JournalStoreError>
    /** What `claim` would take now, the longest due first, without taking it. */
    readonly claimable: (
      request: Omit<ClaimRequest, "owner">
    ) => Effect.Effect<ReadonlyArray<JournalHead>, JournalStoreError>
    /**
     * Takes one execution, whether something is due or not. `force`: also from an owner that has its lease. None where it
     * is not there, closed, a dead letter, or another owner's; the claimer's own is claimed anew.
     */
    readonly claimOne: (
      id: string,
      owner: Owner,
      options?: { readonly force?: boolean }
    ) => Effect.Effect<Option.Option<JournalHead>, JournalStoreError>
    /** Lets go of executions of this owner; one that is not its own any more is left alone. */
    readonly release: (owner: Owner, ids: ReadonlyArray<string>) => Effect.Effect<void, JournalStoreError>
    /**
     * The journal of an execution: from its newest snapshot on, or as it was after the append `until`, with the head as
     * it is now. None where it is not there, or what leads to `until` is not kept any more.
     */
    readonly read: (
      id: string,
      options?: { readonly until?: number }
    ) => Effect.Effect<Option.Option<Journal>, JournalCorrupt | JournalStoreError>
    /** All entries that are kept, oldest first, from `from` on (default 1), at most `limit` (default 1,000). */
    readonly history: (
      id: string,
      options?: { readonly from?: number; readonly limit?: number }
    ) => Effect.Effect<ReadonlyArray<JournalEntry>, JournalCorrupt | JournalStoreError>
    readonly get: (id: string) => Effect.Effect<Option.Option<JournalHead>, JournalStoreError>
    readonly list: (query?: JournalQuery) => Effect.Effect<JournalPage, JournalStoreError>
    /** Puts an execution aside; nobody claims it until it is revived. */
    readonly bury: (
      id: string,
      fence: number,
      reason: string
    ) => Effect.Effect<void, JournalConflict | JournalStoreError>
    /** Takes a dead letter back among the living, with its tries counted anew. False where it is none. */
    readonly revive: (id: string) => Effect.Effect<boolean, JournalStoreError>
    /** Forgets closed executions; gives which. */
    readonly prune: (retention: Retention) => Effect.Effect<ReadonlyArray<string>, JournalStoreError>
    /** Forgets an execution, whatever it is. One that is not there is no error. */
    readonly remove: (id: string) => Effect.Effect<void, JournalStoreError>
    /**
     * When something is due next in an execution that nobody owns, in milliseconds since 1970; it may have been due
     * before now.
     */
    readonly nextWake: (flows: ClaimRequest["flows"]) => Effect.Effect<Option.Option<number>, JournalStoreError>
    /** Whether it can be read and written now. */
    readonly ping: Effect.Effect<void, JournalStoreError>
  }
>()("effigent/JournalStore") {}

/** How many snapshots stay where nobody says. @category constants */
export const defaultKeepSnapshots = 3
