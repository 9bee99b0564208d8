/**
 * What a run of an eval leaves behind: a versioned JSON document, read back by its Schema. Its head tells how it went, what
 * was run and by what it is compared; the cases stand last, so that a reader of many reports may stop before them.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { RunUsage } from "../../services/Run.ts"
import { ActionStatus } from "../../services/Action.ts"
import { ReportInvalid } from "./EvalError.ts"

const optional = Schema.optionalKey

/** The version of the document. @category constants */
export const format = "effigent-eval-1"

/** How something failed. @category models */
export const Failure = Schema.Struct({
  /** The tag of a typed error; `Failure` for one without, `Defect` for what is no typed failure, `Interrupted`. */
  tag: Schema.String,
  message: Schema.String
})

/** How something failed, as a type. @category models */
export type Failure = typeof Failure.Type

/**
 * What a scorer said of a sample. `score` is null where it did not apply, or broke down: then `error` says how.
 *
 * @category models
 */
export const Scored = Schema.Struct({
  score: Schema.NullOr(Schema.Finite),
  /** Whether the score reaches the threshold; null where the scorer did not apply. */
  passed: Schema.NullOr(Schema.Boolean),
  reason: optional(Schema.String),
  details: optional(Schema.Json),
  error: optional(Failure)
})

/** What a scorer said of a sample, as a type. @category models */
export type Scored = typeof Scored.Type

/** What requests to models used. @category models */
export const Used = Schema.Struct({
  /** How many were sent. */
  requests: Schema.Int,
  usage: RunUsage,
  /** Money, by the prices that the eval was given; absent where it was given none, or one of them is no number. */
  cost: optional(Schema.Finite),
  /** Milliseconds from the first sending of the last try to its first piece of text or reasoning; absent where none came. */
  timeToFirstToken: optional(Schema.Finite)
})

/** What requests used, as a type. @category models */
export type Used = typeof Used.Type

/** A call of an action. @category models */
export const Call = Schema.Struct({
  action: Schema.String,
  input: Schema.Json,
  /** What became of it; `running`: it had not ended when the sample had. */
  status: Schema.Union([ActionStatus, Schema.Literal("running")]),
  /** Milliseconds; absent where it had not ended. */
  duration: optional(Schema.Finite)
})

/** A call of an action, as a type. @category models */
export type Call = typeof Call.Type

/** One run of the subject over a case, with its scores. @category models */
export const Sample = Schema.Struct({
  /** Its number in its case, from 1. */
  sample: Schema.Int,
  status: Schema.Literals(["answered", "failed"]),
  /** Whether it was answered and every scorer that applies passes. */
  passed: Schema.Boolean,
  /** Milliseconds since 1970. */
  startedAt: Schema.Finite,
  /** Milliseconds of the last try, without the scoring. */
  duration: Schema.Finite,
  /** How often the subject was run, retries included. */
  tries: Schema.Int,
  /** What it gave, where that has a JSON form. */
  output: optional(Schema.Json),
  failure: optional(Failure),
  scores: Schema.Record(Schema.String, Scored),
  /** What the subject used, all tries together. */
  used: Used,
  /** What the scorers used. */
  scoring: Used,
  /** Every call of an action, in the order in which they began. */
  actions: Schema.Array(Call)
})

/** One run of the subject over a case, as a type. @category models */
export type Sample = typeof Sample.Type

/** A case with its samples. @category models */
export const Case = Schema.Struct({
  id: Schema.String,
  tags: Schema.Array(Schema.String),
  input: Schema.Json,
  expected: optional(Schema.Json),
  /** Whether it has samples and all of them pass. */
  passed: Schema.Boolean,
  /** The mean of each scorer over the samples; null where it never applied. */
  scores: Schema.Record(Schema.String, Schema.NullOr(Schema.Finite)),
  samples: Schema.Array(Sample)
})

/** A case with its samples, as a type. @category models */
export type Case = typeof Case.Type

const orNull = Schema.NullOr(Schema.Finite)

/**
 * A mean with its 95 % interval. Null where there are too few values: none for the mean, one for the rest.
 *
 * @category models
 */
export const Estimate = Schema.Struct({
  mean: orNull,
  /** The standard error of the mean. */
  error: orNull,
  low: orNull,
  high: orNull,
  /** How many values: cases, each by the mean of its samples. */
  n: Schema.Int
})

/** A mean with its interval, as a type. @category models */
export type Estimate = typeof Estimate.Type

/** How values are spread; `median` and `p95` by linear interpolation. @category models */
export const Distribution = Schema.Struct({
  n: Schema.Int,
  mean: Schema.Finite,
  /** The standard deviation of the sample; 0 for one value. */
  deviation: Schema.Finite,
  min: Schema.Finite,
  median: Schema.Finite,
  p95: Schema.Finite,
  max: Schema.Finite
})

