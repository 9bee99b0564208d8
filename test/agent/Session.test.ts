import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent, Conversation, Guard, Output, Session, SessionWindow } from "effigent"
import { AnthropicCompatible } from "effigent/layers/anthropic"
import { SessionStores } from "effigent/layers/store"
import { ConnectionLost } from "effigent/services/ModelError"
import type { ModelRequest } from "effigent/services/ModelProvider"
import { type SessionMessages, SessionStore, SessionStoreError } from "effigent/services/SessionStore"
import { ScriptedModel } from "effigent/testing"
import { serve, sse } from "../layers/wire/Server.ts"

const textOf = (messages: SessionMessages | ModelRequest["prompt"]["content"]) =>
  messages.map((message) =>
    typeof message.content === "string"
      ? message.content
      : message.content.map((part) => (part.type === "text" ? part.text : `<${part.type}>`)).join("|")
  )

const sentBy = Effect.fnUntraced(function* (nth: number) {
  const model = yield* ScriptedModel.ScriptedModel
  return (yield* model.requests)[nth]?.prompt.content ?? []
})

const numbered = (count: number) => Array.from({ length: count }, (_, i) => ScriptedModel.text(`answer ${i + 1}`))

const withModel = (...steps: Parameters<typeof ScriptedModel.layer>[0]) =>
  Effect.provide(Layer.mergeAll(ScriptedModel.layer(steps), SessionStores.memory))

const user = (text: string) => ({ role: "user", content: [{ type: "text", text }] }) as const
const assistant = (text: string) => ({ role: "assistant", content: [{ type: "text", text }] }) as const
const call = (id: string) =>
  ({ role: "assistant", content: [{ type: "tool-call", id, name: "look_up", params: { id } }] }) as const
const result = (id: string) =>
  ({
    role: "tool",
    content: [{ type: "tool-result", id, name: "look_up", isFailure: false, result: `found ${id}` }]
  }) as const

const asks = <A, E, R, I>(agent: Agent.Agent<A, E, R, I>, ...inputs: ReadonlyArray<string>) =>
  Effect.forEach(inputs, (input) => agent.pipe(Agent.input(input), Agent.run))

