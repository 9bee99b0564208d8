// What counts as there: the two levels, wildcards, containers, recursion, unions, cut ends, added keys, whole shapes.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import * as Contract from "../../src/output/Contract.ts"
import * as Output from "../../src/output/Output.ts"
import * as Path from "../../src/parse/Path.ts"
import { accepts, findingsOf, judge, pathsOf } from "./support.ts"

describe("compiled ensure keys", () => {
  it("SP-01 lists the ensured leaves with wildcards, in both path styles", () => {
    const contract = Contract.compile(
      Output.make({
        title: Output.ensure(Schema.String, "Title"),
        items: [{ name: Output.ensure(Schema.String, "Name"), value: Output.field(Schema.String, "Value") }]
      })
    )
    assert.deepStrictEqual(
      contract.ensureKeys.map(({ level, path }) => [path, level]),
      [
        ["title", "present"],
        ["items[*].name", "present"]
      ]
    )
    assert.deepStrictEqual(
      contract.ensureKeys.map(({ segments }) => Path.print(segments, "slash")),
      ["/title", "/items/[*]/name"]
    )
  })

  it("reads the mark from shorthand, Struct, Class, optional keys and nullable leaves alike", () => {
    class Person extends Schema.Class<Person>("Person")({ name: Output.ensure(Schema.String, "Name", "notEmpty") }) {}
    const contract = Contract.compile(
      Schema.Struct({
        person: Person,
        people: Schema.Array(Person),
        opt: Schema.optionalKey(Output.ensure(Schema.String)),
        opt2: Schema.optional(Output.ensure(Schema.String)),
        nul: Schema.NullOr(Output.ensure(Schema.String)),
        rec: Schema.Record(Schema.String, Output.ensure(Schema.Int)),
        tup: Schema.Tuple([Schema.String, Output.ensure(Schema.Int)]),
        when: Output.ensure(Schema.DateFromString, "When")
      })
    )
    assert.deepStrictEqual(
      contract.ensureKeys.map(({ level, path }) => `${path} ${level}`),
      [
        "person.name notEmpty",
        "people[*].name notEmpty",
        "opt present",
        "opt2 present",
        "nul present",
        "rec.* present",
        "tup[1] present",
        "when present"
      ]
    )
  })

  it("quotes keys that would read as syntax", () => {
    const contract = Contract.compile(
      Output.make({ "a.b": Output.ensure(Schema.String), x: { "y[0]": Output.ensure(Schema.String) } })
    )
    assert.deepStrictEqual(
      contract.ensureKeys.map(({ path }) => path),
      ['["a.b"]', 'x["y[0]"]']
    )
  })

  it.effect("makes an ensured leaf required even where its Schema says optional", () =>
    Effect.gen(function* () {
      const contract = Contract.compile(Output.make({ a: Output.ensure(Schema.optionalKey(Schema.String), "A") }))
      assert.deepStrictEqual(contract.request.jsonSchema["required"], ["a"])
      assert.isTrue(
        Result.isFailure(
          Schema.decodeUnknownResult(Output.make({ a: Output.ensure(Schema.optionalKey(Schema.String)) }))({})
        )
      )
      assert.deepStrictEqual(pathsOf(yield* judge(contract, {})), ["a"])
    })
  )
})

