// From fields to signals: what is emitted when, how much at once, what happens with what fails, and what of it is seen.
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Deferred, Effect, Exit, Fiber, Redacted, Result, Schedule, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent, Budget, Output } from "effigent"
import { OpenAICompatible } from "effigent/layers/openai"
import { ConnectionLost } from "effigent/services/ModelError"
import { ScriptedModel } from "effigent/testing"
import { Chain, Fields, Signal, TriggerFlow } from "effigent/triggerflow"
import { execFile } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { promisify } from "node:util"

const Action = Schema.Struct({ team: Output.ensure(Schema.String, "Team"), task: Schema.String })
type Action = typeof Action.Type
const Plan = Schema.Struct({
  subject: Output.ensure(Schema.String, "Subject"),
  actions: Schema.Array(Action),
  reply: Schema.optionalKey(Schema.String)
})
const planner = Agent.make({ name: "planner", output: Plan })
const respond = (letter: string) => planner.pipe(Agent.input(letter), Agent.respond)

const Found = Signal.make("Found", Action)
const Numbered = Signal.make("Numbered", Schema.Struct({ path: Schema.String, attempt: Schema.Int, of: Schema.Int }))
const Subject = Signal.make("Subject", Schema.String)
const Note = Schema.TaggedStruct("Note", { text: Schema.String })
const Flow = TriggerFlow.define("plan", {
  input: Schema.String,
  state: Schema.Struct({ log: Schema.Array(Schema.String) }),
  initial: { log: [] },
  stream: Schema.Union([Fields.Event, Note]),
  result: Schema.Unknown,
  signals: [Found, Numbered, Subject]
})
const note = (text: string): typeof Note.Type => ({ _tag: "Note", text })

const action = (team: string, task = "t"): Action => ({ team, task })
const answer = (...teams: ReadonlyArray<string>) => ({
  subject: "S",
  actions: teams.map((team) => action(team)),
  reply: "R"
})
// One chunk of the stream for each top-level part, 10 ms apart, the first one after 10 ms.
const slowly = (value: object) =>
  ScriptedModel.chunks(JSON.stringify(value).split(/(?<=\},|\],|"S",)/), { delay: "10 millis" })

const settle = Effect.gen(function* () {
  for (let i = 0; i < 30; i++) yield* Effect.yieldNow
})

