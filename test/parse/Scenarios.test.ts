/** The conformance scenarios of streaming structured parsing (IS) and of recovery from model text (RV-16). */
import { assert, describe, it } from "@effect/vitest"
import * as JsonScanner from "../../src/parse/JsonScanner.ts"
import { array, checkLaws, chunksOf, donePaths, lines, object, read, readAll, S, string } from "./support.ts"

const hello = '{"title":"Hello","tags":["a","b"],"meta":{"n":25,"ok":true}}'

describe("streaming", () => {
  it("IS-01 fields are done in document order, children first, each once", () => {
    const reading = readAll(hello, { shape: S })
    assert.deepStrictEqual(donePaths(reading.events), [
      "title",
      "tags[0]",
      "tags[1]",
      "tags",
      "meta.n",
      "meta.ok",
      "meta"
    ])
    assert.isTrue(
      reading.events.every((event) => event._tag === "Field" && event.source === "observed" && event.attempt === 1)
    )
  })

  it("IS-02 wildcard paths and indexes", () => {
    const of = (text: string, path: string) => {
      const event = readAll(text).events.find((event) => event._tag === "Field" && event.path === path)
      return event?._tag === "Field" ? [event.wildcardPath, event.indexes] : []
    }
    assert.deepStrictEqual(of(hello, "tags[1]"), ["tags[*]", [1]])
    assert.deepStrictEqual(of('{"items":[{"name":"A"}]}', "items[0].name"), ["items[*].name", [0]])
    assert.deepStrictEqual(of('[{"a":1},{"a":2}]', "[1].a"), ["[*].a", [1]])
    assert.deepStrictEqual(of("[[1],[2,[3]]]", "[1][1][0]"), ["[*][*][*]", [1, 1, 0]])
  })

  it("IS-03 a number is not done before its delimiter, a string not before its quote", () => {
    const { batches } = read(['{"n": 2', '5, "s": "x', 'y"}'])
    assert.deepStrictEqual(batches.map(lines), [[], ["done n 25", 'delta s "x"'], ['delta s "y"', 'done s "xy"'], []])
  })

  it("IS-04 array items are done one by one", () => {
    const { batches } = read(['{"items":[{"name":"A","v":1', '},{"name":"B"', ',"v":2}]}'])
    assert.deepStrictEqual(batches.map(donePaths), [
      ["items[0].name"],
      ["items[0].v", "items[0]"],
      ["items[1].name", "items[1].v", "items[1]", "items"],
      []
    ])
  })

  it("IS-04 an item is done in the chunk in which its text ends, its last string included where a key follows", () => {
    const { batches } = read(['{"items":[{"name":"A","v":1', '},{"name":"B","', 'v":2}]}'])
    assert.deepStrictEqual(batches.map(donePaths), [
      ["items[0].name"],
      ["items[0].v", "items[0]", "items[1].name"],
      ["items[1].v", "items[1]", "items"],
      []
    ])
  })

  it("IS-05 no delta follows done, and deltas concatenate to the value", () => {
    for (const size of [1, 2, 3, 4, 5, 6, 7, 8, 11]) checkLaws(read(chunksOf(hello, size), { shape: S }))
  })

  it("IS-06 escapes split over chunks", () => {
    const { events, result } = read(['{"s":"a\\', "nb\\u00", 'e9 c"}'])
    assert.deepStrictEqual(result.value, { s: "a\nbé c" })
    assert.deepStrictEqual(lines(events), ['delta s "a"', 'delta s "\\nb"', 'delta s "é c"', 'done s "a\\nbé c"'])
  })

  it("IS-07 prose and fence around", () => {
    const { events, result } = read(['Sure! ```json\n{"a":"x', 'y"}\n```\nDone {not json}'])
    assert.deepStrictEqual(lines(events), ['delta a "x"', 'delta a "y"', 'done a "xy"'])
    assert.deepStrictEqual(result.value, { a: "xy" })
    assert.deepStrictEqual(result.repairs, [])
  })

  it("IS-08 empty containers have a done and no delta", () => {
    assert.deepStrictEqual(read(['{"a":[],"b":"', '"}']).batches.map(lines), [["done a []"], ['done b ""'], []])
  })

  it("IS-09 null has a done and no delta", () => {
    assert.deepStrictEqual(read(['{"a":null,"b":', "null}"]).batches.map(lines), [["done a null"], ["done b null"], []])
  })

  it("IS-10 what a cut leaves open is closed as repaired", () => {
    const { batches, result } = read(['{"a":"1","b":["x","y'], {}, "cut")
    assert.deepStrictEqual(batches.map(lines), [
      ['delta a "1"', 'done a "1"', 'delta b[0] "x"', 'done b[0] "x"', 'delta b[1] "y"'],
      ['done b[1] "y" repaired', 'done b ["x","y"] repaired']
    ])
    assert.deepStrictEqual(result.value, { a: "1", b: ["x", "y"] })
    assert.deepStrictEqual([...result.repaired], ["b[1]", "b", ""])
    assert.isUndefined(result.problem)
  })

  it("IS-11 fields out of schema order", () => {
    const shape = object({ a: string, b: string })
    const { batches } = read(['{"b":"1', '","a":"2', '"}'], { shape })
    assert.deepStrictEqual(batches.map(donePaths), [[], ["b"], ["a"], []])
  })

  it("IS-12 an undeclared key streams like any other", () => {
    const { batches } = read(['{"title":"x","zz":"u', 'v","tags":[]}'], { shape: S })
    assert.deepStrictEqual(batches.map(lines), [
      ['delta title "x"', 'done title "x"', 'delta zz "u"'],
      ['delta zz "v"', 'done zz "uv"', "done tags []"],
      []
    ])
  })

  it("IS-13 16 KB in small chunks: every string grows with the chunk that brings it, to the last", () => {
    const value = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [`field${i}`, { text: `${i} `.padEnd(380, "lorem ipsum "), n: i }])
    )
    const text = JSON.stringify(value)
    assert.isAbove(text.length, 16_000)
    const { batches, result } = read(chunksOf(text, 12))
    const grows = batches.map((batch) => batch.some((event) => event._tag === "Field" && !event.isComplete))
    // Between two texts there are five chunks at most that hold keys and numbers alone.
    assert.notInclude(grows.map((does) => (does ? "x" : "-")).join(""), "------")
    for (let i = 0; i < 40; i++) {
      const pieces = batches.flat().filter((event) => event.path === `field${i}.text` && event._tag === "Field")
      assert.isAbove(pieces.length, 30)
    }
    assert.deepStrictEqual<unknown>(result.value, value)
  })

  it("IS-13 is linear: 1 MB in chunks of 12 is read in seconds", () => {
    const text = JSON.stringify({ items: Array.from({ length: 10_000 }, (_, i) => ({ i, text: "x".repeat(90) })) })
    assert.isAbove(text.length, 1_000_000)
    const started = performance.now()
    const { events } = read(chunksOf(text, 12))
    assert.isAbove(events.length, 90_000)
    // Reading anew with each chunk takes many minutes.
    assert.isBelow(performance.now() - started, 10_000)
  })

  it("IS-14 a duplicate key is reset, and the last value is the value", () => {
    const { events, result } = readAll('{"a":"1","a":"2"}')
    assert.deepStrictEqual(lines(events), ['delta a "1"', 'done a "1"', "reset a", 'delta a "2"', 'done a "2"'])
    const reset = events.find((event) => event._tag === "Reset")
    assert.deepStrictEqual(reset, { _tag: "Reset", path: "a", attempt: 1, reason: "duplicate-key" })
    assert.deepStrictEqual(result.value, { a: "2" })
  })

  it("IS-14 a duplicate container voids all below it", () => {
    const { events, result } = readAll('{"a":{"b":[1,2]},"c":0,"a":{"d":3},"a":4}')
    assert.deepStrictEqual(lines(events).slice(4), [
      "done c 0",
      "reset a",
      "done a.d 3",
      'done a {"d":3}',
      "reset a",
      "done a 4"
    ])
    assert.deepStrictEqual(result.value, { a: 4, c: 0 })
  })

  it("IS-18 slash style", () => {
    const { events } = read(['{"tags":["a"],"x/y":[{"k":1}]}'], { pathStyle: "slash" })
    assert.deepStrictEqual(donePaths(events), ["/tags/[0]", "/tags", '/["x/y"]/[0]/k', '/["x/y"]/[0]', '/["x/y"]'])
    const wildcards = events.flatMap((event) => (event._tag === "Field" ? [event.wildcardPath] : []))
    assert.include(wildcards, '/["x/y"]/[*]/k')
  })

  it("carries the number of the attempt", () => {
    const { events } = read(['{"a":1,"a":"x"}'], { attempt: 3 })
    assert.isTrue(events.length > 0 && events.every((event) => event.attempt === 3))
  })
})

