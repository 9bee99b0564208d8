/**
 * Self-consistency: the same question several times, and the answer that most samples agree on. It helps where there is
 * one right answer and many ways to it, and costs as many requests as there are samples.
 *
 * Samples differ only where the model is random: give the agent a temperature. A seed is counted up from sample to
 * sample, so that a program can repeat all of them.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as MutableHashMap from "effect/MutableHashMap"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Agent from "../agent/Agent.ts"
import { SlotsFailed, type SlotFailure } from "../agent/Concurrent.ts"

/**
 * How samples are taken and counted.
 *
 * @category models
 */
export interface Options<in A> {
  /** How many samples are taken; a whole number, at least 1. Default 5. */
  readonly samples?: number | undefined
  /** How many run at once. Default: all of them. */
  readonly concurrency?: number | "unbounded" | undefined
  /**
   * What has to be equal for two answers to agree; values are compared by their structure. Default: the whole answer.
   */
  readonly by?: ((answer: A) => unknown) | undefined
  /** How many samples may fail. One more ends the rest and fails the whole. Default 0; at most `samples` - 1. */
  readonly tolerate?: number | undefined
  /** Whether to end, and not to pay for, samples that can no longer change which answer wins. Default false. */
  readonly early?: boolean | undefined
}

/**
 * Answers that agree.
 *
 * @category models
 */
export interface Group<out A> {
  /** The first of them, in the order of the samples. */
  readonly answer: A
  readonly votes: number
}

/**
 * What most samples say.
 *
 * @category models
 */
export interface Consensus<out A, out E> {
  /** The answer with the most votes; of equal ones the one that the earliest sample gave. */
  readonly answer: A
  /** The part of the answers that agree with it, above 0 and at most 1. */
  readonly agreement: number
  /** All groups, most votes first. */
  readonly groups: ReadonlyArray<Group<A>>
  /** Every answer, in the order of the samples. */
  readonly answers: ReadonlyArray<A>
  /** The samples that failed. */
  readonly failures: ReadonlyArray<SlotFailure<E>>
}

const whole = (value: number, least: number, most: number): number =>
  Number.isNaN(value) ? least : Math.min(most, Math.max(least, Math.floor(value)))

const seeded = <A, E, R, I>(agent: Agent.Agent<A, E, R, I>, index: number): Agent.Agent<A, E, R, I> => {
  const seed = agent.config.options?.seed
  return seed === undefined ? agent : Agent.options(agent, { seed: seed + index })
}

// Keys in order of the samples: the first of a group is the group's answer.
const count = <A>(answers: ReadonlyArray<A>, by: (answer: A) => unknown): ReadonlyArray<Group<A>> => {
  const groups = MutableHashMap.empty<unknown, Group<A>>()
  for (const answer of answers) {
    const key = by(answer)
    const votes = Option.match(MutableHashMap.get(groups, key), { onNone: () => 0, onSome: (group) => group.votes })
    const first = Option.match(MutableHashMap.get(groups, key), {
      onNone: () => answer,
      onSome: (group) => group.answer
    })
    MutableHashMap.set(groups, key, { answer: first, votes: votes + 1 })
  }
  // Sorting keeps the order of equal ones.
  return Array.from(MutableHashMap.values(groups)).toSorted((a, b) => b.votes - a.votes)
}

const isDecided = (groups: ReadonlyArray<Group<unknown>>, open: number): boolean =>
  (groups[0]?.votes ?? 0) > (groups[1]?.votes ?? 0) + open

