/** P7: what it costs to go on with an execution that was saved, or is in a journal, after a short history and a long one. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqliteClient } from "../../layers/sqlite/index.ts"
import { JournalStores } from "../../layers/sql-store/index.ts"
import { ExecutionHost, type FlowRunner, type JournalBatch } from "../../services/ExecutionHost.ts"
import { JournalStore } from "../../services/JournalStore.ts"
import * as Chain from "../../src/triggerflow/Chain.ts"
import * as Interrupt from "../../src/triggerflow/Interrupt.ts"
import * as Signal from "../../src/triggerflow/Signal.ts"
import * as TriggerFlow from "../../src/triggerflow/TriggerFlow.ts"
import { type Figure, figure, race } from "./measure.ts"
import * as Postgres from "./postgres.ts"

const Order = Signal.make("Order", Schema.Number)
const Approval = Interrupt.make("Approval", { payload: Schema.String, resume: Schema.Boolean })
const Desk = TriggerFlow.define("desk", {
  state: Schema.Struct({ orders: Schema.Int }),
  initial: { orders: 0 },
  signals: [Order],
  interrupts: [Approval]
})
const desk = Desk.build(
  Desk.start.pipe(Chain.to("ask", (_, run) => run.pause(Approval, "open?"))),
  Desk.on(Order).pipe(Chain.to("count", (_, run) => run.state.update("orders", (orders) => orders + 1)))
)

/** An execution that waits for an answer after so many signals, as text. */
const saved = (signals: number): Promise<string> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const execution = yield* TriggerFlow.open(desk, undefined)
        for (let index = 0; index < signals; index++) yield* execution.emit(Order, index)
        return JSON.stringify(yield* execution.save())
      })
    )
  )

/** Loads it a hundred times; each time its first step is done. */
const resume = (text: string, signals: number) => async () => {
  for (let index = 0; index < 100; index++) {
    const scope = Scope.makeUnsafe()
    const load = Effect.suspend(() => TriggerFlow.load(desk, JSON.parse(text)))
    const execution = await Effect.runPromise(Scope.provide(load, scope))
    await Effect.runPromise(execution.emit(Order, 0))
    assert.equal(await Effect.runPromise(execution.state.get("orders")), signals + 1)
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

/** Executions in a store, written down while they ran and left as a crash leaves them. */
const journaled = async <E>(store: Layer.Layer<JournalStore, E>) => {
  const runtime = ManagedRuntime.make(store)
  const journals = await runtime.runPromise(JournalStore)
  const runner = await runtime.runPromise(runnerOf)
  let ids = 0
  const begin = async (signals: number) => {
    const id = `resumed-${ids++}`
    const owner = { runner: "bench", incarnation: "1" }
    let seq = 0
    const append = ({ records, ...batch }: JournalBatch): Effect.Effect<void, unknown> => {
      if (seq > 0)
        return Effect.map(
          journals.append({ id, fence: 1, expected: seq, records, ...batch }),
          (next) => void (seq = next)
        )
      const { snapshot: _, wakeAt: __, progressed: ___, ...head } = batch
      const creation = { id, flow: "desk", input: "null", tags: [], owner, records, ...head }
      return Effect.map(journals.create(creation), () => void (seq = 1))
    }
    const journal = { snapshotEvery: 256, append }
    const settings = { stream: { _tag: "sliding", capacity: 1000 }, autoClose: false } as const
    const run = <A, E2>(effect: Effect.Effect<A, E2>) => runtime.runPromise(effect)
    const first = await run(runner.open({ id, input: null, settings, journal }))
    for (let signal = 0; signal < signals; signal++) await run(first.signal("Order", signal, true))
    await run(first.abandon)
    return async () => {
      const found = Option.getOrThrow(await run(journals.read(id)))
      const records = found.entries.flatMap((entry) => entry.records)
      const running = await run(runner.recover({ id, snapshot: found.snapshot?.json, records }, journal))
      await run(running.signal("Order", 0, true))
      const { state } = await run(running.progress)
      assert.ok(Number(state["orders"]) > signals)
      await run(running.abandon)
    }
  }
  return { begin, end: () => runtime.dispose() }
}

/** The runner that the flow registers with its host. */
const runnerOf = Effect.suspend(() => {
  let found: FlowRunner | undefined
  const register = (runner: FlowRunner) => Effect.sync(() => void (found = runner))
  // Nothing else of a host is used.
  const host = Layer.succeed(ExecutionHost, { register } as unknown as ExecutionHost["Service"])
  return Effect.map(Effect.scoped(Layer.build(Layer.provide(TriggerFlow.toLayer(desk), host))), () => {
    assert.ok(found !== undefined)
    return found
  })
})

/** Goes on with executions that stopped after 10 and after 1,000 signals, a few of each. */
const fromJournal = async (id: string, { begin, end }: Awaited<ReturnType<typeof journaled>>): Promise<Figure> => {
  const few = 5
  const of = async (signals: number) => {
    const all: Array<() => Promise<void>> = []
    for (let one = 0; one < few; one++) all.push(await begin(signals + one * 50))
    return async () => {
      for (const resume of all) await resume()
    }
  }
  const times = await race({ short: await of(10), long: await of(1_000) }, { rounds: 15, warmUp: 5 })
  await end()
  return figure({
    id,
    value: (times.long * 1_000) / few,
    unit: "us",
    bound: (1.5 * times.short * 1_000) / few,
    anchor: "1.5x going on after 10 signals, where this is after 1,000: read, fold, resume, first step"
  })
}

/** From a file of SQLite and from a PostgreSQL. */
export const fromJournals = async (): Promise<ReadonlyArray<Figure>> => {
  const folder = mkdtempSync(join(tmpdir(), "effigent-bench-"))
  const sqlite = SqliteClient.layer({ filename: join(folder, "journal.db") })
  const own = await fromJournal("P7.sqlite", await journaled(Layer.provide(JournalStores.layer(), sqlite)))
  const server = await Postgres.begin(folder)
  const client = PgClient.layer({ url: Redacted.make(server.url), maxConnections: 10 })
  const other = await fromJournal("P7.postgres", await journaled(Layer.provide(JournalStores.layer(), client)))
  server.end()
  rmSync(folder, { recursive: true, force: true })
  return [own, other]
}

/** Measures. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const short = await saved(10)
  const long = await saved(1_000)
  const times = await race({ short: resume(short, 10), long: resume(long, 1_000) }, { rounds: 15, warmUp: 5 })
  return [
    figure({
      id: "P7",
      value: times.long * 10,
      unit: "us",
      bound: 1.5 * times.short * 10,
      anchor: "1.5x going on after 10 signals, where this is after 1,000: parse, load, first step"
    })
  ]
}
