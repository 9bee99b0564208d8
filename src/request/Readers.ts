/**
 * What the streams of a response make of its transcript. Every reader scans the text for itself, from the start, so
 * that no event is kept for anybody.
 */
import * as Equal from "effect/Equal"
import * as Result from "effect/Result"
import type { OutputFormat } from "../../services/ModelProvider.ts"
import type { Shape } from "../parse/Shape.ts"
import type { Field, InstantEvent, Reset, Status, ToolCall } from "../parse/InstantEvent.ts"
import * as FieldScanner from "../parse/FieldScanner.ts"
import * as JsonScanner from "../parse/JsonScanner.ts"
import * as Path from "../parse/Path.ts"
import type { Delta, ResponseEvent, ResponseEventKind } from "./ModelResponse.ts"
import type { Reader } from "./Run.ts"
import type { Mark } from "./Transcript.ts"

const ignore = (): void => {}

// Collects what a reader makes, and hands it over in one array.
class Outbox<B> {
  private items: Array<B> = []
  readonly push = (item: B): void => {
    this.items.push(item)
  }
  readonly pushAll = (items: ReadonlyArray<B>): void => {
    for (const item of items) this.items.push(item)
  }
  readonly take = (): ReadonlyArray<B> => {
    const items = this.items
    if (items.length > 0) this.items = []
    return items
  }
}

// Tells a mark that begins another attempt from all others, and why it began.
const restarts = () => {
  let reason = ""
  return (
    mark: Mark
  ): { readonly attempt: number; readonly reason: string; readonly format: OutputFormat } | undefined => {
    if (mark._tag === "Status") reason = mark.reason ?? ""
    return mark._tag === "Begun" && mark.attempt > 1
      ? { attempt: mark.attempt, reason, format: mark.format }
      : undefined
  }
}

const openScanner = (format: OutputFormat, options: JsonScanner.ScannerOptions) =>
  format === "text" ? undefined : format === "json" ? JsonScanner.make(options) : FieldScanner.make(format, options)

/** The answer's text, or the reasoning, as deltas. @category readers */
export const deltas = (kind: "text" | "reasoning"): Reader<Delta> => {
  const out = new Outbox<Delta>()
  const restarted = restarts()
  const add = (text: string): void => out.push({ _tag: "TextDelta", text })
  return {
    text: kind === "text" ? add : ignore,
    reasoning: kind === "reasoning" ? add : ignore,
    mark: (mark) => {
      const restart = restarted(mark)
      if (restart !== undefined) {
        out.push({ _tag: "Restarted", attempt: restart.attempt, reason: restart.reason })
      }
    },
    take: out.take
  }
}

/**
 * How a text is read for field events.
 *
 * @category models
 */
export interface ScanPlan {
  /** How the first attempt is read; each later one as it says itself. */
  readonly format: OutputFormat
  readonly shape: Shape
  readonly pathStyle?: Path.PathStyle | undefined
  /** Wildcard paths to which the events are restricted. */
  readonly only?: ReadonlyArray<string> | undefined
}

// Field events of one attempt after the other. The last one ends when the model finished or the attempt broke off; an
// attempt that is replaced in mid-sentence does not end, its Reset says it all.
const scanning = (plan: ScanPlan, out: (events: ReadonlyArray<Field | Reset>) => void) => {
  const open = (format: OutputFormat, attempt: number) =>
    openScanner(format, { shape: plan.shape, attempt, pathStyle: plan.pathStyle, only: plan.only })
  let scanner = open(plan.format, 1)
  const restarted = restarts()
  return {
    text: (text: string): void => {
      if (scanner !== undefined) out(scanner.write(text))
    },
    mark: (mark: Mark): void => {
      if (mark._tag === "Finish") {
        if (scanner !== undefined) out(scanner.end(mark.reason === "length" ? "cut" : "complete"))
      } else if (mark._tag === "Status" && !mark.retry) {
        if (scanner !== undefined) out(scanner.end("cut"))
      }
      const restart = restarted(mark)
      if (restart === undefined) return
      out([{ _tag: "Reset", path: "", attempt: restart.attempt, reason: restart.reason }])
      scanner = open(restart.format, restart.attempt)
    }
  }
}

