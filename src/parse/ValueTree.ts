/**
 * The value that is being built, and the events that say how it grows. It knows where in the value the next part belongs,
 * not how it is written: that is the grammar's. Open containers are a chain of frames, so that no depth of nesting uses
 * the call stack. Not exported from the package.
 */
import * as Fit from "./Fit.ts"
import type { Field, FieldSource, Reset } from "./InstantEvent.ts"
import { ARRAY, OBJECT, ROOT } from "./Lookahead.ts"
import * as Path from "./Path.ts"
import * as PathIndex from "./PathIndex.ts"
import type { Shape } from "./Shape.ts"

const noIndexes: ReadonlyArray<number> = []

/** A container that is open. Frames are used again: `next` is the one for a container inside this one. @category internals */
export class Frame {
  kind: number = ROOT
  array: Array<unknown> = []
  object: Record<string, unknown> = {}
  /** The key that was read last. */
  key = ""
  node: PathIndex.PathNode = PathIndex.dead
  /** The node of the value that comes next. */
  child: PathIndex.PathNode = PathIndex.dead
  path = ""
  /** What stands before the index of an item. */
  itemPrefix = ""
  indexes: ReadonlyArray<number> = noIndexes
  readonly depth: number
  readonly parent: Frame | undefined
  next: Frame | undefined = undefined
  constructor(parent: Frame | undefined) {
    this.parent = parent
    this.depth = parent === undefined ? 0 : parent.depth + 1
  }
}

/** Sets an own property as `JSON.parse` does, also for the key that would set the prototype. */
const define = (object: Record<string, unknown>, key: string, value: unknown): void => {
  if (key.length === 9 && key === "__proto__") {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
  } else object[key] = value
}

/** One value and its events. @category internals */
export class ValueTree {
  /** Where events go; the owner takes them and sets another array. */
  events: Array<Field | Reset> = []
  value: unknown = undefined
  /** Whether there is a value at all. */
  started = false
  /** The paths, in dot style, whose end was made up. */
  readonly repaired = new Set<string>()
  readonly root: Frame = new Frame(undefined)
  /** The innermost open container; `root` where none is. */
  top: Frame = this.root

  private readonly style: Path.PathStyle
  private readonly attempt: number
  // Where the value stands that is being read, and its text if it is a string.
  private node: PathIndex.PathNode = PathIndex.dead
  private path = ""
  private indexes: ReadonlyArray<number> = noIndexes
  private text = ""

  /** @param index the root of the paths; the dead node for a tree without events */
  constructor(index: PathIndex.PathNode, style: Path.PathStyle, attempt: number) {
    this.root.child = index
    this.style = style
    this.attempt = attempt
  }

  /** A whole scalar that was not read as a quoted string. */
  scalar(value: unknown, source: FieldSource): void {
    this.locate()
    this.attach(value)
    // The deltas of a string are its value, also where there is but one.
    if (this.node.wanted && typeof value === "string" && value !== "") this.emit(value, value, false, "observed")
    if (this.node.wanted) this.emit(value, undefined, true, source)
  }

  openString(): void {
    this.locate()
    this.text = ""
    if (this.top === this.root) this.started = true
  }

  /** The open string grew. */
  grow(delta: string): void {
    this.text = this.text === "" ? delta : this.text + delta
    if (this.node.wanted) this.emit(this.text, delta, false, "observed")
  }

  closeString(rest: string, source: FieldSource): string {
    if (rest !== "") this.grow(rest)
    const value = this.text
    this.text = ""
    this.attach(value)
    if (this.node.wanted) this.emit(value, undefined, true, source)
    return value
  }

  open(kind: number): void {
    this.locate()
    const parent = this.top
    let frame = parent.next
    if (frame === undefined) {
      frame = new Frame(parent)
      parent.next = frame
    }
    frame.kind = kind
    const node = this.node
    frame.node = node
    frame.child = PathIndex.dead
    if (node.alive) {
      frame.path = this.path
      frame.indexes = this.indexes
    }
    if (kind === OBJECT) {
      const object: Record<string, unknown> = {}
      this.attach(object)
      frame.object = object
      frame.key = ""
    } else {
      const array: Array<unknown> = []
      this.attach(array)
      frame.array = array
      if (node.alive) {
        frame.child = PathIndex.item(node, this.style)
        frame.itemPrefix = this.style === "dot" ? frame.path + "[" : frame.path + "/["
      }
    }
    this.top = frame
  }

