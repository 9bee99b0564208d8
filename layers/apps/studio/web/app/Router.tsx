/**
 * Addresses of the studio: `#/traces/abc?tab=prompt`. They live behind the hash, so that any server that gives one page
 * serves them all, and every view can be linked to.
 */
import { type AnchorHTMLAttributes, type ReactNode, useSyncExternalStore } from "react"

export interface Route {
  /** The decoded parts of the path. */
  readonly parts: ReadonlyArray<string>
  readonly query: URLSearchParams
}

const parse = (hash: string): Route => {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2)
  const parts = path
    .split("/")
    .filter((part) => part !== "")
    .map((part) => {
      try {
        return decodeURIComponent(part)
      } catch {
        return part
      }
    })
  return { parts, query: new URLSearchParams(query) }
}

let last = { hash: "", route: parse("") }

const current = (): Route => {
  const hash = window.location.hash
  if (hash !== last.hash) last = { hash, route: parse(hash) }
  return last.route
}

const subscribe = (changed: () => void): (() => void) => {
  window.addEventListener("hashchange", changed)
  return () => window.removeEventListener("hashchange", changed)
}

/** The address as it is now. */
export const useRoute = (): Route => useSyncExternalStore(subscribe, current)

/** The address of a view. Empty values of the query are left out. */
export const href = (
  parts: ReadonlyArray<string>,
  query: Readonly<Record<string, string | undefined>> = {}
): string => {
  const asked = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) if (value !== undefined && value !== "") asked.set(key, value)
  const text = asked.toString()
  return `#/${parts.map(encodeURIComponent).join("/")}${text === "" ? "" : `?${text}`}`
}

/** Goes to a view; with `replace` the way back skips the one that is left. */
export const go = (to: string, options: { readonly replace?: boolean } = {}): void => {
  if (options.replace !== true) {
    window.location.hash = to
    return
  }
  window.history.replaceState(null, "", to)
  window.dispatchEvent(new HashChangeEvent("hashchange"))
}

/** Changes some values of the query of this view, and leaves no trace in the history. */
export const setQuery = (changes: Readonly<Record<string, string | undefined>>): void => {
  const { parts, query } = current()
  go(href(parts, { ...Object.fromEntries(query), ...changes }), { replace: true })
}

interface LinkProps extends AnchorHTMLAttributes<HTMLAnchorElement> {
  readonly to: string
  readonly children: ReactNode
}

/** A link to a view. */
export const Link = ({ children, to, ...rest }: LinkProps) => (
  <a {...rest} href={to}>
    {children}
  </a>
)
