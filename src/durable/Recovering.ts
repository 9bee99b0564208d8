/** Going on with executions that were written down: those that nobody has any more, and those that somebody asks for. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Host from "../../services/ExecutionHost.ts"
import type * as Journals from "../../services/JournalStore.ts"
import * as Holding from "./Holding.ts"
import { Kept, writtenOf } from "./Kept.ts"
import * as Measures from "./Measures.ts"
import type { IsOurs, Roster } from "./Roster.ts"

type Failed = Host.FlowFailed | Host.ExecutionHostError

/** An execution that is not in memory and need not be: it has closed, or was put aside. @category models */
export interface Ended {
  readonly head: Journals.JournalHead
}

/** Whether an execution was found in memory. @category guards */
export const isKept = (found: Kept | Ended): found is Kept => found instanceof Kept

/** Takes executions that nobody has any more; gives their ids. @category recovering */
export const recover = (roster: Roster): Effect.Effect<ReadonlyArray<string>, Host.ExecutionHostError> =>
  Effect.gen(function* () {
    const { entries, flows, settings, store } = roster
    const recovered: Array<string> = []
    const take = (head: Journals.JournalHead) =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(adopt(roster, head))
        if (Exit.isFailure(exit)) return
        recovered.push(head.id)
        yield* Measures.recovered((yield* Clock.currentTimeMillis) - head.updatedAt)
      })
    if (roster.isUnsure) {
      yield* lookForAdrift(roster)
      roster.isUnsure = false
    }
    for (const id of [...roster.stranded.keys()]) {
      if (roster.refusal !== undefined) return recovered
      if (entries.has(id)) roster.stranded.delete(id)
      if (!roster.stranded.has(id)) continue
      const head = yield* Effect.exit(store.claimOne(id, roster.owner))
      if (Exit.isFailure(head)) continue
      if (Option.isSome(head.value)) yield* take(head.value.value)
      else roster.stranded.delete(id)
    }
    if (roster.isOurs !== undefined) return yield* gather(roster, roster.isOurs, recovered)
    for (;;) {
      const limit = Math.min(100, settings.maxActive - entries.size)
      if (limit <= 0 || flows.size === 0 || roster.refusal !== undefined) return recovered
      const claim = Effect.mapError(
        Effect.onError(store.claim({ owner: roster.owner, flows: roster.claimable, limit }), () =>
          Effect.sync(() => {
            roster.isUnsure = true
          })
        ),
        roster.storeFailed("look for interrupted executions")
      )
      // What was claimed is this runner's, and nobody else takes it: whoever asked for it may go, it is begun.
      const claimed = yield* Effect.uninterruptible(
        Effect.tap(claim, (heads) => Effect.forEach(heads, take, { concurrency: settings.recoveries, discard: true }))
      )
      if (claimed.length < limit) return recovered
    }
  })

/** How many executions are looked at at once, for those that are this runner's. */
const looked = 1000

/** Finds what counts as this runner's although nothing of it is in memory. */
const lookForAdrift = (roster: Roster): Effect.Effect<void, Host.ExecutionHostError> =>
  Effect.gen(function* () {
    for (const status of ["created", "running", "waiting"] as const) {
      let after: string | undefined
      do {
        const query = { status, dead: false, limit: looked, ...(after === undefined ? {} : { after }) }
        const { heads, next } = yield* Effect.mapError(
          roster.store.list(query),
          roster.storeFailed("look for what is its own")
        )
        for (const head of heads) if (roster.isAdrift(head) && !roster.stranded.has(head.id)) roster.strand(head.id, 0)
        after = next
      } while (after !== undefined)
    }
  })

/**
 * Takes those that something else has given to this runner. None of the others is claimed: that would count as a try, and
 * whoever they were given to would have to take them away again.
 */
