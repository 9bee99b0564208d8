/** Which of the values in a text is the answer, and when its events flow. */
import { assert, describe, it } from "@effect/vitest"
import type { Shape } from "../../src/parse/Shape.ts"
import { array, boolean, chunksOf, donePaths, lines, number, object, read, readAll, S, string } from "./support.ts"

const AB = object({ a: string, b: number })

describe("commitment", () => {
  it("events flow at once when the first key is declared", () => {
    const { batches } = read(['{"a":', '"x', 'y"'], { shape: AB }, "cut")
    assert.deepStrictEqual(batches.map(lines), [[], ['delta a "x"'], ['delta a "y"'], ['done a "xy"']])
  })

  it("nothing flows before a key is declared; then all of it, in order", () => {
    const { batches } = read(['{"zz":"u",', '"yy":1,', '"a":', '"x"}'], { shape: AB })
    assert.deepStrictEqual(batches.map(donePaths), [[], [], ["zz", "yy"], ["a"], []])
  })

  it("an object without any declared key is the answer at the end if nothing better came", () => {
    const { batches, result } = read(['{"zz":"u"}', " that is all"], { shape: AB })
    assert.deepStrictEqual(batches.map(donePaths), [[], [], ["zz"]])
    assert.deepStrictEqual(result.value, { zz: "u" })
    assert.deepStrictEqual(readAll('{"zz":"u"} no, {"a":"x"}', { shape: AB }).result.value, { a: "x" })
  })

  it("after 4 KiB without doubt an object of unknown keys is committed, at the same place in any chunking", () => {
    const text = `{"zz":"${"u".repeat(5000)}","yy":[1,2]}`
    const { batches } = read(chunksOf(text, 1000), { shape: AB })
    assert.deepStrictEqual(
      batches.map((batch) => batch.length > 0),
      [false, false, false, false, true, true, false]
    )
    readAll(text, { shape: AB })
    // A doubt right after the limit is repaired, one right before it rejects.
    for (const pad of [4000, 4080, 4085, 4090, 4095, 4100, 4200])
      readAll(`{"zz":"${"u".repeat(pad)}" oops} {"b":1}`, { shape: AB })
  })

  it("an object replaced by a better one is reset, and nothing of it remains", () => {
    const { events, result } = readAll('Draft: {"a":"x"} Final: {"a":"y","b":1}', { shape: AB })
    assert.deepStrictEqual(lines(events), [
      'delta a "x"',
      'done a "x"',
      "reset ",
      'delta a "y"',
      'done a "y"',
      "done b 1"
    ])
    const reset = events.find((event) => event._tag === "Reset")
    assert.deepStrictEqual(reset, { _tag: "Reset", path: "", attempt: 1, reason: "better-candidate" })
    assert.deepStrictEqual(result.value, { a: "y", b: 1 })
  })

  it("a worse one later changes nothing", () => {
    const better = '{"a":"x","b":1}'
    for (const worse of ['{"a":"y"}', '{"c":1}', "{'a':'y','b':2}", '{"a":"y","b":2', "[1,2]", "42"]) {
      const { events, result } = readAll(`${better} or ${worse}`, { shape: AB })
      assert.deepStrictEqual(result.value, { a: "x", b: 1 }, worse)
      assert.deepStrictEqual(donePaths(events), ["a", "b"])
      assert.strictEqual(result.repaired.size, 0)
    }
  })

  it("of two equally good the later wins", () => {
    assert.deepStrictEqual(readAll('{"a":"x","b":1} {"a":"y","b":2}', { shape: AB }).result.value, { a: "y", b: 2 })
    assert.deepStrictEqual(readAll('{"a":1}\n{"a":2}').result.value, { a: 2 })
  })

  it("a member of a union proves itself by its own keys", () => {
    const shape: Shape = { kind: "union", members: [object({ kind: string, a: string }), object({ b: number })] }
    assert.deepStrictEqual(readAll('{"x":1} {"b":2}', { shape }).result.value, { b: 2 })
  })

  it("a record is proved by any key, a cyclic shape by its own", () => {
    const record: Shape = { kind: "object", keys: new Map(), required: new Set(), rest: number }
    assert.deepStrictEqual(read(['{"any":1,'], { shape: record }).batches.map(donePaths), [["any"], []])
    const keys = new Map<string, Shape>([["v", number]])
    const tree: Shape = { kind: "object", keys, required: new Set(["v"]) }
    keys.set("next", { kind: "union", members: [tree, { kind: "null" }] })
    const text = '{"v":1,"next":{"v":NaN,"next":null}}'
    assert.deepStrictEqual(readAll(text, { shape: tree }).result.value, { v: 1, next: { v: NaN, next: null } })
    const loop: Shape = { kind: "union", members: [] }
    const self: Shape = { kind: "union", members: [loop, tree] }
    assert.deepStrictEqual(readAll(text, { shape: { kind: "union", members: [self, self] } }).result.value, {
      v: 1,
      next: { v: NaN, next: null }
    })
  })

  it("an array is proved by an item of the declared kind", () => {
    const items = array(object({ id: number }))
    const { batches, result } = read(["see [1] and [x]: [", '{"id":', "1}", ',{"id":2}]'], { shape: items })
    assert.deepStrictEqual(batches.map(donePaths), [[], [], ["[0].id", "[0]"], ["[1].id", "[1]"], []])
    assert.deepStrictEqual(result.value, [{ id: 1 }, { id: 2 }])
    assert.deepStrictEqual(readAll('[note] ["x","y"]', { shape: array(string) }).result.value, ["x", "y"])
  })

  it("a list where an object was expected is given as it is, so that the mismatch can be told", () => {
    assert.deepStrictEqual(readAll('[{"a":"x","b":1}]', { shape: AB }).result.value, [{ a: "x", b: 1 }])
  })
})

