/** Where an engine runs: in a worker thread of its own, or on the thread of its caller. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { DatabaseSync } from "node:sqlite"
import { Worker } from "node:worker_threads"
import { type Reply, type Request, serve } from "./Engine.ts"

/** An engine that can be asked. @category models */
export interface Thread {
  /**
   * Asks, and waits for the answer. It never fails: what went wrong stands in the answer. Requests are answered in the
   * order in which they are made. An interruption stops the wait, not the statement.
   */
  readonly ask: (request: Request) => Effect.Effect<Reply>
  /** Whether a transaction was open after the last answer. */
  readonly inTransaction: () => boolean
  /** A number for another cursor. */
  readonly cursor: () => number
}

const lost = (detail: string): Reply => ({
  failure: { message: `the thread of the database ended: ${detail}`, errcode: 0, code: "ENDED" },
  columns: [],
  rows: [],
  done: true,
  changes: 0,
  lastInsertRowid: 0,
  transaction: false
})

// Bundlers and loaders that keep the names of functions call `__name` in them.
const program = () => `import { DatabaseSync } from "node:sqlite"
import { parentPort } from "node:worker_threads"
const __name = (value) => value
const answer = (${serve.toString()})(DatabaseSync)
parentPort.on("message", ([id, request]) => parentPort.postMessage([id, answer(request)]))
`

/** On the thread of the caller, which waits for the disk. @category constructors */
export const main: Effect.Effect<Thread> = Effect.sync(() => {
  const answer = serve(DatabaseSync)
  let transaction = false
  let cursors = 0
  return {
    cursor: () => cursors++,
    ask: (request) =>
      Effect.sync(() => {
        const reply = answer(request)
        transaction = reply.transaction
        return reply
      }),
    inTransaction: () => transaction
  }
})

/**
 * In a worker thread, until the Scope ends. It keeps the process alive only while it is at work.
 *
 * @category constructors
 */
export const worker: Effect.Effect<Thread, never, Scope.Scope> = Effect.gen(function* () {
  const waiting = new Map<number, (reply: Reply) => void>()
  let count = 0
  let cursors = 0
  let transaction = false
  let ended: Reply | undefined
  const end = (detail: string) => {
    ended ??= lost(detail)
    transaction = false
    for (const resume of waiting.values()) resume(ended)
    waiting.clear()
  }
  const begin = (): Worker | undefined => {
    try {
      const made = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program())}`), {
        name: "sqlite",
        env: {},
        execArgv: [],
        argv: []
      })
      made.on("message", ([id, reply]: readonly [number, Reply]) => {
        transaction = reply.transaction
        const resume = waiting.get(id)
        waiting.delete(id)
        if (waiting.size === 0) made.unref()
        resume?.(reply)
      })
      made.on("error", (cause) => end(cause instanceof Error ? cause.message : String(cause)))
      made.on("exit", (code) => end(`its code was ${code}`))
      made.unref()
      return made
    } catch (cause) {
      end(cause instanceof Error ? cause.message : String(cause))
      return undefined
    }
  }
  const thread = yield* Effect.acquireRelease(Effect.sync(begin), (made) =>
    made === undefined ? Effect.void : Effect.promise(() => made.terminate())
  )
  return {
    cursor: () => cursors++,
    ask: (request) =>
      Effect.callback((resume) => {
        if (ended !== undefined || thread === undefined)
          return resume(Effect.succeed(ended ?? lost("it did not start")))
        const id = count++
        waiting.set(id, (reply) => resume(Effect.succeed(reply)))
        thread.ref()
        thread.postMessage([id, request])
      }),
    inTransaction: () => transaction
  }
})
