import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as EffectYaml from "effect/encoding/Yaml"
import * as Yaml from "../../src/prompt/Yaml.ts"

describe("Yaml", () => {
  it("writes nested values as readable blocks", () => {
    assert.strictEqual(
      Yaml.stringify({ a: 1, b: [1, { c: "x", d: [] }], text: "one\ntwo", "odd: key": "yes", empty: {} }),
      [
        "a: 1",
        "b:",
        "  - 1",
        "  -",
        "    c: x",
        "    d: []",
        "text: |-",
        "  one",
        "  two",
        '"odd: key": "yes"',
        "empty: {}"
      ].join("\n")
    )
  })

  it("leaves a text at the root as it is", () => {
    assert.strictEqual(Yaml.stringify("yes: no"), "yes: no")
  })

  it.effect.prop(
    "is read back unchanged by effect's own YAML parser",
    [Schema.Record(Schema.String, Schema.Json)],
    ([value]) =>
      Effect.sync(() => {
        const json = JSON.parse(JSON.stringify(value))
        if (Object.keys(json).length === 0) return
        assert.deepStrictEqual(JSON.parse(JSON.stringify(EffectYaml.parse(`${Yaml.stringify(json)}\n`))), json)
      }),
    { arbitrary: { runs: 500 } }
  )

  for (const text of [
    "",
    " ",
    "a: b",
    "- a",
    "null",
    "12",
    "1e3",
    "2020-01-01",
    "#x",
    "a #b",
    "true",
    "'q'",
    '"q"',
    "a\nb\n",
    "\n",
    "a\n\nb",
    " lead\nx",
    "x \ny",
    "tab\tx",
    "é",
    "🎉 yes",
    "@x",
    "`x`",
    "%x",
    "a:",
    ":a",
    "&x",
    "*x",
    "!x",
    "? x",
    "|",
    ">",
    "~",
    "a,b",
    "[a]",
    "{a}",
    "\u2028",
    "\ud800",
    "0x1F",
    "0o7",
    ".5",
    "+1",
    "1_000",
    "12:30",
    "<<",
    "=",
    "..."
  ]) {
    it(`keeps the text ${JSON.stringify(text)}`, () => {
      assert.deepStrictEqual(EffectYaml.parse(`${Yaml.stringify({ k: text, list: [text] })}\n`), {
        k: text,
        list: [text]
      })
    })
  }
})
