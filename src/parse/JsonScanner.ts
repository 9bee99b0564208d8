/**
 * Finds the answer in the text of a model and reads it as it arrives: prose around it, code fences, `<think>` blocks and
 * several values of which one is the answer. The grammar of a value itself is `JsonMachine`'s.
 *
 * **Which value is the answer.** An object or array that begins anywhere is a candidate. It is committed, and its events
 * flow, once it is proved: by a key with its colon that the Shape declares, by an item of the declared kind, or, where
 * nothing is declared, by the first key with its colon. Until then it emits nothing; doubtful text rejects it, and after
 * 4 KiB without doubt it is committed all the same. A later candidate that is proved and fits better (more required keys,
 * then fewer repairs, then the later one) replaces it: a Reset of the root, then its events. What was closed but never
 * proved is the answer if nothing better came by the end.
 *
 * **Scalars.** Where the Shape admits a scalar, one that is all of the text, or all of a fence, is the answer. Where the
 * Shape admits nothing but scalars, so is a scalar at the end of prose (`The answer is 42.`), and prose itself where a
 * string is expected.
 *
 * All of it is synchronous and takes time in proportion to the text, in any chunking; the value and the sequence of
 * `done` events do not depend on the chunking.
 */
import * as Fit from "./Fit.ts"
import type { Field, Reset } from "./InstantEvent.ts"
import * as JsonMachine from "./JsonMachine.ts"
import * as Lookahead from "./Lookahead.ts"
import type { PathStyle } from "./Path.ts"
import * as PathIndex from "./PathIndex.ts"
import * as Prose from "./Prose.ts"
import type { Problem, Repair } from "./Repair.ts"
import type { Shape } from "./Shape.ts"

/** How a text is read. @category options */
export interface ScannerOptions {
  /** What is expected; anything by default. */
  readonly shape?: Shape | undefined
  /** The number of the attempt that events carry; 1 by default. */
  readonly attempt?: number | undefined
  /** How events print their paths; `dot` by default. */
  readonly pathStyle?: PathStyle | undefined
  /** `false` reads the value alone, without events and paths; `true` by default. */
  readonly emit?: boolean | undefined
  /**
   * The paths, in either style and with wildcards, whose events are wanted; all by default. Others cost nothing. An index
   * stands for every index.
   */
  readonly only?: ReadonlyArray<string> | undefined
  /** Reads JSON as RFC 8259 has it and nothing else; `false` by default. */
  readonly strict?: boolean | undefined
  /** How deep containers may nest; 512 by default. Deeper is a `problem` of the result. */
  readonly maxDepth?: number | undefined
}

/** What was read. @category models */
export interface ScanResult {
  /** Whether there is a value at all. */
  readonly found: boolean
  /** The value; `undefined` where not found. Never changed any more after `end`. */
  readonly value: unknown
  /** The paths, in dot style, whose end was made up by us, with all their containers up to the root. */
  readonly repaired: ReadonlySet<string>
  /** What was done to text that is not strict JSON; the first 100. */
  readonly repairs: ReadonlyArray<Repair>
  /** Why the value, if any, cannot be trusted. */
  readonly problem: Problem | undefined
}

/** A text that is being read. @category models */
export interface JsonScanner {
  /** Reads the next piece of the text, and returns the events of it, in order. */
  readonly write: (chunk: string) => ReadonlyArray<Field | Reset>
  /**
   * The text is over, and everything still open is closed. `cut`: it did not end by itself (length limit, abort, lost
   * connection). A second call does nothing.
   */
  readonly end: (cause: "complete" | "cut") => ReadonlyArray<Field | Reset>
  /** What was read; final once `end` was called. */
  readonly result: () => ScanResult
  /** A copy of the value so far, with strings as far as they came; `undefined` while no answer is committed. */
  readonly snapshot: () => unknown
}

type Event = Field | Reset

const nothing: ReadonlyArray<Event> = []
const noRepairs: ReadonlySet<string> = new Set()

/** How much of a candidate is read before it is committed without proof, in UTF-16 code units. */
const probation = 4096
/** Text of rejected candidates may be read again up to this much, plus twice the length of the text. */
const freeRescans = 65_536

/** In prose: looking for the answer. */
const PROSE = 0
/** In a block of thoughts. */
const THOUGHT = 1
/** In an object or array. */
const VALUE = 2
/** In a scalar that may be all of the text. */
const SCALAR = 3
/** After such a scalar. */
const TAIL = 4
/** The text is over, or not to be read any further. */
const OVER = 5

