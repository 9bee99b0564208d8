/**
 * The public corpora of partial and faulty JSON, read from the folder that `EFFIGENT_CORPORA` names, or from
 * `../shared/corpora` beside the repository. Their rows are not part of this project.
 *
 * The corpora contradict each other on purpose: what a library does with a cut number is its policy. The rows that do not
 * fit ours stand below by name and number of the row of that name, under the reason. A row listed here that fits fails the
 * test, as does a row that is not listed and does not fit.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as NodePath from "node:path"
import { isDeepStrictEqual } from "node:util"
import { Schema } from "effect"
import * as JsonScanner from "../../src/parse/JsonScanner.ts"
import { checkLaws, chunksOf, donePaths, essence, read, readAll } from "./support.ts"
import * as Path from "../../src/parse/Path.ts"

const beside = NodePath.resolve(import.meta.dirname, "../../../shared/corpora")
const named = process.env["EFFIGENT_CORPORA"] ?? ""
const folder = named !== "" ? named : Fs.existsSync(beside) ? beside : undefined

const Row = Schema.Struct({
  name: Schema.String,
  input: Schema.optionalKey(Schema.String),
  inputBase64: Schema.optionalKey(Schema.String),
  expected: Schema.optionalKey(Schema.Unknown),
  verdict: Schema.optionalKey(Schema.Literals(["accept", "reject", "either"])),
  error: Schema.optionalKey(Schema.Unknown),
  noValue: Schema.optionalKey(Schema.Boolean),
  expectedCompletions: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({ path: Schema.Array(Schema.Union([Schema.String, Schema.Number])), value: Schema.Unknown })
    )
  )
})
type Row = typeof Row.Type
const decodeRow = Schema.decodeUnknownSync(Schema.fromJsonString(Row))

const rowsOf = (file: string): ReadonlyArray<Row> =>
  folder === undefined
    ? []
    : Fs.readFileSync(NodePath.join(folder, `${file}.jsonl`), "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => decodeRow(line))

const textOf = (row: Row): string => row.input ?? Buffer.from(row.inputBase64 ?? "", "base64").toString("utf8")

/** The expected value, with the corpus' own marks resolved; a key that is undefined is no key. */
const resolve = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(resolve)
  if (typeof value !== "object" || value === null) return value
  if ("$number" in value) return Number(value.$number)
  const object: Record<string, unknown> = {}
  for (const key of Object.keys(value)) {
    const entry = Path.get(value, [key])
    if (typeof entry === "object" && entry !== null && "$undefined" in entry) continue
    Object.defineProperty(object, key, { value: resolve(entry), enumerable: true, writable: true, configurable: true })
  }
  return object
}

const chosen: Readonly<Record<string, Readonly<Record<string, ReadonlyArray<string>>>>> = {
  "ai-sdk-fix-json": {},
  "best-effort-json-parser": {
    "a lone sign is no number": ["parser TestSuit > number > should parse incomplete negative integer #1"],
    "text that is no JSON is no value, unless the contract is a string": [
      "parser TestSuit > number > should preserve invalid number #1",
      "parser TestSuit > invalid but understandable json > string quote > should parse string without double quote #1",
      "parser TestSuit > falsy values > should parse empty string #1"
    ]
  },
  "anthropic-partial-json": {
    "a cut scalar is kept as far as it came, and marked as repaired": [
      "partialParse > a valid partial JSON string #1",
      "partialParse > string with incomplete escape sequence #1",
      "partialParse > JSON string with partial number values #1",
      "partialParse > JSON string with partial number values #3",
      "partialParse > JSON string with partial number values #4",
      "partialParse > JSON string with partial number values #5",
      "partialParse > JSON string with partial number values #6",
      "partialParse > JSON string with partial number values #8",
      "partialParse > JSON string with partial literal tokens #1",
      "partialParse > JSON string with partial literal tokens #2",
      "partialParse > JSON string with partial literal tokens #3",
      "partialParse > JSON string with partial literal tokens #4",
      "partialParse > deeply nested partial JSON objects #1"
    ]
  },
  "openai-partial-json": {
    "a cut number is kept as far as it came, and marked as repaired": [
      "partial parsing > should parse partial json #3",
      "partial parsing > should parse partial json #10",
      "partial parsing > should parse partial json #12"
    ]
  },
  "partial-json": {
    "the row restricts by its mask what may be cut; we take all that was read": [
      "str #3",
      "arr #1",
      "arr #3",
      "arr #4",
      "arr #5",
      "arr #6",
      "obj #1",
      "obj #3",
      "obj #4",
      "obj #5",
      "obj #6",
      "obj #7",
      "obj #8",
      "singletons #2",
      "singletons #4",
      "singletons #6",
      "singletons #8",
      "singletons #11"
    ],
    "a hexadecimal escape is read, not dropped": ["str #2"],
    "an infinity is null where the contract declares no number": ["singletons #7", "singletons #9"]
  },
  "langchain-partial-json": {
    "a lone sign is no number": ["array #4", "numbers #4"],
    "a cut escape is dropped, not shown as text that it is not": [
      "strings #5",
      "strings #6",
      "strings #7",
      "strings #13",
      "strings #20"
    ]
  }
}

