/**
 * Schedules: executions of a flow that are started by the clock, through whatever `ExecutionHost` there is.
 *
 * Each tick has one id, made of the name of the schedule and the time of the tick, and a start under an id is one start.
 * So any number of processes may have the same schedule over the same journal: each tick is started once. The executions
 * are all the memory that a schedule has: which ticks were missed while nobody was there is read from them.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Cron from "effect/Cron"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Retry from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Host from "../../services/ExecutionHost.ts"
import type { Contract } from "../triggerflow/Flow.ts"
import * as Hosted from "../triggerflow/hosting/Hosted.ts"
import type { Spec } from "../triggerflow/Spec.ts"

/**
 * A time at which a schedule starts an execution.
 *
 * @category models
 */
export interface Tick {
  /** When it is due, which is not when it is started where it was missed. */
  readonly at: DateTime.Utc
  /** The id of its execution. */
  readonly id: string
}

/**
 * When a schedule ticks.
 *
 * `cron`: an expression of five or six fields (with seconds first), or a `Cron` of effect; `timeZone` (default `UTC`) is
 * for expressions. A time of day that a change of the clocks leaves out ticks an hour later, one that comes twice ticks
 * the first time; `Cron.parse` has an option for both.
 *
 * `every`: an interval, counted from `from` (default 1970), so that every process has the same ticks.
 *
 * @category models
 */
export type Times =
  | { readonly cron: string | Cron.Cron; readonly timeZone?: string | undefined }
  | { readonly every: Duration.Input; readonly from?: Date | DateTime.DateTime | undefined }

/**
 * What a schedule starts, and how it makes up for what it has missed.
 *
 * @category models
 */
export type Options<C extends Spec> = Times & {
  /** What the flow is started with: the same tick always gives the same. */
  readonly input: (tick: Tick) => C["input"]
  /**
   * What is done about ticks that nobody was there for: `skip` forgets them, `last` (default) starts the last of them,
   * `{ all }` starts as many of the last as it says, oldest first. Nothing is made up for before the first execution.
   */
  readonly missed?: "skip" | "last" | { readonly all: number } | undefined
  /** A tick that is found no later than this is not missed. Default 1 minute. */
  readonly grace?: Duration.Input | undefined
  /**
   * What is done about a tick while an execution of an earlier one is open: it is started beside it (`allow`, the
   * default), or left out (`skip`). What is made up for under `skip` is one tick at most.
   */
  readonly overlap?: "allow" | "skip" | undefined
  /** What its executions are found by, besides `schedule:<name>`. */
  readonly tags?: ReadonlyArray<string> | undefined
  /** How its executions are run. */
  readonly settings?: Omit<Hosted.StartOptions, "id" | "tags"> | undefined
}

/**
 * A schedule that cannot be: nothing was started.
 *
 * @category errors
 */
export class FlowScheduleError extends Schema.TaggedError<FlowScheduleError>()("FlowScheduleError", {
  schedule: Schema.String,
  problem: Schema.String,
  fix: Schema.String
}) {
  override get message(): string {
    return `The schedule "${this.schedule}" cannot be: ${this.problem}. ${this.fix}.`
  }
}

/** The tag of the executions of a schedule. @category getters */
export const tagOf = (schedule: string): string => `schedule:${schedule}`

/** The id of the execution of a tick. @category getters */
export const idOf = (schedule: string, at: number): string => `${tagOf(schedule)}@${new Date(at).toISOString()}`

/** When a schedule ticks, in milliseconds since 1970: the next time after one, and the last before one. */
interface Beat {
  readonly next: (after: number) => number
  readonly previous: (before: number) => number
}

const beatOf = (name: string, times: Times): Result.Result<Beat, FlowScheduleError> => {
  const wrong = (problem: string, fix: string) => Result.fail(new FlowScheduleError({ schedule: name, problem, fix }))
  if ("every" in times) {
    const every = Option.getOrUndefined(Duration.fromInput(times.every))
    const millis = every === undefined ? 0 : Duration.toMillis(every)
    if (!Number.isFinite(millis) || !(millis >= 1))
      return wrong(
        `it ticks every ${String(times.every)}, which is no time above zero`,
        'Give one such as "15 minutes"'
      )
    const from =
      times.from === undefined
        ? 0
        : times.from instanceof Date
          ? times.from.getTime()
          : DateTime.toEpochMillis(times.from)
    if (!Number.isFinite(from)) return wrong("it counts from a date that is none", "Give a valid Date, or leave it out")
    return Result.succeed({
      next: (after) => from + (Math.floor((after - from) / millis) + 1) * millis,
      previous: (before) => from + (Math.ceil((before - from) / millis) - 1) * millis
    })
  }
  const parsed =
    typeof times.cron === "string" ? Cron.parse(times.cron, times.timeZone ?? "UTC") : Result.succeed(times.cron)
  if (Result.isFailure(parsed)) {
    const { input, message } = parsed.failure
    const expression = typeof times.cron === "string" ? times.cron : ""
    const at = input === undefined || input === expression ? "" : ` at "${input}"`
    return wrong(
      `its expression "${expression}" cannot be read: ${message}${at}`,
      'Give five fields such as "0 9 * * 1-5" (minute, hour, day, month, weekday) and a time zone such as "Europe/Berlin"'
    )
  }
  const cron = parsed.success
  // It looks for a date that there may not be, the 30th of February.
  const first = Result.try(() => Cron.next(cron, new Date(0)))
  if (Result.isFailure(first))
    return wrong("no date ever fits its expression", "Give days that the months have, or leave the month open")
  return Result.succeed({
    next: (after) => Cron.next(cron, new Date(after)).getTime(),
    previous: (before) => Cron.prev(cron, new Date(before)).getTime()
  })
}