describe("levels", () => {
  const rows: ReadonlyArray<readonly [value: unknown, present: boolean, notEmpty: boolean]> = [
    [null, true, false],
    ["", true, false],
    ["  ", true, false],
    ["x", true, true],
    [[], true, false],
    [[null], true, false],
    [[""], true, false],
    [[[]], true, false],
    [["x"], true, true],
    [0, true, true],
    [false, true, true],
    [{}, true, true],
    [[{}], true, true]
  ]
  for (const [value, present, notEmpty] of rows) {
    for (const [level, passes] of [
      ["present", present],
      ["notEmpty", notEmpty]
    ] as const) {
      it.effect(
        `${level} ${passes ? "accepts" : "rejects"} ${JSON.stringify(value)} where the Schema takes anything (RV-05)`,
        () =>
          Effect.gen(function* () {
            const contract = Contract.compile(Output.make({ a: Output.ensure(Schema.Unknown, "A", level) }))
            const findings = yield* findingsOf(contract, { a: value })
            assert.deepStrictEqual(
              findings,
              passes
                ? []
                : [{ path: "a", kind: "empty", message: "Ensure key a must not be null, blank, or empty", value }]
            )
          })
      )
    }
  }

  it.effect("present takes null only where the Schema does", () =>
    Effect.gen(function* () {
      const strict = Contract.compile(Output.make({ a: Output.ensure(Schema.String) }))
      assert.deepStrictEqual(yield* findingsOf(strict, { a: null }), [
        { path: "a", kind: "empty", message: "Ensure key a must not be null", value: null }
      ])
      const nullable = Contract.compile(Output.make({ a: Output.ensure(Schema.NullOr(Schema.String)) }))
      assert.deepStrictEqual(yield* accepts(nullable, { a: null }), { a: null })
    })
  )

  it.effect("a key that is absent is missing, at either level", () =>
    Effect.gen(function* () {
      for (const level of ["present", "notEmpty"] as const) {
        const contract = Contract.compile(Output.make({ a: Output.ensure(Schema.Unknown, "A", level) }))
        assert.deepStrictEqual(yield* findingsOf(contract, {}), [
          { path: "a", kind: "missing", message: "Missing ensure key: a" }
        ])
      }
    })
  )
})