/** Whether a row of a partial parser fits: the value of the text cut there. */
const fits = (row: Row): boolean => {
  const text = textOf(row)
  const { result } = readAll(text, {}, "cut")
  // Text that a strict parser must refuse, though it be cut: so does strict mode.
  if (row.error === true) return JsonScanner.parse(text, { strict: true, cut: true }).problem?.kind === "syntax"
  if (row.error !== undefined || row.noValue === true) return !result.found
  return result.found && isDeepStrictEqual(result.value, resolve(row.expected))
}

const parsed = (text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

describe.skipIf(folder === undefined)("the corpora (set EFFIGENT_CORPORA to their folder to run these)", () => {
  for (const [file, reasons] of Object.entries(chosen)) {
    it(`${file}: all rows but the chosen differences`, () => {
      const seen = new Map<string, number>()
      const misfits: Array<string> = []
      for (const row of rowsOf(file)) {
        const number = (seen.get(row.name) ?? 0) + 1
        seen.set(row.name, number)
        if (!fits(row)) misfits.push(`${row.name} #${number}`)
      }
      assert.isAbove(seen.size, 0)
      assert.deepStrictEqual(misfits.sort(), Object.values(reasons).flat().sort())
    })
  }

  it("jsontestsuite: strict mode accepts what JSON.parse accepts, with its value, and refuses the rest", () => {
    const rows = [...rowsOf("jsontestsuite-parsing"), ...rowsOf("jsontestsuite-transform")]
    assert.lengthOf(rows, 340)
    for (const row of rows) {
      const text = textOf(row)
      const oracle = parsed(text)
      if (row.verdict === "accept") assert.isDefined(oracle, row.name)
      if (row.verdict === "reject") assert.isUndefined(oracle, row.name)
      const strict = read([text], { strict: true })
      const tolerant = read([text])
      for (const size of [1, 3]) {
        assert.deepStrictEqual(essence(read(chunksOf(text, size), { strict: true })), essence(strict), row.name)
        assert.deepStrictEqual(essence(read(chunksOf(text, size))), essence(tolerant), row.name)
      }
      if (oracle === undefined) {
        assert.isDefined(strict.result.problem, row.name)
        continue
      }
      assert.isUndefined(strict.result.problem, row.name)
      assert.deepStrictEqual(strict.result.value, oracle.value, row.name)
      assert.deepStrictEqual(tolerant.result.value, oracle.value, row.name)
      assert.lengthOf(tolerant.result.repairs, 0, row.name)
    }
  })

  it("jsonriver: the same values complete in the same order", () => {
    const rows = rowsOf("jsonriver-partials")
    assert.isAbove(rows.length, 10)
    for (const row of rows) {
      const text = textOf(row)
      const reading = readAll(text)
      assert.deepStrictEqual(reading.result.value, JSON.parse(text))
      if (row.expectedCompletions === undefined) continue
      // A container at the root has no event.
      const expected = row.expectedCompletions.filter(
        ({ path, value }) => path.length > 0 || typeof value !== "object" || value === null
      )
      assert.deepStrictEqual(
        donePaths(reading.events),
        expected.map(({ path }) => Path.print(path))
      )
      const values = reading.events.flatMap((event) =>
        event._tag === "Field" && event.isComplete ? [event.value] : []
      )
      assert.deepStrictEqual(
        values,
        expected.map(({ value }) => value)
      )
    }
  })

  it("jsonriver: 2,000 values are read as JSON.parse reads them, in any chunking", () => {
    const rows = rowsOf("jsonriver-values")
    assert.lengthOf(rows, 2000)
    for (const row of rows) {
      const text = textOf(row)
      const whole = read([text])
      checkLaws(whole)
      assert.deepStrictEqual(whole.result.value, JSON.parse(text))
      assert.lengthOf(whole.result.repairs, 0)
      for (const size of [1, 3]) assert.deepStrictEqual(essence(read(chunksOf(text, size))), essence(whole))
    }
  })
})
