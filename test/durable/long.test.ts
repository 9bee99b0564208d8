/** Executions that go on for very long: what a step costs, what is carried along and what is kept does not grow. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Option, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { ExecutionHosts } from "effigent/layers/host"
import { JournalStores as SqlStores } from "effigent/layers/sql-store"
import { SqliteClient } from "effigent/layers/sqlite"
import { JournalStores } from "effigent/layers/store"
import { ExecutionHost } from "effigent/services/ExecutionHost"
import { JournalStore } from "effigent/services/JournalStore"
import { Chain, Interrupt, Signal, TriggerFlow } from "effigent/triggerflow"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")
// The global of V8 with that flag.
const collect = runInNewContext("gc") as () => void

const Tick = Signal.make("Tick", Schema.Int)
const Ask = Interrupt.make("Ask", { payload: Schema.Int, resume: Schema.Int })
const Long = TriggerFlow.define("long", {
  input: Schema.Int,
  state: Schema.Struct({ steps: Schema.Int }),
  initial: { steps: 0 },
  stream: Schema.String,
  signals: [Tick],
  interrupts: [Ask]
})

const text = (step: number) => `${step}`.padStart(200, ".")

/** Puts 200 bytes and counts in each of its rounds, then waits for a question; `seen` is told of each. */
const flowOf = (seen: (step: number) => void) =>
  Long.build(
    Long.start.pipe(
      Chain.to("begin", (rounds) => Effect.succeed({ step: 0, rounds })),
      Chain.loop(
        (round) =>
          round.pipe(
            Chain.to("step", ({ rounds, step }, run) =>
              Effect.as(
                Effect.andThen(
                  run.put(text(step)),
                  Effect.sync(() => seen(step))
                ),
                { step: step + 1, rounds }
              )
            )
          ),
        { while: ({ rounds, step }) => step < rounds, max: 1_000_000 }
      ),
      Chain.to("ask", ({ step }, run) => run.pause(Ask, step))
    ),
    Long.on(Tick).pipe(Chain.to("tick", (_, run) => run.state.update("steps", (steps) => steps + 1)))
  )

const settled = (id: string) =>
  ExecutionHost.use((host) =>
    Effect.repeat(Effect.andThen(Effect.sleep(5), host.get(id)), { until: ({ status }) => status === "waiting" })
  )

const middle = (times: ReadonlyArray<number>): number => times.toSorted((a, b) => a - b)[times.length >> 1] ?? NaN

