/**
 * Many agents at once: one over many inputs (`map`), several over one input (`broadcast`), several with inputs of their
 * own (`scatter`), the first to succeed (`race`), one beside the rest of the program (`spawn`). All of them take agents
 * and Effects alike, and each gives an Effect, so that they nest.
 *
 * What comes out has the shape of what went in: arrays in input order, tuples as tuples, records as records. A failing
 * slot interrupts its siblings and fails the whole, unless `collect` says otherwise; a slot that exceeds `timeout` is
 * interrupted. There is no pool: a slot holds nothing while it waits for others below it, so that nothing can deadlock.
 */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Agent from "./Agent.ts"

/**
 * What can be run as it stands: an agent that has its input, or any Effect.
 *
 * @category models
 */
export type Job = Agent.Agent<unknown, unknown, unknown> | Effect.Effect<unknown, unknown, unknown>

/**
 * What can be run on an input: an agent, or a function that gives an Effect.
 *
 * @category models
 */
export type Worker<In> =
  | Agent.Agent<unknown, unknown, unknown>
  | ((input: In, index: number) => Effect.Effect<unknown, unknown, unknown>)

/** What a job or a worker runs as. @category type-level */
export type EffectOf<J> =
  J extends Agent.Agent<infer A, infer E, infer R>
    ? Effect.Effect<A, E | Agent.AgentError, Exclude<R, Scope.Scope>>
    : J extends Effect.Effect<unknown, unknown, unknown>
      ? J
      : J extends (...args: never) => infer F
        ? F
        : never

type Success<J> = EffectOf<J> extends Effect.Effect<infer A, infer _E, infer _R> ? A : never
// Distributes over a union of jobs.
type ErrorOf<J> = J extends unknown ? Effect.Error<EffectOf<J>> : never
type ServicesOf<J> = J extends unknown ? Effect.Services<EffectOf<J>> : never

/**
 * How slots are run and what becomes of their failures.
 *
 * @category models
 */
export interface Options {
  /** How many slots run at once. Default 16 for `map`, all for the others. */
  readonly concurrency?: number | "unbounded" | undefined
  /** How long one slot may take, from its own start. Adds `SlotTimedOut` to the slot's errors. */
  readonly timeout?: Duration.Input | undefined
  /**
   * `values`: the first failure interrupts the others and is the failure of the whole. `all`: every slot runs to its end;
   * failures are then reported together as `SlotsFailed`. `results`: each slot gives a `Result`; the whole does not fail.
   * `exits`: each slot gives an `Exit`, which tells defects and interruptions as well. Default `values`.
   */
  readonly collect?: "values" | "all" | "results" | "exits" | undefined
}

/**
 * A slot took longer than it may; its work was interrupted.
 *
 * @category errors
 */
export class SlotTimedOut extends Schema.TaggedError<SlotTimedOut>()("SlotTimedOut", {
  /** Index or name of the slot. */
  slot: Schema.Union([Schema.Int, Schema.String]),
  /** The limit that was exceeded, in milliseconds. */
  millis: Schema.Finite
}) {
  override get message(): string {
    return `Slot ${this.slot} took longer than ${this.millis} ms and was interrupted. Raise \`timeout\`, or give it less to do.`
  }
}

/**
 * One slot that failed.
 *
 * @category models
 */
export interface SlotFailure<out E> {
  /** Index or name of the slot. */
  readonly slot: number | string
  readonly error: E
}

/**
 * One or more slots failed; every slot has run to its end. Given with `collect: "all"`.
 *
 * @category errors
 */
export class SlotsFailed<out E = unknown> extends Data.TaggedError("SlotsFailed")<{
  readonly failures: ReadonlyArray<SlotFailure<unknown>>
  readonly message: string
}> {
  /** The failures, in the order of the slots. */
  declare readonly failures: ReadonlyArray<SlotFailure<E>>
}

type Collected<O> = O extends { readonly collect: infer C } ? C : "values"

type TimedOut<O> = O extends { readonly timeout: infer T } ? ([T] extends [undefined] ? never : SlotTimedOut) : never

