import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { Agent, Output, Validation } from "effigent"
import { ChainOfThought } from "effigent/patterns"
import { ScriptedModel } from "effigent/testing"

const Order = Schema.Struct({
  item: Output.ensure(Schema.String, "What to send", "notEmpty"),
  pieces: Schema.optionalKey(Schema.Int)
})

const promptOf = Effect.map(ScriptedModel.requests, (requests) => JSON.stringify(requests.at(-1)?.prompt))

describe("ChainOfThought", () => {
  it.effect("the reasoning comes first in the contract, and the answer decodes to the agent's own type", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ output: Order, instruct: "Order." }).pipe(ChainOfThought.attach())
      const answer = yield* agent.pipe(Agent.input("two lamps"), Agent.run)
      const typed: ChainOfThought.Reasoned<typeof Order.Type> = answer
      assert.deepStrictEqual(typed, { reasoning: "They say two.", answer: { item: "lamp", pieces: 2 } })
      const prompt = yield* promptOf
      assert.isAbove(prompt.indexOf('\\"reasoning\\"'), 0)
      assert.isBelow(prompt.indexOf('\\"reasoning\\"'), prompt.indexOf('\\"answer\\"'))
      assert.include(prompt, "Think step by step")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([ScriptedModel.json({ reasoning: "They say two.", answer: { item: "lamp", pieces: 2 } })])
      )
    )
  )

  it.effect("a free text is a text below `answer`, and the reasoning can be told what it is for", () =>
    Effect.gen(function* () {
      const agent = ChainOfThought.attach(Agent.make({ input: "Why?" }), { reasoning: "Weigh both sides" })
      const { answer } = yield* Agent.run(agent)
      assert.strictEqual(answer.toUpperCase(), "BECAUSE.")
      assert.include(yield* promptOf, "Weigh both sides")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ reasoning: "Hm.", answer: "Because." })])))
  )

  it.effect("the fields of the answer stream while the model writes", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const agent = Agent.make({ output: Order }).pipe(ChainOfThought.attach(), Agent.input("two lamps"))
        const response = yield* Agent.respond(agent)
        const item = yield* response.field("answer.item").pipe(
          Stream.map((delta) => (delta._tag === "TextDelta" ? delta.text : "!")),
          Stream.runCollect
        )
        assert.isAbove(item.length, 1)
        assert.strictEqual(item.join(""), "reading lamp")
        // @ts-expect-error there is no such field
        response.field("answer.price")
      })
    ).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json({ reasoning: "Two.", answer: { item: "reading lamp", pieces: 2 } }, { chunkSize: 3 })
        ])
      )
    )
  )

  it.effect("ensured leaves, ensure keys and validators hold below `answer`, and findings name the place", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const agent = Agent.make({ output: Order, ensureKeys: ["pieces"] }).pipe(
          Agent.validate(({ pieces }) =>
            Effect.succeed(Validation.when((pieces ?? 0) < 10, "At most nine", { path: "pieces" }))
          ),
          Agent.validate(({ item }) =>
            Effect.succeed(
              item === "brick"
                ? Validation.faults([{ reason: "No bricks" }, { reason: "Nor stones", path: "item" }])
                : Validation.pass
            )
          ),
          ChainOfThought.attach(),
          Agent.input("lamps")
        )
        const response = yield* Agent.respond(agent)
        const { attempts, data } = yield* response.full
        assert.deepStrictEqual(
          attempts.map(({ findings }) => findings.map(({ path }) => path).toSorted()),
          [["answer.item", "answer.pieces", "reasoning"], ["answer.pieces"], ["answer", "answer.item"], []]
        )
        assert.deepStrictEqual(data.answer, { item: "lamp", pieces: 2 })
      })
    ).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json({ reasoning: " ", answer: { item: "" } }),
          ScriptedModel.json({ reasoning: "a", answer: { item: "lamp", pieces: 10 } }),
          ScriptedModel.json({ reasoning: "b", answer: { item: "brick", pieces: 1 } }),
          ScriptedModel.json({ reasoning: "c", answer: { item: "lamp", pieces: 2 } })
        ])
      )
    )
  )

  it.effect("an agent that returned partial values fails, since what it gives has to be whole", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ output: Order, maxRetries: 0, onExhausted: "return" }).pipe(
        ChainOfThought.attach(),
        Agent.input("lamps")
      )
      const error = yield* Effect.flip(Agent.run(agent))
      assert.strictEqual(error._tag, "OutputError")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ reasoning: "a", answer: {} })])))
  )
})
