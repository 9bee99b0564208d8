/**
 * Traces in memory: trees of spans, bounded in number and in bytes; the oldest are dropped, and counted. Synchronous, so
 * that capturing costs what it has to and no more.
 */
import type { RunUsage } from "../../../services/Run.ts"
import { addUsage, type UsageSums } from "../../../src/run/UsageSums.ts"
import type { Json } from "../../../services/Json.ts"
import type * as Api from "./Api.ts"

/** How much is kept. @category models */
export interface Bounds {
  /** Traces. Default 1,000. */
  readonly traces?: number | undefined
  /** Spans of all traces. Default 500,000. */
  readonly spans?: number | undefined
  /** Spans of one trace. Default 200,000; what comes after is counted only. */
  readonly spansPerTrace?: number | undefined
  /** Bytes of all traces, about. Default 128 MiB. */
  readonly bytes?: number | undefined
}

type Kind = Api.SpanRow["kind"]
type Status = Api.SpanRow["status"]

/** What is known of a span only where it is asked for by itself. @category models */
export interface Content {
  input?: Json
  output?: Json
  request?: Api.RenderedRequest
  response?: Api.ModelResponse
  truncated?: boolean
}

/** What is known of a span when it begins. @category models */
export interface Opening {
  readonly kind: Kind
  readonly name: string
  /** When, in milliseconds since 1970. */
  readonly at: number
  readonly attributes?: { readonly [key: string]: Json } | undefined
  readonly attempt?: number | undefined
  readonly model?: string | undefined
  readonly run?: string | undefined
  readonly execution?: string | undefined
}

/** What a span came to. @category models */
export interface Ending {
  readonly at: number
  readonly status: Exclude<Status, "running">
  readonly error?: { readonly tag: string; readonly message: string } | undefined
}

const emptySpan = 400
/** Characters of the message of an error that are left where a span gives up its content. */
const shortMessage = 100

/** A span. @category models */
export class Span {
  readonly trace: Trace
  readonly id: string
  readonly parent: Span | undefined
  readonly depth: number
  readonly kind: Kind
  readonly name: string
  readonly at: number
  readonly attempt: number | undefined
  readonly children: Array<Span> = []
  descendants = 0
  model: string | undefined
  status: Status = "running"
  endedAt: number | undefined
  error: Ending["error"]
  usage: RunUsage | undefined
  cost: number | undefined
  timeToFirstToken: number | undefined
  readonly attributes: { [key: string]: Json }
  readonly events: Array<Api.SpanDetail["events"][number]> = []
  content: Content = {}
  /** About what it takes of the memory. */
  size = emptySpan

  constructor(trace: Trace, id: string, parent: Span | undefined, about: Opening) {
    this.trace = trace
    this.id = id
    this.parent = parent
    this.depth = parent === undefined ? 0 : parent.depth + 1
    this.kind = about.kind
    this.name = about.name
    this.at = about.at
    this.attempt = about.attempt
    this.model = about.model
    this.attributes = { ...about.attributes }
  }
}

/** A tree of spans. @category models */
export class Trace {
  readonly id: string
  /** Its place among all traces. */
  readonly number: number
  readonly root: Span
  readonly spans = new Map<string, Span>()
  readonly run: string | undefined
  readonly execution: string | undefined
  errors = 0
  dropped = 0
  size = 0
  usage: UsageSums | undefined
  cost: number | undefined
  /** A request was answered of which nobody knows what it cost. */
  isCostOpen = false
  timeToFirstToken: number | undefined
  isForgotten = false
  /** How many of its spans, from the first on, had to give up their content. */
  stripped = 0
  /** In the order in which they began. */
  readonly order: Array<Span>

  constructor(id: string, number: number, about: Opening) {
    this.id = id
    this.number = number
    this.run = about.run
    this.execution = about.execution
    this.root = new Span(this, "1", undefined, about)
    this.spans.set(this.root.id, this.root)
    this.order = [this.root]
    this.size = this.root.size
  }
}

