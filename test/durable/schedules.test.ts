// Schedules: each tick once, by however many processes; what was missed; daylight saving time; what cannot be.
import { assert, describe, it } from "@effect/vitest"
import { Clock, Cron, DateTime, Effect, Exit, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { FlowSchedule } from "effigent/durable"
import { ExecutionHosts } from "effigent/layers/host"
import { JournalStores } from "effigent/layers/store"
import { ExecutionHost } from "effigent/services/ExecutionHost"
import { JournalStore } from "effigent/services/JournalStore"
import { Chain, TriggerFlow } from "effigent/triggerflow"
import type { Contract } from "../../src/triggerflow/Flow.ts"

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

const Report = TriggerFlow.define("report", { input: Schema.String, result: Schema.String })

/** What was started, and when; `takes` is how long one takes. */
class Book {
  readonly lines: Array<string> = []
  readonly flow
  constructor(takes = 0) {
    this.flow = Report.build(
      Report.start.pipe(Chain.sleep("work", takes), Chain.result),
      Report.start.pipe(
        Chain.to("note", (tick) =>
          Effect.map(Clock.currentTimeMillis, (now) => void this.lines.push(`${tick} at ${iso(now)}`))
        )
      )
    )
  }
}

const iso = (at: number) => new Date(at).toISOString().replace(":00.000Z", "")

const input = ({ at }: FlowSchedule.Tick) => iso(DateTime.toEpochMillis(at))

const memory = Effect.map(Effect.scoped(Layer.build(JournalStores.memory)), (context) =>
  Effect.runSync(Effect.provide(JournalStore, context))
)

type Report = typeof Report extends Contract<infer C> ? C : never

/** A process with the schedule, until `end`. */
const live = (
  book: Book,
  options: FlowSchedule.Options<Report>,
  store: JournalStore["Service"] | undefined,
  runner = "one"
) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const host =
      store === undefined
        ? ExecutionHosts.inProcess()
        : ExecutionHosts.durable({ drain: 0, lease: "5 hours", runner }).pipe(
            Layer.provide(Layer.succeed(JournalStore, store))
          )
    const all = FlowSchedule.layer("reports", Report, options).pipe(
      Layer.provideMerge(TriggerFlow.toLayer(book.flow)),
      Layer.provideMerge(host)
    )
    const context = yield* Layer.buildWithScope(all, scope)
    yield* TestClock.adjust(0)
    return {
      run: <A, E>(effect: Effect.Effect<A, E, ExecutionHost>) => Effect.provide(effect, context),
      end: Scope.close(scope, Exit.void)
    }
  })

const started = (at: string, now = at) => `1970-01-01T${at} at 1970-01-01T${now}`

