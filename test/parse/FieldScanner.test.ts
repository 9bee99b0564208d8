// What models really send where a field format was asked for, and what is made of it.
import { assert, describe, it } from "@effect/vitest"
import { FieldScanner, type Field, type Reset } from "effigent"
import type { Shape } from "../../src/parse/Shape.ts"
import { check, formats, scan } from "./fields.ts"

const string: Shape = { kind: "string" }
const object = (fields: Record<string, Shape>): Shape => ({
  kind: "object",
  keys: new Map(Object.entries(fields)),
  required: new Set(Object.keys(fields))
})
const shape = object({
  title: string,
  body: string,
  n: { kind: "number" },
  ok: { kind: "boolean" },
  tags: { kind: "array", prefix: [], item: string },
  level: { kind: "string", values: ["low", "high"] },
  meta: object({ a: string, n: { kind: "number" } })
})

// Reads the text whole and in chunks of 1, 3 and 7, which has to give the same.
const read = (format: FieldScanner.FieldFormat, text: string, cause: "complete" | "cut" = "complete") => {
  const whole = FieldScanner.parse(format, text, { shape, cut: cause === "cut" })
  for (const size of [1, 3, 7]) {
    const { events, result } = scan(format, text, { shape }, size, cause)
    assert.deepStrictEqual(result, whole, `in chunks of ${size}`)
    check(events)
  }
  return whole
}

const valueOf = (format: FieldScanner.FieldFormat, text: string) => read(format, text).value

const lines = (events: ReadonlyArray<Field | Reset>) =>
  events.map((event) =>
    event._tag === "Reset"
      ? `reset ${event.path}`
      : event.isComplete
        ? `${event.path} = ${JSON.stringify(event.value)} (${event.source})`
        : `${event.path} + ${event.delta}`
  )

const streamed = (
  format: FieldScanner.FieldFormat,
  chunks: ReadonlyArray<string>,
  cause: "complete" | "cut" = "complete"
) => {
  const scanner = FieldScanner.make(format, { shape })
  return [...chunks.flatMap((chunk) => lines(scanner.write(chunk))), ...lines(scanner.end(cause))]
}

describe("headings", () => {
  it("IS-20 texts grow, JSON fields have their parts, done values are typed", () => {
    assert.deepStrictEqual(
      streamed("hybrid", [
        "### title\nThe ",
        "Sea\n\n#",
        '## tags JSON\n```json\n["a"',
        ', "b"]\n```\n\n### ok\ntr',
        "ue\n### n JSON\n4",
        "2\n"
      ]),
      [
        "title + The",
        "title +  Sea",
        'title = "The Sea" (observed)',
        "tags[0] + a",
        'tags[0] = "a" (observed)',
        "tags[1] + b",
        'tags[1] = "b" (observed)',
        'tags = ["a","b"] (observed)',
        "ok = true (observed)",
        "n = 42 (observed)"
      ]
    )
  })

  it("only the declared names at the level of the first heading begin a field", () => {
    const text = "# Answer\n## title\nA\n## body\nIntro\n### title\n## Other\n# ok\nend\n## n\n3"
    assert.deepStrictEqual(valueOf("hybrid", text), { title: "A", body: "Intro\n### title\n## Other\n# ok\nend", n: 3 })
  })

  it("decorated headings, CRLF and closing hashes are understood", () => {
    const text = "### **title**\r\nA\r\n### `body`:\r\none\r\ntwo\r\n### n (JSON) ###\r\n3\r\n### level\r\nhigh"
    assert.deepStrictEqual(valueOf("hybrid", text), { title: "A", body: "one\r\ntwo", n: 3, level: "high" })
  })

  it("prose before the first heading and a fence around the whole are no part of the answer", () => {
    const answer = "### title\nA\n\n### body\nUse\n```js\nx()\n```"
    const expected = { title: "A", body: "Use\n```js\nx()\n```" }
    assert.deepStrictEqual(valueOf("hybrid", answer), expected)
    assert.deepStrictEqual(valueOf("hybrid", `Sure, here it is:\n\n${answer}`), expected)
    assert.deepStrictEqual(valueOf("hybrid", `\`\`\`markdown\n${answer}\n\`\`\``), expected)
    assert.deepStrictEqual(valueOf("hybrid", `Sure!\n\`\`\`md\n${answer}\n\`\`\`\n`), expected)
    assert.deepStrictEqual(valueOf("hybrid", `<think>### title\nno\n</think>\n${answer}`), expected)
  })

  it("a fence around one text is taken off, a fence within it is not", () => {
    assert.deepStrictEqual(valueOf("hybrid", "### body\n```text\nA\n\nB\n```\n### n\n1"), { body: "A\n\nB", n: 1 })
    assert.deepStrictEqual(valueOf("hybrid", "### body\n```\ncode\n```\nand more\n### n\n1"), {
      body: "```\ncode\n```\nand more",
      n: 1
    })
    assert.deepStrictEqual(valueOf("hybrid", "### body\n```python\nx = 1\n```\n### n\n1"), {
      body: "```python\nx = 1\n```",
      n: 1
    })
    assert.deepStrictEqual(valueOf("hybrid", "### body\n```md\nA\n```js\nx\n```\nB\n```\n### n\n1"), {
      body: "A\n```js\nx\n```\nB",
      n: 1
    })
  })

  it("a field that comes twice is replaced, and the stream says so", () => {
    assert.deepStrictEqual(streamed("flatMarkdown", ["### title\nA\n### title\nB"]), [
      "title + A",
      'title = "A" (observed)',
      "reset title",
      "title + B",
      'title = "B" (final)'
    ])
  })

  it("a heading that was cut is none of the text before it", () => {
    assert.deepStrictEqual(read("hybrid", "### title\nA\n### bo", "cut").value, { title: "A" })
    assert.deepStrictEqual([...read("hybrid", "### title\nA\n### bo", "cut").repaired], ["title", ""])
    assert.deepStrictEqual(read("hybrid", "### title\nA\n### bo", "complete").value, { title: "A\n### bo" })
  })
})

