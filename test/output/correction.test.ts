// What is said when a contract is not fulfilled: to the model (the correction) and to the program (the errors).
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Contract from "../../src/output/Contract.ts"
import * as Correction from "../../src/output/Correction.ts"
import type { Finding } from "../../src/output/Finding.ts"
import * as Output from "../../src/output/Output.ts"
import { OutputError, OutputPathError } from "../../src/output/OutputError.ts"
import { findingsOf } from "./support.ts"

const head = `The previous response did not satisfy the declared output contract.
Return a complete replacement output that fixes every violation below.
`

describe("correction", () => {
  it.effect("RV-02 names each path, what was wrong, and the bad value", () =>
    Effect.gen(function* () {
      const contract = Contract.compile(
        Schema.Struct({
          a: Output.ensure(Schema.String, "A"),
          b: Output.ensure(Schema.String, "B", "notEmpty"),
          c: Schema.Int.check(Schema.isLessThan(5)),
          d: Output.ensure(Schema.String)
        })
      )
      const findings = yield* findingsOf(contract, { b: "  ", c: 7, d: "cut o" }, ["d"])
      assert.strictEqual(
        Correction.render(findings),
        `${head}- Missing ensure key: a
- Ensure key b must not be null, blank, or empty (got "  ")
- Ensure key d is incomplete: the answer was cut off inside it
- Invalid value at c: expected a value less than 5 (got 7)`
      )
    })
  )

  it.effect("where a number is wanted it asks for a number, whatever else numbers are coded as", () =>
    Effect.gen(function* () {
      const schema = Schema.Struct({ a: Schema.Number, b: Schema.NullOr(Schema.Number), c: Schema.Finite })
      const findings = yield* findingsOf(Contract.compile(schema), { a: "x", b: "y", c: "z" }, [])
      assert.strictEqual(
        Correction.render(findings),
        `${head}- Invalid value at a: expected number (got "x")
- Invalid value at b: expected number (got "y")
- Invalid value at c: expected number (got "z")`
      )
    })
  )

  it("lists eight findings and counts the rest", () => {
    const findings = Array.from({ length: 11 }, (_, i): Finding => ({
      path: `k${i}`,
      kind: "missing",
      message: `Missing ensure key: k${i}`
    }))
    const lines = Correction.render(findings).split("\n")
    assert.strictEqual(lines.length, 2 + 8 + 1)
    assert.strictEqual(lines[9], "- Missing ensure key: k7")
    assert.strictEqual(lines[10], "- and 3 more violations")
    assert.strictEqual(Correction.render(findings, { maxFindings: 11 }).split("\n").length, 13)
  })

  it("keeps each line within 300 characters, whatever the message and the value", () => {
    const long = "x".repeat(1_000)
    for (const finding of [
      { path: "a", kind: "invalid", message: long, value: long },
      { path: long, kind: "missing", message: `Missing ensure key: ${long}` },
      { path: "", kind: "validator", message: "😀".repeat(400), value: { text: long } }
    ] satisfies ReadonlyArray<Finding>) {
      const line = Correction.render([finding]).split("\n")[2] ?? ""
      assert.isAtMost(line.length, 300)
      assert.isAbove(line.length, 150)
      assert.isTrue(line.isWellFormed())
    }
  })

  it("a validator's words get the path in front where they do not say it, and stay in one line", () => {
    assert.strictEqual(
      Correction.render([
        { path: "sum", kind: "validator", message: "need\n 2", value: 1 },
        { path: "", kind: "validator", message: "too short" }
      ]),
      `${head}- sum: need 2 (got 1)\n- too short`
    )
  })

  it("a value without a JSON form is left out", () => {
    const loop: Record<string, unknown> = {}
    loop["self"] = loop
    assert.strictEqual(
      Correction.render([{ path: "a", kind: "invalid", message: "a is bad", value: loop }]),
      `${head}- a is bad`
    )
  })
})

describe("OutputError", () => {
  const error = (findings: ReadonlyArray<Finding>, maxRetries = 1) =>
    new OutputError({
      maxRetries,
      attempts: [
        { attempt: 1, findings: [], text: "" },
        { attempt: 2, findings, text: '{"b":1}' }
      ]
    })

  const missing = (path: string): Finding => ({ path, kind: "missing", message: `Missing ensure key: ${path}` })

  it("RV-03 names the ensure keys that the last attempt lacked", () => {
    assert.strictEqual(error([missing("a")]).message, "Can not satisfy ensure keys ['a'] within 1 retries.")
    assert.strictEqual(
      error([missing("items[0].n"), missing("items[3].n"), missing('x["a.b"]')], 3).message,
      `Can not satisfy ensure keys ['items[*].n', 'x["a.b"]'] within 3 retries.`
    )
  })

  it("says what else was wrong", () => {
    const invalid: Finding = { path: "n", kind: "invalid", message: "Invalid value at n: expected number", value: "x" }
    assert.strictEqual(
      error([missing("a"), invalid, invalid]).message,
      "Can not satisfy ensure keys ['a'] within 1 retries. Invalid value at n: expected number. (and 1 more)"
    )
    assert.strictEqual(
      error([invalid]).message,
      "Can not satisfy the output contract within 1 retries. Invalid value at n: expected number."
    )
    assert.strictEqual(error([]).message, "Can not satisfy the output contract within 1 retries.")
  })

  it.effect("is caught by its tag, and keeps every attempt through its Schema", () =>
    Effect.gen(function* () {
      const failed = error([missing("a")])
      const caught = yield* Effect.fail(failed).pipe(Effect.catchTag("OutputError", (e) => Effect.succeed(e.findings)))
      assert.deepStrictEqual(caught, [missing("a")])
      const wire = Schema.encodeSync(Schema.toCodecJson(OutputError))(failed)
      const back = Schema.decodeUnknownSync(Schema.toCodecJson(OutputError))(JSON.parse(JSON.stringify(wire)))
      assert.deepStrictEqual(back.attempts, failed.attempts)
      assert.strictEqual(back.message, failed.message)
    })
  )
})

describe("OutputPathError", () => {
  it("says what was asked for, where, and what was probably meant", () => {
    assert.strictEqual(
      new OutputPathError({ path: "itms", schema: "Doc", nearest: ["items", "title"] }).message,
      'The output Schema "Doc" has no path "itms". Did you mean "items", "title"?'
    )
    assert.strictEqual(
      new OutputPathError({ path: "a[", schema: "Doc", detail: "a bracket ends with ]", nearest: ["a"] }).message,
      'The output Schema "Doc" has no path "a[": a bracket ends with ]. Did you mean "a"?'
    )
  })
})
