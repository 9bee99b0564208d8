/**
 * The record that a field format spells out: one field open at a time, each a raw text or a JSON value, and the events
 * that say how it grows. JSON values are read by `JsonScanner`, whose events are moved below the field. How fields are
 * told apart is the grammar's business. Not exported from the package.
 */
import type { Field, FieldSource, Reset } from "./InstantEvent.ts"
import * as Fit from "./Fit.ts"
import * as JsonScanner from "./JsonScanner.ts"
import * as Path from "./Path.ts"
import * as PathIndex from "./PathIndex.ts"
import * as Placeholder from "./Placeholder.ts"
import type { Problem, Repair } from "./Repair.ts"
import type { Shape } from "./Shape.ts"
import { TextField } from "./TextField.ts"

type Event = Field | Reset

/** How the value of a field is written. */
export type Kind = "text" | "json"

/** A text that may be any text is written as it is; all else is JSON. */
export const kindOf = (shape: Shape | undefined): Kind =>
  shape === undefined || (shape.kind === "string" && shape.values === undefined) ? "text" : "json"

const define = (object: Record<string, unknown>, key: string, value: unknown): void => {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
}

/** How a field ends: its boundary was read, the answer ended well, or it was cut. */
type Ending = FieldSource

interface Open {
  readonly key: string
  readonly node: PathIndex.PathNode
  readonly text: TextField | undefined
  readonly json: JsonField | undefined
}

// The text of a JSON value, of which a placeholder at its beginning is held back.
class JsonField {
  readonly scanner: JsonScanner.JsonScanner
  private head = ""
  private started = false
  constructor(scanner: JsonScanner.JsonScanner) {
    this.scanner = scanner
  }
  write(text: string): ReadonlyArray<Event> {
    if (this.started) return this.scanner.write(text)
    this.head = (this.head + text).trimStart()
    if (Placeholder.mayBecome(this.head)) return []
    this.started = true
    return this.scanner.write(this.head)
  }
  end(key: string, cause: "complete" | "cut"): ReadonlyArray<Event> {
    if (this.started) return this.scanner.end(cause)
    if (Placeholder.is(this.head.trimEnd(), key)) return this.scanner.end(cause)
    return [...this.scanner.write(this.head), ...this.scanner.end(cause)]
  }
}

/** A record under construction. */
export class FieldRecord {
  readonly value: Record<string, unknown> = {}
  readonly repaired = new Set<string>()
  readonly repairs: Array<Repair> = []
  problem: Problem | undefined = undefined
  /** Whether any field was ever opened. */
  found = false
  /** Whether the whole answer stands in a code fence. */
  enclosed = false
  /** The declared fields. */
  readonly keys: ReadonlyMap<string, Shape>
  private readonly options: JsonScanner.ScannerOptions
  private readonly root: PathIndex.PathNode
  private readonly style: Path.PathStyle
  private readonly attempt: number
  private events: Array<Event> = []
  private current: Open | undefined = undefined

  constructor(options: JsonScanner.ScannerOptions) {
    this.options = options
    this.keys = options.shape?.kind === "object" ? options.shape.keys : new Map()
    this.root = options.emit === false ? PathIndex.dead : PathIndex.root(options.only)
    this.style = options.pathStyle ?? "dot"
    this.attempt = options.attempt ?? 1
  }

  /** Whether a field is open. */
  get isOpen(): boolean {
    return this.current !== undefined
  }

  /** Whether a field has been read already, or is open. */
  has(key: string): boolean {
    return this.current?.key === key || Object.hasOwn(this.value, key)
  }

  /** The events since the last call. */
  take(): ReadonlyArray<Event> {
    const events = this.events
    if (events.length > 0) this.events = []
    return events
  }

  /** Begins a field. A field that was there already is replaced. `kind` is what the text itself says of it. */
  open(key: string, kind: Kind | undefined): void {
    this.close("observed")
    this.found = true
    const shape = this.keys.get(key)
    const node = PathIndex.child(this.root, key, this.style)
    if (Object.hasOwn(this.value, key)) {
      delete this.value[key]
      const own = Path.print([key])
      for (const path of this.repaired) {
        if (path === own || path.startsWith(`${own}.`) || path.startsWith(`${own}[`)) this.repaired.delete(path)
      }
      if (node.alive) this.reset(node, "duplicate-key")
    }
    const json = (kind ?? kindOf(shape)) === "json"
    this.current = {
      key,
      node,
      text: json
        ? undefined
        : new TextField(key, this.enclosed, {
            grow: (delta) => this.grow(node, delta),
            reset: () => {
              if (node.wanted) this.reset(node, "fence")
            }
          }),
      json: json ? new JsonField(JsonScanner.make(this.below(node, shape ?? Fit.ANY))) : undefined
    }
  }

