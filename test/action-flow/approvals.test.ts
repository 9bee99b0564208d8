/** Approvals as questions of a flow: who waits, who runs meanwhile, what an answer is good for, what a crash leaves. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Queue, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent, Session } from "effigent"
import { Action, Actions } from "effigent/action"
import { ActionFlow } from "effigent/action-flow"
import { SessionStores } from "effigent/layers/store"
import type { ModelRequest } from "effigent/services/ModelProvider"
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
    }).pipe(Effect.provide(ScriptedModel.layer([both])))
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
    }).pipe(Effect.provide(ScriptedModel.layer([both])))
  )

  it.effect("many gated calls in one turn wait, and no free call waits behind them", () =>
    Effect.gen(function* () {
      const { agent, did } = workshop()
      const execution = yield* TriggerFlow.open(ActionFlow.make(agent), "Pay.")
      const questions = yield* execution.rest
      assert.deepStrictEqual([questions.length, did.length], [50, 1])
      for (const { id } of questions) yield* execution.answer(ActionFlow.Approval, { _tag: "Denied" }, { id })
      assert.deepStrictEqual((yield* execution.close()).result, Option.some("done"))
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([
            ...Array.from({ length: 50 }, (_, euros) => ({ name: "pay", input: { euros } })),
            { name: "look", input: {} }
          ]),
          text("done")
        ])
      )
    )
  )

  it.effect("S75 what is said to a run is read before the next turn, and outlives a restart", () =>
    Effect.gen(function* () {
      const { agent } = workshop()
      const flow = ActionFlow.make(agent)
      const saved = yield* Effect.scoped(
        Effect.gen(function* () {
          const execution = yield* TriggerFlow.open(flow, "Pay.")
          yield* execution.rest
          yield* execution.intervene("Use the company card.", { author: "Ada" })
          return asText(yield* execution.save())
        })
      )
      const execution = yield* TriggerFlow.load(flow, saved)
      const [question] = yield* execution.rest
      yield* execution.intervene("And hurry.")
      yield* execution.answer(ActionFlow.Approval, approved, { id: question?.id ?? "" })
      const { state } = yield* execution.close()
      assert.deepStrictEqual(first(state.loop.rounds).steering, ["Use the company card.", "And hurry."])
      const last = (yield* ScriptedModel.requests)[1]?.prompt.content.at(-1)
      assert.deepStrictEqual(
        last?.role === "user" ? last.content.map((part) => (part.type === "text" ? part.text : "")) : [],
        ["Use the company card.", "And hurry."]
      )
      assert.deepStrictEqual(
        (yield* execution.interventions).map(({ status }) => status),
        ["applied", "applied"]
      )
    }).pipe(Effect.provide(ScriptedModel.layer([both, text("done")])))
  )

  it.effect("the time in which a question waits is not time in which the loop acts", () =>
    Effect.gen(function* () {
      const begun = yield* Queue.unbounded<void>()
      const slow = Action.make("slow", {
        description: "Slow.",
        approval: "always",
        run: () => Effect.as(Effect.andThen(Queue.offer(begun, undefined), Effect.sleep("4 seconds")), "ran")
      })
      const agent = Agent.make({}).pipe(Actions.use([slow], { time: "5 seconds" }))
      const execution = yield* TriggerFlow.open(ActionFlow.make(agent), "Go.")
      const [question] = yield* execution.rest
      yield* TestClock.adjust("1 day")
      yield* execution.answer(ActionFlow.Approval, approved, { id: question?.id ?? "" })
      yield* Queue.take(begun)
      yield* TestClock.adjust("4 seconds")
      const [second] = yield* execution.rest
      yield* execution.answer(ActionFlow.Approval, approved, { id: second?.id ?? "" })
      yield* Queue.take(begun)
      yield* TestClock.adjust("4 seconds")
      const { state } = yield* execution.close()
      assert.deepStrictEqual(
        state.loop.rounds.map(({ records }) => [records[0]?.status, records[0]?.duration]),
        [
          ["success", 4000],
          ["timeout", 1000]
        ]
      )
      assert.strictEqual(state.loop.status, "time")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([{ name: "slow", input: {} }]),
          toolCalls([{ name: "slow", input: {} }]),
          text("late")
        ])
      )
    )
  )

  it.effect("the answer is typed, corrected and recorded in the session as by a run", () =>
    Effect.gen(function* () {
      const { look } = workshop()
      const Report = Schema.Struct({ seen: Schema.Boolean, on: Schema.DateFromString })
      const chat = Session.make({ output: ({ seen }: { readonly seen: boolean }) => `seen: ${seen}` })
      const agent = Agent.make({ output: Report }).pipe(Actions.use([look]), Session.attach(chat, "s"))
      const flow = ActionFlow.make(agent)
      const report = yield* TriggerFlow.runResult(flow, "Look.")
      assert.deepStrictEqual([report.seen, report.on.getUTCFullYear()], [true, 2026])
      const sent = yield* ScriptedModel.requests
      assert.strictEqual(sent.length, 4)
      // The correction stands in the request behind the round that came between.
      assert.include(JSON.stringify(sent[2]?.prompt), "on")
      assert.strictEqual(results(sent[3])?.length, 2)
    }).pipe(
      Effect.provide([
        ScriptedModel.layer([
          toolCalls([{ name: "look", input: {} }]),
          ScriptedModel.json({ seen: "perhaps" }),
          toolCalls([{ name: "look", input: {} }]),
          ScriptedModel.json({ seen: true, on: "2026-11-21T00:00:00.000Z" })
        ]),
        SessionStores.memory
      ])
    )
  )

  it.effect("text and actions are told as they happen; an action's abort fails the run with its error", () =>
    Effect.gen(function* () {
      class Outage extends Schema.TaggedError<Outage>()("Outage", {}) {}
      const broken = Action.make("broken", { description: "Aborts.", run: () => Action.abort(new Outage()) })
      const { look } = workshop()
      const flow = ActionFlow.make(Agent.make({}).pipe(Actions.use([look, broken])))
      const execution = yield* TriggerFlow.create(flow, "Go.")
      const told = yield* execution.stream.pipe(
        Stream.map((event) =>
          event._tag === "Text"
            ? `${event.round} ${event.text}`
            : event._tag === "ActionEnded"
              ? `ended ${event.record.call.action} ${event.record.status}`
              : event._tag
        ),
        Stream.runCollect,
        Effect.flip,
        Effect.forkChild
      )
      const events = yield* execution.entries().pipe(
        Stream.flatMap(({ event }) => (event._tag === "item" ? Stream.make(event.item._tag) : Stream.empty)),
        Stream.runCollect,
        Effect.ignore,
        Effect.forkChild
      )
      yield* execution.start
      const failed = yield* Effect.flip(execution.await)
      assert.instanceOf(failed, Outage)
      assert.instanceOf(yield* Fiber.join(told), Outage)
      yield* Fiber.join(events)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([toolCalls([{ name: "look", input: {} }]), toolCalls([{ name: "broken", input: {} }])])
      )
    )
  )

  it.effect("an action that ends the run, budgets over turns, large results and on-demand actions hold in a flow", () =>
    Effect.gen(function* () {
      const long = Action.make("long", {
        description: "Gives a long text.",
        sideEffect: "pure",
        maxResult: 100,
        run: () => Effect.succeed("x".repeat(300) + "END")
      })
      const hidden = Action.make("hidden", {
        description: "Finds treasure.",
        onDemand: true,
        run: () => Action.stop("the treasure")
      })
      const agent = Agent.make({ budget: { requests: 4 } }).pipe(Actions.use([long, hidden]))
      const { result, state } = yield* TriggerFlow.run(ActionFlow.make(agent), "Go.")
      assert.deepStrictEqual(result, Option.some("the treasure"))
      const sent = yield* ScriptedModel.requests
      const artifact = first(state.loop.rounds).records[0]?.artifact?.id ?? ""
      assert.deepStrictEqual(results(sent[2])?.at(-1)?.slice(1), ["END", false])
      assert.strictEqual(state.artifacts[artifact]?.length, 303)
      assert.deepStrictEqual(state.answer, { by: "stopped", text: "the treasure" })
      assert.strictEqual(state.spent.requests, 4)

      const short = Agent.make({ budget: { requests: 1 } }).pipe(Actions.use([long]))
      const exceeded = yield* Effect.flip(TriggerFlow.run(ActionFlow.make(short), "Go."))
      assert.include(String(exceeded), "requests budget")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([{ name: "long", input: {} }]),
          ScriptedModel.respond((request) => {
            const id = JSON.stringify(request.prompt).match(/"artifact":"([0-9a-f]{16})"/)?.[1] ?? ""
            return toolCalls([{ name: "read_artifact", input: { artifact: id, from: 300, length: 10 } }])
          }),
          toolCalls([{ name: "search_actions", input: { query: "treasure" } }]),
          toolCalls([{ name: "hidden", input: {} }]),
          toolCalls([{ name: "long", input: {} }])
        ])
      )
    )
  )

  it.effect("middleware is around calls in a flow too, and what it changes is what is approved", () =>
    Effect.gen(function* () {
      const { did, pay } = workshop()
      const halve: Actions.Middleware = (call, next) => next({ ...call, input: { euros: 10 } })
      const agent = Agent.make({}).pipe(Actions.use([pay], { middleware: [halve] }))
      const execution = yield* TriggerFlow.open(ActionFlow.make(agent), "Pay.", { id: "m" })
      const [question] = yield* execution.rest
      assert.deepInclude(question?.payload, {
        call: { id: "call_1", action: "pay", input: { euros: 10 }, round: 1, index: 0 }
      })
      yield* execution.answer(ActionFlow.Approval, approved, { id: question?.id ?? "" })
      const { state } = yield* execution.close()
      assert.deepStrictEqual(did, ["pay 10 m/call_1"])
      assert.deepStrictEqual(first(state.loop.rounds).records[0]?.call.input, { euros: 20 })
    }).pipe(Effect.provide(ScriptedModel.layer([toolCalls([{ name: "pay", input: { euros: 20 } }]), text("done")])))
  )

  it.effect("the plan protocol asks for approval as native calls do", () =>
    Effect.gen(function* () {
      const { did, pay } = workshop()
      const agent = Agent.make({}).pipe(Actions.use([pay], { protocol: "plan" }))
      const execution = yield* TriggerFlow.open(ActionFlow.make(agent), "Pay.", { id: "p" })
      const [question] = yield* execution.rest
      yield* execution.answer(ActionFlow.Approval, approved, { id: question?.id ?? "" })
      const { result } = yield* execution.close()
      assert.deepStrictEqual(result, Option.some("It is paid."))
      assert.deepStrictEqual(did, ["pay 20 p/call_1_0"])
      assert.strictEqual((yield* ScriptedModel.requests).length, 3)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json({ next: "call", calls: [{ purpose: "pay", action: "pay", input: { euros: 20 } }] }),
          ScriptedModel.json({ next: "answer", calls: [] }),
          text("It is paid.")
        ])
      )
    )
  )

  it.live("what the model was asked is stopped when the run is", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const stopped = yield* Deferred.make<void>()
      const hang = Action.make("hang", {
        description: "Hangs.",
        run: () =>
          Effect.andThen(Deferred.succeed(begun, undefined), Effect.never).pipe(
            Effect.onInterrupt(() => Deferred.succeed(stopped, undefined))
          )
      })
      const flow = ActionFlow.make(Agent.make({}).pipe(Actions.use([hang])))
      const execution = yield* TriggerFlow.open(flow, "Go.")
      yield* Deferred.await(begun)
      const { status } = yield* execution.cancel()
      yield* Deferred.await(stopped)
      assert.strictEqual(status, "cancelled")
    }).pipe(Effect.provide(ScriptedModel.layer([toolCalls([{ name: "hang", input: {} }])])))
  )
})
