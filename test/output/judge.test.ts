// What the Schema says of an answer: decoding, what is put right without asking again, findings, salvage, parts.
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Option, Result, Schema, SchemaGetter, SchemaTransformation } from "effect"
import * as Contract from "../../src/output/Contract.ts"
import * as Output from "../../src/output/Output.ts"
import { accepts, findingsOf, judge, pathsOf } from "./support.ts"

class Person extends Schema.Class<Person>("Person")({
  name: Output.ensure(Schema.String, "Name"),
  age: Schema.optionalKey(Schema.Int)
}) {
  get greeting() {
    return `hi ${this.name}`
  }
}

describe("decoding", () => {
  const rows: ReadonlyArray<
    readonly [name: string, schema: Schema.Codec<unknown, unknown>, wire: unknown, value: unknown]
  > = [
    ["SP-15 a scalar at the root", Schema.Int, 3, 3],
    ["a truth value at the root", Schema.Boolean, false, false],
    ["null at the root", Schema.NullOr(Schema.Int), null, null],
    ["an array at the root", Schema.Array(Schema.Int), [1, 2], [1, 2]],
    ["an enumeration", Schema.Literals(["a", "b"]), "b", "b"],
    ["an enum", Schema.Enum({ A: "x", B: 1 } as const), 1, 1],
    ["a record", Schema.Record(Schema.String, Schema.Int), { a: 1 }, { a: 1 }],
    ["a record over literals", Schema.Record(Schema.Literals(["x", "y"]), Schema.Int), { x: 1, y: 2 }, { x: 1, y: 2 }],
    [
      "a struct with rest",
      Schema.StructWithRest(Schema.Struct({ a: Schema.String }), [Schema.Record(Schema.String, Schema.Unknown)]),
      { a: "1", b: 2 },
      { a: "1", b: 2 }
    ],
    ["a tuple", Schema.Tuple([Schema.String, Schema.Int]), ["a", 1], ["a", 1]],
    ["a tuple with rest", Schema.TupleWithRest(Schema.Tuple([Schema.String]), [Schema.Int]), ["a", 1, 2], ["a", 1, 2]],
    ["a brand", Schema.String.pipe(Schema.brand("Id")), "x", "x"],
    ["a date", Schema.DateFromString, "2020-01-01T00:00:00.000Z", new Date("2020-01-01T00:00:00.000Z")],
    ["a Date, by its JSON form", Schema.Date, "2020-01-01T00:00:00.000Z", new Date("2020-01-01T00:00:00.000Z")],
    ["an Option, by its JSON form", Schema.Option(Schema.Int), { _tag: "Some", value: 1 }, Option.some(1)],
    [
      "a default",
      Schema.Struct({ n: Schema.Finite.pipe(Schema.withDecodingDefault(Effect.succeed(7))) }),
      {},
      { n: 7 }
    ],
    [
      "renamed keys",
      Schema.Struct({ aB: Schema.String }).pipe(Schema.encodeKeys({ aB: "a_b" })),
      { a_b: "1" },
      { aB: "1" }
    ],
    ["a bigint", Schema.BigInt, "12", 12n],
    ["a template", Schema.TemplateLiteral(["v", Schema.Int]), "v12", "v12"],
    ["unknown", Schema.Unknown, { a: [1, null] }, { a: [1, null] }],
    ["JSON in a text", Schema.fromJsonString(Schema.Struct({ a: Schema.Int })), '{"a":1}', { a: 1 }]
  ]
  for (const [name, schema, wire, value] of rows) {
    it.effect(name, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* accepts(Contract.compile(schema), wire), value)
      })
    )
  }

  it.effect("SP-16 two list leaves are each decoded by their own type", () =>
    Effect.gen(function* () {
      const contract = Contract.compile(
        Output.make({ a: [Output.ensure(Schema.Int)], b: [Output.ensure(Schema.String)] })
      )
      assert.deepStrictEqual(yield* accepts(contract, { a: [1, 2], b: ["x"] }), { a: [1, 2], b: ["x"] })
      assert.deepStrictEqual(yield* accepts(contract, { a: ["1", "2"], b: ["1"] }), { a: [1, 2], b: ["1"] })
      assert.deepStrictEqual(pathsOf(yield* judge(contract, { a: ["x"], b: [1] })), ["a[0]", "b[0]"])
    })
  )

  it.effect("a class is decoded to its instances, recursion and all", () =>
    Effect.gen(function* () {
      const team = yield* accepts(Contract.compile(Schema.Struct({ team: Schema.Array(Person) })), {
        team: [{ name: "Ada", age: 36 }]
      })
      assert.instanceOf(team.team[0], Person)
      assert.strictEqual(team.team[0]?.greeting, "hi Ada")
    })
  )

  it.effect("what decoding needs stays in R", () =>
    Effect.gen(function* () {
      class Rates extends Context.Service<Rates, { readonly rate: number }>()("test/Rates") {}
      const Money = Schema.Finite.pipe(
        Schema.decodeTo(Schema.Finite, {
          decode: SchemaGetter.transformEffect((n: number) => Rates.use((rates) => Effect.succeed(n * rates.rate))),
          encode: SchemaGetter.passthrough()
        })
      )
      const contract = Contract.compile(Output.make({ price: Output.ensure(Money, "Price") }))
      const value: { readonly price: number } = yield* accepts(contract, { price: 2 }).pipe(
        Effect.provideService(Rates, { rate: 3 })
      )
      assert.deepStrictEqual(value, { price: 6 })
    })
  )

  it.effect("compiling is memoised by the Schema", () =>
    Effect.sync(() => {
      const schema = Schema.Struct({ a: Schema.String })
      assert.strictEqual(Contract.compile(schema), Contract.compile(schema))
      const shorthand = { a: Output.ensure(Schema.String) }
      assert.strictEqual(Contract.compile(Output.toSchema(shorthand)), Contract.compile(Output.toSchema(shorthand)))
    })
  )

  it("a contract has a name that every vendor takes", () => {
    assert.strictEqual(Contract.compile(Schema.Struct({})).name, "answer")
    assert.strictEqual(Contract.compile(Person).name, "Person")
    assert.strictEqual(Contract.compile(Schema.Struct({}).annotate({ title: "My report (v2)" })).name, "My_report_v2")
    assert.strictEqual(
      Contract.compile(Schema.Struct({}).annotate({ identifier: "x".repeat(80) })).name,
      "x".repeat(64)
    )
  })
})

