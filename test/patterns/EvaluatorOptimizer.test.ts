import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Agent, Budget } from "effigent"
import { EvaluatorOptimizer } from "effigent/patterns"
import { RateLimited } from "effigent/services/ModelError"
import { ScriptedModel } from "effigent/testing"

const Post = Schema.Struct({ title: Schema.String, day: Schema.DateFromString })
const writer = Agent.make({ system: "You write.", output: Post }).pipe(Agent.input("the sea"))
const judge = Agent.make({ system: "You judge." })

const post = (title: string) => ScriptedModel.json({ title, day: "2026-01-02T00:00:00Z" })
const verdict = (score: number, accepted = false, feedback = `feedback ${score}`) =>
  ScriptedModel.json({ feedback, score, accepted })
const says = (score: number, accepted = false): EvaluatorOptimizer.Verdict => ({ score, accepted, feedback: "more" })

const prompts = Effect.map(ScriptedModel.requests, (requests) =>
  requests.map(({ prompt }) => prompt.content.map(({ content }) => JSON.stringify(content)).join("\n"))
)

describe("EvaluatorOptimizer", () => {
  it.effect("what the judge says goes back to the writer with its answer, until an answer is accepted", () =>
    Effect.gen(function* () {
      const outcome = yield* writer.pipe(EvaluatorOptimizer.run({ judge }))
      assert.strictEqual(outcome.status, "accepted")
      assert.strictEqual(outcome.answer.title, "Two")
      assert.strictEqual(outcome.answer.day.getUTCFullYear(), 2026)
      assert.deepStrictEqual(
        outcome.rounds.map(({ verdict }) => verdict.score),
        [3, 9]
      )
      const [first = "", judged = "", second = "", again = ""] = yield* prompts
      assert.notInclude(first, "your last answer")
      assert.include(judged, "You judge.")
      assert.include(judged, "the sea")
      assert.include(judged, "Be strict")
      assert.include(judged, "One")
      assert.include(second, "You write.")
      assert.include(second, "feedback 3")
      assert.include(second, "One")
      assert.include(again, "Two")
      assert.notInclude(again, "One")
    }).pipe(Effect.provide(ScriptedModel.layer([post("One"), verdict(3), post("Two"), verdict(9, true)])))
  )

  it.effect("after the last round the best answer so far is given; of equal ones the latest", () =>
    Effect.gen(function* () {
      const scores = [4, 7, 7, 5]
      const outcome = yield* EvaluatorOptimizer.run(writer, {
        rounds: 4,
        judge: (_answer, { round }) => Effect.succeed(says(scores[round - 1] ?? 0))
      })
      assert.deepStrictEqual([outcome.status, outcome.answer.title, outcome.verdict.score], ["exhausted", "c", 7])
      assert.lengthOf(outcome.rounds, 4)
      assert.isUndefined(outcome.failure)
    }).pipe(Effect.provide(ScriptedModel.layer(["a", "b", "c", "d"].map(post))))
  )

  it.effect("an accepted answer is given even where an earlier one scored higher", () =>
    Effect.gen(function* () {
      const outcome = yield* EvaluatorOptimizer.run(writer, {
        judge: ({ title }, { text }) => Effect.succeed(text.includes("b") && title === "b" ? says(2, true) : says(8))
      })
      assert.deepStrictEqual([outcome.status, outcome.answer.title], ["accepted", "b"])
    }).pipe(Effect.provide(ScriptedModel.layer(["a", "b"].map(post))))
  )

  it.effect("a failure fails the whole, or gives the best so far where that is wanted", () =>
    Effect.gen(function* () {
      const failing = ScriptedModel.fail(new RateLimited({ detail: "slow down" }))
      const go = (onFailure: "fail" | "best", steps: ReadonlyArray<ScriptedModel.Step>) =>
        EvaluatorOptimizer.run(writer, { onFailure, judge: () => Effect.succeed(says(1)) }).pipe(
          Effect.provide(ScriptedModel.layer(steps))
        )
      assert.strictEqual((yield* Effect.flip(go("fail", [post("a"), failing])))._tag, "ModelError")
      assert.strictEqual((yield* Effect.flip(go("best", [failing])))._tag, "ModelError")
      const broken = yield* go("best", [post("a"), failing])
      assert.deepStrictEqual([broken.status, broken.answer.title, broken.failure?._tag], ["broken", "a", "ModelError"])
    })
  )

  it.effect("a budget that is spent leaves the best so far", () =>
    Effect.gen(function* () {
      const outcome = yield* EvaluatorOptimizer.run(writer, { judge, onFailure: "best", rounds: 9 }).pipe(
        Budget.within({ requests: 4 })
      )
      assert.deepStrictEqual(
        [outcome.status, outcome.answer.title, outcome.failure?._tag],
        ["broken", "b", "BudgetExceeded"]
      )
    }).pipe(Effect.provide(ScriptedModel.layer([post("a"), verdict(1), post("b"), verdict(2)], { strict: false })))
  )

  it.effect("rounds that are no number do not go on for ever", () =>
    Effect.gen(function* () {
      const outcome = yield* EvaluatorOptimizer.run(writer, {
        judge: () => Effect.succeed(says(1)),
        rounds: Number.NaN
      })
      assert.deepStrictEqual([outcome.status, outcome.rounds.length], ["exhausted", 1])
    }).pipe(Effect.provide(ScriptedModel.layer([post("a")])))
  )

  it.effect(
    "a judge's own input and instruction stay; its typed failure is the whole's; a score out of range is corrected",
    () =>
      Effect.gen(function* () {
        const strict = judge.pipe(Agent.instruct("Only rhymes pass."), Agent.input("a poem"))
        const outcome = yield* EvaluatorOptimizer.run(writer, { judge: strict, rounds: 0 })
        assert.deepStrictEqual([outcome.status, outcome.verdict.score], ["exhausted", 6])
        const [, judged = ""] = yield* prompts
        assert.include(judged, "Only rhymes pass.")
        assert.include(judged, "a poem")
        assert.notInclude(judged, "the sea")
        const error = yield* Effect.flip(
          EvaluatorOptimizer.run(writer, { judge: () => Effect.fail("no compiler" as const) })
        )
        assert.strictEqual(error, "no compiler")
      }).pipe(Effect.provide(ScriptedModel.layer([post("a"), verdict(11), verdict(6), post("a")])))
  )
})
