// What holds for every record and every text, in every field format: it comes back unchanged, in any chunking, and the
// events say the same as the value.
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { FieldScanner } from "effigent"
import * as FieldText from "../../src/parse/FieldText.ts"
import type { Shape } from "../../src/parse/Shape.ts"
import { check, formats, isRecord, replay, scan } from "./fields.ts"

const key = Schema.Literals([
  "body",
  "title",
  "a",
  "ab",
  "x_1",
  "text",
  "field",
  "summary",
  "größe",
  "k-2",
  "__proto__"
])

// Texts that look like the marks of the formats, and any Unicode.
const marks: ReadonlyArray<string> = [
  ...["### body", "### title JSON", "\n### a\n", "## b", "# x", "</field>", '<field name="a">', "</field>\n<field "],
  ...["<answer>", "</answer>", "body: |-", "\nbody: |-\n", "title:", "\na: 1\n", "<<<END YAML>>>", "\n<<<END", "```"],
  ...[
    "\n```\n",
    "```json\n",
    "(your content here)",
    "<description>",
    "<!-- x -->",
    '{"a":1}',
    "{",
    "[1,",
    "\n",
    "\n\n"
  ],
  ...["  ", "\t", "\r\n", "---", "<think>", "</think>", "- item", "# comment", '"', "'", "|", ">", "\\", "\u2028"],
  ...["\u0085", "\ufeff", "\u00a0", "😀", "…", "\ud83d", "\ude00"]
]
const mark = Schema.Literals(marks)
const text = Arbitrary.array(Arbitrary.schema(Schema.Union([mark, Schema.String])), { maxLength: 6 }).pipe(
  Arbitrary.map((parts) => parts.join(""))
)
const soup = Arbitrary.array(Arbitrary.schema(Schema.Union([mark, key, Schema.String])), { maxLength: 14 }).pipe(
  Arbitrary.map((parts) => parts.join(""))
)
const texts = Arbitrary.array(Arbitrary.all([Arbitrary.schema(key), text]), { minLength: 1, maxLength: 5 }).pipe(
  Arbitrary.map((entries) => new Map(entries))
)
const format = Arbitrary.schema(Schema.Literals(formats))
const size = Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 })))
const cause = Arbitrary.schema(Schema.Literals(["complete", "cut"]))

const toRecord = (entries: ReadonlyMap<string, string>): Record<string, string> => {
  const out: Record<string, string> = {}
  for (const [name, value] of entries) {
    Object.defineProperty(out, name, { value, enumerable: true, configurable: true, writable: true })
  }
  return out
}

const stringShape = (names: Iterable<string>): Shape => ({
  kind: "object",
  keys: new Map([...names].map((name) => [name, { kind: "string" }])),
  required: new Set()
})

describe("field formats", () => {
  it.prop(
    "IS-20 a record of any texts comes back unchanged in any chunking, and the events say the same",
    [format, texts, size],
    ([format, entries, size]) => {
      const record = toRecord(entries)
      const shape = stringShape(entries.keys())
      const written = FieldText.write(format, record, () => true)
      const whole = FieldScanner.parse(format, written, { shape })
      assert.deepStrictEqual(whole.value, record)
      assert.strictEqual(whole.format, format)
      const { events, result } = scan(format, written, { shape }, size)
      assert.deepStrictEqual(result.value, record)
      assert.deepStrictEqual(replay(events), record)
      check(events)
    },
    { arbitrary: { runs: 2000 } }
  )

  const typed = Arbitrary.schema(
    Schema.Struct({
      n: Schema.optionalKey(Schema.Finite),
      ok: Schema.optionalKey(Schema.Boolean),
      tags: Schema.optionalKey(Schema.Array(Schema.Union([mark, Schema.String]))),
      level: Schema.optionalKey(Schema.Literals(["low", "high"])),
      note: Schema.optionalKey(Schema.NullOr(Schema.String)),
      meta: Schema.Struct({ a: Schema.String, b: Schema.Array(Schema.Struct({ c: Schema.Int })) })
    })
  )
  const string: Shape = { kind: "string" }
  const number: Shape = { kind: "number" }
  const object = (fields: Record<string, Shape>): Shape => ({
    kind: "object",
    keys: new Map(Object.entries(fields)),
    required: new Set()
  })
  const array = (item: Shape): Shape => ({ kind: "array", prefix: [], item })
  const typedShape = object({
    body: string,
    n: number,
    ok: { kind: "boolean" },
    tags: array(string),
    level: { kind: "string", values: ["low", "high"] },
    note: { kind: "union", members: [string, { kind: "null" }] },
    meta: object({ a: string, b: array(object({ c: number })) })
  })

  it.prop(
    "IS-20 fields that are no text keep their type and their parts",
    [Arbitrary.schema(Schema.Literals(["hybrid", "xmlField", "yamlLiteral"])), text, typed, size],
    ([format, body, rest, size]) => {
      // JSON has no -0.
      const record = JSON.parse(JSON.stringify({ body, ...rest }))
      const written = FieldText.write(format, record, (name) => name === "body")
      const { events, result } = scan(format, written, { shape: typedShape }, size)
      assert.deepStrictEqual(result.value, record)
      assert.strictEqual(result.repaired.size, 0)
      assert.deepStrictEqual(replay(events), record)
      check(events)
    },
    { arbitrary: { runs: 1000 } }
  )

  const threeTexts = stringShape(["body", "title", "a"])
  const dones = (events: ReturnType<typeof scan>["events"]) =>
    events.filter((event) => event._tag === "Field" && event.isComplete)

  it.prop(
    "any text at all: value and done events do not depend on the chunks, deltas make up the values",
    [format, soup, size, cause],
    ([format, text, size, cause]) => {
      const shape = threeTexts
      const whole = scan(format, text, { shape }, text.length + 1, cause)
      const pieces = scan(format, text, { shape }, size, cause)
      assert.deepStrictEqual(pieces.result, whole.result)
      assert.deepStrictEqual(dones(pieces.events), dones(whole.events))
      check(pieces.events)
      if (pieces.result.found) assert.deepStrictEqual(replay(pieces.events), pieces.result.value)
      assert.deepStrictEqual(FieldScanner.parse(format, text, { shape, cut: cause === "cut" }), whole.result)
    },
    { arbitrary: { runs: 3000 } }
  )

  it.prop(
    "every cut of an answer gives a prefix of it, and says what was cut",
    [format, texts, Arbitrary.schema(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })))],
    ([format, entries, at]) => {
      const record = toRecord(entries)
      const written = FieldText.write(format, record, () => true)
      const cut = written.slice(0, Math.floor(written.length * at))
      const { result } = scan(format, cut, { shape: stringShape(entries.keys()) }, 5, "cut")
      if (!isRecord(result.value) || result.format === "json") return
      for (const [name, value] of Object.entries(result.value)) {
        if (!result.repaired.has(name)) assert.strictEqual(value, record[name])
      }
    },
    { arbitrary: { runs: 1500 } }
  )
})