describe("text", () => {
  it.effect("free text is taken as it is", () =>
    Effect.gen(function* () {
      assert.strictEqual(Contract.text.format, "text")
      assert.isUndefined(Contract.text.promptText)
      assert.strictEqual(yield* accepts(Contract.text, " a\n"), " a\n")
      assert.strictEqual(yield* accepts(Contract.text, ""), "")
      assert.deepStrictEqual(Contract.text.request.jsonSchema, { type: "string" })
    })
  )

  it.effect("the checks of a text Schema are applied", () =>
    Effect.gen(function* () {
      const Line = Contract.compile(Schema.String.check(Schema.isMaxLength(5)))
      assert.strictEqual(Line.format, "text")
      assert.deepStrictEqual(yield* findingsOf(Line, "abcdef"), [
        {
          path: "",
          kind: "invalid",
          message: "Invalid answer: expected a value with a length of at most 5",
          value: "abcdef"
        }
      ])
      assert.strictEqual(yield* accepts(Line, "1"), "1")
    })
  )

  it.effect("an ensured text must not be blank, where it says so", () =>
    Effect.gen(function* () {
      const contract = Contract.compile(Output.ensure(Schema.String, "A haiku", "notEmpty"))
      assert.deepStrictEqual(yield* findingsOf(contract, " "), [
        { path: "", kind: "empty", message: "The answer must not be null, blank, or empty", value: " " }
      ])
    })
  )

  it("only a plain text is text", () => {
    for (const schema of [
      Schema.NullOr(Schema.String),
      Schema.Literals(["a", "b"]),
      Schema.Int,
      Schema.Array(Schema.String)
    ]) {
      assert.strictEqual(Contract.compile(schema).format, "json")
    }
    assert.strictEqual(Contract.compile(Schema.DateFromString).format, "text")
  })
})

