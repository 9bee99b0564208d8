/**
 * Reads the raw text of one field as it arrives. Blanks at both ends are dropped, a code fence that encloses all of the
 * text is taken off, and a placeholder is no text at all; everything else stays as the model wrote it. What may yet turn
 * out to be one of these is held back, so that the deltas concatenate to the value. Not exported from the package.
 */
import * as Placeholder from "./Placeholder.ts"

const isBlank = (c: number): boolean => c === 32 || c === 10 || c === 13 || c === 9

// The blanks of ASCII only: others are text.
const leading = /^[ \t\r\n]+/
const trailing = /[ \t\r\n]+$/

/** A fence that encloses a text says nothing of a language, or says that it is text. */
const opening = /^`{3,}[ \t]*(?:text|txt|plain|plaintext|markdown|md)?[ \t]*\r?\n/i
const mayOpen = /^`{1,2}$|^`{3,}[ \t]*\w{0,10}[ \t]*\r?$/

/** The last line, where it is a fence. */
const lastFence = /(?:^|\n)[ \t]*`{3,}[ \t\r\n]*$/

/** Where in a line the text stands: within ordinary text, in its first blanks, in backticks after them, after those. */
const TEXT = 0
const BLANK = 1
const TICKS = 2
const AFTER = 3

/** What hears of the text. */
export interface Listener {
  readonly grow: (delta: string) => void
  /** All deltas so far are void. */
  readonly reset: () => void
}

/** The text of one field. */
export class TextField {
  /** What was handed on. */
  value = ""
  private head = ""
  private started = false
  /** The fence that opened the text, with the blanks after it. */
  private fence = ""
  private depth = 0
  private spilled = false
  private fences = 0
  private pending: Array<string> = []
  private line = BLANK
  private ticks = 0
  private readonly key: string
  private readonly enclosed: boolean
  private readonly listener: Listener

  /** @param enclosed whether the whole answer stands in a code fence, whose end may follow the text */
  constructor(key: string, enclosed: boolean, listener: Listener) {
    this.key = key
    this.enclosed = enclosed
    this.listener = listener
  }

  write(text: string): void {
    if (text === "") return
    if (this.started) return this.run(text)
    this.head += text
    this.skipBlanks()
    this.decide(false)
  }

  /**
   * The text is over.
   *
   * @param last whether it ends with the answer
   * @returns whether there was a text; `false` for a placeholder
   */
  end(last: boolean): boolean {
    if (!this.started) {
      this.decide(true)
      if (!this.started) {
        if (Placeholder.is(this.head.replace(trailing, ""), this.key)) return false
        this.run(this.head)
      }
    }
    let rest = this.pending.join("")
    this.pending = []
    // A fence line that has no partner in this text is the end of the fence around the whole answer.
    const open = this.line === TICKS || this.line === AFTER ? this.ticks >= 3 : false
    if (open) this.endLine()
    if (last && this.enclosed && this.fences % 2 === 1) rest = rest.replace(lastFence, "")
    if (this.fence !== "") {
      if (this.spilled) return this.restore(rest)
      if (this.depth === 0) rest = rest.replace(lastFence, "")
    }
    this.hand(rest.replace(trailing, ""))
    return true
  }

  // The fence was part of the text after all.
  private restore(rest: string): boolean {
    const text = this.fence + this.value + rest.replace(trailing, "")
    this.listener.reset()
    this.value = ""
    this.hand(text)
    return true
  }

  private hand(delta: string): void {
    if (delta === "") return
    this.value = this.value === "" ? delta : this.value + delta
    this.listener.grow(delta)
  }

  private skipBlanks(): void {
    const blanks = leading.exec(this.head)?.[0] ?? ""
    this.head = this.head.slice(blanks.length)
    if (this.fence !== "") this.fence += blanks
  }

  private decide(final: boolean): void {
    if (this.head === "") return
    if (this.fence === "" && this.head.charCodeAt(0) === 96) {
      const match = opening.exec(this.head)
      if (match === null && !final && this.head.length < 40 && mayOpen.test(this.head)) return
      if (match !== null) {
        this.fence = match[0]
        this.depth = 1
        this.fences = 1
        this.head = this.head.slice(match[0].length)
        this.skipBlanks()
        return this.decide(final)
      }
    }
    if (Placeholder.mayBecome(this.head)) return
    this.started = true
    const head = this.head
    this.head = ""
    this.run(head)
  }

  // Hands on all but what may be trailing: blanks and, where a fence may end here, fence lines.
  private run(text: string): void {
    this.started = true
    const safe = this.fence === "" && !this.enclosed ? plainEnd(text) : this.fencedEnd(text)
    if (safe === 0) {
      this.pending.push(text)
      return
    }
    this.pending.push(text.slice(0, safe))
    this.hand(this.pending.join(""))
    this.pending = safe < text.length ? [text.slice(safe)] : []
  }

  private fencedEnd(text: string): number {
    let safe = 0
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i)
      if (c === 10) this.endLine()
      else if (isBlank(c)) {
        if (this.line === TICKS) this.line = AFTER
      } else if (c === 96 && this.line === BLANK) {
        this.line = TICKS
        this.ticks = 1
      } else if (c === 96 && this.line === TICKS) this.ticks++
      else {
        // Three backticks and a word open a block; closed already, the fence around this text is not its end.
        const opens = this.line === TICKS && this.ticks >= 3
        if (this.depth === 0) this.spilled = true
        if (opens) {
          this.depth++
          this.fences++
        }
        this.line = TEXT
        safe = i + 1
      }
    }
    return holdsHalf(text, safe) ? safe - 1 : safe
  }

  private endLine(): void {
    if ((this.line === TICKS || this.line === AFTER) && this.ticks >= 3) {
      this.fences++
      if (this.depth > 0) this.depth--
    }
    this.line = BLANK
    this.ticks = 0
  }
}

// Half of a surrogate pair waits for the other half.
const holdsHalf = (text: string, end: number): boolean => {
  if (end === 0 || end < text.length) return false
  const c = text.charCodeAt(end - 1)
  return c >= 0xd800 && c <= 0xdbff
}

const plainEnd = (text: string): number => {
  let end = text.length
  while (end > 0 && isBlank(text.charCodeAt(end - 1))) end--
  return holdsHalf(text, end) ? end - 1 : end
}
