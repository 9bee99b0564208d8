// Standard Schemas as outputs: the real libraries, their JSON Schemas, their validators, their issues.
import { assert, describe, it } from "@effect/vitest"
import { type } from "arktype"
import { Effect, Result, Schema } from "effect"
import type { StandardSchemaV1 } from "effect/StandardSchema"
import * as v from "valibot"
import { z } from "zod"
import * as Contract from "../../src/output/Contract.ts"
import { OutputSourceError } from "../../src/output/OutputError.ts"
import * as Output from "../../src/output/Output.ts"
import { accepts, findingsOf, judge, pathsOf } from "./support.ts"

describe("Zod", () => {
  const schema = z.object({
    title: z.string().min(3).describe("Title"),
    stars: z.number().int().min(1).max(5).optional(),
    role: z.enum(["a", "b"]),
    length: z.string().transform((text) => text.length),
    tags: z.array(z.string()).min(1),
    scores: z.record(z.string(), z.number()),
    pair: z.tuple([z.string(), z.number()]),
    contact: z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("email"), email: z.string() }),
      z.object({ kind: z.literal("phone"), phone: z.string() })
    ]),
    nul: z.string().nullable(),
    def: z.number().default(7)
  })
  const contract = Contract.compile(Output.toSchema(schema))
  const wire = {
    title: "abc",
    role: "a",
    length: "four",
    tags: ["t"],
    scores: { x: 1 },
    pair: ["p", 2],
    contact: { kind: "email", email: "e" },
    nul: null
  }

  it("is rendered by its JSON Schema", () => {
    assert.strictEqual(
      contract.promptText,
      `Data Format: JSON
Data Structure:
{
  "title": <str>, // Title
  "stars": <int>,
  "role": <"a" | "b">,
  "length": <str>,
  "tags": [
    <str>,
    ...
  ],
  "scores": {
    "<key>": <float>,
    ...
  },
  "pair": [
    <str>,
    <float>
  ],
  "contact": one of:
    {
      "kind": "email",
      "email": <str>
    }
  or:
    {
      "kind": "phone",
      "phone": <str>
    },
  "nul": <str>,
  "def": <float>
}

Field requirements:
- title: Title; required key; length: >= 3 characters
- stars: optional key; value: >= 1 and <= 5
- role: required key
- length: required key
- tags: required key; item count: >= 1
- scores: required key
- pair: required key
- contact: required key
- contact.email: required key; where kind is "email"
- contact.phone: required key; where kind is "phone"
- nul: required key; null is allowed
- def: optional key; default: 7`
    )
    assert.strictEqual(contract.shape.kind, "object")
  })

  it.effect("is decoded by its validator: transforms and defaults apply, null means absent", () =>
    Effect.gen(function* () {
      const value: z.output<typeof schema> = yield* accepts(contract, { ...wire, stars: null })
      assert.deepStrictEqual(value, {
        title: "abc",
        role: "a",
        length: 4,
        tags: ["t"],
        scores: { x: 1 },
        pair: ["p", 2],
        contact: { kind: "email", email: "e" },
        nul: null,
        def: 7
      })
      assert.strictEqual((yield* accepts(contract, { ...wire, stars: "3" })).stars, 3)
    })
  )

  it.effect("its issues are findings with paths, in its own words", () =>
    Effect.gen(function* () {
      const findings = yield* findingsOf(contract, {
        ...wire,
        title: "x",
        role: "c",
        tags: [1],
        contact: { kind: "email" }
      })
      assert.deepStrictEqual(
        findings.map(({ kind, path, value }) => [path, kind, value]),
        [
          ["title", "invalid", "x"],
          ["role", "invalid", "c"],
          ["tags[0]", "invalid", 1],
          ["contact.email", "invalid", undefined]
        ]
      )
      assert.match(findings[0]?.message ?? "", /^Invalid value at title: too small/)
    })
  )

  it.effect("ensure keys, parts and salvage work on it", () =>
    Effect.gen(function* () {
      const keyed = yield* Effect.fromResult(Contract.withKeys(contract, { ensureKeys: ["stars", "tags[*]"] }))
      assert.deepStrictEqual(pathsOf(yield* judge(keyed, wire)), ["stars"])
      const tag = yield* Effect.fromResult(Contract.at(contract, "tags[*]"))
      assert.strictEqual(yield* accepts(tag, "x"), "x")
      assert.deepStrictEqual(pathsOf(yield* judge(tag, 1)), [""])
      const email = yield* Effect.fromResult(Contract.at(contract, "contact"))
      assert.deepStrictEqual(pathsOf(yield* judge(email, { kind: "phone" })), ["phone"])
      assert.isTrue(Result.isFailure(yield* Effect.result(Contract.salvage(contract, {}))))
    })
  )

  it.effect("an asynchronous validator is awaited", () =>
    Effect.gen(function* () {
      const taken = z
        .object({ name: z.string() })
        .refine(async ({ name }) => name !== "root", { path: ["name"], message: "is taken" })
      const names = Contract.compile(Output.toSchema(taken))
      assert.deepStrictEqual(yield* accepts(names, { name: "ada" }), { name: "ada" })
      assert.deepStrictEqual(yield* findingsOf(names, { name: "root" }), [
        { path: "name", kind: "invalid", message: "Invalid value at name: is taken", value: "root" }
      ])
    })
  )

  it.effect("recursion", () =>
    Effect.gen(function* () {
      const Node = z.object({
        name: z.string(),
        get kids() {
          return z.array(Node)
        }
      })
      const tree = Contract.compile(Output.toSchema(Node))
      assert.deepStrictEqual(yield* accepts(tree, { name: "a", kids: [{ name: "b", kids: [] }] }), {
        name: "a",
        kids: [{ name: "b", kids: [] }]
      })
      assert.deepStrictEqual(pathsOf(yield* judge(tree, { name: "a", kids: [{ name: 1, kids: [] }] })), [
        "kids[0].name"
      ])
      assert.include(tree.promptText ?? "", "<Root>")
      assert.isDefined(tree.request.strict.openai)
    })
  )

  it("what has no JSON Schema is refused with the reason", () => {
    const failed = Result.try(() => Output.toSchema(z.object({ at: z.date() })))
    assert.isTrue(Result.isFailure(failed) && failed.failure instanceof OutputSourceError)
    assert.match(
      String(Result.isFailure(failed) && failed.failure),
      /A schema of zod cannot be used as an output: its JSON Schema cannot be made: .*Date/
    )
  })

  it("is one Schema for one source", () => {
    assert.strictEqual(Output.toSchema(schema), Output.toSchema(schema))
  })
})