describe("what is put right", () => {
  const schema = Schema.Struct({
    must: Schema.String,
    may: Schema.optionalKey(Schema.String),
    undef: Schema.optional(Schema.Int),
    nul: Schema.optionalKey(Schema.NullOr(Schema.String)),
    box: Schema.optionalKey(Schema.Struct({ x: Schema.String })),
    any: Schema.Unknown,
    list: Schema.Array(Schema.Struct({ may: Schema.optionalKey(Schema.Int) })),
    form: Schema.Union([
      Schema.TaggedStruct("a", { x: Schema.optionalKey(Schema.Int) }),
      Schema.TaggedStruct("b", { x: Schema.NullOr(Schema.Int) })
    ])
  })
  const contract = Contract.compile(schema)
  const value = { must: "m", any: 1, list: [], form: { _tag: "a" } }

  it.effect("null at a leaf that is not ensured and rejects null means absent", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* accepts(contract, {
          ...value,
          may: null,
          undef: null,
          box: null,
          list: [{ may: null }],
          form: { _tag: "a", x: null }
        }),
        { must: "m", any: 1, list: [{}], form: { _tag: "a" } }
      )
    })
  )

  it.effect("null where the Schema takes it stays", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* accepts(contract, { ...value, nul: null, any: null, form: { _tag: "b", x: null } }),
        {
          ...value,
          nul: null,
          any: null,
          form: { _tag: "b", x: null }
        }
      )
    })
  )

  it.effect("of several forms without a tag the one whose keys are there decides what null means", () =>
    Effect.gen(function* () {
      const forms = Schema.Union([
        Schema.Struct({ a: Schema.String, n: Schema.optionalKey(Schema.Int) }),
        Schema.Struct({ c: Schema.String, n: Schema.NullOr(Schema.Int) })
      ])
      assert.deepStrictEqual(yield* accepts(Contract.compile(forms), { c: "x", n: null }), { c: "x", n: null })
      assert.deepStrictEqual(yield* accepts(Contract.compile(forms), { a: "x", n: null }), { a: "x" })
    })
  )

  it.effect("null at a key that must be there is a missing key", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findingsOf(contract, { ...value, must: null }), [
        { path: "must", kind: "missing", message: "Missing key: must" }
      ])
    })
  )

  it.effect("null among items is not taken out, since it would move the others", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(pathsOf(yield* judge(Contract.compile(Schema.Array(Schema.Int)), [1, null, 2])), ["[1]"])
    })
  )

  it.effect("RV-13 a quoted number or truth value is read where the Schema wants one, and only there", () =>
    Effect.gen(function* () {
      const c = Contract.compile(
        Schema.Struct({
          n: Schema.Int,
          b: Schema.Boolean,
          s: Schema.String,
          u: Schema.Union([Schema.Int, Schema.String])
        })
      )
      assert.deepStrictEqual(yield* accepts(c, { n: "3", b: "True", s: "3", u: "3" }), {
        n: 3,
        b: true,
        s: "3",
        u: "3"
      })
      assert.deepStrictEqual(
        (yield* findingsOf(c, { n: "abc", b: "yes", s: 3, u: true })).map(({ path, value }) => [path, value]),
        [
          ["n", "abc"],
          ["b", "yes"],
          ["s", 3],
          ["u", true]
        ]
      )
      assert.deepStrictEqual(pathsOf(yield* judge(c, { n: "0x10", b: "", s: "", u: "" })), ["n", "b"])
    })
  )

  it.effect("the given value is not changed", () =>
    Effect.gen(function* () {
      const given = Object.freeze({ ...value, may: null, list: Object.freeze([Object.freeze({ may: null })]) })
      yield* accepts(contract, given)
      assert.deepStrictEqual(given, { ...value, may: null, list: [{ may: null }] })
    })
  )

  it.effect("a key named __proto__ is a key like any other", () =>
    Effect.gen(function* () {
      const c = Contract.compile(Schema.Record(Schema.String, Schema.Int))
      const decoded = yield* accepts(c, JSON.parse('{"__proto__":"3","a":"1"}'))
      assert.deepStrictEqual(Object.entries(decoded), [
        ["__proto__", 3],
        ["a", 1]
      ])
      assert.isUndefined(({} as Record<string, unknown>)["3"])
    })
  )
})

