/**
 * Markdown as terminals can show it, one line after the other: headings, lists, quotes, rules, fenced code, bold and code
 * within a line. What it does not know stays as it was written. It never looks back, so that it can follow a model while
 * it writes; a library that renders whole documents cannot.
 */
import type { Span, Style } from "./Cells.ts"

/**
 * A line as it is to be shown.
 *
 * @category models
 */
export interface Line {
  readonly spans: ReadonlyArray<Span>
  /** What the rows behind the first one begin with. */
  readonly rest: string
}

/**
 * What is known from the lines before: the fence of the code block that is open.
 *
 * @category models
 */
export interface State {
  readonly fence: string | undefined
}

/** Before the first line. @category constructors */
export const start: State = { fence: undefined }

/** The state behind a line. @category reading */
export const after = ({ fence }: State, line: string): State => {
  const mark = /^\s*(`{3,}|~{3,})/.exec(line)?.[1]
  if (mark === undefined) return { fence }
  if (fence === undefined) return { fence: mark }
  return { fence: mark.startsWith(fence) && line.trim() === mark ? undefined : fence }
}

// Bold and code within a line. A mark without its other end is text.
const inline = (text: string, style?: Style): ReadonlyArray<Span> => {
  const spans: Array<Span> = []
  let from = 0
  for (const match of text.matchAll(/`([^`]+)`|\*\*(?=\S)(.+?)(?<=\S)\*\*|__(?=\S)(.+?)(?<=\S)__/g)) {
    if (match.index > from) spans.push({ text: text.slice(from, match.index), style })
    const [whole, code, bold = match[3] ?? ""] = match
    spans.push(code === undefined ? { text: bold, style: "bold" } : { text: code, style: "code" })
    from = match.index + whole.length
  }
  if (from < text.length) spans.push({ text: text.slice(from), style })
  return spans
}

/** A line of Markdown as it is to be shown. @category rendering */
export const render = (state: State, line: string): Line => {
  if (/^\s*(`{3,}|~{3,})/.test(line)) return { spans: [{ text: line, style: "dim" }], rest: "" }
  if (state.fence !== undefined) return { spans: [{ text: line, style: "code" }], rest: "" }
  const heading = /^#{1,6}\s+(.*?)(?:\s+#+)?$/.exec(line)?.[1]
  if (heading !== undefined) return { spans: [{ text: heading, style: "heading" }], rest: "" }
  if (/^\s*([-*_])(?:\s*\1){2,}\s*$/.test(line)) return { spans: [{ text: "───", style: "dim" }], rest: "" }
  const item = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/.exec(line)
  if (item !== null) {
    const [, indent = "", mark = "", text = ""] = item
    const shown = /\d/.test(mark) ? mark : "•"
    return {
      spans: [{ text: `${indent}${shown} ` }, ...inline(text)],
      rest: " ".repeat(indent.length + shown.length + 1)
    }
  }
  const quote = /^\s*>\s?(.*)$/.exec(line)?.[1]
  if (quote !== undefined) return { spans: [{ text: "│ ", style: "dim" }, ...inline(quote, "dim")], rest: "│ " }
  return { spans: inline(line), rest: /^\s*/.exec(line)?.[0] ?? "" }
}
