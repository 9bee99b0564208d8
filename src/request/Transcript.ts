/**
 * What a response keeps: an append-only log of everything the model sent, in order, from which every reader, early or
 * late, reads the whole sequence for itself.
 *
 * Token texts dominate, so they are stored compactly: their characters in blocks of 256 texts, joined flat once a block
 * is full, and their lengths as 16-bit numbers. A million characters that came four at a time cost about 1.6 times
 * their text; an array of strings would cost eight. All else (usage, tool calls, ends of attempts) is rare and kept as
 * objects, called marks.
 *
 * Appending and reading are synchronous. Whoever waits for more registers a callback with `onAppend`.
 */
import type { ActionEvent } from "../../services/Action.ts"
import type { ModelEvent, OutputFormat } from "../../services/ModelProvider.ts"
import type { Status } from "../parse/InstantEvent.ts"

/** Everything of a `ModelEvent` that is not text, and how attempts begin and end. @category models */
export type Mark =
  | Exclude<ModelEvent, { readonly _tag: "Text" | "Restarted" }>
  | ActionEvent
  | { readonly _tag: "Begun"; readonly attempt: number; readonly format: OutputFormat }
  | Status

/** Receives what a cursor passes. @category models */
export interface Visitor {
  /** A piece of the answer. */
  readonly text: (text: string) => void
  /** A piece of the reasoning. */
  readonly reasoning: (text: string) => void
  /** Anything else. */
  readonly mark: (mark: Mark) => void
}

const TEXT = 0
const REASONING = 1
const MARK = 2
const maxLength = 0x3fff
const blockSize = 256

/** A place in the texts of one kind, from which `Transcript.textSince` reads. @category models */
export interface Position {
  readonly block: number
  readonly offset: number
}

// Texts of one kind. Every block holds `blockSize` texts, so that the n-th text is found without an index.
class Pieces {
  private readonly blocks: Array<string> = []
  private tail: Array<string> = []
  private tailLength = 0

  push(text: string): void {
    this.tail.push(text)
    this.tailLength += text.length
    if (this.tail.length === blockSize) {
      this.blocks.push(this.tail.join(""))
      this.tail = []
      this.tailLength = 0
    }
  }

  slice(ordinal: number, offset: number, length: number): string {
    const block = this.blocks[Math.floor(ordinal / blockSize)]
    return block === undefined ? (this.tail[ordinal % blockSize] ?? "") : block.slice(offset, offset + length)
  }

  position(): Position {
    return { block: this.blocks.length, offset: this.tailLength }
  }

  since({ block, offset }: Position): string {
    return (this.blocks.slice(block).join("") + this.tail.join("")).slice(offset)
  }
}

// A reader's place in the texts of one kind.
class Place {
  private ordinal = 0
  private offset = 0

  next(pieces: Pieces, length: number): string {
    const text = pieces.slice(this.ordinal, this.offset, length)
    this.ordinal++
    this.offset = this.ordinal % blockSize === 0 ? 0 : this.offset + length
    return text
  }
}

const isHighSurrogate = (code: number) => code >= 0xd800 && code <= 0xdbff

/**
 * The log.
 *
 * @category models
 */
export class Transcript {
  // One entry is a kind (low 2 bits) and a length (high 14 bits).
  private entries = new Uint16Array(256)
  private size = 0
  private readonly texts = new Pieces()
  private readonly reasonings = new Pieces()
  private readonly marks: Array<Mark> = []
  private readonly listeners = new Set<() => void>()
  private ended = false

  /** Whether nothing will be appended any more. */
  get isClosed(): boolean {
    return this.ended
  }

  /** Appends a piece of the answer. Call `flush` after the last append of a batch. */
  text(text: string): void {
    this.piece(TEXT, this.texts, text)
  }

  /** Appends a piece of the reasoning. */
  reasoning(text: string): void {
    this.piece(REASONING, this.reasonings, text)
  }

  /** Appends anything else. */
  mark(mark: Mark): void {
    this.marks.push(mark)
    this.append(MARK)
  }

  /** Wakes those who wait for more. */
  flush(): void {
    if (this.listeners.size > 0) for (const listener of [...this.listeners]) listener()
  }

  /** Ends the log and wakes all. */
  close(): void {
    this.ended = true
    this.flush()
  }

  /** Calls back on each flush until the returned function is called. */
  onAppend(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  /** Where the texts stand now. */
  position(): { readonly text: Position; readonly reasoning: Position } {
    return { text: this.texts.position(), reasoning: this.reasonings.position() }
  }

  /** All of the answer's text since a place. */
  textSince(position: Position): string {
    return this.texts.since(position)
  }

  /** All of the reasoning since a place. */
  reasoningSince(position: Position): string {
    return this.reasonings.since(position)
  }

  /** A reader at the beginning. */
  cursor(): Cursor {
    const texts = new Place()
    const reasonings = new Place()
    let index = 0
    let marks = 0
    return {
      hasNext: () => index < this.size,
      advance: (visitor, limit) => {
        const end = Math.min(this.size, index + limit)
        while (index < end) {
          const entry = this.entries[index++] ?? MARK
          const kind = entry & 3
          if (kind === TEXT) visitor.text(texts.next(this.texts, entry >> 2))
          else if (kind === REASONING) visitor.reasoning(reasonings.next(this.reasonings, entry >> 2))
          else {
            const mark = this.marks[marks++]
            if (mark !== undefined) visitor.mark(mark)
          }
        }
      }
    }
  }

  private piece(kind: typeof TEXT | typeof REASONING, pieces: Pieces, text: string): void {
    let from = 0
    while (from < text.length) {
      let to = Math.min(text.length, from + maxLength)
      if (to < text.length && isHighSurrogate(text.charCodeAt(to - 1))) to--
      pieces.push(from === 0 && to === text.length ? text : text.slice(from, to))
      this.append(kind | ((to - from) << 2))
      from = to
    }
  }

  private append(entry: number): void {
    if (this.size === this.entries.length) {
      const grown = new Uint16Array(Math.ceil(this.size * 1.5))
      grown.set(this.entries)
      this.entries = grown
    }
    this.entries[this.size++] = entry
  }
}

/**
 * One reader's place in a transcript.
 *
 * @category models
 */
export interface Cursor {
  /** Whether there is something to read now. */
  readonly hasNext: () => boolean
  /** Passes at most `limit` entries to the visitor. */
  readonly advance: (visitor: Visitor, limit: number) => void
}