const present = <T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } => {
  const known: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) known[key] = value
  // What is left has no undefined in it; keys that are gone are optional in every row that is made of it.
  return known as { [K in keyof T]: Exclude<T[K], undefined> }
}

/** A trace as a row of a list. @category conversions */
export const traceRow = (trace: Trace): Api.TraceRow => {
  const { root } = trace
  return {
    id: trace.id,
    name: root.name,
    kind: root.kind,
    status: root.status,
    startedAt: root.at,
    spans: trace.spans.size,
    errors: trace.errors,
    dropped: trace.dropped,
    ...present({
      duration: root.endedAt === undefined ? undefined : root.endedAt - root.at,
      usage: trace.usage,
      cost: trace.isCostOpen ? undefined : trace.cost,
      timeToFirstToken: trace.timeToFirstToken,
      error: root.error,
      run: trace.run,
      execution: trace.execution
    })
  }
}

/** A span as a row of a waterfall. @category conversions */
export const spanRow = (span: Span): Api.SpanRow => ({
  id: span.id,
  depth: span.depth,
  name: span.name,
  kind: span.kind,
  status: span.status,
  start: span.at - span.trace.root.at,
  children: span.children.length,
  descendants: span.descendants,
  ...present({
    parent: span.parent?.id,
    duration: span.endedAt === undefined ? undefined : span.endedAt - span.at,
    usage: span.usage,
    cost: span.cost,
    timeToFirstToken: span.timeToFirstToken,
    error: span.error,
    attempt: span.attempt,
    model: span.model
  })
})

/** A span with everything. @category conversions */
export const spanDetail = (span: Span): Api.SpanDetail => {
  const { input, output, request, response, truncated } = span.content
  return {
    trace: span.trace.id,
    span: spanRow(span),
    attributes: span.attributes,
    events: span.events,
    truncated: truncated === true,
    ...present({ input, output, request, response })
  }
}

/** Which traces are listed. @category models */
export interface Query {
  readonly kind?: Kind | undefined
  readonly status?: Status | undefined
  readonly text?: string | undefined
  readonly run?: string | undefined
  readonly execution?: string | undefined
  readonly from?: number | undefined
  readonly to?: number | undefined
  readonly limit?: number | undefined
  readonly after?: string | undefined
}

/** Which rows of a trace are read. @category models */
export interface Window {
  readonly under?: string | undefined
  readonly depth?: number | undefined
  readonly offset?: number | undefined
  readonly limit?: number | undefined
}

/**
 * The traces of a program.
 *
 * @category models
 */
export class Traces {
  /** How many traces were kept and are no more. */
  dropped = 0
  /** Of which something has changed since somebody looked. */
  readonly changed = new Set<Trace>()
  private readonly traces = new Map<string, Trace>()
  private readonly byRun = new Map<string, Trace>()
  private readonly byExecution = new Map<string, Trace>()
  private readonly freshId: () => string
  private readonly limits: Required<{ [K in keyof Bounds]: number }>
  private count = 0
  private spans = 0
  private bytes = 0

  constructor(bounds: Bounds = {}, freshId: () => string = () => globalThis.crypto.randomUUID()) {
    this.freshId = freshId
    const spans = Math.max(1, bounds.spans ?? 500_000)
    this.limits = {
      traces: Math.max(1, bounds.traces ?? 1_000),
      spans,
      spansPerTrace: Math.max(1, Math.min(spans, bounds.spansPerTrace ?? 200_000)),
      bytes: Math.max(1, bounds.bytes ?? 134_217_728)
    }
  }

  /** How many are kept, how many spans they have, and about how many bytes they take. */
  get size(): { readonly traces: number; readonly spans: number; readonly bytes: number } {
    return { traces: this.traces.size, spans: this.spans, bytes: this.bytes }
  }