describe("Session", () => {
  it.effect("S22 a window of two turns sends on the fourth turn exactly turns 2 and 3 and the new message", () =>
    Effect.gen(function* () {
      const agent = Agent.make({}).pipe(Session.attach(Session.make({ window: SessionWindow.turns(2) }), "a"))
      yield* asks(agent, "q1", "q2", "q3", "q4")
      assert.deepStrictEqual(textOf(yield* sentBy(3)), ["q2", "answer 2", "q3", "answer 3", "q4"])
      assert.lengthOf(yield* Conversation.turns("a"), 4)
    }).pipe(withModel(...numbered(4)))
  )

  it.effect("SE-03 records the user's input only: four turns grow linearly", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ system: "S", info: { rules: "x".repeat(500) }, instruct: "I" }).pipe(
        Session.attach(Session.make(), "a")
      )
      yield* asks(agent, "q1", "q2", "q3", "q4")
      assert.deepStrictEqual(textOf(yield* Conversation.messages("a")), [
        "q1",
        "answer 1",
        "q2",
        "answer 2",
        "q3",
        "answer 3",
        "q4",
        "answer 4"
      ])
      const sizes = yield* Effect.forEach([0, 1, 2, 3], (nth) =>
        Effect.map(sentBy(nth), (sent) => textOf(sent).join("").length)
      )
      const steps = sizes.slice(1).map((size, i) => size - (sizes[i] ?? 0))
      assert.deepStrictEqual(steps, [10, 10, 10])
    }).pipe(withModel(...numbered(4)))
  )

  it.effect("SE-02 selected parts are recorded under their titles", () =>
    Effect.gen(function* () {
      const Reply = Schema.Struct({ answer: Output.ensure(Schema.String, "A"), notes: Schema.String })
      const chat = Session.make({
        input: Session.keys("input", "info.customer"),
        output: Session.keys<typeof Reply.Type>("answer")
      })
      const agent = Agent.make({ output: Reply, info: { customer: "Ada", rules: "long" } }).pipe(
        Session.attach(chat, "a"),
        Agent.input("Where is my order?")
      )
      yield* Agent.run(agent)
      assert.deepStrictEqual(textOf(yield* Conversation.messages("a")), [
        "[input]:\nWhere is my order?\n\n[info.customer]:\nAda",
        "[answer]:\nOn its way."
      ])
    }).pipe(withModel(ScriptedModel.json({ answer: "On its way.", notes: "secret" })))
  )

  it.effect("a selection that finds nothing records the whole", () =>
    Effect.gen(function* () {
      const chat = Session.make({ input: () => undefined, output: () => undefined })
      yield* Agent.make({ input: "q" }).pipe(Session.attach(chat, "a"), Agent.run)
      assert.deepStrictEqual(textOf(yield* Conversation.messages("a")), ["q", "answer 1"])
    }).pipe(withModel(...numbered(1)))
  )

  it.effect(
    "structured input is recorded as it was written to the model, and an instruct where there is no input",
    () =>
      Effect.gen(function* () {
        const chat = Session.make()
        yield* Agent.make({ input: { order: 17 } }).pipe(Session.attach(chat, "a"), Agent.run)
        yield* Agent.make({ instruct: "Say hello." }).pipe(Session.attach(chat, "a"), Agent.run)
        assert.deepStrictEqual(textOf(yield* Conversation.messages("a")), [
          "order: 17",
          "answer 1",
          "Say hello.",
          "answer 2"
        ])
      }).pipe(withModel(...numbered(2)))
  )

  it.effect("only the accepted attempt is recorded, with the tokens of all", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ output: { n: Output.ensure(Schema.Int, "n") } }).pipe(
        Session.attach(Session.make(), "a")
      )
      yield* agent.pipe(Agent.input("q"), Agent.run)
      const [turn] = yield* Conversation.turns("a")
      assert.deepStrictEqual(textOf(turn?.messages ?? []), ["q", '{"n":1}'])
      assert.strictEqual(turn?.usage?.outputTokens, 5)
    }).pipe(
      withModel(
        ScriptedModel.json({ n: "x" }, { usage: { outputTokens: 2 } }),
        ScriptedModel.json({ n: 1 }, { usage: { outputTokens: 3 } })
      )
    )
  )

  it.effect("the agent's own history comes before the session's", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ history: [user("shot"), assistant("example")] }).pipe(
        Session.attach(Session.make(), "a")
      )
      yield* asks(agent, "q1", "q2")
      assert.deepStrictEqual(textOf(yield* sentBy(1)), ["shot", "example", "q1", "answer 1", "q2"])
      assert.deepStrictEqual(textOf(yield* Conversation.messages("a")), ["q1", "answer 1", "q2", "answer 2"])
    }).pipe(withModel(...numbered(2)))
  )

  it.effect("nothing is read, locked or sent before the response is read", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const agent = Agent.make({ input: "q" }).pipe(Session.attach(Session.make(), "a"))
        const unread = yield* Agent.respond(agent)
        assert.strictEqual(yield* Agent.run(agent), "answer 1")
        assert.strictEqual(yield* unread.text, "answer 2")
        assert.strictEqual(yield* unread.text, "answer 2")
        assert.lengthOf(yield* Conversation.turns("a"), 2)
      })
    ).pipe(withModel(...numbered(2)))
  )
})

