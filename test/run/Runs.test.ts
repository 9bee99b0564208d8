/** What is told of runs, and how they are held: events, state, cancellation, background, requests, watchers. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Layer, Ref, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent, Guard, Output, Session, Conversation } from "effigent"
import { Action, Actions } from "effigent/action"
import { SessionStores } from "effigent/layers/store"
import { Chain, TriggerFlow } from "effigent/triggerflow"
import { ModelProvider } from "effigent/services/ModelProvider"
import { RunEnvelope, RunSnapshot } from "effigent/services/Run"
import { Runs, View } from "effigent/run"
import { ScriptedModel } from "effigent/testing"

const { text, toolCalls } = ScriptedModel

const tagsOf = (events: ReadonlyArray<RunEnvelope>) => events.map(({ event }) => event._tag)

const eventsOf = <A, E>(run: Runs.Run<A, E>) => Stream.runCollect(run.events())

const agent = Agent.make({ name: "greeter", input: "Hello" })

// A model that says some words and then nothing more, and tells whether it was let go.
const hanging = (words: string) =>
  Effect.gen(function* () {
    const released = yield* Ref.make(0)
    const asked = yield* Latch.make(false)
    const layer = Layer.succeed(ModelProvider, {
      name: "hanging",
      stream: () =>
        Stream.concat(
          words === "" ? Stream.empty : Stream.make({ _tag: "Text", text: words } as const),
          Stream.fromEffect(Effect.andThen(asked.open, Effect.never))
        ).pipe(Stream.ensuring(Ref.update(released, (n) => n + 1)))
    })
    return { released, asked, layer }
  })

// An agent that asks another one by a tool.
const asking = <R>(inner: Agent.Agent<string, never, R>) => {
  const ask = Action.make("ask", {
    description: "Asks.",
    input: Schema.Struct({ question: Schema.String }),
    output: Schema.String,
    run: ({ question }) => Effect.orDie(inner.pipe(Agent.input(question), Agent.run))
  })
  return Agent.make({ name: "outer", input: "Ask." }).pipe(Actions.use([ask]))
}
const asks = toolCalls([{ name: "ask", input: { question: "Why?" } }])

describe("run events", () => {
  it.effect("S01 come in order, under one id, numbered without a gap, as their Schema says", () =>
    Effect.gen(function* () {
      const run = yield* Runs.start(agent, { id: "r1" })
      const events = yield* eventsOf(run)
      assert.deepStrictEqual(
        events.map(({ event, sequence }) => [sequence, event._tag]),
        [
          [1, "RunStarted"],
          [2, "ModelRequested"],
          [3, "Reasoning"],
          [4, "Text"],
          [5, "ModelAnswered"],
          [6, "RunCompleted"]
        ]
      )
      for (const { agent, depth, parent, root, run } of events)
        assert.deepStrictEqual([run, root, parent, depth, agent], ["r1", "r1", undefined, 0, "greeter"])
      const usage = { inputTokens: 3, outputTokens: 1 }
      assert.deepStrictEqual(events[0]?.event, { _tag: "RunStarted", input: "Hello", role: "main" })
      assert.deepStrictEqual(events.at(-1)?.event, { _tag: "RunCompleted", value: "ok", usage })
      assert.strictEqual(yield* run.result, "ok")
      assert.strictEqual(yield* run.status, "completed")
      const encode = Schema.encodeUnknownEffect(Schema.fromJsonString(Schema.Array(RunEnvelope)))
      const decoded = yield* Schema.decodeEffect(Schema.fromJsonString(Schema.Array(RunEnvelope)))(
        yield* encode(events)
      )
      assert.deepStrictEqual(decoded, events)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([text("ok", { reasoning: "Hm.", usage: { inputTokens: 3, outputTokens: 1 } })])
      )
    )
  )

  it.effect("texts come as the network brings them, and void attempts are told apart", () =>
    Effect.gen(function* () {
      const triage = Agent.make({ name: "triage", input: "?", output: Schema.Struct({ n: Output.ensure(Schema.Int) }) })
      const run = yield* Runs.start(triage)
      const events = yield* eventsOf(run)
      assert.deepStrictEqual(tagsOf(events), [
        "RunStarted",
        "ModelRequested",
        "Text",
        "Text",
        "ModelAnswered",
        "Restarted",
        "ModelRequested",
        "Text",
        "ModelAnswered",
        "RunCompleted"
      ])
      const texts = events.flatMap(({ event }) => (event._tag === "Text" ? [[event.attempt, event.text]] : []))
      assert.deepStrictEqual(texts, [
        [1, '{"n"'],
        [1, ":}"],
        [2, '{"n":7}']
      ])
      const [root] = (yield* run.snapshot).runs
      assert.strictEqual(root?.text, '{"n":7}')
      assert.deepStrictEqual(root?.value, { n: 7 })
      assert.deepStrictEqual(yield* run.result, { n: 7 })
    }).pipe(Effect.provide(ScriptedModel.layer([text('{"n":}', { chunkSize: 4 }), text('{"n":7}')])))
  )

  it.effect("a provider that replays is told as requests of their own", () =>
    Effect.gen(function* () {
      const run = yield* Runs.start(agent)
      const events = yield* eventsOf(run)
      assert.deepStrictEqual(
        events.flatMap(({ event }) =>
          event._tag === "ModelRequested" || event._tag === "ModelAnswered" || event._tag === "Restarted"
            ? [`${event._tag} ${event.attempt}`]
            : []
        ),
        ["ModelRequested 1", "ModelAnswered 1", "ModelRequested 2", "Restarted 2", "ModelAnswered 2"]
      )
      assert.strictEqual((yield* run.snapshot).runs[0]?.text, "new")
      assert.strictEqual((yield* run.metrics()).total.usage.outputTokens, 7)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.events([
            [
              { _tag: "Text", text: "old" },
              { _tag: "Usage", usage: { outputTokens: 2 } }
            ],
            [{ _tag: "Restarted", reason: "the connection broke" }],
            [
              { _tag: "Text", text: "new" },
              { _tag: "Usage", usage: { outputTokens: 5 } },
              { _tag: "Finish", reason: "stop" }
            ]
          ])
        ])
      )
    )
  )

  it.effect("a failure is told with its tag, a defect as what it is, and the result fails likewise", () =>
    Effect.gen(function* () {
      const failed = yield* Runs.start(agent)
      const last = (yield* eventsOf(failed)).at(-1)?.event
      assert.isTrue(last?._tag === "RunFailed" && last.tag === "ModelError", JSON.stringify(last))
      assert.strictEqual((yield* Effect.flip(failed.result))._tag, "ModelError")
      assert.strictEqual(yield* failed.status, "failed")

      const broken = yield* Runs.start(Effect.die(new Error("no such thing")), { name: "job" })
      const end = (yield* eventsOf(broken)).at(-1)
      assert.deepStrictEqual(end?.event, { _tag: "RunFailed", tag: "Defect", message: "no such thing" })
      assert.strictEqual(end?.agent, "job")
      assert.isTrue(Exit.hasDies(yield* Effect.exit(broken.result)))

      // The prompt cannot be rendered: nothing was asked, and the run has ended all the same.
      const wrong = yield* Runs.start(Agent.make({ input: () => "?" }))
      assert.deepStrictEqual(tagsOf(yield* eventsOf(wrong)), ["RunStarted", "RunFailed"])
      assert.strictEqual((yield* Effect.flip(wrong.result))._tag, "PromptError")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.events([[{ _tag: "Text", text: "half" }]])])))
  )

  it.effect("runs inside a run, by tools, tell into its log as its children, with no code of theirs", () =>
    Effect.gen(function* () {
      const run = yield* Runs.start(asking(Agent.make({ name: "inner" })), { id: "r" })
      const events = yield* eventsOf(run)
      assert.deepStrictEqual(
        events.map(({ agent, depth, event, run }) => `${run} ${agent} ${depth} ${event._tag}`),
        [
          "r outer 0 RunStarted",
          "r outer 0 ModelRequested",
          "r outer 0 ModelAnswered",
          "r outer 0 ActionStarted",
          "r.1 inner 1 RunStarted",
          "r.1 inner 1 ModelRequested",
          "r.1 inner 1 Text",
          "r.1 inner 1 ModelAnswered",
          "r.1 inner 1 RunCompleted",
          "r outer 0 ActionEnded",
          "r outer 0 ModelRequested",
          "r outer 0 Text",
          "r outer 0 ModelAnswered",
          "r outer 0 RunCompleted"
        ]
      )
      assert.strictEqual(events[4]?.parent, "r")
      assert.deepStrictEqual(
        events.map(({ sequence }) => sequence),
        events.map((_, i) => i + 1)
      )
    }).pipe(Effect.provide(ScriptedModel.layer([asks, text("Because."), text("So.")])))
  )

  it.effect("handlers of flows are inside the run that runs the flow, however many flows at once", () =>
    Effect.gen(function* () {
      const Ask = TriggerFlow.define("ask", { input: Schema.String, result: Schema.String })
      const flow = Ask.build(
        Ask.start.pipe(
          Chain.to("answer", (question, run) =>
            Effect.orDie(Agent.make({ name: "member" }).pipe(Agent.input(question), Agent.run)).pipe(
              Effect.flatMap((answer) => run.setResult(answer))
            )
          )
        )
      )
      const both = Effect.all([TriggerFlow.run(flow, "a"), TriggerFlow.run(flow, "b")], { concurrency: 2 })
      const run = yield* Runs.start(both, { id: "t", name: "team", input: ["a", "b"] })
      yield* run.result
      const { runs } = yield* run.snapshot
      assert.deepStrictEqual(
        runs.map(({ agent, depth, parent, status }) => [agent, depth, parent, status]),
        [
          ["team", 0, undefined, "completed"],
          ["member", 1, "t", "completed"],
          ["member", 1, "t", "completed"]
        ]
      )
    }).pipe(Effect.provide(ScriptedModel.layer([text("1"), text("2")])))
  )

  it.effect("what an output guard holds back is not told either", () =>
    Effect.gen(function* () {
      const guarded = agent.pipe(
        Agent.guardOutput(Guard.text("mask", (words) => Effect.succeed(words.replace("secret", "***"))))
      )
      const run = yield* Runs.start(guarded)
      const events = yield* eventsOf(run)
      assert.notInclude(JSON.stringify(events), "secret")
      assert.include(JSON.stringify(events), "the *** word")
    }).pipe(Effect.provide(ScriptedModel.layer([text("the secret word", { chunkSize: 3 })])))
  )

  it.effect("a program tells events of its own; where nobody watches they cost nothing", () =>
    Effect.gen(function* () {
      const job = Effect.as(Runs.emit("progress", { percent: 50 }), "done")
      const run = yield* Runs.start(job, { id: "r" })
      const events = yield* eventsOf(run)
      assert.deepStrictEqual(events[1]?.event, { _tag: "Custom", name: "progress", value: { percent: 50 } })
      assert.strictEqual(yield* job, "done")
      assert.strictEqual(yield* Runs.observe(job, { name: "nobody" }), "done")
    })
  )

  it.effect("a pause is told, and what follows ends it", () =>
    Effect.gen(function* () {
      const gate = yield* Latch.make(false)
      const paused = yield* Latch.make(false)
      const run = yield* Runs.start(
        Runs.tell({ _tag: "RunPaused", reason: "approval" }).pipe(
          Effect.andThen(paused.open),
          Effect.andThen(gate.await),
          Effect.andThen(Runs.emit("approved", true)),
          Effect.andThen(Effect.never)
        )
      )
      yield* paused.await
      assert.strictEqual(yield* run.status, "paused")
      assert.strictEqual((yield* run.snapshot).runs[0]?.reason, "approval")
      yield* gate.open
      yield* Stream.runDrain(Stream.take(run.events(), 3))
      assert.strictEqual(yield* run.status, "running")
      yield* run.cancel()
    })
  )
})

describe("cancellation", () => {
  it.live("S30 aborts the request of a model that says nothing, well within 50 ms", () =>
    Effect.gen(function* () {
      const model = yield* hanging("")
      const run = yield* Effect.provide(Runs.start(agent), model.layer)
      yield* model.asked.await
      const before = performance.now()
      yield* run.cancel("enough")
      assert.isBelow(performance.now() - before, 50)
      assert.strictEqual(yield* Ref.get(model.released), 1)
      assert.strictEqual(yield* run.status, "cancelled")
    }).pipe(Effect.scoped)
  )

  it.effect("S31 before the start: the run is cancelled and no model is called", () =>
    Effect.gen(function* () {
      const run = yield* Runs.start(agent)
      assert.strictEqual(yield* run.status, "pending")
      yield* run.cancel("changed my mind")
      assert.strictEqual(yield* run.status, "cancelled")
      assert.deepStrictEqual(
        (yield* eventsOf(run)).map(({ event }) => event),
        [{ _tag: "RunCancelled", reason: "changed my mind" }]
      )
      const error = yield* Effect.flip(run.result)
      assert.strictEqual(error.message, `Run ${run.id} was cancelled: changed my mind`)
      const model = yield* ScriptedModel.ScriptedModel
      assert.strictEqual((yield* model.requests).length, 0)
      // Once more, or at the end, changes nothing.
      yield* run.cancel("again")
      assert.strictEqual((yield* eventsOf(run)).length, 1)
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )

  it.effect("S32 in mid-answer: the partial text is told and kept in the session, nothing follows", () =>
    Effect.gen(function* () {
      const model = yield* hanging("It was a dark")
      const talking = agent.pipe(Session.attach(Session.make(), "s1"))
      const run = yield* Effect.provide(Runs.start(talking), model.layer)
      yield* Stream.runDrain(Stream.takeUntil(run.events(), ({ event }) => event._tag === "Text"))
      yield* run.cancel("stop")
      const events = yield* eventsOf(run)
      assert.deepStrictEqual(tagsOf(events).slice(-2), ["ModelAnswered", "RunCancelled"])
      assert.deepStrictEqual(events.at(-1)?.event, { _tag: "RunCancelled", reason: "stop", text: "It was a dark" })
      const [, said] = yield* Conversation.messages("s1")
      assert.deepStrictEqual(said?.content, [{ type: "text", text: "It was a dark" }])
      assert.strictEqual(yield* Ref.get(model.released), 1)
    }).pipe(Effect.provide(SessionStores.memory))
  )

  it.effect("S33 a reader that leaves its stream cancels the run, and what had come is kept", () =>
    Effect.gen(function* () {
      const model = yield* hanging("It was")
      const talking = agent.pipe(Session.attach(Session.make(), "s1"))
      const some = yield* Runs.stream(talking).pipe(Stream.take(3), Stream.runCollect, Effect.provide(model.layer))
      assert.deepStrictEqual(tagsOf(some), ["RunStarted", "ModelRequested", "Text"])
      assert.strictEqual(yield* Ref.get(model.released), 1)
      const [turn] = yield* Conversation.turns("s1")
      assert.strictEqual(turn?.partial, "interrupted")
    }).pipe(Effect.provide(SessionStores.memory))
  )

  it.effect("S34 runs inside end first, each cancelled with the reason and its partial text", () =>
    Effect.gen(function* () {
      const model = yield* hanging("Half a")
      const member = (name: string) => Agent.make({ name, input: "?" }).pipe(Agent.provideModel(model.layer))
      const team = Effect.all([Agent.run(member("a")), Agent.run(member("b"))], { concurrency: 2 })
      const run = yield* Runs.start(team, { id: "t", name: "team" })
      const texts = run.events().pipe(Stream.filter(({ event }) => event._tag === "Text"))
      yield* Stream.runDrain(Stream.take(texts, 2))
      yield* run.cancel("late")
      const ends = (yield* eventsOf(run)).filter(({ event }) => event._tag === "RunCancelled")
      assert.deepStrictEqual(
        ends.map(({ agent, event }) => [agent, event]),
        [
          ["a", { _tag: "RunCancelled", reason: "late", text: "Half a" }],
          ["b", { _tag: "RunCancelled", reason: "late", text: "Half a" }],
          ["team", { _tag: "RunCancelled", reason: "late" }]
        ]
      )
      assert.strictEqual(yield* Ref.get(model.released), 2)
    })
  )

  it.effect("S34 a run inside a tool ends before the run that called it", () =>
    Effect.gen(function* () {
      const model = yield* hanging("Half")
      const inner = Agent.make({ name: "inner" }).pipe(Agent.provideModel(model.layer))
      const run = yield* Runs.start(asking(inner))
      yield* Stream.runDrain(Stream.takeUntil(run.events(), ({ event }) => event._tag === "Text"))
      yield* run.cancel("stop")
      const events = yield* eventsOf(run)
      const ends = events.flatMap(({ agent, event }) =>
        event._tag === "RunCancelled" ? [agent] : event._tag === "ActionEnded" ? [event.record.status] : []
      )
      assert.deepStrictEqual(ends, ["inner", "interrupted", "outer"])
    }).pipe(Effect.provide(ScriptedModel.layer([asks])))
  )

  it.effect("closing the Scope cancels what was started in it", () =>
    Effect.gen(function* () {
      const model = yield* hanging("x")
      const run = yield* Effect.scoped(
        Effect.tap(Effect.provide(Runs.start(agent), model.layer), () => model.asked.await)
      )
      assert.strictEqual(yield* run.status, "cancelled")
      assert.strictEqual((yield* Effect.flip(run.result))._tag, "RunWasCancelled")
    })
  )
})

describe("runs in the background", () => {
  it.effect("S40 are pending at once, and can be polled by id to their end", () =>
    Effect.gen(function* () {
      const started = yield* Runs.background(agent, { id: "job-1" })
      const polled = Effect.flatMap(Runs.get("job-1"), ({ status }) => status)
      assert.strictEqual(yield* polled, "pending")
      yield* Effect.yieldNow
      assert.strictEqual(yield* polled, "running")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* started.result, "ok")
      assert.strictEqual(yield* polled, "completed")
      assert.deepStrictEqual(
        (yield* Runs.list).map(({ id }) => id),
        ["job-1"]
      )
      const missing = yield* Effect.flip(Runs.get("job-2"))
      assert.include(missing.message, 'no run "job-2"')
    }).pipe(Effect.provide([ScriptedModel.layer([text("ok", { latency: "1 second" })]), Runs.layer()]))
  )

  it.effect("outlive the Scope of whoever asked, and end with that of the registry", () =>
    Effect.gen(function* () {
      const model = yield* hanging("x")
      const run = yield* Effect.scoped(
        Effect.gen(function* () {
          const registry = yield* Layer.build(Runs.layer())
          const run = yield* Effect.scoped(Effect.provide(Runs.background(agent), model.layer)).pipe(
            Effect.provideContext(registry)
          )
          yield* model.asked.await
          assert.strictEqual(yield* run.status, "running")
          return run
        })
      )
      assert.strictEqual(yield* run.status, "cancelled")
      assert.strictEqual(yield* Ref.get(model.released), 1)
    })
  )

  it.effect("S31 wait for a place, and can be cancelled while they do", () =>
    Effect.gen(function* () {
      const first = yield* Runs.background(Effect.never)
      const second = yield* Runs.background(agent, { id: "second" })
      const third = yield* Runs.background(Effect.succeed(3))
      yield* Effect.yieldNow
      assert.deepStrictEqual([yield* first.status, yield* second.status], ["running", "pending"])
      yield* Runs.cancel("second", "not needed")
      assert.strictEqual(yield* second.status, "cancelled")
      yield* first.cancel()
      assert.strictEqual(yield* third.result, 3)
    }).pipe(Effect.provide([ScriptedModel.layer([]), Runs.layer({ concurrency: 1 })]))
  )

  it.effect("S74 the same request id with the same input is the same run, with another input a conflict", () =>
    Effect.gen(function* () {
      const ask = (input: unknown) => Runs.background(agent.pipe(Agent.input(input)), { requestId: "q-1" })
      const runs = yield* Effect.all([ask({ a: 1, b: 2 }), ask({ b: 2, a: 1 })], { concurrency: 2 })
      assert.strictEqual(runs[0]?.id, runs[1]?.id)
      assert.strictEqual(yield* runs[0].result, "ok")
      assert.strictEqual((yield* ask({ a: 1, b: 2 })).id, runs[0].id)
      const conflict = yield* Effect.flip(ask({ a: 2 }))
      assert.deepStrictEqual([conflict._tag, conflict.id, conflict.run], ["RunConflict", "q-1", runs[0].id])
      const taken = yield* Effect.flip(Runs.background(agent, { id: runs[0].id }))
      assert.include(taken.message, "give another id")
    }).pipe(Effect.provide([ScriptedModel.layer([text("ok")]), Runs.layer()]))
  )

  it.effect("those that ended long ago are forgotten, with their request ids", () =>
    Effect.gen(function* () {
      const job = (n: number) =>
        Effect.flatMap(
          Runs.background(Effect.succeed(n), { id: `j${n}`, requestId: `q${n}`, input: n }),
          (run) => run.result
        )
      for (const n of [1, 2, 3]) yield* job(n)
      yield* Effect.yieldNow
      assert.deepStrictEqual(
        (yield* Runs.list).map(({ id }) => id),
        ["j2", "j3"]
      )
      const again = yield* Runs.background(Effect.succeed("new"), { requestId: "q1", input: "other" })
      assert.strictEqual(yield* again.result, "new")
    }).pipe(Effect.provide(Runs.layer({ remember: 2 })))
  )

  it.effect("those that ended are remembered as long as their events take no more than so many bytes", () =>
    Effect.gen(function* () {
      const talk = Effect.forEach(Array.from({ length: 100 }), () =>
        Runs.tell({ _tag: "Text", attempt: 1, text: "x".repeat(1000) })
      )
      const known = Effect.map(Runs.list, (runs) => runs.map(({ id }) => id))
      const job = (id: string, work: Effect.Effect<unknown> = talk) =>
        Effect.gen(function* () {
          const run = yield* Runs.background(work, { id })
          yield* run.result
          yield* Effect.yieldNow
          return yield* run.size
        })
      // Each character takes two bytes.
      const size = yield* job("a")
      assert.isAbove(size, 200_000)
      assert.isBelow(size, 300_000)
      for (const id of ["b", "c", "d"]) yield* job(id)
      assert.deepStrictEqual(yield* known, ["b", "c", "d"])
      yield* job("small", Effect.void)
      assert.deepStrictEqual(yield* known, ["b", "c", "d", "small"])
      yield* job(
        "huge",
        Effect.forEach([1, 2, 3, 4, 5], () => talk)
      )
      assert.deepStrictEqual(yield* known, ["huge"])
      yield* job("e")
      assert.deepStrictEqual(yield* known, ["e"])
    }).pipe(Effect.provide(Runs.layer({ rememberBytes: 900_000 })))
  )

  it.effect("what a log drops does not count as what it takes", () =>
    Effect.gen(function* () {
      const talk = Effect.forEach(Array.from({ length: 1000 }), () =>
        Runs.tell({ _tag: "Text", attempt: 1, text: "x".repeat(1000) })
      )
      const run = yield* Runs.background(talk, { keep: 10 })
      yield* run.result
      assert.isBelow(yield* run.size, 30_000)
    }).pipe(Effect.provide(Runs.layer()))
  )
})

describe("watchers", () => {
  const told = (count: number) =>
    Effect.forEach(
      Array.from({ length: count }, (_, i) => i),
      (i) => Effect.andThen(Runs.emit("n", i), Effect.yieldNow)
    )

  it.effect("S72 attached at any time, a snapshot and what follows are the whole, without gap or duplicate", () =>
    Effect.gen(function* () {
      const run = yield* Runs.start(asking(Agent.make({ name: "inner" })))
      yield* run.result
      const events = yield* eventsOf(run)
      const whole = yield* run.snapshot
      for (let cut = 0; cut <= events.length; cut++) {
        const before = new View.View(run.id)
        for (const event of events.slice(0, cut)) before.apply(event)
        const snapshot = yield* Schema.decodeUnknownEffect(RunSnapshot)(JSON.parse(JSON.stringify(before.snapshot())))
        const late = new View.View(snapshot)
        // One that overlaps is passed over.
        for (const event of events.slice(Math.max(0, cut - 2))) late.apply(event)
        assert.deepStrictEqual(late.snapshot(), whole)
        const after = yield* Stream.runCollect(run.events({ after: cut }))
        assert.deepStrictEqual(after, events.slice(cut))
      }
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([asks, text("Because of it.", { chunkSize: 4 }), text("So it is.", { chunkSize: 4 })])
      )
    )
  )

  it.effect("S72 attached while it runs", () =>
    Effect.gen(function* () {
      const run = yield* Runs.start(told(200))
      yield* Stream.runDrain(Stream.take(run.events(), 50))
      const snapshot = yield* run.snapshot
      const rest = yield* Stream.runCollect(run.events({ after: snapshot.sequence }))
      assert.isAbove(snapshot.sequence, 0)
      assert.isBelow(snapshot.sequence, 150)
      assert.deepStrictEqual(
        rest.map(({ sequence }) => sequence),
        Array.from({ length: 202 - snapshot.sequence }, (_, i) => snapshot.sequence + 1 + i)
      )
    })
  )

  it.effect("S73 one that is too slow is told so; the run and the others go on", () =>
    Effect.gen(function* () {
      const gate = yield* Latch.make(false)
      const run = yield* Runs.start(told(100))
      const slow = yield* run.events({ buffer: 10 }).pipe(
        Stream.runForEach(({ sequence }) => (sequence === 1 ? gate.await : Effect.void)),
        Effect.flip,
        Effect.forkChild
      )
      const good = yield* Effect.forkChild(eventsOf(run))
      yield* run.result
      yield* gate.open
      const overflow = yield* Fiber.join(slow)
      assert.deepStrictEqual(
        [overflow._tag, overflow.sequence + overflow.waiting, overflow.limit],
        ["WatcherOverflow", 102, 10]
      )
      assert.strictEqual((yield* Fiber.join(good)).length, 102)
      // What was there when it came does not count.
      assert.strictEqual((yield* Stream.runCollect(run.events({ buffer: 10 }))).length, 102)
    })
  )

  it.effect("S73 what the log has dropped is an overflow, not a gap", () =>
    Effect.gen(function* () {
      const run = yield* Runs.start(told(100), { keep: 20 })
      yield* run.result
      const overflow = yield* Effect.flip(Stream.runDrain(run.events()))
      assert.strictEqual(overflow._tag, "WatcherOverflow")
      const { sequence } = yield* run.snapshot
      assert.strictEqual(sequence, 102)
      const last = yield* Stream.runCollect(run.events({ after: 95 }))
      assert.deepStrictEqual(
        last.map((event) => event.sequence),
        [96, 97, 98, 99, 100, 101, 102]
      )
    })
  )

  it.effect("EC-01 one that never reads on and one that breaks neither delay nor break the run", () =>
    Effect.gen(function* () {
      const words = Layer.succeed(ModelProvider, {
        name: "one read",
        stream: () =>
          Stream.fromArray([
            ...Array.from({ length: 50 }, () => ({ _tag: "Text", text: "word " }) as const),
            { _tag: "Finish", reason: "stop" } as const
          ])
      })
      const run = yield* Runs.start(agent).pipe(Effect.provide(words))
      const stuck = yield* Effect.forkChild(Stream.runForEach(run.events(), () => Effect.never))
      const broken = yield* Effect.forkChild(Stream.runForEach(run.events(), () => Effect.die("a watcher breaks")))
      assert.strictEqual(yield* run.result, "word ".repeat(50))
      assert.isTrue(Exit.isFailure(yield* Fiber.await(broken)))
      yield* Fiber.interrupt(stuck)
      const events = yield* eventsOf(run)
      // What one network read has brought is one event.
      assert.deepStrictEqual(
        events.flatMap(({ event }) => (event._tag === "Text" ? [event.text] : [])),
        ["word ".repeat(50)]
      )
      assert.deepStrictEqual(
        events.map(({ sequence }) => sequence),
        events.map((_, index) => index + 1)
      )
    })
  )

  it.effect("leaving only leaves", () =>
    Effect.gen(function* () {
      const run = yield* Runs.start(told(20))
      yield* Stream.runDrain(Stream.take(run.events(), 2))
      yield* run.result
      assert.strictEqual(yield* run.status, "completed")
    })
  )
})
