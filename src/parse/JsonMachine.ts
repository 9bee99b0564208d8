/**
 * The grammar: one JSON value, read as its text arrives, strictly or with tolerance, in one pass and without recursion.
 *
 * `run` is given text and the position to go on from. It returns the position it came to, or the bitwise complement
 * of a position, which says: more text is needed from there on to decide (the caller keeps that rest, at most a few
 * dozen characters, and gives it again with the next text). So every decision sees the same text in any chunking.
 *
 * Where the answer begins, which of several values is the answer, prose and fences are `JsonScanner`'s. Not exported
 * from the package.
 */
import { BareReader } from "./BareReader.ts"
import * as Fit from "./Fit.ts"
import type { FieldSource } from "./InstantEvent.ts"
import * as Lookahead from "./Lookahead.ts"
import type { PathStyle } from "./Path.ts"
import * as PathIndex from "./PathIndex.ts"
import { Findings, type RepairKind } from "./Repair.ts"
import type { Shape } from "./Shape.ts"
import { StringReader } from "./StringReader.ts"
import { type Frame, ValueTree } from "./ValueTree.ts"

/** How a machine is set up; the same for all machines of one scan. @category internals */
export interface MachineOptions {
  readonly shape: Shape
  readonly attempt: number
  readonly style: PathStyle
  readonly emit: boolean
  readonly strict: boolean
  readonly maxDepth: number
  readonly root: PathIndex.PathNode
}

const { ARRAY, OBJECT, ROOT } = Lookahead

// The states. Numbers, so that the switch in `run` is a jump.
/** Before the root value. */
const START = 0
/** After `[`: an item or `]`. */
const FIRST_ITEM = 1
/** After a comma in an array. */
const ITEM = 2
/** After `{`: a key or `}`. */
const FIRST_KEY = 3
/** After a comma in an object. */
const KEY = 4
/** After a quoted key. */
const COLON = 5
/** After a colon: the value of a key. */
const PROPERTY = 6
/** After a value: a comma or a closer. */
const AFTER = 7
/** In a quoted string, which is a value. */
const STRING = 8
/** In a quoted string, which is a key. */
const KEY_STRING = 9
/** In a number, literal or unquoted string. */
const BARE = 10
/** In an unquoted key. */
const BARE_KEY = 11
const COMMENT = 12
/** From here on nothing more is read. */
const OVER = 13

/** How a machine stands. @category internals */
export const READING = 0
/** The root value was closed by its own end. @category internals */
export const DONE = 1
/** What was read is no answer after all (before it was proved to be one). @category internals */
export const REJECTED = 2
/** There is a `problem`. @category internals */
export const FAILED = 3
/** A code fence ended the text of the value. @category internals */
export const FENCED = 4

/** Reads one value. @category internals */
export class Machine {
  status: number = READING
  readonly tree: ValueTree
  readonly findings = new Findings()
  /** The position of the current text's first character in the whole text. */
  base = 0
  /** Not yet proved to be the answer: doubtful text rejects the value instead of being repaired. */
  probing: boolean
  /** Stands where an answer is expected (at the start of the text or of a fence), not within prose. */
  readonly fresh: boolean
  /** Holds an unquoted string. */
  hasWords = false

  private readonly options: MachineOptions
  private readonly strings: StringReader
  private readonly words: BareReader
  private state = START
  private back = START
  /** An unquoted key so far. */
  private token = ""
  private commentEnd = "\n"

  constructor(options: MachineOptions, probing: boolean, fresh: boolean) {
    this.options = options
    this.probing = probing
    this.fresh = fresh
    this.tree = new ValueTree(options.emit ? options.root : PathIndex.dead, options.style, options.attempt)
    this.strings = new StringReader(this.findings, options.strict)
    this.words = new BareReader(this.tree, options.shape, options.strict)
  }

  /** Reads on from `i`; see the head of the file for what it returns. `final`: no text will follow. */
  run(text: string, from: number, final: boolean): number {
    const n = text.length
    let i = from
    while (i < n && this.status === READING) {
      switch (this.state) {
        case STRING:
        case KEY_STRING:
          i = this.string(text, i, final)
          break
        case BARE:
          i = this.bare(text, i, final)
          break
        case FIRST_ITEM:
        case ITEM:
        case PROPERTY:
        case START:
          i = this.beforeValue(text, i, final)
          break
        case FIRST_KEY:
        case KEY:
          i = this.beforeKey(text, i, final)
          break
        case COLON:
          i = this.beforeColon(text, i, final)
          break
        case AFTER:
          i = this.afterValue(text, i, final)
          break
        case BARE_KEY:
          i = this.bareKey(text, i)
          break
        case COMMENT:
          i = this.comment(text, i, final)
          break
        default:
          return i
      }
      if (i < 0) return i
    }
    return i
  }

