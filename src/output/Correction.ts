/** What was wrong with an answer, in words for the model: the body of the OUTPUT CORRECTION section. */
import * as Result from "effect/Result"
import type { Finding } from "./Finding.ts"

/**
 * How much is said.
 *
 * @category models
 */
export interface CorrectionOptions {
  /** The most findings that are listed. Default 8. */
  readonly maxFindings?: number | undefined
  /** The most characters of one line. Default 300. */
  readonly maxLength?: number | undefined
}

// The value of a missing key says nothing; that of a blank one says it all.
const kinds: ReadonlyArray<Finding["kind"]> = ["empty", "invalid", "validator"]

const VALUE = 80

const shorten = (text: string, max: number): string => {
  if (text.length <= max) return text
  // Never half of a surrogate pair.
  const end = /[\uD800-\uDBFF]/.test(text.charAt(max - 2)) ? max - 2 : max - 1
  return `${text.slice(0, end)}…`
}

const valueOf = (finding: Finding): string | undefined => {
  if (finding.value === undefined || !kinds.includes(finding.kind)) return undefined
  const json: Result.Result<string | undefined, unknown> = Result.try(() => JSON.stringify(finding.value))
  return Result.isSuccess(json) && json.success !== undefined ? shorten(json.success, VALUE) : undefined
}

const line = (finding: Finding, max: number): string => {
  const value = valueOf(finding)
  const message = finding.message.replace(/\s*\n\s*/g, " ")
  const where = finding.path === "" || message.includes(finding.path) ? "" : `${finding.path}: `
  const got = value === undefined ? "" : ` (got ${value})`
  return `- ${shorten(where + message, Math.max(1, max - 2 - got.length))}${got}`
}

/**
 * The body of the OUTPUT CORRECTION section: two sentences that ask for a complete replacement, then a line for each
 * finding with its path, what is wrong, and the bad value where it helps.
 *
 * @example
 * ```ts
 * import { Correction } from "effigent"
 *
 * console.log(Correction.render([{ path: "a", kind: "missing", message: "Missing ensure key: a" }]))
 * // => The previous response did not satisfy the declared output contract.
 * // => Return a complete replacement output that fixes every violation below.
 * // => - Missing ensure key: a
 * ```
 *
 * @category rendering
 */
export const render = (findings: ReadonlyArray<Finding>, options: CorrectionOptions = {}): string => {
  const { maxFindings = 8, maxLength = 300 } = options
  const shown = findings.slice(0, maxFindings)
  const more = findings.length - shown.length
  return [
    "The previous response did not satisfy the declared output contract.",
    "Return a complete replacement output that fixes every violation below.",
    ...shown.map((finding) => line(finding, maxLength)),
    ...(more > 0 ? [`- and ${more} more violations`] : [])
  ].join("\n")
}
