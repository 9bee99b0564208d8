/**
 * Scorers: values that say of an answer how good it is, from 0 to 1. A scorer may ask models and services; what it needs and
 * how it fails stands in its type. It passes from its threshold on. What it is made of goes into the fingerprint of a run.
 */
import * as Effect from "effect/Effect"
import * as Formatter from "effect/Formatter"
import { dual } from "effect/Function"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import { EmbeddingProvider } from "../../services/EmbeddingProvider.ts"
import { canonical, type Json } from "../../services/Json.ts"
import type { ModelError } from "../../services/ModelError.ts"
import * as Contract from "../output/Contract.ts"
import type { OutputPathError } from "../output/OutputError.ts"
import { jsonSchemaOf } from "../triggerflow/definition/Shape.ts"
import { ScoreInvalid } from "./EvalError.ts"
import * as Matching from "./Matching.ts"
import type { Call, Used } from "./Report.ts"

export type { Normalisation } from "./Matching.ts"

/**
 * What a scorer is given: an answer to a case, and how it came about.
 *
 * @category models
 */
export interface Answered<out I, out A, out X> {
  /** The id of the case. */
  readonly id: string
  readonly input: I
  /** What the subject gave. */
  readonly output: A
  /** The answer that is expected; `undefined` where the dataset has none. */
  readonly expected: X
  readonly tags: ReadonlyArray<string>
  /** Milliseconds of the try that was answered. */
  readonly duration: number
  /** How often the subject was run, retries included. */
  readonly tries: number
  /** Requests, tokens, cost and time to the first token of the subject. */
  readonly used: Used
  /** Every call of an action, in the order in which they began. */
  readonly actions: ReadonlyArray<Call>
}

/**
 * How good an answer is.
 *
 * @category models
 */
export interface Score {
  /** From 0 to 1; null where the scorer does not apply to this answer. */
  readonly score: number | null
  /** Why, in a sentence. */
  readonly reason?: string | undefined
  /** More about it, for programs. */
  readonly details?: Json | undefined
}

const TypeId = "~effigent/evals/Scorer"

/**
 * A scorer of answers `A` to inputs `I` with expected answers `X`.
 *
 * @category models
 */
export interface Scorer<in I, in A, in X, out E = never, out R = never> extends Pipeable {
  readonly [TypeId]: typeof TypeId
  /** Its name in reports; unique in an eval. */
  readonly name: string
  /** A score from here on passes. */
  readonly threshold: number
  /** What it is made of, as far as JSON tells it. */
  readonly definition: Json
  readonly score: (answered: Answered<I, A, X>) => Effect.Effect<Score, E, R>
}

/** How a scorer fails. @category type-level */
export type ErrorOf<S> = S extends Scorer<never, never, never, infer E, infer _R> ? E : never

/** What a scorer needs. @category type-level */
export type ServicesOf<S> = S extends Scorer<never, never, never, infer _E, infer R> ? R : never

const scorer = <I, A, X, E, R>(fields: Omit<Scorer<I, A, X, E, R>, typeof TypeId | "pipe">): Scorer<I, A, X, E, R> => ({
  ...fields,
  [TypeId]: TypeId,
  pipe() {
    return pipeArguments(this, arguments)
  }
})

/** What a scorer of one's own is made of. @category models */
export interface Options<I, A, X, E, R> {
  /** A score from here on passes; 0 to 1. Default 1. */
  readonly threshold?: number | undefined
  /** Changes when what `score` does changes, so that reports tell that they cannot be compared. Default `1`. */
  readonly version?: string | undefined
  readonly score: (answered: Answered<I, A, X>) => Effect.Effect<Score | number | boolean, E, R>
}

/**
 * A scorer of one's own: an Effect of a number from 0 to 1, of whether it passes, or of a `Score` with its reason.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Dataset, Evals, Scorer } from "effigent/evals"
 *
 * const short = Scorer.make("short", { score: ({ output }: { output: string }) => Effect.succeed(output.length <= 10) })
 * const greet = Evals.make("greet", {
 *   dataset: Dataset.make({ name: "names", input: Schema.String, cases: [{ input: "Ada" }, { input: "Bartholomew" }] }),
 *   subject: (name) => Effect.succeed(`Hi ${name}`)
 * }, [short])
 * const { report } = await Effect.runPromise(Evals.run(greet))
 * console.log(report.summary.scores["short"]?.mean) // => 0.5
 * ```
 *
 * @category constructors
 */
