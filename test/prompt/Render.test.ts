import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import type { Prompt } from "../../services/Ai.ts"
import * as Render from "../../src/prompt/Render.ts"
import * as Slots from "../../src/prompt/Slots.ts"

const messages = (slots: Slots.Slots, options?: Render.RenderOptions): ReadonlyArray<Prompt.Message> =>
  Result.getOrThrow(Render.render(slots, options)).content

const textOf = (message: Prompt.Message | undefined): ReadonlyArray<string> =>
  message === undefined
    ? []
    : typeof message.content === "string"
      ? [message.content]
      : message.content.flatMap((part) => (part.type === "text" ? [part.text] : []))

const userText = (slots: Slots.Slots, options?: Render.RenderOptions) => textOf(messages(slots, options).at(-1))[0]

const errorOf = (slots: Slots.Slots) => {
  const result = Render.render(slots)
  return Result.isFailure(result) ? result.failure.message : "no error"
}

describe("prompt rendering", () => {
  it("SP-03 renders the sections in one fixed order", () => {
    const text = userText(
      { input: "in", examples: ["ex"], instruct: "do", info: { a: 1 }, custom: { glossary: "words" } },
      { requirement: "Data Format: JSON", correction: "fix it" }
    )
    assert.strictEqual(
      text,
      [
        "[INFO]:\n- a: 1",
        "[GLOSSARY]:\nwords",
        "[INSTRUCT]:\ndo",
        "[EXAMPLES]:\n- ex",
        "[INPUT]:\nin",
        "[OUTPUT REQUIREMENT]:\nData Format: JSON",
        "[OUTPUT CORRECTION]:\nfix it",
        "[OUTPUT]:"
      ].join("\n\n")
    )
  })

  it("the sections bear other titles where they are given, and their own where not", () => {
    const titles = { info: "WISSEN", input: "FRAGE", requirement: "FORM", output: "ANTWORT" }
    const text = userText({ input: "in", instruct: "do", info: "i" }, { requirement: "r", correction: "c", titles })
    const parts = [
      "[WISSEN]:\ni",
      "[INSTRUCT]:\ndo",
      "[FRAGE]:\nin",
      "[FORM]:\nr",
      "[OUTPUT CORRECTION]:\nc",
      "[ANTWORT]:"
    ]
    assert.strictEqual(text, parts.join("\n\n"))
    const history = [{ role: "user", content: "q" }] as const
    const alone = messages({ history }, { requirement: "r", titles })
    assert.deepStrictEqual(alone.flatMap(textOf), ["q", "[FORM]:\nr\n\n[ANTWORT]:"])
  })

  it("SP-04 sends an input that comes alone as it is", () => {
    assert.deepStrictEqual(messages({ input: "Q" }).map(textOf), [["Q"]])
  })

  it("SP-04 keeps the white space of a textual input", () => {
    assert.strictEqual(userText({ input: "  a\n    b\n" }), "  a\n    b\n")
  })

  it("SP-05 renders a structured input that comes alone as text", () => {
    assert.strictEqual(userText({ input: { a: 1, b: [1, 2] } }), "a: 1\nb:\n  - 1\n  - 2")
  })

  for (const [name, value, expected] of [
    ["0", 0, "0"],
    ["false", false, "false"],
    ["the empty text", "", ""],
    ["null", null, "null"],
    ["an empty list", [], "[]"]
  ] as const) {
    it(`SP-05 never drops ${name} as an input`, () => {
      assert.strictEqual(userText({ input: value }), expected)
      assert.include(userText({ input: value, instruct: "x" }) ?? "", `[INPUT]:\n${expected}`)
    })
  }

  it("SP-05 never drops examples that stand beside an input alone", () => {
    assert.strictEqual(userText({ input: "Q", examples: "A: B" }), "[EXAMPLES]:\nA: B\n\n[INPUT]:\nQ\n\n[OUTPUT]:")
  })

  it("renders info objects as a list of facts and nests what is structured", () => {
    assert.strictEqual(
      userText({ info: { name: "Ada", tags: ["p", "q"], note: "two\nlines" }, instruct: "go" }),
      [
        "[INFO]:",
        "- name: Ada",
        "- tags:",
        "    - p",
        "    - q",
        "- note: |-",
        "    two",
        "    lines",
        "",
        "[INSTRUCT]:",
        "go",
        "",
        "[OUTPUT]:"
      ].join("\n")
    )
  })

  it("dedents instructions that come from indented source code", () => {
    assert.include(
      userText({
        instruct: `
          First line.
            Second line.
        `
      }) ?? "",
      "[INSTRUCT]:\nFirst line.\n  Second line.\n"
    )
  })

  it("puts system and developer slots in front, as messages of their own", () => {
    const [system, developer, user] = messages({ system: "You are Bo.", developer: { tone: "dry" }, input: "Q" })
    assert.deepStrictEqual(textOf(system), ["You are Bo."])
    assert.deepStrictEqual(textOf(developer), ["tone: dry"])
    assert.deepStrictEqual(developer?.options, { effigent: { role: "developer" } })
    assert.strictEqual(user?.role, "user")
  })

  it("SP-12 merges messages of one role that follow each other", () => {
    const history: ReadonlyArray<Prompt.MessageEncoded> = [
      { role: "user", content: "a" },
      { role: "user", content: "b" },
      { role: "assistant", content: "c" }
    ]
    assert.deepStrictEqual(
      messages({ history, input: "Q" }).map((message) => [message.role, ...textOf(message)]),
      [
        ["user", "a", "b"],
        ["assistant", "c"],
        ["user", "Q"]
      ]
    )
  })

  it("SP-12 closes a history that ends with the user", () => {
    assert.deepStrictEqual(
      messages({ history: [{ role: "user", content: "a" }], input: "Q" }).map((message) => textOf(message)[0]),
      ["a", "[User continue input]", "Q"]
    )
  })

  it("SP-12 opens a history that begins with the assistant", () => {
    assert.deepStrictEqual(
      messages({ history: [{ role: "assistant", content: "hi" }], input: "Q" }).map((message) => textOf(message)[0]),
      ["[CHAT HISTORY]", "hi", "Q"]
    )
  })

  it("SP-12 leaves the history alone where the order is not strict", () => {
    const history: ReadonlyArray<Prompt.MessageEncoded> = [
      { role: "assistant", content: "hi" },
      { role: "user", content: "a" }
    ]
    assert.deepStrictEqual(
      messages({ history, input: "Q" }, { strictRoles: false }).map((message) => textOf(message)[0]),
      ["hi", "a", "Q"]
    )
  })

  it("SP-13 keeps identical messages of the history", () => {
    const again = { role: "user", content: "again" } as const
    const [first] = messages({ history: [again, again, { role: "assistant", content: "no" }], input: "Q" })
    assert.deepStrictEqual(textOf(first), ["again", "again"])
  })

  it("fails on a prompt that says nothing", () => {
    assert.include(errorOf({}), "says nothing")
    assert.include(errorOf({ system: "only a system message" }), "says nothing")
  })

  it("fails on values without a text form and names the slot", () => {
    const loop: { self?: unknown } = {}
    loop.self = loop
    assert.include(errorOf({ input: () => 1 }), "input: holds a function")
    assert.include(errorOf({ info: { a: Symbol.iterator } }), "info: holds a symbol")
    assert.include(errorOf({ input: loop }), "contains itself")
    assert.include(errorOf({ input: { a: Number.NaN } }), "NaN")
    assert.include(errorOf({ custom: { facts: [1, { b: () => 1 }] } }), "facts: holds a function")
  })

  it("fails on deep nesting instead of overflowing", () => {
    let deep: unknown = 1
    for (let i = 0; i < 100_000; i++) deep = [deep]
    assert.include(errorOf({ input: deep }), "nested deeper")
  })

  it("SP-12 brings a history that comes alone into order as well", () => {
    const history: ReadonlyArray<Prompt.MessageEncoded> = [
      { role: "assistant", content: "hi" },
      { role: "user", content: "a" },
      { role: "user", content: "b" }
    ]
    assert.deepStrictEqual(
      messages({ history }, { requirement: "JSON" }).map((message) => [message.role, ...textOf(message)]),
      [
        ["user", "[CHAT HISTORY]"],
        ["assistant", "hi"],
        ["user", "a", "b", "[OUTPUT REQUIREMENT]:\nJSON\n\n[OUTPUT]:"]
      ]
    )
  })

  it("fails on values that cannot be read, and renders Maps and Sets as lists", () => {
    const bad = {
      get value(): string {
        throw new Error("boom")
      }
    }
    assert.include(errorOf({ info: bad }), "boom")
    assert.include(userText({ info: new Set(["u", "v"]), instruct: "x" }) ?? "", "[INFO]:\n- u\n- v")
    assert.notInclude(userText({ info: {}, input: "Q" }) ?? "", "INFO")
  })

  it("keeps indentation that is not shared", () => {
    assert.include(userText({ instruct: "    code:\n  x\ny" }) ?? "", "    code:\n  x\ny")
  })

  it("fails on a history that is none", () => {
    const broken = [{ role: "nobody", content: "x" }] as unknown as ReadonlyArray<Prompt.MessageEncoded>
    assert.include(errorOf({ history: broken, input: "Q" }), "history")
  })

  it("renders dates and other values with toJSON", () => {
    assert.strictEqual(userText({ input: { at: new Date(0) } }), 'at: "1970-01-01T00:00:00.000Z"')
  })
})