describe("Session: runs at once", () => {
  it.effect("S25 five runs at once on one session: five turns, each knows those before it", () =>
    Effect.gen(function* () {
      const agent = Agent.make({}).pipe(Session.attach(Session.make(), "a"))
      yield* Effect.forEach(["1", "2", "3", "4", "5"], (n) => agent.pipe(Agent.input(n), Agent.run), {
        concurrency: "unbounded"
      })
      const texts = textOf(yield* Conversation.messages("a"))
      assert.deepStrictEqual(
        texts.filter((_, i) => i % 2 === 0),
        ["1", "2", "3", "4", "5"]
      )
      for (let nth = 0; nth < 5; nth++) assert.lengthOf(yield* sentBy(nth), 2 * nth + 1)
    }).pipe(withModel(...numbered(5)))
  )

  it.effect("S27 twenty sessions at once on one agent do not mix", () =>
    Effect.gen(function* () {
      const base = Agent.make({})
      const chat = Session.make()
      yield* Effect.forEach(
        Array.from({ length: 20 }, (_, i) => `s${i}`),
        (id) => asks(base.pipe(Session.attach(chat, id)), `${id} one`, `${id} two`),
        { concurrency: "unbounded" }
      )
      for (let i = 0; i < 20; i++) {
        const asked = textOf(yield* Conversation.messages(`s${i}`)).filter((_, n) => n % 2 === 0)
        assert.deepStrictEqual(asked, [`s${i} one`, `s${i} two`])
      }
    }).pipe(Effect.provide([ScriptedModel.always(ScriptedModel.text("ok")), SessionStores.memory]))
  )

  it.effect("S28 without an id three runs at once are three sessions", () =>
    Effect.gen(function* () {
      const ids: Array<string> = []
      const seen = Effect.tap(Conversation.freshId, (id) => Effect.sync(() => ids.push(id)))
      const agent = Agent.make({ input: "q" })
      yield* Effect.all(
        [1, 2, 3].map(() => Agent.run(Session.attach(agent, Session.make(), seen))),
        { concurrency: "unbounded" }
      )
      assert.lengthOf(new Set(ids), 3)
      for (const id of ids) assert.lengthOf(yield* Conversation.turns(id), 1)
      yield* Agent.run(Session.attach(agent, Session.make()))
      assert.lengthOf(yield* sentBy(3), 1)
    }).pipe(withModel(...numbered(4)))
  )

  it.effect("another program's turn between reading and saving is kept, and so is this one's", () =>
    Effect.gen(function* () {
      const store = yield* SessionStore
      const agent = Agent.make({ input: "mine" }).pipe(
        Session.attach(Session.make(), "a"),
        Agent.provideModel(ScriptedModel.layer([ScriptedModel.text("yes", { latency: "1 second" })]))
      )
      const running = yield* Effect.forkChild(Agent.run(agent), { startImmediately: true })
      const head = yield* store.head("a")
      const theirs = { id: "t", at: 0, messages: [user("theirs")] }
      yield* store.save("a", head.version, { turns: [theirs], state: { from: 0, memo: "theirs", meta: {} } })
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(running)
      assert.deepStrictEqual(textOf(yield* Conversation.messages("a")), ["theirs", "mine", "yes"])
      assert.strictEqual((yield* store.head("a")).memo, "theirs")
    }).pipe(Effect.provide(SessionStores.memory))
  )

  it.effect("a run that is interrupted before its first word records nothing and frees the session", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ input: "q" }).pipe(Session.attach(Session.make(), "a"))
      const running = yield* Effect.forkChild(Agent.run(agent), { startImmediately: true })
      const waiting = yield* Effect.forkChild(Agent.run(agent), { startImmediately: true })
      yield* Fiber.interrupt(running)
      assert.strictEqual(yield* Fiber.join(waiting), "answer 1")
      assert.lengthOf(yield* Conversation.turns("a"), 1)
    }).pipe(withModel(ScriptedModel.hang, ...numbered(1)))
  )

  it.effect("a run that fails records nothing and frees the session, unless the session asks for it", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ input: "q" }).pipe(Session.attach(Session.make(), "a"))
      const error = yield* Effect.flip(Agent.run(agent))
      assert.strictEqual(error._tag, "ModelError")
      assert.lengthOf(yield* Conversation.turns("a"), 0)
      assert.strictEqual(yield* Agent.run(agent), "answer 1")
    }).pipe(withModel(ScriptedModel.fail(new ConnectionLost({ detail: "gone" })), ...numbered(1)))
  )
})

// Four pieces, one each second, the first at once.
const slowly = ScriptedModel.chunks(["One, ", "two, ", "three, ", "four."], {
  delay: "1 second",
  usage: { inputTokens: 3 }
})

