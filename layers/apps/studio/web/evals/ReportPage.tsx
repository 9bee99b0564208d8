/** One report of an eval: its scores, its cases, and what has changed since another report. */
import { useMemo, useState } from "react"
import { href, setQuery, useRoute } from "../app/Router.tsx"
import { evalReport, evals } from "../data/Client.ts"
import { counted, duration, time } from "../data/format.ts"
import { useLoaded } from "../data/useLoaded.ts"
import { Select } from "../ui/Controls.tsx"
import { Json } from "../ui/Json.tsx"
import { PageHead, Panel } from "../ui/Page.tsx"
import { Pending } from "../ui/Pending.tsx"
import { Status } from "../ui/Status.tsx"
import { type Column, VirtualGrid } from "../ui/VirtualGrid.tsx"
import {
  type Change,
  changesOf,
  meanOf,
  numberAt,
  passRateOf,
  type Report,
  type ReportCase,
  reportOf
} from "./report.ts"

const none = "none"
const number = (value: number | null | undefined): string =>
  typeof value === "number" ? value.toFixed(3).replace(/\.?0+$/, "") : "\u2013"
const difference = (before: number | undefined, after: number | undefined): string => {
  if (before === undefined || after === undefined) return ""
  const change = after - before
  return `${change > 0 ? "+" : change < 0 ? "\u2212" : "\u00b1"}${number(Math.abs(change))}`
}

const columnsOf = (
  report: Report,
  changes: ReadonlyMap<string, Change> | undefined
): ReadonlyArray<Column<ReportCase>> => [
  {
    id: "passed",
    name: "Passed",
    width: "100px",
    narrow: "aside",
    cell: (one) => <Status status={one.passed ? "passed" : "failed"} />
  },
  {
    id: "case",
    name: "Case",
    width: "minmax(140px, 1fr)",
    narrow: "title",
    cell: (one) => <span className="mono">{one.id}</span>
  },
  ...(changes === undefined
    ? []
    : [
        {
          id: "change",
          name: "Since then",
          width: "100px",
          narrow: "line" as const,
          cell: (one: ReportCase) => <span data-change={changes.get(one.id)}>{changes.get(one.id)}</span>
        }
      ]),
  ...report.scorers.map((name, index) => ({
    id: `score-${name}`,
    name,
    width: "110px",
    isEnd: true,
    ...(index === 0 ? { narrow: "end" as const } : {}),
    cell: (one: ReportCase) => number(one.scores[name])
  }))
]

const Scores = ({ before, report }: { readonly report: Report; readonly before: Report | undefined }) => {
  const rows: ReadonlyArray<readonly [string, number | undefined, number | undefined]> = [
    ["Pass rate", passRateOf(report), before === undefined ? undefined : passRateOf(before)],
    ...report.scorers.map(
      (name) => [name, meanOf(report, name), before === undefined ? undefined : meanOf(before, name)] as const
    )
  ]
  return (
    <div className="table-box" role="group" aria-label="Scores" tabIndex={0}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Score</th>
            <th scope="col">Mean</th>
            {before === undefined ? null : (
              <>
                <th scope="col">Before</th>
                <th scope="col">Change</th>
              </>
            )}
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, after, then]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{number(after)}</td>
              {before === undefined ? null : (
                <>
                  <td>{number(then)}</td>
                  <td>{difference(then, after)}</td>
                </>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

export const ReportPage = ({ id }: { readonly id: string }) => {
  const { query } = useRoute()
  const other = query.get("before") ?? none
  const [chosen, setChosen] = useState<number | undefined>(undefined)
  const { error, reload, value } = useLoaded(`eval ${id}`, (signal) => evalReport(id, signal))
  const list = useLoaded("evals", evals)
  const then = useLoaded(`eval ${other}`, async (signal) => (other === none ? undefined : evalReport(other, signal)))
  const report = useMemo(() => (value === undefined ? undefined : reportOf(value)), [value])
  const before = useMemo(() => (then.value === undefined ? undefined : reportOf(then.value)), [then.value])
  const changes = useMemo(
    () => (before === undefined || report === undefined ? undefined : changesOf(before, report)),
    [before, report]
  )
  const columns = useMemo(() => (report === undefined ? [] : columnsOf(report, changes)), [report, changes])
  if (report === undefined)
    return (
      <Pending again={reload} error={error} title={id} up={{ name: "Evals", to: href(["evals"]) }} what="the report" />
    )
  const tally = (change: Change): number => Array.from(changes?.values() ?? []).filter((one) => one === change).length
  // Without a choice the first case that failed is shown: that is what most come for.
  const shown =
    chosen ??
    Math.max(
      0,
      report.cases.findIndex(({ passed }) => !passed)
    )
  const one = report.cases[shown]
  return (
    <>
      <PageHead
        actions={
          <Select
            choices={[
              { id: none, name: "Compare with none" },
              ...(list.value?.reports ?? [])
                .filter((one) => one.id !== id && one.name === report.name)
                .map((one) => ({ id: one.id, name: `${one.name}, ${one.id.slice(-8)}` }))
            ]}
            label="Compare with"
            onChange={(next) => setQuery({ before: next === none ? undefined : next })}
            value={other}
          />
        }
        title={report.name}
        up={{ name: "Evals", to: href(["evals"]) }}
      >
        {report.status === undefined ? null : <Status status={report.status} />}
        <span>{time(report.startedAt)}</span>
        <span>{counted(report.cases.length, "case")}</span>
        {numberAt(report.summary, "duration", "median") === undefined ? null : (
          <span>median {duration(numberAt(report.summary, "duration", "median"))}</span>
        )}
        {changes === undefined ? null : (
          <span>
            {tally("fixed")} fixed, {tally("broken")} broken
          </span>
        )}
      </PageHead>
      <div className="report">
        <Panel className="report-scores" title="Scores">
          <Scores before={before} report={report} />
        </Panel>
        <Panel className="report-cases" title="Cases">
          <VirtualGrid
            chosen={shown}
            className="report-grid"
            columns={columns}
            count={report.cases.length}
            label="Cases"
            onOpen={(_, index) => setChosen(index)}
            row={(index) => report.cases[index]}
          />
        </Panel>
        <Panel className="report-case padded" title={one === undefined ? "Case" : `Case ${one.id}`}>
          {one === undefined ? <p className="hint">The report has no cases.</p> : <Json open={4} value={one.whole} />}
        </Panel>
      </div>
    </>
  )
}
