/**
 * What events add up to: the state of a root run and of all runs inside it. The same fold serves a log that keeps its
 * state at hand, a client that attached late, a printer. Linear, in place; `snapshot` gives a copy.
 */
import type { RunEnvelope, RunSnapshot, RunState } from "../../services/Run.ts"

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

interface Growing extends Mutable<Omit<RunState, "actions" | "requests">> {
  readonly actions: Array<RunState["actions"][number]>
  readonly requests: Array<RunState["requests"][number]>
  /** The attempt whose pieces `text` and `reasoning` are made of. */
  attempt: number
}

/** Whether nothing follows this status. @category reading */
export const isOver = ({ status }: Pick<RunState, "status">): boolean =>
  status === "completed" || status === "failed" || status === "cancelled"

/**
 * The state of a root run and of all runs inside it.
 *
 * @example
 * ```ts
 * import { View } from "effigent/run"
 *
 * const about = { at: 0, run: "r", root: "r", depth: 0 }
 * const view = new View.View("r")
 * view.apply({ ...about, sequence: 1, event: { _tag: "RunStarted", role: "main" } })
 * view.apply({ ...about, sequence: 2, event: { _tag: "Text", attempt: 1, text: "Hel" } })
 * view.apply({ ...about, sequence: 3, event: { _tag: "Text", attempt: 1, text: "lo" } })
 * const [root] = view.snapshot().runs
 * console.log(root?.status, root?.text) // => running Hello
 * ```
 *
 * @category models
 */
export class View {
  /** The outermost run. */
  readonly root: string
  /** The last event that was applied; 0 before the first. */
  sequence = 0
  private readonly runs = new Map<string, Growing>()

  /** A run before its first event, or as a snapshot says. */
  constructor(from: string | RunSnapshot) {
    if (typeof from === "string") {
      this.root = from
      this.runs.set(from, pending({ run: from, depth: 0 }))
      return
    }
    this.root = from.root
    this.sequence = from.sequence
    for (const state of from.runs)
      this.runs.set(state.run, { ...state, actions: [...state.actions], requests: [...state.requests] })
  }

  /** A run as it stands now; changes with the events that follow. */
  get(run: string): RunState | undefined {
    return this.runs.get(run)
  }

  /** Takes in an event. What was taken in before is passed over, so that events may overlap with a snapshot. */
  apply({ agent, at, depth, event, parent, run, sequence }: RunEnvelope): void {
    if (sequence <= this.sequence) return
    this.sequence = sequence
    let state = this.runs.get(run)
    if (state === undefined) {
      state = pending({ run, depth })
      this.runs.set(run, state)
    }
    if (agent !== undefined) state.agent = agent
    if (parent !== undefined) state.parent = parent
    if (state.status === "paused") {
      state.status = "running"
      delete state.reason
    }
    switch (event._tag) {
      case "RunStarted":
        state.status = "running"
        state.role = event.role
        state.startedAt = at
        if (event.input !== undefined) state.input = event.input
        return
      case "ModelRequested":
        state.requests.push({
          at,
          attempt: event.attempt,
          ...(event.model === undefined ? {} : { model: event.model })
        })
        return
      case "ModelAnswered": {
        const index = state.requests.findLastIndex(({ attempt }) => attempt === event.attempt)
        const request = state.requests[index]
        if (request !== undefined) state.requests[index] = { ...request, answered: event }
        return
      }
      case "Text":
        begin(state, event.attempt)
        state.text += event.text
        return
      case "Reasoning":
        begin(state, event.attempt)
        state.reasoning += event.text
        return
      case "Restarted":
        begin(state, event.attempt)
        return
      case "ActionStarted":
        state.actions.push({ call: event.call, status: "running" })
        return
      case "ActionEnded": {
        const { call, duration, status } = event.record
        const index = state.actions.findLastIndex((one) => one.status === "running" && one.call.id === call.id)
        if (index < 0) state.actions.push({ call, status, duration })
        else state.actions[index] = { call, status, duration }
        return
      }
      case "RunCompleted":
        state.status = "completed"
        state.endedAt = at
        if (event.value !== undefined) state.value = event.value
        return
      case "RunFailed":
        state.status = "failed"
        state.endedAt = at
        state.failure = { tag: event.tag, message: event.message }
        return
      case "RunCancelled":
        state.status = "cancelled"
        state.endedAt = at
        if (event.reason !== undefined) state.reason = event.reason
        return
      case "RunPaused":
        state.status = "paused"
        if (event.reason !== undefined) state.reason = event.reason
    }
  }

  /** All that there is now, as plain data that does not change any more. */
  snapshot(): RunSnapshot {
    return {
      sequence: this.sequence,
      root: this.root,
      runs: Array.from(this.runs.values(), (state) => ({
        ...state,
        actions: [...state.actions],
        requests: [...state.requests]
      }))
    }
  }
}

const pending = ({ depth, run }: Pick<RunState, "run" | "depth">): Growing => ({
  run,
  depth,
  role: "main",
  status: "pending",
  attempt: 0,
  text: "",
  reasoning: "",
  actions: [],
  requests: []
})

// Texts of two attempts are never glued together.
const begin = (state: Growing, attempt: number): void => {
  if (state.attempt >= attempt) return
  state.attempt = attempt
  state.text = ""
  state.reasoning = ""
}
