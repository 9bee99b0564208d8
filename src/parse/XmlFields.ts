/**
 * Fields in tags: `<field name="body" type="text">...</field>` within `<answer>`. The text is raw, without entities, and
 * may hold tags of its own: `</field>` ends a field only where another field, the end of the answer or the end of the text
 * follows. A field that was not ended is ended by the next one. Not exported from the package.
 */
import type { FieldRecord, Kind } from "./FieldRecord.ts"
import { type Grammar, maxMark } from "./Grammar.ts"

const opener = /<field\s([^<>]*)>/y
const nameOf = /(?:^|\s)name\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'/]+))/
const typeOf = /(?:^|\s)type\s*=\s*["']?(text|json)\b/i
const closer = /<\/field\s*>/y
const wrapper = /<\/(?:answer|output)\s*>/y
const couldClose =
  /^<(?:\/(?:f(?:i(?:e(?:l(?:d\s*)?)?)?)?|(?:a(?:n(?:s(?:w(?:er?)?)?)?)?|o(?:u(?:t(?:p(?:ut?)?)?)?)?)\s*)?)?$/
const couldOpen = /^<(?:f(?:i(?:e(?:l(?:d(?:\s[^<>]*)?)?)?)?)?)?$/
const couldFollow = /^(?:<(?:\/(?:\w{0,12}\s*>?)?|f(?:i(?:e(?:ld?)?)?)?)?|`{1,2})$/
const follows = /^(?:<field\s|<\/(?:answer|output)\s*>|```)/

/** So many blanks may follow a field before the next one. */
const maxGap = 1024

/** Fields in tags. */
export class XmlFields implements Grammar {
  closed = false
  private readonly record: FieldRecord
  /** Whether the line so far is blank: a field that begins there ends the one before. */
  private blank = true

  constructor(record: FieldRecord) {
    this.record = record
  }

  read(text: string, final: boolean, cut: boolean): number {
    let i = 0
    while (i < text.length) {
      const at = text.indexOf("<", i)
      this.pass(text, i, at < 0 ? text.length : at)
      if (at < 0) return text.length
      const next = this.record.isOpen ? this.inside(text, at, final, cut) : this.outside(text, at, final)
      if (next < 0) return at
      i = next
    }
    return text.length
  }

  // Text of the open field; what stands outside fields is dropped.
  private pass(text: string, from: number, to: number): void {
    if (from === to) return
    const piece = text.slice(from, to)
    this.record.write(piece)
    const line = piece.lastIndexOf("\n")
    const rest = piece.slice(line + 1).trim() === ""
    this.blank = line >= 0 ? rest : this.blank && rest
  }

  // The field that begins at `at`; -1 where more text is needed.
  private begin(text: string, at: number, final: boolean): { readonly key: string; readonly end: number } | number {
    opener.lastIndex = at
    const match = opener.exec(text)
    if (match === null) {
      const rest = text.slice(at, at + maxMark)
      return !final && at + rest.length === text.length && rest.length < maxMark && couldOpen.test(rest) ? -1 : at
    }
    const found = nameOf.exec(match[1] ?? "")
    const key = found?.[1] ?? found?.[2] ?? found?.[3]
    if (key === undefined || match[0].length > maxMark) return at
    return { key, end: at + match[0].length }
  }

  private open(text: string, at: number, key: string, end: number): number {
    const tag = text.slice(at, end)
    const type = typeOf.exec(tag)?.[1]?.toLowerCase()
    const isString = this.record.keys.get(key)?.kind === "string" || !this.record.keys.has(key)
    const kind: Kind | undefined = type === "json" ? "json" : type === "text" && isString ? "text" : undefined
    this.closed = false
    this.record.open(key, kind)
    if (tag.endsWith("/>")) this.record.close("observed")
    this.blank = false
    return end
  }

  private outside(text: string, at: number, final: boolean): number {
    const began = this.begin(text, at, final)
    if (typeof began === "object") return this.open(text, at, began.key, began.end)
    if (began < 0) return -1
    wrapper.lastIndex = at
    if (this.record.found && wrapper.test(text)) this.closed = true
    else if (!final && this.record.found && text.length - at < 20 && couldClose.test(text.slice(at))) return -1
    return at + 1
  }

  private inside(text: string, at: number, final: boolean, cut: boolean): number {
    closer.lastIndex = at
    const ended = closer.exec(text)
    if (ended !== null) {
      const end = at + ended[0].length
      let next = end
      while (next < text.length && next - end < maxGap && /\s/.test(text.charAt(next))) next++
      const rest = text.slice(next, next + 24)
      if (follows.test(rest) || (final && (rest === "" || (cut && couldFollow.test(rest))))) {
        this.record.close("observed")
        return end
      }
      if (!final && next - end < maxGap && (rest === "" || (rest.length < 24 && couldFollow.test(rest)))) return -1
      return this.plain(text, at)
    }
    wrapper.lastIndex = at
    const whole = wrapper.exec(text)
    if (whole !== null) {
      this.record.close("observed")
      this.closed = true
      return at + whole[0].length
    }
    const began = this.begin(text, at, final)
    if (typeof began === "object") {
      const next = this.blank && this.record.keys.has(began.key) && !this.record.has(began.key)
      return next ? this.open(text, at, began.key, began.end) : this.plain(text, at)
    }
    if (began < 0) return -1
    const rest = text.slice(at, at + 20)
    if (at + rest.length === text.length && couldClose.test(rest)) {
      if (!final) return -1
      // A tag that was cut is none of the text.
      if (cut && rest.length > 1) return text.length
    }
    return this.plain(text, at)
  }

  private plain(text: string, at: number): number {
    this.pass(text, at, at + 1)
    return at + 1
  }
}
