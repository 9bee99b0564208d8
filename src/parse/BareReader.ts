/**
 * Reads what stands without quotes where a value is expected: numbers, literals, and unquoted strings, which may hold
 * spaces. Not exported from the package.
 */
import * as Fit from "./Fit.ts"
import * as Lookahead from "./Lookahead.ts"
import type { Shape } from "./Shape.ts"
import * as Token from "./Token.ts"
import type { ValueTree } from "./ValueTree.ts"

/** ASCII characters at which a token may end; what they mean is decided in `run`. */
const ends = new Uint8Array(128)
for (const c of ',]}"/[{ \t\n\r\v\f\0') ends[c.charCodeAt(0)] = 1

/** One token at a time. @category internals */
export class BareReader {
  /** The token that was read; `undefined` while it goes on. */
  ended: Token.Token | undefined = undefined
  /** What was read is no token. */
  refused = false

  private readonly tree: ValueTree
  private readonly shape: Shape
  private readonly strict: boolean
  private token = ""
  /** It can be nothing but an unquoted string any more. */
  private wordy = false
  /** Its last character is white space. */
  private spaced = false

  constructor(tree: ValueTree, shape: Shape, strict: boolean) {
    this.tree = tree
    this.shape = shape
    this.strict = strict
  }

  open(): void {
    this.token = ""
    this.wordy = false
    this.spaced = false
    this.ended = undefined
    this.refused = false
  }

  /**
   * Reads on from `i`, as `JsonMachine.run` does, to the character after the token.
   *
   * @param doubtful refuses a word that runs into a quote or bracket
   */
  run(text: string, from: number, final: boolean, doubtful: boolean): number {
    const n = text.length
    let start = from
    let i = from
    for (;;) {
      let c = 0
      for (; i < n; i++) {
        c = text.charCodeAt(i)
        if (c < 128 ? ends[c] === 1 : Lookahead.isSpace(c) || Lookahead.narrow(c) !== c) break
      }
      if (i > start) {
        this.token = this.token === "" ? text.slice(start, i) : this.token + text.slice(start, i)
        this.spaced = Lookahead.isSpace(text.charCodeAt(i - 1))
      }
      if (i >= n) return n
      start = i
      let token = this.wordy ? undefined : Token.strict(this.token)
      if (token === undefined) {
        token = this.wordy || this.strict ? undefined : this.classify(this.token)
        // At the root a word is prose.
        if (this.strict || (token === undefined && this.tree.top === this.tree.root)) {
          this.refused = true
          return i
        }
        const blank = Lookahead.isSpace(c)
        if (token === undefined && blank && c !== 10) {
          this.wordy = true
          i++
          continue
        }
        if (c === 47) {
          // A comment ends a token only after a number, a literal or a space; else the slash is part of the word.
          if (i + 1 >= n && !final) return ~i
          const next = text.charCodeAt(i + 1)
          const comment = (next === 47 || next === 42) && (token !== undefined || this.spaced)
          if (!comment) {
            this.wordy = true
            i++
            continue
          }
        }
        if (token === undefined && doubtful && (c === 34 || c === 91 || c === 123)) {
          this.refused = true
          return i
        }
      } else if (c === 47 && !this.strict) {
        // `1/5` and dates are words, `1 / *` and `1//` are not.
        if (i + 1 >= n && !final) return ~i
        const next = text.charCodeAt(i + 1)
        if (next !== 47 && next !== 42) {
          this.wordy = true
          i++
          continue
        }
      }
      this.ended = token ?? this.word()
      return i
    }
  }

  /** What the end of the text makes of the token; `undefined` where nothing can be made of it. */
  finish(cut: boolean): Token.Token | undefined {
    const text = this.token.trim()
    const exact = this.wordy ? undefined : Token.strict(text)
    if (exact !== undefined || this.strict) return exact
    if (!this.wordy) {
      const known = this.classify(text) ?? (cut && text !== "" ? Token.cut(text, this.allowsNaN()) : undefined)
      if (known !== undefined) return known
    }
    return this.tree.top === this.tree.root || Token.isSign(text) ? undefined : this.word()
  }

  /** Whether what was read so far is a token of strict JSON. */
  get isWhole(): boolean {
    return Token.strict(this.token) !== undefined
  }

  /** Whether strict JSON may have a token that begins like this one. */
  get mayGoOn(): boolean {
    return Token.begins(this.token)
  }

  private word(): Token.Token {
    return { value: this.token.trim(), loose: true, word: true }
  }

  private classify(token: string): Token.Token | undefined {
    const shape = this.tree.shapeOfNext(this.shape)
    // A word that the contract declares as a string is that string, even where it reads like a literal.
    const declared =
      shape !== undefined &&
      Fit.members(shape).some((member) => member.kind === "string" && member.values?.includes(token) === true)
    return declared ? undefined : Token.loose(token, this.allowsNaN())
  }

  private allowsNaN(): boolean {
    const shape = this.tree.shapeOfNext(this.shape)
    return shape !== undefined && !Fit.isAny(shape) && Fit.admits(shape, "number")
  }
}
