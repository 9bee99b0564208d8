/**
 * Journals of executions in the memory of this process. They are gone when it ends. Records and snapshots are kept as
 * they are given, not copied, because an append stands on the path of every step: whoever appends them does not change
 * them afterwards.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import {
  type Append,
  type ClaimRequest,
  defaultKeepSnapshots,
  JournalConflict,
  type JournalEntry,
  type JournalHead,
  type JournalQuery,
  JournalStore,
  LeaseLost,
  type Owner
} from "../../services/JournalStore.ts"

interface Stored {
  readonly seq: number
  readonly json: Schema.Json
}

/** An execution: its head is replaced, its rows grow in place. */
interface Execution {
  head: JournalHead
  entries: Array<JournalEntry>
  snapshots: Array<Stored>
  /** What was appended last, by which a repetition is known. */
  last: Append | undefined
}

interface Life {
  readonly incarnation: string
  readonly until: number
}

/** What follows an append that is made under a head. */
const after = (head: JournalHead, append: Append, now: number): JournalHead => {
  const seq = append.expected + 1
  const next: JournalHead = {
    ...head,
    seq,
    updatedAt: now,
    ...(append.status !== undefined && { status: append.status }),
    ...(append.lifecycle !== undefined && { lifecycle: append.lifecycle }),
    ...(append.closed === true && { lifecycle: "closed" as const, closedAt: now }),
    ...(append.wakeAt !== undefined && append.wakeAt !== null && { wakeAt: append.wakeAt }),
    ...(append.tags !== undefined && { tags: append.tags }),
    ...(append.progressed === true && { tries: 0 }),
    ...(append.version !== undefined && { version: append.version }),
    ...(append.fingerprint !== undefined && { fingerprint: append.fingerprint }),
    ...(append.snapshot !== undefined && { snapshot: seq })
  }
  if (append.wakeAt !== null || next.wakeAt === undefined) return next
  const { wakeAt: _, ...rest } = next
  return rest
}

const isRepeated = (last: Append | undefined, append: Append): boolean =>
  last !== undefined && (last === append || JSON.stringify(last) === JSON.stringify(append))

const withoutOwner = (head: JournalHead): JournalHead => {
  const { owner: _, ...rest } = head
  return rest
}

/** Since when something is to be done in it; undefined: nothing is. */
const dueAt = ({ status, wakeAt, startedAt }: JournalHead): number | undefined =>
  status === "waiting" ? wakeAt : startedAt

/** A test for the flows that a runner can run. */
const runnable = (flows: ClaimRequest["flows"]): ((head: JournalHead) => boolean) => {
  const versions = new Map<string, Set<string | undefined>>()
  for (const { flow, version } of flows) {
    const known = versions.get(flow)
    if (known === undefined) versions.set(flow, new Set([version]))
    else known.add(version)
  }
  return (head) => versions.get(head.flow)?.has(head.version) === true
}

const matches = (head: JournalHead, query: JournalQuery): boolean =>
  (query.flow === undefined || head.flow === query.flow) &&
  (query.version === undefined || head.version === query.version) &&
  (query.status === undefined || head.status === query.status) &&
  (query.tags === undefined || query.tags.every((tag) => head.tags.includes(tag))) &&
  (query.from === undefined || head.startedAt >= query.from) &&
  (query.to === undefined || head.startedAt < query.to) &&
  (query.dead === undefined || (head.dead !== undefined) === query.dead) &&
  (query.text === undefined || head.id.toLowerCase().includes(query.text.toLowerCase()))

type Place = Pick<JournalHead, "startedAt" | "id">

const byStart = (a: Place, b: Place): number => a.startedAt - b.startedAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)

const placeOf = (after: string): Place => {
  const at = after.indexOf("/")
  return { startedAt: Number(after.slice(0, at)), id: after.slice(at + 1) }
}

