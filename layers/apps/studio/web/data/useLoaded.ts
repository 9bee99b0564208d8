/** What a view loads: one value for a key, loaded anew when the key changes or somebody asks. */
import { useCallback, useEffect, useRef, useState } from "react"

export interface Loaded<A> {
  readonly value: A | undefined
  readonly error: string | undefined
  /** Loads it anew; what is there stays until the new value has come. */
  readonly reload: () => void
}

export const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const useLoaded = <A>(key: string, load: (signal: AbortSignal) => Promise<A>): Loaded<A> => {
  const [state, setState] = useState<{ readonly key: string; readonly value?: A; readonly error?: string }>({ key })
  const [turn, setTurn] = useState(0)
  const loader = useRef(load)
  loader.current = load
  useEffect(() => {
    const controller = new AbortController()
    loader.current(controller.signal).then(
      (value) => {
        if (!controller.signal.aborted) setState({ key, value })
      },
      (error: unknown) => {
        if (!controller.signal.aborted) setState((before) => ({ ...before, key, error: wordsOf(error) }))
      }
    )
    return () => controller.abort()
  }, [key, turn])
  const reload = useCallback(() => setTurn((turn) => turn + 1), [])
  const isCurrent = state.key === key
  return { value: isCurrent ? state.value : undefined, error: isCurrent ? state.error : undefined, reload }
}

/** Calls something every so often while the page is seen; `undefined` rests. */
export const useEvery = (millis: number | undefined, tick: () => void): void => {
  const latest = useRef(tick)
  latest.current = tick
  useEffect(() => {
    if (millis === undefined) return
    const timer = window.setInterval(() => {
      if (!document.hidden) latest.current()
    }, millis)
    return () => window.clearInterval(timer)
  }, [millis])
}

/** A value that follows another once that has rested. */
export const useSettled = <A>(value: A, millis: number): A => {
  const [settled, setSettled] = useState(value)
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(value), millis)
    return () => window.clearTimeout(timer)
  }, [value, millis])
  return settled
}
