/** Approvals as questions of a flow: who waits, who runs meanwhile, what an answer is good for, what a crash leaves. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Layer, Option, Ref, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent, Session } from "effigent"
import { Action, Actions } from "effigent/action"
import { ActionFlow } from "effigent/action-flow"
import { SessionStores, SnapshotStores } from "effigent/layers/store"
import type { ModelRequest } from "effigent/services/ModelProvider"
import { SnapshotStore } from "effigent/services/SnapshotStore"
import { ScriptedModel } from "effigent/testing"
import { TriggerFlow } from "effigent/triggerflow"

const { text, toolCalls } = ScriptedModel

/** The snapshot as another process reads it. */
const asText = (json: unknown): unknown => JSON.parse(JSON.stringify(json))

const approved = { _tag: "Approved", by: "Ada" } as const

const results = (request: ModelRequest | undefined) =>
  request?.prompt.content
    .flatMap((message) => (message.role === "tool" ? message.content : []))
    .flatMap((part) => (part.type === "tool-result" ? [[part.id, part.result, part.isFailure] as const] : []))

const first = <A>(list: ReadonlyArray<A>): A => Option.getOrThrow(Option.fromUndefinedOr(list[0]))

// An agent with an action that has to be approved and one that has not, and what they did.
const workshop = () => {
  const did: Array<string> = []
  const pay = Action.make("pay", {
    description: "Pays.",
    input: Schema.Struct({ euros: Schema.Number }),
    approval: "always",
    run: ({ euros }, { key }) => Effect.sync(() => (did.push(`pay ${euros} ${key}`), `paid ${euros}`))
  })
  const look = Action.make("look", {
    description: "Looks.",
    sideEffect: "pure",
    run: () => Effect.sync(() => (did.push("look"), "seen"))
  })
  return { did, pay, look, agent: Agent.make({ name: "clerk" }).pipe(Actions.use([pay, look])) }
}

const both = toolCalls([
  { name: "pay", input: { euros: 20 } },
  { name: "look", input: {} }
])