  /** Emits the delta of the string that is being read. Called once at the end of each chunk. */
  flush(): void {
    if (this.state !== STRING) return
    const delta = this.strings.takeWhole()
    if (delta !== "") this.tree.grow(delta)
  }

  /** Closes everything that is still open: the text is over. `cut`: it did not end by itself. */
  finish(cut: boolean, offset: number): void {
    if (this.status !== READING && this.status !== FENCED) return
    const tree = this.tree
    if (this.state === COMMENT) this.state = this.back
    if (this.options.strict && this.state === BARE && !this.words.mayGoOn) {
      this.findings.refuse("syntax", offset, "the text ends with what is neither a number nor a literal")
    } else if (this.options.strict && !(this.state === BARE && tree.top === tree.root && this.words.isWhole)) {
      this.findings.refuse("incomplete", offset, "the text ends within the value")
    }
    // A word that may have been a key, and was never proved to be one, was prose.
    let rejected = this.probing && this.state === BARE_KEY
    if (this.state === STRING) {
      this.findings.note("end", offset)
      tree.markOpen(true)
      tree.closeString(this.strings.take(), "repaired")
    } else {
      if (this.state === BARE && !this.finishBare(cut, offset)) rejected = tree.top === tree.root
      if (tree.top !== tree.root) {
        this.findings.note("end", offset)
        tree.markOpen(false)
      }
    }
    while (tree.top !== tree.root) tree.close("repaired")
    this.status = rejected && !this.options.strict ? REJECTED : DONE
    this.state = OVER
  }

  /** Takes a scalar that was found in prose. */
  adopt(value: unknown, source: FieldSource, offset: number): void {
    this.findings.note("prose", offset)
    if (source === "repaired") this.tree.repaired.add("")
    this.tree.scalar(value, source)
  }

  /** A structural copy of the value so far, with the string that is being read. */
  snapshot(): unknown {
    return this.tree.snapshot(this.state === STRING)
  }

  // ---------------------------------------------------------------------------------------------------------- values

  private beforeValue(text: string, from: number, final: boolean): number {
    let i = from
    let c = text.charCodeAt(i)
    while (c === 32 || c === 10 || c === 13 || c === 9) {
      if (++i >= text.length) return i
      c = text.charCodeAt(i)
    }
    if (c === 34) {
      this.openString(34)
      return i + 1
    }
    if (c === 123) return this.open(OBJECT, i)
    if (c === 91) return this.open(ARRAY, i)
    if ((c >= 48 && c <= 57) || c === 45) return this.number(text, i)
    if (c === 93 && this.state === FIRST_ITEM) {
      this.close("observed")
      return i + 1
    }
    if (c === 116 || c === 102 || c === 110) return this.openBare(i)
    return this.options.strict ? this.unexpected(text, i) : this.oddValue(text, i, final)
  }

  /** What strict JSON does not have where a value is expected. */
  private oddValue(text: string, i: number, final: boolean): number {
    const code = text.charCodeAt(i)
    if (Lookahead.isSpace(code)) return i + 1
    const c = Lookahead.narrow(code)
    if (c !== code) this.note("punctuation", i)
    switch (c) {
      case 123:
        return this.open(OBJECT, i)
      case 91:
        return this.open(ARRAY, i)
      case 44:
        if (this.state === PROPERTY) {
          this.note("value", i)
          this.state = AFTER
          return i
        }
        this.note("comma", i)
        return i + 1
      case 58:
        this.note("stray", i)
        return i + 1
      case 93:
      case 125:
        if (this.tree.top === this.tree.root) return this.reject(i)
        this.note(this.state === PROPERTY ? "value" : "comma", i)
        return this.closer(text, i, c, final)
      case 96:
        // Three backticks end a fence, except after a colon, where they open a string.
        if (i + 2 >= text.length && !final) return ~i
        if (text.startsWith("```", i) && this.state !== PROPERTY) return this.fence(i)
        break
    }
    const started = this.tryComment(text, i, final)
    if (started !== 0) return started
    if (Lookahead.isQuote(c)) {
      this.note("quote", i)
      this.openString(c)
      return i + 1
    }
    return this.openBare(i)
  }