  /** A span begins. Where its trace has no room for it, it is counted, and what stands below it stands below its parent. */
  begin(parent: Span | undefined, about: Opening): { readonly span: Span; readonly isKept: boolean } {
    if (parent === undefined) {
      const trace = new Trace(this.freshId(), ++this.count, about)
      this.traces.set(trace.id, trace)
      if (about.run !== undefined) this.byRun.set(about.run, trace)
      if (about.execution !== undefined) this.byExecution.set(about.execution, trace)
      this.spans++
      this.bytes += trace.size
      this.makeRoom(trace)
      this.changed.add(trace)
      return { span: trace.root, isKept: true }
    }
    const { trace } = parent
    if (trace.spans.size >= this.limits.spansPerTrace || trace.isForgotten) {
      trace.dropped++
      return { span: parent, isKept: false }
    }
    const span = new Span(trace, (trace.spans.size + 1).toString(36), parent, about)
    trace.spans.set(span.id, span)
    trace.order.push(span)
    parent.children.push(span)
    for (let at: Span | undefined = parent; at !== undefined; at = at.parent) at.descendants++
    this.spans++
    this.grow(span, span.size)
    this.makeRoom(trace)
    this.changed.add(trace)
    return { span, isKept: true }
  }

  /** Keeps more of a span. `size`: about how many bytes that takes. What has no room is left out. */
  put(span: Span, content: Content, size: number): void {
    if (span.trace.isForgotten) return
    if (size > this.limits.bytes / 4) {
      span.content.truncated = true
      return
    }
    Object.assign(span.content, content)
    this.grow(span, size)
    this.makeRoom(span.trace)
    if (this.bytes > this.limits.bytes) this.strip(span)
  }

  /** Something has happened in a span. A span tells of its first 1,000. `size`: about how many bytes the attributes take. */
  event(span: Span, at: number, name: string, attributes: { readonly [key: string]: Json }, size = 0): void {
    if (span.trace.isForgotten) return
    if (span.events.length >= 1_000) {
      span.content.truncated = true
      return
    }
    span.events.push({ at: at - span.trace.root.at, name, attributes })
    this.grow(span, emptySpan + size)
    this.makeRoom(span.trace)
    if (this.bytes > this.limits.bytes) this.strip(span)
    this.changed.add(span.trace)
  }

  /** What a request has used. It counts for its trace. */
  used(span: Span, usage: RunUsage, cost: number | undefined, timeToFirstToken: number | undefined): void {
    const { trace } = span
    addUsage((trace.usage ??= {}), usage)
    span.usage = usage
    span.timeToFirstToken = timeToFirstToken
    if (timeToFirstToken !== undefined) trace.timeToFirstToken ??= span.at + timeToFirstToken - trace.root.at
    span.cost = cost
    if (cost === undefined) trace.isCostOpen = true
    else {
      trace.cost = (trace.cost ?? 0) + cost
      let asked = span.parent
      while (asked !== undefined && asked.kind !== "agent") asked = asked.parent
      if (asked !== undefined) asked.cost = (asked.cost ?? 0) + cost
    }
  }

  /** A span is over. */
  end(span: Span, { at, error, status }: Ending): void {
    if (span.status !== "running") return
    span.status = status
    span.endedAt = at
    span.error = error
    if (status === "error") span.trace.errors++
    if (span.trace.isForgotten) return
    if (error !== undefined) {
      this.grow(span, 2 * error.message.length)
      this.makeRoom(span.trace)
      if (this.bytes > this.limits.bytes) this.strip(span)
    }
    this.changed.add(span.trace)
  }

  get(id: string): Trace | undefined {
    return this.traces.get(id)
  }

  /** The newest trace of a run. */
  ofRun(run: string): Trace | undefined {
    return this.byRun.get(run)
  }

  /** The newest trace of an execution. */
  ofExecution(execution: string): Trace | undefined {
    return this.byExecution.get(execution)
  }

