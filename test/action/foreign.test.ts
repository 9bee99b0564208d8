// Actions of tools that others define, and actions under another policy.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import { ApprovalGate, type ApprovalRequest } from "effigent/services/Action"
import { ExecutorError, Unavailable } from "effigent/services/ActionExecutor"
import type { Json } from "effigent/services/Json"
import { ScriptedModel } from "effigent/testing"

// The records of one round of calls.
const recordsOf = <E, R>(action: Action.Action<never, unknown, E, R>, inputs: ReadonlyArray<Json>) =>
  Effect.map(
    Agent.whole(Agent.make({ input: "?" }).pipe(Actions.use([action]))).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.toolCalls(inputs.map((input) => ({ name: action.name, input }))),
          ScriptedModel.text("done")
        ])
      )
    ),
    (full) => full.meta.actions?.rounds.flatMap(({ records }) => records) ?? []
  )

const input = { type: "object", properties: { text: { type: "string" } }, required: ["text"] }

describe("an action from a JSON Schema", () => {
  it.effect("is shown to the model as it is, and its handler gets what the check lets pass, unchanged", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const echo = Action.fromJsonSchema("echo", {
        description: "Says it again.",
        input,
        check: Schema.decodeUnknownEffect(Schema.Struct({ text: Schema.String })),
        run: (given) => Effect.sync(() => (seen.push(given), given))
      })
      const records = yield* recordsOf(echo, [{ text: "hi", more: 1 }, { text: 2 }])
      assert.deepStrictEqual(
        records.map(({ status }) => status),
        ["success", "invalid"]
      )
      assert.deepStrictEqual(seen, [{ text: "hi", more: 1 }])
      assert.strictEqual(echo.policy.sideEffect, "once")
    })
  )

  it.effect("is recorded as uncertain where its connection broke after the call was sent, else as failed", () =>
    Effect.gen(function* () {
      const far = Action.fromJsonSchema("far", {
        input,
        run: (given) => {
          const reason = new Unavailable({ detail: "gone", uncertain: JSON.stringify(given).includes("sent") })
          return Effect.fail(new ExecutorError({ executor: "test", subject: "far", reason }))
        }
      })
      const records = yield* recordsOf(far, [{ text: "sent" }, { text: "kept" }])
      assert.deepStrictEqual(
        records.map(({ status }) => status),
        ["uncertain", "failed"]
      )
    })
  )
})

describe("an action under another policy", () => {
  it.effect("has what is named anew, approval and what it is bound to as well, and keeps the rest", () =>
    Effect.gen(function* () {
      const requests: Array<ApprovalRequest> = []
      const gate = Layer.succeed(ApprovalGate, (request) =>
        Effect.sync(() => {
          requests.push(request)
          return { _tag: "Approved" } as const
        })
      )
      const own = Action.fromJsonSchema("own", {
        input,
        sideEffect: "pure",
        maxCalls: 3,
        run: () => Effect.succeed(1)
      })
      const other = Action.configure(own, {
        approval: "always",
        timeout: "1 second",
        resources: () => Effect.succeed("version 1")
      })
      assert.deepInclude(other.policy, { sideEffect: "pure", maxCalls: 3 })
      assert.isUndefined(own.policy.timeout)
      const [record] = yield* Effect.provide(recordsOf(other, [{ text: "x" }]), gate)
      assert.strictEqual(record?.status, "success")
      assert.deepStrictEqual(
        requests.map(({ resources }) => resources),
        ["version 1"]
      )
      yield* Effect.provide(recordsOf(own, [{ text: "x" }]), gate)
      assert.strictEqual(requests.length, 1)
    })
  )
})
