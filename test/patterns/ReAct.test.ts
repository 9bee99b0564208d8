import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import { ReAct } from "effigent/patterns"
import type { ModelProvider } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"

class Shop extends Context.Service<Shop, { readonly price: (article: string) => number | undefined }>()("test/Shop") {}

const price = Action.make("price", {
  description: "The price of an article in euros.",
  input: Schema.Struct({ article: Schema.String }),
  sideEffect: "pure",
  run: ({ article }) =>
    Effect.flatMap(Shop, (shop) => {
      const euros = shop.price(article)
      return euros === undefined ? Effect.fail(new Error(`there is no ${article}`)) : Effect.succeed({ euros })
    })
})

const Sum = Schema.Struct({ euros: Schema.Int })
const agent = Agent.make({ system: "You sell.", output: Sum }).pipe(Agent.input("A lamp and a bulb, please."))

const shop = Layer.succeed(Shop, { price: (article) => (article === "lamp" ? 40 : article === "bulb" ? 5 : undefined) })

const acts = (thought: string, ...articles: ReadonlyArray<string>) =>
  ScriptedModel.json({
    thought,
    next: articles.length === 0 ? "answer" : "call",
    calls: articles.map((article) => ({ purpose: "price", action: "price", input: { article } }))
  })
const answers = (euros: number) => ScriptedModel.json({ euros })

const prompts = Effect.map(ScriptedModel.requests, (requests) => requests.map(({ prompt }) => JSON.stringify(prompt)))

describe("ReAct", () => {
  it.effect("thinks and acts in turns; thoughts and results stand in the prompts after them", () =>
    Effect.gen(function* () {
      const { answer, status, steps } = yield* ReAct.run(agent, [price])
      const typed: typeof Sum.Type = answer
      assert.deepStrictEqual([typed, status], [{ euros: 45 }, "answered"])
      assert.deepStrictEqual(
        steps.map(({ calls, thought }) => [thought, calls.map(({ result }) => result)]),
        [
          ["The lamp first.", [{ euros: 40 }]],
          ["Now the bulb.", [{ euros: 5 }]]
        ]
      )
      const [first = "", second = "", third = "", last = ""] = yield* prompts
      assert.include(first, "thought")
      assert.include(first, "The price of an article in euros.")
      assert.notInclude(first, "The lamp first.")
      assert.include(second, "thought: The lamp first.")
      assert.include(second, "euros: 40")
      assert.isBelow(third.indexOf("The lamp first."), third.indexOf("Now the bulb."))
      assert.include(last, "euros: 5")
      assert.isTrue((yield* ScriptedModel.requests).every(({ tools }) => tools.length === 0))
    }).pipe(
      Effect.provide([
        ScriptedModel.layer([
          acts("The lamp first.", "lamp"),
          acts("Now the bulb.", "bulb"),
          acts("All known."),
          answers(45)
        ]),
        shop
      ])
    )
  )

  it.effect("a failing call is told and the model goes on; a plan without a thought is corrected", () =>
    Effect.gen(function* () {
      const { steps } = yield* ReAct.run(agent, [price])
      assert.deepStrictEqual(
        steps.flatMap(({ calls }) => calls.map(({ status }) => status)),
        ["failed", "success", "unknown"]
      )
      const [, second = "", , fourth = ""] = yield* prompts
      assert.include(second, "there is no sofa")
      assert.include(fourth, "thought")
    }).pipe(
      Effect.provide([
        ScriptedModel.layer([
          acts("A sofa?", "sofa"),
          acts("A lamp.", "lamp"),
          acts(" "),
          ScriptedModel.json({ thought: "Pay?", next: "call", calls: [{ purpose: "p", action: "pay", input: {} }] }),
          acts("Done."),
          answers(40)
        ]),
        shop
      ])
    )
  )

  it.effect("the limits of actions hold: the answer is asked for, and the status says which it was", () =>
    Effect.gen(function* () {
      const { answer, status, steps } = yield* ReAct.run(agent, [price], { rounds: 2 })
      assert.deepStrictEqual([answer.euros, status, steps.length], [80, "rounds", 2])
    }).pipe(Effect.provide([ScriptedModel.layer([acts("One.", "lamp"), acts("Two.", "lamp"), answers(80)]), shop]))
  )

  it.effect("`attach` leaves the agent what it is; needs of the actions are in its type", () =>
    Effect.gen(function* () {
      const acting: Agent.Agent<typeof Sum.Type, Actions.ActionNameError, Shop | ModelProvider, typeof Sum.Encoded> =
        agent.pipe(ReAct.attach([price]))
      const full = yield* Agent.whole(acting)
      assert.deepStrictEqual(
        ReAct.stepsOf(full).map(({ thought }) => thought),
        ["One."]
      )
      assert.strictEqual(full.data.euros, 40)
    }).pipe(Effect.provide([ScriptedModel.layer([acts("One.", "lamp"), acts("Done."), answers(40)]), shop]))
  )

  it.effect("without thoughts a plan has none", () =>
    Effect.gen(function* () {
      const full = yield* Agent.whole(agent.pipe(Actions.use([price], { protocol: "plan" })))
      assert.deepStrictEqual(
        full.meta.actions?.rounds.map(({ text }) => text),
        [""]
      )
      for (const prompt of yield* prompts) assert.notInclude(prompt, "thought")
    }).pipe(
      Effect.provide([
        ScriptedModel.layer([
          ScriptedModel.json({ next: "call", calls: [{ purpose: "p", action: "price", input: { article: "lamp" } }] }),
          ScriptedModel.json({ next: "answer", calls: [] }),
          answers(40)
        ]),
        shop
      ])
    )
  )
})
