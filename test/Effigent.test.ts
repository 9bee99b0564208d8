import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Schema, Stream } from "effect"
import { Agent, Effigent, Output } from "effigent"
import { RateLimited } from "effigent/services/ModelError"
import { type ModelEvent, ModelProvider } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"

const agent = Agent.make({ output: { items: [Output.ensure(Schema.String, "Item")] } })
const answer = ScriptedModel.json({ items: ["a", "b"] }, { chunkSize: 4 })

// A model that says something and then waits; tells when its stream was left.
const waiting = () => {
  const seen = { left: 0 }
  const first: ModelEvent = { _tag: "Text", text: '{"items":["a"' }
  const layer = Layer.succeed(ModelProvider, {
    name: "waiting",
    stream: () =>
      Stream.concat(Stream.succeed(first), Stream.never).pipe(Stream.ensuring(Effect.sync(() => void seen.left++)))
  })
  return { layer, seen }
}

describe("without Effect", () => {
  it("runPromise gives the typed value", async () => {
    const value = await Effigent.runPromise(agent, "go", { layer: ScriptedModel.layer([answer]) })
    assert.deepStrictEqual(value.items, ["a", "b"])
  })

  it("runPromise rejects with the typed error itself", async () => {
    const layer = ScriptedModel.layer([ScriptedModel.fail(new RateLimited({ detail: "slow down" }))])
    const error = await Effigent.runPromise(agent, "go", { layer }).then(
      () => assert.fail("should reject"),
      (error: unknown) => error
    )
    assert.propertyVal(error, "_tag", "ModelError")
  })

  it("runPromise stops when its signal is aborted, and the model with it", async () => {
    const { layer, seen } = waiting()
    const controller = new AbortController()
    const running = Effigent.runPromise(agent, "go", { layer, signal: controller.signal })
    const reason = new Error("enough")
    setImmediate(() => controller.abort(reason))
    const error = await running.then(
      () => assert.fail("should reject"),
      (error: unknown) => error
    )
    assert.strictEqual(error, reason)
    assert.strictEqual(seen.left, 1)
  })

  it("stream gives every event and ends", async () => {
    const paths: Array<string> = []
    for await (const event of Effigent.stream(agent, "go", { layer: ScriptedModel.layer([answer]) })) {
      if (event._tag === "Field" && event.isComplete) paths.push(event.path)
    }
    assert.deepStrictEqual(paths, ["items[0]", "items[1]", "items"])
  })

  it("leaving the loop leaves the model", async () => {
    const { layer, seen } = waiting()
    for await (const event of Effigent.stream(agent, "go", { layer })) {
      assert.strictEqual(event._tag, "Field")
      break
    }
    assert.strictEqual(seen.left, 1)
  })

  it("aborting the signal ends the loop with its reason, and leaves the model", async () => {
    const { layer, seen } = waiting()
    const controller = new AbortController()
    const reason = new Error("enough")
    const read = async () => {
      for await (const event of Effigent.stream(agent, "go", { layer, signal: controller.signal })) {
        if (event._tag === "Field") setImmediate(() => controller.abort(reason))
      }
    }
    const error = await read().then(
      () => assert.fail("should reject"),
      (error: unknown) => error
    )
    assert.strictEqual(Cause.isCause(error) ? Cause.squash(error) : error, reason)
    assert.strictEqual(seen.left, 1)
  })

  it("a signal that is aborted right after the first read is not missed", async () => {
    const { layer, seen } = waiting()
    const controller = new AbortController()
    const iterator = Effigent.stream(agent, "go", { layer, signal: controller.signal })[Symbol.asyncIterator]()
    const first = iterator.next()
    controller.abort(new Error("at once"))
    const error = await first
      .then(() => iterator.next())
      .then(
        () => assert.fail("should reject"),
        (error: unknown) => error
      )
    assert.instanceOf(error, Error)
    assert.isAtMost(seen.left, 1)
  })

  it("deltas gives the text of an agent without output", async () => {
    const layer = ScriptedModel.layer([ScriptedModel.chunks(["Hel", "lo"])])
    const texts: Array<string> = []
    for await (const delta of Effigent.deltas(Agent.make({}), "go", { layer })) {
      if (delta._tag === "TextDelta") texts.push(delta.text)
    }
    assert.deepStrictEqual(texts, ["Hel", "lo"])
  })

  it("a signal that is aborted already sends nothing", async () => {
    const { layer, seen } = waiting()
    const read = async () => {
      for await (const _ of Effigent.stream(agent, "go", { layer, signal: AbortSignal.abort(new Error("never")) })) {
        assert.fail("no event is expected")
      }
    }
    await read().then(
      () => assert.fail("should reject"),
      () => undefined
    )
    assert.strictEqual(seen.left, 0)
  })
})
