/**
 * One response at work: starts the attempts at the first read, counts the readers, and settles how it ended. Readers
 * are Effects (wait for the end) and Streams (follow the transcript from its beginning).
 */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Recorder } from "./Recorder.ts"
import { ResponseAborted } from "./ResponseError.ts"
import type { Transcript, Visitor } from "./Transcript.ts"

/**
 * What a stream makes of the transcript: it is shown the entries, and gives what it made of them.
 *
 * @category models
 */
export interface Reader<out B> extends Visitor {
  /** How many entries it is shown before `take`. Default 256. */
  readonly entriesPerPull?: number | undefined
  /** Hands over what was made since the last call. */
  readonly take: () => ReadonlyArray<B>
}

/**
 * A response at work.
 *
 * @category models
 */
export interface Run<out Out, out E> {
  /** Waits for the end. */
  readonly outcome: Effect.Effect<Out, E | ResponseAborted>
  /** Follows the transcript with a reader of its own, and ends as the response ends. */
  readonly follow: <B>(makeReader: () => Reader<B>) => Stream.Stream<B, E | ResponseAborted>
}

// What the Scope holds of a response. A finished one leaves nothing in it, however long the Scope lives.
interface Box {
  cancel: (() => void) | undefined
}

const cancelling = (box: Box) => Effect.sync(() => box.cancel?.())

// So many entries make up one element of a stream at most: a late reader of a long answer gets it in pieces.
const entriesPerPull = 256

/**
 * Makes a response of `work`, which writes to the transcript. Nothing runs before the first read. Closing the Scope, or
 * interrupting the last reader, interrupts the work.
 *
 * @category constructors
 */
export const make = Effect.fnUntraced(function* <Out, E>(
  transcript: Transcript,
  work: Effect.Effect<Out, E>,
  recorder: Pick<Recorder<unknown>, "attempt" | "abandon">
): Effect.fn.Return<Run<Out, E>, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const settled = Deferred.makeUnsafe<Out, E | ResponseAborted>()
  let fiber: Fiber.Fiber<unknown, unknown> | undefined
  let readers = 0
  const box: Box = { cancel: undefined }

  const settle = (exit: Exit.Exit<Out, E>): void => {
    if (transcript.isClosed) return
    fiber = undefined
    box.cancel = undefined
    if (Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause) && !Cause.hasFails(exit.cause)) {
      recorder.abandon("cancelled", undefined)
      Deferred.doneUnsafe(settled, Effect.fail(new ResponseAborted({ attempt: recorder.attempt })))
    } else {
      if (Exit.isFailure(exit)) recorder.abandon("failed", String(Cause.squash(exit.cause)))
      Deferred.doneUnsafe(settled, exit)
    }
    transcript.close()
  }
  box.cancel = () => settle(Exit.interrupt())
  yield* Scope.addFinalizer(scope, cancelling(box))

  const start = Effect.suspend(() => {
    if (fiber !== undefined || transcript.isClosed) return Effect.void
    return work.pipe(
      Effect.onExit((exit) => Effect.sync(() => settle(exit))),
      // Nobody joins this fiber; what a provider breaks while it is interrupted would be lost.
      Effect.tapCause((cause) =>
        Cause.hasInterrupts(cause) && Cause.hasDies(cause) ? Effect.logError(cause) : Effect.void
      ),
      Effect.forkIn(scope, { startImmediately: true }),
      Effect.map((started) => {
        fiber ??= started
      }),
      // Between the fork and the knowledge of its fiber nobody may leave: the request would have no owner.
      Effect.uninterruptible
    )
  })
  const enter = Effect.sync(() => {
    readers++
  })
  const leave = (exit: Exit.Exit<unknown, unknown>) =>
    Effect.suspend(() => {
      readers--
      const interrupted = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
      if (!interrupted || readers > 0 || transcript.isClosed) return Effect.void
      return fiber === undefined ? Effect.sync(() => settle(Exit.interrupt())) : Fiber.interrupt(fiber)
    })

  const outcome = Effect.acquireUseRelease(
    enter,
    () => Effect.andThen(start, Deferred.await(settled)),
    (_, exit) => leave(exit)
  )

  const follow = <B>(makeReader: () => Reader<B>): Stream.Stream<B, E | ResponseAborted> =>
    Stream.unwrap(
      Effect.acquireRelease(enter, (_, exit) => leave(exit)).pipe(
        Effect.andThen(start),
        Effect.map(() => {
          const reader = makeReader()
          const cursor = transcript.cursor()
          const more = Effect.callback<void>((resume) => {
            if (cursor.hasNext() || transcript.isClosed) return resume(Effect.void)
            const stop = transcript.onAppend(() => {
              stop()
              resume(Effect.void)
            })
            return Effect.sync(stop)
          })
          const end = Effect.andThen(Deferred.await(settled), Cause.done())
          const pull: Effect.Effect<Arr.NonEmptyReadonlyArray<B>, E | ResponseAborted | Cause.Done> = Effect.suspend(
            () => {
              while (cursor.hasNext()) {
                cursor.advance(reader, reader.entriesPerPull ?? entriesPerPull)
                const [first, ...rest] = reader.take()
                if (first !== undefined) return Effect.succeed([first, ...rest])
              }
              return transcript.isClosed ? end : Effect.andThen(more, pull)
            }
          )
          return Stream.fromPull(Effect.succeed(pull))
        })
      )
    )

  return { outcome, follow }
})
