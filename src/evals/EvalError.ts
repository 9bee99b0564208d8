/** How datasets, evals and gates fail. How a subject or a scorer fails is kept in the report, and fails nothing else. */
import * as Schema from "effect/Schema"

/** A dataset cannot be read. @category errors */
export class DatasetError extends Schema.TaggedError<DatasetError>()("DatasetError", {
  /** The name of the dataset. */
  dataset: Schema.String,
  /** The line of the JSONL text, or the number of the value, from 1; absent where the fault is of the whole. */
  line: Schema.optionalKey(Schema.Int),
  /** What is wrong, and what to do. */
  detail: Schema.String
}) {
  override get message(): string {
    return `Dataset ${this.dataset}${this.line === undefined ? "" : `, line ${this.line}`}: ${this.detail}`
  }
}

/** An eval is made wrongly: nothing was run. @category errors */
export class EvalInvalid extends Schema.TaggedError<EvalInvalid>()("EvalInvalid", {
  eval: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `Eval ${this.eval}: ${this.detail}`
  }
}

/** A subject or a scorer took longer than the eval allows. @category errors */
export class EvalTimeout extends Schema.TaggedError<EvalTimeout>()("EvalTimeout", {
  /** What took too long: `subject`, or the name of the scorer. */
  of: Schema.String,
  /** Milliseconds. */
  limit: Schema.Finite
}) {
  override get message(): string {
    return `${this.of} took longer than ${this.limit} ms`
  }
}

/** What a scorer gave is no score. @category errors */
export class ScoreInvalid extends Schema.TaggedError<ScoreInvalid>()("ScoreInvalid", {
  scorer: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `Scorer ${this.scorer}: ${this.detail}`
  }
}

/** A document is no report. @category errors */
export class ReportInvalid extends Schema.TaggedError<ReportInvalid>()("ReportInvalid", {
  /** The file, or what else it comes from. */
  source: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.source} is no report: ${this.detail}`
  }
}
