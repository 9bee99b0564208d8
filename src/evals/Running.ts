/**
 * Runs evals. Each sample is the subject's answer to a case with what the scorers say of it. A subject that fails is a sample
 * that failed: its scores are 0, its error is kept, the others go on. Whatever ends a run, what was done is in its report.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Formatter from "effect/Formatter"
import * as PubSub from "effect/PubSub"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Take from "effect/Take"
import { freshId } from "../agent/Conversation.ts"
import * as Text from "../prompt/Text.ts"
import * as Budget from "../request/Budget.ts"
import type * as Dataset from "./Dataset.ts"
import type { Eval, Prepared, Settings, Task } from "./Eval.ts"
import { type DatasetError, EvalInvalid, EvalTimeout } from "./EvalError.ts"
import { Meter } from "./Meter.ts"
import { type Failure, format, type Report, type Sample, type Scored } from "./Report.ts"
import type * as Scorer from "./Scorer.ts"
import * as Statistics from "./Statistics.ts"
import * as Summing from "./Summing.ts"

/**
 * How one run differs from what its eval says.
 *
 * @category models
 */
export interface RunOptions<E = never, R = never> extends Omit<Settings<never>, "retry"> {
  /** Cases in JSONL, in the format of the eval's dataset, instead of its own. */
  readonly jsonl?: Stream.Stream<string | Uint8Array, E, R> | undefined
  /** The cases to be run. Default: all. */
  readonly filter?: ((one: Dataset.EncodedCase) => boolean) | undefined
  /** So many of them by chance, the same for the same seed (default 1). Default: all. */
  readonly sample?: { readonly size: number; readonly seed?: number | undefined } | undefined
  /** The id of the run. Default: a random one. */
  readonly id?: string | undefined
}

/**
 * What is told while an eval runs.
 *
 * @category models
 */
export type EvalEvent =
  /** It begins: so many cases, so many samples in all. */
  | {
      readonly _tag: "EvalStarted"
      readonly id: string
      readonly name: string
      readonly cases: number
      readonly samples: number
      readonly at: number
    }
  | { readonly _tag: "SampleStarted"; readonly case: string; readonly sample: number; readonly at: number }
  /** A sample has its scores. */
  | { readonly _tag: "SampleEnded"; readonly case: string; readonly sample: Sample }
  /** It is over; `report` has all of it. */
  | { readonly _tag: "EvalEnded"; readonly report: Report }

/**
 * What a run gives: the report, and what the report cannot hold.
 *
 * @category models
 */
export interface Outcome<out A, out E> {
  readonly report: Report
  /** How the subject ended in each sample, typed, in the order of the report. */
  readonly samples: ReadonlyArray<{
    readonly case: string
    readonly sample: number
    readonly exit: Exit.Exit<A, E | EvalTimeout>
  }>
}

/**
 * A run at work, or ended.
 *
 * @category models
 */
export interface Running<out A, out E> {
  readonly id: string
  /** The report as it stands; as long as the run is at work its status is `interrupted`. */
  readonly report: Effect.Effect<Report>
  /** What happens, from the beginning, to the end of the run. */
  readonly events: Stream.Stream<EvalEvent>
  /** Waits for the end. An interrupted run gives what it has, too. */
  readonly outcome: Effect.Effect<Outcome<A, E>>
  /** Stops it, and waits until it has. */
  readonly stop: Effect.Effect<void>
}

const failureOf = (cause: Cause.Cause<unknown>): Failure => {
  if (Cause.hasInterruptsOnly(cause)) return { tag: "Interrupted", message: "it interrupted itself" }
  const error = Cause.squash(cause)
  const isTyped = Cause.hasFails(cause)
  const tag = typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : "Failure"
  return { tag: isTyped ? tag : "Defect", message: text(error) }
}

// An error may be anything: one that has no JSON form, or that throws where it is read, must not end the run.
const text = (error: unknown): string =>
  typeof error === "string"
    ? error
    : Result.getOrElse(
        Result.try(() => (error instanceof Error ? error.message : (JSON.stringify(error) ?? String(error)))),
        () => Formatter.format(error)
      )

const whole = (value: number | undefined, otherwise: number): number =>
  Math.max(1, Math.floor(value ?? otherwise) || otherwise)

const hasBudget = (cause: Cause.Cause<unknown>): boolean => Cause.squash(cause) instanceof Budget.BudgetExceeded

