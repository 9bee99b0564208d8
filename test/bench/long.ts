/**
 * P7: an execution of 100,000 steps on SQLite: what a step costs at its end, what it takes to go on with it, and how much
 * of it is kept. Commits do not wait for the disk here (P6 has that), or it would hide what grows.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ExecutionHosts } from "../../layers/host/index.ts"
import { SqliteClient } from "../../layers/sqlite/index.ts"
import { JournalStores } from "../../layers/sql-store/index.ts"
import { ExecutionHost } from "../../services/ExecutionHost.ts"
import * as Chain from "../../src/triggerflow/Chain.ts"
import * as Interrupt from "../../src/triggerflow/Interrupt.ts"
import * as Signal from "../../src/triggerflow/Signal.ts"
import * as TriggerFlow from "../../src/triggerflow/TriggerFlow.ts"
import { collect, type Figure, figure, inUse, median } from "./measure.ts"

const [total, part] = [100_000, 2_000]
const Tick = Signal.make("Tick", Schema.Int)
const Ask = Interrupt.make("Ask", { payload: Schema.Null, resume: Schema.Null })
const Long = TriggerFlow.define("long", { stream: Schema.String, signals: [Tick], interrupts: [Ask] })

/** Measures. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const marks: Array<{ readonly at: number; readonly heap: number }> = []
  const seen = (step: number) => {
    if (step % part !== 0) return
    collect()
    marks.push({ at: performance.now(), heap: inUse() })
  }
  const flow = Long.build(
    Long.start.pipe(
      Chain.to("begin", () => Effect.succeed(0)),
      Chain.loop(
        (round) =>
          round.pipe(
            Chain.to("step", (step, run) =>
              Effect.map(run.put(`${step}`.padStart(200, ".")), () => {
                seen(step)
                return step + 1
              })
            )
          ),
        { while: (step) => step <= total, max: 2 * total }
      ),
      Chain.to("ask", (_, run) => run.pause(Ask, null))
    ),
    Long.on(Tick).pipe(Chain.to("tick", () => Effect.void))
  )
  const folder = mkdtempSync(join(tmpdir(), "effigent-bench-"))
  const client = SqliteClient.layer({ filename: join(folder, "journal.db"), synchronous: "off" })
  const begin = async () => {
    const runtime = ManagedRuntime.make(
      TriggerFlow.toLayer(flow).pipe(
        Layer.provideMerge(ExecutionHosts.durable()),
        Layer.provideMerge(JournalStores.layer()),
        Layer.provideMerge(client)
      )
    )
    await runtime.context()
    return runtime
  }
  const first = await begin()
  const settings = { autoClose: false } as const
  await first.runPromise(
    ExecutionHost.use((host) =>
      Effect.andThen(
        host.start({ flow: "long", input: null, id: "long", settings }),
        Effect.repeat(Effect.andThen(Effect.sleep(100), host.get("long")), {
          until: ({ status }) => status === "waiting"
        })
      )
    )
  )
  await first.dispose()
  const resumes: Array<number> = []
  for (let life = 0; life < 7; life++) {
    const again = await begin()
    const since = performance.now()
    await again.runPromise(ExecutionHost.use((host) => host.signal("long", "Tick", life, { wait: true })))
    resumes.push(performance.now() - since)
    await again.dispose()
  }
  const next = await begin()
  const [rows] = await next.runPromise(
    SqlClient.SqlClient.use(
      (sql) => sql<{ readonly n: number; readonly bytes: number }>`SELECT
        (SELECT count(*) FROM effigent_journal) AS n,
        (SELECT sum(length(records)) FROM effigent_journal) + (SELECT sum(length(json)) FROM effigent_snapshots) AS bytes`
    )
  )
  await next.dispose()
  rmSync(folder, { recursive: true, force: true })
  const times = marks.slice(1).map(({ at }, n) => ((at - (marks[n]?.at ?? 0)) * 1_000) / part)
  assert.equal(times.length, total / part)
  // Five parts are 10,000 steps; the very first warms up.
  const [early, late] = [median(times.slice(1, 6)), median(times.slice(-5))]
  const grown = (marks.at(-1)?.heap ?? Infinity) - (marks[5]?.heap ?? 0)
  return [
    figure({
      id: "P7.long.step",
      value: late,
      unit: "us",
      bound: 1.5 * early,
      anchor: "1.5x a step among the first 10,000, where these are the last 10,000 of 100,000"
    }),
    figure({
      id: "P7.long.resume",
      value: median(resumes),
      unit: "ms",
      bound: 50,
      anchor: "read, fold, resume, first step"
    }),
    figure({ id: "P7.long.rows", value: rows?.n ?? NaN, unit: "rows", bound: 5_000, anchor: "entries that are kept" }),
    figure({ id: "P7.long.bytes", value: (rows?.bytes ?? NaN) / 1e6, unit: "MB", bound: 2, anchor: "in the tables" }),
    figure({ id: "P7.long.heap", value: grown / 1e6, unit: "MB", bound: 2, anchor: "more in memory than after 10,000" })
  ]
}
