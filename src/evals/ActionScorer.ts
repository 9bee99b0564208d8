/** Scorers of what a subject does: the calls that were expected, those that must not be, and what they cost. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Json } from "../../services/Json.ts"
import * as Matching from "./Matching.ts"
import { tokensOf } from "./Meter.ts"
import type { Call } from "./Report.ts"
import * as Scorer from "./Scorer.ts"

/**
 * A call that is expected.
 *
 * @category models
 */
export interface ExpectedCall {
  readonly action: string
  /**
   * What its input has to be: values that it has to have (objects may have more keys), or a Schema that it decodes by.
   * Default: anything.
   */
  readonly input?: Json | Schema.Codec<unknown, unknown> | undefined
}

/**
 * What is asked of the calls of a subject.
 *
 * @category models
 */
export interface CallOptions<in I, in A, in X> extends Scorer.Common {
  /** The calls; a text is a call of this action with any input. A function makes them of the case. */
  readonly expected?:
    | ReadonlyArray<string | ExpectedCall>
    | ((answered: Scorer.Answered<I, A, X>) => ReadonlyArray<string | ExpectedCall>)
    | undefined
  /** Whether they have to come in this order, others between them or not. Default `any`. */
  readonly order?: "any" | "sequence" | undefined
  /** Whether other calls may be made. Default true. */
  readonly others?: boolean | undefined
  /** Actions that must not be called. */
  readonly forbidden?: ReadonlyArray<string> | undefined
  /** Whether calls may end otherwise than in success: `failed`, `invalid`, `denied`, ... Default false. */
  readonly failures?: boolean | undefined
}

const isSchema = (value: unknown): value is Schema.Codec<unknown, unknown> => Schema.isSchema(value)

const fits = ({ action, input }: ExpectedCall, call: Call): boolean =>
  action === call.action &&
  (input === undefined ||
    (isSchema(input)
      ? Schema.decodeUnknownResult(input)(call.input)._tag === "Success"
      : Matching.covers(call.input, input)))

const shown = ({ action, input }: ExpectedCall): string =>
  input === undefined || isSchema(input) ? action : `${action} ${JSON.stringify(input)}`

// The calls that answer the expected ones: by index of the call, -1 for none.
const inSequence = (expected: ReadonlyArray<ExpectedCall>, calls: ReadonlyArray<Call>): Array<number> => {
  let from = 0
  return expected.map((one) => {
    const at = calls.findIndex((call, index) => index >= from && fits(one, call))
    if (at >= 0) from = at + 1
    return at
  })
}

// The most pairs: an expected call may take the call of another one that finds a further call (Kuhn's algorithm).
const inAnyOrder = (expected: ReadonlyArray<ExpectedCall>, calls: ReadonlyArray<Call>): Array<number> => {
  const takenBy = Array.from(calls, () => -1)
  const place = (one: number, seen: Set<number>): boolean => {
    const wanted = expected[one]
    if (wanted === undefined) return false
    for (const [at, call] of calls.entries()) {
      if (seen.has(at) || !fits(wanted, call)) continue
      seen.add(at)
      const other = takenBy[at] ?? -1
      if (other < 0 || place(other, seen)) {
        takenBy[at] = one
        return true
      }
    }
    return false
  }
  for (const one of expected.keys()) place(one, new Set())
  return expected.map((_, one) => takenBy.indexOf(one))
}

const definitionOf = ({ input, action }: ExpectedCall): Json => ({
  action,
  input: input === undefined ? null : isSchema(input) ? Scorer.jsonSchema(input) : input
})

const listOf = (calls: ReadonlyArray<string | ExpectedCall>): ReadonlyArray<ExpectedCall> =>
  calls.map((one) => (typeof one === "string" ? { action: one } : one))

/**
 * How reliably a subject calls its actions: the part of the expected calls that were made, in any order or in theirs, with
 * inputs that fit. The score is 0 where a forbidden action was called, where another one was and may not, or where a call
 * failed and may not.
 *
 * @category scorers
 */
