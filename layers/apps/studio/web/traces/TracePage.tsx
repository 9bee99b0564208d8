/** One trace: the waterfall of its spans, and everything of the span that is chosen. */
import { type CSSProperties, useCallback, useEffect, useMemo, useRef, useState } from "react"
import type { SpanRow, TraceRow } from "../../Api.ts"
import { href, Link, setQuery, useRoute } from "../app/Router.tsx"
import { spans } from "../data/Client.ts"
import { cost, counted, duration, time, timeFull, tokens } from "../data/format.ts"
import { useNews } from "../data/News.ts"
import { usePaged } from "../data/Paged.ts"
import { PageHead, Panel } from "../ui/Page.tsx"
import { Pending } from "../ui/Pending.tsx"
import { kindWord, Status, toneOf } from "../ui/Status.tsx"
import { type Column, VirtualGrid } from "../ui/VirtualGrid.tsx"
import { SpanView } from "./SpanView.tsx"

const barOf = (row: SpanRow, whole: number): CSSProperties => ({
  left: `${(row.start / whole) * 100}%`,
  width: `${((row.duration ?? whole - row.start) / whole) * 100}%`
})

/** Where in its bar the first token came. */
const firstOf = (row: SpanRow): CSSProperties | undefined =>
  row.kind !== "chat" || row.timeToFirstToken === undefined || !row.duration
    ? undefined
    : { width: `${Math.min(100, (row.timeToFirstToken / row.duration) * 100)}%` }

const columnsOf = (whole: number): ReadonlyArray<Column<SpanRow>> => [
  {
    id: "name",
    name: "Span",
    width: "minmax(225px, 1.3fr)",
    narrow: "title",
    cell: (row) => (
      <span className="span-name" style={{ paddingInlineStart: Math.min(row.depth, 12) * 14 }}>
        <span className="kind" data-kind={row.kind}>
          {kindWord(row.kind)}
        </span>
        <span className="span-text">{row.name}</span>
        {(row.attempt ?? 1) > 1 ? <span className="tag tag-wait">attempt {row.attempt}</span> : null}
        {row.status === "ok" ? null : <Status quiet status={row.status} />}
      </span>
    )
  },
  {
    id: "bar",
    name: "When",
    width: "minmax(80px, 2fr)",
    narrow: "line",
    cell: (row) => {
      const first = firstOf(row)
      return (
        <span className="bar-track">
          <span
            className="bar-fill"
            data-kind={row.kind}
            data-tone={row.status === "ok" ? undefined : toneOf(row.status)}
            style={barOf(row, whole)}
          >
            {first === undefined ? null : <span className="bar-first" style={first} />}
          </span>
        </span>
      )
    }
  },
  { id: "duration", name: "Time", width: "62px", isEnd: true, narrow: "end", cell: (row) => duration(row.duration) },
  {
    id: "tokens",
    name: "Tokens",
    width: "80px",
    isEnd: true,
    cell: (row) =>
      row.usage === undefined ? "" : `${tokens(row.usage.inputTokens)} / ${tokens(row.usage.outputTokens)}`
  },
  {
    id: "cost",
    name: "Cost",
    width: "60px",
    isEnd: true,
    cell: (row) => (row.cost === undefined ? "" : cost(row.cost))
  }
]

const Facts = ({ trace }: { readonly trace: TraceRow }) => (
  <>
    <Status status={trace.status} />
    <span>
      {trace.duration === undefined ? "" : `${duration(trace.duration)}, `}since{" "}
      <time title={timeFull(trace.startedAt)}>{time(trace.startedAt)}</time>
    </span>
    <span>{counted(trace.spans, "span")}</span>
    {trace.usage === undefined ? null : (
      <span>
        {tokens(trace.usage.inputTokens)} tokens in, {tokens(trace.usage.outputTokens)} out
      </span>
    )}
    {trace.timeToFirstToken === undefined ? null : <span>first token after {duration(trace.timeToFirstToken)}</span>}
    {trace.cost === undefined ? null : <span>{cost(trace.cost)}</span>}
    {trace.execution === undefined ? null : <Link to={href(["executions", trace.execution])}>Execution</Link>}
  </>
)

export const TracePage = ({ id }: { readonly id: string }) => {
  const { query } = useRoute()
  const [trace, setTrace] = useState<TraceRow | undefined>(undefined)
  const chosen = query.get("span") ?? undefined
  const [at, setAt] = useState<number | undefined>(undefined)
  const asked = useRef(false)
  const paged = usePaged<SpanRow>(id, async (offset, limit, signal) => {
    const page = await spans(id, { offset, limit }, signal)
    setTrace(page.trace)
    return { total: page.total, items: page.rows }
  })
  useNews("trace", 700, (news) => {
    if ("id" in news && news.id === id) paged.refresh()
  })
  const whole = Math.max(1, trace?.duration ?? Date.now() - (trace?.startedAt ?? Date.now()))
  const columns = useMemo(() => columnsOf(whole), [whole])
  const onSight = useCallback((from: number, to: number) => paged.want(from, to), [paged])
  const first = paged.row(0)
  // Without a choice the first request to a model is shown: that is what most come for.
  useEffect(() => {
    if (chosen !== undefined || first === undefined || asked.current) return
    asked.current = true
    for (let index = 0; index < Math.min(paged.total ?? 0, 100); index++) {
      const row = paged.row(index)
      if (row?.kind !== "chat") continue
      setAt(index)
      setQuery({ span: row.id })
      return
    }
    setAt(0)
    setQuery({ span: first.id })
  }, [chosen, first, paged])
  const index = useMemo(() => {
    if (chosen === undefined) return undefined
    if (at !== undefined && paged.row(at)?.id === chosen) return at
    for (let index = 0; index < Math.min(paged.total ?? 0, 1000); index++)
      if (paged.row(index)?.id === chosen) return index
    return undefined
  }, [at, chosen, paged, first])
  if (paged.total === undefined)
    return (
      <Pending
        again={() => paged.refresh()}
        error={paged.error}
        title={id}
        up={{ name: "Traces", to: href(["traces"]) }}
        what="the trace"
      />
    )
  const row = index === undefined ? undefined : paged.row(index)
  return (
    <>
      <PageHead title={trace?.name ?? id} up={{ name: "Traces", to: href(["traces"]) }}>
        {trace === undefined ? null : <Facts trace={trace} />}
        <span className="mono faint">{id}</span>
      </PageHead>
      {trace?.error === undefined ? null : (
        <p className="notice notice-bad">
          <strong>{trace.error.tag}</strong> {trace.error.message}
        </p>
      )}
      {trace === undefined || trace.dropped === 0 ? null : (
        <p className="notice notice-wait">
          {counted(trace.dropped, "span")} of this trace were not kept: it is very long.
        </p>
      )}
      <div className="trace">
        <Panel aside={<span className="hint">0 to {duration(whole)}</span>} className="trace-spans" title="Waterfall">
          <VirtualGrid
            chosen={index}
            className="trace-grid"
            columns={columns}
            count={paged.total}
            label="Spans"
            onOpen={(row, index) => {
              setAt(index)
              setQuery({ span: row.id })
            }}
            onSight={onSight}
            row={(index) => paged.row(index)}
            rowHeight={30}
          />
        </Panel>
        <div className="trace-detail">
          {chosen === undefined ? null : (
            <SpanView span={chosen} turn={`${row?.status ?? ""} ${row?.duration ?? ""}`} trace={id} />
          )}
        </div>
      </div>
    </>
  )
}