describe("tags", () => {
  it("IS-20 texts grow, JSON fields have their parts, done values are typed", () => {
    assert.deepStrictEqual(
      streamed("xmlField", [
        '<answer>\n<field name="title" type="text">The',
        " Sea</fi",
        'eld>\n<field name="meta" type="json">{"a": "x',
        '", "n": 1}</field><field name="ok">true</field></answer>'
      ]),
      [
        "title + The",
        "title +  Sea",
        'title = "The Sea" (observed)',
        "meta.a + x",
        'meta.a = "x" (observed)',
        "meta.n = 1 (observed)",
        'meta = {"a":"x","n":1} (observed)',
        "ok = true (observed)"
      ]
    )
  })

  it("an end tag counts only before a field, the end of the answer or the end of the text", () => {
    const text = `<answer><field name="title">a </field> b < c & d <b>e</b></field>
<field name='body' type='text'>x &amp; <field name="y"> </answers></field></answer>`
    assert.deepStrictEqual(valueOf("xmlField", text), {
      title: "a </field> b < c & d <b>e</b>",
      body: 'x &amp; <field name="y"> </answers>'
    })
    assert.deepStrictEqual(valueOf("xmlField", '<field name="title">A</field>'), { title: "A" })
  })

  it("missing end tags are made up for", () => {
    const text = '<answer>\n<field name="title">A\n<field name="body">B\n</answer>'
    assert.deepStrictEqual(valueOf("xmlField", text), { title: "A", body: "B" })
    assert.deepStrictEqual(valueOf("xmlField", '<field name="title">A\n<field name="n">7'), { title: "A", n: 7 })
    assert.deepStrictEqual(valueOf("xmlField", '```xml\n<answer><field name="title">A\n```'), { title: "A" })
  })

  it("what follows the answer is no part of it; a second one replaces it", () => {
    const text = '<answer><field name="title">A</field></answer>\nHope that helps <3'
    assert.deepStrictEqual(valueOf("xmlField", text), { title: "A" })
    const twice = `${text}\n<answer><field name="title">B</field><field name="n" type="json">2</field></answer>`
    assert.deepStrictEqual(valueOf("xmlField", twice), { title: "B", n: 2 })
  })

  it("a field that is not declared is there all the same, as in JSON", () => {
    assert.deepStrictEqual(valueOf("xmlField", '<field name="zz">x</field><field name="n">1</field>'), {
      zz: "x",
      n: 1
    })
  })

  it("a cut answer says what was cut", () => {
    const whole = '<answer><field name="title">A</field><field name="tags" type="json">["x","y'
    const { repaired, value } = read("xmlField", whole, "cut")
    assert.deepStrictEqual(value, { title: "A", tags: ["x", "y"] })
    assert.deepStrictEqual(new Set(repaired), new Set(["tags[1]", "tags", ""]))
    assert.deepStrictEqual(read("xmlField", '<field name="title">A</fie', "cut").value, { title: "A" })
    assert.strictEqual(read("xmlField", '<answer><field name="title">A</field></answer>', "cut").repaired.size, 0)
  })
})

