/** Those who wait for a moment that comes again and again: each is called once, when the moment is there. */
import * as Effect from "effect/Effect"

/**
 * Waits until `isNow`, which is asked whenever `settle` is called. `enter` is told of each who begins to wait.
 *
 * @category models
 */
export class Waiters {
  private waiting: Set<() => void> | undefined = undefined
  private readonly isNow: () => boolean

  constructor(isNow: () => boolean) {
    this.isNow = isNow
  }

  /** Waits for the moment. `enter` is called with what ends the wait, for other reasons to end it. */
  wait(enter: (settle: () => void) => void): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const settle = () => {
        this.waiting?.delete(settle)
        resume(Effect.void)
      }
      if (this.isNow()) return settle()
      enter(settle)
      ;(this.waiting ??= new Set()).add(settle)
      return Effect.sync(() => this.waiting?.delete(settle))
    })
  }

  /** Lets go those who wait, if the moment is there. */
  settle(): void {
    if (this.waiting === undefined || !this.isNow()) return
    for (const settle of this.waiting) settle()
    this.waiting = undefined
  }
}
