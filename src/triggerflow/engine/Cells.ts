/**
 * The state of an execution: every field as frozen JSON, decoded once where what is decoded can be frozen. What is
 * appended to a list is kept apart until somebody reads the list, so that a row of appends costs its items and not the
 * list each time.
 */
import * as Result from "effect/Result"
import type { Json } from "effect/Schema"
import { freezeInPlace } from "./Codec.ts"
import type { Field } from "./Plan.ts"

const unread = Symbol("unread")

class Cell {
  json: Json
  tail: Array<Json> | undefined = undefined
  value: unknown = unread

  constructor(json: Json) {
    this.json = json
  }
}

/** A write to a field, as it is recorded. @category models */
export type Write =
  | { readonly _tag: "set"; readonly key: string; readonly json: Json; readonly silent: boolean }
  | { readonly _tag: "append"; readonly key: string; readonly json: Json; readonly silent: boolean }
  | { readonly _tag: "delete"; readonly key: string; readonly silent: boolean }

/**
 * The fields of a state.
 *
 * @category models
 */
export class Cells {
  readonly fields: ReadonlyMap<string, Field>
  readonly cells = new Map<string, Cell>()

  constructor(fields: ReadonlyMap<string, Field>) {
    this.fields = fields
  }

  /** Applies a write; false where there was nothing to delete. */
  apply(write: Write): boolean {
    switch (write._tag) {
      case "set":
        this.cells.set(write.key, new Cell(write.json))
        return true
      case "delete":
        return this.cells.delete(write.key)
      case "append": {
        const cell = this.cells.get(write.key)
        if (cell === undefined) this.cells.set(write.key, new Cell(Object.freeze([write.json])))
        else {
          ;(cell.tail ??= []).push(write.json)
          cell.value = unread
        }
        return true
      }
    }
  }

  /** A field as JSON; `undefined` where it is absent. */
  json(key: string): Json | undefined {
    const cell = this.cells.get(key)
    if (cell === undefined) return undefined
    if (cell.tail !== undefined) {
      // Only lists have a tail.
      cell.json = Object.freeze([...(cell.json as ReadonlyArray<Json>), ...cell.tail])
      cell.tail = undefined
    }
    return cell.json
  }

  /** A field as its Schema decodes it; `undefined` where it is absent. */
  get(key: string): unknown {
    const json = this.json(key)
    const cell = this.cells.get(key)
    const field = this.fields.get(key)
    if (json === undefined || cell === undefined || field === undefined) return undefined
    if (cell.value !== unread) return cell.value
    const value = field.codec.plain ? json : Result.getOrThrow(field.codec.decode(json))
    // What cannot be frozen is decoded anew for every reader, since each may change what it was given.
    if (field.codec.plain || freezeInPlace(value)) cell.value = value
    return value
  }

  /** All fields, decoded. */
  all(): Readonly<Record<string, unknown>> {
    const all: Record<string, unknown> = {}
    for (const key of this.cells.keys()) all[key] = this.get(key)
    return Object.freeze(all)
  }

  /** All fields as JSON. */
  toJson(): Readonly<Record<string, Json>> {
    const all: Record<string, Json> = {}
    for (const key of this.cells.keys()) {
      const json = this.json(key)
      if (json !== undefined) all[key] = json
    }
    return all
  }
}
