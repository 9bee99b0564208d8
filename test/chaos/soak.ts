// Executions for a long while at most of the rate that the machine can do: none may be lost or wrong, and the memory of
// the process that keeps them must not grow. A PostgreSQL is ended in the middle and begun again every few seconds.
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Logger, ManagedRuntime, Redacted, References, Schedule, Schema } from "effect"
import { ExecutionHosts } from "effigent/layers/host"
import { JournalStores } from "effigent/layers/sql-store"
import { SqliteClient } from "effigent/layers/sqlite"
import { ExecutionHost } from "effigent/services/ExecutionHost"
import { Chain, Interrupt, Signal, TriggerFlow } from "effigent/triggerflow"
import { setTimeout as pause } from "node:timers/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

/** What is to be done. */
export interface Plan {
  /** A file of SQLite, or the URL of a PostgreSQL. */
  readonly store: string
  /** For how long, after the rate was measured. */
  readonly seconds: number
  /** For how long the rate is measured. */
  readonly measuring: number
  /** Ends the database and begins it again; gives when it is there. */
  readonly restart?: (() => Promise<void>) | undefined
  readonly say: (text: string) => void
}

/** What has come of it. */
export interface Outcome {
  readonly seconds: number
  /** Executions in a second that this machine did at the start, with as many at once as it took. */
  readonly measuredRate: number
  /** Those that came to their end in a second, and what share that is of the measured rate, while the database was there. */
  readonly rate: number
  readonly share: number
  readonly executions: number
  readonly wrong: number
  readonly failed: number
  readonly stuck: number
  readonly restarts: number
  readonly downSeconds: number
  /** By which the memory in use after a collection grows, after the first third and apart from what a backlog takes. */
  readonly heapMiBPerMinute: number
  readonly heapMiB: number
  /** The longest that one took. */
  readonly slowestMs: number
  readonly problems: ReadonlyArray<string>
}

const Note = Signal.make("Note", Schema.Int)
const Ask = Interrupt.make("Ask", { payload: Schema.Int, resume: Schema.Int })
const Soak = TriggerFlow.define("soak", {
  input: Schema.Int,
  state: Schema.Struct({ notes: Schema.Array(Schema.Int), packed: Schema.Int }),
  initial: { notes: [], packed: 0 },
  stream: Schema.String,
  result: Schema.Int,
  signals: [Note],
  interrupts: [Ask]
})
const Inner = TriggerFlow.define("soak-inner", { input: Schema.Int, result: Schema.Int })
const inner = Inner.build(
  Inner.start.pipe(
    Chain.to("double", (n) => Effect.succeed(n * 2)),
    Chain.result
  )
)

/** A bit of everything: steps, items, a stream, a question, a signal, a sub-flow. */
const flow = Soak.build(
  Soak.start.pipe(
    Chain.to("say", (n, run) => Effect.as(run.put(`${n}`.padStart(200, ".")), n)),
    Chain.to("items", (n) => Effect.succeed([n, n + 1, n + 2])),
    Chain.forEach(
      (item) =>
        item.pipe(
          Chain.to("pack", (n, run) =>
            Effect.as(
              run.state.update("packed", (sum) => sum + n),
              n
            )
          )
        ),
      { concurrency: 3 }
    ),
    Chain.to("sum", (items) => Effect.succeed(items.reduce((sum, item) => sum + item, 0))),
    Chain.to("ask", (sum, run) => run.pause(Ask, sum)),
    Chain.subFlow(inner),
    Chain.result
  ),
  Soak.on(Note).pipe(Chain.to("note", (n, run) => run.state.append("notes", n)))
)

/** What the driver answers is the question; twice of that is the result. */
const expected = (n: number) => ({ result: 2 * (n + 1), state: { notes: [n], packed: 3 * n + 3 } })

const isPassing = (error: unknown): boolean => {
  const text = JSON.stringify(error) ?? ""
  return text.includes(`"retryable":true`) || /"Left"|goes on elsewhere/.test(text)
}

const patiently = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.retry(effect, { while: isPassing, schedule: Schedule.spaced("50 millis") })

/** One execution from its beginning to its end; says what is wrong with it. */
const life = (id: string, n: number) =>
  Effect.gen(function* () {
    const host = yield* ExecutionHost
    yield* patiently(host.start({ flow: "soak", input: n, id, settings: { autoClose: 0 } }))
    yield* patiently(host.signal(id, "Note", n, { wait: true, requestId: `${id}:note` }))
    yield* patiently(host.answer(id, "Ask#1", n + 1, { interrupt: "Ask", requestId: `${id}:answer` }))
    const { result, state, status } = yield* patiently(host.await(id))
    const found = JSON.stringify({ result, state })
    const wanted = expected(n)
    const isRight =
      status === "completed" &&
      result === wanted.result &&
      state["packed"] === wanted.state.packed &&
      JSON.stringify(state["notes"]) === JSON.stringify(wanted.state.notes)
    return isRight ? undefined : `${id}: ${status} ${found}`
  })

setFlagsFromString("--expose-gc")
// The global of V8 with that flag.
const collect = runInNewContext("gc") as () => void

const mebibytes = (): number => {
  collect()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return (heapUsed + arrayBuffers) / 2 ** 20
}

