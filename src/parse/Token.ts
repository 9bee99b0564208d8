/**
 * What a bare token (a number, a literal, an unquoted word) means, strictly and with tolerance. Not exported from the
 * package.
 */

/** The grammar of a JSON number. */
const jsonNumber = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/

/** Numbers as people and other languages write them: `+1`, `.5`, `5.`, `007`, `1_000`. */
const looseNumber = /^[+-]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?$/
const hexNumber = /^([+-]?)(0[xX][0-9a-fA-F]+)$/

/** The longest start of a text that is a JSON number. */
const numberStart = /^[+-]?(?:[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+)/

/** A token that was read. `loose` says that strict JSON does not have it; `word` that it is an unquoted string. @category internals */
export interface Token {
  readonly value: unknown
  readonly loose: boolean
  readonly word: boolean
}

const TRUE: Token = { value: true, loose: false, word: false }
const FALSE: Token = { value: false, loose: false, word: false }
const NULL: Token = { value: null, loose: false, word: false }
const LOOSE_TRUE: Token = { value: true, loose: true, word: false }
const LOOSE_FALSE: Token = { value: false, loose: true, word: false }
const LOOSE_NULL: Token = { value: null, loose: true, word: false }

/** A token of strict JSON, `undefined` for any other. @category internals */
export const strict = (text: string): Token | undefined => {
  switch (text) {
    case "true":
      return TRUE
    case "false":
      return FALSE
    case "null":
      return NULL
  }
  return jsonNumber.test(text) ? { value: Number(text), loose: false, word: false } : undefined
}

const number = (value: number): Token => ({ value, loose: true, word: false })

/**
 * A token of JSON as models write it; `undefined` for a word.
 *
 * @param allowsNaN where the contract expects a number, NaN and the infinities are read as what they say; elsewhere they
 *   are null, as `JSON.stringify` writes them
 *
 * @category internals
 */
export const loose = (text: string, allowsNaN: boolean): Token | undefined => {
  const exact = strict(text)
  if (exact !== undefined) return exact
  if (text.length <= 10) {
    switch (text.toLowerCase()) {
      case "true":
        return LOOSE_TRUE
      case "false":
        return LOOSE_FALSE
      case "null":
      case "none":
      case "undefined":
        return LOOSE_NULL
      case "nan":
      case "-nan":
        return allowsNaN ? number(NaN) : LOOSE_NULL
      case "infinity":
      case "+infinity":
      case "inf":
      case "+inf":
        return allowsNaN ? number(Infinity) : LOOSE_NULL
      case "-infinity":
      case "-inf":
        return allowsNaN ? number(-Infinity) : LOOSE_NULL
    }
  }
  if (looseNumber.test(text)) return number(Number(text.replaceAll("_", "")))
  const hex = hexNumber.exec(text)
  return hex === null ? undefined : number(hex[1] === "-" ? -Number(hex[2]) : Number(hex[2]))
}

const literals: ReadonlyArray<readonly [string, Token]> = [
  ["true", LOOSE_TRUE],
  ["false", LOOSE_FALSE],
  ["null", LOOSE_NULL],
  ["True", LOOSE_TRUE],
  ["False", LOOSE_FALSE],
  ["None", LOOSE_NULL],
  ["NaN", LOOSE_NULL],
  ["Infinity", LOOSE_NULL]
]

/**
 * A token that the end of the text has cut: the start of a literal is that literal, the start of a number is the part
 * of it that is a number. `undefined` where nothing can be said (`-`), and for words.
 *
 * @category internals
 */
export const cut = (text: string, allowsNaN: boolean): Token | undefined => {
  const whole = loose(text, allowsNaN)
  if (whole !== undefined) return whole
  for (const [literal, token] of literals) if (literal.startsWith(text)) return token
  const start = numberStart.exec(text)
  // "12.", "2.5e-": nothing but an unfinished fraction or exponent may be cut off, "12abc" is a word.
  return start !== null && /^(?:\.?|[eE][+-]?|\.[eE][+-]?)$/.test(text.slice(start[0].length))
    ? number(Number(start[0]))
    : undefined
}

/** Whether a text could be the start of a number of which nothing is known yet. @category internals */
export const isSign = (text: string): boolean => text === "-" || text === "+" || text === "." || text === "-."

/** Whether a token of strict JSON may begin like this. @category internals */
export const begins = (text: string): boolean =>
  literals.some(([literal], index) => index < 3 && literal.startsWith(text)) ||
  /^-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)?$/.test(text) ||
  /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?[eE][+-]?[0-9]*$/.test(text)
