/**
 * The fields of an answer, one line each: those that the output contract promises stand there from the beginning, and
 * fill in as the model writes them.
 */
import { useMemo } from "react"
import { type JsonSchema, SchemaDocument } from "../data/JsonSchema.ts"
import { Growing } from "../ui/Growing.tsx"
import type { Branch, Fields, FieldStatus, Leaf } from "./Fields.ts"

const words: Readonly<Record<FieldStatus, string>> = {
  waiting: "waiting",
  streaming: "being written",
  done: "done",
  corrected: "corrected"
}

/** A place that is shown: what was promised, what has come, or both. */
interface Place {
  readonly name: string
  readonly hint: string | undefined
  readonly branch: Branch | undefined
  readonly children: ReadonlyArray<Place>
  readonly isList: boolean
}

const placesOf = (
  document: SchemaDocument,
  schema: JsonSchema | undefined,
  branch: Branch | undefined
): ReadonlyArray<Place> => {
  const kind = schema === undefined ? undefined : document.kindOf(schema)
  const places: Array<Place> = []
  const place = (name: string, own: JsonSchema | undefined): Place => {
    const below = branch?.children.get(name)
    const kind = own === undefined ? undefined : document.kindOf(own)
    return {
      name,
      hint: own === undefined ? undefined : document.describe(own),
      branch: below,
      children: placesOf(document, own, below),
      isList: kind?._tag === "list"
    }
  }
  if (kind?._tag === "object") for (const field of kind.fields) places.push(place(field.name, field.schema))
  const known = new Set(places.map(({ name }) => name))
  for (const name of branch?.children.keys() ?? [])
    if (!known.has(name)) places.push(place(name, kind?._tag === "list" ? kind.item : undefined))
  return places
}

const statusOf = (place: Place, isOver: boolean): FieldStatus => {
  const leaf = place.branch?.leaf
  if (leaf !== undefined) return leaf.status
  const below = place.children.map((child) => statusOf(child, isOver))
  if (below.length === 0) return isOver ? "done" : "waiting"
  if (below.every((status) => status === "waiting")) return "waiting"
  if (below.includes("streaming") || (below.includes("waiting") && !isOver)) return "streaming"
  return below.includes("corrected") ? "corrected" : "done"
}

const Value = ({ leaf }: { readonly leaf: Leaf }) => {
  if (leaf.text.length > 0 || leaf.value === undefined || typeof leaf.value === "string")
    return <Growing isLive={leaf.status === "streaming"} length={leaf.text.length} text={leaf.text} />
  return <span className="field-scalar">{String(leaf.value)}</span>
}

const PlaceRow = ({ isOver, place }: { readonly place: Place; readonly isOver: boolean }) => {
  const status = statusOf(place, isOver)
  const leaf = place.branch?.leaf
  return (
    <li className="tree-item" data-field={place.name} data-status={status}>
      <div className="tree-row">
        <span className="tree-name" title={place.hint}>
          <span aria-hidden className="tree-mark" />
          {place.name}
          <span className="sr-only">, {words[status]}</span>
        </span>
        {leaf === undefined || leaf.status === "waiting" ? (
          place.children.length > 0 ? null : (
            <span className="tree-value tree-empty">{isOver ? "\u2013" : place.isList ? "list" : "waiting"}</span>
          )
        ) : (
          <span className="tree-value">
            <Value leaf={leaf} />
          </span>
        )}
        {status === "corrected" ? <span className="tag tag-wait">corrected</span> : null}
      </div>
      {place.children.length === 0 ? null : (
        <ul className="tree">
          {place.children.map((child) => (
            <PlaceRow isOver={isOver} key={child.name} place={child} />
          ))}
        </ul>
      )}
    </li>
  )
}

interface FieldTreeProps {
  readonly fields: Fields
  readonly schema: JsonSchema | undefined
  readonly isOver: boolean
}

export const FieldTree = ({ fields, isOver, schema }: FieldTreeProps) => {
  const document = useMemo(() => new SchemaDocument(schema ?? {}), [schema])
  const places = placesOf(document, schema, fields.root)
  return (
    <ul aria-label="Fields of the answer" className="tree tree-root">
      {places.map((place) => (
        <PlaceRow isOver={isOver} key={place.name} place={place} />
      ))}
    </ul>
  )
}