/** Slope of a line through points, by least squares. */
const slope = (points: ReadonlyArray<readonly [number, number]>): number => {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length
  const across = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  return across === 0 ? 0 : points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / across
}

/** How many are at work at once while the rate is measured, and at most. */
const [crowd, most] = [100, 2_000]

/** Runs it; nothing is left behind. */
export const run = async (plan: Plan): Promise<Outcome> => {
  const { say } = plan
  const client = plan.store.startsWith("postgres")
    ? PgClient.layer({ url: Redacted.make(plan.store), maxConnections: 10 })
    : SqliteClient.layer({ filename: plan.store })
  const runtime = ManagedRuntime.make(
    TriggerFlow.toLayer(flow).pipe(
      Layer.provideMerge(ExecutionHosts.durable({ runner: "soak", keepClosed: "5 seconds", maxTries: 1_000 })),
      Layer.provide(JournalStores.layer()),
      Layer.provide(client),
      // Each restart is told: that is what happens here.
      Layer.provide(Layer.succeed(References.MinimumLogLevel, "Fatal")),
      Layer.provide(Logger.layer([]))
    )
  )
  const context = await runtime.context()
  const problems: Array<string> = []
  let [wrong, failed, done, begun, working, slowest] = [0, 0, 0, 0, 0, 0]
  const note = (problem: string) => {
    if (problems.length < 10) problems.push(problem)
  }
  const begin = (): Promise<void> => {
    const n = begun++
    const since = Date.now()
    working++
    return new Promise((resolve) => {
      Effect.runForkWith(context)(life(`soak-${process.pid}-${n}`, n)).addObserver((exit) => {
        working--
        done++
        slowest = Math.max(slowest, Date.now() - since)
        if (exit._tag === "Failure") {
          failed++
          note(`execution ${n}: ${String(exit.cause)}`)
        } else if (exit.value !== undefined) {
          wrong++
          note(exit.value)
        }
        resolve()
      })
    })
  }

  // As many as it can, one after the other in each lane; the first third warms up.
  let counted = { at: Date.now(), done: 0 }
  const until = Date.now() + plan.measuring * 1_000
  const warm = pause((plan.measuring * 1_000) / 3).then(() => (counted = { at: Date.now(), done }))
  const lane = async () => {
    while (Date.now() < until) await begin()
  }
  await Promise.all([warm, ...Array.from({ length: crowd }, lane)])
  const measuredRate = ((done - counted.done) * 1_000) / (Date.now() - counted.at)
  say(`${measuredRate.toFixed(0)} executions in a second at most`)

  const start = { at: Date.now(), done }
  const end = start.at + plan.seconds * 1_000
  let [restarts, down] = [0, 0]
  const trouble = async () => {
    while (plan.restart !== undefined) {
      const next = 5_000 + Math.random() * 5_000
      if (Date.now() + next > end) return
      await pause(next)
      const since = Date.now()
      await plan.restart()
      restarts++
      down += Date.now() - since
    }
  }
  const heaps: Array<readonly [minute: number, mebibytes: number, atWork: number]> = []
  const watch = async () => {
    // The least of each 5 seconds: what is at work at the moment does not count.
    while (Date.now() < end) {
      let [least, atWork] = [Infinity, 0]
      for (let second = 0; second < 5 && Date.now() < end; second++) {
        await pause(1_000)
        const used = mebibytes()
        if (used > least) continue
        least = used
        atWork = working
      }
      const minute = (Date.now() - start.at) / 60_000
      heaps.push([minute, least, atWork])
      say(`${(minute * 60).toFixed(0)} s: ${done - start.done} done, ${working} at work, ${least.toFixed(1)} MiB`)
    }
  }
  const drive = async () => {
    // A bit more than four fifths, as what waits for the database comes to its end later.
    const rate = measuredRate * 0.85
    let sent = 0
    while (Date.now() < end) {
      const due = ((Date.now() - start.at - down) * rate) / 1_000
      for (; sent < due && working < most; sent++) void begin()
      await pause(10)
    }
  }
  await Promise.all([trouble(), watch(), drive()])
  const seconds = (Date.now() - start.at) / 1_000
  const rate = (done - start.done) / (seconds - down / 1_000)
  for (let waited = 0; working > 0 && waited < 60_000; waited += 50) await pause(50)
  const stuck = working
  await runtime.dispose()
  // Where the machine or the database was slow executions pile up, and take memory until they have ended: what is asked
  // here is what stays behind, so the half of the times counts in which the fewest were at work.
  const later = heaps.filter(([minute]) => minute >= (heaps.at(-1)?.[0] ?? 0) / 3)
  const usual = later.map(([, , atWork]) => atWork).toSorted((a, b) => a - b)[later.length >> 1] ?? 0
  return {
    seconds,
    measuredRate,
    rate,
    share: rate / measuredRate,
    executions: done,
    wrong,
    failed,
    stuck,
    restarts,
    downSeconds: down / 1_000,
    heapMiBPerMinute: slope(
      later.flatMap(([minute, used, atWork]) => (atWork <= usual ? [[minute, used] as const] : []))
    ),
    heapMiB: heaps.at(-1)?.[1] ?? 0,
    slowestMs: slowest,
    problems
  }
}

/** Whether all came to their right end. */
export const isWhole = ({ failed, stuck, wrong }: Outcome): boolean => wrong === 0 && failed === 0 && stuck === 0
