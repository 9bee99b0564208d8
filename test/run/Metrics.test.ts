/** What runs have used, by role and by action. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Agent, Output, Session, SessionWindow } from "effigent"
import { Action, Actions } from "effigent/action"
import { SessionStores } from "effigent/layers/store"
import { type Metrics, Relay, Runs } from "effigent/run"
import { ScriptedModel } from "effigent/testing"

const { json, text } = ScriptedModel

const Answer = Schema.Struct({ celsius: Output.ensure(Schema.Int) })
const parser = Agent.make({ name: "parser", output: Answer })
const thinker = Agent.make({ name: "thinker", input: "How hot is it?" })

describe("metrics", () => {
  it.effect("S20 the parser's and the writer's requests stand under their own roles", () =>
    Effect.gen(function* () {
      const parsed = yield* Runs.start(Relay.parse(thinker, parser))
      assert.deepStrictEqual(yield* parsed.result, { celsius: 4 })
      const { roles, total } = yield* parsed.metrics()
      assert.deepStrictEqual(
        Object.entries(roles).map(([role, { requests, usage }]) => [role, requests, usage]),
        [
          ["main", 1, { inputTokens: 10, outputTokens: 5 }],
          ["parser", 2, { inputTokens: 7, outputTokens: 3 }]
        ]
      )
      assert.deepStrictEqual(total.usage, { inputTokens: 17, outputTokens: 8 })
      const { runs } = yield* parsed.snapshot
      assert.deepStrictEqual(
        runs.map(({ agent, depth, role }) => [agent, depth, role]),
        [
          ["thinker", 0, "main"],
          ["thinker", 1, "main"],
          ["parser", 1, "parser"]
        ]
      )

      const rewritten = yield* Runs.start(Relay.rewrite(thinker, Agent.make({ name: "writer" })))
      assert.strictEqual(yield* rewritten.result, "A fresh 4 degrees.")
      assert.deepStrictEqual(Object.keys((yield* rewritten.metrics()).roles), ["main", "output"])
      const model = yield* ScriptedModel.ScriptedModel
      const last = JSON.stringify((yield* model.requests).at(-1)?.prompt)
      assert.include(last, "How hot is it?")
      assert.include(last, "Four.")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          text("Some 4 degrees.", { usage: { inputTokens: 10, outputTokens: 5 } }),
          json({ celsius: "mild" }, { usage: { inputTokens: 3, outputTokens: 1 } }),
          json({ celsius: 4 }, { usage: { inputTokens: 4, outputTokens: 2 } }),
          text("Four."),
          text("A fresh 4 degrees.")
        ])
      )
    )
  )

  it.effect("S20 the memo of a session is of the role memory, a plan of the role plan, others as they are called", () =>
    Effect.gen(function* () {
      const chat = Session.make({ window: SessionWindow.summary({ max: 20, keep: 1 }) })
      const look = Action.make("look", {
        description: "Looks.",
        input: Schema.Struct({}),
        run: () => Effect.succeed(1)
      })
      const talk = Agent.make({ input: "A long question, longer than that." }).pipe(Session.attach(chat, "s"))
      yield* Agent.run(talk)
      yield* Agent.run(talk)
      const all = Effect.gen(function* () {
        yield* Agent.run(talk)
        yield* Agent.make({ input: "?" }).pipe(Actions.use([look], { protocol: "plan" }), Agent.run)
        yield* Agent.make({ input: "?", role: "judge" }).pipe(Agent.run)
        yield* Agent.make({ input: "?" }).pipe(Agent.run, Runs.withRole("critic"))
      })
      const run = yield* Runs.start(all)
      yield* run.result
      const { roles } = yield* run.metrics()
      assert.deepStrictEqual(
        Object.entries(roles)
          .map(([role, { requests }]) => `${role} ${requests}`)
          .toSorted(),
        ["critic 1", "judge 1", "main 2", "memory 1", "plan 1"]
      )
    }).pipe(
      Effect.provide([
        ScriptedModel.layer([
          text("one"),
          text("two"),
          text("a memo"),
          text("three"),
          json({ next: "answer", calls: [] }),
          text("four"),
          text("five"),
          text("six")
        ]),
        SessionStores.memory
      ])
    )
  )

  it.effect(
    "S21 tokens are summed, the first token is the earliest, calls have their times, cost is the program's",
    () =>
      Effect.gen(function* () {
        const slow = Action.make("slow", {
          description: "Takes a while.",
          input: Schema.Struct({ millis: Schema.Int }),
          run: ({ millis }) => Effect.as(Effect.sleep(millis), "done")
        })
        const agent = Agent.make({ input: "?" }).pipe(Actions.use([slow]))
        const run = yield* Runs.start(agent)
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(yield* run.result, "ok")
        const prices: Metrics.Cost = (usage, model, role) =>
          model === "big" && role === "main" ? (usage.inputTokens ?? 0) + 2 * (usage.outputTokens ?? 0) : 0
        const { actions, roles, total } = yield* run.metrics(prices)
        assert.deepStrictEqual(total, {
          requests: 2,
          usage: { inputTokens: 150, outputTokens: 30 },
          cost: 210,
          // The first answer has no text: it took 200 ms, the calls 700 ms, the second answer's first letter 350 ms.
          timeToFirstToken: 1250,
          duration: 1350
        })
        assert.strictEqual(roles["main"]?.duration, 650)
        assert.deepStrictEqual(
          actions.map(({ action, duration, status }) => [action, duration, status]),
          [
            ["slow", 700, "success"],
            ["slow", 300, "success"]
          ]
        )
      }).pipe(
        Effect.provide(
          ScriptedModel.layer([
            ScriptedModel.events(
              [
                [
                  { _tag: "Info", model: "big" },
                  {
                    _tag: "ToolCall",
                    index: 0,
                    id: "a",
                    name: "slow",
                    arguments: '{"millis":700}',
                    input: { millis: 700 }
                  },
                  {
                    _tag: "ToolCall",
                    index: 1,
                    id: "b",
                    name: "slow",
                    arguments: '{"millis":300}',
                    input: { millis: 300 }
                  },
                  { _tag: "Usage", usage: { inputTokens: 50, outputTokens: 10 } },
                  { _tag: "Finish", reason: "tool-calls" }
                ]
              ],
              { latency: 200 }
            ),
            text("ok", {
              latency: 300,
              delay: 50,
              info: { model: "big" },
              chunkSize: 1,
              usage: { inputTokens: 100, outputTokens: 20 }
            })
          ])
        )
      )
  )

  it.effect("metrics of a run at work are those so far", () =>
    Effect.gen(function* () {
      const run = yield* Runs.start(thinker)
      const fiber = yield* Effect.forkChild(run.result)
      yield* TestClock.adjust(300)
      const { total } = yield* run.metrics()
      assert.deepStrictEqual(total, { requests: 1, usage: {}, duration: 0 })
      yield* TestClock.adjust(700)
      yield* Fiber.join(fiber)
      assert.strictEqual((yield* run.metrics()).total.duration, 1000)
      assert.strictEqual((yield* run.metrics()).total.timeToFirstToken, 1000)
    }).pipe(Effect.provide(ScriptedModel.layer([text("ok", { latency: "1 second" })])))
  )
})
