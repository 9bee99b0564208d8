/** Gates: what a report has to reach, alone and against an earlier one. What does not is a typed failure that names cases. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Compare from "./Compare.ts"
import type { Report } from "./Report.ts"
import * as Tables from "./Tables.ts"

/** Something that a report does not reach. @category models */
export const Miss = Schema.Struct({
  /**
   * `min`: a mean is too low; `worse`: it is too far below the baseline; `errors`: scorers broke down; `unfinished`: not all
   * was run; `unknown`: there is no such scorer, or the baseline has no case in common.
   */
  kind: Schema.Literals(["min", "worse", "errors", "unfinished", "unknown"]),
  /** The scorer, or `passed` for the part of samples that pass. */
  of: Schema.String,
  /** What it is, and what it has to be at least; absent where it is no number. */
  value: Schema.optionalKey(Schema.Finite),
  limit: Schema.optionalKey(Schema.Finite),
  /** The cases that are at fault. */
  cases: Schema.Array(Schema.String),
  message: Schema.String
})

/** Something that a report does not reach, as a type. @category models */
export type Miss = typeof Miss.Type

/** A report does not reach what it has to. The message is a table for people. @category errors */
export class GateFailed extends Schema.TaggedError<GateFailed>()("GateFailed", {
  /** The name of the eval. */
  eval: Schema.String,
  misses: Schema.Array(Miss),
  /** The report in words. */
  table: Schema.String
}) {
  override get message(): string {
    return `${Tables.clean(`Eval ${this.eval}: ${this.misses.map(({ message }) => message).join("; ")}`)}\n${this.table}`
  }
}

/**
 * What a report has to reach. Scores and rates are 0 to 1.
 *
 * @category models
 */
export interface Gate {
  /**
   * The least mean of each scorer, by its name; `passed` stands for the part of the samples that pass. A number alone is
   * that of `passed`.
   */
  readonly min?: number | { readonly [scorer: string]: number } | undefined
  /** The report that this one must not be worse than. */
  readonly baseline?: Report | undefined
  /**
   * By how much the mean of a scorer may be below that of the baseline, over the cases that both have: for all, or by name;
   * `passed` stands for the part of the cases that pass. Default 0, for all.
   */
  readonly worse?: number | { readonly [scorer: string]: number } | undefined
  /** How many scores may be missing because scorers broke down. Default 0. */
  readonly errors?: number | undefined
}

const rounded = (value: number): number => Math.round(value * 1e4) / 1e4

const listed = (cases: ReadonlyArray<string>): string =>
  cases.length === 0
    ? ""
    : ` (${cases.slice(0, 5).join(", ")}${cases.length > 5 ? ` and ${cases.length - 5} more` : ""})`

// A mean of floats may miss its limit by a rounding. A limit that is no number is never reached.
const isBelow = (value: number, limit: number): boolean => !(value >= limit - 1e-9)

// Scorers may have the names of what every object has.
const own = <A>(record: { readonly [name: string]: A }, name: string): A | undefined =>
  Object.hasOwn(record, name) ? record[name] : undefined

/** What a report does not reach; empty where all is well. @category checking */
export const misses = (report: Report, gate: Gate): ReadonlyArray<Miss> => {
  const found: Array<Miss> = []
  const { cases, summary } = report
  const miss = (
    kind: Miss["kind"],
    of: string,
    message: string,
    at: ReadonlyArray<string>,
    value?: number,
    limit?: number
  ) =>
    found.push({
      kind,
      of,
      message: `${message}${listed(at)}`,
      cases: at,
      ...(value === undefined ? {} : { value }),
      ...(limit === undefined || !Number.isFinite(limit) ? {} : { limit })
    })
  if (report.status !== "completed") {
    const open = cases.filter(({ samples }) => samples.length < report.settings.repeat).map(({ id }) => id)
    miss(
      "unfinished",
      "cases",
      `${open.length} of ${cases.length} cases were not run to their end${report.reason === undefined ? "" : `: ${report.reason}`}`,
      open
    )
  }
  if (summary.cases === 0) miss("unfinished", "cases", "there was no case to be run", [])
  if (summary.errors > (gate.errors ?? 0)) {
    const broken = cases.filter(({ samples }) =>
      samples.some(({ scores }) => Object.values(scores).some(({ error }) => error !== undefined))
    )
    miss(
      "errors",
      "scorers",
      `scores that could not be given: ${summary.errors}`,
      broken.map(({ id }) => id)
    )
  }
  const min = typeof gate.min === "number" ? { passed: gate.min } : (gate.min ?? {})
  for (const [of, limit] of Object.entries(min)) {
    const score = own(summary.scores, of)
    if (score === undefined && of !== "passed") {
      miss("unknown", of, `there is no scorer ${of}; there are ${Object.keys(summary.scores).join(", ")}`, [])
      continue
    }
    const value = (score ?? summary.passRate).mean
    const low = cases.filter((one) =>
      score === undefined
        ? one.samples.length > 0 && !one.passed
        : (own(one.scores, of) ?? 1) < Math.max(limit, score.threshold)
    )
    if (value === null || isBelow(value, limit))
      miss(
        "min",
        of,
        `${of} is ${value === null ? "not known" : rounded(value)}, below ${limit}`,
        low.map(({ id }) => id),
        value ?? undefined,
        limit
      )
  }
  if (gate.baseline !== undefined) {
    const { broken, fixed, same, scores } = Compare.reports(gate.baseline, report)
    const may = (of: string): number => (typeof gate.worse === "number" ? gate.worse : (own(gate.worse ?? {}, of) ?? 0))
    for (const [of, one] of Object.entries(scores))
      if (one !== null && one.difference !== null && isBelow(one.difference, -may(of)))
        miss(
          "worse",
          of,
          `${of} is ${rounded(-one.difference)} worse than before, and may be ${may(of)}`,
          one.worse,
          one.difference,
          -may(of)
        )
    const n = broken.length + fixed.length + same.length
    // Where nothing is compared, nothing says that it is no worse.
    if (n === 0 && summary.samples > 0)
      miss("unknown", "baseline", `the baseline ${gate.baseline.id} has no case in common with this report`, [])
    const change = n === 0 ? 0 : (fixed.length - broken.length) / n
    if (isBelow(change, -may("passed")))
      miss("worse", "passed", `${broken.length} broken and ${fixed.length} fixed`, broken, change, -may("passed"))
  }
  return found
}

/** Fails with `GateFailed` where a report does not reach what it has to; else gives it. @category checking */
export const check = (report: Report, gate: Gate): Effect.Effect<Report, GateFailed> =>
  Effect.suspend(() => {
    const found = misses(report, gate)
    return found.length === 0
      ? Effect.succeed(report)
      : Effect.fail(new GateFailed({ eval: report.name, misses: found, table: Tables.report(report) }))
  })