describe("what a reader relies on", () => {
  it("the array of no events is one constant, and chunks without news return it", () => {
    const scanner = JsonScanner.make()
    assert.strictEqual(scanner.write("Sure, "), scanner.write('here: {"a'))
    assert.lengthOf(scanner.write('":1,'), 1)
  })

  it("end is idempotent, and nothing is read after it", () => {
    const scanner = JsonScanner.make()
    scanner.write('{"a":"x')
    assert.lengthOf(scanner.end("cut"), 1)
    assert.lengthOf(scanner.end("complete"), 0)
    assert.lengthOf(scanner.write('y"}'), 0)
    assert.deepStrictEqual(scanner.result().value, { a: "x" })
  })

  it("one delta per chunk and string, however many spans it was read in", () => {
    const { batches } = read(['{"a":"x\\ny\\tz \\u00e9 é', ' w"}'])
    assert.deepStrictEqual(batches.map(lines), [
      ['delta a "x\\ny\\tz é é"'],
      ['delta a " w"', 'done a "x\\ny\\tz é é w"'],
      []
    ])
  })

  it("a surrogate pair is never split, a lone surrogate is kept", () => {
    const split = read(['{"a":"x\ud83d', '\ude00y"}'])
    assert.deepStrictEqual(split.batches.map(lines), [['delta a "x"'], ['delta a "😀y"', 'done a "x😀y"'], []])
    const escaped = read(['{"a":"\\ud83d', '\\ude00"}'])
    assert.deepStrictEqual(escaped.batches.map(lines), [[], ['delta a "😀"', 'done a "😀"'], []])
    assert.deepStrictEqual(readAll('{"a":"x\ud83d"}').result.value, { a: "x\ud83d" })
    assert.deepStrictEqual(readAll('{"a":"x\ud83d', {}, "cut").result.value, { a: "x\ud83d" })
  })

  it("subscribed paths alone have events, with wildcards, in either style", () => {
    const text =
      '{"items":[{"name":"A","tags":["x"]},{"name":"B"}],"other":[{"name":"C"}],"scores":{"p":1,"q":{"name":2}}}'
    const of = (only: ReadonlyArray<string>) => {
      const reading = read(chunksOf(text, 3), { only })
      assert.deepStrictEqual(reading.result.value, JSON.parse(text))
      return donePaths(reading.events)
    }
    assert.deepStrictEqual(of(["items[*].name"]), ["items[0].name", "items[1].name"])
    assert.deepStrictEqual(of(["/items/[*]", "scores.*"]), ["items[0]", "items[1]", "scores.p", "scores.q"])
    assert.deepStrictEqual(of(["items[*].tags[*]", "none.such"]), ["items[0].tags[0]"])
    assert.deepStrictEqual(of([]), [])
    const resets = read(['{"items":[{"name":"A"}],"x":1,"x":2,"items":[{"name":"B"}]}'], { only: ["items[*].name"] })
    assert.deepStrictEqual(lines(resets.events), [
      'delta items[0].name "A"',
      'done items[0].name "A"',
      "reset items",
      'delta items[0].name "B"',
      'done items[0].name "B"'
    ])
  })

  it("a snapshot holds what was read, strings as far as they came, numbers whole", () => {
    const scanner = JsonScanner.make()
    assert.isUndefined(scanner.snapshot())
    scanner.write('{"a":[1,{"b":"he')
    const snapshot = scanner.snapshot()
    assert.deepStrictEqual(snapshot, { a: [1, { b: "he" }] })
    scanner.write('llo"},12')
    assert.deepStrictEqual(scanner.snapshot(), { a: [1, { b: "hello" }] })
    assert.deepStrictEqual(snapshot, { a: [1, { b: "he" }] })
  })

  it("containers in events are live, so an item has all its parts when it is done", () => {
    const done = readAll('[{"a":1,"b":[2]}]').events.at(-1)
    assert.deepStrictEqual(done?._tag === "Field" ? done.value : undefined, { a: 1, b: [2] })
  })
})