describe("findings", () => {
  it.effect("nothing found is one finding, in the scanner's words where it has some", () =>
    Effect.gen(function* () {
      const contract = Contract.compile(Schema.Int)
      const scan = { found: false, value: undefined, repaired: new Set<string>() }
      assert.deepStrictEqual(yield* Contract.judge(contract, scan), {
        _tag: "Rejected",
        findings: [{ path: "", kind: "parse", message: "The answer holds no JSON value of the declared structure" }]
      })
      const verdict = yield* Contract.judge(contract, { ...scan, detail: "No JSON in the answer" })
      assert.deepStrictEqual(verdict._tag === "Rejected" && verdict.findings[0].message, "No JSON in the answer")
    })
  )

  it.effect("all faults are found at once, one for each place, with the value", () =>
    Effect.gen(function* () {
      const contract = Contract.compile(
        Schema.Struct({
          title: Schema.String.check(Schema.isMinLength(3), Schema.isPattern(/^[a-z]+$/)),
          n: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3 })),
          role: Schema.Literals(["admin", "user"]),
          when: Schema.DateFromString,
          items: Schema.Array(Schema.Struct({ x: Schema.Boolean })),
          gone: Schema.String
        })
      )
      const findings = yield* findingsOf(contract, { title: "A", n: 9, role: "root", when: "soon", items: [{ x: 1 }] })
      assert.deepStrictEqual(findings, [
        {
          path: "title",
          kind: "invalid",
          message:
            "Invalid value at title: expected a value with a length of at least 3; expected a string matching the RegExp ^[a-z]+$",
          value: "A"
        },
        { path: "n", kind: "invalid", message: "Invalid value at n: expected a value between 1 and 3", value: 9 },
        { path: "role", kind: "invalid", message: 'Invalid value at role: expected "admin" | "user"', value: "root" },
        { path: "when", kind: "invalid", message: "Invalid value at when: expected a valid Date", value: "soon" },
        { path: "items[0].x", kind: "invalid", message: "Invalid value at items[0].x: expected boolean", value: 1 },
        { path: "gone", kind: "missing", message: "Missing key: gone" }
      ])
    })
  )

  it.effect("of an ensured place one finding stands, in the wording of ensure", () =>
    Effect.gen(function* () {
      const contract = Contract.compile(
        Schema.Struct({ a: Output.ensure(Schema.String.check(Schema.isMinLength(2)), "A", "notEmpty"), b: Schema.Int })
      )
      assert.deepStrictEqual(yield* findingsOf(contract, { a: "", b: "x" }), [
        { path: "a", kind: "empty", message: "Ensure key a must not be null, blank, or empty", value: "" },
        { path: "b", kind: "invalid", message: "Invalid value at b: expected number", value: "x" }
      ])
      assert.deepStrictEqual(yield* findingsOf(contract, { b: 1 }), [
        { path: "a", kind: "missing", message: "Missing ensure key: a" }
      ])
    })
  )

  it.effect("what is said of an ensured container covers what is in it", () =>
    Effect.gen(function* () {
      const contract = Contract.compile(
        Schema.Struct({ list: Output.ensure(Schema.Array(Schema.Int), "", "notEmpty") })
      )
      assert.deepStrictEqual(pathsOf(yield* judge(contract, { list: [null] })), ["list"])
      assert.deepStrictEqual(pathsOf(yield* judge(contract, { list: ["x"] })), ["list[0]"])
    })
  )

  it.effect("a check over the whole says what it wants, where it wants it", () =>
    Effect.gen(function* () {
      const Range = Schema.Struct({ from: Schema.Int, to: Schema.Int }).check(
        Schema.makeFilter((r) => r.from <= r.to || { path: ["to"], issue: "to must not be before from" })
      )
      const contract = Contract.compile(Schema.Struct({ range: Range }))
      assert.deepStrictEqual(yield* findingsOf(contract, { range: { from: 2, to: 1 } }), [
        {
          path: "range.to",
          kind: "invalid",
          message: "Invalid value at range.to: to must not be before from",
          value: 1
        }
      ])
    })
  )

  it.effect("a check that finds several faults says each in its own words", () =>
    Effect.gen(function* () {
      const Pair = Schema.Struct({ a: Schema.Int, b: Schema.Array(Schema.Int) }).check(
        Schema.makeFilter(({ a, b }) => [
          ...(a > 0 ? [] : [{ path: ["a"], issue: "must be above 0" }]),
          ...b.flatMap((n, index) => (n > 0 ? [] : [{ path: ["b", index], issue: "must not be 0" }]))
        ])
      )
      const contract = Contract.compile(Schema.Struct({ pair: Pair }))
      assert.deepStrictEqual(
        (yield* findingsOf(contract, { pair: { a: 0, b: [1, 0] } })).map(({ message }) => message),
        ["Invalid value at pair.a: must be above 0", "Invalid value at pair.b[1]: must not be 0"]
      )
      assert.deepStrictEqual(
        (yield* findingsOf(contract, { pair: { a: 1, b: [0] } })).map(({ message }) => message),
        ["Invalid value at pair.b[0]: must not be 0"]
      )
    })
  )
})

