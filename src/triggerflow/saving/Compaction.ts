/** Makes snapshots smaller: what an execution no longer needs is left out, and large values that are final become digests. */
import type { Json } from "effect/Schema"
import * as Digest from "./Digest.ts"
import * as Migration from "./Migration.ts"
import type { Snapshot } from "./Snapshot.ts"

/**
 * What is left out. All of it may be absent.
 *
 * @category models
 */
export interface Options {
  /**
   * Of how many questions that wait no longer it is known how they were answered, the newest. An answer to an older one
   * is refused where the question was given no id; else it is taken for one that comes before its question. Default: of
   * all that an execution remembers, which are the newest 1,000.
   */
  readonly answered?: number | undefined
  /** Keep the entries of the runtime stream, if they are there. Default false. */
  readonly stream?: boolean | undefined
  /**
   * Of an execution that is closed, fields of the state and the result that take at least so many characters as JSON are
   * replaced by their digest. Such a snapshot proves what came out (`matches`), and can be loaded no more. Default: none.
   */
  readonly reduceFrom?: number | undefined
}

/**
 * Leaves out interventions that are settled, the entries of the runtime stream, and what the options name. What an
 * execution needs in order to go on stays.
 *
 * @category conversions
 */
export const compact = (snapshot: Snapshot, options: Options = {}): Snapshot => {
  const { answered = Infinity, reduceFrom, stream } = options
  const { entries, ...place } = snapshot.stream
  const smaller = Migration.mapImages(snapshot, (image) => ({
    ...image,
    interventions: image.interventions.filter(({ status }) => status === "pending" || status === "inserted"),
    answered: image.answered.slice(Math.max(0, image.answered.length - answered))
  }))
  const kept: Snapshot = {
    ...smaller,
    stream: stream === true && entries !== undefined ? { ...place, entries } : place
  }
  return reduceFrom === undefined || snapshot.execution.lifecycle !== "closed" ? kept : reduce(kept, reduceFrom)
}

const reduce = (snapshot: Snapshot, from: number): Snapshot => {
  const reduced: Array<NonNullable<Snapshot["reduced"]>[number]> = [...(snapshot.reduced ?? [])]
  const large = (at: string, json: Json): boolean => {
    const characters = JSON.stringify(json).length
    if (characters < from) return false
    reduced.push({ at, digest: Digest.of(json), characters })
    return true
  }
  const { result, state, ...rest } = snapshot.execution
  const fields = Object.entries(state).filter(([key, json]) => !large(`state.${key}`, json))
  const keep = result !== undefined && !large("result", result)
  const execution = { ...rest, state: Object.fromEntries(fields), ...(keep ? { result } : {}) }
  return reduced.length === 0 ? snapshot : { ...snapshot, execution, reduced }
}

/**
 * Whether JSON is what a snapshot of a closed execution holds at a place (`result`, `state.report`): also where only its
 * digest was kept.
 *
 * @category guards
 */
export const matches = (snapshot: Snapshot, at: string, json: Json): boolean => {
  const { result, state } = snapshot.execution
  const there = at === "result" ? result : at.startsWith("state.") ? state[at.slice("state.".length)] : undefined
  const digest = there === undefined ? snapshot.reduced?.find((one) => one.at === at)?.digest : Digest.of(there)
  return digest !== undefined && digest === Digest.of(json)
}