describe("wildcards and containers", () => {
  const Items = Output.make({
    a: Output.ensure(Schema.String, "A", "notEmpty"),
    items: [{ n: Output.ensure(Schema.Int, "N"), note: Schema.String }]
  })

  it.effect("RV-01 blank, then missing, then whole: two rejections and a value", () =>
    Effect.gen(function* () {
      const contract = Contract.compile(Items)
      assert.deepStrictEqual(pathsOf(yield* judge(contract, { a: "" })), ["a", "items[*].n"])
      assert.deepStrictEqual(pathsOf(yield* judge(contract, { b: 1 })), ["a", "items[*].n"])
      assert.deepStrictEqual(yield* accepts(contract, { a: "good", items: [{ n: 1 }, { n: 2 }] }), {
        a: "good",
        items: [{ n: 1 }, { n: 2 }]
      })
    })
  )

  it.effect("RV-04 an empty array satisfies a wildcard", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* accepts(Contract.compile(Items), { a: "x", items: [] }), { a: "x", items: [] })
    })
  )

  it.effect("an empty array does not satisfy notEmpty items of its own", () =>
    Effect.gen(function* () {
      const contract = Contract.compile(Output.make({ tags: [Output.ensure(Schema.String, "tag", "notEmpty")] }))
      assert.deepStrictEqual(pathsOf(yield* judge(contract, { tags: [] })), ["tags[*]"])
      assert.deepStrictEqual(pathsOf(yield* judge(contract, { tags: ["a", " "] })), ["tags[1]"])
      assert.deepStrictEqual(yield* accepts(contract, { tags: ["a"] }), { tags: ["a"] })
    })
  )

  it.effect("each item is checked, and named by its index", () =>
    Effect.gen(function* () {
      const findings = yield* findingsOf(Contract.compile(Items), { a: "x", items: [{ n: 1 }, {}, { note: "z" }] })
      assert.deepStrictEqual(
        findings.map(({ kind, message, path }) => [path, kind, message]),
        [
          ["items[1].n", "missing", "Missing ensure key: items[1].n"],
          ["items[2].n", "missing", "Missing ensure key: items[2].n"]
        ]
      )
    })
  )

  it.effect("a missing container lacks all that it would have held, and is reported once", () =>
    Effect.gen(function* () {
      const contract = Contract.compile(
        Output.make({
          box: { x: Output.ensure(Schema.String), deep: { y: Output.ensure(Schema.String) }, z: Schema.String }
        })
      )
      assert.deepStrictEqual(pathsOf(yield* judge(contract, {})), ["box.x", "box.deep.y"])
      assert.deepStrictEqual(pathsOf(yield* judge(contract, { box: null })), ["box.x", "box.deep.y"])
      assert.deepStrictEqual(pathsOf(yield* judge(contract, { box: { x: "1" } })), ["box.deep.y"])
    })
  )

  it.effect("a container that its Schema lets lack, or be null, is asked for its leaves once it is there", () =>
    Effect.gen(function* () {
      const Box = Schema.Struct({ x: Output.ensure(Schema.String) })
      const optional = Contract.compile(Schema.Struct({ box: Schema.optionalKey(Box) }))
      assert.deepStrictEqual(yield* accepts(optional, {}), {})
      assert.deepStrictEqual(yield* accepts(optional, { box: null }), {})
      assert.deepStrictEqual(pathsOf(yield* judge(optional, { box: {} })), ["box.x"])
      assert.isUndefined(optional.request.jsonSchema["required"])
      const nullable = Contract.compile(Schema.Struct({ box: Schema.NullOr(Box) }))
      assert.deepStrictEqual(yield* accepts(nullable, { box: null }), { box: null })
      assert.deepStrictEqual(pathsOf(yield* judge(nullable, {})), ["box.x"])
      const nested = Contract.compile(
        Schema.Struct({ outer: Schema.Struct({ y: Output.ensure(Schema.String), box: Schema.optionalKey(Box) }) })
      )
      assert.deepStrictEqual(pathsOf(yield* judge(nested, {})), ["outer.y"])
      // In the shorthand such a container is required, and so is one that is asked for by name.
      assert.deepStrictEqual(
        pathsOf(yield* judge(Contract.compile(Output.make({ box: { x: Output.ensure(Schema.String) } })), {})),
        ["box.x"]
      )
      const asked = yield* Effect.fromResult(Contract.withKeys(optional, { ensureKeys: ["box.x"] }))
      assert.deepStrictEqual(pathsOf(yield* judge(asked, {})), ["box.x"])
    })
  )

  it.effect("records and tuples", () =>
    Effect.gen(function* () {
      const contract = Contract.compile(
        Schema.Struct({
          rec: Schema.Record(Schema.String, Schema.Struct({ n: Output.ensure(Schema.Unknown, "n", "notEmpty") })),
          tup: Schema.Tuple([Schema.String, Output.ensure(Schema.String, "second", "notEmpty")])
        })
      )
      assert.deepStrictEqual(pathsOf(yield* judge(contract, { rec: { a: { n: 1 }, "b.c": {} }, tup: ["a", " "] })), [
        'rec["b.c"].n',
        "tup[1]"
      ])
      assert.deepStrictEqual(pathsOf(yield* judge(contract, { rec: {}, tup: ["a"] })), ["tup[1]"])
      assert.deepStrictEqual(yield* accepts(contract, { rec: {}, tup: ["a", "b"] }), { rec: {}, tup: ["a", "b"] })
    })
  )

  it.effect("a recursive Schema is checked at every level", () =>
    Effect.gen(function* () {
      interface Tree {
        readonly v: string
        readonly kids: ReadonlyArray<Tree>
      }
      const Tree: Schema.Codec<Tree> = Schema.Struct({
        v: Output.ensure(Schema.String, "Label", "notEmpty"),
        kids: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
      })
      const contract = Contract.compile(Tree)
      assert.deepStrictEqual(
        contract.ensureKeys.map(({ path }) => path),
        ["v"]
      )
      const value = { v: "a", kids: [{ v: "b", kids: [{ v: " ", kids: [] }] }, { kids: [] }] }
      assert.deepStrictEqual(pathsOf(yield* judge(contract, value)), ["kids[0].kids[0].v", "kids[1].v"])
    })
  )

  it.effect("a mark in one form of a union is asked of that form alone", () =>
    Effect.gen(function* () {
      const contract = Contract.compile(
        Schema.Struct({
          contact: Schema.Union([
            Schema.Struct({ kind: Schema.tag("email"), email: Output.ensure(Schema.String, "Mail", "notEmpty") }),
            Schema.Struct({ kind: Schema.tag("phone"), phone: Output.ensure(Schema.String, "Number", "notEmpty") })
          ])
        })
      )
      assert.deepStrictEqual(contract.ensureKeys, [])
      assert.deepStrictEqual(pathsOf(yield* judge(contract, { contact: { kind: "email", email: "" } })), [
        "contact.email"
      ])
      assert.deepStrictEqual(pathsOf(yield* judge(contract, { contact: { kind: "phone" } })), ["contact.phone"])
      assert.deepStrictEqual(yield* accepts(contract, { contact: { kind: "phone", phone: "1" } }), {
        contact: { kind: "phone", phone: "1" }
      })
    })
  )

  it.effect("of an untagged union the form that is content with the value is enough", () =>
    Effect.gen(function* () {
      const contract = Contract.compile(
        Schema.Union([
          Schema.Struct({ a: Output.ensure(Schema.String, "", "notEmpty"), b: Schema.optionalKey(Schema.String) }),
          Schema.Struct({ a: Schema.String })
        ])
      )
      assert.deepStrictEqual(yield* accepts(contract, { a: "" }), { a: "" })
    })
  )
})