describe("Fields.toSignals", () => {
  it.effect("emits each finished field while the model still writes, and gives the typed data in the end", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const at = (text: string) => Effect.map(Clock.currentTimeMillis, (now) => void log.push(`${now} ${text}`))
      const flow = Flow.build(
        Flow.start.pipe(
          Fields.toSignals("plan", respond, { on: { subject: Subject, "actions[*]": Found } }),
          Chain.to("data", (plan) =>
            Effect.as(
              at("data"),
              plan.actions.map(({ team }) => team)
            )
          ),
          Chain.result
        ),
        Flow.on(Subject).pipe(Chain.to("subject", (subject) => at(`subject ${subject}`))),
        Flow.on(Found).pipe(
          Chain.to("begin", ({ team }) => Effect.as(at(`begin ${team}`), team)),
          Chain.to("work", (team) => Effect.andThen(Effect.sleep(100), at(`end ${team}`)))
        )
      )
      const fiber = yield* Effect.forkChild(TriggerFlow.runResult(flow, "x"), { startImmediately: true })
      for (let i = 0; i < 30; i++) yield* TestClock.adjust(10)
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["a", "b"])
      const [first, second] = log.filter((line) => line.includes("begin")).map((line) => Number(line.split(" ")[0]))
      // The model goes on writing for two chunks behind the first action and one behind the second.
      assert.deepStrictEqual(
        log.map((line) => line.replace(/^\d+ /, "")),
        ["subject S", "begin a", "begin b", "end a", "end b", "data"]
      )
      assert.strictEqual((second ?? 0) - (first ?? 0), 10)
      assert.strictEqual(log.at(-1), `${(second ?? 0) + 100} data`)
    }).pipe(Effect.provide(ScriptedModel.layer([slowly(answer("a", "b"))])))
  )

  it.effect("has at most so many emits pending, loses none, and forwards what the model writes meanwhile", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      let pending = 0
      let most = 0
      const done: Array<string> = []
      const flow = Flow.build(
        Flow.start.pipe(
          Fields.toSignals("plan", respond, { on: { "actions[*]": Found }, concurrency: 3, forward: Fields.toEvent })
        ),
        Flow.on(Found).pipe(
          Chain.to("work", ({ team }) =>
            Effect.gen(function* () {
              most = Math.max(most, ++pending)
              yield* Deferred.await(gate)
              yield* Effect.yieldNow
              pending--
              done.push(team)
            })
          )
        )
      )
      const execution = yield* TriggerFlow.open(flow, "x")
      const seen: Array<string> = []
      yield* Effect.forkChild(
        Stream.runForEach(execution.stream, (item) =>
          Effect.sync(() => item._tag === "Field" && seen.push(`${item.path} ${item.attempt}`))
        )
      )
      yield* settle
      yield* settle
      assert.strictEqual(pending, 3)
      assert.include(seen, "actions[19] 1", "the reader of the runtime stream does not wait for the branches")
      yield* Deferred.succeed(gate, undefined)
      yield* execution.close()
      assert.strictEqual(most, 3)
      assert.deepStrictEqual(done.toSorted(), teams.toSorted())
    }).pipe(Effect.scoped, Effect.provide(ScriptedModel.layer([ScriptedModel.json(answer(...teams))])))
  )

  it.effect("has 8 emits pending where nobody says how many", () =>
    Effect.gen(function* () {
      let pending = 0
      const flow = Flow.build(
        Flow.start.pipe(Fields.toSignals("plan", respond, { on: { "actions[*]": Found } })),
        Flow.on(Found).pipe(
          Chain.to("work", () =>
            Effect.andThen(
              Effect.sync(() => pending++),
              Effect.never
            )
          )
        )
      )
      yield* TriggerFlow.open(flow, "x")
      yield* settle
      assert.strictEqual(pending, 8)
    }).pipe(Effect.scoped, Effect.provide(ScriptedModel.layer([ScriptedModel.json(answer(...teams))])))
  )

  it.effect("a function says which signal is emitted with what, or that none is", () =>
    Effect.gen(function* () {
      const flow = Flow.build(
        Flow.start.pipe(
          Fields.toSignals("plan", (letter) => planner.pipe(Agent.input(letter), Agent.respond), {
            on: {
              "actions[*]": ({ attempt, indexes, path, value }) =>
                value.team === "b" ? undefined : [Numbered, { path, attempt, of: indexes[0] ?? -1 }],
              "actions[1].team": Subject
            },
            give: ({ meta }) => meta.attempts.length
          }),
          Chain.result
        ),
        Flow.on(Numbered).pipe(
          Chain.to("n", ({ attempt, of, path }, run) => run.state.append("log", `${path} ${attempt} ${of}`))
        ),
        Flow.on(Subject).pipe(Chain.to("s", (team, run) => run.state.append("log", team)))
      )
      const closed = yield* TriggerFlow.run(flow, "x")
      assert.deepStrictEqual(closed.state.log, ["actions[0] 1 0", "b", "actions[2] 1 2"])
      assert.deepStrictEqual(closed.result, Result.getSuccess(Result.succeed(1)))
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json(answer("a", "b", "c"))])))
  )

  const rejected = { actions: [action("a"), action("b"), action("c")] }
  const accepted = { subject: "S", actions: [action("a"), action("other")] }
  const numbering = (isAccepted: boolean) =>
    Flow.build(
      Flow.start.pipe(
        Fields.toSignals("plan", respond, {
          on: {
            "actions[*]": ({ attempt, path, revision }) => [Numbered, { path, attempt, of: revision }],
            subject: Subject
          },
          concurrency: 1,
          accepted: isAccepted,
          forward: Fields.toEvent
        }),
        Chain.result
      ),
      Flow.on(Numbered).pipe(
        Chain.to("n", ({ attempt, of, path }, run) => run.state.append("log", `${path} ${attempt} ${of}`))
      ),
      Flow.on(Subject).pipe(Chain.to("s", (subject, run) => run.state.append("log", subject)))
    )
  const twice = ScriptedModel.layer([ScriptedModel.json(rejected), ScriptedModel.json(accepted)])

  it.effect("after a restart it emits again only what differs, with its attempt and revision", () =>
    Effect.gen(function* () {
      const { state } = yield* TriggerFlow.run(numbering(false), "x")
      assert.deepStrictEqual(state.log, ["actions[0] 1 0", "actions[1] 1 0", "actions[2] 1 0", "S", "actions[1] 2 1"])
    }).pipe(Effect.provide(twice))
  )

  it.effect("`accepted` emits nothing of an attempt that is rejected", () =>
    Effect.gen(function* () {
      const { state } = yield* TriggerFlow.run(numbering(true), "x")
      assert.deepStrictEqual(state.log, ["S", "actions[0] 2 0", "actions[1] 2 0"])
    }).pipe(Effect.provide(twice))
  )

  it.effect("`accepted` emits nothing where no attempt is accepted", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(numbering(true), "x")
      const error = yield* Effect.flip(execution.await)
      assert.strictEqual(error._tag, "OutputError")
      assert.deepStrictEqual(yield* execution.state.get("log"), [])
    }).pipe(Effect.scoped, Effect.provide(ScriptedModel.always(ScriptedModel.json(rejected))))
  )

  it.effect("forwards finished fields, restarts and ends in order, and deltas as volatile items", () =>
    Effect.gen(function* () {
      const flow = Flow.build(
        Flow.start.pipe(
          Fields.toSignals("plan", respond, {
            on: { "actions[*]": Found },
            forward: (event) =>
              event._tag === "Field" && event.path === "subject" ? undefined : Fields.toEvent(event),
            deltas: (field) => (field.path === "subject" ? note(`+${field.delta}`) : undefined)
          })
        ),
        Flow.on(Found).pipe(Chain.to("work", ({ team }, run) => run.put(note(`work ${team}`))))
      )
      const execution = yield* TriggerFlow.open(flow, "x")
      yield* TestClock.adjust(100)
      yield* execution.close()
      const entries = yield* Stream.runCollect(execution.entries())
      const lines = entries.map(({ event }) => {
        if (event._tag !== "item") return event._tag
        const { item, volatile } = event
        const text =
          item._tag === "Note"
            ? item.text
            : item._tag === "Field"
              ? `${item.attempt} ${item.path}=${JSON.stringify(item.value)}`
              : item._tag === "Reset"
                ? `again ${item.attempt}`
                : `${item.state} ${item.attempt} ${item.retry}`
        return `${text}${volatile ? " (volatile)" : ""}`
      })
      assert.deepStrictEqual(lines, [
        '1 actions[0].team="a"',
        '1 actions[0].task="t"',
        '1 actions[0]={"team":"a","task":"t"}',
        "work a",
        '1 actions=[{"team":"a","task":"t"}]',
        "failed 1 true",
        "again 2",
        "+Sub (volatile)",
        "+ject (volatile)",
        "2 actions=[]",
        "completed 2 false"
      ])
    }).pipe(
      Effect.scoped,
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.chunks(['{"actions":[{"team":"a","task":"t"}', "]}"], { delay: "10 millis" }),
          ScriptedModel.chunks(['{"subject":"Sub', 'ject","actions":[]}'])
        ])
      )
    )
  )

  it.effect("a slow reader of the runtime stream holds back what is forwarded, and no branch", () =>
    Effect.gen(function* () {
      const done: Array<string> = []
      const flow = Flow.build(
        Flow.start.pipe(Fields.toSignals("plan", respond, { on: { "actions[*]": Found }, forward: Fields.toEvent })),
        Flow.on(Found).pipe(Chain.to("work", ({ team }) => Effect.sync(() => void done.push(team))))
      )
      const stream = { _tag: "suspend", capacity: 2 } as const
      const execution = yield* TriggerFlow.open(flow, "x", { stream, autoClose: 0 })
      yield* settle
      assert.deepStrictEqual(done, teams)
      assert.strictEqual(yield* execution.status, "running")
      const items = yield* Stream.runCollect(execution.stream)
      assert.strictEqual(items.length, 1 + 20 * 3 + 3, "and it loses nothing")
    }).pipe(Effect.scoped, Effect.provide(ScriptedModel.layer([ScriptedModel.json(answer(...teams))])))
  )

  it.effect("what was cut off is no finished field", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(TriggerFlow.run(numbering(false), "x"))
      assert.strictEqual(error._tag, "OutputError")
    }).pipe(
      Effect.provide(
        ScriptedModel.always(ScriptedModel.text('{"actions":[{"team":"a', { finish: "length" }), { strict: false })
      )
    )
  )

  it.effect("a value that its signal does not carry, where the types do not say, is told and never emitted", () =>
    Effect.gen(function* () {
      const loose = Agent.make({ output: Schema.Struct({ x: Schema.Unknown }) })
      const flow = Flow.build(
        Flow.start.pipe(
          Fields.toSignals("plan", (letter) => loose.pipe(Agent.input(letter), Agent.respond), {
            on: { "x.y": Subject }
          })
        ),
        Flow.on(Subject).pipe(Chain.to("s", () => Effect.die("emitted")))
      )
      const exit = yield* Effect.exit(TriggerFlow.run(flow, "x"))
      assert.isTrue(Exit.isFailure(exit))
      if (Exit.isFailure(exit)) {
        assert.include(Cause.pretty(exit.cause), "signal Subject does not fit the contract: what stands at x.y")
      }
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ x: { y: 1 } })])))
  )
})

