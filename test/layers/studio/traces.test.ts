import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { Agent } from "../../../src/index.ts"
import * as Action from "../../../src/action/Action.ts"
import * as Actions from "../../../src/action/Actions.ts"
import * as Capture from "../../../layers/apps/studio/Capture.ts"
import { spanDetail, spanRow, traceRow, type Span, Traces, windowOf } from "../../../layers/apps/studio/Traces.ts"
import { defineConfig } from "../../../layers/apps/config/Project.ts"
import { Room } from "../../../layers/apps/studio/Rendered.ts"
import * as Prices from "../../../layers/apps/studio/Prices.ts"
import * as ConsoleTraces from "../../../layers/otel/ConsoleTraces.ts"
import * as Otel from "../../../layers/otel/Otel.ts"
import { ScriptedModel } from "../../../layers/testing/index.ts"
import * as Telemetry from "../../../services/Telemetry.ts"
import { Chain, TriggerFlow } from "../../../src/triggerflow/index.ts"
import { eventually, open } from "./support.ts"

const ids = () => {
  let last = 0
  return () => `t${++last}`
}

const begin = (traces: Traces, name: string, at = 0, parent?: Span) =>
  traces.begin(parent, { kind: parent === undefined ? "flow" : "step", name, at }).span

const end = (traces: Traces, span: Span, at = 1) => traces.end(span, { at, status: "ok" })