describe("YAML", () => {
  it("IS-20 texts grow, JSON fields have their parts, done values are typed", () => {
    assert.deepStrictEqual(
      streamed("yamlLiteral", [
        "<<<BEGIN YAML>>>\ntitle: The",
        " Sea\nbody: |-\n  one\n    t",
        'wo\n\n  three\ntags: ["a", "b',
        '"]\nok: tru',
        "e\n<<<END YAML>>>\nDone!"
      ]),
      [
        "title + The",
        "title +  Sea",
        'title = "The Sea" (observed)',
        "body + one",
        "body + \n  t",
        "body + wo",
        "body + \n\nthree",
        'body = "one\\n  two\\n\\nthree" (observed)',
        "tags[0] + a",
        'tags[0] = "a" (observed)',
        "tags[1] + b",
        'tags[1] = "b" (observed)',
        'tags = ["a","b"] (observed)',
        "ok = true (observed)"
      ]
    )
  })

  it("the rest of YAML is understood", () => {
    const text = `\`\`\`yaml
title: 'it''s'
body: >-
  folded
  text
n: 4 # four
tags:
- a
- "b"
level: high
meta:
  a: x
  n: 2
\`\`\``
    assert.deepStrictEqual(valueOf("yamlLiteral", text), {
      title: "it's",
      body: "folded text",
      n: 4,
      tags: ["a", "b"],
      level: "high",
      meta: { a: "x", n: 2 }
    })
  })

  it("texts that are no YAML are taken as meant", () => {
    const text = "title: Re: [x] 50% # not a comment\nbody: |\nnot indented\n  but text: |\n\nn: 1"
    assert.deepStrictEqual(valueOf("yamlLiteral", text), {
      title: "Re: [x] 50% # not a comment",
      body: "not indented\n  but text: |",
      n: 1
    })
  })

  it("an answer may be indented as a whole, and a plain text go on below", () => {
    assert.deepStrictEqual(
      valueOf("yamlLiteral", "  title: A\n    B\n\n    C\n  body:\n    text\n      more\n  n: 2"),
      {
        title: "A B\nC",
        body: "text\n  more",
        n: 2
      }
    )
  })

  it("a key that was cut is none of the text before it", () => {
    assert.deepStrictEqual(read("yamlLiteral", "title: |-\n  A\nbod", "cut").value, { title: "A" })
    assert.deepStrictEqual(read("yamlLiteral", "title: |-\n  A\n<<<EN", "cut").value, { title: "A" })
  })
})

const written = {
  flatMarkdown: (key: string, value: string) => `### ${key}\n${value}\n`,
  hybrid: (key: string, value: string) => `### ${key}\n${value}\n`,
  xmlField: (key: string, value: string) => `<field name="${key}">${value}</field>\n`,
  yamlLiteral: (key: string, value: string) => `${key}: |-\n  ${value}\n`
}

