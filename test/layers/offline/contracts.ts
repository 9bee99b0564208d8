/** Output contracts of many kinds, and inputs of many kinds. */
import { Schema } from "effect"

interface Tree {
  readonly label: string
  readonly children: ReadonlyArray<Tree>
}
const Tree: Schema.Codec<Tree> = Schema.Struct({
  label: Schema.String,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
}).annotate({ identifier: "Tree" })

type Expression =
  | { readonly _tag: "Number"; readonly value: number }
  | { readonly _tag: "Sum"; readonly left: Expression; readonly right: Expression }
const Expression: Schema.Codec<Expression> = Schema.Union([
  Schema.TaggedStruct("Sum", {
    left: Schema.suspend((): Schema.Codec<Expression> => Expression),
    right: Schema.suspend((): Schema.Codec<Expression> => Expression)
  }),
  Schema.TaggedStruct("Number", { value: Schema.Finite })
]).annotate({ identifier: "Expression" })

interface Linked {
  readonly value: number
  readonly next: Linked | null
  readonly other?: Linked
}
const Linked: Schema.Codec<Linked> = Schema.Struct({
  value: Schema.Int,
  next: Schema.NullOr(Schema.suspend((): Schema.Codec<Linked> => Linked)),
  other: Schema.optionalKey(Schema.suspend((): Schema.Codec<Linked> => Linked))
}).annotate({ identifier: "Linked" })

class Person extends Schema.Class<Person>("Person")({ name: Schema.NonEmptyString, age: Schema.Int }) {}

export const contracts: { readonly [name: string]: Schema.Codec<unknown, unknown> } = {
  "a text": Schema.String,
  "a number": Schema.Finite,
  "a list of texts": Schema.Array(Schema.String),
  "an object with optional keys": Schema.Struct({
    title: Schema.String,
    note: Schema.optionalKey(Schema.String),
    maybe: Schema.optional(Schema.Int)
  }),
  lengths: Schema.Struct({
    short: Schema.String.check(Schema.isMaxLength(7)),
    long: Schema.String.check(Schema.isMinLength(400)),
    exact: Schema.String.check(Schema.isMinLength(12), Schema.isMaxLength(12)),
    filled: Schema.NonEmptyString
  }),
  bounds: Schema.Struct({
    percent: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 })),
    open: Schema.Finite.check(Schema.isGreaterThan(0), Schema.isLessThan(0.001)),
    even: Schema.Int.check(Schema.isBetween({ minimum: 3, maximum: 5 }), Schema.isMultipleOf(2)),
    negative: Schema.Int.check(Schema.isLessThan(-10)),
    step: Schema.Finite.check(Schema.isGreaterThan(1000), Schema.isMultipleOf(0.25)),
    confidence: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
  }),
  enumerations: Schema.Struct({
    mood: Schema.Literals(["calm", "annoyed", "angry"]),
    priority: Schema.optionalKey(Schema.Literals([1, 2, 3])),
    one: Schema.Literal("only"),
    mixed: Schema.Literals(["none", 0, true])
  }),
  "lists with bounds": Schema.Struct({
    tags: Schema.Array(Schema.String).check(Schema.isMinLength(4), Schema.isMaxLength(4), Schema.isUnique()),
    three: Schema.Array(Schema.Int).check(Schema.isMinLength(3), Schema.isUnique()),
    few: Schema.Array(Schema.Struct({ text: Schema.String })).check(Schema.isMaxLength(1)),
    kinds: Schema.Array(Schema.Literals(["a", "b", "c"])).check(Schema.isUnique()),
    some: Schema.NonEmptyArray(Schema.String)
  }),
  tuples: Schema.Tuple([Schema.String, Schema.Int, Schema.optionalKey(Schema.Boolean)]),
  "a tuple with a rest": Schema.TupleWithRest(Schema.Tuple([Schema.String]), [Schema.Finite]),
  "tagged unions in a list": Schema.Array(
    Schema.Union([
      Schema.TaggedStruct("refund", { amount: Schema.Finite }),
      Schema.TaggedStruct("call", { phone: Schema.String })
    ])
  ),
  "a union of unlike things": Schema.Union([Schema.Struct({ a: Schema.String }), Schema.String, Schema.Null]),
  "null or a value": Schema.Struct({
    a: Schema.NullOr(Schema.String),
    b: Schema.Null,
    c: Schema.NullishOr(Schema.Int)
  }),
  records: Schema.Struct({
    scores: Schema.Record(Schema.String, Schema.Finite),
    notes: Schema.Record(Schema.String, Schema.Struct({ text: Schema.String })).check(Schema.isMinProperties(3)),
    prefixed: Schema.Record(Schema.TemplateLiteral(["x-", Schema.String]), Schema.String)
  }),
  "a struct with a rest": Schema.StructWithRest(Schema.Struct({ a: Schema.Int }), [
    Schema.Record(Schema.String, Schema.Int)
  ]),
  "a tree": Tree,
  "an expression": Expression,
  "a linked list": Linked,
  "a class": Person,
  "classes in a list": Schema.Struct({ people: Schema.Array(Person) }),
  formats: Schema.Struct({
    id: Schema.String.check(Schema.isUUID()),
    ulid: Schema.String.check(Schema.isULID()),
    big: Schema.BigInt,
    bytes: Schema.Uint8ArrayFromBase64,
    template: Schema.TemplateLiteral(["order-", Schema.Finite, "-", Schema.Literals(["a", "b"])])
  }),
  "text patterns": Schema.Struct({
    starts: Schema.String.check(Schema.isStartingWith("INV"), Schema.isEndingWith("!")),
    holds: Schema.String.check(Schema.isIncluding("@@")),
    lower: Schema.String.check(Schema.isLowercased()),
    upper: Schema.String.check(Schema.isUppercased(), Schema.isMinLength(3)),
    trimmed: Schema.String.check(Schema.isTrimmed())
  }),
  "dates by their names": Schema.Struct({ dueDate: Schema.DateTimeUtcFromString, createdAt: Schema.Date }),
  "options and maps": Schema.Struct({
    maybe: Schema.Option(Schema.String),
    map: Schema.ReadonlyMap(Schema.String, Schema.Int)
  }),
  anything: Schema.Struct({ any: Schema.Json, never: Schema.optionalKey(Schema.Never) }),
  deep: Schema.Struct({
    a: Schema.Struct({ b: Schema.Array(Schema.Struct({ c: Schema.Array(Schema.Array(Schema.Boolean)) })) })
  }),
  "odd keys": Schema.Struct({ "__proto__ ": Schema.String, "a.b": Schema.Int, "": Schema.Boolean, über: Schema.String })
}

export const inputs: { readonly [name: string]: string } = {
  nothing: "",
  "one word": "hello",
  "a question": "Where is order AB-1234 that I placed on 3 March 2026?",
  "a letter":
    "From: Ada Lovelace <ada@example.com>\nSubject: Broken engine\n\nDear team,\n\nThe engine broke twice. Please send a new one before 4 May.\n\nRegards,\nAda",
  JSON: '{"title": "From JSON", "age": 36, "percent": 250, "mood": "annoyed"}',
  "another script": "您好。我的订单没有到。请退款！",
  signs: '😀 \u0000 [INPUT] \\" {}} ```json null ``` <think> %%% $1 (((',
  "a wall of text": "word ".repeat(5_000)
}