describe("Session: answers that did not come to their end", () => {
  const chatting = (options: Session.Options = {}) =>
    Agent.make({}).pipe(Session.attach(Session.make(options), "a"), Agent.input("Count."))
  // The run, interrupted in mid-answer.
  const stopped = <A, E, R, I>(agent: Agent.Agent<A, E, R, I>) =>
    Effect.gen(function* () {
      const running = yield* Effect.forkChild(Agent.run(agent), { startImmediately: true })
      yield* TestClock.adjust("1500 millis")
      yield* Fiber.interrupt(running)
      return yield* Conversation.turns("a")
    })

  it.effect("S32 what was said of an interrupted answer is kept, marked, and known to the next run", () =>
    Effect.gen(function* () {
      const [turn, ...others] = yield* stopped(chatting())
      assert.lengthOf(others, 0)
      assert.deepStrictEqual(textOf(turn?.messages ?? []), ["Count.", "One, two, "])
      assert.strictEqual(turn?.partial, "interrupted")
      yield* asks(chatting(), "Go on.")
      assert.deepStrictEqual(textOf(yield* sentBy(1)), ["Count.", "One, two, ", "Go on."])
      const [, second] = yield* Conversation.turns("a")
      assert.isUndefined(second?.partial)
    }).pipe(withModel(slowly, ...numbered(1)))
  )

  it.effect("S33 of an answer whose readers went away, what had come is kept", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const response = yield* Agent.respond(chatting())
          yield* response.deltas.pipe(Stream.take(1), Stream.runDrain)
        })
      )
      const [turn] = yield* Conversation.turns("a")
      assert.deepStrictEqual(textOf(turn?.messages ?? []), ["Count.", "One, "])
      assert.strictEqual(turn?.partial, "interrupted")
    }).pipe(withModel(slowly))
  )

  it.effect("nothing of it is kept where the session wants none, or selects from the whole value", () =>
    Effect.gen(function* () {
      assert.lengthOf(yield* stopped(chatting({ partial: "none" })), 0)
      assert.lengthOf(yield* stopped(chatting({ output: () => "selected" })), 0)
    }).pipe(withModel(slowly, slowly))
  )

  it.effect("S32 a failed answer is kept on request", () =>
    Effect.gen(function* () {
      const gone = new ConnectionLost({ detail: "gone" })
      const model = Layer.mergeAll(
        ScriptedModel.layer([1, 2].map(() => ScriptedModel.failAfter(["One, ", "two, "], gone))),
        SessionStores.memory
      )
      yield* Effect.gen(function* () {
        yield* Effect.flip(Agent.run(chatting()))
        assert.lengthOf(yield* Conversation.turns("a"), 0)
        const error = yield* Effect.flip(Agent.run(chatting({ partial: "all" })))
        assert.strictEqual(error._tag, "ModelError")
        const [turn] = yield* Conversation.turns("a")
        assert.deepStrictEqual(textOf(turn?.messages ?? []), ["Count.", "One, two, "])
        assert.strictEqual(turn?.partial, "failed")
      }).pipe(Effect.provide(model))
    })
  )

  it.effect("of an attempt with a tool call the words alone are kept, so that the next request is legal", () =>
    Effect.gen(function* () {
      const [turn] = yield* stopped(chatting())
      assert.deepStrictEqual(textOf(turn?.messages ?? []), ["Count.", "Let me see. "])
    }).pipe(
      withModel(
        ScriptedModel.events(
          [
            [{ _tag: "Text", text: "Let me see. " }],
            [{ _tag: "ToolCall", index: 0, id: "c", name: "look_up", arguments: "{}", input: {} }],
            [{ _tag: "Text", text: "never" }]
          ],
          { delay: "1 second" }
        )
      )
    )
  )

  it.effect("only the attempt that was under way is kept, with the tokens of all", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ output: { n: Output.ensure(Schema.Int, "n") } }).pipe(
        Session.attach(Session.make(), "a"),
        Agent.input("q")
      )
      const [turn] = yield* stopped(agent)
      assert.deepStrictEqual(textOf(turn?.messages ?? []), ["q", '{"n":'])
      assert.strictEqual(turn?.usage?.outputTokens, 2)
    }).pipe(
      withModel(
        ScriptedModel.json({ n: "x" }, { usage: { outputTokens: 2 } }),
        ScriptedModel.chunks(['{"n":', " 1", "2}"], { delay: "2 seconds" })
      )
    )
  )

  it.effect("behind an output guard nothing that was not given is kept", () =>
    Effect.gen(function* () {
      assert.lengthOf(yield* stopped(chatting().pipe(Agent.guardOutput(Guard.pii()))), 0)
    }).pipe(withModel(slowly))
  )

  it.effect("an answer that is given anew keeps the old one where the new one is interrupted", () =>
    Effect.gen(function* () {
      yield* Agent.run(chatting())
      const [turn, ...others] = yield* stopped(Agent.make({}).pipe(Session.regenerate(Session.make(), "a")))
      assert.lengthOf(others, 0)
      assert.deepStrictEqual(textOf(turn?.messages ?? []), ["Count.", "answer 1"])
    }).pipe(withModel(...numbered(1), slowly))
  )

  it.effect("a partial turn that cannot be saved leaves the run's own error as it is", () =>
    Effect.gen(function* () {
      const error = yield* chatting({ partial: "all" }).pipe(Agent.run, Effect.flip)
      assert.strictEqual(error._tag, "ModelError")
    }).pipe(
      Effect.provide([
        failingSave,
        ScriptedModel.layer([ScriptedModel.failAfter(["One, "], new ConnectionLost({ detail: "gone" }))])
      ])
    )
  )

  it.effect("a fork keeps the mark with the answer, and not without it", () =>
    Effect.gen(function* () {
      yield* stopped(chatting())
      yield* Conversation.fork("a", "whole")
      yield* Conversation.fork("a", "question", 1)
      assert.strictEqual((yield* Conversation.turns("whole"))[0]?.partial, "interrupted")
      assert.isUndefined((yield* Conversation.turns("question"))[0]?.partial)
    }).pipe(withModel(slowly))
  )
})

