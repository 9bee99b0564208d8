// Types of the output contract, checked by tsc: what does not compile here is a broken promise to the user's editor.
import type { Brand, DateTime, Option } from "effect"
import { Schema } from "effect"
import type { StandardSchemaV1 } from "effect/StandardSchema"
import { type } from "arktype"
import * as v from "valibot"
import { z } from "zod"
import * as Contract from "../../src/output/Contract.ts"
import * as Output from "../../src/output/Output.ts"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const exactly = <A, B>(_same: Equal<A, B>): void => undefined

// --- the shorthand

const T = Output.make({
  title: Output.ensure(Schema.String, "Title"),
  items: [{ text: Output.ensure(Schema.String, "Bullet"), score: Output.field(Schema.Number, "x") }],
  nested: { a: Output.field(Schema.String, "a") }
})
type X = (typeof T)["Type"]

exactly<
  X,
  {
    readonly title: string
    readonly items: ReadonlyArray<{ readonly text: string; readonly score?: number }>
    readonly nested?: { readonly a?: string }
  }
>(true)
exactly<(typeof T)["DecodingServices"], never>(true)
exactly<(typeof T)["Encoded"], X>(true)

const whole: X = { title: "a", items: [{ text: "b" }] }
// @ts-expect-error an ensured leaf is a required property
const noTitle: X = { items: [] }
// @ts-expect-error a container that holds an ensured leaf is a required property
const noItems: X = { title: "a" }
void [whole, noTitle, noItems]

// A bare Schema is an optional leaf; the type of a transformed leaf is the decoded one.
const Dated = Output.make({
  when: Output.ensure(Schema.DateFromString),
  plain: Schema.String,
  deep: { x: { y: Output.ensure(Schema.Int) } }
})
exactly<
  (typeof Dated)["Type"],
  { readonly when: Date; readonly deep: { readonly x: { readonly y: number } }; readonly plain?: string }
>(true)
exactly<
  (typeof Dated)["Encoded"],
  { readonly when: string; readonly deep: { readonly x: { readonly y: number } }; readonly plain?: string }
>(true)

// In a plain Schema the marks leave the type as it is.
const Plain = Schema.Struct({
  title: Output.ensure(Schema.String, "Title"),
  tags: Output.ensure(Schema.Array(Schema.String), "Tags", "notEmpty"),
  note: Schema.optionalKey(Output.field(Schema.String, "Note"))
})
exactly<
  (typeof Plain)["Type"],
  { readonly title: string; readonly tags: ReadonlyArray<string>; readonly note?: string }
>(true)
class Owner extends Schema.Class<Owner>("Owner")({ name: Output.ensure(Schema.String, "Name"), age: Schema.Int }) {
  label(): string {
    return this.name
  }
}
exactly<Owner["name"], string>(true)

// @ts-expect-error the levels are known
void Output.ensure(Schema.String, "x", "nonsense")

// --- paths

exactly<Output.Paths<X>, "title" | "items" | "items[*]" | "items[*].text" | "items[*].score" | "nested" | "nested.a">(
  true
)

declare const select: <const P extends Output.Paths<X>>(path: P) => Output.At<X, P>
exactly<ReturnType<typeof select<"items[*].text">>, string>(true)
// @ts-expect-error the Schema has no such path
void (() => select("items[*].nope"))
// @ts-expect-error an array has no named keys
void (() => select("items.text"))

exactly<Output.At<X, "items[*]">, { readonly text: string; readonly score?: number }>(true)
exactly<Output.At<X, "items">, ReadonlyArray<{ readonly text: string; readonly score?: number }>>(true)
// What is at a path is there: an optional key does not add `undefined`.
exactly<Output.At<X, "items[*].score">, number>(true)
exactly<Output.At<X, "nested.a">, string>(true)
exactly<Output.At<X, "items[0].text">, string>(true)
exactly<Output.At<X, "">, X>(true)
exactly<Output.At<X, "nope">, never>(true)

