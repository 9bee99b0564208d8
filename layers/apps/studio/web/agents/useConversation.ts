/** A session with an agent: its runs in order, each read from its stream; at most two streams at once. */
import { useCallback, useEffect, useState } from "react"
import { announce } from "../app/Announcer.tsx"
import { beginRun, runs } from "../data/Client.ts"
import type { Json } from "../data/JsonSchema.ts"
import { wordsOf } from "../data/useLoaded.ts"
import { RunStore } from "./RunStore.ts"

/** How many runs of a session are shown. */
const shown = 30

export interface Conversation {
  readonly turns: ReadonlyArray<RunStore>
  readonly isLoaded: boolean
  readonly error: string | undefined
  /** Asks the agent; gives whether it was begun. */
  readonly send: (input: Json) => Promise<boolean>
}

const openInTurn = (stores: ReadonlyArray<RunStore>): void => {
  let next = 0
  const step = (): void => stores[next++]?.open(step)
  step()
  step()
}

export const useConversation = (agent: string, session: string, isFresh: boolean): Conversation => {
  const [turns, setTurns] = useState<ReadonlyArray<RunStore>>([])
  const [isLoaded, setLoaded] = useState(isFresh)
  const [error, setError] = useState<string | undefined>(undefined)
  useEffect(() => {
    const controller = new AbortController()
    let mine: ReadonlyArray<RunStore> = []
    setTurns([])
    setError(undefined)
    setLoaded(isFresh)
    if (!isFresh)
      runs({ agent, session, limit: shown }, controller.signal).then(
        (rows) => {
          if (controller.signal.aborted) return
          mine = rows.toReversed().map(({ run }) => new RunStore(run))
          setTurns(mine)
          setLoaded(true)
          // The newest are read first: those are in sight.
          openInTurn(mine.toReversed())
        },
        (error: unknown) => {
          if (controller.signal.aborted) return
          setError(wordsOf(error))
          setLoaded(true)
        }
      )
    return () => {
      controller.abort()
      setTurns((turns) => {
        for (const turn of turns) turn.close()
        return turns
      })
    }
    // Whether it is fresh is asked once: the first answer makes it an old one.
  }, [agent, session])
  const send = useCallback(
    async (input: Json): Promise<boolean> => {
      setError(undefined)
      try {
        const { run } = await beginRun(agent, session, input)
        const store = new RunStore(run)
        setTurns((turns) => [...turns, store])
        store.open()
        announce(`${agent} was asked`)
        return true
      } catch (error) {
        setError(wordsOf(error))
        return false
      }
    },
    [agent, session]
  )
  return { turns, isLoaded, error, send }
}
