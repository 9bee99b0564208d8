/**
 * Reads quoted strings, keys and values: escapes, raw control characters, other quotes than `"`, triple quotes, and quotes
 * that belong to the text. Takes what it reads in spans, one slice each. Not exported from the package.
 */
import * as Lookahead from "./Lookahead.ts"
import type { Findings } from "./Repair.ts"

/** One string at a time. @category internals */
export class StringReader {
  /** Text that was read and not yet taken. */
  pending = ""
  /** The closing quote was read. */
  closed = false

  private readonly findings: Findings
  private readonly strict: boolean
  private isKey = false
  /** What encloses the string, as `Lookahead` counts it. */
  private container: number = Lookahead.ROOT
  /** The two characters that may close it. */
  private quote = 34
  private otherQuote = 34
  private triple = false
  /** Nothing but the opening quote was read so far. */
  private empty = true
  /** Any closing quote closes, without a look at what follows. */
  private eager: boolean

  constructor(findings: Findings, strict: boolean) {
    this.findings = findings
    this.strict = strict
    this.eager = strict
  }

  /**
   * Begins after an opening quote.
   *
   * @param eager the first closing quote closes, whatever follows it
   */
  open(quote: number, isKey: boolean, container: number, eager: boolean): void {
    this.pending = ""
    this.closed = false
    this.isKey = isKey
    this.container = container
    this.triple = false
    this.empty = true
    this.eager = eager || this.strict
    this.quote = quote
    this.otherQuote = quote
    if (quote === 0x201c || quote === 0x201e || quote === 0x201d) {
      this.quote = 0x201d
      this.otherQuote = 34
    } else if (quote === 0x2018 || quote === 0x2019) {
      this.quote = 0x2019
      this.otherQuote = 39
    } else if (quote === 0xff02) this.otherQuote = 34
  }

  /** What was read since the last call. */
  take(): string {
    const pending = this.pending
    if (pending !== "") {
      this.pending = ""
      this.empty = false
    }
    return pending
  }

  /** What was read since the last call, but for a high surrogate at its end, whose other half is still to come. */
  takeWhole(): string {
    const pending = this.take()
    const last = pending.charCodeAt(pending.length - 1)
    if (last < 0xd800 || last > 0xdbff || pending === "") return pending
    this.pending = pending.slice(-1)
    return pending.slice(0, -1)
  }

  /** Reads on from `i`, as `JsonMachine.run` does. */
  run(text: string, from: number, final: boolean, base: number): number {
    const n = text.length
    const quote = this.quote
    const other = this.otherQuote
    let i = from
    for (;;) {
      const start = i
      let c = 0
      while (i < n) {
        c = text.charCodeAt(i)
        if (c === quote || c === 92 || c < 32 || c === other) break
        i++
      }
      if (i > start) {
        const part = start === 0 && i === n ? text : text.slice(start, i)
        this.pending = this.pending === "" ? part : this.pending + part
      }
      if (i >= n) return n
      if (c === 92) {
        i = this.escape(text, i, final, base)
        if (i < 0 || this.findings.problem !== undefined) return i
        continue
      }
      if (c < 32) {
        if (this.strict) {
          this.findings.unexpected(text, i, base)
          return i
        }
        if (!this.triple) this.findings.note("control", base + i)
        this.pending += text.charAt(i)
        i++
        continue
      }
      const closes = this.triple ? this.closesTriple(text, i, final) : this.closes(text, i, final)
      if (closes === Lookahead.CLOSES) {
        this.closed = true
        return i + (this.triple ? 3 : 1)
      }
      if (closes === Lookahead.MORE) return ~i
      if (closes === TRIPLES) {
        this.triple = true
        this.empty = false
        this.findings.note("quote", base + i)
        i += 2
        continue
      }
      if (!this.triple) this.findings.note("innerQuote", base + i)
      this.pending += text.charAt(i)
      i++
    }
  }