describe("slots", () => {
  it("SP-08 merges objects, replaces texts, and puts new list items in front of old ones", () => {
    const base: Slots.Slots = { info: { k1: 1, deep: { a: 1 } }, instruct: "old", examples: ["base", "both"] }
    const merged = Slots.merge(base, { info: { k2: 2, deep: { b: 2 } }, instruct: "new", examples: ["next", "both"] })
    assert.deepStrictEqual(merged, {
      info: { k1: 1, deep: { a: 1, b: 2 }, k2: 2 },
      instruct: "new",
      examples: ["next", "both", "base"]
    })
  })

  it("SP-08 keeps what the later layer leaves undefined", () => {
    assert.deepStrictEqual(Slots.merge({ instruct: "old" }, { instruct: undefined, input: 0 }), {
      instruct: "old",
      input: 0
    })
  })

  it("SP-13 appends history, identical messages included", () => {
    const message = { role: "user", content: "x" } as const
    assert.deepStrictEqual(Slots.merge({ history: [message] }, { history: [message] }).history, [message, message])
  })

  it.effect("does not pollute prototypes", () =>
    Effect.sync(() => {
      const merged = Slots.merge({ info: { a: 1 } }, { info: JSON.parse('{"__proto__":{"polluted":true}}') })
      assert.isFalse(Object.hasOwn(Object.prototype, "polluted"))
      assert.notProperty({}, "polluted")
      assert.isTrue(Object.hasOwn(merged.info ?? {}, "__proto__"))
    })
  )
})
