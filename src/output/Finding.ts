/** What is wrong with an answer: one place, one sentence. */
import * as Schema from "effect/Schema"

/**
 * What was found. `parse`: no value in the answer; `missing`: a key is absent; `empty`: a value is null, blank or empty
 * where it must not be; `cut`: the answer ended inside the value; `invalid`: the Schema rejects the value; `extra`: a key
 * that the Schema does not know where only its own are allowed; `validator`: a validator rejects the answer.
 *
 * @category models
 */
export const FindingKind = Schema.Literals(["parse", "missing", "empty", "cut", "invalid", "extra", "validator"])

/** What was found, as a type. @category models */
export type FindingKind = typeof FindingKind.Type

/**
 * One thing that is wrong with an answer.
 *
 * @category models
 */
export const Finding = Schema.Struct({
  /** Where, in dot style: `items[2].name`. The root is the empty string. What is missing below a missing array is a wildcard. */
  path: Schema.String,
  /** What kind of fault. */
  kind: FindingKind,
  /** A sentence that stands alone, for a person and for the model. */
  message: Schema.String,
  /** The value at fault, where there is one. */
  value: Schema.optionalKey(Schema.Unknown)
})

/** One thing that is wrong with an answer, as a type. @category models */
export interface Finding {
  readonly path: string
  readonly kind: FindingKind
  readonly message: string
  readonly value?: unknown
}
