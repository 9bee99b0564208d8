/** Each fault that is tolerated, what is made of it, and that strict mode refuses it. */
import { assert, describe, it } from "@effect/vitest"
import type { RepairKind } from "../../src/parse/Repair.ts"
import * as JsonScanner from "../../src/parse/JsonScanner.ts"
import { donePaths, lines, number, object, readAll, string } from "./support.ts"

const rows: ReadonlyArray<readonly [text: string, expected: unknown, kinds: ReadonlyArray<RepairKind>]> = [
  // Commas.
  ["[1,2,]", [1, 2], ["comma"]],
  ["[,1]", [1], ["comma"]],
  ["[1,,2]", [1, 2], ["comma"]],
  ["[1 2]", [1, 2], ["comma"]],
  ['["a" "b"]', ["a", "b"], ["comma"]],
  ['["a"\n"b c d"]', ["a", "b c d"], ["comma"]],
  ['{"a":1 "b":2}', { a: 1, b: 2 }, ["comma"]],
  ['{"a":"x"\n"b":"y"}', { a: "x", b: "y" }, ["comma"]],
  ['{"a":"x" b:"y"}', { a: "x", b: "y" }, ["comma", "unquoted"]],
  ['{"a":1,}', { a: 1 }, ["comma"]],
  ['{,"a":1}', { a: 1 }, ["comma"]],
  ['{"a":1,,"b":2}', { a: 1, b: 2 }, ["comma"]],
  ['[{"a":1}{"a":2}]', [{ a: 1 }, { a: 2 }], ["comma"]],
  // Colons and values.
  ['{"a" "x","b":1}', { a: "x", b: 1 }, ["colon"]],
  ['{"a"="x"}', { a: "x" }, ["colon"]],
  ['{"a"=>"x"}', { a: "x" }, ["colon"]],
  ['{"a"::"x"}', { a: "x" }, ["stray"]],
  ['{"b":1,"a":}', { b: 1 }, ["value"]],
  ['{"b":1,"a":,"c":2}', { b: 1, c: 2 }, ["value"]],
  ['{"b":1,"a"}', { b: 1 }, ["value"]],
  // Comments.
  ['{"a":1 // x } ]\n,"b":2}', { a: 1, b: 2 }, ["comment"]],
  ['{"a":1 # x } ]\n,"b":2}', { a: 1, b: 2 }, ["comment"]],
  ['{"a":/* } */1,/**/"b":2}', { a: 1, b: 2 }, ["comment"]],
  ['["a",<!-- ] -->"b"]', ["a", "b"], ["comment"]],
  ['{"a":"x" /* it */,"b":"y" // }\n}', { a: "x", b: "y" }, ["comment"]],
  ['{"a":"http://x.y/*z*/"}', { a: "http://x.y/*z*/" }, []],
  // Quotes.
  ["{'a':'x'}", { a: "x" }, ["quote"]],
  ["{'a':'it's ok','b':'\"'}", { a: "it's ok", b: '"' }, ["quote", "innerQuote"]],
  ["{`a`:`x`}", { a: "x" }, ["quote"]],
  ["{“a”:“x”}", { a: "x" }, ["quote"]],
  ["{‘a’:‘x’}", { a: "x" }, ["quote"]],
  ["{＂a＂:＂x＂}", { a: "x" }, ["quote"]],
  ['{“a":“x"}', { a: "x" }, ["quote"]],
  ['{"a":"“x”"}', { a: "“x”" }, []],
  ['{"a":"""x "y" ""z"" """}', { a: 'x "y" ""z"" ' }, ["quote"]],
  ["{'a':'''x'y'''}", { a: "x'y" }, ["quote"]],
  ['{"a":```x\ny```}', { a: "x\ny" }, ["quote"]],
  ['{"a":"""x\\n"y"""","b":1}', { a: 'x\n"y"', b: 1 }, ["quote"]],
  // Quotes within strings.
  ['{"a":"he said "hi" ok","b":"2"}', { a: 'he said "hi" ok', b: "2" }, ["innerQuote"]],
  ['{"a":"he said "hi"","b":"2"}', { a: 'he said "hi"', b: "2" }, ["innerQuote"]],
  ['{"a":""hi" he said"}', { a: '"hi" he said' }, ["innerQuote"]],
  ['{"a":"say "hi", then go","b":2}', { a: 'say "hi", then go', b: 2 }, ["innerQuote"]],
  ['["say "hi", then go","b"]', ['say "hi", then go', "b"], ["innerQuote"]],
  ['{"a":"list ["x"] ok","b":1}', { a: 'list ["x"] ok', b: 1 }, ["innerQuote"]],
  // Words.
  ["{a:x,b:hello there,c_1-x:y}", { a: "x", b: "hello there", "c_1-x": "y" }, ["unquoted"]],
  [
    "{a: 12:30, b: 1/5, c: 2024-01-02, d: 1.2.3, e: http://x.y/z}",
    { a: "12:30", b: "1/5", c: "2024-01-02", d: "1.2.3", e: "http://x.y/z" },
    ["unquoted"]
  ],
  ["{1:2}", { "1": 2 }, ["unquoted"]],
  ['{"a":1,first name:"x"}', { a: 1, "first name": "x" }, ["unquoted"]],
  ['["a",b,d]', ["a", "b", "d"], ["unquoted"]],
  ['{"a":5 apples,"b":1}', { a: 5, b: 1 }, ["comma", "stray"]],
  // Literals and numbers.
  ["[True,False,None,TRUE,Null,undefined]", [true, false, null, true, null, null], ["literal"]],
  ["[1,NaN,Infinity,-Infinity]", [1, null, null, null], ["literal"]],
  ["[+1,.5,5.,007,1_000,0x1f,-0x10,-.5e1]", [1, 0.5, 5, 7, 1000, 31, -16, -5], ["literal"]],
  // Punctuation and space.
  ['｛"a"：［1，2］｝', { a: [1, 2] }, ["punctuation"]],
  ['{"a":1\u00a0,\u3000"b":2\u200b}', { a: 1, b: 2 }, []],
  ["[1,\u0000 2]", [1, 2], []],
  // Strings.
  ['{"a":"one\ntwo\tthree\r\u0000"}', { a: "one\ntwo\tthree\r\u0000" }, ["control"]],
  ['{"a":"\\d+ \\alpha C:\\x \\u12 \\U"}', { a: "\\d+ \\alpha C:\\x \\u12 \\U" }, ["escape"]],
  ['{"a":"it\\\'s \\x41 on\\\ne"}', { a: "it's A one" }, ["escape"]],
  // Closers.
  ['{"a":[1,2}', { a: [1, 2] }, ["closer"]],
  ['{"a":[{"b":1,"c":[2]}', { a: [{ b: 1, c: [2] }] }, ["end"]],
  ['[{"a":1]', [{ a: 1 }], ["closer"]],
  ["[1,2}", [1, 2], ["closer"]],
  ['{"a":1]', { a: 1 }, ["closer"]],
  ['{"a":[1]],"b":2}', { a: [1], b: 2 }, ["closer"]],
  ['{"a":1}}}', { a: 1 }, []],
  // What is missing at the end.
  ['{"a":{"b":"x', { a: { b: "x" } }, ["end"]],
  ['{"a":1,"b', { a: 1 }, ["end"]],
  ['{"a":1,"b":', { a: 1 }, ["end"]],
  ['{"a":[1,', { a: [1] }, ["end"]]
]

