/**
 * Run events as the bytes that a terminal, or a file, is to be given. It only ever appends rows; on a live terminal one
 * more line, which is drawn anew, shows who is at work and what the current line looks like so far. Synchronous.
 *
 * Whatever models, tools and agents' names bring is made harmless first: the only escape sequences are its own.
 */
import type { RunEnvelope, RunState } from "../../services/Run.ts"
import { View } from "../../src/run/View.ts"
import { harmless, type Span, type Style, truncate, width, wrap } from "./Cells.ts"
import * as Markdown from "./Markdown.ts"

/**
 * How runs are shown.
 *
 * @category models
 */
export interface Look {
  /** Whether to use colours. */
  readonly color: boolean
  /** Whether to draw a line of state that is drawn anew: only for terminals. */
  readonly live: boolean
  /** Cells in a row; `Infinity` breaks no line. */
  readonly width: number
  /** Whether to show the runs inside the root. Default true. */
  readonly members?: boolean | undefined
  /** Whether to show the models' reasoning. Default true. */
  readonly reasoning?: boolean | undefined
  /** Cells that arguments and results take at most. Default 200. */
  readonly values?: number | undefined
}

const codes: { readonly [S in Style]: string } = {
  bold: "1",
  dim: "2",
  code: "36",
  heading: "1;4",
  good: "32",
  bad: "31",
  name: "1;35"
}

// One line of text, whatever it was made of. What is cut off later need not be read now.
const oneLine = (text: string, most = 2_000): string => harmless(text.slice(0, most)).replaceAll("\n", " ")

const show = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""))

const seconds = (millis: number): string =>
  millis < 1000 ? `${Math.round(millis)} ms` : `${(millis / 1000).toFixed(1)} s`

// What a run has written since its last whole line.
interface Desk {
  line: string
  /** The end of the line, as much as the line of state has room for. The whole is not looked at before it is complete. */
  tail: string
  kind: "Text" | "Reasoning"
  attempt: number
  markdown: Markdown.State
}

const eraseLine = "\r\u001b[2K"

/**
 * Paints one root run and the runs inside it.
 *
 * @category models
 */
export class Painter {
  private readonly look: Look
  private readonly desks = new Map<string, Desk>()
  private view: View | undefined
  private rows = ""
  private speaker: string | undefined
  private hasStatus = false

  constructor(look: Look) {
    this.look = look
  }

  /** What is to be written for an event. */
  write(envelope: RunEnvelope): string {
    this.view ??= new View(envelope.root)
    this.view.apply(envelope)
    if (this.look.members !== false || envelope.depth === 0) this.paint(envelope)
    return this.hand(this.status(envelope))
  }

  /** What is to be written behind the last event. */
  end(): string {
    return this.hand("")
  }

  private hand(status: string): string {
    if (this.rows === "" && status === "" && !this.hasStatus) return ""
    const written = (this.hasStatus ? eraseLine : "") + this.rows + status
    this.hasStatus = status !== ""
    this.rows = ""
    return written
  }

  private styled({ style, text }: Span): string {
    return style === undefined || !this.look.color || text === "" ? text : `\u001b[${codes[style]}m${text}\u001b[0m`
  }

  // Members stand behind bars, as long as there is room for words beside them.
  private indent(depth: number): string {
    return "│ ".repeat(Math.min(depth, Math.max(0, Math.floor((this.look.width - 20) / 2)), 8))
  }

  private row(depth: number, spans: ReadonlyArray<Span>, rest = ""): void {
    const indent = this.indent(depth)
    for (const row of wrap(spans, Math.max(1, this.look.width - width(indent)), rest)) {
      const text = row.map((span) => this.styled(span)).join("")
      this.rows += `${this.styled({ text: indent, style: "dim" })}${text}\n`
    }
  }

  // Says whose rows follow, where others' came before.
  private speak({ agent, depth, run }: RunEnvelope, role: string): void {
    if (this.speaker === run) return
    this.speaker = run
    const spans: Array<Span> = [{ text: `● ${oneLine(agent ?? "run", 100)}`, style: "name" }]
    if (role !== "main") spans.push({ text: ` (${oneLine(role, 100)})`, style: "dim" })
    this.row(depth, spans)
  }

  private value(value: unknown): string {
    return truncate(oneLine(show(value)).trim(), this.look.values ?? 200)
  }