  /** Reads more of the open field. */
  write(text: string): void {
    const open = this.current
    if (open === undefined || text === "") return
    if (open.text !== undefined) open.text.write(text)
    else if (open.json !== undefined) this.move(open.node, open.json.write(text), false)
  }

  /** Ends the open field, if any. */
  close(ending: Ending): void {
    const open = this.current
    if (open === undefined) return
    const { json, key, node, text } = open
    if (text !== undefined) {
      if (text.end(ending !== "observed")) {
        define(this.value, key, text.value)
        this.done(node, text.value, ending)
        if (ending === "repaired") this.repaired.add(Path.print([key]))
      }
    } else if (json !== undefined) {
      this.move(node, json.end(key, ending === "repaired" ? "cut" : "complete"), ending === "observed")
      const result = json.scanner.result()
      this.problem ??= result.problem
      for (const repair of result.repairs) if (this.repairs.length < 100) this.repairs.push(repair)
      const own = Path.print([key])
      for (const path of result.repaired) this.repaired.add(path === "" ? own : join(own, path, "dot"))
      if (result.found) {
        define(this.value, key, result.value)
        // The scanner says of a container at its root nothing itself.
        if (typeof result.value === "object" && result.value !== null) {
          this.done(node, result.value, result.repaired.has("") ? "repaired" : ending)
        }
      }
    }
    this.current = undefined
  }

  /** The answer is over. `closed`: what ends it was read. */
  finish(cut: boolean, closed: boolean): void {
    this.close(closed ? "observed" : cut ? "repaired" : "final")
    if (this.found && ((cut && !closed) || this.repaired.size > 0)) this.repaired.add("")
  }

  /** All deltas and values so far are void. */
  restart(): void {
    this.events.push({ _tag: "Reset", path: "", attempt: this.attempt, reason: "better-candidate" })
  }

  /** A copy of the record so far. */
  snapshot(): unknown {
    if (!this.found) return undefined
    const copied: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(this.value)) define(copied, key, structuredClone(value))
    const open = this.current
    if (open !== undefined) {
      const value = open.text === undefined ? open.json?.scanner.snapshot() : open.text.value
      if (value !== undefined && value !== "") define(copied, open.key, value)
    }
    return copied
  }

  // How the value of a field is scanned: what is wanted of it, seen from the field.
  private below(node: PathIndex.PathNode, shape: Shape): JsonScanner.ScannerOptions {
    const { only: _only, ...rest } = this.options
    if (!node.alive) return { ...rest, shape, emit: false }
    if (node.wants === undefined) return { ...rest, shape }
    const only = node.wants.map(({ depth, segments }) => Path.print(segments.slice(depth)))
    return { ...rest, shape, only }
  }

  // A scalar whose boundary was read was observed, though it has no closing token of its own.
  private move(node: PathIndex.PathNode, events: ReadonlyArray<Event>, observed: boolean): void {
    for (const event of events) {
      const path = join(node.suffix, event.path, this.style)
      if (event._tag === "Reset") this.events.push({ ...event, path })
      else {
        const source = observed && event.path === "" && event.source === "final" ? "observed" : event.source
        this.events.push({ ...event, path, wildcardPath: join(node.wildcard, event.wildcardPath, this.style), source })
      }
    }
  }

  private grow(node: PathIndex.PathNode, delta: string): void {
    if (!node.wanted) return
    const value = this.current?.text?.value ?? delta
    this.emit(node, value, delta, "observed")
  }

  private done(node: PathIndex.PathNode, value: unknown, source: FieldSource): void {
    if (node.wanted) this.emit(node, value, undefined, source)
  }

  private reset(node: PathIndex.PathNode, reason: string): void {
    this.events.push({ _tag: "Reset", path: node.suffix, attempt: this.attempt, reason })
  }

  private emit(node: PathIndex.PathNode, value: unknown, delta: string | undefined, source: FieldSource): void {
    this.events.push({
      _tag: "Field",
      path: node.suffix,
      wildcardPath: node.wildcard,
      indexes: [],
      value,
      delta,
      isComplete: delta === undefined,
      eventType: delta === undefined ? "done" : "delta",
      source,
      attempt: this.attempt
    })
  }
}

// The path of a value within a field, seen from the root.
const join = (field: string, path: string, style: Path.PathStyle): string =>
  path === "" ? field : style === "slash" || path.startsWith("[") ? field + path : `${field}.${path}`