// Leaves: dates, brands, class instances of libraries, functions.
type Id = string & Brand.Brand<"Id">
exactly<
  Output.Paths<{
    readonly date: Date
    readonly id: Id
    readonly map: Map<string, { readonly a: 1 }>
    readonly set: ReadonlySet<string>
    readonly option: Option.Option<{ readonly a: 1 }>
    readonly utc: DateTime.Utc
    readonly url: URL
    readonly bytes: Uint8Array
    readonly regexp: RegExp
  }>,
  "date" | "id" | "map" | "set" | "option" | "utc" | "url" | "bytes" | "regexp"
>(true)

// A class of plain data has its data properties as paths; its methods are none.
exactly<Output.Paths<{ readonly owner: Owner }>, "owner" | "owner.name" | "owner.age">(true)

// Unions distribute; null and undefined do not stand in the way.
type U = {
  readonly u:
    | { readonly kind: "a"; readonly x: number }
    | { readonly kind: "b"; readonly y: ReadonlyArray<string> }
    | null
}
exactly<Output.Paths<U>, "u" | "u.kind" | "u.x" | "u.y" | "u.y[*]">(true)
exactly<Output.At<U, "u.kind">, "a" | "b">(true)
exactly<Output.At<U, "u.x">, number>(true)
exactly<Output.At<U, "u.y[*]">, string>(true)

// Records, tuples, arrays of arrays, arrays at the root.
exactly<
  Output.Paths<{ readonly rec: { readonly [key: string]: { readonly n: number } } }>,
  "rec" | "rec.*" | "rec.*.n"
>(true)
exactly<Output.At<{ readonly rec: { readonly [key: string]: { readonly n: number } } }, "rec.*.n">, number>(true)
exactly<Output.At<{ readonly rec: { readonly [key: string]: { readonly n: number } } }, "rec.some.n">, number>(true)
exactly<
  Output.Paths<{ readonly pair: readonly [string, { readonly n: number }] }>,
  "pair" | "pair[0]" | "pair[1]" | "pair[1].n" | "pair[*]" | "pair[*].n"
>(true)
exactly<Output.At<{ readonly pair: readonly [string, { readonly n: number }] }, "pair[1].n">, number>(true)
exactly<Output.At<{ readonly pair: readonly [string, number] }, "pair[0]">, string>(true)
exactly<Output.Paths<ReadonlyArray<ReadonlyArray<number>>>, "[*]" | "[*][*]">(true)
exactly<Output.At<ReadonlyArray<{ readonly a: ReadonlyArray<ReadonlyArray<boolean>> }>, "[*].a[*][*]">, boolean>(true)
exactly<Output.Paths<string>, never>(true)

// Keys that would read as syntax are quoted.
exactly<
  Output.Paths<{ readonly "a.b": { readonly c: 1 }; readonly x: { readonly "y/z": 1 } }>,
  '["a.b"]' | '["a.b"].c' | "x" | 'x["y/z"]'
>(true)
exactly<Output.At<{ readonly "a.b": { readonly c: 1 } }, '["a.b"].c'>, 1>(true)
exactly<Output.At<{ readonly x: { readonly "y.z": { readonly q: 2 } } }, 'x["y.z"].q'>, 2>(true)

// Six steps are listed; below, in recursive types and in unknown parts any string is taken.
interface Tree {
  readonly v: string
  readonly kids: ReadonlyArray<Tree>
}
const deep: ReadonlyArray<Output.Paths<Tree>> = [
  "v",
  "kids[*].v",
  "kids[*].kids[*].v",
  "kids[*].kids[*].kids[*].kids[*].v"
]
// @ts-expect-error within six steps a recursive type is checked
const wrong: Output.Paths<Tree> = "kids[*].nope"
exactly<Output.At<Tree, "kids[*].kids[*].v">, string>(true)
const open: ReadonlyArray<
  Output.Paths<{
    readonly u: unknown
    readonly a: { readonly b: { readonly c: { readonly d: { readonly e: { readonly f: { readonly g: number } } } } } }
  }>
