// Comparing reports, gates, and the tables that people read.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Agent } from "effigent"
import { Compare, Dataset, Evals, Gate, Scorer, Tables } from "effigent/evals"
import { ScriptedModel } from "effigent/testing"

// Answers are right for the inputs in `right`.
const report = (right: ReadonlyArray<string>, options: { inputs?: ReadonlyArray<string>; expected?: string } = {}) =>
  Effect.map(
    Evals.run(
      Evals.make(
        "words",
        {
          dataset: Dataset.make({
            name: "words",
            input: Schema.String,
            expected: Schema.String,
            cases: (options.inputs ?? ["a", "b", "c", "d"]).map((input) => ({
              id: input,
              input,
              expected: options.expected ?? "yes"
            }))
          }),
          subject: (input) => Effect.succeed(right.includes(input) ? "yes" : "no")
        },
        [Scorer.exact(), Scorer.similarity()]
      )
    ),
    ({ report }) => report
  )

describe("a comparison", () => {
  it.effect("of a report with itself has no difference", () =>
    Effect.gen(function* () {
      const one = yield* report(["a", "b"])
      const found = Compare.reports(one, one)
      assert.deepInclude(found, { fixed: [], broken: [], same: ["a", "b", "c", "d"], changed: [], probability: 1 })
      assert.deepInclude(found.scores["exact"], { before: 0.5, after: 0.5, difference: 0, low: 0, high: 0, n: 4 })
      assert.deepStrictEqual(found.fingerprint, { isSame: true, differ: [] })
    })
  )

  it.effect("gives no interval of a single case", () =>
    Effect.gen(function* () {
      const one = yield* report([], { inputs: ["a"] })
      const { exact } = Compare.reports(one, yield* report(["a"], { inputs: ["a"] })).scores
      assert.deepInclude(exact, { difference: 1, low: null, high: null, n: 1 })
    })
  )

  it.effect("names what is fixed, broken and the same, with paired statistics", () =>
    Effect.gen(function* () {
      const found = Compare.reports(yield* report(["a", "b"]), yield* report(["b", "c", "d"]))
      assert.deepInclude(found, { fixed: ["c", "d"], broken: ["a"], same: ["b"] })
      // Two of three changes for the better: 2 * (1 + 3) / 8.
      assert.strictEqual(found.probability, 1)
      const { exact } = found.scores
      assert.deepInclude(exact, { before: 0.5, after: 0.75, difference: 0.25, worse: ["a"], better: ["c", "d"] })
      assert.isTrue((exact?.low ?? 0) < 0.25 && (exact?.high ?? 0) > 0.25)
      assert.deepStrictEqual(
        Compare.reports(yield* report(["a", "b"]), yield* report(["b", "c", "d"])).scores,
        found.scores
      )
    })
  )

  it.effect("leaves out cases that only one has, and those whose input or answer is another one", () =>
    Effect.gen(function* () {
      const before = yield* report(["a", "b"])
      const found = Compare.reports(before, yield* report(["b"], { inputs: ["b", "c", "e"] }))
      assert.deepInclude(found, { same: ["b", "c"], onlyBefore: ["a", "d"], onlyAfter: ["e"], broken: [] })
      assert.deepStrictEqual(found.fingerprint, { isSame: false, differ: ["dataset"] })
      const other = Compare.reports(before, yield* report(["a"], { expected: "no" }))
      assert.deepInclude(other, { changed: ["a", "b", "c", "d"], same: [] })
      assert.deepInclude(other.scores["exact"], { before: null, difference: null, n: 0 })
    })
  )

  it.effect("says which part of an agent was changed, and which scorer is new", () =>
    Effect.gen(function* () {
      const run = (agent: Agent.Agent<string>, scorers: ReadonlyArray<Scorer.Scorer<unknown, unknown, unknown>>) =>
        Effect.map(
          Evals.run(
            Evals.make(
              "hello",
              { dataset: Dataset.make({ name: "h", input: Schema.String, cases: [{ input: "hi" }] }), subject: agent },
              scorers
            )
          ),
          ({ report }) => report
        ).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.text("hello")])))
      const agent = Agent.make({ instruct: "Greet." })
      const hello = Scorer.matches(/hello/)
      const before = yield* run(agent, [hello])
      const after = yield* run(Agent.settings(agent, { model: "m2" }), [hello, Scorer.matches(/l+/, { name: "l" })])
      const found = Compare.reports(before, after)
      assert.deepStrictEqual(found.fingerprint.differ, ["model", "scorers"])
      assert.strictEqual(found.scores["l"], null)
      assert.include(Tables.comparison(found), "l        only in one report\n")
      assert.include(Tables.comparison(found), "differs in: model, scorers\n")
    })
  )
})

