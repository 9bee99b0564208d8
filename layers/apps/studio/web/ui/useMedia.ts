/** Whether a media query holds, for what styles alone cannot do. */
import { useCallback, useSyncExternalStore } from "react"

export const useMedia = (query: string): boolean =>
  useSyncExternalStore(
    useCallback(
      (changed) => {
        const list = window.matchMedia(query)
        list.addEventListener("change", changed)
        return () => list.removeEventListener("change", changed)
      },
      [query]
    ),
    () => window.matchMedia(query).matches
  )
