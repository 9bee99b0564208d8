/**
 * Tells an answer from a copy of what stood in its place in the prompt: `(your content here)`, `<description>`,
 * `(json) <the tags>`, an HTML comment. Models copy these where they have nothing to say; such a field was not answered.
 * Not exported from the package.
 */

/** Longer texts are no placeholders, in UTF-16 code units. */
export const limit = 240

const couldBe = /^(?:<!--[\s\S]*|(?:\([jJ][sS][oO][nN]\)[ \t]*)?(?:<[^<>\n]*(?:>\s*)?)?|\([^()\n]*(?:\)\s*)?)$/u

/** Whether a text that begins like this may yet turn out to be a placeholder. */
export const mayBecome = (text: string): boolean => text.length <= limit && couldBe.test(text)

const comment = /^<!--(?:(?!-->)[\s\S])*-->$/u
const round = /^\((?:your [\p{L}\p{N} ]{1,60}|[\p{L}\p{N} ]{1,60}) here\)$/iu
const angled = /^(?:\(json\)[ \t]*)?<([^<>\n]+)>$/iu
// One word is a placeholder where it names a type or the field; several words are no tag of any language.
const typeName =
  /^(?:description|desc|content|value|text|string|str|number|int|integer|float|bool|boolean|any|json|array|object)$/iu
const words = /^[\p{L}'’-]+(?:,? [\p{L}\p{N}'’-]+)+[.:!?]?$/u

/** Whether a trimmed text is a placeholder for the field `key`. */
export const is = (text: string, key: string): boolean => {
  if (text.length > limit) return false
  if (comment.test(text) || round.test(text)) return true
  const inner = angled.exec(text)?.[1]?.trim()
  return inner !== undefined && (inner === key || typeName.test(inner) || words.test(inner))
}