/** How values are spread, as a type. @category models */
export type Distribution = typeof Distribution.Type

/** What a scorer said of all cases. @category models */
export const ScoreSummary = Schema.Struct({
  ...Estimate.fields,
  /** A score from here on passes. */
  threshold: Schema.Finite,
  /** Samples that pass, do not pass, that it did not apply to, and over which it broke down. */
  passed: Schema.Int,
  failed: Schema.Int,
  skipped: Schema.Int,
  errors: Schema.Int
})

/** What a scorer said of all cases, as a type. @category models */
export type ScoreSummary = typeof ScoreSummary.Type

/** How it went. @category models */
export const Summary = Schema.Struct({
  /** Cases that were to be run, and those of which all samples were. */
  cases: Schema.Int,
  done: Schema.Int,
  /** Cases all of whose samples pass. */
  passed: Schema.Int,
  samples: Schema.Int,
  /** Samples whose subject failed. */
  failed: Schema.Int,
  /** Scores that could not be given, because the scorer broke down. */
  errors: Schema.Int,
  /** The part of the samples that pass. */
  passRate: Estimate,
  /** For each k: the chance that of k samples of a case at least one passes (pass@k), and that all do (pass^k). */
  passAt: Schema.Array(Schema.Struct({ k: Schema.Int, any: Schema.Finite, all: Schema.Finite })),
  scores: Schema.Record(Schema.String, ScoreSummary),
  /** Milliseconds of the samples that were answered. */
  duration: optional(Distribution),
  /** Milliseconds to the first token of the samples that have one. */
  timeToFirstToken: optional(Distribution),
  /** Tokens of the samples, in and out together. */
  tokens: optional(Distribution),
  /** What all subjects used together. */
  used: Used,
  /** What all scorers used together. */
  scoring: Used
})

/** How it went, as a type. @category models */
export type Summary = typeof Summary.Type

/**
 * What was run, in digests: two runs whose parts are equal had the same prompt, model settings, output contract, actions,
 * dataset and scorers. `whole` is made of all parts.
 *
 * @category models
 */
export const Fingerprint = Schema.Struct({
  whole: Schema.String,
  parts: Schema.Record(Schema.String, Schema.String)
})

/** What was run, in digests, as a type. @category models */
export type Fingerprint = typeof Fingerprint.Type

const headFields = {
  format: Schema.Literal(format),
  /** The id of this run. */
  id: Schema.String,
  /** The name of the eval. */
  name: Schema.String,
  /** Milliseconds since 1970. */
  startedAt: Schema.Finite,
  finishedAt: Schema.Finite,
  /** `stopped`: a budget was spent, `reason` says which; `interrupted`: somebody stopped it. What was done is there. */
  status: Schema.Literals(["completed", "stopped", "interrupted"]),
  reason: optional(Schema.String),
  summary: Summary,
  fingerprint: Fingerprint,
  /** The models that answered the subject, in their providers' words. */
  models: Schema.Array(Schema.String),
  dataset: Schema.Struct({
    name: Schema.String,
    /** Of all its cases, those included that were filtered out. */
    digest: Schema.String,
    cases: Schema.Int
  }),
  scorers: Schema.Array(Schema.Struct({ name: Schema.String, threshold: Schema.Finite, definition: Schema.Json })),
  settings: Schema.Struct({
    repeat: Schema.Int,
    concurrency: Schema.Int,
    /** Milliseconds for a try, where they were limited. */
    timeout: optional(Schema.Finite),
    /** How the intervals of `summary` were made. */
    method: Schema.String
  })
}

/** A report without its cases: what lists are made of. @category models */
export const Head = Schema.Struct(headFields)

/** A report without its cases, as a type. @category models */
export type Head = typeof Head.Type

/** The report of a run. @category models */
export const Report = Schema.Struct({ ...headFields, cases: Schema.Array(Case) })

/** The report of a run, as a type. @category models */
export type Report = typeof Report.Type

const decode = Schema.decodeUnknownEffect(Report)

/** Reads a report that was kept, from its JSON. @category reading */
export const fromJson = (json: unknown, source = "the document"): Effect.Effect<Report, ReportInvalid> =>
  Effect.mapError(
    decode(json),
    ({ message }) =>
      new ReportInvalid({
        source,
        detail: `${message}. A report is what Evals.run gives and effigent eval writes, of the format ${format}`
      })
  )

/** Reads a report that was kept, from its text. @category reading */
export const fromText = (text: string, source = "the document"): Effect.Effect<Report, ReportInvalid> =>
  Effect.flatMap(
    Effect.try({
      try: (): unknown => JSON.parse(text),
      catch: (error) => new ReportInvalid({ source, detail: `it is no JSON (${String(error)})` })
    }),
    (json) => fromJson(json, source)
  )

/** The text of a report, as files keep it. @category conversions */
export const toText = (report: Report): string => `${JSON.stringify(report, undefined, 1)}\n`
