/**
 * Budgets: how many requests and tokens, how much money and time a piece of work may spend. A budget is shared by all
 * requests below it in the tree of fibers, however many run at once, and budgets nest: each request has to fit all of
 * them.
 *
 * Requests are counted when they are sent, so that this limit is exact. Tokens and cost are known when the provider
 * reports them, so that what is under way when the limit is reached still ends; it then fails with `BudgetExceeded`,
 * which says by how much, and nothing more is sent. Time ends what is under way at once.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Usage } from "../../services/ModelProvider.ts"

/**
 * A budget is spent. Nothing more is sent under it.
 *
 * @category errors
 */
export class BudgetExceeded extends Schema.TaggedError<BudgetExceeded>()("BudgetExceeded", {
  /** The budget's name. */
  budget: Schema.String,
  /** What is spent: `requests`, `tokens`, `cost` in the currency of its limit, or `time` in milliseconds. */
  kind: Schema.Literals(["requests", "tokens", "cost", "time"]),
  /** The limit. */
  limit: Schema.Number,
  /** What was spent when this was found, or would have been with the request that was not sent. */
  spent: Schema.Number
}) {
  /** By how much the limit was exceeded. */
  get over(): number {
    return this.spent - this.limit
  }

  override get message(): string {
    const spent = Math.round(this.spent * 1e6) / 1e6
    const what =
      this.kind === "time"
        ? `${Math.round(this.spent)} ms of ${this.limit} ms have passed`
        : this.kind === "requests"
          ? `request ${this.spent} of ${this.limit} was asked for, and not sent`
          : `${spent} of ${this.limit} were spent`
    return `The ${this.kind} budget "${this.budget}" is exceeded: ${what}. Raise the limit, or ask for less.`
  }
}

/**
 * The limits of a budget; what is absent is not limited.
 *
 * @category models
 */
export interface Limits {
  /** A name for errors. Default `budget`. */
  readonly name?: string | undefined
  /** Requests to the provider at most, corrections included. */
  readonly requests?: number | undefined
  /** Tokens at most, prompt and answer together. */
  readonly tokens?: number | undefined
  /** Money at most, and what an attempt costs by its tokens and model. */
  readonly cost?:
    | { readonly limit: number; readonly of: (usage: Usage, model: string | undefined) => number }
    | undefined
  /** Time at most, from the making of the budget. */
  readonly time?: Duration.Input | undefined
}

/**
 * What was spent under a budget so far.
 *
 * @category models
 */
export interface Spent {
  readonly requests: number
  readonly tokens: number
  readonly cost: number
  /** Milliseconds since the budget was made. */
  readonly time: number
}

const TypeId = "~effigent/Budget"

/**
 * A budget. Give it to a piece of work with `provide`.
 *
 * @category models
 */
export interface Budget {
  readonly [TypeId]: typeof TypeId
  /** What was spent so far. */
  readonly spent: Effect.Effect<Spent>
}

class Account implements Budget {
  readonly [TypeId] = TypeId
  readonly limits: Limits
  private readonly startedAt: number
  private readonly clock: Clock.Clock
  private requests: number
  private tokens: number
  private cost: number

  constructor(limits: Limits, clock: Clock.Clock, before: Spent | undefined) {
    this.limits = limits
    this.clock = clock
    this.startedAt = now(clock) - (before?.time ?? 0)
    this.requests = before?.requests ?? 0
    this.tokens = before?.tokens ?? 0
    this.cost = before?.cost ?? 0
  }

  get spent(): Effect.Effect<Spent> {
    return Effect.sync(() => ({
      requests: this.requests,
      tokens: this.tokens,
      cost: this.cost,
      time: now(this.clock) - this.startedAt
    }))
  }

  /** Milliseconds that are left, or none if time is not limited. */
  get timeLeft(): number | undefined {
    return this.limits.time === undefined
      ? undefined
      : this.startedAt + Duration.toMillis(this.limits.time) - now(this.clock)
  }

  /** What keeps the next request from being sent. */
  get refusal(): BudgetExceeded | undefined {
    const { requests, cost, tokens } = this.limits
    if (requests !== undefined && this.requests >= requests)
      return this.exceeded("requests", requests, this.requests + 1)
    if (tokens !== undefined && this.tokens >= tokens) return this.exceeded("tokens", tokens, this.tokens)
    if (cost !== undefined && this.cost >= cost.limit) return this.exceeded("cost", cost.limit, this.cost)
    return (this.timeLeft ?? 1) <= 0 ? this.late() : undefined
  }

  /** Whether what was spent is more than the limits. */
  get excess(): BudgetExceeded | undefined {
    const { cost, tokens } = this.limits
    if (tokens !== undefined && this.tokens > tokens) return this.exceeded("tokens", tokens, this.tokens)
    if (cost !== undefined && this.cost > cost.limit) return this.exceeded("cost", cost.limit, this.cost)
    return undefined
  }

  count(): void {
    this.requests++
  }

  charge(usage: Usage, model: string | undefined): void {
    this.tokens += (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0)
    this.cost += this.limits.cost?.of(usage, model) ?? 0
  }

  late(): BudgetExceeded {
    return this.exceeded("time", Duration.toMillis(this.limits.time ?? 0), now(this.clock) - this.startedAt)
  }

