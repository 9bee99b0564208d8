/**
 * The fields of an answer as they fill in: leaves by path, with how far each has come. What was void and was written
 * anew counts as corrected.
 */
import { GrowingText } from "../data/GrowingText.ts"
import type { Json } from "../data/JsonSchema.ts"

export type FieldStatus = "waiting" | "streaming" | "done" | "corrected"

/** A path as events print it, `tasks[0]."a.b"`, in parts. */
export const partsOf = (path: string): ReadonlyArray<string> =>
  Array.from(path.matchAll(/("(?:[^"\\]|\\.)*")|\[(\d+)\]|([^.[\]"]+)/g), ([, quoted, index, key]) => {
    if (quoted === undefined) return index ?? key ?? ""
    const text: unknown = JSON.parse(quoted)
    return String(text)
  })

export class Leaf {
  readonly text = new GrowingText()
  status: FieldStatus = "waiting"
  value: Json | undefined
  wasVoid = false
}

/** A place in the tree: a leaf, or what has further places below it. */
export interface Branch {
  readonly name: string
  leaf: Leaf | undefined
  readonly children: Map<string, Branch>
}

const branch = (name: string): Branch => ({ name, leaf: undefined, children: new Map() })

interface Told {
  readonly _tag: "Field" | "Reset"
  readonly path: string
  readonly isComplete?: boolean
  readonly delta?: string
  readonly value?: Json
}

export class Fields {
  readonly root: Branch = branch("")
  /** By the path as events print it, so that a piece of text costs one look-up. */
  private readonly leaves = new Map<string, Leaf>()
  /** How many leaves there are. */
  size = 0

  /** Takes in a `field` event. */
  take(value: unknown): void {
    // The contract says what this event carries.
    const told = value as Told
    if (told._tag === "Reset") {
      this.clear(told.path)
      return
    }
    // An answer that is one text is drawn as such.
    if (told.path === "") return
    let leaf = this.leaves.get(told.path)
    if (leaf === undefined) {
      leaf = this.leafAt(partsOf(told.path))
      this.leaves.set(told.path, leaf)
    }
    if (leaf.status === "waiting") {
      leaf.status = "streaming"
      leaf.text.clear()
    }
    if (told.delta !== undefined) leaf.text.append(told.delta)
    if (told.isComplete === true) this.complete(leaf, told.value)
  }

  /** The answer as it was accepted: what differs from it, or was never told, is set right. */
  settle(value: Json): void {
    const walk = (at: Json, path: ReadonlyArray<string>): void => {
      if (typeof at === "object" && at !== null) {
        for (const [key, child] of Object.entries(at)) walk(child, [...path, key])
        return
      }
      const leaf = this.leafAt(path)
      if ((leaf.status === "done" || leaf.status === "corrected") && leaf.value === at) return
      if (leaf.value !== undefined && leaf.value !== at) leaf.wasVoid = true
      this.complete(leaf, at)
    }
    // As above.
    if (typeof value === "object" && value !== null) walk(value, [])
  }

  private complete(leaf: Leaf, value: Json | undefined): void {
    leaf.value = value
    leaf.status = leaf.wasVoid ? "corrected" : "done"
    if (typeof value === "string" && value.length !== leaf.text.length) {
      leaf.text.clear()
      leaf.text.append(value)
    }
  }

  private leafAt(path: ReadonlyArray<string>): Leaf {
    let at = this.root
    for (const name of path) {
      let next = at.children.get(name)
      if (next === undefined) {
        next = branch(name)
        at.children.set(name, next)
      }
      at = next
    }
    if (at.leaf === undefined) {
      at.leaf = new Leaf()
      this.size++
    }
    return at.leaf
  }

  private clear(path: string): void {
    let at: Branch | undefined = this.root
    for (const part of partsOf(path)) at = at?.children.get(part)
    const walk = (one: Branch): void => {
      if (one.leaf !== undefined) {
        if (one.leaf.status !== "waiting") one.leaf.wasVoid = true
        one.leaf.status = "waiting"
        one.leaf.text.clear()
        one.leaf.value = undefined
      }
      for (const child of one.children.values()) walk(child)
    }
    if (at !== undefined) walk(at)
  }
}