  /** After a value: what comes next, and whether that was the whole. */
  private settle(): void {
    if (this.tree.top === this.tree.root) {
      this.state = OVER
      this.status = DONE
    } else this.state = AFTER
  }

  /** A whole scalar other than a quoted string. */
  private scalar(value: unknown): void {
    this.tree.scalar(value, "observed")
    if (this.probing) this.proveScalar(value, false)
    this.settle()
  }

  private open(kind: number, i: number): number {
    if (this.tree.top.depth >= this.options.maxDepth) {
      this.findings.refuse("depth", this.base + i, `nested deeper than ${this.options.maxDepth} levels`)
      this.status = FAILED
      return i
    }
    this.tree.open(kind)
    this.state = kind === OBJECT ? FIRST_KEY : FIRST_ITEM
    return i + 1
  }

  private close(source: FieldSource): void {
    this.tree.close(source)
    this.settle()
  }

  /** A closer that may not be the one that is due. */
  private closer(text: string, i: number, c: number, final: boolean): number {
    const kind = c === 125 ? OBJECT : ARRAY
    if (this.tree.top.kind === kind) {
      this.close("observed")
      return i + 1
    }
    if (this.options.strict) return this.unexpected(text, i)
    if (this.probing) return this.reject(i)
    let match: Frame | undefined = this.tree.top
    while (match !== undefined && match.kind !== kind) match = match.parent
    if (match === undefined) {
      // Nothing of its kind is open. With more of the container to come it is one too many, else the wrong one.
      let j = i + 1
      while (j < text.length && Lookahead.isSpace(text.charCodeAt(j))) j++
      if (j >= text.length && !final) return ~i
      this.note("closer", i)
      const next = Lookahead.narrow(text.charCodeAt(j))
      if (j >= text.length || (next !== 44 && next !== 125 && next !== 93)) this.close("final")
      return i + 1
    }
    this.note("closer", i)
    while (this.tree.top !== match) this.close("final")
    this.close("observed")
    return i + 1
  }

  private afterValue(text: string, from: number, final: boolean): number {
    let i = from
    let c = text.charCodeAt(i)
    while (c === 32 || c === 10 || c === 13 || c === 9) {
      if (++i >= text.length) return i
      c = text.charCodeAt(i)
    }
    const kind: number = this.tree.top.kind
    if (c === 44) {
      this.state = kind === OBJECT ? KEY : ITEM
      return i + 1
    }
    if (c === 125 || c === 93) return this.closer(text, i, c, final)
    if (this.options.strict) return this.unexpected(text, i)
    if (Lookahead.isSpace(c)) return i + 1
    const narrow = Lookahead.narrow(c)
    if (narrow !== c) {
      this.note("punctuation", i)
      if (narrow === 125 || narrow === 93) return this.closer(text, i, narrow, final)
      if (narrow === 44) {
        this.state = kind === OBJECT ? KEY : ITEM
        return i + 1
      }
    }
    if (narrow === 96) {
      if (i + 2 >= text.length && !final) return ~i
      if (text.startsWith("```", i)) return this.fence(i)
    }
    const started = this.tryComment(text, i, final)
    if (started !== 0) return started
    if (narrow === 58 || narrow === 59 || narrow === 41) {
      if (this.probing) return this.reject(i)
      this.note("stray", i)
      return i + 1
    }
    // Anything else begins the next key or item: the comma is missing.
    if (this.probing && !(Lookahead.isQuote(c) || (kind === ARRAY && (c === 123 || c === 91)))) return this.reject(i)
    this.note("comma", i)
    this.state = kind === OBJECT ? KEY : ITEM
    return i
  }

  // ------------------------------------------------------------------------------------------------------------ keys

  private beforeKey(text: string, from: number, final: boolean): number {
    let i = from
    let c = text.charCodeAt(i)
    while (c === 32 || c === 10 || c === 13 || c === 9) {
      if (++i >= text.length) return i
      c = text.charCodeAt(i)
    }
    if (c === 34) {
      this.openKey(34)
      return i + 1
    }
    if (c === 125 && this.state === FIRST_KEY) {
      this.close("observed")
      return i + 1
    }
    if (this.options.strict) return this.unexpected(text, i)
    return this.oddKey(text, i, final)
  }

