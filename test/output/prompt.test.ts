// The output contract in words: what the model reads, to the letter.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import * as Contract from "../../src/output/Contract.ts"
import * as Output from "../../src/output/Output.ts"

const prompt = (schema: Schema.Constraint) => Contract.compile(schema).promptText

const structure = (schema: Schema.Constraint) =>
  prompt(schema)?.split("\n\n")[0]?.replace("Data Format: JSON\nData Structure:\n", "")

const requirements = (schema: Schema.Constraint) =>
  prompt(schema)?.split("\n\nField requirements:\n")[1]?.split("\n") ?? []

const field = (schema: Schema.Top) => requirements(Schema.Struct({ f: schema }))

describe("structure and requirements", () => {
  it("SP-02 types, comments and field requirements", () => {
    const schema = Output.make({
      a: Output.ensure(Schema.NullOr(Schema.String), "desc a"),
      n: Output.field(Schema.Int, "num"),
      tags: [Output.ensure(Schema.String, "tag", "notEmpty")]
    })
    assert.strictEqual(
      prompt(schema),
      `Data Format: JSON
Data Structure:
{
  "a": <str>, // desc a
  "n": <int>, // num
  "tags": [
    <str>, // tag
    ...
  ]
}

Field requirements:
- a: desc a; required key; null or empty values are allowed
- tags[*]: tag; required key; value must not be null, blank, or empty`
    )
  })

  it("promises null only where the Schema takes it", () => {
    assert.deepStrictEqual(field(Output.ensure(Schema.String, "A")), [
      "- f: A; required key; empty values are allowed, null is not"
    ])
    assert.deepStrictEqual(field(Output.ensure(Schema.Int)), ["- f: required key; must not be null"])
    assert.deepStrictEqual(field(Output.ensure(Schema.NullOr(Schema.Int))), ["- f: required key; null is allowed"])
    assert.deepStrictEqual(field(Output.ensure(Schema.NonEmptyString)), [
      "- f: required key; must not be null; length: >= 1 characters"
    ])
    assert.deepStrictEqual(field(Output.ensure(Schema.Array(Schema.Int))), [
      "- f: required key; empty values are allowed, null is not"
    ])
  })

  it("a whole document", () => {
    interface Tree {
      readonly v: string
      readonly kids: ReadonlyArray<Tree>
    }
    const Tree: Schema.Codec<Tree> = Schema.Struct({
      v: Schema.String.annotate({ description: "Label" }),
      kids: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
    }).annotate({ identifier: "Tree" })
    const schema = Schema.Struct({
      kind: Schema.tag("doc"),
      title: Schema.String.check(Schema.isBetweenLength(3, 80)).annotateKey({ description: "Title" }),
      when: Schema.DateFromString.annotateKey({ description: "When\n  it was" }),
      role: Schema.Literals(["a", "b"]),
      id: Schema.Union([Schema.String, Schema.Int]),
      contact: Schema.Union([
        Schema.Struct({ kind: Schema.tag("email"), email: Output.ensure(Schema.String, "Mail") }),
        Schema.Struct({ kind: Schema.tag("phone"), phone: Schema.String })
      ]).annotate({ description: "How to reach them" }),
      scores: Schema.Record(
        Schema.String.annotate({ description: "player" }),
        Schema.Finite.annotate({ description: "points" })
      ),
      pair: Schema.Tuple([Schema.String, Schema.Finite]),
      tree: Tree,
      meta: Schema.optionalKey(Schema.Struct({ x: Schema.String, y: Schema.optionalKey(Schema.Boolean) })),
      any: Schema.Unknown,
      none: Schema.Null,
      rest: Schema.optional(Schema.NullOr(Schema.String))
    })
    assert.strictEqual(
      prompt(schema),
      `Data Format: JSON
Data Structure:
{
  "kind": "doc",
  "title": <str>, // Title
  "when": <str>, // When it was
  "role": <"a" | "b">,
  "id": <str | int>,
  "contact": one of: // How to reach them
    {
      "kind": "email",
      "email": <str> // Mail
    }
  or:
    {
      "kind": "phone",
      "phone": <str>
    },
  "scores": {
    "<player>": <float>, // points
    ...
  },
  "pair": [
    <str>,
    <float>
  ],
  "tree": { // Tree
    "v": <str>, // Label
    "kids": [
      <Tree>,
      ...
    ]
  },
  "meta": {
    "x": <str>,
    "y": <bool>
  },
  "any": <any>,
  "none": null,
  "rest": <str>
}

Field requirements:
- title: Title; required key; length: 3..80 characters
- when: When it was; required key; ISO 8601 date-time such as 2025-01-31T09:30:00.000Z
- role: required key
- id: required key
- contact: How to reach them; required key
- contact.email: Mail; required key; empty values are allowed, null is not; where kind is "email"
- contact.phone: required key; where kind is "phone"
- scores: required key
- pair: required key
- tree.v: Label; required key
- tree.kids: required key
- meta: optional key
- meta.x: required key
- any: required key
- none: required key
- rest: optional key; null is allowed`
    )
  })

  it("is the same text every time, and made once", () => {
    const make = () => Schema.Struct({ a: Schema.Int, b: Schema.Array(Schema.Struct({ c: Schema.String })) })
    assert.strictEqual(prompt(make()), prompt(make()))
  })
})

