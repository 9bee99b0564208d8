/**
 * What was done in the world, by ids that survive crashes, as a service: a claim before, the outcome after. Whoever
 * begins again asks here first, and learns whether it was done, was never begun, or may have been done.
 *
 * What an implementation promises (`EffectLedgerConformance` in `effigent/testing` checks it):
 *
 * - of several claims of one id with the same attempt, one succeeds, and is durable before it says so;
 * - an outcome is never replaced by another;
 * - a claim or an outcome that is repeated by whoever made it succeeds once more.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { SideEffect } from "./Action.ts"

/**
 * Something that is done in the world, once it was claimed. Times in milliseconds since 1970.
 *
 * @category models
 */
export const LedgerEntry = Schema.Struct({
  /** Which one it is, in every life of the program. */
  id: Schema.String,
  /** What people call it. */
  name: Schema.String,
  /** The execution or run that it belongs to, for lists. */
  group: Schema.String,
  /** What doing it again does. */
  level: SideEffect,
  /** How often it was claimed, from 1. */
  attempt: Schema.Int,
  /** Who has claimed it last: any text that tells the claimers apart. */
  claimer: Schema.String,
  claimedAt: Schema.Finite,
  /** What became of it; absent: it is at work, or nobody knows. */
  outcome: Schema.optionalKey(Schema.Json),
  settledAt: Schema.optionalKey(Schema.Finite)
})

/** Something that is done in the world, as a type. @category models */
export type LedgerEntry = typeof LedgerEntry.Type

/** What is claimed. @category models */
export interface Claim {
  readonly id: string
  readonly name: string
  readonly group: string
  readonly level: SideEffect
  readonly claimer: string
  /** Which attempt this is to be: 1 is the first; `entry.attempt + 1` once it is known that the one before was not done. */
  readonly attempt: number
}

/** Which entries are listed, oldest first. @category models */
export interface LedgerQuery {
  readonly group?: string
  /** `open`: without an outcome; `settled`: with one. */
  readonly state?: "open" | "settled"
  /** Default 100. */
  readonly limit?: number
}

/**
 * The ledger could not do what it was asked for.
 *
 * @category errors
 */
export class EffectLedgerError extends Schema.TaggedError<EffectLedgerError>()("EffectLedgerError", {
  /** Which ledger: `memory`, `sqlite`, `postgres`, ... */
  ledger: Schema.String,
  operation: Schema.String,
  /** The effect. */
  id: Schema.String,
  /** What happened and what to do. */
  detail: Schema.String
}) {
  override get message(): string {
    return `The ${this.ledger} ledger cannot ${this.operation} ${JSON.stringify(this.id)}: ${this.detail}`
  }
}

/**
 * What was done in the world.
 *
 * @category services
 */
export class EffectLedger extends Context.Service<
  EffectLedger,
  {
    /**
     * Claims an attempt: the first one, or the one after an attempt that has no outcome. `claimed`: it is the claimer's,
     * which may begin. Otherwise the entry says what is known: an
     * outcome, or that another attempt has begun and not ended.
     */
    readonly claim: (
      claim: Claim
    ) => Effect.Effect<{ readonly claimed: boolean; readonly entry: LedgerEntry }, EffectLedgerError>
    /** Writes down what became of an attempt. False where there is another outcome, or a newer attempt. */
    readonly settle: (id: string, attempt: number, outcome: Schema.Json) => Effect.Effect<boolean, EffectLedgerError>
    readonly get: (id: string) => Effect.Effect<Option.Option<LedgerEntry>, EffectLedgerError>
    readonly list: (query?: LedgerQuery) => Effect.Effect<ReadonlyArray<LedgerEntry>, EffectLedgerError>
    /** Forgets all entries of a group; gives how many. */
    readonly forget: (group: string) => Effect.Effect<number, EffectLedgerError>
  }
>()("effigent/EffectLedger") {}