/** What stands in a slot. @category type-level */
export type Slot<O, A, E> =
  Collected<O> extends infer C
    ? C extends "results"
      ? Result.Result<A, E | TimedOut<O>>
      : C extends "exits"
        ? Exit.Exit<A, E | TimedOut<O>>
        : A
    : never

/** How the whole can fail. @category type-level */
export type Failure<O, E> =
  Collected<O> extends infer C
    ? C extends "results" | "exits"
      ? never
      : C extends "all"
        ? SlotsFailed<E | TimedOut<O>>
        : E | TimedOut<O>
    : never

type Slots<J, O> = { readonly [K in keyof J]: Slot<O, Success<J[K]>, ErrorOf<J[K]>> }

type Gathered<J, O> = Effect.Effect<
  Slots<J, O>,
  Failure<O, ErrorOf<J[keyof J & Index<J>]>>,
  ServicesOf<J[keyof J & Index<J>]>
>

// The keys of a tuple that are its slots; all keys of a record.
type Index<J> = J extends ReadonlyArray<unknown> ? number : PropertyKey

const isWorker = (value: unknown): value is Worker<unknown> => typeof value === "function" || Agent.isAgent(value)

const runJob = (job: Job): Effect.Effect<unknown, unknown, unknown> => (Agent.isAgent(job) ? Agent.run(job) : job)

const call = (worker: Worker<never>, input: unknown, index: number): Effect.Effect<unknown, unknown, unknown> =>
  // What a worker takes is checked where the call is typed, below.
  Agent.isAgent(worker) ? Agent.run(Agent.input(worker, input)) : Effect.suspend(() => worker(input as never, index))

const within = (
  slot: number | string,
  effect: Effect.Effect<unknown, unknown, unknown>,
  { timeout }: Options
): Effect.Effect<unknown, unknown, unknown> =>
  timeout === undefined
    ? effect
    : Effect.timeoutOrElse(effect, {
        duration: timeout,
        orElse: () => Effect.fail(new SlotTimedOut({ slot, millis: Duration.toMillis(timeout) }))
      })

const describe = (error: unknown): string =>
  error instanceof Error ? error.message : typeof error === "string" ? error : (JSON.stringify(error) ?? String(error))

const reportAll = (
  names: (index: number) => number | string,
  results: ReadonlyArray<Result.Result<unknown, unknown>>
): Effect.Effect<ReadonlyArray<unknown>, SlotsFailed> => {
  const values: Array<unknown> = []
  const failures: Array<SlotFailure<unknown>> = []
  results.forEach((result, index) => {
    if (Result.isSuccess(result)) values.push(result.success)
    else failures.push({ slot: names(index), error: result.failure })
  })
  if (failures.length === 0) return Effect.succeed(values)
  const each = failures.map(({ error, slot }) => `slot ${slot}: ${describe(error)}`).join("; ")
  return Effect.fail(
    new SlotsFailed({ failures, message: `${failures.length} of ${results.length} slots failed: ${each}` })
  )
}

// Runs one Effect per item, in slots; the public signatures say what comes out.
const gather = <X>(
  items: Iterable<X>,
  effectOf: (item: X, index: number) => Effect.Effect<unknown, unknown, unknown>,
  names: (index: number) => number | string,
  options: Options,
  concurrency: number | "unbounded"
): Effect.Effect<ReadonlyArray<unknown>, unknown, unknown> => {
  const limit = { concurrency: options.concurrency ?? concurrency }
  const one = (item: X, index: number) => within(names(index), effectOf(item, index), options)
  switch (options.collect) {
    case "results":
      return Effect.forEach(items, (item, index) => Effect.result(one(item, index)), limit)
    case "exits":
      return Effect.forEach(items, (item, index) => Effect.exit(one(item, index)), limit)
    case "all":
      return Effect.flatMap(
        Effect.forEach(items, (item, index) => Effect.result(one(item, index)), limit),
        (results) => reportAll(names, results)
      )
    default:
      return Effect.forEach(items, one, limit)
  }
}

