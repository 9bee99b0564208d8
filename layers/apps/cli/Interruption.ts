/**
 * Ctrl-C and SIGTERM, for commands that they do not end at once: in a chat Ctrl-C stops the answer, and ends the chat where
 * none is under way; a server is done when it is told to end, and ends well.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"

/** What a process can be told. @category models */
export type Signal = "SIGINT" | "SIGTERM"

/** Who hears of the next signal; where nobody does, the command is interrupted. @category models */
export class Listeners {
  /** Whether the command was told to end, and is about to. */
  isEnding = false
  private readonly all: Array<{ readonly signals: ReadonlyArray<Signal>; readonly hear: () => void }> = []

  /** Tells the innermost one that listens to a signal; false where there is none. */
  tell(signal: Signal): boolean {
    const listener = this.all.findLast(({ signals }) => signals.includes(signal))
    listener?.hear()
    return listener !== undefined
  }

  /** Succeeds when one of some signals comes. */
  next(...signals: ReadonlyArray<Signal>): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const off = () => {
        const at = this.all.indexOf(listener)
        if (at >= 0) this.all.splice(at, 1)
      }
      // Whoever has heard of one does not take the next one from others.
      const hear = () => {
        off()
        resume(Effect.void)
      }
      const listener = { signals, hear }
      this.all.push(listener)
      return Effect.sync(off)
    })
  }
}

/** Those of this process. @category references */
export const Interruption = Context.Reference<Listeners>("effigent/cli/Interruption", {
  defaultValue: () => new Listeners()
})

/** Lets Ctrl-C stop an effect and nothing else; none: it was stopped. @category running */
export const stoppable = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Option.Option<A>, E, R> =>
  Effect.flatMap(Interruption, (listeners) =>
    Effect.raceFirst(Effect.asSome(effect), Effect.andThen(listeners.next("SIGINT"), Effect.succeedNone))
  )

/** Waits until the process is told to end. @category running */
export const ended: Effect.Effect<void> = Effect.flatMap(Interruption, (listeners) =>
  Effect.tap(listeners.next("SIGINT", "SIGTERM"), () =>
    Effect.sync(() => {
      listeners.isEnding = true
    })
  )
)
