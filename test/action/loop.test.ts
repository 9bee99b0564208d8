/** The loop inside a response: what runs, what the model is told, where it ends. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Ref, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Tool, Toolkit } from "effect/ai"
import { Agent, Session } from "effigent"
import { Action, Actions } from "effigent/action"
import { SessionStores } from "effigent/layers/store"
import { ActionAudit, type ActionEvent, ApprovalGate } from "effigent/services/Action"
import type { ModelRequest } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"

const { text, toolCalls } = ScriptedModel

const weather = Action.make("get_weather", {
  description: "The weather in a city.",
  input: Schema.Struct({ city: Schema.String }),
  output: Schema.Struct({ celsius: Schema.Number }),
  sideEffect: "pure",
  run: ({ city }) => Effect.succeed({ celsius: city.length })
})

const call = (city: string, id?: string) => ({
  name: "get_weather",
  input: { city },
  ...(id === undefined ? {} : { id })
})

const requests = Effect.flatMap(ScriptedModel.ScriptedModel, (model) => model.requests)

// The messages of a request, as role and content.
const messagesOf = (request: ModelRequest | undefined) =>
  (request?.prompt.content ?? []).map((message) => ({
    role: message.role,
    parts:
      typeof message.content === "string"
        ? [message.content]
        : message.content.map((part) =>
            part.type === "text"
              ? part.text
              : part.type === "tool-call"
                ? `${part.id}:${part.name}(${JSON.stringify(part.params)})`
                : part.type === "tool-result"
                  ? `${part.id}=${JSON.stringify(part.result)}${part.isFailure ? "!" : ""}`
                  : part.type
          )
  }))

const lastResults = (request: ModelRequest | undefined) =>
  messagesOf(request).findLast(({ role }) => role === "tool")?.parts

describe("the loop over native tool calls", () => {
  it.effect("AC-06 tools are sent natively, results go back as tool messages, and system and history are seen", () =>
    Effect.gen(function* () {
      const agent = Agent.make({
        system: "You are a meteorologist.",
        info: { unit: "celsius" },
        history: [
          { role: "user", content: "Hello" },
          { role: "assistant", content: [{ type: "text", text: "Hi" }] }
        ],
        input: "Is it cold in Oslo?"
      }).pipe(Actions.use([weather]))
      const full = yield* Agent.whole(agent)
      assert.strictEqual(full.data, "Yes.")
      const [first, second] = yield* requests
      assert.deepStrictEqual(
        first?.tools.map(({ name }) => name),
        ["get_weather"]
      )
      assert.strictEqual(first?.toolChoice, "auto")
      const begun = messagesOf(first)
      assert.deepStrictEqual(
        begun.map(({ role }) => role),
        ["system", "user", "assistant", "user"]
      )
      assert.deepStrictEqual(messagesOf(second).slice(0, 4), begun)
      assert.deepStrictEqual(messagesOf(second).slice(4), [
        { role: "assistant", parts: ["Let me look.", 'call_1:get_weather({"city":"Oslo"})'] },
        { role: "tool", parts: ['call_1={"celsius":4}'] }
      ])
      assert.strictEqual(full.meta.actions?.status, "answered")
      assert.deepStrictEqual(
        full.meta.actions?.rounds.flatMap(({ records }) => records.map(({ status, tries }) => [status, tries])),
        [["success", 1]]
      )
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.events([
            [
              { _tag: "Text", text: "Let me look." },
              {
                _tag: "ToolCall",
                index: 0,
                id: "call_1",
                name: "get_weather",
                arguments: '{"city":"Oslo"}',
                input: { city: "Oslo" }
              },
              { _tag: "Finish", reason: "tool-calls" }
            ]
          ]),
          text("Yes.")
        ])
      )
    )
  )

  it.effect(
    "AC-02 AC-03 S11 extra keys are stripped; wrong types, missing keys, no JSON and unknown names never run",
    () =>
      Effect.gen(function* () {
        const seen = yield* Ref.make<ReadonlyArray<unknown>>([])
        const add = Action.make("add", {
          description: "Adds.",
          input: Schema.Struct({ x: Schema.Int, y: Schema.Int }),
          run: (input) =>
            Effect.as(
              Ref.update(seen, (all) => [...all, input]),
              input.x + input.y
            )
        })
        const agent = Agent.make({ input: "?" }).pipe(Actions.use([add]))
        assert.strictEqual(yield* Agent.run(agent), "done")
        assert.deepStrictEqual(yield* Ref.get(seen), [{ x: 1, y: 2 }])
        const results = lastResults((yield* requests)[1])
        assert.strictEqual(results?.[0], "call_1=3")
        assert.match(results?.[1] ?? "", /^call_2=\{"error":"the input does not fit: Expected number.*"\}!$/s)
        assert.match(results?.[2] ?? "", /^call_3=\{"error":"the input does not fit: Missing key.*y.*"\}!$/s)
        assert.match(results?.[3] ?? "", /there is no action \\"sub\\"; there are: add/)
        assert.match(results?.[4] ?? "", /^call_5=\{"error":"the input does not fit/)
      }).pipe(
        Effect.provide(
          ScriptedModel.layer([
            ScriptedModel.events([
              [
                ...[{ x: 1, y: 2, zz: 3 }, { x: "5", y: 2 }, { x: 1 }].map((input, index) => ({
                  _tag: "ToolCall" as const,
                  index,
                  id: `call_${index + 1}`,
                  name: "add",
                  arguments: JSON.stringify(input),
                  input
                })),
                { _tag: "ToolCall", index: 3, id: "call_4", name: "sub", arguments: "{}", input: {} },
                { _tag: "ToolCall", index: 4, id: "call_5", name: "add", arguments: "{x: 1" },
                { _tag: "Finish", reason: "tool-calls" }
              ]
            ]),
            text("done")
          ])
        )
      )
  )

  it.effect("AC-04 the limit of rounds holds: one more request, with tools off", () =>
    Effect.gen(function* () {
      const full = yield* Agent.whole(Agent.make({ input: "?" }).pipe(Actions.use([weather], { rounds: 1 })))
      assert.strictEqual(full.meta.actions?.status, "rounds")
      const sent = yield* requests
      assert.deepStrictEqual(
        sent.map(({ toolChoice }) => toolChoice),
        ["auto", "none"]
      )
      assert.strictEqual(sent[1]?.tools.length, 1)
    }).pipe(Effect.provide(ScriptedModel.layer([toolCalls([call("Oslo")]), text("4 degrees")])))
  )

  it.effect("S10 a model that always calls, with a limit of two calls: three requests, and a status that says so", () =>
    Effect.gen(function* () {
      const full = yield* Agent.whole(Agent.make({ input: "?" }).pipe(Actions.use([weather], { calls: 2 })))
      assert.strictEqual(full.meta.actions?.status, "calls")
      assert.deepStrictEqual(
        (yield* requests).map(({ toolChoice }) => toolChoice),
        ["auto", "auto", "none"]
      )
      assert.strictEqual(full.data, "")
    }).pipe(
      Effect.provide(ScriptedModel.layer([toolCalls([call("a")]), toolCalls([call("b")]), toolCalls([call("c")])]))
    )
  )

  it.effect("a thousand calls in one turn: those beyond the limit are not run, and each has a result", () =>
    Effect.gen(function* () {
      const runs = yield* Ref.make(0)
      const count = Action.make("count", {
        description: "Counts.",
        sideEffect: "pure",
        run: () => Ref.updateAndGet(runs, (n) => n + 1)
      })
      const full = yield* Agent.whole(Agent.make({ input: "?" }).pipe(Actions.use([count], { calls: 10 })))
      assert.strictEqual(yield* Ref.get(runs), 10)
      assert.strictEqual(full.meta.actions?.status, "calls")
      const results = lastResults((yield* requests)[1])
      assert.strictEqual(results?.length, 1000)
      assert.match(results?.[10] ?? "", /the limit of 10 calls is reached/)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls(Array.from({ length: 1000 }, () => ({ name: "count", input: {} }))),
          text("enough")
        ])
      )
    )
  )

  it.effect("the limit of one action holds while others run", () =>
    Effect.gen(function* () {
      const once = Action.make("once", { description: "Once.", maxCalls: 1, run: () => Effect.succeed("ran") })
      yield* Agent.run(Agent.make({ input: "?" }).pipe(Actions.use([once, weather])))
      assert.deepStrictEqual(lastResults((yield* requests)[1]), [
        'call_1="ran"',
        'call_2={"error":"the limit of 1 calls of once is reached; do not call it again"}!',
        'call_3={"celsius":4}'
      ])
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([{ name: "once", input: {} }, { name: "once", input: {} }, call("Oslo")]),
          text("ok")
        ])
      )
    )
  )

  it.effect("AC-05 the same failure again and again ends the loop", () =>
    Effect.gen(function* () {
      const broken = Action.make("broken", { description: "Fails.", run: () => Effect.fail(new Error("no luck")) })
      const full = yield* Agent.whole(Agent.make({ input: "?" }).pipe(Actions.use([broken], { failures: 2 })))
      assert.strictEqual(full.meta.actions?.status, "failures")
      const sent = yield* requests
      assert.strictEqual(sent.length, 3)
      assert.deepStrictEqual(lastResults(sent[2]), ['call_2_0={"error":"no luck"}!'])
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([{ name: "broken", input: {} }]),
          toolCalls([{ name: "broken", input: { again: true } }]),
          text("I give up")
        ])
      )
    )
  )

  it.effect("AC-07 what needs approval does not run without it", () =>
    Effect.gen(function* () {
      const ran = yield* Ref.make(false)
      const pay = Action.make("pay", { description: "Pays.", approval: "always", run: () => Ref.set(ran, true) })
      const full = yield* Agent.whole(Agent.make({ input: "?" }).pipe(Actions.use([pay])))
      assert.isFalse(yield* Ref.get(ran))
      assert.deepStrictEqual(
        full.meta.actions?.rounds[0]?.records.map(({ status, tries }) => [status, tries]),
        [["denied", 0]]
      )
      assert.match(lastResults((yield* requests)[1])?.[0] ?? "", /there is nobody to ask/)
    }).pipe(Effect.provide(ScriptedModel.layer([toolCalls([{ name: "pay", input: {} }]), text("not paid")])))
  )

  it.effect("an approval may depend on the input, and the gate sees a digest of the call", () =>
    Effect.gen(function* () {
      const asked = yield* Ref.make<ReadonlyArray<string>>([])
      const pay = Action.make("pay", {
        description: "Pays.",
        input: Schema.Struct({ amount: Schema.Number }),
        approval: ({ amount }) => amount > 100,
        run: ({ amount }) => Effect.succeed(`paid ${amount}`)
      })
      const full = yield* Agent.whole(Agent.make({ input: "?" }).pipe(Actions.use([pay]))).pipe(
        Effect.provideService(ApprovalGate, (request) =>
          Effect.as(
            Ref.update(asked, (all) => [...all, request.digest]),
            { _tag: "Denied", note: "too much" } as const
          )
        )
      )
      assert.strictEqual((yield* Ref.get(asked)).length, 1)
      assert.match((yield* Ref.get(asked))[0] ?? "", /^[0-9a-f]{64}$/)
      assert.deepStrictEqual(lastResults((yield* requests)[1]), ['call_1="paid 5"', 'call_2={"error":"too much"}!'])
      assert.strictEqual(full.meta.actions?.rounds[0]?.records[1]?.decision?._tag, "Denied")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([
            { name: "pay", input: { amount: 5 } },
            { name: "pay", input: { amount: 500 } }
          ]),
          text("ok")
        ])
      )
    )
  )

  it.effect("AC-08 a time-out is a failed result, and the loop goes on", () =>
    Effect.gen(function* () {
      const slow = Action.make("slow", { description: "Slow.", timeout: "1 second", run: () => Effect.never })
      const fiber = yield* Effect.forkChild(Agent.whole(Agent.make({ input: "?" }).pipe(Actions.use([slow]))))
      yield* TestClock.adjust("1 second")
      const full = yield* Fiber.join(fiber)
      assert.strictEqual(full.data, "sorry")
      const [record] = full.meta.actions?.rounds[0]?.records ?? []
      assert.deepStrictEqual([record?.status, record?.duration], ["timeout", 1000])
    }).pipe(Effect.provide(ScriptedModel.layer([toolCalls([{ name: "slow", input: {} }]), text("sorry")])))
  )

  it.effect("the time of the loop ends calls that are at work, and the loop", () =>
    Effect.gen(function* () {
      const slow = Action.make("slow", { description: "Slow.", run: () => Effect.never })
      const agent = Agent.make({ input: "?" }).pipe(Actions.use([slow], { time: "5 seconds" }))
      const fiber = yield* Effect.forkChild(Agent.whole(agent))
      yield* TestClock.adjust("5 seconds")
      const full = yield* Fiber.join(fiber)
      assert.strictEqual(full.meta.actions?.status, "time")
      assert.strictEqual((yield* requests)[1]?.toolChoice, "none")
    }).pipe(Effect.provide(ScriptedModel.layer([toolCalls([{ name: "slow", input: {} }]), text("late")])))
  )

  it.effect("S12 a tool that throws goes back to the model, without what it threw", () =>
    Effect.gen(function* () {
      const bad = Action.make("bad", {
        description: "Throws.",
        run: () =>
          Effect.sync(() => {
            throw new Error("password=hunter2")
          })
      })
      assert.strictEqual(yield* Agent.run(Agent.make({ input: "?" }).pipe(Actions.use([bad]))), "recovered")
      const told = lastResults((yield* requests)[1])?.[0] ?? ""
      assert.match(told, /the action broke/)
      assert.notMatch(told, /hunter2/)
    }).pipe(Effect.provide(ScriptedModel.layer([toolCalls([{ name: "bad", input: {} }]), text("recovered")])))
  )

  it.effect("S13 a tool asks for another try with a hint, twice; the hint is the result", () =>
    Effect.gen(function* () {
      const tries = yield* Ref.make(0)
      const guess = Action.make("guess", {
        description: "Guesses.",
        run: () =>
          Effect.flatMap(
            Ref.updateAndGet(tries, (n) => n + 1),
            (n) => (n < 3 ? Action.retry(`hint ${n}`) : Effect.succeed("right"))
          )
      })
      assert.strictEqual(yield* Agent.run(Agent.make({ input: "?" }).pipe(Actions.use([guess]))), "found")
      const sent = yield* requests
      assert.strictEqual(sent.length, 4)
      assert.deepStrictEqual(
        sent.slice(1).map((request) => lastResults(request)?.[0]?.split("=")[1]),
        ['"hint 1"', '"hint 2"', '"right"']
      )
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ...Array.from({ length: 3 }, () => toolCalls([{ name: "guess", input: {} }])),
          text("found")
        ])
      )
    )
  )

  it.effect("S14 a tool ends the run with an answer: one request", () =>
    Effect.gen(function* () {
      const end = Action.make("end", { description: "Ends.", run: () => Action.stop("that was all") })
      const full = yield* Agent.whole(Agent.make({ input: "?" }).pipe(Actions.use([end])))
      assert.strictEqual(full.data, "that was all")
      assert.strictEqual(full.meta.actions?.status, "stopped")
      assert.strictEqual((yield* requests).length, 1)
    }).pipe(Effect.provide(ScriptedModel.layer([toolCalls([{ name: "end", input: {} }])])))
  )

  it.effect("S15 a tool's output as the answer, decoded by the output Schema: one request", () =>
    Effect.gen(function* () {
      const Report = Schema.Struct({ celsius: Schema.Number })
      const direct = Action.make("report", {
        description: "Reports.",
        output: Report,
        returns: true,
        run: () => Effect.succeed({ celsius: 7 })
      })
      const full = yield* Agent.whole(Agent.make({ input: "?", output: Report }).pipe(Actions.use([direct])))
      assert.deepStrictEqual(full.data, { celsius: 7 })
      assert.strictEqual(full.meta.actions?.status, "returned")
      assert.strictEqual((yield* requests).length, 1)
    }).pipe(Effect.provide(ScriptedModel.layer([toolCalls([{ name: "report", input: {} }])])))
  )

  it.effect("S16 parallel tools: events as they end, results in the order of the calls", () =>
    Effect.gen(function* () {
      const wait = Action.make("wait", {
        description: "Waits.",
        input: Schema.Struct({ millis: Schema.Int }),
        run: ({ millis }) => Effect.as(Effect.sleep(millis), millis)
      })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const response = yield* Agent.respond(Agent.make({ input: "?" }).pipe(Actions.use([wait])))
          const events = yield* response
            .events(["ActionStarted", "ActionEnded"])
            .pipe(Stream.runCollect, Effect.forkChild)
          yield* TestClock.adjust(300)
          const told = (yield* Fiber.join(events)).map((event) =>
            event._tag === "ActionStarted"
              ? `start ${event.call.index}`
              : `end ${event.record.call.index} after ${event.record.duration}`
          )
          assert.deepStrictEqual(told, [
            "start 0",
            "start 1",
            "start 2",
            "end 1 after 100",
            "end 2 after 200",
            "end 0 after 300"
          ])
        })
      )
      assert.deepStrictEqual(lastResults((yield* requests)[1]), ["call_1=300", "call_2=100", "call_3=200"])
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([300, 100, 200].map((millis) => ({ name: "wait", input: { millis } }))),
          text("ok")
        ])
      )
    )
  )

  it.effect("S17 middleware: the first one is outermost, and each may change what is passed and what is told", () =>
    Effect.gen(function* () {
      const order = yield* Ref.make<ReadonlyArray<string>>([])
      const note = (what: string) => Ref.update(order, (all) => [...all, what])
      const layer =
        (name: string): Actions.Middleware =>
        (given, next) =>
          note(`${name} in`).pipe(
            Effect.andThen(next({ ...given, input: { city: `${name} Oslo` } })),
            Effect.tap(() => note(`${name} out`)),
            Effect.map((record) => ({ ...record, result: [name, record.result] }))
          )
      yield* Agent.run(
        Agent.make({ input: "?" }).pipe(Actions.use([weather], { middleware: [layer("h1"), layer("h2")] }))
      )
      assert.deepStrictEqual(yield* Ref.get(order), ["h1 in", "h2 in", "h2 out", "h1 out"])
      assert.deepStrictEqual(lastResults((yield* requests)[1]), ['call_1=["h1",["h2",{"celsius":7}]]'])
    }).pipe(Effect.provide(ScriptedModel.layer([toolCalls([call("Oslo")]), text("ok")])))
  )

  it.effect("S21 tokens are summed over the rounds, and the times of calls are there", () =>
    Effect.gen(function* () {
      const slow = Action.make("slow", { description: "Slow.", run: () => Effect.as(Effect.sleep(50), 1) })
      const fiber = yield* Effect.forkChild(Agent.whole(Agent.make({ input: "?" }).pipe(Actions.use([slow]))))
      yield* TestClock.adjust(50)
      const { meta } = yield* Fiber.join(fiber)
      assert.strictEqual(meta.usage.inputTokens, 30)
      assert.strictEqual(meta.actions?.rounds[0]?.records[0]?.duration, 50)
      assert.isDefined(meta.timeToFirstToken)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([{ name: "slow", input: {} }], { usage: { inputTokens: 10, outputTokens: 2 } }),
          text("ok", { usage: { inputTokens: 20, outputTokens: 3 } })
        ])
      )
    )
  )

  it.effect("S24 0, an empty text, false and null are results", () =>
    Effect.gen(function* () {
      const values = [0, "", false, null]
      const give = Action.make("give", {
        description: "Gives.",
        input: Schema.Struct({ index: Schema.Int }),
        run: ({ index }) => Effect.succeed(values[index])
      })
      yield* Agent.run(Agent.make({ input: "?" }).pipe(Actions.use([give])))
      assert.deepStrictEqual(lastResults((yield* requests)[1]), [
        "call_1=0",
        'call_2=""',
        "call_3=false",
        "call_4=null"
      ])
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([toolCalls([0, 1, 2, 3].map((index) => ({ name: "give", input: { index } }))), text("ok")])
      )
    )
  )

  it.effect("an aborting tool fails the run with its own typed error", () =>
    Effect.gen(function* () {
      class Outage extends Schema.TaggedError<Outage>()("Outage", {}) {}
      const fatal = Action.make("fatal", { description: "Aborts.", run: () => Action.abort(new Outage()) })
      const error = yield* Effect.flip(Agent.run(Agent.make({ input: "?" }).pipe(Actions.use([fatal]))))
      assert.instanceOf(error, Outage)
    }).pipe(Effect.provide(ScriptedModel.layer([toolCalls([{ name: "fatal", input: {} }])])))
  )

  it.effect("S77 on-demand actions are offered only once the model has found them", () =>
    Effect.gen(function* () {
      const rare = Action.make("convert_currency", {
        description: "Converts money.",
        onDemand: true,
        run: () => Effect.succeed(42)
      })
      yield* Agent.run(Agent.make({ input: "?" }).pipe(Actions.use([weather, rare])))
      const sent = yield* requests
      assert.deepStrictEqual(
        sent.map(({ tools }) => tools.map(({ name }) => name)),
        [
          ["get_weather", "search_actions"],
          ["get_weather", "search_actions"],
          ["get_weather", "search_actions", "convert_currency"],
          ["get_weather", "search_actions", "convert_currency"]
        ]
      )
      assert.match(lastResults(sent[1])?.[0] ?? "", /there is no action/)
      assert.deepStrictEqual(lastResults(sent[3]), ["call_3_0=42"])
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([{ name: "convert_currency", input: {} }]),
          toolCalls([{ name: "search_actions", input: { query: "money currency" } }]),
          toolCalls([{ name: "convert_currency", input: {} }]),
          text("42 euros")
        ])
      )
    )
  )

  it.effect("S75 what the user says during the run stands before the next request", () =>
    Effect.gen(function* () {
      const inbox = yield* Ref.make<ReadonlyArray<string>>([])
      const poke = Action.make("poke", {
        description: "Pokes.",
        run: () => Ref.set(inbox, ["Actually, in Bergen."])
      })
      yield* Agent.run(Agent.make({ input: "?" }).pipe(Actions.use([poke], { steer: Ref.getAndSet(inbox, []) })))
      assert.deepStrictEqual(messagesOf((yield* requests)[1]).at(-1), { role: "user", parts: ["Actually, in Bergen."] })
    }).pipe(Effect.provide(ScriptedModel.layer([toolCalls([{ name: "poke", input: {} }]), text("ok")])))
  )

  it.effect("a long result is shown in part, and read in ranges", () =>
    Effect.gen(function* () {
      const long = "abcdefghij".repeat(100)
      const big = Action.make("big", { description: "Big.", maxResult: 200, run: () => Effect.succeed(long) })
      const full = yield* Agent.whole(Agent.make({ input: "?" }).pipe(Actions.use([big])))
      const artifact = full.meta.actions?.rounds[0]?.records[0]?.artifact
      assert.strictEqual(artifact?.size, 1000)
      const sent = yield* requests
      assert.deepStrictEqual(
        sent.map(({ tools }) => tools.length),
        [1, 2, 2]
      )
      assert.match(lastResults(sent[2])?.[0] ?? "", /there is no artifact/i)
      assert.strictEqual(lastResults(sent[2])?.[1], `read_2="${long.slice(990)}"`)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([{ name: "big", input: {} }]),
          toolCalls([
            { id: "read_1", name: "read_artifact", input: { artifact: "none", from: 0, length: 5 } },
            // The digest of the text above, as sha256sum gives it.
            { id: "read_2", name: "read_artifact", input: { artifact: "c49bba59ccc72847", from: 990, length: 50 } }
          ]),
          text("ok")
        ])
      )
    )
  )

  it.effect("a run's tool messages are recorded in its session", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ input: "Cold in Oslo?" }).pipe(
        Actions.use([weather]),
        Session.attach(Session.make(), "s")
      )
      yield* Agent.run(agent)
      yield* Agent.run(agent.pipe(Agent.input("And now?")))
      const last = (yield* requests).at(-1)
      assert.deepStrictEqual(
        messagesOf(last).map(({ role }) => role),
        ["user", "assistant", "tool", "assistant", "user"]
      )
    }).pipe(
      Effect.provide([
        ScriptedModel.layer([toolCalls([call("Oslo")]), text("Yes."), text("Still.")]),
        SessionStores.memory
      ])
    )
  )

  it.effect("a text where a number is wanted is told so, not that it has to be NaN", () =>
    Effect.gen(function* () {
      const add = Action.make("add", {
        description: "Adds.",
        input: Schema.Struct({ a: Schema.Number }),
        run: ({ a }) => Effect.succeed(a)
      })
      const { meta } = yield* Agent.make({ input: "Add." }).pipe(Actions.use([add]), Agent.whole)
      assert.deepStrictEqual(meta.actions?.rounds[0]?.records[0]?.result, {
        error: `the input does not fit: Expected number\n  at ["a"]`
      })
    }).pipe(Effect.provide(ScriptedModel.layer([toolCalls([{ name: "add", input: { a: "two" } }]), text("I cannot.")])))
  )

  it.effect("an answer that does not fit is corrected behind the results, without calling again", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ input: "?", output: Schema.Struct({ celsius: Schema.Number }) }).pipe(
        Actions.use([weather])
      )
      assert.deepStrictEqual(yield* Agent.run(agent), { celsius: 4 })
      const last = messagesOf((yield* requests).at(-1))
      assert.deepStrictEqual(
        last.map(({ role }) => role),
        ["user", "assistant", "tool", "user"]
      )
      assert.match(last.at(-1)?.parts[0] ?? "", /OUTPUT CORRECTION/)
    }).pipe(
      Effect.provide(ScriptedModel.layer([toolCalls([call("Oslo")]), text("cold"), ScriptedModel.json({ celsius: 4 })]))
    )
  )
})

describe("arguments while the model writes them", () => {
  it.effect("fields of parallel calls grow before the calls are complete, and begin anew with each round", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const response = yield* Agent.respond(Agent.make({ input: "?" }).pipe(Actions.use([weather])))
        const seen = yield* Stream.runCollect(Actions.fields(response))
        const told = seen.map(
          ({ call, field }) =>
            `${call.index} ${field.path} ${field.isComplete ? `= ${String(field.value)}` : field.delta}`
        )
        assert.deepStrictEqual(told, [
          "0 city Os",
          "0 city lo",
          "0 city = Oslo",
          "1 city Rome",
          "1 city = Rome",
          "0 city Ber",
          "0 city n",
          "0 city = Bern"
        ])
      })
    ).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.events([
            [
              { _tag: "ToolCallDelta", index: 0, id: "a", name: "get_weather", delta: '{"city":"Os' },
              { _tag: "ToolCallDelta", index: 1, id: "b", name: "get_weather", delta: '{"ci' }
            ],
            [
              { _tag: "ToolCallDelta", index: 0, id: "a", name: "get_weather", delta: 'lo"}' },
              {
                _tag: "ToolCall",
                index: 0,
                id: "a",
                name: "get_weather",
                arguments: '{"city":"Oslo"}',
                input: { city: "Oslo" }
              },
              { _tag: "ToolCallDelta", index: 1, id: "b", name: "get_weather", delta: 'ty":"Rome"}' },
              {
                _tag: "ToolCall",
                index: 1,
                id: "b",
                name: "get_weather",
                arguments: '{"city":"Rome"}',
                input: { city: "Rome" }
              },
              { _tag: "Finish", reason: "tool-calls" }
            ]
          ]),
          toolCalls([call("Bern")], { chunkSize: 12 }),
          text("ok")
        ])
      )
    )
  )
})

describe("tools of effect/ai as they are", () => {
  const Sum = Tool.make("sum", {
    description: "Adds.",
    parameters: Schema.Struct({ a: Schema.Number, b: Schema.Number }),
    success: Schema.Number
  })
  const kit = Toolkit.make(Sum)

  it.effect("a toolkit with its own Layer", () =>
    Effect.gen(function* () {
      yield* Agent.run(Agent.make({ input: "?" }).pipe(Actions.use([kit])))
      const results = lastResults((yield* requests)[1])
      assert.strictEqual(results?.[0], "call_1=3")
      assert.match(results?.[1] ?? "", /does not fit/)
    }).pipe(
      Effect.provide([
        kit.toLayer({ sum: ({ a, b }) => Effect.succeed(a + b) }),
        ScriptedModel.layer([
          toolCalls([
            { name: "sum", input: { a: 1, b: 2 } },
            { name: "sum", input: { a: "1", b: 2 } }
          ]),
          text("ok")
        ])
      ])
    )
  )
})

describe("every call is accounted for", () => {
  it.effect("an interrupted run leaves nothing at work, and the audit log says what became of each call", () =>
    Effect.gen(function* () {
      const log = yield* Ref.make<ReadonlyArray<ActionEvent>>([])
      const begun = yield* Deferred.make<void>()
      const stopped = yield* Ref.make(0)
      const slow = Action.make("slow", {
        description: "Slow.",
        run: () =>
          Effect.andThen(Deferred.succeed(begun, undefined), Effect.never).pipe(
            Effect.onInterrupt(() => Ref.update(stopped, (n) => n + 1))
          )
      })
      const fiber = yield* Agent.run(Agent.make({ input: "?" }).pipe(Actions.use([slow]))).pipe(
        Effect.provideService(ActionAudit, (event) => Ref.update(log, (all) => [...all, event])),
        Effect.forkChild
      )
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(yield* Ref.get(stopped), 2)
      const ended = (yield* Ref.get(log)).flatMap((event) =>
        event._tag === "ActionEnded" ? [event.record.status] : []
      )
      assert.deepStrictEqual(ended, ["interrupted", "interrupted"])
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          toolCalls([
            { name: "slow", input: {} },
            { name: "slow", input: {} }
          ])
        ])
      )
    )
  )

  it.effect("two actions of one name are refused before anything is sent", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Agent.run(Agent.make({ input: "?" }).pipe(Actions.use([weather, weather]))))
      assert.strictEqual(error._tag, "ActionNameError")
      assert.strictEqual((yield* requests).length, 0)
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )
})

describe("the loop over plans", () => {
  it.effect("AC-01 one round: plan, run, plan, answer, with the results in the last prompt", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ system: "You are terse.", info: { unit: "C" }, input: "Cold in Oslo?" }).pipe(
        Actions.use([weather], { protocol: "plan" })
      )
      const full = yield* Agent.whole(agent)
      assert.strictEqual(full.data, "Yes.")
      const sent = yield* requests
      assert.strictEqual(sent.length, 3)
      assert.isTrue(
        sent.every(({ prompt, tools }) => tools.length === 0 && prompt.content[0]?.content === "You are terse.")
      )
      const final = messagesOf(sent[2]).at(-1)?.parts[0] ?? ""
      assert.match(final, /\[ACTION RESULTS\]:\n-\n +call: call_1_0\n +action: get_weather/)
      assert.match(final, /celsius: 4/)
      assert.match(messagesOf(sent[0]).at(-1)?.parts[0] ?? "", /unit: C[\s\S]*\[ACTIONS\]/)
      assert.deepStrictEqual(
        full.meta.actions?.rounds.flatMap(({ records }) => records.map(({ status }) => status)),
        ["success"]
      )
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json({
            next: "call",
            calls: [{ purpose: "look", action: "get_weather", input: { city: "Oslo" } }]
          }),
          ScriptedModel.json({ next: "answer", calls: [] }),
          text("Yes.")
        ])
      )
    )
  )

  it.effect("AC-04 with a limit of one round no second plan is asked for", () =>
    Effect.gen(function* () {
      const full = yield* Agent.whole(
        Agent.make({ input: "?" }).pipe(Actions.use([weather], { protocol: "plan", rounds: 1 }))
      )
      assert.strictEqual(full.meta.actions?.status, "rounds")
      assert.strictEqual((yield* requests).length, 2)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json({
            next: "call",
            calls: [{ purpose: "look", action: "get_weather", input: { city: "Oslo" } }]
          }),
          text("ok")
        ])
      )
    )
  )
})
