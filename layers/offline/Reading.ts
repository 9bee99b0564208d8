/**
 * What can be read out of a letter without understanding it: its headers, subject, sender, points and sentences, and
 * everything that has a form of its own (addresses, dates, amounts, reference numbers).
 */
import * as Text from "./Text.ts"

/**
 * A text that was read.
 *
 * @category models
 */
export interface Reading {
  /** The text on one line. */
  readonly flat: string
  /** Lines of the form `Label: value`, by the label in small letters and digits alone. */
  readonly labels: ReadonlyMap<string, string>
  /** The subject line, or what begins the letter. */
  readonly subject: string
  /** Who wrote it, where that can be seen. */
  readonly sender: string | undefined
  /** Numbered or bulleted points, each whole. */
  readonly points: ReadonlyArray<string>
  /** The sentences of the body, those of the points included, in order. */
  readonly sentences: ReadonlyArray<string>
  /** Points and sentences that ask for something. */
  readonly requests: ReadonlyArray<string>
  /** Points and sentences that tell of something bad. */
  readonly problems: ReadonlyArray<string>
  readonly questions: ReadonlyArray<string>
  readonly emails: ReadonlyArray<string>
  readonly phones: ReadonlyArray<string>
  readonly urls: ReadonlyArray<string>
  readonly dates: ReadonlyArray<string>
  readonly amounts: ReadonlyArray<string>
  readonly references: ReadonlyArray<string>
  /** Names of people, firms and things, as far as capital letters tell. */
  readonly names: ReadonlyArray<string>
  /** The year that dates without one belong to. */
  readonly year: number
}

// Enough of a text to answer from; beyond it, time would only be lost.
const readAtMost = 40_000
// No word, number or address is longer; what is (encoded data, noise) is read no further.
const overlong = /([\x21-\x7e]{250})[\x21-\x7e]+/g

