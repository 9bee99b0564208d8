/** A list that is read from the server in parts: its rows, or why there are none. */
import type { ReactNode } from "react"
import type { Listing } from "../data/Listing.ts"
import { Empty, Failed, Loading } from "./States.tsx"
import { type Column, VirtualGrid } from "./VirtualGrid.tsx"

interface ListViewProps<A> {
  readonly list: Listing<A>
  readonly columns: ReadonlyArray<Column<A>>
  /** What is in it, in small letters: `executions`. */
  readonly what: string
  readonly onOpen: (item: A) => void
  /** What is said where it has no rows. */
  readonly empty: { readonly title: string; readonly hint: ReactNode }
}

export const ListView = <A,>({ columns, empty, list, onOpen, what }: ListViewProps<A>) => {
  const name = `${what.charAt(0).toUpperCase()}${what.slice(1)}`
  if (list.error !== undefined) return <Failed again={list.refresh} message={list.error} what={`The ${what}`} />
  if (!list.isLoaded) return <Loading what={what} />
  if (list.items.length === 0) return <Empty title={empty.title}>{empty.hint}</Empty>
  return (
    <VirtualGrid
      className="fills"
      columns={columns}
      count={list.items.length}
      label={name}
      onOpen={onOpen}
      onSight={list.onSight}
      row={(index) => list.items[index]}
    />
  )
}