describe("the store of traces", () => {
  it("drops the oldest that have ended, and counts them; those at work stay as long as they can", () => {
    const traces = new Traces({ traces: 3 }, ids())
    const working = begin(traces, "working")
    for (const name of ["a", "b", "c"]) end(traces, begin(traces, name))
    assert.deepStrictEqual(
      traces.list({}).traces.map(({ root }) => root.name),
      ["c", "b", "working"]
    )
    assert.strictEqual(traces.dropped, 1)
    for (const name of ["d", "e", "f"]) begin(traces, name)
    assert.deepStrictEqual(
      traces.list({}).traces.map(({ root }) => root.name),
      ["f", "e", "d"]
    )
    // What goes on in one that was dropped changes nothing and is counted nowhere.
    const { spans } = traces.size
    traces.begin(working, { kind: "step", name: "late", at: 5 })
    end(traces, working)
    assert.strictEqual(traces.size.spans, spans)
  })

  it("keeps no more spans of a trace than it may, and counts the rest", () => {
    const traces = new Traces({ spansPerTrace: 10 }, ids())
    const root = begin(traces, "root")
    let at = root
    for (let number = 0; number < 30; number++) at = traces.begin(at, { kind: "step", name: "s", at: number }).span
    assert.strictEqual(root.trace.spans.size, 10)
    assert.strictEqual(root.trace.dropped, 21)
    assert.strictEqual(root.descendants, 9)
  })

  it("stays within its bytes: whole traces go first, then the content of the one that is left", () => {
    const traces = new Traces({ bytes: 100_000 }, ids())
    for (let number = 0; number < 100; number++) {
      const span = begin(traces, `t${number}`)
      traces.put(span, { output: "x".repeat(5_000) }, 10_000)
      end(traces, span)
      assert.isAtMost(traces.size.bytes, 100_000)
    }
    assert.isAbove(traces.dropped, 80)
    const root = begin(traces, "root")
    for (let number = 0; number < 50; number++) {
      const span = begin(traces, "s", number, root)
      traces.put(span, { output: number }, 10_000)
    }
    assert.isAtMost(traces.size.bytes, 100_000)
    const spans = [...root.trace.spans.values()]
    assert.deepStrictEqual([spans[1]?.content.output, spans[1]?.content.truncated], [undefined, true])
    assert.strictEqual(spans.at(-1)?.content.output, 49)
    // What alone is too large is not kept.
    traces.put(root, { output: "much" }, 90_000)
    assert.deepStrictEqual(spanDetail(root).truncated, true)
    assert.isUndefined(spanDetail(root).output)
    traces.clear()
    assert.strictEqual(traces.size.traces, 1)
    end(traces, root)
    traces.clear()
    assert.deepStrictEqual(traces.size, { traces: 0, spans: 0, bytes: 0 })
  })

  it("counts small objects as what they take of the memory, not as their text", () => {
    const room = new Room(262_144)
    room.value(Array.from({ length: 50_000 }, () => ({})))
    assert.isAbove(room.used, 50_000 * 60)
    const text = new Room(262_144)
    text.value("x".repeat(50_000))
    assert.strictEqual(text.used, 2 * 50_002)
  })

  it("counts the messages of errors and what events tell, and stays within its bytes with them", () => {
    const traces = new Traces({ bytes: 200_000 }, ids())
    const message = "x".repeat(4_000)
    const root = begin(traces, "root")
    for (let number = 0; number < 100; number++) {
      const span = begin(traces, "s", number, root)
      traces.end(span, { at: number, status: "error", error: { tag: "E", message } })
      assert.isAtMost(traces.size.bytes, 200_000)
    }
    const kept = [...root.trace.spans.values()].map(({ error }) => error?.message.length ?? 0)
    assert.isAtMost(2 * kept.reduce((a, b) => a + b, 0), 200_000)
    assert.strictEqual(kept.at(-1), 4_000)
    assert.strictEqual(root.trace.errors, 100)
    const told = begin(traces, "told", 0, root)
    for (let number = 0; number < 100; number++) {
      traces.event(told, number, "try failed", { message }, 2 * message.length)
      assert.isAtMost(traces.size.bytes, 200_000)
    }
    assert.isTrue(spanDetail(told).truncated)
    // What happens in a trace that was dropped is counted nowhere.
    const late = begin(traces, "late", 0, root)
    end(traces, root)
    traces.clear()
    traces.event(late, 1, "try failed", { message }, 2 * message.length)
    traces.end(late, { at: 1, status: "error", error: { tag: "E", message } })
    assert.deepStrictEqual(traces.size, { traces: 0, spans: 0, bytes: 0 })
  })

  it("gives windows of 100,000 spans in the order of the tree, the same whatever the size of the window", () => {
    const traces = new Traces({}, ids())
    const root = begin(traces, "root")
    for (let branch = 0; branch < 100; branch++) {
      const parent = begin(traces, `b${branch}`, branch, root)
      for (let leaf = 0; leaf < 999; leaf++) begin(traces, `b${branch}.${leaf}`, branch, parent)
    }
    const { trace } = root
    const all = windowOf(trace, { limit: Infinity })
    assert.strictEqual(all?.total, 100_001)
    const names = all?.rows.map(({ name }) => name) ?? []
    assert.deepStrictEqual(names.slice(0, 3), ["root", "b0", "b0.0"])
    for (const offset of [0, 1, 999, 1_000, 1_001, 50_000, 99_990]) {
      const window = windowOf(trace, { offset, limit: 50 })
      assert.strictEqual(window?.total, 100_001)
      assert.deepStrictEqual(
        window?.rows.map(({ name }) => name),
        names.slice(offset, offset + 50)
      )
    }
    const shallow = windowOf(trace, { depth: 1, limit: 1000 })
    assert.deepStrictEqual([shallow?.total, shallow?.rows.length, shallow?.rows[1]?.name], [101, 101, "b0"])
    const one = trace.order[1]
    const below = windowOf(trace, { under: one?.id ?? "", offset: 998, limit: 10 })
    assert.deepStrictEqual([below?.total, below?.rows.map(({ name }) => name)], [1_000, ["b0.997", "b0.998"]])
    assert.isUndefined(windowOf(trace, { under: "nothing" }))
    assert.deepStrictEqual([spanRow(root).children, spanRow(root).descendants], [100, 100_000])
  })

  it("lists by kind, status, text and time, in pages without gaps", () => {
    const traces = new Traces({}, ids())
    for (let number = 0; number < 25; number++) {
      const span = traces.begin(undefined, {
        kind: number % 2 === 0 ? "flow" : "agent",
        name: `Name ${number}`,
        at: number
      })
      if (number % 5 === 0) traces.end(span.span, { at: number, status: "error", error: { tag: "E", message: "m" } })
    }
    const names: Array<string> = []
    for (let after: string | undefined; ;) {
      const page = traces.list({ limit: 7, after })
      names.push(...page.traces.map(({ root }) => root.name))
      if (page.next === undefined) break
      after = page.next
    }
    assert.deepStrictEqual(
      names,
      Array.from({ length: 25 }, (_, at) => `Name ${24 - at}`)
    )
    assert.strictEqual(traces.list({ kind: "agent" }).traces.length, 12)
    assert.strictEqual(traces.list({ status: "error" }).traces.length, 5)
    assert.deepStrictEqual(
      traces.list({ text: "NAME 2", from: 21, to: 24 }).traces.map(({ root }) => root.name),
      ["Name 23", "Name 22", "Name 21"]
    )
  })

  it("knows a price by the model, and none where something is not known", () => {
    const prices = { a: { input: 1, output: 10, cachedInput: 0.1, cacheWriteInput: 2 }, "*": { input: 3, output: 3 } }
    const usage = { inputTokens: 1_000, cachedInputTokens: 400, cacheWriteInputTokens: 100, outputTokens: 10 }
    assert.closeTo(Prices.costOf(prices, usage, "a") ?? 0, (500 + 40 + 200 + 100) / 1e6, 1e-12)
    assert.closeTo(Prices.costOf(prices, usage, "b") ?? 0, (1_000 * 3 + 30) / 1e6, 1e-12)
    assert.isUndefined(Prices.costOf({}, usage, "a"))
    assert.isUndefined(Prices.costOf(prices, { inputTokens: 5 }, "a"))
    assert.isUndefined(Prices.costOf({}, usage, "toString"))
  })
})

