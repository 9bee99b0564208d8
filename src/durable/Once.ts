/**
 * Something that must not be done twice, whatever dies: claimed in the `EffectLedger` before it begins, and its outcome
 * written down after. A handler that is run again learns here that it was done, and what came out.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { SideEffect } from "../../services/Action.ts"
import { EffectLedger, EffectLedgerError, type LedgerEntry } from "../../services/EffectLedger.ts"
import { freshId } from "../triggerflow/Opening.ts"
import type { Run } from "../triggerflow/Run.ts"
import type { Spec } from "../triggerflow/Spec.ts"

/**
 * Nobody knows whether it was done: it was begun, and whoever began it ended before it said so. It is not done again by
 * itself. Find out, by hand or by a question to a person, and say so with `Once.settle` or `Once.clear`.
 *
 * @category errors
 */
export class OnceUnknown extends Schema.TaggedError<OnceUnknown>()("OnceUnknown", {
  /** Its id in the ledger. */
  id: Schema.String,
  name: Schema.String,
  /** When it was begun, in milliseconds since 1970. */
  claimedAt: Schema.Finite
}) {
  override get message(): string {
    return `Nobody knows whether ${JSON.stringify(this.name)} (${this.id}) was done: whoever began it has not ended it. Give it a reconcile, or find out and say so with Once.settle or Once.clear.`
  }
}

/**
 * What is known of something that must not be done twice. `E`, `R`: those of `reconcile`.
 *
 * @category models
 */
export interface Options<A, E = never, R = never> {
  /** What comes out, as it is written down. */
  readonly output: Schema.Codec<A, unknown>
  /**
   * What doing it again does. `once` (default): it is never done again unless it is known not to have been done.
   * `idempotent` and `pure`: where nobody knows, it is done again, under the same key.
   */
  readonly level?: SideEffect | undefined
  /**
   * Asks the world where nobody knows: what came out, or none where it was not done. It has to be final: whoever began
   * that attempt may only be slow, or frozen. So "not done" has to mean that it will not be done any more, since the
   * world refuses it from now on (by its attempt number), or since nobody who began it can be alive.
   */
  readonly reconcile?: ((key: string, attempt: number) => Effect.Effect<Option.Option<A>, E, R>) | undefined
}

/** Claims an attempt that nobody makes: the one before is known not to have been done. */
const nobody = "nobody"

/**
 * Does something at most once for this run of a handler, however often the handler is run again.
 *
 * `key` tells it from what else this handler does. `effect` is given a key that stays the same, to be passed on to
 * whoever can tell repetitions apart, and the number of the attempt, from 1, by which they can refuse older ones. A typed failure says that it was not done: it may be tried again. A defect, an
 * interruption or a crash says nothing: then `reconcile` is asked, or it fails with `OnceUnknown`.
 *
 * @example
 * ```ts
 * import { Once } from "effigent/durable"
 * import { EffectLedgers } from "effigent/layers/store"
 * import { Chain, TriggerFlow } from "effigent/triggerflow"
 * import { Effect, Schema } from "effect"
 *
 * const charge = (cents: number, key: string) => Effect.succeed(`receipt for ${cents}`)
 *
 * const Order = TriggerFlow.define("order", { input: Schema.Int, result: Schema.String })
 * const order = Order.build(
 *   Order.start.pipe(
 *     Chain.to("charge", (cents, run) =>
 *       Once.perform(run, "charge", { output: Schema.String }, (key) => charge(cents, key))
 *     ),
 *     Chain.result
 *   )
 * )
 * const result = await Effect.runPromise(TriggerFlow.runResult(order, 500).pipe(Effect.provide(EffectLedgers.memory)))
 * console.log(result) // => receipt for 500
 * ```
 *
 * @category running
 */
