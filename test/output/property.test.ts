// Random Schemas' worth of values: what a Schema encodes is what its contract accepts, an ensured leaf that is taken out is
// always found, and an independent reader of JSON Schema agrees with the projection.
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Equal, Schema } from "effect"
import { z } from "zod"
import * as Contract from "../../src/output/Contract.ts"
import * as Output from "../../src/output/Output.ts"
import * as Path from "../../src/parse/Path.ts"
import { judge } from "./support.ts"

interface Tree {
  readonly label: string
  readonly kids: ReadonlyArray<Tree>
}
const Tree: Schema.Codec<Tree> = Schema.Struct({
  label: Output.ensure(Schema.String, "Label"),
  kids: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
}).annotate({ identifier: "Tree" })

class Person extends Schema.Class<Person>("Person")({
  name: Output.ensure(Schema.String, "Name"),
  born: Schema.optionalKey(Schema.DateFromString)
}) {}

const schemas: Readonly<Record<string, Schema.Codec<unknown, unknown>>> = {
  shorthand: Output.make({
    title: Output.ensure(Schema.String, "Title"),
    items: [{ text: Output.ensure(Schema.String), score: Output.field(Schema.Finite, "0 to 1") }],
    box: { deep: { flag: Output.ensure(Schema.Boolean) }, other: Schema.String },
    note: Schema.String
  }),
  bounds: Schema.Struct({
    n: Schema.Int.check(Schema.isBetween({ minimum: -3, maximum: 3 })),
    s: Output.ensure(Schema.String.check(Schema.isBetweenLength(2, 5))),
    list: Schema.Array(Schema.Boolean).check(Schema.isBetweenLength(1, 3)),
    x: Schema.Number
  }),
  classes: Schema.Struct({ people: Schema.NonEmptyArray(Person), lead: Schema.optionalKey(Person) }),
  forms: Schema.Struct({
    form: Schema.Union([
      Schema.TaggedStruct("a", { v: Output.ensure(Schema.Int) }),
      Schema.TaggedStruct("b", { v: Output.ensure(Schema.NullOr(Schema.String)) }),
      Schema.TaggedStruct("c", { v: Schema.optionalKey(Schema.Array(Schema.Literals(["x", "y"]))) })
    ]),
    either: Schema.Union([Schema.Int, Schema.String, Schema.Null])
  }),
  containers: Schema.Struct({
    record: Schema.Record(Schema.String, Schema.Struct({ n: Output.ensure(Schema.Int) })),
    pair: Schema.Tuple([Schema.String, Output.ensure(Schema.Finite)]),
    rest: Schema.TupleWithRest(Schema.Tuple([Schema.Boolean]), [Schema.String]),
    maybe: Schema.optional(Schema.NullOr(Schema.String)),
    undef: Schema.UndefinedOr(Schema.Int)
  }),
  transformed: Schema.Struct({
    when: Output.ensure(Schema.DateFromString),
    renamed: Schema.Struct({ aB: Output.ensure(Schema.String) }).pipe(Schema.encodeKeys({ aB: "a_b" })),
    big: Schema.BigInt,
    option: Schema.Option(Schema.Int),
    num: Schema.FiniteFromString,
    set: Schema.HashSet(Schema.String)
  }),
  tree: Tree,
  scalar: Schema.Finite,
  text: Schema.String,
  list: Schema.Array(Schema.Struct({ id: Output.ensure(Schema.Int) }))
}

const samples = (schema: Schema.Codec<unknown, unknown>, seed: number) =>
  Arbitrary.sampleEffect(Arbitrary.schema(schema), { count: 100, seed, size: 6 })

const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

// All concrete places of a value that an ensure key stands for.
const places = (contract: Contract.Contract<unknown, unknown>, value: unknown) =>
  contract.ensureKeys.flatMap((key) =>
    Path.each(value, key.segments).flatMap((place) => (place.found && place.path.length > 0 ? [place.path] : []))
  )