describe("approvals in a flow", () => {
  it.effect("S41 a batch of a gated and a free call: the free one runs, the run waits with one question", () =>
    Effect.gen(function* () {
      const { agent, did } = workshop()
      const execution = yield* TriggerFlow.open(ActionFlow.make(agent), "Pay.")
      const questions = yield* execution.rest
      assert.strictEqual(yield* execution.status, "waiting")
      assert.deepStrictEqual(did, ["look"])
      assert.strictEqual(questions.length, 1)
      const request = Schema.decodeUnknownSync(ActionFlow.Approval.payload)(first(questions).payload)
      assert.deepInclude(request, { description: "Pays.", sideEffect: "once" })
      assert.match(first(questions).id, /^call_1:[0-9a-f]{16}$/)
      yield* execution.answer(ActionFlow.Approval, approved, { id: first(questions).id })
      assert.deepStrictEqual((yield* execution.close()).result, Option.some("done"))
      assert.deepStrictEqual(did, ["look", `pay 20 ${execution.id}/call_1`])
      assert.deepStrictEqual(results((yield* ScriptedModel.requests)[1]), [
        ["call_1", "paid 20", false],
        ["call_2", "seen", false]
      ])
    }).pipe(Effect.provide(ScriptedModel.layer([both, text("done")])))
  )

  it.effect("S42 confirmed in another process: the gated call runs once, the free one not again", () =>
    Effect.gen(function* () {
      const before = workshop()
      const process = Scope.makeUnsafe()
      const execution = yield* Scope.provide(
        TriggerFlow.open(ActionFlow.make(before.agent), "Pay.", { id: "run-7" }),
        process
      )
      yield* execution.rest
      const saved = asText(yield* execution.save())
      yield* Scope.close(process, Exit.void)
      const after = workshop()
      const again = yield* TriggerFlow.load(ActionFlow.make(after.agent), saved)
      const [question] = yield* again.rest
      yield* again.answer(ActionFlow.Approval, approved, { id: question?.id ?? "" })
      assert.deepStrictEqual((yield* again.close()).result, Option.some("done"))
      assert.deepStrictEqual([before.did, after.did], [["look"], ["pay 20 run-7/call_1"]])
    }).pipe(Effect.provide(ScriptedModel.layer([both, text("done")])))
  )

  it.effect("S43 the note of a denial is what the model is told; the action does not run", () =>
    Effect.gen(function* () {
      const { agent, did } = workshop()
      const execution = yield* TriggerFlow.open(ActionFlow.make(agent), "Pay.")
      const [question] = yield* execution.rest
      const denied = { _tag: "Denied", note: "not before Monday" } as const
      yield* execution.answer(ActionFlow.Approval, denied, { id: question?.id ?? "" })
      const { state } = yield* execution.close()
      assert.deepStrictEqual(did, ["look"])
      assert.deepStrictEqual(first(results((yield* ScriptedModel.requests)[1]) ?? []), [
        "call_1",
        { error: "not before Monday" },
        true
      ])
      const record = first(state.loop.rounds).records[0]
      assert.deepStrictEqual([record?.status, record?.tries, record?.decision], ["denied", 0, denied])
    }).pipe(Effect.provide(ScriptedModel.layer([both, text("done")])))
  )

  it.effect("S44 an unresolved question waits on, loaded as often as one likes, and is no denial", () =>
    Effect.gen(function* () {
      const { agent, did } = workshop()
      const flow = ActionFlow.make(agent)
      let saved: unknown
      const ids = new Set<string>()
      for (let time = 0; time < 3; time++) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const execution = yield* saved === undefined
              ? TriggerFlow.open(flow, "Pay.")
              : TriggerFlow.load(flow, saved)
            const questions = yield* execution.rest
            yield* TestClock.adjust("30 days")
            assert.strictEqual(yield* execution.status, "waiting")
            for (const { id } of questions) ids.add(id)
            const refused = yield* Effect.flip(execution.close())
            assert.include(String(refused), "call_1")
            saved = asText(yield* execution.save())
          })
        )
      }
      assert.deepStrictEqual([did, ids.size], [["look"], 1])
      assert.strictEqual((yield* ScriptedModel.requests).length, 1)
    }).pipe(Effect.provide(ScriptedModel.layer([both, text("done")])))
  )

  it.effect(
    "S45 what was approved has changed: it is refused and asked for again, and an old answer answers nothing",
    () =>
      Effect.gen(function* () {
        let version = 1
        const did: Array<number> = []
        const overwrite = Action.make("overwrite", {
          description: "Overwrites the file.",
          approval: "always",
          resources: () => Effect.sync(() => ({ file: "a.txt", version })),
          run: () => Effect.sync(() => did.push(version))
        })
        const flow = ActionFlow.make(Agent.make({}).pipe(Actions.use([overwrite])))
        const execution = yield* TriggerFlow.open(flow, "Go.")
        const [question] = yield* execution.rest
        assert.deepInclude(question?.payload, { resources: { file: "a.txt", version: 1 } })
        version = 2
        yield* execution.answer(ActionFlow.Approval, approved, { id: question?.id ?? "" })
        const [again] = yield* execution.rest
        assert.deepStrictEqual(did, [])
        assert.deepInclude(again?.payload, { resources: { file: "a.txt", version: 2 } })
        assert.notStrictEqual(again?.id, question?.id)
        yield* Effect.flip(execution.answer(ActionFlow.Approval, approved, { id: question?.id ?? "" }))
        // Back to what was approved once: that approval is spent.
        version = 1
        yield* execution.answer(ActionFlow.Approval, approved, { id: again?.id ?? "" })
        const [third] = yield* execution.rest
        assert.notStrictEqual(third?.id, question?.id)
        yield* execution.answer(ActionFlow.Approval, approved, { id: third?.id ?? "" })
        yield* execution.close()
        assert.deepStrictEqual(did, [1])
      }).pipe(Effect.provide(ScriptedModel.layer([toolCalls([{ name: "overwrite", input: {} }]), text("ok")])))
  )

  it.effect("S45 a snapshot whose arguments were changed behind the approval asks again", () =>
    Effect.gen(function* () {
      const { agent, did } = workshop()
      const flow = ActionFlow.make(agent)
      const saved = yield* Effect.scoped(
        Effect.gen(function* () {
          const execution = yield* TriggerFlow.open(flow, "Pay.")
          yield* execution.rest
          return JSON.stringify(yield* execution.save())
        })
      )
      const forged = JSON.parse(saved.replaceAll('"euros":20', '"euros":2000'))
      const execution = yield* TriggerFlow.load(flow, forged)
      const [question] = yield* execution.rest
      // The question still speaks of what was asked; its answer is one to that, and not to this.
      yield* execution.answer(ActionFlow.Approval, approved, { id: question?.id ?? "" })
      const [again] = yield* execution.rest
      assert.notStrictEqual(again?.id, question?.id)
      assert.deepStrictEqual(did, ["look"])
    }).pipe(Effect.provide(ScriptedModel.layer([both, text("done")])))
  )

  it.effect("a hundred gated calls in one turn wait, and no free call waits with them", () =>
    Effect.gen(function* () {
      const { agent, did } = workshop()
      const execution = yield* TriggerFlow.open(ActionFlow.make(agent), "Pay.")
      const questions = yield* execution.rest
      assert.deepStrictEqual([questions.length, did.length], [100, 1])
      for (const { id } of questions) yield* execution.answer(ActionFlow.Approval, { _tag: "Denied" }, { id })
      const { result } = yield* execution.close()
      assert.deepStrictEqual(result, Option.some("done"))
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls(
            [
              ...Array.from({ length: 100 }, (_, euros) => ({ name: "pay", input: { euros } })).slice(0, 99),
              { name: "look", input: {} },
              { name: "pay", input: { euros: 99 } }
            ].slice(0, 101)
          ),
          text("done")
        ])
      )
    )
  )
})
