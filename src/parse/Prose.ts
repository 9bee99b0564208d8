/**
 * What stands around an answer: fences, blocks of thoughts, and scalars within prose. Not exported from the package.
 */
import * as Fit from "./Fit.ts"
import * as Lookahead from "./Lookahead.ts"
import type { Shape } from "./Shape.ts"
import * as Token from "./Token.ts"

/** White space as JSON has it. @category internals */
export const isJsonSpace = (c: number): boolean => c === 32 || c === 10 || c === 13 || c === 9

/** Whether a scalar may be the answer. @category internals */
export const admitsScalar = (shape: Shape): boolean =>
  Fit.admits(shape, "string") ||
  Fit.admits(shape, "number") ||
  Fit.admits(shape, "boolean") ||
  Fit.admits(shape, "null")

/** Whether a character may begin a scalar that is all of a text. @category internals */
export const startsScalar = (c: number): boolean =>
  Lookahead.isQuote(c) ||
  (c >= 48 && c <= 57) ||
  c === 45 ||
  c === 43 ||
  c === 46 ||
  c === 116 ||
  c === 102 ||
  c === 110 ||
  c === 84 ||
  c === 70 ||
  c === 78 ||
  c === 73

const maxInfo = 32

/**
 * The length of the fence at `i` with its language, 0 where there is none, -1 where more text is needed. The language
 * is the word after the backticks; what follows it on the line may be the answer.
 *
 * @category internals
 */
export const fence = (text: string, i: number, final: boolean): number => {
  if (i + 2 >= text.length && !final) return -1
  if (!text.startsWith("```", i)) return 0
  let j = i + 3
  const limit = Math.min(text.length, i + 3 + maxInfo)
  while (j < limit && text.charCodeAt(j) === 96) j++
  const word = j
  for (; j < limit; j++) {
    const c = text.charCodeAt(j)
    const inWord =
      (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || (c >= 48 && c <= 57) || c === 43 || c === 45 || c === 95
    if (!inWord) break
  }
  if (j === text.length && !final && j < i + 3 + maxInfo) return -1
  // The language ends its line: a word with more after it on the line, or a number, is text, such as "```42```". So is
  // a word that is longer than any language, wherever it ends: what follows it may not have come yet.
  const c = text.charCodeAt(j)
  const language =
    j > word && j < i + 3 + maxInfo && (j >= text.length || c === 10 || c === 13 || c === 32 || c === 123 || c === 91)
  return (language && !(text.charCodeAt(word) <= 57) ? j : word) - i
}

const thoughts: ReadonlySet<string> = new Set([
  "think",
  "thinking",
  "thought",
  "thoughts",
  "reasoning",
  "reflection",
  "scratchpad",
  "analysis"
])

/** A tag of a block of thoughts; its name is empty where there is none. @category internals */
export interface Tag {
  readonly name: string
  readonly closes: boolean
}

const noTag: Tag = { name: "", closes: false }

/** The tag at `i`, `undefined` where more text is needed. @category internals */
export const tag = (text: string, i: number, final: boolean): Tag | undefined => {
  const closes = text.charCodeAt(i + 1) === 47
  const first = closes ? i + 2 : i + 1
  let j = first
  while (j < text.length && j < first + 12 && isLetter(text.charCodeAt(j))) j++
  if (j >= text.length) return final ? noTag : undefined
  if (text.charCodeAt(j) !== 62) return noTag
  const name = text.slice(first, j).toLowerCase()
  return thoughts.has(name) ? { name, closes } : noTag
}

const isLetter = (c: number): boolean => (c >= 97 && c <= 122) || (c >= 65 && c <= 90)

/** Where a block of thoughts ends; `next` is where to go on, complemented where more text is needed. @category internals */
export const endOfThought = (
  text: string,
  from: number,
  name: string,
  final: boolean
): { readonly next: number; readonly found: boolean } => {
  const length = name.length + 3
  for (let at = text.indexOf("<", from); at >= 0; at = text.indexOf("<", at + 1)) {
    if (at + length > text.length) return final ? { next: text.length, found: false } : { next: ~at, found: false }
    if (text.charCodeAt(at + 1) === 47 && text.slice(at, at + length).toLowerCase() === `</${name}>`) {
      return { next: at + length, found: true }
    }
  }
  return { next: text.length, found: false }
}

/** Marks that may stand around a scalar in prose. */
const marks = "[\\s*_`~\"'“”‘’«».,;:!?()\\[\\]]*"
const edges = new RegExp(`^${marks}|${marks}$`, "gu")
const lastNumber = new RegExp(`([+-]?(?:\\d[\\d_]*(?:\\.\\d+)?|\\.\\d+)(?:[eE][+-]?\\d+)?)%?${marks}$`, "u")
const lastWord = new RegExp(`(?:^|[\\n:=*_\`]\\s*)(\\w+)${marks}$`, "u")
const numbers = /[+-]?(?:\d[\d_]*(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?/gu

/** How much of the end of prose is looked at for a number or literal. */
const tail = 1024

/**
 * The scalar that prose stands for. A number: at its end, or the only one in it. A boolean or null: the last word, if it
 * stands alone on its line or after a colon or an equals sign. A declared string: the whole text but for marks, without regard to case, or
 * the last line of it. Any other string: the whole text.
 *
 * @category internals
 */
export const scalar = (prose: string, shape: Shape): { readonly value: unknown } | undefined => {
  const text = prose.trim()
  if (text === "") return undefined
  const end = text.slice(-tail)
  const members = Fit.members(shape)
  for (const member of members) {
    if (member.kind === "number") {
      const last = lastNumber.exec(end)?.[1]
      const all = text.length <= tail ? text.match(numbers) : null
      const token = last ?? (all !== null && all.length === 1 ? all[0] : undefined)
      const read = token === undefined ? undefined : Token.loose(token, false)
      if (read !== undefined) return { value: read.value }
    } else if (member.kind === "boolean" || member.kind === "null") {
      const word = lastWord.exec(end)?.[1]
      const read = word === undefined ? undefined : Token.loose(word, false)
      if (read !== undefined && Fit.rank(member, read.value) > 0) return { value: read.value }
    } else if (member.kind === "string" && member.values !== undefined) {
      const lines = [end, end.slice(end.lastIndexOf("\n") + 1), end.slice(end.lastIndexOf(":") + 1)]
      for (const line of lines) {
        const bare = line.replace(edges, "").toLowerCase()
        const value = member.values.find((known) => known.toLowerCase() === bare)
        if (value !== undefined) return { value }
      }
    }
  }
  return members.some((member) => member.kind === "string") ? { value: text } : undefined
}
