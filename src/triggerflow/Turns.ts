/** One at a time, for each of many things that have a name. */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"

interface Turn {
  readonly semaphore: Semaphore.Semaphore
  users: number
}

/**
 * Who is at work on what. Nothing is kept of a name that nobody works on or waits for.
 *
 * @category models
 */
export class Turns {
  private readonly turns = new Map<string, Turn>()

  /** For how many names somebody has a turn, or waits for one. */
  get size(): number {
    return this.turns.size
  }

  /** Runs an effect when all that came before it under this name have ended. */
  alone<A, E, R>(name: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const turn = this.turns.get(name) ?? { semaphore: Semaphore.makeUnsafe(1), users: 0 }
      this.turns.set(name, turn)
      turn.users++
      const over = Effect.sync(() => {
        if (--turn.users === 0) this.turns.delete(name)
      })
      return Effect.ensuring(turn.semaphore.withPermit(effect), over)
    })
  }
}