describe("A long execution", () => {
  it.live(
    "of 100,000 steps costs as much for each at its end as at its beginning, and leaves nothing behind",
    () =>
      Effect.gen(function* () {
        const marks: Array<{ readonly at: number; readonly heap: number }> = []
        const flow = flowOf((step) => {
          if (step % 5_000 !== 0) return
          collect()
          marks.push({ at: performance.now(), heap: process.memoryUsage().heapUsed })
        })
        yield* Effect.gen(function* () {
          const host = yield* ExecutionHost
          yield* host.start({ flow: "long", input: 100_001, id: "long", settings: { autoClose: false } })
          yield* settled("long")
          assert.strictEqual(marks.length, 21)
          const times = marks.slice(1).map(({ at }, n) => at - (marks[n]?.at ?? 0))
          // Twice and half for other programs on the machine; what grows with history is ten times as much by then.
          assert.isBelow(middle(times.slice(-6)), 2.5 * middle(times.slice(2, 8)))
          const grown = (marks[20]?.heap ?? Infinity) - (marks[4]?.heap ?? 0)
          assert.isBelow(grown, 2_000_000, "80,000 steps further there is no more in memory")
          const journals = yield* JournalStore
          const kept = yield* journals.history("long", { limit: 1_000_000 })
          assert.isBelow(kept.length, 3_500)
          const found = Option.getOrThrow(yield* journals.read("long"))
          assert.isAbove(found.head.seq, 100_000)
          assert.isBelow(found.entries.length, 1_100)
          assert.isBelow(JSON.stringify(found.snapshot?.json).length, 300_000)
        }).pipe(
          Effect.provide(
            TriggerFlow.toLayer(flow).pipe(
              Layer.provideMerge(ExecutionHosts.durable()),
              Layer.provideMerge(JournalStores.memory)
            )
          )
        )
      }),
    60_000
  )

  it.live(
    "keeps as many rows and bytes in its tables as one a quarter as long, and goes on as fast",
    () =>
      Effect.gen(function* () {
        const measured = Effect.fnUntraced(function* (rounds: number) {
          const file = SqliteClient.layer({ filename: ":memory:", thread: "main" })
          return yield* Effect.gen(function* () {
            const sql = yield* SqlClient
            const runner = TriggerFlow.toLayer(flowOf(() => undefined))
            const life = <A, E>(use: Effect.Effect<A, E, ExecutionHost>) =>
              Effect.provide(use, Layer.provideMerge(runner, ExecutionHosts.durable()))
            yield* life(
              Effect.gen(function* () {
                const host = yield* ExecutionHost
                yield* host.start({ flow: "long", input: rounds, id: "long", settings: { autoClose: false } })
                yield* settled("long")
              })
            )
            const [rows] = yield* sql<{ entries: number; snapshots: number; bytes: number }>`SELECT
              (SELECT count(*) FROM effigent_journal) AS entries, (SELECT count(*) FROM effigent_snapshots) AS snapshots,
              (SELECT sum(length(records)) FROM effigent_journal) + (SELECT sum(length(json)) FROM effigent_snapshots)
                AS bytes`
            const before = yield* Clock.currentTimeMillis
            const steps = yield* life(
              Effect.gen(function* () {
                const host = yield* ExecutionHost
                yield* host.signal("long", "Tick", 1, { wait: true })
                return (yield* host.get("long")).state["steps"]
              })
            )
            assert.strictEqual(steps, 1)
            return { ...rows, millis: (yield* Clock.currentTimeMillis) - before }
          }).pipe(Effect.provide(SqlStores.layer()), Effect.provide(file))
        })
        const short = yield* measured(3_000)
        const long = yield* measured(12_000)
        assert.strictEqual(long.snapshots, 3)
        assert.isBelow(long.entries ?? Infinity, 4_000)
        assert.isBelow(long.bytes ?? Infinity, 1.5 * (short.bytes ?? 0))
        assert.isBelow(long.millis, 3 * short.millis + 100)
      }),
    60_000
  )

  it.live(
    "remembers how the last 1,000 questions were answered, and takes no late answer for an early one",
    () =>
      Effect.gen(function* () {
        const Asking = TriggerFlow.define("asking", { interrupts: [Ask] })
        const flow = Asking.build(
          Asking.start.pipe(
            Chain.to("begin", () => Effect.succeed(0)),
            Chain.loop((round) => round.pipe(Chain.to("ask", (n, run) => run.pause(Ask, n))), {
              while: (n) => n < 1_500,
              max: 1_000_000
            })
          )
        )
        yield* Effect.gen(function* () {
          const host = yield* ExecutionHost
          yield* host.start({ flow: "asking", input: null, id: "asking", settings: { autoClose: false } })
          const answer = (n: number) =>
            host.answer("asking", `Ask#${n}`, n, { requestId: `answer ${n}`, interrupt: "Ask" })
          for (let n = 1; n <= 1_400; n++) yield* answer(n)
          // Sent again.
          yield* answer(1_399)
          const forgotten = yield* Effect.flip(answer(1))
          assert.include(JSON.stringify(forgotten), "notWaiting")
          // One that is early is taken all the same.
          yield* answer(1_402)
          yield* answer(1_401)
          const [question] = (yield* host.get("asking")).questions
          assert.strictEqual(question?.id, "Ask#1403")
          const journals = yield* JournalStore
          const found = Option.getOrThrow(yield* journals.read("asking"))
          const image = Schema.decodeUnknownSync(
            Schema.Struct({
              execution: Schema.Struct({
                answered: Schema.Array(Schema.Unknown),
                early: Schema.Array(Schema.Unknown)
              })
            })
          )(found.snapshot?.json)
          assert.isAtMost(image.execution.answered.length, 1_000)
          assert.strictEqual(image.execution.early.length, 0)
        }).pipe(
          Effect.provide(
            TriggerFlow.toLayer(flow).pipe(
              Layer.provideMerge(ExecutionHosts.durable()),
              Layer.provideMerge(JournalStores.memory)
            )
          )
        )
      }),
    60_000
  )
})
