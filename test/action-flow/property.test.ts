/** Two drivers, one semantics: what a flow does, saved and loaded at random points, is what the loop in a response does. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Option, Schema, Scope } from "effect"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import { ActionFlow } from "effigent/action-flow"
import { type ActionRound, ApprovalGate, type Decision } from "effigent/services/Action"
import { ScriptedModel } from "effigent/testing"
import { TriggerFlow } from "effigent/triggerflow"

const kinds = ["free", "gated", "fails", "retries", "unknown", "invalid", "stops"] as const

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const many = <S extends Schema.Top>(item: S, minimum: number, maximum: number) =>
  Schema.Array(item).check(Schema.isMinLength(minimum), Schema.isMaxLength(maximum))

const Script = Schema.Struct({
  rounds: many(many(Schema.Literals(kinds), 1, 4), 0, 4),
  /** Whether the call with this number is approved. */
  approve: many(Schema.Boolean, 3, 9),
  /** Whether the flow is saved and loaded before it is answered. */
  reload: many(Schema.Boolean, 3, 9),
  limits: Schema.Struct({ rounds: between(1, 5), calls: between(1, 12), failures: between(1, 3) })
})
type Script = typeof Script.Type

// Each call is told apart by `n`; what ran stands in `ran`.
const agentOf = ({ limits }: Script, ran: Array<number>) => {
  const input = Schema.Struct({ n: Schema.Int })
  const act = (name: string, result: (n: number) => Effect.Effect<unknown, unknown>, approval?: "always") =>
    Action.make(name, {
      description: name,
      input,
      ...(approval === undefined ? {} : { approval }),
      run: ({ n }) => Effect.suspend(() => (ran.push(n), result(n)))
    })
  return Agent.make({ input: "Go." }).pipe(
    Actions.use(
      [
        act("free", Effect.succeed),
        act("gated", Effect.succeed, "always"),
        act("fails", (n) => Effect.fail(new Error(`no ${n}`))),
        act("retries", (n) => Action.retry(`again ${n}`)),
        act("stops", (n) => Action.stop(`stopped ${n}`))
      ],
      limits
    )
  )
}

const modelOf = ({ rounds }: Script) => {
  let n = 0
  const steps = rounds.map((round) =>
    ScriptedModel.toolCalls(
      round.map((kind) => ({ name: kind === "invalid" ? "free" : kind, input: kind === "invalid" ? {} : { n: n++ } }))
    )
  )
  return ScriptedModel.layer([...steps, ScriptedModel.text("done")], { strict: false })
}

const decisionOf = ({ approve }: Script, input: unknown): Decision => {
  const { n } = Schema.decodeUnknownSync(Schema.Struct({ n: Schema.Int }))(input)
  return approve[n % approve.length] === true ? { _tag: "Approved" } : { _tag: "Denied", note: `not ${n}` }
}

const Asked = Schema.Struct({ call: Schema.Struct({ input: Schema.Json }) })

// What is not a matter of the clock.
const transcript = (rounds: ReadonlyArray<ActionRound>) =>
  rounds.map(({ records, text }) => ({
    text,
    records: records.map(({ call, decision, result, sideEffect, status, tries }) => ({
      call,
      status,
      result,
      tries,
      decision,
      sideEffect
    }))
  }))

const inResponse = (script: Script) =>
  Effect.gen(function* () {
    const ran: Array<number> = []
    const full = yield* Agent.whole(agentOf(script, ran))
    const sent = (yield* ScriptedModel.requests).map(({ prompt, toolChoice }) => [prompt, toolChoice])
    return { answer: full.data, rounds: transcript(full.meta.actions?.rounds ?? []), ran: ran.toSorted(), sent }
  }).pipe(
    Effect.provideService(ApprovalGate, ({ call }) => Effect.succeed(decisionOf(script, call.input))),
    Effect.provide(modelOf(script))
  )

const asFlow = (script: Script) =>
  Effect.gen(function* () {
    const ran: Array<number> = []
    const flow = ActionFlow.make(agentOf(script, ran), { prompt: (agent) => agent })
    let scope = Scope.makeUnsafe()
    let execution = yield* Scope.provide(TriggerFlow.open(flow, ""), scope)
    for (let answers = 0; ; answers++) {
      const [question] = yield* execution.rest
      if (question === undefined) break
      if (script.reload[answers % script.reload.length] === true) {
        const saved: unknown = JSON.parse(JSON.stringify(yield* execution.save()))
        yield* Scope.close(scope, Exit.void)
        scope = Scope.makeUnsafe()
        execution = yield* Scope.provide(TriggerFlow.load(flow, saved), scope)
        yield* execution.rest
      }
      const { call } = Schema.decodeUnknownSync(Asked)(question.payload)
      yield* execution.answer(ActionFlow.Approval, decisionOf(script, call.input), { id: question.id })
    }
    const { result, state } = yield* execution.await
    yield* Scope.close(scope, Exit.void)
    const sent = (yield* ScriptedModel.requests).map(({ prompt, toolChoice }) => [prompt, toolChoice])
    return {
      answer: Option.getOrThrow(result),
      rounds: transcript(state.loop.rounds),
      ran: ran.toSorted(),
      sent
    }
  }).pipe(Effect.provide(modelOf(script)))

describe("a flow of actions and the loop in a response", () => {
  it.effect.prop(
    "S42 any script of turns, decisions and restarts gives the same prompts, records and answer, and runs nothing twice",
    [Script],
    ([script]) =>
      Effect.gen(function* () {
        const one = yield* inResponse(script)
        const other = yield* asFlow(script)
        assert.deepStrictEqual(other, one)
        assert.strictEqual(new Set(other.ran).size, other.ran.length)
      }),
    300_000
  )
})