class Scanner {
  private readonly options: JsonMachine.MachineOptions
  private readonly scalarOnly: boolean
  private readonly admitsScalar: boolean
  private mode: number
  private out: Array<Event> = []
  /** Text that waits for more to be decided. */
  private carry = ""
  /** The position in the whole text of the first character of the text at hand. */
  private base = 0
  /** At a place where the answer may begin with a scalar: the start of the text, of a fence, after thoughts. */
  private fresh = true
  private inFence = false
  private thought = ""
  /** Prose so far, where only a scalar is expected. */
  private prose = ""
  /** The candidate that is being read, whether its events flow, where it began, and its text of earlier chunks. */
  private machine: JsonMachine.Machine | undefined = undefined
  private live = false
  private start = 0
  private raw = ""
  private rescanned = 0
  /** The answer so far, and the best that was closed without proof. */
  private best: JsonMachine.Machine | undefined = undefined
  private weak: JsonMachine.Machine | undefined = undefined
  private problem: Problem | undefined = undefined

  constructor(options: ScannerOptions) {
    const shape = options.shape ?? Fit.ANY
    this.options = {
      shape,
      attempt: options.attempt ?? 1,
      style: options.pathStyle ?? "dot",
      emit: options.emit ?? true,
      strict: options.strict ?? false,
      maxDepth: options.maxDepth ?? 512,
      root: PathIndex.root(options.only)
    }
    this.scalarOnly = Fit.isScalar(shape)
    this.admitsScalar = Prose.admitsScalar(shape)
    this.mode = PROSE
    if (this.options.strict) {
      this.machine = new JsonMachine.Machine(this.options, false, true)
      this.live = true
      this.mode = VALUE
    }
  }

  write(chunk: string): ReadonlyArray<Event> {
    if (this.mode === OVER || chunk === "") return nothing
    const machine = this.machine
    if (this.live && machine !== undefined) machine.tree.events = this.out
    this.feed(this.carry === "" ? chunk : this.carry + chunk, false)
    if (this.live && this.machine !== undefined) this.machine.flush()
    return this.take()
  }

  end(cause: "complete" | "cut"): ReadonlyArray<Event> {
    if (this.mode === OVER) return nothing
    const cut = cause === "cut"
    if (this.live && this.machine !== undefined) this.machine.tree.events = this.out
    this.feed(this.carry, true)
    for (let machine = this.machine; machine !== undefined; machine = this.machine) {
      machine.finish(cut, this.base)
      if (machine.status !== JsonMachine.REJECTED) this.settle(machine)
      else {
        // No value after all: its text is prose, and may hold the answer.
        const again = this.mode === VALUE ? this.raw.slice(1) : this.raw
        this.base -= again.length
        this.drop()
        this.rescanned += again.length
        if (this.rescanned <= freeRescans + 2 * this.base) this.feed(again, true)
      }
    }
    if (this.best === undefined && this.weak !== undefined) {
      this.best = this.weak
      for (const event of this.weak.tree.events) this.out.push(event)
    }
    if (this.best === undefined && this.problem === undefined && this.scalarOnly) this.findScalar(cut)
    this.mode = OVER
    return this.take()
  }

  result(): ScanResult {
    const best = this.best ?? (this.live ? this.machine : undefined)
    return {
      found: best !== undefined && best.tree.value !== undefined,
      value: best?.tree.value,
      repaired: best?.tree.repaired ?? noRepairs,
      repairs: best?.findings.repairs ?? [],
      problem: this.problem ?? best?.findings.problem
    }
  }

  snapshot(): unknown {
    return this.live && this.machine !== undefined ? this.machine.snapshot() : this.best?.snapshot()
  }

  private take(): ReadonlyArray<Event> {
    const out = this.out
    if (out.length === 0) return nothing
    this.out = []
    return out
  }