describe("ArkType", () => {
  it.effect("is rendered, decoded and judged", () =>
    Effect.gen(function* () {
      const schema = type({ title: "string >= 3", "n?": "number.integer", role: "'a'|'b'", list: "string[]" })
      const contract = Contract.compile(Output.toSchema(schema))
      const value: typeof schema.infer = yield* accepts(contract, { title: "abc", n: null, role: "a", list: ["x"] })
      assert.deepStrictEqual(value, { title: "abc", role: "a", list: ["x"] })
      assert.deepStrictEqual([...pathsOf(yield* judge(contract, { title: "ab", role: "z", list: [1] }))].sort(), [
        "list[0]",
        "role",
        "title"
      ])
      assert.include(contract.promptText ?? "", "- title: required key; length: >= 3 characters")
    })
  )
})

describe("Valibot", () => {
  const schema = v.object({ a: v.pipe(v.string(), v.minLength(3)), n: v.optional(v.number()) })

  it("does not know its JSON Schema, and says what to do", () => {
    const failed = Result.try(() => Output.fromStandard(schema as never))
    assert.match(
      String(Result.isFailure(failed) && failed.failure),
      /A schema of valibot .* give it as the second argument of Output\.fromStandard/
    )
  })

  it.effect("is judged by its validator with a JSON Schema of any dialect", () =>
    Effect.gen(function* () {
      const draft07 = {
        $schema: "http://json-schema.org/draft-07/schema#",
        type: "object",
        definitions: { short: { type: "string", minLength: 3, description: "A" } },
        properties: { a: { $ref: "#/definitions/short" }, n: { type: "number", nullable: true } },
        required: ["a"],
        not: { required: ["b"] }
      }
      const contract = Contract.compile(Output.fromStandard(schema, draft07))
      const value: v.InferOutput<typeof schema> = yield* accepts(contract, { a: "abc", n: 1 })
      assert.deepStrictEqual(value, { a: "abc", n: 1 })
      assert.deepStrictEqual(pathsOf(yield* judge(contract, { a: "x" })), ["a"])
      assert.include(contract.promptText ?? "", "- a: A; required key; length: >= 3 characters")
      assert.include(contract.promptText ?? "", "- n: optional key; null is allowed")
    })
  )
})