const teams = Array.from({ length: 20 }, (_, i) => `t${i}`)

describe("failures and interruption", () => {
  it.effect("a failing branch fails the execution and aborts the request", () =>
    Effect.gen(function* () {
      const flow = Flow.build(
        Flow.start.pipe(Fields.toSignals("plan", respond, { on: { subject: Subject } })),
        Flow.on(Subject).pipe(Chain.to("s", () => Effect.fail("no desk" as const)))
      )
      assert.strictEqual(yield* Effect.flip(TriggerFlow.run(flow, "x")), "no desk")
      assert.strictEqual(yield* ScriptedModel.aborted, 1)
      assert.strictEqual(yield* ScriptedModel.openStreams, 0)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.hangAfter(['{"subject":"S","actions":['])])))
  )

  it.effect("`onFailure` takes the failure of a branch; the others and the model go on", () =>
    Effect.gen(function* () {
      const flow = Flow.build(
        Flow.start.pipe(
          Fields.toSignals("plan", respond, {
            on: { "actions[*]": Found },
            onFailure: (cause, { path }) => Effect.sync(() => void failed.push(`${path}: ${Cause.squash(cause)}`))
          }),
          Chain.to("n", (plan) => Effect.succeed(plan.actions.length)),
          Chain.result
        ),
        Flow.on(Found).pipe(
          Chain.to("work", ({ team }, run) => (team === "b" ? Effect.fail("no desk") : run.state.append("log", team)))
        )
      )
      const failed: Array<string> = []
      const closed = yield* TriggerFlow.run(flow, "x")
      assert.deepStrictEqual(failed, ["actions[1]: no desk"])
      assert.deepStrictEqual(closed.state.log, ["a", "c"])
      assert.deepStrictEqual(closed.result, Result.getSuccess(Result.succeed(3)))
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json(answer("a", "b", "c"))])))
  )

  it.effect("the failure of the model fails the chunk, once, and interrupts the branches", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const flow = Flow.build(
        Flow.start.pipe(
          Fields.toSignals("plan", respond, { on: { subject: Subject }, forward: Fields.toEvent }),
          Chain.result
        ),
        Flow.on(Subject).pipe(
          Chain.to("s", () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted++)))
        )
      )
      const fiber = yield* Effect.forkChild(TriggerFlow.runResult(flow, "x"), { startImmediately: true })
      yield* TestClock.adjust(100)
      const exit = yield* Fiber.await(fiber)
      assert.strictEqual(interrupted, 1)
      const reasons = Exit.isFailure(exit) ? exit.cause.reasons : []
      assert.deepStrictEqual(
        reasons.map((reason) => Cause.isFailReason(reason) && reason.error._tag),
        ["ModelError"]
      )
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.failAfter(['{"subject":"S","actions":[', "]"], new ConnectionLost({ detail: "reset" }), {
            delay: "10 millis"
          })
        ])
      )
    )
  )

  for (const how of ["run", "open"] as const) {
    it.effect(`a step that is tried again reads a new response (${how})`, () =>
      Effect.gen(function* () {
        const flow = Flow.build(
          Flow.start.pipe(
            Fields.toSignals("plan", (letter) => planner.pipe(Agent.input(letter), Agent.respond), {
              on: { "actions[*]": Found },
              chunk: { retry: Schedule.recurs(1) }
            })
          ),
          Flow.on(Found).pipe(Chain.to("work", ({ team }, run) => run.state.append("log", team)))
        )
        const opened = Effect.flatMap(TriggerFlow.open(flow, "x", { autoClose: 0 }), (execution) => execution.await)
        const closed = how === "run" ? TriggerFlow.run(flow, "x") : opened
        const fiber = yield* Effect.forkChild(closed, { startImmediately: true })
        yield* TestClock.adjust(100)
        const { state } = yield* Fiber.join(fiber)
        assert.deepStrictEqual(state.log, ["a", "x", "a", "b"])
      }).pipe(
        Effect.scoped,
        Effect.provide(
          ScriptedModel.layer(
            [
              ScriptedModel.failAfter(
                ['{"subject":"S","actions":[{"team":"a","task":"t"},{"team":"x","task":"t"},', "{"],
                new ConnectionLost({ detail: "reset" }),
                { delay: "10 millis" }
              ),
              ScriptedModel.json(answer("a", "b"))
            ],
            { strict: false }
          )
        )
      )
    )
  }

  it.live("interrupting the flow closes the provider's connection", () =>
    Effect.gen(function* () {
      let closed: ((how: string) => void) | undefined
      const closing = new Promise<string>((resolve) => (closed = resolve))
      const server = createServer((request, response) => {
        request.resume()
        response.writeHead(200, { "content-type": "text/event-stream" })
        const choices = [{ index: 0, delta: { content: '{"subject":"S","actions":[' }, finish_reason: null }]
        response.write(`data: ${JSON.stringify({ id: "c", model: "m", choices })}\n\n`)
        response.on("close", () => closed?.(response.writableFinished ? "finished" : "aborted"))
      })
      server.listen(0, "127.0.0.1")
      yield* Effect.promise(() => once(server, "listening"))
      // The address of a server that listens on a port.
      const { port } = server.address() as AddressInfo
      const model = OpenAICompatible.layer({
        model: "m",
        apiKey: Redacted.make("k"),
        baseUrl: `http://127.0.0.1:${port}/v1`
      })
      const emitted = yield* Deferred.make<void>()
      const flow = Flow.build(
        Flow.start.pipe(Fields.toSignals("plan", respond, { on: { subject: Subject } })),
        Flow.on(Subject).pipe(Chain.to("s", () => Effect.andThen(Deferred.succeed(emitted, undefined), Effect.never)))
      )
      const fiber = yield* Effect.forkChild(TriggerFlow.run(flow, "x").pipe(Effect.provide(model)))
      yield* Deferred.await(emitted)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(yield* Effect.promise(() => closing), "aborted")
      server.close()
    })
  )
})

