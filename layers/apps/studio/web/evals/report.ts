/**
 * Reports of evals as the pages read them: files of the project, maybe of another version, so that every field is looked
 * for and none is taken for granted.
 */

export interface ReportCase {
  readonly id: string
  readonly passed: boolean
  readonly scores: Readonly<Record<string, number | null>>
  readonly whole: unknown
}

export interface Report {
  readonly name: string
  readonly status: string | undefined
  readonly startedAt: number | undefined
  readonly summary: unknown
  readonly scorers: ReadonlyArray<string>
  readonly cases: ReadonlyArray<ReportCase>
}

/** A field of a value, whatever that is. */
export const at = (value: unknown, ...path: ReadonlyArray<string>): unknown => {
  let here = value
  for (const name of path) {
    if (typeof here !== "object" || here === null) return undefined
    here = Reflect.get(here, name)
  }
  return here
}

export const numberAt = (value: unknown, ...path: ReadonlyArray<string>): number | undefined => {
  const found = at(value, ...path)
  return typeof found === "number" ? found : undefined
}

const textAt = (value: unknown, ...path: ReadonlyArray<string>): string | undefined => {
  const found = at(value, ...path)
  return typeof found === "string" ? found : undefined
}

const listAt = (value: unknown, name: string): ReadonlyArray<unknown> => {
  const found = at(value, name)
  return Array.isArray(found) ? found : []
}

const scoresOf = (value: unknown): Readonly<Record<string, number | null>> => {
  const scores: Record<string, number | null> = {}
  if (typeof value === "object" && value !== null)
    for (const [name, score] of Object.entries(value)) scores[name] = typeof score === "number" ? score : null
  return scores
}

/** Reads a report. */
export const reportOf = (value: unknown): Report => {
  const cases = listAt(value, "cases").map((one, index) => ({
    id: textAt(one, "id") ?? String(index + 1),
    passed: at(one, "passed") === true,
    scores: scoresOf(at(one, "scores")),
    whole: one
  }))
  const named = listAt(value, "scorers").flatMap((one) => textAt(one, "name") ?? [])
  return {
    name: textAt(value, "name") ?? "report",
    status: textAt(value, "status"),
    startedAt: numberAt(value, "startedAt"),
    summary: at(value, "summary"),
    scorers: named.length > 0 ? named : Array.from(new Set(cases.flatMap(({ scores }) => Object.keys(scores)))),
    cases
  }
}

/** What became of a case since another report. */
export type Change = "fixed" | "broken" | "new" | "same"

export const changesOf = (before: Report, after: Report): ReadonlyMap<string, Change> => {
  const known = new Map(before.cases.map(({ id, passed }) => [id, passed]))
  return new Map(
    after.cases.map(({ id, passed }) => {
      const was = known.get(id)
      return [id, was === undefined ? "new" : was === passed ? "same" : passed ? "fixed" : "broken"]
    })
  )
}

/** The mean of a score over the cases that have it. */
export const meanOf = (report: Report, scorer: string): number | undefined => {
  const found = numberAt(report.summary, "scores", scorer, "mean")
  if (found !== undefined) return found
  const scores = report.cases.flatMap(({ scores }) => scores[scorer] ?? [])
  return scores.length === 0 ? undefined : scores.reduce((all, one) => all + one, 0) / scores.length
}

export const passRateOf = (report: Report): number | undefined =>
  numberAt(report.summary, "passRate", "mean") ??
  (report.cases.length === 0 ? undefined : report.cases.filter(({ passed }) => passed).length / report.cases.length)