const label = /^(\p{L}[\p{L}\d._-]*(?: [\p{L}\d._-]+){0,2})\s*:\s+(\S.*)$/u
const greeting = /^(?:dear|hello|hi|hey|good (?:morning|afternoon|evening|day)|sehr geehrte|guten tag)\b.{0,60}[,!:]?$/i
const closing =
  /^(?:(?:with\s+)?(?:kind|best|warm|many)?\s*(?:regards|wishes|greetings)|(?:yours\s+)?(?:sincerely|faithfully|truly)|yours|thanks(?: a lot| in advance| again)?|thank you(?: very much)?|cheers|best|mit freundlichen gr\u00fc\u00dfen)\s*[,!.]?(?<name>\s+\p{Lu}[\p{L}. '-]{1,40})?$/iu
const bullet = /^\s*(?:\d{1,2}[.)]|[-*\u2022])\s+/
const weekday = "(?:mon|tues|wednes|thurs|fri|satur|sun)day"
const month = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
const form = {
  email: /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g,
  phone: /(?<![\w-])(?:\+\d|\(?0\d)[\d ()/.-]{5,18}\d(?![\w-])/g,
  url: /\bhttps?:\/\/[^\s<>"')]+[^\s<>"').,;:!?]/g,
  date: new RegExp(
    `\\b(?:${weekday},?\\s+)?(?:\\d{4}-\\d{2}-\\d{2}|\\d{1,2}[./]\\d{1,2}[./]\\d{4}|\\d{1,2}(?:st|nd|rd|th|\\.)?\\s+${month}(?:\\s+\\d{4})?|${month}\\s+\\d{1,2}(?:st|nd|rd|th)?\\b(?:,?\\s+\\d{4})?)|\\b(?:next |last |this )?${weekday}\\b|\\b(?:today|tomorrow|yesterday)\\b`,
    "gi"
  ),
  amount:
    /(?:EUR|USD|GBP|CHF|[\u20ac$\u00a3])\s?\d[\d.,]*\d?|\b\d[\d.,]*\s?(?:EUR|USD|GBP|CHF|[\u20ac$\u00a3]|euros?|dollars?|pounds?)(?!\w)/g,
  reference:
    /(?<![\w@.-])(?:#\d{2,}|(?=[\w-]*\d)(?=[\w-]*[A-Z])[A-Z0-9]+(?:-[A-Z0-9]+)+|[A-Z]{1,4}\d{2,}\w*|\d{5,})(?![\w@-])/g,
  name: /(?<![.!?:]\s|^|\p{L})\p{Lu}[\p{Ll}'-]+(?:\s+\p{Lu}[\p{L}'-]+)*/gu
} as const

const asks =
  /\b(?:please|could you|can you|would you|will you|i (?:want|need|expect|ask|request|would like)|we (?:want|need|expect|ask|request|would like)|let (?:me|us) know|asking for)\b/i
const imperative =
  /^(?:send|replace|refund|fix|call|confirm|give|tell|check|cancel|return|update|add|remove|write|make|provide|collect|repair|explain|change|stop|help|book|order|schedule|review|prepare|contact|find|create|deliver|pay|install|test|translate|summari[sz]e|list)\b/i
const hurts =
  /\b(?:fail(?:s|ed|ure|ing)?|fault(?:y|s)?|broke|broken|wrong|errors?|stop(?:s|ped)?|twice|double|late|missing|lost|damaged|defective|soaked|cannot|can't|could not|couldn't|did not|didn't|does not|doesn't|do not|don't|nobody|no (?:answer|reply|refund|one)|never|not (?:work|fit|arrive|enough)|problem|issue|delay(?:ed)?|crash(?:es|ed)?|unacceptable|disappointed|complain|bug|leak(?:s|ing|ed)?|overcharged)\b/gi

const calendar = new RegExp(`^(?:${weekday}|${month})$`, "i")

/** How bad a text sounds: the number of its complaints. @category cues */
export const complaints = (text: string): number => text.match(hurts)?.length ?? 0

/** Whether a text asks for something. @category cues */
export const isRequest = (text: string): boolean => asks.test(text) || imperative.test(text)

const unique = (texts: Iterable<string>): ReadonlyArray<string> => [...new Set(texts)]

interface Parts {
  readonly labels: Map<string, string>
  readonly points: Array<string>
  readonly paragraphs: Array<string>
  readonly signature: string | undefined
}

// Walks the lines once: headers, then paragraphs and points, then what stands below the closing.
const partsOf = (text: string): Parts => {
  const labels = new Map<string, string>()
  const points: Array<string> = []
  const paragraphs: Array<string> = []
  let signature: string | undefined
  let block: { point: boolean; lines: Array<string> } | undefined
  let header = true
  let signed = false
  const close = () => {
    if (block === undefined) return
    const whole = Text.flat(block.lines.join(" "))
    if (block.point) points.push(whole)
    if (whole !== "") paragraphs.push(whole)
    block = undefined
  }
  for (const line of text.split(/\r?\n/)) {
    const trimmed = line.trim()
    if (signed) {
      if (signature === undefined && trimmed !== "") signature = trimmed.replace(/,.*$/, "")
      continue
    }
    if (trimmed === "") {
      header &&= labels.size === 0
      close()
      continue
    }
    const named = label.exec(trimmed.replace(/^- /, ""))
    if (named?.[1] !== undefined && named[2] !== undefined) {
      const key = Text.wordsOf(named[1]).join("")
      if (!labels.has(key)) labels.set(key, named[2])
      if (header) continue
    }
    header = false
    const end = closing.exec(trimmed)
    if (end !== null) {
      close()
      signed = true
      signature = end.groups?.["name"]?.trim()
    } else if (bullet.test(line)) {
      close()
      block = { point: true, lines: [line.replace(bullet, "")] }
    } else if (block === undefined && greeting.test(trimmed)) {
      continue
    } else {
      block ??= { point: false, lines: [] }
      block.lines.push(trimmed)
    }
  }
  close()
  return { labels, points, paragraphs, signature }
}

const personIn = (text: string): string | undefined =>
  /\b(?:my name is|i am|i'm|this is)\s+(\p{Lu}[\p{L}'-]+(?:\s+\p{Lu}[\p{L}'-]+){0,2})/u.exec(text)?.[1] ??
  /\b(?:My name is|I am|I'm|This is)\s+(\p{Lu}[\p{L}'-]+(?:\s+\p{Lu}[\p{L}'-]+){0,2})/u.exec(text)?.[1]

/**
 * Reads a text.
 *
 * @category constructors
 */
export const read = (input: string): Reading => {
  const text = input.slice(0, readAtMost).replaceAll(overlong, "$1")
  const whole = Text.flat(text)
  const { labels, paragraphs, points, signature } = partsOf(text)
  const body = paragraphs.length > 0 ? paragraphs : [...labels.values()]
  const sentences = body.flatMap(Text.sentencesOf)
  const others = paragraphs.filter((paragraph) => !points.includes(paragraph)).flatMap(Text.sentencesOf)
  const sent = labels.get("from")
  const find = (pattern: RegExp) => unique(whole.match(pattern) ?? [])
  const year = Number(/\b(20\d\d)\b/.exec(whole)?.[1] ?? 2025)
  const bad = (unit: string) => complaints(unit) > 0 && !isRequest(unit)
  // Who sets points apart means them: single sentences count only where no point does.
  const preferPoints = (holds: (unit: string) => boolean) => {
    const chosen = points.filter(holds)
    return chosen.length > 0 ? chosen : others.filter(holds)
  }
  return {
    flat: whole,
    labels,
    subject: labels.get("subject") ?? labels.get("title") ?? Text.title(informative(sentences)[0] ?? whole, 12),
    sender:
      sent?.replace(/\s*<.*$/, "").replaceAll(/^["']|["']$/g, "") ?? labels.get("name") ?? signature ?? personIn(whole),
    points,
    sentences,
    requests: preferPoints(isRequest),
    problems: preferPoints(bad),
    questions: sentences.filter((sentence) => sentence.endsWith("?")),
    emails: find(form.email),
    phones: find(form.phone).map((phone) => phone.trim()),
    urls: find(form.url),
    dates: find(form.date),
    amounts: find(form.amount).map((amount) => amount.replace(/[.,]$/, "")),
    references: find(form.reference),
    names: unique(body.join(". ").match(form.name) ?? []).filter((name) => name.length > 2 && !calendar.test(name)),
    year
  }
}

const small = /^(?:i am writing|i hope|here is|what i am|thank you|this time|one more thing)\b/i

/**
 * Sentences in the order of what they tell: those with facts, complaints and wishes before those without, early ones
 * before late ones.
 *
 * @category ranking
 */
export const informative = (sentences: ReadonlyArray<string>): ReadonlyArray<string> => {
  const weigh = (sentence: string, at: number) => {
    const words = sentence.split(" ").length
    const length = words < 4 ? -3 : words > 45 ? -1 : 0
    const facts = Math.min(2, sentence.match(/\d+/g)?.length ?? 0)
    return (
      length + facts + Math.min(2, complaints(sentence)) + (small.test(sentence) ? -2 : 0) - (2 * at) / sentences.length
    )
  }
  return sentences
    .map((sentence, at) => ({ sentence, weight: weigh(sentence, at) }))
    .sort((a, b) => b.weight - a.weight)
    .map(({ sentence }) => sentence)
}

/** What stands after a word as its number or name: `order HH-20418`, `ticket no. 55`. @category search */
export const after = (reading: Reading, word: string): ReadonlyArray<string> => {
  const pattern = new RegExp(
    `(?<![\\p{L}\\d])${Text.escape(Text.stem(word))}\\p{L}*(?:\\s+(?:number|numbers|no\\.?|nr\\.?|id|code|reference))?\\s*[:#]?\\s*#?((?=[\\w-]*\\d)[A-Za-z0-9][\\w-]{2,})`,
    "giu"
  )
  return unique([...reading.flat.matchAll(pattern)].flatMap((match) => match[1] ?? []))
}
