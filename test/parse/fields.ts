// Tools for tests of field formats: scans a text in chunks, and holds its events to what they promise.
import { assert } from "@effect/vitest"
import { Result } from "effect"
import { type Field, FieldScanner, type JsonScanner, Path, type Reset } from "effigent"

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const formats = ["flatMarkdown", "hybrid", "xmlField", "yamlLiteral"] as const

export const scan = (
  format: FieldScanner.FieldFormat,
  text: string,
  options: JsonScanner.ScannerOptions,
  size: number,
  cause: "complete" | "cut" = "complete"
) => {
  const scanner = FieldScanner.make(format, options)
  const events: Array<Field | Reset> = []
  for (let i = 0; i < text.length; i += size) events.push(...scanner.write(text.slice(i, i + size)))
  events.push(...scanner.end(cause))
  return { events, result: scanner.result() }
}

const isBelow = (path: string, above: string): boolean =>
  above === "" || path === above || path.startsWith(`${above}.`) || path.startsWith(`${above}[`)

/** Deltas concatenate to the value, a path is done once and after its children, and nothing follows a done. */
export const check = (events: ReadonlyArray<Field | Reset>): void => {
  let texts = new Map<string, string>()
  let done = new Set<string>()
  for (const event of events) {
    if (event._tag === "Reset") {
      texts = new Map([...texts].filter(([path]) => !isBelow(path, event.path)))
      done = new Set([...done].filter((path) => !isBelow(path, event.path)))
      continue
    }
    for (const path of done) assert.isFalse(isBelow(event.path, path), `${event.path} after ${path} is done`)
    if (event.isComplete) {
      done.add(event.path)
      assert.isUndefined(event.delta)
      if (typeof event.value === "string") assert.strictEqual(event.value, texts.get(event.path) ?? "")
    } else {
      assert.notStrictEqual(event.delta, "")
      const text = (texts.get(event.path) ?? "") + (event.delta ?? "")
      texts.set(event.path, text)
      assert.strictEqual(event.value, text)
    }
  }
}

/** The record that the done events of its fields make up. */
export const replay = (events: ReadonlyArray<Field | Reset>): Record<string, unknown> => {
  let fields = new Map<string, unknown>()
  for (const event of events) {
    if (event._tag === "Reset") fields = new Map([...fields].filter(([path]) => !isBelow(path, event.path)))
    else if (event.isComplete) {
      const steps = Result.getOrThrow(Path.parse(event.path))
      if (steps.length === 1) fields.set(String(steps[0]), event.value)
    }
  }
  const out: Record<string, unknown> = {}
  for (const [name, value] of fields) {
    Object.defineProperty(out, name, { value, enumerable: true, configurable: true, writable: true })
  }
  return out
}
