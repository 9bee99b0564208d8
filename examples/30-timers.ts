// Time that outlives processes: a trial that waits for days, a question that nobody answers in time, and a report every
// morning. One process takes the orders and ends; the next one begins days later, and goes on with what is due.
//
// The clock is moved by hand, so that the days take no time; everything else is as in a program that runs for months.
//
//   npm run example examples/30-timers.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, DateTime, Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { FlowSchedule } from "effigent/durable"
import { ExecutionHosts } from "effigent/layers/host"
import { JournalStores } from "effigent/layers/store"
import { ExecutionHost } from "effigent/services/ExecutionHost"
import { Chain, Interrupt, TriggerFlow } from "effigent/triggerflow"

const log = (text: string) =>
  Effect.flatMap(DateTime.now, (now) => Console.log(`${DateTime.formatIso(now).slice(5, 16)}  ${text}`))

const Keep = Interrupt.make("Keep", { payload: Schema.String, resume: Schema.Boolean })
const Trial = TriggerFlow.define("trial", {
  input: Schema.Struct({ who: Schema.String, ends: Schema.DateTimeUtcFromString }),
  result: Schema.String,
  interrupts: [Keep]
})

const trial = Trial.build(
  Trial.start.pipe(
    Chain.side((c) => c.pipe(Chain.to("welcome", ({ who }) => log(`welcome, ${who}`)))),
    // A date by the value; nothing is at work until then.
    Chain.sleep("the trial", ({ ends }) => DateTime.subtract(ends, { days: 3 })),
    Chain.to("ask", ({ who }, run) =>
      Effect.andThen(log(`${who}, shall we go on?`), run.pause(Keep, who, { expires: "3 days", otherwise: false }))
    ),
    Chain.to("end", (keeps) => Effect.succeed(keeps ? "a customer" : "gone")),
    Chain.result
  )
)

const Report = TriggerFlow.define("report", { input: Schema.String })
const report = Report.build(
  Report.start.pipe(
    Chain.to("count", (day) =>
      Effect.gen(function* () {
        const host = yield* ExecutionHost
        const { executions } = yield* host.list({ flow: "trial", status: "waiting" })
        yield* log(`report of ${day}: ${executions.length} trials`)
      })
    )
  )
)

// One life of the process. Several at once would do no harm: each morning is reported once.
const process = TriggerFlow.toLayer(report).pipe(
  Layer.merge(TriggerFlow.toLayer(trial)),
  Layer.merge(
    FlowSchedule.layer("mornings", Report, {
      cron: "0 8 * * *",
      timeZone: "Europe/Berlin",
      missed: "last",
      input: ({ at }) => DateTime.formatIso(at).slice(0, 10)
    })
  ),
  Layer.provideMerge(ExecutionHosts.durable({ lease: "1 hour" }))
)

const program = Effect.gen(function* () {
  yield* TestClock.setTime(Date.UTC(2026, 2, 26, 12))

  yield* Effect.gen(function* () {
    const ends = DateTime.add(yield* DateTime.now, { days: 14 })
    yield* TriggerFlow.start(Trial, { who: "Ada", ends }, { id: "trial/ada" })
    yield* TriggerFlow.start(Trial, { who: "Bob", ends }, { id: "trial/bob" })
    yield* TestClock.adjust("4 days")
  }).pipe(Effect.provide(process))

  yield* log("the process has ended; nobody is there for 8 days")
  yield* TestClock.adjust("8 days")

  yield* Effect.gen(function* () {
    yield* TestClock.adjust("1 minute")
    const ada = yield* TriggerFlow.attach(Trial, "trial/ada")
    for (const { id } of yield* ada.interrupts) yield* ada.answer(Keep, true, { id })
    yield* log(`Ada is ${yield* ada.result}`)
    yield* TestClock.adjust("3 days")
    const bob = yield* TriggerFlow.attach(Trial, "trial/bob")
    yield* log(`Bob is ${yield* bob.result}`)
  }).pipe(Effect.provide(process))
})

NodeRuntime.runMain(program.pipe(Effect.provide([JournalStores.memory, TestClock.layer()])))
