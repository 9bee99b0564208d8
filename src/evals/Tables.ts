/** Reports and comparisons for people: plain text in columns, for terminals, logs and failures of tests. */
import type { Comparison } from "./Compare.ts"
import type { Case, Report } from "./Report.ts"

/**
 * How much is shown.
 *
 * @category models
 */
export interface TableOptions {
  /** Which cases: those that do not pass (default), all, or none. */
  readonly cases?: "failed" | "all" | "none" | undefined
  /** How many at most. Default 20. */
  readonly limit?: number | undefined
}

/** A text in one line in which nothing moves a cursor, whatever models and files say. @category conversions */
export const clean = (text: string): string =>
  text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g, " ")

const cut = (text: string, most: number): string => {
  const whole = clean(text)
  return whole.length <= most ? whole : `${whole.slice(0, most - 1)}…`
}

/** Rows with their cells below each other. @category conversions */
export const columns = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths: Array<number> = []
  for (const row of rows) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length)
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join("  ")
          .trimEnd()}\n`
    )
    .join("")
}

const score = (value: number | null | undefined): string =>
  value === null || value === undefined ? "-" : value.toFixed(3)

const signed = (value: number | null): string => (value === null ? "-" : `${value < 0 ? "" : "+"}${value.toFixed(3)}`)

const millis = (value: number): string => (value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`)

const interval = (low: number | null, high: number | null): string =>
  low === null || high === null ? "" : `${low.toFixed(3)} to ${high.toFixed(3)}`

const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`

/** Why a case does not pass, in a sentence; empty where it does. @category conversions */
export const reasonOf = ({ samples }: Case): string => {
  if (samples.length === 0) return "was not run"
  const failed = samples.filter(({ passed }) => !passed)
  const [first] = failed
  if (first === undefined) return ""
  const of = samples.length === 1 ? "" : `${failed.length} of ${samples.length}: `
  if (first.failure !== undefined) return `${of}${first.failure.tag}: ${first.failure.message}`
  for (const [name, { error, passed, reason, score: value }] of Object.entries(first.scores)) {
    if (error !== undefined) return `${of}${name} broke down: ${error.tag}: ${error.message}`
    if (passed === false) return `${of}${name} ${score(value)}${reason === undefined ? "" : `: ${reason}`}`
  }
  return of
}

/** A report in a few rows, with the cases that do not pass. @category conversions */
export const report = (report: Report, options: TableOptions = {}): string => {
  const { cases, name, status, summary } = report
  const { used } = summary
  const tokens = (used.usage.inputTokens ?? 0) + (used.usage.outputTokens ?? 0)
  const facts = [
    `${summary.passed} of ${counted(summary.cases, "case")} passed`,
    ...(summary.samples === summary.cases ? [] : [counted(summary.samples, "sample")]),
    ...(summary.failed === 0 ? [] : [`${summary.failed} failed`]),
    ...(summary.errors === 0 ? [] : [counted(summary.errors, "score") + " missing"]),
    ...(tokens === 0 ? [] : [`${tokens} tokens`]),
    ...(used.cost === undefined ? [] : [`cost ${Math.round(used.cost * 1e6) / 1e6}`]),
    millis(report.finishedAt - report.startedAt)
  ]
  const head = `${clean(name)}: ${facts.join(", ")}${status === "completed" ? "" : ` (${status}${report.reason === undefined ? "" : `: ${clean(report.reason)}`})`}\n`
  const rows = [
    ["scorer", "mean", "95 %", "passed"],
    ...Object.entries(summary.scores).map(([scorer, one]) => [
      clean(scorer),
      score(one.mean),
      interval(one.low, one.high),
      `${one.passed} of ${one.passed + one.failed}${one.skipped === 0 ? "" : `, ${one.skipped} do not apply`}${one.errors === 0 ? "" : `, ${one.errors} missing`}`
    ])
  ]
  const last = summary.passAt.at(-1)
  const repeated =
    last === undefined || last.k === 1 ? "" : `pass@${last.k} ${score(last.any)}, pass^${last.k} ${score(last.all)}\n`
  const spread = summary.duration
  const times =
    spread === undefined
      ? ""
      : `duration: median ${millis(spread.median)}, p95 ${millis(spread.p95)}${summary.timeToFirstToken === undefined ? "" : `; first token: median ${millis(summary.timeToFirstToken.median)}`}\n`
  const { cases: which = "failed", limit = 20 } = options
  const shown = which === "none" ? [] : which === "all" ? cases : cases.filter(({ passed }) => !passed)
  const list = shown
    .slice(0, limit)
    .map((one) => [one.passed ? "✓" : "✗", clean(one.id), cut(JSON.stringify(one.input), 40), cut(reasonOf(one), 100)])
  const more = shown.length > limit ? `… and ${shown.length - limit} more\n` : ""
  return `${head}${columns(rows)}${repeated}${times}${columns(list)}${more}`
}

/** A comparison in a few rows. @category conversions */
export const comparison = (found: Comparison, options: Pick<TableOptions, "limit"> = {}): string => {
  const { limit = 20 } = options
  const { broken, changed, fingerprint, fixed, onlyAfter, onlyBefore, probability, same, scores } = found
  const ids = (list: ReadonlyArray<string>): string =>
    list.length === 0 ? "" : ` ${list.slice(0, limit).map(clean).join(", ")}${list.length > limit ? " …" : ""}`
  const rows = [
    ["scorer", "before", "after", "difference", "95 %", "better", "worse"],
    ...Object.entries(scores).map(([scorer, one]) =>
      one === null
        ? [clean(scorer), "only in one report"]
        : [
            clean(scorer),
            score(one.before),
            score(one.after),
            signed(one.difference),
            one.low === null || one.high === null ? "" : `${signed(one.low)} to ${signed(one.high)}`,
            String(one.better.length),
            String(one.worse.length)
          ]
    )
  ]
  const lists = [
    `fixed ${fixed.length}${ids(fixed)}\n`,
    `broken ${broken.length}${ids(broken)}\n`,
    `same ${same.length}\n`,
    changed.length === 0 ? "" : `changed ${changed.length}${ids(changed)}\n`,
    onlyBefore.length === 0 ? "" : `only before ${onlyBefore.length}${ids(onlyBefore)}\n`,
    onlyAfter.length === 0 ? "" : `only after ${onlyAfter.length}${ids(onlyAfter)}\n`
  ]
  const differ = fingerprint.isSame
    ? "no difference in what was run is known"
    : `differs in: ${fingerprint.differ.map(clean).join(", ")}`
  return `${clean(found.before)} -> ${clean(found.after)}\n${columns(rows)}${lists.join("")}McNemar p ${probability.toFixed(3)}; ${differ}\n`
}
