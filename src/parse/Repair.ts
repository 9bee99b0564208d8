/**
 * What a scan has to say about text that is not strict JSON: the repairs that tolerance made, and the problem that none
 * can mend.
 */

/**
 * What was done. `closer`: a missing, wrong or superfluous `}` or `]`. `colon`, `comma`: missing, doubled or trailing.
 * `comment`: skipped. `control`: a raw newline, tab or other control character in a string was kept. `end`: the text ended
 * within the value. `escape`: a backslash that is no escape was kept. `innerQuote`: a quote within a string was kept.
 * `literal`: `True`, `None`, `NaN`, `.5`, `0x1F` and the like. `prose`: a scalar taken from prose. `punctuation`: full-width.
 * `quote`: other quotes than `"`. `stray`: a character or word without meaning was skipped. `unquoted`: a key or string
 * without quotes. `value`: a key without a value was dropped.
 *
 * @category models
 */
export type RepairKind =
  | "closer"
  | "colon"
  | "comma"
  | "comment"
  | "control"
  | "end"
  | "escape"
  | "innerQuote"
  | "literal"
  | "prose"
  | "punctuation"
  | "quote"
  | "stray"
  | "unquoted"
  | "value"

/** One repair, with where it was: UTF-16 code units from the start of the text. @category models */
export interface Repair {
  readonly kind: RepairKind
  readonly offset: number
}

/** Why there is no value, or none that can be trusted. @category models */
export interface Problem {
  /** `depth`: nested deeper than `maxDepth`. In strict mode also `syntax` and `incomplete` (the text ends too early). */
  readonly kind: "depth" | "syntax" | "incomplete"
  /** Where, in UTF-16 code units from the start of the text. */
  readonly offset: number
  readonly detail: string
}

/** How many repairs are listed; the rest is only counted. */
const listed = 100

/** Collects the repairs and the first problem of one value. @category internals */
export class Findings {
  readonly repairs: Array<Repair> = []
  count = 0
  problem: Problem | undefined = undefined

  /** The last offset per kind: a place that is read again, because more text was needed, counts once. */
  private readonly last = new Map<RepairKind, number>()

  note(kind: RepairKind, offset: number): void {
    if (offset <= (this.last.get(kind) ?? -1)) return
    this.last.set(kind, offset)
    if (this.count++ < listed) this.repairs.push({ kind, offset })
  }

  refuse(kind: Problem["kind"], offset: number, detail: string): void {
    this.problem ??= { kind, offset, detail }
  }

  unexpected(text: string, i: number, base: number): void {
    const c = text.charCodeAt(i)
    // By code unit: the other half of a pair may not have arrived.
    const shown = c > 32 && c < 127 ? `"${text.charAt(i)}"` : `U+${c.toString(16).toUpperCase().padStart(4, "0")}`
    this.refuse("syntax", base + i, `unexpected ${shown}`)
  }
}
