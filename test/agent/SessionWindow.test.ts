import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Agent, Conversation, Session, SessionWindow } from "effigent"
import { SessionStores } from "effigent/layers/store"
import { GptTokenizer } from "effigent/layers/tokenizer"
import { type SessionMessages, SessionStore, type SessionTurn } from "effigent/services/SessionStore"
import { Tokenizer } from "effigent/services/Tokenizer"
import { ScriptedModel } from "effigent/testing"

const user = (text: string) => ({ role: "user", content: [{ type: "text", text }] }) as const
const assistant = (text: string) => ({ role: "assistant", content: [{ type: "text", text }] }) as const
const call = (id: string) =>
  ({ role: "assistant", content: [{ type: "tool-call", id, name: "f", params: {} }] }) as const
const result = (id: string) =>
  ({ role: "tool", content: [{ type: "tool-result", id, name: "f", isFailure: false, result: id }] }) as const

const textOf = (messages: SessionMessages) =>
  messages.map((message) =>
    typeof message.content === "string"
      ? message.content
      : message.content.map((part) => (part.type === "text" ? part.text : `<${part.type}>`)).join("|")
  )

const pair = (n: number, size: number) => [user(`q${n}`.padEnd(size, ".")), assistant(`a${n}`.padEnd(size, "."))]

// What a window sends of a conversation, without the request's own message.
const sent = <E, R>(window: SessionWindow.SessionWindow<E, R>, ...turns: ReadonlyArray<SessionMessages>) =>
  Effect.gen(function* () {
    for (const messages of turns) yield* Conversation.append("s", messages)
    const agent = Agent.make({ input: "now", strictRoles: false }).pipe(
      Session.attach(Session.make({ window }), "s"),
      Agent.provideModel(
        ScriptedModel.always(ScriptedModel.respond((request) => ScriptedModel.text(JSON.stringify(request.prompt))))
      )
    )
    const { content } = JSON.parse(yield* Agent.run(agent))
    return textOf(content).slice(0, -1)
  }).pipe(Effect.provide(SessionStores.memory))

describe("SessionWindow.characters", () => {
  const turns = [pair(1, 10), pair(2, 10), pair(3, 10)]

  it.effect("SE-01 keeps the newest turns that fit, whole", () =>
    Effect.gen(function* () {
      assert.lengthOf(yield* sent(SessionWindow.characters(60), ...turns), 6)
      assert.lengthOf(yield* sent(SessionWindow.characters(59), ...turns), 4)
      assert.deepStrictEqual(yield* sent(SessionWindow.characters(20), ...turns), ["q3........", "a3........"])
    })
  )

  it.effect("SE-01 keeping messages, it may begin with an answer", () =>
    Effect.map(sent(SessionWindow.characters(35, { keep: "messages" }), ...turns), (texts) =>
      assert.deepStrictEqual(texts, ["a2........", "q3........", "a3........"])
    )
  )

  it.effect("SE-01 keeping messages, one that is too large is cut to its end", () =>
    Effect.map(
      sent(SessionWindow.characters(8, { keep: "messages" }), [user("q"), assistant("0123456789\ud83d\ude00x")]),
      (texts) => assert.deepStrictEqual(texts, ["56789\ud83d\ude00x"])
    )
  )

  it.effect("keeping turns, one that is too large is cut to the ends of question and answer", () =>
    Effect.gen(function* () {
      const window = SessionWindow.characters(20)
      const both = yield* sent(window, [user("Q".repeat(50)), call("c"), result("c"), assistant("A".repeat(50))])
      assert.deepStrictEqual(both, ["Q".repeat(10), "A".repeat(10)])
      const long = yield* sent(window, [user("short"), assistant("A".repeat(50))])
      assert.deepStrictEqual(long, ["short", "A".repeat(15)])
      const brief = yield* sent(window, [user("Q".repeat(50)), assistant("yes")])
      assert.deepStrictEqual(brief, ["Q".repeat(17), "yes"])
    })
  )

  it.effect("never splits a tool call from its result, whatever the size", () =>
    Effect.gen(function* () {
      const turn = [user("question"), call("c1"), result("c1"), call("c2"), result("c2"), assistant("answer")]
      for (let max = 1; max < 60; max++) {
        const texts = yield* sent(SessionWindow.characters(max, { keep: "messages" }), turn, pair(9, 2))
        for (const [i, text] of texts.entries()) {
          if (text === "<tool-result>") assert.strictEqual(texts[i - 1], "<tool-call>", `at ${max}`)
          if (text === "<tool-call>") assert.strictEqual(texts[i + 1], "<tool-result>", `at ${max}`)
        }
      }
    })
  )
})

