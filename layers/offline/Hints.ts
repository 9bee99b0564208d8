/**
 * Answers for single fields, out of a reading: a table from what a field is called to what of the letter belongs there,
 * and what to fall back on. Whatever fills a shape (`FromSchema.ts`) asks here.
 */
import type { Json } from "../../services/Json.ts"
import * as Cues from "./Cues.ts"
import * as Reading from "./Reading.ts"
import * as Text from "./Text.ts"

/**
 * A place in the answer that wants a value.
 *
 * @category models
 */
export interface Place {
  /** Name of the field; that of the nearest one above where the place has none of its own. */
  readonly key: string
  /** Names of the fields above, the nearest last. */
  readonly parents: ReadonlyArray<string>
  /** What the contract says about the field. */
  readonly description: string
  /** Place in the nearest list, 0 outside of lists. */
  readonly index: number
  /** What the nearest list item is about, in the letter's words. */
  readonly subject: string | undefined
  /** True for an item that the list needs though the letter has nothing more for it. */
  readonly spare: boolean
  /** Whether the contract does without it. */
  readonly optional: boolean
}

/**
 * Where answers come from.
 *
 * @category models
 */
export interface Source {
  /** The letter. */
  readonly reading: Reading.Reading
  /** Facts by name, in small letters and digits alone: what tools answered, and what stands in a structured input. */
  readonly facts: ReadonlyMap<string, Json>
  /** Tells apart what is made up: ids, and the choice among equals. */
  readonly seed: string
}

interface Sight {
  readonly near: Reading.Reading
  readonly whole: Reading.Reading
  readonly place: Place
  readonly words: ReadonlyArray<string>
}

type Read = (sight: Sight) => ReadonlyArray<string>

const both =
  (read: (reading: Reading.Reading) => ReadonlyArray<string>): Read =>
  ({ near, whole }) => [...read(near), ...read(whole)]

const sentences = (reading: Reading.Reading) => Reading.informative(reading.sentences)

// A point of a list is about its complaint rather than about how it begins.
const headline = ({ near, place, whole }: Sight): ReadonlyArray<string> => {
  if (place.subject === undefined) return [whole.subject, ...sentences(whole).map((sentence) => Text.title(sentence))]
  const weigh = (sentence: string) =>
    Reading.complaints(sentence) +
    (sentence === near.sentences[0] ? 1 : 0) -
    (/^(?:i|we|they|it|he|she)\b/i.test(sentence) ? 1 : 0)
  return [...near.sentences].sort((a, b) => weigh(b) - weigh(a)).map((sentence) => Text.title(sentence))
}

const asInstruction = (request: string): string => {
  const said = request.replace(/^(?:and |also,? )?(?:please|kindly|could you(?: please)?|can you(?: please)?)\s+/i, "")
  return Text.capital(said.replace(/\?$/, "."))
}

const instructions: Read = ({ near, whole }) =>
  [...near.sentences.filter(Reading.isRequest), ...near.sentences.slice(0, 1), ...whole.requests].map(asInstruction)

const within = /\b(?:within|in the next)\s+\S+(?:\s+\S+)?\s+(?:hours?|days?|weeks?|months?)\b/gi

// A date is a deadline where the word before it says so.
const deadlines = ({ dates, flat }: Reading.Reading): ReadonlyArray<string> => [
  ...dates.filter((date) =>
    new RegExp(`\\b(?:before|by|until|till|no later than|due(?: on)?)\\s+(?:the\\s+)?${Text.escape(date)}`, "i").test(
      flat
    )
  ),
  ...(flat.match(within) ?? [])
]

// What has a deadline of its own in the letter; where one has to be named, the letter's.
const deadline: Read = ({ near, place, whole }) =>
  place.optional && place.subject !== undefined ? deadlines(near) : [...deadlines(near), ...deadlines(whole)]

