// Steps that sleep: what wakes them, what stops them, and what they do not hold meanwhile.
import { assert, describe, it } from "@effect/vitest"
import { Clock, DateTime, Duration, Effect, Exit, Fiber, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Blueprint, Chain, Interrupt, Mermaid, Shape, Signal, TriggerFlow } from "effigent/triggerflow"
import { check } from "../../src/triggerflow/definition/Check.ts"
import { beside, during, errorOf, Meter, reasonOf, settle } from "./support.ts"

const Go = Signal.make("Go", Schema.Number, { reply: Schema.Number })
const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.String })
const F = TriggerFlow.define("sleepy", {
  input: Schema.Number,
  state: Schema.Struct({ log: Schema.Array(Schema.String) }),
  initial: { log: [] },
  result: Schema.Unknown,
  error: Schema.Literal("odd"),
  signals: [Go],
  interrupts: [Ask]
})

/** The time since the test began. */
const now = () => Effect.map(Clock.currentTimeMillis, (at) => at)

const hour = 3_600_000
const day = 24 * hour

describe("Chain.sleep", () => {
  it.effect("waits for a duration and goes on with the value of the chain", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.sleep("a while", "2 hours"),
          Chain.to("then", (n) => Effect.map(now(), (at) => [n, at])),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* during(2 * hour, TriggerFlow.runResult(flow, 7)), [7, 2 * hour])
    })
  )

  it.effect("sleeps until a Date, a DateTime, or what a function of the value says", () =>
    Effect.gen(function* () {
      const times = {
        date: new Date(hour),
        dateTime: DateTime.makeUnsafe(2 * hour),
        zoned: DateTime.makeZonedUnsafe(3 * hour, { timeZone: "Europe/Berlin" }),
        text: () => "4 hours" as const,
        value: (n: number) => Duration.hours(n),
        point: (n: number) => new Date((n + 1) * hour)
      }
      const flow = F.build(
        F.start.pipe(
          Chain.batch({
            date: (c) => c.pipe(Chain.sleep("date", times.date), Chain.to("date at", now)),
            dateTime: (c) => c.pipe(Chain.sleep("dateTime", times.dateTime), Chain.to("dateTime at", now)),
            zoned: (c) => c.pipe(Chain.sleep("zoned", times.zoned), Chain.to("zoned at", now)),
            text: (c) => c.pipe(Chain.sleep("text", times.text), Chain.to("text at", now)),
            value: (c) => c.pipe(Chain.sleep("value", times.value), Chain.to("value at", now)),
            point: (c) => c.pipe(Chain.sleep("point", times.point), Chain.to("point at", now))
          }),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* during(day, TriggerFlow.runResult(flow, 5)), {
        date: hour,
        dateTime: 2 * hour,
        zoned: 3 * hour,
        text: 4 * hour,
        value: 5 * hour,
        point: 6 * hour
      })
    })
  )

  it.effect("does not wait for a time that has passed", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 day")
      const flow = F.build(
        F.start.pipe(
          Chain.sleep("past", new Date(5)),
          Chain.sleep("nothing", 0),
          Chain.sleep("less", () => -1),
          Chain.to("at", now),
          Chain.result
        )
      )
      assert.strictEqual(yield* TriggerFlow.runResult(flow, 1), day)
    })
  )

  it.effect("is no question: it is not listed, `rest` gives none, and the status is waiting", () =>
    Effect.gen(function* () {
      const flow = F.build(F.start.pipe(Chain.to("before", Effect.succeed), Chain.sleep("nap", "1 hour"), Chain.result))
      const execution = yield* TriggerFlow.create(flow, 1, { autoClose: 0 })
      yield* execution.start
      assert.deepStrictEqual(yield* execution.rest, [])
      assert.deepStrictEqual(yield* execution.interrupts, [])
      assert.strictEqual(yield* execution.status, "waiting")
      assert.deepStrictEqual(
        [...(yield* execution.steps)],
        [
          ["before", "done"],
          ["nap", "waiting"]
        ]
      )
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual((yield* execution.await).result, Option.some(1))
      assert.strictEqual((yield* execution.steps).get("nap"), "done")
    }).pipe(Effect.scoped)
  )

  it.effect("holds no permit: others work meanwhile, however few may at once", () =>
    Effect.gen(function* () {
      const meter = new Meter()
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed([1, 2, 3, 4])),
          Chain.forEach((c) =>
            c.pipe(
              Chain.sleep("nap", (n: number) => n * 1000),
              Chain.to("work", (n) => meter.during(Effect.as(Effect.sleep(10), n * 10)))
            )
          ),
          Chain.result
        )
      )
      const fiber = yield* beside(TriggerFlow.runResult(flow, 0, { concurrency: 1 }))
      yield* TestClock.adjust(4010)
      assert.deepStrictEqual(yield* Fiber.join(fiber), [10, 20, 30, 40])
      assert.strictEqual(meter.max, 1)
    })
  )

  it.effect("takes part in match, loop, side and sub-flow like any step", () =>
    Effect.gen(function* () {
      const seen: Array<readonly [string, number]> = []
      const see = (name: string) => (n: number) =>
        Effect.map(now(), (at) => {
          seen.push([name, at])
          return n + 1
        })
      const Sub = TriggerFlow.define("inner", { input: Schema.Number, result: Schema.Number })
      const sub = Sub.build(Sub.start.pipe(Chain.sleep("inside", "1 hour"), Chain.to("in", see("sub")), Chain.result))
      const flow = F.build(
        F.start.pipe(
          Chain.side((c) => c.pipe(Chain.sleep("beside", "30 minutes"), Chain.to("side", see("side")))),
          Chain.if((n) => n > 0, {
            then: (c) => c.pipe(Chain.sleep("if so", "1 hour"), Chain.to("then", see("then")))
          }),
          Chain.loop((c) => c.pipe(Chain.sleep("round", "1 hour"), Chain.to("turn", see("turn"))), {
            while: (_, round) => round < 2
          }),
          Chain.subFlow(sub),
          Chain.result
        )
      )
      assert.strictEqual(yield* during(day, TriggerFlow.runResult(flow, 1)), 5)
      assert.deepStrictEqual(seen, [
        ["side", 0.5 * hour],
        ["then", hour],
        ["turn", 2 * hour],
        ["turn", 3 * hour],
        ["sub", 4 * hour]
      ])
    })
  )

  it.effect("wakes in the order of the times, those of one time in the order in which they fell asleep", () =>
    Effect.gen(function* () {
      const woken: Array<number> = []
      const times = Array.from({ length: 200 }, (_, n) => ((n * 7919) % 40) * 1000)
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed(times.map((_, n) => n))),
          Chain.forEach((c) =>
            c.pipe(
              Chain.sleep("nap", (n: number) => times[n] ?? 0),
              Chain.to("woken", (n) => Effect.sync(() => woken.push(n)))
            )
          )
        )
      )
      yield* during(40_000, TriggerFlow.run(flow, 0))
      const expected = times.map((_, n) => n).toSorted((a, b) => (times[a] ?? 0) - (times[b] ?? 0) || a - b)
      assert.deepStrictEqual(woken, expected)
    })
  )

  it.effect("fails with ContractViolation where its function gives no time, and dies with what it throws", () =>
    Effect.gen(function* () {
      const ends = (time: () => number | Date) =>
        Effect.exit(TriggerFlow.run(F.build(F.start.pipe(Chain.sleep("nap", time))), 1))
      for (const time of [() => Infinity, () => new Date(NaN)])
        assert.strictEqual(reasonOf(yield* ends(time)), "ContractViolation")
      const thrown = yield* ends(() => {
        throw new Error("no clock")
      })
      assert.isTrue(Exit.isFailure(thrown) && String(thrown.cause).includes("no clock"))
    })
  )
})

