/**
 * Evals: a dataset, a subject and scorers, as a value. The subject is an agent, which is given the input of each case, a
 * flow, or a function from the input to an Effect.
 */
import * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type * as Duration from "effect/Duration"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { Json } from "../../services/Json.ts"
import * as Agent from "../agent/Agent.ts"
import type * as Budget from "../request/Budget.ts"
import type * as Metrics from "../run/Metrics.ts"
import type { FlowError } from "../triggerflow/FlowError.ts"
import type * as Flow from "../triggerflow/Flow.ts"
import * as TriggerFlow from "../triggerflow/TriggerFlow.ts"
import * as Dataset from "./Dataset.ts"
import { type DatasetError, EvalInvalid } from "./EvalError.ts"
import * as Fingerprint from "./Fingerprint.ts"
import type { Fingerprint as Print } from "./Report.ts"
import type * as Scorer from "./Scorer.ts"

/** What an eval may be made of as its subject, for inputs `I`. @category models */
export type Subject<I> =
  | Agent.Agent<unknown, unknown, unknown>
  | Pick<Flow.Flow<never, never, never>, "name" | "data">
  | ((input: I, about: { readonly id: string; readonly sample: number }) => Effect.Effect<unknown, unknown, unknown>)

/** What a subject runs as. @category type-level */
export type EffectOf<S> =
  S extends Agent.Agent<infer A, infer E, infer R>
    ? Effect.Effect<A, E | Agent.AgentError, Exclude<R, Scope.Scope>>
    : S extends Flow.Flow<infer C, infer E, infer R>
      ? Effect.Effect<C["result"], E | FlowError, R>
      : S extends (...args: never) => Effect.Effect<infer A, infer E, infer R>
        ? Effect.Effect<A, E, R>
        : never

/** What a subject has to be for inputs `I`: of a flow, a Flow that takes them. @category type-level */
export type Fitting<S, I> =
  S extends Flow.Flow<infer C, infer _E, infer _R> ? ([I] extends [C["input"]] ? unknown : never) : unknown

/** What a subject gives. @category type-level */
export type OutputOf<S> = Effect.Success<EffectOf<S>>

/** A dataset, or an Effect that makes it when the eval is run. @category models */
export type AnyDataset = Dataset.Any | Effect.Effect<Dataset.Any, unknown, unknown>

/** The dataset of what an eval is given as its dataset. @category type-level */
export type DatasetOf<D> = D extends Effect.Effect<infer A, infer _E, infer _R> ? A : D

/** How a dataset fails to be made. @category type-level */
export type LoadErrorOf<D> = D extends Effect.Effect<infer _A, infer E, infer _R> ? E : never

/** What a dataset needs to be made. @category type-level */
export type LoadServicesOf<D> = D extends Effect.Effect<infer _A, infer _E, infer R> ? R : never

/**
 * How an eval is run; a run may say otherwise.
 *
 * @category models
 */
export interface Settings<in E = never> {
  /** How many cases are at work at once. Default 4. With a scripted model, whose answers have an order, take 1. */
  readonly concurrency?: number | undefined
  /** How often each case is run. Default 1. */
  readonly repeat?: number | undefined
  /** How long a try of the subject may take, and each scorer. Default: no limit. */
  readonly timeout?: Duration.Input | undefined
  /** Runs a subject again that failed or took too long, not one that answered badly. Default: never. */
  readonly retry?:
    | {
        readonly times: number
        /** When: delays between the tries. Default: at once. */
        readonly schedule?: Schedule.Schedule<unknown, unknown> | undefined
        /** Which failures. Default: all. */
        readonly while?: ((error: E) => boolean) | undefined
      }
    | undefined
  /** How often the first case is run beforehand, uncounted, so that connections and caches are warm. Default 0. */
  readonly warmup?: number | undefined
  /** What subjects and scorers may spend together. The run stops when it is spent; what is done is kept. */
  readonly budget?: Budget.Limits | undefined
  /** What a request costs, for `cost` in the report. */
  readonly cost?: Metrics.Cost | undefined
}

/**
 * What an eval is made of.
 *
 * @category models
 */
export interface Definition<D, S, E> extends Settings<E> {
  readonly dataset: D
  readonly subject: S
  /** Part of the fingerprint: what else counts for a comparison, such as the version of a function that is the subject. */
  readonly version?: string | undefined
  readonly description?: string | undefined
}

