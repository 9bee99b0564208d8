// The contract as JSON Schema: the plain projection, and what the vendors' strict dialects make of it.
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Contract from "../../src/output/Contract.ts"
import * as Output from "../../src/output/Output.ts"
import type { Shape } from "../../src/parse/Shape.ts"

const request = (schema: Schema.Constraint) => Contract.compile(schema).request
const native = (schema: Schema.Constraint) => Contract.compile(schema).native

interface Tree {
  readonly v: string
  readonly kids: ReadonlyArray<Tree>
}
const Tree: Schema.Codec<Tree> = Schema.Struct({
  v: Schema.String,
  kids: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
}).annotate({ identifier: "Tree" })

const Doc = Schema.Struct({
  title: Output.ensure(Schema.String.check(Schema.isBetweenLength(3, 80)), "Title"),
  stars: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })),
  price: Schema.Number.annotate({ description: "In euros" }),
  when: Schema.DateFromString.annotateKey({ description: "When" }),
  mail: Schema.optionalKey(Schema.String.annotate({ format: "email" })),
  note: Schema.optional(Schema.String),
  nul: Schema.NullOr(Schema.String),
  role: Schema.NullOr(Schema.Literals(["a", "b"])),
  tags: Schema.Array(Schema.String).check(Schema.isBetweenLength(1, 3)),
  box: Schema.optionalKey(Schema.Struct({ x: Schema.Boolean })),
  form: Schema.Union([Schema.TaggedStruct("a", { v: Schema.Int }), Schema.TaggedStruct("b", { v: Schema.String })])
}).annotate({ identifier: "Doc" })

const date = "ISO 8601 date-time such as 2025-01-31T09:30:00.000Z"

const form = (tag: string, type: string) => ({
  type: "object",
  properties: { _tag: { type: "string", enum: [tag] }, v: { type } },
  required: ["_tag", "v"],
  additionalProperties: false
})

describe("plain", () => {
  it("closed objects, plain numbers, optional keys by absence", () => {
    assert.deepStrictEqual(request(Doc), {
      name: "Doc",
      format: "json",
      native: false,
      strict: request(Doc).strict,
      jsonSchema: {
        type: "object",
        properties: {
          title: { type: "string", minLength: 3, maxLength: 80, description: "Title" },
          stars: { type: "integer", minimum: 1, maximum: 5 },
          price: { type: "number", description: "In euros" },
          when: { type: "string", description: `When; ${date}` },
          mail: { type: "string", format: "email" },
          note: { type: "string" },
          nul: { type: ["string", "null"] },
          role: { anyOf: [{ type: "string", enum: ["a", "b"] }, { type: "null" }] },
          tags: { type: "array", items: { type: "string" }, minItems: 1, maxItems: 3 },
          box: { type: "object", properties: { x: { type: "boolean" } }, required: ["x"], additionalProperties: false },
          form: { anyOf: [form("a", "integer"), form("b", "string")] }
        },
        required: ["title", "stars", "price", "when", "nul", "role", "tags", "form"],
        additionalProperties: false
      }
    })
  })

  it("records, tuples, unknown, scalars and arrays at the root", () => {
    assert.deepStrictEqual(request(Schema.Record(Schema.String.check(Schema.isPattern(/^k/)), Schema.Int)).jsonSchema, {
      type: "object",
      properties: {},
      additionalProperties: { type: "integer" },
      propertyNames: { pattern: "^k" }
    })
    assert.deepStrictEqual(
      request(Schema.TupleWithRest(Schema.Tuple([Schema.String, Schema.optionalKey(Schema.Int)]), [Schema.Boolean]))
        .jsonSchema,
      {
        type: "array",
        prefixItems: [{ type: "string" }, { type: "integer" }],
        items: { type: "boolean" },
        minItems: 1
      }
    )
    assert.deepStrictEqual(request(Schema.Tuple([])).jsonSchema, { type: "array", maxItems: 0 })
    assert.deepStrictEqual(request(Schema.Unknown).jsonSchema, {})
    assert.deepStrictEqual(request(Schema.NonEmptyArray(Schema.Number)).jsonSchema, {
      type: "array",
      items: { type: "number" },
      minItems: 1
    })
    assert.deepStrictEqual(request(Schema.NullOr(Schema.Int)).jsonSchema, { type: ["integer", "null"] })
    assert.deepStrictEqual(
      request(Schema.Union([Schema.NullOr(Schema.Union([Schema.Int, Schema.Boolean])), Schema.String])).jsonSchema,
      { anyOf: [{ type: "integer" }, { type: "boolean" }, { type: "string" }, { type: "null" }] }
    )
    assert.deepStrictEqual(request(Schema.Literals([1, 2])).jsonSchema, { type: "integer", enum: [1, 2] })
  })

  it("recursion by reference, to the root or to a definition", () => {
    const tree = (ref: string) => ({
      type: "object",
      properties: { v: { type: "string" }, kids: { type: "array", items: { $ref: ref } } },
      required: ["v", "kids"],
      additionalProperties: false
    })
    assert.deepStrictEqual(request(Tree).jsonSchema, tree("#"))
    assert.deepStrictEqual(
      request(Schema.Struct({ tree: Tree.annotateKey({ description: "All" }), other: Schema.NullOr(Tree) })).jsonSchema,
      {
        type: "object",
        properties: {
          tree: { $ref: "#/$defs/Tree", description: "All" },
          other: { anyOf: [{ $ref: "#/$defs/Tree" }, { type: "null" }] }
        },
        required: ["tree", "other"],
        additionalProperties: false,
        $defs: { Tree: tree("#/$defs/Tree") }
      }
    )
  })

  it("two recursive shapes of one name do not share a definition", () => {
    const make = (key: string) => {
      const schema: Schema.Codec<unknown> = Schema.Struct({
        [key]: Schema.Array(Schema.suspend((): Schema.Codec<unknown> => schema))
      }).annotate({ identifier: "My Node" })
      return schema
    }
    const { jsonSchema } = request(Schema.Struct({ a: make("x"), b: make("y") }))
    assert.deepStrictEqual(Object.keys(jsonSchema["$defs"] ?? {}), ["My_Node", "My_Node2"])
  })
})

