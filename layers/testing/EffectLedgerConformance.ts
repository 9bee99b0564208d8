/** The promises of `EffectLedger` as cases for any implementation. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Claim, EffectLedger, EffectLedgerError } from "../../services/EffectLedger.ts"
import type { ConformanceFailure } from "./ModelProviderConformance.ts"
import { expect, runAll, type StoreCase, storeCase } from "./StoreCase.ts"

type Ledger = EffectLedger["Service"]

const make = (
  name: string,
  check: (
    ledger: Ledger,
    claim: (id: string, other?: Partial<Claim>) => Claim
  ) => Effect.Effect<void, string | EffectLedgerError>
) =>
  storeCase<Ledger, EffectLedgerError>(name, (ledger) =>
    check(ledger, (id, other) => ({
      id: `${name}/${id}`,
      name: "pay",
      group: `Conformance of ${name}`,
      level: "once",
      claimer: "a",
      attempt: 1,
      ...other
    }))
  )

/** All promises. @category cases */
export const cases: ReadonlyArray<StoreCase<Ledger>> = [
  make("what was claimed and settled is read as it was", (ledger, claim) =>
    Effect.gen(function* () {
      const one = claim("gr\u00fc\u00df \ud83d\ude00 '\"\\", { level: "idempotent" })
      yield* expect("before", yield* ledger.get(one.id), Option.none())
      const { claimed, entry } = yield* ledger.claim(one)
      yield* expect("claimed", claimed, true)
      const { claimedAt, ...rest } = entry
      yield* expect("entry", rest, one)
      yield* expect("get", yield* ledger.get(one.id), Option.some(entry))
      const outcome = { ok: [null, 1.5, "\u0000 \ud83d\ude00"], text: "x".repeat(1_000_000) }
      yield* expect("settle", yield* ledger.settle(one.id, 1, outcome), true)
      const settled = Option.getOrThrow(yield* ledger.get(one.id))
      yield* expect("outcome", JSON.stringify(settled.outcome), JSON.stringify(outcome))
      yield* expect("when", settled.settledAt !== undefined && settled.settledAt >= claimedAt, true)
    })
  ),
  make("of 20 that claim at once one is told that it may begin", (ledger, claim) =>
    Effect.gen(function* () {
      const claims = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, n) => `claimer ${n}`),
        (claimer) => ledger.claim(claim("race", { claimer })),
        { concurrency: "unbounded" }
      )
      const winners = claims.filter(({ claimed }) => claimed)
      yield* expect("how many may begin", winners.length, 1)
      for (const { entry } of claims) yield* expect("whose it is", entry.claimer, winners[0]?.entry.claimer)
    })
  ),
  make("a claim that is repeated by whoever made it succeeds once more", (ledger, claim) =>
    Effect.gen(function* () {
      const first = yield* ledger.claim(claim("again"))
      yield* expect("again", yield* ledger.claim(claim("again")), first)
      const other = yield* ledger.claim(claim("again", { claimer: "b" }))
      yield* expect("by another", other, { claimed: false, entry: first.entry })
    })
  ),
  make("the next attempt can be claimed once, and ends the one before", (ledger, claim) =>
    Effect.gen(function* () {
      const { id } = claim("next")
      yield* ledger.claim(claim("next"))
      const skipping = yield* ledger.claim(claim("next", { claimer: "b", attempt: 3 }))
      yield* expect("not the one after it", [skipping.claimed, skipping.entry.attempt], [false, 1])
      const claims = yield* Effect.forEach(
        ["b", "c", "d"],
        (claimer) => ledger.claim(claim("next", { claimer, attempt: 2 })),
        { concurrency: "unbounded" }
      )
      yield* expect("how many may begin", claims.filter(({ claimed }) => claimed).length, 1)
      yield* expect(
        "the attempt",
        claims.map(({ entry }) => entry.attempt),
        [2, 2, 2]
      )
      yield* expect("the one before settles", yield* ledger.settle(id, 1, "late"), false)
      const late = yield* ledger.claim(claim("next"))
      yield* expect("the one before is claimed", [late.claimed, late.entry.attempt], [false, 2])
      yield* expect("the new one settles", yield* ledger.settle(id, 2, "done"), true)
    })
  ),
  make("an outcome is never replaced by another", (ledger, claim) =>
    Effect.gen(function* () {
      const { id } = claim("outcome")
      yield* expect("of what was not claimed", yield* ledger.settle(id, 1, null), false)
      yield* ledger.claim(claim("outcome"))
      yield* expect("the first", yield* ledger.settle(id, 1, null), true)
      const settled = yield* ledger.get(id)
      yield* expect("the same again", yield* ledger.settle(id, 1, null), true)
      yield* expect("another", yield* ledger.settle(id, 1, { n: 2 }), false)
      yield* expect("of another attempt", yield* ledger.settle(id, 2, null), false)
      yield* expect("the entry", yield* ledger.get(id), settled)
      const next = yield* ledger.claim(claim("outcome", { attempt: 2, claimer: "b" }))
      yield* expect("the next attempt", [next.claimed, next.entry.outcome, next.entry.attempt], [false, null, 1])
      yield* expect("the claimer again", (yield* ledger.claim(claim("outcome"))).claimed, false)
    })
  ),
  make("of outcomes at once one stands", (ledger, claim) =>
    Effect.gen(function* () {
      const { id } = claim("outcomes")
      yield* ledger.claim(claim("outcomes"))
      const settled = yield* Effect.forEach([1, 2, 3, 4], (n) => ledger.settle(id, 1, n), { concurrency: "unbounded" })
      yield* expect("how many stand", settled.filter((is) => is).length, 1)
      const { outcome } = Option.getOrThrow(yield* ledger.get(id))
      yield* expect("which", settled[Number(outcome) - 1], true)
    })
  ),
  make("entries are listed by group and state, oldest first, and forgotten by group", (ledger, claim) =>
    Effect.gen(function* () {
      const { group } = claim("0")
      for (let n = 0; n < 5; n++) yield* ledger.claim(claim(String(n)))
      yield* ledger.claim(claim("elsewhere", { group: `${group} other` }))
      yield* ledger.settle(claim("1").id, 1, "done")
      yield* ledger.settle(claim("3").id, 1, null)
      const ids = (query: Parameters<Ledger["list"]>[0]) =>
        Effect.map(ledger.list({ group, ...query }), (entries) => entries.map(({ id }) => id.slice(-1)))
      yield* expect("all", yield* ids({}), ["0", "1", "2", "3", "4"])
      yield* expect("open", yield* ids({ state: "open" }), ["0", "2", "4"])
      yield* expect("settled", yield* ids({ state: "settled" }), ["1", "3"])
      yield* expect("a limit", yield* ids({ limit: 2 }), ["0", "1"])
      yield* expect("forgotten", yield* ledger.forget(group), 5)
      yield* expect("after it", yield* ids({}), [])
      yield* expect("elsewhere", (yield* ledger.list({ group: `${group} other` })).length, 1)
      yield* expect("nothing to forget", yield* ledger.forget(group), 0)
    })
  )
]

/** Runs all cases; fails with the first promise that is not kept. @category running */
export const run = (harness: string, ledger: Ledger): Effect.Effect<void, ConformanceFailure> =>
  runAll(cases, harness, ledger)