describe("Session: facts", () => {
  const greeting = Session.make({
    facts: ({ name, visits }) => ({ info: { name, visits }, instruct: `Greet ${String(name)}.` })
  })
  const agent = Agent.make({ input: "Hello!" })
  const promptOf = (nth: number) => Effect.map(sentBy(nth), (sent) => textOf(sent).at(-1) ?? "")

  it.effect("S23 instructions are filled from the session's state; what the run says comes over it", () =>
    Effect.gen(function* () {
      yield* Conversation.annotate("a", { name: "Ada", visits: 2 })
      yield* agent.pipe(Session.attach(greeting, "a"), Agent.run)
      assert.include(yield* promptOf(0), "[INFO]:\n- name: Ada\n- visits: 2\n\n[INSTRUCT]:\nGreet Ada.\n")
      yield* agent.pipe(
        Agent.info({ name: "Bob" }),
        Agent.instruct("Be brief."),
        Session.attach(greeting, "a"),
        Agent.run
      )
      assert.include(yield* promptOf(1), "[INFO]:\n- name: Bob\n- visits: 2\n\n[INSTRUCT]:\nBe brief.\n")
      assert.deepStrictEqual((yield* (yield* SessionStore).head("a")).meta, { name: "Ada", visits: 2 })
    }).pipe(withModel(...numbered(2)))
  )

  it.live("S26 five who count at once count to five, in one process and against another", () =>
    Effect.gen(function* () {
      const count = Conversation.annotate("a", ({ count }) => ({ count: Number(count ?? 0) + 1 }))
      yield* Effect.all(
        Array.from({ length: 5 }, () => count),
        { concurrency: "unbounded" }
      )
      const store = yield* SessionStore
      assert.strictEqual((yield* store.head("a")).meta["count"], 5)
      // A store whose head is old when it is saved on: another program has saved meanwhile.
      let meddled = false
      const meddling = SessionStore.of({
        ...store,
        head: (id) =>
          Effect.tap(store.head(id), ({ version, turns: _, ...state }) => {
            if (meddled) return Effect.void
            meddled = true
            return store.save(id, version, { turns: [], state: { ...state, meta: { count: 10 } } }).pipe(Effect.orDie)
          })
      })
      yield* Effect.provideService(count, SessionStore, meddling)
      assert.strictEqual((yield* store.head("a")).meta["count"], 11)
    }).pipe(Effect.provide(SessionStores.memory))
  )
})

