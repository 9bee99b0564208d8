/**
 * P6: what a step costs that is written down before anybody sees it, one after the other and in many executions at once,
 * beside what others take for it on the same PostgreSQL. A step is a chunk that gives 200 bytes.
 */
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as ClusterWorkflowEngine from "effect/cluster/ClusterWorkflowEngine"
import * as SingleRunner from "effect/cluster/SingleRunner"
import * as SqlClient from "effect/sql/SqlClient"
import * as Activity from "effect/workflow/Activity"
import * as Workflow from "effect/workflow/Workflow"
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ExecutionHosts } from "../../layers/host/index.ts"
import { SqliteClient } from "../../layers/sqlite/index.ts"
import { JournalStores } from "../../layers/sql-store/index.ts"
import { JournalStores as MemoryStores } from "../../layers/store/index.ts"
import { ExecutionHost } from "../../services/ExecutionHost.ts"
import { JournalStore } from "../../services/JournalStore.ts"
import * as Chain from "../../src/triggerflow/Chain.ts"
import * as TriggerFlow from "../../src/triggerflow/TriggerFlow.ts"
import { type Figure, figure, race } from "./measure.ts"
import * as Peers from "./peers.ts"
import * as Postgres from "./postgres.ts"

/** Steps of one execution that is alone, and of one of many. */
const [alone, crowded] = [100, 20]
/** How many are at work at once. */
const many = 200

const text = (step: number): string => `${step}`.padStart(200, ".")

/** A flow of so many steps, one after the other. */
const stepsOf = (count: number) => {
  const Steps = TriggerFlow.define(`steps-${count}`, { result: Schema.String })
  const first = Steps.start.pipe(Chain.to("step 1", () => Effect.succeed(text(1))))
  const last = Array.from({ length: count - 1 }).reduce<typeof first>(
    (chain, _, at) => chain.pipe(Chain.to(`step ${at + 2}`, () => Effect.succeed(text(at + 2)))),
    first
  )
  return Steps.build(last.pipe(Chain.result))
}

/** Runs an execution of so many steps to its end. */
interface Contender {
  readonly run: (steps: number) => Promise<string>
  readonly end: () => Promise<unknown>
}

let ids = 0
const fresh = () => `bench-${process.pid}-${Date.now()}-${ids++}`

/** Ours, over a store. `bare` writes to it as often as an execution that is alone has steps. */
const effigent = async <E, B>(
  store: Layer.Layer<JournalStore | B, E>,
  bare: Effect.Effect<unknown, unknown, JournalStore | B>
): Promise<Contender & { readonly bare: () => Promise<unknown> }> => {
  const runtime = ManagedRuntime.make(
    Layer.mergeAll(TriggerFlow.toLayer(stepsOf(alone)), TriggerFlow.toLayer(stepsOf(crowded))).pipe(
      Layer.provideMerge(ExecutionHosts.durable()),
      Layer.provideMerge(store)
    )
  )
  const once = (steps: number) =>
    ExecutionHost.use((host) =>
      Effect.flatMap(host.start({ flow: `steps-${steps}`, input: null, id: fresh() }), host.await)
    )
  await runtime.context()
  return {
    run: async (steps) => String((await runtime.runPromise(once(steps))).result),
    bare: () => runtime.runPromise(bare),
    end: () => runtime.dispose()
  }
}

/** An append as steps make them, to a journal of its own. */
const bareAppends = (count: number) =>
  JournalStore.use((store) =>
    Effect.gen(function* () {
      const id = fresh()
      const owner = { runner: "bare", incarnation: id }
      const made = { id, flow: "bare", status: "running", lifecycle: "open", input: "null", tags: [], owner } as const
      yield* store.join(owner, 60_000)
      const { head } = yield* store.create({ ...made, records: [] })
      for (let at = 0; at < count; at++) {
        const records = [{ _tag: "Done", run: at, output: text(at) }]
        yield* store.append({ id, fence: head.fence, expected: head.seq + at, records, progressed: true })
      }
      yield* store.remove(id)
    })
  )

/** Rows of the same size, each committed by itself. */
const bareInserts = (count: number) =>
  SqlClient.SqlClient.use((sql) =>
    Effect.gen(function* () {
      yield* sql`CREATE TABLE IF NOT EXISTS bare (id text NOT NULL PRIMARY KEY, output text NOT NULL)`
      for (let at = 0; at < count; at++) yield* sql`INSERT INTO bare (id, output) VALUES (${fresh()}, ${text(at)})`
    })
  )

const clientOf = (url: string) => PgClient.layer({ url: Redacted.make(url), maxConnections: 10 })

/** DBOS: its workflows and steps, on the same server. */
const dbos = async (url: string): Promise<Contender> => {
  const { DBOS } = await Peers.dbos()
  const workflow = DBOS.registerWorkflow(
    async (steps: number) => {
      let last = ""
      for (let step = 1; step <= steps; step++)
        last = await DBOS.runStep(() => Promise.resolve(text(step)), { name: `step ${step}` })
      return last
    },
    { name: "steps" }
  )
  DBOS.setConfig({ name: "bench", systemDatabaseUrl: url, runAdminServer: false, logLevel: "error" })
  await DBOS.launch()
  return {
    run: async (steps) => (await DBOS.startWorkflow(workflow, { workflowID: fresh() })(steps)).getResult(),
    end: () => DBOS.shutdown()
  }
}