describe("OpenAI's strict mode", () => {
  it("all keys required, optional ones nullable, unsupported bounds in words", () => {
    assert.deepStrictEqual(request(Doc).strict.openai, {
      type: "object",
      properties: {
        title: { type: "string", description: "Title; length: 3..80 characters" },
        stars: { type: "integer", minimum: 1, maximum: 5 },
        price: { type: "number", description: "In euros" },
        when: { type: "string", description: `When; ${date}` },
        mail: { type: ["string", "null"], format: "email" },
        note: { type: ["string", "null"] },
        nul: { type: ["string", "null"] },
        role: { anyOf: [{ type: "string", enum: ["a", "b"] }, { type: "null" }] },
        tags: { type: "array", items: { type: "string" }, minItems: 1, maxItems: 3 },
        box: {
          anyOf: [
            { type: "object", properties: { x: { type: "boolean" } }, required: ["x"], additionalProperties: false },
            { type: "null" }
          ]
        },
        form: { anyOf: [form("a", "integer"), form("b", "string")] }
      },
      required: ["title", "stars", "price", "when", "mail", "note", "nul", "role", "tags", "box", "form"],
      additionalProperties: false
    })
    assert.deepStrictEqual(native(Doc), { openai: undefined, anthropic: undefined })
  })

  it("takes recursion, and nothing beside a reference", () => {
    assert.isDefined(request(Tree).strict.openai)
    const wrapped = request(Schema.Struct({ tree: Tree.annotateKey({ description: "All" }) })).strict.openai
    assert.deepStrictEqual(wrapped?.["properties"], { tree: { $ref: "#/$defs/Tree" } })
  })

  it("a demand makes an optional key required instead of nullable", () => {
    const contract = Result.getOrThrow(
      Contract.withKeys(Contract.compile(Schema.Struct({ a: Schema.optionalKey(Schema.String) })), {
        ensureKeys: ["a"]
      })
    )
    assert.deepStrictEqual(contract.request.strict.openai?.["properties"], { a: { type: "string" } })
  })
})

