/**
 * The statistics of evals: means with intervals, chances over repetitions, paired comparisons. Pure functions of their
 * numbers and a seed: the same reports give the same answers anywhere.
 */
import type { Distribution, Estimate } from "./Report.ts"

/** How `estimate` and `wilson` make their intervals, in words: it stands in every report. @category constants */
export const method =
  "95 % intervals. A score: the mean over cases, each by the mean of its samples, with Student's t and the standard error over cases, cut to 0..1; where all of them are 0 or 1, Wilson's interval, and so for a pass rate without repetitions. pass@k and pass^k: without bias, from the samples of each case, then the mean over cases."

/** A random number generator of a seed: gives numbers from 0 to below 1. @category chance */
export const random = (seed: number): (() => number) => {
  // mulberry32 by Tommy Ettinger, in the public domain.
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** A list in random order; the same for the same seed. @category chance */
export const shuffled = <A>(items: ReadonlyArray<A>, seed: number): Array<A> => {
  const next = random(seed)
  const pool = [...items]
  // Fisher and Yates, from the front, so that a shorter sample is the beginning of a longer one.
  for (let at = 0; at < pool.length - 1; at++) {
    const other = at + Math.floor(next() * (pool.length - at))
    const [a, b] = [pool[at], pool[other]]
    // Both places are inside the list.
    pool[at] = b as A
    // As above.
    pool[other] = a as A
  }
  return pool
}

/** The mean; NaN of nothing. @category means */
export const mean = (values: ReadonlyArray<number>): number => {
  let sum = 0
  for (const value of values) sum += value
  return sum / values.length
}

/** The standard deviation of a sample (n - 1); 0 for one value. @category means */
export const deviation = (values: ReadonlyArray<number>): number => {
  if (values.length < 2) return 0
  const middle = mean(values)
  let sum = 0
  for (const value of values) sum += (value - middle) ** 2
  return Math.sqrt(sum / (values.length - 1))
}

const z = 1.959963984540054

// The 0.975 quantiles of Student's t for 1 to 10 degrees of freedom; above, the expansion of Cornish and Fisher holds to
// four digits.
const quantiles = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.306, 2.2622, 2.2281]

/** The 0.975 quantile of Student's t. @category means */
export const studentT = (freedom: number): number =>
  quantiles[freedom - 1] ??
  z +
    (z ** 3 + z) / (4 * freedom) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * freedom ** 3)

const inUnit = (value: number): number => Math.min(1, Math.max(0, value))

/** A rate of successes with Wilson's 95 % interval. @category means */
export const wilson = (successes: number, n: number): Estimate => {
  if (n === 0) return { mean: null, error: null, low: null, high: null, n }
  const rate = successes / n
  const scale = 1 + z ** 2 / n
  const middle = (rate + z ** 2 / (2 * n)) / scale
  const reach = (z * Math.sqrt((rate * (1 - rate)) / n + z ** 2 / (4 * n ** 2))) / scale
  return {
    mean: rate,
    error: Math.sqrt((rate * (1 - rate)) / n),
    low: successes === 0 ? 0 : inUnit(middle - reach),
    high: successes === n ? 1 : inUnit(middle + reach),
    n
  }
}

/** The mean of scores (0 to 1) with its standard error and 95 % interval. @category means */
export const estimate = (values: ReadonlyArray<number>): Estimate => {
  const n = values.length
  if (n === 0) return { mean: null, error: null, low: null, high: null, n }
  // Student's t would take a few equal scores for certainty.
  if (values.every((value) => value === 0 || value === 1))
    return wilson(values.filter((value) => value === 1).length, n)
  const middle = mean(values)
  if (n === 1) return { mean: middle, error: null, low: null, high: null, n }
  const error = deviation(values) / Math.sqrt(n)
  const reach = studentT(n - 1) * error
  return { mean: middle, error, low: inUnit(middle - reach), high: inUnit(middle + reach), n }
}

/** Quantile of sorted values by linear interpolation. @category means */
export const quantile = (sorted: ReadonlyArray<number>, part: number): number => {
  const place = (sorted.length - 1) * part
  const below = sorted[Math.floor(place)] ?? Number.NaN
  const above = sorted[Math.ceil(place)] ?? below
  return below + (above - below) * (place - Math.floor(place))
}

/** How values are spread; undefined of nothing. @category means */
export const distribution = (values: ReadonlyArray<number>): Distribution | undefined => {
  if (values.length === 0) return undefined
  const sorted = values.toSorted((a, b) => a - b)
  return {
    n: values.length,
    mean: mean(values),
    deviation: deviation(values),
    min: quantile(sorted, 0),
    median: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    max: quantile(sorted, 1)
  }
}

// The chance that k of n things, drawn without putting back, are all among the c of a kind: C(c, k) / C(n, k).
const allAmong = (n: number, c: number, k: number): number => {
  if (k > c) return 0
  let chance = 1
  for (let at = 0; at < k; at++) chance *= (c - at) / (n - at)
  return chance
}

/** pass@k: the chance that of k samples at least one passes, from c of n that do; without bias. @category repetitions */
export const passAny = (n: number, c: number, k: number): number => 1 - allAmong(n, n - c, k)

/** pass^k: the chance that k samples all pass, from c of n that do; without bias. @category repetitions */
export const passAll = (n: number, c: number, k: number): number => allAmong(n, c, k)

/**
 * McNemar's exact test: how likely at least such a difference is, both ways, where `fixed` and `broken` are equally likely.
 * 1 where nothing changed.
 *
 * @category comparing
 */
export const mcnemar = (fixed: number, broken: number): number => {
  const n = fixed + broken
  if (n === 0) return 1
  const few = Math.min(fixed, broken)
  // Sums C(n, i) / 2^n from the logarithm of the first, so that large n do not overflow.
  let log = -n * Math.LN2
  let sum = Math.exp(log)
  for (let i = 1; i <= few; i++) {
    log += Math.log((n - i + 1) / i)
    sum += Math.exp(log)
  }
  return Math.min(1, 2 * sum)
}

/** The seed of the bootstrap where none is given. @category constants */
export const seed = 20_231_101

/**
 * The mean of paired differences with its 95 % interval by the percentile bootstrap: pairs are drawn again with a seed.
 * 10,000 times, or fewer where there are more than 2,000 pairs (at least 400 times), for the time it takes.
 *
 * @category comparing
 */
export const bootstrap = (
  differences: ReadonlyArray<number>,
  from: number = seed
): { readonly mean: number; readonly low: number; readonly high: number; readonly resamples: number } | undefined => {
  const n = differences.length
  if (n === 0) return undefined
  const middle = mean(differences)
  if (n === 1 || differences.every((one) => one === differences[0]))
    return { mean: middle, low: middle, high: middle, resamples: 0 }
  const resamples = Math.max(400, Math.min(10_000, Math.floor(20_000_000 / n)))
  const next = random(from)
  const means = new Float64Array(resamples)
  for (let round = 0; round < resamples; round++) {
    let sum = 0
    for (let drawn = 0; drawn < n; drawn++) sum += differences[Math.floor(next() * n)] ?? 0
    means[round] = sum / n
  }
  const sorted = Array.from(means.toSorted())
  return { mean: middle, low: quantile(sorted, 0.025), high: quantile(sorted, 0.975), resamples }
}
