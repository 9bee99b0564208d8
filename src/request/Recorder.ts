/**
 * Keeps the books of a response while it runs: writes what the model sends to the transcript, and knows how each
 * attempt began and ended. Synchronous; the clock is read through the function that it is given.
 */
import type { ActionEvent } from "../../services/Action.ts"
import type { ModelEvent, OutputFormat, Usage } from "../../services/ModelProvider.ts"
import type { Finding } from "../output/Finding.ts"
import type { Status } from "../parse/InstantEvent.ts"
import type { ToolCall } from "./Acting.ts"
import type { Attempt, FullResponse, ResponseMeta, Thought } from "./ModelResponse.ts"
import type { Transcript } from "./Transcript.ts"

const add = (a: number | undefined, b: number | undefined) => (a === undefined ? b : b === undefined ? a : a + b)

// A seal stands behind the words that it belongs to, and `end` says where they end.
interface Seal extends Omit<Thought, "text"> {
  readonly end: number
}

const thoughtsOf = (reasoning: string, seals: ReadonlyArray<Seal>): ReadonlyArray<Thought> => {
  const thoughts: Array<Thought> = []
  let start = 0
  for (const { end, redacted, signature, vendor } of seals) {
    const by = vendor === undefined ? {} : { vendor }
    const text = reasoning.slice(start, end)
    start = end
    // What is hidden has no words: those before it are a thought of their own.
    if (redacted !== undefined && text !== "") thoughts.push({ text })
    thoughts.push(redacted === undefined ? { text, signature, ...by } : { text: "", redacted, ...by })
  }
  if (start < reasoning.length) thoughts.push({ text: reasoning.slice(start) })
  return thoughts
}

const addUsage = (a: Usage, b: Usage): Usage => ({
  inputTokens: add(a.inputTokens, b.inputTokens),
  cachedInputTokens: add(a.cachedInputTokens, b.cachedInputTokens),
  cacheWriteInputTokens: add(a.cacheWriteInputTokens, b.cacheWriteInputTokens),
  outputTokens: add(a.outputTokens, b.outputTokens),
  reasoningTokens: add(a.reasoningTokens, b.reasoningTokens)
})

/** The tokens of attempts together. @category measuring */
export const totalUsage = (attempts: ReadonlyArray<Pick<Attempt, "usage">>): Usage =>
  attempts.length === 0 ? {} : attempts.map((attempt) => attempt.usage).reduce(addUsage)

const modelWroteJson = "the model wrote JSON"

// What goes into the transcript.
type Sent = Exclude<ModelEvent, { readonly _tag: "Restarted" }>

/**
 * The books of one response whose data are an `A`.
 *
 * @category models
 */
export class Recorder<A> {
  /** The number of the attempt under way or last; 0 before the first. */
  attempt = 0
  /** The whole, once it is complete; set before the transcript says so. */
  full: FullResponse<A> | undefined
  private isOpen = false
  /** The attempts that have ended, in order. */
  readonly ended: Array<Attempt> = []
  // What was asked for besides the answer.
  private besides: Usage = {}
  /** Why each attempt that another one followed did not stand, in order. */
  readonly restarts: Array<string> = []
  private startedAt = 0
  private beganAt = 0
  private position: ReturnType<Transcript["position"]>
  private usage: Usage = {}
  // Tokens of attempts that a replaying provider gave up since the request was sent.
  private replayed: Usage = {}
  private refusal = ""
  private reasoned = 0
  private seals: Array<Seal> = []
  /** What the model has called in the attempt under way, in the order of its calls. */
  calls: Array<ToolCall> = []
  private format: OutputFormat = "json"
  private finishReason: Attempt["finishReason"]
  private id: string | undefined
  private model: string | undefined
  private firstTokenAt: number | undefined
  private firstAt: number | undefined
  private wasSent = false
  /** Why the answer under way is JSON, should it have been asked for in another format. */
  whyJson = modelWroteJson
  // What the model sends in an attempt that repairs: readers see the whole value instead, once it is known.
  private hidden: Array<Sent> | undefined
  private readonly transcript: Transcript
  private readonly now: () => number