export const actions = <I = unknown, A = unknown, X = unknown>(
  options: CallOptions<I, A, X>
): Scorer.Scorer<I, A, X> => {
  const { expected = [], failures = false, forbidden = [], order = "any", others = true } = options
  return Scorer.fromParts({
    name: options.name ?? "actions",
    threshold: options.threshold ?? 1,
    definition: {
      kind: "actions",
      expected: typeof expected === "function" ? "of the case" : listOf(expected).map(definitionOf),
      order,
      others,
      forbidden,
      failures
    },
    score: (answered) =>
      Effect.sync((): Scorer.Score => {
        const wanted = listOf(typeof expected === "function" ? expected(answered) : expected)
        const calls = answered.actions
        const places = order === "sequence" ? inSequence(wanted, calls) : inAnyOrder(wanted, calls)
        const missing = wanted.filter((_, at) => (places[at] ?? -1) < 0)
        const banned = calls.filter(({ action }) => forbidden.includes(action))
        const besides = others ? [] : calls.filter((_, at) => !places.includes(at))
        const failed = failures ? [] : calls.filter(({ status }) => status !== "success")
        const names = (list: ReadonlyArray<Call>) => list.map(({ action }) => action).join(", ")
        const reasons = [
          banned.length === 0 ? "" : `forbidden: ${names(banned)}`,
          failed.length === 0
            ? ""
            : `failed: ${failed.map(({ action, status }) => `${action} (${status})`).join(", ")}`,
          missing.length === 0
            ? ""
            : `not called${order === "sequence" ? " in this order" : ""}: ${missing.map(shown).join(", ")}`,
          besides.length === 0 ? "" : `called besides: ${names(besides)}`
        ].filter((reason) => reason !== "")
        const isBad = banned.length + failed.length + besides.length > 0
        return {
          score: isBad ? 0 : wanted.length === 0 ? 1 : 1 - missing.length / wanted.length,
          details: { called: calls.map(({ action }) => action), missing: missing.map(({ action }) => action) },
          ...(reasons.length === 0 ? {} : { reason: reasons.join("; ") })
        }
      })
  })
}

const within = (
  kind: string,
  unit: string,
  limit: number,
  common: Scorer.Common,
  of: (answered: Scorer.Answered<unknown, unknown, unknown>) => number | undefined
): Scorer.Scorer<unknown, unknown, unknown> =>
  Scorer.fromParts({
    name: common.name ?? kind,
    threshold: common.threshold ?? 1,
    definition: { kind, limit },
    score: (answered) =>
      Effect.sync((): Scorer.Score => {
        const value = of(answered)
        if (value === undefined) return { score: null, reason: "was not measured" }
        const details = { value, limit }
        if (value <= limit) return { score: 1, details }
        return {
          score: limit > 0 ? limit / value : 0,
          details,
          reason: `${Math.round(value * 1e6) / 1e6}${unit}, more than ${limit}${unit}`
        }
      })
  })

/**
 * The answer came within so many milliseconds. Each scorer of performance gives 1 within its limit, else the limit divided
 * by the value, and passes within its limit; the report tells how all values are spread, too.
 *
 * @category performance
 */
export const latency = (limit: number, common: Scorer.Common = {}): Scorer.Scorer<unknown, unknown, unknown> =>
  within("latency", " ms", limit, common, ({ duration }) => duration)

/** The first token came within so many milliseconds; does not apply where no model answered. @category performance */
export const timeToFirstToken = (limit: number, common: Scorer.Common = {}): Scorer.Scorer<unknown, unknown, unknown> =>
  within("timeToFirstToken", " ms", limit, common, ({ used }) => used.timeToFirstToken)

/** At most so many tokens, in and out together, of all tries. @category performance */
export const tokens = (limit: number, common: Scorer.Common = {}): Scorer.Scorer<unknown, unknown, unknown> =>
  within("tokens", " tokens", limit, common, ({ used }) => tokensOf(used))

/** At most so much money, by the `cost` of the eval; does not apply where it has none. @category performance */
export const cost = (limit: number, common: Scorer.Common = {}): Scorer.Scorer<unknown, unknown, unknown> =>
  within("cost", "", limit, common, ({ used }) => used.cost)

/** At most so many requests to models: corrections, rounds of actions and retries count. @category performance */
export const requests = (limit: number, common: Scorer.Common = {}): Scorer.Scorer<unknown, unknown, unknown> =>
  within("requests", " requests", limit, common, ({ used }) => used.requests)

/** At most so many runs of the subject, retries of the eval included. @category performance */
export const tries = (limit: number, common: Scorer.Common = {}): Scorer.Scorer<unknown, unknown, unknown> =>
  within("tries", " tries", limit, common, (answered) => answered.tries)
