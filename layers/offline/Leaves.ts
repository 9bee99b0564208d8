/** Texts and numbers that keep the bounds of their schema: the first hint that does, made to fit where it may be. */
import type { Json, JsonObject } from "../../services/Json.ts"
import type { Hints, Place } from "./Hints.ts"
import * as Pattern from "./Pattern.ts"
import * as Text from "./Text.ts"

const patternsOf = (schema: JsonObject): ReadonlyArray<string> => {
  const all: ReadonlyArray<Json | undefined> = [
    schema["pattern"],
    ...(Array.isArray(schema["patterns"]) ? schema["patterns"] : [])
  ]
  return all.filter((pattern) => typeof pattern === "string")
}

const compile = (source: string, flags = ""): RegExp | undefined => {
  for (const mode of [`${flags}u`, flags]) {
    try {
      return new RegExp(source, mode)
    } catch {
      // A pattern of another dialect: the next mode, or none.
    }
  }
  return undefined
}

const hex = (n: number) => n.toString(16).padStart(8, "0")

const base64 = (text: string) => btoa(String.fromCharCode(...new TextEncoder().encode(text.slice(0, 60))))

// For each format: what its texts look like, and those that are made for this place.
const formats: {
  readonly [name: string]: {
    readonly form: RegExp
    readonly make: (place: Place, hints: Hints) => ReadonlyArray<string>
  }
} = {
  date: { form: /^\d{4}-\d\d-\d\d$/, make: (place, hints) => hints.dates(place) },
  "date-time": {
    form: /^\d{4}-\d\d-\d\dT\d\d:\d\d/,
    make: (place, hints) => hints.dates(place).map((date) => `${date}T09:00:00.000Z`)
  },
  time: { form: /^\d\d:\d\d:\d\d/, make: () => ["09:00:00Z"] },
  duration: { form: /^P(?=.)/, make: () => ["P1D"] },
  email: {
    form: /^[^\s@]+@[^\s@]+$/,
    make: (place, hints) => [...hints.strings({ ...place, key: "email" }), "nobody@example.com"]
  },
  uri: {
    form: /^[a-z][a-z+.-]*:\S+$/i,
    make: (place, hints) => [...hints.strings({ ...place, key: "url" }), "https://example.com/"]
  },
  uuid: {
    form: /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/,
    make: (place, hints) => {
      const [a, b] = [hex(hints.random(place)), hex(hints.random({ ...place, index: place.index + 1000 }))]
      return [`${a}-${b.slice(0, 4)}-4${b.slice(4, 7)}-8${a.slice(0, 3)}-${b}${a.slice(4)}`]
    }
  },
  hostname: { form: /^[a-z\d-]+(?:\.[a-z\d-]+)+$/i, make: () => ["example.com"] },
  ipv4: { form: /^\d+\.\d+\.\d+\.\d+$/, make: () => ["192.0.2.1"] },
  ipv6: { form: /^[\da-f:]+$/i, make: () => ["2001:db8::1"] },
  byte: { form: /^[A-Za-z\d+/]*={0,2}$/, make: (place, hints) => hints.strings(place).slice(0, 1).map(base64) }
}

const variants = (text: string): ReadonlyArray<string> => {
  const words = Text.wordsOf(text)
  return [
    text,
    text.toLowerCase(),
    text.toUpperCase(),
    words.slice(0, 5).join("-"),
    words.slice(0, 5).join("_"),
    words.slice(0, 5).join("").toUpperCase(),
    words[0] ?? ""
  ]
}

const isDateKey = (key: string) =>
  /^(?:date|at|on|day|timestamp|datetime|birthday)$/.test(Text.wordsOf(key).at(-1) ?? "")

/**
 * A text for a string schema: `minLength`, `maxLength`, `pattern`, `format`. `undefined` where no text that fits can be
 * found.
 *
 * @category constructors
 */
export const fitString = (schema: JsonObject, place: Place, hints: Hints): string | undefined => {
  const least = typeof schema["minLength"] === "number" ? schema["minLength"] : 0
  const max = typeof schema["maxLength"] === "number" ? schema["maxLength"] : Infinity
  // JSON Schema counts code points, JavaScript counts UTF-16 units: a Schema that asks for n units writes n / 2 here.
  return findString(schema, Math.min(max, least * 2), max, place, hints) ?? findString(schema, least, max, place, hints)
}

