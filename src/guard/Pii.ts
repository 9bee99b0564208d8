/**
 * Finds personal data in texts, and masks it or blocks: e-mail addresses, phone numbers, payment cards (with their Luhn
 * digit), IBANs (with the length of their country and their check digits), and patterns of the program's own.
 *
 * Every detector is linear in the text. Characters of no width and full-width forms hide nothing. What is written out
 * (`jane at example dot com`) is not found.
 */
import * as Effect from "effect/Effect"
import * as Skeleton from "./Skeleton.ts"
import { block, type Guard, make, pass, rewrite } from "./Verdict.ts"

/** Kinds of personal data that are known. @category models */
export type PiiKind = "email" | "phone" | "card" | "iban"

/**
 * What is looked for, and what is done with it.
 *
 * @category models
 */
export interface PiiOptions {
  /** Replace what is found, or fail with its kinds. Default `mask`. */
  readonly mode?: "mask" | "block" | undefined
  /** The kinds to look for. Default: all. */
  readonly kinds?: ReadonlyArray<PiiKind> | undefined
  /** Further patterns by the name of their kind. They see the text without characters of no width. */
  readonly patterns?: { readonly [kind: string]: RegExp } | undefined
  /** What stands in place of what was found. Default: as many stars as it had UTF-16 code units. */
  readonly mask?: ((found: string, kind: string) => string) | undefined
}

/**
 * One place with personal data.
 *
 * @category models
 */
export interface PiiFound {
  readonly kind: string
  /** First and behind the last UTF-16 code unit. */
  readonly start: number
  readonly end: number
}

type Range = readonly [start: number, end: number]

const matchesOf = (text: string, pattern: RegExp): ReadonlyArray<Range> => {
  const global = pattern.global ? pattern : new RegExp(pattern.source, `${pattern.flags}g`)
  return Array.from(text.matchAll(global), (match): Range => [match.index, match.index + match[0].length]).filter(
    ([start, end]) => end > start
  )
}

const localPart = /[\p{L}\p{N}._%+'-]{1,64}$/u
const domain = /@(?:[\p{L}\p{N}][\p{L}\p{N}-]{0,62}\.){1,8}\p{L}[\p{L}\p{N}-]{1,62}/uy

// From one @ to the next: a long text without one costs nothing.
const emails = (text: string): ReadonlyArray<Range> => {
  const found: Array<Range> = []
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    domain.lastIndex = at
    const behind = domain.exec(text)
    const before = behind === null ? null : localPart.exec(text.slice(Math.max(0, at - 64), at))
    if (behind !== null && before !== null) found.push([at - before[0].length, at + behind[0].length])
  }
  return found
}

const phones: ReadonlyArray<RegExp> = [
  // +49 (0)30 123456, 0044 20 7946 0958
  /(?<![\p{L}\p{N}+])(?:\+|00)[1-9](?:[ \-./()\u00a0\u2011]{0,3}\d){6,14}(?!\d)/gu,
  // 030 1234567, (030) 123 45-67, 0170/1234567
  /(?<![\p{L}\p{N}.+-])\(?0\d{1,4}\)?[ \-/\u00a0\u2011]{1,3}\d(?:[ \-/\u00a0\u2011]?\d){4,10}(?!\d)/gu,
  // 01701234567
  /(?<![\p{L}\p{N}.+-])0[1-9]\d{7,10}(?![\d.])/gu,
  // (555) 234-5678, 1-555-234-5678
  /(?<![\p{L}\p{N}.+-])(?:1[ .\-\u2011])?\(?[2-9]\d{2}\)?[ .\-\u2011]{1,2}[2-9]\d{2}[ .\-\u2011]\d{4}(?!\d)/gu
]

const luhn = (digits: string): boolean => {
  let sum = 0
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48
    sum += i % 2 === 0 ? digit : digit > 4 ? 2 * digit - 9 : 2 * digit
  }
  return sum % 10 === 0
}

const digitRun = /\d+(?:[ \-.\u00a0\u2011]\d+)*/g
const digitGroup = /\d+/g

// Groups of digits that stand together may hold a card anywhere between two of their borders.
const cards = (text: string): ReadonlyArray<Range> => {
  const found: Array<Range> = []
  for (const run of text.matchAll(digitRun)) {
    const groups = Array.from(run[0].matchAll(digitGroup), (group) => ({
      start: run.index + group.index,
      digits: group[0]
    }))
    let first = 0
    while (first < groups.length) {
      let digits = ""
      let end: number | undefined
      let behind = first + 1
      // The longest that is valid.
      for (let last = first; last < groups.length; last++) {
        const group = groups[last]
        if (group === undefined || digits.length + group.digits.length > 19) break
        digits += group.digits
        if (digits.length >= 13 && /^[2-6]/.test(digits) && luhn(digits)) {
          end = group.start + group.digits.length
          behind = last + 1
        }
      }
      if (end !== undefined) found.push([groups[first]?.start ?? end, end])
      first = behind
    }
  }
  return found
}

