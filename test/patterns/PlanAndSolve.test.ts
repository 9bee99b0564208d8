import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Agent } from "effigent"
import { PlanAndSolve } from "effigent/patterns"
import { ScriptedModel } from "effigent/testing"

const Price = Schema.Struct({ euros: Schema.Int })
const trip = Agent.make({ system: "You plan trips.", output: Price }).pipe(Agent.input("What does the trip cost?"))

const plan = (...goals: ReadonlyArray<string>) => ScriptedModel.json({ steps: goals.map((goal) => ({ goal })) })

const prompts = Effect.map(ScriptedModel.requests, (requests) =>
  requests.map(({ prompt }) => {
    const message = prompt.content.at(-1)
    const part = message?.role === "user" ? message.content[0] : undefined
    return part?.type === "text" ? part.text : ""
  })
)

describe("PlanAndSolve", () => {
  it.effect("plans, does each step with what came before, and answers with the agent's own output", () =>
    Effect.gen(function* () {
      const { answer, steps } = yield* trip.pipe(PlanAndSolve.run())
      const text: string | undefined = steps[0]?.result
      assert.strictEqual(text, "train: 120")
      assert.deepStrictEqual(answer, { euros: 200 })
      assert.deepStrictEqual(steps, [
        { step: { goal: "Price of the train" }, result: "train: 120" },
        { step: { goal: "Price of the room" }, result: "room: 80" }
      ])
      const [planned = "", first = "", second = "", last = ""] = yield* prompts
      for (const text of [planned, first, second, last]) assert.include(text, "What does the trip cost?")
      assert.include(planned, "at most 8 steps")
      assert.include(first, "Do this step of the plan, and no other: Price of the train")
      assert.notInclude(first, "results so far")
      assert.include(second, "train: 120")
      assert.include(last, "room: 80")
      assert.include(last, "euros")
      const systems = (yield* ScriptedModel.requests).map(({ prompt }) => prompt.content[0]?.content)
      assert.deepStrictEqual(
        systems,
        Array.from({ length: 4 }, () => "You plan trips.")
      )
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          plan("Price of the train", "Price of the room"),
          ScriptedModel.json({ result: "train: 120" }),
          ScriptedModel.json({ result: "room: 80" }),
          ScriptedModel.json({ euros: 200 })
        ])
      )
    )
  )

  it.effect("a function does the steps, with plan, index and results; its failures and results are typed", () =>
    Effect.gen(function* () {
      const seen: Array<ReadonlyArray<unknown>> = []
      const { steps } = yield* PlanAndSolve.run(trip, {
        solve: (_step, { done, index, plan }) => {
          seen.push([index, plan.steps.length, ...done.map(({ result }) => result)])
          return Effect.succeed((index + 1) * 10)
        }
      })
      const results: ReadonlyArray<number> = steps.map(({ result }) => result)
      assert.deepStrictEqual(results, [10, 20, 30])
      assert.deepStrictEqual(seen, [
        [0, 3],
        [1, 3, 10],
        [2, 3, 10, 20]
      ])
      const error = yield* Effect.flip(
        PlanAndSolve.run(trip, {
          solve: ({ goal }) => (goal === "b" ? Effect.fail("closed" as const) : Effect.succeed(1))
        })
      )
      assert.strictEqual(error, "closed")
    }).pipe(
      Effect.provide(ScriptedModel.layer([plan("a", "b", "c"), ScriptedModel.json({ euros: 60 }), plan("a", "b", "c")]))
    )
  )

  it.effect("an agent of its own does the steps with its own output, and another one plans", () =>
    Effect.gen(function* () {
      const planner = Agent.make({ system: "You plan." })
      const solver = Agent.make({ system: "You look prices up.", output: Price })
      const { steps } = yield* PlanAndSolve.run(trip, { planner, solve: solver })
      assert.deepStrictEqual(
        steps.map(({ result }) => result.euros),
        [5]
      )
      const systems = (yield* ScriptedModel.requests).map(({ prompt }) => prompt.content[0]?.content)
      assert.deepStrictEqual(systems, ["You plan.", "You look prices up.", "You plan trips."])
      for (const text of yield* prompts) assert.include(text, "What does the trip cost?")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([plan("a"), ScriptedModel.json({ euros: 5 }), ScriptedModel.json({ euros: 5 })])
      )
    )
  )

  it.effect("a plan that is too long, or empty, goes back to the planner", () =>
    Effect.gen(function* () {
      const { steps } = yield* PlanAndSolve.run(trip, { maxSteps: 2, solve: () => Effect.succeed(0) })
      assert.deepStrictEqual(
        steps.map(({ step }) => step.goal),
        ["a", "b"]
      )
      const [, second = "", third = ""] = yield* prompts
      assert.include(second, "3 steps are more than 2. Join some.")
      assert.include(third, "steps")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([plan("a", "b", "c"), plan(), plan("a", "b"), ScriptedModel.json({ euros: 1 })])
      )
    )
  )
})