const messagesOf = (misses: ReadonlyArray<Gate.Miss>) => misses.map(({ message }) => message)

describe("a gate", () => {
  it.effect("asks for least means, and names the cases at fault", () =>
    Effect.gen(function* () {
      const one = yield* report(["a", "b", "c"])
      assert.deepStrictEqual(Gate.misses(one, { min: 0.75 }), [])
      assert.deepStrictEqual(Gate.misses(one, { min: { exact: 0.75, similarity: 0.7 } }), [])
      assert.deepStrictEqual(Gate.misses(one, { min: { exact: 0.8, passed: 0.8, other: 0.1 } }), [
        { kind: "min", of: "exact", value: 0.75, limit: 0.8, cases: ["d"], message: "exact is 0.75, below 0.8 (d)" },
        { kind: "min", of: "passed", value: 0.75, limit: 0.8, cases: ["d"], message: "passed is 0.75, below 0.8 (d)" },
        { kind: "unknown", of: "other", cases: [], message: "there is no scorer other; there are exact, similarity" }
      ])
      assert.strictEqual(yield* Gate.check(one, { min: 0.75 }), one)
    })
  )

  it.effect("asks for no worse than a baseline by so much", () =>
    Effect.gen(function* () {
      const baseline = yield* report(["a", "b", "c"])
      assert.deepStrictEqual(Gate.misses(baseline, { baseline }), [])
      const after = yield* report(["b", "d"])
      assert.deepStrictEqual(messagesOf(Gate.misses(after, { baseline, worse: { similarity: 1 } })), [
        "exact is 0.25 worse than before, and may be 0 (a, c)",
        "2 broken and 1 fixed (a, c)"
      ])
      assert.deepStrictEqual(Gate.misses(after, { baseline, worse: 0.25 }), [])
      // What is better is never at fault.
      assert.deepStrictEqual(Gate.misses(yield* report(["a", "b", "c", "d"]), { baseline }), [])
    })
  )

  it.effect("lets nothing through that was not run, or could not be scored", () =>
    Effect.gen(function* () {
      const broken = Evals.make(
        "broken",
        {
          dataset: Dataset.make({ name: "one", input: Schema.String, cases: [{ id: "a", input: "x" }] }),
          subject: (input) => Effect.succeed(input)
        },
        [Scorer.make("down", { score: () => Effect.fail("no judge") })]
      )
      const { report: one } = yield* Evals.run(broken)
      assert.deepStrictEqual(messagesOf(Gate.misses(one, {})), ["scores that could not be given: 1 (a)"])
      assert.deepStrictEqual(Gate.misses(one, { errors: 1 }), [])
      const none = yield* Evals.run(broken, { filter: () => false })
      assert.deepStrictEqual(messagesOf(Gate.misses(none.report, {})), ["there was no case to be run"])
      const half = { ...(yield* report(["a", "b", "c", "d"])), status: "stopped" as const, reason: "the money is gone" }
      assert.deepStrictEqual(messagesOf(Gate.misses(half, {})), [
        "0 of 4 cases were not run to their end: the money is gone"
      ])
    })
  )

  it.effect("fails with a table that people can read", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Gate.check(yield* report(["a", "b", "c"]), { min: 1 }))
      assert.strictEqual(error._tag, "GateFailed")
      const lines = error.message.replaceAll(/[\d.]+ m?s\b/g, "<time>").split("\n")
      assert.deepStrictEqual(lines, [
        "Eval words: passed is 0.75, below 1 (d)",
        "words: 3 of 4 cases passed, <time>",
        "scorer      mean   95 %            passed",
        "exact       0.750  0.301 to 0.954  3 of 4",
        "similarity  0.750  0.301 to 0.954  3 of 4",
        "duration: median <time>, p95 <time>",
        '✗  d  "d"  exact 0.000: "no" is not "yes"',
        ""
      ])
    })
  )
})

