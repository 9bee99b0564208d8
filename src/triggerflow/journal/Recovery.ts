/** Executions that were written down: read as they stood, let go on, or copied. What a runner does besides opening. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Json } from "effect/Schema"
import type { FlowRunner, HistoryEntry, JournalBatch, WrittenExecution } from "../../../services/ExecutionHost.ts"
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
): Pick<FlowRunner, "recover" | "read" | "fork" | "history"> => {
  const refuse = (id: string, { issue, why }: Folding.Unreadable) =>
    Effect.fail(Running.refused(flow, id, new FlowError.NotLoadable({ why, issue })))
  const folded = (written: WrittenExecution): Effect.Effect<Folding.Folded, FlowFailed> =>
    Effect.suspend(() => {
      const result = Folding.fold(flow, written, context, migrations)
      return Result.isSuccess(result) ? Effect.succeed(result.success) : refuse(written.id, result.failure)
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
    history: (snapshot, entries) =>
      Effect.suspend(() => {
        const happened: Array<HistoryEntry> = []
        const places = entries.flatMap(({ at, records, seq }) => records.map(() => ({ at, seq })))
        const records = entries.flatMap(({ records }) => records)
        const result = Folding.fold(
          flow,
          { snapshot, records },
          context,
          migrations,
          ({ engine, read, record }, at) => {
            const place = places[at]
            const entry = engine === undefined ? undefined : History.entryOf(engine, record, read)
            if (engine === undefined || entry === undefined || place === undefined) return
            happened.push({ ...place, path: History.pathOf(engine), ...entry })
          }
        )
        return Result.isSuccess(result) ? Effect.succeed(happened) : refuse("", result.failure)
      })
  }
}