const findString = (schema: JsonObject, min: number, max: number, place: Place, hints: Hints): string | undefined => {
  const sources = patternsOf(schema)
  const patterns = sources.flatMap((source) => compile(source) ?? [])
  const written = typeof schema["format"] === "string" ? schema["format"].replace("uri-reference", "uri") : ""
  const format = formats[written === "url" ? "uri" : written]

  const fits = (text: string) =>
    text.length >= min &&
    text.length <= max &&
    (format === undefined || format.form.test(text)) &&
    patterns.every((pattern) => pattern.test(text))
  const grown = (text: string): string => {
    const trimmed = text.length > max ? Text.cut(text, max) : text
    if (trimmed.length >= min || format !== undefined) return trimmed
    let longer = trimmed
    for (const more of hints.strings(place)) {
      if (longer.length >= min) break
      if (!longer.includes(more)) longer = longer === "" ? more : `${longer} ${more}`
    }
    return (longer.length > max ? Text.cut(longer, max) : longer).padEnd(min, ".")
  }

  const plain = sources.length === 0
  const texts = [
    ...(format === undefined ? [] : format.make(place, hints)),
    // Nothing in the schema tells that an encoded date is one, but its name does.
    ...(plain && format === undefined && max >= 10 && isDateKey(place.key) ? hints.dates(place) : []),
    ...hints.strings(place)
  ]
  if (plain) {
    for (const text of texts) {
      const long = grown(text)
      if (fits(long)) return long
    }
    return undefined
  }

  // A match inside a word is none, and a pattern that takes anything is nothing to look for.
  for (const source of sources) {
    if (/\[\^|\[\\s\\S\]|\.[*+]/.test(source)) continue
    const inner = source.replace(/^\^/, "").replace(/\$$/, "")
    const pattern = compile(`(?<![\\w-])(?:${inner})(?![\\w-])`, "g")
    const found =
      pattern === undefined ? undefined : hints.matching(place, pattern).find((text) => text !== "" && fits(text))
    if (found !== undefined) return found
  }
  for (const text of texts) {
    const found = variants(grown(text)).find(fits)
    if (found !== undefined) return found
  }
  const seed = hints.random(place)
  // Several patterns: a text that has a piece for each, those that must begin in front, those that must end last.
  const ordered = [...sources].sort((a, b) => rank(a) - rank(b))
  const glued = [0, 1, 2, 3].map((n) =>
    ordered.map((source) => Pattern.samples(source, seed)[n] ?? Pattern.samples(source, seed)[0] ?? "").join("")
  )
  return [...sources.flatMap((source) => Pattern.samples(source, seed)), ...glued].find(fits)
}

const rank = (source: string) => (source.startsWith("^") ? 0 : source.endsWith("$") ? 2 : 1)

/**
 * A number for a number schema: bounds and `multipleOf`. `undefined` where there is none.
 *
 * @category constructors
 */
export const fitNumber = (schema: JsonObject, integer: boolean, place: Place, hints: Hints): number | undefined => {
  const bound = (key: string, fallback: number) => {
    const value = schema[key]
    return typeof value === "number" ? value : fallback
  }
  const above = bound("exclusiveMinimum", -Infinity)
  const below = bound("exclusiveMaximum", Infinity)
  const step = bound("multipleOf", integer ? 1 : 0)
  const whole = integer && !Number.isInteger(step) ? 1 : step
  const low = Math.max(bound("minimum", -Infinity), above)
  const high = Math.min(bound("maximum", Infinity), below)
  const fits = (n: number) =>
    n >= low && n <= high && n > above && n < below && (!integer || Number.isInteger(n)) && Number.isFinite(n)
  const onStep = (n: number): ReadonlyArray<number> =>
    whole === 0 ? [n] : [Math.round(n / whole) * whole, Math.ceil(n / whole) * whole, Math.floor(n / whole) * whole]
  const tidy = (n: number) => Number(n.toPrecision(12))
  const told = hints.numbers(place, { low, high })
  // Nothing told fits: the nearest that does.
  const near = Math.max(low, Math.min(high, told[0] ?? 0))
  const unit = whole || 1
  const middle = Number.isFinite(low) && Number.isFinite(high) ? [(low + high) / 2] : []
  const edges = [near, near - unit, near + unit, ...middle, low, high]
  return [...told.filter((n) => integer || fits(n)), ...edges].flatMap(onStep).map(tidy).find(fits)
}
