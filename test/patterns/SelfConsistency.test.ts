import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { Agent } from "effigent"
import { SelfConsistency } from "effigent/patterns"
import { RateLimited } from "effigent/services/ModelError"
import { ScriptedModel } from "effigent/testing"
import { TestClock } from "effect/testing"

const Sum = Schema.Struct({ sum: Schema.Int, how: Schema.String })
const agent = Agent.make({ output: Sum, maxRetries: 0 }).pipe(Agent.input("12 + 30"))

const says = (sum: number, how = "so", options?: ScriptedModel.TextOptions) => ScriptedModel.json({ sum, how }, options)
const fails = ScriptedModel.fail(new RateLimited({ detail: "slow down" }))
const by = ({ sum }: typeof Sum.Type) => sum

const play = (steps: ReadonlyArray<ScriptedModel.Step>) => Effect.provide(ScriptedModel.layer(steps, { strict: false }))

describe("SelfConsistency", () => {
  it.effect("gives the answer that most samples agree on, with the part that agrees", () =>
    Effect.gen(function* () {
      const found = yield* agent.pipe(SelfConsistency.run({ samples: 5, by }))
      assert.deepStrictEqual(found.answer, { sum: 42, how: "first" })
      assert.strictEqual(found.agreement, 3 / 5)
      assert.deepStrictEqual(
        found.groups.map(({ answer, votes }) => [answer.sum, votes]),
        [
          [42, 3],
          [41, 1],
          [40, 1]
        ]
      )
      assert.deepStrictEqual(found.answers.map(by), [41, 42, 42, 40, 42])
      assert.lengthOf(found.failures, 0)
    }).pipe(play([says(41), says(42, "first"), says(42, "second"), says(40), says(42)]))
  )

  it.effect("compares whole answers by their structure where no key is given", () =>
    Effect.gen(function* () {
      const found = yield* SelfConsistency.run(agent, { samples: 3 })
      assert.deepStrictEqual(found.answer, { sum: 2, how: "same" })
      assert.strictEqual(found.agreement, 2 / 3)
    }).pipe(play([says(2, "other"), says(2, "same"), says(2, "same")]))
  )

  it.effect("of equal groups the one of the earliest sample wins, whichever came in first", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(SelfConsistency.run(agent, { samples: 2, by }))
      yield* TestClock.adjust("2 seconds")
      const { agreement, answer } = yield* Fiber.join(fiber)
      assert.deepStrictEqual([answer.sum, agreement], [1, 0.5])
    }).pipe(play([says(1, "late", { latency: "1 second" }), says(2)]))
  )

  it.effect("runs no more samples at once than it may", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(SelfConsistency.run(agent, { samples: 6, concurrency: 2 }))
      const open: Array<number> = []
      for (let second = 0; second < 3; second++) {
        yield* TestClock.adjust("500 millis")
        open.push(yield* ScriptedModel.openStreams)
        yield* TestClock.adjust("500 millis")
      }
      assert.deepStrictEqual(open, [2, 2, 2])
      assert.lengthOf((yield* Fiber.join(fiber)).answers, 6)
    }).pipe(Effect.provide(ScriptedModel.always(says(1, "so", { latency: "1 second" }))))
  )

  it.effect("tolerates failures up to the bound, and tells them", () =>
    Effect.gen(function* () {
      const found = yield* SelfConsistency.run(agent, { samples: 4, tolerate: 2, by })
      assert.deepStrictEqual([found.answer.sum, found.agreement], [7, 1])
      assert.deepStrictEqual(
        found.failures.map(({ error, slot }) => [slot, error._tag]),
        [
          [0, "ModelError"],
          [2, "ModelError"]
        ]
      )
    }).pipe(play([fails, says(7), fails, says(7)]))
  )

  it.effect("one failure too many fails the whole with all of them, and aborts what still runs", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(SelfConsistency.run(agent, { samples: 4, tolerate: 1 }))
      assert.strictEqual(error._tag, "SlotsFailed")
      assert.deepStrictEqual(
        error.failures.map(({ slot }) => slot),
        [0, 3]
      )
      assert.include(error.message, "2 of 4 samples failed, and 1 may")
      assert.strictEqual(yield* ScriptedModel.aborted, 2)
      assert.strictEqual(yield* ScriptedModel.openStreams, 0)
    }).pipe(play([fails, ScriptedModel.hang, ScriptedModel.hang, fails]))
  )

  it.effect("never tolerates that all fail", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(SelfConsistency.run(agent, { samples: 2, tolerate: 9 }))
      assert.lengthOf(error.failures, 2)
      const one = yield* Effect.flip(SelfConsistency.run(agent, { samples: 0, tolerate: Number.NaN }))
      assert.lengthOf(one.failures, 1)
    }).pipe(play([fails, fails, fails]))
  )

  it.effect("with `early`, samples that cannot change the winner are aborted", () =>
    Effect.gen(function* () {
      const found = yield* SelfConsistency.run(agent, { samples: 5, by, early: true })
      assert.deepStrictEqual([found.answer.sum, found.agreement, found.answers.length], [3, 1, 3])
      assert.strictEqual(yield* ScriptedModel.aborted, 2)
    }).pipe(play([says(3), ScriptedModel.hang, says(3), says(3), ScriptedModel.hang]))
  )

  it.effect("counts a seed up from sample to sample, and sets none", () =>
    Effect.gen(function* () {
      yield* SelfConsistency.run(agent.pipe(Agent.options({ seed: 7, temperature: 1 })), { samples: 3, concurrency: 1 })
      yield* SelfConsistency.run(agent, { samples: 1 })
      const seeds = (yield* ScriptedModel.requests).map(({ options }) => options.seed)
      assert.deepStrictEqual(seeds, [7, 8, 9, undefined])
    }).pipe(Effect.provide(ScriptedModel.always(says(1))))
  )

  it.effect("interruption aborts every sample", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(SelfConsistency.run(agent, { samples: 3 }), { startImmediately: true })
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* ScriptedModel.openStreams, 3)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual([yield* ScriptedModel.openStreams, yield* ScriptedModel.aborted], [0, 3])
    }).pipe(Effect.provide(ScriptedModel.always(ScriptedModel.hang)))
  )
})