export const perform = <C extends Spec, A, E, R, E2 = never, R2 = never>(
  run: Pick<Run<C>, "executionId" | "chunk" | "keyOf">,
  key: string,
  options: Options<A, E2, R2>,
  effect: (key: string, attempt: number) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | E2 | OnceUnknown | EffectLedgerError, R | R2 | EffectLedger> =>
  Effect.gen(function* () {
    const ledger = yield* EffectLedger
    const id = run.keyOf(key)
    const name = `${run.chunk}: ${key}`
    const { level = "once", reconcile } = options
    const claimer = yield* freshId
    const encode = Schema.encodeEffect(Schema.toCodecJson(options.output))
    const decode = Schema.decodeUnknownEffect(Schema.toCodecJson(options.output))
    const broken = (operation: string) => (error: { readonly message: string }) =>
      new EffectLedgerError({ ledger: "once", operation, id, detail: error.message })

    const settle = (attempt: number, value: A) =>
      Effect.gen(function* () {
        const output = yield* Effect.mapError(encode(value), broken("write down the outcome of"))
        // What a codec to JSON gives is JSON.
        yield* ledger.settle(id, attempt, output as Schema.Json)
        return value
      })

    const claim = (attempt: number, claimer: string) =>
      ledger.claim({ id, name, group: run.executionId, level, claimer, attempt })

    const begin = (attempt: number): Effect.Effect<A, E | E2 | OnceUnknown | EffectLedgerError, R | R2> =>
      Effect.gen(function* () {
        const { claimed, entry } = yield* claim(attempt, claimer)
        if (!claimed) return yield* found(entry)
        // What became of it is known here and nowhere else: an interruption waits until it is written down.
        return yield* Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(Effect.exit(restore(effect(id, attempt))), (exit) => {
            if (Exit.isSuccess(exit)) return settle(attempt, exit.value)
            const failed = Effect.failCause(exit.cause)
            if (Cause.hasDies(exit.cause) || Cause.hasInterrupts(exit.cause)) return failed
            return Effect.andThen(claim(attempt + 1, nobody), failed)
          })
        )
      })

    /** Somebody has claimed it before. */
    const found = (entry: LedgerEntry): Effect.Effect<A, E | E2 | OnceUnknown | EffectLedgerError, R | R2> =>
      Effect.gen(function* () {
        if (entry.outcome !== undefined) {
          return yield* Effect.mapError(decode(entry.outcome), broken("read the outcome of"))
        }
        if (entry.claimer === nobody) return yield* begin(entry.attempt + 1)
        if (reconcile !== undefined) {
          const known = yield* reconcile(id, entry.attempt)
          return yield* Option.isSome(known) ? settle(entry.attempt, known.value) : begin(entry.attempt + 1)
        }
        if (level !== "once") return yield* begin(entry.attempt + 1)
        return yield* new OnceUnknown({ id, name, claimedAt: entry.claimedAt })
      })

    return yield* begin(1)
  })

/**
 * Says what came out of something that nobody knew of: it counts as done. False where its outcome is known already.
 *
 * @category operating
 */
export const settle = <A>(
  id: string,
  output: Schema.Codec<A, unknown>,
  value: A
): Effect.Effect<boolean, EffectLedgerError, EffectLedger> =>
  Effect.gen(function* () {
    const ledger = yield* EffectLedger
    const entry = yield* ledger.get(id)
    if (Option.isNone(entry)) return false
    const json = yield* Effect.mapError(
      Schema.encodeEffect(Schema.toCodecJson(output))(value),
      ({ message }) => new EffectLedgerError({ ledger: "once", operation: "settle", id, detail: message })
    )
    // What a codec to JSON gives is JSON.
    return yield* ledger.settle(id, entry.value.attempt, json as Schema.Json)
  })

/**
 * Says that something that nobody knew of was not done: it may be done again. False where its outcome is known already.
 *
 * @category operating
 */
export const clear = (id: string): Effect.Effect<boolean, EffectLedgerError, EffectLedger> =>
  Effect.gen(function* () {
    const ledger = yield* EffectLedger
    const entry = yield* ledger.get(id)
    if (Option.isNone(entry) || entry.value.outcome !== undefined) return false
    const { attempt, group, level, name } = entry.value
    return (yield* ledger.claim({ id, name, group, level, claimer: nobody, attempt: attempt + 1 })).claimed
  })