interface Kept<A, E> {
  readonly sample: Sample
  readonly exit: Exit.Exit<A, E | EvalTimeout>
}

// One run: what was done so far, and how its report is made.
class Book<A, E> {
  readonly id: string
  readonly startedAt: number
  readonly repeat: number
  readonly concurrency: number
  readonly kept: ReadonlyArray<Array<Kept<A, E> | undefined>>
  readonly models = new Set<string>()
  status: Report["status"] = "interrupted"
  reason: string | undefined
  finishedAt: number | undefined
  private readonly self: Eval<A, E, unknown, unknown>
  private readonly prepared: Prepared<A, E, unknown>
  private readonly tasks: ReadonlyArray<Task<A, E, unknown>>
  private readonly timeout: number | undefined

  constructor(
    self: Eval<A, E, unknown, unknown>,
    prepared: Prepared<A, E, unknown>,
    tasks: ReadonlyArray<Task<A, E, unknown>>,
    id: string,
    startedAt: number,
    settings: Settings<never>
  ) {
    this.self = self
    this.prepared = prepared
    this.tasks = tasks
    this.id = id
    this.startedAt = startedAt
    this.repeat = whole(settings.repeat, 1)
    const concurrency = whole(settings.concurrency, 4)
    // JSON has no infinity: without a limit all are at work at once, and a time without an end is none.
    this.concurrency = Number.isFinite(concurrency) ? concurrency : Math.max(1, tasks.length * this.repeat)
    const timeout = settings.timeout === undefined ? Number.NaN : Duration.toMillis(settings.timeout)
    this.timeout = Number.isFinite(timeout) ? timeout : undefined
    this.kept = tasks.map(() => Array.from({ length: this.repeat }, () => undefined))
  }

  report(now: number): Report {
    const { scorers } = this.self
    const cases = this.tasks.map(({ encoded }, at) => {
      const samples = (this.kept[at] ?? []).flatMap((one) => (one === undefined ? [] : [one.sample]))
      return Summing.caseOf(encoded, samples, scorers)
    })
    return {
      format,
      id: this.id,
      name: this.self.name,
      startedAt: this.startedAt,
      finishedAt: this.finishedAt ?? now,
      status: this.status,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
      summary: Summing.summaryOf(cases, scorers, this.repeat),
      fingerprint: this.prepared.fingerprint,
      models: [...this.models].toSorted(),
      dataset: this.prepared.dataset,
      scorers: scorers.map(({ definition, name, threshold }) => ({ name, threshold, definition })),
      settings: {
        repeat: this.repeat,
        concurrency: this.concurrency,
        ...(this.timeout === undefined ? {} : { timeout: this.timeout }),
        method: Statistics.method
      },
      cases
    }
  }

  outcome(now: number): Outcome<A, E> {
    const samples = this.tasks.flatMap(({ encoded }, at) =>
      (this.kept[at] ?? []).flatMap((one) =>
        one === undefined ? [] : [{ case: encoded.id, sample: one.sample.sample, exit: one.exit }]
      )
    )
    return { report: this.report(now), samples }
  }
}

const choose = <A, E, R>(
  tasks: ReadonlyArray<Task<A, E, R>>,
  { filter, sample }: Pick<RunOptions, "filter" | "sample">
): ReadonlyArray<Task<A, E, R>> => {
  const wanted = filter === undefined ? tasks : tasks.filter(({ encoded }) => filter(encoded))
  if (sample === undefined) return wanted
  const chosen = new Set(Statistics.shuffled(wanted, sample.seed ?? 1).slice(0, Math.max(0, sample.size)))
  return wanted.filter((task) => chosen.has(task))
}

const zero = (reason: string): Scored => ({ score: 0, passed: false, reason })

const scoredOf = (exit: Exit.Exit<Scorer.Score, unknown>, threshold: number): Scored => {
  if (Exit.isFailure(exit)) return { score: null, passed: false, error: failureOf(exit.cause) }
  const { details, reason, score } = exit.value
  return {
    score,
    passed: score === null ? null : score >= threshold,
    ...(reason === undefined ? {} : { reason }),
    ...(details === undefined ? {} : { details })
  }
}

const limited = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  of: string,
  limit: Duration.Input | undefined
): Effect.Effect<A, E | EvalTimeout, R> =>
  limit === undefined
    ? work
    : Effect.timeoutOrElse(work, {
        duration: limit,
        orElse: () => Effect.fail(new EvalTimeout({ of, limit: Duration.toMillis(limit) }))
      })