/** How long it sleeps before it looks at the clock again, which people set. */
const nap = 600_000

/** One schedule at work. */
class Ticking<C extends Spec> {
  readonly name: string
  readonly contract: Contract<C>
  readonly options: Options<C>
  readonly beat: Beat
  readonly host: Host.ExecutionHost["Service"]
  readonly grace: number

  constructor(
    name: string,
    contract: Contract<C>,
    options: Options<C>,
    beat: Beat,
    host: Host.ExecutionHost["Service"]
  ) {
    this.name = name
    this.contract = contract
    this.options = options
    this.beat = beat
    this.host = host
    this.grace = Duration.toMillis(Duration.fromInputUnsafe(options.grace ?? "1 minute"))
  }

  private get atMost(): number {
    const { missed = "last", overlap } = this.options
    if (missed === "skip") return 0
    return missed === "last" || overlap === "skip" ? 1 : missed.all
  }

  /** Which of some ticks are started, oldest first. */
  private chosen(ticks: ReadonlyArray<number>, now: number): ReadonlyArray<number> {
    const fresh = ticks.filter((at) => now - at <= this.grace)
    const late = ticks.filter((at) => now - at > this.grace)
    // One that is in time makes up for what was missed, unless all are wanted.
    const most = fresh.length > 0 && typeof this.options.missed !== "object" ? 0 : this.atMost
    return most === 0 ? fresh : [...late.slice(-most), ...fresh]
  }

  /** The ticks in between, the last of them only as far as they can matter. */
  private between(after: number, until: number): ReadonlyArray<number> {
    const ticks: Array<number> = []
    let at = this.beat.previous(until + 1)
    for (; at > after && (ticks.length < this.atMost || until - at <= this.grace); at = this.beat.previous(at))
      ticks.unshift(at)
    return ticks
  }

  /** What was missed before this process had the schedule: ticks behind the last execution that there is. */
  private missed(now: number): Effect.Effect<ReadonlyArray<number>, Host.ExecutionHostError> {
    return Effect.gen({ self: this }, function* () {
      const ticks = this.between(-Infinity, now)
      const open: Array<number> = []
      for (const at of ticks.toReversed()) {
        const view = yield* this.viewOf(at)
        if (view === undefined) open.unshift(at)
        else if (this.options.overlap !== "skip") return open
        // A tick that came while it was open was left out then.
        else return open.filter((at) => view.closedAt !== undefined && view.closedAt <= at)
      }
      if (open.length === 0) return open
      const { executions } = yield* this.host.list({ tags: [tagOf(this.name)], limit: 1 })
      return executions.length === 0 ? [] : open
    })
  }

  private viewOf(at: number): Effect.Effect<Host.ExecutionView | undefined, Host.ExecutionHostError> {
    return Effect.catchTag(this.host.get(idOf(this.name, at)), "UnknownExecution", () => Effect.succeed(undefined))
  }

  /** Whether an execution of another tick is open. */
  private overlaps(id: string): Effect.Effect<boolean, Host.ExecutionHostError> {
    return Effect.gen({ self: this }, function* () {
      for (const status of ["created", "running", "waiting"] as const) {
        const { executions } = yield* this.host.list({ tags: [tagOf(this.name)], status, limit: 2 })
        if (executions.some((one) => one.id !== id)) return true
      }
      return false
    })
  }