  close(source: FieldSource): void {
    const f = this.top
    const parent = f.parent ?? this.root
    this.top = parent
    // The root has no events of its own where it is a container.
    if (f.node.wanted && parent !== this.root) {
      this.node = f.node
      this.path = f.path
      this.indexes = f.indexes
      this.emit(f.kind === OBJECT ? f.object : f.array, undefined, true, source)
    }
  }

  /** The key of the next value of the object on top. */
  setKey(key: string): void {
    const f = this.top
    f.key = key
    if (f.node.alive) {
      const node = PathIndex.child(f.node, key, this.style)
      f.child = node
      // One instance of the text for all objects is faster to store under.
      if (node !== PathIndex.dead) f.key = node.key
    }
  }

  /**
   * Records that all open containers end here for want of text.
   *
   * @param next whether the value that comes next, or the open string, does too
   */
  markOpen(next: boolean): void {
    if (next) this.repaired.add(this.dotPath(this.top, true))
    for (let f: Frame | undefined = this.top; f !== undefined && f !== this.root; f = f.parent) {
      this.repaired.add(this.dotPath(f.parent ?? this.root, false))
    }
  }

  /** What `shape` says of the container on top. */
  shapeOfTop(shape: Shape): Shape | undefined {
    const steps = this.steps(this.top.parent ?? this.root, false)
    let at: Shape | undefined = this.top === this.root ? undefined : shape
    for (let i = 0; i < steps.length && at !== undefined; i++) at = Fit.below(at, steps[i] ?? "")
    return at
  }

  /** What `shape` says of the value that comes next. */
  shapeOfNext(shape: Shape): Shape | undefined {
    if (this.top === this.root) return shape
    const at = this.shapeOfTop(shape)
    return at === undefined ? undefined : Fit.below(at, this.top.kind === ARRAY ? this.top.array.length : this.top.key)
  }

  /**
   * A structural copy of the value so far.
   *
   * @param inString whether a string is open, which then is part of the copy
   */
  snapshot(inString: boolean): unknown {
    if (!this.started) return undefined
    if (this.top === this.root) return inString ? this.text : copy(this.value)
    const copied = copy(this.value)
    if (!inString) return copied
    // The open containers are the last of their parents: follow them to where the string belongs.
    let at: unknown = copied
    for (const step of this.steps(this.top.parent ?? this.root, false)) at = Path.get(at, [step])
    if (Array.isArray(at)) at.push(this.text)
    else if (isRecord(at)) define(at, this.top.key, this.text)
    return copied
  }

  /** Where the next value stands; says so if it takes the place of another. */
  private locate(): void {
    const f = this.top
    const node = f.child
    this.node = node
    if (!node.alive) return
    if (f.kind === OBJECT) {
      this.path = f.path + node.suffix
      this.indexes = f.indexes
      if (f.object[f.key] !== undefined && Object.hasOwn(f.object, f.key)) {
        this.events.push({ _tag: "Reset", path: this.path, attempt: this.attempt, reason: "duplicate-key" })
      }
    } else if (f.kind === ARRAY) {
      const index = f.array.length
      this.path = f.itemPrefix + index + "]"
      this.indexes = f.indexes.length === 0 ? [index] : [...f.indexes, index]
    }
  }

  private attach(value: unknown): void {
    const f = this.top
    if (f.kind === OBJECT) define(f.object, f.key, value)
    else if (f.kind === ARRAY) f.array.push(value)
    else {
      this.value = value
      this.started = true
    }
  }

  private emit(value: unknown, delta: string | undefined, isComplete: boolean, source: FieldSource): void {
    this.events.push({
      _tag: "Field",
      path: this.path,
      wildcardPath: this.node.wildcard,
      indexes: this.indexes,
      value,
      delta,
      isComplete,
      eventType: isComplete ? "done" : "delta",
      source,
      attempt: this.attempt
    })
  }

  /** The steps from the root to what was last begun in `f`, or, with `next`, to what comes next. */
  private steps(f: Frame, next: boolean): Array<string | number> {
    const steps: Array<string | number> = []
    let ahead = next
    for (let at = f; at.parent !== undefined; at = at.parent) {
      steps.push(at.kind === OBJECT ? at.key : ahead ? at.array.length : at.array.length - 1)
      ahead = false
    }
    return steps.reverse()
  }

  private dotPath(f: Frame, next: boolean): string {
    return Path.print(this.steps(f, next))
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A deep copy of a JSON value. Its depth is bounded by the scanner's `maxDepth`. */
const copy = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(copy)
  if (!isRecord(value)) return value
  const object: Record<string, unknown> = {}
  for (const [key, entry] of Object.entries(value)) define(object, key, copy(entry))
  return object
}
