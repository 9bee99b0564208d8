/**
 * A text as a detector should see it: without characters of no width, and with full-width forms as plain ones, so that
 * neither hides anything. Every place of it is known in the text itself.
 */

/**
 * A text and where its characters stand in the original.
 *
 * @category models
 */
export interface Skeleton {
  readonly text: string
  /** The place in the original of the character at a place of the skeleton; its length at the end. */
  readonly at: (place: number) => number
}

const invisible = /[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]/
const unusual = /[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\uff01-\uff5e]/

/**
 * Reduces a text.
 *
 * @category conversions
 */
export const of = (original: string): Skeleton => {
  if (!unusual.test(original)) return { text: original, at: (place) => place }
  const places: Array<number> = []
  let text = ""
  for (let i = 0; i < original.length; i++) {
    const char = original.charAt(i)
    if (invisible.test(char)) continue
    const code = original.charCodeAt(i)
    text += code >= 0xff01 && code <= 0xff5e ? String.fromCharCode(code - 0xfee0) : char
    places.push(i)
  }
  places.push(original.length)
  return { text, at: (place) => places[place] ?? original.length }
}
