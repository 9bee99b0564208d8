/**
 * A text that comes piece by piece. What is behind a line break and long enough is done and never drawn again, so that a
 * long answer costs as much per piece as a short one.
 */
const enough = 1500
const tooMuch = 6000

export class GrowingText {
  /** Whole paragraphs, in order. Pieces are only ever added, until it is cleared. */
  done: Array<string> = []
  tail = ""
  length = 0

  append(text: string): void {
    this.tail += text
    this.length += text.length
    while (this.tail.length > enough) {
      const at = this.tail.indexOf("\n", enough)
      const end = at >= 0 ? at + 1 : this.tail.length > tooMuch ? this.tail.lastIndexOf(" ", tooMuch) + 1 || tooMuch : 0
      if (end === 0) return
      this.done.push(this.tail.slice(0, end))
      this.tail = this.tail.slice(end)
    }
  }

  clear(): void {
    this.done = []
    this.tail = ""
    this.length = 0
  }

  toString(): string {
    return this.done.join("") + this.tail
  }
}
