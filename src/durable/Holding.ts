/** The executions in memory: how they come in, how they are followed to their end, and how they are let go of. */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Host from "../../services/ExecutionHost.ts"
import { JournalConflict } from "../../services/JournalStore.ts"
import type { Kept } from "./Kept.ts"
import type { Roster } from "./Roster.ts"

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

// ---------------------------------------------------------------------------------------------- coming in

const full = (roster: Roster, operation: string): Host.ExecutionHostError =>
  roster.failed(operation, `it has ${roster.settings.maxActive} executions at work already. Try again later.`, true)

/** Whether there is room for one more; one that only waits makes it. @category holding */
export const room = (roster: Roster, operation: string): Effect.Effect<void, Host.ExecutionHostError> => {
  const { maxActive } = roster.settings
  return Effect.suspend(() => {
    if (roster.entries.size < maxActive) return Effect.void
    return Effect.flatMap(rest(roster, 0, 1), () =>
      roster.entries.size < maxActive ? Effect.void : Effect.fail(full(roster, operation))
    )
  })
}

/** Puts an execution into memory, before it is at work; gives why not, where it may not come in. @category holding */
export const enter = (roster: Roster, kept: Kept, operation: string): Host.ExecutionHostError | undefined => {
  const { refusal } = roster
  if (refusal !== undefined) return roster.failed(operation, refusal, roster.status === "draining")
  if (roster.entries.size >= roster.settings.maxActive && !roster.entries.has(kept.id)) return full(roster, operation)
  roster.entries.set(kept.id, kept)
  return undefined
}

/** It is at work here now. @category holding */
export const hold = (roster: Roster, kept: Kept, running: Host.RunningExecution): Effect.Effect<void> => {
  Deferred.doneUnsafe(kept.opened, Exit.succeed(running))
  return Effect.asVoid(Effect.forkIn(follow(roster, kept, running), roster.scope, { startImmediately: true }))
}

/** It does not get to work. @category holding */
export const drop = (
  roster: Roster,
  kept: Kept,
  exit: Exit.Exit<Host.RunningExecution, Host.FlowFailed | Host.ExecutionHostError>
): void => {
  if (roster.entries.get(kept.id) === kept) roster.entries.delete(kept.id)
  Deferred.doneUnsafe(kept.opened, exit)
}

/** Waits until an execution has ended here, whichever way. */
const follow = (roster: Roster, kept: Kept, running: Host.RunningExecution): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* running.closed
    // Whoever leaves it does the rest.
    if (kept.leaving) return
    const { lost } = kept
    const isElsewhere = lost instanceof JournalConflict && lost.why !== "sequence"
    if (roster.entries.get(kept.id) !== kept) return
    roster.entries.delete(kept.id)
    if (isElsewhere || (lost === undefined && kept.closed)) return
    // The store did not write it; what was written goes on once it does. One that ended by itself, and is not closed
    // there, has to prove that it gets any further.
    if (lost === undefined) roster.stranded.set(kept.id, kept.spared)
    else roster.strand(kept.id, kept.spared)
    yield* Effect.logWarning(`Execution ${kept.id} had to stop: ${messageOf(lost ?? "its engine has ended")}`)
  })

// ---------------------------------------------------------------------------------------------- letting go

/** Stops an execution that somebody else has by now. @category holding */
export const abandon = (kept: Kept): Effect.Effect<void> =>
  Effect.suspend(() => {
    kept.lost ??= new JournalConflict({ id: kept.id, why: "fenced" })
    return Effect.ignore(Effect.flatMap(Deferred.await(kept.opened), (running) => running.abandon))
  })

/** Stops everything, as others have it by now. @category holding */
export const abandonAll = (roster: Roster): Effect.Effect<void> =>
  Effect.suspend(() =>
    Effect.forEach([...roster.entries.values()], abandon, { concurrency: "unbounded", discard: true })
  )

/** Lets go of an execution, so that others, or this runner again, can have it at once. @category holding */
export const leave = (roster: Roster, kept: Kept, drain: number): Effect.Effect<void> => {
  const { id } = kept
  const left = Effect.gen(function* () {
    if (roster.entries.get(id) !== kept) return
    kept.leaving = true
    const running = yield* Effect.option(Deferred.await(kept.opened))
    if (running._tag === "Some") yield* running.value.leave(drain)
    const released = yield* Effect.exit(roster.store.release(roster.owner, [id]))
    if (roster.entries.get(id) === kept) roster.entries.delete(id)
    // It would count as this runner's for as long as it lives, and nobody would take it.
    if (Exit.isFailure(released)) roster.strand(id, kept.spared)
  })
  return Effect.suspend(() => {
    // Whoever wants it from now on waits for its turn.
    kept.leaving = true
    return Effect.uninterruptible(roster.turns.alone(id, left))
  })
}

/** Lets go of many. @category holding */
export const leaveAll = (roster: Roster, drain: number, which: (kept: Kept) => boolean): Effect.Effect<void> =>
  Effect.suspend(() =>
    Effect.forEach([...roster.entries.values()].filter(which), (kept) => leave(roster, kept, drain), {
      concurrency: "unbounded",
      discard: true
    })
  )

/** Lets go of those that have only waited for so long, of `most` at most. @category holding */
export const rest = (roster: Roster, idleFor: number, most = Infinity): Effect.Effect<void> =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    let gone = 0
    for (const kept of [...roster.entries.values()]) {
      if (gone >= most) return
      if (kept.users > 0 || kept.leaving || now - kept.last < idleFor) continue
      if (!Deferred.isDoneUnsafe(kept.opened)) continue
      const running = yield* Effect.option(Deferred.await(kept.opened))
      if (running._tag === "None" || !(yield* running.value.resting) || kept.users > 0 || kept.leaving) continue
      gone++
      yield* leave(roster, kept, 0)
    }
  })
