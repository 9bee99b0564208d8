/**
 * Reads a flat record out of the text of a model that was asked to write in a field format: Markdown headings, tags, or
 * YAML literal blocks. It gives the same events and holds to the same promises as `JsonScanner`: deltas concatenate to the
 * value, nothing follows a `done`, values and `done` events do not depend on the chunking. Fields that are no plain text are
 * JSON, whose parts have their own events.
 *
 * A model that writes JSON all the same is understood: a text that begins with `{` is read as JSON while it arrives, any
 * other text without a single field at its end. `result().format` says which of the two it was.
 */
import type { OutputFormat } from "../../services/ModelProvider.ts"
import { FieldRecord, kindOf } from "./FieldRecord.ts"
import type { Field, Reset } from "./InstantEvent.ts"
import type { Grammar } from "./Grammar.ts"
import { isName, maxMark } from "./Grammar.ts"
import * as JsonScanner from "./JsonScanner.ts"
import { MarkdownFields } from "./MarkdownFields.ts"
import * as Prose from "./Prose.ts"
import type { Shape } from "./Shape.ts"
import { XmlFields } from "./XmlFields.ts"
import { YamlFields } from "./YamlFields.ts"

/** The formats that carry a flat record. @category models */
export type FieldFormat = Exclude<OutputFormat, "json" | "text">

/** What was read, and in which format. @category models */
export interface FieldScanResult extends JsonScanner.ScanResult {
  /** `json` where the model wrote JSON instead. */
  readonly format: FieldFormat | "json"
}

/** A text in a field format that is being read: see `JsonScanner`. @category models */
export interface FieldScanner extends JsonScanner.JsonScanner {
  readonly result: () => FieldScanResult
}

type Event = Field | Reset

const nothing: ReadonlyArray<Event> = []
const isBlank = /[\s\ufeff]/
const fenceLine = /^`{3,}[^\n`]*\r?\n/

/** Looking for the first word of the answer; in a block of thoughts before it. */
const START = 0
const THOUGHT = 1
const FIELDS = 2
const JSON_VALUE = 3
const OVER = 4

const grammarOf = (format: FieldFormat, record: FieldRecord): Grammar => {
  switch (format) {
    case "flatMarkdown":
    case "hybrid":
      return new MarkdownFields(record)
    case "xmlField":
      return new XmlFields(record)
    case "yamlLiteral":
      return new YamlFields(record)
  }
}

class Scanner {
  private readonly format: FieldFormat
  private readonly options: JsonScanner.ScannerOptions
  private record: FieldRecord
  private grammar: Grammar
  private json: JsonScanner.JsonScanner | undefined = undefined
  private mode = START
  private carry = ""
  private thought = ""
  /** The whole text, while it is not known in which format it is. */
  private raw: Array<string> = []
  private emitted = false

  constructor(format: FieldFormat, options: JsonScanner.ScannerOptions) {
    this.format = format
    this.options = options
    this.record = new FieldRecord(options)
    this.grammar = grammarOf(format, this.record)
  }

  write(chunk: string): ReadonlyArray<Event> {
    if (this.mode === OVER || chunk === "") return nothing
    if (!this.record.found) this.raw.push(chunk)
    if (this.mode === JSON_VALUE) return this.writeJson(chunk)
    this.feed(this.carry === "" ? chunk : this.carry + chunk, false, false)
    if (this.json !== undefined) return this.writeJson(this.raw.join(""))
    return this.take()
  }

  end(cause: "complete" | "cut"): ReadonlyArray<Event> {
    if (this.mode === OVER) return nothing
    const cut = cause === "cut"
    const out: Array<Event> = []
    if (this.mode !== JSON_VALUE) {
      this.feed(this.carry, true, cut)
      if (this.json !== undefined) out.push(...this.writeJson(this.raw.join("")))
    }
    if (this.json !== undefined) {
      out.push(...this.json.end(cause))
      // What began like JSON and was none is read as what was asked for.
      if (!isObject(this.json.result().value)) {
        this.json = undefined
        if (this.emitted || out.length > 0) this.record.restart()
        this.fields(this.raw.join(""), true, cut)
      }
    }
    if (this.json === undefined) {
      this.record.finish(cut, this.grammar.closed)
      out.push(...this.record.take())
      if (!this.record.found) {
        const json = JsonScanner.make(this.options)
        out.push(...json.write(this.raw.join("")), ...json.end(cause))
        if (isObject(json.result().value) || json.result().problem !== undefined) this.json = json
      }
    }
    this.raw = []
    this.mode = OVER
    return out.length === 0 ? nothing : out
  }

  result(): FieldScanResult {
    if (this.json !== undefined) return { ...this.json.result(), format: "json" }
    const { found, problem, repaired, repairs, value } = this.record
    return { found, value: found ? value : undefined, repaired, repairs, problem, format: this.format }
  }

  snapshot(): unknown {
    return this.json === undefined ? this.record.snapshot() : this.json.snapshot()
  }