const without = (
  value: unknown,
  path: ReadonlyArray<Path.Segment>
): { readonly value: unknown; readonly done: boolean } => {
  const copy = json(value)
  const parent = Path.get(
    copy,
    path.slice(0, -1).filter((s) => typeof s !== "object")
  )
  const last = path.at(-1)
  if (typeof last !== "string" || typeof parent !== "object" || parent === null) return { value: copy, done: false }
  return { value: copy, done: Reflect.deleteProperty(parent, last) }
}

for (const [name, schema] of Object.entries(schemas)) {
  describe(name, () => {
    const contract = Contract.compile(schema)
    const encode = Schema.encodeSync(Schema.toCodecJson(schema))

    it.effect("every encoded value is accepted and decodes to an equal value", () =>
      Effect.gen(function* () {
        for (const value of yield* samples(schema, 1)) {
          const wire = json(encode(value))
          const verdict = yield* judge(contract, wire)
          if (verdict._tag === "Rejected") assert.fail(`${JSON.stringify(wire)}: ${JSON.stringify(verdict.findings)}`)
          // What JSON does not tell apart (0 and -0) is equal once encoded.
          if (!Equal.equals(verdict.value, value)) {
            assert.deepStrictEqual(json(encode(verdict.value)), wire)
          }
        }
      })
    )

    it.effect("an ensured leaf that is taken out is found, there and nowhere else", () =>
      Effect.gen(function* () {
        let taken = 0
        for (const value of yield* samples(schema, 2)) {
          const wire = json(encode(value))
          for (const path of places(contract, wire)) {
            const cut = without(wire, path)
            if (!cut.done) continue
            taken++
            const verdict = yield* judge(contract, cut.value)
            const found = verdict._tag === "Rejected" ? verdict.findings.map((f) => [f.path, f.kind]) : []
            assert.deepStrictEqual(found, [[Path.print(path), "missing"]])
            // And what is left is not lost, a transformed container excepted, which needs the whole of it.
            if (path[0] !== "renamed") yield* Contract.salvage(contract, cut.value)
          }
        }
        const hasKeys = contract.ensureKeys.some((key) => typeof key.segments.at(-1) === "string")
        assert.strictEqual(taken > 0, hasKeys)
      })
    )

    it.effect("the JSON Schema takes what is encoded, by an independent reader", () =>
      Effect.gen(function* () {
        const reader = z.fromJSONSchema(contract.request.jsonSchema as Parameters<typeof z.fromJSONSchema>[0])
        for (const value of yield* samples(schema, 3)) {
          const wire = json(encode(value))
          // Numbers that JSON cannot write travel as texts, which no model is told about.
          // JSON Schema counts code points, Effect UTF-16 units.
          if (/[\uD800-\uDFFF]/.test(JSON.stringify(wire))) continue
          if (JSON.stringify(wire).includes("Infinity") || JSON.stringify(wire).includes("NaN")) continue
          // `optional` writes undefined as null, which reads as an absent key.
          const clean = yield* Effect.map(judge(contract, wire), () => dropUndefined(wire, contract))
          assert.isTrue(
            reader.safeParse(clean).success,
            `${JSON.stringify(clean)} against ${JSON.stringify(contract.request.jsonSchema)}`
          )
        }
      })
    )
  })
}

// A key that is optional and null on the wire is one that the JSON Schema wants absent, where null is not a value of it.
const dropUndefined = (value: unknown, contract: Contract.Contract<unknown, unknown>): unknown => {
  const properties = contract.request.jsonSchema["properties"]
  if (typeof value !== "object" || value === null || Array.isArray(value) || typeof properties !== "object")
    return value
  return Object.fromEntries(
    Object.entries(value).filter(
      ([key, item]) => item !== null || JSON.stringify(Reflect.get(properties ?? {}, key)).includes("null")
    )
  )
}
