/** How an output contract fails: the model did not fulfil it, or the caller named a place that it does not have. */
import * as Schema from "effect/Schema"
import * as Path from "../parse/Path.ts"
import * as Result from "effect/Result"
import { Finding } from "./Finding.ts"
import type { FindingKind } from "./Finding.ts"

// One key of the contract may lack in many items: the message names it once.
const wildcard = (path: string): string =>
  Result.match(Path.parse(path), {
    onFailure: () => path,
    onSuccess: (segments) =>
      Path.print(segments.map((segment) => (typeof segment === "number" ? Path.ANY_ITEM : segment)))
  })

const ensureKinds: ReadonlyArray<FindingKind> = ["missing", "empty", "cut"]

const quoted = (findings: ReadonlyArray<{ readonly path: string }>): string =>
  `[${[...new Set(findings.map(({ path }) => wildcard(path)))].map((path) => `'${path}'`).join(", ")}]`

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`)

/**
 * No attempt fulfilled the output contract, and the budget of corrections is spent.
 *
 * @category errors
 */
export class OutputError extends Schema.TaggedError<OutputError>()("OutputError", {
  /** How many corrections were allowed after the first attempt. */
  maxRetries: Schema.Int,
  /** Each attempt in order: what was wrong, and the beginning of what the model wrote. */
  attempts: Schema.Array(
    Schema.Struct({
      /** 1 for the first attempt. */
      attempt: Schema.Int,
      findings: Schema.Array(Finding),
      /** At most 2,000 characters of the answer. */
      text: Schema.String
    })
  )
}) {
  /** The findings of the last attempt. */
  get findings(): ReadonlyArray<Finding> {
    return this.attempts.at(-1)?.findings ?? []
  }

  /** One or two sentences: what could not be fulfilled, within how many corrections. */
  override get message(): string {
    const within = `within ${this.maxRetries} retries.`
    const ensure = this.findings.filter(({ kind }) => ensureKinds.includes(kind))
    const others = this.findings.filter(({ kind }) => !ensureKinds.includes(kind))
    const [first, ...more] = others
    const rest =
      first === undefined ? "" : `${sentence(first.message)}${more.length === 0 ? "" : ` (and ${more.length} more)`}`
    if (ensure.length > 0)
      return `Can not satisfy ensure keys ${quoted(ensure)} ${within}${rest === "" ? "" : ` ${rest}`}`
    return `Can not satisfy the output contract ${within}${rest === "" ? "" : ` ${rest}`}`
  }
}

/**
 * A path that the output Schema does not have.
 *
 * @category errors
 */
export class OutputPathError extends Schema.TaggedError<OutputPathError>()("OutputPathError", {
  /** The path as it was given. */
  path: Schema.String,
  /** Name of the output Schema. */
  schema: Schema.String,
  /** What is wrong with the path itself, where it cannot be read at all. */
  detail: Schema.optionalKey(Schema.String),
  /** The paths of the Schema that are most like it. */
  nearest: Schema.Array(Schema.String)
}) {
  /** What was asked for, where, and what was probably meant. */
  override get message(): string {
    const paths = this.nearest.map((path) => JSON.stringify(path)).join(", ")
    const hint = paths === "" ? "It has no paths: its value is a scalar." : `Did you mean ${paths}?`
    const what = `The output Schema "${this.schema}" has no path ${JSON.stringify(this.path)}`
    return this.detail === undefined ? `${what}. ${hint}` : `${what}: ${sentence(this.detail)} ${hint}`
  }
}

/**
 * A Standard Schema that cannot be used as an output: it has no JSON Schema, or one that cannot be read.
 *
 * @category errors
 */
export class OutputSourceError extends Schema.TaggedError<OutputSourceError>()("OutputSourceError", {
  /** Name of the library that the schema is from. */
  vendor: Schema.String,
  /** What is wrong, and what to do. */
  detail: Schema.String
}) {
  /** Whose schema, and what is wrong. */
  override get message(): string {
    return `A schema of ${this.vendor} cannot be used as an output: ${this.detail}`
  }
}