describe("prose", () => {
  const rows: ReadonlyArray<readonly [string, unknown]> = [
    ["Hello {playername}!", undefined],
    ["The set {a, b} and {x | x > 0}.", undefined],
    ["", undefined],
    ["   \n", undefined],
    ["I cannot do that.", undefined],
    ["See [the docs](http://x.y) first", undefined],
    ['In short {"a":1}, {see above}', { a: 1 }],
    ['[Note: {"a":1}]', { a: 1 }],
    ['[[Note {"a":1}', { a: 1 }],
    ['{{"a":1}}', { a: 1 }],
    ['use `{x}` then {"a":{"b":[]}} done', { a: { b: [] } }],
    ['{"a":"```json\\n{}\\n```"}', { a: "```json\n{}\n```" }],
    ['{"a":"<think>{}</think>"}', { a: "<think>{}</think>" }],
    ['"Sure," he said: {"a":1}', { a: 1 }],
    ["12 monkeys: [1,2]", [1, 2]],
    ['\ufeff{"a":1}', { a: 1 }],
    ['```\n{"a":1}\n```', { a: 1 }],
    ['```json {"a":1}```', { a: 1 }],
    ['```{"a":1}```', { a: 1 }],
    ['````json5\n{"a":1}\n````', { a: 1 }],
    ['```bash\nnpm i {x}\n```\n```json\n{"a":1}\n```', { a: 1 }],
    ['```json\n{"a":1,"b":[1,2\n```\nSorry, I stopped.', { a: 1, b: [1, 2] }]
  ]
  for (const [text, expected] of rows) {
    it(`${JSON.stringify(text)} holds ${JSON.stringify(expected) ?? "nothing"}`, () => {
      const { result } = readAll(text)
      assert.deepStrictEqual(result.value, expected)
      assert.strictEqual(result.found, expected !== undefined)
    })
  }

  it("a value that a fence ends early is marked as repaired", () => {
    const { result } = readAll('```json\n{"a":1,"b":[1,2\n```\n')
    assert.deepStrictEqual([...result.repaired].sort(), ["", "b"])
  })
})

describe("thoughts", () => {
  const rows: ReadonlyArray<readonly [string, unknown]> = [
    ['<think>{"a":1} or {"a":2}?</think>{"a":3}', { a: 3 }],
    ['<THINKING>\n[1]\n</THINKING>\n\n{"a":3}', { a: 3 }],
    ['<think>a < b </thin {"a":1} </think> {"a":3}', { a: 3 }],
    ['{"a":1} is what I think.</think>{"b":3}', { b: 3 }],
    ['<thinker>{"a":1}</thinker>', { a: 1 }],
    ['a < b: {"a":1}', { a: 1 }],
    ['<think>{"a":1}', undefined]
  ]
  for (const [text, expected] of rows) {
    it(`${JSON.stringify(text)} holds ${JSON.stringify(expected) ?? "nothing"}`, () => {
      assert.deepStrictEqual(readAll(text).result.value, expected)
    })
  }
})

