/** Makes the summary of a report out of its cases. */
import { tokensOf, total } from "./Meter.ts"
import type { Case, Estimate, Sample, ScoreSummary, Summary } from "./Report.ts"
import * as Statistics from "./Statistics.ts"

interface ScorerHead {
  readonly name: string
  readonly threshold: number
}

const scoresOf = (samples: ReadonlyArray<Sample>, name: string): ReadonlyArray<number> =>
  samples.flatMap(({ scores }) => {
    const score = scores[name]?.score
    return score === undefined || score === null ? [] : [score]
  })

/** A case of its samples. @category making */
export const caseOf = (
  head: Pick<Case, "id" | "tags" | "input" | "expected">,
  samples: ReadonlyArray<Sample>,
  scorers: ReadonlyArray<ScorerHead>
): Case => ({
  ...head,
  passed: samples.length > 0 && samples.every(({ passed }) => passed),
  scores: Object.fromEntries(
    scorers.map(({ name }) => {
      const scores = scoresOf(samples, name)
      return [name, scores.length === 0 ? null : Statistics.mean(scores)]
    })
  ),
  samples
})

const scoreSummary = (cases: ReadonlyArray<Case>, { name, threshold }: ScorerHead): ScoreSummary => {
  const means = cases.flatMap(({ scores }) => {
    const score = scores[name]
    return score === undefined || score === null ? [] : [score]
  })
  let [passed, failed, skipped, errors] = [0, 0, 0, 0]
  for (const { samples } of cases)
    for (const { scores } of samples) {
      const one = scores[name]
      if (one?.error !== undefined) errors++
      else if (one?.passed === undefined || one.passed === null) skipped++
      else if (one.passed) passed++
      else failed++
    }
  return { ...Statistics.estimate(means), threshold, passed, failed, skipped, errors }
}

const passRateOf = (cases: ReadonlyArray<Case>, repeat: number): Estimate => {
  const run = cases.filter(({ samples }) => samples.length > 0)
  return repeat === 1
    ? Statistics.wilson(run.filter(({ passed }) => passed).length, run.length)
    : Statistics.estimate(run.map(({ samples }) => Statistics.mean(samples.map(({ passed }) => Number(passed)))))
}

// The curves over k, of the cases that have all their samples.
const passAtOf = (cases: ReadonlyArray<Case>, repeat: number): Summary["passAt"] => {
  const whole = cases.filter(({ samples }) => samples.length === repeat)
  if (whole.length === 0) return []
  const passes = whole.map(({ samples }) => samples.filter(({ passed }) => passed).length)
  return Array.from({ length: repeat }, (_, at) => {
    const k = at + 1
    return {
      k,
      any: Statistics.mean(passes.map((c) => Statistics.passAny(repeat, c, k))),
      all: Statistics.mean(passes.map((c) => Statistics.passAll(repeat, c, k)))
    }
  })
}

/** The summary of cases. @category making */
export const summaryOf = (cases: ReadonlyArray<Case>, scorers: ReadonlyArray<ScorerHead>, repeat: number): Summary => {
  const samples = cases.flatMap((one) => one.samples)
  const answered = samples.filter(({ status }) => status === "answered")
  const duration = Statistics.distribution(answered.map((sample) => sample.duration))
  const first = Statistics.distribution(
    answered.flatMap(({ used }) => (used.timeToFirstToken === undefined ? [] : [used.timeToFirstToken]))
  )
  const tokens = Statistics.distribution(samples.flatMap(({ used }) => (used.requests === 0 ? [] : [tokensOf(used)])))
  const scores = Object.fromEntries(scorers.map((scorer) => [scorer.name, scoreSummary(cases, scorer)]))
  return {
    cases: cases.length,
    done: cases.filter((one) => one.samples.length === repeat).length,
    passed: cases.filter(({ passed }) => passed).length,
    samples: samples.length,
    failed: samples.length - answered.length,
    errors: Object.values(scores).reduce((sum, { errors }) => sum + errors, 0),
    passRate: passRateOf(cases, repeat),
    passAt: passAtOf(cases, repeat),
    scores,
    ...(duration === undefined ? {} : { duration }),
    ...(first === undefined ? {} : { timeToFirstToken: first }),
    ...(tokens === undefined ? {} : { tokens }),
    used: total(samples.map(({ used }) => used)),
    scoring: total(samples.map(({ scoring }) => scoring))
  }
}
