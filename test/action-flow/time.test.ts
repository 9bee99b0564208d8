/** How long the loop of a flow may act. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch } from "effect"
import { TestClock } from "effect/testing"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import { ActionFlow } from "effigent/action-flow"
import { ActionAudit, type ActionEvent } from "effigent/services/Action"
import { ScriptedModel } from "effigent/testing"
import { TriggerFlow } from "effigent/triggerflow"

const { text, toolCalls } = ScriptedModel

const requests = Effect.flatMap(ScriptedModel.ScriptedModel, (model) => model.requests)

describe("the time of a loop in a flow", () => {
  it.effect("is that of the calls one after the other, where they cannot run side by side", () =>
    Effect.gen(function* () {
      const slow = Action.make("slow", { description: "Waits.", run: () => Effect.sleep("3 seconds") })
      const agent = Agent.make({}).pipe(Actions.use([slow], { time: "5 seconds", concurrency: 1 }))
      const statuses: Array<readonly [string, number]> = []
      const fiber = yield* TriggerFlow.run(ActionFlow.make(agent), "x").pipe(
        Effect.provideService(ActionAudit, (event: ActionEvent) =>
          Effect.sync(() => {
            if (event._tag === "ActionEnded") statuses.push([event.record.status, event.record.duration])
          })
        ),
        Effect.forkChild
      )
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(statuses, [
        ["success", 3000],
        ["timeout", 2000],
        ["skipped", 0]
      ])
      const [, last] = yield* requests
      assert.strictEqual(last?.toolChoice, "none")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([
            { name: "slow", input: {} },
            { name: "slow", input: {} },
            { name: "slow", input: {} }
          ]),
          text("done")
        ])
      )
    )
  )

  it.effect("of calls side by side counts once, and that of a wait for approval not at all", () =>
    Effect.gen(function* () {
      const slow = Action.make("slow", { description: "Waits.", run: () => Effect.sleep("3 seconds") })
      // What an approval is bound to is digested outside the fiber: the clock may move only when the call has begun.
      const begun = yield* Latch.make(false)
      const run = () => Effect.andThen(begun.open, Effect.sleep("1 seconds"))
      const pay = Action.make("pay", { description: "Pays.", approval: "always", run })
      const agent = Agent.make({}).pipe(Actions.use([slow, pay], { time: "5 seconds" }))
      const execution = yield* TriggerFlow.open(ActionFlow.make(agent), "x")
      yield* TestClock.adjust("1 hour")
      const [question] = yield* execution.rest
      yield* execution.answer(ActionFlow.Approval, { _tag: "Approved" }, { id: question?.id ?? "" })
      yield* begun.await
      yield* TestClock.adjust("2 seconds")
      const state = (yield* execution.close()).state
      assert.deepStrictEqual(
        state.loop.rounds.flatMap(({ records }) => records.map(({ status }) => status)),
        ["success", "success", "success"]
      )
      assert.strictEqual(state.elapsed, 4000)
      assert.isUndefined(state.loop.status)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([
            { name: "slow", input: {} },
            { name: "pay", input: {} },
            { name: "slow", input: {} }
          ]),
          text("done")
        ])
      )
    )
  )
})