  private start(at: number): Effect.Effect<void> {
    const { input, overlap = "allow", settings, tags = [] } = this.options
    const id = idOf(this.name, at)
    return Effect.gen({ self: this }, function* () {
      if (overlap === "skip" && (yield* this.overlaps(id)))
        return yield* Effect.logDebug(`The tick ${id} is left out: an earlier one is open`)
      const value = input({ at: DateTime.makeUnsafe(at), id })
      yield* Hosted.start(this.contract, value, { ...settings, id, tags: [tagOf(this.name), ...tags] })
    }).pipe(
      Effect.provideService(Host.ExecutionHost, this.host),
      // The flow may be about to be registered, the store about to come back.
      Effect.retry({
        while: (error) => error._tag === "UnknownFlow" || (error._tag === "ExecutionHostError" && error.retryable),
        schedule: Retry.exponential("1 second"),
        times: 5
      }),
      // Another process has started it with another definition of the input.
      Effect.catchTag("ExecutionConflict", (error) => Effect.logWarning(error.message)),
      this.told(`start ${id}`)
    )
  }

  /** A schedule goes on, whatever becomes of a tick. */
  private told(what: string) {
    return <E>(effect: Effect.Effect<void, E>): Effect.Effect<void> =>
      Effect.catchCause(effect, (cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.failCause(cause as Cause.Cause<never>) // Interruptions only.
          : Effect.logError(`The schedule "${this.name}" could not ${what}`, cause)
      )
  }

  /** Starts what is due, for as long as it runs. */
  get work(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      let seen = yield* Clock.currentTimeMillis
      const missed = this.missed(seen).pipe(
        Effect.retry({ while: ({ retryable }) => retryable, schedule: Retry.exponential("1 second"), times: 5 }),
        Effect.flatMap((ticks) => Effect.forEach(this.chosen(ticks, seen), (at) => this.start(at), { discard: true }))
      )
      yield* this.told("find out what it has missed")(missed)
      for (;;) {
        const next = this.beat.next(seen)
        const now = yield* Clock.currentTimeMillis
        if (next > now) {
          yield* Effect.sleep(Math.min(next - now, nap))
          continue
        }
        const due = this.chosen(this.between(seen, now), now)
        seen = now
        yield* Effect.forEach(due, (at) => this.start(at), { discard: true })
      }
    })
  }
}

const checked = <C extends Spec>(name: string, options: Options<C>): Result.Result<Beat, FlowScheduleError> => {
  const wrong = (problem: string, fix: string) => Result.fail(new FlowScheduleError({ schedule: name, problem, fix }))
  if (name === "") return wrong("it has no name", "Give it one, which it keeps: its ticks are known by it")
  const { grace, missed } = options
  if (typeof missed === "object" && !(Number.isSafeInteger(missed.all) && missed.all >= 1))
    return wrong(`it makes up for ${missed.all} missed ticks`, "Give a whole number from 1")
  if (grace !== undefined && Option.isNone(Duration.fromInput(grace)))
    return wrong(`its grace is ${String(grace)}`, 'Give a time such as "1 minute"')
  return beatOf(name, options)
}

/**
 * Starts executions of a flow by the clock, for as long as the Layer lives. The flow is registered by `TriggerFlow.toLayer`,
 * here or in another process. What goes wrong with a tick is logged, and the schedule goes on. Fails with
 * `FlowScheduleError` where the expression, the time zone or the interval is none.
 *
 * Over `ExecutionHosts.durable` each tick is started once by all processes together, and missed ticks are made up for.
 * Over `ExecutionHosts.inProcess` it has no memory of what was before the process.
 *
 * @example
 * ```ts
 * import { FlowSchedule } from "effigent/durable"
 * import { ExecutionHosts } from "effigent/layers/host"
 * import { Chain, TriggerFlow } from "effigent/triggerflow"
 * import { DateTime, Deferred, Effect, Layer, Schema } from "effect"
 *
 * const Report = TriggerFlow.define("report", { input: Schema.String })
 * const program = Effect.gen(function* () {
 *   const first = yield* Deferred.make<string>()
 *   const report = Report.build(Report.start.pipe(Chain.to("write", (day) => Deferred.succeed(first, day))))
 *   const schedule = FlowSchedule.layer("seconds", Report, {
 *     cron: "* * * * * *",
 *     timeZone: "Europe/Berlin",
 *     input: ({ at }) => DateTime.formatIso(at)
 *   })
 *   const layers = schedule.pipe(
 *     Layer.provideMerge(TriggerFlow.toLayer(report)),
 *     Layer.provideMerge(ExecutionHosts.inProcess())
 *   )
 *   return yield* Deferred.await(first).pipe(Effect.provide(layers))
 * })
 * const day = await Effect.runPromise(program)
 * console.log(day.endsWith(".000Z")) // => true
 * ```
 *
 * @category layers
 */
export const layer = <C extends Spec>(
  name: string,
  contract: Contract<C>,
  options: Options<C>
): Layer.Layer<never, FlowScheduleError, Host.ExecutionHost> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const beat = yield* Effect.fromResult(checked(name, options))
      const host = yield* Host.ExecutionHost
      yield* Effect.forkScoped(new Ticking(name, contract, options, beat, host).work)
    })
  )