  private feed(given: string, final: boolean): void {
    let text = given
    let i = 0
    this.carry = ""
    while (i < text.length && this.mode !== OVER) {
      let at: number
      switch (this.mode) {
        case PROSE:
          at = this.readProse(text, i, final)
          break
        case THOUGHT:
          at = this.readThought(text, i, final)
          break
        case TAIL:
          at = this.readTail(text, i, final)
          break
        default:
          at = this.readValue(text, i, final)
      }
      i = at < 0 ? ~at : at
      const machine = this.machine
      if (machine !== undefined && machine.status !== JsonMachine.READING && this.mode !== TAIL) {
        if (machine.status === JsonMachine.REJECTED) {
          // Read the text of the candidate again as prose, unless that has been done too often already.
          const scalar = this.mode !== VALUE
          const raw = this.raw
          const begin = raw === "" ? this.start : 0
          this.rescanned += raw.length + i - begin
          const again = this.rescanned <= freeRescans + 2 * (this.base + i)
          if (again) {
            text = raw === "" ? text : raw + text
            this.base -= raw.length
            i = scalar ? begin : begin + 1
          }
          this.drop()
          continue
        }
        if (machine.status === JsonMachine.FAILED) this.fail(machine)
        else if (this.mode === SCALAR && !this.live) this.mode = TAIL
        else {
          if (machine.status === JsonMachine.FENCED) machine.finish(false, this.base + i)
          this.settle(machine)
        }
        continue
      }
      if (at < 0) break
    }
    this.carry = i < text.length ? text.slice(i) : ""
    this.base += i
    if (this.machine !== undefined && this.machine.probing) {
      this.raw += text.slice(this.raw === "" ? this.start : 0, i)
      this.start = 0
    }
  }

  // ------------------------------------------------------------------------------------------------------ candidates

  private begin(mode: number, i: number, probing: boolean): void {
    this.machine = new JsonMachine.Machine(this.options, probing, this.fresh)
    this.mode = mode
    this.start = i
    this.raw = ""
    this.live = false
    if (!probing) this.commit(this.machine)
  }

  private commit(machine: JsonMachine.Machine): void {
    machine.probing = false
    this.raw = ""
    if (this.best !== undefined || this.live) return
    this.live = true
    for (const event of machine.tree.events) this.out.push(event)
    machine.tree.events = this.out
  }

  /** Back to prose. */
  private drop(): void {
    this.machine = undefined
    this.live = false
    this.raw = ""
    this.fresh = false
    this.mode = PROSE
  }

  private fail(machine: JsonMachine.Machine): void {
    this.problem = machine.findings.problem
    if (this.live) this.best = machine
    this.machine = undefined
    this.live = false
    this.mode = OVER
  }

  /** A candidate is closed: it is the answer, or waits for the end, or is forgotten. */
  private settle(machine: JsonMachine.Machine): void {
    const live = this.live
    const best = this.best
    this.drop()
    if (machine.findings.problem !== undefined) this.problem ??= machine.findings.problem
    if (live) {
      this.best = machine
      if (this.options.strict) {
        this.mode = TAIL
        this.machine = undefined
      }
      return
    }
    if (!machine.probing) {
      if (best !== undefined && this.isBetter(machine, best)) {
        if (this.options.emit) {
          this.out.push({ _tag: "Reset", path: "", attempt: this.options.attempt, reason: "better-candidate" })
        }
        for (const event of machine.tree.events) this.out.push(event)
        this.best = machine
      }
      return
    }
    if (machine.hasWords && (!machine.fresh || this.scalarOnly)) return
    if (this.weak === undefined || this.isBetter(machine, this.weak)) this.weak = machine
  }

  private isBetter(machine: JsonMachine.Machine, than: JsonMachine.Machine): boolean {
    const rank = Fit.rank(this.options.shape, machine.tree.value) - Fit.rank(this.options.shape, than.tree.value)
    if (rank !== 0) return rank > 0
    return machine.findings.count <= than.findings.count
  }

  private readValue(text: string, i: number, final: boolean): number {
    const machine = this.machine
    if (machine === undefined) return i
    machine.base = this.base
    if (machine.probing && this.mode === VALUE && !this.scalarOnly) {
      // Reads no further than the probation goes, so that its end does not depend on the chunks.
      const limit = (this.raw === "" ? this.start : -this.raw.length) + probation
      if (limit < text.length) {
        const at = i < limit ? machine.run(text.slice(0, limit), i, false) : i
        if (machine.status === JsonMachine.READING) this.commit(machine)
        else if (!machine.probing) this.commit(machine)
        return at < 0 ? ~at : at
      }
    }
    const at = machine.run(text, i, final)
    if (!machine.probing && !this.live) this.commit(machine)
    return at
  }

  // ----------------------------------------------------------------------------------------------------------- prose

  private readProse(text: string, from: number, final: boolean): number {
    const at = this.skipProse(text, from, final)
    if (this.scalarOnly) this.prose += text.slice(from, at < 0 ? ~at : at)
    return at
  }

