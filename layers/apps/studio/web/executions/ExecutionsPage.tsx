/** All executions, newest first: found by a part of their id, their flow and where they stand. */
import { useEffect, useState } from "react"
import type { ExecutionRow, Project } from "../../Api.ts"
import { go, href, setQuery, useRoute } from "../app/Router.tsx"
import { executions } from "../data/Client.ts"
import { count, duration, time, timeFull } from "../data/format.ts"
import { useListing } from "../data/Listing.ts"
import { useNews } from "../data/News.ts"
import { useSettled } from "../data/useLoaded.ts"
import { SearchField, Select } from "../ui/Controls.tsx"
import { ListView } from "../ui/ListView.tsx"
import { PageHead } from "../ui/Page.tsx"
import { Status } from "../ui/Status.tsx"
import type { Column } from "../ui/VirtualGrid.tsx"

const statuses = ["created", "running", "waiting", "completed", "failed", "cancelled"]
const all = "all"

const columns: ReadonlyArray<Column<ExecutionRow>> = [
  {
    id: "status",
    name: "Status",
    width: "118px",
    narrow: "aside",
    cell: (one) => <Status status={one.dead === undefined ? one.status : "dead"} />
  },
  {
    id: "id",
    name: "Execution",
    width: "minmax(160px, 480px)",
    narrow: "title",
    cell: (one) => <span className="mono">{one.id}</span>
  },
  {
    id: "flow",
    name: "Flow",
    width: "minmax(120px, 320px)",
    narrow: "line",
    cell: (one) => (
      <>
        {one.flow} {one.version === undefined ? null : <span className="tag">{one.version}</span>}
      </>
    )
  },
  {
    id: "tags",
    name: "Tags",
    width: "minmax(80px, 1fr)",
    cell: (one) =>
      one.tags.map((tag) => (
        <span className="tag" key={tag}>
          {tag}
        </span>
      ))
  },
  { id: "steps", name: "Appends", width: "84px", isEnd: true, cell: (one) => count(one.seq) },
  {
    id: "duration",
    name: "Time",
    width: "92px",
    isEnd: true,
    cell: (one) => duration((one.closedAt ?? one.updatedAt ?? one.startedAt) - one.startedAt)
  },
  {
    id: "started",
    name: "Started",
    width: "150px",
    isEnd: true,
    narrow: "end",
    cell: (one) => <time title={timeFull(one.startedAt)}>{time(one.startedAt)}</time>
  }
]

export const ExecutionsPage = ({ project }: { readonly project: Project }) => {
  const { query } = useRoute()
  const [text, setText] = useState(query.get("text") ?? "")
  const settled = useSettled(text.trim(), 150)
  const status = query.get("status") ?? all
  const flow = query.get("flow") ?? all
  useEffect(() => setQuery({ text: settled }), [settled])
  const asked = {
    text: settled,
    flow: flow === all ? undefined : flow,
    ...(status === "dead" ? { dead: "true" as const } : { status: status === all ? undefined : status })
  }
  const list = useListing(JSON.stringify(asked), (after, limit, signal) =>
    executions({ ...asked, after, limit }, signal).then(({ executions, next, total }) => ({
      items: executions,
      next,
      total
    }))
  )
  useNews("execution", 1000, list.refresh)
  const isFiltered = settled !== "" || status !== all || flow !== all
  const names = Array.from(new Set(project.flows.map(({ name }) => name)))
  return (
    <>
      <PageHead title="Executions">
        {list.total === undefined
          ? list.isLoaded
            ? `${count(list.items.length)}${list.isMore ? " and more" : ""}, newest first`
            : "Newest first"
          : `${count(list.total)}, newest first`}
      </PageHead>
      <div aria-label="Filter" className="filters" role="search">
        <SearchField label="Search executions" onChange={setText} placeholder="A part of the id" value={text} />
        <Select
          choices={[
            { id: all, name: "Any status" },
            ...[...statuses, "dead"].map((id) => ({ id, name: id === "dead" ? "put aside" : id }))
          ]}
          label="Status"
          onChange={(next) => setQuery({ status: next === all ? undefined : next })}
          value={status}
        />
        <Select
          choices={[{ id: all, name: "Any flow" }, ...names.map((id) => ({ id, name: id }))]}
          label="Flow"
          onChange={(next) => setQuery({ flow: next === all ? undefined : next })}
          value={flow}
        />
      </div>
      <ListView
        columns={columns}
        empty={
          isFiltered
            ? { title: "No execution is like this", hint: "Change the filter above." }
            : {
                title: "Nothing was started yet",
                hint: "Open a flow and start it, or start one by effigent flow start."
              }
        }
        list={list}
        onOpen={(one) => go(href(["executions", one.id]))}
        what="executions"
      />
    </>
  )
}