const byIndex = (index: number) => index

// A tuple or a record of slots; the outcome has the same form.
const gatherShape = <X>(
  shape: ReadonlyArray<X> | { readonly [name: string]: X },
  effectOf: (item: X, index: number) => Effect.Effect<unknown, unknown, unknown>,
  options: Options
): Effect.Effect<unknown, unknown, unknown> => {
  if (isList(shape)) return gather(shape, effectOf, byIndex, options, "unbounded")
  const names = Object.keys(shape)
  return Effect.map(
    gather(Object.values(shape), effectOf, (index) => names[index] ?? index, options, "unbounded"),
    (values) => Object.fromEntries(names.map((name, index) => [name, values[index]]))
  )
}

// `Array.isArray` takes the type of a readonly array away.
const isList = <X>(shape: ReadonlyArray<X> | { readonly [name: string]: X }): shape is ReadonlyArray<X> =>
  Array.isArray(shape)

/**
 * Runs one agent or function over many inputs. The results stand in input order, whatever order they came in.
 *
 * @param options at most 16 slots run at once by default
 * @example
 * ```ts
 * import { Effect, Result, Schema } from "effect"
 * import { Agent, Concurrent } from "effigent"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const rate = Agent.make({ instruct: "Rate the letter from 1 to 5.", output: Schema.Struct({ stars: Schema.Int }) })
 *
 * const ratings = Concurrent.map(["Splendid!", "Broken again."], rate, { concurrency: 2, collect: "results" })
 * // Effect<ReadonlyArray<Result<{ stars: number }, AgentError>>, never, ModelProvider>
 *
 * const model = ScriptedModel.layer([ScriptedModel.json({ stars: 5 }), ScriptedModel.json({ stars: 1 })])
 * const results = await Effect.runPromise(ratings.pipe(Effect.provide(model)))
 * console.log(results.map(Result.getOrThrow)) // => [ { stars: 5 }, { stars: 1 } ]
 * ```
 *
 * @category running
 */
export const map: {
  <A, E, R, I, const O extends Options = {}>(
    agent: Agent.Agent<A, E, R, I>,
    options?: O
  ): (
    inputs: Iterable<unknown>
  ) => Effect.Effect<
    ReadonlyArray<Slot<O, A, E | Agent.AgentError>>,
    Failure<O, E | Agent.AgentError>,
    Exclude<R, Scope.Scope>
  >
  <In, A, E, R, const O extends Options = {}>(
    f: (input: In, index: number) => Effect.Effect<A, E, R>,
    options?: O
  ): (inputs: Iterable<In>) => Effect.Effect<ReadonlyArray<Slot<O, A, E>>, Failure<O, E>, R>
  <A, E, R, I, const O extends Options = {}>(
    inputs: Iterable<unknown>,
    agent: Agent.Agent<A, E, R, I>,
    options?: O
  ): Effect.Effect<
    ReadonlyArray<Slot<O, A, E | Agent.AgentError>>,
    Failure<O, E | Agent.AgentError>,
    Exclude<R, Scope.Scope>
  >
  <In, A, E, R, const O extends Options = {}>(
    inputs: Iterable<In>,
    f: (input: In, index: number) => Effect.Effect<A, E, R>,
    options?: O
  ): Effect.Effect<ReadonlyArray<Slot<O, A, E>>, Failure<O, E>, R>
} = dual(
  (args) => !isWorker(args[0]),
  (inputs: Iterable<unknown>, worker: Worker<never>, options: Options = {}): Effect.Effect<never, never, never> =>
    // The overloads say what comes out of `gather`; its own types are those of any slot.
    gather(inputs, (input, index) => call(worker, input, index), byIndex, options, 16) as Effect.Effect<never>
)

/**
 * Runs several agents or functions on one input: a tuple of them gives a tuple, a record gives a record.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Concurrent } from "effigent"
 *
 * const both = Concurrent.broadcast("a letter", {
 *   words: (text: string) => Effect.succeed(text.split(" ").length),
 *   loud: (text: string) => Effect.succeed(text.toUpperCase())
 * })
 * console.log(await Effect.runPromise(both)) // => { words: 2, loud: 'A LETTER' }
 * ```
 *
 * @category running
 */