  private oddKey(text: string, i: number, final: boolean): number {
    const code = text.charCodeAt(i)
    if (Lookahead.isSpace(code)) return i + 1
    const c = Lookahead.narrow(code)
    if (c !== code) this.note("punctuation", i)
    if (c === 125 || c === 93) {
      if (this.state === KEY) this.note("comma", i)
      return this.closer(text, i, c, final)
    }
    if (c === 44) {
      this.note("comma", i)
      return i + 1
    }
    if (c === 96) {
      if (i + 2 >= text.length && !final) return ~i
      if (text.startsWith("```", i)) return this.fence(i)
    }
    const started = this.tryComment(text, i, final)
    if (started !== 0) return started
    if (Lookahead.isQuote(c)) {
      this.note("quote", i)
      this.openKey(c)
      return i + 1
    }
    const starts =
      (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || (c >= 48 && c <= 57) || c === 95 || c === 36 || c > 0xbf
    if (starts || (c === 45 && !this.probing)) {
      this.token = ""
      this.state = BARE_KEY
      return i
    }
    if (this.probing) return this.reject(i)
    this.note("stray", i)
    return i + 1
  }

  private bareKey(text: string, from: number): number {
    const n = text.length
    let i = from
    let c = 0
    for (; i < n; i++) {
      c = Lookahead.narrow(text.charCodeAt(i))
      if (c === 58 || c === 61 || c === 44 || c === 123 || c === 125 || c === 91 || c === 93 || c === 34 || c === 10)
        break
    }
    this.token += text.slice(from, i)
    if (i >= n) return n
    const key = this.token.trim()
    if (c === 58 || c === 61) {
      if (this.probing && /\s/.test(key)) return this.reject(i)
      this.note("unquoted", i)
      this.tree.setKey(key)
      this.state = COLON
      return i
    }
    if (this.probing) return this.reject(i)
    // A word without a colon is no key.
    this.note("stray", i)
    this.state = AFTER
    return i
  }

  private beforeColon(text: string, from: number, final: boolean): number {
    let i = from
    let c = text.charCodeAt(i)
    while (c === 32 || c === 10 || c === 13 || c === 9) {
      if (++i >= text.length) return i
      c = text.charCodeAt(i)
    }
    if (c === 58) {
      this.state = PROPERTY
      if (this.probing) this.prove(this.tree.top.key)
      return i + 1
    }
    if (this.options.strict) return this.unexpected(text, i)
    if (Lookahead.isSpace(c)) return i + 1
    const started = this.tryComment(text, i, final)
    if (started !== 0) return started
    const narrow = Lookahead.narrow(c)
    if (narrow === 58 || narrow === 61) {
      if (narrow === 61) {
        // `=` and `=>`
        if (i + 1 >= text.length && !final) return ~i
        if (text.charCodeAt(i + 1) === 62) i++
      }
      this.note(narrow === 58 ? "punctuation" : "colon", i)
      this.state = PROPERTY
      if (this.probing) this.prove(this.tree.top.key)
      return i + 1
    }
    if (this.probing) {
      // A key without a colon is a key where the contract knows it, or a value follows; else it is prose.
      if (!Fit.isAny(this.options.shape)) this.prove(this.tree.top.key)
      const value = Lookahead.isQuote(c) || c === 123 || c === 91 || (c >= 48 && c <= 57)
      if (this.probing && !value) return this.reject(i)
    }
    if (narrow === 44 || narrow === 125 || narrow === 93) {
      this.note("value", i)
      this.state = AFTER
      return i
    }
    this.note("colon", i)
    this.state = PROPERTY
    return i
  }

  // --------------------------------------------------------------------------------------------------------- strings

  private openString(quote: number): void {
    const kind = this.tree.top.kind
    this.tree.openString()
    this.strings.open(quote, false, kind, kind === ROOT && this.probing)
    this.state = STRING
  }

  private openKey(quote: number): void {
    this.strings.open(quote, true, OBJECT, false)
    this.state = KEY_STRING
  }

  private string(text: string, from: number, final: boolean): number {
    const i = this.strings.run(text, from, final, this.base)
    if (this.strings.closed) {
      this.strings.closed = false
      if (this.state === KEY_STRING) {
        this.tree.setKey(this.strings.take())
        this.state = COLON
      } else {
        const value = this.tree.closeString(this.strings.take(), "observed")
        if (this.probing) this.proveScalar(value, true)
        this.settle()
      }
    } else if (this.findings.problem !== undefined) this.status = FAILED
    return i
  }

  // ----------------------------------------------------------------------------------------------------- bare tokens

  /** A small integer that ends in this text is read at once; any other number as a token. */
  private number(text: string, i: number): number {
    const n = text.length
    let j = i
    let c = text.charCodeAt(j)
    const negative = c === 45
    if (negative) j++
    const first = j
    let value = 0
    while (j < n) {
      c = text.charCodeAt(j)
      if (c < 48 || c > 57) break
      value = value * 10 + (c - 48)
      j++
    }
    const length = j - first
    if (j < n && (c === 44 || c === 125 || c === 93 || c <= 32) && length > 0 && length < 16) {
      if (length === 1 || text.charCodeAt(first) !== 48) {
        this.scalar(negative ? -value : value)
        return j
      }
    }
    return this.openBare(i)
  }

  private openBare(i: number): number {
    this.words.open()
    this.state = BARE
    return i
  }

  private bare(text: string, from: number, final: boolean): number {
    const i = this.words.run(text, from, final, this.probing)
    if (i < 0) return i
    const token = this.words.ended
    if (token === undefined) {
      if (!this.words.refused) return i
      return this.options.strict ? this.unexpected(text, i) : this.reject(i)
    }
    if (token.word) this.hasWords = true
    if (token.loose) this.note(token.word ? "unquoted" : "literal", i)
    this.scalar(token.value)
    return i
  }

  /** A bare token that the end of the text closes; false where nothing can be made of it. */
  private finishBare(cut: boolean, offset: number): boolean {
    const token = this.words.finish(cut)
    if (token === undefined) return false
    if (token.word) this.hasWords = true
    if (token.loose) this.findings.note(token.word ? "unquoted" : "literal", offset)
    if (cut) this.tree.markOpen(true)
    this.tree.scalar(token.value, cut ? "repaired" : "final")
    return true
  }

  // --------------------------------------------------------------------------------------------- comments and fences

  /** 0 where no comment begins here. */
  private tryComment(text: string, i: number, final: boolean): number {
    const c = text.charCodeAt(i)
    if (c !== 47 && c !== 35 && c !== 60) return 0
    let end = "\n"
    let length = 1
    if (c === 47) {
      if (i + 1 >= text.length && !final) return ~i
      const next = text.charCodeAt(i + 1)
      if (next !== 47 && next !== 42) return 0
      if (next === 42) end = "*/"
      length = 2
    } else if (c === 60) {
      if (i + 3 >= text.length && !final) return ~i
      if (!text.startsWith("<!--", i)) return 0
      end = "-->"
      length = 4
    }
    if (this.probing && c === 35) return 0
    this.note("comment", i)
    this.commentEnd = end
    this.back = this.state
    this.state = COMMENT
    return i + length
  }

  private comment(text: string, i: number, final: boolean): number {
    const end = text.indexOf(this.commentEnd, i)
    if (end >= 0) {
      this.state = this.back
      return end + this.commentEnd.length
    }
    if (final) return text.length
    // The last characters may be the first ones of the end.
    const kept = Math.max(i, text.length - this.commentEnd.length + 1)
    return kept < text.length ? ~kept : kept
  }

  private fence(i: number): number {
    this.status = FENCED
    return i
  }

  // ---------------------------------------------------------------------------------------------------------- proofs

  /** A key with its colon was read: is this the answer? */
  private prove(key: string): void {
    const shape = this.tree.shapeOfTop(this.options.shape)
    if (shape !== undefined && (Fit.isAny(shape) || Fit.declares(shape, key))) this.probing = false
  }

  /** A scalar within an array was read: is this the answer? */
  private proveScalar(value: unknown, quoted: boolean): void {
    if (this.tree.top.kind !== ARRAY || this.hasWords) return
    const shape = this.tree.shapeOfTop(this.options.shape)
    const here = shape === undefined ? undefined : Fit.below(shape, this.tree.top.array.length - 1)
    if (here === undefined) return
    if (Fit.isAny(here) ? quoted || this.fresh : Fit.rank(here, value) > 0) this.probing = false
  }

  // --------------------------------------------------------------------------------------------------------- failure

  private note(kind: RepairKind, i: number): void {
    this.findings.note(kind, this.base + i)
  }

  private reject(i: number): number {
    if (this.probing) {
      this.status = REJECTED
      return i
    }
    this.note("stray", i)
    return i + 1
  }

  private unexpected(text: string, i: number): number {
    this.findings.unexpected(text, i, this.base)
    this.status = FAILED
    return i
  }
}