describe("FlowSchedule", () => {
  it.effect("starts an execution at each tick, with its time as input, its id and its tags", () =>
    Effect.gen(function* () {
      const book = new Book()
      const store = yield* memory
      const { end, run } = yield* live(book, { every: "1 hour", input, tags: ["nightly"] }, store)
      yield* TestClock.adjust(3 * hour)
      assert.deepStrictEqual(book.lines, [started("01:00"), started("02:00"), started("03:00")])
      const { executions } = yield* run(
        ExecutionHost.use((host) => host.list({ tags: [FlowSchedule.tagOf("reports"), "nightly"] }))
      )
      assert.deepStrictEqual(
        executions.map(({ id }) => id),
        [1, 2, 3].map((n) => FlowSchedule.idOf("reports", n * hour))
      )
      assert.strictEqual(executions[0]?.id, "schedule:reports@1970-01-01T01:00:00.000Z")
      assert.deepStrictEqual((yield* run(ExecutionHost.use((host) => host.list({ tags: ["daily"] })))).executions, [])
      yield* end
      yield* TestClock.adjust(3 * hour)
      assert.strictEqual(book.lines.length, 3)
    })
  )

  it.effect("counts an interval from a date", () =>
    Effect.gen(function* () {
      const book = new Book()
      const from = new Date(20 * minute)
      const { end } = yield* live(book, { every: "45 minutes", from, input }, undefined)
      yield* TestClock.adjust(2 * hour)
      assert.deepStrictEqual(book.lines, [started("00:20"), started("01:05"), started("01:50")])
      yield* end
    })
  )

  it.effect("works over executions in this process", () =>
    Effect.gen(function* () {
      const book = new Book(90 * minute)
      const { end, run } = yield* live(book, { every: "1 hour", input, overlap: "skip" }, undefined)
      yield* TestClock.adjust(5 * hour)
      assert.deepStrictEqual(book.lines, [started("01:00"), started("03:00"), started("05:00")])
      const tags = [FlowSchedule.tagOf("reports")]
      const { executions } = yield* run(ExecutionHost.use((host) => host.list({ tags })))
      // Ended ones are kept for an hour.
      assert.deepStrictEqual(
        executions.map(({ id, status }) => [id, status]),
        [
          [FlowSchedule.idOf("reports", 3 * hour), "completed"],
          [FlowSchedule.idOf("reports", 5 * hour), "waiting"]
        ]
      )
      yield* end
    })
  )

  it.effect("two processes over one journal start each tick once", () =>
    Effect.gen(function* () {
      const book = new Book()
      const store = yield* memory
      const options = { every: "1 hour", input, missed: { all: 5 } } as const
      const one = yield* live(book, options, store, "one")
      const two = yield* live(book, options, store, "two")
      yield* TestClock.adjust(4 * hour)
      const expected = ["01:00", "02:00", "03:00", "04:00"].map((at) => started(at))
      assert.deepStrictEqual(book.lines, expected)
      yield* one.end
      yield* TestClock.adjust(hour)
      assert.deepStrictEqual(book.lines, [...expected, started("05:00")])
      yield* two.end
    })
  )

  for (const [missed, expected] of [
    ["skip", []],
    ["last", [started("09:00", "09:30")]],
    [{ all: 3 }, [started("07:00", "09:30"), started("08:00", "09:30"), started("09:00", "09:30")]],
    [{ all: 100 }, Array.from({ length: 7 }, (_, n) => started(`0${n + 3}:00`, "09:30"))]
  ] as const)
    it.effect(`ticks that were missed: ${JSON.stringify(missed)}`, () =>
      Effect.gen(function* () {
        const book = new Book()
        const store = yield* memory
        const options = { every: "1 hour", input, missed } as const
        const first = yield* live(book, options, store)
        yield* TestClock.adjust(2.5 * hour)
        yield* first.end
        yield* TestClock.adjust(7 * hour)
        book.lines.length = 0
        const second = yield* live(book, options, store)
        assert.deepStrictEqual(book.lines, expected)
        yield* second.end
        // Once more: nothing was missed now.
        const third = yield* live(book, options, store)
        assert.deepStrictEqual(book.lines, expected)
        yield* TestClock.adjust(30 * minute)
        assert.deepStrictEqual(book.lines, [...expected, started("10:00")])
        yield* third.end
      })
    )

  it.effect("a new schedule makes up for nothing, a tick within its grace is not missed", () =>
    Effect.gen(function* () {
      const store = yield* memory
      yield* TestClock.adjust(5 * hour)
      const book = new Book()
      const options = { every: "1 hour", input, missed: "skip", grace: "10 minutes" } as const
      const first = yield* live(book, options, store)
      assert.deepStrictEqual(book.lines, [])
      yield* TestClock.adjust(hour + 50 * minute)
      yield* first.end
      yield* TestClock.adjust(15 * minute)
      const second = yield* live(book, options, store)
      assert.deepStrictEqual(book.lines, [started("06:00"), started("07:00", "07:05")])
      yield* second.end
    })
  )

  it.effect("overlap: allow starts beside an open one, skip leaves the tick out, after a restart too", () =>
    Effect.gen(function* () {
      const beside = new Book(150 * minute)
      const first = yield* live(beside, { every: "1 hour", input }, yield* memory)
      yield* TestClock.adjust(3 * hour)
      assert.strictEqual(beside.lines.length, 3)
      yield* first.end

      const book = new Book(150 * minute)
      const store = yield* memory
      const options = { every: "1 hour", input, overlap: "skip", missed: { all: 9 } } as const
      const second = yield* live(book, options, store)
      yield* TestClock.adjust(3 * hour)
      const lines = [started("04:00")]
      assert.deepStrictEqual(book.lines, lines)
      yield* second.end
      // The ticks at 5 and 6 were left out, and are not made up for.
      const third = yield* live(book, options, store)
      yield* TestClock.adjust(45 * minute)
      assert.deepStrictEqual(book.lines, lines)
      yield* TestClock.adjust(15 * minute)
      assert.deepStrictEqual(book.lines, [...lines, started("07:00")])
      yield* third.end
    })
  )

  it.effect("goes on where an input cannot be made, is refused, or differs from that of another process", () =>
    Effect.gen(function* () {
      const book = new Book()
      const store = yield* memory
      const broken = (tick: FlowSchedule.Tick): string => {
        const text = input(tick)
        if (text.endsWith("01:00")) throw new Error("no input")
        // A flow that is data may give anything.
        return text.endsWith("02:00") ? (5 as never) : text
      }
      const one = yield* live(book, { every: "1 hour", input: broken }, store, "one")
      yield* TestClock.adjust(3 * hour)
      assert.deepStrictEqual(book.lines, [started("03:00")])
      const two = yield* live(book, { every: "1 hour", input: () => "other" }, store, "two")
      yield* TestClock.adjust(hour)
      assert.strictEqual(book.lines.length, 2)
      yield* one.end
      yield* two.end
    })
  )
})

