/** What tells the fields of a text apart, one implementation per format. Not exported from the package. */

/** A reader of one field format. */
export interface Grammar {
  /**
   * Reads text.
   *
   * @param text what was left of the text before, and more of it
   * @param final whether no more follows
   * @param cut whether the text was cut
   * @returns how much of the text was read; the rest is given again with the next piece
   */
  readonly read: (text: string, final: boolean, cut: boolean) => number
  /** Whether what ends the whole answer was read. */
  readonly closed: boolean
}

/** Names that can stand in a heading, in an attribute and before a colon alike. */
const name = /^[\p{L}_$][\p{L}\p{N}_$.-]{0,99}$/u

/** Whether a field of this name can be written in every field format. */
export const isName = (key: string): boolean => name.test(key)

/** The longest line or tag that can tell fields apart, with room for blanks and decoration, in UTF-16 code units. */
export const maxMark = 320