const sample = Effect.fnUntraced(function* <A, E, R, I>(
  agent: Agent.Agent<A, E, R, I>,
  options: Options<A>
): Effect.fn.Return<Consensus<A, E | Agent.AgentError>, SlotsFailed<E | Agent.AgentError>, Exclude<R, Scope.Scope>> {
  type Failure = E | Agent.AgentError
  const { by = (answer: A): unknown => answer } = options
  const samples = whole(options.samples ?? 5, 1, Number.MAX_SAFE_INTEGER)
  const tolerate = whole(options.tolerate ?? 0, 0, samples - 1)
  const slots = Array.from({ length: samples }, (): Result.Result<A, Failure> | undefined => undefined)
  const decided = yield* Deferred.make<void, SlotsFailed<Failure>>()
  let open = samples
  let failed = 0

  const answersOf = () => slots.flatMap((slot) => (slot !== undefined && Result.isSuccess(slot) ? [slot.success] : []))
  const failuresOf = () =>
    slots.flatMap((slot, index): ReadonlyArray<SlotFailure<Failure>> =>
      slot !== undefined && Result.isFailure(slot) ? [{ slot: index, error: slot.failure }] : []
    )
  const tell = (failures: ReadonlyArray<SlotFailure<Failure>>) =>
    `${failures.length} of ${samples} samples failed, and ${tolerate} may: ${failures
      .map(({ error, slot }) => `sample ${slot}: ${error instanceof Error ? error.message : String(error)}`)
      .join("; ")}`

  const one = (index: number) =>
    Effect.flatMap(Effect.result(Agent.run(seeded(agent, index))), (result) =>
      Effect.suspend(() => {
        slots[index] = result
        open--
        if (Result.isFailure(result)) failed++
        if (failed > tolerate) {
          const failures = failuresOf()
          return Deferred.fail(decided, new SlotsFailed({ failures, message: tell(failures) }))
        }
        return options.early === true && isDecided(count(answersOf(), by), open)
          ? Deferred.succeed(decided, undefined)
          : Effect.void
      })
    )
  const all = Effect.forEach(slots.keys(), one, { concurrency: options.concurrency ?? "unbounded", discard: true })
  // What is decided ends the samples that still run. A failure beyond the bound is told even by the last of them.
  yield* Effect.raceFirst(
    Deferred.await(decided),
    Effect.andThen(all, () => (failed > tolerate ? Deferred.await(decided) : Effect.void))
  )

  const answers = answersOf()
  const groups = count(answers, by)
  const [best] = groups
  // At most `samples - 1` of them failed, and one that decides has an answer.
  if (best === undefined) return yield* Effect.die("no sample has answered")
  return { answer: best.answer, agreement: best.votes / answers.length, groups, answers, failures: failuresOf() }
})

/**
 * Asks several times and gives what most samples say, with how many agree. Fails with `SlotsFailed`, which holds every
 * failure so far, where more samples fail than may.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Agent } from "effigent"
 * import { SelfConsistency } from "effigent/patterns"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const agent = Agent.make({ output: Schema.Struct({ apples: Schema.Int }), options: { temperature: 1 } })
 * const vote = agent.pipe(Agent.input("Three boxes of four, two rotten."), SelfConsistency.run({ samples: 3 }))
 *
 * const model = ScriptedModel.layer([10, 12, 10].map((apples) => ScriptedModel.json({ apples })))
 * const { agreement, answer } = await Effect.runPromise(vote.pipe(Effect.provide(model)))
 * console.log(`${answer.apples}, ${agreement.toFixed(2)}`) // => 10, 0.67
 * ```
 *
 * @category running
 */
export const run: {
  <A>(
    options?: Options<NoInfer<A>>
  ): <E, R, I>(
    self: Agent.Agent<A, E, R, I>
  ) => Effect.Effect<Consensus<A, E | Agent.AgentError>, SlotsFailed<E | Agent.AgentError>, Exclude<R, Scope.Scope>>
  <A, E, R, I>(
    self: Agent.Agent<A, E, R, I>,
    options?: Options<NoInfer<A>>
  ): Effect.Effect<Consensus<A, E | Agent.AgentError>, SlotsFailed<E | Agent.AgentError>, Exclude<R, Scope.Scope>>
} = dual(
  (args) => Agent.isAgent(args[0]),
  <A, E, R, I>(self: Agent.Agent<A, E, R, I>, options: Options<A> = {}) => sample(self, options)
)
