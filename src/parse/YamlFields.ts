/**
 * Fields as the keys of a YAML mapping: long texts are literal blocks (`body: |-`), all else is JSON, which is YAML as
 * well. Literal blocks, plain texts and JSON are read as they arrive; what else YAML has (block lists, folded and quoted
 * texts) is read by the YAML parser when the field is over. Lines of a literal block that are not indented, and plain texts
 * that are no YAML (`title: a: b # c`), are taken as meant. Not exported from the package.
 */
import * as Result from "effect/Result"
import * as Yaml from "effect/encoding/Yaml"
import { type FieldRecord, kindOf } from "./FieldRecord.ts"
import { type Grammar, maxMark } from "./Grammar.ts"

const keyLine = /( *)([\p{L}_$][\p{L}\p{N}_$.-]*)[ \t]*:(?:([ \t]+)|(?=\r?\n|$))/uy
const couldBeKey = /^ *(?:[\p{L}_$][\p{L}\p{N}_$.-]*)?[ \t]*:?[ \t]*\r?$/u
const blockHeader = /^([|>])([1-9]?)[+-]?([1-9]?)[ \t]*(?:#.*)?\r?$/
const couldBeHeader = /^[|>][0-9+-]*[ \t]*(?:#.*)?\r?$/
const boundary = /^ *<<< ?END\b[^\n]{0,40}>{3}[ \t]*\r?$|^ *<<< ?END[ \t]*\r?$/
const couldBeBoundary = /^ *(?:<{0,3}|<<< ?(?:EN?)?|<<< ?END\b[^\n]{0,44})$/
const opening = /^ *`{3}/
const closing = /^ *`{3,}[ \t]*\r?$/
const couldClose = /^ *`*[ \t]*\r?$/

/** How the lines of the open field are read. */
const LITERAL = 0
const PLAIN = 1
const JSON_VALUE = 2
/** Nothing came after the key: the first line below decides. */
const BELOW = 3
/** Collected for the YAML parser. */
const BUFFER = 4

const indentOf = (line: string): number => {
  let i = 0
  while (line.charCodeAt(i) === 32) i++
  return i
}

/** Fields of a YAML mapping. */
export class YamlFields implements Grammar {
  closed = false
  private readonly record: FieldRecord
  private atLineStart = true
  private mode = LITERAL
  private isText = true
  /** How far the keys are indented, -1 before the first; and the lines of the literal block, -1 before its first. */
  private base = -1
  private indent = -1
  private breaks = 0
  /** Blanks of a plain text that may be the last of their line. */
  private blanks = ""
  private buffer: Array<string> = []

  constructor(record: FieldRecord) {
    this.record = record
  }

  read(text: string, final: boolean, cut: boolean): number {
    let i = 0
    while (i < text.length && !this.closed) {
      const newline = text.indexOf("\n", i)
      const end = newline < 0 ? text.length : newline + 1
      if (this.atLineStart) {
        const next = this.lineStart(text, i, newline < 0 ? text.length : newline, newline < 0, final, cut)
        if (next < 0) return i
        i = next
        this.atLineStart = i >= end && newline >= 0
        continue
      }
      this.content(text.slice(i, end))
      this.atLineStart = newline >= 0
      i = end
    }
    if (final) this.flush()
    return text.length
  }

  // Reads what stands at the beginning of a line; gives where to go on, -1 where more text is needed.
  private lineStart(text: string, i: number, end: number, partial: boolean, final: boolean, cut: boolean): number {
    const line = text.slice(i, Math.min(end, i + maxMark))
    const waits = partial && !final && line.length < maxMark
    const indent = indentOf(line)
    const next = partial ? end : end + 1
    const atBase = this.base < 0 || indent <= this.base
    if (atBase || !this.record.isOpen) {
      keyLine.lastIndex = i
      const key = keyLine.exec(text)
      if (key !== null && key.index + key[0].length <= Math.max(end, i)) {
        const done = this.key(text, key, end, waits)
        if (done !== undefined) return done
      }
      if (waits && couldBeKey.test(line)) return -1
      if (this.record.isOpen) {
        const fenced = this.record.enclosed
        if (waits && (couldBeBoundary.test(line) || (fenced && couldClose.test(line)))) return -1
        if (boundary.test(line) || (fenced && closing.test(line))) {
          this.close()
          this.closed = true
          return text.length
        }
      }
      // The beginning of a key, or of the end, that was cut is none of the text before it.
      if (partial && cut && this.record.isOpen && this.mayBeCutKey(line, indent)) return next
    }
    if (!this.record.isOpen) {
      if (waits) return -1
      if (opening.test(line)) this.record.enclosed = !this.record.enclosed
      return next
    }
    return this.line(text, i, end, partial, final)
  }

  private mayBeCutKey(line: string, indent: number): boolean {
    const word = line.trim()
    if (indent > this.base || word === "") return false
    if (word.startsWith("<<<")) return true
    for (const key of this.record.keys.keys()) if (`${key}:`.startsWith(word)) return true
    return false
  }

  // A key at the level of keys; undefined where it is none of ours.
  private key(text: string, match: RegExpExecArray, end: number, waits: boolean): number | undefined {
    const name = match[2] ?? ""
    const at = match.index + match[0].length
    const rest = text.slice(at, end)
    const known = this.record.keys.has(name)
    // A block under a name that is not declared is a field all the same, where fields are.
    const isField = known || (this.record.isOpen && !waits && blockHeader.test(rest))
    if (!isField) return undefined
    if (waits && (rest === "" || couldBeHeader.test(rest))) return -1
    this.close()
    this.base = indentOf(match[0])
    this.isText = kindOf(this.record.keys.get(name)) === "text"
    this.indent = -1
    this.breaks = 0
    this.blanks = ""
    this.buffer = []
    const header = blockHeader.exec(rest)
    const first = rest.charAt(0)
    const past = end < text.length ? end + 1 : end
    if (header !== null) {
      const steps = Number(header[2] || header[3] || 0)
      if (steps > 0) this.indent = this.base + steps
      this.mode = header[1] === "|" ? (this.isText ? LITERAL : BELOW) : BUFFER
      if (this.mode === BUFFER) this.buffer.push(`v: ${rest}\n`)
      this.record.open(name, this.isText && this.mode === LITERAL ? undefined : "json")
      return past
    }
    if (rest.trim() === "") {
      this.mode = BELOW
      this.record.open(name, this.isText ? undefined : "json")
      return past
    }
    if (this.isText && first !== '"' && first !== "'") {
      this.mode = PLAIN
      this.record.open(name, undefined)
      return at
    }
    this.mode = first === "'" ? BUFFER : JSON_VALUE
    if (this.mode === BUFFER) this.buffer.push("v: ")
    this.record.open(name, "json")
    return at
  }

  // A line of the open field.
  private line(text: string, i: number, end: number, partial: boolean, final: boolean): number {
    let at = i
    while (at < end && text.charCodeAt(at) === 32) at++
    const isBlank = at === end || (at === end - 1 && text.charCodeAt(at) === 13)
    if (isBlank && partial && !final && end - i < maxMark) return -1
    const next = partial ? end : end + 1
    switch (this.mode) {
      case PLAIN:
        if (isBlank) this.breaks++
        else {
          this.record.write(this.breaks > 0 ? "\n".repeat(this.breaks) : " ")
          this.breaks = 0
          this.plain(text.slice(at, next))
        }
        return next
      case BELOW: {
        if (isBlank) return next
        const first = text.charAt(at)
        if (this.isText) this.mode = LITERAL
        else this.mode = first === "-" || /[\p{L}'_$]/u.test(first) ? BUFFER : JSON_VALUE
        if (this.mode === BUFFER) this.buffer.push("v:\n")
        return this.line(text, i, end, partial, final)
      }
      case LITERAL: {
        if (isBlank && this.indent < 0) {
          this.record.write("\n")
          return next
        }
        if (this.indent < 0) this.indent = at - i > this.base ? at - i : 0
        const from = Math.min(at, i + this.indent)
        this.record.write(text.slice(from, next))
        return next
      }
      default:
        this.content(text.slice(i, next))
        return next
    }
  }

  // More of a line whose beginning was read.
  private content(piece: string): void {
    if (!this.record.isOpen) return
    if (this.mode === BUFFER) this.buffer.push(piece)
    else if (this.mode === PLAIN) this.plain(piece)
    else this.record.write(piece)
  }

  // Lines of a plain text are joined by blanks.
  private plain(piece: string): void {
    let end = piece.length
    while (end > 0 && " \t\r\n".includes(piece.charAt(end - 1))) end--
    if (end > 0) {
      this.record.write(this.blanks + piece.slice(0, end))
      this.blanks = ""
    }
    this.blanks = piece.endsWith("\n") ? "" : this.blanks + piece.slice(end)
  }

  private close(): void {
    this.flush()
    this.record.close("observed")
  }

  private flush(): void {
    if (this.buffer.length === 0) return
    const source = this.buffer.join("")
    this.buffer = []
    const parsed: Result.Result<unknown, unknown> = Result.try(() => Yaml.parse(source))
    const value = Result.isSuccess(parsed) && isRecord(parsed.success) ? parsed.success["v"] : undefined
    if (value !== undefined) this.record.write(JSON.stringify(value))
  }
}

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null
