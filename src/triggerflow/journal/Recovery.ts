/** Executions that were written down: read as they stood, let go on, or copied. What a runner does besides opening. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Json } from "effect/Schema"
import type { FlowRunner, JournalBatch, JournalReader, WrittenExecution } from "../../../services/ExecutionHost.ts"
import { type FlowFailed } from "../../../services/ExecutionHost.ts"
import * as FlowError from "../FlowError.ts"
import * as Running from "../hosting/Running.ts"
import type { FlowData } from "../Node.ts"
import * as Loading from "../saving/Loading.ts"
import type { Migration } from "../saving/Migration.ts"
import * as Snapshots from "../saving/Snapshot.ts"
import type { Snapshot } from "../saving/Snapshot.ts"
import * as Folding from "./Folding.ts"
import * as History from "./History.ts"
import { Writing } from "./Writing.ts"

const standingOf = ({ execution, status }: Snapshot): Pick<JournalBatch, "status" | "lifecycle"> => ({
  status,
  lifecycle: execution.lifecycle
})

/**
 * What a runner of a flow does with executions that were written down. `context` has the services of the handlers,
 * `migrations` make journals of older definitions such of this one.
 *
 * @category constructors
 */
export const of = (
  flow: FlowData,
  context: Context.Context<never>,
  migrations: ReadonlyArray<Migration>
): Pick<FlowRunner, "recover" | "read" | "fork" | "history" | "reader"> => {
  const refuse = (id: string, { issue, why }: Folding.Unreadable) =>
    Effect.fail(Running.refused(flow, id, new FlowError.NotLoadable({ why, issue })))
  const folded = (written: WrittenExecution): Effect.Effect<Folding.Folded, FlowFailed> =>
    Effect.suspend(() => {
      const result = Folding.fold(flow, written, context, migrations)
      return Result.isSuccess(result) ? Effect.succeed(result.success) : refuse(written.id, result.failure)
    })
  const telling = (snapshot: Json | undefined, begins: boolean): Effect.Effect<JournalReader, FlowFailed> =>
    Effect.suspend(() => {
      const reading = new Folding.Reading(flow, context, migrations)
      const loaded = snapshot === undefined ? Result.succeed(undefined) : reading.load(snapshot)
      if (Result.isFailure(loaded)) return refuse("", loaded.failure)
      const told = new History.Telling(reading, begins)
      return Effect.succeed({
        take: (entries) =>
          Effect.suspend(() => {
            const happened = told.take(entries)
            return Result.isSuccess(happened) ? Effect.succeed(happened.success) : refuse("", happened.failure)
          })
      })
    })
  return {
    recover: (written, journal) =>
      Effect.flatMap(folded(written), ({ migrated, snapshot }) => {
        const loaded = Loading.engineOf(flow, snapshot, Loading.settingsOf(snapshot), context)
        if (Result.isFailure(loaded)) return refuse(written.id, loaded.failure)
        const { engine } = loaded.success
        const closed = snapshot.execution.lifecycle === "closed"
        const batch = { ...standingOf(snapshot), snapshot: Snapshots.toJson(snapshot), records: [] }
        // What the records alone do not give is written down before anything goes on.
        const begun = migrated || closed ? journal.append(batch) : Effect.void
        return Effect.flatMap(
          // The journal knows why, and says it to whoever has handed it in.
          Effect.mapError(begun, () => Running.refused(flow, written.id, new FlowError.Left({}))),
          () =>
            Effect.sync(() => {
              const writing = closed ? undefined : new Writing(engine, journal)
              engine.resume()
              return Running.running(engine, writing)
            })
        )
      }),
    read: (written) =>
      Effect.map(folded(written), ({ engine }) => ({
        progress: Running.progressOf(engine),
        entries: engine.stream.entries.map(Running.encodedEntry)
      })),
    fork: (written, id) =>
      Effect.flatMap(folded(written), ({ snapshot }): Effect.Effect<Json, FlowFailed> => {
        const { execution } = snapshot
        if (execution.lifecycle === "closed") {
          const issue = "it has closed there. Fork it from an earlier step."
          return refuse(written.id, { why: "value", issue })
        }
        return Effect.succeed(Snapshots.toJson({ ...snapshot, execution: { ...execution, executionId: id } }))
      }),
    history: (snapshot, entries) => Effect.flatMap(telling(snapshot, false), ({ take }) => take(entries)),
    reader: (snapshot) => telling(snapshot, true)
  }
}
