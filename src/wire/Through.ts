/**
 * Runs a synchronous decoder over the arrays of a stream: what came in one array leaves in one array, so that a network
 * read stays one element of work. A failure is told after all that was decoded before it.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"

/**
 * A decoder from `A`, whose source fails with `E`, to `B` and failures of its own. Made anew for each run.
 *
 * @category models
 */
export interface Decoder<in A, in E, in out B, out E2> {
  /** Decodes one element into `out`. A returned failure ends the stream, after what is in `out`. */
  readonly push: (element: A, out: Array<B>) => E2 | undefined
  /** The source has ended well: completes `out`, or fails. */
  readonly end: (out: Array<B>) => E2 | undefined
  /** The source has failed: the failure of the stream. */
  readonly fail: (error: E, out: Array<B>) => E2
}

/**
 * The stream that a decoder makes of another. `make` is called once for each run.
 *
 * @category streaming
 */
export const through = <A, E, R, B, E2>(
  source: Stream.Stream<A, E, R>,
  make: () => Decoder<A, E, B, E2>
): Stream.Stream<B, E2, R> =>
  Stream.transformPull(source, (pull) =>
    Effect.sync(() => {
      const decoder = make()
      let last: { readonly error: E2 | undefined } | undefined
      let out: Array<B> = []
      const give = (): Pull.Pull<Arr.NonEmptyReadonlyArray<B>, E2> => {
        const batch = out
        if (Arr.isArrayNonEmpty(batch)) {
          out = []
          return Effect.succeed(batch)
        }
        if (last === undefined) return next
        return last.error === undefined ? Cause.done() : Effect.fail(last.error)
      }
      const read = Pull.matchEffect(pull, {
        onSuccess: (elements: Arr.NonEmptyReadonlyArray<A>) => {
          for (const element of elements) {
            const error = decoder.push(element, out)
            if (error === undefined) continue
            last = { error }
            break
          }
          return give()
        },
        onFailure: (cause: Cause.Cause<E>) => {
          const failure = cause.reasons.find(Cause.isFailReason)
          // Defects and interruptions pass as they are: they hold no E.
          if (failure === undefined) return Effect.failCause(cause as Cause.Cause<never>)
          last = { error: decoder.fail(failure.error, out) }
          return give()
        },
        onDone: () => {
          last = { error: decoder.end(out) }
          return give()
        }
      })
      const next: Pull.Pull<Arr.NonEmptyReadonlyArray<B>, E2, void, never> = Effect.suspend(() =>
        last === undefined ? read : give()
      )
      return next
    })
  )