describe("SessionWindow.tokens", () => {
  it.live("counts by the vocabulary of the model", () =>
    Effect.gen(function* () {
      const { count, name } = yield* Tokenizer
      assert.strictEqual(name, "o200k_base")
      assert.strictEqual(count("Where is my order?"), 5)
      assert.strictEqual(count("\u00dcberpr\u00fcfung \ud83d\ude00"), 3)
      assert.isAbove(count("<|endoftext|>"), 1)
      const other = yield* Effect.provide(Tokenizer, GptTokenizer.layerWith("cl100k_base"))
      assert.notStrictEqual(
        other.count("\u4f60\u597d\uff0c\u4e16\u754c\uff01\u4eca\u5929\u5929\u6c14\u5f88\u597d"),
        count("\u4f60\u597d\uff0c\u4e16\u754c\uff01\u4eca\u5929\u5929\u6c14\u5f88\u597d")
      )
      const turns = ["one two three", "four five six", "seven eight nine"].map((text) => [user(text), assistant("ok")])
      assert.deepStrictEqual(yield* sent(SessionWindow.tokens(8), ...turns), [
        "four five six",
        "ok",
        "seven eight nine",
        "ok"
      ])
      const cut = yield* sent(SessionWindow.tokens(4, { keep: "messages" }), [user("a b c d e f g h i j")])
      assert.deepStrictEqual(cut, ["g h i j"])
    }).pipe(Effect.provide(GptTokenizer.layer))
  )
})

describe("SessionWindow.summary", () => {
  const answers = (n: number) => Array.from({ length: n }, (_, i) => ScriptedModel.text(`a${i + 1}`.padEnd(20, ".")))

  it.effect("writes a memo when the size is exceeded, keeps the newest turns, carries the memo on", () =>
    Effect.gen(function* () {
      const written: Array<string> = []
      const writer = Agent.make({ instruct: "Summarise." }).pipe(
        Agent.provideModel(
          ScriptedModel.always(
            ScriptedModel.respond((request) => {
              written.push(textOf(JSON.parse(JSON.stringify(request.prompt)).content).join("\n"))
              return ScriptedModel.text(`memo ${written.length}`)
            })
          )
        )
      )
      const chat = Session.make({ window: SessionWindow.summary({ max: 100, keep: 1, writer }) })
      const agent = Agent.make({}).pipe(Session.attach(chat, "s"))
      for (let n = 1; n <= 8; n++) yield* agent.pipe(Agent.input(`q${n}`.padEnd(20, ".")), Agent.run)

      // 40 characters a turn: with the third turn on record there are 120.
      assert.lengthOf(written, 3)
      assert.include(written[0], "memo: null")
      assert.include(written[0], "user: q1")
      assert.notInclude(written[0], "q3")
      assert.include(written[1], "memo: memo 1")
      assert.include(written[1], "user: q3")
      assert.notInclude(written[1], "user: q2")
      const model = yield* ScriptedModel.ScriptedModel
      const last = JSON.stringify((yield* model.requests)[7]?.prompt)
      assert.include(last, "[CHAT SESSION MEMO]:\\nmemo 3")
      assert.include(last, "q7")
      assert.notInclude(last, "q6")
      assert.lengthOf(yield* Conversation.turns("s"), 8)
    }).pipe(Effect.provide([ScriptedModel.layer(answers(8)), SessionStores.memory]))
  )

  it.effect("by default the agent's own model writes; a memo that was written survives a run that fails", () =>
    Effect.gen(function* () {
      yield* Conversation.append("s", [...pair(1, 30), ...pair(2, 30)])
      const chat = Session.make({ window: SessionWindow.summary({ max: 10, keep: 0 }) })
      const agent = Agent.make({ input: "q" }).pipe(
        Session.attach(chat, "s"),
        Agent.provideModel(ScriptedModel.layer([ScriptedModel.text("the memo")]))
      )
      // The script has no second answer.
      assert.strictEqual((yield* Effect.flip(Agent.run(agent)))._tag, "ModelError")
      const store = yield* SessionStore
      const head = yield* store.head("s")
      assert.deepStrictEqual([head.memo, head.from, head.turns], ["the memo", 2, 2])
    }).pipe(Effect.provide(SessionStores.memory))
  )
})

