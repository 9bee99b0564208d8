// Runs of evals: samples, scores, failures, time, budgets, interruption, events, fingerprints.
import { assert, describe, it } from "@effect/vitest"
import { Data, Duration, Effect, Exit, Fiber, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ActionScorer, Dataset, Evals, Report, Scorer } from "effigent/evals"

class Refused extends Data.TaggedError("Refused")<{ readonly id: string }> {}

const numbers = (...inputs: ReadonlyArray<number>) =>
  Dataset.make({
    name: "numbers",
    input: Schema.Finite,
    expected: Schema.Finite,
    cases: inputs.map((input) => ({ id: `n${input}`, input, expected: input * 2 }))
  })

const double = Evals.make(
  "double",
  {
    dataset: numbers(1, 2, 3, 4),
    subject: (n) => (n === 3 ? Effect.fail(new Refused({ id: "three" })) : Effect.succeed(n === 4 ? 9 : n * 2))
  },
  [Scorer.exact(), Scorer.numeric({ absolute: 1, name: "near" })]
)

describe("a run", () => {
  it.effect("scores every case, and keeps a failing one as a failed sample with its typed error", () =>
    Effect.gen(function* () {
      const { report, samples } = yield* Evals.run(double)
      assert.strictEqual(report.status, "completed")
      assert.deepStrictEqual(
        report.cases.map(({ id, passed, scores }) => [id, passed, scores["exact"], scores["near"]]),
        [
          ["n1", true, 1, 1],
          ["n2", true, 1, 1],
          ["n3", false, 0, 0],
          ["n4", false, 0, 1]
        ]
      )
      const [, , third, fourth] = report.cases
      assert.deepStrictEqual(third?.samples[0]?.failure?.tag, "Refused")
      assert.strictEqual(third?.samples[0]?.status, "failed")
      assert.strictEqual(fourth?.samples[0]?.scores["exact"]?.reason, "9 is not 8")
      const failed = samples.find((one) => one.case === "n3")
      assert.deepStrictEqual(failed?.exit, Exit.fail(new Refused({ id: "three" })))
      const { failed: failures, passed, passRate, scores } = report.summary
      assert.deepStrictEqual([failures, passed, passRate.mean], [1, 2, 0.5])
      assert.deepInclude(scores["near"], { mean: 0.75, passed: 3, failed: 1, n: 4 })
    })
  )

  it.effect("goes on where a subject dies or interrupts itself", () =>
    Effect.gen(function* () {
      const { report } = yield* Evals.run(
        Evals.make(
          "breaks",
          {
            dataset: numbers(1, 2, 3),
            subject: (n) => (n === 1 ? Effect.die(new Error("oh")) : n === 2 ? Effect.interrupt : Effect.succeed(6))
          },
          [Scorer.exact()]
        )
      )
      assert.deepStrictEqual(
        report.cases.map(({ passed, samples }) => [passed, samples[0]?.failure?.tag]),
        [
          [false, "Defect"],
          [false, "Interrupted"],
          [true, undefined]
        ]
      )
      assert.strictEqual(report.status, "completed")
    })
  )

  it.effect("goes on where a failure has no JSON form, or throws where it is read", () =>
    Effect.gen(function* () {
      const circle: { self?: unknown } = {}
      circle.self = circle
      class Secretive extends Error {
        override get message(): string {
          throw new Error("not to be read")
        }
      }
      const { report } = yield* Evals.run(
        Evals.make(
          "odd failures",
          {
            dataset: numbers(1, 2, 3, 4),
            subject: (n) =>
              n === 1
                ? Effect.fail({ amount: 7n })
                : n === 2
                  ? Effect.fail(circle)
                  : n === 3
                    ? Effect.fail(new Secretive())
                    : Effect.succeed(8)
          },
          [Scorer.exact(), Scorer.make("odd", { score: () => Effect.fail(circle) })]
        )
      )
      assert.strictEqual(report.status, "completed")
      assert.deepStrictEqual(
        report.cases.map(({ samples: [one] }) => [one?.status, one?.failure?.tag]),
        [
          ["failed", "Failure"],
          ["failed", "Failure"],
          ["failed", "Failure"],
          ["answered", undefined]
        ]
      )
      assert.include(report.cases[0]?.samples[0]?.failure?.message, "7n")
      assert.include(report.cases[3]?.samples[0]?.scores["odd"]?.error?.message, "Circular")
    })
  )

  it.effect("releases what a subject acquires with its sample, behind its scorers", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const say = (text: string) => Effect.sync(() => void log.push(text))
      yield* Evals.run(
        Evals.make(
          "acquires",
          {
            dataset: numbers(1, 2),
            concurrency: 1,
            warmup: 1,
            subject: (n) => Effect.acquireRelease(Effect.as(say(`open ${n}`), n), () => say(`close ${n}`))
          },
          [Scorer.make("looks", { score: ({ output }) => Effect.as(say(`score ${String(output)}`), 1) })]
        )
      )
      assert.deepStrictEqual(log, [
        ...["open 1", "close 1"],
        ...["open 1", "score 1", "close 1"],
        ...["open 2", "score 2", "close 2"]
      ])
    })
  )

  it.effect("says of a scorer that breaks down that the score is missing, not that the answer is bad", () =>
    Effect.gen(function* () {
      const { report } = yield* Evals.run(
        Evals.make(
          "broken scorer",
          {
            dataset: numbers(1, 2),
            subject: (n) => Effect.succeed(n * 2)
          },
          [
            Scorer.make("odd", {
              score: ({ output }: Scorer.Answered<number, number, number>) =>
                output === 2 ? Effect.fail(new Refused({ id: "odd" })) : Effect.succeed(1)
            }),
            Scorer.make("wild", { score: () => Effect.succeed(1.5) })
          ]
        )
      )
      const { odd, wild } = report.summary.scores
      assert.deepInclude(odd, { mean: 1, n: 1, errors: 1, passed: 1 })
      assert.deepInclude(wild, { mean: null, errors: 2 })
      assert.strictEqual(report.summary.errors, 3)
      assert.strictEqual(report.summary.passed, 0)
      assert.deepStrictEqual(report.cases[0]?.samples[0]?.scores["odd"]?.error?.tag, "Refused")
      assert.deepInclude(report.cases[0]?.samples[0]?.scores["wild"]?.error, {
        tag: "ScoreInvalid",
        message: "Scorer wild: 1.5 is no score: give 0 to 1"
      })
    })
  )

  it.effect("leaves a scorer out of the means where it does not apply", () =>
    Effect.gen(function* () {
      const { report } = yield* Evals.run(
        Evals.make(
          "some",
          {
            dataset: numbers(1, 2, 3),
            subject: (n) => Effect.succeed(n)
          },
          [
            Scorer.when(Scorer.exact(), ({ input }) => input === 1),
            Scorer.threshold(Scorer.exact({ name: "informs" }), 0)
          ]
        )
      )
      assert.deepInclude(report.summary.scores["exact"], { mean: 0, n: 1, failed: 1, skipped: 2 })
      assert.deepStrictEqual(
        report.cases.map(({ passed }) => passed),
        [false, true, true]
      )
    })
  )

  it.effect("repeats cases: mean, pass@k and pass^k", () =>
    Effect.gen(function* () {
      const { report } = yield* Evals.run(
        Evals.make(
          "flaky",
          {
            dataset: numbers(1, 2),
            subject: (n, { sample }) => Effect.succeed(n === 1 || sample % 2 === 0 ? n * 2 : 0),
            repeat: 4
          },
          [Scorer.exact()]
        )
      )
      assert.deepStrictEqual(
        report.cases.map(({ passed, samples, scores }) => [passed, samples.length, scores["exact"]]),
        [
          [true, 4, 1],
          [false, 4, 0.5]
        ]
      )
      assert.strictEqual(report.summary.passRate.mean, 0.75)
      // Of 4 samples 2 pass: two drawn hold at least one of them with 1 - C(2,2)/C(4,2) = 5/6, both with 1/6.
      const [one, two, three, four] = report.summary.passAt
      assert.deepStrictEqual(one, { k: 1, any: 0.75, all: 0.75 })
      assert.approximately(two?.any ?? 0, (1 + 5 / 6) / 2, 1e-12)
      assert.approximately(two?.all ?? 0, (1 + 1 / 6) / 2, 1e-12)
      assert.deepStrictEqual([three?.any, four?.all], [1, 0.5])
    })
  )

  it.effect("limits the time of each try, and of each scorer", () =>
    Effect.gen(function* () {
      const slow = Evals.make(
        "slow",
        {
          dataset: numbers(1, 2),
          subject: (n) => Effect.delay(Effect.succeed(n * 2), n === 2 ? "1 hour" : "1 second"),
          timeout: "5 seconds"
        },
        [Scorer.exact(), Scorer.make("never", { score: () => Effect.never })]
      )
      const fiber = yield* Effect.forkChild(Evals.run(slow))
      yield* TestClock.adjust("20 seconds")
      const { report, samples } = yield* Fiber.join(fiber)
      assert.strictEqual(report.cases[0]?.samples[0]?.duration, 1000)
      assert.deepInclude(report.cases[0]?.samples[0]?.scores["never"]?.error, {
        tag: "EvalTimeout",
        message: "never took longer than 5000 ms"
      })
      assert.deepStrictEqual(report.cases[1]?.samples[0]?.failure, {
        tag: "EvalTimeout",
        message: "subject took longer than 5000 ms"
      })
      assert.strictEqual(samples[1]?.exit._tag, "Failure")
      assert.strictEqual(report.settings.timeout, 5000)
    })
  )

  it.effect("tries a subject again that failed, as often and as long as it was told, and counts the tries", () =>
    Effect.gen(function* () {
      const seen = new Map<number, number>()
      const flaky = Evals.make(
        "flaky",
        {
          dataset: numbers(1, 2, 3),
          subject: (n) =>
            Effect.suspend(() => {
              const tries = (seen.get(n) ?? 0) + 1
              seen.set(n, tries)
              return tries > n
                ? Effect.succeed(n * 2)
                : Effect.fail(new Refused({ id: n === 3 ? "for good" : "later" }))
            }),
          retry: { times: 2, while: ({ id }) => id !== "for good" }
        },
        [Scorer.exact(), ActionScorer.tries(2)]
      )
      const { report } = yield* Evals.run(flaky)
      assert.deepStrictEqual(
        report.cases.map(({ samples, scores }) => [samples[0]?.tries, samples[0]?.status, scores["tries"]]),
        [
          [2, "answered", 1],
          [3, "answered", 2 / 3],
          [1, "failed", 0]
        ]
      )
    })
  )

  it.effect("runs so many cases at once as it was told, and no more", () =>
    Effect.gen(function* () {
      let [open, most] = [0, 0]
      const work = Effect.acquireUseRelease(
        Effect.sync(() => (most = Math.max(most, ++open))),
        () => Effect.sleep("1 second"),
        () => Effect.sync(() => open--)
      )
      const many = Evals.make(
        "many",
        {
          dataset: numbers(...Array.from({ length: 12 }, (_, n) => n)),
          subject: () => work,
          concurrency: 3
        },
        []
      )
      const fiber = yield* Effect.forkChild(Evals.run(many))
      yield* TestClock.adjust("4 seconds")
      const { report } = yield* Fiber.join(fiber)
      assert.strictEqual(most, 3)
      assert.strictEqual(report.summary.done, 12)
      assert.strictEqual(report.finishedAt - report.startedAt, 4000)
    })
  )

  it.effect("keeps what is done where it is interrupted, and interrupts the subjects", () =>
    Effect.scoped(
      Effect.gen(function* () {
        let interrupted = 0
        const half = Evals.make(
          "half",
          {
            dataset: numbers(1, 2, 3),
            subject: (n) =>
              n === 1
                ? Effect.succeed(2)
                : Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted++))
          },
          [Scorer.exact()]
        )
        const running = yield* Evals.start(half)
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* running.report).summary.done, 1)
        yield* running.stop
        assert.strictEqual(interrupted, 2)
        const { report } = yield* running.outcome
        assert.strictEqual(report.status, "interrupted")
        assert.deepStrictEqual(
          report.cases.map(({ passed, samples }) => [passed, samples.length]),
          [
            [true, 1],
            [false, 0],
            [false, 0]
          ]
        )
        assert.deepInclude(report.summary, { cases: 3, done: 1, passed: 1, samples: 1 })
      })
    )
  )

  it.effect("tells what happens, to whoever comes late too", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const running = yield* Evals.start(double, { concurrency: 1, id: "run-1" })
        yield* running.outcome
        const events = yield* Stream.runCollect(running.events)
        assert.deepStrictEqual(
          events.map((event) => (event._tag === "SampleEnded" ? `${event.case} ${event.sample.passed}` : event._tag)),
          [
            "EvalStarted",
            "SampleStarted",
            "n1 true",
            "SampleStarted",
            "n2 true",
            "SampleStarted",
            "n3 false",
            "SampleStarted",
            "n4 false",
            "EvalEnded"
          ]
        )
        assert.deepInclude(events[0], { id: "run-1", cases: 4, samples: 4 })
      })
    )
  )

  it.effect("as a stream belongs to its reader: leaving it stops the subjects", () =>
    Effect.gen(function* () {
      let interrupted = false
      const endless = Evals.make(
        "endless",
        {
          dataset: numbers(1, 2),
          subject: (n) =>
            n === 1
              ? Effect.succeed(2)
              : Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (interrupted = true)))
        },
        [Scorer.exact()]
      )
      const first = yield* Evals.stream(endless).pipe(
        Stream.filter((event) => event._tag === "SampleEnded"),
        Stream.take(1),
        Stream.runCollect
      )
      assert.lengthOf(first, 1)
      assert.isTrue(interrupted)
    })
  )

  it.effect("runs chosen cases, by a condition and by chance with a seed", () =>
    Effect.gen(function* () {
      const ids = (options: Evals.RunOptions) =>
        Effect.map(Evals.run(double, options), ({ report }) => report.cases.map(({ id }) => id))
      assert.deepStrictEqual(yield* ids({ filter: ({ id }) => id !== "n3" }), ["n1", "n2", "n4"])
      const some = yield* ids({ sample: { size: 2, seed: 7 } })
      assert.lengthOf(some, 2)
      assert.deepStrictEqual(yield* ids({ sample: { size: 2, seed: 7 } }), some)
      const { report } = yield* Evals.run(double, { sample: { size: 1 } })
      assert.strictEqual(report.dataset.cases, 4)
      assert.strictEqual(report.summary.cases, 1)
    })
  )

  it.effect("takes other cases in JSONL, in the format of its own", () =>
    Effect.gen(function* () {
      const { report } = yield* Evals.run(double, { jsonl: Stream.make('{"id":"x","input":21,"expected":42}') })
      assert.deepStrictEqual(
        report.cases.map(({ id, passed }) => [id, passed]),
        [["x", true]]
      )
      const error = yield* Effect.flip(Evals.run(double, { jsonl: Stream.make('{"input":"one","expected":2}') }))
      assert.match(error.message, /^Dataset numbers, line 1: the input does not fit: Expected number/)
    })
  )

  it.effect("does not begin where two scorers have one name", () =>
    Effect.gen(function* () {
      const twice = Evals.make(
        "twice",
        {
          dataset: numbers(1),
          subject: () => Effect.die("it must not run")
        },
        [Scorer.exact(), Scorer.exact()]
      )
      const error = yield* Effect.flip(Evals.run(twice))
      assert.strictEqual(
        error.message,
        "Eval twice: two scorers have the name exact. Give one another name with Scorer.named."
      )
    })
  )

  it.live("costs little and as much for each case, however many there are", () =>
    Effect.gen(function* () {
      const timed = (count: number) => {
        const many = Evals.make(
          "many",
          { dataset: numbers(...Array.from({ length: count }, (_, n) => n)), subject: (n) => Effect.succeed(n * 2) },
          [Scorer.exact()]
        )
        return Effect.map(Effect.timed(Evals.run(many)), ([duration, { report }]) => {
          assert.strictEqual(report.summary.passed, count)
          return Duration.toMillis(duration)
        })
      }
      yield* timed(1000)
      const few = yield* timed(2000)
      // Ten times as many in far less than a hundred times the time.
      assert.isBelow(yield* timed(20_000), Math.max(2000, few * 30))
    })
  )

  it.effect("warms up without counting", () =>
    Effect.gen(function* () {
      const asked: Array<number> = []
      const warm = Evals.make(
        "warm",
        {
          dataset: numbers(1, 2),
          subject: (n) => Effect.sync(() => void asked.push(n)),
          warmup: 2
        },
        []
      )
      const { report } = yield* Evals.run(warm)
      assert.deepStrictEqual(asked, [1, 1, 1, 2])
      assert.strictEqual(report.summary.samples, 2)
    })
  )

  it.effect("can be read again whatever its limits were, and is not begun with an infinite repeat", () =>
    Effect.gen(function* () {
      const { report } = yield* Evals.run(double, { concurrency: Infinity, timeout: Duration.infinity })
      assert.deepStrictEqual(yield* Report.fromText(Report.toText(report)), report)
      assert.strictEqual(report.settings.concurrency, 4)
      assert.notProperty(report.settings, "timeout")
      const error = yield* Effect.flip(Evals.run(double, { repeat: Infinity }))
      assert.strictEqual(error.message, "Eval double: repeat is infinite. Give a whole number from 1 on.")
    })
  )

  it.effect("can be written, and read again by its Schema", () =>
    Effect.gen(function* () {
      const { report } = yield* Evals.run(double)
      assert.deepStrictEqual(yield* Report.fromText(Report.toText(report)), report)
      assert.deepStrictEqual(Object.keys(report).at(-1), "cases")
      const other = yield* Effect.flip(Report.fromText('{"format":"other"}', "a.json"))
      assert.match(other.message, /^a\.json is no report: .*effigent-eval-1/s)
      assert.match((yield* Effect.flip(Report.fromText("{", "a.json"))).message, /^a\.json is no report: it is no JSON/)
    })
  )
})
