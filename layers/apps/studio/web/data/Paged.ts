/**
 * A long list of which only what is looked at has been loaded: pages by offset, asked for as they come into view, the
 * last few kept. Rows that are not here yet are `undefined`.
 */
import { useEffect, useMemo, useSyncExternalStore } from "react"
import { wordsOf } from "./useLoaded.ts"

export interface Page<A> {
  readonly total: number
  readonly items: ReadonlyArray<A>
}

/** How many rows a page has. */
export const pageSize = 100
const kept = 60

export type Fetch<A> = (offset: number, limit: number, signal: AbortSignal) => Promise<Page<A>>

export class Paged<A> {
  total: number | undefined
  error: string | undefined
  private readonly fetch: Fetch<A>
  private readonly pages = new Map<number, ReadonlyArray<A>>()
  private readonly asked = new Map<number, AbortController>()
  private readonly listeners = new Set<() => void>()
  private version = 0

  constructor(fetch: Fetch<A>) {
    this.fetch = fetch
  }

  readonly subscribe = (changed: () => void): (() => void) => {
    this.listeners.add(changed)
    return () => this.listeners.delete(changed)
  }

  readonly read = (): number => this.version

  row(index: number): A | undefined {
    return this.pages.get(Math.floor(index / pageSize))?.[index % pageSize]
  }

  /** Asks for what these rows need, and gives up what nobody looks at any more. */
  want(from: number, to: number): void {
    const first = Math.floor(Math.max(0, from) / pageSize)
    const last = Math.floor(Math.max(0, to) / pageSize)
    for (const [page, controller] of this.asked) {
      if (page >= first - 1 && page <= last + 1) continue
      controller.abort()
      this.asked.delete(page)
    }
    for (let page = first; page <= last; page++) if (!this.pages.has(page) && !this.asked.has(page)) this.load(page)
  }

  /** Loads what is here anew. What is shown stays until it has come. */
  refresh(): void {
    this.error = undefined
    for (const page of this.pages.keys()) this.load(page)
    if (this.pages.size === 0) this.load(0)
  }

  close(): void {
    for (const controller of this.asked.values()) controller.abort()
    this.asked.clear()
  }

  private load(page: number): void {
    const controller = new AbortController()
    this.asked.get(page)?.abort()
    this.asked.set(page, controller)
    this.fetch(page * pageSize, pageSize, controller.signal).then(
      ({ items, total }) => {
        if (controller.signal.aborted) return
        this.asked.delete(page)
        this.total = total
        this.error = undefined
        this.pages.delete(page)
        this.pages.set(page, items)
        for (const oldest of this.pages.keys()) {
          if (this.pages.size <= kept) break
          this.pages.delete(oldest)
        }
        this.tell()
      },
      (error: unknown) => {
        if (controller.signal.aborted) return
        this.asked.delete(page)
        this.error = wordsOf(error)
        this.tell()
      }
    )
  }

  private tell(): void {
    this.version++
    for (const changed of this.listeners) changed()
  }
}

/** A list for as long as the key stays the same. */
export const usePaged = <A>(key: string, fetch: Fetch<A>): Paged<A> => {
  // The key stands for all that the fetch depends on.
  const paged = useMemo(() => new Paged(fetch), [key])
  useSyncExternalStore(paged.subscribe, paged.read)
  useEffect(() => {
    paged.want(0, pageSize - 1)
    return () => paged.close()
  }, [paged])
  return paged
}