describe("any other validator", () => {
  const of = (validate: StandardSchemaV1<unknown, unknown>["~standard"]["validate"]): StandardSchemaV1 => ({
    "~standard": { version: 1, vendor: "own", validate }
  })
  const json = { type: "object", properties: { a: { type: "string" } } }

  it.effect("one that throws or rejects is a finding, not a crash", () =>
    Effect.gen(function* () {
      for (const validate of [
        () => {
          throw new Error("boom")
        },
        () => Promise.reject(new Error("boom"))
      ]) {
        const contract = Contract.compile(Output.fromStandard(of(validate), json))
        const [finding] = yield* findingsOf(contract, {})
        assert.strictEqual(finding?.message, "Invalid answer: the validator failed: Error: boom")
      }
    })
  )

  it.effect("issues with path segments as objects, and issues without any", () =>
    Effect.gen(function* () {
      const issues = [{ message: "no", path: [{ key: "a" }, { key: 0 }] }]
      assert.deepStrictEqual(
        pathsOf(
          yield* judge(
            Contract.compile(
              Output.fromStandard(
                of(() => ({ issues })),
                json
              )
            ),
            {}
          )
        ),
        ["a[0]"]
      )
      assert.deepStrictEqual(
        pathsOf(
          yield* judge(
            Contract.compile(
              Output.fromStandard(
                of(() => ({ issues: [] })),
                json
              )
            ),
            {}
          )
        ),
        [""]
      )
    })
  )

  it("a JSON Schema that cannot be read is refused", () => {
    const failed = Result.try(() =>
      Output.fromStandard(
        of((value) => ({ value })),
        { $ref: "#/$defs/Gone" }
      )
    )
    assert.match(
      String(Result.isFailure(failed) && failed.failure),
      /A schema of own .* its JSON Schema cannot be read/
    )
  })

  it("an open object takes further keys, a declared one does not", () => {
    const keys = (jsonSchema: Record<string, unknown>) => {
      const { shape } = Contract.compile(
        Output.fromStandard(
          of((value) => ({ value })),
          jsonSchema
        )
      )
      return shape.kind === "object" ? [[...shape.keys.keys()], shape.rest !== undefined] : shape.kind
    }
    assert.deepStrictEqual(keys(json), [["a"], false])
    assert.deepStrictEqual(keys({ ...json, additionalProperties: {} }), [["a"], true])
    assert.deepStrictEqual(keys({ type: "object" }), [[], true])
  })
})

describe("toSchema", () => {
  it("takes Schemas as they are and shorthands by their meaning", () => {
    const schema = Schema.Struct({ a: Schema.Int })
    assert.strictEqual(Output.toSchema(schema), schema)
    assert.deepStrictEqual(Schema.decodeUnknownSync(Output.toSchema({ a: Output.ensure(Schema.Int) }))({ a: 1 }), {
      a: 1
    })
    class Person extends Schema.Class<Person>("Person")({ name: Schema.String }) {}
    assert.strictEqual(Output.toSchema(Person), Person as never)
  })
})