describe("cut ends", () => {
  const contract = Contract.compile(
    Schema.Struct({
      a: Output.ensure(Schema.String, "A"),
      list: Output.ensure(Schema.Array(Schema.String), "List"),
      items: Schema.Array(Schema.Struct({ n: Output.ensure(Schema.String, "N"), m: Schema.optionalKey(Schema.String) }))
    })
  )
  const value = { a: "1", list: ["x", "y"], items: [{ n: "1" }, { n: "2", m: "z" }] }

  it.effect("a value whose end was cut does not count as present", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findingsOf(contract, value, ["list[1]", "list"]), [
        {
          path: "list",
          kind: "cut",
          message: "Ensure key list is incomplete: the answer was cut off inside it",
          value: ["x", "y"]
        }
      ])
      assert.deepStrictEqual(pathsOf(yield* judge(contract, value, ["items[1].n", "items[1]", "items"])), [
        "items[1].n"
      ])
    })
  )

  it.effect("a cut that spares the ensured leaves is none of their business", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* accepts(contract, value, ["items[1].m", "items[1]", "items"]), value)
    })
  )

  it.effect("paths that only begin alike are not confused", () =>
    Effect.gen(function* () {
      const c = Contract.compile(Output.make({ a: Output.ensure(Schema.String), ab: Schema.String }))
      assert.deepStrictEqual(yield* accepts(c, { a: "1", ab: "2" }, ["ab"]), { a: "1", ab: "2" })
    })
  )

  it.effect("a cut wins over what the Schema says of the same place", () =>
    Effect.gen(function* () {
      const c = Contract.compile(Output.make({ a: Output.ensure(Schema.String.check(Schema.isMinLength(5)), "A") }))
      const findings = yield* findingsOf(c, { a: "abc" }, ["a"])
      assert.deepStrictEqual(
        findings.map(({ kind, path }) => [path, kind]),
        [["a", "cut"]]
      )
    })
  )
})

