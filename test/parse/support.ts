/** What the parser's tests share: reading in chunks, the laws that every sequence of events obeys, and random values. */
import { assert } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import type { Field, Reset } from "../../src/parse/InstantEvent.ts"
import * as JsonScanner from "../../src/parse/JsonScanner.ts"
import * as Path from "../../src/parse/Path.ts"
import type { Shape } from "../../src/parse/Shape.ts"

export type Event = Field | Reset
export type Cause = "complete" | "cut"

export interface Reading {
  /** The events of each chunk; the last entry is what `end` returned. */
  readonly batches: ReadonlyArray<ReadonlyArray<Event>>
  readonly events: ReadonlyArray<Event>
  readonly result: JsonScanner.ScanResult
}

/** Reads chunks to the end. */
export const read = (
  chunks: ReadonlyArray<string>,
  options: JsonScanner.ScannerOptions = {},
  cause: Cause = "complete"
): Reading => {
  const scanner = JsonScanner.make(options)
  const batches: Array<ReadonlyArray<Event>> = chunks.map((chunk) => scanner.write(chunk))
  batches.push(scanner.end(cause))
  return { batches, events: batches.flat(), result: scanner.result() }
}

export const chunksOf = (text: string, size: number): ReadonlyArray<string> => {
  const chunks: Array<string> = []
  for (let i = 0; i < text.length; i += size) chunks.push(text.slice(i, i + size))
  return chunks
}

/** `delta a "x"`, `done a "xy"`, `reset a`: events as short lines. */
export const lines = (events: ReadonlyArray<Event>): ReadonlyArray<string> =>
  events.map((event) => {
    if (event._tag === "Reset") return `reset ${event.path}`
    const what = event.isComplete ? event.value : event.delta
    return `${event.eventType} ${event.path} ${JSON.stringify(what)}${event.source === "observed" ? "" : ` ${event.source}`}`
  })

/** The paths that were done, in order. */
export const donePaths = (events: ReadonlyArray<Event>): ReadonlyArray<string> =>
  events.flatMap((event) => (event._tag === "Field" && event.isComplete ? [event.path] : []))

const segmentsOf = (path: string): ReadonlyArray<string | number> => {
  const segments = Path.parse(path)
  assert.isTrue(Result.isSuccess(segments), `not a path: ${path}`)
  return Result.getOrThrow(segments).map((segment) => {
    if (typeof segment === "object") throw new Error(`a wildcard in a concrete path: ${path}`)
    return segment
  })
}

/** All paths of a value but a container at the root, children first, with their values. */
const pathsOf = (value: unknown): ReadonlyArray<readonly [string, unknown]> => {
  const found: Array<readonly [string, unknown]> = []
  const walk = (at: unknown, path: ReadonlyArray<string | number>): void => {
    if (Array.isArray(at)) at.forEach((entry, index) => walk(entry, [...path, index]))
    else if (typeof at === "object" && at !== null) {
      for (const key of Object.keys(at)) walk(Path.get(at, [key]), [...path, key])
    } else if (path.length === 0) found.push(["", at])
    if (path.length > 0) found.push([Path.print(path), at])
  }
  walk(value, [])
  return found
}

/**
 * The laws: since the last Reset of a path, deltas concatenate to the value, nothing follows a done, a path is done once
 * and after its children, and what is done is all of the final value.
 */
