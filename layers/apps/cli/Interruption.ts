/**
 * Ctrl-C, for commands that have a part to give up before the whole: in a chat it stops the answer, and ends the chat where
 * none is under way.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"

/** Who hears of the next Ctrl-C; where nobody does, the command ends. @category models */
export class Listeners {
  private readonly all: Array<() => void> = []

  /** Tells the innermost one; false where there is none. */
  tell(): boolean {
    const last = this.all.at(-1)
    last?.()
    return last !== undefined
  }

  /** Listens until what it gives is called. */
  add(listener: () => void): () => void {
    this.all.push(listener)
    return () => {
      const at = this.all.indexOf(listener)
      if (at >= 0) this.all.splice(at, 1)
    }
  }
}

/** Those of this process. @category references */
export const Interruption = Context.Reference<Listeners>("effigent/cli/Interruption", {
  defaultValue: () => new Listeners()
})

/** Lets Ctrl-C stop an effect and nothing else; none: it was stopped. @category running */
export const stoppable = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Option.Option<A>, E, R> =>
  Effect.flatMap(Interruption, (listeners) =>
    Effect.raceFirst(
      Effect.asSome(effect),
      Effect.callback<Option.Option<never>>((resume) => {
        const remove = listeners.add(() => resume(Effect.succeedNone))
        return Effect.sync(remove)
      })
    )
  )
