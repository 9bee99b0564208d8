/** A JSON value as a tree that opens and closes; long lists and texts show their begin first. */
import { memo, type ReactNode, useState } from "react"

const many = 100
const long = 400

const isContainer = (value: unknown): value is object => typeof value === "object" && value !== null

const Scalar = ({ value }: { readonly value: unknown }) => {
  const [whole, setWhole] = useState(false)
  if (typeof value !== "string") return <span className="json-scalar">{String(value)}</span>
  const cut = value.length > long && !whole
  return (
    <span className="json-text">
      {cut ? `${value.slice(0, long)}\u2026` : value === "" ? '""' : value}
      {cut ? (
        <button className="json-more" onClick={() => setWhole(true)} type="button">
          show all {value.length.toLocaleString("en")} characters
        </button>
      ) : null}
    </span>
  )
}

const summary = (value: object): string =>
  Array.isArray(value)
    ? `[${value.length}]`
    : `{${Object.keys(value).slice(0, 4).join(", ")}${Object.keys(value).length > 4 ? ", \u2026" : ""}}`

interface NodeProps {
  readonly name: string | undefined
  readonly value: unknown
  readonly depth: number
  readonly open: number
}

const Branch = ({ depth, name, open, value }: NodeProps & { readonly value: object }) => {
  const entries = Object.entries(value)
  const [isOpen, setOpen] = useState(depth < open && entries.length <= 40)
  const [shown, setShown] = useState(many)
  return (
    <div className="json-branch">
      <button aria-expanded={isOpen} className="json-toggle" onClick={() => setOpen(!isOpen)} type="button">
        <span aria-hidden className="json-arrow" />
        {name === undefined ? null : <span className="json-key">{name}</span>}
        <span className="json-summary">
          {isOpen && name !== undefined ? (Array.isArray(value) ? `[${entries.length}]` : "") : summary(value)}
        </span>
      </button>
      {isOpen ? (
        <div className="json-children">
          {entries.slice(0, shown).map(([key, child]) => (
            <Node depth={depth + 1} key={key} name={key} open={open} value={child} />
          ))}
          {entries.length > shown ? (
            <button className="json-more" onClick={() => setShown(shown + many * 10)} type="button">
              {entries.length - shown} more
            </button>
          ) : null}
        </div>
      ) : null}
    </div>
  )
}

const Node = (props: NodeProps): ReactNode =>
  isContainer(props.value) && Object.keys(props.value).length > 0 ? (
    <Branch {...props} value={props.value} />
  ) : (
    <div className="json-leaf">
      {props.name === undefined ? null : <span className="json-key">{props.name}</span>}
      {isContainer(props.value) ? (
        <span className="json-scalar">{Array.isArray(props.value) ? "[]" : "{}"}</span>
      ) : (
        <Scalar value={props.value} />
      )}
    </div>
  )

/** `open`: how many levels are open at first. */
export const Json = memo(({ open = 2, value }: { readonly value: unknown; readonly open?: number }) => (
  <div className="json">
    <Node depth={0} name={undefined} open={open} value={value} />
  </div>
))