const toolCalls = () => {
  const soFar = new Map<number, string>()
  let attempt = 1
  return (mark: Mark): ToolCall | undefined => {
    if (mark._tag === "Begun") {
      attempt = mark.attempt
      soFar.clear()
      return undefined
    }
    if (mark._tag !== "ToolCallDelta" && mark._tag !== "ToolCall") return undefined
    const isComplete = mark._tag === "ToolCall"
    const text = isComplete ? mark.arguments : (soFar.get(mark.index) ?? "") + mark.delta
    soFar.set(mark.index, text)
    return {
      _tag: "ToolCall",
      path: "$tool_calls",
      attempt,
      index: mark.index,
      id: mark.id,
      name: mark.name,
      delta: isComplete ? undefined : mark.delta,
      isComplete,
      arguments: text
    }
  }
}

/** Field events, restarts, tool calls and states of attempts. @category readers */
export const instant = (plan: ScanPlan): Reader<InstantEvent> => {
  const out = new Outbox<InstantEvent>()
  const scan = scanning(plan, out.pushAll)
  const calls = toolCalls()
  return {
    text: scan.text,
    reasoning: ignore,
    mark: (mark) => {
      scan.mark(mark)
      if (mark._tag === "Status") return out.push(mark satisfies Status)
      const call = calls(mark)
      if (call !== undefined) out.push(call)
    },
    take: out.take
  }
}

// The scanner takes an index for every index; whoever names one wants that one.
const atIndexes = (path: string): ((event: Field) => boolean) => {
  const wanted = Result.getOrElse(Path.parse(path), () => []).filter(
    (segment) => typeof segment === "number" || segment === Path.ANY_ITEM
  )
  return wanted.some((segment) => typeof segment === "number")
    ? (event) => wanted.every((segment, i) => typeof segment !== "number" || segment === event.indexes[i])
    : () => true
}

/** The text of one field as it grows. @category readers */
export const field = (plan: ScanPlan, path: string): Reader<Delta> => {
  const out = new Outbox<Delta>()
  const isWanted = atIndexes(path)
  const scan = scanning({ ...plan, only: [path] }, (events) => {
    for (const event of events) {
      if (event._tag === "Reset") {
        out.push({ _tag: "Restarted", attempt: event.attempt, reason: event.reason })
      } else if (!isWanted(event)) {
        continue
      } else if (event.eventType === "delta") {
        out.push({ _tag: "TextDelta", text: event.delta ?? "" })
      } else if (typeof event.value !== "string") {
        out.push({ _tag: "TextDelta", text: JSON.stringify(event.value) })
      }
    }
  })
  return { text: scan.text, reasoning: ignore, mark: scan.mark, take: out.take }
}

/**
 * A finished item of `each`, still encoded.
 *
 * @category models
 */
export interface FinishedItem {
  readonly path: string
  readonly indexes: ReadonlyArray<number>
  readonly attempt: number
  readonly value: unknown
}

const itemOf = ({ attempt, indexes, path, value }: Field): FinishedItem => ({ path, indexes, attempt, value })

/** The finished values at some paths, each given once unless a restart changed it. @category readers */
export const each = (plan: ScanPlan, paths: ReadonlyArray<string>, includeRepaired: boolean): Reader<FinishedItem> => {
  const out = new Outbox<FinishedItem>()
  const given = new Map<string, unknown>()
  const wanted = paths.map(atIndexes)
  const isWanted = (event: Field) => wanted.some((at) => at(event))
  const scan = scanning({ ...plan, only: paths }, (events) => {
    for (const event of events) {
      if (event._tag === "Reset" || !event.isComplete || !isWanted(event)) continue
      if (event.source === "repaired" && !includeRepaired) continue
      if (given.has(event.path) && Equal.equals(given.get(event.path), event.value)) continue
      given.set(event.path, event.value)
      out.push(itemOf(event))
    }
  })
  return { text: scan.text, reasoning: ignore, mark: scan.mark, take: out.take }
}