describe("bounds", () => {
  const rows: ReadonlyArray<readonly [name: string, schema: Schema.Top, notes: string]> = [
    ["SP-10 a range", Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3 })), "value: >= 1 and <= 3"],
    [
      "a range with an excluded end",
      Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1, exclusiveMaximum: true })),
      "value: >= 0 and < 1"
    ],
    ["a lower bound", Schema.Finite.check(Schema.isGreaterThan(0)), "value: > 0"],
    ["bounds on plain numbers", Schema.Number.check(Schema.isLessThanOrEqualTo(9)), "value: <= 9"],
    [
      "the tighter of two",
      Schema.Int.check(Schema.isGreaterThanOrEqualTo(5), Schema.isGreaterThanOrEqualTo(1)),
      "value: >= 5"
    ],
    ["a multiple", Schema.Int.check(Schema.isMultipleOf(5)), "multiple of 5"],
    ["SP-10 a length", Schema.String.check(Schema.isBetweenLength(3, 80)), "length: 3..80 characters"],
    ["a least length", Schema.String.check(Schema.isMinLength(3)), "length: >= 3 characters"],
    ["an exact length", Schema.String.check(Schema.isBetweenLength(4, 4)), "length: 4 characters"],
    ["a pattern", Schema.String.check(Schema.isPattern(/^[a-z]+$/)), "pattern: ^[a-z]+$"],
    [
      "a pattern with flags, in prose",
      Schema.String.check(Schema.isPattern(/^[a-z]+$/i)),
      "a string matching the RegExp ^[a-z]+$"
    ],
    ["a format", Schema.String.check(Schema.isUUID()), "format: uuid"],
    ["a format of one's own", Schema.String.annotate({ format: "email" }), "format: email"],
    ["an item count", Schema.Array(Schema.Int).check(Schema.isBetweenLength(1, 3)), "item count: 1..3"],
    ["a list that is not empty", Schema.NonEmptyArray(Schema.Int), "item count: >= 1"],
    ["no duplicates", Schema.UniqueArray(Schema.Int), "no duplicate items"],
    [
      "a property count",
      Schema.Record(Schema.String, Schema.Int).check(Schema.isMaxProperties(2)),
      "property count: <= 2"
    ],
    ["keys of a record", Schema.Record(Schema.String.check(Schema.isPattern(/^k/)), Schema.Int), "keys: pattern: ^k"],
    [
      "a check with words of its own",
      Schema.String.check(Schema.makeFilter((s) => s !== "x", { expected: "anything but x" })),
      "anything but x"
    ],
    [
      "a check of Effect without a keyword",
      Schema.String.check(Schema.isStartingWith("ab")),
      'a string starting with "ab"'
    ],
    [
      "two checks",
      Schema.String.check(Schema.isMinLength(2), Schema.isPattern(/^a/)),
      "length: >= 2 characters; pattern: ^a"
    ],
    [
      "a bound of the decoded value",
      Schema.FiniteFromString.check(Schema.isBetween({ minimum: 1, maximum: 3 })),
      "value: >= 1 and <= 3; a string that will be decoded as a finite number"
    ],
    ["examples", Schema.String.annotate({ examples: ["a", "b"] }), 'for example: "a", "b"'],
    ["a URL", Schema.URL, "absolute URL"],
    ["a template", Schema.TemplateLiteral(["v", Schema.Literals([1, 2])]), "pattern: ^v(?:1|2)$"]
  ]
  for (const [name, schema, notes] of rows) {
    it(name, () => assert.deepStrictEqual(field(schema), [`- f: required key; ${notes}`]))
  }

  it("a description after the checks is a description", () => {
    assert.deepStrictEqual(
      field(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3 })).annotate({ description: "How many" })),
      ["- f: How many; required key; value: >= 1 and <= 3"]
    )
  })

  it("bounds of items and of optional keys stand in their own lines", () => {
    const schema = Schema.Struct({
      list: Schema.Array(Schema.Int.check(Schema.isGreaterThan(0))),
      may: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(9))),
      plain: Schema.optionalKey(Schema.String)
    })
    assert.deepStrictEqual(requirements(schema), [
      "- list: required key",
      "- list[*]: value: > 0",
      "- may: optional key; length: <= 9 characters"
    ])
  })
})

