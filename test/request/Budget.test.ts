import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent, Budget, Output, Validation } from "effigent"
import { ScriptedModel } from "effigent/testing"

const ask = (name: string) => Agent.make({ name }).pipe(Agent.input("go"), Agent.run)
const usage = { inputTokens: 60, outputTokens: 40 }
const answers = (count: number) =>
  ScriptedModel.layer(Array.from({ length: count }, () => ScriptedModel.text("ok", { usage })))
const sent = Effect.map(ScriptedModel.requests, (all) => all.length)

describe("a budget", () => {
  it.effect("of requests is exact, however many run at once", () =>
    Effect.gen(function* () {
      const results = yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.result(ask("a")), {
        concurrency: "unbounded"
      }).pipe(Budget.within({ name: "job", requests: 3 }))
      assert.strictEqual(results.filter(({ _tag }) => _tag === "Success").length, 3)
      const failed = results.flatMap((result) => (result._tag === "Failure" ? [result.failure] : []))
      assert.isTrue(failed.every((error) => error._tag === "BudgetExceeded" && error.kind === "requests"))
      assert.strictEqual(yield* sent, 3)
    }).pipe(Effect.provide(answers(3)))
  )

  it.effect("counts corrections as requests, and sends none that is not paid for", () =>
    Effect.gen(function* () {
      const agent = Agent.make({
        output: Schema.Struct({ n: Output.ensure(Schema.Int, "N") }),
        budget: { requests: 2 }
      })
      const error = yield* agent.pipe(Agent.input("go"), Agent.run, Effect.flip)
      assert.strictEqual(error._tag, "BudgetExceeded")
      assert.strictEqual(yield* sent, 2)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({}), ScriptedModel.json({})])))
  )

  it.effect("of tokens fails what exceeds it, says by how much, and nothing more is sent", () =>
    Effect.gen(function* () {
      const budget = yield* Budget.make({ name: "tokens", tokens: 250 })
      const work = Effect.all([
        Effect.exit(ask("a")),
        Effect.exit(ask("b")),
        Effect.result(ask("c")),
        Effect.result(ask("d"))
      ])
      const [first, second, third, fourth] = yield* Budget.provide(work, budget)
      assert.isTrue(first._tag === "Success" && second._tag === "Success")
      for (const result of [third, fourth]) {
        assert.strictEqual(result._tag, "Failure")
        if (result._tag !== "Failure" || result.failure._tag !== "BudgetExceeded") return assert.fail("wrong error")
        assert.deepStrictEqual([result.failure.kind, result.failure.limit, result.failure.over], ["tokens", 250, 50])
        assert.include(result.failure.message, '"tokens" is exceeded: 300 of 250 were spent')
      }
      assert.strictEqual(yield* sent, 3)
      assert.deepInclude(yield* budget.spent, { requests: 3, tokens: 300 })
    }).pipe(Effect.provide(answers(3)))
  )

  it.effect("of cost asks for the price of each attempt", () =>
    Effect.gen(function* () {
      const cost = {
        limit: 1,
        of: ({ outputTokens = 0 }, model: string | undefined) => (model === "m" ? outputTokens / 50 : 0)
      }
      const error = yield* Effect.all([ask("a"), ask("b")]).pipe(Budget.within({ cost }), Effect.flip)
      assert.strictEqual(error._tag === "BudgetExceeded" ? error.kind : error._tag, "cost")
      assert.strictEqual(yield* sent, 2)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.text("ok", { usage, info: { model: "m" } }),
          ScriptedModel.text("ok", { usage, info: { model: "m" } })
        ])
      )
    )
  )

  it.effect("of time ends what is under way, and aborts the request", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.flip(ask("a").pipe(Budget.within({ time: "10 seconds" }))))
      yield* TestClock.adjust("10 seconds")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag === "BudgetExceeded" ? error.kind : error._tag, "time")
      assert.strictEqual(yield* ScriptedModel.aborted, 1)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.hang])))
  )

  it.effect("of time that is over sends nothing", () =>
    Effect.gen(function* () {
      const budget = yield* Budget.make({ time: "1 second" })
      yield* TestClock.adjust("2 seconds")
      const error = yield* ask("a").pipe(Budget.provide(budget), Effect.flip)
      assert.strictEqual(error._tag === "BudgetExceeded" ? error.over : error._tag, 1_000)
      assert.strictEqual(yield* sent, 0)
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )

  it.effect("nests: each request has to fit all of them", () =>
    Effect.gen(function* () {
      const inner = Effect.all([Effect.exit(ask("a")), Effect.flip(ask("b"))]).pipe(
        Budget.within({ name: "inner", requests: 1 })
      )
      const [first, second] = yield* inner.pipe(Budget.within({ name: "outer", requests: 5 }))
      assert.strictEqual(first._tag, "Success")
      assert.strictEqual(second._tag === "BudgetExceeded" ? second.budget : second._tag, "inner")
    }).pipe(Effect.provide(answers(1)))
  )

  it.effect("on an agent is for each response by itself, or shared where it is one budget", () =>
    Effect.gen(function* () {
      const own = Agent.make({ budget: { requests: 1 } }).pipe(Agent.input("go"))
      yield* Agent.run(own)
      yield* Agent.run(own)
      const budget = yield* Budget.make({ requests: 1 })
      const shared = Agent.make({ budget }).pipe(Agent.input("go"))
      yield* Agent.run(shared)
      assert.strictEqual((yield* Effect.flip(Agent.run(shared)))._tag, "BudgetExceeded")
    }).pipe(Effect.provide(answers(3)))
  )

  it.effect("is captured when the response is made, and inherited by forks", () =>
    Effect.gen(function* () {
      const response = yield* Agent.make({}).pipe(Agent.input("go"), Agent.respond, Budget.within({ requests: 0 }))
      const fiber = yield* Effect.forkChild(Effect.flip(response.data))
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "BudgetExceeded")
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )

  it.effect("charges what a replaying provider threw away", () =>
    Effect.gen(function* () {
      const budget = yield* Budget.make({ tokens: 1_000 })
      yield* ask("a").pipe(Budget.provide(budget))
      assert.deepInclude(yield* budget.spent, { requests: 2, tokens: 150 })
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.events([
            [{ _tag: "Usage", usage: { outputTokens: 50 } }],
            [{ _tag: "Restarted", reason: "lost" }],
            [{ _tag: "Text", text: "ok" }],
            [
              { _tag: "Usage", usage: { outputTokens: 100 } },
              { _tag: "Finish", reason: "stop" }
            ]
          ])
        ])
      )
    )
  )

  it.effect("that holds twice pays once", () =>
    Effect.gen(function* () {
      const budget = yield* Budget.make({ requests: 2 })
      const agent = Agent.make({ budget }).pipe(Agent.input("go"))
      yield* Agent.run(agent).pipe(Budget.provide(budget), Budget.provide(budget))
      assert.deepInclude(yield* budget.spent, { requests: 1, tokens: 100 })
    }).pipe(Effect.provide(answers(1)))
  )

  it.effect("that forbids a correction leaves the answer before it as the last thing said", () =>
    Effect.gen(function* () {
      const agent = Agent.make({
        output: Schema.Struct({ n: Output.ensure(Schema.Int, "N") }),
        budget: { requests: 1 }
      })
      const response = yield* agent.pipe(Agent.input("go"), Agent.respond)
      const seen: Array<string> = []
      const error = yield* Effect.flip(
        Stream.runForEach(response.deltas, (delta) => Effect.sync(() => void seen.push(delta._tag)))
      )
      assert.strictEqual(error._tag, "BudgetExceeded")
      assert.deepStrictEqual(seen, ["TextDelta"])
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({})])))
  )

  it.effect("of time ends validators too", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ budget: { time: "1 second" } }).pipe(
        Agent.validate(() => Effect.as(Effect.sleep("1 hour"), Validation.pass)),
        Agent.input("go")
      )
      const fiber = yield* Effect.forkChild(Effect.flip(Agent.run(agent)))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "BudgetExceeded")
    }).pipe(Effect.provide(answers(1)))
  )

  it.effect("charges a request that was interrupted", () =>
    Effect.gen(function* () {
      const budget = yield* Budget.make({ tokens: 10 })
      const fiber = yield* Effect.forkChild(ask("a").pipe(Budget.provide(budget)))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      assert.deepInclude(yield* budget.spent, { requests: 1, tokens: 5 })
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.events([[{ _tag: "Usage", usage: { outputTokens: 5 } }], [{ _tag: "Text", text: "never" }]], {
            delay: "1 hour"
          })
        ])
      )
    )
  )
})
