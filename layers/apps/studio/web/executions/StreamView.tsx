/** The runtime stream of an execution, entry by entry as it comes. */
import { useState } from "react"
import { Json } from "../ui/Json.tsx"
import { type Column, VirtualGrid } from "../ui/VirtualGrid.tsx"
import type { ExecutionStore } from "./ExecutionStore.ts"

type Entry = ExecutionStore["entries"][number]

const valueOf = ({ event }: Entry): unknown =>
  event._tag === "item"
    ? event.item
    : event._tag === "interrupt"
      ? event.payload
      : event._tag === "intervention"
        ? event.action
        : event.interrupt

const brief = (value: unknown): string => {
  const text = typeof value === "string" ? value : JSON.stringify(value)
  return text.length > 300 ? `${text.slice(0, 300)}\u2026` : text
}

const columns: ReadonlyArray<Column<Entry>> = [
  {
    id: "cursor",
    name: "#",
    width: "52px",
    isEnd: true,
    narrow: "end",
    cell: (entry) => <span className="faint">{entry.cursor}</span>
  },
  {
    id: "what",
    name: "What",
    width: "96px",
    narrow: "aside",
    cell: (entry) => (
      <span className="event-name">{entry.path.length === 0 ? entry.event._tag : entry.path.join("/")}</span>
    )
  },
  {
    id: "value",
    name: "Value",
    width: "minmax(120px, 1fr)",
    narrow: "title",
    cell: (entry) => <span className="mono">{brief(valueOf(entry))}</span>
  }
]

export const StreamView = ({ store }: { readonly store: ExecutionStore }) => {
  const [chosen, setChosen] = useState<number | undefined>(undefined)
  const entry = chosen === undefined ? undefined : store.entries[chosen]
  if (store.entries.length === 0)
    return <p className="hint pad">Nothing was put into the stream{store.isOver ? "" : " so far"}.</p>
  return (
    <div className="stream">
      <VirtualGrid
        chosen={chosen}
        className="stream-grid"
        columns={columns}
        count={store.entries.length}
        follows={chosen === undefined && !store.isOver}
        label="Runtime stream"
        onOpen={(_, index) => setChosen(index === chosen ? undefined : index)}
        row={(index) => store.entries[index]}
        rowHeight={26}
      />
      {entry === undefined ? null : (
        <div className="stream-value">
          <Json open={3} value={entry.event} />
        </div>
      )}
    </div>
  )
}