describe("salvage", () => {
  const schema = Schema.Struct({
    title: Output.ensure(Schema.String, "Title", "notEmpty"),
    owner: Person,
    items: Schema.Array(Schema.Struct({ text: Output.ensure(Schema.String), score: Schema.Int })),
    note: Schema.optionalKey(Schema.String)
  })
  const contract = Contract.compile(schema)

  it.effect("RV-03 gives back what there is when ensured leaves and their containers lack", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Contract.salvage(contract, { items: [{ score: 1 }], note: "n" }), {
        items: [{ score: 1 }],
        note: "n"
      })
      assert.deepStrictEqual(yield* Contract.salvage(contract, { title: null, owner: { age: 3 } }), {
        owner: { age: 3 }
      })
      assert.deepStrictEqual(yield* Contract.salvage(contract, { title: " ", items: [] }), { title: " ", items: [] })
      assert.deepStrictEqual(yield* Contract.salvage(contract, {}), {})
    })
  )

  it.effect("a class that is whole is an instance", () =>
    Effect.gen(function* () {
      const value = yield* Contract.salvage(contract, { title: "t", owner: { name: "Ada" }, items: [] })
      assert.instanceOf(value.owner, Person)
    })
  )

  it.effect("RV-12 any other violation of the Schema is never returned as data", () =>
    Effect.gen(function* () {
      for (const [value, path] of [
        [{ title: 5 }, "title"],
        [{ items: [{ text: "x" }] }, "items[0].score"],
        [{ owner: { age: "old" } }, "owner.age"],
        [{ note: 1 }, "note"],
        ["nothing", ""],
        [undefined, ""]
      ] as const) {
        const failed = yield* Effect.flip(Contract.salvage(contract, value))
        assert.deepStrictEqual(
          failed.map((finding) => finding.path),
          [path]
        )
      }
    })
  )

  it.effect("a Schema without marks is salvaged whole or not at all", () =>
    Effect.gen(function* () {
      const plain = Contract.compile(Schema.Struct({ a: Schema.Int }))
      assert.deepStrictEqual(yield* Contract.salvage(plain, { a: "1" }), { a: 1 })
      assert.deepStrictEqual((yield* Effect.flip(Contract.salvage(plain, {})))[0]?.kind, "missing")
    })
  )

  it.effect(
    "works through unions, recursion, records and transformed leaves; a check that cannot run on a part is passed over",
    () =>
      Effect.gen(function* () {
        interface Tree {
          readonly v: Date
          readonly kids: ReadonlyArray<Tree>
        }
        interface TreeEncoded {
          readonly v: string
          readonly kids: ReadonlyArray<TreeEncoded>
        }
        const Tree: Schema.Codec<Tree, TreeEncoded> = Schema.Struct({
          v: Output.ensure(Schema.DateFromString),
          kids: Schema.Array(Schema.suspend((): Schema.Codec<Tree, TreeEncoded> => Tree))
        }).check(Schema.makeFilter((tree) => tree.v.getTime() >= 0))
        const trees = Contract.compile(Tree)
        assert.deepStrictEqual(
          yield* Contract.salvage(trees, { kids: [{ v: "2020-01-01T00:00:00.000Z", kids: [] }] }),
          {
            kids: [{ v: new Date("2020-01-01T00:00:00.000Z"), kids: [] }]
          }
        )
        const early = yield* Effect.flip(
          Contract.salvage(trees, { kids: [{ v: "1960-01-01T00:00:00.000Z", kids: [] }] })
        )
        assert.deepStrictEqual(
          early.map(({ path }) => path),
          ["kids[0]"]
        )
        const forms = Contract.compile(
          Schema.Record(
            Schema.String,
            Schema.Union([
              Schema.TaggedStruct("a", { x: Output.ensure(Schema.Int) }),
              Schema.TaggedStruct("b", { y: Schema.Int })
            ])
          )
        )
        assert.deepStrictEqual(yield* Contract.salvage(forms, { k: { _tag: "a" } }), { k: { _tag: "a" } })
        assert.isTrue(Result.isFailure(yield* Effect.result(Contract.salvage(forms, { k: { _tag: "b" } }))))
      })
  )

  it.effect("a transformation of a container needs the whole of it", () =>
    Effect.gen(function* () {
      const Pair = Schema.Struct({ a: Output.ensure(Schema.String), b: Schema.String }).pipe(
        Schema.decodeTo(
          Schema.String,
          SchemaTransformation.transform({
            decode: ({ a, b }: { readonly a: string; readonly b: string }) => a + b,
            encode: (s: string) => ({ a: s, b: "" })
          })
        )
      )
      const c = Contract.compile(Schema.Struct({ pair: Pair, n: Schema.Int }))
      assert.deepStrictEqual(yield* accepts(c, { pair: { a: "1", b: "2" }, n: 1 }), { pair: "12", n: 1 })
      assert.deepStrictEqual(yield* Contract.salvage(c, { n: 1 }), { n: 1 })
      assert.deepStrictEqual(
        (yield* Effect.flip(Contract.salvage(c, { pair: { b: "2" }, n: 1 }))).map(({ path }) => path),
        ["pair.a"]
      )
    })
  )
})