export const make = <I = unknown, A = unknown, X = unknown, E = never, R = never>(
  name: string,
  options: Options<I, A, X, E, R>
): Scorer<I, A, X, E | ScoreInvalid, R> =>
  scorer({
    name,
    threshold: options.threshold ?? 1,
    definition: { custom: options.version ?? "1" },
    score: (answered) =>
      Effect.flatMap(options.score(answered), (given) => {
        const score: Score = typeof given === "object" ? given : { score: Number(given) }
        return score.score === null || (score.score >= 0 && score.score <= 1)
          ? Effect.succeed(score)
          : Effect.fail(new ScoreInvalid({ scorer: name, detail: `${score.score} is no score: give 0 to 1` }))
      })
  })

/** Whether a value is a scorer. @category guards */
export const isScorer = (value: unknown): value is Scorer<never, never, never, unknown, unknown> =>
  typeof value === "object" && value !== null && TypeId in value

/** Gives it another name: two scorers of one kind in one eval need two. @category combinators */
export const named: {
  (name: string): <I, A, X, E, R>(self: Scorer<I, A, X, E, R>) => Scorer<I, A, X, E, R>
  <I, A, X, E, R>(self: Scorer<I, A, X, E, R>, name: string): Scorer<I, A, X, E, R>
} = dual(2, <I, A, X, E, R>(self: Scorer<I, A, X, E, R>, name: string) => scorer({ ...self, name }))

/** Passes from another score on, 0 to 1; from 0 on it only informs. @category combinators */
export const threshold: {
  (threshold: number): <I, A, X, E, R>(self: Scorer<I, A, X, E, R>) => Scorer<I, A, X, E, R>
  <I, A, X, E, R>(self: Scorer<I, A, X, E, R>, threshold: number): Scorer<I, A, X, E, R>
} = dual(2, <I, A, X, E, R>(self: Scorer<I, A, X, E, R>, threshold: number) => scorer({ ...self, threshold }))

/** Applies to some answers only; the others have no score by it. @category combinators */
export const when: {
  <I, A, X>(
    applies: (answered: Answered<I, A, X>) => boolean
  ): <A2 extends A, E, R>(self: Scorer<I, A2, X, E, R>) => Scorer<I, A2, X, E, R>
  <I, A, X, E, R>(self: Scorer<I, A, X, E, R>, applies: (answered: Answered<I, A, X>) => boolean): Scorer<I, A, X, E, R>
} = dual(2, <I, A, X, E, R>(self: Scorer<I, A, X, E, R>, applies: (answered: Answered<I, A, X>) => boolean) =>
  scorer({
    ...self,
    score: (answered: Answered<I, A, X>): Effect.Effect<Score, E, R> =>
      applies(answered) ? self.score(answered) : Effect.succeed({ score: null, reason: "does not apply" })
  })
)

/**
 * Scores a part: `select` says which output and which expected answer the scorer is to see.
 *
 * @example
 * ```ts
 * import { Scorer } from "effigent/evals"
 *
 * interface Ticket { readonly title: string; readonly urgent: boolean }
 * const urgent = Scorer.on(
 *   ({ expected, output }: Scorer.Answered<string, Ticket, Ticket>) => ({ output: output.urgent, expected: expected.urgent }),
 *   Scorer.exact({ name: "urgent" })
 * )
 * console.log(urgent.name) // => urgent
 * ```
 *
 * @category combinators
 */
export const on = <I, A, X, A2, X2, E, R>(
  select: (answered: Answered<I, A, X>) => { readonly output: A2; readonly expected?: X2 },
  self: Scorer<I, A2, X2, E, R>
): Scorer<I, A, X, E, R> =>
  scorer({
    ...self,
    score: (answered: Answered<I, A, X>) => {
      const { expected, output } = select(answered)
      // Absent only where X2 admits `undefined`.
      return self.score({ ...answered, output, expected: expected as X2 })
    }
  })

const short = (value: unknown): string => {
  const text = typeof value === "string" ? JSON.stringify(value) : textOf(value)
  return text.length > 120 ? `${text.slice(0, 119)}…` : text
}

// The reason is made where it is told: values may be large.
const binary = (isRight: boolean, reason: () => string): Score =>
  isRight ? { score: 1 } : { score: 0, reason: reason() }

/** The name and the threshold that every scorer of this module takes. @category models */
export interface Common {
  /** Its name in reports. Default: that of its kind. */
  readonly name?: string | undefined
  /** A score from here on passes; 0 to 1. Default 1, unless the scorer says otherwise. */
  readonly threshold?: number | undefined
}

const pure = <I, A, X>(
  kind: string,
  common: Common,
  definition: object,
  score: (answered: Answered<I, A, X>) => Score,
  threshold = 1
): Scorer<I, A, X> =>
  scorer({
    name: common.name ?? kind,
    threshold: common.threshold ?? threshold,
    definition: { kind, ...definition },
    score: (answered) => Effect.sync(() => score(answered))
  })

/**
 * The output equals the expected answer, in its whole structure. Keys that are `undefined` do not count.
 *
 * @category scorers
 */