/** The store as a value. @category constructors */
export const make = (): JournalStore["Service"] => {
  const executions = new Map<string, Execution>()
  // Those that are not closed: claims look at no others.
  const open = new Map<string, Execution>()
  const runners = new Map<string, Life>()

  const at = <A, E>(f: (now: number) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.clockWith((clock) => f(clock.currentTimeMillisUnsafe()))

  const isOwned = (owner: Owner | undefined, now: number): boolean => {
    if (owner === undefined) return false
    const life = runners.get(owner.runner)
    return life !== undefined && life.incarnation === owner.incarnation && life.until > now
  }

  const take = (execution: Execution, owner: Owner): JournalHead => {
    const { fence, tries } = execution.head
    execution.head = { ...execution.head, owner, fence: fence + 1, tries: tries + 1 }
    return execution.head
  }

  const claimable = (flows: ClaimRequest["flows"], limit: number, now: number): ReadonlyArray<Execution> => {
    const canRun = runnable(flows)
    const due: Array<{ readonly since: number; readonly execution: Execution }> = []
    for (const execution of open.values()) {
      const { head } = execution
      const since = head.dead === undefined ? dueAt(head) : undefined
      if (since !== undefined && since <= now && canRun(head) && !isOwned(head.owner, now))
        due.push({ since, execution })
    }
    due.sort((a, b) => a.since - b.since)
    return due.slice(0, limit).map(({ execution }) => execution)
  }

  const forget = (id: string): void => {
    executions.delete(id)
    open.delete(id)
  }

  const appendAt = (append: Append, now: number): Effect.Effect<number, JournalConflict> => {
    const { id, expected } = append
    const execution = executions.get(id)
    if (execution === undefined) return Effect.fail(new JournalConflict({ id, why: "missing" }))
    const { head } = execution
    if (head.fence !== append.fence) return Effect.fail(new JournalConflict({ id, why: "fenced" }))
    if (head.seq !== expected)
      return head.seq === expected + 1 && isRepeated(execution.last, append)
        ? Effect.succeed(head.seq)
        : Effect.fail(new JournalConflict({ id, why: "sequence" }))
    const seq = expected + 1
    execution.entries.push({ seq, at: now, records: append.records })
    execution.last = append
    execution.head = after(head, append, now)
    if (execution.head.lifecycle === "closed") open.delete(id)
    if (append.snapshot === undefined) return Effect.succeed(seq)
    execution.snapshots.push({ seq, json: append.snapshot })
    const keep = Math.max(1, append.keepSnapshots ?? defaultKeepSnapshots)
    const oldest = execution.snapshots.at(-keep)
    if (oldest !== undefined && keep !== Infinity) {
      execution.snapshots = execution.snapshots.slice(-keep)
      execution.entries = execution.entries.filter((entry) => entry.seq >= oldest.seq)
    }
    return Effect.succeed(seq)
  }

  return {
    join: (owner, leaseFor) =>
      at((now) =>
        Effect.sync(() => void runners.set(owner.runner, { incarnation: owner.incarnation, until: now + leaseFor }))
      ),
    renew: (owner, leaseFor) =>
      at((now) => {
        const life = runners.get(owner.runner)
        if (!isOwned(owner, now)) {
          const replaced = life !== undefined && life.incarnation !== owner.incarnation
          return Effect.fail(new LeaseLost({ ...owner, replaced }))
        }
        runners.set(owner.runner, { incarnation: owner.incarnation, until: now + leaseFor })
        return Effect.void
      }),
    leave: (owner) =>
      Effect.sync(() => {
        if (runners.get(owner.runner)?.incarnation === owner.incarnation) runners.delete(owner.runner)
      }),
    create: (creation) =>
      at((now): Effect.Effect<{ readonly created: boolean; readonly head: JournalHead }> => {
        const known = executions.get(creation.id)
        if (known !== undefined) return Effect.succeed({ created: false, head: known.head })
        const { records, snapshot, ...rest } = creation
        const head: JournalHead = {
          ...rest,
          startedAt: now,
          updatedAt: now,
          seq: 1,
          snapshot: snapshot === undefined ? 0 : 1,
          fence: 1,
          tries: 0,
          ...(creation.lifecycle === "closed" && { closedAt: now })
        }
        const execution: Execution = {
          head,
          entries: [{ seq: 1, at: now, records }],
          snapshots: snapshot === undefined ? [] : [{ seq: 1, json: snapshot }],
          last: undefined
        }
        executions.set(creation.id, execution)
        if (head.lifecycle !== "closed") open.set(creation.id, execution)
        return Effect.succeed({ created: true, head })
      }),
    append: (append) => Effect.clockWith((clock) => appendAt(append, clock.currentTimeMillisUnsafe())),
    claim: ({ owner, flows, limit }) =>
      at((now) => Effect.succeed(claimable(flows, limit, now).map((execution) => take(execution, owner)))),
    claimable: ({ flows, limit }) => at((now) => Effect.succeed(claimable(flows, limit, now).map(({ head }) => head))),
    claimOne: (id, owner, options) =>
      at((now) => {
        const execution = open.get(id)
        if (execution === undefined || execution.head.dead !== undefined) return Effect.succeedNone
        const other = execution.head.owner
        const isOther =
          isOwned(other, now) && !(other?.runner === owner.runner && other.incarnation === owner.incarnation)
        return isOther && options?.force !== true ? Effect.succeedNone : Effect.succeedSome(take(execution, owner))
      }),
    release: (owner, ids) =>
      Effect.sync(() => {
        for (const id of ids) {
          const execution = executions.get(id)
          const of = execution?.head.owner
          if (execution !== undefined && of?.runner === owner.runner && of.incarnation === owner.incarnation)
            execution.head = withoutOwner(execution.head)
        }
      }),
    read: (id, options) =>
      Effect.sync(() => {
        const execution = executions.get(id)
        if (execution === undefined) return Option.none()
        const { head, snapshots } = execution
        const until = Math.min(options?.until ?? head.seq, head.seq)
        const snapshot = snapshots.findLast(({ seq }) => seq <= until)
        const from = snapshot?.seq ?? 0
        const entries = execution.entries.filter(({ seq }) => seq > from && seq <= until)
        // What came before the oldest snapshot is not kept.
        if (entries.length !== until - from) return Option.none()
        return Option.some({ head, ...(snapshot !== undefined && { snapshot }), entries })
      }),
    history: (id, options) =>
      Effect.sync(() => {
        const from = options?.from ?? 1
        const entries = executions.get(id)?.entries.filter(({ seq }) => seq >= from) ?? []
        return entries.slice(0, options?.limit ?? 1_000)
      }),
    get: (id) => Effect.sync(() => Option.fromUndefinedOr(executions.get(id)?.head)),
    list: (query = {}) =>
      Effect.sync(() => {
        const place = query.after === undefined ? undefined : placeOf(query.after)
        const sign = query.order === "newest" ? -1 : 1
        const limit = query.limit ?? 100
        const found: Array<JournalHead> = []
        for (const { head } of executions.values()) {
          if (matches(head, query) && (place === undefined || sign * byStart(head, place) > 0)) found.push(head)
        }
        found.sort((a, b) => sign * byStart(a, b))
        const heads = found.slice(0, limit)
        const last = heads.at(-1)
        return found.length > limit && last !== undefined ? { heads, next: `${last.startedAt}/${last.id}` } : { heads }
      }),
    bury: (id, fence, reason) =>
      at((now) => {
        const execution = executions.get(id)
        if (execution === undefined) return Effect.fail(new JournalConflict({ id, why: "missing" }))
        const { head } = execution
        if (head.fence !== fence) return Effect.fail(new JournalConflict({ id, why: "fenced" }))
        if (head.dead === undefined)
          execution.head = withoutOwner({ ...head, dead: { at: now, tries: head.tries, reason } })
        return Effect.void
      }),
    revive: (id) =>
      Effect.sync(() => {
        const execution = executions.get(id)
        if (execution?.head.dead === undefined) return false
        const { dead: _, ...rest } = execution.head
        execution.head = { ...rest, tries: 0 }
        return true
      }),
    prune: ({ closedBefore, limit = 1_000 }) =>
      Effect.sync(() => {
        const gone: Array<string> = []
        for (const [id, { head }] of executions) {
          if (gone.length >= limit) break
          if (head.lifecycle === "closed" && head.closedAt !== undefined && head.closedAt < closedBefore) gone.push(id)
        }
        gone.forEach(forget)
        return gone
      }),
    remove: (id) => Effect.sync(() => forget(id)),
    nextWake: (flows) =>
      at((now) => {
        const canRun = runnable(flows)
        let next = Infinity
        for (const { head } of open.values()) {
          if (head.dead !== undefined || isOwned(head.owner, now) || !canRun(head)) continue
          const wake = dueAt(head)
          if (wake !== undefined && wake < next) next = wake
        }
        return Effect.succeed(next === Infinity ? Option.none() : Option.some(next))
      }),
    ping: Effect.void
  }
}

/** A store in memory, empty at first. @category layers */
export const layer: Layer.Layer<JournalStore> = Layer.sync(JournalStore, make)