const failingSave = Layer.effect(
  SessionStore,
  SessionStore.use((store) =>
    Effect.succeed({
      ...store,
      save: (id: string) => new SessionStoreError({ store: "test", id, operation: "save", detail: "disk full" })
    })
  )
).pipe(Layer.provide(SessionStores.memory))

describe("Session: a store that fails", () => {
  const run = (options: Session.Options) =>
    Agent.make({ input: "q" }).pipe(
      Session.attach(Session.make(options), "a"),
      Agent.run,
      Effect.provide([failingSave, ScriptedModel.layer(numbered(1))])
    )

  it.effect("a turn that cannot be saved fails the run with a typed error", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(run({}))
      assert.strictEqual(error._tag, "SessionStoreError")
      assert.include(error.message, "disk full")
    })
  )

  it.effect("S37 with onUnsaved: warn it does not fail the run", () =>
    Effect.map(run({ onUnsaved: "warn" }), (text) => assert.strictEqual(text, "answer 1"))
  )
})

describe("Session: reasoning", () => {
  const reasoned = ScriptedModel.events([
    [
      { _tag: "Reasoning", text: "First, " },
      { _tag: "Reasoning", text: "think.", signature: "sig1" },
      { _tag: "Reasoning", text: "", redacted: "enc" },
      { _tag: "Reasoning", text: "unsigned" },
      { _tag: "Text", text: "Done." },
      { _tag: "Finish", reason: "stop" }
    ]
  ])
  const parts = (reasoning: "signed" | "all" | "none" | undefined) =>
    Effect.gen(function* () {
      yield* Agent.make({ input: "q" }).pipe(Session.attach(Session.make({ reasoning }), "a"), Agent.run)
      return (yield* Conversation.messages("a"))[1]?.content
    }).pipe(withModel(reasoned))
  const text = { type: "text", text: "Done." }
  const signed = [
    { type: "reasoning", text: "First, think.", options: { effigent: { signature: "sig1" } } },
    { type: "reasoning", text: "", options: { effigent: { redacted: "enc" } } }
  ]

  it.effect("what the vendor signed or encrypted is recorded with its seal, the rest on request", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual<unknown>(yield* parts(undefined), [...signed, text])
      assert.deepStrictEqual<unknown>(yield* parts("all"), [...signed, { type: "reasoning", text: "unsigned" }, text])
      assert.deepStrictEqual<unknown>(yield* parts("none"), [text])
    })
  )

  it.live("signatures reach the vendor in the next turn as they came", () =>
    Effect.gen(function* () {
      const event = (data: { readonly type: string }) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
      const answer = [
        { type: "message_start", message: { id: "m", model: "c", usage: { input_tokens: 1, output_tokens: 1 } } },
        { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "", signature: "" } },
        { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "Hm, " } },
        { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "yes." } },
        { type: "content_block_delta", index: 0, delta: { type: "signature_delta", signature: "c2lnbmVk" } },
        { type: "content_block_stop", index: 0 },
        { type: "content_block_start", index: 1, content_block: { type: "redacted_thinking", data: "ZW5j" } },
        { type: "content_block_stop", index: 1 },
        { type: "content_block_start", index: 2, content_block: { type: "text", text: "" } },
        { type: "content_block_delta", index: 2, delta: { type: "text_delta", text: "Yes." } },
        { type: "content_block_stop", index: 2 },
        { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 9 } },
        { type: "message_stop" }
      ].map(event)
      const server = yield* serve(sse(answer))
      const agent = Agent.make({}).pipe(
        Session.attach(Session.make(), "a"),
        Agent.provideModel(AnthropicCompatible.layer({ model: "c", baseUrl: server.url }))
      )
      yield* asks(agent, "q1", "q2")
      const body = JSON.parse(server.received[1]?.body ?? "{}")
      assert.deepStrictEqual(body.messages[1], {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "Hm, yes.", signature: "c2lnbmVk" },
          { type: "redacted_thinking", data: "ZW5j" },
          { type: "text", text: "Yes." }
        ]
      })
    }).pipe(Effect.provide(SessionStores.memory))
  )
})