const isBelow = (path: string, root: string): boolean =>
  path.startsWith(root) && (root === "" || path.length === root.length || /[.[]/.test(path[root.length] ?? ""))

/**
 * The finished values at some paths as they stand in the accepted answer, all at its end, in the order in which they were
 * finished. Paths have to be in dot style.
 *
 * @category readers
 */
export const accepted = (plan: ScanPlan, paths: ReadonlyArray<string>): Reader<FinishedItem> => {
  const out = new Outbox<FinishedItem>()
  const held = new Map<string, FinishedItem>()
  const wanted = paths.map(atIndexes)
  const isWanted = (event: Field) => wanted.some((at) => at(event))
  const scan = scanning({ ...plan, only: paths }, (events) => {
    for (const event of events) {
      if (event._tag === "Reset") {
        for (const path of held.keys()) if (isBelow(path, event.path)) held.delete(path)
      } else if (event.isComplete && event.source !== "repaired" && isWanted(event)) {
        held.set(event.path, itemOf(event))
      }
    }
  })
  return {
    text: scan.text,
    reasoning: ignore,
    mark: (mark) => {
      scan.mark(mark)
      if (mark._tag === "Status" && mark.state === "completed") for (const item of held.values()) out.push(item)
    },
    take: out.take
  }
}

/**
 * The growing value, one snapshot for all that is there when it is asked for. A snapshot copies the value, so that a
 * reader that asks for each batch of a long answer pays for its length each time.
 *
 * @category readers
 */
export const partial = (plan: ScanPlan): Reader<unknown> => {
  const open = (format: OutputFormat) => openScanner(format, { shape: plan.shape, emit: false })
  let scanner = open(plan.format)
  let text = ""
  let grown = false
  const restarted = restarts()
  return {
    entriesPerPull: Number.MAX_SAFE_INTEGER,
    text: (delta) => {
      grown = true
      if (scanner === undefined) text += delta
      else scanner.write(delta)
    },
    reasoning: ignore,
    mark: (mark) => {
      if (mark._tag === "Finish") {
        scanner?.end(mark.reason === "length" ? "cut" : "complete")
        grown = true
      }
      const restart = restarted(mark)
      if (restart !== undefined) {
        scanner = open(restart.format)
        text = ""
      }
    },
    take: () => {
      if (!grown) return []
      grown = false
      const snapshot = scanner === undefined ? text : scanner.snapshot()
      return snapshot === undefined ? [] : [snapshot]
    }
  }
}

/** Events of the wanted kinds. `Done` and `Meta` come from the caller, before the last status. @category readers */
export const events = (
  wanted: (kind: ResponseEventKind) => boolean,
  summary: () => ReadonlyArray<ResponseEvent>
): Reader<ResponseEvent> => {
  const out = new Outbox<ResponseEvent>()
  const add = (event: ResponseEvent): void => {
    if (wanted(event._tag)) out.push(event)
  }
  return {
    text: (text) => add({ _tag: "Text", text }),
    reasoning: (text) => add({ _tag: "Reasoning", text }),
    mark: (mark) => {
      if (mark._tag === "Begun" || mark._tag === "Raw") return
      if (mark._tag === "Status" && mark.state === "completed") for (const event of summary()) add(event)
      add(mark)
    },
    take: out.take
  }
}

/** The provider's frames. @category readers */
export const original = (): Reader<{ readonly frame: unknown }> => {
  const out = new Outbox<{ readonly frame: unknown }>()
  return {
    text: ignore,
    reasoning: ignore,
    mark: (mark) => {
      if (mark._tag === "Raw") out.push({ frame: mark.frame })
    },
    take: out.take
  }
}
