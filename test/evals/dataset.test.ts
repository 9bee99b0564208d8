// Datasets: ids, JSONL with its faults, choosing by condition and chance.
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema, Stream } from "effect"
import { Dataset } from "effigent/evals"

const Letters = Dataset.format({ name: "letters", input: Schema.String, expected: Schema.Boolean })
const Any = Dataset.format({ name: "any", input: Schema.Json, expected: Schema.UndefinedOr(Schema.Json) })
const line = (value: unknown) => JSON.stringify(value)
const faultOf = (text: string) => Effect.map(Effect.flip(Dataset.fromJsonl(Letters, text)), ({ message }) => message)

describe("a dataset of values", () => {
  it.effect("makes ids of inputs, which stay when cases are added", () =>
    Effect.gen(function* () {
      const of = (...inputs: ReadonlyArray<string>) =>
        Effect.map(
          Dataset.make({ name: "words", input: Schema.String, cases: inputs.map((input) => ({ input })) }),
          ({ cases }) => cases.map(({ id }) => id)
        )
      const [a, b] = yield* of("a", "b")
      assert.deepStrictEqual(yield* of("b", "c", "a"), [b, (yield* of("c"))[0], a])
      // Twice the same input is two cases.
      assert.deepStrictEqual(yield* of("a", "a"), [a, `${a}-2`])
    })
  )

  it.effect("makes ids of many equal inputs in linear time", () =>
    Effect.gen(function* () {
      const cases = Array.from({ length: 20_000 }, () => ({ input: "same" }))
      const begun = performance.now()
      const same = yield* Dataset.make({ name: "same", input: Schema.String, cases })
      assert.isBelow(performance.now() - begun, 3_000)
      assert.lengthOf(new Set(same.cases.map(({ id }) => id)), 20_000)
    })
  )

  it.effect("tells an id that stands twice, and a value that has no JSON form", () =>
    Effect.gen(function* () {
      const twice = yield* Effect.flip(
        Dataset.make({
          name: "words",
          input: Schema.String,
          cases: [
            { id: "x", input: "a" },
            { id: "x", input: "b" }
          ]
        })
      )
      assert.strictEqual(
        twice.message,
        'Dataset words, line 2: the id "x" stands in line 1 already. Give every case an id of its own, or none.'
      )
      const none = yield* Dataset.make({ name: "any", input: Schema.Unknown, cases: [{ id: "f", input: () => 1 }] })
      assert.include((yield* Effect.flip(Dataset.encode(none))).message, "the case f has no JSON form")
      const circle: { self?: unknown } = {}
      circle.self = circle
      for (const input of [circle, () => 1]) {
        const unnamed = yield* Effect.flip(Dataset.make({ name: "any", input: Schema.Unknown, cases: [{ input }] }))
        assert.strictEqual(
          unnamed.message,
          "Dataset any, line 1: the input has no JSON form to make an id of. Give JSON values."
        )
      }
      // A BigInt has one.
      const big = yield* Dataset.make({ name: "big", input: Schema.BigInt, cases: [{ input: 1n }, { input: 2n }] })
      assert.lengthOf(new Set(big.cases.map(({ id }) => id)), 2)
    })
  )

  it.effect("encodes by its Schemas, and its digest changes with each of its parts", () =>
    Effect.gen(function* () {
      const of = (options: { readonly at?: string; readonly expected?: number; readonly tag?: string }) =>
        Effect.flatMap(
          Dataset.make({
            name: "days",
            input: Schema.Struct({ at: Schema.DateFromString }),
            expected: Schema.Finite,
            cases: [
              {
                input: { at: new Date(options.at ?? "2026-01-01") },
                expected: options.expected ?? 1,
                tags: [options.tag ?? "t"]
              }
            ]
          }),
          Dataset.encode
        )
      const [first] = yield* of({})
      assert.deepStrictEqual(first?.input, { at: "2026-01-01T00:00:00.000Z" })
      const digests = new Set<string>()
      for (const change of [{}, {}, { at: "2026-01-02" }, { expected: 2 }, { tag: "u" }])
        digests.add(Dataset.digest(yield* of(change)))
      assert.strictEqual(digests.size, 4)
    })
  )
})