describe("Session.regenerate", () => {
  it.effect("S39 keeps tool results and replaces only the final answer; the old turn is hidden, not lost", () =>
    Effect.gen(function* () {
      yield* Conversation.append("a", [
        user("q0"),
        assistant("a0"),
        user("q1"),
        call("c1"),
        result("c1"),
        assistant("bad")
      ])
      const text = yield* Agent.make({}).pipe(Session.regenerate(Session.make(), "a"), Agent.run)
      assert.strictEqual(text, "answer 1")
      assert.deepStrictEqual(textOf(yield* sentBy(0)), ["q0", "a0", "q1", "<tool-call>", "<tool-result>"])
      assert.deepStrictEqual(textOf(yield* Conversation.messages("a")), [
        "q0",
        "a0",
        "q1",
        "<tool-call>",
        "<tool-result>",
        "answer 1"
      ])
      const store = yield* SessionStore
      assert.strictEqual((yield* store.head("a")).turns, 3)
    }).pipe(withModel(...numbered(1)))
  )

  it.effect("asks the question anew with the agent's own slots, as often as wanted", () =>
    Effect.gen(function* () {
      const chat = Session.make({ window: SessionWindow.turns(2) })
      const agent = Agent.make({ instruct: "Be brief." })
      yield* asks(agent.pipe(Session.attach(chat, "a")), "q1", "q2")
      const again = agent.pipe(Agent.input("not used"), Session.regenerate(chat, "a"))
      yield* Agent.run(again)
      yield* Agent.run(again)
      const sent = textOf(yield* sentBy(3))
      assert.lengthOf(sent, 3)
      assert.include(sent[2], "[INPUT]:\nq2\n")
      yield* asks(agent.pipe(Session.attach(chat, "a")), "q3")
      assert.deepStrictEqual(textOf(yield* sentBy(4)).slice(0, 4), ["q1", "answer 1", "q2", "answer 4"])
    }).pipe(withModel(...numbered(5)))
  )

  it.effect("fails where there is nothing to answer, or it has become part of the memo", () =>
    Effect.gen(function* () {
      const again = Agent.make({}).pipe(Session.regenerate(Session.make(), "a"))
      const empty = yield* Effect.flip(Agent.run(again))
      assert.strictEqual(empty._tag, "SessionTurnError")
      const store = yield* SessionStore
      yield* store.save("a", 0, {
        turns: [{ id: "t", at: 0, messages: [user("q")] }],
        state: { from: 1, memo: "m", meta: {} }
      })
      assert.include((yield* Effect.flip(Agent.run(again))).message, "part of the memo")
    }).pipe(withModel())
  )
})