describe.each(formats)("%s", (format) => {
  const write = written[format]

  it("placeholders are no answer", () => {
    for (const placeholder of [
      "(your content here)",
      "<description>",
      "<title>",
      "<the title of the book>",
      "(json) <the tags>",
      "<str>",
      "<!-- the title -->"
    ]) {
      const events = scan(format, write("title", placeholder) + write("body", "x"), { shape }, 2).events
      assert.isFalse(
        events.some((event) => event.path.startsWith("title")),
        placeholder
      )
      assert.deepStrictEqual(valueOf(format, write("title", placeholder) + write("body", "x")), { body: "x" })
      assert.deepStrictEqual(valueOf(format, write("n", placeholder) + write("body", "x")), { body: "x" })
    }
  })

  it("what only looks like a placeholder is an answer", () => {
    for (const text of [
      "<div>",
      "<b>bold</b>",
      "(see above)",
      "<description> of it",
      "(your content here) and there",
      "a < b"
    ]) {
      assert.deepStrictEqual(valueOf(format, write("title", text) + write("body", "x")), { title: text, body: "x" })
    }
  })

  it("RV-14 JSON in place of the format is read as JSON, while it arrives", () => {
    const json = '{"title": "### body", "n": 3, "tags": ["</field>"]}'
    const expected = { title: "### body", n: 3, tags: ["</field>"] }
    for (const text of [json, `\`\`\`json\n${json}\n\`\`\``, `Here you are:\n${json}\nBye.`]) {
      assert.deepStrictEqual(valueOf(format, text), expected)
      assert.strictEqual(read(format, text).format, "json")
    }
    assert.deepStrictEqual(streamed(format, ['{"title": "ab', 'c", "n": 3}']), [
      "title + ab",
      "title + c",
      'title = "abc" (observed)',
      "n = 3 (observed)"
    ])
  })

  it("what begins like JSON and is none is read in the format", () => {
    const text = `{x}\n${write("title", "A")}`
    const { events, result } = scan(format, text, { shape }, 3)
    assert.deepStrictEqual(result.value, { title: "A" })
    assert.strictEqual(result.format, format)
    check(events)
  })

  it("nothing is found where nothing is", () => {
    for (const text of ["", "I cannot do that.", "42", "[1, 2]", "### other\nx"]) {
      assert.isFalse(read(format, text).found, text)
    }
  })

  it("only the wanted paths have events, in either style", () => {
    const json = format === "xmlField" ? '<field name="meta" type="json">{"a":"x","n":1}</field>' : undefined
    const meta = json ?? (format === "yamlLiteral" ? 'meta: {"a":"x","n":1}\n' : '### meta JSON\n{"a":"x","n":1}\n')
    const text = write("title", "A") + meta + write("body", "B")
    const paths = (options: { readonly only: ReadonlyArray<string>; readonly pathStyle?: "slash" }) => [
      ...new Set(scan(format, text, { shape, ...options }, 4).events.map((event) => event.path))
    ]
    assert.deepStrictEqual(paths({ only: ["meta.a"] }), ["meta.a"])
    assert.deepStrictEqual(paths({ only: ["meta", "body"] }), ["meta", "body"])
    assert.deepStrictEqual(paths({ only: ["*"], pathStyle: "slash" }), ["/title", "/meta", "/body"])
    assert.deepStrictEqual(paths({ only: ["/meta/n"], pathStyle: "slash" }), ["/meta/n"])
    assert.deepStrictEqual(paths({ only: ["nothing"] }), [])
  })

  it("snapshots grow with the text", () => {
    const scanner = FieldScanner.make(format, { shape, emit: false })
    assert.isUndefined(scanner.snapshot())
    const text = write("title", "Hello") + write("body", "World wide")
    scanner.write(text.slice(0, text.indexOf("llo")))
    assert.deepStrictEqual(scanner.snapshot(), { title: "He" })
    scanner.write(text.slice(text.indexOf("llo"), text.indexOf("wide")))
    assert.deepStrictEqual(scanner.snapshot(), { title: "Hello", body: "World" })
    scanner.write(text.slice(text.indexOf("wide")))
    scanner.end("complete")
    assert.deepStrictEqual(scanner.snapshot(), { title: "Hello", body: "World wide" })
  })

  it("half of a surrogate pair is never a delta", () => {
    const { events } = scan(format, write("title", "a😀b😀") + write("body", "x"), { shape }, 1)
    for (const event of events) {
      if (event._tag === "Field" && event.delta !== undefined) assert.isTrue(event.delta.isWellFormed(), event.delta)
    }
  })

  it("takes time in proportion to the text, also where every character leaves doubt", () => {
    const size = 200_000
    const bodies = [
      "x".repeat(size),
      "\n".repeat(size),
      " ".repeat(size),
      "<".repeat(size),
      "\n#".repeat(size / 2),
      "\n```".repeat(size / 4),
      "</field>".repeat(size / 8),
      "\n  a:".repeat(size / 5),
      "(".repeat(size)
    ]
    for (const body of bodies) {
      const text = write("title", `A${body}B`) + write("body", "x")
      const began = performance.now()
      const scanner = FieldScanner.make(format, { shape })
      for (let i = 0; i < text.length; i += 3) scanner.write(text.slice(i, i + 3))
      scanner.end("complete")
      const took = performance.now() - began
      assert.isBelow(took, 4_000, `${JSON.stringify(body.slice(0, 12))} took ${took} ms`)
    }
  })
})

describe("which shapes a format can carry", () => {
  it("SP-11 auto takes tags for texts, headings for texts with others, JSON for all else", () => {
    const n: Shape = { kind: "number" }
    assert.strictEqual(FieldScanner.suited(object({ a: string, b: string })), "xmlField")
    assert.strictEqual(FieldScanner.suited(object({ a: string, n })), "hybrid")
    assert.strictEqual(FieldScanner.suited(object({ n })), "json")
    assert.strictEqual(FieldScanner.suited({ kind: "array", prefix: [], item: string }), "json")
    assert.strictEqual(FieldScanner.suited(object({ "a b": string })), "json")
  })

  it("says why a shape does not fit", () => {
    assert.strictEqual(FieldScanner.unfit("hybrid", string), "the output is no object")
    assert.strictEqual(
      FieldScanner.unfit("xmlField", { kind: "object", keys: new Map(), required: new Set(), rest: string }),
      "the output has keys that are not declared"
    )
    assert.strictEqual(FieldScanner.unfit("flatMarkdown", shape), "the field tags is no scalar")
    assert.isUndefined(FieldScanner.unfit("hybrid", shape))
  })
})