describe("parts", () => {
  const schema = Schema.Struct({
    items: Schema.Array(
      Schema.Struct({ name: Output.ensure(Schema.String, "Name", "notEmpty"), when: Schema.DateFromString })
    ),
    team: Schema.Record(Schema.String, Person),
    pair: Schema.Tuple([Schema.String, Schema.Int]),
    form: Schema.Union([Schema.TaggedStruct("a", { v: Schema.Int }), Schema.TaggedStruct("b", { v: Schema.Boolean })]),
    free: Schema.Unknown
  }).annotate({ identifier: "Doc" })
  const contract = Contract.compile(schema)
  const part = (path: string) => Effect.fromResult(Contract.at(contract, path))

  it.effect("an item is judged by its own Schema, with its own marks", () =>
    Effect.gen(function* () {
      const item = yield* part("items[*]")
      assert.deepStrictEqual(yield* accepts(item, { name: "n", when: "2020-01-01T00:00:00.000Z" }), {
        name: "n",
        when: new Date("2020-01-01T00:00:00.000Z")
      })
      assert.deepStrictEqual(pathsOf(yield* judge(item, { name: "", when: "x" })), ["name", "when"])
      assert.deepStrictEqual(
        item.ensureKeys.map(({ path }) => path),
        ["name"]
      )
      assert.strictEqual(item.name, "Doc_items")
      assert.strictEqual(item.shape.kind, "object")
    })
  )

  it.effect("records, tuples, unions, leaves and parts of any type", () =>
    Effect.gen(function* () {
      assert.instanceOf(yield* accepts(yield* part("team.*"), { name: "Ada" }), Person)
      assert.strictEqual(yield* accepts(yield* part("team.ada.name"), "Ada"), "Ada")
      assert.strictEqual(yield* accepts(yield* part("pair[1]"), 3), 3)
      const either = yield* part("pair[*]")
      assert.strictEqual(yield* accepts(either, 3), 3)
      assert.strictEqual(yield* accepts(either, "x"), "x")
      assert.deepStrictEqual(pathsOf(yield* judge(either, true)), [""])
      const v = yield* part("form.v")
      assert.strictEqual(yield* accepts(v, 1), 1)
      assert.strictEqual(yield* accepts(v, true), true)
      assert.deepStrictEqual(pathsOf(yield* judge(v, "x")), [""])
      assert.deepStrictEqual(yield* accepts(yield* part("free.what.ever"), [1]), [1])
      assert.deepStrictEqual(yield* accepts(yield* part("/items/[*]/name"), "x"), "x")
    })
  )

  it.effect("a path that the Schema lacks is a typed error", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(part("items[*].nam"))
      assert.strictEqual(error._tag, "OutputPathError")
      assert.strictEqual(error.schema, "Doc")
      assert.strictEqual(error.nearest[0], "items[*].name")
      assert.deepStrictEqual(
        (yield* Effect.flip(Effect.fromResult(Contract.at(Contract.text, "x")))).message,
        'The output Schema "answer" has no path "x". It has no paths: its value is a scalar.'
      )
    })
  )

  it.effect("demands below the path go with the part", () =>
    Effect.gen(function* () {
      const keyed = yield* Effect.fromResult(Contract.withKeys(contract, { ensureKeys: ["items[*].when", "team"] }))
      const item = yield* Effect.fromResult(Contract.at(keyed, "items[*]"))
      assert.deepStrictEqual(
        item.ensureKeys.map(({ path }) => path),
        ["name", "when"]
      )
      const first = yield* Effect.fromResult(Contract.at(keyed, "items[0]"))
      assert.deepStrictEqual(
        first.ensureKeys.map(({ path }) => path),
        ["name", "when"]
      )
      const teams = yield* Effect.fromResult(Contract.withKeys(contract, { ensureKeys: ["team.*.age"] }))
      const ada = yield* Effect.fromResult(Contract.at(teams, "team.ada"))
      assert.deepStrictEqual(pathsOf(yield* judge(ada, { name: "Ada" })), ["age"])
      const free = yield* Effect.fromResult(Contract.withKeys(contract, { ensureKeys: [] }))
      assert.deepStrictEqual(yield* accepts(yield* Effect.fromResult(Contract.at(free, "items[*].name")), ""), "")
    })
  )
})