export const exact = (
  options: Common & {
    /** What is not told apart in texts, in this order. Default: nothing. */
    readonly ignore?: ReadonlyArray<Matching.Normalisation> | undefined
  } = {}
): Scorer<unknown, unknown, unknown> => {
  const ignore = options.ignore ?? []
  return pure("exact", options, { ignore }, ({ expected, output }) =>
    binary(Matching.equal(output, expected, ignore), () => `${short(output)} is not ${short(expected)}`)
  )
}

// What has no JSON form, such as a BigInt, has a text all the same.
const textOf = (value: unknown): string =>
  typeof value === "string"
    ? value
    : Result.getOrElse(
        Result.try(() => canonical(value)),
        () => Formatter.format(value)
      )

/** What `contains` takes. @category models */
export interface ContainsOptions extends Common {
  /** Texts that have to be there. Default: the expected answer, a text or a list of them. */
  readonly texts?: ReadonlyArray<string> | undefined
  /** Texts that must not be there; one of them makes the score 0. */
  readonly not?: ReadonlyArray<string> | undefined
  /** What is not told apart in texts. Default: nothing. */
  readonly ignore?: ReadonlyArray<Matching.Normalisation> | undefined
}

const textsOf = (expected: unknown): ReadonlyArray<string> =>
  typeof expected === "string" ? [expected] : Array.isArray(expected) ? expected.map(textOf) : []

/**
 * The output has the expected texts in it: the one or those of the case, or others that are named here. The score is the
 * part of them that is there. An output that is no text is looked at as JSON.
 *
 * @category scorers
 */
export const contains: {
  (options: ContainsOptions & { readonly texts: ReadonlyArray<string> }): Scorer<unknown, unknown, unknown>
  (options?: ContainsOptions): Scorer<unknown, unknown, string | ReadonlyArray<string> | undefined>
} = (options: ContainsOptions = {}): Scorer<unknown, unknown, unknown> => {
  const { ignore = [], not = [], texts } = options
  const normal = (text: string) => Matching.normalText(text, ignore)
  return pure("contains", options, { texts: texts ?? null, not, ignore }, ({ expected, output }) => {
    // Nothing to look for is nothing that was found.
    if (texts === undefined && expected === undefined && not.length === 0)
      return { score: null, reason: "there is no text to look for" }
    const text = normal(textOf(output))
    const wanted = texts ?? textsOf(expected)
    const found = not.filter((one) => text.includes(normal(one)))
    if (found.length > 0) return { score: 0, reason: `has ${found.map(short).join(", ")}` }
    const missing = wanted.filter((one) => !text.includes(normal(one)))
    return missing.length === 0
      ? { score: 1 }
      : { score: 1 - missing.length / wanted.length, reason: `lacks ${missing.map(short).join(", ")}` }
  })
}

/** The output, or its JSON, matches an expression. @category scorers */
export const matches = (expression: RegExp, options: Common = {}): Scorer<unknown, unknown, unknown> =>
  pure("matches", options, { expression: expression.source, flags: expression.flags }, ({ output }) =>
    // An expression of its own: one with the flag g or y remembers where it was.
    binary(new RegExp(expression).test(textOf(output)), () => `${short(output)} does not match ${String(expression)}`)
  )

/**
 * The output decodes by a Schema and has all keys that it ensures, those of `ensureKeys` too. A text is read as JSON first,
 * unless the Schema takes texts. Where it decodes and keys are missing, or are empty, 0; the reason says which.
 *
 * @category scorers
 */
export const schema = <S extends Schema.Constraint>(
  schema: S,
  options: Common & {
    /** Paths that must be there, besides those that the Schema marks: `items[*].url`. */
    readonly ensureKeys?: ReadonlyArray<string> | undefined
    /** Require the whole shape and nothing else. Default false. */
    readonly ensureAllKeys?: boolean | undefined
  } = {}
): Scorer<unknown, unknown, unknown, OutputPathError, S["DecodingServices"]> => {
  const compiled = Contract.compile(schema)
  const contract =
    options.ensureKeys === undefined && options.ensureAllKeys === undefined
      ? Result.succeed(compiled)
      : Contract.withKeys(compiled, options)
  return scorer({
    name: options.name ?? "schema",
    threshold: options.threshold ?? 1,
    definition: {
      kind: "schema",
      // What is compared and told is JSON.
      schema: jsonSchema(schema as unknown as Schema.Codec<unknown, unknown>),
      ensureKeys: options.ensureKeys ?? [],
      ensureAllKeys: options.ensureAllKeys ?? false
    },
    score: ({ output }) =>
      Effect.gen(function* () {
        const demanded = yield* Effect.fromResult(contract)
        let value = output
        if (typeof output === "string" && demanded.format !== "text") {
          const parsed = Result.try({ try: (): unknown => JSON.parse(output), catch: String })
          if (Result.isFailure(parsed)) return { score: 0, reason: `it is no JSON: ${parsed.failure}` }
          value = parsed.success
        }
        const verdict = yield* Contract.judge(demanded, { found: true, value, repaired: new Set<string>() })
        return verdict._tag === "Accepted"
          ? { score: 1 }
          : {
              score: 0,
              reason: verdict.findings.map(({ message }) => message).join("; "),
              details: verdict.findings.map(({ kind, path }) => ({ kind, path }))
            }
      })
  })
}

