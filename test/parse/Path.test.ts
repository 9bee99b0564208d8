import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Result, Schema } from "effect"
import * as Path from "../../src/parse/Path.ts"
import { Tape, tapes } from "./support.ts"

const styles = ["dot", "slash"] as const

describe("print", () => {
  const cases: ReadonlyArray<readonly [ReadonlyArray<Path.Segment>, string, string]> = [
    [[], "", ""],
    [["a", "b", 0, "c"], "a.b[0].c", "/a/b/[0]/c"],
    [["items", Path.ANY_ITEM, "name"], "items[*].name", "/items/[*]/name"],
    [["scores", Path.ANY_KEY], "scores.*", "/scores/*"],
    [[Path.ANY_KEY, "x"], "*.x", "/*/x"],
    [[1, "a"], "[1].a", "/[1]/a"],
    [["a.b"], '["a.b"]', '/["a.b"]'],
    [["x", "a/b", "c"], 'x["a/b"].c', '/x/["a/b"]/c'],
    [["", "*"], '[""]["*"]', '/[""]/["*"]'],
    [["0"], "0", "/0"],
    [['say "x"', "[0]"], '["say \\"x\\""]["[0]"]', '/["say \\"x\\""]/["[0]"]'],
    [["a*b", "漢 字"], "a*b.漢 字", "/a*b/漢 字"]
  ]
  for (const [segments, dot, slash] of cases) {
    it(`IS-18 ${dot === "" ? "the root" : dot} in both styles, and back`, () => {
      assert.strictEqual(Path.print(segments), dot)
      assert.strictEqual(Path.print(segments, "slash"), slash)
      assert.deepStrictEqual(Result.getOrThrow(Path.parse(dot)), segments)
      assert.deepStrictEqual(Result.getOrThrow(Path.parse(slash)), segments)
    })
  }

  it.effect.prop(
    "of any keys reads back, in both styles, so no two paths print alike",
    [tapes, Arbitrary.schema(Schema.Literals(styles))],
    ([numbers, style]) =>
      Effect.sync(() => {
        const tape = new Tape(numbers)
        const segments = Array.from({ length: tape.int(5) }, (): Path.Segment => {
          const kind = tape.int(6)
          return kind === 0 ? tape.int(1000) : kind === 1 ? Path.ANY_ITEM : kind === 2 ? Path.ANY_KEY : tape.text()
        })
        const text = Path.print(segments, style)
        assert.deepStrictEqual(Result.getOrThrow(Path.parse(text, style)), segments, text)
        if (segments.length > 0) assert.deepStrictEqual(Result.getOrThrow(Path.parse(text)), segments, text)
        let built = ""
        for (const segment of segments) {
          if (typeof segment === "string") built = Path.child(built, segment, style)
          else if (typeof segment === "number") built = Path.item(built, segment, style)
          else built = segment._tag === "AnyItem" ? Path.itemWildcard(built, style) : Path.keyWildcard(built, style)
        }
        assert.strictEqual(built, text)
      }),
    { arbitrary: { runs: 1000 } }
  )
})

describe("parse", () => {
  const bad: ReadonlyArray<readonly [string, number, string]> = [
    [".a", 0, "begins with a name"],
    ["a..b", 2, "a name is missing"],
    ["a.", 2, "a name is missing"],
    ["a[", 1, "a bracket holds"],
    ["a[x]", 1, "a bracket holds"],
    ["a[01]", 1, "a bracket holds"],
    ["a[-1]", 1, "a bracket holds"],
    ["a[99999999999999999]", 2, "too large"],
    ["a.[0]", 2, "takes no dot"],
    ["a[0]b", 4, `expected "." or "["`],
    ['a["b]', 2, "a quoted key is a JSON string"],
    ['a["\\x"]', 2, "a quoted key is a JSON string"],
    ['a["b"', 5, `expected "]"`],
    ["a/b", 0, "is written quoted"],
    ["/a//b", 3, "a name is missing"],
    ["/a[0]", 1, "is written quoted"],
    ["/", 1, "a name is missing"]
  ]
  for (const [text, position, detail] of bad) {
    it(`refuses ${text}: ${detail}`, () => {
      const error = Result.getOrThrow(Result.flip(Path.parse(text)))
      assert.instanceOf(error, Path.PathError)
      assert.strictEqual(error._tag, "PathError")
      assert.strictEqual(error.text, text)
      assert.strictEqual(error.position, position)
      assert.include(error.detail, detail)
      assert.include(error.message, JSON.stringify(text))
    })
  }

  it("refuses the other style where one is asked for", () => {
    assert.isTrue(Result.isFailure(Path.parse("a.b", "slash")))
    assert.isTrue(Result.isFailure(Path.parse("/a/b", "dot")))
  })
})

describe("get and each", () => {
  const value = { items: [{ name: "a", tags: ["x"] }, { tags: [] }, null], scores: { "a.b": 1, c: 2 }, text: "s" }

  it("finds own properties and items only", () => {
    assert.strictEqual(Path.get(value, ["items", 0, "name"]), "a")
    assert.strictEqual(Path.get(value, ["scores", "a.b"]), 1)
    assert.strictEqual(Path.get(value, []), value)
    for (const path of [
      ["items", 9],
      ["toString"],
      ["items", "length"],
      ["text", 0],
      ["text", "length"],
      ["items", 2, "x"],
      ["__proto__"],
      ["scores", 0]
    ]) {
      assert.isUndefined(Path.get(value, path))
    }
    assert.strictEqual(Path.get(JSON.parse('{"__proto__":{"x":1}}'), ["__proto__", "x"]), 1)
  })

  const places = (text: string) =>
    Path.each(value, Result.getOrThrow(Path.parse(text))).map(
      (place) => `${Path.print(place.path)} ${place.found ? JSON.stringify(place.value) : "missing"}`
    )

  it("lists what a wildcard stands for, with what is missing", () => {
    assert.deepStrictEqual(places("items[*].name"), [
      'items[0].name "a"',
      "items[1].name missing",
      "items[2].name missing"
    ])
    assert.deepStrictEqual(places("items[*].tags[*]"), ['items[0].tags[0] "x"', "items[2].tags[*] missing"])
    assert.deepStrictEqual(places("scores.*"), ['scores["a.b"] 1', "scores.c 2"])
    assert.deepStrictEqual(places("items[1].tags[*].deep"), [])
    assert.deepStrictEqual(places("none[*].x"), ["none[*].x missing"])
    assert.deepStrictEqual(places("text[*]"), ["text[*] missing"])
    assert.deepStrictEqual(places("items.*"), ["items.* missing"])
    assert.deepStrictEqual(places(""), [` ${JSON.stringify(value)}`])
  })
})
