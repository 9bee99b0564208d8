/** What happens in the studio, over one connection for all views: lists keep themselves up to date by it. */
import { useEffect, useRef, useSyncExternalStore } from "react"
import type { TraceRow, Waiting } from "../../Api.ts"

export interface News {
  readonly trace: TraceRow
  readonly waiting: ReadonlyArray<Waiting>
  readonly execution: { readonly id: string; readonly flow: string }
}

const heard = new Set<(kind: keyof News, value: News[keyof News]) => void>()
const listeners = new Set<() => void>()
const nobody: ReadonlyArray<Waiting> = []
let waiting: ReadonlyArray<Waiting> = nobody
let isConnected = true

const changed = (): void => {
  for (const listener of listeners) listener()
}

const hear = <K extends keyof News>(from: EventSource, kind: K): void =>
  from.addEventListener(kind, (event: MessageEvent<string>) => {
    // The contract says what stands in an event of this name.
    const value = JSON.parse(event.data) as News[K]
    for (const listener of heard) listener(kind, value)
  })

/** Begins to listen, for as long as the page lives. */
export const startNews = (): void => {
  const opened = new EventSource("/studio/news")
  opened.addEventListener("open", () => {
    isConnected = true
    changed()
  })
  const lost = (isOver: boolean): void => {
    if (isOver) {
      opened.close()
      window.setTimeout(startNews, 3000)
    }
    if (!isConnected) return
    isConnected = false
    changed()
  }
  // The browser tries again by itself, unless it has given up, as it does where the answer is no stream.
  opened.addEventListener("error", () => lost(opened.readyState === EventSource.CLOSED))
  opened.addEventListener("closing", () => lost(true))
  opened.addEventListener("end", () => lost(true))
  hear(opened, "trace")
  hear(opened, "execution")
  hear(opened, "waiting")
}

heard.add((kind, value) => {
  if (kind !== "waiting") return
  // Of this kind the value is the list.
  waiting = value as ReadonlyArray<Waiting>
  changed()
})

const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** The calls that wait for approval. */
export const useWaiting = (): ReadonlyArray<Waiting> => useSyncExternalStore(subscribe, () => waiting)

/** Whether the server can be heard. */
export const useConnected = (): boolean => useSyncExternalStore(subscribe, () => isConnected)

/** Calls something when there is news of a kind, at most once in `millis`. */
export const useNews = (kind: keyof News, millis: number, act: (value: News[keyof News]) => void): void => {
  const latest = useRef(act)
  latest.current = act
  useEffect(() => {
    let timer: number | undefined
    let last: News[keyof News]
    const listener = (of: keyof News, value: News[keyof News]) => {
      if (of !== kind) return
      last = value
      timer ??= window.setTimeout(() => {
        timer = undefined
        if (!document.hidden) latest.current(last)
      }, millis)
    }
    heard.add(listener)
    return () => {
      heard.delete(listener)
      window.clearTimeout(timer)
    }
  }, [kind, millis])
}
