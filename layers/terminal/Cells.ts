/**
 * Text for terminals: what a model or a tool wrote is made harmless, measured in cells, and broken into rows. Synchronous.
 */

// Directions and marks that change how what follows is shown, and line breaks that only some terminals know.
const steering = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

const picture = (char: string): string => {
  const code = char.charCodeAt(0)
  return code === 0x7f ? "\u2421" : code < 0x20 ? String.fromCharCode(0x2400 + code) : "\ufffd"
}

/**
 * A text without anything that a terminal acts on: control characters, escape among them, become their pictures, marks of
 * direction go, line breaks become `\n` and tabs four spaces. Each character is judged by itself, so that nothing can be
 * smuggled in parts.
 *
 * @category conversions
 */
export const harmless = (text: string): string =>
  text
    .toWellFormed()
    .replace(/\r\n|[\u0085\u2028\u2029]/g, "\n")
    .replaceAll("\t", "    ")
    .replace(steering, "")
    .replace(control, picture)

// Ranges of code points that take two cells: East Asian wide and full-width ones, emoji.
const wide: ReadonlyArray<readonly [number, number]> = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x23e9, 0x23f3],
  [0x25fd, 0x25fe],
  [0x2614, 0x2615],
  [0x2648, 0x2653],
  [0x26a1, 0x26a1],
  [0x26bd, 0x26be],
  [0x26c4, 0x26c5],
  [0x26ce, 0x26ce],
  [0x26d4, 0x26d4],
  [0x26ea, 0x26ea],
  [0x26f2, 0x26f5],
  [0x26fa, 0x26fd],
  [0x2705, 0x2705],
  [0x270a, 0x270b],
  [0x2728, 0x2728],
  [0x274c, 0x274e],
  [0x2753, 0x2757],
  [0x2795, 0x2797],
  [0x27b0, 0x27bf],
  [0x2b1b, 0x2b1c],
  [0x2b50, 0x2b55],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18dff],
  [0x1aff0, 0x1b2ff],
  [0x1f004, 0x1f004],
  [0x1f0cf, 0x1f0cf],
  [0x1f18e, 0x1f19a],
  [0x1f1e6, 0x1f320],
  [0x1f32d, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f7e0, 0x1f7eb],
  [0x1f900, 0x1f9ff],
  [0x1fa70, 0x1faff],
  [0x20000, 0x3fffd]
]

const segments = new Intl.Segmenter(undefined, { granularity: "grapheme" })

// What takes one cell each; the ellipsis is among it because the line of state begins with one.
const plain = /^[\u0020-\u007e\u2026]*$/

const cellsOf = (grapheme: string): number => {
  const code = grapheme.codePointAt(0) ?? 0
  if (code < 0x300) return 1
  // A mark that has nothing to stand on, or what takes no room.
  if (/^[\p{M}\p{Cf}]+$/u.test(grapheme)) return 0
  if (grapheme.includes("\ufe0f")) return 2
  return wide.some(([from, to]) => code >= from && code <= to) ? 2 : 1
}

/** The graphemes of a text with the cells that each takes: 0, 1 or 2. @category measuring */
export const graphemes = (text: string): ReadonlyArray<readonly [grapheme: string, cells: number]> =>
  plain.test(text)
    ? Array.from(text, (char) => [char, 1] as const)
    : Array.from(segments.segment(text), ({ segment }) => [segment, cellsOf(segment)] as const)

/** How many cells a text takes. @category measuring */
export const width = (text: string): number =>
  plain.test(text) ? text.length : graphemes(text).reduce((sum, [, cells]) => sum + cells, 0)

/** The beginning of a text that fits into so many cells; what is cut off is told by `…`. @category cutting */
export const truncate = (text: string, cells: number): string => {
  if (width(text) <= cells) return text
  let room = cells - 1
  let kept = ""
  for (const [grapheme, taken] of graphemes(text)) {
    if (taken > room) break
    room -= taken
    kept += grapheme
  }
  return cells < 1 ? "" : `${kept}…`
}

/** A piece of text in one style. @category models */
export interface Span {
  readonly text: string
  /** Its style; absent: none. */
  readonly style?: Style | undefined
}

/** How a piece of text is shown. @category models */
export type Style = "bold" | "dim" | "code" | "heading" | "good" | "bad" | "name"

/**
 * Breaks spans into rows of so many cells, between words where it can. A width of `Infinity` breaks nothing. `rest` is
 * what the rows behind the first one begin with: an indent.
 *
 * @category cutting
 */
export const wrap = (
  spans: ReadonlyArray<Span>,
  cells: number,
  rest: string = ""
): ReadonlyArray<ReadonlyArray<Span>> => {
  if (!Number.isFinite(cells)) return [spans]
  const rows: Array<Array<Span>> = []
  const indent = width(rest) < cells - 1 ? rest : ""
  let row: Array<Span> = []
  let used = 0
  const push = (span: Span, taken: number): void => {
    row.push(span)
    used += taken
  }
  const next = (): void => {
    rows.push(row)
    row = []
    used = 0
    if (indent !== "") push({ text: indent }, width(indent))
  }
  const isEmpty = () => used === 0 || (row.length === 1 && row[0]?.text === indent && rows.length > 0)
  for (const { style, text } of spans) {
    for (const [word] of text.matchAll(/ +|[^ ]+/g)) {
      const taken = width(word)
      if (used + taken <= cells) push({ text: word, style }, taken)
      else if (word.startsWith(" ")) next()
      else if (taken <= cells - (isEmpty() ? used : width(indent))) {
        next()
        push({ text: word, style }, taken)
      } else {
        // Longer than a row, or of a script without spaces: broken where the row ends.
        for (const [grapheme, one] of graphemes(word)) {
          if (used + one > cells && !isEmpty()) next()
          push({ text: grapheme, style }, one)
        }
      }
    }
  }
  rows.push(row)
  return rows
}