describe("a gate with odd limits and reports", () => {
  const scored = (name: string, right: ReadonlyArray<string>, inputs = ["a", "b"]) =>
    Evals.run(
      Evals.make(
        "odd",
        {
          dataset: Dataset.make({ name: "odd", input: Schema.String, cases: inputs.map((id) => ({ id, input: id })) }),
          subject: (input) => Effect.succeed(input)
        },
        [Scorer.make(name, { score: ({ output }) => Effect.succeed(right.includes(String(output))) })]
      )
    )

  it.effect("does not pass where nothing could be compared with the baseline", () =>
    Effect.gen(function* () {
      const { report: baseline } = yield* scored("s", ["a", "b"])
      const { report: other } = yield* scored("s", [], ["c"])
      assert.deepStrictEqual(messagesOf(Gate.misses(other, { baseline })), [
        `the baseline ${baseline.id} has no case in common with this report`
      ])
    })
  )

  it.effect("is not reached where a limit is no number", () =>
    Effect.gen(function* () {
      const { report: one } = yield* scored("s", ["a", "b"])
      const error = yield* Effect.flip(Gate.check(one, { min: Number.NaN }))
      assert.deepStrictEqual(messagesOf(error.misses), ["passed is 1, below NaN"])
      assert.lengthOf(Gate.misses(one, { baseline: one, worse: Number.NaN }), 2)
    })
  )

  it.effect("takes scorers by names that every object has, and refuses those that gates or records cannot tell", () =>
    Effect.gen(function* () {
      const { report: before } = yield* scored("constructor", ["a", "b"])
      const { report: one } = yield* scored("constructor", ["a"])
      assert.deepStrictEqual(messagesOf(Gate.misses(one, { min: { constructor: 0.9, valueOf: 0.1 } })), [
        "constructor is 0.5, below 0.9 (b)",
        "there is no scorer valueOf; there are constructor"
      ])
      assert.deepStrictEqual(messagesOf(Gate.misses(one, { baseline: before, worse: {} })), [
        "constructor is 0.5 worse than before, and may be 0 (b)",
        "1 broken and 0 fixed (b)"
      ])
      for (const name of ["passed", "__proto__"])
        assert.include((yield* Effect.flip(scored(name, []))).message, `Eval odd: a scorer has the name ${name}`)
    })
  )
})

describe("a table", () => {
  it.effect("holds nothing that moves a cursor of what reports from elsewhere say of themselves", () =>
    Effect.gen(function* () {
      const plain = yield* report(["a"], { inputs: ["a\u001b[2J"] })
      const one = { ...plain, id: "r\u001b[31m", name: "n\u009b31m", status: "stopped" as const, reason: "x\u001b[1m" }
      const parts = { ...plain.fingerprint.parts, "p\u001b[2J": "1" }
      const other = { ...plain, fingerprint: { whole: "w", parts } }
      const failed = yield* Effect.flip(Gate.check(one, { min: 1 }))
      for (const text of [Tables.report(one), Tables.comparison(Compare.reports(one, other)), failed.message])
        assert.notMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
    })
  )

  it.effect("holds nothing that moves a cursor, and is cut where it is told", () =>
    Effect.gen(function* () {
      const { report: one } = yield* Evals.run(
        Evals.make(
          "many",
          {
            dataset: Dataset.make({
              name: "many",
              input: Schema.String,
              expected: Schema.String,
              cases: Array.from({ length: 30 }, (_, at) => ({ id: `c${at}`, input: `x${at}`, expected: "y" }))
            }),
            subject: () => Effect.succeed("\u001b[2Jgone\nline")
          },
          [
            Scorer.make("says", {
              score: ({ output }: Scorer.Answered<string, string, string>) =>
                Effect.succeed({ score: 0, reason: output })
            })
          ]
        )
      )
      const text = Tables.report(one)
      assert.notInclude(text, "\u001b")
      assert.include(text, "says 0.000:  [2Jgone line")
      assert.include(text, "… and 10 more\n")
      assert.notInclude(Tables.report(one, { cases: "none" }), "c0")
      assert.include(Tables.report(one, { cases: "all", limit: 100 }), "c29")
    })
  )
})