describe("tolerance", () => {
  for (const [text, expected, kinds] of rows) {
    it(`${JSON.stringify(text)} is ${JSON.stringify(expected)}`, () => {
      const { result } = readAll(text)
      assert.deepStrictEqual(result.value, expected)
      assert.deepStrictEqual([...new Set(result.repairs.map((repair) => repair.kind))].sort(), [...kinds].sort())
      for (const repair of result.repairs) assert.isTrue(repair.offset >= 0 && repair.offset <= text.length)
      let isJson = true
      try {
        JSON.parse(text)
      } catch {
        isJson = false
      }
      assert.strictEqual(JsonScanner.parse(text, { strict: true }).problem === undefined, isJson)
    })
  }

  it("a word that the contract declares as a string is that string", () => {
    const shape = object({ a: { kind: "string", values: ["None", "12"] }, b: string })
    assert.deepStrictEqual(readAll("{a:None,b:None}", { shape }).result.value, { a: "None", b: null })
  })

  it("values that strict JSON has are never changed to fit the contract", () => {
    const shape = object({ a: number, b: string })
    assert.deepStrictEqual(readAll('{"a":"12","b":12}', { shape }).result.value, { a: "12", b: 12 })
  })

  it("lists at most 100 repairs", () => {
    assert.lengthOf(JsonScanner.parse(`[1${",,2".repeat(500)}]`).repairs, 100)
  })
})

