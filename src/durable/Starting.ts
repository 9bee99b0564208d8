/** Starts: one execution under an id, however often and from wherever it is started. */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Host from "../../services/ExecutionHost.ts"
import { canonical } from "../../services/Json.ts"
import type * as Journals from "../../services/JournalStore.ts"
import { freshId } from "../triggerflow/Opening.ts"
import * as Holding from "./Holding.ts"
import { Kept, versionOf } from "./Kept.ts"
import * as Measures from "./Measures.ts"
import type { Roster } from "./Roster.ts"

type Refused = Host.ExecutionConflict | Host.FlowFailed | Host.ExecutionHostError

/** There is an execution under the id already. */
class Taken {
  readonly head: Journals.JournalHead
  constructor(head: Journals.JournalHead) {
    this.head = head
  }
}

/** What is not the same about two starts under one id. @category conversions */
export const conflictOf = (
  head: Journals.JournalHead,
  { flow, version }: Host.StartRequest,
  input: string
): Host.ExecutionConflict | undefined => {
  const differs =
    head.flow !== flow
      ? "flow"
      : version !== undefined && head.version !== version
        ? "version"
        : head.input !== input
          ? "input"
          : undefined
  return differs === undefined ? undefined : new Host.ExecutionConflict({ id: head.id, differs })
}

/** The runner that a start is for: of its version, or of the one that was registered last. */
const runnerFor = (roster: Roster, { flow, version }: Host.StartRequest): Host.FlowRunner | undefined => {
  if (version !== undefined) return roster.exactly(flow, version)
  let last: Host.FlowRunner | undefined
  for (const runner of roster.flows.values()) if (runner.flow === flow) last = runner
  return last
}

const unknown = (roster: Roster, { flow, version }: Host.StartRequest): Host.UnknownFlow => {
  const known = [...roster.flows.values()].flatMap((runner) => (runner.flow === flow ? [runner.version ?? ""] : []))
  return new Host.UnknownFlow({ flow, ...(version === undefined ? {} : { version }), known })
}

/** Starts an execution, or joins the one that there is; gives its id. @category starting */
export const start = (
  roster: Roster,
  request: Host.StartRequest
): Effect.Effect<string, Host.UnknownFlow | Refused> => {
  const operation = `start ${request.flow}`
  return Effect.gen(function* () {
    yield* roster.admit(operation)
    const runner = runnerFor(roster, request)
    if (runner === undefined) return yield* Effect.fail(unknown(roster, request))
    const input = yield* Effect.try({
      try: () => canonical(request.input),
      catch: (error) => roster.failed(operation, `the input is no JSON (${String(error)}). Encode it first.`)
    })
    const id = request.id ?? (yield* freshId)
    if (!roster.entries.has(id)) yield* Holding.room(roster, operation)
    const begun = Effect.suspend(() =>
      // Whoever starts it may be interrupted; the execution belongs to the runner.
      roster.entries.has(id)
        ? join(roster, id, request, input)
        : Effect.uninterruptible(open(roster, id, runner, request, input))
    )
    return yield* roster.turns.alone(id, begun)
  })
}

const join = (roster: Roster, id: string, request: Host.StartRequest, input: string): Effect.Effect<string, Refused> =>
  Effect.gen(function* () {
    const operation = `start ${request.flow}`
    const found = yield* Effect.mapError(roster.store.get(id), roster.storeFailed(operation))
    if (Option.isNone(found))
      return yield* Effect.fail(roster.failed(operation, "it is not in the journal any more. Try again.", true))
    const conflict = conflictOf(found.value, request, input)
    return yield* conflict === undefined ? Effect.succeed(id) : Effect.fail(conflict)
  })

const open = (
  roster: Roster,
  id: string,
  runner: Host.FlowRunner,
  request: Host.StartRequest,
  input: string
): Effect.Effect<string, Refused> => {
  const operation = `start ${request.flow}`
  const { settings, store } = roster
  return Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const created = Deferred.makeUnsafe<Journals.JournalHead | undefined, Host.ExecutionHostError>()
    const kept: Kept = new Kept(id, runner, store, settings, { fence: 1, seq: 0, startedAt: now, now }, (batch) =>
      create(roster, kept, request, input, batch).pipe(
        Effect.onExit((exit) => {
          const error = Option.getOrUndefined(Exit.findErrorOption(exit))
          if (error instanceof Taken) return Deferred.succeed(created, error.head)
          if (Exit.isSuccess(exit)) return Deferred.succeed(created, undefined)
          return Deferred.fail(created, error ?? roster.failed(operation, "its first append was interrupted"))
        })
      )
    )
    const refused = Holding.enter(roster, kept, operation)
    if (refused !== undefined) return yield* Effect.fail(refused)
    const stream = request.settings?.stream ?? { _tag: "sliding" as const, capacity: settings.streamCapacity }
    const opened = yield* Effect.exit(
      runner.open({ id, input: request.input, settings: { ...request.settings, stream }, journal: kept })
    )
    if (Exit.isFailure(opened)) {
      Holding.drop(roster, kept, opened)
      return yield* Effect.failCause(opened.cause)
    }
    const other = yield* Effect.exit(Deferred.await(created))
    if (Exit.isSuccess(other) && other.value === undefined) {
      yield* Holding.hold(roster, kept, opened.value)
      yield* Measures.started
      return id
    }
    Holding.drop(roster, kept, Exit.fail(roster.failed(operation, "it was started by somebody else", true)))
    if (Exit.isFailure(other)) {
      // Nobody knows whether it was made: if it was, it is this runner's and has to go on.
      roster.strand(id, 0)
      return yield* Effect.failCause(other.cause)
    }
    const head = other.value
    if (head === undefined) return id
    if (roster.isAdrift(head)) roster.strand(id, 0)
    const conflict = conflictOf(head, request, input)
    return yield* conflict === undefined ? Effect.succeed(id) : Effect.fail(conflict)
  })
}

const create = (
  roster: Roster,
  kept: Kept,
  request: Host.StartRequest,
  input: string,
  { lifecycle, records, status, wakeAt }: Host.JournalBatch
): Effect.Effect<void, Taken | Host.ExecutionHostError> => {
  const creation: Journals.Creation = {
    id: kept.id,
    flow: kept.runner.flow,
    ...versionOf(kept.runner),
    status,
    lifecycle,
    input,
    tags: request.tags ?? [],
    owner: roster.owner,
    ...(wakeAt === undefined || wakeAt === null ? {} : { wakeAt }),
    records
  }
  return Effect.flatMap(
    Effect.mapError(roster.store.create(creation), roster.storeFailed(`start ${kept.runner.flow}`)),
    ({ created, head }) => {
      if (!created) return Effect.fail(new Taken(head))
      kept.seq = head.seq
      kept.fence = head.fence
      return Effect.void
    }
  )
}