describe("what stops a step that sleeps", () => {
  it.effect("the failure of a branch beside it, at once", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.batch({
            sleeps: (c) => c.pipe(Chain.sleep("for long", "30 days")),
            fails: (c) =>
              c.pipe(
                Chain.sleep("short", "1 second"),
                Chain.to("fail", () => Effect.fail("odd" as const))
              )
          })
        )
      )
      const execution = yield* TriggerFlow.create(flow, 1, { autoClose: 0 })
      yield* execution.start
      const exit = yield* during(1000, Effect.exit(execution.await))
      assert.strictEqual(errorOf(exit), "odd")
      assert.strictEqual((yield* execution.steps).get("for long"), "stopped")
    }).pipe(Effect.scoped)
  )

  it.effect("the failure of its item, which stops that item alone", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed([1, 2, 3, 4])),
          Chain.forEach(
            (c) =>
              c.pipe(
                Chain.batch({
                  sleeps: (c) => c.pipe(Chain.sleep("nap", "1 hour")),
                  fails: (c) =>
                    c.pipe(Chain.to("odd", (n) => (n % 2 === 1 ? Effect.fail("odd" as const) : Effect.succeed(n))))
                })
              ),
            { onError: "skip" }
          ),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.create(flow, 1, { autoClose: 0 })
      yield* execution.start
      yield* settle
      assert.strictEqual(execution.engine.machine.sleepers?.size, 2)
      yield* TestClock.adjust("1 hour")
      const even = [2, 4].map((n) => ({ sleeps: n, fails: n }))
      assert.deepStrictEqual((yield* execution.await).result, Option.some(even))
    }).pipe(Effect.scoped)
  )

  it.effect("cancelling, a stop, the end of a handler that waits for it, and the timeout of the execution", () =>
    Effect.gen(function* () {
      const sleeping = F.build(F.start.pipe(Chain.sleep("nap", "30 days")))
      const cancelled = yield* TriggerFlow.create(sleeping, 1)
      yield* cancelled.start
      yield* settle
      assert.strictEqual((yield* cancelled.cancel()).status, "cancelled")

      const stopped = F.build(
        F.start.pipe(
          Chain.side((c) => c.pipe(Chain.sleep("nap", "30 days"))),
          Chain.stop
        )
      )
      assert.strictEqual((yield* TriggerFlow.run(stopped, 3)).status, "completed")

      const waits = F.build(
        F.start.pipe(
          Chain.to("waits", (n, run) => Effect.asVoid(run.emit(Go, n)), {
            timeout: "1 second",
            catch: () => Effect.succeed("gave up")
          }),
          Chain.result
        ),
        F.on(Go).pipe(Chain.sleep("nap", "30 days"))
      )
      assert.strictEqual(yield* during(1000, TriggerFlow.runResult(waits, 1)), "gave up")

      const late = yield* during(hour, Effect.exit(TriggerFlow.run(sleeping, 1, { timeout: "1 hour" })))
      assert.strictEqual(reasonOf(late), "ExecutionTimeout")
    }).pipe(Effect.scoped)
  )

  it.effect("`idleTimeout` does not: who sleeps is not idle, in a sub-flow neither", () =>
    Effect.gen(function* () {
      const sub = F.build(F.start.pipe(Chain.sleep("inside", "2 hours"), Chain.result))
      const Outer = TriggerFlow.define("outer", { input: Schema.Number, result: Schema.Unknown })
      const flow = Outer.build(Outer.start.pipe(Chain.sleep("nap", "2 hours"), Chain.subFlow(sub), Chain.result))
      assert.strictEqual(yield* during(4 * hour, TriggerFlow.runResult(flow, 1, { idleTimeout: "1 minute" })), 1)
    })
  )

  it.effect("`close` waits for it; with `pending: cancel` its chain is dropped", () =>
    Effect.gen(function* () {
      const flow = F.build(F.start.pipe(Chain.sleep("nap", "1 hour"), Chain.result))
      const make = Effect.tap(TriggerFlow.create(flow, 5, { autoClose: false }), (execution) =>
        Effect.andThen(execution.start, settle)
      )
      const patient = yield* make
      const closing = yield* beside(patient.close())
      yield* TestClock.adjust(hour - 1)
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.deepStrictEqual((yield* Fiber.join(closing)).result, Option.some(5))

      const hasty = yield* make
      const closed = yield* hasty.close({ pending: "cancel" })
      assert.deepStrictEqual([closed.status, closed.result], ["completed", Option.none()])
      assert.strictEqual((yield* hasty.steps).get("nap"), "stopped")
    }).pipe(Effect.scoped)
  )
})