describe("JSONL", () => {
  it.effect("is read with a byte order mark, CRLF, blank lines and no last line end", () =>
    Effect.gen(function* () {
      const text = `\uFEFF${line({ id: "a", input: "x", expected: true })}\r\n\r\n  \n${line({ id: 7, input: "y", expected: false, tags: ["t"], other: 1 })}`
      const { cases } = yield* Dataset.fromJsonl(Letters, text)
      assert.deepStrictEqual(cases, [
        { id: "a", input: "x", expected: true, tags: [] },
        { id: "7", input: "y", expected: false, tags: ["t"] }
      ])
      assert.deepStrictEqual((yield* Dataset.fromJsonl(Letters, "")).cases, [])
    })
  )

  it.effect("tells what is wrong with its line", () =>
    Effect.gen(function* () {
      const good = line({ id: "a", input: "x", expected: true })
      assert.match(
        yield* faultOf(`${good}\n\n{"input": `),
        /^Dataset letters, line 3: it is no JSON .*Write one object/
      )
      assert.match(yield* faultOf("[1]"), /^Dataset letters, line 1: .*A case is \{"input"/s)
      assert.match(yield* faultOf(`${good}\n{"expected":true}`), /line 2: .*Missing key/s)
      assert.match(yield* faultOf('{"input":1,"expected":true}'), /line 1: the input does not fit: Expected string/)
      assert.match(yield* faultOf('{"input":"x"}'), /line 1: there is no expected answer/)
      assert.match(yield* faultOf('{"input":"x","expected":3}'), /line 1: the expected answer does not fit/)
      assert.match(yield* faultOf(`${good}\n\n${good}`), /line 3: the id "a" stands in line 1 already/)
    })
  )

  const texts = Arbitrary.schema(
    Schema.Array(Schema.Struct({ input: Schema.Json, expected: Schema.Json, tags: Schema.Array(Schema.String) }))
  )
  it.effect.prop(
    "is read as it was written, cut into pieces anywhere, in the middle of a character too",
    [texts, Arbitrary.schema(Schema.Int)],
    ([values, seed]) =>
      Effect.gen(function* () {
        const cases = values.map((value, at) => ({ id: `c${at}`, ...value }))
        const bytes = new TextEncoder().encode(cases.map((one) => `${line(one)}\n`).join("é\n".slice(1)))
        const pieces: Array<Uint8Array> = []
        for (let at = 0, size = 1; at < bytes.length; at += size) {
          size = 1 + (Math.abs(seed + at) % 7)
          pieces.push(bytes.subarray(at, at + size))
        }
        const read = yield* Dataset.fromJsonl(Any, Stream.fromIterable(pieces))
        assert.deepStrictEqual(
          read.cases.map(({ expected, id, input, tags }) => ({ id, input, expected, tags })),
          JSON.parse(line(cases))
        )
      })
  )

  it.effect("is read one case after the other: a huge file is not held, and reading stops where enough is read", () =>
    Effect.gen(function* () {
      let pulled = 0
      const endless = Stream.map(
        Stream.iterate(0, (n) => n + 1),
        (n) => {
          pulled++
          return `${line({ input: `letter ${n}`, expected: true })}\n`
        }
      ).pipe(Stream.rechunk(1))
      const some = yield* Dataset.collect(
        Letters,
        Dataset.read(Letters, endless).pipe(
          Stream.filter(({ input }) => input.endsWith("0")),
          Stream.take(3)
        )
      )
      assert.deepStrictEqual(
        some.cases.map(({ input }) => input),
        ["letter 0", "letter 10", "letter 20"]
      )
      assert.isAtMost(pulled, 40)
    })
  )
})

describe("choosing", () => {
  const hundred = Dataset.make({
    name: "numbers",
    input: Schema.Finite,
    cases: Array.from({ length: 100 }, (_, n) => ({ input: n, tags: n % 2 === 0 ? ["even"] : ["odd"] }))
  })

  it.effect("by tag, by chance with a seed in the order of the dataset, and in two parts", () =>
    Effect.gen(function* () {
      const all = yield* hundred
      const inputs = (data: Dataset.Dataset<number, undefined>) => data.cases.map(({ input }) => input)
      assert.lengthOf(inputs(Dataset.tagged(all, "even")), 50)
      const ten = inputs(Dataset.sample(all, 10, 3))
      assert.deepStrictEqual(ten, inputs(Dataset.sample(all, 10, 3)))
      assert.deepStrictEqual(
        ten,
        ten.toSorted((a, b) => a - b)
      )
      assert.notDeepEqual(ten, inputs(Dataset.sample(all, 10, 4)))
      // A smaller sample of a seed is part of a larger one.
      assert.includeMembers(inputs(Dataset.sample(all, 30, 3)), ten)
      const [first, rest] = Dataset.split(all, 0.2, 5)
      assert.deepStrictEqual([first.cases.length, rest.cases.length], [20, 80])
      assert.deepStrictEqual(
        [...inputs(first), ...inputs(rest)].toSorted((a, b) => a - b),
        inputs(all)
      )
    })
  )
})
