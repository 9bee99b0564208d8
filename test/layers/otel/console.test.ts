/** Traces as people read them, and metrics as programs do. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Metric, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Agent } from "effigent"
import { Measures } from "effigent/durable"
import { Action, Actions } from "effigent/action"
import { ConsoleTraces, Metrics, Otel } from "effigent/layers/otel"
import { ScriptedModel } from "effigent/testing"
import { Chain, TriggerFlow } from "effigent/triggerflow"

const { text, toolCalls } = ScriptedModel

const written = (options: ConsoleTraces.Options = {}) => {
  const texts: Array<string> = []
  const layer = Layer.mergeAll(
    Otel.layer(),
    ConsoleTraces.layer({ times: false, ...options, write: (text) => texts.push(text) }),
    Layer.succeed(Metric.MetricRegistry, new Map())
  )
  return { texts, layer }
}

const dig = Action.make("dig", {
  description: "Digs.",
  input: Schema.Struct({ where: Schema.String }),
  run: () => Effect.fail("too hard")
})
const miner = Agent.make({ name: "miner", model: "small", input: "Find gold." }).pipe(Actions.use([dig]))
const Mine = TriggerFlow.define("mine", { input: Schema.String, result: Schema.String })
const mine = Mine.build(
  Mine.start.pipe(
    Chain.to("work", () => Effect.orDie(Agent.run(miner))),
    Chain.result
  )
)
const session = [
  toolCalls([{ name: "dig", input: { where: "here" } }], { usage: { inputTokens: 10, outputTokens: 4 } }),
  text("Nothing.", { usage: { inputTokens: 30, outputTokens: 2 } })
]

describe("traces on the console", () => {
  it.effect("are trees with tokens and errors", () =>
    Effect.gen(function* () {
      const { layer, texts } = written()
      yield* TriggerFlow.run(mine, "in").pipe(Effect.provide(Layer.merge(ScriptedModel.layer(session), layer)))
      assert.deepStrictEqual(texts.join("").split("\n"), [
        "invoke_workflow mine",
        "`- step work",
        "   `- invoke_agent miner  40 in, 6 out  2 requests",
        "      |- chat small  10 in, 4 out",
        "      |- execute_tool dig  FAILED failed",
        "      `- chat small  30 in, 2 out",
        ""
      ])
    })
  )

  it.effect("have times, where they are not switched off", () =>
    Effect.gen(function* () {
      const { layer, texts } = written({ times: true })
      const model = ScriptedModel.layer([
        ScriptedModel.chunks(["a ", "b"], { latency: "250 millis", delay: "1 second" })
      ])
      const fiber = yield* Effect.forkChild(
        Agent.run(Agent.make({ name: "slow", input: "Hi" })).pipe(Effect.provide(Layer.merge(model, layer)))
      )
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(texts, ["invoke_agent slow  2.25 s\n`- chat  2.25 s  first token 250 ms\n"])
    })
  )

  it.effect("say what was cancelled, what fails, and what was still at work", () =>
    Effect.gen(function* () {
      const { layer, texts } = written({ color: true })
      const never = Effect.withSpan(Effect.never, "never\u001b[2J")
      const program = Effect.gen(function* () {
        yield* Effect.forkDetach(never)
        yield* Effect.yieldNow
        yield* Effect.exit(Effect.withSpan(Effect.fail("no"), "broken"))
        yield* Effect.exit(Effect.withSpan(Effect.interrupt, "stopped"))
      })
      yield* program.pipe(Effect.withSpan("all"), Effect.provide(layer))
      const [shown = ""] = texts
      assert.include(shown, "still at work")
      assert.include(shown, "\u001b[31mFAILED")
      assert.include(shown, "cancelled")
      assert.notInclude(shown, "\u001b[2J")
    })
  )

  it.effect("keep only so many spans", () =>
    Effect.gen(function* () {
      const { layer, texts } = written({ maxSpans: 3 })
      yield* Effect.forEach([1, 2, 3, 4, 5], (n) => Effect.withSpan(Effect.void, `n${n}`)).pipe(
        Effect.withSpan("all"),
        Effect.provide(layer)
      )
      assert.deepStrictEqual(texts, ["all\n|- n1\n`- n2\n... and 3 more spans\n"])
    })
  )
})

describe("metrics", () => {
  it.effect("count tokens and times by model, agent, action and flow", () =>
    Effect.gen(function* () {
      const { layer } = written()
      const counted = TriggerFlow.run(mine, "in").pipe(
        Effect.andThen(Metric.snapshot),
        Effect.provide(Layer.merge(ScriptedModel.layer(session), layer))
      )
      const all = yield* counted
      assert.deepStrictEqual(
        all
          .map(({ id }) => id)
          .filter((id, at, ids) => ids.indexOf(id) === at)
          .toSorted(),
        [...Metrics.names.agents].toSorted()
      )
      const sum = (id: string, attributes: Record<string, string>) =>
        all.flatMap((metric) =>
          metric.type === "Histogram" &&
          metric.id === id &&
          Object.entries(attributes).every(([key, value]) => metric.attributes?.[key] === value)
            ? [[metric.state.count, metric.state.sum]]
            : []
        )
      assert.deepStrictEqual(sum("gen_ai.client.token.usage", { "gen_ai.token.type": "input" }), [[2, 40]])
      assert.deepStrictEqual(sum("gen_ai.client.token.usage", { "gen_ai.token.type": "output" }), [[2, 6]])
      const failed = { "gen_ai.tool.name": "dig", "error.type": "failed" }
      assert.deepStrictEqual(sum("gen_ai.execute_tool.duration", failed), [[1, 0]])
      assert.deepStrictEqual(sum("gen_ai.workflow.duration", { "gen_ai.workflow.name": "mine" }), [[1, 0]])
      assert.deepStrictEqual(sum("gen_ai.invoke_agent.duration", { "gen_ai.agent.name": "miner" }), [[1, 0]])
    })
  )

  it("those of durable executions are listed under their names", () => {
    const own = Object.values(Measures).flatMap((value) => (Metric.isMetric(value) ? [value.id] : []))
    assert.deepStrictEqual(own.toSorted(), [...Metrics.names.executions].toSorted())
  })
})