describe("scalars", () => {
  const rows: ReadonlyArray<readonly [Shape, string, unknown]> = [
    [{ kind: "any" }, "42", 42],
    [{ kind: "any" }, " -1.5e3\n", -1500],
    [{ kind: "any" }, "true", true],
    [{ kind: "any" }, "null", null],
    [{ kind: "any" }, '"a {\\"x\\":1} b"', 'a {"x":1} b'],
    [{ kind: "any" }, '"see {a:1} now"', "see {a:1} now"],
    [{ kind: "any" }, "```json\n42\n```", 42],
    [{ kind: "any" }, "The answer is 42", undefined],
    [number, "The answer is 42.", 42],
    [number, "**42**", 42],
    [number, "I counted 3 boxes of 14: 42", 42],
    [number, "There are 42 of them.", 42],
    [number, "Either 3 or 4 of them.", undefined],
    [number, "<think>7 or 8?</think>9", 9],
    [number, "```\n42\n```", 42],
    [number, "about 1_000", 1000],
    [boolean, "true", true],
    [boolean, "Answer: True.", true],
    [boolean, "It is not true", undefined],
    [boolean, "[OUTPUT]: false", false],
    [{ kind: "null" }, "null", null],
    [string, '"Paris"', "Paris"],
    [string, "Paris", "Paris"],
    [string, " It is Paris, {the} capital.\n", "It is Paris, {the} capital."],
    [string, '"he said "hi" ok"', 'he said "hi" ok'],
    [string, '```\n"Paris"\n```', "Paris"],
    [string, "<think>Rome?</think>Paris", "Paris"],
    [string, "", undefined],
    [{ kind: "string", values: ["red", "Green"] }, "GREEN.", "Green"],
    [{ kind: "string", values: ["red", "Green"] }, "I choose:\n\n**red**", "red"],
    [{ kind: "string", values: ["red", "Green"] }, "Answer: green", "Green"],
    [{ kind: "union", members: [number, { kind: "null" }] }, "Result: none", null]
  ]
  for (const [shape, text, expected] of rows) {
    it(`${shape.kind}: ${JSON.stringify(text)} is ${JSON.stringify(expected) ?? "nothing"}`, () => {
      assert.deepStrictEqual(readAll(text, { shape }).result.value, expected)
    })
  }

  it("the root scalar is done at path '', final at a good end, repaired at a cut", () => {
    assert.deepStrictEqual(lines(readAll("42").events), ["done  42 final"])
    assert.deepStrictEqual(lines(readAll("42", {}, "cut").events), ["done  42 repaired"])
    assert.deepStrictEqual([...readAll("42", {}, "cut").result.repaired], [""])
    assert.deepStrictEqual(lines(readAll("42 ").events), ["done  42"])
  })

  it("a root string streams where only a scalar is expected", () => {
    const { batches } = read(['"Pa', 'ris"'], { shape: string })
    assert.deepStrictEqual(batches.map(lines), [['delta  "Pa"'], ['delta  "ris"'], ['done  "Paris"']])
  })

  it("an object where a scalar is expected is given as it is, so that the mismatch can be told", () => {
    assert.deepStrictEqual(readAll('{"answer":42}', { shape: number }).result.value, { answer: 42 })
    assert.deepStrictEqual(readAll('```json\n{"answer":"x"}\n```', { shape: string }).result.value, { answer: "x" })
  })
})

describe("an answer of the declared shape", () => {
  it("is found in the middle of it all", () => {
    const text = [
      "<think>Maybe {title: 'draft'}... [1]</think>",
      "Dear {user}, as asked in [2] here is `{}`:",
      "```json",
      '{"title": "Hello "World"", "tags": ["a", "b",], // done',
      ' "meta": {n: 25, ok: True}}',
      "```",
      "Best, {assistant} }"
    ].join("\n")
    const { result } = readAll(text, { shape: S })
    assert.deepStrictEqual(result.value, { title: 'Hello "World"', tags: ["a", "b"], meta: { n: 25, ok: true } })
  })

  it("does not depend on the chunks where a fence is followed by a very long word", () => {
    const text = `{\`\`\`${"null".repeat(9)}`
    const whole = readAll(text).result
    for (let at = 1; at < text.length; at++) {
      const { result } = read([text.slice(0, at), text.slice(at)])
      assert.deepStrictEqual(result, whole, `cut at ${at}`)
    }
  })
})
