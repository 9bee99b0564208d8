/**
 * What one run of a provider may still spend on trying again: so many physical requests, so much time. One allowance
 * holds for all that stands inside, however deep: retries within retries, keys and fall-back models spend from it, so
 * that nesting never multiplies requests.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * An allowance of further requests.
 *
 * @category models
 */
export class Allowance {
  private left: number
  private readonly until: number
  private readonly outer: Allowance | undefined

  /** `further` requests after the first, none of which begins after `until` (milliseconds of the clock). */
  constructor(further: number, until: number, outer: Allowance | undefined) {
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

/** The allowance that the request under way spends from; absent where nobody set one. @category services */
export const Current = Context.Reference<Allowance | undefined>("effigent/pool/Allowance", {
  defaultValue: () => undefined
})

/**
 * Spends one request that begins after so many milliseconds. False where the allowance does not cover it.
 *
 * @category spending
 */
export const spend = (delay: number): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const allowance = yield* Current
    if (allowance === undefined) return true
    if (!allowance.allows((yield* Clock.currentTimeMillis) + delay)) return false
    allowance.spend()
    return true
  })