  private skipProse(text: string, from: number, final: boolean): number {
    const n = text.length
    for (let i = from; i < n; i++) {
      const c = text.charCodeAt(i)
      if (c === 123 || c === 91 || c === 0xff5b || c === 0xff3b) {
        if (!this.scalarOnly || this.fresh) {
          this.begin(VALUE, i, true)
          return i
        }
      } else if (c === 60) {
        const tag = Prose.tag(text, i, final)
        if (tag === undefined) return ~i
        if (tag.name !== "") {
          // A closing tag without an opening one, which was in the prompt: all so far was thought.
          if (tag.closes) this.weak = undefined
          this.thought = tag.name
          this.mode = THOUGHT
          return i
        }
        this.fresh = false
      } else if (c === 96) {
        const length = Prose.fence(text, i, final)
        if (length < 0) return ~i
        if (length > 0) {
          this.inFence = !this.inFence
          this.fresh = this.inFence
          i += length - 1
        } else if (this.fresh && this.startScalar(c, i)) return i
      } else if (this.fresh && !Lookahead.isSpace(c)) {
        if (this.startScalar(c, i)) return i
      }
    }
    return n
  }

  private startScalar(c: number, i: number): boolean {
    if (this.admitsScalar && this.best === undefined && Prose.startsScalar(c)) {
      this.begin(SCALAR, i, !(this.scalarOnly && Lookahead.isQuote(c)))
      return true
    }
    this.fresh = false
    return false
  }

  private readThought(text: string, from: number, final: boolean): number {
    const at = Prose.endOfThought(text, from, this.thought, final)
    if (at.found) {
      this.mode = PROSE
      this.fresh = true
      this.prose = ""
    }
    return at.next
  }

  /** After a scalar that may be all of the text; in strict mode, after the value. */
  private readTail(text: string, from: number, final: boolean): number {
    let i = from
    while (
      i < text.length &&
      (this.options.strict ? Prose.isJsonSpace(text.charCodeAt(i)) : Lookahead.isSpace(text.charCodeAt(i)))
    )
      i++
    if (i >= text.length) return i
    if (this.options.strict) {
      this.problem ??= { kind: "syntax", offset: this.base + i, detail: "text follows the value" }
      this.mode = OVER
      return i
    }
    const length = text.charCodeAt(i) === 96 ? Prose.fence(text, i, final) : 0
    if (length < 0) return ~i
    const machine = this.machine
    if (machine === undefined) return i
    if (length > 0) this.settle(machine)
    else {
      machine.status = JsonMachine.REJECTED
      this.mode = SCALAR
    }
    return i
  }

  private findScalar(cut: boolean): void {
    const found = Prose.scalar(this.prose, this.options.shape)
    if (found === undefined) return
    const machine = new JsonMachine.Machine(this.options, false, true)
    machine.tree.events = this.out
    machine.adopt(found.value, cut ? "repaired" : "final", this.base)
    this.best = machine
  }
}

/**
 * Starts to read a text.
 *
 * @category constructors
 * @example
 * ```ts
 * import { JsonScanner } from "effigent"
 *
 * const scanner = JsonScanner.make()
 * const events = [...scanner.write('Sure! {"title":"Hel'), ...scanner.write('lo"}'), ...scanner.end("complete")]
 * console.log(events.map((event) => event._tag === "Field" ? event.delta ?? event.value : "reset")) // => [ 'Hel', 'lo', 'Hello' ]
 * ```
 */
export const make = (options: ScannerOptions = {}): JsonScanner => {
  const scanner = new Scanner(options)
  return {
    write: (chunk) => scanner.write(chunk),
    end: (cause) => scanner.end(cause),
    result: () => scanner.result(),
    snapshot: () => scanner.snapshot()
  }
}

/**
 * How a whole text is read.
 *
 * @category options
 */
export interface ParseOptions extends ScannerOptions {
  /** Whether the text was cut (length limit, abort) rather than ended by itself; `false` by default. */
  readonly cut?: boolean | undefined
}

/**
 * Reads a whole text at once, without events.
 *
 * @category parsing
 * @example
 * ```ts
 * import { JsonScanner } from "effigent"
 *
 * console.log(JsonScanner.parse("Here you are: {name: 'Ada', tags: [1, 2,],}").value) // => { name: 'Ada', tags: [ 1, 2 ] }
 * ```
 */
export const parse = (text: string, options: ParseOptions = {}): ScanResult => {
  const scanner = new Scanner({ ...options, emit: false })
  scanner.write(text)
  scanner.end(options.cut === true ? "cut" : "complete")
  return scanner.result()
}