  /** A part of the list, newest first. */
  list(query: Query): { readonly traces: ReadonlyArray<Trace>; readonly next: string | undefined } {
    const limit = query.limit ?? 100
    const text = query.text?.toLowerCase()
    const after = query.after === undefined ? Infinity : Number(query.after)
    const found: Array<Trace> = []
    for (const trace of this.newest()) {
      const { root } = trace
      if (
        trace.number >= after ||
        (query.kind !== undefined && root.kind !== query.kind) ||
        (query.status !== undefined && root.status !== query.status) ||
        (query.run !== undefined && trace.run !== query.run) ||
        (query.execution !== undefined && trace.execution !== query.execution) ||
        (query.from !== undefined && root.at < query.from) ||
        (query.to !== undefined && root.at >= query.to) ||
        (text !== undefined && !root.name.toLowerCase().includes(text) && !trace.id.includes(text))
      )
        continue
      if (found.length === limit) return { traces: found, next: String(found.at(-1)?.number) }
      found.push(trace)
    }
    return { traces: found, next: undefined }
  }

  /** Forgets all that have ended. */
  clear(): void {
    for (const trace of [...this.traces.values()]) if (trace.root.status !== "running") this.forget(trace)
  }

  private newest(): ReadonlyArray<Trace> {
    return [...this.traces.values()].toReversed()
  }

  private grow(span: Span, size: number): void {
    span.size += size
    span.trace.size += size
    this.bytes += size
  }

  private forget(trace: Trace): void {
    if (!this.traces.delete(trace.id)) return
    trace.isForgotten = true
    const { execution, run } = trace
    if (run !== undefined && this.byRun.get(run) === trace) this.byRun.delete(run)
    if (execution !== undefined && this.byExecution.get(execution) === trace) this.byExecution.delete(execution)
    this.changed.delete(trace)
    this.spans -= trace.spans.size
    this.bytes -= trace.size
  }

  // The oldest that have ended go first, then the oldest at work; the one that needs the room stays, without its content
  // where it has no room alone.
  private makeRoom(needed: Trace): void {
    const { bytes, spans, traces } = this.limits
    const isFull = () => this.traces.size > traces || this.spans > spans || this.bytes > bytes
    if (!isFull()) return
    for (const isEnded of [true, false])
      for (const trace of this.traces.values()) {
        if (trace === needed || (trace.root.status !== "running") !== isEnded) continue
        this.forget(trace)
        this.dropped++
        if (!isFull()) return
      }
    while (this.bytes > bytes && needed.stripped < needed.order.length) this.strip(needed.order[needed.stripped++])
  }

  private strip(span: Span | undefined): void {
    if (span === undefined || span.size === emptySpan) return
    const spare = span.size - emptySpan
    span.content = { truncated: true }
    span.events.length = 0
    const { error } = span
    if (error !== undefined && error.message.length > shortMessage)
      span.error = { ...error, message: `${error.message.slice(0, shortMessage).toWellFormed()}...` }
    span.size = emptySpan
    span.trace.size -= spare
    this.bytes -= spare
  }
}

/** A window of the rows of a trace, in the order of the tree; nothing where it has no such span. @category reading */
export const windowOf = (
  trace: Trace,
  { depth = Infinity, limit = 200, offset = 0, under }: Window
): { readonly total: number; readonly rows: ReadonlyArray<Span> } | undefined => {
  const top = under === undefined ? trace.root : trace.spans.get(under)
  if (top === undefined) return undefined
  const rows: Array<Span> = []
  const deepest = top.depth + depth
  let place = 0
  // What is not shown is counted without being walked, unless the depth decides.
  const stack: Array<Span> = [top]
  for (let span = stack.pop(); span !== undefined; span = stack.pop()) {
    const whole = depth === Infinity ? span.descendants + 1 : undefined
    if (whole !== undefined && (place + whole <= offset || rows.length >= limit)) {
      place += whole
      continue
    }
    if (place >= offset && rows.length < limit) rows.push(span)
    place++
    if (span.depth < deepest)
      for (let at = span.children.length - 1; at >= 0; at--) {
        const child = span.children[at]
        if (child !== undefined) stack.push(child)
      }
  }
  return { total: place, rows }
}
