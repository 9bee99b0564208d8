import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as JsonScanner from "../../src/parse/JsonScanner.ts"
import * as StrictJson from "../../src/parse/StrictJson.ts"

describe("strict JSON", () => {
  it.effect.prop(
    "is read as the scanner reads it",
    [Schema.Record(Schema.String, Schema.Json)],
    ([value]) =>
      Effect.sync(() => {
        const text = JSON.stringify(value)
        const strict = StrictJson.read(text, 512)
        if (strict !== undefined) assert.deepStrictEqual(strict, JsonScanner.parse(text).value)
      }),
    { arbitrary: { runs: 300 } }
  )

  for (const text of [
    "",
    "42",
    '"text"',
    "null",
    "{",
    '{"a":1,}',
    "{a:1}",
    '```json\n{"a":1}\n```',
    '{"a":1} and more'
  ]) {
    it(`leaves ${JSON.stringify(text)} to the scanner`, () => {
      assert.isUndefined(StrictJson.read(text, 512))
    })
  }

  it("leaves escapes in keys to the scanner, for the engine confuses such keys", () => {
    JSON.parse('{"}":1,"\\\\":2}')
    const text = '{"}":1,"\\u002f":2}'
    assert.isUndefined(StrictJson.read(text, 512))
    assert.deepStrictEqual(JsonScanner.parse(text).value, { "}": 1, "/": 2 })
    assert.isUndefined(StrictJson.read('{"a\\n" : 1}', 512))
    assert.isDefined(StrictJson.read('{"a":"line\\nbreak \\"quoted\\": x","b":["\\\\"]}', 512))
  })

  it("takes white space around the value", () => {
    assert.deepStrictEqual(StrictJson.read(' \n[1, {"a": null}]\t', 512), [1, { a: null }])
  })

  it("leaves what nests deeper than allowed to the scanner, which says so", () => {
    const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth)
    assert.isDefined(StrictJson.read(nested(512), 512))
    assert.isUndefined(StrictJson.read(nested(513), 512))
    assert.isUndefined(StrictJson.read(nested(100_000), 512))
    assert.strictEqual(JsonScanner.parse(nested(513)).problem?.kind, "depth")
    assert.isUndefined(JsonScanner.parse(nested(512)).problem)
  })

  it("keeps __proto__ as a key of its own", () => {
    const value = StrictJson.read('{"__proto__":{"polluted":true}}', 512)
    assert.isTrue(Object.hasOwn(value ?? {}, "__proto__"))
    assert.notProperty({}, "polluted")
  })
})
