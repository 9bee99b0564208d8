/**
 * Words that give away what a letter is about: which option of an enumeration, which side of a yes-or-no question and
 * which point of a scale fit it. A table of cues, and the counting.
 */
import * as Reading from "./Reading.ts"
import * as Text from "./Text.ts"

interface Cue {
  /** The options that this cue speaks for. */
  readonly option: RegExp
  /** What has to occur in the text. */
  readonly cue: RegExp
  /** What one occurrence counts. */
  readonly weight: number
  /** What the option counts anyway: it is the answer where nothing speaks for another. */
  readonly base?: number
}

const anger =
  /\b(?:angry|furious|outrag\w+|unacceptable|disgrace\w*|lawyer|out of patience|third time|scandal\w*|cancel|never again|ridiculous|fed up|worst)\b/gi
const annoyance =
  /\b(?:annoy\w*|disappoint\w*|frustrat\w*|unhappy|dissatisf\w*|not satisfied|nobody|still (?:no|not|waiting)|again|no (?:answer|reply|refund)|fault\w*|wrong|twice|fail\w*|terrible|bad|poor)\b/gi
const joy =
  /\b(?:thank\w*|great|love\w*|happy|excellent|perfect\w*|pleased|wonderful|delight\w*|recommend\w*|satisfied|good|awesome|fantastic|friendly)\b/gi
const hurry =
  /\b(?:urgent\w*|immediately|asap|as soon as possible|at once|right away|today|tonight|deadline|critical\w*|emergency|lawyer|out of patience|third time|stops?|down|outage|before (?:next )?(?:mon|tues|wednes|thurs|fri|satur|sun)day|cannot (?:use|work|log))\b/gi
const leisure = /\b(?:no hurry|no rush|whenever|when you have time|minor|typo|just wondering|curious|small thing)\b/gi

const cues: ReadonlyArray<Cue> = [
  { option: /\b(?:angry|anger|furious|upset|hostile|outraged)\b/i, cue: anger, weight: 3 },
  {
    option: /\b(?:annoy\w*|frustrat\w*|unhappy|dissatisf\w*|disappoint\w*|irritat\w*|negative|bad|poor)\b/i,
    cue: annoyance,
    weight: 1
  },
  { option: /\b(?:negative)\b/i, cue: anger, weight: 2 },
  { option: /\b(?:positive|happy|satisf\w*|pleased|grateful|good|delight\w*|praise|friendly)\b/i, cue: joy, weight: 1 },
  { option: /\b(?:neutral|calm|mixed|normal|medium|moderate|general|standard)\b/i, cue: /(?!)/g, weight: 0, base: 0.5 },
  { option: /\b(?:other|unknown|none|misc\w*)\b/i, cue: /(?!)/g, weight: 0, base: 0.25 },
  {
    option: /\b(?:urgent|critical|high|immediate|severe|blocker|p0|p1|major|emergency|highest)\b/i,
    cue: hurry,
    weight: 1
  },
  { option: /\b(?:low|lowest|minor|trivial|p3|p4)\b/i, cue: leisure, weight: 2 },
  {
    option: /\b(?:bill\w*|payment\w*|invoic\w*|financ\w*|refund\w*|account(?:s|ing))\b/i,
    cue: /\b(?:charg\w*|refund\w*|invoic\w*|pay\w*|paid|card|bill\w*|price\w*|credit|EUR|USD|money)\b|[\u20ac$\u00a3]/gi,
    weight: 1
  },
  {
    option: /\b(?:logistic\w*|shipping|shipment|deliver\w*|fulfil\w*|warehouse)\b/i,
    cue: /\b(?:deliver\w*|parcels?|courier|ship\w*|box(?:es)?|arriv\w*|tracking|return\w*|collect\w*|replace\w*|send|sent|package)\b/gi,
    weight: 1
  },
  {
    option: /\b(?:engineer\w*|technical|tech|bugs?|hardware|software|defect\w*|product|quality|it)\b/i,
    cue: /\b(?:errors?|fault\w*|crash\w*|broke\w*|bug\w*|fail\w*|technician|repair\w*|software|print\w*|device|login|serial|firmware|install\w*)\b/gi,
    weight: 1
  },
  {
    option: /\b(?:support|service|customer|account|help\w*|contact|success)\b/i,
    cue: /\b(?:call\w*|contact|answer\w*|repl(?:y|ies)|person|telephone|phone|help|password|account|look after|tell me)\b/gi,
    weight: 1
  },
  {
    option: /\b(?:sales|quote|purchas\w*)\b/i,
    cue: /\b(?:buy|quote|offer|purchas\w*|discount|pricing|interested in)\b/gi,
    weight: 1
  },
  { option: /\b(?:legal|law|compliance)\b/i, cue: /\b(?:lawyer|legal|court|contract|gdpr)\b/gi, weight: 2 },
  { option: /\b(?:complain\w*|problem|issue|incident)\b/i, cue: annoyance, weight: 1 },
  { option: /\b(?:question|inquiry|enquiry)\b/i, cue: /\?/g, weight: 2 },
  { option: /\b(?:request|feature|wish)\b/i, cue: /\b(?:please|would like|could you|feature|wish)\b/gi, weight: 1 },
  { option: /^(?:en|english)\b/i, cue: /\b(?:the|and|is|are|you|with)\b/gi, weight: 1 },
  { option: /^(?:de|german|deutsch)\b/i, cue: /\b(?:der|die|das|und|ist|nicht|mit|ich)\b/gi, weight: 1 },
  { option: /^(?:fr|french|fran\u00e7ais)\b/i, cue: /\b(?:le|les|et|est|vous|je|pas|une)\b/gi, weight: 1 },
  { option: /^(?:es|spanish|espa\u00f1ol)\b/i, cue: /\b(?:el|los|las|es|usted|por|una|que)\b/gi, weight: 1 }
]

