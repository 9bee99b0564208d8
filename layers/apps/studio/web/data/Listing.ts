/** A list that is read from its newest row on, page after page, as far as somebody scrolls. */
import { useCallback, useEffect, useRef, useState } from "react"
import { wordsOf } from "./useLoaded.ts"

export interface ListPart<A> {
  readonly items: ReadonlyArray<A>
  readonly next: string | undefined
  readonly total: number | undefined
}

export interface Listing<A> {
  readonly items: ReadonlyArray<A>
  /** Whether the first page has come. */
  readonly isLoaded: boolean
  readonly isMore: boolean
  readonly total: number | undefined
  readonly error: string | undefined
  /** Is told which rows are in sight, and reads on near the end. */
  readonly onSight: (from: number, to: number) => void
  /** Reads as much anew as is here. */
  readonly refresh: () => void
}

const first = 100
const more = 500

interface State<A> extends ListPart<A> {
  readonly key: string
  readonly error?: string | undefined
}

/** `read` gives a part from a cursor on; another `key` begins anew. */
export const useListing = <A>(
  key: string,
  read: (after: string | undefined, limit: number, signal: AbortSignal) => Promise<ListPart<A>>
): Listing<A> => {
  const [state, setState] = useState<State<A> | undefined>(undefined)
  const latest = useRef({ read, state, busy: undefined as AbortController | undefined }) // Nothing is under way at first.
  latest.current.read = read
  latest.current.state = state

  const load = useCallback(
    (after: string | undefined, limit: number) => {
      latest.current.busy?.abort()
      const controller = new AbortController()
      latest.current.busy = controller
      latest.current.read(after, limit, controller.signal).then(
        (part) => {
          if (controller.signal.aborted) return
          latest.current.busy = undefined
          setState((before) => ({
            ...part,
            key,
            items: after === undefined || before === undefined ? part.items : [...before.items, ...part.items]
          }))
        },
        (error: unknown) => {
          if (controller.signal.aborted) return
          latest.current.busy = undefined
          setState((before) =>
            before === undefined || before.key !== key
              ? { key, items: [], next: undefined, total: undefined, error: wordsOf(error) }
              : { ...before, error: wordsOf(error) }
          )
        }
      )
    },
    [key]
  )
  useEffect(() => {
    load(undefined, first)
    return () => latest.current.busy?.abort()
  }, [load])

  const onSight = useCallback(
    (_: number, to: number) => {
      const { busy, state } = latest.current
      if (busy !== undefined || state === undefined || state.key !== key || state.next === undefined) return
      if (to >= state.items.length - 40) load(state.next, more)
    },
    [key, load]
  )
  const refresh = useCallback(() => {
    if (latest.current.busy !== undefined) return
    load(undefined, Math.min(1000, Math.max(first, latest.current.state?.items.length ?? 0)))
  }, [load])
  const isCurrent = state?.key === key
  return {
    // What another key has left stays in sight until this one has come.
    items: state?.items ?? [],
    isLoaded: state !== undefined && (isCurrent || state.items.length > 0),
    isMore: state?.next !== undefined,
    total: isCurrent ? state.total : undefined,
    error: isCurrent ? state.error : undefined,
    onSight,
    refresh
  }
}
