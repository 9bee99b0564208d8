/**
 * Keeps a flow of actions in the `SnapshotStore` while it runs: before a call that must not be run twice, when a call has
 * ended, and when the model has answered. A snapshot names the version of the store that it is: where another program has
 * gone on with the same run, the store refuses it, and no call is run.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type SnapshotConflict, SnapshotStore, type SnapshotStoreError } from "../../services/SnapshotStore.ts"
import type { FlowError } from "../triggerflow/FlowError.ts"
import { Turns } from "../triggerflow/Turns.ts"
import * as Snapshots from "../triggerflow/saving/Snapshot.ts"
import type { State } from "./State.ts"

/**
 * A flow of actions cannot go on as it was made.
 *
 * @category errors
 */
export class ActionFlowError extends Schema.TaggedError<ActionFlowError>()("ActionFlowError", {
  flow: Schema.String,
  /** What is wrong and what to do. */
  detail: Schema.String
}) {
  override get message(): string {
    return `The flow ${JSON.stringify(this.flow)} cannot go on: ${this.detail}`
  }
}

/** How keeping a run can fail. @category errors */
export type KeepError = SnapshotStoreError | SnapshotConflict | FlowError | ActionFlowError

/** What is kept: a run, from within or from outside. @category models */
export interface Kept<E> {
  readonly id: string
  readonly update: (f: (version: State["version"]) => number) => Effect.Effect<number, E>
  readonly save: Effect.Effect<Snapshots.Snapshot, E>
}

/**
 * Keeps runs of one flow.
 *
 * @category models
 */
export class Keeper {
  readonly flow: string
  // One at a time for each run, since each snapshot is put on top of the one before.
  private readonly turns = new Turns()

  constructor(flow: string) {
    this.flow = flow
  }

  /** Puts the run into the store; fails where it cannot. */
  readonly keep = <E>({
    id,
    save,
    update
  }: Kept<E>): Effect.Effect<void, E | SnapshotStoreError | SnapshotConflict | ActionFlowError, SnapshotStore> => {
    const { flow } = this
    const put = Effect.gen(function* () {
      const store = yield* SnapshotStore
      const version = yield* update((before) => before + 1)
      const snapshot = yield* save
      if (snapshot.execution.executionId !== id) {
        const detail = "a durable flow of actions is opened by itself, not as a sub-flow; make it without `durable`"
        return yield* new ActionFlowError({ flow, detail })
      }
      const options = { expected: version - 1, keep: snapshot.settings.keepSnapshots }
      const stored = store.put(id, Snapshots.toJson(snapshot), options)
      yield* Effect.catchTag(stored, "SnapshotStoreError", (error) =>
        // The store has no such version: the next one takes its place.
        Effect.andThen(
          update((before) => before - 1),
          Effect.fail(error)
        )
      )
    })
    return this.turns.alone(id, put)
  }
}
