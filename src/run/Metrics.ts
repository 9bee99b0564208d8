/** What runs have used and how long they took, by the role of their models and by action, out of a snapshot. */
import type { RunSnapshot, RunState, RunUsage } from "../../services/Run.ts"
import { addUsage, type UsageSums } from "./UsageSums.ts"

/**
 * What some requests used.
 *
 * @category models
 */
export interface Used {
  /** How many were sent. */
  readonly requests: number
  readonly usage: RunUsage
  /** Money, by the program's own prices; absent where it gave none. */
  readonly cost?: number
  /** Milliseconds from the first sending to the first piece of text or reasoning of any of them; absent: none came. */
  readonly timeToFirstToken?: number
  /** Milliseconds that they took, added up. */
  readonly duration: number
}

/**
 * One call of an action.
 *
 * @category models
 */
export interface ActionTime {
  /** The run that called. */
  readonly run: string
  readonly action: string
  readonly call: string
  readonly status: RunState["actions"][number]["status"]
  /** Milliseconds; absent while it is at work. */
  readonly duration?: number
}

/**
 * What a root run and the runs inside it have used so far.
 *
 * @category models
 */
export interface Metrics {
  /** All requests of all runs; its `duration` is that of the root, from its begin to its end, in milliseconds. */
  readonly total: Used
  /** The same by role: `main`, `parser`, `output`, `memory`, `plan`, or what a program calls it. */
  readonly roles: { readonly [role: string]: Used }
  /** Every call, in the order in which the calls of a run began. */
  readonly actions: ReadonlyArray<ActionTime>
}

/**
 * What tokens cost: called once for each request that was answered.
 *
 * @category models
 */
export type Cost = (usage: RunUsage, model: string | undefined, role: string) => number

interface Sum {
  requests: number
  readonly usage: UsageSums
  cost: number
  sentAt: number
  firstAt: number
  duration: number
}

const empty = (): Sum => ({ requests: 0, usage: {}, cost: 0, sentAt: Infinity, firstAt: Infinity, duration: 0 })

const add = (sum: Sum, { answered, at, model }: RunState["requests"][number], role: string, cost?: Cost): void => {
  sum.requests++
  sum.sentAt = Math.min(sum.sentAt, at)
  if (answered === undefined) return
  addUsage(sum.usage, answered.usage)
  sum.duration += answered.duration
  if (answered.timeToFirstToken !== undefined) sum.firstAt = Math.min(sum.firstAt, at + answered.timeToFirstToken)
  if (cost !== undefined) sum.cost += cost(answered.usage, answered.model ?? model, role)
}

const used = ({ cost: spent, duration, firstAt, requests, sentAt, usage }: Sum, cost: Cost | undefined): Used => ({
  requests,
  usage,
  ...(cost === undefined ? {} : { cost: spent }),
  ...(Number.isFinite(firstAt) ? { timeToFirstToken: firstAt - sentAt } : {}),
  duration
})

/**
 * Adds up what a run and the runs inside it have used. `cost` gives the price of a request.
 *
 * @category measuring
 */
export const of = (snapshot: RunSnapshot, cost?: Cost): Metrics => {
  const total = empty()
  const roles = new Map<string, Sum>()
  const actions: Array<ActionTime> = []
  let last = 0
  for (const { actions: calls, endedAt, requests, role, run, startedAt } of snapshot.runs) {
    const own = roles.get(role) ?? empty()
    for (const request of requests) {
      add(total, request, role, cost)
      add(own, request, role, cost)
      last = Math.max(last, request.at + (request.answered?.duration ?? 0))
    }
    if (requests.length > 0) roles.set(role, own)
    last = Math.max(last, endedAt ?? startedAt ?? 0)
    for (const { call, duration, status } of calls)
      actions.push({
        run,
        action: call.action,
        call: call.id,
        status,
        ...(duration === undefined ? {} : { duration })
      })
  }
  const root = snapshot.runs.find(({ run }) => run === snapshot.root)
  const duration = root?.startedAt === undefined ? 0 : (root.endedAt ?? last) - root.startedAt
  return {
    total: { ...used(total, cost), duration },
    roles: Object.fromEntries(Array.from(roles, ([role, sum]) => [role, used(sum, cost)])),
    actions
  }
}