describe("a step that sleeps, saved", () => {
  const flow = F.build(
    F.start.pipe(
      Chain.sleep("nap", "10 hours"),
      Chain.to("at", (n) => Effect.map(now(), (at) => ({ n, at }))),
      Chain.result
    )
  )
  const saved = Effect.gen(function* () {
    const execution = yield* TriggerFlow.create(flow, 5, { autoClose: 0 })
    yield* execution.start
    yield* TestClock.adjust("1 hour")
    return JSON.parse(JSON.stringify(yield* execution.save()))
  }).pipe(Effect.scoped)

  it.effect("is woken at the time that was saved", () =>
    Effect.gen(function* () {
      const snapshot = yield* saved
      assert.strictEqual(snapshot.status, "waiting")
      yield* TestClock.adjust("4 hours")
      const execution = yield* TriggerFlow.load(flow, snapshot)
      yield* settle
      assert.strictEqual(yield* execution.status, "waiting")
      yield* TestClock.adjust("5 hours")
      assert.deepStrictEqual((yield* execution.await).result, Option.some({ n: 5, at: 10 * hour }))
    }).pipe(Effect.scoped)
  )

  it.effect("goes on at once where it is loaded after its time", () =>
    Effect.gen(function* () {
      const snapshot = yield* saved
      yield* TestClock.adjust("30 days")
      const execution = yield* TriggerFlow.load(flow, snapshot)
      assert.deepStrictEqual((yield* execution.await).result, Option.some({ n: 5, at: hour + 30 * day }))
    }).pipe(Effect.scoped)
  )

  it.effect("keeps its value where that is no JSON", () =>
    Effect.gen(function* () {
      const D = TriggerFlow.define("dated", { input: Schema.DateFromString, result: Schema.DateFromString })
      const dated = D.build(D.start.pipe(Chain.sleep("nap", "1 hour"), Chain.result))
      const execution = yield* TriggerFlow.create(dated, new Date(77), { autoClose: 0 })
      yield* execution.start
      yield* settle
      const text = JSON.stringify(yield* execution.save())
      const loaded = yield* TriggerFlow.load(dated, JSON.parse(text))
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual((yield* loaded.await).result, Option.some(new Date(77)))
    }).pipe(Effect.scoped)
  )

  it.effect("is loaded into a definition with another time, and keeps its own", () =>
    Effect.gen(function* () {
      const snapshot = yield* saved
      const other = F.build(
        F.start.pipe(
          Chain.sleep("nap", () => "1 second"),
          Chain.to("at", (n) => Effect.map(now(), (at) => ({ n, at }))),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.load(other, snapshot)
      yield* TestClock.adjust(9 * hour - 1)
      assert.strictEqual(yield* execution.status, "waiting")
      yield* TestClock.adjust(1)
      assert.deepStrictEqual((yield* execution.await).result, Option.some({ n: 5, at: 10 * hour }))
    }).pipe(Effect.scoped)
  )

  it.effect("is refused by a definition that calls it otherwise", () =>
    Effect.gen(function* () {
      const renamed = F.build(
        F.start.pipe(
          Chain.sleep("rest", "10 hours"),
          Chain.to("at", (n) => Effect.map(now(), (at) => ({ n, at }))),
          Chain.result
        )
      )
      assert.strictEqual(reasonOf(yield* Effect.exit(TriggerFlow.load(renamed, yield* saved))), "NotLoadable")
    }).pipe(Effect.scoped)
  )
})

describe("a step that sleeps, as data", () => {
  const byValue = (n: number) => n * 1000
  const flow = F.build(
    F.start.pipe(
      Chain.sleep("for", "90 seconds"),
      Chain.sleep("until", new Date(Date.UTC(2030, 0, 1, 8))),
      Chain.sleep("told", byValue),
      Chain.result
    )
  )

  it.effect("stands in a blueprint, and comes back as it was", () =>
    Effect.gen(function* () {
      const blueprint = yield* Blueprint.export(flow, { functions: { byValue } })
      assert.deepStrictEqual(blueprint.chains[0]?.steps.slice(0, 3), [
        { step: "sleep", name: "for", for: 90_000 },
        { step: "sleep", name: "until", until: "2030-01-01T08:00:00.000Z" },
        { step: "sleep", name: "told", time: "byValue" }
      ])
      const loaded = yield* Blueprint.load(Blueprint.toYaml(blueprint), { contract: F, functions: { byValue } })
      assert.deepStrictEqual(yield* Blueprint.export(loaded, { functions: { byValue } }), blueprint)
      assert.strictEqual(Shape.fingerprint(Shape.of(loaded.data)), Shape.fingerprint(Shape.of(flow.data)))
    })
  )

  it.effect("is refused with its path where it has no time, or several", () =>
    Effect.gen(function* () {
      const load = (steps: string) =>
        Effect.flip(
          Blueprint.load(`format: effigent/flow@1\nname: bad\nchains:\n  - on: start\n    steps:\n${steps}`, {})
        )
      const error = yield* load(
        [
          "      - { step: sleep, name: a }",
          "      - { step: sleep, name: b, for: 1 second, until: 2030-01-01 }",
          "      - { step: sleep, name: c, until: tomorrow }",
          "      - { step: sleep, name: d, for: soon }",
          "      - { step: sleep, name: e, time: nobody }"
        ].join("\n")
      )
      const lines = error.findings.map(({ line, problem }) => `${line}: ${problem}`)
      assert.deepStrictEqual(lines, [
        "6: A sleep has 0 of `for`, `until` and `time`",
        "7: A sleep has 2 of `for`, `until` and `time`",
        '10: Nothing called "nobody" was given in `functions`',
        "8: Nobody knows until when: it sleeps until a date that is none",
        "9: Nobody knows until when: it sleeps for soon, which is neither a duration nor a date"
      ])
    })
  )

  it("is reported by the check where its time is none, or its name is taken", () => {
    const bad = F.build(F.start.pipe(Chain.sleep("x", Duration.infinity), Chain.sleep("y", 1), Chain.sleep("y", 2)))
    assert.deepStrictEqual(
      check(bad.data).map(({ at }) => at),
      ["y", "x"]
    )
  })

  it("is drawn by Mermaid, with its time", () => {
    const drawn = Mermaid.toMermaid(flow)
    for (const text of [
      "sleep for (for 1m 30s)",
      "sleep until (until 2030-01-01T08:00:00.000Z)",
      "sleep told (until a time of its own)"
    ])
      assert.include(
        drawn.replaceAll(/#(\d+);/g, (_, code) => String.fromCharCode(Number(code))),
        text
      )
  })
})

describe("many that sleep", () => {
  const many = (count: number) =>
    F.build(
      F.start.pipe(
        Chain.to("list", () => Effect.succeed(Array.from({ length: count }, (_, n) => n))),
        Chain.forEach((c) => c.pipe(Chain.sleep("nap", (n: number) => 1000 + ((n * 7919) % count)))),
        Chain.to("count", (list) => Effect.succeed(list.length)),
        Chain.result
      )
    )

  it.effect("1,000 in one execution need one timer, saved and loaded too", () =>
    Effect.gen(function* () {
      const flow = many(1000)
      const execution = yield* TriggerFlow.create(flow, 0, { autoClose: 0 })
      yield* execution.start
      yield* settle
      const { sleepers } = execution.engine.machine
      assert.deepStrictEqual([sleepers?.asleep.size, sleepers?.first], [1000, 1000])
      const snapshot = yield* execution.save()
      yield* TestClock.adjust(1500)
      assert.strictEqual(sleepers?.size, 499)
      yield* TestClock.adjust(500)
      assert.deepStrictEqual((yield* execution.await).result, Option.some(1000))
      const loaded = yield* TriggerFlow.load(flow, JSON.parse(JSON.stringify(snapshot)))
      assert.deepStrictEqual((yield* loaded.await).result, Option.some(1000))
    }).pipe(Effect.scoped)
  )

  it.effect("cost what they are: four times as many take about four times as long", () =>
    Effect.gen(function* () {
      const time = Effect.fnUntraced(function* (count: number) {
        const began = performance.now()
        yield* during(1000 + count, TriggerFlow.run(many(count), 0))
        return performance.now() - began
      })
      yield* time(500)
      const few = Math.min(yield* time(1000), yield* time(1000))
      const more = Math.min(yield* time(4000), yield* time(4000))
      assert.isBelow(more / few, 12, `${few} ms, ${more} ms`)
    })
  )

  it.effect("that were stopped leave nothing behind, however often", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.loop(
            (c) =>
              c.pipe(Chain.to("race", (n, run) => Effect.as(run.emit(Go, n).pipe(Effect.timeoutOption(1)), n + 1))),
            { while: (n) => n < 500 }
          ),
          Chain.sleep("last", "1 hour")
        ),
        F.on(Go).pipe(Chain.sleep("nap", "30 days"), Chain.to("reply", Effect.succeed))
      )
      const execution = yield* TriggerFlow.create(flow, 0, { autoClose: 0 })
      yield* execution.start
      yield* TestClock.adjust(1000)
      const { sleepers } = execution.engine.machine
      assert.strictEqual(sleepers?.size, 1)
      assert.isBelow(JSON.stringify(yield* execution.save()).length, 20_000)
      yield* execution.cancel()
    }).pipe(Effect.scoped)
  )
})
