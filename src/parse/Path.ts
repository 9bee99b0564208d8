/**
 * Paths into a JSON value: segments, and the two ways to print them, dot style `a.b[0].c` and slash style `/a/b/[0]/c`.
 * A key that would read as syntax (it holds `.`, `[`, `]`, `/`, `"`, is empty, or is `*`) is printed quoted, so that two
 * different paths never print alike. Wildcards stand for every item (`items[*]`) or every key of a record (`scores.*`).
 * The root prints as the empty string.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/** How paths are printed. @category models */
export type PathStyle = "dot" | "slash"

/** The segment that stands for every item of an array. @category models */
export interface AnyItem {
  readonly _tag: "AnyItem"
}

/** The segment that stands for every key of a record. @category models */
export interface AnyKey {
  readonly _tag: "AnyKey"
}

/** Every item of an array: prints as `[*]`. @category constants */
export const ANY_ITEM: AnyItem = { _tag: "AnyItem" }

/** Every key of a record: prints as `*`. @category constants */
export const ANY_KEY: AnyKey = { _tag: "AnyKey" }

/** One step of a path: a key, an index, or a wildcard. @category models */
export type Segment = string | number | AnyItem | AnyKey

/** A text that is not a path. @category errors */
export class PathError extends Schema.TaggedError<PathError>()("PathError", {
  /** The whole text. */
  text: Schema.String,
  /** Where reading stopped, in UTF-16 code units from the start. */
  position: Schema.Int,
  /** What is wrong there, and what would be right. */
  detail: Schema.String
}) {
  override get message(): string {
    return `Not a path: ${JSON.stringify(this.text)}, at position ${this.position}: ${this.detail}`
  }
}

/** Whether a key must be quoted: printed bare it would read as something else. */
const readsAsSyntax = (key: string): boolean => {
  if (key === "" || key === "*") return true
  for (let i = 0; i < key.length; i++) {
    const c = key.charCodeAt(i)
    if (c === 46 || c === 91 || c === 93 || c === 47 || c === 34) return true
  }
  return false
}

/**
 * The text that a key adds to the path of its object.
 *
 * @param first whether the object is the root, whose keys take no dot in dot style
 * @category printing
 */
export const keySuffix = (key: string, style: PathStyle, first: boolean): string => {
  if (readsAsSyntax(key)) return style === "dot" ? `[${JSON.stringify(key)}]` : `/[${JSON.stringify(key)}]`
  return style === "slash" ? `/${key}` : first ? key : `.${key}`
}

/** The path of a key of the object at `parentPath`. @category printing */
export const child = (parentPath: string, key: string, style: PathStyle = "dot"): string =>
  parentPath + keySuffix(key, style, parentPath === "")

/** The path of an item of the array at `parentPath`. @category printing */
export const item = (parentPath: string, index: number, style: PathStyle = "dot"): string =>
  style === "dot" ? `${parentPath}[${index}]` : `${parentPath}/[${index}]`

/** The path that stands for every item of the array at `parentPath`. @category printing */
export const itemWildcard = (parentPath: string, style: PathStyle = "dot"): string =>
  style === "dot" ? `${parentPath}[*]` : `${parentPath}/[*]`

/** The path that stands for every value of the record at `parentPath`. @category printing */
export const keyWildcard = (parentPath: string, style: PathStyle = "dot"): string =>
  style === "slash" ? `${parentPath}/*` : parentPath === "" ? "*" : `${parentPath}.*`

/**
 * The text of a path.
 *
 * @category printing
 * @example
 * ```ts
 * import { Path } from "effigent"
 *
 * console.log(Path.print(["items", 0, "full.name"])) // => items[0]["full.name"]
 * console.log(Path.print(["items", Path.ANY_ITEM, "name"], "slash")) // => /items/[*]/name
 * ```
 */
export const print = (segments: ReadonlyArray<Segment>, style: PathStyle = "dot"): string => {
  let path = ""
  for (const segment of segments) {
    if (typeof segment === "string") path = child(path, segment, style)
    else if (typeof segment === "number") path = item(path, segment, style)
    else if (segment._tag === "AnyItem") path = itemWildcard(path, style)
    else path = keyWildcard(path, style)
  }
  return path
}

/** A JSON string at a position, and a bracket with an index or a wildcard. Sticky: read at `lastIndex`. */
const quoted = /"(?:[^"\\]|\\.)*"/suy
const bracket = /\[(?:(\*)|(0|[1-9][0-9]*))\]/uy

const unquote = (text: string): string | undefined => {
  const read = Result.try((): unknown => JSON.parse(text))
  return Result.isSuccess(read) && typeof read.success === "string" ? read.success : undefined
}

/**
 * Reads a path in either style: a text that begins with `/` is in slash style, any other in dot style.
 *
 * @param style refuses the other style where given
 * @category reading
 * @example
 * ```ts
 * import { Path } from "effigent"
 * import { Result } from "effect"
 *
 * const segments = Result.getOrThrow(Path.parse("/items/[*]/name"))
 * console.log(Path.print(segments)) // => items[*].name
 * ```
 */
