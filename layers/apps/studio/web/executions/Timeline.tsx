/** What has happened in an execution, row by row; of 100,000 rows only those in sight are here. */
import { type CSSProperties, useCallback, useEffect, useMemo, useState } from "react"
import type { TimelineRow } from "../../Api.ts"
import { announce } from "../app/Announcer.tsx"
import { go, href } from "../app/Router.tsx"
import { fork, timeline } from "../data/Client.ts"
import { count, counted, duration, timeExact, timeFull } from "../data/format.ts"
import { usePaged } from "../data/Paged.ts"
import { wordsOf } from "../data/useLoaded.ts"
import { Button, Select } from "../ui/Controls.tsx"
import { Panel } from "../ui/Page.tsx"
import { Failed, Loading } from "../ui/States.tsx"
import { Status, toneOf } from "../ui/Status.tsx"
import { type Column, VirtualGrid } from "../ui/VirtualGrid.tsx"

interface Range {
  from: number
  to: number
  complete: boolean
}

const barOf = (row: TimelineRow, { from, to }: Range): CSSProperties => {
  const whole = Math.max(1, to - from)
  const end = row.endedAt ?? (row.kind === "event" ? row.startedAt : to)
  return {
    left: `${((row.startedAt - from) / whole) * 100}%`,
    width: `${((end - row.startedAt) / whole) * 100}%`
  }
}

const columnsOf = (range: Range, names: ReadonlyMap<string, string>): ReadonlyArray<Column<TimelineRow>> => [
  {
    id: "index",
    name: "#",
    width: "64px",
    isEnd: true,
    cell: (row) => <span className="faint">{count(row.index)}</span>
  },
  {
    id: "what",
    name: "What",
    width: "minmax(130px, 1.6fr)",
    narrow: "title",
    cell: (row) =>
      row.kind === "step" ? (
        <span>
          <span className="mono" title={row.key}>
            {names.get(row.key ?? "") ?? row.key}
          </span>
          {(row.attempt ?? 1) > 1 ? <span className="faint"> run {row.attempt}</span> : null}
        </span>
      ) : (
        <span>
          <span className="event-name">{row.what}</span>{" "}
          {row.name === undefined ? null : <span className="mono">{row.name}</span>}
        </span>
      )
  },
  {
    id: "status",
    name: "Status",
    width: "86px",
    narrow: "aside",
    cell: (row) =>
      row.status === undefined ? <span className="faint">event</span> : <Status quiet status={row.status} />
  },
  {
    id: "bar",
    name: "When",
    width: "minmax(50px, 2fr)",
    cell: (row) => (
      <span className="bar-track">
        <span
          className="bar-fill"
          data-kind={row.kind}
          data-tone={toneOf(row.status ?? "")}
          style={barOf(row, range)}
        />
      </span>
    )
  },
  {
    id: "duration",
    name: "Time",
    width: "64px",
    isEnd: true,
    narrow: "line",
    cell: (row) => (row.kind === "event" ? "" : duration(row.duration))
  },
  {
    id: "started",
    name: "Began",
    width: "96px",
    isEnd: true,
    narrow: "end",
    cell: (row) => <time title={timeFull(row.startedAt)}>{timeExact(row.startedAt)}</time>
  }
]

interface TimelineProps {
  readonly execution: string
  readonly canFork: boolean
  /** Changes as the execution goes on. */
  readonly turn: number
  /** What steps are called, by their keys. */
  readonly names: ReadonlyMap<string, string>
  /** Only this step. */
  readonly step: string | undefined
  readonly onStep: (step: string | undefined) => void
}