/**
 * The output is near the expected number: within `absolute`, or within `relative` (a part of the expected one), whichever is
 * more. The score is 1 or 0.
 *
 * @category scorers
 */
export const numeric = (
  options: Common & {
    /** Default 0. */
    readonly absolute?: number | undefined
    /** Default 0. */
    readonly relative?: number | undefined
  } = {}
): Scorer<unknown, number, number> => {
  const { absolute = 0, relative = 0 } = options
  return pure("numeric", options, { absolute, relative }, ({ expected, output }) => {
    const off = Math.abs(output - expected)
    const allowed = Math.max(absolute, relative * Math.abs(expected))
    return {
      ...binary(off <= allowed, () => `${output} is off ${expected} by ${off}, and may be by ${allowed}`),
      ...(Number.isFinite(off) ? { details: { off, allowed } } : {})
    }
  })
}

/**
 * F1 of a list against the expected one: the harmonic mean of precision and recall. Passes from 1 on.
 *
 * @category scorers
 */
export const f1 = (
  options: Common & {
    /** Whether the order counts: then it is that of the longest common subsequence. Default false. */
    readonly ordered?: boolean | undefined
    /** What is not told apart in texts. Default: nothing. */
    readonly ignore?: ReadonlyArray<Matching.Normalisation> | undefined
  } = {}
): Scorer<unknown, Iterable<unknown>, Iterable<unknown>> => {
  const { ignore = [], ordered = false } = options
  return pure("f1", options, { ordered, ignore }, ({ expected, output }) => {
    const compare = ordered ? Matching.orderedOverlap : Matching.overlap
    const { extra, f1, missing, precision, recall } = compare([...output], [...expected], ignore)
    const reason = [
      missing.length === 0 ? "" : `lacks ${missing.map(short).join(", ")}`,
      extra.length === 0 ? "" : `has besides ${extra.map(short).join(", ")}`
    ].filter((part) => part !== "")
    return {
      score: f1,
      details: { precision, recall },
      ...(reason.length === 0 ? {} : { reason: reason.join("; ") })
    }
  })
}

/**
 * How alike the output and the expected text are: 1 minus the edit distance (Levenshtein, in code points) divided by the
 * length of the longer text. Passes from 0.8 on.
 *
 * @category scorers
 */
export const similarity = (
  options: Common & {
    /** What is not told apart. Default: nothing. */
    readonly ignore?: ReadonlyArray<Matching.Normalisation> | undefined
  } = {}
): Scorer<unknown, string, string> => {
  const { ignore = [] } = options
  return pure(
    "similarity",
    options,
    { ignore },
    ({ expected, output }) => ({
      score: Matching.similarity(Matching.normalText(output, ignore), Matching.normalText(expected, ignore))
    }),
    0.8
  )
}

/**
 * How near the output is to the expected text in meaning: the cosine of their embeddings, 0 where it is negative. Passes from
 * 0.8 on: what is near depends on the model, so look at some scores first.
 *
 * @category scorers
 */
export const embedding = (
  options: Common & {
    /** Name of an embedding model. Default: the provider's own. */
    readonly model?: string | undefined
    readonly dimensions?: number | undefined
  } = {}
): Scorer<unknown, string, string, ModelError, EmbeddingProvider> =>
  scorer({
    name: options.name ?? "embedding",
    threshold: options.threshold ?? 0.8,
    definition: { kind: "embedding", model: options.model ?? null, dimensions: options.dimensions ?? null },
    score: ({ expected, output }) =>
      Effect.map(
        EmbeddingProvider.use((provider) =>
          provider.embed({ texts: [output, expected], model: options.model, dimensions: options.dimensions })
        ),
        ({ model, vectors: [given, wanted] }): Score => {
          // One vector for each text, as the service promises.
          const near = given === undefined || wanted === undefined ? 0 : Matching.cosine(given, wanted)
          return { score: Math.min(1, Math.max(0, near)), details: { model } }
        }
      )
  })

/** The JSON Schema of a Schema, for definitions. @category conversions */
export const jsonSchema = (schema: Schema.Codec<unknown, unknown>): Json => jsonSchemaOf(schema)

/** Makes a scorer of the parts that a kind has; what modules beside this one make theirs of. @category constructors */
export const fromParts = scorer
