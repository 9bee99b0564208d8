import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Agent, CurrentTime, Output } from "effigent"
import { ScriptedModel } from "effigent/testing"

// The sections [CURRENT TIME] of all requests.
const told = Effect.map(ScriptedModel.requests, (all) =>
  all.map(({ prompt }) => /\[CURRENT TIME\]:\\n(.*?)\\n/.exec(JSON.stringify(prompt.content))?.[1])
)
const answers = (count: number) =>
  Effect.provide(ScriptedModel.layer(Array.from({ length: count }, () => ScriptedModel.text("ok"))))

describe("CurrentTime", () => {
  it.effect("each run is told its own time, from the Clock, with the weekday", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ input: "Which day is it?" }).pipe(CurrentTime.attach())
      yield* TestClock.setTime(Date.UTC(2026, 10, 21, 23, 30))
      yield* Agent.run(agent)
      yield* TestClock.adjust("1 hour")
      yield* Agent.run(agent)
      assert.deepStrictEqual(yield* told, [
        "Saturday 2026-11-21T23:30:00.000+00:00[UTC]",
        "Sunday 2026-11-22T00:30:00.000+00:00[UTC]"
      ])
    }).pipe(answers(2))
  )

  it.effect("in a time zone by its name or its offset, weekday included", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2026, 10, 21, 23, 30))
      const agent = Agent.make({ input: "Which day is it?" })
      yield* Agent.run(CurrentTime.attach(agent, { zone: "Europe/Berlin" }))
      yield* agent.pipe(CurrentTime.attach({ zone: "-05:00" }), Agent.run)
      assert.deepStrictEqual(yield* told, [
        "Sunday 2026-11-22T00:30:00.000+01:00[Europe/Berlin]",
        "Saturday 2026-11-21T18:30:00.000-05:00"
      ])
    }).pipe(answers(2))
  )

  it.effect("corrections are told the same time; the agent's own slot counts instead", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ output: { n: Output.ensure(Schema.Int, "n") }, input: "q" })
      const running = yield* Effect.forkChild(agent.pipe(CurrentTime.attach(), Agent.run), { startImmediately: true })
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(running)
      yield* agent.pipe(Agent.slots({ custom: { "current time": "noon" } }), CurrentTime.attach(), Agent.run)
      const [first, second, third] = yield* told
      assert.isString(first)
      assert.strictEqual(first, second)
      assert.strictEqual(third, "noon")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json({}, { latency: "1 hour" }),
          ScriptedModel.json({ n: 1 }),
          ScriptedModel.json({ n: 1 })
        ])
      )
    )
  )

  it.effect("a zone that there is not is a PromptError, and nothing is sent", () =>
    Effect.gen(function* () {
      const error = yield* Agent.make({ input: "q" }).pipe(
        CurrentTime.attach({ zone: "Mars/Base" }),
        Agent.run,
        Effect.flip
      )
      assert.strictEqual(error._tag, "PromptError")
      assert.include(error.message, "Mars/Base")
    }).pipe(answers(0))
  )

  it.effect("no agent is told by itself", () =>
    Effect.gen(function* () {
      yield* Agent.run(Agent.make({ info: { a: 1 }, input: "q" }))
      assert.deepStrictEqual(yield* told, [undefined])
    }).pipe(answers(1))
  )
})
