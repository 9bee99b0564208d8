// Five ways of asking, as small programs over agents: reasoning before the answer, a vote over several answers, a plan
// whose steps are done one after the other, a writer with a judge, and thoughts and actions in turns.
//
//   npm run example examples/26-patterns.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"
import { Agent, Output } from "effigent"
import { Action } from "effigent/action"
import { ChainOfThought, EvaluatorOptimizer, PlanAndSolve, ReAct, SelfConsistency } from "effigent/patterns"
import { RateLimited } from "effigent/services/ModelError"
import { ScriptedModel } from "effigent/testing"

const Count = Schema.Struct({ apples: Output.ensure(Schema.Int, "How many are good") })
const counter = Agent.make({ instruct: "Count the good apples.", output: Count, options: { temperature: 1 } })
const question = "Three boxes of four apples, two apples are rotten."

const apples = (count: number) => ScriptedModel.json({ apples: count })

const chainOfThought = Effect.gen(function* () {
  const { answer, reasoning } = yield* counter.pipe(ChainOfThought.attach(), Agent.input(question), Agent.run)
  yield* Console.log(`chain of thought: ${answer.apples} apples, because ${reasoning}`)
}).pipe(
  Effect.provide(
    ScriptedModel.layer([
      ScriptedModel.json({ reasoning: "Three times four is 12, two are rotten.", answer: { apples: 10 } })
    ])
  )
)

const selfConsistency = Effect.gen(function* () {
  const asked = counter.pipe(Agent.input(question))
  const { answer, answers, failures, groups } = yield* SelfConsistency.run(asked, {
    samples: 6,
    concurrency: 3,
    tolerate: 1
  })
  const votes = `${groups[0]?.votes} of ${answers.length}`
  yield* Console.log(
    `self-consistency: ${answer.apples} with ${votes}, after ${failures.length === 1 ? "one failure" : "failures"}`
  )
}).pipe(
  Effect.provide(
    ScriptedModel.layer([
      apples(12),
      apples(10),
      ScriptedModel.fail(new RateLimited({ detail: "slow down" })),
      apples(10),
      apples(10),
      apples(10)
    ])
  )
)

const planAndSolve = Effect.gen(function* () {
  const asked = counter.pipe(Agent.input("Two boxes of four apples, two apples are rotten."))
  const { answer, steps } = yield* PlanAndSolve.run(asked, { maxSteps: 3 })
  const way = steps.map(({ result, step }) => `${step.goal} -> ${result}`).join(", ")
  yield* Console.log(`plan and solve: ${way}; ${answer.apples} apples`)
}).pipe(
  Effect.provide(
    ScriptedModel.layer([
      ScriptedModel.json({ steps: [{ goal: "2 boxes of 4" }, { goal: "take 2 away" }] }),
      ScriptedModel.json({ result: "8" }),
      ScriptedModel.json({ result: "6" }),
      apples(6)
    ])
  )
)

const evaluator = Effect.gen(function* () {
  const writer = Agent.make({ instruct: "Write a line for the crate." }).pipe(Agent.input(question))
  const judge = Agent.make({ system: "You edit labels.", model: "small" })
  const { answer, rounds, status } = yield* EvaluatorOptimizer.run(writer, { judge, rounds: 3 })
  yield* Console.log(`evaluator: ${status} in round ${rounds.length}: ${answer}`)
}).pipe(
  Effect.provide(
    ScriptedModel.layer([
      ScriptedModel.text("Apples."),
      ScriptedModel.json({ feedback: "Say how many, and that they are good.", score: 3, accepted: false }),
      ScriptedModel.text("Ten good apples."),
      ScriptedModel.json({ feedback: "", score: 9, accepted: true })
    ])
  )
)

const look = Action.make("look", {
  description: "Looks into a box and counts the rotten apples.",
  input: Schema.Struct({ box: Schema.Int }),
  sideEffect: "pure",
  run: ({ box }) => Effect.succeed(box === 2 ? 2 : 0)
})
const looks = (thought: string, ...boxes: ReadonlyArray<number>) =>
  ScriptedModel.json({
    thought,
    next: boxes.length === 0 ? "answer" : "call",
    calls: boxes.map((box) => ({ purpose: "count", action: "look", input: { box } }))
  })

const react = Effect.gen(function* () {
  const { answer, steps } = yield* ReAct.run(counter.pipe(Agent.input("Three boxes of four apples.")), [look])
  for (const { calls, thought } of steps) {
    yield* Console.log(`react: ${thought} -> ${calls.map(({ result }) => result).join(", ")}`)
  }
  yield* Console.log(`react: ${answer.apples} apples`)
}).pipe(
  Effect.provide(
    ScriptedModel.layer([
      looks("I look into the first.", 1),
      looks("None there; the others.", 2, 3),
      looks("Two of twelve."),
      apples(10)
    ])
  )
)

NodeRuntime.runMain(Effect.all([chainOfThought, selfConsistency, planAndSolve, evaluator, react], { discard: true }))