  private exceeded(kind: BudgetExceeded["kind"], limit: number, spent: number): BudgetExceeded {
    return new BudgetExceeded({ budget: this.limits.name ?? "budget", kind, limit, spent })
  }
}

const now = (clock: Clock.Clock) => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

// Budgets are made in this file only, so that every Budget is an Account.
const reveal = (budget: Budget) => budget as Account

/** Whether a value is a budget. @category guards */
export const isBudget = (value: Limits | Budget): value is Budget => TypeId in value

/**
 * Makes a budget; its time begins now. `before`: what was spent under the same limits already, of work that goes on.
 *
 * @category constructors
 */
export const make = (limits: Limits, before?: Spent): Effect.Effect<Budget> =>
  Effect.map(Clock.Clock, (clock) => new Account(limits, clock, before))

/**
 * The budgets that hold for the current fiber, outermost first. Forked fibers inherit them.
 *
 * @category references
 */
export const Current: Context.Reference<ReadonlyArray<Budget>> = Context.Reference("effigent/Budget/Current", {
  defaultValue: (): ReadonlyArray<Budget> => []
})

/** Puts a piece of work under a budget, besides those that hold already. @category combinators */
export const provide: {
  (budget: Budget): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, budget: Budget): Effect.Effect<A, E, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, budget: Budget) =>
  Effect.flatMap(Current, (budgets) => Effect.provideService(self, Current, [...budgets, budget]))
)

/**
 * Puts a piece of work under a new budget, shared by everything that it starts.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Agent, Budget } from "effigent"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const ask = (question: string) => Agent.make({}).pipe(Agent.input(question), Agent.run)
 * const both = Effect.all([ask("one"), ask("two"), ask("three")]).pipe(
 *   Budget.within({ name: "job", requests: 2 }),
 *   Effect.catchTag("BudgetExceeded", (error) => Effect.succeed(error.message))
 * )
 * const model = ScriptedModel.layer([ScriptedModel.text("1"), ScriptedModel.text("2")])
 * console.log(await Effect.runPromise(both.pipe(Effect.provide(model))))
 * // => The requests budget "job" is exceeded: request 3 of 2 was asked for, and not sent. Raise the limit, or ask for less.
 * ```
 *
 * @category combinators
 */
export const within: {
  (limits: Limits): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, limits: Limits): Effect.Effect<A, E, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, limits: Limits) =>
  Effect.flatMap(make(limits), (budget) => provide(self, budget))
)

// One budget may hold twice, as the agent's own and as that of the work around it; it pays once.
const accountsOf = (budgets: ReadonlyArray<Budget>) => [...new Set(budgets)].map(reveal)

/** What keeps the next request from being sent, if anything. @category running */
export const refusal = (budgets: ReadonlyArray<Budget>): BudgetExceeded | undefined =>
  accountsOf(budgets)
    .map((account) => account.refusal)
    .find((found) => found !== undefined)

/** Counts a request that is sent now; gives what forbids it, if anything. @category running */
export const countOne = (budgets: ReadonlyArray<Budget>): BudgetExceeded | undefined => {
  const refused = refusal(budgets)
  if (refused === undefined) for (const account of accountsOf(budgets)) account.count()
  return refused
}

/** Ends a piece of work when the time of a budget is up. @category running */
export const limitTime = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  budgets: ReadonlyArray<Budget>
): Effect.Effect<A, E | BudgetExceeded, R> =>
  Effect.suspend(() => {
    let timed: Effect.Effect<A, E | BudgetExceeded, R> = work
    for (const account of accountsOf(budgets)) {
      const duration = account.timeLeft
      if (duration === undefined) continue
      timed = Effect.timeoutOrElse(timed, { duration, orElse: () => Effect.fail(account.late()) })
    }
    return timed
  })

/**
 * Counts a request when its stream is run, or refuses it where a budget is spent. It stands right before the request is
 * sent: what never gets there, because a guard blocks it or answers it, is not counted.
 *
 * @category running
 */
export const count = <A, E, R>(
  request: Stream.Stream<A, E, R>,
  budgets: ReadonlyArray<Budget>
): Stream.Stream<A, E | BudgetExceeded, R> =>
  budgets.length === 0
    ? request
    : Stream.suspend((): Stream.Stream<A, E | BudgetExceeded, R> => {
        const refused = countOne(budgets)
        return refused === undefined ? request : Stream.fail(refused)
      })

/**
 * Charges what a request has used, also where it failed, and fails where that was too much. `used` tells what it used;
 * nothing where it was not sent.
 *
 * @category running
 */
export const charge = <A, E, R>(
  request: Effect.Effect<A, E, R>,
  budgets: ReadonlyArray<Budget>,
  used: () => { readonly usage: Usage; readonly model: string | undefined } | undefined
): Effect.Effect<A, E | BudgetExceeded, R> => {
  if (budgets.length === 0) return request
  const accounts = accountsOf(budgets)
  const pay = Effect.sync(() => {
    const spent = used()
    if (spent !== undefined) for (const account of accounts) account.charge(spent.usage, spent.model)
  })
  return Effect.flatMap(Effect.ensuring(request, pay), (answer) => {
    const excess =
      used() === undefined ? undefined : accounts.map((account) => account.excess).find((found) => found !== undefined)
    return excess === undefined ? Effect.succeed(answer) : Effect.fail(excess)
  })
}
