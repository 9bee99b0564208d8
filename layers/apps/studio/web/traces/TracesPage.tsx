/** All traces that are kept, newest first. */
import { useEffect, useState } from "react"
import type { TraceRow } from "../../Api.ts"
import { go, href, setQuery, useRoute } from "../app/Router.tsx"
import { clearTraces, traces } from "../data/Client.ts"
import { cost, count, duration, time, timeFull, tokens } from "../data/format.ts"
import { useListing } from "../data/Listing.ts"
import { useNews } from "../data/News.ts"
import { useSettled } from "../data/useLoaded.ts"
import { Button, SearchField, Select } from "../ui/Controls.tsx"
import { ListView } from "../ui/ListView.tsx"
import { PageHead } from "../ui/Page.tsx"
import { kindWord, Status } from "../ui/Status.tsx"
import type { Column } from "../ui/VirtualGrid.tsx"

const all = "all"

const columns: ReadonlyArray<Column<TraceRow>> = [
  { id: "status", name: "Status", width: "108px", narrow: "aside", cell: (one) => <Status status={one.status} /> },
  {
    id: "name",
    name: "Name",
    width: "minmax(160px, 1fr)",
    narrow: "title",
    cell: (one) => (
      <>
        <span className="kind" data-kind={one.kind}>
          {kindWord(one.kind)}
        </span>{" "}
        <span className="strong">{one.name}</span>
        {one.error === undefined ? null : <span className="bad-text"> {one.error.tag}</span>}
      </>
    )
  },
  {
    id: "id",
    name: "Trace",
    width: "minmax(100px, 1fr)",
    isWide: true,
    cell: (one) => <span className="mono faint">{one.id}</span>
  },
  { id: "spans", name: "Spans", width: "70px", isEnd: true, cell: (one) => count(one.spans) },
  {
    id: "tokens",
    name: "Tokens in / out",
    width: "124px",
    isEnd: true,
    narrow: "line",
    cell: (one) =>
      one.usage === undefined ? (
        <span className="faint">{"\u2013"}</span>
      ) : (
        `${tokens(one.usage.inputTokens)} / ${tokens(one.usage.outputTokens)}`
      )
  },
  { id: "cost", name: "Cost", width: "84px", isEnd: true, cell: (one) => cost(one.cost) },
  { id: "first", name: "First token", width: "96px", isEnd: true, cell: (one) => duration(one.timeToFirstToken) },
  { id: "duration", name: "Time", width: "92px", isEnd: true, cell: (one) => duration(one.duration) },
  {
    id: "started",
    name: "Started",
    width: "150px",
    isEnd: true,
    narrow: "end",
    cell: (one) => <time title={timeFull(one.startedAt)}>{time(one.startedAt)}</time>
  }
]

export const TracesPage = () => {
  const { query } = useRoute()
  const [text, setText] = useState(query.get("text") ?? "")
  const settled = useSettled(text.trim(), 150)
  const status = query.get("status") ?? all
  const kind = query.get("kind") ?? all
  useEffect(() => setQuery({ text: settled }), [settled])
  const asked = {
    text: settled,
    status: status === all ? undefined : status,
    kind: kind === all ? undefined : kind
  }
  const list = useListing(JSON.stringify(asked), (after, limit, signal) =>
    traces({ ...asked, after, limit }, signal).then(({ next, total, traces }) => ({ items: traces, next, total }))
  )
  useNews("trace", 700, list.refresh)
  const isFiltered = settled !== "" || status !== all || kind !== all
  return (
    <>
      <PageHead
        actions={
          <Button icon="trash" onPress={() => void clearTraces().then(list.refresh, () => undefined)}>
            Forget those that ended
          </Button>
        }
        title="Traces"
      >
        {list.total === undefined ? "Newest first" : `${count(list.total)} kept, newest first`}
      </PageHead>
      <div aria-label="Filter" className="filters" role="search">
        <SearchField label="Search traces" onChange={setText} placeholder="A part of the name or id" value={text} />
        <Select
          choices={[
            { id: all, name: "Any status" },
            ...["running", "ok", "error", "cancelled"].map((id) => ({ id, name: id }))
          ]}
          label="Status"
          onChange={(next) => setQuery({ status: next === all ? undefined : next })}
          value={status}
        />
        <Select
          choices={[
            { id: all, name: "Any kind" },
            { id: "group", name: "Runs" },
            { id: "agent", name: "Agents" },
            { id: "flow", name: "Flows" }
          ]}
          label="Kind"
          onChange={(next) => setQuery({ kind: next === all ? undefined : next })}
          value={kind}
        />
      </div>
      <ListView
        columns={columns}
        empty={
          isFiltered
            ? { title: "No trace is like this", hint: "Change the filter above." }
            : {
                title: "Nothing was traced yet",
                hint: "Ask an agent, or start a flow: what it does is traced while the studio is open."
              }
        }
        list={list}
        onOpen={(one) => go(href(["traces", one.id]))}
        what="traces"
      />
    </>
  )
}