export const checkLaws = ({ events, result }: Reading): void => {
  let open = new Map<string, string>()
  let done = new Map<string, unknown>()
  const within = (path: string, parent: string): boolean =>
    parent === "" || path === parent || path.startsWith(`${parent}.`) || path.startsWith(`${parent}[`)
  for (const event of events) {
    if (event._tag === "Reset") {
      open = new Map([...open].filter(([path]) => !within(path, event.path)))
      done = new Map([...done].filter(([path]) => !within(path, event.path)))
      continue
    }
    const segments = segmentsOf(event.path)
    for (let length = 1; length <= segments.length; length++) {
      const path = Path.print(segments.slice(0, length))
      assert.isFalse(done.has(path), `an event of ${event.path} after the end of ${path}`)
    }
    const wildcard = segments.map((segment) => (typeof segment === "number" ? Path.ANY_ITEM : segment))
    assert.strictEqual(event.wildcardPath, Path.print(wildcard))
    assert.deepStrictEqual(
      event.indexes,
      segments.filter((segment) => typeof segment === "number")
    )
    assert.strictEqual(event.isComplete, event.eventType === "done")
    if (event.isComplete) {
      assert.isUndefined(event.delta)
      if (typeof event.value === "string") assert.strictEqual(event.value, open.get(event.path) ?? "")
      done.set(event.path, event.value)
    } else {
      assert.isString(event.delta)
      assert.notStrictEqual(event.delta, "")
      const text = (open.get(event.path) ?? "") + event.delta
      open.set(event.path, text)
      assert.strictEqual(event.value, text)
    }
  }
  // With a problem the events stop where it is.
  if (result.problem !== undefined) return
  if (!result.found) {
    assert.strictEqual(done.size, 0)
    return
  }
  const expected = pathsOf(result.value)
  assert.deepStrictEqual([...done.keys()].sort(), expected.map(([path]) => path).sort())
  for (const [path, value] of expected) assert.deepStrictEqual(done.get(path), value, path)
}

/** What must not depend on the chunks: the value and the done events. */
export const essence = ({ events, result }: Reading) => ({
  done: events.flatMap((event) =>
    event._tag === "Reset"
      ? [`reset ${event.path} ${event.reason}`]
      : event.isComplete
        ? [`${event.path} ${event.source}`, event.value]
        : []
  ),
  found: result.found,
  value: result.value,
  repaired: [...result.repaired],
  repairs: result.repairs,
  problem: result.problem
})

/** Reads a text in several chunkings, checks the laws for each and that they agree; returns the reading at once. */
export const readAll = (text: string, options: JsonScanner.ScannerOptions = {}, cause: Cause = "complete"): Reading => {
  const whole = read([text], options, cause)
  checkLaws(whole)
  for (const size of [1, 2, 3, 7]) {
    const reading = read(chunksOf(text, size), options, cause)
    checkLaws(reading)
    assert.deepStrictEqual(essence(reading), essence(whole), `chunks of ${size}: ${text.slice(0, 200)}`)
  }
  const silent = read(chunksOf(text, 5), { ...options, emit: false }, cause)
  assert.deepStrictEqual(silent.events, [])
  assert.deepStrictEqual(silent.result, whole.result)
  return whole
}

export const string: Shape = { kind: "string" }
export const number: Shape = { kind: "number" }
export const boolean: Shape = { kind: "boolean" }
export const array = (item: Shape): Shape => ({ kind: "array", prefix: [], item })
/** An object whose keys are all required. */
export const object = (keys: Record<string, Shape>, required = Object.keys(keys)): Shape => ({
  kind: "object",
  keys: new Map(Object.entries(keys)),
  required: new Set(required)
})

/** S of the scenarios: `{title: str, tags: [str], meta: {n: int, ok: bool}}`. */
export const S = object({ title: string, tags: array(string), meta: object({ n: number, ok: boolean }) })

/** A row of numbers from which random values are built, so that they shrink with it. */
export const tapes = Arbitrary.array(
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65535 }))),
  {
    maxLength: 120
  }
)

const pieces = [
  "a",
  "b",
  "the ",
  " ",
  "",
  '"',
  "\\",
  "/",
  "'",
  "`",
  "{",
  "}",
  "[",
  "]",
  ":",
  ",",
  "//",
  "/*",
  "#",
  "<think>",
  "\n",
  "\t",
  "\u0000",
  "\u001f",
  "é",
  "漢字",
  "😀",
  "\ud83d",
  "\ude00",
  "\u2028",
  "“",
  "”",
  "，",
  "```",
  "null",
  "1",
  "__proto__",
  "constructor",
  "\\u0041",
  '"""',
  "$",
  "*",
  ".",
  "toString"
]

