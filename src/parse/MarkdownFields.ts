/**
 * Fields under Markdown headings: `### name` begins a field, `### name JSON` one whose value is JSON. Only declared names
 * count, each heading at the level of the first: other headings are text. Not exported from the package.
 */
import type { FieldRecord, Kind } from "./FieldRecord.ts"
import { type Grammar, maxMark } from "./Grammar.ts"

const heading = /^ {0,3}(#{1,6})[ \t]+(\S.*?)[ \t]*#*[ \t]*\r?$/
const marked = /^(.+?)[ \t]*[[(]?\b(text|json)\b[\])]?$/i
const decoration = /^(?:\*\*|__|`|")(.+?)(?:\*\*|__|`|"):?$|^(.+?):$/
const couldBegin = /^ {0,3}(?:#{1,6}(?:[ \t].*)?)?$/
const couldFence = /^ {0,3}`{0,2}$/
const fence = /^ {0,3}`{3}/

/** Fields under Markdown headings. */
export class MarkdownFields implements Grammar {
  readonly closed = false
  private readonly record: FieldRecord
  private atLineStart = true
  private level = 0

  constructor(record: FieldRecord) {
    this.record = record
  }

  read(text: string, final: boolean, cut: boolean): number {
    const { record } = this
    // Text of the open field that was not handed on yet begins here.
    let from = 0
    let i = 0
    while (i < text.length) {
      const newline = text.indexOf("\n", i)
      const end = newline < 0 ? text.length : newline
      if (this.atLineStart && this.mayMark(text, i)) {
        const line = text.slice(i, end)
        const undecided = newline < 0 && line.length <= maxMark && this.mayYet(line)
        if (undecided && !final) {
          record.write(text.slice(from, i))
          return i
        }
        const found = this.heading(line)
        if (found !== undefined) {
          record.write(text.slice(from, i))
          record.open(found.key, found.kind)
          i = newline < 0 ? end : end + 1
          from = i
          continue
        }
        // A heading that was cut is none of the text before it.
        if (undecided && cut && line.trimStart().startsWith("#")) {
          record.write(text.slice(from, i))
          return text.length
        }
        if (!record.isOpen && fence.test(line)) record.enclosed = !record.enclosed
      }
      this.atLineStart = newline >= 0
      i = newline < 0 ? end : end + 1
    }
    record.write(text.slice(from))
    return text.length
  }

  // Whether the line at `i` may be a heading or, before the first, a fence. The rest of the text may be short.
  private mayMark(text: string, i: number): boolean {
    let at = i
    while (at < i + 3 && text.charCodeAt(at) === 32) at++
    const c = text.charCodeAt(at)
    return c === 35 || at >= text.length || (c === 96 && !this.record.isOpen)
  }

  private mayYet(line: string): boolean {
    return couldBegin.test(line) || (!this.record.isOpen && couldFence.test(line))
  }

  private heading(line: string): { readonly key: string; readonly kind: Kind | undefined } | undefined {
    const match = line.length > maxMark ? null : heading.exec(line)
    if (match === null) return undefined
    const level = match[1]?.length ?? 0
    if (this.level !== 0 && level !== this.level) return undefined
    const body = match[2] ?? ""
    const mark = marked.exec(body)
    const key = this.name(body) ?? (mark === null ? undefined : this.name(mark[1] ?? ""))
    if (key === undefined) return undefined
    this.level = level
    const kind = this.name(body) !== undefined ? undefined : mark?.[2]?.toLowerCase() === "json" ? "json" : "text"
    return { key, kind: kind === "text" && !this.takesText(key) ? undefined : kind }
  }

  // A number under a heading that says `text` is a number all the same.
  private takesText(key: string): boolean {
    return this.record.keys.get(key)?.kind === "string"
  }

  private name(body: string): string | undefined {
    if (this.record.keys.has(body)) return body
    const match = decoration.exec(body)
    const bare = match?.[1] ?? match?.[2]
    return bare !== undefined && this.record.keys.has(bare) ? bare : undefined
  }
}