/**
 * Starts a run in the current Scope and gives its handle: live events, the report at any time, the outcome. Fails at once
 * where the dataset cannot be made or the eval is made wrongly. Closing the Scope stops it.
 *
 * @category running
 */
export const start = Effect.fnUntraced(function* <A, E, R, L, E2 = never, R2 = never>(
  self: Eval<A, E, R, L>,
  options: RunOptions<E2, R2> = {}
): Effect.fn.Return<Running<A, E>, L | E2 | DatasetError | EvalInvalid, R | R2 | Scope.Scope> {
  const settings = { ...self.settings, ...options }
  if (settings.repeat === Number.POSITIVE_INFINITY)
    return yield* new EvalInvalid({ eval: self.name, detail: "repeat is infinite. Give a whole number from 1 on." })
  const prepared = yield* self.prepare(options.jsonl)
  const tasks = choose(prepared.tasks, options)
  const clock = yield* Clock.Clock
  const id = options.id ?? (yield* freshId)
  const book = new Book<A, E>(self, prepared, tasks, id, clock.currentTimeMillisUnsafe(), settings)
  const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  // Two events for each sample, one at each end, and the end of the stream.
  const size = 2 * tasks.length * book.repeat + 3
  const events = yield* PubSub.unbounded<Take.Take<EvalEvent>>({ replay: size })
  const tell = (event: EvalEvent): void => {
    PubSub.publishUnsafe(events, [event])
  }
  const budgets = settings.budget === undefined ? [] : [yield* Budget.make({ name: self.name, ...settings.budget })]
  const under = <A2, E3, R3>(work: Effect.Effect<A2, E3, R3>): Effect.Effect<A2, E3, R3> =>
    budgets.reduce((inner, budget) => Budget.provide(inner, budget), work)

  // Whether the budget is spent; if so the run is stopped.
  const isSpent = (): boolean => {
    const refusal = Budget.refusal(budgets)
    if (refusal === undefined) return book.status === "stopped"
    book.status = "stopped"
    book.reason ??= refusal.message
    return true
  }

  const ask = Effect.fnUntraced(function* (task: Task<A, E, R>, sample: number) {
    const meter = new Meter(clock, settings.cost)
    let [tries, startedAt] = [0, 0]
    const once = Effect.suspend(() => {
      tries++
      meter.begin()
      startedAt = now()
      return limited(task.ask(sample), "subject", settings.timeout)
    })
    const { retry } = self.settings
    const retried =
      retry === undefined
        ? once
        : Effect.retry(once, {
            times: retry.times,
            ...(retry.schedule === undefined ? {} : { schedule: retry.schedule }),
            // A spent budget stays spent.
            while: (error) =>
              !(error instanceof Budget.BudgetExceeded) &&
              // What is asked of failures takes those of the subject, as the type of `make` says.
              (error instanceof EvalTimeout || (retry.while ?? (() => true))(error as never))
          })
    const exit = yield* Effect.exit(under(meter.measure(retried)))
    return { exit, meter, tries, duration: now() - startedAt }
  })

  const judge = Effect.fnUntraced(function* (
    task: Task<A, E, R>,
    answered: Parameters<Task<A, E, R>["score"]>[0],
    meter: Meter
  ) {
    const scores: Record<string, Scored> = {}
    for (const [at, score] of task.score(answered).entries()) {
      const head = self.scorers[at]
      if (head === undefined) break
      const exit = yield* Effect.exit(under(meter.measure(limited(score, head.name, settings.timeout))))
      if (Exit.isFailure(exit) && hasBudget(exit.cause) && isSpent()) return undefined
      scores[head.name] = scoredOf(exit, head.threshold)
    }
    return scores
  })

  const run = Effect.fnUntraced(function* (task: Task<A, E, R>, at: number, number: number) {
    if (isSpent()) return
    const startedAt = clock.currentTimeMillisUnsafe()
    tell({ _tag: "SampleStarted", case: task.encoded.id, sample: number, at: startedAt })
    const { duration, exit, meter, tries } = yield* ask(task, number)
    // What the budget has cut short says nothing of the subject.
    if (Exit.isFailure(exit) && hasBudget(exit.cause) && isSpent()) return
    const scoring = new Meter(clock, settings.cost)
    let scores: Record<string, Scored> | undefined = {}
    if (Exit.isSuccess(exit)) {
      const { actions, used } = meter
      scores = yield* judge(task, { output: exit.value, duration, tries, used, actions }, scoring)
    } else for (const { name } of self.scorers) scores[name] = zero("the subject failed")
    if (scores === undefined) return
    const output = Exit.isSuccess(exit) ? Text.toJson("output", exit.value) : undefined
    const sample: Sample = {
      sample: number,
      status: Exit.isSuccess(exit) ? "answered" : "failed",
      passed: Exit.isSuccess(exit) && Object.values(scores).every(({ passed }) => passed !== false),
      startedAt,
      duration,
      tries,
      ...(output !== undefined && Result.isSuccess(output) ? { output: output.success } : {}),
      ...(Exit.isFailure(exit) ? { failure: failureOf(exit.cause) } : {}),
      scores,
      used: meter.used,
      scoring: scoring.used,
      actions: meter.actions
    }
    for (const model of meter.models) book.models.add(model)
    const row = book.kept[at]
    if (row !== undefined) row[number - 1] = { sample, exit }
    tell({ _tag: "SampleEnded", case: task.encoded.id, sample })
    // What a subject acquires is there for the scorers, and released with its sample: not with the run.
  }, Effect.scoped)

  const warm = Effect.suspend(() => {
    const [first] = tasks
    const times = Math.max(0, Math.floor(settings.warmup ?? 0))
    return first === undefined || times === 0
      ? Effect.void
      : Effect.forEach(Array.from({ length: times }), () => Effect.scoped(ask(first, 1)), { discard: true })
  })
  const samples = tasks.flatMap((task, at) =>
    Array.from({ length: book.repeat }, (_, sample) => ({ task, at, number: sample + 1 }))
  )
  const done = Deferred.makeUnsafe<Outcome<A, E>>()
  const finish = (exit: Exit.Exit<void>): void => {
    book.finishedAt = clock.currentTimeMillisUnsafe()
    if (Exit.isSuccess(exit)) {
      if (book.status !== "stopped") book.status = "completed"
    } else if (!Cause.hasInterruptsOnly(exit.cause)) book.reason ??= `it broke down: ${failureOf(exit.cause).message}`
    const outcome = book.outcome(book.finishedAt)
    tell({ _tag: "EvalEnded", report: outcome.report })
    PubSub.publishUnsafe(events, Exit.void)
    Deferred.doneUnsafe(done, Exit.succeed(outcome))
  }
  const work = Effect.gen(function* () {
    tell({
      _tag: "EvalStarted",
      id,
      name: self.name,
      cases: tasks.length,
      samples: samples.length,
      at: book.startedAt
    })
    yield* warm
    yield* Effect.forEach(samples, ({ at, number, task }) => run(task, at, number), {
      concurrency: book.concurrency,
      discard: true
    })
  })
  const fiber = yield* Effect.forkScoped(work)
  // An observer is told also of a fiber that never began.
  fiber.addObserver(finish)
  return {
    id,
    report: Effect.sync(() => book.report(clock.currentTimeMillisUnsafe())),
    events: Stream.fromPubSubTake(events),
    outcome: Deferred.await(done),
    stop: Effect.asVoid(Fiber.interrupt(fiber))
  }
})

/**
 * Runs an eval to its end and gives its report, with how the subject ended in each sample. Failing cases are in the report:
 * what fails here is a dataset that cannot be made, or an eval that is made wrongly. See `make` for an example.
 *
 * @category running
 */
export const run = <A, E, R, L, E2 = never, R2 = never>(
  self: Eval<A, E, R, L>,
  options: RunOptions<E2, R2> = {}
): Effect.Effect<Outcome<A, E>, L | E2 | DatasetError | EvalInvalid, Exclude<R | R2, Scope.Scope>> =>
  Effect.scoped(Effect.flatMap(start(self, options), ({ outcome }) => outcome))

/**
 * Runs an eval and gives what happens. The run belongs to the reader: leaving the stream stops it.
 *
 * @category running
 */
export const stream = <A, E, R, L, E2 = never, R2 = never>(
  self: Eval<A, E, R, L>,
  options: RunOptions<E2, R2> = {}
): Stream.Stream<EvalEvent, L | E2 | DatasetError | EvalInvalid, Exclude<R | R2, Scope.Scope>> =>
  Stream.unwrap(Effect.map(start(self, options), ({ events }) => events))