const ibanLengths = new Map(
  (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 " +
    "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 " +
    "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 " +
    "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
  )
    .split(" ")
    .map((entry): readonly [string, number] => [entry.slice(0, 2), Number(entry.slice(2))])
)

const mod97 = (iban: string): number => {
  let rest = 0
  for (const char of iban.slice(4) + iban.slice(0, 4)) {
    const value = Number.parseInt(char, 36)
    rest = (value > 9 ? rest * 100 + value : rest * 10 + value) % 97
  }
  return rest
}

const ibanStart = /(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}/g
const alphanumeric = /[A-Za-z0-9]/

const ibans = (text: string): ReadonlyArray<Range> => {
  const found: Array<Range> = []
  for (const { 0: head, index } of text.matchAll(ibanStart)) {
    const length = ibanLengths.get(head.slice(0, 2).toUpperCase())
    if (length === undefined) continue
    let iban = ""
    let i = index
    while (iban.length < length && i < text.length) {
      const char = text.charAt(i)
      if (alphanumeric.test(char)) iban += char.toUpperCase()
      // One separator between two characters.
      else if (!/[ \-\u00a0\u2011]/.test(char) || !alphanumeric.test(text.charAt(i + 1))) break
      i++
    }
    if (iban.length === length && !alphanumeric.test(text.charAt(i)) && mod97(iban) === 1) found.push([index, i])
  }
  return found
}

const detectors: { readonly [K in PiiKind]: (text: string) => ReadonlyArray<Range> } = {
  // The order decides where two of them overlap: the more certain first.
  iban: ibans,
  card: cards,
  email: emails,
  phone: (text) => phones.flatMap((pattern) => matchesOf(text, pattern))
}

const allKinds: ReadonlyArray<PiiKind> = ["iban", "card", "email", "phone"]

/**
 * The places of a text that hold personal data, in their order, none within another.
 *
 * @example
 * ```ts
 * import { Guard } from "effigent"
 *
 * const found = Guard.findPii("Pay to DE89 3704 0044 0532 0130 00, or ask jane@example.com.")
 * console.log(found) // => [ { kind: 'iban', start: 7, end: 34 }, { kind: 'email', start: 43, end: 59 } ]
 * ```
 *
 * @category inspection
 */
export const findPii = (
  text: string,
  options?: Pick<PiiOptions, "kinds" | "patterns"> | undefined
): ReadonlyArray<PiiFound> => {
  const skeleton = Skeleton.of(text)
  const found: Array<PiiFound> = []
  const taken = new Uint8Array(skeleton.text.length)
  const add = (kind: string, ranges: ReadonlyArray<Range>): void => {
    for (const [from, to] of ranges) {
      if (taken.subarray(from, to).includes(1)) continue
      taken.fill(1, from, to)
      found.push({ kind, start: skeleton.at(from), end: skeleton.at(to - 1) + 1 })
    }
  }
  const kinds = options?.kinds ?? allKinds
  for (const kind of allKinds) if (kinds.includes(kind)) add(kind, detectors[kind](skeleton.text))
  for (const [kind, pattern] of Object.entries(options?.patterns ?? {})) add(kind, matchesOf(skeleton.text, pattern))
  return found.toSorted((a, b) => a.start - b.start)
}

const stars = (found: string): string => "*".repeat(found.length)

/**
 * A guard against personal data. Masked, a request reaches the model, and an answer its readers, with stars in their
 * place; blocked, the run fails with the kinds that were found.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Agent, Guard } from "effigent"
 * import { ScriptedModel } from "effigent/testing"
 *
 * // The model repeats what it was sent.
 * const echo = ScriptedModel.respond(({ prompt }) => ScriptedModel.text(JSON.stringify(prompt)))
 * const agent = Agent.make({}).pipe(Agent.guardInput(Guard.pii()), Agent.input("Write to jane@example.com"))
 * const said = await Effect.runPromise(Agent.run(agent).pipe(Effect.provide(ScriptedModel.layer([echo]))))
 * console.log(said.includes("jane"), said.includes("Write to ****************")) // => false true
 * ```
 *
 * @category constructors
 */
export const pii = (options: PiiOptions = {}): Guard => {
  const mask = options.mask ?? stars
  return make("pii", ({ pieces }) =>
    Effect.sync(() => {
      const all = pieces.map(({ text }) => ({ text, found: findPii(text, options) }))
      const kinds = new Set(all.flatMap(({ found }) => found.map(({ kind }) => kind)))
      if (kinds.size === 0) return pass
      if (options.mode === "block") return block("it holds personal data", [...kinds].toSorted())
      return rewrite(
        all.map(({ found, text }) => {
          let out = ""
          let from = 0
          for (const { end, kind, start } of found) {
            out += text.slice(from, start) + mask(text.slice(start, end), kind)
            from = end
          }
          return out + text.slice(from)
        })
      )
    })
  )
}
