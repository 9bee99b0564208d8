/** Light, dark, or as the system says; remembered by the browser. `data-theme` of the page tells the styles. */
import { useSyncExternalStore } from "react"

export type Theme = "system" | "light" | "dark"

const key = "effigent.studio.theme"
const listeners = new Set<() => void>()
const isTheme = (value: unknown): value is Theme => value === "system" || value === "light" || value === "dark"

const remembered = (): Theme => {
  try {
    const value = window.localStorage.getItem(key)
    return isTheme(value) ? value : "system"
  } catch {
    // A browser may refuse storage: the system then decides.
    return "system"
  }
}

let theme: Theme = remembered()

const apply = (): void => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches
  document.documentElement.dataset["theme"] = theme === "system" ? (dark ? "dark" : "light") : theme
}

/** Sets the page to the theme, and follows the system from now on. */
export const startTheme = (): void => {
  apply()
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    apply()
    for (const changed of listeners) changed()
  })
}

export const setTheme = (next: Theme): void => {
  theme = next
  try {
    window.localStorage.setItem(key, next)
  } catch {
    // It then holds until the page is left.
  }
  apply()
  for (const changed of listeners) changed()
}

const subscribe = (changed: () => void): (() => void) => {
  listeners.add(changed)
  return () => listeners.delete(changed)
}

export const useTheme = (): Theme => useSyncExternalStore(subscribe, () => theme)

/** Whether the page is dark just now. */
export const useDark = (): boolean =>
  useSyncExternalStore(subscribe, () => document.documentElement.dataset["theme"] === "dark")