export const Timeline = ({ canFork, execution, names, onStep, step, turn }: TimelineProps) => {
  const [kind, setKind] = useState("all")
  const [order, setOrder] = useState("oldest")
  const [chosen, setChosen] = useState<number | undefined>(undefined)
  const [error, setError] = useState<string | undefined>(undefined)
  const key = `${execution} ${kind} ${order} ${step ?? ""}`
  const range = useMemo<Range>(() => ({ from: 0, to: 1, complete: true }), [key])
  const paged = usePaged<TimelineRow>(key, async (offset, limit, signal) => {
    const page = await timeline(
      execution,
      { offset, limit, order, key: step, kind: kind === "all" ? undefined : kind },
      signal
    )
    range.from = page.startedAt ?? 0
    range.to = page.endedAt ?? Date.now()
    range.complete = page.complete
    return { total: page.total, items: page.rows }
  })
  // As the execution goes on it is read anew, at most twice a second.
  const [seen, setSeen] = useState(turn)
  useEffect(() => {
    if (turn === seen) return
    const timer = window.setTimeout(() => {
      setSeen(turn)
      paged.refresh()
    }, 500)
    return () => window.clearTimeout(timer)
  }, [turn, seen, paged])
  useEffect(() => setChosen(undefined), [key])
  const onSight = useCallback((from: number, to: number) => paged.want(from, to), [paged])
  const columns = useMemo(() => columnsOf(range, names), [range, paged.total, names])
  const row = chosen === undefined ? undefined : paged.row(chosen)
  const forkHere = (): void => {
    if (row === undefined) return
    setError(undefined)
    fork(execution, { seq: row.seq }).then(
      ({ execution }) => {
        announce("Forked. This is the new execution.")
        go(href(["executions", execution]))
      },
      (error: unknown) => setError(wordsOf(error))
    )
  }
  return (
    <Panel
      aside={
        <>
          {step === undefined ? null : (
            <Button icon="close" kind="quiet" onPress={() => onStep(undefined)}>
              Only {names.get(step) ?? step}
            </Button>
          )}
          <Select
            choices={[
              { id: "all", name: "Steps and events" },
              { id: "step", name: "Steps" },
              { id: "event", name: "Events" }
            ]}
            label="What is shown"
            onChange={setKind}
            value={kind}
          />
          <Select
            choices={[
              { id: "oldest", name: "Oldest first" },
              { id: "newest", name: "Newest first" }
            ]}
            label="Order"
            onChange={setOrder}
            value={order}
          />
        </>
      }
      className="timeline"
      title={`Timeline${paged.total === undefined ? "" : `, ${counted(paged.total, "row")}`}`}
    >
      {range.complete ? null : <p className="notice notice-wait">The beginning of this execution is kept no more.</p>}
      {paged.total === undefined ? (
        paged.error === undefined ? (
          <Loading what="the timeline" />
        ) : (
          <Failed again={() => paged.refresh()} message={paged.error} what="The timeline" />
        )
      ) : (
        <VirtualGrid
          chosen={chosen}
          className="timeline-grid"
          columns={columns}
          count={paged.total}
          label="Timeline"
          onOpen={(_, index) => setChosen(index === chosen ? undefined : index)}
          onSight={onSight}
          row={(index) => paged.row(index)}
          rowHeight={28}
        />
      )}
      {row === undefined ? null : (
        <div aria-label="The chosen row" className="chosen" role="group">
          <span className="chosen-title mono">{names.get(row.key ?? "") ?? row.key ?? row.what}</span>
          <span className="hint">
            {row.kind === "step" ? `run ${row.attempt ?? 1}, ` : ""}append {count(row.seq)}
            {row.endSeq === undefined || row.endSeq === row.seq ? "" : ` to ${count(row.endSeq)}`}
            {row.duration === undefined ? "" : `, ${duration(row.duration)}`}
          </span>
          <span className="spacer" />
          {row.key === undefined || step !== undefined ? null : (
            <Button kind="quiet" onPress={() => onStep(row.key)}>
              Only this step
            </Button>
          )}
          {canFork ? (
            <Button icon="fork" onPress={forkHere}>
              Fork from here
            </Button>
          ) : null}
        </div>
      )}
      {error === undefined ? null : (
        <p className="notice notice-bad" role="alert">
          {error}
        </p>
      )}
    </Panel>
  )
}
