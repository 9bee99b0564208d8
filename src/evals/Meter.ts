/**
 * Measures what a piece of work asks of models and does: requests, tokens, cost, time to the first token, calls of actions.
 * It stands where a watcher of runs stands, keeps sums alone, and hands everything on to the watcher outside, so that a
 * run of an eval can itself be watched.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { RunEvent } from "../../services/Run.ts"
import type * as Metrics from "../run/Metrics.ts"
import { addUsage, type UsageSums } from "../run/UsageSums.ts"
import * as Watching from "../request/Watching.ts"
import type { Call, Used } from "./Report.ts"

/** What several pieces of work used together. @category measuring */
export const total = (all: Iterable<Used>): Used => {
  const usage: UsageSums = {}
  let requests = 0
  let cost: number | undefined
  for (const used of all) {
    requests += used.requests
    if (used.cost !== undefined) cost = (cost ?? 0) + used.cost
    addUsage(usage, used.usage)
  }
  return { requests, usage, ...(cost === undefined ? {} : { cost }) }
}

/** Tokens in and out together. @category measuring */
export const tokensOf = ({ usage }: Used): number => (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0)

/**
 * Sums of one piece of work.
 *
 * @category models
 */
export class Meter {
  private readonly clock: Clock.Clock
  private readonly price: Metrics.Cost | undefined
  private readonly usage: UsageSums = {}
  private requests = 0
  private cost = 0
  private sentAt: number | undefined
  private firstAt: number | undefined
  private readonly calls: Array<Call> = []
  /** The models that answered. */
  readonly models = new Set<string>()

  constructor(clock: Clock.Clock, price: Metrics.Cost | undefined) {
    this.clock = clock
    this.price = price
  }

  private now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  /** What it measures, inside another watcher. */
  watched(outer: Watching.Watched | undefined, role = "main"): Watching.Watched {
    let asked: string | undefined
    let sentAt = 0
    // Ids of calls are unique in their run alone.
    const open = new Map<string, number>()
    const see = (event: RunEvent): void => {
      switch (event._tag) {
        case "ModelRequested":
          asked = event.model
          sentAt = this.now()
          this.sentAt ??= sentAt
          this.requests++
          return
        case "ModelAnswered": {
          const { model = asked, timeToFirstToken, usage } = event
          addUsage(this.usage, usage)
          if (model !== undefined) this.models.add(model)
          if (timeToFirstToken !== undefined)
            this.firstAt = Math.min(this.firstAt ?? Number.POSITIVE_INFINITY, sentAt + timeToFirstToken)
          if (this.price !== undefined) this.cost += this.price(usage, model, role)
          return
        }
        case "ActionStarted":
          open.set(event.call.id, this.calls.length)
          this.calls.push({ action: event.call.action, input: event.call.input, status: "running" })
          return
        case "ActionEnded": {
          const { call, duration, status } = event.record
          const ended: Call = { action: call.action, input: call.input, status, duration }
          // A call whose turn had not come only ends.
          const at = open.get(call.id) ?? this.calls.length
          open.delete(call.id)
          this.calls[at] = ended
        }
      }
    }
    return {
      run: outer?.run ?? "",
      reason: () => outer?.reason(),
      publish: (event) => {
        if (event._tag === "RunStarted") role = event.role
        see(event)
        outer?.publish(event)
      },
      open: (opening) => this.watched(outer?.open(opening), opening.role ?? role)
    }
  }

  /** Puts work under the meter. */
  readonly measure = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(Watching.Current, (outer) => Effect.provideService(work, Watching.Current, this.watched(outer)))

  /** Begins another try: time is that of the last one, as durations are; what it used and called is added up. */
  begin(): void {
    this.sentAt = undefined
    this.firstAt = undefined
  }

  /** What was used so far. */
  get used(): Used {
    return {
      requests: this.requests,
      usage: { ...this.usage },
      // A price that is no number, as that of a model which the prices lack, is not known.
      ...(this.price === undefined || !Number.isFinite(this.cost) ? {} : { cost: this.cost }),
      ...(this.firstAt === undefined || this.sentAt === undefined
        ? {}
        : { timeToFirstToken: this.firstAt - this.sentAt })
    }
  }

  /** The calls so far, in the order in which they began. */
  get actions(): ReadonlyArray<Call> {
    return [...this.calls]
  }
}