  private writeJson(text: string): ReadonlyArray<Event> {
    const events = this.json?.write(text) ?? nothing
    if (events.length > 0) this.emitted = true
    return events
  }

  private take(): ReadonlyArray<Event> {
    if (this.record.found && this.raw.length > 0) this.raw = []
    const events = this.record.take()
    return events.length === 0 ? nothing : events
  }

  private feed(text: string, final: boolean, cut: boolean): void {
    let i = 0
    this.carry = ""
    while (i < text.length && (this.mode === START || this.mode === THOUGHT)) {
      const next = this.mode === START ? this.start(text, i, final) : this.thoughts(text, i, final)
      if (next < 0) {
        this.carry = text.slice(~next)
        return
      }
      i = next
    }
    if (this.mode === FIELDS) this.fields(text.slice(i), final, cut)
  }

  private fields(text: string, final: boolean, cut: boolean): void {
    this.carry = text.slice(this.grammar.read(text, final, cut))
  }

  private start(text: string, from: number, final: boolean): number {
    let i = from
    while (i < text.length && isBlank.test(text.charAt(i))) i++
    // The blanks of the first line are its indentation, which some formats want to know.
    const line = Math.max(from, text.lastIndexOf("\n", i - 1) + 1, i - maxMark)
    if (i === text.length) return final ? i : ~line
    const c = text.charAt(i)
    if (c === "{") {
      this.mode = JSON_VALUE
      this.json = JsonScanner.make(this.options)
      return i
    }
    if (c === "<") {
      const tag = Prose.tag(text, i, final)
      if (tag === undefined) return ~i
      if (tag.name !== "" && !this.record.keys.has(tag.name)) {
        this.thought = tag.name
        this.mode = THOUGHT
        return i
      }
    }
    if (c === "`") {
      const fence = fenceLine.exec(text.slice(i, i + 64))
      if (fence !== null) {
        this.record.enclosed = true
        return i + fence[0].length
      }
      if (!final && text.length - i < 64 && !text.slice(i).includes("\n")) return ~i
    }
    this.mode = FIELDS
    return line
  }

  private thoughts(text: string, from: number, final: boolean): number {
    const at = Prose.endOfThought(text, from, this.thought, final)
    if (at.found) this.mode = START
    return at.next
  }
}

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * Starts to read a text in a field format. The shape has to be an object.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Contract, FieldScanner } from "effigent"
 *
 * const { shape } = Contract.compile(Schema.Struct({ title: Schema.String, stars: Schema.Int }))
 * const scanner = FieldScanner.make("hybrid", { shape })
 * const events = [...scanner.write("### title\nThe S"), ...scanner.write("ea\n\n### stars JSON\n5"), ...scanner.end("complete")]
 * console.log(events.map((event) => event._tag === "Field" ? event.delta ?? event.value : "reset")) // => [ 'The S', 'ea', 'The Sea', 5 ]
 * ```
 *
 * @category constructors
 */
export const make = (format: FieldFormat, options: JsonScanner.ScannerOptions = {}): FieldScanner => {
  const scanner = new Scanner(format, options)
  return {
    write: (chunk) => scanner.write(chunk),
    end: (cause) => scanner.end(cause),
    result: () => scanner.result(),
    snapshot: () => scanner.snapshot()
  }
}

/**
 * Reads a whole text in a field format at once, without events.
 *
 * @category parsing
 */
export const parse = (format: FieldFormat, text: string, options: JsonScanner.ParseOptions = {}): FieldScanResult => {
  const scanner = new Scanner(format, { ...options, emit: false })
  scanner.write(text)
  scanner.end(options.cut === true ? "cut" : "complete")
  return scanner.result()
}

/**
 * Why a shape cannot be written in a field format; `undefined` where it can. Every field format takes objects with declared
 * keys alone, `flatMarkdown` of these only those whose fields are scalars.
 *
 * @category predicates
 */
export const unfit = (format: FieldFormat, shape: Shape): string | undefined => {
  if (shape.kind !== "object") return "the output is no object"
  if (shape.rest !== undefined) return "the output has keys that are not declared"
  if (shape.keys.size === 0) return "the output has no fields"
  for (const [key, field] of shape.keys) {
    if (!isName(key)) return `the field name ${JSON.stringify(key)} cannot stand in a heading or a tag`
    if (format === "flatMarkdown" && !isScalar(field)) return `the field ${key} is no scalar`
  }
  return undefined
}

const isScalar = (shape: Shape): boolean =>
  shape.kind === "union" ? shape.members.every(isScalar) : !["any", "object", "array"].includes(shape.kind)

/**
 * The format that suits a shape: `xmlField` for texts alone, `hybrid` for texts with others, `json` for all else.
 *
 * @category predicates
 */
export const suited = (shape: Shape): FieldFormat | "json" => {
  if (unfit("hybrid", shape) !== undefined || shape.kind !== "object") return "json"
  const kinds = [...shape.keys.values()].map(kindOf)
  return kinds.every((kind) => kind === "text") ? "xmlField" : kinds.includes("text") ? "hybrid" : "json"
}