describe("Conversation", () => {
  it.effect(
    "S38 a fork inside a tool exchange snaps to a legal boundary; the original stays, tokens are not taken over",
    () =>
      Effect.gen(function* () {
        const agent = Agent.make({ input: "q0" }).pipe(Session.attach(Session.make(), "a"))
        yield* Agent.run(agent)
        yield* Conversation.append("a", [user("q1"), call("c1"), result("c1"), assistant("a1")])
        const before = yield* Conversation.snapshot("a")
        const taken = Effect.fnUntraced(function* (to: string, at?: number) {
          yield* Conversation.fork("a", to, at)
          return textOf(yield* Conversation.messages(to))
        })
        assert.deepStrictEqual(yield* taken("f4", 4), ["q0", "answer 1", "q1"])
        assert.deepStrictEqual(yield* taken("f5", 5), ["q0", "answer 1", "q1", "<tool-call>", "<tool-result>"])
        assert.deepStrictEqual(yield* taken("f2", 2), ["q0", "answer 1"])
        assert.deepStrictEqual(yield* taken("f0", 0), [])
        assert.lengthOf(yield* taken("all"), 6)
        assert.deepStrictEqual(yield* Conversation.snapshot("a"), before)
        assert.isDefined((yield* Conversation.turns("a"))[0]?.usage)
        for (const turn of yield* Conversation.turns("all")) assert.isUndefined(turn.usage)
        assert.strictEqual((yield* Effect.flip(Conversation.fork("a", "f2")))._tag, "SessionConflict")
        assert.strictEqual((yield* Effect.flip(Conversation.fork("none", "x")))._tag, "SessionTurnError")
      }).pipe(withModel(ScriptedModel.text("answer 1", { usage: { outputTokens: 3 } })))
  )

  it.effect("a fork takes the memo over where it only speaks of what is taken over", () =>
    Effect.gen(function* () {
      const store = yield* SessionStore
      const turns = [0, 1, 2].map((n) => ({ id: `t${n}`, at: 0, messages: [user(`q${n}`), assistant(`a${n}`)] }))
      yield* store.save("a", 0, { turns, state: { from: 2, memo: "of two turns", meta: { owner: "Ada" } } })
      yield* Conversation.fork("a", "late", 4)
      yield* Conversation.fork("a", "early", 2)
      const late = yield* store.head("late")
      assert.deepStrictEqual([late.from, late.memo, late.turns], [2, "of two turns", 2])
      const early = yield* store.head("early")
      assert.deepStrictEqual([early.from, early.memo, early.meta], [0, undefined, { owner: "Ada" }])
    }).pipe(Effect.provide(SessionStores.memory))
  )

  it.effect("SE-04 a snapshot as JSON brings turns, window, memo and facts back", () =>
    Effect.gen(function* () {
      const chat = Session.make({
        window: SessionWindow.custom({
          judge: ({ messages }) => Effect.succeed(messages.length > 2 ? "cut" : undefined),
          resize: { cut: ({ messages }) => Effect.succeed({ messages: messages.slice(-2), memo: "before" }) }
        })
      })
      const agent = Agent.make({}).pipe(Session.attach(chat, "a"))
      yield* asks(agent, "q1", "q2", "q3")
      yield* Conversation.annotate("a", { title: "T" })
      yield* Conversation.annotate("a", { owner: { name: "Ada" } })
      const codec = Schema.fromJsonString(Schema.toCodecJson(Conversation.Snapshot))
      const json = yield* Schema.encodeEffect(codec)(yield* Conversation.snapshot("a"))
      yield* Conversation.restore("b", yield* Schema.decodeEffect(codec)(json))
      assert.deepStrictEqual(yield* Conversation.snapshot("b"), yield* Conversation.snapshot("a"))
      const store = yield* SessionStore
      const head = yield* store.head("b")
      assert.strictEqual(head.memo, "before")
      assert.deepStrictEqual(textOf(head.pinned ?? []), ["q2", "answer 2"])
      assert.deepStrictEqual(head.meta, { title: "T", owner: { name: "Ada" } })
      assert.strictEqual(
        (yield* Effect.flip(Conversation.restore("b", { session: 1, turns: [], state: head })))._tag,
        "SessionConflict"
      )
    }).pipe(withModel(...numbered(3)))
  )

  it.effect("appends messages by hand, bytes in their JSON form, and refuses what is no message", () =>
    Effect.gen(function* () {
      yield* Conversation.append("a", [
        { role: "user", content: [{ type: "file", mediaType: "image/png", data: new Uint8Array([1, 2]) }] },
        assistant("a dot")
      ])
      const [message] = yield* Conversation.messages("a")
      assert.deepStrictEqual<unknown>(JSON.parse(JSON.stringify(message)).content[0].data, {
        _tag: "Uint8Array",
        base64: "AQI="
      })
      yield* Agent.make({ input: "q" }).pipe(Session.attach(Session.make(), "a"), Agent.run)
      const sent = yield* sentBy(0)
      const part = sent[0]?.role === "user" ? sent[0].content[0] : undefined
      assert.deepStrictEqual(part?.type === "file" ? part.data : undefined, new Uint8Array([1, 2]))
      // What the types would refuse comes from outside.
      const wrong: SessionMessages = JSON.parse('[{"role":"robot","content":"x"}]')
      assert.strictEqual((yield* Effect.flip(Conversation.append("a", wrong)))._tag, "SchemaError")
    }).pipe(withModel(...numbered(1)))
  )
})