  private closes(text: string, i: number, final: boolean): number {
    if (this.eager) return Lookahead.CLOSES
    const ended = i + 1 >= text.length
    const next = ended ? 0 : text.charCodeAt(i + 1)
    if (this.isKey) {
      // A key ends at its first quote, unless a letter follows at once (`{'it's': 1}`).
      if (ended) return final ? Lookahead.CLOSES : Lookahead.MORE
      const letter = (next >= 97 && next <= 122) || (next >= 65 && next <= 90) || next === 95
      return letter && this.pending !== "" ? Lookahead.INNER : Lookahead.CLOSES
    }
    if (!ended) {
      // The usual ways to go on, without a call.
      if (next === 125 && this.container === Lookahead.OBJECT) return Lookahead.CLOSES
      if (next === 93 && this.container === Lookahead.ARRAY) return Lookahead.CLOSES
      if (next === 44 && this.container !== Lookahead.ROOT && text.charCodeAt(i + 2) === 34) return Lookahead.CLOSES
      if (this.empty && this.pending === "" && next === this.quote) return TRIPLES
    }
    return Lookahead.decide(text, i, final, this.container)
  }

  /** Of three or more quotes the last three close. */
  private closesTriple(text: string, i: number, final: boolean): number {
    const q = this.quote
    for (let j = i + 1; j < i + 3; j++) {
      if (j >= text.length) return final ? Lookahead.INNER : Lookahead.MORE
      if (text.charCodeAt(j) !== q) return Lookahead.INNER
    }
    if (i + 3 >= text.length) return final ? Lookahead.CLOSES : Lookahead.MORE
    return text.charCodeAt(i + 3) === q ? Lookahead.INNER : Lookahead.CLOSES
  }

  private escape(text: string, i: number, final: boolean, base: number): number {
    if (i + 1 >= text.length) return final ? text.length : ~i
    const c = text.charCodeAt(i + 1)
    switch (c) {
      case 110:
        this.pending += "\n"
        return i + 2
      case 34:
        this.pending += '"'
        return i + 2
      case 92:
        this.pending += "\\"
        return i + 2
      case 47:
        this.pending += "/"
        return i + 2
      case 116:
        this.pending += "\t"
        return i + 2
      case 114:
        this.pending += "\r"
        return i + 2
      case 98:
        this.pending += "\b"
        return i + 2
      case 102:
        this.pending += "\f"
        return i + 2
      case 117:
        return this.hexEscape(text, i, 4, final, base)
    }
    if (this.strict) {
      this.findings.unexpected(text, i, base)
      return i
    }
    if (c === 120) return this.hexEscape(text, i, 2, final, base)
    this.findings.note("escape", base + i)
    // Any quote may be escaped, and an escaped newline continues the line; any other backslash is meant as one
    // (`\d`, `\alpha`, `C:\x`).
    if (Lookahead.isQuote(c)) this.pending += text.charAt(i + 1)
    else if (c !== 10) this.pending += "\\" + text.charAt(i + 1)
    return i + 2
  }

  private hexEscape(text: string, i: number, digits: number, final: boolean, base: number): number {
    let code = 0
    for (let j = i + 2; j < i + 2 + digits; j++) {
      if (j >= text.length) return final ? text.length : ~i
      const c = text.charCodeAt(j)
      const digit = c >= 48 && c <= 57 ? c - 48 : c >= 97 && c <= 102 ? c - 87 : c >= 65 && c <= 70 ? c - 55 : -1
      if (digit < 0) {
        if (this.strict) {
          this.findings.unexpected(text, i, base)
          return i
        }
        this.findings.note("escape", base + i)
        this.pending += text.slice(i, i + 2)
        return i + 2
      }
      code = code * 16 + digit
    }
    if (digits === 2) this.findings.note("escape", base + i)
    this.pending += String.fromCharCode(code)
    return i + 2 + digits
  }
}

/** This quote is the second of three that open a string. */
const TRIPLES = 2