export const broadcast: {
  <const W extends Workers, const O extends Options = {}>(
    workers: W,
    options?: O
  ): (input: InputOf<W>) => Gathered<W, O>
  <const W extends Workers, const O extends Options = {}>(input: InputOf<W>, workers: W, options?: O): Gathered<W, O>
} = dual(
  (args) => args.length > 2 || isWorkers(args[1]),
  (input: unknown, workers: Workers, options: Options = {}) =>
    gatherShape<Worker<never>>(workers, (worker) => call(worker, input, 0), options)
)

/**
 * Several workers on one input, by index or by name.
 *
 * @category models
 */
export type Workers = ReadonlyArray<Worker<never>> | { readonly [name: string]: Worker<never> }

/** The input that all workers take. @category type-level */
export type InputOf<W> = {
  readonly [K in keyof W]: W[K] extends (input: infer In, ...rest: never) => unknown ? (input: In) => void : () => void
}[keyof W & Index<W>] extends (input: infer In) => void
  ? In
  : unknown

const isWorkers = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Agent.isAgent(value) && Object.values(value).some(isWorker)

/**
 * Runs different agents, each with its own input, and any other Effects beside them: a tuple of them gives a tuple, a
 * record gives a record.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Agent, Concurrent } from "effigent"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const poet = Agent.make({ system: "You are a poet." })
 * const both = Concurrent.scatter([poet.pipe(Agent.input("the sea")), Effect.succeed(42)])
 * // Effect<readonly [string, number], AgentError, ModelProvider>
 *
 * const model = ScriptedModel.layer([ScriptedModel.text("Blue.")])
 * console.log(await Effect.runPromise(both.pipe(Effect.provide(model)))) // => [ 'Blue.', 42 ]
 * ```
 *
 * @category running
 */
export const scatter = <
  const J extends ReadonlyArray<Job> | { readonly [name: string]: Job },
  const O extends Options = {}
>(
  jobs: J,
  options?: O
): Gathered<J, O> =>
  // `Gathered` says slot by slot what `gatherShape` does.
  gatherShape<Job>(jobs, runJob, options ?? {}) as Gathered<J, O>

/**
 * Gives what the first job to succeed gives, and interrupts the others: their requests are aborted. Fails where all of
 * them fail, with the failures in the order in which they came, in one Cause.
 *
 * @param options `timeout` is for each job
 * @category running
 */
export const race = <
  const J extends readonly [Job, ...ReadonlyArray<Job>],
  const O extends Pick<Options, "timeout"> = {}
>(
  jobs: J,
  options?: O
): Effect.Effect<Success<J[number]>, ErrorOf<J[number]> | TimedOut<O>, ServicesOf<J[number]>> =>
  // The jobs' own types, which `runJob` does not follow.
  Effect.raceAll(jobs.map((job, index) => within(index, runJob(job), options ?? {}))) as Effect.Effect<
    Success<J[number]>,
    ErrorOf<J[number]> | TimedOut<O>,
    ServicesOf<J[number]>
  >

/**
 * Runs an agent or an Effect beside the rest of the program, as a fiber of the current Scope: it has begun when this
 * returns, and is interrupted when the Scope closes. A failure is the fiber's, to be had by `Fiber.join`; it is logged as
 * well, so that it is seen where nobody joins.
 *
 * @category running
 */
export const spawn = <J extends Job>(
  job: J
): Effect.Effect<Fiber.Fiber<Success<J>, ErrorOf<J>>, never, ServicesOf<J> | Scope.Scope> =>
  runJob(job).pipe(
    Effect.tapCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logWarning("Spawned work failed", cause)
    ),
    Effect.forkScoped({ startImmediately: true })
    // The job's own types, which `runJob` does not follow.
  ) as Effect.Effect<Fiber.Fiber<Success<J>, ErrorOf<J>>, never, ServicesOf<J> | Scope.Scope>
