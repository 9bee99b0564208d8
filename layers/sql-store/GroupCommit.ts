/**
 * Group commit: what many fibers want to write at the same time is written at once. Whatever stands in the queue when a
 * committer is free becomes one batch; while it is being written, the next one gathers. Nothing waits for a batch to
 * fill. Two writes with the same key never stand in one batch nor in two at once: they are made in their order.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Metrics from "./Metrics.ts"

/** How batches are bounded. @category options */
export interface Bounds {
  /** How many writes are in one batch at most. Default 1,000. */
  readonly count?: number
  /** How many characters a batch has at most; one that is larger is a batch by itself. Default 4,000,000. */
  readonly size?: number
  /** How many writes are in the queue or being written at most; whoever comes then waits. Default 10,000. */
  readonly capacity?: number
}

/** How batches are written. @category options */
export interface Options<I, A, E> {
  /** The attribute `queue` of its metrics. */
  readonly name: string
  /** How many batches are written at the same time. */
  readonly committers: number
  readonly bounds: Bounds
  /** Two with the same key are written one after the other. */
  readonly key: (write: I) => string
  /** About how many characters it has. */
  readonly size: (write: I) => number
  /** Writes a batch whole or not; gives for each what became of it. */
  readonly commit: (batch: ReadonlyArray<I>) => Effect.Effect<ReadonlyArray<Exit.Exit<A, E>>, E>
  /** Whether a batch that failed so may be written in parts, to find the write that it fails by. */
  readonly isOfOne: (error: E) => boolean
  /** What is told to those that wait when the scope closes. */
  readonly closed: () => E
}

interface Item<I, A, E> {
  readonly write: I
  readonly key: string
  readonly size: number
  readonly done: Deferred.Deferred<A, E>
}

/** Starts the committers, which live as long as the scope; gives what writes one. @category constructors */
export const make = Effect.fnUntraced(function* <I, A, E>(
  options: Options<I, A, E>
): Effect.fn.Return<(write: I) => Effect.Effect<A, E>, never, Scope.Scope> {
  const { count = 1_000, size = 4_000_000, capacity = 10_000 } = options.bounds
  const context = yield* Effect.context<never>()
  const attributes = { queue: options.name }
  const batchSize = Metric.withAttributes(Metrics.batch, attributes)
  const latency = Metric.withAttributes(Metrics.latency, attributes)
  const waiting = Metric.withAttributes(Metrics.waiting, attributes)
  const room = Semaphore.makeUnsafe(capacity)
  const latch = Latch.makeUnsafe(false)
  let queue: Array<Item<I, A, E>> = []
  let isClosed = false
  // Keys of what is being written.
  const busy = new Set<string>()

  /** The next batch: in order, but for those whose key is busy. */
  const take = (): Array<Item<I, A, E>> => {
    const batch: Array<Item<I, A, E>> = []
    const rest: Array<Item<I, A, E>> = []
    const passed = new Set<string>()
    let total = 0
    for (let at = 0; at < queue.length; at++) {
      const item = queue[at]
      if (item === undefined) continue
      if (batch.length >= count || (batch.length > 0 && total + item.size > size)) {
        for (const later of queue.slice(at)) rest.push(later)
        break
      }
      if (busy.has(item.key) || passed.has(item.key)) {
        passed.add(item.key)
        rest.push(item)
        continue
      }
      busy.add(item.key)
      total += item.size
      batch.push(item)
    }
    queue = rest
    if (batch.length === 0) latch.closeUnsafe()
    return batch
  }

  const settle = (items: ReadonlyArray<Item<I, A, E>>, exits: ReadonlyArray<Exit.Exit<A, E>>): void =>
    items.forEach((item, n) => {
      Deferred.doneUnsafe(item.done, exits[n] ?? Exit.die(new Error("A commit has not said what became of a write")))
    })

  const write = (items: ReadonlyArray<Item<I, A, E>>): Effect.Effect<void> =>
    Effect.matchCauseEffect(options.commit(items.map((item) => item.write)), {
      onSuccess: (exits) => Effect.sync(() => settle(items, exits)),
      onFailure: (cause) => {
        const exit = Exit.failCause(cause)
        const reason = cause.reasons[0]
        if (items.length > 1 && reason?._tag === "Fail" && options.isOfOne(reason.error))
          return Effect.forEach(items, (item) => write([item]), { discard: true })
        return Effect.sync(() =>
          settle(
            items,
            items.map(() => exit)
          )
        )
      }
    })

  const commit = (items: ReadonlyArray<Item<I, A, E>>): Effect.Effect<void> =>
    Effect.gen(function* () {
      const before = yield* Clock.currentTimeMillis
      yield* Metric.update(batchSize, items.length)
      yield* write(items)
      yield* Metric.update(latency, (yield* Clock.currentTimeMillis) - before)
      yield* Metric.update(waiting, queue.length)
    }).pipe(
      Effect.onExit(() =>
        Effect.sync(() => {
          for (const item of items) {
            busy.delete(item.key)
            if (!Deferred.isDoneUnsafe(item.done)) Deferred.doneUnsafe(item.done, Exit.fail(options.closed()))
          }
          // Others with these keys may be waiting, for another committer too.
          if (queue.length > 0) latch.openUnsafe()
        })
      )
    )

  const committer = Effect.forever(
    // The yield lets those that are about to write come along.
    Effect.flatMap(Effect.andThen(latch.await, Effect.yieldNow), () => {
      const items = take()
      return items.length === 0 ? Effect.void : commit(items)
    })
  )

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      isClosed = true
      const left = queue
      queue = []
      for (const { done } of left) Deferred.doneUnsafe(done, Exit.fail(options.closed()))
    })
  )
  for (let n = 0; n < options.committers; n++)
    yield* Effect.forkScoped(Effect.provideContext(committer, context), { startImmediately: true })

  return (write) =>
    room.withPermits(1)(
      Effect.suspend(() => {
        if (isClosed) return Effect.fail(options.closed())
        const done = Deferred.makeUnsafe<A, E>()
        const item: Item<I, A, E> = { write, key: options.key(write), size: options.size(write), done }
        queue.push(item)
        latch.openUnsafe()
        return Effect.onInterrupt(Deferred.await(done), () =>
          // One that is being written already goes on.
          Effect.sync(() => {
            queue = queue.filter((one) => one !== item)
          })
        )
      })
    )
})
