/** What was done in the world, in the memory of this process. It is gone when it ends. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import { EffectLedger, type LedgerEntry } from "../../services/EffectLedger.ts"

const isSame = (a: Schema.Json, b: Schema.Json): boolean => a === b || JSON.stringify(a) === JSON.stringify(b)

/** The ledger as a value. @category constructors */
export const make = (): EffectLedger["Service"] => {
  // In the order of the first claims.
  const entries = new Map<string, LedgerEntry>()
  return {
    claim: (claim) =>
      Effect.clockWith((clock) => {
        const known = entries.get(claim.id)
        // An outcome stands; so does an attempt, until the next one is claimed.
        if (known === undefined || (known.outcome === undefined && claim.attempt === known.attempt + 1)) {
          const entry: LedgerEntry = { ...claim, claimedAt: clock.currentTimeMillisUnsafe() }
          entries.set(claim.id, entry)
          return Effect.succeed({ claimed: true, entry })
        }
        const isRepeated =
          known.outcome === undefined && known.attempt === claim.attempt && known.claimer === claim.claimer
        return Effect.succeed({ claimed: isRepeated, entry: known })
      }),
    settle: (id, attempt, outcome) =>
      Effect.clockWith((clock) => {
        const known = entries.get(id)
        if (known === undefined || known.attempt !== attempt) return Effect.succeed(false)
        if (known.outcome !== undefined) return Effect.succeed(isSame(known.outcome, outcome))
        entries.set(id, { ...known, outcome, settledAt: clock.currentTimeMillisUnsafe() })
        return Effect.succeed(true)
      }),
    get: (id) => Effect.sync(() => Option.fromUndefinedOr(entries.get(id))),
    list: (query = {}) =>
      Effect.sync(() => {
        const found: Array<LedgerEntry> = []
        const limit = query.limit ?? 100
        for (const entry of entries.values()) {
          if (found.length >= limit) break
          if (query.group !== undefined && entry.group !== query.group) continue
          if (query.state !== undefined && (entry.outcome === undefined) !== (query.state === "open")) continue
          found.push(entry)
        }
        return found
      }),
    forget: (group) =>
      Effect.sync(() => {
        let count = 0
        for (const [id, entry] of entries) {
          if (entry.group !== group) continue
          entries.delete(id)
          count++
        }
        return count
      })
  }
}

/** A ledger in memory, empty at first. @category layers */
export const layer: Layer.Layer<EffectLedger> = Layer.sync(EffectLedger, make)