const reply: Read = ({ whole }) => {
  const wishes = whole.requests.slice(0, 2).map((request) => {
    const wish = asInstruction(Text.sentencesOf(request)[0] ?? request).replace(/[.!?]$/, "")
    return wish.charAt(0).toLowerCase() + wish.slice(1)
  })
  const about = whole.subject.replace(/[.!?]$/, "")
  return [
    [
      `Dear ${whole.sender ?? "customer"}, thank you for your message${about === "" ? "" : ` about "${about}"`}.`,
      wishes.length === 0 ? "We have read it with care." : `We have noted what you ask for: ${wishes.join("; ")}.`,
      "We will come back to you as soon as we can."
    ].join(" ")
  ]
}

const common = new Set(
  "about after again also because been before could from have here into just like more much only other over please really same should some than that their them then there these they thing this those very want were what when where which while will with would your".split(
    " "
  )
)

const keywordsOf = new WeakMap<Reading.Reading, ReadonlyArray<string>>()

const keywords = (reading: Reading.Reading): ReadonlyArray<string> => {
  const known = keywordsOf.get(reading)
  if (known !== undefined) return known
  const counts = new Map<string, number>()
  const text = reading.sentences.join(" ").toLowerCase()
  for (const word of text.match(/(?<![\p{L}\d@.-])\p{L}{4,}(?![\p{L}\d@-])/gu) ?? []) {
    if (!common.has(word)) counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  const found = [...counts].sort((a, b) => b[1] - a[1]).map(([word]) => word)
  keywordsOf.set(reading, found)
  return found
}

const languages = ["en", "de", "fr", "es"]

const language: Read = ({ whole }) => {
  const code = languages[Cues.choose([whole.flat], languages)] ?? "en"
  return [code, { en: "English", de: "German", fr: "French", es: "Spanish" }[code] ?? code]
}

const currency: Read = ({ near, whole }) => {
  const sign =
    /EUR|USD|GBP|CHF|[\u20ac$\u00a3]/.exec(`${near.amounts.join(" ")} ${whole.amounts.join(" ")}`)?.[0] ?? "EUR"
  return [{ "\u20ac": "EUR", $: "USD", "\u00a3": "GBP" }[sign] ?? sign]
}

const isoDates = (sight: Sight): ReadonlyArray<string> => {
  const { near, whole } = sight
  const due = sight.words.some((word) => /^(?:due|deadline|until|expires?)$/.test(word))
  const said = due
    ? [...deadlines(near), ...deadlines(whole), ...near.dates, ...whole.dates]
    : [...near.dates, ...whole.dates]
  return said.flatMap((date) => Text.isoDate(date, whole.year) ?? [])
}

// What a field is called, and what belongs there; the first row that fits a word of its name counts. What is "exact" is
// in the letter or it is not: no sentence stands for a telephone number.
const rules: ReadonlyArray<readonly [name: RegExp, read: Read, exact?: "exact"]> = [
  [/^(?:e?mails?|mailto)$/, both((reading) => reading.emails), "exact"],
  [/^(?:phones?|tel|telephone|mobile|fax)$/, both((reading) => reading.phones), "exact"],
  [/^(?:urls?|uri|links?|website|homepage|href)$/, both((reading) => reading.urls), "exact"],
  [/^(?:currency)$/, currency],
  [/^(?:languages?|lang|locale)$/, language],
  [/^(?:repl(?:y|ies)|response|answer|draft|message)$/, reply],
  [/^(?:due|deadline|until)$/, deadline, "exact"],
  [/^(?:dates?|days?|when|time|timestamp|datetime)$/, both((reading) => reading.dates), "exact"],
  [/^(?:amounts?|prices?|total|costs?|sum|fee|money|paid)$/, both((reading) => reading.amounts), "exact"],
  [
    /^(?:ids?|numbers?|no|ref|references?|code|sku|serials?|orders?|invoices?|tickets?|accounts?|tracking|booking)$/,
    ({ near, place, whole, words }) => {
      const names = [...words, ...place.parents.flatMap(Text.wordsOf).toReversed()].filter(
        (word) => !/^(?:id|number|no|ref|code)$/.test(word)
      )
      const said = (reading: Reading.Reading) => names.flatMap((word) => Reading.after(reading, word))
      return [...said(near), ...said(whole), ...near.references, ...whole.references]
    },
    "exact"
  ],
  [/^(?:subject|title|headline|heading|caption|topic)$/, headline],
  [
    /^(?:summar(?:y|ies)|abstract|overview|gist|tldr|synopsis)$/,
    ({ near, place, whole }) => {
      const reading = place.subject === undefined ? whole : near
      const best = sentences(reading).slice(0, 2)
      return [reading.sentences.filter((sentence) => best.includes(sentence)).join(" "), ...sentences(reading)]
    }
  ],
  [
    /^(?:names?|customers?|authors?|sender|from|person|contact|client|user|writer|who|owner)$/,
    ({ near, place, whole }) => {
      const people = whole.sender === undefined ? [] : [whole.sender]
      return place.subject === undefined ? [...people, ...whole.names] : [...near.names, ...people]
    },
    "exact"
  ],
  [
    /^(?:compan(?:y|ies)|organi[sz]ations?|firm|products?|places?|cit(?:y|ies)|countr(?:y|ies)|locations?|entit(?:y|ies)|brands?)$/,
    both((reading) => reading.names),
    "exact"
  ],
  [
    /^(?:actions?|tasks?|todos?|steps?|requests?|asks?|needs?|wants?|next|instructions?|recommendations?)$/,
    instructions
  ],
  [
    /^(?:problems?|issues?|complaints?|reasons?|causes?|errors?|risks?)$/,
    (sight) =>
      sight.place.subject === undefined ? [...sight.whole.problems, ...headline(sight)] : [...sight.near.sentences]
  ],
  [/^(?:questions?)$/, both((reading) => reading.questions)],
  [/^(?:keywords?|tags?|labels?|topics|terms?|words?)$/, both(keywords)],
  [
    /^(?:details?|descriptions?|text|body|content|explanations?|notes?|context|background|quotes?|evidence|excerpts?|rationale|what)$/,
    ({ near, place, whole }) =>
      place.subject === undefined ? sentences(whole) : [near.sentences.slice(0, 3).join(" "), ...near.sentences]
  ]
]

const scales: ReadonlyArray<readonly [name: RegExp, read: (sight: Sight) => number]> = [
  [/^(?:urgency|priority|severity|importance|impact)$/, ({ near }) => Cues.urgency(near.flat)],
  [/^(?:sentiment|mood|satisfaction|polarity)$/, ({ near }) => (Cues.mood(near.flat) + 1) / 2],
  [
    /^(?:confidence|score|probability|certainty|relevance|rating|quality|weight)$/,
    ({ place }) => Math.max(0.1, 0.9 - 0.07 * place.index)
  ]
]

/**
 * What fills a shape asks these questions.
 *
 * @category models
 */
export interface Hints {
  /** Texts that may stand there, the best first; made up at the end, so that there is always one. */
  readonly strings: (place: Place) => ReadonlyArray<string>
  /** Whether the letter has nothing that may stand there, so that a text would be made up. */
  readonly lacks: (place: Place) => boolean
  /** Numbers that may stand there, the best first. */
  readonly numbers: (place: Place, bounds: { readonly low: number; readonly high: number }) => ReadonlyArray<number>
  /** Yes or no. */
  readonly boolean: (place: Place) => boolean
  /** Which of the options fits best, by its place. */
  readonly choose: (place: Place, options: ReadonlyArray<string>) => number
  /** What the items of a list are about, one text each. */
  readonly items: (place: Place) => ReadonlyArray<string>
  /** Names for the entries of a record. */
  readonly keys: (place: Place) => ReadonlyArray<string>
  /** Parts of the letter that have the form of a pattern. */
  readonly matching: (place: Place, pattern: RegExp) => ReadonlyArray<string>
  /** Dates in the form `YYYY-MM-DD`. */
  readonly dates: (place: Place) => ReadonlyArray<string>
  /** A fact that has the name of the place. */
  readonly fact: (place: Place) => Json | undefined
  /** A number that is always the same for this place. */
  readonly random: (place: Place) => number
}

const defined = (texts: ReadonlyArray<string>) => texts.filter((text) => text.trim() !== "")

// What a list holds when its name says so; else it holds points, or the sentences that tell most.
const listed: ReadonlyArray<readonly [name: RegExp, read: (reading: Reading.Reading) => ReadonlyArray<string>]> = [
  [
    /^(?:actions?|tasks?|todos?|steps?|requests?|asks?|needs?|next|recommendations?|instructions?)$/,
    (reading) => reading.requests
  ],
  [/^(?:problems?|issues?|complaints?|errors?|risks?|causes?|reasons?|incidents?)$/, (reading) => reading.problems],
  [/^(?:questions?)$/, (reading) => reading.questions],
  [/^(?:keywords?|tags?|labels?|topics?|terms?|words?)$/, (reading) => keywords(reading).slice(0, 5)],
  [/^(?:emails?)$/, (reading) => reading.emails],
  [/^(?:phones?)$/, (reading) => reading.phones],
  [/^(?:urls?|links?)$/, (reading) => reading.urls],
  [/^(?:dates?)$/, (reading) => reading.dates],
  [/^(?:amounts?|prices?)$/, (reading) => reading.amounts],
  [/^(?:references?|orders?|ids?|numbers?|serials?|codes?)$/, (reading) => reading.references],
  [/^(?:names?|people|persons?|entit(?:y|ies)|compan(?:y|ies)|products?|places?)$/, (reading) => reading.names]
]

const rowFor = <Row extends readonly [RegExp, ...ReadonlyArray<unknown>]>(
  table: ReadonlyArray<Row>,
  words: ReadonlyArray<string>
): Row | undefined => {
  // The last word of a name says what the thing is: an `order date` is a date.
  for (const word of words.toReversed()) {
    const row = table.find(([name]) => name.test(word))
    if (row !== undefined) return row
  }
  return undefined
}

/**
 * Makes the questions answerable from a source.
 *
 * @category constructors
 */
export const make = ({ facts, reading, seed }: Source): Hints => {
  const nearby = new Map<string, Reading.Reading>()
  const near = (place: Place): Reading.Reading => {
    if (place.subject === undefined) return reading
    const known = nearby.get(place.subject) ?? Reading.read(place.subject)
    nearby.set(place.subject, known)
    return known
  }
  const look = (place: Place): Sight => ({ near: near(place), whole: reading, place, words: Text.wordsOf(place.key) })
  const byName = <Row extends readonly [RegExp, ...ReadonlyArray<unknown>]>(
    table: ReadonlyArray<Row>,
    place: Place
  ): Row | undefined =>
    rowFor(table, Text.wordsOf(place.key)) ??
    rowFor(table, Text.wordsOf(place.description).slice(0, 3).toReversed()) ??
    rowFor(table, Text.wordsOf(place.parents.at(-1) ?? ""))
  const madeUp = (place: Place): string => {
    const name = Text.capital(Text.wordsOf(place.key).join(" ") || "answer")
    if (place.spare) return `${name} ${place.index + 1}`
    return place.index === 0 ? `${name} not found` : `${name} ${place.index + 1} not found`
  }
  const labelled = (place: Place) => reading.labels.get(Text.wordsOf(place.key).join(""))
  const fact = (place: Place) => facts.get(Text.wordsOf(place.key).join(""))

  const found = (place: Place): ReadonlyArray<string> => {
    const sight = look(place)
    const [, read, exact] = byName(rules, place) ?? []
    const told = read?.(sight) ?? []
    const known = fact(place)
    const own = labelled(place)
    // An address header holds a name as well; what the rules found in it is better.
    const label = own === undefined || (own.includes("@") && told.length > 0) ? [] : [own]
    const rest = place.subject === undefined ? sentences(reading) : [place.subject, ...sight.near.sentences]
    return defined([
      ...(typeof known === "string" || typeof known === "number" ? [String(known)] : []),
      ...label,
      ...told,
      ...(exact === undefined ? rest : [])
    ])
  }

  return {
    fact,
    strings: (place) => (place.spare ? [madeUp(place)] : [...found(place), madeUp(place)]),
    lacks: (place) => !place.spare && found(place).length === 0,
    numbers: (place, { high, low }) => {
      if (place.spare) return [place.index + 1]
      const sight = look(place)
      const known = fact(place)
      const own = labelled(place)
      const [, scale] = rowFor(scales, sight.words) ?? []
      const span = high - low
      const money = sight.words.some((word) => /^(?:amount|price|total|cost|sum|fee|refund)s?$/.test(word))
      const counted = (text: string) =>
        sight.words.flatMap((word) => {
          const pattern = `(\\d[\\d.,]*)\\s+(?:\\p{L}+\\s+)?${Text.escape(Text.stem(word))}|(?<![\\p{L}])${Text.escape(Text.stem(word))}\\p{L}*\\s*(?:is|of|:|=)?\\s*(\\d[\\d.,]*)`
          return [...text.matchAll(new RegExp(pattern, "giu"))].map((match) => match[1] ?? match[2] ?? "")
        })
      const bare = ({ dates, flat }: Reading.Reading) =>
        dates.reduce((text, date) => text.replaceAll(date, " "), flat).match(/(?<![\w.,-])\d[\d.,]*(?![\w-])/g) ?? []
      const said = [
        ...(own === undefined ? [] : [own]),
        ...(money ? [...sight.near.amounts, ...reading.amounts] : []),
        ...counted(sight.near.flat),
        ...counted(reading.flat),
        ...bare(sight.near)
      ].flatMap((text) => Text.parseNumber(text) ?? [])
      return [
        ...(typeof known === "number"
          ? [known]
          : typeof known === "string"
            ? [Text.parseNumber(known) ?? []].flat()
            : []),
        ...(scale !== undefined && Number.isFinite(span) && span < 1e6 ? [low + scale(sight) * span] : []),
        ...said,
        place.index + 1
      ]
    },
    boolean: (place) => {
      const known = fact(place)
      if (typeof known === "boolean") return known
      const words = Text.wordsOf(place.key)
      return Cues.holds(near(place).flat, words.length > 0 ? words : Text.wordsOf(place.description))
    },
    choose: (place, options) => {
      if (place.spare) return place.index % options.length
      const known = fact(place)
      const exact = options.findIndex((option) => typeof known === "string" && option === known)
      if (exact >= 0) return exact
      return Cues.choose([near(place).flat, reading.flat], options)
    },
    items: (place) => {
      const sight = look(place)
      const [, read] = byName(listed, place) ?? []
      const told = read === undefined ? [] : defined(read(sight.near))
      if (told.length > 0) return told.slice(0, 6)
      return (sight.near.points.length > 0 ? sight.near.points : sentences(sight.near)).slice(0, 3)
    },
    keys: (place) => {
      const labels = [...reading.labels.keys()]
      return labels.length > 0 ? labels : keywords(near(place)).slice(0, 3)
    },
    matching: (place, pattern) =>
      [...near(place).flat.matchAll(pattern), ...reading.flat.matchAll(pattern)].map(([text]) => text),
    dates: (place) => [...isoDates(look(place)), `${reading.year}-01-01`],
    random: (place) => Text.hash([seed, ...place.parents, place.key, place.index, place.subject ?? ""].join("\u0000"))
  }
}
