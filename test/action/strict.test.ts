/** What must hold whatever a model calls and whoever stops the run: limits, ids, audit records, what the model is told. */
import { assert, describe, it } from "@effect/vitest"
import { Data, Deferred, Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Agent, Budget, Guard } from "effigent"
import { Action, Actions } from "effigent/action"
import { ActionAudit, type ActionEvent, type ActionRecord } from "effigent/services/Action"
import { ScriptedModel } from "effigent/testing"

const { text, toolCalls } = ScriptedModel

const requests = Effect.flatMap(ScriptedModel.ScriptedModel, (model) => model.requests)

const recordsOf = (full: Effect.Success<ReturnType<typeof Agent.whole<unknown, unknown, unknown, unknown>>>) =>
  (full.meta.actions?.rounds ?? []).flatMap(({ records }) => records)

// An audit log, and the records in it.
const auditing = () => {
  const events: Array<ActionEvent> = []
  return {
    events,
    ended: (): ReadonlyArray<ActionRecord> =>
      events.flatMap((event) => (event._tag === "ActionEnded" ? [event.record] : [])),
    layer: (event: ActionEvent) => Effect.sync(() => void events.push(event))
  }
}

describe("ids of calls", () => {
  it.effect("a provider's ids that look like ours do not give two calls one id", () =>
    Effect.gen(function* () {
      const keys: Array<string> = []
      const pay = Action.make("pay", {
        description: "Pays.",
        run: (_, { key }) => Effect.sync(() => void keys.push(key))
      })
      const full = yield* Agent.whole(Agent.make({ input: "x" }).pipe(Actions.use([pay])))
      const ids = recordsOf(full).map(({ call }) => call.id)
      assert.strictEqual(new Set(ids).size, 4, ids.join(", "))
      assert.strictEqual(new Set(keys).size, 4)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([
            { name: "pay", input: {}, id: "call_1_1" },
            { name: "pay", input: {}, id: "" },
            { name: "pay", input: {}, id: "call_2_0" }
          ]),
          toolCalls([{ name: "pay", input: {}, id: "call_1_1" }]),
          text("done")
        ])
      )
    )
  )
})

describe("the time of a loop", () => {
  it.effect("a call whose turn comes when the time is over is not begun, however short it is", () =>
    Effect.gen(function* () {
      let paid = 0
      const slow = Action.make("slow", { description: "Waits.", run: () => Effect.sleep("10 seconds") })
      const pay = Action.make("pay", { description: "Pays.", run: () => Effect.sync(() => ++paid) })
      const agent = Agent.make({ input: "x" }).pipe(Actions.use([slow, pay], { time: "5 seconds", concurrency: 1 }))
      const fiber = yield* Effect.forkChild(Agent.whole(agent))
      yield* TestClock.adjust("11 seconds")
      const full = yield* Fiber.join(fiber)
      assert.strictEqual(paid, 0)
      assert.deepStrictEqual(
        recordsOf(full).map(({ status, tries }) => [status, tries]),
        [
          ["timeout", 1],
          ["skipped", 0],
          ["skipped", 0]
        ]
      )
      assert.strictEqual(full.meta.actions?.status, "time")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([
            { name: "slow", input: {} },
            { name: "pay", input: {} },
            { name: "pay", input: {} }
          ]),
          text("done")
        ])
      )
    )
  )
})