const look = Action.make("look", {
  description: "Looks something up.",
  input: Schema.Struct({ word: Schema.String }),
  run: ({ word }) => Effect.succeed(`${word} is a word`)
})

const asker = Agent.make({
  name: "asker",
  instruct: "Answer.",
  input: "What is a cat?",
  options: {
    temperature: 0.5,
    provider: {
      reasoning: { effort: "low", api_key: "sk-secret" },
      Authorization: "sk-secret",
      headers: { Cookie: "s=sk-secret", "Proxy-Authorization": "sk-secret", "x-auth-token": "sk-secret" },
      aws: { sessionToken: "sk-secret", accessKeyId: "sk-secret", private_key: "sk-secret", dbPassword: "sk-secret" },
      max_tokens: 5
    }
  }
}).pipe(Actions.use([look]))

const script = ScriptedModel.layer([
  ScriptedModel.toolCalls([
    { name: "look", input: { word: "cat" } },
    { name: "nothing", input: {} }
  ]),
  ScriptedModel.text("A word.", { usage: { inputTokens: 9, outputTokens: 3 } })
])

describe("what is captured", () => {
  it.effect("is a tree of the agent, its requests and its tools, with what was said; no keys", () =>
    Effect.gen(function* () {
      const traces = new Traces({}, ids())
      yield* Agent.run(asker).pipe(
        Effect.provide(script),
        Effect.provideService(Telemetry.Current, Capture.make(traces, { prices: { "*": { input: 1, output: 1 } } }))
      )
      const trace = traces.get("t1")
      assert.isDefined(trace)
      const rows = windowOf(trace, {})?.rows ?? []
      assert.deepStrictEqual(
        rows.map(({ depth, kind, name, status }) => [depth, kind, name, status]),
        [
          [0, "agent", "asker", "ok"],
          [1, "chat", "scripted", "ok"],
          [1, "tool", "look", "ok"],
          [1, "tool", "nothing", "error"],
          [1, "chat", "scripted", "ok"]
        ]
      )
      const [agent, first, ...rest] = rows.map(spanDetail)
      assert.strictEqual(agent?.input, "What is a cat?")
      assert.strictEqual(agent?.output, "A word.")
      assert.deepStrictEqual(
        first?.request?.tools.map(({ name }) => name),
        ["look"]
      )
      assert.deepStrictEqual(first?.request?.options, {
        temperature: 0.5,
        provider: {
          reasoning: { effort: "low", api_key: "[left out]" },
          Authorization: "[left out]",
          headers: { Cookie: "[left out]", "Proxy-Authorization": "[left out]", "x-auth-token": "[left out]" },
          aws: {
            sessionToken: "[left out]",
            accessKeyId: "[left out]",
            private_key: "[left out]",
            dbPassword: "[left out]"
          },
          max_tokens: 5
        }
      })
      assert.notInclude(JSON.stringify(rows.map(spanDetail)), "sk-secret")
      const second = rest.find(({ span }) => span.kind === "chat")
      const types = second?.request?.messages.flatMap(({ parts }) => parts.map(({ type }) => type))
      assert.includeMembers(types ?? [], ["tool-call", "tool-result"])
      const failed = rest.find(({ span }) => span.name === "nothing")
      assert.strictEqual(failed?.span.error?.tag, "unknown")
      assert.strictEqual(traceRow(trace).usage?.outputTokens, 3)
    })
  )

  it.effect("is cut where it is long, and says so", () =>
    Effect.gen(function* () {
      const traces = new Traces({}, ids())
      const long = Agent.make({ name: "long", instruct: "i".repeat(3_000), input: "the question" })
      yield* Agent.run(long).pipe(
        Effect.provide(ScriptedModel.layer([ScriptedModel.text("a".repeat(5_000))])),
        Effect.provideService(Telemetry.Current, Capture.make(traces, { characters: 1_000 }))
      )
      const chat = traces.get("t1")?.order.find(({ kind }) => kind === "chat")
      assert.isDefined(chat)
      const { request, response, truncated } = spanDetail(chat)
      assert.isTrue(truncated)
      assert.match(response?.text ?? "", /^a{1000}\.\.\. \[4000 more\]$/)
      assert.isBelow(JSON.stringify(request).length, 3_000)
      assert.isAbove(chat.size, 1_000)
    })
  )

  it.live("stands beside the telemetry of the project itself: both see the same", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const Ask = TriggerFlow.define("ask", { input: Schema.String, result: Schema.String })
      const ask = Ask.build(
        Ask.start.pipe(
          Chain.to("answer", () => Agent.run(asker)),
          Chain.result
        )
      )
      const own = Layer.mergeAll(
        Otel.layer(),
        ConsoleTraces.layer({ times: false, write: (text) => lines.push(text) }),
        script
      )
      const project = defineConfig({ flows: [ask], layer: own })
      const { get, post } = yield* open(project)
      yield* post("/api/flows/ask/executions", { input: "x", id: "one" })
      const { json } = yield* eventually(get("/studio/traces"), ({ json }) => json.traces[0]?.status === "ok")
      const { json: trace } = yield* get(`/studio/traces/${json.traces[0].id}`)
      assert.deepStrictEqual(
        trace.rows.slice(0, 4).map(({ kind }: { kind: string }) => kind),
        ["flow", "step", "agent", "chat"]
      )
      const seen = yield* eventually(
        Effect.sync(() => lines.join("")),
        (text) => text.includes("invoke_workflow ask")
      )
      assert.include(seen, "step answer")
      assert.include(seen, "invoke_agent asker")
    })
  )

  it.effect("tells of a failed try, a pause and a resumed execution in its spans", () =>
    Effect.gen(function* () {
      const traces = new Traces({}, ids())
      const telemetry = Capture.make(traces)
      const trace = telemetry.execution({ flow: "f", execution: "e", resumed: true }, Context.empty())
      yield* trace.step(
        { step: "s", run: 3, resumes: 1 },
        Effect.andThen(trace.failedTry(1, new Error("busy")), Effect.succeed("asks")),
        (value) => value === "asks"
      )
      const inside = trace.inside({ flow: "g", execution: "e/g", resumed: false })
      yield* Effect.exit(inside.step({ step: "t", run: 4, resumes: 0 }, Effect.fail("no"), () => false))
      inside.end(yield* Effect.exit(Effect.fail("no")), "failed")
      trace.end(yield* Effect.exit(Effect.void), "left")
      const stored = traces.ofExecution("e")
      assert.isDefined(stored)
      const [flow, step, sub, failed] = stored.order.map(spanDetail)
      assert.deepStrictEqual([flow?.attributes["resumed"], flow?.attributes["status"]], [true, "left"])
      assert.deepStrictEqual(
        step?.events.map(({ name }) => name),
        ["try failed", "waits for an answer"]
      )
      assert.strictEqual(step?.span.attempt, 2)
      assert.deepStrictEqual([sub?.span.status, failed?.span.error?.message], ["error", "no"])
      assert.strictEqual(failed?.span.parent, sub?.span.id)
    })
  )
})
