/**
 * Where snapshots of executions are kept, as a service: a row of versions for each execution, of which the newest stay.
 * What a snapshot is stands in `src/triggerflow/Snapshot.ts`; here it is JSON.
 *
 * What an implementation promises:
 *
 * - a put is whole or not there;
 * - a put names the version it was made for, and fails with `SnapshotConflict` where another one came first;
 * - versions go up by 1 and are never used twice, also where older ones were pruned.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/**
 * One snapshot that is kept.
 *
 * @category models
 */
export const StoredSnapshot = Schema.Struct({
  /** Which one of its execution, from 1. */
  version: Schema.Int,
  /** When it was put, in milliseconds since 1970. */
  at: Schema.Finite,
  snapshot: Schema.Json
})

/** One snapshot that is kept, as a type. @category models */
export type StoredSnapshot = typeof StoredSnapshot.Type

/**
 * The store could not do what it was asked for.
 *
 * @category errors
 */
export class SnapshotStoreError extends Schema.TaggedError<SnapshotStoreError>()("SnapshotStoreError", {
  /** Which store: `memory`, `file`, ... */
  store: Schema.String,
  /** The execution. */
  id: Schema.String,
  /** What it was to do. */
  operation: Schema.Literals(["put", "get", "list", "prune", "remove"]),
  /** What happened and what to do. */
  detail: Schema.String
}) {
  override get message(): string {
    return `The ${this.store} snapshot store cannot ${this.operation} execution ${JSON.stringify(this.id)}: ${this.detail}`
  }
}

/**
 * Another snapshot was put first: somebody else goes on with this execution. Do not put over it.
 *
 * @category errors
 */
export class SnapshotConflict extends Schema.TaggedError<SnapshotConflict>()("SnapshotConflict", {
  /** The execution. */
  id: Schema.String,
  /** The version that the put was made for. */
  expected: Schema.Int
}) {
  override get message(): string {
    return (
      `Execution ${JSON.stringify(this.id)} was saved by somebody else since version ${this.expected}; ` +
      `get its newest snapshot and go on with that one, or leave it to them`
    )
  }
}

/**
 * Where snapshots of executions are kept.
 *
 * @category services
 */
export class SnapshotStore extends Context.Service<
  SnapshotStore,
  {
    /**
     * Adds a snapshot on top of the version `expected` (0: there is none) and forgets all but the newest `keep` (default
     * 3). Gives its version.
     */
    readonly put: (
      id: string,
      snapshot: Schema.Json,
      options: { readonly expected: number; readonly keep?: number | undefined }
    ) => Effect.Effect<number, SnapshotStoreError | SnapshotConflict>
    /** The newest snapshot of an execution, or one version of it. */
    readonly get: (id: string, version?: number) => Effect.Effect<Option.Option<StoredSnapshot>, SnapshotStoreError>
    /** The versions that are kept, oldest first. */
    readonly list: (id: string) => Effect.Effect<ReadonlyArray<number>, SnapshotStoreError>
    /** Forgets all but the newest `keep` versions, of which there is always one. */
    readonly prune: (id: string, keep: number) => Effect.Effect<void, SnapshotStoreError>
    /** Forgets an execution. One that is not there is no error. */
    readonly remove: (id: string) => Effect.Effect<void, SnapshotStoreError>
  }
>()("effigent/SnapshotStore") {}

/** How many snapshots are kept where nobody says. @category constants */
export const defaultKeep = 3

/** The versions that are to be forgotten. @category getters */
export const outdated = (versions: ReadonlyArray<number>, keep: number): ReadonlyArray<number> =>
  versions.toSorted((a, b) => a - b).slice(0, Math.max(0, versions.length - Math.max(1, keep)))