describe("the audit log", () => {
  it.effect("says of a call that was at work when its run was stopped that it was tried", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const log = auditing()
      const pay = Action.make("pay", {
        description: "Pays.",
        sideEffect: "once",
        run: () => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
      })
      const fiber = yield* Agent.run(Agent.make({ input: "x" }).pipe(Actions.use([pay]))).pipe(
        Effect.provideService(ActionAudit, log.layer),
        Effect.forkChild
      )
      yield* Deferred.await(begun)
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(
        log.ended().map(({ duration, sideEffect, status, tries }) => ({ duration, sideEffect, status, tries })),
        [{ duration: 2000, sideEffect: "once", status: "interrupted", tries: 1 }]
      )
    }).pipe(Effect.provide(ScriptedModel.layer([toolCalls([{ name: "pay", input: {} }])])))
  )

  it.effect("accounts for every call of a round that an abort ends, those that never began included", () =>
    Effect.gen(function* () {
      const log = auditing()
      const bad = Action.make("bad", { description: "Aborts.", run: () => Action.abort("no") })
      const work = Action.make("work", { description: "Works.", run: () => Effect.never })
      const error = yield* Agent.run(
        Agent.make({ input: "x" }).pipe(Actions.use([bad, work], { concurrency: 2 }))
      ).pipe(Effect.provideService(ActionAudit, log.layer), Effect.flip)
      assert.strictEqual(error, "no")
      assert.deepStrictEqual(
        log
          .ended()
          .toSorted((a, b) => a.call.index - b.call.index)
          .map(({ call, status, tries }) => [call.index, status, tries]),
        [
          [0, "interrupted", 1],
          [1, "failed", 1],
          [2, "interrupted", 0],
          [3, "interrupted", 0]
        ]
      )
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([
            { name: "work", input: {} },
            { name: "bad", input: {} },
            { name: "work", input: {} },
            { name: "work", input: {} }
          ])
        ])
      )
    )
  )

  it.effect("is told of an end where the run is stopped while the log itself is slow", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const log = auditing()
      const pay = Action.make("pay", { description: "Pays.", run: () => Effect.void })
      const slow = (event: ActionEvent) =>
        event._tag === "ActionStarted"
          ? Effect.andThen(log.layer(event), Effect.andThen(Deferred.succeed(begun, undefined), Effect.never))
          : log.layer(event)
      const fiber = yield* Agent.run(Agent.make({ input: "x" }).pipe(Actions.use([pay]))).pipe(
        Effect.provideService(ActionAudit, slow),
        Effect.forkChild
      )
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(
        log.ended().map(({ status, tries }) => [status, tries]),
        [["interrupted", 0]]
      )
    }).pipe(Effect.provide(ScriptedModel.layer([toolCalls([{ name: "pay", input: {} }])])))
  )
})

describe("what the model is told", () => {
  class NotThere extends Data.TaggedError("NotThere")<{ readonly id: string }> {}

  it.effect("a failure without a message is told by its name", () =>
    Effect.gen(function* () {
      const tagged = Action.make("tagged", { description: "x", run: () => Effect.fail(new NotThere({ id: "1" })) })
      const plain = Action.make("plain", { description: "x", run: () => Effect.fail({ _tag: "Gone" }) })
      const full = yield* Agent.whole(Agent.make({ input: "x" }).pipe(Actions.use([tagged, plain])))
      assert.deepStrictEqual(
        recordsOf(full).map(({ result }) => result),
        [{ error: "NotThere" }, { error: "Gone" }]
      )
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([
            { name: "tagged", input: {} },
            { name: "plain", input: {} }
          ]),
          text("done")
        ])
      )
    )
  )

  it.effect("failures and what is wrong with an input are shown in part where they are long, as results are", () =>
    Effect.gen(function* () {
      const fails = Action.make("fails", {
        description: "x",
        maxResult: 1000,
        run: () => Effect.fail(new Error("e".repeat(50_000)))
      })
      const typed = Action.make("typed", {
        description: "x",
        maxResult: 1000,
        failure: Schema.String,
        run: () => Effect.fail("f".repeat(50_000))
      })
      const strict = Action.make("strict", {
        description: "x",
        input: Schema.Struct({ all: Schema.Array(Schema.Number) }),
        maxResult: 1000,
        run: () => Effect.void
      })
      const full = yield* Agent.whole(Agent.make({ input: "x" }).pipe(Actions.use([fails, typed, strict])))
      const records = recordsOf(full)
      assert.deepStrictEqual(
        records.map(({ artifact, status }) => [status, artifact !== undefined]),
        [
          ["failed", true],
          ["failed", true],
          ["invalid", true]
        ]
      )
      for (const { result } of records) assert.isBelow(JSON.stringify(result).length, 1500)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([
            { name: "fails", input: {} },
            { name: "typed", input: {} },
            { name: "strict", input: { all: Array.from({ length: 5000 }, (_, n) => `${n}`) } }
          ]),
          text("done")
        ])
      )
    )
  )

  it.effect("a name that no provider takes back is sent back as one that they take", () =>
    Effect.gen(function* () {
      const full = yield* Agent.whole(Agent.make({ input: "x" }).pipe(Actions.use([])))
      assert.deepStrictEqual(
        recordsOf(full).map(({ call, status }) => [call.action, status]),
        [
          ["functions.get weather", "unknown"],
          ["", "unknown"],
          ["__proto__", "unknown"],
          ["constructor", "unknown"]
        ]
      )
      const [, second] = yield* requests
      const names = (second?.prompt.content ?? []).flatMap((message) =>
        typeof message.content === "string"
          ? []
          : message.content.flatMap((part) =>
              part.type === "tool-call" || part.type === "tool-result" ? [part.name] : []
            )
      )
      assert.strictEqual(names.length, 8)
      for (const name of names) assert.match(name, /^[a-zA-Z0-9_-]{1,64}$/)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([
            { name: "functions.get weather", input: {} },
            { name: "", input: {} },
            { name: "__proto__", input: {} },
            { name: "constructor", input: {} }
          ]),
          text("done")
        ])
      )
    )
  )
})

