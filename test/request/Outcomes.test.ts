/** How a response ends where the model or its provider does not complete the answer. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { Agent } from "effigent"
import { ScriptedModel } from "effigent/testing"

const answer = Agent.make({ output: Schema.Struct({ note: Schema.String }) }).pipe(Agent.input("go"))
const requests = Effect.map(ScriptedModel.requests, (all) => all.length)

describe("outcomes of an answer that is not completed", () => {
  it.effect("a refusal is Refused with the model's words, after one request", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Agent.run(answer))
      if (error._tag !== "ModelError" || error.reason._tag !== "Refused") return assert.fail(String(error))
      assert.strictEqual(error.reason.code, "refusal")
      assert.strictEqual(error.reason.detail, "I cannot.")
      assert.isFalse(error.isRetryable)
      assert.strictEqual(yield* requests, 1)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.events([
            [
              { _tag: "Refusal", text: "I can" },
              { _tag: "Refusal", text: "not." }
            ],
            [{ _tag: "Finish", reason: "stop" }]
          ])
        ])
      )
    )
  )

  it.effect(
    "a content filter is Refused even where the text is a whole value, and what came before stays readable",
    () =>
      Effect.gen(function* () {
        const response = yield* Agent.respond(answer)
        const deltas: Array<unknown> = []
        const error = yield* response.deltas.pipe(
          Stream.runForEach((delta) => Effect.sync(() => void deltas.push(delta))),
          Effect.flip
        )
        if (error._tag !== "ModelError" || error.reason._tag !== "Refused") return assert.fail(String(error))
        assert.strictEqual(error.reason.code, "content_filter")
        assert.include(JSON.stringify(deltas), "half of it")
        assert.strictEqual(yield* requests, 1)
      }).pipe(
        Effect.provide(
          ScriptedModel.layer([ScriptedModel.chunks([`{"note":"half of it"}`], { finish: "content-filter" })])
        )
      )
  )

  it.effect("an answer that the token limit cuts again and again is an OutputError that says so", () =>
    Effect.gen(function* () {
      const error = yield* answer.pipe(Agent.settings({ maxRetries: 1 }), Agent.run, Effect.flip)
      if (error._tag !== "OutputError") return assert.fail(String(error))
      assert.deepStrictEqual(
        error.attempts.map(({ findings }) => findings[0]?.kind),
        ["cut", "cut"]
      )
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.text(`{"note":"a very`, { finish: "length" }),
          ScriptedModel.text(`{"note":"still`, { finish: "length" })
        ])
      )
    )
  )

  it.effect("a value that is whole before the limit is taken, and free text as it is; meta says `length`", () =>
    Effect.gen(function* () {
      const whole = yield* Agent.respond(answer)
      assert.deepStrictEqual(yield* whole.data, { note: "short" })
      assert.strictEqual((yield* whole.meta).finishReason, "length")
      const text = yield* Agent.make({}).pipe(Agent.input("go"), Agent.respond)
      assert.strictEqual(yield* text.data, "Once upon a")
      assert.strictEqual((yield* text.meta).finishReason, "length")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.text(`{"note":"short"}`, { finish: "length" }),
          ScriptedModel.text("Once upon a", { finish: "length" })
        ])
      )
    )
  )
})