/** A case that is ready to be run. @category models */
export interface Task<out A, out E, out R> {
  readonly encoded: Dataset.EncodedCase
  readonly ask: (sample: number) => Effect.Effect<A, E, R>
  readonly score: (
    answered: Omit<Scorer.Answered<unknown, unknown, unknown>, "id" | "input" | "expected" | "tags">
  ) => ReadonlyArray<Effect.Effect<Scorer.Score, unknown, R>>
}

/** An eval whose dataset is there. @category models */
export interface Prepared<out A, out E, out R> {
  readonly dataset: { readonly name: string; readonly digest: string; readonly cases: number }
  readonly fingerprint: Print
  readonly tasks: ReadonlyArray<Task<A, E, R>>
}

const TypeId = "~effigent/evals/Eval"

/**
 * An eval. `A` is what its subject gives, `E` how that fails, `R` what a run needs, `L` how its dataset fails to be made.
 *
 * @category models
 */
export interface Eval<out A, out E, out R, out L = never> {
  readonly [TypeId]: typeof TypeId
  readonly name: string
  readonly description: string | undefined
  readonly scorers: ReadonlyArray<Pick<Scorer.Scorer<never, never, never>, "name" | "threshold" | "definition">>
  /** What a retry asks of a failure is checked by the type of `make`. */
  readonly settings: Settings<never>
  /** Makes it ready, with its own dataset or with one read from JSONL in the same format. */
  readonly prepare: <E2 = never, R2 = never>(
    jsonl?: Stream.Stream<string | Uint8Array, E2, R2>
  ) => Effect.Effect<Prepared<A, E, R>, L | E2 | DatasetError | EvalInvalid, R | R2>
}

/** An eval of which no types are known. @category models */
export type AnyEval = Eval<unknown, unknown, unknown, unknown>

/** What a run of an eval needs. @category type-level */
export type ServicesOf<V> = V extends Eval<infer _A, infer _E, infer R, infer _L> ? R : never

/** Whether a value is an eval. @category guards */
export const isEval = (value: unknown): value is AnyEval =>
  typeof value === "object" && value !== null && TypeId in value

const isFlow = (subject: object): subject is Pick<Flow.Flow<never, never, never>, "name" | "data"> =>
  "data" in subject && "name" in subject

type Ask = (
  input: unknown,
  about: { readonly id: string; readonly sample: number }
) => Effect.Effect<unknown, unknown, unknown>

const askOf = (subject: Subject<never>): Ask => {
  if (Agent.isAgent(subject)) return (input) => Agent.run(Agent.input(subject, input))
  // A function takes the inputs of the dataset, as the type of `make` says.
  if (typeof subject === "function") return subject as Ask
  // The same of a flow.
  const flow = subject as unknown as Flow.Flow<Flow.SpecOf<never>, unknown, unknown>
  // It is checked by the Schema of its contract besides.
  return (input) => TriggerFlow.runResult(flow, input as never)
}

const partsOf = (subject: Subject<never>): { readonly [part: string]: string } =>
  Agent.isAgent(subject)
    ? Fingerprint.agentParts(subject)
    : typeof subject !== "function" && isFlow(subject)
      ? Fingerprint.flowParts(subject.data)
      : {}

const problemOf = (
  scorers: ReadonlyArray<{ readonly name: string; readonly threshold: number }>
): string | undefined => {
  const names = new Set<string>()
  for (const { name, threshold } of scorers) {
    if (name === "passed" || name === "__proto__")
      return `a scorer has the name ${name}, which ${name === "passed" ? "gates have for the part of samples that pass" : "no record can hold"}. Give another name with Scorer.named.`
    if (names.has(name)) return `two scorers have the name ${name}. Give one another name with Scorer.named.`
    if (!(threshold >= 0 && threshold <= 1)) return `the threshold of ${name} is ${threshold}. Give 0 to 1.`
    names.add(name)
  }
  return undefined
}