describe("answers of actions", () => {
  const Mood = Schema.Literals(["good", "bad"])
  const mood = Action.make("mood", {
    description: "x",
    output: Mood,
    returns: true,
    run: () => Effect.succeed("good" as const)
  })

  for (const protocol of ["native", "plan"] as const) {
    it.effect(`a text is read as the answer by an output Schema that is a text (${protocol})`, () =>
      Effect.gen(function* () {
        const agent = Agent.make({ input: "x", output: Mood, maxRetries: 0 }).pipe(Actions.use([mood], { protocol }))
        const full = yield* Agent.whole(agent)
        assert.strictEqual(full.data, "good")
        assert.strictEqual(full.meta.actions?.status, "returned")
      }).pipe(
        Effect.provide(
          ScriptedModel.layer([
            protocol === "native"
              ? toolCalls([{ name: "mood", input: {} }])
              : text(JSON.stringify({ next: "call", calls: [{ purpose: "x", action: "mood", input: {} }] }))
          ])
        )
      )
    )
  }

  it.effect("an answer of an action that does not fit, and that the model has then given, is the model's", () =>
    Effect.gen(function* () {
      const number = Action.make("number", { description: "x", returns: true, run: () => Effect.succeed({ n: "one" }) })
      const agent = Agent.make({ input: "x", output: Schema.Struct({ n: Schema.Number }) }).pipe(Actions.use([number]))
      const full = yield* Agent.whole(agent)
      assert.deepStrictEqual(full.data, { n: 1 })
      assert.strictEqual(full.meta.actions?.status, "answered")
    }).pipe(Effect.provide(ScriptedModel.layer([toolCalls([{ name: "number", input: {} }]), text('{"n":1}')])))
  )
})

describe("rounds", () => {
  it.effect("what the user says while an answer is corrected reaches the model", () =>
    Effect.gen(function* () {
      const look = Action.make("look", { description: "x", run: () => Effect.succeed(1) })
      const said: Array<ReadonlyArray<string>> = [[], ["in French"]]
      const agent = Agent.make({ input: "x", output: Schema.Struct({ n: Schema.Number }) }).pipe(
        Actions.use([look], { steer: Effect.sync(() => said.shift() ?? []) })
      )
      assert.deepStrictEqual(yield* Agent.run(agent), { n: 1 })
      const sent = (yield* requests).map(({ prompt }) => JSON.stringify(prompt.content).split("in French").length - 1)
      assert.deepStrictEqual(sent, [0, 0, 1])
    }).pipe(
      Effect.provide(ScriptedModel.layer([toolCalls([{ name: "look", input: {} }]), text("no"), text('{"n":1}')]))
    )
  )

  it.effect("a call of an on-demand action that was not found yet is none of those it may have", () =>
    Effect.gen(function* () {
      const pay = Action.make("pay", { description: "Pays.", onDemand: true, maxCalls: 1, run: () => Effect.void })
      const full = yield* Agent.whole(Agent.make({ input: "x" }).pipe(Actions.use([pay])))
      assert.deepStrictEqual(
        recordsOf(full).map(({ status }) => status),
        ["unknown", "success", "success", "skipped"]
      )
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([{ name: "pay", input: {} }]),
          toolCalls([{ name: "search_actions", input: { query: "pays" } }]),
          toolCalls([
            { name: "pay", input: {} },
            { name: "pay", input: {} }
          ]),
          text("done")
        ])
      )
    )
  )
})