describe("forms", () => {
  it("scalars and arrays at the root", () => {
    assert.strictEqual(prompt(Schema.Int), "Data Format: JSON\nData Structure:\n<int>")
    assert.strictEqual(
      prompt(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })).annotate({ description: "Stars" })),
      "Data Format: JSON\nData Structure:\n<int> // Stars\n\nField requirements:\n- the whole value: Stars; value: >= 1 and <= 5"
    )
    assert.strictEqual(
      structure(Schema.Array(Schema.Struct({ a: Schema.String }))),
      '[\n  {\n    "a": <str>\n  },\n  ...\n]'
    )
    assert.strictEqual(structure(Schema.Literals(["yes", "no"])), '<"yes" | "no">')
  })

  it("a union at the root, of objects and scalars", () => {
    assert.strictEqual(
      structure(Schema.Union([Schema.Struct({ a: Schema.String }), Schema.Array(Schema.Int), Schema.Boolean])),
      'one of:\n  {\n    "a": <str>\n  }\nor:\n  [\n    <int>,\n    ...\n  ]\nor:\n  <bool>'
    )
  })

  it("recursion by name, without a name by place, and through a union", () => {
    interface List {
      readonly next?: List
    }
    const List: Schema.Codec<List> = Schema.Struct({
      next: Schema.optionalKey(Schema.suspend((): Schema.Codec<List> => List))
    })
    assert.strictEqual(structure(List), '{\n  "next": <same as the whole>\n}')
    assert.strictEqual(structure(Schema.Struct({ list: List })), '{\n  "list": {\n    "next": <same as list>\n  }\n}')
    type Expr = number | { readonly sum: ReadonlyArray<Expr> }
    const Expr: Schema.Codec<Expr> = Schema.Union([
      Schema.Int,
      Schema.Struct({ sum: Schema.Array(Schema.suspend((): Schema.Codec<Expr> => Expr)) })
    ]).annotate({ identifier: "Expr" })
    assert.strictEqual(
      structure(Expr),
      'one of: // Expr\n  <int>\nor:\n  {\n    "sum": [\n      <Expr>,\n      ...\n    ]\n  }'
    )
  })

  it("a class shows its fields, and a renamed key its wire name", () => {
    class Person extends Schema.Class<Person>("Person")({ name: Output.field(Schema.String, "Name") }) {}
    assert.strictEqual(structure(Person), '{\n  "name": <str> // Name\n}')
    assert.strictEqual(
      structure(Schema.Struct({ aB: Output.field(Schema.String, "Renamed") }).pipe(Schema.encodeKeys({ aB: "a_b" }))),
      '{\n  "a_b": <str> // Renamed\n}'
    )
  })

  it("empty containers and open structs", () => {
    assert.strictEqual(
      structure(Schema.Struct({ o: Schema.Struct({}), t: Schema.Tuple([]) })),
      '{\n  "o": {},\n  "t": []\n}'
    )
    assert.strictEqual(
      structure(
        Schema.StructWithRest(Schema.Struct({ a: Schema.String }), [Schema.Record(Schema.String, Schema.Unknown)])
      ),
      '{\n  "a": <str>,\n  "<key>": <any>,\n  ...\n}'
    )
  })

  it("keys and values are written as JSON", () => {
    assert.strictEqual(structure(Schema.Struct({ 'a"b': Schema.Literal('x"y') })), '{\n  "a\\"b": "x\\"y"\n}')
  })

  it("a text with demands says them, one without says nothing", () => {
    assert.isUndefined(prompt(Schema.String))
    assert.strictEqual(
      prompt(Schema.String.check(Schema.isMaxLength(80)).annotate({ description: "A haiku" })),
      "Data Format: plain text\n\nRequirements:\n- A haiku\n- length: <= 80 characters"
    )
  })
})

describe("demands", () => {
  const schema = Schema.Struct({ a: Output.ensure(Schema.String, "A"), b: Schema.optionalKey(Schema.String) })

  it("added keys are said, dropped ones are not", () => {
    const lines = (keys: ReadonlyArray<string>) =>
      Result.getOrThrow(Contract.withKeys(Contract.compile(schema), { ensureKeys: keys }))
        .promptText?.split("Field requirements:\n")[1]
        ?.split("\n")
    assert.deepStrictEqual(lines(["b"]), [
      "- a: A; required key; empty values are allowed, null is not",
      "- b: required key; empty values are allowed, null is not"
    ])
    assert.deepStrictEqual(lines([]), ["- a: A; required key"])
  })

  it.effect("the whole shape makes every key required", () =>
    Effect.gen(function* () {
      const all = yield* Effect.fromResult(Contract.withKeys(Contract.compile(schema), { ensureAllKeys: true }))
      assert.include(all.promptText ?? "", "- b: required key\n\nOutput Guarantee: STRICT structure\n")
    })
  )
})
