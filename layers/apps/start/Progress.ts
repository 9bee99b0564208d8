/**
 * Turns the runtime stream of the triage into terminal text. On a terminal, texts appear as they are written; piped,
 * every field is one plain line once it is finished. Either way text is only ever appended, so that nothing flickers
 * and a log stays a log. What the branches tell while a text is being written waits for the end of its line.
 */
import type { Progress } from "./Triage.ts"

/**
 * How progress is shown.
 *
 * @category models
 */
export interface Options {
  /** Whether a person watches on a terminal: live texts and colours. */
  readonly live: boolean
}

const escape = String.fromCharCode(27)
const paint = (code: number, text: string) => `${escape}[${code}m${text}${escape}[0m`

/**
 * A text without control characters but for line breaks and tabs. A model may write them; on a terminal they could move
 * the cursor or worse.
 *
 * @category conversions
 */
export const clean = (text: string) => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "")

const isContainer = (value: unknown) => typeof value === "object" && value !== null

/**
 * Makes a function that gives the text to print for each event.
 *
 * @category constructors
 */
export const make = ({ live }: Options): ((item: Progress) => string) => {
  const cyan = (text: string) => (live ? paint(36, text) : text)
  const dim = (text: string) => (live ? paint(2, text) : text)
  const green = (text: string) => (live ? paint(32, text) : text)
  const yellow = (text: string) => (live ? paint(33, text) : text)
  // The field whose text stands at the end of the output without a line break.
  let open: string | undefined
  // What the branches have told since.
  let told = ""
  const closeLine = () => {
    if (open === undefined) return ""
    const line = `\n${told}`
    open = undefined
    told = ""
    return line
  }
  const tell = (line: string): string => {
    if (open === undefined) return line
    told += line
    return ""
  }
  const label = (path: string) => dim(`${clean(path)}: `)

  const field = (event: Extract<Progress, { readonly _tag: "Field" }>): string => {
    if (event.eventType === "delta") {
      if (!live) return ""
      const head = open === event.path ? "" : closeLine() + label(event.path)
      open = event.path
      return head + clean(event.delta ?? "")
    }
    const mark = event.source === "repaired" ? yellow(" (cut off)") : ""
    if (isContainer(event.value)) {
      if (!event.wildcardPath.endsWith("]")) return ""
      return `${closeLine()}${green(`✓ ${clean(event.path)}`)}${mark}\n`
    }
    if (open === event.path) return mark + closeLine()
    return `${closeLine()}${label(event.path)}${clean(String(event.value))}${mark}\n`
  }

  return (event) => {
    switch (event._tag) {
      case "Field":
        return field(event)
      case "Assigned": {
        const { deadline, path, summary, team } = event
        return tell(`${cyan("→")} ${clean(path)} ${cyan(team)}: ${clean(summary)} ${dim(`(${clean(deadline)})`)}\n`)
      }
      case "Unassigned":
        return tell(yellow(`✗ ${clean(event.path)}: ${clean(event.reason)}\n`))
      case "Reset":
        return `${closeLine()}${yellow(`↻ ${event.path === "" ? "all fields" : clean(event.path)} again`)}\n`
      case "Status":
        return event.state === "failed" && event.retry
          ? `${closeLine()}${yellow(`✗ attempt ${event.attempt}: ${clean(event.reason ?? "")}`)}\n`
          : closeLine()
    }
  }
}