describe("a cron expression", () => {
  const berlin = (text: string) => DateTime.toEpochMillis(DateTime.makeUnsafe(text))

  it.effect("ticks by the clocks of its zone: an hour earlier in UTC once they have gone forward", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(berlin("2026-03-27T12:00:00Z"))
      const book = new Book()
      const options = { cron: "30 2 * * *", timeZone: "Europe/Berlin", input } as const
      const { end } = yield* live(book, options, undefined)
      yield* TestClock.adjust(4 * day)
      assert.deepStrictEqual(
        book.lines.map((line) => line.slice(0, 16)),
        // 02:30 is left out on the 29th: it ticks at 03:30.
        ["2026-03-28T01:30", "2026-03-29T01:30", "2026-03-30T00:30", "2026-03-31T00:30"]
      )
      yield* end
    })
  )

  it.effect("ticks once where a time comes twice, or twice where its Cron says so", () =>
    Effect.gen(function* () {
      const ticks = Effect.fnUntraced(function* (times: FlowSchedule.Times) {
        yield* TestClock.setTime(berlin("2026-10-24T12:00:00Z"))
        const book = new Book()
        const { end } = yield* live(book, { ...times, input }, undefined)
        yield* TestClock.adjust(day)
        yield* end
        return book.lines.map((line) => line.slice(0, 16))
      })
      const cron = "30 2 * * *"
      assert.deepStrictEqual(yield* ticks({ cron, timeZone: "Europe/Berlin" }), ["2026-10-25T00:30"])
      const both = Cron.parseUnsafe(cron, "Europe/Berlin", { onDstOverlap: "both" })
      assert.deepStrictEqual(yield* ticks({ cron: both }), ["2026-10-25T00:30", "2026-10-25T01:30"])
    })
  )

  it.effect("that is none fails the Layer, and says what to do", () =>
    Effect.gen(function* () {
      const wrong = (times: FlowSchedule.Times, rest = {}, name = "bad") =>
        FlowSchedule.layer(name, Report, { ...times, ...rest, input }).pipe(
          Layer.provide(ExecutionHosts.inProcess()),
          Layer.build,
          Effect.scoped,
          Effect.flip,
          Effect.map((error) => {
            assert.instanceOf(error, FlowSchedule.FlowScheduleError)
            return error.message
          })
        )
      const cases: ReadonlyArray<readonly [ReturnType<typeof wrong>, string]> = [
        [
          wrong({ cron: "61 * * * *" }),
          'its expression "61 * * * *" cannot be read: Expected a value between 0 and 59 at "61"'
        ],
        [wrong({ cron: "often" }), 'its expression "often" cannot be read: Invalid number of segments'],
        [wrong({ cron: "0 9 * * *", timeZone: "Mars/Base" }), 'Invalid time zone in cron expression at "Mars/Base"'],
        [wrong({ cron: "0 0 30 2 *" }), "no date ever fits its expression"],
        [wrong({ every: 0 }), "it ticks every 0, which is no time above zero"],
        [wrong({ every: "1 hour", from: new Date(NaN) }), "it counts from a date that is none"],
        [wrong({ every: "1 hour" }, { missed: { all: 0 } }), "it makes up for 0 missed ticks"],
        [wrong({ every: "1 hour" }, {}, ""), "it has no name"]
      ]
      for (const [message, part] of cases) assert.include(yield* message, part)
    })
  )
})
