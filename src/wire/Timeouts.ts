/** The four time-outs of one request to a provider, and the watch that enforces them. */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Stage } from "./Failure.ts"

/**
 * Time-outs of one request. Each ends it with the reason `TimedOut`, which names the stage. `Duration.infinity` turns
 * one off.
 *
 * Node's own `fetch` gives up after 5 minutes without headers, or without a byte between two reads, whatever is set
 * here (the reason is then `ConnectionLost`). Who waits longer passes a `fetch` whose dispatcher waits longer.
 *
 * @category models
 */
export interface Timeouts {
  /** From sending to the response headers. A local server may load its model in this time. Default 30 s. */
  readonly connect?: Duration.Input | undefined
  /**
   * From the response headers to the first content: text, reasoning, a tool call or a refusal. Comments, pings and
   * events without content do not count. Default 5 min, for a model that hides its reasoning is silent while it
   * reasons.
   */
  readonly firstToken?: Duration.Input | undefined
  /**
   * Between two network reads after the first content. Any byte counts as life, pings and comments too, but life alone
   * is no answer: without further content the longer of `firstToken` and `idle` ends the request as well. The time that
   * the reader of the stream takes does not count. Default 60 s.
   */
  readonly idle?: Duration.Input | undefined
  /** From sending to the end of the answer. Default: no limit. */
  readonly total?: Duration.Input | undefined
}

/** Time-outs in milliseconds, `Infinity` for none. @category models */
export type Limits = { readonly [K in Stage]: number }

/** The time-outs with their defaults, in milliseconds. @category constructors */
export const limits = (timeouts: Timeouts | undefined): Limits => ({
  connect: Duration.toMillis(timeouts?.connect ?? 30_000),
  firstToken: Duration.toMillis(timeouts?.firstToken ?? 300_000),
  idle: Duration.toMillis(timeouts?.idle ?? 60_000),
  total: Duration.toMillis(timeouts?.total ?? Number.POSITIVE_INFINITY)
})

// What a timer takes at most.
const maxSleep = 0x7fffffff

/**
 * Says when a request has waited too long: one sleeping fiber per request, and a few assignments per network read.
 *
 * @category watching
 */
export class Watch {
  private readonly limits: Limits
  private readonly clock: Clock.Clock
  private readonly onExpired: (stage: Stage, millis: number) => void
  private readonly totalAt: number
  /** How long life without content may go on, once content has come. */
  private readonly barren: number
  private stage: Stage = "connect"
  private since: number
  private waiting = false
  /** How long the network has been waited for since the last content. */
  private waited = 0

  constructor(limits: Limits, clock: Clock.Clock, onExpired: (stage: Stage, millis: number) => void) {
    this.limits = limits
    this.clock = clock
    this.onExpired = onExpired
    this.since = this.now()
    this.totalAt = this.since + limits.total
    this.barren = Math.max(limits.firstToken, limits.idle)
  }

  /** The response headers have come: the limit of the first content counts from now. */
  connected(): void {
    this.stage = "firstToken"
    this.since = this.now()
  }

  /** Content has come. */
  content(): void {
    this.stage = "idle"
    this.waited = 0
  }

  /** Begins to wait for the network. Between tokens the limit counts from here. */
  wait(): void {
    if (this.stage === "idle") this.since = this.now()
    this.waiting = true
  }

  /** Ends the wait. */
  rest(): void {
    if (this.stage === "idle") this.waited += this.now() - this.since
    this.waiting = false
  }

  /** Sleeps and looks until a limit is exceeded. Owned by the scope. */
  start(): Effect.Effect<void, never, Scope.Scope> {
    // A limit that begins while the fiber sleeps ends no earlier than the fiber wakes: no sleep is longer than the
    // shortest limit.
    const shortest = Math.min(this.limits.connect, this.limits.firstToken, this.limits.idle, this.limits.total)
    if (shortest === Number.POSITIVE_INFINITY) return Effect.void
    const step = Math.min(shortest, maxSleep)
    const look: Effect.Effect<void> = Effect.suspend(() => {
      const left = this.left()
      if (this.waiting && left <= 0) return Effect.sync(() => this.expire())
      return Effect.flatMap(Effect.sleep(left <= 0 ? step : Math.min(step, Math.ceil(left))), () => look)
    })
    return Effect.asVoid(Effect.forkScoped(look))
  }

  private left(): number {
    const limit = this.limits[this.stage]
    const most = this.stage === "idle" ? Math.min(limit, this.barren - this.waited) : limit
    return Math.min(this.totalAt, this.since + most) - this.now()
  }

  private expire(): void {
    const now = this.now()
    const stage = this.totalAt <= now ? "total" : this.stage
    const isAlive = stage === "idle" && this.since + this.limits.idle > now
    this.onExpired(stage, isAlive ? this.barren : this.limits[stage])
  }

  private now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }
}
