/**
 * A run of an agent as the page knows it: read from the server's stream of events, drawn at most once per frame. Taking
 * in a piece of text appends it and no more.
 */
import type { ActionCall, ActionRecord } from "../../../../../services/Action.ts"
import type { RunEnvelope, RunEvent, RunState } from "../../../../../services/Run.ts"
import { View } from "../../../../../src/run/View.ts"
import type { Waiting } from "../../Api.ts"
import { FrameStore } from "../data/FrameStore.ts"
import { GrowingText } from "../data/GrowingText.ts"
import { Fields } from "./Fields.ts"

type Call = typeof ActionCall.Type
type Record = typeof ActionRecord.Type

/** A call as it is shown. */
export interface CallState {
  readonly call: Call
  readonly run: string
  readonly at: number
  /** Absent while it is at work. */
  readonly record?: Record
  readonly progress?: unknown
  /** Asked for approval; `decision` once somebody decided. */
  readonly waiting?: Waiting
  readonly decision?: string
}

/** An answer that was void: it did not fit what was asked for. */
export interface Correction {
  readonly attempt: number
  readonly reason: string
}

export class RunStore extends FrameStore {
  readonly run: string
  readonly text = new GrowingText()
  readonly reasoning = new GrowingText()
  readonly fields = new Fields()
  readonly calls = new Map<string, CallState>()
  readonly corrections: Array<Correction> = []
  /** Why the stream cannot be read. */
  trouble: string | undefined
  /** Whether all of it has been read. */
  isOver = false
  private readonly view: View
  private attempt = 0
  // The run that speaks: where the server asks the agent in a run of its own, that is the first one inside.
  private voice: string

  constructor(run: string) {
    super()
    this.run = run
    this.voice = run
    this.view = new View(run)
  }

  /** Where the outermost run stands. */
  get state(): RunState | undefined {
    return this.view.get(this.run)
  }

  /** What was asked of a model to answer. */
  get requests(): RunState["requests"] {
    return this.view.get(this.voice)?.requests ?? []
  }

  /** Reads the stream, from where it was left. `ended` is called once there is nothing more to read. */
  open(ended?: () => void): void {
    if (this.source !== undefined || this.isOver) return
    const source = new EventSource(`/api/runs/${encodeURIComponent(this.run)}/events`)
    this.source = source
    const finish = (trouble?: string): void => {
      source.close()
      this.source = undefined
      this.isOver = trouble === undefined
      this.trouble = trouble
      this.soon()
      ended?.()
    }
    source.addEventListener("message", (event: MessageEvent<string>) => {
      // The contract says that these events are envelopes.
      this.take(JSON.parse(event.data) as RunEnvelope)
      this.soon()
    })
    source.addEventListener("end", () => finish())
    source.addEventListener("closing", () =>
      finish("The server was closed. Start effigent studio again, and reload this page.")
    )
    source.addEventListener("problem", () => finish("The server could not tell this run to its end. Reload this page."))
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED)
        finish("This run is no longer kept by the server. Its trace may still be there.")
      else if (this.trouble === undefined) {
        this.trouble = "The connection was lost; trying again."
        this.soon()
      }
    })
    source.addEventListener("open", () => {
      if (this.trouble === undefined) return
      this.trouble = undefined
      this.soon()
    })
  }

  private take(envelope: RunEnvelope): void {
    if (envelope.sequence <= this.view.sequence) return
    this.view.apply(envelope)
    const { at, event, parent, run } = envelope
    if (event._tag === "RunStarted" && parent === this.run && this.voice === this.run) this.voice = run
    this.takeCall(event, run, at)
    if (run !== this.run && run !== this.voice) return
    if (event._tag === "Text" || event._tag === "Reasoning") {
      if (event.attempt > this.attempt) this.begin(event.attempt)
      if (event._tag === "Text") this.text.append(event.text)
      else this.reasoning.append(event.text)
    } else if (event._tag === "Restarted") {
      if (!this.corrections.some(({ attempt }) => attempt === event.attempt))
        this.corrections.push({ attempt: event.attempt, reason: event.reason })
      this.begin(event.attempt)
    } else if (event._tag === "Custom" && event.name === "field") this.fields.take(event.value)
    else if (event._tag === "RunCompleted" && event.value !== undefined && run === this.run)
      this.fields.settle(event.value)
  }

  // Texts of two attempts are never glued together.
  private begin(attempt: number): void {
    this.attempt = attempt
    this.text.clear()
    this.reasoning.clear()
  }

  private takeCall(event: RunEvent, run: string, at: number): void {
    if (event._tag === "ActionStarted") {
      const { call } = event
      // A call that waits for approval may be told of before it begins.
      this.calls.set(keyOf(run, call.id), { ...this.calls.get(keyOf(run, call.id)), call, run, at })
    } else if (event._tag === "ActionProgress") {
      const key = keyOf(run, event.call.id)
      const before = this.calls.get(key)
      if (before !== undefined) this.calls.set(key, { ...before, progress: event.value })
    } else if (event._tag === "ActionEnded") {
      const { record } = event
      const key = keyOf(run, record.call.id)
      this.calls.set(key, { at: record.at, ...this.calls.get(key), call: record.call, run, record })
    } else if (event._tag === "Custom" && event.name === "approval") {
      // The contract says what this event carries.
      const waiting = event.value as unknown as Waiting
      const { call } = waiting.request
      const key = keyOf(run, call.id)
      this.calls.set(key, { at, ...this.calls.get(key), call, run, waiting })
    } else if (event._tag === "Custom" && event.name === "approval-decided") {
      // The contract says what this event carries.
      const { decision, id } = event.value as { readonly id: string; readonly decision: { readonly _tag: string } }
      for (const [key, one] of this.calls)
        if (one.waiting?.id === id) this.calls.set(key, { ...one, decision: decision._tag })
    }
  }
}

const keyOf = (run: string, call: string): string => `${run} ${call}`
