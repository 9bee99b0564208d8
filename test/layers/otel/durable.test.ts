/** Executions that are kept by a host: below whoever starts them, and going on after they were left. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Chain, Interrupt, TriggerFlow } from "effigent/triggerflow"
import { journal, runner } from "../../durable/support.ts"
import { Kept } from "./support.ts"

const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.String })
const Wait = TriggerFlow.define("wait", { input: Schema.String, result: Schema.Json, interrupts: [Ask] })
const waiting = Wait.build(
  Wait.start.pipe(
    Chain.to("ask", (text, run) => run.pause(Ask, text)),
    Chain.to("end", (answer) => Effect.succeed(answer)),
    Chain.result
  )
)

describe("durable executions", () => {
  it.effect("stand below whoever starts them, say that they were left, and that they go on", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const flows = TriggerFlow.toLayer(waiting).pipe(Layer.provide(kept.layer()))
      const first = yield* runner(journal(), flows, {
        lease: "10 seconds",
        refresh: "2 seconds",
        idleFor: "30 seconds"
      })
      yield* first
        .in(TriggerFlow.start(Wait, "go on?", { id: "a", autoClose: 0 }))
        .pipe(Effect.withSpan("the program"), Effect.provide(kept.tracer))
      yield* TestClock.adjust("40 seconds")
      const view = yield* first.host.get("a")
      yield* first.host.answer("a", view.questions[0]?.id ?? "", "yes")
      assert.strictEqual((yield* first.host.await("a")).result, "yes")
      assert.deepStrictEqual(kept.tree, [
        "the program",
        "  invoke_workflow wait [effigent.execution.left]",
        "    step ask [effigent.step.paused]",
        "invoke_workflow wait [effigent.execution.resumed]",
        "  step end"
      ])
      assert.deepStrictEqual(
        kept.spans.flatMap(({ attributes }) => attributes.get("effigent.execution.id") ?? []),
        ["a", "a"]
      )
    })
  )

  it.effect("one whose runner dies is gone on with by the next runner, in a trace of its own", () =>
    Effect.gen(function* () {
      const [one, two] = [new Kept(), new Kept()]
      const store = journal()
      const options = { lease: "10 seconds", refresh: "2 seconds" } as const
      const first = yield* runner(store, TriggerFlow.toLayer(waiting).pipe(Layer.provide(one.layer())), options)
      yield* first.in(TriggerFlow.start(Wait, "go on?", { id: "a", autoClose: 0 }))
      yield* first.kill
      const second = yield* runner(store, TriggerFlow.toLayer(waiting).pipe(Layer.provide(two.layer())), options)
      yield* TestClock.adjust("30 seconds")
      const view = yield* second.host.get("a")
      yield* second.host.answer("a", view.questions[0]?.id ?? "", "yes")
      assert.strictEqual((yield* second.host.await("a")).result, "yes")
      assert.strictEqual(one.of("invoke_workflow wait")["effigent.execution.status"], "left")
      assert.deepStrictEqual(two.tree, ["invoke_workflow wait [effigent.execution.resumed]", "  step end"])
      assert.strictEqual(two.of("invoke_workflow wait")["effigent.execution.resumed"], true)
    })
  )
})