describe("added keys", () => {
  const schema = Output.make({
    a: Output.ensure(Schema.String, "A"),
    items: [{ url: Output.field(Schema.String, "Url"), tags: [Output.field(Schema.String, "Tag")] }],
    rec: Schema.Record(Schema.String, Schema.Struct({ n: Schema.optionalKey(Schema.Int) })),
    free: Schema.Unknown
  })
  const base = Contract.compile(schema)
  const withKeys = (keys: ReadonlyArray<string>) => Result.getOrThrow(Contract.withKeys(base, { ensureKeys: keys }))

  it.effect("RV-11 an empty list disables the keys of the Schema, any other list is added to them", () =>
    Effect.gen(function* () {
      const added = withKeys(["items[*].url"])
      assert.deepStrictEqual(
        added.ensureKeys.map(({ path }) => path),
        ["a", "items[*].url"]
      )
      assert.deepStrictEqual(pathsOf(yield* judge(added, {})), ["a", "items[*].url"])
      assert.deepStrictEqual(pathsOf(yield* judge(added, { a: "x", items: [{ url: "u" }, {}] })), ["items[1].url"])
      const none = withKeys([])
      assert.deepStrictEqual(none.ensureKeys, [])
      const plain = Contract.compile(Schema.Struct({ a: Output.ensure(Schema.String, "A", "notEmpty") }))
      const free = Result.getOrThrow(Contract.withKeys(plain, { ensureKeys: [] }))
      assert.deepStrictEqual(pathsOf(yield* judge(plain, { a: "" })), ["a"])
      assert.deepStrictEqual(yield* accepts(free, { a: "" }), { a: "" })
    })
  )

  it.effect("wildcards, indexes, records, slash style and parts of any type", () =>
    Effect.gen(function* () {
      const value = { a: "x", items: [{ tags: [] }, { tags: ["t"] }], rec: { p: {}, q: { n: 1 } }, free: { x: 1 } }
      for (const [path, missing] of [
        ["items[*].tags[*]", []],
        ["/items/[*]/tags/[*]", []],
        ["items[1].tags[0]", []],
        ["items[1].tags[1]", ["items[1].tags[1]"]],
        ["rec.*.n", ["rec.p.n"]],
        ["rec.q.n", []],
        ["rec.zzz.n", ["rec.zzz.n"]],
        ["free.x", []],
        ["free.y[*].z", ["free.y[*].z"]]
      ] as const) {
        assert.deepStrictEqual(pathsOf(yield* judge(withKeys([path]), value)), missing, path)
      }
    })
  )

  it("a path that the Schema lacks is a typed error that names it and the nearest ones", () => {
    const failed = Contract.withKeys(base, { ensureKeys: ["a", "items[*].urls"] })
    assert.isTrue(Result.isFailure(failed))
    if (Result.isFailure(failed)) {
      assert.strictEqual(failed.failure._tag, "OutputPathError")
      assert.deepInclude(failed.failure, { path: "items[*].urls", schema: "answer" })
      assert.strictEqual(failed.failure.nearest[0], "items[*].url")
      assert.match(
        failed.failure.message,
        /^The output Schema "answer" has no path "items\[\*\]\.urls"\. Did you mean "items\[\*\]\.url"/
      )
    }
    const unreadable = Contract.withKeys(base, { ensureKeys: ["items[*"] })
    assert.isTrue(Result.isFailure(unreadable) && unreadable.failure.detail !== undefined)
  })

  it.effect("an added key takes the level that the Schema marks", () =>
    Effect.gen(function* () {
      const c = Contract.compile(Schema.Struct({ a: Output.ensure(Schema.String, "A", "notEmpty"), b: Schema.String }))
      const keyed = Result.getOrThrow(
        Contract.withKeys(Result.getOrThrow(Contract.withKeys(c, { ensureKeys: [] })), { ensureKeys: ["a", "b"] })
      )
      assert.deepStrictEqual(pathsOf(yield* judge(keyed, { a: "", b: "" })), ["a"])
    })
  )

  it.effect(
    "each form of a union keeps its own level, and what is inside a part of any type is asked for as present",
    () =>
      Effect.gen(function* () {
        const c = Contract.compile(
          Schema.Struct({
            form: Schema.Union([
              Schema.TaggedStruct("a", { v: Output.ensure(Schema.String, "", "notEmpty") }),
              Schema.TaggedStruct("b", { v: Schema.String })
            ]),
            free: Output.ensure(Schema.Unknown, "", "notEmpty")
          })
        )
        const keyed = Result.getOrThrow(Contract.withKeys(c, { ensureKeys: ["form.v", "free.x"] }))
        assert.deepStrictEqual(pathsOf(yield* judge(keyed, { form: { _tag: "a", v: "" }, free: { x: "" } })), [
          "form.v"
        ])
        assert.deepStrictEqual(pathsOf(yield* judge(keyed, { form: { _tag: "b", v: "" }, free: { x: "" } })), [])
        assert.deepStrictEqual(pathsOf(yield* judge(keyed, { form: { _tag: "b", v: "" }, free: {} })), ["free.x"])
      })
  )

  it.effect("an added key through a union is asked of the forms that have it", () =>
    Effect.gen(function* () {
      const Blocks = Schema.Struct({
        blocks: Schema.Array(
          Schema.Union([
            Schema.Struct({ type: Schema.tag("text"), text: Schema.optionalKey(Schema.String) }),
            Schema.Struct({ type: Schema.tag("image"), url: Schema.String })
          ])
        )
      })
      const keyed = Result.getOrThrow(Contract.withKeys(Contract.compile(Blocks), { ensureKeys: ["blocks[*].text"] }))
      assert.deepStrictEqual(
        pathsOf(
          yield* judge(keyed, { blocks: [{ type: "image", url: "u" }, { type: "text" }, { type: "text", text: "t" }] })
        ),
        ["blocks[1].text"]
      )
    })
  )

  it("an added key is required in the JSON Schema, with all above it", () => {
    const { jsonSchema } = withKeys(["items[*].url"]).request
    assert.deepInclude(jsonSchema, { required: ["a", "items"] })
    const items = (jsonSchema["properties"] as Record<string, { items: Record<string, unknown> }>)["items"]
    assert.deepStrictEqual(items?.items["required"], ["url"])
  })
})

