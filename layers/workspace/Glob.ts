/**
 * Patterns for paths, matched in time proportional to pattern times path, whatever the pattern: no regular expression is
 * made of them, so a pattern that a model writes cannot hang the program.
 */
import * as Result from "effect/Result"

type Token =
  | { readonly _tag: "Star" }
  | { readonly _tag: "Any" }
  | { readonly _tag: "Char"; readonly char: string }
  | { readonly _tag: "Class"; readonly not: boolean; readonly ranges: ReadonlyArray<readonly [string, string]> }

/** The names of a path: `**`, or what one name has to look like. */
type Part = "**" | ReadonlyArray<Token>

const maxLength = 1000
const maxAlternatives = 64

/** Writes `{a,b}` out. Gives nothing where it would be too many, or a brace has no end. */
const expand = (pattern: string): ReadonlyArray<string> | undefined => {
  const open = pattern.indexOf("{")
  if (open < 0) return [pattern]
  const pieces: Array<string> = []
  let depth = 0
  let from = open + 1
  let end = -1
  for (let index = open; index < pattern.length && end < 0; index++) {
    const char = pattern[index]
    if (char === "{") depth++
    else if (char === "}" && --depth === 0) end = index
    if ((char === "," && depth === 1) || end === index) {
      pieces.push(pattern.slice(from, index))
      from = index + 1
    }
  }
  if (end < 0) return undefined
  const all: Array<string> = []
  for (const piece of pieces) {
    const rest = expand(pattern.slice(0, open) + piece + pattern.slice(end + 1))
    if (rest === undefined) return undefined
    all.push(...rest)
    if (all.length > maxAlternatives) return undefined
  }
  return all
}

const tokens = (text: string): ReadonlyArray<Token> => {
  const made: Array<Token> = []
  const chars = Array.from(text)
  for (let index = 0; index < chars.length; index++) {
    const char = chars[index] ?? ""
    if (char === "*") {
      if (made.at(-1)?._tag !== "Star") made.push({ _tag: "Star" })
    } else if (char === "?") made.push({ _tag: "Any" })
    else if (char === "[" && chars.indexOf("]", index + 2) > 0) {
      const end = chars.indexOf("]", index + 2)
      const not = chars[index + 1] === "!" || chars[index + 1] === "^"
      const inside = chars.slice(index + (not ? 2 : 1), end)
      const ranges: Array<readonly [string, string]> = []
      for (let at = 0; at < inside.length; at++) {
        const low = inside[at] ?? ""
        const high = inside[at + 1] === "-" ? inside[at + 2] : undefined
        ranges.push([low, high ?? low])
        if (high !== undefined) at += 2
      }
      made.push({ _tag: "Class", not, ranges })
      index = end
    } else made.push({ _tag: "Char", char })
  }
  return made
}

const fits = (token: Token, char: string): boolean => {
  switch (token._tag) {
    case "Any":
      return true
    case "Char":
      return token.char === char
    case "Class":
      return token.ranges.some(([low, high]) => low <= char && char <= high) !== token.not
    case "Star":
      return false
  }
}

/** Matches a row with wild cards: on a mismatch only the last wild card takes one more, so it is never more than n * m. */
const matchRow = <P, I>(
  pattern: ReadonlyArray<P>,
  items: ReadonlyArray<I>,
  isWild: (part: P) => boolean,
  matches: (part: P, item: I) => boolean
): boolean => {
  let at = 0
  let star = -1
  let resume = 0
  for (let index = 0; index < items.length;) {
    const part = pattern[at]
    const item = items[index]
    if (part !== undefined && isWild(part)) {
      star = at++
      resume = index
    } else if (part !== undefined && item !== undefined && matches(part, item)) {
      at++
      index++
    } else if (star >= 0) {
      at = star + 1
      index = ++resume
    } else return false
  }
  while (at < pattern.length) {
    const part = pattern[at]
    if (part === undefined || !isWild(part)) return false
    at++
  }
  return true
}

const matchName = (pattern: ReadonlyArray<Token>, name: string): boolean =>
  matchRow(pattern, Array.from(name), (token) => token._tag === "Star", fits)

const matchPath = (pattern: ReadonlyArray<Part>, path: ReadonlyArray<string>): boolean =>
  matchRow(
    pattern,
    path,
    (part) => part === "**",
    (part, name) => part !== "**" && matchName(part, name)
  )

/**
 * Makes a pattern into a function of the names of a path. A pattern without `/` is for the last name, in any folder. Fails
 * with what is wrong with it.
 */
export const compile = (pattern: string): Result.Result<(names: ReadonlyArray<string>) => boolean, string> => {
  if (pattern === "" || pattern.length > maxLength) return Result.fail(`a pattern has 1 to ${maxLength} characters`)
  const all = expand(pattern)
  if (all === undefined) {
    return Result.fail(`a brace has no end, or the braces stand for more than ${maxAlternatives} patterns`)
  }
  const made = all.map((one): ReadonlyArray<Part> => {
    const names = one.split("/").filter((name, index) => name !== "" && !(name === "." && index === 0))
    const parts = names.map((name): Part => (name === "**" ? "**" : tokens(name)))
    return one.includes("/") ? parts : ["**", ...parts]
  })
  return Result.succeed((names) => made.some((one) => matchPath(one, names)))
}
