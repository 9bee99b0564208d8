/** Agents and flows as spans: how they stand in each other, what is in them, and what is not. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Layer, Schedule, Schema, Stream } from "effect"
import { Agent, Output } from "effigent"
import { Action, Actions } from "effigent/action"
import type { Otel } from "effigent/layers/otel"
import { Runs } from "effigent/run"
import { ModelError, RateLimited } from "effigent/services/ModelError"
import { ModelProvider } from "effigent/services/ModelProvider"
import { Team } from "effigent/team"
import { ScriptedModel } from "effigent/testing"
import { Chain, Interrupt, TriggerFlow } from "effigent/triggerflow"
import { Kept } from "./support.ts"

const { json, text, toolCalls } = ScriptedModel
const greeter = Agent.make({ name: "greeter", model: "small", input: "Say hello to Ada Lovelace." })

const search = Action.make("search", {
  description: "Looks things up.",
  input: Schema.Struct({ query: Schema.String }),
  output: Schema.String,
  run: ({ query }) => (query === "bad" ? Effect.fail("no such thing") : Effect.succeed(`all about ${query}`))
})
const searcher = Agent.make({ name: "searcher", input: "Find it." }).pipe(Actions.use([search]))

describe("spans of agents", () => {
  it.effect("have the names and the attributes of the conventions, and no content", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const answer = text("Hello, Ada.", {
        usage: { inputTokens: 20, cachedInputTokens: 8, outputTokens: 5, reasoningTokens: 2 }
      })
      const agent = Agent.settings(greeter, { options: { temperature: 0.5, maxTokens: 99, stop: ["END"], seed: 7 } })
      yield* Agent.run(agent).pipe(Effect.provide(Layer.merge(ScriptedModel.layer([answer]), kept.layer())))
      assert.deepStrictEqual(kept.tree, ["invoke_agent greeter", "  chat small"])
      assert.deepStrictEqual(kept.of("invoke_agent greeter"), {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "scripted",
        "gen_ai.agent.name": "greeter",
        "gen_ai.request.model": "small",
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 8,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.reasoning.output_tokens": 2,
        "effigent.attempts": 1
      })
      const { "gen_ai.response.time_to_first_chunk": first, ...chat } = kept.of("chat small")
      assert.strictEqual(typeof first, "number")
      assert.deepStrictEqual(chat, {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "scripted",
        "gen_ai.agent.name": "greeter",
        "gen_ai.request.model": "small",
        "gen_ai.request.stream": true,
        "gen_ai.output.type": "text",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 99,
        "gen_ai.request.stop_sequences": ["END"],
        "gen_ai.request.seed": 7,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 8,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.reasoning.output_tokens": 2,
        "effigent.attempt": 1
      })
      assert.deepStrictEqual(
        kept.spans.map(({ kind, name }) => [name, kind]),
        [
          ["invoke_agent greeter", "internal"],
          ["chat small", "client"]
        ]
      )
      for (const secret of ["Ada", "hello", "Hello"]) assert.notInclude(kept.text, secret)
    })
  )

  it.effect("each attempt is a request of its own", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const agent = Agent.make({
        name: "counter",
        input: "Count.",
        output: Schema.Struct({ n: Output.ensure(Schema.Int) })
      })
      const model = ScriptedModel.layer([text("no json here"), json({ n: 3 })])
      yield* Agent.run(agent).pipe(Effect.provide(Layer.merge(model, kept.layer())))
      assert.deepStrictEqual(kept.tree, ["invoke_agent counter", "  chat", "  chat"])
      assert.deepStrictEqual(
        kept.spans.map(({ attributes }) => attributes.get("effigent.attempt") ?? attributes.get("effigent.attempts")),
        [2, 1, 2]
      )
      assert.strictEqual(kept.of("chat")["gen_ai.output.type"], "json")
    })
  )

  it.effect("a failure has the class of its error, with the reason, and no message", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const model = Layer.succeed(ModelProvider, {
        name: "broken",
        stream: () =>
          Stream.fail(new ModelError({ provider: "broken", reason: new RateLimited({ detail: "the secret words" }) }))
      })
      const exit = yield* Effect.exit(Agent.run(greeter).pipe(Effect.provide(Layer.merge(model, kept.layer()))))
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(kept.tree, [
        "invoke_agent greeter (ModelError.RateLimited)",
        "  chat small (ModelError.RateLimited)"
      ])
      assert.notInclude(kept.text, "secret")
    })
  )

  it.effect("what is cancelled is no error", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const asked = yield* Latch.make(false)
      const model = Layer.succeed(ModelProvider, {
        name: "hanging",
        stream: () => Stream.fromEffect(Effect.andThen(asked.open, Effect.never))
      })
      const fiber = yield* Effect.forkChild(Agent.run(greeter).pipe(Effect.provide(Layer.merge(model, kept.layer()))))
      yield* asked.await
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(kept.tree, ["invoke_agent greeter (cancelled)", "  chat small (cancelled)"])
      assert.strictEqual(kept.of("chat small")["effigent.cancelled"], true)
      assert.notProperty(kept.of("chat small"), "error.type")
    })
  )

  it.effect("a response that is streamed is one request, however many read it", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const model = ScriptedModel.layer([text("one two three four")])
      const read = Effect.scoped(
        Effect.gen(function* () {
          const response = yield* Agent.respond(greeter)
          yield* Effect.all([Stream.runDrain(response.deltas), Stream.runDrain(response.reasoning), response.data], {
            concurrency: 3
          })
        })
      )
      yield* read.pipe(Effect.provide(Layer.merge(model, kept.layer())))
      assert.deepStrictEqual(kept.tree, ["invoke_agent greeter", "  chat small"])
    })
  )

  it.effect("requests over HTTP, and whatever else a provider does, stand below the request to the model", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const model = Layer.succeed(ModelProvider, {
        name: "http",
        stream: () =>
          Stream.fromEffect(
            Effect.as(Effect.void, { _tag: "Text", text: "Hi" } as const).pipe(Effect.withSpan("http.client POST"))
          ).pipe(Stream.concat(Stream.make({ _tag: "Finish", reason: "stop" } as const)))
      })
      const program = Agent.run(greeter).pipe(Effect.withSpan("the program"))
      yield* program.pipe(Effect.provide(Layer.merge(model, kept.layer())))
      assert.deepStrictEqual(kept.tree, [
        "the program",
        "  invoke_agent greeter",
        "    chat small",
        "      http.client POST"
      ])
    })
  )

  it.effect("actions stand beside the requests, and agents in actions below them", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const ask = Action.make("ask", {
        description: "Asks.",
        input: Schema.Struct({ question: Schema.String }),
        output: Schema.String,
        run: ({ question }) => Effect.orDie(Agent.run(Agent.make({ name: "inner", input: question })))
      })
      const outer = Agent.make({ name: "outer", input: "Ask." }).pipe(Actions.use([ask]))
      const model = ScriptedModel.layer([
        toolCalls([{ name: "ask", input: { question: "Why?" } }]),
        text("Because."),
        text("Because, he says.")
      ])
      yield* Agent.run(outer).pipe(Effect.provide(Layer.merge(model, kept.layer())))
      assert.deepStrictEqual(kept.tree, [
        "invoke_agent outer",
        "  chat",
        "  execute_tool ask",
        "    invoke_agent inner",
        "      chat",
        "  chat"
      ])
      const { "gen_ai.tool.call.id": id, ...tool } = kept.of("execute_tool ask")
      assert.strictEqual(typeof id, "string")
      assert.deepStrictEqual(tool, {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "ask",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.description": "Asks.",
        "effigent.action.round": 1,
        "effigent.action.status": "success",
        "effigent.action.tries": 1
      })
    })
  )

  it.effect("an action that fails is an error of its own; one that is not run is an event of its agent", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const model = ScriptedModel.layer([
        toolCalls([
          { name: "search", input: { query: "bad" } },
          { name: "nowhere", input: {} },
          { name: "search", input: { query: 3 } }
        ]),
        text("I give up.")
      ])
      yield* Agent.run(searcher).pipe(Effect.provide(Layer.merge(model, kept.layer())))
      assert.deepStrictEqual(kept.tree, [
        "invoke_agent searcher [effigent.action.not_run] [effigent.action.not_run]",
        "  chat",
        "  execute_tool search (failed)",
        "  chat"
      ])
      assert.deepStrictEqual(
        kept.spans[0]?.events.map(([, , attributes]) => attributes["effigent.action.status"]),
        ["unknown", "invalid"]
      )
      assert.notInclude(kept.text, "no such thing")
    })
  )

  it.effect("work with those who watch runs, inside and outside", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const program = Effect.gen(function* () {
        const run = yield* Runs.start(Runs.observe(Agent.run(greeter), { name: "pair" }), { id: "r1" })
        const events = yield* Stream.runCollect(run.events())
        assert.deepStrictEqual(
          events.flatMap(({ event }) => (event._tag === "RunStarted" ? [event._tag] : [])),
          ["RunStarted", "RunStarted"]
        )
        return yield* run.result
      })
      const model = ScriptedModel.layer([text("Hi.")])
      yield* Effect.scoped(program).pipe(Effect.provide(Layer.merge(model, kept.layer())))
      assert.deepStrictEqual(kept.tree, ["invoke_workflow pair", "  invoke_agent greeter", "    chat small"])
    })
  )

  it.effect("there are none where tracing is off, and none without the Layer", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const model = () => ScriptedModel.layer([text("Hi.")])
      yield* Agent.run(greeter).pipe(
        Effect.withTracerEnabled(false),
        Effect.provide(Layer.merge(model(), kept.layer()))
      )
      yield* Agent.run(greeter).pipe(Effect.provide(Layer.merge(model(), kept.tracer)))
      assert.deepStrictEqual(kept.tree, [])
    })
  )

  it.effect("what is not sampled above is not sampled below", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      yield* Agent.run(greeter).pipe(
        Effect.withSpan("quiet", { sampled: false }),
        Effect.provide(Layer.merge(ScriptedModel.layer([text("Hi.")]), kept.layer()))
      )
      assert.deepStrictEqual(
        kept.spans.map(({ sampled }) => sampled),
        [false, false, false]
      )
    })
  )
})

describe("content", () => {
  const everything: Otel.Capture = { prompts: true, answers: true, arguments: true, results: true, errors: true }
  const session = [
    toolCalls([{ name: "search", input: { query: "ships" } }]),
    text("All about ships.", { usage: { outputTokens: 4 } })
  ]

  it.effect("is captured where it is asked for, in the form of the conventions", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const agent = Agent.system(searcher, "You are terse.")
      yield* Agent.run(agent).pipe(
        Effect.provide(Layer.merge(ScriptedModel.layer(session), kept.layer({ capture: everything })))
      )
      const chats = kept.spans.filter(({ name }) => name === "chat").map(({ attributes }) => attributes)
      const parsed = (at: number, key: string): unknown => JSON.parse(String(chats[at]?.get(key)))
      assert.include(JSON.stringify(parsed(0, "gen_ai.system_instructions")), "You are terse.")
      assert.deepInclude(parsed(0, "gen_ai.output.messages"), {
        role: "assistant",
        parts: [{ type: "tool_call", id: callId(kept), name: "search", arguments: '{"query":"ships"}' }],
        finish_reason: "tool-calls"
      })
      assert.include(JSON.stringify(parsed(1, "gen_ai.input.messages")), "all about ships")
      assert.deepStrictEqual(parsed(1, "gen_ai.output.messages"), [
        { role: "assistant", parts: [{ type: "text", content: "All about ships." }], finish_reason: "stop" }
      ])
      const tool = kept.of("execute_tool search")
      assert.strictEqual(tool["gen_ai.tool.call.arguments"], '{"query":"ships"}')
      assert.strictEqual(tool["gen_ai.tool.call.result"], "all about ships")
      const whole = kept.of("invoke_agent searcher")
      assert.include(String(whole["gen_ai.input.messages"]), "Find it.")
      assert.include(String(whole["gen_ai.output.messages"]), "All about ships.")
    })
  )

  const callId = (kept: Kept) => kept.of("execute_tool search")["gen_ai.tool.call.id"]

  it.effect("prompts alone show neither what actions are passed nor what they give", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      yield* Agent.run(searcher).pipe(
        Effect.provide(Layer.merge(ScriptedModel.layer(session), kept.layer({ capture: { prompts: true } })))
      )
      assert.include(kept.text, "Find it.")
      assert.notInclude(kept.text, "ships")
    })
  )

  it.effect("is redacted everywhere, and left out where the redactor throws", () =>
    Effect.gen(function* () {
      const run = (redact: (text: string) => string) =>
        Effect.gen(function* () {
          const kept = new Kept()
          yield* Agent.run(searcher).pipe(
            Effect.provide(
              Layer.merge(ScriptedModel.layer(session), kept.layer({ capture: { ...everything, redact } }))
            )
          )
          return kept.text
        })
      const redacted = yield* run((text) => text.replaceAll("ships", "*****"))
      assert.notInclude(redacted, "ships")
      assert.include(redacted, "all about *****")
      const broken = yield* run(() => {
        throw new Error("broken")
      })
      assert.notInclude(broken, "ships")
      assert.notInclude(broken, "Find it.")
      assert.include(broken, "[left out: the redactor failed]")
    })
  )

  it.effect("has a limit, the newest messages come first, and what was cut says so", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const long = Agent.make({ name: "long", input: "x".repeat(5_000) })
      yield* Agent.run(long).pipe(
        Effect.provide(
          Layer.merge(
            ScriptedModel.layer([text("y".repeat(3_000))]),
            kept.layer({ capture: { ...everything, limit: 100 } })
          )
        )
      )
      const chat = kept.of("chat")
      assert.isBelow(String(chat["gen_ai.input.messages"]).length, 300)
      assert.isBelow(String(chat["gen_ai.output.messages"]).length, 300)
      assert.include(String(chat["gen_ai.output.messages"]), "2900 more]")
      assert.strictEqual(chat["effigent.content.truncated"], true)
    })
  )

  it.effect("messages of errors are told only where they are asked for", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const model = Layer.succeed(ModelProvider, {
        name: "broken",
        stream: () =>
          Stream.fail(new ModelError({ provider: "broken", reason: new RateLimited({ detail: "at 5 pm" }) }))
      })
      yield* Effect.exit(
        Agent.run(greeter).pipe(Effect.provide(Layer.merge(model, kept.layer({ capture: { errors: true } }))))
      )
      assert.include(kept.text, "at 5 pm")
    })
  )
})

describe("spans of flows", () => {
  const Order = TriggerFlow.define("order", { input: Schema.String, result: Schema.String })

  it.effect("steps stand below their execution, agents below their step", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const flow = Order.build(
        Order.start.pipe(
          Chain.to("draft", (input) => Effect.orDie(Agent.run(Agent.make({ name: "writer", input })))),
          Chain.to("check", (draft) => Effect.succeed(draft)),
          Chain.result
        )
      )
      yield* TriggerFlow.run(flow, "A letter.").pipe(
        Effect.withSpan("the program"),
        Effect.provide(Layer.merge(ScriptedModel.layer([text("Dear all")]), kept.layer()))
      )
      assert.deepStrictEqual(kept.tree, [
        "the program",
        "  invoke_workflow order",
        "    step draft",
        "      invoke_agent writer",
        "        chat",
        "    step check"
      ])
      const { "effigent.execution.id": id, ...about } = kept.of("invoke_workflow order")
      assert.strictEqual(typeof id, "string")
      assert.deepStrictEqual(about, {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "order",
        "effigent.execution.status": "completed"
      })
      const { "effigent.step.run": run, ...step } = kept.of("step draft")
      assert.strictEqual(typeof run, "number")
      assert.deepStrictEqual(step, { "gen_ai.workflow.name": "order", "effigent.step.name": "draft" })
    })
  )

  it.effect("tries of a step are events, a sub-flow stands in its flow", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const Inner = TriggerFlow.define("inner", { input: Schema.String, result: Schema.String })
      let tries = 0
      const inner = Inner.build(
        Inner.start.pipe(
          Chain.to(
            "shaky",
            (input) =>
              Effect.suspend(() => (++tries < 3 ? Effect.fail(new Error("secret trouble")) : Effect.succeed(input))),
            { retry: Schedule.recurs(5) }
          ),
          Chain.result
        )
      )
      const flow = Order.build(Order.start.pipe(Chain.subFlow(inner), Chain.result))
      yield* TriggerFlow.run(flow, "in").pipe(Effect.provide(kept.layer()))
      assert.deepStrictEqual(kept.tree, [
        "invoke_workflow order",
        "  invoke_workflow inner",
        "    step shaky [effigent.step.failed_try] [effigent.step.failed_try]"
      ])
      assert.deepStrictEqual(
        kept.spans[2]?.events.map(([, , attributes]) => attributes),
        [
          { "effigent.attempt": 1, "error.type": "Error" },
          { "effigent.attempt": 2, "error.type": "Error" }
        ]
      )
      assert.notInclude(kept.text, "secret")
    })
  )

  it.effect("a step that fails, and its execution, are errors", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const flow = Order.build(
        Order.start.pipe(
          Chain.to("break", () => Effect.fail({ _tag: "OutOfStock" as const })),
          Chain.to("never", () => Effect.succeed("")),
          Chain.result
        )
      )
      yield* Effect.exit(TriggerFlow.run(flow, "in").pipe(Effect.provide(kept.layer())))
      assert.deepStrictEqual(kept.tree, ["invoke_workflow order (OutOfStock)", "  step break (OutOfStock)"])
      assert.strictEqual(kept.of("invoke_workflow order")["effigent.execution.status"], "failed")
    })
  )

  it.effect("an execution that is cancelled, with its steps, is no error", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const reached = yield* Latch.make(false)
      const flow = Order.build(
        Order.start.pipe(
          Chain.to("wait", () => Effect.andThen(reached.open, Effect.never)),
          Chain.result
        )
      )
      const fiber = yield* Effect.forkChild(TriggerFlow.run(flow, "in").pipe(Effect.provide(kept.layer())))
      yield* reached.await
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(kept.tree, ["invoke_workflow order (cancelled)", "  step wait (cancelled)"])
    })
  )

  it.effect("a step that waits for an answer says so", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.Boolean })
      const Asking = TriggerFlow.define("asking", { input: Schema.String, result: Schema.Boolean, interrupts: [Ask] })
      const flow = Asking.build(
        Asking.start.pipe(
          Chain.to("ask", (input, run) => run.pause(Ask, input)),
          Chain.result
        )
      )
      const program = Effect.scoped(
        Effect.gen(function* () {
          const execution = yield* TriggerFlow.open(flow, "May I?")
          yield* execution.start
          yield* execution.rest
          yield* execution.answer(Ask, true, { id: "Ask#1" })
          return yield* execution.close()
        })
      )
      yield* program.pipe(Effect.provide(kept.layer()))
      assert.deepStrictEqual(kept.tree, ["invoke_workflow asking", "  step ask [effigent.step.paused]"])
    })
  )

  it.effect("a team is a workflow with its leader and its members", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const member = (name: string) =>
        Team.member(name, Agent.make({ name, system: "You find facts." }), { description: `It is ${name}.` })
      const team = Team.make({ name: "pair", mode: "broadcast", members: [member("ann"), member("bob")] })
      yield* Team.run(team, "Go.").pipe(
        Effect.provide(Layer.merge(ScriptedModel.layer([text("A"), text("B")]), kept.layer()))
      )
      assert.deepStrictEqual(
        kept.tree.toSorted(),
        [
          "    invoke_agent ann",
          "    invoke_agent bob",
          "      chat",
          "      chat",
          "  step gather",
          "  step give",
          "  step member ann",
          "  step member bob",
          "  step take in",
          "invoke_workflow pair"
        ].toSorted()
      )
    })
  )
})