/** The workflows of effect on its cluster: one runner, its storage on the same server. */
const effectWorkflow = async (url: string): Promise<Contender> => {
  const Steps = Workflow.make("Steps", {
    payload: { id: Schema.String, steps: Schema.Int },
    success: Schema.String,
    idempotencyKey: ({ id }) => id
  })
  const live = Steps.toLayer(
    Effect.fnUntraced(function* ({ steps }) {
      let last = ""
      for (let step = 1; step <= steps; step++)
        last = yield* Activity.make({
          name: `step ${step}`,
          success: Schema.String,
          execute: Effect.sync(() => text(step))
        })
      return last
    })
  )
  const runtime = ManagedRuntime.make(
    live.pipe(
      Layer.provideMerge(ClusterWorkflowEngine.layer),
      Layer.provideMerge(SingleRunner.layer()),
      Layer.provide(clientOf(url)),
      Layer.provide(NodeCrypto.layerDigest)
    )
  )
  await runtime.context()
  return {
    run: (steps) => runtime.runPromise(Steps.execute({ id: fresh(), steps })),
    end: () => runtime.dispose()
  }
}

/** One execution by itself, in the time of one step. */
const single =
  ({ run }: Contender, steps = alone) =>
  async () =>
    assert.equal(await run(steps), text(steps))

/** Many at once. */
const crowd =
  ({ run }: Contender) =>
  async () => {
    const results = await Promise.all(Array.from({ length: many }, () => run(crowded)))
    assert.ok(results.every((result) => result === text(crowded)))
  }

/** A contender several times, one after the other. */
const repeated = (times: number, run: () => Promise<unknown>) => async () => {
  for (let time = 0; time < times; time++) await run()
}

const perStep = 1_000 / alone
const perCrowdedStep = 1_000 / (many * crowded)
const rounds = { rounds: 7, warmUp: 3 }
const few = { rounds: 5, warmUp: 1 }
const crowdedText = `1x a bare insert, committed; per step, ${many} executions at once`

/** In memory. */
export const inMemory = async (): Promise<ReadonlyArray<Figure>> => {
  const own = await effigent(MemoryStores.memory, bareAppends(alone))
  const times = await race(
    { own: repeated(20, single(own)), bare: repeated(300, own.bare) },
    { rounds: 15, warmUp: 10 }
  )
  await own.end()
  return [
    figure({
      id: "P6.memory",
      value: (times.own * perStep) / 20,
      unit: "us",
      bound: (25 * times.bare * perStep) / 300,
      anchor: "25x a bare append to the store in memory"
    })
  ]
}

/** On SQLite. */
export const onSqlite = async (): Promise<ReadonlyArray<Figure>> => {
  const folder = mkdtempSync(join(tmpdir(), "effigent-bench-"))
  const client = SqliteClient.layer({ filename: join(folder, "journal.db") })
  const own = await effigent(JournalStores.layer().pipe(Layer.provideMerge(client)), bareInserts(alone))
  const one = await race({ own: single(own), bare: own.bare }, rounds)
  const all = await race({ own: crowd(own) }, few)
  await own.end()
  rmSync(folder, { recursive: true, force: true })
  return [
    figure({
      id: "P6.sqlite",
      value: one.own * perStep,
      unit: "us",
      bound: 2.5 * one.bare * perStep,
      anchor: "2.5x a bare insert, committed"
    }),
    figure({
      id: "P6.sqlite.many",
      value: all.own * perCrowdedStep,
      unit: "us",
      bound: one.bare * perStep,
      anchor: crowdedText
    })
  ]
}

/** On PostgreSQL, and others on the same server. */
export const onPostgres = async (): Promise<ReadonlyArray<Figure>> => {
  const folder = mkdtempSync(join(tmpdir(), "effigent-bench-"))
  const { end: stop, url } = await Postgres.begin(folder)
  const own = await effigent(JournalStores.layer().pipe(Layer.provideMerge(clientOf(url))), bareInserts(alone))
  const peers = { dbos: await dbos(url), effect: await effectWorkflow(url) }
  const one = await race(
    { own: single(own), bare: own.bare, dbos: single(peers.dbos), effect: single(peers.effect) },
    rounds
  )
  const all = await race({ own: crowd(own), dbos: crowd(peers.dbos), effect: crowd(peers.effect) }, few)
  for (const { end } of [own, peers.dbos, peers.effect]) await end()
  stop()
  rmSync(folder, { recursive: true, force: true })
  const named = (times: { readonly dbos: number; readonly effect: number }, unit: number) => ({
    DBOS: times.dbos * unit,
    "effect workflow on effect cluster": times.effect * unit
  })
  return [
    figure({
      id: "P6.postgres",
      value: one.own * perStep,
      unit: "us",
      bound: 4 * one.bare * perStep,
      anchor: "4x a bare insert, committed",
      peers: named(one, perStep)
    }),
    figure({
      id: "P6.postgres.many",
      value: all.own * perCrowdedStep,
      unit: "us",
      bound: one.bare * perStep,
      anchor: crowdedText,
      peers: named(all, perCrowdedStep)
    })
  ]
}