  /** `now` gives monotonic milliseconds. */
  constructor(transcript: Transcript, now: () => number) {
    this.transcript = transcript
    this.now = now
    this.position = transcript.position()
  }

  /**
   * Begins the next attempt, which is read in this format. One that repairs asks for parts alone; what the model sends is
   * held back until `reveal`, which gives the whole as JSON.
   */
  begin(format: OutputFormat, repairs: boolean): void {
    this.format = repairs ? "json" : format
    this.replayed = {}
    this.wasSent = false
    this.next(repairs)
  }

  /** Notes that the request of this attempt goes out to the provider. */
  sent(): void {
    this.wasSent = true
  }

  /** What the request of this attempt has used so far, and whom it asked; absent where none was sent. */
  spent(): { readonly usage: Usage; readonly model: string | undefined } | undefined {
    return this.wasSent ? { usage: addUsage(this.replayed, this.usage), model: this.model } : undefined
  }

  private replay(): void {
    this.replayed = addUsage(this.replayed, this.usage)
    this.next(this.hidden !== undefined)
  }

  private next(repairs: boolean): void {
    this.hidden = repairs ? [] : undefined
    this.attempt++
    this.isOpen = true
    this.beganAt = this.now()
    if (this.attempt === 1) this.startedAt = this.beganAt
    this.position = this.transcript.position()
    this.usage = {}
    this.refusal = ""
    this.reasoned = 0
    this.seals = []
    this.calls = []
    this.finishReason = undefined
    this.whyJson = modelWroteJson
    this.id = undefined
    this.model = undefined
    this.firstTokenAt = undefined
    this.transcript.mark({ _tag: "Begun", attempt: this.attempt, format: this.format })
    this.transcript.flush()
  }

  /** Takes in what came with one network read. A provider that replays ends one attempt and begins the next. */
  readonly receiveAll = (events: ReadonlyArray<ModelEvent>): void => {
    for (const event of events) this.receive(event)
    this.transcript.flush()
  }

  /** The text that was held back since the attempt began. */
  hiddenText(): string {
    return (this.hidden ?? []).map((event) => (event._tag === "Text" ? event.text : "")).join("")
  }

  /**
   * Lets readers see the attempt that repairs: this text as the answer, then all else that the model sent. Does nothing
   * in any other attempt.
   */
  reveal(text: string): void {
    const events = this.hidden
    if (events === undefined) return
    this.hidden = undefined
    this.transcript.text(text)
    for (const event of events) if (event._tag !== "Text") this.write(event)
    this.transcript.flush()
  }

  /** The attempt under way as it stands, with what was wrong with it. */
  current(findings: ReadonlyArray<Finding>): Attempt {
    const reasoning = this.transcript.reasoningSince(this.position.reasoning)
    return {
      attempt: this.attempt,
      text: this.transcript.textSince(this.position.text),
      reasoning,
      thoughts: thoughtsOf(reasoning, this.seals),
      refusal: this.refusal,
      findings,
      finishReason: this.finishReason,
      usage: this.usage,
      id: this.id,
      model: this.model,
      timeToFirstToken: this.firstTokenAt === undefined ? undefined : this.firstTokenAt - this.beganAt,
      duration: this.now() - this.beganAt
    }
  }

  /** Ends the attempt; another follows. */
  restart(attempt: Attempt, reason: string): void {
    this.ended.push(attempt)
    this.restarts.push(reason)
    this.status("failed", reason, true)
  }

  /** Ends an attempt in which the model called instead of answering; another follows. */
  acted(attempt: Attempt, reason: string): void {
    this.ended.push(attempt)
    this.restarts.push(reason)
    this.status("acted", reason, true)
  }

  /** Counts tokens that were used besides those of the attempts: by plans of what to do. */
  readonly charge = (usage: Usage): void => {
    this.besides = addUsage(this.besides, usage)
  }

