/**
 * The life of a runner: it renews its lease, looks for executions that nobody has, lets those rest that only wait, and
 * forgets what is old. Renewing waits for nothing else.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { LeaseLost } from "../../services/JournalStore.ts"
import * as Holding from "./Holding.ts"
import * as Measures from "./Measures.ts"
import * as Recovering from "./Recovering.ts"
import type { Roster } from "./Roster.ts"

/** How often it is looked what has been given to this runner, or taken from it, by something else; in milliseconds. */
const often = 500

/** Does all of it until it is interrupted. @category running */
export const work = (roster: Roster): Effect.Effect<void> => {
  const { refresh } = roster.settings
  const renewing = Effect.forever(Effect.andThen(Effect.sleep(refresh), safely(renew(roster), "renew its lease")))
  const all = [renewing, looking(roster), handingOver(roster)]
  return Effect.asVoid(Effect.all(all, { concurrency: "unbounded" }))
}

/** What goes wrong is told, and does not end the loop. */
const safely = (effect: Effect.Effect<void, unknown>, what: string): Effect.Effect<void> =>
  Effect.catchCause(effect, (cause) => Effect.logWarning(`The runner cannot ${what}: ${Cause.pretty(cause)}`))

// ---------------------------------------------------------------------------------------------- the lease

const renew = (roster: Roster): Effect.Effect<void> =>
  Effect.gen(function* () {
    if (roster.status === "closed" || roster.status === "deposed") return
    const { lease, refresh, runner } = roster.settings
    const exit = yield* Effect.exit(Effect.timeoutOption(roster.store.renew(roster.owner, lease), refresh))
    const now = yield* Clock.currentTimeMillis
    if (Exit.isSuccess(exit) && Option.isSome(exit.value)) return yield* renewed(roster, now)
    const error = Option.getOrUndefined(Exit.findErrorOption(exit))
    if (error?._tag === "LeaseLost") return yield* lost(roster, error, now)
    roster.trouble = error?.message ?? "the store has not answered in time"
    if (now - roster.renewedAt <= lease || roster.status !== "up") return
    roster.status = "late"
    yield* Effect.logWarning(`The runner ${runner} could not renew its lease in time: ${roster.trouble}`)
  })

const renewed = (roster: Roster, now: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const late = now - roster.renewedAt > roster.settings.lease
    roster.renewedAt = now
    roster.trouble = undefined
    if (roster.status === "late") roster.status = "up"
    // Others may have taken what is in memory here. The next renewal does not wait until all is looked through.
    return late ? Effect.asVoid(Effect.forkIn(verify(roster), roster.scope)) : Effect.void
  })

/** The lease is gone: for good where another life has begun, else it is taken anew. */
const lost = (roster: Roster, error: LeaseLost, now: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { lease } = roster.settings
    if (!(error.replaced ?? now - roster.renewedAt < lease)) {
      const joined = yield* Effect.exit(roster.store.join(roster.owner, lease))
      if (Exit.isSuccess(joined)) {
        roster.renewedAt = Math.min(roster.renewedAt, now - lease - 1)
        return yield* renewed(roster, now)
      }
      roster.trouble = Option.getOrUndefined(Exit.findErrorOption(joined))?.message ?? error.message
      if (roster.status === "up") roster.status = "late"
      return
    }
    roster.status = "deposed"
    roster.trouble = error.message
    yield* Effect.logError(error.message)
    yield* Effect.forkIn(Holding.abandonAll(roster), roster.scope)
  })

/** Lets go of what another runner has by now. */
const verify = (roster: Roster): Effect.Effect<void> =>
  Effect.forEach(
    [...roster.entries.values()],
    (kept) =>
      Effect.gen(function* () {
        const { fence } = kept
        // One that is about to be started is not in the journal yet.
        if (kept.seq === 0) return
        const head = yield* Effect.option(roster.store.get(kept.id))
        if (Option.isNone(head) || kept.fence !== fence) return
        if (Option.isNone(head.value) || head.value.value.fence !== fence) yield* Holding.abandon(kept)
      }),
    { concurrency: 16, discard: true }
  )

// ---------------------------------------------------------------------------------------------- looking

const looking = (roster: Roster): Effect.Effect<void> =>
  Effect.gen(function* () {
    // What is due and cannot be taken, because there is no room, is not asked for all the time.
    let inVain = false
    for (;;) {
      yield* Effect.sleep(yield* pause(roster, inVain))
      inVain = true
      yield* safely(
        Effect.map(look(roster), (recovered) => {
          inVain = recovered === 0
        }),
        "look after its executions"
      )
    }
  })

/** How long nothing has to be looked for. */
const pause = (roster: Roster, inVain: boolean): Effect.Effect<number> =>
  Effect.gen(function* () {
    const { isOurs, settings } = roster
    const refresh = isOurs === undefined ? settings.refresh : Math.min(settings.refresh, often)
    if (roster.status !== "up" || roster.flows.size === 0) return refresh
    const wake = yield* Effect.exit(Effect.timeoutOption(roster.store.nextWake(roster.claimable), refresh))
    const now = yield* Clock.currentTimeMillis
    if (Exit.isFailure(wake)) return refresh
    const at = Option.getOrElse(Option.flatten(wake.value), () => Infinity)
    // It may be another runner's, and the next one be this runner's.
    if (at <= now) return inVain ? (isOurs === undefined ? refresh : Math.min(refresh, often / 2)) : 1
    return Math.max(1, Math.min(refresh, at - now))
  })

/** Lets go of what is no longer this runner's, where something else says what is. */
const handingOver = (roster: Roster): Effect.Effect<void> => {
  const { isOurs, settings } = roster
  if (isOurs === undefined) return Effect.void
  const handOver = Effect.suspend(() => {
    const others = [...roster.entries.values()].filter(
      (kept) => !kept.leaving && Deferred.isDoneUnsafe(kept.opened) && !isOurs(kept.id, kept.runner)
    )
    // The next ones do not wait for handlers of these.
    return Effect.forEach(others, (kept) => Effect.forkIn(Holding.leave(roster, kept, settings.drain), roster.scope), {
      discard: true
    })
  })
  return Effect.forever(Effect.andThen(Effect.sleep(Math.min(settings.refresh, often)), handOver))
}

/** Gives how many executions it has taken. */
const look = (roster: Roster): Effect.Effect<number, unknown> =>
  Effect.gen(function* () {
    if (roster.status !== "up") return 0
    const recovered = yield* Recovering.recover(roster)
    yield* Holding.rest(roster, roster.settings.idleFor)
    const now = yield* Clock.currentTimeMillis
    const { keepClosed } = roster.settings
    if (keepClosed !== Infinity) {
      const gone = yield* roster.store.prune({ closedBefore: now - keepClosed })
      // Nobody hears of them again: each is tried, whatever has become of the one before.
      if (roster.ledger !== undefined) yield* Effect.validate(gone, roster.ledger.forget, { discard: true })
    }
    yield* Measures.observe(roster.entries.size, now - roster.renewedAt)
    return recovered.length
  })
