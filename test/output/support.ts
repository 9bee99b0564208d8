// Shorthands of the output tests: judging a value, and what was found.
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import * as Contract from "../../src/output/Contract.ts"
import type { Finding } from "../../src/output/Finding.ts"

export const judge = <A, R>(contract: Contract.Contract<A, R>, value: unknown, repaired: ReadonlyArray<string> = []) =>
  Contract.judge(contract, { found: true, value, repaired: new Set(repaired) })

export const pathsOf = <A>(verdict: Contract.Verdict<A>): ReadonlyArray<string> =>
  verdict._tag === "Accepted" ? [] : verdict.findings.map(({ path }) => path)

export const findingsOf = <A, R>(
  contract: Contract.Contract<A, R>,
  value: unknown,
  repaired: ReadonlyArray<string> = []
): Effect.Effect<ReadonlyArray<Finding>, never, R> =>
  Effect.map(judge(contract, value, repaired), (verdict) => (verdict._tag === "Accepted" ? [] : verdict.findings))

export const accepts = <A, R>(
  contract: Contract.Contract<A, R>,
  value: unknown,
  repaired: ReadonlyArray<string> = []
): Effect.Effect<A, never, R> =>
  Effect.map(judge(contract, value, repaired), (verdict) => {
    if (verdict._tag === "Accepted") return verdict.value
    return assert.fail(`rejected: ${JSON.stringify(verdict.findings)}`)
  })
