/**
 * Compares reports: which cases were mended and which were broken, what became of each scorer with paired statistics over the
 * cases that both reports have, and what was changed in what was run. Pure: a report against itself has no difference.
 */
import { canonical } from "../../services/Json.ts"
import type { Case, Report } from "./Report.ts"
import * as Statistics from "./Statistics.ts"

/** How comparisons are made, in words. @category constants */
export const method =
  "Over the cases that both reports have, with equal inputs and expected answers. A scorer: the mean of the paired differences with a 95 % interval by the percentile bootstrap over cases (seeded). Passing: McNemar's exact test of fixed against broken."

/**
 * What became of a scorer.
 *
 * @category models
 */
export interface Difference {
  /** The mean over the common cases before and after; null where there is none that both scored. */
  readonly before: number | null
  readonly after: number | null
  /** After less before, with its 95 % interval; that is null for a single case. */
  readonly difference: number | null
  readonly low: number | null
  readonly high: number | null
  /** How many cases both have scored. */
  readonly n: number
  /** Cases with a lower score than before. */
  readonly worse: ReadonlyArray<string>
  /** Cases with a higher one. */
  readonly better: ReadonlyArray<string>
}

/**
 * Two reports beside each other.
 *
 * @category models
 */
export interface Comparison {
  readonly before: string
  readonly after: string
  /** Ids of cases that passed only after, and only before. */
  readonly fixed: ReadonlyArray<string>
  readonly broken: ReadonlyArray<string>
  /** Ids of cases that pass in both, or in none. */
  readonly same: ReadonlyArray<string>
  /** Ids of cases whose input or expected answer is another one: they are not compared. */
  readonly changed: ReadonlyArray<string>
  /** Ids of cases that only one report has samples of. */
  readonly onlyBefore: ReadonlyArray<string>
  readonly onlyAfter: ReadonlyArray<string>
  /** The chance of such a difference between fixed and broken where nothing has changed: McNemar's exact test. */
  readonly probability: number
  /** By scorer; those that only one report has are null. */
  readonly scores: { readonly [scorer: string]: Difference | null }
  readonly fingerprint: {
    readonly isSame: boolean
    /** The parts that differ: `prompt`, `model`, `output`, `actions`, `dataset`, `scorers`, ... */
    readonly differ: ReadonlyArray<string>
  }
  readonly method: string
}

const subject = ({ expected, input }: Case): string => canonical([input, expected ?? null])

const differenceOf = (pairs: ReadonlyArray<readonly [Case, Case]>, scorer: string, seed: number): Difference => {
  const common = pairs.flatMap(([one, other]) => {
    const [before, after] = [one.scores[scorer], other.scores[scorer]]
    return typeof before === "number" && typeof after === "number" ? [{ id: one.id, before, after }] : []
  })
  const spread = Statistics.bootstrap(
    common.map(({ after, before }) => after - before),
    seed
  )
  const of = (pick: (one: { readonly before: number; readonly after: number }) => number): number | null =>
    common.length === 0 ? null : Statistics.mean(common.map(pick))
  return {
    before: of(({ before }) => before),
    after: of(({ after }) => after),
    difference: spread?.mean ?? null,
    // One pair says nothing of how differences are spread.
    low: common.length < 2 ? null : (spread?.low ?? null),
    high: common.length < 2 ? null : (spread?.high ?? null),
    n: common.length,
    worse: common.filter(({ after, before }) => after < before).map(({ id }) => id),
    better: common.filter(({ after, before }) => after > before).map(({ id }) => id)
  }
}

/**
 * Compares a report with an earlier one. `seed` is that of the bootstrap.
 *
 * @category comparing
 */
export const reports = (
  before: Report,
  after: Report,
  options: { readonly seed?: number | undefined } = {}
): Comparison => {
  const run = (report: Report) => report.cases.filter(({ samples }) => samples.length > 0)
  const earlier = new Map(run(before).map((one) => [one.id, one]))
  const later = new Map(run(after).map((one) => [one.id, one]))
  const pairs: Array<readonly [Case, Case]> = []
  const changed: Array<string> = []
  for (const [id, other] of later) {
    const one = earlier.get(id)
    if (one === undefined) continue
    if (subject(one) === subject(other)) pairs.push([one, other])
    else changed.push(id)
  }
  const ids = (isIn: (one: Case, other: Case) => boolean) =>
    pairs.filter(([one, other]) => isIn(one, other)).map(([{ id }]) => id)
  const fixed = ids((one, other) => !one.passed && other.passed)
  const broken = ids((one, other) => one.passed && !other.passed)
  const names = new Set([...before.scorers, ...after.scorers].map(({ name }) => name))
  const has = ({ scorers }: Report, scorer: string) => scorers.some(({ name }) => name === scorer)
  const [parts, others] = [before.fingerprint.parts, after.fingerprint.parts]
  const differ = [...new Set([...Object.keys(parts), ...Object.keys(others)])].filter(
    (part) => parts[part] !== others[part]
  )
  return {
    before: before.id,
    after: after.id,
    fixed,
    broken,
    same: ids((one, other) => one.passed === other.passed),
    changed,
    onlyBefore: [...earlier.keys()].filter((id) => !later.has(id)),
    onlyAfter: [...later.keys()].filter((id) => !earlier.has(id)),
    probability: Statistics.mcnemar(fixed.length, broken.length),
    scores: Object.fromEntries(
      Array.from(names, (name) => [
        name,
        has(before, name) && has(after, name) ? differenceOf(pairs, name, options.seed ?? Statistics.seed) : null
      ])
    ),
    fingerprint: { isSame: differ.length === 0, differ },
    method
  }
}