export const parse = (text: string, style?: PathStyle): Result.Result<ReadonlyArray<Segment>, PathError> => {
  const slash = style === undefined ? text.startsWith("/") : style === "slash"
  const fail = (position: number, detail: string) => Result.fail(new PathError({ text, position, detail }))
  const segments: Array<Segment> = []
  let i = 0
  while (i < text.length) {
    // What may come here: in slash style each segment has its own slash; in dot style a bracket stands alone, and a
    // name follows a dot, the first name excepted.
    if (slash) {
      if (text[i] !== "/") return fail(i, `expected "/" before each segment`)
      i++
    } else if (text[i] === ".") {
      if (i === 0) return fail(i, "a path begins with a name or a bracket, without a dot")
      i++
      if (text[i] === "[") return fail(i, "a bracket takes no dot before it")
    } else if (i > 0 && text[i] !== "[") {
      return fail(i, `expected "." or "[" here`)
    }
    if (text[i] === "[") {
      if (text[i + 1] === '"') {
        quoted.lastIndex = i + 1
        const match = quoted.exec(text)
        const key = match === null ? undefined : unquote(match[0])
        if (match === null || key === undefined) return fail(i + 1, "a quoted key is a JSON string")
        i += 1 + match[0].length
        if (text[i] !== "]") return fail(i, `expected "]" after the quoted key`)
        segments.push(key)
        i++
        continue
      }
      bracket.lastIndex = i
      const match = bracket.exec(text)
      if (match === null) return fail(i, `a bracket holds an index, "*" or a quoted key, and ends with "]"`)
      const index = Number(match[2])
      if (match[1] === undefined && !Number.isSafeInteger(index)) return fail(i + 1, "the index is too large")
      segments.push(match[1] === undefined ? index : ANY_ITEM)
      i += match[0].length
      continue
    }
    let end = i
    while (end < text.length && !(slash ? "/" : ".[").includes(text.charAt(end))) end++
    const name = text.slice(i, end)
    if (name === "*") segments.push(ANY_KEY)
    else if (name === "") return fail(i, `a name is missing; an empty key is written [""]`)
    else if (readsAsSyntax(name)) {
      return fail(i, `a key that holds one of . [ ] / " is written quoted: [${JSON.stringify(name)}]`)
    } else segments.push(name)
    i = end
  }
  return Result.succeed(segments)
}

const step = (value: unknown, segment: string | number): { readonly value: unknown } | undefined => {
  if (typeof segment === "number") {
    return Array.isArray(value) && segment < value.length ? { value: value[segment] } : undefined
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined
  const property = Object.getOwnPropertyDescriptor(value, segment)
  return property === undefined ? undefined : { value: property.value }
}

/**
 * The value at a concrete path, `undefined` where there is none. Only own properties count.
 *
 * @category access
 */
export const get = (value: unknown, segments: ReadonlyArray<string | number>): unknown => {
  let at = value
  for (const segment of segments) {
    const next = step(at, segment)
    if (next === undefined) return undefined
    at = next.value
  }
  return at
}

/**
 * One place that a wildcard path stands for.
 *
 * @category models
 */
export interface Place {
  /**
   * The concrete path. Where the value ends early (`found` is false), the steps that were not taken follow as they were
   * asked for, wildcards included.
   */
  readonly path: ReadonlyArray<Segment>
  /** The value there, `undefined` where not found. */
  readonly value: unknown
  readonly found: boolean
}

/**
 * All places that a path stands for, in document order. A wildcard over an empty container stands for none; over
 * something that is missing or no container, for one place that is not found.
 *
 * @category access
 * @example
 * ```ts
 * import { Path } from "effigent"
 *
 * const value = { items: [{ name: "a" }, {}] }
 * const places = Path.each(value, ["items", Path.ANY_ITEM, "name"])
 * console.log(places.map((place) => `${Path.print(place.path)}: ${place.found}`)) // => [ 'items[0].name: true', 'items[1].name: false' ]
 * ```
 */
export const each = (value: unknown, segments: ReadonlyArray<Segment>): ReadonlyArray<Place> => {
  const places: Array<Place> = []
  const walk = (at: unknown, path: ReadonlyArray<Segment>, depth: number): void => {
    const segment = segments[depth]
    if (segment === undefined) {
      places.push({ path, value: at, found: true })
    } else if (typeof segment === "object" && segment._tag === "AnyItem" && Array.isArray(at)) {
      for (let index = 0; index < at.length; index++) walk(at[index], [...path, index], depth + 1)
    } else if (typeof segment === "object" && segment._tag === "AnyKey" && isRecord(at)) {
      for (const key of Object.keys(at)) walk(step(at, key)?.value, [...path, key], depth + 1)
    } else {
      const next = typeof segment === "object" ? undefined : step(at, segment)
      if (next === undefined) places.push({ path: [...path, ...segments.slice(depth)], value: undefined, found: false })
      else walk(next.value, [...path, segment], depth + 1)
    }
  }
  walk(value, [], 0)
  return places
}

const isRecord = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value)