describe("the source of an end", () => {
  it("is final where another closer proved it, repaired where nothing did", () => {
    const typed = readAll('{"a":[1,2}')
    assert.deepStrictEqual(lines(typed.events), ["done a[0] 1", "done a[1] 2", "done a [1,2] final"])
    assert.strictEqual(typed.result.repaired.size, 0)
    const open = readAll('{"a":{"b":1,"c":[2')
    assert.deepStrictEqual(lines(open.events).slice(1), [
      "done a.c[0] 2 final",
      "done a.c [2] repaired",
      'done a {"b":1,"c":[2]} repaired'
    ])
    assert.deepStrictEqual([...open.result.repaired].sort(), ["", "a", "a.c"])
  })

  it("is observed for a string whose quote was read, also at the very end", () => {
    assert.deepStrictEqual(lines(readAll('{"a":"x"', {}, "cut").events), ['delta a "x"', 'done a "x"'])
    assert.deepStrictEqual([...readAll('{"a":"x"', {}, "cut").result.repaired], [""])
  })

  it("a cut number or literal is the part that was read, marked; a lone sign is dropped", () => {
    const of = (text: string) => {
      const { result } = readAll(text, {}, "cut")
      return [result.value, [...result.repaired].sort()]
    }
    assert.deepStrictEqual(of('{"a":1'), [{ a: 1 }, ["", "a"]])
    assert.deepStrictEqual(of('{"a":12.'), [{ a: 12 }, ["", "a"]])
    assert.deepStrictEqual(of('{"a":2.5e-'), [{ a: 2.5 }, ["", "a"]])
    assert.deepStrictEqual(of('{"a":tr'), [{ a: true }, ["", "a"]])
    assert.deepStrictEqual(of('{"a":nul'), [{ a: null }, ["", "a"]])
    assert.deepStrictEqual(of('{"a":-'), [{}, [""]])
    assert.deepStrictEqual(of('{"a":"x\\u00'), [{ a: "x" }, ["", "a"]])
  })
})

describe("strict mode", () => {
  it("says what and where", () => {
    assert.deepStrictEqual(readAll('{"a":1,}', { strict: true }).result.problem, {
      kind: "syntax",
      offset: 7,
      detail: 'unexpected "}"'
    })
    assert.deepStrictEqual(readAll("[1] 2", { strict: true }).result.problem, {
      kind: "syntax",
      offset: 4,
      detail: "text follows the value"
    })
    assert.strictEqual(readAll('{"a":[1', { strict: true }, "cut").result.problem?.kind, "incomplete")
    assert.strictEqual(readAll("", { strict: true }).result.problem?.kind, "incomplete")
    assert.strictEqual(readAll("nulx", { strict: true }, "cut").result.problem?.kind, "syntax")
    assert.strictEqual(readAll('{"a":"x\n"}', { strict: true }).result.problem?.detail, "unexpected U+000A")
  })

  it("a string is done at its quote, without a look at what follows", () => {
    const scanner = JsonScanner.make({ strict: true })
    assert.deepStrictEqual(donePaths(scanner.write('{"a":"x"')), ["a"])
  })
})
