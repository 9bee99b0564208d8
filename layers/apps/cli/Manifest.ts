/** What the package says of itself: its name, its version, and what it stands on. */
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"

/**
 * The part of package.json that commands need.
 *
 * @category models
 */
export interface Manifest {
  readonly name: string
  readonly version: string
  /** The ranges of its peer dependencies. */
  readonly peers: { readonly [name: string]: string }
}

/** That of this package. @category reading */
export const own = (): Manifest => {
  // Sources, build and chunks stand at different heights.
  for (let at = import.meta.dirname; ; at = dirname(at)) {
    const json = read(join(at, "package.json"))
    if (json?.["name"] === "effigent")
      return { name: "effigent", version: String(json["version"]), peers: textsOf(json["peerDependencies"]) }
    if (dirname(at) === at) return { name: "effigent", version: "0.0.0", peers: {} }
  }
}

/** A package.json as an object; nothing where there is none that can be read. @category reading */
export const read = (file: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const json: unknown = JSON.parse(readFileSync(file, "utf8"))
    // An object that was read may be asked for any key.
    return typeof json === "object" && json !== null ? (json as Readonly<Record<string, unknown>>) : undefined
  } catch {
    return undefined
  }
}

const textsOf = (value: unknown): { readonly [name: string]: string } =>
  typeof value !== "object" || value === null
    ? {}
    : Object.fromEntries(Object.entries(value).map(([key, text]) => [key, String(text)]))

/** Whether a version is one that a range of the form `>=1.2.3 <2` admits. @category conversions */
export const admits = (range: string, version: string): boolean => {
  const numbers = (text: string) => (text.split("-")[0] ?? "").split(".").map(Number)
  const compare = (a: string, b: string): number => {
    const [left, right] = [numbers(a), numbers(b)]
    for (let at = 0; at < 3; at++) {
      const difference = (left[at] ?? 0) - (right[at] ?? 0)
      if (difference !== 0) return difference
    }
    return 0
  }
  return range.split(/\s+/).every((part) => {
    const [, operator = "=", bound = ""] = /^(>=|<|=)?(\d.*)$/.exec(part) ?? []
    const difference = compare(version, bound)
    return operator === ">=" ? difference >= 0 : operator === "<" ? difference < 0 : difference === 0
  })
}