const gather = (roster: Roster, isOurs: IsOurs, recovered: Array<string>) =>
  Effect.gen(function* () {
    const { entries, settings, store } = roster
    if (roster.flows.size === 0 || roster.refusal !== undefined) return recovered
    const adrift = yield* Effect.mapError(
      store.claimable({ flows: roster.claimable, limit: looked }),
      roster.storeFailed("look for interrupted executions")
    )
    const ours = adrift.filter((head) => !entries.has(head.id) && isOurs(head.id, head))
    const take = (head: Journals.JournalHead) =>
      Effect.gen(function* () {
        // The room that one leaves who only waits is for those that are asked for.
        if (entries.size >= settings.maxActive || entries.has(head.id)) return
        const exit = yield* Effect.exit(activate(roster, head.id))
        if (Exit.isFailure(exit) || !isKept(exit.value)) return
        recovered.push(head.id)
        yield* Measures.recovered((yield* Clock.currentTimeMillis) - head.updatedAt)
      })
    yield* Effect.forEach(ours, take, { concurrency: settings.recoveries, discard: true })
    return recovered
  })

/** Lets an execution go on that was claimed. */
const adopt = (roster: Roster, head: Journals.JournalHead): Effect.Effect<Kept, Failed> => {
  const adopted = Effect.suspend((): Effect.Effect<Kept, Failed> => {
    const known = roster.entries.get(head.id)
    // Somebody has asked for it meanwhile.
    if (known !== undefined && known.fence >= head.fence) return Effect.succeed(known)
    return begin(roster, head)
  })
  return Effect.uninterruptible(roster.turns.alone(head.id, adopted))
}

/** What was claimed, and does not get to work here, is let go of. */
const release = (roster: Roster, id: string): Effect.Effect<void> =>
  Effect.catchCause(roster.store.release(roster.owner, [id]), () => Effect.sync(() => roster.strand(id, 0)))

const begin = (roster: Roster, head: Journals.JournalHead): Effect.Effect<Kept, Failed> => {
  const { fence, id, seq, startedAt } = head
  const operation = `go on with ${id}`
  return Effect.gen(function* () {
    const runner = roster.runnerOf(head.flow, head.version)
    if (runner === undefined) {
      yield* release(roster, id)
      return yield* Effect.fail(roster.unregistered(operation, head))
    }
    const now = yield* Clock.currentTimeMillis
    const kept = new Kept(id, runner, roster.store, roster.settings, { fence, seq, startedAt, now })
    kept.spared = roster.stranded.get(id) ?? 0
    const before = roster.entries.get(id)
    const refused = Holding.enter(roster, kept, operation)
    if (refused !== undefined) {
      yield* release(roster, id)
      return yield* Effect.fail(refused)
    }
    roster.stranded.delete(id)
    if (before !== undefined) yield* Holding.abandon(before)
    const exit = yield* Effect.exit(roster.reading.withPermit(read(roster, head, kept)))
    if (Exit.isSuccess(exit)) {
      yield* Holding.hold(roster, kept, exit.value)
      return kept
    }
    Holding.drop(roster, kept, exit)
    return yield* Effect.failCause(exit.cause)
  })
}