describe("SessionWindow.custom", () => {
  it.effect("judge names a way, its handler resizes; both are Effects with needs of their own", () =>
    Effect.gen(function* () {
      const ways: Array<string> = []
      const window = SessionWindow.custom({
        judge: ({ messages }) =>
          Tokenizer.use(({ count }) => Effect.succeed(count(textOf(messages).join("")) > 6 ? "drop" : undefined)),
        resize: {
          drop: ({ full, memo, messages }) =>
            Effect.map(full, (turns) => {
              ways.push(`${turns.length} turns, ${messages.length} messages, ${memo}`)
              return { messages: messages.slice(-1), memo: `dropped at ${turns.length}` }
            })
        }
      })
      const agent = Agent.make({}).pipe(Session.attach(Session.make({ window }), "s"))
      for (const input of ["1", "2", "3", "4", "5"]) yield* agent.pipe(Agent.input(input), Agent.run)
      assert.deepStrictEqual(ways, ["4 turns, 8 messages, undefined"])
      const store = yield* SessionStore
      const head = yield* store.head("s")
      assert.deepStrictEqual([head.from, head.memo, textOf(head.pinned ?? [])], [4, "dropped at 4", ["a"]])
      assert.lengthOf(yield* Conversation.turns("s"), 5)
    }).pipe(
      Effect.provide([
        ScriptedModel.always(ScriptedModel.text("a")),
        SessionStores.memory,
        Layer.succeed(Tokenizer, { name: "characters", count: (text) => text.length })
      ])
    )
  )

  it.effect("tool calls without results and results without calls are taken out of what it gives", () =>
    Effect.gen(function* () {
      const half = SessionWindow.custom({
        judge: () => Effect.succeed("half" as const),
        resize: { half: ({ messages }) => Effect.succeed({ messages: messages.slice(2, -2) }) }
      })
      const texts = yield* sent(half, [
        user("q"),
        call("1"),
        result("1"),
        assistant("mid"),
        call("2"),
        result("2"),
        assistant("a")
      ])
      assert.deepStrictEqual(texts, ["mid"])
    })
  )
})

describe("SessionWindow and what was replaced", () => {
  it.effect("S29 a window of 10 reads as much of 1,000 turns as of 40", () =>
    Effect.gen(function* () {
      const turns = (count: number): ReadonlyArray<SessionTurn> =>
        Array.from({ length: count }, (_, i) => ({ id: String(i), at: 0, messages: pair(i, 5) }))
      const cost = Effect.fnUntraced(function* (count: number) {
        const store = yield* SessionStore
        yield* store.save("s", 0, { turns: turns(count), state: { from: 0, meta: {} } })
        let read = 0
        const counting = SessionStore.of({
          ...store,
          read: (id, from, to) => {
            read += to - from
            return store.read(id, from, to)
          }
        })
        const chat = Session.make({ window: SessionWindow.turns(10) })
        yield* Agent.make({ input: "q" }).pipe(
          Session.attach(chat, "s"),
          Agent.run,
          Effect.provideService(SessionStore, counting)
        )
        return read
      })
      const run = (count: number) =>
        cost(count).pipe(
          Effect.provide([ScriptedModel.always(ScriptedModel.text("a")), Layer.fresh(SessionStores.memory)])
        )
      assert.strictEqual(yield* run(1_000), yield* run(40))
      assert.isAtMost(yield* run(1_000), 16)
    })
  )
})
