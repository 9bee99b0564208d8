/**
 * Where a quote ends its string and where it is text: `{"a":"he said "hi" ok"}`. Decided by what follows the quote, at
 * most `reach` characters of it, so that the cost stays linear and the answer does not depend on chunking. For strict
 * JSON the answer is always that the quote closes. Not exported from the package.
 */

/** The quote ends the string. @category internals */
export const CLOSES = 1
/** The quote is part of the text. @category internals */
export const INNER = 0
/** More text is needed to tell. @category internals */
export const MORE = -1

/** Nothing encloses the string: it is all of the text. @category internals */
export const ROOT = 0
/** An object encloses the string. @category internals */
export const OBJECT = 1
/** An array encloses the string. @category internals */
export const ARRAY = 2

/** How far a decision looks, in UTF-16 code units. */
const reach = 64

/** White space, also of the kinds that JSON does not have. @category internals */
export const isSpace = (c: number): boolean => c === 32 || (c >= 9 && c <= 13) || (c > 127 && isWideSpace(c)) || c === 0

const isWideSpace = (c: number): boolean =>
  c === 0xa0 ||
  c === 0x3000 ||
  c === 0xfeff ||
  (c >= 0x2000 && c <= 0x200d) ||
  c === 0x2028 ||
  c === 0x2029 ||
  c === 0x202f ||
  c === 0x2060 ||
  c === 0x205f

/** Any quote that opens a string. @category internals */
export const isQuote = (c: number): boolean =>
  c === 34 || c === 39 || c === 96 || (c >= 0x2018 && c <= 0x201f) || c === 0xff02 || c === 0xff07

/** The ASCII form of full-width punctuation that means the same, any other character as it is. @category internals */
export const narrow = (c: number): number => {
  if (c < 0x3001) return c
  switch (c) {
    case 0xff0c:
    case 0x3001:
      return 44
    case 0xff1a:
      return 58
    case 0xff3b:
      return 91
    case 0xff3d:
      return 93
    case 0xff5b:
      return 123
    case 0xff5d:
      return 125
  }
  return c
}

const isWordChar = (c: number): boolean =>
  (c >= 97 && c <= 122) ||
  (c >= 65 && c <= 90) ||
  (c >= 48 && c <= 57) ||
  c === 95 ||
  c === 36 ||
  c === 45 ||
  c === 46 ||
  c === 43 ||
  c > 0xbf

const skip = (text: string, from: number, limit: number): number => {
  let j = from
  while (j < limit && isSpace(text.charCodeAt(j))) j++
  return j
}

const skipWord = (text: string, from: number, limit: number): number => {
  let j = from
  for (; j < limit; j++) {
    const c = text.charCodeAt(j)
    if (!isWordChar(c) || narrow(c) !== c) break
  }
  return j
}

const hasNewline = (text: string, from: number, to: number): boolean => {
  for (let j = from; j < to; j++) if (text.charCodeAt(j) === 10) return true
  return false
}

const isLiteralStart = (word: string): boolean =>
  "true".startsWith(word) || "false".startsWith(word) || "null".startsWith(word)

/**
 * Whether the quote at `at` ends the string value that it is in.
 *
 * @param final whether the text ends here for good
 * @param container what encloses the string: ROOT, OBJECT or ARRAY
 *
 * @category internals
 */
export const decide = (text: string, at: number, final: boolean, container: number): number => {
  const cap = at + 1 + reach
  const limit = Math.min(text.length, cap)
  // Past the reach, and at the end of the text, what cannot be proved falls back to the caller's best guess.
  const settled = limit === cap || final
  const j = skip(text, at + 1, limit)
  if (j === limit) return settled ? CLOSES : MORE
  const c = narrow(text.charCodeAt(j))
  if (c === 96) {
    if (j + 2 < text.length) return text.startsWith("```", j) ? CLOSES : INNER
    if (!final) return MORE
  }
  if (container === ROOT) return hasNewline(text, at + 1, j) ? CLOSES : INNER
  switch (c) {
    case 125:
    case 93: {
      if ((c === 125) === (container === OBJECT)) return CLOSES
      const k = skip(text, j + 1, limit)
      if (k === limit) return settled ? CLOSES : MORE
      const d = narrow(text.charCodeAt(k))
      return d === 44 || d === 125 || d === 93 ? CLOSES : INNER
    }
    case 44:
      return afterComma(text, j + 1, limit, settled, container)
    case 58:
      return container === ARRAY ? CLOSES : INNER
    case 47: {
      if (j + 1 >= text.length) return final ? INNER : MORE
      const d = text.charCodeAt(j + 1)
      return d === 47 || d === 42 ? CLOSES : INNER
    }
    case 35:
      return j > at + 1 ? CLOSES : INNER
    case 60:
      if (j + 3 >= text.length && !final) return MORE
      return text.startsWith("<!--", j) ? CLOSES : INNER
  }
  const spaced = j > at + 1
  if (isQuote(c)) return beforeQuote(text, at, j, limit, settled, container)
  if (container === ARRAY) return spaced && (c === 123 || c === 91) ? CLOSES : INNER
  return spaced && isWordChar(c) ? beforeColon(text, j, limit, settled) : INNER
}

/** `"x", ...`: the quote closes if a key, an item or a closer follows the comma. */
const afterComma = (text: string, from: number, limit: number, settled: boolean, container: number): number => {
  const k = skip(text, from, limit)
  if (k === limit) return settled ? CLOSES : MORE
  const c = narrow(text.charCodeAt(k))
  if (isQuote(c) || c === 125 || c === 93 || c === 44 || c === 35 || c === 47 || c === 60) return CLOSES
  if (container === OBJECT) return isWordChar(c) ? beforeColon(text, k, limit, settled) : INNER
  if (c === 123 || c === 91) return CLOSES
  if (!isWordChar(c)) return INNER
  const end = skipWord(text, k, limit)
  if (end === limit) {
    if (!settled) return MORE
    return c === 45 || (c >= 48 && c <= 57) || isLiteralStart(text.slice(k, end)) ? CLOSES : INNER
  }
  const next = skip(text, end, limit)
  if (next === limit) return settled ? CLOSES : MORE
  const d = narrow(text.charCodeAt(next))
  return d === 44 || d === 93 || d === 125 ? CLOSES : INNER
}

/** An unquoted word: the quote closes if it is a key. */
const beforeColon = (text: string, from: number, limit: number, settled: boolean): number => {
  const end = skip(text, skipWord(text, from, limit), limit)
  if (end === limit) return settled ? INNER : MORE
  const c = narrow(text.charCodeAt(end))
  return c === 58 || c === 61 ? CLOSES : INNER
}

/** Another quote without a comma between: the quote closes if that one begins a key or an item. */
const beforeQuote = (
  text: string,
  at: number,
  from: number,
  limit: number,
  settled: boolean,
  container: number
): number => {
  const fallback = hasNewline(text, at + 1, from) ? CLOSES : INNER
  const q = text.charCodeAt(from)
  const close = q === 0x201c ? 0x201d : q === 0x2018 ? 0x2019 : q
  let end = from + 1
  while (end < limit && text.charCodeAt(end) !== close) end++
  if (end === limit) return settled ? fallback : MORE
  const next = skip(text, end + 1, limit)
  if (next === limit) return settled ? fallback : MORE
  const d = narrow(text.charCodeAt(next))
  return d === 58 ? CLOSES : container === ARRAY && (d === 44 || d === 93) ? CLOSES : INNER
}