/** Reads random things off a tape; past its end all is 0. */
export class Tape {
  private readonly tape: ReadonlyArray<number>
  private at = 0
  constructor(tape: ReadonlyArray<number>) {
    this.tape = tape
  }
  int(below: number): number {
    return (this.tape[this.at++] ?? 0) % below
  }
  pick<A>(items: ReadonlyArray<A>): A {
    const item = items[this.int(items.length)]
    if (item === undefined) throw new Error("nothing to pick from")
    return item
  }
  text(): string {
    let text = ""
    for (let n = this.int(6); n > 0; n--)
      text += this.int(4) === 0 ? String.fromCharCode(this.int(65536)) : this.pick(pieces)
    return text
  }
  number(): number {
    switch (this.int(4)) {
      case 0:
        return this.int(100)
      case 1:
        return -this.int(65536) / 100
      case 2:
        return (this.int(65536) + 1) * 10 ** (this.int(40) - 20)
      default:
        return this.pick([0, -0, 1e21, 5e-324, Number.MAX_SAFE_INTEGER, -1e-7, 123456789012345680000])
    }
  }
  json(depth = 0): unknown {
    switch (this.int(depth > 6 ? 4 : 8)) {
      case 0:
        return null
      case 1:
        return this.int(2) === 0
      case 2:
        return this.number()
      case 3:
        return this.text()
      case 4:
      case 5:
        return Array.from({ length: this.int(5) }, () => this.json(depth + 1))
      default: {
        const entries = Array.from({ length: this.int(5) }, () => [this.text(), this.json(depth + 1)] as const)
        return Object.fromEntries(entries)
      }
    }
  }
  /** JSON text of a value with random white space and escapes. */
  write(value: unknown): string {
    const space = () => this.pick(["", "", "", " ", "\n  ", "\t", "\r\n"])
    if (Array.isArray(value)) return `[${space()}${value.map((v) => this.write(v) + space()).join(`,${space()}`)}]`
    if (typeof value === "object" && value !== null) {
      const entries = Object.entries(value).map(
        ([k, v]) => `${this.write(k)}${space()}:${space()}${this.write(v)}${space()}`
      )
      return `{${space()}${entries.join(`,${space()}`)}}`
    }
    if (typeof value !== "string") return Object.is(value, -0) ? "-0" : JSON.stringify(value)
    let text = '"'
    for (const c of value.split("")) {
      const plain = JSON.stringify(c).slice(1, -1)
      text +=
        this.int(8) === 0
          ? `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`
          : plain.length === 6 && this.int(2) === 0 && c >= " "
            ? c
            : plain
    }
    return `${text}"`
  }
  chunks(text: string): ReadonlyArray<string> {
    const chunks: Array<string> = []
    for (let i = 0; i < text.length;) {
      const size = 1 + this.int(this.pick([1, 2, 4, 9, 40]))
      chunks.push(text.slice(i, i + size))
      i += size
    }
    return chunks
  }
}

export const isPrefixOf = (part: unknown, whole: unknown): boolean => {
  if (typeof part === "string") return typeof whole === "string" && whole.startsWith(part)
  if (Array.isArray(part)) {
    return Array.isArray(whole) && part.length <= whole.length && part.every((p, i) => isPrefixOf(p, whole[i]))
  }
  if (typeof part === "object" && part !== null) {
    return (
      typeof whole === "object" &&
      whole !== null &&
      !Array.isArray(whole) &&
      Object.keys(part).every(
        (key) => Object.hasOwn(whole, key) && isPrefixOf(Path.get(part, [key]), Path.get(whole, [key]))
      )
    )
  }
  return Object.is(part, whole)
}
