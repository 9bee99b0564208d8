/**
 * What is said to those who listen to the page: one polite region, at most one message a second, the newest wins. A
 * stream that is told word by word could not be listened to.
 */
import { useSyncExternalStore } from "react"

const every = 1000
let said = ""
let waiting: string | undefined
let timer: number | undefined
const listeners = new Set<() => void>()

const speak = (): void => {
  timer = undefined
  if (waiting === undefined) return
  said = waiting
  waiting = undefined
  for (const changed of listeners) changed()
  timer = window.setTimeout(speak, every)
}

/** Says something as soon as there is room for it. */
export const announce = (message: string): void => {
  waiting = message
  if (timer === undefined) speak()
}

const subscribe = (changed: () => void): (() => void) => {
  listeners.add(changed)
  return () => listeners.delete(changed)
}

export const Announcer = () => (
  <div className="sr-only" role="status" aria-live="polite">
    {useSyncExternalStore(subscribe, () => said)}
  </div>
)