  private paint(envelope: RunEnvelope): void {
    const { depth, event, run } = envelope
    const state = this.view?.get(run)
    const role = state?.role ?? "main"
    const say = (spans: ReadonlyArray<Span>): void => {
      this.finish(envelope)
      this.speak(envelope, role)
      this.row(depth, spans, "  ")
    }
    switch (event._tag) {
      case "RunStarted":
        this.speaker = undefined
        if (event.input === undefined) return this.speak(envelope, role)
        return say([{ text: `> ${this.value(event.input)}`, style: "dim" }])
      case "Text":
      case "Reasoning":
        if (event._tag === "Reasoning" && this.look.reasoning === false) return
        return this.text(envelope, event._tag, event.attempt, event.text, role)
      case "Restarted":
        return say([{ text: `↻ attempt ${event.attempt}: ${oneLine(event.reason)}`, style: "dim" }])
      case "ActionStarted":
        return say([
          { text: `→ ${oneLine(event.call.action, 100)}`, style: "bold" },
          { text: ` ${this.value(event.call.input)}` }
        ])
      case "ActionProgress":
        return say([{ text: `… ${oneLine(event.call.action, 100)} ${this.value(event.value)}`, style: "dim" }])
      case "ActionEnded": {
        const { call, duration, result, status } = event.record
        const isGood = status === "success"
        return say([
          { text: `${isGood ? "✓" : "✗"} ${oneLine(call.action, 100)}`, style: isGood ? "good" : "bad" },
          { text: ` ${isGood ? "" : `${status}: `}${this.value(result)}` },
          { text: ` (${seconds(duration)})`, style: "dim" }
        ])
      }
      case "RunPaused":
        return say([
          { text: `‖ waits${event.reason === undefined ? "" : `: ${oneLine(event.reason)}`}`, style: "bold" }
        ])
      case "Custom":
        return say([{ text: `· ${oneLine(event.name, 100)} ${this.value(event.value)}`, style: "dim" }])
      case "RunCompleted":
        say([
          { text: "✓ done", style: "good" },
          { text: this.spent(state), style: "dim" }
        ])
        break
      case "RunFailed":
        say([{ text: `✗ ${oneLine(event.tag, 100)}: ${oneLine(event.message)}`, style: "bad" }])
        break
      case "RunCancelled":
        say([{ text: `■ cancelled${event.reason === undefined ? "" : `: ${oneLine(event.reason)}`}`, style: "bad" }])
        break
      default:
        return
    }
    this.desks.delete(run)
  }

  // What a run has used itself, and how long it took.
  private spent(state: RunState | undefined): string {
    if (state?.startedAt === undefined || state.endedAt === undefined) return ""
    let input = 0
    let output = 0
    for (const { answered } of state.requests) {
      input += answered?.usage.inputTokens ?? 0
      output += answered?.usage.outputTokens ?? 0
    }
    const tokens = input + output === 0 ? "" : `, ${input} tokens in, ${output} out`
    return ` in ${seconds(state.endedAt - state.startedAt)}${tokens}`
  }

  private text(envelope: RunEnvelope, kind: Desk["kind"], attempt: number, text: string, role: string): void {
    let desk = this.desks.get(envelope.run)
    if (desk !== undefined && (desk.kind !== kind || desk.attempt !== attempt)) {
      this.finish(envelope)
      if (desk.attempt !== attempt) desk.markdown = Markdown.start
      desk.kind = kind
      desk.attempt = attempt
    }
    desk ??= { line: "", tail: "", kind, attempt, markdown: Markdown.start }
    this.desks.set(envelope.run, desk)
    const lines = text.split("\n")
    for (const [i, line] of lines.entries()) {
      desk.line += line
      if (this.look.live) desk.tail = (desk.tail + line).slice(-this.look.width)
      if (i === lines.length - 1) break
      this.speak(envelope, role)
      this.commit(envelope.depth, desk)
    }
  }

  // Ends the line that a run has begun.
  private finish(envelope: RunEnvelope): void {
    const desk = this.desks.get(envelope.run)
    if (desk === undefined || desk.line === "") return
    this.speak(envelope, this.view?.get(envelope.run)?.role ?? "main")
    this.commit(envelope.depth, desk)
  }

  private commit(depth: number, desk: Desk): void {
    const line = harmless(desk.line.replace(/\r$/, "")).replaceAll("\n", " ")
    desk.line = ""
    desk.tail = ""
    if (desk.kind === "Reasoning") return this.row(depth, [{ text: line, style: "dim" }])
    // A file gets the Markdown as it is.
    if (!this.look.color) return this.row(depth, [{ text: line }])
    const { rest, spans } = Markdown.render(desk.markdown, line)
    desk.markdown = Markdown.after(desk.markdown, line)
    this.row(depth, spans, rest)
  }

  private status({ agent, depth, event, run }: RunEnvelope): string {
    const { view } = this
    if (!this.look.live || view === undefined) return ""
    if (depth === 0 && (event._tag === "RunCompleted" || event._tag === "RunFailed" || event._tag === "RunCancelled"))
      return ""
    const tail = oneLine(this.desks.get(run)?.tail ?? "")
    const text = `… ${oneLine(agent ?? "run", 40)}${tail === "" ? "" : `: ${tail}`}`
    return this.styled({ text: truncate(text, Math.max(1, this.look.width - 1)), style: "dim" })
  }
}
