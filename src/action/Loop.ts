/**
 * The loop as data: which calls of a round may run, what a round changes, when the loop ends. Pure, and its state is
 * JSON: the loop inside a response and the one that is a flow, which can be saved between any two calls, both step
 * through it.
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { type ActionCall, ActionRound, LoopStatus } from "../../services/Action.ts"
import type { Json } from "../../services/Json.ts"
import { isFailure } from "../agent/Messages.ts"
import type { Said, ToolCall } from "../request/Acting.ts"

/**
 * How far a loop goes. At a limit the model is asked one last time with its tools off, and the status says which it was.
 *
 * @category models
 */
export interface Limits {
  /** Rounds in which the model calls. Default 25. */
  readonly rounds?: number | undefined
  /** Calls of all rounds together, those that were not run because they were wrong included. Default 100. */
  readonly calls?: number | undefined
  /** How long the loop may act; a call that is at work then is stopped. A model's answer is not cut. Default: no limit. */
  readonly time?: Duration.Input | undefined
  /**
   * After how many rounds in a row in which the same actions were called and every call failed the loop ends. Default 3.
   */
  readonly failures?: number | undefined
}

/** Limits with all defaults; `time` in milliseconds. @category models */
export interface Bounds {
  readonly rounds: number
  readonly calls: number
  readonly time: number
  readonly failures: number
}

/** The limits with all defaults. @category constructors */
export const boundsOf = (limits: Limits): Bounds => ({
  rounds: limits.rounds ?? 25,
  calls: limits.calls ?? 100,
  time: limits.time === undefined ? Infinity : Duration.toMillis(Duration.fromInputUnsafe(limits.time)),
  failures: limits.failures ?? 3
})

/**
 * Where a loop stands.
 *
 * @category models
 */
export const LoopState = Schema.Struct({
  rounds: Schema.Array(ActionRound),
  /** The actions of the last round, where all its calls failed, and how many such rounds there were in a row. */
  failing: Schema.Struct({ actions: Schema.String, times: Schema.Int }),
  /** Names of on-demand actions that the model has found. */
  found: Schema.Array(Schema.String),
  /** How it ended, or what limit was reached; absent while calls are taken. */
  status: Schema.optionalKey(LoopStatus)
})

/** Where a loop stands, as a type. @category models */
export type LoopState = typeof LoopState.Type

/** A loop before its first round. @category constructors */
export const start: LoopState = { rounds: [], failing: { actions: "", times: 0 }, found: [] }

/**
 * A call, and why it must not run where a limit forbids it.
 *
 * @category models
 */
export interface Admitted {
  readonly call: ActionCall
  readonly skip: string | undefined
}

// How often each action was called that was there. A model may make up any name, so that this is a Map.
const countsOf = (rounds: LoopState["rounds"]): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const { records } of rounds) {
    for (const { call, status } of records) {
      if (status !== "skipped" && status !== "unknown") counts.set(call.action, (counts.get(call.action) ?? 0) + 1)
    }
  }
  return counts
}

const totalOf = (rounds: LoopState["rounds"]): number =>
  rounds.reduce((sum, { records }) => sum + records.filter(({ status }) => status !== "skipped").length, 0)

// What a model passes that has no JSON form stands in the record as it wrote it.
const inputOf = (call: ToolCall): Json => (call.input === undefined ? call.arguments : call.input)

/**
 * Gives the calls of a round their place in the run and says which of them may run. `maxCalls` is the limit of an action.
 *
 * @category stepping
 */
export const admit = (
  state: LoopState,
  bounds: Bounds,
  said: Pick<Said, "calls">,
  maxCalls: (action: string) => number | undefined
): ReadonlyArray<Admitted> => {
  const round = state.rounds.length + 1
  const used = new Set(state.rounds.flatMap((before) => before.records.map((record) => record.call.id)))
  const counts = countsOf(state.rounds)
  let made = totalOf(state.rounds)
  return said.calls.map((given, index) => {
    // Ids tie results to calls, so that each is given once; some providers give none, or the same one again.
    let id = given.id === "" ? `call_${round}_${index}` : given.id
    for (let n = 1; used.has(id); n++) id = `call_${round}_${index}${n === 1 ? "" : `_${n}`}`
    used.add(id)
    const call: ActionCall = { id, action: given.name, input: inputOf(given), round, index }
    const own = counts.get(given.name) ?? 0
    const max = maxCalls(given.name)
    if (made >= bounds.calls) return { call, skip: `the limit of ${bounds.calls} calls is reached` }
    if (max !== undefined && own >= max) {
      return { call, skip: `the limit of ${max} calls of ${given.name} is reached; do not call it again` }
    }
    made++
    counts.set(given.name, own + 1)
    return { call, skip: undefined }
  })
}

/**
 * What a round makes of the loop. `elapsed`: milliseconds since the loop began.
 *
 * @category stepping
 */
export const settle = (state: LoopState, bounds: Bounds, round: ActionRound, elapsed: number): LoopState => {
  const rounds = [...state.rounds, round]
  const actions = round.records.every(isFailure)
    ? [...new Set(round.records.map(({ call }) => call.action))].toSorted().join("\n")
    : ""
  const times = actions === "" ? 0 : actions === state.failing.actions ? state.failing.times + 1 : 1
  const status =
    times >= bounds.failures
      ? "failures"
      : totalOf(rounds) >= bounds.calls
        ? "calls"
        : rounds.length >= bounds.rounds
          ? "rounds"
          : elapsed >= bounds.time
            ? "time"
            : undefined
  return {
    rounds,
    failing: { actions, times },
    found: state.found,
    ...(status === undefined ? {} : { status })
  }
}
