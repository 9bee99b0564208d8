/**
 * Small words about text: sentences, titles, word stems, dates and numbers as people write them. All functions are pure,
 * so that the same text always reads the same.
 */

/** A text on one line, its white space made single blanks. @category text */
export const flat = (text: string): string => text.replaceAll(/\s+/g, " ").trim()

/** The words of a key or a name: `orderNumber`, `order_number` and `Order number` are `order`, `number`. @category words */
export const wordsOf = (name: string): ReadonlyArray<string> =>
  name
    .replaceAll(/([\p{Ll}\d])(\p{Lu})/gu, "$1 $2")
    .toLowerCase()
    .split(/[^\p{L}\d]+/u)
    .filter((word) => word !== "")

/** What is left of a word when its ending goes: `charged` and `charges` are both `charg`. @category words */
export const stem = (word: string): string => {
  const cut = word.toLowerCase().replace(/(?:ies|ing|ed|es|s|y)$/, "")
  return cut.length >= 3 ? cut : word.toLowerCase()
}

/** Whether a text has a word with the same stem. @category words */
export const mentions = (text: string, word: string): boolean =>
  new RegExp(`(?<![\\p{L}\\d])${escape(stem(word))}`, "iu").test(text)

/** A text as a pattern that matches just it. @category words */
export const escape = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")

const abbreviation = /(?:^|\s)(?:mr|mrs|ms|dr|prof|st|no|nr|e\.g|i\.e|etc|approx|vs|inc|ltd|[A-Z])\.$/i

// A longer one is no sentence but a text without full stops.
const longestSentence = 600

/** Splits a text into sentences; a line break ends none. @category text */
export const sentencesOf = (text: string): ReadonlyArray<string> => {
  const out: Array<string> = []
  for (const part of flat(text).split(/(?<=[.!?\u2026]["')\]]*)\s+(?=["'(\p{Lu}\d])|(?<=[\u3002\uff01\uff1f])/u)) {
    const last = out.at(-1)
    if (last !== undefined && abbreviation.test(last)) out[out.length - 1] = `${last} ${part}`
    else if (part !== "") out.push(part)
  }
  return out.map((sentence) => cut(sentence, longestSentence))
}

/** A text with its first letter large. @category text */
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

const weakEnd =
  /[\s,;:.\u2013-]+$|\s+(?:a|an|the|of|with|and|or|to|for|by|in|on|at|from|that|which|as|is|are|was|were|our|your)$/i

/** A text of at most so many characters, cut between words where it has any. @category text */
export const cut = (text: string, limit: number): string => {
  if (text.length <= limit) return text
  const head = text.slice(0, limit)
  const blank = head.lastIndexOf(" ")
  const whole = text.charAt(limit) === " " || blank < limit / 3 ? head : head.slice(0, blank)
  return whole.replace(/[\ud800-\udbff]$/, "").trim()
}

/** The core of a sentence in a few words, without side remarks and without a full stop. @category text */
export const title = (sentence: string, maxWords = 10): string => {
  let text = flat(sentence.replaceAll(/\([^)]*\)/g, " ")).replaceAll(/\s+([,.;:])/g, "$1")
  text = text.replace(/^(?:on|last|since|in|at)\s[^,]{1,30}(?:,\s+|\s(?=(?:we|our|your|the|i)\s))/i, "")
  const clause = /^(?:[^\s,;:]+\s+){3,}?[^\s,;:]+(?=[,;:])/.exec(text)?.[0]
  if (clause !== undefined && clause.split(" ").length <= maxWords) text = clause
  const words = text.split(" ")
  if (words.length > maxWords) {
    const kept = words.slice(0, maxWords).join(" ")
    // Better a whole main clause than half of the one that follows.
    text = /^(?:\S+\s+){3,}?\S+(?=\s+(?:that|which|who|when|because|so|but)\s)/.exec(kept)?.[0] ?? kept
  }
  for (let before = ""; before !== text;) {
    before = text
    text = text.replace(weakEnd, "")
  }
  return capital(text)
}

/** An amount or count as people write it, as a number: `1,846.40`, `1.846,40`, `EUR 12`. @category numbers */
export const parseNumber = (text: string): number | undefined => {
  const digits = /-?\d[\d.,'\u00a0]*/.exec(text)?.[0].replaceAll(/['\u00a0]|[.,]$/g, "")
  if (digits === undefined) return undefined
  const decimal = /[.,](?=\d{1,2}$)|[.,](?=\d{4,}$)/.exec(digits)
  const whole = decimal === null ? digits : digits.slice(0, decimal.index)
  const fraction = decimal === null ? "" : digits.slice(decimal.index + 1)
  const value = Number(`${whole.replaceAll(/[.,]/g, "")}${fraction === "" ? "" : `.${fraction}`}`)
  return Number.isFinite(value) ? value : undefined
}

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]

/** A date as people write it in `YYYY-MM-DD`; `year` is for those that name none. @category dates */
export const isoDate = (text: string, year: number): string | undefined => {
  const iso = /\b(\d{4})-(\d{2})-(\d{2})\b/.exec(text)
  if (iso !== null) return iso[0]
  const named =
    /\b(?<day>\d{1,2})(?:st|nd|rd|th|\.)?\s+(?<month>[a-z]{3})[a-z]*\.?,?(?:\s+(?<year>\d{4}))?/i.exec(text) ??
    /\b(?<month>[a-z]{3})[a-z]*\.?\s+(?<day>\d{1,2})(?:st|nd|rd|th)?\b,?(?:\s+(?<year>\d{4}))?/i.exec(text)
  const dotted = /\b(?<day>\d{1,2})[./](?<month>\d{1,2})[./](?<year>\d{4})\b/.exec(text)
  const found = named?.groups ?? dotted?.groups
  if (found?.["day"] === undefined || found["month"] === undefined) return undefined
  const month =
    dotted !== null && named === null ? Number(found["month"]) : months.indexOf(found["month"].toLowerCase()) + 1
  const day = Number(found["day"])
  if (month < 1 || month > 12 || day < 1 || day > 28 + (month === 2 ? 0 : 2)) return undefined
  const pad = (n: number) => String(n).padStart(2, "0")
  return `${found["year"] ?? year}-${pad(month)}-${pad(day)}`
}

/** A small fixed number for a text: the same text, the same number, from 0 to 2^32 - 1. @category numbers */
export const hash = (text: string): number => {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  // A last mix: similar texts shall not give similar numbers.
  value = Math.imul(value ^ (value >>> 16), 0x45d9f3b)
  return (value ^ (value >>> 16)) >>> 0
}