describe("the whole shape", () => {
  const schema = Schema.Struct({
    a: Schema.String,
    b: Schema.optionalKey(Schema.String),
    c: Schema.Struct({ d: Schema.optionalKey(Schema.Int) })
  })
  const contract = Result.getOrThrow(Contract.withKeys(Contract.compile(schema), { ensureAllKeys: true }))

  it.effect("SP-14 a missing key and an extra key are found, exact keys pass", () =>
    Effect.gen(function* () {
      const two = Result.getOrThrow(
        Contract.withKeys(Contract.compile(Output.make({ a: Schema.String, b: Schema.String })), {
          ensureAllKeys: true
        })
      )
      assert.deepStrictEqual(yield* findingsOf(two, { a: "1" }), [
        { path: "b", kind: "missing", message: "Missing key: b" }
      ])
      assert.deepStrictEqual(yield* findingsOf(two, { a: "1", b: "2", c: "3" }), [
        { path: "c", kind: "extra", message: "Extra key is not allowed: c" }
      ])
      assert.deepStrictEqual(yield* accepts(two, { a: "1", b: "2" }), { a: "1", b: "2" })
    })
  )

  it.effect("holds at every depth, and a null is no key", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(pathsOf(yield* judge(contract, { a: "1", b: null, c: { e: 1 } })), ["b", "c.d", "c.e"])
      assert.deepStrictEqual(yield* accepts(contract, { a: "1", b: "2", c: { d: 3 } }), { a: "1", b: "2", c: { d: 3 } })
    })
  )

  it("is said in the prompt and in the JSON Schema", () => {
    assert.match(
      contract.promptText ?? "",
      /\n\nOutput Guarantee: STRICT structure\nAll defined fields are required and extra fields are not allowed\.$/
    )
    assert.deepInclude(contract.request.jsonSchema, { required: ["a", "b", "c"], additionalProperties: false })
  })
})