const occurrences = (text: string, cue: RegExp): number => text.match(cue)?.length ?? 0

/** How much a text speaks for an option. @category counting */
export const weigh = (text: string, option: string): number => {
  const name = Text.wordsOf(option).join(" ")
  const own = Text.wordsOf(option).filter((word) => word.length > 3 && Text.mentions(text, word)).length * 2
  return cues.reduce(
    (sum, { base = 0, cue, option, weight }) =>
      option.test(name) ? sum + base + weight * Math.min(4, occurrences(text, cue)) : sum,
    own
  )
}

/**
 * The option that the texts speak for, by its place; the first text that speaks for any decides, and where none does,
 * the first option.
 *
 * @category counting
 */
export const choose = (texts: ReadonlyArray<string>, options: ReadonlyArray<string>): number => {
  for (const text of texts) {
    const weights = options.map((option) => weigh(text, option))
    const best = Math.max(...weights)
    if (best > 0) return weights.indexOf(best)
  }
  return 0
}

/** How urgent a text is, from 0 to 1. @category counting */
export const urgency = (text: string): number =>
  Math.min(1, Math.max(0, 0.25 + 0.25 * occurrences(text, hurry) - 0.25 * occurrences(text, leisure)))

/** How a text sounds, from -1 (bad) to 1 (good). @category counting */
export const mood = (text: string): number => {
  const good = occurrences(text, joy)
  const bad = occurrences(text, anger) + occurrences(text, annoyance) + Reading.complaints(text)
  return good + bad === 0 ? 0 : (good - bad) / (good + bad)
}

const questions: ReadonlyArray<readonly [about: RegExp, holds: (text: string) => boolean]> = [
  [/urgen|escalat|critical|priorit|immediate/, (text) => urgency(text) >= 0.75],
  [/complain|negative|angry|unhappy|problem|issue/, (text) => mood(text) < 0],
  [/positive|happy|satisf|praise/, (text) => mood(text) > 0],
  [/refund|money/, (text) => /\b(?:refund|money back|charged? (?:twice|double)|reimburse)/i.test(text)],
  [/question|answer/, (text) => text.includes("?")],
  [/polite|friendly/, (text) => /\b(?:please|thank|kind)/i.test(text)],
  [/action|repl(?:y|ies)|follow|response|attention|human/, (text) => Reading.isRequest(text)],
  [/deadline|due/, (text) => /\b(?:before|by|until|deadline)\b/i.test(text)],
  [/churn|cancel|leav/, (text) => /\b(?:cancel|lawyer|elsewhere|switch to|leave)\b/i.test(text)],
  [/spam|advert/, (text) => /\b(?:winner|lottery|free money|click here|unsubscribe)\b/i.test(text)]
]

const askers = new Set([
  "is",
  "has",
  "have",
  "had",
  "was",
  "were",
  "are",
  "needs",
  "need",
  "should",
  "can",
  "does",
  "wants",
  "contains",
  "any",
  "requires"
])

/** Whether a text answers a yes-or-no question, named by the words of a key, with yes. @category counting */
export const holds = (text: string, words: ReadonlyArray<string>): boolean => {
  const about = words.filter((word) => !askers.has(word))
  const known = questions.find(([pattern]) => pattern.test(about.join(" ")))
  if (known !== undefined) return known[1](text)
  return about.some((word) => {
    const at = new RegExp(
      `(?:\\b(no|not|never|without)\\s+(?:\\w+\\s+)?)?(?<![\\p{L}\\d])${Text.escape(Text.stem(word))}`,
      "iu"
    ).exec(text)
    return word.length > 2 && at !== null && at[1] === undefined
  })
}
