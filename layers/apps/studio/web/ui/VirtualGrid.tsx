/**
 * A table of any length, of which only the rows in sight are in the page. One stop for the Tab key; the arrows move, Enter
 * opens. Rows are told by index, so that a list of 100,000 costs nothing before it is looked at (a collection of
 * react-aria holds a node for every row).
 */
import { type KeyboardEvent, type ReactNode, useEffect, useId, useLayoutEffect, useRef, useState } from "react"
import { useMedia } from "./useMedia.ts"

export interface Column<A> {
  readonly id: string
  readonly name: string
  /** A track of `grid-template-columns`. */
  readonly width: string
  /** Where it stands in the two lines that a row has on narrow pages; absent: it is left out there. */
  readonly narrow?: "title" | "aside" | "line" | "end"
  readonly isEnd?: boolean
  /** It is left out where there is not much room. */
  readonly isWide?: boolean
  readonly cell: (item: A, index: number) => ReactNode
}

interface VirtualGridProps<A> {
  readonly label: string
  readonly columns: ReadonlyArray<Column<A>>
  readonly count: number
  /** `undefined` while it is being loaded. */
  readonly row: (index: number) => A | undefined
  /** Is told which rows are in sight. */
  readonly onSight?: (from: number, to: number) => void
  readonly onOpen?: (item: A, index: number) => void
  /** A row that is shown as chosen. */
  readonly chosen?: number | undefined
  readonly rowHeight?: number
  readonly className?: string
  /** Keeps the end in sight while rows come. */
  readonly follows?: boolean
}

// What a row cannot be narrower than; the table then scrolls sideways in its own box.
const leastWidth = (columns: ReadonlyArray<{ readonly width: string }>): number =>
  columns.reduce((all, { width }) => all + Number(/\d+/.exec(width)?.[0] ?? 0) + 12, 12)

const spare = 8
const narrowHeight = 54

export const VirtualGrid = <A,>(props: VirtualGridProps<A>) => {
  const { chosen, className = "", count, follows = false, label, onOpen, onSight, row } = props
  const id = useId()
  const isNarrow = useMedia("(max-width: 719px)")
  const isTight = useMedia("(max-width: 1499px)")
  const columns = isTight ? props.columns.filter(({ isWide }) => isWide !== true) : props.columns
  const height = isNarrow ? narrowHeight : (props.rowHeight ?? 32)
  const scroller = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  const [room, setRoom] = useState(600)
  const [active, setActive] = useState(0)
  const at = Math.min(active, Math.max(0, count - 1))
  const from = Math.max(0, Math.floor(top / height) - spare)
  const to = Math.min(count - 1, Math.ceil((top + room) / height) + spare)

  useLayoutEffect(() => {
    const box = scroller.current
    if (box === null) return
    const measure = () => setRoom(box.clientHeight)
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(box)
    return () => observer.disconnect()
  }, [])
  useEffect(() => {
    onSight?.(from, Math.max(from, to))
  }, [from, to, onSight])
  useLayoutEffect(() => {
    const box = scroller.current
    if (follows && box !== null) box.scrollTop = box.scrollHeight
  }, [follows, count])

  const reveal = (index: number): void => {
    const box = scroller.current
    if (box === null) return
    const head = isNarrow ? 0 : 30
    const start = index * height
    if (start < box.scrollTop) box.scrollTop = start
    else if (start + height + head > box.scrollTop + box.clientHeight)
      box.scrollTop = start + height + head - box.clientHeight
  }
  const move = (index: number): void => {
    const next = Math.max(0, Math.min(count - 1, index))
    setActive(next)
    reveal(next)
  }
  const open = (index: number): void => {
    const item = row(index)
    if (item !== undefined) onOpen?.(item, index)
  }
  const pressed = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const page = Math.max(1, Math.floor(room / height) - 1)
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: count - 1
    }
    const next = steps[event.key]
    if (next !== undefined) move(next)
    else if (event.key === "Enter" || event.key === " ") open(at)
    else return
    event.preventDefault()
  }

  const least = isNarrow ? 0 : leastWidth(columns)
  const template = { gridTemplateColumns: columns.map(({ width }) => width).join(" ") }
  const shown: Array<ReactNode> = []
  for (let index = from; index <= to; index++) {
    const item = row(index)
    shown.push(
      // The focus stays at the table, which hears the keys of the row that is active.
      <div
        aria-rowindex={index + 2}
        aria-selected={onOpen === undefined ? undefined : chosen === index}
        className="vrow"
        data-active={index === at || undefined}
        data-link={onOpen !== undefined || undefined}
        id={`${id}-${index}`}
        key={index}
        onClick={() => {
          setActive(index)
          open(index)
        }}
        role="row"
        style={{ ...(isNarrow ? {} : template), height, transform: `translateY(${index * height}px)` }}
      >
        {columns.map((column) =>
          isNarrow && column.narrow === undefined ? null : (
            <div
              className={`vcell${column.isEnd === true ? " vcell-end" : ""}`}
              data-narrow={column.narrow}
              key={column.id}
              role="gridcell"
            >
              {item === undefined ? <span className="ghost" /> : column.cell(item, index)}
            </div>
          )
        )}
      </div>
    )
  }
  return (
    <div
      aria-activedescendant={count === 0 ? undefined : `${id}-${at}`}
      aria-colcount={columns.length}
      aria-label={label}
      aria-rowcount={count + 1}
      className={`vgrid ${className}`}
      onKeyDown={pressed}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      ref={scroller}
      role="grid"
      tabIndex={0}
    >
      <div className={isNarrow ? "sr-only" : "vhead"} role="rowgroup" style={{ minWidth: least }}>
        <div aria-rowindex={1} className="vhead-row" role="row" style={template}>
          {columns.map((column) =>
            isNarrow && column.narrow === undefined ? null : (
              <div className={`vcell${column.isEnd === true ? " vcell-end" : ""}`} key={column.id} role="columnheader">
                {column.name}
              </div>
            )
          )}
        </div>
      </div>
      <div className="vbody" role="rowgroup" style={{ height: count * height, minWidth: least }}>
        {shown}
      </div>
    </div>
  )
}