/** Reads the journal, and lets the execution go on; what cannot go on is put aside, or tried again. */
const read = (roster: Roster, head: Journals.JournalHead, kept: Kept): Effect.Effect<Host.RunningExecution, Failed> => {
  const { id, tries } = head
  const operation = `go on with ${id}`
  const { maxTries } = roster.settings
  const again = (error: Host.ExecutionHostError): Effect.Effect<never, Host.ExecutionHostError> =>
    Effect.suspend(() => {
      roster.strand(id, kept.spared)
      return Effect.fail(error)
    })
  const putAside = (error: Failed): Effect.Effect<never, Failed> =>
    Effect.gen(function* () {
      const reason = error._tag === "FlowFailed" ? error.failure.message : error.detail
      const buried = yield* Effect.exit(roster.store.bury(id, head.fence, reason))
      if (Exit.isFailure(buried)) {
        const why = Option.getOrUndefined(Exit.findErrorOption(buried))
        // Whoever has it by now sees for himself.
        if (why?._tag !== "JournalConflict") roster.strand(id, kept.spared)
      } else {
        yield* Effect.logError(`Execution ${id} is put aside: ${reason}`)
        yield* Measures.buried
      }
      return yield* Effect.fail(error)
    })
  return Effect.gen(function* () {
    if (tries - kept.spared > maxTries) {
      const detail = `it was begun ${tries - 1} times and ended its process, or was lost, each time before a step was done`
      return yield* putAside(roster.failed(operation, detail))
    }
    const journal = yield* Effect.exit(roster.store.read(id))
    if (Exit.isFailure(journal)) {
      const error = Option.getOrUndefined(Exit.findErrorOption(journal))
      if (error?._tag === "JournalCorrupt") return yield* putAside(roster.storeFailed(operation)(error))
      const detail = error?.message ?? Cause.pretty(journal.cause)
      return yield* again(roster.failed(operation, detail, error?.retryable ?? false))
    }
    if (Option.isNone(journal.value))
      return yield* putAside(roster.failed(operation, "its journal is not there as far back as its newest snapshot"))
    const running = yield* Effect.exit(kept.runner.recover(writtenOf(journal.value.value), kept))
    if (Exit.isSuccess(running)) return running.value
    // That the store did not write says nothing against the execution.
    if (kept.lost !== undefined)
      return yield* again(roster.failed(operation, "the store did not take its first record. Try again.", true))
    const error = Option.getOrUndefined(Exit.findErrorOption(running))
    return yield* putAside(error ?? roster.failed(operation, Cause.pretty(running.cause)))
  })
}

/** Takes one execution into memory, whether something is to be done in it or not. @category recovering */
export const activate = (
  roster: Roster,
  id: string,
  options: { readonly force?: boolean } = {}
): Effect.Effect<Kept | Ended, Host.UnknownExecution | Failed> => {
  const { store } = roster
  const operation = `reach ${id}`
  const find = Effect.flatMap(
    Effect.mapError(store.get(id), roster.storeFailed(operation)),
    (head): Effect.Effect<Journals.JournalHead, Host.UnknownExecution> =>
      Option.isNone(head) ? Effect.fail(new Host.UnknownExecution({ id })) : Effect.succeed(head.value)
  )
  const isOver = ({ dead, lifecycle }: Journals.JournalHead) => lifecycle === "closed" || dead !== undefined
  const taken: Effect.Effect<Kept | Ended, Host.UnknownExecution | Failed> = Effect.gen(function* () {
    // Several may come for it at once: one claims it, the others wait for their turn and find it here.
    const kept = roster.entries.get(id)
    if (kept !== undefined) {
      yield* Deferred.await(kept.opened)
      return kept
    }
    yield* roster.admit(operation)
    const claimed = yield* Effect.mapError(
      // Nobody knows whether it was claimed: if it was, nobody else takes it, and it has to go on here.
      Effect.tapError(store.claimOne(id, roster.owner, options), () => Effect.sync(() => roster.strand(id, 0))),
      roster.storeFailed(operation)
    )
    if (Option.isSome(claimed)) return yield* begin(roster, claimed.value)
    const now = yield* find
    if (isOver(now)) return { head: now }
    const runner = now.owner?.runner ?? "another one"
    return yield* Effect.fail(
      roster.failed(operation, `it is at work on the runner "${runner}". Ask there, or use the cluster.`, true)
    )
  })
  return Effect.gen(function* () {
    yield* roster.admit(operation)
    const kept = roster.entries.get(id)
    if (kept !== undefined && !kept.leaving) {
      yield* Deferred.await(kept.opened)
      return kept
    }
    const head = yield* find
    if (isOver(head)) return { head }
    // Claiming it counts as a try: not for those whom it does not help.
    if (roster.runnerOf(head.flow, head.version) === undefined)
      return yield* Effect.fail(roster.unregistered(operation, head))
    yield* Holding.room(roster, operation)
    return yield* roster.turns.alone(id, Effect.uninterruptible(taken))
  })
}