describe("the entry of flows", () => {
  it("loads nothing of agents and requests", async () => {
    const script = `
      import { registerHooks } from "node:module"
      const urls = []
      registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) })
      await import("effigent/triggerflow")
      console.log(urls.filter((url) => /src\\/(triggerflow|agent|request)\\//.test(url)).join("\\n"))
    `
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--conditions=effigent:source", "--input-type=module", "--eval", script],
      { cwd: new URL("../../", import.meta.url).pathname }
    )
    assert.include(stdout, "/src/triggerflow/Fields.ts")
    assert.notMatch(stdout, /src\/(agent|request)\//)
  })
})

describe("what surrounds a flow", () => {
  const ask = (input: string) => Agent.make({ input }).pipe(Agent.run)
  const Child = TriggerFlow.define("child", { input: Schema.String, result: Schema.String })
  const child = Child.build(Child.start.pipe(Chain.to("ask", ask), Chain.result))

  it.effect("a budget holds in handlers, in branches at once and in sub-flows", () =>
    Effect.gen(function* () {
      const flow = Flow.build(
        Flow.start.pipe(
          Chain.to("items", () => Effect.succeed(["1", "2", "3", "4"])),
          Chain.forEach((item) => item.pipe(Chain.to("branch", ask)), { onError: "collect" }),
          Chain.to("sub", (all) => Effect.succeed(all.filter(Result.isSuccess).length)),
          Chain.subFlow(child, { capture: (n) => `${n} of 4` }),
          Chain.result
        )
      )
      const error = yield* TriggerFlow.runResult(flow, "x").pipe(
        Budget.within({ name: "all", requests: 3 }),
        Effect.flip
      )
      assert.strictEqual(error._tag, "BudgetExceeded")
      assert.strictEqual((yield* ScriptedModel.requests).length, 3, "the fourth branch and the sub-flow were refused")
      assert.strictEqual(yield* TriggerFlow.runResult(flow, "x"), "ok", "without a budget all of it runs")
      assert.strictEqual((yield* ScriptedModel.requests).length, 3 + 5)
    }).pipe(Effect.provide(ScriptedModel.always(ScriptedModel.text("ok"))))
  )

  it.effect("a budget holds for the response that is read, and for the branches of its fields", () =>
    Effect.gen(function* () {
      const flow = Flow.build(
        Flow.start.pipe(Fields.toSignals("plan", respond, { on: { "actions[*]": Found } })),
        Flow.on(Found).pipe(Chain.to("ask", ({ team }) => ask(team)))
      )
      const error = yield* TriggerFlow.run(flow, "x").pipe(Budget.within({ requests: 2 }), Effect.flip)
      assert.strictEqual(error._tag, "BudgetExceeded")
      assert.strictEqual((yield* ScriptedModel.requests).length, 2)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json(answer("a", "b")), ScriptedModel.text("ok")])))
  )

  it.effect("spans of handlers, and of sub-flows, stand below the span around the flow", () =>
    Effect.gen(function* () {
      const above: Array<string> = []
      const look = Effect.flatMap(Effect.currentParentSpan, (span) => Effect.sync(() => void above.push(span.spanId)))
      const Inner = TriggerFlow.define("inner", {})
      const inner = Inner.build(Inner.start.pipe(Chain.to("look", () => look)))
      const flow = Flow.build(
        Flow.start.pipe(
          Fields.toSignals("plan", respond, { on: { subject: Subject } }),
          Chain.to("none", () => Effect.void),
          Chain.subFlow(inner)
        ),
        Flow.on(Subject).pipe(Chain.to("look", () => look))
      )
      const span = yield* Effect.withSpan("around")(
        Effect.flatMap(Effect.currentSpan, (span) => Effect.as(TriggerFlow.run(flow, "x"), span.spanId))
      )
      assert.deepStrictEqual(above, [span, span])
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json(answer("a"))])))
  )
})
