import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Agent } from "effigent"
import { OpenAICompatible } from "effigent/layers/openai"
import type { ModelEvent } from "effigent/services/ModelProvider"
import { ThinkTags } from "../../src/wire/ThinkTags.ts"
import { serve, sse } from "../layers/wire/Server.ts"

// A decoder to which each event's data is the text; `!` is a tool call, `?` a failure.
const decode = (pieces: ReadonlyArray<string>, proven = true) => {
  const closed = { isClosed: false }
  const decoder = new ThinkTags({
    ...closed,
    event: (_, data, out) => {
      if (data === "!") out.push({ _tag: "ToolCallDelta", index: 0, id: "a", name: "get", delta: "{}" })
      else if (data !== "?") out.push({ _tag: "Text", text: data })
      return data === "?" ? { _tag: "Incomplete", detail: "" } : undefined
    },
    finish: (out) => {
      if (proven) out.push({ _tag: "Finish", reason: "stop" })
      return proven
    }
  })
  const out: Array<ModelEvent> = []
  const failed = pieces.some((piece) => decoder.event("", piece, out) !== undefined)
  if (!failed) assert.strictEqual(decoder.finish(out), proven)
  const join = (tag: "Text" | "Reasoning") => out.flatMap((event) => (event._tag === tag ? [event.text] : [])).join("")
  for (const event of out) if ("text" in event) assert.notStrictEqual(event.text, "", "an empty piece")
  return { text: join("Text"), reasoning: join("Reasoning"), tags: out.map(({ _tag }) => _tag), out }
}

const cut = (text: string, size: number) =>
  Array.from({ length: Math.ceil(text.length / size) }, (_, i) => text.slice(i * size, (i + 1) * size))

describe("ThinkTags", () => {
  const whole: ReadonlyArray<readonly [said: string, reasoning: string, text: string]> = [
    [`<think>plan</think>{"a":"b"}`, "plan", `{"a":"b"}`],
    ["\n<think>\nplan\nit\n</think>\n\nHello <b>", "plan\nit\n", "Hello <b>"],
    ["<think></think>Hello", "", "Hello"],
    ["<think>\n\n</think>\n\nHello", "", "Hello"],
    ["<think>a < b </thin </think2</think>Hello", "a < b </thin </think2", "Hello"],
    ["<think>a</think>b<think>c</think>d", "a", "b<think>c</think>d"],
    ["<think>never ends </thi", "never ends </thi", ""],
    ["Hello <think>no plan</think>", "", "Hello <think>no plan</think>"],
    ["<thinking>no tag</thinking>", "", "<thinking>no tag</thinking>"],
    ["<th", "", "<th"],
    ["  <", "", "  <"],
    [" \n ", "", " \n "],
    ["</think>Hello", "", "</think>Hello"],
    [`${" ".repeat(80)}<think>late</think>`, "", `${" ".repeat(80)}<think>late</think>`]
  ]

  for (const [said, reasoning, text] of whole) {
    it(`EV-03, EV-04 ${JSON.stringify(said).slice(0, 50)} in one piece and in pieces of every size`, () => {
      for (let size = 1; size <= said.length; size++) {
        const decoded = decode(cut(said, size))
        assert.strictEqual(decoded.reasoning, reasoning, `pieces of ${size}`)
        assert.strictEqual(decoded.text, text, `pieces of ${size}`)
        assert.strictEqual(decoded.tags.at(-1), "Finish")
      }
    })
  }

  it("EV-03 every cut in two gives the same", () => {
    const said = `<think>plan</think>{"a":"b"}`
    for (let at = 0; at <= said.length; at++) {
      const { reasoning, text } = decode([said.slice(0, at), said.slice(at)].filter((piece) => piece !== ""))
      assert.deepStrictEqual([reasoning, text], ["plan", `{"a":"b"}`])
    }
  })

  it("thoughts are shown as they come, but for what may be a tag", () => {
    assert.deepStrictEqual(
      decode(["<think>one ", "two </", "three</think>"]).out.flatMap((e) => (e._tag === "Reasoning" ? [e.text] : [])),
      ["one ", "two ", "</three"]
    )
  })

  it("what is held back comes before a tool call, before a failure and before an end without proof", () => {
    assert.deepStrictEqual(decode(["<th", "!", "ink>"]).tags, ["Text", "ToolCallDelta", "Text", "Finish"])
    assert.deepStrictEqual(decode(["<th", "?"]).out, [{ _tag: "Text", text: "<th" }])
    assert.deepStrictEqual(decode(["<think>a</th", "?"]).reasoning, "a</th")
    assert.deepStrictEqual(decode(["<th"], false).out, [{ _tag: "Text", text: "<th" }])
  })

  it("a long block in single characters is read in linear time", () => {
    const said = `<think>${"<".repeat(200_000)}</think>Hello`
    const before = performance.now()
    const { reasoning, text } = decode([...said])
    assert.strictEqual(reasoning.length, 200_000)
    assert.strictEqual(text, "Hello")
    assert.isBelow(performance.now() - before, 2000)
  })

  describe("in chat completions", () => {
    const chunk = (content: string) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`
    const finish = `data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n`
    const frames = [...cut(`<think>plan</think>{"a":"b"}`, 4).map(chunk), finish]

    it.live("EV-03 a block of reasoning cut over chunks of 4 is no part of text and data", () =>
      Effect.gen(function* () {
        const server = yield* serve(sse(frames))
        const model = OpenAICompatible.layer({ model: "m", baseUrl: server.url })
        const response = yield* Agent.make({ output: Schema.Struct({ a: Schema.String }) }).pipe(
          Agent.input("hi"),
          Agent.respond,
          Effect.provide(Layer.fresh(model))
        )
        assert.deepStrictEqual(yield* response.data, { a: "b" })
        assert.strictEqual(yield* response.text, `{"a":"b"}`)
        assert.strictEqual((yield* response.full).reasoning, "plan")
      })
    )

    it.live("the option turns it off", () =>
      Effect.gen(function* () {
        const server = yield* serve(sse(frames))
        const response = yield* Agent.make({}).pipe(
          Agent.input("hi"),
          Agent.respond,
          Effect.provide(OpenAICompatible.layer({ model: "m", baseUrl: server.url, thinkTags: false }))
        )
        assert.strictEqual(yield* response.text, `<think>plan</think>{"a":"b"}`)
      })
    )
  })
})
