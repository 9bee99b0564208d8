/**
 * What a request may still spend on trying again: so many physical requests, so much time. One budget holds for all
 * that stands inside, however deep: retries within retries, keys and fall-back models spend from it, so that nesting
 * never multiplies requests.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * A budget of further requests.
 *
 * @category models
 */
export class Budget {
  private left: number
  private readonly until: number
  private readonly outer: Budget | undefined

  /** `further` requests after the first, none of which begins after `until` (milliseconds of the clock). */
  constructor(further: number, until: number, outer: Budget | undefined) {
    this.left = further
    this.until = until
    this.outer = outer
  }

  /** Whether another request may begin at a time. */
  allows(at: number): boolean {
    return this.left > 0 && at <= this.until && (this.outer?.allows(at) ?? true)
  }

  /** Counts another request. */
  spend(): void {
    this.left--
    this.outer?.spend()
  }
}

/** The budget that the request under way spends from; absent where nobody set one. @category services */
export const Current = Context.Reference<Budget | undefined>("effigent/pool/Budget", {
  defaultValue: () => undefined
})

/**
 * Spends one request that begins after so many milliseconds. False where the budget does not allow it.
 *
 * @category spending
 */
export const spend = (delay: number): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const budget = yield* Current
    if (budget === undefined) return true
    if (!budget.allows((yield* Clock.currentTimeMillis) + delay)) return false
    budget.spend()
    return true
  })
