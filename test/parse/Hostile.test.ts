/** Input that is meant to hurt: nothing overflows, nothing is polluted, time grows with the length. */
import { assert, describe, it } from "@effect/vitest"
import * as JsonScanner from "../../src/parse/JsonScanner.ts"
import { chunksOf, object, read, readAll, string } from "./support.ts"

describe("depth", () => {
  for (const [open, close] of [
    ["[", "]"],
    ['{"a":', "}"],
    ['[{"a":', "}]"]
  ] as const) {
    it(`100,000 times ${open} is a typed problem, strictly and with tolerance, in any chunking`, () => {
      const text = open.repeat(100_000)
      for (const strict of [false, true]) {
        for (const size of [1, 1000, text.length]) {
          const { result } = read(chunksOf(text, size), { strict })
          assert.strictEqual(result.problem?.kind, "depth")
          assert.include(result.problem?.detail, "512")
        }
      }
    })

    it(`${open} nests as deep as is asked for, without recursion`, () => {
      const depth = 20_000
      const text = open.repeat(depth) + '"x"' + close.repeat(depth)
      const levels = depth * (open.length > 5 ? 2 : 1)
      const result = JsonScanner.parse(text, { maxDepth: levels })
      assert.isUndefined(result.problem)
      let at = result.value
      let count = 0
      for (; typeof at === "object" && at !== null; count++) at = Object.values(at)[0]
      assert.strictEqual(count, levels)
      assert.strictEqual(at, "x")
    })
  }

  it("the limit is exact", () => {
    assert.isUndefined(JsonScanner.parse("[[[1]]]", { maxDepth: 3 }).problem)
    assert.deepStrictEqual(JsonScanner.parse("[[[1]]]", { maxDepth: 2 }).problem, {
      kind: "depth",
      offset: 2,
      detail: "nested deeper than 2 levels"
    })
  })
})

describe("prototypes", () => {
  const texts = [
    '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":"x","hasOwnProperty":null}',
    '{"__proto__":1,"__proto__":{"polluted":[{"__proto__":null}]}}',
    '[{"a":{"__proto__":{"polluted":"x"}}}]'
  ]
  for (const text of texts) {
    it(`${text.slice(0, 60)} makes own properties, as JSON.parse does`, () => {
      const { result } = readAll(text)
      const expected: unknown = JSON.parse(text)
      assert.deepStrictEqual(result.value, expected)
      assert.strictEqual(JSON.stringify(result.value), JSON.stringify(expected))
      assert.isFalse("polluted" in {})
      const scanner = JsonScanner.make()
      for (const chunk of chunksOf(text, 3)) {
        scanner.write(chunk)
        scanner.snapshot()
      }
      assert.isFalse("polluted" in {})
      assert.strictEqual(JSON.stringify(scanner.snapshot()), JSON.stringify(expected))
    })
  }

  it("inherited names are no duplicates", () => {
    const { events } = readAll('{"toString":1,"constructor":2,"__proto__":3,"valueOf":"x"}')
    assert.isFalse(events.some((event) => event._tag === "Reset"))
  })
})

describe("bytes", () => {
  it("NUL characters and lone surrogates are kept in strings and skipped between tokens", () => {
    assert.deepStrictEqual(readAll('\u0000{"a\u0000":"\u0000\udc00\ud800"}\u0000').result.value, {
      "a\u0000": "\u0000\udc00\ud800"
    })
  })

  it("a 50 MB string in 64 KiB chunks", () => {
    const chunk = "x".repeat(65_536)
    const scanner = JsonScanner.make({ shape: object({ a: string }) })
    scanner.write('{"a":"')
    let length = 0
    for (let i = 0; i < 800; i++) {
      const [event] = scanner.write(chunk)
      assert.isTrue(event?._tag === "Field" && event.delta === chunk)
      length += chunk.length
    }
    scanner.write('"}')
    scanner.end("complete")
    const value = scanner.result().value
    assert.isTrue(
      typeof value === "object" &&
        value !== null &&
        "a" in value &&
        typeof value.a === "string" &&
        value.a.length === length
    )
  })
})

describe("time", () => {
  const patterns = [
    "[",
    "{",
    '"',
    "'",
    "\\",
    "<",
    "</",
    "<think>",
    "/*",
    "//",
    "#",
    "[a ",
    '["a", ',
    "{a ",
    "{x}",
    '"a" ',
    ",",
    "1",
    "t",
    " ",
    "```",
    "```\n[",
    "\u0000",
    "\ud83d",
    '{"a":"b"},',
    "[1],",
    '["x""',
    '"""',
    "]",
    "{[",
    '{"a" ',
    "1/",
    "a ",
    "n,",
    "“"
  ]
  const prefixes = ["", '{"a":', '["x', "x "]
  /** The shortest of three, which noise of the machine can only lengthen. */
  const time = (text: string, size: number): number => {
    let best = Infinity
    for (let run = 0; run < 3; run++) {
      const start = performance.now()
      read(chunksOf(text, size), { maxDepth: 64 }, "cut")
      best = Math.min(best, performance.now() - start)
    }
    return best
  }
  for (const prefix of prefixes) {
    it(`grows with the length, whatever is repeated after ${JSON.stringify(prefix)}`, () => {
      for (const pattern of patterns) {
        for (const size of [7, 1_000_000]) {
          const text = (length: number) => prefix + pattern.repeat(Math.ceil(length / pattern.length))
          // 16 times the text: 256 times the time if it were quadratic. Short times are noise.
          const short = Math.max(time(text(4_000), size), 0.25)
          const long = time(text(64_000), size)
          assert.isBelow(
            long / short,
            100,
            `${JSON.stringify(pattern)} in chunks of ${size}: ${short} ms, then ${long} ms`
          )
        }
      }
    })
  }
})