describe("Anthropic's structured outputs", () => {
  it("optional keys stay optional, bounds are said in words", () => {
    const { properties, required } = request(Doc).strict.anthropic ?? {}
    assert.deepStrictEqual(required, ["title", "stars", "price", "when", "nul", "role", "tags", "form"])
    assert.deepInclude(properties, {
      stars: { type: "integer", description: "value: >= 1 and <= 5" },
      title: { type: "string", description: "Title; length: 3..80 characters" },
      mail: { type: "string", format: "email" },
      tags: { type: "array", items: { type: "string" }, minItems: 1, description: "item count: <= 3" }
    })
  })
})

describe("what a dialect cannot express", () => {
  const wide = Schema.Struct(
    Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`k${i}`, Schema.optionalKey(Schema.String)]))
  )
  let deep: Schema.Top = Schema.Struct({ end: Schema.String })
  for (let i = 0; i < 11; i++) deep = Schema.Struct({ down: deep })
  const rows: ReadonlyArray<
    readonly [name: string, schema: Schema.Constraint, openai: string | undefined, anthropic: string | undefined]
  > = [
    ["a record", Schema.Struct({ r: Schema.Record(Schema.String, Schema.Int) }), "a record (r)", "a record (r)"],
    ["a tuple", Schema.Struct({ a: Schema.Array(Schema.Tuple([Schema.Int])) }), "a tuple (a[*])", "a tuple (a[*])"],
    ["unknown", Schema.Struct({ u: Schema.Unknown }), "a value of any type (u)", "a value of any type (u)"],
    ["a scalar at the root", Schema.Int, "a root that is no object", "a root that is no object"],
    ["an array at the root", Schema.Array(Schema.Int), "a root that is no object", "a root that is no object"],
    ["a union at the root", Schema.Union([Tree, Doc]), "a root that is no object", "a root that is no object"],
    ["recursion", Schema.Struct({ t: Tree }), undefined, "a recursive value (t)"],
    ["many optional keys", wide, undefined, "more than 24 optional keys (the whole value)"],
    [
      "many levels",
      deep,
      `more than 10 levels (${Array.from({ length: 11 }, () => "down").join(".")})`,
      `more than 10 levels (${Array.from({ length: 11 }, () => "down").join(".")})`
    ]
  ]
  for (const [name, schema, openai, anthropic] of rows) {
    it(name, () => {
      const reasons = native(schema)
      const { strict } = request(schema)
      assert.strictEqual(
        reasons.openai,
        openai === undefined ? undefined : `OpenAI's strict mode cannot express ${openai}`
      )
      assert.strictEqual(
        reasons.anthropic,
        anthropic === undefined ? undefined : `Anthropic's structured outputs cannot express ${anthropic}`
      )
      assert.strictEqual(strict.openai === undefined, openai !== undefined)
      assert.strictEqual(strict.anthropic === undefined, anthropic !== undefined)
    })
  }
})

describe("shape", () => {
  it("is the structure for the parser, cyclic where the Schema is", () => {
    const shape = Contract.compile(
      Output.make({
        a: Output.ensure(Schema.String),
        n: Schema.NullOr(Schema.Int),
        e: Schema.Literals(["x", "y"]),
        box: { deep: Output.ensure(Schema.Boolean) },
        rec: Schema.Record(Schema.String, Schema.Int)
      })
    ).shape
    assert.deepStrictEqual(shape, {
      kind: "object",
      keys: new Map<string, Shape>([
        ["a", { kind: "string" }],
        ["n", { kind: "union", members: [{ kind: "number" }, { kind: "null" }] }],
        ["e", { kind: "string", values: ["x", "y"] }],
        ["box", { kind: "object", keys: new Map([["deep", { kind: "boolean" }]]), required: new Set(["deep"]) }],
        ["rec", { kind: "object", keys: new Map(), required: new Set(), rest: { kind: "number" } }]
      ]),
      required: new Set(["a", "box"])
    })
    const tree = Contract.compile(Tree).shape
    assert.isTrue(tree.kind === "object" && tree.keys.get("kids")?.kind === "array")
    const kids = tree.kind === "object" ? tree.keys.get("kids") : undefined
    assert.strictEqual(kids?.kind === "array" ? kids.item : undefined, tree)
  })
})