describe("recovery", () => {
  const answer = { a: "x", b: [1, 2] }
  const rows: ReadonlyArray<readonly [string, string, unknown]> = [
    ["a fence", '```json\n{"a":"x","b":[1,2]}\n```', answer],
    ["prose around", 'Here you are:\n{"a":"x","b":[1,2]}\nAnything else?', answer],
    ["single quotes", "{'a':'x','b':[1,2]}", answer],
    ["trailing commas", '{"a":"x","b":[1,2,],}', answer],
    ["line comments", '{"a":"x", // the a\n"b":[1,2]}', answer],
    ["block comments", '{"a":/* the a */"x","b":[1,/* and */2]}', answer],
    ["unquoted keys", '{a:"x", b:[1,2]}', answer],
    ["full-width punctuation", '｛"a"："x"，"b"：［1，2］｝', answer],
    ["smart quotes", "{“a”:“x”,“b”:[1,2]}", answer],
    ["a triple-quoted string", '{"a":"""two\n"lines" ""","b":1}', { a: 'two\n"lines" ', b: 1 }],
    ["a raw newline in a string", '{"a":"one\ntwo\tthree"}', { a: "one\ntwo\tthree" }],
    ["an [OUTPUT] prefix", '[OUTPUT]: {"a":"x","b":[1,2]}', answer],
    ["braces in prose", 'For {playername} and {"x"}: {"a":"x","b":[1,2]}', answer],
    ["one closer too many", '{"a":"x","b":[1,2]}}', answer],
    ["hexadecimal", '{"a":0x1F}', { a: 31 }],
    ["[FIX] inner unescaped quotes", '{"a":"he said "hi" ok","b":"2"}', { a: 'he said "hi" ok', b: "2" }],
    ["[FIX] Python literals", '{"a":True,"b":False,"c":None}', { a: true, b: false, c: null }],
    ["[FIX] NaN where no number is declared", '{"a":NaN}', { a: null }]
  ]
  for (const [name, text, expected] of rows) {
    it(`RV-16 ${name}`, () => {
      const { result } = readAll(text)
      assert.deepStrictEqual(result.value, expected)
      assert.strictEqual(result.repaired.size, 0)
    })
  }

  it("RV-16 [FIX] truncated text gives what there is, flagged", () => {
    for (const cause of ["complete", "cut"] as const) {
      const { result } = readAll('{"a":"1","b":["x","y', {}, cause)
      assert.deepStrictEqual(result.value, { a: "1", b: ["x", "y"] })
      assert.deepStrictEqual([...result.repaired].sort(), ["", "b", "b[1]"])
    }
  })

  it("RV-16 [FIX] of two objects the one that fits the contract", () => {
    const shape = object({ a: string, b: array(string) })
    const { result, events } = readAll('{"x":1} then {"a":"1","b":["2"]}', { shape })
    assert.deepStrictEqual(result.value, { a: "1", b: ["2"] })
    assert.deepStrictEqual(donePaths(events), ["a", "b[0]", "b"])
  })

  it("RV-16 [FIX] NaN where a number is declared is that number", () => {
    const shape = object({ a: { kind: "number" }, b: { kind: "number" } })
    assert.deepStrictEqual(readAll('{"a":NaN,"b":-Infinity}', { shape }).result.value, { a: NaN, b: -Infinity })
  })
})