  /** Tells what happens to a call. */
  readonly tell = (event: ActionEvent): void => {
    this.transcript.mark(event)
    this.transcript.flush()
  }

  /** Takes a text as the answer of the attempt under way, for which no model is asked. */
  answer(text: string): void {
    this.receiveAll([...(text === "" ? [] : [{ _tag: "Text", text } as const]), { _tag: "Finish", reason: "stop" }])
  }

  /** Ends the attempt and the response without success. Gives every attempt. */
  fail(attempt: Attempt | undefined, reason: string): ReadonlyArray<Attempt> {
    this.reveal(this.hiddenText())
    if (attempt !== undefined) this.ended.push(attempt)
    this.status("failed", reason, false)
    return this.ended
  }

  /** Ends the attempt with the response's data. Readers are told by `complete`. */
  succeed(
    attempt: Attempt,
    data: A,
    facts: Pick<ResponseMeta, "provider" | "native" | "format" | "formatFallback" | "actions">
  ): FullResponse<A> {
    this.ended.push(attempt)
    const { finishReason, id, model, reasoning, text } = attempt
    const meta: ResponseMeta = {
      ...facts,
      id,
      model,
      finishReason,
      usage: addUsage(this.besides, totalUsage(this.ended)),
      timeToFirstToken: this.firstAt === undefined ? undefined : this.firstAt - this.startedAt,
      duration: this.now() - this.startedAt,
      attempts: this.ended.map(
        ({ text: _text, reasoning: _reasoning, thoughts: _thoughts, refusal: _refusal, ...rest }) => rest
      )
    }
    this.full = { data, text, reasoning, attempts: [...this.ended], meta }
    return this.full
  }

  /** Ends the response well. */
  complete(): void {
    this.status("completed", undefined, false)
  }

  private receive(event: ModelEvent): void {
    switch (event._tag) {
      case "Text":
      case "Reasoning":
        this.firstTokenAt ??= this.now()
        this.firstAt ??= this.firstTokenAt
        break
      case "Restarted":
        this.restart(this.current([]), event.reason)
        return this.replay()
      case "Usage":
        this.usage = event.usage
        break
      case "Finish":
        this.finishReason = event.reason
        break
      case "Refusal":
        this.refusal += event.text
        break
      case "ToolCall":
        this.calls.push({ id: event.id, name: event.name, arguments: event.arguments, input: event.input })
        break
      case "Info":
        this.id = event.id ?? this.id
        this.model = event.model ?? this.model
        break
    }
    if (this.hidden === undefined) this.write(event)
    else this.hidden.push(event)
  }

  private write(event: Sent): void {
    if (event._tag === "Text") return this.transcript.text(event.text)
    if (event._tag !== "Reasoning") return this.transcript.mark(event)
    this.transcript.reasoning(event.text)
    this.reasoned += event.text.length
    if (event.signature === undefined && event.redacted === undefined) return
    const { redacted, signature, vendor } = event
    this.seals.push({ end: this.reasoned, signature, redacted, vendor })
    this.transcript.mark({ ...event, text: "" })
  }

  private status(state: Status["state"], reason: string | undefined, retry: boolean): void {
    this.isOpen = false
    this.transcript.mark({
      _tag: "Status",
      path: "$status",
      attempt: this.attempt,
      state,
      retry,
      nextAttempt: retry ? this.attempt + 1 : undefined,
      reason
    })
  }

  /** Ends the attempt under way, if there is one, which nobody else will end. */
  abandon(state: "cancelled" | "failed", reason: string | undefined): void {
    if (!this.isOpen) return
    if (!this.isTold) this.ended.push(this.current([]))
    this.reveal(this.hiddenText())
    this.status(state, reason, false)
  }

  /** The attempts so far, the one under way included. */
  soFar(): ReadonlyArray<Attempt> {
    return this.isOpen && !this.isTold ? [...this.ended, this.current([])] : this.ended
  }

  // An attempt that was accepted stands among those that have ended before readers are told so.
  private get isTold(): boolean {
    return this.ended.at(-1)?.attempt === this.attempt
  }
}
