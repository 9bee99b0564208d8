/** Conversations in the memory of this process. They are gone when it ends. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Sessions from "../../services/SessionStore.ts"

interface Entry {
  head: Sessions.SessionHead
  readonly turns: Array<Sessions.SessionTurn>
}

const byId = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The store as a value. @category constructors */
export const make = (): Sessions.SessionStore["Service"] => {
  const sessions = new Map<string, Entry>()
  return Sessions.make({
    head: (id) => Effect.sync(() => sessions.get(id)?.head ?? Sessions.emptyHead),
    read: (id, from, to) => Effect.sync(() => sessions.get(id)?.turns.slice(Math.max(0, from), Math.max(0, to)) ?? []),
    save: (id, expected, { state, turns }) =>
      Effect.suspend(() => {
        const entry = sessions.get(id) ?? { head: Sessions.emptyHead, turns: [] }
        if (entry.head.version !== expected) return Effect.fail(new Sessions.SessionConflict({ id, expected }))
        entry.turns.push(...turns)
        entry.head = { ...state, version: expected + 1, turns: entry.turns.length }
        sessions.set(id, entry)
        return Effect.succeed(entry.head)
      }),
    remove: (id) => Effect.sync(() => void sessions.delete(id)),
    list: ({ after = "", limit = Sessions.pageSize, prefix = "" } = {}) =>
      Effect.sync(() => {
        const ids = [...sessions.keys()].filter((id) => id > after && id.startsWith(prefix)).toSorted(byId)
        const page = ids.slice(0, limit)
        const last = page.at(-1)
        return {
          sessions: page.flatMap((id) => {
            const head = sessions.get(id)?.head
            return head === undefined ? [] : [{ id, version: head.version, turns: head.turns, meta: head.meta }]
          }),
          ...(last === undefined || ids.length === page.length ? {} : { next: last })
        }
      })
  })
}

/** A store in memory, empty at first. @category layers */
export const layer: Layer.Layer<Sessions.SessionStore> = Layer.sync(Sessions.SessionStore, make)