describe("a handler that is interrupted from within", () => {
  for (const timeout of [undefined, "1 minute"] as const) {
    it.effect(`ends its call and not the run (${timeout ?? "no"} time-out)`, () =>
      Effect.gen(function* () {
        const joins = Action.make("joins", {
          description: "Joins what somebody else stopped.",
          timeout,
          run: () =>
            Effect.gen(function* () {
              const fiber = yield* Effect.forkChild(Effect.never)
              yield* Fiber.interrupt(fiber)
              return yield* Fiber.join(fiber)
            })
        })
        const full = yield* Agent.whole(Agent.make({ input: "x" }).pipe(Actions.use([joins])))
        assert.strictEqual(full.data, "done")
        assert.deepStrictEqual(
          recordsOf(full).map(({ status, tries }) => [status, tries]),
          [["interrupted", 1]]
        )
      }).pipe(Effect.provide(ScriptedModel.layer([toolCalls([{ name: "joins", input: {} }]), text("done")])))
    )
  }
})

describe("guards", () => {
  const find = Action.make("find", {
    description: "x",
    returns: true,
    run: () => Effect.succeed("write to ada@example.com")
  })
  const script = {
    native: [toolCalls([{ name: "find", input: {} }])],
    plan: [text(JSON.stringify({ next: "call", calls: [{ purpose: "x", action: "find", input: {} }] }))]
  }

  for (const protocol of ["native", "plan"] as const) {
    const agent = Agent.make({ input: "x" }).pipe(Actions.use([find], { protocol }))

    it.effect(`of answers see one that an action gives (${protocol})`, () =>
      Effect.gen(function* () {
        const full = yield* Agent.whole(Agent.guardOutput(agent, Guard.pii()))
        assert.notInclude(full.data, "ada@example.com")
        assert.notInclude(full.text, "ada@example.com")
        assert.include(full.data, "write to")
        assert.strictEqual(full.meta.actions?.status, "returned")
      }).pipe(Effect.provide(ScriptedModel.layer(script[protocol])))
    )

    it.effect(`of answers block one that an action gives (${protocol})`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Agent.run(Agent.guardOutput(agent, Guard.pii({ mode: "block" }))))
        assert.strictEqual(error._tag, "GuardBlocked")
      }).pipe(Effect.provide(ScriptedModel.layer(script[protocol])))
    )
  }

  it.effect("of prompts see what actions gave before the next request", () =>
    Effect.gen(function* () {
      const look = Action.make("look", { description: "x", run: () => Effect.succeed("write to ada@example.com") })
      yield* Agent.run(Agent.make({ input: "x" }).pipe(Actions.use([look]), Agent.guardInput(Guard.pii())))
      const sent = JSON.stringify((yield* requests).map(({ prompt }) => prompt.content))
      assert.include(sent, "write to")
      assert.notInclude(sent, "ada@example.com")
    }).pipe(Effect.provide(ScriptedModel.layer([toolCalls([{ name: "look", input: {} }]), text("done")])))
  )
})

describe("what plans cost", () => {
  const look = Action.make("look", { description: "x", run: () => Effect.succeed(1) })
  const usage = { inputTokens: 10, outputTokens: 1 }
  const script = [
    text(JSON.stringify({ next: "call", calls: [{ purpose: "x", action: "look", input: {} }] }), { usage }),
    text(JSON.stringify({ next: "answer", calls: [] }), { usage }),
    text("done", { usage })
  ]

  it.effect("the requests of plans are charged to a shared budget once", () =>
    Effect.gen(function* () {
      const budget = yield* Budget.make({ requests: 3 })
      const agent = Agent.make({ input: "x", budget }).pipe(Actions.use([look], { protocol: "plan" }))
      assert.strictEqual(yield* Agent.run(agent), "done")
      assert.strictEqual((yield* budget.spent).requests, 3)
    }).pipe(Effect.provide(ScriptedModel.layer(script)))
  )

  it.effect("S21 the tokens of plans are tokens of the response", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ input: "x" }).pipe(Actions.use([look], { protocol: "plan" }))
      const { meta } = yield* Agent.whole(agent)
      assert.strictEqual(meta.usage.inputTokens, 30)
    }).pipe(Effect.provide(ScriptedModel.layer(script)))
  )
})