/**
 * Makes an eval. Nothing happens before it is run.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Agent } from "effigent"
 * import { Dataset, Evals, Scorer } from "effigent/evals"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const Ticket = Schema.Struct({ title: Schema.String, urgent: Schema.Boolean })
 * const triage = Agent.make({ instruct: "Triage the letter.", output: Ticket })
 * const evaluation = Evals.make("triage", {
 *   dataset: Dataset.make({
 *     name: "letters",
 *     input: Schema.String,
 *     expected: Schema.Boolean,
 *     cases: [{ id: "fire", input: "The printer is on fire!", expected: true }, { id: "lunch", input: "Lunch?", expected: false }]
 *   }),
 *   subject: triage,
 *   concurrency: 1
 * }, [Scorer.on(({ expected, output }) => ({ output: output.urgent, expected }), Scorer.exact({ name: "urgent" }))])
 *
 * const model = ScriptedModel.layer([
 *   ScriptedModel.json({ title: "Fire", urgent: true }),
 *   ScriptedModel.json({ title: "Lunch", urgent: true })
 * ])
 * const { report } = await Effect.runPromise(Evals.run(evaluation).pipe(Effect.provide(model)))
 * console.log(report.cases.map(({ id, passed }) => `${id}: ${passed}`)) // => [ 'fire: true', 'lunch: false' ]
 * ```
 *
 * @category constructors
 */
export const make = <
  D extends AnyDataset,
  S extends Subject<Dataset.InputOf<DatasetOf<D>>>,
  const C extends ReadonlyArray<Pick<Scorer.Scorer<never, never, never>, "name" | "threshold">>
>(
  name: string,
  definition: Definition<D, S, Effect.Error<EffectOf<NoInfer<S>>>> & {
    readonly subject: Fitting<NoInfer<S>, Dataset.InputOf<DatasetOf<NoInfer<D>>>>
  },
  scorers: C &
    ReadonlyArray<
      Scorer.Scorer<
        Dataset.InputOf<DatasetOf<D>>,
        OutputOf<NoInfer<S>>,
        Dataset.ExpectedOf<DatasetOf<D>>,
        unknown,
        unknown
      >
    >
): Eval<
  OutputOf<S>,
  Effect.Error<EffectOf<S>>,
  Effect.Services<EffectOf<S>> | Scorer.ServicesOf<C[number]> | LoadServicesOf<D>,
  LoadErrorOf<D>
> => {
  const { dataset, description, subject, version, ...settings } = definition
  const ask = askOf(subject)
  // Scorers take the inputs, outputs and answers of this eval, as the type of `make` says.
  const judges = scorers as unknown as ReadonlyArray<Scorer.Scorer<unknown, unknown, unknown, unknown, unknown>>
  const about = judges.map(({ definition, name, threshold }) => ({ name, threshold, definition }))
  // Its inputs and answers go to the subject and the scorers alone, which take them.
  const load = (Dataset.isDataset(dataset) ? Effect.succeed(dataset) : dataset) as Effect.Effect<
    Dataset.Dataset<unknown, unknown>,
    unknown,
    unknown
  >
  const prepare = (jsonl?: Stream.Stream<string | Uint8Array, unknown, unknown>) =>
    Effect.gen(function* () {
      const problem = problemOf(about)
      if (problem !== undefined) return yield* new EvalInvalid({ eval: name, detail: problem })
      const own = yield* load
      const data = jsonl === undefined ? own : yield* Dataset.fromJsonl(own.format, jsonl)
      const encoded = yield* Dataset.encode(data)
      const digest = Dataset.digest(encoded)
      const parts: Record<string, string> = {
        ...partsOf(subject),
        dataset: digest,
        scorers: Fingerprint.jsonPart(about satisfies Json),
        ...(version === undefined ? {} : { version: Fingerprint.jsonPart(version) })
      }
      const tasks = data.cases.map((one, at): Task<unknown, unknown, unknown> => ({
        // One for each case.
        encoded: encoded[at] as Dataset.EncodedCase,
        ask: (sample) => Effect.suspend(() => ask(one.input, { id: one.id, sample })),
        score: (answered) => judges.map((judge) => Effect.suspend(() => judge.score({ ...one, ...answered })))
      }))
      return {
        dataset: { name: data.format.name, digest, cases: tasks.length },
        fingerprint: Fingerprint.whole(parts),
        tasks
      }
    })
  const made = {
    [TypeId]: TypeId,
    name,
    description,
    scorers: about,
    settings,
    prepare
  } satisfies Omit<Eval<unknown, unknown, unknown, unknown>, "prepare" | "settings"> & {
    readonly prepare: unknown
    readonly settings: unknown
  }
  // What it gives, needs and fails with is what the types of its parts say.
  return made as unknown as ReturnType<typeof make<D, S, C>>
}