> = ["u", "u.what[*].ever", "u[3]", "a.b.c.d.e.f", "a.b.c.d.e.f.g"]
exactly<Output.At<{ readonly u: unknown }, "u.what">, unknown>(true)
exactly<
  Output.At<
    {
      readonly a: { readonly b: { readonly c: { readonly d: { readonly e: { readonly f: { readonly g: number } } } } } }
    },
    "a.b.c.d.e.f.g"
  >,
  number
>(true)
exactly<Output.Paths<unknown>, string>(true)
void [deep, wrong, open]

// --- partial values

exactly<
  Output.Partial<{
    readonly a: string
    readonly l: ReadonlyArray<{ readonly d: Date }>
    readonly t: readonly [1, { readonly x: 1 }]
  }>,
  {
    readonly a?: string
    readonly l?: ReadonlyArray<{ readonly d?: Date }>
    readonly t?: readonly [1, { readonly x?: 1 }]
  }
>(true)
exactly<Output.Partial<string>, string>(true)
exactly<Output.Partial<unknown>, unknown>(true)

// A growing text is any text; what is decoded from it is not there yet.
exactly<
  Output.DeepPartial<{
    readonly kind: "a" | "b"
    readonly n: number | null
    readonly l: ReadonlyArray<{ readonly s: string }>
    readonly d: Date
  }>,
  {
    readonly kind?: string
    readonly n?: number | null
    readonly l?: ReadonlyArray<{ readonly s?: string }>
    readonly d?: unknown
  }
>(true)

// --- sources

const shorthand = { title: Output.ensure(Schema.String), n: Schema.Int }
exactly<Output.TypeOf<typeof shorthand>, { readonly title: string; readonly n?: number }>(true)
exactly<Output.TypeOf<typeof Plain>, (typeof Plain)["Type"]>(true)
const Zod = z.object({ a: z.string(), n: z.string().transform(Number), o: z.number().optional() })
exactly<Output.TypeOf<typeof Zod>, StandardSchemaV1.InferOutput<typeof Zod>>(true)
exactly<Output.EncodedOf<typeof Zod>["n"], string>(true)
const Ark = type({ a: "string" })
exactly<Output.TypeOf<typeof Ark>, { a: string }>(true)
exactly<Output.ServicesOf<typeof Zod>, never>(true)
exactly<Output.ServicesOf<typeof shorthand>, never>(true)

const sources: ReadonlyArray<Output.Source> = [
  Schema.String,
  Plain,
  Owner,
  shorthand,
  Zod,
  Ark,
  { list: [{ a: Schema.String }] }
]
// @ts-expect-error a text is no output
const noSource: Output.Source = "string"
// @ts-expect-error an array in shorthand has one node
const twoNodes: Output.Source = { a: [Schema.String, Schema.Int] }
void [sources, noSource, twoNodes]

const fromZod = Output.fromStandard(Zod)
exactly<(typeof fromZod)["Type"], StandardSchemaV1.InferOutput<typeof Zod>>(true)
const Valibot = v.object({ a: v.string(), o: v.optional(v.number()) })
// @ts-expect-error Valibot does not know its JSON Schema
void (() => Output.fromStandard(Valibot))
const fromValibot = Output.fromStandard(Valibot, { type: "object", properties: { a: { type: "string" } } })
exactly<(typeof fromValibot)["Type"], { a: string; o?: number | undefined }>(true)

// --- contracts

const contract = Contract.compile(T)
exactly<typeof contract, Contract.Contract<X, never>>(true)
const ofSource = Contract.compile(Output.toSchema(shorthand))
exactly<typeof ofSource, Contract.Contract<{ readonly title: string; readonly n?: number }, never>>(true)
// A contract is covariant: one of a narrower type stands where a wider one is asked for.
const wider: Contract.Contract<unknown, unknown> = contract
void wider
