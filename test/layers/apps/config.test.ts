// `defineConfig`: the compiler tells what the Layer of a project lacks.
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { Agent } from "effigent"
import { defineConfig } from "effigent/config"
import { Dataset, Evals } from "effigent/evals"
import { OfflineModel } from "effigent/layers/offline"
import { Chain, TriggerFlow } from "effigent/triggerflow"

class Mail extends Context.Service<Mail, { readonly send: (text: string) => Effect.Effect<void> }>()("test/Mail") {}

const poet = Agent.make({ instruct: "Write a haiku." })
const Post = TriggerFlow.define("post", { input: Schema.String })
const post = Post.build(Post.start.pipe(Chain.to("send", (text) => Mail.use((mail) => mail.send(text)))))
const mail = Layer.succeed(Mail, { send: () => Effect.void })

describe("defineConfig", () => {
  it("takes agents and flows of any types with a Layer that has what they need", () => {
    const typed = Agent.make({ output: Schema.Struct({ a: Schema.Int }) })
    const project = defineConfig({
      agents: { poet, typed },
      flows: [post],
      layer: Layer.merge(OfflineModel.layer, mail)
    })
    assert.deepStrictEqual(Object.keys(project.agents), ["poet", "typed"])
    assert.deepStrictEqual(
      project.flows.map(({ name }) => name),
      ["post"]
    )
  })

  it("needs no Layer where nothing needs one", () => {
    const offline = poet.pipe(Agent.provideModel(OfflineModel.layer))
    assert.deepStrictEqual(Object.keys(defineConfig({ agents: { offline } }).agents), ["offline"])
    assert.deepStrictEqual(defineConfig({}).flows, [])
  })

  it("takes evals, and asks the Layer for what they need", () => {
    const dataset = Dataset.make({ name: "topics", input: Schema.String, cases: [{ input: "the sea" }] })
    const haiku = Evals.make("haiku", { dataset, subject: poet }, [])
    const length = Evals.make("length", { dataset, subject: (topic) => Effect.succeed(topic.length) }, [])
    assert.deepStrictEqual(
      defineConfig({ evals: [haiku, length], layer: OfflineModel.layer }).evals.map(({ name }) => name),
      ["haiku", "length"]
    )
    assert.lengthOf(defineConfig({ evals: [length] }).evals, 1)
    // @ts-expect-error the model is missing
    defineConfig({ evals: [haiku] })
  })

  it("does not compile where the Layer lacks a service", () => {
    // @ts-expect-error the model is missing
    defineConfig({ agents: { poet } })
    // @ts-expect-error the mail of the flow is missing
    defineConfig({ agents: { poet }, flows: [post], layer: OfflineModel.layer })
    // @ts-expect-error an agent is no text
    defineConfig({ agents: { poet: "poet" }, layer: OfflineModel.layer })
  })
})
